"""The numbers behind each figure, worked out from a cohort's result (the ``results`` contract of the API).

Plain Python: figures, their CSV and their words for screen readers all read the numbers from here, so that they
cannot disagree. Nothing is estimated here; the survival table comes from ``analytics.rules``.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from typing import Any, Literal

from languages.wording import Words, day, gettext_noop, ngettext, number, within
from languages.wording import gettext as _

DAYS_PER_MONTH = 30.4375

Endpoint = Literal["pfs", "os"]
Result = Mapping[str, Any]

ENDPOINT_NAMES: Words[Endpoint] = Words(
    {"pfs": gettext_noop("Progression-free survival"), "os": gettext_noop("Overall survival")}
)

# Best overall responses from best to worst, and as they are said on a figure.
RESPONSES: Words[str] = Words(
    {
        "CR": gettext_noop("Complete response (CR)"),
        "PR": gettext_noop("Partial response (PR)"),
        "SD": gettext_noop("Stable disease (SD)"),
        "NON_CR_NON_PD": gettext_noop("Non-CR/non-PD"),
        "PD": gettext_noop("Progressive disease (PD)"),
        "NE": gettext_noop("Not evaluable (NE)"),
    }
)

# Steps of a time axis, in months; a follow-up longer than the last allows gets multiples of it.
TICK_STEPS_MONTHS = (3, 6, 12, 24, 60, 120)


@dataclass(frozen=True)
class SurvivalTable:
    """One endpoint's survival table, oldest day first; all sequences have the same length.

    ``at_risk`` counts patients whose time is >= the day; ``survival`` is just after the day; a limit is ``None``
    where it is undefined.
    """

    days: Sequence[float]
    at_risk: Sequence[int]
    events: Sequence[int]
    censored: Sequence[int]
    survival: Sequence[float]
    lower: Sequence[float | None]
    upper: Sequence[float | None]

    @classmethod
    def of(cls, result: Result, endpoint: Endpoint) -> "SurvivalTable":
        """Return the table of ``endpoint`` in ``result``.

        Raises:
            ValueError: its columns differ in length, or its days do not ascend.
        """
        raw = result[endpoint]["table"]
        columns = {name: list(raw.get(name) or ()) for name in cls.__dataclass_fields__}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The {endpoint} table's columns must be of one length, not {lengths}.")
        days = columns["days"]
        # Day 0 stands twice where an event fell on it: the start, and what is left after the event.
        if any(later < earlier or later == earlier != 0 for earlier, later in pairwise(days)):
            raise ValueError(f"The {endpoint} table's days must ascend.")
        return cls(**columns)

    @property
    def last_month(self) -> float:
        """The longest follow-up, months; 0 for an empty table."""
        return self.days[-1] / DAYS_PER_MONTH if self.days else 0.0


@dataclass(frozen=True)
class RiskRow:
    """Where a cohort's patients are at ``month``: ``at_risk + events + censored`` is always everybody.

    A patient whose time equals the month exactly still counts as at risk.
    """

    month: int
    at_risk: int
    events: int
    censored: int


def tick_months(last_month: float, *, at_most: int = 13) -> list[int]:
    """Return the ticks of a time axis in months: 0, 3, 6 … or wider steps, through ``last_month``.

    The steps are the narrowest that need no more than ``at_most`` ticks; the last tick is at or past ``last_month``.
    """
    steps = [*TICK_STEPS_MONTHS, *(120 * n for n in range(2, 1000))]
    for step in steps:
        ticks = list(range(0, int(-(-last_month // step) * step) + 1, step))
        if len(ticks) <= at_most:
            return ticks if len(ticks) > 1 else [0, step]
    raise ValueError(f"A follow-up of {last_month} months cannot be drawn.")


def risk_table(table: SurvivalTable, months: Sequence[int]) -> list[RiskRow]:
    """Return the patients at risk, and those with an event or censored before, at each of ``months``."""
    events = [0, *accumulate(table.events)]
    censored = [0, *accumulate(table.censored)]
    rows = []
    position = 0
    for month in months:
        while position < len(table.days) and table.days[position] < month * DAYS_PER_MONTH:
            position += 1
        at_risk = table.at_risk[position] if position < len(table.days) else 0
        rows.append(RiskRow(month, at_risk, events[position], censored[position]))
    return rows


@dataclass(frozen=True)
class Share:
    """One bar: ``n`` of ``of`` patients."""

    key: str
    name: str
    n: int
    of: int

    @property
    def percent(self) -> float:
        return 100 * self.n / self.of if self.of else 0.0


def response_shares(result: Result) -> list[Share]:
    """Return the best overall responses, best first, each out of all patients who have one recorded."""
    counts: Mapping[str, int] = result["orr"].get("best_overall_response") or {}
    unknown = set(counts) - set(RESPONSES)
    if unknown:
        raise ValueError(f"Unknown best overall responses: {sorted(unknown)}.")
    total = sum(counts.values())
    return [Share(key, name, counts.get(key, 0), total) for key, name in RESPONSES.items()]


def course_shares(result: Result) -> list[Share]:
    """Return courses completed, ongoing, and discontinued after each cycle, in the order they are drawn.

    Courses that none of these counts holds come last, under "Not classified", so that the shares are the whole.
    """
    courses = result["courses"]
    of = max((courses[key]["of"] for key in ("completed", "ongoing", "discontinued")), default=0)
    shares = [
        Share("completed", _("Completed"), courses["completed"]["n"], of),
        Share("ongoing", _("Ongoing"), courses["ongoing"]["n"], of),
    ]
    after_cycle = courses["discontinued"].get("after_cycle") or {}
    if any(
        isinstance(n, str) for n in after_cycle.values()
    ):  # small cells are withheld: one part for all of them
        shares.append(Share("discontinued", _("Discontinued"), courses["discontinued"]["n"], of))
        after_cycle, known = {}, courses["discontinued"]["n"]
    else:
        known = 0
    for cycle, n in sorted(after_cycle.items(), key=lambda pair: int(pair[0])):
        known += n
        name = _("Discontinued after cycle {cycle}").format(cycle=cycle)
        shares.append(Share(f"discontinued-{cycle}", name, n, of))
    unplaced = courses["discontinued"]["n"] - known
    if unplaced > 0:
        shares.append(Share("discontinued-unknown", _("Discontinued, cycle unknown"), unplaced, of))
    rest = of - sum(share.n for share in shares)
    if rest > 0:
        shares.append(Share("not-classified", _("Not classified"), rest, of))
    return shares


# Words


def cohort_name(result: Result) -> str:
    """Return the cohort's name, or its slug where the result has none."""
    return str(result.get("name") or result["cohort"])


