"""The desk's pages of courses: cycles, what holds them up, what was decided before one, and that a course was stopped."""

from datetime import date
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSingleDateWidget

from accounts.desk.forms import CorrectionForm, DeskForm, OwnReasonCorrectionForm
from accounts.desk.local_times import LocalTimesAdmin
from accounts.desk.records import ClinicalAdmin
from accounts.models import User
from accounts.records import ClinicalRecord, clinical_write
from languages.wording import within
from patients.admin import OfPatientAdmin
from treatments import services
from treatments.admin.administrations import ADMINISTRATION_FIELDS, ADMINISTRATION_SECTIONS
from treatments.admin.places import OfCycleAdmin
from treatments.models import (
    OPEN,
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DoseDecision,
    Hold,
)
from treatments.rules.advice import ADVICE_WORDS, fact_retold
from treatments.rules.words import written
from treatments.selectors.advice import advice_for
from treatments.services.courses import today_at

STATUS_COLOURS = {
    CycleStatus.PLANNED.value: "info",
    CycleStatus.HELD.value: "warning",
    CycleStatus.GIVEN.value: "success",
    CycleStatus.CANCELLED.value: "danger",
}


class CourseEntryForm(DeskForm):
    first_planned_on = forms.DateField(
        label=gettext_lazy("First cycle planned on"),
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=gettext_lazy("The other cycles follow at the protocol's interval."),
    )


