"""Cumulative incidence against R's survival and cmprsk packages, by hand and by property.

The reference values stand in competing_risks_reference.json, made by competing_risks_reference.R beside it. No test
needs R.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.competing_risks import CumulativeIncidence, cumulative_incidence, incidence_at
from analytics.rules.survival import EventTable, kaplan_meier

REFERENCE: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("competing_risks_reference.json").read_text()
)
every_case = pytest.mark.parametrize("case", REFERENCE.values(), ids=REFERENCE.keys())

# (days, cause), 0 is censored.
patients = st.lists(st.tuples(st.integers(0, 25), st.sampled_from([0, 0, 1, 1, 2, 3])), max_size=60)


def curves_of(
    rows: Iterable[tuple[int, int]], entries: Sequence[int] = (), causes: int = 2
) -> CumulativeIncidence:
    counts = [Counter(day for day, cause in rows if cause == k) for k in range(causes + 1)]
    return cumulative_incidence(
        {str(k): counts[k] for k in range(1, causes + 1)}, counts[0], Counter(entries)
    )


def curves_of_case(case: dict[str, Any]) -> CumulativeIncidence:
    return curves_of(list(zip(case["days"], case["cause"], strict=True)), case["entry"] or ())


@every_case
def test_incidences_errors_and_limits_equal_r(case):
    """R: survfit(Surv(days, factor(cause, 0:2)) ~ 1, conf.type = "log-log"), pstate, std.err, lower, upper.

    With late entry: survfit(Surv(entry, days, factor(cause, 0:2)) ~ 1, id = id, conf.type = "log-log"). R's error is
    then the infinitesimal jackknife, which hangs on who entered when and cannot be had from counts; without late
    entry it is the delta method's, to the last digit.
    """
    curves = curves_of_case(case)

    start = len(curves.days) - len(case["time"])
    assert list(curves.days[start:]) == case["time"]
    assert list(curves.at_risk[start:]) == case["at_risk"]
    assert curves.survival[start:] == pytest.approx(case["survival"], rel=1e-12, abs=1e-15)
    for k, curve in enumerate(curves.causes.values()):
        assert curve.incidence[start:] == pytest.approx(case["incidence"][k], rel=1e-12, abs=1e-15)
        if any(case["entry"] or ()):
            if len(case["days"]) >= 100:
                assert curve.se[start:] == pytest.approx(case["se"][k], rel=0.1)
            continue
        assert curve.se[start:] == pytest.approx(case["se"][k], rel=1e-9, abs=1e-9)
        for found, expected in ((curve.lower, case["lower"][k]), (curve.upper, case["upper"][k])):
            for limit, r_limit, incidence in zip(
                found[start:], expected, curve.incidence[start:], strict=True
            ):
                if incidence == 1:  # R has limits of 1 or none, as its rounding falls
                    assert limit is None
                else:
                    assert (limit is None) == (r_limit is None)
                    assert limit is None or limit == pytest.approx(r_limit, rel=1e-8)


@pytest.mark.parametrize(
    "case", [case for case in REFERENCE.values() if case.get("cuminc")], ids=lambda case: len(case["days"])
)
def test_cmprsk_has_the_same_incidences_and_a_variance_close_by(case):
    """R: timepoints(cmprsk::cuminc(days, cause), times). Its variance (Aalen's) is another estimate of the same."""
    curves = curves_of_case(case)

    start = len(curves.days) - len(case["time"])
    for k, curve in enumerate(curves.causes.values()):
        assert curve.incidence[start:] == pytest.approx(case["cuminc"]["incidence"][k], rel=1e-12, abs=1e-15)
        for row, variance in enumerate(case["cuminc"]["var"][k]):
            if variance and curves.at_risk[start + row] >= 30:
                assert curve.se[start + row] ** 2 == pytest.approx(variance, rel=0.06)


def test_two_causes_on_one_day_by_hand():
    """Of 4 at risk on day 2 one has each cause; of the 2 left one is censored on day 3, the last has b on day 5."""
    curves = cumulative_incidence({"a": {2: 1}, "b": {2: 1, 5: 1}}, {3: 1})

    assert (curves.days, curves.at_risk, curves.censored) == ((0, 2, 3, 5), (4, 4, 2, 1), (0, 0, 1, 0))
    assert curves.survival == (1, 0.5, 0.5, 0)
    assert curves.causes["a"].incidence == (0, 0.25, 0.25, 0.25)
    assert curves.causes["b"].incidence == (0, 0.25, 0.25, 0.75)
    assert curves.causes["b"].events == (0, 1, 0, 1)
    assert curves.causes["a"].lower[0] is None


def test_one_minus_kaplan_meier_overstates_where_causes_compete():
    """With the other cause taken as censoring, 1 - S(5) of b would be 1."""
    curves = cumulative_incidence({"a": {2: 1}, "b": {2: 1, 5: 1}}, {3: 1})
    censored = kaplan_meier(EventTable.from_rows([(2, False), (2, True), (3, False), (5, True)]))

    assert 1 - censored.survival[-1] == 1
    assert curves.causes["b"].incidence[-1] == 0.75


@given(patients)
def test_survival_and_the_incidences_of_all_causes_add_up_to_1(rows):
    curves = curves_of(rows, causes=3)

    for row, survival in enumerate(curves.survival):
        total = survival + sum(curve.incidence[row] for curve in curves.causes.values())
        assert total == pytest.approx(1, abs=1e-12)
    any_cause = kaplan_meier(EventTable.from_rows((day, cause > 0) for day, cause in rows))
    assert (curves.days, curves.at_risk, curves.survival) == (
        any_cause.days,
        any_cause.at_risk,
        any_cause.survival,
    )


@given(patients)
def test_incidence_never_falls_and_lies_between_its_limits(rows):
    for curve in curves_of(rows, causes=3).causes.values():
        assert list(curve.incidence) == sorted(curve.incidence)
        for incidence, se, lower, upper in zip(
            curve.incidence, curve.se, curve.lower, curve.upper, strict=True
        ):
            assert 0 <= incidence <= 1 + 1e-12
            assert se >= 0
            assert (lower is None) == (upper is None)
            if lower is not None and upper is not None:
                assert 0 <= lower <= incidence * (1 + 1e-12)
                assert incidence <= upper * (1 + 1e-12)
                assert upper <= 1


@given(patients)
def test_the_incidence_is_the_exact_sum_over_rows(rows):
    curves = curves_of(rows, causes=3)

    survival, incidence = Fraction(1), Fraction(0)
    for day in sorted({day for day, _ in rows}):
        at_risk = sum(time >= day for time, _ in rows)
        incidence += survival * Fraction(sum(row == (day, 2) for row in rows), at_risk)
        survival *= 1 - Fraction(sum(time == day and cause > 0 for time, cause in rows), at_risk)
        found = incidence_at(curves, "2", day).incidence
        assert found == pytest.approx(float(incidence), rel=1e-12, abs=1e-15)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 25), st.booleans()).map(
            lambda row: (row[0] + row[1], row[2], row[0])
        ),
        min_size=1,
        max_size=60,
    )
)
def test_one_cause_alone_is_one_minus_kaplan_meier_with_greenwoods_error_late_entry_included(rows):
    curve = curves_of([row[:2] for row in rows], [entry for *_, entry in rows], causes=1).causes["1"]
    table = EventTable.from_rows(rows)
    survival = kaplan_meier(table).survival

    assert curve.incidence == pytest.approx([1 - s for s in survival], abs=1e-12)
    n, d = table.rows.at_risk.astype(float), table.rows.events
    greenwood = np.cumsum(np.divide(d, n * (n - d), out=np.zeros(len(n)), where=n > d))
    assert curve.se[-1] == pytest.approx(survival[-1] * greenwood[-1] ** 0.5, abs=1e-7)


