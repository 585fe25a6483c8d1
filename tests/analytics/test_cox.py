"""Cox's model against R's survival package, a published example and by property.

The reference values stand in cox_reference.json, made by cox_reference.R beside it. No test needs R.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.rules.cox import CoxFit, fit
from analytics.rules.survival import EventTable, Refused

REFERENCE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("cox_reference.json").read_text())
MODELS = {
    f"{name}, {model}": (case, case[model])
    for name, case in REFERENCE.items()
    for model in ("strata", "both")
    if model in case
}


def groups_of(case: dict[str, Any], *, with_age: bool) -> list[tuple[tuple[float, ...], EventTable]]:
    """Return the patients per covariate vector: the strata but the first as 0 and 1, and age."""
    levels = sorted(set(case["group"]))[1:]
    rows: dict[tuple[float, ...], list[tuple[int, bool, int]]] = {}
    for k, group in enumerate(case["group"]):
        covariates = (
            *(float(group == level) for level in levels),
            *([case["age"][k]] if with_age else []),
        )
        rows.setdefault(covariates, []).append((case["days"][k], bool(case["event"][k]), case["entry"][k]))
    return [(covariates, EventTable.from_rows(of)) for covariates, of in rows.items()]


def names_of(expected: dict[str, Any]) -> list[str]:
    return [expected["names"]] if isinstance(expected["names"], str) else expected["names"]


def fitted(case: dict[str, Any], expected: dict[str, Any]) -> CoxFit:
    names = names_of(expected)
    found = fit(
        groups_of(case, with_age="age" in names),
        names,
        terms=["age" if name == "age" else "stratum" for name in names],
        events_per_coefficient=1,
    )
    assert isinstance(found, CoxFit)
    return found


def of_patients(
    *groups: tuple[tuple[float, ...], list[tuple[int, bool]]], names: str = "a"
) -> CoxFit | Refused:
    tables = [(covariates, EventTable.from_rows(rows)) for covariates, rows in groups]
    return fit(tables, names.split(), events_per_coefficient=1)


@pytest.mark.parametrize(("case", "expected"), MODELS.values(), ids=MODELS.keys())
def test_the_fit_equals_r(case, expected):
    """R: summary(coxph(Surv(days, event) ~ factor(stratum) + age, ties = "efron")); Surv(entry, days, event)."""
    found = fitted(case, expected)

    assert [c.name for c in found.coefficients] == names_of(expected)
    for part in ("coef", "se", "hazard_ratio", "lower", "upper", "p"):
        values = [getattr(c, part) for c in found.coefficients]
        assert values == pytest.approx(expected[part], rel=1e-8), part
    assert [found.n, found.n_events] == [expected["n"], expected["n_events"]]
    assert [found.log_likelihood_null, found.log_likelihood] == pytest.approx(
        expected["log_likelihood"], rel=1e-12
    )
    for part in ("likelihood_ratio", "score"):
        test = getattr(found, part)
        assert [test.chi2, test.df, test.p] == pytest.approx(expected[part], rel=1e-8), part
    assert found.wald.chi2 == pytest.approx(expected["wald"], rel=1e-8)


@pytest.mark.parametrize(("case", "expected"), MODELS.values(), ids=MODELS.keys())
def test_the_test_of_proportional_hazards_equals_r(case, expected):
    """R: cox.zph(coxph(...), transform = "km")$table, rows the terms and GLOBAL, columns chisq, df, p."""
    found = fitted(case, expected)

    tests = [*found.proportional_hazards, ("GLOBAL", found.proportional_hazards_global)]
    assert [term for term, _ in tests] == expected["terms"]
    for (_, test), row in zip(tests, expected["zph"], strict=True):
        assert [test.chi2, test.df, test.p] == pytest.approx(row, rel=1e-7, abs=1e-12)


def test_six_mercaptopurine_against_placebo_as_published():
    """Freireich et al., Blood 1963;21:699-716. Hazard ratio of placebo 4.82 (2.15 to 10.81), as in R's coxph."""
    found = fitted(REFERENCE["freireich"], REFERENCE["freireich"]["strata"])

    (placebo,) = found.coefficients
    assert [round(x, 2) for x in (placebo.hazard_ratio, placebo.lower, placebo.upper)] == [4.82, 2.15, 10.81]
    assert (found.n, found.n_events) == (42, 30)


