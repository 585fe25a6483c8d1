"""The request of a page that only who is signed in reaches (LoginRequiredMiddleware)."""

from django.http import HttpRequest

from accounts.models import User


class SignedInRequest(HttpRequest):
    """For signatures only: ``user`` is never anonymous."""

    user: User  # type: ignore[assignment]
