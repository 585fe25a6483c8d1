"""Curves are kept as they are: compressing two megabytes took longer than computing them."""

from django.db import migrations

PLAIN = "ALTER TABLE analytics_result ALTER COLUMN curves SET STORAGE EXTERNAL"
COMPRESSED = "ALTER TABLE analytics_result ALTER COLUMN curves SET STORAGE EXTENDED"


class Migration(migrations.Migration):
    dependencies = [("analytics", "0012_rebuilds")]
    operations = [migrations.RunSQL(PLAIN, COMPRESSED)]
