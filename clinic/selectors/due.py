"""What is due: cycles, blood counts, toxicity, PET/CT and readings. One statement for the worklist and for one patient.

Patients who died or whose course was discontinued are not due. A study that was made is still to be read. The next cycle of
a course is its first one to come: the database holds that none is open before one that was given.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from accounts.access import Act
from accounts.models import User
from imaging.models import Reading, Study
from patients.models import Patient
from treatments.models import AdverseEvent, Course, Cycle, LabResult
from treatments.rules import ctcae

UPCOMING_DAYS = 28
FOLLOW_UP_DAYS = 28  # a scan may come this much before its day after the last cycle
TOXICITY_GRADE = 3  # from which an adverse event that is not resolved is looked at: the label holds at it
COUNTS_DAYS = 180  # older blood counts say nothing of the next cycle
NEVER = date(9999, 12, 31)  # sorts after every day

# Analyte, CTCAE grade and the value below which it has at least that grade. Grade 1 hangs on each laboratory's own limit, so
# a protocol that holds from it is looked at from grade 2.
_CUTS = [
    (analyte, grade, below)
    for analyte in ("platelets", "haemoglobin", "neutrophils")
    for grade in (2, 3, 4)
    if (below := ctcae.cut_below(analyte, grade)) is not None
]

# Narrow rows, and the time zone once for each centre: every look at the start page goes through all running courses.
# A study without a reading that counts is one without any that is no draft or, of two readers who differ, one that was not
# adjudicated: asked for apart, since the view behind both looks at every reading.
_ITEMS = """
WITH centre AS MATERIALIZED (
    SELECT id, time_zone AS zone, (%(now)s AT TIME ZONE time_zone)::date AS today
    FROM accounts_centre WHERE id = ANY(%(centres)s)
), asked AS MATERIALIZED (
    SELECT x.id, x.centre_id,
        EXISTS (SELECT FROM patients_death d WHERE d.patient_id = x.id AND d.voided_at IS NULL) AS is_dead
    FROM patients_patient x
    WHERE x.voided_at IS NULL AND x.centre_id = ANY(%(centres)s) AND (%(patient)s::uuid IS NULL OR x.id = %(patient)s)
        AND (%(cared_for_by)s::uuid IS NULL OR EXISTS (SELECT FROM clinic_careteammember m
            WHERE m.patient_id = x.id AND m.user_id = %(cared_for_by)s))
        AND (NOT %(by_nobody)s OR NOT EXISTS (SELECT FROM clinic_careteammember m WHERE m.patient_id = x.id))
), going_on AS MATERIALIZED (
    SELECT c.id, c.patient_id, c.number, c.protocol_id, x.centre_id
    FROM asked x JOIN treatments_course c ON c.patient_id = x.id AND c.voided_at IS NULL
    WHERE NOT x.is_dead
        AND NOT EXISTS (SELECT FROM treatments_discontinuation d WHERE d.course_id = c.id AND d.voided_at IS NULL)
), next AS MATERIALIZED (
    SELECT y.id, g.id AS course_id, g.patient_id, g.protocol_id, y.planned_on, t.today, t.zone,
        p.labs_within_days, p.labs_before_cycle,
        CASE WHEN status = 'held' THEN 'held' WHEN planned_on IS NULL THEN 'undated'
            WHEN today > planned_on + window_days THEN 'overdue' WHEN today >= planned_on - window_days THEN 'in_window'
            WHEN planned_on <= today + %(upcoming)s THEN 'upcoming' ELSE 'later' END AS kind,
        status = 'planned' AND planned_on BETWEEN today - window_days AND today + labs_within_days AS is_near
    FROM going_on g CROSS JOIN LATERAL (
        SELECT id, planned_on, status FROM treatments_cycle
        WHERE course_id = g.id AND voided_at IS NULL AND status IN ('planned', 'held') ORDER BY number LIMIT 1) y
    JOIN treatments_protocol p ON p.id = g.protocol_id JOIN centre t ON t.id = g.centre_id
), imaging AS (
    SELECT g.id, g.patient_id, g.number, t.today, y.number AS after_cycle,
        (y.administered_at AT TIME ZONE t.zone)::date AS given_on
    FROM going_on g JOIN treatments_protocol p ON p.id = g.protocol_id JOIN centre t ON t.id = g.centre_id
    CROSS JOIN LATERAL (SELECT y.number, a.administered_at
        FROM treatments_cycle y JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE y.course_id = g.id AND y.voided_at IS NULL AND y.status = 'given' AND y.number = ANY(p.imaging_after_cycles)
        ORDER BY y.number DESC LIMIT 1) y
), cut AS (
    SELECT p.id AS protocol_id, c.analyte, c.below FROM treatments_protocol p
    JOIN unnest(%(cut_analytes)s::text[], %(cut_grades)s::int[], %(cuts)s::numeric[]) AS c(analyte, grade, below)
        ON c.grade = greatest((p.dose_rules ->> (c.analyte || '_hold_grade'))::int, 2)
), items AS MATERIALIZED (
    SELECT kind, id, coalesce(planned_on, %(never)s) AS sort_on, today, NULL::int AS after_cycle, '' AS first_status
    FROM next
    UNION ALL
    SELECT 'labs', id, planned_on, today, NULL, '' FROM next
    WHERE is_near AND NOT labs_before_cycle <@ ARRAY(SELECT r.analyte FROM treatments_labresult r
        WHERE r.patient_id = next.patient_id AND r.voided_at IS NULL
        AND r.taken_at >= (greatest(planned_on, today) - labs_within_days)::timestamp AT TIME ZONE next.zone)
    UNION ALL
    SELECT 'counts', n.id, max((l.taken_at AT TIME ZONE n.zone)::date), n.today, NULL, ''
    FROM next n JOIN cut ON cut.protocol_id = n.protocol_id
    CROSS JOIN LATERAL (SELECT r.value, r.taken_at FROM treatments_labresult r
        WHERE r.patient_id = n.patient_id AND r.analyte = cut.analyte AND r.voided_at IS NULL
        AND r.taken_at >= %(now)s - make_interval(days => %(counts_days)s) ORDER BY r.taken_at DESC LIMIT 1) l
    WHERE n.kind IN ('upcoming', 'in_window', 'overdue') AND l.value < cut.below
        AND NOT EXISTS (SELECT FROM treatments_dosedecision d
            WHERE d.cycle_id = n.id AND d.voided_at IS NULL AND d.decided_at >= l.taken_at)
    GROUP BY n.id, n.today
    UNION ALL
    SELECT 'toxicity', e.id, e.onset_on, t.today, NULL, '' FROM treatments_adverseevent e
    JOIN asked x ON x.id = e.patient_id AND NOT x.is_dead JOIN centre t ON t.id = x.centre_id
    WHERE e.voided_at IS NULL AND e.resolved_on IS NULL AND e.grade BETWEEN %(toxicity_grade)s AND 4
        AND e.attribution NOT IN ('unrelated', 'unlikely')
    UNION ALL
    SELECT 'imaging', id, given_on, today, after_cycle, '' FROM imaging i
    WHERE NOT EXISTS (SELECT FROM imaging_study s WHERE s.patient_id = i.patient_id AND s.course_number = i.number
        AND s.voided_at IS NULL AND s.timepoint <> 'baseline' AND s.performed_on >= i.given_on)
    UNION ALL
    SELECT 'imaging', g.id, l.given_on + days, t.today, NULL, '' FROM going_on g
    JOIN treatments_protocol p ON p.id = g.protocol_id JOIN centre t ON t.id = g.centre_id
    CROSS JOIN LATERAL (SELECT max((a.administered_at AT TIME ZONE t.zone)::date) AS given_on
        FROM treatments_cycle y JOIN treatments_administration a ON a.cycle_id = y.id AND a.voided_at IS NULL
        WHERE y.course_id = g.id AND y.voided_at IS NULL) l
    CROSS JOIN LATERAL unnest(p.imaging_after_completion_days) AS days
    WHERE cardinality(p.imaging_after_completion_days) > 0 AND t.today >= l.given_on + days
        AND NOT EXISTS (SELECT FROM next n WHERE n.course_id = g.id)
        AND NOT EXISTS (SELECT FROM imaging_study s WHERE s.patient_id = g.patient_id AND s.course_number = g.number
            AND s.voided_at IS NULL AND s.performed_on >= l.given_on + days - %(follow_up)s)
    UNION ALL
    SELECT 'baseline', g.id, coalesce(y.planned_on, %(never)s), t.today, NULL, coalesce(y.status, '')
    FROM going_on g JOIN centre t ON t.id = g.centre_id
    LEFT JOIN treatments_cycle y ON y.course_id = g.id AND y.number = 1 AND y.voided_at IS NULL
    WHERE NOT EXISTS (SELECT FROM imaging_study s WHERE s.patient_id = g.patient_id AND s.course_number = g.number
        AND s.voided_at IS NULL AND s.timepoint = 'baseline')
    UNION ALL
    SELECT 'reading', s.id, s.performed_on, t.today, NULL, '' FROM imaging_study s
    JOIN asked x ON x.id = s.patient_id JOIN centre t ON t.id = x.centre_id
    WHERE s.voided_at IS NULL AND s.timepoint <> 'baseline' AND NOT EXISTS (
        SELECT FROM imaging_reading r WHERE r.study_id = s.id AND r.voided_at IS NULL AND r.status <> 'draft')
    UNION ALL
    SELECT 'reading', s.id, s.performed_on, t.today, NULL, '' FROM imaging_reading r
    JOIN imaging_study s ON s.id = r.study_id AND s.voided_at IS NULL
    JOIN asked x ON x.id = s.patient_id JOIN centre t ON t.id = x.centre_id
    WHERE r.reader_role = 'second' AND r.voided_at IS NULL AND r.status <> 'draft'
        AND NOT EXISTS (SELECT FROM imaging_reading_in_force f WHERE f.study_id = s.id)
), counted AS MATERIALIZED (
    SELECT kind, max(sort_on) AS newest_on, count(*) AS n FROM items GROUP BY kind
)
SELECT kind, NULL::uuid, newest_on, NULL::date, NULL::int, '', n FROM counted
UNION ALL
SELECT first.* FROM counted CROSS JOIN LATERAL (
    SELECT kind, id, sort_on, today, after_cycle, first_status, NULL::bigint FROM (
        SELECT *, kind = ANY(%(newest_first)s) AS is_turned FROM items
        WHERE items.kind = counted.kind AND (%(kind)s::text IS NULL OR kind = %(kind)s)) AS of_kind
    WHERE %(after_on)s::date IS NULL OR sort_on = %(after_on)s AND id > %(after_id)s
        OR CASE WHEN is_turned THEN sort_on < %(after_on)s ELSE sort_on > %(after_on)s END
    ORDER BY (sort_on - DATE '2000-01-01') * CASE WHEN is_turned THEN -1 ELSE 1 END, id LIMIT %(limit)s) AS first
