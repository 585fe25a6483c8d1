"""The facts of courses as the rules take them, read in one statement so that they are of one moment.

The statement gives each table's rows as arrays, one element a row, for all courses asked for together: they are put to
their patient and course here. One round trip and no row object, which is what makes large rebuilds quick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from analytics.rules.baseline import PRRT, Baseline
from analytics.rules.endpoints import AdverseEvent, Assessment, CourseFacts, Plan

# Everything of the patients whose courses are asked for, since other courses of a patient tell of this one. ``i`` numbers
# the patients and ``j`` their courses.
_FACTS = """
WITH asked AS MATERIALIZED (
    SELECT DISTINCT patient_id FROM treatments_course WHERE id = ANY(%s) AND voided_at IS NULL
), patient AS MATERIALIZED (
    SELECT (row_number() OVER ())::int - 1 AS i, x.id, x.centre_id, z.time_zone, x.sex, x.birth_date, d.diagnosed_on,
        d.tumour_type, d.primary_site, d.who_grade, d.ki67_percent, d.functional_syndrome, q.died_on, q.cause
    FROM asked
    JOIN patients_patient x ON x.id = asked.patient_id AND x.voided_at IS NULL
    JOIN accounts_centre z ON z.id = x.centre_id
    LEFT JOIN patients_diagnosis d ON d.patient_id = x.id AND d.voided_at IS NULL
    LEFT JOIN patients_death q ON q.patient_id = x.id AND q.voided_at IS NULL
), course AS MATERIALIZED (
    SELECT (row_number() OVER ())::int - 1 AS j, p.i, p.time_zone, c.id, c.number, c.protocol_id, c.intent,
        t.discontinued_on, t.main_reason
    FROM patient p
    JOIN treatments_course c ON c.patient_id = p.id AND c.voided_at IS NULL
    LEFT JOIN treatments_discontinuation t ON t.course_id = c.id AND t.voided_at IS NULL
), study AS MATERIALIZED (
    SELECT (row_number() OVER ())::int AS k, p.i, s.id, s.course_number, s.timepoint, s.performed_on, s.krenning_score
    FROM patient p JOIN imaging_study s ON s.patient_id = p.id AND s.voided_at IS NULL
)
SELECT * FROM
(SELECT array_agg(i), array_agg(centre_id), array_agg(sex), array_agg(birth_date), array_agg(diagnosed_on),
    array_agg(tumour_type), array_agg(primary_site), array_agg(who_grade), array_agg(ki67_percent),
    array_agg(functional_syndrome), array_agg(died_on), array_agg(cause) FROM patient) AS patients,
(SELECT array_agg(j), array_agg(i), array_agg(id), array_agg(number), array_agg(protocol_id), array_agg(intent),
    array_agg(discontinued_on), array_agg(main_reason) FROM course) AS courses,
(SELECT array_agg(id), array_agg(code || '/' || version), array_agg(planned_cycles), array_agg(interval_days),
    array_agg(window_days), array_agg(prescribed_activity_mbq)
    FROM treatments_protocol WHERE id IN (SELECT protocol_id FROM course)) AS protocols,
(SELECT array_agg(c.j), array_agg(y.number), array_agg((a.administered_at AT TIME ZONE c.time_zone)::date),
    array_agg(a.administered_activity_mbq), array_agg(a.prescribed_activity_mbq)
    FROM course c
    JOIN treatments_cycle y ON y.course_id = c.id AND y.voided_at IS NULL
    LEFT JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
    WHERE a.id IS NOT NULL OR y.status = 'cancelled') AS cycles,
(SELECT array_agg(s.k), array_agg(s.i), array_agg(s.course_number), array_agg(s.timepoint), array_agg(s.performed_on),
    array_agg(s.krenning_score), array_agg(r.reader_role), array_agg(r.overall_response), array_agg(r.sstr_response)
    FROM study s
    LEFT JOIN imaging_reading r ON r.study_id = s.id AND r.voided_at IS NULL AND r.status <> 'draft') AS studies,
(SELECT array_agg(p.i), array_agg(l.course_number), array_agg(l.role), array_agg(m.suv_max)
    FROM patient p
    JOIN imaging_lesion l ON l.patient_id = p.id AND l.voided_at IS NULL AND l.reader_role = 'first'
    LEFT JOIN study s ON s.i = p.i AND s.course_number = l.course_number AND s.timepoint = 'baseline'
    LEFT JOIN imaging_measurement m ON m.lesion_id = l.id AND m.study_id = s.id AND m.voided_at IS NULL
        AND NOT m.is_draft) AS lesions,
