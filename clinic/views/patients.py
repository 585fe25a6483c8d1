"""The list of patients, one patient's chart and history."""

import uuid
from datetime import date
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import list_files
from accounts.access import Act
from accounts.changes import What
from accounts.http import SignedInRequest
from accounts.models import User
from analytics import query_acts
from clinic import services
from clinic.selectors import chart, history, people, queries, roster, timeline
from clinic.views import records
from patients.models import Patient, TumourType

SEARCH_KEY = "patient_search"  # in the session
COLUMNS_KEY = "patient_columns"  # in the session: columns stay as they were last chosen


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def patient_list(request: SignedInRequest) -> HttpResponse:
    """Show a page of patients.

    A search is sent by POST and its words wait in the session for ``?found=1``, so that no name or MRN ever stands in an
    address or a log, and a page that was found can be gone back to. A list without ``found`` forgets them. htmx sends a
    search while one types, and is answered with the list alone.
    """
    request.user.require(Act.VIEW_RECORDS)
    if request.method == "POST":
        found = _keep_search(request)
        if not request.htmx:  # type: ignore[attr-defined]
            return found
        asked = QueryDict(found["Location"].partition("?")[2])
        answer = render(request, "clinic/_patient_found.html", _listed(request, asked))
        answer["HX-Push-Url"] = found["Location"]
        return answer
    if "found" in request.GET and not request.session.get(SEARCH_KEY):
        # signed in again since, or forgotten in another tab
        return redirect(list_address(request.GET, found=None, after=None, before=None))
    if "found" not in request.GET:
        request.session.pop(SEARCH_KEY, None)
    context = _listed(request, request.GET)
    context["saved_views"] = list(request.user.saved_views.all())
    context["may_register"] = request.user.may(Act.EDIT_PATIENTS)
    return render(request, "clinic/patient_list.html", context)


def _keep_search(request: SignedInRequest) -> HttpResponse:
    """Keep the words in the session and answer with the address of what they find; filters stay."""
    search = plain(request.POST.get("search", "")).strip()[:200]
    if search:
        request.session[SEARCH_KEY] = search
    else:
        request.session.pop(SEARCH_KEY, None)
    kept = request.POST.copy()
    for name in ("csrfmiddlewaretoken", "search"):
        kept.pop(name, None)
    if kept.get("status") not in roster.STATES:
        kept.pop("status", None)
    return redirect(list_address(kept, found="1" if search else None, after=None, before=None))


def _listed(request: SignedInRequest, asked: QueryDict) -> dict[str, Any]:
    """Return what the list shows of an address: its rows, and on its first page the counts of each state."""
    user = request.user
    query, who = query_of(request, asked)
    after, before = (plain(asked.get(name, ""))[:40] for name in ("after", "before"))
    page = roster.roster(user, query, now=timezone.now(), after=after, before=before)
    colleagues = people.choices(user)
    columns = [roster.COLUMNS[key] for key in query.columns]
    context: dict[str, Any] = {
        "page": page,
        "asked": asked,
        "query": query,
        "who": who,
        "state_word": roster.STATES.get(query.state, ""),
        "paged": bool(after or before),
        "columns": [
            (column, list_address(asked, sort=_turned(column.sort, query.sort), after=None, before=None))
            for column in (roster.NUMBER, *columns)
        ],
        "rows": [(row, [(column, column.value(row)) for column in columns]) for row in page.rows],
        "may_see_identity": user.may(Act.VIEW_IDENTITY),
        "centres": user.centres(Act.VIEW_RECORDS),
        "people": colleagues,
        "sorts": roster.SORTS,
        "tumour_types": TumourType.choices,
        "all_columns": [
            (column, column.key in query.columns)
            for column in roster.COLUMNS.values()
            if not column.of_identity or user.may(Act.VIEW_IDENTITY)
        ],
        "first_page": list_address(asked, after=None, before=None),
        "next_page": list_address(asked, after=page.after, before=None),
        "previous_page": list_address(asked, before=page.before, after=None),
        "csv": f"{reverse('patient-list-file', args=['csv'])}?{_kept(asked)}",
        "xlsx": f"{reverse('patient-list-file', args=['xlsx'])}?{_kept(asked)}",
        "kept": _kept(asked),
        "chips": _chips(asked, query, who, colleagues),
    }
    if query.narrows or not (after or before):
        counts = roster.counts_found(user, query) if query.narrows else roster.counts(user)
        context["n_found"] = counts[query.state or "all"]
        context["filters"] = [
            (
                key,
                word,
                counts[key or "all"],
                list_address(asked, status=key or None, after=None, before=None),
            )
            for key, word in {"": pgettext("patients", "All"), **roster.FILTER_WORDS}.items()
            if not key or counts[key] or key == query.state
        ]
    return context


