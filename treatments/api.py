"""Protocols, courses, cycles, administrations and discontinuations in the REST API."""

from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.records import ClinicalRecord
from accounts.rest.filters import RecordFilter
from accounts.rest.headers import expected_version
from accounts.rest.serializers import (
    RECORD_FIELDS,
    AwareDateTimeField,
    RecordKeyField,
    RecordSerializer,
    StrictSerializer,
    not_after_now,
    plausible_plan,
)
from accounts.rest.views import EnteredRecordViewSet, ReadViewSet, RecordViewSet
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer
from patients.models import Patient
from treatments import services
from treatments.models import (
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    Intent,
    Protocol,
)

SMALLEST_ACTIVITY_MBQ = Decimal("0.1")
LARGEST_ACTIVITY_MBQ = Decimal(20000)


class ProtocolSerializer(serializers.ModelSerializer):
    class Meta:
        model = Protocol
        fields = [
            "id",
            "code",
            "version",
            "name",
            "radiopharmaceutical",
            "physical_half_life_days",
            "planned_cycles",
            "interval_days",
            "window_days",
            "prescribed_activity_mbq",
            "imaging_after_cycles",
            "imaging_due_days",
            "source",
        ]


class ProtocolFilter(django_filters.FilterSet):
    code = django_filters.CharFilter()


class ProtocolViewSet(ReadViewSet):
    """How courses are meant to run. A course stays with the version that it was started on."""

    act = Act.VIEW_RESULTS  # plans, not patients
    queryset = Protocol.objects.all()
    serializer_class = ProtocolSerializer
    filterset_class = ProtocolFilter
    lookup_value_converter = "int"
    ordering_fields = {"id": "id", "code": "code"}

    def visible(self) -> QuerySet:
        return self.queryset.all()


# Courses


class CourseSerializer(OfPatientSerializer):
    create_only: ClassVar[tuple[str, ...]] = ("patient", "protocol")
    protocol = serializers.PrimaryKeyRelatedField(
        queryset=Protocol.objects.all(), pk_field=serializers.IntegerField()
    )

    class Meta:
        model = Course
        fields = [*OF_PATIENT, "number", "protocol", "intent"]
        read_only_fields = [*RECORD_FIELDS, "number"]
        validators: list[Any] = []


class NewCourseSerializer(StrictSerializer):
    """A new course. Its number is given by the registry, its cycles are planned from ``first_planned_on``."""

    patient = RecordKeyField(queryset=Patient.objects.all())
    protocol = serializers.PrimaryKeyRelatedField(
        queryset=Protocol.objects.all(), pk_field=serializers.IntegerField()
    )
    intent = serializers.ChoiceField(choices=Intent.choices, default=Intent.INITIAL)
    first_planned_on = serializers.DateField(allow_null=True, default=None, validators=[plausible_plan])


class CourseFilter(OfPatientFilter):
    protocol = django_filters.NumberFilter(
        field_name="protocol_id", min_value=0, max_value=2**31 - 1, decimal_places=0, label="id of a protocol"
    )
    intent = django_filters.ChoiceFilter(choices=Intent.choices)


# Cycles

OF_COURSE = [*RECORD_FIELDS, "course", "patient", "registry_number"]


class OfCourseSerializer(RecordSerializer):
    """A record that hangs on a course."""

    create_only: ClassVar[tuple[str, ...]] = ("course",)
    course = RecordKeyField(queryset=Course.objects.all())
    patient = serializers.UUIDField(source="course.patient_id", read_only=True)
    registry_number = serializers.CharField(source="course.patient.registry_number", read_only=True)


class OfCourseFilter(RecordFilter):
    course = django_filters.UUIDFilter(field_name="course_id", label="id of a course")
    patient = django_filters.UUIDFilter(field_name="course__patient_id", label="id of a patient")


class CycleSerializer(OfCourseSerializer):
    planned_on = serializers.DateField(allow_null=True, required=False, validators=[plausible_plan])
    status = serializers.ChoiceField(
        choices=CycleStatus.choices,
        required=False,
        help_text="planned and held may be changed into each other; given and cancelled follow from other records.",
    )

    class Meta:
        model = Cycle
        fields = [*OF_COURSE, "number", "planned_on", "status", "note"]
        read_only_fields = [*RECORD_FIELDS, "number"]
        validators: list[Any] = []

    def validate_status(self, value: str) -> str:
        assert isinstance(self.instance, Cycle)  # cycles are made with their course
        if value not in services.OPEN and value != self.instance.status:
            raise serializers.ValidationError(
                "Only planned or held can be chosen: a cycle is given at administer/, and cancelled by the"
                " discontinuation of its course.",
                "invalid_choice",
            )
        return value

    def _fill(self, attrs: dict[str, Any]) -> None:
        super()._fill(attrs)
        assert isinstance(self.instance, Cycle)
        if "status" not in self.initial_data and self.instance.status not in services.OPEN:
            attrs.pop("status", None)  # it is not the client's to leave out


