"""Summaries and tests of Table 1 against R, by hand and by property.

The reference values stand in description_reference.json, made by description_reference.R beside it. No test needs R.
"""

import json
import statistics
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.description import (
    GroupTest,
    NumericSummary,
    categories_test,
    fisher,
    pearson,
    rank_test,
    summary,
    welch,
)
from analytics.rules.survival import Refused

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("description_reference.json").read_text())
every_numeric = pytest.mark.parametrize("case", REFERENCE["numeric"], ids=range(24))
every_table = pytest.mark.parametrize("case", REFERENCE["categories"], ids=range(24))
values_of_patients = st.lists(st.integers(-50, 50), min_size=1, max_size=40)


def groups_of(case: dict[str, Any]) -> dict[str, Counter[Decimal]]:
    groups: dict[str, Counter[Decimal]] = {}
    for value, group in zip(case["value"], case["group"], strict=True):
        groups.setdefault(str(group), Counter())[Decimal(str(value))] += 1
    return dict(sorted(groups.items()))


def strata_of(table: list[list[int]]) -> dict[str, dict[str, int]]:
    """Return the columns of a table as strata, its rows as categories."""
    return {
        f"stratum {k}": {f"category {row}": counts[k] for row, counts in enumerate(table)}
        for k in range(len(table[0]))
    }


def done(found: GroupTest | Refused) -> GroupTest:
    assert isinstance(found, GroupTest)
    return found


# Numbers


@every_numeric
def test_summary_equals_r(case):
    """R: length, mean, sd, quantile(value, c(0, 0.25, 0.5, 0.75, 1))."""
    found = summary(Counter(Decimal(str(value)) for value in case["value"]), missing=3)

    assert (found.n, found.missing) == (case["n"], 3)
    assert (found.mean, found.sd) == pytest.approx((case["mean"], case["sd"]), rel=1e-12)
    assert (found.minimum, found.q1, found.median, found.q3, found.maximum) == pytest.approx(
        tuple(case["quantiles"]), rel=1e-14
    )


@every_numeric
def test_welch_equals_r(case):
    """R: t.test(value ~ group) of two strata, oneway.test(value ~ group) of four."""
    found = done(welch(groups_of(case)))

    expected = case["welch"]
    assert found.name == (
        "Welch's t test" if len(set(case["group"])) == 2 else "Welch's analysis of variance"
    )
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-10, abs=1e-12)
    assert found.df == pytest.approx(tuple(expected["df"]), rel=1e-10)
    assert found.p == pytest.approx(expected["p"], rel=1e-9)


@every_numeric
def test_rank_test_equals_r(case):
    """R: kruskal.test(value ~ factor(group)); of two strata wilcox.test(..., exact = FALSE, correct = FALSE)."""
    found = done(rank_test(groups_of(case)))

    expected = case["ranks"]
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-10, abs=1e-12)
    assert found.df == tuple(expected["df"])
    assert found.p == pytest.approx(expected["p"], rel=1e-9)
    if case["wilcoxon"] is not None:
        assert found.name == "Wilcoxon's rank-sum test"
        assert found.p == pytest.approx(case["wilcoxon"], rel=1e-9)


def test_a_summary_by_hand():
    """1, 2, 2, 10: mean 15/4, sum of squares about it 52.75; R: quantile(c(1,2,2,10)) is 1 1.75 2 4 10."""
    assert summary({10: 1, 2: 2, 1: 1}, missing=5) == NumericSummary(
        n=4,
        missing=5,
        mean=3.75,
        sd=(52.75 / 3) ** 0.5,
        q1=1.75,
        median=2,
        q3=4,
        minimum=1,
        maximum=10,
    )


def test_nobody_and_one_patient():
    assert summary({}, missing=2) == NumericSummary(0, 2, None, None, None, None, None, None, None)
    assert summary({7: 0}).n == 0
    assert summary({Decimal("7.5"): 1}) == NumericSummary(1, 0, 7.5, None, 7.5, 7.5, 7.5, 7.5, 7.5)


def test_a_mean_of_large_close_values_keeps_its_spread():
    """In floats the sum of squares of such values has lost it."""
    found = summary({10**12: 500_000, 10**12 + 1: 500_000})

    assert found.mean == 10**12 + 0.5
    assert found.sd == pytest.approx(0.5 * (1_000_000 / 999_999) ** 0.5, rel=1e-15)


@given(values_of_patients)
def test_counts_and_rows_are_described_alike_whatever_the_order(rows):
    found = summary(Counter(rows))

    assert found.mean == float(Fraction(sum(rows), len(rows)))
    assert found.median == statistics.median(rows)
    assert (found.q1, found.q3) == pytest.approx(tuple(np.quantile(rows, [0.25, 0.75])))
    assert (found.sd is None) == (len(rows) == 1)
    if found.sd is not None:
        assert found.sd == pytest.approx(statistics.stdev(rows), rel=1e-12)
    assert summary(Counter(rows[::-1])) == found


