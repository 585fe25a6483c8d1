"""Filters of lists. Patients are found by registry number here; by name or MRN only in the body of a POST."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Centre
from accounts.rest.refusals import BadQuery

PAGE_PARAMETERS = frozenset({"cursor", "page_size", "ordering"})


class FlagFilter(django_filters.ChoiceFilter):
    """true or false; anything else is refused instead of ignored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], empty_label=None, **kwargs)


class _MomentField(IsoDateTimeField):
    def clean(self, value: Any) -> datetime | None:
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:  # the first or the last hours of the calendar
            raise ValidationError("This moment is out of range.", "out_of_range") from error


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A moment in UTC: the database takes no offset of 16 hours or more, and Python any below 24."""

    field_class = _MomentField


class RecordFilter(django_filters.FilterSet):
    """What every list of clinical records can be filtered by. Subclasses say where the patient is."""

    include_voided = FlagFilter(method="_keep", label="true shows voided records too")
    centre = django_filters.CharFilter(method="_of_centre", label="code of a centre, such as STA")
    search = django_filters.CharFilter(method="_search", max_length=40, label="part of a registry number")

    @property
    def qs(self) -> QuerySet:
        found = super().qs
        if self.form.cleaned_data.get("include_voided") == "true":
            return found
        return found.current()

    def _keep(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset

    def _of_centre(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        centres = Centre.objects.filter(code=value)
        return queryset.filter(**{f"{queryset.model.CENTRE_PATH}__in": centres})

    def _search(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        path = queryset.model.PATIENT_PATH
        prefix = "" if path == "self" else f"{path}__"
        return queryset.filter(**{f"{prefix}registry_number__icontains": value})


class StrictFilterBackend(DjangoFilterBackend):
    """Refuses what it does not know: a misspelt filter would otherwise show all rows as if they were the chosen ones."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            # The form's errors carry codes; its messages repeat the value, which is no business of a log.
            raise BadQuery(
                {
                    name: [ErrorDetail("Not a usable value.", error.code or "invalid") for error in errors]
                    for name, errors in filterset.form.errors.as_data().items()
                }
            )
        return filterset.qs
