"""What an import would write: the rows of a file beside what the registry holds, with every contradiction between them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from accounts.models import Centre
from accounts.records import ClinicalRecord
from exchange.checks import ADMINISTRATION_COLUMNS, check_patient, syringe_times_reversed
from exchange.columns import SHEET, SHEETS, Column, Reference, Sheet
from exchange.facts import Fact, PatientFacts
from exchange.labs import NotConverted, contradicted_original, convert
from exchange.lesions import complete_measurement, derive_readings
from exchange.problems import Problem
from exchange.rows import Key, Row, SheetRows, blanks
from exchange.values import tidy
from imaging.models import Reading, ReadingStatus, Role, Timepoint
from imaging.services.readings import DERIVED_FIELDS
from languages.wording import gettext_noop
from patients.models import Patient, PatientIdentity
from treatments.models import OPEN, CycleStatus, Protocol
from treatments.services import fit_cycles, replan
from treatments.services.administrations import SYRINGE_FIELDS, net_of

IDENTITY_COLUMNS = frozenset({"mrn", "family_name", "given_names"})
_TO_COME = frozenset({CycleStatus.PLANNED.value, CycleStatus.HELD.value})
_PLAN_COLUMNS = frozenset({"status", "planned_on", "set_on", "planned_activity_mbq", "cancel_reason"})
# Nothing but birth and death can contradict these: without them in a file they need not be read.
_OF_A_LIFE = frozenset(
    {
        "performance_statuses",
        "prior_therapies",
        "lab_results",
        "adverse_events",
        "somatostatin_analogue_doses",
        "prior_prrt",
    }
)
# Nothing but studies and readings can contradict these.
_OF_LESIONS = frozenset({"lesions", "measurements"})
_OF_IMAGING = _OF_LESIONS | {"studies", "readings"}
_NET = "administered_activity_mbq"
# By how much a net activity that a file gives may differ from the one that follows from its syringe and residual.
_NET_TOLERANCE_MBQ = Decimal("0.1")
_BATCH = 1000
# The database's clock says when a record was created; an expression for it in each of many records would only cost.
NO_CLOCK: dict[str, Any] = {"created_at": None}
# From so many new rows on the planner should know of them, before the checks across tables look them up one by one.
_ANALYZE_FROM = 100


@dataclass
class Counts:
    """Rows of one sheet by what became of them."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Stored:
    """A record of the registry with its second one, and their values by column name."""

    record: Any
    extra: Any
    values: dict[str, Any]


