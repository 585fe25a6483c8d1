"""A study belongs to a course that the patient has, or to the next one: the baseline comes before the course is started.

Here, since neither treatments nor imaging knows the other.
"""

from django.db import migrations

CHECK = """
CREATE FUNCTION analytics_check_studies_of_courses() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    courses integer; wrong integer;
BEGIN
    PERFORM FROM patients_patient WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    SELECT count(*) INTO courses FROM treatments_course WHERE patient_id = NEW.patient_id AND voided_at IS NULL;
    SELECT max(course_number) INTO wrong FROM imaging_study WHERE patient_id = NEW.patient_id AND voided_at IS NULL;
    IF wrong > courses + 1 THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_study_of_known_course',
            MESSAGE = format('A study of course %s: the patient has %s; studies belong to one of these or to the next.', wrong,
                CASE courses WHEN 0 THEN 'no course' WHEN 1 THEN 'one course' ELSE format('%s courses', courses) END);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER studies_of_courses AFTER INSERT OR UPDATE ON imaging_study
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION analytics_check_studies_of_courses();
CREATE CONSTRAINT TRIGGER studies_of_courses AFTER UPDATE ON treatments_course
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION analytics_check_studies_of_courses();
"""

UNDO = """
DROP TRIGGER studies_of_courses ON imaging_study;
DROP TRIGGER studies_of_courses ON treatments_course;
DROP FUNCTION analytics_check_studies_of_courses();
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0003_cohort_of_all")]
    operations = [migrations.RunSQL(CHECK, UNDO)]
