"""The worklist: what is due as rows with their reason and act, part by part, for all patients or for one."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse

from accounts.access import Act
from accounts.models import User
from clinic.selectors.due import baseline_missing, imaging_due, labs_missing, next_cycles, unread_studies
from clinic.selectors.names import names_of
from imaging.models import Study
from patients.models import Patient
from treatments.models import Course, Cycle, CycleStatus
from treatments.rules.words import NBSP, interval, sentences, span, when
from treatments.selectors.advice import LAB_WORDS
from treatments.selectors.schedule import CoursePlan, plans_of

# Where even the newest overdue date is older than this, the records probably end there, and the page says so.
RECORDS_END_DAYS = 180


@dataclass(frozen=True)
class DueKind:
    """A part of the worklist.

    Attributes:
        state: what is said of one such cycle after its number.
        newest_first: what fell due last can still be acted on, so it comes first, unless the other order is asked for.
    """

    key: str
    title: str
    word: str
    newest_first: bool = False
    state: str = ""


KINDS = {
    kind.key: kind
    for kind in (
        DueKind("in_window", "Cycles in their window", "In window", state="in its window"),
        DueKind(
            "overdue", "Overdue cycles", "Overdue", state="overdue"
        ),  # the longest overdue first: nobody is to be lost
        DueKind("held", "Cycles on hold", "On hold", state="on hold"),
        DueKind("upcoming", "Cycles of the next 4 weeks", "Upcoming", state="upcoming"),
        DueKind("labs", "Laboratory values missing", "Labs missing"),
        DueKind("undated", "Cycles without a date", "No date", state="without a date"),
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


def _queryset(kind: str, user: User, now: datetime) -> QuerySet[Any]:
    if kind in CYCLE_KINDS:
        return (
            next_cycles(user, now)
            .filter(state=kind)
            .select_related("course__protocol", "course__patient__centre")
        )
    if kind == "labs":
        return labs_missing(user, now).select_related("course__protocol", "course__patient__centre")
    if kind == "reading":
        return unread_studies(user, now).select_related("patient__centre")
    courses = imaging_due(user, now) if kind == "imaging" else baseline_missing(user, now)
    return courses.select_related("patient__centre", "protocol")


def _page(rows: QuerySet[Any], *, newest_first: bool, after: str, limit: int) -> tuple[list[Any], str]:
    """Return up to ``limit`` rows past the key ``after``, and the key of the last where there are more."""
    if after:
        try:
            day_text, _, pk_text = after.partition("~")
            day, pk = date.fromisoformat(day_text), uuid.UUID(pk_text)
        except ValueError:
            return [], ""
        if newest_first:
            rows = rows.filter(Q(sort_on__lt=day) | Q(sort_on=day, pk__gt=pk))
        else:
            rows = rows.filter(Q(sort_on__gt=day) | Q(sort_on=day, pk__gt=pk))
    found = list(rows.order_by("-sort_on" if newest_first else "sort_on", "pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return found, f"{found[-1].sort_on}~{found[-1].pk}" if more else ""


def counts(user: User, now: datetime) -> tuple[dict[str, int], date | None]:
    """Return how much is due of each kind, and the newest date among the overdue cycles. Five queries."""
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
    found["labs"] = labs_missing(user, now).count()
    found["imaging"] = imaging_due(user, now).count()
    found["baseline"] = baseline_missing(user, now).count()
    found["reading"] = unread_studies(user, now).count()
    return found, newest_overdue


def worklist(
    user: User,
    now: datetime,
    *,
    kind: str | None = None,
    other_order: bool = False,
    after: str = "",
    limit: int = 6,
) -> Worklist:
    """Return what is due at the centres whose records ``user`` may see.

    Args:
        kind: a key of ``KINDS``, for that kind alone; every kind that is not empty where None.
        other_order: show the rows of ``kind`` in the order that is not its own.
        after: the key at which the rows of ``kind`` go on.
        limit: rows of each kind.
    """
    found, newest_overdue = counts(user, now)
    parts = [DuePart(KINDS[key], n) for key, n in found.items() if n or key == kind]
    raw: list[tuple[DuePart, list[Any]]] = []
    for part in parts:
        if kind is None or part.kind.key == kind:
            rows, part.next_key = _page(
                _queryset(part.kind.key, user, now),
                newest_first=part.kind.newest_first != (other_order and kind is not None),
                after=after if kind else "",
                limit=limit,
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
    missing = labs_missing(user, now).filter(course__patient=patient)
    raw.append(
        (
            DuePart(KINDS["labs"], 1),
            list(missing.select_related("course__protocol", "course__patient__centre")),
        )
    )
    for key in ("imaging", "baseline", "reading"):
        raw.append((DuePart(KINDS[key], 1), list(_queryset(key, user, now).filter(patient=patient))))
    _describe(user, raw)
    return [row for part, _ in raw for row in part.rows]


def _describe(user: User, raw: list[tuple[DuePart, list[Any]]]) -> None:
    """Fill the parts' rows with words and acts. Five queries: the plans, and names where they may be seen."""
    records = [record for _, rows in raw for record in rows]
    plans = plans_of(
        {record.course_id: record.course for record in records if isinstance(record, Cycle)}.values()
    )
    names = names_of(user, (_patient(record).pk for record in records))
    for part, rows in raw:
        for record in rows:
            patient = _patient(record)
            what, why, act, label, url = _words(part.kind.key, record, plans)
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


