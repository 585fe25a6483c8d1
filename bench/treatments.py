"""What a clinic's week costs: planning and advice of a course, the worklist of a centre, grading a million values."""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Centre, User
from bench.__main__ import milliseconds
from clinic.selectors import worklist
from treatments.models import Protocol
from treatments.rules.advice import ClearanceFact, DoseRules, EventFact, GivenCycle, LabFact, advise
from treatments.rules.ctcae import grade_all, scale_of
from treatments.rules.schedule import HoldFact, plan_cycles, plan_imaging

NOT_NOTED = ("", "", "", "", "{}", "")  # from amino_acid_regimen to confirmation_reason
LAB_FACTS = 200
VALUES = 1_000_000


@dataclass
class Measured:
    plan_ms: list[float]
    advice_ms: list[float]
    courses: int
    worklist_ms: list[float]
    worklist_queries: int
    page_ms: list[float]
    page_queries: int
    graded_ms: list[float]
    case_ms: list[float]


def measure(*, courses: int, repeats: int) -> Measured:
    load(courses)
    now = timezone.now()
    user = User.objects.get(username="bench")
    with CaptureQueriesContext(connection) as captured:
        worklist.worklist(user, now)
    queries = len(captured)
    worklist_ms = milliseconds(lambda: worklist.worklist(user, now), repeats=5 * repeats)
    client = Client()
    client.force_login(user)
    with CaptureQueriesContext(connection) as captured:
        assert client.get("/").status_code == 200
    page_queries = len(captured)
    page_ms = milliseconds(lambda: client.get("/"), repeats=5 * repeats)
    graded_ms, case_ms = grading(repeats=repeats)
    return Measured(
        plan_ms=milliseconds(_plan, repeats=200),
        advice_ms=milliseconds(_advise, repeats=200),
        courses=courses,
        worklist_ms=worklist_ms,
        worklist_queries=queries,
        page_ms=page_ms,
        page_queries=page_queries,
        graded_ms=graded_ms,
        case_ms=case_ms,
    )


# One course


GIVEN = {1: date(2026, 1, 12), 2: date(2026, 3, 23), 3: date(2026, 5, 18)}


def _plan() -> None:
    plan = plan_cycles(
        numbers=range(1, 5),
        given_on=GIVEN,
        interval_days=56,
        holds={4: [HoldFact(date(2026, 7, 10), date(2026, 7, 27), is_open=True)]},
    )
    dates: dict[int, date | None] = {**GIVEN, 4: plan[4].planned_on}
    plan_imaging(cycle_dates=dates, given=GIVEN, after_cycles=[2, 4], due_days=56, baseline_within_days=90)


def _facts() -> tuple[list[LabFact], list[ClearanceFact], list[EventFact]]:
    chance = random.Random(3)  # noqa: S311 - a load
    analytes = (
        "platelets",
        "haemoglobin",
        "neutrophils",
        "lymphocytes",
        "leucocytes",
        "alt",
        "ast",
        "bilirubin",
    )
    labs = [
        LabFact(
            analytes[index % len(analytes)],
            date(2026, 1, 1) + timedelta(days=index),
            Decimal(chance.randrange(50, 300)),
            chance.choice([0, 0, 0, 1, 2]),
            Decimal(40),
        )
        for index in range(LAB_FACTS)
    ]
    clearances = [ClearanceFact(lab.on, Decimal(chance.randrange(45, 110))) for lab in labs[::8]]
    events = [EventFact("Nausea", 2, on, on + timedelta(days=4)) for on in GIVEN.values()]
    return labs, clearances, events


_LABS, _CLEARANCES, _EVENTS = _facts()


def _advise() -> None:
    advise(
        rules=DoseRules(),
        full_activity_mbq=Decimal(7400),
        reduced_activity_mbq=Decimal(3700),
        max_delay_days=112,
        next_cycle=4,
        protocol_on=date(2026, 7, 13),
        given=[GivenCycle(number, on, Decimal(7400)) for number, on in GIVEN.items()],
        labs=_LABS,
        clearances=_CLEARANCES,
        events=_EVENTS,
        missing=[],
        today=date(2026, 7, 20),
    )


# A centre's worklist


