"""First entries: records, cycles given, courses started and stopped, patients. They need no reason."""

import uuid
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import Act
from accounts.http import SignedInRequest
from accounts.records import create_record
from clinic import forms as clinic_forms
from clinic.dicom_forms import study_words
from clinic.services import admit_patient
from clinic.views.patients import visible_patient
from clinic.views.records import KINDS, form_of, kind_of, record_page, require_edit, submitted
from imaging import services as imaging
from imaging.models import Reading, Study, Timepoint
from patients.models import Diagnosis, Patient, PatientIdentity
from treatments import services as treatments
from treatments.models import Course, CycleStatus, Discontinuation, Intent, Protocol


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_new(request: SignedInRequest, patient_id: uuid.UUID, kind: str) -> HttpResponse:
    """Enter a record by hand, of any kind that says so (``RecordKind.enter``)."""
    patient = visible_patient(request, patient_id)
    of_kind = kind_of(kind)
    if not of_kind.enter:
        raise Http404
    require_edit(request, of_kind, patient)
    model: Any = of_kind.model
    record = model(patient=patient)
    if isinstance(record, PatientIdentity):
        record.centre = patient.centre
    context: dict[str, Any] = {"title": of_kind.enter, "button": _("Record")}
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            initial: dict[str, Any] = {}
            if of_kind.model is Study:
                timepoint = request.GET.get("timepoint", "")
                initial["timepoint"] = timepoint if timepoint in Timepoint.values else None
                course = request.GET.get("course", "")
                initial["course_number"] = int(course) if course.isdecimal() else None
                initial = {name: value for name, value in initial.items() if value is not None}
            return record_page(
                request,
                patient,
                [form_of(of_kind, patient, instance=record, initial=initial)],
                200,
                **context,
            )
        form = form_of(of_kind, patient, request.POST, instance=record)
        return submitted(
            request,
            patient,
            [form],
            lambda: create_record(form.instance, by=request.user),
            _("The {noun} was recorded.").format(noun=of_kind.noun),
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reading_new(request: SignedInRequest, patient_id: uuid.UUID, study_id: uuid.UUID) -> HttpResponse:
    """Enter the response that a study shows, read by who is signed in."""
    patient = visible_patient(request, patient_id)
    require_edit(request, KINDS["reading"], patient)
    studies = Study.objects.visible_to(request.user).current().exclude(timepoint=Timepoint.BASELINE)
    study = get_object_or_404(studies.select_related("patient"), pk=study_id, patient=patient)
    record = Reading(study=study, reader=request.user)
    context: dict[str, Any] = {
        "title": _("Record a reading"),
        "about": study_words(study),
        "button": _("Record the reading"),
    }
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return record_page(request, patient, [clinic_forms.ReadingForm(instance=record)], 200, **context)
        form = clinic_forms.ReadingForm(request.POST, instance=record)
        return submitted(
            request,
            patient,
            [form],
            lambda: imaging.report_reading(form.instance, by=request.user),
            _("The reading was recorded."),
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
    context: dict[str, Any] = {
        "title": _("Discontinue course {number}").format(number=course.number),
        "about": ngettext(
            "{given} of {planned} cycles given. The cycles still to come are cancelled.",
            "{given} of {planned} cycles given. The cycles still to come are cancelled.",
            given,
        ).format(given=given, planned=course.protocol.planned_cycles),
        "button": _("Discontinue the course"),
    }
    record = Discontinuation(course=course, after_cycle=given)
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return record_page(
                request, patient, [clinic_forms.DiscontinuationForm(instance=record)], 200, **context
            )
        form = clinic_forms.DiscontinuationForm(request.POST, instance=record)
        return submitted(
            request,
            patient,
            [form],
            lambda: treatments.discontinue_course(course=course, by=request.user, **form.values()),
            _("The course was discontinued; its remaining cycles are cancelled."),
            **context,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def course_start(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Start the patient's next course."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    context: dict[str, Any] = {"title": _("Start a course"), "button": _("Start the course")}
    if request.method != "POST":
        initial = {}
        if patient.courses.current().exists():
            salvage = Protocol.objects.filter(code__contains="salvage").order_by("-version").first()
            initial = {"intent": Intent.SALVAGE, "protocol": salvage}
        return record_page(request, patient, [clinic_forms.CourseForm(initial=initial)], 200, **context)
    form = clinic_forms.CourseForm(request.POST)
    return submitted(
        request,
        patient,
        [form],
        lambda: treatments.start_course(patient=patient, by=request.user, **form.cleaned_data),
        _("The course was started and its cycles planned."),
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
    context: dict[str, Any] = {
        "title": _("Register a patient"),
        "button": _("Register"),
        "legends": [_("Person"), _("Diagnosis"), _("First course")],
        "cancel_to_list": True,
    }
    if data is None:
        return record_page(request, None, form_list, 200, **context)

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

    return submitted(
        request,
        None,
        form_list,
        save,
        lambda patient: _("{patient} was registered.").format(patient=patient),
        **context,
    )