def query_of(request: SignedInRequest, asked: QueryDict) -> tuple[roster.ListQuery, people.Who]:
    """Return what an address asks for. Columns that are chosen are remembered until others are.

    Raises:
        Http404: a filter, order or column that does not exist.
    """
    user = request.user
    if "column" in asked:
        request.session[COLUMNS_KEY] = asked.getlist("column")
    chosen = asked.getlist("column") or request.session.get(COLUMNS_KEY, roster.DEFAULT_COLUMNS)
    may_see_identity = user.may(Act.VIEW_IDENTITY)
    sort, state = asked.get("sort", "number"), asked.get("status", "")
    centre, tumour_type = asked.get("centre", ""), asked.get("tumour", "")
    if (
        any(key not in roster.COLUMNS for key in chosen)
        or sort not in roster.SORTS
        or (state and state not in roster.STATES)
        or (tumour_type and tumour_type not in TumourType.values)
        or (centre and centre not in {one.code for one in user.centres(Act.VIEW_RECORDS)})
    ):
        raise Http404
    who = people.asked(user, asked.get("who", ""))
    query = roster.ListQuery(
        search=request.session.get(SEARCH_KEY, "") if "found" in asked else "",
        state=state,
        centre=centre,
        tumour_type=tumour_type,
        whose=who.whose,
        sort=sort,
        columns=tuple(
            key
            for key, one in roster.COLUMNS.items()
            if key in chosen and (may_see_identity or not one.of_identity)
        ),
    )
    return query, who


def _turned(sort: str, now: str) -> str | None:
    """Return the order that the heading of a column leads to: its own, or the other way round where it holds."""
    if not sort:
        return None
    return f"-{sort}" if now == sort else sort


