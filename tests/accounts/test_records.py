"""Voided records carry nothing: what hangs on a record is voided before it, and nothing is written under it after."""

from collections.abc import Callable
from datetime import date

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from accounts.errors import RegistryError
from accounts.history import change_context
from accounts.records import ClinicalRecord, correct_record, create_record, void_record
from imaging.models import Reading
from patients.models import Contact, Patient, PatientIdentity
from patients.services import register_patient
from tests.factories import (
    ContactFactory,
    CourseFactory,
    DiscontinuationFactory,
    PatientFactory,
    PatientIdentityFactory,
    ReadingFactory,
    StudyFactory,
)
from treatments import services as treatments
from treatments.models import Administration, Cycle, Discontinuation

VOIDED = {"voided_at": "2020-01-01T00:00Z", "void_reason": "By hand"}
REASON = "Registered by mistake"


def void_by_hand(record: ClinicalRecord) -> None:
    """Void a record past the services, as SQL could."""
    type(record)._default_manager.filter(pk=record.pk).update(**VOIDED)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(RegistryError) as refused:
        act()
    return refused.value.code


@pytest.fixture
def patient(centre):
    return PatientFactory(centre=centre, registry_number="STA-0001")


def test_nothing_is_entered_corrected_or_voided_under_a_voided_patient(patient, physician):
    contact = ContactFactory(patient=patient)
    void_by_hand(patient)

    for act in (
        lambda: create_record(Contact(patient=patient, known_alive_on=date(2020, 2, 2)), by=physician),
        lambda: correct_record(contact, {"note": "x"}, by=physician, reason=REASON),
        lambda: void_record(contact, by=physician, reason=REASON),
    ):
        with pytest.raises(RegistryError, match="STA-0001 has been voided") as refused:
            act()
        assert refused.value.code == "parent_voided"
    assert Contact.objects.get().version == 1


@pytest.mark.parametrize("step", ["cycle", "course", "patient"])
def test_every_step_between_a_record_and_its_patient_counts(patient, physician, step):
    course = CourseFactory(patient=patient)
    cycle = course.cycles.get(number=4)  # of no other consequence when it is voided
    void_by_hand({"cycle": cycle, "course": course, "patient": patient}[step])
    administration = Administration(
        cycle=cycle,
        administered_at="2019-01-07T09:30Z",
        prescribed_activity_mbq=7400,
        administered_activity_mbq=7400,
    )

    with pytest.raises(RegistryError, match="has been voided: what belongs to it") as refused:
        create_record(administration, by=physician)

    assert refused.value.code == "parent_voided"
    assert not Administration.objects.exists()


def test_a_reading_is_not_entered_under_a_voided_study(patient, physician):
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    void_by_hand(study)

    assert code_of(lambda: create_record(Reading(study=study, overall_response="SD"), by=physician)) == (
        "parent_voided"
    )


def test_an_unplaced_record_is_refused_by_its_own_rules(db):
    with pytest.raises(ValidationError, match="patient"):
        create_record(Contact(known_alive_on=date(2020, 2, 2)), by=None)


def test_a_patient_with_records_is_not_voided_and_is_told_what_to_void_first(patient, physician):
    CourseFactory(patient=patient, given=1)
    StudyFactory(patient=patient)
    ContactFactory(patient=patient)
    ContactFactory(patient=patient, known_alive_on=date(2020, 2, 2))

    with pytest.raises(RegistryError) as refused:
        void_record(patient, by=physician, reason=REASON)

    assert refused.value.code == "has_records"
    assert refused.value.message.startswith("Void first what belongs to STA-0001: ")
    assert set(refused.value.message.removesuffix(".").partition(": ")[2].split(", ")) == {
        "2 contacts",
        "1 course",
        "1 study",
    }
    patient.refresh_from_db()
    assert patient.voided_at is None


def test_a_course_with_a_given_cycle_or_a_discontinuation_is_not_voided(patient, physician):
    course = CourseFactory(patient=patient, given=2)
    DiscontinuationFactory(course=course)

    with pytest.raises(RegistryError, match="1 discontinuation") as refused:
        void_record(course, by=physician, reason=REASON)

    assert refused.value.code == "has_records"
    assert "2 administrations" in refused.value.message


def test_a_study_is_not_voided_while_its_reading_stands(patient, physician):
    reading = ReadingFactory(study__patient=patient)

    assert code_of(lambda: void_record(reading.study, by=physician, reason=REASON)) == "has_records"

    void_record(reading, by=physician, reason=REASON)
    assert void_record(reading.study, by=physician, reason=REASON).voided_at is not None


def test_a_patient_registered_by_mistake_is_voided_from_the_last_record_to_the_first(centre, physician):
    patient = register_patient(
        centre=centre,
        sex="female",
        birth_date=date(1957, 3, 2),
        mrn="0042",
        family_name="Example",
        by=physician,
    )
    course = CourseFactory(patient=patient, given=2)
    stopped = DiscontinuationFactory(course=course)

    treatments.void_discontinuation(stopped, by=physician, reason=REASON)
    for number in (2, 1):
        given = Administration.objects.get(cycle__course=course, cycle__number=number)
        treatments.void_administration(given, by=physician, reason=REASON)
    void_record(course, by=physician, reason=REASON)
    void_record(patient, by=physician, reason=REASON)

    for model in (Patient, PatientIdentity, Cycle, Administration, Discontinuation):
        assert model.objects.exists(), model
        assert not model.objects.current().exists(), model
        assert set(model.objects.values_list("void_reason", flat=True)) == {REASON}


def test_an_mrn_voided_with_its_patient_is_free_and_no_longer_found(centre, physician):
    mistaken = PatientIdentityFactory(patient__centre=centre, mrn="0042").patient
    void_record(mistaken, by=physician, reason=REASON)

    right = register_patient(centre=centre, sex="male", birth_date=date(1957, 3, 2), mrn="0042", by=physician)

    assert list(Patient.objects.search("0042", physician)) == [right]
    with pytest.raises(ValidationError, match="Another patient of this centre has this MRN"):
        register_patient(centre=centre, sex="male", birth_date=date(1957, 3, 2), mrn="0042", by=physician)


def test_a_voided_course_takes_its_planned_cycles_with_it_in_one_act(patient, physician):
    course = CourseFactory(patient=patient)

    void_record(course, by=physician, reason=REASON)

    events = apps.get_model("treatments", "CycleEvent").objects.filter(
        pgh_obj__course=course, pgh_label="update"
    )
    assert {event.pgh_context["reason"] for event in events} == {REASON}
    assert events.count() == 4


# Who changed it, where nobody is signed in


def test_history_names_the_account_of_the_server_where_nobody_is_signed_in(patient, physician, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "maria")
    contact = create_record(Contact(patient=patient, known_alive_on=date(2020, 2, 2)), by=None)
    correct_record(contact, {"note": "x"}, by=physician, reason="More is known")
    with change_context(by=physician):
        correct_record(contact, {"note": "y"}, by=None, reason="More is known")

    events = apps.get_model("patients", "ContactEvent").objects.order_by("pgh_id")
    assert [event.pgh_context["username"] for event in events] == ["maria (server)", "physician", "physician"]
    assert "user" not in events[0].pgh_context


def test_an_account_without_a_name_is_named_by_its_number(patient, monkeypatch):
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 10001)

    create_record(Contact(patient=patient, known_alive_on=date(2020, 2, 2)), by=None)

    event = apps.get_model("patients", "ContactEvent").objects.get()
    assert event.pgh_context["username"] == "uid 10001 (server)"
