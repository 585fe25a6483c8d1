"""Names, units and ranges of laboratory values. Conversions were worked out by hand from the factors in the docs."""

from contextlib import suppress
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treatments.rules.labs import (
    ANALYTES,
    find_analyte,
    parse_heading,
    parse_value,
    plausibility,
    to_canonical,
    with_unit,
)

CODES = [
    "platelets",
    "haemoglobin",
    "neutrophils",
    "lymphocytes",
    "leucocytes",
    "creatinine",
    "alt",
    "ast",
    "alp",
    "ggt",
    "bilirubin",
    "albumin",
    "prothrombin_ratio",
    "body_weight",
]


def canonical(code, value, unit):
    return to_canonical(Decimal(value), analyte=ANALYTES[code], unit=unit)


def test_these_are_the_analytes():
    assert list(ANALYTES) == CODES


@pytest.mark.parametrize("code", CODES)
def test_the_definition_of_an_analyte_is_in_order(code):
    analyte = ANALYTES[code]

    assert analyte.units[analyte.unit] == 1
    assert analyte.least_possible <= analyte.least_likely < analyte.most_likely <= analyte.most_possible
    assert isinstance(hash(analyte), int)


def test_no_name_means_two_analytes():
    for analyte in ANALYTES.values():
        for name in (analyte.code, analyte.label, *analyte.synonyms):
            assert find_analyte(name) is analyte, name


# Names


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("PLT", "platelets"),
        ("Thrombozyten", "platelets"),
        ("hb", "haemoglobin"),
        ("HGB", "haemoglobin"),
        (" Hemoglobin ", "haemoglobin"),
        ("anc", "neutrophils"),
        ("WBC", "leucocytes"),
        ("Leukocytes", "leucocytes"),
        ("white blood cells", "leucocytes"),
        ("ALAT", "alt"),
        ("GPT", "alt"),
        ("asat", "ast"),
        ("GOT", "ast"),
        ("γ-GT", "ggt"),
        ("gamma GT", "ggt"),
        ("Quick", "prothrombin_ratio"),
        ("body_weight", "body_weight"),
        ("Body weight", "body_weight"),
        ("Hb (g/dL)", "haemoglobin"),
    ],
)
def test_an_analyte_is_found_by_its_names(text, code):
    assert find_analyte(text).code == code


@pytest.mark.parametrize(
    "text", ["creatinine clearance", "direct bilirubin", "Neutrophils %", "sodium", "", "()", "PT"]
)
def test_another_name_is_refused_with_the_known_ones(text):
    with pytest.raises(ValueError, match=r"Known are: Platelets, Haemoglobin, .*Body weight\."):
        find_analyte(text)


@pytest.mark.parametrize(
    ("heading", "code", "unit"),
    [
        ("Hb (g/dL)", "haemoglobin", "g/dL"),
        ("Hb(G/DL)", "haemoglobin", "g/dL"),
        ("Creatinine [mg/dL]", "creatinine", "mg/dL"),
        ("creatinine [umol/l]", "creatinine", "µmol/L"),
        ("PLT (10^3/uL)", "platelets", "10³/µL"),
        ("Hb", "haemoglobin", "g/L"),
        ("Hb g/dL", "haemoglobin", "g/dL"),
        ("Hb in g/dL", "haemoglobin", "g/dL"),
        ("Hb, g/dL", "haemoglobin", "g/dL"),
        ("Quick %", "prothrombin_ratio", "%"),
        ("Prothrombin ratio (Quick)", "prothrombin_ratio", "%"),
        ("ALT (GPT)", "alt", "U/L"),
        ("Body weight", "body_weight", "kg"),
        ("Total bilirubin (mg/dl)", "bilirubin", "mg/dL"),
    ],
)
def test_a_heading_gives_analyte_and_unit(heading, code, unit):
    analyte, found = parse_heading(heading)

    assert (analyte.code, found) == (code, unit)


@pytest.mark.parametrize("heading", ["Neutrophils (%)", "Hb [mg/mL]", "Hb ()", "ALT (GOT)"])
def test_a_heading_with_a_unit_that_cannot_be_is_refused(heading):
    with pytest.raises(ValueError, match=r"is given in .*, not in"):
        parse_heading(heading)


# Units


