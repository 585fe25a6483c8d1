"""When the cycles of a course are planned, and whether a planned date is due.

Source: the protocol's interval and window; for 177Lu-DOTATATE the product label's 8 weeks ± 1 week, counted from the last
administration. In words: docs/rules/schedule.md.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

DueState = Literal["upcoming", "in_window", "overdue"]


def planned_dates(
    *, given_on: Mapping[int, date], first_planned_on: date | None, planned_cycles: int, interval_days: int
) -> dict[int, date | None]:
    """Return the planned date of every cycle that has not been given.

    The next cycle is planned one interval after the last *given* one; each further cycle one interval later. Before the
    first administration everything hangs on the date planned for cycle 1; without that date nothing is planned.

    Args:
        given_on: cycle number to the centre's local date of its administration.
        first_planned_on: date planned for cycle 1.

    Raises:
        ValueError: ``planned_cycles`` or ``interval_days`` is below 1.
    """
    if planned_cycles < 1 or interval_days < 1:
        raise ValueError(
            f"A plan needs cycles and an interval, not {planned_cycles} cycles every {interval_days} d."
        )
    dates: dict[int, date | None] = {}
    last = max(given_on, default=0)
    for number in range(1, planned_cycles + 1):
        if number in given_on:
            continue
        if number < last:  # passed over: a later cycle was given
            dates[number] = None
        elif last:
            dates[number] = given_on[last] + timedelta(days=interval_days * (number - last))
        else:
            dates[number] = first_planned_on and first_planned_on + timedelta(
                days=interval_days * (number - 1)
            )
    return dates


def due_state(*, planned_on: date, window_days: int, today: date) -> DueState:
    """Return whether a planned date lies ahead of, within or behind its window of ± ``window_days``, ends included."""
    if today < planned_on - timedelta(days=window_days):
        return "upcoming"
    if today <= planned_on + timedelta(days=window_days):
        return "in_window"
    return "overdue"
