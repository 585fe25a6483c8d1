"""Forms sent twice, drafts, and people who are registered already."""

import uuid
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from clinic import services
from clinic.models import Draft, SentForm
from patients.models import Patient
from tests.clinic.test_pages import signed_in
from tests.factories import CentreFactory, PatientFactory, PatientIdentityFactory, default_protocol, make_user

REGISTER = "/patients/new/"


@pytest.fixture
def nurse(centre) -> User:
    return make_user(role=Role.COORDINATOR, centre=centre, username="nurse")


def person(user: User, **values: str) -> dict[str, str]:
    """Return the registration form as it is sent."""
    centre = user.memberships.get().centre
    return {
        "person-centre": str(centre.pk),
        "person-mrn": "M-1",
        "person-family_name": "Schmidt",
        "person-given_names": "Åse",
        "person-sex": "female",
        "person-birth_date": "1957-03-02",
        "diagnosis-tumour_type": "net",
        "diagnosis-primary_site": "pancreas",
        "diagnosis-who_grade": "g2",
        "diagnosis-functional_syndrome": "none",
        "course-protocol": str(default_protocol().pk),
        "course-intent": "initial",
        "sent_as": str(uuid.uuid4()),
    } | values


@pytest.mark.django_db
def test_a_form_that_is_sent_twice_is_stored_once(nurse):
    client = signed_in(nurse)
    sent = person(nurse)
    first = client.post(REGISTER, sent)
    second = client.post(REGISTER, sent)
    patient = Patient.objects.get()
    assert first.url == second.url == reverse("patient-chart", args=[patient.pk])
    assert "it is stored once" in client.get(second.url).content.decode()
    # What was refused may be sent again with the same token.
    wrong = person(nurse, **{"person-mrn": "M-3", "person-birth_date": "1957-02-30"})
    assert client.post(REGISTER, wrong).status_code == 422
    assert client.post(REGISTER, wrong | {"person-birth_date": "1958-02-28"}).status_code == 302
    assert Patient.objects.count() == 2


@pytest.mark.django_db
def test_a_form_that_was_gone_back_to_and_filled_otherwise_is_stored_too(nurse):
    client = signed_in(nurse)
    sent = person(nurse)
    other = sent | {"person-mrn": "M-2", "person-family_name": "Petersen", "person-birth_date": "1960-01-01"}
    client.post(REGISTER, sent)
    client.post("/drafts/", other | {"draft_place": REGISTER})
    assert Draft.objects.exists()
    for _ in range(2):
        assert client.post(REGISTER, other).status_code == 302
    assert Patient.objects.count() == 2
    assert not Draft.objects.exists()


def test_two_presses_at_once_store_one_patient(committed):
    nurse = make_user(role=Role.COORDINATOR, centre=CentreFactory(code="STA"), username="nurse")
    sent, barrier = person(nurse), Barrier(2)
    answers: list[Any] = []

    def press() -> None:
        try:
            client = signed_in(nurse)
            barrier.wait()
            answers.append(client.post(REGISTER, sent).status_code)
        finally:
            connections.close_all()

    presses = [Thread(target=press) for _ in range(2)]
    for one in presses:
        one.start()
    for one in presses:
        one.join()
    assert answers == [302, 302]
    assert Patient.objects.count() == 1


@pytest.mark.django_db
def test_a_draft_is_offered_to_who_typed_it_until_the_form_is_stored(nurse, centre):
    client = signed_in(nurse)
    typed = person(nurse, **{"person-family_name": "Ørsted"})
    assert client.post("/drafts/", typed | {"draft_place": REGISTER, "password": "x"}).status_code == 204
    draft = Draft.objects.get()
    assert draft.fields["person-family_name"] == ["Ørsted"]
    assert not {"password", "sent_as", "csrfmiddlewaretoken", "draft_place"} & draft.fields.keys()
    offered = client.get(REGISTER).content.decode()
    assert "You began this form and did not send it" in offered
    other = signed_in(make_user(role=Role.COORDINATOR, centre=centre, username="other"))
    assert "You began this form" not in other.get(REGISTER).content.decode()

    assert client.post(REGISTER, typed).status_code == 302
    assert not Draft.objects.exists()
    # The draft that was on its way when the form was stored comes too late.
    client.post("/drafts/", typed | {"draft_place": REGISTER})
    assert not Draft.objects.exists()


