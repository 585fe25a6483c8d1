"""One way to write values as text, whatever machine, time zone or database version: what hashes are made of."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def dumps(value: Any) -> str:
    """Return JSON with sorted keys, without blanks, ASCII; decimals as text without trailing zeros, dates as ISO 8601.

    Raises:
        TypeError: a value of another kind; a moment in time too, since its text would hang on a time zone.
        ValueError: a number that is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_text)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r}: expected JSON values, decimals and dates")


def decimal_text(value: Decimal) -> str:
    """Return 12 for 12.0 and 0.5 for 0.50: a column that gets another scale changes no hash."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