(SELECT array_agg(p.i), array_agg(e.kind), array_agg(e.occurred_on)
    FROM patient p JOIN patients_diseaseevent e ON e.patient_id = p.id AND e.voided_at IS NULL) AS disease,
(SELECT array_agg(p.i), array_agg(k.known_alive_on)
    FROM patient p JOIN patients_contact k ON k.patient_id = p.id AND k.voided_at IS NULL) AS contacts,
(SELECT array_agg(p.i), array_agg(e.onset_on), array_agg(e.term), array_agg(e.grade)
    FROM patient p JOIN treatments_adverseevent e ON e.patient_id = p.id AND e.voided_at IS NULL) AS adverse,
(SELECT array_agg(p.i), array_agg(e.last_given_on)
    FROM patient p JOIN treatments_priorprrt e ON e.patient_id = p.id AND e.voided_at IS NULL) AS prrt,
(SELECT array_agg(p.i), array_agg(e.assessed_on), array_agg(e.ecog)
    FROM patient p JOIN patients_performancestatus e ON e.patient_id = p.id AND e.voided_at IS NULL) AS performance,
(SELECT array_agg(p.i), array_agg(e.kind), array_agg(e.started_on)
    FROM patient p JOIN patients_priortherapy e ON e.patient_id = p.id AND e.voided_at IS NULL) AS prior
"""
_COUNTS = (12, 8, 6, 5, 9, 4, 3, 2, 4, 2, 3, 3)  # columns of each of the tables of the statement, in order


@dataclass(slots=True)
class Course:
    """One course with what cohorts filter by."""

    id: UUID
    centre_id: UUID
    is_first_course: bool
    sex: str
    protocol: str  # code and version
    intent: str
    baseline: Baseline
    facts: CourseFacts | None
    problem: str = ""  # why there are no facts: they contradict each other


@dataclass(slots=True)
class _Patient:
    """The rows of one patient."""

    row: tuple[Any, ...]
    courses: list["_Course"] = field(default_factory=list)
    known_alive: list[date] = field(default_factory=list)
    progressions: list[date] = field(default_factory=list)
    therapies: list[date] = field(default_factory=list)
    adverse_events: list[AdverseEvent] = field(default_factory=list)
    performance: list[tuple[date, int]] = field(default_factory=list)
    prior_therapies: list[tuple[str, date | None]] = field(default_factory=list)
    # Of a course, by its number: which may still have to be begun.
    assessments: dict[int, list[Assessment]] = field(default_factory=dict)
    baselines: dict[int, tuple[date, int | None]] = field(default_factory=dict)
    hottest: dict[int, Decimal] = field(default_factory=dict)
    has_targets: dict[int, bool] = field(default_factory=dict)


@dataclass(slots=True)
class _Course:
    id: UUID
    number: int
    protocol_id: int
    intent: str
    discontinued_on: date | None
    reason: str | None
    given: list[tuple[int, date, Decimal, Decimal]] = field(default_factory=list)
    n_cancelled: int = 0


# A registry has far fewer combinations of day and response than readings.
_assessment = lru_cache(maxsize=1 << 15)(Assessment)


def fetch(course_ids: Sequence[UUID]) -> list[Course]:
    """Return the courses that have not been voided, with their facts, in one query."""
    connection.ensure_connection()
    # Parameters and results in PostgreSQL's binary format: dates and numbers need no parsing.
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_FACTS, [list(course_ids)], binary=True)
        columns = cursor.fetchone()
    assert columns is not None
    tables, at = [], 0
    for count in _COUNTS:
        tables.append(zip(*(column or () for column in columns[at : at + count]), strict=True))
        at += count
    patients, courses, protocols, cycles, studies, lesions, disease, contacts, adverse, *before = tables
    prrt, performance, prior = before

    found = {row[0]: _Patient(row) for row in patients}
    by_j: dict[int, _Course] = {}
    for j, i, *course in courses:
        by_j[j] = one = _Course(*course)
        found[i].courses.append(one)
    for j, number, on, activity, prescribed in cycles:
        if on is None:
            by_j[j].n_cancelled += 1
        else:
            by_j[j].given.append((number, on, activity, prescribed))
    _put_studies(found, studies)
    for i, number, role, suv_max in lesions:
        patient = found[i]
        patient.has_targets[number] = role == "target" or patient.has_targets.get(number, False)
        if suv_max is not None and suv_max >= patient.hottest.get(number, suv_max):
            patient.hottest[number] = suv_max
    for i, kind, on in disease:
        if kind == "clinical_progression":
            found[i].progressions.append(on)
        elif kind == "new_therapy":
            found[i].therapies.append(on)
    for i, on in contacts:
        found[i].known_alive.append(on)
    for i, on, term, grade in adverse:
        found[i].adverse_events.append(AdverseEvent(on, term, grade))
    for i, on in prrt:
        found[i].prior_therapies.append((PRRT, on))
    for i, on, ecog in performance:
        found[i].performance.append((on, ecog))
    for i, kind, on in prior:
        found[i].prior_therapies.append((kind, on))

    plans = {pk: (name, cycles, Plan(*plan)) for pk, name, cycles, *plan in protocols}
    wanted = set(course_ids)
    return [
        course for patient in found.values() for course in _courses(patient, plans) if course.id in wanted
    ]


def _put_studies(found: dict[int, _Patient], rows: Iterable[tuple[Any, ...]]) -> None:
    """Give each patient the studies, each with the reading in force, as the view imaging_reading_in_force says."""
    read: dict[int, dict[str, tuple[str, str]]] = {}
    several: list[tuple[Any, ...]] = []
    for k, i, number, timepoint, on, krenning, role, response, sstr in rows:
        patient = found[i]
        if k in read:
            read[k][role] = (response, sstr)
            continue
        patient.known_alive.append(on)
        if timepoint == "baseline":
            patient.baselines[number] = (on, krenning)
        if role is not None:
            read[k] = {role: (response, sstr)}
            several.append((k, patient, number, timepoint, on))
    for k, patient, number, timepoint, on in several:
        counted = _in_force(read[k])
        if counted is not None:
            response, sstr = counted
            patient.assessments.setdefault(number, []).append(_assessment(on, response, timepoint, sstr))


def _in_force(by_role: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """Return the adjudicator's reading; else the first reader's, unless a second one differs; else the second's alone."""
    if "adjudicator" in by_role:
        return by_role["adjudicator"]
    first, second = by_role.get("first"), by_role.get("second")
    if first is None:
        return second
    return first if second is None or second[0] == first[0] else None


