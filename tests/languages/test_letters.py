"""Letters in German: their fixed parts, days and numbers, the text that is shipped, and one that a centre wrote."""

import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import translation

from accounts.models import Role
from analytics.report.document import Table
from clinic.letters import pdf
from clinic.letters.placeholders import Kind, of_kind, sample
from clinic.letters.shipped import SHIPPED
from clinic.letters.text import blocks_of, letter, problems
from tests.clinic.test_letters import cycle_url, edit_url, page, patient, printed, store, summary_url
from tests.clinic.test_pages import signed_in

__all__ = ["patient"]  # a fixture

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
NAMES = re.compile(r"\{\w+\}")


@pytest.mark.parametrize("kind", list(Kind))
def test_the_german_text_has_the_placeholders_of_the_english_one(kind):
    english = SHIPPED[kind]
    with translation.override("de"):
        german = SHIPPED[kind]
        assert problems(kind, title=german.title, body=german.body) == {}
        assert "nicht dokumentiert" not in str(blocks_of(german.body, sample(kind)))
    assert german.body != english.body
    assert sorted(NAMES.findall(german.title)) == sorted(NAMES.findall(english.title))
    assert sorted(NAMES.findall(german.body)) == sorted(NAMES.findall(english.body))


def test_a_cycle_letter_in_german(patient, physician):
    answer = signed_in(physician).get(cycle_url(patient, 2, "cycle-letter-pdf"), **GERMAN)
    said = printed(answer.content)
    for words in (
        "Brief zu Zyklus 2",
        "Sehr geehrte Kolleginnen und Kollegen",
        "geboren am 02.03.1957",
        "Registernummer: STA-0001",
        "wurde am 04.03.2019 Zyklus 2 von 4",
        "Beginn der Infusion: 04.03.2019",
        "Verordnete Aktivität: 7.400,0 MBq",
        "Abweichung −0,1 %",
        "Charge: nicht dokumentiert",
        "Aktivität dieser Therapie bisher: 14,8 GBq",
        "Nächster Zyklus: 29.04.2019 (Zyklus 3)",
        "Neueste Laborwerte bis 04.03.2019",
        "74 ×10⁹/L",
        "mitgelieferter",
        "1 von 1",
    ):
        assert words in said, words
    for words in ("not recorded", "Cycle", "2019-", "7,400.0", "Given", "Lot", "made"):
        assert words not in said, words


def test_a_therapy_summary_in_german(patient, physician):
    said = page(signed_in(physician).get(summary_url(patient), **GERMAN))
    for words in (
        "Therapiezusammenfassung: Therapie 1",
        "Laufend: 2 von 4 Zyklen gegeben.",
        "Gegebene Zyklen: 2 von 4, von 07.01.2019 bis 04.03.2019",
        "in der Untersuchung vom 01.04.2019",
        "Unerwünschtes Ereignis",
        "Energiedosen, lebenslang",
    ):
        assert words in said, words


def test_the_pdf_says_its_language():
    with translation.override("de"):
        made = letter(
            Kind.CYCLE_LETTER,
            SHIPPED[Kind.CYCLE_LETTER],
            sample(Kind.CYCLE_LETTER),
            registry_number="STA-0001",
            number=1,
            made_at=datetime(2019, 1, 1, tzinfo=UTC),
            whose="STA",
        )
        assert pdf.content(made)["language"] == "de"
        assert made.foot.startswith("STA-0001 · Zyklusbrief · erstellt 01.01.2019 00:00 (UTC)")
        assert b"/Lang(de)" in pdf.make(made)


def test_what_a_centre_wrote_keeps_its_words_and_its_placeholders(patient, centre, data_manager, physician):
    store(centre, data_manager, "From Stuttgart: {administered_activity_mbq}, {lot}\n\n{cycles_table}")
    said = page(signed_in(physician).get(cycle_url(patient, 1), **GERMAN))
    assert "From Stuttgart: 7.391,5 MBq, nicht dokumentiert" in said.replace("\N{NO-BREAK SPACE}", " ")
    assert "Verordnet (MBq)" in said


def test_the_placeholders_are_explained_in_german_under_their_own_names(centre, user_with):
    client = signed_in(user_with(Role.DATA_MANAGER))
    said = page(client.get(edit_url(centre, Kind.CYCLE_LETTER), **GERMAN))
    assert "<dt><code>{birth_date}</code></dt><dd>Geburtsdatum</dd>" in said
    assert "Sehr geehrte Kolleginnen" in said
    assert "Dear colleague" in page(client.get(edit_url(centre, Kind.CYCLE_LETTER)))
    with translation.override("de"):
        examples = {one.name: one.example for one in of_kind(Kind.CYCLE_LETTER)}
    assert examples["given_on"] == "04.03.2019"
    assert isinstance(examples["cycles_table"], Table)
    assert examples["cycles_table"].head[0] == "Zyklus"


def test_a_letter_in_english_is_not_changed_by_a_german_one_before_it(patient, physician):
    client = signed_in(physician)
    url = reverse("cycle-letter", args=[patient.pk, patient.courses.get().cycles.get(number=1).pk])
    client.get(url, **GERMAN)
    assert "Start of the infusion: 2019-01-07 10:30" in page(client.get(url))
