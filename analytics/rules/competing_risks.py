"""Cumulative incidence of each cause among competing ones, from counts per day.

Sources: Aalen & Johansen, Scand J Stat 1978;5:141-150; the variance as Marubini & Valsecchi, Analysing Survival Data
(1995), section 10.3 (delta method). The yardstick is R's ``survfit(Surv(days, factor(cause)) ~ 1)``. In words:
docs/rules/competing-risks.md.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.rules.survival import Z95, EventTable, Floats, Integers, product_limit

CountsPerDay = Mapping[int, int]


@dataclass(frozen=True)
class CauseCurve:
    """The cumulative incidence of one cause; one entry per row of the ``CumulativeIncidence`` it belongs to.

    Args:
        events: of this cause, on the day.
        incidence: probability to have had an event of this cause by the day, that day included.
        se: standard error.
        lower, upper: pointwise 95 % limits on the log(-log) scale; None where the incidence is 0 or 1.
    """

    events: tuple[int, ...]
    incidence: tuple[float, ...]
    se: tuple[float, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]


@dataclass(frozen=True)
class CumulativeIncidence:
    """One curve per cause; rows as those of ``survival.Curve``: the start, then the days. Nobody: all are empty.

    On every row the survival and the incidences of all causes add up to 1.

    Args:
        days, at_risk, censored: as ``survival.Curve``.
        survival: without an event of any cause: Kaplan-Meier.
        causes: by name, in the order given.
    """

    days: tuple[int, ...]
    at_risk: tuple[int, ...]
    censored: tuple[int, ...]
    survival: tuple[float, ...]
    causes: Mapping[str, CauseCurve]

    def to_json(self) -> dict[str, Any]:
        """Return the rows as lists; of each cause events, incidence, se, lower, upper (undefined: None)."""
        return {
            "days": list(self.days),
            "at_risk": list(self.at_risk),
            "censored": list(self.censored),
            "survival": list(self.survival),
            "causes": {
                name: {
                    "events": list(cause.events),
                    "incidence": list(cause.incidence),
                    "se": list(cause.se),
                    "lower": list(cause.lower),
                    "upper": list(cause.upper),
                }
                for name, cause in self.causes.items()
            },
        }


def cumulative_incidence(
    by_cause: Mapping[str, CountsPerDay], censored: CountsPerDay, entries: CountsPerDay | None = None
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of each cause, as R ``survfit(Surv(days, factor(cause)) ~ 1)``.

    Limits as R's ``conf.type = "log-log"``. Events come before censoring on a day that has both; events of
    several causes on a day share its risk set.

    Args:
        by_cause: per cause, day to number of patients whose time ended with it.
        censored: day to number of patients censored.
        entries: day to number of patients who entered late (``EventTable``).

    Raises:
        ValueError: as ``EventTable``.
    """
    tables = {
        name: EventTable.from_arrays(list(counts), list(counts.values()), [], [])
        for name, counts in by_cause.items()
    }
    gone = EventTable.from_arrays([], [], list(censored), list(censored.values()))
    everybody = EventTable.sum([*tables.values(), gone])
    if entries:
        everybody = EventTable(
            *(everybody.rows.days, everybody.rows.events, everybody.rows.censored),
            *zip(*sorted(entries.items()), strict=True),
        )
    rows = everybody.rows
    if not rows.days.size:
        nobody = CauseCurve((), (), (), (), ())
        return CumulativeIncidence((), (), (), (), dict.fromkeys(by_cause, nobody))

    survival, _ = product_limit(rows)
    before = np.concatenate([[1.0], survival[:-1]])
    begins_with_start = rows.days[0] == 0 and rows.events[0] == 0
    start: int = 0 if begins_with_start else 1  # rows to put before the table's own
    causes = {}
    for name, table in tables.items():
        events = np.zeros(rows.days.size, dtype=np.int64)
        events[np.searchsorted(rows.days, table.rows.days)] = table.rows.events
        incidence = np.cumsum(before * events / rows.at_risk)
        se = _standard_errors(events, rows.events, rows.at_risk, before, incidence)
        lower, upper = _limits(
            incidence, se, certain=survival == 0, only=bool(events.sum() == rows.events.sum())
        )
        causes[name] = CauseCurve(
            events=(0,) * start + tuple(events.tolist()),
            incidence=(0.0,) * start + tuple(incidence.tolist()),
            se=(0.0,) * start + tuple(se.tolist()),
            lower=(None,) * start + tuple(lower),
            upper=(None,) * start + tuple(upper),
        )
    return CumulativeIncidence(
        days=(0,) * start + everybody.days,
        at_risk=(everybody.n - sum(everybody.entries),) * start + tuple(rows.at_risk.tolist()),
        censored=(0,) * start + everybody.censored,
        survival=(1.0,) * start + tuple(survival.tolist()),
        causes=causes,
    )


