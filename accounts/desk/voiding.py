"""The page that asks for the reason before a record is voided."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.desk.forms import VoidForm
from accounts.desk.history import HistoryAdmin
from accounts.desk.site import user_of
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import void_record


class VoidingAdmin(HistoryAdmin):
    """Records are voided, with a reason; none is deleted."""

    actions_detail = ["void"]

    def has_void_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Return whether the record may be voided; of one that cannot be seen the page itself says so."""
        if object_id is None:
            return self.has_change_permission(request)
        record = self.get_object(request, unquote(str(object_id)))
        return self.has_change_permission(request, record)

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        void_record(record, by=by, reason=reason, expected_version=expected_version)

    @action(
        description=gettext_lazy("Void with a reason"),
        url_path="void",
        permissions=["void"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason, then take the record out of all counts."""
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        form = VoidForm(request.POST or None, initial={"expected_version": record.version})
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[record.pk])
        if request.method == "POST" and form.is_valid():
            try:
                self.store_void(
                    record,
                    by=user_of(request),
                    reason=form.cleaned_data["reason"],
                    expected_version=form.cleaned_data["expected_version"],
                )
            except (ValidationError, RegistryError) as refused:
                for message, field in self.refusals(request, refused, record, self.zone_of(record)):
                    form.add_error(field if field in form.fields else None, message)
            else:
                messages.success(
                    request, _("Voided: {record}. It stays in the history.").format(record=record)
                )
                return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Void: {record}").format(record=record),
            "opts": self.opts,
            "original": record,
            "patient": self.patient_of(record),
            "form": form,
            "page": page,
            "media": self.media,
        }
        return TemplateResponse(
            request, "admin/desk_void.html", context, status=422 if form.is_bound else 200
        )
