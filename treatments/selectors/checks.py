"""What is worth a second look before an administration is recorded, from what is recorded."""

from datetime import datetime, time, timedelta
from decimal import Decimal

from django.db.models import Max
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from languages.wording import day, within
from languages.wording import gettext as stored
from treatments.models import (
    Administration,
    Cycle,
    CycleStatus,
    LabResult,
    SomatostatinAnalogueDose,
)
from treatments.models.administrations import LONG_ACTING
from treatments.rules.advice import ADVICE_WITHIN, AdviceCode
from treatments.rules.checks import (
    AnalogueFact,
    Warned,
    activity_warnings,
    analogue_warnings,
    dose_warnings,
    lab_warnings,
    prescription_warnings,
    window_warnings,
)
from treatments.selectors.advice import LAB_WORDS, advice_for, given_cycles
from treatments.selectors.exposure import exposure_of


def warnings_of(administration: Administration) -> list[Warned]:
    """Return what stands against an administration that is about to be recorded; its activity, while missing, is
    taken to be the prescribed one."""
    cycle: Cycle = administration.cycle
    course = cycle.course
    patient, protocol = course.patient, course.protocol
    zone = patient.centre.zone
    on = administration.administered_at.astimezone(zone).date()
    given = [one for one in given_cycles(course) if one.number < cycle.number]
    last_on = max((one.on for one in given), default=None)
    found = window_warnings(
        on=on,
        planned_on=cycle.planned_on,
        window_days=protocol.window_days,
        protocol_on=last_on + timedelta(days=protocol.interval_days) if last_on is not None else None,
    )
    expected_mbq = cycle.prescribed_activity_mbq or protocol.prescribed_activity_mbq
    found += prescription_warnings(
        prescribed_mbq=administration.prescribed_activity_mbq, expected_mbq=expected_mbq
    )
    if cycle.status == CycleStatus.HELD:
        hold = cycle.holds.current().filter(resumed_on__isnull=True).first()
        if hold:
            message = _("The cycle is on hold since {on}: {reason}. Recording it ends the hold.")
            said = message.format(on=day(hold.held_on), reason=within(hold.get_reason_display()))
        else:
            said = _("The cycle is on hold. Recording it ends the hold.")
        found.append(Warned("open_hold", said))
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
        lots[lot.strip().casefold()] = number
        if course_id == course.pk:
            before_mbq += mbq
    found += activity_warnings(
        before_mbq=before_mbq,
        this_mbq=administration.administered_activity_mbq
        or administration.prescribed_activity_mbq
        or Decimal(0),
        limit_mbq=protocol.course_limit_mbq,
        lot=administration.lot.strip(),
        lots=lots,
    )
    exposure = exposure_of(
        patient, kidney_limit_gy=protocol.kidney_limit_gy, marrow_limit_gy=protocol.marrow_limit_gy
    )
    found += dose_warnings(
        sums_gy={dose.label: dose.sum_gy for dose in exposure.doses},
        limits_gy={dose.label: dose.limit_gy for dose in exposure.doses},
        source=stored(protocol.dose_limits_source),
    )
    advice = advice_for(course, cycle, today=on, given=given)
    prescribed_mbq = administration.prescribed_activity_mbq or expected_mbq
    if advice is not None and (
        advice.code in {AdviceCode.HOLD, AdviceCode.DISCONTINUE}
        or (advice.code == AdviceCode.REDUCE and prescribed_mbq > (advice.activity_mbq or 0))
    ):
        message = _("The dose rules say: {advice}. {facts}")
        said = message.format(advice=ADVICE_WITHIN[advice.code], facts=" ".join(advice.facts))
        found.append(Warned("dose_advice", said))
    return found


def _end_of(administration: Administration) -> datetime:
    """Return the last moment of the local day: a sample of that day counts whatever its hour."""
    zone = administration.cycle.course.patient.centre.zone
    return datetime.combine(administration.administered_at.astimezone(zone).date(), time.max, zone)
