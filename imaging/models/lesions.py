"""Lesions of a course, and what was found of each in every study."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.records import ClinicalRecord, clinical_record, known_codes
from imaging.models.studies import MOST_SUV, Study, grouped
from imaging.rules.recist import LesionRole, State
from languages.wording import day
from patients.models import Patient

MOST_SIZE_MM = 500


class ReaderRole(models.TextChoices):
    """Whose lesions they are: two independent readers choose and measure their own."""

    FIRST = "first", _("First reader")
    SECOND = "second", _("Second reader")


class Role(models.TextChoices):
    TARGET = LesionRole.TARGET.value, _("Target")
    NON_TARGET = LesionRole.NON_TARGET.value, _("Non-target")
    NEW = LesionRole.NEW.value, _("New")


class LesionOrgan(models.TextChoices):
    LIVER = "liver", _("Liver")
    LYMPH_NODE = "lymph_node", _("Lymph node")
    BONE = "bone", _("Bone")
    LUNG = "lung", _("Lung")
    PANCREAS = "pancreas", _("Pancreas")
    SMALL_INTESTINE = "small_intestine", _("Small intestine")
    MESENTERY = "mesentery", _("Mesentery")
    PERITONEUM = "peritoneum", _("Peritoneum")
    STOMACH = "stomach", _("Stomach")
    COLON_RECTUM = "colon_rectum", _("Colon or rectum")
    ADRENAL = "adrenal", _("Adrenal")
    PARAGANGLIA = "paraganglia", _("Paraganglia")
    KIDNEY = "kidney", _("Kidney")
    SPLEEN = "spleen", _("Spleen")
    OVARY = "ovary", _("Ovary")
    BREAST = "breast", _("Breast")
    THYROID = "thyroid", _("Thyroid")
    BRAIN = "brain", _("Brain")
    HEART = "heart", _("Heart")
    PLEURA = "pleura", _("Pleura")
    SOFT_TISSUE = "soft_tissue", _("Soft tissue")
    OTHER = "other", _("Other")


class LesionState(models.TextChoices):
    MEASURED = State.MEASURED.value, _("Measured")
    PRESENT = State.PRESENT.value, _("Present")
    TOO_SMALL = State.TOO_SMALL.value, _("Too small to measure")
    ABSENT = State.ABSENT.value, _("Absent")
    NOT_EVALUABLE = State.NOT_EVALUABLE.value, _("Not evaluable")
    SPLIT = State.SPLIT.value, _("Split into parts")
    MERGED = State.MERGED.value, _("Merged into another lesion")
    PROGRESSED = State.PROGRESSED.value, _("Unequivocal progression")
    EQUIVOCAL = State.EQUIVOCAL.value, _("Equivocal")


_SIZED = [LesionState.MEASURED, LesionState.SPLIT]


@clinical_record
class Lesion(ClinicalRecord):
    """One lesion that a reader follows through the studies of a course."""

    EDIT_ACT = Act.EDIT_IMAGING
    VOIDED_WITH = ("measurements",)

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="lesions")
    course_number = models.PositiveSmallIntegerField(default=1)
    reader_role = models.CharField(
        _("followed by"), max_length=6, choices=ReaderRole, default=ReaderRole.FIRST
    )
    label = models.CharField(
        max_length=12,
        validators=[RegexValidator(r"^[A-Z0-9][A-Z0-9_-]*$", _("Capital letters and digits, such as L1."))],
    )
    role = models.CharField(max_length=10, choices=Role)
    organ = models.CharField(max_length=16, choices=LesionOrgan)
    site = models.CharField(
        max_length=80, blank=True, help_text=_("Where in the organ, such as segment VII.")
    )
    selection_reason = models.CharField(
        max_length=500, blank=True, help_text=_("Why it is kept against what RECIST 1.1 asks of a baseline.")
    )
    tracking_uid = models.CharField(
        _("Tracking UID"),
        max_length=64,
        blank=True,
        help_text=_("Of the measurement report that it came from."),
    )

    class Meta(ClinicalRecord.Meta):
        ordering = ["course_number", "label"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["patient", "course_number", "reader_role", "label"],
                condition=Q(voided_at__isnull=True),
                name="imaging_lesion_label_once",
                violation_error_message=_("This course already has a lesion of that label."),
            ),
            *known_codes(reader_role=ReaderRole.values, role=Role.values, organ=LesionOrgan.values),
        ]

    def __str__(self) -> str:
        return gettext("{label} of {patient}").format(label=self.label, patient=self.patient)

    @property
    def is_node(self) -> bool:
        return self.organ == LesionOrgan.LYMPH_NODE


@clinical_record
class Measurement(ClinicalRecord):
    """What was found of a lesion in a study: a size on CT or MRI or a state, and its uptake."""

    CENTRE_PATH = "lesion__patient__centre_id"
    PATIENT_PATH = "lesion__patient"
    EDIT_ACT = Act.EDIT_IMAGING

    lesion = models.ForeignKey(Lesion, on_delete=models.PROTECT, related_name="measurements")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="measurements")
    state = models.CharField(
        max_length=14, choices=LesionState, blank=True, db_comment="blank: only the uptake was measured"
    )
    size_mm = models.DecimalField(
        _("size (mm)"),
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        db_comment="mm, longest diameter; of a node the short axis; of a split lesion the sum of its parts",
    )
    parts_mm = ArrayField(
        models.DecimalField(max_digits=5, decimal_places=1),
        verbose_name=_("parts (mm)"),
        default=list,
        blank=True,
        db_comment="mm, of a split lesion",
    )
    merged_into = models.ForeignKey(
        Lesion, on_delete=models.PROTECT, null=True, blank=True, related_name="merged_measurements"
    )
    suv_max = models.DecimalField(
        _("SUVmax"), max_digits=6, decimal_places=2, null=True, blank=True, db_comment="g/mL, SUVbw"
    )
    is_draft = models.BooleanField(
        _("draft"),
        default=False,
        help_text=_("From a measurement report, not accepted by a reader yet: it does not count."),
    )
    note = models.CharField(max_length=500, blank=True)

    class Meta(ClinicalRecord.Meta):
        ordering = ["study__performed_on", "lesion__label"]
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["lesion", "study"],
                condition=Q(voided_at__isnull=True),
                name="imaging_measurement_once",
                violation_error_message=_(
                    "This lesion has already been measured in this study: correct that measurement."
                ),
            ),
            models.CheckConstraint(
                condition=Q(state="") | Q(state__in=LesionState.values),
                name="imaging_measurement_state_known",
                violation_error_message=_("This state is not one of the list."),
            ),
            models.CheckConstraint(
                condition=Q(state__in=_SIZED, size_mm__isnull=False, size_mm__gt=0, size_mm__lte=MOST_SIZE_MM)
                | (~Q(state__in=_SIZED) & Q(size_mm__isnull=True)),
                name="imaging_measurement_size_of_state",
                violation_error_message=format_lazy(
                    _(
                        "A measured or split lesion needs a size above 0 and up to {most} mm; no other state has one."
                    ),
                    most=MOST_SIZE_MM,
                ),
            ),
            models.CheckConstraint(
                condition=Q(state=LesionState.SPLIT, parts_mm__len__gte=2)
                | (~Q(state=LesionState.SPLIT) & Q(parts_mm__len=0)),
                name="imaging_measurement_parts_of_split",
                violation_error_message=_("A split lesion has two parts or more; no other state has parts."),
            ),
            models.CheckConstraint(
                condition=Q(state=LesionState.MERGED, merged_into__isnull=False) & ~Q(merged_into=F("lesion"))
                | (~Q(state=LesionState.MERGED) & Q(merged_into__isnull=True)),
                name="imaging_measurement_merged_into_another",
                violation_error_message=_(
                    "A merged lesion names the other lesion it is a part of; no other state does."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(state="") | Q(suv_max__isnull=False),
                name="imaging_measurement_says_something",
                violation_error_message=_("A measurement needs a size, a state or an SUVmax."),
            ),
            models.CheckConstraint(
                condition=Q(suv_max__isnull=True) | Q(suv_max__gte=0, suv_max__lt=MOST_SUV),
                name="imaging_measurement_suv_plausible",
                violation_error_message=format_lazy(
                    _("An SUVmax lies from 0 to below {most}."), most=grouped(MOST_SUV)
                ),
            ),
        ]

    def __str__(self) -> str:
        return gettext("{label} on {day}").format(label=self.lesion.label, day=day(self.study.performed_on))
