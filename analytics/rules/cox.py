"""Cox's proportional hazards model on counts per day and covariate vector, and a test of proportional hazards.

Sources: Cox, J R Stat Soc B 1972;34:187-220; ties as Efron, J Am Stat Assoc 1977;72:557-565; the test of
proportional hazards as Grambsch & Therneau, Biometrika 1994;81:515-526, in the exact form of R's survival 3. The
yardstick is R's ``coxph(..., ties = "efron")`` and ``cox.zph(fit, transform = "km")``. In words: docs/rules/cox.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from analytics.rules import sentences
from analytics.rules.comparison import ChiSquared, chi_squared
from analytics.rules.survival import Z95, EventTable, Floats, Integers, Refused, product_limit
from languages.wording import gettext, number

# Below this, estimates are biased and their limits too narrow: Peduzzi et al., J Clin Epidemiol
# 1995;48:1503-1510.
EVENTS_PER_COEFFICIENT = 10

# Newton's steps double the digits each time; where a coefficient has no finite estimate they stay about 1 for ever.
_MAX_STEPS = 30
_MAX_HALVINGS = 30
_STEP_DONE = 1e-9  # in standard deviations of the covariate; the next step would be its square

# Where those with an event are at most this share of the hazard at risk that day, Efron's sums over tied events are
# taken as power series of the share: that many terms reach the last digit of a float. Days with more are few.
_SERIES_SHARE = 0.05
_SERIES_TERMS = 13

# Smallest eigenvalue of the information, as a share of what it would be were the covariates unrelated.
_SINGULAR = 1e-9


@dataclass(frozen=True)
class Coefficient:
    """One coefficient: the log hazard ratio for one more unit of a covariate.

    Args:
        name: of the covariate.
        coef, se: log hazard ratio and its standard error.
        hazard_ratio, lower, upper: with 95 % limits, exp(coef ± 1.96 se).
        z, p: Wald's test of a hazard ratio of 1.
    """

    name: str
    coef: float
    se: float
    hazard_ratio: float
    lower: float
    upper: float
    z: float
    p: float


@dataclass(frozen=True)
class CoxFit:
    """A fitted model.

    Args:
        n, n_events: patients and events.
        log_likelihood_null, log_likelihood: Efron's log partial likelihood with all coefficients 0, and at the fit.
        likelihood_ratio, score, wald: tests of all coefficients being 0.
        covariance: of the coefficients.
        proportional_hazards: per term, a test that its hazard ratios are constant in time.
        proportional_hazards_global: the same of all terms together.
    """

    coefficients: tuple[Coefficient, ...]
    n: int
    n_events: int
    log_likelihood_null: float
    log_likelihood: float
    likelihood_ratio: ChiSquared
    score: ChiSquared
    wald: ChiSquared
    covariance: tuple[tuple[float, ...], ...]
    proportional_hazards: tuple[tuple[str, ChiSquared], ...]
    proportional_hazards_global: ChiSquared


def fit(
    groups: Sequence[tuple[Sequence[float], EventTable]],
    names: Sequence[str],
    *,
    terms: Sequence[str] | None = None,
    events_per_coefficient: int = EVENTS_PER_COEFFICIENT,
) -> CoxFit | Refused:
    """Fit a Cox model, as R ``coxph(Surv(days, event) ~ ..., ties = "efron")`` on one row per patient.

    Late entry as R's ``Surv(entry, days, event)``.

    Args:
        groups: covariates, in the order of ``names``, with the patients who have them. Of a categorical covariate
            each level but the reference is one covariate of 0 and 1.
        names: of the covariates.
        terms: of each covariate the term it belongs to, for the test of proportional hazards: the levels of one
            categorical covariate are one term. Default: each its own.
        events_per_coefficient: fewer are refused.

    Returns:
        The fit, or why there is none: too few events, a covariate that does not vary, a group without events, an
        estimate that is not finite.

    Raises:
        ValueError: covariates that are not finite or not as many as names.
    """
    terms = list(names) if terms is None else list(terms)
    for covariates, _ in groups:
        if len(covariates) != len(names) or not all(math.isfinite(value) for value in covariates):
            raise ValueError(f"covariates {tuple(covariates)}: expected {len(names)} finite numbers")
    if not names or len(terms) != len(names):
        raise ValueError(f"{len(names)} names, {len(terms)} terms: expected as many, one at least")
    groups = [(covariates, table) for covariates, table in groups if table.n]
    pooled = EventTable.sum(table for _, table in groups)
    refused = _refusal(groups, names, pooled.n_events, events_per_coefficient)
    if refused:
        return refused

    x = np.array([covariates for covariates, _ in groups], dtype=np.float64)
    patients = np.array([table.n for _, table in groups], dtype=np.float64)
    mean = patients @ x / pooled.n
    sd = np.sqrt(patients @ (x - mean) ** 2 / pooled.n)
    # Centred and scaled, so that no unit of a covariate costs digits; undone at the end.
    data = _Data.of((x - mean) / sd, [table for _, table in groups], pooled)

    null = start = _at(data, np.zeros(len(names)))
    information = null.information()
    scale = np.sqrt(np.diag(information))
    if not scale.all() or np.linalg.eigvalsh(information / np.outer(scale, scale))[0] < _SINGULAR:
        return Refused(gettext(sentences.ALIKE_AT_RISK).format(names=", ".join(names)))
    score_statistic = float(null.score @ np.linalg.solve(information, null.score))

    for _ in range(_MAX_STEPS):
        try:
            step: Floats = np.linalg.solve(information, start.score).astype(np.float64)
        except np.linalg.LinAlgError:
            break
        found = _improved(data, start, step)
        if found is None:
            break
        start, information = found, found.information()
        if np.abs(step).max() < _STEP_DONE:
            return _result(data, null, start, information, score_statistic, names, terms, sd)
    return Refused(_no_estimate(names, start.beta))


def _refusal(
    groups: Sequence[tuple[Sequence[float], EventTable]],
    names: Sequence[str],
    n_events: int,
    events_per_coefficient: int,
) -> Refused | None:
    if not n_events:
        return Refused(gettext(sentences.NO_EVENTS))
    if n_events < events_per_coefficient * len(names):
        return Refused(
            gettext(sentences.TOO_FEW_EVENTS).format(
                n=n_events, n_coefficients=len(names), least=events_per_coefficient
            )
        )
    for column, name in enumerate(names):
        values = {float(covariates[column]) for covariates, _ in groups}
        if len(values) == 1:
            return Refused(gettext(sentences.SAME_IN_ALL).format(name=name))
        for value in sorted(values) if len(values) == 2 else ():
            if not any(table.n_events for covariates, table in groups if covariates[column] == value):
                return Refused(gettext(sentences.NO_EVENTS_WHERE_ONE).format(name=name, value=_value(value)))
    if (
        len(groups) <= len(names) + 1
    ):  # a group for every coefficient: one without events sends one to infinity
        for covariates, table in groups:
            if not table.n_events:
                values_of = ", ".join(
                    f"{name} {_value(value)}" for name, value in zip(names, covariates, strict=True)
                )
                return Refused(gettext(sentences.NO_EVENTS_WHERE).format(values=values_of))
    return None


def _no_estimate(names: Sequence[str], beta: Floats) -> str:
    # Where the others have settled within a few standard deviations, those without a finite estimate are far out.
    far = np.abs(beta) > max(5.0, float(np.abs(beta).max()) / 3)
    which = [name for name, is_far in zip(names, far, strict=True) if is_far] or list(names)
    return gettext(sentences.SEPARATED).format(names=", ".join(which))


def _value(value: float) -> str:
    return number(Decimal(f"{value:g}"))


@dataclass(frozen=True)
class _Data:
    """The patients as cells of equal covariates and equal place among the days with events.

    Args:
        x: covariates per group, centred and scaled.
        cell_group, cell_upto, cell_n: patients of a group at risk on the first ``upto`` days with events; those
            who enter late are taken off the days up to their entry as a negative number.
        event_group, event_day, event_n: events of a group on a day with events, numbered from 0.
        tied: per day, the number of its events.
        power_sums: m × day, the sum of (l / d)^m over the events l = 0, 1 … d - 1 of the day.
        time: the transform of each day that proportional hazards are tested with, less its mean over events.
    """

    x: Floats
    cell_group: Integers
    cell_upto: Integers
    cell_n: Floats
    event_group: Integers
    event_day: Integers
    event_n: Floats
    tied: Integers
    power_sums: Floats
    time: Floats
    n: int

    @classmethod
    def of(cls, x: Floats, tables: Sequence[EventTable], pooled: EventTable) -> "_Data":
        with_event = pooled.rows.events > 0
        days, tied = pooled.rows.days[with_event], pooled.rows.events[with_event]
        group_of, upto, n = [], [], []
        event_group, event_day, event_n = [], [], []
        for group, table in enumerate(tables):
            entry_days = np.array(table.entry_days, dtype=np.int64)
            entries = np.array(table.entries, dtype=np.int64)
            left = table.rows.events + table.rows.censored
            place = np.searchsorted(days, np.concatenate([table.rows.days, entry_days]), side="right")
            upto.append(place)
            n.append(np.concatenate([left, -entries]))
            group_of.append(np.full(place.size, group))
            mine = table.rows.events > 0
            event_day.append(np.searchsorted(days, table.rows.days[mine]))
            event_n.append(table.rows.events[mine])
            event_group.append(np.full(int(mine.sum()), group))
        before = np.concatenate([[1.0], product_limit(pooled.rows)[0]])[:-1][with_event]
        time = 1 - before
        return cls(
            x=x,
            cell_group=np.concatenate(group_of),
            cell_upto=np.concatenate(upto),
            cell_n=np.concatenate(n).astype(np.float64),
            event_group=np.concatenate(event_group),
            event_day=np.concatenate(event_day),
            event_n=np.concatenate(event_n).astype(np.float64),
            tied=tied,
            power_sums=_power_sums(tied),
            time=time - (tied @ time) / tied.sum(),
            n=pooled.n,
        )

    def at_risk_sum(self, per_group: Floats) -> Floats:
        """Return, per day with events, the sum over the patients at risk of a number of each group."""
        weights = self.cell_n * per_group[self.cell_group]
        by_end = np.bincount(self.cell_upto, weights=weights, minlength=self.tied.size + 1)
        return np.asarray(by_end[:0:-1].cumsum()[::-1], dtype=np.float64)

    def event_sum(self, per_group: Floats) -> Floats:
        """Return, per day with events, the sum over those who had it of a number of each group."""
        weights = self.event_n * per_group[self.event_group]
        return np.asarray(
            np.bincount(self.event_day, weights=weights, minlength=self.tied.size), dtype=np.float64
        )


class _Sums(NamedTuple):
    """Per day, sums over its tied events l = 0, 1 … d - 1 of share^i / risk^k, with share = l / d and risk the
    summed hazards of those at risk, less that share of those who have the event: Efron's denominators."""

    logarithm: Floats  # log risk
    t0: Floats  # 1 / risk
    t1: Floats  # share / risk
    q0: Floats  # 1 / risk²
    q1: Floats  # share / risk²
    q2: Floats  # share² / risk²


