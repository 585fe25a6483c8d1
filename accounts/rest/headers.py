"""Who asks, and the request headers that carry preconditions and reasons."""

import re

from rest_framework.request import Request

from accounts.models import User
from accounts.records import ClinicalRecord
from accounts.rest.refusals import BadHeader, PreconditionFailed, PreconditionRequired

MAX_REASON = 500
_ENTITY_TAG = re.compile(r'^"([0-9]{1,9})"$')


def user_of(request: Request) -> User:
    """Return who asks. Every view of the API requires somebody."""
    assert isinstance(request.user, User)
    return request.user


def change_reason(request: Request) -> str:
    """Return why a record is changed, from ``Change-Reason`` (UTF-8, at most 500 characters).

    Raises:
        BadHeader: ``change_reason_required`` where it is missing or blank, ``change_reason_invalid`` where it is unusable.
    """
    raw = request.headers.get("Change-Reason", "")
    try:
        # WSGI hands header bytes over as Latin-1; clients write UTF-8.
        reason = raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        reason = raw
    reason = reason.strip()
    if not reason:
        raise BadHeader(
            "Change-Reason", "Say in Change-Reason why this is changed.", "change_reason_required"
        )
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise BadHeader(
            "Change-Reason",
            f"A reason is one line of at most {MAX_REASON} characters.",
            "change_reason_invalid",
        )
    return reason


def expected_version(request: Request, record: ClinicalRecord, *, required: bool) -> int | None:
    """Return the version named by ``If-Match``, which is the record's present one; None where none is named.

    ``*`` matches nothing: it would overwrite what was never read.

    Raises:
        PreconditionRequired: it is missing, and ``required``.
        PreconditionFailed: it names another version.
    """
    named = request.headers.get("If-Match", "").strip()
    if not named:
        if required:
            raise PreconditionRequired
        return None
    match = _ENTITY_TAG.match(named)
    if match is None or int(match[1]) != record.version:
        raise PreconditionFailed(current_version=record.version)
    return record.version
