"""Reminders that leave the registry: the calendar of a user behind a secret address, and the weekly e-mail.

Neither holds a name or an MRN. The secret itself is not stored: who loses the address makes a new one.
"""

import hashlib
import logging
import secrets
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import ngettext

from accounts.access import Act
from accounts.models import User
from clinic.models import Reminders
from clinic.selectors import worklist
from clinic.selectors.whose import Whose

logger = logging.getLogger(__name__)


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def make_feed(*, user: User) -> str:
    """Return the secret of a new address of the user's calendar; the address before it stops working.

    Raises:
        PermissionDenied: the user may see no records.
    """
    user.require(Act.VIEW_RECORDS)
    secret = secrets.token_urlsafe(32)
    Reminders.objects.update_or_create(
        user=user, defaults={"feed_key": _key(secret), "feed_made_at": timezone.now()}
    )
    return secret


@transaction.atomic
def end_feed(*, user: User) -> None:
    """Stop the address of the user's calendar from working."""
    Reminders.objects.filter(user=user).update(feed_key="", feed_made_at=None)


def user_of_feed(secret: str) -> Reminders | None:
    """Return the reminders of the active user whose calendar has this secret; None where there is none."""
    found = Reminders.objects.select_related("user").filter(feed_key=_key(secret), user__is_active=True)
    return found.first()


@transaction.atomic
def choose_reminders(*, user: User, email: str, own_patients_only: bool, weekly_digest: bool) -> Reminders:
    """Store what the user wants to be reminded of, and where."""
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])
    return Reminders.objects.update_or_create(
        user=user, defaults={"own_patients_only": own_patients_only, "weekly_digest": weekly_digest}
    )[0]


def send_digests(now: datetime) -> int:
    """Send the week's e-mail to every user who asked for it and has not had it since Monday; return how many.

    Safe to run twice and by several workers at once: each user's row is locked while the message is handed over, and the
    day is stored with it. An address that fails keeps nobody else waiting and is tried again with the next run.
    """
    monday = (now - timedelta(days=now.weekday())).date()
    due = Reminders.objects.filter(weekly_digest=True, user__is_active=True).exclude(user__email="")
    due = due.filter(Q(digest_sent_on=None) | Q(digest_sent_on__lt=monday))
    sent = 0
    for pk in list(due.values_list("pk", flat=True)):
        try:
            sent += _send_digest(pk, monday, now)
        except OSError as failure:  # of the mail server; smtplib's errors are OSErrors
            logger.warning("The weekly e-mail of reminders %s was not sent: %s", pk, type(failure).__name__)
    return sent


@transaction.atomic
def _send_digest(pk: int, monday: date, now: datetime) -> bool:
    row = (
        Reminders.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("user")
        .filter(pk=pk)
        .exclude(digest_sent_on__gte=monday)
        .first()
    )
    if row is None or not row.user.may(Act.VIEW_RECORDS):
        return False
    whose = Whose(cared_for_by=row.user.pk if row.own_patients_only else None)
    with translation.override(row.user.language or settings.LANGUAGE_CODE):
        due = worklist.worklist(row.user, now, limit=0, whose=whose)
        words = render_to_string(
            "clinic/digest.txt",
            {"due": due, "user": row.user, "site": settings.SITE_URL, "only_own": row.own_patients_only},
        )
        subject = ngettext(
            "PRRT registry: {n} due this week", "PRRT registry: {n} due this week", due.total
        ).format(n=due.total)
    row.digest_sent_on = now.date()
    row.save(update_fields=["digest_sent_on"])
    send_mail(subject, words, settings.DEFAULT_FROM_EMAIL, [row.user.email])
    return True
