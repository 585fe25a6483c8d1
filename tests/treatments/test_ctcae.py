"""Grades by CTCAE v5.0. Cuts and grades were written from the published table, both sides of every cut."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treatments.rules.ctcae import (
    TERMS_OF_ANALYTES,
    VERSIONS,
    Scale,
    grade,
    grade_all,
    scale_of,
)
from treatments.rules.labs import ANALYTES


def grades(analyte, text, **limits):
    """Return each value of "75:1 74.9:2" with the grade it has and the one it should have, where they differ."""
    limits = {name: Decimal(limit) if isinstance(limit, str) else limit for name, limit in limits.items()}
    pairs = (pair.split(":") for pair in text.split())
    found = [(value, grade(analyte, Decimal(value), **limits).grade, int(wanted)) for value, wanted in pairs]
    return [entry for entry in found if entry[1] != entry[2]]


# Decreased: absolute cuts below the lower limit of normal


@pytest.mark.parametrize(
    ("analyte", "lower_limit", "expected"),
    [
        ("platelets", "150", "400:0 150:0 149.9:1 75:1 74.9:2 50:2 49.9:3 25:3 24.9:4 0:4"),
        ("haemoglobin", "120", "130:0 120:0 119.9:1 100:1 99.9:2 80:2 79.9:3 10:3 0:3"),
        ("neutrophils", "1.8", "5:0 1.8:0 1.79:1 1.5:1 1.49:2 1.0:2 0.99:3 0.5:3 0.49:4 0:4"),
        ("lymphocytes", "1.1", "2:0 1.1:0 1.09:1 0.8:1 0.79:2 0.5:2 0.49:3 0.2:3 0.19:4 0:4"),
        ("leucocytes", "4.0", "6:0 4.0:0 3.99:1 3:1 2.99:2 2:2 1.99:3 1:3 0.99:4 0:4"),
        ("albumin", "35", "40:0 35:0 34.9:1 30:1 29.9:2 20:2 19.9:3 5:3 0:3"),
    ],
)
def test_what_is_decreased_on_each_side_of_every_cut(analyte, lower_limit, expected):
    assert grades(analyte, expected, lower_limit=lower_limit) == []


@pytest.mark.parametrize(
    ("analyte", "certain", "uncertain"),
    [
        ("platelets", "74.9:2 49.9:3 24.9:4", ["75", "149", "400"]),
        ("haemoglobin", "99.9:2 79.9:3", ["100", "160"]),
        ("neutrophils", "1.49:2 0.99:3 0.49:4", ["1.5", "6"]),
        ("lymphocytes", "0.79:2 0.49:3 0.19:4", ["0.8", "2"]),
        ("leucocytes", "2.99:2 1.99:3 0.99:4", ["3", "8"]),
        ("albumin", "29.9:2 19.9:3", ["30", "45"]),
    ],
)
def test_without_a_lower_limit_a_grade_is_given_where_it_is_certain_alone(analyte, certain, uncertain):
    assert grades(analyte, certain) == []
    for value in uncertain:
        found = grade(analyte, Decimal(value))
        assert found.grade is None
        assert found.reason == f"{ANALYTES[analyte].label} needs the lower limit of normal."


def test_an_absolute_cut_wins_over_a_lower_limit_beneath_it():
    """A laboratory whose normal platelets begin at 60: 70 is normal there, and below 75."""
    assert grades("platelets", "75:0 74.9:2 60:2 59.9:2 50:2 49.9:3", lower_limit="60") == []


def test_a_lower_limit_at_the_first_absolute_cut_leaves_no_grade_1():
    assert grades("platelets", "75:0 74.9:2", lower_limit="75") == []


# Increased: multiples of the upper limit of normal or of an abnormal baseline


@pytest.mark.parametrize(
    ("analyte", "upper_limit", "expected"),
    [
        ("alt", "50", "20:0 50:0 50.1:1 150:1 150.1:2 250:2 250.1:3 1000:3 1000.1:4"),
        ("ast", "40", "0:0 40:0 40.1:1 120:1 120.1:2 200:2 200.1:3 800:3 800.1:4"),
        ("alp", "100", "60:0 100:0 100.1:1 250:1 250.1:2 500:2 500.1:3 2000:3 2000.1:4"),
        ("ggt", "60", "60:0 60.1:1 150:1 150.1:2 300:2 300.1:3 1200:3 1200.1:4"),
        ("bilirubin", "21", "21:0 21.1:1 31.5:1 31.6:2 63:2 63.1:3 210:3 210.1:4"),
        ("creatinine", "104", "104:0 104.1:1 156:1 156.1:2 312:2 312.1:3 624:3 624.1:4"),
    ],
)
def test_what_is_increased_on_each_side_of_every_cut(analyte, upper_limit, expected):
    assert grades(analyte, expected, upper_limit=upper_limit) == []
    normal = {"baseline": upper_limit, "baseline_is_abnormal": False}
    assert grades(analyte, expected, upper_limit=upper_limit, **normal) == []


@pytest.mark.parametrize(
    ("analyte", "baseline", "expected"),
    [
        ("alt", "80", "81:0 119.9:0 120:1 240:1 240.1:2 400:2 400.1:3 1600:3 1600.1:4"),
        ("ast", "60", "61:0 89.9:0 90:1 180:1 180.1:2 300:2 300.1:3 1200:3 1200.1:4"),
        ("alp", "200", "201:0 399.9:0 400:1 500:1 500.1:2 1000:2 1000.1:3 4000:3 4000.1:4"),
        ("ggt", "100", "199.9:0 200:1 250:1 250.1:2 500:2 500.1:3 2000:3 2000.1:4"),
        ("bilirubin", "40", "22:0 40:0 40.1:1 60:1 60.1:2 120:2 120.1:3 400:3 400.1:4"),
    ],
)
def test_with_an_abnormal_baseline_its_multiples_count(analyte, baseline, expected):
    assert grades(analyte, expected, baseline=baseline, upper_limit="21") == []
    assert grades(analyte, expected, baseline=baseline, baseline_is_abnormal=True) == []
    stated = {"baseline_is_abnormal": True, "upper_limit": "1000"}
    assert grades(analyte, expected, baseline=baseline, **stated) == []


@pytest.mark.parametrize(("baseline", "found"), [("50", 1), ("50.1", 0)])
def test_a_baseline_above_the_upper_limit_is_abnormal_unless_stated_otherwise(baseline, found):
    """60 is above the limit of 50, but not 1.5 times a baseline of 50.1."""
    limits = {"upper_limit": Decimal(50), "baseline": Decimal(baseline)}

    assert grade("alt", Decimal(60), **limits).grade == found
    assert grade("alt", Decimal(60), **limits, baseline_is_abnormal=False).grade == 1


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        # 1.5 and 3 times the baseline come first: 90 and 180, below and above the limit of 104.
        ("60", "90:0 90.1:2 104.1:2 180:2 180.1:3 312.1:3 624:3 624.1:4"),
        # 135 and 270 come before 156 and 312.
        ("90", "104:0 104.1:1 135:1 135.1:2 270:2 270.1:3 624:3 624.1:4"),
        # 300 and 600 come after 156 and 312: the limit decides.
        ("200", "104:0 104.1:1 156:1 156.1:2 312:2 312.1:3 600.1:3 624:3 624.1:4"),
        # 3 times the baseline lies beyond 6 times the limit.
        ("300", "104.1:1 156.1:2 312.1:3 624:3 624.1:4 900.1:4"),
    ],
)
def test_of_the_two_counts_of_creatinine_the_higher_holds(baseline, expected):
    assert grades("creatinine", expected, upper_limit="104", baseline=baseline) == []


def test_a_cut_is_exact_where_floats_are_not():
    """3 * 0.7 is 2.0999999999999996 in floats, which would give 2.1 grade 2."""
    assert grades("alt", "2.1:1 2.1000000001:2", upper_limit="0.7") == []
    with localcontext(prec=2):
        assert grades("alt", "151.5:1 151.6:2", upper_limit="50.5") == []


# What is missing


@pytest.mark.parametrize("analyte", ["alt", "ast", "alp", "ggt", "bilirubin", "creatinine"])
@pytest.mark.parametrize("baseline", [{}, {"baseline": Decimal(30)}, {"baseline_is_abnormal": False}])
def test_without_an_upper_limit_there_is_no_grade(analyte, baseline):
    found = grade(analyte, Decimal(5000), **baseline)

    assert found.grade is None
    assert found.reason == f"{ANALYTES[analyte].label} needs the upper limit of normal."
    assert scale_of(analyte, **baseline) is None


def test_an_abnormal_baseline_without_its_value_gives_no_grade():
    found = grade("alt", Decimal(500), upper_limit=Decimal(50), baseline_is_abnormal=True)

    assert found.grade is None
    assert found.reason == "ALT needs the baseline value, since the baseline was abnormal."


@pytest.mark.parametrize(
    ("analyte", "label"), [("body_weight", "Body weight"), ("prothrombin_ratio", "Prothrombin ratio (Quick)")]
)
def test_what_has_no_term_has_no_grade(analyte, label):
    assert scale_of(analyte, lower_limit=Decimal(1), upper_limit=Decimal(2)) is None
    assert grade(analyte, Decimal(70)).reason == f"CTCAE 5.0 has no term for this value ({label})."


def test_a_grade_needs_no_reason():
    assert grade("platelets", Decimal(10)).reason == ""


# What is refused


@pytest.mark.parametrize("value", ["-0.1", "NaN", "Infinity"])
def test_a_value_that_cannot_be_is_refused(value):
    scale = scale_of("platelets", lower_limit=Decimal(150))
    for ask in (
        lambda: grade("platelets", Decimal(value)),
        lambda: scale.grade(Decimal(value)),
        lambda: grade_all([Decimal(value)], scale),
        lambda: grade_all([Decimal(80), Decimal(value), Decimal(90)], scale),
    ):
        with pytest.raises(ValueError, match="laboratory value"):
            ask()


@pytest.mark.parametrize(
    ("analyte", "limits"),
    [
        ("platelets", {"lower_limit": "-1"}),
        ("platelets", {"lower_limit": "NaN"}),
        ("alt", {"upper_limit": "0"}),
        ("alt", {"upper_limit": "50", "baseline": "0"}),
        ("creatinine", {"upper_limit": "104", "baseline": "-1"}),
    ],
)
def test_a_limit_that_cannot_be_is_refused(analyte, limits):
    with pytest.raises(ValueError, match="cannot be"):
        scale_of(analyte, **{name: Decimal(limit) for name, limit in limits.items()})


def test_another_version_is_refused():
    assert VERSIONS == ("5.0",)
    with pytest.raises(ValueError, match="only 5"):
        scale_of("platelets", version="6.0")
    with pytest.raises(ValueError, match="only 5"):
        grade("platelets", Decimal(1), version="4.03")


@pytest.mark.parametrize(
    ("cuts", "grades_of_pieces"), [("1 2", (0, 1, 2)), ("2 1", (0, 0, 1, 1, 2)), ("1 1", (0, 0, 1, 1, 2))]
)
def test_a_scale_with_a_gap_or_an_overlap_cannot_be_made(cuts, grades_of_pieces):
    with pytest.raises(ValueError):
        Scale(tuple(map(Decimal, cuts.split())), grades_of_pieces)


# All values

positive = st.decimals(min_value="0.01", max_value=5000, places=2)
not_negative = st.decimals(min_value=0, max_value=100_000, places=3)
DECREASED = {"platelets", "haemoglobin", "neutrophils", "lymphocytes", "leucocytes", "albumin"}


@st.composite
def scales(draw):
    """Draw an analyte with a term, and a scale of it by any limits that grade every value."""
    analyte = draw(st.sampled_from(sorted(TERMS_OF_ANALYTES)))
    if analyte in DECREASED:
        return analyte, scale_of(analyte, lower_limit=draw(positive))
    baseline = draw(st.none() | positive)
    is_abnormal = draw(st.sampled_from([None, False, True])) if baseline is not None else None
    scale = scale_of(analyte, upper_limit=draw(positive), baseline=baseline, baseline_is_abnormal=is_abnormal)
    return analyte, scale


@given(scales(), st.lists(not_negative, min_size=2))
def test_grades_are_total_and_never_turn_back_along_the_number_line(analyte_and_scale, values):
    analyte, scale = analyte_and_scale
    # The cuts themselves, and what lies as close to them as a stored value can.
    near = [cut + step for cut in scale.cuts for step in (Decimal("-0.0001"), 0, Decimal("0.0001"))]
    line = sorted(value for value in {*values, *near, Decimal(0)} if value >= 0)

    found = [scale.grade(value) for value in line]

    assert all(isinstance(each, int) and 0 <= each <= 4 for each in found)
    assert found == sorted(found, reverse=analyte in DECREASED)
    assert grade_all(line, scale) == found


@given(st.sampled_from(sorted(DECREASED)), st.lists(not_negative))
def test_without_a_lower_limit_what_is_certain_is_what_any_limit_would_give(analyte, values):
    scale = scale_of(analyte)

    assert grade_all(values, scale) == [scale.grade(value) for value in values]
    for value in values:
        if scale.grade(value) is not None:
            assert scale.grade(value) == grade(analyte, value, lower_limit=Decimal(1)).grade
            assert scale.grade(value) == grade(analyte, value, lower_limit=Decimal(500)).grade


def test_every_analyte_with_a_term_is_a_laboratory_value():
    assert set(TERMS_OF_ANALYTES) == set(ANALYTES) - {"prothrombin_ratio", "body_weight"}
