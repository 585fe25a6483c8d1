"""A report as a PDF: typeset by typst from ``report.typ``, with the figures as vectors in their own fonts."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from analytics.charts import render
from analytics.report.document import Report

TEMPLATE = Path(__file__).parent / "report.typ"


def make(report: Report, *, drawing: Callable[[str, int], None] = lambda key, drawn: None) -> bytes:
    """Return the report as a PDF. Equal reports give equal files: its date is when the results were computed.

    Args:
        drawing: told of each figure before it is drawn, with how many are.
    """
    # Imported here: its engine has threads, as that of the figures has, and must not be loaded before a server forks.
    import typst

    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = Path(name)
        (folder / "figures").mkdir()
        for drawn, (key, spec) in enumerate(report.specs.items()):
            drawing(key, drawn)
            (folder / "figures" / f"{key}.pdf").write_bytes(render(spec, "pdf"))
        (folder / "report.json").write_bytes(orjson.dumps(content(report)))
        shutil.copy(TEMPLATE, folder / "report.typ")
        return bytes(
            typst.compile(
                str(folder / "report.typ"),
                root=str(folder),
                # The fonts that typst brings along, whatever the machine has.
                ignore_system_fonts=True,
                timestamp=int(datetime.fromisoformat(report.made_at).timestamp()),
            )
        )


def content(report: Report) -> dict[str, Any]:
    """Return what the template is given."""
    return {
        "title": report.title,
        "description": report.description,
        "banner": report.banner,
        "foot": report.foot,
        "kicker": report.kicker,
        "page_of": report.page_of,
        "language": report.language,
        "facts": report.facts,
        "sections": [asdict(section) for section in report.sections],
    }
