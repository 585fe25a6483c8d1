"""Nothing before birth, nothing after death: checks across the tables of this app, made at the end of each transaction."""

from django.db import migrations

CHECK = """
CREATE FUNCTION patients_check_dates(patient uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    born date; died date; first_fact date; last_fact date; diagnosed date;
BEGIN
    -- One check of a patient at a time: two desks that each store half of a contradiction must not both pass.
    PERFORM FROM patients_patient WHERE id = patient FOR NO KEY UPDATE;
    SELECT birth_date INTO born FROM patients_patient WHERE id = patient AND voided_at IS NULL;
    SELECT died_on INTO died FROM patients_death WHERE patient_id = patient AND voided_at IS NULL;
    SELECT diagnosed_on INTO diagnosed FROM patients_diagnosis WHERE patient_id = patient AND voided_at IS NULL;
    SELECT min(fact), max(fact) INTO first_fact, last_fact FROM (
        SELECT known_alive_on AS fact FROM patients_contact WHERE patient_id = patient AND voided_at IS NULL
        UNION ALL
        SELECT occurred_on FROM patients_diseaseevent WHERE patient_id = patient AND voided_at IS NULL
    ) AS facts;
    IF least(first_fact, died, diagnosed) < born THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'patients_nothing_before_birth',
            MESSAGE = format('The patient was born on %s: nothing can be recorded before that date.', born);
    END IF;
    IF greatest(last_fact, diagnosed) > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'patients_nothing_after_death',
            MESSAGE = format('The patient died on %s: a contact, event or diagnosis cannot be later.', died);
    END IF;
END $$;

CREATE FUNCTION patients_check_dates_of_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM patients_check_dates(NEW.id); RETURN NULL; END $$;
CREATE FUNCTION patients_check_dates_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM patients_check_dates(NEW.patient_id); RETURN NULL; END $$;

CREATE CONSTRAINT TRIGGER dates_in_order AFTER UPDATE ON patients_patient
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION patients_check_dates_of_patient();
"""

UNDO = """
DROP TRIGGER dates_in_order ON patients_patient;
"""

for table in ("patients_diagnosis", "patients_contact", "patients_diseaseevent", "patients_death"):
    CHECK += f"""
CREATE CONSTRAINT TRIGGER dates_in_order AFTER INSERT OR UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION patients_check_dates_of_row();
"""
    UNDO += f"DROP TRIGGER dates_in_order ON {table};\n"

UNDO += """
DROP FUNCTION patients_check_dates_of_patient();
DROP FUNCTION patients_check_dates_of_row();
DROP FUNCTION patients_check_dates(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_records")]
    operations = [migrations.RunSQL(CHECK, UNDO)]
