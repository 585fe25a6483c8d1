"""What changed between two revisions of a result: which courses moved, and which correction of a record moved them."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.access import Act
from accounts.changes import Change as RecordChange
from accounts.changes import What, Words, changes_in, rows_of
from accounts.models import Centre, User
from accounts.records import ClinicalRecord
from analytics import results, tallies
from analytics.behind import shown
from analytics.charts.numbers import day_text, localised
from analytics.models import ENDPOINTS, Cohort, Result, ResultRevision
from analytics.rules.endpoints import PROBLEMS, TimeToEvent
from languages.wording import keeps_capitals, within
from patients.models import (
    DeathCause,
    FunctionalSyndrome,
    PatientIdentity,
    PrimarySite,
    PriorTherapyKind,
    Sex,
    TumourType,
    WhoGrade,
)
from treatments.models import Course, DiscontinuationReason, Intent

MOST_LISTED = 100

# Codes of an outcome that have names.
_CHOICES: dict[str, Any] = {
    "sex": Sex,
    "tumour_type": TumourType,
    "primary_site": PrimarySite,
    "who_grade": WhoGrade,
    "functional_syndrome": FunctionalSyndrome,
    "intent": Intent,
    "prior_therapies": PriorTherapyKind,
    "death_cause": DeathCause,
    "discontinuation_reason": DiscontinuationReason,
}

# Fields of an outcome that say why, not what, or that follow from another row: they go along with one that is told.
_UNTOLD = ("id", "course_id", "definition_id", "derived_at", "response_evaluable_reason")


@dataclass(frozen=True)
class Correction:
    """A write to a record of the patient between two derivations: when, by whom, why, and which record."""

    at: datetime
    record: str
    what: str
    by: str
    reason: str


@dataclass(frozen=True)
class Moved:
    """A course whose outcome changed.

    Attributes:
        fields: field to (before, after), as stored; empty for a course that came or went.
        said: the same in words: name, before, after; an endpoint is one line.
        entered, left: whether it is counted now and was not, or was and is not.
    """

    course: Course
    changed_at: datetime
    fields: dict[str, tuple[Any, Any]]
    said: list[tuple[str, str, str]]
    entered: bool
    left: bool
    corrections: list[Correction]


@dataclass(frozen=True)
class Difference:
    """Two revisions of a result.

    Attributes:
        numbers: (name, before, after) of the head figures that differ.
        moved: of the centres whose records the user may see; at most ``MOST_LISTED``.
        n_moved: all of them; None where few are not for this user.
        n_readable: of the centres whose records the user may see.
        definition_changed: the cohort or its definition is another: then any course may count differently.
    """

    before: ResultRevision
    after: ResultRevision
    numbers: list[tuple[str, Any, Any]]
    moved: list[Moved]
    n_moved: int | None
    n_readable: int
    definition_changed: bool


def between(cohort: Cohort, user: User, earlier: int, later: int) -> Difference | None:
    """Return what changed from one revision of what ``user`` is shown to a later one; None where one is not kept."""
    codes = results.centre_codes(cohort, user)
    result = Result.objects.filter(cohort=cohort, scope=results.scope_of(codes)).first()
    found = {
        one.revision: one
        for one in ResultRevision.objects.filter(result=result, revision__in=[earlier, later])
    }
    if earlier not in found or later not in found:
        return None
    before, after = found[earlier], found[later]
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("pk", flat=True))
    changes = _Changes(cohort, codes, before.computed_at, after.computed_at)
    by_centre = changes.count()
    n_moved = sum(by_centre.values())
    n_readable = sum(n for centre_id, n in by_centre.items() if centre_id in readable)
    return Difference(
        before=before,
        after=after,
        numbers=_numbers(before.data, after.data),
        moved=_moved(user, changes.of(readable)) if n_readable else [],
        # One number less the other would be a small one as well.
        n_moved=n_moved if shown(n_moved - n_readable, exact=False) is not None else None,
        n_readable=n_readable,
        definition_changed=(
            before.cohort_version != after.cohort_version
            or before.data["definition"] != after.data["definition"]
            or before.data["data_cutoff"] != after.data["data_cutoff"]
        ),
    )


# The outcome as it was at a time is the one of now with every field that was replaced later put back, the earliest last;
# where the first change after that time made it, there was none. Both are held against the filter by the SQL that counts.
_CHANGES = """
WITH later AS (
    SELECT course_id, changed_at, id, known_since, before FROM analytics_outcomechange
    WHERE definition_id = %s AND changed_at > %s
),
touched AS (
    SELECT course_id, (array_agg(known_since ORDER BY changed_at, id))[1] AS known_since, max(changed_at) AS changed_at
    FROM later WHERE changed_at <= %s GROUP BY 1
),
{then_0}, {then_1},
states AS (
    SELECT t.*,
        CASE WHEN f0.existed THEN coalesce(to_jsonb(n), '{{}}') || m0.was END AS s0,
        CASE WHEN f1.course_id IS NULL THEN to_jsonb(n)
            WHEN f1.existed THEN coalesce(to_jsonb(n), '{{}}') || m1.was END AS s1
    FROM touched t
    LEFT JOIN analytics_outcome n ON n.course_id = t.course_id AND n.definition_id = %s AND n.derived_at IS NOT NULL
    LEFT JOIN first_0 f0 ON f0.course_id = t.course_id LEFT JOIN merged_0 m0 ON m0.course_id = t.course_id
    LEFT JOIN first_1 f1 ON f1.course_id = t.course_id LEFT JOIN merged_1 m1 ON m1.course_id = t.course_id
),
moved AS (
    SELECT course_id, coalesce(s1, s0) ->> 'centre_id' AS centre_id, known_since, changed_at, s0, s1,
        coalesce((
            SELECT TRUE FROM jsonb_populate_record(NULL::analytics_outcome, s0 || %s::jsonb) o WHERE {where}
        ), FALSE) AS was_counted,
        coalesce((
            SELECT TRUE FROM jsonb_populate_record(NULL::analytics_outcome, s1 || %s::jsonb) o WHERE {where}
        ), FALSE) AS is_counted
    FROM states
)
"""
_THEN = """
first_{n} AS (
    SELECT DISTINCT ON (course_id) course_id, before IS NOT NULL AS existed
    FROM later JOIN touched USING (course_id) WHERE {when} ORDER BY course_id, later.changed_at, id
),
merged_{n} AS (
    SELECT course_id, jsonb_object_agg(key, value) AS was FROM (
        SELECT DISTINCT ON (course_id, e.key) course_id, e.key, e.value
        FROM later JOIN touched USING (course_id), jsonb_each(before) e
        WHERE {when} ORDER BY course_id, e.key, later.changed_at, id
    ) AS earliest GROUP BY 1
)
"""
_MOVED = "FROM moved WHERE (was_counted OR is_counted) AND (was_counted <> is_counted OR s0 - %s::text[] <> s1 - %s::text[])"


@dataclass(frozen=True)
class Change:
    """A course's outcome at the earlier and at the later time, as stored; None where there was none.

    Attributes:
        known_since: since when the former outcome was known; None: since before anything was noted.
    """

    course_id: UUID
    known_since: datetime | None
    changed_at: datetime
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    was_counted: bool
    is_counted: bool


class _Changes:
    """The courses of a cohort at some centres whose outcome is another at ``until`` than it was at ``since``."""

    def __init__(self, cohort: Cohort, codes: Sequence[str], since: datetime, until: datetime) -> None:
        conditions, values = tallies.filter_of(cohort, codes)
        derived = json.dumps({"derived_at": "-infinity"})
        self._sql = _CHANGES.format(
            where=" AND ".join(conditions),
            then_0=_THEN.format(n=0, when="TRUE"),
            then_1=_THEN.format(n=1, when="later.changed_at > %s"),
        )
        self._values: list[Any] = [cohort.definition_id, since, until, until, until, cohort.definition_id]
        self._values += [derived, *values, derived, *values]
        self._values += [list(_UNTOLD), list(_UNTOLD)]

    def count(self) -> dict[UUID, int]:
        """Return how many each centre has. One query."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"{self._sql} SELECT centre_id::uuid, count(*) {_MOVED} GROUP BY 1",
                self._values,
            )
            return dict(cursor.fetchall())

    def of(self, centre_ids: set[UUID]) -> list[Change]:
        """Return those of these centres, the latest first, at most ``MOST_LISTED``. One query."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"{self._sql} SELECT course_id, known_since, changed_at, s0::text, s1::text, was_counted, is_counted"
                f" {_MOVED} AND centre_id::uuid = ANY(%s) ORDER BY changed_at DESC, course_id LIMIT %s",
                [*self._values, list(centre_ids), MOST_LISTED],
            )
            return [
                Change(
                    course_id=course_id,
                    known_since=known_since,
                    changed_at=changed_at,
                    before=before and json.loads(before),
                    after=after and json.loads(after),
                    was_counted=was_counted,
                    is_counted=is_counted,
                )
                for course_id, known_since, changed_at, before, after, was_counted, is_counted in cursor.fetchall()
            ]


def _moved(user: User, changes: Sequence[Change]) -> list[Moved]:
    # A voided course too: that it was voided is what moved it.
    courses = Course.objects.visible_to(user).filter(pk__in=[change.course_id for change in changes])
    found = {course.pk: course for course in courses.select_related("patient")}
    corrections = _corrections({course.patient_id for course in found.values()})
    moved = []
    for change in changes:
        course = found.get(change.course_id)
        if course is None:
            continue
        before, after = change.before or {}, change.after or {}
        fields = {
            name: (before[name], after[name])
            for name in sorted(before)
            if after and name not in _UNTOLD and name in after and before[name] != after[name]
        }
        moved.append(
            Moved(
                course=course,
                changed_at=change.changed_at,
                fields=fields,
                said=_said(before, after, fields),
                entered=change.is_counted and not change.was_counted,
                left=change.was_counted and not change.is_counted,
                corrections=[
                    one
                    for one in corrections.get(course.patient_id, [])
                    if (change.known_since is None or one.at > change.known_since)
                    and one.at <= change.changed_at
                ],
            )
        )
    return moved


_ENDPOINT_NAMES = {
    "pfs": gettext_lazy("Progression-free survival"),
    "os": gettext_lazy("Overall survival"),
    "ttr": gettext_lazy("Time to response"),
    "dor": gettext_lazy("Duration of response"),
    "ttnt": gettext_lazy("Time to next therapy"),
    "ttd": gettext_lazy("Time to discontinuation"),
}


def _said(
    before: dict[str, Any], after: dict[str, Any], fields: dict[str, tuple[Any, Any]]
) -> list[tuple[str, str, str]]:
    """Return what changed as name, before and after in words: an endpoint as one line, lists as what they hold."""
    said = []
    of_endpoint = {
        f"{endpoint}_{part}": endpoint for endpoint in ENDPOINTS for part in ("days", "event", "on", "basis")
    }
    for endpoint in dict.fromkeys(of_endpoint[name] for name in fields if name in of_endpoint):
        said.append((str(_ENDPOINT_NAMES[endpoint]), _endpoint(before, endpoint), _endpoint(after, endpoint)))
    for name, (old, new) in fields.items():
        if name in of_endpoint:
            continue
        if isinstance(old, list) and isinstance(new, list):
            kept = set(map(str, old)) & set(map(str, new))
            old, new = ([item for item in items if str(item) not in kept] for items in (old, new))
        said.append((_name(name), _value(old, name), _value(new, name)))
    return said


def _endpoint(row: dict[str, Any], endpoint: str) -> str:
    days = row.get(f"{endpoint}_days")
    if days is None:
        return pgettext("no time to an event", "none")
    event, on, basis = (row[f"{endpoint}_{part}"] for part in ("event", "on", "basis"))
    known = TimeToEvent(days=days, event=event, on=date.fromisoformat(on), basis=basis)
    return _("day {days}, {reason}").format(days=days, reason=known.reason())


# Names of fields of an outcome; what is not here is told by the name of its column.
_FIELDS = {
    "status": gettext_lazy("Status"),
    "started_on": gettext_lazy("Started on"),
    "cycles_given": gettext_lazy("Cycles given"),
    "time_zero": gettext_lazy("Time zero"),
    "best_overall_response": gettext_lazy("Best overall response"),
    "confirmed_best_overall_response": gettext_lazy("Confirmed best overall response"),
    "is_first_course": gettext_lazy("Is first course"),
    "planned_cycles": gettext_lazy("Planned cycles"),
    "best_sstr_response": gettext_lazy("Best SSTR response"),
    "response_evaluable": gettext_lazy("Response evaluable"),
    "responses": gettext_lazy("Responses"),
    "toxicities": gettext_lazy("Toxicities"),
    "death_cause": gettext_lazy("Death cause"),
    "discontinuation_reason": gettext_lazy("Discontinuation reason"),
    "discontinued_after_cycle": gettext_lazy("Discontinued after cycle"),
    "problem": gettext_lazy("Problem"),
    "sex": gettext_lazy("Sex"),
    "age_years": gettext_lazy("Age years"),
    "tumour_type": gettext_lazy("Tumour type"),
    "primary_site": gettext_lazy("Primary site"),
    "who_grade": gettext_lazy("Who grade"),
    "ki67_percent": gettext_lazy("Ki-67 (%)"),
    "functional_syndrome": gettext_lazy("Functional syndrome"),
    "ecog": gettext_lazy("ECOG"),
    "protocol": gettext_lazy("Protocol"),
    "intent": gettext_lazy("Intent"),
    "prior_therapies": gettext_lazy("Prior therapies"),
    "baseline_krenning": gettext_lazy("Baseline krenning"),
    "baseline_suv_max": gettext_lazy("Baseline SUVmax"),
    "cumulative_activity_mbq": gettext_lazy("Cumulative activity (MBq)"),
    "dose_intensity_percent": gettext_lazy("Dose intensity (%)"),
    "delayed_cycles": gettext_lazy("Delayed cycles"),
    "reduced_cycles": gettext_lazy("Reduced cycles"),
    "entry_days": gettext_lazy("Entry days"),
}


def _name(field: str) -> str:
    if field in _FIELDS:
        return str(_FIELDS[field])
    words = field.replace("_", " ").removesuffix(" percent").removesuffix(" mbq")
    units = {"percent": " (%)", "mbq": " (MBq)"}
    unit = units.get(field.rpartition("_")[2], "")
    words = (
        words.replace("ki67", "Ki-67")
        .replace("sstr", "SSTR")
        .replace("suv max", "SUVmax")
        .replace("ecog", "ECOG")
    )
    return words[0].upper() + words[1:] + unit


def _value(value: Any, field: str = "") -> str:
    if value is None or value == "" or value == []:
        return pgettext("no value", "none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(_value(item, field) for item in value)
    if isinstance(value, int | float):
        return localised(str(value))
    if field == "problem":
        return PROBLEMS.retold(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
        return day_text(value)
    choices = _CHOICES.get(field)
    if choices is not None and keeps_capitals() and value in choices.values:
        return str(choices(value).label)
    return str(value).replace("_", " ").replace(":", " · ")


def _corrections(patient_ids: set[UUID]) -> dict[UUID, list[Correction]]:
    """Return every write to clinical records of the patients, oldest first. One query for each table."""
    found: dict[UUID, list[Correction]] = defaultdict(list)
    for model in apps.get_models():
        # Who somebody is moves no number, and is not for everybody who may see records.
        if not issubclass(model, ClinicalRecord) or model is PatientIdentity:
            continue
        path = "pgh_obj_id" if model.PATIENT_PATH == "self" else model.PATIENT_PATH
        rows = rows_of(model).filter(**{f"{path}__in": patient_ids}).annotate(of_patient=F(path))
        for change in changes_in(model, rows, Words()):
            found[change.row.of_patient].append(
                Correction(change.at, change.record, _what(change), change.who, change.reason)
            )
    for corrections in found.values():
        corrections.sort(key=lambda one: one.at)
    return found


def _what(change: RecordChange) -> str:
    if change.what != What.CHANGED:
        return within(_(str(change.what)))
    return "; ".join(f"{one.label}: {one.old} → {one.new}" for one in change.fields)


_NUMBERS = {
    "n_patients": gettext_lazy("Patients"),
    "orr.n": gettext_lazy("Objective responses"),
    "orr.of": gettext_lazy("Response-evaluable"),
    "pfs.events": gettext_lazy("PFS events"),
    "pfs.median_days": gettext_lazy("Median PFS (days)"),
    "os.events": gettext_lazy("Deaths"),
    "os.median_days": gettext_lazy("Median OS (days)"),
    "courses.completed.n": gettext_lazy("Courses completed"),
    "courses.discontinued.n": gettext_lazy("Courses discontinued"),
}


def _numbers(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    def at(data: dict[str, Any], path: str) -> Any:
        value: Any = data
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    return [
        (str(name), at(before, path), at(after, path))
        for path, name in _NUMBERS.items()
        if at(before, path) != at(after, path)
    ]
