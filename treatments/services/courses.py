"""The acts of a course: start it, hold, resume, cancel and restore its cycles, move it, discontinue it."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import Centre, User
from accounts.records import (
    ClinicalRecord,
    clinical_write,
    correct_record,
    create_record,
    lock_current,
    plausible_plan,
    require_reason,
    void_record,
)
from languages.wording import day
from patients.models import Patient
from treatments.models import (
    OPEN,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    Hold,
    HoldReason,
    Intent,
    Protocol,
)
from treatments.rules.schedule import course_state, plan_cycles
from treatments.rules.words import written
from treatments.selectors.schedule import given_dates, plan_of


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
        ValidationError: the day lies so far off that what follows it could not be planned.
    """
    if first_planned_on is not None:
        plausible_plan(first_planned_on)
    with clinical_write(by=by):
        Patient.objects.select_for_update().get(pk=patient.pk)
        courses = patient.courses.current()
        if courses.filter(cycles__status__in=OPEN, cycles__voided_at=None).exists():
            message = _("{patient} has a course with cycles still to come.")
            raise RegistryError("course_ongoing", message.format(patient=patient))
        last = courses.order_by("-number").values_list("number", flat=True).first() or 0
        course = Course(patient=patient, number=last + 1, protocol=protocol, intent=intent)
        create_record(course, by=by)
        plan = plan_cycles(
            numbers=range(1, protocol.planned_cycles + 1),
            given_on={},
            interval_days=protocol.interval_days,
            set_on={1: first_planned_on} if first_planned_on is not None else {},
        )
        for number, planned in plan.items():
            set_on = first_planned_on if number == 1 else None
            create_record(
                Cycle(course=course, number=number, planned_on=planned.planned_on, set_on=set_on), by=by
            )
    return course


def replan(course: Course) -> None:
    """Move the planned dates of what has not been given yet to where the protocol puts them now.

    Part of the act that moved them: its reason stands beside these changes in the history too.
    """
    plan = plan_of(course)
    cycles = {cycle.number: cycle for cycle in plan.cycles}
    for number, planned in plan.planned.items():
        cycle = cycles[number]
        # A cycle that was passed over keeps the date it had; one of a course without a start has none.
        is_dated = planned.planned_on is not None or not plan.given_on
        if is_dated and cycle.planned_on != planned.planned_on:
            cycle.planned_on = planned.planned_on
            cycle.save(update_fields=["planned_on"])


def _by(by: User | None, record: ClinicalRecord) -> None:
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, record.centre_id_of_record)


def today_at(record: ClinicalRecord) -> date:
    """Return the local date of the centre that a record belongs to."""
    centre = Centre.objects.get(pk=record.centre_id_of_record)
    return timezone.now().astimezone(centre.zone).date()


def correct_cycle(
    cycle: Cycle,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
    also: Callable[[Cycle], None] | None = None,
) -> Cycle:
    """Correct the plan of a cycle: its day, its activity, its note, and whether it is on hold.

    A day is set by hand and what follows moves along; None gives the day back to the protocol. A status of on hold
    begins a hold today with ``reason`` as its note; one of planned ends the open hold today.

    Raises:
        RegistryError: ``cycle_status_follows``, the status asked for, or the present one, follows from another record.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.correct_record``.
    """
    _by(by, cycle)
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(cycle, expected_version=expected_version)
        present = locked.status
        wanted = changes.get("status", present)
        if wanted != present and not {wanted, present} <= OPEN:
            raise RegistryError(
                "cycle_status_follows",
                _(
                    "{cycle} is {status}: a cycle is given by its administration and cancelled by the discontinuation of"
                    " its course; only between planned and on hold can its status be changed."
                ).format(cycle=cycle, status=str(CycleStatus(present).label).lower()),
            )
        changes = dict(changes)
        if present in OPEN and "planned_on" in changes:
            planned_on = changes["planned_on"]
            if planned_on != locked.planned_on:
                changes["set_on"] = planned_on
                _require_after_given(locked, planned_on)
        if wanted != present:
            if wanted == CycleStatus.HELD:
                _begin_hold(
                    locked,
                    Hold(held_on=today_at(locked), reason=HoldReason.UNKNOWN, note=reason.strip()),
                    by=by,
                )
            else:
                end_holds(locked, resumed_on=today_at(locked))

        def and_replan(corrected: Cycle) -> None:
            if corrected.status in OPEN:
                replan(corrected.course)
                corrected.refresh_from_db()
                _require_kept(corrected, changes.get("set_on"))
            if also is not None:
                also(corrected)

        # The version was compared above; what a hold has stored since has raised it.
        return correct_record(locked, changes, by=by, reason=reason, also=and_replan)


