"""From stale to fresh: derive the outcomes of marked courses, bring the tallies along, recompute the results.

Triggers mark courses in the writing transaction; everything here may run twice, in many workers at once, and be killed at
any moment: each step is one transaction that removes the marks it claimed with the work it did for them.
In words: docs/architecture.md.
"""

import gc
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection, transaction
from django.utils import timezone

from accounts.access import Act, roles_with
from accounts.models import Centre, Membership
from analytics import compute, data_queries, differences, facts, rebuild, rebuilding, results, tallies
from analytics.models import (
    ENDPOINTS,
    Cohort,
    Definition,
    Outcome,
    Result,
    ResultRevision,
    StaleCourse,
    StaleResult,
)
from analytics.rules.baseline import describe
from analytics.rules.endpoints import EndpointDefinition, derive

logger = logging.getLogger(__name__)

# Marks claimed by one transaction: enough to make large rebuilds quick, few enough to lose little when one is killed.
CHUNK = 1000

# The columns of an outcome that are derived, with their types, in the order of ``_row``. Arrays travel as one text.
_DERIVED = {
    "problem": "text", "centre_id": "uuid", "is_first_course": "bool", "sex": "text", "protocol": "text",
    "intent": "text", "planned_cycles": "int4",
    "age_years": "int4", "tumour_type": "text", "primary_site": "text", "who_grade": "text", "ki67_percent": "numeric",
    "functional_syndrome": "text", "ecog": "int4", "prior_therapies": "text", "baseline_suv_max": "numeric",
    "baseline_krenning": "int4",
    "started_on": "date", "time_zero": "date", "entry_days": "int4", "status": "text", "cycles_given": "int4",
    "discontinued_after_cycle": "int4", "discontinuation_reason": "text", "cumulative_activity_mbq": "numeric",
    "dose_intensity_percent": "numeric", "delayed_cycles": "int4", "reduced_cycles": "int4", "toxicities": "text",
    "responses": "text", "best_overall_response": "text", "confirmed_best_overall_response": "text",
    "best_sstr_response": "text", "response_evaluable": "bool", "response_evaluable_reason": "text",
    "death_cause": "text",
    **{
        f"{endpoint}_{part}": kind
        for endpoint in ENDPOINTS
        for part, kind in (("days", "int4"), ("event", "bool"), ("on", "date"), ("basis", "text"))
    },
}  # fmt: skip
_ARRAYS = {"prior_therapies", "toxicities", "responses"}
_BETWEEN = "\x1f"  # the elements of an array: no text of a record has it
_NO_TIME = (None, None, None, "")
# What stands in the columns from ``started_on`` on where the facts contradict each other.
_UNDERIVED: tuple[Any, ...] = (
    None, None, 0, "ongoing", 0, None, "", None, None, None, None, "", "", "", "", "", False, "", "",
    *len(ENDPOINTS) * _NO_TIME,
)  # fmt: skip
_INCOMING = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS analytics_incoming (id int8, "
    + ", ".join(f"{name} {kind}" for name, kind in _DERIVED.items())
    + ")"
)
_UPDATE = (
    f"UPDATE analytics_outcome o SET (derived_at, {', '.join(_DERIVED)}) = ROW(%s, "  # noqa: S608 (constants)
    + ", ".join(
        f"string_to_array(u.{name}, E'\\x1f')" if name in _ARRAYS else f"u.{name}" for name in _DERIVED
    )
    + ") FROM analytics_incoming u WHERE o.id = u.id"
)


def refresh_inline() -> None:
    """Bring everything up to date that no other worker is busy with, in this process and without a broker."""
    rebuild.inline()
    refresh()
    # A cohort that another worker had in hand is done by it, or has new marks since.
    while refresh_results(at_once=True):
        pass
    data_queries.refresh_inline()


def is_behind() -> bool:
    """Return whether more is marked than one worker should do alone: an import, for example."""
    return bool(StaleCourse.objects.values("pk")[2 * CHUNK : 2 * CHUNK + 1])


MANY_RESULTS = 4  # stale cohorts that are more than one worker should compute alone


