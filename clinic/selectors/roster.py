"""The list of patients with the state of their last course, by keyset pages; counts of each state.

States come from the outcomes under the registry's default definition (that of the cohort ``all``); a death is read from its
record. Where an outcome is missing or marked stale, the state is said to be pending.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    DateField,
    Exists,
    F,
    FilteredRelation,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from analytics.models import Cohort, Outcome, StaleCourse
from clinic.models import CareTeamMember
from clinic.selectors.names import names_of, person_name
from clinic.selectors.whose import Whose
from languages.wording import Words, gettext_noop
from patients.models import Death, Diagnosis, Patient
from treatments.models import OPEN, Administration, Course, Cycle

STATES = Words(
    {
        "ongoing": gettext_noop("Ongoing"),
        "completed": gettext_noop("Completed"),
        "discontinued": gettext_noop("Discontinued"),
        "died": gettext_noop("Died"),
        "not_started": gettext_noop("Not started"),
        "pending": gettext_noop("Pending"),
    }
)
# Courses are counted on the dashboards whoever died since; here each patient stands in one state.
FILTER_WORDS = Words(STATES.english | {"died": gettext_noop("Died, whatever the course")})
RESPONSES = Words(
    {
        "CR": gettext_noop("Complete response"),
        "PR": gettext_noop("Partial response"),
        "SD": gettext_noop("Stable disease"),
        "NON_CR_NON_PD": gettext_noop("Non-CR/non-PD"),
        "PD": gettext_noop("Progressive disease"),
        "NE": gettext_noop("Not evaluable"),
    }
)
PAGE_SIZE = 50
EXPORTED_AT_ONCE = 500


@dataclass(frozen=True)
class RosterRow:
    """One patient of the list. ``age`` at death where ``is_dead``; ``pending``: newer changes are not counted yet.

    The last four are read only where their columns are asked for.
    """

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
    outcome: Outcome | None
    last_given_on: date | None = None
    next_planned_on: date | None = None
    looked_after_by: str = ""


@dataclass(frozen=True)
class Column:
    """A column of the list: its heading with the unit, and what stands in it; ``right`` for numbers and dates."""

    key: str
    title: str | Promise
    value: Callable[[RosterRow], Any]
    right: bool = False
    sort: str = ""
    of_identity: bool = False


def _response(row: RosterRow) -> str:
    return RESPONSES.get(row.outcome.best_overall_response, "") if row.outcome else ""


def _activity_gbq(row: RosterRow) -> Decimal | None:
    if row.outcome is None or row.outcome.cumulative_activity_mbq is None:
        return None
    return (row.outcome.cumulative_activity_mbq / 1000).quantize(Decimal("0.1"), ROUND_HALF_UP)


NUMBER = Column(
    "number", gettext_lazy("Registry number"), lambda row: row.patient.registry_number, sort="number"
)
COLUMNS = {
    column.key: column
    for column in (
        Column("name", gettext_lazy("Name"), lambda row: row.name, of_identity=True),
        Column("sex", gettext_lazy("Sex"), lambda row: row.patient.get_sex_display()),
        Column("age", gettext_lazy("Age (y)"), lambda row: row.age, right=True, sort="age"),
        Column("birth_date", gettext_lazy("Date of birth"), lambda row: row.patient.birth_date, right=True),
        Column("diagnosis", gettext_lazy("Diagnosis"), lambda row: str(row.diagnosis or "")),
        Column("state", pgettext_lazy("of a course", "State"), lambda row: row.state_word),
        Column("cycles", gettext_lazy("Cycles given"), lambda row: row.cycles_given, right=True),
        Column("planned_cycles", gettext_lazy("Cycles planned"), lambda row: row.planned_cycles, right=True),
        Column(
            "started", gettext_lazy("First cycle"), lambda row: row.started_on, right=True, sort="started"
        ),
        Column("last_given", gettext_lazy("Last cycle"), lambda row: row.last_given_on, right=True),
        Column("next_planned", gettext_lazy("Next planned"), lambda row: row.next_planned_on, right=True),
        Column("activity", gettext_lazy("Given in all (GBq)"), _activity_gbq, right=True),
        Column("response", gettext_lazy("Best response"), _response),
        Column("looked_after_by", gettext_lazy("Looked after by"), lambda row: row.looked_after_by),
        Column("centre", gettext_lazy("Centre"), lambda row: row.patient.centre.code),
    )
}
DEFAULT_COLUMNS = ("name", "sex", "age", "diagnosis", "state", "cycles", "started")
SORTS = Words(
    {
        "number": gettext_noop("Registry number"),
        "-number": gettext_noop("Registry number, last first"),
        "-age": gettext_noop("Oldest first"),
        "age": gettext_noop("Youngest first"),
        "started": gettext_noop("First cycle, earliest first"),
        "-started": gettext_noop("First cycle, latest first"),
    }
)


@dataclass(frozen=True)
class ListQuery:
    """What a list of patients is asked for: filters, order, columns.

    Attributes:
        search: words; see ``PatientQuerySet.search``.
        state: a key of ``STATES``; centre: a code; tumour_type: a ``TumourType``; blank: all.
        sort: a key of ``SORTS``.
        columns: keys of ``COLUMNS`` beside the registry number.
    """

    search: str = ""
    state: str = ""
    centre: str = ""
    tumour_type: str = ""
    whose: Whose = field(default_factory=Whose)
    sort: str = "number"
    columns: tuple[str, ...] = DEFAULT_COLUMNS

    @property
    def narrows(self) -> bool:
        """Whether more than the state is asked for."""
        return bool(self.search or self.centre or self.tumour_type) or self.whose != Whose()


@dataclass(frozen=True)
class RosterPage:
    rows: list[RosterRow]
    before: str  # the key to go back from, "" on the first page
    after: str  # the key to go on from, "" on the last page


def default_definition_id() -> int | None:
    """Return the key of the definition of the cohort ``all``; None in a registry that lost it."""
    return Cohort.objects.filter(slug="all").values_list("definition_id", flat=True).first()


DEFAULT_DEFINITION = Subquery(Cohort.objects.filter(slug="all").values("definition_id")[:1])


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
    outcome = Outcome.objects.filter(definition=DEFAULT_DEFINITION, course=OuterRef("last_course"))
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


_LAST_OF_ALL = date(9999, 12, 31)
_STARTED = Subquery(
    Outcome.objects.filter(definition=DEFAULT_DEFINITION, course=OuterRef("last_course")).values("time_zero")[
        :1
    ]
)
# By what each order goes; who has not begun stands behind those who have, or before them in the other direction.
_PLACES: dict[str, Any] = {
    "number": F("registry_number"),
    "age": F("birth_date"),
    "started": Coalesce(_STARTED, Value(_LAST_OF_ALL, output_field=DateField())),
}


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


def _asked(user: User, query: ListQuery) -> QuerySet[Patient]:
    """Return the patients that the filters leave, whatever their state."""
    patients = Patient.objects.visible_to(user).current()
    if query.search:
        patients = patients.search(query.search, user)
    if query.centre:
        patients = patients.filter(centre__code=query.centre)
    if query.tumour_type:
        diagnoses = Diagnosis.objects.current().filter(patient=OuterRef("pk"), tumour_type=query.tumour_type)
        patients = patients.filter(Exists(diagnoses))
    return query.whose.narrow(patients, "pk")


def counts_found(user: User, query: ListQuery) -> dict[str, int]:
    """Return the number of patients in each state and ``all`` among those that the filters leave. One query."""
    found = dict.fromkeys(STATES, 0)
    patients = with_state(_asked(user, query))
    for state, n in patients.order_by().values_list("state").annotate(n=Count("pk")):
        found[state] = found.get(state, 0) + n
    return {"all": sum(found.values()), **found}


def roster(
    user: User,
    query: ListQuery = ListQuery(),
    *,
    now: datetime,
    after: str = "",
    before: str = "",
    limit: int = PAGE_SIZE,
) -> RosterPage:
    """Return one page of patients in the order asked for. Five queries, and one for each column of ``_FURTHER``.

    Args:
        after, before: the key of the row after or before which the page lies.
    """
    patients = with_state(_asked(user, query).select_related("centre"))
    if query.state:
        patients = patients.filter(state=query.state)
    # ``down``: the value descends; the registry number ascends in every order but its own reverse.
    down, key = query.sort.startswith("-"), query.sort.removeprefix("-")
    if key == "age":
        down = not down  # who is older was born earlier
    patients = patients.annotate(place=_PLACES[key])
    backwards = bool(before)
    if position := parse_place(key, before or after):
        value, number = position
        further = Q(place__lt=value) if down != backwards else Q(place__gt=value)
        same = Q(registry_number__lt=number) if backwards else Q(registry_number__gt=number)
        patients = patients.filter(further if key == "number" else further | Q(place=value) & same)
    elif before or after:
        patients = patients.none()
    order = [F("place").desc() if down != backwards else F("place").asc()]
    order.append(F("registry_number").desc() if backwards else F("registry_number").asc())
    found = list(patients.order_by(*order)[: limit + 1])
    has_more = len(found) > limit
    found = found[:limit][::-1] if backwards else found[:limit]
    return RosterPage(
        _rows(user, found, now, query.columns),
        before=_place_of(key, found[0]) if found and (has_more if backwards else bool(after)) else "",
        after=_place_of(key, found[-1]) if found and (backwards or has_more) else "",
    )


def everybody(user: User, query: ListQuery, now: datetime) -> Iterator[RosterRow]:
    """Yield every patient of the list in its order, some hundred at a time."""
    page = roster(user, query, now=now, limit=EXPORTED_AT_ONCE)
    while True:
        yield from page.rows
        if not page.after:
            return
        page = roster(user, query, now=now, after=page.after, limit=EXPORTED_AT_ONCE)


def _place_of(key: str, patient: Any) -> str:
    return patient.registry_number if key == "number" else f"{patient.place}~{patient.registry_number}"


def parse_place(key: str, words: str) -> tuple[Any, str] | None:
    """Return the value and registry number of a row's key in the order ``key``; None where it is none."""
    if key == "number":
        return (words, words) if words else None
    day, _, number = words.partition("~")
    try:
        return date.fromisoformat(day), number
    except ValueError:
        return None


