"""What the pages that enter, correct and void records share: the kinds of records, and showing and storing a form."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.http import SignedInRequest
from accounts.records import ClinicalRecord, correct_record, void_record
from clinic import forms as clinic_forms
from clinic.forms import RecordForm, add_refusal
from clinic.services import draft_of, sent_before, shown_as, store_once, token_of
from imaging import services as imaging
from imaging.models import Reading, Study
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
from treatments import services as treatments
from treatments.models import (
    AbsorbedDose,
    Administration,
    AdverseEvent,
    Cycle,
    Discontinuation,
    DoseDecision,
    Hold,
    LabResult,
    PriorPrrt,
    SomatostatinAnalogueDose,
)


@dataclass(frozen=True)
class RecordKind:
    """A kind of record that the forms know.

    Attributes:
        enter: the words of the page that enters one by hand; empty where another act does.
        correct, void: the service; None where it cannot be done.
    """

    noun: Any
    model: type[ClinicalRecord]
    form: type[RecordForm]
    patient_path: str = "patient"
    enter: Any = ""
    correct: Callable[..., Any] | None = correct_record
    void: Callable[..., Any] | None = void_record


def _correct_lab_result(result: LabResult, changes: dict[str, Any], **how: Any) -> LabResult:
    """Correct a laboratory value; whether an unlikely one was confirmed came along with the form's fields."""
    changes = dict(changes)
    confirmed = bool(changes.pop("confirm_unlikely", False))
    return treatments.correct_lab_result(result, changes, confirm_unlikely=confirmed, **how)


KINDS = {
    "patient": RecordKind(
        pgettext_lazy("record", "patient"), Patient, clinic_forms.PatientForm, "pk", void=None
    ),
    "identity": RecordKind(
        pgettext_lazy("record", "identity"),
        PatientIdentity,
        clinic_forms.IdentityForm,
        enter=gettext_lazy("Record the identity"),
        void=None,
    ),
    "diagnosis": RecordKind(
        pgettext_lazy("record", "diagnosis"),
        Diagnosis,
        clinic_forms.DiagnosisForm,
        enter=gettext_lazy("Record the diagnosis"),
    ),
    "performance-status": RecordKind(
        pgettext_lazy("record", "performance status"),
        PerformanceStatus,
        clinic_forms.PerformanceStatusForm,
        enter=gettext_lazy("Record the performance status"),
    ),
    "prior-therapy": RecordKind(
        pgettext_lazy("record", "prior therapy"),
        PriorTherapy,
        clinic_forms.PriorTherapyForm,
        enter=gettext_lazy("Record a prior therapy"),
    ),
    "contact": RecordKind(
        pgettext_lazy("record", "contact"),
        Contact,
        clinic_forms.ContactForm,
        enter=gettext_lazy("Record a contact"),
    ),
    "disease-event": RecordKind(
        pgettext_lazy("record", "disease event"),
        DiseaseEvent,
        clinic_forms.DiseaseEventForm,
        enter=gettext_lazy("Record a clinical progression or another therapy"),
    ),
    "death": RecordKind(
        pgettext_lazy("record", "death"),
        Death,
        clinic_forms.DeathForm,
        enter=gettext_lazy("Record the death"),
    ),
    "study": RecordKind(
        pgettext_lazy("record", "study"), Study, clinic_forms.StudyForm, enter=gettext_lazy("Record a study")
    ),
    "reading": RecordKind(
        pgettext_lazy("record", "reading"),
        Reading,
        clinic_forms.ReadingForm,
        "study__patient",
        correct=imaging.correct_reading,
    ),
    "cycle": RecordKind(
        pgettext_lazy("record", "plan of the cycle"),
        Cycle,
        clinic_forms.CyclePlanForm,
        "course__patient",
        correct=treatments.correct_cycle,
        void=None,
    ),
    "administration": RecordKind(
        pgettext_lazy("record", "given cycle"),
        Administration,
        clinic_forms.AdministrationForm,
        "cycle__course__patient",
        correct=treatments.correct_administration,
        void=treatments.void_administration,
    ),
    "hold": RecordKind(
        pgettext_lazy("record", "hold"),
        Hold,
        clinic_forms.HoldCorrectionForm,
        "cycle__course__patient",
        correct=treatments.correct_hold,
        void=treatments.void_hold,
    ),
    "dose-decision": RecordKind(
        pgettext_lazy("record", "decision"),
        DoseDecision,
        clinic_forms.DecisionCorrectionForm,
        "cycle__course__patient",
        void=treatments.void_decision,
    ),
    "adverse-event": RecordKind(
        pgettext_lazy("record", "adverse event"),
        AdverseEvent,
        clinic_forms.AdverseEventForm,
        enter=gettext_lazy("Record an adverse event"),
    ),
    "analogue-dose": RecordKind(
        pgettext_lazy("record", "dose of the analogue"),
        SomatostatinAnalogueDose,
        clinic_forms.AnalogueDoseForm,
        enter=gettext_lazy("Record a somatostatin analogue"),
    ),
    "prior-prrt": RecordKind(
        pgettext_lazy("record", "earlier PRRT"),
        PriorPrrt,
        clinic_forms.PriorPrrtForm,
        enter=gettext_lazy("Record earlier PRRT"),
    ),
    "absorbed-dose": RecordKind(
        pgettext_lazy("record", "absorbed dose"),
        AbsorbedDose,
        clinic_forms.AbsorbedDoseForm,
        "cycle__course__patient",
    ),
    "discontinuation": RecordKind(
        pgettext_lazy("record", "discontinuation"),
        Discontinuation,
        clinic_forms.DiscontinuationForm,
        "course__patient",
        void=treatments.void_discontinuation,
    ),
    "lab-result": RecordKind(
        pgettext_lazy("record", "laboratory value"),
        LabResult,
        clinic_forms.LabResultForm,
        correct=_correct_lab_result,
    ),
}


