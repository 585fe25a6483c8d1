"""Every write of imaging: lesions, what is found of them, and the readings signed on it."""

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
    "void_lesion",
]
