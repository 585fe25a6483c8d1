"""In which language a page speaks."""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers


class LanguageMiddleware:
    """Speak the language that the signed-in person chose; else the one chosen in this browser; else the browser's own.

    The API speaks English alone: its words are read by programs. What scripts say stands under an address for each language.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(("/api/", "/health/", "/jsi18n/")):
            return self.get_response(request)
        language = language_of(request)
        with translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", translation.to_locale(language)[:2])
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response


def language_of(request: HttpRequest) -> str:
    """Return the code of the language in which ``request`` is answered."""
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        try:
            chosen = getattr(request.user, "language", "")
        except DatabaseError:
            chosen = ""  # the page that says so speaks the browser's language
        if chosen in dict(settings.LANGUAGES):
            return str(chosen)
    return translation.get_language_from_request(request)
