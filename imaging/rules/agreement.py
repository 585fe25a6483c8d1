"""Agreement of two readers on the same studies: Cohen's kappa, unweighted, with its limits.

Sources: Cohen, Educ Psychol Meas 1960;20:37-46; standard error by Fleiss, Cohen & Everitt, Psychol Bull 1969;72:323-327.
In words: docs/rules/agreement.md.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from statistics import NormalDist

from imaging.rules.best_response import RESPONSES
from languages.wording import gettext, gettext_noop


@dataclass(frozen=True)
class Agreement:
    """How two readers agree.

    Attributes:
        categories: in the order of the crosstable.
        crosstable: number of pairs, a row for each category of the first reader, a column for each of the second.
        n: pairs.
        observed, expected: share of pairs in agreement, and the share that chance alone would give; None without pairs.
        kappa: from -1 to 1; None where it is undefined.
        standard_error: None where kappa is.
        limits: of 95 %, within -1 and 1; None where they are undefined.
        why_undefined: why kappa or its limits are None, as a message; blank where both are there.
    """

    categories: tuple[str, ...]
    crosstable: tuple[tuple[int, ...], ...]
    n: int
    observed: float | None
    expected: float | None
    kappa: float | None
    standard_error: float | None
    limits: tuple[float, float] | None
    why_undefined: str

    @property
    def undefined(self) -> str:
        """Why kappa or its limits are None, as a sentence; blank where both are there."""
        return gettext(self.why_undefined)

    @property
    def n_agreed(self) -> int:
        return sum(row[index] for index, row in enumerate(self.crosstable))


def cohens_kappa(pairs: Iterable[tuple[str, str]], categories: Sequence[str] = RESPONSES) -> Agreement:
    """Return the agreement of pairs of (first reader, second reader).

    Raises:
        ValueError: a value that is not one of the categories.
    """
    counts = Counter(pairs)
    unknown = sorted({value for pair in counts for value in pair} - set(categories))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: expected one of {', '.join(categories)}")
    table = tuple(tuple(counts[first, second] for second in categories) for first in categories)
    return _agreement(tuple(categories), table)


def _agreement(categories: tuple[str, ...], table: tuple[tuple[int, ...], ...]) -> Agreement:
    n = sum(map(sum, table))
    if not n:
        why = gettext_noop("No study was read by two readers.")
        return Agreement(categories, table, 0, None, None, None, None, None, why)
    # Exact, so that an expected agreement of 1 is told from one that is close to it.
    p = [[Fraction(count, n) for count in row] for row in table]
    first = [sum(row) for row in p]
    second = [sum(column) for column in zip(*p, strict=True)]
    observed = sum(row[index] for index, row in enumerate(p))
    expected = sum(a * b for a, b in zip(first, second, strict=True))
    if expected == 1:
        why = gettext_noop(
            "Both readers gave the same response to every study: chance alone would agree as well."
        )
        return Agreement(categories, table, n, float(observed), 1.0, None, None, None, why)
    kappa = (observed - expected) / (1 - expected)
    error = sqrt(_variance(p, first, second, kappa, expected) / n)
    limits, why = None, ""
    if observed == 1:
        why = gettext_noop("The readers agree on every study: the standard error is 0 and gives no limits.")
    else:
        reach = NormalDist().inv_cdf(0.975) * error
        limits = max(-1.0, float(kappa) - reach), min(1.0, float(kappa) + reach)
    return Agreement(categories, table, n, float(observed), float(expected), float(kappa), error, limits, why)


def _variance(
    p: Sequence[Sequence[Fraction]],
    first: Sequence[Fraction | int],
    second: Sequence[Fraction | int],
    kappa: Fraction,
    expected: Fraction | int,
) -> Fraction:
    """Return n times the variance of kappa whatever the true one is, not under the hypothesis of none."""
    rest = 1 - kappa
    on = sum(p[i][i] * (1 - (first[i] + second[i]) * rest) ** 2 for i in range(len(p)))
    off = sum(p[i][j] * (second[i] + first[j]) ** 2 for i in range(len(p)) for j in range(len(p)) if i != j)
    return Fraction(on + rest**2 * off - (kappa - expected * rest) ** 2) / (1 - expected) ** 2
