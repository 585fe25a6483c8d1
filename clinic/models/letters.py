"""What the clinic writes down for itself: the texts of its letters."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Centre, User
from clinic.letters.placeholders import KIND_WORDS, Kind
from clinic.letters.text import MOST_BODY, MOST_TITLE


class LetterTemplate(models.Model):
    """A version of the text of a centre's letter. Versions are added and never changed; the newest is used."""

    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="letter_templates")
    kind = models.CharField(max_length=20, choices=[(kind.value, word) for kind, word in KIND_WORDS.items()])
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=MOST_TITLE, help_text=_("One line; placeholders may stand in it."))
    body = models.TextField(
        _("text"),
        max_length=MOST_BODY,
        help_text=_("An empty line begins a paragraph, # a heading, - an item of a list."),
    )
    saved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    saved_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["centre", "kind", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["centre", "kind", "version"],
                name="clinic_lettertemplate_version_once",
                violation_error_message=_("Somebody else has just stored this version."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in Kind]),
                name="clinic_lettertemplate_kind_known",
                violation_error_message=_("There is no such letter."),
            ),
            models.CheckConstraint(
                condition=Q(version__gte=1) & ~Q(title="") & ~Q(body=""),
                name="clinic_lettertemplate_says_something",
                violation_error_message=_("A letter needs a title and a text."),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="versions_stay", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return gettext("{kind} of {centre}, version {version}").format(
            kind=KIND_WORDS[Kind(self.kind)], centre=self.centre.code, version=self.version
        )
