"""Tallies: how many courses of a cohort share a value, counted by one SQL for a few courses and for all of them.

A refresh counts the courses it touches before and after, and adds the difference; a rebuild counts everything. Results
are computed from tallies alone, so that one correction costs the same in a small registry and in a national one.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Centre
from analytics.models import (
    ENDPOINTS,
    Cohort,
    CoursesCounted,
    DataLock,
    Definition,
    StaleResult,
    Strata,
    Tally,
)
from analytics.rules.endpoints import EndpointDefinition


@dataclass(frozen=True, slots=True)
class Key:
    """What is counted: a category of a measure at a centre in a stratum, on a day or at a number of months or cycles."""

    centre_id: UUID
    measure: str
    at: int
    category: str
    stratum: str = ""


# What is counted of each outcome ``o``: measure to (value, category). A measure that does not apply has no category. An
# outcome without time zero (nothing given yet) or with a problem has a status alone, and so has one outside the
# analysis set. Numbers with decimals are counted as whole multiples of their smallest step.
_EVALUABLE = "CASE WHEN o.response_evaluable THEN 'evaluable:' ELSE 'other:' END || o.{}"
# Whose time ended before they entered was never at risk.
_NEVER_AT_RISK = "o.entry_days > 0 AND o.{0}_days <= o.entry_days"
_TIME = f"CASE WHEN {_NEVER_AT_RISK} THEN NULL WHEN o.{{0}}_event THEN 'event' WHEN NOT o.{{0}}_event THEN 'censored' END"
_LATE = "CASE WHEN o.entry_days > 0 AND o.{0}_days > o.entry_days THEN 'entered' END"
_GIVEN = "CASE WHEN {} IS NULL THEN 'missing' ELSE 'value' END"
STEPS = {"ki67_percent": 10, "baseline_suv_max": 100, "dose_intensity_percent": 10}
_NUMBERS = {
    "age_years": "o.age_years",
    "ki67_percent": "round(10 * o.ki67_percent)",
    "baseline_suv_max": "round(100 * o.baseline_suv_max)",
    "cycles_given": "o.cycles_given",
    "activity_mbq": "round(o.cumulative_activity_mbq)",
    "dose_intensity_percent": "round(10 * o.dose_intensity_percent)",
    "delayed_cycles": "o.delayed_cycles",
    "reduced_cycles": "o.reduced_cycles",
}
_CODES = {
    "sex": "o.sex",
    "tumour_type": "o.tumour_type",
    "primary_site": "o.primary_site",
    "who_grade": "o.who_grade",
    "functional_syndrome": "o.functional_syndrome",
    "ecog": "o.ecog::text",
    "krenning": "o.baseline_krenning::text",
    "protocol": "o.protocol",
    "intent": "o.intent",
}
_STATUS = """CASE WHEN o.problem <> '' THEN 'contradictory' WHEN o.time_zero IS NULL THEN 'not_started'
    WHEN o.status = 'discontinued' THEN 'discontinued:' || o.discontinuation_reason ELSE o.status END"""
_MEASURES: dict[str, tuple[str, str]] = {
    "analysed": ("0", "'n'"),
    **{
        endpoint: (f"o.{endpoint}_days", _TIME.format(endpoint))
        for endpoint in ENDPOINTS
        if endpoint != "dor"
    },
    "dor": ("o.dor_days", "CASE WHEN o.dor_event THEN 'event' WHEN NOT o.dor_event THEN 'censored' END"),
    # Duration of response counts from the response on: nobody enters late.
    **{
        f"{endpoint}_entry": ("o.entry_days", _LATE.format(endpoint))
        for endpoint in ENDPOINTS
        if endpoint != "dor"
    },
    "os_cause": (
        "o.os_days",
        f"CASE WHEN {_NEVER_AT_RISK.format('os')} THEN NULL"
        " WHEN o.os_event THEN coalesce(nullif(o.death_cause, ''), 'unknown')"
        " WHEN NOT o.os_event THEN 'censored' END",
    ),
    "ttd_cause": (
        "o.ttd_days",
        f"CASE WHEN {_NEVER_AT_RISK.format('ttd')} THEN NULL WHEN o.ttd_event THEN o.discontinuation_reason"
        " WHEN o.ttd_basis = 'completed' THEN 'completed' WHEN NOT o.ttd_event THEN 'censored' END",
    ),
    "response": ("0", _EVALUABLE.format("best_overall_response")),
    "confirmed_response": ("0", _EVALUABLE.format("confirmed_best_overall_response")),
    "sstr_response": ("0", _EVALUABLE.format("best_sstr_response")),
    "concordance": (
        "0",
        "CASE WHEN o.best_overall_response <> '' AND o.best_sstr_response <> ''"
        " THEN o.best_overall_response || ':' || o.best_sstr_response END",
    ),
    "death": ("0", "nullif(o.death_cause, '')"),
    **{name: (f"coalesce({value}, 0)", _GIVEN.format(value)) for name, value in _NUMBERS.items()},
    **{name: ("0", f"coalesce(nullif({value}, ''), 'missing')") for name, value in _CODES.items()},
    "any_toxicity": (
        "(SELECT max(split_part(t, ':', 3)::int) FROM unnest(o.toxicities) t)",
        "CASE WHEN o.toxicities <> '{}' THEN 'grade' END",
    ),
}
# Measures of which a course has any number: the array, and value and category of each of its items ``t``.
_LISTED: dict[str, tuple[str, str, str]] = {
    "prior_therapy": ("CASE o.prior_therapies WHEN '{}' THEN '{none}' ELSE o.prior_therapies END", "0", "t"),
    "toxicity": (
        "o.toxicities",
        "split_part(t, ':', 2)::int",
        "split_part(t, ':', 1) || ':' || split_part(t, ':', 3)",
    ),
    "assessment": (
        "o.responses",
        "0",
        "split_part(t, ':', 1) || ':' || split_part(t, ':', 3) || ':' || split_part(t, ':', 4)",
    ),
}
# Who started too late to have reached the horizon by the cut-off has no state there; nor is there one where patients
# are at risk only from a later day on.
_HORIZON = """CASE WHEN o.entry_days > 0 OR %s::date - o.time_zero < %s THEN NULL
    WHEN o.{0}_event AND o.{0}_days <= %s THEN 'event' WHEN o.{0}_days >= %s THEN 'event_free' ELSE 'unknown' END"""
_STRATA = {
    Strata.NONE: "''",
    Strata.CENTRE: "(SELECT z.code FROM accounts_centre z WHERE z.id = o.centre_id)",
    Strata.SEX: "o.sex",
    Strata.AGE: "CASE WHEN o.age_years < 65 THEN 'below_65' WHEN o.age_years >= 65 THEN 'from_65' END",
    Strata.TUMOUR_TYPE: "o.tumour_type",
    Strata.PRIMARY_SITE: "o.primary_site",
    Strata.WHO_GRADE: "o.who_grade",
    Strata.KI67: "CASE WHEN o.ki67_percent < 3 THEN 'below_3' WHEN o.ki67_percent <= 20 THEN '3_to_20'"
    " WHEN o.ki67_percent > 20 THEN 'above_20' END",
    Strata.FUNCTIONAL: "CASE o.functional_syndrome WHEN 'unknown' THEN NULL WHEN '' THEN NULL"
    " WHEN 'none' THEN 'none' ELSE 'functional' END",
    Strata.ECOG: "CASE WHEN o.ecog >= 2 THEN 'from_2' ELSE o.ecog::text END",
    Strata.PRIOR_PRRT: "CASE WHEN 'prrt' = ANY(o.prior_therapies) THEN 'with' ELSE 'without' END",
    Strata.PROTOCOL: "o.protocol",
    Strata.INTENT: "o.intent",
    Strata.KRENNING: "o.baseline_krenning::text",
    Strata.STATUS: "o.status",
}
UNKNOWN_STRATUM = "unknown"
_ANALYSIS_SETS = {
    "treated": "TRUE",
    "response_evaluable": "o.response_evaluable",
    "completed": "o.status = 'completed'",
}


class Counts:
    """How many courses share a value: of each measure, stratum and category the values as arrays, each with its count.

    Made from stored tallies, from outcomes or from a data lock alike, and all that results are computed from.
    """

    def __init__(self, rows: Sequence[tuple[str, str, str, Sequence[int], Sequence[int]]]) -> None:
        self._arrays: dict[tuple[str, str], dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        for measure, stratum, category, at, n in rows:
            counts = np.bincount(at, weights=n).astype(np.int64) if len(at) else np.zeros(0, np.int64)
            values = np.flatnonzero(counts)
            if values.size:
                self._arrays.setdefault((measure, stratum), {})[category] = (values, counts[values])

    @property
    def strata(self) -> list[str]:
        """The strata that any course is in, by code."""
        return sorted({stratum for _, stratum in self._arrays})

    def arrays(
        self, measure: str, stratum: str | None = None
    ) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
        """Return category to (values, counts), one pair for each stratum; None: of all strata."""
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for of in self.strata if stratum is None else [stratum]:
            for category, pair in self._arrays.get((measure, of), {}).items():
                found.setdefault(category, []).append(pair)
        return found

    def summed(
        self, measure: str, category: str, stratum: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a category, ascending, and how many courses have each."""
        pairs = self.arrays(measure, stratum).get(category, [])
        if len(pairs) == 1:
            return pairs[0]
        if not pairs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        counts = np.bincount(
            np.concatenate([values for values, _ in pairs]), weights=np.concatenate([n for _, n in pairs])
        ).astype(np.int64)
        values = np.flatnonzero(counts)
        return values, counts[values]

    def by_category(self, measure: str, stratum: str | None = None) -> dict[str, int]:
        """Return category to number, whatever the value."""
        return {
            category: sum(int(n.sum()) for _, n in pairs)
            for category, pairs in self.arrays(measure, stratum).items()
        }

    def by_value(self, measure: str, stratum: str | None = None) -> dict[tuple[int, str], int]:
        """Return (value, category) to number."""
        found: Counter[tuple[int, str]] = Counter()
        for category, pairs in self.arrays(measure, stratum).items():
            for values, counts in pairs:
                for value, n in zip(values.tolist(), counts.tolist(), strict=True):
                    found[value, category] += n
        return dict(found)