def _rows(user: User, found: list[Patient], now: datetime, columns: tuple[str, ...] = ()) -> list[RosterRow]:
    ids = [patient.pk for patient in found]
    courses = [patient.last_course for patient in found if patient.last_course]  # type: ignore[attr-defined]
    outcomes = {
        outcome.course_id: outcome
        for outcome in Outcome.objects.filter(definition=DEFAULT_DEFINITION, course__in=courses)
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
    last_given = _last_given(found, courses) if "last_given" in columns else {}
    next_planned = _next_planned(courses) if "next_planned" in columns else {}
    team = _team(ids) if "looked_after_by" in columns else {}
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
                outcome=outcome,
                last_given_on=last_given.get(patient.pk),
                next_planned_on=None if died_on else next_planned.get(course_id),
                looked_after_by=", ".join(team.get(patient.pk, ())),
            )
        )
    return rows


def _last_given(patients: list[Patient], courses: list[uuid.UUID]) -> dict[uuid.UUID, date]:
    """Return the local day of the last administration of each patient's last course. One query."""
    zones = {patient.pk: patient.centre.zone for patient in patients}
    given = Administration.objects.current().filter(cycle__course__in=courses).order_by()
    rows = given.values_list("cycle__course__patient").annotate(last=Max("administered_at"))
    return {pk: at.astimezone(zones[pk]).date() for pk, at in rows}


def _next_planned(courses: list[uuid.UUID]) -> dict[uuid.UUID, date]:
    """Return the first planned day of each course's cycles to come. One query."""
    to_come = Cycle.objects.current().filter(course__in=courses, status__in=OPEN).order_by()
    return dict(to_come.values_list("course").annotate(first=Min("planned_on")).exclude(first=None))


def _team(ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """Return the names of those who look after each patient. One query."""
    team: dict[uuid.UUID, list[str]] = {}
    members = CareTeamMember.objects.filter(patient__in=ids, user__is_active=True).select_related("user")
    for member in members:
        team.setdefault(member.patient_id, []).append(person_name(member.user))
    return team


def stale_courses(course_ids: list[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the courses that are marked to be derived again."""
    return set(StaleCourse.objects.filter(course_id__in=course_ids).values_list("course_id", flat=True))


def age_on(birth_date: date, day: date) -> int:
    """Return whole years lived on ``day``."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
