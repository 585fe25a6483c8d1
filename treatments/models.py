"""Protocols, and the courses, cycles and administrations that follow them."""

from datetime import UTC, date, datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.access import Act
from accounts.records import (
    ClinicalRecord,
    clinical_record,
    not_in_future,
    not_in_future_moment,
    plausible_days,
)
from accounts.tracking import tracked
from patients.models import Patient

MOST_ACTIVITY_MBQ = 20_000


@tracked()
class Protocol(models.Model):
    """How a course is meant to run: data, versioned. A course stays with the version it was started on."""

    code = models.SlugField(max_length=60)
    version = models.PositiveSmallIntegerField(default=1)
    name = models.CharField(max_length=200)
    radiopharmaceutical = models.CharField(max_length=60)
    physical_half_life_days = models.DecimalField(max_digits=6, decimal_places=3, db_comment="d")
    planned_cycles = models.PositiveSmallIntegerField()
    interval_days = models.PositiveSmallIntegerField(db_comment="d, from one administration to the next")
    window_days = models.PositiveSmallIntegerField(db_comment="d, either side of the planned date")
    prescribed_activity_mbq = models.DecimalField(max_digits=7, decimal_places=1, db_comment="MBq per cycle")
    imaging_after_cycles = ArrayField(
        models.PositiveSmallIntegerField(), default=list, help_text="Cycles after which PET/CT is due."
    )
    imaging_due_days = models.PositiveSmallIntegerField(
        default=56, db_comment="d after such a cycle within which the PET/CT is due"
    )
    source = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["code", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "version"],
                name="treatments_protocol_version_once",
                violation_error_message="This version of the protocol exists.",
            ),
            models.CheckConstraint(
                condition=Q(
                    planned_cycles__gte=1,
                    interval_days__gte=1,
                    prescribed_activity_mbq__gt=0,
                    prescribed_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                    physical_half_life_days__gt=0,
                    physical_half_life_days__lt=1000,
                ),
                name="treatments_protocol_plan_positive",
                violation_error_message="A protocol needs cycles, an interval, a half-life and an activity above 0.",
            ),
            models.CheckConstraint(
                condition=Q(window_days__lte=models.F("interval_days") / 2),
                name="treatments_protocol_window_within_interval",
                violation_error_message="The window must not be wider than half the interval.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (v{self.version})"


class Intent(models.TextChoices):
    INITIAL = "initial", "Initial"
    SALVAGE = "salvage", "Salvage"


class CycleStatus(models.TextChoices):
    PLANNED = "planned", "Planned"
    HELD = "held", "On hold"
    GIVEN = "given", "Given"
    CANCELLED = "cancelled", "Cancelled"


class DiscontinuationReason(models.TextChoices):
    PROGRESSION = "progression", "Progression"
    HAEMATOLOGICAL = "haematological", "Haematological toxicity"
    RENAL = "renal", "Renal toxicity"
    HEPATIC = "hepatic", "Hepatic toxicity"
    OTHER_TOXICITY = "other_toxicity", "Other toxicity"
    COMORBIDITY = "comorbidity", "Co-morbidity"
    PATIENT_CHOICE = "patient_choice", "Patient's choice"
    LOGISTICS = "logistics", "Logistics"
    DEATH = "death", "Death"


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
                violation_error_message="This patient already has a course with this number.",
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1),
                name="treatments_course_number_from_one",
                violation_error_message="Courses are numbered from 1.",
            ),
            models.CheckConstraint(
                condition=Q(intent__in=Intent.values),
                name="treatments_course_intent_known",
                violation_error_message="The intent must be initial or salvage.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient} course {self.number}"


@clinical_record
class Cycle(ClinicalRecord):
    """One cycle of a course, planned, on hold, given or cancelled."""

    CENTRE_PATH = "course__patient__centre_id"
    PATIENT_PATH = "course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="cycles")
    number = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    planned_on = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=CycleStatus, default=CycleStatus.PLANNED)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["course", "number"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["course", "number"],
                condition=Q(voided_at__isnull=True),
                name="treatments_cycle_number_once",
                violation_error_message="This course already has a cycle with this number.",
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1),
                name="treatments_cycle_number_from_one",
                violation_error_message="Cycles are numbered from 1.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=CycleStatus.values),
                name="treatments_cycle_status_known",
                violation_error_message="A cycle is planned, held, given or cancelled.",
            ),
            *plausible_days("planned_on"),
        ]

    def __str__(self) -> str:
        return f"{self.course} cycle {self.number}"


