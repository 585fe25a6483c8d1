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
from datetime import datetime
from decimal import Decimal

from treatments.rules.labs import ANALYTES, Analyte, find_unit, parse_heading, parse_value

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
        return f"{self.at:%Y-%m-%d %H:%M}" if self.has_time else f"{self.at:%Y-%m-%d}"


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
            shown.append(f"And {len(problems) - MOST_PROBLEMS} more.")
        super().__init__(" ".join(shown))
        self.problems = shown


def decode(content: bytes) -> str:
    """Return the text of a file, with or without a byte order mark.

    Raises:
        TableError: it is larger than 1 MB, or not text in UTF-8.
    """
    if len(content) > MOST_BYTES:
        raise TableError([f"The file has {len(content):,} bytes; at most {MOST_BYTES:,} can be read."])
    if b"\0" in content:
        raise TableError(["This is no text file. Save the table as CSV (UTF-8) in the spreadsheet."])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TableError(
            [f"The file is not in UTF-8 (line {line}). Save the table as CSV (UTF-8) in the spreadsheet."]
        ) from error


def with_dashes(text: str) -> str:
    """Return a text that begins with a day of eight digits, such as 20190304, with the dashes it was typed without."""
    return re.sub(r"^\s*(\d{4})(\d{2})(\d{2})(?![\d.,])", r"\1-\2-\3", text, flags=re.ASCII)


