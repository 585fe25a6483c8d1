"""The desk's pages of laboratory values and of each centre's limits of normal."""

from datetime import tzinfo
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from accounts.access import Act
from accounts.desk.forms import CorrectionForm, DeskForm
from accounts.desk.local_times import LocalTimesAdmin
from accounts.desk.shared import SharedAdmin
from accounts.desk.site import desk_centres, user_of
from accounts.models import Centre, User
from accounts.records import ClinicalRecord
from languages.wording import day
from patients.admin import OfPatientAdmin
from treatments import services
from treatments.models import LabResult, ReferenceRange
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.words import written

OWN_UNIT = gettext_lazy("The unit that the registry keeps the analyte in")


class ConfirmField(forms.BooleanField):
    """That an unlikely value was checked. It is itself no change of it."""

    def __init__(self, **options: Any) -> None:
        plain = {
            "label": gettext_lazy("The value is right though it is unlikely"),
            "required": False,
            "widget": UnfoldBooleanWidget,
            "help_text": gettext_lazy("To be ticked where the page asks to check a value."),
        }
        super().__init__(**plain | options)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class LabEntryForm(DeskForm):
    """A value as the laboratory wrote it; it is stored in the unit of its analyte."""

    # Not the record's: a count per microlitre is a thousand times the stored one, and only that has bounds.
    typed_value = forms.DecimalField(
        label=gettext_lazy("Value"), max_digits=14, min_value=0, widget=UnfoldAdminDecimalFieldWidget
    )
    unit = forms.ChoiceField(
        required=False,
        choices=[
            ("", OWN_UNIT),
            *(
                (unit, unit)
                for unit in dict.fromkeys(unit for one in ANALYTES.values() for unit in one.units)
            ),
        ],
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Of the value and of the limits."),
    )
    confirm_unlikely = ConfirmField()


class LabCorrectionForm(CorrectionForm):
    confirm_unlikely = ConfirmField()


@admin.register(LabResult)
class LabResultAdmin(OfPatientAdmin, LocalTimesAdmin):
    """A laboratory value: typed in any unit that its analyte is measured in, corrected in the one it is kept in."""

    chosen_field = "patient"
    entry_form = LabEntryForm
    correction_form = LabCorrectionForm
    list_display = ("registry_number", "analyte", "value_with_unit", "day", "as_written")
    list_filter: ClassVar[Any] = ("analyte", "is_unlikely_confirmed")

    @display(description=gettext_lazy("Value"), ordering="value")
    def value_with_unit(self, obj: LabResult) -> str:
        return with_unit(written(f"{obj.value.normalize():f}"), ANALYTES[obj.analyte].unit)

    @display(description=gettext_lazy("Taken on (local)"), ordering="taken_at")
    def day(self, obj: LabResult) -> str:
        return day(obj.taken_on)

    @display(description=gettext_lazy("As written"), empty_value="–")
    def as_written(self, obj: LabResult) -> str | None:
        return f"{obj.original_value} {obj.original_unit}" if obj.original_value else None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fixed = super().get_readonly_fields(request, obj)
        of_entry = ("original_value", "original_unit", "is_unlikely_confirmed")
        return fixed if obj is None else (*fixed, *of_entry)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            typed = ("typed_value", "unit", "lower_limit", "upper_limit", "note", "confirm_unlikely")
            return [(None, {"fields": ("patient", "analyte", "taken_at", *typed)})]
        names: tuple[str, ...] = ("patient", "analyte", "taken_at", "value", "lower_limit", "upper_limit")
        names += ("original_value", "original_unit", "is_unlikely_confirmed", "note")
        if self.has_change_permission(request, obj):
            names += ("confirm_unlikely",)
        return [(None, {"fields": names}), *super().get_fieldsets(request, obj)[1:]]

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and "value" in form.base_fields:
            unit = ANALYTES[obj.analyte].unit
            words = _("In the unit of its analyte ({unit}), as the limits; replaces what was written.")
            form.base_fields["value"].help_text = words.format(unit=unit)
        return form

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        values = form.cleaned_data
        entry = services.LabEntry(
            analyte=record.analyte,
            taken_at=record.taken_at,
            value=values["typed_value"],
            unit=values["unit"],
            lower_limit=record.lower_limit,
            upper_limit=record.upper_limit,
            note=record.note,
        )
        (stored,) = services.record_lab_results(
            patient=record.patient, entries=[entry], confirm_unlikely=values["confirm_unlikely"], by=by
        )
        return stored

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_lab_result(
            record,
            changes,
            by=by,
            reason=reason,
            expected_version=expected_version,
            confirm_unlikely=form.cleaned_data["confirm_unlikely"],
        )


@admin.register(ReferenceRange)
class ReferenceRangeAdmin(SharedAdmin):
    """The limits of normal of the centres whose desk the user works; changed by who manages cohorts there."""

    list_display = ("centre", "analyte", "sex", "lower_limit", "upper_limit", "valid_from", "valid_to")
    list_filter = ("analyte", "sex")
    list_select_related = ("centre",)
    search_fields = ("centre__code",)
    fields = ("centre", "analyte", "sex", "lower_limit", "upper_limit", "valid_from", "valid_to")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request).select_related("centre")
        centres = desk_centres(user_of(request))
        return rows if centres is None else rows.filter(centre__in=centres)

    def _may(self, request: HttpRequest, obj: Any, *acts: Act) -> bool:
        centres = desk_centres(user_of(request), *acts)
        if centres is None:
            return True
        return bool(centres) if obj is None else obj.centre_id in centres

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None, Act.MANAGE_COHORTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, Act.MANAGE_COHORTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("centre",) if obj is not None else ()  # another centre's limits are a range of its own

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "centre":
            centres = desk_centres(user_of(request), Act.MANAGE_COHORTS)
            rows = Centre.objects.all()
            kwargs["queryset"] = rows if centres is None else rows.filter(pk__in=centres)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def zone_of(self, record: Any) -> tzinfo:
        return record.centre.zone

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        values = {name: form.cleaned_data[name] for name in self.fields}
        vars(obj).update(vars(services.set_reference_range(values, by=user_of(request))))
