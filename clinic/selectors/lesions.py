"""The lesions of a course as their figures take them."""

from datetime import date

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics.charts.response.courses import CourseLine
from analytics.responses import course_lines
from analytics.rules.endpoints import EndpointDefinition
from clinic.charts.laboratory import CycleMark
from clinic.charts.lesions import LesionCourse, LesionTrace, SumPoint, Uptake
from imaging.models import ReaderRole, Reading, Study
from imaging.selectors.response import CourseResponse, course_response
from patients.models import Patient
from treatments.models import Administration, Course


def lesions_over_time(
    patient: Patient,
    course_number: int,
    reader_role: str = ReaderRole.FIRST,
    response: CourseResponse | None = None,
) -> LesionCourse:
    """Return SUVmax and sums of a reader's lesions through a course, and all courses of the patient. 13 queries.

    What was imported and not accepted yet does not count.

    Args:
        response: of this course and reader, where it was read already: four queries less.
    """
    if response is None:
        response = course_response(patient.pk, course_number, reader_role)
    traces = []
    for lesion in response.lesions:
        points = [
            Uptake(study.performed_on, one.suv_max)
            for study in response.studies
            if (one := response.measurements.get((lesion.pk, study.pk))) is not None
            and not one.is_draft
            and one.suv_max is not None
        ]
        if points:
            where = ", ".join(filter(None, [lesion.get_organ_display(), lesion.site]))
            traces.append(LesionTrace(lesion.label, where, lesion.role, points))
    read = _responses_in_force(response.studies)
    sums = []
    for study in response.studies:
        derived = response.derived(study)
        timepoint = derived.timepoint
        is_baseline = response.baseline is not None and study.pk == response.baseline.pk
        if timepoint is None or timepoint.sum_mm is None or not (is_baseline or derived.response):
            continue
        sums.append(
            SumPoint(
                on=study.performed_on,
                sum_mm=timepoint.sum_mm,
                is_complete=timepoint.is_complete,
                change_percent=timepoint.change_percent,
                nadir_change_percent=timepoint.nadir_change_percent,
                derived=derived.response,
                read=read.get(study.pk, ""),
            )
        )
    today = timezone.now().astimezone(patient.centre.zone).date()
    lanes = _lanes(patient, today)
    return LesionCourse(course_number, traces, sums, _cycles(patient, course_number), lanes, today)


def _lanes(patient: Patient, today: date) -> list[CourseLine]:
    return course_lines(
        list(Course.objects.current().filter(patient=patient)),
        EndpointDefinition(),
        cutoff=today,
        label=lambda course: _("Course {number}").format(number=course.number),
        href=lambda course: reverse("imaging", args=[patient.pk, course.number]),
    )


def _responses_in_force(studies: list[Study]) -> dict[object, str]:
    return dict(
        Reading.objects.in_force()
        .filter(study__in=[study.pk for study in studies])
        .values_list("study_id", "overall_response")
    )


def _cycles(patient: Patient, course_number: int) -> list[CycleMark]:
    zone = patient.centre.zone
    given = (
        Administration.objects.current()
        .filter(
            cycle__voided_at=None,
            cycle__course__voided_at=None,
            cycle__course__patient=patient,
            cycle__course__number=course_number,
        )
        .order_by("administered_at")
        .values_list("cycle__number", "administered_at")
    )
    return [
        CycleMark(
            at.astimezone(zone).date(),
            _("C{number}").format(number=number),
            _("Cycle {number}").format(number=number),
        )
        for number, at in given
    ]
