"""How numbers of days and sentences are said, alike on every page, in files and in answers of the API."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from languages.wording import day, ngettext, number
from languages.wording import gettext as _

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


def written(english: str) -> str:
    """Return a number that was written in English, such as ``7,400.5``, with the reader's signs."""
    if "." not in english and "," not in english:
        return english
    point = number(Decimal("0.1"))[1]
    return english if point == "." else english.translate(str.maketrans(",.", f".{point}"))


def span(days: int) -> str:
    """Return a number of days as people say it: ``3 days``, ``5 weeks``, ``4 months``, ``6 y 9 mo``.

    Raises:
        ValueError: the number is negative.
    """
    if days < 0:
        raise ValueError(f"A span of {days} days: expected 0 or more.")
    if days < 14:
        return _tied(ngettext("{n} day", "{n} days", days), days)
    if days < 92:
        return _tied(ngettext("{n} week", "{n} weeks", days // 7), days // 7)
    months = int(days / DAYS_PER_MONTH)
    if days < 2 * DAYS_PER_YEAR:
        return _tied(ngettext("{n} month", "{n} months", months), months)
    years = _tied(_("{n} y"), months // 12)
    if months % 12 == 0:
        return years
    rest = _tied(_("{n} mo"), months % 12)
    return f"{years} {rest}"


def interval(days: int) -> str:
    """Return an exact number of days: in weeks where it is made of whole ones."""
    if days and days % 7 == 0:
        return _tied(ngettext("{n} week", "{n} weeks", days // 7), days // 7)
    return _tied(_("{n} d"), days)


def when(on: date, today: date) -> str:
    """Return where a day lies: ``today``, ``in 3 days``, ``5 weeks ago``."""
    days = (on - today).days
    if days == 0:
        return _("today")
    return _ahead(days) if days > 0 else _ago(-days)


# Other messages than those of ``span``: many languages put a span that lies ahead or behind into another case.
def _ahead(days: int) -> str:
    if days < 14:
        return _tied(ngettext("in {n} day", "in {n} days", days), days)
    if days < 92:
        return _tied(ngettext("in {n} week", "in {n} weeks", days // 7), days // 7)
    if days < 2 * DAYS_PER_YEAR:
        months = int(days / DAYS_PER_MONTH)
        return _tied(ngettext("in {n} month", "in {n} months", months), months)
    return _("in {span}").format(span=span(days))


def _ago(days: int) -> str:
    if days < 14:
        return _tied(ngettext("{n} day ago", "{n} days ago", days), days)
    if days < 92:
        return _tied(ngettext("{n} week ago", "{n} weeks ago", days // 7), days // 7)
    if days < 2 * DAYS_PER_YEAR:
        months = int(days / DAYS_PER_MONTH)
        return _tied(ngettext("{n} month ago", "{n} months ago", months), months)
    return _("{span} ago").format(span=span(days))


def _tied(message: str, n: int) -> str:
    return message.format(n=n).replace(f"{n} ", f"{n}{NBSP}")


def day_written(text: str) -> str:
    """Return an ISO date as the reader writes it; what is none as it is."""
    try:
        return day(date.fromisoformat(text))
    except ValueError:
        return text


@dataclass(frozen=True)
class Place:
    """A place of a stored sentence: which text stands in it, and how that is told again."""

    pattern: str = ".+?"
    told: Callable[[str], str] = str


A_DAY = Place(r"\d{4}-\d\d-\d\d", day_written)
A_NUMBER = Place(r"\d[\d,]*(?:\.\d+)?", written)


class Sentences:
    """Sentences that were stored in English, told again with what stands in their places.

    Args:
        messages: marked by ``gettext_noop``, with places such as ``{on}``. The first that fits is told: longer ones first.
        places: by name; ``on`` and what ends in ``_on`` is a day, any other without a place here any text.
    """

    def __init__(self, messages: Iterable[str], places: Mapping[str, Place] | None = None) -> None:
        self._messages = list(messages)
        self._places = dict(places or {})
        self._patterns: list[tuple[re.Pattern[str], str]] | None = None

    def retold(self, text: str) -> str:
        """Return ``text`` in the reader's language; as it was stored where no message fits it."""
        if self._patterns is None:
            self._patterns = [(self._pattern(message), message) for message in self._messages]
        for pattern, message in self._patterns:
            if found := pattern.fullmatch(text):
                said = {name: self._place(name).told(words) for name, words in found.groupdict().items()}
                return _(message).format_map(said)
        return _(text)

    def _place(self, name: str) -> Place:
        if name in self._places:
            return self._places[name]
        return A_DAY if name == "on" or name.endswith("_on") else Place()

    def _pattern(self, message: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", message)
        return re.compile(
            "".join(
                f"(?P<{part}>{self._place(part).pattern})" if k % 2 else re.escape(part)
                for k, part in enumerate(parts)
            )
        )
