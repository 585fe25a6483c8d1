"""The desk's page of protocols."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.access import Act
from accounts.desk.forms import DeskForm
from accounts.desk.shared import ReasonForm, SharedAdmin
from accounts.desk.site import user_of
from treatments import services
from treatments.models import PROTOCOL_SECTIONS, Course, Protocol


class ProtocolRules(DeskForm):
    """Dose rules are the fields of an object; nothing written: no advice is given."""

    def clean_dose_rules(self) -> dict[str, Any]:
        rules = self.cleaned_data["dose_rules"]
        if rules is None:
            return {}
        if not isinstance(rules, dict):
            raise ValidationError(_('Write the thresholds with their names, such as {"source": "…"}.'))
        return rules


class ProtocolEntryForm(ProtocolRules):
    pass


class ProtocolChangeForm(ProtocolRules, ReasonForm):
    pass


@admin.register(Protocol)
class ProtocolAdmin(SharedAdmin):
    """Protocols are versioned: one that courses run under stays as it is, and a change is a new version."""

    entry_form = ProtocolEntryForm
    change_reason_form = ProtocolChangeForm
    list_display = (
        "name",
        "code",
        "version",
        "planned_cycles",
        "interval_days",
        "window_days",
        "prescribed_activity_mbq",
    )
    search_fields = ("code", "name")
    words_only = ("name", "source")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # The version of a new one is the next of its code: the service counts.
        version = () if obj is None else ("version",)
        (plan, names), *others = PROTOCOL_SECTIONS
        sections = [(plan, (*version, *names)), *others, (_("Dose advice"), ("dose_rules",))]
        fieldsets: list[Any] = [(title, {"fields": fields}) for title, fields in sections]
        return [*fieldsets, *super().get_fieldsets(request, obj)[1:]]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        plan = self.plan_fields()
        # A form opened before the first course was started still sends a plan: the database says whether it may.
        if obj is None or not plan.isdisjoint(request.POST) or not self.is_followed(obj):
            return ()
        return tuple(field.name for field in Protocol._meta.fields if field.name in plan)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, ArrayField) and db_field.base_field.choices:
            return forms.MultipleChoiceField(
                label=capfirst(str(db_field.verbose_name)),
                choices=db_field.base_field.choices,
                required=False,
                help_text=db_field.help_text,
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def plan_fields(self) -> set[str]:
        """Return the names of the fields that courses rest on."""
        return {
            field.name
            for field in Protocol._meta.fields
            if field.editable and not field.primary_key and field.name not in self.words_only
        }

    def is_followed(self, protocol: Protocol) -> bool:
        return Course.objects.filter(protocol=protocol).exists()

    def note(self, request: HttpRequest, obj: Any) -> str:
        if self.has_change_permission(request, obj) and self.is_followed(obj):
            return _(
                "Courses follow this version: its plan stays as it is. For another plan add a new version; "
                "name and source can be reworded."
            )
        return ""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        values = {name: getattr(obj, name) for name in form.cleaned_data}
        stored = services.add_protocol(values, by=user_of(request))
        vars(obj).update(vars(stored))
