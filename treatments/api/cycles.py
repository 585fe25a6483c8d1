"""Cycles in the REST API: they are given, held, resumed, left out and decided on; holds and decisions beside them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.records import ClinicalRecord, plausible_plan
from accounts.rest.filters import FlagFilter
from accounts.rest.headers import change_reason, expected_version
from accounts.rest.refusals import BadQuery
from accounts.rest.serializers import (
    RECORD_FIELDS,
    AwareDateTimeField,
    RecordKeyField,
    StrictSerializer,
)
from accounts.rest.views import EnteredRecordViewSet, RecordViewSet
from treatments import services
from treatments.api.administrations import (
    OF_CYCLE_ORDERING,
    AdministerSerializer,
    AdministrationSerializer,
    AdministrationViewSet,
    MeasuredSerializer,
    deviation_text,
)
from treatments.api.common import (
    OF_COURSE,
    OF_CYCLE,
    MegabecquerelField,
    OfCourseFilter,
    OfCourseSerializer,
    OfCycleFilter,
    OfCycleSerializer,
)
from treatments.api.courses import OF_COURSE_ORDERING
from treatments.models import (
    OPEN,
    Administration,
    Cycle,
    CycleStatus,
    DoseAdvice,
    DoseDecision,
    Hold,
    HoldReason,
)
from treatments.rules.activity import is_past_permitted
from treatments.rules.advice import ADVICE_WORDS, AdviceCode, Criterion
from treatments.selectors.advice import advice_for
from treatments.selectors.checks import warnings_of
from treatments.services.administrations import net_of, prescription_of
from treatments.services.courses import today_at

# Holds


class HoldCycleSerializer(StrictSerializer):
    """That a cycle has to wait."""

    held_on = serializers.DateField()
    reason = serializers.ChoiceField(choices=HoldReason.choices)
    review_on = serializers.DateField(
        allow_null=True,
        default=None,
        validators=[plausible_plan],
        help_text="When it is looked at again; the cycle moves there where that is later.",
    )
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class NewHoldSerializer(HoldCycleSerializer):
    cycle = RecordKeyField(queryset=Cycle.objects.all())


class HoldSerializer(OfCycleSerializer):
    class Meta:
        model = Hold
        fields = [*OF_CYCLE, "held_on", "reason", "review_on", "resumed_on", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class HoldFilter(OfCycleFilter):
    reason = django_filters.ChoiceFilter(choices=HoldReason.choices)
    is_open = FlagFilter(method="_by_end", label="true shows those that have not ended, false the others")

    def _by_end(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(resumed_on__isnull=value == "true")


class HoldViewSet(EnteredRecordViewSet):
    """That cycles had to wait. The plan follows: its hold moves a cycle and what comes after it."""

    queryset = Hold.objects.all()
    serializer_class = HoldSerializer
    filterset_class = HoldFilter
    related = ("cycle__course__patient",)
    ordering_fields = {**OF_CYCLE_ORDERING, "held_on": "held_on"}

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewHoldSerializer if self.action == "create" else HoldSerializer

    def enter(self, values: dict[str, Any]) -> Hold:
        return services.hold_cycle(**values, by=self.user)

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_hold(record, changes, by=self.user, reason=reason, expected_version=expected)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_hold(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(responses={201: HoldSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put a cycle on hold: the same act as ``POST /cycles/{id}/hold/``."""
        return super().create(request, *args, **kwargs)


# Decisions

DECISIONS = [choice for choice in DoseAdvice.choices if choice[0] != DoseAdvice.INSUFFICIENT]


class DecideSerializer(StrictSerializer):
    """What is decided for a cycle. The registry keeps what the protocol's rules advise at this moment beside it."""

    decision = serializers.ChoiceField(choices=DECISIONS)
    reason = serializers.CharField(
        max_length=500, allow_blank=True, default="", help_text="Needed where it differs from the advice."
    )
    prescribed_activity_mbq = MegabecquerelField(
        allow_null=True, default=None, help_text="Where it is not the one that the decision stands for."
    )


class NewDoseDecisionSerializer(DecideSerializer):
    cycle = RecordKeyField(queryset=Cycle.objects.all())


