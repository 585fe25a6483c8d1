"""Imaging in the REST API, along its subjects."""

from imaging.api.lesions import LesionViewSet, MeasurementViewSet
from imaging.api.readings import ReadingViewSet
from imaging.api.responses import ResponsesViewSet
from imaging.api.studies import StudyViewSet

__all__ = ["LesionViewSet", "MeasurementViewSet", "ReadingViewSet", "ResponsesViewSet", "StudyViewSet"]
