"""Pages and figures travel compressed."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

# Workbooks, archives and PDFs are compressed as they are.
_TEXTS = ("text/", "application/json", "image/svg+xml")


class PagesGZipMiddleware(GZipMiddleware):
    """Compress what pages answer, with Django's guard against BREACH; the API keeps its strong entity tags for If-Match."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_text = response.headers.get("Content-Type", "").startswith(_TEXTS)
        if request.path.startswith("/api/") or not is_text:
            return response
        return super().process_response(request, response)  # type: ignore[arg-type, return-value]
