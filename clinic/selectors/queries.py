"""Queries as rows: whose, what, why, since when, who is asked, and the form that settles it."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.access import Act
from accounts.models import Centre, User
from analytics.models import DataQuery, DataQueryAnswer, QueriedRecord, QueryRule, QueryStatus
from clinic.selectors.names import names_of, person_name
from clinic.selectors.whose import ALL, Whose
from clinic.selectors.words import state_within
from imaging.models import Study, Timepoint
from languages import wording
from languages.wording import day, gettext_noop
from patients.models import Death, Patient
from treatments.models import Administration, Course, Cycle

PAGE_SIZE = 50

# Of the list: key to words. ``pending`` is what is still to be settled.
STATUSES = wording.Words(
    {
        "pending": gettext_noop("To be settled"),
        "open": gettext_noop("Open"),
        "answered": gettext_noop("Answered"),
        "closed": gettext_noop("Closed"),
    }
)
# The shape and colour of a status, as components/status.html names them.
SHAPES = {QueryStatus.OPEN: "pending", QueryStatus.ANSWERED: "ongoing", QueryStatus.CLOSED: "done"}
ME, NOBODY = "me", "nobody"
_ORDER = ("-opened_at", "-id")
_RELATED = ("patient__centre", "course", "assigned_to")


@dataclass(frozen=True)
class Asked:
    """What a list is asked for; each blank: all of it.

    Attributes:
        status: a key of ``STATUSES``.
        assigned: ``me``, ``nobody``, or the id of a user.
        centre: a centre's code.
    """

    status: str = "pending"
    rule: str = ""
    assigned: str = ""
    centre: str = ""


@dataclass(frozen=True)
class QueryRow:
    """One query in words, with the act that settles it (no address where the user may not perform it).

    Attributes:
        name: of the patient, for who may see it.
        shape: of its status.
        assigned: who is asked; blank: nobody.
    """

    query: DataQuery
    what: str
    why: str
    title: str
    shape: str
    url: str
    name: str = ""
    assigned: str = ""
    act_label: str = ""
    act_url: str = ""

    @property
    def patient(self) -> Patient:
        return self.query.patient


@dataclass
class QueryPage:
    """Rows with where the next ones begin, and the choices of the filters with their counts among what is pending."""

    rows: list[QueryRow]
    next_key: str = ""
    statuses: list[tuple[str, str, int | None]] = field(default_factory=list)
    rules: list[tuple[str, str, int]] = field(default_factory=list)
    people: list[tuple[str, str, int]] = field(default_factory=list)
    centres: list[tuple[str, str, int]] = field(default_factory=list)


def open_queries_count(user: User, whose: Whose = ALL) -> int:
    """Return how many queries are open or answered at the centres whose records ``user`` may see. One query."""
    return whose.narrow(DataQuery.objects.visible_to(user).pending(), "patient").count()


def open_queries(user: User, limit: int, whose: Whose = ALL) -> list[QueryRow]:
    """Return the queries to be settled that ``user`` may see, those assigned to the user first, then the newest.

    Two queries, one more for names. Neither sorts more than it returns.
    """
    found = DataQuery.objects.visible_to(user).pending().select_related(*_RELATED).order_by(*_ORDER)
    found = whose.narrow(found, "patient")
    mine = list(found.filter(assigned_to=user)[:limit])
    others = list(found.exclude(assigned_to=user)[: limit - len(mine)])
    names = names_of(user, (query.patient_id for query in [*mine, *others]))
    return [_row(user, query, names) for query in [*mine, *others]]


def of_patient(user: User, patient: Patient) -> list[QueryRow]:
    """Return the queries of one patient that are to be settled, the newest first. One query."""
    found = DataQuery.objects.visible_to(user).pending().filter(patient=patient).order_by(*_ORDER)
    return _rows(user, found, with_names=False)


def query_list(user: User, asked: Asked, *, after: str = "", limit: int = PAGE_SIZE) -> QueryPage:
    """Return a page of queries, the newest first, with the counts of every filter. At most five queries."""
    found = _filtered(DataQuery.objects.visible_to(user), user, asked).order_by(*_ORDER)
    if after:
        begins_after = _parse_key(after)
        if begins_after is None:
            return QueryPage([])
        at, pk = begins_after
        found = found.filter(Q(opened_at__lt=at) | Q(opened_at=at, pk__lt=pk))
    rows = _rows(user, found[: limit + 1])
    page = QueryPage(rows[:limit])
    if len(rows) > limit:
        last = rows[limit - 1].query
        page.next_key = f"{last.opened_at.isoformat()}~{last.pk}"
    _count(page, user, asked)
    return page


def _filtered(queries: QuerySet[DataQuery], user: User, asked: Asked) -> QuerySet[DataQuery]:
    if asked.status == "pending":
        queries = queries.exclude(status=QueryStatus.CLOSED)
    else:
        queries = queries.filter(status=asked.status)
    if asked.rule:
        queries = queries.filter(rule=asked.rule)
    if asked.centre:
        queries = queries.filter(centre__code=asked.centre)
    if asked.assigned == NOBODY:
        return queries.filter(assigned_to=None)
    if asked.assigned:
        return queries.filter(assigned_to=user.pk if asked.assigned == ME else uuid.UUID(asked.assigned))
    return queries


def _parse_key(key: str) -> tuple[datetime, uuid.UUID] | None:
    at, _, pk = key.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        return (moment, uuid.UUID(pk)) if moment.tzinfo else None
    except ValueError:
        return None


def _count(page: QueryPage, user: User, asked: Asked) -> None:
    """Fill the choices of the filters: each counted among what is pending, under the other filters. Three queries."""
    codes = dict(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("pk", "code"))
    # By the centre of the query and not of the patient: an index has all of it.
    rows = (
        DataQuery.objects.pending()
        .filter(centre__in=codes)
        .values_list("rule", "status", "assigned_to", "centre")
        .annotate(n=Count("*"))
        .order_by()
    )
    counts: dict[str, dict[str, int]] = {"status": {}, "rule": {}, "assigned": {}, "centre": {}}
    mine = str(user.pk)
    for rule, status, assigned_to, centre_id, n in rows:
        centre = codes[centre_id]
        person = str(assigned_to) if assigned_to else NOBODY
        own = {"status": status, "rule": rule, "assigned": person, "centre": centre}
        wanted = {
            "status": status if asked.status in {"pending", "closed"} else asked.status,
            "rule": asked.rule or rule,
            "assigned": mine if asked.assigned == ME else asked.assigned or person,
            "centre": asked.centre or centre,
        }
        for name, value in own.items():
            if all(own[other] == wanted[other] for other in own if other != name):
                counts[name][value] = counts[name].get(value, 0) + n
    by_status = {"pending": sum(counts["status"].values()), "closed": None, **counts["status"]}
    page.statuses = [(key, word, by_status.get(key, 0)) for key, word in STATUSES.items()]
    titles: dict[str, Any] = dict(QueryRule.choices)
    page.rules = [
        (key, title, counts["rule"].get(key, 0))
        for key, title in titles.items()
        if counts["rule"].get(key) or key == asked.rule
    ]
    page.centres = [(code, code, n) for code, n in sorted(counts["centre"].items())]
    people = User.objects.filter(pk__in=set(counts["assigned"]) - {NOBODY, mine}).order_by("username")
    page.people = [
        (ME, _("me"), counts["assigned"].get(mine, 0)),
        (NOBODY, _("nobody"), counts["assigned"].get(NOBODY, 0)),
        *((str(one.pk), person_name(one), counts["assigned"][str(one.pk)]) for one in people),
    ]


def row_of(user: User, query: DataQuery) -> QueryRow:
    """Return one query in words."""
    return _row(user, query, names_of(user, [query.patient_id]))


def _rows(user: User, queries: QuerySet[DataQuery], *, with_names: bool = True) -> list[QueryRow]:
    found = list(queries.select_related(*_RELATED))
    names = names_of(user, (query.patient_id for query in found)) if with_names and found else {}
    return [_row(user, query, names) for query in found]


def _row(user: User, query: DataQuery, names: dict[uuid.UUID, str]) -> QueryRow:
    what, why = query.words
    act, label, address = _act(query)
    permitted = act is not None and not query.is_closed and user.may(act, query.patient.centre_id)
    return QueryRow(
        query=query,
        what=what,
        why=why,
        title=query.get_rule_display(),
        shape=SHAPES[QueryStatus(query.status)],
        url=reverse("query-detail", args=[query.pk]),
        name=names.get(query.patient_id, ""),
        assigned=person_name(query.assigned_to) if query.assigned_to else "",
        act_label=label if permitted else "",
        act_url=address if permitted else "",
    )


def _act(query: DataQuery) -> tuple[Act | None, str, str]:
    """Return what settles a query: the act it takes, its label, its address."""
    of = [query.patient_id]

    def correct(kind: str, pk: Any = query.record_id) -> str:
        return reverse("record-correct", args=[*of, kind, pk])

    def enter(kind: str, asked: str = "") -> str:
        return reverse("record-new", args=[*of, kind]) + asked

    course = f"?course={query.course.number}" if query.course else ""
    match query.rule:
        case QueryRule.LABS_MISSING:
            return Act.EDIT_TREATMENTS, _("Enter values"), reverse("laboratory-enter", args=of)
        case QueryRule.ACTIVITY_DEVIATION:
            return Act.EDIT_TREATMENTS, _("Correct or explain"), correct("administration")
        case QueryRule.CYCLE_DATE_PAST:
            address = reverse("cycle-administer", args=[*of, query.record_id])
            return Act.EDIT_TREATMENTS, _("Record cycle"), address
        case QueryRule.BASELINE_MISSING if query.facts["study"]:
            return Act.EDIT_IMAGING, _("Correct the study"), correct("study", query.facts["study"])
        case QueryRule.BASELINE_MISSING:
            address = enter("study", f"{course}&timepoint={Timepoint.BASELINE}")
            return Act.EDIT_IMAGING, _("Record the baseline"), address
        case QueryRule.IMAGING_MISSING:
            return Act.EDIT_IMAGING, _("Record the study"), enter("study", course)
        case QueryRule.FINAL_IMAGING_MISSING:
            address = enter("study", f"{course}&timepoint={Timepoint.POST}")
            return Act.EDIT_IMAGING, _("Record the study"), address
        case QueryRule.PROGRESSION_NOT_NOTED:
            return Act.EDIT_PATIENTS, _("Record what followed"), enter("disease-event")
        case QueryRule.FOLLOW_UP_OLD:
            return Act.EDIT_PATIENTS, _("Record a contact"), enter("contact")
        case QueryRule.DEATH_CAUSE_UNKNOWN:
            return Act.EDIT_PATIENTS, _("Correct the death"), correct("death")
        case QueryRule.COURSE_OPEN_AFTER_DEATH:
            address = reverse("course-discontinue", args=[*of, query.record_id])
            return Act.EDIT_TREATMENTS, _("Discontinue the course"), address
        case QueryRule.DIAGNOSIS_MISSING:
            return Act.EDIT_PATIENTS, _("Record the diagnosis"), enter("diagnosis")
    corrected = {
        QueriedRecord.ADMINISTRATION: (Act.EDIT_TREATMENTS, "administration"),
        QueriedRecord.STUDY: (Act.EDIT_IMAGING, "study"),
        QueriedRecord.DEATH: (Act.EDIT_PATIENTS, "death"),
    }
    if query.record_kind in corrected:
        act, kind = corrected[QueriedRecord(query.record_kind)]
        return act, _("Correct the record"), correct(kind)
    return None, "", ""


@dataclass(frozen=True)
class ThreadLine:
    """What was done about a query."""

    at: datetime
    who: str
    words: str
    text: str = ""


RULE = gettext_noop("The rule")


def thread(query: DataQuery) -> list[ThreadLine]:
    """Return what was done about a query, from its opening on. One query."""
    lines = [
        ThreadLine(
            query.opened_at,
            person_name(query.opened_by) if query.opened_by else _(RULE),
            pgettext("query", "raised it") if query.opened_by else pgettext("query", "opened it"),
        )
    ]
    for answer in query.answers.select_related("by", "assigned_to"):
        lines.append(
            ThreadLine(
                answer.at,
                person_name(answer.by) if answer.by else _(RULE),
                _did(answer),
                # What a rule wrote is one of its own sentences.
                answer.said,
            )
        )
    return lines


def _did(answer: DataQueryAnswer) -> str:
    if answer.action == "assigned":
        if not answer.assigned_to:
            return _("asked nobody in particular")
        return _("asked {person}").format(person=person_name(answer.assigned_to))
    return {
        "answered": pgettext("query", "answered"),
        "closed": pgettext("query", "closed it"),
        "reopened": pgettext("query", "opened it again"),
    }[answer.action]


def records_of(patient: Patient) -> Sequence[tuple[str, str]]:
    """Return the records of a patient that a query can be raised at, as ``kind~id`` with their words. Five queries."""
    of_all = _("The patient, {number}").format(number=patient.registry_number)
    found = [(f"{QueriedRecord.PATIENT}~{patient.pk}", of_all)]

    def add(kind: str, records: Iterable[tuple[uuid.UUID, str]]) -> None:
        found.extend((f"{kind}~{pk}", words) for pk, words in records)

    add(
        QueriedRecord.COURSE,
        (
            (one.pk, _("Course {number}").format(number=one.number))
            for one in Course.objects.current().filter(patient=patient).order_by("number")
        ),
    )
    of_courses = {"course__patient": patient, "course__voided_at": None}
    cycles = Cycle.objects.current().filter(**of_courses).select_related("course")
    add(
        QueriedRecord.CYCLE,
        (
            (
                one.pk,
                _("Cycle {number} of course {course}, {status}").format(
                    number=one.number, course=one.course.number, status=state_within(one.get_status_display())
                ),
            )
            for one in cycles.order_by("course__number", "number")
        ),
    )
    given = Administration.objects.current().filter(
        cycle__voided_at=None, **{f"cycle__{name}": value for name, value in of_courses.items()}
    )
    add(
        QueriedRecord.ADMINISTRATION,
        (
            (
                one.pk,
                _("Activity of cycle {number} of course {course}").format(
                    number=one.cycle.number, course=one.cycle.course.number
                ),
            )
            for one in given.select_related("cycle__course").order_by("administered_at")
        ),
    )
    add(
        QueriedRecord.STUDY,
        (
            (
                one.pk,
                _("{timepoint} {modality} of {day}").format(
                    timepoint=one.get_timepoint_display(),
                    modality=one.get_modality_display(),
                    day=day(one.performed_on),
                ),
            )
            for one in Study.objects.current().filter(patient=patient).order_by("performed_on")
        ),
    )
    add(
        QueriedRecord.DEATH,
        (
            (one.pk, _("The death on {day}").format(day=day(one.died_on)))
            for one in Death.objects.current().filter(patient=patient)
        ),
    )
    return found
