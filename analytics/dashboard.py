"""What a dashboard shows of a result, section by section: numbers in words of the field, each with the address behind it.

Nothing is computed here. A section that the result does not hold (an older data lock) is left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from analytics import strata, telling
from analytics.behind import Cell
from analytics.charts.numbers import RESPONSES, localised, whole
from analytics.small_cells import WITHHELD
from imaging.models import SstrResponse, Timepoint
from languages.wording import within
from patients.models import DeathCause
from treatments.models import DiscontinuationReason

Result = Mapping[str, Any]
Context = dict[str, Any]

ENDPOINT_WORDS: dict[str, tuple[Any, str]] = {
    "pfs": (gettext_lazy("Progression-free survival"), "PFS"),
    "os": (gettext_lazy("Overall survival"), "OS"),
    "ttr": (gettext_lazy("Time to response"), "TTR"),
    "dor": (gettext_lazy("Duration of response"), "DoR"),
    "ttnt": (gettext_lazy("Time to next therapy"), "TTNT"),
    "ttd": (gettext_lazy("Time to discontinuation"), "TTD"),
}
_CRITERIA = (
    ("recist", "response", "RECIST 1.1", gettext_lazy("CR or PR")),
    (
        "recist_confirmed",
        "confirmed_response",
        gettext_lazy("RECIST 1.1, confirmed"),
        gettext_lazy("CR or PR"),
    ),
    ("sstr", "sstr_response", "SSTR", gettext_lazy("uptake disappeared or decreased")),
)
_OBJECTIVE = {
    "response": ("CR", "PR"),
    "confirmed_response": ("CR", "PR"),
    "sstr_response": ("disappeared", "decreased"),
}
_CONTROL = {
    "response": ("CR", "PR", "SD", "NON_CR_NON_PD"),
    "confirmed_response": ("CR", "PR", "SD", "NON_CR_NON_PD"),
    "sstr_response": ("disappeared", "decreased", "unchanged"),
}
FORMATS = {"csv": "CSV", "xlsx": gettext_lazy("Excel workbook"), "xpt": gettext_lazy("SAS transport")}
GRADES = ("1", "2", "3", "4", "5")
SEVERE = ("3", "4", "5")


@dataclass(frozen=True)
class Number:
    """A number of courses as it is shown.

    Attributes:
        n: a whole number, or what stands in place of one that is withheld.
        href: the courses behind it; blank: there are none, or none to be shown.
    """

    n: int | str
    href: str = ""

    @property
    def is_withheld(self) -> bool:
        return isinstance(self.n, str)

    @property
    def count(self) -> int:
        """How many there are, for words beside it; of what is withheld several."""
        return 2 if isinstance(self.n, str) else self.n

    def __str__(self) -> str:
        if isinstance(self.n, str):
            return _(WITHHELD) if self.n == WITHHELD else self.n.replace("<", "< ")
        return whole(self.n)


@dataclass(frozen=True)
class Behind:
    """Addresses of the courses behind the numbers of one cohort; none for a result that is not live."""

    slug: str

    def url(
        self,
        measure: str,
        *categories: str,
        at: int | None = None,
        at_from: int | None = None,
        at_to: int | None = None,
        stratum: str | None = None,
    ) -> str:
        if not self.slug:
            return ""
        cell = Cell(
            measure, categories, at if at is not None else at_from, at if at is not None else at_to, stratum
        )
        return f"{reverse('cohort-behind', args=[self.slug])}?{cell.to_query()}"

    def number(self, n: int | str, measure: str, *categories: str, **where: Any) -> Number:
        return Number(n, self.url(measure, *categories, **where) if n else "")


def of_result(result: Result, behind: Behind) -> Context:
    """Return every section of the result for the templates."""
    definition = result["definition"]
    orr_measure = "confirmed_response" if definition.get("confirmation") == "required" else "response"
    main = [_endpoint(result, key, behind) for key in ("pfs", "os")]
    other = [_endpoint(result, key, behind) for key in ("ttr", "dor", "ttnt", "ttd") if key in result]
    return {
        "head": _head(result, behind, orr_measure),
        "endpoints": main,
        "time_groups": [main, other],
        "best_responses": _best_responses(result["orr"], orr_measure, definition, behind),
        "criteria": _criteria(result, definition, behind),
        "timepoints": _timepoints(result, behind),
        "concordance": _concordance(result, behind),
        "courses": _courses(result["courses"], behind),
        "causes": _causes(result, behind),
        "incidence": _incidence(result, behind),
        "exposure": _exposure(result, behind),
        "toxicity": _toxicity(result, behind),
        "table1": _table_1(result, behind),
        "strata": _strata(result, behind, orr_measure),
        "small_cells": result.get("small_cells"),
    }


def _counted(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the groups of courses that response rates are of, as tallies name them."""
    evaluable_only = definition.get("orr_denominator") != "all_treated"
    return ("evaluable",) if evaluable_only else ("evaluable", "other")


