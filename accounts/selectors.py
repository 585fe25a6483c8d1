"""Reading about people: whom an administrator manages, how they sign in, where they are signed in."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from axes.models import AccessFailureLog, AccessLog
from django.db.models import QuerySet
from django.utils import timezone
from knox.models import AuthToken

from accounts.access import Act
from accounts.models import Centre, Membership, User

SIGN_INS_SHOWN = 20


@dataclass
class PersonRow:
    """A person in the list; ``memberships`` are those at the centres that the reader manages."""

    user: User
    has_second_factor: bool
    memberships: list[Membership] = field(default_factory=list)


@dataclass(frozen=True)
class SignIn:
    """A sign-in that succeeded or failed."""

    at: datetime
    ip_address: str
    user_agent: str
    succeeded: bool
    was_locked: bool = False


def managed_people(manager: User) -> QuerySet[User]:
    """Return the users with a role at a centre whose users ``manager`` manages; to superusers all."""
    if manager.is_superuser and manager.is_active:
        return User.objects.all()
    at_own_centres = Membership.objects.filter(centre__in=manager.centre_ids(Act.MANAGE_USERS))
    return User.objects.filter(pk__in=at_own_centres.values("user_id"))


def owns_account(manager: User, person: User) -> bool:
    """Return whether the account itself is ``manager``'s to close and to let in: every role of it is at his centres."""
    if manager.is_superuser:
        return manager.is_active
    centres = set(person.memberships.values_list("centre_id", flat=True))
    return not person.is_superuser and bool(centres) and centres <= set(manager.centre_ids(Act.MANAGE_USERS))


def managed_memberships(manager: User, people: Iterable[User]) -> dict[uuid.UUID, list[Membership]]:
    """Return the roles of people at the centres that ``manager`` manages, by user. One query."""
    centres = Centre.objects.visible_to(manager, Act.MANAGE_USERS)
    found: dict[uuid.UUID, list[Membership]] = defaultdict(list)
    for membership in Membership.objects.filter(centre__in=centres, user__in=people).select_related("centre"):
        found[membership.user_id].append(membership)
    return found


def with_second_factor(people: Iterable[User]) -> set[uuid.UUID]:
    """Return the ids of those who need more than the password to sign in. One query."""
    factors = Authenticator.objects.filter(user__in=people).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return set(factors.values_list("user_id", flat=True))


def people_rows(manager: User, people: Iterable[User]) -> list[PersonRow]:
    """Return a page of the list of people. Two queries."""
    people = list(people)
    secured = with_second_factor(people)
    roles = managed_memberships(manager, people)
    return [PersonRow(person, person.pk in secured, roles.get(person.pk, [])) for person in people]


def sign_ins(person: User) -> list[SignIn]:
    """Return the last sign-ins under the person's user name, failed ones among them, newest first. Two queries."""
    of = {"username": person.get_username()}
    found = [
        SignIn(row.attempt_time, row.ip_address or "", row.user_agent, succeeded=True)
        for row in AccessLog.objects.filter(**of).order_by("-attempt_time")[:SIGN_INS_SHOWN]
    ] + [
        SignIn(row.attempt_time, row.ip_address or "", row.user_agent, succeeded=False, was_locked=row.locked_out)
        for row in AccessFailureLog.objects.filter(**of).order_by("-attempt_time")[:SIGN_INS_SHOWN]
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.at, reverse=True)[:SIGN_INS_SHOWN]


def sessions(person: User) -> list[UserSession]:
    """Return where the person is signed in, newest first; what has ended is forgotten on the way."""
    return sorted(UserSession.objects.purge_and_list(person), key=lambda one: one.created_at, reverse=True)


def tokens(person: User) -> QuerySet[AuthToken]:
    """Return the person's API tokens that still hold, newest first."""
    return AuthToken.objects.filter(user=person, expiry__gt=timezone.now()).order_by("-created")
