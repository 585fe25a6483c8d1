"""Studies at their timepoints."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.formats import get_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.records import (
    ClinicalRecord,
    clinical_record,
    not_in_future,
    not_in_future_moment,
    plausible_days,
    plausible_moments,
)
from languages.wording import day
from patients.models import Patient

MOST_TRACER_ACTIVITY_MBQ = 2_000
MOST_WEIGHT_KG = 400
MOST_SLICE_MM = 50
MOST_SUV = 1_000

# A number as 1,000 or 1.000. Not ``number_format``: it does not group where no language is active, as for migrations.
grouped = lazy(lambda number: f"{number:,}".replace(",", get_format("THOUSAND_SEPARATOR")), str)

# Krenning et al., against the uptake of normal liver and of the spleen.
KRENNING = [
    (0, _("0: none")),
    (1, _("1: much lower than liver")),
    (2, _("2: about that of the liver or lower")),
    (3, _("3: higher than liver")),
    (4, _("4: higher than spleen")),
]


class Timepoint(models.TextChoices):
    BASELINE = "baseline", _("Baseline")
    INTERIM = "interim", _("Interim")
    POST = "post", _("After completion")
    FOLLOW_UP = "follow_up", _("Follow-up")


class Modality(models.TextChoices):
    PET_CT = "pet_ct", _("PET/CT")
    PET_MR = "pet_mr", _("PET/MR")
    CT = "ct", _("CT")
    MR = "mr", _("MRI")


@clinical_record
class Study(ClinicalRecord):
    """One examination at a timepoint of a course."""

    EDIT_ACT = Act.EDIT_IMAGING
    VOIDED_WITH = ("measurements",)

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="studies")
    course_number = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("The patient's course that this study belongs to."),
    )
    timepoint = models.CharField(max_length=10, choices=Timepoint)
    modality = models.CharField(max_length=8, choices=Modality, default=Modality.PET_CT)
    performed_on = models.DateField(validators=[not_in_future])
    tracer = models.CharField(max_length=40, blank=True, default="68Ga-DOTATATE")
    tracer_activity_mbq = models.DecimalField(
        _("tracer activity (MBq)"),
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_TRACER_ACTIVITY_MBQ)],
        db_comment="MBq",
    )
    uptake_minutes = models.PositiveSmallIntegerField(
        _("uptake time (min)"), null=True, blank=True, db_comment="min, injection to start of scan"
    )
    injected_at = models.DateTimeField(
        _("tracer injected at"), null=True, blank=True, validators=[not_in_future_moment]
    )
    body_weight_kg = models.DecimalField(
        _("body weight (kg)"), max_digits=5, decimal_places=1, null=True, blank=True, db_comment="kg"
    )
    slice_thickness_mm = models.DecimalField(
        _("slice thickness (mm)"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Of the CT or MRI that lesions are measured on."),
        db_comment="mm, of the CT or MRI",
    )
    liver_suv_mean = models.DecimalField(
        _("SUVmean of the liver"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Of normal liver."),
        db_comment="g/mL, SUVbw",
    )
    spleen_suv_mean = models.DecimalField(
        _("SUVmean of the spleen"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        db_comment="g/mL, SUVbw",
    )
    krenning_score = models.PositiveSmallIntegerField(
        _("Krenning score"),
        choices=KRENNING,
        null=True,
        blank=True,
        help_text=_("Of the lesion with the highest uptake."),
    )
    study_instance_uid = models.CharField(
        _("Study Instance UID"),
        max_length=64,
        blank=True,
        validators=[
            RegexValidator(r"^[0-9]+(\.[0-9]+)*$", _("Digits and dots, such as 1.2.840.113619.2.55."))
        ],
    )
    suvbw_factor = models.DecimalField(
        _("SUV factor (g/Bq)"),
        max_digits=18,
        decimal_places=14,
        null=True,
        blank=True,
        db_comment="g/Bq: SUVbw = activity concentration in Bq/mL times this",
    )
    suvbw_basis = models.CharField(_("how the SUV factor was found"), max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["performed_on"]
        verbose_name_plural = _("studies")
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "course_number"],
                condition=Q(voided_at__isnull=True, timepoint=Timepoint.BASELINE),
                name="imaging_study_one_baseline_per_course",
                violation_error_message=_("This course already has a baseline study."),
            ),
            models.UniqueConstraint(
                fields=["patient", "course_number", "timepoint", "performed_on", "modality"],
                condition=Q(voided_at__isnull=True),
                name="imaging_study_once",
                violation_error_message=_("This study has already been recorded."),
            ),
            *plausible_days("performed_on"),
            *plausible_moments("injected_at"),
            models.CheckConstraint(
                condition=(Q(krenning_score__isnull=True) | Q(krenning_score__lte=4))
                & (
                    Q(body_weight_kg__isnull=True)
                    | Q(body_weight_kg__gt=0, body_weight_kg__lte=MOST_WEIGHT_KG)
                )
                & (
                    Q(slice_thickness_mm__isnull=True)
                    | Q(slice_thickness_mm__gt=0, slice_thickness_mm__lte=MOST_SLICE_MM)
                )
                & (Q(liver_suv_mean__isnull=True) | Q(liver_suv_mean__gt=0, liver_suv_mean__lt=MOST_SUV))
                & (Q(spleen_suv_mean__isnull=True) | Q(spleen_suv_mean__gt=0, spleen_suv_mean__lt=MOST_SUV)),
                name="imaging_study_numbers_plausible",
                violation_error_message=format_lazy(
                    _(
                        "A Krenning score is 0 to 4; a weight lies above 0 and up to {kg} kg, a slice thickness above 0 and"
                        " up to {mm} mm, an SUV above 0 and below {suv}."
                    ),
                    kg=MOST_WEIGHT_KG,
                    mm=MOST_SLICE_MM,
                    suv=grouped(MOST_SUV),
                ),
            ),
            models.CheckConstraint(
                condition=Q(timepoint__in=Timepoint.values) & Q(modality__in=Modality.values),
                name="imaging_study_codes_known",
                violation_error_message=_("The timepoint or modality is not one of the list."),
            ),
            models.CheckConstraint(
                condition=Q(tracer_activity_mbq__isnull=True)
                | Q(tracer_activity_mbq__gt=0, tracer_activity_mbq__lte=MOST_TRACER_ACTIVITY_MBQ),
                name="imaging_study_activity_plausible",
                violation_error_message=format_lazy(
                    _("A tracer activity lies above 0 and up to {most} MBq."),
                    most=grouped(MOST_TRACER_ACTIVITY_MBQ),
                ),
            ),
        ]

    def __str__(self) -> str:
        return gettext("{timepoint} {modality} of {patient} on {day}").format(
            timepoint=self.get_timepoint_display(),
            modality=self.get_modality_display(),
            patient=self.patient,
            day=day(self.performed_on),
        )
