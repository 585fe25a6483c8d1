"""The outcome of one course, derived from its facts up to a data cut-off: status, times to events, best responses.

Sources: RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247) for best overall response; FDA guidance
"Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics" for PFS and time to progression, its Appendix 3,
example tables for PFS analysis, for the two censoring options. In words, with worked examples: docs/rules/endpoints.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NoReturn, Self, cast, get_args

from analytics.rules import sentences
from analytics.rules.exposure import (
    AdverseEvent,
    Plan,
    delayed_cycles,
    dose_intensity_percent,
    reduced_cycles,
    worst_grades,
)
from imaging.rules import best_response
from imaging.rules.best_response import CONFIRMATION_DAYS, OBJECTIVE_RESPONSES
from imaging.rules.sstr import SstrClass
from languages.wording import Words, day, gettext_noop, number
from languages.wording import gettext as _

__all__ = [
    "MONTH_DAYS",
    "AdverseEvent",
    "Assessment",
    "CourseFacts",
    "DerivedOutcome",
    "EndpointDefinition",
    "Plan",
    "TimeToEvent",
    "counts_for_orr",
    "derive",
]

MONTH_DAYS = Decimal("30.4375")  # 365.25 / 12

# The shipped protocol scans every second cycle of 8 weeks, 16 weeks apart, and allows a week each way.
# Whoever is seen later than twice that after the last adequate assessment has missed two in a row.
DEFAULT_MISSED_GAP_DAYS = 2 * (16 * 7 + 7)

CensoringRule = Literal["ignore", "censor"]
TimeZero = Literal["first_administration", "diagnosis"]
ClinicalProgression = Literal["event", "ignore"]
DeathInPfs = Literal["event", "censor"]
Confirmation = Literal["none", "required"]
AnalysisSet = Literal["treated", "response_evaluable", "completed"]
Interval = Literal["clopper_pearson", "wilson"]
OrrDenominator = Literal["response_evaluable", "all_treated"]
CourseStatus = Literal["completed", "discontinued", "ongoing"]

_CHOICES = {
    "time_zero": TimeZero,
    "clinical_progression": ClinicalProgression,
    "death_in_pfs": DeathInPfs,
    "new_therapy": CensoringRule,
    "missed_assessments": CensoringRule,
    "confirmation": Confirmation,
    "analysis_set": AnalysisSet,
    "orr_denominator": OrrDenominator,
    "interval": Interval,
}
MOST_DAYS = 3650  # of a rule: longer is a slip of the pen

_REASONS = Words(
    {
        # Events.
        "overall_response_pd": gettext_noop("overall response PD"),
        "clinical_progression": gettext_noop("clinical progression"),
        "death": gettext_noop("death"),
        "response": gettext_noop("first response"),
        "next_therapy": gettext_noop("start of another anticancer therapy"),
        "discontinued": gettext_noop("treatment discontinued"),
        # Censoring.
        "last_adequate_assessment": gettext_noop("last adequate assessment"),
        "time_zero": gettext_noop("first administration, nothing known after it"),
        "last_known_alive": gettext_noop("last known alive"),
        "new_therapy": gettext_noop("last known progression-free before another anticancer therapy"),
        "missed_assessments": gettext_noop(
            "last known progression-free before two or more missed assessments"
        ),
        "before_death": gettext_noop("last known progression-free before a death that is no event here"),
        "no_response": gettext_noop("no response until then"),
        "completed": gettext_noop("treatment completed"),
        "ongoing": gettext_noop("treatment going on when last known alive"),
    }
)
# What stands behind the colon of a basis: what PFS ended by, or why treatment was stopped. Codes of responses stay.
_DETAILS = Words(
    {
        "overall_response_pd": gettext_noop("overall response pd"),
        "clinical_progression": gettext_noop("clinical progression"),
        "death": gettext_noop("death"),
        "last_adequate_assessment": gettext_noop("last adequate assessment"),
        "time_zero": gettext_noop("time zero"),
        "new_therapy": gettext_noop("new therapy"),
        "missed_assessments": gettext_noop("missed assessments"),
        "before_death": gettext_noop("before death"),
        "progression": gettext_noop("progression"),
        "haematological": gettext_noop("haematological"),
        "renal": gettext_noop("renal"),
        "hepatic": gettext_noop("hepatic"),
        "other_toxicity": gettext_noop("other toxicity"),
        "comorbidity": gettext_noop("comorbidity"),
        "patient_choice": gettext_noop("patient choice"),
        "logistics": gettext_noop("logistics"),
    }
)
_EVENTS = frozenset(list(_REASONS)[:6])

# Stored with an outcome, in English: why a course counts for response or does not.
_NOTHING_GIVEN = gettext_noop("No cycle was given by the cut-off.")
_STILL_GOING_ON = gettext_noop("The course is still going on.")
_NO_BASELINE = gettext_noop("There is no baseline scan.")
_LATE_BASELINE = gettext_noop("The baseline scan is dated after the first administration.")
_NOT_ASSESSED = gettext_noop("There is no assessment after baseline.")
_ASSESSED = {
    "completed": gettext_noop("The course is completed, with a baseline scan and a later assessment."),
    "discontinued": gettext_noop("The course is discontinued, with a baseline scan and a later assessment."),
}
_PROGRESSED = {
    "completed": gettext_noop("The course is completed; the patient progressed before a later assessment."),
    "discontinued": gettext_noop(
        "The course is discontinued; the patient progressed before a later assessment."
    ),
}
_DIED = {
    "completed": gettext_noop("The course is completed; the patient died before a later assessment."),
    "discontinued": gettext_noop("The course is discontinued; the patient died before a later assessment."),
}
EVALUABLE_REASONS = sentences.Sentences(
    [
        *(_NOTHING_GIVEN, _STILL_GOING_ON, _NO_BASELINE, _LATE_BASELINE, _NOT_ASSESSED),
        *(*_ASSESSED.values(), *_PROGRESSED.values(), *_DIED.values()),
    ]
)

# Likewise why nothing could be derived.
_AFTER_DEATH = gettext_noop("{what} on {day}: expected on or before the death on {died_on}")
_NOT_DIAGNOSED = gettext_noop("No day of diagnosis is known, from which days are counted.")
_LATE_DIAGNOSIS = gettext_noop(
    "diagnosis on {day}: expected on or before the first administration on {started_on}"
)
_NO_CYCLES = gettext_noop("planned cycles {n}: expected at least 1")
_NOT_ASCENDING = gettext_noop("administration on {later} after {earlier}: expected ascending days")
_HALF_DISCONTINUED = gettext_noop("discontinued on {day}, reason {reason}: expected both or neither")
_CAUSE_WITHOUT_DEATH = gettext_noop("death cause {cause}: expected the day of death with it")
_BORN_LATER = gettext_noop("born on {birth_date}: expected on or before {on}")  # analytics.rules.baseline
PROBLEMS = sentences.Sentences(
    [
        *(_AFTER_DEATH, _NOT_DIAGNOSED, _LATE_DIAGNOSIS, _NO_CYCLES, _NOT_ASCENDING, _HALF_DISCONTINUED),
        *(_CAUSE_WITHOUT_DEATH, _BORN_LATER),
    ]
)

# Best first: how far the uptake fell.
SSTR_RANK = {code.value: rank for rank, code in enumerate(SstrClass)}
# The figures that a sentence of the definition is told beside.
_OF_TIMES = frozenset({"pfs", "os", "ttr", "ttnt", "ttd"})
_OF_PFS = frozenset({"pfs", "dor"})
_OF_RESPONSE = frozenset({"best-response"})
_OF_NONE: frozenset[str] = frozenset()
_DAY = timedelta(days=1)
_ZERO = Decimal(0)


@dataclass(frozen=True)
class EndpointDefinition:
    """What the endpoints of a cohort mean. Data: stored as JSON with the cohort, printed beside its figures.

    Args:
        new_therapy: "censor" ends PFS at the last adequate assessment on or before the start of another
            anticancer therapy that precedes the event; "ignore" follows the patient through it.
        missed_assessments: "censor" ends PFS at the last adequate assessment when the event came more than
            ``missed_gap_days`` after it; "ignore" counts the event on its day.
        missed_gap_days: days without an adequate assessment that mean two or more were missed.
        orr_denominator: who the objective response rate is a share of.
        landmark_months: months at which rates are given, ascending.
        month_days: days in a month.
        time_zero: from when days count. "diagnosis": patients are at risk from the first administration on.
        clinical_progression: "ignore" leaves a progression without a scan out: of PFS and of what ends a response.
        death_in_pfs: "censor" makes PFS the time to progression.
        confirmation: "required" counts a CR or PR that a second study confirmed as response.
        confirmation_days: from a CR or PR to the study that confirms it, at least.
        sd_minimum_days: from the first administration to a study that may count as stable disease, at least.
        analysis_set: which courses all figures count.
        interval: of rates.

    Raises:
        ValueError: a value outside its range.
    """

    new_therapy: CensoringRule = "ignore"
    missed_assessments: CensoringRule = "ignore"
    missed_gap_days: int = DEFAULT_MISSED_GAP_DAYS
    orr_denominator: OrrDenominator = "response_evaluable"
    landmark_months: tuple[int, ...] = (6, 12, 18, 24)
    month_days: Decimal = MONTH_DAYS
    time_zero: TimeZero = "first_administration"
    clinical_progression: ClinicalProgression = "event"
    death_in_pfs: DeathInPfs = "event"
    confirmation: Confirmation = "none"
    confirmation_days: int = CONFIRMATION_DAYS
    sd_minimum_days: int = 0
    analysis_set: AnalysisSet = "treated"
    interval: Interval = "clopper_pearson"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            _require_choice(name, getattr(self, name), get_args(choices))
        for name, least in (("missed_gap_days", 1), ("confirmation_days", 1), ("sd_minimum_days", 0)):
            days = getattr(self, name)
            if not _is_int(days) or not least <= days <= MOST_DAYS:
                raise ValueError(f"{name} {days!r}: expected whole days from {least} to {MOST_DAYS}")
        months = self.landmark_months
        if not isinstance(months, tuple) or not all(_is_int(month) and month > 0 for month in months):
            raise ValueError(f"landmark_months {months!r}: expected whole months from 1")
        if list(months) != sorted(set(months)):
            raise ValueError(f"landmark_months {months!r}: expected each month once, ascending")
        month = self.month_days
        if not isinstance(month, Decimal) or not (month.is_finite() and month > 0):
            raise ValueError(f"month_days {month!r}: expected a Decimal above 0, such as {MONTH_DAYS}")

    def to_json(self) -> dict[str, Any]:
        """Return every field as JSON values; ``month_days`` as text, since a JSON number would be a float."""
        months = list(self.landmark_months)
        return asdict(self) | {"landmark_months": months, "month_days": str(self.month_days)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the definition stored by ``to_json``; fields left out take their defaults.

        Raises:
            ValueError: an unknown key, or a value outside its range.
        """
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"endpoint definition: unknown {', '.join(unknown)}")
        values = dict(data)
        if isinstance(values.get("landmark_months"), list):
            values["landmark_months"] = tuple(values["landmark_months"])
        if "month_days" in values:
            try:
                values["month_days"] = Decimal(str(values["month_days"]))
            except InvalidOperation as error:
                raise ValueError(f"month_days {values['month_days']!r}: expected a number of days") from error
        return cls(**values)

    def in_words(self, figure: str = "") -> list[str]:
        """Return the definition as sentences in the reader's language, for print beside a figure or in a Methods section.

        Args:
            figure: "best-response" or an endpoint: the sentences alone that it rests on; "": all.
        """
        return [said for figures, said in self._sentences() if not figure or figure in figures]

    def _sentences(self) -> list[tuple[frozenset[str], str]]:
        """Return every sentence with the figures that rest on it."""
        told = [(_OF_TIMES, self._time_zero_in_words())]
        told += [(_OF_PFS, said) for said in self._pfs_in_words()]
        told += self._other_times_in_words()
        told += self._response_in_words()
        if self.landmark_months:
            *first, last = (str(month) for month in self.landmark_months)
            # "6, 12, 18 and 24"
            months = _("{first} and {last}").format(first=", ".join(first), last=last) if first else last
            said = _("Landmark rates are given at {months} months; a month is {days} days.")
            told.append((_OF_NONE, said.format(months=months, days=number(self.month_days))))
        return told

    def _time_zero_in_words(self) -> str:
        if self.time_zero == "diagnosis":
            return _(
                "Time zero is the diagnosis; a patient is at risk from the first administration on (delayed entry), and a "
                "patient without a day of diagnosis has no times."
            )
        return _("Time zero is the first administration.")

    def _pfs_in_words(self) -> list[str]:
        is_at_first_administration = self.time_zero == "first_administration"
        if is_at_first_administration:
            censored = _(
                "Without an event PFS is censored at the last adequate tumour assessment (any overall response but NE), or "
                "at time zero when there is none."
            )
        else:
            censored = _(
                "Without an event PFS is censored at the last adequate tumour assessment (any overall response but NE), or "
                "at the first administration when there is none."
            )
        if self.new_therapy == "censor":
            therapy = _(
                "Another anticancer therapy that started before the event censors PFS at the last adequate "
                "assessment on or before its start."
            )
        else:
            therapy = _(
                "Another anticancer therapy does not censor PFS; assessments made during a later course count for "
                "it, but are no response to this course."
            )
        if self.missed_assessments == "ignore":
            missed = _("Missed assessments do not censor PFS: an event counts however late it was found.")
        elif is_at_first_administration:
            missed = _(
                "An event more than {days} days after the last adequate assessment (or time zero) counts as preceded by two "
                "or more missed assessments, and PFS is censored there."
            )
        else:
            missed = _(
                "An event more than {days} days after the last adequate assessment (or the first administration) counts as "
                "preceded by two or more missed assessments, and PFS is censored there."
            )
        return [self._event_in_words(), censored, therapy, missed.format(days=self.missed_gap_days)]

    def _event_in_words(self) -> str:
        """Return what ends PFS."""
        if self.death_in_pfs == "censor" and self.clinical_progression == "event":
            return _(
                "Progression-free survival (PFS) is given as time to progression: the event is an overall response of "
                "progressive disease or a clinical progression; a death without one censors at the last adequate tumour "
                "assessment before it."
            )
        if self.death_in_pfs == "censor":
            return _(
                "Progression-free survival (PFS) is given as time to progression: the event is an overall response of "
                "progressive disease; a clinical progression without a scan is no progression; a death without one censors "
                "at the last adequate tumour assessment before it."
            )
        if self.clinical_progression == "event":
            return _(
                "Progression-free survival (PFS): the event is the first of an overall response of progressive disease, a "
                "clinical progression, or death of any cause."
            )
        return _(
            "Progression-free survival (PFS): the event is the first of an overall response of progressive disease or death "
            "of any cause; a clinical progression without a scan is no progression."
        )

    def _other_times_in_words(self) -> list[tuple[frozenset[str], str]]:
        if self.confirmation == "required":
            to_response = _(
                "Time to response: the event is the first confirmed CR or PR; without one it is censored where PFS ends."
            )
            of_response = _(
                "Duration of response: of courses with a confirmed CR or PR, from its first day to the event of PFS, and "
                "censored as PFS."
            )
        else:
            to_response = _(
                "Time to response: the event is the first CR or PR; without one it is censored where PFS ends."
            )
            of_response = _(
                "Duration of response: of courses with a CR or PR, from its first day to the event of PFS, and censored as "
                "PFS."
            )
        return [
            (
                frozenset({"os"}),
                _(
                    "Overall survival (OS): the event is death of any cause; without it OS is censored at the last date the "
                    "patient is known to have been alive."
                ),
            ),
            (_OF_PFS | {"ttr"}, to_response),
            (_OF_PFS, of_response),
            (
                frozenset({"ttnt"}),
                _(
                    "Time to next treatment: the event is the start of another anticancer therapy, a later course included, "
                    "or death; without one it is censored at the last date the patient is known to have been alive."
                ),
            ),
            (
                frozenset({"ttd"}),
                _(
                    "Time to discontinuation: the event is the end of treatment before completion for any reason, death "
                    "included; a completed course is censored at its last administration, an ongoing one at the last date "
                    "the patient is known to have been alive."
                ),
            ),
        ]

    def _response_in_words(self) -> list[tuple[frozenset[str], str]]:
        told = [(_OF_RESPONSE, self._best_in_words().format(days=self.confirmation_days))]
        if self.sd_minimum_days:
            said = _(
                "Stable disease counts from {days} days after the first administration on, before that as NE."
            )
            told.append((_OF_NONE, said.format(days=self.sd_minimum_days)))
        told.append((_OF_RESPONSE, self._rate_in_words()))
        if self.interval == "wilson":
            # xgettext:no-python-format
            told.append((_OF_NONE, _("Rates come with Wilson's 95 % limits.")))
        if self.analysis_set == "response_evaluable":
            told.append((_OF_NONE, _("All figures count response-evaluable courses alone.")))
        elif self.analysis_set == "completed":
            told.append((_OF_NONE, _("All figures count completed courses alone.")))
        return told

    def _best_in_words(self) -> str:
        is_confirmed, on_any_basis = self.confirmation == "required", self.clinical_progression == "event"
        if is_confirmed and on_any_basis:
            return _(
                "Best overall response is the best up to the first progression on any basis; CR and PR count as response "
                "when a second scan confirms them {days} days or more later."
            )
        if is_confirmed:
            return _(
                "Best overall response is the best up to the first progression on a scan; CR and PR count as response when "
                "a second scan confirms them {days} days or more later."
            )
        if on_any_basis:
            return _(
                "Best overall response is the best up to the first progression on any basis; no confirmation by a second "
                "scan is asked for."
            )
        return _(
            "Best overall response is the best up to the first progression on a scan; no confirmation by a second scan is "
            "asked for."
        )

    def _rate_in_words(self) -> str:
        is_confirmed, of_evaluable = (
            self.confirmation == "required",
            self.orr_denominator == "response_evaluable",
        )
        if is_confirmed and of_evaluable:
            return _(
                "The objective response rate (ORR) is confirmed CR or PR among the response-evaluable: course finished or "
                "stopped, with a baseline scan and a later assessment, or progression or death before one."
            )
        if of_evaluable:
            return _(
                "The objective response rate (ORR) is CR or PR among the response-evaluable: course finished or stopped, "
                "with a baseline scan and a later assessment, or progression or death before one."
            )
        if is_confirmed:
            return _(
                "The objective response rate (ORR) is confirmed CR or PR among all patients given at least one cycle."
            )
        return _("The objective response rate (ORR) is CR or PR among all patients given at least one cycle.")


