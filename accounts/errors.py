"""What services raise, and how a refusal by the database becomes a sentence for the person who caused it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from django.apps import apps
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _


class Doubt(Protocol):
    """One thing that stands against an act: a stable code, and a sentence for people."""

    @property
    def code(self) -> str: ...

    @property
    def message(self) -> str: ...


class RegistryError(Exception):
    """A clinical act that the records' state does not allow.

    Attributes:
        code: stable, for tests and API.
        message: for people.
        warnings: what the act is done in spite of, once it is confirmed; empty where it cannot be done at all.
        confirmed_by: the argument that confirms them; blank likewise.
    """

    warnings: Sequence[Doubt] = ()
    confirmed_by: str = ""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StaleRecord(RegistryError):
    """The record was changed by somebody else since it was read."""

    def __init__(self, message: str, *, current_version: int) -> None:
        super().__init__("stale_record", message)
        self.current_version = current_version


# What tells the sentences of the checks across tables in the reader's language; each app brings its own (told_by).
_RETELLERS: list[Callable[[str], str]] = []


def told_by(retold: Callable[[str], str]) -> None:
    """Let refusals of the database be told again by ``retold``, which returns what it does not know as it was."""
    _RETELLERS.append(retold)


def _told(sentence: str) -> str:
    for retold in _RETELLERS:
        if (said := retold(sentence)) != sentence:
            return said
    return sentence


def refusal(error: IntegrityError) -> ValidationError:
    """Return what the database refused, in the words of the constraint that was broken.

    Triggers carry their own sentence; constraints declared on models carry theirs in ``violation_error_message``.
    """
    diagnostic = getattr(error.__cause__, "diag", None)
    name = getattr(diagnostic, "constraint_name", None) or ""
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name == name:
                message = ValidationError(constraint.get_violation_error_message(), code=name)
                return ValidationError({NON_FIELD_ERRORS: [message]})
    # 23514 with no declared constraint: one of the checks across tables, which raise a sentence of their own.
    if getattr(diagnostic, "sqlstate", None) == "23514" and diagnostic is not None:
        sentence = diagnostic.message_primary or ""
        message = ValidationError(_told(sentence), code=name or "refused")
        return ValidationError({NON_FIELD_ERRORS: [message]})
    message = ValidationError(
        _("The database refused this record: it contradicts another one."), code=name or "refused"
    )
    return ValidationError({NON_FIELD_ERRORS: [message]})
