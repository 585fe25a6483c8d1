"""Files of data sets: CSV, a workbook, SAS transport. The same rows give the same bytes, so that files can be compared.

A data set is written as CSV first, row by row; the other forms are made of that file, a sheet or a table at a time.
"""

import csv
import hashlib
import io
import re
import zipfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from analytics.datasets.canonical import decimal_text
from analytics.datasets.checks import LONGEST_LABEL, LONGEST_NAME, LONGEST_TEXT
from analytics.datasets.variables import DataSet, Kind, Row, Value, Variable

MOST_SHEET_ROWS = 1_048_575  # of a worksheet, below its header
_EPOCH = (1980, 1, 1, 0, 0, 0)  # archives carry a time for each file; a fixed one keeps the bytes the same
_SAS_EPOCH = date(1960, 1, 1)
_SAS_TIME = b"01JAN80:00:00:00"
# Where a transport file of one table says when it was made: library and member, created and changed.
_SAS_TIMES = (144, 160, 464, 480)
_NAME = re.compile(r"[A-Z][A-Z0-9]*")


class CsvFile:
    """A data set being written as CSV: RFC 4180 in UTF-8, line ends \\n, dates as ISO 8601, nothing for missing."""

    def __init__(self, path: Path, data_set: DataSet) -> None:
        self.path, self.data_set, self.rows = path, data_set, 0
        self._names = [variable.name for variable in data_set.variables]

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._writer.writerow([_text(row.get(name)) for name in self._names])
            self.rows += 1


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return decimal_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _read(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a CSV file below its header."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a plain CSV file: the data dictionary."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_workbook(
    path: Path, tables: Sequence[tuple[DataSet, Path]], sheets: Sequence[tuple[str, Iterable[Sequence[str]]]]
) -> None:
    """Write a sheet for each data set, made of its CSV file, after ``sheets`` of plain text."""
    from openpyxl import Workbook  # slow to load, and needed by files alone
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    workbook = Workbook(write_only=True)
    bold = Font(bold=True)

    def add(name: str, header: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> None:
        sheet = workbook.create_sheet(name)
        if header is not None:
            sheet.freeze_panes = "A2"
            cells = [WriteOnlyCell(sheet, title) for title in header]
            for cell in cells:
                cell.font = bold
            sheet.append(cells)
        for row in rows:
            sheet.append([_cell(sheet, WriteOnlyCell, value) for value in row])

    for name, lines in sheets:
        add(name, None, lines)
    for data_set, source in tables:
        kinds = [variable.kind for variable in data_set.variables]
        header = [variable.name for variable in data_set.variables]
        add(
            data_set.name,
            header,
            ([_typed(*pair) for pair in zip(kinds, row, strict=True)] for row in _read(source)),
        )
    content = io.BytesIO()
    workbook.save(content)
    _write_without_times(content, path)


def _typed(kind: Kind, text: str) -> Any:
    if not text:
        return None
    if kind == "text":
        return text
    if kind == "date":
        return date.fromisoformat(text)
    return int(text) if kind == "whole" else Decimal(text)


def _cell(sheet: Any, make: Any, value: Any) -> Any:
    if isinstance(value, date):
        cell = make(sheet, value)
        cell.number_format = "yyyy-mm-dd"
        return cell
    if isinstance(value, str) and value[:1] in ("=", "#"):
        cell = make(sheet, value)
        cell.data_type = "s"  # never a formula, never an error code
        return cell
    return value


def _write_without_times(content: io.BytesIO, path: Path) -> None:
    """Write the workbook with the times at which it was made set to a fixed one."""
    with zipfile.ZipFile(content) as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as kept:
        for entry in made.infolist():
            data = made.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", b"1980-01-01T00:00:00Z", data)
            kept.writestr(_entry(entry.filename), data)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def write_transport(path: Path, data_set: DataSet, source: Path) -> None:
    """Write a SAS transport file, version 5, made of a CSV file.

    Dates are numbers with the format DATE9. Text is ASCII; another character becomes a question mark, as the format knows no
    encoding. The whole table is in memory meanwhile: pyreadstat cannot write in parts.

    Raises:
        ValueError: a name, label or text that the format cannot hold; pyreadstat does not refuse them all.
    """
    import numpy as np
    import pandas as pd
    import pyreadstat

    for variable in data_set.variables:
        check_transport_name(variable)
    # Numbers as bare doubles, and one object for each text however many rows have it: a large table must fit.
    texts: dict[int, list[str]] = {}
    numbers: dict[int, array[float]] = {}
    for place, variable in enumerate(data_set.variables):
        if variable.kind == "text":
            texts[place] = []
        else:
            numbers[place] = array("d")
    makers = {place: _transport_number(data_set.variables[place].kind) for place in numbers}
    known: dict[str, str] = {}
    for row in _read(source):
        for place, column in texts.items():
            text = row[place]
            column.append(known[text] if text in known else known.setdefault(text, _transport_text(text)))
        for place, values in numbers.items():
            values.append(makers[place](row[place]))
    frame = pd.DataFrame(
        {
            variable.name: pd.Series(texts[place], dtype="object")
            if place in texts
            else pd.Series(np.frombuffer(numbers[place], dtype="float64"))
            for place, variable in enumerate(data_set.variables)
        }
    )
    pyreadstat.write_xport(
        frame,
        str(path),
        file_label=data_set.label,
        column_labels=[variable.label for variable in data_set.variables],
        table_name=data_set.name,
        file_format_version=5,
        variable_format={
            variable.name: "DATE9." for variable in data_set.variables if variable.kind == "date"
        },
    )
    with path.open("r+b") as file:
        for place in _SAS_TIMES:
            file.seek(place)
            if not re.fullmatch(rb"\d\d[A-Z]{3}\d\d:\d\d:\d\d:\d\d", file.read(16)):
                raise ValueError(f"{path.name}: no time of writing at byte {place}")
            file.seek(place)
            file.write(_SAS_TIME)


def check_transport_name(variable: Variable) -> None:
    """Refuse what a transport file cannot name.

    Raises:
        ValueError: a name or label that is too long, or of other characters.
    """
    if len(variable.name) > LONGEST_NAME or not _NAME.fullmatch(variable.name):
        raise ValueError(f"{variable.name}: expected at most {LONGEST_NAME} capital letters and digits")
    if len(variable.label) > LONGEST_LABEL or not variable.label.isascii():
        raise ValueError(f"label {variable.label!r}: expected at most {LONGEST_LABEL} ASCII characters")


def _transport_number(kind: Kind) -> Callable[[str], float]:
    if kind == "date":
        return lambda text: float((date.fromisoformat(text) - _SAS_EPOCH).days) if text else float("nan")
    return lambda text: float(text) if text else float("nan")


def _transport_text(text: str) -> str:
    ascii_text = text.encode("ascii", "replace").decode("ascii")
    if len(ascii_text) > LONGEST_TEXT:
        raise ValueError(f"text of {len(ascii_text)} characters: expected at most {LONGEST_TEXT}")
    return ascii_text


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_archive(out: IO[bytes], paths: Sequence[Path], manifest: tuple[str, bytes]) -> None:
    """Write the files and the manifest, in this order, into one ZIP archive."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            with path.open("rb") as file, archive.open(_entry(path.name), "w", force_zip64=True) as entry:
                while part := file.read(1 << 20):
                    entry.write(part)
        archive.writestr(_entry(manifest[0]), manifest[1])
