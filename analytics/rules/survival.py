"""Kaplan-Meier curves from counts per day, their quantiles, landmark rates and fixed-horizon rates.

The yardstick is R's ``survival::survfit`` with ``conf.type = "log-log"``. lifelines computes the product and
Greenwood's variance; where it departs from R the value is set right beside the call. In words:
docs/rules/survival.md.

lifelines takes seconds to import: only modules that compute should import this one.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple, Self, get_args

import numpy as np
from lifelines import KaplanMeierFitter

from analytics.rules.endpoints import MONTH_DAYS
from analytics.rules.response import rate

HorizonState = Literal["not_started_early_enough", "event", "event_free", "unknown"]

# lifelines multiplies two counts in 64 bits.
MAX_PATIENTS = 2**32 - 1

# Rounding in lifelines' sum of logarithms stays below 1e-9 for any curve of MAX_PATIENTS and a century of
# days. Nearer to a quantile than this, whole numbers decide.
_FLOAT_DOUBT = 1e-9


@dataclass(frozen=True)
class EventTable:
    """How many patients had the event, and how many were censored, on each day since time zero.

    Args:
        days: distinct days on which anybody's time ended, ascending, from 0.
        events, censored: patients whose time ended that day, as counts; one of the two is above 0.

    Raises:
        ValueError: unequal lengths, days that are negative or out of order, counts that are negative or
            both 0.
    """

    days: tuple[int, ...]
    events: tuple[int, ...]
    censored: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.days) == len(self.events) == len(self.censored):
            lengths = f"{len(self.days)}, {len(self.events)}, {len(self.censored)}"
            raise ValueError(f"event table of {lengths} days, events, censored: expected equal lengths")
        if self.days and self.days[0] < 0:
            raise ValueError(f"day {self.days[0]}: expected 0 or more, time zero is day 0")
        for earlier, later in zip(self.days, self.days[1:], strict=False):
            if later <= earlier:
                raise ValueError(f"day {later} after day {earlier}: expected distinct days, ascending")
        for day, events, censored in zip(self.days, self.events, self.censored, strict=True):
            if events < 0 or censored < 0 or events + censored == 0:
                raise ValueError(
                    f"day {day}: {events} events and {censored} censored, expected counts, one above 0"
                )
        if self.n > MAX_PATIENTS:
            raise ValueError(f"{self.n} patients: expected at most {MAX_PATIENTS}")

    @classmethod
    def from_counts(cls, counts: Iterable[tuple[int, bool, int]]) -> Self:
        """Return the table of (days, event, patients) in any order; a day may come more than once.

        Raises:
            ValueError: a day or count that is negative or no whole number.
        """
        tallies: dict[int, list[int]] = {}  # day → [censored, events]
        for day, event, n in counts:
            # The JSON of a count is an int; SQL's sum() of counts comes as Decimal and must be cast there.
            if not isinstance(day, int) or day < 0:
                raise ValueError(f"time {day!r} days: expected a whole number, 0 or more")
            if not isinstance(n, int) or n < 0:
                raise ValueError(f"{n!r} patients on day {day}: expected a whole number, 0 or more")
            tallies.setdefault(day, [0, 0])[bool(event)] += n
        days = sorted(day for day, tally in tallies.items() if any(tally))
        return cls(
            days=tuple(days),
            events=tuple(tallies[day][True] for day in days),
            censored=tuple(tallies[day][False] for day in days),
        )

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[int, bool]]) -> Self:
        """Return the table of one (days, event) per patient, in any order."""
        return cls.from_counts((day, event, 1) for day, event in rows)

    @cached_property
    def n(self) -> int:
        return sum(self.events) + sum(self.censored)

    @cached_property
    def n_events(self) -> int:
        return sum(self.events)

    def reversed(self) -> "EventTable":
        """Return the table with events and censoring exchanged, as follow-up time is estimated on."""
        return EventTable(days=self.days, events=self.censored, censored=self.events)


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier estimate; every tuple has one entry per row, days ascending. Nobody: all are empty.

    Row 0 is the start: day 0, survival 1, everybody at risk. The rows after it are the days of the event
    table. Day 0 stands there a second time only when an event fell on it; whoever was censored on day 0
    without an event there is counted in row 0.

    Args:
        days: since time zero.
        at_risk: patients whose time is this day or later (R's ``n.risk``), before the day's events.
        events, censored: on this day.
        survival: after the day's events.
        lower, upper: pointwise 95 % limits, Greenwood's on the log(-log) scale; None where survival is
            exactly 1 or 0, since there the scale has no value.
    """

    days: tuple[int, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]
    censored: tuple[int, ...]
    survival: tuple[float, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]


