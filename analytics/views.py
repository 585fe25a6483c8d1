"""Dashboards of cohorts: the page, the part of it that keeps asking whether it is still true, and its figures' files."""

from typing import Any

from django.conf import settings
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
from analytics.charts.numbers import RESPONSES, causes_of_death, cutoff_text, discontinuation_reasons
from analytics.models import Cohort

FILE_TYPES = ["svg", "png", "pdf", "csv"]
# How often an open page asks again. A change is often counted within a few seconds: a page that asked less often while all
# is fresh would seldom show that something is on its way.
POLL_SECONDS = 2


def _cohort(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(cohorts, slug=slug)


@never_cache
@require_safe
def cohort_list(request: SignedInRequest) -> HttpResponse:
    """Show the cohorts with the figures last computed for this user, and whether newer ones are on their way."""
    request.user.require(Act.VIEW_RESULTS)
    rows = []
    for cohort in Cohort.objects.visible_to(request.user).select_related("definition"):
        # What was never computed for these centres is not computed for a list.
        known = results.latest(cohort, request.user) is not None
        rows.append({"cohort": cohort, "result": results.payload(cohort, request.user) if known else None})
    return render(request, "analytics/cohort_list.html", {"rows": rows})


def _context(cohort: Cohort, result: dict[str, Any]) -> dict[str, Any]:
    """Return what the dashboard's templates need, from one reading of the result."""
    courses, orr = result["courses"], result["orr"]
    figures = {
        key: {"key": key, "figure": figure, "alt": figure.alt_text(result), "files": FILE_TYPES}
        for key, figure in FIGURES.items()
    }
    return {
        "cohort": cohort,
        "result": result,
        "remarks": result.get("remarks") or cohort.remarks,
        "figures": figures,
        "computed_at": parse_datetime(result["computed_at"]) if result.get("computed_at") else None,
        "cutoff": cutoff_text(result),
        "poll_seconds": POLL_SECONDS,
        "in_words": result.get("definition", {}).get("in_words") or cohort.definition.rules.in_words(),
        "responses": [
            (code, name, orr["best_overall_response"].get(code, 0)) for code, name in RESPONSES.items()
        ],
        "after_cycle": sorted(
            courses["discontinued"].get("after_cycle", {}).items(), key=lambda item: int(item[0])
        ),
        "reasons": discontinuation_reasons(result),
        "causes": causes_of_death(result),
        "endpoints": [
            {"key": "pfs", "name": "Progression-free survival", "short": "PFS", "data": result["pfs"]},
            {"key": "os", "name": "Overall survival", "short": "OS", "data": result["os"]},
        ],
    }


@never_cache
@require_safe
def cohort_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the dashboard of a cohort for the centres whose results the user may see."""
    cohort = _cohort(request, slug)
    context = _context(cohort, results.payload(cohort, request.user))
    return render(request, "analytics/cohort_detail.html", context)


@never_cache
@require_safe
def cohort_live(request: SignedInRequest, slug: str) -> HttpResponse:
    """Answer a page that shows ``?revision=…`` and ``?pending=…``: 204 while that is still so, else what is new.

    With a newer revision the whole dashboard comes along and takes the place of the old one.
    """
    cohort = _cohort(request, slug)
    result = results.payload(cohort, request.user)
    newer = request.GET.get("revision") != str(result["revision"])
    said = f"{'stale' if result['stale'] else 'fresh'}-{result['pending']}"
    if not newer and request.GET.get("state") == said:
        return HttpResponse(status=204)
    return render(request, "analytics/_live.html", _context(cohort, result) | {"newer": newer})


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
    # A file leaves the pages that say that the patients are synthetic, so the figure says it too.
    result = results.payload(cohort, request.user) | {"synthetic": settings.SYNTHETIC_DATA_BANNER}
    if file_type == "csv":
        content: bytes = numbers_csv(result, name).encode()
        content_type = "text/csv; charset=utf-8"
    elif file_type in CONTENT_TYPES:
        spec = FIGURES[name].build(result, theme="print")
        content = render_figure(spec, file_type, scale=4, title=f"{FIGURES[name].title}: {result['name']}")  # type: ignore[arg-type]
        content_type = CONTENT_TYPES[file_type]  # type: ignore[index]
    else:
        raise Http404
    response = HttpResponse(content, content_type=content_type)
    kind = "inline" if "inline" in request.GET else "attachment"
    file_name = f"{cohort.slug}-{name}-r{result['revision']}.{file_type}"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    return response
