"""Kaplan-Meier and fixed-horizon rates against R's survival package and by property.

The reference values stand in survfit_reference.json, made by survfit_reference.R beside it. No test needs R.
"""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from analytics.rules.endpoints import MONTH_DAYS
from analytics.rules.response import clopper_pearson
from analytics.rules.restricted_mean import RestrictedMean, restricted_mean
from analytics.rules.survival import (
    MAX_PATIENTS,
    Curve,
    EventTable,
    HorizonThresholds,
    LandmarkSurvival,
    Quantile,
    Refused,
    fixed_horizon,
    horizon_days,
    horizon_state,
    horizon_thresholds,
    kaplan_meier,
    median_follow_up,
    median_follow_up_days,
    numbers_at_risk,
    quantile,
    quartiles,
    survival_at,
)

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("survfit_reference.json").read_text()
)

every_case = pytest.mark.parametrize("case", REFERENCE.values(), ids=REFERENCE.keys())
patients = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60)


late_patients = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 30), st.booleans()).map(
        lambda row: (row[0] + row[1], row[2], row[0])
    ),
    min_size=1,
    max_size=60,
)


def table_of(case: dict[str, Any]) -> EventTable:
    counts: dict[bool, dict[int, int]] = {True: {}, False: {}}
    for day, event, n in case["counts"]:
        counts[event][day] = n
    return EventTable.from_arrays(
        list(counts[True]),
        list(counts[True].values()),
        list(counts[False]),
        list(counts[False].values()),
        case["entries"],
        [1] * len(case["entries"]),
    )


def table_from(text: str) -> EventTable:
    """Return the table of days in words: "3 5+ 5" is an event on 3 and 5, one censored on 5."""
    return EventTable.from_rows((int(day.rstrip("+")), not day.endswith("+")) for day in text.split())


def lower_limit_rises(curve: Curve) -> bool:
    """Say whether the lower limit is above an earlier one, as happens where late entry starts with few at risk.

    R takes its limits of quantiles by interpolation in columns that never rise, and then names days after the
    estimate itself: for "random 24" a first quartile on day 1 with limits from 39 to 21.
    """
    limits = [limit for limit in curve.lower if limit is not None]
    return limits != sorted(limits, reverse=True)


def assert_close(found: Sequence[float | None], expected: Sequence[float | None]) -> None:
    """Pass when both agree to 12 digits and are None at the same places."""
    assert [value is None for value in found] == [value is None for value in expected]
    numbers = [value for value in expected if value is not None]
    assert [value for value in found if value is not None] == pytest.approx(numbers, rel=1e-12, abs=0)


# Against R


@every_case
def test_curve_and_limits_equal_r(case):
    """R: survfit(Surv(days, event) ~ 1, conf.type = "log-log"), fields time, n.risk … lower, upper.

    With late entry: survfit(Surv(entry, days, event) ~ 1, conf.type = "log-log").
    """
    curve = kaplan_meier(table_of(case))

    start = len(curve.days) - len(case["days"])  # R has no row for day 0 unless somebody's time is 0
    assert start in (0, 1)
    for counts in ("days", "at_risk", "events", "censored"):
        assert list(getattr(curve, counts)[start:]) == case[counts]
    for estimates in ("survival", "lower", "upper"):
        assert_close(getattr(curve, estimates)[start:], case[estimates])


@every_case
def test_quartiles_and_their_limits_equal_r(case):
    """R: quantile(survfit(...), probs = c(0.25, 0.5, 0.75))."""
    curve = kaplan_meier(table_of(case))

    for part in ("days", "upper") if lower_limit_rises(curve) else ("days", "lower", "upper"):
        assert [getattr(quartile, part) for quartile in quartiles(curve)] == case["quantiles"][part]


@every_case
def test_median_follow_up_equals_r(case):
    """R: quantile(survfit(Surv(days, 1 - event) ~ 1, conf.type = "log-log"), 0.5)."""
    expected = {part: values[1] for part, values in case["follow_up"].items()}

    found = median_follow_up(table_of(case))
    assert (found.days, found.upper) == (expected["days"], expected["upper"])
    if not lower_limit_rises(kaplan_meier(table_of(case).reversed())):
        assert found.lower == expected["lower"]
    assert median_follow_up_days(table_of(case)) == expected["days"]


