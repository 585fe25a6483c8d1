"""Long work in the REST API: what you asked for, how far it is, and what it made."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from accounts.access import Act
from accounts.rest.refusals import Conflict
from accounts.rest.views import ReadViewSet
from analytics import jobs
from analytics.models import Job


class JobSerializer(serializers.ModelSerializer):
    """A piece of long work that you asked for."""

    cohort: serializers.SlugRelatedField = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    content_url = serializers.SerializerMethodField(
        help_text="Where what it made can be fetched; null before it is done and after 7 days."
    )

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "state",
            "step",
            "done",
            "total",
            "problem",
            "cohort",
            "requested_at",
            "started_at",
            "ended_at",
            "file_name",
            "content_url",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_content_url(self, job: Job) -> str | None:
        if not jobs.has_file(job):
            return None
        return reverse("api:job-content", [job.pk], request=self.context.get("request"))


class JobViewSet(ReadViewSet):
    """Long work that you asked for: reports, exports, rebuilds. Others' is absent."""

    http_method_names = ["get", "head", "post"]
    act = Act.VIEW_RESULTS
    queryset = Job.objects.all()
    serializer_class = JobSerializer
    lookup_value_converter = "uuid"
    ordering_fields = {"requested_at": "requested_at"}
    ordering = "-requested_at"
    in_place_actions = ("cancel",)

    def visible(self) -> QuerySet:
        return jobs.visible_to(self.user)

    @extend_schema(request=None, responses=JobSerializer, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Cancel work that is not finished; a worker that is busy with it stops at its next step."""
        job = self.get_object()
        if not jobs.cancel(job):
            raise Conflict(f"It is {job.get_state_display().lower()} already.", "job_finished")
        return Response(self.get_serializer(job).data, status=status.HTTP_200_OK)

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def content(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """What it made, as a file: absent until it is done, after 7 days, and if you may no longer see what is in it."""
        job = self.get_object()
        made = jobs.content(job, self.user)
        if made is None:
            raise Http404
        return file_answer(job, made)


def file_answer(job: Job, made: bytes) -> HttpResponse:
    """Return what a job made as a download."""
    response = HttpResponse(made, content_type=job.content_type)
    response["Content-Disposition"] = f'attachment; filename="{job.file_name}"'
    response["Cache-Control"] = "private, no-store"
    return response