def _require_kept(cycle: Cycle, set_on: date | None) -> None:
    """Refuse a day set by hand that the plan cannot keep, since the cycle before it is planned on that day or later."""
    if set_on is None or cycle.planned_on == set_on:
        return
    planned = plan_of(cycle.course).planned[cycle.number]
    if planned.moved_days == 0:
        raise ValidationError(
            {
                "planned_on": ValidationError(
                    _(
                        "Cycle {number} cannot be planned {on}: cycles come in order, and the one before it is planned on"
                        " that day or later."
                    ).format(number=cycle.number, on=day(set_on)),
                    code="out_of_order",
                )
            }
        )


def _require_after_given(cycle: Cycle, planned_on: date | None) -> None:
    given = given_dates(cycle.course)
    if planned_on is None or not given:
        return
    last = max(given)
    if planned_on <= given[last]:
        raise ValidationError(
            {
                "planned_on": ValidationError(
                    _(
                        "Cycle {last} was given on {on}: cycle {number} can only be planned after that day."
                    ).format(last=last, on=day(given[last]), number=cycle.number),
                    code="before_given",
                )
            }
        )


def hold_cycle(
    *,
    cycle: Cycle,
    held_on: date,
    reason: str,
    review_on: date | None = None,
    note: str = "",
    by: User | None,
    expected_version: int | None = None,
) -> Hold:
    """Put a cycle on hold; it and what follows move to the day of the expected review where that is later.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``already_held``, or ``not_planned``: the cycle was given or cancelled.
        StaleRecord: the cycle was changed since ``expected_version``.
        ValidationError: a value breaks a rule.
    """
    _by(by, cycle)
    with clinical_write(by=by):
        locked = lock_current(cycle, expected_version=expected_version)
        born = locked.course.patient.birth_date
        if held_on < born:
            message = _("The patient was born on {on}.").format(on=day(born))
            raise ValidationError({"held_on": ValidationError(message, code="before_birth")})
        hold = _begin_hold(
            locked, Hold(held_on=held_on, reason=reason, review_on=review_on, note=note), by=by
        )
        locked.save(update_fields=["status"])
        replan(locked.course)
    return hold


def _begin_hold(cycle: Cycle, hold: Hold, *, by: User | None) -> Hold:
    """Store a hold of a locked cycle, whose new status is left to be saved."""
    if cycle.status == CycleStatus.HELD:
        raise RegistryError(
            "already_held",
            _("{cycle} is on hold already: correct that hold, or resume first.").format(cycle=cycle),
        )
    if cycle.status != CycleStatus.PLANNED:
        raise RegistryError(
            "not_planned",
            _("{cycle} is {status}: only a planned cycle can be held.").format(
                cycle=cycle, status=cycle.get_status_display().lower()
            ),
        )
    if cycle.set_on is None and cycle.planned_on is not None and not given_dates(cycle.course):
        # The start of the course would otherwise be lost once the hold has moved the planned date.
        first = cycle.course.cycles.current().filter(status__in=OPEN).order_by("number").first()
        if first is not None and first.pk == cycle.pk:
            cycle.set_on = cycle.planned_on
            cycle.save(update_fields=["set_on"])
    cycle.status = CycleStatus.HELD
    hold.cycle = cycle
    return create_record(hold, by=by)


def end_holds(cycle: Cycle, *, resumed_on: date) -> list[Hold]:
    """End the open hold of a locked cycle, whose new status is left to be saved."""
    ended = list(cycle.holds.current().filter(resumed_on__isnull=True).select_for_update())
    for hold in ended:
        hold.resumed_on = max(resumed_on, hold.held_on)
        hold.full_clean()
        hold.save(update_fields=["resumed_on"])
    cycle.status = CycleStatus.PLANNED
    return ended