def cutoff_of(cohort: Cohort) -> date:
    """Return the date up to which the cohort is counted: its definition's, or today."""
    return cohort.definition.data_cutoff or timezone.now().date()


def filter_to_json(cohort: Cohort) -> dict[str, Any]:
    """Return the cohort's filter, only what restricts: a JSON object in a stated order."""
    found: dict[str, Any] = {"courses_counted": cohort.courses_counted}
    for name in FILTER_FIELDS:
        value = getattr(cohort, name)
        if value in (None, [], ""):
            continue
        found[name] = (
            sorted(value) if isinstance(value, list) else value if isinstance(value, int) else str(value)
        )
    return found


def cohort_from_json(data: Mapping[str, Any], definition: Definition) -> Cohort:
    """Return a cohort, not stored, with the filter that ``filter_to_json`` gave.

    Raises:
        ValueError: a field that is no filter.
    """
    unknown = set(data) - {*FILTER_FIELDS, "courses_counted"}
    if unknown:
        raise ValueError(f"filter of a cohort: unknown {', '.join(sorted(unknown))}")
    columns = {column.name: column for column in Cohort._meta.concrete_fields}
    values = {name: columns[name].to_python(value) for name, value in data.items()}
    return Cohort(definition=definition, **values)


def described(cohort: Cohort) -> str:
    """Return, as text to compare, everything that decides what the cohort's tallies count."""
    return json.dumps(
        {
            "counted": _COUNTED,
            "definition": cohort.definition_id,
            "endpoints": cohort.definition.rules.to_json(),
            "cutoff": cutoff_of(cohort).isoformat(),
            "filter": filter_to_json(cohort),
            "strata": cohort.strata_by,
        },
        sort_keys=True,
    )


