"""Laboratory values with the limits that hold for them, their grades, and the kidney function of each creatinine."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext

from patients.models import Patient, Sex
from treatments.models import Administration, LabAnalyte, LabResult, ReferenceRange
from treatments.rules import ctcae
from treatments.rules.renal import ckd_epi_2021_ml_min_1_73m2, cockcroft_gault_ml_min

# A weight may be this much older than the creatinine it is used with, or younger where there is no older one.
WEIGHT_DAYS_BEFORE, WEIGHT_DAYS_AFTER = 180, 28


@dataclass(frozen=True)
class Limits:
    """Lower and upper limit of normal, in the unit of the analyte; None: there is none."""

    lower: Decimal | None = None
    upper: Decimal | None = None
    source: str = ""  # "result" or "centre"; blank where neither is known


class Ranges:
    """The reference ranges of centres, looked up without a query."""

    def __init__(self, ranges: Iterable[ReferenceRange]) -> None:
        self._of: dict[tuple[uuid.UUID, str, str], list[ReferenceRange]] = defaultdict(list)
        for one in sorted(ranges, key=lambda one: one.valid_from):
            self._of[one.centre_id, one.analyte, one.sex].append(one)

    @classmethod
    def of_centre(cls, centre_id: uuid.UUID) -> "Ranges":
        return cls(ReferenceRange.objects.filter(centre=centre_id))

    def at(self, *, centre_id: uuid.UUID, analyte: str, sex: str, on: date) -> Limits:
        """Return the limits in force on a day: the last begun, those of the patient's sex before those of everybody."""
        for key in (sex, ""):
            in_force = [
                one
                for one in self._of[centre_id, analyte, key]
                if one.valid_from <= on and (one.valid_to is None or on <= one.valid_to)
            ]
            if in_force:
                return Limits(in_force[-1].lower_limit, in_force[-1].upper_limit, "centre")
        return Limits()


def limits_of(result: LabResult, on: date, patient: Patient, ranges: Ranges) -> Limits:
    """Return a result's own limits where it brings any, else those of the centre."""
    if result.lower_limit is not None or result.upper_limit is not None:
        return Limits(result.lower_limit, result.upper_limit, "result")
    return ranges.at(centre_id=patient.centre_id, analyte=result.analyte, sex=patient.sex, on=on)


@dataclass(frozen=True)
class Graded:
    """A result as it is read.

    Attributes:
        on: the centre's local date of the sample.
        grade: by CTCAE; None where the analyte has no term, or where it cannot be told: ``reason`` says why.
        baseline: the last value up to the day on which the course began; None before any course.
    """

    result: LabResult
    on: date
    limits: Limits
    grade: int | None
    reason: str
    baseline: Decimal | None

    @property
    def is_below(self) -> bool:
        return self.limits.lower is not None and self.result.value < self.limits.lower

    @property
    def is_above(self) -> bool:
        return self.limits.upper is not None and self.result.value > self.limits.upper


def from_administrations(
    patients: Mapping[uuid.UUID, Patient],
) -> tuple[dict[uuid.UUID, list[date]], dict[uuid.UUID, list[tuple[date, Decimal]]]]:
    """Return, by patient, the local first day of each course and the body weights with their local day. One query.

    Args:
        patients: by their id, with their centre best read along.

    Returns:
        Days ascending; weights in kg, in no order. A patient without any is in neither.
    """
    first: dict[uuid.UUID, dict[uuid.UUID, date]] = defaultdict(dict)
    weighed: dict[uuid.UUID, list[tuple[date, Decimal]]] = defaultdict(list)
    given = Administration.objects.current().filter(
        cycle__voided_at=None, cycle__course__voided_at=None, cycle__course__patient__in=patients
    )
    for patient_id, course_id, at, kg in given.values_list(
        "cycle__course__patient_id", "cycle__course_id", "administered_at", "body_weight_kg"
    ):
        on = at.astimezone(patients[patient_id].centre.zone).date()
        first[patient_id][course_id] = min(on, first[patient_id].get(course_id, on))
        if kg is not None:
            weighed[patient_id].append((on, kg))
    return {pk: sorted(days.values()) for pk, days in first.items()}, dict(weighed)


def graded_results(patient: Patient, *, version: str = "5.0") -> list[Graded]:
    """Return all results in force of a patient, oldest first, each with its limits and grade. Three queries."""
    results = list(LabResult.objects.current().filter(patient=patient).order_by("taken_at", "analyte"))
    if not results:
        return []
    ranges = Ranges.of_centre(patient.centre_id)
    starts, _ = from_administrations({patient.pk: patient})
    return grade_results(results, patient, ranges, starts.get(patient.pk, []), version=version)


