"""The forms that read DICOM files and store what was read of them."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.dicom_check import (
    LEFT_OUT,
    NEW_STUDY,
    LesionRow,
    Read,
    Row,
    lesion_rows,
    modality_of,
    rows_of,
    study_like,
    timepoint_at_first,
)
from clinic.forms import CHOOSE, ISO_DATE, NO_DATE, date_input, reason_field
from clinic.typed import DayField
from imaging.models import Lesion, LesionOrgan, Modality, ReaderRole, Role, Study, Timepoint
from imaging.services import ReportedLesion
from languages.wording import day, within
from patients.models import Patient


def study_words(study: Study) -> str:
    """Return what a study is and of which day, such as "Interim PET/CT of 2019-04-01"."""
    return gettext("{timepoint} {modality} of {day}").format(
        timepoint=study.get_timepoint_display(),
        modality=study.get_modality_display(),
        day=day(study.performed_on),
    )


class DicomFetchForm(forms.Form):
    """A study that a DICOMweb server has."""

    study_uid = forms.CharField(
        label=_("Study Instance UID"),
        max_length=64,
        help_text=_("Digits and dots, as the PACS shows it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "decimal"}),
        error_messages={"required": _("Type the Study Instance UID.")},
    )


class DicomStudyForm(forms.Form):
    """What of the files is stored, and where.

    The page shows what was read beside one study and matched to one reader's lesions; ``compared`` says which. Where others
    are chosen, they are shown first and nothing is stored.
    """

    seen = forms.CharField(widget=forms.HiddenInput)
    compared = forms.CharField(widget=forms.HiddenInput, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        read: Read,
        seal: str,
        patient: Patient,
        studies: list[Study],
        lesions: dict[str, list[Lesion]],
        is_stored: bool = False,
    ) -> None:
        """
        Args:
            data: as sent; it also says which study and which reader's lesions are shown.
            studies: of the course.
            lesions: of the course, by the reader who follows them.
            is_stored: what was sent is to be stored; else it is only shown, with what it would do at first.
        """
        self.read, self.patient, self.studies = read, patient, studies
        facts = read.facts
        like = study_like(facts, studies)
        chosen = str((data or {}).get("study", like.pk if like is not None else NEW_STUDY))
        self.into = next((one for one in studies if str(one.pk) == chosen), None)
        reader = str((data or {}).get("reader", ReaderRole.FIRST))
        self.reader_role = reader if reader in ReaderRole.values else ReaderRole.FIRST.value
        self.rows: list[Row] = rows_of(facts, self.into, patient)
        self.lesion_rows: list[LesionRow] = []
        self.comparing = f"{chosen} {self.reader_role if read.measurements else ''}".strip()
        self.is_compared = data is None or data.get("compared") == self.comparing
        timepoint = (data or {}).get("timepoint", timepoint_at_first(studies))
        if read.measurements:
            self.lesion_rows = lesion_rows(
                read.measurements,
                lesions.get(self.reader_role, []),
                self.into,
                is_baseline=(self.into.timepoint if self.into is not None else timepoint)
                == Timepoint.BASELINE,
            )
        super().__init__(data if is_stored and self.is_compared else None)
        self.initial = {
            "seen": seal,
            "compared": self.comparing,
            "version": self.into.version if self.into is not None else None,
            "study": chosen,
            "reader": self.reader_role,
            "timepoint": timepoint,
            "modality": (data or {}).get("modality", modality_of(facts)),
            "performed_on": (data or {}).get("performed_on", facts.performed_on),
        }
        self.lesions = lesions.get(self.reader_role, [])
        self._add_fields()

    def _add_fields(self) -> None:
        choices: list[tuple[str, Any]] = [(NEW_STUDY, _("A new study"))]
        choices += [(str(one.pk), study_words(one)) for one in self.studies]
        self.fields["study"] = forms.ChoiceField(label=_("Store it in"), choices=choices)
        if self.into is None:
            self.fields["timepoint"] = forms.ChoiceField(
                label=_("Timepoint"),
                choices=[("", CHOOSE), *Timepoint.choices],
                error_messages={"required": _("Choose the timepoint of the new study.")},
            )
            self.fields["modality"] = forms.ChoiceField(
                label=_("Modality"),
                choices=[("", CHOOSE), *Modality.choices],
                error_messages={"required": _("Choose the modality.")},
            )
            self.fields["performed_on"] = DayField(
                label=_("Study date"),
                widget=date_input(),
                help_text=ISO_DATE,
                error_messages={"invalid": NO_DATE},
            )
        for row in self.rows:
            if row.may_be_taken:
                self.fields[f"take_{row.name}"] = forms.BooleanField(
                    label=gettext("Take the {value} of the files").format(value=within(row.label)),
                    required=False,
                    initial=row.is_taken_at_first,
                )
        if self.lesion_rows:
            self.fields["reader"] = forms.ChoiceField(
                label=_("Measured as"),
                choices=ReaderRole.choices,
                help_text=_("Whose lesions these are: each reader has lesions of their own."),
            )
            self._add_lesion_fields()
        if self.read.is_other_person:
            self.fields["identity_reason"] = forms.CharField(
                label=_("Why these files are this patient's"),
                max_length=200,
                help_text=_("Such as: pseudonymised for a trial. Kept in the history."),
                error_messages={"required": _("Say why these files are this patient's, or read others.")},
                widget=forms.Textarea(attrs={"rows": 2}),
            )
        reason = reason_field(_("Reason for the change"), "")
        reason.required, reason.max_length = False, 250
        reason.help_text = _(
            "Needed where a value that is recorded already is changed, and for lesions of a signed course."
        )
        self.fields["reason"] = reason

    def _add_lesion_fields(self) -> None:
        known = [
            (
                str(one.pk),
                f"{one.label}: {', '.join(filter(None, [str(one.get_organ_display()), one.site]))}"
                f" ({within(one.get_role_display())})",
            )
            for one in self.lesions
        ]
        offered: list[Any] = [
            ("", CHOOSE),
            *([(_("Lesions of this course"), known)] if known else []),
            (
                _("A lesion not followed yet"),
                [(role, gettext("Add as {kind}").format(kind=within(label))) for role, label in Role.choices],
            ),
            (LEFT_OUT, _("Leave out")),
        ]
        for row in self.lesion_rows:
            self.fields[f"lesion_{row.index}"] = forms.ChoiceField(
                label=gettext("Lesion for {name}").format(name=row.measured.tracking_identifier),
                choices=offered,
                initial=row.goes_to,
                error_messages={
                    "required": gettext("Say which lesion {name} is, or leave it out.").format(
                        name=row.measured.tracking_identifier
                    )
                },
            )
            self.fields[f"organ_{row.index}"] = forms.ChoiceField(
                label=gettext("Organ of {name}").format(name=row.measured.tracking_identifier),
                choices=[("", CHOOSE), *LesionOrgan.choices],
                required=False,
                initial=row.organ,
            )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        gone_to: dict[str, str] = {}
        for row in self.lesion_rows:
            goes_to = values.get(f"lesion_{row.index}")
            label = row.measured.tracking_identifier
            if goes_to in Role.values and not values.get(f"organ_{row.index}"):
                self.add_error(
                    f"organ_{row.index}", gettext("Choose the organ of {name}.").format(name=label)
                )
            elif goes_to and goes_to not in Role.values and goes_to != LEFT_OUT:
                if goes_to in gone_to:
                    self.add_error(
                        f"lesion_{row.index}",
                        gettext("{one} and {other} cannot go to one lesion: leave one out.").format(
                            one=label, other=gone_to[goes_to]
                        ),
                    )
                gone_to[goes_to] = label
        return values

    @property
    def study_fields(self) -> list[forms.BoundField]:
        """Where it is stored: the study, and what a new one is."""
        return [
            self[name] for name in ("study", "timepoint", "modality", "performed_on") if name in self.fields
        ]

    @property
    def last_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("identity_reason", "reason") if name in self.fields]

    @property
    def shown_rows(self) -> list[tuple[Row, forms.BoundField | None]]:
        return [(row, self[f"take_{row.name}"] if row.may_be_taken else None) for row in self.rows]

    @property
    def shown_lesions(self) -> list[tuple[LesionRow, forms.BoundField, forms.BoundField]]:
        return [(row, self[f"lesion_{row.index}"], self[f"organ_{row.index}"]) for row in self.lesion_rows]

    def values(self) -> dict[str, Any]:
        """Return the study's fields that are to be stored."""
        found: dict[str, Any] = {}
        if self.into is None:
            found = {name: self.cleaned_data[name] for name in ("timepoint", "modality", "performed_on")}
            found["tracer"] = ""
        for row in self.rows:
            if row.may_be_taken and self.cleaned_data[f"take_{row.name}"]:
                found |= row.values
        return found

    def reported(self) -> list[ReportedLesion]:
        """Return where each measurement goes that is not left out."""
        by_key = {str(one.pk): one for one in self.lesions}
        found = []
        for row in self.lesion_rows:
            goes_to = self.cleaned_data[f"lesion_{row.index}"]
            if goes_to in by_key:
                found.append(ReportedLesion(row.measured, by_key[goes_to]))
            elif goes_to != LEFT_OUT:
                organ = self.cleaned_data[f"organ_{row.index}"]
                found.append(ReportedLesion(row.measured, None, goes_to, organ))
        return found
