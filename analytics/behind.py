"""The courses behind a number: which ones a step, a bar or a cell counts, and the facts that put each of them there.

Found by the very SQL that counts, so that the list is as long as the number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.access import Act
from accounts.models import Centre, User
from analytics import results, tallies
from analytics.charts.numbers import localised
from analytics.models import ENDPOINTS, Cohort, Outcome
from analytics.rules.endpoints import EVALUABLE_REASONS, PROBLEMS, TimeToEvent
from imaging.models import Reading, SstrResponse, Timepoint
from imaging.selectors.response import DERIVED_REASON
from languages.wording import day, keeps_capitals
from patients.models import (
    DeathCause,
    FunctionalSyndrome,
    PrimarySite,
    PriorTherapyKind,
    Sex,
    TumourType,
    WhoGrade,
)
from treatments.models import Course, DiscontinuationReason, Intent

MOST_LISTED = 200
# Measures whose numbers stand in every result that a user is shown, and so are told here too. Of the others a small number
# is withheld there together with what would give it away (analytics.small_cells): here only whether it is small is told,
# or two numbers asked for one after the other would say what lies between them.
_TOLD_TO_ALL = {
    *ENDPOINTS, *(f"{endpoint}_entry" for endpoint in ENDPOINTS), "analysed", "pfs_at", "os_at", "os_cause",
    "ttd_cause", "death", "response", "confirmed_response", "sstr_response",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A number of a result: categories of a measure, at a value or in a range of values, in one stratum or all.

    Attributes:
        categories: any of these; one that ends in ``*`` stands for all that begin so. None named: all.

    Raises:
        ValueError: no such measure, or values that are no range.
    """

    measure: str
    categories: tuple[str, ...] = ()
    at_from: int | None = None
    at_to: int | None = None
    stratum: str | None = None

    def __post_init__(self) -> None:
        if self.measure not in tallies.MEASURES:
            raise ValueError(
                _("measure {measure}: expected one of {measures}").format(
                    measure=repr(self.measure), measures=", ".join(tallies.MEASURES)
                )
            )
        if self.at_from is not None and self.at_to is not None and self.at_from > self.at_to:
            raise ValueError(
                _("from {first} to {last}: expected the lower value first").format(
                    first=self.at_from, last=self.at_to
                )
            )
        if "\0" in "".join(self.categories) + (self.stratum or ""):
            raise ValueError(_("category and stratum: expected text"))

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """Return the cell of an address: measure, any number of category, at or from and to, stratum."""

        def number(name: str) -> int | None:
            text = query.get(name) or query.get("at") or ""
            if text and not re.fullmatch(r"-?[0-9]{1,9}", text):
                raise ValueError(
                    _("{name} {value}: expected a whole number").format(name=name, value=repr(text))
                )
            return int(text) if text else None

        several = query.getlist("category") if isinstance(query, QueryDict) else [query.get("category", "")]
        return cls(
            measure=query.get("measure", ""),
            categories=tuple(category for category in several if category),
            at_from=number("from"),
            at_to=number("to"),
            stratum=query.get("stratum") or None,
        )

    def to_query(self) -> str:
        """Return what ``from_query`` reads."""
        found: list[tuple[str, Any]] = [("measure", self.measure)]
        found += [("category", category) for category in self.categories]
        if self.at_from is not None and self.at_from == self.at_to:
            found.append(("at", self.at_from))
        else:
            found += [
                (name, at) for name, at in (("from", self.at_from), ("to", self.at_to)) if at is not None
            ]
        if self.stratum is not None:
            found.append(("stratum", self.stratum))
        return urlencode(found)


@dataclass(frozen=True)
class Behind:
    """One course behind a number, or one of its assessments where assessments are counted.

    Attributes:
        facts: what made it an event, a censoring, evaluable or not: for people, the deciding one first.
    """

    course: Course
    days: int | None
    facts: list[str]


