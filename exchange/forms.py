"""Forms of the import pages."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.access import Act
from accounts.models import Centre, User
from exchange.cells import UNITS, DateStyle, DecimalSign, Reading
from exchange.columns import SHEETS, Column
from exchange.mapping import STATED, MappedColumn, SheetMapping, whats_missing
from exchange.models import ColumnMapping
from exchange.telling import COLUMN_WORDS, SHEET_WORDS
from patients.models import ContactSource, DeathCause, DiseaseEventKind, TumourType
from treatments.models import Intent, Protocol
from treatments.rules.labs import ANALYTES

_SHORT = {"mbq": "MBq", "gy": "Gy", "ml": "mL", "percent": "%", "minutes": "min"}
_MOST_CYCLES = 12

Groups = list[tuple[str, list[tuple[str, str]]]]


def column_words(column: Column) -> str:
    """Return the name of a column for people: ``administered activity (MBq)``."""
    head, __, unit = column.name.rpartition("_")
    if head and unit in UNITS:
        return f"{COLUMN_WORDS[head]} ({_SHORT.get(unit, unit)})"
    return str(COLUMN_WORDS[column.name])


def targets() -> Groups:
    """Return the columns of the registry by their sheets, in the reader's language."""
    return [
        (
            _capital(str(SHEET_WORDS[sheet.name])),
            [
                (f"{sheet.name}.{column.name}", column_words(column))
                for column in sheet.columns
                if column.computed is None or column.name == "unit"
            ],
        )
        for sheet in SHEETS
    ]


def _capital(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"


def _of() -> Groups:
    return [
        (
            pgettext("columns", "Cycle"),
            [
                (str(number), pgettext("columns", "cycle {number}").format(number=number))
                for number in range(1, _MOST_CYCLES + 1)
            ],
        ),
        (
            pgettext("columns", "Laboratory value"),
            [(code, _(analyte.label)) for code, analyte in ANALYTES.items()],
        ),
    ]


_LAB_UNITS = list(dict.fromkeys(unit for analyte in ANALYTES.values() for unit in analyte.units))


def _units() -> Groups:
    known = {unit for units in UNITS.values() for unit in units}
    return [
        (pgettext("columns", "Units"), [(unit, unit) for units in UNITS.values() for unit in units]),
        (
            pgettext("columns", "Of laboratory values"),
            [(unit, unit) for unit in _LAB_UNITS if unit not in known],
        ),
    ]


_AS_COLUMN = gettext_lazy("As its column says")


class GroupedSelect(forms.Select):
    """A select of many options whose tags are made once for all the columns of a sheet."""

    def __init__(self, blank: str, groups: Groups) -> None:
        super().__init__(choices=[("", blank), *groups])
        self._before = [f'<option value="">{escape(blank)}</option>']
        self._tags: list[tuple[str, str]] = []
        for name, options in groups:
            self._tags.append(("", f'<optgroup label="{escape(name)}">'))
            self._tags += [(value, f">{escape(words)}</option>") for value, words in options]
            self._tags.append(("", "</optgroup>"))

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        html = list(self._before)
        for option, tag in self._tags:
            if not option:
                html.append(tag)
                continue
            selected = " selected" if option == value else ""
            html.append(f'<option value="{escape(option)}"{selected}{tag}')
        kept = {"name": name, **self.attrs, **(attrs or {})}
        attributes = mark_safe("".join(format_html(' {}="{}"', key, text) for key, text in kept.items()))  # noqa: S308
        return format_html("<select{}>{}</select>", attributes, mark_safe("".join(html)))  # noqa: S308 (escaped above)


def _grouped(label: str, blank: str, groups: Groups) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=[("", blank), *groups], widget=GroupedSelect(blank, groups)
    )


class UploadForm(forms.Form):
    """Which centre a file is for. The file itself is taken by ``exchange.upload``."""

    centre = forms.ModelChoiceField(Centre.objects.none(), label=gettext_lazy("Centre"))

    def __init__(self, *args: Any, user: User, **more: Any) -> None:
        super().__init__(*args, **more)
        centres = Centre.objects.visible_to(user, Act.IMPORT_FILES)
        field: Any = self.fields["centre"]
        field.queryset = centres
        if len(centres) == 1:
            field.initial = centres[0]
            field.widget = forms.HiddenInput()


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy(
            "Needed where the file corrects what the registry holds. It stands in the history of each record."
        ),
        required=False,
    )


class UndoForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Why is it undone?"), max_length=500)


