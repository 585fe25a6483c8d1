"""Every registry has a cohort of all its patients."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add_cohort(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    definition, _ = apps.get_model("analytics", "Definition").objects.get_or_create(
        name="Registry default", defaults={"endpoints": {}}
    )
    apps.get_model("analytics", "Cohort").objects.get_or_create(
        slug="all",
        defaults={
            "name": "All patients",
            "description": "Every patient of the centres you may see who was given at least one cycle.",
            "definition": definition,
        },
    )


def remove_cohort(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("analytics", "Cohort").objects.filter(slug="all").delete()
    apps.get_model("analytics", "Definition").objects.filter(
        name="Registry default", cohorts__isnull=True
    ).delete()


class Migration(migrations.Migration):
    dependencies = [("analytics", "0002_mark_stale_courses")]
    operations = [migrations.RunPython(add_cohort, remove_cohort)]
