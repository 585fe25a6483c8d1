"""Letters about a patient, as page and PDF, and the texts that a centre writes for them."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.errors import StaleRecord
from accounts.http import SignedInRequest
from accounts.models import Centre
from clinic.forms import add_refusal
from clinic.letter_forms import LetterForm
from clinic.letters import pdf, text
from clinic.letters.placeholders import KIND_WORDS, Kind, of_kind, sample
from clinic.letters.shipped import SHIPPED, Wording
from clinic.selectors import letters
from clinic.selectors.chart import patient_chart
from clinic.services.letters import save_letter_template
from clinic.views.patients import visible_patient
from patients.models import Patient


def _named_patient(request: SignedInRequest, patient_id: uuid.UUID) -> Patient:
    """Return a patient whose identity the user may see: letters hold names."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.VIEW_IDENTITY, patient.centre_id)
    return patient


@never_cache
@require_safe
def document_list(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    patient = _named_patient(request, patient_id)
    with timezone.override(patient.centre.zone):
        chart = patient_chart(request.user, patient, timezone.now())
        context = {
            "patient": patient,
            "courses": letters.offered(chart),
            "wordings": {kind: letters.wording_of(patient.centre, kind) for kind in Kind},
        }
        return render(request, "clinic/document_list.html", context)


def _letter(
    request: SignedInRequest, patient_id: uuid.UUID, kind: Kind, **of: Any
) -> tuple[Patient, text.Letter]:
    patient = _named_patient(request, patient_id)
    with timezone.override(patient.centre.zone):
        made = letters.letter_of(request.user, patient, kind, now=timezone.now(), **of)
    if made is None:
        raise Http404
    return patient, made


def _of(course_id: uuid.UUID | None, cycle_id: uuid.UUID | None) -> tuple[Kind, dict[str, Any]]:
    if cycle_id is not None:
        return Kind.CYCLE_LETTER, {"cycle_id": cycle_id}
    return Kind.THERAPY_SUMMARY, {"course_id": course_id}


@never_cache
@require_safe
def document(
    request: SignedInRequest,
    patient_id: uuid.UUID,
    course_id: uuid.UUID | None = None,
    cycle_id: uuid.UUID | None = None,
) -> HttpResponse:
    """Show a letter as it would be printed, made of the records as they stand now."""
    kind, of = _of(course_id, cycle_id)
    patient, made = _letter(request, patient_id, kind, **of)
    if cycle_id is not None:
        pdf_url = reverse("cycle-letter-pdf", args=[patient.pk, cycle_id])
    else:
        pdf_url = reverse("therapy-summary-pdf", args=[patient.pk, course_id])
    context = {
        "patient": patient,
        "letter": made,
        "word": KIND_WORDS[kind],
        "pdf_url": pdf_url,
        "edit_url": reverse("letter-edit", kwargs={"centre_id": patient.centre_id, "kind": kind}),
    }
    return render(request, "clinic/document.html", context)


@require_safe
def document_pdf(
    request: SignedInRequest,
    patient_id: uuid.UUID,
    course_id: uuid.UUID | None = None,
    cycle_id: uuid.UUID | None = None,
) -> HttpResponse:
    """Return the letter as a PDF, which no cache may keep; the name of the file holds the registry number alone."""
    kind, of = _of(course_id, cycle_id)
    _patient, made = _letter(request, patient_id, kind, **of)
    answer = HttpResponse(pdf.make(made), content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="{made.file_name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


# The texts


@require_safe
def letter_list(request: SignedInRequest) -> HttpResponse:
    """Show the texts in force at the centres whose texts the user manages."""
    request.user.require(Act.MANAGE_COHORTS)
    rows = []
    for centre in Centre.objects.visible_to(request.user, Act.MANAGE_COHORTS):
        for kind in Kind:
            versions = letters.versions_of(centre, kind)
            rows.append(
                {
                    "centre": centre,
                    "kind": kind,
                    "word": KIND_WORDS[kind],
                    "newest": next(iter(versions), None),
                }
            )
    return render(request, "clinic/letter_list.html", {"rows": rows})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def letter_edit(request: SignedInRequest, centre_id: uuid.UUID, kind: Kind) -> HttpResponse:
    """Write a centre's letter, with its preview; ``?version=`` begins with an older version, 0 with the shipped text."""
    centre = get_object_or_404(Centre.objects.visible_to(request.user, Act.VIEW_RECORDS), pk=centre_id)
    request.user.require(Act.MANAGE_COHORTS, centre.pk)
    versions = letters.versions_of(centre, kind)
    context: dict[str, Any] = {"centre": centre, "kind": kind, "word": KIND_WORDS[kind], "versions": versions}
    context["placeholders"] = of_kind(kind)
    if request.method != "POST":
        begun = _begun(request, versions, kind)
        newest = versions[0].version if versions else 0
        form = LetterForm(
            kind=kind, initial={"title": begun.title, "body": begun.body, "seen_version": newest}
        )
        context |= {"form": form, "preview": _preview(request, centre, kind, begun, "")}
        return render(request, "clinic/letter_edit.html", context)
    form = LetterForm(request.POST, kind=kind)
    context["form"] = form
    is_preview = "preview" in request.POST or request.htmx  # type: ignore[attr-defined]
    status = 422
    if form.is_valid():
        asked = form.cleaned_data["preview_for"].strip()
        context["preview"] = _preview(request, centre, kind, form.wording, asked)
        if context["preview"] is None:
            form.add_error("preview_for", _("No patient of this centre with a course has this number."))
        elif is_preview:
            status = 200
        else:
            try:
                stored = save_letter_template(
                    centre=centre,
                    kind=kind,
                    title=form.cleaned_data["title"],
                    body=form.cleaned_data["body"],
                    seen_version=form.cleaned_data["seen_version"],
                    by=request.user,
                )
            except StaleRecord as stale:
                context["stale"], status = stale, 409
            except ValidationError as refused:
                add_refusal(form, refused)
            else:
                messages.success(
                    request, _("{text} was stored. Letters are made of it from now on.").format(text=stored)
                )
                return redirect(request.path)
    if request.htmx:  # type: ignore[attr-defined]
        # 200 also where there is none: the page that is open shows why.
        return render(request, "clinic/_letter_preview.html", context)
    context["is_refused"] = status != 200
    return render(request, "clinic/letter_edit.html", context, status=status)


def _begun(request: SignedInRequest, versions: list[Any], kind: Kind) -> Wording:
    """Return the text that the form begins with."""
    asked = request.GET.get("version", "")
    if asked == "0" or not versions:
        return SHIPPED[kind]
    found = next((one for one in versions if str(one.version) == asked), None)
    if asked and found is None:
        raise Http404
    chosen = found or versions[0]
    return Wording(chosen.title, chosen.body, chosen.version)


def _preview(
    request: SignedInRequest, centre: Centre, kind: Kind, wording: Wording, number: str
) -> text.Letter | None:
    """Return the letter of the patient with this registry number, or of an invented one; None: there is no such patient."""
    now = timezone.now()
    if not number:
        facts = sample(kind) | {"centre": centre.name}
        return text.letter(
            kind, wording, facts, registry_number=f"{centre.code}-0000", number=1,
            made_at=now.astimezone(centre.zone), whose=centre.code, banner=_("Invented patient: preview"),
        )  # fmt: skip
    patients = Patient.objects.visible_to(request.user, Act.VIEW_IDENTITY).current().select_related("centre")
    patient = patients.filter(centre=centre, registry_number=number).first()
    if patient is None:
        return None
    with timezone.override(centre.zone):
        return letters.letter_of(request.user, patient, kind, wording=wording, now=now)
