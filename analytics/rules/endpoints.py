"""The outcome of one course, derived from its facts up to a data cut-off: status, PFS, OS, best response.

Sources: RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247) for best overall response; FDA guidance
"Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics", Appendix 3, example tables for PFS
analysis, for the two censoring options. In words, with worked examples: docs/rules/endpoints.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self, get_args

from analytics.rules.response import Assessment, best_overall_response
from imaging.rules.best_response import CONFIRMATION_DAYS

__all__ = [
    "MONTH_DAYS",
    "Assessment",
    "CourseFacts",
    "DerivedOutcome",
    "EndpointDefinition",
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

_REASONS = {
    # Events.
    "overall_response_pd": "overall response PD",
    "clinical_progression": "clinical progression",
    "death": "death",
    # Censoring.
    "last_adequate_assessment": "last adequate assessment",
    "time_zero": "first administration, nothing known after it",
    "last_known_alive": "last known alive",
    "new_therapy": "last known progression-free before another anticancer therapy",
    "missed_assessments": "last known progression-free before two or more missed assessments",
}
# Which basis is named when several events fall on one day: the read scan first, as it can be looked at again;
# death last, as overall survival names it anyway.
_EVENT_ORDER = {"overall_response_pd": 0, "clinical_progression": 1, "death": 2}


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

    def in_words(self) -> list[str]:
        """Return the definition as sentences, for print beside a figure or in a Methods section."""
        sentences = [self._time_zero_in_words(), *self._pfs_in_words(), *self._other_times_in_words()]
        sentences += self._response_in_words()
        if self.landmark_months:
            months = [str(month) for month in self.landmark_months]
            listed = " and ".join(filter(None, [", ".join(months[:-1]), months[-1]]))
            sentences.append(
                f"Landmark rates are given at {listed} months; a month is {self.month_days} days."
            )
        return sentences

    def _time_zero_in_words(self) -> str:
        if self.time_zero == "diagnosis":
            return (
                "Time zero is the diagnosis; a patient is at risk from the first administration on (delayed entry), and a "
                "patient without a day of diagnosis has no times."
            )
        return "Time zero is the first administration."

    def _pfs_in_words(self) -> list[str]:
        name = "Progression-free survival (PFS)"
        progression = "an overall response of progressive disease"
        clinical = "; a clinical progression without a scan is no progression"
        if self.clinical_progression == "event":
            clinical = ""
            progression += (
                " or a clinical progression" if self.death_in_pfs == "censor" else ", a clinical progression"
            )
        if self.death_in_pfs == "censor":
            sentences = [
                f"{name} is given as time to progression: the event is {progression}{clinical}; a death without one "
                "censors at the last adequate tumour assessment before it."
            ]
        else:
            comma = "," if self.clinical_progression == "event" else ""
            sentences = [
                f"{name}: the event is the first of {progression}{comma} or death of any cause{clinical}."
            ]
        sentences.append(
            "Without an event PFS is censored at the last adequate tumour assessment (any overall response "
            f"but NE), or at {self._start_in_words()} when there is none."
        )
        if self.new_therapy == "censor":
            sentences.append(
                "Another anticancer therapy that started before the event censors PFS at the last adequate "
                "assessment on or before its start."
            )
        else:
            sentences.append(
                "Another anticancer therapy does not censor PFS; assessments made during a later course count for "
                "it, but are no response to this course."
            )
        if self.missed_assessments == "censor":
            sentences.append(
                f"An event more than {self.missed_gap_days} days after the last adequate assessment (or "
                f"{self._start_in_words()}) counts as preceded by two or more missed assessments, and PFS is censored there."
            )
        else:
            sentences.append(
                "Missed assessments do not censor PFS: an event counts however late it was found."
            )
        return sentences

    def _start_in_words(self) -> str:
        return "time zero" if self.time_zero == "first_administration" else "the first administration"

    def _other_times_in_words(self) -> list[str]:
        response = "confirmed CR or PR" if self.confirmation == "required" else "CR or PR"
        return [
            "Overall survival (OS): the event is death of any cause; without it OS is censored at the last "
            "date the patient is known to have been alive.",
            f"Time to response: the event is the first {response}; without one it is censored where PFS ends.",
            f"Duration of response: of courses with a {response}, from its first day to the event of PFS, and "
            "censored as PFS.",
            "Time to next treatment: the event is the start of another anticancer therapy, a later course included, or "
            "death; without one it is censored at the last date the patient is known to have been alive.",
            "Time to discontinuation: the event is the end of treatment before completion for any reason, death included; "
            "a completed course is censored at its last administration, an ongoing one at the last date the patient is "
            "known to have been alive.",
        ]

    def _response_in_words(self) -> list[str]:
        basis = "on any basis" if self.clinical_progression == "event" else "on a scan"
        best = f"Best overall response is the best up to the first progression {basis}; "
        if self.confirmation == "required":
            best += (
                "CR and PR count as response when a second scan confirms them "
                f"{self.confirmation_days} days or more later."
            )
        else:
            best += "no confirmation by a second scan is asked for."
        sentences = [best]
        if self.sd_minimum_days:
            sentences.append(
                f"Stable disease counts from {self.sd_minimum_days} days after the first administration on, "
                "before that as NE."
            )
        rate = "confirmed CR or PR" if self.confirmation == "required" else "CR or PR"
        if self.orr_denominator == "response_evaluable":
            sentences.append(
                f"The objective response rate (ORR) is {rate} among the response-evaluable: course finished "
                "or stopped, with a baseline scan and a later assessment, or progression or death before one."
            )
        else:
            sentences.append(
                f"The objective response rate (ORR) is {rate} among all patients given at least one cycle."
            )
        if self.interval == "wilson":
            sentences.append("Rates come with Wilson's 95 % limits.")
        if self.analysis_set != "treated":
            counted = "response-evaluable" if self.analysis_set == "response_evaluable" else "completed"
            sentences.append(f"All figures count {counted} courses alone.")
        return sentences


@dataclass(frozen=True)
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

    def __post_init__(self) -> None:
        if self.planned_cycles < 1:
            raise ValueError(f"planned cycles {self.planned_cycles}: expected at least 1")
        for earlier, later in zip(self.administered_on, self.administered_on[1:], strict=False):
            if later <= earlier:
                raise ValueError(f"administration on {later} after {earlier}: expected ascending days")
        if (self.discontinued_on is None) != (self.discontinuation_reason is None):
            raise ValueError(
                f"discontinued on {self.discontinued_on}, reason {self.discontinuation_reason}: "
                "expected both or neither"
            )
        if self.death_cause is not None and self.died_on is None:
            raise ValueError(f"death cause {self.death_cause}: expected the day of death with it")


@dataclass(frozen=True)
class TimeToEvent:
    """Days from time zero to an event, or to where the knowledge of the patient ends (censored).

    Args:
        days: from time zero, 0 or more.
        event: False means censored.
        on: the day it falls on.
        basis: short code of what decided it; events: "overall_response_pd", "clinical_progression", "death";
            censored: "last_adequate_assessment", "time_zero", "last_known_alive", "new_therapy",
            "missed_assessments".

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
        if self.basis not in _REASONS or self.event != (self.basis in _EVENT_ORDER):
            raise ValueError(
                f"basis {self.basis!r}: expected one of {'an event' if self.event else 'censoring'}"
            )

    def reason(self) -> str:
        """Return for people, e.g. "censored at 2019-11-04: last adequate assessment"."""
        return f"{'event' if self.event else 'censored'} at {self.on.isoformat()}: {_REASONS[self.basis]}"


