"""Long work: begun by a request, done by a worker, watched, cancelled and fetched by who asked for it.

A kind of work registers the function that does it (``@runs``). A worker takes the oldest job that waits and holds its
advisory lock for as long as its connection lives: a job that is running while nobody holds its lock was orphaned by a
worker that died, and is taken up again. Every write of a worker names the attempt it belongs to, so that one whose
connection was lost, or whose job was cancelled, can change nothing any more. In words: docs/report.md.
"""

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import Centre, User
from analytics import job_words
from analytics.models import Cohort, Definition, Job, JobKind, JobState

logger = logging.getLogger(__name__)

KEPT = timedelta(days=7)  # what a job made
MOST_AT_ONCE = 10  # unfinished jobs of one user
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class File:
    """What a job made.

    Attributes:
        centres, record_centres: whose results, and whose single records are in it. It can be fetched for as long as who
            asked for it may see them.
    """

    name: str
    content_type: str
    content: bytes
    centres: Sequence[str] = ()
    record_centres: Sequence[str] = ()


class Stopped(Exception):
    """The attempt is no longer the job's: it was cancelled, or taken for orphaned. The work ends without a trace."""


class Progress:
    """What a worker says of an attempt, each time in a transaction of its own; it is told there when to stop."""

    def __init__(self, job: Job) -> None:
        self._attempt = Job.objects.filter(pk=job.pk, state=JobState.RUNNING, attempts=job.attempts)

    def step(self, words: str, *, done: int | None = None, total: int | None = None) -> None:
        """Say what is done next, and how much is done of how much.

        Raises:
            Stopped: nobody waits for it any more.
        """
        values: dict[str, Any] = {"step": words}
        values |= {name: n for name, n in (("done", done), ("total", total)) if n is not None}
        self._write(values)

    def check(self) -> None:
        """Raise ``Stopped`` if nobody waits for the work any more; for work whose steps are short."""
        if not self._attempt.exists():
            raise Stopped

    def end(self, state: JobState, **values: Any) -> None:
        self._write({"state": state, "step": "", "ended_at": Now(), **values})

    def _write(self, values: Mapping[str, Any]) -> None:
        if not self._attempt.update(**values):
            raise Stopped


Work = Callable[[Job, Progress], File | None]


@dataclass(frozen=True)
class _Kind:
    work: Work
    attempts: int


_kinds: dict[str, _Kind] = {}


def runs(kind: JobKind, *, attempts: int = 3) -> Callable[[Work], Work]:
    """Register the function that does jobs of ``kind``, in a module that ``AnalyticsConfig.ready`` knows.

    Args:
        attempts: after how many a job is given up that ends every worker which takes it up.
    """

    def register(work: Work) -> Work:
        _kinds[kind] = _Kind(work, attempts)
        return work

    return register