def refresh(ask_for_help: Callable[[], None] | None = None) -> float | None:
    """Bring outcomes and results up to date; rebuilds are left to their chunks.

    Args:
        ask_for_help: called where another worker should share the results: each takes the cohorts that no other has.

    Returns:
        The seconds until a result is due that was put off (``refresh_results``); None: nothing was put off.
    """
    recount_changed_cohorts()
    while refresh_outcomes():
        pass
    if ask_for_help and sum(not seconds for seconds in _due().values()) >= MANY_RESULTS:
        ask_for_help()
    while refresh_results():
        pass
    return seconds_until_due()


def recount_changed_cohorts() -> None:
    """Count anew the cohorts whose filter, definition or cut-off (today's date, where it is open) has changed.

    While outcomes of the definition are derived anew there is nothing whole to count.
    """
    being_rebuilt = rebuilding.unfinished()
    for cohort in Cohort.objects.select_related("definition"):
        if cohort.definition_id not in being_rebuilt and not tallies.is_counted_as_described(cohort):
            try:
                tallies.rebuild(cohort.pk)
            except ValueError as error:
                # One definition that cannot be read must not hold up the other cohorts.
                logger.error("Cohort %s cannot be counted: %s", cohort.slug, error)


@transaction.atomic
def refresh_outcomes(limit: int = CHUNK) -> int:
    """Derive the outcomes of up to ``limit`` marks that no other worker has claimed, and bring the tallies along.

    Returns:
        The number of marks that were claimed and are now removed; 0 when there was nothing to do.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT course_id FROM analytics_stalecourse ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED", [limit]
        )
        # All marks of these courses that are free: an import marks a course once for each table that it fills.
        picked = list({course_id for (course_id,) in cursor.fetchall()})
        if not picked:
            return 0
        cursor.execute(
            "SELECT id, course_id, marked_at FROM analytics_stalecourse WHERE course_id = ANY(%s) FOR UPDATE SKIP LOCKED",
            [picked],
        )
        marks = cursor.fetchall()
        # A recount of a cohort must not run between our two counts.
        cursor.execute("SELECT id FROM analytics_cohort ORDER BY id FOR SHARE")
    # Asked only now: a rebuild that ends takes these locks as well, and then its cohorts are counted from nothing.
    being_rebuilt = rebuilding.unfinished()
    cohorts = Cohort.objects.select_related("definition").order_by("pk")
    counted = [one for one in cohorts if one.definition_id not in being_rebuilt and _is_counted(one)]
    course_ids = sorted({course_id for _, course_id, _ in marks}, key=str)
    outcomes = _lock_outcomes(course_ids)

    before = differences.count(counted, course_ids)
    # Read only now that the outcomes are ours: whoever writes an outcome later has read its facts later.
    _derive(course_ids, outcomes)
    after = differences.count(counted, course_ids)
    differences.add(before, after, marked_at={at for _, _, at in marks})

    StaleCourse.objects.filter(pk__in=[pk for pk, _, _ in marks]).delete()
    return len(marks)


def derive_again(course_ids: Sequence[UUID], definition_id: int) -> None:
    """Derive the outcomes of courses under one definition, in the caller's transaction. Nothing is counted."""
    _derive(course_ids, _lock_outcomes(course_ids, definition_id))


def _is_counted(cohort: Cohort) -> bool:
    """Return whether differences can be added: the cohort has been counted, and its definition can be read."""
    try:
        return bool(cohort.tallied_by and cohort.definition.rules)
    except ValueError:
        return False


def _lock_outcomes(
    course_ids: Sequence[UUID], definition_id: int | None = None
) -> list[tuple[int, UUID, int]]:
    """Return outcome, course and definition of the courses under one or every definition, locked; places are made for
    those not derived yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_outcome (course_id, definition_id, centre_id)
            SELECT c.id, d.id, p.centre_id
            FROM treatments_course c JOIN patients_patient p ON p.id = c.patient_id, analytics_definition d
            WHERE c.id = ANY(%s) AND d.id = coalesce(%s::bigint, d.id) AND NOT EXISTS (
                SELECT FROM analytics_outcome o WHERE o.course_id = c.id AND o.definition_id = d.id)
            ORDER BY c.id, d.id
            ON CONFLICT (course_id, definition_id) DO NOTHING
            """,
            [list(course_ids), definition_id],
        )
        cursor.execute(
            "SELECT id, course_id, definition_id FROM analytics_outcome"
            " WHERE course_id = ANY(%s) AND definition_id = coalesce(%s::bigint, definition_id)"
            " ORDER BY course_id, definition_id FOR UPDATE",
            [list(course_ids), definition_id],
        )
        return list(cursor.fetchall())


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from running: a batch makes many objects and no cycle, and each full collection walks
    all that is loaded. It took half of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collector()
