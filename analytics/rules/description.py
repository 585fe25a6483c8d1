"""Table 1: numbers and categories described, and compared between strata, from counts per value.

The yardsticks are R's ``mean``, ``sd``, ``quantile(type = 7)``, ``t.test``, ``oneway.test``, ``kruskal.test``,
``chisq.test`` and ``fisher.test``. Sums are taken in whole numbers and fractions, so that no result hangs on the
order of patients. In words: docs/rules/description.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from analytics.rules import sentences
from analytics.rules.comparison import chi_squared
from analytics.rules.survival import Refused
from languages.wording import gettext, number

Number = int | float | Decimal | Fraction
Categories = Mapping[str, int]

# Below this expected count the chi-squared distribution is a poor guide: Cochran, Biometrics 1954;10:417-451.
EXPECTED_COUNT = 5


@dataclass(frozen=True)
class NumericSummary:
    """A numeric variable described; each number is the exact one, rounded once to a float.

    Args:
        n, missing: patients with and without a value; they add up to all.
        mean: None where n is 0, as are the others.
        sd: standard deviation with n - 1; None where n is below 2.
        q1, median, q3: quartiles, between two values in proportion (R's type 7).
        minimum, maximum: range.
    """

    n: int
    missing: int
    mean: float | None
    sd: float | None
    q1: float | None
    median: float | None
    q3: float | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class GroupTest:
    """A test between strata.

    Args:
        name: of the test, for people.
        statistic: None for Fisher's test, which has none.
        df: degrees of freedom, as many as the test has.
        p: two-sided.
        note: what to bear in mind; "" when nothing.
    """

    name: str
    statistic: float | None
    df: tuple[float, ...]
    p: float
    note: str = ""


@dataclass(frozen=True)
class Steps:
    """Values as whole numbers of 1 / ``unit``, distinct and ascending, with the patients who have each."""

    values: tuple[int, ...]
    counts: tuple[int, ...]
    unit: int
    n: int

    @property
    def mean(self) -> Fraction:
        total = sum(value * count for value, count in zip(self.values, self.counts, strict=True))
        return Fraction(total, self.n * self.unit)

    @property
    def variance(self) -> Fraction:
        total = sum(value * count for value, count in zip(self.values, self.counts, strict=True))
        squares = sum(value * value * count for value, count in zip(self.values, self.counts, strict=True))
        return Fraction(self.n * squares - total * total, self.n * (self.n - 1) * self.unit**2)

    def quantile(self, p: Fraction) -> Fraction:
        place = (self.n - 1) * p
        below = math.floor(place)
        upto = np.cumsum(self.counts)
        first, second = (
            self.values[int(np.searchsorted(upto, rank, side="right"))]
            for rank in (below, min(below + 1, self.n - 1))
        )
        return (first + (place - below) * (second - first)) / Fraction(self.unit)


Values = Mapping[Number, int] | Steps


def in_steps(values: Sequence[int], counts: Sequence[int], unit: int) -> Steps:
    """Return values that are counted in whole steps of 1 / ``unit``: distinct and ascending, at least one patient each."""
    return Steps(values=tuple(values), counts=tuple(counts), unit=unit, n=sum(counts))


def _exact(counts: Values) -> Steps:
    if isinstance(counts, Steps):
        return counts
    fractions: dict[Fraction, int] = {}
    for value, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"{count!r} patients with {value}: expected a whole number, 0 or more")
        if not math.isfinite(value):
            raise ValueError(f"value {value}: expected a finite number, missing values are counted apart")
        if count:
            fraction = Fraction(value)
            fractions[fraction] = fractions.get(fraction, 0) + count
    unit = math.lcm(*(fraction.denominator for fraction in fractions))
    whole = sorted((int(fraction * unit), count) for fraction, count in fractions.items())
    return Steps(
        values=tuple(value for value, _ in whole),
        counts=tuple(count for _, count in whole),
        unit=unit,
        n=sum(count for _, count in whole),
    )


def summary(counts: Values, missing: int = 0) -> NumericSummary:
    """Describe a numeric variable from the number of patients per value.

    Raises:
        ValueError: a value that is not finite, a count that is negative or no whole number.
    """
    if missing < 0:
        raise ValueError(f"{missing} missing: expected 0 or more")
    exact = _exact(counts)
    if not exact.n:
        return NumericSummary(0, missing, None, None, None, None, None, None, None)
    q1, median, q3 = (float(exact.quantile(Fraction(k, 4))) for k in (1, 2, 3))
    return NumericSummary(
        n=exact.n,
        missing=missing,
        mean=float(exact.mean),
        sd=_root(exact.variance) if exact.n > 1 else None,
        q1=q1,
        median=median,
        q3=q3,
        minimum=float(Fraction(exact.values[0], exact.unit)),
        maximum=float(Fraction(exact.values[-1], exact.unit)),
    )


def _root(square: Fraction) -> float:
    return math.sqrt(float(square))


def _groups(groups: Mapping[str, Values]) -> dict[str, Steps]:
    """Return the strata with any value."""
    exact = {name: _exact(counts) for name, counts in groups.items()}
    return {name: values for name, values in exact.items() if values.n}


def welch(groups: Mapping[str, Values]) -> GroupTest | Refused:
    """Compare means without assuming equal variances: R's ``t.test(y ~ g)``, or ``oneway.test(y ~ g)`` beyond two.

    Source: Welch, Biometrika 1951;38:330-336. Strata without a value are left out.
    """
    from scipy.special import fdtrc, stdtr

    exact = _groups(groups)
    if len(exact) < 2:
        return Refused(gettext(sentences.STRATA_WITH_VALUES).format(n=len(exact)))
    for name, values in exact.items():
        if values.n < 2:
            return Refused(gettext(sentences.ONE_VALUE).format(name=name))
    n = [values.n for values in exact.values()]
    means = [values.mean for values in exact.values()]
    errors = [values.variance / values.n for values in exact.values()]
    if len(exact) == 2:
        if not any(errors):
            return Refused(gettext(sentences.NO_SPREAD))
        error = errors[0] + errors[1]
        t = float(means[0] - means[1]) / _root(error)
        df = float(error**2 / sum(part**2 / (k - 1) for part, k in zip(errors, n, strict=True)))
        return GroupTest(gettext(sentences.WELCH_T), t, (df,), float(2 * stdtr(df, -abs(t))))
    for name, part in zip(exact, errors, strict=True):
        if not part:
            return Refused(gettext(sentences.SAME_VALUES_IN).format(name=name))
    k = len(n)
    weights = [1 / float(part) for part in errors]
    total = math.fsum(weights)
    # From the first mean, so that no digits are lost where means are large and close together.
    shifted = [float(mean - means[0]) for mean in means]
    centre = math.fsum(w * m for w, m in zip(weights, shifted, strict=True)) / total
    spread = sum((1 - w / total) ** 2 / (size - 1) for w, size in zip(weights, n, strict=True)) / (k * k - 1)
    between = math.fsum(w * (m - centre) ** 2 for w, m in zip(weights, shifted, strict=True))
    f = between / ((k - 1) * (1 + 2 * (k - 2) * spread))
    df_within = 1 / (3 * spread)
    return GroupTest(gettext(sentences.WELCH_ANOVA), f, (k - 1, df_within), float(fdtrc(k - 1, df_within, f)))


def rank_test(groups: Mapping[str, Values]) -> GroupTest | Refused:
    """Compare ranks with ties in the middle: R's ``kruskal.test(y ~ g)``.

    Of two strata it is Wilcoxon's rank-sum test in its normal approximation without continuity correction:
    ``wilcox.test(y ~ g, exact = FALSE, correct = FALSE)``. Strata without a value are left out.
    """
    exact = _groups(groups)
    if len(exact) < 2:
        return Refused(gettext(sentences.STRATA_WITH_VALUES).format(n=len(exact)))
    unit = math.lcm(*(values.unit for values in exact.values()))
    tied: dict[int, int] = {}
    for values in exact.values():
        scale = unit // values.unit
        for value, count in zip(values.values, values.counts, strict=True):
            tied[value * scale] = tied.get(value * scale, 0) + count
    if len(tied) < 2:
        return Refused(gettext(sentences.SAME_VALUES))
    twice_rank, before = {}, 0
    for at in sorted(tied):
        twice_rank[at] = 2 * before + tied[at] + 1
        before += tied[at]
    n = before
    squares = Fraction(0)
    for values in exact.values():
        scale = unit // values.unit
        twice_sum = sum(
            twice_rank[value * scale] * count
            for value, count in zip(values.values, values.counts, strict=True)
        )
        squares += Fraction(twice_sum * twice_sum, 4 * values.n)
    ties = Fraction(sum(count**3 - count for count in tied.values()), n**3 - n)
    h = float((12 * squares / (n * (n + 1)) - 3 * (n + 1)) / (1 - ties))
    test = chi_squared(h, len(exact) - 1)
    name = gettext(sentences.WILCOXON) if len(exact) == 2 else gettext(sentences.KRUSKAL_WALLIS)
    return GroupTest(name, test.chi2, (test.df,), test.p)


def _table(groups: Mapping[str, Categories]) -> list[list[int]] | Refused:
    """Return categories in rows and strata in columns, without those nobody is in."""
    categories = list(dict.fromkeys(category for counts in groups.values() for category in counts))
    for name, counts in groups.items():
        for category, count in counts.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"{count!r} patients {category!r} in {name}: expected a whole number, 0 or more"
                )
    columns = [counts for counts in groups.values() if any(counts.values())]
    rows = [[counts.get(category, 0) for counts in columns] for category in categories]
    rows = [row for row in rows if any(row)]
    if len(columns) < 2:
        return Refused(gettext(sentences.STRATA_WITH_PATIENTS).format(n=len(columns)))
    if len(rows) < 2:
        return Refused(gettext(sentences.SAME_CATEGORY))
    return rows


def _smallest_expected(rows: Sequence[Sequence[int]]) -> Fraction:
    columns = [sum(column) for column in zip(*rows, strict=True)]
    return Fraction(min(sum(row) for row in rows) * min(columns), sum(columns))


def pearson(groups: Mapping[str, Categories]) -> GroupTest | Refused:
    """Compare the shares of categories: R's ``chisq.test(table, correct = FALSE)``.

    Args:
        groups: per stratum, patients per category. Strata and categories without patients are left out.
    """
    rows = _table(groups)
    if isinstance(rows, Refused):
        return rows
    columns = [sum(column) for column in zip(*rows, strict=True)]
    n = sum(columns)
    statistic = Fraction(0)
    for row in rows:
        for observed, column in zip(row, columns, strict=True):
            expected = Fraction(sum(row) * column, n)
            statistic += (observed - expected) ** 2 / expected
    test = chi_squared(float(statistic), (len(rows) - 1) * (len(columns) - 1))
    smallest = _smallest_expected(rows)
    note = (
        gettext(sentences.SMALL_EXPECTED).format(
            smallest=number(Decimal(f"{float(smallest):.1f}")), least=EXPECTED_COUNT
        )
        if smallest < EXPECTED_COUNT
        else ""
    )
    return GroupTest(gettext(sentences.CHI_SQUARED), test.chi2, (test.df,), test.p, note)


def fisher(groups: Mapping[str, Categories]) -> GroupTest | Refused:
    """Compare two shares exactly: R's ``fisher.test(table)`` of two categories in two strata."""
    rows = _table(groups)
    if isinstance(rows, Refused):
        return rows
    if len(rows) != 2 or len(rows[0]) != 2:
        return Refused(gettext(sentences.NOT_TWO_IN_TWO).format(n=len(rows), n_strata=len(rows[0])))
    # Imported here: it takes a second to load.
    from scipy.stats import fisher_exact

    return GroupTest(gettext(sentences.FISHER), None, (), float(fisher_exact(rows).pvalue))


def categories_test(groups: Mapping[str, Categories]) -> GroupTest | Refused:
    """Compare the shares of categories: Fisher's test of two in two where an expected count is below 5, else Pearson's.

    Larger tables with small expected counts are tested by Pearson's chi-squared with a note: scipy's exact test of
    them draws random tables, so that the p-value would change from one look to the next.
    """
    rows = _table(groups)
    if isinstance(rows, Refused):
        return rows
    if len(rows) == len(rows[0]) == 2 and _smallest_expected(rows) < EXPECTED_COUNT:
        return fisher(groups)
    return pearson(groups)
