"""What is worth a second look before an administration is recorded. Each warning can be confirmed with a reason.

Sources: the protocol (window, laboratory values, activity); the product label of lutetium (177Lu) oxodotreotide: long-acting
somatostatin analogues are stopped 4 weeks before, short-acting ones 24 hours. In words: docs/rules/administration-checks.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from languages.wording import day
from languages.wording import gettext as _
from treatments.rules.schedule import due_state, window_words
from treatments.rules.words import NBSP, interval, written

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
            found.append(_("{analyte} (of {on})").format(analyte=word, on=day(latest_on[analyte])))
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
        message = _("Not measured before this cycle: {analytes}.").format(analytes=named)
        found.append(Warned("labs_missing", message))
    if old:
        named = ", ".join(f"{words.get(analyte, analyte)} ({day(latest_on[analyte])})" for analyte in old)
        message = _("Older than {interval} on the day of the cycle: {analytes}.")
        found.append(Warned("labs_old", message.format(interval=interval(within_days), analytes=named)))
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
                message = (
                    _("{drug} was given on {on}, {interval} before; the label asks for {asked}.")
                    if days
                    else _("{drug} was given on {on}, the same day; the label asks for {asked}.")
                )
                said = message.format(
                    drug=dose.drug,
                    on=day(dose.given_on),
                    interval=interval(days),
                    asked=interval(LONG_ACTING_DAYS),
                )
                found.append(Warned("analogue_long_acting", said))
        else:
            before = administered_at - dose.given_at
            if dose.is_time_known:
                is_near = timedelta(0) <= before < timedelta(hours=SHORT_ACTING_HOURS)
            else:
                is_near = 0 <= (on - dose.given_on).days <= 1
            if is_near:
                said = _("{drug} was given on {on}, within {asked} of the infusion by the label.").format(
                    drug=dose.drug, on=day(dose.given_on), asked=f"{SHORT_ACTING_HOURS}{NBSP}h"
                )
                found.append(Warned("analogue_short_acting", said))
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
        message = _("With it {total} are given in this course; the protocol has {limit}.")
        found.append(
            Warned("cumulative_activity", message.format(total=_mbq(total_mbq), limit=_mbq(limit_mbq)))
        )
    if lot and lot.casefold() in lots:
        message = _("Lot {lot} was given to this patient before, in cycle {number}: is it another vial?")
        found.append(Warned("same_lot", message.format(lot=lot, number=lots[lot.casefold()])))
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
            message = (
                _("{organ}: {sum} so far, the limit is {limit} ({source}).")
                if source
                else _("{organ}: {sum} so far, the limit is {limit}.")
            )
            said = message.format(organ=organ, sum=_gy(sum_gy), limit=_gy(limit_gy), source=source)
            found.append(Warned("absorbed_dose", said))
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
            return [Warned("outside_window", _("Given {words}.").format(words=words))]
    if (
        protocol_on is not None
        and protocol_on != planned_on
        and due_state(planned_on=protocol_on, window_days=window_days, today=on) == "upcoming"
    ):
        words = window_words(given_on=on, planned_on=protocol_on, window_days=window_days)
        message = _("Given {words}, by the interval of the protocol.")
        return [Warned("outside_window", message.format(words=words))]
    return []


def prescription_warnings(*, prescribed_mbq: Decimal | None, expected_mbq: Decimal) -> list[Warned]:
    """Return whether another activity is prescribed than was decided for the cycle, or than the protocol has."""
    if prescribed_mbq is None or prescribed_mbq == expected_mbq:
        return []
    message = _("{prescribed} is prescribed here; the plan of this cycle has {expected}.")
    said = message.format(prescribed=_mbq(prescribed_mbq), expected=_mbq(expected_mbq))
    return [Warned("prescription", said)]


def _mbq(activity_mbq: Decimal) -> str:
    return f"{written(f'{activity_mbq:,.1f}')}{NBSP}MBq"


def _gy(dose_gy: Decimal) -> str:
    return f"{written(f'{dose_gy.normalize():f}')}{NBSP}Gy"
