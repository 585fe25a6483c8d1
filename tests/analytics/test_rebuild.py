"""Rebuilds of a definition: shared, watched, cancelled, taken up again, and killed at random."""

import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.records import create_record
from analytics import differences, freshness, rebuild, rebuilding, results, tallies
from analytics.models import (
    Cohort,
    Definition,
    Job,
    JobState,
    Outcome,
    OutcomeChange,
    RebuildChunk,
    Result,
    StaleCourse,
    StaleResult,
    Strata,
)
from bench import synthetic
from patients.models import Death, DeathCause
from tests.analytics.test_worker import assert_equals_rebuild, broker, start  # noqa: F401 (fixtures)
from tests.factories import CourseFactory, DeathFactory
from tests.processes import database_url, wait_for

NO_CLINICAL = {"clinical_progression": "ignore"}


@pytest.fixture
def everyone(db: None) -> Cohort:
    return Cohort.objects.select_related("definition").get(slug="all")


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "CHUNK", 2)


def make_courses(n: int = 5) -> list[Any]:
    courses = [CourseFactory(given=4) for _ in range(n)]
    DeathFactory(patient=courses[0].patient, died_on=date(2019, 9, 1))
    freshness.refresh_inline()
    return courses


def change(definition: Definition, **endpoints: Any) -> Job:
    Definition.objects.filter(pk=definition.pk).update(endpoints={"landmark_months": [3], **endpoints})
    return Job.objects.get(kind="rebuild", definition=definition, state=JobState.QUEUED)


def columns_of_outcomes() -> list[tuple[Any, ...]]:
    """Every column of every outcome but its key and when it was derived."""
    names = [
        field.attname for field in Outcome._meta.concrete_fields if field.name not in {"id", "derived_at"}
    ]
    return list(Outcome.objects.order_by("course_id", "definition_id").values_list(*names))


def test_a_changed_definition_makes_one_job_and_marks_no_course(everyone):
    make_courses(3)

    first = change(everyone.definition)
    second = change(everyone.definition, month_days="30")

    first.refresh_from_db()
    assert (first.state, second.state) == (JobState.CANCELLED, JobState.QUEUED)
    assert not StaleCourse.objects.exists()


def test_a_change_of_the_name_alone_makes_none(everyone):
    make_courses(1)

    Definition.objects.update(name="House rules")

    assert not Job.objects.filter(state=JobState.QUEUED).exists()


def test_until_the_last_chunk_is_done_the_former_results_stand_and_say_so(everyone, physician, small_chunks):
    make_courses(5)
    before = results.payload(everyone, physician)
    job = change(everyone.definition)

    assert rebuild.plan() == 3
    done = []
    while rebuild.do_chunk():
        done.append(rebuilding.progress(everyone.definition_id))
        freshness.refresh()
        found = results.payload(everyone, physician)
        assert (found["pfs"], found["revision"], found["stale"]) == (before["pfs"], before["revision"], True)
        assert found["rebuilding"] == done[-1]
    assert done == [{"done": 2, "total": 5}, {"done": 4, "total": 5}, {"done": 5, "total": 5}]

    assert rebuild.finish()
    assert not rebuild.finish()
    freshness.refresh_inline()

    job.refresh_from_db()
    found = results.payload(everyone, physician)
    assert (job.state, found["stale"], found["rebuilding"]) == (JobState.DONE, False, None)
    assert [at["months"] for at in found["pfs"]["landmarks"]] == [3]
    assert_equals_rebuild()


@pytest.mark.parametrize("chunks_before", [0, 1, 2, 3])
def test_a_correction_during_a_rebuild_is_counted_once(everyone, physician, small_chunks, chunks_before):
    courses = make_courses(5)
    change(everyone.definition)
    rebuild.plan()
    for _ in range(chunks_before):
        assert rebuild.do_chunk()

    create_record(
        Death(patient=courses[1].patient, died_on=date(2020, 1, 2), cause=DeathCause.OTHER), by=physician
    )
    CourseFactory(given=2)
    freshness.refresh()
    freshness.refresh_inline()

    assert results.payload(everyone, physician)["os"]["events"] == 2
    assert results.payload(everyone, physician)["n_patients"] == 6
    assert_equals_rebuild()