@dataclass(frozen=True)
class DerivedOutcome:
    """One course at a cut-off.

    Args:
        time_zero: first administration; None when nothing was given by the cut-off, and then no PFS or OS.
        status: "completed", "discontinued" or "ongoing".
        cycles_given: by the cut-off.
        discontinued_after_cycle: cycles given by the discontinuation; None unless discontinued.
        discontinuation_reason: as recorded, or "death"; None unless discontinued.
        pfs, os: time to event.
        best_overall_response: "CR" to "NE"; None when no assessment from time zero to first progression.
        response_evaluable, response_evaluable_reason: whether, and why in words.
        death_cause: as recorded; None unless the death is on or before the cut-off.
    """

    time_zero: date | None
    status: CourseStatus
    cycles_given: int
    discontinued_after_cycle: int | None
    discontinuation_reason: str | None
    pfs: TimeToEvent | None
    os: TimeToEvent | None
    best_overall_response: str | None
    response_evaluable: bool
    response_evaluable_reason: str
    death_cause: str | None


def derive(facts: CourseFacts, definition: EndpointDefinition, *, cutoff: date) -> DerivedOutcome:
    """Return the outcome of one course as it was known at the end of the day ``cutoff``.

    A fact on the cut-off day counts, a later one does not exist. A progression or assessment before time zero
    does not count either: it belongs to the time before treatment.

    Raises:
        ValueError: the facts up to the cut-off contradict each other: a sign of life after the death.
    """
    facts = _up_to(facts, cutoff)
    _refuse_life_after_death(facts)

    status, discontinued_after_cycle, reason = _status(facts)
    time_zero = facts.administered_on[0] if facts.administered_on else None
    pfs = overall_survival = best_response = None
    if time_zero is not None:
        facts = _from_time_zero(facts, time_zero)
        pfs = _progression_free_survival(facts, definition, time_zero)
        overall_survival = _overall_survival(facts, time_zero)
        best_response = best_overall_response(
            facts.assessments, until=min(facts.clinical_progressions, default=cutoff)
        )
    response_evaluable, why = _response_evaluable(facts, status, time_zero)
    return DerivedOutcome(
        time_zero=time_zero,
        status=status,
        cycles_given=len(facts.administered_on),
        discontinued_after_cycle=discontinued_after_cycle,
        discontinuation_reason=reason,
        pfs=pfs,
        os=overall_survival,
        best_overall_response=best_response,
        response_evaluable=response_evaluable,
        response_evaluable_reason=why,
        death_cause=facts.death_cause,
    )