@admin.register(Course)
class CourseAdmin(OfPatientAdmin):
    """A course is started with all its cycles, and moved to another protocol with them, by the services."""

    entry_form = CourseEntryForm
    fixed_fields = ("patient", "number")
    autocomplete_fields = ("patient",)
    list_display = ("registry_number", "number", "protocol", "intent", "cycles_given")
    list_filter: ClassVar[Any] = ("intent",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        given = Q(cycles__status=CycleStatus.GIVEN, cycles__voided_at__isnull=True)
        return (
            super()
            .get_queryset(request)
            .select_related("protocol")
            .annotate(given=Count("cycles", filter=given))
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        self_fields = (
            ("patient", "protocol", "intent", "first_planned_on")
            if obj is None
            else ("patient", "number", "protocol", "intent")
        )
        return [(None, {"fields": self_fields}), *super().get_fieldsets(request, obj)[1:]]

    @display(description=gettext_lazy("Cycles given"), ordering="given")
    def cycles_given(self, obj: Any) -> str:
        return _("{n} of {total}").format(n=obj.given, total=obj.protocol.planned_cycles)

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        cycles = reverse("admin:treatments_cycle_changelist")
        return [*super().links(request, record), (_("Cycles"), f"{cycles}?q={record.patient}")]

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.start_course(
            patient=record.patient,
            protocol=record.protocol,
            first_planned_on=form.cleaned_data["first_planned_on"],
            intent=record.intent,
            by=by,
        )

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_course(record, changes, by=by, reason=reason, expected_version=expected_version)


def current_administration(cycle: Cycle) -> Administration | None:
    """Return the administration in force of a cycle that the desk fetched."""
    found = getattr(cycle, "current_administrations", None)
    if found is None:
        found = list(cycle.administrations.current()[:1])
    return found[0] if found else None


class CycleForm(CorrectionForm):
    """A cycle together with its administration: one page, one reason."""

    # The fields that are the administration's; both records have a prescribed activity.
    of_administration: ClassVar[tuple[str, ...]] = ()
    administration_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def model_changes(self) -> dict[str, Any]:
        changes = super().model_changes()
        return {name: value for name, value in changes.items() if name not in self.of_administration}

    def administration_changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.of_administration}


@admin.register(Cycle)
class CycleAdmin(ClinicalAdmin):
    """A cycle, with the administration that made it a given one."""

    correction_form = CycleForm
    entry_fields = ("course", "number", "planned_on", "note")
    autocomplete_fields = ("course",)
    list_display = (
        "registry_number",
        "course_number",
        "number",
        "planned_on",
        "state",
        "given_on",
        "activity",
    )
    list_filter: ClassVar[Any] = ("status",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        in_force = Prefetch(
            "administrations", queryset=Administration.objects.current(), to_attr="current_administrations"
        )
        return super().get_queryset(request).select_related("course__protocol").prefetch_related(in_force)

    @display(description=gettext_lazy("Course"), ordering="course__number")
    def course_number(self, obj: Cycle) -> int:
        return obj.course.number

    @display(description=gettext_lazy("Status"), ordering="status", label=STATUS_COLOURS)
    def state(self, obj: Any) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("Given on"), empty_value="–")
    def given_on(self, obj: Cycle) -> date | None:
        administration = current_administration(obj)
        if administration is None:
            return None
        return administration.administered_at.astimezone(obj.course.patient.centre.zone).date()

    @display(description=gettext_lazy("Activity (MBq)"), empty_value="–")
    def activity(self, obj: Cycle) -> str | None:
        administration = current_administration(obj)
        return (
            written(f"{administration.administered_activity_mbq:,}") if administration is not None else None
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ["course", "number", "set_on", "cancel_reason"]
        if obj.status not in OPEN:
            fixed.append("status")  # follows from the administration, or from what cancelled it
        if obj.status == CycleStatus.CANCELLED:
            fixed += ["planned_on", "prescribed_activity_mbq"]
        return tuple(fixed)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return super().get_fieldsets(request)
        names = ["course", "number", "status", "planned_on", "set_on"]
        if obj.status != CycleStatus.GIVEN:  # of a given one the administration says what was prescribed
            names.append("prescribed_activity_mbq")
        if obj.cancel_reason:
            names.append("cancel_reason")
        fieldsets: list[Any] = [(None, {"fields": (*names, "note")})]
        if self.has_change_permission(request, obj):
            if current_administration(obj) is not None:
                for legend, given in ADMINISTRATION_SECTIONS:
                    title = _("Administration: {section}").format(section=within(str(legend)))
                    fieldsets.append((title, {"fields": given}))
            fieldsets.append(
                (_("Correction"), {"fields": ("reason", "expected_version", "administration_version")})
            )
        return fieldsets

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Add the fields of the administration, with its values, to those of the cycle."""
        administration = obj and current_administration(obj)
        if administration is not None and self.has_change_permission(request, obj):
            page = self.admin_site.get_model_admin(Administration)
            fields: dict[str, Any] = {}
            for name in ADMINISTRATION_FIELDS:
                fields[name] = page.formfield_for_dbfield(Administration._meta.get_field(name), request)
                fields[name].initial = getattr(administration, name)
            fields["administration_version"] = forms.IntegerField(
                initial=administration.version, widget=forms.HiddenInput
            )
            fields["of_administration"] = ADMINISTRATION_FIELDS
            kwargs["form"] = type("GivenCycleForm", (CycleForm,), fields)
            # Named here they would be taken for the cycle's own.
            kwargs["fields"] = ("planned_on", "note")
        return super().get_form(request, obj, change=change, **kwargs)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "status":
            kwargs["choices"] = [
                choice
                for choice in CycleStatus.choices
                if choice[0] in {CycleStatus.PLANNED, CycleStatus.HELD}
            ]
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        found = [
            (
                _("Patient {patient}").format(patient=record.course.patient),
                reverse("admin:patients_patient_change", args=[record.course.patient_id]),
            ),
            (
                _("Course {number}").format(number=record.course.number),
                reverse("admin:treatments_course_change", args=[record.course_id]),
            ),
        ]
        administration = current_administration(record)
        wanted: list[tuple[str, str]] = []
        if administration is not None:
            page = reverse("admin:treatments_administration_change", args=[administration.pk])
            found.append((_("Administration, also to void it"), page))
            wanted = [(_("Enter an absorbed dose"), "absorbeddose")]
        elif record.status in OPEN:
            wanted = [
                (_("Record that it was given"), "administration"),
                (_("Decide on it"), "dosedecision"),
            ]
            if record.status == CycleStatus.PLANNED:
                wanted.append((_("Put it on hold"), "hold"))
        if self.has_change_permission(request, record):
            found += [
                (words, f"{reverse(f'admin:treatments_{kind}_add')}?cycle={record.pk}")
                for words, kind in wanted
            ]
        return found

    def records_shown(self, request: HttpRequest, record: Any) -> list[tuple[ClinicalRecord, str]]:
        shown = super().records_shown(request, record)
        administration = current_administration(record)
        return [*shown, (administration, "administration_version")] if administration is not None else shown

    def history_records(self, record: Any) -> list[ClinicalRecord]:
        return [record, *record.administrations.all()]

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        """Correct the cycle and its administration as one act, and re-plan what follows."""
        of_administration = form.administration_changes()
        with clinical_write(by=by, reason=reason):
            services.correct_cycle(record, changes, by=by, reason=reason, expected_version=expected_version)
            if of_administration:
                administration = record.administrations.current().get()
                services.correct_administration(
                    administration,
                    of_administration,
                    by=by,
                    reason=reason,
                    expected_version=form.cleaned_data["administration_version"],
                )

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_cycle(record, by=by, reason=reason, expected_version=expected_version)


@admin.register(Hold)
class HoldAdmin(OfCycleAdmin):
    """That a cycle had to wait. Entering, correcting and voiding one moves the plan."""

    correction_form = OwnReasonCorrectionForm
    entry_fields = ("cycle", "held_on", "reason", "review_on", "note")
    correction_fields = ("cycle", "held_on", "reason", "review_on", "resumed_on", "note")
    list_display = ("registry_number", "cycle_number", "held_on", "reason", "review_on", "resumed_on")
    list_filter: ClassVar[Any] = ("reason",)

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.hold_cycle(
            cycle=record.cycle,
            held_on=record.held_on,
            reason=record.reason,
            review_on=record.review_on,
            note=record.note,
            by=by,
        )

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_hold(record, changes, by=by, reason=reason, expected_version=expected_version)

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_hold(record, by=by, reason=reason, expected_version=expected_version)


@admin.register(DoseDecision)
class DoseDecisionAdmin(OfCycleAdmin, LocalTimesAdmin):
    """What was decided before a cycle, beside the advice of that moment: only the words of its reason are corrected."""

    chosen_field = "cycle"
    correction_form = OwnReasonCorrectionForm
    entry_fields = ("cycle", "decision", "prescribed_activity_mbq", "reason")
    correction_fields = (
        "cycle",
        "decided_at",
        "decided_by",
        "advice",
        "facts",
        "advice_source",
        "decision",
        "prescribed_activity_mbq",
        "reason",
    )
    fixed_fields = tuple(name for name in correction_fields if name != "reason")
    list_display = (
        "registry_number",
        "cycle_number",
        "day",
        "advice",
        "decision",
        "prescribed_activity_mbq",
    )
    list_filter: ClassVar[Any] = ("decision", "advice")

    @display(description=gettext_lazy("Decided on (local)"), ordering="decided_at")
    def day(self, obj: DoseDecision) -> date:
        return obj.decided_at.astimezone(obj.cycle.course.patient.centre.zone).date()

    @display(description=gettext_lazy("What led to the advice"), empty_value="–")
    def facts(self, obj: DoseDecision) -> str:
        return " ".join(fact_retold(fact) for fact in obj.advice_facts)

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "prescribed_activity_mbq" in form.base_fields:
            form.base_fields["prescribed_activity_mbq"].help_text = _("Blank: what the decision stands for.")
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show above a first entry what the rules say of the chosen cycle, as its decision is kept beside it."""
        context = dict(extra_context or {})
        cycle = self.chosen(request) if object_id is None else None
        if cycle is not None:
            advice = advice_for(cycle.course, cycle, today=today_at(cycle))
            if advice is not None:
                said = " ".join([f"{ADVICE_WORDS[advice.code].rstrip('.')}.", *advice.facts])
                message = _("Advice for cycle {number}: {advice}")
                context["desk_note"] = message.format(number=cycle.number, advice=said)
        return super().changeform_view(request, object_id, form_url, context)

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.decide_dose(
            cycle=record.cycle,
            decision=record.decision,
            reason=record.reason,
            prescribed_activity_mbq=record.prescribed_activity_mbq,
            by=by,
        )

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_decision(record, by=by, reason=reason, expected_version=expected_version)


@admin.register(Discontinuation)
class DiscontinuationAdmin(ClinicalAdmin):
    """That a course was stopped. Entering one cancels the cycles still to come; voiding it plans them again."""

    entry_fields = ("course", "discontinued_on", "main_reason", "further_reasons", "note")
    correction_fields = ("course", "discontinued_on", "after_cycle", "main_reason", "further_reasons", "note")
    fixed_fields = ("course",)
    autocomplete_fields = ("course",)
    list_display = ("registry_number", "course_number", "discontinued_on", "after_cycle", "main_reason")
    list_filter: ClassVar[Any] = ("main_reason", "after_cycle")

    @display(description=gettext_lazy("Course"), ordering="course__number")
    def course_number(self, obj: Discontinuation) -> int:
        return obj.course.number

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        course = record.course
        return [
            (
                _("Patient {patient}").format(patient=course.patient),
                reverse("admin:patients_patient_change", args=[course.patient_id]),
            ),
            (
                _("Course {number}").format(number=course.number),
                reverse("admin:treatments_course_change", args=[course.pk]),
            ),
        ]

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.discontinue_course(
            course=record.course,
            discontinued_on=record.discontinued_on,
            main_reason=record.main_reason,
            further_reasons=record.further_reasons,
            note=record.note,
            by=by,
        )

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_discontinuation(record, by=by, reason=reason, expected_version=expected_version)
