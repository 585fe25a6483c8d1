"""Lesions of a cohort file and what was found of them: completed, checked against each other, and what readings derive."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from exchange.facts import Fact, PatientFacts, problem_at
from exchange.problems import Problem
from exchange.rows import Row
from imaging.models import LesionOrgan, LesionState, Reading, Role
from imaging.rules.recist import STATES_OF_ROLE, LesionRole, number
from imaging.rules.selection import count_problems
from imaging.selectors.response import CourseResponse, course_responses
from imaging.services.readings import DERIVED_FIELDS, derive_reading
from languages.wording import gettext_noop

_OF_STATE = ("size_mm", "parts_mm", "merged_into")
_SIZED = frozenset({LesionState.MEASURED.value, LesionState.SPLIT.value})
_PATIENTS_AT_ONCE = 1_000
_OF_ROLE = {
    LesionRole.TARGET: gettext_noop("{label} is a target lesion: expected one of {states}"),
    LesionRole.NON_TARGET: gettext_noop("{label} is a non-target lesion: expected one of {states}"),
    LesionRole.NEW: gettext_noop("{label} is a new lesion: expected one of {states}"),
}

# Before anything is written


def complete_measurement(row: Row, stored: dict[str, Any] | None) -> None:
    """Put what follows from the row itself: the state that its size, parts or other lesion give, and the sum of its parts.

    Args:
        stored: what the registry holds of it by column name; None where it is new.
    """
    said = row.values
    if not said.get("state") and "state" not in row.unreadable:
        for column, state in (
            ("merged_into", LesionState.MERGED),
            ("parts_mm", LesionState.SPLIT),
            ("size_mm", LesionState.MEASURED),
        ):
            if said.get(column):
                said["state"] = state.value
                break
    if stored is not None and said.get("state", stored["state"]) != stored["state"]:
        # What the file does not say of the new state is not left over from the old one.
        said.setdefault("size_mm", None)
        said.setdefault("parts_mm", [])
        said.setdefault("merged_into", "")
    if said.get("parts_mm") and said.get("size_mm") is None and "size_mm" not in row.unreadable:
        said["size_mm"] = sum(said["parts_mm"], Decimal(0))


def check_lesions(facts: PatientFacts) -> Iterator[Problem]:
    """Yield what contradicts between a patient's lesions and what was found of them."""
    lesions = {_lesion_key(lesion, "label"): lesion for lesion in facts.of("lesions")}
    yield from _counts(lesions.values())
    for one in facts.of("measurements"):
        lesion = lesions.get(_lesion_key(one, "label"))
        yield from _measurement(one)
        if lesion is not None and lesion.readable("role") and one.readable("state"):
            yield from _of_role(one, lesion, lesions)


def _lesion_key(fact: Fact, label: str) -> tuple[Any, ...]:
    return fact.values["course_number"], fact.values["reader_role"], fact.values[label]


def _counts(lesions: Iterable[Fact]) -> Iterator[Problem]:
    """Yield where a reader has more target lesions than RECIST 1.1 takes."""
    targets: dict[tuple[Any, ...], dict[str, Fact]] = defaultdict(dict)
    for lesion in lesions:
        values = lesion.values
        if values["role"] == Role.TARGET and lesion.readable("organ"):
            targets[values["course_number"], values["reader_role"]][values["label"]] = lesion
    for of_reader in targets.values():
        labels = sorted(of_reader, key=lambda label: (len(label), label))
        for problem in count_problems(
            [(label, of_reader[label].values["organ"]) for label in labels], dict(LesionOrgan.choices)
        ):
            where = [(of_reader[label], "role") for label in reversed(problem.labels)]
            yield problem_at(problem.sentence.rstrip("."), *where)


