"""Entering, correcting and voiding records. First entries need no reason; corrections do, and are told when stale."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.http import SignedInRequest
from accounts.records import ClinicalRecord, correct_record, create_record, void_record
from clinic import forms as clinic_forms
from clinic.forms import STALE_FIELD, RecordForm, VoidForm, add_refusal
from clinic.selectors import history
from clinic.services import admit_patient
from clinic.views.patients import visible_patient
from imaging.models import Reading, Study, Timepoint
from patients.models import Contact, Death, Diagnosis, DiseaseEvent, Patient, PatientIdentity
from treatments import services as treatments
from treatments.models import Administration, Course, Cycle, CycleStatus, Discontinuation


@dataclass(frozen=True)
class RecordKind:
    """A kind of record that the forms know.

    Attributes:
        enter: the words of the page that enters one by hand; empty where another act does.
        correct, void: the service; None where it cannot be done.
    """

    noun: str
    model: type[ClinicalRecord]
    form: type[RecordForm]
    patient_path: str = "patient"
    enter: str = ""
    correct: Callable[..., Any] | None = correct_record
    void: Callable[..., Any] | None = void_record


KINDS = {
    "patient": RecordKind("patient", Patient, clinic_forms.PatientForm, "pk", void=None),
    "identity": RecordKind(
        "identity", PatientIdentity, clinic_forms.IdentityForm, enter="Record the identity", void=None
    ),
    "diagnosis": RecordKind("diagnosis", Diagnosis, clinic_forms.DiagnosisForm, enter="Record the diagnosis"),
    "contact": RecordKind("contact", Contact, clinic_forms.ContactForm, enter="Record a contact"),
    "disease-event": RecordKind(
        "disease event",
        DiseaseEvent,
        clinic_forms.DiseaseEventForm,
        enter="Record a clinical progression or another therapy",
    ),
    "death": RecordKind("death", Death, clinic_forms.DeathForm, enter="Record the death"),
    "study": RecordKind("study", Study, clinic_forms.StudyForm, enter="Record a study"),
    "reading": RecordKind("reading", Reading, clinic_forms.ReadingForm, "study__patient"),
    "cycle": RecordKind("plan of the cycle", Cycle, clinic_forms.CyclePlanForm, "course__patient", void=None),
    "administration": RecordKind(
        "given cycle",
        Administration,
        clinic_forms.AdministrationForm,
        "cycle__course__patient",
        correct=treatments.correct_administration,
        void=treatments.void_administration,
    ),
    "discontinuation": RecordKind(
        "discontinuation",
        Discontinuation,
        clinic_forms.DiscontinuationForm,
        "course__patient",
        void=treatments.void_discontinuation,
    ),
}


def _kind(slug: str) -> RecordKind:
    if slug not in KINDS:
        raise Http404
    return KINDS[slug]


def _form(kind: RecordKind, patient: Patient, *args: Any, **kwargs: Any) -> RecordForm:
    if kind.model is Study:
        numbers = list(patient.courses.current().order_by("-number").values_list("number", flat=True))
        own = kwargs["instance"].course_number
        if kwargs.get("correcting") and own not in numbers:
            numbers.append(own)
        return clinic_forms.study_form(*args, course_numbers=numbers, **kwargs)
    return kind.form(*args, **kwargs)


def _require(request: SignedInRequest, kind: RecordKind, patient: Patient) -> None:
    """Refuse who may not edit such records of the patient's centre; an identity is hidden from who may not see it."""
    if kind.model is PatientIdentity and not request.user.may(Act.VIEW_IDENTITY, patient.centre_id):
        raise Http404
    request.user.require(kind.model.EDIT_ACT, patient.centre_id)


def _page(
    request: SignedInRequest,
    patient: Patient | None,
    form_list: list[forms.BaseForm],
    status: int,
    **context: Any,
) -> HttpResponse:
    return render(
        request,
        "clinic/record_form.html",
        {"patient": patient, "forms": form_list, "form": form_list[0], **context},
        status=status,
    )


