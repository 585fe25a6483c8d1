"""What holds for every request of the API: problems, strict bodies and queries, Idempotency-Key, paging, tokens."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.db import OperationalError, connection, connections
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from accounts.access import Role
from accounts.models import Centre, IdempotencyKey, User
from accounts.rest import idempotency
from patients.models import Contact, Patient, PatientIdentity
from tests import factories
from tests.api import REASON, ROOT, client_for, if_match

CONTACTS = f"{ROOT}contacts/"


@pytest.fixture
def patient(centre: Centre) -> Patient:
    return factories.PatientFactory(centre=centre)


@pytest.fixture
def api(physician: User) -> APIClient:
    return client_for(physician)


def contact_of(patient: Patient, **values: Any) -> dict[str, Any]:
    return {"patient": str(patient.pk), "known_alive_on": "2020-02-02", **values}


# Problems


def test_a_refusal_is_a_problem_that_names_each_member(api: APIClient, patient: Patient) -> None:
    refused = api.post(CONTACTS, contact_of(patient, source="pigeon", known_alive_on="soon"))

    assert refused.status_code == 400
    assert refused["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "errors", "instance"}
    assert problem["type"] == "urn:prrt-registry:problem:invalid"
    assert (problem["title"], problem["status"], problem["instance"]) == ("Bad Request", 400, CONTACTS)
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("#/source", "invalid_choice"),
        ("#/known_alive_on", "invalid"),
    }
    assert all(error["detail"] for error in problem["errors"])


def test_a_broken_constraint_is_named(api: APIClient, patient: Patient) -> None:
    api.post(CONTACTS, contact_of(patient))

    refused = api.post(CONTACTS, contact_of(patient))

    assert refused.status_code == 400
    [error] = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("#", "patients_contact_once")
    assert error["detail"] == "This contact has already been recorded."


def test_what_contradicts_another_record_is_refused_in_its_words(api: APIClient, patient: Patient) -> None:
    factories.DeathFactory(patient=patient)

    refused = api.post(CONTACTS, contact_of(patient, known_alive_on="2020-02-02"))

    assert refused.status_code == 400
    assert "died on 2019-12-01" in refused.json()["errors"][0]["detail"]
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"null", 400),
        (b"\xff\xfe", 400),
        (b'{"note": NaN}', 400),
        (b'{"note": "a\\u0000b"}', 400),
        (b'{"note": "\\ud800"}', 400),
        (b'{"note": "a", "note": "b"}', 400),
        (b"[" * 100_000, 400),
        (b'{"note": ' + b"9" * 6000 + b"}", 400),
        (b'{"patient": 99999999999999999999999999}', 400),
        (b'{"patient": true, "known_alive_on": {}, "note": []}', 400),
        (b'{"known_alive_on": "0001-01-01"}', 400),
        (b'{"note": "' + b"x" * (11 * 1024 * 1024) + b'"}', 413),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else value,
)
def test_no_body_breaks_the_server(api: APIClient, patient: Patient, body: bytes, status: int) -> None:
    refused = api.generic("POST", CONTACTS, body, content_type="application/json")

    assert refused.status_code == status
    assert refused["Content-Type"] == "application/problem+json"
    json.loads(refused.content)


def test_only_json_is_taken_and_given(api: APIClient) -> None:
    assert api.generic("POST", CONTACTS, b"a=b", content_type="text/plain").status_code == 415
    refused = api.get(CONTACTS, HTTP_ACCEPT="text/html")
    assert (refused.status_code, refused["Content-Type"]) == (406, "application/problem+json")


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("sauce=visit", "sauce", "unknown_parameter"),
        ("mrn=MRN00001", "mrn", "unknown_parameter"),
        ("source=pigeon", "source", "invalid_choice"),
        ("patient=7", "patient", "invalid"),
        ("known_alive_from=soon", "known_alive_from", "invalid"),
        ("include_voided=perhaps", "include_voided", "invalid_choice"),
        ("search=%00", "search", "null_characters_not_allowed"),
        ("page_size=0", "page_size", "out_of_range"),
        ("page_size=501", "page_size", "out_of_range"),
        ("page_size=many", "page_size", "out_of_range"),
        ("ordering=note", "ordering", "invalid_choice"),
        ("cursor=nonsense", "cursor", "invalid_cursor"),
        ("cursor=" + base64.urlsafe_b64encode(b'["id",0,["x"]]').decode(), "cursor", "invalid_cursor"),
        ("cursor=" + base64.urlsafe_b64encode(b'["id",0,[{}]]').decode(), "cursor", "invalid_cursor"),
        (
            "cursor=" + base64.urlsafe_b64encode(b'["created_at",0,["x","y"]]').decode(),
            "cursor",
            "invalid_cursor",
        ),
        ("cursor=%C3%A4", "cursor", "invalid_cursor"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(
    api: APIClient, patient: Patient, query: str, parameter: str, code: str
) -> None:
    refused = api.get(f"{CONTACTS}?{query}")

    assert refused.status_code == 400
    assert [(error["parameter"], error["code"]) for error in refused.json()["errors"]] == [(parameter, code)]


def test_a_problem_repeats_nothing_of_the_query(api: APIClient) -> None:
    refused = api.get(f"{ROOT}patients/?search={'Mustermann' * 9}&page_size=x")

    assert refused.status_code == 400
    assert b"Mustermann" not in refused.content


def test_addresses_that_do_not_exist_are_problems_too(api: APIClient, client: Any) -> None:
    for path in ("nothing/", "patients", "patients/7/", "cohorts/nothing-of-the-kind/", "patients/x/y/z"):
        missing = api.get(ROOT + path)
        assert (missing.status_code, missing["Content-Type"]) == (404, "application/problem+json"), path
    assert client.get(f"{ROOT}nothing/").status_code == 401


def test_a_method_that_is_not_offered_is_405(api: APIClient, patient: Patient) -> None:
    refused = api.post(f"{ROOT}cycles/", {})
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert api.options(f"{ROOT}patients/").status_code == 405


def test_a_database_that_cannot_now_is_503(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("deadlock detected: row of Mustermann")

    monkeypatch.setattr("accounts.rest.pagination.KeysetPagination.paginate_queryset", fail)
    api.raise_request_exception = False

    refused = api.get(CONTACTS)

    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    assert b"Mustermann" not in refused.content


def test_a_failure_says_nothing_of_itself(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise KeyError("Mustermann")

    monkeypatch.setattr("accounts.rest.pagination.KeysetPagination.paginate_queryset", fail)
    api.raise_request_exception = False

    failed = api.get(CONTACTS)

    assert (failed.status_code, failed["Content-Type"]) == (500, "application/problem+json")
    assert b"Mustermann" not in failed.content


def test_too_many_requests_are_429(api: APIClient, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})

    answers = [api.get(CONTACTS) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1].json()["code"] == "throttled"


def test_answers_are_kept_by_no_cache(api: APIClient) -> None:
    answer = api.get(CONTACTS)
    assert answer["Cache-Control"] == "private, no-store"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in answer["Vary"].split(",")}


@pytest.mark.parametrize("reason", [" ", "x" * 501, "two\x07bells"])
def test_a_reason_that_is_none_is_refused(api: APIClient, patient: Patient, reason: str) -> None:
    contact = factories.ContactFactory(patient=patient)

    refused = api.patch(
        f"{CONTACTS}{contact.pk}/", {"note": "n"}, HTTP_IF_MATCH='"1"', HTTP_CHANGE_REASON=reason
    )

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["header"] == "Change-Reason"
    contact.refresh_from_db()
    assert contact.note == ""


def test_a_moment_without_its_offset_is_refused(api: APIClient, centre: Centre) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=1)
    administration = course.cycles.get(number=1).administrations.get()

    refused = api.patch(
        f"{ROOT}administrations/{administration.pk}/",
        {"administered_at": "2019-01-07T10:00:00"},
        **if_match(1),
    )

    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
        ("#/administered_at", "naive")
    ]


# Idempotency-Key


def test_a_repeated_post_is_done_once(api: APIClient, patient: Patient) -> None:
    first = api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")
    again = api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert Contact.objects.count() == 1


def test_a_key_is_good_for_one_request_of_one_user(
    api: APIClient, patient: Patient, data_manager: User
) -> None:
    api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")

    other_body = api.post(CONTACTS, contact_of(patient, source="letter"), HTTP_IDEMPOTENCY_KEY="a-1")
    other_place = api.post(f"{ROOT}disease-events/", contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")
    other_user = client_for(data_manager).post(
        CONTACTS, contact_of(patient, source="letter"), HTTP_IDEMPOTENCY_KEY="a-1"
    )

    for refused in (other_body, other_place):
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert refused.json()["errors"][0]["header"] == "Idempotency-Key"
    assert other_user.status_code == 201


def test_a_refused_request_leaves_no_key(api: APIClient, patient: Patient) -> None:
    body = contact_of(patient, source="pigeon")
    assert api.post(CONTACTS, body, HTTP_IDEMPOTENCY_KEY="a-1").status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1").status_code == 201


@pytest.mark.parametrize("key", ["", "ä", "a b", "x" * 256])
def test_an_unusable_key_is_refused(api: APIClient, patient: Patient, key: str) -> None:
    refused = api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY=key)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_invalid")


def test_a_key_that_is_being_worked_on_is_409(committed: None) -> None:
    """The other request is another connection that holds the key's lock, as an unfinished transaction does."""
    user = factories.make_user(username="physician")
    patient = factories.PatientFactory()
    api = client_for(user)
    number = int.from_bytes(hashlib.sha256(f"{user.pk} a-1".encode()).digest()[:8], "big", signed=True)
    connection.ensure_connection()
    with psycopg.connect(
        connection.connection.info.dsn, password=connection.connection.info.password
    ) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [number])
        refused = api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")
        other.rollback()
        done = api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")
    connections.close_all()

    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_in_flight")
    assert done.status_code == 201


