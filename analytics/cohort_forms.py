"""The forms that ask who is counted, how they are divided and what endpoints mean: of the builder and of the explorer.

They parse and word. What a filter counts is ``analytics.tallies``', what may be stored is ``analytics.cohorts``'.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.access import Act
from accounts.models import Centre, User
from analytics import cohorts, strata
from analytics.charts.numbers import has_decimal_comma, localised
from analytics.dashboard import ENDPOINT_WORDS
from analytics.exploring import COVARIATES, Facets, Question
from analytics.models import Cohort, CoursesCounted, Definition, Strata
from analytics.rules.endpoints import MOST_DAYS, EndpointDefinition
from languages.wording import day
from treatments.models import Protocol

ISO_DATE = gettext_lazy("YYYY-MM-DD")
_DATE_FORMATS = lazy(
    lambda: ["%Y-%m-%d", "%d.%m.%Y"] if has_decimal_comma() else ["%Y-%m-%d"], list
)()  # of the reader
RULE_PREFIX = "rule_"
MOST_MONTHS = 600  # of a landmark: half a century

# The filter as people read it: legend, then lists by their columns and ranges by their stems.
LISTS = {
    "centre_codes": gettext_lazy("Centre"),
    "sexes": gettext_lazy("Sex"),
    "tumour_types": gettext_lazy("Tumour type"),
    "primary_sites": gettext_lazy("Primary site"),
    "who_grades": gettext_lazy("WHO grade"),
    "functional_syndromes": gettext_lazy("Functional syndrome"),
    "ecogs": gettext_lazy("ECOG before the first administration"),
    "with_prior_therapies": gettext_lazy("With earlier therapy"),
    "without_prior_therapies": gettext_lazy("Without earlier therapy"),
    "protocols": gettext_lazy("Protocol"),
    "intents": gettext_lazy("Intent"),
    "statuses": pgettext_lazy("state of a course", "Course"),
    "discontinuation_reasons": gettext_lazy("Discontinued for"),
    "krenning_scores": gettext_lazy("Krenning score at baseline"),
}
RANGES = {
    "age": (gettext_lazy("Age at the first administration"), gettext_lazy("years")),
    "ki67": ("Ki-67", "%"),
    "cycles": (gettext_lazy("Cycles given"), gettext_lazy("cycles")),
    "suv_max": (gettext_lazy("Baseline SUVmax of the hottest lesion"), "g/mL"),
    "started": (gettext_lazy("First administration"), ISO_DATE),
}
SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        pgettext_lazy("section of a filter", "Whom"),
        (
            "sexes", "age", "tumour_types", "primary_sites", "who_grades", "ki67", "functional_syndromes", "ecogs",
            "with_prior_therapies", "without_prior_therapies", "centre_codes",
        ),
    ),
    (gettext_lazy("Treatment"), ("protocols", "intents", "cycles", "statuses", "discontinuation_reasons")),
    (gettext_lazy("Baseline imaging"), ("krenning_scores", "suv_max")),
    (pgettext_lazy("section of a filter", "When"), ("started",)),
)  # fmt: skip
_INTEGERS = {"ecogs", "krenning_scores"}


def _text_number(label: Any, *, decimals: int, most: int) -> forms.Field:
    attrs = {"inputmode": "decimal" if decimals else "numeric", "autocomplete": "off", "size": 8}
    if not decimals:
        return forms.IntegerField(
            label=label,
            required=False,
            min_value=0,
            max_value=most,
            widget=forms.TextInput(attrs=attrs),
            error_messages={"invalid": gettext_lazy("Type a whole number.")},
        )
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_value=Decimal(most),
        decimal_places=decimals,
        widget=forms.TextInput(attrs=attrs),
        error_messages={"invalid": gettext_lazy("Type a number, such as 12.5.")},
    )


def date_field(label: Any, **kwargs: Any) -> forms.DateField:
    """Return a field for a date, typed as the reader writes it or in ISO's order.

    A date picker would show it in the order of the browser's language.
    """
    return forms.DateField(
        label=label,
        required=False,
        error_messages={"invalid": gettext_lazy("Type the date as YYYY-MM-DD.")},
        input_formats=_DATE_FORMATS,
        widget=_DateInput(
            attrs={
                "class": "iso-date",
                "inputmode": "numeric",
                "autocomplete": "off",
                "maxlength": 10,
                "placeholder": ISO_DATE,
            },
        ),
        **kwargs,
    )


class _DateInput(forms.DateInput):
    """A date as the reader writes it; in English as ISO does."""

    def format_value(self, value: Any) -> Any:
        return day(value) if isinstance(value, date) else value


_BOUNDS = {"age": (0, 130), "ki67": (1, 100), "cycles": (0, 99), "suv_max": (2, 9999)}


@dataclass(frozen=True)
class ListItem:
    """A list of the filter as it is shown: its boxes, each with how many patients have the value."""

    field: forms.BoundField
    options: list[tuple[Any, Any]]  # (checkbox, number or what stands in its place or None)
    is_list: bool = True

    @property
    def chosen(self) -> int:
        return sum(1 for box, _ in self.options if box.data["selected"])


@dataclass(frozen=True)
class RangeItem:
    """A range of the filter as it is shown."""

    name: str
    label: Any
    unit: Any
    lower: forms.BoundField
    upper: forms.BoundField
    is_list: bool = False

    @property
    def errors(self) -> list[str]:
        return [*self.lower.errors, *self.upper.errors]

    @property
    def chosen(self) -> int:
        return sum(1 for bound in (self.lower, self.upper) if bound.value() not in (None, ""))


class QuestionForm(forms.Form):
    """Whom a cohort counts, and by what it is divided."""

    courses_counted = forms.ChoiceField(
        label=gettext_lazy("Courses counted"),
        choices=CoursesCounted.choices,
        required=False,
        initial=CoursesCounted.FIRST,
    )
    strata_by = forms.ChoiceField(label=gettext_lazy("Divided by"), choices=Strata.choices, required=False)

    def __init__(
        self, *args: Any, user: User, facets: Facets | None = None, kept: Cohort | None = None, **kwargs: Any
    ) -> None:
        """Offer what ``user`` may choose, and what ``kept``, a cohort that is changed, holds already."""
        super().__init__(*args, **kwargs)
        self.user, self.facets = user, facets
        codes = list(Centre.objects.visible_to(user, Act.VIEW_RESULTS).values_list("code", flat=True))
        protocols = sorted(
            f"{code}/{version}" for code, version in Protocol.objects.values_list("code", "version")
        )
        choices: dict[str, Sequence[tuple[Any, str]]] = {
            **cohorts.CHOICES,
            "centre_codes": [(code, code) for code in sorted(codes)],
            "protocols": [(name, name) for name in protocols],
        }
        for name, label in LISTS.items():
            offered = list(choices[name])
            known = {code for code, _ in offered}
            offered += [(code, str(code)) for code in getattr(kept, name, []) if code not in known]
            kind: Any = forms.TypedMultipleChoiceField if name in _INTEGERS else forms.MultipleChoiceField
            more = {"coerce": int, "empty_value": []} if name in _INTEGERS else {}
            self.fields[name] = kind(
                label=label, choices=offered, required=False, widget=forms.CheckboxSelectMultiple, **more
            )
        for name, (of, unit) in RANGES.items():
            for side, words in (("from", _("{what}, from ({unit})")), ("to", _("{what}, to ({unit})"))):
                full = words.format(what=of, unit=unit)
                if name == "started":
                    self.fields[f"{name}_{side}"] = date_field(full)
                else:
                    decimals, most = _BOUNDS[name]
                    self.fields[f"{name}_{side}"] = _text_number(full, decimals=decimals, most=most)

    @property
    def sections(self) -> list[tuple[Any, list[ListItem | RangeItem]]]:
        return [(legend, [self._item(name) for name in names]) for legend, names in SECTIONS]

    def _item(self, name: str) -> ListItem | RangeItem:
        if name in RANGES:
            label, unit = RANGES[name]
            return RangeItem(name, label, unit, self[f"{name}_from"], self[f"{name}_to"])
        bound = self[name]
        counts = self.facets.of(name) if self.facets else None
        options = [
            (box, counts.get(str(box.data["value"]), 0) if counts is not None else None)
            for box in bound.subwidgets
        ]
        return ListItem(bound, options)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        values["courses_counted"] = values.get("courses_counted") or CoursesCounted.FIRST
        try:
            cohorts.check_ranges(Cohort(**self.filter_values()))
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                self.add_error(name, messages)
        return values

    def filter_values(self) -> dict[str, Any]:
        """Return column to value of what was understood; what was not does not restrict."""
        values = self.cleaned_data
        found: dict[str, Any] = {
            "courses_counted": values.get("courses_counted") or CoursesCounted.FIRST,
            "strata_by": values.get("strata_by", ""),
        }
        found |= {name: values.get(name) or [] for name in LISTS}
        found |= {
            f"{name}_{side}": values.get(f"{name}_{side}") for name in RANGES for side in ("from", "to")
        }
        return found


# The rules


@dataclass(frozen=True)
class RuleWords:
    """A rule of the endpoint definition in plain words; ``choices`` where it is one of several."""

    label: Any
    choices: Mapping[str, Any] | None = None
    help: Any = ""
    unit: Any = ""


RULES: dict[str, RuleWords] = {
    "time_zero": RuleWords(
        gettext_lazy("Time counts from"),
        {
            "first_administration": gettext_lazy("the first administration"),
            "diagnosis": gettext_lazy("the diagnosis; at risk from the first administration on"),
        },
    ),
    "analysis_set": RuleWords(
        gettext_lazy("All figures count"),
        {
            "treated": gettext_lazy("every course with a cycle given"),
            "response_evaluable": gettext_lazy("response-evaluable courses alone"),
            "completed": gettext_lazy("completed courses alone"),
        },
    ),
    "clinical_progression": RuleWords(
        gettext_lazy("A clinical progression without a scan"),
        {"event": gettext_lazy("is a progression"), "ignore": gettext_lazy("is no progression")},
    ),
    "death_in_pfs": RuleWords(
        gettext_lazy("A death without progression"),
        {"event": gettext_lazy("is an event of PFS"), "censor": gettext_lazy("censors: time to progression")},
    ),
    "new_therapy": RuleWords(
        gettext_lazy("Another anticancer therapy before the event"),
        {
            "ignore": gettext_lazy("does not censor PFS"),
            "censor": gettext_lazy("censors PFS at the last assessment before it"),
        },
    ),
    "missed_assessments": RuleWords(
        gettext_lazy("An event after two or more missed assessments"),
        {
            "ignore": gettext_lazy("counts on its day"),
            "censor": gettext_lazy("is censored at the last assessment"),
        },
    ),
    "missed_gap_days": RuleWords(
        gettext_lazy("Two were missed when nothing was read for more than"), unit=gettext_lazy("d")
    ),
    "confirmation": RuleWords(
        gettext_lazy("CR and PR"),
        {
            "none": gettext_lazy("count at once"),
            "required": gettext_lazy("count when a second scan confirms them"),
        },
    ),
    "confirmation_days": RuleWords(
        gettext_lazy("The confirming scan comes at least … later"), unit=gettext_lazy("d")
    ),
    "sd_minimum_days": RuleWords(
        gettext_lazy("Stable disease counts from … after the first administration"), unit=gettext_lazy("d")
    ),
    "orr_denominator": RuleWords(
        gettext_lazy("The response rate is a share of"),
        {
            "response_evaluable": gettext_lazy("the response-evaluable"),
            "all_treated": gettext_lazy("all treated"),
        },
    ),
    "interval": RuleWords(
        gettext_lazy("Limits of rates"),
        {
            "clopper_pearson": gettext_lazy("exact (Clopper–Pearson)"),
            "wilson": gettext_lazy("Wilson's score limits"),
        },
    ),
    "landmark_months": RuleWords(
        gettext_lazy("Rates are given at"),
        help=gettext_lazy("Months with commas between them, ascending."),
        unit=gettext_lazy("months"),
    ),
    "month_days": RuleWords(gettext_lazy("A month has"), unit=gettext_lazy("d")),
}
RULE_SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (gettext_lazy("Time and courses"), ("time_zero", "analysis_set", "landmark_months", "month_days")),
    (
        gettext_lazy("Progression-free survival"),
        ("clinical_progression", "death_in_pfs", "new_therapy", "missed_assessments", "missed_gap_days"),
    ),
    (
        gettext_lazy("Response"),
        ("confirmation", "confirmation_days", "sd_minimum_days", "orr_denominator", "interval"),
    ),
)


class CohortForm(QuestionForm):
    """A cohort: its name, whom it counts, and what its endpoints mean. With ``kept``, the one that is changed."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    data_cutoff = date_field(
        gettext_lazy("Data cut-off, as of"),
        help_text=gettext_lazy("YYYY-MM-DD. Facts after it do not exist. Empty: today."),
    )

    def __init__(self, *args: Any, user: User, kept: Cohort | None = None, **kwargs: Any) -> None:
        super().__init__(*args, user=user, kept=kept, **kwargs)
        self.fields["courses_counted"].required = True
        plain = EndpointDefinition().to_json()
        for name, words in RULES.items():
            self.fields[RULE_PREFIX + name] = _rule_field(words, name, plain[name])
        if user.may(Act.MANAGE_COHORTS) or (kept is not None and kept.is_shared):
            self.fields["is_shared"] = forms.BooleanField(
                label=_("Shared"),
                required=False,
                help_text=_("Shown to everybody who may see results of its centres; otherwise to you alone."),
            )
        self.changes = kept
        if kept is not None:
            self.fields["reason"] = forms.CharField(
                label=_("Reason of the change"),
                max_length=500,
                help_text=_("Kept in the history of the cohort."),
            )

    @property
    def rule_sections(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [(legend, [self[RULE_PREFIX + name] for name in names]) for legend, names in RULE_SECTIONS]

    @property
    def has_rule_errors(self) -> bool:
        return any(name.startswith(RULE_PREFIX) for name in self.errors)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        values["rules"] = None
        given: dict[str, Any] = {name: values.get(RULE_PREFIX + name) for name in RULES}
        if not self.has_rule_errors:
            try:
                values["rules"] = EndpointDefinition(**given)
            except ValueError as error:
                name = RULE_PREFIX + str(error).split(" ", 1)[0]
                self.add_error(name if name in self.fields else None, ValidationError(f"{error}."))
        return values

    @classmethod
    def initial_of(cls, cohort: Cohort) -> dict[str, Any]:
        """Return what the form of a cohort begins with: all it is, but its name where that is another's."""
        found = {name: getattr(cohort, name) for name in ("name", "description", "is_shared")}
        found |= filter_initial(cohort)
        return found | cls.initial_of_definition(cohort.definition)

    @staticmethod
    def initial_of_definition(definition: Definition) -> dict[str, Any]:
        rules = definition.rules
        found = {RULE_PREFIX + field.name: getattr(rules, field.name) for field in fields(rules)}
        months = ", ".join(str(month) for month in rules.landmark_months)
        return found | {RULE_PREFIX + "landmark_months": months, "data_cutoff": definition.data_cutoff}


def filter_initial(cohort: Cohort) -> dict[str, Any]:
    """Return the filter of a cohort as the initial values of a form."""
    found = {name: getattr(cohort, name) for name in (*LISTS, "courses_counted", "strata_by")}
    return found | {
        f"{name}_{side}": getattr(cohort, f"{name}_{side}") for name in RANGES for side in ("from", "to")
    }


class MonthsField(forms.CharField):
    """Months with commas between them, as ascending whole numbers."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        words = [word for word in re.split(r"[,;\s]+", text) if word]
        if not all(re.fullmatch(r"[0-9]{1,3}", word) and 0 < int(word) <= MOST_MONTHS for word in words):
            raise ValidationError(_("Type whole months with commas between them, such as 6, 12, 18, 24."))
        return tuple(sorted({int(word) for word in words}))


def _rule_field(words: RuleWords, name: str, default: Any) -> forms.Field:
    if words.choices is not None:
        choices = [
            (code, _("{choice} (default)").format(choice=said) if code == default else said)
            for code, said in words.choices.items()
        ]
        return forms.ChoiceField(label=words.label, choices=choices, initial=default, help_text=words.help)
    label = f"{words.label} ({words.unit})"
    if name == "landmark_months":
        text = ", ".join(str(month) for month in default)
        return MonthsField(
            label=label,
            required=False,
            initial=text,
            max_length=200,
            help_text=f"{words.help} " + _("Default: {value}.").format(value=text),
        )
    help_text = _("Default: {value}.").format(value=localised(str(default)))
    attrs = {"autocomplete": "off"}
    if name == "month_days":
        return forms.DecimalField(
            label=label,
            initial=Decimal(default),
            min_value=Decimal(28),
            max_value=Decimal(31),
            max_digits=8,
            decimal_places=6,
            help_text=help_text,
            widget=forms.TextInput(attrs=attrs | {"inputmode": "decimal"}),
        )
    return forms.IntegerField(
        label=label,
        initial=default,
        min_value=0 if name == "sd_minimum_days" else 1,
        max_value=MOST_DAYS,
        help_text=help_text,
        widget=forms.TextInput(attrs=attrs | {"inputmode": "numeric"}),
    )


class ExploreForm(QuestionForm):
    """A question of the explorer: whom, divided by what, which endpoint, by which definition. All of it in the address."""

    endpoint = forms.ChoiceField(
        label=gettext_lazy("Endpoint"),
        choices=[(key, format_lazy("{} ({})", name, short)) for key, (name, short) in ENDPOINT_WORDS.items()],
        required=False,
    )
    definition = forms.ModelChoiceField(
        label=gettext_lazy("Definition and cut-off"),
        queryset=Definition.objects.none(),
        required=False,
        empty_label=None,
    )
    covariates = forms.MultipleChoiceField(
        label=gettext_lazy("Cox model of"),
        choices=[(key, covariate.title) for key, covariate in COVARIATES.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    tests = forms.BooleanField(label=gettext_lazy("Test differences in Table 1"), required=False)

    def __init__(self, data: QueryDict | None = None, *args: Any, user: User, **kwargs: Any) -> None:
        usual = usual_definition(user)
        if data is not None and usual is not None and not data.get("definition"):
            data = data.copy()
            data["definition"] = str(usual.pk)  # what is counted is what the form shows
        super().__init__(data, *args, user=user, **kwargs)
        self.initial.setdefault("definition", usual.pk if usual else None)
        offered = definitions_for(user)
        self.fields["definition"].queryset = offered  # type: ignore[attr-defined]
        self.fields["definition"].label_from_instance = definition_label  # type: ignore[attr-defined]

    @property
    def choices(self) -> list[forms.BoundField]:
        """The choices that every question makes."""
        return [self[name] for name in ("endpoint", "strata_by", "definition", "courses_counted")]

    def clean_covariates(self) -> list[str]:
        chosen = set(self.cleaned_data["covariates"])
        if {"age_10", "age_65"} <= chosen:
            raise ValidationError(_("Age enters a model once: per 10 years, or as 65 and over."))
        return [key for key in COVARIATES if key in chosen]

    def question(self) -> Question:
        """Return the question asked; call it on a valid form."""
        values = self.cleaned_data
        definition = values.get("definition") or usual_definition(self.user)
        cohort = Cohort(slug="", name="Explored", definition=definition, **self.filter_values())
        return Question(
            cohort=cohort,
            endpoint=values.get("endpoint") or "pfs",
            covariates=tuple(values.get("covariates") or ()),
            tests=bool(values.get("tests")),
        )


def definitions_for(user: User) -> Any:
    """Return the definitions of the cohorts that the user sees: their outcomes are kept up to date."""
    seen = Cohort.objects.visible_to(user).values("definition")
    return Definition.objects.filter(pk__in=seen).order_by("pk")


def usual_definition(user: User) -> Definition | None:
    """Return the definition of the cohort of all patients, else the first that the user sees."""
    of_all = Cohort.objects.visible_to(user).filter(slug="all").values("definition")
    offered = definitions_for(user)
    return offered.filter(pk__in=of_all).first() or offered.first()


def definition_label(definition: Definition) -> str:
    english = f"up to {definition.data_cutoff or 'today'}"
    name = cohorts.definition_name(definition.name)
    if english in definition.name.lower():
        return name
    if definition.data_cutoff is None:
        return _("{definition}, up to today").format(definition=name)
    return _("{definition}, up to {day}").format(definition=name, day=day(definition.data_cutoff))


def canonical(query: QueryDict, names: Sequence[str]) -> str:
    """Return a query without what is empty, unknown or as by default: the address to bookmark."""
    found = QueryDict(mutable=True)
    for name in names:
        values = [value for value in query.getlist(name) if value.strip()]
        if values and not (name == "courses_counted" and values == [CoursesCounted.FIRST]):
            found.setlist(name, values)
    return found.urlencode(safe="/")


def stratum_words(cohort: Cohort) -> str:
    if not cohort.strata_by:
        return ""
    return _("Divided by {what}.").format(what=strata.within_sentence(strata.title_of(cohort.strata_by)))
