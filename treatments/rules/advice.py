"""What the product label of 177Lu-DOTATATE advises for the next cycle. An advisory: it locks nothing.

Source: US prescribing information of lutetium Lu 177 dotatate, dose modifications for adverse reactions. The renal and
hepatic figures and the reduced activity of 3,700 MBq could not be checked against the label's own text: a site confirms
them before use (``DoseRules.unconfirmed``). In words, with the decision table: docs/rules/dose-advice.md.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Self, TypeVar

from languages.wording import Words, gettext_noop
from languages.wording import day as on_day
from languages.wording import gettext as _
from treatments.rules.words import A_NUMBER, Place, Sentences, written

Said = Callable[[], str]  # a sentence, made when it is needed: most of what opens no episode is never said

MOST_THRESHOLD = Decimal(1000)
PAIR_DAYS = 28  # an albumin and a prothrombin ratio further apart than this are not read together


class AdviceCode(StrEnum):
    """What is advised; the words for people are in ``ADVICE_WORDS``."""

    CONTINUE = "continue"
    HOLD = "hold"
    REDUCE = "reduce"
    RETURN = "return"
    DISCONTINUE = "discontinue"
    INSUFFICIENT = "insufficient"


ADVICE_WORDS: Mapping[AdviceCode, str] = Words(
    {
        AdviceCode.CONTINUE: gettext_noop("Continue at the full activity"),
        AdviceCode.HOLD: gettext_noop("Hold the next cycle"),
        AdviceCode.REDUCE: gettext_noop("Resume at the reduced activity"),
        AdviceCode.RETURN: gettext_noop("Return to the full activity"),
        AdviceCode.DISCONTINUE: gettext_noop("Consider discontinuation"),
        AdviceCode.INSUFFICIENT: gettext_noop("No advice: required laboratory values are missing"),
    }
)


# The same within a sentence, after a colon.
ADVICE_WITHIN: Mapping[AdviceCode, str] = Words(
    {
        AdviceCode.CONTINUE: gettext_noop("continue at the full activity"),
        AdviceCode.HOLD: gettext_noop("hold the next cycle"),
        AdviceCode.REDUCE: gettext_noop("resume at the reduced activity"),
        AdviceCode.RETURN: gettext_noop("return to the full activity"),
        AdviceCode.DISCONTINUE: gettext_noop("consider discontinuation"),
        AdviceCode.INSUFFICIENT: gettext_noop("no advice: required laboratory values are missing"),
    }
)


class Criterion(StrEnum):
    """A toxicity for which the label changes the dose; the words for people are in ``CRITERION_WORDS``."""

    PLATELETS = "platelets"
    HAEMOGLOBIN = "haemoglobin"
    NEUTROPHILS = "neutrophils"
    RENAL = "renal"
    HEPATIC = "hepatic"
    OTHER = "other"


CRITERION_WORDS = Words(
    {
        Criterion.PLATELETS: gettext_noop("thrombocytopenia"),
        Criterion.HAEMOGLOBIN: gettext_noop("anaemia"),
        Criterion.NEUTROPHILS: gettext_noop("neutropenia"),
        Criterion.RENAL: gettext_noop("renal toxicity"),
        Criterion.HEPATIC: gettext_noop("hepatic toxicity"),
        Criterion.OTHER: gettext_noop("other toxicity"),
    }
)


@dataclass(frozen=True)
class _Analyte:
    name: str  # in English, as it stands within a sentence
    unit: str
    low_is_worse: bool


ANALYTES: Mapping[str, _Analyte] = {
    "platelets": _Analyte(gettext_noop("platelets"), "×10⁹/L", True),
    "haemoglobin": _Analyte(gettext_noop("haemoglobin"), "g/L", True),
    "neutrophils": _Analyte(gettext_noop("neutrophils"), "×10⁹/L", True),
    "lymphocytes": _Analyte(gettext_noop("lymphocytes"), "×10⁹/L", True),
    "leucocytes": _Analyte(gettext_noop("leucocytes"), "×10⁹/L", True),
    "creatinine": _Analyte(gettext_noop("creatinine"), "µmol/L", False),
    "alt": _Analyte(gettext_noop("ALT"), "U/L", False),
    "ast": _Analyte(gettext_noop("AST"), "U/L", False),
    "alp": _Analyte(gettext_noop("ALP"), "U/L", False),
    "ggt": _Analyte(gettext_noop("GGT"), "U/L", False),
    "bilirubin": _Analyte(gettext_noop("bilirubin"), "µmol/L", False),
    "albumin": _Analyte(gettext_noop("albumin"), "g/L", True),
    "prothrombin_ratio": _Analyte(gettext_noop("prothrombin ratio"), "%", True),
}

# CTCAE terms that say of a patient what a laboratory value says too; the two are followed as one.
_ANALYTE_OF_TERM = {
    "platelet count decreased": "platelets",
    "anemia": "haemoglobin",
    "neutrophil count decreased": "neutrophils",
    "lymphocyte count decreased": "lymphocytes",
    "white blood cell decreased": "leucocytes",
    "creatinine increased": "creatinine",
    "alanine aminotransferase increased": "alt",
    "aspartate aminotransferase increased": "ast",
    "alkaline phosphatase increased": "alp",
    "ggt increased": "ggt",
    "blood bilirubin increased": "bilirubin",
    "hypoalbuminemia": "albumin",
}
_BLOOD_CRITERIA = {
    "platelets": Criterion.PLATELETS,
    "haemoglobin": Criterion.HAEMOGLOBIN,
    "neutrophils": Criterion.NEUTROPHILS,
}


# The thresholds


@dataclass(frozen=True)
class DoseRules:
    """The label's thresholds. Data: stored as JSON with the protocol, printed beside the advice.

    Args:
        platelets_hold_grade: CTCAE grade (1–4) from which the next cycle is held; likewise the other hold grades.
        platelets_resume_grade: grade (0–3) at or below which it may resume; likewise the other resume grades.
        creatinine_clearance_least_ml_min: held below it, mL/min.
        creatinine_rise_percent: held at this rise from baseline or more, %.
        creatinine_clearance_fall_percent: held at this fall from baseline or more, %, below 100.
        bilirubin_times_upper_limit: held above this multiple of the upper limit of normal.
        albumin_least_g_l: held below it, g/L, when the prothrombin ratio is low as well.
        prothrombin_ratio_least_percent: low below it, %.
        other_hold_grade: grade of any other laboratory value or adverse event from which the next cycle is held.
        source: where the thresholds come from.
        unconfirmed: the figures that the site must confirm before use, in words.

    Raises:
        ValueError: a value of the wrong type or outside its range.
    """

    platelets_hold_grade: int = 2
    platelets_resume_grade: int = 1
    haemoglobin_hold_grade: int = 3
    haemoglobin_resume_grade: int = 2
    neutrophils_hold_grade: int = 3
    neutrophils_resume_grade: int = 2
    creatinine_clearance_least_ml_min: Decimal = Decimal(40)
    creatinine_rise_percent: Decimal = Decimal(40)
    creatinine_clearance_fall_percent: Decimal = Decimal(40)
    bilirubin_times_upper_limit: Decimal = Decimal(3)
    albumin_least_g_l: Decimal = Decimal(30)
    prothrombin_ratio_least_percent: Decimal = Decimal(70)
    other_hold_grade: int = 3
    other_resume_grade: int = 2
    source: str = gettext_noop(
        "US prescribing information of lutetium Lu 177 dotatate, dose modifications for adverse reactions"
    )
    unconfirmed: tuple[str, ...] = (
        gettext_noop(
            "renal: creatinine clearance below 40 mL/min, creatinine risen by 40 %, clearance fallen by 40 %"
        ),
        gettext_noop(
            "hepatic: bilirubin above 3 × the upper limit, albumin below 30 g/L with a prothrombin ratio below 70 %"
        ),
        gettext_noop("the reduced activity of 3,700 MBq"),
    )

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name.endswith("_hold_grade"):
                _require_whole(name, value, least=1, most=4)
            elif name.endswith("_resume_grade"):
                _require_whole(name, value, least=0, most=3)
            elif name == "source":
                if not isinstance(value, str) or not value.strip():
                    raise ValueError(_("{name} {value}: expected words").format(name=name, value=repr(value)))
            elif name == "unconfirmed":
                if not isinstance(value, tuple) or not all(isinstance(v, str) and v.strip() for v in value):
                    message = _("{name} {value}: expected a list of words")
                    raise ValueError(message.format(name=name, value=repr(value)))
            elif not isinstance(value, Decimal) or not (value.is_finite() and 0 < value <= MOST_THRESHOLD):
                message = _("{name} {value}: expected a Decimal above 0 and up to {most}")
                raise ValueError(message.format(name=name, value=repr(value), most=MOST_THRESHOLD))
        for what in ("platelets", "haemoglobin", "neutrophils", "other"):
            hold, resume = getattr(self, f"{what}_hold_grade"), getattr(self, f"{what}_resume_grade")
            if resume >= hold:
                message = _("{name} {value}: expected a grade below {other} {hold}")
                raise ValueError(
                    message.format(
                        name=f"{what}_resume_grade", value=resume, other=f"{what}_hold_grade", hold=hold
                    )
                )
        if self.creatinine_clearance_fall_percent >= 100:
            fall = self.creatinine_clearance_fall_percent
            message = _("{name} {value}: expected a percentage below 100")
            raise ValueError(message.format(name="creatinine_clearance_fall_percent", value=fall))

    def to_json(self) -> dict[str, Any]:
        """Return every field as JSON values; decimals as text, since a JSON number would be a float."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {name: str(value) for name, value in values.items() if isinstance(value, Decimal)}
        return values | texts | {"unconfirmed": list(self.unconfirmed)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the rules stored by ``to_json``. All keys are needed: a threshold left out is not a default.

        Raises:
            ValueError: an unknown or missing key, a wrong type, or a value outside its range; it names the key.
        """
        if not isinstance(data, Mapping):
            message = _("dose rules {data}: expected an object with a key for each threshold")
            raise ValueError(message.format(data=repr(data)))
        names = {field.name for field in fields(cls)}
        if unknown := sorted(str(key) for key in set(data) - names):
            message = _("dose rules: unknown {unknown}; expected {names}")
            raise ValueError(message.format(unknown=", ".join(unknown), names=", ".join(sorted(names))))
        if missing := sorted(names - set(data)):
            message = _("dose rules: {missing} missing; expected every threshold")
            raise ValueError(message.format(missing=", ".join(missing)))
        values = dict(data)
        if isinstance(values["unconfirmed"], list):
            values["unconfirmed"] = tuple(values["unconfirmed"])
        for field in fields(cls):
            if isinstance(field.default, Decimal):
                value = values[field.name]
                try:
                    values[field.name] = Decimal(value) if isinstance(value, str) else None
                except InvalidOperation:
                    values[field.name] = None
                if values[field.name] is None:
                    message = _('{name} {value}: expected a number as text, such as "40"')
                    raise ValueError(message.format(name=field.name, value=repr(value)))
        return cls(**values)


def _require_whole(name: str, value: Any, *, least: int, most: int) -> None:
    # A bool is an int to Python, but no grade.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        message = _("{name} {value}: expected a whole number from {least} to {most}")
        raise ValueError(message.format(name=name, value=repr(value), least=least, most=most))


# What the advice is computed from


@dataclass(frozen=True)
class LabFact:
    """One laboratory value.

    Args:
        analyte: a code of ``ANALYTES``.
        on: day of the sample, local centre date.
        value: in the unit that ``ANALYTES`` names.
        grade: CTCAE grade, 0 to 5; None when it could not be told.
        upper_limit: the laboratory's upper limit of normal, in the same unit; None when unknown.

    Raises:
        ValueError: an unknown analyte, a negative value, a grade outside 0–5 or an upper limit not above 0.
    """

    analyte: str
    on: date
    value: Decimal
    grade: int | None
    upper_limit: Decimal | None

    def __post_init__(self) -> None:
        if self.analyte not in ANALYTES:
            raise ValueError(f"analyte {self.analyte!r} on {self.on}: expected one of {', '.join(ANALYTES)}")
        _require_amount(self.analyte, self.on, self.value)
        if self.grade is not None:
            _require_whole(f"{self.analyte} on {self.on}: grade", self.grade, least=0, most=5)
        limit = self.upper_limit
        if limit is not None and not (limit.is_finite() and limit > 0):
            raise ValueError(f"{self.analyte} on {self.on}: upper limit {limit}: expected a number above 0")


@dataclass(frozen=True)
class ClearanceFact:
    """A creatinine clearance after Cockcroft and Gault, mL/min, on the day of the creatinine sample.

    Raises:
        ValueError: a negative clearance.
    """

    on: date
    ml_min: Decimal

    def __post_init__(self) -> None:
        _require_amount("creatinine clearance", self.on, self.ml_min)


@dataclass(frozen=True)
class EventFact:
    """An adverse event by its CTCAE term; ``resolved_on`` is None while it lasts.

    Raises:
        ValueError: a grade outside 1–5, no term, or an event resolved before its onset.
    """

    term: str
    grade: int
    onset_on: date
    resolved_on: date | None

    def __post_init__(self) -> None:
        if not self.term.strip():
            raise ValueError(f"adverse event on {self.onset_on}: expected a CTCAE term, not {self.term!r}")
        _require_whole(f"{self.term} on {self.onset_on}: grade", self.grade, least=1, most=5)
        if self.resolved_on is not None and self.resolved_on < self.onset_on:
            raise ValueError(
                f"{self.term} resolved on {self.resolved_on}: expected a day from its onset on {self.onset_on}"
            )


@dataclass(frozen=True)
class GivenCycle:
    """A cycle that was given: its number, local day and prescribed activity in MBq."""

    number: int
    on: date
    prescribed_mbq: Decimal


def _require_amount(name: str, on: date, value: Decimal) -> None:
    if not (value.is_finite() and value >= 0):
        raise ValueError(f"{name} {value} on {on}: expected a number from 0")


@dataclass(frozen=True)
class Advice:
    """What is advised for the next cycle, and why.

    Args:
        code: what is advised; ``ADVICE_WORDS`` has the words.
        criteria: the toxicities that led to it, each once, in the order of ``Criterion``; empty without one.
        until: for a hold, what has to be reached; otherwise empty.
        activity_mbq: activity advised for the next cycle; None when it is not to be given now, or when the
            protocol has no reduced activity.
        facts: full sentences with value, unit and date.
        missing: required laboratory values that are missing or too old, in words.
        source: of the thresholds.
    """

    code: AdviceCode
    criteria: tuple[Criterion, ...]
    until: str
    activity_mbq: Decimal | None
    facts: tuple[str, ...]
    missing: tuple[str, ...]
    source: str


# The advice, and how it is told again from what was stored of it. The sentences as they are written down:

_AGAIN = gettext_noop(
    "{words} came again on {on} after a cycle was given: an earlier episode lasted from {opened_on} to {closed_on}."
)
_LATE = gettext_noop(
    "Cycle {number} is {days} days late (the protocol's day was {on}); discontinuation is considered from a delay by"
    " toxicity of {most} days."
)
_NO_REDUCED = gettext_noop("The protocol has no reduced activity.")
_MISSING = gettext_noop("Missing or too old: {missing}.")
_PRESCRIBED = gettext_noop(
    "Cycle {number} on {on} was prescribed at {activity} MBq, and nothing that changes the dose is recorded since."
)
_NOTHING = gettext_noop("Nothing recorded up to {on} speaks for a change.")
_CLOSED = gettext_noop("{fact}; {target} on {on}.")
_HELD = gettext_noop("{fact}; hold until {target}.")
_UNTIL = gettext_noop("{words}: {target}")
# Targets.
_TO_GRADE = gettext_noop("grade {grade}")
_OR_BETTER = gettext_noop("grade {grade} or better")
_RESOLVED = gettext_noop("resolved or back to baseline")
# Facts that meet a criterion.
_GRADED = gettext_noop("{analyte} {value} {unit} on {on}: grade {grade}")
_ADVERSE = gettext_noop("{term} (adverse event) from {on}: grade {grade}")
_CLEARANCE_LOW = gettext_noop("Creatinine clearance {value} mL/min on {on}: below {least} mL/min")
_CLEARANCE_FALLEN = gettext_noop(
    "Creatinine clearance {value} mL/min on {on}: at least {percent} % below the baseline of {baseline} mL/min"
)
_RISEN = gettext_noop(
    "{analyte} {value} {unit} on {on}: at least {percent} % above the baseline of {baseline} µmol/L"
)
_ABOVE_LIMIT = gettext_noop(
    "{analyte} {value} {unit} on {on}: above {times} × the upper limit of {limit} µmol/L"
)
_LOW_PAIR = gettext_noop(
    "{analyte} {value} {unit} on {on}, prothrombin ratio {ratio} % on {ratio_on}: below {low_albumin} g/L and below"
    " {low_ratio} %"
)

_NUMBERS = {
    name: A_NUMBER
    for message in (_LATE, _PRESCRIBED, _TO_GRADE, _CLEARANCE_LOW, _CLEARANCE_FALLEN, _ABOVE_LIMIT, _LOW_PAIR)
    for name in re.findall(r"\{(\w+)\}", message)
    if name not in {"analyte", "unit"} and not name.endswith("on")
}
_REQUIRED = (gettext_noop("alkaline phosphatase"), gettext_noop("body weight"))  # named of what is missing
_UNITS = Place("|".join(sorted({re.escape(analyte.unit) for analyte in ANALYTES.values()})))


def _again_in_words(text: str) -> str:
    """Return the name of a toxicity or an analyte, at the start of a sentence or within it, in the reader's language."""
    names = [*CRITERION_WORDS.english.values(), *(analyte.name for analyte in ANALYTES.values()), *_REQUIRED]
    for name in names:
        if text == name:
            return _(name)
        if text == _sentence_start(name):
            return _sentence_start(_(name))
    return text


def _again_missing(text: str) -> str:
    return ", ".join(_MISSING_VALUE.retold(one) for one in text.split(", "))


def _again_fact(text: str) -> str:
    return _FACT.retold(text)


def _again_target(text: str) -> str:
    return _TARGET.retold(text)


_IN_WORDS = Place(told=_again_in_words)
_MISSING_VALUE = Sentences([gettext_noop("{analyte} (of {on})"), "{analyte}"], {"analyte": _IN_WORDS})
_TARGET = Sentences([_OR_BETTER, _TO_GRADE, _RESOLVED], _NUMBERS)
_FACT = Sentences(
    [_LOW_PAIR, _ABOVE_LIMIT, _RISEN, _CLEARANCE_FALLEN, _CLEARANCE_LOW, _ADVERSE, _GRADED],
    _NUMBERS | {"analyte": _IN_WORDS, "unit": _UNITS},
)
_PLACES = _NUMBERS | {
    "words": _IN_WORDS,
    "missing": Place(told=_again_missing),
    "fact": Place(told=_again_fact),
    "target": Place(f"{_OR_BETTER}|{_TO_GRADE}|{_RESOLVED}".replace("{grade}", r"\d"), told=_again_target),
}
_SENTENCES = Sentences([_AGAIN, _LATE, _MISSING, _PRESCRIBED, _NOTHING, _HELD, _CLOSED, _NO_REDUCED], _PLACES)
_UNTIL_ONE = Sentences([_UNTIL], _PLACES)


def fact_retold(fact: str) -> str:
    """Return one of ``Advice.facts`` as it was stored, in the language of who reads it."""
    told = _SENTENCES.retold(fact)
    if told == fact and fact.endswith("."):
        return f"{_FACT.retold(fact[:-1])}."  # what stands later in an episode
    return told


def until_retold(until: str) -> str:
    """Return ``Advice.until`` as it was stored, in the language of who reads it."""
    return "; ".join(_UNTIL_ONE.retold(one) for one in until.split("; "))


def advise(
    *,
    rules: DoseRules,
    full_activity_mbq: Decimal,
    reduced_activity_mbq: Decimal | None,
    max_delay_days: int,
    next_cycle: int,
    protocol_on: date | None,
    given: Sequence[GivenCycle],
    labs: Sequence[LabFact],
    clearances: Sequence[ClearanceFact],
    events: Sequence[EventFact],
    missing: Sequence[str],
    today: date,
) -> Advice:
    """Return what the label advises for the next cycle, from what is known at the end of ``today``.

    The order of every sequence is free. Facts dated after ``today`` do not exist yet; an event whose resolution is
    dated later still lasts.

    Args:
        reduced_activity_mbq: None when the protocol has no reduced activity.
        max_delay_days: delay by toxicity from which discontinuation is considered.
        next_cycle: number of the cycle the advice is for.
        protocol_on: day the protocol plans for it, i.e. the last administration + interval; None when unknown.
        given: the course's cycles; all other facts may reach back before the first.
        missing: required laboratory values that are missing or too old, in words.

    Raises:
        ValueError: an activity or a delay not above 0, a reduced activity not below the full one, or a cycle
            given twice.
    """
    if full_activity_mbq <= 0 or max_delay_days < 1:
        raise ValueError(
            f"full activity {full_activity_mbq} MBq, longest delay {max_delay_days} d: expected both above 0"
        )
    if reduced_activity_mbq is not None and not 0 < reduced_activity_mbq < full_activity_mbq:
        raise ValueError(
            f"reduced activity {reduced_activity_mbq} MBq: expected above 0 and below {full_activity_mbq} MBq"
        )
    if len({cycle.number for cycle in given}) < len(given):
        raise ValueError(f"given cycles {sorted(cycle.number for cycle in given)}: expected each number once")

    cycles = sorted((cycle for cycle in given if cycle.on <= today), key=lambda c: (c.on, c.number))
    first_on = cycles[0].on if cycles else None
    episodes = _episodes(
        rules=rules,
        first_on=first_on,
        labs=[lab for lab in labs if lab.on <= today],
        clearances=[clearance for clearance in clearances if clearance.on <= today],
        events=[event for event in events if event.onset_on <= today],
        today=today,
    )
    # Closed before the last administration: that cycle was already given in the knowledge of it.
    active = [
        e for e in episodes if e.closed_on is None or (cycles and not e.is_closed_before(cycles[-1].on))
    ]
    still_open = [episode for episode in active if episode.closed_on is None]
    days_late = (today - protocol_on).days if protocol_on else 0
    is_delayed = days_late >= max_delay_days
    recurrences = [(e, earlier) for e in active if (earlier := _recurs_from(e, episodes, cycles))]

    facts: list[str] = []
    for episode, earlier in recurrences:
        facts.append(
            _(_AGAIN).format(
                words=_sentence_start(episode.words),
                on=on_day(episode.opened_on),
                opened_on=on_day(earlier.opened_on),
                closed_on=on_day(earlier.closed_on) if earlier.closed_on is not None else "",
            )
        )
    for episode in [*still_open, *(e for e in active if e.closed_on is not None)]:
        facts += episode.sentences()
    if is_delayed:
        facts.append(
            _(_LATE).format(
                number=next_cycle,
                days=days_late,
                on=on_day(protocol_on) if protocol_on is not None else "",
                most=max_delay_days,
            )
        )

    code, led_by = AdviceCode.CONTINUE, active
    activity_mbq: Decimal | None = None
    if recurrences or (is_delayed and active and cycles):
        code = AdviceCode.DISCONTINUE
        led_by = active if is_delayed else [episode for episode, _ in recurrences]
    elif still_open:
        code, led_by = AdviceCode.HOLD, still_open
    elif active:
        code, activity_mbq = AdviceCode.REDUCE, reduced_activity_mbq
        if reduced_activity_mbq is None:
            facts.append(_(_NO_REDUCED))
    elif missing:
        code = AdviceCode.INSUFFICIENT
        facts.append(_(_MISSING).format(missing=", ".join(missing)))
    elif cycles and reduced_activity_mbq is not None and cycles[-1].prescribed_mbq <= reduced_activity_mbq:
        code, activity_mbq = AdviceCode.RETURN, full_activity_mbq
        last = cycles[-1]
        facts.append(
            _(_PRESCRIBED).format(
                number=last.number, on=on_day(last.on), activity=_number(last.prescribed_mbq)
            )
        )
    else:
        activity_mbq = full_activity_mbq
        facts.append(_(_NOTHING).format(on=on_day(today)))

    held_by = still_open if code == AdviceCode.HOLD else []
    until = dict.fromkeys(_(_UNTIL).format(words=e.words, target=e.target) for e in held_by)
    return Advice(
        code=code,
        criteria=tuple(c for c in Criterion if any(episode.criterion == c for episode in led_by)),
        until="; ".join(until),
        activity_mbq=activity_mbq,
        facts=tuple(facts),
        missing=tuple(missing),
        source=rules.source,
    )


def _recurs_from(
    episode: "_Episode", episodes: Sequence["_Episode"], cycles: Sequence[GivenCycle]
) -> "_Episode | None":
    """Return the first episode of the same toxicity after which a cycle was given before this one opened."""
    for earlier in episodes:
        if (
            (earlier.criterion, earlier.subject) == (episode.criterion, episode.subject)
            and earlier.closed_on is not None
            and not earlier.is_closed_before(cycles[0].on if cycles else date.max)  # it changed a dose
            and any(earlier.is_closed_before(c.on) and episode.is_opened_after(c.on) for c in cycles)
        ):
            return earlier
    return None


# Episodes: from the fact that meets a criterion to the first later one that lets the treatment resume


@dataclass(frozen=True)
class _Episode:
    """One stretch of one toxicity.

    Args:
        subject: what must come again to be a recurrence: the criterion, for "other" the analyte or the term.
        words: what it is called.
        target: what has to be reached.
        is_event: whether an adverse event alone opened it. On the day of an administration a sample was taken
            before it, but an event happened after it.
        opening: what met the criterion on the first day, each with value, unit and date.
        latest: the same at the end, when something else stands then; empty for a closed episode.
    """

    criterion: Criterion
    subject: str
    words: str
    target: str
    opened_on: date
    closed_on: date | None
    is_event: bool
    opening: tuple[Said, ...]
    latest: tuple[Said, ...]

    def is_opened_after(self, given_on: date) -> bool:
        return self.opened_on > given_on or (self.opened_on == given_on and self.is_event)

    def is_closed_before(self, given_on: date) -> bool:
        if self.closed_on is None:
            return False
        if self.closed_on == given_on:
            return not (self.is_event and self.opened_on == given_on)
        return self.closed_on < given_on

    def sentences(self) -> list[str]:
        opening = [said() for said in self.opening]
        if self.closed_on is not None:
            on = on_day(self.closed_on)
            return [_(_CLOSED).format(fact=text, target=self.target, on=on) for text in opening]
        later = [text for text in (said() for said in self.latest) if text not in opening]
        held = [_(_HELD).format(fact=text, target=self.target) for text in opening]
        return held + [f"{text}." for text in later]


class _Run:
    """Collects the episodes of one toxicity, day by day in ascending order."""

    def __init__(self, criterion: Criterion, subject: str, words: str, target: str) -> None:
        self._criterion, self._subject, self._words, self._target = criterion, subject, words, target
        self._closed: list[_Episode] = []
        self._opened_on: date | None = None
        self._is_event = False
        self._opening: tuple[Said, ...] = ()
        self._latest: tuple[Said, ...] = ()

    @property
    def is_open(self) -> bool:
        return self._opened_on is not None

    def meet(self, on: date, texts: Sequence[Said], *, is_event: bool = False) -> None:
        if self._opened_on is None:
            self._opened_on, self._opening, self._is_event = on, tuple(texts), is_event
        self._latest = tuple(texts)

    def resolve(self, on: date) -> None:
        if self._opened_on is not None:
            self._closed.append(self._episode(self._opened_on, closed_on=on))
            self._opened_on, self._latest = None, ()

    def episodes(self) -> list[_Episode]:
        if self._opened_on is None:
            return self._closed
        return [*self._closed, self._episode(self._opened_on, closed_on=None)]

    def _episode(self, opened_on: date, *, closed_on: date | None) -> _Episode:
        return _Episode(
            criterion=self._criterion,
            subject=self._subject,
            words=self._words,
            target=self._target,
            opened_on=opened_on,
            closed_on=closed_on,
            is_event=self._is_event,
            opening=self._opening,
            latest=self._latest,
        )


def _episodes(
    *,
    rules: DoseRules,
    first_on: date | None,
    labs: Sequence[LabFact],
    clearances: Sequence[ClearanceFact],
    events: Sequence[EventFact],
    today: date,
) -> list[_Episode]:
    """Return the episodes of every toxicity, in the order of ``Criterion``, each toxicity's ascending."""
    by_analyte: dict[str, list[LabFact]] = defaultdict(list)
    for lab in labs:
        by_analyte[lab.analyte].append(lab)
    by_subject: dict[str, list[EventFact]] = defaultdict(list)
    for event in events:
        term = event.term.strip().casefold()
        by_subject[_ANALYTE_OF_TERM.get(term, term)].append(event)

    creatinine, bilirubin = by_analyte["creatinine"], by_analyte["bilirubin"]
    creatinine_baseline = _baseline(creatinine, first_on, better=min, value=lambda lab: lab.value)
    bilirubin_baseline = _baseline(bilirubin, first_on, better=min, value=lambda lab: lab.value)

    found: list[_Episode] = []
    for subject, criterion in _BLOOD_CRITERIA.items():
        found += _graded(rules, criterion, subject, by_analyte[subject], by_subject[subject], today)
    found += _renal(rules, creatinine, creatinine_baseline, clearances, first_on)
    found += _hepatic(
        rules,
        bilirubin,
        bilirubin_baseline,
        by_analyte["albumin"],
        by_analyte["prothrombin_ratio"],
        first_on,
    )
    for subject in sorted({*by_analyte, *by_subject} - {*_BLOOD_CRITERIA, "lymphocytes"}):
        values = by_analyte[subject]
        # A value that meets the renal or hepatic criterion by itself is not counted a second time as "other".
        if subject == "creatinine":
            values = [
                v
                for v in values
                if _grade(v) < rules.other_hold_grade
                or not _is_risen(v.value, creatinine_baseline, v.on, first_on, rules.creatinine_rise_percent)
            ]
        elif subject == "bilirubin":
            values = [
                v for v in values if _grade(v) < rules.other_hold_grade or not _is_high_bilirubin(v, rules)
            ]
        found += _graded(rules, Criterion.OTHER, subject, values, by_subject[subject], today)
    return found


@dataclass(frozen=True)
class _Finding:
    """A graded value or an adverse event. ``weight`` orders findings of one grade, worst highest, then name and day."""

    on: date
    grade: int
    until: date | None
    weight: Decimal
    fact: LabFact | EventFact

    @property
    def is_event(self) -> bool:
        return isinstance(self.fact, EventFact)

    def said(self) -> str:
        if isinstance(self.fact, LabFact):
            return _(_GRADED).format(grade=self.grade, **_measured(self.fact))
        term = _sentence_start(self.fact.term.strip())
        return _(_ADVERSE).format(term=term, on=on_day(self.on), grade=self.grade)

    def rank(self) -> tuple[int, bool, Decimal, str, date]:
        name = "" if isinstance(self.fact, LabFact) else _sentence_start(self.fact.term.strip())
        return (self.grade, not self.is_event, self.weight, name, self.on)


def _graded(
    rules: DoseRules,
    criterion: Criterion,
    subject: str,
    values: Sequence[LabFact],
    events: Sequence[EventFact],
    today: date,
) -> list[_Episode]:
    """Return the episodes of a toxicity that is told by its grade.

    A value stands until the next graded one. An event stands until it is resolved or, where values measure the same, until
    the first graded value of a later day. The worst of what stands is the grade of the day.
    """
    hold: int = getattr(rules, f"{criterion}_hold_grade")
    resume: int = getattr(rules, f"{criterion}_resume_grade")
    # Most values are fine: what never reaches the hold grade opens nothing, and need not be followed.
    if not any(_grade(v) >= hold for v in values) and not any(event.grade >= hold for event in events):
        return []

    by_day: dict[date, list[_Finding]] = defaultdict(list)
    days = set()
    for value in values:
        if value.grade is not None:
            weight = -value.value if ANALYTES[value.analyte].low_is_worse else value.value
            by_day[value.on].append(_Finding(value.on, value.grade, None, weight, value))
    for event in events:
        until = event.resolved_on if event.resolved_on and event.resolved_on <= today else None
        by_day[event.onset_on].append(_Finding(event.onset_on, event.grade, until, Decimal(0), event))
        if until:
            days.add(until)

    if criterion == Criterion.OTHER:
        # Terms are told apart without their case; of several spellings one is shown, whatever the order.
        words = _(ANALYTES[subject].name) if subject in ANALYTES else min(e.term.strip() for e in events)
    else:
        words = CRITERION_WORDS[criterion]
    run = _Run(criterion, subject, words, _(_OR_BETTER if resume else _TO_GRADE).format(grade=resume))
    standing: list[_Finding] = []
    for day in sorted(days.union(by_day)):
        new = by_day.get(day, [])
        if any(not finding.is_event for finding in new):
            standing = []
        standing = [f for f in standing if f.until is None or f.until > day] + new
        worst = max(standing, key=_Finding.rank, default=None)
        if worst and (run.is_open or worst.grade >= hold):
            by_value = any(not f.is_event and f.grade >= hold for f in standing)
            run.meet(day, [worst.said], is_event=not by_value)
        # An event can begin and end on one day: it opened an episode all the same.
        standing = [f for f in standing if f.until is None or f.until > day]
        if max((f.grade for f in standing), default=0) <= resume:
            run.resolve(day)
    return run.episodes()


def _renal(
    rules: DoseRules,
    creatinine: Sequence[LabFact],
    baseline: Decimal | None,
    clearances: Sequence[ClearanceFact],
    first_on: date | None,
) -> list[_Episode]:
    """Return the episodes of renal toxicity, judged each day on the latest creatinine and the latest clearance."""
    clearance_baseline = _baseline(clearances, first_on, better=max, value=lambda c: c.ml_min)
    least, rise = rules.creatinine_clearance_least_ml_min, rules.creatinine_rise_percent
    fall = rules.creatinine_clearance_fall_percent
    creatinine_days, clearance_days = _by_day(creatinine), _by_day(clearances)

    run = _Run(Criterion.RENAL, "renal", CRITERION_WORDS[Criterion.RENAL], _(_RESOLVED))
    latest_creatinine: list[LabFact] = []
    latest_clearance: list[ClearanceFact] = []
    for day in sorted({*creatinine_days, *clearance_days}):
        latest_creatinine = creatinine_days.get(day, latest_creatinine)
        latest_clearance = clearance_days.get(day, latest_clearance)
        met: list[Said] = []
        if latest_clearance:
            worst = min(latest_clearance, key=lambda c: c.ml_min)
            if worst.ml_min < least:
                met.append(_saying(_CLEARANCE_LOW, value=worst.ml_min, on=worst.on, least=least))
            if (
                clearance_baseline is not None
                and _is_after(worst.on, first_on)
                and worst.ml_min * 100 <= clearance_baseline * (100 - fall)
            ):
                met.append(
                    _saying(
                        _CLEARANCE_FALLEN,
                        value=worst.ml_min,
                        on=worst.on,
                        percent=fall,
                        baseline=clearance_baseline,
                    )
                )
        if latest_creatinine:
            highest = max(latest_creatinine, key=lambda lab: lab.value)
            if baseline is not None and _is_risen(highest.value, baseline, highest.on, first_on, rise):
                met.append(_saying(_RISEN, highest, percent=rise, baseline=baseline))
        if met:
            run.meet(day, met)
        elif run.is_open and all(_is_back(lab, baseline, first_on) for lab in latest_creatinine):
            run.resolve(day)
    return run.episodes()


def _hepatic(
    rules: DoseRules,
    bilirubin: Sequence[LabFact],
    baseline: Decimal | None,
    albumin: Sequence[LabFact],
    prothrombin: Sequence[LabFact],
    first_on: date | None,
) -> list[_Episode]:
    """Return the episodes of hepatic toxicity, judged each day on the latest value of each analyte.

    What can no longer be told (a bilirubin without its upper limit, an albumin without a prothrombin ratio near it)
    neither opens an episode nor ends what was met.
    """
    times = rules.bilirubin_times_upper_limit
    low_albumin, low_ratio = rules.albumin_least_g_l, rules.prothrombin_ratio_least_percent
    bilirubin_days, albumin_days, ratio_days = _by_day(bilirubin), _by_day(albumin), _by_day(prothrombin)

    run = _Run(Criterion.HEPATIC, "hepatic", CRITERION_WORDS[Criterion.HEPATIC], _(_RESOLVED))
    latest_bilirubin: list[LabFact] = []
    last_albumin: LabFact | None = None
    last_ratio: LabFact | None = None
    high_bilirubin: Said | None = None
    low_pair: Said | None = None
    for day in sorted({*bilirubin_days, *albumin_days, *ratio_days}):
        if day in bilirubin_days:
            latest_bilirubin = bilirubin_days[day]
            high = [lab for lab in latest_bilirubin if _is_high_bilirubin(lab, rules)]
            if high:
                worst = max(high, key=lambda lab: (lab.value, -(lab.upper_limit or 0)))
                limit = worst.upper_limit or Decimal(0)
                high_bilirubin = _saying(_ABOVE_LIMIT, worst, times=times, limit=limit)
            elif all(
                lab.upper_limit is not None or _is_back(lab, baseline, first_on) for lab in latest_bilirubin
            ):
                high_bilirubin = None
        if day in albumin_days:
            last_albumin = min(albumin_days[day], key=lambda lab: lab.value)
        if day in ratio_days:
            last_ratio = min(ratio_days[day], key=lambda lab: lab.value)
        is_low = _is_low_pair(last_albumin, last_ratio, low_albumin, low_ratio)
        if is_low and last_albumin and last_ratio:
            low_pair = _saying(
                _LOW_PAIR,
                last_albumin,
                ratio=last_ratio.value,
                ratio_on=last_ratio.on,
                low_albumin=low_albumin,
                low_ratio=low_ratio,
            )
        elif is_low is False:
            low_pair = None
        met = [text for text in (high_bilirubin, low_pair) if text]
        if met:
            run.meet(day, met)
        elif run.is_open and all(_is_back(lab, baseline, first_on) for lab in latest_bilirubin):
            run.resolve(day)
    return run.episodes()


def _is_low_pair(
    albumin: LabFact | None, ratio: LabFact | None, low_albumin: Decimal, low_ratio: Decimal
) -> bool | None:
    """Return whether albumin and prothrombin ratio are both low; None when it cannot be told.

    Further apart than ``PAIR_DAYS`` they are not read together: then only a normal newer one tells anything.
    """
    albumin_is_low = albumin is not None and albumin.value < low_albumin
    ratio_is_low = ratio is not None and ratio.value < low_ratio
    if albumin and ratio and abs((albumin.on - ratio.on).days) <= PAIR_DAYS:
        return albumin_is_low and ratio_is_low
    if albumin and (ratio is None or albumin.on > ratio.on):
        return None if albumin_is_low else False
    return None if ratio_is_low else False


def _is_high_bilirubin(lab: LabFact, rules: DoseRules) -> bool:
    return lab.upper_limit is not None and lab.value > rules.bilirubin_times_upper_limit * lab.upper_limit


def _is_risen(
    value: Decimal, baseline: Decimal | None, on: date, first_on: date | None, percent: Decimal
) -> bool:
    if baseline is None or not _is_after(on, first_on):
        return False
    # Of a baseline of 0 everything would be a rise; a creatinine of 0 is none.
    return baseline > 0 and value * 100 >= baseline * (100 + percent)


def _is_back(lab: LabFact, baseline: Decimal | None, first_on: date | None) -> bool:
    """Return whether a creatinine or bilirubin is normal or not above baseline; untreated it is its own baseline."""
    if not _is_after(lab.on, first_on):
        return True
    return (lab.upper_limit is not None and lab.value <= lab.upper_limit) or (
        baseline is not None and lab.value <= baseline
    )


def _is_after(on: date, first_on: date | None) -> bool:
    """Return whether a sample was taken after the first administration; that day's was taken before it."""
    return first_on is not None and on > first_on


_Dated = TypeVar("_Dated", LabFact, ClearanceFact)


def _baseline(
    facts: Sequence[_Dated],
    first_on: date | None,
    *,
    better: Callable[[Iterable[Decimal]], Decimal],
    value: Callable[[_Dated], Decimal],
) -> Decimal | None:
    """Return the last value on or before the first administration; of one day's the better, which shows a change sooner.

    None before the first administration, or without such a value.
    """
    if first_on is None:
        return None
    last_on = max((fact.on for fact in facts if fact.on <= first_on), default=None)
    return None if last_on is None else better(value(fact) for fact in facts if fact.on == last_on)


def _by_day(facts: Sequence[_Dated]) -> dict[date, list[_Dated]]:
    days: dict[date, list[_Dated]] = defaultdict(list)
    for fact in facts:
        days[fact.on].append(fact)
    return dict(days)


def _grade(lab: LabFact) -> int:
    return -1 if lab.grade is None else lab.grade


def _saying(message: str, lab: LabFact | None = None, **places: Decimal | date) -> Said:
    """Return what says a message, of a value where it begins with one."""

    def said() -> str:
        filled = {
            name: on_day(what) if isinstance(what, date) else _number(what) for name, what in places.items()
        }
        return _(message).format(**filled, **(_measured(lab) if lab is not None else {}))

    return said


def _measured(lab: LabFact) -> dict[str, str]:
    """Return what stands in the places of a sentence that begins with a value."""
    analyte = ANALYTES[lab.analyte]
    name = _sentence_start(_(analyte.name))
    return {"analyte": name, "value": _number(lab.value), "unit": analyte.unit, "on": on_day(lab.on)}


def _number(value: Decimal) -> str:
    """Return a number as text, one text for equal numbers: 62.0 and 62 are both "62", 3700 is "3,700".

    Cut off, not rounded, after two decimals: 39.997 is never said to be 40 where it lies below.
    """
    shown = value if value == value.to_integral_value() else value.quantize(Decimal("0.01"), ROUND_DOWN)
    return written(f"{shown.normalize():,f}")


def _sentence_start(text: str) -> str:
    return text[:1].upper() + text[1:]
