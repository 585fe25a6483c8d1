"""Tasks of the worker. Each can run twice and beside others: what it claims is locked, and removed with the work done."""

import logging

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


def ask_for_refresh() -> None:
    """Ask a worker to refresh, after a commit. A broker that is away costs the clinic nothing: the sweep asks again."""
    try:
        refresh.apply_async(retry=False, expires=60)
    except Exception:
        # Whatever the broker's client raises, the record is saved and its mark stands in the database.
        logger.warning("The broker is away: dashboards will follow when the sweep reaches it.", exc_info=True)