def counts_for_orr(outcome: DerivedOutcome, definition: EndpointDefinition) -> bool:
    """Return whether the course is in the denominator of the objective response rate."""
    if definition.orr_denominator == "response_evaluable":
        return outcome.response_evaluable
    return outcome.time_zero is not None


def _up_to(facts: CourseFacts, cutoff: date) -> CourseFacts:
    """Return the facts dated on or before the cut-off; reason and cause go with their day."""
    discontinued = facts.discontinued_on is not None and facts.discontinued_on <= cutoff
    scanned = facts.baseline_on is not None and facts.baseline_on <= cutoff
    died = facts.died_on is not None and facts.died_on <= cutoff
    return CourseFacts(
        planned_cycles=facts.planned_cycles,
        administered_on=_days_to(facts.administered_on, cutoff),
        discontinued_on=facts.discontinued_on if discontinued else None,
        discontinuation_reason=facts.discontinuation_reason if discontinued else None,
        baseline_on=facts.baseline_on if scanned else None,
        assessments=tuple(assessment for assessment in facts.assessments if assessment.on <= cutoff),
        clinical_progressions=_days_to(facts.clinical_progressions, cutoff),
        new_therapies=_days_to(facts.new_therapies, cutoff),
        known_alive=_days_to(facts.known_alive, cutoff),
        died_on=facts.died_on if died else None,
        death_cause=facts.death_cause if died else None,
        later_assessments=tuple(
            assessment for assessment in facts.later_assessments if assessment.on <= cutoff
        ),
    )


def _days_to(days: Iterable[date], cutoff: date) -> tuple[date, ...]:
    return tuple(day for day in days if day <= cutoff)


def _from_time_zero(facts: CourseFacts, time_zero: date) -> CourseFacts:
    """Return the facts without what happened to the tumour before treatment.

    Another therapy must have started after time zero: one begun on that day is given along with the course.
    """
    return replace(
        facts,
        assessments=tuple(assessment for assessment in facts.assessments if assessment.on >= time_zero),
        clinical_progressions=tuple(day for day in facts.clinical_progressions if day >= time_zero),
        new_therapies=tuple(day for day in facts.new_therapies if day > time_zero),
        later_assessments=tuple(a for a in facts.later_assessments if a.on >= time_zero),
    )