@dataclass(frozen=True)
class Found:
    """What a user may know of a cell.

    Attributes:
        n: as the result counts it; None where it must not be told exactly.
        is_small: fewer than ``small_cell`` where ``n`` is None.
        courses: of the centres whose records the user may see, by value; ``MOST_LISTED`` from ``first`` on.
        n_elsewhere: those of centres whose results the user may see but not their records; None as for ``n``.
    """

    n: int | None
    is_small: bool
    courses: list[Behind]
    n_listable: int
    n_elsewhere: int | None
    small_cell: int
    first: int = 0

    @property
    def has_more(self) -> bool:
        return self.first + MOST_LISTED < self.n_listable


def small_cell() -> int:
    return int(settings.SMALL_CELL)


def shown(n: int, *, exact: bool) -> int | None:
    """Return a number of patients as it may be told: None where it is small and its patients are not for this user."""
    return n if exact or n == 0 or n >= small_cell() else None


def find(cohort: Cohort, user: User, cell: Cell, *, first: int = 0) -> Found:
    """Return the courses behind a cell of the cohort's results, as far as the user may see them.

    Args:
        first: how many of the list to pass over.
    """
    codes = results.centre_codes(cohort, user)
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("pk", flat=True))
    by_centre = _count(cohort, codes, cell)
    n_listable = sum(n for centre_id, n in by_centre.items() if centre_id in readable)
    elsewhere = sum(by_centre.values()) - n_listable
    told = elsewhere == 0 or (cell.measure in _TOLD_TO_ALL and shown(elsewhere, exact=False) is not None)
    return Found(
        n=n_listable + elsewhere if told else None,
        is_small=0 < n_listable + elsewhere < small_cell(),
        courses=_list(cohort, user, cell, codes, readable, first) if n_listable else [],
        n_listable=n_listable,
        n_elsewhere=elsewhere if told else None,
        small_cell=small_cell(),
        first=first,
    )


def _list(
    cohort: Cohort, user: User, cell: Cell, codes: Sequence[str], readable: set[UUID], first: int
) -> list[Behind]:
    rows = _rows(cohort, codes, cell, readable, first)
    ids = {course_id for course_id, _ in rows}
    # The cohort says which courses, the one door to clinical records whether the user may see them.
    courses = Course.objects.visible_to(user).filter(pk__in=ids).select_related("patient")
    found = {course.pk: course for course in courses}
    outcomes = {
        outcome.course_id: outcome
        for outcome in Outcome.objects.filter(definition=cohort.definition, course__in=ids)
    }
    reasons = _progressions(list(found.values()))
    behind = [
        Behind(
            found[course_id],
            at,
            _facts(cell.measure, outcomes[course_id], found[course_id].patient_id, reasons),
        )
        for course_id, at in rows
        if course_id in found and course_id in outcomes
    ]
    behind.sort(key=lambda one: (one.days or 0, one.course.patient.registry_number, one.course.number))
    return behind


def _of_cell(cohort: Cohort, codes: Sequence[str], cell: Cell) -> tuple[str, list[Any]]:
    """Return FROM and WHERE of the rows that the cell counts: outcomes ``o``, each with its measures ``m``."""
    rules = cohort.definition.rules
    cutoff = cohort.tallied_to or tallies.cutoff_of(cohort)
    measures, parameters = tallies.measures_of(rules, cutoff, [cell.measure])
    conditions, values = tallies.filter_of(cohort, codes)
    if cell.categories:
        either = []
        for category in cell.categories:
            is_start = category.endswith("*")
            either.append("starts_with(m.category, %s)" if is_start else "m.category = %s")
            values.append(category[:-1] if is_start else category)
        conditions.append(f"({' OR '.join(either)})")
    for column, comparison, wanted in (
        ("m.at", ">=", cell.at_from),
        ("m.at", "<=", cell.at_to),
        (tallies.stratum_of(cohort), "=", cell.stratum),
    ):
        if wanted is not None:
            conditions.append(f"{column} {comparison} %s")
            values.append(wanted)
    sql = (
        f"analytics_outcome o CROSS JOIN LATERAL ({measures}) AS m (measure, at, category)"
        f" WHERE {' AND '.join(conditions)}"
    )
    return sql, [*parameters, *values]


