"""What was given, in the REST API: administrations, absorbed doses, earlier PRRT, somatostatin analogues."""

from decimal import Decimal
from typing import Any

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.records import ClinicalRecord
from accounts.rest.serializers import RECORD_FIELDS, AwareDateTimeField, RecordKeyField, not_after_now
from accounts.rest.views import EnteredRecordViewSet
from patients.api import (
    OF_PATIENT,
    OfOnePatientViewSet,
    OfPatientFilter,
    OfPatientSerializer,
    OfPatientViewSet,
)
from treatments import services
from treatments.api.common import (
    OF_CYCLE,
    ActivityField,
    ActivitySerializer,
    MegabecquerelField,
    OfCycleFilter,
    OfCycleSerializer,
)
from treatments.models import (
    AbsorbedDose,
    Administration,
    AminoAcidRegimen,
    Cycle,
    DoseMethod,
    Organ,
    PriorPrrt,
    SomatostatinAnalogue,
    SomatostatinAnalogueDose,
    VenousAccess,
)
from treatments.rules.activity import deviation_percent
from treatments.selectors.exposure import exposure_of

OF_CYCLE_ORDERING = {
    "id": "id",
    "created_at": "created_at",
    "registry_number": "cycle__course__patient__registry_number",
}


# Administrations


class MeasuredSerializer(ActivitySerializer):
    """What was measured of a syringe. Without a residual the net activity is that of the syringe."""

    administered_at = AwareDateTimeField(validators=[not_after_now], help_text="Start of the infusion.")
    prescribed_activity_mbq = ActivityField(
        required=False, help_text="What is prescribed for the cycle where it is left out."
    )
    syringe_activity_mbq = ActivityField(allow_null=True, default=None, help_text="At syringe_measured_at.")
    syringe_measured_at = AwareDateTimeField(allow_null=True, default=None)
    residual_activity_mbq = ActivityField(
        least_mbq=Decimal(0), allow_null=True, default=None, help_text="At residual_measured_at."
    )
    residual_measured_at = AwareDateTimeField(allow_null=True, default=None)


class AdministerSerializer(MeasuredSerializer):
    """That a cycle was given: the syringe and its residual, or the net activity."""

    administered_activity_mbq = ActivityField(
        allow_null=True,
        default=None,
        help_text="Net of the residual; computed by the registry where the syringe is given.",
    )
    infusion_ended_at = AwareDateTimeField(allow_null=True, default=None, validators=[not_after_now])
    volume_ml = serializers.DecimalField(
        max_digits=6,
        decimal_places=1,
        allow_null=True,
        default=None,
        validators=[MinValueValidator(Decimal("0.1")), MaxValueValidator(1000)],
    )
    amino_acid_regimen = serializers.ChoiceField(
        choices=AminoAcidRegimen.choices, allow_blank=True, default=""
    )
    amino_acid_minutes = serializers.IntegerField(min_value=0, max_value=1440, allow_null=True, default=None)
    antiemetic = serializers.CharField(max_length=100, allow_blank=True, default="")
    body_weight_kg = serializers.DecimalField(
        max_digits=4,
        decimal_places=1,
        allow_null=True,
        default=None,
        validators=[MinValueValidator(20), MaxValueValidator(350)],
    )
    venous_access = serializers.ChoiceField(choices=VenousAccess.choices, allow_blank=True, default="")
    is_extravasated = serializers.BooleanField(allow_null=True, default=None)
    extravasated_percent = serializers.DecimalField(
        max_digits=4,
        decimal_places=1,
        allow_null=True,
        default=None,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="An estimate; the net activity is not corrected for it.",
    )
    staff = serializers.CharField(max_length=200, allow_blank=True, default="")
    lot = serializers.CharField(max_length=40, allow_blank=True, default="")
    deviation_explanation = serializers.CharField(
        max_length=500, allow_blank=True, default="", help_text="Needed past ±20 % of the prescription."
    )
    confirmation_reason = serializers.CharField(
        max_length=500,
        allow_blank=True,
        default="",
        help_text="Why it is recorded in spite of what the checks warn of; needed where they do.",
    )


