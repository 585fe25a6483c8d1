"""What the figures of single courses are made of: axes, marks and their looks, legend and frame."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil
from typing import Any

from analytics.charts import theme as look
from analytics.charts.response.courses import NO_ASSESSMENT, About, CourseLine
from analytics.charts.specs import VEGA_LITE_VERSION, locale
from languages.wording import gettext as _

Spec = dict[str, Any]

WIDTH = 760
LEAST_TOP = 40
SHAPES = {
    "CR": "circle",
    "PR": "diamond",
    "SD": "square",
    "NON_CR_NON_PD": "M-1,-0.45H1V0.45H-1Z",
    "PD": "triangle-down",
    "NE": "circle",
    NO_ASSESSMENT: "circle",
}


def layer(values: list[Spec], mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def kept_free(begin: float, end: float) -> Spec:
    """Return a mark that is not seen: beside the plot it keeps place for words in a wider font."""
    across = {"x": {"value": round(begin)}, "x2": {"value": round(end)}, "y": {"value": 0}}
    return layer([{}], {"type": "rule", "opacity": 0}, across)


def top_of(changes: Sequence[Decimal], most: int) -> int:
    """Return the upper end of an axis of changes: a multiple of 20 above all of them, but no more than ``most``."""
    return min(most, max(LEAST_TOP, 20 * ceil(max(changes) / 20)))


def percent_axis(title: str, top: int) -> Spec:
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


def months_axis(ticks: Sequence[int], begin: float) -> Spec:
    return {
        "field": "m",
        "type": "quantitative",
        "scale": {"domain": [round(begin, 4), ticks[-1]], "nice": False, "zero": False},
        "axis": {"title": _("Months since first administration"), "values": list(ticks), "grid": False},
    }


def at(channel: Spec, value: float) -> Spec:
    return {key: part for key, part in channel.items() if key != "field"} | {"datum": value}


def reference_lines(y: Spec) -> list[Spec]:
    layers: list[Spec] = []
    for value, name in ((20, "+20 %"), (-30, "−30 %")):
        layers.append(layer([{}], {"type": "rule", "style": "reference"}, {"y": at(y, value)}))
        layers.append(
            layer(
                [{"t": name}],
                {"type": "text", "style": "small", "align": "left", "baseline": "middle", "dx": 5},
                {"x": {"value": WIDTH}, "y": at(y, value), "text": {"field": "t"}},
            )
        )
    return layers


def style_of(kind: str, code: str) -> str:
    return f"{kind}-{code or 'none'}"


def cursor(theme: look.Theme) -> str:
    return "pointer" if theme == "screen" else "default"


def point_mark(code: str, size: float, theme: look.Theme) -> Spec:
    return {
        "type": "point",
        "style": style_of("response", code),
        "shape": SHAPES[code],
        "size": size,
        "filled": True,
        "opacity": 1,
        "cursor": cursor(theme),
    }


def told(theme: look.Theme, line: CourseLine, said: Mapping[str, str]) -> Spec:
    """Return what a mark says and opens on the screen; a file has neither."""
    if theme == "print":
        return {}
    return {"course": line.label, "href": line.href or None, **said}


def link(theme: look.Theme, *fields: str) -> Spec:
    """Return the tooltip of a mark on the screen, and what it opens. A field is called by its English title."""
    if theme == "print":
        return {}
    tips = [{"field": "course", "type": "nominal", "title": _("Course")}]
    tips += [{"field": field, "type": "nominal", "title": _(field)} for field in fields]
    return {"tooltip": tips, "href": {"field": "href"}}


LEGEND_ROW_PX = 18
LEGEND_MARK_PX = 22


def legend_view(entries: Sequence[tuple[Sequence[Spec], str]]) -> Spec:
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
                layer([{"px": round(place, 1), "py": middle} for place in places], dict(mark), _pixels())
            )
        texts.append({"px": round(across + LEGEND_MARK_PX, 1), "py": middle, "t": words})
        across += width
    layers.append(
        layer(
            texts,
            {"type": "text", "style": "small", "align": "left", "baseline": "middle"},
            _pixels() | {"text": {"field": "t"}},
        )
    )
    return {"name": "legend", "width": WIDTH, "height": (row + 1) * LEGEND_ROW_PX, "layer": layers}


def _pixels() -> Spec:
    return {
        "x": {"field": "px", "type": "quantitative", "scale": None, "axis": None},
        "y": {"field": "py", "type": "quantitative", "scale": None, "axis": None},
    }


def footer(notes: Sequence[str], about: About, theme: look.Theme, *, width: float = WIDTH + 40) -> Spec:
    said = [note for note in notes if note]
    # Pages say it above everything; a file leaves them.
    if about.synthetic and theme == "print":
        said.append(_("Synthetic patients."))
    return {
        "text": look.wrapped(" ".join(said), width=width, size=look.FOOTER_SIZE[theme]),
        "orient": "bottom",
        "style": "footer",
        "anchor": "start",
        "frame": "bounds",
        "offset": 12,
    }


def figure(
    title: str,
    about: About,
    facts: Sequence[str],
    views: list[Spec],
    description: str,
    theme: look.Theme,
    *,
    width: float = WIDTH,
) -> Spec:
    """Return the views under each other, headed by what they show, of whom and up to when."""
    said = ", ".join([*facts, _("data cut-off {cutoff}").format(cutoff=about.until)])
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": description,
        "title": {
            "text": title,
            "subtitle": look.wrapped(f"{about.name}: {said}", width=width, size=look.TEXT_SIZE),
            "offset": 12,
        },
        "vconcat": views,
        "spacing": 8,
        "config": _config(theme),
        **({"usermeta": {"dark": _DARK}} if theme == "screen" else {}),
    }


def empty(title: str, message: str, description: str, about: About, theme: look.Theme) -> Spec:
    """Return a figure of nothing that says so."""
    view = {
        "name": "plot",
        "width": WIDTH,
        "height": 100,
        **layer(
            [{"t": message}],
            {"type": "text", "style": "empty", "baseline": "middle", "align": "center"},
            {"x": {"value": WIDTH / 2}, "y": {"value": 50}, "text": {"field": "t"}},
        ),
        "title": footer([], about, theme),
    }
    return figure(title, about, [], [view], description, theme)


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
        styles[style_of("bar", code)] = {"color": fill, "stroke": ink, "strokeWidth": 0.6}
        styles[style_of("flat", code)] = {"color": ink, "strokeWidth": 2}
        styles[style_of("response", code)] = {"color": fill, "stroke": edge, "strokeWidth": 1}
        styles[style_of("spot", code)] = {"color": ink}
        styles[style_of("line", code)] = {
            "color": ink,
            "strokeWidth": 2.4 if code == "CR" else 1.4,
            "strokeDash": _DASHES[code],
        }
    return styles


def _config(theme: look.Theme) -> Spec:
    config = look.config(theme) | locale()
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
        "cell-agreed": {"color": "#c4d8ee"},
        "cell-differed": {"color": "#f8dcc3"},
        "cell-none": {"color": "#f3f4f6"},
        "heading": {"color": look.INK, "fontSize": look.SMALL_SIZE, "fontWeight": "bold"},
        "count": {"color": look.INK, "fontSize": look.TEXT_SIZE + 1, "fontWeight": "bold"},
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
        "cell-agreed": {"color": "#2f5a86"},
        "cell-differed": {"color": "#7a4a22"},
        "cell-none": {"color": "#2a3037"},
        "heading": {"color": _LIGHT_INK},
        "count": {"color": _LIGHT_INK},
    }
}
