"""What is asked of a patient's records: what is missing, contradicts, or was never followed up.

Sources: the course's protocol (laboratory and imaging days, windows); 10 CFR 35.63 (20 % of the prescribed activity); RECIST
1.1 (Eisenhauer 2009) for progression. The other limits are the registry's own. In words: docs/rules/data-queries.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from analytics.rules.sentences import Sentences
from languages.wording import Words, gettext_noop, number
from languages.wording import day as written
from languages.wording import gettext as _
from treatments.rules.activity import is_past_permitted
from treatments.rules.labs import ANALYTES
from treatments.rules.words import NBSP, interval

# What a rule writes below a query, stored in English.
RULE_CLOSED = gettext_noop("The records no longer give cause for it.")
RECORD_CHANGED = gettext_noop("The records have changed since it was answered.")
PATIENT_VOIDED = gettext_noop("The patient has been voided.")
ANSWERS = Sentences([RULE_CLOSED, RECORD_CHANGED, PATIENT_VOIDED])

FOLLOW_UP_DAYS = 182  # six months of 30.4375 d, in whole days
PAST_WINDOW_DAYS = 28  # a planned cycle may be this long past its window before it is asked for
NOTED_WITHIN_DAYS = 28  # after a study that shows progression
REGISTERED_DAYS = 7  # a patient may be this long without a diagnosis

Facts = dict[str, Any]  # as JSON keeps them: text, whole numbers, lists


@dataclass(frozen=True, slots=True)
class GivenCycle:
    """A cycle that was given.

    Args:
        given_on: the centre's local date.
        is_explained: whether the deviation from the prescription is.
        latest_lab_on: analyte to the local day of its latest sample up to ``given_on``.
    """

    id: str
    number: int
    administration_id: str
    given_on: date
    prescribed_mbq: Decimal
    net_mbq: Decimal
    is_explained: bool = False
    latest_lab_on: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenCycle:
    """The next cycle of a course, planned or on hold."""

    id: str
    number: int
    planned_on: date | None
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class StudyFact:
    """A study of a course; ``response`` is the overall response in force, "" where none is."""

    id: str
    is_baseline: bool
    performed_on: date
    response: str = ""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What the protocol asks for."""

    labs_before_cycle: tuple[str, ...] = ()
    labs_within_days: int = 14
    imaging_after_cycles: tuple[int, ...] = ()
    imaging_due_days: int = 56
    window_days: int = 7


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """One course; ``given`` and ``studies`` by day."""

    id: str
    number: int
    plan: PlanFacts
    given: Sequence[GivenCycle] = ()
    next_open: OpenCycle | None = None
    discontinued_on: date | None = None
    is_discontinued_for_progression: bool = False
    studies: Sequence[StudyFact] = ()


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What one patient's queries follow from.

    Args:
        registered_on: local date on which the patient came into the registry.
        last_alive_on: latest contact, study or administration, as overall survival takes it.
        progressions, therapies: days of clinical progression, and of the start of another anticancer therapy.
        courses: by number.
    """

    id: str
    registered_on: date
    has_diagnosis: bool = True
    last_alive_on: date | None = None
    death_id: str = ""
    died_on: date | None = None
    is_cause_known: bool = True
    progressions: Sequence[date] = ()
    therapies: Sequence[date] = ()
    courses: Sequence[CourseFacts] = ()


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One thing to be asked.

    Args:
        rule: a key of ``RULES``.
        record_kind, record_id: the record that it stands at.
        course_id: "" where it is of no course.
        facts: what it follows from; nothing in them moves with the calendar, so that they change with the records alone.
    """

    rule: str
    record_kind: str
    record_id: str
    course_id: str
    facts: Facts


