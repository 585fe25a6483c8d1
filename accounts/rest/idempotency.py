"""Idempotency-Key: a POST that is sent twice is done once.

Stored are a keyed hash of the body and the id of what came out of it, never the body or the answer: they may identify a
patient. A replay shows the record as it is now, through the same access door as any other read. The key is stored in the
transaction of the act itself, so that neither can exist without the other; a refused request leaves no key behind.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.request import Request

from accounts.models import IdempotencyKey
from accounts.rest.headers import user_of
from accounts.rest.refusals import BadHeader, KeyInFlight, KeyReused

KEPT = timedelta(hours=24)
_USABLE = re.compile(r"^[\x21-\x7e]{1,255}$")

RecordT = TypeVar("RecordT", bound=models.Model)


def purge_expired() -> int:
    """Remove keys older than 24 hours and return how many. Safe to run at any time, twice and concurrently."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return deleted


def _fingerprint(request: Request) -> str:
    sent = request.data
    if isinstance(sent, dict):
        # A signature's password leaves no trace, not even a hash of it.
        sent = {name: value for name, value in sent.items() if name != "password"}
    body = json.dumps(sent, sort_keys=True, default=str)
    # Keyed, since an MRN has few enough values to try them all.
    return salted_hmac("accounts.rest.idempotency", body, algorithm="sha256").hexdigest()


def _try_lock(user_id: object, key: str) -> bool:
    """Take the key for this transaction; False where another transaction holds it. A crash frees it."""
    number = int.from_bytes(hashlib.sha256(f"{user_id} {key}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return cursor.fetchone()[0]


def _as_uuid(key: uuid.UUID | int) -> uuid.UUID:
    return uuid.UUID(int=key) if isinstance(key, int) else key


def once(
    request: Request,
    *,
    act: Callable[[], RecordT],
    find: Callable[[str], RecordT],
    model: type[models.Model] | None = None,
) -> tuple[RecordT, bool]:
    """Do ``act`` unless this user's key says that it has been done; return its record and whether it is a replay.

    Args:
        act: the clinical act; called at most once per key.
        find: returns the record of an id as the user may see it now.
        model: of the record, where its ids are numbers and no UUIDs.

    Raises:
        BadHeader: ``idempotency_key_invalid``.
        KeyInFlight: another request with the key is not finished.
        KeyReused: the key was used with another body or at another address.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return act(), False
    if not _USABLE.match(key):
        raise BadHeader(
            "Idempotency-Key", "A key is 1 to 255 visible ASCII characters.", "idempotency_key_invalid"
        )

    route = f"{request.method} {request.path}"
    fingerprint = _fingerprint(request)
    user = user_of(request)
    with transaction.atomic():
        if not _try_lock(user.pk, key):
            raise KeyInFlight
        mine = IdempotencyKey.objects.filter(user=user, key=key)
        mine.filter(created_at__lt=timezone.now() - KEPT).delete()
        done = mine.first()
        if done is not None:
            if (done.route, done.fingerprint) != (route, fingerprint):
                raise KeyReused
            number = isinstance(model._meta.pk, models.IntegerField) if model is not None else False
            return find(str(done.object_id.int if number else done.object_id)), True
        record = act()
        IdempotencyKey.objects.create(
            user=user, key=key, route=route, fingerprint=fingerprint, object_id=_as_uuid(record.pk)
        )
    return record, False
