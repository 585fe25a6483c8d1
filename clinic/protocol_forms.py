"""The forms of what is shared: protocols, with a field for every threshold of dose advice, and reference ranges."""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, User
from clinic.forms import date_input
from clinic.typed import DayField, NumberField, WholeNumberField
from treatments.models import PROTOCOL_FIELDS, PROTOCOL_SECTIONS, LabAnalyte, Protocol, ReferenceRange
from treatments.rules.advice import DoseRules


@dataclass(frozen=True)
class RuleField:
    """A threshold of dose advice in words."""

    label: Any
    unit: Any


DOSE_RULE_FIELDS: dict[str, RuleField] = {
    "platelets_hold_grade": RuleField(_("Thrombocytopenia: hold from"), _("grade")),
    "platelets_resume_grade": RuleField(_("Thrombocytopenia: until"), _("grade")),
    "haemoglobin_hold_grade": RuleField(_("Anaemia: hold from"), _("grade")),
    "haemoglobin_resume_grade": RuleField(_("Anaemia: until"), _("grade")),
    "neutrophils_hold_grade": RuleField(_("Neutropenia: hold from"), _("grade")),
    "neutrophils_resume_grade": RuleField(_("Neutropenia: until"), _("grade")),
    "creatinine_clearance_least_ml_min": RuleField(
        _("Renal: hold at a creatinine clearance below"), "mL/min"
    ),
    "creatinine_rise_percent": RuleField(_("Renal: hold at a rise of creatinine of"), "%"),
    "creatinine_clearance_fall_percent": RuleField(_("Renal: hold at a fall of the clearance of"), "%"),
    "bilirubin_times_upper_limit": RuleField(_("Hepatic: hold at bilirubin above"), _("× ULN")),
    "albumin_least_g_l": RuleField(_("Hepatic: hold at albumin below"), "g/L"),
    "prothrombin_ratio_least_percent": RuleField(_("… together with a prothrombin ratio below"), "%"),
    "other_hold_grade": RuleField(_("Other toxicity: hold from"), _("grade")),
    "other_resume_grade": RuleField(_("Other toxicity: until"), _("grade")),
}
_PREFIX = "dose_"


def _typed(column: models.Field, **kwargs: Any) -> forms.Field | None:
    """Return the form's field for a column, whose numbers and days are read as the reader writes them."""
    if isinstance(column, models.DecimalField):
        kwargs["form_class"] = NumberField
    elif isinstance(column, models.IntegerField):
        kwargs["form_class"] = WholeNumberField
    elif isinstance(column, models.DateField):
        kwargs |= {"form_class": DayField, "widget": date_input()}
    return column.formfield(**kwargs)


