"""An import in German: its pages, its problems and the file that comes back; what is stored of it stays English."""

import io

import pytest
from django.test import Client
from django.utils import translation
from openpyxl import load_workbook

from accounts.models import Centre, User
from exchange import importing
from exchange.columns import SHEETS
from exchange.forms import column_words, targets
from exchange.models import Import
from exchange.telling import COLUMN_WORDS, SHEET_WORDS, told
from tests.clinic.test_pages import signed_in
from tests.exchange.conftest import station, tables  # noqa: F401
from tests.exchange.sheets import CLEAR, NEXT, messy
from tests.exchange.test_import_pages import map_and_check, send, zipped

GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def client(data_manager: User) -> Client:
    return signed_in(data_manager)


@pytest.fixture
def german(client: Client) -> Client:
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    return client


def test_the_problem_of_a_messy_sheet_is_told_in_german_and_stored_in_english(
    station: Centre,  # noqa: F811
    german: Client,
):
    send(german, station, messy(*NEXT))
    job = Import.objects.get()
    map_and_check(german, job)

    job.refresh_from_db()
    assert [one["expected"] for one in job.problems] == [
        "could be 1959-03-04 or 1959-04-03: say in the columns step whether the day or the month stands first"
    ]
    page = german.get(f"/imports/{job.pk}/").content.decode()
    assert (
        "könnte 04.03.1959 oder 03.04.1959 sein: im Schritt „Spalten“ angeben, ob der Tag oder der Monat zuerst steht"
        in page
    )
    assert "Nicht importiert: Die Datei hat Probleme" in page
    in_english = german.get(f"/imports/{job.pk}/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
    assert "could be 1959-03-04 or 1959-04-03: say in the columns step" in in_english


def test_the_annotated_file_speaks_the_language_of_who_downloads_it_and_comes_back(
    station: Centre,  # noqa: F811
    german: Client,
):
    send(german, station, messy(*NEXT))
    job = Import.objects.get()
    map_and_check(german, job)

    content = german.get(f"/imports/{job.pk}/download/").content
    rows = list(load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))
    assert rows[3][-1] == "Probleme"
    assert rows[9][-1].startswith("Geburtsdatum: könnte 04.03.1959 oder 03.04.1959 sein")

    # Annotated anew in English, the German column is taken for what it is: there is one.
    send(german, station, content)
    again = Import.objects.exclude(pk=job.pk).get()
    map_and_check(german, again)
    content = german.get(f"/imports/{again.pk}/download/", HTTP_ACCEPT_LANGUAGE="en").content
    rows = list(load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))
    assert [cell for cell in rows[3] if cell in {"Probleme", "problems"}] == ["problems"]
    assert rows[9][-1].startswith("Geburtsdatum: could be 1959-03-04")


def test_a_cohort_file_annotated_in_german_is_read_again(station: Centre, german: Client, tables):  # noqa: F811
    tables["cycles"][0]["administered_at"] = "4 March"
    send(german, station, zipped(tables), "cohort.zip")
    job = Import.objects.get()
    german.post(f"/imports/{job.pk}/check/", {"reason": ""})
    content = german.get(f"/imports/{job.pk}/download/").content
    job.refresh_from_db()
    n = job.n_problems

    send(german, station, content, "cohort.zip")
    again = Import.objects.exclude(pk=job.pk).get()
    german.post(f"/imports/{again.pk}/check/", {"reason": ""})

    again.refresh_from_db()
    assert n >= 1
    assert [one["expected"] for one in again.problems] == [one["expected"] for one in job.problems]


