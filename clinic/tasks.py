"""Tasks of the clinic's pages."""

from celery import shared_task


@shared_task(acks_late=True)
def send_digests() -> None:
    """Send the weekly e-mails that are due. Safe to run twice: nobody is sent the same week's twice."""
    from django.utils import timezone

    from clinic import services

    services.send_digests(timezone.now())


@shared_task
def tidy_forms() -> None:
    """Remove old drafts and tokens of forms. Safe to run twice."""
    from clinic import services

    services.tidy_forms()
