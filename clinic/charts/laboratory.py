"""A laboratory value over time: its grade bands, its limits of normal and the cycles between, for the screen and for paper.

A figure says nothing of whose values it shows. Like those of cohorts it is plain data in the looks of
``analytics.charts.theme``; nothing here imports the drawing engine.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics.charts import VEGA_LITE_VERSION
from analytics.charts import theme as look
from clinic.charts.numbers import axis_days, axis_locale, exact, plain
from languages.wording import day, ngettext, pgettext
from languages.wording import gettext as _
from treatments.rules.ctcae import TERMS_OF_ANALYTES, Scale
from treatments.rules.labs import with_unit

Spec = dict[str, Any]

WIDTH, HEIGHT = 520, 220
LEAST_BAND_PX = 8  # a lower band has no room for its grade
LABEL_PX = 12


@dataclass(frozen=True)
class Point:
    """One value; ``at`` by the clock of the centre, limits in the unit of the series."""

    at: datetime
    value: Decimal
    grade: int | None
    lower_limit: Decimal | None = None
    upper_limit: Decimal | None = None
    written: str = ""


@dataclass(frozen=True)
class CycleMark:
    on: date
    short: str
    words: str


@dataclass(frozen=True)
class Series:
    """Values of one kind over time, oldest first.

    Attributes:
        scale, lower_limit, upper_limit: as they hold for the newest value.
        is_drawn: whether the page shows it without being asked.
    """

    code: str
    name: str
    unit: str
    points: Sequence[Point]
    cycles: Sequence[CycleMark]
    scale: Scale | None
    lower_limit: Decimal | None
    upper_limit: Decimal | None
    is_drawn: bool = True

    @property
    def alt(self) -> str:
        """What the figure shows, in words."""
        if not self.points:
            return _("{name}: no values.").format(name=self.name)
        first, last = self.points[0], self.points[-1]
        lowest = min(self.points, key=lambda point: point.value)
        highest = max(self.points, key=lambda point: point.value)
        said = ngettext(
            "{name} over time, {n} values: first {first}, lowest {lowest}, highest {highest}, last {last}.",
            "{name} over time, {n} values: first {first}, lowest {lowest}, highest {highest}, last {last}.",
            len(self.points),
        ).format(
            name=self.name,
            n=len(self.points),
            first=_said(first, self.unit),
            lowest=_said(lowest, self.unit),
            highest=_said(highest, self.unit),
            last=_said(last, self.unit),
        )
        return f"{said} {cycles_said(self.cycles)}" if self.cycles else said


def cycles_said(cycles: Sequence[CycleMark]) -> str:
    """Return when cycles were given, as a sentence."""
    return _("Cycles: {cycles}.").format(cycles=", ".join(f"{mark.short} {day(mark.on)}" for mark in cycles))


def _said(point: Point, unit: str) -> str:
    return _("{value} on {day}").format(value=with_unit(plain(point.value), unit), day=day(point.at))


def bands(scale: Scale | None, *, most: Decimal) -> list[tuple[Decimal, Decimal, int]]:
    """Return the pieces of a scale with grade 1 and above, as lower end, upper end and grade, up to ``most``."""
    if scale is None:
        return []
    found: list[tuple[Decimal, Decimal, int]] = []
    ends = [Decimal(0), *scale.cuts, most]
    for at, grade in enumerate(scale.grades[::2]):
        lower, upper = ends[at], min(ends[at + 1], most)
        if not grade or lower >= upper:
            continue
        if found and found[-1][2] == grade and found[-1][1] == lower:
            lower = found.pop()[0]
        found.append((lower, upper, grade))
    return found


def laboratory_spec(series: Series, *, theme: look.Theme = "screen", synthetic: bool = False) -> Spec:
    """Return the figure of a series with at least one value."""
    most = _most(series)
    pieces = bands(series.scale, most=most)
    first_on, last_on = _span(series)
    x: Spec = {
        "field": "at",
        "type": "temporal",
        "scale": {"domain": [_day(first_on), _day(last_on)], "nice": False},
        "axis": {
            "title": None,
            "format": axis_days(),
            "grid": False,
            "tickCount": 5,
            "labelOverlap": "greedy",
            "labelSeparation": 12,
        },
    }
    unit = with_unit("", series.unit).strip()
    y: Spec = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, float(most)], "nice": False},
        "axis": {
            "title": f"{series.name.partition(' (')[0]} ({unit})",
            "tickCount": 5,
            "domain": False,
            "ticks": False,
        },
    }
    layers: list[Spec] = []
    for lower, upper, grade in pieces:
        layers.append(
            {
                "data": {"values": [{"lower": float(lower), "upper": float(upper)}]},
                "mark": {"type": "rect", "style": f"grade-{grade}"},
                "encoding": {
                    "x": {"value": 0},
                    "x2": {"value": WIDTH},
                    "y": y | {"field": "lower"},
                    "y2": {"field": "upper"},
                },
            }
        )
    limits = [
        (limit, f"{name} {plain(limit)}")
        for name, limit in ((_("LLN"), series.lower_limit), (_("ULN"), series.upper_limit))
        if limit is not None and limit <= most
    ]
    if limits:
        layers.append(
            {
                "data": {"values": [{"at": float(limit)} for limit, _ in limits]},
                "mark": {"type": "rule", "style": "limit"},
                "encoding": {"y": y | {"field": "at"}},
            }
        )
    grades = [
        ((lower + upper) / 2, f"G{grade}")
        for lower, upper, grade in pieces
        if (upper - lower) / most * HEIGHT >= LEAST_BAND_PX
    ]
    if limits or grades:
        layers.append(
            {
                "data": {"values": _apart([*limits, *grades], most=most)},
                "mark": {
                    "type": "text",
                    "style": "side-name",
                    "align": "left",
                    "baseline": "middle",
                    "dx": 5,
                },
                "encoding": {
                    "x": {"value": WIDTH},
                    "y": y | {"field": "at"},
                    "text": {"field": "text"},
                },
            }
        )
    if series.cycles:
        marks = [{"at": _moment(mark.on), "text": mark.short} for mark in series.cycles]
        layers.append(
            {
                "data": {"values": marks},
                "mark": {"type": "rule", "style": "cycle"},
                "encoding": {"x": x},
            }
        )
        layers.append(
            {
                "data": {"values": marks},
                "mark": {"type": "text", "style": "cycle-name", "baseline": "bottom", "dy": -3},
                "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "text"}},
            }
        )
    rows = [
        {
            "at": point.at.strftime("%Y-%m-%dT%H:%M:%S"),
            "value": float(point.value),
            "on": day(point.at),
            "said": with_unit(plain(point.value), series.unit),
            "grade": pgettext("grade", "not told") if point.grade is None else f"{point.grade}",
        }
        for point in series.points
    ]
    encoding = {"x": x, "y": y}
    layers.append(
        {"data": {"values": rows}, "mark": {"type": "line", "style": "curve"}, "encoding": encoding}
    )
    tips = {}
    if theme == "screen":
        fields = [("on", _("Sample of")), ("said", series.name)]
        if any(point.grade is not None for point in series.points):
            fields.append(("grade", _("CTCAE grade")))
        tips = {"tooltip": [{"field": name, "type": "nominal", "title": title} for name, title in fields]}
    layers.append(
        {
            "data": {"values": rows},
            "mark": {"type": "point", "style": "sample", "filled": True, "size": 40, "opacity": 1},
            "encoding": encoding | tips,
        }
    )
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": series.alt,
        "title": {
            "text": series.name,
            "subtitle": _("{unit}, by the day of the sample").format(unit=unit),
            "offset": 24,
        },
        "vconcat": [
            {
                "name": "plot",
                "width": WIDTH,
                "height": HEIGHT,
                "layer": layers,
                "title": {
                    "text": _footer(series, pieces, theme, synthetic),
                    "orient": "bottom",
                    "style": "footer",
                    "anchor": "start",
                    "frame": "bounds",
                    "offset": 12,
                },
            }
        ],
        "config": _config(theme),
        **({"usermeta": {"dark": _DARK}} if theme == "screen" else {}),
    }


def laboratory_csv(series: Series) -> str:
    """Return the numbers behind the figure, a value a line, and the cycles after them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(
        ["kind", "name", "at", "value", "unit", "lower_limit", "upper_limit", "ctcae_grade", "as_written"]
    )
    for point in series.points:
        writer.writerow(
            [
                "value",
                series.code,
                point.at.strftime("%Y-%m-%d %H:%M"),
                exact(point.value),
                series.unit,
                *("" if limit is None else exact(limit) for limit in (point.lower_limit, point.upper_limit)),
                "" if point.grade is None else point.grade,
                point.written,
            ]
        )
    for mark in series.cycles:
        writer.writerow(["cycle", mark.words, f"{mark.on}", *[""] * 6])
    return text.getvalue()


