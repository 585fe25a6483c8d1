"""A clinic's own sheet as the tables of a cohort file, by a mapping that a person has looked at; and problems back again.

Plain Python: what it must know of the registry is handed in. In words: docs/importing.md.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from exchange.cells import (
    NEEDS_UNIT,
    DateStyle,
    DecimalSign,
    Reading,
    Unclear,
    cell_text,
    normalised,
    read_number,
    split_unit,
    units_of,
)
from exchange.columns import SHEET, SHEETS, Column, Sheet
from exchange.headers import column_of
from exchange.problems import Problem
from exchange.reading import Table
from exchange.values import Cell, Code, as_text
from languages.wording import gettext as _
from languages.wording import gettext_noop
from treatments.rules.labs import ANALYTES, Analyte
from treatments.rules.labs import find_unit as find_lab_unit

IDENTITY = frozenset({"mrn", "family_name", "given_names"})
# By these a row says whose it is: a sheet of the registry is not written because one of them is there.
_WHOSE = frozenset({"registry_number", "course_number", "cycle_number", "mrn"})
# Columns of which a header can name one of many, as in "Zyklus 2 Datum" or "Thrombozyten".
OF = {"cycles": "cycle_number", "lab_results": "analyte"}
# What may be stated once for all rows, with what stands there where nothing is.
STATED = {
    "courses.protocol": "",
    "courses.course_number": "1",
    "courses.intent": "initial",
    "diagnoses.tumour_type": "",
    "contacts.source": "",
    "deaths.cause": "",
    "disease_events.kind": "",
}
_OF_COURSES = frozenset({"cycles", "discontinuations", "holds", "dose_decisions", "absorbed_doses"})
_TABLE = "table "  # before the name of a table, which a worksheet may have too
_UNREAD = "\0"  # before a text that was not taken: no column of a cohort file reads it


@dataclass(frozen=True)
class MappedColumn:
    """One column of the sheet.

    Attributes:
        index: from 0.
        target: ``cycles.administered_at``; "" of a column that is left out.
        of: which cycle or analyte it is of where its header says so; "" where each row does.
        unit: of numbers without one beside them; "" where none was stated.
    """

    index: int
    name: str
    target: str = ""
    of: str = ""
    unit: str = ""

    @property
    def sheet(self) -> str:
        return self.target.partition(".")[0]

    @property
    def column(self) -> str:
        return self.target.partition(".")[2]


@dataclass(frozen=True)
class SheetMapping:
    """How a sheet is read.

    Attributes:
        sheet: position in the file, from 0.
        first, last: rows of its header, from 1.
        stated: values of every row, by the keys of ``STATED``.
    """

    sheet: int
    first: int
    last: int
    columns: tuple[MappedColumn, ...]
    reading: Reading = field(default_factory=Reading)
    stated: Mapping[str, str] = field(default_factory=lambda: dict(STATED))

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        said = stored["reading"]
        return cls(
            sheet=stored["sheet"],
            first=stored["first"],
            last=stored["last"],
            columns=tuple(MappedColumn(**column) for column in stored["columns"]),
            reading=Reading(
                DateStyle(said["date_style"]), DecimalSign(said["decimal_sign"]), said["time_of_day"]
            ),
            stated=stored["stated"],
        )

    @property
    def mapped(self) -> list[MappedColumn]:
        return [column for column in self.columns if column.target]

    def written(self) -> list[Sheet]:
        """Return the sheets of the registry that rows are made for, courses apart."""
        found = {column.sheet for column in self.mapped if column.column not in _WHOSE}
        return [sheet for sheet in SHEETS if sheet.name in found]


def whats_missing(mapping: SheetMapping) -> list[tuple[int | None, str]]:
    """Return what keeps a mapping from being used: column (None: of the sheet as a whole), and a sentence."""
    found: list[tuple[int | None, str]] = []
    taken: dict[tuple[str, str], MappedColumn] = {}
    for mapped in mapping.mapped:
        column = column_of(mapped.target)
        if column is None:
            found.append((mapped.index, _("The registry has no such column.")))
            continue
        other = taken.setdefault((mapped.target, mapped.of), mapped)
        if other is not mapped:
            found.append(
                (
                    mapped.index,
                    _("“{name}” is already taken for this: leave one of the two out.").format(
                        name=other.name
                    ),
                )
            )
        if mapped.of and (mapped.sheet not in OF or not _is_of(mapped)):
            found.append((mapped.index, _("Say a number of a cycle, of columns of cycles alone.")))
        if mapped.unit and not mapped.of and mapped.unit not in units_of(column):
            units = ", ".join(units_of(column))
            found.append(
                (
                    mapped.index,
                    _("Its unit is one of {units}.").format(units=units)
                    if units
                    else _("This column has no unit."),
                )
            )
    names = {mapped.target for mapped in mapping.mapped}
    if not names & {"patients.mrn"} and not any(
        mapped.column == "registry_number" for mapped in mapping.mapped
    ):
        found.append((None, _("Say in which column the patient's MRN or registry number stands.")))
    if not mapping.written():
        found.append((None, _("Say what at least one more column means: nothing would be imported.")))
    for sheet in mapping.written():
        for column in sheet.columns:
            if column.required and not _is_said(mapping, sheet, column):
                found.append(
                    (
                        None,
                        _(
                            "{sheet} needs {column}: choose its column, or leave out the others of {sheet}."
                        ).format(sheet=sheet.name, column=column.name),
                    )
                )
    return found


def _is_of(mapped: MappedColumn) -> bool:
    return mapped.of.isdecimal() if mapped.sheet == "cycles" else mapped.of in ANALYTES


def _is_said(mapping: SheetMapping, sheet: Sheet, column: Column) -> bool:
    if column.name in {"registry_number", "course_number"} or (
        sheet.name == "cycles" and column.name == "status"
    ):
        return True
    if mapping.stated.get(f"{sheet.name}.{column.name}"):
        return True
    if sheet.name == "courses" and column.name.startswith("protocol_"):
        return bool(mapping.stated.get("courses.protocol"))
    if any(mapped.target == f"{sheet.name}.{column.name}" for mapped in mapping.mapped):
        return True
    if OF.get(sheet.name) == column.name:
        return any(mapped.of for mapped in mapping.mapped if mapped.sheet == sheet.name)
    return column.name in sheet.key and any(
        mapped.column == column.name and column.name in SHEET[mapped.sheet].key for mapped in mapping.mapped
    )


# From the sheet to tables


@dataclass(slots=True)
class _Made:
    """A row of a cohort file.

    Attributes:
        row: of the sheet, from 1, that it was made of.
        elsewhere: columns whose text came from a later row of the sheet.
    """

    values: dict[str, str]
    row: int
    of: str
    elsewhere: dict[str, int] | None = None


@dataclass
class MappedSheet:
    """The tables that a sheet gives, and the way back to its rows and columns.

    Attributes:
        problems: found on the way, with the places of the sheet.
    """

    title: str
    mapping: SheetMapping
    made: dict[str, list[_Made]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    n_rows: int = 0
    _unclear: dict[tuple[int, int], str] = field(default_factory=dict)  # row and column of the sheet

    def __post_init__(self) -> None:
        self._columns = {(one.target, one.of): one for one in self.mapping.mapped}

    def tables(self) -> list[Table]:
        """Return what was made, in the order of a cohort file."""
        tables = []
        for sheet in SHEETS:
            if made := self.made.get(sheet.name):
                present = {name for one in made for name in one.values}
                names = [column.name for column in sheet.columns if column.name in present]
                rows = ([one.values.get(name, "") for name in names] for one in made)
                tables.append(Table(sheet, f"{_TABLE}{sheet.name}", iter([names, *rows])))
        return tables

    def at_source(self, problem: Problem) -> Problem:
        """Return a problem of a table with its place in the sheet."""
        name = problem.file.removeprefix(_TABLE)
        made = self.made.get(name) if name != problem.file else None
        if made is None:
            return problem
        if problem.row is None or not 2 <= problem.row < len(made) + 2:
            said = f"{problem.column}: {problem.expected}" if problem.column else problem.expected
            return Problem(f"{name}: {said}", file=self.title)
        one = made[problem.row - 2]
        row = (one.elsewhere or {}).get(problem.column, one.row)
        mapped = self._mapped(name, problem.column, one.of)
        expected = re.sub(
            r"\bin row (\d+)", lambda found: self._in_row(made, int(found[1])), problem.expected
        )
        if mapped is None:
            if problem.column == "registry_number" and (whose := self._columns.get(("patients.mrn", ""))):
                return Problem(expected, file=self.title, row=row, column=whose.name)
            said = f"{problem.column}: {expected}" if problem.column else expected
            return Problem(said, file=self.title, row=row, value=problem.value.lstrip(_UNREAD))
        expected = self._unclear.get((row, mapped.index), expected)
        return Problem(
            expected, file=self.title, row=row, column=mapped.name, value=problem.value.lstrip(_UNREAD)
        )

    def _in_row(self, made: Sequence[_Made], number: int) -> str:
        return f"in row {made[number - 2].row}" if 2 <= number < len(made) + 2 else f"in row {number}"

    def _mapped(self, sheet: str, column: str, of: str) -> MappedColumn | None:
        for asked in (of, ""):
            if found := self._columns.get((f"{sheet}.{column}", asked)):
                return found
        if column in SHEET[sheet].key:
            return next((one for one in self.mapping.mapped if one.column == column and not one.of), None)
        return None


@dataclass(frozen=True)
class Known:
    """What the registry holds of the patients of a sheet.

    Attributes:
        courses: registry number and number of the course.
        cycles: the same and the number of the cycle, to its status: a sheet that says nothing of it leaves it.
    """

    courses: frozenset[tuple[str, str]] = frozenset()
    cycles: Mapping[tuple[str, str, str], str] = field(default_factory=dict)


# Given MRNs, returns the registry number of each, new ones for those that the registry does not know.
Numbers = Callable[[Sequence[str]], Mapping[str, str]]


def map_sheet(
    title: str,
    rows: Iterable[Sequence[Cell]],
    mapping: SheetMapping,
    *,
    numbers: Numbers,
    known: Callable[[Sequence[str]], "Known"],
) -> MappedSheet:
    """Make tables of a sheet's rows.

    Args:
        rows: all of the sheet, the first one first.
        known: given registry numbers, returns what the registry holds of them.
    """
    sheet = MappedSheet(title, mapping)
    read = _read(sheet, rows)
    whose = _whose(sheet, read, numbers)
    writer = _Writer(sheet, known([number for _, number in whose.values()]))
    for row, texts in read:
        if row in whose:
            writer.write(row, texts, whose[row][1])
    return sheet


def _read(sheet: MappedSheet, rows: Iterable[Sequence[Cell]]) -> list[tuple[int, dict[int, str]]]:
    """Return the rows below the header that say something: number, and text by column; the same row twice is a problem."""
    readers = [(mapped, _CellReader(mapped, sheet.mapping.reading)) for mapped in sheet.mapping.mapped]
    found: list[tuple[int, dict[int, str]]] = []
    first: dict[tuple[str, ...], int] = {}
    for number, cells in enumerate(rows, start=1):
        if number <= sheet.mapping.last or not any(as_text(cell) for cell in cells):
            continue
        sheet.n_rows += 1
        texts = {}
        for mapped, reader in readers:
            cell = cells[mapped.index] if mapped.index < len(cells) else None
            try:
                text = reader(cell)
            except Unclear as unclear:
                sheet._unclear[number, mapped.index] = str(unclear)
                text = _UNREAD + as_text(cell)
            if text:
                texts[mapped.index] = text
        if not texts:
            continue
        same = first.setdefault(tuple(texts.get(mapped.index, "") for mapped, _ in readers), number)
        if same != number:
            sheet.problems.append(
                Problem(
                    gettext_noop("says the same as row {row}: leave one of the two out").format(row=same),
                    file=sheet.title,
                    row=number,
                )
            )
            continue
        found.append((number, texts))
    return found


class _CellReader:
    """Reads the cells of one column; repeated texts are read once."""

    def __init__(self, mapped: MappedColumn, said: Reading) -> None:
        self.mapped, self.said = mapped, said
        column = column_of(mapped.target)
        if column is None:
            raise ValueError(f"{mapped.target} is no column of a cohort file.")
        self.column = column
        self.labels = _labels(mapped.sheet, column)
        self._known: dict[str, str] = {}

    def __call__(self, cell: Cell) -> str:
        if not isinstance(cell, str):
            return self._text(cell)
        known = self._known.get(cell)
        if known is None:
            known = self._text(cell)
            if len(self._known) < 20_000:
                self._known[cell] = known
        return known

    def _text(self, cell: Cell) -> str:
        if self.mapped.sheet == "lab_results" and self.mapped.of:
            return self._laboratory(cell)
        return cell_text(cell, self.column, self.said, unit=self.mapped.unit, labels=self.labels)

    def _laboratory(self, cell: Cell) -> str:
        """Return value and unit of a laboratory value, with a blank between them."""
        text = as_text(cell)
        if not text:
            return ""
        analyte = ANALYTES[self.mapped.of]
        number, __, beside = text.partition(" ")
        if not _is_unit(beside, analyte):  # "212 10^9/L" is not 212,109
            number, beside = split_unit(text)
        unit = beside or self.mapped.unit
        if not unit:
            raise Unclear(NEEDS_UNIT.format(units=", ".join(analyte.units)))
        try:
            unit = find_lab_unit(unit, analyte=analyte)
        except ValueError as error:
            raise Unclear(str(error).rstrip(".")) from error
        value = (
            number
            if isinstance(cell, int | float)
            else format(read_number(number, self.said.decimal_sign), "f")
        )
        return f"{value} {unit}"


def _is_unit(text: str, analyte: Analyte) -> bool:
    try:
        find_lab_unit(text, analyte=analyte)
    except ValueError:
        return False
    return True


def _labels(sheet: str, column: Column) -> dict[str, str]:
    """Return the words of the registry's pages for the codes of a column, normalised."""
    if not isinstance(column.kind, Code) or "__" in column.path or not column.path:
        return {}
    model = SHEET[sheet].extra_model if column.extra else SHEET[sheet].model
    model_field: Any = model._meta.get_field(column.path)  # type: ignore[union-attr]
    choices = getattr(model_field, "base_field", model_field).flatchoices
    return {normalised(str(words)): str(code) for code, words in choices}


