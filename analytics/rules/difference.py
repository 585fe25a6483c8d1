"""The difference of two rates of different patients, with its limits.

Source: Newcombe, Stat Med 1998;17:873-890, method 10: the hybrid of Wilson's score limits of the two rates, without
continuity correction.
"""

import math
from dataclasses import dataclass

from analytics.rules.response import wilson


@dataclass(frozen=True)
class Difference:
    """The first rate less the second, with 95 % limits, in [-1, 1]."""

    difference: float
    lower: float
    upper: float


def difference_of_rates(n: int, of: int, other_n: int, other_of: int) -> Difference | None:
    """Return n / of less other_n / other_of with Newcombe's 95 % limits; None where either is of nobody.

    Raises:
        ValueError: more responses than patients.
    """
    first, second = wilson(n, of), wilson(other_n, other_of)
    if first[0] is None or first[1] is None or second[0] is None or second[1] is None:
        return None
    rate, other = n / of, other_n / other_of
    below = math.hypot(rate - first[0], second[1] - other)
    above = math.hypot(first[1] - rate, other - second[0])
    return Difference(rate - other, rate - other - below, rate - other + above)
