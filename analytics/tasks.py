"""Tasks of the worker. Each can run twice and beside others: what it claims is locked, and removed with the work done."""

import logging
import time

from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(acks_late=True)
def refresh() -> None:
    """Bring outcomes and results up to date. Safe to run twice: what is fresh is not touched."""
    # Imported here: computing pulls in lifelines; the web process names this task but never runs it.
    from analytics import freshness

    freshness.refresh_inline()


@shared_task
def sweep() -> None:
    """Ask again for whatever is still stale: a task may have been lost with a broker or a worker. Safe to run twice."""
    refresh()


# After a failure the broker is left alone for a while: the sweep refreshes what was saved meanwhile.
PAUSE_SECONDS = 15
_broker_left_alone_until = 0.0


def ask_for_refresh() -> None:
    """Ask a worker to refresh, after a commit. A broker that is away costs one short try, and never fails a save."""
    global _broker_left_alone_until
    if time.monotonic() < _broker_left_alone_until:
        return
    try:
        refresh.apply_async(retry=False, expires=60)
    except Exception as error:
        # Whatever the broker's client raises, the record is saved and its mark stands in the database.
        _broker_left_alone_until = time.monotonic() + PAUSE_SECONDS
        logger.warning(
            "The broker is away (%s): dashboards follow with the next sweep.", type(error).__name__
        )
