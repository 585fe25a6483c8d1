"""How one cell of a cohort file is read and written: dates, numbers, codes and text, each exact in both directions.

A reader raises ``ValueError`` with what was expected, in words; the caller adds file, row and column.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from languages.wording import gettext_noop

# What a cell can hold: text from CSV; from a workbook also what a spreadsheet makes of it.
Cell = str | int | float | bool | date | datetime | time | timedelta | None

EXPECTED = gettext_noop("expected {what}")
YES_OR_NO = gettext_noop("yes or no")
_NO_NUL = gettext_noop("text without NUL characters")
_ONE_OF = gettext_noop("one of {codes}")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)


def tidy(text: str) -> str:
    """Return the text as it is stored: no blanks around it, and line ends inside it are single newlines."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.strip()


def as_text(cell: Cell) -> str:
    """Return a cell as the text that a CSV file would hold, "" for an empty one."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return tidy(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        # A spreadsheet keeps 15 digits; what follows is noise of the binary number.
        return format(Decimal(format(cell, ".15g")), "f")
    if isinstance(cell, datetime):
        cell = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


@dataclass(frozen=True)
class Kind:
    """What the cells of a column hold.

    Attributes:
        expected: completes "expected …" in a problem, and describes the column in the documentation.
    """

    expected: str = ""

    def read(self, text: str) -> Any:
        """Return the value of a cell that is not blank.

        Raises:
            ValueError: the text is no such value; its message says what was expected.
        """
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """Return the one text that stands for a value; "" for None."""
        return "" if value is None else str(value)

    def same(self, stored: Any, read: Any) -> bool:
        """Return whether the registry already holds what the file says."""
        return bool(stored == read)


@dataclass(frozen=True)
class Text(Kind):
    max_length: int = 500
    pattern: str = ""

    def read(self, text: str) -> str:
        if "\0" in text:
            raise ValueError(_NO_NUL)
        if len(text) > self.max_length:
            raise ValueError(
                gettext_noop("at most {most} characters, not {n}").format(most=self.max_length, n=len(text))
            )
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(self.expected)
        return text

    def write(self, value: Any) -> str:
        return "" if value is None else tidy(value)

    def same(self, stored: Any, read: Any) -> bool:
        return bool(tidy(stored) == read)


@lru_cache(maxsize=50_000)
def _read_date(text: str) -> date:
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(gettext_noop("a date that exists, as 2019-01-07 (year-month-day)")) from None
    raise ValueError(gettext_noop("a date as 2019-01-07 (year-month-day); other styles are ambiguous"))


@dataclass(frozen=True)
class Date(Kind):
    expected: str = gettext_noop("a date as 2019-01-07")
    earliest: date = date(1890, 1, 1)

    def read(self, text: str) -> date:
        value = _read_date(text)
        if value < self.earliest:
            raise ValueError(gettext_noop("{day} or later").format(day=self.earliest))
        return value

    def write(self, value: Any) -> str:
        return "" if value is None else value.isoformat()


@dataclass(frozen=True)
class Moment(Kind):
    """A date with a time. Read as aware, or as naive local time of the centre, which ``in_zone`` resolves.

    Attributes:
        is_date_enough: a date alone stands for local midnight, the registry's sign of a time that is not known.
    """

    expected: str = gettext_noop(
        "a date and time as 2019-01-07T09:30+01:00, or 2019-01-07T09:30 in the centre's local time"
    )
    is_date_enough: bool = False

    def read(self, text: str) -> datetime:
        if self.is_date_enough and _DATE.fullmatch(text):
            return datetime.combine(_read_date(text), time())
        if not _MOMENT.fullmatch(text):
            raise ValueError(self.expected)
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(self.expected) from None

    def write(self, value: Any) -> str:
        return "" if value is None else value.isoformat()


def in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return an aware moment: a naive one is local time of ``zone``.

    Raises:
        ValueError: the local time exists twice or never, since clocks changed; it needs its offset.
    """
    if moment.tzinfo is not None:
        return moment
    first, second = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second.utcoffset():
        exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
        raise ValueError(
            gettext_noop("an offset such as +01:00: clocks changed, this local time exists twice")
            if exists
            else gettext_noop("an offset such as +01:00: clocks changed, this local time exists not at all")
        )
    return first


@dataclass(frozen=True)
class Whole(Kind):
    expected: str = gettext_noop("a whole number")
    least: int = 0
    most: int = 32767

    def read(self, text: str) -> int:
        if not _WHOLE.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise ValueError(
                gettext_noop("a whole number from {least} to {most}").format(least=self.least, most=self.most)
            )
        return int(text)