@every_case
def test_landmarks_equal_r(case):
    """R: summary(survfit(...), times = t), without extend; before the first row R gives limits of 1."""
    curve = kaplan_meier(table_of(case))
    landmarks = case["landmarks"]

    for row, days in enumerate(landmarks["days"]):
        found = survival_at(curve, days)
        expected = [landmarks[part][row] for part in ("survival", "lower", "upper")]
        if expected[0] == 1:
            expected = [1.0, None, None]
        assert_close([found.survival, found.lower, found.upper], expected)
        assert found.at_risk == landmarks["at_risk"][row]


# The start of a curve


def test_a_curve_starts_at_1_with_everybody_at_risk():
    curve = kaplan_meier(table_from("3 5+"))

    assert (curve.days, curve.survival) == ((0, 3, 5), (1, 0.5, 0.5))
    assert (curve.at_risk, curve.events, curve.censored) == ((2, 2, 1), (0, 1, 0), (0, 0, 1))
    assert (curve.lower[0], curve.upper[0]) == (None, None)


def test_an_event_on_day_zero_is_a_drop_after_the_start():
    curve = kaplan_meier(table_from("0 0+ 4+ 4+"))

    assert curve.days == (0, 0, 4)
    assert_close(curve.survival, (1, 0.75, 0.75))
    assert (curve.at_risk, curve.events, curve.censored) == ((4, 4, 2), (0, 1, 0), (0, 1, 2))
    assert survival_at(curve, 0).survival == curve.survival[1]


def test_whoever_is_censored_on_day_zero_is_counted_in_the_start():
    curve = kaplan_meier(table_from("0+ 4"))

    assert (curve.days, curve.at_risk, curve.censored) == ((0, 4), (2, 1), (1, 0))


def test_nobody_gives_an_empty_curve_with_nothing_reached():
    nobody = EventTable.from_rows([])
    curve = kaplan_meier(nobody)

    assert curve == Curve((), (), (), (), (), (), ())
    assert quantile(curve) == Quantile(None, None, None)
    assert median_follow_up_days(nobody) is None
    assert survival_at(curve, 0) == LandmarkSurvival(0, None, None, None, at_risk=0)


# Where lifelines departs from R


def lifelines_fit(table: EventTable) -> KaplanMeierFitter:
    return KaplanMeierFitter().fit(
        table.days * 2, (1,) * len(table.days) + (0,) * len(table.days), weights=table.events + table.censored
    )


def test_a_median_at_exactly_one_half_is_the_middle_of_the_flat_piece():
    """S = 1/2 from day 3 to day 6; lifelines names one end, which one hangs on the last digit of a logarithm.

    R: quantile(survfit(Surv(c(1,2,3,4,6,9), c(1,1,1,0,1,0)) ~ 1), 0.5) is 4.5
    """
    table = table_from("1 2 3 4+ 6 9+")

    assert lifelines_fit(table).median_survival_time_ in (3, 6)
    assert quantile(kaplan_meier(table)).days == 4.5


@pytest.mark.parametrize(
    ("more_events", "median"),
    [(-1, 3.0), (0, 2.5), (1, 2.0)],
    ids=["just above one half", "exactly one half", "just below one half"],
)
def test_one_patient_in_two_thousand_million_decides_whether_it_is_one_half(more_events, median):
    """S(2) is 1/2, or 5e-10 away from it: nearer than floats can be trusted with, and than R's tolerance."""
    n, n_gone = 2 * 10**9, 10**9 + more_events
    table = EventTable(
        days=(1, 2, 3, 9), events=(10**6, n_gone - 10**6, 10, 0), censored=(0, 0, 0, n - n_gone - 10)
    )

    assert quantile(kaplan_meier(table)).days == median


def test_where_the_curve_is_at_zero_there_are_no_limits_and_the_upper_limit_of_the_median_is_not_reached():
    """lifelines gives limits of 0 there, which would end the interval of the median on the last day.

    R: survfit(Surv(c(1,2,3,4), c(1,1,1,1)) ~ 1, conf.type = "log-log") has NA limits on day 4, 0.95UCL NA
    """
    table = table_from("1 2 3 4")
    curve = kaplan_meier(table)

    assert lifelines_fit(table).confidence_interval_.iloc[-1].tolist() == [0, 0]
    assert (curve.survival[-1], curve.lower[-1], curve.upper[-1]) == (0, None, None)
    assert quantile(curve) == Quantile(days=2.5, lower=1.0, upper=None)