def test_a_cancelled_rebuild_leaves_its_cohorts_as_they_were_until_another_is_done(
    everyone, physician, small_chunks
):
    make_courses(5)
    before = results.payload(everyone, physician)
    job = change(everyone.definition)
    rebuild.plan()
    rebuild.do_chunk()

    assert rebuild.cancel(job)
    assert not rebuild.cancel(job)
    assert not rebuild.do_chunk()
    freshness.refresh_inline()

    found = results.payload(everyone, physician)
    assert (found["pfs"], found["stale"], found["rebuilding"]) == (
        before["pfs"], True, {"done": 2, "total": 5},
    )  # fmt: skip

    rebuild.start(everyone.definition)
    freshness.refresh_inline()
    assert not results.payload(everyone, physician)["stale"]
    assert_equals_rebuild()


def test_a_chunk_done_twice_changes_nothing(everyone, small_chunks):
    make_courses(5)
    change(everyone.definition)
    rebuild.plan()
    while rebuild.do_chunk():
        pass
    once = columns_of_outcomes()
    RebuildChunk.objects.update(done_at=None)

    while rebuild.do_chunk():
        pass

    assert columns_of_outcomes() == once


def test_a_changed_definition_notes_no_change_of_courses_and_a_rebuild_under_the_same_one_does(everyone):
    make_courses(3)
    noted = OutcomeChange.objects.count()
    change(everyone.definition, **NO_CLINICAL)
    freshness.refresh_inline()
    assert OutcomeChange.objects.count() == noted

    # As if a former release had derived it otherwise.
    one = Outcome.objects.order_by("pk").first()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL registry.note_changes = 'off'")
        cursor.execute("UPDATE analytics_outcome SET os_days = 1 WHERE id = %s", [one.pk])
        cursor.execute("SET LOCAL registry.note_changes = 'on'")
    rebuild.start(everyone.definition)
    freshness.refresh_inline()
    assert OutcomeChange.objects.count() == noted + 1


def test_an_empty_registry_is_rebuilt_at_once(everyone):
    job = change(everyone.definition)

    freshness.refresh_inline()

    job.refresh_from_db()
    assert (job.state, job.done, job.total) == (JobState.DONE, 0, 0)


def test_the_command_cancels_and_does_everything_anew(everyone, physician, capsys):
    make_courses(3)
    change(everyone.definition)

    call_command("rebuild_outcomes", "--cancel")
    assert "0 of 0 courses, cancelled" in capsys.readouterr().out
    call_command("rebuild_outcomes")
    call_command("rebuild_outcomes", "--check")

    assert not results.payload(everyone, physician)["stale"]


# A correction and many cohorts


def twenty_cohorts(definition: Definition) -> list[Cohort]:
    """Saved cohorts with filters of every kind; some count nobody, some everybody, under two definitions."""
    other = Definition.objects.create(name="Other rules", endpoints=NO_CLINICAL)
    kinds: list[dict[str, Any]] = [
        {},
        {"strata_by": Strata.SEX},
        {"sexes": ["female"]},
        {"tumour_types": ["net"], "strata_by": Strata.STATUS},
        {"statuses": ["completed"]},
        {"statuses": ["discontinued"], "strata_by": Strata.CENTRE},
        {"age_from": 60, "strata_by": Strata.AGE},
        {"cycles_from": 4},
        {"courses_counted": "all", "with_prior_therapies": ["prrt"]},
        {"without_prior_therapies": ["prrt"], "started_from": date(2019, 1, 1)},
    ]
    return [
        Cohort.objects.create(slug=f"c-{n}-{of.pk}", name=f"Cohort {n} of {of.pk}", definition=of, **values)
        for of in (definition, other)
        for n, values in enumerate(kinds)
    ]


