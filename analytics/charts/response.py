"""How the tumours of a cohort responded, a course at a time: waterfall, spider and swimmer, for the screen and for paper.

Figures of single patients: whoever is shown one may see the records of every course in it. Time is counted from the first
administration, so that a file holds registry numbers and no dates; the screen's tooltips have them. Plain data in the looks
of ``analytics.charts.theme``; nothing here imports the drawing engine, Django or the models.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from typing import Any

from analytics.charts import theme as look
from analytics.charts.numbers import DAYS_PER_MONTH, RESPONSES, counted, tick_months
from analytics.charts.specs import VEGA_LITE_VERSION

Spec = dict[str, Any]

WIDTH = 760
WATERFALL_HEIGHT, SPIDER_HEIGHT = 320, 380
FEWEST_PLACES = 16  # of the waterfall: fewer bars would be as broad as a hand
ROOM_FOR_CODE_PX = 23
STRIP_ROW_PX = 15
LEAST_SHAPE_PX = 7  # between bars: smaller shapes cannot be told apart
MOST_LANES = 150  # of the swimmer: more are neither read nor printed; the longest are drawn
MANY_LANES = 80
LANE_PX, NARROW_LANE_PX = 15, 11
MANY_LINES = 120  # of the spider: from here on they are thinner

# Axes end here, since one bar of +400 % would flatten all others; what goes beyond is cut, and said to be.
WATERFALL_TOP, SPIDER_TOP = 100, 200
LEAST_TOP = 40

RESPONSE_LINE, PROGRESSION_LINE = Decimal(-30), Decimal(20)

NO_ASSESSMENT = ""
WORDS = RESPONSES | {NO_ASSESSMENT: "No assessment"}
CODES = {code: code for code in RESPONSES} | {"NON_CR_NON_PD": "NN", NO_ASSESSMENT: "–"}
SHAPES = {
    "CR": "circle",
    "PR": "diamond",
    "SD": "square",
    "NON_CR_NON_PD": "M-1,-0.45H1V0.45H-1Z",
    "PD": "triangle-down",
    "NE": "circle",
    NO_ASSESSMENT: "circle",
}
_CROSS = "M-0.8,-0.8L0.8,0.8M-0.8,0.8L0.8,-0.8"
_UPRIGHT = "M0,-1L0,1"
_TENTH = Decimal("0.1")


@dataclass(frozen=True)
class ResponsePoint:
    """One study after the baseline, or the baseline itself, on ``day`` from the first administration.

    Attributes:
        sum_mm, change_percent: of the diameters, and its change from baseline; None where it is incomplete or there is none.
        response: a code of ``RESPONSES``; blank at baseline and where no reading counts.
    """

    day: int
    on: date
    sum_mm: Decimal | None
    change_percent: Decimal | None
    response: str


@dataclass(frozen=True)
class CourseLine:
    """One course as the figures draw it; every day is counted from the first administration.

    Attributes:
        label: registry number, with the number of the course from the second on.
        href: address of the patient's chart; blank: no link.
        best_response: a code of ``RESPONSES``; blank: no assessment counts.
        best_change_percent: the least change from baseline that counts; None without a comparable sum.
        points: by day, nothing after the first progression or the cut-off.
        last_day: until when the patient was known to be alive, or the day of death.
        progressed_day, died_day: None where it did not happen by the cut-off.
        is_ongoing: alive and without progression when last known.
    """

    label: str
    href: str
    best_response: str
    best_change_percent: Decimal | None
    points: tuple[ResponsePoint, ...]
    cycle_days: tuple[int, ...]
    last_day: int
    progressed_day: int | None = None
    died_day: int | None = None
    is_ongoing: bool = False

    @property
    def best_point(self) -> ResponsePoint | None:
        """The first study that showed the best change."""
        return next(
            (
                point
                for point in self.points
                if point.response and point.change_percent == self.best_change_percent is not None
            ),
            None,
        )


@dataclass(frozen=True)
class About:
    """What a figure says of where its courses come from.

    Attributes:
        cutoff: ISO date.
    """

    name: str
    cutoff: str
    synthetic: bool = False


# Waterfall


def in_order_of_change(lines: Sequence[CourseLine]) -> list[CourseLine]:
    """Return the courses with a best change, worst first; equal ones by best response, then by label."""
    ranks = list(WORDS)
    return sorted(
        (line for line in lines if line.best_change_percent is not None),
        key=lambda line: (-_change(line), -ranks.index(line.best_response), line.label),
    )


def waterfall_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the best change of every course as a bar; below the bars a row for each best response marks whose it was."""
    drawn = in_order_of_change(lines)
    title = "Best change of the sum of diameters"
    if not drawn:
        return _empty(title, "No course with sums to compare", waterfall_alt(lines, about), about, theme)
    places = max(len(drawn), FEWEST_PLACES)
    top = _top([_change(line) for line in drawn], WATERFALL_TOP)
    rows = [_bar(index, line, top, theme) for index, line in enumerate(drawn)]
    present = [code for code in WORDS if any(line.best_response == code for line in drawn)]
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [0, places], "nice": False},
        "axis": None,
    }
    y = _percent_axis("Best change from baseline", top)
    layers = [*_reference_lines(y)]
    for code in present:
        of_code = [row for row in rows if row["code"] == CODES[code]]
        layers.append(
            {
                "data": {"values": of_code},
                "mark": {"type": "bar", "style": _style("bar", code), "cursor": _cursor(theme)},
                "encoding": {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"datum": 0}}
                | _link(theme, "Best response", "Best change", "Sum of diameters"),
            }
        )
        # A change of nothing has no height.
        flat = [row for row in of_code if abs(row["c"]) < 0.6]
        if flat:
            layers.append(
                {
                    "data": {"values": flat},
                    "mark": {"type": "rule", "style": _style("flat", code), "cursor": _cursor(theme)},
                    "encoding": {"x": x, "x2": {"field": "x2"}, "y": _at(y, 0)}
                    | _link(theme, "Best response", "Best change", "Sum of diameters"),
                }
            )
    layers.append(
        {"data": {"values": [{}]}, "mark": {"type": "rule", "style": "zero"}, "encoding": {"y": _at(y, 0)}}
    )
    pitch = WIDTH / places
    middle = x | {"field": "xm"}
    if pitch >= ROOM_FOR_CODE_PX:
        for up in (True, False):
            layers.append(
                {
                    "data": {"values": [row for row in rows if (row["c"] >= 0) == up]},
                    "mark": {
                        "type": "text",
                        "style": "small",
                        "baseline": "bottom" if up else "top",
                        "dy": -3 if up else 4,
                    },
                    "encoding": {"x": middle, "y": y, "text": {"field": "code"}},
                }
            )
    cut = [row for row in rows if row["cut"]]
    if cut and pitch >= look.SMALL_SIZE:
        layers.append(
            {
                "data": {"values": cut},
                "mark": {"type": "text", "style": "in-bar", "angle": 270, "align": "right", "dx": -5},
                "encoding": {"x": middle, "y": y, "text": {"field": "cut"}},
            }
        )
    plot = {"name": "plot", "width": WIDTH, "height": WATERFALL_HEIGHT, "layer": layers}
    notes = [
        "A bar is a course: its least change of the sum of target lesions from baseline, up to the first progression. Below:"
        " its best overall response, with the number of courses drawn. Lines at +20 % and −30 % from baseline; progression"
        " itself is told from the nadir."
    ]
    if cut:
        notes.append(f"{counted(len(cut), 'bar')} cut at +{top} %.")
    notes.append(_not_drawn(lines, drawn))
    strip = _strip(drawn, present, x, theme) | {"title": _footer(notes, about, theme)}
    return _figure(title, about, lines, [plot, strip], waterfall_alt(lines, about), theme)