def _derive(course_ids: Sequence[UUID], outcomes: Sequence[tuple[int, UUID, int]]) -> None:
    courses = {course.id: course for course in facts.fetch(course_ids)}
    rules: dict[int, tuple[EndpointDefinition, date]] = {}
    for definition in Definition.objects.all():
        try:
            rules[definition.pk] = (definition.rules, definition.data_cutoff or date.max)
        except ValueError as error:
            logger.error("Definition %s cannot be read: %s", definition.pk, error)
    derived, gone = [], []
    for pk, course_id, definition_id in outcomes:
        course = courses.get(course_id)
        if course is None or definition_id not in rules:  # voided, or nothing to derive it by
            gone.append(pk)
        else:
            derived.append((pk, *_row(course, *rules[definition_id])))
    if gone:
        Outcome.objects.filter(pk__in=gone).delete()
    _store(derived)


def _store(rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the derived columns of outcomes that have their row: id, then the columns of ``_DERIVED``.

    Copied in PostgreSQL's binary format into a table of this connection, from which one statement updates them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        with cursor.copy("COPY analytics_incoming FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", *_DERIVED.values()])
            for row in rows:
                copy.write_row(row)
        cursor.execute(_UPDATE, [timezone.now()])
        cursor.execute("TRUNCATE analytics_incoming")


def _row(course: facts.Course, rules: EndpointDefinition, cutoff: date) -> tuple[Any, ...]:
    """Return what follows from the course's facts, in the order of ``_DERIVED``."""
    derived, problem = None, course.problem
    try:
        if course.facts is not None:
            derived = derive(course.facts, rules, cutoff=cutoff)
            problem = derived.problem
        started_on = derived.started_on if derived else None
        baseline = describe(course.baseline, started_on=started_on, cutoff=cutoff)
    except ValueError as error:
        # One course whose facts contradict each other must not hold up the others; it is counted apart.
        derived, problem = None, str(error)
        baseline = describe(course.baseline, started_on=None, cutoff=cutoff)
    if problem and derived is None:
        logger.error("Course %s cannot be derived: %s", course.id, problem)
    of_course = (
        problem[:300],
        course.centre_id,
        course.is_first_course,
        course.sex,
        course.protocol,
        course.intent,
        course.facts.planned_cycles if course.facts else None,
        baseline.age_years,
        baseline.tumour_type,
        baseline.primary_site,
        baseline.who_grade,
        baseline.ki67_percent,
        baseline.functional_syndrome,
        baseline.ecog,
        _BETWEEN.join(baseline.prior_therapies),
        baseline.suv_max,
        baseline.krenning_score,
    )
    if derived is None:
        return of_course + _UNDERIVED
    row: tuple[Any, ...] = (
        *of_course,
        derived.started_on,
        derived.time_zero,
        derived.entry_days,
        derived.status,
        derived.cycles_given,
        derived.discontinued_after_cycle,
        derived.discontinuation_reason or "",
        derived.cumulative_activity_mbq,
        derived.dose_intensity_percent,
        derived.delayed_cycles,
        derived.reduced_cycles,
        _BETWEEN.join(derived.toxicities),
        _BETWEEN.join(derived.responses),
        derived.best_overall_response or "",
        derived.confirmed_best_overall_response or "",
        derived.best_sstr_response or "",
        derived.response_evaluable,
        derived.response_evaluable_reason,
        derived.death_cause or "",
    )
    for time in (derived.pfs, derived.os, derived.ttr, derived.dor, derived.ttnt, derived.ttd):
        row += (time.days, time.event, time.on, time.basis) if time is not None else _NO_TIME
    return row


# While corrections come faster than results are computed, a result is computed again only after as long as that has been
# going on, within these seconds: a burst costs a few computations, however many corrections it has.
LEAST_SECONDS_PUT_OFF, MOST_SECONDS_PUT_OFF = 0.25, 10
SECONDS_QUIET = 1  # without a correction, after which a burst is over
# A correction marks its course with each of its statements: what is marked further apart is several.
_ONE_CORRECTION = timedelta(milliseconds=100)
_DUE = """
SELECT m.cohort_id, greatest(0, extract(epoch FROM
    least(min(r.busy_until), max(m.marked_at) + %s * interval '1 second') - clock_timestamp()))::float8 AS seconds,
    min(r.busy_until) IS NULL AS at_once
FROM analytics_staleresult m LEFT JOIN (
    SELECT cohort_id, max(CASE WHEN busy_since IS NOT NULL
        THEN stored_at + greatest(%s * interval '1 second', least(stored_at - busy_since, %s * interval '1 second'))
        END) AS busy_until
    FROM analytics_result GROUP BY 1
) r ON r.cohort_id = m.cohort_id
GROUP BY 1 ORDER BY 2, min(m.id)
"""


def _due() -> dict[int, float]:
    """Return the cohorts whose results are stale, and the seconds until they are due. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [SECONDS_QUIET, LEAST_SECONDS_PUT_OFF, MOST_SECONDS_PUT_OFF])
        return {cohort_id: 0.0 if at_once else seconds for cohort_id, seconds, at_once in cursor.fetchall()}


def seconds_until_due() -> float | None:
    """Return how long until the first stale result is due; None: none is stale."""
    return min(_due().values(), default=None)


def refresh_results(*, at_once: bool = False) -> int:
    """Recompute the results whose tallies have changed, of cohorts that no other worker is computing.

    Args:
        at_once: those as well that are put off because corrections come in a burst.

    Returns:
        The number of marks that are now removed; 0 when there was nothing to do.
    """
    return sum(_refresh_results_of(pk) for pk, seconds in _due().items() if at_once or not seconds)


_RESULTS_LOCK = 0x5052  # of PostgreSQL's advisory locks, with the cohort's id
_WAITING_LOCK = 0x5053


@contextmanager
def waiting_alone() -> Iterator[bool]:
    """Say whether this process is the one that waits for results that were put off, for as long as the block lasts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 0)", [_WAITING_LOCK])
        alone = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [_WAITING_LOCK])