def kaplan_meier(table: EventTable) -> Curve:
    """Estimate S(t) with pointwise 95 % limits, as R ``survfit(Surv(days, event) ~ 1, conf.type="log-log")``.

    On a day that has both, events come before censoring, as everywhere.
    """
    if not table.days:
        return Curve((), (), (), (), (), (), ())
    days = np.array(table.days, dtype=np.int64)
    events = np.array(table.events, dtype=np.int64)
    censored = np.array(table.censored, dtype=np.int64)
    left = events + censored
    # The risk table lifelines draws counts after the removals of a day; clinicians and R count all whose time
    # is that day or later.
    at_risk = left.sum() - left.cumsum() + left

    fitter = KaplanMeierFitter(alpha=0.05)
    # lifelines switches numpy's warnings off for the whole process; errstate puts them back.
    with np.errstate(invalid="ignore", divide="ignore"):
        fitter.fit(
            np.concatenate([days, days]),
            event_observed=np.repeat([1, 0], days.size),
            weights=np.concatenate([events, censored]),
        )
    # One row per day, after a row 0 of lifelines' own unless day 0 is in the table.
    survival = fitter.survival_function_.to_numpy()[-days.size :, 0]
    limits = fitter.confidence_interval_.to_numpy()[-days.size :]

    # lifelines gives limits of 0 where survival is 0, and of 1 where it is 1. Both ends are exact: exp(log
    # 0) is 0, and before the first event every logarithm is 0.
    defined = ((survival > 0) & (survival < 1)).tolist()
    lower = [limit if known else None for limit, known in zip(limits[:, 0].tolist(), defined, strict=True)]
    upper = [limit if known else None for limit, known in zip(limits[:, 1].tolist(), defined, strict=True)]

    begins_with_start = table.days[0] == 0 and table.events[0] == 0
    start: int = 0 if begins_with_start else 1  # rows to put before the table's own
    return Curve(
        days=(0,) * start + table.days,
        at_risk=(table.n,) * start + tuple(at_risk.tolist()),
        events=(0,) * start + table.events,
        censored=(0,) * start + table.censored,
        survival=(1.0,) * start + tuple(survival.tolist()),
        lower=(None,) * start + tuple(lower),
        upper=(None,) * start + tuple(upper),
    )


@dataclass(frozen=True)
class Quantile:
    """A time in days with its 95 % limits; None where not reached."""

    days: float | None
    lower: float | None
    upper: float | None


