"""Deriving every outcome of a definition anew, in ranges of courses that any number of workers share.

A database trigger makes the job when the rules or the cut-off of a definition change. A worker divides it into chunks;
each is claimed (SKIP LOCKED) and done in one transaction, by the functions that a correction is derived with. A worker
that dies gives its chunk back with its connection. Until the last chunk is done, no cohort of the definition is counted
(``analytics.rebuilding``). In words: docs/architecture.md.
"""

import logging
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from analytics import freshness
from analytics.models import Cohort, Definition, Job, JobKind, JobState, RebuildChunk

logger = logging.getLogger(__name__)

# Courses of a chunk: enough to make batches cheap, few enough that one takes a moment and a killed worker loses little.
CHUNK = 2000

_REASON_CHANGED = "definition"  # said by the trigger, in ``Job.parameters``


@transaction.atomic
def start(definition: Definition, *, by: User | None = None) -> Job:
    """Make a job that derives every outcome of ``definition`` anew; an unfinished one of it is cancelled."""
    former = Job.objects.filter(
        kind=JobKind.REBUILD, definition=definition, state__in=[JobState.QUEUED, JobState.RUNNING]
    )
    # What a change of the definition has made to be derived must not be noted as a change of each course.
    was_changed = former.filter(parameters__reason=_REASON_CHANGED).exists()
    former.update(state=JobState.CANCELLED, ended_at=Now())
    return Job.objects.create(
        kind=JobKind.REBUILD,
        definition=definition,
        requested_by=by,
        parameters={"reason": _REASON_CHANGED if was_changed else "everything"},
    )


def start_everything(*, by: User | None = None) -> list[Job]:
    """Make a job for each definition."""
    return [start(definition, by=by) for definition in Definition.objects.order_by("pk")]


def cancel(job: Job) -> bool:
    """Cancel an unfinished rebuild; chunks that are being done are finished, the others dropped.

    The cohorts of its definition keep their former results, called stale, until another rebuild is done.
    """
    unfinished = Job.objects.filter(pk=job.pk, state__in=[JobState.QUEUED, JobState.RUNNING])
    return bool(unfinished.update(state=JobState.CANCELLED, ended_at=Now()))


@transaction.atomic
def plan() -> int:
    """Divide the jobs that wait, and that no other worker is dividing, into chunks; return how many chunks were made."""
    jobs = Job.objects.filter(kind=JobKind.REBUILD, state=JobState.QUEUED)
    made = 0
    for job in jobs.order_by("requested_at").select_for_update(skip_locked=True, of=("self",)):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO analytics_rebuildchunk (job_id, first_id, last_id, n_courses)
                SELECT %s, (array_agg(id ORDER BY id))[1], (array_agg(id ORDER BY id DESC))[1], count(*)
                FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / %s AS chunk FROM treatments_course) AS numbered
                GROUP BY chunk ORDER BY chunk
                """,
                [job.pk, CHUNK],
            )
            made += cursor.rowcount
            cursor.execute(
                "UPDATE analytics_job SET state = 'running', started_at = clock_timestamp(), step = %s,"
                " total = (SELECT coalesce(sum(n_courses), 0) FROM analytics_rebuildchunk WHERE job_id = %s) WHERE id = %s",
                ["Deriving outcomes", job.pk, job.pk],
            )
    return made


def waiting() -> int:
    """Return how many chunks are not done and at no worker."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({_CLAIM} FOR UPDATE OF c SKIP LOCKED) AS free")  # noqa: S608 (constant)
        return int(cursor.fetchone()[0])


def is_somebody_at_work() -> bool:
    """Return whether a worker is at a chunk now."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({_CLAIM}) AS open")  # noqa: S608 (constant)
        return int(cursor.fetchone()[0]) > waiting()


_CLAIM = """
SELECT c.id, c.job_id, c.first_id, c.last_id, c.n_courses, j.definition_id, j.parameters ->> 'reason' AS reason
FROM analytics_rebuildchunk c JOIN analytics_job j ON j.id = c.job_id
WHERE c.done_at IS NULL AND j.kind = 'rebuild' AND j.state = 'running'
"""


@transaction.atomic
def do_chunk() -> bool:
    """Claim a chunk and derive its courses; return whether there was one. One that is done again changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_CLAIM} ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED")
        claimed = cursor.fetchone()
        if claimed is None:
            return False
        pk, job_id, first_id, last_id, n_courses, definition_id, reason = claimed
        if reason == _REASON_CHANGED:
            # Under another definition every outcome is another: that is no change of a course.
            cursor.execute("SET LOCAL registry.note_changes = 'off'")
        cursor.execute("SELECT id FROM treatments_course WHERE id BETWEEN %s AND %s", [first_id, last_id])
        course_ids = [course_id for (course_id,) in cursor.fetchall()]
    freshness.derive_again(course_ids, definition_id)
    RebuildChunk.objects.filter(pk=pk).update(done_at=timezone.now())
    # Last: whoever does another chunk waits here, and no longer than this commit takes.
    Job.objects.filter(pk=job_id, state=JobState.RUNNING).update(done=F("done") + n_courses)
    return True


def finish() -> bool:
    """End the jobs whose chunks are all done, and have their cohorts counted anew; return whether there was one.

    The cohorts are only marked here, and each counted in a transaction of its own: refreshes wait for one at a time.
    """
    # Without a lock: asked after every chunk, and nearly always answered no.
    open_chunks = RebuildChunk.objects.filter(job=OuterRef("pk"), done_at__isnull=True)
    running = Job.objects.filter(~Exists(open_chunks), kind=JobKind.REBUILD, state=JobState.RUNNING)
    return sum(_finish(pk) for pk in list(running.values_list("pk", flat=True))) > 0


@transaction.atomic
def _finish(job_id: UUID) -> bool:
    job = Job.objects.select_for_update(of=("self",)).get(pk=job_id)
    if job.state != JobState.RUNNING or job.chunks.filter(done_at__isnull=True).exists():
        return False
    # A refresh that began before holds these rows until its outcomes are there to be counted.
    cohorts = (
        Cohort.objects.filter(definition=job.definition_id).order_by("pk").select_for_update(of=("self",))
    )
    Cohort.objects.filter(pk__in=[cohort.pk for cohort in cohorts]).update(tallied_by="")
    Job.objects.filter(pk=job_id).update(state=JobState.DONE, done=F("total"), step="", ended_at=Now())
    job.chunks.all().delete()
    logger.info("Rebuild %s of definition %s is done: %d courses.", job.pk, job.definition_id, job.total)
    return True


def inline() -> None:
    """Do all of it in this process: what waits and what no other worker is at."""
    plan()
    while do_chunk():
        pass
    finish()