@dataclass(frozen=True)
class Assessment(best_response.Assessment):
    """An assessment with the timepoint of its study and the class of its uptake.

    Args:
        timepoint: code of the study's timepoint; "" where nobody asks.
        sstr: one of ``imaging.rules.sstr.SstrClass``; "": the study shows no uptake, or nobody said.

    Raises:
        ValueError: an unknown response of either kind.
    """

    timepoint: str = ""
    sstr: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sstr and self.sstr not in SSTR_RANK:
            raise ValueError(
                f"SSTR response {self.sstr!r} on {self.on}: expected one of {', '.join(SSTR_RANK)}"
            )


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """What is recorded of one patient and one course; all days are local centre dates.

    Args:
        planned_cycles: cycles of the protocol.
        administered_on: days on which cycles were given, ascending.
        discontinued_on, discontinuation_reason: recorded end before completion and its main reason, or
            neither.
        baseline_on: day of the baseline scan.
        assessments: overall responses after baseline, in any order.
        clinical_progressions, new_therapies: days of progression without a scan; starts of other therapies.
        known_alive: contact dates.
        died_on, death_cause: a cause needs a death.
        later_assessments: overall responses read during a later course of the patient; they tell of progression and of
            life, but are no response to this course.
        diagnosed_on: None: not known.
        is_measurable: whether there were target lesions at baseline.
        plan: of the protocol; None: nothing is said of exposure.
        activities_mbq, prescribed_mbq: administered and prescribed, MBq, of each of ``administered_on``; or nothing.
        adverse_events: of the patient, in any order.
        next_course_on: first administration of the patient's next course; adverse events from then on are that one's.

    Raises:
        ValueError: a field contradicts another whatever the cut-off. What contradicts only in time (a scan
            after death) is refused by ``derive``, since a fact after the cut-off does not exist.
    """

    planned_cycles: int
    administered_on: tuple[date, ...]
    discontinued_on: date | None
    discontinuation_reason: str | None
    baseline_on: date | None
    assessments: tuple[Assessment, ...]
    clinical_progressions: tuple[date, ...]
    new_therapies: tuple[date, ...]
    known_alive: tuple[date, ...]
    died_on: date | None
    death_cause: str | None
    later_assessments: tuple[Assessment, ...] = ()
    diagnosed_on: date | None = None
    is_measurable: bool = True
    plan: Plan | None = None
    activities_mbq: tuple[Decimal, ...] = ()
    prescribed_mbq: tuple[Decimal, ...] = ()
    adverse_events: tuple[AdverseEvent, ...] = ()
    next_course_on: date | None = None

    def __post_init__(self) -> None:
        if self.planned_cycles < 1:
            raise ValueError(_NO_CYCLES.format(n=self.planned_cycles))
        for earlier, later in pairwise(self.administered_on):
            if later <= earlier:
                raise ValueError(_NOT_ASCENDING.format(later=later, earlier=earlier))
        if (self.discontinued_on is None) != (self.discontinuation_reason is None):
            raise ValueError(
                _HALF_DISCONTINUED.format(day=self.discontinued_on, reason=self.discontinuation_reason)
            )
        if self.death_cause is not None and self.died_on is None:
            raise ValueError(_CAUSE_WITHOUT_DEATH.format(cause=self.death_cause))


