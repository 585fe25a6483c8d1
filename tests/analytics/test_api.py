"""Cohorts in the REST API: stored and changed by whom, asked about without being stored, explained and followed."""

import io
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Centre, Role, User
from accounts.records import void_record
from analytics import freshness, jobs
from analytics.models import Cohort, Definition
from analytics.rules.endpoints import EndpointDefinition
from patients.models import Death, Sex
from tests import factories
from tests.api import REASON, client_for, if_match

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/cohorts/"


@pytest.fixture
def clinic(centre: Centre) -> list[Any]:
    """Three courses, two of men: completed and dead, completed, just begun."""
    courses = [
        factories.CourseFactory(patient__centre=centre, patient__sex=sex, given=given)
        for sex, given in ((Sex.MALE, 4), (Sex.MALE, 4), (Sex.FEMALE, 1))
    ]
    factories.DeathFactory(patient=courses[0].patient, died_on=date(2019, 9, 1))
    freshness.refresh_inline()
    return courses


@pytest.fixture
def client(physician: User) -> APIClient:
    return client_for(physician)


def test_a_cohort_is_stored_as_ones_own_and_counts_whom_it_names(clinic, client, user_with):
    asked = {"name": "Men", "sexes": ["male"], "strata_by": "status", "definition": {"endpoints": {}}}

    made = client.post(ROOT, asked, format="json", HTTP_IDEMPOTENCY_KEY="men")

    assert made.status_code == 201, made.content
    assert made["Location"].endswith("/api/v1/cohorts/men/")
    body = made.json()
    assert (body["slug"], body["is_mine"], body["is_shared"], body["version"]) == ("men", True, False, 1)
    assert "Sex: Male." in body["filter_in_words"]
    again = client.post(ROOT, asked, format="json", HTTP_IDEMPOTENCY_KEY="men")
    assert again["Idempotency-Replayed"] == "true"
    assert Cohort.objects.filter(name="Men").count() == 1
    freshness.refresh_inline()
    found = client.get(f"{ROOT}men/results/").json()
    assert (found["n_patients"], found["stale"]) == (2, False)
    assert found["filter"] == {"courses_counted": "first", "sexes": ["male"]}
    assert [group["code"] for group in found["strata"]["groups"]] == ["completed"]
    # Nobody else is shown what is not shared.
    colleague = client_for(user_with(Role.PHYSICIAN))
    assert colleague.get(f"{ROOT}men/").status_code == 404
    assert colleague.get(f"{ROOT}men/results/").status_code == 404


def test_the_definition_of_a_known_choice_is_used_again_and_a_new_one_made(clinic, client):
    same = client.post(ROOT, {"name": "Same", "definition": {"endpoints": {}}}, format="json").json()
    other = {"endpoints": {"new_therapy": "censor"}, "data_cutoff": "2019-06-30"}
    new = client.post(ROOT, {"name": "As of", "definition": other}, format="json").json()

    default = Definition.objects.get(name="Registry default")
    assert Cohort.objects.get(slug=same["slug"]).definition == default
    assert new["definition"]["data_cutoff"] == "2019-06-30"
    assert new["definition"]["endpoints"]["new_therapy"] == "censor"
    freshness.refresh_inline()
    found = client.get(f"{ROOT}{new['slug']}/results/").json()
    # As of a day before the death, nobody has died.
    assert (found["data_cutoff"], found["os"]["events"]) == ("2019-06-30", 0)
    assert client.get(f"{ROOT}all/results/").json()["os"]["events"] == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"sexes": ["blue"]}, "#/sexes/0"),
        ({"age_from": 70, "age_to": 60}, "#/age_to"),
        ({"centre_codes": ["XXX"]}, "#/centre_codes"),
        ({"eye_colour": "blue"}, "#/eye_colour"),
        ({"definition": {"endpoints": {"new_therapy": "perhaps"}}}, "#/definition/endpoints"),
        ({"name": ""}, "#/name"),
    ],
)
def test_what_cannot_be_a_cohort_is_refused_where_it_is_wrong(clinic, client, changes, pointer):
    answer = client.post(ROOT, {"name": "Wrong", **changes}, format="json")

    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not Cohort.objects.filter(name="Wrong").exists()