def kind_of(slug: str) -> RecordKind:
    if slug not in KINDS:
        raise Http404
    return KINDS[slug]


def slug_of(model: type[Any]) -> str | None:
    """Return the word for a kind of record in addresses; None where no form knows it."""
    return next((slug for slug, kind in KINDS.items() if kind.model is model), None)


def form_of(kind: RecordKind, patient: Patient, *args: Any, **kwargs: Any) -> RecordForm:
    if kind.model is Study:
        numbers = list(patient.courses.current().order_by("-number").values_list("number", flat=True))
        own = kwargs["instance"].course_number
        if kwargs.get("correcting") and own not in numbers:
            numbers.append(own)
        return clinic_forms.study_form(*args, course_numbers=numbers, **kwargs)
    return kind.form(*args, **kwargs)


def require_edit(request: SignedInRequest, kind: RecordKind, patient: Patient) -> None:
    """Refuse who may not edit such records of the patient's centre; an identity is hidden from who may not see it."""
    if kind.model is PatientIdentity and not request.user.may(Act.VIEW_IDENTITY, patient.centre_id):
        raise Http404
    request.user.require(kind.model.EDIT_ACT, patient.centre_id)


def record_page(
    request: SignedInRequest,
    patient: Patient | None,
    form_list: list[forms.BaseForm],
    status: int,
    **context: Any,
) -> HttpResponse:
    return render(
        request,
        "clinic/record_form.html",
        {
            "patient": patient,
            "forms": form_list,
            "form": form_list[0],
            "has_errors": any(form.errors for form in form_list),
            "is_refused": status != 200,
            "sent_as": shown_as(request.POST) or uuid.uuid4(),
            "draft": draft_of(user=request.user, place=request.path) if status == 200 else None,
            **context,
        },
        status=status,
    )


@dataclass(frozen=True)
class Answer:
    """One line of what is about to be stored. ``field``: the name of the field that changes it; blank: it follows."""

    label: str
    value: str
    field: str = ""


def submitted(
    request: SignedInRequest,
    patient: Patient | None,
    form_list: list[forms.BaseForm],
    save: Callable[[], Any],
    said: str | Callable[[Any], str],
    *,
    answers: Callable[[Any], list[Answer]] | None = None,
    **context: Any,
) -> HttpResponse:
    """Save a valid form once and go to the patient's chart; else show it with what is wrong: 422, or 409 for a conflict.

    Args:
        answers: says what was saved, for a form that is looked over first: sent with ``check`` it is saved for the look
            alone and taken back, sent with ``change`` it is filled in again.
    """
    if asked := request.headers.get("X-Check-Field", ""):
        return _field_checked(form_list, asked)
    if answers is not None and (wanted := request.POST.get("change")):
        if wanted in form_list[0].fields:
            form_list[0].fields[wanted].widget.attrs["autofocus"] = True
        return record_page(request, patient, form_list, 200, draft=None, **context)
    token = token_of(request.POST)
    if sent := sent_before(user=request.user, token=token):
        return _sent_twice(request, sent.patient)
    status = 422
    valid = [form.is_valid() for form in form_list]  # every form is to say what is wrong with it
    if all(valid):
        try:
            if answers is not None and "check" in request.POST:
                return _looked_over(request, patient, save, answers, **context)
            saved, sent = store_once(
                user=request.user,
                token=token,
                place=request.path,
                save=save,
                patient=patient,
            )
        except ValidationError as refused:
            add_refusal(form_list[0], refused)
        except StaleRecord:
            raise
        except treatments.Unconfirmed as unconfirmed:
            form_list[0].ask(unconfirmed.warnings)  # type: ignore[attr-defined]
            form_list[0].add_error(
                "confirmation_reason", _("Say why the cycle is recorded in spite of the warnings.")
            )
            status = 409
        except RegistryError as refused:
            form_list[0].add_error(None, refused.message)
            status = 409
        else:
            if sent is not None:
                return _sent_twice(request, sent.patient)
            messages.success(request, said(saved) if callable(said) else said)
            target: Any = patient or saved
            return redirect("patient-chart", target.pk)
    return record_page(request, patient, form_list, status, **context)


def _field_checked(form_list: list[forms.BaseForm], asked: str) -> HttpResponse:
    """Say what is wrong with one field of a form that is still being filled. Nothing is stored."""
    for form in form_list:
        for name in form.fields:
            if form.add_prefix(name) == asked:
                return JsonResponse({"errors": [str(error) for error in form.errors.get(name, ())]})
    return JsonResponse({"errors": []})


def _looked_over(
    request: SignedInRequest,
    patient: Patient | None,
    save: Callable[[], Any],
    answers: Callable[[Any], list[Answer]],
    **context: Any,
) -> HttpResponse:
    """Show what the form would store, by storing it and taking it back."""
    with transaction.atomic():
        found = answers(save())
        transaction.set_rollback(True)
    sent = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in {"csrfmiddlewaretoken", "check"}
        for value in values
    ]
    return render(
        request, "clinic/check_answers.html", {"patient": patient, "answers": found, "sent": sent, **context}
    )


def _sent_twice(request: SignedInRequest, patient: Patient | None) -> HttpResponse:
    messages.info(request, _("This form was sent twice; it is stored once."))
    return redirect("patient-chart", patient.pk) if patient else redirect("home")
