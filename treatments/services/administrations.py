"""The acts of an administration: record it, correct it, take it back."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import clinical_write, correct_record, create_record, lock_current, void_record
from treatments.models import Administration, Cycle, CycleStatus
from treatments.rules.activity import NetActivity, is_past_permitted, net_activity
from treatments.rules.checks import Warned
from treatments.rules.words import NBSP, written
from treatments.selectors.checks import warnings_of
from treatments.selectors.schedule import given_dates
from treatments.services.courses import end_holds, reopen_hold, replan, require_only_running

SYRINGE_FIELDS = frozenset(
    {
        "administered_at",
        "syringe_activity_mbq",
        "syringe_measured_at",
        "residual_activity_mbq",
        "residual_measured_at",
    }
)


TYPED_TOLERANCE_MBQ = Decimal("0.1")  # what is stored is rounded to it


class Unconfirmed(RegistryError):
    """Warnings stand against an administration: it is recorded once they are confirmed with a reason.

    Attributes:
        warnings: what stands against it, each with a stable code.
    """

    confirmed_by = "confirmation_reason"

    def __init__(self, warnings: list[Warned]) -> None:
        said = " ".join(warned.message for warned in warnings)
        super().__init__(
            "unconfirmed_warnings",
            _("Look at this first, and say why the cycle is recorded all the same: {warnings}").format(
                warnings=said
            ),
        )
        self.warnings = warnings


def net_of(values: Mapping[str, Any], *, half_life_days: Decimal) -> NetActivity | None:
    """Return the net activity that syringe and residual give; None where no syringe was measured.

    Args:
        values: the fields of an administration, those of ``SYRINGE_FIELDS`` among them.

    Raises:
        ValidationError: they contradict each other; the message says how.
    """
    if values.get("syringe_activity_mbq") is None:
        for name in ("syringe_measured_at", "residual_activity_mbq", "residual_measured_at"):
            if values.get(name) is not None:
                raise ValidationError(
                    {
                        "syringe_activity_mbq": ValidationError(
                            _("The activity of the syringe is missing."), code="required"
                        )
                    }
                )
        return None
    if values.get("syringe_measured_at") is None:
        raise ValidationError(
            {"syringe_measured_at": ValidationError(_("When was the syringe measured?"), code="required")}
        )
    if (values.get("residual_activity_mbq") is None) != (values.get("residual_measured_at") is None):
        missing = (
            "residual_measured_at" if values.get("residual_measured_at") is None else "residual_activity_mbq"
        )
        raise ValidationError(
            {missing: ValidationError(_("A residual needs its activity and its time."), code="required")}
        )
    try:
        return net_activity(
            syringe_activity_mbq=values["syringe_activity_mbq"],
            syringe_measured_at=values["syringe_measured_at"],
            residual_activity_mbq=values.get("residual_activity_mbq"),
            residual_measured_at=values.get("residual_measured_at"),
            injected_at=values["administered_at"],
            half_life_days=half_life_days,
        )
    except ValueError as error:
        raise ValidationError(
            {"syringe_activity_mbq": ValidationError(str(error), code="contradictory_activity")}
        ) from error


def require_explanation(*, given_mbq: Decimal, prescribed_mbq: Decimal, explanation: str) -> None:
    """Ask for the reason of an activity past ±20 % of the prescription (10 CFR 35.63).

    Raises:
        ValidationError: there is none.
    """
    if not explanation.strip() and is_past_permitted(given_mbq=given_mbq, prescribed_mbq=prescribed_mbq):
        message = _(
            "{given} differs from the prescribed {prescribed} by more than {percent}: say why."
        ).format(given=_mbq(given_mbq), prescribed=_mbq(prescribed_mbq), percent=f"20{NBSP}%")
        raise ValidationError(
            {"deviation_explanation": ValidationError(message, code="unexplained_deviation")}
        )


def _mbq(activity_mbq: Decimal) -> str:
    return f"{written(f'{activity_mbq:,}')}{NBSP}MBq"


def prescription_of(cycle: Cycle) -> Decimal:
    """Return what is prescribed for a cycle, MBq: what was decided for it, or the protocol's."""
    return cycle.prescribed_activity_mbq or cycle.course.protocol.prescribed_activity_mbq


