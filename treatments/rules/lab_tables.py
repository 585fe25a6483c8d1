"""Tables of laboratory values as spreadsheets and laboratories give them: wide, turned, or one value a line.

Wide: the first row holds the dates of the samples, the first column the names, with the unit in brackets behind the name or
in a second column headed "unit". Turned: the first column holds the dates, the first row the names. Long: the first row is
``analyte,value,unit,taken_at`` and, where the laboratory gives its limits of normal, ``lower_limit,upper_limit``. Cells are
parted by tabs, semicolons or commas. In words: docs/rules/laboratory.md.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from languages.wording import day as said_day
from languages.wording import gettext as _
from languages.wording import ngettext
from treatments.rules.labs import ANALYTES, Analyte, find_unit, parse_heading, parse_value
from treatments.rules.words import written

MOST_BYTES = 1_000_000
MOST_VALUES = 2_000
MOST_CELL = 200  # characters; a longer one is no name, date or number
MOST_PROBLEMS = 50  # more would be no help

LONG_COLUMNS = ("analyte", "value", "unit", "taken_at", "lower_limit", "upper_limit")
_LONG_NEEDS = ("analyte", "value", "taken_at")
_UNIT_HEADINGS = {"unit", "units"}
_NO_VALUE = {"", "-", "\N{EN DASH}", "\N{EM DASH}"}


@dataclass(frozen=True)
class SampleTime:
    """When a sample was taken, by the clock of the centre.

    Args:
        at: naive; midnight where only the day is known.
        has_time: whether a time was written.
    """

    at: datetime
    has_time: bool

    def __str__(self) -> str:
        on = said_day(self.at.date())
        return f"{on} {self.at:%H:%M}" if self.has_time else on


@dataclass(frozen=True)
class TableValue:
    """One value of a table.

    Args:
        place: its row and column, counted from 1 as a spreadsheet does.
        unit: as spelled in ``Analyte.units``.
        written: the cell as it was written.
        lower_limit, upper_limit: of the laboratory, in ``unit``; None where the table gives none.
    """

    place: str
    analyte: Analyte
    unit: str
    taken: SampleTime
    value: Decimal
    written: str
    lower_limit: Decimal | None = None
    upper_limit: Decimal | None = None


class TableError(ValueError):
    """A table that cannot be read as a whole.

    Attributes:
        problems: one sentence for each, with its row and column.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        shown = list(problems[:MOST_PROBLEMS])
        if len(problems) > MOST_PROBLEMS:
            left = len(problems) - MOST_PROBLEMS
            shown.append(ngettext("And {n} more.", "And {n} more.", left).format(n=left))
        super().__init__(" ".join(shown))
        self.problems = shown


