"""Acts on people: roles, accounts, sessions and tokens, each by who may manage them, none on oneself.

Roles keep their history by triggers. What is done to an account stands in Django's log, which the correction desk shows.
"""

import uuid
from collections.abc import Iterable

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.models import AuthToken
from knox.settings import knox_settings

from accounts import selectors
from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import Centre, Membership, Role, User
from accounts.records import clinical_write
from languages.wording import Stored, gettext_noop

CLOSED = gettext_noop("Closed the account: {reason}")
# What Django's log holds of what was done to an account: English, told again by whoever shows it.
NOTES = Stored([CLOSED])


def require_an_administrator(centre_ids: Iterable[uuid.UUID]) -> None:
    """Refuse what has left a centre without an administrator who can sign in: called after the change, in its transaction.

    Raises:
        RegistryError: ``last_administrator``.
    """
    for centre in Centre.objects.filter(pk__in=set(centre_ids)).order_by("pk").select_for_update():
        administrators = Membership.objects.filter(
            centre=centre, role=Role.ADMINISTRATOR, user__is_active=True
        )
        if not administrators.exists():
            raise RegistryError(
                "last_administrator",
                _(
                    "{centre} would be left without an administrator. Give the role to somebody else first."
                ).format(centre=centre.code),
            )


def _administered(person: User) -> list[uuid.UUID]:
    return list(person.memberships.filter(role=Role.ADMINISTRATOR).values_list("centre_id", flat=True))


def _lock_centres(centre_ids: Iterable[uuid.UUID]) -> None:
    """Let one change of administrators be made after another: two who end each other's role would both see the other's."""
    list(Centre.objects.filter(pk__in=set(centre_ids)).order_by("pk").select_for_update())


def _require_manager(by: User, person: User) -> None:
    """Refuse acts on people of other centres, on superusers, and on oneself.

    Raises:
        PermissionDenied: ``by`` does not manage this person.
        RegistryError: ``own_account``.
    """
    if not selectors.managed_people(by).filter(pk=person.pk).exists():
        raise PermissionDenied(_("You may not manage this person."))
    if person.is_superuser and not by.is_superuser:
        raise PermissionDenied(_("Superusers are managed by superusers."))
    if person.pk == by.pk:
        raise RegistryError("own_account", _("Nobody manages their own account: another administrator does."))


def _require_owner(by: User, person: User) -> None:
    _require_manager(by, person)
    if not selectors.owns_account(by, person):
        raise RegistryError(
            "account_of_other_centres",
            _(
                "This person has roles at other centres too: you can end the roles at yours, but not touch the account."
            ),
        )


def _note(by: User, person: User, words: str) -> None:
    LogEntry.objects.log_actions(by.pk, [person], CHANGE, change_message=words, single_object=True)


# Roles


def add_person(
    *, username: str, first_name: str = "", last_name: str = "", centre: Centre, role: str, by: User
) -> User:
    """Make an account with its first role. It has no password: a link lets the person set one.

    Raises:
        PermissionDenied: ``by`` does not manage the centre's users.
        ValidationError: the user name is taken or holds a character that none may.
    """
    by.require(Act.MANAGE_USERS, centre.pk)
    with clinical_write(by=by):
        person = User(username=username, first_name=first_name, last_name=last_name)
        person.set_unusable_password()
        person.full_clean()
        person.save(force_insert=True)
        _add_membership(person, centre, role)
        _note(by, person, gettext_noop("Made the account."))
    return person


def _add_membership(person: User, centre: Centre, role: str) -> Membership:
    membership = Membership(user=person, centre=centre, role=role)
    membership.full_clean()
    membership.save(force_insert=True)
    return membership


def give_role(*, person: User, centre: Centre, role: str, by: User) -> Membership:
    """Give a person a role at a centre whose users ``by`` manages.

    Raises:
        PermissionDenied, RegistryError: as ``_require_manager``.
        ValidationError: the person has this role already.
    """
    by.require(Act.MANAGE_USERS, centre.pk)
    _require_manager(by, person)
    with clinical_write(by=by):
        return _add_membership(person, centre, role)


def end_role(*, membership: Membership, reason: str, by: User) -> None:
    """End a role; what was done with it stays in the history.

    Raises:
        PermissionDenied: ``by`` does not manage the centre's users.
        RegistryError: ``own_account``, ``last_administrator``, ``no_reason``.
    """
    by.require(Act.MANAGE_USERS, membership.centre_id)
    _require_manager(by, membership.user)
    if not reason.strip():
        raise RegistryError("no_reason", _("Say why the role ends."))
    with clinical_write(by=by, reason=reason.strip()):
        _lock_centres([membership.centre_id])
        was_administrator = membership.role == Role.ADMINISTRATOR
        membership.delete()
        if was_administrator:
            require_an_administrator([membership.centre_id])


