"""Centres, users and their memberships."""

import uuid
from functools import cached_property
from zoneinfo import ZoneInfo, available_timezones

import pgtrigger
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ACT_WORDS, ROLE_ACTS, Act, Role, roles_with
from accounts.tracking import tracked


def is_time_zone(value: str) -> None:
    """Raise ValidationError unless ``value`` is an IANA time zone such as Europe/Berlin."""
    if value not in available_timezones():
        raise ValidationError(
            _("%(value)s is not an IANA time zone such as Europe/Berlin."), params={"value": value}
        )


class CentreQuerySet(models.QuerySet["Centre"]):
    def visible_to(self, user: "User", act: Act = Act.VIEW_RECORDS) -> "CentreQuerySet":
        """Return the centres at which ``user`` may perform ``act``; none for who is not signed in."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(pk__in=user.centre_ids(act))


@tracked()
class Centre(models.Model):
    """A clinic that treats patients. Its local dates are the dates of its records."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(
        max_length=8,
        unique=True,
        validators=[RegexValidator(r"^[A-Z]{2,8}$", gettext_lazy("2 to 8 capital letters, such as STA."))],
    )
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[is_time_zone])

    objects = CentreQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        triggers = [
            # A zone that PostgreSQL does not know would stop every outcome of the centre from being derived.
            pgtrigger.Trigger(
                name="time_zone_known",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="PERFORM now() AT TIME ZONE NEW.time_zone; RETURN NEW;",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} · {self.name}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class User(AbstractUser):
    """A person or system that signs in. What it may do follows from its memberships."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    language = models.CharField(
        max_length=8, blank=True, help_text=gettext_lazy("Of pages and e-mails. Blank: that of the browser.")
    )

    class Meta(AbstractUser.Meta):
        ordering = ["username"]

    @cached_property
    def _memberships(self) -> "list[Membership]":
        return list(self.memberships.select_related("centre"))

    @cached_property
    def _acts_by_centre(self) -> dict[uuid.UUID, frozenset[Act]]:
        acts: dict[uuid.UUID, frozenset[Act]] = {}
        for one in self._memberships:
            acts[one.centre_id] = acts.get(one.centre_id, frozenset()) | ROLE_ACTS.get(one.role, frozenset())
        return acts

    def centres(self, act: Act) -> "list[Centre]":
        """Return the centres at which this user may perform ``act``, in the order of their codes. No further query."""
        if self.is_superuser:
            return list(Centre.objects.visible_to(self, act))
        permitted = set(self.centre_ids(act))
        found = {one.centre_id: one.centre for one in self._memberships if one.centre_id in permitted}
        return sorted(found.values(), key=lambda centre: centre.code)

    def centre_ids(self, act: Act) -> list[uuid.UUID]:
        """Return the centres at which this user may perform ``act``. One query per request."""
        if not self.is_active:
            return []
        if self.is_superuser:
            return list(Centre.objects.values_list("pk", flat=True))
        return [centre_id for centre_id, acts in self._acts_by_centre.items() if act in acts]

    def may(self, act: Act, centre_id: uuid.UUID | None = None) -> bool:
        """Return whether this user may perform ``act`` at the centre, or at any centre where none is named."""
        if not self.is_active:
            return False
        if self.is_superuser:
            return True
        centre_ids = self.centre_ids(act)
        return bool(centre_ids) if centre_id is None else centre_id in centre_ids

    def require(self, act: Act, centre_id: uuid.UUID | None = None) -> None:
        """Raise PermissionDenied unless this user may perform ``act`` at the centre."""
        if not self.may(act, centre_id):
            raise PermissionDenied(_("With your roles here you may not {do}.").format(do=ACT_WORDS[act]))


@tracked()
class Membership(models.Model):
    """A role of a user at a centre. A person may hold several."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)

    class Meta:
        ordering = ["centre__code", "role"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "centre", "role"],
                name="accounts_membership_once",
                violation_error_message=gettext_lazy("This user already has this role at this centre."),
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values),
                name="accounts_membership_role_known",
                violation_error_message=gettext_lazy("This role does not exist."),
            ),
        ]

    def __str__(self) -> str:
        held = _("{role} at {centre}").format(role=self.get_role_display(), centre=self.centre.code)
        return f"{self.user} · {held}"


class IdempotencyKey(models.Model):
    """That a user's POST with this key was done, and which record came of it. Removed after 24 hours."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    route = models.CharField(max_length=255, db_comment="method and path")
    fingerprint = models.CharField(
        max_length=64, db_comment="keyed hash of the body, which itself is not kept"
    )
    object_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="accounts_idempotencykey_once")]
        indexes = [models.Index(fields=["created_at"], name="accounts_idempotencykey_age")]

    def __str__(self) -> str:
        return f"{self.route} at {self.created_at}"


__all__ = ["Act", "Centre", "IdempotencyKey", "Membership", "Role", "User", "roles_with"]
