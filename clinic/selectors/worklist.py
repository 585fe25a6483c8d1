"""What is due: cycles, PET/CT and readings, each with its reason. One set of queries for the list and for one patient.

Patients who died or whose course was discontinued are not due. A study that was made is still to be read.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    DateField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce
from django.urls import reverse

from accounts.access import Act
from accounts.models import User
from clinic.rules.due import cycle_reason, interval, when
from imaging.models import Reading, Study, Timepoint
from patients.models import Death, Patient, PatientIdentity
from treatments.models import Administration, Course, Cycle, CycleStatus, Discontinuation, Protocol

UPCOMING_DAYS = 28
# Where even the newest overdue date is older than this, the records probably end there, and the page says so.
RECORDS_END_DAYS = 180


@dataclass(frozen=True)
class DueKind:
    """A part of the worklist. ``newest_first``: what fell due last can still be acted on, so it comes first."""

    key: str
    title: str
    word: str
    newest_first: bool = False


KINDS = {
    kind.key: kind
    for kind in (
        DueKind("in_window", "Cycles in their window", "In window"),
        DueKind("overdue", "Overdue cycles", "Overdue", newest_first=True),
        DueKind("held", "Cycles on hold", "On hold"),
        DueKind("upcoming", "Cycles of the next 4 weeks", "Upcoming"),
        DueKind("undated", "Cycles without a date", "No date"),
        DueKind("imaging", "PET/CT due", "PET/CT due", newest_first=True),
        DueKind("baseline", "Baseline study missing", "No baseline", newest_first=True),
        DueKind("reading", "Studies to be read", "To be read", newest_first=True),
    )
}
CYCLE_KINDS = ("in_window", "overdue", "held", "upcoming", "undated")


@dataclass(frozen=True)
class Due:
    """One thing that is due, why, and the act that settles it (no address where the user may not perform it)."""

    kind: DueKind
    patient: Patient
    what: str
    why: str
    key: str
    name: str = ""
    act_label: str = ""
    act_url: str = ""


@dataclass
class DuePart:
    """One kind with its count, its first rows, and where the next ones begin."""

    kind: DueKind
    count: int
    rows: list[Due] = field(default_factory=list)
    next_key: str = ""


@dataclass
class Worklist:
    parts: list[DuePart]
    records_end_on: date | None = None

    @property
    def total(self) -> int:
        return sum(part.count for part in self.parts)


def local_date(moment: Any, zone_path: str) -> Cast:
    """Return the date of an instant in the centre's time zone, as an expression."""
    return Cast(Func(F(zone_path), moment, function="timezone"), DateField())


def _moment(now: datetime) -> Value:
    return Value(now, output_field=DateTimeField())


def _shifted(day: Any, days: Any) -> ExpressionWrapper:
    return ExpressionWrapper(day + days, output_field=DateField())


def next_cycles(user: User, now: datetime) -> QuerySet[Any]:
    """Return the next cycle of every course that goes on, with ``state``, ``sort_on`` and ``today`` (local).

    A cycle that was passed over, because a later one was given, is not the next.
    """
    still_open = [CycleStatus.PLANNED, CycleStatus.HELD]
    of_course = Cycle.objects.current().filter(course=OuterRef("course_id"))
    last_given = of_course.filter(status=CycleStatus.GIVEN).order_by("-number").values("number")[:1]
    planned, window = F("planned_on"), F("course__protocol__window_days")
    return (
        Cycle.objects.visible_to(user)
        .current()
        .filter(status__in=still_open, course__voided_at=None, course__patient__voided_at=None)
        .annotate(last_given=Coalesce(Subquery(last_given), 0))
        .filter(
            ~Exists(
                of_course.filter(
                    status__in=still_open, number__gt=OuterRef("last_given"), number__lt=OuterRef("number")
                )
            ),
            ~Exists(Death.objects.current().filter(patient=OuterRef("course__patient_id"))),
            ~Exists(Discontinuation.objects.current().filter(course=OuterRef("course_id"))),
            number__gt=F("last_given"),
        )
        .annotate(today=local_date(_moment(now), "course__patient__centre__time_zone"))
        .annotate(
            state=Case(
                When(status=CycleStatus.HELD, then=Value("held")),
                When(planned_on=None, then=Value("undated")),
                When(today__gt=_shifted(planned, window), then=Value("overdue")),
                When(
                    today__gte=ExpressionWrapper(planned - window, output_field=DateField()),
                    then=Value("in_window"),
                ),
                When(planned_on__lte=_shifted(F("today"), Value(UPCOMING_DAYS)), then=Value("upcoming")),
                default=Value("later"),
                output_field=CharField(),
            ),
            sort_on=Coalesce("planned_on", Value(date(9999, 12, 31), output_field=DateField())),
        )
    )


