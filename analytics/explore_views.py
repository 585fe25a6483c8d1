"""The endpoint explorer, whose whole question is in its address, and two cohorts side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics import cohorts, compute, dashboard, exploring, pairs, results, strata, tallies, views
from analytics.behind import small_cell
from analytics.charts import curves
from analytics.charts.numbers import confidence, counted, day_text, localised, median_limits_text, months_text
from analytics.charts.specs import Spec
from analytics.cohort_forms import ExploreForm, canonical, definitions_for
from analytics.dashboard import ENDPOINT_WORDS
from analytics.exploring import Question
from analytics.models import Cohort
from analytics.rules.endpoints import EndpointDefinition
from analytics.small_cells import suppressed
from languages.wording import begun_small
from patients.models import DeathCause
from treatments.models import DiscontinuationReason

Document = dict[str, Any]

Y_TITLES = {
    "pfs": gettext_lazy("Progression-free survival"),
    "os": gettext_lazy("Overall survival"),
    "ttr": gettext_lazy("Without response"),
    "dor": gettext_lazy("Still in response"),
    "ttnt": gettext_lazy("Without next therapy"),
    "ttd": gettext_lazy("Not discontinued"),
}
_CAUSES = {"death": "os", "discontinuation": "ttd"}  # figure to the endpoint that it divides
_CAUSE_TITLES = {
    "death": gettext_lazy("Death by cause"),
    "discontinuation": gettext_lazy("End of treatment by reason"),
}
# xgettext:no-python-format
ESTIMATED = gettext_lazy("Kaplan–Meier estimate with pointwise 95 % limits (log–log).")
INCIDENCE = gettext_lazy(
    # xgettext:no-python-format
    "Cumulative incidence with competing causes (Aalen–Johansen), pointwise 95 % limits (log–log)."
)


@dataclass(frozen=True)
class Drawn:
    """A figure with what it is drawn from."""

    title: str
    build: Callable[..., Spec]  # (theme="screen")
    alt: str
    numbers: Callable[[], str]


def _shown(figure: Drawn, kind: str, name: str, query: str) -> Document:
    """Return a figure as ``_figure.html`` shows it, under an address that holds the whole question."""
    asked = f"?{query}" if query else ""
    files = {
        file_type: reverse(f"{kind}-file", args=[name, file_type]) + asked for file_type in views.FILE_TYPES
    }
    return {
        "title": figure.title,
        "alt": figure.alt,
        "spec_url": reverse(f"{kind}-spec", args=[name]) + asked,
        "files": files,
        "image": f"{files['svg']}{'&' if query else '?'}inline",
    }


def _definition_of(endpoint: str, rules: EndpointDefinition) -> str:
    return " ".join(rules.in_words(endpoint))


def _x_title(endpoint: str, rules: Any) -> str:
    if endpoint == "dor":
        return _("Months since first response")
    if rules.time_zero == "diagnosis":
        return _("Months since diagnosis")
    return _("Months since first administration")


# The explorer


@dataclass(frozen=True)
class Asked:
    """A question of the explorer with whom it may be answered to.

    Attributes:
        codes: of the centres whose results the user may see and the question counts.
        exact: whether the user may see all records behind the numbers.
    """

    question: Question
    codes: list[str]
    exact: bool
    query: str

    @property
    def cohort(self) -> Cohort:
        return self.question.cohort

    @property
    def query_to_save(self) -> str:
        """Whom, divided by what, under which definition: what a cohort stores of the question."""
        kept = QueryDict(self.query, mutable=True)
        for name in ("endpoint", "covariates", "tests"):
            kept.pop(name, None)
        kept["definition"] = str(self.cohort.definition_id)
        return kept.urlencode(safe="/")

    @property
    def cutoff(self) -> str:
        return tallies.cutoff_of(self.cohort).isoformat()

    @property
    def until(self) -> str:
        """The cut-off as the reader writes it."""
        return day_text(self.cutoff)


def _asked(request: SignedInRequest, form: ExploreForm) -> Asked:
    question = form.question()
    codes = results.centre_codes(question.cohort, request.user)
    query = canonical(request.GET, list(form.fields))
    return Asked(question, codes, exploring.sees_all_records(request.user, codes), query)


@never_cache
@require_safe
def explore(request: SignedInRequest) -> HttpResponse:
    """Ask a question, and answer it: everything asked is in the address, so that it can be kept and passed on."""
    request.user.require(Act.VIEW_RESULTS)
    facets = exploring.facets(request.user)
    if not request.GET:
        form = ExploreForm(user=request.user, facets=facets)
        context = {"form": form, "no_definition": not definitions_for(request.user).exists()}
        return render(request, "analytics/explore.html", context)
    form = ExploreForm(request.GET, user=request.user, facets=facets)
    asked_again = canonical(request.GET, list(form.fields))
    if any(not value.strip() for _, values in request.GET.lists() for value in values):
        return redirect(f"{reverse('cohort-explore')}?{asked_again or 'endpoint=pfs'}")
    if not form.is_valid():
        return render(request, "analytics/explore.html", {"form": form, "is_refused": True}, status=422)
    if form.question().cohort.definition_id is None:
        return render(request, "analytics/explore.html", {"form": form, "no_definition": True})
    return render(request, "analytics/explore.html", {"form": form, **_answer(_asked(request, form))})


def _answer(asked: Asked) -> Document:
    """Return what the page of an answered question shows."""
    question, cohort = asked.question, asked.cohort
    counts = tallies.counts_now(cohort, asked.codes)
    data = compute.document(counts, cohort, asked.codes, cutoff=tallies.cutoff_of(cohort))[0]
    result = results.in_order(results.described(cohort, data))
    if not question.tests:
        for row in result["table1"]["rows"]:
            row["tests"] = []
    n = counts.by_category("analysed").get("n", 0)
    context: Document = {
        "asked": asked,
        "question": question,
        "n": n,
        "codes": asked.codes,
        "cutoff": asked.until,
    }
    context["name"], context["short"] = ENDPOINT_WORDS[question.endpoint]
    context["save_url"] = f"{reverse('cohort-new')}?{asked.query_to_save}"
    context["filter_in_words"] = cohorts.filter_in_words(cohort)
    context["in_words"] = cohort.definition.rules.in_words()
    context["methods"] = _methods(asked)
    if not n:
        return context | {"nobody": True}
    if not asked.exact and n < small_cell():
        return context | {"too_few": small_cell()}
    told = question
    if not asked.exact:
        told = _told(question, counts)
        result = _table_suppressed(result, undivided=told.cohort.strata_by != cohort.strata_by)
    found = exploring.curves_of(told, counts)
    figures = {"curves": _curves_figure(asked, found)}
    if len(_hazards_of_strata(found)):
        figures["strata"] = _forest_figure(asked, _hazards_of_strata(found), _against(found))
    model = exploring.model(told, asked.codes) if question.covariates else None
    if model and not model.get("problem"):
        figures["model"] = _forest_figure(asked, _hazards_of_model(model), "")
    for name in _CAUSES:
        if data["cumulative_incidence"][name]["causes"]:
            figures[name] = _causes_figure(asked, name, counts)
    shown = dashboard.of_result(result, dashboard.Behind(""))
    return context | {
        "result": result,
        "shown": shown,
        "found": found,
        "rows": [{"name": _("All"), **found["overall"]}, *found["groups"]],
        "by": strata.within_sentence(found["by"]) if found["groups"] else "",
        "hides_strata": bool(cohort.strata_by) and not told.cohort.strata_by,
        "orr": _response_rates(result, told.cohort.strata_by if told.cohort.strata_by else ""),
        "model": model,
        "limit": small_cell(),
        "figures": {name: _shown(figure, "explore", name, asked.query) for name, figure in figures.items()},
    }


def _table_suppressed(result: Document, *, undivided: bool) -> Document:
    """Return the result without its small cells; Table 1 of all alone where the size of a stratum would give one away."""
    found = suppressed(result, small_cell())
    columns = found["table1"]["columns"]
    if len(columns) > 1 and (undivided or any(isinstance(column["n"], str) for column in columns)):
        result["table1"] = _of_all(result["table1"])
        return suppressed(result, small_cell())
    return found


def _of_all(table1: Document) -> Document:
    rows = []
    for row in table1["rows"]:
        kept = {**row, "tests": []}
        kept |= {name: row[name][:1] for name in ("cells", "missing") if isinstance(row.get(name), list)}
        if "options" in row:
            kept["options"] = [option | {"cells": option["cells"][:1]} for option in row["options"]]
        rows.append(kept)
    return {"columns": table1["columns"][:1], "rows": rows}


def _response_rates(result: Mapping[str, Any], by: str) -> list[tuple[str, Document]]:
    groups = result.get("strata", {}).get("groups", []) if by else []
    return [(_("All"), result["orr"]), *((strata.name_of(by, one["code"]), one["orr"]) for one in groups)]


def _methods(asked: Asked) -> list[str]:
    more = []
    if asked.cohort.strata_by:
        more.append(
            _(
                "Strata are compared by the log-rank test and by Cox's model (Efron's ties), its assumption by the test of "
                "Grambsch and Therneau; who is in no known stratum is left out of both."
            )
        )
    if asked.question.covariates:
        more.append(
            _(
                "The Cox model of several covariates counts who has all of them recorded; it is refused below 10 events per "
                "coefficient."
            )
        )
    return [*cohorts.methods(asked.cohort, asked.cutoff), *more]


def _whom(asked: Asked) -> str:
    return " ".join(said for said in cohorts.filter_in_words(asked.cohort) if said != cohorts.LACKING)


def _about(asked: Asked, title: str, alt: str, facts: Sequence[str], **more: Any) -> curves.About:
    endpoint = more.pop("endpoint", asked.question.endpoint)
    rules = asked.cohort.definition.rules
    return curves.About(
        title=title,
        facts=[_whom(asked), *facts],
        y_title=str(more.pop("y_title", Y_TITLES[endpoint])),
        x_title=more.pop("x_title", _x_title(endpoint, rules)),
        alt=alt,
        definition=_definition_of(endpoint, rules),
        synthetic=settings.SYNTHETIC_DATA_BANNER,
        **more,
    )


def _facts_of(data: Mapping[str, Any], cutoff: str) -> list[str]:
    median = data["median_days"]
    said = (
        _("Median not reached")
        if median is None
        else _("Median {months} months").format(months=months_text(median))
    )
    return [
        f"{counted(data['n'], 'patient')}, {counted(data['events'], 'event')}, {_until(cutoff)}",
        f"{said}, {confidence(median_limits_text(data.get('median_ci95')))}",
    ]


def _until(cutoff: str) -> str:
    return _("data cut-off {cutoff}").format(cutoff=cutoff)


def _curves_figure(asked: Asked, found: Document) -> Drawn:
    name = str(ENDPOINT_WORDS[asked.question.endpoint][0])
    groups = found["groups"] or [{"name": _("All"), **found["overall"]}]
    lines = [curves.Line.of(group["name"], group["table"]) for group in groups]
    title = name
    if found["groups"]:
        title = _("{name} by {by}").format(name=name, by=strata.within_sentence(found["by"]))
    alt = curves.curves_alt(title, [(group["name"], group) for group in groups], asked.until)
    about = _about(
        asked,
        title,
        alt,
        _facts_of(found["overall"], asked.until),
        notes=[str(ESTIMATED), _log_rank(found)],
    )
    return Drawn(
        title, partial(curves.curves_spec, lines, about), alt, partial(curves.curves_csv, lines, asked.cutoff)
    )


def _log_rank(found: Document) -> str:
    test = found.get("comparison", {}).get("log_rank", {})
    if "p" not in test:
        return ""
    p = localised("p < 0.001" if test["p"] < 0.001 else f"p = {test['p']:.3f}")
    return _("Log-rank {p}.").format(p=p)


def _hazards(document: Mapping[str, Any], group: Callable[[str], str]) -> list[curves.Hazard]:
    return [
        curves.Hazard(one["name"], group(one["name"]), one["hazard_ratio"], one["ci95"][0], one["ci95"][1])
        for one in document.get("hazard_ratios", [])
    ]


def _hazards_of_strata(found: Document) -> list[curves.Hazard]:
    return _hazards(found.get("comparison", {}).get("cox", {}), lambda _name: "")


def _against(found: Document) -> str:
    if "comparison" not in found:
        return ""
    return _("Against {reference}.").format(reference=found["comparison"]["cox"]["reference"])


def _hazards_of_model(model: Document) -> list[curves.Hazard]:
    return _hazards(model, lambda name: model["terms"].get(name, name))


def _forest_figure(asked: Asked, hazards: list[curves.Hazard], against: str) -> Drawn:
    name = str(ENDPOINT_WORDS[asked.question.endpoint][0])
    title = _("Hazard ratios, {endpoint}").format(endpoint=begun_small(name))
    alt = curves.forest_alt(title, hazards)
    about = _about(
        asked,
        title,
        alt,
        [_("Data cut-off {cutoff}").format(cutoff=asked.until)],
        x_title=_("Hazard ratio, logarithmic"),
        y_title="",
        # xgettext:no-python-format
        notes=[_("Cox's model, Efron's ties, 95 % limits."), against],
    )
    return Drawn(
        title,
        partial(curves.forest_spec, hazards, about),
        alt,
        partial(curves.forest_csv, hazards, asked.cutoff),
    )


def _causes_figure(asked: Asked, name: str, counts: tallies.Counts) -> Drawn:
    """Return the cumulative incidences of the causes that end an endpoint."""
    found, table = compute._cumulative_incidence(counts, asked.cohort.definition.rules)
    return _incidence_drawn(asked, name, found[name], table[name])


def _incidence_drawn(asked: Asked, name: str, found: Document, table: Mapping[str, Any]) -> Drawn:
    labels: Mapping[str, Any] = (
        dict(DeathCause.choices)
        if name == "death"
        else {**dict(DiscontinuationReason.choices), "completed": _("Completed")}
    )
    lines, said = [], []
    for cause in found["causes"]:
        rows = table["causes"][cause["cause"]]
        words = str(labels.get(cause["cause"], cause["cause"]))
        said.append((words, cause["events"], rows["incidence"][-1] if rows["incidence"] else None))
        lines.append(
            curves.Line(
                words,
                table["days"],
                rows["incidence"],
                rows["lower"],
                rows["upper"],
                table["at_risk"],
                rows["events"],
                table["censored"],
            )
        )
    title = str(_CAUSE_TITLES[name])
    alt = curves.incidence_alt(title, said, asked.until)
    at_risk = curves.Line(_("At risk"), *(getattr(lines[0], part) for part in _PARTS)) if lines else None
    about = _about(
        asked,
        title,
        alt,
        [_("Data cut-off {cutoff}").format(cutoff=asked.until)],
        endpoint=_CAUSES[name],
        y_title=_("Cumulative incidence"),
        notes=[str(INCIDENCE)],
        rises=True,
        risk=[at_risk] if at_risk else [],
    )
    return Drawn(
        title, partial(curves.curves_spec, lines, about), alt, partial(curves.curves_csv, lines, asked.cutoff)
    )


_PARTS = ("days", "value", "lower", "upper", "at_risk", "events", "censored")


def _explore_figure(request: SignedInRequest, name: str) -> tuple[Asked, Drawn]:
    """Return one figure of the question in the address, counting what it needs and no more."""
    request.user.require(Act.VIEW_RESULTS)
    form = ExploreForm(request.GET, user=request.user)
    if name not in {"curves", "strata", "model", *_CAUSES} or not form.is_valid():
        raise Http404
    asked = _asked(request, form)
    question = asked.question
    if question.cohort.definition_id is None:
        raise Http404
    if name in _CAUSES:
        wanted = ["analysed", "os_entry", "ttd_entry", "os_cause", "ttd_cause"]
    else:
        wanted = exploring.measures_for(question.endpoint)
    counts = tallies.counts_now(question.cohort, asked.codes, wanted)
    if not asked.exact:
        if counts.by_category("analysed").get("n", 0) < small_cell():
            raise Http404
        question = _told(question, counts)
    if name in _CAUSES:
        return asked, _causes_figure(asked, name, counts)
    if name == "model":
        model = (
            exploring.model(question, asked.codes) if question.covariates else {"problem": _("no covariates")}
        )
        if model.get("problem"):
            raise Http404
        return asked, _forest_figure(asked, _hazards_of_model(model), "")
    found = exploring.curves_of(question, counts)
    if name == "curves":
        return asked, _curves_figure(asked, found)
    hazards = _hazards_of_strata(found)
    if not hazards:
        raise Http404
    return asked, _forest_figure(asked, hazards, _against(found))


def _told(question: Question, counts: tallies.Counts) -> Question:
    """Return the question as it may be answered to who may not see records: undivided where a stratum is small."""
    sizes = [counts.by_category("analysed", code).get("n", 0) for code in counts.strata]
    return question.undivided() if any(0 < n < small_cell() for n in sizes) else question


@never_cache
@require_safe
def explore_spec(request: SignedInRequest, explore_figure: str) -> HttpResponse:
    """Return a figure's Vega-Lite specification for the browser."""
    return JsonResponse(_explore_figure(request, explore_figure)[1].build())


