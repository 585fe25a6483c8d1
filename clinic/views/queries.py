"""Queries: the list, one with its thread and acts, raising one by hand."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from analytics import query_acts
from analytics.models import DataQuery, QueryRule
from clinic.forms import add_refusal
from clinic.query_forms import AssignForm, RaiseForm, SayForm
from clinic.selectors import queries
from clinic.views.patients import visible_patient
from clinic.views.records import record_page, submitted


@never_cache
@require_safe
def query_list(request: SignedInRequest) -> HttpResponse:
    """Show the queries of the user's centres: those to be settled, or what the filters ask for."""
    request.user.require(Act.VIEW_RECORDS)
    asked = _asked(request)
    after = request.GET.get("after", "")[:80]
    page = queries.query_list(request.user, asked, after=after)
    kept = {name: value for name, value in vars(asked).items() if value}

    def address(**changed: str) -> str:
        query = urlencode({name: value for name, value in (kept | changed).items() if value})
        return f"{reverse('query-list')}?{query}"

    context = {
        "page": page,
        "asked": asked,
        "is_filtered": bool(asked.rule or asked.assigned or asked.centre),
        "is_paged": bool(after),
        "statuses": [(key, word, n, address(status=key)) for key, word, n in page.statuses],
        "first_page": address(),
        "next_page": address(after=page.next_key) if page.next_key else "",
    }
    return render(request, "clinic/queries_list.html", context)


def _asked(request: SignedInRequest) -> queries.Asked:
    """Return the filters of the address; 404 for one that there is not."""
    asked = queries.Asked(
        status=request.GET.get("status") or "pending",
        rule=request.GET.get("rule", ""),
        assigned=request.GET.get("assigned", ""),
        centre=request.GET.get("centre", "").replace("\0", "")[:20],
    )
    if asked.status not in queries.STATUSES or asked.rule not in {"", *QueryRule.values}:
        raise Http404
    if asked.assigned not in {"", queries.ME, queries.NOBODY}:
        try:
            uuid.UUID(asked.assigned)
        except ValueError:
            raise Http404 from None
    return asked


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def query_detail(request: SignedInRequest, query_id: uuid.UUID) -> HttpResponse:
    """Show a query with what was done about it; ``act`` of a POST answers, closes, reopens or assigns it."""
    found = DataQuery.objects.visible_to(request.user).select_related(
        "patient__centre", "course", "assigned_to", "opened_by", "closed_by"
    )
    query = get_object_or_404(found, pk=query_id)
    centre_id = query.patient.centre_id
    say = SayForm()
    assign = AssignForm(centre_id=centre_id, initial={"assigned_to": query.assigned_to_id})
    status = 200
    if request.method == "POST":
        if not query_acts.may_act(request.user, centre_id):
            raise PermissionDenied(_("With your roles here you may read queries, not answer them."))
        act = request.POST.get("act", "")
        form: SayForm | AssignForm
        if act == "assign":
            form = assign = AssignForm(request.POST, centre_id=centre_id)
        else:
            form = say = SayForm(request.POST)
        status = 422
        if form.is_valid():
            try:
                said = _do(request, query, act, form)
            except ValidationError as refused:
                refused = refused if not hasattr(refused, "error_dict") else _as_text(refused)
                add_refusal(form, refused)
            except RegistryError as refused:
                form.add_error(None, refused.message)
                status = 409
            else:
                messages.success(request, said)
                return redirect("query-detail", query.pk)
    with timezone.override(query.patient.centre.zone):
        context = {
            "query": query,
            "row": queries.row_of(request.user, query),
            "thread": queries.thread(query),
            "say": say,
            "assign": assign,
            "may_act": query_acts.may_act(request.user, centre_id),
            "has_errors": bool(say.errors or assign.errors),
            "is_refused": status != 200,
        }
        return render(request, "clinic/queries_detail.html", context, status=status)


def _as_text(refused: ValidationError) -> ValidationError:
    """Return a refusal of the service with its reason beside the one text of the form."""
    return ValidationError(
        {"text" if name == "reason" else name: errors for name, errors in refused.error_dict.items()}
    )


def _do(request: SignedInRequest, query: DataQuery, act: str, form: SayForm | AssignForm) -> str:
    """Perform the act, and return what to say of it."""
    by, values = request.user, form.cleaned_data
    if act == "answer":
        query_acts.answer_query(query, text=values["text"], by=by)
        return _("The answer was stored.")
    if act == "close":
        query_acts.close_query(query, reason=values["text"], by=by)
        return _("The query was closed.")
    if act == "reopen":
        query_acts.reopen_query(query, reason=values["text"], by=by)
        return _("The query is open again.")
    if act == "assign":
        query_acts.assign_query(query, to=values["assigned_to"], by=by)
        return _("Who is to look at it was stored.")
    raise Http404


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def query_new(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Raise a query about a patient, or about one of the records."""
    patient = visible_patient(request, patient_id)
    if not query_acts.may_act(request.user, patient.centre_id):
        raise PermissionDenied(_("With your roles here you may read queries, not raise them."))
    context: dict[str, Any] = {"title": _("Raise a query"), "button": _("Raise the query")}
    if request.method != "POST":
        form = RaiseForm(patient=patient, initial={"record": request.GET.get("record", "")})
        return record_page(request, patient, [form], 200, **context)
    form = RaiseForm(request.POST, patient=patient)
    return submitted(
        request,
        patient,
        [form],
        lambda: query_acts.raise_query(patient=patient, by=request.user, **form.values()),
        _("The query was raised."),
        **context,
    )