def quantile(curve: Curve, p: Fraction | Decimal = Fraction(1, 2)) -> Quantile:
    """Return the time by which the share ``p`` has had the event; p = 1/2 is the median.

    As R's ``quantile(survfit(...), p)``: the first day on which survival is below 1 - p. Where it is
    exactly 1 - p for a while, the middle of that flat piece; when nothing follows, the piece ends with the
    last observed day. Whether it is exact is decided on the counts as whole numbers: lifelines' product of
    rounded factors misses it.

    The limits are the first days on which the lower and the upper limit of survival are at or below 1 - p
    (Brookmeyer & Crowley, Biometrics 1982;38:29-41).

    Raises:
        ValueError: p is not between 0 and 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"quantile {p}: expected a share between 0 and 1")
    target = 1 - Fraction(p)
    return Quantile(
        days=_day_reached(curve, target),
        lower=_first_day_at_or_below(curve.days, curve.lower, target),
        upper=_first_day_at_or_below(curve.days, curve.upper, target),
    )


def _day_reached(curve: Curve, target: Fraction) -> float | None:
    # The sign never rises along the rows, so both ends of the flat piece can be found by halving.
    rows = range(len(curve.days))
    at_or_below = bisect_left(rows, 0, key=lambda row: -_compare_survival(curve, row, target))
    if at_or_below == len(rows):
        return None
    below = bisect_right(rows, 0, key=lambda row: -_compare_survival(curve, row, target))
    if below == at_or_below:
        return float(curve.days[below])
    flat_until = below if below < len(rows) else -1
    return (curve.days[at_or_below] + curve.days[flat_until]) / 2


def _compare_survival(curve: Curve, row: int, target: Fraction) -> int:
    """Return 1, 0 or -1 as survival in the row is above, exactly or below the target."""
    difference = curve.survival[row] - float(target)
    if abs(difference) > _FLOAT_DOUBT:
        return 1 if difference > 0 else -1
    upto = slice(row + 1)
    with_event = [(n, d) for n, d in zip(curve.at_risk[upto], curve.events[upto], strict=True) if d]
    survivors = math.prod(n - d for n, d in with_event) * target.denominator
    everybody = math.prod(n for n, _ in with_event) * target.numerator
    return (survivors > everybody) - (survivors < everybody)


def _first_day_at_or_below(
    days: Sequence[int], limits: Sequence[float | None], target: Fraction
) -> float | None:
    height = float(target)
    for day, limit in zip(days, limits, strict=True):
        if limit is not None and limit <= height:
            return float(day)
    return None


@dataclass(frozen=True)
class LandmarkSurvival:
    """S(t) read off a curve.

    Args:
        days: t; not a whole number for most months.
        survival, lower, upper: None where undefined.
        at_risk: patients whose time is t or later.
    """

    days: int | Decimal
    survival: float | None
    lower: float | None
    upper: float | None
    at_risk: int


def survival_at(curve: Curve, days: int | Decimal) -> LandmarkSurvival:
    """Return S(t), as R's ``summary(survfit(...), times=t)``.

    Beyond the last observed day S(t) is unknown, unless the curve has come down to 0: then it stays there. (R
    leaves out times beyond the last day in either case.) Where S(t) is 1 there are no limits; R says 1 to 1
    before the first observed day and NA after it.

    Raises:
        ValueError: t is negative.
    """
    if days < 0:
        raise ValueError(f"{days} days: expected 0 or more")
    row = bisect_right(curve.days, days) - 1
    following = bisect_left(curve.days, days)
    at_risk = curve.at_risk[following] if following < len(curve.days) else 0
    if not curve.days or (days > curve.days[-1] and curve.survival[-1] > 0):
        return LandmarkSurvival(days=days, survival=None, lower=None, upper=None, at_risk=at_risk)
    return LandmarkSurvival(
        days=days,
        survival=curve.survival[row],
        lower=curve.lower[row],
        upper=curve.upper[row],
        at_risk=at_risk,
    )


def median_follow_up_days(table: EventTable) -> float | None:
    """Return the median follow-up by reverse Kaplan-Meier: censoring is the event, and the event censors.

    Source: Schemper & Smith, Control Clin Trials 1996;17:343-346. Without limits, which nobody reads, the product
    limit itself is enough: a fourth of the time of a whole curve.
    """
    if not table.days:
        return None
    follow_up = table.reversed()
    events = np.array(follow_up.events, dtype=np.int64)
    left = events + np.array(follow_up.censored, dtype=np.int64)
    at_risk = left.sum() - left.cumsum() + left
    undefined = (None,) * len(table.days)
    curve = Curve(
        days=follow_up.days,
        at_risk=tuple(at_risk.tolist()),
        events=follow_up.events,
        censored=follow_up.censored,
        survival=tuple(np.cumprod(1 - events / at_risk).tolist()),
        lower=undefined,
        upper=undefined,
    )
    return _day_reached(curve, Fraction(1, 2))


def horizon_days(months: int, month_days: Decimal = MONTH_DAYS) -> Decimal:
    """Return the exact length of so many months in days.

    Raises:
        ValueError: less than one month.
    """
    if months < 1:
        raise ValueError(f"{months} months: expected 1 or more")
    return months * month_days


class HorizonThresholds(NamedTuple):
    """A horizon as whole days, which is how a database compares.

    Args:
        event_by: an event on this day or earlier was by the horizon.
        followed_from: follow-up, or a course started, this many days or more reaches the horizon.
    """

    event_by: int
    followed_from: int


def horizon_thresholds(months: int, month_days: Decimal = MONTH_DAYS) -> HorizonThresholds:
    """Return the whole-day thresholds that classify exactly as ``horizon_state`` does.

    Equal when the horizon is a whole number of days, else one apart, with the horizon between them.
    """
    days = horizon_days(months, month_days)
    return HorizonThresholds(event_by=math.floor(days), followed_from=math.ceil(days))


def horizon_state(*, days: int, event: bool, potential_days: int, horizon_days: Decimal) -> HorizonState:
    """Return what is known of one course at a fixed horizon.

    Args:
        days, event: time to event or censoring.
        potential_days: from time zero to the cut-off.
        horizon_days: the horizon; an event on it was by then, follow-up to it is event-free at it.

    Returns:
        "not_started_early_enough": the cut-off came before the horizon, so the course is left out even when
        its event is known (to count only those who had one would lower the rate); else "event",
        "event_free", or "unknown" (lost before the horizon).

    Raises:
        ValueError: negative days, or a time that ends after the cut-off.
    """
    if days < 0:
        raise ValueError(f"{days} days: expected 0 or more")
    if days > potential_days:
        raise ValueError(
            f"{days} days: expected at most the {potential_days} days from time zero to the cut-off"
        )
    if potential_days < horizon_days:
        return "not_started_early_enough"
    if event and days <= horizon_days:
        return "event"
    return "event_free" if days >= horizon_days else "unknown"


@dataclass(frozen=True)
class FixedHorizon:
    """Share event-free at a horizon among those whose state there is known. Not a Kaplan-Meier rate.

    Args:
        months, days: the horizon.
        n_event_free: numerator.
        of: denominator: event by then, or event-free at it.
        unknown: started early enough but lost before the horizon; in neither.
        rate: None when ``of`` is 0.
        ci95: Clopper-Pearson.
    """

    months: int
    days: Decimal
    n_event_free: int
    of: int
    unknown: int
    rate: float | None
    ci95: tuple[float, float] | tuple[None, None]


def fixed_horizon(
    months: int, counts: Mapping[HorizonState, int], *, month_days: Decimal = MONTH_DAYS
) -> FixedHorizon:
    """Return the fixed-horizon rate from the number of courses in each state of ``horizon_state``.

    Args:
        counts: a state left out counts 0; "not_started_early_enough" takes no part.

    Raises:
        ValueError: an unknown state or a negative count.
    """
    for state, n in counts.items():
        if state not in get_args(HorizonState) or n < 0:
            raise ValueError(f"{n} courses {state!r}: expected counts of {', '.join(get_args(HorizonState))}")
    n_event_free = counts.get("event_free", 0)
    share = rate(n_event_free, n_event_free + counts.get("event", 0))
    return FixedHorizon(
        months=months,
        days=horizon_days(months, month_days),
        n_event_free=share.n,
        of=share.of,
        unknown=counts.get("unknown", 0),
        rate=share.rate,
        ci95=share.ci95,
    )