def _powers(x: Floats, n: int) -> Floats:
    """Return n rows: x to the power 0, 1 … n - 1, by multiplication, which is many times faster than **."""
    rows = np.empty((n, x.size))
    rows[0] = 1.0
    for k in range(1, n):
        np.multiply(rows[k - 1], x, out=rows[k])
    return rows


# Bernoulli's numbers, with - 1/2.
_BERNOULLI = (1, -1 / 2, 1 / 6, 0, -1 / 30, 0, 1 / 42, 0, -1 / 30, 0, 5 / 66, 0, -691 / 2730, 0, 7 / 6)


def _power_sums(tied: Integers) -> Floats:
    """Return, per m and d, the sum of (l / d)^m over l = 0, 1 … d - 1, m = 0, 1 … 14.

    By addition up to d = 50, where Faulhaber's formula would lose digits, and by the formula from there on: days of a
    large registry have hundreds of events.
    """
    each = np.stack([_powers(np.arange(d) / d, len(_BERNOULLI)).sum(axis=1) for d in range(1, 51)], axis=1)
    sums = each[:, np.minimum(tied, 50) - 1]
    many = tied > 50
    faulhaber = np.array(
        [
            [math.comb(m + 1, k) * b / (m + 1) if k <= m else 0.0 for k, b in enumerate(_BERNOULLI)]
            for m in range(len(_BERNOULLI))
        ]
    )
    sums[:, many] = faulhaber @ _powers(1 / tied[many], len(_BERNOULLI)) * tied[many]
    return np.asarray(sums, dtype=np.float64)