class AdministerSerializer(StrictSerializer):
    """That a cycle was given. Activities are in MBq, net of the residual."""

    administered_at = AwareDateTimeField(validators=[not_after_now])
    administered_activity_mbq = serializers.DecimalField(
        max_digits=7,
        decimal_places=1,
        validators=[MinValueValidator(SMALLEST_ACTIVITY_MBQ), MaxValueValidator(LARGEST_ACTIVITY_MBQ)],
    )
    prescribed_activity_mbq = serializers.DecimalField(
        max_digits=7,
        decimal_places=1,
        validators=[MinValueValidator(SMALLEST_ACTIVITY_MBQ)],
        required=False,
        help_text="MBq; the protocol's where it is left out.",
    )
    lot = serializers.CharField(max_length=40, allow_blank=True, default="")
    deviation_explanation = serializers.CharField(max_length=500, allow_blank=True, default="")


class CycleFilter(OfCourseFilter):
    status = django_filters.ChoiceFilter(choices=CycleStatus.choices)
    planned_from = django_filters.DateFilter(field_name="planned_on", lookup_expr="gte")
    planned_to = django_filters.DateFilter(field_name="planned_on", lookup_expr="lte")


# Administrations


class AdministrationSerializer(RecordSerializer):
    create_only: ClassVar[tuple[str, ...]] = ("cycle",)
    cycle = RecordKeyField(queryset=Cycle.objects.all())
    cycle_number = serializers.IntegerField(source="cycle.number", read_only=True)
    course = serializers.UUIDField(source="cycle.course_id", read_only=True)
    patient = serializers.UUIDField(source="cycle.course.patient_id", read_only=True)
    registry_number = serializers.CharField(source="cycle.course.patient.registry_number", read_only=True)
    administered_at = AwareDateTimeField(validators=[not_after_now])

    class Meta:
        model = Administration
        fields = [
            *RECORD_FIELDS,
            "cycle",
            "cycle_number",
            "course",
            "patient",
            "registry_number",
            "administered_at",
            "prescribed_activity_mbq",
            "administered_activity_mbq",
            "lot",
            "deviation_explanation",
        ]
        read_only_fields = RECORD_FIELDS
        extra_kwargs = {
            name: {"validators": [MinValueValidator(SMALLEST_ACTIVITY_MBQ), MaxValueValidator(largest)]}
            for name, largest in [
                ("administered_activity_mbq", LARGEST_ACTIVITY_MBQ),
                ("prescribed_activity_mbq", Decimal("999999.9")),
            ]
        }
        validators: list[Any] = []


class NewAdministrationSerializer(AdministerSerializer):
    cycle = RecordKeyField(queryset=Cycle.objects.all())


class AdministrationFilter(RecordFilter):
    cycle = django_filters.UUIDFilter(field_name="cycle_id", label="id of a cycle")
    course = django_filters.UUIDFilter(field_name="cycle__course_id", label="id of a course")
    patient = django_filters.UUIDFilter(field_name="cycle__course__patient_id", label="id of a patient")
    administered_from = django_filters.IsoDateTimeFilter(field_name="administered_at", lookup_expr="gte")
    administered_to = django_filters.IsoDateTimeFilter(field_name="administered_at", lookup_expr="lte")


