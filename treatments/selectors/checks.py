"""What is worth a second look before an administration is recorded, from what is recorded."""

from decimal import Decimal

from django.db.models import Max
from django.db.models.functions import Coalesce

from treatments.models import (
    Administration,
    Cycle,
    CycleStatus,
    LabResult,
    SomatostatinAnalogueDose,
)
from treatments.models.administrations import LONG_ACTING
from treatments.rules.advice import ADVICE_WORDS, AdviceCode
from treatments.rules.checks import (
    AnalogueFact,
    Warned,
    activity_warnings,
    analogue_warnings,
    dose_warnings,
    lab_warnings,
    window_warnings,
)
from treatments.selectors.advice import LAB_WORDS, advice_for
from treatments.selectors.exposure import exposure_of


def warnings_of(administration: Administration) -> list[Warned]:
    """Return what stands against an administration that is about to be recorded; its activity may still be missing."""
    cycle: Cycle = administration.cycle
    course = cycle.course
    patient, protocol = course.patient, course.protocol
    zone = patient.centre.zone
    on = administration.administered_at.astimezone(zone).date()
    found = window_warnings(on=on, planned_on=cycle.planned_on, window_days=protocol.window_days)
    if cycle.status == CycleStatus.HELD:
        hold = cycle.holds.current().filter(resumed_on__isnull=True).first()
        why = f" since {hold.held_on}: {hold.get_reason_display().lower()}" if hold else ""
        found.append(Warned("open_hold", f"The cycle is on hold{why}. Recording it ends the hold."))
    latest = LabResult.objects.current().filter(patient=patient, taken_at__lte=_end_of(administration))
    latest_on = {
        analyte: at.astimezone(zone).date()
        for analyte, at in latest.values_list("analyte").annotate(at=Max("taken_at"))
    }
    found += lab_warnings(
        required=protocol.labs_before_cycle,
        latest_on=latest_on,
        within_days=protocol.labs_within_days,
        on=on,
        words=LAB_WORDS,
    )
    found += analogue_warnings(
        doses=[
            AnalogueFact(
                drug=dose.get_drug_display(),
                is_long_acting=dose.drug in LONG_ACTING,
                given_at=dose.given_at,
                given_on=dose.given_at.astimezone(zone).date(),
                is_time_known=dose.given_at.astimezone(zone).strftime("%H:%M:%S") != "00:00:00",
            )
            for dose in SomatostatinAnalogueDose.objects.current().filter(patient=patient)
        ],
        administered_at=administration.administered_at,
        on=on,
    )
    others = (
        Administration.objects.current()
        .filter(cycle__voided_at=None, cycle__course__voided_at=None, cycle__course__patient=patient)
        .exclude(pk=administration.pk)
    )
    before_mbq = Decimal(0)
    lots: dict[str, int] = {}
    for course_id, number, lot, mbq in others.values_list(
        "cycle__course_id", "cycle__number", "lot", Coalesce("administered_activity_mbq", Decimal(0))
    ):
        lots[lot] = number
        if course_id == course.pk:
            before_mbq += mbq
    found += activity_warnings(
        before_mbq=before_mbq,
        this_mbq=administration.administered_activity_mbq or Decimal(0),
        limit_mbq=protocol.course_limit_mbq,
        lot=administration.lot,
        lots=lots,
    )
    exposure = exposure_of(
        patient, kidney_limit_gy=protocol.kidney_limit_gy, marrow_limit_gy=protocol.marrow_limit_gy
    )
    found += dose_warnings(
        sums_gy={dose.label: dose.sum_gy for dose in exposure.doses},
        limits_gy={dose.label: dose.limit_gy for dose in exposure.doses},
        source=protocol.dose_limits_source,
    )
    advice = advice_for(course, cycle, today=on)
    if advice is not None and advice.code in {AdviceCode.HOLD, AdviceCode.DISCONTINUE}:
        facts = " ".join(advice.facts)
        found.append(
            Warned("dose_advice", f"The dose rules say: {ADVICE_WORDS[advice.code].lower()}. {facts}")
        )
    return found


def _end_of(administration: Administration) -> object:
    """Return the last moment of the local day: a sample of that day counts whatever its hour."""
    zone = administration.cycle.course.patient.centre.zone
    local = administration.administered_at.astimezone(zone)
    return local.replace(hour=23, minute=59, second=59)
