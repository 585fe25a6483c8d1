"""Help speaks the reader's language where its pages were written in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.urls import reverse

from clinic.guide import documents
from tests.clinic.test_pages import signed_in

DOCS = documents.ROOT
GERMAN = sorted(path.relative_to(DOCS / "de").as_posix() for path in (DOCS / "de").rglob("*.md"))


@pytest.fixture
def docs(tmp_path, monkeypatch) -> Iterator[Path]:
    (tmp_path / "de" / "rules").mkdir(parents=True)
    (tmp_path / "rules").mkdir()
    (tmp_path / "a.md").write_text("# Letters\n\nSee [rules](rules/b.md).\n", encoding="utf-8")
    (tmp_path / "rules" / "b.md").write_text("# Rules\n", encoding="utf-8")
    (tmp_path / "de" / "a.md").write_text("# Briefe\n\nSiehe [Regeln](rules/b.md).\n", encoding="utf-8")
    (tmp_path / "de" / "only.md").write_text("# Nur hier\n", encoding="utf-8")
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    for cached in (documents.pages, documents.document):
        cached.cache_clear()
    yield tmp_path
    for cached in (documents.pages, documents.document):
        cached.cache_clear()


def test_a_page_is_shown_in_german_where_it_exists_and_in_english_else(docs):
    assert documents.pages("de") == {"a.md": "Briefe", "rules/b.md": "Rules"}
    assert documents.pages() == {"a.md": "Letters", "rules/b.md": "Rules"}
    german, english = documents.document("a.md", "de"), documents.document("a.md")
    assert german is not None
    assert "Siehe" in german.html
    assert 'href="rules/b.md"' in german.html
    assert english is not None
    assert "See" in english.html
    assert documents.document("rules/b.md", "de") is not None


@pytest.mark.parametrize("name", ["de/a.md", "only.md", "de/only.md"])
def test_a_page_of_another_language_has_no_address_of_its_own(name, docs):
    assert documents.document(name, "de") is None
    assert documents.document(name) is None


@pytest.mark.parametrize(
    ("name", "link", "served"),
    [
        ("a.md", "rules/b.md", "rules/b.md"),
        ("a.md", "../rules/b.md#one", "rules/b.md#one"),
        ("a.md", "./a.md", "a.md"),
        ("a.md", "#here", "#here"),
        ("a.md", "https://example.org/", "https://example.org/"),
        ("a.md", "../../a.md", None),
        ("a.md", "only.md", None),
        ("a.md", "../de/a.md", "a.md"),
        ("a.md", "../fr/a.md", None),
        ("rules/b.md", "../a.md", "../a.md"),
        ("rules/b.md", "../../a.md", "../a.md"),
        ("rules/b.md", "b.md", "b.md"),
    ],
)
def test_a_link_leads_from_the_file_on_a_forge_and_from_the_page_here(name, link, served, docs):
    (docs / "de" / name).parent.mkdir(exist_ok=True)
    (docs / "de" / name).write_text(f"# Seite\n\n[dort]({link})\n", encoding="utf-8")

    page = documents.document(name, "de")

    assert page is not None
    assert re.findall(r'href="([^"]+)"', page.html) == ([] if served is None else [served])
    assert "dort" in page.html


def test_a_link_of_an_english_page_to_a_german_file_is_shown_as_its_words(docs):
    (docs / "a.md").write_text("# Letters\n\n[Deutsch](de/a.md)\n", encoding="utf-8")

    page = documents.document("a.md")

    assert page is not None
    assert "<p>Deutsch</p>" in page.html


# The pages that there are


@pytest.mark.django_db
def test_every_link_of_the_pages_as_a_german_reads_them_leads_somewhere(physician):
    client = signed_in(physician)
    anchors: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    for name in documents.pages():
        url = reverse("help-document", args=[name])
        content = client.get(url, headers={"Accept-Language": "de"}).content.decode()
        article = content[content.index("<article") : content.index("</article>")]
        anchors[url] = set(re.findall(r'id="([^"]+)"', article))
        links += [(url, target) for target in re.findall(r'<a href="([^"]+)"', article)]

    inner = [(url, urljoin(url, target)) for url, target in links if not target.startswith("http")]
    assert len(inner) > 50
    for url, target in inner:
        path, _, anchor = target.partition("#")
        assert path in anchors, (url, target)
        assert not anchor or anchor in anchors[path], (url, target)


def parts(text: str) -> dict[str, list[object]]:
    """Return what a page shares with its translation: levels of headings, rows of tables, lists, code and links."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = prose.splitlines()
    return {
        "headings": [*re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "cells": [line.count("|") for line in lines if line.startswith("|")],
        "items": [line[: line.index("-")] for line in lines if re.match(r" *- ", line)],
        "code": [*re.findall(r"```.*?```", text, re.DOTALL)],
        "pages": sorted(re.sub(r".*/", "", link) for link in re.findall(r"\]\(([^)]+\.md)", prose)),
    }


def codes(text: str) -> set[str]:
    """Return what stands between backticks, without words that are translated there too, such as worked examples."""
    found = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    return {code for code in found if ": " not in code} - {"# Words", "- Words", "(blank)"}


@pytest.mark.parametrize("name", GERMAN)
def test_a_german_page_holds_all_that_the_english_one_holds(name):
    english, german = ((DOCS / folder / name).read_text(encoding="utf-8") for folder in ("", "de"))
    english = english.replace("](de/index.md)", "]")

    assert parts(german) == parts(english)
    assert codes(german) >= codes(english)


def test_the_german_table_of_roles_is_the_english_one():
    english, german = (
        re.findall(r"^.*\| – \|.*$", (DOCS / folder / "access.md").read_text(encoding="utf-8"), re.MULTILINE)
        for folder in ("", "de")
    )

    assert len(english) > 5
    assert [line.replace("| ja ", "| yes ") for line in german] == english
