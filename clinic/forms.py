"""The forms of the clinic. They parse and word; every rule is the records' own, every write a service's."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

from accounts.access import Act
from accounts.models import Centre, User
from imaging.models import Reading, Study
from patients.models import (
    Contact,
    Death,
    Diagnosis,
    DiseaseEvent,
    MetastaticSite,
    Patient,
    PatientIdentity,
    Sex,
)
from treatments.models import (
    Administration,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    Intent,
    LabResult,
    Protocol,
)
from treatments.rules.labs import ANALYTES, with_unit

STALE_FIELD = "version"


CHOOSE = "Choose"
NBSP = "\N{NO-BREAK SPACE}"
ISO_DATE, ISO_MOMENT = "YYYY-MM-DD", "YYYY-MM-DD HH:MM"
# Given less prescribed activity past this must be explained: 10 CFR 35.63 allows 20 %.
DEVIATION_EXPLAINED_PERCENT = 20


def date_input() -> forms.DateInput:
    """Return a text field for an ISO date: browsers show their own in the order of their language, 01/07 or 07/01."""
    return forms.DateInput(
        format="%Y-%m-%d",
        attrs={
            "class": "iso-date",
            "inputmode": "numeric",
            "autocomplete": "off",
            "maxlength": 10,
            "pattern": r"\d{4}-\d{2}-\d{2}",
        },
    )


def moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput(
        format="%Y-%m-%d %H:%M",
        attrs={
            "class": "iso-date",
            "autocomplete": "off",
            "maxlength": 19,
            "pattern": r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?",
        },
    )


def _above_zero(value: Decimal) -> None:
    if value <= 0:
        raise ValidationError(f"An activity must be above 0{NBSP}MBq.", code="not_positive")


def _activity_messages(column: models.DecimalField) -> dict[str, str]:
    """Return what is said of a number that is none of MBq, in these words instead of in digits."""
    places = column.decimal_places
    digits = f"{places} digit" if places == 1 else f"{places} digits"
    said = f"Type the activity in MBq, such as 7400, with at most {digits} after the point."
    codes = ("invalid", "max_digits", "max_whole_digits", "max_decimal_places")
    found = dict.fromkeys(codes, said)
    for validator in column.validators:
        if isinstance(validator, MaxValueValidator):
            too_much = f"An activity cannot be above {validator.limit_value:,}{NBSP}MBq."
            found |= {"max_value": too_much, "max_digits": too_much, "max_whole_digits": too_much}
    return found


def _for_column(column: models.Field, **kwargs: Any) -> forms.Field | None:
    """Return the form's field for a column: ISO dates, activities in words of MBq, and what is to be chosen."""
    if isinstance(column, models.DateTimeField):
        return forms.DateTimeField(
            label=_capital(column.verbose_name),
            required=not column.blank,
            help_text=" ".join(filter(None, [str(column.help_text), ISO_MOMENT])),
            error_messages={"invalid": f"Type the date and the time as {ISO_MOMENT}."},
            widget=moment_input(),
            input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
        )
    if isinstance(column, models.DateField):
        kwargs["widget"] = date_input()
        kwargs["help_text"] = " ".join(filter(None, [str(column.help_text), ISO_DATE]))
        kwargs["error_messages"] = {"invalid": f"Type the date as {ISO_DATE}."}
    if isinstance(column, models.DecimalField) and column.name.endswith("_mbq"):
        kwargs["error_messages"] = _activity_messages(column)
    field = column.formfield(**kwargs)
    if column.name.endswith("_mbq") and field is not None:
        field.validators.append(_above_zero)
    if isinstance(field, forms.ChoiceField) and column.choices:
        offered: Any = field.choices
        field.choices = [(key, word if key else CHOOSE) for key, word in offered]
    return field


def _capital(words: Any) -> str:
    return str(words)[:1].upper() + str(words)[1:]


