"""Long work: who is told of it, what a worker that dies leaves behind, and how it is cancelled."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.errors import RegistryError
from accounts.models import Membership, Role, User
from analytics import jobs, tasks
from analytics.models import Cohort, Job, JobKind, JobState
from tests.factories import make_user

pytestmark = pytest.mark.django_db

NAME = "Jane Canary"


@pytest.fixture(autouse=True)
def kinds(monkeypatch) -> Iterator[dict]:
    """No kind of work but those that a test registers."""
    found: dict = {}
    monkeypatch.setattr(jobs, "_kinds", found)
    return found


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The times a worker was asked; none is."""
    times: list[str] = []
    monkeypatch.setattr(tasks, "ask_for_job", lambda: times.append("asked"))
    return times


@pytest.fixture
def cohort(centre) -> Cohort:
    return Cohort.objects.get(slug="all")


@pytest.fixture
def other_session() -> Iterator:
    """A second connection to the same database: another worker."""
    other = connection.copy()
    yield other
    other.close()


def number_of(job: Job) -> int:
    return int.from_bytes(job.pk.bytes[:8], "big", signed=True)


def hold(session, job: Job) -> None:
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number_of(job)])
        assert cursor.fetchone()[0]


def is_held(session, job: Job) -> bool:
    """Return whether another session than ``session`` holds the job."""
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number_of(job)])
        if not cursor.fetchone()[0]:
            return True
        cursor.execute("SELECT pg_advisory_unlock(%s)", [number_of(job)])
    return False


def work_of_three_steps(job: Job, progress: jobs.Progress) -> jobs.File:
    for done in range(3):
        progress.step(f"step {done}", done=done, total=3)
    return jobs.File("report.pdf", "application/pdf", b"%PDF", centres=["STA"])


def registered(work=work_of_three_steps, **values) -> None:
    jobs.runs(JobKind.REPORT, **values)(work)


# Asking


def test_a_worker_is_asked_only_after_the_commit(
    physician, cohort, asked, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.start(JobKind.REPORT, physician, cohort=cohort)
        assert asked == []
    assert asked == ["asked"]
    assert job.state == JobState.QUEUED


def test_work_that_is_rolled_back_is_not_asked_for(physician, asked, django_capture_on_commit_callbacks):
    def fail() -> None:
        with transaction.atomic():
            jobs.start(JobKind.REPORT, physician)
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        fail()
    assert asked == []
    assert not Job.objects.exists()


def test_a_broker_that_is_away_leaves_the_job_waiting_for_the_sweep(
    physician, monkeypatch, django_capture_on_commit_callbacks
):
    def away(**_):
        raise ConnectionError("no broker")

    registered()
    monkeypatch.setattr(tasks, "_broker_left_alone_until", 0.0)
    monkeypatch.setattr(tasks.run_job, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.start(JobKind.REPORT, physician)
    assert jobs.waiting() == 1

    sent: list[dict] = []
    monkeypatch.setattr(tasks, "_broker_left_alone_until", 0.0)
    monkeypatch.setattr(tasks.run_job, "apply_async", lambda **values: sent.append(values))
    tasks.sweep()
    assert len(sent) == 1
    # No identity, and nothing else, goes to the broker.
    assert "args" not in sent[0]
    tasks.run_job()
    job.refresh_from_db()
    assert job.state == JobState.DONE


def test_asking_twice_while_it_waits_is_asking_once(physician, cohort, asked):
    first = jobs.start(JobKind.REPORT, physician, cohort=cohort, parameters={"format": "pdf"})
    again = jobs.start(JobKind.REPORT, physician, cohort=cohort, parameters={"format": "pdf"})
    other = jobs.start(JobKind.REPORT, physician, cohort=cohort, parameters={"format": "html"})
    assert first.pk == again.pk != other.pk


def test_one_user_cannot_fill_the_queue(physician, data_manager, asked):
    for n in range(jobs.MOST_AT_ONCE):
        jobs.start(JobKind.REPORT, physician, parameters={"n": n})

    with pytest.raises(RegistryError) as refused:
        jobs.start(JobKind.REPORT, physician, parameters={"n": -1})

    assert refused.value.code == "too_many_jobs"
    jobs.start(JobKind.REPORT, data_manager)


# Doing


def test_a_job_is_done_and_says_how_far_it_is(physician, cohort, asked):
    seen = []

    def work(job: Job, progress: jobs.Progress) -> jobs.File:
        for done in range(2):
            progress.step(f"step {done}", done=done, total=2)
            seen.append(Job.objects.values_list("state", "step", "done", "total").get(pk=job.pk))
        return jobs.File("a.txt", "text/plain", b"made", centres=["STA"])

    registered(work)
    job = jobs.start(JobKind.REPORT, physician, cohort=cohort)
    assert jobs.run_next()

    assert seen == [("running", "step 0", 0, 2), ("running", "step 1", 1, 2)]
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.step) == (JobState.DONE, 2, 2, "")
    assert (job.file_name, job.content_type, bytes(job.content)) == ("a.txt", "text/plain", b"made")
    assert job.started_at is not None
    assert job.ended_at is not None
    assert not jobs.run_next()


def test_the_job_that_has_waited_longest_is_done_first(physician, asked):
    done = []
    registered(lambda job, progress: done.append(job.pk))
    made = [jobs.start(JobKind.REPORT, physician, parameters={"n": n}) for n in range(3)]
    for place, job in enumerate(reversed(made)):  # one transaction has one time
        Job.objects.filter(pk=job.pk).update(requested_at=timezone.now() + timedelta(seconds=place))
    while jobs.run_next():
        pass
    assert done == [job.pk for job in reversed(made)]


def test_a_kind_that_this_worker_does_not_know_is_left_to_others(physician, asked):
    registered()
    job = jobs.start(JobKind.EXPORT, physician)
    assert not jobs.run_next()
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_a_failure_is_told_in_words_and_logged_without_what_the_error_says(physician, asked, caplog):
    def work(job: Job, progress: jobs.Progress) -> None:
        raise KeyError(NAME)

    registered(work)
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert str(job.pk) in job.problem
    assert "KeyError" in caplog.text
    assert "test_jobs.py" in caplog.text  # where it happened
    assert NAME not in caplog.text + job.problem


def test_a_refusal_is_told_in_its_own_words(physician, asked):
    def work(job: Job, progress: jobs.Progress) -> None:
        raise RegistryError("nobody", "The cohort has no patients.")

    registered(work)
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    job.refresh_from_db()
    assert (job.state, job.problem) == (JobState.FAILED, "The cohort has no patients.")


# Workers that die


def test_a_job_that_another_worker_holds_is_left_alone(physician, asked, other_session):
    registered()
    job = jobs.start(JobKind.REPORT, physician)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempts=1)
    hold(other_session, job)

    assert jobs.waiting() == 0
    assert not jobs.run_next()


