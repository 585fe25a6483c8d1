"""Several curves in one figure: survival of strata or of two cohorts, cumulative incidence of causes; and hazard ratios.

Curves differ by colour and by dash, and up to four carry their names at their ends. On the screen a click on a name in the
legend singles its curve out, Shift with the wheel zooms into time, and dragging moves along it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.charts import theme as look
from analytics.charts.numbers import (
    DAYS_PER_MONTH,
    SurvivalTable,
    confidence,
    counted,
    localised,
    median_limits_text,
    months_text,
    percent,
    risk_table,
    tick_months,
    whole,
)
from analytics.charts.response.pieces import kept_free, layer
from analytics.charts.specs import (
    MOST_CENSOR_TICKS,
    RISK_ROW_HEIGHT,
    VEGA_LITE_VERSION,
    Spec,
    limits_expression,
    locale,
    when_expression,
)
from languages.wording import begun_small
from languages.wording import gettext as _

WIDTH, HEIGHT = 600, 320
MOST_LABELLED = 4  # curves named at their ends; the legend names more
MOST_BANDS = 3  # more bands would lie over each other and say nothing
_LABEL_PX = 15
_MOST_LETTERS = 30

# Apart for every common colour blindness by their lightness and their dashes; each at least 4.5 : 1 on its ground.
LIGHT = (
    "#1f4e79", "#a8480f", "#23784a", "#7a3b94", "#7a6200", "#0f7480", "#a3262a", "#57606a", "#6b4226", "#3b3fa8",
)  # fmt: skip
NIGHT = (
    "#79b8ff", "#f3a365", "#77d29b", "#d3a6ea", "#e3c65e", "#68d3de", "#ff9d97", "#b6c0ca", "#dcb799", "#b3b6ff",
)  # fmt: skip
DASHES: tuple[list[int], ...] = (
    [1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [12, 4], [4, 2, 1, 2, 1, 2], [1, 3], [5, 5], [14, 3, 3, 3], [3, 1],
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A step curve with its limits, as rows by day; all of one length.

    Attributes:
        value: just after the day: survival, or cumulative incidence.
        at_risk, events, censored: of the day.
    """

    name: str
    days: Sequence[float]
    value: Sequence[float]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    at_risk: Sequence[int]
    events: Sequence[int]
    censored: Sequence[int]

    @classmethod
    def of(cls, name: str, table: Mapping[str, Any]) -> "Line":
        """Return the survival curve of a result's ``table``."""
        found = SurvivalTable.of({"pfs": {"table": table}}, "pfs")
        return cls(
            name,
            found.days,
            found.survival,
            found.lower,
            found.upper,
            found.at_risk,
            found.events,
            found.censored,
        )

    @property
    def last_month(self) -> float:
        return self.days[-1] / DAYS_PER_MONTH if self.days else 0.0

    def risk(self, months: Sequence[int]) -> list[Any]:
        table = SurvivalTable(
            self.days, self.at_risk, self.events, self.censored, self.value, self.lower, self.upper
        )
        return risk_table(table, months)


@dataclass(frozen=True)
class About:
    """What a figure says of itself.

    Attributes:
        facts: of whom, in one line each, below the title.
        notes: how to read it, and what it rests on; ``definition`` comes along on paper.
    """

    title: str
    facts: Sequence[str]
    y_title: str
    x_title: str
    alt: str
    notes: Sequence[str] = ()
    definition: str = ""
    synthetic: bool = False
    rises: bool = False
    # Whose patients at risk stand below; none named: those of each curve.
    risk: Sequence[Line] = field(default_factory=tuple)


