"""What a browser is served is built where something changed, and only there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from analytics.charts import bundle
from prrt_registry import assets


@pytest.fixture
def place(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for the files served, and one static file of ours; no package's files."""
    # The library's real making is tested with the figures; here a quick stand-in notes that it was asked.
    import vl_convert

    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda *args, **options: "window.vegaEmbed = 1;")
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "page.css").write_text("a { color: #123456 }")
    settings.VAR_DIR = tmp_path / "var"
    settings.STATIC_ROOT = tmp_path / "var" / "static"
    built = tmp_path / "var" / "static-build"
    built.mkdir(parents=True)
    settings.STATICFILES_DIRS = [ours, built]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "prrt_registry.storage.RegistryStaticFilesStorage"}
    }
    finders.get_finder.cache_clear()
    yield tmp_path
    finders.get_finder.cache_clear()


def served(place: Path) -> set[str]:
    root = place / "var" / "static"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_the_first_run_makes_the_library_and_collects_everything_under_hashed_names(place: Path) -> None:
    said: list[str] = []

    assert assets.build_assets(said.append)

    names = served(place)
    assert {"page.css", "vega/vega.js", "staticfiles.json"} <= names
    assert any(
        name.startswith("vega/vega.") and name.count(".") == 2 and name.endswith(".js") for name in names
    )
    assert not any(name.endswith(".br") for name in names)
    assert len(said) == 2


def test_a_second_run_does_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets.build_assets()
    monkeypatch.setattr(assets, "call_command", lambda *args, **options: pytest.fail("collected again"))

    assert not assets.build_assets()


def test_a_changed_file_is_collected_even_when_it_is_dated_earlier(place: Path) -> None:
    assets.build_assets()
    page = place / "ours" / "page.css"
    page.write_text("a { color: #654321 }")
    os.utime(page, (1_000_000_000, 1_000_000_000))

    assert assets.build_assets()

    assert "#654321" in (place / "var" / "static" / "page.css").read_text()


def test_a_file_that_is_gone_is_no_longer_served(place: Path) -> None:
    (place / "ours" / "old.css").write_text("b {}")
    assets.build_assets()
    (place / "ours" / "old.css").unlink()

    assert assets.build_assets()

    assert not any(name.startswith("old.") for name in served(place))


def test_a_library_of_another_version_is_made_and_collected_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets.build_assets()
    monkeypatch.setattr(bundle, "version", lambda name: "99.0")

    assert assets.build_assets()

    assert "vl-convert-python 99.0" in (place / "var" / "static" / "vega" / "vega.js").read_text()


def test_an_interrupted_collection_is_done_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(assets, "call_command", interrupted)
        with pytest.raises(KeyboardInterrupt):
            assets.build_assets()

    assert assets.build_assets()
    assert "page.css" in served(place)
