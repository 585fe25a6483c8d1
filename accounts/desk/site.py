"""The admin site, who gets in, and at which centres."""

import uuid
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from accounts.access import Act
from accounts.models import User


class CorrectionDesk(UnfoldAdminSite):
    """The admin site. Its door is the site's own sign-in page."""

    site_header = gettext_lazy("PRRT registry")
    site_title = gettext_lazy("PRRT registry")
    index_title = gettext_lazy("Correction desk")

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may correct records at any centre; ``is_staff`` decides nothing."""
        user = request.user
        return bool(user.is_authenticated and user.is_active and cast(User, user).may(Act.CORRECT_IN_ADMIN))

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send on: to the site's sign-in page, or to where the user wanted to go."""
        index = reverse("admin:index", current_app=self.name)
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(
            wanted, {request.get_host()}, require_https=request.is_secure()
        ):
            wanted = index
        if self.has_permission(request):
            return redirect(wanted)
        if request.user.is_authenticated:  # signing in again would not help
            raise PermissionDenied(_("Your roles do not include the correction desk."))
        return redirect_to_login(wanted, resolve_url(settings.LOGIN_URL))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            logout(request)
        return redirect(settings.LOGIN_URL)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")


def desk_centres(user: User, *acts: Act) -> set[uuid.UUID] | None:
    """Return the centres at which ``user`` works the desk and may perform all ``acts``; None: every centre there is."""
    if user.is_superuser and user.is_active:
        return None
    centres = set(user.centre_ids(Act.CORRECT_IN_ADMIN))
    for act in acts:
        centres &= set(user.centre_ids(act))
    return centres


def user_of(request: HttpRequest) -> User:
    """Return the signed-in user; the site lets nobody else through."""
    return cast(User, request.user)
