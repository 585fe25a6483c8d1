"""The facts that queries follow from, of many patients together: one statement, so that they are of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from analytics.rules.data_queries import (
    CourseFacts,
    GivenCycle,
    OpenCycle,
    PatientFacts,
    PlanFacts,
    StudyFact,
)
from patients.models import DeathCause

# A row for each patient, whose courses, cycles and studies are arrays of JSON. Days are the centre's.
_FACTS = """
WITH patient AS MATERIALIZED (
    SELECT x.id, x.centre_id, x.created_at, z.time_zone AS zone
    FROM patients_patient x JOIN accounts_centre z ON z.id = x.centre_id
    WHERE x.id = ANY(%s) AND x.voided_at IS NULL
), given AS MATERIALIZED (
    SELECT p.id AS patient_id, p.zone, c.id AS course_id, r.labs_before_cycle, y.id AS cycle_id, y.number, a.id,
        (a.administered_at AT TIME ZONE p.zone)::date AS given_on, a.prescribed_activity_mbq, a.administered_activity_mbq,
        a.deviation_explanation
    FROM patient p JOIN treatments_course c ON c.patient_id = p.id AND c.voided_at IS NULL
    JOIN treatments_protocol r ON r.id = c.protocol_id
    JOIN treatments_cycle y ON y.course_id = c.id AND y.voided_at IS NULL AND y.status = 'given'
    JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
), cycles AS (
    SELECT g.course_id, min(given_on) AS first_on, max(given_on) AS last_on, jsonb_agg(jsonb_build_array(
        g.cycle_id, g.number, g.id, g.given_on, g.prescribed_activity_mbq::text, g.administered_activity_mbq::text,
        btrim(g.deviation_explanation) <> '', l.latest) ORDER BY g.given_on, g.number) AS given
    FROM given g LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(analyte, taken_on) AS latest FROM (
            SELECT analyte, max((taken_at AT TIME ZONE g.zone)::date) AS taken_on FROM treatments_labresult
            WHERE patient_id = g.patient_id AND voided_at IS NULL AND analyte = ANY(g.labs_before_cycle)
                AND taken_at < (g.given_on + 1)::timestamp AT TIME ZONE g.zone
            GROUP BY analyte) AS of_analyte) l ON TRUE
    GROUP BY g.course_id
), study AS MATERIALIZED (
    SELECT p.id AS patient_id, s.id, s.course_number, s.timepoint, s.performed_on, f.overall_response
    FROM patient p JOIN imaging_study s ON s.patient_id = p.id AND s.voided_at IS NULL
    LEFT JOIN imaging_reading_in_force f ON f.study_id = s.id
), studies AS (
    SELECT patient_id, course_number, max(performed_on) AS last_on, jsonb_agg(jsonb_build_array(
        id, timepoint = 'baseline', performed_on, coalesce(overall_response, '')) ORDER BY performed_on, id) AS studies
    FROM study GROUP BY patient_id, course_number
), courses AS (
    SELECT c.patient_id, max(y.last_on) AS last_on, jsonb_agg(jsonb_build_array(c.id, c.number, r.labs_before_cycle,
        r.labs_within_days, r.imaging_after_cycles, r.imaging_due_days, r.window_days, y.given, n.next_open,
        t.discontinued_on, t.main_reason = 'progression' OR 'progression' = ANY(t.further_reasons), s.studies)
        ORDER BY c.number) AS courses
    FROM patient p JOIN treatments_course c ON c.patient_id = p.id AND c.voided_at IS NULL
    JOIN treatments_protocol r ON r.id = c.protocol_id
    LEFT JOIN cycles y ON y.course_id = c.id
    LEFT JOIN LATERAL (SELECT jsonb_build_array(id, number, planned_on, status = 'held') AS next_open FROM treatments_cycle
        WHERE course_id = c.id AND voided_at IS NULL AND status IN ('planned', 'held') ORDER BY number LIMIT 1) n ON TRUE
    LEFT JOIN treatments_discontinuation t ON t.course_id = c.id AND t.voided_at IS NULL
    LEFT JOIN studies s ON s.patient_id = c.patient_id AND s.course_number = c.number
    GROUP BY c.patient_id
)
SELECT p.id, p.centre_id, (now() AT TIME ZONE p.zone)::date, (p.created_at AT TIME ZONE p.zone)::date,
    EXISTS (SELECT FROM patients_diagnosis d WHERE d.patient_id = p.id AND d.voided_at IS NULL),
    greatest(c.last_on, (SELECT max(last_on) FROM studies s WHERE s.patient_id = p.id),
        (SELECT max(known_alive_on) FROM patients_contact k WHERE k.patient_id = p.id AND k.voided_at IS NULL)),
    q.id, q.died_on, q.cause,
    ARRAY(SELECT occurred_on FROM patients_diseaseevent e WHERE e.patient_id = p.id AND e.voided_at IS NULL
        AND e.kind = 'clinical_progression'),
    ARRAY(SELECT occurred_on FROM patients_diseaseevent e WHERE e.patient_id = p.id AND e.voided_at IS NULL
        AND e.kind = 'new_therapy'),
    c.courses::text
