"""Writing a cohort file in each of its three forms. The same rows give the same bytes, so that files can be compared."""

import csv
import errno
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils.exceptions import IllegalCharacterError

from accounts.errors import RegistryError
from exchange.columns import Column, Sheet

# Archives carry a time for each file; a fixed one keeps the bytes the same.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FIRST_EXCEL_DATE = date(1900, 3, 1)  # spreadsheets count a 29 February 1900 that never was


@dataclass(frozen=True)
class OutTable:
    """One sheet to write.

    Attributes:
        rows: one value per column, in the order of ``columns``, typed.
    """

    sheet: Sheet
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


def write_cohort(path: Path, tables: Iterable[OutTable]) -> dict[str, int]:
    """Write the sheets as ``path`` says: .xlsx, .zip, or else a folder of CSV files.

    Files, and folders that are made for them, are the writer's alone to read (0600, 0700): they hold clinical records.
    Text stays exactly as it is, also where it begins with ``=``: a file for machines must not alter what it carries.
    Worksheets hold it as text, so that no spreadsheet takes it for a formula.

    Returns:
        Sheet name to number of rows.

    Raises:
        RegistryError: ``cannot_write``.
    """
    tables = list(tables)
    try:
        if path.suffix.lower() == ".xlsx":
            _write_private(path, _workbook(tables))
        elif path.suffix.lower() == ".zip":
            _write_private(path, _archive({f"{table.sheet.name}.csv": _csv(table) for table in tables}))
        else:
            _make_private(path)
            for table in tables:
                _write_private(path / f"{table.sheet.name}.csv", _csv(table))
    except OSError as error:
        raise RegistryError("cannot_write", f"{path} cannot be written: {error.strerror}.") from error
    return {table.sheet.name: len(table.rows) for table in tables}


def _make_private(folder: Path) -> None:
    """Make the folder, and those above it, where they are missing, each readable by its owner alone."""
    for missing in [each for each in reversed([folder, *folder.parents]) if not each.exists()]:
        missing.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone reads, from its first byte on, also where one that others read was there before."""
    _make_private(path.parent)
    # Beside its place, with mode 0600; it takes that place when it is complete.
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _csv(table: OutTable) -> bytes:
    """Return RFC 4180 in UTF-8 with \\n line ends."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in table.columns)
    kinds = [column.kind for column in table.columns]
    writer.writerows(
        [kind.write(value) for kind, value in zip(kinds, row, strict=True)] for row in table.rows
    )
    return text.getvalue().encode()


def _archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()


def _workbook(tables: Sequence[OutTable]) -> bytes:
    workbook = Workbook(write_only=True)
    bold = Font(bold=True)
    for table in tables:
        worksheet = workbook.create_sheet(table.sheet.name)
        worksheet.freeze_panes = "B2"
        header = []
        for column in table.columns:
            cell = WriteOnlyCell(worksheet, column.name)
            cell.font = bold
            header.append(cell)
        worksheet.append(header)
        for row in table.rows:
            try:
                worksheet.append(
                    [
                        _cell(worksheet, column, value)
                        for column, value in zip(table.columns, row, strict=True)
                    ]
                )
            except IllegalCharacterError as error:
                raise RegistryError(
                    "cannot_write",
                    f"{table.sheet.name}: {row[0]} holds a control character, which a workbook cannot. Export as CSV.",
                ) from error
    content = io.BytesIO()
    workbook.save(content)
    return _without_times(content)


def _cell(worksheet: Any, column: Column, value: Any) -> Any:
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return value
    # As a date cell, except what spreadsheets would shift; a datetime stays text, since it carries its offset.
    if type(value) is date and value >= _FIRST_EXCEL_DATE:
        cell = WriteOnlyCell(worksheet, value)
        cell.number_format = "yyyy-mm-dd"
        return cell
    text = column.kind.write(value)
    if not text:
        return None
    cell = WriteOnlyCell(worksheet, text)
    cell.data_type = "s"  # never a formula, never an error code
    return cell


def _without_times(content: io.BytesIO) -> bytes:
    """Return the workbook with the times at which it was made set to a fixed one."""
    files = {}
    with zipfile.ZipFile(content) as archive:
        for entry in archive.infolist():
            data = archive.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", b"1980-01-01T00:00:00Z", data)
            files[entry.filename] = data
    return _archive(files)