def _efron_sums(data: _Data, of_risk: Floats, of_events: Floats) -> _Sums:
    sums = np.empty((6, data.tied.size))
    part = of_events / of_risk
    small = part <= _SERIES_SHARE

    # 1 / (1 - x) is the sum of x^m, its square that of (m + 1) x^m, its logarithm that of x^m / m.
    terms = _powers(part[small], _SERIES_TERMS)
    powers, risk = data.power_sums[:, small], of_risk[small]
    counts = np.arange(1, _SERIES_TERMS + 1)[:, None]
    squared = counts * terms
    sums[0, small] = data.tied[small] * np.log(risk) - (
        terms * part[small] / counts * powers[1 : _SERIES_TERMS + 1]
    ).sum(axis=0)
    for k in (0, 1):
        sums[1 + k, small] = (terms * powers[k : _SERIES_TERMS + k]).sum(axis=0) / risk
    for k in (0, 1, 2):
        sums[3 + k, small] = (squared * powers[k : _SERIES_TERMS + k]).sum(axis=0) / risk**2

    large = np.flatnonzero(~small)  # nan included
    if large.size:
        tied = data.tied[large]
        first = np.concatenate([[0], tied.cumsum()[:-1]])
        share = (np.arange(tied.sum()) - np.repeat(first, tied)) / np.repeat(tied, tied)
        risk = np.repeat(of_risk[large], tied) - share * np.repeat(of_events[large], tied)
        inverse, shared = 1 / risk, share / risk
        for row, each in enumerate(
            (np.log(risk), inverse, shared, inverse * inverse, inverse * shared, shared * shared)
        ):
            sums[row, large] = np.add.reduceat(each, first)
    return _Sums(*sums)


