"""Kidney function. Decimals were computed with ``bc -l`` (``define p(x,y){return e(y*l(x))}``); calls stand beside them."""

from decimal import Decimal, localcontext

import pytest

from treatments.rules.renal import ckd_epi_2021_ml_min_1_73m2, cockcroft_gault_ml_min


def clearance(creatinine="88.4", age=60, weight="72", is_female=False):
    return cockcroft_gault_ml_min(
        creatinine_umol_l=Decimal(creatinine), age_years=age, weight_kg=Decimal(weight), is_female=is_female
    )


def gfr(creatinine="88.4", age=50, is_female=False):
    return ckd_epi_2021_ml_min_1_73m2(
        creatinine_umol_l=Decimal(creatinine), age_years=age, is_female=is_female
    )


@pytest.mark.parametrize(
    ("creatinine", "age", "weight", "is_female", "expected"),
    [
        ("88.4", 60, "72", False, "80"),  # 1 mg/dL: (140-60) * 72 / 72
        ("88.4", 60, "72", True, "68"),  # 80 * 0.85
        ("176.8", 60, "72", False, "40"),  # 2 mg/dL
        ("44.2", 20, "36", False, "120"),  # 0.5 mg/dL: 120 * 36 / (72 * 0.5)
        ("88.4", 18, "72", False, "122"),
        ("88.4", 130, "72", False, "10"),
    ],
)
def test_clearance_by_cockcroft_and_gault(creatinine, age, weight, is_female, expected):
    assert clearance(creatinine, age, weight, is_female) == Decimal(expected)


def test_clearance_is_not_rounded():
    """(140-67) * 58.5 * 88.4 * 0.85 / (72*112)"""
    assert clearance("112", 67, "58.5", True).quantize(Decimal("1e-8")) == Decimal("39.79233259")


@pytest.mark.parametrize(
    ("creatinine", "age", "is_female", "expected"),
    [
        ("88.4", 50, False, "91.69147861"),  # 142*p(1/0.9,-1.2)*p(0.9938,50)
        ("88.4", 60, True, "64.49500035"),  # 142*p(1/0.7,-1.2)*p(0.9938,60)*1.012
        ("44.2", 45, True, "117.79866588"),  # 142*p(0.5/0.7,-0.241)*p(0.9938,45)*1.012
        ("53.04", 70, False, "103.84781740"),  # 142*p(0.6/0.9,-0.302)*p(0.9938,70)
    ],
    ids=["man above κ", "woman above κ", "woman below κ", "man below κ"],
)
def test_gfr_by_ckd_epi_2021(creatinine, age, is_female, expected):
    assert gfr(creatinine, age, is_female).quantize(Decimal("1e-8")) == Decimal(expected)


@pytest.mark.parametrize(
    ("creatinine", "is_female", "expected"),
    [
        ("79.56", False, "104.04901299"),  # 0.9 mg/dL: 142*p(0.9938,50)
        ("61.88", True, "105.29760115"),  # 0.7 mg/dL: 142*p(0.9938,50)*1.012
    ],
)
def test_at_kappa_both_branches_meet(creatinine, is_female, expected):
    at = gfr(creatinine, 50, is_female)

    assert at.quantize(Decimal("1e-8")) == Decimal(expected)
    just_below, just_above = (
        gfr(str(Decimal(creatinine) + Decimal(step)), 50, is_female) for step in ("-1e-9", "1e-9")
    )
    assert just_above < at < just_below
    assert just_below - just_above < Decimal("1e-7")


def test_the_precision_of_the_caller_does_not_matter():
    with localcontext(prec=4):
        estimated, cleared = gfr(), clearance("112", 67, "58.5", True)

    assert estimated.quantize(Decimal("1e-8")) == Decimal("91.69147861")
    assert cleared.quantize(Decimal("1e-8")) == Decimal("39.79233259")


@pytest.mark.parametrize("estimate", [clearance, gfr])
@pytest.mark.parametrize("creatinine", ["0", "-1", "NaN", "Infinity"])
def test_a_creatinine_that_cannot_be_is_refused(estimate, creatinine):
    with pytest.raises(ValueError, match="creatinine must be above 0 µmol/L"):
        estimate(creatinine=creatinine)


@pytest.mark.parametrize("weight", ["0", "-70", "NaN"])
def test_a_weight_that_cannot_be_is_refused(weight):
    with pytest.raises(ValueError, match="weight must be above 0 kg"):
        clearance(weight=weight)


@pytest.mark.parametrize("estimate", [clearance, gfr])
@pytest.mark.parametrize("age", [12, 17])
def test_the_young_are_refused_because_the_equations_are_for_adults(estimate, age):
    with pytest.raises(ValueError, match=f"for adults of 18 years or more; at {age} years"):
        estimate(age=age)


@pytest.mark.parametrize("estimate", [clearance, gfr])
@pytest.mark.parametrize("age", [-1, 131])
def test_an_age_that_cannot_be_is_refused(estimate, age):
    with pytest.raises(ValueError, match="cannot be"):
        estimate(age=age)


@pytest.mark.parametrize("estimate", [clearance, gfr])
@pytest.mark.parametrize("age", [18, 130])
def test_the_youngest_and_the_oldest_are_accepted(estimate, age):
    assert estimate(age=age) > 0