def test_a_replay_goes_through_the_same_door(api: APIClient, patient: Patient, physician: User) -> None:
    api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1")
    physician.memberships.all().delete()
    physician.memberships.create(centre=factories.CentreFactory(code="NRD"), role=Role.PHYSICIAN)

    assert api.post(CONTACTS, contact_of(patient), HTTP_IDEMPOTENCY_KEY="a-1").status_code == 404


def test_keys_hold_nothing_of_the_body_and_end_after_a_day(api: APIClient, centre: Centre) -> None:
    body = {
        "centre": "STA",
        "sex": "female",
        "birth_date": "1960-01-01",
        "identity": {"mrn": "MRN-77", "family_name": "Mustermann"},
    }
    assert api.post(f"{ROOT}patients/", body, HTTP_IDEMPOTENCY_KEY="a-1").status_code == 201
    row = IdempotencyKey.objects.values().get()
    plain = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    assert not any(secret in str(row) for secret in ("MRN-77", "Mustermann", "1960", plain))

    assert idempotency.purge_expired() == 0
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    again = api.post(f"{ROOT}patients/", {**body, "identity": {"mrn": "MRN-78"}}, HTTP_IDEMPOTENCY_KEY="a-1")
    assert again.status_code == 201
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert idempotency.purge_expired() == 1
    assert Patient.objects.count() == 2


