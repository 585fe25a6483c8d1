"""Laboratory values of many patients as they are read, with limits, grade and kidney function, in a few queries."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from patients.models import Patient
from treatments.models import Administration, LabAnalyte, LabResult, ReferenceRange
from treatments.selectors.laboratory import (
    Graded,
    KidneyFunction,
    Ranges,
    grade_results,
    kidney_functions,
)


@dataclass(frozen=True)
class Derived:
    """What follows from a result; ``kidney`` of a creatinine alone."""

    graded: Graded
    kidney: KidneyFunction | None


def derived_of(results: Sequence[LabResult]) -> dict[uuid.UUID, Derived]:
    """Return what follows from results of any patients, by their id; of voided ones nothing does. Three queries.

    Args:
        results: with their patient and its centre, best read along.
    """
    in_force = [result for result in results if result.voided_at is None]
    patients = {result.patient_id: result.patient for result in in_force}
    if not patients:
        return {}
    starts, weighed = _from_administrations(patients)
    rows = {result.pk: result for result in in_force}
    # What may be a baseline, and the weights that go with a creatinine.
    analytes = {result.analyte for result in in_force}
    if LabAnalyte.CREATININE in analytes:
        analytes.add(LabAnalyte.BODY_WEIGHT)
    for result in LabResult.objects.current().filter(patient__in=patients, analyte__in=analytes):
        rows.setdefault(result.pk, result)
    ranges = Ranges(
        ReferenceRange.objects.filter(
            centre__in={patient.centre_id for patient in patients.values()}, analyte__in=analytes
        )
    )
    of_patient: dict[uuid.UUID, list[LabResult]] = defaultdict(list)
    for row in sorted(rows.values(), key=lambda row: (row.taken_at, row.analyte)):
        row.patient = patients[row.patient_id]
        of_patient[row.patient_id].append(row)
    found: dict[uuid.UUID, Derived] = {}
    for patient_id, own in of_patient.items():
        patient = patients[patient_id]
        zone = patient.centre.zone
        weights = sorted(
            weighed[patient_id]
            + [
                (row.taken_at.astimezone(zone).date(), row.value)
                for row in own
                if row.analyte == LabAnalyte.BODY_WEIGHT
            ]
        )
        creatinines = [row.pk for row in own if row.analyte == LabAnalyte.CREATININE]
        kidneys = dict(zip(creatinines, kidney_functions(patient, own, weights), strict=True))
        for graded in grade_results(own, patient, ranges, sorted(starts[patient_id].values())):
            found[graded.result.pk] = Derived(graded, kidneys.get(graded.result.pk))
    return {result.pk: found[result.pk] for result in in_force}


def _from_administrations(
    patients: dict[uuid.UUID, Patient],
) -> tuple[dict[uuid.UUID, dict[uuid.UUID, date]], dict[uuid.UUID, list[tuple[date, Decimal]]]]:
    """Return, by patient, the local first day of each course, and the body weights with their local day. One query."""
    starts: dict[uuid.UUID, dict[uuid.UUID, date]] = defaultdict(dict)
    weighed: dict[uuid.UUID, list[tuple[date, Decimal]]] = defaultdict(list)
    given = Administration.objects.current().filter(
        cycle__voided_at=None, cycle__course__voided_at=None, cycle__course__patient__in=patients
    )
    for patient_id, course_id, at, kg in given.values_list(
        "cycle__course__patient_id", "cycle__course_id", "administered_at", "body_weight_kg"
    ):
        on = at.astimezone(patients[patient_id].centre.zone).date()
        starts[patient_id][course_id] = min(on, starts[patient_id].get(course_id, on))
        if kg is not None:
            weighed[patient_id].append((on, kg))
    return starts, weighed
