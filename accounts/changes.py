"""What became of records and whatever else is tracked: history rows read as changes, once for all doors.

How the rows come to be: accounts.history and docs/history.md.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

import pghistory.core
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from languages import wording
from languages.wording import day, gettext_noop, number

BLANK = gettext_noop("(blank)")
NOBODY = gettext_noop("nobody signed in")
# The sources of accounts.history.change_context.
DOORS = wording.Words(
    {
        "form": gettext_noop("Page of the registry"),
        "admin": gettext_noop("Correction desk"),
        "api": gettext_noop("REST API"),
        "import": gettext_noop("File import"),
        "command": gettext_noop("Command on the server"),
    }
)
NO_DOOR = gettext_noop("SQL in the database")  # nobody gave a context
# Housekeeping of every row; a version is shown beside the changes, not among them.
_NOT_FACTS = {"id", "version", "created_at"}


class What(StrEnum):
    """What happened to a record; the words are for ``gettext``."""

    ENTERED = gettext_noop("Entered")
    CHANGED = gettext_noop("Changed")
    VOIDED = gettext_noop("Voided")
    DELETED = gettext_noop(
        "Deleted"
    )  # of clinical records only where the trigger that forbids it was switched off by hand


class Words:
    """Stored values as people read them, times in one zone.

    What foreign keys point at is read when it is first asked for: one query for each table.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.zone = zone
        self._wanted: dict[type[models.Model], set[Any]] = {}
        self._names: dict[type[models.Model], dict[Any, str]] = {}

    def expect(self, column: models.Field, *keys: Any) -> None:
        """Remember keys that may be asked for, so that they are read together."""
        self._wanted.setdefault(_target(column), set()).update(key for key in keys if key is not None)

    def of(self, column: models.Field, value: Any) -> str:
        """Return a value of the column in words; a blank says so.

        Args:
            value: as it is stored, or as a form cleaned it; of a foreign key its key, or the row itself.
        """
        if value is None or value == "" or value == [] or value == {}:
            return _(BLANK)
        if isinstance(value, models.Model):
            return str(value)
        if column.is_relation:
            return self._name(column, value)
        if isinstance(value, list | tuple):
            labels = dict(getattr(column, "base_field", column).flatchoices)
            return ", ".join(str(labels.get(item, item)) for item in value)
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, datetime):
            local = value.astimezone(self.zone)
            return f"{day(local)} {local:%H:%M:%S} ({self.zone})"
        if isinstance(value, date):
            return day(value)
        if isinstance(value, Decimal | float) and not column.flatchoices:
            return number(value)
        return str(dict(column.flatchoices).get(value, value))

    def _name(self, column: models.Field, key: Any) -> str:
        model = _target(column)
        names = self._names.setdefault(model, {})
        if key not in names:
            unread = (self._wanted.get(model, set()) | {key}) - set(names)
            # A row's own name may be made of the rows that it hangs on.
            rows = model._default_manager.select_related().in_bulk(unread)
            names.update({missing: str(missing) for missing in unread})
            names.update({found: str(row) for found, row in rows.items()})
        return names[key]


def _target(column: models.Field) -> type[models.Model]:
    return cast(type[models.Model], column.related_model)


@dataclass(frozen=True)
class ChangedField:
    """A field's value before and after: as stored, and in words. What is entered was None before."""

    column: models.Field
    old_value: Any
    new_value: Any
    words: Words = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        return capfirst(str(self.column.verbose_name))

    @property
    def old(self) -> str:
        return self.words.of(self.column, _keys_that_differ(self.old_value, self.new_value))

    @property
    def new(self) -> str:
        return self.words.of(self.column, _keys_that_differ(self.new_value, self.old_value))


def _keys_that_differ(value: Any, other: Any) -> Any:
    """Return of an object of JSON what the other does not hold alike; anything else as it is."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return value
    return {key: one for key, one in value.items() if key not in other or other[key] != one}


@dataclass(frozen=True)
class Change:
    """What one history row says.

    Attributes:
        row: the row itself, whose fields hold the record as it was afterwards.
        at: aware.
        version: the record's, afterwards; None of what has none.
        username: who was signed in; blank for commands and SQL.
        source: a key of ``DOORS``; blank where no door was named.
        fields: those that changed; of an entry those that are not blank.
    """

    row: Any = field(repr=False, compare=False)
    model: type[models.Model]
    at: datetime
    what: What
    version: int | None
    username: str
    reason: str
    source: str
    door: str
    fields: tuple[ChangedField, ...]

    @property
    def record(self) -> str:
        return capfirst(str(self.model._meta.verbose_name))

    @property
    def who(self) -> str:
        return self.username or _(NOBODY)


def _history_of(model: type[models.Model]) -> type[models.Model]:
    (history,) = pghistory.core.event_models(tracks_model=model)
    return history


def rows_of(model: type[models.Model]) -> models.QuerySet[Any]:
    """Return the history rows of a tracked model, in the order they were written."""
    return _history_of(model)._default_manager.order_by("pgh_id")


def changes_in(model: type[models.Model], rows: Iterable[Any], words: Words | None = None) -> list[Change]:
    """Return what history rows say, in their order. No query until words of a foreign key are asked for.

    Args:
        rows: all rows of one or more records of ``model``, each record's in the order they were written.
        words: shared by the changes of several tables, so that what they refer to is read once.
    """
    words = words or Words()
    kept = {column.name for column in _history_of(model)._meta.concrete_fields} - _NOT_FACTS
    columns = [column for column in model._meta.concrete_fields if column.name in kept]
    changes: list[Change] = []
    latest: dict[Any, Any] = {}
    for row in rows:
        before = latest.get(row.pgh_obj_id)
        fields = []
        for column in columns:
            old = getattr(before, column.attname) if before is not None else None
            new = getattr(row, column.attname)
            if old == new or (before is None and new in ("", [], {})):
                continue
            if column.is_relation:
                words.expect(column, old, new)
            fields.append(ChangedField(column, old, new, words))
        said = row.pgh_context or {}
        source = said.get("source", "")
        changes.append(
            Change(
                row=row,
                model=model,
                at=row.pgh_created_at,
                what=_what(row, before),
                version=getattr(row, "version", None),
                username=said.get("username", ""),
                reason=said.get("reason", ""),
                source=source,
                door=_(NO_DOOR) if row.pgh_context is None else DOORS.get(source, source or DOORS["command"]),
                fields=tuple(fields),
            )
        )
        latest[row.pgh_obj_id] = row
    return changes


def _what(row: Any, before: Any) -> What:
    if row.pgh_label == "delete":
        return What.DELETED
    if before is None:
        return What.ENTERED
    if getattr(row, "voided_at", None) is not None and before.voided_at is None:
        return What.VOIDED
    return What.CHANGED


def changes_of(records: Sequence[models.Model], *, zone: tzinfo = UTC) -> list[Change]:
    """Return all changes of the records, oldest first. One query for each kind of record, others as for ``Words``."""
    words = Words(zone)
    changes: list[Change] = []
    for model in dict.fromkeys(type(record) for record in records):
        keys = [record.pk for record in records if type(record) is model]
        changes += changes_in(model, rows_of(model).filter(pgh_obj__in=keys), words)
    # Changes of one transaction share their time: the order they were written in is kept among them.
    return sorted(changes, key=lambda change: change.at)
