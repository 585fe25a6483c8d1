"""Who looks after whom, what a user wants to be reminded of, and the lists that a user comes back to."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import User
from patients.models import Patient


class CareTeamQuerySet(models.QuerySet["CareTeamMember"]):
    def visible_to(self, user: User) -> "CareTeamQuerySet":
        """Return the memberships at centres whose records ``user`` may see."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(patient__centre__in=user.centre_ids(Act.VIEW_RECORDS))


class CareTeamMember(models.Model):
    """A user who looks after a patient. It orders the work and gives no right."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="care_team")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="looked_after")
    added_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[CareTeamQuerySet] = CareTeamQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["user__username"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "user"],
                name="clinic_careteammember_once",
                violation_error_message=_("This person looks after the patient already."),
            )
        ]

    def __str__(self) -> str:
        return gettext("{user} looks after {patient}").format(user=self.user, patient=self.patient)


class Reminders(models.Model):
    """What reaches a user outside the registry: a calendar that others can subscribe to, and a weekly e-mail."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="reminders")
    feed_key = models.CharField(
        max_length=64, blank=True, db_comment="SHA-256 of the secret of the calendar's address; blank: none"
    )
    feed_made_at = models.DateTimeField(null=True, blank=True)
    own_patients_only = models.BooleanField(_("only patients whom I look after"), default=False)
    weekly_digest = models.BooleanField(_("a weekly e-mail of what is due"), default=False)
    digest_sent_on = models.DateField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(
                fields=["feed_key"], condition=~models.Q(feed_key=""), name="clinic_reminders_feed_key_once"
            )
        ]

    def __str__(self) -> str:
        return gettext("reminders of {user}").format(user=self.user)


class SavedView(models.Model):
    """A list of patients that a user comes back to: its filters, order and columns as they stand in the address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(
        max_length=500, blank=True, help_text=_("Of the list's address, without a search.")
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                name="clinic_savedview_name_once",
                violation_error_message=_("You have a view of this name already."),
            ),
            models.CheckConstraint(
                condition=~models.Q(name=""),
                name="clinic_savedview_has_name",
                violation_error_message=_("A view needs a name."),
            ),
        ]

    def __str__(self) -> str:
        return self.name
