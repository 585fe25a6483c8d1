"""What a refresh adds to tallies: the courses it touches counted before and after, for any number of cohorts at once.

The SQL of measures, strata and filters is that of ``analytics.tallies``. Each measure of a course is counted once, with the
stratum that the course is in of every cohort beside it, and only what differs is spread over the cohorts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from analytics import tallies
from analytics.models import Cohort, StaleResult, Tally

# Centre, measure, value, category, and of each cohort the stratum, None: not counted by it.
_Row = tuple[UUID, str, int, str, tuple[str | None, ...]]


@dataclass(frozen=True)
class Counted:
    """Some courses, counted for cohorts of one definition to one date."""

    cohort_ids: tuple[int, ...]
    rows: Counter[_Row]


def count(cohorts: Sequence[Cohort], course_ids: Sequence[UUID]) -> list[Counted]:
    """Count the outcomes of some courses for the cohorts. One query for each definition and date of theirs."""
    together: dict[tuple[int, date], list[Cohort]] = defaultdict(list)
    for cohort in cohorts:
        assert cohort.tallied_to is not None
        together[cohort.definition_id, cohort.tallied_to].append(cohort)
    return [_count(of, cutoff, course_ids) for (_, cutoff), of in together.items()]


def _count(cohorts: Sequence[Cohort], cutoff: date, course_ids: Sequence[UUID]) -> Counted:
    strata, values = [], []
    for cohort in cohorts:
        conditions, of_filter = tallies.filter_of(cohort)
        strata.append(f"CASE WHEN {' AND '.join(conditions)} THEN ({tallies.stratum_of(cohort)})::text END")
        values += of_filter
    measures, of_measures = tallies.measures_of(cohorts[0].definition.rules, cutoff, tallies.MEASURES)
    sql = f"""
        SELECT o.centre_id, m.measure, m.at, m.category, o.strata_of_cohorts, count(*)::int
        FROM (
            SELECT o.*, ARRAY[{", ".join(strata)}] AS strata_of_cohorts FROM analytics_outcome o
            WHERE o.definition_id = %s AND o.course_id = ANY(%s)
            OFFSET 0
        ) AS o CROSS JOIN LATERAL ({measures}) AS m (measure, at, category)
        WHERE array_length(array_remove(o.strata_of_cohorts, NULL), 1) > 0
        GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608 (the parts are constants of tallies; values are parameters)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, cohorts[0].definition_id, list(course_ids), *of_measures])
        rows = Counter(
            {(*key, tuple(of_cohorts)): n for *key, of_cohorts, n in cursor.fetchall()},
        )
    return Counted(tuple(cohort.pk for cohort in cohorts), rows)  # type: ignore[arg-type]


def add(before: Sequence[Counted], after: Sequence[Counted], *, marked_at: Collection[datetime]) -> None:
    """Add to the stored tallies what differs between two counts of the same cohorts, and mark the results it touches.

    Args:
        marked_at: when the corrections were made. Results are marked with the first and the last.
    """
    changed: Counter[tuple[int, UUID, str, int, str, str]] = Counter()
    for former, latter in zip(before, after, strict=True):
        for row, n in _difference(former.rows, latter.rows).items():
            *key, strata = row
            for cohort_id, stratum in zip(former.cohort_ids, strata, strict=True):
                if stratum is not None:
                    changed[cohort_id, *key, stratum] += n  # type: ignore[index]
    # In one order in every worker, so that two of them never wait for each other.
    rows = sorted(
        ((key, n) for key, n in changed.items() if n),
        key=lambda row: (row[0][0], str(row[0][1]), *row[0][2:]),
    )
    if not rows:
        return
    columns: list[Any] = [list(column) for column in zip(*(key for key, _ in rows), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_tally (cohort_id, centre_id, measure, at, category, stratum, n)
            SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::int[], %s::text[], %s::text[], %s::int[])
            ON CONFLICT (cohort_id, centre_id, measure, at, category, stratum)
            DO UPDATE SET n = analytics_tally.n + EXCLUDED.n
            RETURNING id, n
            """,
            [*columns, [n for _, n in rows]],
        )
        emptied = [pk for pk, n in cursor.fetchall() if n == 0]
    if emptied:
        Tally.objects.filter(pk__in=emptied).delete()
    touched = sorted({(key[0], key[1]) for key, _ in rows}, key=str)
    StaleResult.objects.bulk_create(
        StaleResult(cohort_id=cohort_id, centre_id=centre_id, marked_at=at)
        for cohort_id, centre_id in touched
        for at in sorted({min(marked_at), max(marked_at)})
    )


def _difference(before: Mapping[_Row, int], after: Mapping[_Row, int]) -> dict[_Row, int]:
    return {row: n for row in before.keys() | after.keys() if (n := after.get(row, 0) - before.get(row, 0))}
