"""The forms of the clinic. They parse and word; every rule is the records' own, every write a service's."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.formats import number_format
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import plausible_plan
from clinic.selectors.duplicates import Resembling, resembling
from clinic.typed import (
    ISO_PATTERN,
    DayField,
    DayInput,
    MomentField,
    MomentInput,
    NumberField,
    NumberText,
    WholeNumberField,
    told,
    trimmed,
    with_reader_sign,
)
from imaging.models import Reading, Study
from patients.models import (
    Contact,
    Death,
    Diagnosis,
    DiseaseEvent,
    MetastaticSite,
    Patient,
    PatientIdentity,
    PerformanceStatus,
    PriorTherapy,
    Sex,
)
from treatments.models import (
    MOST_ACTIVITY_MBQ,
    AbsorbedDose,
    Administration,
    AdverseEvent,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    DoseAdvice,
    DoseDecision,
    Hold,
    Intent,
    LabResult,
    PriorPrrt,
    Protocol,
    SomatostatinAnalogueDose,
)
from treatments.rules.activity import MBQ_PER_UNIT, to_mbq
from treatments.rules.checks import Warned
from treatments.rules.ctcae_terms import TERMS
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.words import NBSP

STALE_FIELD = "version"


CHOOSE = _("Choose")
ISO_DATE, ISO_MOMENT = _("YYYY-MM-DD"), _("YYYY-MM-DD HH:MM")
NO_DATE = _("Type the date as YYYY-MM-DD, or with the name of the month, such as 4 Mar 2019.")


def date_input() -> DayInput:
    return DayInput(
        attrs={
            "class": "iso-date",
            "autocomplete": "off",
            "maxlength": 20,
        },
    )


def moment_input() -> MomentInput:
    return MomentInput(
        attrs={
            "class": "iso-date",
            "autocomplete": "off",
            "maxlength": 19,
            "pattern": ISO_PATTERN,
        },
    )


def _above_zero(value: Decimal) -> None:
    if value <= 0:
        raise ValidationError(
            gettext("An activity must be above {limit}.").format(limit=f"0{NBSP}MBq"), code="not_positive"
        )


def _too_much(limit: Any) -> str:
    return gettext("An activity cannot be above {limit}.").format(limit=f"{grouped_number(limit)}{NBSP}MBq")


def grouped_number(value: Any) -> str:
    """Return a large number with signs between its thousands."""
    return number_format(value, use_l10n=True, force_grouping=True)


def _activity_messages(column: models.DecimalField) -> dict[str, str]:
    """Return what is said of a number that is none of MBq, in these words instead of in digits."""
    places = column.decimal_places
    said = told(
        lambda: ngettext(
            "Type the activity in MBq, such as 7400, with at most {n} digit after the point.",
            "Type the activity in MBq, such as 7400, with at most {n} digits after the point.",
            places,
        ).format(n=places)
    )
    codes = ("invalid", "max_digits", "max_whole_digits", "max_decimal_places")
    found = dict.fromkeys(codes, said)
    for validator in column.validators:
        if isinstance(validator, MaxValueValidator):
            too_much = told(partial(_too_much, validator.limit_value))
            found |= {"max_value": too_much, "max_digits": too_much, "max_whole_digits": too_much}
    return found


def _for_column(column: models.Field, **kwargs: Any) -> forms.Field | None:
    """Return the form's field for a column: ISO dates, activities in words of MBq, and what is to be chosen."""
    if isinstance(column, models.DateTimeField):
        return MomentField(
            label=kwargs.get("label") or capfirst(column.verbose_name),
            required=not column.blank,
            help_text=_with_form(column.help_text, ISO_MOMENT),
            error_messages={"invalid": _("Type the date and the time as YYYY-MM-DD HH:MM.")},
            widget=moment_input(),
            input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
        )
    if isinstance(column, models.DateField):
        kwargs["form_class"] = DayField
        kwargs["widget"] = date_input()
        kwargs["help_text"] = _with_form(column.help_text, ISO_DATE)
        kwargs["error_messages"] = {"invalid": NO_DATE}
    if isinstance(column, models.DecimalField):
        kwargs["form_class"] = NumberField
        if column.name.endswith("_mbq"):
            kwargs["error_messages"] = _activity_messages(column)
    if isinstance(column, models.IntegerField):
        kwargs["form_class"] = WholeNumberField
    field = column.formfield(**kwargs)
    if column.name.endswith("_mbq") and field is not None:
        field.validators.append(_above_zero)
    if isinstance(field, forms.ChoiceField) and column.choices:
        offered: Any = field.choices
        field.choices = [(key, CHOOSE if key in ("", None) else word) for key, word in offered]
    return field