def _responding(definition: Mapping[str, Any], codes: Sequence[str]) -> list[str]:
    return [f"{group}:{code}" for code in codes for group in _counted(definition)]


def _head(result: Result, behind: Behind, orr_measure: str) -> Context:
    definition, orr = result["definition"], result["orr"]
    everybody = [f"{group}:*" for group in _counted(definition)]
    return {
        # Of every course there may be more courses than patients.
        "patients": behind.number(result["n_patients"], "analysed")
        if definition.get("courses_counted") == "first"
        else Number(result["n_patients"]),
        "responses": behind.number(orr["n"], orr_measure, *_responding(definition, _OBJECTIVE[orr_measure])),
        "rated": behind.number(orr["of"], orr_measure, *everybody),
    }


def _endpoint(result: Result, key: str, behind: Behind) -> Context:
    data = result[key]
    mean = data.get("restricted_mean")
    if mean and mean.get("problem"):
        data = {**data, "restricted_mean": {**mean, "problem": telling.reason(mean["problem"])}}
    name, short = ENDPOINT_WORDS[key]
    month_days = float(result["definition"].get("month_days", 30.4375))
    # At risk at a month: everybody followed that long, unless patients come in later than at time zero.
    enters_late = result["definition"].get("time_zero") == "diagnosis" and key != "dor"
    landmarks = []
    for row in data.get("landmarks", []):
        days = math.ceil(row["months"] * month_days)
        at_risk = Number(row["at_risk"]) if enters_late else behind.number(row["at_risk"], key, at_from=days)
        landmarks.append({**row, "at_risk": at_risk})
    horizons = [
        {
            **row,
            "free": behind.number(row["n"], f"{key}_at", "event_free", at=row["months"]),
            "known": behind.number(row["of"], f"{key}_at", "event", "event_free", at=row["months"]),
            "lost": behind.number(row["unknown"] or 0, f"{key}_at", "unknown", at=row["months"]),
            "mostly_unknown": (row["unknown"] or 0) > row["of"],
        }
        for row in data.get("fixed_horizon", [])
    ]
    return {
        "key": key,
        "name": name,
        "short": short,
        "data": data,
        "n": behind.number(data["n"], key),
        "events": behind.number(data["events"], key, "event"),
        "landmarks": landmarks,
        "fixed_horizon": horizons,
        "quartiles": data.get("quartiles"),
    }


def _best_responses(
    orr: Result, measure: str, definition: Mapping[str, Any], behind: Behind
) -> list[Context]:
    rows = [
        {
            "name": name,
            "n": behind.number(
                orr["best_overall_response"].get(code, 0), measure, *_responding(definition, [code])
            ),
        }
        for code, name in RESPONSES.items()
    ]
    if orr.get("no_assessment"):
        none = behind.number(orr["no_assessment"], measure, *_responding(definition, [""]))
        rows.append({"name": _("No assessment after baseline"), "n": none})
    return rows


