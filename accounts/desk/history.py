"""The history pages of the desk, and what is said to who was overtaken by another's change."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from accounts.changes import Change, changes_of
from accounts.desk.forms import refusals_of
from accounts.desk.pages import DeskAdmin
from accounts.desk.visibility import VisibleRecordsAdmin
from accounts.errors import RegistryError, StaleRecord
from accounts.records import ClinicalRecord
from languages.wording import day


def told(changes: Sequence[Change], *, zone: tzinfo) -> list[str]:
    """Return changes in words, a line for each field, for who was overtaken by them."""
    lines = []
    for change in changes:
        at = change.at.astimezone(zone)
        when = f"{day(at)} {at:%H:%M:%S} {zone}"
        lines += [
            f"{change.record}, {field.label}: {field.old} → {field.new} ({change.who}, {when})."
            for field in change.fields
        ]
    return lines


def changed_since(record: ClinicalRecord, version: int, *, zone: tzinfo) -> list[str]:
    """Return in words what was changed of a record after ``version``."""
    later = [change for change in changes_of([record], zone=zone) if (change.version or 0) > version]
    return told(later, zone=zone)


class ChangesAdmin(DeskAdmin):
    """A history page made of what the database itself wrote down of every change."""

    object_history_template = "admin/desk_history.html"

    def zone_of(self, record: Any) -> tzinfo:
        """Return the zone in which times of a record are told."""
        return UTC

    def history_changes(self, request: HttpRequest, record: Any) -> list[Change]:
        """Return the changes that the history page of ``record`` shows, oldest first."""
        return changes_of([record], zone=self.zone_of(record))

    def history_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        """Return what else the history page is given."""
        return {}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every change, newest first."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, record):
            raise PermissionDenied
        zone = self.zone_of(record)
        context = {
            **self.admin_site.each_context(request),
            "title": _("History: {record}").format(record=record),
            "opts": self.opts,
            "original": record,
            "object": record,
            "object_id": object_id,
            "changes": self.history_changes(request, record)[::-1],
            "zone": zone,
            **self.history_context(request, record),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)


class HistoryAdmin(VisibleRecordsAdmin, ChangesAdmin):
    """What became of a clinical record, on a page of its own and beside a refusal."""

    def history_records(self, record: Any) -> Sequence[ClinicalRecord]:
        """Return the records whose changes the history page of ``record`` shows."""
        return [record]

    def history_changes(self, request: HttpRequest, record: Any) -> list[Change]:
        return changes_of(self.history_records(record), zone=self.zone_of(record))

    def history_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        return {"patient": self.patient_of(record)}

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
            found.append((_("Open the record again to see it as it is now, and correct that."), None))
        return found