def _signs_of_life(facts: CourseFacts) -> list[tuple[str, date]]:
    """Return what only a living patient can have, in no order.

    A discontinuation is not among it: it is a decision that can be taken, or entered, after a death.
    """
    signs = [
        *(("administration", day) for day in facts.administered_on),
        *(("assessment", assessment.on) for assessment in (*facts.assessments, *facts.later_assessments)),
        *(("clinical progression", day) for day in facts.clinical_progressions),
        *(("start of another therapy", day) for day in facts.new_therapies),
        *(("contact with the patient", day) for day in facts.known_alive),
    ]
    if facts.baseline_on is not None:
        signs.append(("baseline scan", facts.baseline_on))
    return signs


def _refuse_life_after_death(facts: CourseFacts) -> None:
    if facts.died_on is None:
        return
    for what, day in _signs_of_life(facts):
        if day > facts.died_on:
            raise ValueError(f"{what} on {day}: expected on or before the death on {facts.died_on}")


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


def _progression_free_survival(
    facts: CourseFacts, definition: EndpointDefinition, time_zero: date
) -> TimeToEvent:
    """Return PFS of facts that lie between time zero and the cut-off."""
    assessments = (*facts.assessments, *facts.later_assessments)
    events = [(a.on, "overall_response_pd") for a in assessments if a.response == "PD"]
    events += [(day, "clinical_progression") for day in facts.clinical_progressions]
    if facts.died_on is not None:
        events.append((facts.died_on, "death"))
    event = min(events, key=lambda event: (event[0], _EVENT_ORDER[event[1]]), default=None)

    adequate_on = sorted(assessment.on for assessment in assessments if assessment.is_adequate)
    if definition.new_therapy == "censor" and facts.new_therapies:
        other_therapy_on = min(facts.new_therapies)
        # On the same day the event came first: progression is why another therapy starts.
        if event is None or other_therapy_on < event[0]:
            last = _last_on_or_before(adequate_on, other_therapy_on)
            return _from_zero(time_zero, last or time_zero, "new_therapy")
    if event is None:
        if not adequate_on:
            return _from_zero(time_zero, time_zero, "time_zero")
        return _from_zero(time_zero, adequate_on[-1], "last_adequate_assessment")

    event_on, basis = event
    if definition.missed_assessments == "censor":
        # The scan that shows the progression is itself an adequate assessment; what counts is the one before.
        looked_until = event_on - timedelta(days=1) if basis == "overall_response_pd" else event_on
        last = _last_on_or_before(adequate_on, looked_until) or time_zero
        if (event_on - last).days > definition.missed_gap_days:
            return _from_zero(time_zero, last, "missed_assessments")
    return _from_zero(time_zero, event_on, basis)


def _overall_survival(facts: CourseFacts, time_zero: date) -> TimeToEvent:
    if facts.died_on is not None:
        return _from_zero(time_zero, facts.died_on, "death")
    last = max(day for _, day in _signs_of_life(facts))
    return _from_zero(time_zero, last, "last_known_alive" if last > time_zero else "time_zero")


def _response_evaluable(facts: CourseFacts, status: CourseStatus, time_zero: date | None) -> tuple[bool, str]:
    """Return whether the course counts for response, and why.

    A later assessment counts even when it is NE: to leave such patients out would raise the response rate.
    """
    if time_zero is None:
        return False, "No cycle was given by the cut-off."
    if status == "ongoing":
        return False, "The course is still going on."
    if facts.baseline_on is None:
        return False, "There is no baseline scan."
    if facts.baseline_on > time_zero:
        return False, "The baseline scan is dated after the first administration."
    if facts.assessments:
        return True, f"The course is {status}, with a baseline scan and a later assessment."
    if facts.clinical_progressions:
        return True, f"The course is {status}; the patient progressed before a later assessment."
    if facts.died_on is not None:
        return True, f"The course is {status}; the patient died before a later assessment."
    return False, "There is no assessment after baseline."


def _last_on_or_before(ascending: list[date], day: date) -> date | None:
    return max((on for on in ascending if on <= day), default=None)


def _from_zero(time_zero: date, on: date, basis: str) -> TimeToEvent:
    return TimeToEvent(days=(on - time_zero).days, event=basis in _EVENT_ORDER, on=on, basis=basis)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # JSON's true is no number of days


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r}: expected {' or '.join(choices)}")