def _with_form(help_text: Any, form: Any) -> Any:
    """Return the help of a column with the form in which it is typed."""
    return format_lazy("{} {}", help_text, form) if help_text else form


class RecordForm(forms.ModelForm):
    """A clinical record's form. With ``correcting`` it asks for a reason and carries the version that was read."""

    # Legends with the names of their fields, where a form is long; fields that are in none come last.
    sections: ClassVar[tuple[tuple[Any, tuple[str, ...]], ...]] = ()
    # What the reason of a correction is called here: some records have a reason of their own.
    reason_name: ClassVar[str] = "reason"

    def __init__(self, *args: Any, correcting: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.correcting = correcting
        if correcting:
            self.fields[self.reason_name] = reason_field(
                _("Reason for the correction"), _("Say why this is corrected.")
            )
            self.fields[STALE_FIELD] = forms.IntegerField(widget=forms.HiddenInput)
            self.initial[STALE_FIELD] = self.instance.version

    @property
    def grouped(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The visible and hidden fields by their legend; one group without a legend where there are no sections."""
        named = {name for _, names in self.sections for name in names}
        groups = [
            (legend, [self[name] for name in names if name in self.fields]) for legend, names in self.sections
        ]
        return [*groups, ("", [self[name] for name in self.fields if name not in named])]

    def values(self) -> dict[str, Any]:
        """Return the record's fields as they were sent, without what only a correction has."""
        return {name: self.cleaned_data[name] for name in self.record_fields if name in self.cleaned_data}

    @property
    def record_fields(self) -> list[str]:
        of_correction = {self.reason_name, STALE_FIELD} if self.correcting else set()
        return [name for name in self.fields if name not in of_correction]


# Offered beside the field: one key instead of a sentence.
COMMON_REASONS = (_("Typing error"), _("Source document read again"), _("Reported later"), _("Wrong unit"))


def reason_field(label: Any, missing: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=500,
        help_text=_("Kept in the history beside the old and the new values."),
        error_messages={"required": missing},
        widget=forms.Textarea(
            attrs={"rows": 2, "data-reasons": told(lambda: " · ".join(str(one) for one in COMMON_REASONS))}
        ),
    )


class VoidForm(forms.Form):
    """Why a record is taken out, and the version that was read."""

    reason = reason_field(_("Reason for voiding"), _("Say why this is voided."))
    version = forms.IntegerField(widget=forms.HiddenInput)


class PatientForm(RecordForm):
    class Meta:
        model = Patient
        fields = ["sex", "birth_date"]
        formfield_callback = _for_column
        labels = {"birth_date": _("Date of birth")}


class IdentityForm(RecordForm):
    class Meta:
        model = PatientIdentity
        fields = ["mrn", "family_name", "given_names"]
        formfield_callback = _for_column


class DiagnosisForm(RecordForm):
    metastatic_sites = forms.MultipleChoiceField(
        label=_("Metastatic sites"),
        choices=MetastaticSite.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
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


class PerformanceStatusForm(RecordForm):
    class Meta:
        model = PerformanceStatus
        fields = ["ecog", "assessed_on", "note"]
        formfield_callback = _for_column


class PriorTherapyForm(RecordForm):
    class Meta:
        model = PriorTherapy
        fields = ["kind", "agent", "started_on", "ended_on", "note"]
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
    sections = (
        (_("Study"), ("course_number", "timepoint", "modality", "performed_on", "study_instance_uid")),
        (
            _("Tracer"),
            ("tracer", "tracer_activity_mbq", "injected_at", "uptake_minutes", "body_weight_kg"),
        ),
        (
            _("Reading"),
            ("slice_thickness_mm", "liver_suv_mean", "spleen_suv_mean", "krenning_score"),
        ),
    )

    class Meta:
        model = Study
        fields = [
            "course_number",
            "timepoint",
            "modality",
            "performed_on",
            "study_instance_uid",
            "tracer",
            "tracer_activity_mbq",
            "injected_at",
            "uptake_minutes",
            "body_weight_kg",
            "slice_thickness_mm",
            "liver_suv_mean",
            "spleen_suv_mean",
            "krenning_score",
        ]
        formfield_callback = _for_column
        labels = {"course_number": _("Course")}


class ReadingForm(RecordForm):
    class Meta:
        model = Reading
        fields = ["overall_response", "new_lesions", "note"]
        formfield_callback = _for_column
        labels = {
            "overall_response": _("Overall response (RECIST 1.1)"),
            "new_lesions": _("New lesions were seen"),
        }


class ActivityField(NumberField):
    """An activity in any unit: a number in a field of text."""

    widget: type[forms.Widget] = NumberText


class AdministrationForm(RecordForm):
    """What was given in a cycle. Times are typed as the centre's clock shows them, activities in the unit chosen."""

    ACTIVITIES = (
        "syringe_activity_mbq",
        "residual_activity_mbq",
        "administered_activity_mbq",
        "prescribed_activity_mbq",
    )
    activity_unit = forms.ChoiceField(
        label=_("Unit of the activities"),
        choices=[(unit, unit) for unit in MBQ_PER_UNIT],
        initial="MBq",
        required=False,
        help_text=_("As typed below; stored in MBq."),
    )
    sections = (
        (
            _("Activity"),
            (
                "activity_unit",
                "prescribed_activity_mbq",
                "syringe_activity_mbq",
                "syringe_measured_at",
                "administered_at",
                "infusion_ended_at",
                "residual_activity_mbq",
                "residual_measured_at",
                "administered_activity_mbq",
                "deviation_explanation",
            ),
        ),
        (
            _("Infusion"),
            (
                "lot",
                "volume_ml",
                "venous_access",
                "is_extravasated",
                "extravasated_percent",
            ),
        ),
        (
            _("Protection and staff"),
            ("amino_acid_regimen", "amino_acid_minutes", "antiemetic", "body_weight_kg", "staff"),
        ),
    )

    class Meta:
        model = Administration
        fields = [
            "prescribed_activity_mbq",
            "administered_at",
            "syringe_activity_mbq",
            "syringe_measured_at",
            "residual_activity_mbq",
            "residual_measured_at",
            "administered_activity_mbq",
            "deviation_explanation",
            "infusion_ended_at",
            "lot",
            "volume_ml",
            "venous_access",
            "is_extravasated",
            "extravasated_percent",
            "amino_acid_regimen",
            "amino_acid_minutes",
            "antiemetic",
            "body_weight_kg",
            "staff",
        ]
        formfield_callback = _for_column
        labels = {
            "administered_at": _("Start of the infusion (local time of the centre)"),
            "administered_activity_mbq": _("Net activity, where no syringe is recorded"),
            "prescribed_activity_mbq": _("Prescribed activity"),
            "syringe_activity_mbq": _("Syringe activity"),
            "residual_activity_mbq": _("Residual activity"),
            "staff": _("Given by"),
        }
        help_texts = {
            "administered_activity_mbq": _(
                "At the start of the infusion, residual taken off. With a syringe it is computed."
            ),
            "deviation_explanation": format_lazy(
                _("Needed past {limit} of the prescription (10 CFR 35.63)."), limit=f"±20{NBSP}%"
            ),
            "residual_activity_mbq": _("Blank: not measured."),
        }
        widgets = {
            "is_extravasated": forms.Select(
                choices=[("", _("Not noted")), ("true", _("Yes")), ("false", _("No"))]
            )
        }

    def __init__(self, *args: Any, warnings: Sequence[Warned] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.ACTIVITIES:
            old = self.fields[name]
            self.fields[name] = ActivityField(
                label=old.label,
                help_text=old.help_text,
                max_digits=16,
                decimal_places=4,
                required=name == "prescribed_activity_mbq",
                error_messages=dict.fromkeys(
                    ("invalid", "max_digits", "max_decimal_places", "max_whole_digits"),
                    _(
                        "Type the activity as a number, such as 7400 or 7.4, with at most 4 digits after the point."
                    ),
                ),
                validators=[] if name == "residual_activity_mbq" else [_above_zero],
                widget=NumberText(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        self.fields["is_extravasated"] = forms.NullBooleanField(
            label=_("Extravasation"),
            required=False,
            widget=forms.Select(
                choices=[("unknown", _("Not noted")), ("true", _("Yes")), ("false", _("No"))]
            ),
        )
        noted = {True: "true", False: "false", None: "unknown"}
        self.initial["is_extravasated"] = noted[self.instance.is_extravasated]
        self.warnings: list[Warned] = []
        self.seen_warnings: dict[str, None] = {}
        if warnings or (self.data and self.data.get("confirmation_reason")):
            self.ask(warnings)

    def ask(self, warnings: Sequence[Warned]) -> None:
        """Show what stands against the administration, and ask why it is recorded all the same."""
        self.warnings = list(warnings)
        self.seen_warnings = dict.fromkeys([*self._confirmed(), *(warned.code for warned in warnings)])
        self.fields["confirmation_reason"] = forms.CharField(
            label=_("Why it is recorded all the same"),
            max_length=500,
            help_text=_("Kept with the cycle beside the warnings."),
            error_messages={"required": _("Say why the cycle is recorded in spite of the warnings.")},
            widget=forms.Textarea(attrs={"rows": 2}),
        )

    @property
    def record_fields(self) -> list[str]:
        return [name for name in super().record_fields if name != "activity_unit"]

    def _confirmed(self) -> list[str]:
        """Return the codes of the warnings that stood on the page on which the reason was typed."""
        return [code for code in self.data.get("confirmed_warnings", "").split(",") if code]

    def values(self) -> dict[str, Any]:
        values = super().values()
        if "confirmation_reason" in values and "confirmed_warnings" in self.data:
            values["confirmed_warnings"] = self._confirmed()
        return values

    def clean(self) -> dict[str, Any]:
        """Put the activities into MBq, to the tenth that is stored."""
        values = super().clean() or self.cleaned_data
        unit = values.get("activity_unit") or "MBq"
        for name in self.ACTIVITIES:
            typed = values.get(name)
            if typed is None:
                continue
            # The prescription stands there in MBq before a unit is chosen.
            is_untouched = name == "prescribed_activity_mbq" and name not in self.changed_data
            mbq = to_mbq(typed, "MBq" if is_untouched else unit).quantize(Decimal("0.1"), ROUND_HALF_UP)
            if mbq > MOST_ACTIVITY_MBQ:
                self.add_error(
                    name,
                    ValidationError(_too_much(MOST_ACTIVITY_MBQ), code="max_value"),
                )
            else:
                values[name] = mbq
        return values


class CyclePlanForm(RecordForm):
    """The plan of a cycle that has not been given: its date, and whether it is on hold."""

    status = forms.ChoiceField(
        label=_("Status"),
        choices=[
            (CycleStatus.PLANNED, CycleStatus.PLANNED.label),
            (CycleStatus.HELD, CycleStatus.HELD.label),
        ],
    )

    class Meta:
        model = Cycle
        fields = ["planned_on", "prescribed_activity_mbq", "status", "note"]
        formfield_callback = _for_column
        help_texts = {"planned_on": _("A day set by hand goes before the protocol's; blank: the protocol's.")}


class DiscontinuationForm(RecordForm):
    further_reasons = forms.MultipleChoiceField(
        label=_("Further reasons"),
        choices=DiscontinuationReason.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Discontinuation
        fields = ["discontinued_on", "main_reason", "further_reasons", "note"]
        formfield_callback = _for_column


class LabResultForm(RecordForm):
    """A stored laboratory value in the unit of its analyte. An unlikely one is stored once its box is ticked."""

    confirm_unlikely = forms.BooleanField(
        label=_("The value is right, even if it is unlikely"),
        required=False,
        help_text=_("Needed only where the value is far from what is usual."),
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
            written = with_unit(with_reader_sign(result.original_value), result.original_unit)
            self.fields["value"].help_text = gettext(
                "Written as {written}. A new value is written in {unit}."
            ).format(written=written, unit=unit)
        limits = {
            "lower_limit": gettext("Lower limit of normal ({unit})"),
            "upper_limit": gettext("Upper limit of normal ({unit})"),
        }
        for name, words in limits.items():
            self.fields[name].label = words.format(unit=unit)
            self.fields[name].help_text = _("Of the laboratory that measured it. Empty: that of the centre.")
        self.fields["taken_at"].help_text = _(
            "YYYY-MM-DD HH:MM, local time of the centre; 00:00 where it is not known."
        )
        for name in ("value", "lower_limit", "upper_limit"):
            stored = getattr(result, name)
            if isinstance(stored, Decimal):  # 92 and not 92.0000
                self.initial[name] = trimmed(stored)
        self.order_fields(["value", "confirm_unlikely"])

    def values(self) -> dict[str, Any]:
        return super().values() | {"confirm_unlikely": self.cleaned_data.get("confirm_unlikely", False)}

    @property
    def record_fields(self) -> list[str]:
        return [name for name in super().record_fields if name != "confirm_unlikely"]


class HoldForm(RecordForm):
    class Meta:
        model = Hold
        fields = ["held_on", "reason", "review_on", "note"]
        formfield_callback = _for_column


class HoldCorrectionForm(RecordForm):
    reason_name = "correction_reason"

    class Meta:
        model = Hold
        fields = ["held_on", "reason", "review_on", "resumed_on", "note"]
        formfield_callback = _for_column
        help_texts = {"resumed_on": _("Blank: the cycle is still on hold.")}


class ResumeForm(forms.Form):
    """The day on which a hold ended."""

    resumed_on = DayField(
        label=_("Resumed on"),
        widget=date_input(),
        help_text=ISO_DATE,
        error_messages={"invalid": NO_DATE},
    )


class ReasonForm(forms.Form):
    """Why something of a course is changed."""

    reason = reason_field(_("Reason"), _("Say why."))


class MoveForm(ReasonForm):
    """The protocol that a running course is to follow, and why."""

    protocol = forms.ModelChoiceField(label=_("Protocol"), queryset=Protocol.objects.all(), empty_label=None)
    field_order = ["protocol", "reason"]


class DecisionForm(forms.Form):
    """What is decided for the next cycle, beside the advice."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[choice for choice in DoseAdvice.choices if choice[0] != DoseAdvice.INSUFFICIENT],
        widget=forms.RadioSelect,
    )
    prescribed_activity_mbq = NumberField(
        label=_("Another activity (MBq)"),
        required=False,
        max_digits=7,
        decimal_places=1,
        min_value=Decimal("0.1"),
        max_value=MOST_ACTIVITY_MBQ,
        help_text=_("Blank: what the decision stands for."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=500,
        help_text=_("Needed where the decision or the activity differs from the advice. Kept beside it."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DecisionCorrectionForm(RecordForm):
    reason_name = "correction_reason"

    class Meta:
        model = DoseDecision
        fields = ["reason"]
        formfield_callback = _for_column
        labels = {"reason": _("Why it was decided")}


class AdverseEventForm(RecordForm):
    """An adverse event; the term is searched in a list of CTCAE's, and may be another."""

    class Meta:
        model = AdverseEvent
        fields = ["term", "grade", "onset_on", "resolved_on", "attribution", "is_serious", "action", "note"]
        formfield_callback = _for_column
        labels = {"term": _("CTCAE term"), "is_serious": _("Serious")}
        help_texts = {"term": _("Type to search the list; a term that is not in it is kept as typed.")}
        widgets = {"term": forms.TextInput(attrs={"list": "ctcae-terms", "autocomplete": "off"})}

    suggestions = TERMS


class AnalogueDoseForm(RecordForm):
    class Meta:
        model = SomatostatinAnalogueDose
        fields = ["drug", "given_at", "dose_mg", "note"]
        formfield_callback = _for_column


class PriorPrrtForm(RecordForm):
    class Meta:
        model = PriorPrrt
        fields = [
            "radiopharmaceutical",
            "last_given_on",
            "cycles",
            "administered_activity_mbq",
            "kidney_dose_gy",
            "marrow_dose_gy",
            "dose_method",
            "note",
        ]
        formfield_callback = _for_column


class AbsorbedDoseForm(RecordForm):
    class Meta:
        model = AbsorbedDose
        fields = ["organ", "lesion", "absorbed_dose_gy", "method", "note"]
        formfield_callback = _for_column


class CourseForm(forms.Form):
    """A course to start: its protocol and the day of its first cycle."""

    # Of each protocol the newest version; a course is moved to an older one with a reason.
    protocol = forms.ModelChoiceField(
        label=_("Protocol"),
        queryset=Protocol.objects.order_by("code", "-version").distinct("code"),
        empty_label=None,
    )
    intent = forms.ChoiceField(label=_("Intent"), choices=Intent.choices, initial=Intent.INITIAL)
    first_planned_on = DayField(
        label=_("Cycle 1 planned on"),
        required=False,
        widget=date_input(),
        validators=[plausible_plan],
        help_text=_("YYYY-MM-DD. The following cycles are planned from it by the protocol."),
        error_messages={"invalid": NO_DATE},
    )


class RegistrationForm(forms.Form):
    """A person to register."""

    centre = forms.ModelChoiceField(label=_("Centre"), queryset=Centre.objects.none(), empty_label=None)
    mrn = forms.CharField(label=_("MRN"), max_length=40, help_text=_("The hospital's number of this person."))
    family_name = forms.CharField(label=_("Family name"), max_length=100)
    given_names = forms.CharField(label=_("Given names"), max_length=100, required=False)
    sex = forms.ChoiceField(label=_("Sex"), choices=[("", CHOOSE), *Sex.choices])
    birth_date = DayField(
        label=_("Date of birth"),
        widget=date_input(),
        help_text=ISO_DATE,
        error_messages={"invalid": NO_DATE},
    )

    is_another_person = forms.BooleanField(
        label=_("This is another person: register a new patient"), required=False, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.resembling: list[Resembling] = []
        centres = Centre.objects.visible_to(user, Act.EDIT_PATIENTS)
        self.fields["centre"].queryset = centres  # type: ignore[attr-defined]
        if not user.may(Act.VIEW_IDENTITY):
            for name in ("mrn", "family_name", "given_names"):
                del self.fields[name]

    @property
    def seen_resembling(self) -> str:
        """The patients that stand on the page on which it is said that this is another person."""
        return ",".join(str(one.patient.pk) for one in self.resembling)

    def clean(self) -> dict[str, Any]:
        """Name patients who may be the same person, and ask whether this is another one."""
        values = super().clean() or self.cleaned_data
        is_another = values.pop("is_another_person", False)
        if self.errors:
            return values
        names = {name: values[name] for name in ("mrn", "family_name") if name in values}
        found = resembling(
            self.user, values["centre"], birth_date=values["birth_date"], sex=values["sex"], **names
        )
        seen = self.data.get("seen_resembling", "").split(",")
        if found and not (is_another and all(str(one.patient.pk) in seen for one in found)):
            self.resembling = found
            self.fields["is_another_person"].widget = forms.CheckboxInput()
            if any(one.is_same_mrn for one in found):
                self.add_error("mrn", _("Another patient of this centre has this MRN."))
            else:
                self.add_error(
                    None, _("A patient of this centre may be the same person: look at the list below.")
                )
        return values


class StartForm(CourseForm):
    """The first course, which may also be started later."""

    start_now = forms.BooleanField(label=_("Start the first course now"), required=False, initial=True)
    field_order = ["start_now"]


def study_form(*args: Any, course_numbers: list[int], **kwargs: Any) -> StudyForm:
    """Return the form of a study, with the patient's courses to choose from."""
    form = StudyForm(*args, **kwargs)
    form.fields["course_number"] = forms.TypedChoiceField(
        label=_("Course"),
        coerce=int,
        choices=[
            (number, gettext("Course {number}").format(number=number)) for number in course_numbers or [1]
        ],
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