def _count(cohort: Cohort, codes: Sequence[str], cell: Cell) -> dict[UUID, int]:
    """Return how many each centre has in the cell. One query."""
    sql, values = _of_cell(cohort, codes, cell)
    with connection.cursor() as cursor:
        # Constants of analytics.tallies; values are parameters.
        cursor.execute(f"SELECT o.centre_id, count(*) FROM {sql} GROUP BY 1", values)  # noqa: S608
        return dict(cursor.fetchall())


def _rows(
    cohort: Cohort, codes: Sequence[str], cell: Cell, centre_ids: set[UUID], first: int
) -> list[tuple[UUID, int]]:
    """Return course and value of those in the cell at these centres, by value. One query."""
    sql, values = _of_cell(cohort, codes, cell)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT o.course_id, m.at FROM {sql} AND o.centre_id = ANY(%s) ORDER BY 2, 1 LIMIT %s OFFSET %s",  # noqa: S608
            [*values, list(centre_ids), MOST_LISTED, first],
        )
        return list(cursor.fetchall())


def _progressions(courses: Sequence[Course]) -> dict[tuple[UUID, date], str]:
    """Return why a reading said progression, by patient and day of its study. One query."""
    read = (
        Reading.objects.in_force()
        .filter(
            study__patient__in={course.patient_id for course in courses},
            study__voided_at__isnull=True,
            overall_response="PD",
        )
        .values_list("study__patient_id", "study__performed_on", "override_reason", "derived_reason")
    )
    return {
        (patient_id, on): override or DERIVED_REASON.retold(derived)
        for patient_id, on, override, derived in read
    }


# Measures that say what is known of a course: the words before the value, the field, and the unit.
_KNOWN: dict[str, tuple[Any, str, Any]] = {
    "age_years": (gettext_lazy("Age"), "age_years", gettext_lazy("years")),
    "ki67_percent": (gettext_lazy("Ki-67"), "ki67_percent", "%"),
    "baseline_suv_max": (gettext_lazy("Baseline SUVmax"), "baseline_suv_max", "g/mL"),
    "activity_mbq": (gettext_lazy("Cumulative activity"), "cumulative_activity_mbq", "MBq"),
    "dose_intensity_percent": (gettext_lazy("Dose intensity"), "dose_intensity_percent", "%"),
    "delayed_cycles": (gettext_lazy("Cycles given after the window"), "delayed_cycles", ""),
    "reduced_cycles": (gettext_lazy("Cycles prescribed below the protocol's activity"), "reduced_cycles", ""),
    "sex": (gettext_lazy("Sex"), "sex", ""),
    "tumour_type": (gettext_lazy("Tumour type"), "tumour_type", ""),
    "primary_site": (gettext_lazy("Primary site"), "primary_site", ""),
    "who_grade": (gettext_lazy("WHO grade"), "who_grade", ""),
    "functional_syndrome": (gettext_lazy("Functional syndrome"), "functional_syndrome", ""),
    "ecog": (gettext_lazy("ECOG"), "ecog", ""),
    "krenning": (gettext_lazy("Krenning score at baseline"), "baseline_krenning", ""),
    "protocol": (gettext_lazy("Protocol"), "protocol", ""),
    "intent": (gettext_lazy("Intent"), "intent", ""),
    "prior_therapy": (gettext_lazy("Earlier therapies"), "prior_therapies", ""),
}