class ProtocolForm(forms.ModelForm):
    """A protocol. Its version is given when it is added."""

    labs_before_cycle = forms.MultipleChoiceField(
        label=_("Laboratory values needed before each cycle"),
        choices=LabAnalyte.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    imaging_after_cycles = SimpleArrayField(
        WholeNumberField(),
        label=_("PET/CT after cycles"),
        required=False,
        help_text=_("Numbers with commas between them, such as 2,4."),
        error_messages={"item_invalid": _("Type numbers with commas between them, such as 2,4: ")},
    )
    imaging_after_completion_days = SimpleArrayField(
        WholeNumberField(min_value=1),
        label=_("Follow-up PET/CT after the last cycle (d)"),
        required=False,
        help_text=_("Days with commas between them, such as 90,180."),
        error_messages={"item_invalid": _("Type numbers with commas between them, such as 90,180: ")},
    )
    gives_advice = forms.BooleanField(label=_("Give dose advice by the thresholds below"), required=False)

    sections: ClassVar[tuple[tuple[Any, tuple[str, ...]], ...]] = (
        *PROTOCOL_SECTIONS,
        (_("Dose advice"), ("gives_advice", *(_PREFIX + name for name in DOSE_RULE_FIELDS), _PREFIX + "source",
                         _PREFIX + "unconfirmed")),
    )  # fmt: skip

    class Meta:
        model = Protocol
        fields = PROTOCOL_FIELDS
        formfield_callback = _typed
        labels = {
            "physical_half_life_days": _("Half-life (d)"),
            "planned_cycles": _("Number of cycles"),
            "interval_days": _("Interval (d)"),
            "window_days": _("Window, either side (d)"),
            "imaging_due_days": _("PET/CT due within, after such a cycle (d)"),
        }
        help_texts = {
            "code": _("Small letters, digits and hyphens. The same code makes the next version of it.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plain = DoseRules()
        for field in dataclasses.fields(DoseRules):
            name, value = field.name, getattr(plain, field.name)
            if name == "unconfirmed":
                self.fields[_PREFIX + name] = forms.CharField(
                    label=_("To be confirmed by the site before use"),
                    required=False,
                    help_text=_("One line each; empty once they were checked."),
                    initial="\n".join(value),
                    widget=forms.Textarea(attrs={"rows": 3}),
                )
            elif name == "source":
                self.fields[_PREFIX + name] = forms.CharField(
                    label=_("Source of these thresholds"), required=False, max_length=500, initial=value
                )
            else:
                words = DOSE_RULE_FIELDS[name]
                kind = NumberField if isinstance(value, Decimal) else WholeNumberField
                self.fields[_PREFIX + name] = kind(
                    label=f"{words.label} ({words.unit})", required=False, initial=value
                )

    @classmethod
    def of(cls, source: Protocol | None) -> "ProtocolForm":
        """Return an empty form, or one that begins with another version's values."""
        if source is None:
            return cls(initial={"gives_advice": True})
        initial = {name: getattr(source, name) for name in cls.Meta.fields}
        rules = source.rules_of_dose
        initial["gives_advice"] = rules is not None
        if rules is not None:
            initial |= {_PREFIX + name: getattr(rules, name) for name in DOSE_RULE_FIELDS}
            initial |= {
                _PREFIX + "source": rules.source,
                _PREFIX + "unconfirmed": "\n".join(rules.unconfirmed),
            }
        return cls(initial=initial)

    @property
    def grouped(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [(legend, [self[name] for name in names]) for legend, names in self.sections]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        values["dose_rules"] = {}
        if values.get("gives_advice"):
            try:
                given: dict[str, Any] = {name: values.get(_PREFIX + name) for name in DOSE_RULE_FIELDS}
                lines = values.get(_PREFIX + "unconfirmed", "").splitlines()
                given |= {
                    "source": values.get(_PREFIX + "source", ""),
                    "unconfirmed": tuple(line.strip() for line in lines if line.strip()),
                }
                rules = DoseRules(**given)
                values["dose_rules"] = rules.to_json()
            except ValueError as error:
                name = _PREFIX + str(error).split(" ", 1)[0]
                self.add_error(name if name in self.fields else None, ValidationError(str(error)))
        return values

    def values(self) -> dict[str, Any]:
        """Return field name to value of a protocol, without its version."""
        return {name: self.cleaned_data[name] for name in (*self.Meta.fields, "dose_rules")}

    def validate_unique(self) -> None:
        """The version that makes it one of a kind is given later."""


class ReferenceRangeForm(forms.ModelForm):
    """Limits of normal of one analyte, in its unit, at a centre whose ranges the user manages."""

    class Meta:
        model = ReferenceRange
        fields = ["centre", "analyte", "sex", "lower_limit", "upper_limit", "valid_from", "valid_to"]
        formfield_callback = _typed

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["centre"].queryset = Centre.objects.visible_to(user, Act.MANAGE_COHORTS)  # type: ignore[attr-defined]
        self.fields["centre"].empty_label = None  # type: ignore[attr-defined]
        self.fields["sex"].choices = [("", _("Every patient")), *list(self.fields["sex"].choices)[1:]]  # type: ignore[attr-defined]
