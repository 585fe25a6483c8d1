"""Performance status and prior therapy lie within the patient's life too."""

from importlib import import_module

from django.db import migrations

_FIRST = import_module("patients.migrations.0002_dates_in_order").CHECK
BEFORE = _FIRST[: _FIRST.index("CREATE FUNCTION patients_check_dates_of_patient()")].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)
_CHANGES = (
    ("diagnosed date;", "diagnosed date; first_found date; last_found date;"),
    (
        "    IF least(first_fact, died, diagnosed) < born THEN",
        """    SELECT min(finding), max(finding) INTO first_found, last_found FROM (
        SELECT assessed_on AS finding FROM patients_performancestatus WHERE patient_id = patient AND voided_at IS NULL
        UNION ALL
        SELECT unnest(ARRAY[started_on, ended_on]) FROM patients_priortherapy
        WHERE patient_id = patient AND voided_at IS NULL
    ) AS findings;
    IF least(first_fact, died, diagnosed, first_found) < born THEN""",
    ),
    (
        "END $$;",
        """    IF last_found > died THEN
        RAISE EXCEPTION USING ERRCODE = '23514', CONSTRAINT = 'patients_nothing_after_death',
            MESSAGE = format('The patient died on %s: a performance status or prior therapy cannot be later.', died);
    END IF;
END $$;""",
    ),
)
AFTER = BEFORE
for _old, _new in _CHANGES:
    assert AFTER.count(_old) == 1, _old
    AFTER = AFTER.replace(_old, _new)

for table in ("patients_performancestatus", "patients_priortherapy"):
    AFTER += f"""
CREATE CONSTRAINT TRIGGER dates_in_order AFTER INSERT OR UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION patients_check_dates_of_row();
"""
    BEFORE += f"DROP TRIGGER dates_in_order ON {table};\n"


class Migration(migrations.Migration):
    dependencies = [("patients", "0004_performance_and_prior_therapy")]
    operations = [migrations.RunSQL(AFTER, BEFORE)]
