"""The product's own documents (``docs/``) as pages.

A page is looked up by its name among those that were found at the start: no part of an address is ever joined to a path.
Where a page was written in the reader's language too (``docs/de/<name>``), that text is shown under the same name.
Its links are those of its file, such as ``../records.md`` for a page that is there in English alone, so that they hold
on a forge; here they lead to the pages under the names that these have.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(settings.BASE_DIR) / "docs"
# Folders below ``ROOT`` with the same pages in another language.
LANGUAGES = ("de",)


@dataclass(frozen=True)
class Document:
    """A page of the documents.

    Attributes:
        name: below ``docs/``, such as ``rules/ctcae.md``.
        html: safe: markup in the source is shown as text.
    """

    name: str
    title: str
    html: str


def language() -> str:
    """Return the folder of the reader's language; blank: the pages themselves, in English."""
    code = (get_language() or "")[:2]
    return code if code in LANGUAGES else ""


def _files(language: str) -> dict[str, Path]:
    """Return name to file of every page: that in the language where it exists, else the English one."""
    found = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.md"))}
    english = {name: path for name, path in found.items() if name.split("/")[0] not in LANGUAGES}
    return {name: found.get(f"{language}/{name}", path) for name, path in english.items()}


@lru_cache(maxsize=len(LANGUAGES) + 1)
def pages(language: str = "") -> Mapping[str, str]:
    """Return name to title of every page, the index first, then by name.

    Args:
        language: as ``language()`` returns it; titles are in it where there are such.
    """
    found = {name: _title(path) for name, path in _files(language).items()}
    index = {name: title for name, title in found.items() if name == "index.md"}
    return MappingProxyType(index | found)


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)


def anchor_of(heading: str) -> str:
    """Return the anchor that a forge makes of a heading, so that links hold there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@lru_cache(maxsize=200)
def document(name: str, language: str = "") -> Document | None:
    """Return a page, in the language where it was written in it; None where there is none of that name."""
    if name not in pages(language):
        return None
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    file = _files(language)[name]
    source = file.relative_to(ROOT).as_posix()
    tokens = markdown.parse(file.read_text(encoding="utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", anchor_of(following.content))
        elif token.type == "table_open":
            token.attrSet("class", "data")
        elif token.type in {"th_open", "td_open"} and "right" in str(token.attrs.pop("style", "")):
            token.attrSet("class", "r")  # a style of its own is refused by the security policy
        elif token.type == "inline":
            token.children = _with_links_that_lead_somewhere(source, token.children or [])
    html = markdown.renderer.render(tokens, markdown.options, {})
    # What is wider than a phone scrolls by itself, with the keyboard too.
    html = html.replace(
        "<table ",
        format_html(
            '<div class="table-scroll" tabindex="0" role="group" aria-label="{}"><table ', _("Table")
        ),
    )
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return Document(name, pages(language)[name], html)


def _with_links_that_lead_somewhere(source: str, children: list[Token]) -> list[Token]:
    """Return the children without images and without links to files that are not served; their words stay.

    Args:
        source: the file that holds them, below ``docs/``.
    """
    kept: list[Token] = []
    is_open: list[bool] = []
    for child in children:
        if child.type == "image":
            continue
        if child.type == "link_open":
            address = _address(source, str(child.attrs.get("href", "")))
            is_open.append(address is not None)
            if address is None:
                continue
            child.attrSet("href", address)
        elif child.type == "link_close" and not is_open.pop():
            continue
        kept.append(child)
    return kept


def _address(source: str, address: str) -> str | None:
    """Return where a link of a file leads as the pages are served; None: nowhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address if parts.scheme in {"http", "https"} else None
    if not parts.path:
        return address if parts.fragment else None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), parts.path))
    language = source.split("/")[0]
    if language not in LANGUAGES:
        return address if target in pages() else None
    served = target.removeprefix(f"{language}/")
    if served not in pages():
        return None
    here = posixpath.dirname(source.removeprefix(f"{language}/"))
    return urlunsplit(parts._replace(path=posixpath.relpath(served, here or ".")))
