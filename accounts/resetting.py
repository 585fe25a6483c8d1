"""A forgotten password: a link by e-mail where a mail server is named, else an administrator's."""

from typing import Any

from allauth.account.views import PasswordResetView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.decorators import method_decorator


@method_decorator(login_not_required, name="dispatch")
class ForgottenPasswordView(PasswordResetView):
    """Ask for the address to which the link is sent.

    Without a mail server, e-mails are written to a log, where no link to somebody's account may stand: nothing is sent.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and not settings.EMAIL_HOST:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"is_sent": bool(settings.EMAIL_HOST)}
