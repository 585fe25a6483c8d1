"""Courses and discontinuations in the REST API; the schedule and the toxicity of a course."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.db.models import Count, Exists, OuterRef, Q
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.records import ClinicalRecord, plausible_plan
from accounts.rest.headers import change_reason, expected_version
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, StrictSerializer
from accounts.rest.views import EnteredRecordViewSet
from patients.api import OF_PATIENT, OfPatientFilter, OfPatientSerializer
from patients.models import Patient
from treatments import services
from treatments.api.common import OF_COURSE, OfCourseFilter, OfCourseSerializer
from treatments.api.toxicity import ToxicitySerializer, toxicity_values
from treatments.models import (
    OPEN,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    Intent,
    Protocol,
)
from treatments.rules.schedule import course_state, due_state
from treatments.selectors.schedule import CoursePlan, plan_of
from treatments.services.courses import today_at

OF_COURSE_ORDERING = {
    "id": "id",
    "created_at": "created_at",
    "registry_number": "course__patient__registry_number",
}
STATES = ["ongoing", "completed", "discontinued"]


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
    ordering_fields = {**OF_COURSE_ORDERING, "discontinued_on": "discontinued_on"}

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


# Courses


class ProtocolKeyField(serializers.PrimaryKeyRelatedField):
    """The id of a protocol's version, a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Protocol.objects.all(), pk_field=serializers.IntegerField(), **kwargs)


class CourseSerializer(OfPatientSerializer):
    create_only: ClassVar[tuple[str, ...]] = ("patient",)
    protocol = ProtocolKeyField(help_text="Another one moves the course: cycles are added or taken away.")
    state = serializers.SerializerMethodField()

    class Meta:
        model = Course
        fields = [*OF_PATIENT, "number", "protocol", "intent", "state"]
        read_only_fields = [*RECORD_FIELDS, "number"]
        validators: list[Any] = []

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, course: Any) -> str:
        """How the course stands; it follows from its cycles and its discontinuation."""
        return course_state(
            given=course.given_cycles,
            cancelled=course.cancelled_cycles,
            planned_cycles=course.protocol.planned_cycles,
            discontinued=course.is_discontinued,
        )


class NewCourseSerializer(StrictSerializer):
    """A new course. Its number is given by the registry, its cycles are planned from ``first_planned_on``."""

    patient = RecordKeyField(queryset=Patient.objects.all())
    protocol = ProtocolKeyField()
    intent = serializers.ChoiceField(choices=Intent.choices, default=Intent.INITIAL)
    first_planned_on = serializers.DateField(allow_null=True, default=None, validators=[plausible_plan])


class MoveSerializer(StrictSerializer):
    """The protocol, or the version of it, that the course is to follow."""

    protocol = ProtocolKeyField()


class CourseFilter(OfPatientFilter):
    protocol = django_filters.NumberFilter(
        field_name="protocol_id", min_value=0, max_value=2**31 - 1, decimal_places=0, label="id of a protocol"
    )
    intent = django_filters.ChoiceFilter(choices=Intent.choices)


# What follows from a course


class ScheduledCycleSerializer(serializers.Serializer):
    cycle = serializers.UUIDField()
    number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=CycleStatus.choices)
    planned_on = serializers.DateField(allow_null=True)
    protocol_on = serializers.DateField(
        allow_null=True, help_text="One interval after the cycle before it; null: given, or nothing dates it."
    )
    window_from = serializers.DateField(allow_null=True)
    window_to = serializers.DateField(allow_null=True)
    due = serializers.ChoiceField(
        choices=["upcoming", "in_window", "overdue"], allow_null=True, help_text="Today, at the centre."
    )
    given_on = serializers.DateField(allow_null=True, help_text="Local date of the administration.")
    why = serializers.CharField(allow_blank=True, help_text="Why it is planned, or was given, then.")
    prescribed_activity_mbq = serializers.DecimalField(max_digits=7, decimal_places=1)
    administered_activity_mbq = serializers.DecimalField(max_digits=7, decimal_places=1, allow_null=True)


class ScheduledImagingSerializer(serializers.Serializer):
    timepoint = serializers.ChoiceField(choices=["baseline", "interim", "post", "follow_up"])
    after_cycle = serializers.IntegerField(allow_null=True)
    from_on = serializers.DateField(allow_null=True, help_text="null: any day up to by_on.")
    by_on = serializers.DateField(allow_null=True)
    why = serializers.CharField()


class ScheduleSerializer(serializers.Serializer):
    """The plan of a course, and why each date is that date."""

    course = serializers.UUIDField()
    protocol = serializers.IntegerField()
    today = serializers.DateField(help_text="The local date of the centre.")
    state = serializers.ChoiceField(choices=STATES, help_text="Of its cycles; a death is in died_on.")
    died_on = serializers.DateField(
        allow_null=True, help_text="Where the patient died, no cycle is due or late and no PET/CT asked for."
    )
    delay_days = serializers.IntegerField(help_text="Of the next cycle, past the protocol's interval.")
    is_past_max_delay = serializers.BooleanField()
    administered_activity_mbq = serializers.DecimalField(max_digits=9, decimal_places=1)
    course_limit_mbq = serializers.DecimalField(max_digits=9, decimal_places=1)
    cycles = ScheduledCycleSerializer(many=True)
    imaging = ScheduledImagingSerializer(many=True)