def test_a_correction_takes_as_many_queries_with_twenty_cohorts_as_with_one(everyone, physician):
    courses = make_courses(3)

    def queries(days: int) -> int:
        Death.objects.filter(patient=courses[0].patient).update(died_on=date(2019, 10, days))
        with CaptureQueriesContext(connection) as captured:
            freshness.refresh_outcomes()
        freshness.refresh_inline()
        return len(captured)

    with_one = queries(1)
    twenty_cohorts(everyone.definition)
    freshness.refresh_inline()

    # One more definition is one more count before and one after.
    assert queries(2) == with_one + 2
    assert_equals_rebuild()


def test_counting_for_many_cohorts_at_once_equals_counting_each(everyone):
    courses = make_courses(6)
    twenty_cohorts(everyone.definition)
    freshness.refresh_inline()
    cohorts = list(Cohort.objects.select_related("definition"))
    ids = [course.pk for course in courses[:4]]

    at_once = differences.count(cohorts, ids)

    for cohort in cohorts:
        one_by_one = tallies.count(cohort, ids)
        (counted,) = [one for one in at_once if cohort.pk in one.cohort_ids]
        place = counted.cohort_ids.index(cohort.pk)
        found: dict[tallies.Key, int] = {}
        for (centre_id, measure, at, category, strata), n in counted.rows.items():
            if strata[place] is not None:
                key = tallies.Key(centre_id, measure, at, category, strata[place])
                found[key] = found.get(key, 0) + n
        assert found == one_by_one


def test_results_are_computed_only_where_a_tally_changed(everyone, monkeypatch):
    courses = make_courses(3)
    twenty_cohorts(everyone.definition)
    freshness.refresh_inline()
    computed: list[str] = []
    recompute = freshness.recompute
    monkeypatch.setattr(
        freshness,
        "recompute",
        lambda cohort, *a, **k: (computed.append(cohort.slug), recompute(cohort, *a, **k)),
    )

    # Nobody has had PRRT before: that cohort, and those of women where he is a man, have nothing new.
    Death.objects.filter(patient=courses[0].patient).update(died_on=date(2019, 10, 1))
    freshness.refresh_inline()

    touched = set(computed)
    assert everyone.slug in touched
    assert not any(slug.startswith("c-8-") for slug in touched)
    assert_equals_rebuild()


def test_reconciling_repairs_a_tally_and_says_which_cohort_was_wrong(everyone, caplog):
    make_courses(3)
    assert freshness.reconcile() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE analytics_tally SET n = n + 1 WHERE measure = 'os'")

    assert freshness.reconcile() == ["all"]

    assert "Cohort all:" in caplog.text
    assert freshness.reconcile() == []
    freshness.refresh_inline()
    assert_equals_rebuild()


# Bursts


def stale(cohort: Cohort, since: Any) -> None:
    StaleResult.objects.create(cohort=cohort, centre_id=Outcome.objects.first().centre_id, marked_at=since)


def test_corrections_one_after_the_other_are_computed_at_once(everyone):
    make_courses(2)
    for _ in range(30):
        stale(everyone, Result.objects.latest("stored_at").stored_at + timedelta(microseconds=1))
        assert freshness.seconds_until_due() == 0
        assert freshness.refresh_results() == 1


def test_corrections_made_while_results_are_computed_are_put_off_for_as_long_as_that_goes_on(everyone):
    make_courses(2)
    for _ in range(2):
        stored_at = Result.objects.latest("stored_at").stored_at
        stale(everyone, stored_at)
        freshness.refresh_results(at_once=True)
    Result.objects.update(busy_since=stored_at - timedelta(seconds=3), stored_at=stored_at)
    stale(everyone, stored_at)
    stale(everyone, stored_at + timedelta(minutes=1))  # and it goes on

    wait = freshness.seconds_until_due()
    assert wait is not None
    assert 1.5 < wait <= 3
    assert freshness.refresh_results() == 0

    Result.objects.update(busy_since=stored_at - timedelta(seconds=60))
    wait = freshness.seconds_until_due()
    assert wait is not None
    assert wait <= freshness.MOST_SECONDS_PUT_OFF
    # A command or a test does not wait.
    freshness.refresh_inline()
    assert freshness.seconds_until_due() is None