def parse_sample_time(text: str) -> SampleTime:
    """Return the day, or the day and the time, of ``YYYY-MM-DD`` or ``YYYY-MM-DD HH:MM``; the dashes may be left out.

    "04/03/2019" is refused: it may be 4 March or 3 April, and no programme can tell.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    written = with_dashes(text).strip()
    if not written:
        raise ValueError("the date is missing: write YYYY-MM-DD or YYYY-MM-DD HH:MM.")
    found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", written)
    if found:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        try:
            at = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the centre's clock; the caller knows it
            return SampleTime(at, found[4] is not None)
        except ValueError as error:
            raise ValueError(f"{written!r} is no date of the calendar.") from error
    numbers = re.fullmatch(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:[ T].*)?", written)
    if numbers:
        first, second, year = int(numbers[1]), int(numbers[3]), int(numbers[4])
        readings = [
            f"{year}-{month:02d}-{day:02d}"
            for day, month in ((first, second), (second, first))
            if 1 <= month <= 12 and 1 <= day <= 31
        ]
        if len(set(readings)) == 2:
            raise ValueError(
                f"{written!r} can be read in two ways: write {readings[0]} or {readings[1]} (year-month-day)."
            )
        if readings:
            raise ValueError(f"Write {written!r} as {readings[0]} (year-month-day).")
    raise ValueError(f"{written[:40]!r} is no date: write YYYY-MM-DD or YYYY-MM-DD HH:MM.")


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
        raise TableError(
            [f"The table cannot be read: {error}. A quotation mark may not be closed."]
        ) from error
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(read, start=1)
        if any(cell.strip() for cell in row)
    ]
    for number, row in rows:
        for column, cell in enumerate(row, start=1):
            if len(cell) > MOST_CELL:
                raise TableError(
                    [
                        f"{_place(number, column)} holds {len(cell):,} characters."
                        " A quotation mark may not be closed."
                    ]
                )
    return rows


def read_table(text: str) -> list[TableValue]:
    """Return every value of a table; empty cells and dashes are none.

    Raises:
        TableError: anything in it cannot be read; every such cell has its sentence.
    """
    rows = split_table(text)
    if not rows:
        raise TableError(["There is no table: nothing was pasted, or the file is empty."])
    problems: list[str] = []
    heading = [cell.casefold() for cell in rows[0][1]]
    if "analyte" in heading and "value" in heading:
        values = _read_long(rows, problems)
    elif any(looks_like_time(cell) for cell in rows[0][1][1:]):
        values = _read_wide(_padded(rows, problems), problems)
    elif any(looks_like_time(row[0]) for _, row in rows[1:]):
        values = _read_turned(_padded(rows, problems), problems)
    else:
        raise TableError(
            [
                "Neither the first row nor the first column holds dates (YYYY-MM-DD), and the first row is not"
                f" {', '.join(LONG_COLUMNS[:4])}."
            ]
        )
    if len(values) > MOST_VALUES:
        problems = [f"The table holds {len(values):,} values; at most {MOST_VALUES:,} are taken at a time."]
    if problems:
        raise TableError(problems)
    if not values:
        raise TableError(["The table holds no value."])
    return values


def _delimiter(text: str) -> str:
    """Return what parts the cells: a tab, else a semicolon, else a comma, as each may stand within cells of the former."""
    outside_quotes = re.sub(r'"[^"]*"', "", text[:20_000])
    return next((sign for sign in "\t;" if sign in outside_quotes), ",")


def _place(row: int, column: int) -> str:
    return f"Row {row}, column {column}"


def _padded(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[tuple[int, list[str]]]:
    """Return the rows in the width of the first. What stands beyond it would be of no date."""
    width = len(rows[0][1])
    while width and not rows[0][1][width - 1]:
        width -= 1
    for number, row in rows[1:]:
        if any(row[width:]):
            problems.append(
                f"Row {number} has more cells than the first row. Where cells are parted by commas, a number with a decimal"
                ' comma stands in quotes, as in "7,4".'
            )
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
    problems += _twice((f"Columns {{}} and {at + 1}", at + 1, str(time.at)) for at, time in samples.items())
    values, names = [], []
    for number, row in rows[1:]:
        analyte_unit = _analyte_unit(row[0], row[unit_column] if unit_column is not None else "")
        if isinstance(analyte_unit, str):
            problems.append(f"{_place(number, 1)}: {analyte_unit}")
            continue
        names.append((f"Rows {{}} and {number}", number, analyte_unit[0].label))
        for at, taken in samples.items():
            if found := _value(number, at, row[at], *analyte_unit, taken, problems):
                values.append(found)
    problems += _twice(names)
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
    problems += _twice(
        (f"Columns {{}} and {at + 1}", at + 1, analyte.label) for at, (analyte, _) in analytes.items()
    )
    values, times = [], []
    for number, row in rows[1:]:
        try:
            taken = parse_sample_time(row[0])
        except ValueError as error:
            problems.append(f"{_place(number, 1)}: {error}")
            continue
        times.append((f"Rows {{}} and {number}", number, str(taken.at)))
        for at, analyte_unit in analytes.items():
            if found := _value(number, at, row[at], *analyte_unit, taken, problems):
                values.append(found)
    problems += _twice(times)
    return values


def _read_long(rows: list[tuple[int, list[str]]], problems: list[str]) -> list[TableValue]:
    first, heading = rows[0]
    names = [cell.casefold() for cell in heading]
    problems += [
        f"{_place(first, at + 1)}: {heading[at]!r} is no column known here. Known are {', '.join(LONG_COLUMNS)}."
        for at, name in enumerate(names)
        if name and name not in LONG_COLUMNS
    ]
    problems += [f"Column {name} is missing." for name in _LONG_NEEDS if name not in names]
    problems += _twice((f"Columns {{}} and {at + 1}", at + 1, name) for at, name in enumerate(names) if name)
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
        return "there is no name of a laboratory value."
    try:
        analyte, unit = parse_heading(heading)
        if not unit_cell:
            return analyte, unit
        stated = find_unit(unit_cell, analyte=analyte)
    except ValueError as error:
        return str(error)
    if stated != unit and _names_unit(heading, analyte):
        return f"{analyte.label} is given in {unit} and in {stated}: keep one of the two units."
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


def _twice(found: Iterable[tuple[str, int, str]]) -> list[str]:
    """Return a sentence for what stands in two rows or columns: words with a gap for the first, its number, its name."""
    first: dict[str, int] = {}
    problems = []
    for words, number, name in found:
        if name in first:
            problems.append(f"{words.format(first[name])} are both {name.removesuffix(' 00:00:00')}.")
        first.setdefault(name, number)
    return problems


def _repeated(values: Sequence[TableValue]) -> list[str]:
    """Return a sentence for each value of one sample that a long table holds twice."""
    first: dict[tuple[str, datetime], str] = {}
    problems = []
    for one in values:
        key = (one.analyte.code, one.taken.at)
        if key in first:
            problems.append(
                f"{one.place}: {one.analyte.label} of {one.taken} stands in {first[key].lower()} already."
            )
        first.setdefault(key, one.place)
    return problems


def known_names() -> dict[str, tuple[str, ...]]:
    """Return code to every name of each analyte, for a page that sorts a pasted block into its rows."""
    return {code: (analyte.code, analyte.label, *analyte.synonyms) for code, analyte in ANALYTES.items()}