def test_a_running_job_that_nobody_holds_is_taken_up_again(physician, asked, other_session):
    registered()
    job = jobs.start(JobKind.REPORT, physician)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempts=1)
    hold(other_session, job)
    other_session.close()  # as the server does when the worker's process ends

    for _ in range(100):
        if jobs.waiting():
            break
    assert jobs.run_next()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 2)


def test_a_job_is_held_while_it_runs_and_free_afterwards(physician, asked, other_session):
    held = []
    registered(lambda job, progress: held.append(is_held(other_session, job)))
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    assert held == [True]
    assert not is_held(other_session, job)


def test_an_attempt_that_was_taken_for_dead_can_write_nothing_more(physician, asked):
    def work(job: Job, progress: jobs.Progress) -> jobs.File:
        # Its connection was lost, and a sweep has given the job to another worker.
        Job.objects.filter(pk=job.pk).update(attempts=job.attempts + 1, step="the other's")
        progress.step("mine")
        raise AssertionError("it went on")

    registered(work)
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    job.refresh_from_db()
    assert (job.state, job.step) == (JobState.RUNNING, "the other's")


def test_a_database_that_goes_away_leaves_the_job_to_be_taken_up_again(physician, asked):
    def work(job: Job, progress: jobs.Progress) -> None:
        if job.attempts == 1:
            raise OperationalError("terminating connection due to administrator command")

    registered(work)
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert jobs.waiting() == 1

    jobs.run_next()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 2)


def test_a_job_that_ends_every_worker_is_given_up(physician, asked):
    begun = []
    registered(lambda job, progress: begun.append(job.attempts), attempts=2)
    job = jobs.start(JobKind.REPORT, physician)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempts=2)
    jobs.run_next()
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.problem.startswith("Given up")
    assert begun == []


# Cancelling


def test_a_waiting_job_is_cancelled_at_once(physician, asked):
    registered()
    job = jobs.start(JobKind.REPORT, physician)
    assert jobs.cancel(job)
    assert job.state == JobState.CANCELLED
    assert not jobs.run_next()


def test_a_running_job_stops_at_its_next_step(physician, asked):
    steps = []

    def work(job: Job, progress: jobs.Progress) -> jobs.File:
        progress.step("first", done=0, total=2)
        steps.append("first")
        jobs.cancel(Job.objects.get(pk=job.pk))
        progress.step("second", done=1, total=2)
        steps.append("second")
        return jobs.File("a.txt", "text/plain", b"made")

    registered(work)
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    job.refresh_from_db()
    assert steps == ["first"]
    assert job.state == JobState.CANCELLED
    assert job.content is None