def labs_missing(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for laboratory values that the protocol wants before a cycle and that were not measured in its days."""
    for course in patient.courses:
        plan = course.plan
        for cycle in course.given:
            missing, old = [], {}
            for analyte in plan.labs_before_cycle:
                measured_on = cycle.latest_lab_on.get(analyte)
                if measured_on is None:
                    missing.append(analyte)
                elif (cycle.given_on - measured_on).days > plan.labs_within_days:
                    old[analyte] = measured_on.isoformat()
            if missing or old:
                facts = {
                    "cycle": cycle.number,
                    "given_on": cycle.given_on.isoformat(),
                    "within_days": plan.labs_within_days,
                    "missing": missing,
                    "old": old,
                }
                yield Discrepancy("labs_missing", "cycle", cycle.id, course.id, facts)


def _is_complete(course: CourseFacts) -> bool:
    return bool(course.given) and course.next_open is None and course.discontinued_on is None


def _is_excused(patient: PatientFacts, course: CourseFacts, due_on: date) -> bool:
    """Return whether the patient died or the course was discontinued before a study had to be there."""
    return (patient.died_on is not None and patient.died_on <= due_on) or (
        course.discontinued_on is not None and course.discontinued_on <= due_on
    )


def imaging_missing(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for the PET/CT after a cycle at which the protocol wants one, once its days have passed.

    A study counts from the day of that cycle to the day of the next cycle with a study. The last one of a complete course is
    ``final_imaging_missing``.
    """
    for course in patient.courses:
        asked = [cycle for cycle in course.given if cycle.number in course.plan.imaging_after_cycles]
        for place, cycle in enumerate(asked):
            if _is_complete(course) and cycle is course.given[-1]:
                continue
            due_on = cycle.given_on + timedelta(days=course.plan.imaging_due_days)
            until = asked[place + 1].given_on if place + 1 < len(asked) else date.max
            found = any(
                not study.is_baseline and cycle.given_on <= study.performed_on <= until
                for study in course.studies
            )
            if not found and today > due_on and not _is_excused(patient, course, due_on):
                facts = {
                    "cycle": cycle.number,
                    "given_on": cycle.given_on.isoformat(),
                    "due_on": due_on.isoformat(),
                }
                yield Discrepancy("imaging_missing", "cycle", cycle.id, course.id, facts)


def final_imaging_missing(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for a study after the last cycle of a complete course, once the protocol's days have passed."""
    for course in patient.courses:
        if not _is_complete(course):
            continue
        last_on = course.given[-1].given_on
        due_on = last_on + timedelta(days=course.plan.imaging_due_days)
        found = any(not study.is_baseline and study.performed_on >= last_on for study in course.studies)
        if not found and today > due_on and not _is_excused(patient, course, due_on):
            facts = {
                "cycle": course.given[-1].number,
                "given_on": last_on.isoformat(),
                "due_on": due_on.isoformat(),
            }
            yield Discrepancy("final_imaging_missing", "course", course.id, course.id, facts)


def baseline_missing(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for the baseline of a course that was begun: there is none, or it is dated after the first cycle."""
    for course in patient.courses:
        if not course.given:
            continue
        begun_on = course.given[0].given_on
        baseline = next((study for study in course.studies if study.is_baseline), None)
        if baseline is None or baseline.performed_on > begun_on:
            facts = {
                "given_on": begun_on.isoformat(),
                "cycle": course.given[0].number,
                "performed_on": baseline.performed_on.isoformat() if baseline else None,
                "study": baseline.id if baseline else None,
            }
            yield Discrepancy("baseline_missing", "course", course.id, course.id, facts)


def activity_deviation(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask why a net activity is more than 20 % off its prescription, where the record does not say."""
    for course in patient.courses:
        for cycle in course.given:
            if not cycle.is_explained and is_past_permitted(
                given_mbq=cycle.net_mbq, prescribed_mbq=cycle.prescribed_mbq
            ):
                facts = {
                    "cycle": cycle.number,
                    "given_on": cycle.given_on.isoformat(),
                    "net_mbq": str(cycle.net_mbq),
                    "prescribed_mbq": str(cycle.prescribed_mbq),
                }
                yield Discrepancy(
                    "activity_deviation", "administration", cycle.administration_id, course.id, facts
                )


def death_cause_unknown(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask what a patient died of."""
    if patient.died_on is not None and not patient.is_cause_known:
        facts = {"died_on": patient.died_on.isoformat()}
        yield Discrepancy("death_cause_unknown", "death", patient.death_id, "", facts)


def course_open_after_death(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for the end of a course that still has cycles to come although the patient died."""
    if patient.died_on is None:
        return
    for course in patient.courses:
        if course.next_open is not None:
            facts = {"cycle": course.next_open.number, "died_on": patient.died_on.isoformat()}
            yield Discrepancy("course_open_after_death", "course", course.id, course.id, facts)


def progression_not_noted(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask what followed the first PD of a course, where after four weeks nothing in the record speaks of it.

    What speaks of it: a clinical progression from the first cycle on, another therapy or a further course since the study,
    the course discontinued for progression, the patient's death.
    """
    for course in patient.courses:
        shown = next((study for study in course.studies if study.response == "PD"), None)
        if shown is None or (today - shown.performed_on).days <= NOTED_WITHIN_DAYS:
            continue
        on = shown.performed_on
        begun_on = course.given[0].given_on if course.given else on
        followed = [
            *patient.therapies,
            *(c.given[0].given_on for c in patient.courses if c.number > course.number and c.given),
        ]
        if (
            any(day >= begun_on for day in patient.progressions)
            or any(day >= on for day in followed)
            or course.is_discontinued_for_progression
            or patient.died_on is not None
        ):
            continue
        went_on = next((cycle for cycle in course.given if cycle.given_on > on), None)
        facts = {
            "performed_on": on.isoformat(),
            "cycle": went_on.number if went_on else None,
            "given_on": went_on.given_on.isoformat() if went_on else None,
        }
        yield Discrepancy("progression_not_noted", "study", shown.id, course.id, facts)


def follow_up_old(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for news of a treated patient who is not known to be dead, six months after the last."""
    if patient.died_on is not None or not any(course.given for course in patient.courses):
        return
    if patient.last_alive_on is not None and (today - patient.last_alive_on).days > FOLLOW_UP_DAYS:
        facts = {"last_alive_on": patient.last_alive_on.isoformat()}
        yield Discrepancy("follow_up_old", "patient", patient.id, "", facts)


def cycle_date_past(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask what became of a planned cycle four weeks after its window: neither given, on hold nor left out."""
    if patient.died_on is not None:
        return
    for course in patient.courses:
        cycle = course.next_open
        if cycle is None or cycle.is_held or cycle.planned_on is None or course.discontinued_on is not None:
            continue
        if (today - cycle.planned_on).days > course.plan.window_days + PAST_WINDOW_DAYS:
            facts = {
                "cycle": cycle.number,
                "planned_on": cycle.planned_on.isoformat(),
                "window_days": course.plan.window_days,
            }
            yield Discrepancy("cycle_date_past", "cycle", cycle.id, course.id, facts)


def diagnosis_missing(patient: PatientFacts, today: date) -> Iterator[Discrepancy]:
    """Ask for the diagnosis of a patient who is treated, or was registered more than a week ago."""
    is_treated = any(course.given for course in patient.courses)
    if not patient.has_diagnosis and (is_treated or (today - patient.registered_on).days > REGISTERED_DAYS):
        facts = {"registered_on": patient.registered_on.isoformat()}
        yield Discrepancy("diagnosis_missing", "patient", patient.id, "", facts)


@dataclass(frozen=True)
class Rule:
    """A rule with its name for people in English, in the list's filter and above a query."""

    key: str
    title: str
    find: Callable[[PatientFacts, date], Iterator[Discrepancy]]


RULES = {
    rule.key: rule
    for rule in (
        Rule("labs_missing", gettext_noop("Cycle given without laboratory values"), labs_missing),
        Rule("activity_deviation", gettext_noop("Activity off by more than 20 %"), activity_deviation),
        Rule("cycle_date_past", gettext_noop("Planned cycle long past"), cycle_date_past),
        Rule("baseline_missing", gettext_noop("No baseline before cycle 1"), baseline_missing),
        Rule("imaging_missing", gettext_noop("PET/CT missing after a cycle"), imaging_missing),
        Rule("final_imaging_missing", gettext_noop("No study after completion"), final_imaging_missing),
        Rule("progression_not_noted", gettext_noop("PD without progression noted"), progression_not_noted),
        Rule("follow_up_old", gettext_noop("Follow-up older than 6 months"), follow_up_old),
        Rule("death_cause_unknown", gettext_noop("Death without cause"), death_cause_unknown),
        Rule("course_open_after_death", gettext_noop("Course open after death"), course_open_after_death),
        Rule("diagnosis_missing", gettext_noop("Diagnosis missing"), diagnosis_missing),
    )
}


def find(patient: PatientFacts, today: date) -> list[Discrepancy]:
    """Return what is to be asked of a patient's records on the day ``today`` at the centre."""
    return [found for rule in RULES.values() for found in rule.find(patient, today)]


# Laboratory values as they stand within a sentence.
_ANALYTES = Words(
    {
        "platelets": gettext_noop("platelets"),
        "haemoglobin": gettext_noop("haemoglobin"),
        "neutrophils": gettext_noop("neutrophils"),
        "lymphocytes": gettext_noop("lymphocytes"),
        "leucocytes": gettext_noop("leucocytes"),
        "creatinine": gettext_noop("creatinine"),
        "alt": gettext_noop("ALT"),
        "ast": gettext_noop("AST"),
        "alp": gettext_noop("ALP"),
        "ggt": gettext_noop("GGT"),
        "bilirubin": gettext_noop("bilirubin"),
        "albumin": gettext_noop("albumin"),
        "prothrombin_ratio": gettext_noop("prothrombin ratio (quick)"),
        "body_weight": gettext_noop("body weight"),
    }
)


def _analyte(code: str) -> str:
    if code in _ANALYTES:
        return _ANALYTES[code]
    label = ANALYTES[code].label if code in ANALYTES else code
    return label if label.isupper() else label.lower()


def _mbq(value: str) -> str:
    """Return an activity with one decimal, its thousands set apart by the sign that is not the decimal one."""
    said = number(Decimal(f"{Decimal(value):.1f}"), 1)
    whole, sign, tenth = said[:-2], said[-2], said[-1]
    thousands = f"{int(whole):,}".replace(",", "," if sign == "." else ".")
    return f"{thousands}{sign}{tenth}{NBSP}MBq"


def _written(day: str) -> str:
    return written(date.fromisoformat(day))


def words(rule: str, facts: Facts) -> tuple[str, str]:
    """Return what is asked, and why, for people, in the language of who reads it.

    Raises:
        KeyError: an unknown rule, or facts that are not of it.
    """
    return _WORDS[rule](facts)


def _labs_missing_in_words(facts: Facts) -> tuple[str, str]:
    missing = ", ".join(map(_analyte, facts["missing"]))
    old = ", ".join(f"{_analyte(code)} ({_written(on)})" for code, on in facts["old"].items())
    if missing and old:
        why = _(
            "Cycle {cycle} was given on {day}; not measured before it: {missing}; older than {interval}: {old}."
        )
    elif missing:
        why = _("Cycle {cycle} was given on {day}; not measured before it: {missing}.")
    else:
        why = _("Cycle {cycle} was given on {day}; older than {interval}: {old}.")
    return (
        _("Cycle {cycle} without laboratory values").format(cycle=facts["cycle"]),
        why.format(
            cycle=facts["cycle"],
            day=_written(facts["given_on"]),
            missing=missing,
            old=old,
            interval=interval(facts["within_days"]),
        ),
    )


def _activity_deviation_in_words(facts: Facts) -> tuple[str, str]:
    net_mbq, prescribed_mbq = Decimal(facts["net_mbq"]), Decimal(facts["prescribed_mbq"])
    off = 100 * (net_mbq - prescribed_mbq) / prescribed_mbq
    percent = f"{'-' if off < 0 else '+'}{number(Decimal(f'{abs(off):.1f}'), 1)}{NBSP}%"
    return (
        _("Activity of cycle {cycle}").format(cycle=facts["cycle"]),
        _("{net} net on {day}, prescribed {prescribed}: {percent}, and the record does not say why.").format(
            net=_mbq(facts["net_mbq"]),
            day=_written(facts["given_on"]),
            prescribed=_mbq(facts["prescribed_mbq"]),
            percent=percent,
        ),
    )


def _cycle_date_past_in_words(facts: Facts) -> tuple[str, str]:
    return (
        _("What became of cycle {cycle}?").format(cycle=facts["cycle"]),
        _("Planned on {day}, window ±{window}; neither given, on hold nor left out.").format(
            day=_written(facts["planned_on"]), window=f"{NBSP}{facts['window_days']}{NBSP}d"
        ),
    )


def _baseline_missing_in_words(facts: Facts) -> tuple[str, str]:
    begun = {"cycle": facts["cycle"], "day": _written(facts["given_on"])}
    if facts["performed_on"]:
        return (
            _("Baseline after the first cycle"),
            _("Cycle {cycle} was given on {day}, the baseline study is dated {study_day}.").format(
                **begun, study_day=_written(facts["performed_on"])
            ),
        )
    return (
        _("No baseline study"),
        _("Cycle {cycle} was given on {day}; without a baseline the response cannot be evaluated.").format(
            **begun
        ),
    )


def _imaging_missing_in_words(facts: Facts) -> tuple[str, str]:
    return (
        _("No PET/CT after cycle {cycle}").format(cycle=facts["cycle"]),
        _("Cycle {cycle} was given on {day}; the study was due by {due}.").format(
            cycle=facts["cycle"], day=_written(facts["given_on"]), due=_written(facts["due_on"])
        ),
    )


def _final_imaging_missing_in_words(facts: Facts) -> tuple[str, str]:
    return (
        _("No study after completion"),
        _("The last cycle, {cycle}, was given on {day}; the study was due by {due}.").format(
            cycle=facts["cycle"], day=_written(facts["given_on"]), due=_written(facts["due_on"])
        ),
    )


def _progression_not_noted_in_words(facts: Facts) -> tuple[str, str]:
    on = _written(facts["performed_on"])
    if facts["cycle"]:
        why = _(
            "The study of {day} was read as PD; cycle {cycle} was given after it on {given_day}, and neither a clinical "
            "progression, another therapy nor a death is recorded."
        ).format(day=on, cycle=facts["cycle"], given_day=_written(facts["given_on"]))
    else:
        why = _(
            "The study of {day} was read as PD; the course was not stopped for it, and neither a clinical progression, "
            "another therapy nor a death is recorded."
        ).format(day=on)
    return _("Progression on imaging, nothing noted"), why


def _follow_up_old_in_words(facts: Facts) -> tuple[str, str]:
    return (
        _("Follow-up older than 6 months"),
        _("Last known alive on {day}; no contact, study or cycle since.").format(
            day=_written(facts["last_alive_on"])
        ),
    )


def _death_cause_unknown_in_words(facts: Facts) -> tuple[str, str]:
    why = _("Died on {day}; the cause is recorded as not known.")
    return _("Cause of death"), why.format(day=_written(facts["died_on"]))


def _course_open_after_death_in_words(facts: Facts) -> tuple[str, str]:
    why = _("The patient died on {day}; cycle {cycle} is still to come. Discontinue the course.")
    return _("Course still open"), why.format(day=_written(facts["died_on"]), cycle=facts["cycle"])


def _diagnosis_missing_in_words(facts: Facts) -> tuple[str, str]:
    why = _("Registered on {day}; no diagnosis is recorded.")
    return _("No diagnosis"), why.format(day=_written(facts["registered_on"]))


_WORDS: dict[str, Callable[[Facts], tuple[str, str]]] = {
    "labs_missing": _labs_missing_in_words,
    "activity_deviation": _activity_deviation_in_words,
    "cycle_date_past": _cycle_date_past_in_words,
    "baseline_missing": _baseline_missing_in_words,
    "imaging_missing": _imaging_missing_in_words,
    "final_imaging_missing": _final_imaging_missing_in_words,
    "progression_not_noted": _progression_not_noted_in_words,
    "follow_up_old": _follow_up_old_in_words,
    "death_cause_unknown": _death_cause_unknown_in_words,
    "course_open_after_death": _course_open_after_death_in_words,
    "diagnosis_missing": _diagnosis_missing_in_words,
}
