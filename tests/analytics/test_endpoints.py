"""One course's outcome: both sides of every boundary of docs/rules/endpoints.md. Day 0 is the first cycle."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.endpoints import (
    AdverseEvent,
    Assessment,
    CourseFacts,
    DerivedOutcome,
    EndpointDefinition,
    Plan,
    TimeToEvent,
    counts_for_orr,
    derive,
)

ZERO = date(2018, 3, 1)
PLAIN = EndpointDefinition()


def day(n: int) -> date:
    """Return the day n days after the first administration."""
    return ZERO + timedelta(n)


def days(*numbers: int) -> tuple[date, ...]:
    return tuple(day(n) for n in numbers)


def reads(text: str) -> tuple[Assessment, ...]:
    """Return "120:PR 240:PD:increased" as assessments."""
    parts = (reading.split(":") for reading in text.split())
    return tuple(Assessment(day(int(n)), response, "", *sstr) for n, response, *sstr in parts)


def course(**changed: Any) -> CourseFacts:
    """Return four cycles given, a baseline scan, and nothing known afterwards, but for what is changed."""
    facts = CourseFacts(
        planned_cycles=4,
        administered_on=days(0, 56, 112, 168),
        discontinued_on=None,
        discontinuation_reason=None,
        baseline_on=day(-14),
        assessments=(),
        clinical_progressions=(),
        new_therapies=(),
        known_alive=(),
        died_on=None,
        death_cause=None,
    )
    return replace(facts, **changed)


def outcome(
    facts: CourseFacts, definition: EndpointDefinition = PLAIN, *, cutoff: int = 1000
) -> DerivedOutcome:
    return derive(facts, definition, cutoff=day(cutoff))


def pfs(
    facts: CourseFacts, definition: EndpointDefinition = PLAIN, *, cutoff: int = 1000
) -> tuple[int, bool, str]:
    found = outcome(facts, definition, cutoff=cutoff).pfs
    assert found is not None
    assert found.on == day(found.days)
    return found.days, found.event, found.basis


def survival(facts: CourseFacts, *, cutoff: int = 1000) -> tuple[int, bool, str]:
    found = outcome(facts, cutoff=cutoff).os
    assert found is not None
    assert found.on == day(found.days)
    return found.days, found.event, found.basis


def time(
    endpoint: str, facts: CourseFacts, *, cutoff: int = 1000, **chosen: Any
) -> tuple[int, bool, str] | None:
    """Return days, event and basis of one endpoint under the definition that ``chosen`` makes."""
    found = getattr(outcome(facts, EndpointDefinition(**chosen), cutoff=cutoff), endpoint)
    return None if found is None else (found.days, found.event, found.basis)


# Time zero and the cut-off


@pytest.mark.parametrize(("cutoff", "time_zero"), [(-1, None), (0, ZERO), (1, ZERO)])
def test_time_zero_is_the_first_administration_by_the_cut_off(cutoff, time_zero):
    found = outcome(course(), cutoff=cutoff)

    assert found.time_zero == time_zero
    assert (found.pfs is None) == (found.os is None) == (time_zero is None)


def test_before_time_zero_there_is_no_response_either():
    found = outcome(course(administered_on=(), assessments=reads("10:CR")))

    assert (found.best_overall_response, found.response_evaluable) == (None, False)
    assert found.response_evaluable_reason == "No cycle was given by the cut-off."


@pytest.mark.parametrize(
    ("facts", "at", "event"),
    [
        (course(assessments=reads("300:PD")), 300, (300, True, "overall_response_pd")),
        (course(clinical_progressions=days(300)), 300, (300, True, "clinical_progression")),
        (course(died_on=day(300)), 300, (300, True, "death")),
        (course(assessments=reads("300:SD")), 300, (300, False, "last_adequate_assessment")),
    ],
    ids=["PD", "clinical progression", "death", "SD"],
)
def test_a_fact_on_the_cut_off_counts_and_one_day_later_does_not_exist(facts, at, event):
    assert pfs(facts, cutoff=at) == event
    assert pfs(facts, cutoff=at - 1) == (0, False, "time_zero")


# Status


@pytest.mark.parametrize(("cutoff", "status", "given_by_then"), [(167, "ongoing", 3), (168, "completed", 4)])
def test_the_last_planned_cycle_completes_a_course_on_its_day(cutoff, status, given_by_then):
    found = outcome(course(), cutoff=cutoff)

    assert (found.status, found.cycles_given) == (status, given_by_then)
    assert (found.discontinued_after_cycle, found.discontinuation_reason) == (None, None)


def test_more_cycles_than_planned_are_completed_too():
    found = outcome(course(planned_cycles=3))

    assert (found.status, found.cycles_given) == ("completed", 4)


def stopped_on(n: int, **changed: Any) -> CourseFacts:
    return course(discontinued_on=day(n), discontinuation_reason="comorbidity", **changed)


@pytest.mark.parametrize(
    ("cutoff", "expected"), [(99, ("ongoing", None, None)), (100, ("discontinued", 2, "comorbidity"))]
)
def test_a_discontinuation_counts_from_its_day(cutoff, expected):
    found = outcome(stopped_on(100, administered_on=days(0, 56)), cutoff=cutoff)

    assert (found.status, found.discontinued_after_cycle, found.discontinuation_reason) == expected


@pytest.mark.parametrize(("stopped", "after_cycle"), [(-3, 0), (0, 1), (55, 1), (56, 2), (200, 2)])
def test_discontinued_after_the_cycles_given_by_that_day(stopped, after_cycle):
    found = outcome(stopped_on(stopped, administered_on=days(0, 56)))

    assert (found.discontinued_after_cycle, found.cycles_given) == (after_cycle, 2)


def test_a_discontinuation_does_not_undo_a_completed_course():
    found = outcome(stopped_on(200))

    assert (found.status, found.discontinued_after_cycle, found.discontinuation_reason) == (
        "completed",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("cutoff", "expected"), [(89, ("ongoing", None, None)), (90, ("discontinued", 2, "death"))]
)
def test_death_before_completion_discontinues(cutoff, expected):
    found = outcome(course(administered_on=days(0, 56), died_on=day(90)), cutoff=cutoff)

    assert (found.status, found.discontinued_after_cycle, found.discontinuation_reason) == expected


def test_death_after_completion_leaves_the_course_completed():
    assert outcome(course(died_on=day(168))).status == "completed"


def test_a_recorded_reason_stands_even_when_entered_after_the_death():
    facts = stopped_on(95, administered_on=days(0, 56), died_on=day(90))

    assert outcome(facts, cutoff=95).discontinuation_reason == "comorbidity"
    assert outcome(facts, cutoff=94).discontinuation_reason == "death"


def test_death_before_the_first_cycle_discontinues_after_none():
    found = outcome(course(administered_on=(), died_on=day(5), death_cause="disease"))

    assert (found.status, found.discontinued_after_cycle, found.discontinuation_reason) == (
        "discontinued",
        0,
        "death",
    )
    assert (found.time_zero, found.death_cause) == (None, "disease")


# Progression-free survival


@pytest.mark.parametrize(
    ("pd", "clinical", "died", "expected"),
    [
        (200, 300, 400, (200, True, "overall_response_pd")),
        (300, 200, 400, (200, True, "clinical_progression")),
        (200, 199, 400, (199, True, "clinical_progression")),
        (200, 200, 400, (200, True, "overall_response_pd")),
        (400, 300, 300, (300, True, "clinical_progression")),
        (400, 400, 400, (400, True, "overall_response_pd")),
    ],
)
def test_the_first_event_counts_and_on_one_day_scan_goes_before_clinic_before_death(
    pd, clinical, died, expected
):
    facts = course(
        assessments=reads(f"{pd}:PD" if pd <= died else ""),
        clinical_progressions=days(clinical),
        died_on=day(died),
    )

    assert pfs(facts) == expected


def test_of_several_progressions_the_first_counts():
    assert pfs(course(assessments=reads("500:PD 300:PD"), clinical_progressions=days(450, 400))) == (
        300,
        True,
        "overall_response_pd",
    )


def test_without_progression_death_of_any_cause_is_the_event():
    facts = course(
        assessments=reads("120:PR"), died_on=day(150), administered_on=days(0), death_cause="comorbidity"
    )

    assert pfs(facts) == (150, True, "death")


def test_death_long_after_the_last_assessment_is_an_event_unless_the_definition_says_otherwise():
    facts = course(assessments=reads("200:SD"), died_on=day(900))

    assert pfs(facts) == (900, True, "death")
    assert pfs(facts, EndpointDefinition(missed_assessments="censor")) == (200, False, "missed_assessments")


@pytest.mark.parametrize(
    ("assessments", "expected"),
    [
        ("120:SD 240:PR", (240, False, "last_adequate_assessment")),
        ("240:PR 120:SD", (240, False, "last_adequate_assessment")),
        ("120:SD 240:NE", (120, False, "last_adequate_assessment")),
        ("120:NON_CR_NON_PD", (120, False, "last_adequate_assessment")),
        ("0:SD", (0, False, "last_adequate_assessment")),
        ("-1:SD", (0, False, "time_zero")),
        ("120:NE", (0, False, "time_zero")),
        ("", (0, False, "time_zero")),
    ],
)
def test_without_an_event_pfs_is_censored_at_the_last_adequate_assessment(assessments, expected):
    assert pfs(course(assessments=reads(assessments), known_alive=days(700))) == expected


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (-1, (0, False, "time_zero")),
        (0, (0, True, "clinical_progression")),
        (1, (1, True, "clinical_progression")),
    ],
)
def test_progression_before_time_zero_does_not_count(n, expected):
    assert pfs(course(clinical_progressions=days(n))) == expected


@pytest.mark.parametrize(("n", "expected"), [(-1, (0, False)), (0, (0, True)), (1, (1, True))])
def test_a_pd_reading_before_time_zero_does_not_count(n, expected):
    assert pfs(course(assessments=reads(f"{n}:PD")))[:2] == expected


def test_a_first_progression_before_time_zero_does_not_hide_a_second():
    assert pfs(course(clinical_progressions=days(-30, 250))) == (250, True, "clinical_progression")


def test_death_on_the_day_of_the_first_administration_is_an_event_on_day_zero():
    facts = course(administered_on=days(0), died_on=day(0))

    assert pfs(facts) == survival(facts) == (0, True, "death")


# Another anticancer therapy

CENSOR_NEW_THERAPY = EndpointDefinition(new_therapy="censor")


def test_another_therapy_is_ignored_unless_the_definition_says_otherwise():
    facts = course(assessments=reads("120:SD 240:SD 360:PD"), new_therapies=days(300))

    assert pfs(facts) == (360, True, "overall_response_pd")
    assert pfs(facts, CENSOR_NEW_THERAPY) == (240, False, "new_therapy")


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        (239, (120, False, "new_therapy")),
        (240, (240, False, "new_therapy")),
        (241, (240, False, "new_therapy")),
        (359, (240, False, "new_therapy")),
        (360, (360, True, "overall_response_pd")),
        (361, (360, True, "overall_response_pd")),
        (119, (0, False, "new_therapy")),
        (1, (0, False, "new_therapy")),
        (0, (360, True, "overall_response_pd")),
        (-30, (360, True, "overall_response_pd")),
    ],
)
def test_another_therapy_censors_at_the_last_adequate_assessment_up_to_its_start(started, expected):
    """An event on the day of its start stands; a therapy begun by time zero is not another one."""
    facts = course(assessments=reads("120:SD 240:SD 360:PD"), new_therapies=days(started))

    assert pfs(facts, CENSOR_NEW_THERAPY) == expected


def test_the_first_of_several_therapies_censors_even_without_an_event():
    facts = course(assessments=reads("120:SD 240:NE 480:SD"), new_therapies=days(500, 300, -60))

    assert pfs(facts, CENSOR_NEW_THERAPY) == (120, False, "new_therapy")


def test_another_therapy_does_not_censor_overall_survival():
    found = outcome(course(new_therapies=days(300), died_on=day(800)), CENSOR_NEW_THERAPY)

    assert found.os == TimeToEvent(days=800, event=True, on=day(800), basis="death")


# Missed assessments

CENSOR_MISSED = EndpointDefinition(missed_assessments="censor", missed_gap_days=238)


@pytest.mark.parametrize(
    ("assessments", "clinical", "died", "expected"),
    [
        ("100:SD 338:PD", None, None, (338, True, "overall_response_pd")),
        ("100:SD 339:PD", None, None, (100, False, "missed_assessments")),
        ("100:SD 200:NE 339:PD", None, None, (100, False, "missed_assessments")),
        ("100:SD 101:SD 339:PD", None, None, (339, True, "overall_response_pd")),
        ("100:SD", 338, None, (338, True, "clinical_progression")),
        ("100:SD", 339, None, (100, False, "missed_assessments")),
        ("100:SD 339:SD", 339, None, (339, True, "clinical_progression")),
        ("100:SD", None, 338, (338, True, "death")),
        ("100:SD", None, 339, (100, False, "missed_assessments")),
        ("", None, 238, (238, True, "death")),
        ("", None, 239, (0, False, "missed_assessments")),
        # A gap that a later scan closed hides nothing.
        ("100:SD 500:SD 600:PD", None, None, (600, True, "overall_response_pd")),
        # Without an event a gap does not matter.
        ("100:SD 500:SD", None, None, (500, False, "last_adequate_assessment")),
    ],
)
def test_an_event_after_more_than_the_gap_is_censored_before_it(assessments, clinical, died, expected):
    facts = course(
        assessments=reads(assessments),
        clinical_progressions=() if clinical is None else days(clinical),
        died_on=None if died is None else day(died),
    )

    assert pfs(facts, CENSOR_MISSED) == expected


def test_by_default_two_visits_of_sixteen_weeks_and_a_week_make_the_gap():
    assert PLAIN.missed_gap_days == 2 * (16 * 7 + 7) == 238


def test_another_therapy_is_looked_at_before_missed_assessments():
    both = EndpointDefinition(new_therapy="censor", missed_assessments="censor")

    assert pfs(course(assessments=reads("100:SD"), new_therapies=days(200), died_on=day(900)), both) == (
        100,
        False,
        "new_therapy",
    )


@pytest.mark.parametrize(
    ("new_therapy", "missed_assessments", "expected"),
    [
        ("ignore", "ignore", (500, True, "overall_response_pd")),
        ("ignore", "censor", (240, False, "missed_assessments")),
        ("censor", "ignore", (240, False, "new_therapy")),
        ("censor", "censor", (240, False, "new_therapy")),
    ],
)
def test_the_worked_example_of_the_rule_page(new_therapy, missed_assessments, expected):
    facts = course(assessments=reads("120:SD 240:SD 500:PD"), new_therapies=days(300), died_on=day(800))

    assert pfs(facts, EndpointDefinition(new_therapy, missed_assessments)) == expected


# Days from diagnosis

DIAGNOSIS = EndpointDefinition(time_zero="diagnosis")


@pytest.mark.parametrize(("diagnosed", "entry"), [(-300, 300), (-1, 1), (0, 0)])
def test_days_from_diagnosis_enter_at_the_first_administration(diagnosed, entry):
    facts = course(diagnosed_on=day(diagnosed), assessments=reads("120:PR 240:PD"), died_on=day(400))

    found = outcome(facts, DIAGNOSIS)

    assert (found.time_zero, found.started_on, found.entry_days) == (day(diagnosed), ZERO, entry)
    times = [found.pfs, found.os, found.ttr, found.ttnt, found.ttd]
    assert [found and found.days for found in times] == [entry + n for n in (240, 400, 120, 400, 168)]
    assert found.dor == TimeToEvent(days=120, event=True, on=day(240), basis="overall_response_pd")
    assert found.responses == [f":{entry + 120}:PR:", f":{entry + 240}:PD:"]


def test_a_diagnosis_after_the_first_administration_contradicts_where_days_count_from_it():
    facts = course(diagnosed_on=day(1))

    assert outcome(facts).pfs is not None
    with pytest.raises(ValueError, match="diagnosis on 2018-03-02: expected on or before the first administ"):
        outcome(facts, DIAGNOSIS)


def test_without_a_day_of_diagnosis_there_are_no_times_and_it_is_said_why():
    found = outcome(course(assessments=reads("120:PR")), DIAGNOSIS)

    assert (found.started_on, found.time_zero, found.entry_days) == (ZERO, None, 0)
    assert found.problem == "No day of diagnosis is known, from which days are counted."
    assert found.pfs is found.os is found.ttr is found.dor is found.ttnt is found.ttd is None
    assert (found.responses, found.cycles_given, found.best_overall_response) == ([], 4, "PR")
    assert outcome(course()).problem == ""


def test_knowledge_from_before_treatment_censors_at_entry():
    """Who is known of only until the first administration adds nothing: at risk from day 300 to day 300."""
    facts = course(diagnosed_on=day(-300), administered_on=days(0))

    assert time("pfs", facts, time_zero="diagnosis") == (300, False, "time_zero")
    assert time("os", facts, time_zero="diagnosis") == (300, False, "time_zero")


# What ends PFS


@pytest.mark.parametrize(
    ("changed", "event", "ignore"),
    [
        ({"clinical_progressions": days(200)}, (200, True, "clinical_progression"), (0, False, "time_zero")),
        (
            {"clinical_progressions": days(200), "assessments": reads("240:PD")},
            (200, True, "clinical_progression"),
            (240, True, "overall_response_pd"),
        ),
        (
            {"clinical_progressions": days(200), "died_on": day(300)},
            (200, True, "clinical_progression"),
            (300, True, "death"),
        ),
    ],
)
def test_a_clinical_progression_can_be_left_out(changed, event, ignore):
    assert time("pfs", course(**changed)) == event
    assert time("pfs", course(**changed), clinical_progression="ignore") == ignore


@pytest.mark.parametrize(("n", "best", "ignored"), [(239, "SD", "PR"), (240, "PR", "PR")])
def test_a_clinical_progression_left_out_does_not_end_the_time_of_response(n, best, ignored):
    facts = course(assessments=reads("120:SD 240:PR"), clinical_progressions=days(n))

    assert outcome(facts).best_overall_response == best
    left_out = outcome(facts, EndpointDefinition(clinical_progression="ignore"))
    assert left_out.best_overall_response == ignored
    assert left_out.ttr == TimeToEvent(days=240, event=True, on=day(240), basis="response:PR")


def test_a_clinical_progression_left_out_is_still_a_sign_of_life():
    facts = course(clinical_progressions=days(410))

    assert time("os", facts, clinical_progression="ignore") == (410, False, "last_known_alive")


def test_a_clinical_progression_left_out_makes_nobody_response_evaluable():
    facts = course(clinical_progressions=days(200))

    assert outcome(facts).response_evaluable
    assert not outcome(facts, EndpointDefinition(clinical_progression="ignore")).response_evaluable


@pytest.mark.parametrize(
    ("assessments", "died", "expected"),
    [
        ("120:SD", 300, (120, False, "before_death")),
        ("", 300, (0, False, "before_death")),
        ("120:NE", 300, (0, False, "before_death")),
        ("120:SD 299:PD", 300, (299, True, "overall_response_pd")),
        ("120:SD 300:PD", 300, (300, True, "overall_response_pd")),
        ("120:SD", None, (120, False, "last_adequate_assessment")),
    ],
)
def test_time_to_progression_censors_deaths_at_the_last_adequate_assessment(assessments, died, expected):
    """FDA guidance, section on time to progression: deaths are censored, at death or at an earlier visit."""
    facts = course(
        assessments=reads(assessments), died_on=None if died is None else day(died), administered_on=days(0)
    )

    assert time("pfs", facts, death_in_pfs="censor") == expected


def test_a_death_after_the_cut_off_censors_nothing_yet():
    facts = course(assessments=reads("120:SD"), died_on=day(300), administered_on=days(0))

    assert time("pfs", facts, death_in_pfs="censor", cutoff=299) == (120, False, "last_adequate_assessment")


# Response: when, confirmed or not, and how long


@pytest.mark.parametrize(
    ("assessments", "best", "confirmed"),
    [
        ("100:PR 127:PR", "PR", "SD"),
        ("100:PR 128:PR", "PR", "PR"),
        ("100:CR 127:CR", "CR", "SD"),
        ("100:CR 128:CR", "CR", "CR"),
        ("100:PR 128:CR", "CR", "PR"),
        ("100:PR 110:NE 128:PR", "PR", "PR"),
        ("100:PR 110:SD 128:PR", "PR", "SD"),
        ("100:PR 127:PD", "PR", "SD"),
        ("100:SD", "SD", "SD"),
        ("100:PD", "PD", "PD"),
        ("100:NE", "NE", "NE"),
        ("", None, None),
    ],
)
def test_confirmation_needs_four_weeks(assessments, best, confirmed):
    """RECIST 1.1, section 4.6: no less than 4 weeks after the criteria were first met."""
    found = outcome(course(assessments=reads(assessments)))

    assert (found.best_overall_response, found.confirmed_best_overall_response) == (best, confirmed)


def test_the_definition_says_after_how_many_days_a_response_is_confirmed():
    facts = course(assessments=reads("100:PR 128:PR"))

    found = outcome(facts, EndpointDefinition(confirmation_days=29))

    assert (found.best_overall_response, found.confirmed_best_overall_response) == ("PR", "SD")


@pytest.mark.parametrize(("n", "best"), [(41, "NE"), (42, "SD")])
@pytest.mark.parametrize("code", ["SD", "NON_CR_NON_PD"])
def test_stable_disease_needs_the_days_of_the_definition(n, best, code):
    facts = course(assessments=reads(f"{n}:{code}"), diagnosed_on=day(-500))
    expected = code if best == "SD" else "NE"

    for chosen in ({}, {"time_zero": "diagnosis"}):
        found = outcome(facts, EndpointDefinition(sd_minimum_days=42, **chosen))
        assert (found.best_overall_response, found.confirmed_best_overall_response) == (expected, expected)
    assert outcome(facts).best_overall_response == code


def test_an_unconfirmed_complete_response_without_targets_is_non_cr_non_pd():
    facts = course(assessments=reads("100:CR"))

    assert outcome(facts).confirmed_best_overall_response == "SD"
    assert outcome(replace(facts, is_measurable=False)).confirmed_best_overall_response == "NON_CR_NON_PD"


@pytest.mark.parametrize(
    ("assessments", "ttr", "dor"),
    [
        ("120:SD 240:PR 360:PD", (240, True, "response:PR"), (120, True, "overall_response_pd")),
        ("120:PR 240:CR 360:SD", (120, True, "response:PR"), (240, False, "last_adequate_assessment")),
        ("120:CR", (120, True, "response:CR"), (0, False, "last_adequate_assessment")),
        ("0:PR 120:PR", (0, True, "response:PR"), (120, False, "last_adequate_assessment")),
        ("120:SD 360:PD", (360, False, "no_response:overall_response_pd"), None),
        ("120:PD 240:PR", (120, False, "no_response:overall_response_pd"), None),
        ("120:SD", (120, False, "last_adequate_assessment"), None),
        ("-1:PR", (0, False, "time_zero"), None),
        ("", (0, False, "time_zero"), None),
    ],
)
def test_time_to_and_duration_of_response(assessments, ttr, dor):
    facts = course(assessments=reads(assessments))

    assert (time("ttr", facts), time("dor", facts)) == (ttr, dor)


@pytest.mark.parametrize(
    ("assessments", "ttr", "dor"),
    [
        ("100:PR 127:PR 300:PD", (300, False, "no_response:overall_response_pd"), None),
        ("100:PR 128:PR 300:PD", (100, True, "response:PR"), (200, True, "overall_response_pd")),
        ("50:PR 60:SD 100:PR 128:PR", (100, True, "response:PR"), (28, False, "last_adequate_assessment")),
    ],
)
def test_where_confirmation_is_asked_for_only_a_confirmed_response_begins(assessments, ttr, dor):
    facts = course(assessments=reads(assessments))

    assert time("ttr", facts, confirmation="required") == ttr
    assert time("dor", facts, confirmation="required") == dor


@pytest.mark.parametrize(
    ("response", "ttr", "dor"),
    [(240, (240, True, "response:PR"), (0, False, "new_therapy")), (301, (120, False, "new_therapy"), None)],
)
def test_a_response_after_pfs_was_censored_for_another_therapy_is_none(response, ttr, dor):
    facts = course(assessments=reads(f"120:SD {response}:PR 400:PR"), new_therapies=days(300))

    assert time("ttr", facts, new_therapy="censor") == ttr
    assert time("dor", facts, new_therapy="censor") == dor


def test_a_progression_seen_in_a_later_course_ends_the_time_of_response_too():
    facts = course(assessments=reads("120:SD 240:PR"), later_assessments=reads("200:PD"))

    assert outcome(facts).best_overall_response == "SD"
    assert time("dor", facts) is None


# Response of the uptake


@pytest.mark.parametrize(
    ("assessments", "best"),
    [
        ("120:SD:unchanged 240:SD:decreased", "decreased"),
        ("120:SD:disappeared 240:SD:decreased", "disappeared"),
        ("120:SD:increased 240:SD:unchanged", "unchanged"),
        ("120:SD:not_evaluable 240:SD:increased", "increased"),
        ("120:SD:not_evaluable 240:SD", "not_evaluable"),
        ("120:SD:increased 240:PD:decreased 360:SD:disappeared", "decreased"),
        ("120:SD:increased 240:PD:unchanged 240:SD:decreased", "unchanged"),
        ("-1:SD:decreased 120:SD:increased", "increased"),
        ("120:SD", None),
        ("", None),
    ],
)
def test_best_sstr_response_is_cut_where_the_best_recist_response_is(assessments, best):
    assert outcome(course(assessments=reads(assessments))).best_sstr_response == best


def test_an_unknown_sstr_response_is_refused():
    with pytest.raises(ValueError, match="SSTR response 'fell'"):
        Assessment(day(1), "SD", "post", "fell")


@pytest.mark.parametrize(("cutoff", "listed"), [(239, 1), (240, 2)])
def test_responses_are_listed_from_the_first_administration_to_the_cut_off(cutoff, listed):
    assessments = (
        Assessment(day(240), "PR", "post", "decreased"),
        Assessment(day(112), "NON_CR_NON_PD", "interim"),
        Assessment(day(-1), "SD", "interim"),
    )
    facts = course(assessments=assessments, later_assessments=reads("200:SD"))

    expected = ["interim:112:NON_CR_NON_PD:", "post:240:PR:decreased"][:listed]
    assert outcome(facts, cutoff=cutoff).responses == expected


# The next treatment, and the end of this one


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"new_therapies": days(500, 300)}, (300, True, "next_therapy")),
        ({"new_therapies": days(1)}, (1, True, "next_therapy")),
        ({"new_therapies": days(0)}, (168, False, "last_known_alive")),
        ({"new_therapies": days(300), "died_on": day(300)}, (300, True, "next_therapy")),
        ({"died_on": day(300)}, (300, True, "death")),
        ({"known_alive": days(700)}, (700, False, "last_known_alive")),
        ({"administered_on": days(0)}, (0, False, "time_zero")),
    ],
)
def test_time_to_next_treatment(changed, expected):
    assert time("ttnt", course(**changed)) == expected


TWO = {"administered_on": days(0, 56)}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"known_alive": days(700)}, (168, False, "completed")),
        ({"died_on": day(168)}, (168, False, "completed")),
        (TWO | {"known_alive": days(700)}, (700, False, "ongoing")),
        (TWO, (56, False, "ongoing")),
        (TWO | {"died_on": day(90)}, (90, True, "discontinued:death")),
        (
            TWO | {"discontinued_on": day(100), "discontinuation_reason": "renal"},
            (100, True, "discontinued:renal"),
        ),
        (
            TWO | {"discontinued_on": day(95), "discontinuation_reason": "renal", "died_on": day(90)},
            (90, True, "discontinued:renal"),
        ),
        (
            TWO | {"discontinued_on": day(-3), "discontinuation_reason": "renal"},
            (56, True, "discontinued:renal"),
        ),
    ],
)
def test_time_to_discontinuation(changed, expected):
    assert time("ttd", course(**changed)) == expected


@pytest.mark.parametrize(
    ("cutoff", "expected"), [(99, (56, False, "ongoing")), (100, (100, True, "discontinued:renal"))]
)
def test_a_discontinuation_ends_treatment_from_its_day(cutoff, expected):
    facts = course(**TWO, discontinued_on=day(100), discontinuation_reason="renal")

    assert time("ttd", facts, cutoff=cutoff) == expected


def test_the_worked_example_of_all_times_of_the_rule_page():
    facts = course(
        **TWO,
        assessments=reads("100:PR 140:PR 300:PD"),
        discontinued_on=day(150),
        discontinuation_reason="renal",
        new_therapies=days(320),
        died_on=day(700),
        diagnosed_on=day(-400),
    )

    expected = {
        "pfs": (300, True, "overall_response_pd"),
        "os": (700, True, "death"),
        "ttr": (100, True, "response:PR"),
        "dor": (200, True, "overall_response_pd"),
        "ttnt": (320, True, "next_therapy"),
        "ttd": (150, True, "discontinued:renal"),
    }
    for confirmation in ("none", "required"):
        assert {name: time(name, facts, confirmation=confirmation) for name in expected} == expected
    from_diagnosis = {name: time(name, facts, time_zero="diagnosis") for name in expected}
    assert from_diagnosis == {
        name: (n if name == "dor" else n + 400, *more) for name, (n, *more) in expected.items()
    }


# What was given and what it did

PLAN = Plan(interval_days=56, window_days=7, activity_mbq=Decimal(7400))
FULL = (Decimal(7400),) * 4


def exposed(*numbers: int, activities: tuple[Decimal, ...] = FULL, **changed: Any) -> CourseFacts:
    n = len(numbers)
    return course(
        administered_on=days(*numbers),
        plan=PLAN,
        activities_mbq=activities[:n],
        prescribed_mbq=activities[:n],
        **changed,
    )


@pytest.mark.parametrize(
    ("numbers", "activities", "percent"),
    [
        ((0, 56, 112, 168), FULL, "100.0"),
        ((0,), FULL, "100.0"),
        ((0,), (Decimal(3700),), "50.0"),
        # 4 × 7,400 in 224 days planned, 252 taken: 224 / 252 = 88.888… %
        ((0, 56, 112, 196), FULL, "88.9"),
        # half the activity twice (75 %) and four weeks late
        ((0, 56, 112, 196), (Decimal(7400), Decimal(7400), Decimal(3700), Decimal(3700)), "66.7"),
        ((0, 49, 98, 147), FULL, "110.3"),
    ],
)
def test_dose_intensity_by_hand(numbers, activities, percent):
    assert outcome(exposed(*numbers, activities=activities)).dose_intensity_percent == Decimal(percent)


def test_without_a_cycle_there_is_no_exposure():
    found = outcome(exposed())

    assert found.cumulative_activity_mbq is found.dose_intensity_percent is None
    assert found.delayed_cycles is found.reduced_cycles is None


def test_an_activity_far_off_the_mark_still_fits_its_column():
    facts = replace(exposed(0), plan=replace(PLAN, activity_mbq=Decimal("0.1")))

    assert outcome(facts).dose_intensity_percent == Decimal("99999.9")


@pytest.mark.parametrize(("second", "delayed"), [(49, 0), (56, 0), (63, 0), (64, 1)])
def test_a_cycle_is_delayed_from_the_day_after_its_window(second, delayed):
    assert outcome(exposed(0, second)).delayed_cycles == delayed


def test_a_delay_is_measured_from_the_cycle_before():
    assert outcome(exposed(0, 64, 120, 184)).delayed_cycles == 2


@pytest.mark.parametrize(("prescribed", "reduced"), [("7399.9", 1), ("7400", 0), ("7400.1", 0)])
def test_a_cycle_is_reduced_below_the_activity_of_the_protocol(prescribed, reduced):
    assert outcome(exposed(0, 56, activities=(Decimal(7400), Decimal(prescribed)))).reduced_cycles == reduced


@pytest.mark.parametrize(("cutoff", "activity", "delayed"), [(63, "7400", 0), (64, "14800", 1)])
def test_exposure_ends_at_the_cut_off(cutoff, activity, delayed):
    found = outcome(exposed(0, 64), cutoff=cutoff)

    assert (found.cumulative_activity_mbq, found.delayed_cycles) == (Decimal(activity), delayed)


def adverse(*events: tuple[int, str, int]) -> tuple[AdverseEvent, ...]:
    return tuple(AdverseEvent(day(n), term, grade) for n, term, grade in events)


@pytest.mark.parametrize(
    ("n", "found"),
    [
        (-1, []),
        (0, ["Nausea:0:2", "Nausea:1:2"]),
        (55, ["Nausea:0:2", "Nausea:1:2"]),
        (56, ["Nausea:0:2", "Nausea:2:2"]),
        (400, ["Nausea:0:2", "Nausea:4:2"]),
        (1000, ["Nausea:0:2", "Nausea:4:2"]),
        (1001, []),
    ],
)
def test_an_adverse_event_belongs_to_the_cycle_given_last(n, found):
    assert outcome(exposed(0, 56, 112, 168, adverse_events=adverse((n, "Nausea", 2)))).toxicities == found


def test_the_worst_grade_of_each_term_counts_after_each_cycle_and_over_the_course():
    events = adverse(
        (3, "Nausea", 1), (9, "nausea", 3), (60, "Nausea", 2), (61, "Pain: back", 1), (62, " Pain:  back", 4)
    )

    assert outcome(exposed(0, 56, adverse_events=events)).toxicities == [
        "Nausea:0:3",
        "Nausea:1:3",
        "Nausea:2:2",
        "Pain, back:0:4",
        "Pain, back:2:4",
    ]


@pytest.mark.parametrize(("n", "cycles"), [(299, [0, 4]), (300, [])])
def test_adverse_events_from_the_start_of_a_later_course_belong_to_it(n, cycles):
    facts = exposed(0, 56, 112, 168, adverse_events=adverse((n, "Nausea", 2)), next_course_on=day(300))

    assert [int(item.split(":")[1]) for item in outcome(facts).toxicities] == cycles


def test_a_later_course_after_the_cut_off_takes_no_adverse_event():
    facts = exposed(0, adverse_events=adverse((299, "Nausea", 2)), next_course_on=day(300))

    assert outcome(facts, cutoff=299).toxicities == ["Nausea:0:2", "Nausea:1:2"]


# Overall survival


@pytest.mark.parametrize(
    ("changed", "last"),
    [
        ({"known_alive": days(700, 300)}, 700),
        ({"assessments": reads("400:SD")}, 400),
        ({"assessments": reads("400:NE")}, 400),
        ({"clinical_progressions": days(410)}, 410),
        ({"new_therapies": days(420)}, 420),
        ({}, 168),
        ({"known_alive": days(-20)}, 168),
        ({"discontinued_on": day(300), "discontinuation_reason": "logistics"}, 168),
    ],
    ids=[
        "contact",
        "scan",
        "NE scan",
        "progression",
        "therapy",
        "last cycle",
        "old contact",
        "discontinuation",
    ],
)
def test_without_death_survival_is_censored_at_the_last_sign_of_life(changed, last):
    assert survival(course(**changed)) == (last, False, "last_known_alive")


def test_survival_is_censored_at_time_zero_when_nothing_is_known_after_it():
    assert survival(course(administered_on=days(0))) == (0, False, "time_zero")


@pytest.mark.parametrize(
    ("cutoff", "expected"), [(799, (600, False, "last_known_alive")), (800, (800, True, "death"))]
)
def test_death_counts_from_its_day_with_its_cause(cutoff, expected):
    facts = course(known_alive=days(600), died_on=day(800), death_cause="comorbidity")

    assert survival(facts, cutoff=cutoff) == expected
    assert outcome(facts, cutoff=cutoff).death_cause == ("comorbidity" if expected[1] else None)


def test_a_contact_on_the_day_of_death_is_no_contradiction():
    assert survival(course(known_alive=days(800), died_on=day(800))) == (800, True, "death")


# Best overall response


@pytest.mark.parametrize(
    ("assessments", "clinical", "expected"),
    [
        ("120:SD 240:PR 360:PD 480:CR", None, "PR"),
        ("120:SD 240:PR", 239, "SD"),
        ("120:SD 240:PR", 240, "PR"),
        ("120:SD 240:PR", 241, "PR"),
        ("120:SD 240:PR", -30, "PR"),
        ("240:PR", 100, None),
        ("-1:CR 120:SD", None, "SD"),
        ("0:CR 120:SD", None, "CR"),
        ("-1:PD 120:PR", None, "PR"),
        ("", None, None),
    ],
)
def test_best_response_is_cut_at_the_first_progression_after_time_zero(assessments, clinical, expected):
    facts = course(
        assessments=reads(assessments), clinical_progressions=() if clinical is None else days(clinical)
    )

    assert outcome(facts).best_overall_response == expected


@pytest.mark.parametrize(("cutoff", "expected"), [(239, "SD"), (240, "PR")])
def test_a_response_after_the_cut_off_does_not_count(cutoff, expected):
    assert (
        outcome(course(assessments=reads("120:SD 240:PR")), cutoff=cutoff).best_overall_response == expected
    )


# Who counts for response


@pytest.mark.parametrize(
    ("changed", "evaluable", "reason"),
    [
        (
            {"assessments": reads("240:SD")},
            True,
            "The course is completed, with a baseline scan and a later assessment.",
        ),
        (
            {"assessments": reads("240:NE")},
            True,
            "The course is completed, with a baseline scan and a later assessment.",
        ),
        ({"assessments": reads("-1:SD")}, False, "There is no assessment after baseline."),
        ({}, False, "There is no assessment after baseline."),
        (
            {"clinical_progressions": days(200)},
            True,
            "The course is completed; the patient progressed before a later assessment.",
        ),
        ({"clinical_progressions": days(-1)}, False, "There is no assessment after baseline."),
        ({"died_on": day(200)}, True, "The course is completed; the patient died before a later assessment."),
        ({"assessments": reads("240:SD"), "baseline_on": None}, False, "There is no baseline scan."),
        ({"assessments": reads("240:SD"), "baseline_on": day(0)}, True, None),
        (
            {"assessments": reads("240:SD"), "baseline_on": day(1)},
            False,
            "The baseline scan is dated after the first administration.",
        ),
        (
            {"assessments": reads("100:PR"), "administered_on": days(0, 56)},
            False,
            "The course is still going on.",
        ),
        (
            {
                "assessments": reads("100:PR"),
                "administered_on": days(0, 56),
                "discontinued_on": day(110),
                "discontinuation_reason": "renal",
            },
            True,
            "The course is discontinued, with a baseline scan and a later assessment.",
        ),
        (
            {"administered_on": days(0, 56), "died_on": day(90)},
            True,
            "The course is discontinued; the patient died before a later assessment.",
        ),
    ],
)
def test_who_is_response_evaluable_and_why(changed, evaluable, reason):
    found = outcome(course(**changed))

    assert found.response_evaluable is evaluable
    if reason is not None:
        assert found.response_evaluable_reason == reason


def test_the_denominator_follows_the_definition():
    ongoing = outcome(course(administered_on=days(0, 56), assessments=reads("100:PR")))
    untreated = outcome(course(administered_on=()))
    finished = outcome(course(assessments=reads("240:SD")))
    everybody = EndpointDefinition(orr_denominator="all_treated")

    assert [counts_for_orr(each, PLAIN) for each in (ongoing, untreated, finished)] == [False, False, True]
    assert [counts_for_orr(each, everybody) for each in (ongoing, untreated, finished)] == [True, False, True]


# Refusals


@pytest.mark.parametrize(
    "changed",
    [
        {"planned_cycles": 0},
        {"administered_on": days(56, 0)},
        {"administered_on": days(0, 0)},
        {"discontinued_on": day(5)},
        {"discontinuation_reason": "renal"},
        {"death_cause": "disease"},
    ],
    ids=["no cycles", "descending", "twice a day", "no reason", "no day", "cause without death"],
)
def test_facts_that_contradict_each_other_are_refused(changed):
    with pytest.raises(ValueError, match="expected"):
        course(**changed)


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("administration", {}),
        ("assessment", {"assessments": reads("168:SD")}),
        ("clinical progression", {"clinical_progressions": days(168)}),
        ("start of another therapy", {"new_therapies": days(168)}),
        ("contact with the patient", {"known_alive": days(168)}),
        ("baseline scan", {"baseline_on": day(168)}),
    ],
)
def test_a_sign_of_life_after_death_is_refused_once_the_cut_off_sees_it(what, changed):
    if changed:
        changed = {"administered_on": days(0, 56)} | changed

    assert outcome(course(died_on=day(168), **changed)).os is not None
    contradiction = course(died_on=day(167), **changed)
    assert outcome(contradiction, cutoff=166).os is not None
    assert outcome(contradiction, cutoff=167).os is not None
    with pytest.raises(
        ValueError, match=f"{what} on {day(168)}: expected on or before the death on {day(167)}"
    ):
        outcome(contradiction, cutoff=168)


def test_negative_times_are_refused():
    with pytest.raises(ValueError, match="-1 days to 2018-02-28: expected a day on or after time zero"):
        TimeToEvent(days=-1, event=True, on=day(-1), basis="death")


@pytest.mark.parametrize(("event", "basis"), [(True, "time_zero"), (False, "death"), (False, "lost")])
def test_a_basis_that_does_not_fit_is_refused(event, basis):
    with pytest.raises(ValueError, match="basis"):
        TimeToEvent(days=1, event=event, on=day(1), basis=basis)


# Words


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (
            TimeToEvent(days=613, event=False, on=date(2019, 11, 4), basis="last_adequate_assessment"),
            "censored at 2019-11-04: last adequate assessment",
        ),
        (TimeToEvent(days=1, event=True, on=day(1), basis="death"), "event at 2018-03-02: death"),
        (
            TimeToEvent(days=1, event=True, on=day(1), basis="discontinued:other_toxicity"),
            "event at 2018-03-02: treatment discontinued (other toxicity)",
        ),
        (
            TimeToEvent(days=1, event=False, on=day(1), basis="no_response:overall_response_pd"),
            "censored at 2018-03-02: no response until then (overall response pd)",
        ),
    ],
)
def test_a_time_says_its_reason(time, words):
    assert time.reason() == words


def test_the_definition_is_told_in_words():
    plain = " ".join(PLAIN.in_words())
    strict = " ".join(
        EndpointDefinition(
            new_therapy="censor",
            missed_assessments="censor",
            missed_gap_days=200,
            orr_denominator="all_treated",
            landmark_months=(11, 14),
            month_days=Decimal(30),
        ).in_words()
    )

    assert "Another anticancer therapy does not censor PFS;" in plain
    assert "Missed assessments do not censor PFS" in plain
    assert "among the response-evaluable" in plain
    assert "at 6, 12, 18 and 24 months; a month is 30.4375 days" in plain
    assert "started before the event censors PFS" in strict
    assert "more than 200 days after the last adequate assessment" in strict
    assert "among all patients given at least one cycle" in strict
    assert "at 11 and 14 months; a month is 30 days" in strict


@pytest.mark.parametrize(
    ("changed", "said", "not_said"),
    [
        ({"time_zero": "diagnosis"}, "Time zero is the diagnosis;", "Time zero is the first administration"),
        ({"clinical_progression": "ignore"}, "progressive disease or death of any cause;", ", a clinical"),
        ({"clinical_progression": "ignore"}, "up to the first progression on a scan", "on any basis"),
        ({"death_in_pfs": "censor"}, "given as time to progression", "or death of any cause"),
        ({"confirmation": "required"}, "confirms them 28 days or more later", "no confirmation"),
        ({"confirmation": "required", "confirmation_days": 35}, "confirms them 35 days or more", None),
        ({"confirmation": "required"}, "(ORR) is confirmed CR or PR among", "(ORR) is CR or PR"),
        ({"sd_minimum_days": 42}, "Stable disease counts from 42 days after", None),
        ({"analysis_set": "completed"}, "All figures count completed courses alone.", None),
        ({"analysis_set": "response_evaluable"}, "count response-evaluable courses alone.", None),
        ({"interval": "wilson"}, "Wilson's 95 % limits", None),
    ],
)
def test_every_choice_is_told_and_its_default_no_more(changed, said, not_said):
    plain = " ".join(PLAIN.in_words())
    words = " ".join(EndpointDefinition(**changed).in_words())

    assert said in words
    assert said not in plain
    assert not_said is None or (not_said in plain and not_said not in words)


@pytest.mark.parametrize(("months", "words"), [((9,), "at 9 months"), ((), None)])
def test_one_landmark_or_none_still_makes_a_sentence(months, words):
    sentences = EndpointDefinition(landmark_months=months).in_words()

    assert any("Landmark" in sentence for sentence in sentences) == (words is not None)
    assert words is None or words in sentences[-1]


# The definition as data


@given(
    st.builds(
        EndpointDefinition,
        new_therapy=st.sampled_from(["ignore", "censor"]),
        missed_assessments=st.sampled_from(["ignore", "censor"]),
        missed_gap_days=st.integers(1, 1000),
        orr_denominator=st.sampled_from(["response_evaluable", "all_treated"]),
        landmark_months=st.sets(st.integers(1, 120), max_size=5).map(lambda months: tuple(sorted(months))),
        month_days=st.sampled_from([Decimal("30.4375"), Decimal(30), Decimal("30.5")]),
        time_zero=st.sampled_from(["first_administration", "diagnosis"]),
        clinical_progression=st.sampled_from(["event", "ignore"]),
        death_in_pfs=st.sampled_from(["event", "censor"]),
        confirmation=st.sampled_from(["none", "required"]),
        confirmation_days=st.integers(1, 100),
        sd_minimum_days=st.integers(0, 100),
        analysis_set=st.sampled_from(["treated", "response_evaluable", "completed"]),
        interval=st.sampled_from(["clopper_pearson", "wilson"]),
    )
)
def test_a_definition_survives_storage_as_json(definition):
    assert EndpointDefinition.from_json(json.loads(json.dumps(definition.to_json()))) == definition


def test_what_storage_left_out_takes_its_default():
    assert EndpointDefinition.from_json({"landmark_months": [11, 14]}) == EndpointDefinition(
        landmark_months=(11, 14)
    )


@pytest.mark.parametrize(
    "data",
    [
        {"new_terapy": "censor"},
        {"new_therapy": "yes"},
        {"missed_assessments": None},
        {"missed_gap_days": 0},
        {"missed_gap_days": True},
        {"missed_gap_days": "238"},
        {"missed_gap_days": 3651},
        {"orr_denominator": "everybody"},
        {"time_zero": "birth"},
        {"clinical_progression": "censor"},
        {"death_in_pfs": "ignore"},
        {"confirmation": True},
        {"confirmation_days": 0},
        {"confirmation_days": "28"},
        {"sd_minimum_days": -1},
        {"sd_minimum_days": 42.0},
        {"analysis_set": "all"},
        {"interval": "wald"},
        {"landmark_months": [12, 6]},
        {"landmark_months": [6, 6]},
        {"landmark_months": [0]},
        {"landmark_months": [1.5]},
        {"landmark_months": "12"},
        {"month_days": "0"},
        {"month_days": "NaN"},
        {"month_days": "a month"},
    ],
)
def test_a_definition_that_is_none_is_refused(data):
    with pytest.raises(ValueError, match=r"expected|unknown"):
        EndpointDefinition.from_json(data)


# Properties

some_days = st.lists(st.integers(-60, 600), max_size=4).map(lambda numbers: days(*numbers))


@st.composite
def any_course(draw: st.DrawFn) -> CourseFacts:
    """Return a course that does not contradict itself: whoever died did so after everything else."""
    given = draw(st.lists(st.integers(0, 400), max_size=4, unique=True).map(sorted))
    facts = course(
        administered_on=days(*given),
        assessments=tuple(
            Assessment(on, draw(st.sampled_from(["CR", "PR", "SD", "NON_CR_NON_PD", "PD", "NE"])))
            for on in draw(some_days)
        ),
        clinical_progressions=draw(some_days),
        new_therapies=draw(some_days),
        known_alive=draw(some_days),
        diagnosed_on=draw(st.one_of(st.none(), st.integers(-400, 0).map(day))),
        plan=PLAN,
        activities_mbq=FULL[: len(given)],
        prescribed_mbq=FULL[: len(given)],
        adverse_events=tuple(AdverseEvent(on, "Nausea", draw(st.integers(1, 5))) for on in draw(some_days)),
    )
    if draw(st.booleans()):
        facts = replace(facts, died_on=day(draw(st.integers(600, 700))), death_cause="other")
    return facts


definitions = st.builds(
    EndpointDefinition,
    new_therapy=st.sampled_from(["ignore", "censor"]),
    missed_assessments=st.sampled_from(["ignore", "censor"]),
    time_zero=st.sampled_from(["first_administration", "diagnosis"]),
    clinical_progression=st.sampled_from(["event", "ignore"]),
    death_in_pfs=st.sampled_from(["event", "censor"]),
    confirmation=st.sampled_from(["none", "required"]),
    sd_minimum_days=st.sampled_from([0, 42]),
)


@given(any_course(), definitions, st.integers(-60, 800))
def test_no_time_ends_after_the_cut_off_and_progression_free_is_never_longer_than_alive(
    facts, definition, cutoff
):
    found = outcome(facts, definition, cutoff=cutoff)

    if found.time_zero is None:
        assert found.pfs is found.os is None
        return
    assert found.pfs is not None
    assert found.os is not None
    assert 0 <= found.pfs.days <= found.os.days <= (day(cutoff) - found.time_zero).days


@given(any_course(), definitions, st.integers(-60, 800), st.randoms())
def test_the_order_in_which_facts_were_entered_changes_nothing(facts, definition, cutoff, random):
    def shuffled(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    names = ("assessments", "clinical_progressions", "new_therapies", "known_alive", "adverse_events")
    reordered = replace(facts, **{name: shuffled(getattr(facts, name)) for name in names})

    assert outcome(reordered, definition, cutoff=cutoff) == outcome(facts, definition, cutoff=cutoff)


@given(any_course(), definitions, st.integers(-60, 800))
def test_a_fact_after_the_cut_off_changes_nothing(facts, definition, cutoff):
    later = tuple(Assessment(day(cutoff + n), response) for n, response in [(1, "CR"), (2, "PD")])
    alive = facts.died_on is None or facts.died_on > day(cutoff)
    more = replace(
        facts,
        assessments=facts.assessments + later,
        later_assessments=later,
        clinical_progressions=(*facts.clinical_progressions, day(cutoff + 1)),
        new_therapies=(day(cutoff + 1), *facts.new_therapies),
        known_alive=(*facts.known_alive, day(cutoff + 300)),
        adverse_events=(*facts.adverse_events, AdverseEvent(day(cutoff + 1), "Nausea", 5)),
        next_course_on=day(cutoff + 1),
    )
    if alive:
        more = replace(
            more,
            died_on=day(cutoff + 1),
            death_cause="disease",
            discontinued_on=day(cutoff + 1),
            discontinuation_reason="renal",
        )

    assert outcome(more, definition, cutoff=cutoff) == outcome(facts, definition, cutoff=cutoff)


@given(any_course(), definitions, st.integers(-60, 800))
def test_how_the_times_of_one_course_lie_to_each_other(facts, definition, cutoff):
    found = outcome(facts, definition, cutoff=cutoff)
    if found.time_zero is None:
        return
    pfs, overall, ttr, dor, ttnt, ttd = (found.pfs, found.os, found.ttr, found.dor, found.ttnt, found.ttd)
    assert pfs
    assert overall
    assert ttr
    assert ttnt
    assert ttd

    assert (dor is not None) == ttr.event
    if dor is not None:
        assert found.best_overall_response in {"CR", "PR"}
        assert (dor.event, dor.on, ttr.days + dor.days) == (pfs.event, pfs.on, pfs.days)
    else:
        assert ttr.on == pfs.on
    assert ttnt.days <= overall.days
    assert ttd.days <= overall.days
    assert min(pfs.days, ttr.days, ttnt.days, ttd.days) >= found.entry_days
    if definition.confirmation == "required":
        assert ttr.event <= (found.confirmed_best_overall_response in {"CR", "PR"})


@given(any_course(), st.integers(-60, 700), st.integers(0, 100))
def test_an_event_once_seen_stays_whatever_comes_later(facts, cutoff, more):
    earlier, later = outcome(facts, cutoff=cutoff), outcome(facts, cutoff=cutoff + more)

    for now, then in ((earlier.pfs, later.pfs), (earlier.os, later.os)):
        if now is not None and now.event:
            assert then == now


def test_reading_a_definition_loads_no_numerical_library():
    """Pages import the definition; lifelines, scipy and pandas would cost each process seconds."""
    code = "import sys, analytics.rules.endpoints; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"django", "numpy", "scipy", "pandas", "lifelines"} & set(loaded)
