"""The history pages of the desk, and what is said to who was overtaken by another's change."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.changes import changes_of
from accounts.desk.forms import refusals_of
from accounts.desk.visibility import VisibleRecordsAdmin
from accounts.errors import RegistryError, StaleRecord
from accounts.records import ClinicalRecord


def changed_since(record: ClinicalRecord, version: int, *, zone: tzinfo) -> list[str]:
    """Return in words what was changed of a record after ``version``."""
    return [
        f"{change.record}, {field.label}: {field.old} → {field.new}"
        f" ({change.who}, {change.at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone})."
        for change in changes_of([record], zone=zone)
        if change.version > version
        for field in change.fields
    ]


class HistoryAdmin(VisibleRecordsAdmin):
    """What became of a record, on a page of its own and beside a refusal."""

    object_history_template = "admin/desk_history.html"

    def history_records(self, record: Any) -> Sequence[ClinicalRecord]:
        """Return the records whose changes the history page of ``record`` shows."""
        return [record]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what the database itself wrote down of every change, newest first."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, record):
            raise PermissionDenied
        zone = self.zone_of(record)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {record}",
            "opts": self.opts,
            "original": record,
            "patient": self.patient_of(record),
            "object": record,
            "object_id": object_id,
            "changes": changes_of(self.history_records(record), zone=zone)[::-1],
            "zone": zone,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)

    def records_shown(self, request: HttpRequest, record: ClinicalRecord) -> list[tuple[ClinicalRecord, str]]:
        """Return the records that the form shows, each with the name of the form's field for its version."""
        return [(record, "expected_version")]

    def refusals(
        self,
        request: HttpRequest,
        refused: ValidationError | RegistryError,
        record: ClinicalRecord | None,
        zone: tzinfo,
    ) -> list[tuple[str, str | None]]:
        """Return (message, field or None) of a refusal."""
        if isinstance(refused, ValidationError):
            return refusals_of(refused)
        found: list[tuple[str, str | None]] = [(refused.message, None)]
        if isinstance(refused, StaleRecord) and record is not None:
            for shown, name in self.records_shown(request, record):
                version = request.POST.get(name, "")
                if version.isdecimal():
                    found += [(line, None) for line in changed_since(shown, int(version), zone=zone)]
            found.append(("Open the record again to see it as it is now, and correct that.", None))
        return found
