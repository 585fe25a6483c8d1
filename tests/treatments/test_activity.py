"""Activity decayed to the injection. Decimals below were computed with ``bc -l``; the calls stand in the docstrings."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest

from treatments.rules.activity import (
    GA68_HALF_LIFE_DAYS,
    LU177_HALF_LIFE_DAYS,
    decayed_mbq,
    deviation_percent,
    is_past_permitted,
    net_activity,
    to_mbq,
)

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2026, 3, 10, 9, 0, tzinfo=BERLIN)
HOUR = timedelta(hours=1)
QUARTER_DAY = Decimal("0.25")


def net(**other):
    """Return the net activity of 7,400 MBq measured and injected at nine, changed by ``other``."""
    plain = {
        "syringe_activity_mbq": Decimal(7400),
        "syringe_measured_at": NINE,
        "injected_at": NINE,
        "half_life_days": LU177_HALF_LIFE_DAYS,
    }
    return net_activity(**(plain | other))


# Units


@pytest.mark.parametrize(
    ("value", "unit", "mbq"), [("7400", "MBq", "7400"), ("7.4", "GBq", "7400"), ("200", "mCi", "7400")]
)
def test_an_activity_is_brought_to_mbq(value, unit, mbq):
    assert to_mbq(Decimal(value), unit) == Decimal(mbq)


@pytest.mark.parametrize("unit", ["mBq", "Bq", "Ci", ""])
def test_another_unit_is_refused_with_the_accepted_ones(unit):
    with pytest.raises(ValueError, match="MBq, GBq, mCi"):
        to_mbq(Decimal(1), unit)


# Decay


@pytest.mark.parametrize(
    ("half_life", "half_life_days"),
    [(timedelta(seconds=574_300.8), LU177_HALF_LIFE_DAYS), (timedelta(seconds=4062.6), GA68_HALF_LIFE_DAYS)],
    ids=["177Lu, 6.647 d", "68Ga, 67.71 min"],
)
def test_after_a_half_life_half_is_left_and_before_it_there_was_twice_as_much(half_life, half_life_days):
    later = decayed_mbq(Decimal(7400), measured_at=NINE, at=NINE + half_life, half_life_days=half_life_days)
    earlier = decayed_mbq(Decimal(7400), measured_at=NINE, at=NINE - half_life, half_life_days=half_life_days)

    assert later.quantize(Decimal("1e-20")) == 3700
    assert earlier.quantize(Decimal("1e-20")) == 14800


def test_the_half_of_177lu_is_exact():
    at = NINE + timedelta(seconds=574_300.8)

    assert decayed_mbq(Decimal(7400), measured_at=NINE, at=at, half_life_days=LU177_HALF_LIFE_DAYS) == 3700


@pytest.mark.parametrize(
    ("activity", "hours", "half_life_days", "expected"),
    [
        ("7400", "24", LU177_HALF_LIFE_DAYS, "6667.20210896"),  # 7400*e(-l(2)*1/6.647)
        ("7400", "0.5", LU177_HALF_LIFE_DAYS, "7383.94099627"),  # 7400*e(-l(2)*(0.5/24)/6.647)
        ("50", "-2", LU177_HALF_LIFE_DAYS, "50.43639213"),  # 50*e(l(2)*(2/24)/6.647)
        ("200", "0.5", GA68_HALF_LIFE_DAYS, "147.11394259"),  # 200*e(-l(2)*30/67.71)
        ("200", "1", GA68_HALF_LIFE_DAYS, "108.21256052"),  # 200*e(-l(2)*60/67.71)
    ],
)
def test_decay_as_computed_by_another_program(activity, hours, half_life_days, expected):
    at = NINE + timedelta(hours=float(hours))

    decayed = decayed_mbq(Decimal(activity), measured_at=NINE, at=at, half_life_days=half_life_days)

    assert decayed.quantize(Decimal("1e-8")) == Decimal(expected)


def test_the_hour_lost_to_summer_time_does_not_decay():
    """Local clocks say seven hours; six passed, which is one half-life of a quarter of a day."""
    evening = datetime(2019, 3, 30, 23, 0, tzinfo=BERLIN)
    morning = datetime(2019, 3, 31, 6, 0, tzinfo=BERLIN)

    assert decayed_mbq(Decimal(100), measured_at=evening, at=morning, half_life_days=QUARTER_DAY) == 50


def test_the_hour_gained_from_summer_time_does():
    """02:30 comes twice on 2019-10-27; from the first to the second an hour passes."""
    first = datetime(2019, 10, 27, 2, 30, tzinfo=BERLIN, fold=0)
    second = datetime(2019, 10, 27, 2, 30, tzinfo=BERLIN, fold=1)

    hour_days = GA68_HALF_LIFE_DAYS
    assert decayed_mbq(Decimal(200), measured_at=first, at=second, half_life_days=hour_days).quantize(
        Decimal("1e-8")
    ) == Decimal("108.21256052")


def test_time_zones_can_be_mixed():
    """09:00 in Berlin is 08:00 UTC and 03:00 at -05:00 in winter."""
    tokyo = datetime(2026, 3, 10, 23, 0, tzinfo=timezone(timedelta(hours=9)))  # 14:00 UTC
    new_york = datetime(2026, 3, 10, 3, 0, tzinfo=timezone(timedelta(hours=-5)))

    assert decayed_mbq(Decimal(100), measured_at=NINE, at=tokyo, half_life_days=QUARTER_DAY) == 50
    assert decayed_mbq(Decimal(100), measured_at=NINE, at=new_york, half_life_days=QUARTER_DAY) == 100


def test_the_precision_of_the_caller_does_not_matter():
    at = NINE + timedelta(days=1)
    with localcontext(prec=5):
        decayed = decayed_mbq(Decimal(7400), measured_at=NINE, at=at, half_life_days=LU177_HALF_LIFE_DAYS)

        is_past = is_past_permitted(
            given_mbq=Decimal("8880.00001"), prescribed_mbq=Decimal("7400.000001"), percent=Decimal(20)
        )

    assert decayed.quantize(Decimal("1e-8")) == Decimal("6667.20210896")
    assert is_past


@pytest.mark.parametrize("naive", ["measured_at", "at"])
def test_a_time_without_its_zone_is_refused(naive):
    times = {"measured_at": NINE, "at": NINE} | {naive: NINE.replace(tzinfo=None)}

    with pytest.raises(ValueError, match="needs its time zone"):
        decayed_mbq(Decimal(1), **times, half_life_days=QUARTER_DAY)


@pytest.mark.parametrize("half_life_days", ["0", "-1", "NaN"])
def test_a_half_life_not_above_zero_is_refused(half_life_days):
    with pytest.raises(ValueError, match="half-life"):
        decayed_mbq(Decimal(1), measured_at=NINE, at=NINE, half_life_days=Decimal(half_life_days))


# Net activity


def test_the_net_activity_is_syringe_less_residual_both_when_the_injection_began():
    """7400 half an hour before: 7383.9409962692; 50 two hours after: 50.4363921314; less: 7333.5046."""
    given = net(
        syringe_measured_at=NINE - HOUR / 2,
        residual_activity_mbq=Decimal(50),
        residual_measured_at=NINE + 2 * HOUR,
    )

    assert given.net_mbq == Decimal("7333.5")
    assert given.syringe_at_injection_mbq.quantize(Decimal("1e-10")) == Decimal("7383.9409962692")
    assert given.residual_at_injection_mbq.quantize(Decimal("1e-10")) == Decimal("50.4363921314")
    assert given.remark == ""


@pytest.mark.parametrize(
    ("residual", "recorded"), [("0.05", "7400.0"), ("0.051", "7399.9"), ("0.15", "7399.9"), ("0", "7400.0")]
)
def test_the_net_activity_is_rounded_half_up_to_a_tenth(residual, recorded):
    given = net(residual_activity_mbq=Decimal(residual), residual_measured_at=NINE)

    assert str(given.net_mbq) == recorded
    assert given.residual_at_injection_mbq == Decimal(residual)


def test_without_a_residual_the_net_activity_is_that_of_the_syringe_and_says_so():
    given = net(syringe_measured_at=NINE - HOUR / 2)

    assert given.net_mbq == Decimal("7383.9")
    assert given.residual_at_injection_mbq is None
    assert given.remark == "No residual was measured: the net activity is that of the syringe."


def test_times_of_different_zones_are_put_in_order_by_what_they_mean():
    given = net(syringe_measured_at=datetime(2026, 3, 10, 8, 0, tzinfo=UTC))

    assert given.net_mbq == 7400


def test_a_syringe_measured_after_the_injection_is_refused():
    with pytest.raises(ValueError) as refused:
        net(syringe_measured_at=NINE + timedelta(minutes=1))

    assert str(refused.value) == (
        "The syringe was measured at 2026-03-10 09:01+01:00, after the injection began at 2026-03-10 09:00+01:00."
    )


def test_a_residual_measured_before_the_injection_is_refused():
    with pytest.raises(ValueError) as refused:
        net(residual_activity_mbq=Decimal(50), residual_measured_at=NINE - timedelta(seconds=1))

    assert str(refused.value) == (
        "The residual was measured at 2026-03-10 08:59:59+01:00, before the injection began at 2026-03-10 09:00+01:00."
    )


def test_a_residual_without_its_time_is_refused_and_a_time_without_its_residual():
    with pytest.raises(ValueError, match="residual of 50 MBq needs the time"):
        net(residual_activity_mbq=Decimal(50))
    with pytest.raises(ValueError, match="its activity is missing"):
        net(residual_measured_at=NINE)


@pytest.mark.parametrize("syringe", ["0", "-1", "NaN", "Infinity"])
def test_a_syringe_that_holds_nothing_is_refused(syringe):
    with pytest.raises(ValueError, match=f"not {syringe} MBq"):
        net(syringe_activity_mbq=Decimal(syringe))


def test_a_negative_residual_is_refused():
    with pytest.raises(ValueError, match=r"-0\.1 MBq"):
        net(residual_activity_mbq=Decimal("-0.1"), residual_measured_at=NINE)


@pytest.mark.parametrize("residual", ["7400", "7400.1"])
def test_a_residual_of_all_or_more_of_the_syringe_is_refused(residual):
    with pytest.raises(ValueError, match=rf"residual \({residual}.* less than .* syringe \(7400\.0 MBq"):
        net(residual_activity_mbq=Decimal(residual), residual_measured_at=NINE)


def test_the_residual_is_compared_when_the_injection_began_not_as_measured():
    """7300 MBq a day later were 7300 * 7400 / 6667.2021089595 = 8102.349 MBq."""
    with pytest.raises(ValueError, match=r"8102\.3 MBq"):
        net(residual_activity_mbq=Decimal(7300), residual_measured_at=NINE + timedelta(days=1))


def test_a_residual_with_a_wrong_year_is_refused_whatever_it_comes_to():
    with pytest.raises(ValueError, match="must be less"):
        net(
            residual_activity_mbq=Decimal(1),
            residual_measured_at=NINE.replace(year=9000),
            half_life_days=GA68_HALF_LIFE_DAYS,
        )


@pytest.mark.parametrize(("residual", "is_refused"), [("7399.95", False), ("7399.951", True)])
def test_a_net_activity_that_would_be_recorded_as_nothing_is_refused(residual, is_refused):
    given = {"residual_activity_mbq": Decimal(residual), "residual_measured_at": NINE}
    if is_refused:
        with pytest.raises(ValueError, match=r"below 0\.05 MBq"):
            net(**given)
    else:
        assert net(**given).net_mbq == Decimal("0.1")


# Deviation from the prescription


@pytest.mark.parametrize(
    ("given", "percent"), [("7400", "0"), ("8880", "20"), ("5920", "-20"), ("7407.4", "0.1")]
)
def test_the_deviation_is_in_percent_of_the_prescribed_activity(given, percent):
    assert deviation_percent(given_mbq=Decimal(given), prescribed_mbq=Decimal(7400)) == Decimal(percent)


def test_the_deviation_is_not_rounded():
    """1 / 3 of 300 is 1/3 %."""
    deviation = deviation_percent(given_mbq=Decimal(301), prescribed_mbq=Decimal(300))

    assert deviation == Decimal("0." + 34 * "3")


@pytest.mark.parametrize(
    ("given", "is_past"),
    [
        ("5919.9", True),
        ("5920", False),
        ("7400", False),
        ("8880", False),
        ("8880.0000000000000001", True),
        ("8880.1", True),
    ],
)
def test_more_than_twenty_percent_to_either_side_is_past_what_is_permitted(given, is_past):
    assert is_past_permitted(given_mbq=Decimal(given), prescribed_mbq=Decimal(7400)) is is_past


@pytest.mark.parametrize(("given", "is_past"), [("8140", False), ("8140.1", True), ("6659.9", True)])
def test_a_site_may_permit_less(given, is_past):
    assert (
        is_past_permitted(given_mbq=Decimal(given), prescribed_mbq=Decimal(7400), percent=Decimal(10))
        is is_past
    )


@pytest.mark.parametrize("ask", [deviation_percent, is_past_permitted])
def test_without_a_prescription_there_is_no_deviation(ask):
    with pytest.raises(ValueError, match="above 0 MBq"):
        ask(given_mbq=Decimal(7400), prescribed_mbq=Decimal(0))