@given(values_of_patients, values_of_patients)
def test_equal_values_written_differently_are_the_same(first, second):
    whole = {"A": Counter(first), "B": Counter(second)}
    written = {"A": Counter(map(Decimal, first)), "B": Counter(map(Fraction, second))}

    assert welch(written) == welch(whole)
    assert rank_test(written) == rank_test(whole)


@pytest.mark.parametrize("counts", [{float("nan"): 1}, {float("inf"): 1}, {1: -1}, {1: 0.5}, {1: True}])
def test_values_and_counts_that_are_none_are_an_error(counts):
    with pytest.raises(ValueError, match="expected"):
        summary(counts)
    with pytest.raises(ValueError, match="expected"):
        rank_test({"A": counts, "B": {1: 1}})


@pytest.mark.parametrize(
    ("test", "groups", "reason"),
    [
        (welch, {"A": {1: 2, 2: 2}, "B": {}}, "1 strata with values"),
        (welch, {"A": {1: 2, 2: 2}, "B": {3: 1}}, "one value in B: no standard deviation"),
        (welch, {"A": {1: 2}, "B": {3: 2}}, "no spread of values within the strata"),
        (welch, {"A": {1: 2}, "B": {3: 2, 4: 1}, "C": {3: 1, 5: 1}}, "all values in A are the same"),
        (rank_test, {}, "0 strata with values"),
        (rank_test, {"A": {4: 3}, "B": {Decimal("4.0"): 2}}, "all values are the same"),
        (pearson, {"A": {"f": 1, "m": 2}, "B": {"f": 0}}, "1 strata with patients"),
        (pearson, {"A": {"f": 1, "m": 0}, "B": {"f": 3}}, "all patients are in the same category"),
        (fisher, {"A": {"f": 1, "m": 0}, "B": {"f": 3}}, "all patients are in the same category"),
        (fisher, {"A": {"f": 1, "m": 1}, "B": {"x": 3}}, "3 categories in 2 strata"),
        (categories_test, {}, "0 strata with patients"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(test, groups, reason):
    found = test(groups)

    assert isinstance(found, Refused)
    assert found.reason.startswith(reason)


def test_one_stratum_without_spread_can_be_compared_with_one_that_has_it():
    """R: t.test(c(1, 1, 1), c(2, 3, 5)) has t = -2.6458, df = 2, p = 0.118."""
    found = done(welch({"A": {1: 3}, "B": {2: 1, 3: 1, 5: 1}}))

    assert (round(found.statistic or 0, 4), found.df, round(found.p, 3)) == (-2.6458, (2.0,), 0.118)


# Categories


@every_table
def test_chi_squared_equals_r(case):
    """R: chisq.test(table, correct = FALSE)."""
    found = done(pearson(strata_of(case["table"])))

    assert found.statistic == pytest.approx(case["statistic"], rel=1e-11, abs=1e-13)
    assert found.df == (case["df"],)
    assert found.p == pytest.approx(case["p"], rel=1e-10)
    assert (found.note != "") == (case["smallest_expected"] < 5)


@pytest.mark.parametrize("case", [case for case in REFERENCE["categories"] if case["fisher"] is not None])
def test_fisher_equals_r(case):
    """R: fisher.test(table)$p.value."""
    found = done(fisher(strata_of(case["table"])))

    assert found.p == pytest.approx(case["fisher"], rel=1e-9)
    assert (found.statistic, found.df) == (None, ())


def test_a_lady_tasting_tea():
    """Fisher, The Design of Experiments (1935), chapter 2: 3 of 4 cups; two-sided 34/70."""
    found = done(fisher({"milk first": {"milk": 3, "tea": 1}, "tea first": {"milk": 1, "tea": 3}}))

    assert found.p == pytest.approx(34 / 70)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        # The smallest expected count is 10 · 10 / 20 = 5, then 9 · 10 / 20 = 4.5.
        ([[4, 6], [6, 4]], "Chi-squared test"),
        ([[4, 5], [6, 5]], "Fisher's exact test"),
        ([[1, 2, 3], [3, 2, 1]], "Chi-squared test"),
    ],
)
def test_small_expected_counts_of_two_in_two_are_tested_exactly(table, name):
    found = done(categories_test(strata_of(table)))

    assert found.name == name
    assert ("below 5" in found.note) == (len(table[0]) == 3)


@pytest.mark.parametrize("count", [-1, 0.5, True])
def test_counts_of_categories_that_are_none_are_an_error(count):
    with pytest.raises(ValueError, match="expected a whole number"):
        pearson({"A": {"f": count, "m": 1}, "B": {"f": 1, "m": 1}})


def test_a_category_that_a_stratum_does_not_name_counts_none_there():
    assert pearson({"A": {"f": 9, "m": 4}, "B": {"m": 7}}) == pearson(
        {"A": {"f": 9, "m": 4, "x": 0}, "B": {"f": 0, "m": 7}, "C": {"f": 0}}
    )