# Accounts


def close_account(*, person: User, reason: str, by: User) -> None:
    """Close an account: it signs in no more, its sessions and tokens end. Its roles and what it did stay.

    Raises:
        PermissionDenied, RegistryError: as ``_require_owner``; ``last_administrator``, ``no_reason``.
    """
    _require_owner(by, person)
    if not reason.strip():
        raise RegistryError("no_reason", _("Say why the account is closed."))
    with transaction.atomic():
        centres = _administered(person)
        _lock_centres(centres)
        User.objects.filter(pk=person.pk).update(is_active=False)
        require_an_administrator(centres)
        _end_sessions(person)
        AuthToken.objects.filter(user=person).delete()
        _note(by, person, CLOSED.format(reason=reason.strip()))
    person.is_active = False


def open_account(*, person: User, by: User) -> None:
    """Open a closed account again, with the roles it had. Raises as ``_require_owner``."""
    _require_owner(by, person)
    with transaction.atomic():
        User.objects.filter(pk=person.pk).update(is_active=True)
        _note(by, person, gettext_noop("Opened the account again."))
    person.is_active = True


def password_link(*, person: User, by: User) -> str:
    """Return the path of a page at which the person sets a new password, once, within ``PASSWORD_RESET_TIMEOUT``.

    A second factor is still asked for at the next sign-in. The path is stored nowhere: show it once.

    Raises:
        PermissionDenied, RegistryError: as ``_require_owner``; ``account_closed``.
    """
    _require_owner(by, person)
    if not person.is_active:
        raise RegistryError("account_closed", _("The account is closed: open it first."))
    with transaction.atomic():
        key = default_token_generator.make_token(person)
        _note(by, person, gettext_noop("Made a link to set a new password."))
    return reverse(
        "account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(person), "key": key}
    )


# Sessions and tokens


def _end_sessions(person: User, *, but: str = "") -> int:
    ended = 0
    for session in UserSession.objects.filter(user=person).exclude(session_key=but):
        session.end()
        ended += 1
    return ended


def end_sessions(*, person: User, by: User) -> int:
    """Sign a person out everywhere and return from how many browsers. Raises as ``_require_owner``."""
    _require_owner(by, person)
    with transaction.atomic():
        ended = _end_sessions(person)
        _note(by, person, gettext_noop("Ended all sessions."))
    return ended


def revoke_tokens(*, person: User, by: User) -> int:
    """Revoke all API tokens of a person and return how many. Raises as ``_require_owner``."""
    _require_owner(by, person)
    with transaction.atomic():
        revoked, _each = AuthToken.objects.filter(user=person).delete()
        _note(by, person, gettext_noop("Revoked all API tokens."))
    return revoked


def choose_language(language: str, *, by: User) -> None:
    """Speak to ``by`` in this language from now on, on pages and in e-mails."""
    User.objects.filter(pk=by.pk).update(language=language)


def end_own_session(*, session_id: int, by: User) -> None:
    """End one of one's own sessions; one that has ended already is no error."""
    with transaction.atomic():
        for session in UserSession.objects.filter(user=by, pk=session_id):
            session.end()


def end_own_other_sessions(*, session_key: str, by: User) -> int:
    """End all of one's own sessions but this one and return how many."""
    with transaction.atomic():
        return _end_sessions(by, but=session_key)


def create_token(*, by: User) -> tuple[AuthToken, str]:
    """Make an API token of one's own and return it with its secret, which is stored as a hash alone.

    Raises:
        RegistryError: ``token_limit``.
    """
    held = AuthToken.objects.filter(user=by, expiry__gt=timezone.now()).count()
    limit = knox_settings.TOKEN_LIMIT_PER_USER
    if limit is not None and held >= limit:
        raise RegistryError(
            "token_limit", _("You hold {n} tokens, which is the limit. End one first.").format(n=held)
        )
    token, secret = AuthToken.objects.create(user=by)
    return token, secret


def revoke_own_token(*, token_key: str, by: User) -> None:
    """Revoke one of one's own tokens by the beginning that is shown of it."""
    AuthToken.objects.filter(user=by, token_key=token_key).delete()
