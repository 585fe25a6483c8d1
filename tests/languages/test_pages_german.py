"""Every page in German: it answers as in English, its numbers stay readable for browsers, and no English is left in it."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.utils import translation

from accounts.models import Membership, Role
from clinic.guide import documents
from tests.factories import make_user
from tests.test_access import PAGES, POSTED_PAGES, Clinic, clinics  # noqa: F401

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}

# Read by browsers, which know a decimal point alone.
NUMBERS = {
    *("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "width", "height"),
    *("d", "points", "viewbox", "transform", "datetime", "min", "max", "step"),
}
VALUED = {"number", "range", "date", "datetime-local", "hidden"}
WITHIN = re.compile(r"\d,\d|\d{2}\.\d{2}\.\d{4}")
WHOLE = re.compile(r"[-−+]?\d+(\.\d{3})*,\d+|\d{2}\.\d{2}\.\d{4}( \d{2}:\d{2})?")

ENGLISH = re.compile(
    r"\b(the|of|and|is|are|not|with|from|by|this|that|has|yet|for|to|no|or|your|which|its|their)\b",
    re.IGNORECASE,
)
# English by its nature: what a person wrote, names from outside, words that are typed or stand in files.
ALLOWED = re.compile(
    "|".join(
        [
            r"Is this right\?",  # the query of the test
            r"renal: creatinine clearance below 40[\s\S]*3,700 MBq",  # in a field: what is stored
            r"177Lu-Dotatate plus long-acting octreotide versus [^:]*: final overall survival and long-term safety results",
            r"\[177Lu\]Lu-DOTA-TATE plus long-acting octreotide versus [^,]*, as reported by DocWire News",
            r"COMPETE, Lancet 2 July 2026, as reported by journaljams.org and ENETS abstract 4669",
            r"177Lu-DOTATATE 4 × 7,400 MBq every 8 weeks",  # the name of the protocol
            r"Product label of [^|]*|US prescribing information of [^|]*",  # sources
            r"Response Evaluation Criteria in Solid Tumours|Common Terminology Criteria for Adverse Events",
            r"staff of STA-0001|SQL in the database",
            r"CC BY|Kaplan[–-]Meier",
            *(
                re.escape(title) for title in documents.pages().values()
            ),  # the documents are written in English
        ]
    )
)
SILENT = {"script", "style", "code", "datalist"}  # the last holds terms of CTCAE, which are said in English
SPOKEN = {"aria-label", "title", "alt", "placeholder", "data-label"}

# Documents are written in English alone.
ENGLISH_ALONE = {"help/docs/<path:page>"}


class Page(HTMLParser):
    """What a page says to people, and the attributes that hold numbers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.wrong_numbers: list[str] = []
        self._silent: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        if tag in SILENT:
            self._silent.append(tag)
        for name, value in attrs:
            if value is None:
                continue
            if name in SPOKEN and not self._silent:
                self.said.append(value)
            if name in NUMBERS and WITHIN.search(value) and not _is_list(name, value):
                self.wrong_numbers.append(f"<{tag} {name}={value!r}>")
            if name == "value" and held.get("type") in VALUED and WHOLE.fullmatch(value):
                self.wrong_numbers.append(f"<{tag} type={held['type']} value={value!r}>")
            if name.startswith("data-") and name not in SPOKEN and WHOLE.fullmatch(value):
                self.wrong_numbers.append(f"<{tag} {name}={value!r}>")
        if tag == "input" and held.get("type") in {"submit", "button"} and held.get("value"):
            self.said.append(held["value"])

    def handle_endtag(self, tag):
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data):
        if not self._silent and data.strip():
            self.said.append(" ".join(data.split()))


def _is_list(name: str, value: str) -> bool:
    """Coordinates may be parted by a comma, as in ``points="1,2 3,4"``; two commas in a row are those of decimals."""
    return name in {"points", "d", "transform"} and not re.search(r"\d,\d+,\d", value)


def path_of(clinic: Clinic, route: str) -> str:
    path = clinic.path(route).replace("<slug:figure>", "pfs").replace("<slug:file_type>", "csv")
    for figure in ("analyte:platelets", "lesion_figure:suvmax", "response_figure:waterfall"):
        name, value = figure.split(":")
        path = path.replace(f"<slug:{name}>", value)
    return path.replace("<slug:explore_figure>", "curves").replace("<slug:compare_figure>", "pfs")


@pytest.fixture
def everybody(clinics, settings) -> tuple[Client, Clinic]:  # noqa: F811
    """Someone with every role, and one of each record."""
    settings.SMALL_CELL = 1
    own, _ = clinics
    user = make_user(role=None, username="everybody")
    Membership.objects.bulk_create(
        Membership(user=user, centre=own.centre, role=role) for role in Role.values
    )
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client, own


def test_every_page_answers_in_german_with_numbers_that_browsers_read_and_no_english(everybody):
    client, clinic = everybody
    wrong, english = [], {}
    for route in PAGES:
        if route in POSTED_PAGES or route.endswith(("<slug:file_type>", "/download/")):
            continue
        path = path_of(clinic, route)
        in_english, in_german = client.get(path), client.get(path, **GERMAN)
        if in_german.status_code != in_english.status_code:
            wrong.append((route, in_english.status_code, in_german.status_code))
        if not in_german["Content-Type"].startswith("text/html") or in_german.status_code >= 300:
            continue
        text = in_german.content.decode()
        if "<html" in text and '<html lang="de">' not in text:
            wrong.append((route, "speaks another language"))
        page = Page(text)
        wrong += [(route, number) for number in page.wrong_numbers]
        if route not in ENGLISH_ALONE:
            left = [said for said in page.said if ENGLISH.search(ALLOWED.sub("", said))]
            if left:
                english[route] = left
    assert not wrong
    assert not english, "\n" + "\n".join(
        f"{route}: {said}" for route, all_said in english.items() for said in all_said
    )
    assert translation.get_language() in {"en-gb", "en"}
