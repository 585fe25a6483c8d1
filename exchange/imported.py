"""Which records an import made or changed, and taking a whole import back.

What it did is read out of the history that the database itself writes, so that nothing that follows from an import (a cycle
planned anew, a reading derived anew) is forgotten. In words: docs/importing.md.
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pghistory
from django.apps import apps
from django.db import connection, models
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.history import change_context
from accounts.models import Centre, User
from accounts.records import ClinicalRecord, clinical_write, require_reason
from exchange.columns import SHEETS
from exchange.models import Import, ImportedRow, ImportState
from languages.wording import day
from patients.models import Patient, PatientIdentity

MOST_SAID = 20  # records that stand in the way, named on the page
# What became of a record, by what it is told from others by.
_CHANGED = {
    "day": gettext_lazy("{record} of {value} was changed after the import"),
    "number": gettext_lazy("{record} of number {value} was changed after the import"),
    "": gettext_lazy("{record} was changed after the import"),
}
_ENTERED = {
    "day": gettext_lazy("{record} of {value} was entered after the import"),
    "number": gettext_lazy("{record} of number {value} was entered after the import"),
    "": gettext_lazy("{record} was entered after the import"),
}


def _models() -> list[type[ClinicalRecord]]:
    """Return the models that an import writes, parents before what hangs on them."""
    found: list[type[ClinicalRecord]] = []
    for sheet in SHEETS:
        found += [sheet.model, *([sheet.extra_model] if sheet.extra_model is not None else [])]
    return list(dict.fromkeys(found))


def _event_table(model: type[models.Model]) -> str:
    return next(
        event._meta.db_table
        for event in apps.get_models()
        if getattr(event, "pgh_tracked_model", None) is model
    )


@contextmanager
def recording(job_id: uuid.UUID) -> Iterator[Callable[[], None]]:
    """Give a function that writes down, within the transaction of the block, which records it made and changed."""
    tables = {model: _event_table(model) for model in _models()}
    before: dict[type[ClinicalRecord], int] = {}
    with pghistory.context() as context, connection.cursor() as cursor:
        for model, table in tables.items():
            cursor.execute(f"SELECT coalesce(max(pgh_id), 0) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            before[model] = cursor.fetchone()[0]

        def record() -> None:
            with connection.cursor() as writing:
                for model, table in tables.items():
                    writing.execute(
                        "INSERT INTO exchange_importedrow (of_id, model, record_id, was_created, first_version, version)"  # noqa: S608
                        " SELECT %s, %s, pgh_obj_id, bool_or(pgh_label = 'insert'), min(version), max(version)"
                        f" FROM {connection.ops.quote_name(table)} WHERE pgh_id > %s AND pgh_context_id = %s"
                        " GROUP BY pgh_obj_id",
                        [job_id, model._meta.label_lower, before[model], context.id],
                    )

        yield record


# Taking it back


@dataclass(frozen=True)
class InTheWay:
    """A record that keeps an import from being undone.

    Attributes:
        patient: whose it is.
        what: the record, and what became of it.
    """

    patient: Patient
    what: str


def in_the_way(job: Import) -> tuple[list[InTheWay], int]:
    """Return what keeps an import from being undone: the first records of it, and how many there are."""
    found: list[InTheWay] = []
    n = 0
    for model in _models():
        rows = ImportedRow.objects.filter(of=job, model=model._meta.label_lower)
        changed = model._default_manager.filter(pk__in=rows.values("record_id")).exclude(
            Exists(rows.filter(record_id=OuterRef("pk"), version=OuterRef("version")))
        )
        n += _say(changed, _CHANGED, found)
        created = rows.filter(was_created=True).values("record_id")
        for relation in model._meta.related_objects:
            other = relation.related_model
            if not issubclass(other, ClinicalRecord):
                continue
            own = ImportedRow.objects.filter(of=job, model=other._meta.label_lower)
            attached = other._default_manager.filter(
                **{f"{relation.field.name}__in": created}, voided_at__isnull=True
            ).exclude(Exists(own.filter(record_id=OuterRef("pk"))))
            n += _say(attached, _ENTERED, found)
    return found, n


def _say(records: QuerySet[Any], said: Mapping[str, Any], found: list[InTheWay]) -> int:
    n = records.count()
    if n:
        path = records.model.PATIENT_PATH
        related = records if path == "self" else records.select_related(path)
        for record in related.order_by("pk")[: MOST_SAID - len(found)]:
            patient: Any = record
            for step in [] if path == "self" else path.split("__"):
                patient = getattr(patient, step)
            name = str(record._meta.verbose_name)
            kind, value = _dated(record)
            found.append(InTheWay(patient, str(said[kind]).format(record=name, value=value)))
    return n


def _dated(record: Any) -> tuple[str, str]:
    """Return by what a record is told from others: ``day`` or ``number`` and what it is; "" twice where by nothing."""
    for field in record._meta.concrete_fields:
        if isinstance(field, models.DateField) and field.name.endswith("_on"):
            on = getattr(record, field.name)
            return ("day", day(on)) if on else ("", "")
    number = getattr(record, "number", None)
    return ("number", str(number)) if number else ("", "")


def undo(job: Import, *, by: User, reason: str) -> None:
    """Take a whole import back: what it entered is voided, what it changed holds again what it held before.

    Raises:
        PermissionDenied: ``by`` may not import files, or edit such records, at this centre.
        RegistryError: ``not_imported``; ``changed_since``, records of it were changed or added to.
        ValidationError: no reason, or records would contradict each other.
    """
    by.require(Act.IMPORT_FILES, job.centre_id)
    reason = require_reason(reason)
    with change_context(source="import"), clinical_write(by=by, reason=reason):
        locked = Import.objects.select_for_update().get(pk=job.pk)
        if locked.state != ImportState.DONE:
            raise RegistryError("not_imported", _("This import is not in force: there is nothing to undo."))
        written = [model for model in _models() if _rows(locked, model).exists()]
        for model in written:
            by.require(model.EDIT_ACT, job.centre_id)
        _lock_patients(locked)
        __, n = in_the_way(locked)
        if n:
            raise RegistryError(
                "changed_since",
                ngettext(
                    "{n} record of this import was changed or added to since. Nothing was undone.",
                    "{n} records of this import were changed or added to since. Nothing was undone.",
                    n,
                ).format(n=n),
            )
        for model in reversed(written):
            created = _rows(locked, model).filter(was_created=True)
            model._default_manager.filter(pk__in=created.values("record_id"), voided_at__isnull=True).update(
                voided_at=Now(), void_reason=reason
            )
        for model in written:
            _restore(locked, model)
        locked.state = ImportState.UNDONE
        locked.undone_by, locked.undo_reason = by, reason
        Import.objects.filter(pk=locked.pk).update(
            state=ImportState.UNDONE, undone_at=Now(), undone_by=by, undo_reason=reason
        )
    job.refresh_from_db()


def revive_undone(centre: Centre, numbers: Collection[str]) -> None:
    """Bring back patients whom an undone import had entered and a file names again: their numbers are taken by them.

    Everything else of them stays voided; the file says it anew.
    """
    made = ImportedRow.objects.filter(of__state=ImportState.UNDONE, of__centre=centre, was_created=True)
    patients = Patient.objects.filter(
        centre=centre,
        voided_at__isnull=False,
        pk__in=made.filter(model=Patient._meta.label_lower).values("record_id"),
    )
    found = [pk for pk, number in patients.values_list("pk", "registry_number") if number in numbers]
    if not found:
        return
    Patient.objects.filter(pk__in=found).update(voided_at=None, void_reason="")
    others = PatientIdentity.objects.current().filter(centre=centre, mrn=OuterRef("mrn"))
    PatientIdentity.objects.filter(
        patient__in=found,
        voided_at__isnull=False,
        pk__in=made.filter(model=PatientIdentity._meta.label_lower).values("record_id"),
    ).exclude(Exists(others)).update(voided_at=None, void_reason="")


def _rows(job: Import, model: type[models.Model]) -> QuerySet[ImportedRow]:
    return ImportedRow.objects.filter(of=job, model=model._meta.label_lower)


def _lock_patients(job: Import) -> None:
    """Lock the patients of the import: every act on their records takes this lock first."""
    wanted = set()
    for model in _models():
        ids = _rows(job, model).values("record_id")
        path = "pk" if model.PATIENT_PATH == "self" else model.PATIENT_PATH
        wanted |= set(model._default_manager.filter(pk__in=ids).values_list(path, flat=True))
    list(
        Patient.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True).values_list("pk")
    )


def _restore(job: Import, model: type[ClinicalRecord]) -> None:
    """Give records that were there before the import the values of the version before it, out of the history."""
    changed = _rows(job, model).filter(was_created=False)
    n = changed.count()
    if not n:
        return
    names = [
        connection.ops.quote_name(str(field.column))
        for field in model._meta.concrete_fields
        if field.name not in {"id", "version", "created_at"}
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {connection.ops.quote_name(model._meta.db_table)} AS record SET"  # noqa: S608
            f" {', '.join(f'{name} = event.{name}' for name in names)}"
            f" FROM {connection.ops.quote_name(_event_table(model))} AS event, exchange_importedrow AS made"
            " WHERE made.of_id = %s AND made.model = %s AND NOT made.was_created AND record.id = made.record_id"
            " AND event.pgh_obj_id = made.record_id AND event.version = made.first_version - 1",
            [job.pk, model._meta.label_lower],
        )
        if cursor.rowcount != n:
            raise RegistryError(
                "no_history",
                _(
                    "What {n} records held before the import is not in the history: correct them one by one."
                ).format(n=n),
            )


__all__: Sequence[str] = ["InTheWay", "in_the_way", "recording", "revive_undone", "undo"]
