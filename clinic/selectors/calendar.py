"""What lies on which day: cycles planned and given, PET/CT made and due. For the month's page and for calendars outside."""

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.access import Act
from accounts.models import User
from clinic.selectors import due
from clinic.selectors.whose import ALL, Whose
from imaging.models import Study
from languages.wording import within
from patients.models import Death
from treatments.models import Administration, Cycle, CycleStatus, Discontinuation

EACH_DAY = 5  # entries of one kind that a day of the month shows
WHOLE_DAY = 500
IMAGING_LISTED = 200
FEED_DAYS_BACK, FEED_DAYS_AHEAD, FEED_ENTRIES = 31, 183, 1000
_CYCLES = {
    "planned": gettext_noop("Cycle {number} of {planned}"),
    "held": gettext_noop("Cycle {number} of {planned}, on hold"),
    "given": gettext_noop("Cycle {number} of {planned} given"),
}


@dataclass(frozen=True)
class Entry:
    """One thing on a day.

    Attributes:
        kind: ``planned``, ``held``, ``given``, ``imaging`` (due) or ``study`` (made).
        record: the cycle, the administration, the course that owes a study, or the study.
    """

    on: date
    kind: str
    what: str
    patient: Any
    record: Any


@dataclass
class Day:
    on: date
    entries: list[Entry] = field(default_factory=list)
    more: int = 0

    @property
    def total(self) -> int:
        return len(self.entries) + self.more


def _planned(user: User, whose: Whose) -> QuerySet[Any]:
    """Return the cycles to come of living patients whose course goes on."""
    of_patient, of_course = OuterRef("course__patient"), OuterRef("course")
    return whose.narrow(
        Cycle.objects.visible_to(user)
        .current()
        .filter(
            ~Exists(Death.objects.current().filter(patient=of_patient)),
            ~Exists(Discontinuation.objects.current().filter(course=of_course)),
            status__in=[CycleStatus.PLANNED, CycleStatus.HELD],
            course__voided_at=None,
            course__patient__voided_at=None,
        ),
        "course__patient",
    )


def _first_of_each_day(rows: QuerySet[Any], day: str, number: str, limit: int) -> QuerySet[Any]:
    """Return the first rows of each day with ``on_day``, the number of all of them."""
    return (
        rows.annotate(
            place=Window(RowNumber(), partition_by=[F(day)], order_by=[F(number), F("pk")]),
            on_day=Window(Count("pk"), partition_by=[F(day)]),
        )
        .filter(place__lte=limit)
        .order_by(number)
    )


def month(
    user: User, now: datetime, *, first: date, last: date, whose: Whose = ALL, limit: int = EACH_DAY
) -> dict[date, Day]:
    """Return what lies on the days from ``first`` to ``last``, both included. Eight queries at the most.

    Days are local dates of each patient's centre. Of many on one day, the first ``limit`` of a kind are listed, and the
    others counted.
    """
    days = {first + timedelta(days=i): Day(first + timedelta(days=i)) for i in range((last - first).days + 1)}
    planned = _planned(user, whose).filter(planned_on__range=(first, last))
    planned = planned.select_related("course__patient", "course__protocol")
    cycles = _first_of_each_day(planned, "planned_on", "course__patient__registry_number", limit)
    studies = whose.narrow(Study.objects.visible_to(user).current(), "patient")
    studies = studies.filter(performed_on__range=(first, last), patient__voided_at=None).select_related(
        "patient"
    )
    made = _first_of_each_day(studies, "performed_on", "patient__registry_number", limit)
    sources: list[Iterable[tuple[Entry, int]]] = [
        [(_to_come(cycle), cycle.on_day) for cycle in cycles],
        [(_made(study), study.on_day) for study in made],
        _given(user, whose, first, last, limit),
        _imaging(user, now, whose, limit),
    ]
    for source in sources:
        hidden: dict[date, int] = {}
        for entry, on_day in source:
            if entry.on in days:
                days[entry.on].entries.append(entry)
                hidden[entry.on] = hidden.get(entry.on, on_day) - 1
        for on, n in hidden.items():
            days[on].more += n
    for day in days.values():
        day.entries.sort(key=lambda entry: (entry.kind, entry.patient.registry_number))
    return days


