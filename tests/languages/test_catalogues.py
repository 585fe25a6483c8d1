"""The German catalogues are whole: every text of the source is in them, translated, with its places, and compiled."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import needs

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(path.relative_to(ROOT) for path in ROOT.glob("*/locale/de/LC_MESSAGES/*.po"))
PLACES = re.compile(r"%\(\w+\)[sd]|(?<!\{)\{\w+[^{}]*\}(?!\})|%[sd]")


def _compiled(path: Path) -> dict:
    with (ROOT / path).with_suffix(".mo").open("rb") as file:
        return gettext.GNUTranslations(file)._catalog


def test_there_are_catalogues_of_every_app_that_has_texts():
    assert {path.parts[0] for path in CATALOGUES} >= {
        "accounts", "analytics", "clinic", "exchange", "imaging", "patients", "prrt_registry", "treatments",
    }  # fmt: skip


@pytest.mark.parametrize("path", CATALOGUES, ids=str)
def test_a_translation_keeps_the_places_of_its_message(path):
    wrong = []
    for message, said in _compiled(path).items():
        text = message[0] if isinstance(message, tuple) else message
        if not text:
            continue
        own, others = sorted(PLACES.findall(said)), sorted(PLACES.findall(text.rpartition("\4")[2]))
        # A plural form may leave the number out: "eine Läsion".
        if set(own) - set(others) or (not isinstance(message, tuple) and set(own) != set(others)):
            wrong.append((text, said))
    assert not wrong


@pytest.mark.parametrize("path", CATALOGUES, ids=str)
def test_a_catalogue_is_translated_to_the_last_message_and_compiled(path, tmp_path):
    needs(shutil.which("msgfmt"), "gettext")
    compiled = tmp_path / "compiled.mo"
    subprocess.run(["msgfmt", "--check-format", "-o", compiled, ROOT / path], check=True)
    assert compiled.read_bytes() == (ROOT / path).with_suffix(".mo").read_bytes(), "run make messages"
    for missing in ("--untranslated", "--only-fuzzy"):
        left = subprocess.run(
            ["msgattrib", missing, "--no-obsolete", ROOT / path], check=True, capture_output=True, text=True
        ).stdout
        assert "msgid" not in left, left[:2000]


def test_every_text_of_the_source_is_in_a_catalogue(tmp_path):
    needs(shutil.which("xgettext"), "gettext")
    copy = tmp_path / "copy"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "bench/", "docs/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for domain in ("django", "djangojs"):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "django",
                "makemessages",
                "-l",
                "de",
                "--no-obsolete",
                "--no-location",
                "-d",
                domain,
            ],
            cwd=copy,
            env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            check=True,
            capture_output=True,
        )
    for path in CATALOGUES:
        assert _messages(copy / path) == _messages(ROOT / path), f"{path}: run make messages"


def _messages(path: Path) -> set[str]:
    listed = subprocess.run(
        ["msgattrib", "--no-obsolete", "--no-wrap", "--sort-output", path],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {
        re.sub(r"^msgstr.*?(?=\n\n|\Z)", "", block, flags=re.DOTALL | re.MULTILINE).strip()
        for block in listed.split("\n\n")[1:]
    }
