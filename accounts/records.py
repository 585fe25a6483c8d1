"""What every clinical record has: a UUID, a version, a history by triggers, voiding instead of deletion, one access door.

And the three ways in which one is written: first entry, correction with a reason, voiding with a reason. Services of the
clinical apps call these; no door writes a record by itself.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

import pgtrigger
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord, refusal
from accounts.history import change_context
from accounts.models import User
from accounts.tracking import tracked
from languages.calling import lazily_called
from languages.wording import day


class ClinicalQuerySet(models.QuerySet):
    def visible_to(self, user: User, act: Act = Act.VIEW_RECORDS) -> Self:
        """Return the rows of the centres at which ``user`` may perform ``act``: the one door to clinical records."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        path = self.model.CENTRE_PATH  # type: ignore[attr-defined]
        return self.filter(**{f"{path}__in": user.centre_ids(act)})

    def current(self) -> Self:
        """Return the rows that have not been voided."""
        return self.filter(voided_at__isnull=True)


class ClinicalRecord(models.Model):
    """Base of all clinical tables. Subclasses are decorated with ``clinical_record``."""

    # From this model to its centre's key and to its patient, for the access door and for messages.
    CENTRE_PATH: ClassVar[str] = "patient__centre_id"
    PATIENT_PATH: ClassVar[str] = "patient"
    EDIT_ACT: ClassVar[Act] = Act.EDIT_PATIENTS
    # Names of the relations whose records are a part of this one: voided with it instead of standing in its way.
    VOIDED_WITH: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(
        default=1,
        editable=False,
        db_comment="Raised by a trigger at every change; a form that holds an older one is told.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    voided_at = models.DateTimeField(null=True, blank=True, editable=False)
    void_reason = models.CharField(max_length=500, blank=True, editable=False)

    objects = ClinicalQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(voided_at__isnull=True, void_reason="")
                | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
                name="%(app_label)s_%(class)s_void_has_reason",
                violation_error_message=gettext_lazy(
                    "A voided record needs a reason, and only a voided one has it."
                ),
            )
        ]

    @property
    def centre_id_of_record(self) -> uuid.UUID:
        """The centre that this record belongs to."""
        value: Any = self
        for step in self.CENTRE_PATH.split("__"):
            value = getattr(value, step)
        return value

    @property
    def void_act(self) -> Act:
        """What voiding this record takes; more than ``EDIT_ACT`` where it does away with a signature."""
        return self.EDIT_ACT


ModelT = TypeVar("ModelT", bound=type[models.Model])
RecordT = TypeVar("RecordT", bound=ClinicalRecord)


def clinical_record(model: ModelT) -> ModelT:
    """Give a model its history (insert, update, delete), its version and its protection from deletion, by triggers."""
    pgtrigger.register(
        pgtrigger.Trigger(
            name="bump_version",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            condition=pgtrigger.AnyChange(),
            func="NEW.version = OLD.version + 1; RETURN NEW;",
        ),
        pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete),
    )(model)
    return tracked()(model)


def not_in_future(value: date) -> None:
    """Raise ValidationError where a date lies after today, anywhere on earth."""
    # A centre east of UTC is already in tomorrow: a day's grace costs less than refusing today's fact.
    if value > timezone.now().date() + timedelta(days=1):
        raise ValidationError(_("This date lies in the future."), code="in_future")


def not_in_future_moment(value: datetime) -> None:
    """Raise ValidationError where a moment lies ahead, but for a clock that is a few minutes fast."""
    if value > timezone.now() + timedelta(minutes=10):
        raise ValidationError(_("This moment lies in the future."), code="in_future")


def plausible_plan(value: date) -> None:
    """Raise ValidationError where a planned date lies so far off that what follows it could not be planned."""
    if not 1990 <= value.year <= 2150:
        raise ValidationError(_("A planned date lies between 1990 and 2150."), code="implausible_date")


FIRST_DAY, LAST_DAY = date(1890, 1, 1), date(2150, 1, 1)
_lazy_day = lazy(day, str)


def _within(words: Any) -> Any:
    return format_lazy(words, first=_lazy_day(FIRST_DAY), last=_lazy_day(LAST_DAY))


def plausible_days(*names: str) -> list[models.CheckConstraint]:
    """Return constraints that hold date fields within two centuries: PostgreSQL knows "infinity", Python does not."""
    return [
        models.CheckConstraint(
            condition=Q(**{f"{name}__isnull": True})
            | Q(**{f"{name}__gte": FIRST_DAY, f"{name}__lt": LAST_DAY}),
            name=f"%(app_label)s_%(class)s_{name}_plausible",
            violation_error_message=_within(gettext_lazy("This date must lie between {first} and {last}.")),
        )
        for name in names
    ]


