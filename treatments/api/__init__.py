"""Treatments in the REST API, along their subjects."""

from treatments.api.administrations import (
    AbsorbedDoseViewSet,
    AdministrationViewSet,
    ExposureViewSet,
    PriorPrrtViewSet,
    SomatostatinAnalogueDoseViewSet,
)
from treatments.api.courses import CourseViewSet, DiscontinuationViewSet
from treatments.api.cycles import CycleViewSet, DoseDecisionViewSet, HoldViewSet
from treatments.api.laboratory import LaboratoryViewSet, LabResultViewSet, ReferenceRangeViewSet
from treatments.api.protocols import ProtocolViewSet
from treatments.api.toxicity import AdverseEventViewSet

__all__ = [
    "AbsorbedDoseViewSet",
    "AdministrationViewSet",
    "AdverseEventViewSet",
    "CourseViewSet",
    "CycleViewSet",
    "DiscontinuationViewSet",
    "DoseDecisionViewSet",
    "ExposureViewSet",
    "HoldViewSet",
    "LabResultViewSet",
    "LaboratoryViewSet",
    "PriorPrrtViewSet",
    "ProtocolViewSet",
    "ReferenceRangeViewSet",
    "SomatostatinAnalogueDoseViewSet",
]
