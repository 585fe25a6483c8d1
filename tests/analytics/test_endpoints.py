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
    Assessment,
    CourseFacts,
    DerivedOutcome,
    EndpointDefinition,
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
    """Return "120:PR 240:PD" as assessments."""
    pairs = (reading.split(":") for reading in text.split())
    return tuple(Assessment(day(int(n)), response) for n, response in pairs)


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
    )
    if draw(st.booleans()):
        facts = replace(facts, died_on=day(draw(st.integers(600, 700))), death_cause="other")
    return facts


definitions = st.builds(
    EndpointDefinition,
    new_therapy=st.sampled_from(["ignore", "censor"]),
    missed_assessments=st.sampled_from(["ignore", "censor"]),
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

    names = ("assessments", "clinical_progressions", "new_therapies", "known_alive")
    reordered = replace(facts, **{name: shuffled(getattr(facts, name)) for name in names})

    assert outcome(reordered, definition, cutoff=cutoff) == outcome(facts, definition, cutoff=cutoff)


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
