"""Numbers and days as people type them in the language of the page, and as they are shown to be typed again.

What could be read in two ways is refused and never guessed: 7.400 is seven and a half thousand to one reader and 7.4 to the
other. Forms, the laboratory grid and the lesion grid all read here.
"""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.functional import lazy
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from languages import wording
from treatments.rules.lab_tables import with_dashes

ISO_PATTERN = r"\d{4}-?\d{2}-?\d{2}[ T]\d{2}:\d{2}(:\d{2})?"
# As the reader writes a moment, with the number or the name of the month; or as ISO_PATTERN.
GERMAN_PATTERN = (
    r"(\d{4}-?\d{2}-?\d{2}|\d{1,2}\.\s?\d{1,2}\.\s?\d{4}|\d{1,2}\.?\s?[A-Za-zä]{3,9}\.?\s\d{4})"
    r"[ T]\d{1,2}:\d{2}(:\d{2})?"
)
GERMAN_LENGTH = 28  # 14. September 2019 09:30:00
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jan jänner jän january",
            "februar feb feber february",
            "märz mär mrz maerz march mar",
            "april apr",
            "mai may",
            "juni jun june",
            "juli jul july",
            "august aug",
            "september sep sept",
            "oktober okt october oct",
            "november nov",
            "dezember dez december dec",
        ),
        start=1,
    )
    for name in names.split()
}


def is_german() -> bool:
    return (get_language() or "").startswith("de")


def has_decimal_comma() -> bool:
    return bool(formats.get_format("DECIMAL_SEPARATOR") == ",")


# Numbers


def refuse_thousands(text: str) -> None:
    """Refuse a number whose sign may part thousands in the reader's language.

    Raises:
        ValidationError: ``thousands``, with what to write instead.
    """
    decimal, other = (",", ".") if has_decimal_comma() else (".", ",")
    if not re.search(rf"\d{re.escape(other)}\d{{3}}(?!\d)", text):
        return
    written = text.strip()
    if other == "." and re.match(r"[+-]?0\.", written):
        return  # no thousands begin with a nought
    if re.fullmatch(rf"[+-]?\d+{re.escape(other)}\d{{3}}", written):
        raise ValidationError(
            _("“{typed}” can be read in two ways: write {whole} or {parted}.").format(
                typed=written, whole=written.replace(other, ""), parted=written.replace(other, decimal)
            ),
            code="thousands",
        )
    raise ValidationError(
        _("“{typed}” can be read in several ways: write digits and at most one decimal sign.").format(
            typed=written[:40]
        ),
        code="thousands",
    )


def plain_number(text: str) -> str:
    """Return a typed number with a point before its decimals; what is none comes back as it is.

    Raises:
        ValidationError: ``thousands``, as ``refuse_thousands``.
    """
    refuse_thousands(text)
    if re.fullmatch(r"\s*[+\-\N{MINUS SIGN}]?\d+,\d+\s*", text):
        return text.replace(",", ".")
    return text


def trimmed(value: Decimal) -> Decimal:
    """Return a number without noughts at its end, and never with an exponent: 92 and not 92.0000 or 9.2E+1."""
    text = f"{value:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def number_shown(value: Decimal) -> str:
    """Return a number without noughts at its end, with the reader's decimal sign."""
    return wording.number(trimmed(value))


def with_reader_sign(text: str) -> str:
    """Return a text that holds numbers with their decimal points as the reader writes them, such as ``12,5+9``."""
    return re.sub(r"(?<=\d)\.(?=\d)", ",", text) if has_decimal_comma() else text


def plain_numbers(text: str) -> str:
    """Return a text such as ``12,5+9`` with points in its numbers.

    Raises:
        ValidationError: ``thousands``, as ``refuse_thousands``.
    """
    for part in text.split("+"):
        refuse_thousands(part.strip().removesuffix("mm").strip())
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


class NumberInput(forms.NumberInput):
    """A field for a number. With decimal commas it is one of text: browsers take none in the other."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if has_decimal_comma():
            widget = context["widget"]
            widget["type"] = "text"
            kept = {key: one for key, one in widget["attrs"].items() if key not in {"step", "min", "max"}}
            widget["attrs"] = {"inputmode": "decimal", "autocomplete": "off"} | kept
        return context

    def format_value(self, value: Any) -> str | None:
        return shown_again(value, super().format_value)


class NumberText(forms.TextInput):
    """A number in a field of text, in every language."""

    def format_value(self, value: Any) -> str | None:
        return shown_again(value, super().format_value)


def shown_again(value: Any, otherwise: Callable[[Any], str | None]) -> str | None:
    """Return what stands in a field: a stored number with the reader's sign; what was typed as it was typed."""
    if isinstance(value, Decimal | float) and has_decimal_comma():
        return wording.number(value)
    return otherwise(value)


class NumberField(forms.DecimalField):
    """A number with a decimal point or comma; where that may part thousands it is refused."""

    widget: type[forms.Widget] = NumberInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = plain_number(value)
        return super().to_python(value)


class WholeNumberField(forms.IntegerField):
    """A whole number; one with a sign that may part thousands is refused, though only noughts follow it."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            refuse_thousands(value)
        return super().to_python(value)


# Days


def iso_days(text: str) -> str:
    """Return a text with its days as YYYY-MM-DD where the reader writes 04.03.2019; in English it stays as it is."""
    if not is_german():
        return text
    return re.sub(
        r"(?<![\d.])(\d{1,2})\.[ ]?(\d{1,2})\.[ ]?(\d{4})(?![\d.])",
        lambda found: f"{found[3]}-{int(found[2]):02d}-{int(found[1]):02d}",
        text,
    )


def iso_day(text: str) -> str:
    """Return a typed day, with or without a time, beginning with YYYY-MM-DD; what is none comes back as it is."""
    text = with_dashes(text)
    if not is_german():
        return text
    named = re.match(r"\s*(\d{1,2})\.?\s*([^\W\d_]{3,9})\.?\s+(\d{4})(?!\d)", text)
    if named and (month := _MONTHS.get(named[2].casefold())):
        return f"{named[3]}-{month:02d}-{int(named[1]):02d}{text[named.end() :]}"
    return iso_days(text)


class DayInput(forms.DateInput):
    """A field of text for a day: browsers show their own in the order of their language, 01/07 or 07/01."""

    def format_value(self, value: Any) -> str | None:
        return formats.localize_input(value, "%d.%m.%Y" if is_german() else "%Y-%m-%d")


class MomentInput(forms.DateTimeInput):
    """A field of text for a day and a time."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if is_german():
            context["widget"]["attrs"] |= {"pattern": GERMAN_PATTERN, "maxlength": GERMAN_LENGTH}
        return context

    def format_value(self, value: Any) -> str | None:
        return formats.localize_input(value, "%d.%m.%Y %H:%M" if is_german() else "%Y-%m-%d %H:%M")


class DayField(forms.DateField):
    """A day as the reader writes it or as YYYY-MM-DD; its eight digits alone are as unambiguous, and sooner typed."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(iso_day(value) if isinstance(value, str) else value)


class MomentField(forms.DateTimeField):
    """A day and a time; the day as in ``DayField``."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(iso_day(value) if isinstance(value, str) else value)


# Words


def told(make: Callable[[], str]) -> str:
    """Return a sentence that is made whenever it is read, in the language of who reads it."""
    return lazy(make, str)()


def moment(at: datetime) -> str:
    """Return a day and a time as the reader writes them, by the clock of the value's own zone."""
    return formats.date_format(at, "DATETIME_FORMAT")