@pytest.mark.parametrize(
    ("stored", "german"),
    [
        ("expected a number above 0 up to 20000", "erwartet: eine Zahl über 0 bis 20000"),
        ("expected a value; one of female, male", "erwartet: ein Wert; eines von female, male"),
        (
            "expected a number with a decimal point, such as 7391.5; a comma is ambiguous",
            "erwartet: eine Zahl mit Dezimalpunkt, etwa 7391.5; ein Komma ist mehrdeutig",
        ),
        ("could be 7.400 or 7400: say in the columns step whether decimals stand behind a comma or a point",
         "könnte 7,400 oder 7400 sein: im Schritt „Spalten“ angeben, ob Dezimalstellen hinter einem Komma oder einem"
         " Punkt stehen"),
        ("a file may hold 500,000 rows; split it by patients",
         "eine Datei darf 500.000 Zeilen enthalten; bitte nach Patienten aufteilen"),
        ("administration on 2019-03-04, but the patient died on 2019-02-01",
         "Applikation am 04.03.2019, verstorben ist der Patient aber am 01.02.2019"),
        ("the registry holds “0042”: a correction, which needs a reason",
         "im Register steht „0042“: eine Korrektur, die eine Begründung braucht"),
        ("the registry holds another value: a correction, which needs a reason",
         "im Register steht ein anderer Wert: eine Korrektur, die eine Begründung braucht"),
        ("expected at most 1 decimal place(s)", "erwartet: höchstens 1 Dezimalstelle(n)"),
        ("expected at most 1,000,000 µmol/L", "erwartet: höchstens 1.000.000 µmol/L"),
        ("Creatinine: 4.9 µmol/L cannot be. Accepted: 5 to 3000 µmol/L. Check the unit",
         "Kreatinin: 4,9 µmol/L kann nicht sein. Zulässig: 5 bis 3000 µmol/L. Bitte die Einheit prüfen"),
        ("row 7 says “1949-11-30” of the same patient: correct one, or leave it out",
         "in Zeile 7 steht zum selben Eintrag (Patient) „1949-11-30“: bitte eine der beiden Angaben korrigieren oder"
         " weglassen"),
        ("expected nothing, since the cycle is planned, not given",
         "erwartet: leer, denn der Zyklus ist „Geplant“, nicht gegeben"),
        (
            "There are 6 target lesions: RECIST 1.1 takes at most 5. Make the others non-target lesions",
            "Es gibt 6 Target-Läsionen: RECIST 1.1 erlaubt höchstens 5. Die übrigen zu Non-Target-Läsionen machen",
        ),
        (
            "There are 3 target lesions in one organ (liver: L1, L2, L3): RECIST 1.1 takes at most 2; lymph nodes count as"
            " one organ. Make the others non-target lesions",
            "Es gibt 3 Target-Läsionen in einem Organ (Leber: L1, L2, L3): RECIST 1.1 erlaubt höchstens 2; Lymphknoten"
            " zählen als ein Organ. Die übrigen zu Non-Target-Läsionen machen",
        ),
        (
            "STA-0001, interim of 2019-05-13, first reader: SD was read; derived is PR: sum 30 mm is 59.5 % below the"
            " baseline of 74 mm on 2018-12-17; non-target lesion L4 not evaluated",
            "STA-0001, Interim vom 13.05.2019, Erstbefundung: befundet wurde SD; abgeleitet ist PR: Summe 30 mm"
            " liegt 59,5 % unter der Baseline von 74 mm am 17.12.2018; Non-Target-Läsion L4 nicht beurteilt",
        ),
        ("cycles: this column is missing", "cycles: diese Spalte fehlt"),
        ("Writing lab_results", "Wird geschrieben: Laborwerte"),
        ("what nobody has ever written", "what nobody has ever written"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_was_stored_is_told_in_german_with_its_days_and_numbers(stored: str, german: str):
    with translation.override("de"):
        assert told(stored) == german
    with translation.override("en-gb"):
        assert told(stored) == stored


def test_every_sheet_and_column_has_words_that_are_its_name_in_english():
    assert list(SHEET_WORDS) == [sheet.name for sheet in SHEETS]
    with translation.override("en-gb"):
        assert {name: str(words) for name, words in SHEET_WORDS.items()} == {
            sheet.name: sheet.name.replace("_", " ") for sheet in SHEETS
        }
        wrong = [
            name for name, words in COLUMN_WORDS.items()
            if str(words) != ("MRN" if name == "mrn" else name.replace("_", " "))
        ]  # fmt: skip
        assert not wrong
        assert {column_words(column) for sheet in SHEETS for column in sheet.columns} >= {
            "administered activity (MBq)", "MRN", "registry number",
        }  # fmt: skip
    with translation.override("de"):
        assert ("cycles.administered_activity_mbq", "applizierte Aktivität (MBq)") in dict(targets())[
            "Zyklen"
        ]


def test_the_pages_of_an_import_speak_german_to_its_end(station: Centre, german: Client):  # noqa: F811
    row = list(CLEAR[0])
    send(german, station, messy(row, clear=False))
    job = Import.objects.get()
    page = german.get(f"/imports/{job.pk}/columns/").content.decode()
    assert "Was jede Spalte bedeutet" in page
    assert "Zyklus 1 · Datum bedeutet" in page
    map_and_check(german, job)
    page = german.get(f"/imports/{job.pk}/").content.decode()
    assert "Geprüft: Noch ist nichts gespeichert" in page
    german.post(f"/imports/{job.pk}/start/")
    importing.run(job.pk)
    page = german.get(f"/imports/{job.pk}/").content.decode()
    assert "Diesen Import rückgängig machen" in page
    assert "Therapieverläufe" in page
    page = german.get(f"/imports/{job.pk}/undo/").content.decode()
    assert "Einträge, die durch ihn entstanden, werden ungültig" in page
    page = german.post(f"/imports/{job.pk}/undo/", {"reason": "Falsche Datei"}, follow=True).content.decode()
    assert "Der Import wurde rückgängig gemacht." in page


def test_a_file_that_is_not_taken_is_refused_in_german(station: Centre, german: Client):  # noqa: F811
    page = send(german, station, b"   ").content.decode()
    assert "Die Datei ist leer." in page
    page = send(german, station, b"\0\0\0abc").content.decode()
    assert "Erwartet: eine CSV-Datei, eine .xlsx-Arbeitsmappe oder ein .zip mit CSV-Dateien." in page