def test_acts_and_voiding_can_be_repeated_too(api: APIClient, centre: Centre) -> None:
    course = factories.CourseFactory(patient__centre=centre, given=1)
    cycle = course.cycles.get(number=2)
    body = {
        "administered_at": "2019-03-04T09:30:00+01:00",
        "administered_activity_mbq": "7390.0",
        "confirmation_reason": "Values are on paper",
    }
    url = f"{ROOT}cycles/{cycle.pk}/administer/"

    first, again = (api.post(url, body, HTTP_IDEMPOTENCY_KEY="a-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Location"].endswith(f"{ROOT}administrations/{first.json()['id']}/")
    void = f"{ROOT}administrations/{first.json()['id']}/void/"
    voided, again = (api.post(void, HTTP_IDEMPOTENCY_KEY="a-2", **REASON) for _ in range(2))
    assert (voided.status_code, again.status_code) == (200, 200)
    assert voided.content == again.content


# Tokens


def basic(username: str, password: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.fixture
def with_password(user_with: Callable[..., User]) -> User:
    user = user_with(Role.INTEGRATION, username="lab-interface")
    user.set_password("a long enough password")
    user.save()
    return user


def test_a_token_is_made_with_a_password_shown_once_and_ends(with_password: User) -> None:
    client = APIClient()

    made = client.post(f"{ROOT}tokens/", **basic("lab-interface", "a long enough password"))

    assert made.status_code == 201
    token = made.json()["token"]
    stored = AuthToken.objects.get()
    assert token not in str(stored.__dict__)
    assert stored.expiry is not None
    authorized = {"HTTP_AUTHORIZATION": f"Token {token}"}
    assert client.get(CONTACTS, **authorized).status_code == 200
    assert client.delete(f"{ROOT}tokens/current/", **authorized).status_code == 204
    assert client.get(CONTACTS, **authorized).status_code == 401


def test_a_token_ends_by_itself(with_password: User) -> None:
    _, token = AuthToken.objects.create(user=with_password, expiry=timedelta(seconds=-1))
    assert APIClient().get(CONTACTS, HTTP_AUTHORIZATION=f"Token {token}").status_code == 401


def test_a_token_makes_no_token(api: APIClient) -> None:
    assert api.post(f"{ROOT}tokens/").status_code == 401


def test_a_password_opens_nothing_but_tokens(with_password: User) -> None:
    authorized = basic("lab-interface", "a long enough password")
    assert APIClient().get(CONTACTS, **authorized).status_code == 401


@pytest.mark.parametrize(
    "header", ["Basic !!", "Basic", basic("lab-interface", "wrong")["HTTP_AUTHORIZATION"]]
)
def test_a_wrong_password_makes_no_token(with_password: User, header: str) -> None:
    refused = APIClient().post(f"{ROOT}tokens/", HTTP_AUTHORIZATION=header)
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"].startswith("Basic")
    assert not AuthToken.objects.exists()


def test_a_password_alone_is_not_enough_where_there_is_a_second_factor(with_password: User) -> None:
    Authenticator.objects.create(user=with_password, type=Authenticator.Type.TOTP, data={"secret": "x"})

    refused = APIClient().post(f"{ROOT}tokens/", **basic("lab-interface", "a long enough password"))

    assert (refused.status_code, refused.json()["code"]) == (401, "second_factor_required")


def test_wrong_passwords_lock_out_here_as_in_the_browser(with_password: User, settings: Any) -> None:
    settings.AXES_ENABLED = True
    client = APIClient()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post(f"{ROOT}tokens/", **basic("lab-interface", "wrong"))

    refused = client.post(f"{ROOT}tokens/", **basic("lab-interface", "a long enough password"))

    assert refused.status_code in {401, 403, 429}
    assert not AuthToken.objects.exists()


@pytest.mark.parametrize("token", ["nothing", "\xff\xfe", "a b", "", "x" * 5000])
def test_a_token_that_is_none_is_401(db: None, token: str) -> None:
    assert APIClient().get(CONTACTS, HTTP_AUTHORIZATION=f"Token {token}").status_code == 401


def test_tokens_of_one_user_are_limited(with_password: User, settings: Any) -> None:
    for _ in range(20):
        AuthToken.objects.create(user=with_password)
    refused = APIClient().post(f"{ROOT}tokens/", **basic("lab-interface", "a long enough password"))
    assert (refused.status_code, refused.json()["code"]) == (409, "token_limit")


def test_the_session_of_the_browser_needs_its_csrf_token(physician: User, patient: Patient) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(physician)
    assert client.get(CONTACTS).status_code == 200

    assert client.post(CONTACTS, contact_of(patient)).status_code == 403
    client.cookies["csrftoken"] = "a" * 32
    done = client.post(CONTACTS, contact_of(patient), HTTP_X_CSRFTOKEN="a" * 32)

    assert done.status_code == 201
    assert client.post(f"{ROOT}tokens/", HTTP_X_CSRFTOKEN="a" * 32).status_code == 201
    assert not PatientIdentity.objects.exists()