def test_at_risk_counts_before_the_removals_of_the_day():
    """The table lifelines draws under a plot would count 1 on day 5.

    R: survfit(Surv(c(5,5,8), c(1,0,1)) ~ 1)$n.risk is 3 1
    """
    curve = kaplan_meier(table_from("5 5+ 8"))

    assert curve.at_risk == (3, 3, 1)


def test_a_curve_that_comes_down_to_zero_gives_no_warning():
    with np.errstate(all="raise"):
        curve = kaplan_meier(table_from("1 2 3 4"))

    assert curve.survival[-1] == 0


def test_the_module_loads_neither_scipy_nor_pandas_nor_lifelines():
    """A page that only reads a curve must not wait for them."""
    loaded = (
        "import sys, analytics.rules.survival; print({'scipy', 'pandas', 'lifelines'} & set(sys.modules))"
    )

    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"


# Late entry


def test_the_lower_limit_of_a_median_is_the_first_day_not_excluded_though_the_limit_rises_later():
    """S(1) = 1/2 of 2 at risk has limits 0.006 to 0.910, so day 1 cannot be excluded; more enter later."""
    curve = kaplan_meier(table_of(REFERENCE["random 24"]))

    assert lower_limit_rises(curve)
    assert (quantile(curve).lower, quantile(curve).days) == (1, 4)


def test_a_patient_is_at_risk_after_the_entry_and_up_to_the_time():
    """R: survfit(Surv(c(0, 3, 5), c(3, 5, 9), c(1, 1, 1)) ~ 1)$n.risk is 1 1 1."""
    table = EventTable.from_rows([(3, True, 0), (5, True, 3), (9, True, 5)])

    assert table.rows.at_risk.tolist() == [1, 1, 1]
    assert table.at_risk_on([0, 3, 3.5, 4, 5, 6, 9, 10]).tolist() == [1, 1, 1, 1, 1, 1, 1, 0]


def test_numbers_at_risk_between_rows_count_who_has_entered_by_then():
    curve = kaplan_meier(EventTable.from_rows([(10, True), (20, True, 3), (20, False, 7)]))

    asked = [0, 3, 4, 7, Decimal("7.5"), 10, 11, 20, 21]
    assert numbers_at_risk(curve, asked) == [1, 1, 2, 2, 3, 3, 2, 2, 0]
    assert survival_at(curve, 4).at_risk == 2


def test_whoever_enters_on_day_zero_is_there_from_the_start():
    assert EventTable.from_rows([(0, True, 0), (5, False, 0)]) == EventTable.from_rows(
        [(0, True), (5, False)]
    )


@pytest.mark.parametrize(("day", "entry"), [(4, 4), (3, 4)])
def test_a_time_that_is_not_after_its_entry_is_refused(day, entry):
    with pytest.raises(ValueError, match=f"time {day} days, entered on day {entry}: expected a time after"):
        EventTable.from_rows([(9, True, 0), (day, True, entry)])

    assert EventTable.from_rows([(entry + 1, True, entry)]).n == 1


def test_more_leaving_than_at_risk_is_refused_though_no_patient_is_named():
    with pytest.raises(ValueError, match="day 4: 1 patients leave of 0 at risk"):
        EventTable.from_arrays([4], [1], [], [], [4], [1])
    with pytest.raises(ValueError, match="2 late entries: expected at most the 1 patients"):
        EventTable.from_arrays([4], [1], [], [], [2], [2])


@given(late_patients)
def test_at_risk_with_late_entry_is_counted_as_on_rows(rows):
    table = EventTable.from_rows(rows)

    on_days = [sum(entry < day <= time for time, _, entry in rows) for day in range(1, 45)]

    assert table.at_risk_on(range(1, 45)).tolist() == on_days
    assert numbers_at_risk(kaplan_meier(table), range(1, 45)) == on_days
    assert table.rows.at_risk.tolist() == [on_days[day - 1] for day in table.days]