@transaction.atomic
def _refresh_results_of(cohort_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_RESULTS_LOCK, cohort_id])
        if not cursor.fetchone()[0]:
            return 0
    marks = list(StaleResult.objects.filter(cohort_id=cohort_id).order_by("pk"))
    cohort = Cohort.objects.select_related("definition").filter(pk=cohort_id).first()
    if cohort is None or not marks:
        return 0
    # What was counted by another description is not computed by this one: the count to come marks all its results.
    if tallies.is_counted_as_described(cohort) and cohort.definition_id not in rebuilding.unfinished():
        codes = dict(Centre.objects.values_list("pk", "code"))
        touched = {codes[mark.centre_id] for mark in marks}
        corrected_at = {mark.marked_at for mark in marks}
        for scope in sorted(_scopes(cohort)):
            if touched & set(scope):
                recompute(cohort, scope, corrected_at=corrected_at)
    StaleResult.objects.filter(pk__in=[mark.pk for mark in marks]).delete()
    return len(marks)


def _scopes(cohort: Cohort) -> set[tuple[str, ...]]:
    """Return the sets of centres that somebody is shown the cohort for: each alone, all, and each user's own."""
    all_codes = results.centre_codes(cohort, None)
    by_user: dict[UUID, set[str]] = defaultdict(set)
    shown = Membership.objects.filter(role__in=roles_with(Act.VIEW_RESULTS), centre__code__in=all_codes)
    for user_id, code in shown.values_list("user_id", "centre__code"):
        by_user[user_id].add(code)
    scopes = {(code,) for code in all_codes} | {tuple(sorted(codes)) for codes in by_user.values()}
    return scopes | {tuple(all_codes)} if all_codes else scopes


