"""The sentence of the response rules says its percents as Django wants them: a bare sign broke the refusal itself."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("treatments", "0009_response_rules")]
    operations = [
        migrations.AlterConstraint(
            model_name="protocol",
            name="treatments_protocol_response_rules_plausible",
            constraint=models.CheckConstraint(
                condition=Q(
                    ("response_confirmation_days__gte", 1),
                    ("response_confirmation_days__lte", 730),
                    ("sd_minimum_days__lte", 730),
                    ("sstr_decrease_percent__gt", 0),
                    ("sstr_decrease_percent__lte", 100),
                    ("sstr_increase_percent__gt", 0),
                    ("sstr_increase_percent__lte", 1000),
                ),
                name="treatments_protocol_response_rules_plausible",
                violation_error_message=(
                    "A response is confirmed after 1 to 730 days, stable disease counts from at most 730 days on, and SUVmax"
                    " changes by more than 0 %% (down to 100 %%, up to 1,000 %%)."
                ),
            ),
        )
    ]