def _chunks(items: Sequence[Any], size: int = 5000) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Plan:
    """The writes that a file asks for. ``make`` reads and checks, ``write`` writes; both in one transaction.

    Args:
        found: sheet name to rows.
        reason: "" when none was given: corrections are then problems.
        problems: where all problems are added.
    """

    def __init__(
        self, *, centre: Centre, found: dict[str, SheetRows], reason: str, problems: list[Problem]
    ) -> None:
        self.centre = centre
        self.found = found
        self.reason = reason
        self.problems = problems
        self.protocols: dict[tuple[str, int], Protocol] = {
            (protocol.code, protocol.version): protocol for protocol in Protocol.objects.all()
        }
        self.stored: dict[str, dict[Key, _Stored]] = {sheet.name: {} for sheet in SHEETS}
        self.unusable: dict[str, str] = {}  # registry number to why no row may name it
        self.touched: set[str] = set()  # registry numbers of patients with a new or changed row
        self.new: dict[str, list[tuple[Key, Row]]] = defaultdict(list)
        # What to save of which record: sheet, record, extra, changed columns of either.
        self.changed: list[tuple[Sheet, _Stored, Row, list[Column]]] = []
        self.extra_new: list[tuple[Sheet, _Stored, Row]] = []
        self.extra_void: list[_Stored] = []
        self.made: dict[str, dict[Key, Any]] = {}  # sheet name to what was written new
        # Patient, course and reader to the days and kinds of the studies that this reader has signed.
        self.signed: dict[Key, set[Key]] = defaultdict(set)
        self.derived: list[
            Reading
        ] = []  # readings that were written, or of which the rules derive something else now

    # Reading and checking

    def make(self) -> dict[str, Counts]:
        """Compare the file with the registry; return counts per sheet of the file."""
        self._load()
        counts = {}
        for name, rows in self.found.items():
            counts[name] = Counts()
            for key, row in rows.rows.items():
                self._place(rows, key, row, counts[name])
        self._check_mrns()
        now = timezone.now()
        for facts in self._facts_of_touched():
            self.problems.extend(
                check_patient(facts, protocols=self.protocols, zone=self.centre.zone, now=now)
            )
        return counts

    def _load(self) -> None:
        """Read and lock what the registry holds of the patients in the file."""
        numbers = sorted({key[0] for rows in self.found.values() for key in rows.rows})
        patient_ids: list[Any] = []
        for chunk in _chunks(numbers):
            for patient in Patient.objects.filter(registry_number__in=chunk).select_for_update(of=("self",)):
                number = patient.registry_number
                if patient.centre_id != self.centre.pk:
                    self.unusable[number] = gettext_noop("this number belongs to a patient of another centre")
                elif patient.voided_at is not None:
                    self.unusable[number] = gettext_noop("this patient was voided in the registry")
                else:
                    patient_ids.append(patient.pk)
        is_of_lives = "patients" in self.found or "deaths" in self.found
        for sheet in SHEETS:
            if sheet.name in _OF_A_LIFE and sheet.name not in self.found and not is_of_lives:
                continue
            if sheet.name in _OF_LESIONS and not _OF_IMAGING & self.found.keys():
                continue
            for chunk in _chunks(patient_ids):
                self._load_sheet(sheet, chunk)
        for key, stored in self.stored["readings"].items():
            if stored.record.status == ReadingStatus.SIGNED:
                self.signed[*key[:2], key[-1]].add(key[2:-1])

    def _load_sheet(self, sheet: Sheet, patient_ids: Sequence[Any]) -> None:
        path = "pk" if sheet.model is Patient else sheet.model.PATIENT_PATH
        records = sheet.model._default_manager.filter(**{f"{path}__in": patient_ids}, voided_at__isnull=True)
        parent = sheet.parent
        prefix, related = "", []
        while parent is not None:
            prefix = f"{prefix}{parent[0]}__"
            related.append(prefix.removesuffix("__"))
            records = records.filter(**{f"{prefix}voided_at__isnull": True})
            parent = SHEET[parent[1]].parent
        if sheet.name == "courses":
            related.append("protocol")
        related += [reference.field for reference in sheet.references]
        held = list(records.select_related(*related).select_for_update(of=("self",)))
        extras: dict[Any, Any] = {}
        if sheet.extra_model is not None:
            for second in sheet.extra_model._default_manager.filter(
                **{f"{sheet.extra_link}__in": [record.pk for record in held]}, voided_at__isnull=True
            ).select_for_update(of=("self",)):
                extras[getattr(second, f"{sheet.extra_link}_id")] = second
        computed = [column for column in sheet.columns if column.computed is not None]
        for record in held:
            extra = extras.get(record.pk)
            values = {
                column.name: _value(extra if column.extra else record, column)
                for column in sheet.columns
                if column.computed is None
            }
            for column in computed:
                values[column.name] = cast(Any, column.computed)(values)
            self.stored[sheet.name][tuple(_key_part(values[name]) for name in sheet.key)] = _Stored(
                record, extra, values
            )

    def _place(self, rows: SheetRows, key: Key, row: Row, counts: Counts) -> None:
        """Decide whether a row is new, changed or unchanged, and complete its values."""
        sheet = rows.sheet
        if not self._belongs(sheet, key, row):
            return
        stored = self.stored[sheet.name].get(key)
        if sheet.name == "courses":
            self._check_protocol(row)
        if sheet.name == "cycles":
            self._fill_prescription(row, stored)
            self._fill_net(row, stored)
            if stored is not None and stored.values["cancel_reason"]:
                self._take_cancel_reason_back(row)
        if sheet.name == "lab_results":
            self._fill_lab_result(rows, row, stored)
        if sheet.name == "measurements":
            complete_measurement(row, stored.values if stored is not None else None)
        if stored is None:
            row.values = dict(blanks(sheet)) | row.values
            self._require_reason_of_signed(sheet, row)
            self.new[sheet.name].append((key, row))
            self.touched.add(key[0])
            counts.new += 1
            return
        said = row.values
        row.values = stored.values | said
        if sheet.extra_model is not None and stored.extra is None:
            # A second record is new: what the file does not say of it is blank, not what is stored of the first.
            row.values |= {
                column.name: list(column.blank) if isinstance(column.blank, tuple) else column.blank
                for column in sheet.columns
                if column.extra and column.name not in said
            }
        if sheet.name == "cycles" and said["status"] != CycleStatus.GIVEN and stored.extra is not None:
            # Taken back: what the file does not say of the administration goes with it.
            row.values |= {name: None for name in ADMINISTRATION_COLUMNS if name not in said}
        differing = [
            column
            for column in sheet.columns
            if column.name in said
            and column.name not in row.unreadable
            and not column.kind.same(_or_blank(stored.values[column.name], column), said[column.name])
        ]
        if not differing:
            counts.unchanged += 1
            return
        counts.changed += 1
        self.touched.add(key[0])
        self._change(sheet, stored, row, differing)

    def _change(self, sheet: Sheet, stored: _Stored, row: Row, differing: list[Column]) -> None:
        own = [column for column in differing if not column.extra]
        extra = [column for column in differing if column.extra]
        corrected = differing
        if sheet.name == "cycles" and stored.values["status"] in _TO_COME:
            # The course goes on: a cycle is given, held, planned anew or cancelled as the clinic's own pages do it.
            corrected = [column for column in own if column.name not in _PLAN_COLUMNS]
        elif sheet.name == "holds" and stored.values["resumed_on"] is None:
            # It ends, as it does at the clinic's desk.
            corrected = [column for column in own if column.name != "resumed_on"]
        elif extra and stored.extra is None and sheet.name == "patients":
            corrected = own  # an identity where there was none is a first entry
        if sheet.name == "patients" and stored.extra is not None and row.values["mrn"] == "":
            if "mrn" not in row.unreadable:
                self.problems.append(
                    row.problem(
                        "mrn",
                        gettext_noop("expected {mrn}: a file cannot take an identity away").format(
                            mrn=stored.extra.mrn
                        ),
                        value="",
                    )
                )
            return
        if sheet.name == "readings" and stored.record.status == ReadingStatus.SIGNED:
            for column in differing:
                self.problems.append(
                    row.problem(
                        column.name,
                        gettext_noop(
                            "the registry holds {held}, and a reader has signed it: it is changed on the imaging page, with"
                            " a reason and a new signature"
                        ).format(held=f"“{column.kind.write(stored.values[column.name])}”"),
                        value=column.kind.write(row.values[column.name]) or gettext_noop("(blank)"),
                    )
                )
            return
        if sheet.name == "measurements" and row.values["is_draft"] and not stored.values["is_draft"]:
            self.problems.append(
                row.problem(
                    "is_draft",
                    gettext_noop("expected no: it counts in the registry, and does not become a draft again"),
                    value="yes",
                )
            )
        if corrected and not self.reason:
            for column in corrected:
                self.problems.append(
                    row.problem(
                        column.name,
                        gettext_noop("the registry holds {held}: a correction, which needs a reason").format(
                            held=f"“{column.kind.write(stored.values[column.name])}”"
                        ),
                        value=column.kind.write(row.values[column.name]) or gettext_noop("(blank)"),
                    )
                )
        if own:
            self.changed.append((sheet, stored, row, own))
        if stored.extra is not None and sheet.name == "cycles" and row.values["status"] != CycleStatus.GIVEN:
            self.extra_void.append(stored)
        elif extra and stored.extra is None:
            self.extra_new.append((sheet, stored, row))
        elif extra:
            self.changed.append((sheet, stored, row, extra))

    def _require_reason_of_signed(self, sheet: Sheet, row: Row) -> None:
        """What a signature rests on is not added to without a reason, as at the reader's own desk."""
        values = row.values
        if self.reason or sheet.name not in _OF_LESIONS:
            return
        signed = self.signed.get((values["registry_number"], values["course_number"], values["reader_role"]))
        if not signed:
            return
        if sheet.name == "lesions":
            rests = values["role"] != Role.NEW
        else:
            study = (values["timepoint"], values["performed_on"], values["modality"])
            rests = not values["is_draft"] and (values["timepoint"] == Timepoint.BASELINE or study in signed)
        if rests:
            self.problems.append(
                row.problem(
                    "label",
                    gettext_noop("a reader has signed what this changes: a correction, which needs a reason"),
                )
            )

    def _belongs(self, sheet: Sheet, key: Key, row: Row) -> bool:
        """Return whether the row's patient and parent exist in the file or the registry; else add the problem."""
        number = key[0]
        if not number.startswith(f"{self.centre.code}-"):
            self.problems.append(
                row.problem(
                    "registry_number",
                    gettext_noop("expected a number of the centre, {code}-…").format(code=self.centre.code),
                )
            )
            return False
        if number in self.unusable:
            self.problems.append(row.problem("registry_number", self.unusable[number]))
            return False
        if sheet.parent is None:
            return True
        parent = SHEET[sheet.parent[1]]
        is_there = self._is_there(row, parent, key[: len(parent.key)], parent.key[-1])
        for reference in sheet.references:
            named = _named(reference, row.values)
            if named is not None:
                is_there &= self._is_there(row, SHEET[reference.sheet], named, reference.columns[-1])
        return is_there

    def _is_there(self, row: Row, sheet: Sheet, key: Key, column: str) -> bool:
        """Return whether a record stands in the file or the registry; else add the problem, at a column of the row."""
        in_file = self.found.get(sheet.name)
        if (in_file is not None and key in in_file.rows) or key in self.stored[sheet.name]:
            return True
        if in_file is not None and in_file.unreadable:
            return False  # the header of that sheet is the problem, and has been told
        what = ", ".join(str(part) for part in key)
        self.problems.append(
            row.problem(
                column,
                gettext_noop(
                    "there is no such row in {sheet}, nor such a record in the registry ({key})"
                ).format(sheet=sheet.name, key=what),
            )
        )
        return False

    def _check_protocol(self, row: Row) -> None:
        code, version = row.values["protocol_code"], row.values["protocol_version"]
        if code is None or version is None or (code, version) in self.protocols:
            return
        known = ", ".join(f"{code} version {version}" for code, version in self.protocols)
        self.problems.append(
            row.problem(
                "protocol_code",
                gettext_noop("unknown protocol (version {version}); known: {known}").format(
                    version=version, known=known
                ),
            )
        )

    def _fill_prescription(self, row: Row, stored: _Stored | None) -> None:
        """Put the protocol's activity where a given cycle names no prescription."""
        values = row.values
        column = "prescribed_activity_mbq"
        if (
            values["status"] != CycleStatus.GIVEN
            or values.get(column) is not None
            or column in row.unreadable
        ):
            return
        if column not in values and stored is not None and stored.extra is not None:
            return  # the file has no such column: it says nothing of it
        of_cycle = (values if stored is None else stored.values | values).get("planned_activity_mbq")
        protocol = self._protocol_of(values)
        values[column] = of_cycle or (protocol.prescribed_activity_mbq if protocol is not None else None)

    def _protocol_of(self, values: dict[str, Any]) -> Protocol | None:
        """Return the protocol of a cycle's course; None where it is unknown, which is a problem of the course."""
        key = (values["registry_number"], values["course_number"])
        in_file = self.found["courses"].rows.get(key) if "courses" in self.found else None
        course = in_file.values if in_file is not None else self.stored["courses"][key].values
        return self.protocols.get((course["protocol_code"], course["protocol_version"]))

    def _fill_net(self, row: Row, stored: _Stored | None) -> None:
        """Put the net activity that syringe and residual give where a given cycle names none, and compare it where it does.

        Times in the wrong order are told by the checks of the patient.
        """
        said = row.values
        if said["status"] != CycleStatus.GIVEN or row.unreadable & (SYRINGE_FIELDS | {_NET}):
            return
        values = said if stored is None or stored.extra is None else stored.values | said
        named = [name for name in SYRINGE_FIELDS if values.get(name) is not None]
        if named in ([], ["administered_at"]) or values.get("administered_at") is None:
            return
        if syringe_times_reversed(values):
            return
        protocol = self._protocol_of(values)
        if protocol is None:
            return
        try:
            net = net_of(values, half_life_days=protocol.physical_half_life_days)
        except ValidationError as error:
            for name, texts in error.message_dict.items():
                self.problems.append(row.problem(name, texts[0].rstrip(".")))
            return
        if net is None:
            return
        if said.get(_NET) is None:
            said[_NET] = net.net_mbq
        elif abs(said[_NET] - net.net_mbq) > _NET_TOLERANCE_MBQ:
            self.problems.append(
                row.problem(
                    _NET,
                    gettext_noop("expected {net}, which syringe and residual give, or a blank cell").format(
                        net=net.net_mbq
                    ),
                )
            )

    def _take_cancel_reason_back(self, row: Row) -> None:
        """A cycle that is no longer cancelled has no reason for it, also where the file has no such column."""
        if row.values["status"] != CycleStatus.CANCELLED and "status" not in row.unreadable:
            row.values.setdefault("cancel_reason", "")

    def _fill_lab_result(self, rows: SheetRows, row: Row, stored: _Stored | None) -> None:
        """Bring a laboratory value into the unit of its analyte, and keep what was written beside it."""
        said = row.values
        written = {name: said.get(name) for name in ("value", "unit", "lower_limit", "upper_limit")}
        if row.unreadable & {"value", "unit"}:
            return
        try:
            unlikely = convert(said)
        except NotConverted as refused:
            text = written.get(refused.column)
            self.problems.append(
                row.problem(refused.column, str(refused), value=None if text is None else str(text))
            )
            row.unreadable |= {refused.column}
            return
        if unlikely and "is_unlikely_confirmed" not in row.unreadable:
            is_confirmed = said.get("is_unlikely_confirmed")
            if is_confirmed is None and stored is not None:
                is_confirmed = stored.values["is_unlikely_confirmed"]
            if not is_confirmed:
                self.problems.append(
                    row.problem(
                        "value",
                        gettext_noop("{why} If it is right, say yes in is_unlikely_confirmed").format(
                            why=unlikely
                        ),
                        value=str(written["value"]),
                    )
                )
        is_as_stored = stored is not None and stored.values["value"] == said["value"]
        is_original_said = bool(said.get("original_value") or said.get("original_unit"))
        if is_original_said:
            if stored is not None and not is_as_stored and (wrong := contradicted_original(said)):
                self.problems.append(row.problem("original_value", wrong))
            return
        has_columns = {"original_value", "original_unit"} <= rows.present
        if has_columns and written["unit"] in (None, "", said["unit"]):
            return  # as an export writes what was first written in the analyte's own unit, or by another programme
        if is_as_stored and not has_columns:
            return  # the file says nothing of how it was first written
        said["original_value"] = f"{written['value']:f}"[:40]
        said["original_unit"] = written["unit"] or said["unit"]

    def _check_mrns(self) -> None:
        """An MRN belongs to one patient of the centre."""
        rows = self.found.get("patients")
        if rows is None or "mrn" not in rows.present:
            return
        first: dict[str, Row] = {}
        for row in rows.rows.values():
            mrn = row.values.get("mrn")
            if mrn and first.setdefault(mrn, row) is not row:
                self.problems.append(
                    row.problem(
                        "mrn",
                        gettext_noop("the same MRN as in row {row}").format(row=first[mrn].number),
                    )
                )
        for chunk in _chunks(sorted(first)):
            held = PatientIdentity.objects.current().filter(centre=self.centre, mrn__in=chunk)
            for mrn, number in held.values_list("mrn", "patient__registry_number"):
                if first[mrn].values["registry_number"] != number:
                    self.problems.append(
                        first[mrn].problem(
                            "mrn", gettext_noop("{number} has this MRN in the registry").format(number=number)
                        )
                    )
        # A voided identity still takes its patient's place: it is restored at the correction desk, not by a file.
        wanting = {
            key[0]: row for key, row in rows.rows.items()
            if row.values.get("mrn") and (s := self.stored["patients"].get(key)) is not None and s.extra is None
        }  # fmt: skip
        for chunk in _chunks(sorted(wanting)):
            voided = PatientIdentity.objects.filter(
                patient__registry_number__in=chunk, voided_at__isnull=False
            )
            for number in voided.values_list("patient__registry_number", flat=True):
                self.problems.append(
                    wanting[number].problem("mrn", gettext_noop("the identity of this patient was voided"))
                )

    def _facts_of_touched(self) -> Iterator[PatientFacts]:
        """Yield what is known of each patient of whom something is new or changed."""
        known = {number: PatientFacts(number) for number in sorted(self.touched)}
        for sheet in SHEETS:
            rows = self.found[sheet.name].rows if sheet.name in self.found else {}
            names = {column.name for column in sheet.columns}
            for key, stored in self.stored[sheet.name].items():
                if key[0] in known and key not in rows:
                    known[key[0]].sheets.setdefault(sheet.name, []).append(Fact(stored.values))
            for key, row in rows.items():
                if key[0] in known and row.values.keys() >= names:
                    known[key[0]].sheets.setdefault(sheet.name, []).append(Fact(row.values, row))
        yield from known.values()

    # Writing

    def write(self, tell: Callable[[str, int], None] = lambda what, n: None) -> None:
        """Store the plan. Records are written in batches; triggers keep their history all the same.

        Args:
            tell: is told which sheet is written next, and how many new rows are written before it.
        """
        written = 0
        for sheet in SHEETS:
            if self.new[sheet.name]:
                tell(sheet.name, written)
                written += len(self.new[sheet.name])
            self.made[sheet.name] = {}
            records, extras = [], []
            for key, row in self.new[sheet.name]:
                record = sheet.model(**NO_CLOCK, **self._fields(sheet, row, extra=False))
                if sheet.parent is None:
                    record.centre = self.centre  # type: ignore[attr-defined]
                else:
                    field, parent = sheet.parent
                    setattr(record, field, self._record(parent, key[: len(SHEET[parent].key)]))
                self.made[sheet.name][key] = record
                records.append(record)
                if _has_extra(sheet, row):
                    extras.append(self._extra(sheet, record, row))
            for of, stored, row in self.extra_new:
                if of is sheet and _has_extra(sheet, row):
                    extras.append(self._extra(sheet, stored.record, row))
            if sheet.name == "readings":
                # Lesions and measurements are in by now.
                readings = cast(list[Reading], records)
                derive_readings(readings)
                self.derived += readings
            self._create(sheet.model, records)
            if sheet.extra_model is not None:
                self._create(sheet.extra_model, extras)
            self._save_changes(sheet)
        self._void_administrations()
        self._plan_anew()

    def _record(self, sheet: str, key: Key) -> Any:
        """Return a record that the file or the registry holds."""
        return self.made[sheet].get(key) or self.stored[sheet][key].record

    def _plan_anew(self) -> None:
        """Plan the rest of the registry's own courses of which the file says something that moves it.

        Cycles to come that the file dates keep its dates; a course that is new with the file is left as the file has it.
        """
        moved = {key[:2] for key, _ in self.new["holds"]}
        refitted = set()
        for sheet, _, row, columns in self.changed:
            if sheet.name in {"cycles", "holds"}:
                moved.add((row.values["registry_number"], row.values["course_number"]))
            elif sheet.name == "courses" and any(column.path.startswith("protocol__") for column in columns):
                refitted.add((row.values["registry_number"], row.values["course_number"]))
        cycles = self.found.get("cycles")
        dated = set(cycles.rows) if cycles is not None and "planned_on" in cycles.present else set()
        for key in sorted((moved | refitted) & self.stored["courses"].keys()):
            course = self.stored["courses"][key].record
            course.refresh_from_db()
            if key in refitted:
                fit_cycles(course, by=None, reason=self.reason)
            elif any(
                (*key, number) not in dated
                for number in course.cycles.current().filter(status__in=OPEN).values_list("number", flat=True)
            ):
                replan(course)

    def _fields(self, sheet: Sheet, row: Row, *, extra: bool) -> dict[str, Any]:
        """Return field name to value of what the row says of its record, references to other records left out."""
        fields = {
            column.path: row.values[column.name]
            for column in sheet.columns
            if column.extra == extra and "__" not in column.path and column.computed is None
        }
        if sheet.name == "courses":
            fields["protocol"] = self.protocols[row.values["protocol_code"], row.values["protocol_version"]]
        for reference in sheet.references:
            named = _named(reference, row.values)
            fields[reference.field] = self._record(reference.sheet, named) if named is not None else None
        return fields

    def _extra(self, sheet: Sheet, record: Any, row: Row) -> Any:
        model = cast(type[ClinicalRecord], sheet.extra_model)
        extra = model(**NO_CLOCK, **self._fields(sheet, row, extra=True))
        setattr(extra, sheet.extra_link, record)
        if isinstance(extra, PatientIdentity):
            extra.centre = self.centre
        return extra

    def _create(self, model: type[ClinicalRecord], records: list[Any]) -> None:
        if not records:
            return
        _copy(model, records)
        if len(records) >= _ANALYZE_FROM:
            with connection.cursor() as cursor:
                cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")

    def _save_changes(self, sheet: Sheet) -> None:
        """Save what a sheet changes of records that were there before."""
        by_model: dict[type[Any], dict[Any, Any]] = defaultdict(dict)
        fields: dict[type[Any], set[str]] = defaultdict(set)
        for of, stored, row, columns in self.changed:
            if of is not sheet:
                continue
            record = stored.extra if columns[0].extra else stored.record
            values = self._fields(sheet, row, extra=columns[0].extra)
            for column in columns:
                name = column.path.partition("__")[0]
                setattr(record, name, values[name])
                fields[type(record)].add(name)
            by_model[type(record)][record.pk] = record
        if sheet.name == "readings":
            for reading in derive_readings(self._unsigned_readings()):
                by_model[Reading][reading.pk] = reading
                fields[Reading].update(DERIVED_FIELDS)
            self.derived += by_model[Reading].values()
        for model, records in by_model.items():
            if records:
                model._default_manager.bulk_update(records.values(), sorted(fields[model]), batch_size=_BATCH)

    def _unsigned_readings(self) -> list[Reading]:
        """Return the readings that were there before, of patients of whose imaging something is new or changed.

        What a signed one derived at its signature stays with it.
        """
        numbers = {key[0] for name in _OF_IMAGING for key, _ in self.new[name]}
        numbers |= {
            row.values["registry_number"] for sheet, _, row, _ in self.changed if sheet.name in _OF_IMAGING
        }
        return [
            stored.record
            for key, stored in self.stored["readings"].items()
            if key[0] in numbers and stored.record.status != ReadingStatus.SIGNED
        ]

    def _void_administrations(self) -> None:
        now = timezone.now()
        for stored in self.extra_void:
            stored.extra.voided_at = now
            stored.extra.void_reason = self.reason
        if self.extra_void:
            extras = [stored.extra for stored in self.extra_void]
            type(extras[0])._default_manager.bulk_update(
                extras, ["voided_at", "void_reason"], batch_size=_BATCH
            )


