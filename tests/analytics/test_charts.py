"""Figures: the numbers they show, their words, and that they can be drawn on paper."""

import copy
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analytics.charts import FIGURES, km_spec, numbers_csv, render
from analytics.charts.bundle import build_vega_bundle
from analytics.charts.numbers import (
    RiskRow,
    SurvivalTable,
    causes_of_death,
    course_shares,
    discontinuation_reasons,
    median_limits_text,
    risk_table,
    tick_months,
)
from analytics.charts.specs import MOST_CENSOR_TICKS, best_response_spec, courses_spec
from analytics.rules.endpoints import EndpointDefinition

MONTH = 30.4375
NO_LIMITS = [None, None]


def survival(
    days: list[int],
    at_risk: list[int],
    events: list[int],
    censored: list[int],
    survival: list[float],
    lower: list[float | None] | None = None,
    upper: list[float | None] | None = None,
    **more: Any,
) -> dict[str, Any]:
    blank: list[float | None] = [None] * len(days)
    return {
        "n": sum(events) + sum(censored),
        "events": sum(events),
        "median_days": None,
        "median_ci95": NO_LIMITS,
        "landmarks": [],
        "fixed_horizon": [],
        "table": {
            "days": days,
            "at_risk": at_risk,
            "events": events,
            "censored": censored,
            "survival": survival,
            "lower": lower or blank,
            "upper": upper or blank,
        },
        **more,
    }


# Five patients: event on day 91, censored on day 92, event on day 200, censored on day 300, event on day 400.
FIVE = survival(
    days=[0, 91, 92, 200, 300, 400],
    at_risk=[5, 5, 4, 3, 2, 1],
    events=[0, 1, 0, 1, 0, 1],
    censored=[0, 0, 1, 0, 1, 0],
    survival=[1.0, 0.8, 0.8, 0.8 * 2 / 3, 0.8 * 2 / 3, 0.0],
    lower=[1.0, 0.2, 0.2, 0.07, 0.07, None],
    upper=[1.0, 0.97, 0.97, 0.86, 0.86, None],
    median_days=400,
    median_ci95=[91, None],
)
NOBODY = survival([], [], [], [], [])


@pytest.fixture
def result() -> dict[str, Any]:
    """The published cohort's counts, with five patients' curves."""
    return {
        "cohort": "published-2020",
        "data_cutoff": "2020-01-31",
        "revision": 7,
        "stale": False,
        "definition": EndpointDefinition().to_json() | {"in_words": EndpointDefinition().in_words()},
        "n_patients": 63,
        "courses": {
            "completed": {"n": 36, "of": 63},
            "discontinued": {
                "n": 10,
                "of": 63,
                "after_cycle": {"1": 4, "2": 3, "3": 3},
                "reasons": {"comorbidity": 10},
            },
            "ongoing": {"n": 17, "of": 63},
        },
        "orr": {
            "n": 12,
            "of": 46,
            "rate": 12 / 46,
            "ci95": [0.143, 0.411],
            "best_overall_response": {"CR": 0, "PR": 12, "SD": 25, "NON_CR_NON_PD": 2, "PD": 6, "NE": 1},
        },
        "pfs": copy.deepcopy(FIVE),
        "os": copy.deepcopy(FIVE),
    }


def empty(result: dict[str, Any]) -> dict[str, Any]:
    return {
        **result,
        "n_patients": 0,
        "courses": {
            "completed": {"n": 0, "of": 0},
            "ongoing": {"n": 0, "of": 0},
            "discontinued": {"n": 0, "of": 0, "after_cycle": {}, "reasons": {}},
        },
        "orr": {"n": 0, "of": 0, "rate": None, "ci95": NO_LIMITS, "best_overall_response": {}},
        "pfs": copy.deepcopy(NOBODY),
        "os": copy.deepcopy(NOBODY),
    }


def texts(spec: dict[str, Any]) -> str:
    return json.dumps(spec, ensure_ascii=False)


def svg_text(spec: dict[str, Any]) -> str:
    return render(spec, "svg").decode()


# Numbers at risk


