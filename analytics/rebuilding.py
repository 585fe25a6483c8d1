"""Which definitions have outcomes that are derived anew: their cohorts keep the results they had, called stale."""

from typing import TypedDict

from django.db import connection

# The newest rebuild of each definition. One that was cancelled or failed has left outcomes of both kinds behind: until
# another is done, nothing is counted of them. Of two made in one statement's time, the cancelled one is the former.
_NEWEST = """
SELECT DISTINCT ON (definition_id) definition_id, state, done, total FROM analytics_job
WHERE kind = 'rebuild' AND definition_id IS NOT NULL
ORDER BY definition_id, requested_at DESC, state = 'cancelled'
"""


class Progress(TypedDict):
    """Courses derived anew, of how many."""

    done: int
    total: int


def unfinished() -> dict[int, Progress]:
    """Return definition to progress of each whose newest rebuild is not done. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT definition_id, done, total FROM ({_NEWEST}) AS newest WHERE state <> 'done'"  # noqa: S608 (constant)
        )
        return {pk: Progress(done=done, total=total) for pk, done, total in cursor.fetchall()}


def progress(definition_id: int) -> Progress | None:
    """Return how far the rebuild of a definition is, or None where its outcomes are all of one kind. One query."""
    return unfinished().get(definition_id)
