"""What reading a PET series costs: headers of 100 and of 1,000 slices, each in a process of its own, and its memory."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FEW, MANY = 100, 1_000
SIDE = 192  # pixels; a slice has 72 KiB of them


@dataclass(frozen=True)
class Measured:
    """Files per second, and the peak of resident memory above that of the process before it read, in MiB."""

    few_per_second: float
    many_per_second: float
    few_mib: float
    many_mib: float
    few: int = FEW
    many: int = MANY


def measure() -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), MANY)
        few, few_mib = _in_own_process(folder, FEW)
        many, many_mib = _in_own_process(folder, MANY)
    return Measured(FEW / few, MANY / many, few_mib, many_mib)


def _in_own_process(folder: str, n: int) -> tuple[float, float]:
    done = subprocess.run(  # noqa: S603 - this module, with its own arguments
        [sys.executable, "-m", "bench.dicom", folder, str(n)], check=True, capture_output=True, text=True
    )
    seconds, mib = done.stdout.split()
    return float(seconds), float(mib)


def write(folder: Path, n: int) -> None:
    """Write a PET series of ``n`` slices in Bq/mL, decay-corrected to the start of the scan."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

    drug = Dataset()
    drug.Radiopharmaceutical = "DOTATATE"
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "150000000", "4062"
    drug.RadiopharmaceuticalStartTime = "100000.00"
    dataset = Dataset()
    dataset.SOPClassUID = PositronEmissionTomographyImageStorage
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.PatientSex, dataset.PatientWeight = "PT", "F", "70"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Example^Series", "1", "19570302"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20260310"
    dataset.StudyTime, dataset.SeriesTime = "105500", "110000"
    dataset.Units, dataset.DecayCorrection, dataset.SliceThickness = "BQML", "START", "3"
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY"]
    dataset.RadiopharmaceuticalInformationSequence = [drug]
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = "1.5", "0"
    dataset.PixelData = bytes(SIDE * SIDE * 2)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for number in range(1, n + 1):
        dataset.SOPInstanceUID, dataset.InstanceNumber = generate_uid(), number
        dataset.AcquisitionTime = f"11{number // 60 % 60:02}{number % 60:02}"
        dataset.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def _peak_mib() -> float:
    """Return the peak of this program's memory; getrusage's is at least that of the process it was started from."""
    (kib,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kib) / 1024


def _opened(paths: list[Path]) -> Iterator[BinaryIO]:
    for path in paths:
        with path.open("rb") as file:
            yield file


def read(folder: Path, n: int) -> tuple[float, float]:
    """Return the seconds that ``n`` files took, and by how much they raised the peak of resident memory, MiB."""
    from imaging.dicom.study import read_upload

    paths = sorted(folder.glob("*.dcm"))[:n]

    def study(paths: list[Path]) -> None:
        read_upload(_opened(paths))

    study(paths[:1])  # what is loaded once is not the series'
    before = _peak_mib()
    began = time.perf_counter()
    study(paths)
    return time.perf_counter() - began, _peak_mib() - before


if __name__ == "__main__":
    seconds, mib = read(Path(sys.argv[1]), int(sys.argv[2]))
    print(f"{seconds:.4f} {mib:.1f}")
