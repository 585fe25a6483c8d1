"""What is worth a second look before an administration is recorded. Each warning can be confirmed with a reason.

Sources: the protocol (window, laboratory values, activity); the product label of lutetium (177Lu) oxodotreotide: long-acting
somatostatin analogues are stopped 4 weeks before, short-acting ones 24 hours. In words: docs/rules/administration-checks.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from treatments.rules.schedule import window_words
from treatments.rules.words import NBSP, interval

LONG_ACTING_DAYS = 28
SHORT_ACTING_HOURS = 24


@dataclass(frozen=True)
class Warned:
    """One warning: a stable code, and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class AnalogueFact:
    """A dose of a somatostatin analogue.

    Args:
        given_at: aware.
        given_on: the centre's local date of it.
        is_time_known: False where only the date is known.
    """

    drug: str
    is_long_acting: bool
    given_at: datetime
    given_on: date
    is_time_known: bool


def lacking_labs(
    *,
    required: Sequence[str],
    latest_on: Mapping[str, date],
    within_days: int,
    on: date,
    words: Mapping[str, str],
) -> list[str]:
    """Return the required laboratory values that are missing or too old on the day ``on``, in words with their day."""
    found = []
    for analyte in required:
        word = words.get(analyte, analyte)
        if analyte not in latest_on:
            found.append(word)
        elif (on - latest_on[analyte]).days > within_days:
            found.append(f"{word} (of {latest_on[analyte]})")
    return found


def lab_warnings(
    *,
    required: Sequence[str],
    latest_on: Mapping[str, date],
    within_days: int,
    on: date,
    words: Mapping[str, str],
) -> list[Warned]:
    """Return which required laboratory values are missing, and which are older than ``within_days`` on the day ``on``.

    Args:
        latest_on: analyte to the day of its latest sample up to ``on``.
        words: analyte to how it is called within a sentence.
    """
    missing = [analyte for analyte in required if analyte not in latest_on]
    old = [
        analyte
        for analyte in required
        if analyte in latest_on and (on - latest_on[analyte]).days > within_days
    ]
    found = []
    if missing:
        named = ", ".join(words.get(analyte, analyte) for analyte in missing)
        found.append(Warned("labs_missing", f"Not measured before this cycle: {named}."))
    if old:
        named = ", ".join(f"{words.get(analyte, analyte)} ({latest_on[analyte]})" for analyte in old)
        found.append(
            Warned("labs_old", f"Older than {interval(within_days)} on the day of the cycle: {named}.")
        )
    return found


def analogue_warnings(*, doses: Sequence[AnalogueFact], administered_at: datetime, on: date) -> list[Warned]:
    """Return which analogue doses came too close before an administration.

    Long-acting: fewer than 28 days before, counted in local dates. Short-acting: less than 24 hours before; of a dose whose
    time is not known, the same day or the day before.
    """
    found = []
    for dose in sorted(doses, key=lambda dose: dose.given_at):
        if dose.is_long_acting:
            days = (on - dose.given_on).days
            if 0 <= days < LONG_ACTING_DAYS and (dose.given_at <= administered_at or not dose.is_time_known):
                found.append(
                    Warned(
                        "analogue_long_acting",
                        f"{dose.drug} was given on {dose.given_on}, {interval(days) if days else 'the same day'}"
                        f"{' before' if days else ''}; the label asks for 4{NBSP}weeks.",
                    )
                )
        else:
            before = administered_at - dose.given_at
            if dose.is_time_known:
                is_near = timedelta(0) <= before < timedelta(hours=SHORT_ACTING_HOURS)
            else:
                is_near = 0 <= (on - dose.given_on).days <= 1
            if is_near:
                found.append(
                    Warned(
                        "analogue_short_acting",
                        f"{dose.drug} was given on {dose.given_on}, within 24{NBSP}h of the infusion by the label.",
                    )
                )
    return found


def activity_warnings(
    *, before_mbq: Decimal, this_mbq: Decimal, limit_mbq: Decimal, lot: str, lots: Mapping[str, int]
) -> list[Warned]:
    """Return whether the course's activity passes the protocol's, and whether the patient was given this lot before.

    Args:
        before_mbq: given in the course's other cycles.
        lots: lot, case folded, to a number of a cycle of the patient that was given from it.
    """
    found = []
    total_mbq = before_mbq + this_mbq
    if total_mbq > limit_mbq:
        found.append(
            Warned(
                "cumulative_activity",
                f"With it {total_mbq:,.1f}{NBSP}MBq are given in this course; the protocol has {limit_mbq:,.1f}{NBSP}MBq.",
            )
        )
    if lot and lot.casefold() in lots:
        found.append(
            Warned(
                "same_lot",
                f"Lot {lot} was given to this patient before, in cycle {lots[lot.casefold()]}: is it another vial?",
            )
        )
    return found


def dose_warnings(
    *, sums_gy: Mapping[str, Decimal], limits_gy: Mapping[str, Decimal | None], source: str
) -> list[Warned]:
    """Return which organs have reached the limit of their absorbed dose over all cycles known.

    Args:
        sums_gy: organ in words to its sum, Gy.
    """
    found = []
    for organ, limit_gy in limits_gy.items():
        sum_gy = sums_gy.get(organ)
        if limit_gy is not None and sum_gy is not None and sum_gy >= limit_gy:
            found.append(
                Warned(
                    "absorbed_dose",
                    f"{organ}: {sum_gy.normalize():f}{NBSP}Gy so far, the limit is {limit_gy.normalize():f}{NBSP}Gy"
                    + (f" ({source})." if source else "."),
                )
            )
    return found


def window_warnings(
    *, on: date, planned_on: date | None, window_days: int, protocol_on: date | None = None
) -> list[Warned]:
    """Return whether a cycle is given outside its window, or too early by the protocol whatever day was set by hand.

    Args:
        protocol_on: one interval after the last cycle given; None before the first.
    """
    if planned_on is not None:
        words = window_words(given_on=on, planned_on=planned_on, window_days=window_days)
        if words:
            return [Warned("outside_window", f"Given {words}.")]
    if protocol_on is not None and protocol_on != planned_on:
        words = window_words(given_on=on, planned_on=protocol_on, window_days=window_days)
        if " early" in words:
            return [Warned("outside_window", f"Given {words}, by the interval of the protocol.")]
    return []


def prescription_warnings(*, prescribed_mbq: Decimal | None, expected_mbq: Decimal) -> list[Warned]:
    """Return whether another activity is prescribed than was decided for the cycle, or than the protocol has."""
    if prescribed_mbq is None or prescribed_mbq == expected_mbq:
        return []
    return [
        Warned(
            "prescription",
            f"{prescribed_mbq:,.1f}{NBSP}MBq is prescribed here; the plan of this cycle has {expected_mbq:,.1f}{NBSP}MBq.",
        )
    ]
