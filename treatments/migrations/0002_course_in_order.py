"""What must hold of a course as a whole, checked at the end of each transaction that touches it."""

from django.db import migrations

CHECK = """
CREATE FUNCTION treatments_check_course(checked_course uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    patient uuid; planned integer; cycles integer; born date; died date; zone text; wrong integer;
    first_given date; last_given date; given integer; stopped date; stopped_after integer;
BEGIN
    SELECT c.patient_id, p.planned_cycles, x.birth_date, z.time_zone INTO patient, planned, born, zone
    FROM treatments_course c
    JOIN treatments_protocol p ON p.id = c.protocol_id
    JOIN patients_patient x ON x.id = c.patient_id
    JOIN accounts_centre z ON z.id = x.centre_id
    WHERE c.id = checked_course AND c.voided_at IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    -- One check of a patient at a time: two desks that each store half of a contradiction must not both pass.
    PERFORM FROM patients_patient WHERE id = patient FOR NO KEY UPDATE;

    SELECT count(*), max(number) INTO cycles, wrong FROM treatments_cycle
    WHERE course_id = checked_course AND voided_at IS NULL;
    IF wrong > cycles THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycle_numbers_without_gap',
            MESSAGE = format('Cycles are numbered 1 to n without a gap: %s cycles cannot reach number %s.', cycles, wrong);
    END IF;
    IF wrong > planned THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycle_within_protocol',
            MESSAGE = format('Cycle %s is beyond the %s cycles of the protocol.', wrong, planned);
    END IF;

    SELECT min(y.number) INTO wrong FROM treatments_cycle y
    LEFT JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
    WHERE y.course_id = checked_course AND y.voided_at IS NULL AND (y.status = 'given') <> (a.id IS NOT NULL);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycle_given_has_administration',
            MESSAGE = format('Cycle %s: a given cycle needs its administration, and only a given one has it.', wrong);
    END IF;

    SELECT min(y.number) INTO wrong FROM treatments_cycle y
    JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
    WHERE y.course_id = checked_course AND y.voided_at IS NOT NULL;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycle_voided_without_administration',
            MESSAGE = format('Cycle %s has been given: void its administration first.', wrong);
    END IF;

    SELECT min(y.number) INTO wrong FROM treatments_cycle y
    WHERE y.course_id = checked_course AND y.voided_at IS NULL AND y.status <> 'given' AND EXISTS (
        SELECT FROM treatments_cycle g WHERE g.course_id = checked_course AND g.voided_at IS NULL
        AND g.status = 'given' AND g.number > y.number);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycles_given_in_turn',
            MESSAGE = format('Cycle %s has not been given: a later cycle cannot have been.', wrong);
    END IF;

    SELECT min(number) INTO wrong FROM (
        SELECT y.number, (a.administered_at AT TIME ZONE zone)::date AS given_on,
            lag((a.administered_at AT TIME ZONE zone)::date) OVER (ORDER BY y.number) AS before
        FROM treatments_cycle y
        JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE y.course_id = checked_course AND y.voided_at IS NULL
    ) AS given_cycles WHERE given_on <= before;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_cycles_in_order',
            MESSAGE = format('Cycle %s cannot have been given on or before the day of an earlier cycle.', wrong);
    END IF;

    SELECT min((a.administered_at AT TIME ZONE zone)::date), max((a.administered_at AT TIME ZONE zone)::date), count(*)
    INTO first_given, last_given, given
    FROM treatments_cycle y
    JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
    WHERE y.course_id = checked_course AND y.voided_at IS NULL;
    SELECT discontinued_on, after_cycle INTO stopped, stopped_after
    FROM treatments_discontinuation WHERE course_id = checked_course AND voided_at IS NULL;
    SELECT died_on INTO died FROM patients_death WHERE patient_id = patient AND voided_at IS NULL;

    IF least(first_given, stopped) < born THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_before_birth',
            MESSAGE = format('The patient was born on %s: a treatment cannot be earlier.', born);
    END IF;
    IF last_given > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_after_death',
            MESSAGE = format('The patient died on %s: cycle given on %s cannot be later.', died, last_given);
    END IF;
    IF stopped > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_after_death',
            MESSAGE = format('The patient died on %s: the course cannot be discontinued later.', died);
    END IF;
    IF stopped < last_given THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_given_after_discontinuation',
            MESSAGE = format('The course was discontinued on %s: a cycle given on %s contradicts it.', stopped, last_given);
    END IF;
    IF stopped IS NOT NULL AND given >= planned THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_discontinuation_before_completion',
            MESSAGE = format('All %s cycles were given: the course is completed and cannot be discontinued.', planned);
    END IF;
    IF stopped_after <> given THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_discontinuation_after_given_cycles',
            MESSAGE = format('Discontinued after cycle %s, but %s cycles were given.', stopped_after, given);
    END IF;
END $$;

CREATE FUNCTION treatments_check_course_of_course() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    courses integer; last integer;
BEGIN
    PERFORM FROM patients_patient WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    SELECT count(*), max(number) INTO courses, last FROM treatments_course
    WHERE patient_id = NEW.patient_id AND voided_at IS NULL;
    IF last > courses THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_course_numbers_without_gap',
            MESSAGE = format('Courses are numbered 1 to n without a gap: %s courses cannot reach number %s.', courses, last);
    END IF;
    PERFORM treatments_check_course(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION treatments_keep_protocol() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM treatments_course WHERE protocol_id = NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_protocol_in_use',
            MESSAGE = 'Courses follow this version of the protocol: make a new version instead of changing its plan.';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION treatments_check_course_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM treatments_check_course(NEW.course_id); RETURN NULL; END $$;
CREATE FUNCTION treatments_check_course_of_administration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM treatments_check_course(course_id) FROM treatments_cycle WHERE id = NEW.cycle_id;
    RETURN NULL;
END $$;
CREATE FUNCTION treatments_check_courses_of_death() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM treatments_check_course(id) FROM treatments_course WHERE patient_id = NEW.patient_id;
    RETURN NULL;
END $$;
CREATE FUNCTION treatments_check_courses_of_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM treatments_check_course(id) FROM treatments_course WHERE patient_id = NEW.id;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER plan_stays AFTER UPDATE OF code, version, radiopharmaceutical, physical_half_life_days,
        planned_cycles, interval_days, window_days, prescribed_activity_mbq, imaging_after_cycles, imaging_due_days
    ON treatments_protocol
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.code, OLD.version, OLD.radiopharmaceutical, OLD.physical_half_life_days, OLD.planned_cycles,
           OLD.interval_days, OLD.window_days, OLD.prescribed_activity_mbq, OLD.imaging_after_cycles,
           OLD.imaging_due_days)
        IS DISTINCT FROM
          (NEW.code, NEW.version, NEW.radiopharmaceutical, NEW.physical_half_life_days, NEW.planned_cycles,
           NEW.interval_days, NEW.window_days, NEW.prescribed_activity_mbq, NEW.imaging_after_cycles,
           NEW.imaging_due_days))
    EXECUTE FUNCTION treatments_keep_protocol();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_course
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_course();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_cycle
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_row();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_discontinuation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_row();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_administration
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_administration();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON patients_death
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_courses_of_death();
CREATE CONSTRAINT TRIGGER course_in_order AFTER UPDATE ON patients_patient
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_courses_of_patient();
"""

UNDO = """
DROP TRIGGER plan_stays ON treatments_protocol;
DROP FUNCTION treatments_keep_protocol();
DROP TRIGGER course_in_order ON treatments_course;
DROP TRIGGER course_in_order ON treatments_cycle;
DROP TRIGGER course_in_order ON treatments_discontinuation;
DROP TRIGGER course_in_order ON treatments_administration;
DROP TRIGGER course_in_order ON patients_death;
DROP TRIGGER course_in_order ON patients_patient;
DROP FUNCTION treatments_check_course_of_course();
DROP FUNCTION treatments_check_course_of_row();
DROP FUNCTION treatments_check_course_of_administration();
DROP FUNCTION treatments_check_courses_of_death();
DROP FUNCTION treatments_check_courses_of_patient();
DROP FUNCTION treatments_check_course(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("treatments", "0001_records"), ("patients", "0002_dates_in_order")]
    operations = [migrations.RunSQL(CHECK, UNDO)]
