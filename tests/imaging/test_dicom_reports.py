"""Measurement reports: what highdicom wrote, what other makers write, and both read alike."""

import io
from decimal import Decimal

import pytest
from pydicom import dcmread
from pydicom.sr.coding import Code

from imaging.dicom import reports
from imaging.dicom.facts import ReportedMeasurement
from imaging.dicom.reports import read_report
from imaging.dicom.study import read_upload
from tests.imaging import dicom_files as files

NODE = Code("59441001", "SCT", "Lymph node")
REPORT = files.report(
    files.measured("L1", "1.2.3", long_axis=23.4, suv_max=12.3),
    files.measured("L2", "1.2.4", long_axis=21, short_axis=16, role="non_target", site=NODE),
    files.measured("L3", "1.2.5", suv_max=8, role=None),
)
EXPECTED = [
    ReportedMeasurement("L1", "1.2.3", "Liver", "target", Decimal("23.4"), None, Decimal("12.30")),
    ReportedMeasurement("L2", "1.2.4", "Lymph node", "non_target", Decimal("21.0"), Decimal("16.0"), None),
    ReportedMeasurement("L3", "1.2.5", "Liver", None, None, None, Decimal("8.00")),
]


def test_a_report_of_the_template_is_read_by_highdicom():
    again = dcmread(io.BytesIO(files.written(REPORT)))

    assert reports._by_highdicom(again) == EXPECTED
    assert read_report(again) == EXPECTED


def test_the_walk_reads_of_the_same_report_what_highdicom_reads(monkeypatch):
    monkeypatch.setattr(reports, "_by_highdicom", lambda dataset: None)

    assert read_report(REPORT) == EXPECTED


def test_a_report_of_another_maker_is_read_by_the_walk():
    foreign = dcmread(io.BytesIO(files.written(files.foreign_report())))

    assert read_report(foreign) == [
        # 2.34 cm; the mean SUV is not the maximum
        ReportedMeasurement("L1", "1.2.3.4", "Liver", "non_target", Decimal("23.4"), None, Decimal("17.25"))
    ]


def test_the_parts_of_one_lesion_are_joined_and_contradictions_are_kept():
    joined = read_report(
        files.report(
            files.measured("L1", "1.2.3", long_axis=23.4),
            files.measured("L1", "1.2.3", suv_max=12.3),
            files.measured("L1", "1.2.3", long_axis=30),
        )
    )

    assert [(one.long_axis_mm, one.suv_max) for one in joined] == [
        (Decimal("23.4"), Decimal("12.30")),
        (Decimal("30.0"), None),
    ]


@pytest.mark.parametrize("value", [0, -3, 2001])
def test_a_diameter_that_nothing_has_is_not_taken(value):
    assert read_report(files.report(files.measured("L1", "1.2.3", long_axis=value))) == []


def test_a_report_in_an_upload_comes_with_the_facts_of_its_study():
    study = read_upload([io.BytesIO(files.written(files.pet())), io.BytesIO(files.written(REPORT))])

    assert list(study.measurements) == EXPECTED
    assert study.facts.injected_activity_mbq == 150


def test_a_report_of_something_else_is_passed_over():
    dose = files.foreign_report()
    dose.ConceptNameCodeSequence[0].CodeValue = "113701"  # X-Ray Radiation Dose Report

    study = read_upload([io.BytesIO(files.written(files.pet())), io.BytesIO(files.written(dose))])

    assert study.measurements == ()