def test_what_is_finished_cannot_be_cancelled(physician, asked):
    registered()
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    assert not jobs.cancel(job)
    assert job.state == JobState.DONE


# Fetching


@pytest.fixture
def done(physician, cohort, asked) -> Job:
    registered()
    job = jobs.start(JobKind.REPORT, physician, cohort=cohort)
    jobs.run_next()
    job.refresh_from_db()
    return job


def test_only_who_asked_sees_and_fetches_it_and_superusers(done, physician, user_with):
    colleague, superuser = user_with(Role.DATA_MANAGER), make_user(is_superuser=True, username="root")
    for user, sees in ((physician, True), (colleague, False), (superuser, True)):
        assert jobs.visible_to(user).filter(pk=done.pk).exists() is sees
        assert (jobs.content(done, user) == b"%PDF") is sees


def test_who_may_no_longer_see_the_cohort_cannot_fetch_it(done, physician, cohort):
    Cohort.objects.filter(pk=cohort.pk).update(is_shared=False)
    assert jobs.content(done, physician) is None


def test_who_may_no_longer_see_a_centre_in_it_cannot_fetch_it(done, physician, other_centre):
    Membership.objects.filter(user=physician).delete()
    Membership.objects.create(user=physician, centre=other_centre, role=Role.PHYSICIAN)
    assert jobs.content(done, User.objects.get(pk=physician.pk)) is None


def test_who_may_no_longer_see_records_cannot_fetch_what_shows_them(physician, asked):
    registered(lambda job, progress: jobs.File("a", "text/plain", b"x", ["STA"], ["STA"]))
    job = jobs.start(JobKind.REPORT, physician)
    jobs.run_next()
    job.refresh_from_db()
    assert jobs.content(job, physician) == b"x"

    Membership.objects.filter(user=physician).update(role=Role.RESEARCHER)
    assert jobs.content(job, User.objects.get(pk=physician.pk)) is None


def test_files_go_after_seven_days_and_the_job_stays(done, physician):
    ended = done.ended_at
    for age, kept in ((timedelta(days=6, hours=23), True), (timedelta(days=7, minutes=1), False)):
        Job.objects.filter(pk=done.pk).update(ended_at=ended - age)
        jobs.tidy()
        done.refresh_from_db()
        assert (jobs.content(done, physician) is not None) is kept
    assert done.state == JobState.DONE
    assert not jobs.has_file(done)


# Doors


def test_the_api_lists_own_jobs_alone(done, client, physician, user_with):
    client.force_login(physician)
    answer = client.get("/api/v1/jobs/").json()
    assert [row["id"] for row in answer["results"]] == [str(done.pk)]
    row = answer["results"][0]
    assert (row["kind"], row["state"], row["cohort"], row["done"], row["total"]) == (
        "report",
        "done",
        "all",
        3,
        3,
    )
    assert row["content_url"].endswith(f"/api/v1/jobs/{done.pk}/content/")

    client.force_login(user_with(Role.DATA_MANAGER))
    assert client.get("/api/v1/jobs/").json()["results"] == []
    for path in ("", "content/"):
        assert client.get(f"/api/v1/jobs/{done.pk}/{path}").status_code == 404
    assert client.post(f"/api/v1/jobs/{done.pk}/cancel/").status_code == 404


def test_the_api_gives_the_file_to_who_asked_for_it(done, client, physician):
    client.force_login(physician)
    answer = client.get(f"/api/v1/jobs/{done.pk}/content/")
    assert answer.status_code == 200
    assert answer.content == b"%PDF"
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="report.pdf"'
    assert "no-store" in answer["Cache-Control"]


def test_the_api_cancels_what_is_not_finished_and_says_what_is(done, client, physician, cohort):
    client.force_login(physician)
    waiting = jobs.start(JobKind.REPORT, physician, cohort=cohort, parameters={"n": 1})
    answer = client.post(f"/api/v1/jobs/{waiting.pk}/cancel/")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["content_url"] is None
    assert client.get(f"/api/v1/jobs/{waiting.pk}/content/").status_code == 404

    refused = client.post(f"/api/v1/jobs/{done.pk}/cancel/")
    assert refused.status_code == 409
    assert refused.json()["code"] == "job_finished"


def test_the_pages_of_a_job_are_for_who_asked(done, client, physician, user_with):
    paths = [f"/jobs/{done.pk}/", f"/jobs/{done.pk}/content/"]
    client.force_login(physician)
    assert [client.get(path).status_code for path in paths] == [200, 200]
    client.force_login(user_with(Role.DATA_MANAGER))
    assert [client.get(path).status_code for path in [*paths, f"/jobs/{uuid.uuid4()}/"]] == [404] * 3