# Raised whenever what is counted changes: cohorts are then counted anew.
_COUNTED = 3


MEASURES = ("status", *_MEASURES, *_LISTED, "pfs_at", "os_at")
# What the first figures of a dashboard rest on.
CORE = (
    "status",
    "analysed",
    "pfs",
    "os",
    "pfs_entry",
    "os_entry",
    "response",
    "confirmed_response",
    "death",
    "pfs_at",
    "os_at",
)


def in_analysis_set(rules: EndpointDefinition) -> str:
    """Return the SQL condition that an outcome ``o`` is in the analysis set of the definition."""
    return _ANALYSIS_SETS[rules.analysis_set]


def measures_of(rules: EndpointDefinition, cutoff: date, wanted: Sequence[str]) -> tuple[str, list[Any]]:
    """Return SQL that gives the wanted measures of an outcome ``o`` as rows (measure, at, category), and its parameters."""
    from analytics.rules.survival import horizon_thresholds

    in_set = f"o.time_zero IS NOT NULL AND o.problem = '' AND {in_analysis_set(rules)}"
    rows = [f"('{name}', {at}, {category})" for name, (at, category) in _MEASURES.items() if name in wanted]
    parameters: list[Any] = []
    for endpoint in ("pfs", "os"):
        for months in rules.landmark_months if f"{endpoint}_at" in wanted else ():
            reach = horizon_thresholds(months, rules.month_days)
            rows.append(f"('{endpoint}_at', %s, {_HORIZON.format(endpoint)})")
            parameters += [months, cutoff, reach.followed_from, reach.event_by, reach.followed_from]
    parts = []
    if rows:
        parts.append(
            "SELECT measure, at::int, category"  # noqa: S608 (constants of this module)
            f" FROM (VALUES {', '.join(rows)}) AS m (measure, at, category) WHERE category IS NOT NULL AND {in_set}"
        )
    if "status" in wanted:
        parts.append(f"SELECT 'status', coalesce(o.discontinued_after_cycle, 0)::int, {_STATUS}")
    parts += [
        f"SELECT '{name}', {at}, {category} FROM unnest({items}) t WHERE {in_set}"  # noqa: S608 (as above)
        for name, (items, at, category) in _LISTED.items()
        if name in wanted
    ]
    return " UNION ALL ".join(parts), parameters


