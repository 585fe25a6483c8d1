"""Synthetic patients by the hundred thousand, written with COPY: a load to measure on, not a cohort to publish."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import Centre
from analytics import freshness
from analytics.models import Cohort
from treatments.models import Protocol

FIRST_DAY = date(2012, 1, 2)
LAST_DAY = date(2026, 6, 30)

NOT_NOTED = ("", "", "", "", "{}", "")  # from amino_acid_regimen to confirmation_reason
COLUMNS = {
    "patients_patient": "id, centre_id, registry_number, sex, birth_date, version, void_reason",
    "patients_diagnosis": "id, patient_id, tumour_type, primary_site, who_grade, functional_syndrome, stage,"
    " metastatic_sites, version, void_reason",
    "treatments_course": "id, patient_id, number, protocol_id, intent, version, void_reason",
    "treatments_cycle": "id, course_id, number, planned_on, status, note, cancel_reason, version, void_reason",
    "treatments_administration": "id, cycle_id, administered_at, prescribed_activity_mbq,"
    " administered_activity_mbq, lot, deviation_explanation, amino_acid_regimen, antiemetic, venous_access, staff,"
    " confirmed_warnings, confirmation_reason, version, void_reason",
    "imaging_study": "id, patient_id, course_number, timepoint, modality, performed_on, tracer, version, void_reason",
    "imaging_reading": "id, study_id, overall_response, new_lesions, note, version, void_reason",
    "patients_contact": "id, patient_id, known_alive_on, source, note, version, void_reason",
    "patients_death": "id, patient_id, died_on, cause, note, version, void_reason",
}


def load(n: int, *, seed: int = 2020) -> None:
    """Replace all patients by ``n`` synthetic ones with their courses, cycles, readings, contacts and deaths.

    Triggers are off while they are copied: what is measured afterwards begins with every course marked as stale.
    """
    centre, _ = Centre.objects.get_or_create(
        code="BEN", defaults={"name": "Bench", "time_zone": "Europe/Berlin"}
    )
    protocol = Protocol.objects.get(code="177lu-dotatate-4x7400-q8w", version=1)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE patients_patient, analytics_stalecourse, analytics_staleresult CASCADE")
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
        for index, facts in enumerate(_patients(n, random.Random(seed), centre.pk, protocol.pk), start=1):  # noqa: S311
            for table, row in facts:
                rows[table].append(row)
            if index % 20_000 == 0 or index == n:
                for table, waiting in rows.items():
                    with cursor.copy(f"COPY {table} ({COLUMNS[table]}) FROM STDIN") as copy:
                        for row in waiting:
                            copy.write_row(row)
                    waiting.clear()
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("ANALYZE")
    Cohort.objects.update(tallied_by="")
    freshness.mark_everything()


def _patients(
    n: int, chance: random.Random, centre_id: uuid.UUID, protocol_id: int
) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    def new_id() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    for index in range(1, n + 1):
        patient, course = new_id(), new_id()
        start = FIRST_DAY + timedelta(days=chance.randrange((LAST_DAY - FIRST_DAY).days - 400))
        last = min(LAST_DAY, start + timedelta(days=chance.randrange(30, 2400)))
        facts: list[tuple[str, tuple[Any, ...]]] = [
            (
                "patients_patient",
                (patient, centre_id, f"BEN-{index:07d}", chance.choice(["male", "female"]),
                 date(1930 + chance.randrange(55), 1 + chance.randrange(12), 1 + chance.randrange(28)), 1, ""),
            ),
            (
                "patients_diagnosis",
                (new_id(), patient, "net", chance.choice(["pancreas", "small_intestine", "unknown"]), "g2",
                 "unknown", "", [], 1, ""),
            ),
            ("treatments_course", (course, patient, 1, protocol_id, "initial", 1, "")),
            ("imaging_study", (new_id(), patient, 1, "baseline", "pet_ct", start - timedelta(days=14), "", 1, "")),
        ]  # fmt: skip
        for number in range(1, 5):
            on = start + timedelta(days=56 * (number - 1))
            cycle, given = new_id(), on <= last
            status = "given" if given else "planned"
            facts.append(("treatments_cycle", (cycle, course, number, on, status, "", "", 1, "")))
            if given:
                at = datetime(on.year, on.month, on.day, 9, tzinfo=UTC)
                given_row = (new_id(), cycle, at, 7400, 7390, "", "", *NOT_NOTED, 1, "")
                facts.append(("treatments_administration", given_row))
        on = start + timedelta(days=112)
        while on <= last:
            study = new_id()
            response = chance.choices(["PR", "SD", "PD", "NE"], [20, 60, 12, 8])[0]
            facts.append(("imaging_study", (study, patient, 1, "follow_up", "pet_ct", on, "", 1, "")))
            facts.append(("imaging_reading", (new_id(), study, response, False, "", 1, "")))
            if response == "PD":
                break
            on += timedelta(days=chance.randrange(84, 180))
        facts.append(("patients_contact", (new_id(), patient, last, "visit", "", 1, "")))
        if chance.random() < 0.35:
            died = last + timedelta(days=chance.randrange(0, 200))
            facts.append(("patients_death", (new_id(), patient, died, "disease", "", 1, "")))
        yield facts
