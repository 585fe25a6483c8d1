"""The log-rank test against R's survival package, a published example and by property.

The reference values stand in cox_reference.json, made by cox_reference.R beside it. No test needs R.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.comparison import LogRank, chi_squared, log_rank
from analytics.rules.survival import EventTable, Refused

REFERENCE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("cox_reference.json").read_text())
LATE = {name: case for name, case in REFERENCE.items() if any(case["entry"])}
ON_TIME = {name: case for name, case in REFERENCE.items() if name not in LATE}

strata_of_patients = st.lists(
    st.lists(st.tuples(st.integers(1, 15), st.booleans()), max_size=20), min_size=2, max_size=4
)


def strata_of(case: dict[str, Any]) -> dict[str, EventTable]:
    rows = list(zip(case["days"], case["event"], case["entry"], case["group"], strict=True))
    return {
        str(group): EventTable.from_rows(
            (day, bool(event), entry) for day, event, entry, of in rows if of == group
        )
        for group in sorted(set(case["group"]))
    }


def compared(tables: dict[str, EventTable], rho: float = 0) -> LogRank:
    found = log_rank(tables, rho)
    assert isinstance(found, LogRank)
    return found


@pytest.mark.parametrize(("name", "rho"), [("log_rank", 0), ("peto", 1)])
@pytest.mark.parametrize("case", ON_TIME.values(), ids=ON_TIME.keys())
def test_statistic_and_expected_events_equal_r(case, name, rho):
    """R: survdiff(Surv(days, event) ~ stratum, rho = rho), fields chisq, obs, exp, pvalue."""
    found = compared(strata_of(case), rho)

    expected = case["log_rank"][name]
    assert found.test.chi2 == pytest.approx(expected["chi2"], rel=1e-10)
    assert found.test.p == pytest.approx(expected["p"], rel=1e-9)
    assert found.test.df == len(found.strata) - 1
    assert [stratum.observed for stratum in found.strata] == pytest.approx(expected["observed"], rel=1e-12)
    assert [stratum.expected for stratum in found.strata] == pytest.approx(expected["expected"], rel=1e-12)


@pytest.mark.parametrize("case", LATE.values(), ids=LATE.keys())
def test_with_late_entry_it_is_the_score_test_of_the_exact_cox_model(case):
    """R: coxph(Surv(entry, days, event) ~ stratum, ties = "exact")$score."""
    assert compared(strata_of(case)).test.chi2 == pytest.approx(case["log_rank"]["chi2"], rel=1e-10)


def test_six_mercaptopurine_against_placebo_as_published():
    """Freireich et al., Blood 1963;21:699-716; log-rank 16.79 with 19.25 and 10.75 events expected, as Kleinbaum &
    Klein, Survival Analysis, 3rd ed. (2012), chapter 2."""
    found = compared(strata_of(REFERENCE["freireich"]))

    assert round(found.test.chi2, 2) == 16.79
    assert [(stratum.n, stratum.observed, round(stratum.expected, 2)) for stratum in found.strata] == [
        (21, 9, 19.25),
        (21, 21, 10.75),
    ]


def test_a_small_p_value_keeps_its_digits():
    """R: pchisq(100, 1, lower.tail = FALSE) is 1.523970604832101e-23."""
    assert chi_squared(100, 1).p == pytest.approx(1.523970604832101e-23, rel=1e-10)
    assert chi_squared(700, 1).p == pytest.approx(math.erfc(math.sqrt(350)), rel=1e-10)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({}, "0 strata with patients"),
        ({"A": [(3, True)], "B": []}, "1 strata with patients"),
        ({"A": [(3, False)], "B": [(4, False)]}, "no events"),
        ({"A": [(3, True), (5, True)], "B": [(2, False)]}, "only one stratum has patients at risk"),
        ({"A": [(3, True)], "B": [(3, True)]}, "never at risk together"),
        ({"A": [(3, True, 0), (4, False, 0)], "B": [(9, True, 5), (9, False, 5)]}, "never at risk together"),
    ],
)
def test_a_test_that_would_mean_nothing_is_refused_with_the_reason(tables, reason):
    found = log_rank({name: EventTable.from_rows(rows) for name, rows in tables.items()})

    assert isinstance(found, Refused)
    assert reason in found.reason


def test_a_stratum_without_patients_at_risk_takes_no_degree_of_freedom():
    """As R's survdiff, which counts the strata with expected events above 0."""
    two = {
        "A": EventTable.from_rows([(3, True), (4, False)]),
        "B": EventTable.from_rows([(5, True), (6, True)]),
    }
    more = two | {"C": EventTable.from_rows([(1, False)]), "D": EventTable.from_rows([])}

    found = compared(more)

    assert found.test == compared(two).test
    assert found.test.df == 1
    assert [(stratum.n, stratum.expected) for stratum in found.strata[2:]] == [(1, 0), (0, 0)]


@given(strata_of_patients, st.permutations(range(4)))
def test_neither_the_order_of_strata_nor_the_length_of_a_day_matters(strata, order):
    tables = {str(k): EventTable.from_rows(rows) for k, rows in enumerate(strata)}
    turned = {
        str(k): EventTable.from_rows((7 * day, event) for day, event in strata[k])
        for k in order
        if k < len(strata)
    }

    found, other = log_rank(tables), log_rank(turned)

    if isinstance(found, Refused) or isinstance(other, Refused):
        assert found == other
        return
    assert other.test.chi2 == pytest.approx(found.test.chi2, rel=1e-8, abs=1e-12)
    assert sum(s.observed for s in found.strata) == pytest.approx(sum(s.expected for s in found.strata))


@given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=1, max_size=30))
def test_two_strata_with_the_same_patients_do_not_differ(rows):
    table = EventTable.from_rows(rows)

    found = log_rank({"A": table, "B": table})

    if not table.n_events:
        assert found == Refused("no events")
    elif isinstance(found, LogRank):
        assert found.test.chi2 == pytest.approx(0, abs=1e-20)
        assert found.test.p == pytest.approx(1)
