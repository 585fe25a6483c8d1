"""The project: settings, addresses, the task application and what all pages share."""

from prrt_registry.celery import app as celery_app

__all__ = ["celery_app"]
