"""Laboratory values as they are typed, pasted or sent as a file: read, with what is wrong beside its cell."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.utils import from_current_timezone
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.records import not_in_future_moment
from clinic.typed import has_decimal_comma, iso_day, iso_days, plain_number, refuse_thousands
from patients.models import Patient
from treatments.rules.lab_tables import (
    MOST_BYTES,
    SampleTime,
    TableError,
    decode,
    known_names,
    parse_sample_time,
    read_table,
    split_table,
)
from treatments.rules.labs import ANALYTES, Analyte, find_unit, parse_value
from treatments.services.laboratory import LabEntry

COLUMNS = 6
MOST_WRITTEN = 40  # characters of a cell


@dataclass(frozen=True)
class Problem:
    """A sentence of the summary, and the id of the field that it is about; blank: of none."""

    message: str
    field_id: str = ""


@dataclass
class Cell:
    """One field of the grid as it was sent."""

    name: str
    label: str
    written: str = ""
    error: str = ""

    @property
    def id(self) -> str:
        return f"id_{self.name}"


@dataclass
class Row:
    """One analyte: its unit and its value in each sample."""

    analyte: Analyte
    unit: str
    cells: list[Cell]
    names: str  # as the browser's code sorts pasted rows by them

    @property
    def unit_name(self) -> str:
        return f"unit-{self.analyte.code}"


def local_moment(taken: SampleTime, patient: Patient) -> datetime:
    """Return the moment of a sample by the clock of the patient's centre.

    Raises:
        ValidationError: it lies ahead, or the clock never showed that time, or showed it twice.
    """
    # Where the clock is put forward at midnight the day begins an hour later; it stays the same day.
    midnight = taken.at.replace(tzinfo=patient.centre.zone)
    moment = from_current_timezone(taken.at) if taken.has_time else midnight
    not_in_future_moment(moment)
    return moment


class LabGrid:
    """The grid: all analytes by up to six samples.

    Attributes:
        entries: what was typed and can be read, in the order of the rows.
    """

    prefix = "grid"

    def __init__(self, patient: Patient, *, units: Mapping[str, str], data: QueryDict | None = None) -> None:
        sent = data if data is not None else QueryDict()
        self.entries: list[LabEntry] = []
        self._of_entry: list[Cell] = []
        self._without_place: list[Problem] = []
        self.columns = [
            Cell(
                f"date-{at}",
                _("Date of sample {n}").format(n=at + 1),
                sent.get(f"date-{at}", "").replace("\0", "").strip()[:MOST_WRITTEN],
            )
            for at in range(COLUMNS)
        ]
        names = known_names()
        self.rows = [
            Row(
                analyte,
                _unit_sent(sent.get(f"unit-{code}", ""), units.get(code, ""), analyte),
                [
                    Cell(
                        f"value-{code}-{at}",
                        _("{analyte}, sample {n}").format(analyte=analyte.label, n=at + 1),
                        sent.get(f"value-{code}-{at}", "").replace("\0", "").strip()[:MOST_WRITTEN],
                    )
                    for at in range(COLUMNS)
                ],
                "|".join(names[code]),
            )
            for code, analyte in ANALYTES.items()
        ]
        if data is not None:
            for row in self.rows:
                chosen = sent.get(row.unit_name, "")
                if chosen and row.unit != chosen:
                    self.add(
                        _("{analyte}: there is no unit {unit} to choose.").format(
                            analyte=row.analyte.label, unit=repr(chosen[:MOST_WRITTEN])
                        )
                    )
            self._read(patient)

    def _read(self, patient: Patient) -> None:
        moments: dict[int, tuple[SampleTime, datetime]] = {}
        first: dict[datetime, int] = {}
        for at, column in enumerate(self.columns):
            is_used = any(row.cells[at].written for row in self.rows)
            if not column.written:
                if is_used:
                    column.error = _("Type the date of this sample: YYYY-MM-DD.")
                continue
            try:
                taken = parse_sample_time(iso_day(column.written))
                moment = local_moment(taken, patient)
            except ValidationError as refused:
                column.error = " ".join(refused.messages)
            except ValueError as refused:
                column.error = str(refused)
            else:
                if moment in first:
                    column.error = _("This is the same date as that of sample {n}.").format(
                        n=first[moment] + 1
                    )
                first.setdefault(moment, at)
                moments[at] = taken, moment
        for row in self.rows:
            for at, cell in enumerate(row.cells):
                if not cell.written:
                    continue
                try:
                    plain = plain_number(cell.written)
                    value = parse_value(plain)
                except ValidationError as refused:
                    cell.error = " ".join(refused.messages)
                    continue
                except ValueError as refused:
                    cell.error = str(refused)
                    continue
                if at in moments:
                    taken, moment = moments[at]
                    self.entries.append(
                        LabEntry(
                            analyte=row.analyte.code,
                            taken_at=moment,
                            value=value,
                            unit=row.unit,
                            original_value=_kept(cell.written, plain),
                            place=str(taken),
                        )
                    )
                    self._of_entry.append(cell)
        if not self.entries and not self.problems:
            self.add(_("Nothing was typed: a value stands beside its analyte, under the date of its sample."))

    def refuse(self, at: int, message: str) -> None:
        """Put what is wrong with an entry beside its cell."""
        label = ANALYTES[self.entries[at].analyte].label
        self._of_entry[at].error = message.removeprefix(f"{label}: ")  # the cell says whose it is

    def add(self, message: str) -> None:
        """Say what is wrong with no cell of its own."""
        self._without_place.append(Problem(message))

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, in the order of the page."""
        cells = [*self.columns, *(cell for row in self.rows for cell in row.cells)]
        return self._without_place + [
            Problem(f"{cell.label}: {cell.error}", cell.id) for cell in cells if cell.error
        ]


