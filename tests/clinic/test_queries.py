"""The pages of data queries: the list with its filters, one query with its acts, the chart, the dashboard."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.records import void_record
from analytics import data_queries, freshness, query_acts
from analytics.models import DataQuery, QueryRule
from clinic.selectors import queries
from imaging.models import Timepoint
from patients.models import DeathCause
from tests.clinic.test_pages import INLINE, signed_in
from tests.factories import (
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    PatientFactory,
    PatientIdentityFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from treatments.models import Administration

pytestmark = pytest.mark.django_db


@pytest.fixture
def course(centre):
    """Two of four cycles given in 2019, and little else recorded."""
    return CourseFactory(patient=PatientFactory(centre=centre), given=2)


@pytest.fixture
def patient(course):
    data_queries.refresh_inline()
    return course.patient


def of_rule(rule: str) -> DataQuery:
    return DataQuery.objects.filter(rule=rule).earliest("record_id")


def listed(client, **asked) -> list[str]:
    """Return the rules in the list, in its order."""
    page = client.get(reverse("query-list"), asked)
    assert page.status_code == 200
    return [row.query.rule for row in page.context["page"].rows]


def act(client, query: DataQuery, act: str, **values):
    return client.post(reverse("query-detail", args=[query.pk]), {"act": act, **values})


def test_the_list_says_whose_what_why_and_since_when_and_has_the_act(patient, data_manager):
    PatientIdentityFactory(patient=patient, family_name="Ørsted", given_names="Åse")
    page = signed_in(data_manager).get(reverse("query-list"))
    text = page.content.decode()

    assert patient.registry_number in text
    assert "Ørsted, Åse" in text
    assert "Cycle 1 without laboratory values" in text
    assert "Cycle 1 was given on 2019-01-07; not measured before it: haemoglobin, leucocytes" in text
    assert timezone.now().strftime("%Y-%m-%d") in text
    assert reverse("laboratory-enter", args=[patient.pk]) in text
    assert not INLINE.search(text)

    integration = make_user(role=Role.INTEGRATION, centre=patient.centre)
    assert "Ørsted" not in signed_in(integration).get(reverse("query-list")).content.decode()


def test_filters_and_their_counts_agree_with_the_list(patient, centre, other_centre, data_manager):
    elsewhere = CourseFactory(
        patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"), given=1
    )
    data_queries.refresh_inline()
    nurse = make_user(
        role=Role.COORDINATOR, centre=centre, username="nurse", first_name="Nora", last_name="Nurse"
    )
    client = signed_in(data_manager)
    labs = of_rule("labs_missing")
    if labs.patient_id != patient.pk:
        labs = DataQuery.objects.filter(rule="labs_missing", patient=patient).first()
    query_acts.assign_query(labs, to=data_manager, by=data_manager)
    contact = DataQuery.objects.get(rule="follow_up_old", patient=patient)
    query_acts.assign_query(contact, to=nurse, by=data_manager)
    query_acts.answer_query(contact, text="Telephoned", by=nurse)
    query_acts.close_query(
        DataQuery.objects.get(rule="diagnosis_missing", patient=patient), reason="x", by=nurse
    )

    assert sorted(listed(client)) == sorted(
        [
            "labs_missing",
            "labs_missing",
            "cycle_date_past",
            "baseline_missing",
            "imaging_missing",
            "follow_up_old",
        ]
    )
    assert listed(client, status="answered") == ["follow_up_old"]
    assert listed(client, status="closed") == ["diagnosis_missing"]
    assert listed(client, assigned="me") == ["labs_missing"]
    assert listed(client, assigned=str(nurse.pk)) == ["follow_up_old"]
    assert len(listed(client, assigned="nobody")) == 4
    assert listed(client, rule="labs_missing", assigned="nobody") == ["labs_missing"]
    assert listed(client, status="open", assigned=str(nurse.pk)) == []
    assert listed(client, centre="NRD") == []  # not theirs to see

    for asked in (
        {},
        {"rule": "labs_missing"},
        {"assigned": "me"},
        {"status": "open"},
        {"status": "answered"},
    ):
        page = client.get(reverse("query-list"), asked).context["page"]
        for key, _, n in page.rules:
            assert len(listed(client, **(asked | {"rule": key}))) == n, (asked, key)
        for key, _, n in page.people:
            assert len(listed(client, **(asked | {"assigned": key}))) == n, (asked, key)
        for key, _, n in page.statuses:
            assert n is None or len(listed(client, **(asked | {"status": key}))) == n, (asked, key)
    assert "Nora Nurse" in client.get(reverse("query-list")).content.decode()

    data_manager.memberships.create(centre=elsewhere.patient.centre, role=Role.READER)
    both = signed_in(type(data_manager).objects.get(pk=data_manager.pk))
    assert {
        row.query.patient_id
        for row in both.get(reverse("query-list"), {"centre": "NRD"}).context["page"].rows
    } == {elsewhere.patient_id}


@pytest.mark.parametrize(
    "asked", [{"status": "unheard"}, {"rule": "unheard"}, {"assigned": "somebody"}, {"assigned": "0" * 31}]
)
def test_a_filter_that_there_is_not_is_not_found(asked, data_manager):
    assert signed_in(data_manager).get(reverse("query-list"), asked).status_code == 404


def test_pages_of_the_list_follow_each_other_without_gap(centre, data_manager, monkeypatch):
    monkeypatch.setattr(queries.query_list, "__kwdefaults__", {"after": "", "limit": 4})
    for _ in range(3):
        CourseFactory(patient=PatientFactory(centre=centre), given=1)
    data_queries.refresh_inline()
    client, seen, address = signed_in(data_manager), [], reverse("query-list") + "?status=open"
    while address:
        page = client.get(address)
        seen += [row.query.pk for row in page.context["page"].rows]
        address = page.context["next_page"]
        assert not address or parse_qs(urlsplit(address).query)["status"] == ["open"]

    assert len(seen) == len(set(seen)) == DataQuery.objects.count() > 8
    for nonsense in ("x", "2026-01-01~x", "2026-01-01T00:00~" + str(seen[0])):
        assert listed(client, after=nonsense) == []


def test_lists_cost_the_same_for_few_queries_and_for_many(patient, centre, data_manager):
    client = signed_in(data_manager)

    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            client.get(reverse("query-list"))
        return len(made)

    few = cost()
    for _ in range(5):
        CourseFactory(patient=PatientFactory(centre=centre), given=3)
    data_queries.refresh_inline()
    assert cost() == few <= 12


def test_a_query_is_answered_assigned_closed_and_opened_again_on_its_page(patient, data_manager):
    query = of_rule("follow_up_old")
    nurse = make_user(role=Role.COORDINATOR, centre=patient.centre, username="nurse")
    client = signed_in(data_manager)
    url = reverse("query-detail", args=[query.pk])

    assert act(client, query, "answer", text="The family doctor is asked.").url == url
    assert act(client, query, "assign", assigned_to=nurse.pk).url == url
    assert act(client, query, "close", text="Lives abroad, cannot be reached.").url == url
    page = client.get(url).content.decode()
    for words in (
        "The rule</strong> opened it",
        "data_manager</strong> answered",
        "The family doctor is asked.",
        "data_manager</strong> asked nurse",
        "data_manager</strong> closed it",
        "Lives abroad, cannot be reached.",
        "Open again",
    ):
        assert words in page
    assert "Close as it is" not in page
    assert act(client, query, "reopen", text="An address was found.").url == url
    query.refresh_from_db()
    assert (query.status, query.closed_by, query.assigned_to) == ("open", None, nurse)


def test_what_cannot_be_done_is_said_and_what_was_typed_stays(patient, data_manager, other_centre):
    query = of_rule("follow_up_old")
    client = signed_in(data_manager)

    blank = act(client, query, "answer", text="  ")
    assert blank.status_code == 422
    assert "Write what is to be said." in blank.content.decode()
    stranger = make_user(role=Role.COORDINATOR, centre=other_centre)
    assert act(client, query, "assign", assigned_to=stranger.pk).status_code == 422
    assert act(client, query, "unheard", text="x").status_code == 404
    query_acts.close_query(query, reason="done", by=data_manager)
    late = act(client, query, "answer", text="I was too late")
    assert late.status_code == 409
    assert "This query is closed. Open it again first." in late.content.decode()
    assert "I was too late" in late.content.decode()


def test_who_may_not_change_records_reads_queries_only(patient, other_centre):
    query = of_rule("follow_up_old")
    administrator = signed_in(make_user(role=Role.ADMINISTRATOR, centre=patient.centre))
    page = administrator.get(reverse("query-detail", args=[query.pk]))
    assert page.status_code == 200
    assert 'name="act"' not in page.content.decode()
    assert "Record a contact" not in page.content.decode()
    for name in ("answer", "assign", "close", "reopen"):
        assert act(administrator, query, name, text="x").status_code == 403
    assert administrator.post(reverse("query-new", args=[patient.pk]), {"text": "x"}).status_code == 403
    stranger = signed_in(make_user(role=Role.DATA_MANAGER, centre=other_centre))
    assert act(stranger, query, "close", text="x").status_code == 404
    query.refresh_from_db()
    assert (query.status, query.answers.count()) == ("open", 0)


def test_every_rule_leads_to_a_form_that_is_there(centre, data_manager):
    running = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    Administration.objects.filter(cycle__course=running, cycle__number=1).update(
        administered_activity_mbq=5000
    )
    StudyFactory(patient=running.patient, performed_on="2019-02-01")  # after cycle 1
    complete = CourseFactory(patient=PatientFactory(centre=centre), given=4)
    dead = CourseFactory(patient=PatientFactory(centre=centre), given=1)
    DeathFactory(patient=dead.patient, cause=DeathCause.UNKNOWN)
    progressed = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    study = StudyFactory(patient=progressed.patient, timepoint=Timepoint.INTERIM, performed_on="2019-03-20")
    ReadingFactory(study=study, overall_response="PD")
    data_queries.refresh_inline()
    found = list(DataQuery.objects.select_related("patient", "course", "assigned_to"))
    assert {query.rule for query in found} == set(QueryRule.values) - {"manual"}
    assert complete.patient_id in {query.patient_id for query in found}

    client = signed_in(data_manager)
    for query in found:
        row = queries.row_of(data_manager, query)
        assert row.act_label
        answer = client.get(row.act_url)
        assert answer.status_code == 200, (query.rule, row.act_url)
        if query.rule in {"imaging_missing", "final_imaging_missing"}:
            assert re.search(r'<option value="1" selected>Course 1', answer.content.decode())


def test_a_query_is_raised_at_a_record_and_stands_on_the_chart(course, data_manager):
    DiagnosisFactory(patient=course.patient)
    client = signed_in(data_manager)
    url = reverse("query-new", args=[course.patient_id])
    cycle = course.cycles.get(number=2)
    form = client.get(url, {"record": f"cycle~{cycle.pk}"}).content.decode()
    assert f'<option value="cycle~{cycle.pk}" selected>Cycle 2 of course 1, given</option>' in form

    assert client.post(url, {"record": f"cycle~{cycle.pk}", "text": ""}).status_code == 422
    assert client.post(url, {"record": f"cycle~{course.pk}", "text": "x"}).status_code == 422
    sent = client.post(
        url,
        {"record": f"cycle~{cycle.pk}", "text": "Which lot?", "assigned_to": data_manager.pk},
        follow=True,
    )

    query = DataQuery.objects.get(rule="manual")
    assert (query.record_id, query.course, query.assigned_to) == (cycle.pk, course, data_manager)
    text = sent.content.decode()
    assert "Open data queries" in text
    assert "Which lot?" in text
    void_record(course.patient.diagnoses.get(), by=data_manager, reason="x")
    data_queries.refresh_inline()
    assert "No diagnosis" in client.get(reverse("patient-chart", args=[course.patient_id])).content.decode()


def test_the_home_page_can_count_and_show_them(patient, data_manager, other_centre):
    contact = of_rule("follow_up_old")
    query_acts.assign_query(contact, to=data_manager, by=data_manager)

    assert queries.open_queries_count(data_manager) == 7
    assert queries.open_queries(data_manager, 3)[0].query == contact
    assert len(queries.open_queries(data_manager, 3)) == 3
    assert queries.open_queries_count(make_user(role=Role.RESEARCHER, centre=patient.centre)) == 0
    assert queries.open_queries_count(make_user(role=Role.DATA_MANAGER, centre=other_centre)) == 0


def test_the_dashboard_counts_those_of_its_patients_at_centres_whose_records_one_may_see(
    patient, other_centre
):
    elsewhere = PatientFactory(centre=other_centre, registry_number="NRD-0001")
    CourseFactory(patient=elsewhere, given=1)
    without = PatientFactory(centre=patient.centre)  # of no course, so of no cohort
    type(without).objects.filter(pk=without.pk).update(created_at=timezone.now() - timedelta(days=9))
    freshness.refresh_inline()
    assert DataQuery.objects.filter(rule="diagnosis_missing").count() == 3
    physician = make_user(role=Role.PHYSICIAN, centre=patient.centre)
    physician.memberships.create(centre=other_centre, role=Role.RESEARCHER)
    client = signed_in(physician)
    url = reverse("cohort-quality", args=["all"])

    rows = {row["key"]: (row["n"], row["n_patients"]) for row in client.get(url).context["rows"]}
    assert rows["labs_missing"] == (2, 1)
    assert rows["diagnosis_missing"] == (1, 1)
    assert f'href="{url}"' in client.get(reverse("cohort-detail", args=["all"])).content.decode()
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert f"{reverse('query-list')}?rule=labs_missing" in part
    researcher = signed_in(make_user(role=Role.RESEARCHER, centre=patient.centre))
    assert researcher.get(url).status_code == 403
    assert url not in researcher.get(reverse("cohort-detail", args=["all"])).content.decode()