def _bar(index: int, line: CourseLine, top: int, theme: look.Theme) -> Spec:
    change = _change(line)
    gap = 0.12
    row: Spec = {
        "x": round(index + gap, 2),
        "x2": round(index + 1 - gap, 2),
        "xm": index + 0.5,
        "c": float(min(change, Decimal(top)).quantize(Decimal("0.0001"))),
        "code": CODES[line.best_response],
        "cut": signed_percent(change) if change > top else "",
    }
    point = line.best_point
    return row | _told(
        theme,
        line,
        {
            "Best response": WORDS[line.best_response],
            "Best change": signed_percent(change),
            "Sum of diameters": "not stated" if point is None else _sum_said(line, point),
        },
    )


def _strip(drawn: Sequence[CourseLine], present: Sequence[str], x: Spec, theme: look.Theme) -> Spec:
    """Return a row of marks for each response, under the bars it belongs to: the legend, which needs no colour."""
    counts = Counter(line.best_response for line in drawn)
    y: Spec = {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [len(present), 0], "nice": False, "zero": False},
        "axis": None,
    }
    pitch = WIDTH / max(len(drawn), FEWEST_PLACES)
    layers: list[Spec] = []
    for number, code in enumerate(present):
        values = [
            {"x": index, "x2": index + 1, "xm": index + 0.5, "row": number + 0.5}
            | _told(theme, line, {"Best response": WORDS[code]})
            for index, line in enumerate(drawn)
            if line.best_response == code
        ]
        # Too narrow for shapes: the row itself says it.
        if pitch < LEAST_SHAPE_PX:
            layer: Spec = {
                "mark": {"type": "bar", "style": _style("bar", code), "height": 9, "cursor": _cursor(theme)},
                "encoding": {"x": x, "x2": {"field": "x2"}, "y": y},
            }
        else:
            layer = {
                "mark": _point(code, min(64.0, (pitch * 0.7) ** 2), theme),
                "encoding": {"x": x | {"field": "xm"}, "y": y},
            }
        layer["encoding"] |= _link(theme, "Best response")
        key = {
            "data": {"values": [{"row": number + 0.5}]},
            "mark": _point(code, 64, "print"),
            "encoding": {"x": {"value": WIDTH + 14}, "y": y},
        }
        layers += [layer | {"data": {"values": values}}, key]
    names = [
        {"row": number + 0.5, "t": f"{WORDS[code]}: {counts[code]:,}"} for number, code in enumerate(present)
    ]
    layers.append(
        {
            "data": {"values": names},
            "mark": {"type": "text", "style": "small", "align": "left", "baseline": "middle", "dx": 24},
            "encoding": {"x": {"value": WIDTH}, "y": y, "text": {"field": "t"}},
        }
    )
    return {"name": "strip", "width": WIDTH, "height": STRIP_ROW_PX * len(present), "layer": layers}


