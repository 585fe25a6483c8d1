"""The desk's pages of what was given: administrations, absorbed doses, earlier PRRT, somatostatin analogues."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.desk.forms import DeskForm
from accounts.desk.local_times import LocalTimesAdmin
from accounts.models import User
from accounts.records import ClinicalRecord
from languages.wording import day
from patients.admin import OfPatientAdmin
from treatments import services
from treatments.admin.places import OfCycleAdmin
from treatments.models import AbsorbedDose, Administration, PriorPrrt, SomatostatinAnalogueDose

# Legends with their fields, here and on the page of a given cycle.
ADMINISTRATION_SECTIONS = (
    (
        gettext_lazy("Activity"),
        (
            "administered_at",
            "prescribed_activity_mbq",
            "syringe_activity_mbq",
            "syringe_measured_at",
            "residual_activity_mbq",
            "residual_measured_at",
            "administered_activity_mbq",
            "deviation_explanation",
        ),
    ),
    (
        gettext_lazy("Infusion"),
        (
            "infusion_ended_at",
            "lot",
            "volume_ml",
            "venous_access",
            "is_extravasated",
            "extravasated_percent",
        ),
    ),
    (
        gettext_lazy("Protection and staff"),
        ("amino_acid_regimen", "amino_acid_minutes", "antiemetic", "body_weight_kg", "staff"),
    ),
)
ADMINISTRATION_FIELDS = tuple(name for _legend, names in ADMINISTRATION_SECTIONS for name in names)
NET_HELP = gettext_lazy("Net of the residual; computed where the syringe was measured.")


class AdministrationEntryForm(DeskForm):
    confirmation_reason = forms.CharField(
        label=gettext_lazy("Why it is recorded in spite of warnings"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=gettext_lazy(
            "Asked for where something is to be looked at first; kept beside the warnings."
        ),
    )


@admin.register(Administration)
class AdministrationAdmin(OfCycleAdmin, LocalTimesAdmin):
    """That a cycle was given. Entering, correcting and voiding one plans the following cycles again."""

    chosen_field = "cycle"
    entry_form = AdministrationEntryForm
    list_display = (
        "registry_number",
        "cycle_number",
        "given_at",
        "prescribed_activity_mbq",
        "administered_activity_mbq",
        "lot",
    )

    @display(description=gettext_lazy("Given at (local)"), ordering="administered_at")
    def given_at(self, obj: Administration) -> str:
        zone = obj.cycle.course.patient.centre.zone
        at = obj.administered_at.astimezone(zone)
        return f"{day(at.date())} {at:%H:%M} ({zone})"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else (*fixed, "confirmed_warnings", "confirmation_reason")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fieldsets: list[Any] = [(None, {"fields": ("cycle",)})]
        fieldsets += [(legend, {"fields": names}) for legend, names in ADMINISTRATION_SECTIONS]
        if obj is None:
            return [*fieldsets, (_("Warnings"), {"fields": ("confirmation_reason",)})]
        confirmed = (_("Confirmed warnings"), {"fields": ("confirmed_warnings", "confirmation_reason")})
        return [*fieldsets, confirmed, *super().get_fieldsets(request, obj)[1:]]

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        if obj is not None:
            return super().get_form(request, obj, change=change, **kwargs)
        # The reason of confirmation is the form's own: the record's is written by the service, with the warnings.
        kwargs["fields"] = ("cycle", *ADMINISTRATION_FIELDS)
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, words in (
            ("prescribed_activity_mbq", _("Blank: what is prescribed for the cycle.")),
            ("administered_activity_mbq", NET_HELP),
        ):
            if name in form.base_fields:
                form.base_fields[name].required = False
                form.base_fields[name].help_text = words
        return form

    def refusals(self, request: HttpRequest, refused: Any, record: Any, zone: Any) -> Any:
        if not isinstance(refused, services.Unconfirmed):
            return super().refusals(request, refused, record, zone)
        why = _("Say why the cycle is recorded in spite of the warnings.")
        found: list[tuple[str, str | None]] = [(warned.message, None) for warned in refused.warnings]
        return [*found, (why, "confirmation_reason")]

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.administer_cycle(
            cycle=record.cycle,
            confirmation_reason=form.cleaned_data["confirmation_reason"],
            by=by,
            **{name: form.cleaned_data[name] for name in ADMINISTRATION_FIELDS},
        )

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_administration(
            record, changes, by=by, reason=reason, expected_version=expected_version
        )

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_administration(record, by=by, reason=reason, expected_version=expected_version)


@admin.register(AbsorbedDose)
class AbsorbedDoseAdmin(OfCycleAdmin):
    entry_fields = ("cycle", "organ", "lesion", "absorbed_dose_gy", "method", "note")
    correction_fields = entry_fields
    list_display = ("registry_number", "cycle_number", "organ", "lesion", "absorbed_dose_gy", "method")
    list_filter: ClassVar[Any] = ("organ", "method")


@admin.register(PriorPrrt)
class PriorPrrtAdmin(OfPatientAdmin):
    own_fields = (
        "radiopharmaceutical",
        "last_given_on",
        "cycles",
        "administered_activity_mbq",
        "kidney_dose_gy",
        "marrow_dose_gy",
        "dose_method",
        "note",
    )
    list_display = (
        "registry_number",
        "radiopharmaceutical",
        "last_given_on",
        "cycles",
        "administered_activity_mbq",
    )


@admin.register(SomatostatinAnalogueDose)
class SomatostatinAnalogueDoseAdmin(OfPatientAdmin, LocalTimesAdmin):
    chosen_field = "patient"
    own_fields = ("drug", "given_at", "dose_mg", "note")
    list_display = ("registry_number", "drug", "day", "dose_mg", "note")
    list_filter: ClassVar[Any] = ("drug",)

    @display(description=gettext_lazy("Given on (local)"), ordering="given_at")
    def day(self, obj: SomatostatinAnalogueDose) -> str:
        return day(obj.given_on)
