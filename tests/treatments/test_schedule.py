"""When cycles and imaging are planned, why then, and whether they are due. Dates are counted by hand from a calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treatments.rules.schedule import (
    HoldFact,
    course_state,
    delay_days,
    due_state,
    plan_cycles,
    plan_imaging,
    window_words,
)

NBSP = "\N{NO-BREAK SPACE}"
FOUR = range(1, 5)


def plan(**facts):
    return plan_cycles(**{"numbers": FOUR, "interval_days": 56, "given_on": {}} | facts)


def dates(**facts) -> dict[int, date | None]:
    return {number: planned.planned_on for number, planned in plan(**facts).items()}


def why(number: int, **facts) -> str:
    return plan(**facts)[number].why.replace(NBSP, " ")


def test_before_the_first_cycle_everything_hangs_on_the_day_it_is_set_for():
    assert dates(set_on={1: date(2026, 1, 5)}) == {
        1: date(2026, 1, 5),
        2: date(2026, 3, 2),
        3: date(2026, 4, 27),
        4: date(2026, 6, 22),
    }
    assert why(1, set_on={1: date(2026, 1, 5)}) == "Start of the course, set by hand"
    assert why(2, set_on={1: date(2026, 1, 5)}) == "8 weeks after cycle 1, planned 2026-01-05"


def test_without_a_day_for_the_first_cycle_nothing_is_planned():
    assert dates() == {1: None, 2: None, 3: None, 4: None}
    assert why(1) == "No day is set for the start of the course"
    assert why(2) == "8 weeks after cycle 1, which has no date"


def test_what_follows_is_counted_from_the_last_cycle_given():
    given_on = {1: date(2026, 1, 12), 2: date(2026, 3, 23)}

    assert dates(given_on=given_on, set_on={1: date(2026, 1, 5)}) == {
        3: date(2026, 5, 18),
        4: date(2026, 7, 13),
    }
    assert why(3, given_on=given_on) == "8 weeks after cycle 2, given 2026-03-23"


def test_an_interval_crosses_a_leap_day():
    assert dates(given_on={1: date(2024, 1, 29)})[2] == date(2024, 3, 25)
    assert dates(given_on={1: date(2023, 1, 29)})[2] == date(2023, 3, 26)


def test_a_hold_moves_its_cycle_to_the_day_it_ended_and_what_follows_along():
    facts = {
        "given_on": {1: date(2019, 1, 7), 2: date(2019, 3, 4)},
        "holds": {3: [HoldFact(date(2019, 4, 20), date(2019, 5, 20), is_open=False)]},
    }

    assert dates(**facts) == {3: date(2019, 5, 20), 4: date(2019, 7, 15)}
    assert plan(**facts)[3].moved_days == 21
    assert (
        why(3, **facts) == "8 weeks after cycle 2, given 2019-03-04; moved 3 weeks by the hold of 2019-04-20"
    )
    assert why(4, **facts) == "8 weeks after cycle 3, planned 2019-05-20"


@pytest.mark.parametrize(
    ("until_on", "planned_on"),
    [
        (date(2019, 4, 28), date(2019, 4, 29)),
        (date(2019, 4, 29), date(2019, 4, 29)),
        (date(2019, 4, 30), date(2019, 4, 30)),
    ],
)
def test_a_hold_that_ended_before_the_protocols_day_moves_nothing(until_on, planned_on):
    holds = {3: [HoldFact(date(2019, 4, 20), until_on, is_open=False)]}

    assert dates(given_on={2: date(2019, 3, 4)}, holds=holds)[3] == planned_on


def test_an_open_hold_moves_its_cycle_to_the_day_of_its_review():
    facts = {
        "given_on": {1: date(2019, 1, 7), 2: date(2019, 3, 4)},
        "holds": {3: [HoldFact(date(2019, 4, 20), date(2019, 5, 6), is_open=True)]},
    }

    assert dates(**facts)[3] == date(2019, 5, 6)
    assert why(3, **facts) == (
        "8 weeks after cycle 2, given 2019-03-04; moved 1 week by the hold of 2019-04-20, to be reviewed 2019-05-06"
    )


def test_an_open_hold_without_a_day_of_review_keeps_the_protocols_day_and_says_so():
    facts = {
        "given_on": {2: date(2019, 3, 4)},
        "holds": {3: [HoldFact(date(2019, 4, 20), None, is_open=True)]},
    }

    assert dates(**facts)[3] == date(2019, 4, 29)
    assert why(3, **facts).endswith("; on hold since 2019-04-20, no day of review is set")


def test_two_holds_of_one_cycle_are_both_named():
    holds = {
        3: [
            HoldFact(date(2019, 5, 8), date(2019, 5, 20), is_open=False),
            HoldFact(date(2019, 4, 20), date(2019, 5, 6), is_open=False),
        ]
    }

    assert why(3, given_on={2: date(2019, 3, 4)}, holds=holds) == (
        "8 weeks after cycle 2, given 2019-03-04; moved 1 week by the hold of 2019-04-20;"
        " moved 2 weeks by the hold of 2019-05-08"
    )


def test_a_day_set_by_hand_goes_before_the_protocols_and_says_what_that_was():
    facts = {"given_on": {2: date(2019, 3, 4)}, "set_on": {3: date(2019, 5, 2)}}

    assert dates(**facts) == {3: date(2019, 5, 2), 4: date(2019, 6, 27), 1: None}
    assert (
        why(3, **facts)
        == "Set by hand; the protocol says 2019-04-29, 8 weeks after cycle 2, given 2019-03-04"
    )


def test_a_day_set_by_hand_that_the_course_has_passed_is_not_kept():
    assert dates(given_on={2: date(2019, 5, 2)}, set_on={3: date(2019, 5, 2)})[3] == date(2019, 6, 27)
    assert dates(given_on={2: date(2019, 5, 2)}, set_on={3: date(2019, 5, 3)})[3] == date(2019, 5, 3)


def test_a_cancelled_cycle_is_passed_over():
    facts = {"given_on": {1: date(2019, 1, 7), 2: date(2019, 3, 4)}, "cancelled": {3}}

    assert dates(**facts) == {4: date(2019, 4, 29)}
    assert why(4, **facts) == "8 weeks after cycle 2, given 2019-03-04"


def test_an_interval_below_a_day_is_refused():
    with pytest.raises(ValueError, match="0 d"):
        plan(interval_days=0)


# Properties


DAYS = st.dates(date(2015, 1, 1), date(2035, 1, 1))


@st.composite
def courses(draw) -> dict:
    n = draw(st.integers(1, 8))
    interval_days = draw(st.integers(1, 120))
    n_given = draw(st.integers(0, n))
    first = draw(DAYS)
    given_on, on = {}, first
    for number in range(1, n_given + 1):
        given_on[number] = on
        on += timedelta(days=draw(st.integers(1, 200)))
    to_come = range(n_given + 1, n + 1)
    holds = {}
    for number in to_come:
        spans = draw(st.lists(st.tuples(DAYS, st.integers(0, 200), st.booleans()), max_size=2))
        holds[number] = [HoldFact(day, day + timedelta(days=long), is_open) for day, long, is_open in spans]
    set_on = {number: draw(DAYS) for number in to_come if draw(st.booleans())}
    cancelled = {number for number in to_come if draw(st.integers(0, 4)) == 0}
    return {
        "numbers": range(1, n + 1),
        "interval_days": interval_days,
        "given_on": given_on,
        "set_on": set_on,
        "holds": holds,
        "cancelled": cancelled,
    }


@settings(max_examples=300, deadline=None)
@given(courses())
def test_planned_dates_never_lie_before_a_given_one_and_never_out_of_order(course):
    planned = [one.planned_on for _, one in sorted(plan_cycles(**course).items()) if one.planned_on]

    assert planned == sorted(set(planned))
    if course["given_on"] and planned:
        assert planned[0] > max(course["given_on"].values())


@settings(max_examples=200, deadline=None)
@given(courses())
def test_planning_again_what_was_planned_changes_nothing(course):
    once = plan_cycles(**course)
    set_on = {number: one.planned_on for number, one in once.items() if one.planned_on}
    again = plan_cycles(**course | {"set_on": set_on})

    assert {number: one.planned_on for number, one in again.items()} == {
        number: one.planned_on for number, one in once.items()
    }


@settings(max_examples=200, deadline=None)
@given(courses(), st.integers(0, 55))
def test_a_hold_that_is_resumed_before_the_planned_date_leaves_the_plan_as_the_protocol_has_it(course, early):
    course |= {"holds": {}}
    unheld = plan_cycles(**course)
    for number, one in unheld.items():
        if one.planned_on is None:
            continue
        until_on = one.planned_on - timedelta(days=early)
        held = plan_cycles(
            **course | {"holds": {number: [HoldFact(until_on - timedelta(days=7), until_on, is_open=False)]}}
        )
        assert {n: o.planned_on for n, o in held.items()} == {n: o.planned_on for n, o in unheld.items()}


@settings(max_examples=100, deadline=None)
@given(courses(), st.randoms(use_true_random=False))
def test_the_order_in_which_holds_are_told_does_not_matter(course, chance):
    shuffled = {}
    for number, holds in course["holds"].items():
        shuffled[number] = list(holds)
        chance.shuffle(shuffled[number])

    assert plan_cycles(**course | {"holds": shuffled}) == plan_cycles(**course)


# Imaging


def imaging(**facts) -> list[tuple]:
    found = plan_imaging(
        **{
            "cycle_dates": {
                1: date(2026, 1, 5),
                2: date(2026, 3, 2),
                3: date(2026, 4, 27),
                4: date(2026, 6, 22),
            },
            "given": {1},
            "after_cycles": [2, 4],
            "due_days": 56,
        }
        | facts
    )
    return [(one.timepoint, one.after_cycle, one.from_on, one.by_on) for one in found]


def test_imaging_is_planned_at_baseline_after_cycles_and_after_completion():
    assert imaging(after_completion_days=[90], baseline_within_days=90) == [
        ("baseline", None, date(2025, 10, 7), date(2026, 1, 5)),
        ("interim", 2, date(2026, 3, 2), date(2026, 4, 27)),
        ("post", 4, date(2026, 6, 22), date(2026, 8, 17)),
        ("follow_up", 4, date(2026, 9, 20), date(2026, 9, 20)),
    ]


def test_imaging_says_which_cycle_it_hangs_on():
    found = plan_imaging(
        cycle_dates={1: date(2026, 1, 5), 2: None},
        given={1},
        after_cycles=[1, 2],
        due_days=56,
        baseline_within_days=28,
    )

    assert [one.why.replace(NBSP, " ") for one in found] == [
        "Before cycle 1, given 2026-01-05, at most 4 weeks old",
        "Within 8 weeks after cycle 1, given 2026-01-05",
        "Within 8 weeks after cycle 2, which has no date",
    ]


def test_without_cycles_no_imaging_is_planned():
    assert imaging(cycle_dates={}) == []


# Due, delay, state


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 3, 1), "upcoming"),
        (date(2026, 3, 2), "in_window"),
        (date(2026, 3, 9), "in_window"),
        (date(2026, 3, 16), "in_window"),
        (date(2026, 3, 17), "overdue"),
    ],
)
def test_a_window_includes_both_its_ends(today, state):
    assert due_state(planned_on=date(2026, 3, 9), window_days=7, today=today) == state


@pytest.mark.parametrize(
    ("given_on", "said"),
    [
        (date(2026, 3, 1), "8 d early: planned 2026-03-09, window ± 7 d"),
        (date(2026, 3, 2), ""),
        (date(2026, 3, 16), ""),
        (date(2026, 3, 17), "8 d late: planned 2026-03-09, window ± 7 d"),
        (date(2026, 3, 23), "2 weeks late: planned 2026-03-09, window ± 7 d"),
    ],
)
def test_outside_the_window_it_is_said_by_how_much(given_on, said):
    words = window_words(given_on=given_on, planned_on=date(2026, 3, 9), window_days=7)

    assert words.replace(NBSP, " ") == said


def test_a_delay_is_counted_from_the_protocols_day():
    assert delay_days(protocol_on=date(2026, 3, 9), today=date(2026, 3, 8)) == 0
    assert delay_days(protocol_on=date(2026, 3, 9), today=date(2026, 6, 29)) == 112
    assert delay_days(protocol_on=None, today=date(2026, 6, 29)) == 0


@pytest.mark.parametrize(
    ("n_given", "cancelled", "discontinued", "state"),
    [
        (0, 0, False, "ongoing"),
        (3, 0, False, "ongoing"),
        (4, 0, False, "completed"),
        (3, 1, False, "completed"),
        (2, 1, False, "ongoing"),
        (0, 4, False, "ongoing"),
        (2, 0, True, "discontinued"),
    ],
)
def test_how_a_course_stands_follows_from_its_facts(n_given, cancelled, discontinued, state):
    found = course_state(given=n_given, cancelled=cancelled, planned_cycles=4, discontinued=discontinued)

    assert found == state