def waterfall_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: range, how many reach either line, the best responses, and who is not drawn."""
    drawn = in_order_of_change(lines)
    if not drawn:
        return f"No course of {about.name} has sums of diameters to compare."
    changes = [_change(line) for line in drawn]
    shrunk = sum(change <= RESPONSE_LINE for change in changes)
    grown = sum(change >= PROGRESSION_LINE for change in changes)
    return (
        f"Waterfall of the best change of the sum of diameters in {about.name}: {counted(len(drawn), 'course')}, from"
        f" {signed_percent(changes[0])} to {signed_percent(changes[-1])}; {shrunk:,} at −30 % or lower, {grown:,} at"
        f" +20 % or higher. Best overall responses: {_responses_said(drawn)}. {_not_drawn(lines, drawn)}"
    ).rstrip()


def waterfall_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return a course a line, worst change first, those without one last."""
    drawn = in_order_of_change(lines)
    rest = sorted((line for line in lines if line.best_change_percent is None), key=lambda line: line.label)
    rows = []
    for line in [*drawn, *rest]:
        point = line.best_point
        rows.append(
            [
                line.label,
                line.best_response,
                _written(line.best_change_percent),
                "" if point is None else point.day,
                "" if point is None else _written(point.sum_mm),
            ]
        )
    return _csv(
        about,
        ["best_overall_response", "best_change_percent", "best_change_day", "sum_of_diameters_mm"],
        rows,
    )


# Spider


