"""The desk's pages of protocols, courses, cycles, administrations and discontinuations."""

from datetime import date, tzinfo
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Count, Prefetch, Q
from django.http import HttpRequest
from django.urls import reverse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSingleDateWidget

from accounts.access import Act
from accounts.desk.forms import CorrectionForm, DeskForm
from accounts.desk.records import ClinicalAdmin
from accounts.desk.shared import SharedAdmin
from accounts.desk.site import user_of
from accounts.models import User
from accounts.records import ClinicalRecord, clinical_write, correct_record
from patients.admin import OfPatientAdmin
from treatments import services
from treatments.models import Administration, Course, Cycle, CycleStatus, Discontinuation, Protocol

ADMINISTRATION_FIELDS = (
    "administered_at",
    "prescribed_activity_mbq",
    "administered_activity_mbq",
    "lot",
    "deviation_explanation",
)
STATUS_COLOURS = {"Planned": "info", "On hold": "warning", "Given": "success", "Cancelled": "danger"}


@admin.register(Protocol)
class ProtocolAdmin(SharedAdmin):
    """Protocols are versioned: one that courses run under stays as it is, and a change is a new version."""

    list_display = (
        "name",
        "code",
        "version",
        "planned_cycles",
        "interval_days",
        "window_days",
        "prescribed_activity_mbq",
    )
    search_fields = ("code", "name")
    words_only = ("name", "source")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_of(request).may(Act.MANAGE_COHORTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        plan = self.plan_fields()
        # A form opened before the first course was started still sends a plan: the database says whether it may.
        if obj is None or not plan.isdisjoint(request.POST) or not self.is_followed(obj):
            return ()
        return tuple(field.name for field in Protocol._meta.fields if field.name in plan)

    def plan_fields(self) -> set[str]:
        """Return the names of the fields that courses rest on."""
        return {
            field.name
            for field in Protocol._meta.fields
            if field.editable and not field.primary_key and field.name not in self.words_only
        }

    def is_followed(self, protocol: Protocol) -> bool:
        return Course.objects.filter(protocol=protocol).exists()

    def note(self, request: HttpRequest, obj: Any) -> str:
        if self.has_change_permission(request, obj) and self.is_followed(obj):
            return (
                "Courses follow this version: its plan stays as it is. For another plan add a new version; "
                "name and source can be reworded."
            )
        return ""


class CourseEntryForm(DeskForm):
    first_planned_on = forms.DateField(
        label="First cycle planned on",
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text="The other cycles follow at the protocol's interval.",
    )


@admin.register(Course)
class CourseAdmin(OfPatientAdmin):
    """A course is started with all its cycles, by the service."""

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

    @display(description="Cycles given", ordering="given")
    def cycles_given(self, obj: Any) -> str:
        return f"{obj.given} of {obj.protocol.planned_cycles}"

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        cycles = reverse("admin:treatments_cycle_changelist")
        return [*super().links(request, record), ("Cycles", f"{cycles}?q={record.patient}")]

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
        correct_record(
            record,
            changes,
            by=by,
            reason=reason,
            expected_version=expected_version,
            also=services.replan,  # type: ignore[arg-type]
        )


def current_administration(cycle: Cycle) -> Administration | None:
    """Return the administration in force of a cycle that the desk fetched."""
    found = getattr(cycle, "current_administrations", None)
    if found is None:
        found = list(cycle.administrations.current()[:1])
    return found[0] if found else None


class CycleForm(CorrectionForm):
    """A cycle together with its administration: one page, one reason."""

    administration_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def administration_changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data if name in ADMINISTRATION_FIELDS}


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

    @display(description="Course", ordering="course__number")
    def course_number(self, obj: Cycle) -> int:
        return obj.course.number

    @display(description="Status", ordering="status", label=STATUS_COLOURS)
    def state(self, obj: Any) -> str:
        return obj.get_status_display()

    @display(description="Given on", empty_value="–")
    def given_on(self, obj: Cycle) -> date | None:
        administration = current_administration(obj)
        if administration is None:
            return None
        return administration.administered_at.astimezone(obj.course.patient.centre.zone).date()

    @display(description="Activity (MBq)", empty_value="–")
    def activity(self, obj: Cycle) -> str | None:
        administration = current_administration(obj)
        return f"{administration.administered_activity_mbq:,}" if administration is not None else None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ["course", "number"]
        if obj.status in {CycleStatus.GIVEN, CycleStatus.CANCELLED}:
            fixed.append("status")  # follows from the administration, or the discontinuation
        if obj.number > 1 and obj.status != CycleStatus.GIVEN:
            fixed.append("planned_on")  # follows from the cycle given before it
        return tuple(fixed)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return super().get_fieldsets(request)
        fieldsets: list[Any] = [(None, {"fields": ("course", "number", "status", "planned_on", "note")})]
        if self.has_change_permission(request, obj):
            if current_administration(obj) is not None:
                given = (*ADMINISTRATION_FIELDS, "administration_version")
                fieldsets.append(("Administration", {"fields": given}))
            fieldsets.append(("Correction", {"fields": ("reason", "expected_version")}))
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
            version = forms.IntegerField(initial=administration.version, widget=forms.HiddenInput)
            kwargs["form"] = type(
                "GivenCycleForm", (CycleForm,), {**fields, "administration_version": version}
            )
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
                f"Patient {record.course.patient}",
                reverse("admin:patients_patient_change", args=[record.course.patient_id]),
            ),
            (
                f"Course {record.course.number}",
                reverse("admin:treatments_course_change", args=[record.course_id]),
            ),
        ]
        administration = current_administration(record)
        if administration is not None:
            page = reverse("admin:treatments_administration_change", args=[administration.pk])
            found.append(("Administration, also to void it", page))
        elif record.status != CycleStatus.CANCELLED and self.has_change_permission(request, record):
            page = reverse("admin:treatments_administration_add")
            found.append(("Record that it was given", f"{page}?cycle={record.pk}"))
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
        # A date planned for the first cycle moves all the others until one has been given.
        also = _replan
        with clinical_write(by=by, reason=reason):
            services.correct_cycle(
                record, changes, by=by, reason=reason, expected_version=expected_version, also=also
            )
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