def administer_cycle(
    *,
    cycle: Cycle,
    administered_at: datetime,
    administered_activity_mbq: Decimal | None = None,
    prescribed_activity_mbq: Decimal | None = None,
    confirmation_reason: str = "",
    confirmed_warnings: Collection[str] | None = None,
    expected_version: int | None = None,
    by: User | None,
    **details: Any,
) -> Administration:
    """Record that a cycle was given, end its hold, and plan the following ones from it.

    Args:
        administered_at: aware; start of the infusion.
        administered_activity_mbq: net of the residual; computed where ``details`` hold a syringe.
        prescribed_activity_mbq: what is prescribed for the cycle where None.
        confirmation_reason: why it is recorded in spite of what the checks warn of.
        confirmed_warnings: the codes that whoever gives the reason has seen; a further one is told first. None: all.
        details: further fields of the administration.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``already_given``, ``cycle_cancelled``, or ``earlier_cycle_open``, cycles are given in order.
        Unconfirmed: checks warn of something, and ``confirmation_reason`` is blank.
        StaleRecord: the cycle was changed since ``expected_version``.
        ValidationError: a value breaks a rule.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, cycle.centre_id_of_record)
    with clinical_write(by=by):
        # Two browser tabs can submit the same cycle; the row lock makes the second see the first.
        locked = lock_current(cycle, expected_version=None)
        if locked.status == CycleStatus.GIVEN:
            raise RegistryError(
                "already_given", _("{cycle} has already been recorded as given.").format(cycle=locked)
            )
        if locked.status == CycleStatus.CANCELLED:
            raise RegistryError(
                "cycle_cancelled",
                (
                    _("{cycle} is cancelled: it was left out by itself.")
                    if locked.cancel_reason
                    else _("{cycle} is cancelled: the course was discontinued.")
                ).format(cycle=locked),
            )
        locked = lock_current(cycle, expected_version=expected_version)
        _require_turn(locked)
        administration = Administration(
            cycle=locked,
            administered_at=administered_at,
            prescribed_activity_mbq=(
                prescription_of(locked) if prescribed_activity_mbq is None else prescribed_activity_mbq
            ),
            **details,
        )
        net = net_of(vars(administration), half_life_days=locked.course.protocol.physical_half_life_days)
        net_mbq = net.net_mbq if net is not None else administered_activity_mbq
        if net is not None and administered_activity_mbq is not None:
            _require_agreement(administered_activity_mbq, net)
        if net_mbq is None:
            raise ValidationError(
                {
                    "administered_activity_mbq": ValidationError(
                        _("Give the net activity, or the syringe's with its time."), code="required"
                    )
                }
            )
        administration.administered_activity_mbq = net_mbq
        administration.full_clean(exclude=["cycle"])
        require_explanation(
            given_mbq=administration.administered_activity_mbq,
            prescribed_mbq=administration.prescribed_activity_mbq,
            explanation=administration.deviation_explanation,
        )
        warnings = warnings_of(administration)
        unseen = confirmed_warnings is not None and any(w.code not in confirmed_warnings for w in warnings)
        if warnings and (unseen or not confirmation_reason.strip()):
            raise Unconfirmed(warnings)
        if warnings:
            administration.confirmed_warnings = list(dict.fromkeys(warned.code for warned in warnings))
            administration.confirmation_reason = confirmation_reason.strip()
        zone = locked.course.patient.centre.zone
        end_holds(locked, resumed_on=administered_at.astimezone(zone).date())
        locked.status = CycleStatus.GIVEN
        locked.save(update_fields=["status"])
        create_record(administration, by=by)
        replan(locked.course)
    return administration


def _require_agreement(typed_mbq: Decimal, net: NetActivity) -> None:
    """Refuse a net activity that was typed beside a syringe and is another than the one that follows."""
    if abs(typed_mbq - net.net_mbq) > TYPED_TOLERANCE_MBQ:
        message = _("Syringe and residual give {net}, not {typed}: leave it out, or correct them.").format(
            net=_mbq(net.net_mbq), typed=_mbq(typed_mbq)
        )
        raise ValidationError(
            {"administered_activity_mbq": ValidationError(message, code="contradictory_activity")}
        )


def _require_turn(cycle: Cycle) -> None:
    earlier = (
        cycle.course.cycles.current()
        .exclude(status__in=[CycleStatus.GIVEN, CycleStatus.CANCELLED])
        .filter(number__lt=cycle.number)
        .order_by("number")
        .first()
    )
    if earlier is not None:
        raise RegistryError(
            "earlier_cycle_open",
            _("Cycle {number} of {course} is {status}: cycles are given in order.").format(
                number=earlier.number, course=cycle.course, status=earlier.get_status_display().lower()
            ),
        )


def correct_administration(
    administration: Administration,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Administration:
    """Correct what was recorded of a given cycle: the net activity follows syringe and residual, the plan the date.

    Raises: as ``accounts.records.correct_record``; ValidationError also where the net activity is past ±20 % of the
        prescription and not explained.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, administration.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(administration, expected_version=expected_version)
        changes = dict(changes)
        as_corrected = vars(locked) | changes
        is_remeasured = any(as_corrected[name] != getattr(locked, name) for name in SYRINGE_FIELDS)
        if is_remeasured or "administered_activity_mbq" in changes:
            net = net_of(as_corrected, half_life_days=locked.cycle.course.protocol.physical_half_life_days)
            if net is not None:
                typed_mbq = changes.get("administered_activity_mbq")
                if typed_mbq is not None and typed_mbq != locked.administered_activity_mbq:
                    _require_agreement(typed_mbq, net)
                changes["administered_activity_mbq"] = net.net_mbq
                as_corrected |= changes
        activities = {
            name: as_corrected[name] for name in ("administered_activity_mbq", "prescribed_activity_mbq")
        }
        if {*activities, "deviation_explanation"} & changes.keys() and None not in activities.values():
            require_explanation(
                given_mbq=activities["administered_activity_mbq"],
                prescribed_mbq=activities["prescribed_activity_mbq"],
                explanation=as_corrected["deviation_explanation"],
            )
        stood = {warned.code for warned in warnings_of(locked)}
        corrected = correct_record(
            locked, changes, by=by, reason=reason, also=lambda record: replan(record.cycle.course)
        )
        _confirm_new_warnings(corrected, stood=stood, reason=reason.strip())
    return corrected


