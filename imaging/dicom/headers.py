"""One file's header: what is asked of it, and its values as plain Python, None where they are missing or broken."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.tag import BaseTag, Tag

from imaging.dicom.errors import DicomError
from imaging.dicom.files import Head
from imaging.dicom.identity import Identity
from imaging.dicom.quiet import plainly
from imaging.dicom.suv import SeriesHeader
from languages.wording import gettext as _

PET = "1.2.840.10008.5.1.4.1.1.128"
LEGACY_ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.128.1"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
PET_CLASSES = {PET, LEGACY_ENHANCED_PET, ENHANCED_PET}
# Whose slices a reader measures: legacy, enhanced and converted CT and MR.
SLICE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
}
# Enhanced, Comprehensive, Comprehensive 3D and Extensible SR: those that TID 1500 can be written in.
REPORT_CLASSES = {f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (22, 33, 34, 35)}
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
IMAGING_MEASUREMENT_REPORT = "126000"

PHILIPS = (0x7053, "Philips PET Private Group")
GE = (0x0009, "GEMS_PETD_01")
# Private blocks lie where their creator says; scanners use the first ones.
PRIVATE_BLOCKS = range(0x10, 0x18)

KEYWORDS = (
    "SOPClassUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "StudyDate",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "TimezoneOffsetFromUTC",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "SliceThickness",
    "NumberOfSlices",
    "Units",
    "SUVType",
    "CorrectedImage",
    "DecayCorrection",
    "DecayCorrected",
    "AttenuationCorrected",
    "DecayCorrectionDateTime",
    "RadiopharmaceuticalInformationSequence",
    "ConceptNameCodeSequence",
    "EncryptedAttributesSequence",
    "RealWorldValueMappingSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
TAGS: list[BaseTag] = [
    *(Tag(keyword) for keyword in KEYWORDS),
    *(Tag(group, block) for group, _ in (PHILIPS, GE) for block in PRIVATE_BLOCKS),
    *(Tag(PHILIPS[0], block << 8 | element) for block in PRIVATE_BLOCKS for element in (0x00, 0x09)),
    *(Tag(GE[0], block << 8 | 0x0D) for block in PRIVATE_BLOCKS),
]
UCUM_UNITS = {"bq/ml": "BQML", "g/ml": "GML", "g/ml{suvbw}": "GML", "{suvbw}g/ml": "GML"}
MOST_MBQ = Decimal(2_000)


def read_header(head: Head) -> Dataset:
    """Read the attributes of ``TAGS``; pixels are not reached. A measurement report is read whole.

    Raises:
        DicomError: the file is broken, cut off, encrypted or larger than the bounds.
    """
    return plainly(lambda: _header(head), head.place)


def _header(head: Head) -> Dataset:
    dataset = _parsed(head, TAGS)
    sop_class = text(dataset, "SOPClassUID")
    if is_report(dataset):
        head.seek(0)
        dataset = _parsed(head, None)
    if "EncryptedAttributesSequence" in dataset:
        raise DicomError(
            "encrypted",
            _("{place} has encrypted attributes. Export it without that protection, then repeat.").format(
                place=head.place
            ),
        )
    if text(head_meta(dataset), "MediaStorageSOPClassUID") == MEDIA_DIRECTORY:
        return dataset
    if not (sop_class and text(dataset, "StudyInstanceUID") and text(dataset, "SeriesInstanceUID")):
        raise _cut_off(head)
    if sop_class in PET_CLASSES | SLICE_CLASSES and not _pixels_are_there(head, dataset):
        raise _cut_off(head)
    return dataset


def head_meta(dataset: Dataset) -> Dataset:
    """Return the file meta information, empty for a data set that came without a file."""
    return getattr(dataset, "file_meta", None) or Dataset()


def is_media_directory(dataset: Dataset) -> bool:
    """Return whether the file is the list of contents (DICOMDIR) of a disc, under whatever name."""
    return text(head_meta(dataset), "MediaStorageSOPClassUID") == MEDIA_DIRECTORY


def is_report(dataset: Dataset) -> bool:
    """Return whether it is a report of measurements (TID 1500), not one of dose or of words."""
    return (
        text(dataset, "SOPClassUID") in REPORT_CLASSES
        and _code(dataset, "ConceptNameCodeSequence") == IMAGING_MEASUREMENT_REPORT
    )


def _parsed(head: Head, tags: list[BaseTag] | None) -> Dataset:
    return dcmread(head, stop_before_pixels=True, specific_tags=tags)  # type: ignore[arg-type]


def _cut_off(head: Head) -> DicomError:
    return DicomError(
        "cut_off",
        _("{place} is incomplete, as if cut off. Export it again, then repeat.").format(place=head.place),
    )


def _pixels_are_there(head: Head, dataset: Dataset) -> bool:
    """Return whether the pixel data begin where reading stopped, and the file is as long as they say."""
    order = "little" if dataset.original_encoding[1] is not False else "big"
    start = head.read(12)
    group = int.from_bytes(start[:2], order)  # type: ignore[arg-type]
    if len(start) < 8 or group != 0x7FE0:
        return False
    if dataset.original_encoding[0]:  # implicit VR: tag, length
        length, begins = int.from_bytes(start[4:8], order), head.tell() - 4  # type: ignore[arg-type]
    else:  # tag, VR, two empty bytes, length
        length, begins = int.from_bytes(start[8:12], order), head.tell()  # type: ignore[arg-type]
    return length == 0xFFFFFFFF or begins + length <= head.size


# Values


def text(dataset: Dataset, keyword: str) -> str:
    """Return a text, stripped of blanks and padding; blank where it is missing or no text. Several: the first."""
    value: Any = dataset.get(keyword)
    if value is not None and not isinstance(value, str | int | float) and hasattr(value, "__getitem__"):
        value = value[0] if len(value) and not isinstance(value, bytes) else None
    return str(value).strip(" \0\t\r\n") if value is not None else ""


def number(dataset: Dataset, keyword: str) -> Decimal | None:
    """Return a number as it was written, or None."""
    return as_number(text(dataset, keyword))


def as_number(written: str) -> Decimal | None:
    """Return a decimal string as a number; None for what is none, and for what no quantity of a scan reaches."""
    try:
        value = Decimal(written)
    except InvalidOperation:
        return None
    return (
        value
        if value.is_finite() and (not value or Decimal("1e-15") < abs(value) < Decimal("1e15"))
        else None
    )


def words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the parts of a text with several."""
    value: Any = dataset.get(keyword)
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(str(part).strip(" \0").upper() for part in parts)


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or no sequence."""
    value: Any = dataset.get(keyword)
    return [item for item in value or () if isinstance(item, Dataset)] if not isinstance(value, str) else []


def as_date(written: str) -> date | None:
    """Return a DA, also in the dotted form of old files."""
    found = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", written)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def as_time(written: str) -> time | None:
    """Return a TM, also in the form with colons of old files."""
    found = re.fullmatch(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", written)
    if not found:
        return None
    hour, minute, second, fraction = found.groups()
    try:
        # 60 is a leap second, which datetime does not know.
        return time(
            int(hour), int(minute or 0), min(int(second or 0), 59), int((fraction or "").ljust(6, "0"))
        )
    except ValueError:
        return None


def as_offset(written: str) -> timedelta | None:
    """Return an offset from UTC, written +HHMM."""
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)", written)
    if not found:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return (-offset if found[1] == "-" else offset) if offset <= timedelta(hours=14) else None


def as_datetime(written: str, clock: timedelta | None) -> datetime | None:
    """Return a DT as the local time of the scanner's clock.

    Args:
        clock: the clock's offset from UTC. A DT with an offset of its own is turned to it; without it, taken as it stands.
    """
    found = re.fullmatch(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?", written)
    if not found:
        return None
    day, hour = as_date(found[1]), as_time(found[2])
    if day is None or hour is None:
        return None
    at = datetime.combine(day, hour)
    own = as_offset(found[3] or "")
    try:
        return at - own + clock if own is not None and clock is not None else at
    except OverflowError:
        return None


def clock_offset(dataset: Dataset) -> timedelta | None:
    """Return how far the scanner's clock is from UTC, where the file says so."""
    return as_offset(text(dataset, "TimezoneOffsetFromUTC"))


