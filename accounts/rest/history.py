"""The history of one record, as the API shows it: values as they are stored, not in words."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from accounts.changes import Change, changes_of
from accounts.records import ClinicalRecord


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str | list):
        return value
    return DjangoJSONEncoder().default(value)


def history_of(record: ClinicalRecord) -> list[dict[str, Any]]:
    """Return the record's history rows, oldest first. One query.

    Each is ``{at, event, version, by, reason, source, changes: [{field, old, new}]}``; the first row's old values are None.
    """
    return [_row(change) for change in changes_of([record])]


def _row(change: Change) -> dict[str, Any]:
    return {
        "at": change.at,
        "event": change.row.pgh_label,
        "version": change.version,
        "by": change.username,
        "reason": change.reason,
        "source": change.source,
        "changes": [
            {"field": one.column.name, "old": _plain(one.old_value), "new": _plain(one.new_value)}
            for one in change.fields
        ],
    }
