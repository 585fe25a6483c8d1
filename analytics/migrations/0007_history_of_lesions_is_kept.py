"""The history of lesions and measurements cannot be emptied at a stroke either."""

from importlib import import_module

from django.db import migrations

PROTECT = import_module("analytics.migrations.0006_history_of_treatments_is_kept").PROTECT


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0006_history_of_treatments_is_kept"),
        ("imaging", "0004_lesions_of_studies"),
    ]
    # Going further back removes them with their tables.
    operations = [migrations.RunSQL(PROTECT, migrations.RunSQL.noop)]
