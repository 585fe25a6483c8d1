"""How far a laboratory value fell or rose after each cycle, when it recovered, and the worst adverse event.

Grades come in as they were given by CTCAE. The spans, the nadir and recovery are this registry's own definitions, written
down with a worked table in docs/rules/toxicity.md.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from languages.wording import day as said_day
from languages.wording import gettext as _
from treatments.rules.advice import EventFact

Direction = Literal["low", "high"]

RECOVERED_GRADE_WITHOUT_BASELINE = 1


# Of these a low value is the worse one, of all others a high one.
WORSE_WHEN_LOW = frozenset(
    {"platelets", "haemoglobin", "neutrophils", "lymphocytes", "leucocytes", "albumin"}
)


def direction_of(analyte: str) -> Direction:
    """Return which way an analyte gets worse."""
    return "low" if analyte in WORSE_WHEN_LOW else "high"


@dataclass(frozen=True)
class Point:
    """One value of one analyte on its local day; the grade is None when it could not be told."""

    on: date
    value: Decimal
    grade: int | None


@dataclass(frozen=True)
class CycleToxicity:
    """One analyte after one cycle. Days are counted from that cycle's administration (day 0).

    Args:
        number: the cycle's place among those given, from 1.
        worst_grade: None without a graded value.
        extreme: the lowest value (nadir) for direction "low", the highest (peak) for "high"; None without a value.
        extreme_on: the first day it was reached.
        recovery_on: None when it did not recover, or when there was nothing to recover from.
    """

    number: int
    worst_grade: int | None = None
    extreme: Decimal | None = None
    extreme_on: date | None = None
    extreme_day: int | None = None
    recovery_on: date | None = None
    recovery_day: int | None = None


@dataclass(frozen=True)
class Summary:
    """One analyte over a course: per cycle, and over everything after the first administration.

    Args:
        baseline: the last value on or before the first administration; None without one.
    """

    per_cycle: tuple[CycleToxicity, ...]
    worst_grade: int | None
    extreme: Decimal | None
    extreme_on: date | None
    baseline: Point | None


def summarise(
    points: Sequence[Point], *, given_on: Sequence[date], direction: Direction, ends_on: date | None
) -> Summary:
    """Return the worst grade, the nadir or peak, and the recovery of one analyte, per cycle and over the course.

    A cycle's span begins the day after its administration and ends with the day of the next one, whose sample was
    taken before it; the last span ends with ``ends_on`` or stays open. Values after ``ends_on`` do not count.

    Args:
        points: in any order, several on one day allowed.
        given_on: days of the given cycles, in any order.
        direction: which way is worse.

    Raises:
        ValueError: two cycles on one day, an end before the last cycle, a value that is no number, or an unknown
            direction.
    """
    if direction not in ("low", "high"):
        raise ValueError(f'direction {direction!r}: expected "low" or "high"')
    for point in points:
        if not point.value.is_finite():
            raise ValueError(f"value {point.value} on {point.on}: expected a number")
    spans = _spans(given_on, ends_on)
    if not spans:
        return Summary(per_cycle=(), worst_grade=None, extreme=None, extreme_on=None, baseline=None)

    first_on = spans[0][0]
    baseline = _baseline([point for point in points if point.on <= first_on], direction)
    treated = [point for point in points if point.on > first_on and (ends_on is None or point.on <= ends_on)]
    extreme = _extreme(treated, direction)
    return Summary(
        per_cycle=tuple(
            _cycle(number, begins_on, until, treated, direction, baseline)
            for number, (begins_on, until) in enumerate(spans, start=1)
        ),
        worst_grade=_worst_grade(treated),
        extreme=None if extreme is None else extreme.value,
        extreme_on=None if extreme is None else extreme.on,
        baseline=baseline,
    )


def _spans(given_on: Sequence[date], ends_on: date | None) -> list[tuple[date, date | None]]:
    """Return each cycle's day and the last day of its span, ascending."""
    days = sorted(given_on)
    if len(set(days)) < len(days):
        message = _("cycles given on {days}: expected each day once")
        raise ValueError(message.format(days=", ".join(map(said_day, days))))
    if days and ends_on is not None and ends_on < days[-1]:
        message = _("end on {on}: expected a day from the last cycle's, {last_on}")
        raise ValueError(message.format(on=said_day(ends_on), last_on=said_day(days[-1])))
    return list(zip(days, [*days[1:], ends_on], strict=True)) if days else []