def _words(kind: str, record: Any, plans: Mapping[uuid.UUID, CoursePlan]) -> tuple[str, str, Act, str, str]:
    """Return what is due, why, and the act, label and address that settle it."""
    if isinstance(record, Cycle):
        return _cycle_words(kind, record, plans[record.course_id])
    if kind == "reading":
        return (
            f"{record.get_timepoint_display()} {record.get_modality_display()}, to be read",
            f"Made {record.performed_on}, {when(record.performed_on, record.today)}; no response recorded",
            Act.EDIT_IMAGING,
            "Record the reading",
            reverse("reading-new", args=[record.patient_id, record.pk]),
        )
    new_study = reverse("record-new", args=[record.patient_id, "study"])
    if kind == "imaging":
        due_on = record.sort_on + timedelta(days=record.protocol.imaging_due_days)
        return (
            f"PET/CT due after cycle {record.trigger_number}",
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
        "Baseline study missing",
        why,
        Act.EDIT_IMAGING,
        "Record the baseline",
        f"{new_study}?course={record.number}&timepoint=baseline",
    )


def _cycle_words(kind: str, cycle: Cycle, plan: CoursePlan) -> tuple[str, str, Act, str, str]:
    protocol = cycle.course.protocol
    if kind == "labs":
        return _labs_words(cycle)
    today: date = cycle.today  # type: ignore[attr-defined]
    patient_id = cycle.course.patient_id
    what = f"Cycle {cycle.number} of {protocol.planned_cycles}, {KINDS[kind].state}"
    window = f"window ±{NBSP}{protocol.window_days}{NBSP}d"
    reason = f"{plan.why(cycle.number)}; {window}"
    if cycle.planned_on is not None:
        past_window = (today - cycle.planned_on).days - protocol.window_days
        if kind == "overdue":
            day = cycle.planned_on + timedelta(days=protocol.window_days)
            reason = sentences(
                f"Planned {cycle.planned_on}, window closed {when(day, today)} ({past_window:,}{NBSP}d)",
                reason,
            )
        else:
            reason = sentences(f"Planned {cycle.planned_on}, {when(cycle.planned_on, today)}", reason)
    if plan.is_past_max_delay(today):
        late = span(plan.delay(today))
        reason = sentences(
            f"Delayed by {late}: the protocol allows less than {interval(protocol.max_delay_days)}", reason
        )
    if kind == "held":
        hold = next((hold for hold in plan.holds_of(cycle) if hold.is_open), None)
        if hold is not None:
            reason = sentences(
                f"On hold since {hold.held_on}: {hold.get_reason_display().lower()}", hold.note, reason
            )
        else:
            reason = sentences(f"On hold: {cycle.note}" if cycle.note else "On hold", reason)
        address = reverse("cycle-resume", args=[patient_id, cycle.pk])
        return what, reason, Act.EDIT_TREATMENTS, "Resume", address
    if kind == "undated":
        address = reverse("record-correct", args=[patient_id, "cycle", cycle.pk])
        return what, "No date is planned", Act.EDIT_TREATMENTS, "Plan it", address
    address = reverse("cycle-administer", args=[patient_id, cycle.pk])
    return what, reason, Act.EDIT_TREATMENTS, "Record cycle", address


def _labs_words(cycle: Any) -> tuple[str, str, Act, str, str]:
    protocol = cycle.course.protocol
    lacking = [LAB_WORDS[code] for code in protocol.labs_before_cycle if code not in cycle.measured]
    return (
        f"Laboratory values before cycle {cycle.number}",
        sentences(
            f"Cycle {cycle.number} is planned {cycle.planned_on}, {when(cycle.planned_on, cycle.today)}",
            f"Not measured within {interval(protocol.labs_within_days)} before it: {', '.join(lacking)}",
        ),
        Act.EDIT_TREATMENTS,
        "Enter values",
        reverse("laboratory-enter", args=[cycle.course.patient_id]),
    )
