"""Adverse events in the terms of CTCAE."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.records import ClinicalRecord, clinical_record, known_codes, not_in_future, plausible_days
from languages.wording import day
from patients.models import Patient


class Attribution(models.TextChoices):
    NOT_ASSESSED = "not_assessed", _("Not assessed")
    UNRELATED = "unrelated", _("Unrelated")
    UNLIKELY = "unlikely", _("Unlikely")
    POSSIBLE = "possible", _("Possible")
    PROBABLE = "probable", _("Probable")
    DEFINITE = "definite", _("Definite")


class EventAction(models.TextChoices):
    NONE = "none", pgettext_lazy("action after an adverse event", "None")
    OBSERVED = "observed", _("Closer follow-up")
    TREATED = "treated", _("Treated")
    CYCLE_HELD = "cycle_held", _("Cycle held")
    ACTIVITY_REDUCED = "activity_reduced", _("Activity reduced")
    DISCONTINUED = "discontinued", _("PRRT discontinued")


@clinical_record
class AdverseEvent(ClinicalRecord):
    """An adverse event with its highest grade, from its onset until it was resolved."""

    EDIT_ACT = Act.EDIT_TREATMENTS

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="adverse_events")
    term = models.CharField(max_length=120, help_text=_("A CTCAE term, or free text."))
    grade = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        choices=[(grade, format_lazy(_("Grade {grade}"), grade=grade)) for grade in range(1, 6)],
        db_comment="CTCAE, 1 to 5",
    )
    onset_on = models.DateField(validators=[not_in_future])
    resolved_on = models.DateField(null=True, blank=True, validators=[not_in_future])
    attribution = models.CharField(max_length=12, choices=Attribution, default=Attribution.NOT_ASSESSED)
    is_serious = models.BooleanField(_("serious"), default=False)
    action = models.CharField(max_length=16, choices=EventAction, default=EventAction.NONE)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["patient", "onset_on", "term"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(attribution=Attribution.values, action=EventAction.values),
            models.UniqueConstraint(
                fields=["patient", "term", "onset_on"],
                condition=Q(voided_at__isnull=True),
                name="treatments_adverseevent_once",
                violation_error_message=_(
                    "This event with the same onset is already there: correct that record."
                ),
            ),
            models.CheckConstraint(
                condition=Q(grade__gte=1, grade__lte=5),
                name="treatments_adverseevent_grade_known",
                violation_error_message=_("CTCAE grades run from 1 to 5."),
            ),
            models.CheckConstraint(
                condition=~Q(term=""),
                name="treatments_adverseevent_has_term",
                violation_error_message=_("An adverse event needs its term."),
            ),
            models.CheckConstraint(
                condition=Q(resolved_on__isnull=True) | Q(resolved_on__gte=models.F("onset_on")),
                name="treatments_adverseevent_days_in_order",
                violation_error_message=_("An event cannot be resolved before its onset."),
            ),
            *plausible_days("onset_on", "resolved_on"),
        ]

    def __str__(self) -> str:
        return gettext("{term} grade {grade} of {patient}, {on}").format(
            term=self.term, grade=self.grade, patient=self.patient, on=day(self.onset_on)
        )
