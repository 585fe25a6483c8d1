"""CTCAE v5.0 grades of laboratory values.

Source: NCI Common Terminology Criteria for Adverse Events v5.0 (27 November 2017), Investigations, Blood and lymphatic
system disorders, Metabolism and nutrition disorders. In words, with the table: docs/rules/ctcae.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

from languages.wording import gettext as _
from treatments.rules.labs import ANALYTES
from treatments.rules.words import written

VERSIONS = ("5.0",)

TERMS_OF_ANALYTES: Mapping[str, str] = MappingProxyType(
    {
        "platelets": "Platelet count decreased",
        "haemoglobin": "Anemia",
        "neutrophils": "Neutrophil count decreased",
        "lymphocytes": "Lymphocyte count decreased",
        "leucocytes": "White blood cell decreased",
        "creatinine": "Creatinine increased",
        "alt": "Alanine aminotransferase increased",
        "ast": "Aspartate aminotransferase increased",
        "alp": "Alkaline phosphatase increased",
        "ggt": "GGT increased",
        "bilirubin": "Blood bilirubin increased",
        "albumin": "Hypoalbuminemia",
    }
)


@dataclass(frozen=True)
class _Multiples:
    """Grades as multiples of the upper limit of normal or, when the baseline was abnormal, of the baseline.

    Args:
        of_limit: a value above so many times the limit has at least grade 1, 2, 3, 4.
        first_of_baseline: grade 1 begins at so many times an abnormal baseline; grades 2 to 4 as in ``of_limit``.
        includes_first: whether that multiple itself has grade 1 ("1.5 - 3.0 x baseline") or not ("> 1.0 - 1.5 x").
    """

    of_limit: tuple[Decimal, ...]
    first_of_baseline: Decimal
    includes_first: bool


# In the canonical unit of the analyte: a value below has at least grade 2, 3, 4; below the lower limit of normal it has
# grade 1. Grade 4 of anaemia and of hypoalbuminaemia is a clinical finding, not a number.
_BELOW: Mapping[str, tuple[Decimal, ...]] = {
    "platelets": (Decimal(75), Decimal(50), Decimal(25)),
    "haemoglobin": (Decimal(100), Decimal(80)),
    "neutrophils": (Decimal("1.5"), Decimal("1.0"), Decimal("0.5")),
    "lymphocytes": (Decimal("0.8"), Decimal("0.5"), Decimal("0.2")),
    "leucocytes": (Decimal(3), Decimal(2), Decimal(1)),
    "albumin": (Decimal(30), Decimal(20)),
}


def cut_below(analyte: str, grade: int) -> Decimal | None:
    """Return the value, in the analyte's unit, below which it has at least ``grade`` (2 to 4); None where there is none."""
    cuts = _BELOW[analyte]
    return cuts[grade - 2] if grade - 2 < len(cuts) else None


_TRANSAMINASE = _Multiples(
    of_limit=(Decimal(1), Decimal(3), Decimal(5), Decimal(20)),
    first_of_baseline=Decimal("1.5"),
    includes_first=True,
)
_CHOLESTATIC = _Multiples(
    of_limit=(Decimal(1), Decimal("2.5"), Decimal(5), Decimal(20)),
    first_of_baseline=Decimal("2.0"),
    includes_first=True,
)
_ABOVE: Mapping[str, _Multiples] = {
    "alt": _TRANSAMINASE,
    "ast": _TRANSAMINASE,
    "alp": _CHOLESTATIC,
    "ggt": _CHOLESTATIC,
    "bilirubin": _Multiples(
        of_limit=(Decimal(1), Decimal("1.5"), Decimal(3), Decimal(10)),
        first_of_baseline=Decimal("1.0"),
        includes_first=False,
    ),
}
_CREATININE_OF_LIMIT = (Decimal(1), Decimal("1.5"), Decimal(3), Decimal(6))  # grades 1 to 4
_CREATININE_OF_BASELINE = ((2, Decimal("1.5")), (3, Decimal(3)))  # grade, multiple of any baseline

_EXACT = Context(prec=60)

_Side = Literal["below", "above", "from"]  # value < cut, value > cut, value >= cut


