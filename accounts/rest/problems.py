"""Errors of the API: one handler, one shape, RFC 9457 (``application/problem+json``).

``type`` is ``urn:prrt-registry:problem:<code>``; ``errors`` names what was wrong with the body (``pointer``), the query
(``parameter``) or a header (``header``), each with a stable code. In words: docs/api.md.
"""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from typing import Any

from django.apps import apps
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from drf_standardized_errors.formatter import flatten_errors
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import ExceptionHandlerContext
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.errors import RegistryError, StaleRecord, refusal
from accounts.rest.refusals import BadQuery, Conflict, PreconditionFailed, TooLarge, Unavailable

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:prrt-registry:problem:"


@cache
def _constraint_names() -> dict[str, str]:
    """Sentence of a constraint to its name: Django gives the sentence without a code."""
    return {
        str(constraint.get_violation_error_message()): constraint.name
        for model in apps.get_models()
        for constraint in model._meta.constraints
        if constraint.violation_error_message
    }


def _with_codes(errors: list[ModelValidationError]) -> Iterator[exceptions.ErrorDetail]:
    for error in errors:
        for message in error.messages:
            yield exceptions.ErrorDetail(message, error.code or _constraint_names().get(message, "invalid"))


def validation_error(error: ModelValidationError) -> exceptions.ValidationError:
    """Return Django's error as the API's, with its codes; a broken constraint's code is the constraint's name."""
    by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    return exceptions.ValidationError({name: list(_with_codes(errors)) for name, errors in by_field.items()})


def _location(attr: str | None, *, in_query: bool) -> dict[str, str]:
    steps = [
        step
        for step in (attr or "").split(".")
        if step and step not in {NON_FIELD_ERRORS, "non_field_errors"}
    ]
    if in_query:
        return {"parameter": ".".join(steps)}
    escaped = [step.replace("~", "~0").replace("/", "~1") for step in steps]
    return {"pointer": "#" + "".join(f"/{step}" for step in escaped)}


class ProblemHandler(ExceptionHandler):
    """Answers everything that a view raises; what it does not know is a 500, logged, without a word of why."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        match exc:
            case ModelValidationError():
                return validation_error(exc)
            case StaleRecord():
                return PreconditionFailed(exc.message, current_version=exc.current_version)
            case RegistryError():
                return Conflict(
                    exc.message,
                    exc.code,
                    doubts=[(warning.code, warning.message) for warning in exc.warnings],
                    confirmed_by=exc.confirmed_by,
                )
            case Http404():
                return exceptions.NotFound()
            case PermissionDenied():
                return exceptions.PermissionDenied(str(exc) or None)
            case IntegrityError():
                return validation_error(refusal(exc))
            case DataError():
                return exceptions.ValidationError(
                    "The database cannot hold one of these values.", "unstorable"
                )
            case OperationalError():  # a deadlock, a time-out, a server that is starting
                return Unavailable()
            case RequestDataTooBig():
                return TooLarge()
            case SuspiciousOperation():
                return exceptions.ParseError()
        return super().convert_known_exceptions(exc)

    def format_exception(self, exc: exceptions.APIException) -> dict[str, Any]:
        if isinstance(exc, exceptions.ValidationError):
            code = "invalid_query" if isinstance(exc, BadQuery) else "invalid"
            detail = "The query was refused." if isinstance(exc, BadQuery) else "What was sent was refused."
            errors = [
                {
                    **_location(error.attr, in_query=isinstance(exc, BadQuery)),
                    "code": error.code,
                    "detail": error.detail,
                }
                for error in flatten_errors(exc.detail)
            ]
        else:
            code = getattr(exc.detail, "code", exc.default_code)
            detail = str(exc.detail)
            errors = list(exc.errors) if isinstance(exc, Conflict) else []
            if header := getattr(exc, "header", None):
                errors.append({"header": header, "code": code, "detail": detail})
        problem: dict[str, Any] = {
            "type": TYPE_PREFIX + code,
            "title": HTTPStatus(exc.status_code).phrase,
            "status": exc.status_code,
            "detail": detail,
            "code": code,
            "errors": errors,
        }
        request = self.context.get("request")
        if request is not None:
            # The path holds UUIDs and slugs only; a query could hold what somebody typed.
            problem["instance"] = request.path
        return problem

    def get_response(self, exc: exceptions.APIException, data: dict[str, Any]) -> Response:
        response = super().get_response(exc, data)
        response.content_type = MEDIA_TYPE
        if isinstance(exc, PreconditionFailed):
            response["ETag"] = exc.etag
        return response


def exception_handler(exc: Exception, context: ExceptionHandlerContext) -> Response | None:
    """Answer ``exc`` as a problem. DRF's hook."""
    return ProblemHandler(exc, context).run()