class NewAdministrationSerializer(AdministerSerializer):
    cycle = RecordKeyField(queryset=Cycle.objects.all())


class AdministrationSerializer(OfCycleSerializer):
    administered_at = AwareDateTimeField(validators=[not_after_now])
    prescribed_activity_mbq = MegabecquerelField()
    administered_activity_mbq = MegabecquerelField(
        help_text="Net of the residual; where there is a syringe it follows from that."
    )
    syringe_activity_mbq = MegabecquerelField(allow_null=True, required=False)
    residual_activity_mbq = MegabecquerelField(least=Decimal(0), allow_null=True, required=False)
    deviation_percent = serializers.SerializerMethodField()
    confirmed_warnings = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Codes of what was warned of."
    )

    class Meta:
        model = Administration
        fields = [
            *OF_CYCLE,
            "administered_at",
            "prescribed_activity_mbq",
            "administered_activity_mbq",
            "deviation_percent",
            "syringe_activity_mbq",
            "syringe_measured_at",
            "residual_activity_mbq",
            "residual_measured_at",
            "infusion_ended_at",
            "volume_ml",
            "amino_acid_regimen",
            "amino_acid_minutes",
            "antiemetic",
            "body_weight_kg",
            "venous_access",
            "is_extravasated",
            "extravasated_percent",
            "staff",
            "lot",
            "deviation_explanation",
            "confirmed_warnings",
            "confirmation_reason",
        ]
        read_only_fields = [*RECORD_FIELDS, "confirmation_reason"]
        validators: list[Any] = []

    def get_deviation_percent(self, administration: Administration) -> str:
        """The activity given less the prescribed one, in % of the latter, to 0.1 %."""
        return deviation_text(
            administration.administered_activity_mbq, administration.prescribed_activity_mbq
        )


def deviation_text(given_mbq: Decimal, prescribed_mbq: Decimal) -> str:
    """Return the deviation from the prescription to 0.1 %, for display."""
    percent = deviation_percent(given_mbq=given_mbq, prescribed_mbq=prescribed_mbq)
    return f"{round(percent, 1) + 0:f}"  # never -0.0


class AdministrationFilter(OfCycleFilter):
    administered_from = django_filters.IsoDateTimeFilter(field_name="administered_at", lookup_expr="gte")
    administered_to = django_filters.IsoDateTimeFilter(field_name="administered_at", lookup_expr="lte")


class AdministrationViewSet(EnteredRecordViewSet):
    """That cycles were given, when, how much and how."""

    queryset = Administration.objects.all()
    serializer_class = AdministrationSerializer
    filterset_class = AdministrationFilter
    related = ("cycle__course__patient",)
    ordering_fields = {**OF_CYCLE_ORDERING, "administered_at": "administered_at"}

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


# Absorbed doses