def test_a_patient_whose_time_is_the_tick_is_still_at_risk_and_one_a_day_earlier_is_not() -> None:
    month_12 = 365.25  # the only tick below that is a whole quarter of a day
    outcome = survival([0, 365, 366], [2, 2, 1], [0, 1, 0], [0, 0, 1], [1.0, 0.5, 0.5])
    exact = survival([0, month_12, 366], [2, 2, 1], [0, 1, 0], [0, 0, 1], [1.0, 0.5, 0.5])  # type: ignore[list-item]

    assert risk_table(SurvivalTable.of({"pfs": outcome}, "pfs"), [12]) == [RiskRow(12, 1, 1, 0)]
    assert risk_table(SurvivalTable.of({"pfs": exact}, "pfs"), [12]) == [RiskRow(12, 2, 0, 0)]


def test_at_every_tick_patients_at_risk_with_event_and_censored_are_everybody(result: dict[str, Any]) -> None:
    rows = risk_table(SurvivalTable.of(result, "pfs"), [0, 3, 6, 9, 12, 15])

    # 3 months are 91.3 days: after the event of day 91, before the censoring of day 92.
    assert rows == [
        RiskRow(0, 5, 0, 0),
        RiskRow(3, 4, 1, 0),
        RiskRow(6, 3, 1, 1),
        RiskRow(9, 2, 2, 1),
        RiskRow(12, 1, 2, 2),
        RiskRow(15, 0, 3, 2),
    ]


@pytest.mark.parametrize(
    ("last_month", "step", "end"),
    [(0, 3, 3), (2.9, 3, 3), (24, 3, 24), (36, 3, 36), (36.1, 6, 42), (72.1, 12, 84), (240, 24, 240)],
)
def test_ticks_are_no_more_than_thirteen_and_reach_the_longest_follow_up(
    last_month: float, step: int, end: int
) -> None:
    assert tick_months(last_month) == list(range(0, end + 1, step))


def test_the_risk_table_stands_under_the_ticks_of_the_axis(result: dict[str, Any]) -> None:
    spec = km_spec(result, "pfs")
    plot, risk = spec["vconcat"]
    ticks = plot["layer"][0]["encoding"]["x"]["axis"]["values"]

    assert sorted({row["m"] for row in spec["datasets"]["risk"]}) == ticks
    assert plot["width"] == risk["width"]
    domains = {str(layer["encoding"]["x"]["scale"]["domain"]) for layer in [*plot["layer"], risk]}
    assert domains == {str([0, ticks[-1]])}


# Curve and band


def test_the_curve_has_a_corner_wherever_survival_falls_and_ends_at_the_last_day(
    result: dict[str, Any],
) -> None:
    [curve] = km_spec(result, "pfs")["datasets"]["curve"]

    assert curve == {"d": [0, 91, 200, 400], "s": [1, 0.8, 0.53333, 0.0]}


def test_an_event_on_day_zero_starts_the_curve_with_a_fall_from_one(result: dict[str, Any]) -> None:
    result["pfs"] = survival([0, 30], [3, 2], [1, 0], [0, 2], [2 / 3, 2 / 3])

    [curve] = km_spec(result, "pfs")["datasets"]["curve"]

    assert curve == {"d": [0, 0, 30], "s": [1, 0.66667, 0.66667]}


def test_the_band_ends_on_the_day_its_limits_become_undefined(result: dict[str, Any]) -> None:
    [band] = km_spec(result, "pfs")["datasets"]["band"]

    assert band["d"] == [0, 91, 200, 400]
    assert band["l"] == [1.0, 0.2, 0.07, 0.07]
    assert band["u"] == [1.0, 0.97, 0.86, 0.86]


def test_a_band_that_is_interrupted_is_drawn_in_parts(result: dict[str, Any]) -> None:
    result["pfs"] = survival(
        [0, 10, 20, 30],
        [4, 4, 3, 2],
        [0, 1, 1, 0],
        [0, 0, 0, 2],
        [1.0, 0.75, 0.5, 0.5],
        [None, 0.1, None, 0.1],
        [None, 0.9, None, 0.8],
    )

    [band] = km_spec(result, "pfs")["datasets"]["band"]

    assert list(zip(band["d"], band["part"], strict=True)) == [(10, 0), (20, 0), (30, 1)]


def test_the_median_is_a_line_with_its_interval_or_said_not_to_be_reached(result: dict[str, Any]) -> None:
    reached = texts(km_spec(result, "pfs"))
    result["pfs"] |= {"median_days": None, "median_ci95": [91, None]}
    not_reached = texts(km_spec(result, "pfs"))

    assert "Median 13.1 months" in reached
    assert "95 % CI 3.0 months to not reached" in reached
    assert '"style": "median"' in reached
    assert "Median not reached" in not_reached
    assert '"style": "median"' not in not_reached


