"""Tallies: how many courses of a cohort share a value, counted by one SQL for a few courses and for all of them.

A refresh counts the courses it touches before and after, and adds the difference; a rebuild counts everything. Results
are computed from tallies alone, so that one correction costs the same in a small registry and in a national one.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Centre
from analytics.models import Cohort, CoursesCounted, StaleResult, Tally
from analytics.rules.endpoints import EndpointDefinition


@dataclass(frozen=True)
class Key:
    """What is counted: a category of a measure at a centre, on a day or at a number of months or cycles."""

    centre_id: UUID
    measure: str
    at: int
    category: str


# One row per outcome and measure; a measure that does not apply to an outcome has no category. An outcome without
# time zero (nothing given yet) or with a problem has a status alone.
_MEASURES = """
    ('status', coalesce(o.discontinued_after_cycle, 0)::int, CASE
        WHEN o.problem <> '' THEN 'contradictory'
        WHEN o.time_zero IS NULL THEN 'not_started'
        WHEN o.status = 'discontinued' THEN 'discontinued:' || o.discontinuation_reason
        ELSE o.status END),
    ('response', 0, CASE WHEN o.time_zero IS NOT NULL THEN
        CASE WHEN o.response_evaluable THEN 'evaluable:' ELSE 'other:' END || o.best_overall_response END),
    ('death', 0, CASE WHEN o.time_zero IS NOT NULL THEN nullif(o.death_cause, '') END),
    ('pfs', o.pfs_days, CASE WHEN o.pfs_event THEN 'event' WHEN NOT o.pfs_event THEN 'censored' END),
    ('os', o.os_days, CASE WHEN o.os_event THEN 'event' WHEN NOT o.os_event THEN 'censored' END)
"""
# Who started too late to have reached the horizon by the cut-off has no state there.
_HORIZON = """
    ('{endpoint}_at', %s, CASE
        WHEN o.time_zero IS NULL OR %s::date - o.time_zero < %s THEN NULL
        WHEN o.{endpoint}_event AND o.{endpoint}_days <= %s THEN 'event'
        WHEN o.{endpoint}_days >= %s THEN 'event_free'
        ELSE 'unknown' END)
"""


def cutoff_of(cohort: Cohort) -> date:
    """Return the date up to which the cohort is counted: its definition's, or today."""
    return cohort.definition.data_cutoff or timezone.now().date()


def described(cohort: Cohort) -> str:
    """Return, as text to compare, everything that decides what the cohort's tallies count."""
    return json.dumps(
        {
            "definition": cohort.definition_id,
            "endpoints": cohort.definition.rules.to_json(),
            "cutoff": cutoff_of(cohort).isoformat(),
            "courses": cohort.courses_counted,
            "centres": sorted(cohort.centre_codes),
            "tumour_types": sorted(cohort.tumour_types),
            "primary_sites": sorted(cohort.primary_sites),
            "started": [str(cohort.started_from), str(cohort.started_to)],
        },
        sort_keys=True,
    )


def count(cohort: Cohort, course_ids: Sequence[UUID] | None = None) -> Counter[Key]:
    """Count the cohort's outcomes, of the given courses or of all, up to ``cohort.tallied_to``. One query."""
    # Imported here: lifelines, which the module uses, takes seconds to load, and pages read this one.
    from analytics.rules.survival import horizon_thresholds

    rules: EndpointDefinition = cohort.definition.rules
    measures, parameters = [_MEASURES], list[Any]()
    for months in rules.landmark_months:
        reach = horizon_thresholds(months, rules.month_days)
        for endpoint in ("pfs", "os"):
            measures.append(_HORIZON.format(endpoint=endpoint))
            parameters += [
                months,
                cohort.tallied_to,
                reach.followed_from,
                reach.event_by,
                reach.followed_from,
            ]
    conditions, values = filter_of(cohort)
    if course_ids is not None:
        conditions.append("o.course_id = ANY(%s)")
        values.append(list(course_ids))
    sql = f"""
        SELECT o.centre_id, m.measure, m.at, m.category, count(*)
        FROM analytics_outcome o CROSS JOIN LATERAL (VALUES {", ".join(measures)}) AS m (measure, at, category)
        WHERE m.category IS NOT NULL AND {" AND ".join(conditions)}
        GROUP BY 1, 2, 3, 4
    """  # noqa: S608 (the parts are constants of this module; values are parameters)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters + values)
        return Counter({Key(*key): n for *key, n in cursor.fetchall()})


def filter_of(cohort: Cohort) -> tuple[list[str], list[Any]]:
    """Return the cohort's filter as SQL conditions on outcomes ``o`` with their values."""
    conditions = ["o.definition_id = %s", "o.derived_at IS NOT NULL"]
    values: list[Any] = [cohort.definition_id]
    if cohort.courses_counted == CoursesCounted.FIRST:
        conditions.append("o.is_first_course")
    for column, wanted in (("tumour_type", cohort.tumour_types), ("primary_site", cohort.primary_sites)):
        if wanted:
            conditions.append(f"o.{column} = ANY(%s)")
            values.append(list(wanted))
    if cohort.centre_codes:
        conditions.append("o.centre_id IN (SELECT id FROM accounts_centre WHERE code = ANY(%s))")
        values.append(list(cohort.centre_codes))
    for comparison, day in ((">=", cohort.started_from), ("<=", cohort.started_to)):
        if day:
            conditions.append(f"o.time_zero {comparison} %s")
            values.append(day)
    return conditions, values


def add(cohort: Cohort, difference: Counter[Key]) -> None:
    """Add the difference to the stored tallies, and mark the results of the centres it touches as stale."""
    # In one order in every worker, so that two of them never wait for each other.
    changed = sorted(
        ((key, n) for key, n in difference.items() if n),
        key=lambda item: (str(item[0].centre_id), item[0].measure, item[0].at, item[0].category),
    )
    if not changed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_tally (cohort_id, centre_id, measure, at, category, n)
            SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::int[])
            ON CONFLICT (cohort_id, centre_id, measure, at, category)
            DO UPDATE SET n = analytics_tally.n + EXCLUDED.n
            RETURNING id, n
            """,
            [
                cohort.pk,
                [key.centre_id for key, _ in changed],
                [key.measure for key, _ in changed],
                [key.at for key, _ in changed],
                [key.category for key, _ in changed],
                [n for _, n in changed],
            ],
        )
        emptied = [pk for pk, n in cursor.fetchall() if n == 0]
    Tally.objects.filter(pk__in=emptied).delete()
    centres = sorted({key.centre_id for key, _ in changed}, key=str)
    StaleResult.objects.bulk_create(StaleResult(cohort=cohort, centre_id=centre_id) for centre_id in centres)


def stored(cohort: Cohort) -> Counter[Key]:
    """Return the tallies as they are stored. One query."""
    rows = Tally.objects.filter(cohort=cohort).values_list("centre_id", "measure", "at", "category", "n")
    return Counter({Key(centre, measure, at, category): n for centre, measure, at, category, n in rows})


def count_patients(cohort: Cohort, centre_codes: Sequence[str]) -> int:
    """Return how many patients the cohort's treated courses belong to. One query over its outcomes.

    Only for cohorts of every course: where each patient has one, the tallies know.
    """
    conditions, values = filter_of(cohort)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT c.patient_id) FROM analytics_outcome o JOIN treatments_course c ON c.id = o.course_id"  # noqa: S608
            " JOIN accounts_centre z ON z.id = o.centre_id"
            f" WHERE o.time_zero IS NOT NULL AND z.code = ANY(%s) AND {' AND '.join(conditions)}",
            [list(centre_codes), *values],
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