@dataclass(frozen=True, slots=True)
class TimeToEvent:
    """Days to an event, or to where the knowledge of the patient ends (censored).

    Args:
        days: from time zero, of a duration of response from its first day; 0 or more.
        event: False means censored.
        on: the day it falls on.
        basis: short code of what decided it. Events: "overall_response_pd", "clinical_progression", "death", "response"
            with its code, "next_therapy", "discontinued" with its reason; the code follows a colon. Censored:
            "last_adequate_assessment", "time_zero", "last_known_alive", "new_therapy", "missed_assessments",
            "before_death", "no_response" with what PFS ended by, "completed", "ongoing".

    Raises:
        ValueError: negative days, or a basis that does not fit.
    """

    days: int
    event: bool
    on: date
    basis: str

    def __post_init__(self) -> None:
        if self.days < 0:
            raise ValueError(f"{self.days} days to {self.on}: expected a day on or after time zero")
        if _is_event(self.basis) is not self.event:
            raise ValueError(
                f"basis {self.basis!r}: expected one of {'an event' if self.event else 'censoring'}"
            )

    def reason(self) -> str:
        """Return for people, e.g. "censored at 2019-11-04: last adequate assessment"."""
        code, _colon, detail = self.basis.partition(":")
        why = _REASONS[code]
        if detail:
            behind = _DETAILS[detail] if detail in _DETAILS else detail.replace("_", " ")
            why = f"{why} ({behind})"
        said = _("event at {day}: {why}") if self.event else _("censored at {day}: {why}")
        return said.format(day=day(self.on), why=why)


