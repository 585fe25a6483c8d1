"""What was given: administrations, earlier therapy, absorbed doses, somatostatin analogues."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
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
from treatments.models.courses import Cycle
from treatments.models.protocols import MOST_ACTIVITY_MBQ

MOST_LIFELONG_MBQ = 500_000
MOST_DOSE_GY = 1_000


class AminoAcidRegimen(models.TextChoices):
    LYSINE_ARGININE = "lysine_arginine", _("Lysine and arginine (25 g / 25 g)")
    COMMERCIAL = "commercial", _("Commercial amino acid solution")
    OTHER = "other", _("Other")
    NONE = "none", _("None given")


class VenousAccess(models.TextChoices):
    PERIPHERAL = "peripheral", _("Peripheral vein")
    PORT = "port", _("Port")
    CENTRAL = "central", _("Central venous catheter")


class Organ(models.TextChoices):
    KIDNEYS = "kidneys", _("Kidneys")
    RED_MARROW = "red_marrow", _("Red marrow")
    LIVER = "liver", _("Liver")
    SPLEEN = "spleen", _("Spleen")
    LESION = "lesion", _("Lesion")


class DoseMethod(models.TextChoices):
    PLANAR = "planar", _("Planar images")
    HYBRID = "hybrid", _("Planar and SPECT/CT")
    SPECT_CT = "spect_ct", _("SPECT/CT, several times")
    SINGLE_TIME = "single_time", _("SPECT/CT, one time")
    BLOOD = "blood", _("Blood samples")
    OTHER = "other", _("Other")


class SomatostatinAnalogue(models.TextChoices):
    OCTREOTIDE_LAR = "octreotide_lar", _("Octreotide LAR (long-acting)")
    LANREOTIDE = "lanreotide", _("Lanreotide (long-acting)")
    PASIREOTIDE_LAR = "pasireotide_lar", _("Pasireotide LAR (long-acting)")
    OCTREOTIDE = "octreotide", _("Octreotide (short-acting)")
    PASIREOTIDE = "pasireotide", _("Pasireotide (short-acting)")


LONG_ACTING = frozenset(
    {
        SomatostatinAnalogue.OCTREOTIDE_LAR,
        SomatostatinAnalogue.LANREOTIDE,
        SomatostatinAnalogue.PASIREOTIDE_LAR,
    }
)


@clinical_record
class Administration(ClinicalRecord):
    """That a cycle was given: when, and how much."""

    CENTRE_PATH = "cycle__course__patient__centre_id"
    PATIENT_PATH = "cycle__course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="administrations")
    administered_at = models.DateTimeField(
        help_text=_("Start of the infusion."), validators=[not_in_future_moment]
    )
    prescribed_activity_mbq = models.DecimalField(
        _("prescribed activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        validators=[MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq",
    )
    administered_activity_mbq = models.DecimalField(
        _("administered activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        validators=[MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq, net of the residual, at administered_at",
    )
    syringe_activity_mbq = models.DecimalField(
        _("syringe activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq at syringe_measured_at; the net activity then follows",
    )
    syringe_measured_at = models.DateTimeField(_("syringe measured at"), null=True, blank=True)
    residual_activity_mbq = models.DecimalField(
        _("residual activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_ACTIVITY_MBQ)],
        db_comment="MBq at residual_measured_at; null: not measured",
    )
    residual_measured_at = models.DateTimeField(
        _("residual measured at"), null=True, blank=True, validators=[not_in_future_moment]
    )
    infusion_ended_at = models.DateTimeField(
        _("end of the infusion"), null=True, blank=True, validators=[not_in_future_moment]
    )
    volume_ml = models.DecimalField(
        _("volume (mL)"),
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MaxValueValidator(1000)],
        db_comment="mL",
    )
    amino_acid_regimen = models.CharField(max_length=16, choices=AminoAcidRegimen, blank=True)
    amino_acid_minutes = models.PositiveSmallIntegerField(
        _("amino acid infusion (min)"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(1440)],
        db_comment="min",
    )
    antiemetic = models.CharField(max_length=100, blank=True)
    body_weight_kg = models.DecimalField(
        _("body weight (kg)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(20), MaxValueValidator(350)],
        db_comment="kg",
    )
    venous_access = models.CharField(max_length=10, choices=VenousAccess, blank=True)
    is_extravasated = models.BooleanField(_("extravasation"), null=True, blank=True)
    extravasated_percent = models.DecimalField(
        _("extravasated, estimate (%)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        db_comment="percent of the net activity, an estimate; the net activity is not corrected for it",
    )
    staff = models.CharField(max_length=200, blank=True)
    lot = models.CharField(_("lot number"), max_length=40, blank=True)
    deviation_explanation = models.CharField(max_length=500, blank=True)
    confirmed_warnings = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        editable=False,
        help_text=_("Codes of the warnings that stood when it was recorded."),
    )
    confirmation_reason = models.CharField(
        max_length=500, blank=True, editable=False, help_text=_("Why it was recorded in spite of them.")
    )

    class Meta(ClinicalRecord.Meta):
        ordering = ["administered_at"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["cycle"],
                condition=Q(voided_at__isnull=True),
                name="treatments_administration_one_per_cycle",
                violation_error_message=_("This cycle has already been given."),
            ),
            models.CheckConstraint(
                condition=Q(administered_activity_mbq__gt=0, prescribed_activity_mbq__gt=0),
                name="treatments_administration_activity_positive",
                violation_error_message=_("A given cycle needs an activity above 0 MBq."),
            ),
            models.CheckConstraint(
                # NaN is greater than every number in PostgreSQL: an upper bound keeps it out too.
                condition=Q(
                    administered_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                    prescribed_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                ),
                name="treatments_administration_activity_plausible",
                violation_error_message=_("An activity cannot be above 20,000 MBq."),
            ),
            models.CheckConstraint(
                condition=Q(syringe_activity_mbq__isnull=True, syringe_measured_at__isnull=True)
                | Q(
                    syringe_activity_mbq__isnull=False,
                    syringe_measured_at__isnull=False,
                    syringe_activity_mbq__gt=0,
                    syringe_activity_mbq__lte=MOST_ACTIVITY_MBQ,
                    syringe_measured_at__lte=models.F("administered_at"),
                ),
                name="treatments_administration_syringe_complete",
                violation_error_message=_(
                    "A syringe needs an activity above 0 MBq and its time, before the infusion starts."
                ),
            ),
            models.CheckConstraint(
                condition=Q(residual_activity_mbq__isnull=True, residual_measured_at__isnull=True)
                | Q(
                    residual_activity_mbq__isnull=False,
                    residual_measured_at__isnull=False,
                    syringe_activity_mbq__isnull=False,
                    residual_activity_mbq__gte=0,
                    residual_activity_mbq__lt=models.F("syringe_activity_mbq"),
                    residual_measured_at__gte=models.F("administered_at"),
                ),
                name="treatments_administration_residual_complete",
                violation_error_message=_(
                    "A residual is less than the syringe, with its time, after the infusion starts."
                ),
            ),
            models.CheckConstraint(
                condition=Q(infusion_ended_at__isnull=True)
                | Q(infusion_ended_at__gte=models.F("administered_at")),
                name="treatments_administration_infusion_in_order",
                violation_error_message=_("An infusion cannot end before it starts."),
            ),
            models.CheckConstraint(
                condition=(Q(volume_ml__isnull=True) | Q(volume_ml__gt=0, volume_ml__lte=1000))
                & (Q(body_weight_kg__isnull=True) | Q(body_weight_kg__gte=20, body_weight_kg__lte=350)),
                name="treatments_administration_amounts_plausible",
                violation_error_message=_(
                    "A volume lies above 0 and up to 1,000 mL, a body weight between 20 and 350 kg."
                ),
            ),
            models.CheckConstraint(
                condition=Q(extravasated_percent__isnull=True)
                | Q(
                    is_extravasated__isnull=False,  # a CHECK passes on NULL
                    is_extravasated=True,
                    extravasated_percent__gte=0,
                    extravasated_percent__lte=100,
                ),
                name="treatments_administration_extravasation_said",
                violation_error_message=_("An estimate of 0 to 100 %% goes with an extravasation only."),
            ),
            models.CheckConstraint(
                condition=Q(confirmed_warnings=[], confirmation_reason="")
                | (~Q(confirmed_warnings=[]) & ~Q(confirmation_reason="")),
                name="treatments_administration_warnings_have_reason",
                violation_error_message=_("Warnings are confirmed with a reason."),
            ),
            *known_codes(
                amino_acid_regimen=["", *AminoAcidRegimen.values], venous_access=["", *VenousAccess.values]
            ),
            *plausible_moments(
                "administered_at", "syringe_measured_at", "residual_measured_at", "infusion_ended_at"
            ),
        ]

    def __str__(self) -> str:
        return gettext("administration of {cycle}").format(cycle=self.cycle)

    @property
    def administered_on(self) -> date:
        """The centre's local date of the infusion."""
        return self.administered_at.astimezone(self.cycle.course.patient.centre.zone).date()


