"""The desk's page of studies."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.desk.local_times import LocalTimesAdmin
from imaging.admin.links import list_of
from imaging.models import Study
from patients.admin import OfPatientAdmin

SECTIONS = (
    (
        _("Tracer"),
        ("tracer", "tracer_activity_mbq", "injected_at", "uptake_minutes", "body_weight_kg"),
    ),
    (
        _("Reading"),
        ("slice_thickness_mm", "liver_suv_mean", "spleen_suv_mean", "krenning_score"),
    ),
    ("DICOM", ("study_instance_uid", "suvbw_factor", "suvbw_basis")),
)


@admin.register(Study)
class StudyAdmin(OfPatientAdmin, LocalTimesAdmin):
    chosen_field = "patient"
    own_fields = ("course_number", "timepoint", "modality", "performed_on")
    list_display = (
        "registry_number",
        "course_number",
        "timepoint",
        "modality",
        "performed_on",
        "tracer",
        "tracer_activity_mbq",
        "krenning_score",
    )
    list_filter: ClassVar[Any] = ("timepoint", "modality", "krenning_score")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        plain, *asked = super().get_fieldsets(request, obj)
        return [plain, *((legend, {"fields": names}) for legend, names in SECTIONS), *asked]

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        return [
            *super().links(request, record),
            (gettext("Lesions of the patient"), list_of("lesion", q=record.patient)),
            (gettext("Measurements"), list_of("measurement", study=record.pk)),
            (gettext("Readings"), list_of("reading", study=record.pk)),
        ]
