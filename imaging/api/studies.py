"""Studies in the REST API, and the acts on one: its reading is drafted and signed, its drafts are accepted."""

from collections.abc import Callable
from typing import Any

import django_filters
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.records import ClinicalRecord
from accounts.rest.headers import expected_version
from accounts.rest.idempotency import once
from accounts.rest.serializers import RECORD_FIELDS
from imaging import services
from imaging.api.readings import (
    DraftReadingSerializer,
    ReadingSerializer,
    ReadingViewSet,
    SignReadingSerializer,
    require_password,
)
from imaging.api.responses import (
    ReaderRoleSerializer,
    StudyResponseSerializer,
    asked,
    study_response_values,
)
from imaging.models import Modality, Study, Timepoint
from imaging.selectors.response import course_response
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer, OfPatientViewSet


class StudySerializer(OfPatientSerializer):
    class Meta:
        model = Study
        fields = [
            *OF_PATIENT,
            "course_number",
            "timepoint",
            "modality",
            "performed_on",
            "tracer",
            "tracer_activity_mbq",
            "injected_at",
            "uptake_minutes",
            "body_weight_kg",
            "slice_thickness_mm",
            "liver_suv_mean",
            "spleen_suv_mean",
            "krenning_score",
            "study_instance_uid",
            "suvbw_factor",
            "suvbw_basis",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class StudyFilter(OfPatientFilter):
    course_number = django_filters.NumberFilter(min_value=1, max_value=1000, decimal_places=0)
    timepoint = django_filters.ChoiceFilter(choices=Timepoint.choices)
    modality = django_filters.ChoiceFilter(choices=Modality.choices)
    performed_from = django_filters.DateFilter(field_name="performed_on", lookup_expr="gte")
    performed_to = django_filters.DateFilter(field_name="performed_on", lookup_expr="lte")
    study_instance_uid = django_filters.CharFilter(max_length=64)


class StudyViewSet(OfPatientViewSet):
    """Examinations at their timepoints. Each act on one has its own address below it."""

    queryset = Study.objects.all()
    serializer_class = StudySerializer
    filterset_class = StudyFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "performed_on": "performed_on"}
    once_actions = ("create", "void", "draft_reading", "sign_reading", "accept_drafts")
    body_version_actions = ("draft_reading", "sign_reading")  # those that name a version in their body
    in_place_actions = ("void", "draft_reading", "sign_reading", "accept_drafts")
    untagged_actions = ("list", "history", "derived", "accept_drafts")

    def acts_needed(self, request: Request) -> list[Act]:
        if self.action == "sign_reading":
            return [self.act, Act.SIGN_READINGS]
        return super().acts_needed(request)

    def query_parameters(self) -> set[str]:
        return set(ReaderRoleSerializer().fields) if self.action == "derived" else super().query_parameters()

    def _for_act(self, act: Act = Act.EDIT_IMAGING) -> Study:
        study = self.get_object()
        self.user.require(act, study.patient.centre_id)
        expected_version(self.request, study, required=False)
        return study

    def _sent(self, parser: type[serializers.Serializer]) -> dict[str, Any]:
        values = parser(data=self.request.data, context=self.get_serializer_context())
        values.is_valid(raise_exception=True)
        return values.validated_data

    def _reading_once(self, act: Callable[[], ClinicalRecord]) -> Response:
        door = self.door_to(ReadingViewSet, "reading")
        return self.answer_once(act, code=status.HTTP_200_OK, door=door)

    @extend_schema(request=DraftReadingSerializer, responses=ReadingSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="draft-reading")
    def draft_reading(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Keep a reading of the study that is not signed yet; it does not count."""

        def act() -> ClinicalRecord:
            study, values = self._for_act(), self._sent(DraftReadingSerializer)
            return services.save_draft(study=study, **values, by=self.user)

        return self._reading_once(act)

    @extend_schema(request=SignReadingSerializer, responses=ReadingSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="sign-reading")
    def sign_reading(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sign a reading of the study with the password once more; it counts from now on.

        A token is no signature: without the password of the one who signs nothing is signed, and a wrong one counts as a
        failed sign-in. What has been signed or reported before is signed anew with a ``reason``.
        """
        self._for_act(Act.SIGN_READINGS)  # who may not sign is not asked for a password
        values = self._sent(SignReadingSerializer)
        require_password(request, self.user, values.pop("password"))

        def act() -> ClinicalRecord:
            study = self._for_act(Act.SIGN_READINGS)
            return services.sign_reading(study=study, **values, by=self.user)

        return self._reading_once(act)

    @extend_schema(request=ReaderRoleSerializer, responses=StudyResponseSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="accept-drafts")
    def accept_drafts(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let the draft measurements of the study count, and show what follows from them."""
        values = self._sent(ReaderRoleSerializer)

        def act() -> Study:
            study = self._for_act()
            services.accept_drafts(patient=study.patient, study=study, **values, by=self.user)
            return study

        study, replayed = once(request, act=act, find=self.find)
        response = self._response_of(study, values["reader_role"])
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response

    @extend_schema(parameters=[ReaderRoleSerializer], responses=StudyResponseSerializer, filters=False)
    @action(detail=True, methods=["get"], url_path="response", pagination_class=None, filter_backends=[])
    def derived(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The response of the study as the rules derive it from the measurements of one reader, with the reason."""
        study = self.get_object()
        if study.voided_at is not None:
            raise Http404
        return self._response_of(study, asked(ReaderRoleSerializer, request)["reader_role"])

    def _response_of(self, study: Study, reader_role: str) -> Response:
        response = course_response(study.patient_id, study.course_number, reader_role)
        return Response(StudyResponseSerializer(study_response_values(response, study)).data)
