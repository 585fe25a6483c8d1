"""Treatments speak German on a German page: days, advice, plans, checks and refusals; what they store stays English."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation

from accounts.errors import RegistryError
from accounts.models import Role
from tests.clinic.test_pages import signed_in
from tests.factories import CourseFactory, LabResultFactory, PatientFactory, make_user
from tests.treatments import test_advice
from treatments import services
from treatments.models import Administration, Cycle, CycleStatus, DoseDecision, Hold
from treatments.rules import ctcae, lab_tables, labs
from treatments.rules.advice import ADVICE_WORDS, CRITERION_WORDS, AdviceCode, fact_retold, until_retold
from treatments.rules.checks import activity_warnings
from treatments.rules.refusals import REFUSALS
from treatments.rules.schedule import HoldFact, plan_cycles
from treatments.rules.words import interval, span, when, written
from treatments.selectors.advice import LAB_WORDS

NBSP = "\N{NO-BREAK SPACE}"


def plain(words: str) -> str:
    return words.replace(NBSP, " ")


@pytest.fixture
def german():
    with translation.override("de"):
        yield


@pytest.mark.parametrize(
    ("days", "spanned", "ahead", "ago"),
    [
        (1, "1 Tag", "in 1 Tag", "vor 1 Tag"),
        (3, "3 Tage", "in 3 Tagen", "vor 3 Tagen"),
        (36, "5 Wochen", "in 5 Wochen", "vor 5 Wochen"),
        (100, "3 Monate", "in 3 Monaten", "vor 3 Monaten"),
        (2461, "6 J. 8 Mon.", "in 6 J. 8 Mon.", "vor 6 J. 8 Mon."),
    ],
)
def test_spans_stand_in_the_case_that_german_needs(german, days, spanned, ahead, ago):
    today = date(2019, 5, 1)
    other = timedelta(days=days)
    assert (plain(span(days)), plain(when(today + other, today)), plain(when(today - other, today))) == (
        spanned,
        ahead,
        ago,
    )


def test_today_and_intervals(german):
    assert when(date(2019, 5, 1), date(2019, 5, 1)) == "heute"
    assert [plain(interval(days)) for days in (7, 56, 60)] == ["1 Woche", "8 Wochen", "60 d"]


@pytest.mark.parametrize(
    ("english", "said"), [("7,400.5", "7.400,5"), ("62", "62"), ("0.05", "0,05"), ("1,000", "1.000")]
)
def test_a_number_written_in_english_is_told_with_german_signs(german, english, said):
    assert written(english) == said


def test_advice_says_values_days_and_activities_in_german(german):
    low = test_advice.advice(test_advice.cycle(1, 0), test_advice.lab("platelets", 20, "45.25", 3), today=50)
    assert low.facts == (
        "Thrombozyten 45,25 ×10⁹/L am 27.01.2019: Grad 3; pausieren bis Grad 1 oder besser.",
    )
    assert low.until == "Thrombozytopenie: Grad 1 oder besser"
    assert ADVICE_WORDS[low.code] == "Den nächsten Zyklus pausieren"


@pytest.mark.parametrize("seed", range(40))
def test_every_stored_advice_is_told_again_as_it_would_be_said_now(seed):
    facts = test_advice.random_facts(seed)
    stored = test_advice.advice(*facts, today=220, protocol=100)
    with translation.override("de"):
        said = test_advice.advice(*facts, today=220, protocol=100)
        assert (said.code, said.criteria, said.activity_mbq) == (
            stored.code,
            stored.criteria,
            stored.activity_mbq,
        )
        assert tuple(map(fact_retold, stored.facts)) == said.facts
        assert until_retold(stored.until) == said.until
    assert tuple(map(fact_retold, stored.facts)) == stored.facts


def test_missing_values_and_words_of_others_are_told_again(german):
    assert fact_retold("Missing or too old: alkaline phosphatase, platelets (of 2019-03-04).") == (
        "Fehlend oder zu alt: alkalische Phosphatase, Thrombozyten (vom 04.03.2019)."
    )
    assert fact_retold("Frail, and 7.4 of something.") == "Frail, and 7.4 of something."
    assert until_retold("Wait for the tumour board") == "Wait for the tumour board"


def test_a_hold_and_its_review_are_told_in_the_language_of_who_asks():
    plan = plan_cycles(
        numbers=[1, 2],
        given_on={1: date(2019, 1, 7)},
        interval_days=56,
        holds={2: [HoldFact(date(2019, 3, 1), date(2019, 3, 18), is_open=True)]},
    )
    assert plain(plan[2].why) == (
        "8 weeks after cycle 1, given 2019-01-07; moved 2 weeks by the hold of 2019-03-01, to be reviewed 2019-03-18"
    )
    with translation.override("de"):
        assert plain(plan[2].why) == (
            "8 Wochen nach Zyklus 1, gegeben am 07.01.2019; um 2 Wochen verschoben durch die Pause vom 01.03.2019,"
            " zu überprüfen am 18.03.2019"
        )


def test_checks_labs_and_grades_in_german(german):
    (warned,) = activity_warnings(
        before_mbq=Decimal(29600), this_mbq=Decimal(7400), limit_mbq=Decimal(29600), lot="", lots={}
    )
    assert plain(warned.message) == (
        "Damit sind in dieser Therapie 37.000,0 MBq gegeben; das Protokoll sieht 29.600,0 MBq vor."
    )
    assert labs.plausibility(Decimal("7.4"), labs.ANALYTES["platelets"]) == (
        "Thrombozyten: 7,4 ×10⁹/L ist unwahrscheinlich (üblich: 20 bis 1000 ×10⁹/L). Bitte den Wert und seine Einheit"
        " prüfen."
    )
    assert ctcae.grade("alt", Decimal(30)).reason == "ALT: obere Referenzgrenze nötig."
    with pytest.raises(lab_tables.TableError, match="Zeile 2, Spalte 2"):
        lab_tables.read_table("analyte,value,taken_at\nHb,x,2019-03-04")


@pytest.mark.parametrize("code", labs.ANALYTES)
def test_the_page_knows_an_analyte_by_its_german_name_too(german, code):
    assert labs.ANALYTES[code].label in lab_tables.known_names()[code]
    assert labs.ANALYTES[code].name in lab_tables.known_names()[code]
    assert code in LAB_WORDS


def test_word_tables_are_complete(german):
    assert set(ADVICE_WORDS) == set(AdviceCode)
    assert CRITERION_WORDS["hepatic"] == "hepatische Toxizität"
    assert [str(label) for label in CycleStatus.labels] == ["Geplant", "Pausiert", "Gegeben", "Gestrichen"]


def test_what_the_database_refuses_is_told_again(german):
    assert REFUSALS.retold("The patient died on 2019-05-01: cycle given on 2019-05-02 cannot be later.") == (
        "Der Patient verstarb am 01.05.2019: Ein Zyklus kann nicht später (02.05.2019) gegeben worden sein."
    )
    assert REFUSALS.retold(
        "The patient was born on 1950-01-01: the laboratory value of 1949-01-01 cannot be earlier."
    ) == ("Geburtsdatum 01.01.1950: Laborwert vom 01.01.1949 kann nicht früher liegen.")


@pytest.mark.django_db
def test_a_constraint_and_an_act_refuse_in_german(german):
    course = CourseFactory(given=1)
    first = course.cycles.get(number=1)
    with pytest.raises(ValidationError) as refused:
        Hold(
            cycle=first, held_on=date(2019, 3, 2), review_on=date(2019, 3, 1), reason="renal"
        ).validate_constraints()
    assert refused.value.messages == ["Eine Pause kann nicht überprüft werden oder enden, bevor sie begann."]
    with pytest.raises(RegistryError) as refusal:
        services.hold_cycle(cycle=first, held_on=date(2019, 3, 1), reason="renal", by=None)
    assert refusal.value.message == (
        f"{course.patient} Therapie 1 Zyklus 1 ist gegeben: Nur ein geplanter Zyklus kann pausiert werden."
    )


@pytest.mark.django_db
def test_a_decision_on_a_german_page_is_stored_in_english():
    patient = PatientFactory()
    physician = make_user(role=Role.PHYSICIAN, centre=patient.centre)
    course = CourseFactory(patient=patient, given=1)
    now = datetime.now(UTC)
    Administration.objects.filter(cycle__course=course).update(administered_at=now - timedelta(weeks=7))
    Cycle.objects.filter(course=course, number=2).update(planned_on=(now + timedelta(weeks=1)).date())
    LabResultFactory(patient=patient, taken_at=now - timedelta(days=2), value=Decimal(60))
    url = reverse("cycle-decide", args=[patient.pk, course.cycles.get(number=2).pk])
    client = signed_in(physician)

    page = client.get(url, HTTP_ACCEPT_LANGUAGE="de").content.decode()
    assert "Thrombozyten 60 ×10⁹/L am" in page
    answer = client.post(url, {"decision": "hold", "reason": ""}, HTTP_ACCEPT_LANGUAGE="de")
    assert answer.status_code == 302

    decided = DoseDecision.objects.get()
    (fact,) = decided.advice_facts
    assert fact.startswith("Platelets 60 ×10⁹/L on ")
    assert fact.endswith(": grade 2; hold until grade 1 or better.")
    assert Hold.objects.get().note == "thrombocytopenia: grade 1 or better"
    with translation.override("de"):
        assert fact_retold(fact).startswith("Thrombozyten 60 ×10⁹/L am ")
        assert until_retold(Hold.objects.get().note) == "Thrombozytopenie: Grad 1 oder besser"
