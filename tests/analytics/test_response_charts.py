"""Waterfall, spider and swimmer: what they draw for given courses, their words and their numbers. No database."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.charts import render
from analytics.charts.response import RESPONSE_FIGURES
from analytics.charts.response.courses import About, CourseLine, ResponsePoint, signed_percent
from analytics.charts.response.spider import SPIDER_TOP, spider_csv, spider_spec
from analytics.charts.response.swimmer import MOST_LANES, swimmer_csv, swimmer_spec
from analytics.charts.response.waterfall import (
    FEWEST_PLACES,
    WATERFALL_TOP,
    waterfall_alt,
    waterfall_csv,
    waterfall_spec,
)

ABOUT = About("Published cohort", "2020-01-31", synthetic=True)
ZERO = date(2018, 1, 8)
THEMES = ["screen", "print"]


def point(day: int, sum_mm: str | None, response: str, base: str = "100") -> ResponsePoint:
    """One study; its change follows from the sum and that of the baseline."""
    size = None if sum_mm is None else Decimal(sum_mm)
    change = None if size is None else 100 * (size / Decimal(base) - 1)
    return ResponsePoint(day, ZERO + timedelta(days=day), size, change, response)


def course(label: str, best: str = "SD", change: str | None = "-10", **more: Any) -> CourseLine:
    """A course with a baseline of 100 mm and one study on day 120 that shows its best change."""
    points = [point(-14, "100", "")]
    if change is not None:
        points.append(point(120, str(100 + Decimal(change)), best))
    values: dict[str, Any] = {
        "label": label,
        "href": f"/patients/{label}/",
        "best_response": best,
        "best_change_percent": None if change is None else points[-1].change_percent,
        "points": tuple(points),
        "cycle_days": (0, 56, 112),
        "last_day": 400,
    }
    return CourseLine(**values | more)


def layers(spec: dict[str, Any], name: str = "plot") -> list[dict[str, Any]]:
    return next(view for view in spec["vconcat"] if view.get("name") == name)["layer"]


def rows(spec: dict[str, Any], kind: str, name: str = "plot") -> Iterator[dict[str, Any]]:
    """Yield the rows of every layer whose style begins with ``kind``."""
    for layer in layers(spec, name):
        if str(layer["mark"].get("style", "")).startswith(kind):
            yield from layer["data"]["values"]


def bars(spec: dict[str, Any]) -> list[tuple[float, str]]:
    return [(row["c"], row["code"]) for row in sorted(rows(spec, "bar-"), key=lambda row: row["x"])]


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def footer(spec: dict[str, Any]) -> str:
    return " ".join(spec["vconcat"][-1]["title"]["text"])


def everyone() -> list[CourseLine]:
    """One course of every kind that a figure tells apart."""
    return [
        course("STA-0001", "CR", "-100", is_ongoing=True),
        course("STA-0002", "PR", "-30", progressed_day=200, died_day=400),
        course("STA-0003", "SD", "0"),
        course("STA-0004", "PD", "312.5", progressed_day=120),
        course("STA-0005", "NE", None),
        course("STA-0006", "NON_CR_NON_PD", None),
        course("STA-0007", "", None, points=(), href=""),
        course("STA-0008 course 2", "SD", "5"),
    ]


def test_bars_stand_from_worst_to_best():
    spec = waterfall_spec(
        [course("A", "PR", "-50"), course("B", "PD", "35"), course("C", "SD", "-10"), course("D", "SD", "8")],
        ABOUT,
    )

    assert bars(spec) == [(35, "PD"), (8, "SD"), (-10, "SD"), (-50, "PR")]


def test_equal_changes_stand_by_response_then_label_whatever_the_order_of_entry():
    lines = [
        course("B", "SD", "-30"),
        course("A", "SD", "-30"),
        course("C", "PR", "-30"),
        course("D", "PD", "-30"),
    ]

    spec = waterfall_spec(lines, ABOUT)

    assert [row["course"] for row in sorted(rows(spec, "bar-"), key=lambda row: row["x"])] == [
        "D",
        "A",
        "B",
        "C",
    ]
    assert json.dumps(spec) == json.dumps(waterfall_spec(lines[::-1], ABOUT))


def test_exactly_30_percent_less_reaches_the_line_and_is_said_as_such():
    spec = waterfall_spec([course("A", "PR", "-30")], ABOUT)

    assert bars(spec) == [(-30, "PR")]
    assert next(rows(spec, "bar-"))["Best change"] == "−30.0 %"
    assert "1 at −30 % or lower" in waterfall_alt([course("A", "PR", "-30")], ABOUT)
    assert "0 at −30 % or lower" in waterfall_alt([course("A", "SD", "-29.99")], ABOUT)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("-30", "−30.0 %"),
        ("-29.99", "−29.99 %"),
        ("-29.996", "−29.996 %"),
        ("19.98", "+19.98 %"),
        ("20", "+20.0 %"),
        ("24.3902439", "+24.4 %"),
        ("-0.04", "0.0 %"),
        ("-100", "−100.0 %"),
    ],
)
def test_a_rounded_change_never_seems_to_reach_a_bound(change, said):
    assert signed_percent(Decimal(change)) == said


def test_courses_without_a_sum_are_counted_below_and_not_drawn():
    spec = waterfall_spec(everyone(), ABOUT)

    assert len(bars(spec)) == 5
    assert "3 courses (Non-CR/non-PD: 1; Not evaluable (NE): 1; No assessment: 1)" in footer(spec)
    assert "8 courses" in " ".join(spec["title"]["subtitle"])


def test_each_response_has_a_row_of_its_own_shape_and_its_word_so_that_colour_is_not_alone():
    spec = waterfall_spec(everyone(), ABOUT)

    strip = layers(spec, "strip")
    shapes = [layer["mark"]["shape"] for layer in strip if layer["mark"]["type"] == "point"]
    words = [row["t"] for row in rows(spec, "small", "strip")]
    assert words == [
        "Complete response (CR): 1",
        "Partial response (PR): 1",
        "Stable disease (SD): 2",
        "Progressive disease (PD): 1",
    ]
    assert len(set(shapes)) == 4
    assert [row["text"] if "text" in row else row["code"] for row in rows(spec, "small") if "code" in row]


def test_a_bar_beyond_the_axis_is_cut_and_says_its_value():
    spec = waterfall_spec(everyone(), ABOUT)

    assert bars(spec)[0] == (WATERFALL_TOP, "PD")
    assert next(row["cut"] for row in rows(spec, "in-bar")) == "+312.5 %"
    assert f"1 bar cut at +{WATERFALL_TOP} %" in footer(spec)


@pytest.mark.parametrize(
    ("change", "top"), [("0", 40), ("40", 40), ("40.1", 60), ("100", 100), ("100.1", 100)]
)
def test_the_axis_ends_above_the_highest_bar(change, top):
    spec = waterfall_spec([course("A", "SD", change)], ABOUT)

    assert next(layer for layer in layers(spec) if layer["mark"].get("style") == "bar-SD")["encoding"]["y"][
        "scale"
    ]["domain"] == [-100, top]


def test_no_change_at_all_is_still_seen():
    assert [row["course"] for row in rows(waterfall_spec([course("A", "SD", "0")], ABOUT), "flat-")] == ["A"]


def test_one_bar_is_not_as_wide_as_the_figure():
    bar = next(rows(waterfall_spec([course("A")], ABOUT), "bar-"))

    assert bar["x2"] <= 1
    assert layers(waterfall_spec([course("A")], ABOUT))[-1]["encoding"]["x"]["scale"]["domain"] == [
        0,
        FEWEST_PLACES,
    ]


def test_a_spider_line_goes_from_the_baseline_through_the_studies_to_the_progression():
    line = course(
        "A",
        "PR",
        points=(
            point(-14, "100", ""),
            point(100, "60", "PR"),
            point(200, None, "NE"),
            point(300, "80", "PD"),
        ),
        best_change_percent=Decimal(-40),
        progressed_day=300,
    )

    spec = spider_spec([line], ABOUT)

    drawn = [(row["m"], row["c"]) for row in rows(spec, "line-")]
    assert drawn == [(-0.46, 0), (3.2854, -40), (9.8563, -20)]
    assert [(row["m"], row["c"]) for row in rows(spec, "response-PD")] == [(9.8563, -20)]
    assert not list(rows(spec, "carried"))


def test_a_progression_without_a_sum_is_joined_to_the_last_sum_by_another_line():
    spec = spider_spec([course("A", progressed_day=200)], ABOUT)

    assert [(row["m"], row["c"]) for row in rows(spec, "carried")] == [(3.9425, -10), (6.5708, -10)]
    assert next(rows(spec, "response-PD"))["Study"].endswith("progression in month 6.6")


def test_the_lines_of_each_response_differ_without_colour():
    style = spider_spec(everyone(), ABOUT)["config"]["style"]

    looks = {
        (str(style[f"line-{code}"]["strokeDash"]), style[f"line-{code}"]["strokeWidth"]) for code in RANKED
    }
    assert len(looks) == len(RANKED)


RANKED = ["CR", "PR", "SD", "NON_CR_NON_PD", "PD", "NE"]


def test_a_spider_line_beyond_the_axis_is_said_to_be_cut():
    assert f"1 line cut at +{SPIDER_TOP} %" in footer(spider_spec(everyone(), ABOUT))


def test_a_spider_line_that_leaves_the_axis_and_comes_back_is_drawn_in_two_pieces():
    line = course(
        "A",
        points=(point(0, "100", ""), point(100, "400", "SD"), point(200, "100", "SD")),
        best_change_percent=Decimal(0),
    )

    drawn = list(rows(spider_spec([line], ABOUT), "line-"))

    assert [(row["c"], row["i"]) for row in drawn] == [(0, "0.0"), (200, "0.0"), (200, "0.1"), (0, "0.1")]
    assert drawn[1]["m"] == pytest.approx(200 / 3 / 30.4375, abs=1e-3)


def test_lanes_stand_from_longest_to_shortest_with_ties_by_label():
    lines = [
        course("B", last_day=100),
        course("A", last_day=100),
        course("C", last_day=900),
        course("D", last_day=5),
    ]

    spec = swimmer_spec(lines, ABOUT)

    assert [row["t"] for row in rows(spec, "lane-name")] == ["C", "A", "B", "D"]


def test_a_lane_shows_cycles_responses_progression_death_and_who_goes_on():
    spec = swimmer_spec(everyone(), ABOUT)

    assert len(list(rows(spec, "cycle-tick"))) == 3 * 8
    assert [row["course"] for row in rows(spec, "response-PR")] == ["STA-0002"]
    assert sorted(row["course"] for row in rows(spec, "progressed")) == ["STA-0002", "STA-0004"]
    assert [row["course"] for row in rows(spec, "died")] == ["STA-0002"]
    assert [row["course"] for row in rows(spec, "ongoing")] == ["STA-0001"]


def test_the_symbols_of_a_swimmer_are_all_different_and_explained_in_words():
    spec = swimmer_spec(everyone(), ABOUT)

    marks = [layer["mark"] for layer in layers(spec, "legend") if layer["mark"]["type"] == "point"]
    assert len({(mark["shape"], mark["style"]) for mark in marks}) == len(marks)
    assert [row["t"] for row in rows(spec, "small", "legend")] == [
        "Cycle",
        "First progression",
        "Complete response (CR)",
        "Partial response (PR)",
        "Stable disease (SD)",
        "Progressive disease (PD)",
        "Death",
        "Alive without progression when last known",
    ]


def test_more_courses_than_can_be_read_are_said_to_be_left_out_and_stay_in_the_numbers():
    lines = [course(f"STA-{n:04d}", last_day=n) for n in range(1, MOST_LANES + 12)]

    spec = swimmer_spec(lines, ABOUT)

    assert len(list(rows(spec, "lane-name"))) == MOST_LANES
    assert f"the {MOST_LANES} longest of {MOST_LANES + 11} courses are drawn" in " ".join(
        spec["title"]["subtitle"]
    )
    assert len({row["course"] for row in table(swimmer_csv(lines, ABOUT))}) == MOST_LANES + 11


@pytest.mark.parametrize("name", RESPONSE_FIGURES)
def test_on_the_screen_a_mark_opens_its_patient_and_in_a_file_it_does_not(name):
    build = RESPONSE_FIGURES[name].build

    screen, paper = (
        json.dumps(build(everyone(), ABOUT, theme=theme), ensure_ascii=False) for theme in THEMES
    )

    assert "/patients/STA-0001/" in screen
    assert "tooltip" in screen
    assert "/patients/" not in paper
    assert "tooltip" not in paper
    assert "Synthetic patients." in paper
    assert f"{ZERO + timedelta(days=120)}" not in paper  # time is relative in files


@pytest.mark.parametrize("name", RESPONSE_FIGURES)
def test_tooltips_have_units(name):
    said = json.dumps(RESPONSE_FIGURES[name].build([course("A", "PR", "-34")], ABOUT), ensure_ascii=False)

    assert "66 mm" in said
    assert "−34.0 %" in said
    assert "month 3.9" in said


@pytest.mark.parametrize("name", RESPONSE_FIGURES)
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("lines", [[], [course("A")], [course("A", "NE", None)], everyone()])
def test_every_figure_can_be_drawn_of_nobody_of_one_and_of_all_kinds(name, theme, lines):
    figure = RESPONSE_FIGURES[name]

    spec = figure.build(lines, ABOUT, theme=theme)

    assert render(spec, "svg").startswith(b"<svg")
    assert spec["description"] == figure.alt_text(lines, ABOUT)
    assert len(table(figure.numbers(lines, ABOUT))) >= len(lines)


@pytest.mark.parametrize("name", RESPONSE_FIGURES)
def test_figures_are_had_as_png_and_pdf(name):
    spec = RESPONSE_FIGURES[name].build(everyone(), ABOUT, theme="print")

    assert render(spec, "png").startswith(b"\x89PNG")
    assert render(spec, "pdf", title="Waterfall").startswith(b"%PDF")


@pytest.mark.parametrize("name", RESPONSE_FIGURES)
def test_equal_courses_give_equal_bytes(name):
    build = RESPONSE_FIGURES[name].build

    assert json.dumps(build(everyone(), ABOUT)) == json.dumps(build(everyone(), ABOUT))
    assert render(build(everyone(), ABOUT), "svg") == render(build(everyone(), ABOUT), "svg")


def test_the_numbers_of_the_waterfall_are_those_of_the_bars_and_of_who_has_none():
    lines = everyone()

    found = table(waterfall_csv(lines, ABOUT))

    assert [row["course"] for row in found][:2] == ["STA-0004", "STA-0008 course 2"]
    assert {row["course"] for row in found} == {line.label for line in lines}
    pr = next(row for row in found if row["course"] == "STA-0002")
    assert (pr["best_change_percent"], pr["sum_of_diameters_mm"], pr["best_change_day"]) == (
        "-30",
        "70",
        "120",
    )
    assert next(row for row in found if row["course"] == "STA-0005")["best_change_percent"] == ""


def test_the_numbers_of_the_spider_have_every_study_with_its_day_and_no_date():
    text = spider_csv(everyone(), ABOUT)

    found = [row for row in table(text) if row["course"] == "STA-0002"]
    assert [(row["kind"], row["day"], row["response"]) for row in found] == [
        ("baseline", "-14", ""),
        ("study", "120", "PR"),
        ("progression", "200", ""),
    ]
    assert "2018" not in text


def test_the_numbers_of_the_swimmer_tell_each_course_in_order():
    found = [row for row in table(swimmer_csv(everyone(), ABOUT)) if row["course"] == "STA-0002"]

    assert [(row["kind"], row["day"]) for row in found] == [
        ("cycle", "0"),
        ("cycle", "56"),
        ("cycle", "112"),
        ("response", "120"),
        ("progression", "200"),
        ("death", "400"),
        ("last_known", "400"),
    ]
