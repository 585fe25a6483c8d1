"""Rates n / N of the best overall responses (``imaging.rules.best_response``) with their exact interval.

Source: Clopper & Pearson, Biometrika 1934;26:404-413. In words: docs/rules/response.md.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from imaging.rules.best_response import (
    OBJECTIVE_RESPONSES,
    RESPONSE_RANK,
    RESPONSES,
    Assessment,
    best_overall_response,
)

__all__ = [
    "OBJECTIVE_RESPONSES",
    "RESPONSES",
    "RESPONSE_RANK",
    "Assessment",
    "Rate",
    "best_overall_response",
    "clopper_pearson",
    "rate",
    "wilson",
]


@dataclass(frozen=True)
class Rate:
    """A share n / of with its Clopper-Pearson interval at 95 %; rate and limits are None when ``of`` is 0."""

    n: int
    of: int
    rate: float | None
    ci95: tuple[float, float] | tuple[None, None]


def rate(n: int, of: int) -> Rate:
    """Return n / of with its 95 % interval.

    Raises:
        ValueError: n is negative or above ``of``.
    """
    return Rate(n=n, of=of, ci95=clopper_pearson(n, of), rate=n / of if of else None)


def clopper_pearson(n: int, of: int, confidence: float = 0.95) -> tuple[float, float] | tuple[None, None]:
    """Return the exact (Clopper-Pearson) limits of a binomial share, as R's ``binom.test(n, of)$conf.int``.

    The lower limit is exactly 0 at n = 0, the upper exactly 1 at n = of: there the tail that would bound it
    is empty. The other limit stays two-sided (a tail of (1 - confidence) / 2), as in R.

    Returns:
        (lower, upper) in [0, 1]; (None, None) when ``of`` is 0.

    Raises:
        ValueError: n is negative or above ``of``, or the confidence is not between 0 and 1.
    """
    if not 0 <= n <= of:
        raise ValueError(f"{n} of {of}: expected 0 <= n <= of")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence!r}: expected a number between 0 and 1, such as 0.95")
    if of == 0:
        return (None, None)
    # Imported here: the endpoint definition, which imports this module, is read by pages that never compute
    # an interval, and scipy takes most of a second to load.
    from scipy.special import betainccinv, betaincinv

    tail = (1 - confidence) / 2
    lower = 0.0 if n == 0 else float(betaincinv(n, of - n + 1, tail))
    upper = 1.0 if n == of else float(betainccinv(n + 1, of - n, tail))
    return (lower, upper)


def wilson(n: int, of: int) -> tuple[float, float] | tuple[None, None]:
    """Return the 95 % score limits of a binomial share, as R's ``prop.test(n, of, correct = FALSE)$conf.int``.

    Source: Wilson, J Am Stat Assoc 1927;22:209-212.

    Returns:
        (lower, upper) in [0, 1]; (None, None) when ``of`` is 0.

    Raises:
        ValueError: n is negative or above ``of``.
    """
    if not 0 <= n <= of:
        raise ValueError(f"{n} of {of}: expected 0 <= n <= of")
    if of == 0:
        return (None, None)
    z = NormalDist().inv_cdf(0.975)
    middle = n + z * z / 2
    reach = z * math.sqrt(n * (of - n) / of + z * z / 4)
    lower = 0.0 if n == 0 else (middle - reach) / (of + z * z)
    upper = 1.0 if n == of else (middle + reach) / (of + z * z)
    return (lower, upper)
