"""The activity a patient was given: what the syringe held when the injection began, less what stayed behind.

Sources: A = A0 · 2^(-t / T½) with T½ = 6.647 d for 177Lu (product label of 177Lu-DOTATATE) and 67.71 min for 68Ga;
10 CFR 35.63 for the permitted deviation of ± 20 %. In words: docs/rules/activity.md.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal

from languages.wording import day, gettext_noop
from languages.wording import gettext as _
from treatments.rules.words import written

LU177_HALF_LIFE_DAYS = Decimal("6.647")
GA68_HALF_LIFE_MINUTES = Decimal("67.71")
GA68_HALF_LIFE_DAYS = GA68_HALF_LIFE_MINUTES / 1440

MBQ_PER_UNIT = {"MBq": Decimal(1), "GBq": Decimal(1000), "mCi": Decimal(37)}

PERMITTED_DEVIATION_PERCENT = Decimal(20)  # of the prescribed activity, to either side

NO_RESIDUAL = gettext_noop("No residual was measured: the net activity is that of the syringe.")

_RECORDED_MBQ = Decimal("0.1")
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_DAY = 86_400_000_000
# A context of our own: the result must not depend on the caller's, which the operators and abs() would use.
_EXACT = Context(prec=34, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True)
class NetActivity:
    """Activity given at the start of the injection.

    Args:
        net_mbq: syringe less residual, rounded half up to 0.1 MBq.
        syringe_at_injection_mbq: not rounded.
        residual_at_injection_mbq: not rounded; None when no residual was measured.
        remark: a sentence for whoever reads the number, or "".
    """

    net_mbq: Decimal
    syringe_at_injection_mbq: Decimal
    residual_at_injection_mbq: Decimal | None
    remark: str


def to_mbq(value: Decimal, unit: str) -> Decimal:
    """Return an activity in MBq.

    Args:
        unit: one of ``MBQ_PER_UNIT``, spelled as there: "mBq" is not "MBq".

    Raises:
        ValueError: another unit.
    """
    if unit not in MBQ_PER_UNIT:
        message = _("An activity is given in {units}, not in {unit}.")
        raise ValueError(message.format(units=", ".join(MBQ_PER_UNIT), unit=repr(unit)))
    return _EXACT.multiply(value, MBQ_PER_UNIT[unit])


def decayed_mbq(
    activity_mbq: Decimal, *, measured_at: datetime, at: datetime, half_life_days: Decimal
) -> Decimal:
    """Return the activity at another time, to 34 digits; before its measurement it was higher.

    Real time counts: over the change to summer time a local night is an hour shorter.

    Raises:
        ValueError: a time without its time zone, a negative activity, a half-life not above 0.
    """
    if not activity_mbq.is_finite() or activity_mbq < 0:
        message = _("An activity cannot be {activity} MBq.")
        raise ValueError(message.format(activity=written(str(activity_mbq))))
    if not half_life_days.is_finite() or half_life_days <= 0:
        message = _("A half-life must be above 0 d, not {half_life} d.")
        raise ValueError(message.format(half_life=written(str(half_life_days))))
    elapsed_us = (_in_utc(at) - _in_utc(measured_at)) // _MICROSECOND
    half_life_us = _EXACT.multiply(half_life_days, Decimal(_MICROSECONDS_PER_DAY))
    half_lives = _EXACT.divide(Decimal(elapsed_us), half_life_us)
    return _EXACT.multiply(activity_mbq, _EXACT.power(Decimal(2), half_lives.copy_negate()))


def net_activity(
    *,
    syringe_activity_mbq: Decimal,
    syringe_measured_at: datetime,
    residual_activity_mbq: Decimal | None = None,
    residual_measured_at: datetime | None = None,
    injected_at: datetime,
    half_life_days: Decimal,
) -> NetActivity:
    """Return what was given when the injection began, both measurements brought to that moment.

    Args:
        residual_activity_mbq: what stayed in syringe, vial and lines; None when it was not measured.
        injected_at: start of the injection.

    Raises:
        ValueError: a value or an order of times that cannot be; the message is for whoever typed it.
    """
    if not syringe_activity_mbq.is_finite() or syringe_activity_mbq <= 0:
        message = _("The syringe must hold more than 0 MBq, not {activity} MBq.")
        raise ValueError(message.format(activity=written(str(syringe_activity_mbq))))
    if residual_activity_mbq is not None and residual_measured_at is None:
        message = _("The residual of {activity} MBq needs the time at which it was measured.")
        raise ValueError(message.format(activity=written(str(residual_activity_mbq))))
    if residual_activity_mbq is None and residual_measured_at is not None:
        message = _("A residual was measured at {time}, but its activity is missing.")
        raise ValueError(message.format(time=_clock(residual_measured_at)))
    if _in_utc(syringe_measured_at) > _in_utc(injected_at):
        message = _("The syringe was measured at {time}, after the injection began at {began}.")
        raise ValueError(message.format(time=_clock(syringe_measured_at), began=_clock(injected_at)))
    syringe_mbq = decayed_mbq(
        syringe_activity_mbq, measured_at=syringe_measured_at, at=injected_at, half_life_days=half_life_days
    )
    if residual_activity_mbq is None or residual_measured_at is None:
        return NetActivity(_recorded(syringe_mbq), syringe_mbq, None, _(NO_RESIDUAL))

    if not residual_activity_mbq.is_finite() or residual_activity_mbq < 0:
        message = _("A residual cannot be {activity} MBq.")
        raise ValueError(message.format(activity=written(str(residual_activity_mbq))))
    if _in_utc(residual_measured_at) < _in_utc(injected_at):
        message = _("The residual was measured at {time}, before the injection began at {began}.")
        raise ValueError(message.format(time=_clock(residual_measured_at), began=_clock(injected_at)))
    residual_mbq = decayed_mbq(
        residual_activity_mbq, measured_at=residual_measured_at, at=injected_at, half_life_days=half_life_days
    )
    if residual_mbq >= syringe_mbq:
        message = _(
            "The residual ({residual} MBq when the injection began) must be less than the activity of the syringe"
            " ({syringe} MBq then)."
        )
        raise ValueError(message.format(residual=_said(residual_mbq), syringe=_said(syringe_mbq)))
    return NetActivity(_recorded(_EXACT.subtract(syringe_mbq, residual_mbq)), syringe_mbq, residual_mbq, "")


def deviation_percent(*, given_mbq: Decimal, prescribed_mbq: Decimal) -> Decimal:
    """Return how far the given activity is from the prescribed one, in % of the latter, negative below it.

    For display: a quotient has no last digit (34 are kept). ``is_past_permitted`` compares without it.

    Raises:
        ValueError: the prescribed activity is not above 0 MBq.
    """
    _refuse_no_prescription(prescribed_mbq)
    percent_mbq = _EXACT.multiply(Decimal(100), _EXACT.subtract(given_mbq, prescribed_mbq))
    return _EXACT.divide(percent_mbq, prescribed_mbq)


def is_past_permitted(
    *, given_mbq: Decimal, prescribed_mbq: Decimal, percent: Decimal = PERMITTED_DEVIATION_PERCENT
) -> bool:
    """Return whether the given activity differs by more than ``percent`` % to either side; exactly that is permitted.

    Raises:
        ValueError: the prescribed activity is not above 0 MBq.
    """
    _refuse_no_prescription(prescribed_mbq)
    difference_mbq = _EXACT.subtract(given_mbq, prescribed_mbq).copy_abs()
    return _EXACT.multiply(Decimal(100), difference_mbq) > _EXACT.multiply(percent, prescribed_mbq)


def _refuse_no_prescription(prescribed_mbq: Decimal) -> None:
    if not prescribed_mbq.is_finite() or prescribed_mbq <= 0:
        message = _("The prescribed activity must be above 0 MBq, not {activity} MBq.")
        raise ValueError(message.format(activity=written(str(prescribed_mbq))))


def _in_utc(at: datetime) -> datetime:
    # Two local times of one zone subtract as the clock on the wall shows them, an hour off over a clock change.
    if at.utcoffset() is None:
        raise ValueError(_("The time {time} needs its time zone.").format(time=at))
    return at.astimezone(UTC)


def _recorded(activity_mbq: Decimal) -> Decimal:
    """Return the activity as it is recorded.

    Raises:
        ValueError: nothing is left of it, so nothing was given.
    """
    recorded_mbq = activity_mbq.quantize(_RECORDED_MBQ, rounding=ROUND_HALF_UP, context=_EXACT)
    if recorded_mbq == 0:
        raise ValueError(_("The net activity is below 0.05 MBq: check the activities and their times."))
    return recorded_mbq


def _said(activity_mbq: Decimal) -> str:
    """Return the activity for a message, to 4 digits: a wrong date can make it any size."""
    return written(f"{activity_mbq:.4g}" if activity_mbq >= 10_000 else f"{activity_mbq:.1f}")


def _clock(at: datetime) -> str:
    iso = at.isoformat(sep=" ", timespec="seconds" if at.second or at.microsecond else "minutes")
    return f"{day(at.date())}{iso[10:]}"
