"""Cells of a clinic's own sheet as the texts of a cohort file: what is certain is taken, and nothing is guessed.

Plain Python. In words: docs/importing.md.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from exchange.columns import Column
from exchange.values import (
    EXPECTED,
    YES_OR_NO,
    Cell,
    Code,
    Codes,
    Date,
    Kind,
    Moment,
    Number,
    Whole,
    YesNo,
    as_text,
)
from languages.wording import gettext_noop

NOT_KNOWN = frozenset(
    {"-", "–", "—", "?", "n/a", "na", "n.a.", "k.a.", "k. a.", "keine angabe", "unbekannt", "unknown"}
)


class DateStyle(StrEnum):
    """What was said of dates that are text; "" where nothing was."""

    UNSTATED = ""
    DMY = "dmy"
    MDY = "mdy"
    ISO = "iso"


class DecimalSign(StrEnum):
    """What was said of numbers that are text; "" where nothing was."""

    UNSTATED = ""
    COMMA = "comma"
    POINT = "point"


class Unclear(ValueError):
    """A cell that is not taken as it is; the message says why, or what was expected, without a full stop."""


@dataclass(frozen=True)
class Reading:
    """What whoever imports has said of all cells.

    Attributes:
        time_of_day: local time of moments of which the sheet knows the day alone, as 10:00; "" where none was stated.
    """

    date_style: DateStyle = DateStyle.UNSTATED
    decimal_sign: DecimalSign = DecimalSign.UNSTATED
    time_of_day: str = ""


def normalised(text: str) -> str:
    """Return words in small letters without accents and punctuation, so that spellings can be compared."""
    text = text.lower().translate({0xE4: "ae", 0xF6: "oe", 0xFC: "ue", 0xDF: "ss"})
    text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[a-z0-9]+", text))


# Dates

_NUMERIC = re.compile(r"(\d{1,4})\s*[./-]\s*(\d{1,2})\s*[./-]\s*(\d{1,4})", re.ASCII)
_COMPACT = re.compile(r"(1[89]|20|21)\d{6}", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.?\s*([^\W\d]+)\.?,?\s*(\d{2,4})")
_MONTH_FIRST = re.compile(r"([^\W\d]+)\.?\s*(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{2,4})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(am|pm|uhr|h)?", re.IGNORECASE | re.ASCII)
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january januar jaenner", "feb february februar", "mar march mrz maerz", "apr april", "may mai",
            "jun june juni", "jul july juli", "aug august", "sep sept september", "oct october okt oktober",
            "nov november", "dec december dez dezember",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_LONG_YEAR = gettext_noop("expected a year of four digits")
_AS_SAID = gettext_noop("expected a date as 2019-01-07, as was said of this sheet")
_NO_SUCH_DATE = gettext_noop("expected a date that exists")
_NO_SUCH_TIME = gettext_noop("expected a time that exists")
_ONE_NUMBER = gettext_noop("expected one number")
NEEDS_UNIT = gettext_noop("expected a unit, one of {units}: state it in the columns step")


def read_date(text: str, style: DateStyle) -> date:
    """Return the one day that a text can mean.

    Raises:
        Unclear: it could be two days, or is none.
    """
    text = text.strip()
    if _COMPACT.fullmatch(text):
        return _day(int(text[:4]), int(text[4:6]), int(text[6:]))
    if found := _NUMERIC.fullmatch(text):
        return _numeric_date(*found.groups(), style=style)
    for pattern, day_at, month_at in ((_DAY_FIRST, 1, 2), (_MONTH_FIRST, 2, 1)):
        if (found := pattern.fullmatch(text)) and (month := _MONTHS.get(normalised(found[month_at]))):
            if style is DateStyle.ISO:
                raise Unclear(_AS_SAID)
            if len(found[3]) != 4:
                raise Unclear(_LONG_YEAR)
            return _day(int(found[3]), month, int(found[day_at]))
    raise Unclear(gettext_noop("expected a date, such as 2019-01-07 or 7.1.2019"))


def _numeric_date(first: str, second: str, third: str, *, style: DateStyle) -> date:
    if len(first) == 4:
        return _day(int(first), int(second), int(third))
    if style is DateStyle.ISO:
        raise Unclear(_AS_SAID)
    if len(third) != 4:
        raise Unclear(_LONG_YEAR)
    one, two, year = int(first), int(second), int(third)
    if style is DateStyle.DMY:
        return _day(year, two, one)
    if style is DateStyle.MDY:
        return _day(year, one, two)
    found = {day for day in (_or_none(year, two, one), _or_none(year, one, two)) if day is not None}
    if len(found) > 1:
        earlier, later = sorted(found)
        raise Unclear(
            gettext_noop(
                "could be {earlier} or {later}: say in the columns step whether the day or the month stands first"
            ).format(earlier=earlier.isoformat(), later=later.isoformat())
        )
    if not found:
        raise Unclear(_NO_SUCH_DATE)
    return found.pop()


def _or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day(year: int, month: int, day: int) -> date:
    found = _or_none(year, month, day)
    if found is None:
        raise Unclear(_NO_SUCH_DATE)
    return found


def _date_and_time(text: str, style: DateStyle) -> tuple[date, time | None]:
    """Return a day, and the time of day where one stands beside it."""
    found = list(_TIME.finditer(text))
    if not found:
        return read_date(text, style), None
    at = found[-1]
    if len(found) > 1 or at.end() != len(text.rstrip()):
        raise Unclear(gettext_noop("expected one date with one time, such as 2019-01-07 09:30"))
    hour, minute, second, half = int(at[1]), int(at[2]), int(at[3] or 0), (at[4] or "").lower()
    if half in {"am", "pm"}:
        if not 1 <= hour <= 12:
            raise Unclear(_NO_SUCH_TIME)
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise Unclear(_NO_SUCH_TIME)
    return read_date(text[: at.start()].rstrip(" ,T"), style), time(hour, minute, second)


def _date_text(text: str, column: Column, said: Reading) -> str:
    kind = column.kind
    if _is_read(kind, text) and (not isinstance(kind, Moment) or kind.is_date_enough or ":" in text):
        return text
    on, at = _date_and_time(text, said.date_style)
    if isinstance(kind, Date):
        return on.isoformat()
    if at is not None and at != time():
        return f"{on.isoformat()}T{at.isoformat()}"
    if isinstance(kind, Moment) and kind.is_date_enough:
        return on.isoformat()
    if not said.time_of_day:
        raise Unclear(
            gettext_noop(
                "expected a time beside the date: state one for all rows in the columns step, or write it in the cell"
            )
        )
    return f"{on.isoformat()}T{said.time_of_day}"


def _is_read(kind: Kind, text: str) -> bool:
    try:
        kind.read(text)
    except ValueError:
        return False
    return True


# Numbers

_WITH_UNIT = re.compile(r"([-+]?[\d.,'’\u00a0\u202f\u2009 ]*\d)\s*([^\d\s].*)?", re.ASCII)
_SPACES = re.compile(r"[\u00a0\u202f\u2009 '’]")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:[ ]\d{3})+(?:[.,]\d+)?", re.ASCII)


def split_unit(text: str) -> tuple[str, str]:
    """Return the number of a cell, and what stands behind it.

    Raises:
        Unclear: it does not begin with a number.
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if found is None:
        raise Unclear(gettext_noop("expected a number; “<”, “ca.” and words are not taken"))
    return found[1], (found[2] or "").strip()


