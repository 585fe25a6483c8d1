"""Tables of laboratory values: every form, and what is said of what cannot be read."""

from datetime import datetime
from decimal import Decimal

import pytest

from treatments.rules.lab_tables import (
    MOST_BYTES,
    MOST_VALUES,
    TableError,
    decode,
    parse_sample_time,
    read_table,
)


def seen(text):
    return [
        (value.analyte.code, value.unit, str(value.taken), value.value, value.written)
        for value in read_table(text)
    ]


def problems(text):
    with pytest.raises(TableError) as refused:
        read_table(text)
    return refused.value.problems


PLATELETS_AND_HB = [
    ("platelets", "10⁹/L", "2019-01-04", Decimal(210), "210"),
    ("platelets", "10⁹/L", "2019-02-01", Decimal(92), "92"),
    ("haemoglobin", "g/dL", "2019-01-04", Decimal("12.4"), "12.4"),
    ("haemoglobin", "g/dL", "2019-02-01", Decimal("11.9"), "11.9"),
]


@pytest.mark.parametrize(
    "text",
    [
        "\t2019-01-04\t2019-02-01\nPLT\t210\t92\nHb (g/dL)\t12.4\t11.9\n",
        "Analyte;2019-01-04;2019-02-01\r\nThrombozyten;210;92\r\nHb [g/dL];12.4;11.9\r\n",
        ",2019-01-04,2019-02-01\nPlatelets,210,92\nHb in g/dL,12.4,11.9",
        "\ufeffName\tUnit\t2019-01-04\t2019-02-01\nPLT\t\t210\t92\nHb\tg/dL\t12.4\t11.9",
        "\n\n;2019-01-04;2019-02-01\n\nPLT;210;92\n;;\nHb (g/dL);12.4;11.9\n\n",
        '"","2019-01-04","2019-02-01"\n"PLT","210","92"\n"Hb (g/dL)","12.4","11.9"\n',
    ],
)
def test_a_wide_table_is_read_with_any_delimiter(text):
    assert seen(text) == PLATELETS_AND_HB


def test_a_turned_table_is_read_alike():
    text = "Date\tPLT\tHb (g/dL)\n2019-01-04\t210\t12.4\n2019-02-01\t92\t11.9\n"

    assert sorted(seen(text)) == sorted(PLATELETS_AND_HB)


def test_a_long_table_is_read_with_its_limits():
    text = (
        "analyte,value,unit,taken_at,lower_limit,upper_limit\n"
        'Hb,"12,4",g/dL,2019-01-04 07:15,12,16\n'
        "ALT,31,,2019-01-04,,35\n"
    )
    first, second = read_table(text)

    assert (first.analyte.code, first.unit, first.value) == ("haemoglobin", "g/dL", Decimal("12.4"))
    assert (first.lower_limit, first.upper_limit) == (Decimal(12), Decimal(16))
    assert first.taken.at == datetime(2019, 1, 4, 7, 15)  # noqa: DTZ001 - by the centre's clock
    assert first.taken.has_time
    assert (second.unit, second.lower_limit, second.upper_limit) == ("U/L", None, Decimal(35))
    assert not second.taken.has_time


def test_columns_of_a_long_table_may_stand_in_any_order_and_without_limits():
    assert seen("taken_at;value;Analyte\n2019-01-04;210;PLT\n") == [PLATELETS_AND_HB[0]]


def test_decimal_commas_are_read_and_what_has_two_readings_is_refused():
    assert seen(";2019-01-04\nHb (g/dL);12,4")[0][3] == Decimal("12.4")
    assert problems(";2019-01-04\nPLT;1,234") == [
        "Row 2, column 2 (Platelets, 2019-01-04): '1,234' can be read in two ways: write 1.234 or 1234."
    ]


def test_a_decimal_comma_between_commas_needs_quotes():
    assert seen(',2019-01-04\nHb (g/dL),"12,4"')[0][3] == Decimal("12.4")
    said = problems(",2019-01-04\nHb (g/dL),12,4")
    assert "Row 2 has more cells than the first row" in said[0]


def test_empty_cells_and_dashes_are_no_values():
    assert seen("\t2019-01-04\t2019-02-01\nPLT\t210\t92\nALT\t-\t–\nAST\t\t\nHb (g/dL)\t12.4\t11.9") == (
        PLATELETS_AND_HB
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "04/03/2019",
            "'04/03/2019' can be read in two ways: write 2019-03-04 or 2019-04-03 (year-month-day).",
        ),
        (
            "04.03.2019",
            "'04.03.2019' can be read in two ways: write 2019-03-04 or 2019-04-03 (year-month-day).",
        ),
        ("25/03/2019", "Write '25/03/2019' as 2019-03-25 (year-month-day)."),
        ("03/25/2019", "Write '03/25/2019' as 2019-03-25 (year-month-day)."),
        ("04.04.2019", "Write '04.04.2019' as 2019-04-04 (year-month-day)."),
        ("2019-02-30", "'2019-02-30' is no date of the calendar."),
        ("4/3/19", "'4/3/19' is no date: write YYYY-MM-DD or YYYY-MM-DD HH:MM."),
        ("2019-01-04 7 Uhr", "'2019-01-04 7 Uhr' is no date: write YYYY-MM-DD or YYYY-MM-DD HH:MM."),
    ],
)
def test_a_date_that_is_not_year_month_day_is_refused_in_words(written, said):
    assert problems(f"\t{written}\nPLT\t210") == [f"Row 1, column 2: {said}"]


