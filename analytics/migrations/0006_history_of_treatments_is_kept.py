"""The tables of history that have come since cannot be emptied at a stroke either."""

from django.db import migrations

PROTECT = """
DO $$
DECLARE history record;
BEGIN
    FOR history IN SELECT table_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND column_name = 'pgh_obj_id' AND table_name LIKE '%event'
        AND NOT EXISTS (SELECT FROM pg_trigger
            WHERE tgname = 'no_truncate' AND tgrelid = quote_ident(table_name)::regclass)
    LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION analytics_refuse_truncate()', history.table_name);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0005_history_is_not_truncated"),
        ("treatments", "0004_course_as_run"),
    ]
    # Going further back removes them: with their tables, or with those of 0005.
    operations = [migrations.RunSQL(PROTECT, migrations.RunSQL.noop)]
