"""Imaging over the API: lesions, findings, what is derived from them, and readings that are drafted, signed and reported."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.access import ROLE_ACTS, Act, Role
from accounts.models import User
from imaging.models import Lesion, Measurement, Reading, Study
from tests.api import REASON, ROOT, client_for, if_match
from tests.factories import (
    CourseFactory,
    LesionFactory,
    MeasurementFactory,
    ReadingFactory,
    StudyFactory,
)

PASSWORD = "correct horse battery staple"


@pytest.fixture
def shrunken(lesion: Lesion, interim: Study) -> Measurement:
    """The same lesion at 30 mm: a partial response."""
    return MeasurementFactory(lesion=lesion, study=interim, size_mm=30)


def make_reader(user_with: Callable[..., User], username: str = "reader", role: str = Role.READER) -> User:
    user = user_with(role, username=username)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def reader(user_with: Callable[..., User]) -> User:
    return make_reader(user_with)


@pytest.fixture
def api(reader: User) -> APIClient:
    return client_for(reader)


def codes_of(response: Any) -> dict[str, str]:
    """Return where something was refused and with which code."""
    return {
        error.get("pointer") or error.get("header") or error.get("parameter"): error["code"]
        for error in response.json()["errors"]
    }


def sign(client: APIClient, study: Study, **body: Any) -> Any:
    return client.post(f"{ROOT}studies/{study.pk}/sign-reading/", {"password": PASSWORD} | body)


# Lesions


def test_lesions_are_numbered_and_filtered(api, patient):
    body = {"patient": str(patient.pk), "role": "target", "organ": "lymph_node"}

    first = api.post(f"{ROOT}lesions/", body)
    second = api.post(f"{ROOT}lesions/", body | {"role": "non_target", "organ": "bone", "label": "b1"})

    assert (first.status_code, first.json()["label"], first.json()["is_node"]) == (201, "L1", True)
    assert second.json()["label"] == "B1"
    for query, labels in {
        "role=target": ["L1"],
        "organ=bone": ["B1"],
        f"patient={patient.pk}&ordering=label": ["B1", "L1"],
        "reader_role=second": [],
        "course_number=2": [],
    }.items():
        assert [row["label"] for row in api.get(f"{ROOT}lesions/?{query}").json()["results"]] == labels


def test_more_targets_than_recist_takes_are_refused_also_by_a_change(api, patient):
    body = {"patient": str(patient.pk), "role": "target", "organ": "liver"}
    for _ in range(2):
        assert api.post(f"{ROOT}lesions/", body).status_code == 201
    third = LesionFactory(patient=patient, organ="lung", label="L3")

    added = api.post(f"{ROOT}lesions/", body)
    moved = api.patch(f"{ROOT}lesions/{third.pk}/", {"organ": "liver"}, **if_match(1))

    assert (added.status_code, added.json()["code"]) == (409, "too_many_in_organ")
    assert (moved.status_code, moved.json()["code"]) == (409, "too_many_in_organ")


def test_a_lesion_is_voided_with_its_measurements(api, lesion):
    assert api.post(f"{ROOT}lesions/{lesion.pk}/void/").json()["code"] == "change_reason_required"

    assert api.post(f"{ROOT}lesions/{lesion.pk}/void/", **REASON).status_code == 200

    assert not Measurement.objects.current().exists()


def test_after_a_signature_lesions_and_findings_are_entered_with_a_reason_only(
    api, patient, lesion, shrunken, interim
):
    assert sign(api, interim).status_code == 200
    bone = {"patient": str(patient.pk), "role": "non_target", "organ": "bone"}
    other = LesionFactory(patient=patient, role="non_target", organ="bone", label="L7")
    found = {"lesion": str(other.pk), "study": str(interim.pk), "state": "present"}

    for path, body in (("lesions", bone), ("measurements", found)):
        refused = api.post(f"{ROOT}{path}/", body)
        assert (refused.status_code, codes_of(refused)) == (400, {"Change-Reason": "change_reason_required"})
        stored = api.post(f"{ROOT}{path}/", body, HTTP_CHANGE_REASON="Seen at the board")
        assert stored.status_code == 201, stored.content
        rows = api.get(f"{stored['Location']}history/").json()["results"]
        assert rows[0]["reason"] == "Seen at the board"
    # A draft counts for nothing yet.
    draft = api.post(
        f"{ROOT}measurements/",
        {"lesion": str(LesionFactory(patient=patient, role="new", label="L9").pk), "study": str(interim.pk)}
        | {"state": "present", "is_draft": True},
    )
    assert draft.status_code == 201


# Measurements


def test_findings_are_sent_in_values(api, patient, lesion, interim):
    other = LesionFactory(patient=patient, label="L2")
    url = f"{ROOT}measurements/"
    split = {"lesion": str(lesion.pk), "study": str(interim.pk), "state": "split", "parts_mm": ["12", "9.5"]}
    merged = {"lesion": str(other.pk), "study": str(interim.pk), "state": "merged"}

    made = api.post(url, split | {"suv_max": "24.6"})
    assert made.status_code == 201, made.content
    assert (made.json()["size_mm"], made.json()["parts_mm"]) == ("21.5", ["12.0", "9.5"])
    assert (made.json()["label"], made.json()["performed_on"]) == ("L1", "2019-04-01")
    into = api.post(url, merged | {"merged_into": str(lesion.pk)})
    assert into.status_code == 201, into.content

    changed = api.patch(made["Location"], {"parts_mm": ["12", "8"]}, **if_match(1))
    assert (changed.json()["size_mm"], changed.json()["suv_max"]) == ("20.0", "24.60")
    for query, n in {f"lesion={lesion.pk}": 2, f"study={interim.pk}": 2, f"patient={patient.pk}": 3}.items():
        assert len(api.get(f"{url}?{query}").json()["results"]) == n


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"state": "present"}, "#/state", "state_of_role"),
        ({"state": "unheard of"}, "#/state", "invalid_choice"),
        ({"state": "measured", "size_mm": "12+9"}, "#/size_mm", "invalid"),
        ({"state": "measured", "size_mm": "12.34"}, "#/size_mm", "max_decimal_places"),
        ({"state": "measured"}, "#", "imaging_measurement_size_of_state"),
        ({"state": "measured", "size_mm": "501"}, "#", "imaging_measurement_size_of_state"),
        ({"state": "absent", "size_mm": "12"}, "#", "imaging_measurement_size_of_state"),
        ({"state": "split", "parts_mm": ["12"]}, "#", "imaging_measurement_parts_of_split"),
        ({"state": "split", "parts_mm": ["12", "0"]}, "#/parts_mm/1", "min_value"),
        (
            {"state": "split", "parts_mm": ["12", "9"], "size_mm": "20"},
            "#/size_mm",
            "contradictory_size",
        ),
        ({"state": "merged"}, "#", "imaging_measurement_merged_into_another"),
        ({"suv_max": "-1"}, "#", "imaging_measurement_suv_plausible"),
        ({"suv_max": "hot"}, "#/suv_max", "invalid"),
        ({}, "#", "imaging_measurement_says_something"),
    ],
)
def test_an_unusable_finding_is_refused_with_a_code_where_it_is(api, lesion, interim, body, pointer, code):
    refused = api.post(f"{ROOT}measurements/", {"lesion": str(lesion.pk), "study": str(interim.pk)} | body)

    assert refused.status_code == 400
    assert codes_of(refused) == {pointer: code}
    assert not interim.measurements.exists()


@pytest.mark.parametrize(
    "other", [{"role": "non_target"}, {"reader_role": "second"}, {"course_number": 2}, None]
)
def test_a_target_merges_into_another_target_of_its_course_and_reader(api, patient, lesion, interim, other):
    into = lesion if other is None else LesionFactory(patient=patient, label="L2", **other)
    body = {"lesion": str(lesion.pk), "study": str(interim.pk), "state": "merged"}

    refused = api.post(f"{ROOT}measurements/", body | {"merged_into": str(into.pk)})

    assert codes_of(refused) == {"#/merged_into": "merged_into_own"}


def test_a_lesion_is_measured_once_in_a_study_of_its_own_course(api, patient, lesion, baseline):
    CourseFactory(patient=patient, given=4)
    second_course = StudyFactory(patient=patient, course_number=2, performed_on=date(2020, 1, 7))
    body = {"lesion": str(lesion.pk), "state": "absent"}

    again = api.post(f"{ROOT}measurements/", body | {"study": str(baseline.pk)})
    elsewhere = api.post(f"{ROOT}measurements/", body | {"study": str(second_course.pk)})

    assert codes_of(again) == {"#": "imaging_measurement_once"}
    assert codes_of(elsewhere) == {"#": "imaging_measurement_of_one_course"}


def test_a_finding_is_corrected_at_the_version_that_was_read(api, shrunken):
    url = f"{ROOT}measurements/{shrunken.pk}/"

    done = api.patch(url, {"state": "too_small", "size_mm": None}, **if_match(1))
    stale = api.patch(url, {"note": "Ring artefact"}, **if_match(1))

    assert (done.status_code, done.json()["state"], done.json()["size_mm"]) == (200, "too_small", None)
    assert (stale.status_code, stale["ETag"]) == (412, '"2"')


def test_what_counts_does_not_become_a_draft_again(api, shrunken):
    refused = api.patch(f"{ROOT}measurements/{shrunken.pk}/", {"is_draft": True}, **if_match(1))

    assert (refused.status_code, refused.json()["code"]) == (409, "accepted")


# What is derived


def test_the_response_of_a_study_comes_with_its_sums_and_its_reason(api, shrunken, baseline, interim):
    MeasurementFactory(
        lesion=LesionFactory(patient=interim.patient, label="L2", role="non_target", organ="bone"),
        study=interim, state="present", size_mm=None,
    )  # fmt: skip

    shown = api.get(f"{ROOT}studies/{interim.pk}/response/?reader_role=first").json()

    assert {name: shown[name] for name in ("response", "target_response", "non_target_response")} == {
        "response": "PR",
        "target_response": "PR",
        "non_target_response": "NON_CR_NON_PD",
    }
    assert shown["reason"].startswith("PR: sum 30 mm is 40 % below the baseline of 50 mm")
    assert (shown["sum_of_diameters_mm"], shown["baseline_sum_mm"], shown["nadir_mm"]) == (
        "30.0",
        "50.0",
        "50.0",
    )
    assert (shown["change_percent"], shown["nadir_on"]) == ("-40.0000", "2018-12-17")
    assert (shown["is_complete"], shown["n_drafts"], shown["selection_problems"]) == (True, 0, [])
    of_baseline = api.get(f"{ROOT}studies/{baseline.pk}/response/").json()
    assert (of_baseline["response"], of_baseline["sum_of_diameters_mm"]) == (None, "50.0")
    second = api.get(f"{ROOT}studies/{interim.pk}/response/?reader_role=second").json()
    assert (second["response"], second["reason"]) == (None, "No lesions have been entered.")


def test_uptake_is_told_beside_the_size(api, lesion, shrunken, baseline, interim):
    Study.objects.filter(pk__in=[baseline.pk, interim.pk]).update(liver_suv_mean=5, spleen_suv_mean=20)
    lesion.measurements.filter(study=baseline).update(suv_max=40)
    lesion.measurements.filter(study=interim).update(suv_max=20)

    uptake = api.get(f"{ROOT}studies/{interim.pk}/response/").json()["uptake"]

    assert (uptake["response"], uptake["hottest"], uptake["change_percent"]) == (
        "decreased",
        "L1",
        "-50.0000",
    )
    assert (uptake["to_liver"], uptake["to_spleen"]) == ("4.0000", "1.0000")
    assert [one["lesion"] for one in uptake["lesions"]] == ["L1"]


def test_what_is_wrong_with_the_baseline_is_said_and_nothing_derived(api, shrunken, baseline, interim):
    baseline.measurements.update(size_mm=8)

    shown = api.get(f"{ROOT}studies/{interim.pk}/response/").json()

    assert shown["response"] is None
    [problem] = shown["selection_problems"]
    assert (problem["code"], problem["lesions"], problem["may_be_overridden"]) == (
        "target_too_small",
        ["L1"],
        True,
    )
    kept = api.patch(
        f"{ROOT}lesions/{shrunken.lesion_id}/", {"selection_reason": "Biopsied, clearly seen"}, **if_match(1)
    )
    assert kept.status_code == 200
    assert api.get(f"{ROOT}studies/{interim.pk}/response/").json()["selection_problems"] == []


def test_all_responses_of_a_patient_at_once_at_a_constant_cost(api, patient, shrunken, interim):
    url = f"{ROOT}patients/{patient.pk}/responses/"

    def counted() -> tuple[int, Any]:
        with CaptureQueriesContext(connection) as queries:
            shown = api.get(url)
        return len(queries), shown.json()

    before, shown = counted()
    [course] = shown["courses"]
    assert (course["course_number"], course["reader_role"]) == (1, "first")
    assert [one["response"] for one in course["studies"]] == [None, "PR"]
    for number in range(2, 6):
        study = StudyFactory(patient=patient, timepoint="follow_up", performed_on=date(2019 + number, 1, 7))
        MeasurementFactory(lesion=shrunken.lesion, study=study, size_mm=20 + 10 * number)
        MeasurementFactory(
            lesion__patient=patient, lesion__label=f"L{number}", lesion__organ="lung", lesion__role="new",
            lesion__reader_role="second", study=study,
        )  # fmt: skip
    after, shown = counted()
    assert after == before <= 9
    assert [course["reader_role"] for course in shown["courses"]] == ["first", "second"]
    assert [one["response"] for one in shown["courses"][0]["studies"]] == [None, "PR", "PD", "PD", "PD", "PD"]
    only = api.get(f"{url}?course_number=1&reader_role=second").json()
    assert [course["reader_role"] for course in only["courses"]] == ["second"]
    assert codes_of(api.get(f"{url}?reader_role=third")) == {"reader_role": "invalid_choice"}


def test_what_is_derived_at_another_centre_is_as_if_missing(other_centre, api):
    theirs = MeasurementFactory(lesion__patient__centre=other_centre)
    study = f"{ROOT}studies/{theirs.study_id}/"

    assert api.get(f"{study}response/").status_code == 404
    assert api.get(f"{ROOT}patients/{theirs.lesion.patient_id}/responses/").status_code == 404
    for act in ("draft-reading", "sign-reading", "accept-drafts"):
        assert api.post(f"{study}{act}/", {"password": PASSWORD} if act[0] == "s" else {}).status_code == 404
    assert not Reading.objects.exists()


def test_a_voided_study_has_no_response(api, shrunken, interim):
    assert api.post(f"{ROOT}studies/{interim.pk}/void/", **REASON).status_code == 200

    assert api.get(f"{ROOT}studies/{interim.pk}/response/").status_code == 404


# Drafts


def test_drafts_count_once_they_are_accepted(api, lesion, interim):
    draft = api.post(
        f"{ROOT}measurements/",
        {"lesion": str(lesion.pk), "study": str(interim.pk), "state": "measured", "size_mm": "30"}
        | {"is_draft": True},
    ).json()
    waiting = api.get(f"{ROOT}studies/{interim.pk}/response/").json()
    assert (waiting["response"], waiting["n_drafts"]) == (None, 1)
    assert sign(api, interim, overall_response="PR").json()["code"] == "drafts_left"

    key = {"HTTP_IDEMPOTENCY_KEY": "accept-1"}
    accepted = api.post(f"{ROOT}studies/{interim.pk}/accept-drafts/", {"reader_role": "first"}, **key)
    again = api.post(f"{ROOT}studies/{interim.pk}/accept-drafts/", {"reader_role": "first"}, **key)

    assert (accepted.status_code, accepted.json()["response"], accepted.json()["n_drafts"]) == (200, "PR", 0)
    assert again["Idempotency-Replayed"] == "true"
    assert api.get(f"{ROOT}measurements/{draft['id']}/").json()["version"] == 2


# Readings


@pytest.mark.parametrize("role", Role.values)
def test_a_reading_is_signed_by_who_may_sign_with_the_password(
    role: str, user_with: Callable[..., User], shrunken: Measurement, interim: Study
) -> None:
    client = client_for(make_reader(user_with, "somebody", role))
    may = Act.SIGN_READINGS in ROLE_ACTS[role]

    unsigned = client.post(f"{ROOT}studies/{interim.pk}/sign-reading/", {})
    signed = sign(client, interim)

    assert unsigned.status_code == (400 if may else 403)
    assert signed.status_code == (200 if may else 403)
    assert Reading.objects.filter(status="signed").exists() is may
    if may:
        assert codes_of(unsigned) == {"#/password": "required"}
        shown = signed.json()
        assert (shown["status"], shown["reader"], shown["reader_role"]) == ("signed", "somebody", "first")
        assert (shown["overall_response"], shown["derived_response"]) == ("PR", "PR")
        assert (shown["sum_of_diameters_mm"], shown["is_overridden"]) == ("30.0", False)
        assert PASSWORD not in signed.content.decode()


def test_a_wrong_password_signs_nothing_and_counts_as_a_failed_sign_in(
    api: APIClient, reader: User, shrunken: Measurement, interim: Study, settings: Any
) -> None:
    settings.AXES_ENABLED = True
    url = f"{ROOT}studies/{interim.pk}/sign-reading/"
    key = {
        "HTTP_IDEMPOTENCY_KEY": "sign-1"
    }  # in a transaction of its own, which must not take the count back

    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        refused = api.post(url, {"password": "not the password"}, **key)
        assert (refused.status_code, codes_of(refused)) == (400, {"#/password": "wrong_password"})
    assert AccessAttempt.objects.get().failures_since_start == settings.AXES_FAILURE_LIMIT - 1
    last = api.post(url, {"password": "not the password"})
    locked = sign(api, interim)

    for paused in (last, locked):
        assert (paused.status_code, paused["Content-Type"]) == (429, "application/problem+json")
        assert paused.json()["code"] == "locked_out"
        assert int(paused["Retry-After"]) > 0
    assert not Reading.objects.exists()


def test_another_users_password_is_no_signature(
    api: APIClient, user_with: Callable[..., User], shrunken: Measurement, interim: Study
) -> None:
    other = make_reader(user_with, "other")
    other.set_password("another long password")
    other.save()

    refused = sign(api, interim, password="another long password")

    assert codes_of(refused) == {"#/password": "wrong_password"}


def test_a_draft_is_kept_signed_and_signed_anew_with_a_reason(api, shrunken, interim):
    drafted = api.post(f"{ROOT}studies/{interim.pk}/draft-reading/", {"note": "Ascites?"})
    assert (drafted.status_code, drafted.json()["status"], drafted["ETag"]) == (200, "draft", '"1"')
    assert api.get(f"{ROOT}readings/?counts=true").json()["results"] == []

    stale = sign(api, interim, reading_version=0)
    signed = sign(api, interim, reading_version=1)
    assert (stale.status_code, stale["ETag"]) == (412, '"1"')
    assert (signed.json()["id"], signed.json()["status"]) == (drafted.json()["id"], "signed")
    assert [row["id"] for row in api.get(f"{ROOT}readings/?counts=true").json()["results"]] == [
        signed.json()["id"]
    ]

    redrafted = api.post(f"{ROOT}studies/{interim.pk}/draft-reading/", {})
    assert (redrafted.status_code, redrafted.json()["code"]) == (409, "signed_reading")
    unexplained = sign(api, interim, overall_response="SD", override_reason="Necrosis")
    assert codes_of(unexplained) == {"#/reason": "required"}
    unjustified = sign(api, interim, overall_response="SD", reason="Discussed")
    assert codes_of(unjustified) == {"#/override_reason": "required"}
    anew = sign(api, interim, overall_response="SD", override_reason="Necrosis", reason="Discussed")
    assert (anew.json()["overall_response"], anew.json()["derived_response"]) == ("SD", "PR")
    assert anew.json()["is_overridden"] is True
    rows = api.get(f"{ROOT}readings/{anew.json()['id']}/history/").json()["results"]
    assert [row["reason"] for row in rows] == ["", "", "Discussed"]


def test_a_signed_reading_is_not_corrected_by_a_patch(api, shrunken, interim):
    signed = sign(api, interim).json()
    url = f"{ROOT}readings/{signed['id']}/"

    refused = api.patch(url, {"overall_response": "CR"}, **if_match(signed["version"]))

    assert (refused.status_code, refused.json()["code"]) == (409, "signed_reading")
    assert api.get(url).json() == signed
    reported = ReadingFactory(study=interim, reader_role="second")
    corrected = api.patch(f"{ROOT}readings/{reported.pk}/", {"overall_response": "CR"}, **if_match(1))
    assert corrected.json()["overall_response"] == "CR"


def test_a_signature_sent_twice_is_given_once_and_leaves_no_trace_of_the_password(api, shrunken, interim):
    key = {"HTTP_IDEMPOTENCY_KEY": "sign-1"}
    url = f"{ROOT}studies/{interim.pk}/sign-reading/"

    first = api.post(url, {"password": PASSWORD}, **key)
    again = api.post(url, {"password": PASSWORD}, **key)
    wrong = api.post(url, {"password": "not the password"}, **key)

    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert codes_of(wrong) == {"#/password": "wrong_password"}


def test_two_readers_differ_until_a_third_decides(api, user_with, shrunken, interim):
    second, third = (client_for(make_reader(user_with, name)) for name in ("second", "third"))

    def counting() -> list[str]:
        rows = api.get(f"{ROOT}readings/?counts=true").json()["results"]
        return [row["overall_response"] for row in rows]

    assert sign(api, interim).status_code == 200
    assert sign(api, interim, reader_role="second", overall_response="SD").json()["code"] == "not_independent"
    assert counting() == ["PR"]
    assert sign(second, interim, reader_role="second", overall_response="SD").status_code == 200
    assert counting() == []
    decided = sign(third, interim, reader_role="adjudicator", overall_response="SD")
    assert (decided.status_code, decided.json()["derived_response"]) == (200, "")
    assert counting() == ["SD"]


def test_a_reported_reading_counts_and_shows_what_is_derived_beside_it(api, shrunken, baseline, interim):
    reported = api.post(f"{ROOT}readings/", {"study": str(interim.pk), "overall_response": "SD"})

    assert (reported.status_code, reported.json()["status"]) == (201, "reported")
    assert (reported.json()["derived_response"], reported.json()["is_overridden"]) == ("PR", True)
    assert reported.json()["signed_at"] is None
    refused = api.post(f"{ROOT}readings/", {"study": str(baseline.pk), "overall_response": "SD"})
    assert codes_of(refused) == {"#": "imaging_reading_of_later_study"}
    assert sign(api, baseline, overall_response="SD").json()["code"] == "no_response_of_baseline"


# Studies


def test_a_study_is_stored_with_all_that_uptake_rests_on(api, patient):
    values = {
        "injected_at": "2018-12-17T08:05:00Z",
        "body_weight_kg": "71.5",
        "slice_thickness_mm": "3.00",
        "liver_suv_mean": "5.20",
        "spleen_suv_mean": "18.40",
        "krenning_score": 3,
        "study_instance_uid": "1.2.840.113619.2.55",
        "suvbw_factor": "0.00000000038600",
        "suvbw_basis": "Weight by the activity at the start of the scan",
    }
    body = {"patient": str(patient.pk), "timepoint": "baseline", "performed_on": "2018-12-17"}

    made = api.post(f"{ROOT}studies/", body | values)

    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in values} == values
    found = api.get(f"{ROOT}studies/?study_instance_uid=1.2.840.113619.2.55").json()["results"]
    assert [row["id"] for row in found] == [made.json()["id"]]
    for name, value, code in [
        ("krenning_score", 5, "invalid_choice"),
        ("study_instance_uid", "1.2.x", "invalid"),
        ("injected_at", "2018-12-17T08:05:00", "naive"),
    ]:
        refused = api.patch(made["Location"], {name: value}, **if_match(1))
        assert codes_of(refused) == {f"#/{name}": code}


def test_moments_are_told_in_utc(api, patient):
    study = StudyFactory(patient=patient, injected_at=datetime(2018, 12, 17, 8, 5, tzinfo=UTC))

    assert api.get(f"{ROOT}studies/{study.pk}/").json()["injected_at"] == "2018-12-17T08:05:00Z"