def reopen_hold(cycle: Cycle, *, ended_on: date) -> None:
    """Open the hold of a locked cycle that ended on a day again; the cycle's new status is left to be saved."""
    ended = cycle.holds.current().filter(resumed_on=ended_on).order_by("held_on").last()
    if ended is not None:
        ended.resumed_on = None
        ended.save(update_fields=["resumed_on"])
        cycle.status = CycleStatus.HELD


def resume_cycle(
    *, cycle: Cycle, resumed_on: date, by: User | None, expected_version: int | None = None
) -> Cycle:
    """End a hold: the cycle is planned again, on the day it was resumed or the protocol's where that is later.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``not_held``.
        StaleRecord: the cycle was changed since ``expected_version``.
        ValidationError: the hold began after ``resumed_on``, or that day lies in the future.
    """
    _by(by, cycle)
    with clinical_write(by=by):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status != CycleStatus.HELD:
            raise RegistryError("not_held", _("{cycle} is not on hold.").format(cycle=locked))
        began = locked.holds.current().filter(resumed_on__isnull=True, held_on__gt=resumed_on).first()
        if began is not None:
            message = _("The hold began on {on}.").format(on=day(began.held_on))
            raise ValidationError({"resumed_on": ValidationError(message, code="before_hold")})
        end_holds(locked, resumed_on=resumed_on)
        locked.save(update_fields=["status"])
        replan(locked.course)
        locked.refresh_from_db()
    return locked


def correct_hold(
    hold: Hold, changes: dict[str, Any], *, by: User | None, reason: str, expected_version: int | None = None
) -> Hold:
    """Correct a hold, reopen or end it, and re-plan what hangs on it.

    Raises:
        RegistryError: ``not_planned``, it cannot be open again: its cycle was given or cancelled.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.correct_record``.
    """
    _by(by, hold)

    def also(corrected: Hold) -> None:
        _follow_holds(corrected.cycle)

    return correct_record(hold, changes, by=by, reason=reason, expected_version=expected_version, also=also)


def void_hold(hold: Hold, *, by: User | None, reason: str, expected_version: int | None = None) -> Hold:
    """Take back that a cycle was held.

    Raises: as ``accounts.records.void_record``.
    """
    _by(by, hold)
    with clinical_write(by=by, reason=reason.strip()):
        void_record(hold, by=by, reason=reason, expected_version=expected_version)
        _follow_holds(hold.cycle)
    return hold


def _follow_holds(cycle: Cycle) -> None:
    """Let a cycle's status follow its holds, and the plan with it."""
    locked = lock_current(cycle, expected_version=None)
    is_open = locked.holds.current().filter(resumed_on__isnull=True).exists()
    if is_open and locked.status in {CycleStatus.GIVEN, CycleStatus.CANCELLED}:
        message = _("{cycle} is {status}: its hold cannot be open.")
        raise RegistryError(
            "not_planned", message.format(cycle=locked, status=locked.get_status_display().lower())
        )
    status = CycleStatus.HELD if is_open else CycleStatus.PLANNED
    if locked.status in OPEN and locked.status != status:
        locked.status = status
        locked.save(update_fields=["status"])
    replan(locked.course)


def cancel_cycle(*, cycle: Cycle, reason: str, by: User | None, expected_version: int | None = None) -> Cycle:
    """Leave one cycle out of a course that goes on; what follows is planned without it.

    Raises:
        RegistryError: ``not_planned``, it was given or cancelled; ``last_cycle``, nothing would follow it: the course is
            to be discontinued instead.
        PermissionDenied, StaleRecord, ValidationError: as ``accounts.records.correct_record``.
    """
    _by(by, cycle)
    reason = require_reason(reason)
    with clinical_write(by=by, reason=reason):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status not in OPEN:
            raise RegistryError(
                "not_planned",
                _("{cycle} is {status}.").format(cycle=locked, status=locked.get_status_display().lower()),
            )
        if not locked.course.cycles.current().filter(number__gt=locked.number, status__in=OPEN).exists():
            raise RegistryError(
                "last_cycle",
                _("No cycle would follow {cycle}: discontinue the course instead, with its reason.").format(
                    cycle=locked
                ),
            )
        end_holds(locked, resumed_on=today_at(locked))
        locked.status = CycleStatus.CANCELLED
        locked.cancel_reason = reason
        locked.full_clean()
        locked.save(update_fields=["status", "cancel_reason"])
        replan(locked.course)
        locked.refresh_from_db()
    return locked


