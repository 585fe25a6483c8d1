"""Adverse events in the REST API."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from accounts.rest.filters import FlagFilter
from accounts.rest.serializers import RECORD_FIELDS
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer, OfPatientViewSet
from treatments.models import AdverseEvent, Attribution, EventAction


class AdverseEventSerializer(OfPatientSerializer):
    class Meta:
        model = AdverseEvent
        fields = [
            *OF_PATIENT,
            "term",
            "grade",
            "onset_on",
            "resolved_on",
            "attribution",
            "is_serious",
            "action",
            "note",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class AdverseEventFilter(OfPatientFilter):
    term = django_filters.CharFilter(lookup_expr="iexact", max_length=120, label="the whole term")
    grade_from = django_filters.NumberFilter(
        field_name="grade", lookup_expr="gte", min_value=1, max_value=5, decimal_places=0
    )
    attribution = django_filters.ChoiceFilter(choices=Attribution.choices)
    action = django_filters.ChoiceFilter(choices=EventAction.choices)
    is_serious = FlagFilter(method="_serious")
    onset_from = django_filters.DateFilter(field_name="onset_on", lookup_expr="gte")
    onset_to = django_filters.DateFilter(field_name="onset_on", lookup_expr="lte")

    def _serious(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(is_serious=value == "true")


class AdverseEventViewSet(OfPatientViewSet):
    """Adverse events in terms of CTCAE, or in free text, with their highest grade."""

    queryset = AdverseEvent.objects.all()
    serializer_class = AdverseEventSerializer
    filterset_class = AdverseEventFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "onset_on": "onset_on", "grade": "grade"}