@dataclass(frozen=True)
class Scale:
    """The number line from 0 in pieces, each with one grade.

    Args:
        cuts: strictly ascending. They divide the line into 2 n + 1 pieces: what lies below the first cut, the first cut
            itself, what lies between it and the second, and so on. There can be no gap and no overlap.
        grades: one for each piece; None where the grade cannot be told.
    """

    cuts: tuple[Decimal, ...]
    grades: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if len(self.grades) != 2 * len(self.cuts) + 1:
            raise ValueError(
                f"{len(self.cuts)} cuts need {2 * len(self.cuts) + 1} grades, not {len(self.grades)}."
            )
        if any(cut >= following for cut, following in pairwise(self.cuts)):
            raise ValueError(f"Cuts must ascend: {', '.join(map(str, self.cuts))}.")

    def grade(self, value: Decimal) -> int | None:
        """Return the grade of a value, 0 to 4; None where it cannot be told.

        Raises:
            ValueError: the value is negative or not a number.
        """
        if not value.is_finite() or value < 0:
            raise ValueError(_("A laboratory value cannot be {value}.").format(value=written(str(value))))
        return self.grades[bisect_left(self.cuts, value) + bisect_right(self.cuts, value)]


@dataclass(frozen=True)
class Grade:
    """A grade, or why there is none.

    Args:
        grade: 0 to 4; None when it cannot be told.
        reason: a sentence when ``grade`` is None, else "".
    """

    grade: int | None
    reason: str


def scale_of(
    analyte: str,
    *,
    lower_limit: Decimal | None = None,
    upper_limit: Decimal | None = None,
    baseline: Decimal | None = None,
    baseline_is_abnormal: bool | None = None,
    version: str = "5.0",
) -> Scale | None:
    """Return the scale on which values of an analyte are graded. All values are in the analyte's canonical unit.

    Args:
        analyte: a code of ``labs.ANALYTES``.
        lower_limit, upper_limit: the reporting laboratory's limits of normal.
        baseline: the value before treatment.
        baseline_is_abnormal: whether the baseline was above the upper limit of its own laboratory. None: it was, if it
            is above ``upper_limit``.

    Returns:
        None when CTCAE has no term for the analyte, or when what it is graded by is missing. Without its lower limit a
        count still has a scale; there the grade of what is not below the first absolute cut is None.

    Raises:
        ValueError: an unknown version; a limit or baseline that cannot be.
    """
    if version not in VERSIONS:
        raise ValueError(f"CTCAE {version} is not known here, only {', '.join(VERSIONS)}.")
    return _scale_of(analyte, lower_limit, upper_limit, baseline, baseline_is_abnormal)


# A cohort has a few laboratories with the same limits for thousands of values.
@lru_cache(maxsize=4096)
def _scale_of(
    analyte: str,
    lower_limit: Decimal | None,
    upper_limit: Decimal | None,
    baseline: Decimal | None,
    baseline_is_abnormal: bool | None,
) -> Scale | None:
    if analyte in _BELOW:
        return _scale_below(_BELOW[analyte], _checked(lower_limit, "lower limit of normal"))
    upper_limit = _checked(upper_limit, "upper limit of normal", must_be_above_0=True)
    baseline = _checked(baseline, "baseline", must_be_above_0=True)
    if analyte == "creatinine":
        return _creatinine_scale(upper_limit, baseline)
    if analyte in _ABOVE:
        multiples = _ABOVE[analyte]
        if _is_abnormal(baseline, baseline_is_abnormal, upper_limit):
            return _scale_of_abnormal_baseline(multiples, baseline)
        return _scale_of_normal_baseline(multiples, upper_limit)
    return None


def grade(
    analyte: str,
    value: Decimal,
    *,
    lower_limit: Decimal | None = None,
    upper_limit: Decimal | None = None,
    baseline: Decimal | None = None,
    baseline_is_abnormal: bool | None = None,
    version: str = "5.0",
) -> Grade:
    """Return the grade of one value, or why it has none. Arguments as in ``scale_of``.

    Raises:
        ValueError: a value, limit or baseline that cannot be; an unknown version.
    """
    scale = scale_of(
        analyte,
        lower_limit=lower_limit,
        upper_limit=upper_limit,
        baseline=baseline,
        baseline_is_abnormal=baseline_is_abnormal,
        version=version,
    )
    found = None if scale is None else scale.grade(value)
    if found is not None:
        return Grade(found, "")
    label = ANALYTES[analyte].label if analyte in ANALYTES else analyte
    if scale is None:
        if analyte not in TERMS_OF_ANALYTES:
            message = _("CTCAE {version} has no term for this value ({analyte}).")
            return Grade(None, message.format(version=version, analyte=label))
        if analyte in _ABOVE and baseline_is_abnormal:
            message = _("{analyte} needs the baseline value, since the baseline was abnormal.")
            return Grade(None, message.format(analyte=label))
        return Grade(None, _("{analyte} needs the upper limit of normal.").format(analyte=label))
    return Grade(None, _("{analyte} needs the lower limit of normal.").format(analyte=label))