@dataclass(slots=True)  # not frozen: 26 fields a course are set in half the time
class DerivedOutcome:
    """One course at a cut-off.

    Args:
        started_on: first administration; None when nothing was given by the cut-off, and then there are no times.
        time_zero: from which days count; None as ``started_on``, or where the day that the definition asks for is not known.
        entry_days: from ``time_zero`` to ``started_on``: at risk only from then on.
        problem: why there are no times although a cycle was given; "": there are.
        status: "completed", "discontinued" or "ongoing".
        cycles_given: by the cut-off.
        discontinued_after_cycle: cycles given by the discontinuation; None unless discontinued.
        discontinuation_reason: as recorded, or "death"; None unless discontinued.
        pfs, os, ttr, dor, ttnt, ttd: time to progression or death, to death, to response, from response to progression
            or death (None without a response), to the next treatment, to discontinuation.
        best_overall_response: without confirmation, "CR" to "NE"; None when no assessment from the first
            administration to first progression.
        confirmed_best_overall_response: the same where CR and PR need a second study.
        best_sstr_response: of the same assessments; None where none says one.
        responses: "timepoint:day:RECIST:SSTR" of each assessment of this course, by day.
        response_evaluable, response_evaluable_reason: whether, and why in words.
        death_cause: as recorded; None unless the death is on or before the cut-off.
        cumulative_activity_mbq, dose_intensity_percent, delayed_cycles, reduced_cycles: see ``exposure``; None when
            nothing was given.
        toxicities: "term:cycle:grade", see ``exposure.worst_grades``.
    """

    started_on: date | None
    time_zero: date | None
    entry_days: int
    problem: str
    status: CourseStatus
    cycles_given: int
    discontinued_after_cycle: int | None
    discontinuation_reason: str | None
    pfs: TimeToEvent | None
    os: TimeToEvent | None
    ttr: TimeToEvent | None
    dor: TimeToEvent | None
    ttnt: TimeToEvent | None
    ttd: TimeToEvent | None
    best_overall_response: str | None
    confirmed_best_overall_response: str | None
    best_sstr_response: str | None
    responses: list[str]
    response_evaluable: bool
    response_evaluable_reason: str
    death_cause: str | None
    cumulative_activity_mbq: Decimal | None
    dose_intensity_percent: Decimal | None
    delayed_cycles: int | None
    reduced_cycles: int | None
    toxicities: list[str]


