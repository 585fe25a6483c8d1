"""The desk's page of readings."""

from datetime import date
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from accounts.desk.records import ClinicalAdmin
from accounts.models import User
from accounts.records import ClinicalRecord
from imaging import services
from imaging.admin.links import OfStudy, page_of
from imaging.models import Reading
from imaging.selectors.response import DERIVED_REASON
from patients.models import Patient

SIGNED = _(
    "This reading has been signed, so it is not corrected here: a reader changes it on the imaging page of the patient, with"
    " a reason and a new signature."
)


@admin.register(Reading)
class ReadingAdmin(ClinicalAdmin):
    """Readings that were reported, drafts, and signed ones, which are only shown and voided."""

    entry_fields = (
        "study",
        "reader",
        "reader_role",
        "overall_response",
        "new_lesions",
        "override_reason",
        "note",
    )
    fixed_fields = ("study", "reader_role", "status", "signed_at")
    derived_fields = (
        "derived_response",
        "why_derived",
        "target_response",
        "non_target_response",
        "sum_of_diameters",
        "uptake_response",
    )
    autocomplete_fields = ("study",)
    list_display = (
        "registry_number",
        "timepoint",
        "performed_on",
        "reader_role",
        "status",
        "response",
        "derived",
        "new_lesions",
        "reader",
    )
    list_filter: ClassVar[Any] = (
        OfStudy,
        "status",
        "reader_role",
        "overall_response",
        "sstr_response",
        "new_lesions",
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("reader").order_by("-study__performed_on")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.fixed_fields, *self.derived_fields) if obj is not None else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        read = (None, {"fields": (*self.entry_fields, "status", "signed_at")})
        derived = (
            gettext("Derived from the measurements when it was stored"),
            {"fields": self.derived_fields},
        )
        return [read, derived, *fieldsets[1:]]

    # Signed readings

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A form that was opened before the signature is still sent: the service says why it is refused.
        if obj is not None and obj.is_signed and request.method != "POST":
            return False
        return super().has_change_permission(request, obj)

    def has_void_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        record = self.get_object(request, unquote(str(object_id))) if object_id is not None else None
        return super().has_change_permission(request, record)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        record: Any = self.get_object(request, unquote(object_id)) if object_id else None
        context = dict(extra_context or {})
        if record is not None and record.is_signed and record.voided_at is None:
            context["desk_note"] = str(SIGNED)
        return super().changeform_view(request, object_id, form_url, context)

    # Writing

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.report_reading(record, by=by)

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_reading(record, changes, by=by, reason=reason, expected_version=expected_version)

    # Columns and links

    @display(description=_("Timepoint"), ordering="study__timepoint")
    def timepoint(self, obj: Any) -> str:
        return obj.study.get_timepoint_display()

    @display(description=_("Performed on"), ordering="study__performed_on")
    def performed_on(self, obj: Reading) -> date:
        return obj.study.performed_on

    @display(
        description=_("Overall response"),
        ordering="overall_response",
        label={"CR": "success", "PR": "success", "SD": "info", "PD": "danger", "NE": "warning"},
    )
    def response(self, obj: Reading) -> tuple[str, str]:
        return obj.overall_response, obj.overall_response

    @display(description=_("Derived"), ordering="derived_response", empty_value="–")
    def derived(self, obj: Reading) -> str | None:
        return obj.derived_response or None

    @display(description=_("Derived reason"), empty_value="–")
    def why_derived(self, obj: Reading) -> str:
        return DERIVED_REASON.retold(obj.derived_reason)

    @display(description=_("Sum of diameters (mm)"), empty_value="–")
    def sum_of_diameters(self, obj: Reading) -> Any:
        return obj.sum_of_diameters_mm

    @display(description=_("Response of uptake"), empty_value="–")
    def uptake_response(self, obj: Any) -> str | None:
        return obj.get_sstr_response_display() or None

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        study = record.study
        patient: Patient = study.patient
        return [
            (
                gettext("Patient {number}").format(number=patient),
                reverse("admin:patients_patient_change", args=[patient.pk]),
            ),
            (gettext("Study"), page_of("study", study.pk)),
        ]
