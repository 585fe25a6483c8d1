"""Pages travel compressed; the API's entity tags stay strong."""

import gzip

import pytest
from django.test import Client

from accounts.models import Role
from tests.clinic.test_pages import signed_in
from tests.factories import PatientFactory, make_user

pytestmark = pytest.mark.django_db
ASKED = {"accept-encoding": "gzip"}


@pytest.fixture
def client(centre) -> Client:
    return signed_in(make_user(role=Role.PHYSICIAN, centre=centre, username="physician"))


def test_a_page_is_compressed_for_who_takes_it_and_plain_for_others(client, centre):
    PatientFactory(centre=centre, registry_number="STA-0042")
    packed = client.get("/patients/", headers=ASKED)
    assert packed["Content-Encoding"] == "gzip"
    assert "STA-0042" in gzip.decompress(packed.content).decode()
    assert "Accept-Encoding" in packed["Vary"]
    plain = client.get("/patients/")
    assert "Content-Encoding" not in plain
    assert len(packed.content) < len(plain.content) / 2


def test_the_api_keeps_its_strong_entity_tag(client, centre):
    patient = PatientFactory(centre=centre)
    answer = client.get(f"/api/v1/patients/{patient.pk}/", headers=ASKED)
    assert "Content-Encoding" not in answer
    assert not answer["ETag"].startswith("W/")


def test_what_is_compressed_already_is_left_as_it_is(client, centre):
    for _ in range(5):
        PatientFactory(centre=centre)
    assert "Content-Encoding" not in client.get("/patients/list.xlsx", headers=ASKED)
    assert client.get("/patients/list.csv", headers=ASKED)["Content-Encoding"] == "gzip"
