"""Jobs count how often they were begun: one that ends every worker that takes it up is given up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0009_versions_locks_and_marks")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="attempts",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="How often a worker began it: more than once where one was killed."
            ),
        ),
    ]
