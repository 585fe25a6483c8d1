"""Readings: what a reader says of a study, beside what the rules derive."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import User
from accounts.records import ClinicalQuerySet, ClinicalRecord, clinical_record, known_codes, plausible_moments
from imaging.models.lesions import ReaderRole
from imaging.models.studies import Study
from languages.wording import day


class OverallResponse(models.TextChoices):
    CR = "CR", _("Complete response")
    PR = "PR", _("Partial response")
    SD = "SD", _("Stable disease")
    NON_CR_NON_PD = "NON_CR_NON_PD", _("Non-CR/non-PD")
    PD = "PD", _("Progressive disease")
    NE = "NE", _("Not evaluable")


class ReadingRole(models.TextChoices):
    FIRST = ReaderRole.FIRST.value, _("First reader")
    SECOND = ReaderRole.SECOND.value, _("Second reader")
    ADJUDICATOR = "adjudicator", _("Adjudicator")


class ReadingStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SIGNED = "signed", _("Signed")
    REPORTED = "reported", _("Reported elsewhere")


class SstrResponse(models.TextChoices):
    DISAPPEARED = "disappeared", _("Disappeared")
    DECREASED = "decreased", _("Decreased")
    UNCHANGED = "unchanged", _("Unchanged")
    INCREASED = "increased", _("Increased or new uptake")
    NOT_EVALUABLE = "not_evaluable", _("Not evaluable")


class ReadingQuerySet(ClinicalQuerySet):
    def in_force(self) -> Self:
        """Return the readings that count: of each study at most one, none while two readers differ."""
        return self.filter(pk__in=RawSQL("SELECT id FROM imaging_reading_in_force", ()))


@clinical_record
class Reading(ClinicalRecord):
    """What a reader says of a study after the baseline, by RECIST 1.1, beside what the rules derived at that moment."""

    CENTRE_PATH = "study__patient__centre_id"
    PATIENT_PATH = "study__patient"
    EDIT_ACT = Act.EDIT_IMAGING

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="readings")
    reader = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reader_role = models.CharField(
        _("read as"), max_length=12, choices=ReadingRole, default=ReadingRole.FIRST
    )
    status = models.CharField(
        max_length=8, choices=ReadingStatus, default=ReadingStatus.REPORTED, editable=False
    )
    signed_at = models.DateTimeField(null=True, blank=True, editable=False)
    overall_response = models.CharField(max_length=16, choices=OverallResponse)
    new_lesions = models.BooleanField(_("new lesions"), default=False)
    override_reason = models.CharField(
        _("reason for another response than the derived one"), max_length=500, blank=True
    )
    note = models.CharField(max_length=500, blank=True)
    # What the rules derived from the measurements when the reading was last stored; blank: nothing could be derived.
    derived_response = models.CharField(max_length=16, choices=OverallResponse, blank=True, editable=False)
    derived_reason = models.CharField(max_length=1000, blank=True, editable=False)
    target_response = models.CharField(max_length=16, choices=OverallResponse, blank=True, editable=False)
    non_target_response = models.CharField(max_length=16, choices=OverallResponse, blank=True, editable=False)
    sum_of_diameters_mm = models.DecimalField(
        max_digits=6, decimal_places=1, null=True, blank=True, editable=False, db_comment="mm, target lesions"
    )
    sstr_response = models.CharField(max_length=16, choices=SstrResponse, blank=True, editable=False)

    objects = ReadingQuerySet.as_manager()  # type: ignore[misc]

    class Meta(ClinicalRecord.Meta):
        constraints = [
            *ClinicalRecord.Meta.constraints,
            models.UniqueConstraint(
                fields=["study", "reader_role"],
                condition=Q(voided_at__isnull=True),
                name="imaging_reading_one_per_study_and_role",
                violation_error_message=_("This study has already been read: correct that reading."),
            ),
            *known_codes(reader_role=ReadingRole.values, status=ReadingStatus.values),
            *plausible_moments("signed_at"),
            models.CheckConstraint(
                condition=Q(status=ReadingStatus.SIGNED, signed_at__isnull=False, reader__isnull=False)
                | (~Q(status=ReadingStatus.SIGNED) & Q(signed_at__isnull=True)),
                name="imaging_reading_signed_by_a_reader",
                violation_error_message=_(
                    "A signed reading has its reader and the time of the signature, no other has."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(status=ReadingStatus.SIGNED)
                | Q(derived_response="")
                | Q(overall_response=F("derived_response"))
                | ~Q(override_reason=""),
                name="imaging_reading_override_has_reason",
                violation_error_message=_("Say why the response differs from the derived one."),
            ),
            models.CheckConstraint(
                condition=Q(overall_response__in=OverallResponse.values),
                name="imaging_reading_response_known",
                violation_error_message=_("The response must be CR, PR, SD, NON_CR_NON_PD, PD or NE."),
            ),
            models.CheckConstraint(
                condition=Q(new_lesions=False) | Q(overall_response=OverallResponse.PD),
                name="imaging_reading_new_lesion_is_progression",
                violation_error_message=_(
                    "A new lesion is progression (RECIST 1.1): the response must be PD."
                ),
            ),
        ]

    def __str__(self) -> str:
        return gettext("{response} on {day}").format(
            response=self.overall_response, day=day(self.study.performed_on)
        )

    @property
    def is_signed(self) -> bool:
        return self.status == ReadingStatus.SIGNED

    @property
    def void_act(self) -> Act:
        return Act.SIGN_READINGS if self.is_signed else self.EDIT_ACT

    @property
    def is_overridden(self) -> bool:
        """Whether it says another response than the rules derived when it was stored."""
        return bool(self.derived_response) and self.derived_response != self.overall_response