@dataclass(frozen=True)
class _Point:
    """The partial likelihood at one ``beta``: its logarithm, its score, and what its information needs."""

    data: _Data
    beta: Floats
    log_likelihood: float
    day_scores: Floats  # days × covariates
    sums: _Sums
    hazard: Floats  # per group
    risk_x: Floats  # days × covariates: hazard times covariate, summed over those at risk
    event_x: Floats  # the same over those with the event

    @property
    def score(self) -> Floats:
        return np.asarray(self.day_scores.sum(axis=0), dtype=np.float64)

    def information(self, day_weights: Floats | None = None) -> Floats:
        """Return minus the second derivative, each day's part times its weight."""
        data, sums = self.data, self.sums
        weight = np.ones(data.tied.size) if day_weights is None else day_weights
        # The squares of covariates over those at risk, summed over days: patients first, then days.
        upto = np.concatenate([[0.0], (weight * sums.t0).cumsum()])
        per_group = np.bincount(
            data.cell_group, weights=data.cell_n * upto[data.cell_upto], minlength=len(data.x)
        ) - np.bincount(
            data.event_group,
            weights=data.event_n * (weight * sums.t1)[data.event_day],
            minlength=len(data.x),
        )
        squares = (data.x * (self.hazard * per_group)[:, None]).T @ data.x
        mixed = (self.risk_x * (weight * sums.q1)[:, None]).T @ self.event_x
        means = (
            (self.risk_x * (weight * sums.q0)[:, None]).T @ self.risk_x
            - mixed
            - mixed.T
            + (self.event_x * (weight * sums.q2)[:, None]).T @ self.event_x
        )
        return np.asarray(squares - means, dtype=np.float64)