def read_number(text: str, sign: DecimalSign) -> Decimal:
    """Return the one number that a text can mean.

    Raises:
        Unclear: it could be two numbers (7,400), or is none.
    """
    text = text.strip()
    if _SPACES.search(text):
        text = _SPACES.sub(" ", text)
        if not _GROUPED.fullmatch(text):
            raise Unclear(_ONE_NUMBER)
        text = text.replace(" ", "")
    commas, points = text.count(","), text.count(".")
    if sign is DecimalSign.UNSTATED:
        if commas and points:
            sign = DecimalSign.COMMA if text.rfind(",") > text.rfind(".") else DecimalSign.POINT
        elif commas + points > 1:
            sign = DecimalSign.POINT if commas else DecimalSign.COMMA
        elif commas + points == 1:
            mark = "," if commas else "."
            whole, _, decimals = text.partition(mark)
            if len(decimals) == 3 and 1 <= len(whole.lstrip("+-")) <= 3 and whole.lstrip("+-0"):
                raise Unclear(
                    gettext_noop(
                        "could be {one} or {other}: say in the columns step whether decimals stand behind a comma or a point"
                    ).format(one=f"{whole}.{decimals}", other=f"{whole}{decimals}")
                )
            sign = DecimalSign.COMMA if commas else DecimalSign.POINT
        else:
            sign = DecimalSign.POINT
    mark, group = (",", ".") if sign is DecimalSign.COMMA else (".", ",")
    whole, _, decimals = text.partition(mark)
    if group in whole:
        if not re.fullmatch(rf"[-+]?[1-9]\d{{0,2}}(?:\{group}\d{{3}})+", whole, re.ASCII):
            raise Unclear(
                gettext_noop("expected a number with decimals behind a comma")
                if mark == ","
                else gettext_noop("expected a number with decimals behind a point")
            )
        whole = whole.replace(group, "")
    if not re.fullmatch(r"[-+]?\d{1,18}", whole, re.ASCII) or not re.fullmatch(
        r"\d{0,18}", decimals, re.ASCII
    ):
        raise Unclear(_ONE_NUMBER)
    return Decimal(f"{whole}.{decimals}" if decimals else whole)


