"""What the figures of single courses and of two readers rest on: a cohort's courses, their sums, responses and readings.

Read from the records as they are now, up to the cohort's data cut-off and of the courses that the cohort counts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.models import Centre, User
from analytics import tallies
from analytics.charts.response.courses import CourseLine, ResponsePoint
from analytics.facts import fetch
from analytics.models import Cohort
from analytics.rules.endpoints import CourseFacts, EndpointDefinition, derive
from imaging.models import ReaderRole, Reading
from imaging.rules.agreement import Agreement, cohens_kappa
from imaging.selectors.response import CourseResponse, course_responses
from treatments.models import Course

MOST_COURSES = 500  # of a figure: more bars or lines are thinner than can be seen


@dataclass(frozen=True)
class CohortCourses:
    """The courses of a cohort that a user may see the records of.

    Attributes:
        lines: of at most ``MOST_COURSES``, those that began first.
        n_courses: how many there are.
        n_contradictory: of those read, left out since their records contradict each other.
        centre_codes: sorted.
    """

    lines: list[CourseLine]
    n_courses: int
    n_contradictory: int
    centre_codes: list[str]
    cutoff: date


@dataclass(frozen=True)
class ReaderAgreement:
    """How the two readers of a cohort's studies agree.

    Attributes:
        n_courses: courses that the studies read twice belong to.
        centre_codes: sorted.
    """

    agreement: Agreement
    n_courses: int
    centre_codes: list[str]
    cutoff: date


def cohort_courses(cohort: Cohort, user: User, *, most: int = MOST_COURSES) -> CohortCourses:
    """Return the treated courses of the cohort at the centres whose records ``user`` may see. Nine queries."""
    codes = _centre_codes(cohort, user, Act.VIEW_RECORDS)
    cutoff = tallies.cutoff_of(cohort)
    ids, n_courses = _treated(cohort, codes, most=most)
    # The cohort says which courses, the one door to clinical records whether the user may see them.
    courses = list(Course.objects.visible_to(user).filter(pk__in=ids).select_related("patient"))
    lines = course_lines(courses, cohort.definition.rules, cutoff=cutoff)
    return CohortCourses(lines, n_courses, len(courses) - len(lines), codes, cutoff)


def reader_agreement(cohort: Cohort, user: User) -> ReaderAgreement:
    """Return how first and second readers agree, at the centres whose results ``user`` may see. Two queries.

    Counted is every study of a counted course from its first administration to the cut-off; no draft.
    """
    codes = _centre_codes(cohort, user, Act.VIEW_RESULTS)
    cutoff = tallies.cutoff_of(cohort)
    conditions, values = tallies.filter_of(cohort)
    sql = f"""
        SELECT a.overall_response, b.overall_response, count(*), count(DISTINCT c.id)
        FROM analytics_outcome o
        JOIN treatments_course c ON c.id = o.course_id AND c.voided_at IS NULL
        JOIN accounts_centre z ON z.id = o.centre_id
        JOIN imaging_study s ON s.patient_id = c.patient_id AND s.course_number = c.number AND s.voided_at IS NULL
            AND s.performed_on BETWEEN o.started_on AND %s
        JOIN imaging_reading a ON a.study_id = s.id AND a.voided_at IS NULL AND a.status <> 'draft'
            AND a.reader_role = 'first'
        JOIN imaging_reading b ON b.study_id = s.id AND b.voided_at IS NULL AND b.status <> 'draft'
            AND b.reader_role = 'second'
        WHERE z.code = ANY(%s) AND {" AND ".join(conditions)}
        GROUP BY GROUPING SETS ((1, 2), ())
    """  # noqa: S608 (the parts are constants of analytics.tallies; values are parameters)
    pairs: list[tuple[str, str]] = []
    n_courses = 0
    with connection.cursor() as cursor:
        cursor.execute(sql, [cutoff, codes, *values])
        for first, second, n, n_of_courses in cursor.fetchall():
            if first is None:  # the row of all
                n_courses = n_of_courses
            else:
                pairs += [(first, second)] * n
    return ReaderAgreement(cohens_kappa(pairs), n_courses, codes, cutoff)


def _centre_codes(cohort: Cohort, user: User, act: Act) -> list[str]:
    visible = Centre.objects.visible_to(user, act).values_list("code", flat=True)
    return sorted(code for code in visible if not cohort.centre_codes or code in cohort.centre_codes)


def _treated(cohort: Cohort, centre_codes: Sequence[str], *, most: int) -> tuple[list[UUID], int]:
    """Return the cohort's treated courses that began first, and how many treated courses it has. One query."""
    conditions, values = tallies.filter_of(cohort)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.course_id, count(*) OVER () FROM analytics_outcome o"  # noqa: S608 (as above)
            " JOIN accounts_centre z ON z.id = o.centre_id"
            f" WHERE o.time_zero IS NOT NULL AND z.code = ANY(%s) AND {' AND '.join(conditions)}"
            " ORDER BY o.time_zero, o.course_id LIMIT %s",
            [list(centre_codes), *values, most],
        )
        rows = cursor.fetchall()
    return [course_id for course_id, _ in rows], rows[0][1] if rows else 0