def schedule_of(plan: CoursePlan, today: date, died_on: date | None) -> dict[str, Any]:
    """Return the members of ``ScheduleSerializer``. No query."""
    goes_on = died_on is None
    course, protocol = plan.course, plan.course.protocol
    given_mbq = {number: one.administered_activity_mbq for number, one in plan.administrations.items()}
    return {
        "course": course.pk,
        "protocol": protocol.pk,
        "today": today,
        "state": plan.state,
        "died_on": died_on,
        "delay_days": plan.delay(today) if goes_on else 0,
        "is_past_max_delay": goes_on and plan.is_past_max_delay(today),
        "administered_activity_mbq": sum(given_mbq.values(), Decimal(0)),
        "course_limit_mbq": protocol.course_limit_mbq,
        "cycles": [_scheduled(plan, cycle, today, goes_on=goes_on) for cycle in plan.cycles],
        "imaging": plan.imaging if goes_on else [],
    }


def _scheduled(plan: CoursePlan, cycle: Cycle, today: date, *, goes_on: bool) -> dict[str, Any]:
    protocol = plan.course.protocol
    planned = plan.planned.get(cycle.number)
    planned_on = planned.planned_on if planned is not None else cycle.planned_on
    given = plan.administrations.get(cycle.number)
    row: dict[str, Any] = {
        "cycle": cycle.pk,
        "number": cycle.number,
        "status": cycle.status,
        "planned_on": planned_on,
        "protocol_on": planned.protocol_on if planned is not None else None,
        "window_from": None,
        "window_to": None,
        "due": None,
        "given_on": plan.given_on.get(cycle.number),
        "why": plan.why(cycle.number) or cycle.cancel_reason,
        "prescribed_activity_mbq": cycle.prescribed_activity_mbq or protocol.prescribed_activity_mbq,
        "administered_activity_mbq": None,
    }
    if given is not None:
        row["prescribed_activity_mbq"] = given.prescribed_activity_mbq
        row["administered_activity_mbq"] = given.administered_activity_mbq
    if cycle.status in OPEN and planned_on is not None and goes_on:
        window = timedelta(days=protocol.window_days)
        row["window_from"], row["window_to"] = planned_on - window, planned_on + window
        row["due"] = due_state(planned_on=planned_on, window_days=protocol.window_days, today=today)
    return row


class CourseViewSet(EnteredRecordViewSet):
    """Courses of cycles. Starting one plans all its cycles."""

    queryset = Course.objects.all()
    serializer_class = CourseSerializer
    filterset_class = CourseFilter
    related = ("patient", "protocol")
    once_actions = ("create", "void", "discontinue", "move")
    reason_actions = ("update", "partial_update", "void", "move")
    in_place_actions = ("void", "move")
    untagged_actions = ("list", "history", "schedule", "toxicity")
    ordering_fields = {"id": "id", "created_at": "created_at", "registry_number": "patient__registry_number"}

    def visible(self) -> Any:
        """Return the rows with what ``CourseSerializer`` derives their state from."""
        in_force = Q(cycles__voided_at=None)
        stopped = Discontinuation.objects.current().filter(course=OuterRef("pk"))
        return (
            super()
            .visible()
            .annotate(
                given_cycles=Count("cycles", filter=in_force & Q(cycles__status=CycleStatus.GIVEN)),
                cancelled_cycles=Count("cycles", filter=in_force & Q(cycles__status=CycleStatus.CANCELLED)),
                is_discontinued=Exists(stopped),
            )
        )

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewCourseSerializer if self.action == "create" else CourseSerializer

    def enter(self, values: dict[str, Any]) -> Course:
        return services.start_course(**values, by=self.user)

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_course(
            record, changes, by=self.user, reason=reason, expected_version=expected
        )

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
            expected = expected_version(request, course, required=False)
            values = DiscontinueSerializer(data=request.data, context=self.get_serializer_context())
            values.is_valid(raise_exception=True)
            return services.discontinue_course(
                course=course, **values.validated_data, by=self.user, expected_version=expected
            )

        door = self.door_to(DiscontinuationViewSet, "discontinuation")
        return self.answer_once(act, code=status.HTTP_201_CREATED, door=door)

    @extend_schema(request=MoveSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Let the course follow another protocol, or another version of its own: cycles are added or taken away."""

        def act() -> ClinicalRecord:
            course = self.for_writing()
            expected = expected_version(request, course, required=False)
            reason = change_reason(request)
            values = MoveSerializer(data=request.data, context=self.get_serializer_context())
            values.is_valid(raise_exception=True)
            return services.move_course(
                course,
                values.validated_data["protocol"],
                by=self.user,
                reason=reason,
                expected_version=expected,
            )

        return self.answer_once(act, code=status.HTTP_200_OK)

    @extend_schema(responses=ScheduleSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def schedule(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """When the cycles and the PET/CTs of the course are planned, and why then."""
        course = self.get_object()
        died_on = course.patient.deaths.current().values_list("died_on", flat=True).first()
        return Response(ScheduleSerializer(schedule_of(plan_of(course), today_at(course), died_on)).data)

    @extend_schema(responses=ToxicitySerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def toxicity(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The worst grades, nadirs and recoveries after each cycle and over the course, and the worst adverse events."""
        return Response(ToxicitySerializer(toxicity_values(self.get_object())).data)
