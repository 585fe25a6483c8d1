"""Whose tries to sign in are counted together."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address a request came from, past the ``TRUSTED_PROXIES`` in front of the registry.

    Each proxy adds to the right of X-Forwarded-For the address it was asked from. What stands further left was sent by the
    client and may be invented.
    """
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))