def spider_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the change of the sum of every course over time; a line ends at the progression or the last comparable sum."""
    title = "Change of the sum of diameters over time"
    drawn = [line for line in lines if any(point.response for point in _measured(line))]
    if not drawn:
        return _empty(title, "No course with sums to compare", spider_alt(lines, about), about, theme)
    ends = [max(line.progressed_day or 0, _measured(line)[-1].day) for line in drawn]
    begin = min(0, min(_measured(line)[0].day for line in drawn)) / DAYS_PER_MONTH
    ticks = tick_months(max(ends) / DAYS_PER_MONTH)
    top = _top(
        [point.change_percent or Decimal(0) for line in drawn for point in _measured(line)], SPIDER_TOP
    )
    x = _months_axis(ticks, begin)
    y = _percent_axis("Change from baseline", top)
    layers = [
        *_reference_lines(y),
        {"data": {"values": [{}]}, "mark": {"type": "rule", "style": "zero"}, "encoding": {"y": _at(y, 0)}},
    ]
    thin = len(drawn) > MANY_LINES
    present = [code for code in WORDS if any(line.best_response == code for line in drawn)]
    # What is fewer stands above what is many.
    by_number = sorted(present, key=lambda code: -sum(line.best_response == code for line in drawn))
    tips = ("Study", "Sum of diameters", "Response", "Best response")
    for code in by_number:
        rows, spots, carried, ended = [], [], [], []
        for index, line in enumerate(drawn):
            if line.best_response != code:
                continue
            measured = _measured(line)
            whole = [_spot(index, line, point, point.day, theme) for point in measured]
            rows += _below(whole, top)
            spots += [
                row for row, point in zip(whole, measured, strict=True) if point.response and row["c"] <= top
            ]
            if line.progressed_day is not None:
                last = measured[-1]
                end = _spot(index, line, last, line.progressed_day, theme)
                ended.append(end | {"c": min(end["c"], top)})
                if line.progressed_day > last.day:
                    carried += [
                        {"i": f"{index}", "m": _months(day), "c": ended[-1]["c"]}
                        for day in (last.day, line.progressed_day)
                    ]
        on_line = {"x": x, "y": y, "detail": {"field": "i", "type": "nominal"}}
        line_mark: Spec = {"type": "line", "style": _style("line", code)}
        layers.append(
            {
                "data": {"values": rows},
                "mark": line_mark | ({"strokeWidth": 0.8, "opacity": 0.55} if thin else {}),
                "encoding": on_line,
            }
        )
        if theme == "screen":  # broad enough to be hit
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": {
                        "type": "line",
                        "strokeWidth": 8,
                        "opacity": 0,
                        "cursor": "pointer",
                    },
                    "encoding": on_line | {"href": {"field": "href"}},
                }
            )
        if carried:
            layers.append(
                {
                    "data": {"values": carried},
                    "mark": {"type": "line", "style": "carried"},
                    "encoding": on_line,
                }
            )
        layers.append(
            {
                "data": {"values": spots},
                "mark": {
                    "type": "point",
                    "style": _style("spot", code),
                    "filled": True,
                    "opacity": 1,
                }
                | {"size": 8 if thin else 18, "cursor": _cursor(theme)},
                "encoding": {"x": x, "y": y} | _link(theme, *tips),
            }
        )
        if ended:
            layers.append(
                {
                    "data": {"values": ended},
                    "mark": _point("PD", 30 if thin else 60, theme),
                    "encoding": {"x": x, "y": y} | _link(theme, *tips),
                }
            )
    beyond = sum(any((point.change_percent or 0) > top for point in _measured(line)) for line in drawn)
    counts = Counter(line.best_response for line in drawn)
    legend = _legend(
        [
            ([{"type": "line", "style": _style("line", code)}], f"{WORDS[code]}: {counts[code]:,}")
            for code in present
        ]
        + (
            [([_point("PD", 60, "print")], "Progression")]
            if any(line.progressed_day is not None for line in drawn)
            else []
        )
    )
    notes = [
        "A line is a course, in the look of its best overall response: the sum of target lesions against its baseline, up to"
        " the first progression, whose mark stands at the last sum before it where it was told otherwise (grey)."
        " Lines at +20 % and −30 % from baseline; progression itself is told from the nadir."
    ]
    if beyond:
        notes.append(f"{counted(beyond, 'line')} cut at +{top} %.")
    notes.append(_not_drawn(lines, drawn))
    plot = {
        "name": "plot",
        "width": WIDTH,
        "height": SPIDER_HEIGHT,
        "layer": layers,
        "title": _footer(notes, about, theme),
    }
    return _figure(title, about, lines, [legend, plot], spider_alt(lines, about), theme)


def _below(rows: Sequence[Spec], top: int) -> list[Spec]:
    """Return a line without what lies above ``top``, in pieces that end there.

    Cut here and not by the drawing engine, which numbers what it clips anew in every file.
    """
    kept: list[Spec] = []
    piece = 0
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and (before["c"] > top) != (row["c"] > top):
            share = (top - before["c"]) / (row["c"] - before["c"])
            edge = row | {"m": round(before["m"] + share * (row["m"] - before["m"]), 4), "c": top}
            piece += before["c"] > top
            kept.append(edge | {"i": f"{row['i']}.{piece}"})
        if row["c"] <= top:
            kept.append(row | {"i": f"{row['i']}.{piece}"})
    return kept


def _measured(line: CourseLine) -> list[ResponsePoint]:
    return [point for point in line.points if point.change_percent is not None]


def _spot(index: int, line: CourseLine, point: ResponsePoint, day: int, theme: look.Theme) -> Spec:
    said = {
        "Study": _moment(point.day, point.on),
        "Sum of diameters": _sum_said(line, point, with_day=False),
        "Response": WORDS[point.response] if point.response else "Baseline",
        "Best response": WORDS[line.best_response],
    }
    if day != point.day:
        said["Study"] += f"; progression in month {_month_said(day)}"
    change = float((point.change_percent or Decimal(0)).quantize(Decimal("0.0001")))
    return {"i": index, "m": _months(day), "c": change} | _told(theme, line, said)


def spider_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: how many lines, how far they reach, and how many end in progression."""
    drawn = [line for line in lines if any(point.response for point in _measured(line))]
    if not drawn:
        return f"No course of {about.name} has sums of diameters to compare."
    last = max(_measured(line)[-1].day for line in drawn)
    n = sum(line.progressed_day is not None for line in drawn)
    return (
        f"Change of the sum of diameters from baseline over time in {about.name}: {counted(len(drawn), 'course')}, up to"
        f" {_month_said(last)} months after the first administration; {n:,} end in progression. Best overall responses:"
        f" {_responses_said(drawn)}. {_not_drawn(lines, drawn)}"
    ).rstrip()


