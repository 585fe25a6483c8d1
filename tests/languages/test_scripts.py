"""What scripts say: an address for each language, kept by browsers, and none that an English page has to load."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from tests.conftest import needs

SCRIPTS = Path(settings.BASE_DIR) / "clinic" / "static" / "clinic"
NODE = shutil.which("node")


def german_script(page: str) -> str:
    (address,) = re.findall(r'<script src="(/jsi18n/[^"]+)"></script>', page)
    return address


@pytest.mark.django_db
def test_a_german_page_names_the_script_before_all_others_and_an_english_one_none():
    page = Client().get(reverse("account_login"), HTTP_ACCEPT_LANGUAGE="de").content.decode()
    address = german_script(page)
    assert address.startswith("/jsi18n/de/?v=")
    assert page.index(address) < page.index("clinic/registry.js")
    assert "/jsi18n/" not in Client().get(reverse("account_login")).content.decode()

    answer = Client().get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Accept-Language" not in answer.get("Vary", "")
    assert "Entwurf gespeichert." in answer.content.decode()
    assert Client().get("/jsi18n/de/?v=old")["Cache-Control"] == "public, no-cache"


@pytest.mark.django_db
def test_an_unknown_language_has_no_words():
    assert Client().get("/jsi18n/tlh/").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "de",
            [
                "Entwurf gespeichert.",
                "1 Wert in die Tabelle eingefügt.",
                "2 Werte in die Tabelle eingefügt.",
                "Unknown",
            ],
        ),
        ("en-gb", ["Draft kept.", "1 value laid into the grid.", "2 values laid into the grid.", "Unknown"]),
    ],
)
def test_the_scripts_speak_with_and_without_the_catalogue(language, expected):
    needs(NODE, "Node")
    words = Client().get(f"/jsi18n/{language}/").content.decode() if language == "de" else ""
    registry = (SCRIPTS / "registry.js").read_text()
    fallback = registry[registry.index("window.gettext") : registry.index("(() => {")]
    code = f"""
    const window = globalThis;
    (function () {{ {words} }}).call(globalThis);
    {fallback}
    const of = (n) => ngettext("%(n)s value laid into the grid.", "%(n)s values laid into the grid.", n);
    const laid = (n) => interpolate(of(n), {{ n }}, true);
    console.log(JSON.stringify([gettext("Draft kept."), laid(1), laid(2), gettext("Unknown")]));
    """
    said = subprocess.run([NODE, "-e", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == expected


def test_every_message_of_a_script_has_its_german():
    """A message that is spelled otherwise in the catalogue would stay English and nobody would notice."""
    from django.utils.translation.trans_real import DjangoTranslation

    with translation.override("de"):
        catalogue = DjangoTranslation(
            "de", domain="djangojs", localedirs=[str(settings.BASE_DIR / "clinic" / "locale")]
        )
    untold = []
    for script in sorted(SCRIPTS.glob("*.js")):
        code = re.sub(r"/\*.*?\*/", "", script.read_text(), flags=re.DOTALL)
        for message in re.findall(r'\bgettext\(\s*"([^"]+)"', code):
            if catalogue.gettext(message) == message:
                untold.append((script.name, message))
        for singular, plural in re.findall(r'\bngettext\(\s*"([^"]+)",\s*"([^"]+)"', code):
            if catalogue.ngettext(singular, plural, 2) == plural:
                untold.append((script.name, plural))
    assert not untold
