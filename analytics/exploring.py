"""Questions about courses that no stored cohort answers: how many they are, and what their curves, rates and models say.

Counted here and now by the same SQL that stored cohorts are counted by. In words: docs/cohorts.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import Act
from accounts.models import Centre, User
from analytics import comparing, compute, results, strata, tallies
from analytics.behind import shown, small_cell
from analytics.models import Cohort, CoursesCounted, Definition, Outcome, Strata, Tally
from analytics.rules import cox
from analytics.rules.endpoints import EndpointDefinition
from analytics.rules.restricted_mean import restricted_mean
from analytics.rules.survival import EventTable, Refused
from analytics.small_cells import Table, fewer_than
from analytics.tallies import UNKNOWN_STRATUM, Counts

Document = dict[str, Any]


# How many


@dataclass(frozen=True)
class Counted:
    """How many courses and patients a question counts, as far as they may be told.

    Attributes:
        patients, courses: None where they must not be told exactly.
        is_small: of those not told, whether they are fewer than ``limit``.
    """

    patients: int | None
    courses: int | None
    is_small: bool
    limit: int


def count(cohort: Cohort, codes: Sequence[str], rules: EndpointDefinition) -> dict[UUID, tuple[int, int]]:
    """Return patients and courses that the cohort would count, by centre. One query.

    Args:
        rules: of which the analysis set is asked; the outcomes are those of the cohort's definition.
    """
    conditions, values = tallies.filter_of(cohort, codes)
    conditions += ["o.time_zero IS NOT NULL", "o.problem = ''", tallies.in_analysis_set(rules)]
    each_once = cohort.courses_counted == CoursesCounted.FIRST
    patients = "count(*)" if each_once else "count(DISTINCT c.patient_id)"
    source = "analytics_outcome o" + ("" if each_once else " JOIN treatments_course c ON c.id = o.course_id")
    with connection.cursor() as cursor:
        cursor.execute(
            # Constants of this module and of analytics.tallies; values are parameters.
            f"SELECT o.centre_id, {patients}, count(*) FROM {source} WHERE {' AND '.join(conditions)} GROUP BY 1",  # noqa: S608
            values,
        )
        return {centre_id: (of_patients, n) for centre_id, of_patients, n in cursor.fetchall()}


def told(by_centre: Mapping[UUID, tuple[int, int]], user: User) -> Counted:
    """Return the numbers as ``user`` may be told them: small ones only of centres whose records the user may see."""
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("pk", flat=True))
    elsewhere = sum(patients for centre_id, (patients, _) in by_centre.items() if centre_id not in readable)
    patients = sum(of for of, _ in by_centre.values())
    exact = shown(elsewhere, exact=False) is not None
    return Counted(
        patients=patients if exact else None,
        courses=sum(n for _, n in by_centre.values()) if exact else None,
        is_small=0 < patients < small_cell(),
        limit=small_cell(),
    )


def sees_all_records(user: User, codes: Sequence[str]) -> bool:
    """Return whether ``user`` may see the records of every patient at these centres."""
    readable = Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("code", flat=True)
    return set(codes) <= set(readable)


@dataclass(frozen=True)
class Stand:
    """The definition whose outcomes a question is counted on.

    Attributes:
        is_derived: it is the one asked for; else the nearest of which there are outcomes.
    """

    definition: Definition
    is_derived: bool


def stand_in(known: Definition | None, cutoff: Any) -> Stand | None:
    """Return ``known`` if it has outcomes, else a definition that has, of the same cut-off if there is one."""
    derived = Definition.objects.filter(
        pk__in=Outcome.objects.filter(derived_at__isnull=False).values("definition")
    )
    found = list(derived.order_by("pk"))
    for one in found:
        if known is not None and one.pk == known.pk:
            return Stand(one, is_derived=True)
    same = [one for one in found if one.data_cutoff == cutoff]
    open_ended = [one for one in found if one.data_cutoff is None]
    nearest = [*same, *open_ended, *found]
    return Stand(nearest[0], is_derived=False) if nearest else None


# How many have each value, beside the boxes of a form

_FACETS = {
    "sexes": "sex",
    "tumour_types": "tumour_type",
    "primary_sites": "primary_site",
    "who_grades": "who_grade",
    "functional_syndromes": "functional_syndrome",
    "ecogs": "ecog",
    "with_prior_therapies": "prior_therapy",
    "protocols": "protocol",
    "intents": "intent",
    "krenning_scores": "krenning",
}


class Facets:
    """Of every list of the filter, how many treated patients have each value: of the cohort ``all``, from its tallies."""

    def __init__(self, by_list: Mapping[str, Mapping[str, int]], *, exact: bool) -> None:
        self._by_list = {
            name: dict(counts) if exact else _withheld(counts) for name, counts in by_list.items()
        }

    def of(self, name: str) -> Mapping[str, int | str] | None:
        """Return value to number, or to what stands in place of one that is small; None: not counted."""
        return self._by_list.get(name)


def facets(user: User) -> Facets | None:
    """Return the numbers beside the boxes of a form for what ``user`` may see; None without a cohort ``all``. 4 queries."""
    of_all = Cohort.objects.visible_to(user).filter(slug="all").first()
    if of_all is None:
        return None
    codes = results.centre_codes(of_all, user)
    rows = (
        Tally.objects.filter(
            cohort=of_all, centre__code__in=codes, measure__in=[*_FACETS.values(), "status", "analysed"]
        )
        .values_list("measure", "category", "centre__code")
        .annotate(Sum("n"))
    )
    by_measure: dict[str, dict[str, int]] = {}
    for measure, category, centre, n in rows:
        values = by_measure.setdefault(measure, {})
        values[category] = values.get(category, 0) + n
        if measure == "analysed":
            by_centre = by_measure.setdefault("centre", {})
            by_centre[centre] = by_centre.get(centre, 0) + n
    found = {name: by_measure.get(measure, {}) for name, measure in _FACETS.items()}
    found["centre_codes"] = by_measure.get("centre", {})
    status: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for category, n in by_measure.get("status", {}).items():
        kind, _, reason = category.partition(":")
        status[kind] = status.get(kind, 0) + n
        if reason:
            reasons[reason] = reasons.get(reason, 0) + n
    found |= {"statuses": status, "discontinuation_reasons": reasons}
    return Facets(found, exact=sees_all_records(user, codes))


def _withheld(counts: Mapping[str, int]) -> dict[str, int | str]:
    limit = small_cell()
    table = Table({value: n for value, n in counts.items()})  # noqa: C416 (other keys are cells too)
    table.add(None, list(counts))
    hidden = table.withheld(limit)
    small = fewer_than(limit)
    # What is withheld for the sake of another is no small number itself.
    return {
        value: n if value not in hidden else (f"< {limit}" if hidden[value] == small else f"≥ {limit}")
        for value, n in counts.items()
    }


# Questions


@dataclass(frozen=True)
class Covariate:
    """A covariate of a Cox model: a number as it is, or the levels that strata are made of."""

    title: Any  # told when it is shown
    levels: Strata | None = None


COVARIATES: dict[str, Covariate] = {
    "sex": Covariate(gettext_lazy("Sex"), Strata.SEX),
    "age_10": Covariate(gettext_lazy("Age, per 10 years")),
    "age_65": Covariate(gettext_lazy("Age 65 and over"), Strata.AGE),
    "tumour_type": Covariate(gettext_lazy("Tumour type"), Strata.TUMOUR_TYPE),
    "primary_site": Covariate(gettext_lazy("Primary site"), Strata.PRIMARY_SITE),
    "who_grade": Covariate(gettext_lazy("WHO grade"), Strata.WHO_GRADE),
    "ki67": Covariate(gettext_lazy("Ki-67"), Strata.KI67),
    "functional": Covariate(gettext_lazy("Functional syndrome"), Strata.FUNCTIONAL),
    "ecog": Covariate(gettext_lazy("ECOG"), Strata.ECOG),
    "prior_prrt": Covariate(gettext_lazy("Earlier PRRT"), Strata.PRIOR_PRRT),
    "intent": Covariate(gettext_lazy("Intent"), Strata.INTENT),
    "krenning": Covariate(gettext_lazy("Krenning score"), Strata.KRENNING),
}


@dataclass(frozen=True)
class Question:
    """What the explorer is asked.

    Attributes:
        cohort: whom, divided by what, under which definition; it need not be stored.
        covariates: keys of ``COVARIATES``.
        tests: whether Table 1 tests differences between strata.
    """

    cohort: Cohort
    endpoint: str = "pfs"
    covariates: tuple[str, ...] = ()
    tests: bool = False

    def undivided(self) -> "Question":
        cohort = tallies.cohort_from_json(tallies.filter_to_json(self.cohort), self.cohort.definition)
        cohort.slug, cohort.name = self.cohort.slug, self.cohort.name
        return replace(self, cohort=cohort)


def measures_for(endpoint: str) -> list[str]:
    """Return the measures that the curves of an endpoint are made of."""
    more = {"pfs": ["pfs_at"], "os": ["os_at", "os_cause"], "ttd": ["ttd_cause"]}.get(endpoint, [])
    return ["analysed", endpoint, f"{endpoint}_entry", *more]


def curves_of(question: Question, counts: Counts) -> Document:
    """Return the figures of the endpoint, of all and of each stratum, with the rows of their curves, and comparisons."""
    cohort, endpoint, rules = question.cohort, question.endpoint, question.cohort.definition.rules
    found: Document = {
        "endpoint": endpoint,
        "overall": _with_curve(endpoint, counts, rules, None),
        "groups": [],
    }
    if not cohort.strata_by:
        return found
    for code in strata.in_order(cohort.strata_by, counts.strata):
        group = _with_curve(endpoint, counts, rules, code)
        if group["n"]:
            found["groups"].append({"code": code, "name": strata.name_of(cohort.strata_by, code), **group})
    names = {group["code"]: group["name"] for group in found["groups"] if group["code"] != UNKNOWN_STRATUM}
    tables = {code: compute.event_table(counts, endpoint, code) for code in names}
    return found | {"by": strata.title_of(cohort.strata_by), "comparison": comparing.compare(tables, names)}


def _with_curve(endpoint: str, counts: Counts, rules: EndpointDefinition, code: str | None) -> Document:
    table = compute.event_table(counts, endpoint, code)
    found, curve = compute._time_to_event(endpoint, table, counts, rules, code)
    if "restricted_mean" not in found and rules.landmark_months:
        found["restricted_mean"] = _restricted_mean(table, rules.landmark_months[-1] * rules.month_days)
    return {**found, "table": curve}


def _restricted_mean(table: EventTable, tau: Decimal) -> Document:
    mean = restricted_mean(table, tau)
    if isinstance(mean, Refused):
        return {"tau_days": float(tau), "days": None, "ci95": [None, None], "problem": mean.reason}
    return {"tau_days": float(tau), "days": mean.days, "ci95": [mean.lower, mean.upper]}


def model(question: Question, codes: Sequence[str]) -> Document:
    """Return a Cox model of the question's covariates with its test of proportional hazards, or why there is none.

    Patients who lack a covariate are left out and counted under ``missing``. One query.
    """
    chosen = {key: COVARIATES[key] for key in question.covariates}
    rows = _by_covariates(question, codes, list(chosen.values()))
    complete = [row for row in rows if None not in row[0]]
    missing = sum(int(n.sum()) for values, *_others, n in rows if None in values)
    found: Document = {
        "missing": missing,
        "covariates": [str(covariate.title) for covariate in chosen.values()],
    }
    if not complete:
        return found | {"problem": _("nobody has every covariate recorded")}
    columns: list[tuple[int, Any]] = []  # place of the covariate, and the level that the column stands for
    names: list[str] = []
    terms: list[str] = []
    problems: list[str] = []
    for place, covariate in enumerate(chosen.values()):
        if covariate.levels is None:
            columns.append((place, None))
            names.append(str(covariate.title))
            terms.append(str(covariate.title))
            continue
        sizes: dict[str, int] = {}
        for values, *_others, n in complete:
            sizes[values[place]] = sizes.get(values[place], 0) + int(n.sum())
        if len(sizes) < 2:
            problems.append(
                _("{covariate}: all patients with every covariate known are alike").format(
                    covariate=covariate.title
                )
            )
            continue
        reference = max(sizes, key=lambda level: sizes[level])
        of_reference = strata.name_of(covariate.levels, reference)
        for level in strata.in_order(covariate.levels, sizes):
            if level != reference:
                columns.append((place, level))
                of_level = strata.name_of(covariate.levels, level)
                names.append(_("{level} against {reference}").format(level=of_level, reference=of_reference))
                terms.append(str(covariate.title))
    if problems:
        return found | {"problem": "; ".join(problems)}
    groups = [
        (
            [
                float(values[place]) if level is None else float(values[place] == level)
                for place, level in columns
            ],
            _table(days, events, entries, n, question.endpoint),
        )
        for values, days, events, entries, n in complete
    ]
    found["terms"] = dict(zip(names, terms, strict=True))
    return found | comparing.cox_document(cox.fit(groups, names, terms=terms))


_Row = tuple[tuple[Any, ...], np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _by_covariates(question: Question, codes: Sequence[str], covariates: Sequence[Covariate]) -> list[_Row]:
    """Return the distinct values of the covariates (None: not known) with the times of who has them, as arrays."""
    cohort, endpoint = question.cohort, question.endpoint
    conditions, parameters = tallies.filter_of(cohort, codes)
    conditions += [
        "o.time_zero IS NOT NULL",
        "o.problem = ''",
        tallies.in_analysis_set(cohort.definition.rules),
        f"o.{endpoint}_days IS NOT NULL",
    ]
    values = [
        "o.age_years::text"
        if covariate.levels is None
        else f"nullif({tallies.stratum_of(Cohort(strata_by=covariate.levels))}, '{UNKNOWN_STRATUM}')"
        for covariate in covariates
    ]
    keys = ", ".join(f"k{place}" for place in range(len(values)))
    chosen = ", ".join(f"{value} AS k{place}" for place, value in enumerate(values))
    sql = f"""
        SELECT {keys}, array_agg(days), array_agg(event), array_agg(entry), array_agg(n) FROM (
            SELECT {chosen}, o.{endpoint}_days AS days, o.{endpoint}_event AS event, o.entry_days AS entry,
                count(*)::int AS n
            FROM analytics_outcome o WHERE {" AND ".join(conditions)}
            GROUP BY {keys}, days, event, entry
        ) AS each GROUP BY {keys}
    """  # noqa: S608 (constants of this module and of analytics.tallies; values are parameters)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found = cursor.fetchall()
    rows: list[_Row] = []
    for *key, days, events, entries, n in found:
        per = tuple(
            int(value) / 10 if covariate.levels is None and value is not None else value
            for value, covariate in zip(key, covariates, strict=True)
        )
        rows.append((per, np.array(days), np.array(events, dtype=bool), np.array(entries), np.array(n)))
    return rows


def _table(
    days: np.ndarray, events: np.ndarray, entries: np.ndarray, n: np.ndarray, endpoint: str
) -> EventTable:
    if endpoint == "dor":  # counted from the response on: nobody enters late
        return EventTable.from_arrays(days[events], n[events], days[~events], n[~events])
    late = entries > 0
    return EventTable.from_arrays(days[events], n[events], days[~events], n[~events], entries[late], n[late])