@clinical_record
class AbsorbedDose(ClinicalRecord):
    """The absorbed dose of an organ or a lesion in one cycle, with the method it was found by."""

    CENTRE_PATH = "cycle__course__patient__centre_id"
    PATIENT_PATH = "cycle__course__patient"
    EDIT_ACT = Act.EDIT_TREATMENTS

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="absorbed_doses")
    organ = models.CharField(max_length=12, choices=Organ)
    lesion = models.CharField(max_length=60, blank=True, help_text=_("Which lesion; of lesions only."))
    absorbed_dose_gy = models.DecimalField(
        _("absorbed dose (Gy)"),
        max_digits=7,
        decimal_places=3,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_DOSE_GY)],
        db_comment="Gy in this cycle",
    )
    method = models.CharField(max_length=16, choices=DoseMethod)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["cycle", "organ", "lesion"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(organ=Organ.values, method=DoseMethod.values),
            models.UniqueConstraint(
                fields=["cycle", "organ", "lesion"],
                condition=Q(voided_at__isnull=True),
                name="treatments_absorbeddose_once",
                violation_error_message=_(
                    "This organ's dose of the cycle is already there: correct that record."
                ),
            ),
            models.CheckConstraint(
                condition=Q(absorbed_dose_gy__gte=0, absorbed_dose_gy__lte=MOST_DOSE_GY),
                name="treatments_absorbeddose_plausible",
                violation_error_message=_("An absorbed dose lies between 0 and 1,000 Gy."),
            ),
            models.CheckConstraint(
                condition=Q(organ="lesion") | Q(lesion=""),
                name="treatments_absorbeddose_lesion_named",
                violation_error_message=_("Only the dose of a lesion says which lesion."),
            ),
        ]

    def __str__(self) -> str:
        return gettext("{organ} dose of {cycle}").format(organ=self.get_organ_display(), cycle=self.cycle)