# By the end of a column's name: what a unit beside a number is multiplied by. Sources: 1 mCi is 37 MBq exactly.
UNITS: dict[str, dict[str, Decimal]] = {
    "mbq": {"MBq": Decimal(1), "GBq": Decimal(1000), "kBq": Decimal("0.001"), "mCi": Decimal(37)},
    "mm": {"mm": Decimal(1), "cm": Decimal(10)},
    "kg": {"kg": Decimal(1), "g": Decimal("0.001")},
    "ml": {"ml": Decimal(1), "l": Decimal(1000)},
    "mg": {"mg": Decimal(1), "µg": Decimal("0.001")},
    "gy": {"Gy": Decimal(1), "mGy": Decimal("0.001"), "cGy": Decimal("0.01")},
    "minutes": {"min": Decimal(1), "h": Decimal(60)},
    "percent": {"%": Decimal(1)},
}  # fmt: skip
_SPELLED = {
    "minutes": "min", "minute": "min", "minuten": "min", "std": "h", "stunden": "h", "hours": "h", "cc": "ml",
    "percent": "%", "prozent": "%", "ug": "µg", "mcg": "µg", "μg": "µg",
}  # fmt: skip


def units_of(column: Column) -> dict[str, Decimal]:
    """Return the units that a number of this column can have, with their factors; none where it has no unit."""
    return UNITS.get(column.name.rpartition("_")[2], {})


def find_unit(text: str, column: Column) -> str:
    """Return the unit by this name, "" where it is none of the column's."""
    wanted = text.strip().strip("()[]").rstrip(".").lower()
    wanted = _SPELLED.get(wanted, wanted).lower()
    return next((unit for unit in units_of(column) if unit.lower() == wanted), "")


def _number_text(text: str, column: Column, said: Reading, unit: str, *, is_number: bool) -> str:
    units = units_of(column)
    number, beside = split_unit(text)
    if beside:
        found = find_unit(beside, column)
        if not found:
            if not units:
                raise Unclear(
                    gettext_noop(
                        "“{beside}” stands behind the number; expected a number without a unit"
                    ).format(beside=beside)
                )
            raise Unclear(
                gettext_noop("“{beside}” stands behind the number; expected one of {units}").format(
                    beside=beside, units=", ".join(units)
                )
            )
        unit = found
    value = Decimal(number) if is_number else read_number(number, said.decimal_sign)
    if units and not unit:
        if "%" not in units:
            raise Unclear(NEEDS_UNIT.format(units=", ".join(units)))
        unit = "%"
    if unit:
        value *= units[unit]
    return format(value.normalize(), "f") if value else "0"


def _whole_text(text: str, column: Column, said: Reading, unit: str, *, is_number: bool) -> str:
    if units_of(column):
        return _number_text(text, column, said, unit, is_number=is_number)
    # As in "Zyklus 2", "2.", "C2": one number, with nothing that would change it.
    found = re.fullmatch(r"(?:[^\W\d]+\.?\s*)?(\d{1,9})(?:\.|\.0+)?", text)
    if found is None:
        raise Unclear(EXPECTED.format(what=column.kind.expected))
    return found[1]