@given(late_patients)
def test_survival_with_late_entry_is_the_product_over_rows(rows):
    curve = kaplan_meier(EventTable.from_rows(rows))

    product = Fraction(1)
    for day, survival in zip(curve.days[1:], curve.survival[1:], strict=True):
        at_risk = sum(entry < day <= time for time, _, entry in rows)
        product *= 1 - Fraction(sum(event and time == day for time, event, _ in rows), at_risk)
        assert survival == pytest.approx(float(product), rel=1e-12, abs=0)


# Event tables


@pytest.mark.parametrize(
    "counts",
    [[(-1, True, 1)], [(1.5, True, 1)], [(3, True, -1)], [(3, True, 0.5)], [(0, True, MAX_PATIENTS + 1)]],
    ids=["negative day", "half a day", "negative count", "half a patient", "more than 64 bits can square"],
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="expected"):
        EventTable.from_counts(counts)


@pytest.mark.parametrize(
    ("days", "events", "censored"),
    [
        ((1, 2), (1,), (0, 1)),
        ((-1, 2), (1, 1), (0, 0)),
        ((2, 1), (1, 1), (0, 0)),
        ((2, 2), (1, 1), (0, 0)),
        ((2,), (0,), (0,)),
        ((2,), (-1,), (2,)),
        ((2,), (2,), (-1,)),
    ],
    ids=[
        "lengths",
        "negative day",
        "descending",
        "same day",
        "nobody",
        "negative events",
        "negative censored",
    ],
)
def test_a_table_that_is_none_is_refused(days, events, censored):
    with pytest.raises(ValueError, match="expected"):
        EventTable(days=days, events=events, censored=censored)


def test_zero_is_a_day_and_the_largest_table_is_accepted():
    table = EventTable.from_counts([(0, True, 1), (9, False, MAX_PATIENTS - 1)])

    assert (table.n, table.n_events) == (MAX_PATIENTS, 1)
    assert 0.999999999 < kaplan_meier(table).survival[-1] < 1


def test_counts_of_a_day_add_up_and_empty_days_vanish():
    table = EventTable.from_counts([(7, False, 2), (3, True, 1), (7, True, 4), (3, True, 1), (5, True, 0)])

    assert table == EventTable(days=(3, 7), events=(2, 4), censored=(0, 2))
    assert table.reversed() == EventTable(days=(3, 7), events=(0, 2), censored=(2, 4))


@given(patients)
def test_counts_and_rows_are_the_same_table(rows):
    counts = Counter(rows)

    assert EventTable.from_rows(rows) == EventTable.from_counts(
        (day, event, n) for (day, event), n in counts.items()
    )


def test_arrays_in_any_order_and_twice_are_the_same_table():
    table = EventTable.from_arrays(
        [7, 3, 7], [1, 2, 3], np.array([2, 7]), np.array([0, 2]), [2, 1, 2], [1, 1, 1]
    )

    assert table == EventTable(days=(3, 7), events=(2, 4), censored=(0, 2), entry_days=(1, 2), entries=(1, 2))
    assert (table.n, table.n_events) == (8, 6)
    assert table != EventTable(days=(3, 7), events=(2, 4), censored=(0, 2))


@pytest.mark.parametrize(
    "columns",
    [
        ([1], [1, 1], [], []),
        ([1.0], [1], [], []),
        ([1], [Decimal(1)], [], []),
        ([-1], [1], [], []),
        ([1], [-1], [2], [2]),
        ([1], [1], [], [], [0], []),
        ([1], [1], [], [], [-1], [1]),
        ([1], [1], [], [], [0], [-1]),
        ([[1]], [[1]], [], []),
        ([1], [2**40], [], []),
    ],
)
def test_arrays_that_are_no_counts_are_refused(columns):
    with pytest.raises(ValueError, match="expected"):
        EventTable.from_arrays(*columns)


@given(late_patients, st.randoms(use_true_random=False))
def test_strata_add_up_to_the_whole_in_any_order(rows, random):
    shuffled = random.sample(rows, len(rows))
    strata = [EventTable.from_rows(shuffled[k::3]) for k in range(3)]

    assert EventTable.sum(strata) == EventTable.from_rows(rows)
    assert EventTable.sum([]) == EventTable.from_rows([])