@clinical_record
class PriorPrrt(ClinicalRecord):
    """Radionuclide therapy before the patient came to this registry, summed up."""

    EDIT_ACT = Act.EDIT_TREATMENTS

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="prior_prrt")
    radiopharmaceutical = models.CharField(max_length=60)
    last_given_on = models.DateField(validators=[not_in_future])
    cycles = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(50)])
    administered_activity_mbq = models.DecimalField(
        _("administered activity, all cycles (MBq)"),
        max_digits=8,
        decimal_places=1,
        validators=[MaxValueValidator(MOST_LIFELONG_MBQ)],
        db_comment="MBq, summed over its cycles",
    )
    kidney_dose_gy = models.DecimalField(
        _("absorbed dose of the kidneys (Gy)"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_DOSE_GY)],
        db_comment="Gy, summed over its cycles",
    )
    marrow_dose_gy = models.DecimalField(
        _("absorbed dose of the red marrow (Gy)"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(MOST_DOSE_GY)],
        db_comment="Gy, summed over its cycles",
    )
    dose_method = models.CharField(_("method of the doses"), max_length=16, choices=DoseMethod, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        verbose_name = _("earlier PRRT")
        verbose_name_plural = _("earlier PRRT")
        ordering = ["patient", "last_given_on"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(dose_method=["", *DoseMethod.values]),
            models.UniqueConstraint(
                fields=["patient", "radiopharmaceutical", "last_given_on"],
                condition=Q(voided_at__isnull=True),
                name="treatments_priorprrt_once",
                violation_error_message=_("This earlier therapy is already there: correct that record."),
            ),
            models.CheckConstraint(
                condition=Q(
                    cycles__gte=1,
                    cycles__lte=50,
                    administered_activity_mbq__gt=0,
                    administered_activity_mbq__lte=MOST_LIFELONG_MBQ,
                )
                & (
                    Q(kidney_dose_gy__isnull=True)
                    | Q(kidney_dose_gy__gte=0, kidney_dose_gy__lte=MOST_DOSE_GY)
                )
                & (
                    Q(marrow_dose_gy__isnull=True)
                    | Q(marrow_dose_gy__gte=0, marrow_dose_gy__lte=MOST_DOSE_GY)
                ),
                name="treatments_priorprrt_amounts_plausible",
                violation_error_message=_(
                    "Earlier PRRT has 1 to 50 cycles, an activity above 0 MBq and doses from 0 Gy."
                ),
            ),
            *plausible_days("last_given_on"),
        ]

    def __str__(self) -> str:
        return gettext("earlier {drug} of {patient}").format(
            drug=self.radiopharmaceutical, patient=self.patient
        )


@clinical_record
class SomatostatinAnalogueDose(ClinicalRecord):
    """One dose of a somatostatin analogue, which competes for the receptors."""

    EDIT_ACT = Act.EDIT_TREATMENTS

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="analogue_doses")
    drug = models.CharField(max_length=20, choices=SomatostatinAnalogue)
    given_at = models.DateTimeField(
        help_text=_("Local midnight stands for a dose whose time is not known."),
        validators=[not_in_future_moment],
    )
    dose_mg = models.DecimalField(
        _("dose (mg)"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MaxValueValidator(1000)],
        db_comment="mg",
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["patient", "given_at"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            *known_codes(drug=SomatostatinAnalogue.values),
            models.UniqueConstraint(
                fields=["patient", "drug", "given_at"],
                condition=Q(voided_at__isnull=True),
                name="treatments_somatostatinanaloguedose_once",
                violation_error_message=_("This dose is already there: correct that record."),
            ),
            models.CheckConstraint(
                condition=Q(dose_mg__isnull=True) | Q(dose_mg__gt=0, dose_mg__lte=1000),
                name="treatments_somatostatinanaloguedose_plausible",
                violation_error_message=_("A dose lies above 0 and up to 1,000 mg."),
            ),
            *plausible_moments("given_at"),
        ]

    def __str__(self) -> str:
        return gettext("{what} of {patient}, {on}").format(
            what=self.get_drug_display(), patient=self.patient, on=day(self.given_on)
        )

    @property
    def given_on(self) -> date:
        """The centre's local date of the dose."""
        return self.given_at.astimezone(self.patient.centre.zone).date()