def _cycle(
    number: int,
    begins_on: date,
    until: date | None,
    treated: Sequence[Point],
    direction: Direction,
    baseline: Point | None,
) -> CycleToxicity:
    within = [point for point in treated if point.on > begins_on and (until is None or point.on <= until)]
    extreme = _extreme(within, direction)
    if extreme is None:
        return CycleToxicity(number)
    worst_grade = _worst_grade(within)
    recovery_on = None
    if worst_grade is not None:
        # Of a limit that changed, or a value without a grade, the worst grade can come after the extreme.
        worst_on = min(point.on for point in within if point.grade == worst_grade)
        recovery_on = _recovery(
            treated, after=max(extreme.on, worst_on), worst_grade=worst_grade, baseline=baseline
        )
    return CycleToxicity(
        number=number,
        worst_grade=worst_grade,
        extreme=extreme.value,
        extreme_on=extreme.on,
        extreme_day=(extreme.on - begins_on).days,
        recovery_on=recovery_on,
        recovery_day=None if recovery_on is None else (recovery_on - begins_on).days,
    )


def _recovery(
    treated: Sequence[Point], *, after: date, worst_grade: int, baseline: Point | None
) -> date | None:
    """Return the first later day whose worst grade is back at the baseline's, in this span or a later one."""
    back = RECOVERED_GRADE_WITHOUT_BASELINE
    if baseline is not None and baseline.grade is not None:
        back = baseline.grade
    if worst_grade <= back:
        return None
    worst_of_day: dict[date, int] = defaultdict(int)
    for point in treated:
        if point.on > after and point.grade is not None:
            worst_of_day[point.on] = max(worst_of_day[point.on], point.grade)
    return min((on for on, grade in worst_of_day.items() if grade <= back), default=None)


def _baseline(before: Sequence[Point], direction: Direction) -> Point | None:
    """Return the last value; of several on that day the better one, and of equal ones the better grade."""
    last_on = max((point.on for point in before), default=None)
    worse = 1 if direction == "high" else -1
    return min(
        (point for point in before if point.on == last_on),
        # An unknown grade last, so that a known one is used where there is one.
        key=lambda point: (worse * point.value, point.grade is None, point.grade or 0),
        default=None,
    )


def _extreme(points: Sequence[Point], direction: Direction) -> Point | None:
    """Return the worst value, the earliest of equal ones."""
    worse = 1 if direction == "high" else -1
    return min(points, key=lambda point: (-worse * point.value, point.on), default=None)


def _worst_grade(points: Sequence[Point]) -> int | None:
    return max((point.grade for point in points if point.grade is not None), default=None)


@dataclass(frozen=True)
class CycleEvents:
    """The worst adverse event that began in one cycle.

    Args:
        number: the cycle's place among those given, from 1.
        worst_grade: None without an event.
        terms: the terms that reached it, each once, in alphabetical order.
    """

    number: int
    worst_grade: int | None
    terms: tuple[str, ...]


@dataclass(frozen=True)
class EventSummary:
    """The worst adverse events of a course: per cycle, and since the first administration."""

    per_cycle: tuple[CycleEvents, ...]
    worst_grade: int | None
    terms: tuple[str, ...]


def worst_of_events(
    events: Sequence[EventFact], given_on: Sequence[date], *, ends_on: date | None = None
) -> EventSummary:
    """Return the worst grade of the adverse events, per cycle and over the course, with the terms that reached it.

    An event belongs to the cycle in which it began. One of the day of an administration happened after it, unlike a
    sample of that day. Events before the first administration or after ``ends_on`` do not count.

    Raises:
        ValueError: two cycles on one day, or an end before the last cycle.
    """
    spans = _spans(given_on, ends_on)
    per_cycle = []
    counted: list[EventFact] = []
    for number, (begins_on, _until) in enumerate(spans, start=1):
        next_on = spans[number][0] if number < len(spans) else None
        within = [
            event
            for event in events
            if begins_on <= event.onset_on
            and (next_on is None or event.onset_on < next_on)
            and (ends_on is None or event.onset_on <= ends_on)
        ]
        per_cycle.append(CycleEvents(number, *_worst_events(within)))
        counted += within
    return EventSummary(tuple(per_cycle), *_worst_events(counted))


def _worst_events(events: Sequence[EventFact]) -> tuple[int | None, tuple[str, ...]]:
    worst = max((event.grade for event in events), default=None)
    return worst, tuple(sorted({event.term for event in events if event.grade == worst}))
