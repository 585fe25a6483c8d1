"""What the API refuses for reasons of its own, each with its status and stable code. ``problems`` answers them."""

from collections.abc import Sequence

from rest_framework import exceptions, status


def etag(version: int) -> str:
    """Return the entity tag of a record's version, such as ``"3"`` with its quotation marks."""
    return f'"{version}"'


class Conflict(exceptions.APIException):
    """The state of the records does not allow it, or it is doubtful and can be confirmed.

    Args:
        doubts: code and sentence of each thing that can be confirmed.
        confirmed_by: the member of the body that confirms them.
    """

    status_code = status.HTTP_409_CONFLICT
    default_detail = "The state of the records does not allow this."
    default_code = "conflict"

    def __init__(
        self,
        detail: str | None = None,
        code: str | None = None,
        *,
        doubts: Sequence[tuple[str, str]] = (),
        confirmed_by: str = "",
    ) -> None:
        super().__init__(detail, code)
        self.errors = [
            {"pointer": f"#/{confirmed_by}", "code": doubt, "detail": sentence} for doubt, sentence in doubts
        ]


class PreconditionFailed(exceptions.APIException):
    """The representation that the request speaks of is no longer the current one."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "stale_record"
    default_detail = "Somebody else changed this record since you read it. Nothing of yours was stored."

    def __init__(self, detail: str | None = None, *, current_version: int) -> None:
        super().__init__(detail)
        self.etag = etag(current_version)


class PreconditionRequired(exceptions.APIException):
    status_code = 428
    default_code = "if_match_required"
    default_detail = "Send If-Match with the ETag of the version that you read."
    header = "If-Match"


class BadHeader(exceptions.APIException):
    """A header of the request is missing or cannot be used."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, header: str, detail: str, code: str) -> None:
        super().__init__(detail, code)
        self.header = header


class BadQuery(exceptions.ValidationError):
    """A parameter of the query cannot be used; keys of the detail are parameters."""


class KeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another request."
    header = "Idempotency-Key"


class KeyInFlight(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "idempotency_key_in_flight"
    default_detail = "A request with this Idempotency-Key is being worked on. Ask again."
    header = "Idempotency-Key"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body is too large."


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "try_again"
    default_detail = "The database could not do this now. Nothing was stored; ask again."
    wait = 1
