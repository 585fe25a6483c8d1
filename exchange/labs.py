"""Laboratory values of a cohort file: from the unit a file is written in to the one that is stored."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

from exchange.values import EXPECTED
from languages.wording import gettext_noop
from treatments.models.laboratory import MOST_LAB_VALUE
from treatments.rules.labs import (
    ANALYTES,
    Analyte,
    find_unit,
    parse_value,
    plausibility,
    to_canonical,
    with_unit,
)

_CONVERTED = ("value", "lower_limit", "upper_limit")


@lru_cache(maxsize=1_000)
def _known_unit(unit: str, code: str) -> str:
    return find_unit(unit, analyte=ANALYTES[code])


def _converted(value: Decimal, analyte: Analyte, unit: str) -> Decimal:
    # What is in the analyte's own unit was read with at most the decimals that are stored.
    return value if unit == analyte.unit else to_canonical(value, analyte=analyte, unit=unit)


class NotConverted(ValueError):
    """A cell of a laboratory value cannot be.

    Attributes:
        column: which one; the message says what was expected of it.
    """

    def __init__(self, column: str, expected: str) -> None:
        super().__init__(expected)
        self.column = column


def convert(values: dict[str, Any]) -> str:
    """Bring value and limits of a row into the unit of the analyte, in place; ``unit`` becomes that unit.

    Args:
        values: column name to value; a value or limit of None is left as it is.

    Returns:
        Why the value is unlikely; blank where it is not.

    Raises:
        NotConverted: an unknown unit, an impossible value or limit.
    """
    analyte = ANALYTES[values["analyte"]]
    try:
        unit = _known_unit(values.get("unit") or analyte.unit, analyte.code)
    except ValueError as error:
        raise NotConverted(
            "unit",
            gettext_noop("expected one of {units}, or nothing for {unit}").format(
                units=", ".join(analyte.units), unit=analyte.unit
            ),
        ) from error
    for name in _CONVERTED:
        if values.get(name) is not None:
            values[name] = _converted(values[name], analyte, unit)
    values["unit"] = analyte.unit
    for name in ("lower_limit", "upper_limit"):
        if values.get(name) is not None and values[name] > MOST_LAB_VALUE:
            raise NotConverted(
                name,
                EXPECTED.format(
                    what=gettext_noop("at most {most}").format(
                        most=with_unit(f"{MOST_LAB_VALUE:,}", analyte.unit)
                    )
                ),
            )
    if values["value"] is None:
        return ""
    try:
        return plausibility(values["value"], analyte)
    except ValueError as error:
        raise NotConverted("value", str(error).rstrip(".")) from error


def contradicted_original(values: dict[str, Any]) -> str:
    """Return what is wrong where a changed value is no longer what was first written; blank where nothing is.

    Args:
        values: a converted row. What cannot be read of its original is left as it is.
    """
    analyte = ANALYTES[values["analyte"]]
    try:
        unit = _known_unit(values.get("original_unit") or analyte.unit, analyte.code)
        original = _converted(parse_value(values.get("original_value") or ""), analyte, unit)
    except ValueError:
        return ""
    if original == values["value"]:
        return ""
    return gettext_noop(
        "is {value}, not the value of this row: correct it, or leave original_value and original_unit blank"
    ).format(value=f"{original.normalize():f} {analyte.unit}")