@transaction.atomic
def recompute(cohort: Cohort, codes: Sequence[str], *, corrected_at: Collection[datetime] = ()) -> Result:
    """Compute and store the results of the cohort's patients at these centres; a new revision where they differ.

    Args:
        corrected_at: when the corrections were made that it follows.
    """
    result, _ = Result.objects.defer("curves", "data").get_or_create(
        cohort=cohort, scope=results.scope_of(codes)
    )
    # Tallies are read only after the lock: whoever stores a result later has read its tallies later.
    result = Result.objects.select_for_update().defer("curves").get(pk=result.pk)
    computed_at = timezone.now()
    data, curves = _computed(cohort, codes)
    if data != result.data or not _are_stored(result, curves):
        result.data = data
        _store_curves(result, curves)
        result.revision += 1
        ResultRevision.objects.create(
            result=result,
            revision=result.revision,
            computed_at=computed_at,
            cohort_version=cohort.version,
            data=data,
        )
    # One of a burst: it follows several corrections, or one made while the former result was computed. Whoever waits for
    # each before the next is not put off.
    in_burst = corrected_at and (
        max(corrected_at) - min(corrected_at) > _ONE_CORRECTION
        or (result.stored_at and min(corrected_at) <= result.stored_at)
    )
    result.busy_since = (result.busy_since or computed_at) if in_burst else None
    result.computed_at, result.stored_at = computed_at, timezone.now()
    result.save(update_fields=["data", "revision", "computed_at", "busy_since", "stored_at"])
    return result


# Curves are megabytes in a large registry: they travel in PostgreSQL's binary format, not as text of twice their length.


def _are_stored(result: Result, curves: bytes) -> bool:
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute("SELECT curves FROM analytics_result WHERE id = %s", [result.pk], binary=True)
        found = cursor.fetchone()
    return found is not None and found[0] == curves


def _store_curves(result: Result, curves: bytes) -> None:
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute("UPDATE analytics_result SET curves = %b WHERE id = %s", [curves, result.pk])


def _computed(cohort: Cohort, codes: Sequence[str]) -> tuple[dict[str, Any], bytes]:
    """Return results and curves as the database gives them back: whoever is answered from memory is answered the same."""
    data, curves = compute.results(cohort, list(codes))
    return orjson.loads(orjson.dumps(data)), orjson.dumps(curves)


def mark_everything() -> int:
    """Mark every course as stale, so that all outcomes are derived anew; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course")
        return cursor.rowcount


def reconcile() -> list[str]:
    """Compare the tallies of each cohort with a count of its outcomes, and repair those that differ.

    Returns:
        The slugs of cohorts that differed: each is an error in the code, and logged as one.
    """
    wrong = []
    for cohort in Cohort.objects.order_by("pk"):
        differs = tallies_that_differ(cohort.pk)
        if differs:
            logger.error(
                "Cohort %s: %d tallies differ from its outcomes; they are counted anew.", cohort.slug, differs
            )
            tallies.rebuild(cohort.pk)
            wrong.append(cohort.slug)
    return wrong


@transaction.atomic
def tallies_that_differ(cohort_id: int) -> int:
    """Return how many of the cohort's tallies are not what its outcomes say; 0 where it is to be counted anew anyhow."""
    # Refreshes wait: between two commits of theirs, tallies and outcomes agree.
    cohort = Cohort.objects.select_for_update(of=("self",)).select_related("definition").get(pk=cohort_id)
    if not tallies.is_counted_as_described(cohort):
        return 0
    stored, counted = tallies.stored(cohort), tallies.count(cohort)
    # Asked last: a rebuild may have begun while it was counted.
    if cohort.definition_id in rebuilding.unfinished():
        return 0
    return sum(stored[key] != counted[key] for key in stored.keys() | counted.keys())


class _RollBackError(Exception):
    """Ends a block whose writes were only for looking at."""


def wrong_results(cohort: Cohort) -> list[str]:
    """Return the scopes whose stored result is not what the stored tallies give."""
    return [
        result.scope
        for result in Result.objects.filter(cohort=cohort, data__isnull=False)
        if (result.data, bytes(result.curves or b"")) != _computed(cohort, result.scope.split("+"))
    ]


def from_scratch(cohort: Cohort) -> tuple[Counter[tallies.Key], Counter[tallies.Key]]:
    """Return the cohort's tallies as stored and as they follow from the records alone, for comparison.

    The second are computed in a transaction that is rolled back.
    """
    stored = tallies.stored(cohort)
    anew: Counter[tallies.Key] = Counter()
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL registry.note_changes = 'off'")
            Outcome.objects.all().delete()
            StaleCourse.objects.all().delete()
            mark_everything()
            while refresh_outcomes():
                pass
            anew = tallies.count(Cohort.objects.select_related("definition").get(pk=cohort.pk))
            raise _RollBackError
    except _RollBackError:
        pass
    return stored, anew
