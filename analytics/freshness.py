"""From stale to fresh: derive the outcomes of marked courses, bring the tallies along, recompute the results.

Triggers mark courses in the writing transaction; everything here may run twice, in many workers at once, and be killed at
any moment: each step is one transaction that removes the marks it claimed with the work it did for them.
In words: docs/architecture.md.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from accounts.access import Act, roles_with
from accounts.models import Centre, Membership
from analytics import compute, facts, results, tallies
from analytics.models import Cohort, Definition, Outcome, Result, ResultRevision, StaleCourse, StaleResult
from analytics.rules.endpoints import EndpointDefinition, derive

logger = logging.getLogger(__name__)

# Marks claimed by one transaction: enough to make large rebuilds quick, few enough to lose little when one is killed.
CHUNK = 1000

# The columns of an outcome that are derived, with their types.
_DERIVED = {
    "derived_at": "timestamptz", "problem": "text", "centre_id": "uuid", "is_first_course": "bool",
    "tumour_type": "text", "primary_site": "text", "started_on": "date", "time_zero": "date", "status": "text", "cycles_given": "int",
    "discontinued_after_cycle": "int", "discontinuation_reason": "text",
    "pfs_days": "int", "pfs_event": "bool", "pfs_on": "date", "pfs_basis": "text",
    "os_days": "int", "os_event": "bool", "os_on": "date", "os_basis": "text",
    "best_overall_response": "text", "response_evaluable": "bool", "response_evaluable_reason": "text",
    "death_cause": "text",
}  # fmt: skip


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


def _lock_outcomes(course_ids: Sequence[UUID]) -> list[Outcome]:
    """Return the outcomes of the courses under every definition, locked; places are made for those not derived yet."""
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
    locked = Outcome.objects.filter(course__in=course_ids).order_by("course_id", "definition_id")
    return list(locked.select_for_update(of=("self",)))


def _derive(course_ids: Sequence[UUID], outcomes: Sequence[Outcome]) -> None:
    courses = {course.id: course for course in facts.fetch(course_ids)}
    rules: dict[int, tuple[EndpointDefinition, date]] = {}
    for definition in Definition.objects.all():
        try:
            rules[definition.pk] = (definition.rules, definition.data_cutoff or date.max)
        except ValueError as error:
            logger.error("Definition %s cannot be read: %s", definition.pk, error)
    derived, gone = [], []
    for outcome in outcomes:
        course = courses.get(outcome.course_id)
        if course is None or outcome.definition_id not in rules:  # voided, or nothing to derive it by
            gone.append(outcome.pk)
        else:
            _fill(outcome, course, *rules[outcome.definition_id])
            derived.append(outcome)
    Outcome.objects.filter(pk__in=gone).delete()
    _store(derived)


def _store(outcomes: Sequence[Outcome]) -> None:
    """Write the derived columns of outcomes that have their row: one statement, a third of the time of bulk_update."""
    columns = ", ".join(_DERIVED)
    arrays = ", ".join(f"%s::{kind}[]" for kind in _DERIVED.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE analytics_outcome o SET ({columns}) = ROW({', '.join(f'u.{name}' for name in _DERIVED)})"  # noqa: S608
            f" FROM unnest(%s::bigint[], {arrays}) AS u (id, {columns}) WHERE o.id = u.id",
            [[outcome.pk for outcome in outcomes]]
            + [[getattr(outcome, name) for outcome in outcomes] for name in _DERIVED],
        )


def _fill(outcome: Outcome, course: facts.Course, rules: EndpointDefinition, cutoff: date) -> None:
    """Set every field of ``_DERIVED`` to what follows from the course's facts."""
    derived, problem = None, course.problem
    if course.facts is not None:
        try:
            derived = derive(course.facts, rules, cutoff=cutoff)
        except ValueError as error:
            # One course whose facts contradict each other must not hold up the others; it is counted apart.
            problem = str(error)
    if problem:
        logger.error("Course %s cannot be derived: %s", course.id, problem)
    pfs, overall = (derived.pfs, derived.os) if derived else (None, None)

    outcome.derived_at = timezone.now()
    outcome.problem = problem[:300]
    outcome.centre_id = course.centre_id
    outcome.is_first_course = course.is_first_course
    outcome.tumour_type = course.tumour_type
    outcome.primary_site = course.primary_site
    outcome.time_zero = outcome.started_on = derived.time_zero if derived else None
    outcome.status = derived.status if derived else "ongoing"
    outcome.cycles_given = derived.cycles_given if derived else 0
    outcome.discontinued_after_cycle = derived.discontinued_after_cycle if derived else None
    outcome.discontinuation_reason = (derived and derived.discontinuation_reason) or ""
    outcome.pfs_days = pfs.days if pfs else None
    outcome.pfs_event = pfs.event if pfs else None
    outcome.pfs_on = pfs.on if pfs else None
    outcome.pfs_basis = pfs.basis if pfs else ""
    outcome.os_days = overall.days if overall else None
    outcome.os_event = overall.event if overall else None
    outcome.os_on = overall.on if overall else None
    outcome.os_basis = overall.basis if overall else ""
    outcome.best_overall_response = (derived and derived.best_overall_response) or ""
    outcome.response_evaluable = bool(derived and derived.response_evaluable)
    outcome.response_evaluable_reason = derived.response_evaluable_reason if derived else ""
    outcome.death_cause = (derived and derived.death_cause) or ""


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
