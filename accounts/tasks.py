"""Housekeeping of accounts."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import get_token_model

from accounts.rest import idempotency

SIGN_INS_KEPT = timedelta(days=90)


@shared_task
def tidy() -> None:
    """Remove what has expired: sessions, API tokens, idempotency keys, the record of sign-ins. Safe to run twice."""
    SessionStore.clear_expired()
    get_token_model().objects.filter(expiry__lt=timezone.now()).delete()
    idempotency.purge_expired()
    until = timezone.now() - SIGN_INS_KEPT
    for log in (AccessLog, AccessFailureLog):
        log.objects.filter(attempt_time__lt=until).delete()
    live = Session.objects.values("session_key")
    UserSession.objects.exclude(session_key__in=live).delete()
