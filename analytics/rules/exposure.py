"""How much of a course was given, how close to its plan, and which adverse events came with it.

In words, with worked examples: docs/rules/endpoints.md.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

_STEP = Decimal("0.1")
MOST_PERCENT = Decimal(
    "99999.9"
)  # what the column of outcomes holds; only an entry far off the mark is above it


@dataclass(frozen=True, slots=True)
class Plan:
    """What the protocol plans of each cycle.

    Args:
        interval_days: from one administration to the next.
        window_days: either side of it.
        activity_mbq: prescribed, MBq.
    """

    interval_days: int
    window_days: int
    activity_mbq: Decimal


class AdverseEvent(NamedTuple):
    """One adverse event: its onset, CTCAE term and grade."""

    on: date
    term: str
    grade: int


def dose_intensity_percent(
    plan: Plan, administered_on: Sequence[date], activity_mbq: Decimal
) -> Decimal | None:
    """Return the activity given a day in percent of the protocol's, from the first to the last cycle given.

    Both times end one interval after their last cycle, so that a single cycle has a time too. Rounded to 0.1, half up.

    Args:
        administered_on: ascending.
        activity_mbq: given on these days together, MBq.

    Returns:
        None when nothing was given, and where the protocol plans no activity or no time.
    """
    if not administered_on or plan.activity_mbq <= 0 or plan.interval_days <= 0:
        return None
    days = (administered_on[-1] - administered_on[0]).days + plan.interval_days
    # (given / (planned activity x n)) x (n intervals / actual days): the number of cycles cancels out.
    exact = 100 * plan.interval_days * activity_mbq / (plan.activity_mbq * days)
    return min(exact, MOST_PERCENT).quantize(_STEP, ROUND_HALF_UP)


def delayed_cycles(plan: Plan, administered_on: Sequence[date]) -> int:
    """Return how many cycles were given later than interval and window after the one before."""
    latest = plan.interval_days + plan.window_days
    return len([on for before, on in pairwise(administered_on) if (on - before).days > latest])


def reduced_cycles(plan: Plan, prescribed_mbq: Sequence[Decimal]) -> int:
    """Return how many of the given cycles were prescribed below the protocol's activity."""
    planned = plan.activity_mbq
    return len([prescribed for prescribed in prescribed_mbq if prescribed < planned])


def worst_grades(
    events: Sequence[AdverseEvent], administered_on: Sequence[date], *, until: date
) -> list[str]:
    """Return "term:cycle:grade" of each term after each cycle, and "term:0:grade" over the course; terms in order.

    An event belongs to the last cycle given on or before its onset, on its day included; one before the first cycle to
    none. Of a term that is written with a small or a capital initial letter there is one; a colon in it becomes a comma.

    Args:
        administered_on: ascending, at least one.
        until: the last day that belongs to the course.
    """
    worst: dict[tuple[str, int], int] = {}
    first = administered_on[0]
    for on, term, grade in events:
        if not first <= on <= until:
            continue
        name = _name(term)
        for key in ((name, 0), (name, bisect_right(administered_on, on))):
            if worst.get(key, 0) < grade:
                worst[key] = grade
    return [f"{name}:{cycle}:{grade}" for (name, cycle), grade in sorted(worst.items())]


@lru_cache(maxsize=1 << 12)
def _name(term: str) -> str:
    name = " ".join(term.replace(":", ",").split())
    return name[:1].upper() + name[1:]
