"""What analyses say, in German: definitions, times, refusals, queries, reports. What is stored stays English."""

import re
from datetime import date

import pytest
from django.urls import reverse
from django.utils import translation

from accounts.models import Role
from analytics import freshness, job_words, jobs, locks
from analytics.models import Cohort, DataQueryAnswer, JobState, Outcome, QueryRule, Result
from analytics.report import content, pdf
from analytics.report.work import language_for
from analytics.rules import data_queries, endpoints, sentences
from analytics.rules.endpoints import EndpointDefinition, TimeToEvent
from tests.analytics.test_report import cohort, signed_in, texts, treated  # noqa: F401 (fixtures)
from treatments.rules.labs import ANALYTES

FACTS = {
    "labs_missing": {"within_days": 14, "missing": ["platelets", "alt"], "old": {"creatinine": "2026-05-01"}},
    "activity_deviation": {"net_mbq": "5500.0", "prescribed_mbq": "7400.0"},
    "cycle_date_past": {"planned_on": "2026-05-01", "window_days": 7},
    "baseline_missing": {"performed_on": None, "study": None},
    "imaging_missing": {"due_on": "2026-05-01"},
    "final_imaging_missing": {"due_on": "2026-05-01"},
    "progression_not_noted": {"performed_on": "2026-04-01"},
    "follow_up_old": {"last_alive_on": "2025-05-01"},
    "death_cause_unknown": {"died_on": "2026-05-01"},
    "course_open_after_death": {"died_on": "2026-05-01"},
    "diagnosis_missing": {"registered_on": "2026-05-01"},
}


@pytest.fixture
def german():
    with translation.override("de"):
        yield


def test_an_endpoint_definition_is_told_in_german(german):
    said = EndpointDefinition(confirmation="required", landmark_months=(6, 12)).in_words()
    assert said[0] == "Zeitpunkt null ist die erste Applikation."
    assert any(
        one.startswith("Progressionsfreies Überleben (PFS): Ereignis ist das Erste von") for one in said
    )
    assert "Landmark-Raten sind für 6 und 12 Monate angegeben; ein Monat hat 30,4375 Tage." in said


def test_the_sentences_of_a_figure_are_the_same_in_every_language(german):
    definition = EndpointDefinition(missed_assessments="censor", interval="wilson", sd_minimum_days=42)
    for figure in ("", "pfs", "os", "ttr", "dor", "ttnt", "ttd", "best-response"):
        told = definition.in_words(figure)
        with translation.override("en-gb"):
            english = definition.in_words(figure)
        assert len(told) == len(english)
        assert not set(told) & set(english)


@pytest.mark.parametrize(
    ("event", "basis", "said"),
    [
        (True, "death", "Ereignis am 04.11.2019: Tod"),
        (True, "response:CR", "Ereignis am 04.11.2019: erstes Ansprechen (CR)"),
        (True, "discontinued:patient_choice", "Behandlung abgebrochen (Wunsch des Patienten)"),
        (False, "last_adequate_assessment", "zensiert am 04.11.2019: letzte ausreichende Beurteilung"),
        (False, "no_response:before_death", "bis dahin kein Ansprechen (vor dem Tod)"),
    ],
)
def test_what_decided_a_time_is_told_from_its_stored_code(german, event, basis, said):
    assert said in TimeToEvent(days=412, event=event, on=date(2019, 11, 4), basis=basis).reason()


def test_stored_problems_and_reasons_are_told_again_with_their_days_and_parts(german):
    problem = "contact with the patient on 2020-05-02: expected on or before the death on 2020-03-01"
    told = "Kontakt mit dem Patienten am 02.05.2020: erwartet an oder vor dem Todestag 01.03.2020"
    assert endpoints.PROBLEMS.retold(problem) == told
    reason = "The course is discontinued; the patient died before a later assessment."
    assert endpoints.EVALUABLE_REASONS.retold(reason).startswith("Die Therapie ist abgebrochen;")


@pytest.mark.parametrize("stored", [sentences.REFUSALS, sentences.NOTES, endpoints.PROBLEMS, job_words.STEPS])
def test_every_stored_sentence_is_told_again(german, stored):
    for message in stored._messages:
        places = set(re.findall(r"\{(\w+)\}", message))
        told = stored.retold(message.format_map(dict.fromkeys(places, "12.5")))
        assert told != message.format_map(dict.fromkeys(places, "12.5"))
        assert "{" not in told
        assert told.count("12,5") == len(places)


def test_names_in_a_stored_refusal_are_told_one_by_one(german):
    names = {"Female": "weiblich", "Age": "Alter"}
    refused = "no events where Female 1, Age 64.5: a hazard ratio is 0 or infinite"
    told = sentences.REFUSALS.retold(refused, lambda name: names.get(name, name))
    assert told == "keine Ereignisse bei weiblich 1, Alter 64,5: eine Hazard Ratio ist 0 oder unendlich"


