"""Sentences, numbers and days in the language of who reads them, for rules that are plain Python.

Without Django each says what stands in the source: English, a decimal point, ISO dates. Within it, ``speak_with`` hands over
to Django's own translation and formats, which follow the language that is active: that of the page's reader, and English
in tasks, in the API and in what is stored.

A sentence is one message with named places, filled after it was translated::

    _("Platelets of {value} are below {limit}.").format(value=number(value), limit=number(limit))
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar


class _English:
    @staticmethod
    def gettext(message: str) -> str:
        return message

    @staticmethod
    def ngettext(singular: str, plural: str, n: int) -> str:
        return singular if n == 1 else plural

    @staticmethod
    def pgettext(context: str, message: str) -> str:
        return message

    @staticmethod
    def number(value: Any, decimal_pos: int | None = None) -> str:
        return f"{value:f}" if decimal_pos is None else f"{value:.{decimal_pos}f}"

    @staticmethod
    def day(on: date) -> str:
        return on.isoformat()


_speaker: dict[str, Callable[..., str]] = {
    "gettext": _English.gettext,
    "ngettext": _English.ngettext,
    "pgettext": _English.pgettext,
    "number": _English.number,
    "day": _English.day,
}


def speak_with(**how: Callable[..., str]) -> None:
    """Let these speak from now on: ``gettext``, ``ngettext``, ``pgettext``, ``number`` and ``day``.

    Raises:
        KeyError: none is called so.
    """
    for name, speaker in how.items():
        if name not in _speaker:
            raise KeyError(name)
        _speaker[name] = speaker


def gettext(message: str) -> str:
    """Return the message in the language of who reads it."""
    return _speaker["gettext"](message) if message else ""


def ngettext(singular: str, plural: str, n: int) -> str:
    """Return the message for ``n`` in the language of who reads it."""
    return _speaker["ngettext"](singular, plural, n)


def pgettext(context: str, message: str) -> str:
    """Return a message that means several things, as it is meant in this context."""
    return _speaker["pgettext"](context, message)


def gettext_noop(message: str) -> str:
    """Return the message as it is, marked for the catalogues: it is translated where it is read."""
    return message


def number(value: Decimal | float | int, decimals: int | None = None) -> str:
    """Return a number with the reader's decimal sign, rounded to ``decimals`` places where given; no grouping."""
    if isinstance(value, float) and decimals is None:
        value = Decimal(repr(value))  # no binary tail, no exponent
    elif decimals is not None:
        value = Decimal(f"{value:.{decimals}f}")  # Django cuts off what it does not show
    return _speaker["number"](value, decimals)


def day(on: date) -> str:
    """Return a day as the reader writes it: 2019-03-04, or 04.03.2019 in German."""
    return _speaker["day"](on)


def keeps_capitals() -> bool:
    """Return whether the reader's language writes its nouns with a capital also within a sentence."""
    # Translators: "small" where nouns within a sentence are written small, "capital" where they keep their capital.
    return pgettext("nouns within a sentence", "small") != "small"


def within(label: object) -> str:
    """Return a label as it stands within a sentence: small, but for nouns that keep their capital."""
    return str(label) if keeps_capitals() else str(label).lower()


def begun_small(text: object) -> str:
    """Return a line as it goes on within a sentence, its names and abbreviations as they are."""
    words = str(text)
    return words if keeps_capitals() else words[:1].lower() + words[1:]


Key = TypeVar("Key")


class Words(Mapping[Key, str]):
    """Words by their key, each in the language of who reads it. Made of messages that ``gettext_noop`` marked."""

    def __init__(self, english: Mapping[Key, str]) -> None:
        self.english = dict(english)

    def __getitem__(self, key: Key) -> str:
        return gettext(self.english[key])

    def __iter__(self) -> Iterator[Key]:
        return iter(self.english)

    def __len__(self) -> int:
        return len(self.english)


class Stored:
    """Tells again, in the reader's language, sentences that were stored in English.

    Args:
        messages: what may have been stored, marked by ``gettext_noop``, with places such as ``{day}``.
    """

    def __init__(self, messages: Iterable[str]) -> None:
        self._messages = list(messages)
        self._patterns: list[tuple[re.Pattern[str], str]] | None = None

    def retold(self, text: str) -> str:
        """Return ``text`` in the reader's language; as it was stored where no message fits it."""
        if not text:
            return text
        if self._patterns is None:
            self._patterns = [(_pattern(message), message) for message in self._messages]
        for pattern, message in self._patterns:
            if found := pattern.fullmatch(text):
                return gettext(message).format_map(
                    {name: _as_read(own) for name, own in found.groupdict().items()}
                )
        return gettext(text)


def _as_read(own: str) -> str:
    return day(date.fromisoformat(own)) if re.fullmatch(r"\d{4}-\d\d-\d\d", own) else own


def _pattern(message: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", message)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts)), re.DOTALL
    )
