"""The pages of what is tracked and belongs to no patient: centres, protocols, definitions, cohorts.

Entering needs no reason; a change does, and stands with it in the history.
"""

from typing import Any, ClassVar

from django import forms
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.changes import changes_of, rows_of
from accounts.desk.forms import DeskForm, refusals_of
from accounts.desk.history import ChangesAdmin, told
from accounts.desk.site import user_of
from accounts.errors import RegistryError, StaleRecord
from accounts.records import clinical_write


class ReasonField(forms.CharField):
    """Why something is changed. It is itself no change of it."""

    def __init__(self, **options: Any) -> None:
        plain = {
            "label": gettext_lazy("Reason for the change"),
            "max_length": 500,
            "widget": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "help_text": gettext_lazy("Kept in the history beside the old and the new values."),
        }
        super().__init__(**plain | options)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


def latest_change(record: models.Model) -> int:
    """Return the number of the record's latest history row, which serves as its version; 0 where it has none."""
    rows = rows_of(type(record)).filter(pgh_obj=record.pk)
    return rows.order_by("-pgh_id").values_list("pgh_id", flat=True).first() or 0


class ReasonForm(DeskForm):
    """A change: says why, and after which other change it was made."""

    reason = ReasonField()
    seen_change = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen_change"].initial = latest_change(self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and not self.model_changes():
            self.add_error(None, _("Nothing was changed: the values are those already stored."))
        return cleaned

    def model_changes(self) -> dict[str, Any]:
        # By value: for fields with a callable default Django asks the browser what the old value was.
        values = {name: value for name, value in self.cleaned_data.items() if name in self.initial}
        return {
            name: value for name, value in values.items() if getattr(value, "pk", value) != self.initial[name]
        }


class SharedAdmin(ChangesAdmin):
    """The page of one kind of such things: a change is stored with its reason or not at all."""

    entry_form: ClassVar[type[DeskForm]] = DeskForm
    change_reason_form: ClassVar[type[DeskForm]] = ReasonForm
    change_form_outer_before_template = "admin/desk_before.html"

    def note(self, request: HttpRequest, obj: Any) -> str:
        """Return a sentence to stand above the form; blank: none."""
        return ""

    # The form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            name
            for name in super().get_fields(request, obj)
            if name not in self.change_reason_form.base_fields
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj is not None and self.has_change_permission(request, obj):
            fieldsets.append(
                (pgettext("desk", "Change"), {"fields": tuple(self.change_reason_form.base_fields)})
            )
        return fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs.setdefault("form", self.entry_form)
        elif self.has_change_permission(request, obj):
            kwargs.setdefault("form", self.change_reason_form)
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or store; what is refused on the way into the database comes back in the form."""
        record = self.get_object(request, unquote(object_id)) if object_id else None
        context = dict(extra_context or {})
        if record is not None:
            context["desk_note"] = self.note(request, record)
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except (ValidationError, RegistryError) as refused:
            # The form is shown again, with what was refused as its errors: it is not valid, so nothing is stored.
            request.desk_refusals = self.refusals(request, refused, record)  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, context)

    def refusals(
        self, request: HttpRequest, refused: ValidationError | RegistryError, record: Any
    ) -> list[tuple[str, str | None]]:
        """Return (message, field or None) of a refusal."""
        if isinstance(refused, ValidationError):
            return refusals_of(refused)
        lines = [refused.message]
        seen = request.POST.get("seen_change", "")
        if isinstance(refused, StaleRecord) and record is not None and seen.isdecimal():
            zone = self.zone_of(record)
            changes = changes_of([record], zone=zone)
            lines += told([change for change in changes if change.row.pgh_id > int(seen)], zone=zone)
            lines.append(_("Open the page again to see it as it is now, and change that."))
        return [(line, None) for line in lines]

    # Writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = user_of(request)
        if not change:
            with clinical_write(by=by):
                obj.save(force_insert=True)
            return
        with clinical_write(by=by, reason=form.cleaned_data["reason"]):
            # Two desks can change the same one; the row lock makes the second see the first.
            type(obj)._default_manager.select_for_update(of=("self",)).get(pk=obj.pk)
            latest = latest_change(obj)
            if latest != form.cleaned_data["seen_change"]:
                raise StaleRecord(
                    _("This was changed while you had it open. Nothing of yours was stored."),
                    current_version=latest,
                )
            # Only what was changed: a worker may have written the columns that are not on the page meanwhile.
            obj.save(update_fields=list(form.model_changes()))

    # The history rows are the log; Django's own would be a second, poorer one.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any: ...