def test_every_query_is_worded_in_german_from_its_facts(german):
    assert set(FACTS) == set(data_queries.RULES)
    for rule, more in FACTS.items():
        facts = {"cycle": 2, "given_on": "2026-05-20", **more}
        what, why = data_queries.words(rule, facts)
        with translation.override("en-gb"):
            asked, because = data_queries.words(rule, facts)
        assert what != asked
        assert why != because
        assert not re.search(r"\d{4}-\d\d-\d\d|\b(cycle|was|given|recorded|the)\b", f"{what} {why}")
        assert str(QueryRule(rule).label) != data_queries.RULES[rule].title
    facts = {"cycle": 2, "given_on": "2026-05-20", **FACTS["labs_missing"]}
    assert data_queries.words("labs_missing", facts)[1].startswith(
        "Zyklus 2 wurde am 20.05.2026 gegeben; davor nicht gemessen: Thrombozyten, ALT; älter als"
    )
    facts = {"cycle": 2, "given_on": "2026-05-20", **FACTS["activity_deviation"]}
    assert data_queries.words("activity_deviation", facts)[1].startswith("5.500,0\N{NO-BREAK SPACE}MBq netto")


def test_laboratory_values_are_named_within_a_sentence_as_in_the_list_of_values():
    assert set(data_queries._ANALYTES) == set(ANALYTES)
    for code, analyte in ANALYTES.items():
        assert data_queries._analyte(code).lower() == analyte.label.lower()


def test_what_a_rule_wrote_is_told_again_and_what_a_person_wrote_is_not(german):
    assert DataQueryAnswer(text=data_queries.RULE_CLOSED).said == "Die Daten geben keinen Anlass mehr dazu."
    assert DataQueryAnswer(text=data_queries.RULE_CLOSED, by_id=1).said == data_queries.RULE_CLOSED


def test_what_is_derived_and_locked_under_german_is_english(treated, cohort, german):  # noqa: F811
    Result.objects.all().delete()
    Outcome.objects.update(response_evaluable_reason="")
    courses = Outcome.objects.values_list("course_id", flat=True)
    freshness.derive_again(list(courses), cohort.definition_id)
    freshness.recompute(cohort, ["STA"])
    told = set(Outcome.objects.values_list("response_evaluable_reason", flat=True))
    assert "The course is completed, with a baseline scan and a later assessment." in told
    assert told - {""} <= set(endpoints.EVALUABLE_REASONS._messages)
    data = Result.objects.get(cohort=cohort).data
    assert data["definition"]["in_words"][0] == "Time zero is the first administration."
    assert data["table1"]["columns"][0]["name"] == "All"

    frozen = locks.lock(cohort, "german", ["STA"], None)
    with translation.override("en-gb"):
        other = locks.lock(cohort, "english", ["STA"], None)
        assert (frozen.content_hash, frozen.results_hash) == (other.content_hash, other.results_hash)
        assert locks.verify(frozen) == []
    assert locks.verify(other) == []


def test_a_report_speaks_german_with_decimal_commas_and_german_days(treated, cohort, user_with):  # noqa: F811
    user = user_with(Role.PHYSICIAN)
    with translation.override("de"):
        report = content.report(cohort, user)
    assert report.language == "de"
    assert [one.title for one in report.sections][:4] == [
        "Methoden",
        "Patientenfluss",
        "Patienten zu Beginn",
        "Progressionsfreies Überleben",
    ]
    said = "\n".join(texts(report))
    assert "Keine Toxizität" in said or "Toxizität, höchster Grad jedes Begriffs" in said
    assert re.search(r"\d,\d %", said)
    assert "Konfidenzintervall" in said
    assert not re.search(r"\b(administration|Completed|Months|Missing|not reached|cut-off)\b", said)
    assert not re.search(r"\d{4}-\d\d-\d\d", said)


def test_a_report_is_made_in_the_language_of_who_asked(
    treated,  # noqa: F811
    cohort,  # noqa: F811
    user_with,
    client,
    monkeypatch,
):
    made = []
    monkeypatch.setattr(
        pdf, "make", lambda report, drawing: made.append(report) or drawing("pfs", 0) or b"%PDF"
    )
    user = user_with(Role.PHYSICIAN)
    user.language = "de"
    user.save(update_fields=["language"])
    signed_in(client, user).post(reverse("report-start", args=[cohort.slug]))
    asked = jobs.start("report", user, cohort=cohort)  # by a program
    for job in (*jobs.visible_to(user),):
        assert language_for(job) == "de"
    while jobs.run_next():
        pass
    assert [report.language for report in made] == ["de", "de"]
    asked.refresh_from_db()
    assert asked.state == JobState.DONE
    page = client.get(reverse("job-detail", args=[asked.pk])).content.decode()
    assert "Kohortenbericht" in page
    assert "herunterladen" in page


def test_the_steps_of_a_job_are_stored_in_english_and_told_again(german):
    assert job_words.STEPS.retold("Drawing the waterfall") == "Wasserfall wird gezeichnet"
    assert (
        job_words.STEPS.retold("Writing ADSL as SAS transport")
        == "ADSL wird als SAS-Transportdatei geschrieben"
    )
    assert job_words.PROBLEMS.retold(job_words.FAULT.format(job="abc")).endswith("unter abc.")


def test_the_report_of_who_speaks_english_is_english(treated, cohort, user_with):  # noqa: F811
    report = content.report(cohort, user_with(Role.PHYSICIAN))
    assert report.language == "en"
    assert Cohort.objects.get(pk=cohort.pk).name == report.title
    assert pdf.content(report)["page_of"] == "{page} of {pages}"
