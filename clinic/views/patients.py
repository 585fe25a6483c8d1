"""The list of patients, one patient's chart and history."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics import query_acts
from clinic.selectors import chart, history, queries, roster
from patients.models import Patient

SEARCH_KEY = "patient_search"  # in the session


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def patient_list(request: SignedInRequest) -> HttpResponse:
    """Show a page of patients.

    A search is sent by POST and its words wait in the session for ``?found=1``, so that no name or MRN ever stands in an
    address or a log, and a page that was found can be gone back to. A list without ``found`` forgets them.
    """
    request.user.require(Act.VIEW_RECORDS)
    if request.method == "POST":
        return _search(request)
    state = request.GET.get("status", "")
    if state and state not in roster.STATES:
        raise Http404
    search = ""
    if "found" in request.GET:
        search = request.session.get(SEARCH_KEY, "")
        if not search:  # signed in again since, or forgotten in another tab
            return redirect(_list_address(state=state))
    else:
        request.session.pop(SEARCH_KEY, None)
    after, before = (_plain(request.GET.get(name, ""))[:20] for name in ("after", "before"))
    page = roster.roster(
        request.user, now=timezone.now(), search=search, state=state, after=after, before=before
    )
    context: dict[str, Any] = {
        "page": page,
        "search": search,
        "state": state,
        "state_word": roster.STATES.get(state, ""),
        "paged": bool(after or before),
    }
    if search or not (after or before):
        counts = roster.counts_found(request.user, search) if search else roster.counts(request.user)
        context["n_found"] = counts[state or "all"]
        context["filters"] = [("", "All", counts["all"], _list_address(found=bool(search)))] + [
            (key, word, counts[key], _list_address(state=key, found=bool(search)))
            for key, word in roster.FILTER_WORDS.items()
            if counts[key] or key == state
        ]
    context["first_page"] = _list_address(state=state, found=bool(search))
    context["may_see_identity"] = request.user.may(Act.VIEW_IDENTITY)
    context["may_register"] = request.user.may(Act.EDIT_PATIENTS)
    return render(request, "clinic/patient_list.html", context)


def _search(request: SignedInRequest) -> HttpResponse:
    search = _plain(request.POST.get("search", "")).strip()[:200]
    state = request.POST.get("status", "")
    if search:
        request.session[SEARCH_KEY] = search
    return redirect(_list_address(state=state if state in roster.STATES else "", found=bool(search)))


def _list_address(*, state: str = "", found: bool = False) -> str:
    asked = {"found": "1"} if found else {}
    query = urlencode(asked | ({"status": state} if state else {}))
    return reverse("patient-list") + (f"?{query}" if query else "")


def _plain(words: str) -> str:
    """Return the words without NUL, which PostgreSQL refuses in any text."""
    return words.replace("\0", "")


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
            {
                "chart": chart.patient_chart(request.user, patient, timezone.now()),
                "queries": queries.of_patient(request.user, patient),
                "may_raise": query_acts.may_act(request.user, patient.centre_id),
            },
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
