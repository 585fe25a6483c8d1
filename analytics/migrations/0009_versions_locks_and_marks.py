"""Versions that count every change, notes of what changed of an outcome, data locks that nothing changes, further marks.

A place where treatment began is where days are counted from: what was ``time_zero`` alone is ``started_on`` too.
"""

from importlib import import_module

from django.db import migrations

TOUCHED = import_module("analytics.migrations.0002_mark_stale_courses").TOUCHED

VERSIONS = """
CREATE FUNCTION analytics_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept text[] := ARRAY['version', 'tallied_by', 'tallied_to', 'owner_id', 'is_shared'];
BEGIN
    IF to_jsonb(NEW) - kept IS DISTINCT FROM to_jsonb(OLD) - kept THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER count_version BEFORE UPDATE ON analytics_cohort
    FOR EACH ROW EXECUTE FUNCTION analytics_count_version();
CREATE TRIGGER count_version BEFORE UPDATE ON analytics_definition
    FOR EACH ROW EXECUTE FUNCTION analytics_count_version();
"""
NO_VERSIONS = """
DROP TRIGGER count_version ON analytics_definition;
DROP TRIGGER count_version ON analytics_cohort;
DROP FUNCTION analytics_count_version();
"""

LOCKS = """
CREATE FUNCTION analytics_refuse_change_of_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'analytics_lock_is_kept',
        MESSAGE = 'A data lock is kept as it was made: it can be neither changed nor deleted.';
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON analytics_datalock
    FOR EACH ROW EXECUTE FUNCTION analytics_refuse_change_of_lock();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON analytics_lockedoutcome
    FOR EACH ROW EXECUTE FUNCTION analytics_refuse_change_of_lock();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON analytics_datalock
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_refuse_change_of_lock();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON analytics_lockedoutcome
    FOR EACH STATEMENT EXECUTE FUNCTION analytics_refuse_change_of_lock();
"""
NO_LOCKS = """
DROP TRIGGER kept ON analytics_datalock;
DROP TRIGGER kept ON analytics_lockedoutcome;
DROP TRIGGER not_emptied ON analytics_datalock;
DROP TRIGGER not_emptied ON analytics_lockedoutcome;
DROP FUNCTION analytics_refuse_change_of_lock();
"""

CHANGES = """
CREATE FUNCTION analytics_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ignored text[] := ARRAY['id', 'derived_at'];
    former jsonb; latter jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        former := to_jsonb(OLD) - ignored;
    ELSIF OLD.derived_at IS NULL THEN
        latter := '{}';
    ELSE
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO former, latter
        FROM jsonb_each(to_jsonb(OLD) - ignored) o JOIN jsonb_each(to_jsonb(NEW) - ignored) n USING (key)
        WHERE o.value IS DISTINCT FROM n.value;
    END IF;
    IF former IS NOT NULL OR latter IS NOT NULL THEN
        INSERT INTO analytics_outcomechange (definition_id, course_id, changed_at, known_since, before, after)
        VALUES (OLD.definition_id, OLD.course_id, clock_timestamp(), OLD.derived_at, former, latter);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER UPDATE ON analytics_outcome FOR EACH ROW
    WHEN (current_setting('registry.note_changes', true) IS DISTINCT FROM 'off' AND OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION analytics_note_change();
CREATE TRIGGER note_deletion AFTER DELETE ON analytics_outcome FOR EACH ROW
    WHEN (current_setting('registry.note_changes', true) IS DISTINCT FROM 'off' AND OLD.derived_at IS NOT NULL)
    EXECUTE FUNCTION analytics_note_change();
"""
NO_CHANGES = """
DROP TRIGGER note_change ON analytics_outcome;
DROP TRIGGER note_deletion ON analytics_outcome;
DROP FUNCTION analytics_note_change();
"""

PATIENTS_OF = {
    "imaging_measurement": "SELECT l.patient_id FROM imaging_lesion l JOIN touched t ON t.lesion_id = l.id",
    "treatments_adverseevent": "SELECT patient_id FROM touched",
    "treatments_priorprrt": "SELECT patient_id FROM touched",
}
MARKS, NO_MARKS = "", ""
for table, patients in PATIENTS_OF.items():
    for name, (operation, tables, rows) in TOUCHED.items():
        function = f"analytics_stale_{name}_{table}"
        MARKS += f"""
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_stalecourse (course_id)
    WITH touched AS ({rows})
    SELECT id FROM treatments_course WHERE patient_id IN ({patients});
    RETURN NULL;
END $$;
CREATE TRIGGER mark_stale_after_{name} AFTER {operation} ON {table}
    REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
        NO_MARKS += f"DROP TRIGGER mark_stale_after_{name} ON {table};\nDROP FUNCTION {function}();\n"

# Every outcome holds more than before: all are derived anew, and cohorts counted anew.
AGAIN = """
UPDATE analytics_outcome SET started_on = time_zero;
UPDATE analytics_cohort SET tallied_by = '';
UPDATE analytics_result SET data = NULL;
INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course;
"""
# Tallies of what the former release does not know are forgotten, and its own counted anew.
BACK = """
DELETE FROM analytics_tally;
UPDATE analytics_cohort SET tallied_by = '';
UPDATE analytics_result SET data = NULL;
INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0008_outcomes_in_full"),
        ("imaging", "0004_lesions_of_studies"),
        ("treatments", "0010_response_rules_sentence"),
    ]
    operations = [
        migrations.RunSQL(VERSIONS, NO_VERSIONS),
        migrations.RunSQL(LOCKS, NO_LOCKS),
        migrations.RunSQL(CHANGES, NO_CHANGES),
        migrations.RunSQL(MARKS, NO_MARKS),
        migrations.RunSQL(AGAIN, BACK),
    ]