def spider_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return a study a line, by course and day, the baseline among them, and the progression after them."""
    rows: list[list[Any]] = []
    for line in sorted(lines, key=lambda line: line.label):
        for point in line.points:
            rows.append(
                [
                    line.label,
                    "study" if point.response else "baseline",
                    point.day,
                    _months(point.day),
                    _written(point.sum_mm),
                    _written(point.change_percent),
                    point.response,
                ]
            )
        if line.progressed_day is not None:
            rows.append(
                [line.label, "progression", line.progressed_day, _months(line.progressed_day), "", "", ""]
            )
    return _csv(about, ["kind", "day", "months", "sum_of_diameters_mm", "change_percent", "response"], rows)


# Swimmer


def in_order_of_length(lines: Sequence[CourseLine]) -> list[CourseLine]:
    """Return the courses, longest first; equal ones by label."""
    return sorted(lines, key=lambda line: (-line.last_day, line.label))


def swimmer_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return a lane for every course from the first administration on; above ``MOST_LANES`` only the longest."""
    title = "Courses over time"
    ordered = in_order_of_length(lines)
    drawn = ordered[:MOST_LANES]
    if not drawn:
        return _empty(title, "No courses to show", swimmer_alt(lines, about), about, theme)
    pitch = LANE_PX if len(drawn) <= MANY_LANES else NARROW_LANE_PX
    lane_px = round(pitch * 0.55, 1)
    size = 60 if pitch == LANE_PX else 32
    ticks = tick_months(max(max(line.last_day for line in drawn), 1) / DAYS_PER_MONTH)
    first = min((day for line in drawn for day in line.cycle_days), default=0)
    x = _months_axis(ticks, min(0, first) / DAYS_PER_MONTH) | {
        "scale": {"domain": [0, ticks[-1]], "nice": False}
    }
    y: Spec = {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [len(drawn), 0], "nice": False, "zero": False},
        "axis": None,
    }

    def marks(days: Callable[[CourseLine], list[tuple[int, Spec]]]) -> list[Spec]:
        return [
            {"row": number + 0.5, "m": _months(day)} | _told(theme, line, said)
            for number, line in enumerate(drawn)
            for day, said in days(line)
        ]

    lanes = [
        {"row": number + 0.5, "m": 0, "m2": _months(line.last_day)}
        | _told(
            theme,
            line,
            {
                "Known for": f"{_month_said(line.last_day)} months ({counted(line.last_day, 'day')})",
                "Cycles given": f"{len(line.cycle_days)}",
                "Best response": WORDS[line.best_response],
            },
        )
        for number, line in enumerate(drawn)
    ]
    layers: list[Spec] = [
        {
            "data": {"values": lanes},
            "mark": {"type": "bar", "style": "lane", "height": lane_px, "cursor": _cursor(theme)},
            "encoding": {"x": x, "x2": {"field": "m2"}, "y": y}
            | _link(theme, "Known for", "Cycles given", "Best response"),
        },
        {
            "data": {
                "values": [
                    {"row": number + 0.5, "t": line.label} | _told(theme, line, {})
                    for number, line in enumerate(drawn)
                ]
            },
            "mark": {"type": "text", "style": "lane-name", "align": "right", "baseline": "middle"}
            | {"dx": -9, "fontSize": 10 if pitch == LANE_PX else 9, "cursor": _cursor(theme)},
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "t"}}
            | ({"href": {"field": "href"}} if theme == "screen" else {}),
        },
    ]
    legend: list[tuple[list[Spec], str]] = []

    def add(rows: list[Spec], mark: Spec, words: str, *tips: str) -> None:
        if rows:
            layers.append(
                {
                    "data": {"values": rows},
                    "mark": mark | {"cursor": _cursor(theme)},
                    "encoding": {"x": x, "y": y} | _link(theme, *tips),
                }
            )
            legend.append(([{key: value for key, value in mark.items() if key != "xOffset"}], words))

    add(
        marks(
            lambda line: [
                (day, {"Cycle": f"{n}, {_day_said(day)}"}) for n, day in enumerate(line.cycle_days, 1)
            ]
        ),
        {
            "type": "point",
            "style": "cycle-tick",
            "shape": _UPRIGHT,
            "size": lane_px**2,
            "filled": False,
            "opacity": 1,
        },
        "Cycle",
        "Cycle",
    )
    add(
        marks(
            lambda line: (
                [(line.progressed_day, {"Progression": _day_said(line.progressed_day)})]
                if line.progressed_day is not None
                else []
            )
        ),
        {"type": "point", "style": "progressed", "shape": _UPRIGHT, "filled": False, "opacity": 1}
        | {"size": (pitch * 0.95) ** 2},
        "First progression",
        "Progression",
    )
    for code in RESPONSES:
        add(
            marks(
                lambda line, code=code: [  # type: ignore[misc]
                    (
                        point.day,
                        {"Response": WORDS[code], "Study": _moment(point.day, point.on)}
                        | {"Sum of diameters": _sum_said(line, point, with_day=False)},
                    )
                    for point in line.points
                    if point.response == code and point.day >= 0
                ]
            ),
            _point(code, size, theme),
            WORDS[code],
            "Response",
            "Study",
            "Sum of diameters",
        )
    add(
        marks(
            lambda line: (
                [(line.died_day, {"Death": _day_said(line.died_day)})] if line.died_day is not None else []
            )
        ),
        {
            "type": "point",
            "style": "died",
            "shape": _CROSS,
            "size": size,
            "filled": False,
            "opacity": 1,
            "xOffset": 7,
        },
        "Death",
        "Death",
    )
    add(
        marks(
            lambda line: (
                [(line.last_day, {"Last known": _day_said(line.last_day)})] if line.is_ongoing else []
            )
        ),
        {
            "type": "point",
            "style": "ongoing",
            "shape": "triangle-right",
            "size": size,
            "filled": True,
            "opacity": 1,
        }
        | {"xOffset": 5},
        "Alive without progression when last known",
        "Last known",
    )
    notes = [
        "A lane is a course from its first administration to the patient's death or the last day known to be alive."
        " Responses up to the first progression."
    ]
    more: list[str] = []
    if len(drawn) < len(ordered):
        more.append(f"the {len(drawn):,} longest of {len(ordered):,} courses are drawn")
        notes.append(f"The other {len(ordered) - len(drawn):,} are in the table and in the CSV file.")
    plot = {
        "name": "plot",
        "width": WIDTH,
        "height": pitch * len(drawn),
        "layer": layers,
        "title": _footer(notes, about, theme),
    }
    return _figure(title, about, lines, [_legend(legend), plot], swimmer_alt(lines, about), theme, *more)