def grade_results(
    results: Sequence[LabResult],
    patient: Patient,
    ranges: Ranges,
    starts: Sequence[date],
    *,
    version: str = "5.0",
) -> list[Graded]:
    """Return the same from rows that were read, in their order. No query.

    Args:
        results: of one patient, by time.
        starts: local first day of each of the patient's courses, ascending.
    """
    zone = patient.centre.zone
    dated = [(result, result.taken_at.astimezone(zone).date()) for result in results]
    limits = {result.pk: limits_of(result, on, patient, ranges) for result, on in dated}
    baselines: dict[tuple[str, date], LabResult] = {}
    for result, on in dated:
        for began in starts:
            if on <= began and result.value > 0:  # no multiple of a baseline of 0 means anything
                baselines[result.analyte, began] = result  # the last one stays
    graded = []
    for result, on in dated:
        start = max((day for day in starts if day < on), default=None)
        base = baselines.get((result.analyte, start)) if start is not None else None
        upper = limits[base.pk].upper if base is not None else None
        found = ctcae.grade(
            result.analyte,
            result.value,
            lower_limit=limits[result.pk].lower,
            upper_limit=limits[result.pk].upper,
            baseline=base.value if base is not None else None,
            baseline_is_abnormal=base.value > upper if base is not None and upper is not None else None,
            version=version,
        )
        graded.append(
            Graded(
                result=result,
                on=on,
                limits=limits[result.pk],
                grade=found.grade,
                reason=found.reason,
                baseline=base.value if base is not None else None,
            )
        )
    return graded


@dataclass(frozen=True)
class KidneyFunction:
    """What a creatinine says of the kidneys, with what it was computed from.

    Attributes:
        cockcroft_gault_ml_min: None where weight, sex or age do not allow it: ``reason`` says why.
        ckd_epi_ml_min_1_73m2: None likewise.
    """

    on: date
    creatinine_umol_l: Decimal
    age_years: int
    weight_kg: Decimal | None
    weighed_on: date | None
    cockcroft_gault_ml_min: Decimal | None
    ckd_epi_ml_min_1_73m2: Decimal | None
    reason: str = ""


def weights(patient: Patient, results: Iterable[LabResult]) -> list[tuple[date, Decimal]]:
    """Return every known body weight in kg with its local date, ascending. One query."""
    _, weighed = from_administrations({patient.pk: patient})
    return all_weights(patient, results, weighed.get(patient.pk, []))


def all_weights(
    patient: Patient, results: Iterable[LabResult], weighed: Iterable[tuple[date, Decimal]]
) -> list[tuple[date, Decimal]]:
    """Return the same from rows that were read: results of the patient, and what ``from_administrations`` gave."""
    zone = patient.centre.zone
    measured = (
        (result.taken_at.astimezone(zone).date(), result.value)
        for result in results
        if result.analyte == LabAnalyte.BODY_WEIGHT
    )
    return sorted([*measured, *weighed])


def kidney_functions(
    patient: Patient, results: Sequence[LabResult], weighed: Sequence[tuple[date, Decimal]]
) -> list[KidneyFunction]:
    """Return the kidney function of every creatinine, in the order of ``results``. No query."""
    zone = patient.centre.zone
    return [
        _kidney_function(patient, result.taken_at.astimezone(zone).date(), result.value, weighed)
        for result in results
        if result.analyte == LabAnalyte.CREATININE
    ]


def _kidney_function(
    patient: Patient, on: date, creatinine: Decimal, weighed: Sequence[tuple[date, Decimal]]
) -> KidneyFunction:
    born = patient.birth_date
    age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    before = [pair for pair in weighed if 0 <= (on - pair[0]).days <= WEIGHT_DAYS_BEFORE]
    after = [pair for pair in weighed if 0 < (pair[0] - on).days <= WEIGHT_DAYS_AFTER]
    weighed_on, weight = before[-1] if before else after[0] if after else (None, None)
    clearance = rate = None
    reason = ""
    if patient.sex not in {Sex.FEMALE, Sex.MALE}:
        reason = gettext("The equations need the sex, female or male.")
    else:
        is_female = patient.sex == Sex.FEMALE
        try:
            rate = ckd_epi_2021_ml_min_1_73m2(
                creatinine_umol_l=creatinine, age_years=age, is_female=is_female
            )
            if weight is None:
                reason = gettext("No body weight is known near this day.")
            else:
                clearance = cockcroft_gault_ml_min(
                    creatinine_umol_l=creatinine, age_years=age, weight_kg=weight, is_female=is_female
                )
        except ValueError as error:
            reason = str(error)
    return KidneyFunction(on, creatinine, age, weight, weighed_on, clearance, rate, reason)
