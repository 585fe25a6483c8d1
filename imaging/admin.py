"""The desk's pages of studies and readings."""

from datetime import date
from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from unfold.decorators import display

from accounts.desk.records import ClinicalAdmin
from imaging.models import Reading, Study
from patients.admin import OfPatientAdmin


@admin.register(Study)
class StudyAdmin(OfPatientAdmin):
    own_fields = (
        "course_number",
        "timepoint",
        "modality",
        "performed_on",
        "tracer",
        "tracer_activity_mbq",
        "uptake_minutes",
    )
    list_display = (
        "registry_number",
        "course_number",
        "timepoint",
        "modality",
        "performed_on",
        "tracer",
        "tracer_activity_mbq",
    )
    list_filter: ClassVar[Any] = ("timepoint", "modality")

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        readings = reverse("admin:imaging_reading_changelist")
        return [*super().links(request, record), ("Readings", f"{readings}?q={record.patient}")]


@admin.register(Reading)
class ReadingAdmin(ClinicalAdmin):
    entry_fields = ("study", "reader", "overall_response", "new_lesions", "note")
    correction_fields = entry_fields
    fixed_fields = ("study",)
    autocomplete_fields = ("study",)
    list_display = ("registry_number", "timepoint", "performed_on", "response", "new_lesions", "reader")
    list_filter: ClassVar[Any] = ("overall_response", "new_lesions")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("reader").order_by("-study__performed_on")

    @display(description="Timepoint", ordering="study__timepoint")
    def timepoint(self, obj: Any) -> str:
        return obj.study.get_timepoint_display()

    @display(description="Performed on", ordering="study__performed_on")
    def performed_on(self, obj: Reading) -> date:
        return obj.study.performed_on

    @display(
        description="Overall response",
        ordering="overall_response",
        label={"CR": "success", "PR": "success", "SD": "info", "PD": "danger", "NE": "warning"},
    )
    def response(self, obj: Reading) -> tuple[str, str]:
        return obj.overall_response, obj.overall_response

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        study = record.study
        return [
            (f"Patient {study.patient}", reverse("admin:patients_patient_change", args=[study.patient_id])),
            ("Study", reverse("admin:imaging_study_change", args=[study.pk])),
        ]