def _replan(cycle: ClinicalRecord) -> None:
    services.replan(cycle.course)  # type: ignore[attr-defined]


@admin.register(Administration)
class AdministrationAdmin(ClinicalAdmin):
    """That a cycle was given. Entering, correcting and voiding one plans the following cycles again."""

    entry_fields = ("cycle", *ADMINISTRATION_FIELDS)
    correction_fields = entry_fields
    fixed_fields = ("cycle",)
    autocomplete_fields = ("cycle",)
    list_display = (
        "registry_number",
        "cycle_number",
        "given_at",
        "prescribed_activity_mbq",
        "administered_activity_mbq",
        "lot",
    )

    @display(description="Cycle", ordering="cycle__number")
    def cycle_number(self, obj: Administration) -> str:
        return f"{obj.cycle.course.number}.{obj.cycle.number}"

    @display(description="Given at (local)", ordering="administered_at")
    def given_at(self, obj: Administration) -> str:
        zone = obj.cycle.course.patient.centre.zone
        return f"{obj.administered_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"

    def get_form(
        self, request: HttpRequest, obj: Any | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None and "prescribed_activity_mbq" in form.base_fields:
            form.base_fields["prescribed_activity_mbq"].required = False
            form.base_fields["prescribed_activity_mbq"].help_text = "Blank: the protocol's."
        return form

    def zone_of_entry(self, request: HttpRequest) -> tzinfo:
        """Return the zone of the chosen cycle's centre: its clock is the one that was read."""
        chosen = request.POST.get("cycle") or request.GET.get("cycle")
        cycle = self.admin_site.get_model_admin(Cycle).get_object(request, chosen) if chosen else None
        return cycle.course.patient.centre.zone if cycle is not None else super().zone_of_entry(request)

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if (
            db_field.name == "administered_at"
            and request.method == "GET"
            and request.resolver_match is not None
        ):
            adding = request.resolver_match.url_name == "treatments_administration_add"
            if adding and not request.GET.get("cycle"):
                field.help_text = "Start of the infusion. Local time of the centre of the cycle."
        return field

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        cycle = record.cycle
        return [
            (
                f"Patient {cycle.course.patient}",
                reverse("admin:patients_patient_change", args=[cycle.course.patient_id]),
            ),
            (f"Cycle {cycle.number}", reverse("admin:treatments_cycle_change", args=[cycle.pk])),
        ]

    def store_entry(self, record: Any, *, form: Any, by: User) -> ClinicalRecord:
        return services.administer_cycle(
            cycle=record.cycle,
            administered_at=record.administered_at,
            administered_activity_mbq=record.administered_activity_mbq,
            prescribed_activity_mbq=record.prescribed_activity_mbq,
            lot=record.lot,
            deviation_explanation=record.deviation_explanation,
            by=by,
        )

    def store_correction(
        self, record: Any, changes: dict[str, Any], *, form: Any, by: User, reason: str, expected_version: int
    ) -> None:
        services.correct_administration(
            record, changes, by=by, reason=reason, expected_version=expected_version
        )

    def store_void(self, record: Any, *, by: User, reason: str, expected_version: int) -> None:
        services.void_administration(record, by=by, reason=reason, expected_version=expected_version)


@admin.register(Discontinuation)
class DiscontinuationAdmin(ClinicalAdmin):
    """That a course was stopped. Entering one cancels the cycles still to come; voiding it plans them again."""

    entry_fields = ("course", "discontinued_on", "main_reason", "further_reasons", "note")
    correction_fields = ("course", "discontinued_on", "after_cycle", "main_reason", "further_reasons", "note")
    fixed_fields = ("course",)
    autocomplete_fields = ("course",)
    list_display = ("registry_number", "course_number", "discontinued_on", "after_cycle", "main_reason")
    list_filter: ClassVar[Any] = ("main_reason", "after_cycle")

    @display(description="Course", ordering="course__number")
    def course_number(self, obj: Discontinuation) -> int:
        return obj.course.number

    def links(self, request: HttpRequest, record: Any) -> list[tuple[str, str]]:
        course = record.course
        return [
            (f"Patient {course.patient}", reverse("admin:patients_patient_change", args=[course.patient_id])),
            (f"Course {course.number}", reverse("admin:treatments_course_change", args=[course.pk])),
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
