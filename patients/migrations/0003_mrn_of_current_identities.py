"""An MRN that was voided with its patient, or on its own, is free for the patient it belongs to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("patients", "0002_dates_in_order")]
    operations = [
        migrations.RemoveConstraint(model_name="patientidentity", name="patients_patientidentity_mrn_once"),
        migrations.AddConstraint(
            model_name="patientidentity",
            constraint=models.UniqueConstraint(
                condition=models.Q(voided_at__isnull=True),
                fields=["centre", "mrn"],
                name="patients_patientidentity_mrn_once",
                violation_error_message="Another patient of this centre has this MRN.",
            ),
        ),
    ]
