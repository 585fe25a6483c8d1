"""Laboratory values and reference ranges in the REST API."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Act
from accounts.models import Centre
from accounts.records import ClinicalRecord
from accounts.rest.filters import MomentFilter
from accounts.rest.idempotency import once
from accounts.rest.serializers import (
    RECORD_FIELDS,
    AwareDateTimeField,
    RecordKeyField,
    StrictSerializer,
    not_after_now,
)
from accounts.rest.shared import SharedViewSet
from patients.api import (
    OF_PATIENT,
    CentreCodeField,
    OfOnePatientViewSet,
    OfPatientFilter,
    OfPatientSerializer,
    OfPatientViewSet,
)
from patients.models import Patient, Sex
from treatments import services
from treatments.models import LabAnalyte, LabResult, ReferenceRange
from treatments.rules.labs import ANALYTES, find_unit, plausibility, to_canonical
from treatments.selectors.graded import Derived, derived_of

MOST_ENTRIES = 500


class WrittenDecimalField(serializers.DecimalField):
    """A number with the digits it was written with: what was written is kept."""

    def quantize(self, value: Decimal) -> Decimal:
        return value


class LabEntrySerializer(StrictSerializer):
    """One value as it was written. Limits of normal are in its unit; without any the centre's hold."""

    analyte = serializers.ChoiceField(choices=LabAnalyte.choices)
    taken_at = AwareDateTimeField(
        validators=[not_after_now], help_text="Local midnight stands for a time that is not known."
    )
    value = WrittenDecimalField(max_digits=16, decimal_places=6)
    unit = serializers.CharField(
        max_length=20, allow_blank=True, default="", help_text="One of the analyte; blank: the registry's."
    )
    lower_limit = serializers.DecimalField(
        max_digits=16, decimal_places=6, min_value=Decimal(0), allow_null=True, default=None
    )
    upper_limit = serializers.DecimalField(
        max_digits=16, decimal_places=6, min_value=Decimal(0), allow_null=True, default=None
    )
    note = serializers.CharField(max_length=500, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse here what the service would refuse too, so that the answer points at the member."""
        analyte = ANALYTES[attrs["analyte"]]
        try:
            unit = find_unit(attrs["unit"], analyte=analyte) if attrs["unit"] else analyte.unit
        except ValueError as error:
            raise serializers.ValidationError(
                {"unit": serializers.ErrorDetail(str(error), "unknown_unit")}
            ) from error
        try:
            plausibility(to_canonical(attrs["value"], analyte=analyte, unit=unit), analyte)
        except ValueError as error:
            raise serializers.ValidationError(
                {"value": serializers.ErrorDetail(str(error), "implausible_value")}
            ) from error
        return attrs


class NewLabResultSerializer(LabEntrySerializer):
    patient = RecordKeyField(queryset=Patient.objects.all())
    confirm_unlikely = serializers.BooleanField(
        default=False, help_text="That an unlikely value was checked and is right."
    )


class NewLabResultsSerializer(StrictSerializer):
    """Values of one patient, stored all or none."""

    entries = serializers.ListField(child=LabEntrySerializer(), allow_empty=False, max_length=MOST_ENTRIES)
    confirm_unlikely = serializers.BooleanField(
        default=False, help_text="That all unlikely values among them were checked and are right."
    )


def _derived(field: type[serializers.Field], name: str, **kwargs: Any) -> Any:
    return field(source=f"derived.{name}", read_only=True, **kwargs)


def _decimal(name: str, *, decimal_places: int = 4, **kwargs: Any) -> Any:
    return _derived(
        serializers.DecimalField,
        name,
        max_digits=None,
        decimal_places=decimal_places,
        allow_null=True,
        **kwargs,
    )


def derived_values(derived: Derived | None) -> dict[str, Any]:
    """Return what is shown of what follows from a value; of a voided one nothing does."""
    graded = derived.graded if derived is not None else None
    kidney = derived.kidney if derived is not None else None
    return {
        "grade": graded.grade if graded else None,
        "grade_reason": graded.reason if graded else "This value was voided.",
        "baseline": graded.baseline if graded else None,
        "lower_limit_in_force": graded.limits.lower if graded else None,
        "upper_limit_in_force": graded.limits.upper if graded else None,
        "limits_source": graded.limits.source if graded else "",
        "creatinine_clearance_ml_min": kidney.cockcroft_gault_ml_min if kidney else None,
        "egfr_ml_min_1_73m2": kidney.ckd_epi_ml_min_1_73m2 if kidney else None,
        "body_weight_kg": kidney.weight_kg if kidney else None,
        "age_years": kidney.age_years if kidney else None,
        "kidney_reason": kidney.reason if kidney else "",
    }


def derive(results: Iterable[LabResult]) -> list[LabResult]:
    """Return the results with ``derived``, for ``LabResultSerializer``. Three queries for any number."""
    rows = list(results)
    found = derived_of(rows)
    for row in rows:
        row.derived = derived_values(found.get(row.pk))  # type: ignore[attr-defined]
    return rows


class LabResultListSerializer(serializers.ListSerializer):
    """Derives a whole page at once."""

    def to_representation(self, data: Any) -> Any:
        return super().to_representation(derive(data))


class LabResultSerializer(OfPatientSerializer):
    """A value in the unit of its analyte, beside what was written, with what follows from it."""

    value = WrittenDecimalField(max_digits=11, decimal_places=4, min_value=Decimal(0))
    unit = serializers.SerializerMethodField(
        help_text="Of value and limits: the analyte's own, in which a correction is given too."
    )
    confirm_unlikely = serializers.BooleanField(
        write_only=True, required=False, help_text="That an unlikely value was checked and is right."
    )
    grade = _derived(
        serializers.IntegerField,
        "grade",
        allow_null=True,
        help_text="By CTCAE, 0 to 4; null: it cannot be told, and grade_reason says why.",
    )
    grade_reason = _derived(serializers.CharField, "grade_reason")
    baseline = _decimal("baseline", help_text="The last value before the course began.")
    lower_limit_in_force = _decimal(
        "lower_limit_in_force", help_text="Where the result brings no limits, the centre's of that day."
    )
    upper_limit_in_force = _decimal("upper_limit_in_force")
    limits_source = _derived(
        serializers.CharField, "limits_source", help_text="result, centre, or blank: none is known."
    )
    creatinine_clearance_ml_min = _decimal(
        "creatinine_clearance_ml_min", decimal_places=1, help_text="Cockcroft-Gault; of creatinine alone."
    )
    egfr_ml_min_1_73m2 = _decimal(
        "egfr_ml_min_1_73m2", decimal_places=1, help_text="CKD-EPI 2021; of creatinine alone."
    )
    body_weight_kg = _decimal("body_weight_kg", decimal_places=1, help_text="Used for the clearance.")
    age_years = _derived(serializers.IntegerField, "age_years", allow_null=True)
    kidney_reason = _derived(
        serializers.CharField, "kidney_reason", help_text="Why a kidney function cannot be computed."
    )

    class Meta:
        model = LabResult
        list_serializer_class = LabResultListSerializer
        fields = [
            *OF_PATIENT,
            "analyte",
            "taken_at",
            "value",
            "unit",
            "original_value",
            "original_unit",
            "lower_limit",
            "upper_limit",
            "is_unlikely_confirmed",
            "note",
            "grade",
            "grade_reason",
            "baseline",
            "lower_limit_in_force",
            "upper_limit_in_force",
            "limits_source",
            "creatinine_clearance_ml_min",
            "egfr_ml_min_1_73m2",
            "body_weight_kg",
            "age_years",
            "kidney_reason",
            "confirm_unlikely",
        ]
        read_only_fields = [*RECORD_FIELDS, "original_value", "original_unit", "is_unlikely_confirmed"]
        validators: list[Any] = []

    def to_representation(self, instance: LabResult) -> dict[str, Any]:
        if not hasattr(instance, "derived"):
            derive([instance])
        return super().to_representation(instance)

    def get_unit(self, result: LabResult) -> str:
        return ANALYTES[result.analyte].unit

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        # Read-only members may be sent back. This one may not be ignored: the value would be taken for another.
        named = self.initial_data.get("unit")
        assert isinstance(self.instance, LabResult)  # new values come through LabEntrySerializer
        own = ANALYTES[attrs.get("analyte", self.instance.analyte)].unit
        if named not in (None, own):
            raise serializers.ValidationError(
                {"unit": serializers.ErrorDetail(f"A correction is given in {own}.", "other_unit")}
            )
        return attrs


class LabResultFilter(OfPatientFilter):
    analyte = django_filters.ChoiceFilter(choices=LabAnalyte.choices)
    taken_from = MomentFilter(field_name="taken_at", lookup_expr="gte")
    taken_to = MomentFilter(field_name="taken_at", lookup_expr="lte")


class LabResultViewSet(OfPatientViewSet):
    """Laboratory values, each with its CTCAE grade, the limits in force, and the kidney function of a creatinine.

    Many at once are entered, and all of a patient read, at ``/patients/{id}/laboratory/``.
    """

    queryset = LabResult.objects.all()
    serializer_class = LabResultSerializer
    filterset_class = LabResultFilter
    related = ("patient__centre",)
    ordering_fields = {**OfPatientViewSet.ordering_fields, "taken_at": "taken_at"}

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return NewLabResultSerializer if self.action == "create" else LabResultSerializer

    def enter(self, values: dict[str, Any]) -> LabResult:
        patient, confirmed = values.pop("patient"), values.pop("confirm_unlikely")
        [made] = services.record_lab_results(
            patient=patient, entries=[services.LabEntry(**values)], confirm_unlikely=confirmed, by=self.user
        )
        return made

    def correct(
        self, record: Any, changes: dict[str, Any], *, reason: str, expected: int | None
    ) -> ClinicalRecord:
        confirmed = changes.pop("confirm_unlikely", False)
        return services.correct_lab_result(
            record,
            changes,
            by=self.user,
            reason=reason,
            expected_version=expected,
            confirm_unlikely=confirmed,
        )

    @extend_schema(responses={201: LabResultSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Enter a value in any unit of its analyte. An unlikely one is refused (409) until it is confirmed."""
        return super().create(request, *args, **kwargs)


# All values of a patient


class LaboratorySerializer(serializers.Serializer):
    """All values in force of a patient, oldest first."""

    patient = serializers.UUIDField(source="pk")
    registry_number = serializers.CharField()
    results = LabResultSerializer(many=True)


class LaboratoryViewSet(OfOnePatientViewSet):
    """The laboratory values of one patient."""

    edit_act = Act.EDIT_TREATMENTS
    serializer_class = LaboratorySerializer
    once_actions = ("create",)
    in_place_actions = ("create",)  # what is shown is the patient's laboratory, which has this address

    def shown(self, patient: Patient, *, code: int) -> Response:
        results = LabResult.objects.current().filter(patient=patient).select_related("patient__centre")
        values = {
            "pk": patient.pk,
            "registry_number": patient.registry_number,
            "results": results.order_by("taken_at", "analyte"),
        }
        return Response(LaboratorySerializer(values, context=self.get_serializer_context()).data, status=code)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.shown(self.patient(), code=status.HTTP_200_OK)

    @extend_schema(request=NewLabResultsSerializer, responses={201: LaboratorySerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Enter up to 500 values, all or none, and show all of the patient's."""
        patient = self.patient()  # hidden patients are missing before the body is looked at
        self.user.require(Act.EDIT_TREATMENTS, patient.centre_id)

        def act() -> Patient:
            sent = NewLabResultsSerializer(data=request.data, context=self.get_serializer_context())
            sent.is_valid(raise_exception=True)
            entries = [
                services.LabEntry(**entry, place=f"Entry {number}")
                for number, entry in enumerate(sent.validated_data["entries"], start=1)
            ]
            confirmed = sent.validated_data["confirm_unlikely"]
            services.record_lab_results(
                patient=patient, entries=entries, confirm_unlikely=confirmed, by=self.user
            )
            return patient

        _, replayed = once(request, act=act, find=lambda pk: patient)
        response = self.shown(patient, code=status.HTTP_201_CREATED)
        if replayed:
            response["Idempotency-Replayed"] = "true"
        return response


# Reference ranges


class ReferenceRangeSerializer(serializers.ModelSerializer):
    centre: serializers.Field = serializers.SlugRelatedField(slug_field="code", read_only=True)
    unit = serializers.SerializerMethodField()

    class Meta:
        model = ReferenceRange
        fields = [
            "id",
            "centre",
            "analyte",
            "sex",
            "lower_limit",
            "upper_limit",
            "unit",
            "valid_from",
            "valid_to",
        ]

    def get_unit(self, one: ReferenceRange) -> str:
        return ANALYTES[one.analyte].unit


class NewReferenceRangeSerializer(StrictSerializer, serializers.ModelSerializer):
    """Limits of normal of a centre from a day on, in the unit of the analyte."""

    centre = CentreCodeField(queryset=Centre.objects.all())

    class Meta:
        model = ReferenceRange
        fields = ["centre", "analyte", "sex", "lower_limit", "upper_limit", "valid_from", "valid_to"]
        validators: list[Any] = []


class ReferenceRangeFilter(django_filters.FilterSet):
    centre = django_filters.CharFilter(field_name="centre__code", label="code of a centre, such as STA")
    analyte = django_filters.ChoiceFilter(choices=LabAnalyte.choices)
    sex = django_filters.ChoiceFilter(choices=Sex.choices)


class ReferenceRangeViewSet(SharedViewSet):
    """Limits of normal by centre and analyte, each in force from a day on, until the next or its last day."""

    edit_act = Act.MANAGE_COHORTS
    queryset = ReferenceRange.objects.all()
    serializer_class = ReferenceRangeSerializer
    new_serializer_class: ClassVar[type[serializers.BaseSerializer]] = NewReferenceRangeSerializer
    filterset_class = ReferenceRangeFilter
    lookup_value_converter = "int"
    ordering_fields = {"id": "id", "analyte": "analyte", "valid_from": "valid_from"}

    def visible(self) -> QuerySet:
        centres = Centre.objects.visible_to(self.user)
        return self.queryset.filter(centre__in=centres).select_related("centre")

    def enter(self, values: dict[str, Any]) -> ReferenceRange:
        return services.set_reference_range(values, by=self.user)

    @extend_schema(request=NewReferenceRangeSerializer, responses={201: ReferenceRangeSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store limits of normal from a day on; what was measured before keeps those of its day."""
        return super().create(request, *args, **kwargs)
