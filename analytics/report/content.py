"""The content of a cohort's report, for what one user may see of it: from its stored result, and nothing estimated here."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from accounts.access import Act
from accounts.models import Centre, User
from analytics import benchmarks, cohorts, responses, results, strata, telling
from analytics.charts import FIGURES
from analytics.charts.numbers import (
    ENDPOINT_NAMES,
    causes_of_death,
    counted,
    cutoff_text,
    localised,
    median_limits_text,
    months_text,
    percent,
    whole,
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
from languages.wording import Words, day
from patients.models import DeathCause
from treatments.models import DiscontinuationReason

Document = Mapping[str, Any]

NOT_COMPUTED = gettext_noop("Not computed: the registry has no result of this kind for the cohort yet.")
ABSENT = "–"
COURSE_FIGURES = ("waterfall", "swimmer")
TIMES = Words(
    {
        "pfs": gettext_noop("Progression-free survival (PFS)"),
        "os": gettext_noop("Overall survival (OS)"),
        "ttr": gettext_noop("Time to response (TTR)"),
        "dor": gettext_noop("Duration of response (DOR)"),
        "ttnt": gettext_noop("Time to next therapy (TTNT)"),
        "ttd": gettext_noop("Time to discontinuation (TTD)"),
    }
)
SHORT = {"pfs": "PFS", "os": "OS"}
RESPONSE_NAMES = Words(
    {
        "CR": gettext_noop("Complete response (CR)"),
        "PR": gettext_noop("Partial response (PR)"),
        "SD": gettext_noop("Stable disease (SD)"),
        "NON_CR_NON_PD": gettext_noop("Non-CR/non-PD"),
        "PD": gettext_noop("Progressive disease (PD)"),
        "NE": gettext_noop("Not evaluable (NE)"),
    }
)


def report(cohort: Cohort, user: User) -> Report:
    """Return the report of what ``user`` may see of the cohort: counts of all of it, single courses of a part.

    It speaks the language that is active.

    Single courses are shown of centres whose records the user may see. Where there are others, numbers of patients below
    the setting ``SMALL_CELL`` are withheld.
    """
    payload = results.payload(cohort, user)
    centres = list(payload.get("centres", ()))
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("code", flat=True))
    if set(centres) - readable:
        payload = suppressed(payload, settings.SMALL_CELL)
    payload = telling.with_definition_told(payload | {"synthetic": settings.SYNTHETIC_DATA_BANNER})
    by = (payload.get("strata") or {}).get("by", "")
    strata_names = {
        str(group["name"]): strata.name_of(by, group["code"])
        for group in (payload.get("strata") or {}).get("groups", ())
    }
    record_centres = [code for code in centres if code in readable]

    specs: dict[str, dict[str, Any]] = {}
    sections = [
        _methods(cohort, payload),
        _flow(payload),
        _table_1(payload.get("table1"), by, strata_names),
        _survival(payload, specs, "pfs"),
        _survival(payload, specs, "os"),
        _times(payload),
        *_competing(payload),
        *_strata(payload, strata_names),
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
        description=_(cohort.description) if cohort.description else "",
        banner=_("Synthetic patients: demonstration data") if settings.SYNTHETIC_DATA_BANNER else "",
        facts=facts,
        sections=sections,
        foot=_("{name} · data cut-off {cutoff} · revision {revision}").format(
            name=payload["name"], cutoff=cutoff_text(payload), revision=payload["revision"]
        ),
        kicker=_("PRRT registry · cohort report"),
        page_of=_("{page} of {pages}"),
        language=(translation.get_language() or settings.LANGUAGE_CODE)[:2],
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
    at = f"{day(computed)} {computed:%H:%M:%S} {computed:%Z}".strip()
    version = _("{name}, version {version}")
    facts = [
        (_("Patients"), _n(payload["n_patients"])),
        (_("Whom it counts"), " ".join(cohorts.filter_in_words(cohort))),
        (_("Data cut-off"), cutoff_text(payload)),
        (_("Centres"), ", ".join(payload.get("centres", ())) or _("none")),
        (
            _("Definition"),
            version.format(
                name=cohorts.definition_name(payload["definition"]["name"]),
                version=payload["definition"]["version"],
            ),
        ),
        (_("Cohort"), version.format(name=payload["cohort"], version=payload["version"])),
        (
            _("Result"),
            _("revision {revision}, computed {at}").format(revision=payload["revision"], at=at),
        ),
        (_("Registry"), _("version {version}").format(version=versions()["registry"])),
    ]
    if payload.get("stale"):
        facts.append((_("Not counted yet"), _pending(payload)))
    if payload.get("small_cells"):
        limit = payload["small_cells"]
        said = _(
            "Numbers of patients from 1 to {most} are shown as <{limit}, and “{withheld}” stands where another number would "
            "give one away: records of some centres are not open to whom this report was made for."
        )
        facts.append((_("Small numbers"), said.format(most=limit - 1, limit=limit, withheld=_(WITHHELD))))
    return facts


def _pending(payload: Document) -> str:
    n = payload.get("pending") or 0
    return counted(n, "changed course") if n else _("newer changes of records")


def _methods(cohort: Cohort, payload: Document) -> Section:
    software = _(
        "Computed by PRRT registry {registry} on Python {python} with numpy {numpy}, scipy {scipy} and lifelines "
        "{lifelines}; records are kept in PostgreSQL {postgresql}."
    ).format_map(versions())
    more = [
        _(
            "Medians come with the limits at which the limits of the curve cross 50 %; those not reached are said to be."
        ),
        _(
            "Landmark rates of two kinds are kept apart. Kaplan–Meier: the estimated share of all patients. Fixed horizon: "
            "the share among patients who started at least that long before the cut-off and whose state at that time is "
            "known; it can rise with time, since its patients change."
        ),
        _(
            "Numbers are given as mean ± standard deviation (SD) and median (range); shares are of the patients whose value "
            "is known, and missing values are counted."
        ),
        _("Toxicity is the worst grade of each term by CTCAE in a course, whatever its cause."),
        _("No value is imputed, and no test is corrected for multiple testing."),
    ]
    sentences = list(dict.fromkeys([*cohorts.methods(cohort, cutoff_text(payload)), *more]))
    return Section("methods", _("Methods"), [Items(sentences), Text(software)])


# Patients


def _flow(payload: Document) -> Section:
    courses, orr = payload["courses"], payload["orr"]
    n, limit = courses["n"], payload.get("small_cells", 0)
    not_begun = [
        Box(title, _small(number, limit))
        for title, number in (
            (_("No cycle given by the cut-off"), courses["not_started"]),
            (_("Contradictory records, or no time zero"), courses["contradictory"]),
        )
        if number
    ]
    levels = []
    left_out = courses["not_started"] + courses["contradictory"]
    told = not (0 < courses["not_started"] < limit or 0 < courses["contradictory"] < limit)
    if told:
        levels.append(Level([Box(_("Courses registered"), _n(n + left_out))], not_begun))
        not_begun = []
    levels.append(Level([Box(_("Treated: at least one cycle given"), _n(n))], not_begun))
    levels.append(
        Level(
            [
                Box(_("Completed"), _n_of(courses["completed"])),
                Box(_("Discontinued"), _n_of(courses["discontinued"]), _stops(courses["discontinued"])),
                Box(_("Ongoing"), _n_of(courses["ongoing"])),
            ]
        )
    )
    everybody = orr["denominator"] == "all_treated"
    title = _("Counted for response: all treated") if everybody else _("Response-evaluable")
    aside = [] if everybody else [Box(_("Not evaluable for response"), _n(orr["not_in_denominator"]))]
    levels.append(Level([Box(title, _n(orr["of"]))], aside))
    blocks: list[Block] = [Flow(levels)]
    crossed = courses.get("reasons_after_cycle")
    if crossed:
        blocks.append(_reasons(courses["discontinued"], crossed))
    deaths = dict(causes_of_death(payload))
    if deaths:
        # Their sum is told elsewhere: the events of overall survival.
        cells: dict[Hashable, int] = {cause: n for cause, n in deaths.items()}  # noqa: C416 (its keys are wider)
        hidden = SmallCells(cells, [(None, [*deaths])]).withheld(limit)
        said = ", ".join(f"{cause} {_withheld(hidden, cause, n)}" for cause, n in deaths.items())
        blocks.append(Text(_("Causes of death: {causes}.").format(causes=said)))
    return Section("flow", _("Flow of patients"), blocks)


def _stops(stopped: Document) -> list[str]:
    after = sorted(stopped.get("after_cycle", {}).items(), key=lambda item: int(item[0]))
    return [_("after cycle {cycle}: {n}").format(cycle=cycle, n=_n(n)) for cycle, n in after]


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
    sums = [_("All"), *(_n(stopped["after_cycle"].get(cycle, 0)) for cycle in cycles), _n(stopped["n"])]
    return Table(
        _("Main reason of discontinuation, by the last cycle given"),
        [
            pgettext("why treatment ended", "Reason"),
            *(_("after cycle {cycle}").format(cycle=cycle) for cycle in cycles),
            _("all"),
        ],
        [*rows, Row(sums, is_head=True)],
    )


def _table_1(table: Document | None, by: str = "", strata_names: Mapping[str, str] | None = None) -> Section:
    title = _("Patients at baseline")
    if not table:
        return Section("table1", title, [Text(_(NOT_COMPUTED))])
    columns = table["columns"]
    head = ["", *(f"{telling.column(column, by)} (n = {_n(column['n'])})" for column in columns)]
    blank = [""] * len(columns)
    rows: list[Row] = []
    for stored in table["rows"]:
        row = telling.row_of_table_1(stored, strata_names or {})
        if row["kind"] == "number":
            name = f"{row['name']} ({row['unit']})" if row["unit"] else row["name"]
            rows.append(Row([name, *blank], is_head=True))
            rows.append(Row([_("Mean ± SD"), *(_mean(cell, row["decimals"]) for cell in row["cells"])], 1))
            rows.append(
                Row([_("Median (range)"), *(_median(cell, row["decimals"]) for cell in row["cells"])], 1)
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
    note = _("Numbers are n (%) unless said otherwise; shares are of those whose value is known.")
    if any(row["kind"] == "several" for row in table["rows"]):
        note += " " + _("A patient counts under each kind of earlier therapy.")
    return Section("table1", title, [Table(_("Table 1. Patients at baseline"), head, rows, note)])


def _missing(cells: Sequence[Any]) -> list[Row]:
    return [Row([_("Missing"), *(_n(cell) for cell in cells)], 1)] if any(cells) else []


# Time to event


def _survival(payload: Document, specs: dict[str, Any], endpoint: str) -> Section:
    found, figure = payload[endpoint], FIGURES[endpoint]
    specs[endpoint] = figure.build(payload, theme="print")
    short, title = SHORT[endpoint], ENDPOINT_NAMES[endpoint]  # type: ignore[index]
    remark = (payload.get("remarks") or {}).get(endpoint, "")
    blocks: list[Block] = [Picture(endpoint, figure.alt_text(payload), remark)]
    blocks.append(
        Table(
            _("{endpoint}, Kaplan–Meier rates of all {n} patients").format(endpoint=short, n=_n(found["n"])),
            [_("Months"), short, _("95 % CI"), _("At risk")],
            [
                Row(
                    [
                        str(row["months"]),
                        _("beyond follow-up") if row["survival"] is None else percent(row["survival"]),
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
                _("{endpoint}, fixed-horizon rates").format(endpoint=short),
                [_("Months"), _("n of N"), _("Rate"), _("95 % CI"), _("Unknown")],
                [
                    Row(
                        [
                            str(row["months"]),
                            _("{n} of {of}").format(n=_n(row["n"]), of=_n(row["of"])),
                            ABSENT if row["rate"] is None else percent(row["rate"]),
                            _interval(row["ci95"]),
                            _n(row["unknown"]),
                        ]
                    )
                    for row in found["fixed_horizon"]
                ],
                note=_("Unknown: started early enough and lost before that time."),
                n_words=0,
            )
        )
    mean = found.get("restricted_mean")
    if mean and mean.get("days") is not None:
        blocks.append(
            Text(
                _("Restricted mean {endpoint} up to {tau} months: {mean} months (95 % CI {limits}).").format(
                    endpoint=short,
                    tau=months_text(mean["tau_days"]),
                    mean=months_text(mean["days"]),
                    limits=median_limits_text(mean["ci95"]),
                )
            )
        )
    return Section(endpoint, title, blocks)


def _times(payload: Document) -> Section:
    rows = [_time_row(name, payload[key]) for key, name in TIMES.items() if key in payload]
    follow_up = payload["os"].get("median_follow_up_days")
    note = _("Kaplan–Meier medians in months of 30.4375 days.")
    if follow_up is not None:
        said = _("Median follow-up (reverse Kaplan–Meier, for OS): {months} months.")
        note += " " + said.format(months=months_text(follow_up))
    missing = [name for key, name in TIMES.items() if key not in payload]
    if missing:
        note += " " + _("Not computed: {endpoints}.").format(endpoints=", ".join(missing))
    head = [_("Endpoint"), _("Patients"), _("Events"), _("Median (months)"), _("95 % CI")]
    return Section("times", _("Times to event"), [Table(_("Times to event"), head, rows, note)])


def _time_row(name: str, found: Document) -> Row:
    median = found["median_days"]
    return Row(
        [
            name,
            _n(found["n"]),
            _n(found["events"]),
            _("not reached") if median is None else months_text(median),
            median_limits_text(found["median_ci95"]) if found["n"] else ABSENT,
        ]
    )


def _competing(payload: Document) -> list[Section]:
    """Return the cumulative incidence of causes of death, and of reasons to stop, at the landmarks."""
    found = payload.get("cumulative_incidence") or {}
    names: dict[str, tuple[str, str, dict[str, Any]]] = {
        "death": (_("Death by cause"), _("Cause"), dict(DeathCause.choices)),
        "discontinuation": (
            _("End of treatment by reason"),
            pgettext("why treatment ended", "Reason"),
            {**dict(DiscontinuationReason.choices), "completed": _("Completed")},
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
                    _withheld(hidden, one["cause"], one["events"]),
                    *(ABSENT if one["cause"] in hidden else _incidence(at) for at in one["at"]),
                ]
            )
            for one in causes
        ]
        head = [word, _("Events"), *(_("{n} months").format(n=month) for month in months)]
        blocks.append(
            Table(caption, head, rows, note=_("Cumulative incidence with 95 % CI; causes compete."))
        )
    return [Section("competing", _("Competing events"), blocks)] if blocks else []


def _incidence(at: Document) -> str:
    if at["incidence"] is None:
        return ABSENT
    return f"{percent(at['incidence'])} ({_interval(at['ci95'])})"


def _strata(payload: Document, names: Mapping[str, str]) -> list[Section]:
    found = payload.get("strata")
    if not found:
        return []
    blocks: list[Block] = [
        Table(
            _("By {strata}").format(strata=strata.within_sentence(strata.title_of(found["by"]))),
            ["", _("Patients"), "ORR", _("Median PFS (months)"), _("Median OS (months)")],
            [
                Row(
                    [
                        names[str(group["name"])],
                        _n(group["n"]),
                        ABSENT if group["orr"]["rate"] is None else _n_of(group["orr"]),
                        _with_limits(group["pfs"]),
                        _with_limits(group["os"]),
                    ]
                )
                for group in found["groups"]
            ],
            note=_("Medians with 95 % CI; NR: not reached."),
        )
    ]
    for endpoint, name in SHORT.items():
        compared = (found.get("comparisons") or {}).get(endpoint)
        blocks += _comparison(name, telling.comparison(compared, names) if compared else None)
    return [Section("strata", _("Strata"), blocks)]


def _comparison(name: str, compared: Document | None) -> list[Block]:
    if not compared:
        return []
    said = []
    tested = compared.get("log_rank") or {}
    if "p" in tested:
        said.append(
            _("{endpoint}, log-rank test between the strata: {p}.").format(endpoint=name, p=_p(tested["p"]))
        )
    elif tested.get("problem"):
        said.append(
            _("{endpoint}: no log-rank test, {reason}.").format(endpoint=name, reason=tested["problem"])
        )
    model = compared.get("cox") or {}
    for ratio in model.get("hazard_ratios", ()):
        lower, upper = ratio["ci95"]
        said.append(
            _(
                "{endpoint}, {stratum} against {reference}: HR {ratio} (95 % CI {lower} to {upper}, {p})."
            ).format(
                endpoint=name,
                stratum=ratio["name"],
                reference=model["reference"],
                ratio=localised(f"{ratio['hazard_ratio']:.2f}"),
                lower=localised(f"{lower:.2f}"),
                upper=localised(f"{upper:.2f}"),
                p=_p(ratio["p"]),
            )
        )
    if model.get("problem"):
        said.append(
            _("{endpoint}: no hazard ratio, {reason}.").format(endpoint=name, reason=model["problem"])
        )
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
        (_("RECIST, confirmed"), responses_found.get("recist_confirmed")),
    ]
    shown = [(name, of) for name, of in criteria if of]
    if shown:
        blocks.append(_by_criterion(_("Best overall response by RECIST"), shown, RESPONSE_NAMES))
    sstr = responses_found.get("sstr")
    if sstr and sum(sstr["best_overall_response"].values()):
        names = {code: str(name) for code, name in SstrResponse.choices}
        blocks.append(_by_criterion(_("Best response of uptake (SSTR PET)"), [("SSTR", sstr)], names))
    return Section("response", _("Response"), blocks)


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
                _("No assessment that counts"),
                [_n_share(of["no_assessment"], of["objective"]["of"]) for _, of in shown],
            )
        )
    for name, key in ((_("Response rate"), "objective"), (_("Disease control rate"), "disease_control")):
        rows.append(Row([name, *(_rate(of[key]) for _, of in shown)], is_head=True))
    return Table(caption, ["", *(name for name, _ in shown)], rows, note=_("Rates with 95 % CI."))


def _single_courses(
    cohort: Cohort,
    user: User,
    centres: Sequence[str],
    record_centres: Sequence[str],
    specs: dict[str, Any],
) -> Section:
    title = _("Course by course")
    if not record_centres:
        said = _(
            "Waterfall and swimmer show patients one by one. They are left out: who this report is made for may see "
            "results, not records."
        )
        return Section("courses", title, [Text(said)])
    found = responses.cohort_courses(cohort, user)
    if not found.lines:
        return Section("courses", title, [Text(_("No course has begun by the cut-off."))])
    about = About(cohort.name, found.cutoff.isoformat(), settings.SYNTHETIC_DATA_BANNER, found.n_courses)
    blocks: list[Block] = []
    if set(centres) - set(record_centres):
        blocks.append(
            Note(
                _("Of the centres whose records the reader may see: {centres}.").format(
                    centres=", ".join(record_centres)
                )
            )
        )
    if found.n_contradictory:
        blocks.append(
            Note(
                ngettext(
                    "{n} course left out: records that contradict each other.",
                    "{n} courses left out: records that contradict each other.",
                    found.n_contradictory,
                ).format(n=whole(found.n_contradictory))
            )
        )
    blocks.append(
        Text(
            _(
                "Courses stand under their registry numbers; time is counted from the first administration. They are read "
                "from the records as they are when this report is made."
            )
        )
    )
    for key in COURSE_FIGURES:
        figure = RESPONSE_FIGURES[key]
        specs[key] = figure.build(found.lines, about, theme="print")
        blocks.append(Picture(key, figure.alt_text(found.lines, about)))
    return Section("courses", title, blocks)


# Treatment


def _exposure(rows: Sequence[Document] | None) -> Section:
    title = _("Exposure")
    if not rows or not any(row["n"] for row in rows):
        return Section("exposure", title, [Text(_(NOT_COMPUTED))])
    head = ["", _("Patients"), _("Mean ± SD"), _("Median (IQR)"), _("Range"), _("Missing")]
    shown = []
    for row in rows:
        name = f"{_(row['name'])} ({telling.unit(row['unit'])})" if row["unit"] else _(row["name"])
        of = row["decimals"]
        quartiles = (
            ABSENT
            if row["median"] is None
            else f"{_decimal(row['median'], of)} ({_range(row['q1'], row['q3'], of)})"
        )
        spread = ABSENT if row["minimum"] is None else _range(row["minimum"], row["maximum"], of)
        shown.append(Row([name, _n(row["n"]), _mean(row, of), quartiles, spread, _n(row["missing"])]))
    note = _("Dose intensity: activity per day from the first to the last cycle against the protocol's.")
    return Section("exposure", title, [Table(_("Exposure"), head, shown, note)])


def _toxicity(found: Document | None) -> Section:
    title = _("Toxicity")
    if found is None:
        return Section("toxicity", title, [Text(_(NOT_COMPUTED))])
    if not found["terms"]:
        return Section("toxicity", title, [Text(_("No toxicity of grade 1 or above is recorded."))])
    of = found["of"]

    def cells(row: Document) -> list[str]:
        return [
            *(_n(row["grades"][str(grade)]) for grade in range(1, 6)),
            _n_share(row["any"], of),
            _n_share(row["grade_3_and_above"], of),
        ]

    rows = [Row([row["term"], *cells(row)]) for row in found["terms"]]
    rows.append(Row([_("Any term"), *cells(found["any_term"])], is_head=True))
    grades = [_("Grade {grade}").format(grade=grade) for grade in range(1, 6)]
    head = [_("Term"), *grades, _("Any grade"), _("Grade ≥ 3")]
    note = _("Courses by the worst grade of each term, of {n}; CTCAE grades.").format(n=_n(of))
    return Section("toxicity", title, [Table(_("Toxicity, worst grade of each term"), head, rows, note)])


def _benchmarks(payload: Document) -> Section:
    """Return published results as rows of their own, below the cohort's."""
    pfs, orr, overall = payload["pfs"], payload["orr"], payload["os"]
    own = Row(
        [
            _("This cohort"),
            _n(payload["n_patients"]),
            _with_limits(pfs),
            ABSENT if orr["rate"] is None else percent(orr["rate"]),
            _with_limits(overall),
        ],
        is_head=True,
    )
    studies = [one.told() for one in benchmarks.published()]
    rows = [
        Row(
            [
                f"{study.name}. {study.population}",
                ABSENT if study.n is None else _n(study.n),
                _published_median(study.pfs),
                ABSENT if study.orr is None else localised(f"{study.orr.percent} %"),
                _published_median(study.os),
            ]
        )
        for study in studies
    ]
    head = [
        _("Study and population"),
        _("Patients"),
        _("Median PFS (months)"),
        "ORR",
        _("Median OS (months)"),
    ]
    table = Table(
        _("Published results beside this cohort"),
        head,
        [own, *rows],
        note=_("NR: not reached; –: not given where it was read."),
        widths=(1, 0, 0, 0, 0),
    )
    sources = Items([f"{study.name}: {study.citation}. {study.regimen}." for study in studies])
    return Section("benchmarks", _("Published results"), [Note(str(benchmarks.CAUTION)), table, sources])