def derive(facts: CourseFacts, definition: EndpointDefinition, *, cutoff: date) -> DerivedOutcome:
    """Return the outcome of one course as it was known at the end of the day ``cutoff``.

    A fact on the cut-off day counts, a later one does not exist. A progression or assessment before the first
    administration does not count either: it belongs to the time before treatment.

    Raises:
        ValueError: the facts up to the cut-off contradict each other: a sign of life after the death, or, where days
            count from the diagnosis, a diagnosis after the first administration.
    """
    if cutoff != date.max:
        facts = _up_to(facts, cutoff)
    last_alive_on = _last_sign_of_life(facts)
    died_on = facts.died_on
    if died_on is not None and last_alive_on is not None and last_alive_on > died_on:
        _refuse_life_after_death(facts, died_on)

    status, discontinued_after_cycle, reason = _status(facts)
    if not facts.administered_on or last_alive_on is None:
        return _not_started(facts, status, discontinued_after_cycle, reason)

    started_on = facts.administered_on[0]
    assessments = [a for a in facts.assessments if a.on >= started_on]
    clinical_on = None
    if definition.clinical_progression == "event" and facts.clinical_progressions:
        clinical_on = min((on for on in facts.clinical_progressions if on >= started_on), default=None)
    therapy_on = None
    if facts.new_therapies:
        # One begun on the day of the first administration is given along with the course.
        therapy_on = min((on for on in facts.new_therapies if on > started_on), default=None)
    scans = assessments
    later_pd_on = None
    if facts.later_assessments:
        later = [a for a in facts.later_assessments if a.on >= started_on]
        later_pd_on = min((a.on for a in later if a.response == "PD"), default=None)
        scans = assessments + later

    until = cutoff
    for progressed_on in (clinical_on, later_pd_on):
        if progressed_on is not None and progressed_on < until:
            until = progressed_on
    best, confirmed, sstr, responded = _best_responses(facts, assessments, definition, started_on, until)

    time_zero, problem = _time_zero(facts, definition, started_on)
    pfs = overall = ttr = dor = ttnt = ttd = None
    responses: list[str] = []
    if time_zero is not None:
        pfs_on, basis = _progression_free(scans, definition, started_on, clinical_on, therapy_on, died_on)
        pfs = _from(time_zero, pfs_on, basis)
        # A response seen only after PFS has ended (another therapy censored it) is none of these times.
        if responded is not None and responded[0] <= pfs_on:
            responded_on, response = responded
            ttr = _from(time_zero, responded_on, f"response:{response}")
            dor = _from(responded_on, pfs_on, basis)
        else:
            ttr = pfs if not pfs.event else _from(time_zero, pfs_on, f"no_response:{basis}")
        if died_on is not None:
            overall = _from(time_zero, died_on, "death")
        elif last_alive_on > started_on:
            overall = _from(time_zero, last_alive_on, "last_known_alive")
        else:
            overall = _from(time_zero, started_on, "time_zero")
        ttnt = overall
        if therapy_on is not None:
            ttnt = _from(time_zero, therapy_on, "next_therapy")
        ttd = _from(time_zero, *_treatment_end(facts, status, reason, last_alive_on))
        if assessments:
            read = [(a.on, a.timepoint, a.response, a.sstr) for a in assessments]
            read.sort()
            responses = [
                f"{timepoint}:{(on - time_zero).days}:{response}:{sstr_response}"
                for on, timepoint, response, sstr_response in read
            ]

    is_evaluable, why = _response_evaluable(facts, status, started_on, bool(assessments), clinical_on)
    activity = intensity = delayed = reduced = None
    if facts.activities_mbq:
        activity = sum(facts.activities_mbq, _ZERO)
        if facts.plan is not None:
            intensity = dose_intensity_percent(facts.plan, facts.administered_on, activity)
    if facts.plan is not None:
        delayed = delayed_cycles(facts.plan, facts.administered_on)
        reduced = reduced_cycles(facts.plan, facts.prescribed_mbq)
    toxicities: list[str] = []
    if facts.adverse_events:
        last_own_day = cutoff if facts.next_course_on is None else facts.next_course_on - _DAY
        toxicities = worst_grades(facts.adverse_events, facts.administered_on, until=last_own_day)
    return DerivedOutcome(
        started_on=started_on,
        time_zero=time_zero,
        entry_days=(started_on - time_zero).days if time_zero is not None else 0,
        problem=problem,
        status=status,
        cycles_given=len(facts.administered_on),
        discontinued_after_cycle=discontinued_after_cycle,
        discontinuation_reason=reason,
        pfs=pfs,
        os=overall,
        ttr=ttr,
        dor=dor,
        ttnt=ttnt,
        ttd=ttd,
        best_overall_response=best,
        confirmed_best_overall_response=confirmed,
        best_sstr_response=sstr,
        responses=responses,
        response_evaluable=is_evaluable,
        response_evaluable_reason=why,
        death_cause=facts.death_cause,
        cumulative_activity_mbq=activity,
        dose_intensity_percent=intensity,
        delayed_cycles=delayed,
        reduced_cycles=reduced,
        toxicities=toxicities,
    )