# Codes

_YES = frozenset({"yes", "true", "ja", "j", "y", "wahr"})
_NO = frozenset({"no", "false", "nein", "n", "falsch"})
_WORDS: dict[str, dict[str, str]] = {
    "sex": {
        "m": "male", "mann": "male", "maennlich": "male", "man": "male", "w": "female", "f": "female",
        "frau": "female", "weiblich": "female", "woman": "female", "d": "other", "divers": "other",
    },
    "tumour_type": {
        "net": "net", "nen": "net", "neuroendocrine tumor": "net", "neuroendokriner tumor": "net", "pgl": "paraganglioma",
        "paragangliom": "paraganglioma", "phaeochromozytom": "phaeochromocytoma", "phaeo": "phaeochromocytoma",
        "pheochromocytoma": "phaeochromocytoma",
    },
    "primary_site": {
        "pankreas": "pancreas", "pancreatic": "pancreas", "duenndarm": "small_intestine", "ileum": "small_intestine",
        "jejunum": "small_intestine", "small bowel": "small_intestine", "midgut": "small_intestine",
        "coecum": "caecum", "zoekum": "caecum", "caekum": "caecum", "cecum": "caecum", "magen": "stomach",
        "kolon": "colon_rectum", "rektum": "colon_rectum", "colon": "colon_rectum", "rectum": "colon_rectum",
        "lunge": "lung", "bronchus": "lung", "cup": "unknown", "unbekannt": "unknown", "nebenniere": "adrenal",
    },
    "who_grade": {"1": "g1", "2": "g2", "3": "g3", "unbekannt": "unknown"},
    "status": {
        "gegeben": "given", "erfolgt": "given", "geplant": "planned", "pausiert": "held", "abgesagt": "cancelled",
        "canceled": "cancelled",
    },
    "cause": {
        "tumor": "disease", "tumour": "disease", "progress": "disease", "komorbiditaet": "comorbidity",
        "unbekannt": "unknown", "andere": "other",
    },
    "overall_response": {
        "complete response": "CR", "partial response": "PR", "stable disease": "SD", "progressive disease": "PD",
    },
}  # fmt: skip


def _code_text(text: str, column: Column, kind: Code, labels: dict[str, str]) -> str:
    if text in kind.known:
        return text
    words = normalised(text)
    for code in kind.codes:
        if words == normalised(code):
            return code
    found = labels.get(words) or _WORDS.get(column.name, {}).get(words)
    if found is None or found not in kind.known:
        raise Unclear(EXPECTED.format(what=kind.expected))
    return found


def cell_text(
    cell: Cell, column: Column, said: Reading, *, unit: str = "", labels: dict[str, str] | None = None
) -> str:
    """Return a cell as a cohort file would write it; "" where it says nothing.

    Args:
        unit: of numbers that have none beside them; "" where none was stated.
        labels: normalised words to code, of columns that hold one of a list.

    Raises:
        Unclear: it could be read in two ways, or cannot be read.
    """
    text = as_text(cell)
    kind = column.kind
    if not text:
        return ""
    if isinstance(kind, Codes):
        parts = [part for part in re.split(r"[|;,/]", text) if part.strip()]
        return "|".join(_code_text(part.strip(), column, kind, labels or {}) for part in parts)
    if isinstance(kind, Code):
        return _code_text(text, column, kind, labels or {})
    if isinstance(kind, Date | Moment | Number | Whole | YesNo) and text.lower() in NOT_KNOWN:
        return ""
    if isinstance(kind, Date | Moment):
        if isinstance(cell, datetime | date):
            return _date_text(text, column, said)
        if isinstance(cell, int | float):
            if isinstance(cell, int) and _COMPACT.fullmatch(text):
                return _date_text(text, column, said)
            raise Unclear(gettext_noop("expected a date; a bare number is none"))
        return _date_text(text, column, said)
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    if isinstance(kind, Whole):
        return _whole_text(text, column, said, unit, is_number=is_number)
    if isinstance(kind, Number):
        return _number_text(text, column, said, unit, is_number=is_number)
    if isinstance(kind, YesNo):
        words = normalised(text)
        if words in _YES:
            return "yes"
        if words in _NO:
            return "no"
        raise Unclear(EXPECTED.format(what=YES_OR_NO))
    return text
