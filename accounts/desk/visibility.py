"""Which records a page of the desk lists and opens, and what may be done with them."""

from datetime import tzinfo
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.desk.filters import CentreFilter, VoidedFilter
from accounts.desk.pages import DeskAdmin
from accounts.desk.site import desk_centres, user_of
from accounts.records import ClinicalQuerySet, ClinicalRecord


class VisibleRecordsAdmin(DeskAdmin):
    """One kind of record, at the centres whose desk the user works: all others answer as if they were missing."""

    model: type[ClinicalRecord]
    view_acts: ClassVar[tuple[Act, ...]] = (Act.VIEW_RECORDS,)

    # Reading

    @property
    def centre_path(self) -> str:
        return self.model.CENTRE_PATH.removesuffix("_id")

    @property
    def registry_number_path(self) -> str:
        return (
            "registry_number"
            if self.model.PATIENT_PATH == "self"
            else f"{self.model.PATIENT_PATH}__registry_number"
        )

    def __init__(self, model: type[ClinicalRecord], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        # The search stands in the address of the page: names and MRNs must not.
        self.search_fields = (self.registry_number_path,)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [CentreFilter, *self.list_filter, VoidedFilter]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Return the records of the centres whose desk the user works: all others answer as if they were missing."""
        rows = cast(ClinicalQuerySet, self.model._default_manager.all())
        for act in (*self.view_acts, Act.CORRECT_IN_ADMIN):
            rows = rows.visible_to(user_of(request), act)
        ordering = self.get_ordering(request) or self.model._meta.ordering or ()
        return rows.select_related(self.centre_path).order_by(*ordering)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if request.resolver_match is not None and request.resolver_match.url_name == "autocomplete":
            found = found.filter(voided_at__isnull=True)
        return found, duplicates

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Only what the page itself offers: a free lookup could spell out a hidden value letter by letter.
        parameters = {getattr(item, "parameter_name", item) for item in self.get_list_filter(request)}
        return lookup.removesuffix("__exact") in parameters

    # Permissions

    def _may(self, request: HttpRequest, obj: ClinicalRecord | None, *acts: Act) -> bool:
        centres = desk_centres(user_of(request), *self.view_acts, *acts)
        if centres is None:
            return True
        return bool(centres) if obj is None else obj.centre_id_of_record in centres

    def has_view_permission(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None, self.model.EDIT_ACT)

    def has_change_permission(self, request: HttpRequest, obj: ClinicalRecord | None = None) -> bool:
        if obj is not None and obj.voided_at is not None:
            return False
        return self._may(request, obj, self.model.EDIT_ACT)

    # Columns

    @admin.display(description=_("Registry number"))
    def registry_number(self, obj: Any) -> str:
        return str(self.patient_of(obj))

    def patient_of(self, obj: Any) -> Any:
        if self.model.PATIENT_PATH == "self":
            return obj
        for step in self.model.PATIENT_PATH.split("__"):
            obj = getattr(obj, step)
        return obj

    def zone_of(self, record: ClinicalRecord) -> tzinfo:
        value: Any = record
        for step in self.centre_path.split("__"):
            value = getattr(value, step)
        return value.zone
