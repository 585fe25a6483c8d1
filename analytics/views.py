"""Dashboards of cohorts: the page, the part of it that keeps asking whether it is still true, figures and files."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from accounts.models import Centre
from analytics import benchmarks, cohorts, dashboard, responses, results, telling
from analytics.charts import CONTENT_TYPES, FIGURES, numbers_csv
from analytics.charts import render as render_figure
from analytics.charts.numbers import cutoff_text
from analytics.charts.response import RESPONSE_FIGURES
from analytics.charts.response.agreement import agreement_alt, agreement_csv, agreement_spec
from analytics.charts.response.courses import About
from analytics.charts.specs import Spec
from analytics.datasets import export
from analytics.models import Cohort
from analytics.small_cells import suppressed

AGREEMENT = "agreement"
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


def _shown(title: str, alt: str, kind: str, *place: str, query: str = "") -> dict[str, Any]:
    """Return a figure as ``_figure.html`` shows it; ``kind`` begins the names of its addresses, ``place`` is in them."""
    asked = f"?{query}" if query else ""
    files = {file_type: reverse(f"{kind}-file", args=[*place, file_type]) + asked for file_type in FILE_TYPES}
    spec_url = reverse(f"{kind}-spec", args=place) + asked
    image = f"{files['svg']}{'&' if query else '?'}inline"
    return {"title": title, "alt": alt, "spec_url": spec_url, "files": files, "image": image}


def _payload(request: SignedInRequest, cohort: Cohort, *, with_curves: bool) -> dict[str, Any]:
    """Return the result that the user is shown, without small cells unless the user may see all of its records."""
    result = results.payload(cohort, request.user, with_curves=with_curves)
    return result if _may_see_all_records(request, result) else suppressed(result, settings.SMALL_CELL)


def _may_see_all_records(request: SignedInRequest, result: dict[str, Any]) -> bool:
    readable = Centre.objects.visible_to(request.user, Act.VIEW_RECORDS).values_list("code", flat=True)
    return set(readable) >= set(result["centres"])


def _context(request: SignedInRequest, cohort: Cohort, result: dict[str, Any]) -> dict[str, Any]:
    """Return what the dashboard's templates need, from one reading of the result."""
    with_benchmarks = "benchmarks" in request.GET
    of_page = "benchmarks=1" if with_benchmarks else ""
    figures = {
        key: _shown(
            figure.title,
            figure.alt_text(result),
            "figure",
            cohort.slug,
            key,
            query="&".join(
                filter(None, [f"revision={result['revision']}", of_page if key in _CURVES else ""])
            ),
        )
        for key, figure in FIGURES.items()
    }
    cutoff = cutoff_text(result)
    return {
        "cohort": cohort,
        "result": result,
        "remarks": result.get("remarks") or cohort.remarks,
        "figures": figures,
        "computed_at": parse_datetime(result["computed_at"]) if result.get("computed_at") else None,
        "cutoff": cutoff,
        "poll_seconds": POLL_SECONDS,
        "in_words": telling.definition_in_words(result["definition"])
        if result.get("definition", {}).get("in_words")
        else cohort.definition.rules.in_words(),
        "filter_in_words": cohorts.filter_in_words(cohort),
        "methods": cohorts.methods(cohort, str(result.get("data_cutoff") or cutoff)),
        "shown": dashboard.of_result(result, dashboard.Behind(cohort.slug)),
        "benchmarks": [one.told() for one in benchmarks.published()],
        "benchmark_caution": benchmarks.CAUTION,
        "with_benchmarks": with_benchmarks,
        "of_page": of_page,
        "level": export.level_for(request.user, export.live(cohort, result["centres"])),
        "formats": dashboard.FORMATS,
        "download_url": reverse("cohort-download", args=[cohort.slug]),
        "limit": settings.SMALL_CELL,
        "may_lock": request.user.may(Act.MANAGE_COHORTS),
    }


_CURVES = ("pfs", "os")


