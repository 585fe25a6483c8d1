"""Joins the files of one study, whatever their number, into the facts that prefill it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import BinaryIO

from pydicom import Dataset

from imaging.dicom import headers, suv
from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy, ReportedMeasurement, StudyFacts
from imaging.dicom.files import LIMITS, Limits, Uploads, grouped
from imaging.dicom.identity import Identity
from imaging.dicom.quiet import plainly
from imaging.dicom.reports import joined, read_report
from imaging.dicom.suv import BASIS, SeriesHeader, SuvFactor, no_factor
from languages.wording import gettext as _
from languages.wording import gettext_noop, number

MOST_SERIES = 500
MOST_REPORTS = 50
MOST_MEASUREMENTS = 200  # as many as a person can look through
SMALL_PART = Decimal("0.001")
# Of 68Ga, s: 67.71 min, and what scanners' tables hold. Another value belongs to another nuclide or was mistyped.
GALLIUM_HALF_LIFE_S = (Decimal(4_040), Decimal(4_100))
LAST = datetime(9999, 12, 31)  # noqa: DTZ001 - times of scanners have no zone


@dataclass
class _PetSeries:
    header: SeriesHeader
    tracer: str
    drugs: int
    offset: timedelta | None
    is_enhanced: bool
    expected: int
    slices: int = 0
    earliest: datetime | None = None
    untimed: int = 0
    conflicts: set[str] = field(default_factory=set)

    def scan_start(self) -> suv.ScanStart:
        if self.slices < self.expected:
            return suv.ScanStart(None, suv.FEW_SLICES(n=self.slices, expected=self.expected).english)
        return suv.scan_start(
            self.header.series_at, None if self.untimed else self.earliest, self.header.ge_scan_at
        )

    def about_when(self) -> datetime | None:
        """The start of the scan as well as it can be told."""
        return self.scan_start().at or self.earliest or self.header.series_at

    def factor(self) -> SuvFactor:
        if self.drugs > 1:
            return no_factor(suv.TWO_TRACERS)
        if self.conflicts:
            return no_factor(suv.SLICES_DIFFER(parts=", ".join(sorted(self.conflicts))).english)
        return suv.suvbw_factor(self.header, self.scan_start())


class StudyReader:
    """Takes headers in one at a time and keeps no more than one per series."""

    def __init__(self) -> None:
        self._study = ""
        self._identity = Identity()
        self._pet: dict[str, _PetSeries] = {}
        self._modalities: set[str] = set()
        self._series: set[str] = set()
        self._performed_on: date | None = None
        self._thickness: dict[str, Decimal] = {}
        self._measurements: list[ReportedMeasurement] = []
        self._reports = 0
        self._files = 0

    def add(self, dataset: Dataset, place: str) -> None:
        """Take in one file's header.

        Args:
            place: names the file for a person, such as "File 3".

        Raises:
            DicomError: it is of another study or patient, or cannot be read.
        """
        plainly(lambda: self._add(dataset, place), place)

    def _add(self, dataset: Dataset, place: str) -> None:
        if headers.is_media_directory(dataset):
            return
        self._files += 1
        self._check_same(dataset, place)
        series = headers.text(dataset, "SeriesInstanceUID")
        self._series.add(series)
        if len(self._series) > MOST_SERIES:
            raise DicomError(
                "too_many_series",
                _("The study has more than {most} series. Upload its PET and CT alone.").format(
                    most=MOST_SERIES
                ),
            )
        self._performed_on = self._performed_on or headers.as_date(headers.text(dataset, "StudyDate"))
        sop_class = headers.text(dataset, "SOPClassUID")
        if sop_class in headers.PET_CLASSES | headers.SLICE_CLASSES:
            modality = "PT" if sop_class in headers.PET_CLASSES else headers.text(dataset, "Modality")
            self._modalities.add(modality)
            thickness = headers.slice_thickness_mm(dataset)
            if thickness is not None:
                self._thickness[modality] = min(thickness, self._thickness.get(modality, thickness))
        if sop_class in headers.PET_CLASSES:
            self._add_pet(dataset, series)
        elif headers.is_report(dataset):
            self._reports += 1
            self._measurements += read_report(dataset)
            if self._reports > MOST_REPORTS or len(self._measurements) > MOST_MEASUREMENTS:
                raise DicomError(
                    "too_many_reports",
                    _(
                        "The upload has more than {reports} reports or {measurements} measurements. Upload the reports that"
                        " count alone."
                    ).format(reports=MOST_REPORTS, measurements=MOST_MEASUREMENTS),
                )

    def _check_same(self, dataset: Dataset, place: str) -> None:
        study = headers.text(dataset, "StudyInstanceUID")
        if not _is_uid(study):
            raise DicomError(
                "broken",
                _("{place} has no valid study UID. Export it again, then repeat.").format(place=place),
            )
        if self._study and study != self._study:
            raise DicomError(
                "mixed_studies",
                _(
                    "{place} belongs to another study than the files before it. Upload one study at a time."
                ).format(place=place),
            )
        self._study = study
        identity = headers.identity(dataset)
        if self._identity.differs_from(identity):
            raise DicomError(
                "mixed_patients",
                _(
                    "{place} belongs to another patient than the files before it. Check where they come from; nothing was"
                    " stored."
                ).format(place=place),
            )
        self._identity = self._identity.joined(identity)

    def _add_pet(self, dataset: Dataset, series_uid: str) -> None:
        header = headers.series_header(dataset)
        series = self._pet.get(series_uid)
        if series is None:
            drugs = headers.radiopharmaceuticals(dataset)
            series = self._pet[series_uid] = _PetSeries(
                header=header,
                tracer=headers.tracer(drugs[0]) if drugs else "",
                drugs=len(drugs),
                offset=headers.clock_offset(dataset),
                is_enhanced=headers.text(dataset, "SOPClassUID") == headers.ENHANCED_PET,
                expected=int(headers.number(dataset, "NumberOfSlices") or 0),
            )
        elif header != series.header:
            series.conflicts |= {
                NAMES[part.name]
                for part in fields(SeriesHeader)
                if getattr(header, part.name) != getattr(series.header, part.name)
            }
        for at in headers.acquired(dataset):
            series.slices += 1
            if at is None:
                series.untimed += 1
            elif series.earliest is None or at < series.earliest:
                series.earliest = at

    def result(self) -> DicomStudy:
        """Return what was read.

        Raises:
            DicomError: there was nothing of a study.
        """
        if not self._modalities and not self._reports:
            raise DicomError(
                "nothing_to_read",
                _(
                    "The upload has no PET, CT or MR images and no measurement report. Choose other files, then repeat."
                ),
            )
        warnings: list[str] = []
        facts = StudyFacts(
            study_instance_uid=self._study,
            modality=self._modality(),
            performed_on=self._performed_on,
            slice_thickness_mm=self._slice_thickness(),
            file_count=self._files,
        )
        if self._pet:
            facts = self._with_pet(facts, warnings)
        measurements = self._unnamed(joined(self._measurements), warnings)
        if facts.tracer and self._identity.is_named_in(facts.tracer):
            facts = replace(facts, tracer="")
            warnings.append(_("The name of the tracer holds the patient's name or ID, and was left out."))
        return DicomStudy(replace(facts, warnings=tuple(warnings)), measurements, self._identity)

    def _modality(self) -> str | None:
        if "PT" in self._modalities:
            other = self._modalities & {"CT", "MR"}
            return {"CT": "pet_ct", "MR": "pet_mr"}[other.pop()] if len(other) == 1 else None
        if len(self._modalities) == 1:
            return {"CT": "ct", "MR": "mr"}.get(next(iter(self._modalities)))
        return None

    def _slice_thickness(self) -> Decimal | None:
        anatomical = [value for modality, value in self._thickness.items() if modality != "PT"]
        return min(anatomical, default=self._thickness.get("PT"))

    def _with_pet(self, facts: StudyFacts, warnings: list[str]) -> StudyFacts:
        # Uncorrected series beside the corrected one say the same of the injection, and nothing of SUV.
        corrected = [series for series in self._pet.values() if "ATTN" in series.header.corrected]
        chosen = corrected or list(self._pet.values())
        series = min(chosen, key=lambda one: (one.about_when() or LAST, -one.slices))
        header = series.header
        injected_at = suv.injection(header, series.about_when())
        between = suv.uptake(injected_at, series.about_when())
        if injected_at is not None and between is None:
            warnings.append(
                _(
                    "The injection and the scan are not 0 to 6 h apart, so the uptake time was left out: a date or a clock"
                    " may have been changed."
                )
            )
        if between is not None and series.scan_start().at is None:
            warnings.append(
                _("The start of the scan is uncertain: {why}.").format(
                    why=BASIS.retold(series.scan_start().why)
                )
            )
        if series.conflicts:
            warnings.append(
                _("The slices of the PET series differ in {parts}.").format(
                    parts=", ".join(_(part) for part in sorted(series.conflicts))
                )
            )
        scan_on = (series.about_when() or LAST).date()
        if facts.performed_on and scan_on not in {facts.performed_on, LAST.date()}:
            warnings.append(_("The study and its PET series have different dates."))
        return replace(
            facts,
            performed_on=facts.performed_on or (None if scan_on == LAST.date() else scan_on),
            tracer=series.tracer,
            injected_activity_mbq=_activity_mbq(series, warnings),
            injected_at=injected_at,
            utc_offset_minutes=None if series.offset is None else int(series.offset.total_seconds() // 60),
            half_life_s=_half_life(series, warnings),
            body_weight_kg=_weight_kg(header, warnings),
            uptake_minutes=None if between is None else _minutes(between),
            suvbw=_common_factor(chosen),
        )

    def _unnamed(
        self, measurements: Iterable[ReportedMeasurement], warnings: list[str]
    ) -> tuple[ReportedMeasurement, ...]:
        found = []
        for n, measurement in enumerate(measurements, 1):
            if self._identity.is_named_in(measurement.tracking_identifier):
                measurement = replace(measurement, tracking_identifier=f"Lesion {n}")
                warnings.append(
                    _("The name of lesion {number} held the patient's name or ID, and was replaced.").format(
                        number=n
                    )
                )
            if self._identity.is_named_in(measurement.finding_site):
                measurement = replace(measurement, finding_site="")
            found.append(measurement)
        return tuple(found)


NAMES = {
    "units": gettext_noop("units"),
    "suv_type": gettext_noop("kind of SUV"),
    "corrected": gettext_noop("corrections"),
    "decay_correction": gettext_noop("decay correction"),
    "decay_corrected_to": gettext_noop("time of decay correction"),
    "series_at": gettext_noop("series time"),
    "ge_scan_at": gettext_noop("scan time"),
    "injected_at": gettext_noop("injection time"),
    "injected_time": gettext_noop("injection time"),
    "dose_bq": gettext_noop("injected activity"),
    "half_life_s": gettext_noop("half-life"),
    "weight_kg": gettext_noop("weight"),
    "philips_suv": gettext_noop("scale factor"),
    "philips_bqml": gettext_noop("scale factor"),
}


def _common_factor(chosen: list[_PetSeries]) -> SuvFactor:
    """Return the factor of the series, where they have one in common."""
    found = [series.factor() for series in chosen]
    known = [factor for factor in found if factor.value is not None]
    if not known:
        return found[0]
    first = known[0]
    for factor in known[1:]:
        assert first.value is not None
        assert factor.value is not None
        if factor.unit != first.unit or abs(factor.value - first.value) > SMALL_PART * first.value:
            return no_factor(suv.SERIES_DIFFER)
    return first


def _activity_mbq(series: _PetSeries, warnings: list[str]) -> Decimal | None:
    if series.header.dose_bq is None:
        warnings.append(_("The files do not state the injected activity."))
        return None
    activity = series.header.dose_bq / 1_000_000
    written = activity if series.is_enhanced else series.header.dose_bq
    if not series.is_enhanced and 0 < written < suv.LEAST_DOSE_BQ:
        warnings.append(
            _(
                "The injected activity is too small to be in Bq, as the files should state it: it was taken as MBq."
                " Check it; no SUVbw factor is given."
            )
        )
        activity = written
    if not 0 < activity <= headers.MOST_MBQ:
        warnings.append(
            _("The injected activity in the files is not between 0 and {most} MBq, and was left out.").format(
                most=grouped(headers.MOST_MBQ)
            )
        )
        return None
    return activity.quantize(Decimal("0.1"), ROUND_HALF_UP)


def _half_life(series: _PetSeries, warnings: list[str]) -> Decimal | None:
    half_life = series.header.half_life_s
    least, most = GALLIUM_HALF_LIFE_S
    if half_life is not None and series.tracer.startswith("68Ga") and not least <= half_life <= most:
        warnings.append(
            _("The half-life in the files is not that of 68Ga ({least} to {most} s).").format(
                least=number(least), most=number(most)
            )
        )
    return half_life


def _weight_kg(header: SeriesHeader, warnings: list[str]) -> Decimal | None:
    weight = header.weight_kg
    if weight is None or weight == 0:
        warnings.append(_("The files do not state the body weight."))
        return None
    if not 2 <= weight <= 400:
        warnings.append(_("The body weight in the files is not between 2 and 400 kg, and was left out."))
        return None
    return weight.quantize(Decimal("0.1"), ROUND_HALF_UP)


def _minutes(between: timedelta) -> int:
    return int((Decimal(str(between.total_seconds())) / 60).quantize(Decimal(1), ROUND_HALF_UP))


def _is_uid(written: str) -> bool:
    return 0 < len(written) <= 64 and set(written) <= set("0123456789.")


class UploadReader:
    """Reads the headers of one study out of an upload, part by part.

    Memory does not grow with the number of files, and pixels are not read.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._uploads = Uploads(limits)
        self._study = StudyReader()

    def take(self, part: BinaryIO, *, size: int | None = None) -> None:
        """Take in a part of the upload: a DICOM file, or a zip of them.

        Args:
            size: of the whole file, where ``part`` is only its beginning, at least ``Limits.header_bytes`` of it.

        Raises:
            DicomError: any file cannot be used; then nothing of the upload is.
        """
        for head in self._uploads.each_file(part, size=size):
            self._study.add(headers.read_header(head), head.place)

    def result(self) -> DicomStudy:
        """Return what was read.

        Raises:
            DicomError: there was nothing of a study.
        """
        self._uploads.end()
        return self._study.result()


def read_upload(uploads: Iterable[BinaryIO], limits: Limits = LIMITS) -> DicomStudy:
    """Read the headers of one study out of uploaded files, each a DICOM file or a zip of them.

    Raises:
        DicomError: any file cannot be used; then nothing of the upload is.
    """
    reader = UploadReader(limits)
    for upload in uploads:
        reader.take(upload)
    return reader.result()