@pytest.mark.parametrize(
    "unit",
    [
        "10⁹/L",
        "10^9/L",
        "10*9/L",
        "10**9/l",
        "10 ^ 9 / L",
        "x10^9/L",
        "×10⁹/L",
        "x 10e9/L",
        "10E9/L",
        "G/L",
        "g/l",
        "Gpt/l",
        "/nl",
        "10³/µL",
        "10³/μL",
        "10^3/uL",
        "10*3/UL",
        "x10^3/mm^3",
        "10³/mm³",
        "K/µL",
        "k/uL",
        "Tsd./µl",
    ],
)
def test_a_count_in_thousands_per_microlitre_is_the_same_number(unit):
    assert canonical("platelets", "92", unit) == 92


@pytest.mark.parametrize(
    "unit", ["/µL", "/μl", "/uL", "/ul", "/mm³", "/mm^3", "/mm3", "cells/uL", "1/µl", "10⁶/L", "10^6/L"]
)
def test_a_count_per_microlitre_is_a_thousandth(unit):
    assert canonical("neutrophils", "1499", unit) == Decimal("1.499")


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        ("haemoglobin", "12.5", "g/dL", "125"),
        ("haemoglobin", "7.75", "mmol/L", "124.8835"),  # 7.75 * 16.114
        ("creatinine", "1.2", "mg/dL", "106.08"),
        ("creatinine", "106", "umol/L", "106"),
        ("alt", "0.75", "µkat/L", "45"),
        ("ast", "45", "IU/L", "45"),
        ("alp", "1.5", "ukat/l", "90"),
        ("ggt", "45", "U/l", "45"),
        ("bilirubin", "1.2", "mg/dL", "20.5248"),
        ("albumin", "3.8", "g/dL", "38"),
        ("prothrombin_ratio", "85", "%", "85"),
        ("body_weight", "150", "lb", "68.0389"),  # 68.0388555
        ("body_weight", "70500", "g", "70.5"),
    ],
)
def test_values_come_to_the_canonical_unit(code, value, unit, expected):
    assert canonical(code, value, unit) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("6.2", "99.9068"),  # 4 digits: kept
        ("6.21", "100.0679"),  # 100.06794
        ("6.25", "100.7125"),
        ("6.235", "100.4708"),  # 100.47079
    ],
)
def test_only_a_fifth_digit_after_the_point_is_rounded(value, expected):
    assert str(canonical("haemoglobin", value, "mmol/L")) == expected


def test_half_of_the_fourth_digit_is_rounded_up():
    """0.00005 of 10⁹/L is 0.05 per µL."""
    assert canonical("neutrophils", "0.05", "/µL") == Decimal("0.0001")
    assert canonical("neutrophils", "0.049", "/µL") == 0


def test_the_precision_of_the_caller_does_not_matter():
    with localcontext(prec=3):
        assert canonical("platelets", "149999", "/µL") == Decimal("149.999")


@pytest.mark.parametrize(("code", "unit"), [("platelets", "g/dL"), ("creatinine", "mmol/L"), ("alt", "")])
def test_another_unit_is_refused_with_the_accepted_ones(code, unit):
    with pytest.raises(ValueError) as refused:
        canonical(code, "1", unit)

    assert ", ".join(ANALYTES[code].units) in str(refused.value)


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_no_number_has_no_unit(value):
    with pytest.raises(ValueError, match="needs a number"):
        canonical("alt", value, "U/L")


# Values as written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.4", "7.4"),
        ("7,4", "7.4"),
        (" 92 ", "92"),
        ("1.234", "1.234"),
        ("1,23", "1.23"),
        ("1,2345", "1.2345"),
        (".5", "0.5"),
        ("007", "7"),
        ("-3", "-3"),
        ("−3", "-3"),
    ],
)
def test_a_number_is_read_with_point_or_comma(text, value):
    assert parse_value(text) == Decimal(value)


def test_a_comma_before_three_digits_is_refused_because_it_has_two_meanings():
    with pytest.raises(ValueError, match=r"write 1\.234 or 1234\."):
        parse_value("1,234")


@pytest.mark.parametrize("text", ["<5", ">120", "≤ 5", "≥5", " <0.1"])
def test_a_limit_is_refused_because_a_number_is_needed(text):
    with pytest.raises(ValueError, match="a number is needed"):
        parse_value(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        "-inf",
        "1e5",
        "1,234.5",
        "1.234,5",
        "1 234",
        "7.4 g/L",
        "5.",
        "٣",
        "1_000",
        "9" * 31,
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="is not a number"):
        parse_value(text)


@given(st.text())
def test_any_text_is_a_finite_number_or_refused(text):
    # Anything but a ValueError fails, a decimal.InvalidOperation too.
    with suppress(ValueError):
        assert parse_value(text).is_finite()


