"""Whose tries to sign in are counted together, and what is said to who has tried too often."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

API_PREFIX = "/api/"


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


def locked_out(
    request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return the answer to a password that is not looked at any more: a page, or a problem of the API (RFC 9457)."""
    if not request.path.startswith(API_PREFIX):
        return render(request, "account/locked_out.html", status=429)
    wait: Any = settings.AXES_COOLOFF_TIME
    problem = {
        "type": "urn:prrt-registry:problem:locked_out",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "The password was wrong too often: it is not looked at from this address for a while. Nothing was done.",
        "code": "locked_out",
        "errors": [],
        "instance": request.path,
    }
    answer = JsonResponse(problem, status=429, content_type="application/problem+json")
    answer["Retry-After"] = str(int(wait.total_seconds()))
    answer["Cache-Control"] = "private, no-store"
    return answer
