"""Tasks of the worker. Each can run twice and beside others: what it claims is locked, and removed with the work done."""

import logging
import time
from typing import Any

from celery import Signature, Task, group, shared_task

logger = logging.getLogger(__name__)


@shared_task(acks_late=True)
def refresh() -> None:
    """Bring outcomes and results up to date. Safe to run twice: what is fresh is not touched."""
    # Imported here: computing pulls in lifelines; the web process names this task but never runs it.
    from analytics import data_queries, freshness, rebuild

    if made := rebuild.plan():
        ask_for_chunks(made)
    if freshness.is_behind():
        ask_for_refresh()  # another worker shares the work, and asks for a third
    put_off = freshness.refresh(ask_for_refresh)
    # What one correction touches is asked at once; what an import does, behind everything else.
    data_queries.refresh()
    if data_queries.is_behind():
        ask_for_queries()
    while put_off is not None:
        # One worker waits for the results of a burst; the others go on to other tasks.
        with freshness.waiting_alone() as alone:
            while alone and put_off is not None:
                time.sleep(min(max(put_off, 0.02), 0.25))
                put_off = freshness.refresh()
        if not alone:
            return
        # Whoever found us waiting has left what was stale then to us.
        put_off = freshness.seconds_until_due()


@shared_task(acks_late=True)
def rebuild_chunk() -> None:
    """Derive a chunk of courses anew; the last one ends the rebuild. Safe to run twice: it takes another chunk, or none."""
    from analytics import rebuild

    rebuild.do_chunk()
    if rebuild.finish():
        ask_for_refresh()


@shared_task(acks_late=True)
def reconcile() -> None:
    """Compare what is stored with what the outcomes say, and repair it. Safe to run twice."""
    from analytics import freshness

    freshness.reconcile()


@shared_task(acks_late=True)
def refresh_queries() -> None:
    """Derive the queries of some marked patients, and ask for the next. Safe to run twice: it takes others, or none."""
    from analytics import data_queries

    if data_queries.refresh() and data_queries.is_behind():
        ask_for_queries()


@shared_task(acks_late=True)
def query_data() -> None:
    """Mark the patients at whose centre a day has begun: some queries open by the calendar. Safe to run twice."""
    from analytics import data_queries

    if data_queries.mark_of_new_day():
        ask_for_queries()


@shared_task(acks_late=True)
def run_job() -> None:
    """Do the next job that waits, and ask for those behind it. Safe to run twice: a job is held by one worker."""
    from analytics import jobs

    if jobs.run_next() and jobs.waiting():
        ask_for_job()


MOST_JOBS_ASKED = 4  # by one sweep; a worker that has done one asks for the next


@shared_task
def sweep() -> None:
    """Ask again for whatever waits or is stale: a task may have been lost with a broker or a worker. Safe to run twice."""
    from analytics import jobs, rebuild

    jobs.tidy()
    for _ in range(min(jobs.waiting(), MOST_JOBS_ASKED)):
        ask_for_job()
    if not rebuild.is_somebody_at_work():
        ask_for_chunks(rebuild.waiting())
    if rebuild.finish():
        logger.info("A rebuild was ended by the sweep.")
    refresh()


# After a failure the broker is left alone for a while: the sweep refreshes what was saved meanwhile.
PAUSE_SECONDS = 15
_broker_left_alone_until = 0.0


def ask_for_refresh() -> None:
    """Ask a worker to refresh, after a commit. A broker that is away costs one short try, and never fails a save."""
    ask(refresh, "dashboards follow with the next sweep")


def ask_for_job() -> None:
    """Ask a worker to do a job, after the commit that made it; likewise."""
    ask(run_job, "what waits is begun with the next sweep")


CHUNKS_LAST = 9  # of 0 to 9: corrections and reports go before chunks


def ask_for_chunks(n: int) -> None:
    """Ask any number of workers on any machine to share ``n`` chunks; likewise."""
    if n:
        chunks = group(rebuild_chunk.si() for _ in range(n))
        ask(chunks, "a rebuild goes on with the next sweep", priority=CHUNKS_LAST, expires=3600)


def ask_for_queries() -> None:
    """Ask a worker to derive the queries of marked patients; likewise."""
    ask(refresh_queries, "queries follow with the next sweep", priority=CHUNKS_LAST)


def ask(task: Task | Signature, otherwise: str, **options: Any) -> None:
    """Ask a worker for a task, after a commit. A broker that is away costs one short try, and then nothing for a while.

    Args:
        otherwise: what becomes of the work where it cannot be asked for, for the log.
    """
    global _broker_left_alone_until
    if time.monotonic() < _broker_left_alone_until:
        return
    try:
        task.apply_async(**{"retry": False, "expires": 60} | options)
    except Exception as error:
        # Whatever the broker's client raises, what is to be done stands in the database.
        _broker_left_alone_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("The broker is away (%s): %s.", type(error).__name__, otherwise)
