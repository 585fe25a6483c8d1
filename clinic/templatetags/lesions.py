"""The figures of a course's lesions, for the page that shows them."""

from dataclasses import dataclass

from django import template

from clinic.charts.lesions import LESION_FIGURES
from clinic.selectors.lesions import lesions_over_time
from imaging.models import ReaderRole
from imaging.selectors.response import CourseResponse
from patients.models import Patient

register = template.Library()


@dataclass(frozen=True)
class ShownFigure:
    """``query`` says whose lesions they are; blank: the first reader's."""

    slug: str
    title: str
    alt: str
    query: str
    is_wide: bool = False
    files: tuple[str, ...] = ("svg", "png", "pdf", "csv")


@register.simple_tag
def lesion_figures(
    patient: Patient, course_number: int, reader: str = "", response: CourseResponse | None = None
) -> list[ShownFigure]:
    """Return the figures of which there are values, with their words. 13 queries, nine with what the grid read already."""
    course = lesions_over_time(patient, course_number, reader or ReaderRole.FIRST, response)
    query = f"reader={reader}" if reader and reader != ReaderRole.FIRST else ""
    return [
        ShownFigure(slug, figure.title, figure.alt_text(course), query, figure.is_wide)
        for slug, figure in LESION_FIGURES.items()
        if figure.has_values(course)
    ]
