"""Clinical acts through the API: registering, identity, courses and cycles, readings, cohorts and their results."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from accounts.access import ROLE_ACTS, Act, Role
from accounts.models import Centre, User
from analytics import freshness
from patients.models import Patient, PatientIdentity
from tests import factories
from tests.api import REASON, ROOT, client_for, if_match
from treatments.models import Administration, Cycle, CycleStatus

PATIENT = {"centre": "STA", "sex": "female", "birth_date": "1960-01-01"}
IDENTITY = {"mrn": "MRN-77", "family_name": "Müller", "given_names": "Erika"}


def test_a_patient_is_given_the_next_registry_number(centre: Centre, physician: User) -> None:
    factories.PatientFactory(centre=centre, registry_number="STA-0041")

    made = client_for(physician).post(f"{ROOT}patients/", {**PATIENT, "identity": IDENTITY})

    assert made.status_code == 201
    assert made.json()["registry_number"] == "STA-0042"
    assert made["ETag"] == '"1"'
    assert made["Location"].endswith(f"{ROOT}patients/{made.json()['id']}/")
    assert "MRN-77" not in made.content.decode()
    assert PatientIdentity.objects.get(patient_id=made.json()["id"]).mrn == "MRN-77"


def test_an_interface_registers_without_identity_only(centre: Centre, user_with: Callable[..., User]) -> None:
    client = client_for(user_with(Role.INTEGRATION))

    assert client.post(f"{ROOT}patients/", {**PATIENT, "identity": IDENTITY}).status_code == 403
    assert client.post(f"{ROOT}patients/", PATIENT).status_code == 201
    assert not PatientIdentity.objects.exists()


@pytest.mark.parametrize("role", Role.values)
def test_identity_is_for_roles_that_may_see_it(
    role: str, centre: Centre, user_with: Callable[..., User]
) -> None:
    identity = factories.PatientIdentityFactory(patient__centre=centre)
    client = client_for(user_with(role))
    sees = Act.VIEW_IDENTITY in ROLE_ACTS[role]
    edits = sees and Act.EDIT_PATIENTS in ROLE_ACTS[role]
    url = f"{ROOT}patients/{identity.patient_id}/identity/"

    read = client.get(url)
    assert read.status_code == (200 if sees else 403)
    assert (identity.mrn in read.content.decode()) is sees
    assert client.get(f"{url}history/").status_code == (200 if sees else 403)
    corrected = client.patch(url, {"family_name": "Meier"}, **if_match(1))
    assert corrected.status_code == (200 if edits else 403)
    bare = factories.PatientFactory(centre=centre)
    made = client.post(f"{ROOT}patients/{bare.pk}/identity/", {**IDENTITY, "mrn": "MRN-1"})
    assert made.status_code == (201 if edits else 403)


def test_identity_of_another_centre_is_as_if_missing(
    centre: Centre, other_centre: Centre, physician: User
) -> None:
    theirs = factories.PatientIdentityFactory(patient__centre=other_centre)
    client = client_for(physician)
    nowhere = uuid.uuid4()
    for method in ("get", "patch", "put", "post"):
        body = None if method == "get" else IDENTITY
        hidden = getattr(client, method)(f"{ROOT}patients/{theirs.patient_id}/identity/", body, **if_match(1))
        missing = getattr(client, method)(f"{ROOT}patients/{nowhere}/identity/", body, **if_match(1))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content.replace(str(theirs.patient_id).encode(), b"") == missing.content.replace(
            str(nowhere).encode(), b""
        )


def test_an_identity_is_entered_once_and_corrected_with_a_reason(centre: Centre, physician: User) -> None:
    patient = factories.PatientFactory(centre=centre)
    client = client_for(physician)
    url = f"{ROOT}patients/{patient.pk}/identity/"
    assert client.get(url).status_code == 404

    made = client.post(url, IDENTITY)
    assert (made.status_code, made["ETag"]) == (201, '"1"')
    assert made["Location"].endswith(url)
    assert client.post(url, IDENTITY).json()["code"] == "already_recorded"
    assert client.patch(url, {"mrn": "MRN-78"}, **REASON).status_code == 428
    assert (
        client.patch(url, {"mrn": "MRN-78"}, HTTP_IF_MATCH='"1"').json()["code"] == "change_reason_required"
    )
    assert client.patch(url, {"mrn": "MRN-78"}, **if_match(1))["ETag"] == '"2"'
    assert client.patch(url, {"mrn": "MRN-79"}, **if_match(1)).status_code == 412
    put = client.put(url, {"mrn": "MRN-80"}, **if_match(2))
    assert (put.json()["mrn"], put.json()["family_name"]) == ("MRN-80", "")
    assert [row["event"] for row in client.get(f"{url}history/").json()["results"]] == [
        "insert",
        "update",
        "update",
    ]
    history = client.get(f"{ROOT}patients/{patient.pk}/history/").content.decode()
    assert "MRN" not in history
    assert "Müller" not in history


def test_an_mrn_is_unique_at_its_centre(centre: Centre, physician: User) -> None:
    factories.PatientIdentityFactory(patient__centre=centre, mrn="MRN-77")

    refused = client_for(physician).post(f"{ROOT}patients/", {**PATIENT, "identity": IDENTITY})

    assert refused.status_code == 400
    assert Patient.objects.count() == 1


def test_names_and_mrns_are_searched_in_bodies_alone(
    centre: Centre, other_centre: Centre, physician: User, user_with: Callable[..., User]
) -> None:
    here = factories.PatientIdentityFactory(patient__centre=centre, **IDENTITY).patient
    factories.PatientIdentityFactory(patient__centre=other_centre, **IDENTITY)
    url = f"{ROOT}patients/search/"
    client = client_for(physician)

    for words in ("muller", "MRN-77", "erika MÜLLER", here.registry_number):
        found = client.post(url, {"query": words})
        assert [row["id"] for row in found.json()["results"]] == [str(here.pk)], words
        assert found.json()["truncated"] is False
    assert client.get(f"{url}?query=muller").status_code == 405
    assert client.get(f"{ROOT}patients/?search=muller").json()["results"] == []
    interface = client_for(user_with(Role.INTEGRATION))
    assert interface.post(url, {"query": "muller"}).json()["results"] == []
    assert interface.post(url, {"query": here.registry_number}).json()["results"] != []
    assert client_for(user_with(Role.RESEARCHER)).post(url, {"query": "muller"}).status_code == 403
    assert client.post(url, {"query": "x"}).status_code == 400


def test_a_course_runs_from_its_start_to_its_end(centre: Centre, physician: User) -> None:
    patient = factories.PatientFactory(centre=centre)
    client = client_for(physician)
    protocol = next(row for row in client.get(f"{ROOT}protocols/").json()["results"])
    started = client.post(
        f"{ROOT}courses/",
        {"patient": str(patient.pk), "protocol": protocol["id"], "first_planned_on": "2019-01-07"},
    )
    assert (started.status_code, started.json()["number"]) == (201, 1)
    course = started.json()["id"]
    again = client.post(f"{ROOT}courses/", {"patient": str(patient.pk), "protocol": protocol["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "course_ongoing")

    cycles = client.get(f"{ROOT}cycles/?course={course}&ordering=planned_on").json()["results"]
    assert [cycle["planned_on"] for cycle in cycles] == [
        "2019-01-07",
        "2019-03-04",
        "2019-04-29",
        "2019-06-24",
    ]
    body = {
        "administered_at": "2019-01-09T09:30:00+01:00",
        "administered_activity_mbq": "7391.5",
        "confirmation_reason": "Values seen on paper",
    }
    stale = client.post(f"{ROOT}cycles/{cycles[0]['id']}/administer/", body, HTTP_IF_MATCH='"9"')
    assert stale.status_code == 412
    given = client.post(f"{ROOT}cycles/{cycles[0]['id']}/administer/", body, HTTP_IF_MATCH='"1"')
    assert given.status_code == 201
    assert given.json()["prescribed_activity_mbq"] == "7400.0"
    assert given.json()["administered_at"] == "2019-01-09T08:30:00Z"
    twice = client.post(f"{ROOT}cycles/{cycles[0]['id']}/administer/", body)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_given")
    second = client.get(f"{ROOT}cycles/{cycles[1]['id']}/").json()
    assert second["planned_on"] == "2019-03-06"

    moved = client.patch(
        f"{ROOT}administrations/{given.json()['id']}/",
        {"administered_at": "2019-01-10T09:30:00+01:00"},
        **if_match(1),
    )
    assert moved.status_code == 200
    assert client.get(f"{ROOT}cycles/{cycles[1]['id']}/").json()["planned_on"] == "2019-03-07"

    stopped = client.post(
        f"{ROOT}courses/{course}/discontinue/", {"discontinued_on": "2019-02-01", "main_reason": "renal"}
    )
    assert (stopped.status_code, stopped.json()["after_cycle"]) == (201, 1)
    statuses = {row["status"] for row in client.get(f"{ROOT}cycles/?course={course}").json()["results"]}
    assert statuses == {CycleStatus.GIVEN, CycleStatus.CANCELLED}
    taken_back = client.post(f"{ROOT}discontinuations/{stopped.json()['id']}/void/", **REASON)
    assert taken_back.status_code == 200
    assert client.get(f"{ROOT}cycles/{cycles[1]['id']}/").json()["status"] == "planned"
    taken_back = client.post(f"{ROOT}administrations/{given.json()['id']}/void/", **REASON)
    assert taken_back.status_code == 200
    assert client.get(f"{ROOT}cycles/{cycles[0]['id']}/").json()["status"] == "planned"


def test_a_given_cycle_is_not_voided_and_cycles_go_from_the_last_one_on(
    centre: Centre, physician: User
) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=1)
    client = client_for(physician)
    first, second, third, last = course.cycles.order_by("number")

    for cycle, code in ((first, "cycle_given"), (second, "later_cycle"), (third, "later_cycle")):
        refused = client.post(f"{ROOT}cycles/{cycle.pk}/void/", **REASON)
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert Administration.objects.current().count() == 1
    assert client.post(f"{ROOT}cycles/{last.pk}/void/", **REASON).status_code == 200

    body = {"administered_at": "2019-05-09T09:30:00+02:00", "administered_activity_mbq": "7391.5"}
    early = client.post(f"{ROOT}cycles/{third.pk}/administer/", body)
    assert (early.status_code, early.json()["code"]) == (409, "earlier_cycle_open")


def test_cycles_are_taken_back_over_the_api_from_the_last_one_on(centre: Centre, physician: User) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=2)
    first, second = Administration.objects.filter(cycle__course=course).order_by("cycle__number")
    client = client_for(physician)

    refused = client.post(f"{ROOT}administrations/{first.pk}/void/", **REASON)
    assert (refused.status_code, refused.json()["code"]) == (409, "later_cycle_given")
    for administration in (second, first):
        taken_back = client.post(f"{ROOT}administrations/{administration.pk}/void/", **REASON)
        assert taken_back.status_code == 200


def test_what_other_records_hang_on_is_not_voided(centre: Centre, physician: User) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=1)
    client = client_for(physician)

    for path, record in (("courses", course), ("patients", course.patient)):
        refused = client.post(f"{ROOT}{path}/{record.pk}/void/", **REASON)
        assert (refused.status_code, refused.json()["code"]) == (409, "has_records")


def test_the_status_of_a_cycle_is_patched_between_planned_and_held_alone(
    centre: Centre, physician: User
) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=1)
    given, planned = course.cycles.get(number=1), course.cycles.get(number=2)
    client = client_for(physician)

    for wanted in ("cancelled", "given"):
        refused = client.patch(f"{ROOT}cycles/{planned.pk}/", {"status": wanted}, **if_match(1))
        assert refused.status_code == 400
        assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
            ("#/status", "invalid_choice")
        ]
    held = client.patch(f"{ROOT}cycles/{planned.pk}/", {"status": "held"}, **if_match(1))
    assert (held.status_code, held.json()["status"]) == (200, "held")

    for wanted in ("planned", "held"):
        refused = client.patch(f"{ROOT}cycles/{given.pk}/", {"status": wanted}, **if_match(1))
        assert (refused.status_code, refused.json()["code"]) == (409, "cycle_status_follows")
    assert (
        client.patch(f"{ROOT}cycles/{given.pk}/", {"status": "cancelled"}, **if_match(1)).status_code == 400
    )
    for method, sent in (
        (client.patch, {"status": "given", "note": "Late"}),
        (client.put, {"note": "Later"}),
    ):
        body = {"course": str(course.pk), "planned_on": "2019-01-07", **sent}
        stored = method(f"{ROOT}cycles/{given.pk}/", body, **if_match(Cycle.objects.get(pk=given.pk).version))
        assert (stored.status_code, stored.json()["status"]) == (200, "given"), stored.content
        assert stored.json()["note"] == sent["note"]


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("administered_at", "9999-12-31T23:59:59+00:00", "in_future"),
        ("administered_at", "2019-03-04T09:30:00", "naive"),
        ("administered_at", "0001-01-01T00:00:00+14:00", "overflow"),
        ("administered_activity_mbq", "0", "min_value"),
        ("administered_activity_mbq", "-1", "min_value"),
        ("administered_activity_mbq", "20000.1", "max_value"),
        ("administered_activity_mbq", "7391.55", "max_decimal_places"),
        ("administered_activity_mbq", "1e400", "max_digits"),
        ("administered_activity_mbq", "NaN", "invalid"),
        ("prescribed_activity_mbq", "0.0", "min_value"),
        ("lot", "x" * 41, "max_length"),
    ],
)
def test_what_cannot_have_been_given_is_refused(
    centre: Centre, physician: User, member: str, value: str, code: str
) -> None:
    cycle = factories.CourseFactory(patient__centre=centre).cycles.get(number=1)
    body = {
        "administered_at": "2019-01-09T09:30:00+01:00",
        "administered_activity_mbq": "7391.5",
        member: value,
    }

    for url, sent in (
        (f"{ROOT}cycles/{cycle.pk}/administer/", body),
        (f"{ROOT}administrations/", {**body, "cycle": str(cycle.pk)}),
    ):
        refused = client_for(physician).post(url, sent)
        assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
            (f"#/{member}", code)
        ]
    assert not Administration.objects.exists()


def test_a_plan_too_far_off_is_refused(centre: Centre, physician: User) -> None:
    patient = factories.PatientFactory(centre=centre)
    body = {
        "patient": str(patient.pk),
        "protocol": factories.default_protocol().pk,
        "first_planned_on": "9999-12-01",
    }
    refused = client_for(physician).post(f"{ROOT}courses/", body)
    assert [error["code"] for error in refused.json()["errors"]] == ["implausible_date"]


@pytest.mark.parametrize(
    ("role", "reads"), [(Role.READER, True), (Role.DATA_MANAGER, False), (Role.INTEGRATION, False)]
)
def test_a_reading_names_who_read_it(
    role: str, reads: bool, centre: Centre, user_with: Callable[..., User]
) -> None:
    user = user_with(role)
    study = factories.StudyFactory(patient__centre=centre, timepoint="interim", performed_on="2019-04-01")

    made = client_for(user).post(f"{ROOT}readings/", {"study": str(study.pk), "overall_response": "PR"})

    assert made.json()["reader"] == (user.username if reads else None)


def test_a_decimal_travels_as_text_and_may_be_sent_as_a_number(centre: Centre, physician: User) -> None:
    diagnosis = factories.DiagnosisFactory(patient__centre=centre)
    client = client_for(physician)
    url = f"{ROOT}diagnoses/{diagnosis.pk}/"

    for version, sent in ((1, 12.3), (2, "12.4")):
        assert client.patch(url, {"ki67_percent": sent}, **if_match(version)).json()["ki67_percent"] == str(
            sent
        )


# Centres and cohorts


@pytest.mark.parametrize("role", Role.values)
def test_every_role_reads_its_centres_protocols_and_cohorts(
    role: str, centre: Centre, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    client = client_for(user_with(role))
    assert [row["code"] for row in client.get(f"{ROOT}centres/").json()["results"]] == ["STA"]
    assert client.get(f"{ROOT}centres/{other_centre.pk}/").status_code == 404
    manages = Act.MANAGE_COHORTS in ROLE_ACTS[role]
    for path, refusal in (("protocols", 400 if manages else 403), ("cohorts", 400)):
        rows = client.get(f"{ROOT}{path}/").json()["results"]
        assert rows
        assert client.post(f"{ROOT}{path}/", {}).status_code == refusal
    assert client.get(f"{ROOT}protocols/{factories.default_protocol().pk}/").status_code == 200
    assert client.get(f"{ROOT}cohorts/all/").json()["slug"] == "all"


def test_who_has_no_role_reads_nothing(user_with: Callable[..., User]) -> None:
    client = client_for(user_with(None))
    for path in ("centres", "protocols", "cohorts", "cohorts/all", "cohorts/all/results", "patients"):
        assert client.get(f"{ROOT}{path}/").status_code == 403, path


def test_results_follow_the_records_and_are_not_sent_twice(
    centre: Centre, other_centre: Centre, user_with: Callable[..., User]
) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=4)
    factories.StudyFactory(patient=course.patient)
    factories.CourseFactory(patient__centre=other_centre, patient__registry_number="NRD-0001", given=1)
    freshness.refresh_inline()
    client = client_for(user_with(Role.RESEARCHER))
    url = f"{ROOT}cohorts/all/results/"

    first = client.get(url)

    assert first.status_code == 200
    assert first["Cache-Control"] == "private, no-cache"
    body: dict[str, Any] = first.json()
    assert (body["cohort"], body["n_patients"], body["stale"]) == ("all", 1, False)
    assert body["courses"]["completed"] == {"n": 1, "of": 1}
    assert {"orr", "pfs", "os", "definition", "data_cutoff", "revision"} <= set(body)
    assert first["ETag"].startswith(f'"{body["revision"]}-')
    unchanged = client.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])

    factories.ReadingFactory(study__patient=course.patient, overall_response="PR")
    waiting = client.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (waiting.status_code, waiting.json()["stale"]) == (200, True)
    freshness.refresh_inline()
    fresh = client.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert fresh.json()["orr"]["best_overall_response"]["PR"] == 1
    assert client.get(f"{ROOT}cohorts/nothing/results/").status_code == 404