class AdministrationViewSet(EnteredRecordViewSet):
    """That cycles were given, when and how much."""

    queryset = Administration.objects.all()
    serializer_class = AdministrationSerializer
    filterset_class = AdministrationFilter
    related = ("cycle__course__patient",)
    ordering_fields = {
        "id": "id",
        "administered_at": "administered_at",
        "created_at": "created_at",
        "registry_number": "cycle__course__patient__registry_number",
    }

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewAdministrationSerializer if self.action == "create" else AdministrationSerializer

    def enter(self, values: dict[str, Any]) -> Administration:
        return services.administer_cycle(**values, by=self.user)

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_administration(
            record, changes, by=self.user, reason=reason, expected_version=expected
        )

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_administration(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(responses={201: AdministrationSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record that a cycle was given: the same act as ``POST /cycles/{id}/administer/``."""
        return super().create(request, *args, **kwargs)


class CycleViewSet(RecordViewSet):
    """Cycles, planned with their course. They are given at ``administer/`` and cancelled by discontinuing the course."""

    queryset = Cycle.objects.all()
    serializer_class = CycleSerializer
    filterset_class = CycleFilter
    related = ("course__patient",)
    once_actions = ("void", "administer")
    ordering_fields = {
        "id": "id",
        "planned_on": "planned_on",
        "created_at": "created_at",
        "registry_number": "course__patient__registry_number",
    }

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_cycle(record, changes, by=self.user, reason=reason, expected_version=expected)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_cycle(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(request=AdministerSerializer, responses={201: AdministrationSerializer}, filters=False)
    @action(detail=True, methods=["post"])
    def administer(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record that the cycle was given, and plan the following ones from it."""

        def act() -> ClinicalRecord:
            cycle = self.for_writing()
            expected = expected_version(request, cycle, required=False)
            values = AdministerSerializer(data=request.data, context=self.get_serializer_context())
            values.is_valid(raise_exception=True)
            return services.administer_cycle(
                cycle=cycle, **values.validated_data, expected_version=expected, by=self.user
            )

        door = self.door_to(AdministrationViewSet, "administration")
        return self.answer_once(act, code=status.HTTP_201_CREATED, door=door)


# Discontinuations


class DiscontinueSerializer(StrictSerializer):
    """That a course was stopped. After which cycle follows from what was given."""

    discontinued_on = serializers.DateField()
    main_reason = serializers.ChoiceField(choices=DiscontinuationReason.choices)
    further_reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=DiscontinuationReason.choices), default=list, max_length=9
    )
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class DiscontinuationSerializer(OfCourseSerializer):
    class Meta:
        model = Discontinuation
        fields = [*OF_COURSE, "discontinued_on", "after_cycle", "main_reason", "further_reasons", "note"]
        read_only_fields = [*RECORD_FIELDS, "after_cycle"]
        validators: list[Any] = []


class NewDiscontinuationSerializer(DiscontinueSerializer):
    course = RecordKeyField(queryset=Course.objects.all())


class DiscontinuationFilter(OfCourseFilter):
    main_reason = django_filters.ChoiceFilter(choices=DiscontinuationReason.choices)
    discontinued_from = django_filters.DateFilter(field_name="discontinued_on", lookup_expr="gte")
    discontinued_to = django_filters.DateFilter(field_name="discontinued_on", lookup_expr="lte")


class DiscontinuationViewSet(EnteredRecordViewSet):
    """That courses were stopped before all their cycles were given. One per course."""

    queryset = Discontinuation.objects.all()
    serializer_class = DiscontinuationSerializer
    filterset_class = DiscontinuationFilter
    related = ("course__patient",)
    ordering_fields = {
        "id": "id",
        "discontinued_on": "discontinued_on",
        "created_at": "created_at",
        "registry_number": "course__patient__registry_number",
    }

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewDiscontinuationSerializer if self.action == "create" else DiscontinuationSerializer

    def enter(self, values: dict[str, Any]) -> Discontinuation:
        return services.discontinue_course(**values, by=self.user)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_discontinuation(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(responses={201: DiscontinuationSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record that a course was stopped: the same act as ``POST /courses/{id}/discontinue/``."""
        return super().create(request, *args, **kwargs)


class CourseViewSet(EnteredRecordViewSet):
    """Courses of cycles. Starting one plans all its cycles."""

    queryset = Course.objects.all()
    serializer_class = CourseSerializer
    filterset_class = CourseFilter
    related = ("patient",)
    once_actions = ("create", "void", "discontinue")
    ordering_fields = {"id": "id", "created_at": "created_at", "registry_number": "patient__registry_number"}

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewCourseSerializer if self.action == "create" else CourseSerializer

    def enter(self, values: dict[str, Any]) -> Course:
        return services.start_course(**values, by=self.user)

    @extend_schema(responses={201: CourseSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Start the patient's next course and plan its cycles."""
        return super().create(request, *args, **kwargs)

    @extend_schema(request=DiscontinueSerializer, responses={201: DiscontinuationSerializer}, filters=False)
    @action(detail=True, methods=["post"])
    def discontinue(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record that the course was stopped; the cycles still to come are cancelled."""

        def act() -> ClinicalRecord:
            course = self.for_writing()
            expected_version(request, course, required=False)
            values = DiscontinueSerializer(data=request.data, context=self.get_serializer_context())
            values.is_valid(raise_exception=True)
            return services.discontinue_course(course=course, **values.validated_data, by=self.user)

        door = self.door_to(DiscontinuationViewSet, "discontinuation")
        return self.answer_once(act, code=status.HTTP_201_CREATED, door=door)
