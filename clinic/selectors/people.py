"""Whose patients a list is about: those of one colleague, of nobody, or all; and who the colleagues are."""

import uuid
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import Http404

from accounts.access import Act
from accounts.models import User
from clinic.selectors.names import person_name
from clinic.selectors.whose import Whose

ME, NOBODY = "me", "nobody"


@dataclass(frozen=True)
class Who:
    """The answer to ``?who=``: its key ("" for all patients) and what it means."""

    key: str
    whose: Whose


def asked(user: User, key: str) -> Who:
    """Return whose patients are asked for: ``me``, ``nobody``, the id of a colleague, or blank for all.

    Raises:
        Http404: the key names nobody whom ``user`` works with.
    """
    if key == "":
        return Who("", Whose())
    if key == ME:
        return Who(ME, Whose(cared_for_by=user.pk))
    if key == NOBODY:
        return Who(NOBODY, Whose(by_nobody=True))
    try:
        colleague = uuid.UUID(key)
    except ValueError:
        raise Http404 from None
    if all(pk != str(colleague) for pk, _ in choices(user)):
        raise Http404
    return Who(str(colleague), Whose(cared_for_by=colleague))


def choices(user: User) -> list[tuple[str, str]]:
    """Return keys and names of the colleagues who look after somebody, but ``user``. One query."""
    found = User.objects.filter(
        is_active=True,
        looked_after__patient__centre__in=user.centre_ids(Act.VIEW_RECORDS),
        looked_after__patient__voided_at=None,
    )
    rows = found.exclude(pk=user.pk).distinct().order_by("last_name", "first_name", "username")
    return [(str(one.pk), person_name(one)) for one in rows]


def zone_of(user: User) -> ZoneInfo:
    """Return the time zone of the first centre whose records the user may see: what "today" means on pages of all."""
    centres = user.centres(Act.VIEW_RECORDS)
    return centres[0].zone if centres else ZoneInfo("UTC")
