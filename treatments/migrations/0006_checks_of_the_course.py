"""What must hold between holds, doses, laboratory values and the rest, checked at the end of each transaction.

A cycle that was left out by itself may lie before one that was given.
"""

from importlib import import_module

from django.db import migrations

_FIRST = import_module("treatments.migrations.0002_course_in_order").CHECK
BEFORE = _FIRST[: _FIRST.index("CREATE FUNCTION treatments_check_course_of_course()")].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
_CHANGES = (
    ("y.status <> 'given' AND EXISTS (", "y.status NOT IN ('given', 'cancelled') AND EXISTS ("),
    (
        "    IF stopped IS NOT NULL AND given >= planned THEN",
        """    SELECT count(*) INTO cycles FROM treatments_cycle y
    WHERE y.course_id = checked_course AND y.voided_at IS NULL AND y.status = 'cancelled' AND EXISTS (
        SELECT FROM treatments_cycle g WHERE g.course_id = checked_course AND g.voided_at IS NULL
        AND g.status = 'given' AND g.number > y.number);
    IF stopped IS NOT NULL AND given + cycles >= planned THEN""",
    ),
    (
        "END $$;",
        """    SELECT min(number) INTO wrong FROM treatments_cycle
    WHERE course_id = checked_course AND voided_at IS NULL AND status IN ('planned', 'held');
    IF stopped IS NOT NULL AND wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_discontinued_without_open_cycles',
            MESSAGE = format('The course was discontinued on %s: cycle %s cannot still be to come.', stopped, wrong);
    END IF;
    SELECT min(y.number) INTO wrong FROM treatments_cycle y
    JOIN treatments_hold h ON h.cycle_id = y.id AND h.voided_at IS NULL AND h.resumed_on IS NULL
    WHERE y.course_id = checked_course AND y.voided_at IS NULL AND y.status NOT IN ('held', 'cancelled');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_hold_of_held_cycle',
            MESSAGE = format('Cycle %s has an open hold: it cannot be planned or given before the hold ends.', wrong);
    END IF;
    SELECT min(y.number) INTO wrong FROM treatments_cycle y
    JOIN treatments_absorbeddose d ON d.cycle_id = y.id AND d.voided_at IS NULL
    WHERE y.course_id = checked_course AND y.voided_at IS NULL AND y.status <> 'given';
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_absorbed_dose_of_given_cycle',
            MESSAGE = format('Cycle %s was not given: it has no absorbed dose.', wrong);
    END IF;
    SELECT min(o.number) INTO wrong FROM treatments_course c
    JOIN treatments_course o ON o.patient_id = c.patient_id AND o.number <> c.number AND o.voided_at IS NULL
    JOIN treatments_cycle y ON y.course_id = o.id AND y.voided_at IS NULL
    JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
    WHERE c.id = checked_course
        AND CASE WHEN o.number < c.number THEN (a.administered_at AT TIME ZONE zone)::date >= first_given
            ELSE (a.administered_at AT TIME ZONE zone)::date <= last_given END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_courses_in_order',
            MESSAGE = format('Cycles of two courses overlap in time: course %s was given then too.', wrong);
    END IF;
END $$;""",
    ),
)
AFTER = BEFORE
for _old, _new in _CHANGES:
    assert AFTER.count(_old) == 1, _old
    AFTER = AFTER.replace(_old, _new)

# Table, column, and whether it holds a moment or a day, of what is dated and belongs to a patient.
DATED = (
    ("treatments_labresult", "taken_at", "moment", "laboratory value"),
    ("treatments_adverseevent", "onset_on", "day", "adverse event"),
    ("treatments_somatostatinanaloguedose", "given_at", "moment", "somatostatin analogue"),
    ("treatments_priorprrt", "last_given_on", "day", "earlier therapy"),
)


def _on(kind: str, value: str) -> str:
    return f"({value} AT TIME ZONE zone)::date" if kind == "moment" else value


