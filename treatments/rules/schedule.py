"""When the cycles and the imaging of a course are planned, why then, and whether a planned date is due.

Source: the protocol's interval and window; for 177Lu-DOTATATE the product label's 8 weeks ± 1 week, counted from the last
administration. In words: docs/rules/schedule.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from treatments.rules.words import NBSP, interval

DueState = Literal["upcoming", "in_window", "overdue"]
CourseState = Literal["completed", "discontinued", "ongoing"]


@dataclass(frozen=True)
class HoldFact:
    """A hold of one cycle: it cannot be given before ``until_on``.

    Args:
        until_on: the day on which it was resumed; while it is open the day of its expected review, or None.
    """

    held_on: date
    until_on: date | None
    is_open: bool


@dataclass(frozen=True)
class PlannedCycle:
    """Where a cycle that has not been given stands in the plan.

    Attributes:
        planned_on: None where nothing dates it, or where it was passed over.
        protocol_on: one interval after the cycle before it, or None.
        moved_days: by which a hold moved it.
        why: the reason of the date, in words.
    """

    number: int
    planned_on: date | None
    protocol_on: date | None
    moved_days: int
    why: str


def plan_cycles(
    *,
    numbers: Collection[int],
    given_on: Mapping[int, date],
    interval_days: int,
    set_on: Mapping[int, date] | None = None,
    holds: Mapping[int, Sequence[HoldFact]] | None = None,
    cancelled: Collection[int] = (),
) -> dict[int, PlannedCycle]:
    """Return the plan of every cycle that is neither given nor cancelled, by its number.

    A cycle is planned one interval after the one before it: the last *given* one first, then the planned ones, cancelled
    ones passed over. A day set by hand goes before that date unless the course has passed it; a hold moves the cycle to
    the day it ends, or while it is open to the day of its review, where that is later. What follows moves along.

    Args:
        numbers: of the course's cycles.
        given_on: cycle number to the centre's local date of its administration.
        set_on: cycle number to a day set by hand; of the first cycle the start of the course.
        holds: cycle number to its holds, voided ones left out.

    Raises:
        ValueError: ``interval_days`` is below 1.
    """
    if interval_days < 1:
        raise ValueError(f"An interval of {interval_days} d: expected at least 1 d.")
    set_on, holds = set_on or {}, holds or {}
    last = max(given_on, default=0)
    before_number, before_on = last, given_on.get(last)
    plan: dict[int, PlannedCycle] = {}
    for number in sorted(numbers):
        if number in given_on or number in cancelled:
            continue
        if number < last:
            plan[number] = PlannedCycle(
                number, None, None, 0, f"Passed over: cycle {last} was given after it"
            )
            continue
        protocol_on = before_on and before_on + timedelta(days=interval_days)
        why = _after(before_number, before_on, interval_days, given=before_number == last and last > 0)
        planned_on = protocol_on
        by_hand = set_on.get(number)
        if by_hand is not None and (before_on is None or by_hand > before_on):
            planned_on = by_hand
            if protocol_on is None:
                why = "Start of the course, set by hand"
            elif by_hand != protocol_on:
                why = f"Set by hand; the protocol says {protocol_on}, {why[0].lower()}{why[1:]}"
        unmoved_on = planned_on
        for hold in sorted(holds.get(number, ()), key=lambda hold: (hold.held_on, hold.until_on or date.max)):
            if hold.until_on is None:
                why += f"; on hold since {hold.held_on}, no day of review is set"
            elif planned_on is not None and hold.until_on > planned_on:
                why += f"; moved {interval((hold.until_on - planned_on).days)} by the hold of {hold.held_on}"
                why += f", to be reviewed {hold.until_on}" if hold.is_open else ""
                planned_on = hold.until_on
            elif hold.is_open:
                why += f"; on hold since {hold.held_on}, to be reviewed {hold.until_on}"
        moved = (planned_on - unmoved_on).days if planned_on is not None and unmoved_on is not None else 0
        plan[number] = PlannedCycle(number, planned_on, protocol_on, moved, why)
        before_number, before_on = number, planned_on
    return plan


def _after(number: int, on: date | None, interval_days: int, *, given: bool) -> str:
    if number == 0:
        return "No day is set for the start of the course"
    if on is None:
        return f"{interval(interval_days)} after cycle {number}, which has no date"
    return f"{interval(interval_days)} after cycle {number}, {'given' if given else 'planned'} {on}"


@dataclass(frozen=True)
class PlannedImaging:
    """PET/CT that the protocol asks for, between two days, ends included.

    Attributes:
        timepoint: the words of a study: ``baseline``, ``interim``, ``post`` or ``follow_up``.
        from_on: None: any day up to ``by_on``.
    """

    timepoint: Literal["baseline", "interim", "post", "follow_up"]
    after_cycle: int | None
    from_on: date | None
    by_on: date | None
    why: str


def plan_imaging(
    *,
    cycle_dates: Mapping[int, date | None],
    given: Collection[int],
    after_cycles: Collection[int],
    due_days: int,
    after_completion_days: Sequence[int] = (),
    baseline_within_days: int | None = None,
) -> list[PlannedImaging]:
    """Return the PET/CTs of a course in the order of the protocol.

    Args:
        cycle_dates: cycle number to the date given or planned, cancelled cycles left out.
        given: numbers of the cycles that were given.
        due_days: after such a cycle within which its PET/CT is due.
        after_completion_days: days after the last cycle of follow-up PET/CT.
    """
    if not cycle_dates:
        return []
    numbers = sorted(cycle_dates)
    first, last = numbers[0], numbers[-1]
    first_on = cycle_dates[first]
    within = f", at most {interval(baseline_within_days)} old" if baseline_within_days else ""
    found = [
        PlannedImaging(
            "baseline",
            None,
            first_on - timedelta(days=baseline_within_days) if first_on and baseline_within_days else None,
            first_on,
            f"Before cycle {first}{_dated(first_on, first in given)}{within}",
        )
    ]
    for number in sorted(set(after_cycles) & set(numbers)):
        on = cycle_dates[number]
        found.append(
            PlannedImaging(
                "post" if number == last else "interim",
                number,
                on,
                on and on + timedelta(days=due_days),
                f"Within {interval(due_days)} after cycle {number}{_dated(on, number in given)}",
            )
        )
    last_on = cycle_dates[last]
    for days in sorted(after_completion_days):
        on = last_on and last_on + timedelta(days=days)
        why = f"{interval(days)} after the last cycle, cycle {last}{_dated(last_on, last in given)}"
        found.append(PlannedImaging("follow_up", last, on, on, why))
    return found


def _dated(on: date | None, given: bool) -> str:
    if on is None:
        return ", which has no date"
    return f", {'given' if given else 'planned'} {on}"


def due_state(*, planned_on: date, window_days: int, today: date) -> DueState:
    """Return whether a planned date lies ahead of, within or behind its window of ± ``window_days``, ends included."""
    if today < planned_on - timedelta(days=window_days):
        return "upcoming"
    if today <= planned_on + timedelta(days=window_days):
        return "in_window"
    return "overdue"


def window_words(*, given_on: date, planned_on: date, window_days: int) -> str:
    """Return what is said of a cycle that is given outside its window; blank within it."""
    state = due_state(planned_on=planned_on, window_days=window_days, today=given_on)
    if state == "in_window":
        return ""
    off, word = abs((given_on - planned_on).days), "early" if state == "upcoming" else "late"
    return f"{interval(off)} {word}: planned {planned_on}, window ±{NBSP}{window_days}{NBSP}d"


def delay_days(*, protocol_on: date | None, today: date) -> int:
    """Return by how many days a cycle is later than one interval after the last given one; 0 where it is not."""
    return max(0, (today - protocol_on).days) if protocol_on is not None else 0


def course_state(*, given: int, cancelled: int, planned_cycles: int, discontinued: bool) -> CourseState:
    """Return how a course stands: it follows from its facts and is never typed in.

    Args:
        given: number of cycles given.
        cancelled: number of cycles cancelled one by one; those that a discontinuation cancels do not count.
    """
    if discontinued:
        return "discontinued"
    return "completed" if given and given >= planned_cycles - cancelled else "ongoing"
