"""Sentences that are told when they are read, in the language of the reader; and told again where they were stored.

A rule says why by ``MESSAGE(sum=Decimal("51.5"), labels=("L1", "L2"), day=…)``. What it returns becomes words by ``str()``:
English where it is stored, the reader's language on a page. A text that was stored finds its message again by its English.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from languages import wording
from languages.wording import gettext

_DAY = r"\d{4}-\d\d-\d\d"
# What can stand in a place of a message, by its name; in all others a number can.
_PATTERNS = {
    "day": _DAY,
    "later_day": _DAY,
    "label": r"[A-Z0-9_-]+",
    "labels": r".+?",
    "response": r"CR|PR|SD|PD|NE|[Nn]on-CR/non-PD",
    "words": r".+?",
    "more": r".+?",
    "organ": r".+?",
    "text": r".+?",
    "time": r"\d\d:\d\d:\d\d",
    "parts": r".+?",
}
_NUMBER = r"\d+(?:\.\d+)?"
_BETWEEN_LABELS = re.compile(r"(?:, | and )(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, or a part of one, that becomes words when it is read."""

    message: "Message"
    places: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return self.message.told({name: _said(value) for name, value in self.places}, self.count)

    @property
    def english(self) -> str:
        """The words as they are stored, whatever language is active."""
        message = self.message.more if self.message.more and self.count != 1 else self.message.one
        return message.format_map({name: _english(value) for name, value in self.places})

    @property
    def count(self) -> int:
        counted = dict(self.places).get(self.message.counted)
        return len(counted) if isinstance(counted, tuple) else int(counted) if counted is not None else 1


@dataclass(frozen=True, slots=True)
class Message:
    """A message with named places, marked by ``gettext_noop``; of things that are counted by ``ngettext_lazy``.

    Args:
        counted: the place that says whether it is one or more.
    """

    one: str
    more: str = ""
    counted: str = "labels"

    def __call__(self, **places: Any) -> Told:
        frozen = {name: tuple(value) if isinstance(value, list) else value for name, value in places.items()}
        return Told(self, tuple(frozen.items()))

    def told(self, places: Mapping[str, str], count: int) -> str:
        text = wording.ngettext(self.one, self.more, count) if self.more else gettext(self.one)
        return text.format_map(places) if places else text


def ngettext_lazy(one: str, more: str, counted: str = "labels") -> Message:
    """Return a message for one and for more. Its name is what the catalogues are made by."""
    return Message(one, more, counted)


def number(value: Decimal) -> str:
    """Return a number without zeros at its end, with the reader's decimal sign."""
    text = f"{value:f}"
    return wording.number(Decimal(text.rstrip("0").rstrip(".")) if "." in text else value)


def listed(labels: Iterable[Any]) -> str:
    """Return labels as a sentence names them, such as ``L1, L2 and L4``."""
    *others, last = [str(label) for label in labels]
    return gettext("{labels} and {last}").format(labels=", ".join(others), last=last) if others else last


def _english(value: Any) -> str:
    if isinstance(value, tuple):
        *others, last = [_english(one) for one in value]
        return f"{', '.join(others)} and {last}" if others else last
    if isinstance(value, Told):
        return value.english
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return listed(value)
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, date):
        return wording.day(value)
    return str(value)


class Stored:
    """Tells again, in the reader's language, what was told in English and stored.

    Args:
        messages: what may have been stored; where several fit, the first counts.
        names: what a place of this name says in the reader's language, given the English.
    """

    def __init__(
        self, messages: Iterable[Message], names: Mapping[str, Callable[[str], str]] | None = None
    ) -> None:
        self.messages = list(messages)
        self._names = dict(names or {})
        self._patterns: list[tuple[re.Pattern[str], Message]] | None = None

    def retold(self, text: str) -> str:
        """Return ``text`` in the reader's language; as it was stored where no message fits it."""
        if not text:
            return text
        if self._patterns is None:
            self._patterns = [
                (_pattern(english), message)
                for message in self.messages
                for english in filter(None, [message.one, message.more])
            ]
        plain = text.replace("\u00a0", " ")
        for pattern, message in self._patterns:
            if found := pattern.fullmatch(plain):
                places = found.groupdict()
                counted = places.get(message.counted, "1")
                count = len(_BETWEEN_LABELS.split(counted)) if message.counted == "labels" else int(counted)
                return message.told({name: self._place(name, said) for name, said in places.items()}, count)
        return text

    def _place(self, name: str, said: str) -> str:
        if name in self._names:
            return self._names[name](said)
        if name in {"words", "more"}:
            return self.retold(said)
        if name == "labels":
            return listed(self.retold(one) for one in _BETWEEN_LABELS.split(said))
        if name in {"day", "later_day"}:
            return wording.day(date.fromisoformat(said))
        return said if name in _PATTERNS else wording.number(Decimal(said))


def _pattern(message: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", message)
    return re.compile(
        "".join(
            f"(?P<{part}>{_PATTERNS.get(part, _NUMBER)})" if at % 2 else re.escape(part)
            for at, part in enumerate(parts)
        ),
        re.DOTALL,
    )