def _chips(
    asked: QueryDict, query: roster.ListQuery, who: people.Who, colleagues: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the filters in force, each with the address of the list without it."""
    looked_after = {
        people.ME: _("Looked after by me"),
        people.NOBODY: _("Looked after by nobody"),
        **{key: _("Looked after by {name}").format(name=name) for key, name in colleagues if key == who.key},
    }
    words = {
        "centre": _("Centre {code}").format(code=query.centre) if query.centre else "",
        "tumour": TumourType(query.tumour_type).label if query.tumour_type else "",
        "who": looked_after[who.key] if who.key else "",
    }
    return [
        (str(word), list_address(asked, **{name: None}, after=None, before=None))
        for name, word in words.items()
        if word
    ]


def _kept(asked: QueryDict) -> str:
    """Return the address's own words that a file, a view or a further search of this list takes over."""
    kept = asked.copy()
    for name in ("after", "before"):
        kept.pop(name, None)
    return kept.urlencode()


def list_address(asked: QueryDict, **changed: str | None) -> str:
    """Return the list's address with these words changed; None takes one away."""
    kept = asked.copy()
    for name, value in changed.items():
        if value:
            kept[name] = value
        else:
            kept.pop(name, None)
    for name in [name for name in kept if not any(kept.getlist(name))]:
        kept.pop(name)
    query = kept.urlencode()
    return reverse("patient-list") + (f"?{query}" if query else "")


@never_cache
@require_safe
def patient_list_file(request: SignedInRequest, file_type: str) -> HttpResponse:
    """Answer exactly the list of an address, whole, as CSV or XLSX: its filters, order and columns."""
    request.user.require(Act.VIEW_RECORDS)
    query, _who = query_of(request, request.GET)
    body, content_type = _list_as(file_type, request.user, query)
    answer = HttpResponse(body, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="patients.{file_type}"'
    return answer


def _list_as(file_type: str, user: User, query: roster.ListQuery) -> tuple[bytes, str]:
    """Return the whole list as a file, and its type."""
    columns = [roster.NUMBER, *(roster.COLUMNS[key] for key in query.columns)]
    rows = (
        [column.value(row) for column in columns] for row in roster.everybody(user, query, timezone.now())
    )
    headings = [column.title for column in columns]
    if file_type == "csv":
        return list_files.as_csv(headings, rows), "text/csv; charset=utf-8"
    if file_type == "xlsx":
        return list_files.as_xlsx("Patients", headings, rows), list_files.XLSX
    raise Http404


@require_POST
def saved_views(request: SignedInRequest) -> HttpResponse:
    """Save the list of an address under a name, or remove one of the user's views."""
    request.user.require(Act.VIEW_RECORDS)
    if "remove" in request.POST:
        services.remove_view(user=request.user, name=plain(request.POST["remove"]))
        messages.success(request, _("The view was removed."))
        return redirect("patient-list")
    if "name" not in request.POST:
        return HttpResponse(_("No view is named."), status=422, content_type="text/plain")
    asked = QueryDict(plain(request.POST.get("query", "")))
    query_of(request, asked)  # 404 for what is no list
    try:
        view = services.save_view(
            user=request.user, name=plain(request.POST.get("name", "")), query=_without_search(asked)
        )
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
    else:
        messages.success(request, _("The view “{name}” was saved.").format(name=view.name))
    return redirect(list_address(asked))


def _without_search(asked: QueryDict) -> str:
    kept = asked.copy()
    for name in ("found", "after", "before"):
        kept.pop(name, None)
    return kept.urlencode()


def plain(words: str) -> str:
    """Return the words without NUL, which PostgreSQL refuses in any text."""
    return words.replace("\0", "")


def visible_patient(request: SignedInRequest, patient_id: uuid.UUID) -> Patient:
    """Return a patient who is there and may be seen, or answer 404."""
    patients = Patient.objects.visible_to(request.user).current().select_related("centre")
    return get_object_or_404(patients, pk=patient_id)


@never_cache
@require_safe
def patient_chart(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    return _with_timeline(request, patient_id, "patient-chart", "clinic/patient_chart.html")


@never_cache
@require_safe
def patient_events(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show the patient's days as a drawing and as a table, ``?from=2019-01-01&to=2020-01-01`` between two days."""
    return _with_timeline(request, patient_id, "patient-events", "clinic/patient_events.html")


def _with_timeline(request: SignedInRequest, patient_id: uuid.UUID, tab: str, template: str) -> HttpResponse:
    patient = visible_patient(request, patient_id)
    first, last = (_day(request.GET.get(name)) for name in ("from", "to"))
    with timezone.override(patient.centre.zone):
        shown = chart.patient_chart(request.user, patient, timezone.now())
        drawn = timeline.timeline(shown, first=first, last=last)
        context = {
            "chart": shown,
            "patient": patient,
            "timeline": drawn,
            "tab": tab,
            "queries": queries.of_patient(request.user, patient),
            "may_raise": query_acts.may_act(request.user, patient.centre_id),
        }
        return render(request, template, context)


def _day(words: str | None) -> date | None:
    """Return the day that an address names; None where it names none.

    Raises:
        Http404: the words are no day.
    """
    if words is None:
        return None
    try:
        found = date.fromisoformat(words)
    except ValueError:
        raise Http404 from None
    if not 1900 <= found.year <= 2200:
        raise Http404
    return found


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
        if patient.voided_at is None:
            for entry in entries:
                for change in entry.changes:
                    change.restore_url = _restore_url(request.user, patient, change)
        return render(request, "clinic/patient_history.html", {"patient": patient, "entries": entries})


def _restore_url(user: User, patient: Patient, change: history.RecordChange) -> str:
    """Return where the values before a change can be stored again, for who may; blank where its form knows none of them."""
    kind = records.slug_of(change.change.model)
    # A cycle's plan and a signed reading are changed by acts of their own.
    if change.what != What.CHANGED or not change.is_in_force or kind in {None, "cycle", "reading"}:
        return ""
    assert kind is not None
    of_kind = records.KINDS[kind]
    if of_kind.correct is None or not user.may(of_kind.model.EDIT_ACT, patient.centre_id):
        return ""
    row = change.change.row
    if not any(one.column.name in of_kind.form.base_fields for one in change.fields):
        return ""
    address = reverse("record-correct", args=[patient.pk, kind, row.pgh_obj_id])
    return f"{address}?before={row.pgh_id}"
