"""The plan of courses with the reason of every date, from what is recorded."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.utils.translation import gettext as _

from treatments.models import OPEN, Administration, Course, Cycle, CycleStatus, Discontinuation, Hold
from treatments.rules.schedule import (
    CourseState,
    HoldFact,
    PlannedCycle,
    PlannedImaging,
    after_cycle,
    course_state,
    delay_days,
    plan_cycles,
    plan_imaging,
)


@dataclass
class CoursePlan:
    """A course with its records in force and its plan.

    Attributes:
        given_on: cycle number to the local date of its administration.
        planned: the plan of what is still to come, by cycle number.
    """

    course: Course
    cycles: list[Cycle] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    administrations: dict[int, Administration] = field(default_factory=dict)
    given_on: dict[int, date] = field(default_factory=dict)
    planned: dict[int, PlannedCycle] = field(default_factory=dict)
    is_discontinued: bool = False

    @property
    def state(self) -> CourseState:
        """Whether it goes on; a death is not looked at."""
        cancelled = sum(cycle.status == CycleStatus.CANCELLED for cycle in self.cycles)
        return course_state(
            given=len(self.given_on),
            cancelled=cancelled,
            planned_cycles=self.course.protocol.planned_cycles,
            discontinued=self.is_discontinued,
        )

    @property
    def next_cycle(self) -> Cycle | None:
        return next((cycle for cycle in self.cycles if cycle.status in OPEN), None)

    def holds_of(self, cycle: Cycle) -> list[Hold]:
        return [hold for hold in self.holds if hold.cycle_id == cycle.pk]

    def why(self, number: int) -> str:
        """Return why a cycle is planned, or was given, when it is."""
        if number in self.planned:
            return self.planned[number].why
        before = max((other for other in self.given_on if other < number), default=None)
        if number not in self.given_on or before is None:
            return _("Start of the course") if number in self.given_on else ""
        days = (self.given_on[number] - self.given_on[before]).days
        return after_cycle(before, self.given_on[before], days, given=True)

    def delay(self, today: date) -> int:
        """Return by how many days the next cycle is later than the protocol's interval gives."""
        following = self.next_cycle
        if following is None or not self.given_on or following.number not in self.planned:
            return 0
        return delay_days(protocol_on=self.planned[following.number].protocol_on, today=today)

    def is_past_max_delay(self, today: date) -> bool:
        return self.delay(today) >= self.course.protocol.max_delay_days

    @property
    def imaging(self) -> list[PlannedImaging]:
        """The PET/CTs that the protocol asks for."""
        protocol = self.course.protocol
        dates: dict[int, date | None] = {
            cycle.number: self.given_on.get(cycle.number, cycle.planned_on)
            for cycle in self.cycles
            if cycle.status != CycleStatus.CANCELLED
        }
        return plan_imaging(
            cycle_dates=dates,
            given=self.given_on.keys(),
            after_cycles=protocol.imaging_after_cycles,
            due_days=protocol.imaging_due_days,
            after_completion_days=protocol.imaging_after_completion_days,
            baseline_within_days=protocol.baseline_imaging_within_days,
        )


def given_dates(course: Course) -> dict[int, date]:
    """Return cycle number to the centre's local date of its administration. One query."""
    zone = course.patient.centre.zone
    given = Administration.objects.current().filter(cycle__course=course, cycle__voided_at__isnull=True)
    return {
        number: at.astimezone(zone).date()
        for number, at in given.values_list("cycle__number", "administered_at")
    }


def plan_of(course: Course) -> CoursePlan:
    """Return the plan of one course, with the queries of ``plans_of``."""
    return plans_of([course])[course.pk]


def plans_of(courses: Collection[Course]) -> dict[uuid.UUID, CoursePlan]:
    """Return the plans of courses, whose patient, centre and protocol are best read along. Four queries for any number."""
    keys = [course.pk for course in courses]
    of_course = {"cycle__course__in": keys, "cycle__voided_at": None}
    stopped = Discontinuation.objects.current().filter(course__in=keys)
    return plans_from(
        courses,
        cycles=Cycle.objects.current().filter(course__in=keys),
        holds=Hold.objects.current().filter(**of_course),
        administrations=Administration.objects.current().filter(**of_course),
        discontinued=set(stopped.values_list("course_id", flat=True)),
    )


def plans_from(
    courses: Collection[Course],
    *,
    cycles: Iterable[Cycle],
    holds: Iterable[Hold],
    administrations: Iterable[Administration],
    discontinued: Collection[uuid.UUID],
) -> dict[uuid.UUID, CoursePlan]:
    """Return the plans of courses from rows in force that were read, in any order; those of other cycles are left out.

    No query where patient, centre and protocol of the courses were read along.

    Args:
        discontinued: ids of the courses that were.
    """
    plans = {course.pk: CoursePlan(course, is_discontinued=course.pk in discontinued) for course in courses}
    known: dict[uuid.UUID, Cycle] = {}
    for cycle in sorted(cycles, key=lambda cycle: cycle.number):
        cycle.course = plans[cycle.course_id].course  # its protocol and patient too
        plans[cycle.course_id].cycles.append(cycle)
        known[cycle.pk] = cycle
    for hold in sorted(holds, key=lambda hold: hold.held_on):
        if hold.cycle_id in known:
            hold.cycle = known[hold.cycle_id]
            plans[hold.cycle.course_id].holds.append(hold)
    for given in administrations:
        if given.cycle_id in known:
            given.cycle = known[given.cycle_id]
            plan = plans[given.cycle.course_id]
            zone = plan.course.patient.centre.zone
            plan.administrations[given.cycle.number] = given
            plan.given_on[given.cycle.number] = given.administered_at.astimezone(zone).date()
    for plan in plans.values():
        interval_days = plan.course.protocol.interval_days
        plan.planned = plan_from(interval_days, plan.cycles, plan.holds, plan.given_on)
    return plans


def plan_from(
    interval_days: int, cycles: Sequence[Cycle], holds: Iterable[Hold], given_on: Mapping[int, date]
) -> dict[int, PlannedCycle]:
    """Return the plan from rows that were read: a course's cycles in order and their holds in force. No query."""
    numbers = {cycle.pk: cycle.number for cycle in cycles}
    held: dict[int, list[HoldFact]] = defaultdict(list)
    for hold in holds:
        until_on = hold.resumed_on or hold.review_on
        held[numbers[hold.cycle_id]].append(HoldFact(hold.held_on, until_on, is_open=hold.is_open))
    set_on = {cycle.number: cycle.set_on for cycle in cycles if cycle.set_on is not None}
    if not given_on:
        # A file may date the first cycle without saying that the day was set by hand, which every start of a course is.
        first = next((cycle for cycle in cycles if cycle.status in OPEN), None)
        if first is not None and first.planned_on is not None and first.number not in held:
            set_on.setdefault(first.number, first.planned_on)
    return plan_cycles(
        numbers=numbers.values(),
        given_on=given_on,
        interval_days=interval_days,
        set_on=set_on,
        holds=held,
        cancelled={cycle.number for cycle in cycles if cycle.status == CycleStatus.CANCELLED},
    )