@pytest.mark.django_db
def test_a_draft_is_dropped_refused_and_removed_in_time(nurse):
    client = signed_in(nurse)
    client.post("/drafts/", {"draft_place": REGISTER, "a": "b\0"})
    assert Draft.objects.get().fields == {"a": ["b"]}
    client.post("/drafts/", {"draft_place": REGISTER, "draft_drop": "1"})
    assert not Draft.objects.exists()
    assert client.post("/drafts/", {"a": "b"}).status_code == 422
    assert client.post("/drafts/", {"draft_place": "/x/" * 100}).status_code == 422
    large = {"draft_place": REGISTER, "a": "b" * (services.entry.MOST_BYTES + 1)}
    assert client.post("/drafts/", large).status_code == 413

    old = timezone.now() - services.entry.DRAFTS_KEPT - timedelta(minutes=1)
    kept, gone = (Draft.objects.create(user=nurse, place=place, fields={}) for place in ("/a/", "/b/"))
    Draft.objects.filter(pk=gone.pk).update(saved_at=old)
    SentForm.objects.create(user=nurse)
    services.tidy_forms()
    assert list(Draft.objects.all()) == [kept]
    assert SentForm.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "is_asked"),
    [
        ({}, True),
        ({"person-family_name": "Schmitd"}, True),
        ({"person-family_name": "SCHMIDT-MEIER"}, True),
        ({"person-family_name": "Petersen"}, False),
        ({"person-birth_date": "1957-03-03"}, False),
    ],
)
def test_a_like_name_with_the_same_date_of_birth_is_asked_about(nurse, centre, values, is_asked):
    known = PatientFactory(centre=centre, birth_date="1957-03-02")
    PatientIdentityFactory(patient=known, mrn="M-0", family_name="Schmidt", given_names="Åse")
    client = signed_in(nurse)
    sent = person(nurse, **values)
    answer = client.post(REGISTER, sent)
    if not is_asked:
        assert answer.status_code == 302
        return
    assert answer.status_code == 422
    page = answer.content.decode()
    assert known.registry_number in page
    assert Patient.objects.count() == 1
    # A tick without the list that it answers confirms nothing.
    assert client.post(REGISTER, sent | {"person-is_another_person": "on"}).status_code == 422
    confirmed = sent | {"person-is_another_person": "on", "seen_resembling": str(known.pk)}
    assert client.post(REGISTER, confirmed).status_code == 302
    assert Patient.objects.count() == 2


@pytest.mark.django_db
def test_the_same_mrn_is_named_and_never_registered(nurse, centre):
    known = PatientFactory(centre=centre)
    PatientIdentityFactory(patient=known, mrn="m-1", family_name="Petersen")
    client = signed_in(nurse)
    answer = client.post(REGISTER, person(nurse))
    assert "the same MRN" in answer.content.decode()
    confirmed = {"person-is_another_person": "on", "seen_resembling": str(known.pk), "person-mrn": "m-1"}
    answer = client.post(REGISTER, person(nurse, **confirmed))
    assert "Another patient of this centre has this MRN." in answer.content.decode()


@pytest.mark.django_db
def test_patients_of_other_centres_are_nobody_to_resemble(nurse, other_centre):
    PatientIdentityFactory(
        patient=PatientFactory(centre=other_centre, birth_date="1957-03-02"), family_name="Schmidt", mrn="M-1"
    )
    assert signed_in(nurse).post(REGISTER, person(nurse)).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["orsted", "ØRST", "Orstedt", "åse", "m-77", "9042"])
def test_patients_are_found_without_accents_and_with_a_slip(nurse, centre, word):
    patient = PatientFactory(centre=centre, registry_number="STA-9042")
    PatientIdentityFactory(patient=patient, mrn="M-77", family_name="Ørsted", given_names="Åse")
    PatientIdentityFactory(patient=PatientFactory(centre=centre), mrn="M-7", family_name="Petersen")
    assert list(Patient.objects.search(word, nurse)) == [patient]


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["%", "_", "\\", "Petersn\\", "'"])
def test_signs_of_a_pattern_are_letters_like_others(nurse, centre, word):
    PatientIdentityFactory(patient=PatientFactory(centre=centre), mrn="M-77", family_name="Meier")
    assert not Patient.objects.search(word, nurse).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("1957-03-02", "1957-03-02"),
        ("2 Mar 1957", "1957-03-02"),
        ("02 march 1957", "1957-03-02"),
        ("02/03/1957", None),
        ("2.3.1957", None),
        ("2 3 1957", None),
        ("1957-02-29", None),
    ],
)
def test_a_date_is_typed_by_iso_or_with_the_name_of_its_month_and_never_guessed(nurse, typed, stored):
    answer = signed_in(nurse).post(REGISTER, person(nurse, **{"person-birth_date": typed}))
    if stored is None:
        assert answer.status_code == 422
        assert "Type the date as YYYY-MM-DD" in answer.content.decode()
    else:
        assert answer.status_code == 302
        assert Patient.objects.get().birth_date.isoformat() == stored
