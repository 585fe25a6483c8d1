"""Protocols, and the courses that follow them: cycles, administrations, laboratory values, toxicity."""

from treatments.models.administrations import (
    AbsorbedDose,
    Administration,
    AminoAcidRegimen,
    DoseMethod,
    Organ,
    PriorPrrt,
    SomatostatinAnalogue,
    SomatostatinAnalogueDose,
    VenousAccess,
)
from treatments.models.courses import (
    OPEN,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    DoseAdvice,
    DoseDecision,
    Hold,
    HoldReason,
    Intent,
)
from treatments.models.laboratory import LabAnalyte, LabResult, ReferenceRange
from treatments.models.protocols import MOST_ACTIVITY_MBQ, PROTOCOL_FIELDS, PROTOCOL_SECTIONS, Protocol
from treatments.models.toxicity import AdverseEvent, Attribution, EventAction

__all__ = [
    "MOST_ACTIVITY_MBQ",
    "OPEN",
    "PROTOCOL_FIELDS",
    "PROTOCOL_SECTIONS",
    "AbsorbedDose",
    "Administration",
    "AdverseEvent",
    "AminoAcidRegimen",
    "Attribution",
    "Course",
    "Cycle",
    "CycleStatus",
    "Discontinuation",
    "DiscontinuationReason",
    "DoseAdvice",
    "DoseDecision",
    "DoseMethod",
    "EventAction",
    "Hold",
    "HoldReason",
    "Intent",
    "LabAnalyte",
    "LabResult",
    "Organ",
    "PriorPrrt",
    "Protocol",
    "ReferenceRange",
    "SomatostatinAnalogue",
    "SomatostatinAnalogueDose",
    "VenousAccess",
]
