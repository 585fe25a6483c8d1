"""The SUVbw factor of a PET series, found as QIBA describes, or the reason why it cannot be found. In words: docs/dicom.md.

Source: QIBA FDG-PET/CT Profile and its "SUV vendor neutral pseudo-code" (happy path only); DICOM PS3.3 C.8.9.1 and C.8.22.4.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

LONGEST_UPTAKE = timedelta(hours=6)
FACTOR_DECIMALS = Decimal("1e-14")
# A tracer dose lies between 20 and 2,000 MBq. Below this a number of Bq was probably meant as MBq.
LEAST_DOSE_BQ = Decimal("1e5")
NBSP = "\u00a0"


@dataclass(frozen=True)
class SeriesHeader:
    """What the factor of one PET series depends on, the same in all its slices. None or blank: not stated.

    Times are local clock times of the scanner.
    """

    units: str = ""  # BQML, CNTS, GML
    suv_type: str = ""
    corrected: tuple[str, ...] = ()
    decay_correction: str = ""  # START, ADMIN, NONE; TIME: to decay_corrected_to
    decay_corrected_to: datetime | None = None
    series_at: datetime | None = None
    ge_scan_at: datetime | None = None
    injected_at: datetime | None = None
    injected_time: time | None = None  # of the scan's day, or of the day before
    dose_bq: Decimal | None = None
    half_life_s: Decimal | None = None
    weight_kg: Decimal | None = None
    philips_suv: Decimal | None = None
    philips_bqml: Decimal | None = None


@dataclass(frozen=True)
class SuvFactor:
    """What turns a pixel's value into SUVbw (g/mL), and in words how it was found.

    Attributes:
        value: None where it could not be found; ``basis`` is then the reason.
        unit: "g/Bq" (times Bq/mL), "1" (pixels are SUVbw already) or "g/mL per count" (Philips).
    """

    value: Decimal | None
    unit: str
    basis: str


@dataclass(frozen=True)
class ScanStart:
    """The time that decay correction to the start of the scan refers to; ``why`` names where it was found."""

    at: datetime | None
    why: str


def scan_start(
    series_at: datetime | None, earliest_slice: datetime | None, ge_scan_at: datetime | None
) -> ScanStart:
    """Find when the scan began.

    The series time is the scan's, unless any slice was acquired before it: then the series was made later out of
    another one, and its time has nothing to do with decay.

    Args:
        earliest_slice: the earliest acquisition time of all slices; None where that of any slice is missing.
    """
    if series_at is None:
        return ScanStart(None, "the series has no date and time")
    if earliest_slice is None:
        return ScanStart(None, "the acquisition times of all slices are needed, and some are missing")
    if series_at <= earliest_slice:
        return ScanStart(series_at, "the series time")
    if ge_scan_at is not None:
        return ScanStart(
            ge_scan_at, "GE's scan time (0009,100d), since the series time is later than a slice"
        )
    return ScanStart(earliest_slice, "the earliest slice, since the series time is later")


def injection(header: SeriesHeader, scan_at: datetime | None) -> datetime | None:
    """Return when the tracer was injected: as stated, else at the stated time on the day of the scan, or the day before."""
    if header.injected_at is not None:
        return header.injected_at
    if header.injected_time is None or scan_at is None:
        return None
    at = datetime.combine(scan_at.date(), header.injected_time)
    return at - timedelta(days=1) if at > scan_at else at


def uptake(injected_at: datetime | None, scan_at: datetime | None) -> timedelta | None:
    """Return the time from injection to scan, or None where it is unknown or cannot be true (outside 0 to 6 h)."""
    if injected_at is None or scan_at is None:
        return None
    between = scan_at - injected_at
    return between if timedelta() <= between <= LONGEST_UPTAKE else None


def suvbw_factor(header: SeriesHeader, start: ScanStart) -> SuvFactor:
    """Return the factor of a series whose scan began at ``start``, or why it has none."""
    missing = {"ATTN": "attenuation", "DECY": "decay"}
    uncorrected = [words for code, words in missing.items() if code not in header.corrected]
    if uncorrected:
        return _none(f"the images are not corrected for {' and '.join(uncorrected)}")
    if header.units == "GML":
        if header.suv_type not in {"", "BW"}:
            return _none("the pixels are an SUV of another kind than body weight")
        return SuvFactor(Decimal(1), "1", "The pixels are SUVbw already (units GML): factor 1.")
    if header.units == "CNTS":
        if header.philips_suv:
            return SuvFactor(
                header.philips_suv, "g/mL per count", "Philips' own factor (7053,1000), of counts to SUVbw."
            )
        if not header.philips_bqml:
            return _none("the pixels are counts, and the scanner left no factor (7053,1000 or 7053,1009)")
    elif header.units != "BQML":
        return _none("the pixels are neither Bq/mL nor SUVbw")
    return _from_dose(header, start)


def _from_dose(header: SeriesHeader, start: ScanStart) -> SuvFactor:
    dose, half_life, weight = header.dose_bq, header.half_life_s, header.weight_kg
    absent = [
        words
        for words, value in {"injected activity": dose, "weight": weight, "half-life": half_life}.items()
        if value is None or value <= 0
    ]
    if dose is None or half_life is None or weight is None or absent:
        return _none(f"the files do not state the {', '.join(absent)}")
    if dose < LEAST_DOSE_BQ:
        return _none("the injected activity is too small to be in Bq; it was probably written in MBq")
    counted = "Bq/mL (Philips counts × 7053,1009)" if header.units == "CNTS" else "Bq/mL"
    dose_words = f"{_mbq(dose)} MBq"
    weight_words = f"{weight.normalize():f}{NBSP}kg"
    if header.decay_correction == "ADMIN":
        value = weight * 1000 / dose
        basis = f"{weight_words} / {dose_words}: decay is corrected to the injection (ADMIN). For {counted}."
        return SuvFactor(value.quantize(FACTOR_DECIMALS), "g/Bq", basis)
    if header.decay_correction == "TIME":
        start = ScanStart(header.decay_corrected_to, "the time that decay is corrected to (0018,9701)")
    elif header.decay_correction != "START":
        return _none("the files do not say to what time decay is corrected")
    if start.at is None:
        return _none(start.why)
    injected_at = injection(header, start.at)
    between = uptake(injected_at, start.at)
    if between is None:
        if injected_at is None:
            return _none("the files do not state when the tracer was injected")
        return _none(
            "the scan does not begin within 0 to 6 h of the injection, as if a date had been changed"
        )
    seconds = Decimal(str(between.total_seconds()))
    decayed = dose * Decimal(2) ** (-seconds / half_life)
    value = weight * 1000 / decayed
    basis = (
        f"{weight_words} / {_mbq(decayed)} MBq: {dose_words} injected, decayed for {_plain(seconds)} s (half-life"
        f" {_plain(half_life)} s) to {start.at:%H:%M:%S}, {start.why}. For {counted}."
    )
    return SuvFactor(value.quantize(FACTOR_DECIMALS), "g/Bq", basis.replace(" MBq", f"{NBSP}MBq"))


def _none(reason: str) -> SuvFactor:
    return SuvFactor(None, "", f"No SUVbw factor: {reason}.")


def _mbq(activity_bq: Decimal) -> str:
    return f"{activity_bq / 1_000_000:.2f}"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
