"""Adverse events and the toxicity of a course in the REST API."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from accounts.rest.filters import FlagFilter
from accounts.rest.serializers import RECORD_FIELDS
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer, OfPatientViewSet
from treatments.models import AdverseEvent, Attribution, Course, EventAction, LabAnalyte
from treatments.rules.labs import ANALYTES
from treatments.selectors.toxicity import direction_of, toxicity_of


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


# The toxicity of a course


class CycleToxicitySerializer(serializers.Serializer):
    cycle = serializers.IntegerField(help_text="Number of the cycle.")
    worst_grade = serializers.IntegerField(allow_null=True)
    extreme = serializers.DecimalField(
        max_digits=None, decimal_places=4, allow_null=True, help_text="The nadir, or the peak."
    )
    extreme_on = serializers.DateField(allow_null=True)
    extreme_day = serializers.IntegerField(allow_null=True, help_text="Days after the cycle.")
    recovery_on = serializers.DateField(allow_null=True)
    recovery_day = serializers.IntegerField(allow_null=True, help_text="Days after the cycle.")


class AnalyteToxicitySerializer(serializers.Serializer):
    analyte = serializers.ChoiceField(choices=LabAnalyte.choices)
    unit = serializers.CharField()
    direction = serializers.ChoiceField(choices=["low", "high"], help_text="Which way is worse.")
    baseline = serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True)
    baseline_grade = serializers.IntegerField(allow_null=True)
    worst_grade = serializers.IntegerField(allow_null=True)
    extreme = serializers.DecimalField(max_digits=None, decimal_places=4, allow_null=True)
    extreme_on = serializers.DateField(allow_null=True)
    cycles = CycleToxicitySerializer(many=True)


class CycleEventsSerializer(serializers.Serializer):
    cycle = serializers.IntegerField(help_text="Number of the cycle.")
    worst_grade = serializers.IntegerField(allow_null=True)
    terms = serializers.ListField(child=serializers.CharField(), help_text="Those of that grade.")


class EventToxicitySerializer(serializers.Serializer):
    worst_grade = serializers.IntegerField(allow_null=True)
    terms = serializers.ListField(child=serializers.CharField(), help_text="Those of that grade.")
    cycles = CycleEventsSerializer(many=True)


class ToxicitySerializer(serializers.Serializer):
    """Worst grades, nadirs and recovery of a course, per cycle and over all of it."""

    course = serializers.UUIDField()
    problem = serializers.CharField(allow_blank=True, help_text="Why nothing could be summed up.")
    laboratory = AnalyteToxicitySerializer(many=True)
    adverse_events = EventToxicitySerializer(allow_null=True)


def toxicity_values(course: Course) -> dict[str, Any]:
    """Return the members of ``ToxicitySerializer``."""
    found = toxicity_of(course)
    numbers = [cycle.number for cycle in found.given]
    return {
        "course": course.pk,
        "problem": found.problem,
        "laboratory": [
            {
                "analyte": analyte,
                "unit": ANALYTES[analyte].unit,
                "direction": direction_of(analyte),
                "baseline": summary.baseline.value if summary.baseline else None,
                "baseline_grade": summary.baseline.grade if summary.baseline else None,
                "worst_grade": summary.worst_grade,
                "extreme": summary.extreme,
                "extreme_on": summary.extreme_on,
                "cycles": [{**vars(one), "cycle": numbers[one.number - 1]} for one in summary.per_cycle],
            }
            for analyte, summary in found.analytes.items()
        ],
        "adverse_events": found.events
        and {
            "worst_grade": found.events.worst_grade,
            "terms": found.events.terms,
            "cycles": [{**vars(one), "cycle": numbers[one.number - 1]} for one in found.events.per_cycle],
        },
    }