def _number_of(course: Course) -> str:
    if course.number == 1:
        return course.patient.registry_number
    return _("{patient} course {number}").format(patient=course.patient.registry_number, number=course.number)


def _chart_of(course: Course) -> str:
    return reverse("patient-chart", args=[course.patient_id])


def course_lines(
    courses: Sequence[Course],
    rules: EndpointDefinition,
    *,
    cutoff: date,
    label: Callable[[Course], str] = _number_of,
    href: Callable[[Course], str] = _chart_of,
) -> list[CourseLine]:
    """Return the courses as the figures draw them, by label; without those that were not begun or cannot be derived.

    The courses have their patients along. Six queries for any number.
    """
    patient_ids = {course.patient_id for course in courses}
    facts = {found.id: found.facts for found in fetch([course.pk for course in courses])}
    sums = course_responses(patient_ids)
    read: dict[tuple[UUID, int], list[Reading]] = defaultdict(list)
    in_force = Reading.objects.in_force().filter(
        study__patient__in=patient_ids, study__voided_at__isnull=True
    )
    for reading in in_force.select_related("study").order_by("study__performed_on", "pk"):
        read[reading.study.patient_id, reading.study.course_number].append(reading)
    lines = []
    for course in courses:
        of_course = facts.get(course.pk)
        if of_course is None:
            continue
        key = (course.patient_id, course.number)
        line = _line(of_course, sums.get((*key, ReaderRole.FIRST)), read[key], rules, cutoff)
        if line is not None:
            lines.append(replace(line, label=label(course), href=href(course)))
    return sorted(lines, key=lambda line: line.label)


def _line(
    facts: CourseFacts,
    sums: CourseResponse | None,
    read: Iterable[Reading],
    rules: EndpointDefinition,
    cutoff: date,
) -> CourseLine | None:
    """Return the course without its name; None where it was not begun by the cut-off, or contradicts itself."""
    try:
        outcome = derive(facts, rules, cutoff=cutoff)
    except ValueError:
        return None
    zero = outcome.time_zero
    if zero is None or outcome.os is None:
        return None
    readings = [one for one in read if zero <= one.study.performed_on <= cutoff]
    own = min((one.study.performed_on for one in readings if one.overall_response == "PD"), default=date.max)
    later = [a.on for a in facts.later_assessments if a.response == "PD" and zero <= a.on <= cutoff]
    clinical = [on for on in facts.clinical_progressions if zero <= on <= cutoff]
    progressed_on = min([own, *later, *clinical])
    points = [
        _point(one, sums, zero)
        for one in readings
        # On the day of the first PD it alone counts, as for the best response.
        if one.study.performed_on <= progressed_on
        and (one.study.performed_on != own or one.overall_response == "PD")
    ]
    changes = [point.change_percent for point in points if point.change_percent is not None]
    died_day = outcome.os.days if outcome.os.event else None
    has_progressed = progressed_on != date.max
    return CourseLine(
        label="",
        href="",
        best_response=outcome.best_overall_response or "",
        best_change_percent=min(changes, default=None),
        points=(*_baseline(sums, zero, cutoff), *points),
        cycle_days=tuple((on - zero).days for on in facts.administered_on if on <= cutoff),
        last_day=outcome.os.days,
        progressed_day=(progressed_on - zero).days if has_progressed else None,
        died_day=died_day,
        is_ongoing=died_day is None and not has_progressed,
    )


def _baseline(sums: CourseResponse | None, zero: date, cutoff: date) -> list[ResponsePoint]:
    """Return the study that the sums are compared with, where there is one."""
    if sums is None or sums.baseline is None or sums.problems or sums.baseline.performed_on > cutoff:
        return []
    timepoint = sums.timepoint(sums.baseline)
    if timepoint is None or timepoint.sum_mm is None or not timepoint.is_complete:
        return []
    on = sums.baseline.performed_on
    return [ResponsePoint((on - zero).days, on, timepoint.sum_mm, Decimal(0), "")]


def _point(reading: Reading, sums: CourseResponse | None, zero: date) -> ResponsePoint:
    """Return a study as it was read, with the first reader's sum where one can be compared."""
    on = reading.study.performed_on
    sum_mm = change = None
    derived = sums.derived(reading.study) if sums is not None else None
    if derived is not None and derived.response and derived.timepoint is not None:
        change = derived.timepoint.change_percent
        sum_mm = derived.timepoint.sum_mm if derived.timepoint.is_complete else None
    return ResponsePoint((on - zero).days, on, sum_mm, change, reading.overall_response)