def _copy(model: type[ClinicalRecord], records: Sequence[Any]) -> None:
    """Insert unsaved records by COPY: triggers fire as for INSERT, and Python has a tenth of the work."""
    fields = [
        field for field in model._meta.concrete_fields if field.name != "created_at"
    ]  # the database's clock
    names = ", ".join(connection.ops.quote_name(cast(str, field.column)) for field in fields)
    attributes = [field.attname for field in fields]
    # Errors of COPY do not pass Django's cursor: without this they would not be IntegrityErrors.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        # The history's context travels with statements, and COPY is beyond its reach. This one carries it, and it
        # stands for the rest of the transaction.
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        # No trigger is ignored. Where nothing says so, each row's history raises and catches an error over it, and that
        # takes the longer the more checks wait for the end of the transaction.
        cursor.execute("SET LOCAL pgtrigger.ignore = '{}'")
        with cursor.copy(
            f"COPY {connection.ops.quote_name(model._meta.db_table)} ({names}) FROM STDIN"
        ) as copy:
            for record in records:
                copy.write_row([getattr(record, attribute) for attribute in attributes])


def _named(reference: Reference, values: dict[str, Any]) -> Key | None:
    """Return the key of the record that a row names; None where it names none."""
    if not values.get(reference.columns[-1]):
        return None
    return tuple(values[name] for name in reference.columns)


def _key_part(value: Any) -> Any:
    """Return a stored part of a key as a file writes it."""
    return tidy(value) if isinstance(value, str) else value


def _value(record: Any, column: Column) -> Any:
    for step in column.path.split("__"):
        if record is None:
            return None
        record = getattr(record, step)
    return record


def _or_blank(value: Any, column: Column) -> Any:
    """Return a stored value, or what a blank cell stands for where there is none."""
    return column.blank if value is None else value


def _has_extra(sheet: Sheet, row: Row) -> bool:
    if sheet.name == "patients":
        return bool(row.values["mrn"])
    return sheet.name == "cycles" and row.values["status"] == CycleStatus.GIVEN