def _criteria(result: Result, definition: Mapping[str, Any], behind: Behind) -> list[Context]:
    found = []
    for key, measure, name, rule in _CRITERIA:
        of = result.get("responses", {}).get(key)
        if of is None:
            continue
        names: Mapping[str, Any] = RESPONSES if measure != "sstr_response" else dict(SstrResponse.choices)
        everybody = [f"{group}:*" for group in _counted(definition)]
        found.append(
            {
                "name": name,
                "rule": rule,
                "objective": of["objective"],
                "n_objective": behind.number(
                    of["objective"]["n"], measure, *_responding(definition, _OBJECTIVE[measure])
                ),
                "control": of["disease_control"],
                "n_control": behind.number(
                    of["disease_control"]["n"], measure, *_responding(definition, _CONTROL[measure])
                ),
                "of": behind.number(of["objective"]["of"], measure, *everybody),
                "best": [
                    {
                        "name": names.get(code, code),
                        "n": behind.number(n, measure, *_responding(definition, [code])),
                    }
                    for code, n in _in_order(of["best_overall_response"], names)
                ],
                "none": behind.number(of["no_assessment"], measure, *_responding(definition, [""])),
            }
        )
    return found


def _in_order(counts: Mapping[str, Any], names: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the counts in the order of the names, then those that have none."""
    known = [(code, counts[code]) for code in names if code in counts]
    return known + sorted((code, n) for code, n in counts.items() if code not in names)


def _timepoints(result: Result, behind: Behind) -> list[Context]:
    """Return responses at each timepoint: a table for each criterion, timepoints as rows."""
    found = result.get("responses", {}).get("by_timepoint")
    if not found:
        return []
    tables = []
    for key, title, names in (
        ("recist", "RECIST 1.1", {**RESPONSES, "none": _("No response read")}),
        ("sstr", "SSTR", {**dict(SstrResponse.choices), "none": _("No response read")}),
    ):
        present = {code for at in found.values() for code in at[key]}
        codes = [code for code in names if code in present] + sorted(present - set(names))
        rows = []
        for timepoint, words in _in_order_of(found, dict(Timepoint.choices)):
            cells = []
            for code in codes:
                n = found[timepoint][key].get(code, 0)
                read = "" if code == "none" else code
                category = [f"{timepoint}:{read}:*"] if key == "recist" else _of_sstr(timepoint, read)
                cells.append(behind.number(n, "assessment", *category))
            rows.append({"name": words, "cells": cells})
        tables.append({"title": title, "columns": [names.get(code, code) for code in codes], "rows": rows})
    return tables


def _of_sstr(timepoint: str, sstr: str) -> list[str]:
    return [f"{timepoint}:{recist}:{sstr}" for recist in (*RESPONSES, "")]


def _in_order_of(counts: Mapping[str, Any], names: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(code, str(names.get(code, code))) for code, _ in _in_order(dict.fromkeys(counts, 0), names)]


def _concordance(result: Result, behind: Behind) -> Context | None:
    """Return best responses by RECIST against those by SSTR, of courses that have both."""
    pairs = result.get("responses", {}).get("concordance")
    if not pairs:
        return None
    by_pair = {(pair["recist"], pair["sstr"]): pair["n"] for pair in pairs}
    sstr_names = dict(SstrResponse.choices)
    columns = [code for code, _ in _in_order(dict.fromkeys(sstr for _, sstr in by_pair), sstr_names)]
    rows = [code for code, _ in _in_order(dict.fromkeys(recist for recist, _ in by_pair), RESPONSES)]
    return {
        "columns": [sstr_names.get(code, code) for code in columns],
        "rows": [
            {
                "name": RESPONSES.get(code, code),
                "cells": [
                    behind.number(by_pair.get((code, sstr), 0), "concordance", f"{code}:{sstr}")
                    for sstr in columns
                ],
            }
            for code in rows
        ],
    }


def _courses(courses: Result, behind: Behind) -> Context:
    stopped = courses["discontinued"]
    words = {code: str(label) for code, label in DiscontinuationReason.choices}
    cycles = sorted(stopped.get("after_cycle", {}), key=int)
    crossed = courses.get("reasons_after_cycle", {})
    reasons = sorted(
        stopped.get("reasons", {}).items(),
        key=lambda item: (isinstance(item[1], str), -_size(item[1]), item[0]),
    )
    return {
        "n": behind.number(courses["n"], "status", "completed", "discontinued:*", "ongoing"),
        "completed": courses["completed"],
        "discontinued": stopped,
        "ongoing": courses["ongoing"],
        "n_completed": behind.number(courses["completed"]["n"], "status", "completed"),
        "n_discontinued": behind.number(stopped["n"], "status", "discontinued:*"),
        "n_ongoing": behind.number(courses["ongoing"]["n"], "status", "ongoing"),
        "not_started": behind.number(courses["not_started"], "status", "not_started"),
        "contradictory": behind.number(courses["contradictory"], "status", "contradictory"),
        "cycles": cycles,
        "reasons": [
            {
                "name": words.get(reason, reason),
                "n": behind.number(n, "status", f"discontinued:{reason}"),
                "cells": [
                    behind.number(
                        crossed.get(reason, {}).get(cycle, 0),
                        "status",
                        f"discontinued:{reason}",
                        at=int(cycle),
                    )
                    for cycle in cycles
                ],
            }
            for reason, n in reasons
        ],
        "after_cycle": [
            {
                "cycle": cycle,
                "n": behind.number(stopped["after_cycle"][cycle], "status", "discontinued:*", at=int(cycle)),
            }
            for cycle in cycles
        ],
    }


def _size(n: int | str) -> int:
    return n if isinstance(n, int) else 0


def _causes(result: Result, behind: Behind) -> list[Context]:
    names = {code: within(str(label)) for code, label in DeathCause.choices}
    found = sorted((result["os"].get("deaths_by_cause") or {}).items(), key=lambda item: (-item[1], item[0]))
    return [{"name": names.get(code, code), "n": behind.number(n, "death", code)} for code, n in found if n]


def _incidence(result: Result, behind: Behind) -> list[Context]:
    """Return cumulative incidences, one table for each question: death by cause, discontinuation by reason."""
    causes = {code: str(label) for code, label in DeathCause.choices}
    reasons = {
        **{code: str(label) for code, label in DiscontinuationReason.choices},
        "completed": _("Completed"),
    }
    found = []
    for key, of in (result.get("cumulative_incidence") or {}).items():
        measure, names, title = (
            ("os_cause", causes, _("Death by cause"))
            if key in {"os", "death", "os_cause"}
            else ("ttd_cause", reasons, _("End of treatment by reason"))
        )
        rows = [
            {
                "name": names.get(row["cause"], row.get("name") or row["cause"]),
                "n": behind.number(row["events"], measure, *row.get("causes", [row["cause"]])),
                "landmarks": row.get("at", []),
            }
            for row in of.get("causes", [])
        ]
        if rows:
            found.append(
                {"title": title, "rows": rows, "months": [at["months"] for at in rows[0]["landmarks"]]}
            )
    return found


def _exposure(result: Result, behind: Behind) -> list[Context]:
    return [
        {
            **row,
            "name": _(row["name"]),
            "unit": telling.unit(row["unit"]),
            "n": behind.number(row["n"], row["key"], "value"),
            "missing": behind.number(row["missing"], row["key"], "missing"),
        }
        for row in result.get("exposure", [])
    ]


def _toxicity(result: Result, behind: Behind) -> Context | None:
    found = result.get("toxicity")
    if not found:
        return None
    cycles = sorted({cycle for row in found["terms"] for cycle in row.get("after_cycle", {})}, key=int)
    return {
        "of": found["of"],
        "grades": GRADES,
        "any_term": _any_term(found["any_term"], behind),
        "terms": [_graded(row, row["term"], 0, behind) for row in found["terms"]],
        "cycles": [
            {
                "cycle": cycle,
                "caption": _("Patients by worst grade after cycle {cycle}").format(cycle=cycle),
                "terms": [
                    _graded(
                        {**row["after_cycle"][cycle], "term": row["term"]}, row["term"], int(cycle), behind
                    )
                    for row in found["terms"]
                    if cycle in row.get("after_cycle", {})
                ],
            }
            for cycle in cycles
        ],
    }


def _graded(row: Result, term: str, cycle: int, behind: Behind) -> Context:
    return {
        "term": term,
        "any": behind.number(row["any"], "toxicity", f"{term}:*", at=cycle),
        "cells": [
            behind.number(row["grades"].get(grade, 0), "toxicity", f"{term}:{grade}", at=cycle)
            for grade in GRADES
        ],
        "severe": behind.number(
            row["grade_3_and_above"], "toxicity", *(f"{term}:{grade}" for grade in SEVERE), at=cycle
        ),
    }


def _any_term(row: Result, behind: Behind) -> Context:
    return {
        "any": behind.number(row["any"], "any_toxicity", "grade"),
        "cells": [
            behind.number(row["grades"].get(grade, 0), "any_toxicity", "grade", at=int(grade))
            for grade in GRADES
        ],
        "severe": behind.number(row["grade_3_and_above"], "any_toxicity", "grade", at_from=3, at_to=5),
    }


def _table_1(result: Result, behind: Behind) -> Context | None:
    found = result.get("table1")
    if not found:
        return None
    columns = found["columns"]
    codes = [column["code"] for column in columns]
    by = result.get("strata", {}).get("by", "")
    names = {column["name"]: telling.column(column, by) for column in columns}
    rows = []
    for stored in found["rows"]:
        row = telling.row_of_table_1(stored, names)
        key = row["key"]
        if row["kind"] == "number":
            cells = [
                {
                    **cell,
                    "known": behind.number(cell["n"], key, "value", stratum=code),
                    "unknown": behind.number(cell["missing"], key, "missing", stratum=code),
                }
                for cell, code in zip(row["cells"], codes, strict=True)
            ]
            rows.append({**row, "cells": cells, "has_missing": any(cell["missing"] for cell in row["cells"])})
            continue
        options = [
            {
                "name": option["name"],
                "cells": [
                    {"n": behind.number(n, key, option["code"], stratum=code), "of": column["n"]}
                    for n, code, column in zip(option["cells"], codes, columns, strict=True)
                ],
            }
            for option in row["options"]
        ]
        gone = ["missing"] if key == "primary_site" else ["missing", "unknown"]
        missing = [
            behind.number(n, key, *gone, stratum=code) for n, code in zip(row["missing"], codes, strict=True)
        ]
        rows.append({**row, "options": options, "missing": missing, "has_missing": any(row["missing"])})
    return {
        "columns": [
            {
                **column,
                "name": telling.column(column, by),
                "n": behind.number(column["n"], "analysed", stratum=column["code"]),
            }
            for column in columns
        ],
        "rows": rows,
        "has_tests": any(row.get("tests") for row in found["rows"]),
    }


def _strata(result: Result, behind: Behind, orr_measure: str) -> Context | None:
    found = result.get("strata")
    if not found:
        return None
    definition = result["definition"]
    names = {group["name"]: strata.name_of(found["by"], group["code"]) for group in found["groups"]}
    groups = []
    for group in found["groups"]:
        code, orr = group["code"], group["orr"]
        groups.append(
            {
                **group,
                "name": strata.name_of(found["by"], code),
                "n": behind.number(group["n"], "analysed", stratum=code),
                "responses": behind.number(
                    orr["n"], orr_measure, *_responding(definition, _OBJECTIVE[orr_measure]), stratum=code
                ),
                "pfs_events": behind.number(group["pfs"]["events"], "pfs", "event", stratum=code),
                "os_events": behind.number(group["os"]["events"], "os", "event", stratum=code),
            }
        )
    tests = [
        {"short": ENDPOINT_WORDS[endpoint][1], **telling.comparison(of, names)}
        for endpoint, of in (found.get("comparisons") or {}).items()
    ]
    return {**found, "name": strata.title_of(found["by"]), "groups": groups, "tests": tests}


def cell_in_words(cell: Cell, cohort: Any) -> str:
    """Return what a cell counts, for the heading of the page behind it."""
    words = str(_MEASURES.get(cell.measure, cell.measure.replace("_", " ")))
    parts = [words[0].upper() + words[1:]]
    if cell.categories:
        parts.append(_or([_category(cell.measure, category) for category in cell.categories]))
    at = _at(cell)
    if at:
        parts.append(at)
    if cell.stratum is not None and cohort.strata_by:
        parts.append(f"{strata.title_of(cohort.strata_by)}: {strata.name_of(cohort.strata_by, cell.stratum)}")
    return " · ".join(part for part in parts if part)


_came_under_observation = lazy(
    lambda name: _("came under observation for {endpoint} after time zero").format(endpoint=name), str
)

_MEASURES: dict[str, Any] = {
    **{key: name for key, (name, _short) in ENDPOINT_WORDS.items()},
    "status": gettext_lazy("courses"),
    "analysed": gettext_lazy("courses counted"),
    **{f"{key}_entry": _came_under_observation(name) for key, (name, _short) in ENDPOINT_WORDS.items()},
    "pfs_at": gettext_lazy("PFS at a fixed horizon"),
    "os_at": gettext_lazy("OS at a fixed horizon"),
    "os_cause": gettext_lazy("cause of death"),
    "ttd_cause": gettext_lazy("end of treatment"),
    "death": gettext_lazy("deaths"),
    "response": gettext_lazy("best overall response, RECIST 1.1"),
    "confirmed_response": gettext_lazy("confirmed best overall response, RECIST 1.1"),
    "sstr_response": gettext_lazy("best SSTR response"),
    "concordance": gettext_lazy("best response, RECIST 1.1 with SSTR"),
    "assessment": gettext_lazy("assessments"),
    "toxicity": gettext_lazy("toxicity"),
    "any_toxicity": gettext_lazy("worst grade of any toxicity"),
    "age_years": gettext_lazy("age"),
    "ki67_percent": gettext_lazy("Ki-67"),
    "baseline_suv_max": gettext_lazy("baseline SUVmax"),
    "activity_mbq": gettext_lazy("cumulative activity"),
    "who_grade": gettext_lazy("WHO grade"),
    "ecog": gettext_lazy("ECOG performance status"),
    "krenning": gettext_lazy("Krenning score at baseline"),
    "prior_therapy": gettext_lazy("earlier therapies"),
    "sex": gettext_lazy("Sex"),
    "tumour_type": gettext_lazy("Tumour type"),
    "primary_site": gettext_lazy("Primary site"),
    "functional_syndrome": gettext_lazy("Functional syndrome"),
    "protocol": gettext_lazy("Protocol"),
    "intent": gettext_lazy("Intent"),
    "cycles_given": gettext_lazy("Cycles given"),
    "dose_intensity_percent": gettext_lazy("Dose intensity percent"),
    "delayed_cycles": gettext_lazy("Delayed cycles"),
    "reduced_cycles": gettext_lazy("Reduced cycles"),
}
_WORDS: dict[str, Any] = {
    "event": gettext_lazy("event"),
    "event_free": gettext_lazy("event-free"),
    "censored": gettext_lazy("censored"),
    "unknown": gettext_lazy("not known"),
    "n": "",
    "grade": "",
    "value": pgettext_lazy("the value is", "known"),
    "missing": gettext_lazy("not known"),
    "entered": "",
    "not_started": gettext_lazy("no cycle given"),
}


def _category(measure: str, category: str) -> str:
    begin = category.removesuffix("*")
    if measure in {"response", "confirmed_response", "sstr_response"}:
        group, _colon, code = begin.partition(":")
        names = dict(SstrResponse.choices) if measure == "sstr_response" else RESPONSES
        if category.endswith("*"):
            return _("response-evaluable") if group == "evaluable" else _("not response-evaluable")
        said = str(names.get(code, code)) if code else _("no assessment")
        if group == "evaluable":
            return said
        return _("{response}, not response-evaluable").format(response=said)
    if measure == "toxicity":
        term, _colon, grade = begin.rpartition(":")
        said = _("{term}, grade {grade}") if grade else _("{term}, any grade")
        return said.format(term=term, grade=grade)
    if measure == "status" and category.startswith("discontinued"):
        reason = begin.partition(":")[2]
        if not reason:
            return _("discontinued")
        words = within(str(dict(DiscontinuationReason.choices).get(reason, reason)))
        return _("discontinued: {reason}").format(reason=words)
    if measure == "assessment":
        timepoint, _colon, rest = begin.partition(":")
        codes = [code for code in rest.split(":") if code]
        read = [str(RESPONSES.get(code) or dict(SstrResponse.choices).get(code, code)) for code in codes]
        return ", ".join(
            [str(dict(Timepoint.choices).get(timepoint, timepoint)), *(read or [_("no response read")])]
        )
    if measure == "concordance":
        recist, _colon, sstr = category.partition(":")
        return _("{recist} with {sstr}").format(
            recist=RESPONSES.get(recist, recist),
            sstr=within(str(dict(SstrResponse.choices).get(sstr, sstr))),
        )
    if measure in {"death", "os_cause"} and category in DeathCause.values:
        return _("cause: {cause}").format(cause=within(str(DeathCause(category).label)))
    if measure == "ttd_cause" and category in DiscontinuationReason.values:
        return within(str(DiscontinuationReason(category).label))
    return str(_WORDS.get(category, category.replace("_", " ")))


def _or(words: Sequence[str]) -> str:
    several = [word for word in dict.fromkeys(words) if word]
    if len(several) > 6:  # criteria spelled out for the sake of the query
        return _("{first} and {n} more").format(first=several[0], n=len(several) - 1)
    if len(several) < 2:
        return "".join(several)
    return _("{first} or {last}").format(first=", ".join(several[:-1]), last=several[-1])


def _is_in_days(measure: str) -> bool:
    return measure in {*ENDPOINT_WORDS, "os_cause", "ttd_cause"} or measure.endswith("_entry")


def value_name(cell: Cell) -> str:
    """Return what the value of each course behind a cell is called, with its unit; blank: it has none to be shown."""
    if _is_in_days(cell.measure):
        return _("Day")
    return {"pfs_at": _("Month"), "os_at": _("Month"), "any_toxicity": _("Grade")}.get(cell.measure, "")


def _at(cell: Cell) -> str:
    if cell.at_from is None and cell.at_to is None:
        return ""
    if cell.measure == "toxicity" and cell.at_from == cell.at_to == 0:
        return _("over the whole course")
    unit = (
        _("month {value}") if cell.measure in {"pfs_at", "os_at"}
        else _("grade {value}") if cell.measure == "any_toxicity"
        else _("after cycle {value}") if cell.measure in {"status", "toxicity"}
        else _("day {value}") if _is_in_days(cell.measure)
        else _("value {value}")
    )  # fmt: skip
    if cell.at_from == cell.at_to:
        return unit.format(value=localised(f"{cell.at_from:,}"))
    if cell.at_to is None:
        return unit.format(value=_("{first} and later").format(first=localised(f"{cell.at_from:,}")))
    values = {"first": whole(cell.at_from or 0), "last": whole(cell.at_to)}
    return unit.format(value=_("{first} to {last}").format(**values))
