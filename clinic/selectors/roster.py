"""The list of patients with the state of their last course, by keyset pages; counts of each state.

States come from the outcomes under the registry's default definition (that of the cohort ``all``); a death is read from its
record. Where an outcome is missing or marked stale, the state is said to be pending.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from accounts.models import User
from analytics.models import Cohort, Outcome, StaleCourse
from clinic.selectors.names import names_of
from patients.models import Death, Diagnosis, Patient
from treatments.models import Course

STATES = {
    "ongoing": "Ongoing",
    "completed": "Completed",
    "discontinued": "Discontinued",
    "died": "Died",
    "not_started": "Not started",
    "pending": "Pending",
}
# Courses are counted on the dashboards whoever died since; here each patient stands in one state.
FILTER_WORDS = STATES | {"died": "Died, whatever the course"}
PAGE_SIZE = 50


@dataclass(frozen=True)
class RosterRow:
    """One patient of the list. ``age`` at death where ``is_dead``; ``pending``: newer changes are not counted yet."""

    patient: Patient
    name: str
    age: int
    is_dead: bool
    diagnosis: Diagnosis | None
    state: str
    state_word: str
    pending: bool
    cycles_given: int | None
    planned_cycles: int | None
    started_on: date | None


@dataclass(frozen=True)
class RosterPage:
    rows: list[RosterRow]
    before: str  # the key to go back from, "" on the first page
    after: str  # the key to go on from, "" on the last page


def default_definition_id() -> int | None:
    """Return the key of the definition of the cohort ``all``; None in a registry that lost it."""
    return Cohort.objects.filter(slug="all").values_list("definition_id", flat=True).first()


_DEFAULT_DEFINITION = Subquery(Cohort.objects.filter(slug="all").values("definition_id")[:1])


def state_of(*, died: bool, has_course: bool, outcome: Outcome | None) -> str:
    """Return the key of ``STATES`` for one patient; the same order of questions as ``with_state`` asks the database."""
    if died:
        return "died"
    if not has_course:
        return "not_started"
    if outcome is None:
        return "pending"
    if outcome.time_zero is None and outcome.status == "ongoing":
        return "not_started"
    return outcome.status


def with_state(patients: QuerySet[Patient]) -> QuerySet[Any]:
    """Annotate ``last_course``, ``died_on`` and ``state``."""
    last = Course.objects.current().filter(patient=OuterRef("pk")).order_by("-number").values("pk")[:1]
    outcome = Outcome.objects.filter(definition=_DEFAULT_DEFINITION, course=OuterRef("last_course"))
    death = Death.objects.current().filter(patient=OuterRef("pk"))
    return patients.annotate(
        last_course=Subquery(last), died_on=Subquery(death.values("died_on")[:1])
    ).annotate(
        state=Case(
            When(Exists(death), then=Value("died")),
            When(last_course=None, then=Value("not_started")),
            When(Exists(outcome.filter(time_zero=None, status="ongoing")), then=Value("not_started")),
            When(~Exists(outcome), then=Value("pending")),
            default=Subquery(outcome.values("status")[:1]),
            output_field=CharField(),
        )
    )


def counts(user: User) -> dict[str, int]:
    """Return the number of patients in each state and ``all``, at the centres whose records ``user`` may see.

    Three queries that read each course once, however many patients there are.
    """
    definition_id = default_definition_id()
    found = dict.fromkeys(STATES, 0)
    died = Exists(Death.objects.current().filter(patient=OuterRef("patient_id")))
    later = Course.objects.current().filter(patient=OuterRef("patient_id"), number__gt=OuterRef("number"))
    rows = (
        Course.objects.visible_to(user)
        .current()
        .filter(~Exists(later), patient__voided_at=None)
        .annotate(
            outcome=FilteredRelation("outcomes", condition=Q(outcomes__definition=definition_id)),
            is_dead=died,
        )
        .values_list(
            Case(
                When(is_dead=True, then=Value("died")),
                When(outcome__status=None, then=Value("pending")),
                When(outcome__time_zero=None, outcome__status="ongoing", then=Value("not_started")),
                default=F("outcome__status"),
                output_field=CharField(),
            )
        )
        .annotate(n=Count("patient_id"))
        .order_by()
    )
    for state, n in rows:
        found[state] = found.get(state, 0) + n
    patients = Patient.objects.visible_to(user).current()
    without = patients.filter(~Exists(Course.objects.current().filter(patient=OuterRef("pk"))))
    of_patient = Death.objects.current().filter(patient=OuterRef("pk"))
    for is_dead, n in (
        without.annotate(is_dead=Exists(of_patient)).values_list("is_dead").annotate(n=Count("pk")).order_by()
    ):
        found["died" if is_dead else "not_started"] += n
    return {"all": sum(found.values()), **found}


def counts_found(user: User, search: str) -> dict[str, int]:
    """Return the number of patients in each state and ``all`` among those that a search finds. One query."""
    found = dict.fromkeys(STATES, 0)
    patients = with_state(Patient.objects.visible_to(user).current().search(search, user))
    for state, n in patients.order_by().values_list("state").annotate(n=Count("pk")):
        found[state] = found.get(state, 0) + n
    return {"all": sum(found.values()), **found}


def roster(
    user: User,
    *,
    now: datetime,
    search: str = "",
    state: str = "",
    after: str = "",
    before: str = "",
    limit: int = PAGE_SIZE,
) -> RosterPage:
    """Return one page of patients in the order of their registry numbers. Five queries."""
    visible = Patient.objects.visible_to(user).current().select_related("centre")
    patients = with_state(visible.search(search, user) if search else visible)
    if state in STATES:
        patients = patients.filter(state=state)
    if before:
        found = list(patients.filter(registry_number__lt=before).order_by("-registry_number")[: limit + 1])
        more_before, more_after = len(found) > limit, True
        found = found[:limit][::-1]
    else:
        if after:
            patients = patients.filter(registry_number__gt=after)
        found = list(patients.order_by("registry_number")[: limit + 1])
        more_before, more_after = bool(after), len(found) > limit
        found = found[:limit]
    rows = _rows(user, found, now)
    return RosterPage(
        rows,
        before=found[0].registry_number if found and more_before else "",
        after=found[-1].registry_number if found and more_after else "",
    )


def _rows(user: User, found: list[Patient], now: datetime) -> list[RosterRow]:
    ids = [patient.pk for patient in found]
    courses = [patient.last_course for patient in found if patient.last_course]  # type: ignore[attr-defined]
    outcomes = {
        outcome.course_id: outcome
        for outcome in Outcome.objects.filter(definition=_DEFAULT_DEFINITION, course__in=courses)
    }
    marked = Exists(StaleCourse.objects.filter(course_id=OuterRef("pk")))
    asked = Course.objects.filter(pk__in=courses).annotate(is_stale=marked)
    planned = {
        pk: (cycles, is_stale)
        for pk, cycles, is_stale in asked.values_list("pk", "protocol__planned_cycles", "is_stale")
    }
    diagnoses = {
        diagnosis.patient_id: diagnosis
        for diagnosis in Diagnosis.objects.visible_to(user).current().filter(patient__in=ids)
    }
    names = names_of(user, ids)
    rows = []
    for patient in found:
        course_id = patient.last_course  # type: ignore[attr-defined]
        state = patient.state  # type: ignore[attr-defined]
        died_on = patient.died_on  # type: ignore[attr-defined]
        outcome = outcomes.get(course_id)
        planned_cycles, is_stale = planned.get(course_id, (None, False))
        rows.append(
            RosterRow(
                patient=patient,
                name=names.get(patient.pk, ""),
                age=age_on(patient.birth_date, died_on or now.astimezone(patient.centre.zone).date()),
                is_dead=died_on is not None,
                diagnosis=diagnoses.get(patient.pk),
                state=state,
                state_word=STATES[state],
                pending=state == "pending" or is_stale,
                cycles_given=outcome.cycles_given if outcome else None,
                planned_cycles=planned_cycles,
                started_on=outcome.time_zero if outcome else None,
            )
        )
    return rows


def stale_courses(course_ids: list[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the courses that are marked to be derived again."""
    return set(StaleCourse.objects.filter(course_id__in=course_ids).values_list("course_id", flat=True))


def age_on(birth_date: date, day: date) -> int:
    """Return whole years lived on ``day``."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
