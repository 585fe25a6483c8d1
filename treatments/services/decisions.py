"""What is decided before a cycle, beside what the rule advises: both are kept."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import clinical_write, create_record, lock_current, void_record
from treatments.models import OPEN, Cycle, CycleStatus, DoseAdvice, DoseDecision, HoldReason
from treatments.rules.advice import Advice, Criterion
from treatments.rules.words import written
from treatments.selectors.advice import advice_for, given_cycles
from treatments.services.courses import hold_cycle, replan, today_at, void_hold

_HOLD_REASONS = {
    Criterion.PLATELETS: HoldReason.HAEMATOLOGICAL,
    Criterion.HAEMOGLOBIN: HoldReason.HAEMATOLOGICAL,
    Criterion.NEUTROPHILS: HoldReason.HAEMATOLOGICAL,
    Criterion.RENAL: HoldReason.RENAL,
    Criterion.HEPATIC: HoldReason.HEPATIC,
    Criterion.OTHER: HoldReason.OTHER_TOXICITY,
}


def decide_dose(
    *,
    cycle: Cycle,
    decision: str,
    reason: str = "",
    prescribed_activity_mbq: Decimal | None = None,
    by: User | None,
    expected_version: int | None = None,
) -> DoseDecision:
    """Keep what is decided for a cycle beside the advice of this moment, and let the cycle follow it.

    A decision to hold puts the cycle on hold; one for an activity prescribes it for the cycle. A course is discontinued
    by its own act.

    Args:
        decision: a code of ``DoseAdvice``; reduce and return take the protocol's activities.
        reason: needed where it differs from the advice.
        prescribed_activity_mbq: another activity than the decision stands for.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        RegistryError: ``not_planned``, the cycle was given or cancelled; ``no_dose_rules``, its protocol has none.
        StaleRecord: the cycle was changed since ``expected_version``.
        ValidationError: no reason, or a value breaks a rule.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, cycle.centre_id_of_record)
    with clinical_write(by=by):
        locked = lock_current(cycle, expected_version=expected_version)
        if locked.status not in OPEN:
            raise RegistryError(
                "not_planned",
                _("{cycle} is {status}.").format(cycle=locked, status=locked.get_status_display().lower()),
            )
        earlier = locked.course.cycles.current().filter(status__in=OPEN, number__lt=locked.number).first()
        if earlier is not None:
            raise RegistryError(
                "earlier_cycle_open",
                _("Cycle {number} is to come first: decide on that one.").format(number=earlier.number),
            )
        today = today_at(locked)
        # What is stored of it is English whoever decides; it is told again in the language of who reads it.
        with translation.override(settings.LANGUAGE_CODE):
            advice = advice_for(locked.course, locked, today=today)
        if advice is None:
            raise RegistryError(
                "no_dose_rules",
                _("{protocol} has no rules of dose: nothing is advised.").format(
                    protocol=locked.course.protocol
                ),
            )
        activity_mbq = prescribed_activity_mbq or _activity(locked, decision, advice)
        if decision in {DoseAdvice.HOLD, DoseAdvice.DISCONTINUE}:
            activity_mbq = None
        elif activity_mbq is None:
            raise ValidationError(
                {
                    "prescribed_activity_mbq": ValidationError(
                        _("The protocol has no reduced activity: name the activity."), code="required"
                    )
                }
            )
        if (
            advice.activity_mbq not in (None, activity_mbq)
            and activity_mbq is not None
            and not reason.strip()
        ):
            message = _(
                "The advice is {advised} MBq, and {prescribed} MBq is to be prescribed: say why."
            ).format(advised=written(f"{advice.activity_mbq:f}"), prescribed=written(f"{activity_mbq:f}"))
            raise ValidationError({"reason": ValidationError(message, code="required")})
        record = DoseDecision(
            cycle=locked,
            decided_at=timezone.now(),
            decided_by=by,
            advice=advice.code,
            advice_facts=[fact[:500] for fact in advice.facts],
            advice_source=advice.source[:500],
            decision=decision,
            prescribed_activity_mbq=activity_mbq,
            reason=reason.strip(),
        )
        create_record(record, by=by)
        _follow(locked, record, advice, by=by, today=today)
    return record


def void_decision(
    decision: DoseDecision, *, by: User | None, reason: str, expected_version: int | None = None
) -> DoseDecision:
    """Take back a decision and what it did: its activity, to that of the decision before it or none, and its open hold.

    Raises: as ``accounts.records.void_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, decision.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        void_record(decision, by=by, reason=reason, expected_version=expected_version)
        cycle = lock_current(decision.cycle, expected_version=None)
        if cycle.status in OPEN and cycle.prescribed_activity_mbq == decision.prescribed_activity_mbq:
            left = cycle.decisions.current().filter(prescribed_activity_mbq__isnull=False)
            before = left.order_by("-decided_at").first()
            _prescribe(cycle, before.prescribed_activity_mbq if before is not None else None)
        if decision.decision == DoseAdvice.HOLD:
            zone = cycle.course.patient.centre.zone
            decided_on = decision.decided_at.astimezone(zone).date()
            for hold in cycle.holds.current().filter(held_on=decided_on, resumed_on__isnull=True):
                void_hold(hold, by=by, reason=reason)
    return decision


def _prescribe(cycle: Cycle, activity_mbq: Decimal | None) -> None:
    """Store what is prescribed for a locked cycle; the protocol's own activity is not said twice."""
    own = None if activity_mbq == cycle.course.protocol.prescribed_activity_mbq else activity_mbq
    if cycle.prescribed_activity_mbq != own:
        cycle.prescribed_activity_mbq = own
        cycle.full_clean()
        cycle.save(update_fields=["prescribed_activity_mbq"])


def _activity(cycle: Cycle, decision: str, advice: Advice) -> Decimal | None:
    """Return the activity that a decision stands for, MBq: of an accepted advice what was advised.

    To continue against the advice is to go on as the cycle, or the last one, was prescribed.
    """
    protocol = cycle.course.protocol
    if decision == advice.code and advice.activity_mbq is not None:
        return advice.activity_mbq
    if decision == DoseAdvice.REDUCE:
        return protocol.reduced_activity_mbq
    if decision == DoseAdvice.CONTINUE and cycle.prescribed_activity_mbq is not None:
        return cycle.prescribed_activity_mbq
    if decision == DoseAdvice.CONTINUE and (given := given_cycles(cycle.course)):
        return max(given, key=lambda one: one.number).prescribed_mbq
    return protocol.prescribed_activity_mbq


def _follow(cycle: Cycle, record: DoseDecision, advice: Advice, *, by: User | None, today: Any) -> None:
    if record.prescribed_activity_mbq is not None:
        _prescribe(cycle, record.prescribed_activity_mbq)
    if record.decision == DoseAdvice.HOLD and cycle.status != CycleStatus.HELD:
        ended = cycle.holds.current().filter(held_on=today).first()
        if ended is not None:  # held and resumed today already: the same hold goes on
            ended.resumed_on = None
            ended.save(update_fields=["resumed_on"])
            cycle.status = CycleStatus.HELD
            cycle.save(update_fields=["status"])
            replan(cycle.course)
            return
        reasons = [_HOLD_REASONS[criterion] for criterion in advice.criteria]
        hold_cycle(
            cycle=cycle,
            held_on=today,
            reason=reasons[0] if reasons else HoldReason.UNKNOWN,
            note=(record.reason or advice.until)[:500],
            by=by,
        )
