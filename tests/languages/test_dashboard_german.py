"""Dashboards and their figures in German: words, decimal commas and days; what is stored and what is a file stay English."""

import json
import re
from html import unescape

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import translation

from accounts.models import Role
from analytics import dashboard, results, telling
from analytics.charts import FIGURES, render
from analytics.charts.numbers import localised
from analytics.models import Cohort, Result
from languages.wording import within
from tests.analytics.test_views import signed_in, treated  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}


@pytest.fixture
def client(treated, user_with):  # noqa: F811
    return signed_in(user_with(Role.PHYSICIAN))


def text_of(page) -> str:
    main = re.search(r"<main.*</main>", page.content.decode(), re.DOTALL)
    assert main
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main[0])).split())


def test_a_dashboard_speaks_german_with_decimal_commas_and_german_days(client):
    page = client.get(reverse("cohort-detail", args=["all"]), **GERMAN)
    said = text_of(page)
    assert page["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(page["Vary"].split(", "))
    for words in ("Überblick", "Bestes Gesamtansprechen", "Kaplan-Meier", "95-%-KI", "Methoden", "Tabelle 1"):
        assert words in said
    assert re.search(r"Datenschnitt \d\d\.\d\d\.\d{4}", said)
    assert "33,3 %" in said
    assert not re.search(r"\b(Survival|Overview|Courses|Response-evaluable|left out)\b", said)


def test_numbers_in_attributes_keep_their_point(client):
    page = client.get(reverse("cohort-detail", args=["all"]), **GERMAN).content.decode()
    attributes = re.findall(r'(?:data-[\w-]+|width|height|href|value|hx-get)="([^"]*)"', page)
    assert not [value for value in attributes if re.search(r"\d,\d", value)]


def test_english_is_as_it_was(client):
    said = text_of(client.get(reverse("cohort-detail", args=["all"])))
    assert "33.3 %" in said
    assert re.search(r"Data cut-off \d{4}-\d\d-\d\d · centre \w+", said)


@pytest.mark.parametrize(
    ("figure", "title", "words"),
    [
        ("pfs", "Progressionsfreies Überleben", "Monate seit der ersten Applikation"),
        ("os", "Gesamtüberleben", "Unter Risiko"),
        ("best-response", "Bestes Gesamtansprechen", "Partielles Ansprechen (PR)"),
        ("courses", "Therapien", "Abgebrochen"),
    ],
)
def test_a_figure_is_drawn_in_the_language_of_who_looks(client, figure, title, words):
    url = reverse("figure-spec", args=["all", figure])
    german, english = client.get(url, **GERMAN).json(), client.get(url).json()
    assert german["title"]["text"] == title
    assert words in json.dumps(german, ensure_ascii=False)
    assert german["config"]["locale"]["number"]["decimal"] == ","
    assert "locale" not in english["config"]
    assert english["title"]["text"] == FIGURES[figure].english


def test_a_drawing_follows_the_reader_and_its_numbers_as_csv_do_not(client):
    svg, csv = (
        client.get(reverse("figure-file", args=["all", "best-response", kind]), **GERMAN).content.decode()
        for kind in ("svg", "csv")
    )
    assert "Partielles Ansprechen (PR)" in svg
    assert "(100,0 %)" in svg
    assert "Partial response (PR)" in csv


def test_vega_writes_numbers_with_a_comma():
    with translation.override("de"):
        found = FIGURES["pfs"].build(
            {
                "cohort": "all",
                "name": "Alle",
                "revision": 1,
                "data_cutoff": "2020-01-31",
                "n_patients": 1200,
                "pfs": {
                    "n": 1200,
                    "events": 600,
                    "median_days": 305.0,
                    "median_ci95": [274.0, None],
                    "table": {
                        "days": [0, 305],
                        "at_risk": [1200, 1200],
                        "events": [0, 600],
                        "censored": [0, 600],
                        "survival": [1.0, 0.5],
                        "lower": [1.0, 0.4],
                        "upper": [1.0, 0.6],
                    },
                },
            },
            theme="print",
        )
    drawn = render(found, "svg").decode()
    assert "1.200" in drawn
    assert "Median 10,0 Monate" in drawn
    assert "Datenschnitt 31.01.2020" in drawn


def test_what_is_stored_is_english_whoever_looks_first(client):
    Result.objects.all().delete()
    client.get(reverse("cohort-detail", args=["all"]), **GERMAN)
    stored = json.dumps([result.data for result in Result.objects.exclude(data=None)])
    assert "Time zero is the first administration." in stored
    assert "Tumour type" in stored
    assert "Zeitnullpunkt" not in stored
    assert "Tumortyp" not in stored


def test_what_was_stored_is_told_again(client):
    result = results.payload(Cohort.objects.get(slug="all"), None)
    with translation.override("de"):
        shown = dashboard.of_result(result, dashboard.Behind("all"))
        assert [row["name"] for row in shown["table1"]["rows"][:2]] == ["Alter", "Ki-67"]
        assert shown["table1"]["columns"][0]["name"] == "Alle"
        assert str(dashboard.Number(1234)) == "1.234"
        assert str(dashboard.Number("withheld")) == "zurückgehalten"
        assert len(telling.definition_in_words(result["definition"])) == len(result["definition"]["in_words"])
    assert telling.definition_in_words(result["definition"]) == result["definition"]["in_words"]


def test_the_explorer_answers_in_german(client):
    page = text_of(
        client.get(reverse("cohort-explore"), {"endpoint": "pfs", "strata_by": "tumour_type"}, **GERMAN)
    )
    assert "Progressionsfreies Überleben nach" in page
    assert "Zeiten und Raten" in page
    assert not re.search(r"\b(Show|Question|Median follow-up|Patients|At risk)\b", page)


def test_nouns_keep_their_capitals_in_german():
    with translation.override(settings.LANGUAGE_CODE):
        assert (within("Overall survival"), localised("1,234.5")) == ("overall survival", "1,234.5")
    with translation.override("de"):
        assert (within("Gesamtüberleben"), localised("1,234.5")) == ("Gesamtüberleben", "1.234,5")