def at_date_and_time(dataset: Dataset, what: str) -> datetime | None:
    """Return ``what``Date and ``what``Time together."""
    day, hour = as_date(text(dataset, f"{what}Date")), as_time(text(dataset, f"{what}Time"))
    return datetime.combine(day, hour) if day and hour else None


def _code(dataset: Dataset, keyword: str, part: str = "CodeValue") -> str:
    for item in items(dataset, keyword)[:1]:
        return text(item, part)
    return ""


def _private(dataset: Dataset, where: tuple[int, str], element: int) -> str:
    """Return a private value; an unknown VR leaves it as bytes."""
    group, creator = where
    for block in PRIVATE_BLOCKS:
        if (group, block) not in dataset or (group, block << 8 | element) not in dataset:
            continue
        if _loose(dataset[group, block].value) != creator:
            continue
        return _loose(dataset[group, block << 8 | element].value)
    return ""


def _loose(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    elif isinstance(value, list | tuple) or (hasattr(value, "__len__") and not isinstance(value, str)):
        value = value[0] if len(value) else ""
    return str(value).strip(" \0")


# What a file says


def identity(dataset: Dataset) -> Identity:
    """Return whose file it is."""
    return Identity(
        patient_id=text(dataset, "PatientID"),
        name=text(dataset, "PatientName"),
        birth_date=as_date(text(dataset, "PatientBirthDate")),
        sex=text(dataset, "PatientSex").upper()[:1],
    )


def radiopharmaceuticals(dataset: Dataset) -> list[Dataset]:
    """Return the items of the radiopharmaceutical sequence, wherever a converted file keeps it."""
    own = items(dataset, "RadiopharmaceuticalInformationSequence")
    return own or [
        found
        for group in items(dataset, "SharedFunctionalGroupsSequence")
        for shared in items(group, "UnassignedSharedConvertedAttributesSequence")
        for found in items(shared, "RadiopharmaceuticalInformationSequence")
    ]


def acquired(dataset: Dataset) -> Iterator[datetime | None]:
    """Yield the acquisition time of every slice or frame in the file; None where one has none."""
    frames = items(dataset, "PerFrameFunctionalGroupsSequence")
    clock = clock_offset(dataset)
    if not frames:
        yield at_date_and_time(dataset, "Acquisition") or as_datetime(
            text(dataset, "AcquisitionDateTime"), clock
        )
        return
    for frame in frames:
        contents = items(frame, "FrameContentSequence")
        written = text(contents[0], "FrameAcquisitionDateTime") if contents else ""
        yield as_datetime(written or text(dataset, "AcquisitionDateTime"), clock)


def slice_thickness_mm(dataset: Dataset) -> Decimal | None:
    """Return the smallest slice thickness the file states."""
    found = [number(dataset, "SliceThickness")]
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in items(dataset, keyword):
            found += [
                number(measures, "SliceThickness") for measures in items(group, "PixelMeasuresSequence")
            ]
    return min((value for value in found if value is not None and 0 < value < 100), default=None)


def dose_bq(dataset: Dataset, drug: Dataset) -> Decimal | None:
    """Return the injected activity in Bq, as which legacy files store it; enhanced ones store MBq (PS3.3 C.8.22.4)."""
    dose = number(drug, "RadionuclideTotalDose")
    if dose is None:
        return None
    return dose * 1_000_000 if text(dataset, "SOPClassUID") == ENHANCED_PET else dose


def series_header(dataset: Dataset) -> SeriesHeader:
    """Return what the SUVbw factor depends on and every slice of a series repeats."""
    clock = clock_offset(dataset)
    drugs = radiopharmaceuticals(dataset)
    drug = drugs[0] if len(drugs) == 1 else Dataset()
    corrected = set(words(dataset, "CorrectedImage"))
    decay = text(dataset, "DecayCorrection").upper()
    if text(dataset, "SOPClassUID") == ENHANCED_PET:
        yes = {"DecayCorrected": "DECY", "AttenuationCorrected": "ATTN"}
        corrected |= {code for keyword, code in yes.items() if text(dataset, keyword).upper() == "YES"}
        decay = "TIME" if text(dataset, "DecayCorrectionDateTime") else ""
    return SeriesHeader(
        units=text(dataset, "Units").upper() or _mapped_units(dataset),
        suv_type=text(dataset, "SUVType").upper(),
        corrected=tuple(sorted(corrected)),
        decay_correction=decay,
        decay_corrected_to=as_datetime(text(dataset, "DecayCorrectionDateTime"), clock),
        series_at=at_date_and_time(dataset, "Series"),
        ge_scan_at=as_datetime(_private(dataset, GE, 0x0D), clock),
        injected_at=as_datetime(text(drug, "RadiopharmaceuticalStartDateTime"), clock),
        injected_time=as_time(text(drug, "RadiopharmaceuticalStartTime")),
        dose_bq=dose_bq(dataset, drug),
        half_life_s=number(drug, "RadionuclideHalfLife"),
        weight_kg=number(dataset, "PatientWeight"),
        philips_suv=as_number(_private(dataset, PHILIPS, 0x00)),
        philips_bqml=as_number(_private(dataset, PHILIPS, 0x09)),
    )


def _mapped_units(dataset: Dataset) -> str:
    """Return the units that an enhanced file maps its pixels to, in the words of a legacy one."""
    groups = [dataset, *items(dataset, "SharedFunctionalGroupsSequence")]
    groups += items(dataset, "PerFrameFunctionalGroupsSequence")[:1]
    for group in groups:
        for mapping in items(group, "RealWorldValueMappingSequence"):
            known = UCUM_UNITS.get(_code(mapping, "MeasurementUnitsCodeSequence").casefold())
            if known:
                return known
    return ""


NUCLIDES = {"ga": "68Ga", "gallium": "68Ga", "cu": "64Cu", "copper": "64Cu", "f": "18F", "fluorine": "18F"}
LIGANDS = {
    "DOTATATE": "DOTATATE",
    "OXODOTREOTIDE": "DOTATATE",
    "DOTATOC": "DOTATOC",
    "EDOTREOTIDE": "DOTATOC",
    "DOTANOC": "DOTANOC",
    "FLUORODEOXYGLUCOSE": "FDG",
    "FDG": "FDG",
}


def tracer(drug: Dataset) -> str:
    """Return the tracer in the registry's way, such as 68Ga-DOTATATE; else in the words of the file, or blank."""
    said = [
        text(drug, "Radiopharmaceutical"),
        _code(drug, "RadiopharmaceuticalCodeSequence", "CodeMeaning"),
    ]
    nuclide = _nuclide(" ".join([_code(drug, "RadionuclideCodeSequence", "CodeMeaning"), *said]))
    for spoken in said:
        plain = re.sub(r"[^A-Z]", "", spoken.upper())
        for word, ligand in LIGANDS.items():
            if word in plain and nuclide:
                return f"{nuclide}-{ligand}"
    return next((spoken for spoken in said if spoken), nuclide)[:40]


def _nuclide(spoken: str) -> str:
    for pattern in (r"\b([A-Za-z]+)[\s^-]*(\d{2})\b", r"(\d{2})[\s^-]*([A-Za-z]+)\b"):
        for found in re.finditer(pattern, spoken):
            mass = next(part for part in found.groups() if part.isdigit())
            name = next(part for part in found.groups() if not part.isdigit())
            known = NUCLIDES.get(name.casefold(), "")
            if known.startswith(mass):
                return known
    return ""