"""


@dataclass(frozen=True)
class LowCount:
    """A value below ``below``, both in the analyte's unit, and the CTCAE grade from which the protocol holds."""

    analyte: str
    value: Decimal
    taken_on: date
    below: Decimal
    hold_grade: int


@dataclass(frozen=True)
class Item:
    """One thing that is due.

    Attributes:
        kind: ``in_window``, ``overdue``, ``held``, ``upcoming``, ``later``, ``undated``, ``labs``, ``counts``,
            ``toxicity``, ``imaging``, ``baseline`` or ``reading``.
        record: the cycle, the adverse event, the course of an owed study, or the study to be read.
        sort_on: the day that it hangs on: planned, given, taken, begun, or made.
        today: at the centre.
        after_cycle: of owed PET/CT, the cycle after which it is due; None of follow-up after the last cycle.
        first_status: of a missing baseline, the status of cycle 1.
        measured: of missing laboratory values, the analytes that were measured in time.
        low: of blood counts, the newest values below the grade from which the protocol holds a cycle.
    """

    kind: str
    record: Any
    sort_on: date
    today: date
    after_cycle: int | None = None
    first_status: str = ""
    measured: frozenset[str] = frozenset()
    low: tuple[LowCount, ...] = ()

    @property
    def key(self) -> str:
        """Where a list that goes on after this one begins."""
        return f"{self.sort_on}~{self.record.pk}"

    @property
    def patient(self) -> Patient:
        return self.record.course.patient if isinstance(self.record, Cycle) else self.record.patient


