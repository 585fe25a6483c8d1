"""The Celery application: workers and beat find the tasks of every app through it."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prrt_registry.settings")

app = Celery("prrt_registry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
