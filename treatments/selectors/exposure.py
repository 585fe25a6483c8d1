"""What a patient was given in all: activity by course and life-long, absorbed doses against the limits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from patients.models import Patient
from treatments.models import AbsorbedDose, Administration, Organ, PriorPrrt


@dataclass(frozen=True)
class OrganDose:
    """The absorbed dose of an organ over all cycles of which it is known, with the protocol's limit.

    Attributes:
        cycles: of how many cycles the dose is known; earlier therapy counts with the cycles it sums up.
        methods: how they were found, in words.
    """

    organ: str
    label: str
    sum_gy: Decimal
    limit_gy: Decimal | None
    cycles: int
    methods: tuple[str, ...]

    @property
    def is_past_limit(self) -> bool:
        return self.limit_gy is not None and self.sum_gy >= self.limit_gy


@dataclass(frozen=True)
class Exposure:
    """Activity in MBq and absorbed doses in Gy; what was given elsewhere before is in ``prior_mbq`` and the sums."""

    course_mbq: Mapping[int, Decimal]
    prior_mbq: Decimal
    doses: tuple[OrganDose, ...]

    @property
    def lifelong_mbq(self) -> Decimal:
        return sum(self.course_mbq.values(), self.prior_mbq)


def exposure_of(
    patient: Patient,
    *,
    kidney_limit_gy: Decimal | None = None,
    marrow_limit_gy: Decimal | None = None,
) -> Exposure:
    """Return what a patient was given in all. Three queries.

    Args:
        kidney_limit_gy: of the protocol that is asked about; likewise the marrow's.
    """
    of_patient = {
        "cycle__voided_at": None,
        "cycle__course__voided_at": None,
        "cycle__course__patient": patient,
    }
    given = Administration.objects.current().filter(**of_patient).select_related("cycle__course")
    doses = AbsorbedDose.objects.current().filter(**of_patient).select_related("cycle__course")
    return exposure_from(
        given,
        doses,
        PriorPrrt.objects.current().filter(patient=patient),
        kidney_limit_gy=kidney_limit_gy,
        marrow_limit_gy=marrow_limit_gy,
    )


def exposure_from(
    administrations: Iterable[Administration],
    doses: Iterable[AbsorbedDose],
    prior: Iterable[PriorPrrt],
    *,
    kidney_limit_gy: Decimal | None = None,
    marrow_limit_gy: Decimal | None = None,
) -> Exposure:
    """Return the same from rows in force of one patient that were read, with their cycles and courses. No query."""
    by_course: dict[int, Decimal] = defaultdict(Decimal)
    for given in sorted(administrations, key=lambda given: given.cycle.course.number):
        by_course[given.cycle.course.number] += given.administered_activity_mbq
    prior = list(prior)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    cycles: dict[str, int] = defaultdict(int)
    methods: dict[str, dict[str, None]] = defaultdict(dict)
    of_organs = (dose for dose in doses if dose.organ != Organ.LESION)
    for dose in sorted(of_organs, key=lambda dose: (dose.cycle.course.number, dose.cycle.number)):
        sums[dose.organ] += dose.absorbed_dose_gy
        cycles[dose.organ] += 1
        methods[dose.organ][dose.get_method_display()] = None
    for earlier in prior:
        for organ, gy in (
            (Organ.KIDNEYS, earlier.kidney_dose_gy),
            (Organ.RED_MARROW, earlier.marrow_dose_gy),
        ):
            if gy is not None:
                sums[organ] += gy
                cycles[organ] += earlier.cycles
                methods[organ][earlier.get_dose_method_display() or _("method not known")] = None
    limits = {Organ.KIDNEYS.value: kidney_limit_gy, Organ.RED_MARROW.value: marrow_limit_gy}
    return Exposure(
        course_mbq=by_course,
        prior_mbq=sum((earlier.administered_activity_mbq for earlier in prior), Decimal(0)),
        doses=tuple(
            OrganDose(
                organ=organ.value,
                label=str(organ.label),
                sum_gy=sums[organ],
                limit_gy=limits.get(organ.value),
                cycles=cycles[organ],
                methods=tuple(methods[organ]),
            )
            for organ in Organ
            if organ in sums
        ),
    )
