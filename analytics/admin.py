"""The desk's pages of cohorts and of the definitions their endpoints are derived by."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.access import Act
from accounts.desk.pages import DeskAdmin
from accounts.desk.site import user_of
from accounts.models import Centre
from analytics.models import Cohort, Definition
from patients.models import PrimarySite, TumourType


class CohortDeskAdmin(DeskAdmin):
    """Managed by who may manage cohorts. What a cohort shows each user is bounded by the user's centres all the same."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)


@admin.register(Definition)
class DefinitionAdmin(CohortDeskAdmin):
    list_display = ("name", "data_cutoff")
    fields = ("name", "data_cutoff", "endpoints")


@admin.register(Cohort)
class CohortAdmin(CohortDeskAdmin):
    list_display = ("name", "slug", "definition", "courses_counted", "started_from", "started_to")
    list_select_related = ("definition",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "definition", "courses_counted")}),
        (
            "Whom it counts (nothing chosen: everybody)",
            {"fields": ("centre_codes", "tumour_types", "primary_sites", "started_from", "started_to")},
        ),
        ("Remarks beside figures", {"fields": ("remarks",)}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return Cohort.objects.visible_to(user_of(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj is not None else ()  # pages and the API are addressed by it

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "centre_codes" in form.base_fields:
            # The user's own centres, and those already counted: saving must not drop another centre's.
            codes = list(
                Centre.objects.visible_to(user_of(request), Act.VIEW_RESULTS).values_list("code", flat=True)
            )
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