def _unit_sent(sent: str, usual: str, analyte: Analyte) -> str:
    """Return the unit that was chosen, else the one that was last used for this patient, else the analyte's own."""
    for unit in (sent, usual):
        try:
            return find_unit(unit, analyte=analyte)
        except ValueError:
            continue
    return analyte.unit


@dataclass
class LabTable:
    """A table that was pasted or sent as a file. Its text comes back to be mended, from wherever it came.

    Attributes:
        is_from_file: the text is that of a file: another file takes its place.
    """

    patient: Patient
    text: str = ""
    is_from_file: bool = False
    entries: list[LabEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    prefix = "table"

    @classmethod
    def sent(
        cls, patient: Patient, data: QueryDict, files: "MultiValueDict[str, UploadedFile]"
    ) -> "LabTable":
        table = cls(patient, data.get("table", ""), data.get("from_file") == "1")
        try:
            table._read(files.get("file"))
        except TableError as refused:
            table.problems += [Problem(message, "id_table") for message in refused.problems]
        return table

    def _read(self, file: UploadedFile | None) -> None:
        if file is not None and self.text.strip() and not self.is_from_file:
            raise TableError([_("Paste a table or choose a file, not both.")])
        if file is not None:
            if (file.size or 0) > MOST_BYTES:
                raise TableError(
                    [
                        _("The file has {size} bytes; at most {most} can be read.").format(
                            size=_grouped(file.size or 0), most=_grouped(MOST_BYTES)
                        )
                    ]
                )
            self.text, self.is_from_file = decode(file.read()), True
        elif len(self.text.encode()) > MOST_BYTES:
            raise TableError(
                [
                    _("The table is too large; at most {most} bytes can be read.").format(
                        most=_grouped(MOST_BYTES)
                    )
                ]
            )
        self._refuse_thousands()
        for found in read_table(iso_days(self.text)):
            try:
                moment = local_moment(found.taken, self.patient)
            except ValidationError as refused:
                self.problems.append(
                    Problem(f"{found.place} ({found.taken}): {' '.join(refused.messages)}", "id_table")
                )
                continue
            self.entries.append(
                LabEntry(
                    analyte=found.analyte.code,
                    taken_at=moment,
                    value=found.value,
                    unit=found.unit,
                    original_value=found.written,
                    lower_limit=found.lower_limit,
                    upper_limit=found.upper_limit,
                    place=f"{found.place} ({found.taken})",
                )
            )

    def _refuse_thousands(self) -> None:
        """Refuse a table with a number in it that may be read in two ways where a comma stands before decimals."""
        if not has_decimal_comma():
            return  # the rule itself refuses a comma that may part thousands
        problems = []
        for row, cells in split_table(self.text):
            for column, cell in enumerate(cells, start=1):
                if re.fullmatch(r"-?[0-9]+\.[0-9]{3}", cell):
                    try:
                        refuse_thousands(cell)
                    except ValidationError as refused:
                        place = _("Row {row}, column {column}").format(row=row, column=column)
                        problems.append(f"{place}: {' '.join(refused.messages)}")
        if problems:
            raise TableError(problems)

    def refuse(self, at: int, message: str) -> None:
        """Say what is wrong with an entry, with its row and column."""
        self.problems.append(Problem(f"{self.entries[at].place}: {message}", "id_table"))

    def add(self, message: str) -> None:
        self.problems.append(Problem(message, "id_table"))


def _kept(written: str, plain: str) -> str:
    """Return what is stored of a number as it was written: alike in every language where a comma would be read otherwise."""
    return plain if has_decimal_comma() else written


def _grouped(value: int) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


LabForm = LabGrid | LabTable


def places(entries: Sequence[LabEntry]) -> dict[tuple[str, datetime], int]:
    """Return where each value of a sample stands among the entries."""
    return {(entry.analyte, entry.taken_at): at for at, entry in enumerate(entries)}