@given(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["Hb", "ALT (GPT)", "PLT [", ""]),
        st.text(max_size=8),
        st.sampled_from([")", "]", " g/dL", ""]),
    )
)
def test_a_heading_is_known_or_refused(text):
    with suppress(ValueError):
        analyte, unit = parse_heading(text)
        assert unit in analyte.units


# What can be


@pytest.mark.parametrize(
    ("code", "impossible", "unlikely", "likely"),
    [
        ("platelets", ["-1", "3000.1"], ["0", "19.9", "1000.1", "3000"], ["20", "1000"]),
        ("haemoglobin", ["9.9", "260.1"], ["10", "49.9", "200.1", "260"], ["50", "200"]),
        ("creatinine", ["4.9", "3000.1"], ["5", "24.9", "500.1", "3000"], ["25", "500"]),
        ("body_weight", ["19.9", "350.1"], ["20", "34.9", "180.1", "350"], ["35", "180"]),
    ],
)
def test_ranges_on_each_side_of_every_limit(code, impossible, unlikely, likely):
    analyte = ANALYTES[code]
    for value in impossible:
        with pytest.raises(ValueError, match="cannot be"):
            plausibility(Decimal(value), analyte)
    assert all("is unlikely" in plausibility(Decimal(value), analyte) for value in unlikely)
    assert all(plausibility(Decimal(value), analyte) == "" for value in likely)


@pytest.mark.parametrize(
    ("code", "usual", "meant", "taken_for"),
    [
        ("haemoglobin", "12.5", "g/dL", "g/L"),
        ("haemoglobin", "7.8", "mmol/L", "g/L"),
        ("haemoglobin", "125", "g/L", "g/dL"),
        ("platelets", "92000", "/µL", "10⁹/L"),
        ("platelets", "92", "10⁹/L", "/µL"),
        ("neutrophils", "1800", "/µL", "10⁹/L"),
        ("leucocytes", "4200", "/µL", "10⁹/L"),
        ("lymphocytes", "900", "/µL", "10⁹/L"),
        ("creatinine", "0.9", "mg/dL", "µmol/L"),
        ("creatinine", "5.6", "mg/dL", "µmol/L"),
        ("creatinine", "80", "µmol/L", "mg/dL"),
        ("bilirubin", "0.8", "mg/dL", "µmol/L"),
        ("bilirubin", "90", "µmol/L", "mg/dL"),
        ("alt", "0.5", "µkat/L", "U/L"),
        ("albumin", "4.1", "g/dL", "g/L"),
        ("albumin", "41", "g/L", "g/dL"),
        ("body_weight", "70000", "g", "kg"),
    ],
)
def test_a_usual_value_in_a_wrong_unit_is_noticed(code, usual, meant, taken_for):
    analyte = ANALYTES[code]
    assert plausibility(canonical(code, usual, meant), analyte) == ""

    try:
        said = plausibility(canonical(code, usual, taken_for), analyte)
    except ValueError as refused:
        said = str(refused)

    assert "unit" in said


def test_the_refusal_names_range_and_unit():
    with pytest.raises(ValueError) as refused:
        plausibility(Decimal(92000), ANALYTES["platelets"])

    assert str(refused.value) == (
        "Platelets: 92000 ×10⁹/L cannot be. Accepted: 0 to 3000 ×10⁹/L. Check the unit."
    )


def test_the_remark_names_the_usual_range():
    assert plausibility(Decimal("12.5"), ANALYTES["haemoglobin"]) == (
        "Haemoglobin: 12.5 g/L is unlikely (usual: 50 to 200 g/L). Check the value and its unit."
    )


def test_what_is_no_number_cannot_be():
    with pytest.raises(ValueError, match="cannot be"):
        plausibility(Decimal("NaN"), ANALYTES["alt"])


def test_a_power_of_ten_is_written_with_its_sign():
    assert with_unit(Decimal(92), "10⁹/L") == "92 ×10⁹/L"
    assert with_unit(Decimal("7.4"), "g/L") == "7.4 g/L"


def test_the_documented_table_is_the_one_in_force():
    page = Path(__file__).parents[2] / "docs" / "rules" / "laboratory.md"
    rows = {
        cells[0].strip("`"): (cells[1], cells[2], cells[4], cells[5])
        for line in page.read_text().splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 6 and "`" in cells[0]
    }

    assert rows == {
        code: (
            analyte.label,
            analyte.unit,
            f"{analyte.least_possible} to {analyte.most_possible}",
            f"{analyte.least_likely} to {analyte.most_likely}",
        )
        for code, analyte in ANALYTES.items()
    }