_DECIMAL_COMMA = str.maketrans({",": ".", ".": ","})


def has_decimal_comma() -> bool:
    return number(0.5, 1)[1] == ","


def localised(text: str) -> str:
    """Return a number as the reader writes it: ``1,234.5``, or ``1.234,5`` in German."""
    return text.translate(_DECIMAL_COMMA) if has_decimal_comma() else text


def whole(n: int) -> str:
    """Return a whole number with its thousands apart."""
    return localised(f"{n:,}")


_COUNTED: dict[str, Callable[[int], str]] = {
    "patient": lambda n: ngettext("{n} patient", "{n} patients", n),
    "treated patient": lambda n: ngettext("{n} treated patient", "{n} treated patients", n),
    "event": lambda n: ngettext("{n} event", "{n} events", n),
    "course": lambda n: ngettext("{n} course", "{n} courses", n),
    "changed course": lambda n: ngettext("{n} changed course", "{n} changed courses", n),
    "bar": lambda n: ngettext("{n} bar", "{n} bars", n),
    "line": lambda n: ngettext("{n} line", "{n} lines", n),
    "day": lambda n: ngettext("{n} day", "{n} days", n),
}


def counted(n: int, noun: str) -> str:
    """Return ``1 patient``, ``63 patients``, ``12,345 patients``.

    Raises:
        KeyError: nothing is said of how many there are of this noun.
    """
    return _COUNTED[noun](n).format(n=whole(n))


def percent(fraction: float) -> str:
    """Return a fraction in [0, 1] as a percentage with one decimal and a space, ``26.1 %``."""
    return localised(f"{100 * fraction:.1f} %")


def months_text(days: float) -> str:
    """Return days as months of 30.4375 days with one decimal, without the unit."""
    return localised(f"{days / DAYS_PER_MONTH:.1f}")


def day_text(iso: object) -> str:
    """Return a day that is stored as an ISO date as the reader writes it; what is none stays as it is."""
    text = str(iso)
    with suppress(ValueError):
        return day(date.fromisoformat(text))
    return text


def cutoff_text(result: Result) -> str:
    """Return the data cut-off, in English as it is stored: an ISO date (``2020-01-31``)."""
    stored = result.get("data_cutoff")
    return day_text(stored) if stored else _("not stated")


def median_limits_text(limits: Sequence[float | None] | None) -> str:
    """Return the two limits of a median (days) in months.

    ``3.0 to 18.2 months``, ``3.0 months to not reached``, and ``not estimable`` where both are missing.
    """
    lower, upper = limits or (None, None)
    if lower is None:
        if upper is None:
            return _("not estimable")
        return _("not estimable to {upper} months").format(upper=months_text(upper))
    if upper is None:
        return _("{lower} months to not reached").format(lower=months_text(lower))
    return _("{lower} to {upper} months").format(lower=months_text(lower), upper=months_text(upper))