FROM patient p LEFT JOIN courses c ON c.patient_id = p.id
LEFT JOIN patients_death q ON q.patient_id = p.id AND q.voided_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A patient's facts with its centre, and today's date there."""

    patient: PatientFacts
    centre_id: UUID
    today: date


def fetch(patient_ids: Sequence[UUID]) -> list[Fetched]:
    """Return the patients that have not been voided. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [list(patient_ids)])
        return [_patient(row) for row in cursor.fetchall()]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _patient(row: Sequence[Any]) -> Fetched:
    (
        pk,
        centre_id,
        today,
        registered_on,
        has_diagnosis,
        last_alive_on,
        death_id,
        died_on,
        cause,
        *events,
        courses,
    ) = row
    patient = PatientFacts(
        id=str(pk),
        registered_on=registered_on,
        has_diagnosis=has_diagnosis,
        last_alive_on=last_alive_on,
        death_id=str(death_id) if death_id else "",
        died_on=died_on,
        is_cause_known=cause != DeathCause.UNKNOWN,
        progressions=events[0],
        therapies=events[1],
        courses=[_course(course) for course in orjson.loads(courses or "[]")],
    )
    return Fetched(patient, centre_id, today)


def _course(row: Sequence[Any]) -> CourseFacts:
    pk, number, *plan, given, next_open, discontinued_on, for_progression, studies = row
    labs, labs_within_days, imaging_after, imaging_due_days, window_days = plan
    open_cycle = None
    if next_open:
        open_id, open_number, planned_on, is_held = next_open
        open_cycle = OpenCycle(open_id, open_number, _day(planned_on), is_held)
    return CourseFacts(
        id=pk,
        number=number,
        plan=PlanFacts(tuple(labs), labs_within_days, tuple(imaging_after), imaging_due_days, window_days),
        given=[_given(one) for one in given or ()],
        next_open=open_cycle,
        discontinued_on=_day(discontinued_on),
        is_discontinued_for_progression=bool(for_progression),
        studies=[
            StudyFact(study_id, is_baseline, date.fromisoformat(performed_on), response)
            for study_id, is_baseline, performed_on, response in studies or ()
        ],
    )


def _given(row: Sequence[Any]) -> GivenCycle:
    pk, number, administration_id, given_on, prescribed_mbq, net_mbq, is_explained, latest = row
    return GivenCycle(
        id=pk,
        number=number,
        administration_id=administration_id,
        given_on=date.fromisoformat(given_on),
        prescribed_mbq=Decimal(prescribed_mbq),
        net_mbq=Decimal(net_mbq),
        is_explained=is_explained,
        latest_lab_on={analyte: date.fromisoformat(day) for analyte, day in (latest or {}).items()},
    )
