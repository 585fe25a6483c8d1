"""The desk's pages of cohorts and of the definitions their endpoints are derived by.

A cohort, and the definition it rests on, is changed by who manages cohorts at every centre that it counts.
"""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.access import Act
from accounts.desk.forms import DeskForm
from accounts.desk.shared import ReasonForm, SharedAdmin
from accounts.desk.site import user_of
from accounts.models import Centre
from analytics.cohorts import unmanaged
from analytics.models import Cohort, Definition
from analytics.rules.endpoints import EndpointDefinition
from patients.models import PrimarySite, TumourType

FIGURES = ("courses", "orr", "os", "pfs")  # those of a dashboard that show a remark


class CohortDeskAdmin(SharedAdmin):
    """Seen by who may manage cohorts. What a cohort shows each user is bounded by the user's centres all the same."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)


class DefinitionRules(DeskForm):
    """Endpoints that the rules can read."""

    def clean_endpoints(self) -> dict[str, Any]:
        endpoints = self.cleaned_data["endpoints"]
        if endpoints is None:  # nothing written: every field as by default
            return {}
        example = '{"landmark_months": [6, 12, 18, 24]}'
        if not isinstance(endpoints, dict):
            raise ValidationError(
                _("These are not the fields of a definition, such as {example}.").format(example=example)
            )
        try:
            EndpointDefinition.from_json(endpoints)
        except (ValueError, TypeError) as error:
            raise ValidationError(f"{error}.") from error
        return endpoints

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if "endpoints" in self.errors:
            self.instance.endpoints = {}  # the model would refuse once more what is not going to be stored
        return cleaned


class DefinitionEntryForm(DefinitionRules):
    pass


class DefinitionChangeForm(DefinitionRules, ReasonForm):
    pass


@admin.register(Definition)
class DefinitionAdmin(CohortDeskAdmin):
    """Other centres' figures may rest on a definition: it is changed by who manages all of its cohorts."""

    entry_form = DefinitionEntryForm
    change_reason_form = DefinitionChangeForm
    list_display = ("name", "data_cutoff")
    fields = ("name", "data_cutoff", "endpoints")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = user_of(request)
        if not user.may(Act.MANAGE_COHORTS) or obj is None:
            return user.may(Act.MANAGE_COHORTS)
        return not any(unmanaged(user, cohort.centre_codes) for cohort in obj.cohorts.all())

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "endpoints":
            # Django takes {} for blank; here it says that every field is as by default.
            field.required = False
            field.help_text = _("JSON; a field that is left out takes its default.")
        return field

    def note(self, request: HttpRequest, obj: Any) -> str:
        if self.has_change_permission(request, obj):
            return ""
        return _(
            "Cohorts that count centres at which you do not manage cohorts rest on this definition: it is shown here, "
            "not changed. Add one of your own for another."
        )


class CohortRules(DeskForm):
    """What a cohort counts must exist, and its figures be the user's to decide on."""

    def clean_centre_codes(self) -> list[str]:
        codes: list[str] = self.cleaned_data["centre_codes"]
        unknown = sorted(set(codes) - set(Centre.objects.values_list("code", flat=True)))
        if unknown:
            raise ValidationError(_("No centre has the code {codes}.").format(codes=", ".join(unknown)))
        elsewhere = sorted(unmanaged(user_of(self.request), codes))
        if elsewhere and codes:
            raise ValidationError(
                _("You do not manage cohorts at {centres}.").format(centres=", ".join(elsewhere))
            )
        if elsewhere:
            raise ValidationError(
                _(
                    "With nothing chosen every centre of the registry is counted, and you do not manage cohorts at all of "
                    "them: choose the centres."
                )
            )
        return codes

    def clean_remarks(self) -> dict[str, str]:
        remarks = self.cleaned_data["remarks"] or {}
        if not isinstance(remarks, dict) or not all(isinstance(text, str) for text in remarks.values()):
            raise ValidationError(
                _("Write each figure with its explanation, such as {example}.").format(
                    example='{"orr": "Who is counted."}'
                )
            )
        unknown = sorted(set(remarks) - set(FIGURES))
        if unknown:
            raise ValidationError(
                _("No figure is called {unknown}: there are {known}.").format(
                    unknown=", ".join(unknown), known=", ".join(FIGURES)
                )
            )
        return remarks

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("started_from"), cleaned.get("started_to")
        if first and last and first > last:
            self.add_error("started_to", _("This lies before the first day: nobody would be counted."))
        return cleaned


class CohortEntryForm(CohortRules):
    pass


class CohortChangeForm(CohortRules, ReasonForm):
    pass


@admin.register(Cohort)
class CohortAdmin(CohortDeskAdmin):
    """A cohort of one's centres. One that counts others as well is shown, and changed by who manages them all."""

    entry_form = CohortEntryForm
    change_reason_form = CohortChangeForm
    list_display = ("name", "slug", "definition", "courses_counted", "started_from", "started_to")
    list_select_related = ("definition",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "definition", "courses_counted")}),
        (
            gettext_lazy("Whom it counts (nothing chosen: everybody)"),
            {"fields": ("centre_codes", "tumour_types", "primary_sites", "started_from", "started_to")},
        ),
        (gettext_lazy("Remarks beside figures"), {"fields": ("remarks",)}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return Cohort.objects.visible_to(user_of(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = user_of(request)
        if not user.may(Act.MANAGE_COHORTS) or obj is None:
            return user.may(Act.MANAGE_COHORTS)
        return not unmanaged(user, obj.centre_codes)

    def note(self, request: HttpRequest, obj: Any) -> str:
        if self.has_change_permission(request, obj):
            return ""
        return _(
            "This cohort counts centres at which you do not manage cohorts: it is shown here, not changed. Add one of "
            "your own centres for another."
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj is not None else ()  # pages and the API are addressed by it

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "centre_codes" in form.base_fields:
            # The centres that the user may choose, and those already counted: saving must not drop one unsaid.
            managed = Centre.objects.visible_to(user_of(request), Act.MANAGE_COHORTS)
            codes = list(managed.values_list("code", flat=True))
            codes += [code for code in (obj.centre_codes if obj is not None else []) if code not in codes]
            form.base_fields["centre_codes"].choices = [(code, code) for code in codes]
        return form

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        choices = {
            "tumour_types": TumourType.choices,
            "primary_sites": PrimarySite.choices,
            "centre_codes": [],
        }
        if db_field.name in choices:
            return forms.MultipleChoiceField(
                choices=choices[db_field.name], required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)