@dataclass
class Found:
    """Counts and newest day of each kind, and the first rows of each."""

    counts: dict[str, int]
    newest_on: dict[str, date]
    items: dict[str, list[Item]]


def find_due(
    user: User,
    now: datetime,
    *,
    newest_first: frozenset[str] = frozenset(),
    kind: str | None = None,
    after: tuple[date, uuid.UUID] | None = None,
    limit: int,
    patient: Patient | None = None,
    cared_for_by: uuid.UUID | None = None,
    by_nobody: bool = False,
) -> Found:
    """Return what is due at the centres whose records ``user`` may see. Eight queries at the most.

    Args:
        newest_first: kinds whose rows begin with the newest day; of the others with the oldest.
        kind: rows of this kind alone; all kinds are counted.
        after: day and id of the row after which the rows of ``kind`` go on.
        limit: rows of each kind.
        patient: of this one alone.
        cared_for_by: of the patients whom this user looks after.
        by_nobody: of the patients whom nobody looks after.
    """
    centres = user.centre_ids(Act.VIEW_RECORDS)
    after_on, after_id = after or (None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            _ITEMS,
            {
                "now": now,
                "centres": centres,
                "patient": patient.pk if patient is not None else None,
                "upcoming": UPCOMING_DAYS,
                "follow_up": FOLLOW_UP_DAYS,
                "never": NEVER,
                "newest_first": list(newest_first),
                "kind": kind,
                "after_on": after_on,
                "after_id": after_id,
                "limit": limit,
                "cared_for_by": cared_for_by,
                "by_nobody": by_nobody,
                "toxicity_grade": TOXICITY_GRADE,
                "counts_days": COUNTS_DAYS,
                "cut_analytes": [analyte for analyte, _, _ in _CUTS],
                "cut_grades": [grade for _, grade, _ in _CUTS],
                "cuts": [below for _, _, below in _CUTS],
            },
        )
        rows = cursor.fetchall()
    found = Found({}, {}, {})
    # In the order that the statement took them by: a union promises none.
    listed = sorted(
        (row for row in rows if row[1] is not None),
        key=lambda row: (row[2].toordinal() * (-1 if row[0] in newest_first else 1), row[1]),
    )
    for row_kind, pk, newest_on, _, _, _, n in rows:
        if pk is None:
            found.counts[row_kind], found.newest_on[row_kind] = n, newest_on
    records = _records(listed)
    for row_kind, pk, sort_on, today, after_cycle, first_status, _ in listed:
        record = records[pk]
        measured = _measured(record, today) if row_kind == "labs" else frozenset()
        low = _low_counts(record, now) if row_kind == "counts" else ()
        item = Item(row_kind, record, sort_on, today, after_cycle, first_status, measured, low)
        found.items.setdefault(row_kind, []).append(item)
    return found


