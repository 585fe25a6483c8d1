"""What is done with several records of a list at once: voided with one reason, or taken away as a file."""

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import content_disposition_header
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts import list_files
from accounts.changes import Words
from accounts.desk.site import user_of
from accounts.desk.voiding import VoidingAdmin
from accounts.errors import RegistryError

MOST_VOIDED = 200
MOST_EXPORTED = 50_000


class VoidSelectedForm(forms.Form):
    """Why several records are voided, and the version of each as it stood on the page."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "required": True}),
    )
    versions = forms.CharField(widget=forms.HiddenInput)

    def version_of(self, key: Any) -> int:
        """Return the version that a record had on the page; 0, which none has, where it did not stand there."""
        found = dict(one.partition(":")[::2] for one in self.cleaned_data["versions"].split(","))
        version = found.get(str(key), "")
        return int(version) if version.isdecimal() else 0


class BulkAdmin(VoidingAdmin):
    """The acts on what is ticked in a list. Each record goes through the service that a single one goes through."""

    actions = ("void_selected", "export_csv", "export_xlsx")

    @admin.action(description=gettext_lazy("Void with a reason"), permissions=["change"])
    def void_selected(self, request: HttpRequest, rows: models.QuerySet) -> HttpResponse | None:
        """Ask for one reason, then void all that are ticked or, where one is refused, none."""
        records = list(rows.filter(voided_at__isnull=True)[: MOST_VOIDED + 1])
        if not records or len(records) > MOST_VOIDED:
            limit = _("Void up to {n} records at once.").format(n=MOST_VOIDED)
            messages.warning(request, limit if records else _("Nothing is left to void."))
            return None
        versions = ",".join(f"{record.pk}:{record.version}" for record in records)
        asked = "reason" in request.POST
        form = VoidSelectedForm(request.POST if asked else None, initial={"versions": versions})
        refused: list[str] = []
        if asked and form.is_valid():
            refused = self._void_all(request, records, form)
            if not refused:
                n = len(records)
                said = ngettext(
                    "Voided: {n} record. They stay in the history.",
                    "Voided: {n} records. They stay in the history.",
                    n,
                )
                messages.success(request, said.format(n=n))
                return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Void {n} of {kind}").format(n=len(records), kind=self.opts.verbose_name_plural),
            "opts": self.opts,
            "records": [(record, self.patient_of(record)) for record in records],
            "form": form,
            "refused": refused,
            "checkbox": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        status = 422 if asked else 200
        return TemplateResponse(request, "admin/desk_void_selected.html", context, status=status)

    def _void_all(self, request: HttpRequest, records: list[Any], form: VoidSelectedForm) -> list[str]:
        """Void every record or none; return what was refused."""
        refused = []
        with transaction.atomic():
            for record in records:
                if not self.has_void_permission(request, str(record.pk)):
                    refused.append(_("{record}: it cannot be voided here.").format(record=record))
                    continue
                try:
                    self.store_void(
                        record,
                        by=user_of(request),
                        reason=form.cleaned_data["reason"],
                        expected_version=form.version_of(record.pk),
                    )
                except ValidationError as error:
                    refused += [f"{record}: {message}" for message in error.messages]
                except RegistryError as error:
                    refused.append(f"{record}: {error.message}")
            if refused:
                transaction.set_rollback(True)
        return refused

    @admin.action(description=gettext_lazy("Take away as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, rows: models.QuerySet) -> HttpResponse:
        headings, lines = self._lines(rows)
        return self._file(list_files.as_csv(headings, lines), "csv", "text/csv; charset=utf-8")

    @admin.action(description=gettext_lazy("Take away as XLSX"), permissions=["view"])
    def export_xlsx(self, request: HttpRequest, rows: models.QuerySet) -> HttpResponse:
        headings, lines = self._lines(rows)
        title = re.sub(r"[\\*?:/\[\]]", " ", str(self.opts.verbose_name_plural))[
            :31
        ]  # what a sheet may be called
        return self._file(list_files.as_xlsx(title, headings, lines), "xlsx", list_files.XLSX)

    def _lines(self, rows: models.QuerySet) -> tuple[list[str], list[list[Any]]]:
        """Return headings and lines of the records: dates and numbers as they are, the rest in words."""
        columns = [column for column in self.opts.concrete_fields if column.name not in {"id", "patient"}]
        headings = [_("Registry number"), *(capfirst(str(column.verbose_name)) for column in columns)]
        lines = []
        for record in rows[:MOST_EXPORTED]:
            words = Words(self.zone_of(record))
            values = [_value(words, column, record) for column in columns]
            lines.append([str(self.patient_of(record)), *values])
        return headings, lines

    def _file(self, body: bytes, file_type: str, content_type: str) -> HttpResponse:
        answer = HttpResponse(body, content_type=content_type)
        name = str(self.opts.verbose_name_plural).replace(" ", "-")
        answer["Content-Disposition"] = content_disposition_header(True, f"{name}.{file_type}") or ""
        answer["Cache-Control"] = "no-store"
        return answer


def _value(words: Words, column: models.Field, record: Any) -> Any:
    value = getattr(record, column.attname)
    if value is None or value == "":
        return None
    plain = isinstance(column, models.DateField | models.DecimalField | models.IntegerField)
    if plain and not isinstance(column, models.DateTimeField) and not column.flatchoices:
        return value
    return words.of(column, value)