def _to_come(cycle: Cycle) -> Entry:
    assert cycle.planned_on is not None
    return _of_cycle("held" if cycle.status == CycleStatus.HELD else "planned", cycle.planned_on, cycle)


def _made(study: Study) -> Entry:
    what = f"{study.get_modality_display()}, {within(study.get_timepoint_display())}"
    return Entry(study.performed_on, "study", what, study.patient, study)


def _of_cycle(kind: str, on: date, cycle: Cycle) -> Entry:
    what = _(_CYCLES[kind]).format(number=cycle.number, planned=cycle.course.protocol.planned_cycles)
    return Entry(on, kind, what, cycle.course.patient, cycle)


def _given(user: User, whose: Whose, first: date, last: date, limit: int) -> Iterator[tuple[Entry, int]]:
    """Yield the cycles given on these local days, with the number of all of the day."""
    given = whose.narrow(Administration.objects.visible_to(user).current(), "cycle__course__patient")
    spans = Q(pk__in=[])
    for centre in user.centres(Act.VIEW_RECORDS):
        begin = datetime.combine(first, time(), centre.zone)
        end = datetime.combine(last + timedelta(days=1), time(), centre.zone)
        spans |= Q(cycle__course__patient__centre=centre, administered_at__gte=begin, administered_at__lt=end)
    rows = given.filter(spans, cycle__course__patient__voided_at=None)
    by_day: dict[date, list[Administration]] = defaultdict(list)
    related = ("cycle__course__patient__centre", "cycle__course__protocol")
    for one in rows.select_related(*related).order_by("cycle__course__patient__registry_number"):
        by_day[one.administered_on].append(one)
    for on, of_day in by_day.items():
        for one in of_day[:limit]:
            yield _of_cycle("given", on, one.cycle), len(of_day)


def _imaging(user: User, now: datetime, whose: Whose, limit: int) -> Iterator[tuple[Entry, int]]:
    """Yield the PET/CTs that are due, on the day by which they are."""
    found = due.find_due(
        user,
        now,
        kind="imaging",
        newest_first=frozenset({"imaging"}),
        limit=IMAGING_LISTED,
        cared_for_by=whose.cared_for_by,
        by_nobody=whose.by_nobody,
    )
    by_day: dict[date, list[Entry]] = defaultdict(list)
    for item in found.items.get("imaging", []):
        course, on = item.record, item.sort_on
        if item.after_cycle is None:
            what = _("Follow-up PET/CT due")
        else:
            what, on = (
                _("PET/CT due after cycle {number}").format(number=item.after_cycle),
                on + timedelta(course.protocol.imaging_due_days),
            )
        by_day[on].append(Entry(on, "imaging", what, course.patient, course))
    for of_day in by_day.values():
        for entry in of_day[:limit]:
            yield entry, len(of_day)


def weeks_of(year: int, month_number: int) -> list[list[date]]:
    """Return the month's weeks from Monday to Sunday, with the days of its neighbours that fill them."""
    return calendar.Calendar().monthdatescalendar(year, month_number)


def feed(user: User, now: datetime, whose: Whose) -> list[Entry]:
    """Return what a calendar outside is told: cycles planned and PET/CT due, a month back and half a year ahead."""
    today = now.date()
    first, last = today - timedelta(days=FEED_DAYS_BACK), today + timedelta(days=FEED_DAYS_AHEAD)
    planned = _planned(user, whose).filter(planned_on__range=(first, last))
    cycles = planned.select_related("course__patient", "course__protocol").order_by("planned_on", "pk")
    entries = [_to_come(cycle) for cycle in cycles[:FEED_ENTRIES]]
    owed = [entry for entry, _n in _imaging(user, now, whose, IMAGING_LISTED) if first <= entry.on <= last]
    return sorted([*entries, *owed], key=lambda entry: (entry.on, entry.patient.registry_number))