FACTS = """
CREATE FUNCTION treatments_check_fact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    happened date; born date; died date; zone text;
BEGIN
    IF NEW.voided_at IS NOT NULL THEN RETURN NULL; END IF;
    PERFORM FROM patients_patient WHERE id = NEW.patient_id FOR NO KEY UPDATE;
    SELECT x.birth_date, z.time_zone, d.died_on INTO born, zone, died FROM patients_patient x
    JOIN accounts_centre z ON z.id = x.centre_id
    LEFT JOIN patients_death d ON d.patient_id = x.id AND d.voided_at IS NULL
    WHERE x.id = NEW.patient_id;
    IF TG_ARGV[1] = 'moment' THEN
        happened := ((to_jsonb(NEW) ->> TG_ARGV[0])::timestamptz AT TIME ZONE zone)::date;
    ELSE
        happened := (to_jsonb(NEW) ->> TG_ARGV[0])::date;
    END IF;
    IF happened < born THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_before_birth',
            MESSAGE = format('The patient was born on %s: the %s of %s cannot be earlier.', born, TG_ARGV[2], happened);
    END IF;
    IF happened > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_after_death',
            MESSAGE = format('The patient died on %s: the %s of %s cannot be later.', died, TG_ARGV[2], happened);
    END IF;
    RETURN NULL;
END $$;
"""
FACTS += """
CREATE FUNCTION treatments_check_facts_of(checked_patient uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date; last date; what text; born date; died date; zone text;
BEGIN
    SELECT x.birth_date, z.time_zone, d.died_on INTO born, zone, died FROM patients_patient x
    JOIN accounts_centre z ON z.id = x.centre_id
    LEFT JOIN patients_death d ON d.patient_id = x.id AND d.voided_at IS NULL
    WHERE x.id = checked_patient;
"""
for _table, _column, _kind, _words in DATED:
    FACTS += f"""
    SELECT min({_on(_kind, _column)}), max({_on(_kind, _column)}) INTO first, last FROM {_table}
    WHERE patient_id = checked_patient AND voided_at IS NULL;
    IF first < born THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_before_birth',
            MESSAGE = format('There is the {_words} of %s: the patient cannot be born on %s.', first, born);
    END IF;
    IF last > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'treatments_nothing_after_death',
            MESSAGE = format('There is the {_words} of %s: the patient cannot have died on %s.', last, died);
    END IF;
"""
FACTS += """
END $$;
CREATE FUNCTION treatments_check_facts_of_death() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM treatments_check_facts_of(NEW.patient_id); RETURN NULL; END $$;
CREATE FUNCTION treatments_check_facts_of_patient() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM treatments_check_facts_of(NEW.id); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER facts_in_life AFTER INSERT OR UPDATE ON patients_death
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_facts_of_death();
CREATE CONSTRAINT TRIGGER facts_in_life AFTER UPDATE ON patients_patient
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_facts_of_patient();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_hold
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_administration();
CREATE CONSTRAINT TRIGGER course_in_order AFTER INSERT OR UPDATE ON treatments_absorbeddose
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treatments_check_course_of_administration();
"""
for _table, _column, _kind, _words in DATED:
    FACTS += f"""
CREATE CONSTRAINT TRIGGER fact_in_life AFTER INSERT OR UPDATE ON {_table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION treatments_check_fact('{_column}', '{_kind}', '{_words}');
"""

PLAN = (
    "code", "version", "radiopharmaceutical", "physical_half_life_days", "planned_cycles", "interval_days",
    "window_days", "prescribed_activity_mbq", "imaging_after_cycles", "imaging_due_days",
)  # fmt: skip
ADDED = (
    "max_delay_days", "reduced_activity_mbq", "cumulative_limit_mbq", "labs_before_cycle", "labs_within_days",
    "baseline_imaging_within_days", "imaging_after_completion_days", "ctcae_version", "dose_rules", "kidney_limit_gy",
    "marrow_limit_gy", "dose_limits_source",
)  # fmt: skip


def _plan_stays(columns: tuple[str, ...]) -> str:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"""
DROP TRIGGER plan_stays ON treatments_protocol;
CREATE CONSTRAINT TRIGGER plan_stays AFTER UPDATE OF {", ".join(columns)}
    ON treatments_protocol DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION treatments_keep_protocol();
"""


PROTOCOL = """
ALTER TABLE treatments_protocol ADD CONSTRAINT treatments_protocol_imaging_after_its_cycles
    CHECK (array_position(imaging_after_cycles, NULL) IS NULL AND planned_cycles >= ALL (imaging_after_cycles)
        AND 0 < ALL (imaging_after_cycles));
"""

UNDO = """
ALTER TABLE treatments_protocol DROP CONSTRAINT treatments_protocol_imaging_after_its_cycles;
DROP TRIGGER facts_in_life ON patients_death;
DROP TRIGGER facts_in_life ON patients_patient;
DROP TRIGGER course_in_order ON treatments_hold;
DROP TRIGGER course_in_order ON treatments_absorbeddose;
"""
for _table, *_rest in DATED:
    UNDO += f"DROP TRIGGER fact_in_life ON {_table};\n"
UNDO += """
DROP FUNCTION treatments_check_facts_of_death();
DROP FUNCTION treatments_check_facts_of_patient();
DROP FUNCTION treatments_check_facts_of(uuid);
DROP FUNCTION treatments_check_fact();
"""


class Migration(migrations.Migration):
    dependencies = [("treatments", "0005_shipped_protocols")]
    operations = [
        migrations.RunSQL(AFTER, BEFORE),
        migrations.RunSQL(FACTS + PROTOCOL + _plan_stays(PLAN + ADDED), _plan_stays(PLAN) + UNDO),
    ]