def _most(series: Series) -> Decimal:
    """Return the upper end of the axis: above every value, and above the limits of normal that are near."""
    highest = max(point.value for point in series.points)
    for limit in (series.lower_limit, series.upper_limit):
        if limit is not None and limit <= highest * 2:
            highest = max(highest, limit)
    return highest * Decimal("1.12") if highest else Decimal(1)


def _span(series: Series) -> tuple[date, date]:
    days = [point.at.date() for point in series.points] + [mark.on for mark in series.cycles]
    first, last = min(days), max(days)
    margin = timedelta(days=max(3, (last - first).days // 30))
    return first - margin, last + margin


def _day(on: date) -> dict[str, int]:
    return {"year": on.year, "month": on.month, "date": on.day}


def _moment(on: date) -> str:
    # Without a zone: drawn by the clock of the centre, whatever the zone of the browser.
    return f"{on}T00:00:00"


def _apart(labels: Sequence[tuple[Decimal, str]], *, most: Decimal) -> list[dict[str, Any]]:
    """Return labels of the right side, each at its value or as little above it as the one below needs."""
    px_of_value = HEIGHT / float(most)
    placed = []
    lowest = float("-inf")
    for at, text in sorted(labels):
        lowest = max(float(at) * px_of_value, lowest + LABEL_PX)
        placed.append({"at": lowest / px_of_value, "text": text})
    return placed


def _footer(
    series: Series, pieces: Sequence[tuple[Decimal, Decimal, int]], theme: look.Theme, synthetic: bool
) -> list[str]:
    said = []
    if series.cycles:
        said.append(_("C: cycles given."))
    if series.lower_limit is not None or series.upper_limit is not None:
        said.append(_("LLN, ULN: limits of normal."))
    if pieces:
        said.append(_("Bands: CTCAE v5.0 grades by the limits of the newest value."))
    elif series.code in TERMS_OF_ANALYTES and series.scale is None:
        said.append(_("Without grade bands: the limit of normal that they need is not known."))
    if synthetic:
        said.append(_("Synthetic patients."))
    return look.wrapped(" ".join(said), width=WIDTH + 60, size=look.FOOTER_SIZE[theme])


_GRADES_LIGHT = {1: "#fcf3dc", 2: "#f7dfae", 3: "#f3bfa6", 4: "#e39a93"}
_GRADES_DARK = {1: "#30291a", 2: "#4a3a1a", 3: "#5a2f22", 4: "#702a2c"}


def _config(theme: look.Theme) -> Spec:
    config = look.config(theme) | axis_locale()
    config["style"] |= {
        **{f"grade-{grade}": {"color": color} for grade, color in _GRADES_LIGHT.items()},
        "side-name": {"color": look.INK, "fontSize": look.SMALL_SIZE},
        "limit": {"color": look.QUIET_INK, "strokeWidth": 1, "strokeDash": [5, 3]},
        "cycle": {"color": look.INK, "strokeWidth": 1, "strokeDash": [2, 2]},
        "cycle-name": {"color": look.INK, "fontSize": look.SMALL_SIZE, "fontWeight": "bold"},
        "sample": {"color": look.CURVE},
    }
    return config


_LIGHT_INK = look.DARK["axis"]["labelColor"]
_DARK: Spec = look.DARK | {
    "style": look.DARK["style"]
    | {
        **{f"grade-{grade}": {"color": color} for grade, color in _GRADES_DARK.items()},
        "side-name": {"color": _LIGHT_INK},
        "limit": {"color": look.DARK["title"]["subtitleColor"]},
        "cycle": {"color": _LIGHT_INK},
        "cycle-name": {"color": _LIGHT_INK},
        "sample": look.DARK["style"]["curve"],
    }
}