def _published_median(median: benchmarks.Median | None) -> str:
    if median is None:
        return ABSENT
    said = _not_reached() if median.months is None else localised(str(median.months))
    if median.ci95 is None:
        return said
    lower, upper = (_not_reached() if limit is None else localised(str(limit)) for limit in median.ci95)
    return f"{said} ({_limits(lower, upper)})"


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
    return Section("abbreviations", _("Abbreviations"), [Table("", ["", ""], rows, n_words=2, widths=(0, 1))])


# Numbers in words. A number of patients is text where it is withheld.


def _n(n: int | str | None) -> str:
    if n is None:
        return ABSENT
    return _(n) if isinstance(n, str) else whole(n)


def _withheld(hidden: Mapping[Hashable, str], key: Hashable, n: int | str) -> str:
    return _(hidden[key]) if key in hidden else _n(n)


def _small(n: int | str, limit: int) -> str:
    return f"<{limit}" if isinstance(n, int) and 0 < n < limit else _n(n)


def _known(n: int | str, missing: int | str) -> int | None:
    """Return how many have a value; None where that is withheld."""
    return None if isinstance(n, str) or isinstance(missing, str) else n - missing


def _n_share(n: int | str, of: int | str | None) -> str:
    if isinstance(n, str) or isinstance(of, str) or not of:
        return _n(n)
    return f"{whole(n)} ({_decimal(100 * n / of, 1)})"