def _courses(patient: _Patient, plans: dict[int, tuple[str, int, Plan]]) -> list[Course]:
    """Return the courses of one patient.

    A cycle that was left out by itself is not planned any more; those that a discontinuation cancelled still count as
    planned. The first course is the first that was begun, or the lowest number while none was. Later courses and their
    studies say three things of an earlier one: that the patient was alive, that another anticancer therapy had begun,
    and whether the tumour had progressed. Earlier courses are earlier PRRT.
    """
    _, centre_id, sex, birth_date, diagnosed_on, *diagnosis, died_on, cause = patient.row
    tumour_type, primary_site, who_grade, ki67_percent, functional_syndrome = diagnosis
    courses = patient.courses
    for course in courses:
        course.given.sort()
    if len(courses) > 1:
        courses.sort(key=lambda course: course.number)
    first = next((course for course in courses if course.given), courses[0] if courses else None)
    alive = [*patient.known_alive, *(given[1] for course in courses for given in course.given)]
    found = []
    for place, course in enumerate(courses):
        number = course.number
        protocol, planned_cycles, plan = plans[course.protocol_id]
        if course.discontinued_on is None and course.n_cancelled:
            planned_cycles = max(1, planned_cycles - course.n_cancelled)
        scanned_on, krenning = patient.baselines.get(number, (None, None))
        later_starts = [other.given[0][1] for other in courses[place + 1 :] if other.given]
        prior = patient.prior_therapies + [
            (PRRT, other.given[0][1]) for other in courses[:place] if other.given
        ]
        given = course.given
        baseline = Baseline(
            birth_date,
            diagnosed_on,
            tumour_type or "",
            primary_site or "",
            who_grade or "",
            functional_syndrome or "",
            ki67_percent,
            scanned_on,
            patient.hottest.get(number),
            krenning,
            tuple(patient.performance),
            tuple(prior),
        )
        facts, problem = None, ""
        try:
            facts = CourseFacts(
                planned_cycles,
                tuple([one[1] for one in given]),
                course.discontinued_on,
                course.reason,
                scanned_on,
                tuple(patient.assessments.get(number, ())),
                tuple(patient.progressions),
                (*patient.therapies, *later_starts),
                tuple(alive),
                died_on,
                cause,
                tuple([a for n, those in patient.assessments.items() if n > number for a in those]),
                diagnosed_on,
                patient.has_targets.get(number, True),
                plan,
                tuple([one[2] for one in given]),
                tuple([one[3] for one in given]),
                tuple(patient.adverse_events),
                min(later_starts, default=None),
            )
        except ValueError as error:
            problem = str(error)
        found.append(
            Course(
                course.id, centre_id, course is first, sex, protocol, course.intent, baseline, facts, problem
            )
        )
    return found