def test_a_result_that_follows_several_corrections_is_one_of_a_burst_which_a_second_without_one_ends(
    everyone,
):
    make_courses(2)
    stored_at = Result.objects.latest("stored_at").stored_at
    for milliseconds in (1, 200, 400):
        stale(everyone, stored_at + timedelta(milliseconds=milliseconds))
    freshness.refresh_results()
    result = Result.objects.latest("stored_at")
    assert result.busy_since

    Result.objects.update(busy_since=result.stored_at - timedelta(seconds=60))
    stale(everyone, result.stored_at)
    wait = freshness.seconds_until_due()
    assert wait is not None
    assert wait <= freshness.SECONDS_QUIET

    StaleResult.objects.update(marked_at=result.stored_at - timedelta(seconds=freshness.SECONDS_QUIET))
    assert freshness.seconds_until_due() == 0


def test_the_statements_of_one_correction_are_no_burst(everyone):
    make_courses(2)
    stored_at = Result.objects.latest("stored_at").stored_at
    for milliseconds in (1, 40, 90):
        stale(everyone, stored_at + timedelta(milliseconds=milliseconds))
    freshness.refresh_results()

    assert Result.objects.latest("stored_at").busy_since is None


# Real workers


@pytest.fixture
def definition(committed: None) -> Iterator[Definition]:
    """The definition that a migration brings, which is as it was after the test."""
    found = Cohort.objects.get(slug="all").definition
    endpoints = found.endpoints
    yield found
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    Definition.objects.filter(pk=found.pk).update(endpoints=endpoints)
    Job.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.mark.processes
def test_workers_killed_during_a_rebuild_repeat_at_most_their_chunk(start, definition, monkeypatch):  # noqa: F811
    n, size = 3000, 100
    synthetic.load(n)
    freshness.refresh_inline()
    monkeypatch.setattr(rebuild, "CHUNK", size)
    job = change(definition, **NO_CLINICAL)
    assert rebuild.plan() == n // size
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    beat = start("beat")
    kills = interrupted = 0

    def written() -> int:
        """Outcomes written since the server began to count, those rolled back among them."""
        with psycopg.connect(database_url()) as other:
            return int(
                other.execute(
                    "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'analytics_outcome'"
                ).fetchone()[0]
            )

    def done() -> int:
        return Job.objects.get(pk=job.pk).done

    before = written()
    while done() < n and kills < 4:
        workers = [start("worker"), start("worker")]
        at = done()
        wait_for(lambda at=at: done() > at or done() == n, seconds=120, what="the workers begin")
        time.sleep(chance.uniform(0.0, 0.5))
        for worker in workers:
            worker.kill()
        kills += 1
        interrupted += 0 < done() < n
    assert interrupted, "no kill fell into the rebuild: make it longer"
    last_worker = start("worker")
    wait_for(lambda: Job.objects.get(pk=job.pk).state == JobState.DONE, seconds=180, what="a rebuild goes on")
    wait_for(
        lambda: not results.payload(Cohort.objects.get(slug="all"), None)["stale"],
        seconds=60,
        what="it is counted",
    )

    # Two worker processes of two: a kill costs each of the four at most the chunk it was at. PostgreSQL counts what was
    # rolled back as well, a moment late.
    time.sleep(2)
    assert n <= written() - before <= n + kills * 4 * size
    assert_equals_rebuild()
    # From here on alone: what a worker has claimed, this process would pass by.
    beat.kill()
    last_worker.kill()
    by_workers = columns_of_outcomes()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM analytics_outcome")
    freshness.mark_everything()
    freshness.refresh_inline()
    assert columns_of_outcomes() == by_workers
