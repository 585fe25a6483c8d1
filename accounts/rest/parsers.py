"""JSON from outside, read strictly: what cannot be stored or means two things is refused before anything looks at it."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from accounts.rest.refusals import TooLarge


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in an object")
    return members


def _check_text(value: Any) -> None:
    """Raise ValueError where a text holds NUL, which PostgreSQL cannot store, or half a surrogate pair, which is no text."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("a text holds the character NUL")
        value.encode()
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)


class StrictJSONParser(BaseParser):
    """RFC 8259 in UTF-8: no NaN, no member twice, no NUL, no lone surrogates, not longer than the server's limit."""

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge
        try:
            value = json.loads(
                raw.decode(), parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates
            )
            _check_text(value)
        except RecursionError as error:
            raise ParseError("The body is not usable JSON: it is nested too deeply.") from error
        except UnicodeError as error:
            raise ParseError("The body is not usable JSON: it is not UTF-8.") from error
        except ValueError as error:
            # json's message says where, not what: it repeats nothing of the body.
            raise ParseError(f"The body is not usable JSON: {error}.") from error
        return value
