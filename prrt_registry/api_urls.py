"""Addresses of the REST API, version 1."""

from django.urls import path, re_path
from django.urls.resolvers import URLPattern, URLResolver
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter

from accounts.api import CentreViewSet
from accounts.rest.tokens import CurrentTokenView, TokensView
from accounts.rest.views import NowhereView
from analytics.api import CohortViewSet
from analytics.api.data_queries import DataQueryViewSet
from analytics.api.jobs import JobViewSet
from analytics.api.locks import LockViewSet
from imaging.api import (
    LesionViewSet,
    MeasurementViewSet,
    ReadingViewSet,
    ResponsesViewSet,
    StudyViewSet,
)
from patients.api import (
    ContactViewSet,
    DeathViewSet,
    DiagnosisViewSet,
    DiseaseEventViewSet,
    IdentityViewSet,
    PatientViewSet,
    PerformanceStatusViewSet,
    PriorTherapyViewSet,
)
from treatments.api import (
    AbsorbedDoseViewSet,
    AdministrationViewSet,
    AdverseEventViewSet,
    CourseViewSet,
    CycleViewSet,
    DiscontinuationViewSet,
    DoseDecisionViewSet,
    ExposureViewSet,
    HoldViewSet,
    LaboratoryViewSet,
    LabResultViewSet,
    PriorPrrtViewSet,
    ProtocolViewSet,
    ReferenceRangeViewSet,
    SomatostatinAnalogueDoseViewSet,
)

app_name = "api"

router = DefaultRouter(use_regex_path=False)
router.include_format_suffixes = False
router.register("centres", CentreViewSet, "centre")
router.register("protocols", ProtocolViewSet, "protocol")
router.register("patients", PatientViewSet, "patient")
router.register("diagnoses", DiagnosisViewSet, "diagnosis")
router.register("performance-statuses", PerformanceStatusViewSet, "performance-status")
router.register("prior-therapies", PriorTherapyViewSet, "prior-therapy")
router.register("contacts", ContactViewSet, "contact")
router.register("disease-events", DiseaseEventViewSet, "disease-event")
router.register("deaths", DeathViewSet, "death")
router.register("courses", CourseViewSet, "course")
router.register("cycles", CycleViewSet, "cycle")
router.register("administrations", AdministrationViewSet, "administration")
router.register("discontinuations", DiscontinuationViewSet, "discontinuation")
router.register("holds", HoldViewSet, "hold")
router.register("dose-decisions", DoseDecisionViewSet, "dose-decision")
router.register("absorbed-doses", AbsorbedDoseViewSet, "absorbed-dose")
router.register("prior-prrt", PriorPrrtViewSet, "prior-prrt")
router.register("somatostatin-analogue-doses", SomatostatinAnalogueDoseViewSet, "somatostatin-analogue-dose")
router.register("lab-results", LabResultViewSet, "lab-result")
router.register("reference-ranges", ReferenceRangeViewSet, "reference-range")
router.register("adverse-events", AdverseEventViewSet, "adverse-event")
router.register("studies", StudyViewSet, "study")
router.register("lesions", LesionViewSet, "lesion")
router.register("measurements", MeasurementViewSet, "measurement")
router.register("readings", ReadingViewSet, "reading")
router.register("data-queries", DataQueryViewSet, "data-query")
router.register("cohorts", CohortViewSet, "cohort")
router.register("jobs", JobViewSet, "job")
router.register("locks", LockViewSet, "lock")

identity = IdentityViewSet.as_view(
    {"get": "retrieve", "post": "create", "put": "update", "patch": "partial_update"}, basename="identity"
)
docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html")
docs.login_required = True  # type: ignore[attr-defined]  # a page for people: who is not signed in is sent to the sign-in, not told 401

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
    path("tokens/", TokensView.as_view(), name="tokens"),
    path("tokens/current/", CurrentTokenView.as_view(), name="token-current"),
    path("patients/<uuid:patient_id>/identity/", identity, name="patient-identity"),
    path(
        "patients/<uuid:patient_id>/identity/history/",
        IdentityViewSet.as_view({"get": "history"}, basename="identity"),
        name="patient-identity-history",
    ),
    path(
        "patients/<uuid:patient_id>/laboratory/",
        LaboratoryViewSet.as_view({"get": "retrieve", "post": "create"}),
        name="patient-laboratory",
    ),
    path(
        "patients/<uuid:patient_id>/exposure/",
        ExposureViewSet.as_view({"get": "retrieve"}),
        name="patient-exposure",
    ),
    path(
        "patients/<uuid:patient_id>/responses/",
        ResponsesViewSet.as_view({"get": "retrieve"}),
        name="patient-responses",
    ),
    *router.urls,
    re_path(r"^.*$", NowhereView.as_view()),
]
