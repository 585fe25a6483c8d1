"""Kaplan-Meier curves from counts per day, their quantiles, landmark rates and fixed-horizon rates.

The yardstick is R's ``survival::survfit`` with ``conf.type = "log-log"``. The product and Greenwood's sum are
taken here, on whole columns of counts, and not by a library: docs/rules/survival.md says why. In words there too.

Pages import this module, so it takes numpy alone: scipy and pandas take most of a second to load.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.rules.endpoints import MONTH_DAYS
from analytics.rules.response import rate

HorizonState = Literal["not_started_early_enough", "event", "event_free", "unknown"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Counts and their sums fit 64 bits with room to spare, and one event of so many can be told from none.
MAX_PATIENTS = 2**32 - 1

# The normal quantile of two-sided 95 % limits: R's qnorm(0.975).
Z95 = 1.959963984540054

# Rounding in the product stays below 1e-10 for a curve of a century of days. Nearer to a quantile than this,
# whole numbers decide.
_FLOAT_DOUBT = 1e-9


@dataclass(frozen=True)
class Refused:
    """What stands in place of an estimate or a test that would mean nothing, with the reason for people."""

    reason: str


class RiskTable(NamedTuple):
    """The columns every estimate is computed from: one entry per distinct day, ascending.

    Args:
        days: since time zero.
        at_risk: patients whose time is this day or later and who entered before it (R's ``n.risk``).
        events, censored: on this day.
    """

    days: Integers
    at_risk: Integers
    events: Integers
    censored: Integers


class EventTable:
    """How many patients had the event, and how many were censored, on each day since time zero.

    Late entry (left truncation): a patient who entered on day e and whose time is t is at risk on the days d
    with e < d <= t, as in R's ``Surv(e, t, event)``. Whoever is not among the entries, or entered on day 0, is
    at risk from the start, day 0 included. Counts do not say which patient entered when, so whoever counts must
    leave out those with t <= e (R drops them with a warning); a table in which more leave than are there is
    refused.

    Args:
        days: distinct days on which anybody's time ended, ascending, from 0.
        events, censored: patients whose time ended that day, as counts; one of the two is above 0.
        entry_days, entries: distinct days, ascending, and how many entered late on them.

    Raises:
        ValueError: unequal lengths, days that are negative or out of order, counts that are negative, no whole
            numbers or both 0, more patients leaving than at risk.
    """

    def __init__(
        self,
        days: ArrayLike,
        events: ArrayLike,
        censored: ArrayLike,
        entry_days: ArrayLike = (),
        entries: ArrayLike = (),
    ) -> None:
        day, event, gone = (
            _whole_numbers(column, what)
            for column, what in ((days, "days"), (events, "events"), (censored, "censored"))
        )
        entry_day, entered = _whole_numbers(entry_days, "entry days"), _whole_numbers(entries, "entries")
        if not len(day) == len(event) == len(gone):
            lengths = f"{len(day)}, {len(event)}, {len(gone)}"
            raise ValueError(f"event table of {lengths} days, events, censored: expected equal lengths")
        if len(entry_day) != len(entered):
            raise ValueError(f"{len(entry_day)} entry days, {len(entered)} entries: expected equal lengths")
        for column in (day, entry_day):
            _check_ascending(column)
        left = event + gone
        empty = np.flatnonzero((event < 0) | (gone < 0) | (left == 0))
        if empty.size:
            row = empty[0]
            raise ValueError(
                f"day {day[row]}: {event[row]} events and {gone[row]} censored, expected counts, one above 0"
            )
        if entered.size and entered.min() < 0:
            raise ValueError(f"{entered.min()} entries: expected 0 or more")
        self.n = int(left.sum())
        if self.n > MAX_PATIENTS:
            raise ValueError(f"{self.n} patients: expected at most {MAX_PATIENTS}")

        late = (entry_day > 0) & (entered > 0)
        self._entry_days, self._entries = entry_day[late], entered[late]
        if int(self._entries.sum()) > self.n:
            raise ValueError(f"{self._entries.sum()} late entries: expected at most the {self.n} patients")
        at_risk = self.n - left.cumsum() + left
        if self._entries.size:
            at_risk = at_risk - _counted_from(self._entry_days, self._entries, day)
            too_few = np.flatnonzero(at_risk < left)
            if too_few.size:
                row = too_few[0]
                raise ValueError(
                    f"day {day[row]}: {left[row]} patients leave of {at_risk[row]} at risk, "
                    "expected every time to be after its entry"
                )
        self.rows = RiskTable(day, at_risk, event, gone)

    @classmethod
    def from_arrays(
        cls,
        event_days: ArrayLike,
        event_counts: ArrayLike,
        censored_days: ArrayLike,
        censored_counts: ArrayLike,
        entry_days: ArrayLike | None = None,
        entry_counts: ArrayLike | None = None,
    ) -> Self:
        """Return the table of columns of days and of patients on them; days in any order, and may come twice.

        Raises:
            ValueError: as the class, and unequal lengths.
        """
        on_events, events = _columns(event_days, event_counts, "events")
        on_censored, censored = _columns(censored_days, censored_counts, "censored")
        days, place = np.unique(np.concatenate([on_events, on_censored]), return_inverse=True)
        left = np.zeros((2, days.size), dtype=np.int64)
        np.add.at(left[0], place[: on_events.size], events)
        np.add.at(left[1], place[on_events.size :], censored)
        somebody = left.any(axis=0)
        entry_day, entered = _columns(
            () if entry_days is None else entry_days, () if entry_counts is None else entry_counts, "entries"
        )
        entry_day, place = np.unique(entry_day, return_inverse=True)
        entries = np.zeros(entry_day.size, dtype=np.int64)
        np.add.at(entries, place, entered)
        return cls(days[somebody], left[0, somebody], left[1, somebody], entry_day, entries)

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
            days=days,
            events=[tallies[day][True] for day in days],
            censored=[tallies[day][False] for day in days],
        )

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[int, bool] | tuple[int, bool, int]]) -> Self:
        """Return the table of one (days, event) or (days, event, day of entry) per patient, in any order.

        Raises:
            ValueError: a time that is not after its entry, unless both are day 0; a day that is negative or no
                whole number.
        """
        counts, entries = [], []
        for day, event, *entry in rows:
            if entry and entry[0] > 0 and day <= entry[0]:
                raise ValueError(
                    f"time {day} days, entered on day {entry[0]}: expected a time after the entry"
                )
            counts.append((day, event, 1))
            entries += entry
        table = cls.from_counts(counts)
        if not entries:
            return table
        entry_days, entered = np.unique(_whole_numbers(entries, "entry days"), return_counts=True)
        return cls(table.rows.days, table.rows.events, table.rows.censored, entry_days, entered)

    @classmethod
    def sum(cls, tables: Iterable["EventTable"]) -> Self:
        """Return the table of all their patients together: the overall table of strata."""
        each = list(tables)

        def joined(columns: Iterable[Integers]) -> Integers:
            return np.concatenate([np.zeros(0, dtype=np.int64), *columns])

        days = joined(table.rows.days for table in each)
        return cls.from_arrays(
            days,
            joined(table.rows.events for table in each),
            days,
            joined(table.rows.censored for table in each),
            joined(table._entry_days for table in each),
            joined(table._entries for table in each),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventTable):
            return NotImplemented
        return all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._parts(), other._parts(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]  # equal by its columns, which hash slowly and are never keys

    def _parts(self) -> tuple[Integers, ...]:
        return (*self.rows, self._entry_days, self._entries)

    def __repr__(self) -> str:
        late = f", entry_days={self.entry_days}, entries={self.entries}" if self.entries else ""
        return f"EventTable(days={self.days}, events={self.events}, censored={self.censored}{late})"

    @cached_property
    def days(self) -> tuple[int, ...]:
        return tuple(self.rows.days.tolist())

    @cached_property
    def events(self) -> tuple[int, ...]:
        return tuple(self.rows.events.tolist())

    @cached_property
    def censored(self) -> tuple[int, ...]:
        return tuple(self.rows.censored.tolist())

    @cached_property
    def entry_days(self) -> tuple[int, ...]:
        """Days on which patients entered late: after day 0."""
        return tuple(self._entry_days.tolist())

    @cached_property
    def entries(self) -> tuple[int, ...]:
        return tuple(self._entries.tolist())

    @cached_property
    def n_events(self) -> int:
        return int(self.rows.events.sum())

    def reversed(self) -> "EventTable":
        """Return the table with events and censoring exchanged, as follow-up time is estimated on."""
        days, _, events, censored = self.rows
        return EventTable(days, censored, events, self._entry_days, self._entries)

    def at_risk_on(self, days: ArrayLike) -> Integers:
        """Return how many are at risk on each of ``days``, whole or not: entered before, time then or later."""
        ask = np.asarray(days, dtype=np.float64)
        left = self.rows.events + self.rows.censored
        return _counted_from(self.rows.days, left, ask) - _counted_from(self._entry_days, self._entries, ask)


def _whole_numbers(values: ArrayLike, what: str) -> Integers:
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"{what} in {column.ndim} dimensions: expected one column")
    if not column.size:
        return np.zeros(0, dtype=np.int64)
    # SQL's sum() of counts comes as Decimal and must be cast there.
    if column.dtype.kind not in "iu":
        raise ValueError(f"{what} {column[0]!r} …: expected whole numbers")
    if column.max() > np.iinfo(np.int32).max * 4:
        raise ValueError(f"{what} up to {column.max()}: expected at most {MAX_PATIENTS}")
    return column.astype(np.int64)


def _columns(days: ArrayLike, counts: ArrayLike, what: str) -> tuple[Integers, Integers]:
    day, count = _whole_numbers(days, f"days of {what}"), _whole_numbers(counts, what)
    if len(day) != len(count):
        raise ValueError(f"{len(day)} days of {what}, {len(count)} counts: expected equal lengths")
    if count.size and count.min() < 0:
        raise ValueError(f"{count.min()} {what}: expected counts, 0 or more")
    return day, count


def _check_ascending(days: Integers) -> None:
    if days.size and days[0] < 0:
        raise ValueError(f"day {days[0]}: expected 0 or more, time zero is day 0")
    back = np.flatnonzero(np.diff(days) <= 0)
    if back.size:
        row = back[0]
        raise ValueError(f"day {days[row + 1]} after day {days[row]}: expected distinct days, ascending")


def _counted_from(days: Integers, counts: Integers, ask: NDArray[Any]) -> Integers:
    """Return the sum of the counts of each day asked for and later; ``days`` ascending."""
    upto = np.concatenate([[0], counts.cumsum()])
    return np.asarray(upto[-1] - upto[np.searchsorted(days, ask, side="left")], dtype=np.int64)


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier estimate; every tuple has one entry per row, days ascending. Nobody: all are empty.

    Row 0 is the start: day 0, survival 1, at risk whoever did not enter late. The rows after it are the days of
    the event table. Day 0 stands there a second time only when an event fell on it; whoever was censored on day
    0 without an event there is counted in row 0.

    Args:
        days: since time zero.
        at_risk: patients whose time is this day or later (R's ``n.risk``), before the day's events.
        events, censored: on this day.
        survival: after the day's events.
        lower, upper: pointwise 95 % limits, Greenwood's on the log(-log) scale; None where survival is
            exactly 1 or 0, since there the scale has no value.
        entry_days, entries: of those who entered late.
    """

    days: tuple[int, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]
    censored: tuple[int, ...]
    survival: tuple[float, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    entry_days: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()

    def to_json(self) -> dict[str, list[Any]]:
        """Return the rows as lists: days, at_risk, events, censored, survival, lower, upper (undefined: None)."""
        return {
            "days": list(self.days),
            "at_risk": list(self.at_risk),
            "events": list(self.events),
            "censored": list(self.censored),
            "survival": list(self.survival),
            "lower": list(self.lower),
            "upper": list(self.upper),
        }

    @cached_property
    def _lower(self) -> Floats:
        return np.array(self.lower, dtype=np.float64)  # None becomes nan

    @cached_property
    def _upper(self) -> Floats:
        return np.array(self.upper, dtype=np.float64)


def product_limit(rows: RiskTable) -> tuple[Floats, Floats]:
    """Return S after each day's events, and Greenwood's sum of d / (n (n - d)) up to it.

    The sum is infinite once S is 0, where no limits are defined.
    """
    at_risk, events = rows.at_risk.astype(np.float64), rows.events.astype(np.float64)
    survivors = at_risk - events
    with np.errstate(divide="ignore"):
        terms: Floats = events / (at_risk * survivors)
    kept: Floats = survivors / at_risk
    return kept.cumprod(), terms.cumsum()


def kaplan_meier(table: EventTable) -> Curve:
    """Estimate S(t) with pointwise 95 % limits, as R ``survfit(Surv(days, event) ~ 1, conf.type="log-log")``.

    On a day that has both, events come before censoring, as everywhere. With late entry, R's
    ``survfit(Surv(entry, days, event) ~ 1, conf.type="log-log")``.
    """
    rows = table.rows
    if not rows.days.size:
        return Curve((), (), (), (), (), (), ())
    survival, greenwood = product_limit(rows)
    # Rows without limits stand before the first event, where the logarithm is 0, and after the last survivor.
    defined = (survival > 0) & (survival < 1)
    lower, upper = np.full(survival.size, None, dtype=object), np.full(survival.size, None, dtype=object)
    # Summed logarithms keep their digits where S is close to 1; the logarithm of the product would lose them.
    log_survival = np.log1p(-rows.events[defined] / rows.at_risk[defined]).cumsum()
    width = Z95 * np.sqrt(greenwood[defined]) / -log_survival
    with np.errstate(over="ignore", under="ignore"):
        lower[defined] = np.exp(log_survival * np.exp(width))
        upper[defined] = np.exp(log_survival * np.exp(-width))

    begins_with_start = rows.days[0] == 0 and rows.events[0] == 0
    start: int = 0 if begins_with_start else 1  # rows to put before the table's own
    from_the_start = table.n - sum(table.entries)
    return Curve(
        days=(0,) * start + table.days,
        at_risk=(from_the_start,) * start + tuple(rows.at_risk.tolist()),
        events=(0,) * start + table.events,
        censored=(0,) * start + table.censored,
        survival=(1.0,) * start + tuple(survival.tolist()),
        lower=(None,) * start + tuple(lower.tolist()),
        upper=(None,) * start + tuple(upper.tolist()),
        entry_days=table.entry_days,
        entries=table.entries,
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
    last observed day. Whether it is exact is decided on the counts as whole numbers: a product of rounded
    factors misses it.

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
        lower=_first_day_at_or_below(curve.days, curve._lower, target),
        upper=_first_day_at_or_below(curve.days, curve._upper, target),
    )


def quartiles(curve: Curve) -> tuple[Quantile, Quantile, Quantile]:
    """Return the times by which a fourth, half and three fourths have had the event."""
    return (quantile(curve, Fraction(1, 4)), quantile(curve, Fraction(1, 2)), quantile(curve, Fraction(3, 4)))


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


def _first_day_at_or_below(days: Sequence[int], limits: Floats, target: Fraction) -> float | None:
    rows = np.flatnonzero(limits <= float(target))  # nan, an undefined limit, is not
    return float(days[rows[0]]) if rows.size else None


@dataclass(frozen=True)
class LandmarkSurvival:
    """S(t) read off a curve.

    Args:
        days: t; not a whole number for most months.
        survival, lower, upper: None where undefined.
        at_risk: patients whose time is t or later and who entered before t.
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
    at_risk = numbers_at_risk(curve, [days])[0]
    if not curve.days or (days > curve.days[-1] and curve.survival[-1] > 0):
        return LandmarkSurvival(days=days, survival=None, lower=None, upper=None, at_risk=at_risk)
    return LandmarkSurvival(
        days=days,
        survival=curve.survival[row],
        lower=curve.lower[row],
        upper=curve.upper[row],
        at_risk=at_risk,
    )


def numbers_at_risk(curve: Curve, days: Iterable[int | Decimal]) -> list[int]:
    """Return how many are at risk on each day: time then or later, entered before (on day 0: from the start)."""
    numbers = []
    for day in days:
        following = bisect_left(curve.days, day)
        if following == len(curve.days):
            numbers.append(0)
            continue
        # Nobody left between that day and the next row, but some may have entered.
        entered = slice(
            bisect_left(curve.entry_days, day), bisect_left(curve.entry_days, curve.days[following])
        )
        numbers.append(curve.at_risk[following] - sum(curve.entries[entered]))
    return numbers


def median_follow_up(table: EventTable) -> Quantile:
    """Return the median follow-up by reverse Kaplan-Meier: censoring is the event, and the event censors.

    As R ``quantile(survfit(Surv(days, 1 - event) ~ 1, conf.type="log-log"), 0.5)``. Source: Schemper & Smith,
    Control Clin Trials 1996;17:343-346.
    """
    return quantile(kaplan_meier(table.reversed()))


def median_follow_up_days(table: EventTable) -> float | None:
    """Return the median follow-up without its limits (``median_follow_up``)."""
    return median_follow_up(table).days


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
