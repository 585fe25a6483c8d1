"""How the API describes itself in OpenAPI 3.1, beyond what drf-spectacular sees: headers, and the answers that refuse."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from accounts.rest.authentication import ApiTokenAuthentication
from accounts.rest.documents import ProblemSerializer
from accounts.rest.headers import MAX_REASON
from accounts.rest.problems import MEDIA_TYPE

_ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    description='Version of the record, such as "3"; send it back in If-Match.',
    response=[200, 201],
)
_LOCATION = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201])
_REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    str,
    OpenApiParameter.HEADER,
    description="true where this had been done before and only its record is shown.",
    response=[200, 201],
)

_CORRECTIONS = {"update", "partial_update"}

_REFUSALS = {
    "400": "Something sent cannot be used: errors says what.",
    "401": "Not signed in.",
    "403": "Signed in, and no role includes this.",
    "404": "Does not exist, or is hidden: the answer is the same.",
    "406": "Only application/json is offered.",
    "409": "The state of the records does not allow this.",
    "412": "Changed by somebody else since it was read; ETag names the present version.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "422": "The Idempotency-Key was used for another request.",
    "428": "If-Match is missing.",
    "429": "Too many requests; Retry-After says for how many seconds.",
    "503": "The database could not do this now. Nothing was stored.",
}


def _header(name: str, description: str, *, required: bool, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        {"type": "string", **schema},
        OpenApiParameter.HEADER,
        required=required,
        description=description,
    )


class RegistryAutoSchema(AutoSchema):
    """Adds the headers of preconditions and reasons, and problems as the answers that refuse."""

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def _headers(self) -> list[OpenApiParameter]:
        action = getattr(self.view, "action", None)
        found: list[OpenApiParameter] = []
        if action in getattr(self.view, "reason_actions", ()):
            found += [
                _header(
                    "If-Match",
                    "ETag of the version that was read.",
                    required=action in _CORRECTIONS,
                    pattern='^"[0-9]+"$',
                ),
                _header("Change-Reason", "Why, in UTF-8.", required=True, minLength=1, maxLength=MAX_REASON),
            ]
        if action in getattr(self.view, "optional_reason_actions", ()):
            words = "Why, in UTF-8; needed where a reader's signature rests on what is changed."
            found.append(_header("Change-Reason", words, required=False, minLength=1, maxLength=MAX_REASON))
        if action in getattr(self.view, "once_actions", ()):
            found += [
                _header(
                    "Idempotency-Key",
                    "A request repeated with its key within 24 hours is not done again.",
                    required=False,
                    pattern="^[!-~]+$",
                    minLength=1,
                    maxLength=255,
                ),
                _REPLAYED,
            ]
            if action not in getattr(self.view, "in_place_actions", ()):
                found.append(_LOCATION)
        if hasattr(self.view, "reason_actions") and action not in getattr(self.view, "untagged_actions", ()):
            found.append(_ETAG)
        return found

    def get_override_parameters(self) -> list[Any]:
        return self._headers()

    def _problem(self) -> ResolvedComponent:
        return self.resolve_serializer(ProblemSerializer(), "response")

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        codes = ["400", "401", "403", "406", "429", "503"]
        if "{" in self.path:
            codes.append("404")
        if self.method in {"POST", "PUT", "PATCH"}:
            codes += ["409", "413", "415"]
        if any(parameter.name == "If-Match" for parameter in self._headers()):
            is_correction = getattr(self.view, "action", None) in _CORRECTIONS
            codes += ["412", "428"] if is_correction else ["412"]
        elif getattr(self.view, "action", None) in getattr(self.view, "body_version_actions", ()):
            codes.append("412")
        if any(parameter.name == "Idempotency-Key" for parameter in self._headers()):
            codes.append("422")
        problem = self._problem()
        for code in sorted(codes):
            bodies.setdefault(
                code, {"description": _REFUSALS[code], "content": {MEDIA_TYPE: {"schema": problem.ref}}}
            )
        return bodies


class ApiTokenScheme(OpenApiAuthenticationExtension):
    target_class = ApiTokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>`, a token from POST /api/v1/tokens/.",
        }


class PasswordScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.rest.tokens.PasswordAuthentication"
    name = "password"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "For making a token alone."}
