"""Results of a cohort as a document (docs/results.md), computed from counts alone: stored, of now, or of a data lock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from django.conf import settings
from django.utils import translation

from analytics import describing, strata, tallies
from analytics.comparing import compare
from analytics.models import ENDPOINTS, Cohort, CoursesCounted
from analytics.rules.competing_risks import CumulativeIncidence, cumulative_incidence, incidence_at
from analytics.rules.endpoints import EndpointDefinition
from analytics.rules.response import OBJECTIVE_RESPONSES, RESPONSES, clopper_pearson, wilson
from analytics.rules.restricted_mean import restricted_mean
from analytics.rules.survival import (
    Curve,
    EventTable,
    Refused,
    fixed_horizon,
    kaplan_meier,
    median_follow_up,
    quartiles,
    survival_at,
)
from analytics.tallies import UNKNOWN_STRATUM, Counts
from imaging.models import SstrResponse
from treatments.models import DiscontinuationReason

Document = dict[str, Any]
Criterion = Literal["response", "confirmed_response", "sstr_response"]

_DISEASE_CONTROL = OBJECTIVE_RESPONSES | {"SD", "NON_CR_NON_PD"}
_SSTR_RESPONSES = frozenset({SstrResponse.DISAPPEARED.value, SstrResponse.DECREASED.value})
# Of each criterion: the measure's codes, those that are a response, and those that control the disease.
CRITERIA: dict[Criterion, tuple[Sequence[str], frozenset[str], frozenset[str]]] = {
    "response": (RESPONSES, OBJECTIVE_RESPONSES, _DISEASE_CONTROL),
    "confirmed_response": (RESPONSES, OBJECTIVE_RESPONSES, _DISEASE_CONTROL),
    "sstr_response": (SstrResponse.values, _SSTR_RESPONSES, _SSTR_RESPONSES | {SstrResponse.UNCHANGED.value}),
}


def results(cohort: Cohort, centre_codes: Sequence[str]) -> tuple[Document, Document]:
    """Return the results of a stored cohort's patients at these centres, from its tallies, and their curves.

    What follows from the records and the definition alone; names and freshness are added when it is read
    (``analytics.results.payload``).
    """
    counts = tallies.stored_counts(cohort, centre_codes)
    return document(counts, cohort, centre_codes, cutoff=cohort.tallied_to)


def results_now(cohort: Cohort, centre_codes: Sequence[str]) -> tuple[Document, Document]:
    """Return the same of any cohort, stored or not, counted here and now."""
    counts = tallies.counts_now(cohort, centre_codes)
    return document(counts, cohort, centre_codes, cutoff=tallies.cutoff_of(cohort))


def document(
    counts: Counts,
    cohort: Cohort,
    centre_codes: Sequence[str],
    *,
    cutoff: date | None,
    n_patients: int | None = None,
) -> tuple[Document, Document]:
    """Return the results that follow from ``counts``, and the rows of their curves under the same keys.

    Args:
        n_patients: where patients cannot be told from counts: those of a data lock with every course.
    """
    with translation.override(settings.LANGUAGE_CODE):  # what is stored does not depend on who looks
        return _document(counts, cohort, centre_codes, cutoff, n_patients)


def _document(
    counts: Counts, cohort: Cohort, centre_codes: Sequence[str], cutoff: date | None, n_patients: int | None
) -> tuple[Document, Document]:
    rules = cohort.definition.rules
    analysed = counts.by_category("analysed").get("n", 0)
    if cohort.courses_counted == CoursesCounted.FIRST:
        n_patients = analysed
    elif n_patients is None:
        n_patients = tallies.count_patients(cohort, centre_codes)
    found: Document = {
        "centres": list(centre_codes),
        "data_cutoff": cutoff and cutoff.isoformat(),
        "definition": {
            **rules.to_json(),
            "courses_counted": cohort.courses_counted,
            "in_words": rules.in_words(),
        },
        "n_patients": n_patients,
        "courses": _courses(counts.by_value("status")),
        "orr": _objective_response(counts, rules),
        "responses": _responses(counts, rules),
    }
    curves: Document = {}
    tables = {endpoint: event_table(counts, endpoint) for endpoint in ENDPOINTS}
    for endpoint, table in tables.items():
        found[endpoint], curves[endpoint] = _time_to_event(endpoint, table, counts, rules)
    found["os"]["deaths_by_cause"] = counts.by_category("death")
    found["cumulative_incidence"], curves["cumulative_incidence"] = _cumulative_incidence(counts, rules)
    found |= describing.sections(counts, cohort)
    if cohort.strata_by:
        found["strata"], curves["strata"] = _strata(cohort, counts, rules)
    return found, curves


def event_table(counts: Counts, endpoint: str, stratum: str | None = None) -> EventTable:
    """Return the event table of an endpoint, of one stratum or of all."""
    event_days, events = counts.summed(endpoint, "event", stratum)
    censored_days, censored = counts.summed(endpoint, "censored", stratum)
    entry_days, entered = counts.summed(f"{endpoint}_entry", "entered", stratum)
    return EventTable.from_arrays(event_days, events, censored_days, censored, entry_days, entered)


def _courses(status: Mapping[tuple[int, str], int]) -> Document:
    totals: dict[str, int] = defaultdict(int)
    after_cycle: dict[str, int] = defaultdict(int)
    reasons: dict[str, int] = defaultdict(int)
    by_cycle: dict[str, dict[str, int]] = defaultdict(dict)
    for (at, category), n in sorted(status.items()):
        kind, _, reason = category.partition(":")
        totals[kind] += n
        if kind == "discontinued":
            after_cycle[str(at)] += n
            reasons[reason] += n
            by_cycle[reason][str(at)] = n
    treated = totals["completed"] + totals["discontinued"] + totals["ongoing"]
    return {
        "n": treated,
        "completed": {"n": totals["completed"], "of": treated},
        "discontinued": {
            "n": totals["discontinued"],
            "of": treated,
            "after_cycle": dict(sorted(after_cycle.items(), key=lambda item: int(item[0]))),
            "reasons": dict(sorted(reasons.items())),
        },
        "ongoing": {"n": totals["ongoing"], "of": treated},
        "reasons_after_cycle": dict(sorted(by_cycle.items())),
        # Counted in nothing else: no cycle given by the cut-off, or facts that contradict each other.
        "not_started": totals["not_started"],
        "contradictory": totals["contradictory"],
    }


def _share(n: int, of: int, rules: EndpointDefinition) -> Document:
    interval = wilson if rules.interval == "wilson" else clopper_pearson
    return {"n": n, "of": of, "rate": n / of if of else None, "ci95": list(interval(n, of))}


def _objective_response(counts: Counts, rules: EndpointDefinition, stratum: str | None = None) -> Document:
    """Return the objective response rate as the definition asks for it: with or without confirmation."""
    criterion: Criterion = "confirmed_response" if rules.confirmation == "required" else "response"
    found = _best_responses(counts, criterion, rules, stratum)
    rates = found.pop("objective"), found.pop("disease_control")
    return {**rates[0], "disease_control": rates[1], "denominator": rules.orr_denominator, **found}


def _best_responses(
    counts: Counts, criterion: Criterion, rules: EndpointDefinition, stratum: str | None = None
) -> Document:
    codes, objective, control = CRITERIA[criterion]
    counted = ("evaluable",) if rules.orr_denominator == "response_evaluable" else ("evaluable", "other")
    best = dict.fromkeys(codes, 0)
    without_assessment = left_out = 0
    for category, n in counts.by_category(criterion, stratum).items():
        group, _, code = category.partition(":")
        if group not in counted:
            left_out += n
        elif code:
            best[code] += n
        else:
            without_assessment += n
    of = sum(best.values()) + without_assessment
    return {
        "objective": _share(sum(best[code] for code in objective), of, rules),
        "disease_control": _share(sum(best[code] for code in control), of, rules),
        "best_overall_response": best,
        "no_assessment": without_assessment,
        "not_in_denominator": left_out,
    }


def _responses(counts: Counts, rules: EndpointDefinition) -> Document:
    """Return best responses by every criterion, responses of single assessments, and how the criteria agree."""
    by_timepoint: dict[str, dict[str, dict[str, int]]] = {}
    for category, n in sorted(counts.by_category("assessment").items()):
        timepoint, recist, sstr = category.split(":")
        at = by_timepoint.setdefault(timepoint, {"recist": defaultdict(int), "sstr": defaultdict(int)})
        at["recist"][recist or "none"] += n
        at["sstr"][sstr or "none"] += n
    pairs = [
        {"recist": recist, "sstr": sstr, "n": n}
        for category, n in sorted(counts.by_category("concordance").items())
        for recist, _, sstr in [category.partition(":")]
    ]
    return {
        "recist": _best_responses(counts, "response", rules),
        "recist_confirmed": _best_responses(counts, "confirmed_response", rules),
        "sstr": _best_responses(counts, "sstr_response", rules),
        "by_timepoint": {
            timepoint: {name: dict(of) for name, of in at.items()} for timepoint, at in by_timepoint.items()
        },
        "concordance": pairs,
    }


def _time_to_event(
    endpoint: str, table: EventTable, counts: Counts, rules: EndpointDefinition, stratum: str | None = None
) -> tuple[Document, Document]:
    curve = kaplan_meier(table)
    first, median, third = quartiles(curve)
    follow_up = median_follow_up(table)
    found: Document = {
        "n": table.n,
        "events": table.n_events,
        "median_days": median.days,
        "median_ci95": [median.lower, median.upper],
        "quartiles": [
            {"share": share, "days": of.days, "ci95": [of.lower, of.upper]}
            for share, of in ((0.25, first), (0.5, median), (0.75, third))
        ],
        "median_follow_up_days": follow_up.days,
        "median_follow_up_ci95": [follow_up.lower, follow_up.upper],
        "landmarks": list(_landmarks(curve, rules)),
    }
    if endpoint in {"pfs", "os"}:
        if rules.landmark_months:
            tau = rules.landmark_months[-1] * rules.month_days
            found["restricted_mean"] = _restricted_mean(table, tau)
        found["fixed_horizon"] = list(_fixed_horizons(counts.by_value(f"{endpoint}_at", stratum), rules))
    return found, curve.to_json()


def _restricted_mean(table: EventTable, tau: Decimal) -> Document:
    mean = restricted_mean(table, tau)
    if isinstance(mean, Refused):
        return {"tau_days": float(tau), "days": None, "ci95": [None, None], "problem": mean.reason}
    return {"tau_days": float(tau), "days": mean.days, "ci95": [mean.lower, mean.upper]}


def _landmarks(curve: Curve, rules: EndpointDefinition) -> Iterable[Document]:
    for months in rules.landmark_months:
        days: Decimal = months * rules.month_days
        at = survival_at(curve, days)
        yield {
            "months": months,
            "survival": at.survival,
            "ci95": [at.lower, at.upper],
            "at_risk": at.at_risk,
        }


# What competes: measure to the endpoint that it divides, and its causes in the order people read them; others follow.
_COMPETING = {
    "death": ("os_cause", ["disease", "treatment", "comorbidity", "other", "unknown"]),
    "discontinuation": ("ttd_cause", [*DiscontinuationReason.values, "completed"]),
}


def _cumulative_incidence(counts: Counts, rules: EndpointDefinition) -> tuple[Document, Document]:
    """Return how often each cause of death, and each reason to stop, had occurred by the landmarks."""
    found: Document = {}
    curves: Document = {}
    for name, (measure, order) in _COMPETING.items():
        entries = _per_day(counts, measure.replace("_cause", "_entry"), "entered")
        present = set(counts.by_category(measure)) - {"censored"}
        causes = [cause for cause in order if cause in present] + sorted(present - set(order))
        by_cause = {cause: _per_day(counts, measure, cause) for cause in causes}
        incidence = cumulative_incidence(by_cause, _per_day(counts, measure, "censored"), entries)
        found[name] = {
            "causes": [
                {
                    "cause": cause,
                    "events": sum(by_cause[cause].values()),
                    "at": [
                        _incidence_at(incidence, cause, months, rules) for months in rules.landmark_months
                    ],
                }
                for cause in causes
            ]
        }
        curves[name] = incidence.to_json()
    return found, curves


def _per_day(counts: Counts, measure: str, category: str) -> dict[int, int]:
    days, n = counts.summed(measure, category)
    return dict(zip(days.tolist(), n.tolist(), strict=True))


def _incidence_at(
    incidence: CumulativeIncidence, cause: str, months: int, rules: EndpointDefinition
) -> Document:
    at = incidence_at(incidence, cause, months * rules.month_days)
    return {"months": months, "incidence": at.incidence, "ci95": [at.lower, at.upper]}


def _fixed_horizons(states: Mapping[tuple[int, str], int], rules: EndpointDefinition) -> Iterable[Document]:
    for months in rules.landmark_months:
        share = fixed_horizon(
            months,
            {state: n for (at, state), n in states.items() if at == months},  # type: ignore[misc]
            month_days=rules.month_days,
        )
        yield {
            "months": months,
            "n": share.n_event_free,
            "of": share.of,
            "rate": share.rate,
            "ci95": list(share.ci95),
            "unknown": share.unknown,
        }


def _strata(cohort: Cohort, counts: Counts, rules: EndpointDefinition) -> tuple[Document, Document]:
    """Return the figures of each stratum, in the order people read them, and their curves by code."""
    groups: list[Document] = []
    curves: Document = {}
    for code in strata.in_order(cohort.strata_by, counts.strata):
        group: Document = {
            "code": code,
            "name": strata.name_of(cohort.strata_by, code),
            "n": counts.by_category("analysed", code).get("n", 0),
            "orr": _objective_response(counts, rules, code),
        }
        curves[code] = {}
        for endpoint in ("pfs", "os"):
            table = event_table(counts, endpoint, code)
            group[endpoint], curves[code][endpoint] = _time_to_event(endpoint, table, counts, rules, code)
        groups.append(group)
    known = {group["code"]: group["name"] for group in groups if group["code"] != UNKNOWN_STRATUM}
    return {
        "by": cohort.strata_by,
        "name": strata.title_of(cohort.strata_by),
        "groups": groups,
        # Who is in no known stratum is shown, and left out of comparisons.
        "comparisons": {
            endpoint: compare({code: event_table(counts, endpoint, code) for code in known}, known)
            for endpoint in ("pfs", "os")
        },
    }, curves