def test_every_figure_says_cohort_cut_off_and_revision_and_survival_its_definition(
    result: dict[str, Any],
) -> None:
    for slug, figure in FIGURES.items():
        said = texts(figure.build(result))
        assert "published-2020" in said, slug
        assert "published-2020: " in said, slug
        assert "data cut-off 2020-01-31" in said, slug
        assert "Revision 7, data cut-off 2020-01-31" in said, slug
    pfs, os = km_spec(result, "pfs", theme="print"), km_spec(result, "os", theme="print")
    assert "5 patients, 3 events" in texts(pfs)
    assert "last adequate tumour assessment" in " ".join(pfs["vconcat"][1]["title"]["text"])
    assert "last date the patient is known" in " ".join(os["vconcat"][1]["title"]["text"])
    assert "last adequate tumour assessment" not in " ".join(os["vconcat"][1]["title"]["text"])


def test_on_the_screen_the_definition_is_left_to_the_page_around_the_figure(result: dict[str, Any]) -> None:
    for slug, figure in FIGURES.items():
        assert "Definition:" not in texts(figure.build(result)), slug
    assert "Definition:" in texts(km_spec(result, "pfs", theme="print"))


def test_a_figure_of_synthetic_patients_says_so_under_it(result: dict[str, Any]) -> None:
    for slug, figure in FIGURES.items():
        assert "Synthetic patients. Revision 7" in texts(figure.build(result | {"synthetic": True})), slug
        assert "Synthetic" not in texts(figure.build(result | {"synthetic": False})), slug


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ([91, 400], "3.0 to 13.1 months"),
        ([91, None], "3.0 months to not reached"),
        ([None, 400], "not estimable to 13.1 months"),
        ([None, None], "not estimable"),
        (None, "not estimable"),
    ],
)
def test_the_limits_of_a_median_are_said_with_their_unit_or_not_to_be_estimable(
    limits: list[float | None] | None, said: str
) -> None:
    assert median_limits_text(limits) == said


def test_a_result_with_changes_pending_says_so(result: dict[str, Any]) -> None:
    assert "newer changes not yet counted" not in texts(km_spec(result, "pfs"))
    assert "newer changes not yet counted" in texts(km_spec({**result, "stale": True}, "pfs"))


def test_a_table_with_columns_of_different_length_is_refused(result: dict[str, Any]) -> None:
    result["pfs"]["table"]["censored"].pop()

    with pytest.raises(ValueError, match="one length"):
        km_spec(result, "pfs")


def test_an_event_on_day_zero_is_drawn_as_a_drop_at_the_start(result: dict[str, Any]) -> None:
    # survfit(Surv(c(0, 5, 7), c(1, 0, 1)) ~ 1, conf.type = "log-log")
    result["pfs"]["table"] = {
        "days": [0, 0, 5, 7],
        "at_risk": [3, 3, 2, 1],
        "events": [0, 1, 0, 1],
        "censored": [0, 0, 1, 0],
        "survival": [1.0, 2 / 3, 2 / 3, 0.0],
        "lower": [None, 0.054, 0.054, None],
        "upper": [None, 0.945, 0.945, None],
    }

    spec = km_spec(result, "pfs")

    assert render(spec, "svg").startswith(b"<svg")
    curve = next(rows[0] for rows in spec["datasets"].values() if set(rows[0]) == {"d", "s"})
    assert curve["d"][:2] == [0, 0]
    assert curve["s"][:2] == [1.0, 0.66667]


def test_a_table_whose_days_do_not_ascend_is_refused(result: dict[str, Any]) -> None:
    result["pfs"]["table"]["days"][2] = 91

    with pytest.raises(ValueError, match="ascend"):
        km_spec(result, "pfs")


# Edges


def test_figures_of_a_cohort_without_patients_say_so_and_can_be_drawn(result: dict[str, Any]) -> None:
    nobody = empty(result)

    for slug, figure in FIGURES.items():
        said = svg_text(figure.build(nobody, theme="print"))
        assert ("No treated patients" in said) or ("No responses recorded yet" in said), slug
        assert figure.alt_text(nobody).startswith("No "), slug


