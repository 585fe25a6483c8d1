"""History and records cannot be emptied at a stroke: TRUNCATE passes by the triggers that see rows.

Here, since this app stands above all that have a history.
"""

from django.db import migrations

PROTECT = """
CREATE FUNCTION analytics_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'history_is_kept',
        MESSAGE = format('%s is kept: records are voided with a reason, and their history stays.', TG_TABLE_NAME);
END $$;
DO $$
DECLARE history record;
BEGIN
    FOR history IN SELECT table_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND column_name = 'pgh_obj_id' AND table_name LIKE '%event'
    LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION analytics_refuse_truncate()', history.table_name);
    END LOOP;
END $$;
"""

UNDO = """
DO $$
DECLARE history record;
BEGIN
    FOR history IN SELECT DISTINCT event_object_table AS table_name FROM information_schema.triggers
        WHERE trigger_schema = current_schema() AND trigger_name = 'no_truncate'
    LOOP
        EXECUTE format('DROP TRIGGER no_truncate ON %I', history.table_name);
    END LOOP;
END $$;
DROP FUNCTION analytics_refuse_truncate() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0004_studies_of_courses"),
        ("accounts", "0001_records"),
        ("patients", "0001_records"),
        ("treatments", "0001_records"),
        ("imaging", "0001_records"),
    ]
    operations = [migrations.RunSQL(PROTECT, UNDO)]