def test_an_incidence_on_each_side_of_a_day_and_beyond_the_last():
    curves = cumulative_incidence({"a": {2: 1}, "b": {}}, {4: 1})

    assert [incidence_at(curves, "a", day).incidence for day in (0, Decimal("1.9"), 2, 4)] == [0, 0, 0.5, 0.5]
    assert incidence_at(curves, "a", Decimal("4.1")).incidence is None
    assert incidence_at(curves, "b", 4) == incidence_at(curves, "b", 4).__class__(4, 0.0, 0.0, None, None)
    with pytest.raises(ValueError, match="-1 days"):
        incidence_at(curves, "a", -1)

    everybody_gone = cumulative_incidence({"a": {2: 1}, "b": {4: 1}}, {})
    assert incidence_at(everybody_gone, "a", 9).incidence == 0.5


def test_nobody_gives_empty_curves():
    curves = cumulative_incidence({"a": {}, "b": {}}, {})

    assert (curves.days, curves.causes["b"].incidence) == ((), ())
    assert incidence_at(curves, "a", 3).incidence is None
    assert curves.to_json()["causes"]["a"]["lower"] == []


def test_curves_as_json_are_lists():
    found = json.loads(json.dumps(cumulative_incidence({"a": {2: 1}}, {4: 1}).to_json()))

    assert (found["days"], found["causes"]["a"]["incidence"]) == ([0, 2, 4], [0, 0.5, 0.5])
