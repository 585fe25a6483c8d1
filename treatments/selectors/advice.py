"""The dose advice for the next cycle of a course, from what is recorded."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from languages.wording import Words, gettext_noop
from treatments.models import AdverseEvent, Attribution, Course, Cycle, LabAnalyte
from treatments.rules.advice import ANALYTES as ADVISED_ON
from treatments.rules.advice import (
    Advice,
    ClearanceFact,
    EventFact,
    GivenCycle,
    LabFact,
    advise,
)
from treatments.rules.checks import lacking_labs
from treatments.selectors.laboratory import Graded, graded_results, kidney_functions, weights

# As they stand within a sentence: ALT stays ALT.
LAB_WORDS = Words(
    {
        LabAnalyte.PLATELETS.value: gettext_noop("platelets"),
        LabAnalyte.HAEMOGLOBIN.value: gettext_noop("haemoglobin"),
        LabAnalyte.NEUTROPHILS.value: gettext_noop("neutrophils"),
        LabAnalyte.LYMPHOCYTES.value: gettext_noop("lymphocytes"),
        LabAnalyte.LEUCOCYTES.value: gettext_noop("leucocytes"),
        LabAnalyte.CREATININE.value: gettext_noop("creatinine"),
        LabAnalyte.ALT.value: gettext_noop("ALT"),
        LabAnalyte.AST.value: gettext_noop("AST"),
        LabAnalyte.ALP.value: gettext_noop("alkaline phosphatase"),
        LabAnalyte.GGT.value: gettext_noop("GGT"),
        LabAnalyte.BILIRUBIN.value: gettext_noop("bilirubin"),
        LabAnalyte.ALBUMIN.value: gettext_noop("albumin"),
        LabAnalyte.PROTHROMBIN_RATIO.value: gettext_noop("prothrombin ratio"),
        LabAnalyte.BODY_WEIGHT.value: gettext_noop("body weight"),
    }
)


def advice_for(
    course: Course,
    cycle: Cycle,
    *,
    today: date,
    graded: Sequence[Graded] | None = None,
    given: Sequence[GivenCycle] | None = None,
) -> Advice | None:
    """Return what the protocol's dose rules say of a cycle at the end of ``today``; None where it has none.

    Args:
        graded: the patient's laboratory values, where they were read already.
        given: the course's given cycles, likewise.
    """
    protocol = course.protocol
    rules = protocol.rules_of_dose
    if rules is None:
        return None
    patient = course.patient
    if graded is None:
        graded = graded_results(patient, version=protocol.ctcae_version)
    if given is None:
        given = given_cycles(course)
    results = [one.result for one in graded]
    clearances = [
        ClearanceFact(function.on, function.cockcroft_gault_ml_min)
        for function in kidney_functions(patient, results, weights(patient, results))
        if function.cockcroft_gault_ml_min is not None
    ]
    latest_on = {one.result.analyte: one.on for one in graded if one.on <= today}
    lacking = lacking_labs(
        required=protocol.labs_before_cycle,
        latest_on=latest_on,
        within_days=protocol.labs_within_days,
        on=today,
        words=LAB_WORDS,
    )
    last_on = max((one.on for one in given), default=None)
    return advise(
        rules=rules,
        full_activity_mbq=protocol.prescribed_activity_mbq,
        reduced_activity_mbq=protocol.reduced_activity_mbq,
        max_delay_days=protocol.max_delay_days,
        next_cycle=cycle.number,
        protocol_on=last_on + timedelta(days=protocol.interval_days) if last_on else None,
        given=given,
        labs=[
            LabFact(one.result.analyte, one.on, one.result.value, one.grade, one.limits.upper)
            for one in graded
            if one.result.analyte in ADVISED_ON
        ],
        clearances=clearances,
        events=[
            EventFact(event.term, event.grade, event.onset_on, event.resolved_on)
            # The label speaks of adverse reactions: what was judged not to come from the treatment is none.
            for event in AdverseEvent.objects.current()
            .filter(patient=patient)
            .exclude(attribution__in=[Attribution.UNRELATED, Attribution.UNLIKELY])
        ],
        missing=lacking,
        today=today,
    )


def given_cycles(course: Course) -> list[GivenCycle]:
    """Return the course's given cycles with their local day and prescription. One query."""
    zone = course.patient.centre.zone
    given = course.cycles.current().filter(administrations__voided_at=None, administrations__isnull=False)
    rows = given.values_list(
        "number", "administrations__administered_at", "administrations__prescribed_activity_mbq"
    )
    return [GivenCycle(number, at.astimezone(zone).date(), Decimal(mbq)) for number, at, mbq in rows]
