"""Every change of a patient's records: who, when, which old and new values, why, and through which door."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import ClinicalRecord
from imaging.models import Reading, Study
from patients.models import Contact, Death, Diagnosis, DiseaseEvent, Patient, PatientIdentity
from treatments.models import Administration, Course, Cycle, Discontinuation, Protocol

# Each table and the way from it to its patient.
TABLES: list[tuple[type[ClinicalRecord], str]] = [
    (Patient, "pgh_obj"),
    (PatientIdentity, "patient"),
    (Diagnosis, "patient"),
    (Contact, "patient"),
    (DiseaseEvent, "patient"),
    (Death, "patient"),
    (Course, "patient"),
    (Cycle, "course__patient"),
    (Administration, "cycle__course__patient"),
    (Discontinuation, "course__patient"),
    (Study, "patient"),
    (Reading, "study__patient"),
]
DOORS = {
    "form": "form",
    "admin": "admin",
    "api": "API",
    "import": "file import",
    "command": "command on the server",
}
# Kept by the database itself; what they say is said by the rest of the entry.
UNSAID = {"id", "version", "created_at"}
ORDER = {"insert": "Recorded", "update": "Changed", "delete": "Deleted"}


@dataclass(frozen=True)
class FieldChange:
    name: str
    old: str
    new: str


@dataclass
class RecordChange:
    """One record's change. ``is_first``: it was entered, and ``fields`` hold its values as ``new``."""

    what: str
    verb: str
    is_first: bool
    fields: list[FieldChange] = field(default_factory=list)


@dataclass
class HistoryEntry:
    """What one act changed. ``who`` is empty where the change was made in the database itself."""

    at: datetime
    who: str
    why: str
    door: str
    changes: list[RecordChange] = field(default_factory=list)


def event_model(model: type[ClinicalRecord]) -> type[models.Model]:
    """Return the table that holds the history of ``model``."""
    return apps.get_model(model._meta.app_label, f"{model.__name__}Event")


def history(user: User, patient: Patient) -> list[HistoryEntry]:
    """Return all changes of the patient's records, newest first; identities only where ``user`` may see them.

    One query for each table, and two for what foreign keys point at.
    """
    found: list[tuple[Any, RecordChange]] = []
    pointed_at = _Pointed()
    cycle_numbers: dict[Any, int] = {}
    for model, path in TABLES:
        if model is PatientIdentity and not user.may(Act.VIEW_IDENTITY, patient.centre_id):
            continue
        events = event_model(model)._default_manager.filter(**{path: patient.pk}).order_by("pgh_id")
        before: dict[Any, Any] = {}
        event: Any
        for event in events:
            earlier = before.get(event.pgh_obj_id)
            found.append((event, _change(model, event, earlier, pointed_at, cycle_numbers)))
            if model is Cycle:
                cycle_numbers[event.pgh_obj_id] = event.number
            before[event.pgh_obj_id] = event
    # Within one act the order of the tables is kept: a patient before its diagnosis.
    found = [pair for pair in found if pair[1].is_first or pair[1].fields]
    found.sort(key=lambda pair: pair[0].pgh_created_at)
    entries: list[HistoryEntry] = []
    last_key: Any = None
    for event, change in found:
        context = event.pgh_context or {}
        why, who = context.get("reason", ""), context.get("username", "")
        key = (event.pgh_context_id, why, who) if event.pgh_context_id else (event.pgh_created_at,)
        if not entries or key != last_key:
            door = DOORS.get(context.get("source", ""), "database")
            entries.append(HistoryEntry(event.pgh_created_at, who, why, door))
        last_key = key
        entries[-1].changes.append(change)
    return entries[::-1]


def last_change(record: ClinicalRecord) -> HistoryEntry | None:
    """Return who changed a record last, when and why."""
    event = event_model(type(record))._default_manager.filter(pgh_obj=record.pk).order_by("-pgh_id").first()
    if event is None:
        return None
    context = event.pgh_context or {}  # type: ignore[attr-defined]
    return HistoryEntry(
        event.pgh_created_at,  # type: ignore[attr-defined]
        context.get("username", ""),
        context.get("reason", ""),
        DOORS.get(context.get("source", ""), "database"),
    )


class _Pointed:
    """Names of what foreign keys point at, each table read once."""

    def __init__(self) -> None:
        self._names: dict[type[models.Model], dict[Any, str]] = {}

    def name(self, model: type[models.Model], key: Any) -> str:
        if model not in {Centre, Protocol, User}:
            return ""
        if model not in self._names:
            rows: Iterable[models.Model] = model._default_manager.all()
            self._names[model] = {row.pk: str(row) for row in rows}
        return self._names[model].get(key, str(key))


def _change(
    model: type[ClinicalRecord], event: Any, before: Any, pointed_at: _Pointed, cycle_numbers: dict[Any, int]
) -> RecordChange:
    is_first = before is None
    verb = ORDER.get(event.pgh_label, "Changed")
    if not is_first and event.voided_at is not None and before.voided_at is None:
        verb = "Voided"
    change = RecordChange(_title(model, event, cycle_numbers), verb, is_first)
    for column in model._meta.concrete_fields:
        if column.name in UNSAID:
            continue
        if isinstance(column, models.ForeignKey) and column.related_model not in {Centre, Protocol, User}:
            continue
        new = getattr(event, column.attname)
        old = None if is_first else getattr(before, column.attname)
        if is_first:
            if new not in (None, "", []):
                change.fields.append(FieldChange(_label(column), "", said(column, new, pointed_at)))
        elif new != old:
            change.fields.append(
                FieldChange(_label(column), said(column, old, pointed_at), said(column, new, pointed_at))
            )
    return change


def _title(model: type[ClinicalRecord], event: Any, cycle_numbers: dict[Any, int]) -> str:
    name = str(model._meta.verbose_name).capitalize()
    if model is Administration and event.cycle_id in cycle_numbers:
        return f"{name} of cycle {cycle_numbers[event.cycle_id]}"
    if model in {Cycle, Course}:
        return f"{name} {event.number}"
    if model is Study:
        return f"Study of {event.performed_on}"
    return name


def _label(column: models.Field) -> str:
    words = str(column.verbose_name)
    return words[:1].upper() + words[1:]


def said(column: models.Field, value: Any, pointed_at: _Pointed | None = None) -> str:
    """Return a stored value as people read it; an empty one as ``nothing``."""
    if value in (None, "", []):
        return "nothing"
    if isinstance(column, models.ForeignKey):
        return (pointed_at or _Pointed()).name(column.related_model, value)  # type: ignore[arg-type]
    if isinstance(value, bool):
        return "yes" if value else "no"
    base = getattr(column, "base_field", None)
    if base is not None:
        names = dict(base.flatchoices)
        return ", ".join(str(names.get(item, item)) for item in value)
    if column.flatchoices:
        return str(dict(column.flatchoices).get(value, value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)