def stratum_of(cohort: Cohort) -> str:
    """Return the SQL of the stratum that an outcome ``o`` is in; what is not known is a stratum of its own."""
    stratum = _STRATA[Strata(cohort.strata_by)]
    return f"coalesce(nullif({stratum}, ''), '{UNKNOWN_STRATUM}')" if cohort.strata_by else stratum


def _counting(
    cohort: Cohort,
    source: str,
    conditions: Sequence[str],
    values: Sequence[Any],
    cutoff: date,
    wanted: Sequence[str] = MEASURES,
) -> tuple[str, list[Any]]:
    """Return the SQL that counts outcomes ``o`` of a table: centre, measure, at, category, stratum, n."""
    measures, parameters = measures_of(cohort.definition.rules, cutoff, wanted)
    sql = f"""
        SELECT o.centre_id, m.measure, m.at, m.category, {stratum_of(cohort)} AS stratum, count(*)::int AS n
        FROM {source} o CROSS JOIN LATERAL ({measures}) AS m (measure, at, category)
        WHERE {" AND ".join(conditions)}
        GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608 (the parts are constants of this module; values are parameters)
    return sql, [*parameters, *values]


def count(cohort: Cohort, course_ids: Sequence[UUID] | None = None) -> Counter[Key]:
    """Count the cohort's outcomes, of the given courses or of all, up to ``cohort.tallied_to``. One query."""
    conditions, values = filter_of(cohort)
    if course_ids is not None:
        conditions.append("o.course_id = ANY(%s)")
        values.append(list(course_ids))
    assert cohort.tallied_to is not None
    sql, parameters = _counting(cohort, "analytics_outcome", conditions, values, cohort.tallied_to)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return Counter({Key(*key): n for *key, n in cursor.fetchall()})


