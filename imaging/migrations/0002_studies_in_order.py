"""What must hold between a patient's studies, readings, birth and death, checked at the end of each transaction."""

from django.db import migrations

CHECK = """
CREATE FUNCTION imaging_check_studies(patient uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    born date; died date; first_study date; last_study date; wrong date;
BEGIN
    -- One check of a patient at a time: two desks that each store half of a contradiction must not both pass.
    PERFORM FROM patients_patient WHERE id = patient FOR NO KEY UPDATE;
    SELECT birth_date INTO born FROM patients_patient WHERE id = patient;
    SELECT died_on INTO died FROM patients_death WHERE patient_id = patient AND voided_at IS NULL;
    SELECT min(performed_on), max(performed_on) INTO first_study, last_study
    FROM imaging_study WHERE patient_id = patient AND voided_at IS NULL;
    IF first_study < born THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_nothing_before_birth',
            MESSAGE = format('The patient was born on %s: a study on %s cannot be earlier.', born, first_study);
    END IF;
    IF last_study > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_nothing_after_death',
            MESSAGE = format('The patient died on %s: a study on %s cannot be later.', died, last_study);
    END IF;

    SELECT min(s.performed_on) INTO wrong FROM imaging_study s
    JOIN imaging_study b ON b.patient_id = s.patient_id AND b.course_number = s.course_number
        AND b.timepoint = 'baseline' AND b.voided_at IS NULL
    WHERE s.patient_id = patient AND s.voided_at IS NULL AND s.timepoint <> 'baseline'
        AND s.performed_on <= b.performed_on;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_baseline_first',
            MESSAGE = format('The baseline is the first study of a course: the study of %s is not after it.', wrong);
    END IF;

    SELECT min(s.performed_on) INTO wrong FROM imaging_study s
    JOIN imaging_reading r ON r.study_id = s.id AND r.voided_at IS NULL
    WHERE s.patient_id = patient AND (s.timepoint = 'baseline' OR s.voided_at IS NOT NULL);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_reading_of_later_study',
            MESSAGE = format('The study of %s is a baseline or voided: it has no response.', wrong);
    END IF;
END $$;

CREATE FUNCTION imaging_check_studies_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM imaging_check_studies(NEW.patient_id); RETURN NULL; END $$;
CREATE FUNCTION imaging_check_studies_of_reading() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imaging_check_studies(patient_id) FROM imaging_study WHERE id = NEW.study_id;
    RETURN NULL;
END $$;
CREATE FUNCTION imaging_check_studies_of_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM imaging_check_studies(NEW.id); RETURN NULL; END $$;

CREATE CONSTRAINT TRIGGER studies_in_order AFTER INSERT OR UPDATE ON imaging_study
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_studies_of_row();
CREATE CONSTRAINT TRIGGER studies_in_order AFTER INSERT OR UPDATE ON imaging_reading
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_studies_of_reading();
CREATE CONSTRAINT TRIGGER studies_in_order AFTER INSERT OR UPDATE ON patients_death
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_studies_of_row();
CREATE CONSTRAINT TRIGGER studies_in_order AFTER UPDATE ON patients_patient
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_studies_of_patient();
"""

UNDO = """
DROP TRIGGER studies_in_order ON imaging_study;
DROP TRIGGER studies_in_order ON imaging_reading;
DROP TRIGGER studies_in_order ON patients_death;
DROP TRIGGER studies_in_order ON patients_patient;
DROP FUNCTION imaging_check_studies_of_row();
DROP FUNCTION imaging_check_studies_of_reading();
DROP FUNCTION imaging_check_studies_of_patient();
DROP FUNCTION imaging_check_studies(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("imaging", "0001_records"), ("patients", "0002_dates_in_order")]
    operations = [migrations.RunSQL(CHECK, UNDO)]
