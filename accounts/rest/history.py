"""The history of one record, as the API shows it: when, who, why, through which door, and what became of what."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from accounts.records import ClinicalRecord

# Housekeeping of every row; a version is shown beside the changes, not among them.
_NOT_FACTS = {"id", "version", "created_at"}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str | list):
        return value
    return DjangoJSONEncoder().default(value)


def history_of(record: ClinicalRecord) -> list[dict[str, Any]]:
    """Return the record's history rows, oldest first. One query.

    Each is ``{at, event, version, by, reason, source, changes: [{field, old, new}]}``; the first row's old values are None.
    """
    fields = [field for field in record._meta.concrete_fields if field.name not in _NOT_FACTS]
    rows = []
    before: dict[str, Any] = {}
    for event in record.events.order_by("pgh_id"):  # type: ignore[attr-defined]
        values = {field.name: _plain(getattr(event, field.attname)) for field in fields}
        said = event.pgh_context or {}
        rows.append(
            {
                "at": event.pgh_created_at,
                "event": event.pgh_label,
                "version": event.version,
                "by": said.get("username", ""),
                "reason": said.get("reason", ""),
                "source": said.get("source", ""),
                "changes": [
                    {"field": name, "old": before.get(name), "new": value}
                    for name, value in values.items()
                    if before.get(name) != value
                ],
            }
        )
        before = values
    return rows
