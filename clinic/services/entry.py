"""Drafts of forms, and forms that are stored once however often they are sent."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from django.db import connection, transaction
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import RegistryError
from accounts.models import User
from clinic.models import Draft, SentForm
from patients.models import Patient

DRAFTS_KEPT = timedelta(days=14)
TOKENS_KEPT = timedelta(days=1)
MOST_BYTES = 200_000
# The page's own business, or a secret: what a draft never holds.
_NOT_KEPT = {"csrfmiddlewaretoken", "draft_place", "sent_as", "password", "check", "change"}

Saved = TypeVar("Saved")


def shown_as(fields: QueryDict) -> uuid.UUID | None:
    """Return the token that a form was shown with; None where it has none."""
    try:
        return uuid.UUID(fields.get("sent_as", ""))
    except ValueError:
        return None


def token_of(fields: QueryDict) -> uuid.UUID | None:
    """Return the token of a form as it was filled; None where it was shown with none.

    The same form filled otherwise, after going back to it, is another one, and is stored too. What was typed cannot be
    guessed from the result, since the token that the form was shown with is kept nowhere.
    """
    shown = shown_as(fields)
    if shown is None:
        return None
    typed = sorted((name, values) for name, values in fields.lists() if name not in _NOT_KEPT)
    return uuid.uuid5(shown, json.dumps(typed))


def keep_draft(
    *, user: User, place: str, fields: Mapping[str, Sequence[str]], token: uuid.UUID | None = None
) -> None:
    """Store what stands in a form; what was stored of it before is replaced. Of a form that was stored, nothing is.

    Args:
        place: the path of the form.
        token: of the form as it is filled.

    Raises:
        RegistryError: ``draft_too_large``.
    """
    kept = {name: list(values) for name, values in fields.items() if name not in _NOT_KEPT}
    if len(json.dumps(kept)) > MOST_BYTES:
        raise RegistryError("draft_too_large", _("This form is too large for a draft."))
    with transaction.atomic():
        # A draft that was sent off with its form must not outlive it.
        if token is not None and _was_sent(token, user):
            return
        defaults = {"fields": kept, "saved_at": timezone.now()}
        Draft.objects.update_or_create(user=user, place=place, defaults=defaults)


def drop_draft(*, user: User, place: str) -> None:
    Draft.objects.filter(user=user, place=place).delete()


def draft_of(*, user: User, place: str) -> Draft | None:
    return Draft.objects.filter(user=user, place=place).first()


def sent_before(*, user: User, token: uuid.UUID | None) -> SentForm | None:
    """Return the form of this token if it was stored, without waiting for one that is being stored."""
    if token is None:
        return None
    return SentForm.objects.filter(token=token, user=user).select_related("patient").first()


def store_once(
    *, user: User, token: uuid.UUID | None, place: str, save: Callable[[], Saved], patient: Patient | None
) -> tuple[Saved | None, SentForm | None]:
    """Store a form unless it was stored before, and remove its draft, in one transaction.

    A second press waits for the first one and then finds its token.

    Args:
        token: of the form as it was filled; None where it has none, and is stored each time.
        patient: whose chart follows; None where ``save`` returns the patient.

    Returns:
        What ``save`` returned, and None; or None, and the form as it was stored before.

    Raises:
        What ``save`` raises; nothing is stored then, and the token may be used again.
    """
    with transaction.atomic():
        if token is not None and (sent := _was_sent(token, user)):
            return None, sent
        saved = save()
        if token is not None:
            target = patient if patient is not None else saved if isinstance(saved, Patient) else None
            SentForm.objects.create(token=token, user=user, patient=target)
        drop_draft(user=user, place=place)
    return saved, None


def _was_sent(token: uuid.UUID, user: User) -> SentForm | None:
    """Return the form if it was stored. Whoever asks next waits until this transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [token.int % 2**63])
    return sent_before(user=user, token=token)


def tidy_forms() -> None:
    """Remove drafts and tokens that have had their time. Safe to run at any time, twice and concurrently."""
    now = timezone.now()
    Draft.objects.filter(saved_at__lt=now - DRAFTS_KEPT).delete()
    SentForm.objects.filter(sent_at__lt=now - TOKENS_KEPT).delete()
