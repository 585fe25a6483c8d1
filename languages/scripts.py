"""What scripts say, as a script of its own for each language: Django's catalogue of the messages in ``djangojs.po``.

Pages in English load none: the words in the scripts are English.
"""

import hashlib
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views.i18n import JavaScriptCatalog


@lru_cache(maxsize=8)
def catalogue(language: str) -> bytes:
    """Return the script with the words of ``language``, a key of the setting LANGUAGES. It is made once in a process."""
    asked = HttpRequest()
    asked.method = "GET"
    with translation.override(language):
        answer = cast(HttpResponse, JavaScriptCatalog.as_view(packages=["clinic"])(asked))
    return bytes(answer.content)


@lru_cache(maxsize=8)
def version(language: str) -> str:
    """Return what the address of the script carries, so that it may be kept until its words change."""
    return hashlib.sha256(catalogue(language)).hexdigest()[:12]


def is_needed(language: str | None) -> bool:
    return bool(language) and language != settings.LANGUAGE_CODE and language in dict(settings.LANGUAGES)