def counts_for_orr(outcome: DerivedOutcome, definition: EndpointDefinition) -> bool:
    """Return whether the course is in the denominator of the objective response rate."""
    if definition.orr_denominator == "response_evaluable":
        return outcome.response_evaluable
    return outcome.started_on is not None


def _not_started(
    facts: CourseFacts, status: CourseStatus, after_cycle: int | None, reason: str | None
) -> DerivedOutcome:
    return DerivedOutcome(
        started_on=None,
        time_zero=None,
        entry_days=0,
        problem="",
        status=status,
        cycles_given=0,
        discontinued_after_cycle=after_cycle,
        discontinuation_reason=reason,
        pfs=None,
        os=None,
        ttr=None,
        dor=None,
        ttnt=None,
        ttd=None,
        best_overall_response=None,
        confirmed_best_overall_response=None,
        best_sstr_response=None,
        responses=[],
        response_evaluable=False,
        response_evaluable_reason=_NOTHING_GIVEN,
        death_cause=facts.death_cause,
        cumulative_activity_mbq=None,
        dose_intensity_percent=None,
        delayed_cycles=None,
        reduced_cycles=None,
        toxicities=[],
    )


def _up_to(facts: CourseFacts, cutoff: date) -> CourseFacts:
    """Return the facts dated on or before the cut-off; reason and cause go with their day."""
    discontinued = facts.discontinued_on is not None and facts.discontinued_on <= cutoff
    died = facts.died_on is not None and facts.died_on <= cutoff
    administered_on = _days_to(facts.administered_on, cutoff)
    given = len(administered_on)
    return CourseFacts(
        planned_cycles=facts.planned_cycles,
        administered_on=administered_on,
        discontinued_on=facts.discontinued_on if discontinued else None,
        discontinuation_reason=facts.discontinuation_reason if discontinued else None,
        baseline_on=_day_to(facts.baseline_on, cutoff),
        assessments=tuple(a for a in facts.assessments if a.on <= cutoff),
        clinical_progressions=_days_to(facts.clinical_progressions, cutoff),
        new_therapies=_days_to(facts.new_therapies, cutoff),
        known_alive=_days_to(facts.known_alive, cutoff),
        died_on=facts.died_on if died else None,
        death_cause=facts.death_cause if died else None,
        later_assessments=tuple(a for a in facts.later_assessments if a.on <= cutoff),
        diagnosed_on=_day_to(facts.diagnosed_on, cutoff),
        is_measurable=facts.is_measurable,
        plan=facts.plan,
        activities_mbq=facts.activities_mbq[:given],
        prescribed_mbq=facts.prescribed_mbq[:given],
        adverse_events=facts.adverse_events,
        next_course_on=_day_to(facts.next_course_on, cutoff),
    )


