"""How figures look: one palette in light, dark and print, as a Vega-Lite configuration.

Every mark takes its colour from a named style of the configuration and none from the chart itself, so that the page can
turn a figure dark by laying ``DARK`` over its ``config`` (``charts.js`` does). Blue and orange stay apart for every common
colour blindness, and neighbours differ in lightness, so that a grey print reads the same.
"""

from textwrap import wrap
from typing import Any, Literal

Theme = Literal["screen", "print"]

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
TEXT_SIZE = 12
SMALL_SIZE = 11
FOOTER_SIZE: dict[Theme, int] = {"screen": 11, "print": 10}

INK = "#1b1f24"
QUIET_INK = "#57606a"
GRID = "#e6e8eb"
AXIS = "#6e7781"
CURVE = "#1f4e79"

DISCONTINUED = ("#8f3d0b", "#d5782c", "#efb887", "#f8dcc3")

# Fill of each part of the courses bar and the ink of the number in it; discontinued parts in order of the cycle.
LIGHT_PARTS = {
    "completed": ("#1f4e79", "#ffffff"),
    "ongoing": ("#b7cbe0", INK),
    "discontinued-0": (DISCONTINUED[0], "#ffffff"),
    "discontinued-1": (DISCONTINUED[1], INK),
    "discontinued-2": (DISCONTINUED[2], INK),
    "discontinued-3": (DISCONTINUED[3], INK),
    "not-classified": ("#d0d7de", INK),
}
DARK_PARTS = {
    "completed": ("#4f8fcf", INK),
    "ongoing": ("#c4d8ee", INK),
    "discontinued-0": ("#b5581b", "#ffffff"),
    "discontinued-1": ("#dc8a45", INK),
    "discontinued-2": ("#f0bc8f", INK),
    "discontinued-3": ("#f9e0ca", INK),
    "not-classified": ("#5b6570", "#ffffff"),
}


def config(theme: Theme) -> dict[str, Any]:
    """Return the Vega-Lite configuration of ``theme``: transparent on the screen, white on paper."""
    return {
        "background": "white" if theme == "print" else "transparent",
        "font": FONT,
        "padding": 8,
        "view": {"stroke": None},
        "axis": {
            "domainColor": AXIS,
            "tickColor": AXIS,
            "gridColor": GRID,
            "labelColor": INK,
            "titleColor": INK,
            "labelFontSize": SMALL_SIZE,
            "titleFontSize": TEXT_SIZE,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelFlush": False,
        },
        "title": {
            "anchor": "start",
            "color": INK,
            "fontSize": 15,
            "fontWeight": "bold",
            "subtitleColor": QUIET_INK,
            "subtitleFontSize": TEXT_SIZE,
            "subtitleLineHeight": 16,
            "subtitlePadding": 5,
            "offset": 14,
        },
        "style": {
            "curve": {"color": CURVE, "strokeWidth": 2},
            "band": {"color": CURVE, "fillOpacity": 0.14},
            "censor": {"color": CURVE, "strokeWidth": 1.3},
            "median": {"color": QUIET_INK, "strokeWidth": 1, "strokeDash": [4, 3]},
            "hover": {"color": AXIS, "strokeWidth": 1},
            "note": {"color": INK, "fontSize": TEXT_SIZE},
            "empty": {"color": QUIET_INK, "fontSize": 15},
            "footer": {
                "fill": QUIET_INK,
                "fontSize": FOOTER_SIZE[theme],
                "fontWeight": "normal",
                "lineHeight": FOOTER_SIZE[theme] + 3,
            },
            "risk": {"color": INK, "fontSize": SMALL_SIZE},
            "objective": {"color": CURVE},
            "other-response": {"color": "#9fb3c8"},
            "leader": {"color": AXIS, "strokeWidth": 1},
            **_part_styles(LIGHT_PARTS),
        },
    }


def _part_styles(parts: dict[str, tuple[str, str]]) -> dict[str, dict[str, Any]]:
    styles: dict[str, dict[str, Any]] = {}
    for name, (fill, ink) in parts.items():
        styles[f"part-{name}"] = {"color": fill}
        styles[f"ink-{name}"] = {"color": ink, "fontSize": 13, "fontWeight": "bold"}
    return styles


# Laid over the configuration above where the page is dark.
DARK: dict[str, Any] = {
    "axis": {
        "domainColor": "#8b949e",
        "tickColor": "#8b949e",
        "gridColor": "#343b43",
        "labelColor": "#e6edf3",
        "titleColor": "#e6edf3",
    },
    "title": {"color": "#e6edf3", "subtitleColor": "#a9b3bd"},
    "style": {
        "curve": {"color": "#79b8ff"},
        "band": {"color": "#79b8ff", "fillOpacity": 0.2},
        "censor": {"color": "#79b8ff"},
        "median": {"color": "#a9b3bd"},
        "hover": {"color": "#8b949e"},
        "note": {"color": "#e6edf3"},
        "risk": {"color": "#e6edf3"},
        "objective": {"color": "#79b8ff"},
        "other-response": {"color": "#4a6580"},
        "leader": {"color": "#8b949e"},
        "empty": {"color": "#a9b3bd"},
        "footer": {"fill": "#a9b3bd"},
        **_part_styles(DARK_PARTS),
    },
}


def text_width(text: str, size: float) -> float:
    """Return about how wide ``text`` is in pixels, on the safe side.

    An SVG is shown in the reader's fonts: where there is neither Liberation Sans nor Arial, that is often one as wide as
    DejaVu Sans or Verdana, a sixth wider.
    """
    return 0.63 * size * len(text)


def wrapped(text: str, *, width: float, size: float) -> list[str]:
    """Return ``text`` in lines that fit ``width`` pixels at font size ``size``, never in the middle of a word."""
    return wrap(text, max(20, int(width / (0.56 * size))), break_on_hyphens=False) or [""]
