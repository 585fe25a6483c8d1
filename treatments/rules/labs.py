"""Laboratory values: what they are called, in which units they come, and which values can be.

Factors: creatinine 88.4 µmol/L, bilirubin 17.104 µmol/L per mg/dL; haemoglobin 16.114 g/L per mmol/L; 1 µkat/L is 60 U/L.
The ranges are the registry's own: wide enough for ill people, narrow enough that a wrong unit falls outside. In words:
docs/rules/laboratory.md.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from types import MappingProxyType

from languages.wording import gettext as _
from languages.wording import gettext_noop
from treatments.rules.words import written


@dataclass(frozen=True)
class Analyte:
    """One kind of laboratory value.

    Args:
        code: stable, as stored.
        name: as a nurse reads it in English; ``label`` in the reader's language.
        unit: canonical, the unit of what is stored and of the four limits.
        units: unit as commonly written to its factor: value × factor is in ``unit``. Holds ``unit`` itself.
        least_possible, most_possible: what lies outside is refused; the limits themselves are accepted.
        least_likely, most_likely: what lies outside is accepted with a remark.
        synonyms: other names, matched without regard to case, spaces and hyphens.
        decimals: digits after the point, for display alone.
    """

    code: str
    name: str
    unit: str
    units: Mapping[str, Decimal] = field(hash=False)
    least_possible: Decimal
    most_possible: Decimal
    least_likely: Decimal
    most_likely: Decimal
    synonyms: tuple[str, ...] = ()
    decimals: int = 0

    @property
    def label(self) -> str:
        """As a nurse reads it."""
        return _(self.name)


def with_unit(value: Decimal | str, unit: str) -> str:
    """Return "92 ×10⁹/L" or "7.4 g/L": a power of ten needs its sign, a per cent its space."""
    said = value if isinstance(value, str) else written(str(value))
    return f"{said} {'×' if unit[:1].isdigit() else ''}{unit}"


_COUNT_UNITS = {
    "10⁹/L": "1",
    "G/L": "1",
    "Gpt/L": "1",
    "10³/µL": "1",
    "10³/mm³": "1",
    "10⁶/mL": "1",
    "K/µL": "1",
    "Tsd/µL": "1",
    "/nL": "1",
    "10⁶/L": "0.001",
    "/µL": "0.001",
    "/mm³": "0.001",
}
_ENZYME_UNITS = {"U/L": "1", "IU/L": "1", "µkat/L": "60"}


def _analyte(
    code: str,
    name: str,
    units: Mapping[str, str],
    possible: tuple[str, str],
    likely: tuple[str, str],
    synonyms: tuple[str, ...],
    decimals: int = 0,
) -> Analyte:
    """Return the analyte whose canonical unit is the first of ``units``."""
    return Analyte(
        code=code,
        name=name,
        unit=next(iter(units)),
        units=MappingProxyType({unit: Decimal(factor) for unit, factor in units.items()}),
        least_possible=Decimal(possible[0]),
        most_possible=Decimal(possible[1]),
        least_likely=Decimal(likely[0]),
        most_likely=Decimal(likely[1]),
        synonyms=synonyms,
        decimals=decimals,
    )


def _by_code(analytes: Iterable[Analyte]) -> Mapping[str, Analyte]:
    return MappingProxyType({analyte.code: analyte for analyte in analytes})


ANALYTES = _by_code(
    [
        _analyte(
            "platelets",
            gettext_noop("Platelets"),
            _COUNT_UNITS,
            possible=("0", "3000"),
            likely=("20", "1000"),
            synonyms=("PLT", "Platelet", "Platelet count", "Thrombocytes", "Thrombozyten", "Thrombos"),
        ),
        _analyte(
            "haemoglobin",
            gettext_noop("Haemoglobin"),
            {"g/L": "1", "g/dL": "10", "mmol/L": "16.114"},
            possible=("10", "260"),
            likely=("50", "200"),
            synonyms=("Hb", "Hgb", "Hemoglobin", "Hämoglobin"),
        ),
        _analyte(
            "neutrophils",
            gettext_noop("Neutrophils"),
            _COUNT_UNITS,
            possible=("0", "200"),
            likely=("0.3", "30"),
            synonyms=(
                "ANC",
                "NEUT",
                "Neutrophil",
                "Neutrophil count",
                "Absolute neutrophil count",
                "Neutrophils abs",
                "Neutrophile",
                "Granulocytes",
            ),
            decimals=2,
        ),
        _analyte(
            "lymphocytes",
            gettext_noop("Lymphocytes"),
            _COUNT_UNITS,
            possible=("0", "500"),
            likely=("0.1", "10"),
            synonyms=(
                "ALC",
                "LYM",
                "LYMPH",
                "Lymphocyte",
                "Lymphocyte count",
                "Absolute lymphocyte count",
                "Lymphocytes abs",
                "Lymphozyten",
            ),
            decimals=2,
        ),
        _analyte(
            "leucocytes",
            gettext_noop("Leucocytes"),
            _COUNT_UNITS,
            possible=("0", "1000"),
            likely=("0.5", "50"),
            synonyms=(
                "WBC",
                "WCC",
                "Leukocytes",
                "White blood cells",
                "White blood cell count",
                "White cell count",
                "Leukozyten",
                "Leukos",
            ),
            decimals=2,
        ),
        _analyte(
            "creatinine",
            gettext_noop("Creatinine"),
            {"µmol/L": "1", "mg/dL": "88.4"},
            possible=("5", "3000"),
            likely=("25", "500"),
            synonyms=("Crea", "Creat", "Krea", "Kreatinin", "Serum creatinine"),
        ),
        _analyte(
            "alt",
            gettext_noop("ALT"),
            _ENZYME_UNITS,
            possible=("0", "20000"),
            likely=("3", "1000"),
            synonyms=("ALAT", "GPT", "SGPT", "Alanine aminotransferase"),
        ),
        _analyte(
            "ast",
            gettext_noop("AST"),
            _ENZYME_UNITS,
            possible=("0", "20000"),
            likely=("3", "1000"),
            synonyms=("ASAT", "GOT", "SGOT", "Aspartate aminotransferase"),
        ),
        _analyte(
            "alp",
            gettext_noop("ALP"),
            _ENZYME_UNITS,
            possible=("0", "10000"),
            likely=("15", "2000"),
            synonyms=("AP", "ALKP", "Alk phos", "Alkaline phosphatase", "Alkalische Phosphatase"),
        ),
        _analyte(
            "ggt",
            gettext_noop("GGT"),
            _ENZYME_UNITS,
            possible=("0", "10000"),
            likely=("4", "3000"),
            synonyms=("Gamma-GT", "γ-GT", "GGTP", "Gamma-glutamyltransferase", "Gamma-glutamyl transferase"),
        ),
        _analyte(
            "bilirubin",
            gettext_noop("Bilirubin"),
            {"µmol/L": "1", "mg/dL": "17.104"},
            possible=("0", "1500"),
            likely=("2", "300"),
            synonyms=("Bili", "TBIL", "Total bilirubin", "Bilirubin total", "Bilirubin gesamt"),
            decimals=1,
        ),
        _analyte(
            "albumin",
            gettext_noop("Albumin"),
            {"g/L": "1", "g/dL": "10"},
            possible=("5", "80"),
            likely=("15", "60"),
            synonyms=("Alb", "Serum albumin"),
            decimals=1,
        ),
        _analyte(
            "prothrombin_ratio",
            gettext_noop("Prothrombin ratio (Quick)"),
            {"%": "1"},
            possible=("1", "200"),
            likely=("10", "150"),
            synonyms=("Quick", "Prothrombin ratio", "Quick value", "Quick-Wert", "TPZ"),
        ),
        _analyte(
            "body_weight",
            gettext_noop("Body weight"),
            {"kg": "1", "g": "0.001", "lb": "0.45359237"},
            possible=("20", "350"),
            likely=("35", "180"),
            synonyms=("Weight", "Gewicht", "Körpergewicht"),
            decimals=1,
        ),
    ]
)

# The stored column has 4 digits after the point. Only haemoglobin in mmol/L, bilirubin in mg/dL and lb can need more.
_STORED = Decimal("0.0001")
_EXACT = Context(prec=60)


def _name_key(text: str) -> str:
    # Brackets and % stay: "Neutrophils (%)" is not "Neutrophils".
    return re.sub(r"[\s_.\-‐–]", "", unicodedata.normalize("NFKC", text).casefold())


def _unit_key(unit: str) -> str:
    """Return what two spellings of one unit have in common.

    µ (U+00B5), μ (U+03BC) and u are one sign, so are ⁹, ^9, *9 and e9 after a 10; spaces and case do not matter. Within
    the units of one analyte no two that differ fall together.
    """
    # NFKC makes μ of µ and 9 of ⁹.
    folded = unicodedata.normalize("NFKC", unit).casefold().replace("μ", "u")
    folded = re.sub(r"[\s^*·×.]", "", folded)
    folded = re.sub(r"^x(?=10)", "", folded)
    folded = re.sub(r"^10e(?=\d)", "10", folded)
    return re.sub(r"^(cells?|zellen|1)(?=/)", "", folded)


_CODE_BY_NAME = {
    _name_key(name): analyte.code
    for analyte in ANALYTES.values()
    for name in (analyte.code, analyte.name, *analyte.synonyms)
}
_UNIT_BY_KEY = {code: {_unit_key(unit): unit for unit in analyte.units} for code, analyte in ANALYTES.items()}


def find_analyte(text: str) -> Analyte:
    """Return the analyte of a code, label or synonym; a unit in brackets behind it is looked at and left out.

    Raises:
        ValueError: a name or a unit that is not known.
    """
    return parse_heading(text)[0]


def parse_heading(text: str) -> tuple[Analyte, str]:
    """Return the analyte and the unit of a column heading such as "Hb (g/dL)" or "Creatinine [mg/dL]".

    Returns:
        The unit as spelled in ``Analyte.units``; the canonical one when the heading names none. A second name in
        brackets, "ALT (GPT)", is no unit.

    Raises:
        ValueError: a name or a unit that is not known.
    """
    analyte = _named(text)
    if analyte:
        return analyte, analyte.unit
    bracketed = re.fullmatch(r"(.+?)\s*[(\[]([^()\[\]]*)[)\]]\s*", text.strip())
    plain = re.fullmatch(r"(.+?)(?:\s+in|\s*,)?\s+(\S+)", text.strip())
    if bracketed and (analyte := _named(bracketed[1])):
        if _named(bracketed[2]) is analyte:
            return analyte, analyte.unit
        return analyte, find_unit(bracketed[2], analyte=analyte)
    # Without brackets the last word is a unit only when it is a known one: "creatinine clearance" is another value.
    if plain and (analyte := _named(plain[1])) and _unit_key(plain[2]) in _UNIT_BY_KEY[analyte.code]:
        return analyte, find_unit(plain[2], analyte=analyte)
    known = ", ".join(analyte.label for analyte in ANALYTES.values())
    message = _("{name} is not a laboratory value known here. Known are: {known}.")
    raise ValueError(message.format(name=repr(text), known=known))


def _named(text: str) -> Analyte | None:
    code = _CODE_BY_NAME.get(_name_key(text))
    return ANALYTES[code] if code else None


def find_unit(unit: str, *, analyte: Analyte) -> str:
    """Return a unit as spelled in ``Analyte.units``.

    Raises:
        ValueError: not a unit of this analyte; the message lists those that are.
    """
    found = _UNIT_BY_KEY[analyte.code].get(_unit_key(unit))
    if found is None:
        message = _("{analyte} is given in {units}, not in {unit}.")
        raise ValueError(
            message.format(analyte=analyte.label, units=", ".join(analyte.units), unit=repr(unit))
        )
    return found


def to_canonical(value: Decimal, *, analyte: Analyte, unit: str) -> Decimal:
    """Return the value in the analyte's canonical unit.

    The product is exact. Only when it has more than 4 digits after the point, the most that are stored, is it rounded
    to 4, half up.

    Raises:
        ValueError: not a number, or not a unit of this analyte.
    """
    if not value.is_finite():
        raise ValueError(
            _("{analyte} needs a number, not {value}.").format(analyte=analyte.label, value=value)
        )
    canonical = _EXACT.multiply(value, analyte.units[find_unit(unit, analyte=analyte)])
    exponent = canonical.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -4:
        return canonical.quantize(_STORED, rounding=ROUND_HALF_UP, context=_EXACT)
    return canonical


def parse_value(text: str) -> Decimal:
    """Return the number somebody wrote, with a point or a comma before its decimals.

    "1,234" is refused: it may be 1.234 or 1234, and no programme can tell.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    typed = text.strip().replace("\N{MINUS SIGN}", "-")
    if typed[:1] in {"<", ">", "≤", "≥"}:
        message = _("{text} is a limit of measurement; a number is needed.")
        raise ValueError(message.format(text=repr(text.strip())))
    if re.fullmatch(r"-?[0-9]+,[0-9]{3}", typed):
        message = _("{text} can be read in two ways: write {one} or {other}.")
        raise ValueError(
            message.format(text=repr(text.strip()), one=typed.replace(",", "."), other=typed.replace(",", ""))
        )
    if not re.fullmatch(r"-?([0-9]+([.,][0-9]+)?|\.[0-9]+)", typed) or len(typed) > 30:
        message = _("{text} is not a number: write digits and at most one decimal point, as in 7.4.")
        raise ValueError(message.format(text=repr(text.strip()[:40])))
    return Decimal(typed.replace(",", "."))


def plausibility(value: Decimal, analyte: Analyte) -> str:
    """Return a sentence about an unlikely value, "" for a likely one.

    Args:
        value: in the canonical unit.

    Raises:
        ValueError: a value that cannot be; the message names the accepted range.
    """
    if not value.is_finite() or not analyte.least_possible <= value <= analyte.most_possible:
        message = _("{analyte}: {value} cannot be. Accepted: {accepted}. Check the unit.")
        accepted = _range(analyte.least_possible, analyte.most_possible, analyte.unit)
        raise ValueError(
            message.format(analyte=analyte.label, value=with_unit(value, analyte.unit), accepted=accepted)
        )
    if analyte.least_likely <= value <= analyte.most_likely:
        return ""
    message = _("{analyte}: {value} is unlikely (usual: {usual}). Check the value and its unit.")
    return message.format(
        analyte=analyte.label,
        value=with_unit(value, analyte.unit),
        usual=_range(analyte.least_likely, analyte.most_likely, analyte.unit),
    )


def _range(least: Decimal, most: Decimal, unit: str) -> str:
    said = _("{least} to {most}").format(least=written(str(least)), most=written(str(most)))
    return with_unit(said, unit)
