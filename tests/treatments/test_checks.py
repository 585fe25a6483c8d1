"""What is warned of before an administration: each bound on both sides, from the label and the protocol."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from treatments.rules.checks import (
    AnalogueFact,
    activity_warnings,
    analogue_warnings,
    dose_warnings,
    lab_warnings,
    lacking_labs,
    window_warnings,
)

NBSP = "\N{NO-BREAK SPACE}"
NINE = datetime(2019, 5, 2, 7, tzinfo=UTC)  # 09:00 in Berlin
DAY = date(2019, 5, 2)


def said(warnings) -> list[tuple[str, str]]:
    return [(warned.code, warned.message.replace(NBSP, " ")) for warned in warnings]


def analogue(given_at: datetime, *, long_acting: bool, time_known: bool = True) -> AnalogueFact:
    return AnalogueFact(
        "Octreotide", long_acting, given_at, (given_at + timedelta(hours=2)).date(), time_known
    )


@pytest.mark.parametrize(("days", "warned"), [(0, True), (1, True), (27, True), (28, False), (60, False)])
def test_a_long_acting_analogue_is_warned_of_within_28_days(days, warned):
    dose = analogue(NINE - timedelta(days=days, minutes=1), long_acting=True)

    assert bool(analogue_warnings(doses=[dose], administered_at=NINE, on=DAY)) == warned


@pytest.mark.parametrize(
    ("before", "warned"),
    [
        (timedelta(0), True),
        (timedelta(hours=23, minutes=59), True),
        (timedelta(hours=24), False),
        (timedelta(hours=-1), False),
    ],
)
def test_a_short_acting_analogue_is_warned_of_within_24_hours(before, warned):
    dose = analogue(NINE - before, long_acting=False)

    assert bool(analogue_warnings(doses=[dose], administered_at=NINE, on=DAY)) == warned


@pytest.mark.parametrize(("days", "warned"), [(0, True), (1, True), (2, False)])
def test_a_short_acting_analogue_of_unknown_hour_counts_on_the_day_and_the_day_before(days, warned):
    dose = AnalogueFact(
        "Octreotide", False, NINE - timedelta(days=days), DAY - timedelta(days=days), is_time_known=False
    )

    assert bool(analogue_warnings(doses=[dose], administered_at=NINE, on=DAY)) == warned


def test_an_analogue_given_after_the_infusion_is_no_matter():
    dose = analogue(NINE + timedelta(hours=6), long_acting=True)

    assert analogue_warnings(doses=[dose], administered_at=NINE, on=DAY) == []


@pytest.mark.parametrize(("taken_on", "codes"), [(date(2019, 4, 18), []), (date(2019, 4, 17), ["labs_old"])])
def test_laboratory_values_may_be_as_old_as_the_protocol_says(taken_on, codes):
    found = lab_warnings(
        required=["platelets"],
        latest_on={"platelets": taken_on},
        within_days=14,
        on=DAY,
        words={"platelets": "platelets"},
    )

    assert [warned.code for warned in found] == codes


def test_missing_and_old_laboratory_values_are_told_apart_by_name():
    facts = {
        "required": ["platelets", "alt", "albumin"],
        "latest_on": {"platelets": date(2019, 5, 1), "albumin": date(2019, 3, 1)},
        "within_days": 14,
        "on": DAY,
        "words": {"alt": "ALT", "albumin": "albumin"},
    }

    assert said(lab_warnings(**facts)) == [
        ("labs_missing", "Not measured before this cycle: ALT."),
        ("labs_old", "Older than 2 weeks on the day of the cycle: albumin (2019-03-01)."),
    ]
    assert lacking_labs(**facts) == ["ALT", "albumin (of 2019-03-01)"]


@pytest.mark.parametrize(("this_mbq", "warned"), [("7400", False), ("7400.1", True)])
def test_activity_above_that_of_the_whole_course_is_warned_of(this_mbq, warned):
    found = activity_warnings(
        before_mbq=Decimal(22200),
        this_mbq=Decimal(this_mbq),
        limit_mbq=Decimal(29600),
        lot="",
        lots={"": 1},
    )

    assert bool(found) == warned


def test_a_lot_that_the_patient_was_given_before_is_warned_of():
    facts = {"before_mbq": Decimal(0), "this_mbq": Decimal(1), "limit_mbq": Decimal(2)}

    assert said(activity_warnings(**facts, lot="L7", lots={"l7": 2})) == [
        ("same_lot", "Lot L7 was given to this patient before, in cycle 2: is it another vial?")
    ]
    assert activity_warnings(**facts, lot="L8", lots={"l7": 2}) == []


@pytest.mark.parametrize(("sum_gy", "warned"), [("22.99", False), ("23", True), ("23.01", True)])
def test_an_organ_that_has_reached_its_limit_is_warned_of(sum_gy, warned):
    found = dose_warnings(
        sums_gy={"Kidneys": Decimal(sum_gy)}, limits_gy={"Kidneys": Decimal(23)}, source="a source"
    )

    assert bool(found) == warned


def test_an_organ_without_a_limit_or_a_dose_is_not_warned_of():
    assert dose_warnings(sums_gy={"Liver": Decimal(99)}, limits_gy={"Liver": None}, source="") == []
    assert dose_warnings(sums_gy={}, limits_gy={"Kidneys": Decimal(23)}, source="") == []


@pytest.mark.parametrize(
    ("on", "warned"),
    [
        (date(2019, 4, 24), True),
        (date(2019, 4, 25), False),
        (date(2019, 5, 9), False),
        (date(2019, 5, 10), True),
    ],
)
def test_a_cycle_outside_its_window_is_warned_of(on, warned):
    assert bool(window_warnings(on=on, planned_on=DAY, window_days=7)) == warned
    assert window_warnings(on=on, planned_on=None, window_days=7) == []
