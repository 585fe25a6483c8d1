"""Studies and their readings in the REST API."""

from typing import Any, ClassVar

import django_filters
from rest_framework import serializers

from accounts.access import Role
from accounts.records import ClinicalRecord, create_record
from accounts.rest.filters import RecordFilter
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, RecordSerializer
from accounts.rest.views import EnteredRecordViewSet
from imaging.models import Modality, OverallResponse, Reading, Study, Timepoint
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
            "uptake_minutes",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class StudyFilter(OfPatientFilter):
    timepoint = django_filters.ChoiceFilter(choices=Timepoint.choices)
    modality = django_filters.ChoiceFilter(choices=Modality.choices)
    performed_from = django_filters.DateFilter(field_name="performed_on", lookup_expr="gte")
    performed_to = django_filters.DateFilter(field_name="performed_on", lookup_expr="lte")


class StudyViewSet(OfPatientViewSet):
    """Examinations at their timepoints."""

    queryset = Study.objects.all()
    serializer_class = StudySerializer
    filterset_class = StudyFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "performed_on": "performed_on"}


class ReadingSerializer(RecordSerializer):
    create_only: ClassVar[tuple[str, ...]] = ("study",)
    study = RecordKeyField(queryset=Study.objects.all())
    patient = serializers.UUIDField(source="study.patient_id", read_only=True)
    registry_number = serializers.CharField(source="study.patient.registry_number", read_only=True)
    reader = serializers.CharField(source="reader.username", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Reading
        fields = [
            *RECORD_FIELDS,
            "study",
            "patient",
            "registry_number",
            "reader",
            "overall_response",
            "new_lesions",
            "note",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class ReadingFilter(RecordFilter):
    study = django_filters.UUIDFilter(field_name="study_id", label="id of a study")
    patient = django_filters.UUIDFilter(field_name="study__patient_id", label="id of a patient")
    overall_response = django_filters.ChoiceFilter(choices=OverallResponse.choices)


class ReadingViewSet(EnteredRecordViewSet):
    """The overall response that a reader gives a study after the baseline (RECIST 1.1). One per study."""

    queryset = Reading.objects.all()
    serializer_class = ReadingSerializer
    filterset_class = ReadingFilter
    related = ("study__patient", "reader")
    ordering_fields = {
        "id": "id",
        "performed_on": "study__performed_on",
        "created_at": "created_at",
        "registry_number": "study__patient__registry_number",
    }

    def enter(self, values: dict[str, Any]) -> ClinicalRecord:
        user = self.user
        # A data manager or an interface writes down what somebody else has read.
        reads = user.memberships.filter(
            centre=values["study"].patient.centre_id, role__in=[Role.READER, Role.PHYSICIAN]
        ).exists()
        return create_record(Reading(**values, reader=user if reads else None), by=user)
