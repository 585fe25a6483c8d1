"""Cohorts and their results in the REST API."""

import hashlib
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.access import Act
from accounts.models import Centre
from accounts.rest.headers import change_reason, expected_version
from accounts.rest.idempotency import once
from accounts.rest.refusals import BadQuery, etag
from accounts.rest.views import ReadViewSet
from analytics import behind, changes, cohorts, results, tallies
from analytics.api.jobs import JobSerializer
from analytics.api.locks import start_job
from analytics.api.questions import (
    BehindSerializer,
    CohortSerializer,
    CountSerializer,
    DifferenceSerializer,
    ExportSerializer,
    QuestionSerializer,
    RevisionsSerializer,
)
from analytics.models import Cohort, JobKind, Result, ResultRevision
from analytics.rules.endpoints import EndpointDefinition
from analytics.small_cells import suppressed


class ResultSerializer(serializers.Serializer):
    """What is computed of a cohort, for the patients whose results you may see. null: not reached or undefined."""

    cohort = serializers.CharField(allow_blank=True, help_text="Empty for one that is not stored.")
    name = serializers.CharField(required=False, allow_blank=True)
    version = serializers.IntegerField(required=False)
    centres = serializers.ListField(child=serializers.CharField(), required=False)
    data_cutoff = serializers.DateField(allow_null=True, help_text="null: not counted yet.")
    revision = serializers.IntegerField(required=False)
    computed_at = serializers.DateTimeField(required=False)
    stale = serializers.BooleanField(required=False, help_text="Records have changed since it was computed.")
    pending = serializers.IntegerField(required=False, help_text="Courses still to be derived again.")
    definition = serializers.DictField()
    filter = serializers.DictField(help_text="Whom it counts; only what restricts.")
    n_patients = serializers.IntegerField()
    courses = serializers.DictField()
    orr = serializers.DictField()
    pfs = serializers.DictField()
    os = serializers.DictField()
    ttr = serializers.DictField(help_text="Time to response.")
    dor = serializers.DictField(help_text="Duration of response.")
    ttnt = serializers.DictField(help_text="Time to next therapy.")
    ttd = serializers.DictField(help_text="Time to discontinuation.")
    responses = serializers.DictField(
        help_text="By RECIST, confirmed and not, and by SSTR; by timepoint; concordance."
    )
    exposure = serializers.ListField(child=serializers.DictField())
    toxicity = serializers.DictField()
    table1 = serializers.DictField()
    strata = serializers.DictField(required=False)


REVISIONS = [
    OpenApiParameter(name, int, description=f"The {which} revision.", required=True)
    for name, which in (("from", "earlier"), ("to", "later"))
]
CELL = [
    OpenApiParameter("measure", str, required=True, enum=list(tallies.MEASURES)),
    OpenApiParameter("category", str, description="Such as event, censored or evaluable:PR."),
    OpenApiParameter("at", int, description="The value: days, months, a cycle."),
    OpenApiParameter("from", int, description="Values from this one on."),
    OpenApiParameter("to", int, description="Values up to this one."),
    OpenApiParameter("stratum", str),
]


