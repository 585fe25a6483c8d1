"""The context that history rows carry: who changed a record, why, and through which door.

The rows themselves are written by database triggers (django-pghistory), so that bulk updates and raw SQL are caught too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pghistory
import pghistory.runtime

from accounts.models import User


@contextmanager
def change_context(*, by: User | None = None, reason: str = "", source: str = "") -> Iterator[None]:
    """Say who changes records in this block, why, and through which door (form, admin, api, import, command).

    What an enclosing block said stands where this one is silent, and again when it ends.
    """
    said: dict[str, str] = {}
    if by is not None:
        said["user"] = str(by.pk)
        said["username"] = by.username
    if reason:
        said["reason"] = reason
    if source:
        said["source"] = source
    with pghistory.context() as context:
        before = dict(context.metadata)
        context.metadata.update(said)
        try:
            yield
        finally:
            # pghistory keeps what was added for the rest of the request; a reason belongs to one act alone.
            context.metadata.clear()
            context.metadata.update(before)
