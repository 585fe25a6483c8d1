"""Every change of a patient's records, act by act: who, when, which old and new values, why, and through which door."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.changes import Change, ChangedField, What, Words, changes_in, changes_of, rows_of
from accounts.models import User
from accounts.records import ClinicalRecord
from accounts.together import Together
from imaging.models import Study
from languages.wording import day
from patients.models import Patient, PatientIdentity
from treatments.models import AdverseEvent, Course, Cycle, LabResult

# Each table of clinical records and the way from it to its patient, those of a patient first.
TABLES: list[tuple[type[ClinicalRecord], str]] = [
    (model, "pgh_obj" if model.PATIENT_PATH == "self" else model.PATIENT_PATH)
    for model in apps.get_models()
    if issubclass(model, ClinicalRecord)
]


def _rows_by_patient(model: type[ClinicalRecord], path: str) -> Callable[[UUID], QuerySet[Any]]:
    return lambda key: rows_of(model).filter(**{path: key})


# The history of everything but the identity, which is not read for who may not see it.
_ROWS = Together(
    {
        model._meta.label: _rows_by_patient(model, path)
        for model, path in TABLES
        if model is not PatientIdentity
    }
)


@dataclass
class RecordChange:
    """One record's change.

    Attributes:
        is_first: it was entered, and ``fields`` have no old values to be shown.
        change: as it was read.
        is_in_force: the record has not been voided since.
        restore_url: where the values before the change can be taken up again; blank where they cannot.
    """

    title: str
    what: What
    is_first: bool
    fields: list[ChangedField]
    change: Change
    is_in_force: bool
    restore_url: str = ""


@dataclass(frozen=True)
class HistoryEntry:
    """What one act changed."""

    at: datetime
    who: str
    reason: str
    door: str
    changes: list[RecordChange] = field(default_factory=list)


def history(user: User, patient: Patient) -> list[HistoryEntry]:
    """Return all changes of the patient's records, newest first; identities only where ``user`` may see them.

    One query, another for the identity, and one for each table that a changed foreign key points at.
    """
    words = Words(patient.centre.zone)
    found: list[Change] = []
    rows = _ROWS.read(patient.pk)
    for model, path in TABLES:
        if model is not PatientIdentity:
            of_model = sorted(rows.of(model._meta.label, Model), key=attrgetter("pgh_id"))
            found += changes_in(model, of_model, words)
        elif user.may(Act.VIEW_IDENTITY, patient.centre_id):
            found += changes_in(model, rows_of(model).filter(**{path: patient.pk}), words)
    cycle_numbers = {change.row.pgh_obj_id: change.row.number for change in found if change.model is Cycle}
    in_force = {
        (change.model, change.row.pgh_obj_id): change.row.pgh_label != "delete"
        and change.row.voided_at is None
        for change in found
    }
    # Within one act the order of the tables is kept: a patient before its diagnosis.
    found.sort(key=lambda change: change.at)
    entries: list[HistoryEntry] = []
    last_act: Any = None
    for change in found:
        fields = _shown(change)
        if change.what == What.CHANGED and not fields:
            continue
        act_id = change.row.pgh_context_id
        act = (act_id, change.reason, change.username) if act_id else (change.at,)
        if not entries or act != last_act:
            entries.append(HistoryEntry(change.at, change.who, change.reason, change.door))
        last_act = act
        title = _title(change, cycle_numbers)
        entries[-1].changes.append(
            RecordChange(
                title,
                change.what,
                change.what == What.ENTERED,
                fields,
                change,
                in_force[change.model, change.row.pgh_obj_id],
            )
        )
    return entries[::-1]


def last_change(record: ClinicalRecord) -> Change | None:
    """Return who changed a record last, when and why. One query."""
    changes = changes_of([record])
    return changes[-1] if changes else None


def change_of_row(record: ClinicalRecord, row_id: int) -> Change | None:
    """Return the change of this record that a row of its history tells of; None where there is none. One query."""
    changes = changes_in(type(record), rows_of(type(record)).filter(pgh_obj=record.pk))
    return next((one for one in changes if one.row.pgh_id == row_id and one.what == What.CHANGED), None)


def _shown(change: Change) -> list[ChangedField]:
    """Return the changed fields; of an entry without the record that it hangs on, which goes without saying."""
    fields = [_named(one) for one in change.fields]
    if change.what != What.ENTERED:
        return fields
    return [one for one in fields if not _hangs_on(one)]


def _named(one: ChangedField) -> ChangedField:
    if one.column.name != "birth_date":
        return one
    return _BirthDate(one.column, one.old_value, one.new_value, one.words)


def _hangs_on(one: ChangedField) -> bool:
    target = one.column.related_model
    return isinstance(target, type) and issubclass(target, ClinicalRecord)


class _BirthDate(ChangedField):
    """The date of birth, under the name that it has on every page."""

    @property
    def label(self) -> str:
        return _("Date of birth")


def _title(change: Change, cycle_numbers: dict[Any, int]) -> str:
    row = change.row
    if getattr(row, "cycle_id", None) in cycle_numbers:
        return _("{record} of cycle {number}").format(
            record=change.record, number=cycle_numbers[row.cycle_id]
        )
    if change.model is LabResult:
        return _("Laboratory value: {analyte}").format(analyte=row.get_analyte_display())
    if change.model is AdverseEvent:
        return _("Adverse event: {term}").format(term=row.term)
    if change.model in {Cycle, Course}:
        return f"{change.record} {row.number}"
    if change.model is Study:
        return _("Study of {day}").format(day=day(row.performed_on))
    return change.record
