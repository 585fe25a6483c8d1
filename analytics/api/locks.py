"""Data locks in the REST API: made once, read and verified ever after."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import Centre
from accounts.rest.refusals import Conflict
from accounts.rest.serializers import StrictSerializer
from accounts.rest.shared import SharedViewSet
from analytics import jobs, locks, results
from analytics.api.jobs import JobSerializer
from analytics.api.questions import ExportSerializer
from analytics.models import Cohort, DataLock, JobKind
from analytics.small_cells import suppressed


class LockSerializer(serializers.ModelSerializer):
    """A frozen analysis data set. ``content_hash`` is over definition and rows, ``results_hash`` over the results."""

    cohort: serializers.SlugRelatedField = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    centres = serializers.SerializerMethodField()
    endpoints = serializers.DictField()
    versions = serializers.DictField()

    class Meta:
        model = DataLock
        fields = [
            "name",
            "note",
            "cohort",
            "centres",
            "data_cutoff",
            "endpoints",
            "versions",
            "n_rows",
            "content_hash",
            "results_hash",
            "locked_at",
        ]

    def get_centres(self, lock: DataLock) -> list[str]:
        return lock.scope.split("+")


class NewLockSerializer(StrictSerializer):
    """What is to be locked: the cohort at the centres at which you manage cohorts."""

    cohort = serializers.SlugField()
    name = serializers.SlugField(max_length=50)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class VerificationSerializer(serializers.Serializer):
    is_unchanged = serializers.BooleanField()
    differences = serializers.ListField(child=serializers.CharField())
    other_versions = serializers.ListField(
        child=serializers.CharField(), help_text="What computed it then in another version than is here now."
    )


class LockViewSet(SharedViewSet):
    """Data locks: of all whose centres' results you may see. A lock is kept as it was made."""

    act = Act.VIEW_RESULTS
    edit_act = Act.MANAGE_COHORTS
    queryset = DataLock.objects.all()
    serializer_class = LockSerializer
    new_serializer_class = NewLockSerializer
    lookup_field = "name"
    lookup_value_converter = "slug"
    ordering_fields = {"locked_at": "locked_at", "name": "name"}
    ordering = "name"
    in_place_actions = ("exports",)

    def visible(self) -> QuerySet:
        return self.queryset.all().visible_to(self.user).select_related("cohort").defer("results")

    def acts_needed(self, request: Request) -> list[Act]:
        # Whoever may see a lock may take its data sets away, as far as they are for this user.
        return (
            [self.act]
            if request.method in SAFE_METHODS or self.action == "exports"
            else [self.act, self.edit_act]
        )

    def enter(self, values: dict[str, Any]) -> DataLock:
        visible = Cohort.objects.visible_to(self.user).select_related("definition")
        cohort = visible.filter(slug=values["cohort"]).first()
        if cohort is None:
            raise ValidationError({"cohort": "There is no such cohort."}, "cohort_unknown")
        managed = Centre.objects.visible_to(self.user, Act.MANAGE_COHORTS).values_list("code", flat=True)
        codes = sorted(set(results.centre_codes(cohort, self.user)) & set(managed))
        try:
            return locks.lock(cohort, values["name"], codes, self.user, values["note"])
        except RegistryError as error:
            raise Conflict(str(error), error.code) from error

    @extend_schema(request=NewLockSerializer, responses={201: LockSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Freeze a cohort's data set as it is now. Refused while records wait to be counted."""
        return super().create(request, *args, **kwargs)

    def address_key(self, made: DataLock) -> str:
        return made.name

    @extend_schema(responses=OpenApiTypes.OBJECT, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def results(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The results as they were locked."""
        lock = self.get_object()
        readable = set(Centre.objects.visible_to(self.user, Act.VIEW_RECORDS).values_list("code", flat=True))
        found = lock.results
        if not readable.issuperset(lock.scope.split("+")):
            found = suppressed(found, settings.SMALL_CELL)
        return Response(found)

    @extend_schema(responses=VerificationSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def verification(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Hash the rows and compute the results again: in what do they differ from what was locked?"""
        lock = self.get_object()
        differences = locks.verify(lock)
        found = {
            "is_unchanged": not differences,
            "differences": differences,
            "other_versions": locks.other_versions(lock),
        }
        return Response(VerificationSerializer(found).data)

    @extend_schema(request=ExportSerializer, responses={202: JobSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def exports(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Write the lock's data sets in the background; the answer is the job to watch."""
        lock = self.get_object()
        asked = ExportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return start_job(self, JobKind.EXPORT, lock.cohort, {"lock": lock.name, **asked.validated_data})


def start_job(view: Any, kind: JobKind, cohort: Cohort, parameters: dict[str, Any]) -> Response:
    """Ask for long work, and answer with the job to watch."""
    try:
        job = jobs.start(kind, view.user, cohort=cohort, parameters=parameters)
    except RegistryError as error:
        raise Conflict(str(error), error.code) from error
    shown = JobSerializer(job, context={"request": view.request}).data
    return Response(shown, status=202)
