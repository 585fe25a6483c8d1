"""Housekeeping of accounts."""

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from knox.models import get_token_model

from accounts.rest import idempotency


@shared_task
def tidy() -> None:
    """Remove sessions, API tokens and idempotency keys that have expired. Safe to run twice."""
    SessionStore.clear_expired()
    get_token_model().objects.filter(expiry__lt=timezone.now()).delete()
    idempotency.purge_expired()
