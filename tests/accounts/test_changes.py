"""What became of records, read from the rows that the database wrote."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pgtrigger
import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.changes import BLANK, NO_DOOR, NOBODY, Change, What, Words, changes_in, changes_of, rows_of
from accounts.history import change_context, server_user
from accounts.models import Centre, Role, User
from accounts.records import ClinicalRecord, correct_record, void_record
from imaging.models import Reading
from patients.models import Contact, Diagnosis, DiseaseEvent
from tests.api import client_for
from tests.factories import (
    ContactFactory,
    CourseFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    PatientFactory,
    ReadingFactory,
    default_protocol,
)
from treatments.models import Administration, Course

BERLIN = ZoneInfo("Europe/Berlin")


def in_words(change: Change) -> dict[str, tuple[str, str]]:
    return {one.label: (one.old, one.new) for one in change.fields}


def stored(change: Change) -> dict[str, tuple[Any, Any]]:
    return {one.column.name: (one.old_value, one.new_value) for one in change.fields}


# What happened


def test_an_entry_tells_what_is_not_blank(centre):
    contact = ContactFactory(patient__centre=centre, note="")

    (entry,) = changes_of([contact])

    assert (entry.what, entry.version, entry.record) == (What.ENTERED, 1, "Contact")
    assert stored(entry) == {
        "patient": (None, contact.patient_id),
        "known_alive_on": (None, date(2020, 1, 15)),
        "source": (None, "visit"),
    }
    assert in_words(entry)["Known alive on"] == (BLANK, "2020-01-15")


def test_a_change_tells_only_what_it_changed_by_whom_and_why(centre, physician):
    contact = ContactFactory(patient__centre=centre)
    correct_record(contact, {"note": "By telephone"}, by=physician, reason="Asked again")

    change = changes_of([contact])[-1]

    assert (change.what, change.version) == (What.CHANGED, 2)
    assert (change.username, change.who, change.reason) == ("physician", "physician", "Asked again")
    assert stored(change) == {"note": ("", "By telephone")}
    assert abs((datetime.now(UTC) - change.at).total_seconds()) < 60


def test_a_value_that_comes_and_goes_again_stays_in_the_history(centre, physician):
    diagnosis = DiagnosisFactory(patient__centre=centre)
    correct_record(diagnosis, {"ki67_percent": Decimal("4.5")}, by=physician, reason="Report")
    correct_record(diagnosis, {"ki67_percent": None}, by=physician, reason="Another patient's")

    _, came, went = changes_of([diagnosis])

    assert stored(came) == {"ki67_percent": (None, Decimal("4.5"))}
    assert stored(went) == {"ki67_percent": (Decimal("4.5"), None)}
    assert in_words(came) == {"Ki-67 (%)": (BLANK, "4.5")}
    assert in_words(went) == {"Ki-67 (%)": ("4.5", BLANK)}


def test_voiding_is_told_as_such_and_taking_it_back_as_a_change(centre, physician):
    contact = ContactFactory(patient__centre=centre)
    void_record(contact, by=physician, reason="Wrong patient")
    Contact.objects.filter(pk=contact.pk).update(voided_at=None, void_reason="")

    entered, voided, restored = changes_of([contact])

    assert [entered.what, voided.what, restored.what] == [What.ENTERED, What.VOIDED, What.CHANGED]
    assert voided.reason == "Wrong patient"
    assert stored(voided)["void_reason"] == ("", "Wrong patient")
    assert stored(restored)["void_reason"] == ("Wrong patient", "")


def test_a_row_deleted_past_the_trigger_is_told_too(centre):
    contact = ContactFactory(patient__centre=centre)
    with pgtrigger.ignore("patients.Contact:no_delete"):
        contact.delete()

    changes = changes_in(Contact, rows_of(Contact))

    assert [change.what for change in changes] == [What.ENTERED, What.DELETED]
    assert changes[-1].fields == ()


# Who, and through which door


def test_sql_typed_by_hand_is_told_without_a_name(centre):
    contact = ContactFactory(patient__centre=centre)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE patients_contact SET note = 'by hand' WHERE id = %s", [contact.pk])

    change = changes_of([contact])[-1]

    assert (change.what, change.version) == (What.CHANGED, 2)
    assert stored(change) == {"note": ("", "by hand")}
    assert (change.username, change.who) == ("", NOBODY)
    assert (change.source, change.door, change.reason) == ("", NO_DOOR, "")


@pytest.mark.parametrize(
    ("source", "door"),
    [
        ("form", "Page of the registry"),
        ("admin", "Correction desk"),
        ("api", "REST API"),
        ("import", "File import"),
        ("command", "Command on the server"),
        ("", "Command on the server"),
        ("robot", "robot"),
    ],
)
def test_every_door_has_its_word(centre, source, door):
    with change_context(source=source):
        contact = ContactFactory(patient__centre=centre)

    (entry,) = changes_of([contact])

    assert (entry.source, entry.door, entry.who) == (source, door, server_user())


# Values in words


@pytest.mark.parametrize(
    ("model", "name", "value", "words"),
    [
        (Diagnosis, "primary_site", "small_intestine", "Small intestine"),
        (Diagnosis, "primary_site", "from an older list", "from an older list"),
        (Diagnosis, "metastatic_sites", ["liver", "bone"], "Liver, Bone"),
        (Diagnosis, "metastatic_sites", [], BLANK),
        (Diagnosis, "stage", "", BLANK),
        (Diagnosis, "ki67_percent", Decimal("0.0"), "0.0"),
        (DiseaseEvent, "occurred_on", date(2019, 10, 1), "2019-10-01"),
        (DiseaseEvent, "occurred_on", "not a date", "not a date"),
        (Reading, "new_lesions", True, "yes"),
        (Reading, "new_lesions", False, "no"),
        (Course, "number", 0, "0"),
        (
            Administration,
            "administered_at",
            datetime(2019, 1, 7, 9, 30, tzinfo=UTC),
            "2019-01-07 10:30:00 (Europe/Berlin)",
        ),
        (
            Administration,
            "administered_at",
            datetime(2019, 7, 7, 23, 30, tzinfo=UTC),
            "2019-07-08 01:30:00 (Europe/Berlin)",
        ),
    ],
)
def test_values_are_said_as_people_read_them(model, name, value, words):
    assert Words(BERLIN).of(model._meta.get_field(name), value) == words


def test_a_foreign_key_is_said_by_the_row_it_points_at(centre, physician, user_with):
    course = CourseFactory(patient__centre=centre)
    reader = user_with(Role.READER, username="reader")
    reading = ReadingFactory(study__patient=course.patient, reader=physician)
    correct_record(reading, {"reader": reader}, by=physician, reason="Read by another")

    assert in_words(changes_of([reading])[-1]) == {"Reader": ("physician", "reader")}
    assert in_words(changes_of([course])[0])["Protocol"] == (BLANK, str(default_protocol()))
    assert in_words(changes_of([reading])[0])["Study"] == (BLANK, str(reading.study))


def test_a_key_that_points_nowhere_is_said_as_it_is(db):
    assert Words().of(Course._meta.get_field("protocol"), 999_999) == "999999"


def test_every_column_of_every_clinical_record_can_be_said(centre):
    DiscontinuationFactory(course__patient__centre=centre)
    ReadingFactory(study__patient__centre=centre)
    told = set()

    for model in apps.get_models():
        if issubclass(model, ClinicalRecord):
            for change in changes_in(model, rows_of(model)):
                assert all(one.label and one.old and one.new for one in change.fields)
                assert all(one.old == BLANK for one in change.fields if change.what == What.ENTERED)
                told.add(model)

    assert {"Patient", "Course", "Cycle", "Administration", "Discontinuation", "Study", "Reading"} == {
        model.__name__ for model in told
    }


# Cost


def test_more_records_and_changes_take_no_more_queries(
    centre, physician, data_manager, django_assert_num_queries
):
    readings = [ReadingFactory(study__patient__centre=centre, reader=physician) for _ in range(3)]
    with django_assert_num_queries(1):
        few = changes_of(readings[:1])
    with django_assert_num_queries(2):  # studies with their patients, readers
        [in_words(change) for change in few]
    for reading in readings:
        correct_record(reading, {"reader": data_manager}, by=physician, reason="Read by another")

    with django_assert_num_queries(1):
        many = changes_of(readings)
    with django_assert_num_queries(2):
        [in_words(change) for change in many]

    assert len(many) == 6


def test_changes_of_several_records_come_in_the_order_they_were_made(centre, physician):
    contact = ContactFactory(patient__centre=centre)
    patient = contact.patient
    before = changes_of([contact, patient])
    assert [change.record for change in before] == [
        "Contact",
        "Patient",
    ]  # of one moment, as they were asked for

    others = changes_of([contact, PatientFactory(centre=centre)])
    assert [change.at for change in others] == sorted(change.at for change in others)


# The three doors


def test_all_doors_tell_the_same_of_a_change(centre: Centre, user_with: Callable[..., User]):
    manager = user_with(Role.DATA_MANAGER, username="manager")
    diagnosis = DiagnosisFactory(patient__centre=centre)
    with change_context(source="import"):
        correct_record(diagnosis, {"who_grade": "g2", "stage": "IV"}, by=manager, reason="Report")
    client = Client()
    client.force_login(manager)

    desk = client.get(reverse("admin:patients_diagnosis_history", args=[diagnosis.pk])).content.decode()
    page = client.get(reverse("patient-history", args=[diagnosis.patient_id])).content.decode()
    row = client_for(manager).get(f"/api/v1/diagnoses/{diagnosis.pk}/history/").json()["results"][-1]

    for shown in (desk, page):
        for words in ("manager", "Report", "File import", "WHO grade", "Not known", "G2", "(blank)", "IV"):
            assert words in shown, words
    assert (row["event"], row["by"], row["reason"], row["source"]) == (
        "update",
        "manager",
        "Report",
        "import",
    )
    assert row["changes"] == [
        {"field": "who_grade", "old": "unknown", "new": "g2"},
        {"field": "stage", "old": "", "new": "IV"},
    ]
