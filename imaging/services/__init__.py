"""Every write of imaging: studies out of DICOM, lesions, what is found of them, and the readings signed on it."""

from imaging.services.dicom import READ_FROM_DICOM, ReportedLesion, store_dicom_study
from imaging.services.lesions import (
    accept_drafts,
    add_lesion,
    change_lesion,
    correct_measurement,
    record_finding,
    record_measurement,
    void_lesion,
)
from imaging.services.readings import (
    correct_reading,
    derive_reading,
    report_reading,
    save_draft,
    sign_reading,
)

__all__ = [
    "READ_FROM_DICOM",
    "ReportedLesion",
    "accept_drafts",
    "add_lesion",
    "change_lesion",
    "correct_measurement",
    "correct_reading",
    "derive_reading",
    "record_finding",
    "record_measurement",
    "report_reading",
    "save_draft",
    "sign_reading",
    "store_dicom_study",
    "void_lesion",
]
