"""Single cells of a clinic's own sheet: whatever is taken can be read in one way alone."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.cells import (
    DateStyle,
    DecimalSign,
    Reading,
    Unclear,
    cell_text,
    read_date,
    read_number,
    split_unit,
)
from exchange.columns import SHEET
from exchange.headers import suggest
from exchange.sheets import delimiter_of

ACTIVITY = SHEET["cycles"].column("administered_activity_mbq")


def number(text: str, sign: DecimalSign = DecimalSign.UNSTATED) -> Decimal | None:
    try:
        return read_number(text, sign)
    except Unclear:
        return None


def day(text: str, style: DateStyle = DateStyle.UNSTATED) -> date | None:
    try:
        return read_date(text, style)
    except Unclear:
        return None


@given(st.text("0123456789.,' -", max_size=12))
def test_a_number_that_is_taken_unstated_is_no_other_one_by_either_statement(text: str):
    found = number(text)

    by_statement = {number(text, DecimalSign.COMMA), number(text, DecimalSign.POINT)} - {None}
    if found is not None:
        assert by_statement == {found}
    if len(by_statement) == 2:
        assert found is None


@given(st.text("0123456789./-", min_size=6, max_size=10))
def test_a_date_that_is_taken_unstated_is_no_other_one_by_either_statement(text: str):
    found = day(text)

    by_statement = {day(text, DateStyle.DMY), day(text, DateStyle.MDY)} - {None}
    if found is not None:
        assert by_statement == {found}
    if len(by_statement) == 2:
        assert found is None


@given(st.dates(date(1890, 1, 1), date(2149, 12, 31)))
def test_every_day_is_read_as_it_was_written(on: date):
    assert day(f"{on.day}.{on.month}.{on.year}", DateStyle.DMY) == on
    assert day(f"{on.month}/{on.day}/{on.year}", DateStyle.MDY) == on
    assert day(on.isoformat()) == day(on.isoformat(), DateStyle.ISO) == on
    unstated = day(f"{on.day:02}/{on.month:02}/{on.year}")
    assert unstated == (on if on.day > 12 or on.day == on.month else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7,4", "7.4"), ("7.4", "7.4"), ("7,40", "7.40"), ("0,400", "0.400"), ("7400", "7400"), ("7 400", "7400"),
        ("7'400", "7400"), ("1.234,5", "1234.5"), ("1,234.5", "1234.5"), ("1.234.567", "1234567"), ("7,4000", "7.4000"),
        ("7,400", None), ("7.400", None), ("12.345", None), ("1,23,4", None), ("7 40", None), ("1.2.3", None), ("", None),
    ],
)  # fmt: skip
def test_numbers_on_both_sides_of_what_is_ambiguous(text: str, expected: str | None):
    assert number(text) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "sign", "expected"),
    [
        ("7,400", DecimalSign.COMMA, "7.4"), ("7,400", DecimalSign.POINT, "7400"), ("7.400", DecimalSign.POINT, "7.4"),
        ("7.400", DecimalSign.COMMA, "7400"), ("7.4", DecimalSign.COMMA, None), ("7,4", DecimalSign.POINT, None),
    ],
)  # fmt: skip
def test_a_stated_sign_decides(text: str, sign: DecimalSign, expected: str | None):
    assert number(text, sign) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("cell", "unit", "expected"),
    [
        ("7,4 GBq", "", "7400"), ("7,4GBq", "MBq", "7400"), ("200 mCi", "", "7400"), ("7400000 kBq", "", "7400"),
        (7.4, "GBq", "7400"), (7391.5, "MBq", "7391.5"), ("7,3915 GBq", "", "7391.5"), ("7 400 MBq", "", "7400"),
    ],
)  # fmt: skip
def test_activities_are_converted_exactly(cell: object, unit: str, expected: str):
    assert cell_text(cell, ACTIVITY, Reading(), unit=unit) == expected


@pytest.mark.parametrize("text", ["<5", "ca. 7", "7-8", "MBq 7", "seven", "5 ± 1 GBq"])
def test_what_is_no_single_number_is_not_taken(text: str):
    with pytest.raises(Unclear):
        cell_text(text, ACTIVITY, Reading(), unit="GBq")


def test_a_number_is_split_from_what_stands_behind_it():
    assert split_unit(" 7,4 GBq ") == ("7,4", "GBq")
    assert split_unit("12.4 g/dl") == ("12.4", "g/dl")


@pytest.mark.parametrize(
    ("name", "target", "of", "unit"),
    [
        ("Pat-ID", "patients.mrn", "", ""), ("Geb.-Datum", "patients.birth_date", "", ""),
        ("Date of birth", "patients.birth_date", "", ""), ("Geschlecht (m/w)", "patients.sex", "", ""),
        ("Aktivität [MBq]", "cycles.administered_activity_mbq", "", "MBq"),
        ("2. Zyklus Aktivität (GBq)", "cycles.administered_activity_mbq", "2", "GBq"),
        ("Cycle 3 date", "cycles.administered_at", "3", ""), ("Thrombozyten (G/l)", "lab_results.value", "platelets", "G/L"),
        ("administered_activity_mbq", "cycles.administered_activity_mbq", "", "MBq"),
        ("Todesdatum", "deaths.died_on", "", ""), ("Zyklus 13 Datum", "", "", ""), ("Name", "", "", ""),
        ("Telefon", "", "", ""),
    ],
)  # fmt: skip
def test_headers_are_understood_in_english_and_german(name: str, target: str, of: str, unit: str):
    found = suggest(name)

    assert (found.target, found.of, found.unit) == (target, of, unit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b;c\n1,5;2;3\n", ";"),
        ("a,b\n1,2\n", ","),
        ("a\tb\n1,5\t2\n", "\t"),
        ("Liste, neu\n\na;b;c\n1;2;3\n4;5;6\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_gives_the_same_columns_in_most_lines(text: str, expected: str):
    assert delimiter_of(text) == expected
