"""The context that history rows carry: who changed a record, why, and through which door.

The rows themselves are written by database triggers (django-pghistory), so that bulk updates and raw SQL are caught too.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pghistory
import pghistory.runtime

from accounts.models import User


def server_user() -> str:
    """Return who runs this process, by the operating system, such as ``maria (server)``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        name = f"uid {os.getuid()}"
    return f"{name} (server)"


@contextmanager
def change_context(*, by: User | None = None, reason: str = "", source: str = "") -> Iterator[None]:
    """Say who changes records in this block, why, and through which door (form, admin, api, import, command).

    What an enclosing block said stands where this one is silent, and again when it ends. Where nobody is signed in, who runs
    the command on the server is said instead.
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
        if by is None and not before.keys() & {"user", "username", "url"}:  # nor did anybody ask over the web
            said["username"] = server_user()
        context.metadata.update(said)
        try:
            yield
        finally:
            # pghistory keeps what was added for the rest of the request; a reason belongs to one act alone.
            context.metadata.clear()
            context.metadata.update(before)
