"""Courses and cycles; what holds them up, what is decided before a cycle, and that a course was stopped."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import User
from accounts.records import (
    ClinicalRecord,
    clinical_record,
    known_codes,
    not_in_future,
    not_in_future_moment,
    plausible_days,
    plausible_moments,
)
from languages.wording import day
from patients.models import Patient
from treatments.models.protocols import MOST_ACTIVITY_MBQ, Protocol


class Intent(models.TextChoices):
    INITIAL = "initial", _("Initial")
    SALVAGE = "salvage", _("Salvage")


class CycleStatus(models.TextChoices):
    PLANNED = "planned", _("Planned")
    HELD = "held", _("On hold")
    GIVEN = "given", _("Given")
    CANCELLED = "cancelled", _("Cancelled")


OPEN = frozenset({CycleStatus.PLANNED, CycleStatus.HELD})  # still to come


class HoldReason(models.TextChoices):
    HAEMATOLOGICAL = "haematological", _("Haematological toxicity")
    RENAL = "renal", _("Renal toxicity")
    HEPATIC = "hepatic", _("Hepatic toxicity")
    OTHER_TOXICITY = "other_toxicity", _("Other toxicity")
    COMORBIDITY = "comorbidity", _("Co-morbidity")
    STAGING = "staging", _("Staging or response to be clarified")
    PATIENT_CHOICE = "patient_choice", _("Patient's choice")
    LOGISTICS = "logistics", _("Logistics")
    UNKNOWN = "unknown", _("Not known")


class DoseAdvice(models.TextChoices):
    """What the rule says before a cycle, and what may be decided; the same codes as ``rules.advice``."""

    CONTINUE = "continue", pgettext_lazy("dose advice", "Continue")
    HOLD = "hold", pgettext_lazy("dose advice", "Hold")
    REDUCE = "reduce", _("Resume at the reduced activity")
    RETURN = "return", _("Return to the full activity")
    DISCONTINUE = "discontinue", _("Consider discontinuation")
    INSUFFICIENT = "insufficient", _("No advice: values are missing")


class DiscontinuationReason(models.TextChoices):
    PROGRESSION = "progression", _("Progression")
    HAEMATOLOGICAL = "haematological", _("Haematological toxicity")
    RENAL = "renal", _("Renal toxicity")
    HEPATIC = "hepatic", _("Hepatic toxicity")
    OTHER_TOXICITY = "other_toxicity", _("Other toxicity")
    COMORBIDITY = "comorbidity", _("Co-morbidity")
    PATIENT_CHOICE = "patient_choice", _("Patient's choice")
    LOGISTICS = "logistics", _("Logistics")
    DEATH = "death", _("Death")


@clinical_record
class Course(ClinicalRecord):
    """A series of cycles under one version of a protocol."""

    EDIT_ACT = Act.EDIT_TREATMENTS
    VOIDED_WITH = (
        "cycles",
    )  # planned with the course; an administration or discontinuation stands in its way

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="courses")
    number = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    protocol = models.ForeignKey(Protocol, on_delete=models.PROTECT, related_name="courses")
    intent = models.CharField(max_length=8, choices=Intent, default=Intent.INITIAL)

    class Meta(ClinicalRecord.Meta):
        ordering = ["patient", "number"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "number"],
                condition=Q(voided_at__isnull=True),
                name="treatments_course_number_once",
                violation_error_message=_("This patient already has a course with this number."),
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1),
                name="treatments_course_number_from_one",
                violation_error_message=_("Courses are numbered from 1."),
            ),
            models.CheckConstraint(
                condition=Q(intent__in=Intent.values),
                name="treatments_course_intent_known",
                violation_error_message=_("The intent must be initial or salvage."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("{patient} course {number}").format(patient=self.patient, number=self.number)


@clinical_record
class Cycle(ClinicalRecord):
    """One cycle of a course, planned, on hold, given or cancelled."""

    CENTRE_PATH = "course__patient__centre_id"
    PATIENT_PATH = "course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS
    VOIDED_WITH = ("holds", "decisions")

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="cycles")
    number = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    planned_on = models.DateField(null=True, blank=True)
    set_on = models.DateField(
        _("day set by hand"),
        null=True,
        blank=True,
        help_text=_("Goes before the protocol's date; of cycle 1 the start of the course."),
    )
    status = models.CharField(max_length=10, choices=CycleStatus, default=CycleStatus.PLANNED)
    prescribed_activity_mbq = models.DecimalField(
        _("prescribed activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        null=True,
        blank=True,
        help_text=_("Blank: the protocol's."),
        db_comment="MBq, where it differs from the protocol's",
    )
    cancel_reason = models.CharField(
        max_length=500,
        blank=True,
        editable=False,
        help_text=_("Why this cycle alone is left out; blank where its course was discontinued."),
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["course", "number"]
        indexes = [
            models.Index(  # the worklist asks every running course for its next cycle
                fields=["course", "number"],
                include=["id", "planned_on", "status"],
                condition=Q(voided_at__isnull=True, status__in=["planned", "held"]),
                name="treatments_cycle_to_come",
            )
        ]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["course", "number"],
                condition=Q(voided_at__isnull=True),
                name="treatments_cycle_number_once",
                violation_error_message=_("This course already has a cycle with this number."),
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1),
                name="treatments_cycle_number_from_one",
                violation_error_message=_("Cycles are numbered from 1."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=CycleStatus.values),
                name="treatments_cycle_status_known",
                violation_error_message=_("A cycle is planned, held, given or cancelled."),
            ),
            models.CheckConstraint(
                condition=Q(prescribed_activity_mbq__isnull=True)
                | Q(prescribed_activity_mbq__gt=0, prescribed_activity_mbq__lte=MOST_ACTIVITY_MBQ),
                name="treatments_cycle_activity_plausible",
                violation_error_message=_("A prescribed activity lies above 0 and up to 20,000 MBq."),
            ),
            models.CheckConstraint(
                condition=Q(cancel_reason="") | Q(status="cancelled"),
                name="treatments_cycle_cancelled_has_reason",
                violation_error_message=_("Only a cancelled cycle says why it was cancelled."),
            ),
            *plausible_days("planned_on", "set_on"),
        ]

    def __str__(self) -> str:
        return gettext("{course} cycle {number}").format(course=self.course, number=self.number)


@clinical_record
class Hold(ClinicalRecord):
    """That a cycle had to wait: from when, why, when it is looked at again, and when the course went on."""

    CENTRE_PATH = "cycle__course__patient__centre_id"
    PATIENT_PATH = "cycle__course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="holds")
    held_on = models.DateField(_("held on"), validators=[not_in_future])
    reason = models.CharField(max_length=16, choices=HoldReason)
    review_on = models.DateField(_("expected review"), null=True, blank=True)
    resumed_on = models.DateField(_("resumed on"), null=True, blank=True, validators=[not_in_future])
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["cycle", "held_on"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(reason=HoldReason.values),
            models.UniqueConstraint(
                fields=["cycle"],
                condition=Q(voided_at__isnull=True, resumed_on__isnull=True),
                name="treatments_hold_one_open",
                violation_error_message=_(
                    "This cycle is on hold already: correct that hold, or resume first."
                ),
            ),
            models.UniqueConstraint(
                fields=["cycle", "held_on"],
                condition=Q(voided_at__isnull=True),
                name="treatments_hold_once_a_day",
                violation_error_message=_("A hold of this cycle begins on that day already."),
            ),
            models.CheckConstraint(
                condition=(Q(review_on__isnull=True) | Q(review_on__gte=models.F("held_on")))
                & (Q(resumed_on__isnull=True) | Q(resumed_on__gte=models.F("held_on"))),
                name="treatments_hold_days_in_order",
                violation_error_message=_("A hold cannot be reviewed or end before it began."),
            ),
            *plausible_days("held_on", "review_on", "resumed_on"),
        ]

    def __str__(self) -> str:
        return gettext("hold of {cycle} on {on}").format(cycle=self.cycle, on=day(self.held_on))

    @property
    def is_open(self) -> bool:
        return self.resumed_on is None and self.voided_at is None


@clinical_record
class DoseDecision(ClinicalRecord):
    """What was decided before a cycle, beside what the rule had advised and the facts it rested on."""

    CENTRE_PATH = "cycle__course__patient__centre_id"
    PATIENT_PATH = "cycle__course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="decisions")
    decided_at = models.DateTimeField(default=timezone.now, validators=[not_in_future_moment])
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="dose_decisions"
    )
    advice = models.CharField(max_length=12, choices=DoseAdvice)
    advice_facts = ArrayField(
        models.CharField(max_length=500), default=list, blank=True, help_text=_("What led to the advice.")
    )
    advice_source = models.CharField(max_length=500, blank=True)
    decision = models.CharField(
        max_length=12, choices=[choice for choice in DoseAdvice.choices if choice[0] != "insufficient"]
    )
    prescribed_activity_mbq = models.DecimalField(
        _("prescribed activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        null=True,
        blank=True,
        db_comment="MBq, decided for the cycle; null where it is not to be given now",
    )
    reason = models.CharField(
        max_length=500, blank=True, help_text=_("Needed where the decision differs from the advice.")
    )

    class Meta(ClinicalRecord.Meta):
        ordering = ["cycle", "decided_at"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(
                advice=DoseAdvice.values,
                decision=[code for code in DoseAdvice.values if code != DoseAdvice.INSUFFICIENT],
            ),
            models.UniqueConstraint(
                fields=["cycle", "decided_at"],
                condition=Q(voided_at__isnull=True),
                name="treatments_dosedecision_once",
                violation_error_message=_("This decision is already there."),
            ),
            models.CheckConstraint(
                condition=Q(decision=models.F("advice")) | ~Q(reason=""),
                name="treatments_dosedecision_override_has_reason",
                violation_error_message=_("A decision that differs from the advice needs its reason."),
            ),
            models.CheckConstraint(
                condition=Q(prescribed_activity_mbq__isnull=True)
                | Q(prescribed_activity_mbq__gt=0, prescribed_activity_mbq__lte=MOST_ACTIVITY_MBQ),
                name="treatments_dosedecision_activity_plausible",
                violation_error_message=_("A prescribed activity lies above 0 and up to 20,000 MBq."),
            ),
            *plausible_moments("decided_at"),
        ]

    def __str__(self) -> str:
        return gettext("decision on {cycle}").format(cycle=self.cycle)


@clinical_record
class Discontinuation(ClinicalRecord):
    """That a course was stopped before all its cycles were given."""

    CENTRE_PATH = "course__patient__centre_id"
    PATIENT_PATH = "course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="discontinuations")
    discontinued_on = models.DateField(validators=[not_in_future])
    after_cycle = models.PositiveSmallIntegerField(
        help_text=_("Number of cycles given before the course was stopped.")
    )
    main_reason = models.CharField(max_length=16, choices=DiscontinuationReason)
    further_reasons = ArrayField(
        models.CharField(max_length=16, choices=DiscontinuationReason), default=list, blank=True
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["course"],
                condition=Q(voided_at__isnull=True),
                name="treatments_discontinuation_one_per_course",
                violation_error_message=_("This course has already been discontinued: correct that record."),
            ),
            models.CheckConstraint(
                condition=Q(main_reason__in=DiscontinuationReason.values),
                name="treatments_discontinuation_reason_known",
                violation_error_message=_("The reason is not one of the list."),
            ),
            models.CheckConstraint(
                condition=Q(further_reasons__contained_by=DiscontinuationReason.values),
                name="treatments_discontinuation_further_reasons_known",
                violation_error_message=_("A further reason is not one of the list."),
            ),
            *plausible_days("discontinued_on"),
        ]

    def __str__(self) -> str:
        return gettext("{course} discontinued on {on}").format(
            course=self.course, on=day(self.discontinued_on)
        )
