"""What people do about queries: raise one, answer, assign, close as it is, open again. Each act is a line of its thread."""

from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.access import Act, roles_with
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import ClinicalRecord
from analytics.data_queries import fingerprint
from analytics.models import (
    DataQuery,
    QueriedRecord,
    QueryAction,
    QueryRule,
    QueryStatus,
)
from imaging.models import Study
from patients.models import Death, Patient
from treatments.models import Administration, Course, Cycle

# Whoever may change one of these kinds of records may say something about any.
ACTS = (Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS, Act.EDIT_IMAGING)
MOST_TEXT = 1000

_RECORDS = {
    QueriedRecord.PATIENT: (Patient, "pk"),
    QueriedRecord.COURSE: (Course, "patient"),
    QueriedRecord.CYCLE: (Cycle, "course__patient"),
    QueriedRecord.ADMINISTRATION: (Administration, "cycle__course__patient"),
    QueriedRecord.STUDY: (Study, "patient"),
    QueriedRecord.DEATH: (Death, "patient"),
}


def may_act(user: User, centre_id: UUID) -> bool:
    """Return whether ``user`` may raise, answer, assign and close queries of this centre's patients."""
    return any(user.may(act, centre_id) for act in ACTS)


def assignable(centre_id: UUID) -> QuerySet[User]:
    """Return who can be asked: the active users who may act on queries at the centre."""
    roles = {role for act in ACTS for role in roles_with(act)}
    return User.objects.filter(
        is_active=True, memberships__centre=centre_id, memberships__role__in=roles
    ).distinct()


def _require(by: User, centre_id: UUID) -> None:
    if not may_act(by, centre_id):
        raise PermissionDenied(_("With your roles here you may read queries, not answer them."))


def _text(text: str, *, field: str, missing: str) -> str:
    text = text.strip()
    if not text:
        raise ValidationError({field: ValidationError(missing, code="required")})
    if len(text) > MOST_TEXT:
        raise ValidationError(
            {
                field: ValidationError(
                    _("Say it in at most {n} characters.").format(
                        n=number_format(MOST_TEXT, force_grouping=True)
                    ),
                    code="max_length",
                )
            }
        )
    return text


@transaction.atomic
def raise_query(
    *,
    patient: Patient,
    text: str,
    by: User,
    record_kind: str = QueriedRecord.PATIENT,
    record_id: UUID | None = None,
    assigned_to: User | None = None,
) -> DataQuery:
    """Ask something about a patient or one of its records by hand.

    Args:
        record_id: the record in question; None: the patient.

    Raises:
        PermissionDenied: ``by`` may change no record at this centre.
        ValidationError: no text, another patient's record, or an assignee who may not answer.
    """
    _require(by, patient.centre_id)
    text = _text(text, field="text", missing=_("Say what is to be looked at."))
    if record_id is None:
        record_kind, record_id = QueriedRecord.PATIENT, patient.pk
    if record_kind not in QueriedRecord.values:
        raise ValidationError({"record_kind": _("This record kind is not one of the list.")})
    model, path = _RECORDS[QueriedRecord(record_kind)]
    current = model.objects.current()  # type: ignore[attr-defined]
    record = current.filter(**{path: patient.pk}).filter(pk=record_id).first()
    if record is None:
        raise ValidationError({"record_id": _("There is no such record of this patient.")})
    facts = {"text": text}
    query = DataQuery.objects.create(
        patient=patient,
        centre_id=patient.centre_id,
        course_id=_course_of(record),
        rule=QueryRule.MANUAL,
        record_kind=record_kind,
        record_id=record_id,
        facts=facts,
        fingerprint=fingerprint(facts),
        opened_by=by,
    )
    if assigned_to is not None:
        _assign(query, assigned_to, by)
    query.refresh_from_db()
    return query


def _course_of(record: ClinicalRecord) -> UUID | None:
    if isinstance(record, Course):
        return record.pk
    if isinstance(record, Cycle):
        return record.course_id
    return record.cycle.course_id if isinstance(record, Administration) else None


def _lock(query: DataQuery, by: User) -> DataQuery:
    """Return the query locked, refusing whom it does not concern."""
    locked = DataQuery.objects.select_related("patient").select_for_update(of=("self",)).get(pk=query.pk)
    _require(by, locked.patient.centre_id)
    return locked


def _require_pending(query: DataQuery) -> None:
    if query.is_closed:
        raise RegistryError("query_closed", _("This query is closed. Open it again first."))


@transaction.atomic
def answer_query(query: DataQuery, *, text: str, by: User) -> DataQuery:
    """Say something about a query. It stays with whoever closes it.

    Raises:
        PermissionDenied, ValidationError: as ``raise_query``.
        RegistryError: ``query_closed``.
    """
    text = _text(text, field="text", missing=_("Write the answer."))
    locked = _lock(query, by)
    _require_pending(locked)
    locked.status = QueryStatus.ANSWERED
    locked.save(update_fields=["status"])
    locked.answers.create(action=QueryAction.ANSWERED, text=text, by=by)
    return locked


def _assign(query: DataQuery, to: User | None, by: User) -> None:
    if to is not None and not assignable(query.patient.centre_id).filter(pk=to.pk).exists():
        raise ValidationError({"assigned_to": _("This person may not answer queries at this centre.")})
    if query.assigned_to_id == (to.pk if to else None):
        return
    query.assigned_to = to
    query.save(update_fields=["assigned_to"])
    query.answers.create(action=QueryAction.ASSIGNED, assigned_to=to, by=by)


@transaction.atomic
def assign_query(query: DataQuery, *, to: User | None, by: User) -> DataQuery:
    """Ask a person of the centre, or nobody in particular. The same person again is no change.

    Raises:
        PermissionDenied, ValidationError, RegistryError: as ``answer_query``.
    """
    locked = _lock(query, by)
    _require_pending(locked)
    _assign(locked, to, by)
    return locked


@transaction.atomic
def close_query(query: DataQuery, *, reason: str, by: User) -> DataQuery:
    """Accept the records as they are, with a reason. A rule asks again only when what it asks about changes.

    Raises:
        PermissionDenied, ValidationError, RegistryError: as ``answer_query``.
    """
    reason = _text(reason, field="reason", missing=_("Say why the record is right as it is."))
    locked = _lock(query, by)
    _require_pending(locked)
    locked.status, locked.closed_at, locked.closed_by = QueryStatus.CLOSED, timezone.now(), by
    locked.save(update_fields=["status", "closed_at", "closed_by"])
    locked.answers.create(action=QueryAction.CLOSED, text=reason, by=by)
    return locked


@transaction.atomic
def reopen_query(query: DataQuery, *, reason: str, by: User) -> DataQuery:
    """Open a closed query again. A rule that finds nothing closes it when it next looks.

    Raises:
        RegistryError: ``query_open``, it is not closed; ``query_again``, the rule has opened another one since.
        PermissionDenied, ValidationError: as ``answer_query``.
    """
    reason = _text(reason, field="reason", missing=_("Say why it is opened again."))
    locked = _lock(query, by)
    if not locked.is_closed:
        raise RegistryError("query_open", _("This query is not closed."))
    locked.status, locked.closed_at, locked.closed_by = QueryStatus.OPEN, None, None
    try:
        with transaction.atomic():
            locked.save(update_fields=["status", "closed_at", "closed_by"])
    except IntegrityError as error:
        raise RegistryError("query_again", _("The rule asks this again in a newer query.")) from error
    locked.answers.create(action=QueryAction.REOPENED, text=reason, by=by)
    return locked