def test_a_curve_as_json_is_lists_with_none_where_undefined():
    curve = kaplan_meier(table_from("3 5+"))

    assert json.loads(json.dumps(curve.to_json())) == {
        "days": [0, 3, 5],
        "at_risk": [2, 2, 1],
        "events": [0, 1, 0],
        "censored": [0, 0, 1],
        "survival": [1.0, 0.5, 0.5],
        "lower": [None, curve.lower[1], curve.lower[2]],
        "upper": [None, curve.upper[1], curve.upper[2]],
    }


def test_one_event_in_a_million_keeps_its_limits():
    """The limits of 1 - 1e-6 hang on digits that log(S) has lost. By hand: -log S = 1/n + …, its standard error
    over it is 1, so -log of the limits is that of S times exp(± 1.96)."""
    curve = kaplan_meier(EventTable.from_counts([(1, True, 1), (2, False, 10**6 - 1)]))

    hazard = -math.log1p(-1e-6)
    spread = math.sqrt(1 / (10**6 * (10**6 - 1))) / hazard * 1.959963984540054
    assert 1 - curve.lower[1] == pytest.approx(-math.expm1(-hazard * math.exp(spread)), rel=1e-9)
    assert 1 - curve.upper[1] == pytest.approx(-math.expm1(-hazard * math.exp(-spread)), rel=1e-9)


@given(patients)
@settings(deadline=None)  # lifelines alone takes a tenth of a second
def test_the_aggregated_curve_equals_lifelines_on_rows(rows):
    by_row = KaplanMeierFitter().fit([day for day, _ in rows], [event for _, event in rows])

    curve = kaplan_meier(EventTable.from_rows(rows))

    for day, survival in zip(curve.days[1:], curve.survival[1:], strict=True):
        assert survival == pytest.approx(by_row.predict(day), rel=1e-12, abs=1e-15)


# Properties of a curve


@given(patients)
def test_survival_never_rises_and_lies_between_its_limits(rows):
    curve = kaplan_meier(EventTable.from_rows(rows))

    assert list(curve.survival) == sorted(curve.survival, reverse=True)
    assert curve.survival[0] == 1
    assert curve.survival[-1] >= 0
    for survival, lower, upper in zip(curve.survival, curve.lower, curve.upper, strict=True):
        if survival in (0, 1):
            assert lower is upper is None
        else:
            assert lower is not None
            assert upper is not None
            assert 0 <= lower < survival < upper <= 1


@given(patients)
def test_at_risk_is_everybody_whose_time_is_still_to_come(rows):
    table = EventTable.from_rows(rows)
    curve = kaplan_meier(table)

    for row, at_risk in enumerate(curve.at_risk):
        assert at_risk == sum(curve.events[row:]) + sum(curve.censored[row:])
        assert at_risk == sum(day >= curve.days[row] for day, _ in rows)
    assert (sum(curve.events), curve.at_risk[0]) == (table.n_events, len(rows))


@given(patients)
def test_without_censoring_survival_is_the_share_still_event_free(rows):
    days = [day for day, _ in rows]
    curve = kaplan_meier(EventTable.from_rows((day, True) for day in days))

    for day, survival in zip(curve.days[1:], curve.survival[1:], strict=True):
        assert survival == pytest.approx(sum(other > day for other in days) / len(days), rel=1e-12, abs=1e-15)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_without_censoring_the_median_is_the_ordinary_median(days):
    curve = kaplan_meier(EventTable.from_rows((day, True) for day in days))

    assert quantile(curve).days == np.median(days)


# Quantiles and landmarks


@pytest.mark.parametrize(
    ("p", "days"),
    [
        (Decimal("0.19"), 10),
        (Decimal("0.2"), 15),
        (Decimal("0.21"), 20),
        (Fraction(1, 5), 15),
        (Decimal("0.4"), 25),
        (Decimal("0.6"), 35),
        (Decimal("0.61"), None),
    ],
)
def test_quantile_on_each_side_of_every_step(p, days):
    """Five patients, S = 4/5, 3/5, 2/5 from days 10, 20, 30, two still followed on day 40."""
    curve = kaplan_meier(table_from("10 20 30 40+ 40+"))

    assert quantile(curve, p).days == days