def curves_spec(lines: Sequence[Line], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the curves with their 95 % bands, censor ticks, names and patients at risk. Time is in months of 30.4375 d.

    The table below counts patients whose time is >= the tick. Equal curves give equal specifications.
    """
    drawn = [line for line in lines if line.days]
    if not drawn:
        return _empty(about, theme)
    several = len(lines) > 1
    names = [line.name for line in lines]
    last = max(line.last_month for line in drawn)
    risk_lines = [line for line in about.risk or drawn if line.days]
    most = max(max(line.at_risk) for line in risk_lines)
    wide = look.text_width(whole(most), look.SMALL_SIZE) + 12
    ticks = tick_months(last, at_most=max(5, min(13, int(WIDTH / wide))))
    n_ticks = sum(1 for line in drawn for censored in line.censored if censored)
    ticks_drawn = 0 < n_ticks <= MOST_CENSOR_TICKS and not about.rises
    bands = len(drawn) <= MOST_BANDS
    labelled = several and len(drawn) <= MOST_LABELLED

    x = {
        "field": "m",
        "type": "quantitative",
        "scale": {"domain": [0, ticks[-1]], "nice": False},
        "axis": {"title": about.x_title, "values": ticks, "grid": False},
    }
    y = _percent_axis(about.y_title)
    color = {
        "field": "g",
        "type": "nominal",
        "scale": {"domain": names, "range": "category"},
        "legend": _legend(theme, several, labelled),
    }
    # Said once: another layer that says "none" would contradict it.
    quiet = {key: part for key, part in color.items() if key != "legend" or part is None}
    dash = {
        "field": "g",
        "type": "nominal",
        "scale": {"domain": names, "range": [list(DASHES[n % len(DASHES)]) for n in range(len(names))]},
        "legend": color["legend"],
    }
    lit: Spec = {}
    if theme == "screen" and several:
        lit = {"opacity": {"condition": {"param": "shown", "value": 1}, "value": 0.08}}

    # A file does not zoom; its clips would be numbered anew with every drawing, and equal files be unlike.
    clipped: Spec = {"clip": True} if theme == "screen" else {}
    layers: list[Spec] = []
    if bands:
        band: Spec = {
            "data": {"values": [_band(line) for line in drawn]},
            "transform": _flat("d", "l", "u", "part"),
            "mark": {"type": "area", "interpolate": "step-after", "line": False, **clipped},
            "encoding": {
                "x": x,
                "y": y | {"field": "l"},
                "y2": {"field": "u"},
                "color": quiet,
                "detail": {"field": "part"},
                "fillOpacity": {"value": 0.14},
            },
        }
        if lit:
            band["encoding"]["fillOpacity"] = {"condition": {"param": "shown", "value": 0.14}, "value": 0.0}
        layers.append(band)
    curve: Spec = {
        "data": {"values": [_corners(line, rises=about.rises) for line in drawn]},
        "transform": _flat("d", "s"),
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, **clipped},
        "encoding": {"x": x, "y": y, "color": color, "strokeDash": dash, **lit},
    }
    if theme == "screen":
        curve["params"] = [_zoom()]
        if several:
            curve["params"].append(
                {
                    "name": "shown",
                    "select": {"type": "point", "fields": ["g"], "toggle": "true"},
                    "bind": "legend",
                }
            )
    layers.append(curve)
    if ticks_drawn:
        layers.append(
            {
                "data": {"values": [_censored(line) for line in drawn]},
                "transform": _flat("d", "s"),
                "mark": {
                    "type": "point",
                    "shape": "M0,-0.5L0,0.5",
                    "size": 90,
                    "filled": False,
                    "strokeWidth": 1.3,
                    **clipped,
                },
                "encoding": {"x": x, "y": y, "color": quiet, **lit},
            }
        )
    if labelled:
        layers += _labels(drawn, names, ticks[-1], quiet, lit)
    if theme == "screen":
        layers.append(_hover(drawn, x, y, quiet, about))
    plot = {"name": "plot", "width": WIDTH, "height": HEIGHT, "layer": layers}

    notes = [
        *about.notes,
        _("Small strokes: censored.") if ticks_drawn else "",
        ""
        if bands
        # xgettext:no-python-format
        else _("Bands of the 95 % limits are left out where there are more than {n} curves.").format(
            n=MOST_BANDS
        ),
        _("Below the axis: patients at risk at that month."),
    ]
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": about.alt,
        "title": _title(about),
        "vconcat": [plot, _risk(risk_lines, ticks, wide, x, notes, about, theme)],
        "spacing": 10,
        "resolve": {"scale": {"x": "shared"}},
        "config": _config(theme),
        **_dark(theme),
    }


def _percent_axis(title: str) -> Spec:
    return {
        "field": "s",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "axis": {
            "title": title,
            "values": [0, 0.25, 0.5, 0.75, 1],
            "labelExpr": "format(100 * datum.value, '.0f') + ' %'",
            "domain": False,
            "ticks": False,
            "labelPadding": 7,
        },
    }


def _legend(theme: look.Theme, several: bool, labelled: bool) -> Spec | None:
    if not several or (theme == "print" and labelled):
        return None
    return {
        "title": None,
        "orient": "top",
        "direction": "horizontal",
        "columns": 4,
        "symbolType": "stroke",
        "symbolSize": 500,
        "symbolStrokeWidth": 2,
        "labelLimit": 200,
        "labelFontSize": look.SMALL_SIZE,
    }


def _zoom() -> Spec:
    # With Shift alone, so that the wheel goes on scrolling the page.
    return {
        "name": "span",
        "select": {
            "type": "interval",
            "encodings": ["x"],
            "zoom": "wheel![event.shiftKey]",
        },
        "bind": "scales",
    }


def _flat(*columns: str) -> list[Spec]:
    return [{"flatten": list(columns)}, {"calculate": f"datum.d / {DAYS_PER_MONTH}", "as": "m"}]


def _corners(line: Line, *, rises: bool) -> Spec:
    """Return the corners of a curve: where it starts, steps and ends. What lies between is on the same step."""
    days: list[float] = [0]
    values: list[float] = [0.0 if rises else 1.0]
    for day, value in zip(line.days, line.value, strict=True):
        if value != values[-1]:
            days.append(day)
            values.append(value)
    if days[-1] != line.days[-1]:
        days.append(line.days[-1])
        values.append(values[-1])
    return {"g": line.name, "d": days, "s": [round(value, 5) for value in values]}


def _band(line: Line) -> Spec:
    """Return the corners of a band, in parts where a limit is undefined."""
    found: Spec = {"g": line.name, "d": [], "l": [], "u": [], "part": []}
    part = 0
    current: tuple[float, float] | None = None

    def corner(day: float, limits: tuple[float, float]) -> None:
        for name, value in zip(
            ("d", "l", "u", "part"), (day, round(limits[0], 5), round(limits[1], 5), part), strict=True
        ):
            found[name].append(f"{line.name}-{value}" if name == "part" else value)

    for day, lower, upper in zip(line.days, line.lower, line.upper, strict=True):
        limits = None if lower is None or upper is None else (lower, upper)
        if limits == current:
            continue
        if limits is not None:
            corner(day, limits)
        elif current is not None:
            corner(day, current)
            part += 1
        current = limits
    if current is not None and found["d"][-1] != line.days[-1]:
        corner(line.days[-1], current)
    return found


def _censored(line: Line) -> Spec:
    rows = [row for row, censored in enumerate(line.censored) if censored]
    return {
        "g": line.name,
        "d": [line.days[row] for row in rows],
        "s": [round(line.value[row], 5) for row in rows],
    }


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def _labels(
    lines: Sequence[Line], names: Sequence[str], last_month: int, color: Spec, lit: Spec
) -> list[Spec]:
    """Return the names right of the plot, each at the height its curve ends at unless another stands there."""
    places = sorted(
        (HEIGHT * (1 - line.value[-1]), WIDTH * line.last_month / last_month, line.name) for line in lines
    )
    tops: list[float] = []
    for wanted, _end, _name in places:
        tops.append(max(wanted, tops[-1] + _LABEL_PX) if tops else wanted)
    # Pushed below the axis: all of them move up as far as needed.
    limit = float(HEIGHT)
    for place in reversed(range(len(tops))):
        tops[place] = min(tops[place], limit)
        limit = tops[place] - _LABEL_PX
    texts, leaders = [], []
    for (wanted, end, name), top in zip(places, tops, strict=True):
        texts.append({"g": name, "t": _short(name), "py": round(top, 1)})
        if WIDTH - end > 6 or abs(top - wanted) > 3:
            leaders.append(
                {
                    "g": name,
                    "px": round(end, 1),
                    "px2": WIDTH + 4,
                    "py": round(wanted, 1),
                    "py2": round(top, 1),
                }
            )
    room = max(look.text_width(_short(name), look.TEXT_SIZE) for name in names) + 12
    pixel_y = {"field": "py", "type": "quantitative", "scale": None, "axis": None}
    pixel_x = {"field": "px", "type": "quantitative", "scale": None, "axis": None}
    faint = {"opacity": {"condition": {"param": "shown", "value": 0.5}, "value": 0.0}} if lit else {}
    return [
        layer(
            leaders,
            {"type": "rule", "strokeWidth": 0.8, "strokeDash": [1, 2], "opacity": 0.5, "clip": False},
            {
                "x": pixel_x,
                "x2": {"field": "px2"},
                "y": pixel_y,
                "y2": {"field": "py2"},
                "color": color,
                **faint,
            },
        ),
        layer(
            texts,
            {
                "type": "text",
                "align": "left",
                "baseline": "middle",
                "dx": 8,
                "fontSize": look.TEXT_SIZE,
                "fontWeight": "bold",
                "clip": False,  # an axis that zooms clips what does not say otherwise
            },
            {"x": {"value": WIDTH}, "y": pixel_y, "text": {"field": "t"}, "color": color, **lit},
        ),
        kept_free(WIDTH, WIDTH + room),
    ]


def _hover(lines: Sequence[Line], x: Spec, y: Spec, color: Spec, about: About) -> Spec:
    """Return a point that follows the pointer along the nearest curve and says its numbers."""
    values = [
        {
            "g": line.name,
            "d": list(line.days),
            "s": [round(value, 5) for value in line.value],
            "l": list(line.lower),
            "u": list(line.upper),
            "n": list(line.at_risk),
            "e": list(line.events),
            "c": list(line.censored),
        }
        for line in lines
    ]
    tips = [
        {"field": "when", "type": "nominal", "title": _("Time")},
        {"field": "estimate", "type": "nominal", "title": _("Estimate")},
        {"field": "limits", "type": "nominal", "title": _("95 % CI")},
        {"field": "n", "type": "quantitative", "title": _("At risk"), "format": ","},
        {"field": "e", "type": "quantitative", "title": _("Events that day"), "format": ","},
    ]
    if not about.rises:
        tips.append({"field": "c", "type": "quantitative", "title": _("Censored that day"), "format": ","})
    if len(lines) > 1:
        tips.insert(0, {"field": "g", "type": "nominal", "title": _("Curve")})
    return {
        "data": {"values": values},
        "transform": [
            *_flat("d", "s", "l", "u", "n", "e", "c"),
            {"calculate": when_expression(), "as": "when"},
            {"calculate": "format(100 * datum.s, '.1f') + ' %'", "as": "estimate"},
            {"calculate": limits_expression(), "as": "limits"},
        ],
        "params": [
            {
                "name": "nearest",
                "select": {"type": "point", "nearest": True, "on": "pointermove", "clear": "pointerout"},
            }
        ],
        "mark": {"type": "point", "filled": True, "size": 60, "tooltip": True, "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "color": color,
            "opacity": {"condition": {"param": "nearest", "empty": False, "value": 1}, "value": 0},
            "tooltip": tips,
        },
    }


def _risk(
    lines: Sequence[Line],
    ticks: Sequence[int],
    wide: float,
    x: Spec,
    notes: Sequence[str],
    about: About,
    theme: look.Theme,
) -> Spec:
    """Return the patients at risk: a row for each curve, or of one curve those with an event and censored as well."""
    rows: list[Spec] = []
    all_at_risk = _("At risk")
    if len(lines) == 1 and not about.rises:
        names = [all_at_risk, _("Had event"), _("Censored")]
        for at in lines[0].risk(ticks):
            for name, n in zip(names, (at.at_risk, at.events, at.censored), strict=True):
                rows.append({"m": at.month, "row": name, "n": n})
    elif len(lines) == 1:
        names = [all_at_risk]
        rows = [{"m": at.month, "row": all_at_risk, "n": at.at_risk} for at in lines[0].risk(ticks)]
    else:
        names = [_short(line.name) for line in lines]
        for line in lines:
            rows += [{"m": at.month, "row": _short(line.name), "n": at.at_risk} for at in line.risk(ticks)]
    extent = round(wide / 2) + 4 + max(look.text_width(name, look.SMALL_SIZE) for name in names)
    inside: Spec = {}
    if theme == "screen":
        # Zoomed in, numbers of months outside the plot would stand on its edges.
        within = "!isValid(span) || !isValid(span.m) || (datum.m >= span.m[0] && datum.m <= span.m[1])"
        inside = {"opacity": {"condition": {"test": within, "value": 1}, "value": 0}}
    return {
        "name": "risk",
        "width": WIDTH,
        "height": RISK_ROW_HEIGHT * len(names),
        "data": {"values": rows},
        "mark": {"type": "text", "style": "risk", "baseline": "middle", "clip": False},
        "encoding": {
            "x": x | {"axis": None},
            "y": {
                "field": "row",
                "type": "nominal",
                "sort": names,
                "scale": {"domain": names},
                "axis": {
                    "title": all_at_risk if len(names) > 1 and names[0] != all_at_risk else None,
                    "titleAngle": 0,
                    "titleAlign": "right",
                    "titleAnchor": "end",
                    "titleX": -(round(wide / 2) + 4),
                    "titleY": -8,
                    "titleFontSize": look.SMALL_SIZE,
                    "titleFontWeight": "bold",
                    "domain": False,
                    "ticks": False,
                    "labelPadding": round(wide / 2) + 4,
                    "labelLimit": 240,
                    "minExtent": extent,
                },
            },
            "text": {"field": "n", "type": "quantitative", "format": ","},
            **inside,
        },
        "title": _footer(notes, about, theme),
    }


def _title(about: About) -> Spec:
    lines = [
        piece for fact in about.facts for piece in look.wrapped(fact, width=WIDTH + 80, size=look.TEXT_SIZE)
    ]
    return {"text": about.title, "subtitle": lines, "offset": 12}


def _footer(notes: Sequence[str], about: About, theme: look.Theme) -> Spec:
    said = [" ".join(note for note in notes if note)]
    # Pages say both around the figure; a file leaves them.
    if theme == "print" and about.definition:
        said.append(_("Definition:") + " " + about.definition)
    if theme == "print" and about.synthetic:
        said.append(_("Synthetic patients."))
    size = look.FOOTER_SIZE[theme]
    return {
        "text": [
            piece for part in said if part for piece in look.wrapped(part, width=WIDTH + 120, size=size)
        ],
        "orient": "bottom",
        "style": "footer",
        "anchor": "start",
        "frame": "bounds",
        "offset": 14,
    }


def _config(theme: look.Theme) -> Spec:
    found = look.config(theme) | locale()
    found["range"] = {"category": list(LIGHT)}
    found["legend"] = {"labelColor": look.INK}
    found["style"] |= {
        "hazard": {"color": LIGHT[0]},
        "unity": {"color": look.AXIS, "strokeWidth": 1, "strokeDash": [4, 3]},
    }
    return found


def _dark(theme: look.Theme) -> Spec:
    if theme == "print":
        return {}
    style = look.DARK["style"] | {"hazard": {"color": NIGHT[0]}, "unity": {"color": "#8b949e"}}
    over = look.DARK | {
        "style": style,
        "range": {"category": list(NIGHT)},
        "legend": {"labelColor": "#e6edf3"},
    }
    return {"usermeta": {"dark": over}}


def _empty(about: About, theme: look.Theme) -> Spec:
    view = {
        "width": WIDTH,
        "height": 100,
        **layer(
            [{"t": _("Nobody to draw a curve of")}],
            {"type": "text", "style": "empty", "baseline": "middle", "align": "center"},
            {"x": {"value": WIDTH / 2}, "y": {"value": 50}, "text": {"field": "t"}},
        ),
    }
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": about.alt,
        "title": _title(about),
        "vconcat": [view],
        "config": _config(theme),
        **_dark(theme),
    }


# Hazard ratios


@dataclass(frozen=True)
class Hazard:
    """One row of a forest plot; ``group`` heads the rows that belong together."""

    name: str
    group: str
    ratio: float
    lower: float
    upper: float

    @property
    def text(self) -> str:
        return _("{ratio} ({lower} to {upper})").format(
            ratio=_ratio(self.ratio), lower=_ratio(self.lower), upper=_ratio(self.upper)
        )


def _ratio(value: float) -> str:
    return localised(f"{value:.2f}" if value < 100 else f"{value:,.0f}")


FOREST_WIDTH, FOREST_ROW = 260, 24
_WIDEST = (0.02, 50.0)


def forest_spec(hazards: Sequence[Hazard], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return hazard ratios with their 95 % limits on a logarithmic axis; limits beyond it end in an arrow."""
    if not hazards:
        return _empty(about, theme)
    rows: list[tuple[str, Hazard | None]] = []
    for hazard in hazards:
        is_first = all(one is None or one.group != hazard.group for _, one in rows)
        if hazard.group and hazard.group != hazard.name and is_first:
            rows.append((hazard.group, None))
        rows.append((hazard.name, hazard))
    low = max(_WIDEST[0], min([0.5, *(hazard.lower for hazard in hazards)]))
    high = min(_WIDEST[1], max([2.0, *(hazard.upper for hazard in hazards)]))
    ticks = [
        tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low * 0.7 <= tick <= high / 0.7
    ]
    domain = [min(low, ticks[0]) * 0.95, max(high, ticks[-1]) * 1.05]
    x: Spec = {
        "field": "r",
        "type": "quantitative",
        "scale": {"type": "log", "domain": domain, "nice": False},
        "axis": {"title": about.x_title, "values": ticks, "grid": False, "format": "~g"},
    }
    height = FOREST_ROW * len(rows)
    drawn: list[Spec] = []
    heads: list[Spec] = []
    words: list[Spec] = []
    arrows: list[Spec] = []
    for place, (name, one) in enumerate(rows):
        py = (place + 0.5) * FOREST_ROW
        if one is None:
            heads.append({"py": py, "t": name})
            continue
        within = [max(one.lower, domain[0]), min(one.upper, domain[1])]
        drawn.append(
            {
                "py": py,
                "r": min(max(one.ratio, domain[0]), domain[1]),
                "l": within[0],
                "u": within[1],
                "t": name,
                "said": one.text,
            }
        )
        words.append({"py": py, "t": one.text, "name": name})
        if one.lower < domain[0]:
            arrows.append({"py": py, "r": domain[0], "way": "left"})
        if one.upper > domain[1]:
            arrows.append({"py": py, "r": domain[1], "way": "right"})
    y: Spec = {"field": "py", "type": "quantitative", "scale": None, "axis": None}
    names_room = max(look.text_width(name, look.TEXT_SIZE) for name, _ in rows) + 24
    words_room = max(look.text_width(word["t"], look.TEXT_SIZE) for word in words) + 16
    tips = {}
    if theme == "screen":
        tips = {
            "tooltip": [
                {"field": "t", "type": "nominal", "title": _("Covariate")},
                {"field": "said", "type": "nominal", "title": _("Hazard ratio (95 % CI)")},
            ]
        }
    text = {"type": "text", "style": "note", "baseline": "middle"}
    bold = text | {"align": "left", "fontWeight": "bold"}
    layers = [
        layer([{"r": 1}], {"type": "rule", "style": "unity"}, {"x": x}),
        layer(
            drawn,
            {"type": "rule", "style": "hazard", "strokeWidth": 1.6},
            {"x": x | {"field": "l"}, "x2": {"field": "u"}, "y": y, **tips},
        ),
        layer(
            drawn,
            {"type": "point", "style": "hazard", "shape": "square", "filled": True, "size": 70, "opacity": 1},
            {"x": x, "y": y, **tips},
        ),
        layer(heads, bold, {"x": {"value": -names_room}, "y": y, "text": {"field": "t"}}),
        layer(
            [{"py": row["py"], "t": row["name"]} for row in words],
            text | {"align": "left"},
            {"x": {"value": -names_room + (12 if heads else 0)}, "y": y, "text": {"field": "t"}},
        ),
        layer(words, text | {"align": "left"}, {"x": {"value": FOREST_WIDTH + 14}, "y": y, "text": {"field": "t"}}),
        kept_free(FOREST_WIDTH, FOREST_WIDTH + words_room + 14),
        kept_free(-names_room, 0),
    ]  # fmt: skip
    for way, shape in (("left", "triangle-left"), ("right", "triangle-right")):
        pointed = [arrow for arrow in arrows if arrow["way"] == way]
        if pointed:
            mark = {
                "type": "point",
                "style": "hazard",
                "shape": shape,
                "filled": True,
                "size": 60,
                "opacity": 1,
            }
            layers.append(layer(pointed, mark, {"x": x, "y": y}))
    notes = [*about.notes, _("An arrow: the limit lies beyond the axis.") if arrows else ""]
    plot = {
        "name": "plot",
        "width": FOREST_WIDTH,
        "height": height,
        "layer": layers,
        "title": _footer(notes, about, theme),
    }
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": about.alt,
        "title": _title(about),
        "vconcat": [plot],
        "config": _config(theme),
        **_dark(theme),
    }


