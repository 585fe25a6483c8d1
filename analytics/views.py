"""Dashboards of cohorts: the page, the part of it that keeps asking whether it is still true, and its figures' files."""

from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics import results
from analytics.charts import CONTENT_TYPES, FIGURES, numbers_csv
from analytics.charts import render as render_figure
from analytics.charts.numbers import RESPONSES, cutoff_text
from analytics.models import Cohort
from patients.models import DeathCause
from treatments.models import DiscontinuationReason

FILE_TYPES = ["svg", "png", "pdf", "csv"]
# How often an open page asks again, in seconds: often while something is on its way, else for what others change.
PENDING_SECONDS = 2
FRESH_SECONDS = 10


def _cohort(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(cohorts, slug=slug)


@never_cache
@require_safe
def cohort_list(request: SignedInRequest) -> HttpResponse:
    """Show the cohorts with the figures last computed for this user."""
    request.user.require(Act.VIEW_RESULTS)
    rows = []
    for cohort in Cohort.objects.visible_to(request.user).select_related("definition"):
        latest = results.latest(cohort, request.user)
        rows.append({"cohort": cohort, "result": latest.data if latest else None})
    return render(request, "analytics/cohort_list.html", {"rows": rows})


def _context(request: SignedInRequest, cohort: Cohort) -> dict[str, Any]:
    """Return what the dashboard's templates need, from one reading of the result."""
    result = results.payload(cohort, request.user)
    courses, orr = result["courses"], result["orr"]
    figures = {
        key: {"key": key, "figure": figure, "alt": figure.alt_text(result), "files": FILE_TYPES}
        for key, figure in FIGURES.items()
    }
    causes = dict(DeathCause.choices)
    reasons = dict(DiscontinuationReason.choices)
    return {
        "cohort": cohort,
        "result": result,
        "remarks": result.get("remarks") or cohort.remarks,
        "figures": figures,
        "computed_at": parse_datetime(result["computed_at"]) if result.get("computed_at") else None,
        "cutoff": cutoff_text(result),
        "poll_seconds": PENDING_SECONDS if result["stale"] else FRESH_SECONDS,
        "in_words": result.get("definition", {}).get("in_words") or cohort.definition.rules.in_words(),
        "responses": [
            (code, name, orr["best_overall_response"].get(code, 0)) for code, name in RESPONSES.items()
        ],
        "after_cycle": list(courses["discontinued"].get("after_cycle", {}).items()),
        "reasons": [
            (reasons.get(key, key), n) for key, n in courses["discontinued"].get("reasons", {}).items()
        ],
        "causes": [(causes.get(key, key), n) for key, n in result["os"].get("deaths_by_cause", {}).items()],
        "endpoints": [
            {"key": "pfs", "name": "Progression-free survival", "short": "PFS", "data": result["pfs"]},
            {"key": "os", "name": "Overall survival", "short": "OS", "data": result["os"]},
        ],
    }


@never_cache
@require_safe
def cohort_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the dashboard of a cohort for the centres whose results the user may see."""
    return render(request, "analytics/cohort_detail.html", _context(request, _cohort(request, slug)))


@never_cache
@require_safe
def cohort_live(request: SignedInRequest, slug: str) -> HttpResponse:
    """Answer a page that shows ``?revision=…`` and ``?pending=…``: 204 while that is still so, else what is new.

    With a newer revision the whole dashboard comes along and takes the place of the old one.
    """
    context = _context(request, _cohort(request, slug))
    result = context["result"]
    context["newer"] = request.GET.get("revision") != str(result["revision"])
    said = f"{'stale' if result['stale'] else 'fresh'}-{result['pending']}"
    if not context["newer"] and request.GET.get("state") == said:
        return HttpResponse(status=204)
    return render(request, "analytics/_live.html", context)


def _figure(name: str) -> str:
    if name not in FIGURES:
        raise Http404
    return name


@never_cache
@require_safe
def figure_spec(request: SignedInRequest, slug: str, figure: str) -> HttpResponse:
    """Return the figure's Vega-Lite specification for the browser."""
    cohort, name = _cohort(request, slug), _figure(figure)
    return JsonResponse(FIGURES[name].build(results.payload(cohort, request.user)))


@never_cache
@require_safe
def figure_file(request: SignedInRequest, slug: str, figure: str, file_type: str) -> HttpResponse:
    """Return the figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    cohort, name = _cohort(request, slug), _figure(figure)
    result = results.payload(cohort, request.user)
    if file_type == "csv":
        content: bytes = numbers_csv(result, name).encode()
        content_type = "text/csv; charset=utf-8"
    elif file_type in CONTENT_TYPES:
        content = render_figure(FIGURES[name].build(result, theme="print"), file_type, scale=4)  # type: ignore[arg-type]
        content_type = CONTENT_TYPES[file_type]  # type: ignore[index]
    else:
        raise Http404
    response = HttpResponse(content, content_type=content_type)
    kind = "inline" if "inline" in request.GET else "attachment"
    file_name = f"{cohort.slug}-{name}-r{result['revision']}.{file_type}"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    return response