@pytest.mark.parametrize("p", [Fraction(0), Fraction(1), Decimal("-0.1"), Decimal("1.1")])
def test_a_share_outside_0_to_1_has_no_quantile(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(kaplan_meier(table_from("1")), p)


@pytest.mark.parametrize(
    ("days", "survival", "at_risk"),
    [
        (0, 1, 4),
        (9, 1, 4),
        (10, 0.75, 4),
        (Decimal("10.0001"), 0.75, 3),
        (11, 0.75, 3),
        (Decimal("19.9999"), 0.75, 3),
        (20, 0.5, 3),
        (30, 0.5, 2),
        (Decimal("30.0001"), None, 0),
        (31, None, 0),
    ],
)
def test_a_landmark_on_each_side_of_every_day(days, survival, at_risk):
    found = survival_at(kaplan_meier(table_from("10 20 30+ 30+")), days)

    assert (found.days, found.at_risk) == (days, at_risk)
    assert found.survival == (None if survival is None else pytest.approx(survival, rel=1e-14))
    assert (found.lower is None) == (survival in (1, None))


def test_a_curve_at_zero_stays_there_beyond_the_last_day():
    found = survival_at(kaplan_meier(table_from("10 20")), 21)

    assert found == LandmarkSurvival(days=21, survival=0.0, lower=None, upper=None, at_risk=0)


def test_a_negative_landmark_is_refused():
    with pytest.raises(ValueError, match="-1 days: expected 0 or more"):
        survival_at(kaplan_meier(table_from("10")), -1)


# Restricted mean


@every_case
def test_restricted_mean_and_its_error_equal_r(case):
    """R: survival:::survmean(survfit(Surv(days, event) ~ 1), rmean = tau)$matrix[c("rmean", "se(rmean)")]."""
    reference = case["restricted_mean"]

    for tau, days, se in zip(reference["tau"], reference["days"], reference["se"], strict=True):
        if tau == 0:
            continue
        found = restricted_mean(table_of(case), tau)
        assert isinstance(found, RestrictedMean)
        assert (found.days, found.se) == pytest.approx((days, se), rel=1e-11)
        assert (found.lower, found.upper) == pytest.approx(
            (days - 1.959963984540054 * se, days + 1.959963984540054 * se), rel=1e-11
        )


def test_a_restricted_mean_by_hand():
    """Two patients, event on day 2, other still followed on day 4: S = 1 to day 2, then 1/2."""
    found = restricted_mean(table_from("2 4+"), Decimal("3.5"))

    assert isinstance(found, RestrictedMean)
    assert found.days == 2 + 0.5 * 1.5
    assert found.se == pytest.approx(0.75 * math.sqrt(1 / 2))


def test_beyond_the_last_follow_up_there_is_no_restricted_mean_unless_the_curve_is_at_zero():
    assert isinstance(restricted_mean(table_from("2 4+"), 4), RestrictedMean)
    assert restricted_mean(table_from("2 4+"), 5) == Refused("follow-up ends on day 4, before day 5")
    assert restricted_mean(EventTable.from_rows([]), 5) == Refused("nobody to follow")

    at_zero = restricted_mean(table_from("2 4"), 5)
    assert isinstance(at_zero, RestrictedMean)
    assert at_zero.days == 3


def test_a_restricted_mean_to_day_zero_is_refused():
    with pytest.raises(ValueError, match="0 days: expected more than 0"):
        restricted_mean(table_from("2 4"), 0)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_without_censoring_the_restricted_mean_to_the_end_is_the_ordinary_mean(days):
    table = EventTable.from_rows((day, True) for day in days)

    found = restricted_mean(table, 40)

    assert isinstance(found, RestrictedMean)
    assert found.days == pytest.approx(np.mean(days), abs=1e-12)
    assert found.se == pytest.approx(np.std(days) / math.sqrt(len(days)), abs=1e-12)


# Fixed horizons


@pytest.mark.parametrize(
    ("days", "event", "potential_days", "state"),
    [
        (100, True, 181, "not_started_early_enough"),
        (181, False, 181, "not_started_early_enough"),
        (182, False, 182, "not_started_early_enough"),
        (100, True, 182, "not_started_early_enough"),
        (183, False, 183, "event_free"),
        (183, True, 183, "event_free"),
        (182, True, 183, "event"),
        (182, False, 183, "unknown"),
        (0, True, 183, "event"),
        (0, False, 183, "unknown"),
        (900, True, 900, "event_free"),
    ],
)
def test_state_on_each_side_of_six_months(days, event, potential_days, state):
    """Six months are 182.625 days."""
    assert state == horizon_state(
        days=days, event=event, potential_days=potential_days, horizon_days=horizon_days(6)
    )


@pytest.mark.parametrize(
    ("days", "event", "potential_days", "state"),
    [
        (486, True, 487, "event"),
        (487, True, 487, "event"),
        (488, True, 488, "event_free"),
        (486, False, 487, "unknown"),
        (487, False, 487, "event_free"),
        (486, False, 486, "not_started_early_enough"),
    ],
)
def test_state_on_each_side_of_a_horizon_of_whole_days(days, event, potential_days, state):
    """Sixteen months are exactly 487 days: an event that day was by then, follow-up to it is event-free."""
    assert horizon_days(16) == 487

    assert state == horizon_state(
        days=days, event=event, potential_days=potential_days, horizon_days=horizon_days(16)
    )


@pytest.mark.parametrize(("days", "potential_days"), [(-1, 10), (11, 10)])
def test_times_outside_the_time_observed_are_refused(days, potential_days):
    with pytest.raises(ValueError, match="expected"):
        horizon_state(days=days, event=True, potential_days=potential_days, horizon_days=Decimal(5))


@pytest.mark.parametrize(
    ("months", "thresholds"), [(6, (182, 183)), (11, (334, 335)), (14, (426, 427)), (16, (487, 487))]
)
def test_thresholds_are_the_whole_days_around_the_horizon(months, thresholds):
    assert horizon_thresholds(months) == HorizonThresholds(*thresholds)


@given(
    months=st.integers(1, 240),
    month_days=st.sampled_from([MONTH_DAYS, Decimal(30), Decimal("30.5"), Decimal("30.44")]),
    near=st.integers(-3, 3),
    beyond=st.integers(0, 6),
    event=st.booleans(),
)
def test_whole_day_thresholds_classify_as_the_exact_horizon_does(months, month_days, near, beyond, event):
    thresholds = horizon_thresholds(months, month_days)
    days = thresholds.event_by + near
    potential_days = days + beyond

    if potential_days < thresholds.followed_from:
        by_thresholds = "not_started_early_enough"
    elif event and days <= thresholds.event_by:
        by_thresholds = "event"
    else:
        by_thresholds = "event_free" if days >= thresholds.followed_from else "unknown"

    assert by_thresholds == horizon_state(
        days=days, event=event, potential_days=potential_days, horizon_days=horizon_days(months, month_days)
    )


def test_no_horizon_below_one_month():
    with pytest.raises(ValueError, match="0 months"):
        horizon_thresholds(0)


def test_a_fixed_horizon_counts_the_unknown_beside_the_rate():
    """11 months of the published cohort: 20/35. R: binom.test(20, 35)$conf.int"""
    found = fixed_horizon(11, {"event": 15, "event_free": 20, "unknown": 3, "not_started_early_enough": 25})

    assert (found.months, found.days) == (11, Decimal("334.8125"))
    assert (found.n_event_free, found.of, found.unknown) == (20, 35, 3)
    assert found.rate == pytest.approx(20 / 35)
    assert found.ci95 == pytest.approx((0.3935309422600038, 0.736772764301183), rel=1e-12)


def test_a_fixed_horizon_can_rise_with_time_because_its_patients_change():
    earlier, later = (
        fixed_horizon(11, {"event": 15, "event_free": 20}),
        fixed_horizon(14, {"event": 8, "event_free": 13}),
    )

    assert earlier.rate is not None
    assert later.rate is not None
    assert (round(earlier.rate, 2), round(later.rate, 2)) == (0.57, 0.62)
    assert later.ci95 == clopper_pearson(13, 21)


def test_a_horizon_nobody_reached_has_no_rate():
    found = fixed_horizon(24, {"unknown": 2, "not_started_early_enough": 61})

    assert (found.rate, found.ci95, found.of, found.unknown) == (None, (None, None), 0, 2)


@pytest.mark.parametrize("counts", [{"event": -1}, {"alive": 3}])
def test_counts_that_are_no_states_are_refused(counts):
    with pytest.raises(ValueError, match="expected counts of"):
        fixed_horizon(6, counts)
