"""Who a patient was when a course began: age, tumour, performance status and earlier therapies, as known by a cut-off.

In words: docs/rules/endpoints.md.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

PRRT = "prrt"  # among the kinds of earlier therapies


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is recorded of a patient before a course; all days are local centre dates.

    Args:
        birth_date: None: not known.
        diagnosed_on: None: not known; what the diagnosis says counts then whatever the cut-off.
        tumour_type, primary_site, who_grade, functional_syndrome: codes; "" without a diagnosis.
        ki67_percent: percent.
        scanned_on: day of the baseline scan, with the SUVmax of its hottest lesion (g/mL) and its Krenning score.
        performance: day and ECOG score of each assessment of performance status.
        prior_therapies: kind and first known day of each earlier therapy; None: before the first administration,
            since it was recorded without a day.
    """

    birth_date: date | None = None
    diagnosed_on: date | None = None
    tumour_type: str = ""
    primary_site: str = ""
    who_grade: str = ""
    functional_syndrome: str = ""
    ki67_percent: Decimal | None = None
    scanned_on: date | None = None
    suv_max: Decimal | None = None
    krenning_score: int | None = None
    performance: tuple[tuple[date, int], ...] = ()
    prior_therapies: tuple[tuple[str, date | None], ...] = ()


@dataclass(slots=True)
class Described:
    """The baseline as analyses know it; "" and None: not known."""

    age_years: int | None
    tumour_type: str
    primary_site: str
    who_grade: str
    ki67_percent: Decimal | None
    functional_syndrome: str
    ecog: int | None
    prior_therapies: list[str]
    suv_max: Decimal | None
    krenning_score: int | None


def describe(baseline: Baseline, *, started_on: date | None, cutoff: date) -> Described:
    """Return what is known by the cut-off of the time before the first administration.

    Performance status: the last on or before the first administration, of one day the worst. Earlier therapies: the
    kinds begun before it. Where nothing was given, what is known by the cut-off. A scan after the first administration
    is no baseline.

    Args:
        started_on: first administration; None: nothing was given by the cut-off.

    Raises:
        ValueError: the patient was born after the first administration.
    """
    until = cutoff if started_on is None else started_on
    is_diagnosed = baseline.diagnosed_on is None or baseline.diagnosed_on <= cutoff
    is_scanned = baseline.scanned_on is not None and baseline.scanned_on <= until
    ecog = None
    if baseline.performance:
        ecog = max((item for item in baseline.performance if item[0] <= until), default=(None, None))[1]
    kinds: list[str] = []
    if baseline.prior_therapies:
        kinds = sorted(
            {
                kind
                for kind, begun_on in baseline.prior_therapies
                if begun_on is None or (begun_on <= cutoff if started_on is None else begun_on < started_on)
            }
        )
    age = None
    if started_on is not None and baseline.birth_date is not None:
        age = completed_years(baseline.birth_date, started_on)
    return Described(
        age,
        baseline.tumour_type if is_diagnosed else "",
        baseline.primary_site if is_diagnosed else "",
        baseline.who_grade if is_diagnosed else "",
        baseline.ki67_percent if is_diagnosed else None,
        baseline.functional_syndrome if is_diagnosed else "",
        ecog,
        kinds,
        baseline.suv_max if is_scanned else None,
        baseline.krenning_score if is_scanned else None,
    )


def completed_years(birth_date: date, on: date) -> int:
    """Return the age in completed years; who was born on 29 February is a year older on 1 March of other years.

    Raises:
        ValueError: the day lies before the birth.
    """
    if on < birth_date:
        raise ValueError(f"born on {birth_date}: expected on or before {on}")
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))
