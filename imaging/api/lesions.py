"""Lesions and their measurements in the REST API."""

from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.records import ClinicalRecord
from accounts.rest.filters import FlagFilter, RecordFilter
from accounts.rest.headers import change_reason
from accounts.rest.refusals import BadHeader
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, RecordSerializer
from accounts.rest.views import EnteredRecordViewSet
from imaging import services
from imaging.models import (
    MOST_SIZE_MM,
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    ReaderRole,
    Role,
    Study,
)
from imaging.rules.cells import MOST_PARTS
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer, OfPatientViewSet


class MayNeedReason(EnteredRecordViewSet):
    """Records that are entered with a reason where a reader's signature rests on what they change."""

    optional_reason_actions: ClassVar[tuple[str, ...]] = ("create",)

    def reason_of_entry(self) -> str:
        """Return ``Change-Reason`` where it is sent; a first entry needs it only after a signature."""
        return change_reason(self.request) if "Change-Reason" in self.request.headers else ""

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().create(request, *args, **kwargs)
        except ValidationError as refused:
            if "reason" not in getattr(refused, "error_dict", {}):
                raise
            said = " ".join(refused.message_dict["reason"])
            raise BadHeader("Change-Reason", said, "change_reason_required") from refused


# Lesions


class LesionSerializer(OfPatientSerializer):
    """A lesion that a reader follows through the studies of a course."""

    create_only: ClassVar[tuple[str, ...]] = ("patient", "course_number", "reader_role")
    label = serializers.CharField(  # type: ignore[assignment]  # a field, not what it is labelled with
        max_length=12,
        required=False,
        allow_blank=True,
        help_text="Blank at entry: the next number, such as L4.",
    )
    is_node = serializers.BooleanField(read_only=True, help_text="Whether its short axis is measured.")

    class Meta:
        model = Lesion
        fields = [
            *OF_PATIENT,
            "course_number",
            "reader_role",
            "label",
            "role",
            "organ",
            "is_node",
            "site",
            "selection_reason",
            "tracking_uid",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []

    def validate_label(self, value: str) -> str:
        return value.strip().upper()


class LesionFilter(OfPatientFilter):
    course_number = django_filters.NumberFilter(min_value=1, max_value=1000, decimal_places=0)
    reader_role = django_filters.ChoiceFilter(choices=ReaderRole.choices)
    role = django_filters.ChoiceFilter(choices=Role.choices)
    organ = django_filters.ChoiceFilter(choices=LesionOrgan.choices)


class LesionViewSet(MayNeedReason, OfPatientViewSet):
    """Target, non-target and new lesions. One is voided with its measurements."""

    queryset = Lesion.objects.all()
    serializer_class = LesionSerializer
    filterset_class = LesionFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "label": "label"}

    def enter(self, values: dict[str, Any]) -> ClinicalRecord:
        return services.add_lesion(
            **({"course_number": 1} | values), reason=self.reason_of_entry(), by=self.user
        )

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.change_lesion(record, changes, by=self.user, reason=reason, expected_version=expected)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_lesion(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(responses={201: LesionSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a lesion. Once a study of the course is signed, a target or non-target needs ``Change-Reason``."""
        return super().create(request, *args, **kwargs)


# Measurements


class MeasurementSerializer(RecordSerializer):
    """What was found of a lesion in a study: a size or a state by RECIST 1.1, and its uptake."""

    create_only: ClassVar[tuple[str, ...]] = ("lesion", "study")
    lesion = RecordKeyField(queryset=Lesion.objects.all())
    study = RecordKeyField(queryset=Study.objects.all())
    patient = serializers.UUIDField(source="lesion.patient_id", read_only=True)
    registry_number = serializers.CharField(source="lesion.patient.registry_number", read_only=True)
    label = serializers.CharField(source="lesion.label", read_only=True)  # type: ignore[assignment]
    reader_role = serializers.CharField(source="lesion.reader_role", read_only=True)
    performed_on = serializers.DateField(source="study.performed_on", read_only=True)
    parts_mm = serializers.ListField(
        child=serializers.DecimalField(
            max_digits=5, decimal_places=1, min_value=Decimal("0.1"), max_value=Decimal(MOST_SIZE_MM)
        ),
        max_length=MOST_PARTS,
        required=False,
        help_text="Of a split lesion; size_mm is their sum, and may be left out.",
    )
    merged_into = RecordKeyField(
        queryset=Lesion.objects.all(),
        allow_null=True,
        required=False,
        help_text="The lesion that it is a part of now.",
    )

    class Meta:
        model = Measurement
        fields = [
            *RECORD_FIELDS,
            "lesion",
            "study",
            "patient",
            "registry_number",
            "label",
            "reader_role",
            "performed_on",
            "state",
            "size_mm",
            "parts_mm",
            "merged_into",
            "suv_max",
            "is_draft",
            "note",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class MeasurementFilter(RecordFilter):
    lesion = django_filters.UUIDFilter(field_name="lesion_id", label="id of a lesion")
    study = django_filters.UUIDFilter(field_name="study_id", label="id of a study")
    patient = django_filters.UUIDFilter(field_name="lesion__patient_id", label="id of a patient")
    course_number = django_filters.NumberFilter(
        field_name="lesion__course_number", min_value=1, max_value=1000, decimal_places=0
    )
    reader_role = django_filters.ChoiceFilter(field_name="lesion__reader_role", choices=ReaderRole.choices)
    state = django_filters.ChoiceFilter(choices=LesionState.choices)
    is_draft = FlagFilter(method="_drafts")

    def _drafts(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(is_draft=value == "true")


class MeasurementViewSet(MayNeedReason):
    """What was found of each lesion in each study. Drafts do not count until they are accepted."""

    queryset = Measurement.objects.all()
    serializer_class = MeasurementSerializer
    filterset_class = MeasurementFilter
    related = ("lesion__patient", "study", "merged_into")
    ordering_fields = {
        "id": "id",
        "created_at": "created_at",
        "performed_on": "study__performed_on",
        "registry_number": "lesion__patient__registry_number",
    }

    def enter(self, values: dict[str, Any]) -> ClinicalRecord:
        measurement = Measurement(**values)
        return services.record_measurement(measurement, reason=self.reason_of_entry(), by=self.user)

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_measurement(
            record, changes, by=self.user, reason=reason, expected_version=expected
        )

    @extend_schema(responses={201: MeasurementSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store a size or a state, an SUVmax, or both. Where the study has been signed it needs ``Change-Reason``."""
        return super().create(request, *args, **kwargs)