@dataclass(frozen=True)
class Number(Kind):
    """An exact decimal with a point. Never rounded: too many decimals are refused."""

    expected: str = "a number with a decimal point, such as 7391.5"
    max_digits: int = 7
    decimal_places: int = 1
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(20000)
    above_least: bool = True

    def read(self, text: str) -> Decimal:
        if not _NUMBER.fullmatch(text):
            if "," in text:
                raise ValueError(gettext_noop("{what}; a comma is ambiguous").format(what=self.expected))
            raise ValueError(self.expected)
        value = Decimal(text)
        whole, _, decimals = text.partition(".")
        if len(decimals.rstrip("0")) > self.decimal_places:
            raise ValueError(gettext_noop("at most {n} decimal place(s)").format(n=self.decimal_places))
        if len(whole.lstrip("-0")) > self.max_digits - self.decimal_places:
            raise ValueError(gettext_noop("a number up to {most}").format(most=self.most))
        if value < self.least or value > self.most or (self.above_least and value == self.least):
            raise ValueError(
                (
                    gettext_noop("a number above {least} up to {most}")
                    if self.above_least
                    else gettext_noop("a number from {least} up to {most}")
                ).format(least=self.least, most=self.most)
            )
        return value

    def write(self, value: Any) -> str:
        return "" if value is None else format(round(Decimal(value), self.decimal_places), "f")


@dataclass(frozen=True)
class Measured(Number):
    """An exact decimal that is written without zeros at its end."""

    decimal_places: int = 4

    def write(self, value: Any) -> str:
        text = super().write(value)
        return text.rstrip("0").rstrip(".") if "." in text else text


_PART = Number("", max_digits=5, most=Decimal(500))
_MOST_PARTS = 12


@dataclass(frozen=True)
class Parts(Kind):
    """Diameters of the parts of a lesion, with a plus between them."""

    expected: str = gettext_noop("2 to {n} numbers with + between them, such as 12+9").format(n=_MOST_PARTS)

    def read(self, text: str) -> Any:
        found = [part.strip() for part in text.split("+")]
        if not 2 <= len(found) <= _MOST_PARTS:
            raise ValueError(self.expected)
        try:
            return [_PART.read(part) for part in found]
        except ValueError:
            raise ValueError(
                gettext_noop("{what}, each above 0 up to {most} with at most 1 decimal place").format(
                    what=self.expected, most=_PART.most
                )
            ) from None

    def write(self, value: Any) -> str:
        return "+".join(_PART.write(part) for part in value or [])


@dataclass(frozen=True)
class Code(Kind):
    codes: tuple[str, ...] = ()
    known: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", frozenset(self.codes))
        object.__setattr__(self, "expected", self.expected or _ONE_OF.format(codes=", ".join(self.codes)))

    def read(self, text: str) -> str:
        if text not in self.known:
            raise ValueError(_ONE_OF.format(codes=", ".join(self.codes)))
        return text


@dataclass(frozen=True)
class Codes(Code):
    """Several codes with a bar between them, in an order that is kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(
            self,
            "expected",
            gettext_noop("codes with | between them, of {codes}").format(codes=", ".join(self.codes)),
        )

    def read(self, text: str) -> Any:
        found = [part.strip() for part in text.split("|")]
        if not self.known.issuperset(found):
            raise ValueError(self.expected)
        if len(set(found)) < len(found):
            raise ValueError(gettext_noop("each code once"))
        return found

    def write(self, value: Any) -> str:
        return "|".join(value or [])


@dataclass(frozen=True)
class Words(Kind):
    """Codes that are not held to a list, with a bar between them."""

    expected: str = gettext_noop("codes such as outside_window with | between them")

    def read(self, text: str) -> Any:
        found = [part.strip() for part in text.split("|")]
        if not all(re.fullmatch(r"[a-z0-9_]{1,40}", part, re.ASCII) for part in found):
            raise ValueError(self.expected)
        return found

    def write(self, value: Any) -> str:
        return "|".join(value or [])

    def same(self, stored: Any, read: Any) -> bool:
        return self.write(stored) == self.write(read)


@dataclass(frozen=True)
class Lines(Kind):
    """Several texts, each a line of its own."""

    expected: str = gettext_noop("lines of at most 500 characters each")

    def read(self, text: str) -> Any:
        if "\0" in text:
            raise ValueError(_NO_NUL)
        lines = text.split("\n")
        if max(map(len, lines)) > 500:
            raise ValueError(self.expected)
        return lines

    def write(self, value: Any) -> str:
        return tidy("\n".join(value or []))

    def same(self, stored: Any, read: Any) -> bool:
        return self.write(stored) == self.write(read)


@dataclass(frozen=True)
class YesNo(Kind):
    expected: str = YES_OR_NO

    def read(self, text: str) -> bool:
        answer = {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())
        if answer is None:
            raise ValueError(YES_OR_NO)
        return answer

    def write(self, value: Any) -> str:
        return "" if value is None else ("yes" if value else "no")


def code_of(choices: Iterable[str]) -> Code:
    """Return the kind of a column that holds one of a model's choices."""
    return Code(codes=tuple(choices))
