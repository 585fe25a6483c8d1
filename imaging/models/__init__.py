"""Studies at their timepoints, lesions followed through them, and the readings that say how the tumour responded."""

from imaging.models.lesions import (
    MOST_SIZE_MM,
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    ReaderRole,
    Role,
)
from imaging.models.readings import (
    OverallResponse,
    Reading,
    ReadingRole,
    ReadingStatus,
    SstrResponse,
)
from imaging.models.studies import (
    KRENNING,
    MOST_SUV,
    MOST_TRACER_ACTIVITY_MBQ,
    Modality,
    Study,
    Timepoint,
)

__all__ = [
    "KRENNING",
    "MOST_SIZE_MM",
    "MOST_SUV",
    "MOST_TRACER_ACTIVITY_MBQ",
    "Lesion",
    "LesionOrgan",
    "LesionState",
    "Measurement",
    "Modality",
    "OverallResponse",
    "ReaderRole",
    "Reading",
    "ReadingRole",
    "ReadingStatus",
    "Role",
    "SstrResponse",
    "Study",
    "Timepoint",
]