@never_cache
@require_safe
def cohort_detail(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the dashboard of a cohort for the centres whose results the user may see."""
    cohort = _cohort(request, slug)
    context = _context(request, cohort, _payload(request, cohort, with_curves=False))
    return render(request, "analytics/cohort_detail.html", context)


@never_cache
@require_safe
def cohort_live(request: SignedInRequest, slug: str) -> HttpResponse:
    """Answer a page that shows ``?revision=…`` and ``?pending=…``: 204 while that is still so, else what is new.

    With a newer revision the whole dashboard comes along and takes the place of the old one.
    """
    cohort = _cohort(request, slug)
    result = _payload(request, cohort, with_curves=False)
    newer = request.GET.get("revision") != str(result["revision"])
    said = f"{'stale' if result['stale'] else 'fresh'}-{result['pending']}"
    if not newer and request.GET.get("state") == said:
        return HttpResponse(status=204)
    return render(request, "analytics/_live.html", _context(request, cohort, result) | {"newer": newer})


MOST_ROWS = 2000  # of a curve on a page; the CSV has all


@never_cache
@require_safe
def curve_rows(request: SignedInRequest, slug: str, endpoint: str) -> HttpResponse:
    """Show the rows of a curve, each with the courses that had their event or were censored on that day."""
    cohort = _cohort(request, slug)
    if endpoint not in dashboard.ENDPOINT_WORDS:
        raise Http404
    result = _payload(request, cohort, with_curves=True)
    behind = dashboard.Behind(cohort.slug)
    table = result[endpoint]["table"]
    names = ("at_risk", "events", "censored", "survival", "lower", "upper")
    rows = [
        dict(zip(("days", *names), row, strict=True))
        for row in zip(table["days"], *(table[name] for name in names), strict=True)
    ]
    shown = [
        row
        | {
            "events": behind.number(row["events"], endpoint, "event", at=int(row["days"])),
            "censored": behind.number(row["censored"], endpoint, "censored", at=int(row["days"])),
        }
        for row in rows[:MOST_ROWS]
    ]
    name, short = dashboard.ENDPOINT_WORDS[endpoint]
    context = {
        "cohort": cohort,
        "endpoint": endpoint,
        "name": name,
        "short": short,
        "rows": shown,
        "n_rows": len(rows),
        "csv": reverse("figure-file", args=[slug, endpoint, "csv"]) if endpoint in FIGURES else "",
    }
    template = (
        "analytics/_curve_rows.html" if request.headers.get("HX-Request") else "analytics/curve_rows.html"
    )
    return render(request, template, context)


def _figure(name: str) -> str:
    if name not in FIGURES:
        raise Http404
    return name


def _drawn(request: SignedInRequest, name: str) -> dict[str, Any]:
    """Return what a figure is drawn with besides the result: published medians where they are asked for."""
    if name in _CURVES and "benchmarks" in request.GET:
        return {"references": benchmarks.reference_lines("pfs" if name == "pfs" else "os")}
    return {}


@never_cache
@require_safe
def figure_spec(request: SignedInRequest, slug: str, figure: str) -> HttpResponse:
    """Return the figure's Vega-Lite specification for the browser; what counts courses opens those behind it."""
    cohort, name = _cohort(request, slug), _figure(figure)
    result = _payload(request, cohort, with_curves=True)
    return JsonResponse(
        FIGURES[name].build(result, behind=dashboard.Behind(cohort.slug).url, **_drawn(request, name))
    )


@never_cache
@require_safe
def figure_file(request: SignedInRequest, slug: str, figure: str, file_type: str) -> HttpResponse:
    """Return the figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    cohort, name = _cohort(request, slug), _figure(figure)
    # A file leaves the pages that say that the patients are synthetic, so the figure says it too.
    found = _payload(request, cohort, with_curves=True)
    result = telling.with_definition_told(found | {"synthetic": settings.SYNTHETIC_DATA_BANNER})
    return _file(
        request,
        f"{cohort.slug}-{name}-r{result['revision']}.{file_type}",
        title=f"{FIGURES[name].title}: {result['name']}",
        spec=lambda: FIGURES[name].build(result, theme="print", **_drawn(request, name)),
        numbers=lambda: numbers_csv(result, name),
    )


def of_file(file_type: str) -> AbstractContextManager[Any]:
    """Speak the language of a kind of file: numbers to compute with are in English, a drawing speaks the reader's."""
    return translation.override(settings.LANGUAGE_CODE) if file_type == "csv" else nullcontext()


def _file(
    request: SignedInRequest,
    file_name: str,
    *,
    title: str,
    spec: Callable[[], Spec],
    numbers: Callable[[], str],
) -> HttpResponse:
    """Return a figure as the kind of file that its name ends in; 404 for another kind."""
    file_type = file_name.rpartition(".")[2]
    if file_type == "csv":
        with of_file(file_type):
            content: bytes = numbers().encode()
        content_type = "text/csv; charset=utf-8"
    elif file_type in CONTENT_TYPES:
        content = render_figure(spec(), file_type, scale=4, title=title)  # type: ignore[arg-type]
        content_type = CONTENT_TYPES[file_type]  # type: ignore[index]
    else:
        raise Http404
    response = HttpResponse(content, content_type=content_type)
    kind = "inline" if "inline" in request.GET else "attachment"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    return response


# Figures of single courses and of two readers


@dataclass(frozen=True)
class _Drawn:
    """A figure of responses with what it is drawn from."""

    title: str
    build: Callable[..., Spec]  # (theme="screen")
    alt: Callable[[], str]
    numbers: Callable[[], str]


def _course_figures(cohort: Cohort, found: responses.CohortCourses) -> dict[str, _Drawn]:
    about = _about(cohort, found.cutoff, n_courses=found.n_courses)
    return {
        key: _Drawn(
            figure.title,
            partial(figure.build, found.lines, about),
            partial(figure.alt_text, found.lines, about),
            partial(figure.numbers, found.lines, about),
        )
        for key, figure in RESPONSE_FIGURES.items()
    }


def _agreement_figure(cohort: Cohort, found: responses.ReaderAgreement) -> _Drawn:
    drawn_from = found.agreement, found.n_courses, _about(cohort, found.cutoff)
    return _Drawn(
        _("Agreement of two readers"),
        partial(agreement_spec, *drawn_from),
        partial(agreement_alt, *drawn_from),
        partial(agreement_csv, *drawn_from),
    )


def _about(cohort: Cohort, cutoff: date, *, n_courses: int | None = None) -> About:
    return About(cohort.name, cutoff.isoformat(), settings.SYNTHETIC_DATA_BANNER, n_courses)


def _response_figure(request: SignedInRequest, slug: str, figure: str) -> tuple[Cohort, date, _Drawn]:
    """Return the figure as far as the user may see what it shows; single courses are for who may see records."""
    cohort = _cohort(request, slug)
    if figure == AGREEMENT:
        readers = responses.reader_agreement(cohort, request.user)
        return cohort, readers.cutoff, _agreement_figure(cohort, readers)
    request.user.require(Act.VIEW_RECORDS)
    if figure not in RESPONSE_FIGURES:
        raise Http404
    courses = responses.cohort_courses(cohort, request.user)
    return cohort, courses.cutoff, _course_figures(cohort, courses)[figure]


@never_cache
@require_safe
def cohort_response(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show how the tumours of a cohort responded, course by course, and how far two readers agree."""
    cohort = _cohort(request, slug)

    def shown(key: str, figure: _Drawn) -> dict[str, Any]:
        return _shown(figure.title, figure.alt(), "response-figure", slug, key)

    readers = responses.reader_agreement(cohort, request.user)
    context: dict[str, Any] = {
        "cohort": cohort,
        "cutoff": readers.cutoff,
        "readers": readers,
        "agreement": shown(AGREEMENT, _agreement_figure(cohort, readers)),
        "may_see_records": request.user.may(Act.VIEW_RECORDS),
    }
    if context["may_see_records"]:
        courses = responses.cohort_courses(cohort, request.user)
        context |= {
            "courses": courses,
            "figures": {key: shown(key, figure) for key, figure in _course_figures(cohort, courses).items()},
            "has_sums": any(line.best_change_percent is not None for line in courses.lines),
        }
    return render(request, "analytics/cohort_response.html", context)


@never_cache
@require_safe
def response_figure_spec(request: SignedInRequest, slug: str, response_figure: str) -> HttpResponse:
    """Return the figure's Vega-Lite specification for the browser; each course opens its patient."""
    return JsonResponse(_response_figure(request, slug, response_figure)[-1].build())


@never_cache
@require_safe
def response_figure_file(
    request: SignedInRequest, slug: str, response_figure: str, file_type: str
) -> HttpResponse:
    """Return the figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    with of_file(file_type):
        cohort, cutoff, figure = _response_figure(request, slug, response_figure)
    return _file(
        request,
        f"{slug}-{response_figure}-{cutoff}.{file_type}",
        title=f"{figure.title}: {cohort.name}",
        spec=partial(figure.build, theme="print"),
        numbers=figure.numbers,
    )