# Words and numbers


def curves_alt(title: str, outcomes: Sequence[tuple[str, Mapping[str, Any]]], cutoff: str) -> str:
    """Return what the curves say: of each its patients, events and median."""
    with_patients = [(name, data) for name, data in outcomes if data["n"]]
    if not with_patients:
        return _("{title}: nobody to draw a curve of; data cut-off {cutoff}.").format(
            title=title, cutoff=cutoff
        )
    said = []
    for name, data in with_patients:
        median = data["median_days"]
        words = (
            _("median not reached")
            if median is None
            else _("median {months} months").format(months=months_text(median))
        )
        limits = confidence(median_limits_text(data.get("median_ci95")))
        head = f"{name}: " if len(outcomes) > 1 else ""
        said.append(
            f"{head}{counted(data['n'], 'patient')}, {counted(data['events'], 'event')}, {words}, {limits}"
        )
    return _("Kaplan–Meier curves, {title}. {groups}; data cut-off {cutoff}.").format(
        title=begun_small(title), groups="; ".join(said), cutoff=cutoff
    )


def incidence_alt(title: str, causes: Sequence[tuple[str, int, float | None]], cutoff: str) -> str:
    """Return what cumulative incidences say: of each cause its events and where its curve ends."""
    said = [
        f"{name}: {counted(events, 'event')}"
        + (
            ""
            if last is None
            else ", " + _("{percent} at the end of follow-up").format(percent=percent(last))
        )
        for name, events, last in causes
    ]
    return _("Cumulative incidence, {title}. {causes}; data cut-off {cutoff}.").format(
        title=begun_small(title), causes="; ".join(said), cutoff=cutoff
    )