@pytest.mark.parametrize(
    "written", ["2019-01-04 07:15", "2019-01-04T07:15", " 2019-01-04  07:15:00 ", "20190104 07:15"]
)
def test_a_time_may_follow_the_day(written):
    assert str(parse_sample_time(written)) == "2019-01-04 07:15"


@pytest.mark.parametrize("written", ["2019014", "201901041", "20190104.5", "20191301"])
def test_only_eight_digits_of_the_calendar_are_a_day_without_dashes(written):
    with pytest.raises(ValueError, match="is no date"):
        parse_sample_time(written)


def test_an_unknown_analyte_is_named_with_its_row_and_the_rest_is_looked_at_too():
    said = problems("\t2019-01-04\nPLT\t210\nCRP\t5\nHb (mg/dL)\t12\nALT\tn.d.")

    assert len(said) == 3
    assert said[0].startswith("Row 3, column 1: 'CRP' is not a laboratory value known here.")
    assert said[1].startswith("Row 4, column 1: Haemoglobin is given in g/L, g/dL, mmol/L, not in 'mg/dL'.")
    assert said[2].startswith("Row 5, column 2 (ALT, 2019-01-04): 'n.d.' is not a number")


def test_a_name_that_is_missing_is_said():
    assert problems("\t2019-01-04\nPLT\t210\n\t12") == [
        "Row 3, column 1: there is no name of a laboratory value."
    ]


def test_a_value_under_no_date_is_refused():
    said = problems("\t2019-01-04\t\t2019-02-01\nPLT\t210\t150\t92")
    assert said == ["Row 1, column 3: the date is missing: write YYYY-MM-DD or YYYY-MM-DD HH:MM."]


def test_columns_and_rows_that_are_there_twice_are_refused():
    assert problems("\t2019-01-04\t2019-01-04 00:00\nPLT\t210\t211") == [
        "Columns 2 and 3 are both 2019-01-04."
    ]
    assert problems("\t2019-01-04\nPLT\t210\nThrombocytes\t211") == ["Rows 2 and 3 are both Platelets."]
    assert problems("\tPLT\tPlatelets\n2019-01-04\t210\t211") == ["Columns 2 and 3 are both Platelets."]
    assert problems("\tPLT\n2019-01-04\t210\n2019-01-04\t211") == ["Rows 2 and 3 are both 2019-01-04."]
    assert problems("analyte,value,taken_at\nPLT,210,2019-01-04\nPLT,211,2019-01-04") == [
        "Row 3, column 2: Platelets of 2019-01-04 stands in row 2, column 2 already."
    ]


def test_two_units_of_one_row_must_agree():
    assert seen("\tunit\t2019-01-04\nHb (g/dL)\tg/dl\t12.4")[0][1] == "g/dL"
    assert problems("\tunit\t2019-01-04\nHb (g/L)\tg/dL\t12.4") == [
        "Row 2, column 1: Haemoglobin is given in g/L and in g/dL: keep one of the two units."
    ]


def test_a_long_table_says_which_columns_it_does_not_know_and_which_it_needs():
    assert problems("analyte,value,lab\nPLT,210,X") == [
        "Row 1, column 3: 'lab' is no column known here."
        " Known are analyte, value, unit, taken_at, lower_limit, upper_limit.",
        "Column taken_at is missing.",
    ]


def test_limits_that_are_no_numbers_are_refused():
    assert problems("analyte,value,taken_at,lower_limit\nPLT,210,2019-01-04,<150") == [
        "Row 2, column 4: '<150' is a limit of measurement; a number is needed."
    ]


@pytest.mark.parametrize("text", ["", "  \n\t\t\n", "\ufeff"])
def test_nothing_is_no_table(text):
    assert "nothing was pasted" in problems(text)[0]


def test_a_table_without_dates_or_without_values_says_so():
    assert "Neither the first row nor the first column holds dates" in problems("PLT\t210\nHb\t124")[0]
    assert problems("\t2019-01-04\nPLT\t") == ["The table holds no value."]


def test_a_quote_that_is_not_closed_is_said():
    assert "A quotation mark may not be closed" in problems('\t2019-01-04\n"PLT\t210\nHb\t124')[0]


def table_of(n):
    lines = [f"PLT,{100 + at % 100},20{at % 99 + 1:02d}-01-04 {at // 99:02d}:00" for at in range(n)]
    return "analyte,value,taken_at\n" + "\n".join(lines)


def test_at_most_2000_values_are_taken_at_a_time():
    assert len(read_table(table_of(MOST_VALUES))) == 2_000
    assert problems(table_of(MOST_VALUES + 1)) == [
        "The table holds 2,001 values; at most 2,000 are taken at a time."
    ]


def test_a_file_is_text_in_utf_8_of_at_most_1_mb():
    assert decode("\ufeffHämoglobin (µ)".encode()) == "Hämoglobin (µ)"
    assert len(decode(b"1" * MOST_BYTES)) == 1_000_000
    with pytest.raises(TableError, match="at most 1,000,000"):
        decode(b"1" * (MOST_BYTES + 1))
    with pytest.raises(TableError, match=r"not in UTF-8 \(line 2\)"):
        decode("PLT;1\nHämoglobin;2".encode("latin-1"))
    with pytest.raises(TableError, match="no text file"):
        decode("PLT".encode("utf-16"))