def load(courses: int, *, seed: int = 11) -> None:
    """Replace all patients by ones whose course is running around today: in window, overdue, on hold, upcoming."""
    chance = random.Random(seed)  # noqa: S311 - a load
    centre = Centre.objects.get(code="BEN")
    protocol = Protocol.objects.get(code="177lu-dotatate-4x7400-q8w", version=1)
    today = timezone.now().date()
    rows: dict[str, list[tuple]] = {table: [] for table in _COLUMNS}
    for index in range(1, courses + 1):
        patient, course = (uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(2))
        n_given = chance.randrange(0, 4)
        next_on = today + timedelta(days=chance.randrange(-40, 50))
        rows["patients_patient"].append(
            (patient, centre.pk, f"BEN-{index:07d}", "female", date(1957, 3, 2), 1, "")
        )
        rows["treatments_course"].append((course, patient, 1, protocol.pk, "initial", 1, ""))
        rows["imaging_study"].append(
            (
                uuid.uuid4(),
                patient,
                1,
                "baseline",
                "pet_ct",
                next_on - timedelta(days=56 * n_given + 14),
                "",
                1,
                "",
            )
        )
        for number in range(1, 5):
            on = next_on + timedelta(days=56 * (number - 1 - n_given))
            cycle = uuid.UUID(int=chance.getrandbits(128), version=4)
            is_held = number == n_given + 1 and chance.random() < 0.05
            status = "given" if number <= n_given else "held" if is_held else "planned"
            rows["treatments_cycle"].append((cycle, course, number, on, status, "", "", 1, ""))
            if status == "given":
                at = datetime(on.year, on.month, on.day, 9, tzinfo=UTC)
                rows["treatments_administration"].append(
                    (uuid.uuid4(), cycle, at, 7400, 7390, "", "", *NOT_NOTED, 1, "")
                )
            if is_held:
                rows["treatments_hold"].append(
                    (uuid.uuid4(), cycle, today - timedelta(days=9), "haematological", "", 1, "")
                )
        for analyte in protocol.labs_before_cycle if chance.random() < 0.8 else ():
            at = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(
                days=chance.randrange(1, 20)
            )
            rows["treatments_labresult"].append(
                (uuid.uuid4(), patient, analyte, at, 100, "", "", False, "", 1, "")
            )
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE patients_patient, analytics_stalecourse, analytics_staleresult CASCADE")
        for table, waiting in rows.items():
            with cursor.copy(f"COPY {table} ({_COLUMNS[table]}) FROM STDIN") as copy:
                for row in waiting:
                    copy.write_row(row)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


_COLUMNS = {
    "patients_patient": "id, centre_id, registry_number, sex, birth_date, version, void_reason",
    "treatments_course": "id, patient_id, number, protocol_id, intent, version, void_reason",
    "imaging_study": "id, patient_id, course_number, timepoint, modality, performed_on, tracer, version, void_reason",
    "treatments_cycle": "id, course_id, number, planned_on, status, note, cancel_reason, version, void_reason",
    "treatments_administration": "id, cycle_id, administered_at, prescribed_activity_mbq, administered_activity_mbq,"
    " lot, deviation_explanation, amino_acid_regimen, antiemetic, venous_access, staff, confirmed_warnings,"
    " confirmation_reason, version, void_reason",
    "treatments_hold": "id, cycle_id, held_on, reason, note, version, void_reason",
    "treatments_labresult": "id, patient_id, analyte, taken_at, value, original_value, original_unit,"
    " is_unlikely_confirmed, note, version, void_reason",
}


# Grading


_CASE = """
SELECT count(*), sum(grade) FROM (
    SELECT CASE WHEN value < 25 THEN 4 WHEN value < 50 THEN 3 WHEN value < 75 THEN 2 WHEN value < 150 THEN 1
        ELSE 0 END AS grade
    FROM bench_values) AS graded
"""


def grading(*, repeats: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of grading a million platelet counts: by the rule in Python, and by one CASE in SQL."""
    scale = scale_of("platelets", lower_limit=Decimal(150))
    assert scale is not None
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_values")
        cursor.execute("CREATE TEMPORARY TABLE bench_values (value numeric(11, 4))")
        cursor.execute(
            "INSERT INTO bench_values SELECT round((random() * 400)::numeric, 1) FROM generate_series(1, %s)",
            [VALUES],
        )
        cursor.execute("ANALYZE bench_values")
        cursor.execute("SELECT value FROM bench_values")
        values = [value for (value,) in cursor.fetchall()]
        cursor.execute(_CASE)
        assert cursor.fetchone() == (VALUES, sum(grade or 0 for grade in grade_all(values, scale)))
        case_ms = milliseconds(lambda: cursor.execute(_CASE), repeats=repeats)
        graded_ms = milliseconds(lambda: grade_all(values, scale), repeats=repeats)
        cursor.execute("DROP TABLE bench_values")
    return graded_ms, case_ms