def _standard_errors(
    events: Integers, all_events: Integers, at_risk: Integers, before: Floats, incidence: Floats
) -> Floats:
    """Return the delta-method standard error on each day t, F the incidence, over the days j up to t.

    The variance is the sum of (F(t) - F(j))² d / (n (n - d)), S(j-)² e (n - e) / n³ and
    - 2 (F(t) - F(j)) S(j-) e / n², for d events of any cause and e of this one.
    """
    n, d, e = at_risk.astype(np.float64), all_events.astype(np.float64), events.astype(np.float64)
    # Where S falls to 0 nothing follows: F(t) - F(j) is 0.
    hazard = np.divide(d, n * (n - d), out=np.zeros(n.size), where=n > d)
    own = before**2 * e * (n - e) / n**3
    mixed = before * e / n**2
    variance = (
        incidence**2 * hazard.cumsum()
        - 2 * incidence * (hazard * incidence + mixed).cumsum()
        + (hazard * incidence**2 + own + 2 * mixed * incidence).cumsum()
    )
    # The terms cancel where nothing is uncertain.
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)), dtype=np.float64)


def _limits(
    incidence: Floats, se: Floats, *, certain: NDArray[np.bool_], only: bool
) -> tuple[list[float | None], list[float | None]]:
    defined = incidence > 0
    if only:  # one cause alone comes to exactly 1, which its sum may miss by a rounding
        defined &= ~certain
    lower, upper = np.full(incidence.size, None, dtype=object), np.full(incidence.size, None, dtype=object)
    logarithm = np.log(incidence[defined])
    width = Z95 * se[defined] / (incidence[defined] * -logarithm)
    with np.errstate(over="ignore", under="ignore"):
        lower[defined] = np.exp(logarithm * np.exp(width))
        upper[defined] = np.exp(logarithm * np.exp(-width))
    return lower.tolist(), upper.tolist()


@dataclass(frozen=True)
class IncidenceAt:
    """The cumulative incidence of a cause read off its curve; None where undefined."""

    days: int | Decimal
    incidence: float | None
    se: float | None
    lower: float | None
    upper: float | None


def incidence_at(curves: CumulativeIncidence, cause: str, days: int | Decimal) -> IncidenceAt:
    """Return the incidence of the cause by the day, as R's ``summary(survfit(...), times = t)``.

    Beyond the last observed day it is unknown, unless nobody is left without an event: then it stays.

    Raises:
        ValueError: t is negative.
    """
    if days < 0:
        raise ValueError(f"{days} days: expected 0 or more")
    curve = curves.causes[cause]
    if not curves.days or (days > curves.days[-1] and curves.survival[-1] > 0):
        return IncidenceAt(days=days, incidence=None, se=None, lower=None, upper=None)
    row = bisect_right(curves.days, days) - 1
    return IncidenceAt(
        days=days,
        incidence=curve.incidence[row],
        se=curve.se[row],
        lower=curve.lower[row],
        upper=curve.upper[row],
    )
