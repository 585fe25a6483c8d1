"""Freshness with real workers, a real beat and a real broker, which are killed, stopped and doubled."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.db import connections, transaction

from accounts.models import Role
from accounts.records import correct_record, create_record
from analytics import freshness, results, tasks
from analytics.models import Cohort, Outcome, Result, StaleCourse, StaleResult
from patients.models import Contact, Death, DeathCause
from prrt_registry.embedded import broker as embedded_broker
from tests.factories import (
    CentreFactory,
    CourseFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from tests.processes import Process, database_url, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Path]:
    """A broker of this test's own; this process sends its tasks there too."""
    tasks._broker_left_alone_until = 0.0  # an earlier test may have met a broker that was away
    before = current_app.conf.broker_url
    current_app.conf.broker_url = embedded_broker.ensure_running(tmp_path)
    current_app._after_fork()  # Celery's own way to forget the connections it holds
    yield tmp_path
    embedded_broker.stop(tmp_path)
    current_app.conf.broker_url = before
    current_app._after_fork()


@pytest.fixture
def start(committed: None, broker: Path) -> Iterator[Callable[[str], Process]]:
    """Return a starter of ``worker`` and ``beat`` processes, which all end with the test."""
    running: list[Process] = []
    environment = {
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": embedded_broker.broker_url(broker),
        "REGISTRY_VAR": str(broker),
        "SWEEP_SECONDS": "1",
    }

    def begin(what: str) -> Process:
        arguments = ["-m", "celery", "-A", "prrt_registry", what, "--loglevel", "INFO"]
        if what == "worker":
            arguments += ["--concurrency", "2", "--without-gossip", "--without-mingle"]
        else:
            arguments += ["--schedule", str(broker / "beat"), "--pidfile="]
        running.append(Process(*arguments, environment=environment, log=broker / f"{what}.log"))
        return running[-1]

    yield begin
    for process in running:
        process.kill()


@pytest.fixture
def physician(committed: None):
    return make_user(role=Role.PHYSICIAN, centre=CentreFactory(), username="physician")


@transaction.atomic
def make_courses(n: int) -> list:
    made = []
    for index in range(n):
        course = CourseFactory(
            given=1 + index % 4, patient=PatientFactory(registry_number=f"STA-{index + 1:04d}")
        )
        StudyFactory(patient=course.patient)
        study = StudyFactory(patient=course.patient, timepoint="follow_up", performed_on=date(2019, 8, 1))
        ReadingFactory(study=study, overall_response=("SD", "PR", "PD")[index % 3])
        made.append(course)
    return made


def is_fresh() -> bool:
    return not StaleCourse.objects.exists() and not StaleResult.objects.exists() and Result.objects.exists()


def assert_equals_rebuild() -> None:
    for cohort in Cohort.objects.select_related("definition"):
        stored, anew = freshness.from_scratch(cohort)
        assert stored == anew
        assert not freshness.wrong_results(cohort)


def test_a_saved_death_reaches_the_dashboard_through_the_worker(start, physician):
    course = make_courses(3)[0]
    start("worker")
    freshness.refresh_inline()
    everyone = Cohort.objects.get(slug="all")
    assert results.payload(everyone, physician)["os"]["events"] == 0

    create_record(
        Death(patient=course.patient, died_on=date(2020, 1, 2), cause=DeathCause.OTHER), by=physician
    )

    # No beat runs: only the task asked for after the commit can have done it.
    wait_for(is_fresh, seconds=90, what="the worker refreshes after the commit")
    assert results.payload(everyone, physician)["os"]["events"] == 1
    assert_equals_rebuild()


def test_workers_killed_in_the_middle_of_a_recompute_lose_nothing(start, physician):
    courses = make_courses(150)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    start("beat")
    interrupted = 0
    for round_number in range(3):
        worker = start("worker")
        # Marks come faster than they are worked off, so that the kill falls into the work.
        freshness.mark_everything()
        wait_for(lambda: Outcome.objects.exists(), seconds=90, what="the worker begins")
        for course in chance.sample(courses, 20):
            on = date(2019, 9, 1) + timedelta(days=30 * round_number + chance.randrange(28))
            create_record(Contact(patient=course.patient, known_alive_on=on), by=physician)
            freshness.mark_everything()
        time.sleep(chance.uniform(0.0, 0.3))
        worker.kill()
        interrupted += StaleCourse.objects.exists() or StaleResult.objects.exists()
    assert interrupted, "no kill fell into a recompute: make the work longer"

    start("worker")
    wait_for(is_fresh, seconds=120, what="the sweep of beat and a new worker finish the work")
    assert_equals_rebuild()


def test_records_are_saved_while_the_broker_is_away_and_follow_when_it_is_back(start, physician, broker):
    courses = make_courses(5)
    worker = start("worker")
    start("beat")
    wait_for(is_fresh, seconds=90, what="the first refresh")
    embedded_broker.stop(broker)

    began = time.monotonic()
    for course in courses:
        create_record(
            Death(patient=course.patient, died_on=date(2020, 1, 2), cause=DeathCause.OTHER), by=physician
        )
    assert Death.objects.count() == 5
    assert time.monotonic() - began < 20, "a broker that is away must not hold up a save"
    assert StaleCourse.objects.exists()

    embedded_broker.ensure_running(broker)

    def is_fresh_again() -> bool:
        # A worker that had a message in hand when its broker went may end (kombu's transport of Redis asks a closed
        # connection for its address); as under the supervisor and under compose, another takes its place.
        nonlocal worker
        if worker.popen.poll() is not None:
            worker = start("worker")
        return is_fresh()

    wait_for(is_fresh_again, seconds=120, what="the sweep asks again")
    assert results.payload(Cohort.objects.get(slug="all"), physician)["os"]["events"] == 5
    assert_equals_rebuild()


def test_two_workers_at_once_agree_with_a_rebuild(start, physician):
    courses = make_courses(24)
    start("worker")
    start("worker")

    def correct(course) -> None:
        try:
            contact = create_record(
                Contact(patient=course.patient, known_alive_on=date(2019, 9, 1)), by=physician
            )
            for day in range(2, 6):
                contact = correct_record(
                    contact, {"known_alive_on": date(2019, 9, day)}, by=physician, reason="Another visit"
                )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as desks:
        list(desks.map(correct, courses))

    wait_for(is_fresh, seconds=120, what="both workers are done")
    assert_equals_rebuild()