def _whose(
    sheet: MappedSheet, read: list[tuple[int, dict[int, str]]], numbers: Numbers
) -> dict[int, tuple[str, str]]:
    """Return MRN and registry number of each row; a row of nobody is a problem."""
    by_number = next((one for one in sheet.mapping.mapped if one.column == "registry_number"), None)
    by_mrn = next((one for one in sheet.mapping.mapped if one.target == "patients.mrn"), None)
    said: dict[int, tuple[str, str]] = {}
    for row, texts in read:
        number = texts.get(by_number.index, "") if by_number is not None else ""
        mrn = texts.get(by_mrn.index, "") if by_mrn is not None else ""
        if number or mrn:
            said[row] = (mrn, number)
            continue
        where = by_number or by_mrn
        sheet.problems.append(
            Problem(
                gettext_noop("expected the patient's MRN or registry number: this row is nobody's"),
                file=sheet.title,
                row=row,
                column=where.name if where is not None else "",
            )
        )
    wanted = list(dict.fromkeys(mrn for mrn, number in said.values() if not number))
    known = numbers(wanted) if wanted else {}
    return {row: (mrn, number or known[mrn]) for row, (mrn, number) in said.items()}


class _Writer:
    """Makes the rows of a cohort file of the rows of a sheet."""

    def __init__(self, sheet: MappedSheet, known: Known) -> None:
        self.sheet = sheet
        self.mapping = sheet.mapping
        self.written = self.mapping.written()
        self.needs_courses = bool(self.mapping.stated.get("courses.protocol")) and "courses" not in {
            one.name for one in self.written
        }
        self.known = known
        self.places: dict[str, dict[tuple[str, ...], int]] = {}
        self.by_sheet: dict[str, dict[str, list[MappedColumn]]] = {}
        for mapped in self.mapping.mapped:
            self.by_sheet.setdefault(mapped.sheet, {}).setdefault(mapped.of, []).append(mapped)
        self.shared = {
            mapped.column: mapped
            for mapped in reversed(self.mapping.mapped)
            if not mapped.of and mapped.column in SHEET[mapped.sheet].key
        }

    def write(self, row: int, texts: Mapping[int, str], number: str) -> None:
        for sheet in self.written:
            groups = self.by_sheet[sheet.name]
            for of in [of for of in groups if of] or [""]:
                said = [mapped for mapped in groups[of] if mapped.column not in _WHOSE or of]
                if any(texts.get(mapped.index) for mapped in said):
                    everywhere = groups.get("", []) if of else []
                    self._row(sheet, of, [*everywhere, *groups[of]], row, texts, number)
        if self.needs_courses:
            self._course(row, texts, number)

    def _row(
        self,
        sheet: Sheet,
        of: str,
        columns: Sequence[MappedColumn],
        row: int,
        texts: Mapping[int, str],
        number: str,
    ) -> None:
        values = {mapped.column: texts.get(mapped.index, "") for mapped in columns}
        if of and sheet.name in OF:
            values[OF[sheet.name]] = of
        if sheet.name == "lab_results" and of and not values["value"].startswith(_UNREAD):
            values["value"], __, values["unit"] = values["value"].partition(" ")
        for column in sheet.columns:
            if values.get(column.name):
                continue
            if column.name in sheet.key and column.name in self.shared:
                values[column.name] = texts.get(self.shared[column.name].index, "")
            if not values.get(column.name) and (stated := self._stated(sheet, column)):
                values[column.name] = stated
        values["registry_number"] = number
        if sheet.name == "cycles" and not values.get("status"):
            is_given = values.get("administered_at") or values.get("administered_activity_mbq")
            held = self.known.cycles.get((number, values["course_number"], values.get("cycle_number", "")))
            values["status"] = "given" if is_given else held or "planned"
        self._keep(sheet, values, row, of)

    def _stated(self, sheet: Sheet, column: Column) -> str:
        if column.name == "course_number":
            return self.mapping.stated.get("courses.course_number", "") or "1"
        if sheet.name == "courses" and column.name.startswith("protocol_"):
            code, __, version = self.mapping.stated.get("courses.protocol", "").rpartition(" ")
            return code if column.name == "protocol_code" else version
        return self.mapping.stated.get(f"{sheet.name}.{column.name}", "")

    def _course(self, row: int, texts: Mapping[int, str], number: str) -> None:
        """A course that the registry does not have yet begins with what is recorded of it."""
        mapped = self.shared.get("course_number")
        course = (texts.get(mapped.index, "") if mapped is not None else "") or self._stated(
            SHEET["courses"], SHEET["courses"].column("course_number")
        )
        if (number, course) in self.known.courses or not any(
            made.row == row for name in _OF_COURSES for made in self.sheet.made.get(name, [])[-12:]
        ):
            return
        sheet = SHEET["courses"]
        values = {column.name: self._stated(sheet, column) for column in sheet.columns}
        self._keep(sheet, values | {"registry_number": number, "course_number": course}, row, "")

    def _keep(self, sheet: Sheet, values: dict[str, str], row: int, of: str) -> None:
        """Add a row, or what it says beyond an earlier one of the same key; what contradicts that one is a problem."""
        made = self.sheet.made.setdefault(sheet.name, [])
        key = tuple(values.get(name, "") for name in sheet.key)
        place = self.places.setdefault(sheet.name, {}).setdefault(key, len(made))
        if place == len(made):
            made.append(_Made(values, row, of))
            return
        before = made[place]
        for name, text in values.items():
            held = before.values.get(name, "")
            if not held and text:
                before.values[name] = text
                before.elsewhere = (before.elsewhere or {}) | {name: row}
            elif text and text != held and not text.startswith(_UNREAD) and not held.startswith(_UNREAD):
                mapped = self.sheet._mapped(sheet.name, name, of)
                what = gettext_noop("another value") if name in IDENTITY else f"“{held}”"
                self.sheet.problems.append(
                    Problem(
                        gettext_noop(
                            "row {row} says {what} of the same {record}: correct one, or leave it out"
                        ).format(row=before.row, what=what, record=_called(sheet)),
                        file=self.sheet.title,
                        row=row,
                        column=mapped.name if mapped is not None else "",
                        value=text,
                    )
                )


def _called(sheet: Sheet) -> str:
    return str(sheet.model._meta.verbose_name)