def start(
    kind: JobKind,
    requested_by: User | None,
    *,
    cohort: Cohort | None = None,
    definition: Definition | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Job:
    """Make a job in the caller's transaction and ask a worker after its commit; a sweep asks again where that is lost.

    Returns:
        The new job, or one that waits and was asked for by the same user in the same words.

    Raises:
        RegistryError: ``too_many_jobs``.
    """
    from analytics import tasks  # it imports this module

    asked = Job.objects.filter(requested_by=requested_by, state__in=UNFINISHED)
    words = {"kind": kind, "cohort": cohort, "definition": definition, "parameters": dict(parameters or {})}
    if requested_by is not None:
        waiting = asked.filter(state=JobState.QUEUED, **words).first()
        if waiting is not None:
            return waiting
        if asked.count() >= MOST_AT_ONCE:
            raise RegistryError(
                "too_many_jobs",
                _(
                    "{n} pieces of work that you asked for are not finished: wait for one, or cancel it."
                ).format(n=MOST_AT_ONCE),
            )
    job = Job.objects.create(requested_by=requested_by, **words)
    transaction.on_commit(tasks.ask_for_job, robust=True)
    return job


def visible_to(user: User) -> QuerySet[Job]:
    """Return the user's own jobs without what they made; a superuser is shown all."""
    if not user.is_authenticated or not user.is_active:
        return Job.objects.none()
    jobs = Job.objects.defer("content").select_related("cohort")
    return jobs if user.is_superuser else jobs.filter(requested_by=user)


def cancel(job: Job) -> bool:
    """Cancel a job that is not finished; a worker that is busy with it stops at its next step.

    Returns:
        Whether it was not finished.
    """
    unfinished = Job.objects.filter(pk=job.pk, state__in=UNFINISHED)
    cancelled = unfinished.update(state=JobState.CANCELLED, step="", ended_at=Now())
    job.refresh_from_db(fields=["state", "step", "ended_at"])
    return bool(cancelled)


def has_file(job: Job) -> bool:
    return job.state == JobState.DONE and bool(job.file_name)


def content(job: Job, user: User) -> bytes | None:
    """Return what the job made if ``user`` may still see all that is in it, else None."""
    if not has_file(job) or not visible_to(user).filter(pk=job.pk).exists():
        return None
    if job.cohort_id is not None and not Cohort.objects.visible_to(user).filter(pk=job.cohort_id).exists():
        return None
    holds = job.parameters.get("holds", {})
    for act, name in ((Act.VIEW_RESULTS, "centres"), (Act.VIEW_RECORDS, "record_centres")):
        visible = set(Centre.objects.visible_to(user, act).values_list("code", flat=True))
        if not set(holds.get(name, ())) <= visible:
            return None
    found = Job.objects.filter(pk=job.pk).values_list("content", flat=True).first()
    return None if found is None else bytes(found)


# In a worker


def run_next() -> bool:
    """Do the job that has waited longest and that no other worker holds; return whether there was one."""
    with _claimed() as job:
        if job is None:
            return False
        _run(job)
    return True


def waiting() -> int:
    """Return how many jobs wait for a worker, those included that a dead one has left behind."""
    return sum(1 for pk in _candidates() if _is_free(pk))


def tidy() -> None:
    """Remove what jobs made longer than ``KEPT`` ago; the jobs stay."""
    old = Job.objects.filter(content__isnull=False, ended_at__lt=timezone.now() - KEPT)
    old.update(content=None, file_name="", content_type="")


def _candidates() -> list[UUID]:
    unfinished = Job.objects.filter(kind__in=_kinds, state__in=UNFINISHED)
    return list(unfinished.order_by("requested_at", "pk").values_list("pk", flat=True)[:100])


@contextmanager
def _claimed() -> Iterator[Job | None]:
    """Claim a job for as long as the block lasts, or this process or its connection to the database."""
    for pk in _candidates():
        if not _lock(pk):
            continue
        try:
            # Whoever held the lock may have finished it since it was listed.
            claimed = Job.objects.filter(pk=pk, state__in=UNFINISHED)
            if claimed.update(state=JobState.RUNNING, started_at=Now(), attempts=F("attempts") + 1):
                yield Job.objects.select_related("cohort__definition", "definition", "requested_by").get(
                    pk=pk
                )
                return
        finally:
            _unlock(pk)
    yield None


def _run(job: Job) -> None:
    """Do a claimed job and write down how it ended; a connection that is lost leaves it to the next sweep."""
    kind, progress = _kinds[job.kind], Progress(job)
    try:
        if job.attempts > kind.attempts:
            logger.error("Job %s (%s) is given up: it ended %d workers.", job.pk, job.kind, kind.attempts)
            progress.end(
                JobState.FAILED,
                problem=job_words.GIVEN_UP,
            )
            return
        made = kind.work(job, progress)
        values: dict[str, Any] = {"done": F("total")}
        if made is not None:
            holds = {"centres": list(made.centres), "record_centres": list(made.record_centres)}
            values |= {
                "file_name": made.name,
                "content_type": made.content_type,
                "content": made.content,
                "parameters": job.parameters | {"holds": holds},
            }
        progress.end(JobState.DONE, **values)
    except Stopped:
        logger.info("Job %s (%s) was stopped.", job.pk, job.kind)
    except RegistryError as error:
        _fail(job, progress, str(error))
    except (OperationalError, InterfaceError) as error:
        # A server that went away or chose this transaction to end: nothing is wrong with the work.
        logger.warning("Job %s (%s) lost the database (%s).", job.pk, job.kind, type(error).__name__)
    except Exception as error:
        # Only where it happened: what an exception says may name a patient.
        place = "".join(traceback.format_tb(error.__traceback__))
        logger.error("Job %s (%s) failed: %s\n%s", job.pk, job.kind, type(error).__name__, place)
        _fail(job, progress, job_words.FAULT.format(job=job.pk))


def _fail(job: Job, progress: Progress, problem: str) -> None:
    try:
        progress.end(JobState.FAILED, problem=problem[:500])
    except Stopped:
        logger.info("Job %s (%s) had been stopped when it failed.", job.pk, job.kind)


def _lock(pk: UUID) -> bool:
    return _ask("SELECT pg_try_advisory_lock(%s)", pk)


def _unlock(pk: UUID) -> None:
    try:
        _ask("SELECT pg_advisory_unlock(%s)", pk)
    except (OperationalError, InterfaceError):
        connection.close()  # a lost connection has lost the lock as well


def _is_free(pk: UUID) -> bool:
    if not _lock(pk):
        return False
    _unlock(pk)
    return True


def _ask(sql: str, pk: UUID) -> bool:
    number = int.from_bytes(pk.bytes[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute(sql, [number])
        return bool(cursor.fetchone()[0])
