"""The file that was sent, with a column that says what is wrong with each row, in the reader's language.

It can be corrected and sent again. What begins as a formula does is never one here: in a worksheet it is stored as text, in
a CSV file an apostrophe goes before it, which is taken away again when the file is read.
"""

import csv
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.utils import get_column_letter

from exchange import reading, sheets
from exchange.mapping import SheetMapping
from exchange.models import FileKind, Import
from exchange.reading import Table
from exchange.telling import told
from exchange.values import Cell, as_text
from languages.wording import gettext, gettext_noop

COLUMN = gettext_noop("problems")
_COLUMNS = frozenset({COLUMN, "probleme"})  # as the column is called in each language
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d.,\s]+%?")

Problems = dict[tuple[str, int], str]  # by place and row


def annotated(job: Import, content: bytes) -> tuple[bytes, str]:
    """Return the file with its problems, and how its name ends: ``xlsx``, ``csv`` or ``zip``."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for problem in job.problems:
        if problem["row"] is not None:
            column = f"{problem['column']}: " if problem["column"] else ""
            found[problem["place"], problem["row"]].append(f"{column}{told(problem['expected'])}")
    problems = {place: "; ".join(texts) for place, texts in found.items()}
    if job.kind == FileKind.COHORT_ZIP:
        return _archive(content, problems), "zip"
    header = SheetMapping.of_json(job.mapping).last if job.mapping else 1
    if job.kind == FileKind.CSV:
        raw = sheets.sheets_of(content, "csv")[0]
        rows = _with_problems(raw.rows(), raw.title, header, problems)
        return _csv(rows, sheets.delimiter_of_bytes(content), bom=True), "csv"
    return _workbook(sheets.sheets_of(content, "xlsx"), header, problems), "xlsx"


def _with_problems(
    rows: Iterable[Sequence[Cell]], place: str, header: int, problems: Problems
) -> Iterator[list[Cell]]:
    """Yield the rows with the column behind the widest one of the header."""
    held = [list(row) for row in rows]
    names = held[header - 1] if header <= len(held) else []
    at = next((index for index, cell in enumerate(names) if as_text(cell).lower() in _COLUMNS), None)
    width = at if at is not None else max(map(len, held), default=0)
    for number, row in enumerate(held, start=1):
        said = gettext(COLUMN) if number == header else problems.get((place, number), "")
        row += [None] * (width + 1 - len(row))
        row[width] = said
        yield row


def guarded(text: str) -> str:
    """Return a text of a CSV file that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _csv(rows: Iterable[Sequence[Cell]], delimiter: str, *, bom: bool = False) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n" if bom else "\n")
    writer.writerows([guarded(as_text(cell)) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig" if bom else "utf-8")


def _archive(content: bytes, problems: Problems) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in reading.open_zip(io.BytesIO(content), "the file"):
            rows = _with_problems(table.rows, table.place, 1, problems)
            archive.writestr(f"{table.sheet.name}.csv", _csv(rows, ","))
    return out.getvalue()


def _workbook(found: Sequence[sheets.RawSheet], header: int, problems: Problems) -> bytes:
    workbook = Workbook(write_only=True)
    for raw in found:
        worksheet = workbook.create_sheet(raw.title)
        for row in _with_problems(raw.plain_rows(), raw.title, header, problems):
            worksheet.append([_cell(worksheet, cell) for cell in row])
        for top, ranges in raw.merged.items():
            for left, right, bottom in ranges:
                worksheet.merged_cells.add(
                    f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"
                )
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _cell(worksheet: Any, cell: Cell) -> Any:
    if cell is None or isinstance(cell, bool | int | float | datetime | date | time | timedelta):
        return cell
    text = WriteOnlyCell(worksheet, ILLEGAL_CHARACTERS_RE.sub("", cell))
    text.data_type = "s"  # never a formula, never an error code
    return text


def without_problems(table: Table) -> Table:
    """Return a table of a cohort file without the column, where it is one that was annotated and comes back."""
    header = list(next(table.rows, ()))
    at = [index for index, cell in enumerate(header) if as_text(cell).lower() in _COLUMNS]
    if not at:
        return Table(table.sheet, table.place, _chained(header, table.rows))
    rows = ([_back(cell) for index, cell in enumerate(row) if index not in at] for row in table.rows)
    return Table(
        table.sheet,
        table.place,
        _chained([cell for index, cell in enumerate(header) if index not in at], rows),
    )


def _back(cell: Cell) -> Cell:
    return sheets.unguarded(cell) if isinstance(cell, str) else cell


def _chained(header: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    yield header
    yield from rows
