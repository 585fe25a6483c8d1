"""The desk's pages of patients and what is true of them."""

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.access import Act
from accounts.desk.forms import DeskForm
from accounts.desk.records import ClinicalAdmin
from accounts.desk.site import desk_centres, user_of
from accounts.models import User
from accounts.records import ClinicalRecord
from patients.models import (
    Contact,
    Death,
    Diagnosis,
    DiseaseEvent,
    Patient,
    PatientIdentity,
    PerformanceStatus,
    PriorTherapy,
)
from patients.services import register_patient


class PatientEntryForm(DeskForm):
    mrn = forms.CharField(label=_("MRN"), max_length=40, required=False, widget=UnfoldAdminTextInputWidget)
    family_name = forms.CharField(
        label=_("Family name"), max_length=100, required=False, widget=UnfoldAdminTextInputWidget
    )
    given_names = forms.CharField(
        label=_("Given names"), max_length=100, required=False, widget=UnfoldAdminTextInputWidget
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if (
            "mrn" in self.fields
            and not cleaned.get("mrn")
            and (cleaned.get("family_name") or cleaned.get("given_names"))
        ):
            self.add_error("mrn", gettext("A name is kept with an MRN only."))
        return cleaned


@admin.register(Patient)
class PatientAdmin(ClinicalAdmin):
    entry_form = PatientEntryForm
    entry_fields = ("centre", "sex", "birth_date")
    correction_fields = ("registry_number", "centre", "sex", "birth_date")
    fixed_fields = ("registry_number", "centre")
    list_display = ("registry_number", "centre", "sex", "birth_date")
    list_filter: ClassVar[Any] = ("sex",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None and desk_centres(user_of(request), Act.VIEW_IDENTITY) != set():
            fieldsets.append((gettext("Identity"), {"fields": ("mrn", "family_name", "given_names")}))
        return fieldsets

    def links(self, request: HttpRequest, record: ClinicalRecord) -> list[tuple[str, str]]:
        """Return the lists of all the patient's records."""
        found = []
        for model, model_admin in self.admin_site._registry.items():
            if (
                issubclass(model, ClinicalRecord)
                and model is not Patient
                and model_admin.has_view_permission(request)
            ):
                address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
                found.append((capfirst(str(model._meta.verbose_name_plural)), f"{address}?q={record}"))
        return found

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        values = form.cleaned_data
        return register_patient(
            centre=values["centre"],
            sex=values["sex"],
            birth_date=values["birth_date"],
            mrn=values.get("mrn", ""),
            family_name=values.get("family_name", ""),
            given_names=values.get("given_names", ""),
            by=by,
        )


class OfPatientAdmin(ClinicalAdmin):
    """A record that hangs on a patient directly."""

    own_fields: ClassVar[tuple[str, ...]] = ()
    fixed_fields: ClassVar[tuple[str, ...]] = ("patient",)
    autocomplete_fields = ("patient",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        self_fields = ("patient", *self.own_fields)
        fieldsets = super().get_fieldsets(request, obj)
        return [(None, {"fields": self_fields}), *fieldsets[1:]]

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        return [
            (
                gettext("Patient {number}").format(number=record.patient),
                reverse("admin:patients_patient_change", args=[record.patient_id]),
            )
        ]


@admin.register(PatientIdentity)
class PatientIdentityAdmin(OfPatientAdmin):
    """Names and MRNs: found by registry number alone, so that none of them stands in an address."""

    view_acts = (Act.VIEW_RECORDS, Act.VIEW_IDENTITY)
    own_fields = ("mrn", "family_name", "given_names")
    list_display = ("registry_number", "mrn", "family_name", "given_names")

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        record.centre_id = record.patient.centre_id
        return super().store_entry(record, form=form, by=by)


@admin.register(Diagnosis)
class DiagnosisAdmin(OfPatientAdmin):
    own_fields = (
        "tumour_type",
        "primary_site",
        "diagnosed_on",
        "who_grade",
        "ki67_percent",
        "functional_syndrome",
        "stage",
        "metastatic_sites",
    )
    list_display = (
        "registry_number",
        "tumour_type",
        "primary_site",
        "who_grade",
        "ki67_percent",
        "diagnosed_on",
    )
    list_filter: ClassVar[Any] = ("tumour_type", "primary_site", "who_grade")


@admin.register(PerformanceStatus)
class PerformanceStatusAdmin(OfPatientAdmin):
    own_fields = ("ecog", "assessed_on", "note")
    list_display = ("registry_number", "ecog", "assessed_on", "note")
    list_filter: ClassVar[Any] = ("ecog",)


@admin.register(PriorTherapy)
class PriorTherapyAdmin(OfPatientAdmin):
    own_fields = ("kind", "agent", "started_on", "ended_on", "note")
    list_display = ("registry_number", "kind", "agent", "started_on", "ended_on")
    list_filter: ClassVar[Any] = ("kind",)


@admin.register(Contact)
class ContactAdmin(OfPatientAdmin):
    own_fields = ("known_alive_on", "source", "note")
    list_display = ("registry_number", "known_alive_on", "source", "note")
    list_filter: ClassVar[Any] = ("source",)


@admin.register(DiseaseEvent)
class DiseaseEventAdmin(OfPatientAdmin):
    own_fields = ("kind", "occurred_on", "note")
    list_display = ("registry_number", "event", "occurred_on", "note")
    list_filter: ClassVar[Any] = ("kind",)

    @display(description=_("Event"), ordering="kind", label={"clinical_progression": "danger"})
    def event(self, obj: DiseaseEvent) -> tuple[str, str]:
        return obj.kind, cast(Any, obj).get_kind_display()


@admin.register(Death)
class DeathAdmin(OfPatientAdmin):
    own_fields = ("died_on", "cause", "note")
    list_display = ("registry_number", "died_on", "cause", "note")
    list_filter: ClassVar[Any] = ("cause",)