_AS_ARRAYS = (
    "SELECT measure, stratum, category, array_agg(at), array_agg(n) FROM ({}) AS counted GROUP BY 1, 2, 3"
)


def stored_counts(cohort: Cohort, centre_codes: Sequence[str], wanted: Sequence[str] = ()) -> Counts:
    """Return what the cohort's tallies hold of these centres: the wanted measures, or all. One query."""
    sql = """
        SELECT measure, stratum, category, array_agg(at), array_agg(n) FROM analytics_tally
        WHERE cohort_id = %s AND centre_id = ANY(ARRAY(SELECT id FROM accounts_centre WHERE code = ANY(%s)))
            AND (%s OR measure = ANY(%s))
        GROUP BY 1, 2, 3
    """
    return _read(sql, [cohort.pk, list(centre_codes), not wanted, list(wanted)])


def counts_now(cohort: Cohort, centre_codes: Sequence[str], wanted: Sequence[str] = MEASURES) -> Counts:
    """Count the outcomes of a cohort, stored or not, at these centres here and now. One query."""
    conditions, values = filter_of(cohort, centre_codes)
    sql, parameters = _counting(cohort, "analytics_outcome", conditions, values, cutoff_of(cohort), wanted)
    return _read(_AS_ARRAYS.format(sql), parameters)


def locked_counts(lock: DataLock, cohort: Cohort) -> Counts:
    """Count the rows of a data lock by what ``cohort`` asks for: itself as it was locked. One query."""
    sql, parameters = _counting(
        cohort, "analytics_lockedoutcome", ["o.lock_id = %s"], [lock.pk], lock.data_cutoff
    )
    return _read(_AS_ARRAYS.format(sql), parameters)


def _read(sql: str, parameters: Sequence[Any]) -> Counts:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return Counts(cursor.fetchall())


# The columns of a cohort that restrict whom it counts: a list names the values that count, of a column of outcomes.
_LISTS = {
    "tumour_types": "tumour_type",
    "primary_sites": "primary_site",
    "sexes": "sex",
    "who_grades": "who_grade",
    "functional_syndromes": "functional_syndrome",
    "ecogs": "ecog",
    "protocols": "protocol",
    "intents": "intent",
    "krenning_scores": "baseline_krenning",
    "statuses": "status",
    "discontinuation_reasons": "discontinuation_reason",
}
_RANGES = {
    "age": "age_years",
    "ki67": "ki67_percent",
    "cycles": "cycles_given",
    "suv_max": "baseline_suv_max",
    "started": "started_on",
}
FILTER_FIELDS = (
    "centre_codes",
    *_LISTS,
    "with_prior_therapies",
    "without_prior_therapies",
    *(f"{name}_{side}" for name in _RANGES for side in ("from", "to")),
)


def filter_of(cohort: Cohort, centre_codes: Sequence[str] | None = None) -> tuple[list[str], list[Any]]:
    """Return the cohort's filter as SQL conditions on outcomes ``o`` with their values.

    Args:
        centre_codes: of these centres alone; None: of all that the cohort counts.
    """
    conditions = ["o.definition_id = %s", "o.derived_at IS NOT NULL"]
    values: list[Any] = [cohort.definition_id]
    if cohort.courses_counted == CoursesCounted.FIRST:
        conditions.append("o.is_first_course")
    for codes in (cohort.centre_codes or None, centre_codes):
        if codes is not None:
            conditions.append("o.centre_id = ANY(ARRAY(SELECT id FROM accounts_centre WHERE code = ANY(%s)))")
            values.append(list(codes))
    for name, column in _LISTS.items():
        if wanted := getattr(cohort, name):
            conditions.append(f"o.{column} = ANY(%s)")
            values.append(list(wanted))
    if cohort.with_prior_therapies:
        conditions.append("o.prior_therapies && %s::varchar[]")
        values.append(list(cohort.with_prior_therapies))
    if cohort.without_prior_therapies:
        conditions.append("NOT o.prior_therapies && %s::varchar[]")
        values.append(list(cohort.without_prior_therapies))
    for name, column in _RANGES.items():
        for side, comparison in (("from", ">="), ("to", "<=")):
            bound = getattr(cohort, f"{name}_{side}")
            if bound is not None:
                conditions.append(f"o.{column} {comparison} %s")
                values.append(bound)
    return conditions, values


