"""Who the patients of a cohort are, what they were given and what it did to them: Table 1, exposure and toxicity."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext_noop

from analytics import strata
from analytics.models import Cohort
from analytics.rules.description import (
    GroupTest,
    Values,
    categories_test,
    in_steps,
    rank_test,
    summary,
    welch,
)
from analytics.rules.survival import Refused
from analytics.tallies import STEPS, UNKNOWN_STRATUM, Counts
from patients.models import FunctionalSyndrome, PrimarySite, PriorTherapyKind, Sex, TumourType, WhoGrade
from treatments.models import Intent

Document = dict[str, Any]

_NUMBERS: dict[str, tuple[str, str, int]] = {  # measure: name, unit, decimals shown
    "age_years": (gettext_noop("Age"), gettext_noop("years"), 1),
    "ki67_percent": (gettext_noop("Ki-67"), "%", 1),
    "baseline_suv_max": (gettext_noop("Baseline SUVmax, hottest lesion"), "g/mL", 1),
}
_CHOICES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "sex": (gettext_noop("Sex"), dict(Sex.choices)),
    "tumour_type": (gettext_noop("Tumour type"), dict(TumourType.choices)),
    "primary_site": (gettext_noop("Primary site"), dict(PrimarySite.choices)),
    "who_grade": (
        gettext_noop("WHO grade"),
        {code: name for code, name in WhoGrade.choices if code != WhoGrade.UNKNOWN},
    ),
    "functional_syndrome": (
        gettext_noop("Functional syndrome"),
        {code: name for code, name in FunctionalSyndrome.choices if code != FunctionalSyndrome.UNKNOWN},
    ),
    "ecog": (gettext_noop("ECOG performance status"), {str(score): f"ECOG {score}" for score in range(6)}),
    "krenning": (
        gettext_noop("Krenning score at baseline"),
        {str(score): f"Krenning {score}" for score in range(5)},
    ),
    "intent": (gettext_noop("Intent"), dict(Intent.choices)),
    "protocol": (gettext_noop("Protocol"), {}),
}
# Codes of a choice that say that it is not known.
_MISSING = {"missing", "unknown"}
# In "primary site" not known is a finding: a cancer of unknown primary.
_KNOWN_UNKNOWN = {"primary_site"}

_EXPOSURE: dict[str, tuple[str, str, int]] = {
    "cycles_given": (gettext_noop("Cycles given"), gettext_noop("cycles"), 1),
    "activity_mbq": (gettext_noop("Cumulative administered activity"), "GBq", 1),
    "dose_intensity_percent": (gettext_noop("Dose intensity"), "%", 1),
    "delayed_cycles": (gettext_noop("Cycles given after the protocol's window"), gettext_noop("cycles"), 1),
    "reduced_cycles": (
        gettext_noop("Cycles prescribed below the protocol's activity"),
        gettext_noop("cycles"),
        1,
    ),
}
_EXPOSURE_STEPS = {**STEPS, "activity_mbq": 1000}  # counted in MBq, told in GBq


def sections(counts: Counts, cohort: Cohort) -> Document:
    """Return the sections ``table1``, ``exposure`` and ``toxicity`` of a result. Their words are stored: in English."""
    codes: list[str | None] = [None]
    if cohort.strata_by:
        codes += strata.in_order(cohort.strata_by, counts.strata)
    return {
        "table1": _table_1(counts, cohort.strata_by, codes),
        "exposure": [
            {
                "key": key,
                "name": name,
                "unit": unit,
                "decimals": decimals,
                **_number_of(counts, key, None, _EXPOSURE_STEPS.get(key, 1)),
            }
            for key, (name, unit, decimals) in _EXPOSURE.items()
        ],
        "toxicity": _toxicity(counts),
    }


def _table_1(counts: Counts, by: str, codes: Sequence[str | None]) -> Document:
    rows: list[Document] = []
    for key, (name, unit, decimals) in _NUMBERS.items():
        rows.append(
            {
                "key": key,
                "kind": "number",
                "name": name,
                "unit": unit,
                "decimals": decimals,
                "cells": [_number_of(counts, key, code, STEPS.get(key, 1)) for code in codes],
                "tests": _number_tests(counts, key, codes),
            }
        )
    for key, (name, names) in _CHOICES.items():
        rows.append(_choice_row(counts, key, name, names, codes))
    rows.append(_prior_therapies(counts, codes))
    columns = [
        {
            "code": code,
            "name": gettext_noop("All") if code is None else strata.name_of(by, code),
            "n": counts.by_category("analysed", code).get("n", 0),
        }
        for code in codes
    ]
    return {"columns": columns, "rows": rows}


def _number_tests(counts: Counts, key: str, codes: Sequence[str | None]) -> list[Document]:
    """Return the tests between strata; who is in no known stratum is left out."""
    known = {
        code: _values(counts, key, code, STEPS.get(key, 1))
        for code in codes
        if code is not None and code != UNKNOWN_STRATUM
    }
    return _tests(welch(known), rank_test(known)) if len(known) > 1 else []


def _choice_row(
    counts: Counts, key: str, name: str, names: Mapping[str, str], codes: Sequence[str | None]
) -> Document:
    missing_codes = {"missing"} if key in _KNOWN_UNKNOWN else _MISSING
    found = [counts.by_category(key, code) for code in codes]
    present = set().union(*found) - missing_codes
    options = [option for option in names if option in present] + sorted(present - set(names))
    table = [[column.get(option, 0) for option in options] for column in found]
    known = {
        code: {option: column.get(option, 0) for option in options}
        for code, column in zip(codes, found, strict=True)
        if code is not None and code != UNKNOWN_STRATUM
    }
    return {
        "key": key,
        "kind": "choice",
        "name": name,
        "options": [
            {
                "code": option,
                "name": str(names.get(option, option)),
                "cells": [column[place] for column in table],
            }
            for place, option in enumerate(options)
        ],
        "missing": [sum(column.get(code, 0) for code in missing_codes) for column in found],
        "tests": _tests(categories_test(known)) if len(known) > 1 else [],
    }


def _prior_therapies(counts: Counts, codes: Sequence[str | None]) -> Document:
    """Return the row of earlier therapies: a patient counts under each kind, so shares do not add up to 100 %."""
    names = {
        **dict(PriorTherapyKind.choices),
        "prrt": gettext_noop("Earlier PRRT"),
        "none": gettext_noop("None recorded"),
    }
    found = [counts.by_category("prior_therapy", code) for code in codes]
    present = set().union(*found)
    return {
        "key": "prior_therapy",
        "kind": "several",
        "name": gettext_noop("Earlier therapies"),
        "options": [
            {"code": code, "name": str(name), "cells": [column.get(code, 0) for column in found]}
            for code, name in names.items()
            if code in present
        ],
        "missing": [0 for _ in codes],
        "tests": [],
    }


def _number_of(counts: Counts, measure: str, stratum: str | None, step: int) -> Document:
    """Return a number's summary in its unit, from values counted in whole steps."""
    found = summary(
        _values(counts, measure, stratum, step),
        missing=counts.by_category(measure, stratum).get("missing", 0),
    )
    return asdict(found)


