"""From stale to fresh: derive the outcomes of marked courses, bring the tallies along, recompute the results.

Triggers mark courses in the writing transaction; everything here may run twice, in many workers at once, and be killed at
any moment: each step is one transaction that removes the marks it claimed with the work it did for them.
In words: docs/architecture.md.
"""

import gc
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from accounts.access import Act, roles_with
from accounts.models import Centre, Membership
from analytics import compute, facts, results, tallies
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
    recount_changed_cohorts()
    while refresh_outcomes():
        pass
    while refresh_results():
        pass


def recount_changed_cohorts() -> None:
    """Count anew the cohorts whose filter, definition or cut-off (today's date, where it is open) has changed."""
    for cohort in Cohort.objects.select_related("definition"):
        if not tallies.is_counted_as_described(cohort):
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
            "SELECT id, course_id FROM analytics_stalecourse ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
            [limit],
        )
        marks = cursor.fetchall()
        if not marks:
            return 0
        # A recount of a cohort must not run between our two counts.
        cursor.execute("SELECT id FROM analytics_cohort ORDER BY id FOR SHARE")
    cohorts = list(Cohort.objects.select_related("definition").order_by("pk"))
    course_ids = sorted({course_id for _, course_id in marks}, key=str)
    outcomes = _lock_outcomes(course_ids)

    counted = [cohort for cohort in cohorts if _is_counted(cohort)]
    before = {cohort.pk: tallies.count(cohort, course_ids) for cohort in counted}
    # Read only now that the outcomes are ours: whoever writes an outcome later has read its facts later.
    _derive(course_ids, outcomes)
    for cohort in counted:
        difference = tallies.count(cohort, course_ids)
        difference.subtract(before[cohort.pk])
        tallies.add(cohort, difference)

    StaleCourse.objects.filter(pk__in=[pk for pk, _ in marks]).delete()
    return len(marks)


def _is_counted(cohort: Cohort) -> bool:
    """Return whether differences can be added: the cohort has been counted, and its definition can be read."""
    try:
        return bool(cohort.tallied_by and cohort.definition.rules)
    except ValueError:
        return False


def _lock_outcomes(course_ids: Sequence[UUID]) -> list[tuple[int, UUID, int]]:
    """Return outcome, course and definition of the courses under every definition, locked; places are made for those
    not derived yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_outcome (course_id, definition_id, centre_id)
            SELECT c.id, d.id, p.centre_id
            FROM treatments_course c JOIN patients_patient p ON p.id = c.patient_id, analytics_definition d
            WHERE c.id = ANY(%s)
            ORDER BY c.id, d.id
            ON CONFLICT (course_id, definition_id) DO NOTHING
            """,
            [list(course_ids)],
        )
        cursor.execute(
            "SELECT id, course_id, definition_id FROM analytics_outcome WHERE course_id = ANY(%s)"
            " ORDER BY course_id, definition_id FOR UPDATE",
            [list(course_ids)],
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


@transaction.atomic
def refresh_results(limit: int = CHUNK) -> int:
    """Recompute the results whose tallies have changed, of up to ``limit`` marks that no other worker has claimed.

    Returns:
        The number of marks that were claimed and are now removed; 0 when there was nothing to do.
    """
    marks = list(StaleResult.objects.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:limit])
    touched: dict[int, set[UUID]] = defaultdict(set)
    for mark in marks:
        touched[mark.cohort_id].add(mark.centre_id)
    codes = dict(Centre.objects.values_list("pk", "code"))
    for cohort in Cohort.objects.filter(pk__in=touched).select_related("definition").order_by("pk"):
        touched_codes = {codes[centre_id] for centre_id in touched[cohort.pk]}
        for scope in sorted(_scopes(cohort)):
            if touched_codes & set(scope):
                recompute(cohort, scope)
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
def recompute(cohort: Cohort, codes: Sequence[str]) -> Result:
    """Compute and store the results of the cohort's patients at these centres; a new revision where they differ."""
    result, _ = Result.objects.get_or_create(cohort=cohort, scope=results.scope_of(codes))
    # Tallies are read only after the lock: whoever stores a result later has read its tallies later.
    result = Result.objects.select_for_update().get(pk=result.pk)
    computed_at = timezone.now()
    data, curves = _computed(cohort, codes)
    if data != result.data or curves != bytes(result.curves or b""):
        result.data, result.curves = data, curves
        result.revision += 1
        ResultRevision.objects.create(
            result=result,
            revision=result.revision,
            computed_at=computed_at,
            cohort_version=cohort.version,
            data=data,
        )
    result.computed_at = computed_at
    result.save(update_fields=["data", "curves", "revision", "computed_at"])
    return result


def _computed(cohort: Cohort, codes: Sequence[str]) -> tuple[dict[str, Any], bytes]:
    """Return results and curves as the database gives them back: whoever is answered from memory is answered the same."""
    data, curves = compute.results(cohort, list(codes))
    return orjson.loads(orjson.dumps(data)), orjson.dumps(curves)


def mark_everything() -> int:
    """Mark every course as stale, so that all outcomes are derived anew; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course")
        return cursor.rowcount


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