class AbsorbedDoseSerializer(OfCycleSerializer):
    class Meta:
        model = AbsorbedDose
        fields = [*OF_CYCLE, "organ", "lesion", "absorbed_dose_gy", "method", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class AbsorbedDoseFilter(OfCycleFilter):
    organ = django_filters.ChoiceFilter(choices=Organ.choices)
    method = django_filters.ChoiceFilter(choices=DoseMethod.choices)


class AbsorbedDoseViewSet(EnteredRecordViewSet):
    """Absorbed doses of organs and lesions in given cycles. Their sums are at ``/patients/{id}/exposure/``."""

    queryset = AbsorbedDose.objects.all()
    serializer_class = AbsorbedDoseSerializer
    filterset_class = AbsorbedDoseFilter
    related = ("cycle__course__patient",)
    ordering_fields = OF_CYCLE_ORDERING


# Before the patient came, and beside the course


class PriorPrrtSerializer(OfPatientSerializer):
    class Meta:
        model = PriorPrrt
        fields = [
            *OF_PATIENT,
            "radiopharmaceutical",
            "last_given_on",
            "cycles",
            "administered_activity_mbq",
            "kidney_dose_gy",
            "marrow_dose_gy",
            "dose_method",
            "note",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class PriorPrrtFilter(OfPatientFilter):
    last_given_from = django_filters.DateFilter(field_name="last_given_on", lookup_expr="gte")
    last_given_to = django_filters.DateFilter(field_name="last_given_on", lookup_expr="lte")


class PriorPrrtViewSet(OfPatientViewSet):
    """Radionuclide therapy before the patient came to this registry, summed up; it counts in the life-long sums."""

    queryset = PriorPrrt.objects.all()
    serializer_class = PriorPrrtSerializer
    filterset_class = PriorPrrtFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "last_given_on": "last_given_on"}


class SomatostatinAnalogueDoseSerializer(OfPatientSerializer):
    class Meta:
        model = SomatostatinAnalogueDose
        fields = [*OF_PATIENT, "drug", "given_at", "dose_mg", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class SomatostatinAnalogueDoseFilter(OfPatientFilter):
    drug = django_filters.ChoiceFilter(choices=SomatostatinAnalogue.choices)
    given_from = django_filters.IsoDateTimeFilter(field_name="given_at", lookup_expr="gte")
    given_to = django_filters.IsoDateTimeFilter(field_name="given_at", lookup_expr="lte")


class SomatostatinAnalogueDoseViewSet(OfPatientViewSet):
    """Doses of somatostatin analogues, which compete with the radiopharmaceutical for the receptors."""

    queryset = SomatostatinAnalogueDose.objects.all()
    serializer_class = SomatostatinAnalogueDoseSerializer
    filterset_class = SomatostatinAnalogueDoseFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "given_at": "given_at"}


# What was given in all


class CourseActivitySerializer(serializers.Serializer):
    course = serializers.UUIDField()
    number = serializers.IntegerField()
    protocol = serializers.IntegerField()
    administered_activity_mbq = serializers.DecimalField(max_digits=9, decimal_places=1)
    course_limit_mbq = serializers.DecimalField(max_digits=9, decimal_places=1)


class OrganDoseSerializer(serializers.Serializer):
    organ = serializers.ChoiceField(choices=Organ.choices)
    absorbed_dose_gy = serializers.DecimalField(max_digits=9, decimal_places=3, source="sum_gy")
    limit_gy = serializers.DecimalField(max_digits=5, decimal_places=1, allow_null=True)
    is_past_limit = serializers.BooleanField()
    cycles = serializers.IntegerField(help_text="Of how many cycles it is known.")
    methods = serializers.ListField(child=serializers.CharField())


class ExposureSerializer(serializers.Serializer):
    """What a patient was given in all, earlier PRRT among it. Limits are those of the last course's protocol."""

    patient = serializers.UUIDField()
    registry_number = serializers.CharField()
    courses = CourseActivitySerializer(many=True)
    prior_activity_mbq = serializers.DecimalField(max_digits=10, decimal_places=1)
    lifelong_activity_mbq = serializers.DecimalField(max_digits=10, decimal_places=1)
    doses = OrganDoseSerializer(many=True)
    dose_limits_source = serializers.CharField(allow_blank=True)


class ExposureViewSet(OfOnePatientViewSet):
    """Activity and absorbed dose of one patient in all."""

    serializer_class = ExposureSerializer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Activity by course and life-long, and absorbed doses against their limits."""
        patient = self.patient()
        courses = list(patient.courses.current().select_related("protocol").order_by("number"))
        protocol = courses[-1].protocol if courses else None
        exposure = exposure_of(
            patient,
            kidney_limit_gy=protocol.kidney_limit_gy if protocol else None,
            marrow_limit_gy=protocol.marrow_limit_gy if protocol else None,
        )
        found = {
            "patient": patient.pk,
            "registry_number": patient.registry_number,
            "courses": [
                {
                    "course": course.pk,
                    "number": course.number,
                    "protocol": course.protocol_id,
                    "administered_activity_mbq": exposure.course_mbq.get(course.number, Decimal(0)),
                    "course_limit_mbq": course.protocol.course_limit_mbq,
                }
                for course in courses
            ],
            "prior_activity_mbq": exposure.prior_mbq,
            "lifelong_activity_mbq": exposure.lifelong_mbq,
            "doses": exposure.doses,
            "dose_limits_source": protocol.dose_limits_source if protocol else "",
        }
        return Response(ExposureSerializer(found).data)