def _records(listed: list[tuple[Any, ...]]) -> Mapping[uuid.UUID, Any]:
    """Return the records behind the rows with what is said of them. One query for each model that there is any of."""
    courses = {pk for kind, pk, *_ in listed if kind in {"imaging", "baseline"}}
    studies = {pk for kind, pk, *_ in listed if kind == "reading"}
    events = {pk for kind, pk, *_ in listed if kind == "toxicity"}
    cycles = {pk for _, pk, *_ in listed} - courses - studies - events
    found: dict[uuid.UUID, Any] = {}
    for queryset, related, keys in (
        (Cycle.objects, ("course__protocol", "course__patient__centre"), cycles),
        (Course.objects, ("protocol", "patient__centre"), courses),
        (Study.objects, ("patient__centre",), studies),
        (AdverseEvent.objects, ("patient__centre",), events),
    ):
        if keys:
            found |= queryset.select_related(*related).in_bulk(keys)
    samples: dict[uuid.UUID, list[tuple[str, datetime]]] = {}
    for study in (found[pk] for pk in studies):
        study.waiting = []
    if studies:
        for reading in Reading.objects.current().filter(study__in=studies).order_by("reader_role"):
            found[reading.study_id].waiting.append(reading)
    lacking = [found[pk] for kind, pk, *_ in listed if kind == "labs"]
    if lacking:
        of_patients = LabResult.objects.current().filter(
            patient__in={cycle.course.patient_id for cycle in lacking}
        )
        for patient_id, analyte, at in of_patients.values_list("patient_id", "analyte", "taken_at"):
            samples.setdefault(patient_id, []).append((analyte, at))
    for cycle in lacking:
        cycle.samples = samples.get(cycle.course.patient_id, [])
    low = [found[pk] for kind, pk, *_ in listed if kind == "counts"]
    if low:
        counts = LabResult.objects.current().filter(
            patient__in={cycle.course.patient_id for cycle in low}, analyte__in={cut[0] for cut in _CUTS}
        )
        newest = {(count.patient_id, count.analyte): count for count in counts.order_by("taken_at")}
        for cycle in low:
            cycle.newest_counts = [
                count for (patient_id, _), count in newest.items() if patient_id == cycle.course.patient_id
            ]
    return found


def _low_counts(cycle: Any, now: datetime) -> tuple[LowCount, ...]:
    """Return the newest counts for which the protocol holds the cycle, as the statement looked for them."""
    rules, zone = cycle.course.protocol.dose_rules, cycle.course.patient.centre.zone
    low = []
    for count in cycle.newest_counts:
        hold_grade = int(rules[f"{count.analyte}_hold_grade"])
        below = ctcae.cut_below(count.analyte, max(hold_grade, 2))
        is_recent = count.taken_at >= now - timedelta(days=COUNTS_DAYS)
        if is_recent and below is not None and count.value < below:
            taken_on = count.taken_at.astimezone(zone).date()
            low.append(LowCount(count.analyte, count.value, taken_on, below, hold_grade))
    return tuple(low)


def _measured(cycle: Any, today: date) -> frozenset[str]:
    """Return the analytes that are young enough on the planned date, or today where that has passed; local dates."""
    on = max(cycle.planned_on, today)
    zone = cycle.course.patient.centre.zone
    within = cycle.course.protocol.labs_within_days
    return frozenset(
        analyte for analyte, at in cycle.samples if (on - at.astimezone(zone).date()).days <= within
    )


def parse_key(key: str) -> tuple[date, uuid.UUID] | None:
    """Return the day and id of ``Item.key``, or None where it is none."""
    day, _, pk = key.partition("~")
    try:
        return date.fromisoformat(day), uuid.UUID(pk)
    except ValueError:
        return None