class DoseDecisionSerializer(OfCycleSerializer):
    decided_by: serializers.Field = serializers.SlugRelatedField(
        slug_field="username",
        read_only=True,
        allow_null=True,
        help_text="Username; null for what came in a file.",
    )
    advice_facts = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = DoseDecision
        fields = [
            *OF_CYCLE,
            "decided_at",
            "decided_by",
            "advice",
            "advice_facts",
            "advice_source",
            "decision",
            "prescribed_activity_mbq",
            "reason",
        ]
        read_only_fields = [
            *RECORD_FIELDS,
            "decided_at",
            "advice",
            "advice_source",
            "decision",
            "prescribed_activity_mbq",
        ]
        validators: list[Any] = []


class DoseDecisionFilter(OfCycleFilter):
    decision = django_filters.ChoiceFilter(choices=DECISIONS)
    advice = django_filters.ChoiceFilter(choices=DoseAdvice.choices)


class DoseDecisionViewSet(EnteredRecordViewSet):
    """What was decided before cycles, beside what had been advised. Of a decision the reason alone can be corrected."""

    queryset = DoseDecision.objects.all()
    serializer_class = DoseDecisionSerializer
    filterset_class = DoseDecisionFilter
    related = ("cycle__course__patient", "decided_by")
    ordering_fields = {**OF_CYCLE_ORDERING, "decided_at": "decided_at"}

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewDoseDecisionSerializer if self.action == "create" else DoseDecisionSerializer

    def enter(self, values: dict[str, Any]) -> DoseDecision:
        return services.decide_dose(**values, by=self.user)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_decision(record, by=self.user, reason=reason, expected_version=expected)

    @extend_schema(responses={201: DoseDecisionSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Decide on a cycle: the same act as ``POST /cycles/{id}/decide/``."""
        return super().create(request, *args, **kwargs)


# Cycles


class CycleSerializer(OfCourseSerializer):
    planned_on = serializers.DateField(
        allow_null=True,
        required=False,
        validators=[plausible_plan],
        help_text="Set by hand where it is sent; null gives the day back to the protocol.",
    )
    prescribed_activity_mbq = MegabecquerelField(
        allow_null=True, required=False, help_text="null: the protocol's."
    )
    status = serializers.ChoiceField(
        choices=CycleStatus.choices,
        required=False,
        help_text="planned and held may be changed into each other; given and cancelled follow from other records.",
    )

    class Meta:
        model = Cycle
        fields = [
            *OF_COURSE,
            "number",
            "planned_on",
            "set_on",
            "status",
            "prescribed_activity_mbq",
            "cancel_reason",
            "note",
        ]
        read_only_fields = [*RECORD_FIELDS, "number", "set_on", "cancel_reason"]
        validators: list[Any] = []

    def validate_status(self, value: str) -> str:
        assert isinstance(self.instance, Cycle)  # cycles are made with their course
        if value not in services.OPEN and value != self.instance.status:
            raise serializers.ValidationError(
                "Only planned or held can be chosen: a cycle is given at administer/, and cancelled at cancel/ or by the"
                " discontinuation of its course.",
                "invalid_choice",
            )
        return value

    def _fill(self, attrs: dict[str, Any]) -> None:
        super()._fill(attrs)
        assert isinstance(self.instance, Cycle)
        if "status" not in self.initial_data and self.instance.status not in services.OPEN:
            attrs.pop("status", None)  # it is not the client's to leave out


class ResumeSerializer(StrictSerializer):
    resumed_on = serializers.DateField()


class NetActivitySerializer(serializers.Serializer):
    """The net activity when the infusion started, in MBq."""

    net_activity_mbq = serializers.DecimalField(max_digits=7, decimal_places=1)
    syringe_at_injection_mbq = serializers.DecimalField(max_digits=7, decimal_places=1)
    residual_at_injection_mbq = serializers.DecimalField(max_digits=7, decimal_places=1, allow_null=True)
    prescribed_activity_mbq = serializers.DecimalField(max_digits=7, decimal_places=1)
    deviation_percent = serializers.CharField(help_text="Of the prescribed activity, to 0.1 %.")
    needs_explanation = serializers.BooleanField(help_text="Whether it is past ±20 %.")
    remark = serializers.CharField(allow_blank=True)


class WarningSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="Stable.")
    detail = serializers.CharField(source="message", help_text="For people.")


class ChecksSerializer(serializers.Serializer):
    """What would stand against an administration; nothing does where the cycle is given or cancelled."""

    cycle = serializers.UUIDField()
    administered_at = serializers.DateTimeField()
    warnings = WarningSerializer(many=True)


class ChecksQuerySerializer(serializers.Serializer):
    administered_at = AwareDateTimeField(
        required=False,
        validators=[
            MinValueValidator(datetime(1990, 1, 1, tzinfo=UTC)),
            MaxValueValidator(datetime(2150, 1, 1, tzinfo=UTC)),
        ],
        help_text="Start of the infusion; now where it is left out.",
    )
    administered_activity_mbq = MegabecquerelField(required=False, help_text="Net, MBq.")
    lot = serializers.CharField(max_length=40, required=False)


class AdviceSerializer(serializers.Serializer):
    code = serializers.ChoiceField(choices=[(code.value, ADVICE_WORDS[code]) for code in AdviceCode])
    words = serializers.CharField()
    criteria = serializers.ListField(
        child=serializers.ChoiceField(choices=[criterion.value for criterion in Criterion]),
        help_text="The toxicities that led to it.",
    )
    until = serializers.CharField(allow_blank=True, help_text="Of a hold: what has to be reached.")
    activity_mbq = serializers.DecimalField(max_digits=7, decimal_places=1, allow_null=True)
    facts = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Required laboratory values that are missing or too old."
    )
    source = serializers.CharField()  # type: ignore[assignment]


class CycleAdviceSerializer(serializers.Serializer):
    """What the protocol's dose rules say of a cycle today: an advisory, it locks nothing."""

    cycle = serializers.UUIDField()
    today = serializers.DateField(help_text="The local date of the centre.")
    advice = AdviceSerializer(
        allow_null=True, help_text="null: the cycle is given or cancelled, or its protocol has no rules."
    )


class CycleFilter(OfCourseFilter):
    status = django_filters.ChoiceFilter(choices=CycleStatus.choices)
    planned_from = django_filters.DateFilter(field_name="planned_on", lookup_expr="gte")
    planned_to = django_filters.DateFilter(field_name="planned_on", lookup_expr="lte")


class CycleViewSet(RecordViewSet):
    """Cycles, planned with their course. Each act on one has its own address below it."""

    queryset = Cycle.objects.all()
    serializer_class = CycleSerializer
    filterset_class = CycleFilter
    related = ("course__patient",)
    once_actions = ("void", "administer", "hold", "resume", "cancel", "restore", "decide")
    reason_actions = ("update", "partial_update", "void", "cancel", "restore")
    in_place_actions = ("void", "resume", "cancel", "restore")
    untagged_actions = ("list", "history", "net_activity", "checks", "advice")
    ordering_fields = {**OF_COURSE_ORDERING, "planned_on": "planned_on"}

    def acts_needed(self, request: Request) -> list[Act]:
        return [self.act] if self.action == "net_activity" else super().acts_needed(request)

    def query_parameters(self) -> set[str]:
        return set(ChecksQuerySerializer().fields) if self.action == "checks" else super().query_parameters()

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        return services.correct_cycle(record, changes, by=self.user, reason=reason, expected_version=expected)

    def take_out(self, record: Any, *, reason: str, expected: int | None) -> ClinicalRecord:
        return services.void_cycle(record, by=self.user, reason=reason, expected_version=expected)

    def _sent(self, parser: type[serializers.Serializer]) -> dict[str, Any]:
        values = parser(data=self.request.data, context=self.get_serializer_context())
        values.is_valid(raise_exception=True)
        return values.validated_data

    def _open_for_writing(self) -> tuple[Cycle, int | None]:
        cycle = self.for_writing()
        return cycle, expected_version(self.request, cycle, required=False)

    @extend_schema(request=AdministerSerializer, responses={201: AdministrationSerializer}, filters=False)
    @action(detail=True, methods=["post"])
    def administer(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record that the cycle was given, and plan the following ones from it.

        Where the checks warn of something it is refused (409, ``unconfirmed_warnings``) until ``confirmation_reason`` says
        why it is recorded all the same.
        """

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            values = self._sent(AdministerSerializer)
            return services.administer_cycle(cycle=cycle, **values, expected_version=expected, by=self.user)

        door = self.door_to(AdministrationViewSet, "administration")
        return self.answer_once(act, code=status.HTTP_201_CREATED, door=door)

    @extend_schema(request=HoldCycleSerializer, responses={201: HoldSerializer}, filters=False)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put the cycle on hold; it and what follows move to the day of the review where that is later."""

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            values = self._sent(HoldCycleSerializer)
            return services.hold_cycle(cycle=cycle, **values, expected_version=expected, by=self.user)

        return self.answer_once(act, code=status.HTTP_201_CREATED, door=self.door_to(HoldViewSet, "hold"))

    @extend_schema(request=ResumeSerializer, filters=False)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End the hold: the cycle is planned again, on that day or the protocol's where that is later."""

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            values = self._sent(ResumeSerializer)
            return services.resume_cycle(cycle=cycle, **values, expected_version=expected, by=self.user)

        return self.answer_once(act, code=status.HTTP_200_OK)

    @extend_schema(request=None, filters=False)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Leave this cycle out of a course that goes on; what follows is planned without it."""

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            return services.cancel_cycle(
                cycle=cycle, reason=change_reason(request), expected_version=expected, by=self.user
            )

        return self.answer_once(act, code=status.HTTP_200_OK)

    @extend_schema(request=None, filters=False)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take back that this cycle was left out."""

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            return services.restore_cycle(
                cycle=cycle, reason=change_reason(request), expected_version=expected, by=self.user
            )

        return self.answer_once(act, code=status.HTTP_200_OK)

    @extend_schema(request=DecideSerializer, responses={201: DoseDecisionSerializer}, filters=False)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Decide on the cycle beside the advice of this moment: a hold holds it, an activity is prescribed for it."""

        def act() -> ClinicalRecord:
            cycle, expected = self._open_for_writing()
            values = self._sent(DecideSerializer)
            return services.decide_dose(cycle=cycle, **values, expected_version=expected, by=self.user)

        door = self.door_to(DoseDecisionViewSet, "dose-decision")
        return self.answer_once(act, code=status.HTTP_201_CREATED, door=door)

    @extend_schema(request=MeasuredSerializer, responses={200: NetActivitySerializer}, filters=False)
    @action(detail=True, methods=["post"], url_path="net-activity", pagination_class=None, filter_backends=[])
    def net_activity(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Compute the net activity and its deviation from the prescription. Nothing is stored."""
        cycle = self.get_object()
        values = self._sent(MeasuredSerializer)
        prescribed_mbq: Decimal = values.get("prescribed_activity_mbq") or prescription_of(cycle)
        net = net_of(values, half_life_days=cycle.course.protocol.physical_half_life_days)
        if net is None:
            raise serializers.ValidationError(
                {"syringe_activity_mbq": "The activity of the syringe is missing."}, "required"
            )
        found = {
            "net_activity_mbq": net.net_mbq,
            "syringe_at_injection_mbq": round(net.syringe_at_injection_mbq, 1),
            "residual_at_injection_mbq": net.residual_at_injection_mbq
            and round(net.residual_at_injection_mbq, 1),
            "prescribed_activity_mbq": prescribed_mbq,
            "deviation_percent": deviation_text(net.net_mbq, prescribed_mbq),
            "needs_explanation": is_past_permitted(given_mbq=net.net_mbq, prescribed_mbq=prescribed_mbq),
            "remark": net.remark,
        }
        return Response(NetActivitySerializer(found).data)

    @extend_schema(parameters=[ChecksQuerySerializer], responses=ChecksSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def checks(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What the checks would warn of if the cycle were given then. Nothing is stored."""
        cycle = self.get_object()
        asked = ChecksQuerySerializer(data=request.query_params)
        if not asked.is_valid():
            raise BadQuery(asked.errors)
        at = asked.validated_data.get("administered_at") or timezone.now()
        administration = Administration(
            cycle=cycle,
            administered_at=at,
            administered_activity_mbq=asked.validated_data.get("administered_activity_mbq"),
            prescribed_activity_mbq=services.administrations.prescription_of(cycle),
            lot=asked.validated_data.get("lot", ""),
        )
        warnings = warnings_of(administration) if cycle.status in OPEN else []
        found = {"cycle": cycle.pk, "administered_at": at, "warnings": warnings}
        return Response(ChecksSerializer(found).data)

    @extend_schema(responses=CycleAdviceSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def advice(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What the dose rules of the protocol advise for the cycle today, with the facts that led there."""
        cycle = self.get_object()
        today: date = today_at(cycle)
        advice = advice_for(cycle.course, cycle, today=today) if cycle.status in OPEN else None
        found: dict[str, Any] = {"cycle": cycle.pk, "today": today, "advice": None}
        if advice is not None:
            found["advice"] = {**vars(advice), "words": ADVICE_WORDS[advice.code]}
        return Response(CycleAdviceSerializer(found).data)