def _day_to(day: date | None, cutoff: date) -> date | None:
    return day if day is not None and day <= cutoff else None


def _days_to(days: tuple[date, ...], cutoff: date) -> tuple[date, ...]:
    return tuple([day for day in days if day <= cutoff]) if days else days


def _last_sign_of_life(facts: CourseFacts) -> date | None:
    """Return the last day of what ``_signs_of_life`` lists; None where there is nothing."""
    days = [*facts.administered_on, *facts.known_alive, *facts.clinical_progressions, *facts.new_therapies]
    days += [a.on for a in facts.assessments]
    days += [a.on for a in facts.later_assessments]
    if facts.baseline_on is not None:
        days.append(facts.baseline_on)
    return max(days, default=None)


def _signs_of_life(facts: CourseFacts) -> list[tuple[str, date]]:
    """Return what only a living patient can have, in no order.

    A discontinuation is not among it: it is a decision that can be taken, or entered, after a death.
    """
    signs = [
        *((gettext_noop("administration"), day) for day in facts.administered_on),
        *(
            (gettext_noop("assessment"), assessment.on)
            for assessment in (*facts.assessments, *facts.later_assessments)
        ),
        *((gettext_noop("clinical progression"), day) for day in facts.clinical_progressions),
        *((gettext_noop("start of another therapy"), day) for day in facts.new_therapies),
        *((gettext_noop("contact with the patient"), day) for day in facts.known_alive),
    ]
    if facts.baseline_on is not None:
        signs.append((gettext_noop("baseline scan"), facts.baseline_on))
    return signs


def _refuse_life_after_death(facts: CourseFacts, died_on: date) -> NoReturn:
    what, on = next((what, on) for what, on in _signs_of_life(facts) if on > died_on)
    raise ValueError(_AFTER_DEATH.format(what=what, day=on, died_on=died_on))


def _status(facts: CourseFacts) -> tuple[CourseStatus, int | None, str | None]:
    """Return the status, the cycles given by the discontinuation and its reason.

    All planned cycles given is completed, whatever else was recorded. A recorded discontinuation keeps its
    reason even when the patient died as well; a death alone is the reason "death".
    """
    if len(facts.administered_on) >= facts.planned_cycles:
        return "completed", None, None
    if facts.discontinued_on is not None:
        given_by_then = sum(day <= facts.discontinued_on for day in facts.administered_on)
        return "discontinued", given_by_then, facts.discontinuation_reason
    if facts.died_on is not None:
        return "discontinued", len(facts.administered_on), "death"
    return "ongoing", None, None


def _time_zero(
    facts: CourseFacts, definition: EndpointDefinition, started_on: date
) -> tuple[date | None, str]:
    """Return from which day days count, or None and why there is none."""
    if definition.time_zero == "first_administration":
        return started_on, ""
    if facts.diagnosed_on is None:
        return None, _NOT_DIAGNOSED
    if facts.diagnosed_on > started_on:
        raise ValueError(_LATE_DIAGNOSIS.format(day=facts.diagnosed_on, started_on=started_on))
    return facts.diagnosed_on, ""


