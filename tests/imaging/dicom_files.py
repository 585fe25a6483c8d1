"""Synthetic DICOM files: PET slices as each vendor writes them, enhanced PET, CT, and measurement reports."""

import io
import zipfile
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import highdicom as hd
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
STUDY = "1.2.826.0.1.3680043.8.498.1"
# Words that no message, log line or representation may hold.
NAME, PATIENT_ID, BIRTH_DATE = "Quillfeather^Ottoline", "MRN-0451-XQ", "19570302"
SECRETS = ("Quillfeather", "Ottoline", PATIENT_ID, BIRTH_DATE, "1957")
HALF_LIFE_S = "4062"


def written(dataset: Dataset, *, meta: Dataset | None = None, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return the data set as the bytes of a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def image(sop_class: str, modality: str, number: int = 1, **values: Any) -> Dataset:
    """Return the plainest image of one slice; ``values`` are set over it, None removes."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[modality, str(number), str(values)])
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = f"{STUDY}.{modality.encode().hex()[:6].lstrip('0').translate(_DIGITS)}"
    dataset.Modality = modality
    dataset.PatientName = NAME
    dataset.PatientID = PATIENT_ID
    dataset.PatientBirthDate = BIRTH_DATE
    dataset.PatientSex = "F"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20190310"
    dataset.StudyTime = "105500"
    dataset.AccessionNumber = dataset.StudyID = dataset.ReferringPhysicianName = ""
    dataset.SeriesTime = dataset.AcquisitionTime = "110000"
    dataset.InstanceNumber = number
    dataset.Rows = dataset.Columns = 4
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.SliceThickness = "3"
    dataset.PixelData = b"\x01\x00" * 16
    return changed(dataset, values)


_DIGITS = str.maketrans("abcdef", "123456")


def changed(dataset: Dataset, values: dict[str, Any]) -> Dataset:
    for keyword, value in values.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def drug(**values: Any) -> Dataset:
    """Return 150 MBq of 68Ga-DOTATATE, injected at 10:00."""
    found = Dataset()
    found.Radiopharmaceutical = "DOTATATE"
    found.RadionuclideTotalDose = "150000000"
    found.RadionuclideHalfLife = HALF_LIFE_S
    found.RadiopharmaceuticalStartTime = "100000.00"
    found.RadiopharmaceuticalStartDateTime = "20190310100000.00"
    found.RadionuclideCodeSequence = Sequence([coded("C-131A3", "SRT", "^68^Gallium")])
    return changed(found, values)


def pet(number: int = 1, *, of: Dataset | None = None, **values: Any) -> Dataset:
    """Return a slice of a PET series of a patient of 70 kg, in Bq/mL, corrected to the start of the scan at 11:00."""
    dataset = image(PositronEmissionTomographyImageStorage, "PT", number)
    dataset.PatientWeight = "70"
    dataset.Units = "BQML"
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY"]
    dataset.DecayCorrection = "START"
    dataset.RescaleSlope, dataset.RescaleIntercept = "1.5", "0"
    dataset.RadiopharmaceuticalInformationSequence = Sequence([drug() if of is None else of])
    return changed(dataset, values)


def with_private(dataset: Dataset, group: int, creator: str, values: dict[int, tuple[str, str]]) -> Dataset:
    block = dataset.private_block(group, creator, create=True)
    for element, (vr, value) in values.items():
        block.add_new(element, vr, value)
    return dataset


def ct(number: int = 1, **values: Any) -> Dataset:
    return image(CTImageStorage, "CT", number, **{"SliceThickness": "1.5"} | values)


def enhanced_pet(frames: Iterable[str] = ("20190310110000", "20190310110300"), **values: Any) -> Dataset:
    """Return an enhanced PET of 70 kg and 150 MBq, whose dose is in MBq and whose decay is corrected to a stated time."""
    dataset = image(ENHANCED_PET, "PT")
    del dataset.SliceThickness
    dataset.PatientWeight = "70"
    dataset.AcquisitionDateTime = "20190310110000"
    dataset.DecayCorrected = dataset.AttenuationCorrected = "YES"
    dataset.DecayCorrectionDateTime = "20190310110000"
    dataset.RadiopharmaceuticalInformationSequence = Sequence([drug(RadionuclideTotalDose="150")])
    measures, mapping, shared = Dataset(), Dataset(), Dataset()
    measures.SliceThickness = "2.5"
    mapping.MeasurementUnitsCodeSequence = Sequence([coded("Bq/ml", "UCUM", "Bq/ml")])
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.RealWorldValueMappingSequence = Sequence([mapping])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence()
    for at in frames:
        content, frame = Dataset(), Dataset()
        content.FrameAcquisitionDateTime = at
        frame.FrameContentSequence = Sequence([content])
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    dataset.NumberOfFrames = len(dataset.PerFrameFunctionalGroupsSequence)
    dataset.PixelData = b"\x01\x00" * 16 * dataset.NumberOfFrames
    return changed(dataset, values)


LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
SUVBW = Code("126401", "DCM", "SUVbw")
MAXIMUM = Code("56851009", "SCT", "Maximum")
MM = Code("mm", "UCUM", "millimeter")
SUV_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
ROLES = {
    "target": Code("112074", "DCM", "Target Lesion"),
    "non_target": Code("112075", "DCM", "Non-Target Lesion"),
}
LIVER = Code("10200004", "SCT", "Liver")
BASELINE_CATEGORY = Code("112072", "DCM", "Baseline Category")


def measured(
    label: str,
    uid: str,
    *,
    long_axis: float | None = None,
    short_axis: float | None = None,
    suv_max: float | None = None,
    role: str | None = "target",
    site: Code = LIVER,
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    """Return a measurement group of TID 1500 for one lesion."""
    found = [
        hd.sr.Measurement(name=name, value=value, unit=MM)
        for name, value in ((LONG_AXIS, long_axis), (SHORT_AXIS, short_axis))
        if value is not None
    ]
    if suv_max is not None:
        found.append(hd.sr.Measurement(name=SUVBW, value=suv_max, unit=SUV_UNIT, derivation=MAXIMUM))
    evaluations = [hd.sr.QualitativeEvaluation(name=BASELINE_CATEGORY, value=ROLES[role])] if role else None
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=label),
        finding_sites=[hd.sr.FindingSite(anatomic_location=site)],
        measurements=found,
        qualitative_evaluations=evaluations,
    )


def report(*groups: Any, evidence: Dataset | None = None) -> Dataset:
    """Return a TID 1500 report as a Comprehensive 3D SR, made by highdicom."""
    observer = hd.sr.ObserverContext(
        observer_type=Code("121006", "DCM", "Person"),
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name="Reader^One"),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer),
        procedure_reported=Code("44139-4", "LN", "PET whole body"),
        imaging_measurements=list(groups),
    )
    return hd.sr.Comprehensive3DSR(
        evidence=[dcmread(io.BytesIO(written(evidence or pet())))],
        content=content,
        series_instance_uid=f"{STUDY}.5",
        series_number=5,
        sop_instance_uid=f"{STUDY}.5.1",
        instance_number=1,
    )


def foreign_report() -> Dataset:
    """Return a report as other makers write it: retired SNOMED codes, a container more, a length in cm, no ROI."""
    root = _item("CONTAINER", None, ("126000", "DCM", "Imaging Measurement Report"))
    for keyword, value in {
        "SOPClassUID": ComprehensiveSRStorage,
        "SOPInstanceUID": f"{STUDY}.6.1",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": f"{STUDY}.6",
        "Modality": "SR",
        "PatientID": PATIENT_ID,
        "PatientName": NAME,
        "StudyDate": "20190310",
    }.items():
        setattr(root, keyword, value)
    group = _item("CONTAINER", "CONTAINS", ("125007", "DCM", "Measurement Group"))
    label = _item("TEXT", "HAS OBS CONTEXT", ("112039", "DCM", "Tracking Identifier"))
    label.TextValue = "L1"
    uid = _item("UIDREF", "HAS OBS CONTEXT", ("112040", "DCM", "Tracking Unique Identifier"))
    uid.UID = "1.2.3.4"
    site = _item("CODE", "HAS CONCEPT MOD", ("G-C0E3", "SRT", "Finding Site"))
    site.ConceptCodeSequence = Sequence([coded("T-62000", "SRT", "Liver")])
    category = _item("CODE", "CONTAINS", ("112072", "DCM", "Baseline Category"))
    category.ConceptCodeSequence = Sequence([coded("112075", "DCM", "Non-Target Lesion")])
    size = _number(("G-A185", "SRT", "Long Axis"), "2.34", ("cm", "UCUM", "cm"))
    suv = _number(("126401", "DCM", "SUVbw"), "17.25", ("{SUVbw}g/ml", "UCUM", "SUVbw"))
    derivation = _item("CODE", "HAS CONCEPT MOD", ("121401", "DCM", "Derivation"))
    derivation.ConceptCodeSequence = Sequence([coded("G-A437", "SRT", "Maximum")])
    suv.ContentSequence = Sequence([derivation])
    mean = _number(("126401", "DCM", "SUVbw"), "9", ("{SUVbw}g/ml", "UCUM", "SUVbw"))
    other = _item("CODE", "HAS CONCEPT MOD", ("121401", "DCM", "Derivation"))
    other.ConceptCodeSequence = Sequence([coded("R-00317", "SRT", "Mean")])
    mean.ContentSequence = Sequence([other])
    group.ContentSequence = Sequence([label, uid, site, category, size, suv, mean])
    between = _item("CONTAINER", "CONTAINS", ("X-1", "99MAKER", "Findings"))
    between.ContentSequence = Sequence([group])
    root.ContentSequence = Sequence([between])
    return root


def _item(kind: str, relation: str | None, name: tuple[str, str, str]) -> Dataset:
    item = Dataset()
    item.ValueType = kind
    if relation:
        item.RelationshipType = relation
    item.ConceptNameCodeSequence = Sequence([coded(*name)])
    return item


def _number(name: tuple[str, str, str], value: str, unit: tuple[str, str, str]) -> Dataset:
    item = _item("NUM", "CONTAINS", name)
    measured_value = Dataset()
    measured_value.NumericValue = value
    measured_value.MeasurementUnitsCodeSequence = Sequence([coded(*unit)])
    item.MeasuredValueSequence = Sequence([measured_value])
    return item


def zipped(files: Iterable[bytes], **options: Any) -> bytes:
    """Return a zip of the files, named as some exports do: by the patient."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(files, 1):
            archive.writestr(f"Quillfeather/IM{number:04d}.dcm", content, **options)
    return buffer.getvalue()


def at(day_and_time: str) -> datetime:
    """Return a scanner's local time, which has no zone."""
    return datetime.fromisoformat(day_and_time)
