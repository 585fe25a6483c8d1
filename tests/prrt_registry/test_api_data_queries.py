"""Data queries through the API: read, answered, closed and opened again."""

import pytest

from accounts.models import Role
from analytics import data_queries
from analytics.models import DataQuery
from tests import factories
from tests.api import ROOT, client_for

pytestmark = pytest.mark.django_db
URL = f"{ROOT}data-queries/"


@pytest.fixture
def query(centre) -> DataQuery:
    factories.CourseFactory(patient=factories.PatientFactory(centre=centre), given=2)
    data_queries.refresh_inline()
    return DataQuery.objects.get(rule="follow_up_old")


def test_queries_are_listed_in_words_with_their_facts_and_filtered(query, physician):
    client = client_for(physician)
    shown = client.get(f"{URL}{query.pk}/").json()

    assert shown["what"] == "Follow-up older than 6 months"
    assert shown["why"].startswith("Last known alive on 2019-03-04")
    assert shown["facts"] == {"last_alive_on": "2019-03-04"}
    assert (shown["centre"], shown["registry_number"]) == ("STA", query.patient.registry_number)
    assert (shown["opened_by"], shown["closed_by"], shown["answers"]) == (None, None, [])

    def rules(**asked):
        return sorted(row["rule"] for row in client.get(URL, asked).json()["results"])

    assert len(rules()) == 7
    assert rules(rule="labs_missing") == ["labs_missing"] * 2
    assert rules(status="answered") == rules(is_closed="true") == rules(centre="NRD") == []
    assert rules(is_closed="false", patient=str(query.patient_id)) == rules()
    assert rules(record=str(query.record_id)) == ["diagnosis_missing", "follow_up_old"]
    assert client.get(URL, {"rule": "unheard"}).status_code == 400
    assert client.get(URL, {"colour": "red"}).status_code == 400


def test_a_query_is_answered_closed_and_opened_again_once_for_a_key(query, data_manager):
    client = client_for(data_manager)
    for _ in range(2):
        said = client.post(f"{URL}{query.pk}/answer/", {"text": "asked"}, headers={"Idempotency-Key": "one"})
        assert said.status_code == 200
    assert said["Idempotency-Replayed"] == "true"
    assert said.json()["status"] == "answered"
    assert [line["text"] for line in said.json()["answers"]] == ["asked"]

    closed = client.post(f"{URL}{query.pk}/close/", {"text": "as it is"}).json()
    assert (closed["status"], closed["closed_by"]) == ("closed", "data_manager")
    again = client.post(f"{URL}{query.pk}/close/", {"text": "as it is"})
    assert (again.status_code, again.json()["code"]) == (409, "query_closed")
    assert client.post(f"{URL}{query.pk}/reopen/", {"text": "no"}).json()["status"] == "open"
    query.refresh_from_db()
    assert list(query.answers.values_list("action", "text")) == [
        ("answered", "asked"),
        ("closed", "as it is"),
        ("reopened", "no"),
    ]


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 1001}, {"text": "x", "by": "somebody"}])
def test_what_is_not_said_is_refused(body, query, data_manager):
    assert client_for(data_manager).post(f"{URL}{query.pk}/answer/", body).status_code == 400
    assert not query.answers.exists()


def test_who_may_change_no_record_reads_alone_and_other_centres_find_nothing(query, other_centre, user_with):
    administrator, stranger = user_with(Role.ADMINISTRATOR), user_with(Role.DATA_MANAGER, other_centre)
    assert client_for(administrator).get(f"{URL}{query.pk}/").status_code == 200
    assert client_for(stranger).get(f"{URL}{query.pk}/").status_code == 404
    assert client_for(user_with(Role.RESEARCHER)).get(URL).status_code == 403
    for act in ("answer", "close", "reopen"):
        assert client_for(administrator).post(f"{URL}{query.pk}/{act}/", {"text": "x"}).status_code == 403
        assert client_for(stranger).post(f"{URL}{query.pk}/{act}/", {"text": "x"}).status_code == 404
    assert not query.answers.exists()
