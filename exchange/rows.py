"""From cells to typed rows, collecting every problem of a cell, a column or a key on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from exchange import reading
from exchange.columns import Column, Sheet
from exchange.problems import ImportRefused, Problem
from exchange.reading import Table
from exchange.values import EXPECTED, Cell, as_text, in_zone
from languages.wording import gettext_noop

Key = tuple[Any, ...]

# Repeated cells (codes, dates, numbers) are read once; free text would only fill the memory.
_REMEMBERED = 20_000


@dataclass(slots=True)
class Row:
    """One row of a sheet.

    Attributes:
        values: column name to value, of the columns that the file has; None also where a cell was unreadable.
        unreadable: the columns whose cell gave a problem: no further one is reported of them.
    """

    place: str
    number: int
    values: dict[str, Any]
    unreadable: frozenset[str] = frozenset()

    def problem(self, column: str, expected: str, *, value: str | None = None) -> Problem:
        """Return a problem of this row, quoting the column's value unless another text is given."""
        if value is None:
            held = self.values.get(column)
            value = "" if held is None else _quoted(held)
        return Problem(expected, file=self.place, row=self.number, column=column, value=value)


@dataclass
class SheetRows:
    """What a file says of one sheet.

    Attributes:
        present: names of the columns that the file has.
        rows: key to row, of the rows whose key could be read.
        unreadable: the header misses columns, so that there are no rows at all.
    """

    sheet: Sheet
    present: frozenset[str] = frozenset()
    rows: dict[Key, Row] = field(default_factory=dict)
    n: int = 0
    unreadable: bool = False


def _quoted(value: Any) -> str:
    if isinstance(value, list):
        return "|".join(value) if all(isinstance(part, str) for part in value) else "+".join(map(str, value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def read_rows(table: Table, *, zone: ZoneInfo, problems: list[Problem], at_most: int) -> SheetRows:
    """Return the rows of one sheet; what is wrong is added to ``problems``.

    Args:
        zone: of the centre, for moments without an offset.
        at_most: rows, blank ones included, after which the file is refused.

    Raises:
        ImportRefused: it cannot be read on: no CSV, not UTF-8, or too many rows.
    """
    found = SheetRows(table.sheet)
    rows = iter(table.rows)
    columns = _columns(next(rows, ()), table, problems)
    if columns is None:
        found.unreadable = True
        return found
    found.present = frozenset(column.name for _, column in columns)
    readers = [(index, column, _Reader(column, zone)) for index, column in columns]
    headed = {index for index, _ in columns}
    key_names = table.sheet.key
    # What a key may leave out is blank in every row.
    left_out = {name: table.sheet.column(name).blank for name in key_names if name not in found.present}

    for number, cells in enumerate(rows, start=2):
        if number > at_most:
            raise ImportRefused(
                [
                    Problem(
                        reading.TOO_MANY_ROWS.format(n=f"{reading.MAX_ROWS:,}"),
                        file=table.place,
                        row=number,
                    )
                ]
            )
        if _is_blank(cells):
            continue
        found.n += 1
        values: dict[str, Any] = {}
        unreadable = set()
        for index, column, reader in readers:
            text = as_text(cells[index]) if index < len(cells) else ""
            try:
                values[column.name] = reader(text)
            except ValueError as error:
                values[column.name] = None
                unreadable.add(column.name)
                problems.append(
                    Problem(
                        EXPECTED.format(what=error),
                        file=table.place,
                        row=number,
                        column=column.name,
                        value=text,
                    )
                )
        if len(cells) > len(headed):
            for index in range(len(cells)):
                if index not in headed and as_text(cells[index]):
                    problems.append(
                        Problem(
                            gettext_noop(
                                "a value without a column name above it; is there one delimiter too many?"
                            ),
                            file=table.place,
                            row=number,
                            value=as_text(cells[index]),
                        )
                    )
        values |= left_out
        row = Row(table.place, number, values, frozenset(unreadable))
        if unreadable.intersection(key_names):
            continue
        key = tuple(values[name] for name in key_names)
        if (first := found.rows.setdefault(key, row)) is not row:
            problems.append(
                Problem(
                    gettext_noop("the same {columns} as in row {row}").format(
                        columns=", ".join(key_names), row=first.number
                    ),
                    file=table.place,
                    row=number,
                    column=key_names[-1],
                    value=_quoted(key[-1]),
                )
            )
    return found


def _is_blank(cells: Sequence[Cell]) -> bool:
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in cells)


def _columns(
    header: Sequence[Cell], table: Table, problems: list[Problem]
) -> list[tuple[int, Column]] | None:
    """Return (position, column) of the header, or None where it misses what every row needs."""
    known = {column.name: column for column in table.sheet.columns}
    found: dict[str, int] = {}
    for index, cell in enumerate(header):
        name = as_text(cell).lower()
        if not name:
            continue
        if name not in known:
            expected = gettext_noop("unknown column; expected {columns}").format(columns=", ".join(known))
        elif name in found:
            expected = gettext_noop("this column is there twice")
        else:
            found[name] = index
            continue
        problems.append(Problem(expected, file=table.place, row=1, column=name))
    missing = [column.name for column in known.values() if column.required and column.name not in found]
    for name in missing:
        problems.append(Problem(gettext_noop("this column is missing"), file=table.place, row=1, column=name))
    if missing:
        return None
    return [(index, known[name]) for name, index in found.items()]


class _Reader:
    """Reads the cells of one column."""

    def __init__(self, column: Column, zone: ZoneInfo) -> None:
        self.column = column
        self.zone = zone
        self.blank = list(column.blank) if isinstance(column.blank, tuple) else column.blank
        self.remembered: dict[str, Any] = {}

    def __call__(self, text: str) -> Any:
        if not text:
            if self.column.required:
                raise ValueError(gettext_noop("a value; {what}").format(what=self.column.kind.expected))
            return list(self.blank) if isinstance(self.blank, list) else self.blank
        if text in self.remembered:
            value = self.remembered[text]
            return list(value) if isinstance(value, list) else value
        value = self.column.kind.read(text)
        if isinstance(value, datetime):
            value = in_zone(value, self.zone)
        if len(self.remembered) < _REMEMBERED:
            self.remembered[text] = value
        return value


def blanks(sheet: Sheet) -> Iterator[tuple[str, Any]]:
    """Yield column name and what a blank cell stands for, of every column of a sheet."""
    for column in sheet.columns:
        yield column.name, list(column.blank) if isinstance(column.blank, tuple) else column.blank
