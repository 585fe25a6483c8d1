"""What must hold between the facts of one patient, checked before anything is written, so that each problem has its place.

The database checks the same at the end of the transaction (``*/migrations/0002_*``); it is the net below this one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exchange.columns import SHEET
from exchange.facts import Fact, PatientFacts, problem_at
from exchange.lesions import check_lesions
from exchange.problems import Problem
from imaging.models import OverallResponse, Timepoint
from languages.wording import gettext_noop
from treatments.models import CycleStatus, Organ, Protocol

_FAST_CLOCK = timedelta(minutes=10)  # by which the clock that wrote the file may be ahead

# Sheet, column, what it is called. What lies after a death is refused.
_DATED = (
    ("diagnoses", "diagnosed_on", gettext_noop("diagnosis")),
    ("performance_statuses", "assessed_on", gettext_noop("performance status")),
    ("prior_therapies", "started_on", gettext_noop("start of a prior therapy")),
    ("prior_therapies", "ended_on", gettext_noop("end of a prior therapy")),
    ("contacts", "known_alive_on", gettext_noop("contact")),
    ("disease_events", "occurred_on", gettext_noop("event")),
    ("deaths", "died_on", gettext_noop("death")),
    ("cycles", "administered_at", gettext_noop("administration")),
    ("discontinuations", "discontinued_on", gettext_noop("discontinuation")),
    ("lab_results", "taken_at", gettext_noop("laboratory value")),
    ("adverse_events", "onset_on", gettext_noop("adverse event")),
    ("somatostatin_analogue_doses", "given_at", gettext_noop("somatostatin analogue")),
    ("prior_prrt", "last_given_on", gettext_noop("earlier therapy")),
    ("studies", "performed_on", gettext_noop("study")),
    ("studies", "injected_at", gettext_noop("injection of the tracer")),
)
# What a clinic writes down may follow a death that it did not know of yet.
_DATED_OF_THE_CLINIC = (
    ("cycles", "syringe_measured_at", gettext_noop("measurement of the syringe")),
    ("cycles", "residual_measured_at", gettext_noop("measurement of the residual")),
    ("cycles", "infusion_ended_at", gettext_noop("end of the infusion")),
    ("holds", "held_on", gettext_noop("hold")),
    ("holds", "resumed_on", gettext_noop("end of the hold")),
    ("dose_decisions", "decided_at", gettext_noop("decision")),
    ("adverse_events", "resolved_on", gettext_noop("end of the event")),
)
_AFTER_INFUSION = gettext_noop("expected after the infusion began at {day}")
_AFTER_HOLD = gettext_noop("expected {day} or later, since the hold began on that day")
_IN_FUTURE = gettext_noop("lies in the future")
# Sheet, earlier column, later column, what is said of the later one where they are the other way round.
_IN_ORDER = (
    (
        "prior_therapies",
        "started_on",
        "ended_on",
        gettext_noop("expected {day} or later, since the therapy began on that day"),
    ),
    ("cycles", "syringe_measured_at", "administered_at", ""),
    ("cycles", "administered_at", "residual_measured_at", _AFTER_INFUSION),
    ("cycles", "administered_at", "infusion_ended_at", _AFTER_INFUSION),
    ("holds", "held_on", "review_on", _AFTER_HOLD),
    ("holds", "held_on", "resumed_on", _AFTER_HOLD),
    (
        "adverse_events",
        "onset_on",
        "resolved_on",
        gettext_noop("expected {day} or later, since the event began on that day"),
    ),
)


def check_patient(
    facts: PatientFacts, *, protocols: Mapping[tuple[str, int], Protocol], zone: ZoneInfo, now: datetime
) -> Iterator[Problem]:
    """Yield what contradicts among a patient's facts.

    Args:
        protocols: by code and version.
        zone: of the centre: its local dates count.
        now: aware; what lies after it is refused.
    """
    yield from _dates(facts, zone=zone, now=now)
    yield from _identity(facts)
    yield from _course_numbers(facts)
    for course in facts.of("courses"):
        yield from _course(facts, course, protocols=protocols, zone=zone)
    yield from _imaging(facts)
    yield from check_lesions(facts)
    yield from _orders(facts)
    yield from _of_cycles(facts)
    yield from _limits(facts)


def _local_date(value: Any, zone: ZoneInfo) -> date:
    local: date = value.astimezone(zone).date() if hasattr(value, "astimezone") else value
    return local


def _dates(facts: PatientFacts, *, zone: ZoneInfo, now: datetime) -> Iterator[Problem]:
    latest = now.date() + timedelta(days=1)  # a centre east of UTC is already in tomorrow
    patient = next(iter(facts.of("patients")), None)
    death = next(iter(facts.of("deaths")), None)
    born = patient.values["birth_date"] if patient else None
    died = death.values["died_on"] if death else None
    if patient is not None and born is not None and born > latest:
        yield problem_at(_IN_FUTURE, (patient, "birth_date"))
    for sheet, column, what, ends_with_life in (
        *((*each, True) for each in _DATED),
        *((*each, False) for each in _DATED_OF_THE_CLINIC),
    ):
        for fact in facts.of(sheet):
            value = fact.values.get(column)
            if value is None:
                continue
            on = _local_date(value, zone)
            is_moment_ahead = isinstance(value, datetime) and value > now + _FAST_CLOCK
            if (on > latest or is_moment_ahead) and fact.row is not None:
                yield problem_at(_IN_FUTURE, (fact, column))
            if born is not None and on < born:
                yield problem_at(
                    gettext_noop("{what} on {on}, but the patient was born on {born}").format(
                        what=what, on=on, born=born
                    ),
                    (fact, column),
                    (patient, "birth_date"),
                )
            if ends_with_life and died is not None and on > died:
                yield problem_at(
                    gettext_noop("{what} on {on}, but the patient died on {died}").format(
                        what=what, on=on, died=died
                    ),
                    (fact, column),
                    (death, "died_on"),
                )


def _identity(facts: PatientFacts) -> Iterator[Problem]:
    for patient in facts.of("patients"):
        if not patient.values.get("mrn") and patient.readable("mrn"):
            for column in ("family_name", "given_names"):
                if patient.values.get(column):
                    yield problem_at(gettext_noop("a name needs an MRN beside it"), (patient, column))


def _course_numbers(facts: PatientFacts) -> Iterator[Problem]:
    """Yield what names a course that the patient does not have. A baseline may precede the course it is for."""
    numbers = {course.values["course_number"] for course in facts.of("courses")}
    for course in facts.of("courses"):
        number = course.values["course_number"]
        if number > 1 and number - 1 not in numbers:
            yield problem_at(
                gettext_noop(
                    "there is no course {number} before it: courses are numbered 1 to n without a gap"
                ).format(number=number - 1),
                (course, "course_number"),
            )
    following = len(numbers) + 1
    for sheet in ("studies", "lesions", "readings"):
        for fact in facts.of(sheet):
            number = fact.values["course_number"]
            if number not in numbers and number != following:
                yield problem_at(
                    gettext_noop(
                        "the patient has no course {number}, and the next one would be {next}"
                    ).format(number=number, next=following),
                    (fact, "course_number"),
                )


ADMINISTRATION_COLUMNS = tuple(column.name for column in SHEET["cycles"].columns if column.extra)


def _course(
    facts: PatientFacts, course: Fact, *, protocols: Mapping[tuple[str, int], Protocol], zone: ZoneInfo
) -> Iterator[Problem]:
    number = course.values["course_number"]
    protocol = protocols.get((course.values["protocol_code"], course.values["protocol_version"]))
    cycles = [cycle for cycle in facts.of("cycles") if cycle.values["course_number"] == number]
    cycles.sort(key=lambda cycle: cycle.values["cycle_number"])
    stop = next(
        (fact for fact in facts.of("discontinuations") if fact.values["course_number"] == number), None
    )
    stopped_on = stop.values["discontinued_on"] if stop else None

    n_given = 0
    before: Fact | None = None
    skipped: Fact | None = None  # the first cycle that is still to come
    left_out: list[Fact] = []  # cancelled, with none given after them so far
    n_left_out = 0
    numbers = {cycle.values["cycle_number"] for cycle in cycles}
    for cycle in cycles:
        values = cycle.values
        if values["cycle_number"] > 1 and values["cycle_number"] - 1 not in numbers:
            yield problem_at(
                gettext_noop(
                    "there is no cycle {number} before it: cycles are numbered 1 to n without a gap"
                ).format(number=values["cycle_number"] - 1),
                (cycle, "cycle_number"),
                (course, "course_number"),
            )
        if protocol is not None and values["cycle_number"] > protocol.planned_cycles:
            yield problem_at(
                gettext_noop("expected at most cycle {number}, as the protocol {protocol} plans").format(
                    number=protocol.planned_cycles, protocol=protocol.code
                ),
                (cycle, "cycle_number"),
                (course, "protocol_code"),
            )
        if not cycle.readable("status"):
            continue
        if values["status"] != CycleStatus.CANCELLED and values["cancel_reason"]:
            yield problem_at(
                gettext_noop("expected nothing, since the cycle is {status}, not cancelled").format(
                    status=values["status"]
                ),
                (cycle, "cancel_reason"),
                (cycle, "status"),
            )
        if values["status"] != CycleStatus.GIVEN:
            if values["status"] == CycleStatus.CANCELLED:
                left_out.append(cycle)
            else:
                skipped = skipped or cycle
            for column in ADMINISTRATION_COLUMNS:
                if values.get(column) not in (None, "", []):
                    yield problem_at(
                        gettext_noop("expected nothing, since the cycle is {status}, not given").format(
                            status=values["status"]
                        ),
                        (cycle, column),
                    )
            if stop is not None and values["status"] != CycleStatus.CANCELLED:
                yield problem_at(
                    gettext_noop("expected cancelled, since the course was discontinued on {day}").format(
                        day=stopped_on
                    ),
                    (cycle, "status"),
                    (stop, "discontinued_on"),
                )
            continue
        n_given += 1
        n_left_out += len(left_out)
        for cancelled in left_out:
            if not cancelled.values["cancel_reason"] and cancelled.readable("cancel_reason"):
                yield problem_at(
                    gettext_noop(
                        "expected why it was left out, since cycle {number} was given after it"
                    ).format(number=values["cycle_number"]),
                    (cancelled, "cancel_reason"),
                    (cycle, "status"),
                )
        left_out = []
        if skipped is not None:
            yield problem_at(
                gettext_noop(
                    "cycle {number} was given, but cycle {other} is {status}: cycles are given in order"
                ).format(
                    number=values["cycle_number"],
                    other=skipped.values["cycle_number"],
                    status=skipped.values["status"],
                ),
                (cycle, "status"),
                (skipped, "status"),
            )
        for column in ("administered_at", "administered_activity_mbq"):
            if values.get(column) is None and cycle.readable(column):
                yield problem_at(gettext_noop("expected a value, since the cycle was given"), (cycle, column))
        yield from _administration(cycle)
        at = values.get("administered_at")
        if at is None:
            continue
        on = _local_date(at, zone)
        if before is not None and on <= _local_date(before.values["administered_at"], zone):
            yield problem_at(
                gettext_noop("expected a day after cycle {number}, which was given on {day}").format(
                    number=before.values["cycle_number"],
                    day=_local_date(before.values["administered_at"], zone),
                ),
                (cycle, "administered_at"),
                (before, "administered_at"),
            )
        if stopped_on is not None and on > stopped_on:
            yield problem_at(
                gettext_noop(
                    "cycle {number} was given on {on}, but the course was discontinued on {stopped}"
                ).format(number=values["cycle_number"], on=on, stopped=stopped_on),
                (cycle, "administered_at"),
                (stop, "discontinued_on"),
            )
        before = cycle

    if stop is not None:
        if stop.values["after_cycle"] != n_given and stop.readable("after_cycle"):
            yield problem_at(
                gettext_noop("expected {n}, the number of cycles that were given").format(n=n_given),
                (stop, "after_cycle"),
                *((cycle, "status") for cycle in cycles),
            )
        if protocol is not None and n_given + n_left_out >= protocol.planned_cycles:
            yield problem_at(
                gettext_noop(
                    "expected no discontinuation: all planned cycles were given, the course is completed"
                ),
                (stop, "discontinued_on"),
                *((cycle, "status") for cycle in cycles),
            )


def _administration(cycle: Fact) -> Iterator[Problem]:
    """Yield what contradicts within one administration, but for its times and activities."""
    values = cycle.values
    if values["extravasated_percent"] is not None and values["is_extravasated"] is not True:
        yield problem_at(
            gettext_noop("expected nothing, since is_extravasated is not yes"),
            (cycle, "extravasated_percent"),
        )
    if bool(values["confirmed_warnings"]) != bool(values["confirmation_reason"]):
        missing = "confirmation_reason" if values["confirmed_warnings"] else "confirmed_warnings"
        if cycle.readable("confirmation_reason") and cycle.readable("confirmed_warnings"):
            yield problem_at(
                gettext_noop("expected a value: warnings are confirmed with a reason"), (cycle, missing)
            )


def syringe_times_reversed(values: Mapping[str, Any]) -> bool:
    """Return whether the syringe was measured after the infusion began, or the residual before."""
    began = values["administered_at"]
    syringe, residual = values.get("syringe_measured_at"), values.get("residual_measured_at")
    return (syringe is not None and syringe > began) or (residual is not None and residual < began)


def _orders(facts: PatientFacts) -> Iterator[Problem]:
    """Yield times and days that are the wrong way round."""
    for sheet, earlier, later, expected in _IN_ORDER:
        for fact in facts.of(sheet):
            first, second = fact.values.get(earlier), fact.values.get(later)
            if first is None or second is None or first <= second:
                continue
            if expected:
                yield problem_at(expected.format(day=_said(first)), (fact, later))
            else:
                yield problem_at(
                    gettext_noop("expected before the infusion began at {day}").format(day=_said(second)),
                    (fact, earlier),
                )


def _said(value: Any) -> str:
    text: str = value.isoformat()
    return text


def _of_cycles(facts: PatientFacts) -> Iterator[Problem]:
    """Yield what contradicts between a cycle and its holds, decisions and absorbed doses."""
    cycles = {
        (fact.values["course_number"], fact.values["cycle_number"]): fact for fact in facts.of("cycles")
    }
    open_holds: dict[tuple[int, int], list[Fact]] = defaultdict(list)
    for hold in facts.of("holds"):
        if hold.values["resumed_on"] is None and hold.readable("resumed_on"):
            open_holds[hold.values["course_number"], hold.values["cycle_number"]].append(hold)
    for key, holds in open_holds.items():
        cycle = cycles.get(key)
        for other in holds[1:]:
            yield problem_at(
                gettext_noop("expected a day: the cycle has another open hold, of {day}").format(
                    day=holds[0].values["held_on"]
                ),
                (other, "resumed_on"),
                (holds[0], "resumed_on"),
            )
        if cycle is None or not cycle.readable("status"):
            continue
        if cycle.values["status"] not in {CycleStatus.HELD, CycleStatus.CANCELLED}:
            yield problem_at(
                gettext_noop(
                    "the hold of {day} is open and the cycle {status}: expected the day on which the hold ended"
                    " (resumed_on), or a cycle that is held or cancelled"
                ).format(day=holds[0].values["held_on"], status=cycle.values["status"]),
                (holds[0], "resumed_on"),
                (cycle, "status"),
            )
    for decision in facts.of("dose_decisions"):
        values = decision.values
        if not (decision.readable("advice") and decision.readable("decision")):
            continue
        if values["decision"] != values["advice"] and not values["reason"] and decision.readable("reason"):
            yield problem_at(
                gettext_noop("expected a reason, since {decision} was decided and {advice} advised").format(
                    decision=values["decision"], advice=values["advice"]
                ),
                (decision, "reason"),
            )
    for dose in facts.of("absorbed_doses"):
        values = dose.values
        if values["lesion"] and values["organ"] != Organ.LESION:
            yield problem_at(
                gettext_noop("expected nothing: only the dose of a lesion says which lesion"),
                (dose, "lesion"),
            )
        cycle = cycles.get((values["course_number"], values["cycle_number"]))
        if cycle is not None and cycle.readable("status") and cycle.values["status"] != CycleStatus.GIVEN:
            yield problem_at(
                gettext_noop(
                    "expected a given cycle: cycle {number} is {status}, so that it has no absorbed dose"
                ).format(number=values["cycle_number"], status=cycle.values["status"]),
                (dose, "cycle_number"),
                (cycle, "status"),
            )


def _limits(facts: PatientFacts) -> Iterator[Problem]:
    for result in facts.of("lab_results"):
        lower, upper = result.values["lower_limit"], result.values["upper_limit"]
        if upper is not None and (upper == 0 or (lower is not None and lower >= upper)):
            yield problem_at(
                gettext_noop("expected above 0 and above lower_limit"),
                (result, "upper_limit"),
                (result, "lower_limit"),
            )


def _imaging(facts: PatientFacts) -> Iterator[Problem]:
    baselines: dict[int, Fact] = {}
    for study in facts.of("studies"):
        if study.values["timepoint"] != Timepoint.BASELINE:
            continue
        number = study.values["course_number"]
        if number in baselines:
            other = baselines[number]
            yield problem_at(
                gettext_noop("expected one baseline study in a course: there is one on {day} too").format(
                    day=other.values["performed_on"]
                ),
                (study, "timepoint"),
                (other, "timepoint"),
            )
        else:
            baselines[number] = study
    for study in facts.of("studies"):
        baseline = baselines.get(study.values["course_number"])
        if baseline is None or study.values["timepoint"] == Timepoint.BASELINE:
            continue
        if study.values["performed_on"] <= baseline.values["performed_on"]:
            yield problem_at(
                gettext_noop("expected after the baseline of this course on {day}").format(
                    day=baseline.values["performed_on"]
                ),
                (study, "performed_on"),
                (baseline, "performed_on"),
            )
    for reading in facts.of("readings"):
        if reading.values["timepoint"] == Timepoint.BASELINE:
            yield problem_at(
                gettext_noop("expected a study after the baseline: the baseline itself has no response"),
                (reading, "timepoint"),
            )
        if (
            reading.values.get("new_lesions")
            and reading.readable("overall_response")
            and reading.values["overall_response"] != OverallResponse.PD
        ):
            yield problem_at(
                gettext_noop("expected PD, since there are new lesions (RECIST 1.1)"),
                (reading, "overall_response"),
            )
