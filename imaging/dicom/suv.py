"""The SUVbw factor of a PET series, found as QIBA describes, or the reason why it cannot be found. In words: docs/dicom.md.

Source: QIBA FDG-PET/CT Profile and its "SUV vendor neutral pseudo-code" (happy path only); DICOM PS3.3 C.8.9.1 and C.8.22.4.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from imaging.rules.telling import Message, Stored
from languages.wording import gettext, gettext_noop

LONGEST_UPTAKE = timedelta(hours=6)
FACTOR_DECIMALS = Decimal("1e-14")
# A tracer dose lies between 20 and 2,000 MBq. Below this a number of Bq was probably meant as MBq.
LEAST_DOSE_BQ = Decimal("1e5")
NBSP = "\u00a0"

# How a factor was found, and why there is none: stored in English, told again by ``BASIS``.

NONE = Message(gettext_noop("No SUVbw factor: {words}."))
NOT_CORRECTED = {
    frozenset({"ATTN"}): gettext_noop("the images are not corrected for attenuation"),
    frozenset({"DECY"}): gettext_noop("the images are not corrected for decay"),
    frozenset({"ATTN", "DECY"}): gettext_noop("the images are not corrected for attenuation and decay"),
}
OTHER_SUV = gettext_noop("the pixels are an SUV of another kind than body weight")
ONLY_COUNTS = gettext_noop("the pixels are counts, and the scanner left no factor (7053,1000 or 7053,1009)")
OTHER_UNITS = gettext_noop("the pixels are neither Bq/mL nor SUVbw")
NOT_STATED = Message(gettext_noop("the files do not state the {parts}"))
PARTS_STATED = (gettext_noop("injected activity"), gettext_noop("weight"), gettext_noop("half-life"))
SMALL_DOSE = gettext_noop("the injected activity is too small to be in Bq; it was probably written in MBq")
NO_DECAY_TIME = gettext_noop("the files do not say to what time decay is corrected")
NO_INJECTION = gettext_noop("the files do not state when the tracer was injected")
FAR_INJECTION = gettext_noop(
    "the scan does not begin within 0 to 6 h of the injection, as if a date had been changed"
)
NO_PET_SERIES = gettext_noop("the upload has no PET series")
TWO_TRACERS = gettext_noop("more than one tracer was injected")
SLICES_DIFFER = Message(gettext_noop("the slices of the series differ in {parts}"))
SERIES_DIFFER = gettext_noop("the PET series of this study have different ones")
FEW_SLICES = Message(gettext_noop("only {n} of the {expected} slices of the PET series were read"))
NO_SERIES_TIME = gettext_noop("the series has no date and time")
NO_SLICE_TIMES = gettext_noop("the acquisition times of all slices are needed, and some are missing")
SERIES_TIME = gettext_noop("the series time")
GE_TIME = gettext_noop("GE's scan time (0009,100d), since the series time is later than a slice")
EARLIEST_SLICE = gettext_noop("the earliest slice, since the series time is later")
DECAY_TIME = gettext_noop("the time that decay is corrected to (0018,9701)")
FROM_PIXELS = gettext_noop("The pixels are SUVbw already (units GML): factor 1.")
FROM_PHILIPS = gettext_noop("Philips' own factor (7053,1000), of counts to SUVbw.")
PHILIPS_COUNTS = gettext_noop("Bq/mL (Philips counts × 7053,1009)")
FROM_INJECTION = Message(
    gettext_noop("{weight} kg / {dose} MBq: decay is corrected to the injection (ADMIN). For {more}.")
)
FROM_DOSE = Message(
    gettext_noop(
        "{weight} kg / {decayed} MBq: {dose} MBq injected, decayed for {seconds} s (half-life {half_life} s)"
        " to {time}, {words}. For {more}."
    )
)


def _parts(english: str) -> str:
    return ", ".join(gettext(part) for part in english.split(", "))


# Tells ``Study.suvbw_basis`` and ``SuvFactor.basis`` in the reader's language.
BASIS = Stored(
    [
        NONE, FROM_INJECTION, FROM_DOSE, NOT_STATED, SLICES_DIFFER, FEW_SLICES,
        *map(Message, NOT_CORRECTED.values()),
        *map(Message, (
            OTHER_SUV, ONLY_COUNTS, OTHER_UNITS, SMALL_DOSE, NO_DECAY_TIME, NO_INJECTION, FAR_INJECTION, NO_PET_SERIES,
            TWO_TRACERS, SERIES_DIFFER, NO_SERIES_TIME, NO_SLICE_TIMES, SERIES_TIME, GE_TIME, EARLIEST_SLICE, DECAY_TIME,
            FROM_PIXELS, FROM_PHILIPS, PHILIPS_COUNTS,
        )),
    ],
    {"parts": _parts},
)  # fmt: skip


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
    """What turns a pixel's value into SUVbw (g/mL), and in English words how it was found.

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
        return ScanStart(None, NO_SERIES_TIME)
    if earliest_slice is None:
        return ScanStart(None, NO_SLICE_TIMES)
    if series_at <= earliest_slice:
        return ScanStart(series_at, SERIES_TIME)
    if ge_scan_at is not None:
        return ScanStart(ge_scan_at, GE_TIME)
    return ScanStart(earliest_slice, EARLIEST_SLICE)


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
    uncorrected = frozenset({"ATTN", "DECY"}) - frozenset(header.corrected)
    if uncorrected:
        return no_factor(NOT_CORRECTED[uncorrected])
    if header.units == "GML":
        if header.suv_type not in {"", "BW"}:
            return no_factor(OTHER_SUV)
        return SuvFactor(Decimal(1), "1", FROM_PIXELS)
    if header.units == "CNTS":
        if header.philips_suv:
            return SuvFactor(header.philips_suv, "g/mL per count", FROM_PHILIPS)
        if not header.philips_bqml:
            return no_factor(ONLY_COUNTS)
    elif header.units != "BQML":
        return no_factor(OTHER_UNITS)
    return _from_dose(header, start)