def efron_by_hand(rows: list[tuple[float, int, bool]], beta: float) -> float:
    """Return Efron's log partial likelihood, written out patient by patient: (covariate, day, event)."""
    total = 0.0
    for day in {day for _, day, event in rows if event}:
        risk = sum(np.exp(beta * x) for x, time, _ in rows if time >= day)
        gone = [x for x, time, event in rows if event and time == day]
        tied = sum(np.exp(beta * x) for x in gone)
        total += beta * sum(gone)
        total -= sum(np.log(risk - tied * k / len(gone)) for k in range(len(gone)))
    return total


def test_the_estimate_is_at_the_top_of_efrons_likelihood_written_out():
    rows = [(0.0, 1, True), (0.0, 2, True), (0.0, 2, False), (0.0, 5, True), (0.0, 6, False)]
    rows += [(1.0, 1, True), (1.0, 1, True), (1.0, 2, True), (1.0, 2, True), (1.0, 4, False)]
    found = of_patients(
        ((0.0,), [(day, event) for x, day, event in rows if x == 0]),
        ((1.0,), [(day, event) for x, day, event in rows if x == 1]),
    )

    assert isinstance(found, CoxFit)
    coef, h = found.coefficients[0].coef, 1e-4
    assert found.log_likelihood == pytest.approx(efron_by_hand(rows, coef), rel=1e-12)
    assert found.log_likelihood_null == pytest.approx(efron_by_hand(rows, 0), rel=1e-12)
    around = [efron_by_hand(rows, coef + k * h) for k in (-1, 0, 1)]
    assert (around[2] - around[0]) / (2 * h) == pytest.approx(0, abs=1e-6)
    assert found.coefficients[0].se ** -2 == pytest.approx(
        -(around[0] - 2 * around[1] + around[2]) / h**2, rel=1e-5
    )


@pytest.mark.parametrize("name", ["simulated 2", "simulated 3"])
def test_neither_groups_split_in_two_nor_their_order_matters(name):
    case, expected = MODELS[f"{name}, both"]
    names = names_of(expected)
    groups = groups_of(case, with_age=True)
    rows = [
        (covariates, EventTable.from_counts([(day, event, n)]))
        for covariates, table in groups
        for day, events, censored in zip(table.days, table.events, table.censored, strict=True)
        for event, n in ((True, events), (False, censored))
        if n
    ]
    if any(case["entry"]):
        rows = groups[::-1]

    found, other = (fit(of, names, events_per_coefficient=1) for of in (groups, rows[::-1]))

    assert isinstance(found, CoxFit)
    assert isinstance(other, CoxFit)
    assert other.log_likelihood == pytest.approx(found.log_likelihood, rel=1e-13)
    assert [c.coef for c in other.coefficients] == pytest.approx(
        [c.coef for c in found.coefficients], rel=1e-9
    )


def test_the_unit_of_a_covariate_changes_its_coefficient_alone():
    case, expected = MODELS["simulated 2, both"]
    names = names_of(expected)
    groups = groups_of(case, with_age=True)
    in_seconds = [((*x[:-1], x[-1] * 31_557_600.0 + 1e9), table) for x, table in groups]

    found, other = (fit(of, names, events_per_coefficient=1) for of in (groups, in_seconds))

    assert isinstance(found, CoxFit)
    assert isinstance(other, CoxFit)
    assert other.coefficients[-1].coef * 31_557_600 == pytest.approx(found.coefficients[-1].coef, rel=1e-9)
    assert other.likelihood_ratio.chi2 == pytest.approx(found.likelihood_ratio.chi2, rel=1e-9)


# Refusals

OVERLAP = ((0.0,), [(1, True), (4, True), (6, False)]), ((1.0,), [(2, True), (3, True), (6, False)])


@pytest.mark.parametrize(("n", "refused"), [(9, True), (10, False)])
def test_ten_events_for_each_coefficient_are_asked(n, refused):
    """Peduzzi et al., J Clin Epidemiol 1995;48:1503-1510."""
    days = range(1, n + 1)
    groups = [((float(k),), EventTable.from_rows([(day, day % 2 == k) for day in days])) for k in (0, 1)]

    found = fit(groups, ["stratum"])

    assert isinstance(found, Refused) == refused
    if isinstance(found, Refused):
        assert found.reason == "9 events for 1 coefficients: fewer than 10 for each"


