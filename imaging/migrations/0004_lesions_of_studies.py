"""A measurement joins a lesion and a study of one course; and which reading of a study counts, as a view."""

from django.db import migrations

CHECK = """
CREATE FUNCTION imaging_check_measurement(measurement uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m imaging_measurement;
    l imaging_lesion;
    s imaging_study;
    o imaging_lesion;
BEGIN
    SELECT * INTO m FROM imaging_measurement WHERE id = measurement;
    IF m.voided_at IS NOT NULL THEN RETURN; END IF;
    SELECT * INTO l FROM imaging_lesion WHERE id = m.lesion_id;
    SELECT * INTO s FROM imaging_study WHERE id = m.study_id;
    IF l.voided_at IS NOT NULL OR s.voided_at IS NOT NULL
        OR s.patient_id <> l.patient_id OR s.course_number <> l.course_number THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_measurement_of_one_course',
            MESSAGE = format('Lesion %s is measured in a study of another course or patient, or one that was voided.', l.label);
    END IF;
    IF m.merged_into_id IS NOT NULL THEN
        SELECT * INTO o FROM imaging_lesion WHERE id = m.merged_into_id;
        IF o.voided_at IS NOT NULL OR o.patient_id <> l.patient_id OR o.course_number <> l.course_number
            OR o.reader_role <> l.reader_role THEN
            RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_lesion_merged_into_own',
                MESSAGE = format('Lesion %s can only merge into another lesion of the same course and reader.', l.label);
        END IF;
    END IF;
    IF (l.role = 'target' AND (m.state IN ('present', 'progressed', 'equivocal')
            OR (m.state = 'merged' AND o.role <> 'target')))
        OR (l.role = 'non_target' AND m.state = 'equivocal')
        OR (l.role = 'new' AND m.state = 'progressed') THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'imaging_measurement_state_of_role',
            MESSAGE = format('What was found of %s cannot be said of a lesion of its kind: correct the measurement first.', l.label);
    END IF;
END $$;

-- The patient is locked, so that what one transaction checks another one cannot change before both have ended.
CREATE FUNCTION imaging_check_of_measurement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM patients_patient WHERE id = (SELECT patient_id FROM imaging_lesion WHERE id = NEW.lesion_id)
        FOR NO KEY UPDATE;
    PERFORM imaging_check_measurement(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION imaging_check_of_lesion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM patients_patient WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    PERFORM imaging_check_measurement(id) FROM imaging_measurement WHERE lesion_id = NEW.id;
    PERFORM imaging_check_measurement(id) FROM imaging_measurement WHERE merged_into_id = NEW.id;
    RETURN NULL;
END $$;
CREATE FUNCTION imaging_check_of_study() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM patients_patient WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    PERFORM imaging_check_measurement(id) FROM imaging_measurement WHERE study_id = NEW.id;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER lesions_in_order AFTER INSERT OR UPDATE ON imaging_measurement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_of_measurement();
CREATE CONSTRAINT TRIGGER lesions_in_order AFTER UPDATE ON imaging_lesion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_of_lesion();
CREATE CONSTRAINT TRIGGER lesions_in_order AFTER UPDATE ON imaging_study
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imaging_check_of_study();

-- The adjudicator's; else the first reader's, unless a second one differs; else the second's alone.
CREATE VIEW imaging_reading_in_force AS
SELECT r.id, r.study_id, r.reader_role, r.overall_response
FROM imaging_reading r
WHERE r.voided_at IS NULL AND r.status <> 'draft' AND (
    r.reader_role = 'adjudicator'
    OR (r.reader_role = 'first' AND NOT EXISTS (
        SELECT FROM imaging_reading o WHERE o.study_id = r.study_id AND o.voided_at IS NULL AND o.status <> 'draft'
            AND (o.reader_role = 'adjudicator'
                OR (o.reader_role = 'second' AND o.overall_response <> r.overall_response))))
    OR (r.reader_role = 'second' AND NOT EXISTS (
        SELECT FROM imaging_reading o WHERE o.study_id = r.study_id AND o.voided_at IS NULL AND o.status <> 'draft'
            AND o.reader_role IN ('adjudicator', 'first'))));
"""

# Before, a study had one reading, and every one of them counted: those that do not would begin to.
UNDO = """
UPDATE imaging_reading SET voided_at = now(), void_reason = 'It did not count: a draft, or one of two readers.'
WHERE voided_at IS NULL AND id NOT IN (SELECT id FROM imaging_reading_in_force);
SET CONSTRAINTS ALL IMMEDIATE;
DROP VIEW imaging_reading_in_force;
DROP TRIGGER lesions_in_order ON imaging_measurement;
DROP TRIGGER lesions_in_order ON imaging_lesion;
DROP TRIGGER lesions_in_order ON imaging_study;
DROP FUNCTION imaging_check_of_measurement();
DROP FUNCTION imaging_check_of_lesion();
DROP FUNCTION imaging_check_of_study();
DROP FUNCTION imaging_check_measurement(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("imaging", "0003_lesions")]
    operations = [migrations.RunSQL(CHECK, UNDO)]
