"""The filters beside lists of records."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import Act
from accounts.desk.site import user_of
from accounts.models import Centre


class CentreFilter(admin.SimpleListFilter):
    """By centre, among those the user works the desk for: Django's own would name all of them."""

    title = gettext_lazy("centre")
    parameter_name = "centre"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        centres = Centre.objects.visible_to(user_of(request), Act.CORRECT_IN_ADMIN)
        return [(centre.code, str(centre)) for centre in centres]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if not self.value():
            return queryset
        path = queryset.model.CENTRE_PATH.removesuffix("_id")
        return queryset.filter(**{f"{path}__code": self.value()})


class VoidedFilter(admin.SimpleListFilter):
    """Voided records are out of sight until asked for."""

    title = gettext_lazy("voided")
    parameter_name = "voided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("Voided only")), ("all", _("All, voided too"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything, *others = super().choices(changelist)
        yield {**everything, "display": _("In force")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "all":
            return queryset
        return queryset.filter(voided_at__isnull=self.value() != "yes")
