"""Cohorts and their results in the REST API."""

import hashlib
from typing import Any

import orjson
from django.db.models import QuerySet
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.models import Centre
from accounts.rest.views import ReadViewSet
from analytics import results
from analytics.models import Cohort, Definition


class DefinitionSerializer(serializers.ModelSerializer):
    endpoints = serializers.DictField(help_text="How the endpoints are derived.")

    class Meta:
        model = Definition
        fields = ["name", "endpoints", "data_cutoff"]


class CohortSerializer(serializers.ModelSerializer):
    definition = DefinitionSerializer()
    remarks = serializers.DictField(help_text="Figure (orr, pfs, os) to explanation.")
    centre_codes = serializers.SerializerMethodField()

    class Meta:
        model = Cohort
        fields = [
            "slug",
            "name",
            "description",
            "remarks",
            "definition",
            "courses_counted",
            "centre_codes",
            "tumour_types",
            "primary_sites",
            "started_from",
            "started_to",
        ]

    def get_centre_codes(self, cohort: Cohort) -> list[str]:
        """Of the centres that the cohort is restricted to, those whose results you may see; empty: not restricted."""
        return [code for code in cohort.centre_codes if code in self.context["visible_codes"]]


class ResultSerializer(serializers.Serializer):
    """What is computed of a cohort, for the patients whose results you may see. null: not reached or undefined."""

    cohort = serializers.CharField()
    name = serializers.CharField(required=False)
    centres = serializers.ListField(child=serializers.CharField(), required=False)
    data_cutoff = serializers.DateField()
    revision = serializers.IntegerField()
    computed_at = serializers.DateTimeField()
    stale = serializers.BooleanField(help_text="Records have changed since it was computed.")
    pending = serializers.IntegerField(required=False, help_text="Courses still to be derived again.")
    definition = serializers.DictField()
    n_patients = serializers.IntegerField()
    courses = serializers.DictField()
    orr = serializers.DictField()
    pfs = serializers.DictField()
    os = serializers.DictField()


class CohortViewSet(ReadViewSet):
    """Named cohorts. Their results are at ``results/``."""

    act = Act.VIEW_RESULTS
    queryset = Cohort.objects.all()
    serializer_class = CohortSerializer
    lookup_field = "slug"
    lookup_value_converter = "slug"
    ordering_fields = {"slug": "slug", "name": "name"}
    ordering = "slug"

    def visible(self) -> QuerySet:
        return self.queryset.all().visible_to(self.user).select_related("definition")

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            centres = Centre.objects.visible_to(self.user, Act.VIEW_RESULTS)
            context["visible_codes"] = set(centres.values_list("code", flat=True))
        return context

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "If-None-Match", str, OpenApiParameter.HEADER, description="ETag of a result you have."
            ),
            OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200, 304]),
        ],
        responses={200: ResultSerializer, 304: OpenApiResponse(description="Nothing has changed.")},
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def results(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Progression-free survival, response and survival of the cohort's patients, with how fresh they are."""
        payload = results.payload(self.get_object(), self.user)
        # The revision alone would be the same for users who may see different centres, or while more waits to be derived.
        digest = hashlib.sha256(orjson.dumps(payload, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[
            :12
        ]
        tag = f'"{payload["revision"]}-{digest}"'
        unchanged = get_conditional_response(request._request, etag=tag) is not None
        response = Response(status=304) if unchanged else Response(payload)
        response["ETag"] = tag
        response["Cache-Control"] = "private, no-cache"
        return response
