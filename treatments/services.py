"""The acts of a course: start it, give a cycle, hold one, correct an administration, discontinue."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import clinical_write, correct_record, create_record, lock_current, void_record
from patients.models import Patient
from treatments.models import (
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    Intent,
    Protocol,
)
from treatments.rules.schedule import planned_dates

OPEN = frozenset({CycleStatus.PLANNED, CycleStatus.HELD})  # still to come


def start_course(
    *,
    patient: Patient,
    protocol: Protocol,
    first_planned_on: date | None,
    intent: str = Intent.INITIAL,
    by: User | None,
) -> Course:
    """Start the patient's next course and plan all its cycles.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at the patient's centre.
        RegistryError: ``course_ongoing``, the patient's last course still has cycles to come.
    """
    with clinical_write(by=by):
        Patient.objects.select_for_update().get(pk=patient.pk)
        courses = patient.courses.current()
        if courses.filter(cycles__status__in=OPEN, cycles__voided_at=None).exists():
            raise RegistryError("course_ongoing", f"{patient} has a course with cycles still to come.")
        last = courses.order_by("-number").values_list("number", flat=True).first() or 0
        course = Course(patient=patient, number=last + 1, protocol=protocol, intent=intent)
        create_record(course, by=by)
        dates = planned_dates(
            given_on={},
            first_planned_on=first_planned_on,
            planned_cycles=protocol.planned_cycles,
            interval_days=protocol.interval_days,
        )
        for number, planned_on in dates.items():
            create_record(Cycle(course=course, number=number, planned_on=planned_on), by=by)
    return course


def given_dates(course: Course) -> dict[int, date]:
    """Return cycle number to the centre's local date of its administration."""
    zone = course.patient.centre.zone
    given = Administration.objects.current().filter(cycle__course=course, cycle__voided_at__isnull=True)
    return {
        number: at.astimezone(zone).date()
        for number, at in given.values_list("cycle__number", "administered_at")
    }


def replan(course: Course) -> None:
    """Move the planned dates of what has not been given yet to where the protocol puts them now.

    Part of the act that moved them: its reason stands beside these changes in the history too.
    """
    cycles = {cycle.number: cycle for cycle in course.cycles.current()}
    first = cycles.get(1)
    dates = planned_dates(
        given_on=given_dates(course),
        first_planned_on=first.planned_on if first else None,
        planned_cycles=course.protocol.planned_cycles,
        interval_days=course.protocol.interval_days,
    )
    for number, planned_on in dates.items():
        cycle = cycles.get(number)
        if cycle is not None and cycle.planned_on != planned_on and planned_on is not None:
            cycle.planned_on = planned_on
            cycle.save(update_fields=["planned_on"])


def correct_cycle(
    cycle: Cycle,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
    also: Callable[[Cycle], None] | None = None,
) -> Cycle:
    """Correct the plan of a cycle: its day, its note, and whether it is on hold.

    Raises:
        RegistryError: ``cycle_status_follows``, the status asked for, or the present one, follows from another record.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.correct_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, cycle.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        present = lock_current(cycle, expected_version=expected_version).status
        wanted = changes.get("status", present)
        if wanted != present and not {wanted, present} <= OPEN:
            raise RegistryError(
                "cycle_status_follows",
                f"{cycle} is {CycleStatus(present).label.lower()}: a cycle is given by its administration and cancelled by"
                " the discontinuation of its course; only between planned and on hold can its status be changed.",
            )
        return correct_record(
            cycle, changes, by=by, reason=reason, expected_version=expected_version, also=also
        )


def void_cycle(cycle: Cycle, *, by: User | None, reason: str, expected_version: int | None = None) -> Cycle:
    """Take the last cycle out of a course's plan. Cycles are numbered without a gap, so no other can go.

    Raises:
        RegistryError: ``cycle_given``, its administration is to be voided first; ``later_cycle``, it is not the last.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.void_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, cycle.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status == CycleStatus.GIVEN:
            raise RegistryError("cycle_given", f"{locked} was given: void its administration first.")
        last = locked.course.cycles.current().order_by("number").last()
        if last is not None and last.number > locked.number:
            raise RegistryError(
                "later_cycle",
                f"Only the last cycle of a course can be voided, which is cycle {last.number}: cycles are numbered without a"
                " gap.",
            )
        return void_record(locked, by=by, reason=reason, expected_version=expected_version)


