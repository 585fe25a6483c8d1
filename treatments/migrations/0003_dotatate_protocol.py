"""The protocol that the registry ships with."""

from decimal import Decimal

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CODE = "177lu-dotatate-4x7400-q8w"


def add_protocol(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("treatments", "Protocol").objects.get_or_create(
        code=CODE,
        version=1,
        defaults={
            "name": "177Lu-DOTATATE 4 × 7,400 MBq every 8 weeks",
            "radiopharmaceutical": "177Lu-DOTATATE",
            "physical_half_life_days": Decimal("6.647"),
            "planned_cycles": 4,
            "interval_days": 56,
            "window_days": 7,
            "prescribed_activity_mbq": Decimal("7400"),
            "imaging_after_cycles": [2, 4],
            "imaging_due_days": 56,
            "source": "Product label of lutetium (177Lu) oxodotreotide: 4 × 7,400 MBq, every 8 weeks (± 1 week).",
        },
    )


def remove_protocol(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    protocol = apps.get_model("treatments", "Protocol").objects.filter(code=CODE, version=1)
    # A protocol that courses follow stays: going back must not lose patients.
    protocol.filter(courses__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("treatments", "0002_course_in_order")]
    operations = [migrations.RunPython(add_protocol, remove_protocol)]
