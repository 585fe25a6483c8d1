"""What is due, lists, the timeline and figures in German; codes, coordinates and numbers for programs stay as they are."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation
from openpyxl import load_workbook

from accounts.models import Role
from analytics import freshness
from clinic.charts.laboratory import laboratory_csv, laboratory_spec
from clinic.charts.numbers import plain, signed
from clinic.selectors import laboratory, roster, timeline, worklist
from clinic.selectors.chart import patient_chart
from clinic.selectors.response import _span
from clinic.selectors.words import state_within
from languages.wording import within
from tests.clinic.test_pages import signed_in
from tests.factories import AdverseEventFactory, CourseFactory, LabResultFactory, PatientFactory, make_user

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)  # noon: the same day at every centre


@pytest.fixture
def nurse(centre):
    return make_user(role=Role.COORDINATOR, centre=centre, username="nurse")


def reasons(user) -> dict[str, tuple[str, str]]:
    found = worklist.worklist(user, NOW)
    return {
        part.kind.key: (row.what, row.why.replace("\N{NO-BREAK SPACE}", " "))
        for part in found.parts
        for row in part.rows
    }


def test_what_is_due_says_why_in_german(centre, nurse):
    course = CourseFactory(patient=PatientFactory(centre=centre))
    planned_on = NOW.date() - timedelta(days=1300)
    for number in (1, 2, 3, 4):
        course.cycles.filter(number=number).update(planned_on=planned_on + timedelta(days=56 * number))
    toxic = PatientFactory(centre=centre)
    onset_on = NOW.date() - timedelta(days=5)
    AdverseEventFactory(patient=toxic, term="Nausea", grade=3, onset_on=onset_on, resolved_on=None)
    english = reasons(nurse)
    with translation.override("de"):
        german = reasons(nurse)
    assert english.keys() == german.keys()
    window_days = course.protocol.window_days
    first_on = planned_on + timedelta(days=56)
    past = f"{(NOW.date() - first_on).days - window_days:,}"
    assert english["overdue"][0] == "Cycle 1 of 4, overdue"
    assert f"({past} d)" in english["overdue"][1]
    what, why = german["overdue"]
    assert what == "Zyklus 1 von 4, überfällig"
    assert why.startswith(f"Geplant am {first_on:%d.%m.%Y}, Zeitfenster abgelaufen ")
    assert f"({past.replace(',', '.')} d)" in why
    assert f"Zeitfenster ± {window_days} d" in why
    what, why = german["toxicity"]
    assert what == "Nausea, Grad 3"
    assert why.startswith(f"Seit {onset_on:%d.%m.%Y}, ")
    assert "nicht abgeklungen. Zusammenhang: " in why
    assert german["baseline"][0] == "Baseline-Untersuchung fehlt"


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        ("en-gb", "0.0 months (1 day)", "0.1 months (2 days)"),
        ("de", "0,0 Monate (1 Tag)", "0,1 Monate (2 Tage)"),
    ],
)
def test_a_span_has_its_plural(language, one, two):
    with translation.override(language):
        assert (_span(1), _span(2)) == (one, two)


def test_missing_values_are_counted_in_german(centre, nurse):
    patient = PatientFactory(centre=centre)
    course = CourseFactory(patient=patient)
    course.cycles.filter(number=1).update(planned_on=NOW.date())
    protocol = course.protocol
    with translation.override("de"):
        many = patient_chart(nurse, patient, NOW).courses[0].matrix[1].labs.word
        for analyte in protocol.labs_before_cycle[1:]:
            LabResultFactory(patient=patient, analyte=analyte, value=Decimal(50), taken_at=NOW)
        one = patient_chart(nurse, patient, NOW).courses[0].matrix[1].labs.word
    assert many == f"{len(protocol.labs_before_cycle)} fehlen"
    assert one == "1 fehlt"


def test_the_file_of_the_list_has_german_heads_and_values_for_programs(centre, nurse):
    patient = PatientFactory(centre=centre)
    CourseFactory(patient=patient, given=2)
    freshness.refresh_inline()
    client = signed_in(nurse)
    asked = "column=age&column=last_given&column=activity&column=state&sort=-started&status=ongoing"
    answer = client.get(f"/patients/list.csv?{asked}", **GERMAN)
    head, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head == ["Registernummer", "Alter (J.)", "Stand", "Letzter Zyklus", "Insgesamt appliziert (GBq)"]
    assert row[0] == patient.registry_number
    assert row[2:] == ["Laufend", "2019-03-04", "14.8"]
    book = load_workbook(io.BytesIO(client.get(f"/patients/list.xlsx?{asked}", **GERMAN).content))
    rows = list(book.active.iter_rows(values_only=True))
    assert list(rows[0]) == head
    assert (rows[1][3].date(), rows[1][4]) == (date(2019, 3, 4), 14.8)


def test_the_words_of_filters_are_german_and_their_keys_are_not():
    with translation.override("de"):
        assert roster.FILTER_WORDS["died"] == "Verstorben, gleich in welchem Therapieverlauf"
        assert roster.STATES["ongoing"] == "Laufend"
        assert list(roster.STATES) == [
            "ongoing", "completed", "discontinued", "died", "not_started", "pending",
        ]  # fmt: skip
    assert roster.STATES["ongoing"] == "Ongoing"


def test_the_timeline_says_german_words_in_the_same_places(centre, nurse):
    patient = PatientFactory(centre=centre)
    CourseFactory(patient=patient, given=2)
    freshness.refresh_inline()
    english = timeline.timeline(patient_chart(nurse, patient, NOW))
    with translation.override("de"):
        german = timeline.timeline(patient_chart(nurse, patient, NOW))
    assert [tick.x for tick in english.ticks] == [tick.x for tick in german.ticks]
    assert english.height == german.height
    words = [mark.words for mark in german.marks]
    assert "Zyklus 1 von Therapie 1 gegeben, 7,4\N{NO-BREAK SPACE}GBq netto" in words
    assert [track.name for track in german.tracks][:2] == ["Erkrankung", "Behandlung"]


def test_a_figure_of_laboratory_values_is_german_and_its_numbers_are_not(centre):
    patient = PatientFactory(centre=centre)
    LabResultFactory(patient=patient, value=Decimal("210.5"), taken_at=datetime(2019, 1, 4, 7, tzinfo=UTC))
    numbers = laboratory_csv(laboratory.series_of(laboratory.facts_of(patient), "platelets"))
    with translation.override("de"):
        series = laboratory.series_of(laboratory.facts_of(patient), "platelets")
        assert laboratory_csv(series) == numbers
        spec = laboratory_spec(series)
        assert "1 Wert: erster 210,5 ×10⁹/L am 04.01.2019" in series.alt
    assert spec["config"]["locale"]["number"]["decimal"] == ","
    (plot,) = spec["vconcat"]
    points = plot["layer"][-1]["data"]["values"][0]
    assert (points["value"], points["said"], points["on"]) == (210.5, "210,5 ×10⁹/L", "04.01.2019")
    assert points["at"].startswith("2019-01-04T")
    assert plot["layer"][-1]["encoding"]["x"]["axis"]["format"] == "%d.%m.%Y"
    assert "locale" not in laboratory_spec(series)["config"]


def test_numbers_lose_needless_zeros_alone():
    with translation.override("de"):
        assert [plain(Decimal(one)) for one in ("7.50", "100", "0.0", "1E+2")] == ["7,5", "100", "0", "100"]
        assert [signed(Decimal(one)) for one in ("-2.14", "0.35", "0.01")] == ["−2,1", "+0,4", "0,0"]
    assert plain(Decimal("2.345"), 2) == "2.35"
    assert re.fullmatch(r"\+0\.4", signed(Decimal("0.35")))


def test_labels_within_a_sentence_keep_the_capitals_of_german_nouns():
    assert (within("Patient's wish"), state_within("On hold")) == ("patient's wish", "on hold")
    with translation.override("de"):
        assert within("Wunsch des Patienten") == "Wunsch des Patienten"
        assert state_within("Im Zeitfenster") == "im Zeitfenster"
        assert state_within("PD") == "PD"