@clinical_record
class Administration(ClinicalRecord):
    """That a cycle was given: when, and how much."""

    CENTRE_PATH = "cycle__course__patient__centre_id"
    PATIENT_PATH = "cycle__course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="administrations")
    administered_at = models.DateTimeField(
        help_text="Start of the infusion.", validators=[not_in_future_moment]
    )
    prescribed_activity_mbq = models.DecimalField(
        "prescribed activity (MBq)",
        max_digits=7,
        decimal_places=1,
        validators=[MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq",
    )
    administered_activity_mbq = models.DecimalField(
        "administered activity (MBq)",
        max_digits=7,
        decimal_places=1,
        validators=[MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq, net of the residual, at administered_at",
    )
    lot = models.CharField("lot number", max_length=40, blank=True)
    deviation_explanation = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["administered_at"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["cycle"],
                condition=Q(voided_at__isnull=True),
                name="treatments_administration_one_per_cycle",
                violation_error_message="This cycle has already been given.",
            ),
            models.CheckConstraint(
                condition=Q(administered_activity_mbq__gt=0, prescribed_activity_mbq__gt=0),
                name="treatments_administration_activity_positive",
                violation_error_message="A given cycle needs an activity above 0 MBq.",
            ),
            models.CheckConstraint(
                # NaN is greater than every number in PostgreSQL: an upper bound keeps it out too.
                condition=Q(
                    administered_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                    prescribed_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                ),
                name="treatments_administration_activity_plausible",
                violation_error_message=f"An activity cannot be above {MOST_ACTIVITY_MBQ:,} MBq.",
            ),
            models.CheckConstraint(
                condition=Q(
                    administered_at__gte=datetime(1890, 1, 1, tzinfo=UTC),
                    administered_at__lt=datetime(2150, 1, 1, tzinfo=UTC),
                ),
                name="treatments_administration_administered_at_plausible",
                violation_error_message="This time must lie between 1890-01-01 and 2150-01-01.",
            ),
        ]

    def __str__(self) -> str:
        return f"administration of {self.cycle}"

    @property
    def administered_on(self) -> date:
        """The centre's local date of the infusion."""
        return self.administered_at.astimezone(self.cycle.course.patient.centre.zone).date()


@clinical_record
class Discontinuation(ClinicalRecord):
    """That a course was stopped before all its cycles were given."""

    CENTRE_PATH = "course__patient__centre_id"
    PATIENT_PATH = "course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    course = models.ForeignKey(Course, on_delete=models.PROTECT, related_name="discontinuations")
    discontinued_on = models.DateField(validators=[not_in_future])
    after_cycle = models.PositiveSmallIntegerField(
        help_text="Number of cycles given before the course was stopped."
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
                violation_error_message="This course has already been discontinued: correct that record.",
            ),
            models.CheckConstraint(
                condition=Q(main_reason__in=DiscontinuationReason.values),
                name="treatments_discontinuation_reason_known",
                violation_error_message="The reason is not one of the list.",
            ),
            models.CheckConstraint(
                condition=Q(further_reasons__contained_by=DiscontinuationReason.values),
                name="treatments_discontinuation_further_reasons_known",
                violation_error_message="A further reason is not one of the list.",
            ),
            *plausible_days("discontinued_on"),
        ]

    def __str__(self) -> str:
        return f"{self.course} discontinued on {self.discontinued_on}"
