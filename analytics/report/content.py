"""The content of a cohort's report, for what one user may see of it: from its stored result, and nothing estimated here."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from accounts.access import Act
from accounts.models import Centre, User
from analytics import benchmarks, cohorts, responses, results
from analytics.charts import FIGURES
from analytics.charts.numbers import (
    DAYS_PER_MONTH,
    ENDPOINT_NAMES,
    causes_of_death,
    counted,
    cutoff_text,
    median_limits_text,
    percent,
)
from analytics.charts.response import RESPONSE_FIGURES
from analytics.charts.response.courses import About
from analytics.charts.words import orr_line
from analytics.models import Cohort
from analytics.report import abbreviations
from analytics.report.document import (
    Block,
    Box,
    Flow,
    Items,
    Level,
    Note,
    Picture,
    Report,
    Row,
    Section,
    Table,
    Text,
)
from analytics.small_cells import WITHHELD, suppressed
from analytics.small_cells import Table as SmallCells
from analytics.versions import versions
from imaging.models import SstrResponse
from patients.models import DeathCause
from treatments.models import DiscontinuationReason

Document = Mapping[str, Any]

NOT_COMPUTED = "Not computed: the registry has no result of this kind for the cohort yet."
ABSENT = "–"
COURSE_FIGURES = ("waterfall", "swimmer")
TIMES = {
    "pfs": "Progression-free survival (PFS)",
    "os": "Overall survival (OS)",
    "ttr": "Time to response (TTR)",
    "dor": "Duration of response (DOR)",
    "ttnt": "Time to next therapy (TTNT)",
    "ttd": "Time to discontinuation (TTD)",
}
SHORT = {"pfs": "PFS", "os": "OS"}
RESPONSE_NAMES = {
    "CR": "Complete response (CR)",
    "PR": "Partial response (PR)",
    "SD": "Stable disease (SD)",
    "NON_CR_NON_PD": "Non-CR/non-PD",
    "PD": "Progressive disease (PD)",
    "NE": "Not evaluable (NE)",
}


def report(cohort: Cohort, user: User) -> Report:
    """Return the report of what ``user`` may see of the cohort: counts of all of it, single courses of a part.

    Single courses are shown of centres whose records the user may see. Where there are others, numbers of patients below
    the setting ``SMALL_CELL`` are withheld.
    """
    payload = results.payload(cohort, user)
    centres = list(payload.get("centres", ()))
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("code", flat=True))
    if set(centres) - readable:
        payload = suppressed(payload, settings.SMALL_CELL)
    payload |= {"synthetic": settings.SYNTHETIC_DATA_BANNER}
    record_centres = [code for code in centres if code in readable]

    specs: dict[str, dict[str, Any]] = {}
    sections = [
        _methods(cohort, payload),
        _flow(payload),
        _table_1(payload.get("table1")),
        _survival(payload, specs, "pfs"),
        _survival(payload, specs, "os"),
        _times(payload),
        *_competing(payload),
        *_strata(payload),
        _response(payload, specs),
        _single_courses(cohort, user, centres, record_centres, specs),
        _exposure(payload.get("exposure")),
        _toxicity(payload.get("toxicity")),
        _benchmarks(payload),
    ]
    facts = _facts(cohort, payload)
    sections.append(_abbreviations([*(value for _, value in facts), *texts_of(sections)]))
    return Report(
        slug=cohort.slug,
        title=str(payload["name"]),
        description=cohort.description,
        banner="Synthetic patients: demonstration data" if settings.SYNTHETIC_DATA_BANNER else "",
        facts=facts,
        sections=sections,
        foot=f"{payload['name']} · data cut-off {cutoff_text(payload)} · revision {payload['revision']}",
        revision=payload["revision"],
        made_at=payload["computed_at"],
        centres=centres,
        record_centres=record_centres,
        specs=specs,
    )


# Title and methods


def _facts(cohort: Cohort, payload: Document) -> list[tuple[str, str]]:
    computed = parse_datetime(payload["computed_at"])
    assert computed is not None
    facts = [
        ("Patients", _n(payload["n_patients"])),
        ("Whom it counts", " ".join(cohorts.filter_in_words(cohort))),
        ("Data cut-off", cutoff_text(payload)),
        ("Centres", ", ".join(payload.get("centres", ())) or "none"),
        ("Definition", f"{payload['definition']['name']}, version {payload['definition']['version']}"),
        ("Cohort", f"{payload['cohort']}, version {payload['version']}"),
        (
            "Result",
            f"revision {payload['revision']}, computed {computed:%Y-%m-%d %H:%M:%S} {computed:%Z}".strip(),
        ),
        ("Registry", f"version {versions()['registry']}"),
    ]
    if payload.get("stale"):
        facts.append(("Not counted yet", _pending(payload)))
    if payload.get("small_cells"):
        limit = payload["small_cells"]
        facts.append(
            (
                "Small numbers",
                f"Numbers of patients from 1 to {limit - 1} are shown as <{limit}, and “{WITHHELD}” stands where another "
                "number would give one away: records of some centres are not open to whom this report was made for.",
            )
        )
    return facts


def _pending(payload: Document) -> str:
    n = payload.get("pending") or 0
    return f"{counted(n, 'changed course')}" if n else "newer changes of records"


def _methods(cohort: Cohort, payload: Document) -> Section:
    of = versions()
    software = (
        f"Computed by PRRT registry {of['registry']} on Python {of['python']} with numpy {of['numpy']}, scipy {of['scipy']} "
        f"and lifelines {of['lifelines']}; records are kept in PostgreSQL {of['postgresql']}."
    )
    more = [
        "Medians come with the limits at which the limits of the curve cross 50 %; those not reached are said to be.",
        "Landmark rates of two kinds are kept apart. Kaplan–Meier: the estimated share of all patients. Fixed horizon: the "
        "share among patients who started at least that long before the cut-off and whose state at that time is known; it "
        "can rise with time, since its patients change.",
        "Numbers are given as mean ± standard deviation (SD) and median (range); shares are of the patients whose value is "
        "known, and missing values are counted.",
        "Toxicity is the worst grade of each term by CTCAE in a course, whatever its cause.",
        "No value is imputed, and no test is corrected for multiple testing.",
    ]
    sentences = list(dict.fromkeys([*cohorts.methods(cohort, cutoff_text(payload)), *more]))
    return Section("methods", "Methods", [Items(sentences), Text(software)])


# Patients


def _flow(payload: Document) -> Section:
    courses, orr = payload["courses"], payload["orr"]
    n, limit = courses["n"], payload.get("small_cells", 0)
    not_begun = [
        Box(title, _small(number, limit))
        for title, number in (
            ("No cycle given by the cut-off", courses["not_started"]),
            ("Contradictory records, or no time zero", courses["contradictory"]),
        )
        if number
    ]
    levels = []
    left_out = courses["not_started"] + courses["contradictory"]
    told = not (0 < courses["not_started"] < limit or 0 < courses["contradictory"] < limit)
    if told:
        levels.append(Level([Box("Courses registered", _n(n + left_out))], not_begun))
        not_begun = []
    levels.append(Level([Box("Treated: at least one cycle given", _n(n))], not_begun))
    levels.append(
        Level(
            [
                Box("Completed", _n_of(courses["completed"])),
                Box("Discontinued", _n_of(courses["discontinued"]), _stops(courses["discontinued"])),
                Box("Ongoing", _n_of(courses["ongoing"])),
            ]
        )
    )
    everybody = orr["denominator"] == "all_treated"
    title = "Counted for response: all treated" if everybody else "Response-evaluable"
    aside = [] if everybody else [Box("Not evaluable for response", _n(orr["not_in_denominator"]))]
    levels.append(Level([Box(title, _n(orr["of"]))], aside))
    blocks: list[Block] = [Flow(levels)]
    crossed = courses["discontinued"].get("reasons_after_cycle")
    if crossed:
        blocks.append(_reasons(courses["discontinued"], crossed))
    deaths = dict(causes_of_death(payload))
    if deaths:
        # Their sum is told elsewhere: the events of overall survival.
        cells: dict[Hashable, int] = {cause: n for cause, n in deaths.items()}  # noqa: C416 (its keys are wider)
        hidden = SmallCells(cells, [(None, [*deaths])]).withheld(limit)
        said = ", ".join(f"{cause} {hidden.get(cause, _n(n))}" for cause, n in deaths.items())
        blocks.append(Text(f"Causes of death: {said}."))
    return Section("flow", "Flow of patients", blocks)


def _stops(stopped: Document) -> list[str]:
    after = sorted(stopped.get("after_cycle", {}).items(), key=lambda item: int(item[0]))
    return [f"after cycle {cycle}: {_n(n)}" for cycle, n in after]


def _reasons(stopped: Document, crossed: Mapping[str, Mapping[str, Any]]) -> Table:
    labels = dict(DiscontinuationReason.choices)
    cycles = sorted({cycle for row in crossed.values() for cycle in row}, key=int)
    rows = [
        Row(
            [
                str(labels.get(reason, reason)),
                *(_n(by_cycle.get(cycle, 0)) for cycle in cycles),
                _n(stopped["reasons"][reason]),
            ]
        )
        for reason, by_cycle in crossed.items()
    ]
    sums = ["All", *(_n(stopped["after_cycle"].get(cycle, 0)) for cycle in cycles), _n(stopped["n"])]
    return Table(
        "Main reason of discontinuation, by the last cycle given",
        ["Reason", *(f"after cycle {cycle}" for cycle in cycles), "all"],
        [*rows, Row(sums, is_head=True)],
    )


def _table_1(table: Document | None) -> Section:
    title = "Patients at baseline"
    if not table:
        return Section("table1", title, [Text(NOT_COMPUTED)])
    columns = table["columns"]
    head = ["", *(f"{column['name']} (n = {_n(column['n'])})" for column in columns)]
    blank = [""] * len(columns)
    rows: list[Row] = []
    for row in table["rows"]:
        if row["kind"] == "number":
            name = f"{row['name']} ({row['unit']})" if row["unit"] else row["name"]
            rows.append(Row([name, *blank], is_head=True))
            rows.append(Row(["Mean ± SD", *(_mean(cell, row["decimals"]) for cell in row["cells"])], 1))
            rows.append(
                Row(["Median (range)", *(_median(cell, row["decimals"]) for cell in row["cells"])], 1)
            )
            rows += _missing([cell["missing"] for cell in row["cells"]])
            continue
        known = [
            _known(column["n"], missing) for column, missing in zip(columns, row["missing"], strict=True)
        ]
        rows.append(Row([row["name"], *blank], is_head=True))
        rows += [
            Row([option["name"], *(_n_share(n, of) for n, of in zip(option["cells"], known, strict=True))], 1)
            for option in row["options"]
        ]
        rows += _missing(row["missing"])
    note = "Numbers are n (%) unless said otherwise; shares are of those whose value is known."
    if any(row["kind"] == "several" for row in table["rows"]):
        note += " A patient counts under each kind of earlier therapy."
    return Section("table1", title, [Table("Table 1. Patients at baseline", head, rows, note)])


def _missing(cells: Sequence[Any]) -> list[Row]:
    return [Row(["Missing", *(_n(cell) for cell in cells)], 1)] if any(cells) else []


# Time to event


def _survival(payload: Document, specs: dict[str, Any], endpoint: str) -> Section:
    found, figure = payload[endpoint], FIGURES[endpoint]
    specs[endpoint] = figure.build(payload, theme="print")
    short, title = SHORT[endpoint], ENDPOINT_NAMES[endpoint]  # type: ignore[index]
    remark = (payload.get("remarks") or {}).get(endpoint, "")
    blocks: list[Block] = [Picture(endpoint, figure.alt_text(payload), remark)]
    blocks.append(
        Table(
            f"{short}, Kaplan–Meier rates of all {_n(found['n'])} patients",
            ["Months", short, "95 % CI", "At risk"],
            [
                Row(
                    [
                        str(row["months"]),
                        "beyond follow-up" if row["survival"] is None else percent(row["survival"]),
                        ABSENT if row["survival"] is None else _interval(row["ci95"]),
                        _n(row["at_risk"]),
                    ]
                )
                for row in found.get("landmarks", ())
            ],
            n_words=0,
        )
    )
    if found.get("fixed_horizon"):
        blocks.append(
            Table(
                f"{short}, fixed-horizon rates",
                ["Months", "n of N", "Rate", "95 % CI", "Unknown"],
                [
                    Row(
                        [
                            str(row["months"]),
                            f"{_n(row['n'])} of {_n(row['of'])}",
                            ABSENT if row["rate"] is None else percent(row["rate"]),
                            _interval(row["ci95"]),
                            _n(row["unknown"]),
                        ]
                    )
                    for row in found["fixed_horizon"]
                ],
                note="Unknown: started early enough and lost before that time.",
                n_words=0,
            )
        )
    mean = found.get("restricted_mean")
    if mean and mean.get("days") is not None:
        blocks.append(
            Text(
                f"Restricted mean {short} up to {_months(mean['tau_days'])} months: {_months(mean['days'])} months "
                f"(95 % CI {median_limits_text(mean['ci95'])})."
            )
        )
    return Section(endpoint, title, blocks)


def _times(payload: Document) -> Section:
    rows = [_time_row(name, payload[key]) for key, name in TIMES.items() if key in payload]
    follow_up = payload["os"].get("median_follow_up_days")
    note = "Kaplan–Meier medians in months of 30.4375 days."
    if follow_up is not None:
        note += f" Median follow-up (reverse Kaplan–Meier, for OS): {_months(follow_up)} months."
    missing = [name for key, name in TIMES.items() if key not in payload]
    if missing:
        note += f" Not computed: {', '.join(missing)}."
    head = ["Endpoint", "Patients", "Events", "Median (months)", "95 % CI"]
    return Section("times", "Times to event", [Table("Times to event", head, rows, note)])


def _time_row(name: str, found: Document) -> Row:
    median = found["median_days"]
    return Row(
        [
            name,
            _n(found["n"]),
            _n(found["events"]),
            "not reached" if median is None else _months(median),
            median_limits_text(found["median_ci95"]) if found["n"] else ABSENT,
        ]
    )


def _competing(payload: Document) -> list[Section]:
    """Return the cumulative incidence of causes of death, and of reasons to stop, at the landmarks."""
    found = payload.get("cumulative_incidence") or {}
    names = {
        "death": ("Death by cause", "cause", dict(DeathCause.choices)),
        "discontinuation": (
            "End of treatment by reason",
            "reason",
            {**dict(DiscontinuationReason.choices), "completed": "Completed"},
        ),
    }
    blocks: list[Block] = []
    for key, (caption, word, labels) in names.items():
        causes = (found.get(key) or {}).get("causes") or []
        if not causes:
            continue
        events = {one["cause"]: one["events"] for one in causes}
        hidden = SmallCells({**events}, [(None, [*events])]).withheld(payload.get("small_cells", 0))
        months = [at["months"] for at in causes[0]["at"]]
        rows = [
            Row(
                [
                    str(labels.get(one["cause"], one["cause"])),
                    hidden.get(one["cause"], _n(one["events"])),
                    *(ABSENT if one["cause"] in hidden else _incidence(at) for at in one["at"]),
                ]
            )
            for one in causes
        ]
        head = [word.capitalize(), "Events", *(f"{month} months" for month in months)]
        blocks.append(Table(caption, head, rows, note="Cumulative incidence with 95 % CI; causes compete."))
    return [Section("competing", "Competing events", blocks)] if blocks else []


def _incidence(at: Document) -> str:
    if at["incidence"] is None:
        return ABSENT
    return f"{percent(at['incidence'])} ({_interval(at['ci95'])})"


def _strata(payload: Document) -> list[Section]:
    found = payload.get("strata")
    if not found:
        return []
    blocks: list[Block] = [
        Table(
            f"By {str(found['name'])[0].lower()}{str(found['name'])[1:]}",
            ["", "Patients", "ORR", "Median PFS (months)", "Median OS (months)"],
            [
                Row(
                    [
                        group["name"],
                        _n(group["n"]),
                        ABSENT if group["orr"]["rate"] is None else _n_of(group["orr"]),
                        _with_limits(group["pfs"]),
                        _with_limits(group["os"]),
                    ]
                )
                for group in found["groups"]
            ],
            note="Medians with 95 % CI; NR: not reached.",
        )
    ]
    for endpoint, name in SHORT.items():
        blocks += _comparison(name, (found.get("comparison") or {}).get(endpoint))
    return [Section("strata", "Strata", blocks)]


def _comparison(name: str, compared: Document | None) -> list[Block]:
    if not compared:
        return []
    said = []
    tested = compared.get("log_rank") or {}
    if "p" in tested:
        said.append(f"{name}, log-rank test between the strata: {_p(tested['p'])}.")
    elif tested.get("problem"):
        said.append(f"{name}: no log-rank test, {tested['problem']}.")
    model = compared.get("cox") or {}
    for ratio in model.get("hazard_ratios", ()):
        lower, upper = ratio["ci95"]
        said.append(
            f"{name}, {ratio['name']} against {model['reference']}: HR {ratio['hazard_ratio']:.2f} "
            f"(95 % CI {lower:.2f} to {upper:.2f}, {_p(ratio['p'])})."
        )
    if model.get("problem"):
        said.append(f"{name}: no hazard ratio, {model['problem']}.")
    return [Text(" ".join(said))] if said else []


# Response


def _response(payload: Document, specs: dict[str, Any]) -> Section:
    specs["best-response"] = FIGURES["best-response"].build(payload, theme="print")
    remark = (payload.get("remarks") or {}).get("orr", "")
    blocks: list[Block] = [
        Text(f"{orr_line(payload)}."),
        Picture("best-response", FIGURES["best-response"].alt_text(payload), remark),
    ]
    responses_found = payload.get("responses") or {}
    criteria = [
        ("RECIST", responses_found.get("recist")),
        ("RECIST, confirmed", responses_found.get("recist_confirmed")),
    ]
    shown = [(name, of) for name, of in criteria if of]
    if shown:
        blocks.append(_by_criterion("Best overall response by RECIST", shown, RESPONSE_NAMES))
    sstr = responses_found.get("sstr")
    if sstr and sum(sstr["best_overall_response"].values()):
        names = {code: str(name) for code, name in SstrResponse.choices}
        blocks.append(_by_criterion("Best response of uptake (SSTR PET)", [("SSTR", sstr)], names))
    return Section("response", "Response", blocks)


def _by_criterion(caption: str, shown: Sequence[tuple[str, Document]], names: Mapping[str, str]) -> Table:
    def line(name: str, cells: Iterable[str], level: int = 0) -> Row:
        return Row([name, *cells], level)

    rows = [
        line(
            name,
            [_n_share(of["best_overall_response"][code], of["objective"]["of"]) for _, of in shown],
        )
        for code, name in names.items()
        if any(of["best_overall_response"].get(code) for _, of in shown)
    ]
    if any(of["no_assessment"] for _, of in shown):
        rows.append(
            line(
                "No assessment that counts",
                [_n_share(of["no_assessment"], of["objective"]["of"]) for _, of in shown],
            )
        )
    for name, key in (("Response rate", "objective"), ("Disease control rate", "disease_control")):
        rows.append(Row([name, *(_rate(of[key]) for _, of in shown)], is_head=True))
    return Table(caption, ["", *(name for name, _ in shown)], rows, note="Rates with 95 % CI.")


def _single_courses(
    cohort: Cohort,
    user: User,
    centres: Sequence[str],
    record_centres: Sequence[str],
    specs: dict[str, Any],
) -> Section:
    title = "Course by course"
    if not record_centres:
        said = (
            "Waterfall and swimmer show patients one by one. They are left out: who this report is made for may see "
            "results, not records."
        )
        return Section("courses", title, [Text(said)])
    found = responses.cohort_courses(cohort, user)
    if not found.lines:
        return Section("courses", title, [Text("No course has begun by the cut-off.")])
    about = About(cohort.name, found.cutoff.isoformat(), settings.SYNTHETIC_DATA_BANNER, found.n_courses)
    blocks: list[Block] = []
    if set(centres) - set(record_centres):
        blocks.append(Note(f"Of the centres whose records the reader may see: {', '.join(record_centres)}."))
    if found.n_contradictory:
        blocks.append(
            Note(f"{counted(found.n_contradictory, 'course')} left out: records that contradict each other.")
        )
    blocks.append(
        Text(
            "Courses stand under their registry numbers; time is counted from the first administration. They are read from "
            "the records as they are when this report is made."
        )
    )
    for key in COURSE_FIGURES:
        figure = RESPONSE_FIGURES[key]
        specs[key] = figure.build(found.lines, about, theme="print")
        blocks.append(Picture(key, figure.alt_text(found.lines, about)))
    return Section("courses", title, blocks)


# Treatment


def _exposure(rows: Sequence[Document] | None) -> Section:
    title = "Exposure"
    if not rows or not any(row["n"] for row in rows):
        return Section("exposure", title, [Text(NOT_COMPUTED)])
    head = ["", "Patients", "Mean ± SD", "Median (IQR)", "Range", "Missing"]
    shown = []
    for row in rows:
        name = f"{row['name']} ({row['unit']})" if row["unit"] else row["name"]
        of = row["decimals"]
        quartiles = (
            ABSENT
            if row["median"] is None
            else f"{row['median']:.{of}f} ({row['q1']:.{of}f} to {row['q3']:.{of}f})"
        )
        spread = ABSENT if row["minimum"] is None else f"{row['minimum']:.{of}f} to {row['maximum']:.{of}f}"
        shown.append(Row([name, _n(row["n"]), _mean(row, of), quartiles, spread, _n(row["missing"])]))
    note = "Dose intensity: activity per day from the first to the last cycle against the protocol's."
    return Section("exposure", title, [Table("Exposure", head, shown, note)])


def _toxicity(found: Document | None) -> Section:
    title = "Toxicity"
    if found is None:
        return Section("toxicity", title, [Text(NOT_COMPUTED)])
    if not found["terms"]:
        return Section("toxicity", title, [Text("No toxicity of grade 1 or above is recorded.")])
    of = found["of"]

    def cells(row: Document) -> list[str]:
        return [
            *(_n(row["grades"][str(grade)]) for grade in range(1, 6)),
            _n_share(row["any"], of),
            _n_share(row["grade_3_and_above"], of),
        ]

    rows = [Row([row["term"], *cells(row)]) for row in found["terms"]]
    rows.append(Row(["Any term", *cells(found["any_term"])], is_head=True))
    head = ["Term", *(f"Grade {grade}" for grade in range(1, 6)), "Any grade", "Grade ≥ 3"]
    note = f"Courses by the worst grade of each term, of {_n(of)}; CTCAE grades."
    return Section("toxicity", title, [Table("Toxicity, worst grade of each term", head, rows, note)])


def _benchmarks(payload: Document) -> Section:
    """Return published results as rows of their own, below the cohort's."""
    pfs, orr, overall = payload["pfs"], payload["orr"], payload["os"]
    own = Row(
        [
            "This cohort",
            _n(payload["n_patients"]),
            _with_limits(pfs),
            ABSENT if orr["rate"] is None else percent(orr["rate"]),
            _with_limits(overall),
        ],
        is_head=True,
    )
    studies = benchmarks.published()
    rows = [
        Row(
            [
                f"{study.name}. {study.population}",
                ABSENT if study.n is None else _n(study.n),
                _published_median(study.pfs),
                ABSENT if study.orr is None else f"{study.orr.percent} %",
                _published_median(study.os),
            ]
        )
        for study in studies
    ]
    head = ["Study and population", "Patients", "Median PFS (months)", "ORR", "Median OS (months)"]
    table = Table(
        "Published results beside this cohort",
        head,
        [own, *rows],
        note="NR: not reached; –: not given where it was read.",
        widths=(1, 0, 0, 0, 0),
    )
    sources = Items([f"{study.name}: {study.citation}. {study.regimen}." for study in studies])
    return Section("benchmarks", "Published results", [Note(benchmarks.CAUTION), table, sources])