def _submitted(
    request: SignedInRequest,
    patient: Patient | None,
    form_list: list[forms.BaseForm],
    save: Callable[[], Any],
    said: str | Callable[[Any], str],
    **context: Any,
) -> HttpResponse:
    """Save a valid form and go to the patient's chart; else show it again with what is wrong: 422, or 409 for a conflict."""
    status = 422
    valid = [form.is_valid() for form in form_list]  # every form is to say what is wrong with it
    if all(valid):
        try:
            saved = save()
        except ValidationError as refused:
            add_refusal(form_list[0], refused)
        except StaleRecord:
            raise
        except RegistryError as refused:
            form_list[0].add_error(None, refused.message)
            status = 409
        else:
            messages.success(request, said(saved) if callable(said) else said)
            target = patient or saved
            return redirect("patient-chart", target.pk)
    return _page(request, patient, form_list, status, **context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_new(request: SignedInRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """Enter a contact, a disease event, a death, a study, a diagnosis or an identity."""
    patient = visible_patient(request, patient_id)
    of_kind = _kind(kind)
    if not of_kind.enter:
        raise Http404
    _require(request, of_kind, patient)
    model: Any = of_kind.model
    record = model(patient=patient)
    if isinstance(record, PatientIdentity):
        record.centre = patient.centre
    context: dict[str, Any] = {"title": of_kind.enter, "button": "Record"}
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            initial: dict[str, Any] = {}
            if of_kind.model is Study:
                timepoint = request.GET.get("timepoint", "")
                initial["timepoint"] = timepoint if timepoint in Timepoint.values else None
                course = request.GET.get("course", "")
                initial["course_number"] = int(course) if course.isdecimal() else None
                initial = {name: value for name, value in initial.items() if value is not None}
            return _page(
                request, patient, [_form(of_kind, patient, instance=record, initial=initial)], 200, **context
            )
        form = _form(of_kind, patient, request.POST, instance=record)
        return _submitted(
            request,
            patient,
            [form],
            lambda: create_record(form.instance, by=request.user),
            f"The {of_kind.noun} was recorded.",
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reading_new(request: SignedInRequest, patient_id: uuid.UUID, study_id: uuid.UUID) -> HttpResponse:
    """Enter the response that a study shows, read by who is signed in."""
    patient = visible_patient(request, patient_id)
    _require(request, KINDS["reading"], patient)
    studies = Study.objects.visible_to(request.user).current().exclude(timepoint=Timepoint.BASELINE)
    study = get_object_or_404(studies.select_related("patient"), pk=study_id, patient=patient)
    record = Reading(study=study, reader=request.user)
    context = {
        "title": "Record a reading",
        "about": f"{study.get_timepoint_display()} {study.get_modality_display()} of {study.performed_on}",
        "button": "Record the reading",
    }
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return _page(request, patient, [clinic_forms.ReadingForm(instance=record)], 200, **context)
        form = clinic_forms.ReadingForm(request.POST, instance=record)
        return _submitted(
            request,
            patient,
            [form],
            lambda: create_record(form.instance, by=request.user),
            "The reading was recorded.",
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cycle_administer(request: SignedInRequest, patient_id: uuid.UUID, cycle_id: uuid.UUID) -> HttpResponse:
    """Enter that a cycle was given: when, how much, which lot."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    cycles = (
        Cycle.objects.visible_to(request.user)
        .current()
        .select_related("course__protocol", "course__patient__centre")
    )
    cycle = get_object_or_404(cycles, pk=cycle_id, course__patient=patient, course__voided_at=None)
    protocol = cycle.course.protocol
    context = {
        "title": f"Record cycle {cycle.number}",
        "about": f"{protocol.radiopharmaceutical}, course {cycle.course.number}, cycle {cycle.number} of "
        f"{protocol.planned_cycles}" + (f", planned {cycle.planned_on}" if cycle.planned_on else ""),
        "button": "Record the cycle",
        "notes": ["This cycle is on hold. Recording it ends the hold."]
        if cycle.status == CycleStatus.HELD
        else [],
    }
    record = Administration(cycle=cycle, prescribed_activity_mbq=protocol.prescribed_activity_mbq)
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            form = clinic_forms.AdministrationForm(instance=record)
            return _page(request, patient, [form], 200, **context)
        form = clinic_forms.AdministrationForm(request.POST, instance=record)

        def save() -> Administration:
            return treatments.administer_cycle(cycle=cycle, by=request.user, **form.values())

        return _submitted(
            request,
            patient,
            [form],
            save,
            f"Cycle {cycle.number} was recorded as given; the following cycles were planned from it.",
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def course_discontinue(request: SignedInRequest, patient_id: uuid.UUID, course_id: uuid.UUID) -> HttpResponse:
    """Enter that a course was stopped, when and why."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    courses = Course.objects.visible_to(request.user).current().select_related("protocol", "patient__centre")
    course = get_object_or_404(courses, pk=course_id, patient=patient)
    given = course.cycles.current().filter(status=CycleStatus.GIVEN).count()
    context = {
        "title": f"Discontinue course {course.number}",
        "about": f"{given} of {course.protocol.planned_cycles} cycles given. The cycles still to come are cancelled.",
        "button": "Discontinue the course",
    }
    record = Discontinuation(course=course, after_cycle=given)
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return _page(
                request, patient, [clinic_forms.DiscontinuationForm(instance=record)], 200, **context
            )
        form = clinic_forms.DiscontinuationForm(request.POST, instance=record)
        return _submitted(
            request,
            patient,
            [form],
            lambda: treatments.discontinue_course(course=course, by=request.user, **form.values()),
            "The course was discontinued; its remaining cycles are cancelled.",
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def course_start(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Start the patient's next course."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    context = {"title": "Start a course", "button": "Start the course"}
    if request.method != "POST":
        return _page(request, patient, [clinic_forms.CourseForm()], 200, **context)
    form = clinic_forms.CourseForm(request.POST)
    return _submitted(
        request,
        patient,
        [form],
        lambda: treatments.start_course(patient=patient, by=request.user, **form.cleaned_data),
        "The course was started and its cycles planned.",
        **context,
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def patient_register(request: SignedInRequest) -> HttpResponse:
    """Register a person with the diagnosis, and start the first course."""
    request.user.require(Act.EDIT_PATIENTS)
    may_start = request.user.may(Act.EDIT_TREATMENTS)
    data = request.POST if request.method == "POST" else None
    form_list: list[forms.BaseForm] = [
        clinic_forms.RegistrationForm(data, user=request.user, prefix="person"),
        clinic_forms.DiagnosisForm(data, prefix="diagnosis", instance=Diagnosis()),
    ]
    if may_start:
        form_list.append(clinic_forms.StartForm(data, prefix="course"))
    context = {
        "title": "Register a patient",
        "button": "Register",
        "legends": ["Person", "Diagnosis", "First course"],
        "cancel_to_list": True,
    }
    if data is None:
        return _page(request, None, form_list, 200, **context)

    def save() -> Patient:
        person = dict(form_list[0].cleaned_data)
        start = form_list[2].cleaned_data if may_start else {}
        return admit_patient(
            centre=person.pop("centre"),
            person=person,
            diagnosis=form_list[1].instance,  # type: ignore[attr-defined]
            protocol=start["protocol"] if start.get("start_now") else None,
            intent=start.get("intent", ""),
            first_planned_on=start.get("first_planned_on"),
            by=request.user,
        )

    return _submitted(request, None, form_list, save, lambda patient: f"{patient} was registered.", **context)


def _record(
    request: SignedInRequest, kind: RecordKind, patient: Patient, record_id: uuid.UUID
) -> ClinicalRecord:
    """Return the record of this patient, or answer 404. A voided one is left to the service to refuse in words."""
    path = {kind.patient_path: patient.pk}
    return get_object_or_404(kind.model.objects.visible_to(request.user).filter(**path), pk=record_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_correct(
    request: SignedInRequest, patient_id: uuid.UUID, kind: str, record_id: uuid.UUID
) -> HttpResponse:
    """Correct a record, with a reason. Who was overtaken is shown both versions (409) and goes on from the present one."""
    patient = visible_patient(request, patient_id)
    of_kind = _kind(kind)
    _require(request, of_kind, patient)
    record = _record(request, of_kind, patient, record_id)
    if of_kind.correct is None or (
        isinstance(record, Cycle) and record.status not in {CycleStatus.PLANNED, CycleStatus.HELD}
    ):
        raise Http404
    context: dict[str, Any] = {
        "title": f"Change the plan of cycle {record.number}"
        if isinstance(record, Cycle)
        else f"Correct the {of_kind.noun}",
        "button": "Store the correction",
        "void_url": _void_url(patient, kind, of_kind, record),
    }
    with timezone.override(patient.centre.zone):
        if record.voided_at is not None:
            return render(request, "409.html", {"message": "This record has been voided."}, status=409)
        if request.method != "POST":
            form = _form(of_kind, patient, instance=record, correcting=True)
            return _page(request, patient, [form], 200, **context)
        form = _form(of_kind, patient, request.POST, instance=record, correcting=True)

        correct = of_kind.correct

        def save() -> ClinicalRecord:
            return correct(
                record,
                form.values(),
                by=request.user,
                reason=form.cleaned_data["reason"],
                expected_version=form.cleaned_data[STALE_FIELD],
            )

        sent_version = request.POST.get(STALE_FIELD, "")
        try:
            # Told at once, before what else may be wrong with values that rest on an older state.
            if sent_version.isdecimal() and int(sent_version) != record.version:
                form.is_valid()
                raise StaleRecord("", current_version=record.version)
            return _submitted(request, patient, [form], save, "The correction was stored.", **context)
        except StaleRecord:
            return _conflict(request, patient, of_kind, record_id, form, context)


def _void_url(patient: Patient, slug: str, kind: RecordKind, record: ClinicalRecord) -> str:
    return reverse("record-void", args=[patient.pk, slug, record.pk]) if kind.void is not None else ""


def _conflict(
    request: SignedInRequest,
    patient: Patient,
    kind: RecordKind,
    record_id: uuid.UUID,
    sent: RecordForm,
    context: dict[str, Any],
) -> HttpResponse:
    """Show mine and theirs, field by field, above a form that holds the values as they are now."""
    present = _record(request, kind, patient, record_id)
    # The sent form has put its values into its own instance.
    rows = []
    for name in sent.record_fields:
        column: Any = kind.model._meta.get_field(name)
        mine = (
            sent.cleaned_data.get(name) if name in getattr(sent, "cleaned_data", {}) else sent.data.get(name)
        )
        theirs = getattr(present, name)
        rows.append(
            {
                "label": sent.fields[name].label or column.verbose_name,
                "mine": _said(column, mine),
                "theirs": _said(column, theirs),
                "differs": mine != theirs,
            }
        )
    fresh = _form(kind, patient, instance=present, correcting=True)
    fresh.initial["reason"] = sent.data.get("reason", "")
    return _page(
        request,
        patient,
        [fresh],
        409,
        conflict=rows,
        changed=history.last_change(present),
        **context,
    )


def _said(column: Any, value: Any) -> str:
    if hasattr(value, "tzinfo"):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if value.tzinfo else str(value)
    return history.said(column, value)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_void(
    request: SignedInRequest, patient_id: uuid.UUID, kind: str, record_id: uuid.UUID
) -> HttpResponse:
    """Take a record out of all counts, with a reason. It stays in the history."""
    patient = visible_patient(request, patient_id)
    of_kind = _kind(kind)
    _require(request, of_kind, patient)
    if of_kind.void is None:
        raise Http404
    record = _record(request, of_kind, patient, record_id)
    context: dict[str, Any] = {
        "title": f"Void the {of_kind.noun}",
        "about": str(record),
        "button": "Void it",
        "danger": True,
        "notes": ["It is taken out of all counts and figures. It is not deleted: it stays in the history."],
    }
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            form = VoidForm(initial={"version": record.version})
            return _page(request, patient, [form], 200, **context)
        form = VoidForm(request.POST)

        void = of_kind.void

        def save() -> ClinicalRecord:
            return void(
                record,
                by=request.user,
                reason=form.cleaned_data["reason"],
                expected_version=form.cleaned_data["version"],
            )

        try:
            return _submitted(request, patient, [form], save, f"The {of_kind.noun} was voided.", **context)
        except StaleRecord:
            present = _record(request, of_kind, patient, record_id)
            fresh = VoidForm(initial={"version": present.version, "reason": request.POST.get("reason", "")})
            context |= {"about": str(present), "changed": history.last_change(present), "stale_void": True}
            return _page(request, patient, [fresh], 409, **context)
