"""When the cycles and the imaging of a course are planned, why then, and whether a planned date is due.

Source: the protocol's interval and window; for 177Lu-DOTATATE the product label's 8 weeks ± 1 week, counted from the last
administration. In words: docs/rules/schedule.md.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from languages.wording import day
from languages.wording import gettext as _
from treatments.rules.words import NBSP, interval

# Why a date is what it is is said when it is asked for, in the language of who asks: few of the dates planned are shown.
Said = Callable[[], str]

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
    """

    number: int
    planned_on: date | None
    protocol_on: date | None
    moved_days: int
    reason: Said = field(repr=False, compare=False)

    @property
    def why(self) -> str:
        """The reason of the date, in words."""
        return self.reason()


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
            plan[number] = PlannedCycle(number, None, None, 0, _passed_over(last))
            continue
        protocol_on = before_on and before_on + timedelta(days=interval_days)
        reason = _after(before_number, before_on, interval_days, given=before_number == last and last > 0)
        planned_on = protocol_on
        by_hand = set_on.get(number)
        if by_hand is not None and (before_on is None or by_hand > before_on):
            planned_on = by_hand
            if protocol_on is None:
                reason = _start_by_hand
            elif by_hand != protocol_on:
                reason = _by_hand(protocol_on, reason)
        unmoved_on = planned_on
        for hold in sorted(holds.get(number, ()), key=lambda hold: (hold.held_on, hold.until_on or date.max)):
            if hold.until_on is None:
                reason = _held(reason, hold)
            elif planned_on is not None and hold.until_on > planned_on:
                reason = _moved(reason, (hold.until_on - planned_on).days, hold)
                planned_on = hold.until_on
            elif hold.is_open:
                reason = _held(reason, hold)
        moved = (planned_on - unmoved_on).days if planned_on is not None and unmoved_on is not None else 0
        plan[number] = PlannedCycle(number, planned_on, protocol_on, moved, reason)
        before_number, before_on = number, planned_on
    return plan


def _passed_over(last: int) -> Said:
    return lambda: _("Passed over: cycle {number} was given after it").format(number=last)


def _after(number: int, on: date | None, interval_days: int, *, given: bool) -> Said:
    if number == 0:
        return lambda: _("No day is set for the start of the course")
    return lambda: after_cycle(number, on, interval_days, given=given)


def after_cycle(number: int, on: date | None, days: int, *, given: bool) -> str:
    """Return how a date lies after a cycle that was given, or is planned, on a day."""
    if on is None:
        said = _("{interval} after cycle {number}, which has no date")
        return said.format(interval=interval(days), number=number)
    said = (
        _("{interval} after cycle {number}, given {on}")
        if given
        else _("{interval} after cycle {number}, planned {on}")
    )
    return said.format(interval=interval(days), number=number, on=day(on))


def _start_by_hand() -> str:
    return _("Start of the course, set by hand")


def _by_hand(protocol_on: date, reason: Said) -> Said:
    # The reason begins with a number: the interval.
    return lambda: _("Set by hand; the protocol says {on}, {why}").format(on=day(protocol_on), why=reason())


def _held(reason: Said, hold: HoldFact) -> Said:
    def said() -> str:
        if hold.until_on is None:
            message = _("{why}; on hold since {held_on}, no day of review is set")
            return message.format(why=reason(), held_on=day(hold.held_on))
        message = _("{why}; on hold since {held_on}, to be reviewed {review_on}")
        return message.format(why=reason(), held_on=day(hold.held_on), review_on=day(hold.until_on))

    return said


def _moved(reason: Said, days: int, hold: HoldFact) -> Said:
    def said() -> str:
        if not hold.is_open or hold.until_on is None:
            message = _("{why}; moved {interval} by the hold of {held_on}")
            return message.format(why=reason(), interval=interval(days), held_on=day(hold.held_on))
        message = _("{why}; moved {interval} by the hold of {held_on}, to be reviewed {review_on}")
        return message.format(
            why=reason(), interval=interval(days), held_on=day(hold.held_on), review_on=day(hold.until_on)
        )

    return said


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
    reason: Said = field(repr=False, compare=False)

    @property
    def why(self) -> str:
        """The reason of these days, in words."""
        return self.reason()


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
    found = [
        PlannedImaging(
            "baseline",
            None,
            first_on - timedelta(days=baseline_within_days) if first_on and baseline_within_days else None,
            first_on,
            _before(first, first_on, baseline_within_days, given=first in given),
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
                _within(due_days, number, on, given=number in given),
            )
        )
    last_on = cycle_dates[last]
    for days in sorted(after_completion_days):
        on = last_on and last_on + timedelta(days=days)
        reason = _after_last(days, last, last_on, given=last in given)
        found.append(PlannedImaging("follow_up", last, on, on, reason))
    return found


def _before(number: int, on: date | None, within_days: int | None, *, given: bool) -> Said:
    def said() -> str:
        if on is None:
            why = _("Before cycle {number}, which has no date").format(number=number)
        else:
            message = (
                _("Before cycle {number}, given {on}") if given else _("Before cycle {number}, planned {on}")
            )
            why = message.format(number=number, on=day(on))
        if not within_days:
            return why
        return _("{why}, at most {interval} old").format(why=why, interval=interval(within_days))

    return said


def _within(days: int, number: int, on: date | None, *, given: bool) -> Said:
    def said() -> str:
        if on is None:
            message = _("Within {interval} after cycle {number}, which has no date")
            return message.format(interval=interval(days), number=number)
        message = (
            _("Within {interval} after cycle {number}, given {on}")
            if given
            else _("Within {interval} after cycle {number}, planned {on}")
        )
        return message.format(interval=interval(days), number=number, on=day(on))

    return said


def _after_last(days: int, number: int, on: date | None, *, given: bool) -> Said:
    def said() -> str:
        if on is None:
            message = _("{interval} after the last cycle, cycle {number}, which has no date")
            return message.format(interval=interval(days), number=number)
        message = (
            _("{interval} after the last cycle, cycle {number}, given {on}")
            if given
            else _("{interval} after the last cycle, cycle {number}, planned {on}")
        )
        return message.format(interval=interval(days), number=number, on=day(on))

    return said


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
    message = (
        _("{interval} early: planned {on}, window {window}")
        if state == "upcoming"
        else _("{interval} late: planned {on}, window {window}")
    )
    return message.format(
        interval=interval(abs((given_on - planned_on).days)),
        on=day(planned_on),
        window=f"±{NBSP}{window_days}{NBSP}d",
    )


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