def _from_dose(header: SeriesHeader, start: ScanStart) -> SuvFactor:
    dose, half_life, weight = header.dose_bq, header.half_life_s, header.weight_kg
    absent = [
        words
        for words, value in zip(PARTS_STATED, (dose, weight, half_life), strict=True)
        if value is None or value <= 0
    ]
    if dose is None or half_life is None or weight is None or absent:
        return no_factor(NOT_STATED(parts=", ".join(absent)).english)
    if dose < LEAST_DOSE_BQ:
        return no_factor(SMALL_DOSE)
    counted = PHILIPS_COUNTS if header.units == "CNTS" else "Bq/mL"
    if header.decay_correction == "ADMIN":
        value = weight * 1000 / dose
        basis = FROM_INJECTION(weight=_plain(weight), dose=_mbq(dose), more=counted)
        said = basis.english.replace(" kg", f"{NBSP}kg")
        return SuvFactor(value.quantize(FACTOR_DECIMALS), "g/Bq", said)
    if header.decay_correction == "TIME":
        start = ScanStart(header.decay_corrected_to, DECAY_TIME)
    elif header.decay_correction != "START":
        return no_factor(NO_DECAY_TIME)
    if start.at is None:
        return no_factor(start.why)
    injected_at = injection(header, start.at)
    between = uptake(injected_at, start.at)
    if between is None:
        if injected_at is None:
            return no_factor(NO_INJECTION)
        return no_factor(FAR_INJECTION)
    seconds = Decimal(str(between.total_seconds()))
    decayed = dose * Decimal(2) ** (-seconds / half_life)
    value = weight * 1000 / decayed
    basis = FROM_DOSE(
        weight=_plain(weight),
        decayed=_mbq(decayed),
        dose=_mbq(dose),
        seconds=_plain(seconds),
        half_life=_plain(half_life),
        time=f"{start.at:%H:%M:%S}",
        words=start.why,
        more=counted,
    )
    said = basis.english.replace(" kg", f"{NBSP}kg").replace(" MBq", f"{NBSP}MBq")
    return SuvFactor(value.quantize(FACTOR_DECIMALS), "g/Bq", said)


def no_factor(reason: str) -> SuvFactor:
    """Return that there is no factor.

    Args:
        reason: in English, one of the messages above.
    """
    return SuvFactor(None, "", NONE(words=reason).english)


def _mbq(activity_bq: Decimal) -> str:
    return f"{activity_bq / 1_000_000:.2f}"


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
