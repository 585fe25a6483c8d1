"""Best overall response of one course, and rates n / N with their exact interval.

Sources: RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247, section 4.3) for the responses;
Clopper & Pearson, Biometrika 1934;26:404-413 for the interval. In words: docs/rules/response.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

# Best first. SD and NON_CR_NON_PD are one rank: the same finding with and without target lesions.
RESPONSE_RANK = {"CR": 0, "PR": 1, "SD": 2, "NON_CR_NON_PD": 2, "PD": 3, "NE": 4}
RESPONSES = tuple(RESPONSE_RANK)
OBJECTIVE_RESPONSES = frozenset({"CR", "PR"})


@dataclass(frozen=True)
class Assessment:
    """One overall response after baseline; the baseline scan itself is not an assessment.

    Args:
        on: day of the scan (not of the report), local centre date.
        response: one of ``RESPONSES``.

    Raises:
        ValueError: an unknown response.
    """

    on: date
    response: str

    def __post_init__(self) -> None:
        if self.response not in RESPONSE_RANK:
            expected = ", ".join(RESPONSES)
            raise ValueError(f"overall response {self.response!r} on {self.on}: expected one of {expected}")

    @property
    def is_adequate(self) -> bool:
        """Whether the response could be told, so that the patient is known to be progression-free or not."""
        return self.response != "NE"


def best_overall_response(assessments: Sequence[Assessment], *, until: date) -> str | None:
    """Return the best overall response up to and including the day ``until``, cut at the first PD.

    After the first PD nothing counts, and on its own day PD alone does, whatever else was read that day.
    No confirmation by a second scan is asked for.

    Args:
        assessments: in any order.
        until: the data cut-off, or the day of first progression on another basis.

    Returns:
        A code of ``RESPONSES``; between SD and NON_CR_NON_PD the earlier; None when there is no assessment.
    """
    counted = [assessment for assessment in assessments if assessment.on <= until]
    first_pd_on = min((a.on for a in counted if a.response == "PD"), default=date.max)
    counted = [a for a in counted if a.on < first_pd_on or (a.on == first_pd_on and a.response == "PD")]
    if not counted:
        return None
    # The code comes last so that the answer never depends on the order of the input.
    return min(counted, key=lambda a: (RESPONSE_RANK[a.response], a.on, a.response)).response


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