def plausible_moments(*names: str) -> list[models.CheckConstraint]:
    """Return the same for aware times."""
    first, last = (datetime(day.year, 1, 1, tzinfo=UTC) for day in (FIRST_DAY, LAST_DAY))
    return [
        models.CheckConstraint(
            condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": first, f"{name}__lt": last}),
            name=f"%(app_label)s_%(class)s_{name}_plausible",
            violation_error_message=_within(gettext_lazy("This time must lie between {first} and {last}.")),
        )
        for name in names
    ]


def known_codes(**choices: list[str]) -> list[models.CheckConstraint]:
    """Return constraints that hold fields to the codes of their list."""
    return [
        models.CheckConstraint(
            condition=Q(**{f"{name}__in": codes}),
            name=f"%(app_label)s_%(class)s_{name}_known",
            violation_error_message=format_lazy(
                gettext_lazy("This {field} is not one of the list."),
                field=lazily_called(name.replace("_", " ")),
            ),
        )
        for name, codes in choices.items()
    ]


def check_deferred() -> None:
    """Run the checks across tables now instead of at commit, so that their refusal can be answered here."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


_writing: ContextVar[bool] = ContextVar("writing", default=False)

# Called after the commit of each clinical act; floors above add what they want to know of it (see analytics.apps).
after_clinical_write: list[Callable[[], None]] = []


@contextmanager
def clinical_write(*, by: User | None, reason: str = "") -> Iterator[None]:
    """One clinical act: a transaction with its history context, whose refusals are ValidationErrors.

    Raises:
        ValidationError: a constraint or a check across tables refused what was written; nothing is stored.
    """
    outermost = not _writing.get()
    token = _writing.set(True)
    try:
        with change_context(by=by, reason=reason), transaction.atomic():
            yield
            if outermost:  # within an act, records may contradict each other until it is complete
                check_deferred()
                for callback in after_clinical_write:
                    transaction.on_commit(callback, robust=True)
    except IntegrityError as error:
        raise refusal(error) from error
    finally:
        _writing.reset(token)


def _save_valid(record: ClinicalRecord, *, update_fields: list[str] | None = None) -> None:
    record.full_clean()
    record.save(force_insert=update_fields is None, update_fields=update_fields)
    record.refresh_from_db(fields=["version"])


def create_record(record: RecordT, *, by: User | None, reason: str = "") -> RecordT:
    """Store a first entry. It needs no reason.

    Args:
        record: unsaved, with all its values.
        by: who enters it; None for a command run on the server itself.

    Raises:
        PermissionDenied: ``by`` may not edit such records at this centre.
        RegistryError: ``parent_voided``, what it belongs to has been voided.
        ValidationError: the values break a rule of the record.
    """
    if by is not None:
        by.require(record.EDIT_ACT, record.centre_id_of_record)
    with clinical_write(by=by, reason=reason):
        require_current_parents(record)
        _save_valid(record)
    return record


def require_current_parents(record: ClinicalRecord) -> None:
    """Lock the record's patient, and refuse where the patient, or anything else between the two, has been voided.

    Every act on a patient's records takes this lock before any other, so that two of them cannot wait for each other,
    and nothing is written under a record that another desk is voiding.

    Raises:
        RegistryError: ``parent_voided``; the message names what was voided.
    """
    if record.PATIENT_PATH == "self":
        return
    first, _dot, rest = record.PATIENT_PATH.partition("__")
    field = record._meta.get_field(first)
    parents = field.related_model._default_manager.filter(pk=getattr(record, field.attname))  # type: ignore[union-attr]
    if rest:
        parents = parents.select_related(rest)
    # The lock comes first: the statement that waits for it may have read the others before the wait.
    list(parents.select_for_update(no_key=True, of=(rest or "self",)))
    parent: Any = parents.first()
    steps = rest.split("__") if rest else []
    while parent is not None:
        if parent.voided_at is not None:
            raise RegistryError(
                "parent_voided",
                _("{record} has been voided: what belongs to it can no longer be written.").format(
                    record=parent
                ),
            )
        parent = getattr(parent, steps.pop(0)) if steps else None


def lock_current(record: RecordT, *, expected_version: int | None) -> RecordT:
    """Return the row locked for this transaction, refusing where it is no longer the one that was read.

    Raises:
        StaleRecord: it was changed since ``expected_version``.
        RegistryError: ``voided``, it has been voided; ``parent_voided``, what it belongs to has been.
    """
    require_current_parents(record)
    rows: models.QuerySet[RecordT] = type(record)._default_manager.select_for_update(of=("self",))  # type: ignore[assignment]
    locked = rows.get(pk=record.pk)
    if expected_version is not None and locked.version != expected_version:
        raise StaleRecord(
            _("This record was changed while you had it open. Nothing of yours was stored."),
            current_version=locked.version,
        )
    if locked.voided_at is not None:
        raise RegistryError("voided", _("This record has been voided."))
    return locked


def require_reason(reason: str) -> str:
    """Return the reason, stripped.

    Raises:
        ValidationError: it is blank, or longer than its column.
    """
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": ValidationError(_("Say why this is corrected."), code="required")})
    if len(reason) > 500:
        raise ValidationError(
            {"reason": ValidationError(_("Say why in at most 500 characters."), code="max_length")}
        )
    return reason


def correct_record(
    record: RecordT,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
    follow: Callable[[RecordT], Iterable[str]] | None = None,
    also: Callable[[RecordT], None] | None = None,
) -> RecordT:
    """Store a correction of ``record`` with its reason. Values that stay the same are no change.

    Args:
        changes: field name to new value.
        expected_version: the version the values were read at; None where nothing was read before.
        follow: sets what follows from a change, and returns the names of these fields.
        also: further writes of the same act, in the same transaction, given the corrected record.

    Raises:
        StaleRecord, RegistryError: see ``lock_current``.
        PermissionDenied: ``by`` may not edit such records at this centre.
        ValidationError: no reason, an unknown field, or values that break a rule of the record.
    """
    reason = require_reason(reason)
    if by is not None:
        by.require(record.EDIT_ACT, record.centre_id_of_record)
    with clinical_write(by=by, reason=reason):
        locked = lock_current(record, expected_version=expected_version)
        changed = []
        for name, value in changes.items():
            try:
                field = locked._meta.get_field(name)
            except FieldDoesNotExist as error:
                raise ValidationError({name: _("There is no such field.")}) from error
            if not isinstance(field, models.Field) or not field.editable:
                raise ValidationError({name: _("This field cannot be changed.")})
            if getattr(locked, field.attname) != getattr(value, "pk", value):
                setattr(locked, name, value)
                changed.append(name)
        if changed:
            if follow is not None:
                changed += follow(locked)
            _save_valid(locked, update_fields=changed)
        if also is not None:
            also(locked)
    return locked


def void_record(
    record: RecordT, *, by: User | None, reason: str, expected_version: int | None = None
) -> RecordT:
    """Take a record out of all counts, keeping it in the history. Its parts (``VOIDED_WITH``) go with it.

    Raises:
        RegistryError: ``has_records``, other records in force hang on it; the message says what to void first.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as for ``correct_record``.
    """
    reason = require_reason(reason)
    if by is not None:
        by.require(record.EDIT_ACT, record.centre_id_of_record)
    with clinical_write(by=by, reason=reason):
        locked = lock_current(record, expected_version=expected_version)
        if by is not None:
            by.require(locked.void_act, locked.centre_id_of_record)
        parts, others = _hanging_on(locked)
        if others:
            counted = Counter(
                (type(other)._meta.verbose_name, type(other)._meta.verbose_name_plural) for other in others
            )
            what = ", ".join(f"{n} {one if n == 1 else many}" for (one, many), n in counted.items())
            raise RegistryError(
                "has_records",
                _("Void first what belongs to {record}: {what}.").format(record=locked, what=what),
            )
        now = timezone.now()
        together: list[ClinicalRecord] = [*parts, locked]
        for each in together:
            each.voided_at = now
            each.void_reason = reason
            each.save(update_fields=["voided_at", "void_reason"])
        locked.refresh_from_db(fields=["version"])
    return locked


def _hanging_on(record: ClinicalRecord) -> tuple[list[ClinicalRecord], list[ClinicalRecord]]:
    """Return the records in force that are parts of this one, innermost first, and all others that hang on either."""
    parts: list[ClinicalRecord] = []
    others: list[ClinicalRecord] = []
    for relation in record._meta.related_objects:
        model = relation.related_model
        if not issubclass(model, ClinicalRecord):
            continue  # the history, what is derived
        found = list(model._default_manager.filter(**{relation.field.name: record}, voided_at__isnull=True))
        if relation.get_accessor_name() in record.VOIDED_WITH:
            for part in found:
                inner, outer = _hanging_on(part)
                parts += [*inner, part]
                others += outer
        else:
            others += found
    return parts, others
