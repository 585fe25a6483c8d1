"""How it is said that something is due, and since when: the same words on the worklist and on a patient's page.

Source: the protocol's interval, window and imaging timepoints. In words: docs/rules/schedule.md.
"""

from datetime import date

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = 30.4375


def span(days: int) -> str:
    """Return a number of days as people say it: ``3 days``, ``5 weeks``, ``4 months``, ``6 y 9 mo``.

    Raises:
        ValueError: the number is negative.
    """
    if days < 0:
        raise ValueError(f"A span of {days} days: expected 0 or more.")
    if days < 14:
        return f"{days} day" if days == 1 else f"{days} days"
    if days < 92:
        return f"{days // 7} weeks"
    if days < 2 * DAYS_PER_YEAR:
        return f"{int(days / DAYS_PER_MONTH)} months"
    months = int(days / DAYS_PER_MONTH)
    return f"{months // 12} y {months % 12} mo" if months % 12 else f"{months // 12} y"


def interval(days: int) -> str:
    """Return an interval of a protocol: in weeks where it is made of whole ones."""
    if days % 7 == 0:
        return f"{days // 7} week" if days == 7 else f"{days // 7} weeks"
    return f"{days} d"


def when(day: date, today: date) -> str:
    """Return where a day lies: ``today``, ``in 3 days``, ``5 weeks ago``."""
    days = (day - today).days
    if days == 0:
        return "today"
    return f"in {span(days)}" if days > 0 else f"{span(-days)} ago"


def cycle_reason(
    *, number: int, interval_days: int, window_days: int, last_number: int | None, last_given_on: date | None
) -> str:
    """Return why a cycle is planned when it is, such as ``8 weeks after cycle 2, given 2019-03-04; window ± 7 d``."""
    if last_number is None or last_given_on is None:
        return f"Start of the course, planned by hand; window ± {window_days} d"
    return (
        f"{interval(interval_days * (number - last_number))} after cycle {last_number}, given {last_given_on}; "
        f"window ± {window_days} d"
    )
