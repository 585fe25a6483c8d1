"""Taking up again what stood in a record before a change: filled in from its history, stored as a correction."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.changes import changes_of
from accounts.models import Role
from accounts.records import correct_record, void_record
from tests.clinic.test_pages import signed_in
from tests.factories import DiagnosisFactory, LabResultFactory, PatientFactory, make_user

pytestmark = pytest.mark.django_db


def links(client, patient) -> list[str]:
    page = client.get(reverse("patient-history", args=[patient.pk])).content.decode()
    return [one.replace("&amp;", "&") for one in re.findall(r'href="([^"]*\?before=\d+)"', page)]


def test_a_former_value_is_filled_in_and_stored_as_a_correction(centre):
    manager = make_user(role=Role.DATA_MANAGER, centre=centre, username="manager")
    patient = PatientFactory(centre=centre)
    diagnosis = DiagnosisFactory(patient=patient, ki67_percent=Decimal("12.0"), diagnosed_on=date(2018, 3, 1))
    changed = {"ki67_percent": Decimal("21.0"), "diagnosed_on": None}
    correct_record(diagnosis, changed, by=manager, reason="Typing error", expected_version=diagnosis.version)
    client = signed_in(manager)
    (link,) = links(client, patient)

    page = client.get(link)
    assert "is filled in and not stored yet" in page.content.decode()
    form = page.context["form"]
    assert form.initial["ki67_percent"] == Decimal("12.0")
    assert form.initial["diagnosed_on"] == date(2018, 3, 1)
    diagnosis.refresh_from_db()
    assert diagnosis.ki67_percent == Decimal("21.0")

    sent = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    assert client.post(link, sent).status_code == 302
    diagnosis.refresh_from_db()
    assert (diagnosis.ki67_percent, diagnosis.diagnosed_on) == (Decimal("12.0"), date(2018, 3, 1))
    last = changes_of([diagnosis])[-1]
    assert last.username == "manager"
    assert last.reason.startswith("Restored what stood there before ")


def test_only_changes_of_records_in_force_are_offered_and_to_those_who_may_correct(centre):
    manager = make_user(role=Role.DATA_MANAGER, centre=centre, username="manager")
    reader = make_user(role=Role.READER, centre=centre, username="reader")
    patient = PatientFactory(centre=centre)
    value = LabResultFactory(patient=patient)
    assert links(signed_in(manager), patient) == []  # an entry has nothing before it
    correct_record(value, {"note": "x"}, by=manager, reason="Note", expected_version=value.version)
    assert len(links(signed_in(manager), patient)) == 1
    assert links(signed_in(reader), patient) == []
    value.refresh_from_db()
    void_record(value, by=manager, reason="Wrong patient", expected_version=value.version)
    assert links(signed_in(manager), patient) == []


def test_a_row_of_another_record_or_none_is_not_found(centre):
    manager = make_user(role=Role.DATA_MANAGER, centre=centre, username="manager")
    patient = PatientFactory(centre=centre)
    one, other = DiagnosisFactory(patient=patient), LabResultFactory(patient=patient)
    correct_record(other, {"note": "x"}, by=manager, reason="Note", expected_version=other.version)
    client = signed_in(manager)
    (link,) = links(client, patient)
    row = link.partition("before=")[2]
    address = reverse("record-correct", args=[patient.pk, "diagnosis", one.pk])
    for wrong in (row, "x", "-1", "9" * 30):
        assert client.get(f"{address}?before={wrong}").status_code == 404, wrong
