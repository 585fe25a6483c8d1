"""Tasks of the worker. Each can run twice and beside others: what it claims is locked, and removed with the work done."""

import logging
import time

from celery import Task, shared_task

logger = logging.getLogger(__name__)


@shared_task(acks_late=True)
def refresh() -> None:
    """Bring outcomes and results up to date. Safe to run twice: what is fresh is not touched."""
    # Imported here: computing pulls in lifelines; the web process names this task but never runs it.
    from analytics import freshness

    freshness.refresh_inline()


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
    from analytics import jobs

    jobs.tidy()
    for _ in range(min(jobs.waiting(), MOST_JOBS_ASKED)):
        ask_for_job()
    refresh()


# After a failure the broker is left alone for a while: the sweep refreshes what was saved meanwhile.
PAUSE_SECONDS = 15
_broker_left_alone_until = 0.0


def ask_for_refresh() -> None:
    """Ask a worker to refresh, after a commit. A broker that is away costs one short try, and never fails a save."""
    _ask(refresh, "dashboards follow with the next sweep")


def ask_for_job() -> None:
    """Ask a worker to do a job, after the commit that made it; likewise."""
    _ask(run_job, "what waits is begun with the next sweep")


def _ask(task: Task, otherwise: str) -> None:
    global _broker_left_alone_until
    if time.monotonic() < _broker_left_alone_until:
        return
    try:
        task.apply_async(retry=False, expires=60)
    except Exception as error:
        # Whatever the broker's client raises, what is to be done stands in the database.
        _broker_left_alone_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("The broker is away (%s): %s.", type(error).__name__, otherwise)
