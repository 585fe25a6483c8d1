"""Links from a record to the list of those that hang on it."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class OfRecord(admin.SimpleListFilter):
    """The records of the one that a link has named; without a link it offers nothing."""

    parameter_name: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        key = self.value()
        if key is None:
            return []
        field = model_admin.model._meta.get_field(self.parameter_name)
        # As far as the user may see it: a guessed key names nothing.
        record = model_admin.admin_site.get_model_admin(field.related_model).get_object(request, key)
        return [(key, str(record) if record is not None else gettext("not found"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(**{f"{self.parameter_name}_id": self.value()}) if self.value() else queryset


class OfLesion(OfRecord):
    title = _("lesion")
    parameter_name = "lesion"


class OfStudy(OfRecord):
    title = _("study")
    parameter_name = "study"


def list_of(model: str, **query: Any) -> str:
    """Return the address of a list of imaging records."""
    return reverse(f"admin:imaging_{model}_changelist", query=query)


def page_of(model: str, pk: Any) -> str:
    return reverse(f"admin:imaging_{model}_change", args=[pk])