def swimmer_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: lanes, longest and shortest, and how they end."""
    if not lines:
        return f"No treated course in {about.name}."
    ordered = in_order_of_length(lines)
    progressed = sum(line.progressed_day is not None for line in lines)
    died = sum(line.died_day is not None for line in lines)
    ongoing = sum(line.is_ongoing for line in lines)
    drawn = f", the {MOST_LANES:,} longest drawn" if len(lines) > MOST_LANES else ""
    return (
        f"Courses over time in {about.name}: {counted(len(lines), 'course')}{drawn}, known for"
        f" {_month_said(ordered[0].last_day)} months at most and {_month_said(ordered[-1].last_day)} at least;"
        f" {progressed:,} progressed, {died:,} died, {ongoing:,} alive without progression when last known."
    )


def swimmer_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return what happened in every course, a fact a line, longest course first."""
    rows: list[list[Any]] = []
    for line in in_order_of_length(lines):
        facts = [(day, 0, "cycle", f"{number}") for number, day in enumerate(line.cycle_days, 1)]
        facts += [(point.day, 1, "response", point.response) for point in line.points if point.response]
        if line.progressed_day is not None:
            facts.append((line.progressed_day, 2, "progression", ""))
        if line.died_day is not None:
            facts.append((line.died_day, 3, "death", ""))
        facts.append((line.last_day, 4, "last_known", "ongoing" if line.is_ongoing else ""))
        rows += [[line.label, kind, day, _months(day), value] for day, _, kind, value in sorted(facts)]
    return _csv(about, ["kind", "day", "months", "value"], rows)


@dataclass(frozen=True)
class ResponseFigure:
    """A figure of single courses: what draws it, what says it in words, and the numbers behind it."""

    title: str
    build: Callable[..., Spec]  # (lines, about, *, theme="screen")
    alt_text: Callable[[Sequence[CourseLine], About], str]
    numbers: Callable[[Sequence[CourseLine], About], str]


RESPONSE_FIGURES: dict[str, ResponseFigure] = {
    "waterfall": ResponseFigure("Waterfall", waterfall_spec, waterfall_alt, waterfall_csv),
    "spider": ResponseFigure("Spider", spider_spec, spider_alt, spider_csv),
    "swimmer": ResponseFigure("Swimmer", swimmer_spec, swimmer_alt, swimmer_csv),
}


# Words


def signed_percent(value: Decimal) -> str:
    """Return a change with its sign to a tenth of a percent; finer where a rounded one would seem to reach +20 or −30 %."""
    step = _TENTH
    rounded = value.quantize(step, ROUND_HALF_UP)
    while rounded in (RESPONSE_LINE, PROGRESSION_LINE) and rounded != value and step > Decimal("1e-9"):
        step /= 10
        rounded = value.quantize(step, ROUND_HALF_UP)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):f} %"


def _sum_said(line: CourseLine, point: ResponsePoint, *, with_day: bool = True) -> str:
    if point.sum_mm is None:
        return "not stated"
    said = f"{_written(point.sum_mm)} mm"
    if point.change_percent is not None and point.response:
        base = next((one.sum_mm for one in line.points if not one.response), None)
        if not with_day:
            said += f" ({signed_percent(point.change_percent)})"
        elif base is not None:
            said += f", {_written(base)} mm at baseline"
    return f"{said}, {_moment(point.day, point.on)}" if with_day else said


def _moment(day: int, on: date) -> str:
    return f"{on}, month {_month_said(day)}"


def _day_said(day: int) -> str:
    return f"day {day:,}, month {_month_said(day)}"


def _month_said(day: int) -> str:
    return f"{day / DAYS_PER_MONTH:.1f}".replace("-", "−")


def _months(day: int) -> float:
    return round(day / DAYS_PER_MONTH, 4)


def _written(value: Decimal | None) -> str:
    if value is None:
        return ""
    rounded = value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _responses_said(lines: Sequence[CourseLine]) -> str:
    counts = Counter(line.best_response for line in lines)
    return "; ".join(f"{WORDS[code]}: {counts[code]:,}" for code in WORDS if counts[code])


def _not_drawn(lines: Sequence[CourseLine], drawn: Sequence[CourseLine]) -> str:
    """Return how many courses have no bar or line, with their best responses; empty where all have one."""
    shown = {line.label for line in drawn}
    missing = [line for line in lines if line.label not in shown]
    if not missing:
        return ""
    return (
        f"Not drawn, without sums to compare: {counted(len(missing), 'course')} ({_responses_said(missing)})."
    )


def _change(line: CourseLine) -> Decimal:
    if line.best_change_percent is None:
        raise ValueError(f"{line.label} has no best change.")
    return line.best_change_percent


def _csv(about: About, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["cohort", "data_cutoff", "course", *columns])
    for row in rows:
        writer.writerow([about.name, about.cutoff, *row])
    return text.getvalue()


