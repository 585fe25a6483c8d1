"""Patients, their identity and the facts beyond a course, in the REST API."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from accounts.access import Act
from accounts.models import Centre
from accounts.records import ClinicalRecord, create_record
from accounts.rest.filters import RecordFilter
from accounts.rest.refusals import Conflict
from accounts.rest.serializers import RECORD_FIELDS, RecordKeyField, RecordSerializer, StrictSerializer
from accounts.rest.views import EnteredRecordViewSet, RestView
from patients import services
from patients.models import (
    Contact,
    ContactSource,
    Death,
    DeathCause,
    Diagnosis,
    DiseaseEvent,
    DiseaseEventKind,
    Ecog,
    Patient,
    PatientIdentity,
    PerformanceStatus,
    PrimarySite,
    PriorTherapy,
    PriorTherapyKind,
    Sex,
    TumourType,
    WhoGrade,
)

SEARCH_LIMIT = 100


class CentreCodeField(serializers.SlugRelatedField[Centre]):
    """A centre by its code; one whose records the user may not see does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="code", **kwargs)

    def get_queryset(self) -> QuerySet:
        return Centre.objects.visible_to(self.context["request"].user)


class PatientSerializer(RecordSerializer):
    centre: serializers.Field = serializers.SlugRelatedField(slug_field="code", read_only=True)

    class Meta:
        model = Patient
        fields = [*RECORD_FIELDS, "registry_number", "centre", "sex", "birth_date"]
        read_only_fields = [*RECORD_FIELDS, "registry_number"]
        validators: list[Any] = []


class NewIdentitySerializer(StrictSerializer):
    mrn = serializers.CharField(max_length=40)
    family_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    given_names = serializers.CharField(max_length=100, required=False, allow_blank=True)


class RegistrationSerializer(StrictSerializer):
    """A new patient. The registry number is given by the registry."""

    centre = CentreCodeField(queryset=Centre.objects.all())
    sex = serializers.ChoiceField(choices=Sex.choices)
    birth_date = serializers.DateField()
    identity = NewIdentitySerializer(required=False)


class SearchSerializer(StrictSerializer):
    """Words of a registry number, of a name, or an MRN. Every word must be found; case and accents are forgiven."""

    query = serializers.CharField(min_length=2, max_length=200)


class FoundSerializer(serializers.Serializer):
    results = PatientSerializer(many=True)
    truncated = serializers.BooleanField(help_text=f"Whether more than {SEARCH_LIMIT} were found.")


class PatientFilter(RecordFilter):
    registry_number = django_filters.CharFilter()
    sex = django_filters.ChoiceFilter(choices=Sex.choices)


