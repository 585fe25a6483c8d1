"""The product's own documents (``docs/``) as pages.

A page is looked up by its name among those that were found at the start: no part of an address is ever joined to a path.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from django.conf import settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(settings.BASE_DIR) / "docs"


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


@lru_cache(maxsize=1)
def pages() -> Mapping[str, str]:
    """Return name to title of every page, the index first, then by name."""
    found = {path.relative_to(ROOT).as_posix(): _title(path) for path in sorted(ROOT.rglob("*.md"))}
    index = {name: title for name, title in found.items() if name == "index.md"}
    return MappingProxyType(index | found)


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)


def anchor_of(heading: str) -> str:
    """Return the anchor that a forge makes of a heading, so that links hold there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@lru_cache(maxsize=200)
def document(name: str) -> Document | None:
    """Return a page; None where there is none of that name."""
    if name not in pages():
        return None
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((ROOT / name).read_text(encoding="utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", anchor_of(following.content))
        elif token.type == "table_open":
            token.attrSet("class", "data")
        elif token.type in {"th_open", "td_open"} and "right" in str(token.attrs.pop("style", "")):
            token.attrSet("class", "r")  # a style of its own is refused by the security policy
        elif token.type == "inline":
            token.children = _with_links_that_lead_somewhere(name, token.children or [])
    html = markdown.renderer.render(tokens, markdown.options, {})
    # What is wider than a phone scrolls by itself, with the keyboard too.
    html = html.replace(
        "<table ", '<div class="table-scroll" tabindex="0" role="group" aria-label="Table"><table '
    )
    html = html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
    return Document(name, pages()[name], html)


def _with_links_that_lead_somewhere(name: str, children: list[Token]) -> list[Token]:
    """Return the children without images and without links to files that are not served; their words stay."""
    kept: list[Token] = []
    is_open: list[bool] = []
    for child in children:
        if child.type == "image":
            continue
        if child.type == "link_open":
            is_open.append(_leads_somewhere(name, str(child.attrs.get("href", ""))))
            if not is_open[-1]:
                continue
        elif child.type == "link_close" and not is_open.pop():
            continue
        kept.append(child)
    return kept


def _leads_somewhere(name: str, address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return parts.scheme in {"http", "https"}
    if not parts.path:
        return bool(parts.fragment)
    steps: list[str] = name.split("/")[:-1]
    for step in parts.path.split("/"):
        if step == "..":
            if not steps:
                return False
            steps.pop()
        elif step != ".":
            steps.append(step)
    return "/".join(steps) in pages()
