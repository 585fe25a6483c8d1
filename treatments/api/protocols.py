"""Protocols in the REST API."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.rest.serializers import StrictSerializer
from accounts.rest.shared import SharedViewSet
from treatments import services
from treatments.models import PROTOCOL_FIELDS, LabAnalyte, Protocol
from treatments.rules.advice import DoseRules

PLAN = [*PROTOCOL_FIELDS, "dose_rules"]


@extend_schema_field({"type": "object", "additionalProperties": True})
class DoseRulesField(serializers.JSONField):
    """The thresholds of dose advice, each by its name; an empty object: no advice is given."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("The dose rules are an object.", "invalid")
        if value:
            try:
                DoseRules.from_json(value)
            except ValueError as error:
                raise serializers.ValidationError(str(error), "invalid_dose_rules") from error
        return value


class ProtocolSerializer(serializers.ModelSerializer):
    course_limit_mbq = serializers.DecimalField(
        max_digits=8,
        decimal_places=1,
        read_only=True,
        help_text="MBq of a whole course above which an administration is warned of.",
    )
    labs_before_cycle = serializers.ListField(child=serializers.ChoiceField(choices=LabAnalyte.choices))
    dose_rules = DoseRulesField()

    class Meta:
        model = Protocol
        fields = ["id", "version", *PLAN, "course_limit_mbq"]


class NewProtocolSerializer(StrictSerializer, serializers.ModelSerializer):
    """A protocol, or the next version of the one with its code. The version is given by the registry."""

    labs_before_cycle = serializers.ListField(
        child=serializers.ChoiceField(choices=LabAnalyte.choices), default=list, max_length=20
    )
    imaging_after_cycles = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=100), default=list, max_length=50
    )
    imaging_after_completion_days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=10_000), default=list, max_length=50
    )
    dose_rules = DoseRulesField(default=dict)

    class Meta:
        model = Protocol
        fields = PLAN
        validators: list[Any] = []


class ProtocolFilter(django_filters.FilterSet):
    code = django_filters.CharFilter()


class ProtocolViewSet(SharedViewSet):
    """How courses are meant to run. A course stays with the version that it was started on, or was moved to."""

    act = Act.VIEW_RESULTS  # plans, not patients
    edit_act = Act.MANAGE_COHORTS
    queryset = Protocol.objects.all()
    serializer_class = ProtocolSerializer
    new_serializer_class: ClassVar[type[serializers.BaseSerializer]] = NewProtocolSerializer
    filterset_class = ProtocolFilter
    lookup_value_converter = "int"
    ordering_fields = {"id": "id", "code": "code"}

    def visible(self) -> QuerySet:
        return self.queryset.all()

    def enter(self, values: dict[str, Any]) -> Protocol:
        return services.add_protocol(values, by=self.user)

    @extend_schema(request=NewProtocolSerializer, responses={201: ProtocolSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store a protocol, or the next version of its code; running courses stay with theirs."""
        return super().create(request, *args, **kwargs)
