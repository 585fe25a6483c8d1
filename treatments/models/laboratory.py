"""Laboratory values in one unit for each analyte, and the limits of normal of each centre."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre
from accounts.records import (
    ClinicalRecord,
    clinical_record,
    known_codes,
    not_in_future_moment,
    plausible_days,
    plausible_moments,
)
from accounts.tracking import tracked
from languages.wording import day
from patients.models import Patient, Sex

MOST_LAB_VALUE = Decimal(1_000_000)


class LabAnalyte(models.TextChoices):
    """What is measured; the unit of each stands in ``treatments.rules.labs``."""

    PLATELETS = "platelets", _("Platelets")
    HAEMOGLOBIN = "haemoglobin", _("Haemoglobin")
    NEUTROPHILS = "neutrophils", _("Neutrophils")
    LYMPHOCYTES = "lymphocytes", _("Lymphocytes")
    LEUCOCYTES = "leucocytes", _("Leucocytes")
    CREATININE = "creatinine", _("Creatinine")
    ALT = "alt", _("ALT")
    AST = "ast", _("AST")
    ALP = "alp", _("Alkaline phosphatase")
    GGT = "ggt", _("GGT")
    BILIRUBIN = "bilirubin", _("Bilirubin")
    ALBUMIN = "albumin", _("Albumin")
    PROTHROMBIN_RATIO = "prothrombin_ratio", _("Prothrombin ratio")
    BODY_WEIGHT = "body_weight", _("Body weight")


def _limit(words: Any) -> models.DecimalField:
    return models.DecimalField(
        words,
        max_digits=11,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_LAB_VALUE)],
        db_comment="in the unit of the analyte",
    )


def _limits_plausible() -> list[models.CheckConstraint]:
    return [
        models.CheckConstraint(
            condition=(Q(lower_limit__isnull=True) | Q(lower_limit__gte=0, lower_limit__lte=MOST_LAB_VALUE))
            & (Q(upper_limit__isnull=True) | Q(upper_limit__gt=0, upper_limit__lte=MOST_LAB_VALUE))
            & (
                Q(lower_limit__isnull=True)
                | Q(upper_limit__isnull=True)
                | Q(lower_limit__lt=models.F("upper_limit"))
            ),
            name="%(app_label)s_%(class)s_limits_in_order",
            violation_error_message=_(
                "The lower limit of normal must be below the upper limit, and neither below 0."
            ),
        )
    ]


@clinical_record
class LabResult(ClinicalRecord):
    """One measured value, in the unit of its analyte, beside what was written."""

    EDIT_ACT = Act.EDIT_TREATMENTS

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="lab_results")
    analyte = models.CharField(max_length=20, choices=LabAnalyte)
    taken_at = models.DateTimeField(
        _("sample taken at"),
        help_text=_("Local midnight stands for a sample whose time is not known."),
        validators=[not_in_future_moment],
    )
    value = models.DecimalField(
        max_digits=11,
        decimal_places=4,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_LAB_VALUE)],
        db_comment="in the unit of the analyte: 10⁹/L, g/L, µmol/L, U/L, percent or kg",
    )
    original_value = models.CharField(
        max_length=40, blank=True, help_text=_("As it was written, before conversion.")
    )
    original_unit = models.CharField(max_length=20, blank=True, help_text=_("The unit it was written in."))
    lower_limit = _limit(_("lower limit of normal"))
    upper_limit = _limit(_("upper limit of normal"))
    is_unlikely_confirmed = models.BooleanField(
        _("unlikely value confirmed"), default=False, db_comment="checked by whoever entered it"
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["patient", "taken_at", "analyte"]
        indexes = [
            models.Index(  # the worklist asks near cycles for what was measured lately
                fields=["patient", "taken_at"],
                include=["analyte"],
                condition=Q(voided_at__isnull=True),
                name="treatments_lab_of_patient",
            )
        ]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(analyte=LabAnalyte.values),
            models.UniqueConstraint(
                fields=["patient", "analyte", "taken_at"],
                condition=Q(voided_at__isnull=True),
                name="treatments_labresult_once",
                violation_error_message=_(
                    "This value of the same sample is already there: correct that record."
                ),
            ),
            models.CheckConstraint(
                # NaN is greater than every number in PostgreSQL: an upper bound keeps it out too.
                condition=Q(value__gte=0, value__lte=MOST_LAB_VALUE),
                name="treatments_labresult_value_plausible",
                violation_error_message=_("A laboratory value lies between 0 and 1,000,000."),
            ),
            *_limits_plausible(),
            *plausible_moments("taken_at"),
        ]

    def __str__(self) -> str:
        return gettext("{what} of {patient}, {on}").format(
            what=self.get_analyte_display(), patient=self.patient, on=day(self.taken_on)
        )

    @property
    def taken_on(self) -> date:
        """The centre's local date of the sample."""
        return self.taken_at.astimezone(self.patient.centre.zone).date()


@tracked()
class ReferenceRange(models.Model):
    """The limits of normal of one analyte at one centre from a day on, until another range or ``valid_to``."""

    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="reference_ranges")
    analyte = models.CharField(max_length=20, choices=LabAnalyte)
    sex = models.CharField(max_length=7, choices=Sex, blank=True, help_text=_("Blank: of every patient."))
    lower_limit = _limit(_("lower limit of normal"))
    upper_limit = _limit(_("upper limit of normal"))
    valid_from = models.DateField()
    valid_to = models.DateField(
        null=True, blank=True, help_text=_("The last day; blank: until the next range.")
    )

    class Meta:
        ordering = ["centre", "analyte", "sex", "valid_from"]
        constraints = [
            *known_codes(analyte=LabAnalyte.values, sex=["", *Sex.values]),
            models.UniqueConstraint(
                fields=["centre", "analyte", "sex", "valid_from"],
                name="treatments_referencerange_once",
                violation_error_message=_("A range of this analyte begins on that day already."),
            ),
            models.CheckConstraint(
                condition=Q(lower_limit__isnull=False) | Q(upper_limit__isnull=False),
                name="treatments_referencerange_has_limit",
                violation_error_message=_("A range needs a lower or an upper limit."),
            ),
            *_limits_plausible(),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=models.F("valid_from")),
                name="treatments_referencerange_days_in_order",
                violation_error_message=_("The last day of a range cannot lie before its first."),
            ),
            *plausible_days("valid_from", "valid_to"),
        ]

    def __str__(self) -> str:
        return gettext("{analyte} at {centre} from {on}").format(
            analyte=self.get_analyte_display(), centre=self.centre.code, on=day(self.valid_from)
        )
