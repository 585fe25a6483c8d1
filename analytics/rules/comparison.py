"""The log-rank test between strata, from counts per day.

Sources: Mantel, Cancer Chemother Rep 1966;50:163-170; for k strata and weights, Harrington & Fleming, Biometrika
1982;69:553-566. The yardstick is R's ``survival::survdiff``. In words: docs/rules/comparison.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.rules import sentences
from analytics.rules.survival import EventTable, Refused, product_limit
from languages.wording import gettext


@dataclass(frozen=True)
class ChiSquared:
    """A test statistic with its degrees of freedom and the tail above it."""

    chi2: float
    df: int
    p: float


def chi_squared(chi2: float, df: int) -> ChiSquared:
    """Return the statistic with its p-value, as R's ``pchisq(chi2, df, lower.tail = FALSE)``.

    The tail itself, not 1 less the rest, which is 0 from a chi-squared of some 70 on.
    """
    # Imported here: scipy takes most of a second to load, and pages read this module's results only.
    from scipy.special import chdtrc

    return ChiSquared(chi2=chi2, df=df, p=float(chdtrc(df, chi2)))


@dataclass(frozen=True)
class StratumEvents:
    """One stratum in a log-rank test.

    Args:
        n: patients.
        observed, expected: events, and those expected if all strata had the same hazard; weighted when rho is
            above 0.
    """

    name: str
    n: int
    observed: float
    expected: float


@dataclass(frozen=True)
class LogRank:
    """A log-rank test; strata in the order they were given, those without patients included."""

    test: ChiSquared
    strata: tuple[StratumEvents, ...]


def log_rank(tables: Mapping[str, EventTable], rho: float = 0) -> LogRank | Refused:
    """Compare the survival of strata, as R's ``survdiff(Surv(days, event) ~ stratum, rho = rho)``.

    With late entry, which survdiff does not take, it is the score test of R's
    ``coxph(Surv(entry, days, event) ~ stratum, ties = "exact")``.

    Args:
        tables: per stratum.
        rho: each event is weighted by S(t-) to this power, S pooled: 0 is the log-rank test, 1 Peto's
            modification of Wilcoxon's, in which early events weigh more.
    """
    with_patients = [name for name, table in tables.items() if table.n]
    if len(with_patients) < 2:
        return Refused(gettext(sentences.STRATA_WITH_PATIENTS).format(n=len(with_patients)))
    pooled = EventTable.sum(tables.values())
    if not pooled.n_events:
        return Refused(gettext(sentences.NO_EVENTS))

    with_event = pooled.rows.events > 0
    days = pooled.rows.days[with_event]
    at_risk = np.stack([table.at_risk_on(days) for table in tables.values()]).astype(np.float64)
    events = np.stack([_events_on(table, days) for table in tables.values()]).astype(np.float64)
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    before = np.concatenate([[1.0], product_limit(pooled.rows)[0]])[:-1][with_event]
    weight = before**rho

    share = at_risk / n
    observed, expected = events @ weight, share @ (d * weight)
    with np.errstate(invalid="ignore"):
        # One patient left at risk says nothing: the variance of that day is 0.
        spread = np.where(n > 1, weight**2 * d * (n - d) / (n - 1), 0.0)
    covariance = np.diag(share @ spread) - (share * spread) @ share.T

    compared = np.flatnonzero(expected > 0)[1:]  # one is left out: the differences add up to 0
    if not compared.size:
        return Refused(gettext(sentences.ONE_STRATUM_AT_RISK))
    v = covariance[np.ix_(compared, compared)]
    difference = (observed - expected)[compared]
    scale = np.sqrt(np.diag(v))
    if not scale.all() or np.linalg.matrix_rank(v / np.outer(scale, scale), hermitian=True) < compared.size:
        return Refused(gettext(sentences.NEVER_TOGETHER))
    statistic = float(difference @ np.linalg.solve(v, difference))
    return LogRank(
        test=chi_squared(statistic, compared.size),
        strata=tuple(
            StratumEvents(name=name, n=table.n, observed=float(o), expected=float(e))
            for (name, table), o, e in zip(tables.items(), observed, expected, strict=True)
        ),
    )


def _events_on(table: EventTable, days: np.ndarray) -> np.ndarray:
    """Return the stratum's events on each of the days, which hold all of its days with events."""
    events = np.zeros(days.size, dtype=np.int64)
    mine = table.rows.events > 0
    events[np.searchsorted(days, table.rows.days[mine])] = table.rows.events[mine]
    return events