def _at(data: _Data, beta: Floats) -> _Point:
    predictor = data.x @ beta
    predictor = predictor - predictor.max()  # cancels out of the likelihood, and exp cannot overflow
    hazard = np.exp(predictor)
    of_risk, of_events = data.at_risk_sum(hazard), data.event_sum(hazard)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sums = _efron_sums(data, of_risk, of_events)
        log_likelihood = float(data.event_n @ predictor[data.event_group] - sums.logarithm.sum())
    columns = data.x.T
    risk_x = np.stack([data.at_risk_sum(hazard * column) for column in columns], axis=1)
    event_x = np.stack([data.event_sum(hazard * column) for column in columns], axis=1)
    observed = np.stack([data.event_sum(column) for column in columns], axis=1)
    return _Point(
        data=data,
        beta=beta,
        log_likelihood=log_likelihood,
        day_scores=observed - (sums.t0[:, None] * risk_x - sums.t1[:, None] * event_x),
        sums=sums,
        hazard=hazard,
        risk_x=risk_x,
        event_x=event_x,
    )


def _improved(data: _Data, start: _Point, step: Floats) -> _Point | None:
    """Return the point a step ahead, or half of it and so on, where the likelihood is no lower; None if nowhere."""
    # Near the top the likelihood changes by less than its own rounding.
    rounding = 1e-12 * abs(start.log_likelihood) + 1e-12
    for _ in range(_MAX_HALVINGS):
        found = _at(data, start.beta + step)
        if found.log_likelihood >= start.log_likelihood - rounding:  # False for nan
            return found
        step = step / 2
    return None


def _result(
    data: _Data,
    null: _Point,
    at: _Point,
    information: Floats,
    score_statistic: float,
    names: Sequence[str],
    terms: Sequence[str],
    sd: Floats,
) -> CoxFit:
    n_coefficients = len(names)
    scaled_covariance = np.linalg.inv(information)
    covariance = scaled_covariance / np.outer(sd, sd)
    coefficients = []
    for name, coef, se in zip(
        names, (at.beta / sd).tolist(), np.sqrt(np.diag(covariance)).tolist(), strict=True
    ):
        z = coef / se
        coefficients.append(
            Coefficient(
                name=name,
                coef=coef,
                se=se,
                hazard_ratio=math.exp(coef),
                lower=math.exp(coef - Z95 * se),
                upper=math.exp(coef + Z95 * se),
                z=z,
                p=math.erfc(abs(z) / math.sqrt(2)),
            )
        )
    per_term, together = _proportional_hazards(data, at, information, terms)
    return CoxFit(
        coefficients=tuple(coefficients),
        n=data.n,
        n_events=int(data.tied.sum()),
        log_likelihood_null=null.log_likelihood,
        log_likelihood=at.log_likelihood,
        likelihood_ratio=chi_squared(2 * (at.log_likelihood - null.log_likelihood), n_coefficients),
        score=chi_squared(score_statistic, n_coefficients),
        wald=chi_squared(float(at.beta @ information @ at.beta), n_coefficients),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
        proportional_hazards=per_term,
        proportional_hazards_global=together,
    )


def _proportional_hazards(
    data: _Data, at: _Point, information: Floats, terms: Sequence[str]
) -> tuple[tuple[tuple[str, ChiSquared], ...], ChiSquared]:
    """Return score tests of adding each covariate times g(t), g = 1 - S(t-) of all patients together."""
    score = data.time @ at.day_scores
    between = at.information(data.time)
    # What the time-dependent part knows beyond the covariates themselves.
    beyond = at.information(data.time**2) - between @ np.linalg.solve(information, between)

    def test(columns: Sequence[int]) -> ChiSquared:
        part = beyond[np.ix_(columns, columns)]
        statistic = float(score[columns] @ np.linalg.lstsq(part, score[columns], rcond=None)[0])
        return chi_squared(statistic, len(columns))

    per_term = {term: [column for column, of in enumerate(terms) if of == term] for term in terms}
    return (
        tuple((term, test(columns)) for term, columns in per_term.items()),
        test(range(len(terms))),
    )
