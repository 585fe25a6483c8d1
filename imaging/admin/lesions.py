"""The desk's pages of lesions and their measurements."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.desk.forms import CorrectionForm, DeskForm
from accounts.desk.records import ClinicalAdmin
from accounts.models import User
from accounts.records import ClinicalRecord
from imaging import services
from imaging.admin.links import OfLesion, OfStudy, list_of, page_of
from imaging.models import Lesion, LesionState, Measurement
from imaging.rules.cells import written_cell
from languages.wording import within
from patients.admin import OfPatientAdmin


class EntryForm(DeskForm):
    """A first entry, which needs a reason where a reader's signature rests on what it changes."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("Needed where a reader has signed what this changes."),
    )


# Lesions


@admin.register(Lesion)
class LesionAdmin(OfPatientAdmin):
    entry_form = EntryForm
    fixed_fields = ("patient", "course_number", "reader_role")
    own_fields = (
        "course_number",
        "reader_role",
        "label",
        "role",
        "organ",
        "site",
        "selection_reason",
        "tracking_uid",
    )
    list_display = ("registry_number", "course_number", "reader_role", "label", "role", "organ", "site")
    list_filter: ClassVar[Any] = ("role", "organ", "reader_role")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fieldsets = super().get_fieldsets(request, obj)
        return (
            fieldsets
            if obj is not None
            else [*fieldsets, (gettext("After a signature"), {"fields": ("reason",)})]
        )

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None and "label" in form.base_fields:
            form.base_fields["label"].required = False
            form.base_fields["label"].help_text = _("Blank: the next number, such as L4.")
        return form

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        names = ("patient", *self.own_fields, "reason")
        return services.add_lesion(**{name: form.cleaned_data[name] for name in names}, by=by)

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.change_lesion(record, changes, by=by, reason=reason, expected_version=expected_version)

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_lesion(record, by=by, reason=reason, expected_version=expected_version)

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        return [
            *super().links(request, record),
            (gettext("Measurements"), list_of("measurement", lesion=record.pk)),
            (gettext("Studies of the patient"), list_of("study", q=record.patient)),
        ]


# Measurements


class PartsMixin(forms.ModelForm):
    """The size of a split lesion is the sum of its parts; it is typed once."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        parts = cleaned.get("parts_mm")
        is_typed = cleaned.get("size_mm") is not None and "size_mm" in self.changed_data
        if cleaned.get("state") == LesionState.SPLIT and parts and not is_typed:
            cleaned["size_mm"] = sum(parts, Decimal(0))
        return cleaned


class MeasurementEntryForm(PartsMixin, EntryForm):
    pass


class MeasurementCorrectionForm(PartsMixin, CorrectionForm):
    pass


@admin.register(Measurement)
class MeasurementAdmin(ClinicalAdmin):
    """What was found of a lesion in a study. Its draft is accepted by taking the mark of a draft off."""

    entry_form = MeasurementEntryForm
    correction_form = MeasurementCorrectionForm
    correction_fields = (
        "lesion",
        "study",
        "state",
        "size_mm",
        "parts_mm",
        "merged_into",
        "suv_max",
        "is_draft",
        "note",
    )
    entry_fields = (*correction_fields, "reason")
    fixed_fields = ("lesion", "study")
    autocomplete_fields = ("lesion", "study", "merged_into")
    list_display = ("registry_number", "lesion_label", "performed_on", "found", "suv_max", "is_draft")
    list_filter: ClassVar[Any] = (OfLesion, OfStudy, "state", "is_draft")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("study", "merged_into")

    @display(description=_("Lesion"), ordering="lesion__label")
    def lesion_label(self, obj: Measurement) -> str:
        return f"{obj.lesion.label} ({within(str(obj.lesion.get_reader_role_display()))})"

    @display(description=_("Performed on"), ordering="study__performed_on")
    def performed_on(self, obj: Measurement) -> date:
        return obj.study.performed_on

    @display(description=_("Size in mm, or state"), ordering="size_mm")
    def found(self, obj: Measurement) -> str:
        merged_into = obj.merged_into.label if obj.merged_into is not None else ""
        return written_cell(obj.state, obj.size_mm, obj.parts_mm, merged_into) or "–"

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "parts_mm":
            kwargs["widget"] = UnfoldAdminTextInputWidget
            kwargs["help_text"] = gettext(
                "Of a split lesion, with commas between them: 12,9. The size is their sum."
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.record_measurement(record, by=by, reason=form.cleaned_data["reason"])

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_measurement(record, changes, by=by, reason=reason, expected_version=expected_version)

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        patient = record.lesion.patient
        return [
            (
                gettext("Patient {number}").format(number=patient),
                reverse("admin:patients_patient_change", args=[patient.pk]),
            ),
            (
                gettext("Lesion {label}").format(label=record.lesion.label),
                page_of("lesion", record.lesion_id),
            ),
            (gettext("Study"), page_of("study", record.study_id)),
        ]