def administer_cycle(
    *,
    cycle: Cycle,
    administered_at: datetime,
    administered_activity_mbq: Decimal,
    prescribed_activity_mbq: Decimal | None = None,
    lot: str = "",
    deviation_explanation: str = "",
    expected_version: int | None = None,
    by: User | None,
) -> Administration:
    """Record that a cycle was given, and plan the following ones from it.

    Args:
        administered_at: aware; start of the infusion.
        administered_activity_mbq: net of the residual.
        prescribed_activity_mbq: the protocol's where None.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``already_given``, ``cycle_cancelled``, or ``earlier_cycle_open``, cycles are given in order.
        StaleRecord: the cycle was changed since ``expected_version``.
        ValidationError: a value breaks a rule.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, cycle.centre_id_of_record)
    with clinical_write(by=by):
        # Two browser tabs can submit the same cycle; the row lock makes the second see the first.
        locked = lock_current(cycle, expected_version=None)
        if locked.status == CycleStatus.GIVEN:
            raise RegistryError("already_given", f"{locked} has already been recorded as given.")
        if locked.status == CycleStatus.CANCELLED:
            raise RegistryError("cycle_cancelled", f"{locked} is cancelled: the course was discontinued.")
        locked = lock_current(cycle, expected_version=expected_version)
        earlier = (
            locked.course.cycles.current()
            .exclude(status=CycleStatus.GIVEN)
            .filter(number__lt=locked.number)
            .order_by("number")
            .first()
        )
        if earlier is not None:
            raise RegistryError(
                "earlier_cycle_open",
                f"Cycle {earlier.number} of {locked.course} is {earlier.get_status_display().lower()}: cycles are given in"
                " order.",
            )
        locked.status = CycleStatus.GIVEN
        locked.save(update_fields=["status"])
        administration = Administration(
            cycle=locked,
            administered_at=administered_at,
            administered_activity_mbq=administered_activity_mbq,
            prescribed_activity_mbq=(
                locked.course.protocol.prescribed_activity_mbq
                if prescribed_activity_mbq is None
                else prescribed_activity_mbq
            ),
            lot=lot,
            deviation_explanation=deviation_explanation,
        )
        create_record(administration, by=by)
        replan(locked.course)
    return administration


def correct_administration(
    administration: Administration,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Administration:
    """Correct what was recorded of a given cycle, and re-plan what follows from its date.

    Raises: as ``accounts.records.correct_record``.
    """
    return correct_record(
        administration,
        changes,
        by=by,
        reason=reason,
        expected_version=expected_version,
        also=lambda record: replan(record.cycle.course),
    )


def void_administration(
    administration: Administration, *, by: User | None, reason: str, expected_version: int | None = None
) -> Administration:
    """Take back that a cycle was given: the administration is voided, the cycle planned again.

    Raises:
        RegistryError: ``later_cycle_given``: cycles are given in order, so they are taken back from the last one on.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.void_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, administration.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        lock_current(administration, expected_version=expected_version)
        cycle = lock_current(administration.cycle, expected_version=None)
        given = cycle.course.cycles.current().filter(status=CycleStatus.GIVEN).order_by("number")
        last = given.last()
        if last is not None and last.number > cycle.number:
            raise RegistryError(
                "later_cycle_given",
                f"Cycle {last.number} of {cycle.course} was given after it: take that one back first.",
            )
        void_record(administration, by=by, reason=reason, expected_version=expected_version)
        cycle.status = CycleStatus.PLANNED
        cycle.save(update_fields=["status"])
        replan(cycle.course)
    return administration


def discontinue_course(
    *,
    course: Course,
    discontinued_on: date,
    main_reason: str,
    further_reasons: list[str] | None = None,
    note: str = "",
    by: User | None,
) -> Discontinuation:
    """Record that a course was stopped; the cycles still to come are cancelled.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``course_completed``, all planned cycles have been given.
        ValidationError: a value breaks a rule.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, course.centre_id_of_record)
    with clinical_write(by=by):
        locked = lock_current(course, expected_version=None)
        cycles = list(locked.cycles.current().select_for_update())
        given = sum(cycle.status == CycleStatus.GIVEN for cycle in cycles)
        if given >= locked.protocol.planned_cycles:
            raise RegistryError(
                "course_completed", f"All cycles of {locked} have been given: it is completed."
            )
        for cycle in cycles:
            if cycle.status in OPEN:
                cycle.status = CycleStatus.CANCELLED
                cycle.save(update_fields=["status"])
        discontinuation = Discontinuation(
            course=locked,
            discontinued_on=discontinued_on,
            after_cycle=given,
            main_reason=main_reason,
            further_reasons=further_reasons or [],
            note=note,
        )
        create_record(discontinuation, by=by)
    return discontinuation


def void_discontinuation(
    discontinuation: Discontinuation, *, by: User | None, reason: str, expected_version: int | None = None
) -> Discontinuation:
    """Take back that a course was stopped: its cancelled cycles are planned again.

    Raises: as ``accounts.records.void_record``.
    """
    with clinical_write(by=by, reason=reason.strip()):
        void_record(discontinuation, by=by, reason=reason, expected_version=expected_version)
        for cycle in discontinuation.course.cycles.current().filter(status=CycleStatus.CANCELLED):
            cycle.status = CycleStatus.PLANNED
            cycle.save(update_fields=["status"])
        replan(discontinuation.course)
    return discontinuation