def _measurement(one: Fact) -> Iterator[Problem]:
    """Yield what contradicts within one measurement."""
    values = one.values
    state, size_mm, parts = values["state"], values["size_mm"], values["parts_mm"]
    if not all(one.readable(column) for column in ("state", *_OF_STATE)):
        return
    called = state or gettext_noop("blank")
    nothing = gettext_noop("expected nothing, since the state is {state}").format(state=called)
    if state in _SIZED and size_mm is None:
        yield problem_at(
            gettext_noop("expected a size in mm, since the state is {state}").format(state=called),
            (one, "size_mm"),
        )
    elif state not in _SIZED and size_mm is not None:
        yield problem_at(nothing, (one, "size_mm"))
    if state != LesionState.SPLIT and parts:
        yield problem_at(
            gettext_noop("expected nothing, since the state is {state}, not split").format(state=called),
            (one, "parts_mm"),
        )
    elif state == LesionState.SPLIT and not parts:
        yield problem_at(
            gettext_noop("expected two parts or more, such as 12+9, since the state is split"),
            (one, "parts_mm"),
        )
    elif parts and size_mm is not None and sum(parts, Decimal(0)) != size_mm:
        total = number(sum(parts, Decimal(0)))
        yield problem_at(
            gettext_noop("expected {total}, the sum of the parts, or a blank cell").format(total=total),
            (one, "size_mm"),
        )
    if state != LesionState.MERGED and values["merged_into"]:
        yield problem_at(
            gettext_noop("expected nothing, since the state is {state}, not merged").format(state=called),
            (one, "merged_into"),
        )
    elif state == LesionState.MERGED and not values["merged_into"]:
        yield problem_at(
            gettext_noop("expected the label of the lesion that it is a part of, since the state is merged"),
            (one, "merged_into"),
        )
    if not state and values["suv_max"] is None and one.readable("suv_max"):
        yield problem_at(gettext_noop("expected a state, a size or an SUVmax"), (one, "state"))


def _of_role(one: Fact, lesion: Fact, lesions: dict[tuple[Any, ...], Fact]) -> Iterator[Problem]:
    """Yield what cannot be said of a lesion of this role, by itself or with the lesion it merges into."""
    values, role = one.values, LesionRole(lesion.values["role"])
    if values["state"] and values["state"] not in STATES_OF_ROLE[role]:
        allowed = ", ".join(state for state in LesionState.values if state in STATES_OF_ROLE[role])
        yield problem_at(
            _OF_ROLE[role].format(label=values["label"], states=allowed),
            (one, "state"),
            (lesion, "role"),
        )
    if not values["merged_into"] or not one.readable("merged_into"):
        return
    if values["merged_into"] == values["label"]:
        yield problem_at(
            gettext_noop("expected another lesion: none is a part of itself"), (one, "merged_into")
        )
        return
    other = lesions.get(_lesion_key(one, "merged_into"))
    if other is None or not other.readable("role"):
        return
    if role is LesionRole.TARGET and other.values["role"] != Role.TARGET:
        yield problem_at(
            gettext_noop("expected a target lesion: {label} is one, and {other} is not").format(
                label=values["label"], other=values["merged_into"]
            ),
            (one, "merged_into"),
            (other, "role"),
            (lesion, "role"),
        )


# While it is written


def derive_readings(readings: Iterable[Reading]) -> list[Reading]:
    """Put into readings what the rules derive from the measurements as they are stored now; return those that changed.

    A few queries for a thousand patients.
    """
    of_patient: dict[Any, list[Reading]] = defaultdict(list)
    for reading in readings:
        of_patient[reading.study.patient_id].append(reading)
    changed = []
    patient_ids = list(of_patient)
    for start in range(0, len(patient_ids), _PATIENTS_AT_ONCE):
        chunk = patient_ids[start : start + _PATIENTS_AT_ONCE]
        responses = course_responses(chunk)
        for reading in (reading for patient_id in chunk for reading in of_patient[patient_id]):
            key = (reading.study.patient_id, reading.study.course_number, reading.reader_role)
            before = [getattr(reading, name) for name in DERIVED_FIELDS]
            derive_reading(reading, responses.get(key) or CourseResponse(*key))
            if [getattr(reading, name) for name in DERIVED_FIELDS] != before:
                changed.append(reading)
    return changed
