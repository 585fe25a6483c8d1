"""What a page says when the registry fails, and when its database is away."""

import logging
import sys

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.views.defaults import server_error

logger = logging.getLogger(__name__)
RETRY_SECONDS = 30
# Never sent back to a page: a secret.
_NOT_KEPT = ("password", "password1", "password2", "oldpassword", "code")


def failed(request: HttpRequest, template_name: str = "500.html") -> HttpResponse:
    """Answer a failure: 503 where the database is away, with what was sent so that it can be sent again; else 500.

    Called by Django's handlers while the failure is being handled.
    """
    if not _is_database_away(sys.exc_info()[1]):
        return server_error(request, template_name)
    logger.error("The database is away.")
    answer: HttpResponse
    if request.path.startswith("/api/"):
        answer = JsonResponse(
            {"type": "about:blank", "title": "The database is away.", "status": 503, "code": "database_away"},
            content_type="application/problem+json",
        )
    else:
        answer = render(None, "503.html", {"sent": _sent(request), "path": request.get_full_path()})  # type: ignore[arg-type]
    answer.status_code = 503
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer


def _is_database_away(error: BaseException | None) -> bool:
    """Return whether a connection failed or broke, anywhere in the chain of what led to the error."""
    while error is not None:
        if isinstance(error, OperationalError | InterfaceError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _sent(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the fields of a form that was sent; files cannot be given back."""
    if request.method != "POST":
        return []
    try:
        lists = list(request.POST.lists())
    except (
        OSError,
        SuspiciousOperation,
        MultiPartParserError,
    ):  # what failed may have been the reading of the form
        return []
    return [(name, value) for name, values in lists if name not in _NOT_KEPT for value in values]
