"""Data queries in the REST API: read with their threads, answered, closed and opened again."""

from collections.abc import Callable
from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Centre
from accounts.rest.filters import FlagFilter
from accounts.rest.idempotency import once
from accounts.rest.serializers import StrictSerializer
from accounts.rest.views import ReadViewSet
from analytics import query_acts
from analytics.models import DataQuery, DataQueryAnswer, QueryRule, QueryStatus


def _person() -> serializers.SlugRelatedField:
    return serializers.SlugRelatedField(slug_field="username", read_only=True, allow_null=True)


class AnswerSerializer(serializers.ModelSerializer):
    """What was done about a query. ``by`` is null where the rule did it."""

    by = _person()
    assigned_to = _person()

    class Meta:
        model = DataQueryAnswer
        fields = ["at", "by", "action", "text", "assigned_to"]
        read_only_fields = fields


class DataQuerySerializer(serializers.ModelSerializer):
    """A question about a patient's records. ``opened_by`` and ``closed_by`` are null where the rule did it."""

    registry_number = serializers.CharField(source="patient.registry_number", read_only=True)
    centre: serializers.SlugRelatedField = serializers.SlugRelatedField(slug_field="code", read_only=True)
    what = serializers.SerializerMethodField(help_text="What is asked, for people.")
    why = serializers.SerializerMethodField(help_text="The facts that it rests on, for people.")
    facts = serializers.DictField(read_only=True)
    opened_by = _person()
    closed_by = _person()
    assigned_to = _person()
    answers = AnswerSerializer(many=True, read_only=True)

    class Meta:
        model = DataQuery
        fields = [
            "id",
            "patient",
            "registry_number",
            "centre",
            "course",
            "rule",
            "record_kind",
            "record_id",
            "what",
            "why",
            "facts",
            "status",
            "opened_at",
            "opened_by",
            "closed_at",
            "closed_by",
            "assigned_to",
            "answers",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField())
    def get_what(self, query: DataQuery) -> str:
        return query.words[0]

    @extend_schema_field(serializers.CharField())
    def get_why(self, query: DataQuery) -> str:
        return query.words[1]


class SaidSerializer(StrictSerializer):
    """An answer, or why a query is closed or opened again. No names."""

    text = serializers.CharField(max_length=query_acts.MOST_TEXT)


class DataQueryFilter(django_filters.FilterSet):
    rule = django_filters.ChoiceFilter(choices=QueryRule.choices)
    status = django_filters.ChoiceFilter(choices=QueryStatus.choices)
    is_closed = FlagFilter(method="_closed", label="false: what is to be settled")
    patient = django_filters.UUIDFilter(field_name="patient_id", label="id of a patient")
    course = django_filters.UUIDFilter(field_name="course_id", label="id of a course")
    record = django_filters.UUIDFilter(field_name="record_id", label="id of the record that it stands at")
    centre = django_filters.CharFilter(method="_of_centre", label="code of a centre, such as STA")

    def _closed(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        closed = queryset.filter(status=QueryStatus.CLOSED)
        return closed if value == "true" else queryset.exclude(status=QueryStatus.CLOSED)

    def _of_centre(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(centre__in=Centre.objects.filter(code=value))


class DataQueryViewSet(ReadViewSet):
    """Questions about patients' records, opened by rules or by hand. A rule closes its own when the record is put right."""

    http_method_names = ["get", "head", "post"]
    queryset = DataQuery.objects.all()
    serializer_class = DataQuerySerializer
    filterset_class = DataQueryFilter
    lookup_value_converter = "uuid"
    ordering_fields = {"opened_at": "opened_at"}
    ordering = "-opened_at"
    once_actions = ("answer", "close", "reopen")
    in_place_actions = ("answer", "close", "reopen")

    def visible(self) -> QuerySet:
        visible = self.queryset.all().visible_to(self.user)
        people = ("opened_by", "closed_by", "assigned_to")
        return visible.select_related("patient", "centre", *people).prefetch_related(
            "answers__by", "answers__assigned_to"
        )

    def _act(self, act: Callable[[DataQuery, str], DataQuery]) -> Response:
        query = self.get_object()
        if not query_acts.may_act(self.user, query.centre_id):
            raise PermissionDenied("With your roles here you may read queries, not answer them.")

        def perform() -> DataQuery:
            said = SaidSerializer(data=self.request.data, context=self.get_serializer_context())
            said.is_valid(raise_exception=True)
            return act(query, said.validated_data["text"])

        _, replayed = once(self.request, act=perform, find=lambda pk: query, model=DataQuery)
        response = Response(self.get_serializer(self.get_object()).data)
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    @extend_schema(request=SaidSerializer, responses=DataQuerySerializer, filters=False)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say something about a query. It waits for whoever closes it."""
        return self._act(lambda query, text: query_acts.answer_query(query, text=text, by=self.user))

    @extend_schema(request=SaidSerializer, responses=DataQuerySerializer, filters=False)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Accept the record as it is, with a reason. The rule asks again only when what it asks about changes."""
        return self._act(lambda query, text: query_acts.close_query(query, reason=text, by=self.user))

    @extend_schema(request=SaidSerializer, responses=DataQuerySerializer, filters=False)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Open a closed query again, with a reason."""
        return self._act(lambda query, text: query_acts.reopen_query(query, reason=text, by=self.user))
