"""People and their accounts for who manages them, and one's own account for everybody."""

import uuid
from collections.abc import Callable
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import selectors, services
from accounts.access import Act
from accounts.errors import RegistryError
from accounts.forms import PersonForm, ReasonForm, RoleForm
from accounts.http import SignedInRequest
from accounts.models import Membership, User
from languages.wording import within

PAGE = 100


@never_cache
@require_safe
def people(request: SignedInRequest) -> HttpResponse:
    """List the people of the centres whose users the signed-in user manages."""
    request.user.require(Act.MANAGE_USERS)
    found = selectors.managed_people(request.user).order_by("username")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    rows = selectors.people_rows(request.user, page.object_list)
    return render(request, "accounts/people.html", {"rows": rows, "page": page})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def person_new(request: SignedInRequest) -> HttpResponse:
    request.user.require(Act.MANAGE_USERS)
    form = PersonForm(request.POST or None, manager=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            person = services.add_person(**form.cleaned_data, by=request.user)
        except ValidationError as refused:
            _refuse(form, refused)
        else:
            messages.success(
                request,
                _("{person} was added. Make a link for the first password below.").format(person=person),
            )
            return redirect("person", person.pk)
    return render(request, "accounts/person_new.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@sensitive_variables("link")
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: SignedInRequest, user_id: uuid.UUID) -> HttpResponse:
    """Show a person, who is absent to whoever does not manage them; a POST names the ``act`` that its form is about."""
    somebody = get_object_or_404(selectors.managed_people(request.user), pk=user_id)
    context: dict[str, Any] = {
        "role_form": RoleForm(manager=request.user, prefix="role"),
        "close_form": ReasonForm(prefix="close"),
    }
    status = 200
    if request.method == "POST":
        act = _PERSON_ACTS.get(request.POST.get("act", ""))
        if act is None:
            return redirect("person", user_id)
        try:
            if act(request, somebody, context):
                return redirect("person", user_id)
            status = 422 if context.get("refused") else 200
        except RegistryError as refused:
            context["refused"] = [refused.message]
            status = 409
    memberships = selectors.managed_memberships(request.user, [somebody]).get(somebody.pk, [])
    context |= {
        "person": somebody,
        "is_self": somebody.pk == request.user.pk,
        "owns": selectors.owns_account(request.user, somebody),
        "may_change": somebody.pk != request.user.pk
        and (request.user.is_superuser or not somebody.is_superuser),
        "memberships": memberships,
        "n_elsewhere": somebody.memberships.count() - len(memberships),
        "has_second_factor": is_mfa_enabled(somebody),
        "n_sessions": len(selectors.sessions(somebody)),
        "n_tokens": selectors.tokens(somebody).count(),
        "sign_ins": selectors.sign_ins(somebody),
        "is_refused": status != 200,
        "link_hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
    }
    return render(request, "accounts/person.html", context, status=status)


PersonAct = Callable[[SignedInRequest, User, dict[str, Any]], bool]


def _give_role(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    form = context["role_form"] = RoleForm(request.POST, manager=request.user, prefix="role")
    if form.is_valid():
        try:
            made = services.give_role(person=somebody, **form.cleaned_data, by=request.user)
        except ValidationError as refused:
            _refuse(form, refused)
        else:
            said = _("{person} is {role} at {centre} now.").format(
                person=somebody, role=within(made.get_role_display()), centre=made.centre.code
            )
            messages.success(request, said)
            return True
    context["refused"] = [said for errors in form.errors.values() for said in errors]
    return False


def _end_role(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    asked = request.POST.get("membership", "")
    own = selectors.managed_memberships(request.user, [somebody]).get(somebody.pk, [])
    membership: Membership | None = next((one for one in own if str(one.pk) == asked), None)
    if membership is None:
        raise Http404
    services.end_role(membership=membership, reason=request.POST.get("reason", "")[:500], by=request.user)
    said = _("The role {role} at {centre} has ended.").format(
        role=within(membership.get_role_display()), centre=membership.centre.code
    )
    messages.success(request, said)
    return True


def _close(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    form = context["close_form"] = ReasonForm(request.POST, prefix="close")
    if not form.is_valid():
        context["refused"] = [_("Say why the account is closed.")]
        return False
    services.close_account(person=somebody, reason=form.cleaned_data["reason"], by=request.user)
    messages.success(request, _("The account is closed: its sessions and tokens have ended."))
    return True


def _open(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    services.open_account(person=somebody, by=request.user)
    messages.success(request, _("The account is open again."))
    return True


def _link(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    """Show the link on this one answer, which no cache keeps."""
    path = services.password_link(person=somebody, by=request.user)
    context["link"] = request.build_absolute_uri(path)
    return False


def _end_sessions(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    services.end_sessions(person=somebody, by=request.user)
    messages.success(request, _("{person} is signed out everywhere.").format(person=somebody))
    return True


def _revoke_tokens(request: SignedInRequest, somebody: User, context: dict[str, Any]) -> bool:
    services.revoke_tokens(person=somebody, by=request.user)
    messages.success(request, _("All API tokens were revoked."))
    return True


_PERSON_ACTS: dict[str, PersonAct] = {
    "give-role": _give_role,
    "end-role": _end_role,
    "close": _close,
    "open": _open,
    "link": _link,
    "end-sessions": _end_sessions,
    "revoke-tokens": _revoke_tokens,
}


def _refuse(form: Any, refused: ValidationError) -> None:
    if not hasattr(refused, "error_dict"):
        form.add_error(None, refused)
        return
    for name, errors in refused.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Speak this language from now on in this browser, and to who is signed in wherever they sign in."""
    language = request.POST.get("language", "")
    place = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        place, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        place = reverse(settings.LOGIN_REDIRECT_URL)
    response = redirect(place)
    if language in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            services.choose_language(language, by=request.user)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def security(request: SignedInRequest) -> HttpResponse:
    """Show where one is signed in, one's API tokens and last sign-ins; a POST names the ``act`` that its form is about."""
    context: dict[str, Any] = {}
    status = 200
    if request.method == "POST":
        act = request.POST.get("act", "")
        key = request.session.session_key or ""
        asked = request.POST.get("id", "")
        if act == "create-token":
            try:
                context["token"], context["secret"] = services.create_token(by=request.user)
            except RegistryError as refused:
                context["refused"], status = refused.message, 409
        elif act == "revoke-token":
            services.revoke_own_token(token_key=asked[:20], by=request.user)
            messages.success(request, _("The token was revoked."))
        elif act == "end-session" and asked.isdecimal():
            services.end_own_session(session_id=int(asked), by=request.user)
            messages.success(request, _("That session has ended."))
        elif act == "end-others":
            ended = services.end_own_other_sessions(session_key=key, by=request.user)
            said = ngettext("{n} other session ended.", "{n} other sessions ended.", ended).format(n=ended)
            messages.success(request, said)
        if act != "create-token":
            return redirect("account-security")
    own = selectors.sessions(request.user)
    context |= {
        "sessions": own,
        "session_key": request.session.session_key,
        "n_others": sum(one.session_key != request.session.session_key for one in own),
        "tokens": selectors.tokens(request.user),
        "sign_ins": selectors.sign_ins(request.user),
        "has_second_factor": is_mfa_enabled(request.user),
        "memberships": request.user.memberships.select_related("centre").order_by(F("centre__code")),
        "is_refused": status != 200,
    }
    return render(request, "accounts/security.html", context, status=status)
