"""The Celery application: workers and beat find the tasks of every app through it."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prrt_registry.settings")

app = Celery("prrt_registry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def load_what_computes(**_: Any) -> None:
    """Load the statistics before the worker's processes are forked: seconds once, instead of in the first task of each."""
    from analytics import freshness  # noqa: F401
