"""Opening a cohort file, in whichever of its three forms, as sheets of rows. Nothing is ever unpacked to disk.

What a file may hold is bounded before it is read, so that a bad one is refused and does not take the machine's memory.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from exchange.columns import SHEET, Sheet
from exchange.problems import ImportRefused, Problem
from exchange.values import Cell
from languages.wording import gettext_noop

MAX_BYTES = 512 * 1024 * 1024  # of all sheets, unpacked
MAX_ROWS = 500_000  # of all sheets; an import holds about 2 kB of memory for each
MAX_ENTRIES = 200  # files in an archive
MAX_COLUMNS = 200
Source = Path | IO[bytes]
_CHUNK = 1024 * 1024
_DELIMITERS = (",", ";", "\t")
TOO_MANY_ROWS = gettext_noop("a file may hold {n} rows; split it by patients")
NOT_UTF8 = gettext_noop("expected UTF-8; save it as “CSV UTF-8”")
NO_CSV = gettext_noop("is no CSV: {error}")
CSV_ZIP = gettext_noop("a .zip of CSV files")
WORKBOOK = gettext_noop("an .xlsx workbook")
_NOT_OPENED = gettext_noop("expected {what}; it cannot be opened as one")
_DAMAGED = gettext_noop("expected {what}; it is damaged ({error})")


@dataclass(frozen=True)
class Table:
    """One sheet of a file.

    Attributes:
        place: how problems name it, such as ``cycles.csv``.
        rows: header first; iterated once.
    """

    sheet: Sheet
    place: str
    rows: Iterator[Sequence[Cell]]


def _refuse(expected: str, file: str = "") -> ImportRefused:
    return ImportRefused([Problem(expected, file=file)])


def open_cohort(path: Path) -> list[Table]:
    """Return the sheets of a folder or .zip of CSV files, or of an .xlsx workbook, in the order of ``SHEETS``.

    Raises:
        ImportRefused: there is no such file, it is no cohort file, or it holds more than a file may.
    """
    if path.is_dir():
        return _in_order(_open_folder(path), path.name)
    if not path.is_file():
        raise _refuse(gettext_noop("there is no such file or folder"), str(path))
    if path.suffix.lower() == ".zip":
        return open_zip(path, path.name)
    if path.suffix.lower() == ".xlsx":
        return open_workbook(path, path.name)
    raise _refuse(gettext_noop("expected a folder, a .zip of CSV files or an .xlsx workbook"), path.name)


def open_zip(source: Source, name: str) -> list[Table]:
    """Return the sheets of an archive of CSV files, as ``open_cohort``; ``name`` is what problems call it."""
    return _in_order(_open_zip(source, name), name)


def open_workbook(source: Source, name: str) -> list[Table]:
    """Return the sheets of a workbook, as ``open_cohort``."""
    return _in_order(_open_workbook(source, name), name)


def _in_order(tables: list[Table], name: str) -> list[Table]:
    if not tables:
        raise _refuse(gettext_noop("holds none of the sheets {sheets}").format(sheets=", ".join(SHEET)), name)
    order = list(SHEET)
    return sorted(tables, key=lambda table: order.index(table.sheet.name))


# Folders and archives of CSV


def _open_folder(path: Path) -> list[Table]:
    files = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() == ".csv" and file.is_file() and not file.name.startswith("."):
            files[file.name] = file
    if sum(file.stat().st_size for file in files.values()) > MAX_BYTES:
        raise _too_large(path.name)
    return _csv_tables({name: file.open for name, file in files.items()}, binary_mode="rb")


def _open_zip(source: Source, name: str) -> list[Table]:
    archive = checked_archive(source, name, CSV_ZIP)
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        inside = PurePosixPath(entry.filename)
        # What a Mac packs beside the files; and files that are not tables, such as a README.
        if entry.is_dir() or inside.parts[0] == "__MACOSX" or inside.name.startswith("."):
            continue
        if inside.suffix.lower() != ".csv":
            continue
        if len(inside.parts) > 2:
            raise _refuse(
                gettext_noop("expected the CSV files side by side, not in folders within folders"),
                entry.filename,
            )
        if inside.name in entries:
            raise _refuse(gettext_noop("is in the archive twice"), inside.name)
        entries[inside.name] = entry
    opened = {name: (lambda entry=entry: archive.open(entry)) for name, entry in entries.items()}
    return _csv_tables(opened)


def checked_archive(source: Source, name: str, what: str) -> zipfile.ZipFile:
    """Return the archive after reading it through once: whole, harmless and within bounds."""
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _refuse(_NOT_OPENED.format(what=what), name) from error
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise _refuse(
            gettext_noop("expected at most {most} files in the archive, not {n}").format(
                most=MAX_ENTRIES, n=len(entries)
            ),
            name,
        )
    for entry in entries:
        inside = PurePosixPath(entry.filename)
        if inside.is_absolute() or ".." in inside.parts or "\\" in entry.orig_filename or not inside.parts:
            raise _refuse(gettext_noop("a name in the archive leads out of it"), entry.filename)
        if entry.flag_bits & 0x1:
            raise _refuse(gettext_noop("the archive is encrypted; expected one without a password"), name)
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise _too_large(name)
    # What the directory says of sizes need not be true: the content itself is counted, and its checksums with it.
    total = 0
    try:
        for entry in entries:
            with archive.open(entry) as content:
                while chunk := content.read(_CHUNK):
                    total += len(chunk)
                    if total > MAX_BYTES:
                        raise _too_large(name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise _refuse(_DAMAGED.format(what=what, error=error), name) from error
    except Exception as error:  # zlib.error, lzma.LZMAError, …: one for each way of packing
        if isinstance(error, ImportRefused):
            raise
        raise _refuse(_DAMAGED.format(what=what, error=error), name) from error
    return archive


def _too_large(name: str) -> ImportRefused:
    return _refuse(
        gettext_noop("holds more than {n} MB unpacked; split it into files of fewer patients").format(
            n=MAX_BYTES // 1024 // 1024
        ),
        name,
    )


def _csv_tables(files: dict[str, Callable[..., IO[bytes]]], binary_mode: str = "") -> list[Table]:
    tables, problems = [], []
    for name, opener in files.items():
        sheet = SHEET.get(Path(name).stem.lower())
        if sheet is None:
            problems.append(
                Problem(
                    gettext_noop("unknown file; expected {files}").format(
                        files=", ".join(f"{known}.csv" for known in SHEET)
                    ),
                    file=name,
                )
            )
            continue
        content = opener(binary_mode) if binary_mode else opener()
        tables.append(Table(sheet, name, _csv_rows(content, name, sheet)))
    if problems:
        raise ImportRefused(problems)
    return tables


def _csv_rows(content: IO[bytes], name: str, sheet: Sheet) -> Iterator[list[str]]:
    with io.TextIOWrapper(content, encoding="utf-8-sig", errors="strict", newline="") as text:
        try:
            header = text.readline(64 * 1024)
            reader = csv.reader(_with_first(header, text), delimiter=_delimiter(header, sheet), strict=True)
            yield from reader
        except UnicodeDecodeError as error:
            raise _refuse(NOT_UTF8, name) from error
        except csv.Error as error:
            raise _refuse(NO_CSV.format(error=error), name) from error


def _with_first(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str, sheet: Sheet) -> str:
    """Return the delimiter by which most of the sheet's columns are found in the header line."""
    known = {column.name for column in sheet.columns}

    def found(delimiter: str) -> int:
        return sum(name.strip().strip('"').lower() in known for name in header.strip().split(delimiter))

    return max(_DELIMITERS, key=found)


