"""What is done with several records of a list at once: through the same services, all or none."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from accounts.changes import changes_of
from accounts.models import Role
from patients.models import Contact, Diagnosis
from tests.clinic.test_pages import signed_in
from tests.factories import ContactFactory, CourseFactory, DiagnosisFactory, PatientFactory, make_user
from treatments.models import Administration

pytestmark = pytest.mark.django_db
CONTACTS = reverse("admin:patients_contact_changelist")


@pytest.fixture
def desk(centre) -> Client:
    return signed_in(make_user(role=Role.DATA_MANAGER, centre=centre, username="manager"))


def act(name: str, *records: Any, **values: str) -> dict[str, Any]:
    return {"action": name, ACTION_CHECKBOX_NAME: [str(record.pk) for record in records], **values}


def asked(desk: Client, address: str, *records: Any) -> dict[str, str]:
    """Return the hidden field of the page that asks for the reason."""
    page = desk.post(address, act("void_selected", *records))
    assert page.status_code == 200
    return {"versions": page.context["form"]["versions"].value()}


def test_several_records_are_voided_with_one_reason(desk, centre):
    patient = PatientFactory(centre=centre)
    first, second, kept = (
        ContactFactory(patient=patient, known_alive_on=date(2020, 1, day)) for day in (1, 2, 3)
    )
    hidden = asked(desk, CONTACTS, first, second)
    assert not Contact.objects.exclude(voided_at=None).exists()
    answer = desk.post(CONTACTS, act("void_selected", first, second, reason="Of another patient", **hidden))
    assert answer.status_code == 302
    assert set(Contact.objects.exclude(voided_at=None)) == {first, second}
    assert Contact.objects.get(voided_at=None) == kept
    last = changes_of([first])[-1]
    assert (last.username, last.reason, last.source) == ("manager", "Of another patient", "admin")


def test_all_or_none_and_what_stands_in_the_way_is_said(desk, centre):
    patient = PatientFactory(centre=centre)
    course = CourseFactory(patient=patient, given=2)
    given = list(Administration.objects.filter(cycle__course=course).order_by("cycle__number"))
    address = reverse("admin:treatments_administration_changelist")
    hidden = asked(desk, address, *given)
    # The first cycle cannot be taken back before the second one.
    answer = desk.post(address, act("void_selected", *given, reason="Wrong", **hidden))
    assert answer.status_code == 422
    assert answer.context["refused"]
    assert not Administration.objects.exclude(voided_at=None).exists()


def test_a_record_that_was_changed_meanwhile_is_not_voided(desk, centre):
    contact = ContactFactory(patient=PatientFactory(centre=centre))
    hidden = asked(desk, CONTACTS, contact)
    Contact.objects.filter(pk=contact.pk).update(note="changed")  # the version is raised by the database
    answer = desk.post(CONTACTS, act("void_selected", contact, reason="Wrong", **hidden))
    assert answer.status_code == 422
    assert Contact.objects.get().voided_at is None


def test_a_reason_is_needed_and_records_of_other_centres_are_not_there(desk, centre, other_centre):
    own = ContactFactory(patient=PatientFactory(centre=centre))
    foreign = ContactFactory(patient=PatientFactory(centre=other_centre))
    hidden = asked(desk, CONTACTS, own, foreign)
    assert str(foreign.pk) not in hidden["versions"]
    assert desk.post(CONTACTS, act("void_selected", own, reason=" ", **hidden)).status_code == 422
    desk.post(CONTACTS, act("void_selected", own, foreign, reason="Wrong", **hidden))
    assert list(Contact.objects.filter(voided_at=None)) == [foreign]


def test_who_may_only_read_voids_nothing(centre):
    contact = ContactFactory(patient=PatientFactory(centre=centre))
    reader = signed_in(make_user(role=Role.ADMINISTRATOR, centre=centre, username="administrator"))
    reader.post(CONTACTS, act("void_selected", contact, reason="Wrong", versions=f"{contact.pk}:1"))
    assert Contact.objects.get().voided_at is None


def test_what_is_ticked_is_taken_away_with_values_as_such(desk, centre):
    patient = PatientFactory(centre=centre)
    diagnosis = DiagnosisFactory(
        patient=patient, ki67_percent=Decimal("12.5"), diagnosed_on=date(2018, 3, 1), stage="=1+1"
    )
    PatientFactory(centre=centre)
    address = reverse("admin:patients_diagnosis_changelist")
    answer = desk.post(address, act("export_csv", diagnosis))
    assert "attachment" in answer["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["Registry number"] == patient.registry_number
    assert (row["Ki-67 (%)"], row["Diagnosed on"], row["Stage"]) == ("12.5", "2018-03-01", "'=1+1")
    assert row["Tumour type"] == Diagnosis.objects.get().get_tumour_type_display()
    book = load_workbook(io.BytesIO(desk.post(address, act("export_xlsx", diagnosis)).content))
    head, line = book.active.iter_rows(values_only=True)
    found = dict(zip(head, line, strict=True))
    assert found["Ki-67 (%)"] == 12.5
    assert found["Diagnosed on"].date() == date(2018, 3, 1)