def median_lines(result: Result, endpoint: Endpoint) -> list[str]:
    """Return the median and its interval in words, two lines; ``Median not reached`` where S stays above 0.5."""
    outcome = result[endpoint]
    median = outcome["median_days"]
    said = (
        _("Median not reached")
        if median is None
        else _("Median {months} months").format(months=months_text(median))
    )
    return [said, confidence(median_limits_text(outcome.get("median_ci95")))]


def confidence(limits: str) -> str:
    """Return limits in words behind what they are: ``95 % CI 3.0 to 18.2 months``."""
    return _("95 % CI {limits}").format(limits=limits)


def discontinuation_reasons(result: Result) -> list[tuple[str, int]]:
    """Return the main reasons of discontinuation in words with their courses, the most frequent first."""
    # Imported here: the figures can be loaded without Django, and only these words need its models.
    from treatments.models import DiscontinuationReason

    counts = result["courses"]["discontinued"].get("reasons") or {}
    return _in_words(counts, {code: str(label) for code, label in DiscontinuationReason.choices})


def causes_of_death(result: Result) -> list[tuple[str, int]]:
    """Return the causes of death in words with their patients, the most frequent first."""
    from patients.models import DeathCause

    return _in_words(
        result["os"].get("deaths_by_cause") or {}, {code: str(label) for code, label in DeathCause.choices}
    )


def _in_words(counts: Mapping[str, int], labels: Mapping[str, str]) -> list[tuple[str, int]]:
    # Labels begin a line elsewhere; here they stand within a sentence.
    # What is withheld (a text in place of a number) is not said.
    said = [(within(str(labels.get(key, key))), n) for key, n in counts.items() if n and isinstance(n, int)]
    return sorted(said, key=lambda item: (-item[1], item[0]))


# The sentences of a definition that a figure rests on, by what they speak of.
_SPOKEN_OF = {
    "pfs": ("Time zero", "PFS"),
    "os": ("Time zero", "(OS)"),
    "best-response": ("Best overall response", "(ORR)"),
    "courses": (),
}


def definition_text(definition: Mapping[str, Any] | None, figure: str) -> str:
    """Return the sentences of ``definition`` that ``figure`` rests on; empty where it rests on none.

    ``definition`` is that of a result, which carries its sentences as they are stored (``in_words``); ``told`` are the same
    in the reader's language.
    """
    if not definition:
        return ""
    sentences = definition["in_words"]
    told = definition.get("told") or sentences  # the same in the reader's language, sentence by sentence
    return " ".join(
        said
        for english, said in zip(sentences, told, strict=True)
        if any(word in english for word in _SPOKEN_OF[figure])
    )


# CSV

_ORIGIN_COLUMNS = ["cohort", "data_cutoff", "revision"]
_SURVIVAL_COLUMNS = [
    "days",
    "months",
    "at_risk_patients",
    "events_patients",
    "censored_patients",
    "survival_fraction",
    "lower_95_fraction",
    "upper_95_fraction",
]
_SHARE_COLUMNS = ["name", "n_patients", "of_patients", "percent"]


def numbers_csv(result: Result, figure: str) -> str:
    """Return the rows behind ``figure`` as CSV (RFC 4180) with one header row that names the units.

    Every row carries the cohort, its data cut-off and revision, so that a row copied elsewhere keeps its origin. An
    undefined limit is an empty cell. Survival rows are day-level: one with a single event is one patient.

    Args:
        figure: ``pfs``, ``os``, ``best-response`` or ``courses``.

    Raises:
        KeyError: there is no such figure.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    origin = [result["cohort"], result.get("data_cutoff"), result.get("revision")]
    if figure in ENDPOINT_NAMES:
        endpoint: Endpoint = "pfs" if figure == "pfs" else "os"
        table = SurvivalTable.of(result, endpoint)
        writer.writerow(_ORIGIN_COLUMNS + _SURVIVAL_COLUMNS)
        for day, *numbers in zip(
            table.days,
            table.at_risk,
            table.events,
            table.censored,
            table.survival,
            table.lower,
            table.upper,
            strict=True,
        ):
            writer.writerow([*origin, day, f"{day / DAYS_PER_MONTH:.4f}", *numbers])
        return text.getvalue()
    shares = {"best-response": response_shares, "courses": course_shares}[figure](result)
    writer.writerow(_ORIGIN_COLUMNS + _SHARE_COLUMNS)
    for share in shares:
        writer.writerow([*origin, share.name, share.n, share.of, f"{share.percent:.2f}" if share.of else ""])
    return text.getvalue()
