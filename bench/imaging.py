"""What deriving responses costs: all timepoints and the best response of a course with 10 lesions in 6 studies."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from imaging.rules.best_response import (
    Assessment,
    ResponseRules,
    best_confirmed,
    best_unconfirmed,
)
from imaging.rules.recist import Finding, Lesion, LesionRole, State, StudyDay, assess
from imaging.rules.sstr import PetStudy, SstrRules, Uptake, UptakeLesion, assess_uptake

LESIONS, STUDIES, COURSES = 10, 6, 2000
BASELINE = date(2019, 1, 7)


RULES, THRESHOLDS = ResponseRules(), SstrRules()


@dataclass(frozen=True)
class _Course:
    lesions: list[Lesion]
    days: list[StudyDay]
    uptake_lesions: list[UptakeLesion]
    pets: list[PetStudy]


@dataclass(frozen=True)
class Measured:
    """Courses per second on one core, the fastest of the runs."""

    recist_per_second: float
    uptake_per_second: float


def measure(*, repeats: int) -> Measured:
    chance = random.Random(1)  # noqa: S311 - a load
    courses = [_course(chance) for _ in range(COURSES)]
    return Measured(
        recist_per_second=max(_per_second(courses, _derive) for _ in range(repeats)),
        uptake_per_second=max(_per_second(courses, _uptake) for _ in range(repeats)),
    )


def _per_second(courses: Sequence[_Course], work: Callable[[_Course], object]) -> float:
    began = time.perf_counter()
    for course in courses:
        work(course)
    return len(courses) / (time.perf_counter() - began)


def _derive(course: _Course) -> object:
    """Derive every timepoint, and the best response with and without confirmation."""
    found = assess(course.lesions, course.days)
    read = [Assessment(one.on, one.overall) for one in found if one.overall]
    last = found[-1].on
    return (
        best_unconfirmed(read, time_zero=BASELINE, until=last, rules=RULES),
        best_confirmed(read, time_zero=BASELINE, until=last, rules=RULES),
    )


def _uptake(course: _Course) -> object:
    return assess_uptake(course.uptake_lesions, course.pets, THRESHOLDS)


def _course(chance: random.Random) -> _Course:
    """Return five target and three non-target lesions and two new ones, smaller at first, growing later."""
    keys = [str(n) for n in range(STUDIES)]
    on = [BASELINE + timedelta(days=84 * n) for n in range(STUDIES)]
    lesions, uptake_lesions = [], []
    for n in range(LESIONS):
        role = LesionRole.TARGET if n < 5 else LesionRole.NON_TARGET if n < 8 else LesionRole.NEW
        findings, uptakes = {}, {}
        for at, key in enumerate(keys):
            if role is LesionRole.TARGET:
                size = Decimal(chance.randint(100, 600) - 20 * min(at, 3)) / 10
                findings[key] = Finding(State.MEASURED, size)
            elif role is LesionRole.NON_TARGET:
                findings[key] = Finding(State.PRESENT)
            elif at == STUDIES - 1:
                findings[key] = Finding(chance.choice([State.ABSENT, State.PRESENT]))
            if key in findings:
                uptakes[key] = Uptake(Decimal(chance.randint(20, 600)) / 10, findings[key].state)
        lesions.append(Lesion(f"L{n + 1}", role, n == 2, "liver", findings))
        uptake_lesions.append(UptakeLesion(f"L{n + 1}", role, uptakes))
    days = [StudyDay(key, day) for key, day in zip(keys, on, strict=True)]
    pets = [
        PetStudy(key, day, liver_suv_mean=Decimal(5), spleen_suv_mean=Decimal(20))
        for key, day in zip(keys, on, strict=True)
    ]
    return _Course(lesions, days, uptake_lesions, pets)