@pytest.mark.parametrize(
    "outcome",
    [
        survival([0], [1], [0], [1], [1.0]),
        survival([0], [1], [1], [0], [0.0], median_days=0),
        survival([0, 40], [1, 1], [0, 1], [0, 0], [1.0, 0.0], median_days=40),
        survival([0, 40, 50], [2, 2, 1], [0, 0, 0], [0, 1, 1], [1.0, 1.0, 1.0], [1.0] * 3, [1.0] * 3),
    ],
    ids=["one censored on day 0", "one event on day 0", "one event", "no events"],
)
def test_the_smallest_cohorts_can_be_drawn(result: dict[str, Any], outcome: dict[str, Any]) -> None:
    result["pfs"] = outcome

    drawn = svg_text(km_spec(result, "pfs", theme="print"))

    assert "Months since first administration" in drawn
    assert "NaN" not in drawn
    assert "undefined" not in drawn


def many_days(days: int) -> dict[str, Any]:
    """One event and one censored patient on each of ``days`` days."""
    left = [2 * (days - day) for day in range(days)]
    estimate, values = 1.0, []
    for at_risk in left:
        estimate *= 1 - 1 / at_risk
        values.append(estimate)
    return survival(
        list(range(days)),
        left,
        [1] * days,
        [1] * days,
        values,
        [value * 0.987654321 for value in values],
        [value**0.987654321 for value in values],
    )


def test_five_thousand_distinct_days_keep_every_step_within_half_a_megabyte(result: dict[str, Any]) -> None:
    result["pfs"] = many_days(5000)

    spec = km_spec(result, "pfs")

    assert len(json.dumps(spec)) < 500_000
    assert len(spec["datasets"]["curve"][0]["d"]) == 5001
    assert len(spec["datasets"]["rows"][0]["d"]) == 5000


def test_censor_ticks_are_left_out_and_said_to_be_when_they_would_hide_the_band(
    result: dict[str, Any],
) -> None:
    result["pfs"] = many_days(MOST_CENSOR_TICKS)
    marked = texts(km_spec(result, "pfs"))
    result["pfs"] = many_days(MOST_CENSOR_TICKS + 1)
    unmarked = texts(km_spec(result, "pfs"))

    assert '"style": "censor"' in marked
    assert "Small strokes: censored" in marked
    assert '"style": "censor"' not in unmarked
    assert "Censored on too many days to mark each" in unmarked.replace('", "', " ")


# Bars


def test_responses_are_bars_best_first_with_their_denominators_in_words(result: dict[str, Any]) -> None:
    spec = best_response_spec(result)
    said = texts(spec)

    assert [(bar["n"], bar["label"]) for bar in spec["datasets"]["bars"]] == [
        (0, "0 (0.0 %)"),
        (12, "12 (26.1 %)"),
        (25, "25 (54.3 %)"),
        (2, "2 (4.3 %)"),
        (6, "6 (13.0 %)"),
        (1, "1 (2.2 %)"),
    ]
    assert "Objective response rate (CR + PR) 12 of 46, 26.1 % (95 % CI 14.3–41.1 %)" in said
    assert "the 46 patients with a best overall response, of 63 treated patients" in said


def test_a_rate_with_another_denominator_than_the_bars_says_so(result: dict[str, Any]) -> None:
    assert "a denominator of its own" not in texts(best_response_spec(result))
    result["orr"]["of"] = 45
    assert "a denominator of its own, 45 patients" in texts(best_response_spec(result)).replace('", "', " ")


def test_a_response_nobody_knows_is_refused(result: dict[str, Any]) -> None:
    result["orr"]["best_overall_response"]["MIXED"] = 1

    with pytest.raises(ValueError, match="MIXED"):
        best_response_spec(result)


def test_courses_are_one_bar_of_labelled_parts(result: dict[str, Any]) -> None:
    said = svg_text(courses_spec(result, theme="print"))

    assert "36 (57.1 %)" in said
    assert "17 (27.0 %)" in said
    assert "Discontinued after cycle 1: 4 (6.3 %)" in said
    assert "Discontinued after cycle 3: 3 (4.8 %)" in said
    assert "Discontinued: 10 of 63 (15.9 %); main reasons: co-morbidity 10." in said


def test_main_reasons_and_causes_of_death_are_in_words_the_most_frequent_first(
    result: dict[str, Any],
) -> None:
    result["courses"]["discontinued"]["reasons"] = {
        "renal": 1,
        "death": 0,
        "comorbidity": 7,
        "other_toxicity": 2,
    }
    result["os"]["deaths_by_cause"] = {"disease": 1, "comorbidity": 8}

    assert discontinuation_reasons(result) == [
        ("co-morbidity", 7),
        ("other toxicity", 2),
        ("renal toxicity", 1),
    ]
    assert causes_of_death(result) == [("co-morbidity", 8), ("the tumour", 1)]


