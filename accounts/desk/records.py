"""The page of one kind of clinical record: its forms, and the services that store what they say."""

from datetime import UTC, tzinfo
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.access import Act, roles_with
from accounts.desk.bulk import BulkAdmin
from accounts.desk.forms import CorrectionForm, DeskForm
from accounts.desk.site import desk_centres, user_of
from accounts.errors import RegistryError
from accounts.models import Centre, User
from accounts.records import ClinicalRecord, correct_record, create_record


class ClinicalAdmin(BulkAdmin):
    """The page of one kind of clinical record."""

    entry_fields: ClassVar[tuple[str, ...]] = ()
    correction_fields: ClassVar[tuple[str, ...]] = ()  # those of get_readonly_fields included
    # Shown, not changed: a record at the wrong patient is voided.
    fixed_fields: ClassVar[tuple[str, ...]] = ()
    entry_form: ClassVar[type[DeskForm]] = DeskForm
    correction_form: ClassVar[type[CorrectionForm]] = CorrectionForm
    change_form_outer_before_template = "admin/desk_before.html"

    # The form

    def get_readonly_fields(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> tuple[str, ...]:
        return self.fixed_fields if obj is not None else ()

    def get_fieldsets(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> list[Any]:
        if obj is None:
            return [(None, {"fields": self.entry_fields})]
        fieldsets: list[Any] = [(None, {"fields": self.correction_fields})]
        if self.has_change_permission(request, obj):
            asked = (self.correction_form.reason_name, "expected_version")
            fieldsets.append((_("Correction"), {"fields": asked}))
        return fieldsets

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        if obj is None:
            kwargs.setdefault("form", self.entry_form)
        elif self.has_change_permission(request, obj):
            kwargs.setdefault("form", self.correction_form)
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request  # type: ignore[attr-defined]  # a class of this request alone
        return form

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, ArrayField) and db_field.base_field.choices:
            return forms.MultipleChoiceField(
                label=capfirst(str(db_field.verbose_name)),
                choices=db_field.base_field.choices,
                required=False,
                help_text=db_field.help_text,
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
            )
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(db_field, models.DateTimeField) and field is not None:
            zone = _("Local time of the centre: {zone}.").format(zone=timezone.get_current_timezone_name())
            field.help_text = f"{field.help_text} {zone}".strip()
        return field

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Offer, and accept, only what the user may put such a record at."""
        user, target = user_of(request), db_field.remote_field.model
        if issubclass(target, ClinicalRecord):
            rows = target._default_manager.current()
            for act in (self.model.EDIT_ACT, Act.CORRECT_IN_ADMIN, *self.view_acts):
                rows = rows.visible_to(user, act)
            kwargs["queryset"] = rows.select_related(target.CENTRE_PATH.removesuffix("_id"))
        elif target is Centre:
            kwargs["queryset"] = Centre.objects.visible_to(
                user, Act.CORRECT_IN_ADMIN
            ) & Centre.objects.visible_to(user, self.model.EDIT_ACT)
        elif target is User:
            people = User.objects.filter(memberships__role__in=roles_with(self.model.EDIT_ACT))
            centres = desk_centres(user, self.model.EDIT_ACT)
            if centres is not None:
                people = people.filter(memberships__centre__in=centres)
            kwargs["queryset"] = people.distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def zone_of_entry(self, request: HttpRequest) -> tzinfo:
        """Return the zone in which the times of a first entry are meant: the desk's, where it has one."""
        zones = {
            centre.time_zone: centre.zone
            for centre in Centre.objects.visible_to(user_of(request), self.model.EDIT_ACT)
        }
        return next(iter(zones.values())) if len(zones) == 1 else UTC

    def links(self, request: HttpRequest, record: ClinicalRecord) -> list[tuple[str, str]]:
        """Return (words, address) of where to go from a record."""
        return []

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or store a record, in its centre's local time; what a service refuses comes back in the form."""
        record = self.get_object(request, unquote(object_id)) if object_id else None
        if request.method == "POST" and record is not None and record.voided_at is not None:
            messages.error(request, _("This record has been voided. Nothing of yours was stored."))
            return HttpResponseRedirect(request.path)
        zone = self.zone_of_entry(request) if record is None else self.zone_of(record)
        context = (extra_context or {}) | {"show_save_and_add_another": False}
        if record is not None:
            context["desk_links"] = self.links(request, record)
        with timezone.override(zone):
            try:
                response = super().changeform_view(request, object_id, form_url, context)
            except (ValidationError, RegistryError) as refused:
                # The form is shown again, with what was refused as its errors: it is not valid, so nothing is stored.
                request.desk_refusals = self.refusals(request, refused, record, zone)  # type: ignore[attr-defined]
                response = super().changeform_view(request, object_id, form_url, context)
            if isinstance(response, TemplateResponse):
                response.render()  # times are written now, while the zone holds
        return response

    # Writing

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = user_of(request)
        if not change:
            stored = self.store_entry(obj, form=form, by=by)
            vars(obj).update(vars(stored))  # what a service made of it is what the next page is about
            return
        record = self.get_object(request, str(obj.pk))  # as it is stored: the form has already changed obj
        assert record is not None
        self.store_correction(
            record,
            form.model_changes(),
            form=form,
            by=by,
            reason=form.cleaned_data[form.reason_name],
            expected_version=form.cleaned_data["expected_version"],
        )

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return create_record(record, by=by)

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        correct_record(record, changes, by=by, reason=reason, expected_version=expected_version)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        raise PermissionDenied

    # The history rows are the log; Django's own would be a second, poorer one.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...
