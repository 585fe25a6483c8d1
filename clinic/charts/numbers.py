"""Numbers and days as the reader writes them, in the figures and tables of one patient; axes of figures likewise."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from languages.wording import day, number, pgettext


def plain(value: Decimal, decimals: int | None = None) -> str:
    """Return a number without needless zeros, rounded to ``decimals`` digits after the point where they are given."""
    return number(Decimal(exact(value, decimals)))


def exact(value: Decimal, decimals: int | None = None) -> str:
    """Return the same with a point, as programs read it."""
    if decimals is not None:
        value = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(value: Decimal) -> str:
    """Return a change with its sign to a tenth, such as ``+0.4`` or ``−2.1``."""
    rounded = value.quantize(Decimal("0.1"), ROUND_HALF_UP)
    sign = "\N{MINUS SIGN}" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{number(abs(rounded))}"


def moment(at: datetime) -> str:
    """Return a day with its time to the minute, by the clock that ``at`` is in."""
    return f"{day(at)} {at:%H:%M}"


def axis_days() -> str:
    """Return how an axis writes its days."""
    return pgettext("days of an axis (d3-time-format)", "%Y-%m-%d")


def axis_locale() -> dict[str, Any]:
    """Return how an axis writes its numbers, as a piece of the configuration of a figure; empty in English."""
    sign = number(Decimal("0.5"), 1)[1]
    if sign == ".":
        return {}
    return {"locale": {"number": {"decimal": sign, "thousands": ".", "grouping": [3], "currency": ["", ""]}}}
