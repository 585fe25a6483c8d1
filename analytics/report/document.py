"""What a report is made of: sections of paragraphs, lists, tables, figures and the flow of patients.

Plain data without markup: the page (``_report.html``) and the PDF (``report.typ``) draw the same blocks. Text is shown as
text by both, whatever it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str


@dataclass(frozen=True)
class Text:
    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Note:
    """A sentence that a reader must not miss: what is left out, or would mislead."""

    text: str
    kind: str = "note"


@dataclass(frozen=True)
class Items:
    items: Sequence[str]
    kind: str = "items"


@dataclass(frozen=True)
class Row:
    """A row of a table; ``level`` 1 stands indented below its head, ``is_head`` names the rows after it."""

    cells: Sequence[Cell]
    level: int = 0
    is_head: bool = False


@dataclass(frozen=True)
class Table:
    """A table; every column but the first ``n_words`` holds numbers.

    Attributes:
        widths: of the columns, in shares of the free width; 0 is as wide as its content.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    n_words: int = 1
    widths: Sequence[float] = ()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure; ``key`` says which is drawn, ``alt`` says it in words."""

    key: str
    alt: str
    note: str = ""
    kind: str = "picture"


@dataclass(frozen=True)
class Box:
    title: str
    count: str
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Level:
    """A level of the flow of patients: boxes side by side, and beside them who does not go on."""

    boxes: Sequence[Box]
    aside: Sequence[Box] = ()


@dataclass(frozen=True)
class Flow:
    levels: Sequence[Level]
    kind: str = "flow"


Block = Text | Note | Items | Table | Picture | Flow


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A report of the patients of a cohort whose results its reader may see.

    Attributes:
        facts: name and value, for the title.
        centres, record_centres: whose patients are counted, and whose are shown one by one.
        specs: the figures by key, as Vega-Lite specifications for print.
        made_at: when the results were computed, ISO 8601.
        kicker, page_of: said above the title and at the foot of each page ("{page} of {pages}").
        language: of its words, ISO 639-1.
    """

    slug: str
    title: str
    description: str
    banner: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    foot: str
    revision: int
    made_at: str
    centres: Sequence[str]
    record_centres: Sequence[str]
    specs: dict[str, dict[str, Any]] = field(repr=False)
    kicker: str = "PRRT registry · cohort report"
    page_of: str = "{page} of {pages}"
    language: str = "en"

    @property
    def file_name(self) -> str:
        return f"{self.slug}-report-r{self.revision}.pdf"