def _ongoing_courses(user: User, now: datetime) -> QuerySet[Course]:
    return (
        Course.objects.visible_to(user)
        .current()
        .filter(patient__voided_at=None)
        .filter(
            ~Exists(Death.objects.current().filter(patient=OuterRef("patient_id"))),
            ~Exists(Discontinuation.objects.current().filter(course=OuterRef("pk"))),
        )
        .annotate(today=local_date(_moment(now), "patient__centre__time_zone"))
    )


def imaging_due(user: User, now: datetime) -> QuerySet[Course]:
    """Return courses of which PET/CT is owed after a given cycle of the protocol, with none made since.

    Adds ``trigger_number`` and ``sort_on``, the last such cycle and its local date.
    """
    asked_for = Protocol.objects.filter(
        pk=OuterRef("cycle__course__protocol_id"), imaging_after_cycles__contains=[OuterRef("cycle__number")]
    )
    triggers = (
        Administration.objects.current()
        .filter(Exists(asked_for), cycle__course=OuterRef("pk"), cycle__voided_at=None)
        .order_by("-cycle__number")
    )
    since = (
        Study.objects.current()
        .filter(
            patient=OuterRef("patient_id"),
            course_number=OuterRef("number"),
            performed_on__gte=OuterRef("sort_on"),
        )
        .exclude(timepoint=Timepoint.BASELINE)
    )
    return (
        _ongoing_courses(user, now)
        .annotate(
            trigger_number=Subquery(triggers.values("cycle__number")[:1]),
            trigger_at=Subquery(triggers.values("administered_at")[:1]),
        )
        .annotate(sort_on=local_date(F("trigger_at"), "patient__centre__time_zone"))
        .filter(~Exists(since), sort_on__isnull=False)
    )


def baseline_missing(user: User, now: datetime) -> QuerySet[Course]:
    """Return courses that have no baseline study; ``sort_on`` is the date of cycle 1, given or planned."""
    baseline = Study.objects.current().filter(
        patient=OuterRef("patient_id"), course_number=OuterRef("number"), timepoint=Timepoint.BASELINE
    )
    first = Cycle.objects.current().filter(course=OuterRef("pk"), number=1)
    return (
        _ongoing_courses(user, now)
        .filter(~Exists(baseline))
        .annotate(
            sort_on=Coalesce(
                Subquery(first.values("planned_on")[:1]), Value(date(9999, 12, 31), output_field=DateField())
            ),
            first_status=Subquery(first.values("status")[:1]),
        )
    )


def unread_studies(user: User, now: datetime) -> QuerySet[Study]:
    """Return studies after a baseline that nobody has read; ``sort_on`` is the day they were made."""
    return (
        Study.objects.visible_to(user)
        .current()
        .filter(patient__voided_at=None)
        .exclude(timepoint=Timepoint.BASELINE)
        .filter(~Exists(Reading.objects.current().filter(study=OuterRef("pk"))))
        .annotate(today=local_date(_moment(now), "patient__centre__time_zone"), sort_on=F("performed_on"))
    )


def _queryset(kind: str, user: User, now: datetime) -> QuerySet[Any]:
    if kind in CYCLE_KINDS:
        return (
            next_cycles(user, now)
            .filter(state=kind)
            .select_related("course__protocol", "course__patient__centre")
        )
    if kind == "reading":
        return unread_studies(user, now).select_related("patient__centre")
    courses = imaging_due(user, now) if kind == "imaging" else baseline_missing(user, now)
    return courses.select_related("patient__centre", "protocol")