# Pieces


def _top(changes: Sequence[Decimal], most: int) -> int:
    """Return the upper end of an axis of changes: a multiple of 20 above all of them, but no more than ``most``."""
    return min(most, max(LEAST_TOP, 20 * ceil(max(changes) / 20)))


def _percent_axis(title: str, top: int) -> Spec:
    return {
        "field": "c",
        "type": "quantitative",
        "scale": {"domain": [-100, top], "nice": False},
        "axis": {
            "title": title,
            "values": list(range(-100, top + 1, 20)),
            "labelExpr": "(datum.value > 0 ? '+' : datum.value < 0 ? '−' : '') + format(abs(datum.value), '.0f') + ' %'",
            "domain": False,
            "ticks": False,
            "labelPadding": 7,
        },
    }


def _months_axis(ticks: Sequence[int], begin: float) -> Spec:
    return {
        "field": "m",
        "type": "quantitative",
        "scale": {"domain": [round(begin, 4), ticks[-1]], "nice": False, "zero": False},
        "axis": {"title": "Months since first administration", "values": list(ticks), "grid": False},
    }


def _at(channel: Spec, value: float) -> Spec:
    return {key: part for key, part in channel.items() if key != "field"} | {"datum": value}


def _reference_lines(y: Spec) -> list[Spec]:
    layers: list[Spec] = []
    for value, name in ((20, "+20 %"), (-30, "−30 %")):
        layers.append(
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "style": "reference"},
                "encoding": {"y": _at(y, value)},
            }
        )
        layers.append(
            {
                "data": {"values": [{"t": name}]},
                "mark": {"type": "text", "style": "small", "align": "left", "baseline": "middle", "dx": 5},
                "encoding": {"x": {"value": WIDTH}, "y": _at(y, value), "text": {"field": "t"}},
            }
        )
    return layers


def _style(kind: str, code: str) -> str:
    return f"{kind}-{code or 'none'}"


def _cursor(theme: look.Theme) -> str:
    return "pointer" if theme == "screen" else "default"


def _point(code: str, size: float, theme: look.Theme) -> Spec:
    return {
        "type": "point",
        "style": _style("response", code),
        "shape": SHAPES[code],
        "size": size,
        "filled": True,
        "opacity": 1,
        "cursor": _cursor(theme),
    }


def _told(theme: look.Theme, line: CourseLine, said: Mapping[str, str]) -> Spec:
    """Return what a mark says and opens on the screen; a file has neither."""
    if theme == "print":
        return {}
    return {"course": line.label, "href": line.href or None, **said}


def _link(theme: look.Theme, *fields: str) -> Spec:
    if theme == "print":
        return {}
    tips = [{"field": "course", "type": "nominal", "title": "Course"}]
    tips += [{"field": field, "type": "nominal", "title": field} for field in fields]
    return {"tooltip": tips, "href": {"field": "href"}}


LEGEND_ROW_PX = 18
LEGEND_MARK_PX = 22


def _legend(entries: Sequence[tuple[Sequence[Spec], str]]) -> Spec:
    """Return marks and their words side by side, in as many rows as they need."""
    layers: list[Spec] = []
    texts = []
    across, row = 0.0, 0
    for marks, words in entries:
        width = LEGEND_MARK_PX + look.text_width(words, look.SMALL_SIZE) + 10
        if across and across + width > WIDTH:
            across, row = 0.0, row + 1
        middle = row * LEGEND_ROW_PX + LEGEND_ROW_PX / 2
        for mark in marks:
            is_line = mark["type"] == "line"
            places = [across, across + LEGEND_MARK_PX - 6] if is_line else [across + (LEGEND_MARK_PX - 6) / 2]
            layers.append(
                {
                    "data": {"values": [{"px": round(place, 1), "py": middle} for place in places]},
                    "mark": dict(mark),
                    "encoding": _pixels(),
                }
            )
        texts.append({"px": round(across + LEGEND_MARK_PX, 1), "py": middle, "t": words})
        across += width
    layers.append(
        {
            "data": {"values": texts},
            "mark": {"type": "text", "style": "small", "align": "left", "baseline": "middle"},
            "encoding": _pixels() | {"text": {"field": "t"}},
        }
    )
    return {"name": "legend", "width": WIDTH, "height": (row + 1) * LEGEND_ROW_PX, "layer": layers}


def _pixels() -> Spec:
    return {
        "x": {"field": "px", "type": "quantitative", "scale": None, "axis": None},
        "y": {"field": "py", "type": "quantitative", "scale": None, "axis": None},
    }


def _footer(notes: Sequence[str], about: About, theme: look.Theme) -> Spec:
    said = [note for note in notes if note]
    if about.synthetic:
        said.append("Synthetic patients.")
    return {
        "text": look.wrapped(" ".join(said), width=WIDTH + 40, size=look.FOOTER_SIZE[theme]),
        "orient": "bottom",
        "style": "footer",
        "anchor": "start",
        "frame": "bounds",
        "offset": 12,
    }