def test_courses_that_no_count_holds_are_shown_as_such(result: dict[str, Any]) -> None:
    result["courses"]["ongoing"]["n"] = 15
    result["courses"]["discontinued"]["after_cycle"] = {"1": 4, "2": 3}

    shares = {share.name: share.n for share in course_shares(result)}

    assert shares["Discontinued, cycle unknown"] == 3
    assert shares["Not classified"] == 2
    assert sum(shares.values()) == 63


# Numbers as CSV


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_csv_of_a_curve_is_its_table_with_units_and_empty_cells_for_undefined_limits(
    result: dict[str, Any],
) -> None:
    rows = rows_of(numbers_csv(result, "pfs"))

    assert len(rows) == 6
    assert rows[1] == {
        "cohort": "published-2020",
        "data_cutoff": "2020-01-31",
        "revision": "7",
        "days": "91",
        "months": "2.9897",
        "at_risk_patients": "5",
        "events_patients": "1",
        "censored_patients": "0",
        "survival_fraction": "0.8",
        "lower_95_fraction": "0.2",
        "upper_95_fraction": "0.97",
    }
    assert rows[5]["lower_95_fraction"] == rows[5]["upper_95_fraction"] == ""


def test_the_csv_of_bars_is_their_counts(result: dict[str, Any]) -> None:
    responses = rows_of(numbers_csv(result, "best-response"))
    courses = rows_of(numbers_csv(result, "courses"))

    assert (responses[1]["name"], responses[1]["n_patients"], responses[1]["of_patients"]) == (
        "Partial response (PR)",
        "12",
        "46",
    )
    assert [(row["name"], row["n_patients"], row["percent"]) for row in courses][:3] == [
        ("Completed", "36", "57.14"),
        ("Ongoing", "17", "26.98"),
        ("Discontinued after cycle 1", "4", "6.35"),
    ]


def test_a_figure_that_does_not_exist_has_no_csv(result: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        numbers_csv(result, "waterfall")


# Words


def test_alternative_texts_say_what_the_figures_show(result: dict[str, Any]) -> None:
    result["pfs"]["landmarks"] = [{"months": 6, "survival": 0.8, "ci95": [0.2, 0.97], "at_risk": 3}]

    assert FIGURES["pfs"].alt_text(result) == (
        "Kaplan–Meier curve of progression-free survival in published-2020: 5 patients, 3 events, median 13.1 months, "
        "95 % CI 3.0 months to not reached; data cut-off 2020-01-31. Estimated 80.0 % at 6 months."
    )
    assert FIGURES["courses"].alt_text(result) == (
        "Courses of published-2020, 63 in all: completed: 36 (57.1 %); ongoing: 17 (27.0 %); discontinued after "
        "cycle 1: 4 (6.3 %); discontinued after cycle 2: 3 (4.8 %); discontinued after cycle 3: 3 (4.8 %)."
    )
    assert FIGURES["best-response"].build(result)["description"] == FIGURES["best-response"].alt_text(result)


# Drawing


def test_equal_results_give_equal_files_in_this_process_and_in_another(
    result: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "result.json").write_text(json.dumps(result))
    elsewhere = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, sys; from analytics.charts import FIGURES, render\n"
            "result = json.load(open(sys.argv[1]))\n"
            "sys.stdout.buffer.write(render(FIGURES['os'].build(result), 'svg'))",
            str(tmp_path / "result.json"),
        ],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout

    km_spec(result, "pfs")  # another figure in between must not leave a trace
    first = render(km_spec(result, "os"), "svg")

    assert first == render(km_spec(result, "os"), "svg")
    assert first == elsewhere


@pytest.mark.parametrize("slug", FIGURES)
def test_every_figure_can_be_drawn_as_png_and_pdf(result: dict[str, Any], slug: str) -> None:
    spec = FIGURES[slug].build(result, theme="print")

    assert render(spec, "png").startswith(b"\x89PNG\r\n\x1a\n")
    assert render(spec, "pdf").startswith(b"%PDF-")


def test_the_scale_of_a_png_multiplies_its_pixels(result: dict[str, Any]) -> None:
    spec = courses_spec(result, theme="print")

    def width(png: bytes) -> int:
        return int.from_bytes(png[16:20], "big")

    assert width(render(spec, "png", scale=3)) == pytest.approx(
        3 * width(render(spec, "png", scale=1)), abs=3
    )