# Workbooks


def load_checked(source: Source, name: str) -> Workbook:
    """Return a workbook, to be read row by row, after a look at what its archive holds.

    Raises:
        ImportRefused: it is none, is damaged, or holds more than a file may.
    """
    checked_archive(source, name, WORKBOOK).close()
    try:
        # Read row by row: a cell far out in an empty sheet must not become a sheet full of empty cells.
        return load_workbook(source, read_only=True, data_only=True)
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        OSError,
        SyntaxError,
        TypeError,
    ) as error:
        raise _refuse(_NOT_OPENED.format(what=WORKBOOK), name) from error


def _open_workbook(source: Source, name: str) -> list[Table]:
    workbook = load_checked(source, name)
    tables, problems = [], []
    for worksheet in workbook.worksheets:
        place = f"{name}, sheet {worksheet.title}"
        sheet = SHEET.get(worksheet.title.strip().lower())
        if sheet is not None:
            worksheet.reset_dimensions()  # what the file says of its extent may be wrong, and is not needed
            tables.append(Table(sheet, place, workbook_rows(worksheet.iter_rows(values_only=True), place)))
        elif any(
            value is not None
            for row in worksheet.iter_rows(max_row=5, max_col=5, values_only=True)
            for value in row
        ):
            problems.append(
                Problem(
                    gettext_noop("unknown sheet; expected {sheets}").format(sheets=", ".join(SHEET)),
                    file=place,
                )
            )
    if problems:
        raise ImportRefused(problems)
    return tables


def workbook_rows(rows: Iterator[Sequence[Cell]], place: str) -> Iterator[Sequence[Cell]]:
    try:
        for row in rows:
            yield row[:MAX_COLUMNS]
    except (KeyError, ValueError, SyntaxError, TypeError, AttributeError, OverflowError) as error:
        raise _refuse(
            gettext_noop("the sheet cannot be read ({error})").format(error=error), place
        ) from error