def _published_median(median: benchmarks.Median | None) -> str:
    if median is None:
        return ABSENT
    said = "NR" if median.months is None else str(median.months)
    if median.ci95 is None:
        return said
    lower, upper = ("NR" if limit is None else str(limit) for limit in median.ci95)
    return f"{said} ({lower} to {upper})"


# Abbreviations


def texts_of(sections: Sequence[Section]) -> Iterable[str]:
    """Return every text of the sections."""
    for section in sections:
        yield section.title
        for block in section.blocks:
            yield from _texts(asdict(block))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in {"key", "kind"}:
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _abbreviations(texts: Iterable[str]) -> Section:
    rows = [Row([name, meaning]) for name, meaning in abbreviations.used(texts)]
    return Section("abbreviations", "Abbreviations", [Table("", ["", ""], rows, n_words=2, widths=(0, 1))])


# Numbers in words. A number of patients is text where it is withheld.


def _n(n: int | str | None) -> str:
    if n is None:
        return ABSENT
    return n if isinstance(n, str) else f"{n:,}"


def _small(n: int | str, limit: int) -> str:
    return f"<{limit}" if isinstance(n, int) and 0 < n < limit else _n(n)


def _known(n: int | str, missing: int | str) -> int | None:
    """Return how many have a value; None where that is withheld."""
    return None if isinstance(n, str) or isinstance(missing, str) else n - missing