def _figure(
    title: str,
    about: About,
    lines: Sequence[CourseLine],
    views: list[Spec],
    description: str,
    theme: look.Theme,
    *more: str,
) -> Spec:
    facts = [counted(len(lines), "course"), *more, f"data cut-off {about.cutoff}"]
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": description,
        "title": {
            "text": title,
            "subtitle": look.wrapped(f"{about.name}: {', '.join(facts)}", width=WIDTH, size=look.TEXT_SIZE),
            "offset": 12,
        },
        "vconcat": views,
        "spacing": 8,
        "config": _config(theme),
        **({"usermeta": {"dark": _DARK}} if theme == "screen" else {}),
    }


def _empty(title: str, message: str, description: str, about: About, theme: look.Theme) -> Spec:
    view = {
        "name": "plot",
        "width": WIDTH,
        "height": 100,
        "data": {"values": [{"t": message}]},
        "mark": {"type": "text", "style": "empty", "baseline": "middle", "align": "center"},
        "encoding": {"x": {"value": WIDTH / 2}, "y": {"value": 50}, "text": {"field": "t"}},
        "title": _footer([], about, theme) if about.synthetic else None,
    }
    return _figure(
        title, about, [], [{key: part for key, part in view.items() if part is not None}], description, theme
    )


# Looks: fill or line of each response, on white and on dark. Light and dark of one response differ as little as they can.

_LIGHT = {
    "CR": "#12365a",
    "PR": "#3f83c4",
    "SD": "#8c959f",
    "NON_CR_NON_PD": "#6e7781",
    "PD": "#c2570c",
    "NE": "#ffffff",
    NO_ASSESSMENT: "#ffffff",
}
_NIGHT = {
    "CR": "#d5e6f8",
    "PR": "#62a6e8",
    "SD": "#848d97",
    "NON_CR_NON_PD": "#a9b3bd",
    "PD": "#f0883e",
    "NE": "#1b1f24",
    NO_ASSESSMENT: "#1b1f24",
}
_DASHES: dict[str, list[int]] = {
    "CR": [],
    "PR": [],
    "SD": [5, 3],
    "NON_CR_NON_PD": [8, 3, 2, 3],
    "PD": [2, 2],
    "NE": [1, 3],
    NO_ASSESSMENT: [1, 3],
}
_HOLLOW = frozenset({"NE", NO_ASSESSMENT})


def _response_styles(fills: Mapping[str, str], *, ground: str, quiet: str) -> Spec:
    styles: Spec = {}
    for code, fill in fills.items():
        edge = quiet if code in _HOLLOW else ground
        ink = quiet if code in _HOLLOW else fill
        styles[_style("bar", code)] = {"color": fill, "stroke": ink, "strokeWidth": 0.6}
        styles[_style("flat", code)] = {"color": ink, "strokeWidth": 2}
        styles[_style("response", code)] = {"color": fill, "stroke": edge, "strokeWidth": 1}
        styles[_style("spot", code)] = {"color": ink}
        styles[_style("line", code)] = {
            "color": ink,
            "strokeWidth": 2.4 if code == "CR" else 1.4,
            "strokeDash": _DASHES[code],
        }
    return styles


def _config(theme: look.Theme) -> Spec:
    config = look.config(theme)
    config["style"] |= {
        **_response_styles(_LIGHT, ground="#ffffff", quiet=look.AXIS),
        "small": {"color": look.INK, "fontSize": look.SMALL_SIZE},
        "in-bar": {"color": "#ffffff", "fontSize": look.SMALL_SIZE - 1},
        "reference": {"color": look.QUIET_INK, "strokeWidth": 1, "strokeDash": [5, 3]},
        "zero": {"color": look.INK, "strokeWidth": 1},
        "carried": {"color": look.QUIET_INK, "strokeWidth": 1, "strokeDash": [1, 2]},
        "lane": {"color": "#d6e0ea"},
        "lane-name": {"color": look.INK},
        "cycle-tick": {"color": look.CURVE, "strokeWidth": 2},
        "progressed": {"color": "#8f3d0b", "strokeWidth": 2.5},
        "died": {"color": look.INK, "strokeWidth": 2},
        "ongoing": {"color": look.CURVE},
    }
    return config


_LIGHT_INK = look.DARK["axis"]["labelColor"]
_LIGHT_QUIET = look.DARK["title"]["subtitleColor"]
_DARK: Spec = look.DARK | {
    "style": look.DARK["style"]
    | {
        **_response_styles(_NIGHT, ground="#1b1f24", quiet=_LIGHT_QUIET),
        "small": {"color": _LIGHT_INK},
        "in-bar": {"color": "#1b1f24"},
        "reference": {"color": _LIGHT_QUIET},
        "zero": {"color": _LIGHT_INK},
        "carried": {"color": _LIGHT_QUIET},
        "lane": {"color": "#3a4654"},
        "lane-name": {"color": _LIGHT_INK},
        "cycle-tick": {"color": "#79b8ff"},
        "progressed": {"color": "#f0883e"},
        "died": {"color": _LIGHT_INK},
        "ongoing": {"color": "#79b8ff"},
    }
}
