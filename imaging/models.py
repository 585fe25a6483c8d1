"""Studies at their timepoints, and the readings that say how the tumour responded."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.access import Act
from accounts.models import User
from accounts.records import ClinicalRecord, clinical_record, not_in_future, plausible_days
from patients.models import Patient

MOST_TRACER_ACTIVITY_MBQ = 2_000


class Timepoint(models.TextChoices):
    BASELINE = "baseline", "Baseline"
    INTERIM = "interim", "Interim"
    POST = "post", "After completion"
    FOLLOW_UP = "follow_up", "Follow-up"


class Modality(models.TextChoices):
    PET_CT = "pet_ct", "PET/CT"
    PET_MR = "pet_mr", "PET/MR"
    CT = "ct", "CT"
    MR = "mr", "MRI"


class OverallResponse(models.TextChoices):
    CR = "CR", "Complete response"
    PR = "PR", "Partial response"
    SD = "SD", "Stable disease"
    NON_CR_NON_PD = "NON_CR_NON_PD", "Non-CR/non-PD"
    PD = "PD", "Progressive disease"
    NE = "NE", "Not evaluable"


@clinical_record
class Study(ClinicalRecord):
    """One examination at a timepoint of a course."""

    EDIT_ACT = Act.EDIT_IMAGING

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="studies")
    course_number = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="The patient's course that this study belongs to.",
    )
    timepoint = models.CharField(max_length=10, choices=Timepoint)
    modality = models.CharField(max_length=8, choices=Modality, default=Modality.PET_CT)
    performed_on = models.DateField(validators=[not_in_future])
    tracer = models.CharField(max_length=40, blank=True, default="68Ga-DOTATATE")
    tracer_activity_mbq = models.DecimalField(
        "tracer activity (MBq)",
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_TRACER_ACTIVITY_MBQ)],
        db_comment="MBq",
    )
    uptake_minutes = models.PositiveSmallIntegerField(
        "uptake time (min)", null=True, blank=True, db_comment="min, injection to start of scan"
    )

    class Meta(ClinicalRecord.Meta):
        ordering = ["performed_on"]
        verbose_name_plural = "studies"
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "course_number"],
                condition=Q(voided_at__isnull=True, timepoint=Timepoint.BASELINE),
                name="imaging_study_one_baseline_per_course",
                violation_error_message="This course already has a baseline study.",
            ),
            models.UniqueConstraint(
                fields=["patient", "course_number", "timepoint", "performed_on", "modality"],
                condition=Q(voided_at__isnull=True),
                name="imaging_study_once",
                violation_error_message="This study has already been recorded.",
            ),
            *plausible_days("performed_on"),
            models.CheckConstraint(
                condition=Q(timepoint__in=Timepoint.values) & Q(modality__in=Modality.values),
                name="imaging_study_codes_known",
                violation_error_message="The timepoint or modality is not one of the list.",
            ),
            models.CheckConstraint(
                condition=Q(tracer_activity_mbq__isnull=True)
                | Q(tracer_activity_mbq__gt=0, tracer_activity_mbq__lte=MOST_TRACER_ACTIVITY_MBQ),
                name="imaging_study_activity_plausible",
                violation_error_message=f"A tracer activity lies above 0 and up to {MOST_TRACER_ACTIVITY_MBQ:,} MBq.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_timepoint_display()} {self.get_modality_display()} of {self.patient} on {self.performed_on}"


@clinical_record
class Reading(ClinicalRecord):
    """What a reader says of a study after the baseline: the overall response by RECIST 1.1, and what it rests on."""

    CENTRE_PATH = "study__patient__centre_id"
    PATIENT_PATH = "study__patient"
    EDIT_ACT = Act.EDIT_IMAGING

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="readings")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    overall_response = models.CharField(max_length=16, choices=OverallResponse)
    new_lesions = models.BooleanField("new lesions", default=False)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["study"],
                condition=Q(voided_at__isnull=True),
                name="imaging_reading_one_per_study",
                violation_error_message="This study has already been read: correct that reading.",
            ),
            models.CheckConstraint(
                condition=Q(overall_response__in=OverallResponse.values),
                name="imaging_reading_response_known",
                violation_error_message="The response must be CR, PR, SD, NON_CR_NON_PD, PD or NE.",
            ),
            models.CheckConstraint(
                condition=Q(new_lesions=False) | Q(overall_response=OverallResponse.PD),
                name="imaging_reading_new_lesion_is_progression",
                violation_error_message="A new lesion is progression (RECIST 1.1): the response must be PD.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.overall_response} on {self.study.performed_on}"