def decode(content: bytes) -> str:
    """Return the text of a file, with or without a byte order mark.

    Raises:
        TableError: it is larger than 1 MB, or not text in UTF-8.
    """
    if len(content) > MOST_BYTES:
        message = _("The file has {bytes} bytes; at most {most} can be read.")
        raise TableError(
            [message.format(bytes=written(f"{len(content):,}"), most=written(f"{MOST_BYTES:,}"))]
        )
    if b"\0" in content:
        raise TableError([_("This is no text file. Save the table as CSV (UTF-8) in the spreadsheet.")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = _(
            "The file is not in UTF-8 (line {line}). Save the table as CSV (UTF-8) in the spreadsheet."
        )
        raise TableError([message.format(line=line)]) from error


def with_dashes(text: str) -> str:
    """Return a text that begins with a day of eight digits, such as 20190304, with the dashes it was typed without."""
    return re.sub(r"^\s*(\d{4})(\d{2})(\d{2})(?![\d.,])", r"\1-\2-\3", text, flags=re.ASCII)


def parse_sample_time(text: str) -> SampleTime:
    """Return the day, or the day and the time, of ``YYYY-MM-DD`` or ``YYYY-MM-DD HH:MM``; the dashes may be left out.

    "04/03/2019" is refused: it may be 4 March or 3 April, and no programme can tell.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    typed = with_dashes(text).strip()
    if not typed:
        raise ValueError(_("the date is missing: write YYYY-MM-DD or YYYY-MM-DD HH:MM."))
    found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", typed)
    if found:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        try:
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the centre's clock; the caller knows it
            return SampleTime(at, found[4] is not None)
        except ValueError as error:
            message = _("{text} is no date of the calendar.")
            raise ValueError(message.format(text=repr(typed))) from error
    numbers = re.fullmatch(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:[ T].*)?", typed)
    if numbers:
        first, second, year = int(numbers[1]), int(numbers[3]), int(numbers[4])
        readings = [
            f"{year}-{month:02d}-{day:02d}"
            for day, month in ((first, second), (second, first))
            if 1 <= month <= 12 and 1 <= day <= 31
        ]
        if len(set(readings)) == 2:
            message = _("{text} can be read in two ways: write {one} or {other} (year-month-day).")
            raise ValueError(message.format(text=repr(typed), one=readings[0], other=readings[1]))
        if readings:
            message = _("Write {text} as {one} (year-month-day).")
            raise ValueError(message.format(text=repr(typed), one=readings[0]))
    message = _("{text} is no date: write YYYY-MM-DD or YYYY-MM-DD HH:MM.")
    raise ValueError(message.format(text=repr(typed[:40])))


def looks_like_time(text: str) -> bool:
    """Return whether somebody meant a date, right or wrong."""
    return bool(re.match(r"\s*\d{1,4}[/.\-]\d{1,2}[/.\-]\d{1,4}", text))


def split_table(text: str) -> list[tuple[int, list[str]]]:
    """Return the rows that hold anything, each with its number as a spreadsheet counts and its cells without spaces around.

    Raises:
        TableError: a quote is not closed, or a cell is too long.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        read = list(csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True))
    except csv.Error as error:
        message = _("The table cannot be read: {error}. A quotation mark may not be closed.")
        raise TableError([message.format(error=error)]) from error
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(read, start=1)
        if any(cell.strip() for cell in row)
    ]
    for number, row in rows:
        for column, cell in enumerate(row, start=1):
            if len(cell) > MOST_CELL:
                message = _("{place} holds {n} characters. A quotation mark may not be closed.")
                raise TableError([message.format(place=_place(number, column), n=written(f"{len(cell):,}"))])
    return rows


def read_table(text: str) -> list[TableValue]:
    """Return every value of a table; empty cells and dashes are none.

    Raises:
        TableError: anything in it cannot be read; every such cell has its sentence.
    """
    rows = split_table(text)
    if not rows:
        raise TableError([_("There is no table: nothing was pasted, or the file is empty.")])
    problems: list[str] = []
    heading = [cell.casefold() for cell in rows[0][1]]
    if "analyte" in heading and "value" in heading:
        values = _read_long(rows, problems)
    elif any(looks_like_time(cell) for cell in rows[0][1][1:]):
        values = _read_wide(_padded(rows, problems), problems)
    elif any(looks_like_time(row[0]) for _, row in rows[1:]):
        values = _read_turned(_padded(rows, problems), problems)
    else:
        message = _(
            "Neither the first row nor the first column holds dates (YYYY-MM-DD), and the first row is not {columns}."
        )
        raise TableError([message.format(columns=", ".join(LONG_COLUMNS[:4]))])
    if len(values) > MOST_VALUES:
        message = _("The table holds {n} values; at most {most} are taken at a time.")
        problems = [message.format(n=written(f"{len(values):,}"), most=written(f"{MOST_VALUES:,}"))]
    if problems:
        raise TableError(problems)
    if not values:
        raise TableError([_("The table holds no value.")])
    return values


def _delimiter(text: str) -> str:
    """Return what parts the cells: a tab, else a semicolon, else a comma, as each may stand within cells of the former."""
    outside_quotes = re.sub(r'"[^"]*"', "", text[:20_000])
    return next((sign for sign in "\t;" if sign in outside_quotes), ",")