@never_cache
@require_safe
def explore_file(request: SignedInRequest, explore_figure: str, file_type: str) -> HttpResponse:
    """Return a figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    with views.of_file(file_type):
        asked, figure = _explore_figure(request, explore_figure)
    return views._file(
        request,
        f"{asked.question.endpoint}-{explore_figure}-{asked.cutoff}.{file_type}",
        title=figure.title,
        spec=partial(figure.build, theme="print"),
        numbers=figure.numbers,
    )


# Two cohorts side by side


def _pair(request: SignedInRequest) -> tuple[Cohort, Cohort] | None:
    request.user.require(Act.VIEW_RESULTS)
    seen = Cohort.objects.visible_to(request.user).select_related("definition")
    slugs = request.GET.get("a", ""), request.GET.get("b", "")
    if not all(slugs):
        return None
    return get_object_or_404(seen, slug=slugs[0]), get_object_or_404(seen, slug=slugs[1])


@never_cache
@require_safe
def compare(request: SignedInRequest) -> HttpResponse:
    """Show two cohorts side by side, and test their difference where that means something."""
    pair = _pair(request)
    offered = Cohort.objects.visible_to(request.user)
    context: Document = {"cohorts": offered, "a": request.GET.get("a", ""), "b": request.GET.get("b", "")}
    if pair is None or pair[0] == pair[1]:
        return render(request, "analytics/compare.html", context | {"same": pair is not None})
    found = pairs.compare(*pair, request.user)
    query = f"a={pair[0].slug}&b={pair[1].slug}"
    figures = {key: _shown(_pair_figure(found, key), "compare", key, query) for key in pairs.ENDPOINTS}
    shown = {"table1": dashboard._table_1({"table1": found.table1}, dashboard.Behind(""))}
    return render(
        request,
        "analytics/compare.html",
        context | {"found": found, "figures": figures, "shown": shown, "limit": small_cell()},
    )


def _pair_figure(found: pairs.Pair, endpoint: str) -> Drawn:
    name = str(ENDPOINT_WORDS[endpoint][0])
    outcomes = [(side.name, side.result[endpoint]) for side in found.sides]
    lines = [curves.Line.of(name, data["table"]) for name, data in outcomes]
    cutoffs = dict.fromkeys(str(side.result["data_cutoff"]) for side in found.sides)
    cutoff = _and([day_text(one) for one in cutoffs])
    alt = curves.curves_alt(_("{endpoint} of two cohorts").format(endpoint=name), outcomes, cutoff)
    rules = found.sides[0].cohort.definition.rules
    facts = [
        _("{cohort}: {patients}, {events}, cut-off {cutoff}").format(
            cohort=side.name,
            patients=counted(data["n"], "patient"),
            events=counted(data["events"], "event"),
            cutoff=day_text(side.result["data_cutoff"]),
        )
        for side, (_name, data) in zip(found.sides, outcomes, strict=True)
    ]
    tested = found.comparisons.get(endpoint)
    warned = (
        _log_rank({"comparison": tested})
        if tested
        else _("No test: {reasons}.").format(reasons="; ".join(found.why_no_test))
    )
    about = curves.About(
        title=name,
        facts=facts,
        y_title=str(Y_TITLES[endpoint]),
        x_title=_x_title(endpoint, rules),
        alt=alt,
        notes=[str(ESTIMATED), warned],
        definition=_definition_of(endpoint, rules) if not found.differ else "",
        synthetic=settings.SYNTHETIC_DATA_BANNER,
    )
    return Drawn(
        name, partial(curves.curves_spec, lines, about), alt, partial(curves.curves_csv, lines, cutoff)
    )


def _and(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return _("{first} and {last}").format(first=", ".join(words[:-1]), last=words[-1])


def _compare_figure(request: SignedInRequest, name: str) -> tuple[tuple[Cohort, Cohort], Drawn]:
    pair = _pair(request)
    if pair is None or pair[0] == pair[1] or name not in pairs.ENDPOINTS:
        raise Http404
    return pair, _pair_figure(pairs.compare(*pair, request.user), name)


@never_cache
@require_safe
def compare_spec(request: SignedInRequest, compare_figure: str) -> HttpResponse:
    """Return a figure's Vega-Lite specification for the browser."""
    return JsonResponse(_compare_figure(request, compare_figure)[1].build())


@never_cache
@require_safe
def compare_file(request: SignedInRequest, compare_figure: str, file_type: str) -> HttpResponse:
    """Return a figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    with views.of_file(file_type):
        pair, figure = _compare_figure(request, compare_figure)
    return views._file(
        request,
        f"{pair[0].slug}-{pair[1].slug}-{compare_figure}.{file_type}",
        title=figure.title,
        spec=partial(figure.build, theme="print"),
        numbers=figure.numbers,
    )
