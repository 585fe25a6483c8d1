"""Protocols are versioned: a change is a new version, and courses stay with theirs."""

from typing import Any

from django.db.models import Max

from accounts.access import Act
from accounts.models import User
from accounts.records import clinical_write
from treatments.models import Protocol


def add_protocol(values: dict[str, Any], *, by: User | None) -> Protocol:
    """Store a protocol, as the next version of its code.

    Args:
        values: field name to value, without the version.

    Raises:
        PermissionDenied: ``by`` may not manage protocols.
        ValidationError: the plan cannot be followed; the message says why.
    """
    if by is not None:
        by.require(Act.MANAGE_COHORTS)
    with clinical_write(by=by):
        latest = Protocol.objects.filter(code=values.get("code", "")).aggregate(n=Max("version"))["n"] or 0
        protocol = Protocol(**values | {"version": latest + 1})
        protocol.full_clean()
        protocol.save(force_insert=True)
    return protocol