def _n_share(n: int | str, of: int | str | None) -> str:
    if isinstance(n, str) or isinstance(of, str) or not of:
        return _n(n)
    return f"{n:,} ({100 * n / of:.1f})"


def _n_of(part: Document) -> str:
    n, of = part["n"], part["of"]
    return f"{_n(n)} of {_n(of)} ({percent(n / of)})" if of else _n(n)


def _rate(share: Document) -> str:
    if share["rate"] is None:
        return "undefined"
    return f"{share['n']:,} of {share['of']:,}: {percent(share['rate'])} ({_interval(share['ci95'])})"


def _interval(limits: Sequence[float | None] | None) -> str:
    lower, upper = limits or (None, None)
    return ABSENT if lower is None or upper is None else f"{100 * lower:.1f} to {100 * upper:.1f} %"


def _mean(cell: Document, decimals: int) -> str:
    if cell["mean"] is None:
        return ABSENT
    spread = "" if cell["sd"] is None else f" ± {cell['sd']:.{decimals}f}"
    return f"{cell['mean']:.{decimals}f}{spread}"


def _median(cell: Document, decimals: int) -> str:
    if cell["median"] is None:
        return ABSENT
    low, high = (f"{cell[name]:.{decimals}f}" for name in ("minimum", "maximum"))
    return f"{cell['median']:.{decimals}f} ({low} to {high})"


def _months(days: float) -> str:
    return f"{days / DAYS_PER_MONTH:.1f}"


def _with_limits(found: Document) -> str:
    if not found["n"]:
        return ABSENT
    median = found["median_days"]
    lower, upper = ("NR" if limit is None else _months(limit) for limit in found["median_ci95"])
    return f"{'NR' if median is None else _months(median)} ({lower} to {upper})"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