def test_sharing_needs_who_manages_every_centre_counted(clinic, client, other_centre, data_manager):
    refused = client.post(ROOT, {"name": "Shared", "is_shared": True, "centre_codes": ["STA"]}, format="json")
    assert refused.status_code == 400
    manager = client_for(data_manager)
    everywhere = manager.post(ROOT, {"name": "Shared", "is_shared": True}, format="json")
    assert everywhere.status_code == 400
    here = manager.post(ROOT, {"name": "Shared", "is_shared": True, "centre_codes": ["STA"]}, format="json")
    assert here.status_code == 201
    assert client.get(f"{ROOT}shared/").status_code == 200


def test_a_cohort_is_changed_by_its_owner_with_a_reason_and_the_version_read(clinic, client, data_manager):
    client.post(ROOT, {"name": "Mine"}, format="json")
    url = f"{ROOT}mine/"

    assert client.patch(url, {"sexes": ["male"]}, format="json", **REASON).status_code == 428
    assert client.patch(url, {"sexes": ["male"]}, format="json", HTTP_IF_MATCH='"1"').status_code == 400
    changed = client.patch(url, {"sexes": ["male"]}, format="json", **if_match(1))
    assert (changed.status_code, changed.json()["version"], changed["ETag"]) == (200, 2, '"2"')
    assert client.patch(url, {"sexes": []}, format="json", **if_match(1)).status_code == 412
    assert client_for(data_manager).patch(url, {"sexes": []}, format="json", **if_match(2)).status_code == 404
    assert client.patch(f"{ROOT}all/", {"sexes": ["male"]}, format="json", **if_match(1)).status_code == 403


def test_a_question_is_counted_and_answered_without_being_stored(clinic, client):
    n = Cohort.objects.count()

    count = client.post(f"{ROOT}count/", {"sexes": ["male"]}, format="json").json()
    answer = client.post(f"{ROOT}explore/", {"sexes": ["male"], "strata_by": "sex"}, format="json").json()

    assert count["n_patients"] == 2
    assert (answer["n_patients"], answer["os"]["n"], answer["os"]["events"]) == (2, 2, 1)
    assert len(answer["os"]["table"]["days"]) >= 2
    stored = client.get(f"{ROOT}all/results/").json()
    whole = client.post(f"{ROOT}explore/", {}, format="json").json()
    for key in ("n_patients", "courses", "orr", "pfs", "os", "ttnt", "ttd", "table1", "exposure", "toxicity"):
        assert whole[key] == stored[key], key
    assert Cohort.objects.count() == n
    unknown = client.post(f"{ROOT}explore/", {"endpoints": {"confirmation": "required"}}, format="json")
    assert unknown.status_code == 400
    assert "#/endpoints" in [error["pointer"] for error in unknown.json()["errors"]]


def test_a_question_counts_no_patient_of_another_centre(clinic, client, other_centre):
    factories.CourseFactory(
        patient__centre=other_centre, patient__registry_number="NRD-0001", patient__sex=Sex.MALE, given=1
    )
    freshness.refresh_inline()

    assert client.post(f"{ROOT}count/", {"sexes": ["male"]}, format="json").json()["n_patients"] == 2
    refused = client.post(f"{ROOT}count/", {"centre_codes": ["NRD"]}, format="json")
    assert refused.status_code == 400


def test_a_number_is_opened_to_its_courses_and_told_without_them_to_a_researcher(clinic, client, user_with):
    url = f"{ROOT}all/behind/?measure=os&category=event"

    found = client.get(url).json()
    researcher = client_for(user_with(Role.RESEARCHER)).get(url)

    assert found["n"] == 1
    (row,) = found["results"]
    assert row["registry_number"] == clinic[0].patient.registry_number
    assert "2019-09-01" in row["facts"][0]
    assert researcher.json() == {"n": None, "n_elsewhere": None, "results": []}
    assert clinic[0].patient.registry_number not in researcher.content.decode()
    assert client.get(f"{ROOT}all/behind/?measure=shoe_size").status_code == 400
    assert client.get(f"{ROOT}all/behind/?measure=os&from=9&to=3").status_code == 400


