"""The history context of a request."""

from typing import Any

from django.http import HttpRequest
from pghistory.middleware import HistoryMiddleware


class ChangeContextMiddleware(HistoryMiddleware):
    """Record who asked and through which door beside every change that a request makes.

    The path is kept (it holds UUIDs only), the query never.
    """

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().get_context(request)
        if request.path.startswith("/api/"):
            context["source"] = "api"
        elif request.path.startswith("/admin/"):
            context["source"] = "admin"
        else:
            context["source"] = "form"
        return context
