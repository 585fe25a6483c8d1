"""What is kept of a form before it is stored, and that one was."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from patients.models import Patient


class Draft(models.Model):
    """What a user has typed into a form and not sent yet. Nobody else sees it; it is removed when the form is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    place = models.CharField(max_length=200, db_comment="path of the form")
    fields = models.JSONField(help_text=_("Names of fields to lists of what stands in them."))
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "place"],
                name="clinic_draft_once",
                violation_error_message=_("There is a draft of this form already."),
            )
        ]
        indexes = [models.Index(fields=["saved_at"], name="clinic_draft_age")]

    def __str__(self) -> str:
        return f"draft of {self.place}"


class SentForm(models.Model):
    """That a form was stored, so that the same one sent again stores nothing. Removed after a day."""

    token = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    patient = models.ForeignKey(
        Patient, on_delete=models.PROTECT, null=True, related_name="+", help_text=_("To whose chart it led.")
    )
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["sent_at"], name="clinic_sentform_age")]

    def __str__(self) -> str:
        return f"form {self.token}"
