"""API tokens: made by who is signed in with a password or in the browser, shown once, stored as a hash, expiring."""

from typing import Any, cast

from allauth.mfa.utils import is_mfa_enabled
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.models import User
from accounts.rest.authentication import ApiTokenAuthentication
from accounts.rest.views import RestView


class PasswordAuthentication(BasicAuthentication):
    """HTTP Basic, for making a token alone. Whoever has a second factor must not be let in without it."""

    www_authenticate_realm = "PRRT registry"

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> Any:
        # django-axes counts failures on Django's request, not on DRF's wrapping of it.
        plain = request._request if request is not None else None
        if "\x00" in userid or "\x00" in password:
            raise AuthenticationFailed("Invalid username/password.")
        user, auth = super().authenticate_credentials(userid, password, plain)  # type: ignore[arg-type]
        if is_mfa_enabled(user):
            raise AuthenticationFailed(
                "This account has a second factor: make the token in the browser.", "second_factor_required"
            )
        return user, auth


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Shown this once.")
    expires_at = serializers.DateTimeField()


class TokensView(RestView):
    """Making tokens. A token cannot make another: stolen, it would never end."""

    authentication_classes = [PasswordAuthentication, SessionAuthentication]

    @extend_schema(request=None, responses={201: TokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token. Send it as ``Authorization: Token <token>``."""
        instance, token = services.create_token(by=cast(User, request.user))
        shown = TokenSerializer({"token": token, "expires_at": instance.expiry})
        return Response(shown.data, status=status.HTTP_201_CREATED)


class CurrentTokenView(RestView):
    authentication_classes: list[type[BaseAuthentication]] = [ApiTokenAuthentication]

    @extend_schema(request=None, responses={204: OpenApiResponse(description="The token has ended.")})
    def delete(self, request: Request) -> Response:
        """End the token that this request is made with."""
        request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
