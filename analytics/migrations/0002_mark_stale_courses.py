"""Every write to a clinical table marks the courses it touches as stale, in the writing transaction itself.

Statement-level triggers with transition tables: one insert into the marks for a statement, however many rows it wrote.
All courses of a patient are marked together, since which of them is the first one depends on the others.
"""

from django.db import migrations

PATIENTS_OF = {
    "accounts_centre": "SELECT p.id FROM patients_patient p JOIN touched t ON p.centre_id = t.id",
    "patients_patient": "SELECT id FROM touched",
    "patients_diagnosis": "SELECT patient_id FROM touched",
    "patients_contact": "SELECT patient_id FROM touched",
    "patients_diseaseevent": "SELECT patient_id FROM touched",
    "patients_death": "SELECT patient_id FROM touched",
    "treatments_protocol": "SELECT c.patient_id FROM treatments_course c JOIN touched t ON c.protocol_id = t.id",
    "treatments_course": "SELECT patient_id FROM touched",
    "treatments_cycle": "SELECT c.patient_id FROM treatments_course c JOIN touched t ON t.course_id = c.id",
    "treatments_administration": (
        "SELECT c.patient_id FROM treatments_course c JOIN treatments_cycle y ON y.course_id = c.id"
        " JOIN touched t ON t.cycle_id = y.id"
    ),
    "treatments_discontinuation": "SELECT c.patient_id FROM treatments_course c JOIN touched t ON t.course_id = c.id",
    "imaging_study": "SELECT patient_id FROM touched",
    "imaging_reading": "SELECT s.patient_id FROM imaging_study s JOIN touched t ON t.study_id = s.id",
}
TOUCHED = {
    "insert": ("INSERT", "NEW TABLE AS new_rows", "SELECT * FROM new_rows"),
    # A row may move from one patient to another: both are touched.
    "update": (
        "UPDATE",
        "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "SELECT * FROM new_rows UNION ALL SELECT * FROM old_rows",
    ),
    "delete": ("DELETE", "OLD TABLE AS old_rows", "SELECT * FROM old_rows"),
}

CREATE, DROP = "", ""
for table, patients in PATIENTS_OF.items():
    for name, (operation, tables, rows) in TOUCHED.items():
        function = f"analytics_stale_{name}_{table}"
        CREATE += f"""
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
        DROP += f"DROP TRIGGER mark_stale_after_{name} ON {table};\nDROP FUNCTION {function}();\n"

# Another definition: every course has another outcome under it.
CREATE += """
CREATE FUNCTION analytics_stale_for_definition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_stale_after_insert AFTER INSERT ON analytics_definition
    FOR EACH ROW EXECUTE FUNCTION analytics_stale_for_definition();
CREATE TRIGGER mark_stale_after_update AFTER UPDATE ON analytics_definition
    FOR EACH ROW
    WHEN (OLD.endpoints IS DISTINCT FROM NEW.endpoints OR OLD.data_cutoff IS DISTINCT FROM NEW.data_cutoff)
    EXECUTE FUNCTION analytics_stale_for_definition();
"""
DROP += """
DROP TRIGGER mark_stale_after_insert ON analytics_definition;
DROP TRIGGER mark_stale_after_update ON analytics_definition;
DROP FUNCTION analytics_stale_for_definition();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0001_records"),
        ("accounts", "0001_records"),
        ("patients", "0002_dates_in_order"),
        ("treatments", "0002_course_in_order"),
        ("imaging", "0002_studies_in_order"),
    ]
    operations = [migrations.RunSQL(CREATE, DROP)]
