"""Any sheet, as a clinic has it: a CSV file or a worksheet, with title rows, merged cells and empty rows.

Bounds and the opening of archives are those of ``exchange.reading``.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils import range_boundaries

from exchange import reading
from exchange.columns import SHEET
from exchange.problems import ImportRefused, Problem
from exchange.values import Cell, as_text
from languages.wording import gettext_noop

PREVIEW_ROWS = 40  # of a sheet, among which its header is looked for
_MOST_MERGED = 20_000
_MERGED_REF = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_CHUNK = 1024 * 1024
OLE = b"\xd0\xcf\x11\xe0"
_NO_TABLE = gettext_noop("expected a CSV file, an .xlsx workbook or a .zip of CSV files")


@dataclass(frozen=True)
class RawSheet:
    """One sheet.

    Attributes:
        title: of the worksheet; "CSV" of a file that is one.
        merged: first row to (first column, last column, last row) of the cells merged there; all from 1.
        note: what was assumed while reading, for people, in English; "" where nothing was.
    """

    title: str
    _content: bytes
    _index: int
    merged: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    note: str = ""

    def rows(self) -> Iterator[list[Cell]]:
        """Yield every row, blank ones included; merged cells all hold what their first one holds.

        Raises:
            ImportRefused: it cannot be read on, or holds too many rows.
        """
        spread: list[tuple[int, int, int, Cell]] = []  # last row, first and last column, what it holds
        for number, cells in enumerate(self.plain_rows(), start=1):
            if number > reading.MAX_ROWS:
                raise ImportRefused(
                    [Problem(reading.TOO_MANY_ROWS.format(n=f"{reading.MAX_ROWS:,}"), row=number)]
                )
            row = list(cells)
            spread = [one for one in spread if one[0] >= number]
            for first, last, last_row in self.merged.get(number, ()):
                spread.append((last_row, first, last, row[first - 1] if first <= len(row) else None))
            for _, first, last, held in spread:
                row += [None] * (last - len(row))
                row[first - 1 : last] = [held] * (last - first + 1)
            yield row

    def plain_rows(self) -> Iterator[Sequence[Cell]]:
        """Yield every row as it is: of merged cells the first one alone holds anything."""
        if self._index < 0:
            yield from _csv_rows(self._content)[0]
            return
        workbook = reading.load_checked(io.BytesIO(self._content), "the file")
        worksheet: Any = workbook.worksheets[self._index]
        worksheet.reset_dimensions()
        yield from reading.workbook_rows(worksheet.iter_rows(values_only=True), self.title)

    def preview(self) -> list[list[Cell]]:
        """Return the first rows."""
        found = []
        for row in self.rows():
            found.append(row)
            if len(found) >= PREVIEW_ROWS:
                break
        return found


def kind_of(content: bytes) -> str:
    """Return what was sent: ``xlsx``, ``zip`` or ``csv``; by what it holds, whatever it is called.

    Raises:
        ImportRefused: it is none of these.
    """
    if content.startswith(b"PK"):
        archive = reading.checked_archive(
            io.BytesIO(content), "the file", gettext_noop("an .xlsx workbook or a .zip of CSV files")
        )
        with archive:
            return "xlsx" if "xl/workbook.xml" in archive.namelist() else "zip"
    if content.startswith(OLE):
        raise _refuse(
            gettext_noop("is an old .xls workbook, or one with a password; save it as .xlsx without one")
        )
    if not content.strip():
        raise _refuse(gettext_noop("is empty"))
    if b"\0" in content[:4096] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refuse(_NO_TABLE)
    return "csv"


def is_cohort_workbook(content: bytes) -> bool:
    """Return whether every worksheet that holds anything is one of the registry's own format."""
    titles = [sheet.title for sheet in sheets_of(content, "xlsx") if any(map(_is_filled, sheet.preview()))]
    return bool(titles) and all(title.strip().lower() in SHEET for title in titles)