class RecordForm(forms.ModelForm):
    """A clinical record's form. With ``correcting`` it asks for a reason and carries the version that was read."""

    def __init__(self, *args: Any, correcting: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.correcting = correcting
        if correcting:
            self.fields["reason"] = reason_field("Reason for the correction", "Say why this is corrected.")
            self.fields[STALE_FIELD] = forms.IntegerField(widget=forms.HiddenInput)
            self.initial[STALE_FIELD] = self.instance.version

    def values(self) -> dict[str, Any]:
        """Return the record's fields as they were sent, without what only a correction has."""
        return {name: self.cleaned_data[name] for name in self.record_fields if name in self.cleaned_data}

    @property
    def record_fields(self) -> list[str]:
        return [name for name in self.fields if name not in {"reason", STALE_FIELD}]


def reason_field(label: str, missing: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=500,
        help_text="Kept in the history beside the old and the new values.",
        error_messages={"required": missing},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class VoidForm(forms.Form):
    """Why a record is taken out, and the version that was read."""

    reason = reason_field("Reason for voiding", "Say why this is voided.")
    version = forms.IntegerField(widget=forms.HiddenInput)


class PatientForm(RecordForm):
    class Meta:
        model = Patient
        fields = ["sex", "birth_date"]
        formfield_callback = _for_column
        labels = {"birth_date": "Date of birth"}


class IdentityForm(RecordForm):
    class Meta:
        model = PatientIdentity
        fields = ["mrn", "family_name", "given_names"]
        formfield_callback = _for_column


class DiagnosisForm(RecordForm):
    metastatic_sites = forms.MultipleChoiceField(
        choices=MetastaticSite.choices, required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Diagnosis
        fields = [
            "tumour_type",
            "primary_site",
            "diagnosed_on",
            "who_grade",
            "ki67_percent",
            "functional_syndrome",
            "stage",
            "metastatic_sites",
        ]
        formfield_callback = _for_column


class ContactForm(RecordForm):
    class Meta:
        model = Contact
        fields = ["known_alive_on", "source", "note"]
        formfield_callback = _for_column


class DiseaseEventForm(RecordForm):
    class Meta:
        model = DiseaseEvent
        fields = ["kind", "occurred_on", "note"]
        formfield_callback = _for_column


class DeathForm(RecordForm):
    class Meta:
        model = Death
        fields = ["died_on", "cause", "note"]
        formfield_callback = _for_column


class StudyForm(RecordForm):
    class Meta:
        model = Study
        fields = [
            "course_number",
            "timepoint",
            "modality",
            "performed_on",
            "tracer",
            "tracer_activity_mbq",
            "uptake_minutes",
        ]
        formfield_callback = _for_column
        labels = {"course_number": "Course"}


class ReadingForm(RecordForm):
    class Meta:
        model = Reading
        fields = ["overall_response", "new_lesions", "note"]
        formfield_callback = _for_column
        labels = {"overall_response": "Overall response (RECIST 1.1)", "new_lesions": "New lesions were seen"}


class AdministrationForm(RecordForm):
    """What was given in a cycle. The time is typed as the centre's clock shows it."""

    class Meta:
        model = Administration
        fields = [
            "administered_at",
            "administered_activity_mbq",
            "prescribed_activity_mbq",
            "lot",
            "deviation_explanation",
        ]
        formfield_callback = _for_column
        labels = {"administered_at": "Given at (local time)", "lot": "Lot number"}
        help_texts = {
            "administered_activity_mbq": "Net of the residual, at the time of the infusion.",
            "deviation_explanation": (
                "Needed where it differs from the prescribed activity by more than"
                f" {DEVIATION_EXPLAINED_PERCENT}{NBSP}%."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["administered_at"].label = "Start of the infusion (local time of the centre)"
        self.fields["administered_at"].help_text = ISO_MOMENT

    def clean(self) -> dict[str, Any]:
        """Ask for the explanation of what was given past ± 20 % of the prescribed activity."""
        values = super().clean() or self.cleaned_data
        given = values.get("administered_activity_mbq")
        prescribed = values.get("prescribed_activity_mbq")
        if given is None or prescribed is None or values.get("deviation_explanation"):
            return values
        if abs(given - prescribed) * 100 > prescribed * DEVIATION_EXPLAINED_PERCENT:
            self.add_error(
                "deviation_explanation",
                ValidationError(
                    f"{given:,}{NBSP}MBq differs from the prescribed {prescribed:,}{NBSP}MBq by more than"
                    f" {DEVIATION_EXPLAINED_PERCENT}{NBSP}%: say why.",
                    code="unexplained_deviation",
                ),
            )
        return values


class CyclePlanForm(RecordForm):
    """The plan of a cycle that has not been given: its date, and whether it is on hold."""

    status = forms.ChoiceField(
        choices=[
            (CycleStatus.PLANNED, CycleStatus.PLANNED.label),
            (CycleStatus.HELD, CycleStatus.HELD.label),
        ]
    )

    class Meta:
        model = Cycle
        fields = ["planned_on", "status", "note"]
        formfield_callback = _for_column


class DiscontinuationForm(RecordForm):
    further_reasons = forms.MultipleChoiceField(
        choices=DiscontinuationReason.choices, required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Discontinuation
        fields = ["discontinued_on", "main_reason", "further_reasons", "note"]
        formfield_callback = _for_column


class LabResultForm(RecordForm):
    """A stored laboratory value in the unit of its analyte. An unlikely one is stored once its box is ticked."""

    confirm_unlikely = forms.BooleanField(
        label="The value is right, even if it is unlikely",
        required=False,
        help_text="Needed only where the value is far from what is usual.",
    )

    class Meta:
        model = LabResult
        fields = ["value", "taken_at", "lower_limit", "upper_limit", "note"]
        formfield_callback = _for_column

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        analyte = ANALYTES[self.instance.analyte]
        unit = with_unit("", analyte.unit).strip()
        result = self.instance
        self.fields["value"].label = f"{analyte.label} ({unit})"
        if result.original_unit and result.original_unit != analyte.unit:
            self.fields["value"].help_text = (
                f"Written as {with_unit(result.original_value, result.original_unit)}."
                f" A new value is written in {unit}."
            )
        for name, words in (("lower_limit", "Lower"), ("upper_limit", "Upper")):
            self.fields[name].label = f"{words} limit of normal ({unit})"
            self.fields[name].help_text = "Of the laboratory that measured it. Empty: that of the centre."
        self.fields[
            "taken_at"
        ].help_text = f"{ISO_MOMENT}, local time of the centre; 00:00 where it is not known."
        for name in ("value", "lower_limit", "upper_limit"):
            stored = getattr(result, name)
            if isinstance(stored, Decimal):  # 92 and not 92.0000
                self.initial[name] = f"{stored:f}".rstrip("0").rstrip(".") if "." in f"{stored:f}" else stored
        self.order_fields(["value", "confirm_unlikely"])

    def values(self) -> dict[str, Any]:
        return super().values() | {"confirm_unlikely": self.cleaned_data.get("confirm_unlikely", False)}

    @property
    def record_fields(self) -> list[str]:
        return [name for name in super().record_fields if name != "confirm_unlikely"]


class CourseForm(forms.Form):
    """A course to start: its protocol and the day of its first cycle."""

    protocol = forms.ModelChoiceField(queryset=Protocol.objects.all(), empty_label=None)
    intent = forms.ChoiceField(choices=Intent.choices, initial=Intent.INITIAL)
    first_planned_on = forms.DateField(
        label="Cycle 1 planned on",
        required=False,
        widget=date_input(),
        help_text=f"{ISO_DATE}. The following cycles are planned from it by the protocol.",
        error_messages={"invalid": f"Type the date as {ISO_DATE}."},
    )


class RegistrationForm(forms.Form):
    """A person to register."""

    centre = forms.ModelChoiceField(queryset=Centre.objects.none(), empty_label=None)
    mrn = forms.CharField(label="MRN", max_length=40, help_text="The hospital's number of this person.")
    family_name = forms.CharField(max_length=100)
    given_names = forms.CharField(max_length=100, required=False)
    sex = forms.ChoiceField(choices=[("", CHOOSE), *Sex.choices])
    birth_date = forms.DateField(
        label="Date of birth",
        widget=date_input(),
        help_text=ISO_DATE,
        error_messages={"invalid": f"Type the date as {ISO_DATE}."},
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        centres = Centre.objects.visible_to(user, Act.EDIT_PATIENTS)
        self.fields["centre"].queryset = centres  # type: ignore[attr-defined]
        if not user.may(Act.VIEW_IDENTITY):
            for name in ("mrn", "family_name", "given_names"):
                del self.fields[name]


class StartForm(CourseForm):
    """The first course, which may also be started later."""

    start_now = forms.BooleanField(label="Start the first course now", required=False, initial=True)
    field_order = ["start_now"]


def study_form(*args: Any, course_numbers: list[int], **kwargs: Any) -> StudyForm:
    """Return the form of a study, with the patient's courses to choose from."""
    form = StudyForm(*args, **kwargs)
    form.fields["course_number"] = forms.TypedChoiceField(
        label="Course", coerce=int, choices=[(number, f"Course {number}") for number in course_numbers or [1]]
    )
    form.order_fields(["course_number"])
    return form


def add_refusal(form: forms.BaseForm, refused: ValidationError) -> None:
    """Put what a service refused beside the fields it is about; the rest above the form."""
    if not hasattr(refused, "error_dict"):
        form.add_error(None, refused)
        return
    for name, errors in refused.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)
