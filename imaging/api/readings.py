"""Readings in the REST API: reported, corrected and voided here; drafted and signed below their study."""

from typing import Any, ClassVar

import django_filters
from django.contrib.auth import authenticate
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Role
from accounts.models import User
from accounts.records import ClinicalRecord
from accounts.rest.filters import FlagFilter, RecordFilter
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, RecordSerializer, StrictSerializer
from accounts.rest.views import EnteredRecordViewSet
from imaging import services
from imaging.models import OverallResponse, Reading, ReadingRole, ReadingStatus, SstrResponse, Study
from imaging.services.readings import DERIVED_FIELDS


def _derived(choices: Any, **kwargs: Any) -> serializers.ChoiceField:
    """A code that is derived; blank where none can be told."""
    return serializers.ChoiceField(choices=choices, allow_blank=True, read_only=True, **kwargs)


class ReadingSerializer(RecordSerializer):
    """What a reader said of a study, beside what the rules derived from the measurements when it was stored."""

    create_only: ClassVar[tuple[str, ...]] = ("study", "reader_role")
    study = RecordKeyField(queryset=Study.objects.all())
    patient = serializers.UUIDField(source="study.patient_id", read_only=True)
    registry_number = serializers.CharField(source="study.patient.registry_number", read_only=True)
    course_number = serializers.IntegerField(source="study.course_number", read_only=True)
    performed_on = serializers.DateField(source="study.performed_on", read_only=True)
    reader = serializers.CharField(source="reader.username", read_only=True, allow_null=True, default=None)
    derived_response = _derived(OverallResponse.choices, help_text="Blank: nothing could be derived.")
    target_response = _derived(OverallResponse.choices)
    non_target_response = _derived(OverallResponse.choices)
    sstr_response = _derived(SstrResponse.choices)
    is_overridden = serializers.BooleanField(
        read_only=True, help_text="Whether it says another response than the one derived."
    )

    class Meta:
        model = Reading
        fields = [
            *RECORD_FIELDS,
            "study",
            "patient",
            "registry_number",
            "course_number",
            "performed_on",
            "reader",
            "reader_role",
            "status",
            "signed_at",
            "overall_response",
            "new_lesions",
            "override_reason",
            "note",
            *DERIVED_FIELDS,
            "is_overridden",
        ]
        read_only_fields = [*RECORD_FIELDS, "status", "signed_at", *DERIVED_FIELDS]
        validators: list[Any] = []


class ReadingFilter(RecordFilter):
    study = django_filters.UUIDFilter(field_name="study_id", label="id of a study")
    patient = django_filters.UUIDFilter(field_name="study__patient_id", label="id of a patient")
    course_number = django_filters.NumberFilter(
        field_name="study__course_number", min_value=1, max_value=1000, decimal_places=0
    )
    reader_role = django_filters.ChoiceFilter(choices=ReadingRole.choices)
    status = django_filters.ChoiceFilter(choices=ReadingStatus.choices)
    overall_response = django_filters.ChoiceFilter(choices=OverallResponse.choices)
    counts = FlagFilter(
        method="_counting", label="true shows those that the outcomes rest on, false the others"
    )

    def _counting(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        counting = Reading.objects.in_force().values("pk")
        return queryset.filter(pk__in=counting) if value == "true" else queryset.exclude(pk__in=counting)


class ReadingViewSet(EnteredRecordViewSet):
    """Overall responses of studies after the baseline (RECIST 1.1), one for each study and role of the reader.

    A signed one is changed by signing it anew, at ``POST /studies/{id}/sign-reading/``.
    """

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
        return services.report_reading(Reading(**values, reader=user if reads else None), by=user)

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_reading(
            record, changes, by=self.user, reason=reason, expected_version=expected
        )

    @extend_schema(responses={201: ReadingSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store a reading that was made and signed elsewhere. It counts from now on."""
        return super().create(request, *args, **kwargs)


# What is sent to /studies/{id}/draft-reading/ and /studies/{id}/sign-reading/


class DraftReadingSerializer(StrictSerializer):
    """What a reader says of a study, or leaves to the rules."""

    reader_role = serializers.ChoiceField(choices=ReadingRole.choices, default=ReadingRole.FIRST)
    overall_response = serializers.ChoiceField(
        choices=OverallResponse.choices, allow_blank=True, default="", help_text="Blank: the derived one."
    )
    override_reason = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="Needed where it differs from the derived one.",
    )
    note = serializers.CharField(max_length=500, allow_blank=True, default="")
    reading_version = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        allow_null=True,
        default=None,
        help_text="Of the reading that was seen; 0: there was none; null: not asked.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["expected_version"] = attrs.pop("reading_version")
        return attrs


class SignReadingSerializer(DraftReadingSerializer):
    """A signature: the same, with the password once more, and the reason where it has counted before."""

    password = serializers.CharField(
        write_only=True, trim_whitespace=False, max_length=4096, help_text="Of the one who signs."
    )
    reason = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="Needed where the reading has been signed before, or was reported.",
    )


def require_password(request: Request, user: User, password: str) -> None:
    """Ask for the password once more; a wrong one counts as a failed sign-in.

    Called outside of any transaction: a refusal must not roll back that it was counted.

    Raises:
        ValidationError: ``wrong_password``.
    """
    # django-axes counts failures on Django's request, not on DRF's wrapping of it.
    found = authenticate(request._request, username=user.get_username(), password=password)
    if found is None or found.pk != user.pk:
        raise serializers.ValidationError(
            {
                "password": serializers.ErrorDetail(
                    "This is not your password. Nothing was signed.", "wrong_password"
                )
            }
        )
