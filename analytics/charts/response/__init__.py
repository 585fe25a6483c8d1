"""How the tumours of a cohort responded, a course at a time: waterfall, spider and swimmer, for the screen and for paper.

Figures of single patients: whoever is shown one may see the records of every course in it. Time is counted from the first
administration, so that a file holds registry numbers and no dates; the screen's tooltips have them. Plain data in the looks
of ``analytics.charts.theme``; nothing here imports the drawing engine, Django or the models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analytics.charts.response.courses import About, CourseLine
from analytics.charts.response.pieces import Spec
from analytics.charts.response.spider import spider_alt, spider_csv, spider_spec
from analytics.charts.response.swimmer import swimmer_alt, swimmer_csv, swimmer_spec
from analytics.charts.response.waterfall import waterfall_alt, waterfall_csv, waterfall_spec
from languages.wording import gettext as _
from languages.wording import gettext_noop


@dataclass(frozen=True)
class ResponseFigure:
    """A figure of single courses: what draws it, what says it in words, and the numbers behind it."""

    english: str
    build: Callable[..., Spec]  # (lines, about, *, theme="screen")
    alt_text: Callable[[Sequence[CourseLine], About], str]
    numbers: Callable[[Sequence[CourseLine], About], str]

    @property
    def title(self) -> str:
        return _(self.english)


RESPONSE_FIGURES: dict[str, ResponseFigure] = {
    "waterfall": ResponseFigure(gettext_noop("Waterfall"), waterfall_spec, waterfall_alt, waterfall_csv),
    "spider": ResponseFigure(gettext_noop("Spider"), spider_spec, spider_alt, spider_csv),
    "swimmer": ResponseFigure(gettext_noop("Swimmer"), swimmer_spec, swimmer_alt, swimmer_csv),
}

__all__ = ["RESPONSE_FIGURES", "ResponseFigure"]
