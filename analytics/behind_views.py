"""Pages that explain a number of a dashboard: the courses behind it, and what changed between two revisions."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics import behind, changes, dashboard, results, tallies
from analytics.models import Cohort, Result, ResultRevision

MOST_REVISIONS = 50


def _cohort(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(cohorts, slug=slug)


@never_cache
@require_safe
def cohort_behind(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the courses that a number of the dashboard counts, each with the facts that made it count."""
    cohort = _cohort(request, slug)
    context: dict[str, Any] = {"cohort": cohort}
    try:
        cell = behind.Cell.from_query(request.GET)
        first = _first(request)
    except ValueError as error:
        return render(request, "analytics/behind.html", context | {"problem": str(error)}, status=400)
    found = behind.find(cohort, request.user, cell, first=first)
    query = cell.to_query()
    context |= {
        "cell": cell,
        "in_words": dashboard.cell_in_words(cell, cohort),
        "found": found,
        "last": first + len(found.courses),
        "value_name": dashboard.value_name(cell),
        "is_stale": bool(results.pending_courses(results.centre_codes(cohort, request.user)))
        or not tallies.is_counted_as_described(cohort),
        "next": f"?{query}&{urlencode({'first': first + behind.MOST_LISTED})}" if found.has_more else "",
        "previous": f"?{query}&{urlencode({'first': max(0, first - behind.MOST_LISTED)})}" if first else "",
    }
    return render(request, "analytics/behind.html", context)


def _first(request: SignedInRequest) -> int:
    text = request.GET.get("first", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise ValueError(_("{name} {value}: expected a whole number").format(name="first", value=repr(text)))
    return int(text)


@never_cache
@require_safe
def cohort_changes(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the kept revisions of a result, and what changed between the two that are chosen."""
    cohort = _cohort(request, slug)
    scope = results.scope_of(results.centre_codes(cohort, request.user))
    result = Result.objects.filter(cohort=cohort, scope=scope).defer("curves", "data").first()
    revisions = list(ResultRevision.objects.filter(result=result)[:MOST_REVISIONS])
    context: dict[str, Any] = {"cohort": cohort, "revisions": revisions, "most": MOST_REVISIONS}
    asked = [request.GET.get(name, "") for name in ("from", "to")]
    if not any(asked) and len(revisions) > 1:
        asked = [str(revisions[1].revision), str(revisions[0].revision)]
    if any(asked):
        if not all(text.isascii() and text.isdecimal() and len(text) < 10 for text in asked):
            return HttpResponseBadRequest(_("Give two revisions by their numbers: ?from=1&to=2"))
        earlier, later = sorted(int(text) for text in asked)
        context |= {
            "earlier": earlier,
            "later": later,
            "difference": changes.between(cohort, request.user, earlier, later),
            "small_cell": behind.small_cell(),
        }
    return render(request, "analytics/changes.html", context)
