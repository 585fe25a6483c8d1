"""A letter as a PDF, typeset by typst from ``letter.typ`` as the reports of cohorts are."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from clinic.letters.placeholders import KIND_WORDS
from clinic.letters.text import Letter
from languages.wording import pgettext

TEMPLATE = Path(__file__).parent / "letter.typ"


def make(letter: Letter) -> bytes:
    """Return the letter as a PDF (A4, fonts embedded); its date is when the letter was made."""
    # Imported here: its engine has threads, and must not be loaded before a server forks.
    import typst

    with tempfile.TemporaryDirectory(prefix="letter-") as name:
        folder = Path(name)
        (folder / "letter.json").write_bytes(orjson.dumps(content(letter)))
        shutil.copy(TEMPLATE, folder / "letter.typ")
        return bytes(
            typst.compile(
                str(folder / "letter.typ"),
                root=str(folder),
                ignore_system_fonts=True,
                timestamp=int(letter.made_at.timestamp()),
            )
        )


def content(letter: Letter) -> dict[str, Any]:
    """Return what the template is given. The document's own title names nobody: programs show it in lists of files."""
    return {
        "document": f"{KIND_WORDS[letter.kind]} {letter.registry_number}",
        "title": letter.title,
        "banner": letter.banner,
        "foot": letter.foot,
        "page": pgettext("page of a letter", "{n} of {total}"),
        "language": letter.language,
        "blocks": [asdict(block) for block in letter.blocks],
    }
