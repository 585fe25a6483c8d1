"""Help speaks the reader's language where its pages were written in it."""

from pathlib import Path

import pytest

from clinic.guide import documents


@pytest.fixture
def docs(tmp_path, monkeypatch) -> Path:
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
