"""Figures of the lesions of a course, for the browser, for print, and as numbers."""

import uuid

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.http import SignedInRequest
from analytics.charts import CONTENT_TYPES
from analytics.charts import render as render_figure
from clinic.charts.lesions import LESION_FIGURES, LesionCourse, LesionFigure
from clinic.selectors.lesions import lesions_over_time
from clinic.views.patients import visible_patient
from imaging.models import ReaderRole
from patients.models import Patient


def _asked(
    request: SignedInRequest, patient: Patient, course_number: int, slug: str
) -> tuple[LesionFigure, LesionCourse, str]:
    """Return the figure, what it shows and whose lesions they are (``?reader=second``); 404 without any value."""
    role = request.GET.get("reader", ReaderRole.FIRST)
    if slug not in LESION_FIGURES or role not in ReaderRole.values:
        raise Http404
    course = lesions_over_time(patient, course_number, role)
    if not LESION_FIGURES[slug].has_values(course):
        raise Http404
    return LESION_FIGURES[slug], course, role


@never_cache
@require_safe
def lesion_figure_spec(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, lesion_figure: str
) -> HttpResponse:
    """Return the figure's Vega-Lite specification for the browser."""
    figure, course, _ = _asked(request, visible_patient(request, patient_id), course_number, lesion_figure)
    return JsonResponse(figure.build(course))


@never_cache
@require_safe
def lesion_figure_file(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, lesion_figure: str, file_type: str
) -> HttpResponse:
    """Return a figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    patient = visible_patient(request, patient_id)
    if file_type == "csv":
        with override(settings.LANGUAGE_CODE):  # numbers for programmes, alike whoever asks
            figure, course, role = _asked(request, patient, course_number, lesion_figure)
            content: bytes = figure.numbers(course).encode()
        content_type = "text/csv; charset=utf-8"
    elif file_type in CONTENT_TYPES:
        figure, course, role = _asked(request, patient, course_number, lesion_figure)
        # A file leaves the pages that say that the patients are synthetic, so the figure says it too.
        spec = figure.build(course, theme="print", synthetic=settings.SYNTHETIC_DATA_BANNER)
        content = render_figure(spec, file_type, scale=4, title=str(figure.title))  # type: ignore[arg-type]
        content_type = CONTENT_TYPES[file_type]  # type: ignore[index]
    else:
        raise Http404
    response = HttpResponse(content, content_type=content_type)
    kind = "inline" if "inline" in request.GET else "attachment"
    reader = "" if role == ReaderRole.FIRST else f"-{role}-reader"
    file_name = f"{patient.registry_number}-course-{course_number}-{lesion_figure}{reader}.{file_type}"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    return response
