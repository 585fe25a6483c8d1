"""The facts of courses as the endpoint rules take them, read in one statement so that they are of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from analytics.rules.endpoints import Assessment, CourseFacts

# A cycle that was left out by itself is not planned any more; those that a discontinuation cancelled still count as planned.
# The first course is the first that was begun, or the lowest number while none was. Later courses and their studies say
# three things of an earlier one: that the patient was alive, that another anticancer therapy had begun, and whether the
# tumour had progressed.
_FACTS = """
SELECT c.id, x.centre_id, coalesce(d.tumour_type, ''), coalesce(d.primary_site, ''),
    CASE WHEN t.id IS NULL THEN greatest(1, p.planned_cycles - (SELECT count(*) FROM treatments_cycle y
        WHERE y.course_id = c.id AND y.voided_at IS NULL AND y.status = 'cancelled'))
    ELSE p.planned_cycles END AS planned_cycles,
    c.id = (SELECT o.id FROM treatments_course o
        WHERE o.patient_id = c.patient_id AND o.voided_at IS NULL
        ORDER BY NOT EXISTS (SELECT FROM treatments_cycle y
            JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
            WHERE y.course_id = o.id AND y.voided_at IS NULL), o.number
        LIMIT 1) AS is_first_course,
    ARRAY(SELECT (a.administered_at AT TIME ZONE z.time_zone)::date
        FROM treatments_cycle y JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE y.course_id = c.id AND y.voided_at IS NULL ORDER BY y.number) AS administered_on,
    t.discontinued_on, t.main_reason,
    (SELECT min(s.performed_on) FROM imaging_study s WHERE s.patient_id = c.patient_id
        AND s.course_number = c.number AND s.timepoint = 'baseline' AND s.voided_at IS NULL) AS baseline_on,
    ARRAY(SELECT s.performed_on FROM imaging_study s
        JOIN imaging_reading_in_force r ON r.study_id = s.id
        WHERE s.patient_id = c.patient_id AND s.course_number = c.number AND s.voided_at IS NULL
        ORDER BY s.performed_on, r.id) AS assessed_on,
    ARRAY(SELECT r.overall_response::text FROM imaging_study s
        JOIN imaging_reading_in_force r ON r.study_id = s.id
        WHERE s.patient_id = c.patient_id AND s.course_number = c.number AND s.voided_at IS NULL
        ORDER BY s.performed_on, r.id) AS responses,
    ARRAY(SELECT e.occurred_on FROM patients_diseaseevent e WHERE e.patient_id = c.patient_id
        AND e.kind = 'clinical_progression' AND e.voided_at IS NULL) AS clinical_progressions,
    ARRAY(SELECT e.occurred_on FROM patients_diseaseevent e WHERE e.patient_id = c.patient_id
        AND e.kind = 'new_therapy' AND e.voided_at IS NULL
        UNION ALL
        SELECT (min(a.administered_at) AT TIME ZONE z.time_zone)::date
        FROM treatments_course o
        JOIN treatments_cycle y ON y.course_id = o.id AND y.voided_at IS NULL
        JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE o.patient_id = c.patient_id AND o.number > c.number AND o.voided_at IS NULL
        GROUP BY o.id) AS new_therapies,
    ARRAY(SELECT k.known_alive_on FROM patients_contact k
        WHERE k.patient_id = c.patient_id AND k.voided_at IS NULL
        UNION ALL
        SELECT s.performed_on FROM imaging_study s WHERE s.patient_id = c.patient_id AND s.voided_at IS NULL
        UNION ALL
        SELECT (a.administered_at AT TIME ZONE z.time_zone)::date
        FROM treatments_course o
        JOIN treatments_cycle y ON y.course_id = o.id AND y.voided_at IS NULL
        JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE o.patient_id = c.patient_id AND o.voided_at IS NULL) AS known_alive,
    q.died_on, q.cause,
    ARRAY(SELECT s.performed_on FROM imaging_study s
        JOIN imaging_reading_in_force r ON r.study_id = s.id
        WHERE s.patient_id = c.patient_id AND s.course_number > c.number AND s.voided_at IS NULL
        ORDER BY s.performed_on, r.id) AS assessed_later_on,
    ARRAY(SELECT r.overall_response::text FROM imaging_study s
        JOIN imaging_reading_in_force r ON r.study_id = s.id
        WHERE s.patient_id = c.patient_id AND s.course_number > c.number AND s.voided_at IS NULL
        ORDER BY s.performed_on, r.id) AS later_responses
FROM treatments_course c
JOIN treatments_protocol p ON p.id = c.protocol_id
JOIN patients_patient x ON x.id = c.patient_id AND x.voided_at IS NULL
JOIN accounts_centre z ON z.id = x.centre_id
LEFT JOIN patients_diagnosis d ON d.patient_id = c.patient_id AND d.voided_at IS NULL
LEFT JOIN patients_death q ON q.patient_id = c.patient_id AND q.voided_at IS NULL
LEFT JOIN treatments_discontinuation t ON t.course_id = c.id AND t.voided_at IS NULL
WHERE c.id = ANY(%s) AND c.voided_at IS NULL
"""


@dataclass(frozen=True)
class Course:
    """One course with what cohorts filter by."""

    id: UUID
    centre_id: UUID
    tumour_type: str
    primary_site: str
    is_first_course: bool
    facts: CourseFacts | None
    problem: str = ""  # why there are no facts: they contradict each other


def fetch(course_ids: Sequence[UUID]) -> list[Course]:
    """Return the courses that have not been voided, with their facts, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(course_ids)])
        return [_course(row) for row in cursor.fetchall()]


def _course(row: tuple) -> Course:
    course_id, centre_id, tumour_type, primary_site, planned_cycles, is_first_course, *dated = row
    administered_on, discontinued_on, discontinuation_reason, baseline_on, assessed_on, responses, *more = (
        dated
    )
    clinical_progressions, new_therapies, known_alive, died_on, death_cause, *later = more
    facts, problem = None, ""
    try:
        facts = CourseFacts(
            planned_cycles=planned_cycles,
            administered_on=tuple(administered_on),
            discontinued_on=discontinued_on,
            discontinuation_reason=discontinuation_reason,
            baseline_on=baseline_on,
            assessments=tuple(map(Assessment, assessed_on, responses)),
            clinical_progressions=tuple(clinical_progressions),
            new_therapies=tuple(new_therapies),
            known_alive=tuple(known_alive),
            died_on=died_on,
            death_cause=death_cause,
            later_assessments=tuple(map(Assessment, *later)),
        )
    except ValueError as error:
        problem = str(error)
    return Course(course_id, centre_id, tumour_type, primary_site, is_first_course, facts, problem)