def forest_alt(title: str, hazards: Sequence[Hazard]) -> str:
    """Return the hazard ratios in a sentence."""
    said = [
        f"{hazard.group + ', ' if hazard.group and hazard.group != hazard.name else ''}{hazard.name}: {hazard.text}"
        for hazard in hazards
    ]
    # xgettext:no-python-format
    return _("{title}, hazard ratios with 95 % limits. {ratios}.").format(title=title, ratios="; ".join(said))


_COLUMNS = (
    "days",
    "months",
    "at_risk_patients",
    "events_patients",
    "censored_patients",
    "fraction",
    "lower_95_fraction",
    "upper_95_fraction",
)


def curves_csv(lines: Sequence[Line], cutoff: str) -> str:
    """Return the rows of every curve as CSV with one header row; an undefined limit is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["curve", "data_cutoff", *_COLUMNS])
    for line in lines:
        for day, *numbers in zip(
            line.days,
            line.at_risk,
            line.events,
            line.censored,
            line.value,
            line.lower,
            line.upper,
            strict=True,
        ):
            writer.writerow([line.name, cutoff, day, f"{day / DAYS_PER_MONTH:.4f}", *numbers])
    return text.getvalue()


def forest_csv(hazards: Sequence[Hazard], cutoff: str) -> str:
    """Return the hazard ratios as CSV with one header row."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["covariate", "level", "data_cutoff", "hazard_ratio", "lower_95", "upper_95"])
    for hazard in hazards:
        writer.writerow([hazard.group, hazard.name, cutoff, hazard.ratio, hazard.lower, hazard.upper])
    return text.getvalue()
