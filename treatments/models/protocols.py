"""How a course is meant to run."""

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.tracking import tracked
from treatments.models.laboratory import LabAnalyte
from treatments.rules.advice import DoseRules

MOST_ACTIVITY_MBQ = 20_000
# Stored as it is, and translated where it is shown.
DOSE_LIMITS_SOURCE = gettext_noop(
    "23 Gy to the kidneys and 2 Gy to the red marrow:"
    " limits taken over from external beam and radioiodine therapy."
)
# What is entered of a protocol beside its dose rules, as the forms of desk and clinic lay it out.
PROTOCOL_SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        pgettext_lazy("section of a protocol", "Plan"),
        (
            "code",
            "name",
            "radiopharmaceutical",
            "physical_half_life_days",
            "planned_cycles",
            "interval_days",
            "window_days",
            "max_delay_days",
            "source",
        ),
    ),
    (
        _("Activity and absorbed dose"),
        (
            "prescribed_activity_mbq",
            "reduced_activity_mbq",
            "cumulative_limit_mbq",
            "kidney_limit_gy",
            "marrow_limit_gy",
            "dose_limits_source",
        ),
    ),
    (
        _("Laboratory and imaging"),
        (
            "labs_before_cycle",
            "labs_within_days",
            "baseline_imaging_within_days",
            "imaging_after_cycles",
            "imaging_due_days",
            "imaging_after_completion_days",
            "ctcae_version",
        ),
    ),
    (
        _("Response"),
        (
            "response_confirmation_days",
            "sd_minimum_days",
            "sstr_decrease_percent",
            "sstr_increase_percent",
        ),
    ),
)
PROTOCOL_FIELDS = tuple(name for _legend, names in PROTOCOL_SECTIONS for name in names)
MOST_CYCLES, LONGEST_INTERVAL_DAYS = 20, 730  # wide enough for every protocol, narrow enough to plan dates by


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
    max_delay_days = models.PositiveSmallIntegerField(
        _("maximal delay (d)"),
        default=112,
        validators=[MinValueValidator(1)],
        help_text=_("From the day that the interval gives; a cycle as late as this is flagged."),
        db_comment="d, from the date that the interval gives",
    )
    prescribed_activity_mbq = models.DecimalField(
        _("prescribed activity (MBq)"), max_digits=7, decimal_places=1, db_comment="MBq per cycle"
    )
    reduced_activity_mbq = models.DecimalField(
        _("reduced activity (MBq)"),
        max_digits=7,
        decimal_places=1,
        null=True,
        blank=True,
        help_text=_("At which a course goes on after toxicity."),
        db_comment="MBq per cycle after dose-modifying toxicity",
    )
    cumulative_limit_mbq = models.DecimalField(
        _("activity of a whole course (MBq)"),
        max_digits=8,
        decimal_places=1,
        null=True,
        blank=True,
        validators=[MaxValueValidator(999_999)],
        help_text=_("Above it a warning is given; blank: all cycles at the prescribed activity."),
        db_comment="MBq over all cycles of a course",
    )
    labs_before_cycle = ArrayField(
        models.CharField(max_length=20, choices=LabAnalyte),
        default=list,
        blank=True,
        help_text=_("Laboratory values needed before each cycle."),
    )
    labs_within_days = models.PositiveSmallIntegerField(
        _("age of these values (d)"),
        default=14,
        help_text=_("How old they may be on the day of the cycle."),
        db_comment="d before the cycle",
    )
    baseline_imaging_within_days = models.PositiveSmallIntegerField(
        _("age of the baseline PET/CT (d)"),
        null=True,
        blank=True,
        help_text=_("How long before cycle 1 it may have been made; blank: any time."),
        db_comment="d before cycle 1",
    )
    imaging_after_cycles = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text=_("Cycles after which PET/CT is due."),
    )
    imaging_due_days = models.PositiveSmallIntegerField(
        default=56, db_comment="d after such a cycle within which the PET/CT is due"
    )
    imaging_after_completion_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        help_text=_("Days after the last cycle at which follow-up PET/CT is due."),
        db_comment="d after the last cycle",
    )
    ctcae_version = models.CharField(
        _("CTCAE version"), max_length=4, choices=[("5.0", "5.0")], default="5.0"
    )
    response_confirmation_days = models.PositiveSmallIntegerField(
        _("confirmation of a response after (d)"),
        default=28,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_INTERVAL_DAYS)],
        help_text=_("From a CR or PR to the PET/CT that confirms it, at least (RECIST 1.1: 4 weeks)."),
        db_comment="d, from a CR or PR to the study that confirms it",
    )
    sd_minimum_days = models.PositiveSmallIntegerField(
        _("stable disease from (d)"),
        default=42,
        validators=[MaxValueValidator(LONGEST_INTERVAL_DAYS)],
        help_text=_(
            "From the first administration to a PET/CT that can count as SD, at least (RECIST 1.1: 6 to 8 weeks)."
        ),
        db_comment="d, from the first administration",
    )
    sstr_decrease_percent = models.DecimalField(
        _("SUVmax decreased from (%)"),
        max_digits=5,
        decimal_places=1,
        default=Decimal(30),
        help_text=_("Fall of SUVmax from baseline that counts as decreased uptake."),
        db_comment="percent below the baseline SUVmax",
    )
    sstr_increase_percent = models.DecimalField(
        _("SUVmax increased from (%)"),
        max_digits=5,
        decimal_places=1,
        default=Decimal(30),
        help_text=_("Rise of SUVmax from baseline that counts as increased uptake."),
        db_comment="percent above the baseline SUVmax",
    )
    dose_rules = models.JSONField(
        _("dose advice"),
        default=dict,
        blank=True,
        help_text=_("Thresholds with their source; empty: no advice is given."),
    )
    kidney_limit_gy = models.DecimalField(
        _("absorbed dose of the kidneys (Gy)"),
        max_digits=5,
        decimal_places=1,
        default=Decimal(23),
        null=True,
        blank=True,
        db_comment="Gy, life-long",
    )
    marrow_limit_gy = models.DecimalField(
        _("absorbed dose of the red marrow (Gy)"),
        max_digits=5,
        decimal_places=1,
        default=Decimal(2),
        null=True,
        blank=True,
        db_comment="Gy, life-long",
    )
    dose_limits_source = models.CharField(
        _("source of these limits"), max_length=300, blank=True, default=DOSE_LIMITS_SOURCE
    )
    source = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["code", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "version"],
                name="treatments_protocol_version_once",
                violation_error_message=_("This version of the protocol exists."),
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
                violation_error_message=_(
                    "A protocol needs cycles, an interval, a half-life and an activity above 0."
                ),
            ),
            models.CheckConstraint(
                condition=Q(window_days__lte=models.F("interval_days") / 2),
                name="treatments_protocol_window_within_interval",
                violation_error_message=_("The window must not be wider than half the interval."),
            ),
            models.CheckConstraint(
                condition=Q(reduced_activity_mbq__isnull=True)
                | Q(reduced_activity_mbq__gt=0, reduced_activity_mbq__lt=models.F("prescribed_activity_mbq")),
                name="treatments_protocol_reduced_below_prescribed",
                violation_error_message=_(
                    "The reduced activity must lie above 0 and below the prescribed activity."
                ),
            ),
            models.CheckConstraint(
                condition=Q(planned_cycles__lte=MOST_CYCLES, interval_days__lte=LONGEST_INTERVAL_DAYS),
                name="treatments_protocol_plan_of_few_years",
                violation_error_message=_("A protocol has up to 20 cycles, at most 730 days apart."),
            ),
            models.CheckConstraint(
                condition=Q(max_delay_days__gte=1),
                name="treatments_protocol_delay_positive",
                violation_error_message=_("The maximal delay must be at least 1 day."),
            ),
            models.CheckConstraint(
                condition=(
                    (
                        Q(cumulative_limit_mbq__isnull=True)
                        | Q(cumulative_limit_mbq__gt=0, cumulative_limit_mbq__lt=1_000_000)
                    )
                    & (Q(kidney_limit_gy__isnull=True) | Q(kidney_limit_gy__gt=0, kidney_limit_gy__lt=1000))
                    & (Q(marrow_limit_gy__isnull=True) | Q(marrow_limit_gy__gt=0, marrow_limit_gy__lt=1000))
                ),
                name="treatments_protocol_limits_positive",
                violation_error_message=_("A limit of activity or absorbed dose must lie above 0."),
            ),
            models.CheckConstraint(
                condition=Q(
                    response_confirmation_days__gte=1,
                    response_confirmation_days__lte=LONGEST_INTERVAL_DAYS,
                    sd_minimum_days__lte=LONGEST_INTERVAL_DAYS,
                    sstr_decrease_percent__gt=0,
                    sstr_decrease_percent__lte=100,
                    sstr_increase_percent__gt=0,
                    sstr_increase_percent__lte=1000,
                ),
                name="treatments_protocol_response_rules_plausible",
                violation_error_message=_(
                    "A response is confirmed after 1 to 730 days, stable disease counts from at most 730 days on, and SUVmax"
                    " changes by more than 0 %% (down to 100 %%, up to 1,000 %%)."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (v{self.version})"

    @property
    def course_limit_mbq(self) -> Any:
        """MBq of a whole course above which an administration is warned of."""
        return self.cumulative_limit_mbq or self.planned_cycles * self.prescribed_activity_mbq

    @property
    def rules_of_dose(self) -> DoseRules | None:
        """The thresholds of dose advice, or None where the protocol has none."""
        return DoseRules.from_json(self.dose_rules) if self.dose_rules else None

    def clean(self) -> None:
        """Refuse a plan that cannot be followed.

        Raises:
            ValidationError: imaging after a cycle that does not exist, or dose rules that cannot be read.
        """
        refused: dict[str, str] = {}
        planned = self.planned_cycles or 0
        beyond = [number for number in self.imaging_after_cycles or [] if not 1 <= number <= planned]
        if beyond:
            refused["imaging_after_cycles"] = gettext(
                "There is no cycle {number} in a protocol of {planned} cycles: PET/CT after it is never due."
            ).format(number=beyond[0], planned=planned)
        if self.dose_rules:
            try:
                DoseRules.from_json(self.dose_rules)
            except ValueError as error:
                refused["dose_rules"] = str(error)
        if refused:
            raise ValidationError(refused)
