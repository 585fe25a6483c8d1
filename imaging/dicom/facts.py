"""What is read of a study, and nothing of whose it is. Known without pydicom, which only reading needs."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from imaging.dicom.identity import Identity
from imaging.dicom.suv import NO_PET_SERIES, SuvFactor, no_factor

NO_PET = no_factor(NO_PET_SERIES)


@dataclass(frozen=True)
class ReportedMeasurement:
    """What a report says of one lesion. None or blank: nothing.

    Attributes:
        tracking_uid: the same at every time point.
        role: "target" or "non_target".
    """

    tracking_identifier: str
    tracking_uid: str = ""
    finding_site: str = ""
    role: str | None = None
    long_axis_mm: Decimal | None = None
    short_axis_mm: Decimal | None = None
    suv_max: Decimal | None = None


@dataclass(frozen=True)
class StudyFacts:
    """What the files say of a study, and nothing of whose it is.

    Attributes:
        modality: "pet_ct", "pet_mr", "ct" or "mr"; None where the series uploaded leave it open.
        injected_at: local time of the scanner's clock, without a zone.
        utc_offset_minutes: of that clock; None where the files do not say.
        uptake_minutes: from injection to the start of the scan, to the nearest minute.
        slice_thickness_mm: the smallest of the CT or MR series, else of the PET.
        suvbw: the factor, or why there is none.
        warnings: what a person should look at, a sentence each, in the language of whoever reads the files.
        file_count: how many files were looked into.
    """

    study_instance_uid: str
    modality: str | None = None
    performed_on: date | None = None
    tracer: str = ""
    injected_activity_mbq: Decimal | None = None
    injected_at: datetime | None = None
    utc_offset_minutes: int | None = None
    half_life_s: Decimal | None = None
    body_weight_kg: Decimal | None = None
    uptake_minutes: int | None = None
    slice_thickness_mm: Decimal | None = None
    suvbw: SuvFactor = NO_PET
    warnings: tuple[str, ...] = ()
    file_count: int = 0


@dataclass(frozen=True)
class DicomStudy:
    """One study as read: its facts, the measurements reported with it, and whose it is."""

    facts: StudyFacts
    measurements: tuple[ReportedMeasurement, ...]
    identity: Identity