def restore_cycle(
    *, cycle: Cycle, reason: str, by: User | None, expected_version: int | None = None
) -> Cycle:
    """Take back that one cycle was left out.

    Raises:
        RegistryError: ``not_cancelled``, it was not left out alone; ``later_cycle_given``, cycles are given in order.
        PermissionDenied, StaleRecord, ValidationError: as ``accounts.records.correct_record``.
    """
    _by(by, cycle)
    reason = require_reason(reason)
    with clinical_write(by=by, reason=reason):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status != CycleStatus.CANCELLED or locked.course.discontinuations.current().exists():
            raise RegistryError(
                "not_cancelled", _("{cycle} was not cancelled by itself.").format(cycle=locked)
            )
        last = max(given_dates(locked.course), default=0)
        if last > locked.number:
            raise RegistryError(
                "later_cycle_given",
                _("Cycle {number} of {course} was given after it: it stays left out.").format(
                    number=last, course=locked.course
                ),
            )
        locked.status, locked.cancel_reason = CycleStatus.PLANNED, ""
        locked.save(update_fields=["status", "cancel_reason"])
        require_only_running(locked.course)
        replan(locked.course)
        locked.refresh_from_db()
    return locked


def move_course(
    course: Course,
    protocol: Protocol,
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Course:
    """Let a running course follow another protocol, or another version of its own: cycles are added or taken away.

    Raises:
        RegistryError: ``course_discontinued``; ``too_many_given``, more cycles than it has were given.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.correct_record``.
    """
    return correct_course(
        course, {"protocol": protocol}, by=by, reason=reason, expected_version=expected_version
    )


def correct_course(
    course: Course,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Course:
    """Correct the intent of a course, or move it to another protocol: see ``move_course``."""
    reason = require_reason(reason)
    _by(by, course)
    with clinical_write(by=by, reason=reason):
        locked = lock_current(course, expected_version=expected_version)
        protocol = changes.get("protocol", locked.protocol)
        is_moved = protocol != locked.protocol
        if is_moved:
            _require_movable(locked, protocol)
        corrected = correct_record(locked, changes, by=by, reason=reason)
        if is_moved:
            fit_cycles(corrected, by=by, reason=reason)
            require_only_running(corrected)
    return corrected


def _require_movable(course: Course, protocol: Protocol) -> None:
    """Refuse a protocol that what was recorded of a course does not fit."""
    if course.discontinuations.current().exists():
        message = _("{course} was discontinued: it stays with its protocol.")
        raise RegistryError("course_discontinued", message.format(course=course))
    last = max(given_dates(course), default=0)
    if last > protocol.planned_cycles:
        raise RegistryError(
            "too_many_given",
            _("Cycle {number} of {course} was given, and {protocol} has {planned} cycles.").format(
                number=last, course=course, protocol=protocol, planned=protocol.planned_cycles
            ),
        )
    if last and protocol.physical_half_life_days != course.protocol.physical_half_life_days:
        raise RegistryError(
            "other_half_life",
            _(
                "Cycles of {course} were given with a half-life of {half_life} d, and {protocol} has one of {other} d: start"
                " another course."
            ).format(
                course=course,
                half_life=written(str(course.protocol.physical_half_life_days)),
                protocol=protocol,
                other=written(str(protocol.physical_half_life_days)),
            ),
        )


def fit_cycles(course: Course, *, by: User | None, reason: str) -> None:
    """Add the cycles that the course's protocol has and the course has not, take away those beyond it, and plan anew."""
    protocol = course.protocol
    cycles = list(course.cycles.current().order_by("number"))
    for cycle in reversed(cycles[protocol.planned_cycles :]):
        void_record(cycle, by=by, reason=reason)
    if cycles:
        for number in range(len(cycles) + 1, protocol.planned_cycles + 1):
            create_record(Cycle(course=course, number=number), by=by, reason=reason)
    replan(course)


def require_only_running(course: Course) -> None:
    """Refuse where a course would go on while a later one of the patient is running or was begun.

    Raises:
        RegistryError: ``course_ongoing``.
    """
    if not course.cycles.current().filter(status__in=OPEN).exists():
        return
    later = course.patient.courses.current().filter(number__gt=course.number, cycles__voided_at=None)
    begun = later.filter(cycles__status__in=[*OPEN, CycleStatus.GIVEN]).order_by("number").first()
    if begun is not None:
        raise RegistryError(
            "course_ongoing",
            _("{later} has been started since: {course} cannot go on beside it.").format(
                later=begun, course=course
            ),
        )


def void_cycle(cycle: Cycle, *, by: User | None, reason: str, expected_version: int | None = None) -> Cycle:
    """Take the last cycle out of a course's plan. Cycles are numbered without a gap, so no other can go.

    Raises:
        RegistryError: ``cycle_given``, its administration is to be voided first; ``later_cycle``, it is not the last.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.void_record``.
    """
    _by(by, cycle)
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status == CycleStatus.GIVEN:
            message = _("{cycle} was given: void its administration first.")
            raise RegistryError("cycle_given", message.format(cycle=locked))
        last = locked.course.cycles.current().order_by("number").last()
        if last is not None and last.number > locked.number:
            raise RegistryError(
                "later_cycle",
                _(
                    "Only the last cycle of a course can be voided, which is cycle {number}: cycles are numbered without a"
                    " gap."
                ).format(number=last.number),
            )
        if not locked.course.cycles.current().filter(status__in=OPEN).exclude(pk=locked.pk).exists():
            raise RegistryError(
                "last_cycle",
                _("Nothing would be to come without {cycle}: discontinue the course instead.").format(
                    cycle=locked
                ),
            )
        return void_record(locked, by=by, reason=reason, expected_version=expected_version)


def discontinue_course(
    *,
    course: Course,
    discontinued_on: date,
    main_reason: str,
    further_reasons: list[str] | None = None,
    note: str = "",
    by: User | None,
    expected_version: int | None = None,
) -> Discontinuation:
    """Record that a course was stopped; the cycles still to come are cancelled.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``course_completed``, all planned cycles have been given.
        StaleRecord: the course was changed since ``expected_version``.
        ValidationError: a value breaks a rule.
    """
    _by(by, course)
    with clinical_write(by=by):
        locked = lock_current(course, expected_version=expected_version)
        cycles = list(locked.cycles.current().select_for_update())
        given = sum(cycle.status == CycleStatus.GIVEN for cycle in cycles)
        left_out = sum(cycle.status == CycleStatus.CANCELLED for cycle in cycles)
        state = course_state(
            given=given,
            cancelled=left_out,
            planned_cycles=locked.protocol.planned_cycles,
            discontinued=locked.discontinuations.current().exists(),
        )
        if state == "completed":
            raise RegistryError(
                "course_completed",
                _("All cycles of {course} have been given: it is completed.").format(course=locked),
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
            further_reasons=[code for code in dict.fromkeys(further_reasons or []) if code != main_reason],
            note=note,
        )
        create_record(discontinuation, by=by)
    return discontinuation


def void_discontinuation(
    discontinuation: Discontinuation, *, by: User | None, reason: str, expected_version: int | None = None
) -> Discontinuation:
    """Take back that a course was stopped: its cancelled cycles are planned again.

    Raises:
        RegistryError: ``course_ongoing``, a later course was started since; and as ``accounts.records.void_record``.
        StaleRecord, PermissionDenied, ValidationError: likewise.
    """
    _by(by, discontinuation)
    with clinical_write(by=by, reason=reason.strip()):
        void_record(discontinuation, by=by, reason=reason, expected_version=expected_version)
        # What was left out by itself stays so; what was on hold is on hold again.
        cancelled = discontinuation.course.cycles.current().filter(
            status=CycleStatus.CANCELLED, cancel_reason=""
        )
        for cycle in cancelled:
            is_held = cycle.holds.current().filter(resumed_on__isnull=True).exists()
            cycle.status = CycleStatus.HELD if is_held else CycleStatus.PLANNED
            cycle.save(update_fields=["status"])
        require_only_running(discontinuation.course)
        replan(discontinuation.course)
    return discontinuation