def _values(counts: Counts, measure: str, stratum: str | None, step: int) -> Values:
    values, n = counts.summed(measure, "value", stratum)
    return in_steps(values.tolist(), n.tolist(), step)


def _tests(*found: GroupTest | Refused) -> list[Document]:
    return [
        {"problem": test.reason}
        if isinstance(test, Refused)
        else {"name": test.name, "p": test.p, "note": test.note}
        for test in found
    ]


def _toxicity(counts: Counts) -> Document:
    """Return courses by the worst grade of each term, over the course and after each cycle.

    Terms with the most courses of grade 3 and above come first.
    """
    of = counts.by_category("analysed").get("n", 0)
    worst: dict[str, dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for (cycle, category), n in counts.by_value("toxicity").items():
        term, _, grade = category.rpartition(":")
        worst[term][cycle][int(grade)] += n

    def grades(by_grade: Mapping[int, int]) -> Document:
        return {
            "grades": {str(grade): by_grade.get(grade, 0) for grade in range(1, 6)},
            "any": sum(by_grade.values()),
            "grade_3_and_above": sum(n for grade, n in by_grade.items() if grade >= 3),
        }

    overall = {grade: n for (grade, _), n in counts.by_value("any_toxicity").items()}
    rows = [
        {
            "term": term,
            **grades(by_cycle[0]),
            "after_cycle": {str(cycle): grades(by_cycle[cycle]) for cycle in sorted(by_cycle) if cycle},
        }
        for term, by_cycle in worst.items()
    ]
    rows.sort(key=lambda row: (-row["grade_3_and_above"], -row["any"], row["term"]))
    return {"of": of, "any_term": grades(overall), "terms": rows}