def _place(row: int, column: int) -> str:
    return _("Row {row}, column {column}").format(row=row, column=column)


def _padded(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[tuple[int, list[str]]]:
    """Return the rows in the width of the first. What stands beyond it would be of no date."""
    width = len(rows[0][1])
    while width and not rows[0][1][width - 1]:
        width -= 1
    for number, row in rows[1:]:
        if any(row[width:]):
            message = _(
                "Row {row} has more cells than the first row. Where cells are parted by commas, a number with a decimal"
                ' comma stands in quotes, as in "7,4".'
            )
            problems.append(message.format(row=number))
    return [(number, [*row[:width], *[""] * (width - len(row))]) for number, row in rows]


def _read_wide(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[TableValue]:
    first, heading = rows[0]
    unit_column = next((at for at, cell in enumerate(heading) if cell.casefold() in _UNIT_HEADINGS), None)
    samples = {}
    for at, cell in enumerate(heading[1:], start=1):
        if at == unit_column or (not cell and not any(row[at] for _, row in rows[1:])):
            continue
        try:
            samples[at] = parse_sample_time(cell)
        except ValueError as error:
            problems.append(f"{_place(first, at + 1)}: {error}")
    problems += _twice_columns((at + 1, _moment(taken)) for at, taken in samples.items())
    values, names = [], []
    for number, row in rows[1:]:
        analyte_unit = _analyte_unit(row[0], row[unit_column] if unit_column is not None else "")
        if isinstance(analyte_unit, str):
            problems.append(f"{_place(number, 1)}: {analyte_unit}")
            continue
        names.append((number, analyte_unit[0].label))
        for at, taken in samples.items():
            if found := _value(number, at, row[at], *analyte_unit, taken, problems):
                values.append(found)
    problems += _twice_rows(names)
    return values


def _read_turned(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[TableValue]:
    first, heading = rows[0]
    analytes = {}
    for at, cell in enumerate(heading[1:], start=1):
        if not cell and not any(row[at] for _, row in rows[1:]):
            continue
        analyte_unit = _analyte_unit(cell, "")
        if isinstance(analyte_unit, str):
            problems.append(f"{_place(first, at + 1)}: {analyte_unit}")
        else:
            analytes[at] = analyte_unit
    problems += _twice_columns((at + 1, one[0].label) for at, one in analytes.items())
    values, times = [], []
    for number, row in rows[1:]:
        try:
            taken = parse_sample_time(row[0])
        except ValueError as error:
            problems.append(f"{_place(number, 1)}: {error}")
            continue
        times.append((number, _moment(taken)))
        for at, analyte_unit in analytes.items():
            if found := _value(number, at, row[at], *analyte_unit, taken, problems):
                values.append(found)
    problems += _twice_rows(times)
    return values


def _read_long(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[TableValue]:
    first, heading = rows[0]
    names = [cell.casefold() for cell in heading]
    unknown = _("{place}: {name} is no column known here. Known are {columns}.")
    problems += [
        unknown.format(place=_place(first, at + 1), name=repr(heading[at]), columns=", ".join(LONG_COLUMNS))
        for at, name in enumerate(names)
        if name and name not in LONG_COLUMNS
    ]
    missing = _("Column {name} is missing.")
    problems += [missing.format(name=name) for name in _LONG_NEEDS if name not in names]
    problems += _twice_columns((at + 1, name) for at, name in enumerate(names) if name)
    if problems:
        return []
    column = {name: names.index(name) for name in LONG_COLUMNS if name in names}
    values = []
    for number, row in _padded(rows, problems)[1:]:
        cells = {name: row[at] for name, at in column.items()}
        analyte_unit = _analyte_unit(cells["analyte"], cells.get("unit", ""))
        if isinstance(analyte_unit, str):
            problems.append(f"{_place(number, column['analyte'] + 1)}: {analyte_unit}")
            continue
        try:
            taken = parse_sample_time(cells["taken_at"])
        except ValueError as error:
            problems.append(f"{_place(number, column['taken_at'] + 1)}: {error}")
            continue
        limits: dict[str, Decimal | None] = {}
        for name in ("lower_limit", "upper_limit"):
            try:
                limits[name] = None if cells.get(name, "") in _NO_VALUE else parse_value(cells.get(name, ""))
            except ValueError as error:
                problems.append(f"{_place(number, column[name] + 1)}: {error}")
        found = _value(number, column["value"], cells["value"], *analyte_unit, taken, problems)
        if found and len(limits) == 2:
            values.append(
                TableValue(
                    found.place, found.analyte, found.unit, found.taken, found.value, found.written, **limits
                )
            )
    problems += _repeated(values)
    return values


def _analyte_unit(heading: str, unit_cell: str) -> tuple[Analyte, str] | str:
    """Return the analyte and its unit, or what is wrong with them."""
    if not heading:
        return _("there is no name of a laboratory value.")
    try:
        analyte, unit = parse_heading(heading)
        if not unit_cell:
            return analyte, unit
        stated = find_unit(unit_cell, analyte=analyte)
    except ValueError as error:
        return str(error)
    if stated != unit and _names_unit(heading, analyte):
        message = _("{analyte} is given in {unit} and in {other}: keep one of the two units.")
        return message.format(analyte=analyte.label, unit=unit, other=stated)
    return analyte, stated


def _names_unit(heading: str, analyte: Analyte) -> bool:
    last = re.split(r"[\s,(\[]+", heading.strip(" )]"))[-1]
    try:
        find_unit(last, analyte=analyte)
    except ValueError:
        return False
    return True


def _value(
    row: int, at: int, cell: str, analyte: Analyte, unit: str, taken: SampleTime, problems: list[str]
) -> TableValue | None:
    if cell in _NO_VALUE:
        return None
    place = _place(row, at + 1)
    try:
        return TableValue(place, analyte, unit, taken, parse_value(cell), cell)
    except ValueError as error:
        problems.append(f"{place} ({analyte.label}, {taken}): {error}")
        return None


def _moment(taken: SampleTime) -> str:
    at = taken.at
    return said_day(at.date()) if at.time() == time.min else f"{said_day(at.date())} {at.time()}"


def _twice_columns(found: Iterable[tuple[int, str]]) -> list[str]:
    message = _("Columns {one} and {other} are both {name}.")
    return [message.format(one=one, other=other, name=name) for one, other, name in _twice(found)]


def _twice_rows(found: Iterable[tuple[int, str]]) -> list[str]:
    message = _("Rows {one} and {other} are both {name}.")
    return [message.format(one=one, other=other, name=name) for one, other, name in _twice(found)]


def _twice(found: Iterable[tuple[int, str]]) -> list[tuple[int, int, str]]:
    """Return what stands in two rows or columns: the number of the first, its own number, its name."""
    first: dict[str, int] = {}
    twice = []
    for number, name in found:
        if name in first:
            twice.append((first[name], number, name))
        first.setdefault(name, number)
    return twice


def _within(place: str) -> str:
    """Return a place as it stands within a sentence."""
    row, column = re.findall(r"\d+", place)
    return _("row {row}, column {column}").format(row=row, column=column)


def _repeated(values: Sequence[TableValue]) -> list[str]:
    """Return a sentence for each value of one sample that a long table holds twice."""
    first: dict[tuple[str, datetime], str] = {}
    problems = []
    for one in values:
        key = (one.analyte.code, one.taken.at)
        if key in first:
            message = _("{place}: {analyte} of {taken} stands in {first} already.")
            problems.append(
                message.format(
                    place=one.place, analyte=one.analyte.label, taken=one.taken, first=_within(first[key])
                )
            )
        first.setdefault(key, one.place)
    return problems


def known_names() -> dict[str, tuple[str, ...]]:
    """Return code to every name of each analyte, for a page that sorts a pasted block into its rows."""
    return {
        code: tuple(dict.fromkeys((analyte.code, analyte.name, *analyte.synonyms, analyte.label)))
        for code, analyte in ANALYTES.items()
    }