def sheets_of(content: bytes, kind: str) -> list[RawSheet]:
    """Return the sheets of a file of kind ``xlsx`` or ``csv``."""
    if kind == "csv":
        return [RawSheet("CSV", content, -1, note=_csv_rows(content)[1])]
    merged = _merged(content)
    workbook = reading.load_checked(io.BytesIO(content), "the file")
    return [
        RawSheet(worksheet.title, content, index, merged.get(getattr(worksheet, "_worksheet_path", ""), {}))
        for index, worksheet in enumerate(workbook.worksheets)
    ]


def _is_filled(row: Sequence[Cell]) -> bool:
    return any(as_text(cell) for cell in row)


def _merged(content: bytes) -> dict[str, dict[int, list[tuple[int, int, int]]]]:
    """Return the merged cells of each worksheet by its place in the archive; reading row by row does not know of them."""
    found: dict[str, dict[int, list[tuple[int, int, int]]]] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
                continue
            ranges: dict[int, list[tuple[int, int, int]]] = {}
            n, rest = 0, b""
            with archive.open(name) as stream:
                while (chunk := stream.read(_CHUNK)) and n < _MOST_MERGED:
                    text = rest + chunk
                    end = 0
                    for match in _MERGED_REF.finditer(text):
                        end = match.end()
                        n += 1
                        left, top, right, bottom = range_boundaries(match[1].decode())
                        if None not in (left, top, right, bottom) and right <= reading.MAX_COLUMNS:
                            ranges.setdefault(top, []).append((left, right, bottom))
                    rest = text[max(end, len(text) - 200) :]
            found[name] = ranges
    return found


# A formula that no spreadsheet has computed yet; one whose result is an empty text says that it is text.
_UNCOMPUTED = re.compile(rb'<c\b(?![^>]*\bt="str")[^>]*><f\b[^>]*>[^<]*</f>(?:<v\s*/>|<v></v>)?</c>')


def require_computed(content: bytes) -> None:
    """Refuse a workbook with formulas that were never computed: their cells would be taken for empty ones.

    Raises:
        ImportRefused: it holds one.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
                continue
            rest = b""
            with archive.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    if _UNCOMPUTED.search(rest + chunk):
                        raise _refuse(
                            gettext_noop(
                                "holds formulas that were never computed; open it in a spreadsheet, save it and send it"
                                " again"
                            )
                        )
                    rest = chunk[-2000:]


# CSV


def _decoded(content: bytes) -> tuple[str, str]:
    """Return the text, and what was assumed of it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="strict"), ""
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), gettext_noop(
            "The file is not UTF-8 and was read as Windows-1252: look at its accented letters."
        )
    except UnicodeDecodeError as error:
        raise _refuse(reading.NOT_UTF8) from error


def _csv_rows(content: bytes) -> tuple[Iterator[list[str]], str]:
    try:
        text, note = _decoded(content)
    except UnicodeError as error:
        raise _refuse(reading.NOT_UTF8) from error
    if "\0" in text:
        raise _refuse(_NO_TABLE)
    return _parsed(text, delimiter_of(text)), note


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            yield [unguarded(cell) for cell in row[: reading.MAX_COLUMNS]]
    except csv.Error as error:
        raise _refuse(reading.NO_CSV.format(error=error)) from error


def unguarded(text: str) -> str:
    """Return a text without the apostrophe that a spreadsheet, or exchange.annotating, puts before what is no formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in {"=", "+", "-", "@", "\t", "\r"} else text


def delimiter_of_bytes(content: bytes) -> str:
    """Return the delimiter of a CSV file."""
    return delimiter_of(_decoded(content)[0])


def delimiter_of(text: str) -> str:
    """Return the delimiter by which the first lines fall into the most columns, as many in most of them."""
    lines = text[:_CHUNK].splitlines()[:PREVIEW_ROWS]

    def columns(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines if line.strip()]
        best = max(set(counts), key=lambda n: (counts.count(n) if n else 0, n)) if counts else 0
        return (counts.count(best) if best else 0, best)

    return max((";", "\t", ",", "|"), key=columns)


def _refuse(expected: str) -> ImportRefused:
    return ImportRefused([Problem(expected, file="the file")])
