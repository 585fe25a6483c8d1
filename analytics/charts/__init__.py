"""Figures of a cohort's result: one specification each, for the browser and for paper.

``FIGURES`` lists them; ``numbers_csv`` gives the rows behind each; ``render`` draws a file. Nothing here imports Altair,
pandas or the drawing engine before a figure is asked for.
"""

from analytics.charts.numbers import numbers_csv
from analytics.charts.rendering import CONTENT_TYPES, render
from analytics.charts.specs import (
    FIGURES,
    VEGA_LITE_VERSION,
    Figure,
    best_response_spec,
    courses_spec,
    km_spec,
)

__all__ = [
    "CONTENT_TYPES",
    "FIGURES",
    "VEGA_LITE_VERSION",
    "Figure",
    "best_response_spec",
    "courses_spec",
    "km_spec",
    "numbers_csv",
    "render",
]