def add(cohort: Cohort, difference: Counter[Key]) -> None:
    """Add the difference to the stored tallies, and mark the results of the centres it touches as stale."""
    # In one order in every worker, so that two of them never wait for each other.
    changed = sorted(
        ((key, n) for key, n in difference.items() if n),
        key=lambda item: (
            str(item[0].centre_id),
            item[0].measure,
            item[0].at,
            item[0].category,
            item[0].stratum,
        ),
    )
    if not changed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_tally (cohort_id, centre_id, measure, at, category, stratum, n)
            SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::text[], %s::int[])
            ON CONFLICT (cohort_id, centre_id, measure, at, category, stratum)
            DO UPDATE SET n = analytics_tally.n + EXCLUDED.n
            RETURNING id, n
            """,
            [
                cohort.pk,
                [key.centre_id for key, _ in changed],
                [key.measure for key, _ in changed],
                [key.at for key, _ in changed],
                [key.category for key, _ in changed],
                [key.stratum for key, _ in changed],
                [n for _, n in changed],
            ],
        )
        emptied = [pk for pk, n in cursor.fetchall() if n == 0]
    Tally.objects.filter(pk__in=emptied).delete()
    centres = sorted({key.centre_id for key, _ in changed}, key=str)
    StaleResult.objects.bulk_create(StaleResult(cohort=cohort, centre_id=centre_id) for centre_id in centres)


def stored(cohort: Cohort) -> Counter[Key]:
    """Return the tallies as they are stored. One query."""
    rows = Tally.objects.filter(cohort=cohort).values_list(
        "centre_id", "measure", "at", "category", "stratum", "n"
    )
    return Counter({Key(centre, *key): n for centre, *key, n in rows})  # type: ignore[arg-type]


def count_patients(cohort: Cohort, centre_codes: Sequence[str]) -> int:
    """Return how many patients the cohort's treated courses belong to. One query over its outcomes."""
    conditions, values = filter_of(cohort, centre_codes)
    conditions.append(in_analysis_set(cohort.definition.rules))
    if cohort.courses_counted == CoursesCounted.FIRST:  # of which a patient has one
        counting = "count(*) FROM analytics_outcome o"
    else:
        counting = "count(DISTINCT c.patient_id) FROM analytics_outcome o JOIN treatments_course c ON c.id = o.course_id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {counting} WHERE o.time_zero IS NOT NULL AND o.problem = '' AND {' AND '.join(conditions)}",
            values,
        )
        return int(cursor.fetchone()[0])


def is_counted_as_described(cohort: Cohort) -> bool:
    """Return whether the stored tallies count what the cohort asks for now (its filter, definition and cut-off).

    One whose definition cannot be read counts nothing, and is never so.
    """
    try:
        return cohort.tallied_by == described(cohort)
    except (TypeError, ValueError):
        return False


@transaction.atomic
def rebuild(cohort_id: int) -> None:
    """Count the cohort anew from its outcomes. Refreshes wait meanwhile (analytics.freshness locks the cohort too)."""
    cohort = Cohort.objects.select_for_update(of=("self",)).select_related("definition").get(pk=cohort_id)
    before = stored(cohort)
    cohort.tallied_by, cohort.tallied_to = described(cohort), cutoff_of(cohort)
    cohort.save(update_fields=["tallied_by", "tallied_to"])
    after = count(cohort)
    after.subtract(before)
    add(cohort, after)
    # Even where no number changed, and where there is nobody: results print the definition and the cut-off.
    centres = (
        Centre.objects.filter(code__in=cohort.centre_codes) if cohort.centre_codes else Centre.objects.all()
    )
    StaleResult.objects.bulk_create(StaleResult(cohort=cohort, centre=centre) for centre in centres)
