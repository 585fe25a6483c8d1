"""Kidney function estimated from serum creatinine, for adults.

Sources: Cockcroft & Gault, Nephron 1976;16:31-41 (creatinine clearance, actual body weight); Inker et al., N Engl J Med
2021;385:1737-1749 (CKD-EPI 2021, creatinine, without race). In words: docs/rules/renal.md.
"""

from dataclasses import dataclass
from decimal import Context, Decimal

from languages.wording import gettext as _
from treatments.rules.words import written

CREATININE_UMOL_L_PER_MG_DL = Decimal("88.4")

LEAST_AGE_YEARS = 18
MOST_AGE_YEARS = 130

COCKCROFT_GAULT_FEMALE = Decimal("0.85")


@dataclass(frozen=True)
class _CkdEpi2021:
    """What differs between the sexes: κ in mg/dL, the exponent α below κ and the factor."""

    kappa_mg_dl: Decimal
    alpha: Decimal
    factor: Decimal


_FEMALE = _CkdEpi2021(kappa_mg_dl=Decimal("0.7"), alpha=Decimal("-0.241"), factor=Decimal("1.012"))
_MALE = _CkdEpi2021(kappa_mg_dl=Decimal("0.9"), alpha=Decimal("-0.302"), factor=Decimal(1))
_EXPONENT_ABOVE_KAPPA = Decimal("-1.200")
_PER_YEAR = Decimal("0.9938")
_AT_AGE_0_ML_MIN_1_73M2 = Decimal(142)

_EXACT = Context(prec=34)


def cockcroft_gault_ml_min(
    *, creatinine_umol_l: Decimal, age_years: int, weight_kg: Decimal, is_female: bool
) -> Decimal:
    """Return the creatinine clearance by Cockcroft and Gault, mL/min, not rounded.

    (140 - age) × weight / (72 × creatinine in mg/dL), × 0.85 for women. Not scaled to body surface.

    Args:
        age_years: completed years when the blood was taken.
        weight_kg: actual body weight, not the ideal or adjusted one.

    Raises:
        ValueError: creatinine or weight not above 0; an age the equation was not made for.
    """
    _refuse_creatinine(creatinine_umol_l)
    _refuse_age(age_years)
    if not weight_kg.is_finite() or weight_kg <= 0:
        message = _("The body weight must be above 0 kg, not {weight} kg.")
        raise ValueError(message.format(weight=written(str(weight_kg))))
    numerator = _EXACT.multiply(
        _EXACT.multiply(Decimal(140 - age_years), weight_kg), CREATININE_UMOL_L_PER_MG_DL
    )
    if is_female:
        numerator = _EXACT.multiply(numerator, COCKCROFT_GAULT_FEMALE)
    return _EXACT.divide(numerator, _EXACT.multiply(Decimal(72), creatinine_umol_l))


def ckd_epi_2021_ml_min_1_73m2(*, creatinine_umol_l: Decimal, age_years: int, is_female: bool) -> Decimal:
    """Return the estimated GFR by CKD-EPI 2021 (creatinine), mL/min per 1.73 m², not rounded.

    142 × min(Scr/κ, 1)^α × max(Scr/κ, 1)^-1.200 × 0.9938^age, × 1.012 for women.

    Args:
        age_years: completed years when the blood was taken.

    Raises:
        ValueError: creatinine not above 0; an age the equation was not made for.
    """
    _refuse_creatinine(creatinine_umol_l)
    _refuse_age(age_years)
    of_sex = _FEMALE if is_female else _MALE
    of_kappa = _EXACT.divide(
        creatinine_umol_l, _EXACT.multiply(CREATININE_UMOL_L_PER_MG_DL, of_sex.kappa_mg_dl)
    )
    # One of the two powers is always 1^x.
    exponent = of_sex.alpha if of_kappa < 1 else _EXPONENT_ABOVE_KAPPA
    gfr = _EXACT.multiply(_AT_AGE_0_ML_MIN_1_73M2, _EXACT.power(of_kappa, exponent))
    gfr = _EXACT.multiply(gfr, _EXACT.power(_PER_YEAR, age_years))
    return _EXACT.multiply(gfr, of_sex.factor)


def _refuse_creatinine(creatinine_umol_l: Decimal) -> None:
    if not creatinine_umol_l.is_finite() or creatinine_umol_l <= 0:
        message = _("The creatinine must be above 0 µmol/L, not {value} µmol/L.")
        raise ValueError(message.format(value=written(str(creatinine_umol_l))))


def _refuse_age(age_years: int) -> None:
    if 0 <= age_years < LEAST_AGE_YEARS:
        # The label treats from 12 years: such patients exist, and a number made for adults would mislead.
        message = _(
            "The equations are for adults of {least} years or more; at {age} years kidney function is not computed here."
        )
        raise ValueError(message.format(least=LEAST_AGE_YEARS, age=age_years))
    if not 0 <= age_years <= MOST_AGE_YEARS:
        message = _("An age of {age} years cannot be: expected {least} to {most}.")
        raise ValueError(message.format(age=age_years, least=LEAST_AGE_YEARS, most=MOST_AGE_YEARS))
