"""Performance status and prior therapy mark the patient's courses as stale; their history cannot be emptied at a stroke."""

from importlib import import_module

from django.db import migrations

PROTECT = import_module("analytics.migrations.0006_history_of_treatments_is_kept").PROTECT
TOUCHED = import_module("analytics.migrations.0002_mark_stale_courses").TOUCHED

PATIENTS_OF = {
    "patients_performancestatus": "SELECT patient_id FROM touched",
    "patients_priortherapy": "SELECT patient_id FROM touched",
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


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0010_attempts_of_jobs"),
        ("patients", "0005_dates_of_performance_and_prior_therapy"),
    ]
    operations = [
        migrations.RunSQL(MARKS, NO_MARKS),
        # Going further back removes them with their tables.
        migrations.RunSQL(PROTECT, migrations.RunSQL.noop),
    ]