def test_a_png_says_its_dots_per_inch(result: dict[str, Any]) -> None:
    png = render(courses_spec(result, theme="print"), "png", scale=4)
    at = png.index(b"pHYs") + 4

    per_metre = int.from_bytes(png[at : at + 4], "big")
    assert per_metre == pytest.approx(288 / 0.0254, abs=1)
    assert png[at + 8] == 1  # the unit is the metre


def test_a_pdf_has_a_title_in_its_properties_and_every_offset_of_its_end_is_right(
    result: dict[str, Any],
) -> None:
    spec = courses_spec(result, theme="print")
    titled = render(spec, "pdf", title="Treatment courses: Cohort é")

    written = ("\ufeff" + "Treatment courses: Cohort é").encode("utf-16-be").hex().encode()
    info = re.search(rb"(\d+) 0 obj\n<< /Title <" + written + rb">", titled)
    assert info is not None
    assert titled.rstrip().endswith(b"%%EOF")
    table_at = int(titled.rsplit(b"startxref", 1)[1].split()[0])
    table = re.match(rb"xref\n(\d+) 1\n(\d{10}) 00000 n\r\ntrailer\n<<(.*?)>>", titled[table_at:], re.DOTALL)
    assert table is not None
    assert (table[1], int(table[2])) == (info[1], info.start())
    assert b"/Info %s 0 R" % info[1] in table[3]
    assert b"/Prev %s" % titled.split(b"startxref")[1].split()[0] in table[3]


@pytest.mark.parametrize("scale", [0, -1, 11])
def test_a_scale_that_would_be_empty_or_enormous_is_refused(result: dict[str, Any], scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        render(courses_spec(result), "png", scale=scale)


def test_an_unknown_format_is_refused(result: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="gif"):
        render(courses_spec(result), "gif")  # type: ignore[arg-type]


def test_text_is_set_in_liberation_sans(result: dict[str, Any]) -> None:
    assert 'font-family="Liberation Sans' in svg_text(km_spec(result, "pfs", theme="print"))


def test_paper_is_white_without_tooltips_and_the_screen_transparent_with_them(result: dict[str, Any]) -> None:
    for slug, figure in FIGURES.items():
        paper, screen = figure.build(result, theme="print"), figure.build(result)
        assert paper["config"]["background"] == "white", slug
        assert "tooltip" not in texts(paper), slug
        assert screen["config"]["background"] == "transparent", slug
        assert "tooltip" in texts(screen), slug


def test_every_style_a_figure_uses_has_its_light_and_its_dark_colour(result: dict[str, Any]) -> None:
    def styles(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["style"]} if isinstance(node.get("style"), str) else set()
            return own.union(*(styles(value) for value in node.values()))
        return set().union(*(styles(value) for value in node)) if isinstance(node, list) else set()

    for slug, figure in FIGURES.items():
        spec = figure.build(result)
        used = styles(spec["vconcat"])
        assert used, slug
        assert used <= set(spec["config"]["style"]), slug
        assert used <= set(spec["usermeta"]["dark"]["style"]), slug


def test_no_figure_asks_for_anything_from_elsewhere(result: dict[str, Any]) -> None:
    for slug, figure in FIGURES.items():
        spec = figure.build(result)
        assert '"url"' not in texts(spec), slug
        assert spec.pop("$schema").endswith("v6.1.0.json"), slug
        assert "http" not in texts(spec), slug


# Loading


def test_importing_the_figures_loads_neither_altair_nor_the_drawing_engine() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, analytics.charts\n"
            "print([m for m in ('altair', 'pandas', 'vl_convert', 'lifelines') if m in sys.modules])",
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout

    assert loaded.strip() == "[]"


def test_the_bundle_is_written_once_per_version_and_keeps_its_names_to_itself(tmp_path: Path) -> None:
    assert build_vega_bundle(tmp_path / "vega")
    bundle = tmp_path / "vega" / "vega.js"
    first = bundle.read_bytes()
    assert first.startswith(b"/* Vega, Vega-Lite 6.1")
    assert b"\n(() => {\n" in first[:200]
    assert b"window.vegaEmbed=" in first
    assert [file.name for file in bundle.parent.iterdir()] == ["vega.js"]

    assert not build_vega_bundle(tmp_path / "vega")

    bundle.write_text("/* Vega of an older version */\n")
    assert build_vega_bundle(tmp_path / "vega")
    assert bundle.read_bytes() == first