def _confirm_new_warnings(administration: Administration, *, stood: set[str], reason: str) -> None:
    """Keep what a correction has brought to be warned of; it is confirmed with the reason of the correction.

    Args:
        stood: the codes that stood against the administration before it was corrected.
    """
    codes = [warned.code for warned in warnings_of(administration)]
    new = [code for code in dict.fromkeys(codes) if code not in {*stood, *administration.confirmed_warnings}]
    if new:
        administration.confirmed_warnings = [*administration.confirmed_warnings, *new]
        administration.confirmation_reason = administration.confirmation_reason or reason
        administration.save(update_fields=["confirmed_warnings", "confirmation_reason"])
        administration.refresh_from_db(fields=["version"])


def void_administration(
    administration: Administration, *, by: User | None, reason: str, expected_version: int | None = None
) -> Administration:
    """Take back that a cycle was given: the administration is voided, the cycle planned again.

    Raises:
        RegistryError: ``later_cycle_given``: cycles are given in order, so they are taken back from the last one on;
            ``has_records``: absorbed doses of the cycle are to be voided first.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.void_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, administration.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        lock_current(administration, expected_version=expected_version)
        cycle = lock_current(administration.cycle, expected_version=None)
        last = max(given_dates(cycle.course), default=0)
        if last > cycle.number:
            raise RegistryError(
                "later_cycle_given",
                _("Cycle {number} of {course} was given after it: take that one back first.").format(
                    number=last, course=cycle.course
                ),
            )
        doses = cycle.absorbed_doses.current().count()
        if doses:
            raise RegistryError(
                "has_records",
                _("Void first the absorbed doses of {cycle}: {n} of a cycle that was not given.").format(
                    cycle=cycle, n=doses
                ),
            )
        void_record(administration, by=by, reason=reason, expected_version=expected_version)
        cycle.status = CycleStatus.PLANNED
        if "open_hold" in administration.confirmed_warnings:
            reopen_hold(cycle, ended_on=administration.administered_on)
        cycle.save(update_fields=["status"])
        require_only_running(cycle.course)
        replan(cycle.course)
    return administration
