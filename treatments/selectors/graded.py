"""Laboratory values of many patients as they are read, with limits, grade and kidney function, in a few queries."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from treatments.models import LabAnalyte, LabResult, ReferenceRange
from treatments.selectors.laboratory import (
    Graded,
    KidneyFunction,
    Ranges,
    all_weights,
    from_administrations,
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
    starts, weighed = from_administrations(patients)
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
        weights = all_weights(patient, own, weighed.get(patient_id, []))
        creatinines = [row.pk for row in own if row.analyte == LabAnalyte.CREATININE]
        kidneys = dict(zip(creatinines, kidney_functions(patient, own, weights), strict=True))
        for graded in grade_results(own, patient, ranges, starts.get(patient_id, [])):
            found[graded.result.pk] = Derived(graded, kidneys.get(graded.result.pk))
    return {result.pk: found[result.pk] for result in in_force}