def _page(kind: DueKind, rows: QuerySet[Any], *, after: str, limit: int) -> tuple[list[Any], str]:
    """Return up to ``limit`` rows past the key ``after``, and the key of the last where there are more."""
    if after:
        try:
            day_text, _, pk_text = after.partition("~")
            day, pk = date.fromisoformat(day_text), uuid.UUID(pk_text)
        except ValueError:
            return [], ""
        if kind.newest_first:
            rows = rows.filter(Q(sort_on__lt=day) | Q(sort_on=day, pk__gt=pk))
        else:
            rows = rows.filter(Q(sort_on__gt=day) | Q(sort_on=day, pk__gt=pk))
    found = list(rows.order_by("-sort_on" if kind.newest_first else "sort_on", "pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return found, f"{found[-1].sort_on}~{found[-1].pk}" if more else ""


def counts(user: User, now: datetime) -> tuple[dict[str, int], date | None]:
    """Return how much is due of each kind, and the newest date among the overdue cycles. Four queries."""
    found: dict[str, int] = dict.fromkeys(KINDS, 0)
    newest_overdue = None
    for state, n, newest in (
        next_cycles(user, now)
        .order_by()
        .values_list("state")
        .annotate(n=Count("pk"), newest=Max("planned_on"))
    ):
        if state in found:
            found[state] = n
        if state == "overdue":
            newest_overdue = newest
    found["imaging"] = imaging_due(user, now).count()
    found["baseline"] = baseline_missing(user, now).count()
    found["reading"] = unread_studies(user, now).count()
    return found, newest_overdue


def worklist(
    user: User, now: datetime, *, kind: str | None = None, after: str = "", limit: int = 6
) -> Worklist:
    """Return what is due at the centres whose records ``user`` may see.

    Args:
        kind: a key of ``KINDS``, for that kind alone; every kind that is not empty where None.
        after: the key at which the rows of ``kind`` go on.
        limit: rows of each kind.
    """
    found, newest_overdue = counts(user, now)
    parts = [DuePart(KINDS[key], n) for key, n in found.items() if n or key == kind]
    raw: list[tuple[DuePart, list[Any]]] = []
    for part in parts:
        if kind is None or part.kind.key == kind:
            rows, part.next_key = _page(
                part.kind, _queryset(part.kind.key, user, now), after=after if kind else "", limit=limit
            )
            raw.append((part, rows))
    _describe(user, raw)
    ended = newest_overdue is not None and (now.date() - newest_overdue).days > RECORDS_END_DAYS
    return Worklist(parts, newest_overdue if ended else None)


def for_patient(user: User, patient: Patient, now: datetime) -> list[Due]:
    """Return what is due of one patient, whenever it is planned."""
    raw = []
    cycles = next_cycles(user, now).filter(course__patient=patient)
    for cycle in cycles.select_related("course__protocol", "course__patient__centre"):
        key = cycle.state if cycle.state in KINDS else "upcoming"
        raw.append((DuePart(KINDS[key], 1), [cycle]))
    for key in ("imaging", "baseline", "reading"):
        raw.append((DuePart(KINDS[key], 1), list(_queryset(key, user, now).filter(patient=patient))))
    _describe(user, raw)
    return [row for part, _ in raw for row in part.rows]


def _describe(user: User, raw: list[tuple[DuePart, list[Any]]]) -> None:
    """Fill the parts' rows with words and acts. Two queries: the cycles given last, and names where they may be seen."""
    records = [record for _, rows in raw for record in rows]
    last_given = _last_given(record.course_id for record in records if isinstance(record, Cycle))
    names = names_of(user, (_patient(record).pk for record in records))
    for part, rows in raw:
        for record in rows:
            patient = _patient(record)
            what, why, act, label, url = _words(part.kind.key, record, last_given)
            permitted = user.may(act, patient.centre_id)
            part.rows.append(
                Due(
                    kind=part.kind,
                    patient=patient,
                    what=what,
                    why=why,
                    key=f"{record.sort_on}~{record.pk}",
                    name=names.get(patient.pk, ""),
                    act_label=label if permitted else "",
                    act_url=url if permitted else "",
                )
            )


def _patient(record: Cycle | Course | Study) -> Patient:
    return record.course.patient if isinstance(record, Cycle) else record.patient


def names_of(user: User, patient_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return ``Family, Given`` of the patients whose identity ``user`` may see. One query, none for who may see none."""
    if not user.may(Act.VIEW_IDENTITY):
        return {}
    identities = PatientIdentity.objects.visible_to(user, Act.VIEW_IDENTITY).current()
    rows = identities.filter(patient__in=set(patient_ids)).values_list(
        "patient_id", "family_name", "given_names"
    )
    return {pk: ", ".join(filter(None, [family, given])) for pk, family, given in rows}


def _last_given(course_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[int, date]]:
    """Return the number and local date of the last cycle given of each course."""
    rows = (
        Administration.objects.current()
        .filter(cycle__course__in=set(course_ids), cycle__voided_at=None)
        .annotate(on=local_date(F("administered_at"), "cycle__course__patient__centre__time_zone"))
        .order_by("cycle__number")
        .values_list("cycle__course_id", "cycle__number", "on")
    )
    return {course_id: (number, on) for course_id, number, on in rows}


def _words(
    kind: str, record: Any, last_given: dict[uuid.UUID, tuple[int, date]]
) -> tuple[str, str, Act, str, str]:
    """Return what is due, why, and the act, label and address that settle it."""
    if isinstance(record, Cycle):
        return _cycle_words(kind, record, last_given.get(record.course_id))
    if kind == "reading":
        return (
            f"{record.get_timepoint_display()} {record.get_modality_display()}",
            f"Made {record.performed_on}, {when(record.performed_on, record.today)}; no response recorded",
            Act.EDIT_IMAGING,
            "Record the reading",
            reverse("reading-new", args=[record.patient_id, record.pk]),
        )
    new_study = reverse("record-new", args=[record.patient_id, "study"])
    if kind == "imaging":
        due_on = record.sort_on + timedelta(days=record.protocol.imaging_due_days)
        return (
            f"PET/CT after cycle {record.trigger_number}",
            f"Cycle {record.trigger_number} given {record.sort_on}; due within "
            f"{interval(record.protocol.imaging_due_days)}, by {due_on}, {when(due_on, record.today)}; "
            f"no study since",
            Act.EDIT_IMAGING,
            "Record the study",
            f"{new_study}?course={record.number}",
        )
    if record.first_status == CycleStatus.GIVEN:
        why = "Cycle 1 was given and no baseline is recorded: without it the response cannot be evaluated"
    elif record.sort_on.year == 9999:
        why = "Before cycle 1, which has no date yet"
    else:
        why = f"Before cycle 1, planned {record.sort_on}, {when(record.sort_on, record.today)}"
    return (
        "Baseline study",
        why,
        Act.EDIT_IMAGING,
        "Record the baseline",
        f"{new_study}?course={record.number}&timepoint=baseline",
    )


def _cycle_words(kind: str, cycle: Cycle, last: tuple[int, date] | None) -> tuple[str, str, Act, str, str]:
    protocol = cycle.course.protocol
    reason = cycle_reason(
        number=cycle.number,
        interval_days=protocol.interval_days,
        window_days=protocol.window_days,
        last_number=last[0] if last else None,
        last_given_on=last[1] if last else None,
    )
    today: date = cycle.today  # type: ignore[attr-defined]
    what = f"Cycle {cycle.number} of {protocol.planned_cycles}"
    if cycle.planned_on is not None:
        past_window = (today - cycle.planned_on).days - protocol.window_days
        if kind == "overdue":
            day = cycle.planned_on + timedelta(days=protocol.window_days)
            reason = (
                f"Planned {cycle.planned_on}, window closed {when(day, today)} ({past_window:,} d). {reason}"
            )
        else:
            reason = f"Planned {cycle.planned_on}, {when(cycle.planned_on, today)}. {reason}"
    if kind == "held":
        reason = f"On hold{': ' + cycle.note if cycle.note else ''}. {reason}"
    if kind == "undated":
        return (
            what,
            "No date is planned",
            Act.EDIT_TREATMENTS,
            "Plan it",
            reverse("record-correct", args=[cycle.course.patient_id, "cycle", cycle.pk]),
        )
    return (
        what,
        reason,
        Act.EDIT_TREATMENTS,
        "Record cycle",
        reverse("cycle-administer", args=[cycle.course.patient_id, cycle.pk]),
    )
