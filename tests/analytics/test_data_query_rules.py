"""What is asked of a patient's records, on both sides of every boundary."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from analytics.rules.data_queries import (
    RULES,
    CourseFacts,
    GivenCycle,
    OpenCycle,
    PatientFacts,
    PlanFacts,
    StudyFact,
    find,
    words,
)

TODAY = date(2026, 6, 1)
PLAN = PlanFacts(labs_before_cycle=("platelets", "alt"), imaging_after_cycles=(2, 4))
LABS = ("platelets", "alt")


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def given(number: int, on: date, **values) -> GivenCycle:
    values.setdefault("latest_lab_on", dict.fromkeys(LABS, on))
    values.setdefault("prescribed_mbq", Decimal(7400))
    values.setdefault("net_mbq", Decimal(7400))
    return GivenCycle(id=f"y{number}", number=number, administration_id=f"a{number}", given_on=on, **values)


BASELINE = StudyFact("s0", True, days_ago(200))
FIRST = given(1, days_ago(20))
# Nothing is asked of this one.
COURSE = CourseFacts("c1", 1, PLAN, (FIRST,), OpenCycle("y2", 2, TODAY), studies=(BASELINE,))
PATIENT = PatientFacts("p", days_ago(300), last_alive_on=days_ago(20), courses=(COURSE,))


def with_course(patient: PatientFacts = PATIENT, **values) -> PatientFacts:
    return replace(patient, courses=(replace(COURSE, **values),))


def rules_of(patient: PatientFacts) -> list[str]:
    return [found.rule for found in find(patient, TODAY)]


def test_nothing_is_asked_of_a_complete_record():
    assert rules_of(PATIENT) == []


@pytest.mark.parametrize(("age_days", "asked"), [(0, False), (14, False), (15, True)])
def test_laboratory_values_may_be_as_old_as_the_protocol_says(age_days, asked):
    on = days_ago(20)
    cycle = given(1, on, latest_lab_on={"platelets": on - timedelta(days=age_days), "alt": on})
    found = find(with_course(given=(cycle,)), TODAY)

    assert [one.rule for one in found] == ["labs_missing"] * asked
    if asked:
        assert found[0].facts["missing"] == []
        assert found[0].facts["old"] == {"platelets": "2026-04-27"}
        assert (found[0].record_kind, found[0].record_id, found[0].course_id) == ("cycle", "y1", "c1")


def test_a_value_that_was_never_measured_is_asked_for_and_one_that_the_protocol_does_not_want_is_not():
    cycle = given(1, days_ago(20), latest_lab_on={"platelets": days_ago(21)})

    (found,) = find(with_course(given=(cycle,)), TODAY)

    assert found.facts["missing"] == ["alt"]
    assert "not measured before it: ALT" in words(found.rule, found.facts)[1]
    assert rules_of(with_course(given=(cycle,), plan=replace(PLAN, labs_before_cycle=("platelets",)))) == []


@pytest.mark.parametrize(
    ("net_mbq", "asked"),
    [("5919.9", True), ("5920", False), ("8880", False), ("8880.1", True)],
)
def test_an_activity_is_asked_about_past_twenty_percent_to_either_side(net_mbq, asked):
    cycle = given(1, days_ago(20), net_mbq=Decimal(net_mbq))

    assert rules_of(with_course(given=(cycle,))) == ["activity_deviation"] * asked
    assert rules_of(with_course(given=(replace(cycle, is_explained=True),))) == []


@pytest.mark.parametrize(("days", "asked"), [(35, False), (36, True)])
def test_a_planned_cycle_is_asked_for_four_weeks_after_its_window(days, asked):
    cycle = OpenCycle("y2", 2, days_ago(days))

    assert rules_of(with_course(next_open=cycle)) == ["cycle_date_past"] * asked
    assert rules_of(with_course(next_open=replace(cycle, is_held=True))) == []
    assert rules_of(with_course(next_open=replace(cycle, planned_on=None))) == []


@pytest.mark.parametrize(("days", "asked"), [(-1, False), (0, False), (1, True)])
def test_a_baseline_lies_before_the_first_cycle_or_on_its_day(days, asked):
    late = replace(BASELINE, performed_on=FIRST.given_on + timedelta(days=days))

    assert rules_of(with_course(studies=(late,))) == ["baseline_missing"] * asked


def test_a_course_that_was_begun_without_a_baseline_is_asked_about_and_one_not_begun_is_not():
    assert rules_of(with_course(studies=())) == ["baseline_missing"]
    assert rules_of(with_course(studies=(), given=())) == []


@pytest.mark.parametrize(("days", "asked"), [(56, False), (57, True)])
def test_the_study_after_cycle_2_is_asked_for_when_its_days_have_passed(days, asked):
    cycles = (given(1, days_ago(days + 56)), given(2, days_ago(days)))
    course = {"given": cycles, "next_open": OpenCycle("y3", 3, TODAY)}
    patient = with_course(**course)

    found = find(patient, TODAY)
    assert [one.rule for one in found] == ["imaging_missing"] * asked
    if asked:
        assert (found[0].record_id, found[0].facts["due_on"]) == ("y2", "2026-05-31")

    def with_study(on: date) -> list[str]:
        return rules_of(with_course(**course, studies=(BASELINE, StudyFact("s1", False, on))))

    assert with_study(cycles[1].given_on) == []
    assert with_study(cycles[1].given_on - timedelta(days=1)) == ["imaging_missing"] * asked


def test_a_study_after_cycle_4_is_not_the_one_after_cycle_2():
    cycles = tuple(given(n, days_ago(280 - 56 * n)) for n in (1, 2, 3, 4))  # cycle 4 was 56 days ago
    baseline = replace(BASELINE, performed_on=days_ago(300))
    late = StudyFact("s1", False, cycles[3].given_on + timedelta(days=1))
    on_the_day = StudyFact("s1", False, cycles[3].given_on)

    def asked(*studies: StudyFact) -> list[str]:
        return rules_of(with_course(given=cycles, next_open=None, studies=(baseline, *studies)))

    assert asked(late) == ["imaging_missing"]
    assert asked(on_the_day) == []


@pytest.mark.parametrize(("days", "asked"), [(56, False), (57, True)])
def test_a_complete_course_is_to_have_a_study_after_its_last_cycle(days, asked):
    plan = replace(PLAN, imaging_after_cycles=(2,))
    cycles = (given(1, days_ago(days + 56)), given(2, days_ago(days)))
    for of_protocol in (plan, replace(PLAN, imaging_after_cycles=())):
        complete = {"plan": of_protocol, "given": cycles, "next_open": None}
        found = find(with_course(**complete), TODAY)

        # Said once, although the protocol asks for a study after this very cycle.
        assert [one.rule for one in found] == ["final_imaging_missing"] * asked
        on_the_day = StudyFact("s1", False, cycles[1].given_on)
        assert rules_of(with_course(**complete, studies=(BASELINE, on_the_day))) == []


@pytest.mark.parametrize(("days_before_due", "asked"), [(0, False), (-1, True)])
def test_no_study_is_asked_of_who_had_died_or_stopped_by_the_day_it_was_due(days_before_due, asked):
    cycles = (given(1, days_ago(156)), given(2, days_ago(100)))
    ended_on = days_ago(100 - 56) - timedelta(days=days_before_due)
    stopped = with_course(given=cycles, next_open=None, discontinued_on=ended_on)
    dead = replace(with_course(given=cycles, next_open=None), died_on=ended_on)

    assert rules_of(stopped) == ["imaging_missing"] * asked
    assert rules_of(dead) == ["final_imaging_missing"] * asked


def test_a_death_without_a_cause_is_asked_about():
    dead = replace(with_course(next_open=None), died_on=days_ago(5), death_id="d")

    assert rules_of(dead) == []
    (found,) = find(replace(dead, is_cause_known=False), TODAY)
    assert (found.rule, found.record_id) == ("death_cause_unknown", "d")


def test_a_dead_patients_course_is_to_be_ended_and_nothing_else_of_it_is_due():
    long_past = OpenCycle("y2", 2, days_ago(100))
    dead = replace(with_course(next_open=long_past), died_on=days_ago(5), last_alive_on=days_ago(300))

    assert rules_of(dead) == ["course_open_after_death"]


def pd(days: int, **values) -> PatientFacts:
    return with_course(studies=(BASELINE, StudyFact("s1", False, days_ago(days), "PD")), **values)


@pytest.mark.parametrize(("days", "asked"), [(28, False), (29, True)])
def test_a_progression_on_imaging_is_to_be_noted_within_four_weeks(days, asked):
    patient = pd(days, given=(given(1, days_ago(50)), given(2, days_ago(10))))
    found = find(patient, TODAY)

    assert [one.rule for one in found] == ["progression_not_noted"] * asked
    if asked:
        assert found[0].facts["cycle"] == 2
        on = days_ago(days)
        before = on - timedelta(days=1)
        assert rules_of(replace(patient, therapies=(before,))) == ["progression_not_noted"]
        assert rules_of(replace(patient, therapies=(on,))) == []
        assert rules_of(replace(patient, progressions=(days_ago(50),))) == []
        assert rules_of(replace(patient, progressions=(days_ago(51),))) == ["progression_not_noted"]
        assert "progression_not_noted" not in rules_of(replace(patient, died_on=TODAY))


def test_a_course_that_was_stopped_for_progression_or_followed_by_another_has_it_noted():
    patient = pd(40, next_open=None, discontinued_on=days_ago(39))

    assert rules_of(patient) == ["progression_not_noted"]
    assert (
        rules_of(pd(40, next_open=None, discontinued_on=days_ago(39), is_discontinued_for_progression=True))
        == []
    )
    again = replace(COURSE, id="c2", number=2, given=(given(1, days_ago(10)),))
    assert rules_of(replace(patient, courses=(*patient.courses, again))) == []


@pytest.mark.parametrize("response", ["CR", "PR", "SD", "NE", "NON_CR_NON_PD", ""])
def test_no_other_response_is_asked_about(response):
    patient = with_course(studies=(BASELINE, StudyFact("s1", False, days_ago(60), response)))

    assert rules_of(patient) == []


@pytest.mark.parametrize(("days", "asked"), [(182, False), (183, True)])
def test_news_of_a_treated_patient_is_asked_for_after_six_months(days, asked):
    # A month is 30.4375 d: six are 182.6 d.
    patient = replace(PATIENT, last_alive_on=days_ago(days))

    assert rules_of(patient) == ["follow_up_old"] * asked
    assert rules_of(replace(with_course(patient, next_open=None), died_on=days_ago(1))) == []
    assert rules_of(replace(with_course(patient, given=()), last_alive_on=days_ago(days))) == []


@pytest.mark.parametrize(("days", "asked"), [(7, False), (8, True)])
def test_a_diagnosis_is_asked_for_a_week_after_registration_or_as_soon_as_treatment_begins(days, asked):
    new = PatientFacts("p", days_ago(days), has_diagnosis=False)

    assert rules_of(new) == ["diagnosis_missing"] * asked
    assert rules_of(replace(new, has_diagnosis=True)) == []
    assert rules_of(replace(PATIENT, has_diagnosis=False, registered_on=TODAY)) == ["diagnosis_missing"]


def test_every_rule_is_worded_and_its_facts_do_not_move_with_the_calendar():
    cycles = (
        given(1, days_ago(300), net_mbq=Decimal(5000), latest_lab_on={}),
        given(2, days_ago(250), latest_lab_on={"platelets": days_ago(280)}),
    )
    progressed = StudyFact("s1", False, days_ago(270), "PD")
    alive = replace(
        with_course(given=cycles, next_open=OpenCycle("y3", 3, days_ago(194)), studies=(progressed,)),
        has_diagnosis=False,
        last_alive_on=days_ago(250),
    )
    complete = with_course(given=cycles, studies=())
    complete = replace(complete, courses=(replace(complete.courses[0], next_open=None),))
    dead = replace(alive, died_on=days_ago(240), death_id="d", is_cause_known=False)
    found = [one for patient in (alive, complete, dead) for one in find(patient, TODAY)]
    later = [one for patient in (alive, complete, dead) for one in find(patient, TODAY + timedelta(days=9))]

    assert {one.rule for one in found} == set(RULES)
    assert found == later
    for one in found:
        what, why = words(one.rule, one.facts)
        assert what
        assert why.endswith(".")
        assert "None" not in what + why
    with pytest.raises(KeyError):
        words("unheard_of", {})