def _best_responses(
    facts: CourseFacts,
    assessments: Sequence[Assessment],
    definition: EndpointDefinition,
    started_on: date,
    until: date,
) -> tuple[str | None, str | None, str | None, tuple[date, str] | None]:
    """Return the best response without and with confirmation, the best SSTR response, and day and code of the first
    response that counts, if there is one.
    """
    if not assessments:
        return None, None, None, None
    counted = cast("list[Assessment]", best_response.counted_assessments(assessments, until=until))
    if not counted:
        return None, None, None, None
    rank = best_response.RESPONSE_RANK
    codes = {a.sstr for a in counted}
    codes.discard("")
    sstr = min(codes, key=SSTR_RANK.__getitem__) if codes else None
    first, best = None, None
    for a in counted:  # oldest first, and the first of two of one rank counts
        response = a.response
        if best is None or rank[response] < rank[best]:
            best = response
        if first is None and response in OBJECTIVE_RESPONSES:
            first = a
    if not definition.sd_minimum_days and first is None:  # nothing to confirm
        return best, best, sstr, None
    rules = best_response.ResponseRules(definition.confirmation_days, definition.sd_minimum_days)
    if definition.sd_minimum_days:
        best = best_response.best_unconfirmed(
            counted, time_zero=started_on, until=until, rules=rules
        ).response
    found = best_response.best_confirmed(
        counted, time_zero=started_on, until=until, rules=rules, is_measurable=facts.is_measurable
    )
    responded = None
    if definition.confirmation == "none":
        responded = None if first is None else (first.on, first.response)
    elif found.responded_on is not None:
        on = found.responded_on
        responded = next(
            (a.on, a.response) for a in counted if a.on == on and a.response in OBJECTIVE_RESPONSES
        )
    return best, found.response, sstr, responded


def _progression_free(
    scans: Sequence[Assessment],
    definition: EndpointDefinition,
    started_on: date,
    clinical_on: date | None,
    therapy_on: date | None,
    died_on: date | None,
) -> tuple[date, str]:
    """Return the day and the basis of PFS from facts that lie between the first administration and the cut-off."""
    # Which basis is named when several events fall on one day: the read scan first, as it can be looked at again;
    # death last, as overall survival names it anyway.
    event_on, basis = None, ""
    last_adequate_on = None
    for a in scans:
        if a.response == "PD" and (event_on is None or a.on < event_on):
            event_on, basis = a.on, "overall_response_pd"
        if a.response != "NE" and (last_adequate_on is None or a.on > last_adequate_on):
            last_adequate_on = a.on
    if clinical_on is not None and (event_on is None or clinical_on < event_on):
        event_on, basis = clinical_on, "clinical_progression"
    if (
        died_on is not None
        and definition.death_in_pfs == "event"
        and (event_on is None or died_on < event_on)
    ):
        event_on, basis = died_on, "death"

    # On the same day the event came first: progression is why another therapy starts.
    if (
        definition.new_therapy == "censor"
        and therapy_on is not None
        and (event_on is None or therapy_on < event_on)
    ):
        return _last_adequate(scans, therapy_on) or started_on, "new_therapy"
    if event_on is None:
        if died_on is not None:
            return last_adequate_on or started_on, "before_death"
        if last_adequate_on is None:
            return started_on, "time_zero"
        return last_adequate_on, "last_adequate_assessment"
    if definition.missed_assessments == "censor":
        # The scan that shows the progression is itself an adequate assessment; what counts is the one before.
        looked_until = event_on - _DAY if basis == "overall_response_pd" else event_on
        last = _last_adequate(scans, looked_until) or started_on
        if (event_on - last).days > definition.missed_gap_days:
            return last, "missed_assessments"
    return event_on, basis


def _last_adequate(scans: Sequence[Assessment], day: date) -> date | None:
    return max((a.on for a in scans if a.on <= day and a.is_adequate), default=None)


def _treatment_end(
    facts: CourseFacts, status: CourseStatus, reason: str | None, last_alive_on: date
) -> tuple[date, str]:
    """Return when the course's treatment ended or was last known to go on, and the basis.

    A discontinuation that was entered after a death ends no later than the death, and none ends before a cycle that was
    given all the same.
    """
    last_given_on = facts.administered_on[-1]
    if status == "completed":
        return last_given_on, "completed"
    if status == "ongoing":
        return last_alive_on, "ongoing"
    ends = [on for on in (facts.discontinued_on, facts.died_on) if on is not None]
    return max(min(ends), last_given_on), f"discontinued:{reason}"


def _response_evaluable(
    facts: CourseFacts, status: CourseStatus, started_on: date, is_assessed: bool, clinical_on: date | None
) -> tuple[bool, str]:
    """Return whether the course counts for response, and why.

    A later assessment counts even when it is NE: to leave such patients out would raise the response rate.
    """
    if status == "ongoing":
        return False, _STILL_GOING_ON
    if facts.baseline_on is None:
        return False, _NO_BASELINE
    if facts.baseline_on > started_on:
        return False, _LATE_BASELINE
    if is_assessed:
        return True, _ASSESSED[status]
    if clinical_on is not None:
        return True, _PROGRESSED[status]
    if facts.died_on is not None:
        return True, _DIED[status]
    return False, _NOT_ASSESSED


def _from(zero: date, on: date, basis: str) -> TimeToEvent:
    return TimeToEvent((on - zero).days, _is_event(basis) is True, on, basis)


@cache
def _is_event(basis: str) -> bool | None:
    """Return whether a basis is that of an event; None: of neither."""
    code = basis.partition(":")[0]
    return code in _EVENTS if code in _REASONS else None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # JSON's true is no number of days


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r}: expected {' or '.join(choices)}")