def _n_of(part: Document) -> str:
    n, of = part["n"], part["of"]
    if not of:
        return _n(n)
    return _("{n} of {of} ({percent})").format(n=_n(n), of=_n(of), percent=percent(n / of))


def _rate(share: Document) -> str:
    if share["rate"] is None:
        return _("undefined")
    return _("{n} of {of}: {rate} ({limits})").format(
        n=whole(share["n"]),
        of=whole(share["of"]),
        rate=percent(share["rate"]),
        limits=_interval(share["ci95"]),
    )


def _interval(limits: Sequence[float | None] | None) -> str:
    lower, upper = limits or (None, None)
    if lower is None or upper is None:
        return ABSENT
    return _("{lower} to {upper} %").format(lower=_decimal(100 * lower, 1), upper=_decimal(100 * upper, 1))


def _decimal(value: float, decimals: int) -> str:
    return localised(f"{value:.{decimals}f}")


def _range(lower: float, upper: float, decimals: int) -> str:
    return _limits(_decimal(lower, decimals), _decimal(upper, decimals))


def _limits(lower: str, upper: str) -> str:
    return _("{lower} to {upper}").format(lower=lower, upper=upper)


def _not_reached() -> str:
    return pgettext("abbreviation of not reached", "NR")


def _mean(cell: Document, decimals: int) -> str:
    if cell["mean"] is None:
        return ABSENT
    spread = "" if cell["sd"] is None else f" ± {_decimal(cell['sd'], decimals)}"
    return f"{_decimal(cell['mean'], decimals)}{spread}"


def _median(cell: Document, decimals: int) -> str:
    if cell["median"] is None:
        return ABSENT
    return f"{_decimal(cell['median'], decimals)} ({_range(cell['minimum'], cell['maximum'], decimals)})"


def _with_limits(found: Document) -> str:
    if not found["n"]:
        return ABSENT
    median, limits = found["median_days"], found["median_ci95"]
    lower, upper = (_not_reached() if limit is None else months_text(limit) for limit in limits)
    return f"{_not_reached() if median is None else months_text(median)} ({_limits(lower, upper)})"


def _p(value: float) -> str:
    return localised("p < 0.001" if value < 0.001 else f"p = {value:.3f}")