@pytest.mark.parametrize(
    ("groups", "names", "reason"),
    [
        ([((0.0,), [(3, False)]), ((1.0,), [(4, False)])], "a", "no events"),
        ([((2.0,), [(3, True)]), ((2.0,), [(4, False)])], "a", "a is the same in all patients"),
        (
            [((0.0,), [(3, True), (4, True)]), ((1.0,), [(4, False)])],
            "a",
            "no events where a is 1: its hazard ratio is 0 or infinite",
        ),
        (
            [((0.0, 0.0), [(9, False)]), ((1.0, 0.0), [(3, True), (4, True)]), ((0.0, 1.0), [(3, True)])],
            "a b",
            "no events where a 0, b 0: a hazard ratio is 0 or infinite",
        ),
        (
            # Everybody with b had the event before anybody without: the likelihood rises for ever.
            [((0.0,), [(5, True), (6, True), (7, False)]), ((1.0,), [(1, True), (2, True), (3, True)])],
            "b",
            "b: no finite estimate",
        ),
        (
            [
                ((0.0, 0.0), [(5, True), (6, True), (9, False)]),
                ((1.0, 1.0), [(1, True), (2, True)]),
                ((0.0, 1.0), [(6, True), (8, False)]),
                ((1.0, 0.0), [(3, True), (4, True)]),
            ],
            "separating harmless",
            "separating: no finite estimate",
        ),
        (
            [((0.0, 0.0), [(1, True), (4, True)]), ((1.0, 2.0), [(2, True), (3, True)])],
            "a b",
            "a, b: cannot be told apart",
        ),
        (
            # Whoever has a is gone before the first event.
            [((0.0,), [(5, True), (6, True)]), ((1.0,), [(1, False)]), ((2.0,), [(1, False)])],
            "a",
            "a: cannot be told apart in the patients at risk",
        ),
    ],
)
def test_what_has_no_estimate_is_refused_with_the_reason(groups, names, reason):
    found = of_patients(*groups, names=names)

    assert isinstance(found, Refused)
    assert found.reason.startswith(reason)


def test_a_strong_effect_with_any_overlap_has_an_estimate():
    """One patient against the order among 300 is enough: a hazard ratio of 45, but finite."""
    early = [(day, True) for day in range(1, 150)] + [(200, False)]
    late = [(2, True)] + [(day, True) for day in range(160, 310)]

    found = of_patients(((0.0,), late), ((1.0,), early))

    assert isinstance(found, CoxFit)
    assert found.coefficients[0].hazard_ratio > 40


@pytest.mark.parametrize("covariates", [(1.0, 2.0), (float("nan"),), (float("inf"),), ()])
def test_covariates_that_are_none_are_an_error(covariates):
    with pytest.raises(ValueError, match="expected 1 finite numbers"):
        fit([(covariates, EventTable.from_rows([(1, True)]))], ["a"])


@pytest.mark.parametrize(("names", "terms"), [([], None), (["a"], ["a", "b"])])
def test_names_and_terms_that_do_not_fit_are_an_error(names, terms):
    groups = [((0.0,) * len(names), EventTable.from_rows([(1, True)]))]

    with pytest.raises(ValueError, match="expected as many"):
        fit(groups, names, terms=terms)


def test_hundreds_of_events_on_a_day_equal_rows():
    """20,000 patients on 40 days: the counted likelihood is the one written out (Efron, 1977)."""
    random = np.random.default_rng(5)
    x = random.integers(0, 2, 20_000)
    days = 1 + np.minimum(random.exponential(20 / (1 + x)), 39).astype(int)
    events = random.random(20_000) < 0.7
    groups = [
        ((float(k),), EventTable.from_rows(zip(days[x == k].tolist(), events[x == k].tolist(), strict=True)))
        for k in (0, 1)
    ]

    found = fit(groups, ["x"])

    assert isinstance(found, CoxFit)
    total, beta = 0.0, found.coefficients[0].coef
    hazards = np.exp(beta * x)
    for day in np.unique(days[events]):
        gone = (days == day) & events
        d = int(gone.sum())
        risk, tied = hazards[days >= day].sum(), hazards[gone].sum()
        total += beta * x[gone].sum() - np.log(risk - tied * np.arange(d) / d).sum()
    assert found.log_likelihood == pytest.approx(total, rel=1e-12)
    assert max(len(list(of)) for _, of in itertools.groupby(sorted(days[events].tolist()))) > 500
