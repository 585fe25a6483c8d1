"""Tasks of the worker: files that were sent in the browser."""

import uuid

from celery import shared_task

from analytics.tasks import ask
from exchange import importing


@shared_task(acks_late=True)
def run_import(import_id: str) -> None:
    """Do what an import waits for. Safe to run twice: it is held by one worker, and what is done waits for nothing."""
    importing.run(uuid.UUID(import_id))


@shared_task
def sweep_imports() -> None:
    """Ask again for what waits: a task may have been lost with a broker or a worker. Safe to run twice."""
    importing.tidy()
    for pk in importing.waiting():
        ask_for(pk)


def ask_for(pk: uuid.UUID) -> None:
    """Ask a worker to do what an import waits for, after the commit that said so."""
    ask(run_import.si(str(pk)), "a file is imported with the next sweep")
