"""Results of a cohort, computed from its tallies: the one module that pulls in lifelines."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from analytics import tallies
from analytics.models import Cohort, CoursesCounted
from analytics.rules.endpoints import EndpointDefinition
from analytics.rules.response import OBJECTIVE_RESPONSES, RESPONSES, Rate, rate
from analytics.rules.survival import (
    Curve,
    EventTable,
    fixed_horizon,
    kaplan_meier,
    median_follow_up_days,
    quantile,
    survival_at,
)

Counts = Mapping[str, Mapping[tuple[int, str], int]]


def results(cohort: Cohort, centre_codes: Sequence[str]) -> dict[str, Any]:
    """Return the result contract (docs/results.md) of the cohort's patients at these centres. One query.

    What follows from the records and the definition alone; names and freshness are added when it is read
    (``analytics.results.payload``).
    """
    counts = _counts(cohort, centre_codes)
    rules = cohort.definition.rules
    courses = _courses(counts["status"])
    return {
        "centres": list(centre_codes),
        "data_cutoff": cohort.tallied_to and cohort.tallied_to.isoformat(),
        "definition": {
            **rules.to_json(),
            "courses_counted": cohort.courses_counted,
            "in_words": rules.in_words(),
        },
        "n_patients": (
            courses["n"]
            if cohort.courses_counted == CoursesCounted.FIRST
            else tallies.count_patients(cohort, centre_codes)
        ),
        "courses": courses,
        "orr": _objective_response(counts["response"], rules),
        "pfs": _time_to_event("pfs", counts, rules),
        "os": _time_to_event("os", counts, rules) | {"deaths_by_cause": _deaths(counts["death"])},
    }


def _counts(cohort: Cohort, centre_codes: Sequence[str]) -> dict[str, dict[tuple[int, str], int]]:
    """Return measure to (at, category) to number of courses, summed over the centres."""
    counts: dict[str, dict[tuple[int, str], int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        # Not through the models: an event table has thousands of rows, and each would be converted one by one.
        cursor.execute(
            """
            SELECT t.measure, t.at, t.category, sum(t.n)::int
            FROM analytics_tally t JOIN accounts_centre z ON z.id = t.centre_id
            WHERE t.cohort_id = %s AND z.code = ANY(%s)
            GROUP BY 1, 2, 3 HAVING sum(t.n) <> 0
            """,
            [cohort.pk, list(centre_codes)],
        )
        for measure, at, category, n in cursor.fetchall():
            counts[measure][at, category] = n
    return counts


def _courses(status: Mapping[tuple[int, str], int]) -> dict[str, Any]:
    totals: dict[str, int] = defaultdict(int)
    after_cycle: dict[str, int] = defaultdict(int)
    reasons: dict[str, int] = defaultdict(int)
    for (at, category), n in status.items():
        kind, _, reason = category.partition(":")
        totals[kind] += n
        if kind == "discontinued":
            after_cycle[str(at)] += n
            reasons[reason] += n
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
        # Counted in nothing else: no cycle given by the cut-off, or facts that contradict each other.
        "not_started": totals["not_started"],
        "contradictory": totals["contradictory"],
    }


def _objective_response(response: Mapping[tuple[int, str], int], rules: EndpointDefinition) -> dict[str, Any]:
    counted = ("evaluable",) if rules.orr_denominator == "response_evaluable" else ("evaluable", "other")
    best = dict.fromkeys(RESPONSES, 0)
    without_assessment = left_out = 0
    for (_, category), n in response.items():
        group, _, code = category.partition(":")
        if group not in counted:
            left_out += n
        elif code:
            best[code] += n
        else:
            without_assessment += n
    objective = rate(sum(best[code] for code in OBJECTIVE_RESPONSES), sum(best.values()) + without_assessment)
    return {
        **_share(objective),
        "denominator": rules.orr_denominator,
        "best_overall_response": best,
        "no_assessment": without_assessment,
        "not_in_denominator": left_out,
    }


def _share(share: Rate) -> dict[str, Any]:
    return {"n": share.n, "of": share.of, "rate": share.rate, "ci95": list(share.ci95)}


def _deaths(death: Mapping[tuple[int, str], int]) -> dict[str, int]:
    return {cause: n for (_, cause), n in death.items()}


def _time_to_event(endpoint: str, counts: Counts, rules: EndpointDefinition) -> dict[str, Any]:
    table = EventTable.from_counts(
        (days, category == "event", n) for (days, category), n in counts[endpoint].items()
    )
    curve = kaplan_meier(table)
    median = quantile(curve)
    return {
        "n": table.n,
        "events": table.n_events,
        "median_days": median.days,
        "median_ci95": [median.lower, median.upper],
        "median_follow_up_days": median_follow_up_days(table),
        "landmarks": list(_landmarks(curve, rules)),
        "fixed_horizon": list(_fixed_horizons(counts[f"{endpoint}_at"], rules)),
        "table": {
            "days": list(curve.days),
            "at_risk": list(curve.at_risk),
            "events": list(curve.events),
            "censored": list(curve.censored),
            "survival": list(curve.survival),
            "lower": list(curve.lower),
            "upper": list(curve.upper),
        },
    }


def _landmarks(curve: Curve, rules: EndpointDefinition) -> Iterable[dict[str, Any]]:
    for months in rules.landmark_months:
        days: Decimal = months * rules.month_days
        at = survival_at(curve, days)
        yield {
            "months": months,
            "survival": at.survival,
            "ci95": [at.lower, at.upper],
            "at_risk": at.at_risk,
        }


def _fixed_horizons(
    states: Mapping[tuple[int, str], int], rules: EndpointDefinition
) -> Iterable[dict[str, Any]]:
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