class CohortViewSet(ReadViewSet):
    """Named cohorts. Their results are at ``results/``; one that is not stored is asked about at ``explore/``."""

    http_method_names = ["get", "head", "post", "patch"]
    act = Act.VIEW_RESULTS
    queryset = Cohort.objects.all()
    serializer_class = CohortSerializer
    lookup_field = "slug"
    lookup_value_converter = "slug"
    ordering_fields = {"slug": "slug", "name": "name"}
    ordering = "slug"
    once_actions = ("create",)
    reason_actions = ("partial_update",)
    in_place_actions = ("count", "explore", "exports", "reports")

    def visible(self) -> QuerySet:
        return self.queryset.all().visible_to(self.user).select_related("definition")

    def query_parameters(self) -> set[str]:
        offered = {"behind": CELL, "changes": REVISIONS}.get(self.action)
        return {parameter.name for parameter in offered} if offered else super().query_parameters()

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context["visible_codes"] = set(self._codes())
        return context

    def _codes(self) -> list[str]:
        centres = Centre.objects.visible_to(self.user, Act.VIEW_RESULTS)
        return sorted(centres.values_list("code", flat=True))

    def _stored(self, cohort: Cohort, *, reason: str = "") -> Cohort:
        try:
            return cohorts.save(cohort, by=self.user, reason=reason)
        except DjangoValidationError as error:
            raise ValidationError(
                error.message_dict if hasattr(error, "error_dict") else error.messages
            ) from error

    def _shown(self, cohort: Cohort, code: int = status.HTTP_200_OK) -> Response:
        response = Response(self.get_serializer(cohort).data, status=code)
        response["ETag"] = etag(cohort.version)
        return response

    def _described(self, cohort: Cohort, values: dict[str, Any]) -> Cohort:
        """Put the values of a request into the cohort; a definition is found or made for its rules and cut-off."""
        definition = values.pop("definition", None)
        for name, value in values.items():
            setattr(cohort, name, value)
        if definition is not None or cohort.definition_id is None:
            known = cohort.definition if cohort.definition_id is not None else None
            asked = definition or {}
            rules = asked.get("endpoints", known.rules if known else None) or EndpointDefinition()
            cutoff = asked.get("data_cutoff", known.data_cutoff if known else None)
            cohort.definition = cohorts.definition_for(rules, cutoff, by=self.user)
        return cohort

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._shown(self.get_object())

    @extend_schema(request=CohortSerializer, responses={201: CohortSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store a cohort: your own, or shared if you manage cohorts at every centre that it counts."""

        def act() -> Cohort:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            values = dict(serializer.validated_data)
            slugs = Cohort.objects.values_list("slug", flat=True)
            cohort = Cohort(slug=cohorts.slug_for(values["name"], slugs), is_shared=False)
            return self._stored(self._described(cohort, values))

        made, replayed = once(request, act=act, find=self._find, model=Cohort)
        response = self._shown(self._find(made.pk), status.HTTP_201_CREATED)
        response["Location"] = reverse("api:cohort-detail", [made.slug], request=request)
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    def _find(self, pk: Any) -> Cohort:
        return self.visible().get(pk=pk)

    @extend_schema(request=CohortSerializer, responses=CohortSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a cohort that is your own, or shared where you manage all of its centres."""
        cohort = self.get_object()
        if not cohorts.may_change(self.user, cohort):
            raise PermissionDenied(
                "This cohort is changed by who manages cohorts at every centre that it counts."
            )
        expected_version(request, cohort, required=True)
        reason = change_reason(request)
        serializer = self.get_serializer(cohort, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        self._stored(self._described(cohort, dict(serializer.validated_data)), reason=reason)
        return self._shown(self._find(cohort.pk))

    @extend_schema(request=QuestionSerializer, responses=CountSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def count(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """How many patients of your centres a filter counts, without storing it."""
        cohort = self._question(request)
        n = tallies.count_patients(cohort, self._codes())
        exact = not set(self._codes()) - set(self._readable())
        found = {
            "n_patients": behind.shown(n, exact=exact),
            "filter_in_words": cohorts.filter_in_words(cohort),
        }
        return Response(CountSerializer(found).data)

    def _readable(self) -> list[str]:
        return list(Centre.objects.visible_to(self.user, Act.VIEW_RECORDS).values_list("code", flat=True))

    @extend_schema(request=QuestionSerializer, responses=ResultSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def explore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The results of a cohort that is not stored, counted here and now."""
        return Response(self._told(results.now(self._question(request), self._codes())))

    def _told(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the results without small cells, unless the user may see all of their records."""
        if set(self._readable()) >= set(document["centres"]):
            return document
        return suppressed(document, settings.SMALL_CELL)

    @extend_schema(request=ExportSerializer, responses={202: JobSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def exports(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Write the cohort's data sets in the background; the answer is the job to watch."""
        asked = ExportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return start_job(self, JobKind.EXPORT, self.get_object(), dict(asked.validated_data))

    @extend_schema(request=None, responses={202: JobSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def reports(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make the cohort's report in the background; the answer is the job to watch."""
        return start_job(self, JobKind.REPORT, self.get_object(), {})

    def _question(self, request: Request) -> Cohort:
        serializer = QuestionSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return serializer.cohort()

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
        payload = self._told(results.payload(self.get_object(), self.user))
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

    @extend_schema(responses=RevisionsSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def revisions(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The revisions of what you are shown of the cohort that are kept, newest first."""
        cohort = self.get_object()
        scope = results.scope_of(results.centre_codes(cohort, self.user))
        result = Result.objects.filter(cohort=cohort, scope=scope).first()
        rows = ResultRevision.objects.filter(result=result).values(
            "revision", "computed_at", "cohort_version", "data__n_patients"
        )
        return Response(
            RevisionsSerializer(
                {"results": [{**row, "n_patients": row["data__n_patients"]} for row in rows[:500]]}
            ).data
        )

    @extend_schema(parameters=REVISIONS, responses=DifferenceSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def changes(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What changed between two revisions: which courses moved, and which corrections moved them."""
        numbers = {}
        for name in ("from", "to"):
            text = request.query_params.get(name, "")
            if not (text.isascii() and text.isdecimal() and len(text) < 10):
                raise BadQuery({name: "Give the number of a revision."}, "revision_invalid")
            numbers[name] = int(text)
        found = changes.between(self.get_object(), self.user, numbers["from"], numbers["to"])
        if found is None:
            raise BadQuery({"from": "One of these revisions is not kept."}, "revision_unknown")
        return Response(
            DifferenceSerializer(
                {
                    "definition_changed": found.definition_changed,
                    "n_moved": found.n_moved,
                    "numbers": [
                        {"name": name, "before": before, "after": after}
                        for name, before, after in found.numbers
                    ],
                    "moved": [
                        {
                            "course": moved.course.pk,
                            "registry_number": moved.course.patient.registry_number,
                            "entered": moved.entered,
                            "left": moved.left,
                            "fields": {name: list(pair) for name, pair in moved.fields.items()},
                            "corrections": moved.corrections,
                        }
                        for moved in found.moved
                    ],
                }
            ).data
        )

    @extend_schema(parameters=CELL, responses=BehindSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def behind(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The courses behind a number of the results, each with the facts that made it count."""
        try:
            cell = behind.Cell.from_query(request.query_params)
        except ValueError as error:
            raise BadQuery({"measure": str(error)}, "cell_invalid") from error
        found = behind.find(self.get_object(), self.user, cell)
        return Response(
            BehindSerializer(
                {
                    "n": found.n,
                    "n_elsewhere": found.n_elsewhere,
                    "results": [
                        {
                            "course": one.course.pk,
                            "patient": one.course.patient_id,
                            "registry_number": one.course.patient.registry_number,
                            "course_number": one.course.number,
                            "at": one.days,
                            "facts": one.facts,
                        }
                        for one in found.courses
                    ],
                }
            ).data
        )
