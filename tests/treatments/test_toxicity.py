"""Toxicity per cycle. Expected values are worked by hand; the first example is the page's (docs/rules/toxicity.md)."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treatments.rules.advice import EventFact
from treatments.rules.toxicity import (
    CycleEvents,
    CycleToxicity,
    EventSummary,
    Point,
    Summary,
    summarise,
    worst_of_events,
)

START = date(2019, 1, 7)


def day(number: int) -> date:
    return START + timedelta(number)


def points(text: str) -> list[Point]:
    """Return "28:70/2 35:90/?" as values of those days with grades 2 and unknown."""
    found = []
    for entry in text.split():
        on, _, rest = entry.partition(":")
        value, _, grade = rest.partition("/")
        found.append(Point(day(int(on)), Decimal(value), None if grade == "?" else int(grade)))
    return found


def summary(text, given_days=(0, 56), direction="low", ends=None) -> Summary:
    ends_on = None if ends is None else day(ends)
    return summarise(
        points(text), given_on=[day(n) for n in given_days], direction=direction, ends_on=ends_on
    )


def recoveries(result: Summary) -> list[int | None]:
    return [cycle.recovery_day for cycle in result.per_cycle]


def test_the_worked_example_of_the_page():
    series = [
        Point(date(2019, 1, 7), Decimal(180), 0),
        Point(date(2019, 2, 4), Decimal(70), 2),
        Point(date(2019, 2, 11), Decimal(90), 1),
        Point(date(2019, 3, 4), Decimal(155), 0),
        Point(date(2019, 4, 8), Decimal(48), 3),
        Point(date(2019, 5, 6), Decimal(110), 1),
        Point(date(2019, 7, 1), Decimal(160), 0),
    ]

    assert summarise(
        series,
        given_on=[date(2019, 1, 7), date(2019, 3, 4)],
        direction="low",
        ends_on=date(2019, 6, 30),
    ) == Summary(
        per_cycle=(
            CycleToxicity(1, 2, Decimal(70), date(2019, 2, 4), 28, date(2019, 3, 4), 56),
            CycleToxicity(2, 3, Decimal(48), date(2019, 4, 8), 35, None, None),
        ),
        worst_grade=3,
        extreme=Decimal(48),
        extreme_on=date(2019, 4, 8),
        baseline=Point(date(2019, 1, 7), Decimal(180), 0),
    )


def test_where_high_is_worse_the_extreme_is_the_peak():
    result = summary("-3:30/0 14:160/2 28:90/1 70:45/0", direction="high")

    assert result.per_cycle == (
        CycleToxicity(1, 2, Decimal(160), day(14), 14, day(70), 70),
        CycleToxicity(2, 0, Decimal(45), day(70), 14, None, None),
    )
    assert (result.worst_grade, result.extreme, result.extreme_on) == (2, Decimal(160), day(14))


def test_without_values_the_cycles_are_there_and_empty():
    assert summary("") == Summary((CycleToxicity(1), CycleToxicity(2)), None, None, None, None)


def test_without_a_cycle_there_is_nothing_to_sum_up():
    assert summary("0:60/2", given_days=()) == Summary((), None, None, None, None)


def test_a_cycle_without_values_between_others_is_empty():
    result = summary("0:180/0 28:70/2 120:150/0", given_days=(0, 56, 112))

    assert result.per_cycle[1] == CycleToxicity(2)
    assert recoveries(result) == [120, None, None]


def test_a_sample_of_the_day_of_an_administration_belongs_to_the_time_before():
    result = summary("0:40/3 56:60/2 57:100/1")

    assert result.baseline == Point(day(0), Decimal(40), 3)
    assert [(c.worst_grade, c.extreme, c.extreme_day) for c in result.per_cycle] == [
        (2, Decimal(60), 56),
        (1, Decimal(100), 1),
    ]


def test_values_up_to_the_end_count_and_later_ones_do_not():
    inside, outside = summary("60:60/2 90:40/3", ends=90), summary("60:60/2 91:40/3", ends=90)

    assert inside.per_cycle[1].extreme == Decimal(40)
    assert inside.worst_grade == 3
    assert outside.per_cycle[1].extreme == Decimal(60)
    assert outside.worst_grade == 2
    assert recoveries(summary("0:180/0 60:60/2 91:160/0", ends=90)) == [None, None]


def test_the_first_of_equal_extremes_is_named():
    assert summary("20:70/2 30:70/2").per_cycle[0].extreme_day == 20


def test_a_value_without_a_grade_counts_as_extreme_but_has_no_grade():
    result = summary("0:180/0 20:60/? 30:70/2 40:160/?")

    assert result.per_cycle[0] == CycleToxicity(1, 2, Decimal(60), day(20), 20, None, None)


def test_only_values_without_a_grade_leave_the_grade_unknown():
    cycle = summary("0:180/0 20:60/? 40:160/0", given_days=(0, 30)).per_cycle[0]

    assert cycle == CycleToxicity(1, None, Decimal(60), day(20), 20, None, None)


# Recovery


@pytest.mark.parametrize(
    ("baseline", "after", "day_of_recovery"),
    [
        ("0:180/0", "40:160/0", 40),
        ("0:180/0", "40:120/1", None),
        ("0:120/1", "40:120/1", 40),
        ("0:120/1", "40:70/2", None),
        ("0:180/?", "40:120/1", 40),
        ("0:180/?", "40:70/2", None),
        ("", "40:120/1", 40),
        ("", "40:70/2", None),
    ],
)
def test_recovery_is_a_return_to_the_grade_of_the_baseline(baseline, after, day_of_recovery):
    assert recoveries(summary(f"{baseline} 20:45/3 {after}", given_days=(0,))) == [day_of_recovery]


@pytest.mark.parametrize(
    "text", ["0:180/0 20:160/0 40:170/0", "0:120/1 20:100/1 40:120/1", "20:100/1 40:160/0"]
)
def test_without_a_grade_above_the_baseline_there_is_nothing_to_recover_from(text):
    assert recoveries(summary(text, given_days=(0,))) == [None]


def test_a_day_with_a_bad_value_is_no_recovery():
    assert recoveries(summary("0:180/0 20:60/2 40:160/0 40:70/2 45:160/0", given_days=(0,))) == [45]


def test_a_better_value_before_the_nadir_is_no_recovery():
    assert recoveries(summary("0:180/0 10:70/2 15:160/0 20:60/2", given_days=(0,))) == [None]


def test_a_worst_grade_after_the_extreme_is_what_must_be_recovered_from():
    # The nadir came first without a grade; at day 25 all was well, at day 30 it was not.
    assert recoveries(summary("0:180/0 20:60/? 25:160/0 30:65/2 40:160/0", given_days=(0,))) == [40]


def test_of_two_baselines_on_one_day_the_better_counts():
    low, high = summary("0:100/1 0:180/0"), summary("0:100/1 0:180/2", direction="high")

    assert low.baseline == Point(day(0), Decimal(180), 0)
    assert high.baseline == Point(day(0), Decimal(100), 1)


def test_the_last_baseline_counts_not_the_best():
    assert summary("-20:200/0 -3:120/1 1:90/1").baseline == Point(day(-3), Decimal(120), 1)


@given(seed=st.integers(0, 10**9), direction=st.sampled_from(["low", "high"]))
def test_the_order_of_entry_never_matters(seed, direction):
    draw = random.Random(seed)
    series = [
        Point(day(draw.randrange(-10, 90)), Decimal(draw.choice([40, 60, 90])), draw.choice([None, 0, 1, 2]))
        for _ in range(draw.randrange(20))
    ]
    cycles = [day(0), day(30), day(60)]
    shuffled = draw.sample(series, len(series))

    assert summarise(series, given_on=cycles, direction=direction, ends_on=None) == summarise(
        shuffled, given_on=cycles[::-1], direction=direction, ends_on=None
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"direction": "down"}, 'expected "low" or "high"'),
        ({"given_on": [day(0), day(0)]}, "expected each day once"),
        ({"ends_on": day(55)}, "expected a day from the last cycle's, 2019-03-04"),
        ({"points": [Point(day(1), Decimal("NaN"), None)]}, "value NaN on 2019-01-08"),
    ],
)
def test_what_cannot_be_summed_up_is_refused(change, words):
    arguments = {"points": [], "given_on": [day(0), day(56)], "direction": "low", "ends_on": day(56)}
    assert len(summarise(**arguments).per_cycle) == 2

    with pytest.raises(ValueError, match=words):
        summarise(**arguments | change)


# Adverse events


def event(term: str, grade: int, onset: int) -> EventFact:
    return EventFact(term=term, grade=grade, onset_on=day(onset), resolved_on=None)


def test_the_worst_event_per_cycle_and_of_the_course():
    events = [
        event("Pain", 4, -1),
        event("Nausea", 2, 0),
        event("Vomiting", 1, 3),
        event("Fatigue", 2, 55),
        event("Nausea", 3, 56),
    ]

    assert worst_of_events(events, [day(56), day(0), day(112)]) == EventSummary(
        per_cycle=(
            CycleEvents(1, 2, ("Fatigue", "Nausea")),
            CycleEvents(2, 3, ("Nausea",)),
            CycleEvents(3, None, ()),
        ),
        worst_grade=3,
        terms=("Nausea",),
    )


@pytest.mark.parametrize(("ends", "worst"), [(10, 3), (9, None)])
def test_events_up_to_the_end_count(ends, worst):
    assert worst_of_events([event("Nausea", 3, 10)], [day(0)], ends_on=day(ends)).worst_grade == worst


def test_without_a_cycle_no_event_counts():
    assert worst_of_events([event("Nausea", 3, 10)], []) == EventSummary((), None, ())