def _facts(
    measure: str, outcome: Outcome, patient_id: UUID, reasons: Mapping[tuple[UUID, date], str]
) -> list[str]:
    """Return the facts that put a course where it is counted, the deciding one first."""
    if outcome.problem:
        return [PROBLEMS.retold(outcome.problem)]
    endpoint = {"os_cause": "os", "ttd_cause": "ttd", "death": "os"}.get(measure, measure.removesuffix("_at"))
    facts: list[str] = []
    if endpoint in ENDPOINTS:
        facts.append(_endpoint_fact(outcome, endpoint, patient_id, reasons))
    elif measure in {"response", "confirmed_response", "sstr_response", "concordance", "assessment"}:
        facts.append(EVALUABLE_REASONS.retold(outcome.response_evaluable_reason))
        facts += [_assessment_fact(item) for item in outcome.responses]
    elif measure in {"toxicity", "any_toxicity"}:
        graded = [item.rsplit(":", 2) for item in outcome.toxicities]
        facts += [
            _("{term}, grade {grade}, after cycle {cycle}").format(term=term, grade=grade, cycle=cycle)
            for term, cycle, grade in graded
            if cycle != "0"
        ]
        told = {term for term, cycle, _grade in graded if cycle != "0"}
        facts += [
            _("{term}, grade {grade}").format(term=term, grade=grade)
            for term, _cycle, grade in graded
            if term not in told
        ]
    elif measure in _KNOWN:
        facts.append(_known_fact(outcome, *_KNOWN[measure]))
    if outcome.started_on:
        said = ngettext(
            "First administration on {day}, {n} cycle given",
            "First administration on {day}, {n} cycles given",
            outcome.cycles_given,
        )
        facts.append(said.format(day=day(outcome.started_on), n=outcome.cycles_given))
    else:
        facts.append(_("No cycle given by the data cut-off"))
    if outcome.status == "discontinued":
        facts.append(
            _("Discontinued after cycle {cycle}: {reason}").format(
                cycle=outcome.discontinued_after_cycle,
                reason=words_of_code(outcome.discontinuation_reason, DiscontinuationReason),
            )
        )
    elif measure == "status" and outcome.started_on:
        facts.append(_(outcome.status.capitalize()))
    return [fact for fact in facts if fact]


def words_of_code(code: str, choices: Any = None) -> str:
    """Return a stored code in words: in English its own, in another language those of its choices."""
    if choices is not None and keeps_capitals() and code in choices.values:
        return str(choices(code).label)
    return code.replace("_", " ")


_CHOICES_OF: dict[str, Any] = {
    "sex": Sex,
    "tumour_type": TumourType,
    "primary_site": PrimarySite,
    "who_grade": WhoGrade,
    "functional_syndrome": FunctionalSyndrome,
    "intent": Intent,
    "prior_therapies": PriorTherapyKind,
}


def _known_fact(outcome: Outcome, words: Any, field: str, unit: Any) -> str:
    value = getattr(outcome, field)
    codes = _CHOICES_OF.get(field)
    if isinstance(value, list):
        value = ", ".join(words_of_code(one, codes) for one in value)
    elif isinstance(value, str):
        value = words_of_code(value, codes)
    said = _("not known") if value in (None, "") else f"{localised_value(value)} {unit}".strip()
    return f"{words}: {said}"


def localised_value(value: Any) -> str:
    return str(value) if isinstance(value, str) else localised(str(value))


def _endpoint_fact(
    outcome: Outcome, endpoint: str, patient_id: UUID, reasons: Mapping[tuple[UUID, date], str]
) -> str:
    days, event, on, basis = (
        getattr(outcome, f"{endpoint}_{part}") for part in ("days", "event", "on", "basis")
    )
    if days is None:
        return ""
    said = TimeToEvent(days=days, event=event, on=on, basis=basis).reason()
    why = reasons.get((patient_id, on), "") if basis == "overall_response_pd" else ""
    if endpoint in {"os", "pfs", "ttnt"} and basis == "death" and outcome.death_cause:
        why = _("cause: {cause}").format(cause=_cause(outcome.death_cause))
    return f"{said[0].upper()}{said[1:]}" + (f" ({why})" if why else "")


def _cause(code: str) -> str:
    return words_of_code(code, DeathCause) if keeps_capitals() else code


def _assessment_fact(item: str) -> str:
    timepoint, on_day, recist, sstr = item.split(":")
    words = _("{timepoint} on day {day}: {response}").format(
        timepoint=words_of_code(timepoint, Timepoint),
        day=on_day,
        response=recist.replace("NON_CR_NON_PD", _("non-CR/non-PD")) or _("no response"),
    )
    words = words[0].upper() + words[1:]
    return words + (f", SSTR {words_of_code(sstr, SstrResponse)}" if sstr else "")