class HeaderForm(forms.Form):
    """Which sheet is read, where its header stands, and by which saved mapping."""

    sheet = forms.TypedChoiceField(label=gettext_lazy("Sheet"), coerce=int)
    first = forms.IntegerField(label=gettext_lazy("Header: first row"), min_value=1, max_value=100)
    last = forms.IntegerField(label=gettext_lazy("Header: last row"), min_value=1, max_value=100)
    saved = forms.ModelChoiceField(
        ColumnMapping.objects.none(),
        label=gettext_lazy("Saved mapping"),
        required=False,
        empty_label=gettext_lazy("None: suggest by the names"),
    )

    def __init__(self, *args: Any, titles: Sequence[str], saved: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        sheet: Any = self.fields["sheet"]
        sheet.choices = list(enumerate(titles))
        kept: Any = self.fields["saved"]
        kept.queryset = saved


class MappingForm(forms.Form):
    """What each column of a sheet means, and what is stated of all its rows."""

    date_style = forms.ChoiceField(
        label=gettext_lazy("Dates in text"),
        required=False,
        help_text=gettext_lazy("Not stated: what could be two days is refused."),
        choices=[
            (DateStyle.UNSTATED, gettext_lazy("Not stated")),
            (DateStyle.DMY, gettext_lazy("Day first: 31.12.2019, 31/12/2019")),
            (DateStyle.MDY, gettext_lazy("Month first: 12/31/2019")),
            (DateStyle.ISO, gettext_lazy("Year first only: 2019-12-31")),
        ],
    )
    decimal_sign = forms.ChoiceField(
        label=gettext_lazy("Decimals in text"),
        required=False,
        help_text=gettext_lazy("Not stated: what could be two numbers is refused."),
        choices=[
            (DecimalSign.UNSTATED, gettext_lazy("Not stated")),
            (DecimalSign.COMMA, gettext_lazy("Behind a comma: 7,4")),
            (DecimalSign.POINT, gettext_lazy("Behind a point: 7.4")),
        ],
    )
    time_of_day = forms.CharField(
        label=gettext_lazy("Time of day"),
        required=False,
        max_length=5,
        help_text=gettext_lazy(
            "Local, such as 10:00, where a time is needed and a day stands alone. Blank: such rows are refused."
        ),
    )
    protocol = forms.ChoiceField(
        label=gettext_lazy("Protocol of new courses"),
        required=False,
        help_text=gettext_lazy("Needed where the file gives cycles of patients who have no course yet."),
    )
    course_number = forms.IntegerField(
        label=gettext_lazy("Course number"), min_value=1, max_value=9, initial=1
    )
    intent = forms.ChoiceField(label=gettext_lazy("Intent of new courses"), choices=Intent.choices)
    tumour_type = forms.ChoiceField(
        label=gettext_lazy("Tumour type"), required=False, choices=[("", _AS_COLUMN), *TumourType.choices]
    )
    contact_source = forms.ChoiceField(
        label=gettext_lazy("Source of contacts"),
        required=False,
        choices=[("", _AS_COLUMN), *ContactSource.choices],
    )
    death_cause = forms.ChoiceField(
        label=gettext_lazy("Cause of death"), required=False, choices=[("", _AS_COLUMN), *DeathCause.choices]
    )
    event_kind = forms.ChoiceField(
        label=gettext_lazy("Kind of disease events"),
        required=False,
        choices=[("", _AS_COLUMN), *DiseaseEventKind.choices],
    )
    save_as = forms.CharField(
        label=gettext_lazy("Keep this mapping as"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("A name for the next sheet of this kind. One of the same name is replaced."),
    )
    STATED_FIELDS = {
        "protocol": "courses.protocol",
        "course_number": "courses.course_number",
        "intent": "courses.intent",
        "tumour_type": "diagnoses.tumour_type",
        "contact_source": "contacts.source",
        "death_cause": "deaths.cause",
        "event_kind": "disease_events.kind",
    }

    def __init__(self, data: Any = None, *, mapping: SheetMapping) -> None:
        stated = STATED | dict(mapping.stated)
        initial: dict[str, Any] = {name: stated[key] for name, key in self.STATED_FIELDS.items()}
        initial |= {
            "date_style": mapping.reading.date_style.value,
            "decimal_sign": mapping.reading.decimal_sign.value,
            "time_of_day": mapping.reading.time_of_day,
        }
        super().__init__(data, initial=initial)
        self.mapping = mapping
        protocols: Any = self.fields["protocol"]
        known = [(f"{one.code} {one.version}", str(one)) for one in Protocol.objects.all()]
        protocols.choices = [("", pgettext("protocol", "None")), *known]
        means, of_which, units = targets(), _of(), _units()
        for column in mapping.columns:
            names = {"name": column.name}
            self.fields[f"target_{column.index}"] = _grouped(
                pgettext("columns", "{name} means").format(**names), _("Leave out"), means
            )
            self.fields[f"of_{column.index}"] = _grouped(
                pgettext("columns", "{name} is of").format(**names), "–", of_which
            )
            self.fields[f"unit_{column.index}"] = _grouped(
                pgettext("columns", "Unit of {name}").format(**names), "–", units
            )
            for kind in ("target", "of", "unit"):
                self.initial[f"{kind}_{column.index}"] = getattr(column, kind)

    def clean_time_of_day(self) -> str:
        text: str = self.cleaned_data["time_of_day"].strip()
        if text and not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text):
            raise ValidationError(_("Write a time such as 10:00."))
        return text.zfill(5) if text else ""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        for index, sentence in whats_missing(self.read()):
            self.add_error(None if index is None else f"target_{index}", sentence)
        return cleaned

    def read(self) -> SheetMapping:
        """Return the mapping that the form holds."""
        held = self.cleaned_data
        columns = tuple(
            MappedColumn(
                column.index,
                column.name,
                target := held[f"target_{column.index}"],
                held[f"of_{column.index}"] if target else "",
                held[f"unit_{column.index}"] if target else "",
            )
            for column in self.mapping.columns
        )
        return SheetMapping(
            sheet=self.mapping.sheet,
            first=self.mapping.first,
            last=self.mapping.last,
            columns=columns,
            reading=Reading(
                DateStyle(held["date_style"]), DecimalSign(held["decimal_sign"]), held["time_of_day"]
            ),
            stated={key: str(held[name]) for name, key in self.STATED_FIELDS.items()},
        )

    def column_rows(self, examples: Sequence[Sequence[str]]) -> Iterable[dict[str, Any]]:
        """Yield each column with its fields and the first things it holds."""
        for column in self.mapping.columns:
            yield {
                "column": column,
                "examples": examples[column.index] if column.index < len(examples) else [],
                "target": self[f"target_{column.index}"],
                "of": self[f"of_{column.index}"],
                "unit": self[f"unit_{column.index}"],
            }

    @property
    def reading_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("date_style", "decimal_sign", "time_of_day")]

    @property
    def stated_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.STATED_FIELDS]
