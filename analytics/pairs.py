"""Two cohorts beside each other: what each gives, whom they share, and whether their difference may be tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from analytics import cohorts, comparing, compute, exploring, results, tallies
from analytics.behind import shown, small_cell
from analytics.charts.numbers import whole
from analytics.models import Cohort
from analytics.rules.difference import Difference, difference_of_rates
from analytics.small_cells import suppressed

Document = dict[str, Any]
ENDPOINTS = ("pfs", "os")


@dataclass(frozen=True)
class Side:
    cohort: Cohort
    name: str
    codes: list[str]
    result: Document

    @property
    def methods(self) -> list[str]:
        return cohorts.methods(self.cohort, str(self.result["data_cutoff"]))


@dataclass(frozen=True)
class Pair:
    """Two cohorts compared, as far as a user may be told.

    Attributes:
        shared_courses, shared_patients: in both; None: so few that they are not told.
        differ: in what the two count or mean differently, in words.
        why_no_test: why no test is given; empty: ``comparisons`` and ``orr_difference`` hold them.
        comparisons: endpoint to what ``analytics.comparing.compare`` gives.
        table1: one column for each cohort.
    """

    sides: tuple[Side, Side]
    shared_courses: int | None
    shared_patients: int | None
    differ: list[str]
    why_no_test: list[str]
    comparisons: dict[str, Document]
    orr_difference: Difference | None
    table1: Document


def compare(a: Cohort, b: Cohort, user: User) -> Pair:
    """Return the two cohorts for what ``user`` may see of them.

    No test is given where the two share patients, since every test here is of different ones, or where their
    definitions, cut-offs or the courses they count differ, since then times do not mean the same.
    """
    names = (a.name, b.name) if a.name != b.name else (f"{a.name} ({a.slug})", f"{b.name} ({b.slug})")
    sides = _side(a, names[0], user), _side(b, names[1], user)
    courses, patients = overlap(a, b, sides[0].codes, sides[1].codes)
    exact = all(exploring.sees_all_records(user, side.codes) for side in sides)
    differ = _differences(a, b)
    why = [_("{what} differ").format(what=one) for one in differ]
    if patients:
        told = shown(patients, exact=exact)
        many = whole(told) if told is not None else _("fewer than {n}").format(n=small_cell())
        said = ngettext("the two share {many} patient", "the two share {many} patients", patients)
        why.append(said.format(many=many))
    comparisons: dict[str, Document] = {}
    rates = None
    if not why:
        counts = [tallies.stored_counts(side.cohort, side.codes) for side in sides]
        by_side = {"a": names[0], "b": names[1]}
        for endpoint in ENDPOINTS:
            tables = {key: compute.event_table(of, endpoint) for key, of in zip(by_side, counts, strict=True)}
            comparisons[endpoint] = comparing.compare(tables, by_side)
        first, second = (side.result["orr"] for side in sides)
        rates = difference_of_rates(first["n"], first["of"], second["n"], second["of"])
    return Pair(
        sides=sides,
        shared_courses=shown(courses, exact=exact),
        shared_patients=shown(patients, exact=exact),
        differ=differ,
        why_no_test=why,
        comparisons=comparisons,
        orr_difference=rates,
        table1=_table_1(sides),
    )


def _side(cohort: Cohort, name: str, user: User) -> Side:
    result = results.payload(cohort, user)
    codes = list(result["centres"])
    if not exploring.sees_all_records(user, codes):
        result = suppressed(result, small_cell())
    return Side(cohort, name, codes, result)


def _differences(a: Cohort, b: Cohort) -> list[str]:
    found = []
    if tallies.cutoff_of(a) != tallies.cutoff_of(b):
        found.append(_("their data cut-offs"))
    if a.definition.rules.to_json() != b.definition.rules.to_json():
        found.append(_("the definitions of their endpoints"))
    if a.courses_counted != b.courses_counted:
        found.append(_("the courses they count (each patient's first, or every one)"))
    return found


def overlap(a: Cohort, b: Cohort, codes_a: Sequence[str], codes_b: Sequence[str]) -> tuple[int, int]:
    """Return how many courses, and how many patients, both cohorts count at these centres. One query."""
    parts, values = [], []
    for cohort, codes in ((a, codes_a), (b, codes_b)):
        conditions, parameters = tallies.filter_of(cohort, codes)
        rules = cohort.definition.rules
        conditions += ["o.time_zero IS NOT NULL", "o.problem = ''", tallies.in_analysis_set(rules)]
        parts.append(
            "SELECT o.course_id, c.patient_id FROM analytics_outcome o"  # noqa: S608
            f" JOIN treatments_course c ON c.id = o.course_id WHERE {' AND '.join(conditions)}"
        )
        values += parameters
    sql = f"""
        WITH a AS ({parts[0]}), b AS ({parts[1]})
        SELECT (SELECT count(*) FROM a JOIN b USING (course_id)),
            (SELECT count(*) FROM (SELECT patient_id FROM a INTERSECT SELECT patient_id FROM b) AS both_of)
    """  # noqa: S608 (constants of analytics.tallies; values are parameters)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        courses, patients = cursor.fetchone()
    return int(courses), int(patients)


def _table_1(sides: Sequence[Side]) -> Document:
    """Return the columns of all of each cohort beside each other; a value that one lacks counts 0 there."""
    tables = [side.result["table1"] for side in sides]
    columns = [
        {"code": None, "name": side.name, "n": table["columns"][0]["n"]}
        for side, table in zip(sides, tables, strict=True)
    ]
    rows = []
    for row in tables[0]["rows"]:
        others = [next((one for one in table["rows"] if one["key"] == row["key"]), None) for table in tables]
        merged = {**row, "tests": []}
        if row["kind"] == "number":
            merged["cells"] = [one["cells"][0] if one else None for one in others]
        else:
            merged["options"] = _options(others)
            merged["missing"] = [one["missing"][0] if one else 0 for one in others]
        rows.append(merged)
    return {"columns": columns, "rows": rows}


def _options(rows: Sequence[Mapping[str, Any] | None]) -> list[Document]:
    names: dict[str, str] = {}
    for row in rows:
        for option in row["options"] if row else []:
            names.setdefault(option["code"], option["name"])
    by_code = [
        {option["code"]: option["cells"][0] for option in row["options"]} if row else {} for row in rows
    ]
    return [
        {"code": code, "name": name, "cells": [cells.get(code, 0) for cells in by_code]}
        for code, name in names.items()
    ]