class PatientViewSet(EnteredRecordViewSet):
    """Patients under their registry numbers, without names and MRNs: those are at ``identity/``."""

    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    filterset_class = PatientFilter
    related = ("centre",)
    ordering_fields = {
        "registry_number": "registry_number",
        "birth_date": "birth_date",
        "created_at": "created_at",
        "id": "id",
    }
    ordering = "registry_number"
    untagged_actions = ("list", "history", "search")

    def get_serializer_class(self) -> type[serializers.BaseSerializer]:
        return RegistrationSerializer if self.action == "create" else PatientSerializer

    def acts_needed(self, request: Request) -> list[Act]:
        return [self.act] if self.action == "search" else super().acts_needed(request)

    def enter(self, values: dict[str, Any]) -> Patient:
        identity = values.pop("identity", {})
        return services.register_patient(**values, **identity, by=self.user)

    @extend_schema(responses={201: PatientSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Register a patient; ``identity`` needs a role that may see names."""
        return super().create(request, *args, **kwargs)

    @extend_schema(request=SearchSerializer, responses={200: FoundSerializer}, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def search(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Find patients by words in the body, which no log keeps: by name and MRN where you may see identities."""
        asked = SearchSerializer(data=request.data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        visible = self.visible().current().search(asked.validated_data["query"], self.user)
        found = list(visible.order_by("registry_number")[: SEARCH_LIMIT + 1])
        shown = {"results": found[:SEARCH_LIMIT], "truncated": len(found) > SEARCH_LIMIT}
        return Response(FoundSerializer(shown, context=self.get_serializer_context()).data)


class IdentitySerializer(RecordSerializer):
    class Meta:
        model = PatientIdentity
        fields = ["id", "version", "created_at", "patient", "mrn", "family_name", "given_names"]
        read_only_fields = ["id", "version", "created_at", "patient"]
        validators: list[Any] = []


class IdentityViewSet(EnteredRecordViewSet):
    """Who a patient is: for roles that may see identities, one patient at a time."""

    queryset = PatientIdentity.objects.all()
    serializer_class = IdentitySerializer
    act = Act.VIEW_IDENTITY
    once_actions = ("create",)

    def patient(self) -> Patient:
        """Return the patient of the address.

        Raises:
            Http404: hidden or missing.
            PermissionDenied: visible, but not who it is.
        """
        user = self.user
        try:
            patient = (
                Patient.objects.visible_to(user).select_related("centre").get(pk=self.kwargs["patient_id"])
            )
        except Patient.DoesNotExist as error:
            raise Http404 from error
        user.require(Act.VIEW_IDENTITY, patient.centre_id)
        return patient

    def visible(self) -> Any:
        return self.queryset.all().visible_to(self.user, Act.VIEW_IDENTITY).select_related("patient")

    def get_object(self) -> PatientIdentity:
        try:
            return self.visible().current().get(patient=self.patient())
        except PatientIdentity.DoesNotExist as error:
            raise Http404 from error

    def address_of(self, record: Any) -> str:
        return reverse("api:patient-identity", [record.patient_id], request=self.request)

    def enter(self, values: dict[str, Any]) -> ClinicalRecord:
        patient = self.patient()
        # Told before the database would: its sentence is about MRNs.
        if PatientIdentity.objects.filter(patient=patient).exists():
            raise Conflict(
                "The identity of this patient has been recorded: correct that one.", "already_recorded"
            )
        return create_record(PatientIdentity(patient=patient, centre=patient.centre, **values), by=self.user)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        patient = self.patient()  # hidden patients are missing before the body is looked at
        self.user.require(PatientIdentity.EDIT_ACT, patient.centre_id)
        return super().create(request, *args, **kwargs)


class OfPatientSerializer(RecordSerializer):
    """A record that hangs on a patient."""

    create_only: ClassVar[tuple[str, ...]] = ("patient",)
    patient = RecordKeyField(queryset=Patient.objects.all())
    registry_number = serializers.CharField(source="patient.registry_number", read_only=True)


OF_PATIENT = [*RECORD_FIELDS, "patient", "registry_number"]


class OfPatientFilter(RecordFilter):
    patient = django_filters.UUIDFilter(field_name="patient_id", label="id of a patient")


class OfPatientViewSet(EnteredRecordViewSet):
    related = ("patient",)
    ordering_fields = {"id": "id", "created_at": "created_at", "registry_number": "patient__registry_number"}


class DiagnosisSerializer(OfPatientSerializer):
    class Meta:
        model = Diagnosis
        fields = [
            *OF_PATIENT,
            "tumour_type",
            "primary_site",
            "diagnosed_on",
            "who_grade",
            "ki67_percent",
            "functional_syndrome",
            "stage",
            "metastatic_sites",
        ]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class DiagnosisFilter(OfPatientFilter):
    tumour_type = django_filters.ChoiceFilter(choices=TumourType.choices)
    primary_site = django_filters.ChoiceFilter(choices=PrimarySite.choices)
    who_grade = django_filters.ChoiceFilter(choices=WhoGrade.choices)


class DiagnosisViewSet(OfPatientViewSet):
    """The tumour that a patient is treated for. One per patient."""

    queryset = Diagnosis.objects.all()
    serializer_class = DiagnosisSerializer
    filterset_class = DiagnosisFilter


class PerformanceStatusSerializer(OfPatientSerializer):
    class Meta:
        model = PerformanceStatus
        fields = [*OF_PATIENT, "ecog", "assessed_on", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class PerformanceStatusFilter(OfPatientFilter):
    ecog = django_filters.ChoiceFilter(choices=Ecog.choices)
    assessed_from = django_filters.DateFilter(field_name="assessed_on", lookup_expr="gte")
    assessed_to = django_filters.DateFilter(field_name="assessed_on", lookup_expr="lte")


class PerformanceStatusViewSet(OfPatientViewSet):
    """ECOG performance status as found on a day. One per patient and day."""

    queryset = PerformanceStatus.objects.all()
    serializer_class = PerformanceStatusSerializer
    filterset_class = PerformanceStatusFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "assessed_on": "assessed_on"}


class PriorTherapySerializer(OfPatientSerializer):
    class Meta:
        model = PriorTherapy
        fields = [*OF_PATIENT, "kind", "agent", "started_on", "ended_on", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class PriorTherapyFilter(OfPatientFilter):
    kind = django_filters.ChoiceFilter(choices=PriorTherapyKind.choices)
    started_from = django_filters.DateFilter(field_name="started_on", lookup_expr="gte")
    started_to = django_filters.DateFilter(field_name="started_on", lookup_expr="lte")


class PriorTherapyViewSet(OfPatientViewSet):
    """Treatments of the tumour before PRRT. Earlier PRRT is at ``prior-prrt/``."""

    queryset = PriorTherapy.objects.all()
    serializer_class = PriorTherapySerializer
    filterset_class = PriorTherapyFilter


class ContactSerializer(OfPatientSerializer):
    class Meta:
        model = Contact
        fields = [*OF_PATIENT, "known_alive_on", "source", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class ContactFilter(OfPatientFilter):
    source = django_filters.ChoiceFilter(choices=ContactSource.choices)
    known_alive_from = django_filters.DateFilter(field_name="known_alive_on", lookup_expr="gte")
    known_alive_to = django_filters.DateFilter(field_name="known_alive_on", lookup_expr="lte")


class ContactViewSet(OfPatientViewSet):
    """Dates on which a patient is known to have been alive."""

    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "known_alive_on": "known_alive_on"}


class DiseaseEventSerializer(OfPatientSerializer):
    class Meta:
        model = DiseaseEvent
        fields = [*OF_PATIENT, "kind", "occurred_on", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class DiseaseEventFilter(OfPatientFilter):
    kind = django_filters.ChoiceFilter(choices=DiseaseEventKind.choices)
    occurred_from = django_filters.DateFilter(field_name="occurred_on", lookup_expr="gte")
    occurred_to = django_filters.DateFilter(field_name="occurred_on", lookup_expr="lte")


class DiseaseEventViewSet(OfPatientViewSet):
    """Clinical progression, and the start of other anticancer therapy."""

    queryset = DiseaseEvent.objects.all()
    serializer_class = DiseaseEventSerializer
    filterset_class = DiseaseEventFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "occurred_on": "occurred_on"}


class DeathSerializer(OfPatientSerializer):
    class Meta:
        model = Death
        fields = [*OF_PATIENT, "died_on", "cause", "note"]
        read_only_fields = RECORD_FIELDS
        validators: list[Any] = []


class DeathFilter(OfPatientFilter):
    cause = django_filters.ChoiceFilter(choices=DeathCause.choices)
    died_from = django_filters.DateFilter(field_name="died_on", lookup_expr="gte")
    died_to = django_filters.DateFilter(field_name="died_on", lookup_expr="lte")


class DeathViewSet(OfPatientViewSet):
    """That a patient died, when and of what. One per patient."""

    queryset = Death.objects.all()
    serializer_class = DeathSerializer
    filterset_class = DeathFilter
    ordering_fields = {**OfPatientViewSet.ordering_fields, "died_on": "died_on"}


# What is read of one patient as a whole


class OfOnePatientViewSet(RestView, GenericViewSet):
    """What is derived from all records of one patient, at an address below the patient's."""

    act: ClassVar[Act] = Act.VIEW_RECORDS
    edit_act: ClassVar[Act | None] = None
    pagination_class = None
    filter_backends = []

    def acts_needed(self, request: Request) -> list[Act]:
        if request.method in SAFE_METHODS or self.edit_act is None:
            return [self.act]
        return [self.act, self.edit_act]

    def patient(self) -> Patient:
        """Return the patient of the address, or raise Http404."""
        visible = Patient.objects.visible_to(self.user).select_related("centre")
        try:
            return visible.get(pk=self.kwargs["patient_id"])
        except Patient.DoesNotExist as error:
            raise Http404 from error