def grade_all(values: Sequence[Decimal], scale: Scale) -> list[int | None]:
    """Return the grade of every value, in order; as ``Scale.grade``, but fit for millions.

    Raises:
        ValueError: a value is negative or not a number.
    """
    if not values:
        return []
    # Comparing with NaN raises InvalidOperation, an ArithmeticError; a NaN cannot hide from min().
    try:
        lowest, highest = min(values), max(values)
    except ArithmeticError as error:
        raise ValueError(_("A laboratory value is not a number.")) from error
    for value in (lowest, highest):
        scale.grade(value)

    cuts, grades = scale.cuts, scale.grades
    at, below, above = grades[1::2], grades[:-1:2], grades[2::2]
    # One search is enough when every cut has the grade of its neighbours on the same side, as all but the scales of an
    # abnormal baseline have.
    if at == above:
        between = grades[::2]
        return [between[bisect_right(cuts, value)] for value in values]
    if at == below:
        between = grades[::2]
        return [between[bisect_left(cuts, value)] for value in values]
    return [grades[bisect_left(cuts, value) + bisect_right(cuts, value)] for value in values]


def _checked(limit: Decimal | None, name: str, *, must_be_above_0: bool = False) -> Decimal | None:
    if limit is not None and (not limit.is_finite() or limit < 0 or (must_be_above_0 and limit == 0)):
        raise ValueError(f"The {name} cannot be {limit}.")
    return limit


def _is_abnormal(baseline: Decimal | None, stated: bool | None, upper_limit: Decimal | None) -> bool:
    if stated is not None:
        return stated
    return baseline is not None and upper_limit is not None and baseline > upper_limit


def _scale_below(absolute: tuple[Decimal, ...], lower_limit: Decimal | None) -> Scale:
    reaches: list[tuple[int, _Side, Decimal]] = [
        (grade, "below", cut) for grade, cut in enumerate(absolute, start=2)
    ]
    if lower_limit is None:
        return _scale(reaches, otherwise=None)
    return _scale([(1, "below", lower_limit), *reaches], otherwise=0)


def _scale_of_normal_baseline(multiples: _Multiples, upper_limit: Decimal | None) -> Scale | None:
    if upper_limit is None:
        return None
    return _scale(
        [
            (grade, "above", _EXACT.multiply(multiple, upper_limit))
            for grade, multiple in enumerate(multiples.of_limit, start=1)
        ],
        otherwise=0,
    )


def _scale_of_abnormal_baseline(multiples: _Multiples, baseline: Decimal | None) -> Scale | None:
    if baseline is None:
        return None
    side: _Side = "from" if multiples.includes_first else "above"
    first = (1, side, _EXACT.multiply(multiples.first_of_baseline, baseline))
    further: list[tuple[int, _Side, Decimal]] = [
        (grade, "above", _EXACT.multiply(multiple, baseline))
        for grade, multiple in enumerate(multiples.of_limit[1:], start=2)
    ]
    return _scale([first, *further], otherwise=0)


def _creatinine_scale(upper_limit: Decimal | None, baseline: Decimal | None) -> Scale | None:
    if upper_limit is None:
        return None
    reaches: list[tuple[int, _Side, Decimal]] = [
        (grade, "above", _EXACT.multiply(multiple, upper_limit))
        for grade, multiple in enumerate(_CREATININE_OF_LIMIT, start=1)
    ]
    if baseline is not None:
        reaches += [
            (grade, "above", _EXACT.multiply(multiple, baseline))
            for grade, multiple in _CREATININE_OF_BASELINE
        ]
    return _scale(reaches, otherwise=0)


def _scale(reaches: Sequence[tuple[int, _Side, Decimal]], *, otherwise: int | None) -> Scale:
    """Return the scale on which a value has the highest grade whose cut it passes.

    So an absolute cut wins over a lower limit of normal that lies beneath it, and of the two counts of creatinine the
    higher one holds.

    Args:
        reaches: grade, side and cut: the grade holds, at least, for what lies on that side of the cut.
        otherwise: the grade of what passes none.
    """
    cuts = tuple(sorted({cut for _, _, cut in reaches}))
    grades = [otherwise] * (2 * len(cuts) + 1)
    for reached, side, cut in sorted(reaches):  # ascending, so that the highest is written last
        at = 2 * cuts.index(cut) + 1
        pieces = {"below": range(at), "above": range(at + 1, len(grades)), "from": range(at, len(grades))}[
            side
        ]
        for piece in pieces:
            grades[piece] = reached
    return Scale(cuts, tuple(grades))
