"""How numbers of days and sentences are said, alike on every page, in files and in answers of the API."""

from datetime import date

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = 30.4375
NBSP = "\N{NO-BREAK SPACE}"  # between a number and its unit, so that no line ends between them


def sentences(*parts: str) -> str:
    """Return the parts as sentences one after another, whether or not they bring their full stop; empty ones are left out.

    The last one ends as it was given.
    """
    said = [part.strip() for part in parts if part.strip()]
    return " ".join(
        [part if part.endswith((".", "!", "?")) else f"{part}." for part in said[:-1]] + said[-1:]
    )


def span(days: int) -> str:
    """Return a number of days as people say it: ``3 days``, ``5 weeks``, ``4 months``, ``6 y 9 mo``.

    Raises:
        ValueError: the number is negative.
    """
    if days < 0:
        raise ValueError(f"A span of {days} days: expected 0 or more.")
    if days < 14:
        return f"{days}{NBSP}day" if days == 1 else f"{days}{NBSP}days"
    if days < 92:
        return f"{days // 7}{NBSP}weeks"
    if days < 2 * DAYS_PER_YEAR:
        return f"{int(days / DAYS_PER_MONTH)}{NBSP}months"
    months = int(days / DAYS_PER_MONTH)
    years = f"{months // 12}{NBSP}y"
    return f"{years} {months % 12}{NBSP}mo" if months % 12 else years


def interval(days: int) -> str:
    """Return an exact number of days: in weeks where it is made of whole ones."""
    if days and days % 7 == 0:
        return f"{days // 7}{NBSP}week" if days == 7 else f"{days // 7}{NBSP}weeks"
    return f"{days}{NBSP}d"


def when(day: date, today: date) -> str:
    """Return where a day lies: ``today``, ``in 3 days``, ``5 weeks ago``."""
    days = (day - today).days
    if days == 0:
        return "today"
    return f"in {span(days)}" if days > 0 else f"{span(-days)} ago"