def test_a_death_that_is_voided_takes_its_event_along(clinic, client, physician):
    before = client.get(f"{ROOT}all/results/").json()["revision"]
    void_record(Death.objects.get(), by=physician, reason="another patient's")
    freshness.refresh_inline()
    after = client.get(f"{ROOT}all/results/").json()

    found = client.get(f"{ROOT}all/changes/?from={before}&to={after['revision']}").json()

    assert after["os"]["events"] == 0
    assert {"name": "Deaths", "before": 1.0, "after": 0.0} in found["numbers"]
    assert found["moved"][0]["fields"]["os_event"] == [True, False]


def test_rules_of_a_stored_definition_are_read_as_they_were_written(clinic, client):
    asked = EndpointDefinition(confirmation="required", analysis_set="completed", interval="wilson").to_json()

    made = client.post(ROOT, {"name": "Strict", "definition": {"endpoints": asked}}, format="json")

    assert made.json()["definition"]["endpoints"] == asked
    freshness.refresh_inline()
    assert client.get(f"{ROOT}strict/results/").json()["n_patients"] == 2


def test_a_lock_is_made_read_verified_and_never_changed(clinic, client, data_manager):
    manager = client_for(data_manager)
    asked = {"cohort": "all", "name": "abstract-2026", "note": "for the abstract"}
    assert client.post("/api/v1/locks/", asked, format="json").status_code == 403

    made = manager.post("/api/v1/locks/", asked, format="json")

    assert made.status_code == 201, made.content
    assert made["Location"].endswith("/api/v1/locks/abstract-2026/")
    assert (made.json()["n_rows"], made.json()["centres"]) == (3, ["STA"])
    assert manager.post("/api/v1/locks/", asked, format="json").json()["code"] == "name_taken"
    void_record(Death.objects.get(), by=data_manager, reason="another patient's")
    freshness.refresh_inline()
    url = "/api/v1/locks/abstract-2026/"
    assert client.get(f"{url}results/").json()["os"]["events"] == 1
    assert client.get(f"{ROOT}all/results/").json()["os"]["events"] == 0
    verified = client.get(f"{url}verification/").json()
    assert (verified["is_unchanged"], verified["differences"]) == (True, [])
    assert manager.delete(url).status_code == 405
    assert manager.patch(url, {"note": "x"}, format="json").status_code == 405


def test_a_lock_is_refused_while_records_wait_and_hidden_from_other_centres(
    clinic, data_manager, other_centre, user_with
):
    manager = client_for(data_manager)
    void_record(Death.objects.get(), by=data_manager, reason="another patient's")

    waiting = manager.post("/api/v1/locks/", {"cohort": "all", "name": "early"}, format="json")

    assert (waiting.status_code, waiting.json()["code"]) == (409, "pending")
    freshness.refresh_inline()
    assert (
        manager.post("/api/v1/locks/", {"cohort": "all", "name": "early"}, format="json").status_code == 201
    )
    elsewhere = client_for(
        factories.make_user(role=Role.PHYSICIAN, centre=other_centre, username="elsewhere")
    )
    assert elsewhere.get("/api/v1/locks/early/").status_code == 404
    assert elsewhere.get("/api/v1/locks/").json()["results"] == []


@pytest.mark.parametrize("kind", ["exports", "reports"])
def test_long_work_is_asked_for_watched_and_cancelled(clinic, client, kind):
    asked = client.post(f"{ROOT}all/{kind}/", {}, format="json")

    assert asked.status_code == 202, asked.content
    job = asked.json()
    assert (job["state"], job["cohort"], job["content_url"]) == ("queued", "all", None)
    assert client.get(f"/api/v1/jobs/{job['id']}/").json()["id"] == job["id"]
    cancelled = client.post(f"/api/v1/jobs/{job['id']}/cancel/")
    assert cancelled.json()["state"] == "cancelled"
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel/").status_code == 409


def test_an_export_asked_for_is_made_and_fetched(clinic, client, user_with):
    job = client.post(f"{ROOT}all/exports/", {"formats": ["csv"]}, format="json").json()
    assert jobs.run_next()

    done = client.get(f"/api/v1/jobs/{job['id']}/").json()
    answer = client.get(done["content_url"])

    assert (done["state"], answer.status_code) == ("done", 200)
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert {"manifest.json", "adsl.csv", "adtte.csv"} <= {
        Path(name).name.lower() for name in archive.namelist()
    }
    assert client_for(user_with(Role.PHYSICIAN)).get(f"/api/v1/jobs/{job['id']}/").status_code == 404
