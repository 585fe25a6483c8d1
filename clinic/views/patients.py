"""The list of patients, one patient's chart and history."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from clinic.selectors import chart, history, roster
from patients.models import Patient


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def patient_list(request: SignedInRequest) -> HttpResponse:
    """Show a page of patients. A search is sent by POST, so that no name or MRN ever stands in an address or a log."""
    request.user.require(Act.VIEW_RECORDS)
    asked = request.POST if request.method == "POST" else request.GET
    search = request.POST.get("search", "").strip()[:200]
    state = asked.get("status", "")
    state = state if state in roster.STATES else ""
    after, before = asked.get("after", "")[:20], asked.get("before", "")[:20]
    page = roster.roster(
        request.user, now=timezone.now(), search=search, state=state, after=after, before=before
    )
    context: dict[str, Any] = {"page": page, "search": search, "state": state, "states": roster.STATES}
    if not (search or after or before):
        counts = roster.counts(request.user)
        context["filters"] = [("", "All", counts["all"])] + [
            (key, word, counts[key]) for key, word in roster.STATES.items() if counts[key]
        ]
    context["may_see_identity"] = request.user.may(Act.VIEW_IDENTITY)
    context["may_register"] = request.user.may(Act.EDIT_PATIENTS)
    return render(request, "clinic/patient_list.html", context)


def visible_patient(request: SignedInRequest, patient_id: uuid.UUID) -> Patient:
    """Return a patient who is there and may be seen, or answer 404."""
    patients = Patient.objects.visible_to(request.user).current().select_related("centre")
    return get_object_or_404(patients, pk=patient_id)


@never_cache
@require_safe
def patient_chart(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    patient = visible_patient(request, patient_id)
    with timezone.override(patient.centre.zone):
        return render(
            request,
            "clinic/patient_chart.html",
            {"chart": chart.patient_chart(request.user, patient, timezone.now())},
        )


@never_cache
@require_safe
def patient_outcome(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Return the outcome part of the chart for a page that waits for it; 204 while nothing is new."""
    patient = visible_patient(request, patient_id)
    shown = chart.patient_chart(request.user, patient, timezone.now())
    if shown.pending:
        return HttpResponse(status=204)
    return render(request, "clinic/_outcome.html", {"chart": shown})


@never_cache
@require_safe
def patient_history(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show every change of the patient's records, of a voided patient too."""
    patients = Patient.objects.visible_to(request.user).select_related("centre")
    patient = get_object_or_404(patients, pk=patient_id)
    with timezone.override(patient.centre.zone):
        entries = history.history(request.user, patient)
        return render(request, "clinic/patient_history.html", {"patient": patient, "entries": entries})
