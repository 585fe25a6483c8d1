"""Help: documents as pages, the glossary, explained words, the tour and what the palette offers to whom."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.conf import settings
from django.template import Context, RequestContext, Template
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import Role
from clinic.glossary import TERMS
from clinic.guide import documents
from clinic.guide.palette import PLACES, offers_to
from clinic.guide.tour import steps_for
from tests.clinic.test_pages import INLINE, signed_in
from tests.factories import CourseFactory, PatientFactory

NAMES = sorted(documents.pages())


@pytest.mark.django_db
def test_every_document_is_a_page_whose_links_and_anchors_lead_somewhere(physician):
    client = signed_in(physician)
    anchors: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    for name in NAMES:
        url = reverse("help-document", args=[name])
        answer = client.get(url)
        content = answer.content.decode()
        assert answer.status_code == 200, name
        assert INLINE.findall(content) == [], name
        article = content[content.index("<article") : content.index("</article>")]
        assert "<img" not in article
        anchors[url] = set(re.findall(r'id="([^"]+)"', article))
        links += [(url, target) for target in re.findall(r'<a href="([^"]+)"', article)]

    assert len(NAMES) > 30
    inner = [(url, urljoin(url, target)) for url, target in links if not target.startswith("http")]
    assert len(inner) > 50
    for url, target in inner:
        path, _, anchor = target.partition("#")
        assert path in anchors, (url, target)
        assert not anchor or anchor in anchors[path], (url, target)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "page",
    [
        "../README.md",
        "%2e%2e/README.md",
        "rules/../../README.md",
        "/etc/passwd",
        "..\\README.md",
        "index",
        "index.md/",
        "rules",
        "images/dashboard.png",
        "INDEX.md",
        "index.md%00",
    ],
)
def test_nothing_but_the_documents_is_served(page, physician):
    answer = signed_in(physician).get(f"/help/docs/{page}")
    assert answer.status_code in {301, 404}
    assert documents.document(page) is None


def test_markup_in_a_document_is_shown_as_text_and_links_out_of_the_documents_are_words(
    tmp_path, monkeypatch
):
    (tmp_path / "a.md").write_text(
        "# A <b>title</b>\n\n<script>alert(1)</script>\n\n[out](../secret.md), [there](b.md#c), [js](javascript:alert(1)),"
        " [site](https://example.org/)\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n\n```sh\nls\n```\n"
    )
    (tmp_path / "b.md").write_text("# B\n")
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    documents.pages.cache_clear()
    documents.document.cache_clear()
    try:
        found = documents.document("a.md")
        assert found is not None
        assert "<script" not in found.html
        assert "&lt;script&gt;" in found.html
        assert re.findall(r'href="([^"]+)"', found.html) == ["b.md#c", "https://example.org/"]
        assert "out" in found.html
        assert "style=" not in found.html
        assert '<td class="r">1</td>' in found.html
        assert '<pre tabindex="0">' in found.html
        assert 'id="a-btitleb"' in found.html
    finally:
        documents.pages.cache_clear()
        documents.document.cache_clear()


def test_the_documents_are_in_the_image():
    rules = (Path(settings.BASE_DIR) / ".dockerignore").read_text().split("\n")
    assert "!docs/" in rules


def test_help_is_for_who_is_signed_in(db):
    for name in ("help", "help-glossary", "help-tour", "help-shortcuts"):
        answer = Client().get(reverse(name))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("account_login"))
    assert Client().get("/help/docs/index.md").status_code == 302


# Words


def test_every_term_names_a_document_that_exists():
    assert {term.document for term in TERMS.values() if term.document} <= set(NAMES)
    assert len({term.slug for term in TERMS.values()}) == len(TERMS)


def test_the_glossary_shows_every_term_at_its_anchor(physician):
    content = signed_in(physician).get(reverse("help-glossary")).content.decode()
    for term in TERMS.values():
        assert f'id="{term.slug}"' in content
        assert term.meaning.split("<")[0][:40] in content.replace("&#x27;", "'").replace("&amp;", "&")


def test_a_word_opens_its_explanation_and_twice_on_a_page_under_two_ids():
    template = Template('{% load glossary %}{% term "RECIST" %} {% term "RECIST" "these criteria" %}')
    said = template.render(RequestContext(RequestFactory().get("/")))

    assert re.findall(r'popovertarget="([^"]+)"', said) == ["term-recist-1", "term-recist-2"]
    assert re.findall(r' id="([^"]+)" popover', said) == ["term-recist-1", "term-recist-2"]
    assert ">these criteria</button>" in said
    assert f"{reverse('help-glossary')}#recist" in said


def test_a_word_that_the_glossary_does_not_hold_fails_at_once():
    with pytest.raises(KeyError):
        Template('{% load glossary %}{% term "RECISTT" %}').render(Context())


def test_every_word_that_a_template_explains_is_in_the_glossary():
    used = set()
    for template in Path(settings.BASE_DIR).glob("*/templates/**/*.html"):
        used |= set(re.findall(r'{% term "([^"]+)"', template.read_text()))

    assert {"RECIST", "SSTR", "CTCAE", "PFS", "OS", "ORR", "LLN, ULN", "Net activity"} <= used
    assert used <= set(TERMS)


# The tour


def test_the_tour_leads_to_pages_that_answer(centre, user_with, django_assert_max_num_queries):
    CourseFactory(patient=PatientFactory(centre=centre, registry_number="STA-0001"), given=2)
    for role in (Role.PHYSICIAN, Role.RESEARCHER, Role.ADMINISTRATOR):
        user = user_with(role)
        client = signed_in(user)
        steps = steps_for(user)
        assert len({step.key for step in steps}) == len(steps)
        for step in steps:
            assert client.get(step.url).status_code == 200, (role, step.url)
            assert step.url in client.get(reverse("help-tour")).content.decode()
    assert len(steps_for(user_with(Role.PHYSICIAN))) == 8


def test_the_tour_of_who_has_no_role_says_so(user_with):
    assert "has no role" in signed_in(user_with(None)).get(reverse("help-tour")).content.decode()


# The palette


@pytest.mark.parametrize("role", [None, *Role.values])
def test_the_palette_offers_what_the_role_may_open(role, user_with):
    user = user_with(role)
    client = signed_in(user)
    offers = offers_to(user)

    for offer in offers:
        assert client.get(offer.url).status_code in {200, 302}, offer
    content = client.get(reverse("help")).content.decode()
    assert re.findall(r'data-href="([^"]+)"', content) == [offer.url for offer in offers]
    labels = {offer.label for offer in offers}
    assert ("Patients" in labels) == (role not in {None, Role.RESEARCHER})
    assert ("Texts of letters" in labels) == (role == Role.DATA_MANAGER)


def test_no_two_places_have_the_same_keys():
    keys = [place.keys for place in PLACES if place.keys]
    assert len(keys) == len(set(keys))
    # One key alone cannot also be the first of two.
    assert not {one for one in keys if " " not in one} & {one.split()[0] for one in keys if " " in one}


def test_who_is_not_signed_in_is_offered_nothing(db):
    content = Client().get(reverse("account_login")).content.decode()
    assert "palette" not in content
    assert "shortcuts.js" not in content
