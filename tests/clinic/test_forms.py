"""Entering, correcting and voiding records in the browser: happy, refused, and overtaken by somebody else."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from accounts.records import correct_record
from imaging.models import Reading, Study
from patients.models import Contact, Death, DiseaseEvent, Patient, PerformanceStatus, PriorTherapy
from tests.clinic.test_pages import signed_in
from tests.factories import (
    ContactFactory,
    CourseFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)
from treatments.models import Administration, Course, CycleStatus


@pytest.fixture
def patient(centre) -> Patient:
    return CourseFactory(patient=PatientFactory(centre=centre), given=2).patient


@pytest.fixture
def desk(data_manager) -> Client:
    return signed_in(data_manager)


ENTRIES = {
    "performance-status": (PerformanceStatus, {"ecog": "1", "assessed_on": "2018-12-20"}),
    "prior-therapy": (
        PriorTherapy,
        {"kind": "somatostatin_analogue", "agent": "lanreotide", "started_on": "2017-03-01"},
    ),
    "contact": (Contact, {"known_alive_on": "2019-06-01", "source": "visit"}),
    "disease-event": (DiseaseEvent, {"kind": "clinical_progression", "occurred_on": "2019-06-01"}),
    "death": (Death, {"died_on": "2019-06-01", "cause": "comorbidity"}),
    "study": (
        Study,
        {"course_number": "1", "timepoint": "interim", "modality": "pet_ct", "performed_on": "2019-04-01"},
    ),
}


@pytest.mark.parametrize(
    ("typed", "stored"), [("20190601", date(2019, 6, 1)), ("2019611", None), ("20191306", None)]
)
def test_a_day_may_be_typed_without_its_dashes(typed, stored, patient, desk):
    values = {"known_alive_on": typed, "source": "visit"}
    response = desk.post(reverse("record-new", args=[patient.pk, "contact"]), values)

    assert response.status_code == (302 if stored else 422)
    assert Contact.objects.values_list("known_alive_on", flat=True).first() == stored


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_first_entry_is_stored_without_a_reason_and_leads_back_to_the_chart(kind, patient, desk):
    model, values = ENTRIES[kind]

    response = desk.post(reverse("record-new", args=[patient.pk, kind]), values, follow=True)

    assert response.redirect_chain == [(reverse("patient-chart", args=[patient.pk]), 302)]
    assert "was recorded." in response.content.decode()
    assert model.objects.get().patient == patient


@pytest.mark.parametrize("kind", ENTRIES)
def test_the_same_form_sent_twice_is_told_and_stores_one_record(kind, patient, desk):
    model, values = ENTRIES[kind]
    url = reverse("record-new", args=[patient.pk, kind])

    assert desk.post(url, values).status_code == 302
    second = desk.post(url, values)

    assert second.status_code == 422
    assert "already" in second.content.decode()
    assert model.objects.count() == 1


def test_what_is_wrong_stands_above_the_form_and_at_its_field_in_the_same_words(patient, desk):
    response = desk.post(
        reverse("record-new", args=[patient.pk, "death"]), {"died_on": "2999-01-01", "cause": "comorbidity"}
    )
    content = response.content.decode()

    assert response.status_code == 422
    assert '<a href="#id_died_on">Died on: This date lies in the future.</a>' in content
    assert '<ul class="field-errors" id="id_died_on_error"><li>This date lies in the future.</li>' in content
    assert 'aria-invalid="true"' in content
    assert not Death.objects.exists()


def test_a_refusal_of_the_database_is_told_in_its_own_sentence(patient, desk):
    response = desk.post(
        reverse("record-new", args=[patient.pk, "death"]), {"died_on": "2019-02-01", "cause": "comorbidity"}
    )

    assert response.status_code == 422
    assert (
        "The patient died on 2019-02-01: cycle given on 2019-03-04 cannot be later."
        in response.content.decode()
    )
    assert not Death.objects.exists()


@pytest.mark.parametrize(
    ("role", "kind", "status"),
    [
        (Role.READER, "contact", 403),
        (Role.READER, "performance-status", 403),
        (Role.COORDINATOR, "prior-therapy", 302),
        (Role.READER, "study", 302),
        (Role.PHYSICIST, "contact", 403),
        (Role.COORDINATOR, "contact", 302),
        (Role.COORDINATOR, "study", 403),
        (Role.ADMINISTRATOR, "death", 403),
        (Role.RESEARCHER, "contact", 404),
    ],
)
def test_a_form_is_refused_to_roles_that_may_not_edit_such_records(role, kind, status, patient, user_with):
    model, values = ENTRIES[kind]
    client = signed_in(user_with(role))
    url = reverse("record-new", args=[patient.pk, kind])

    assert client.get(url).status_code == {302: 200}.get(status, status)
    assert client.post(url, values).status_code == status
    assert model.objects.count() == (1 if status == 302 else 0)


def test_a_cycle_is_given_in_the_clock_of_the_centre_and_moves_the_plan(patient, desk):
    cycle = patient.courses.get().cycles.get(number=3)
    url = reverse("cycle-administer", args=[patient.pk, cycle.pk])
    assert 'value="7400.0"' in desk.get(url).content.decode()
    values = {
        "administered_at": "2019-05-06T00:30",
        "administered_activity_mbq": "7391.5",
        "prescribed_activity_mbq": "7400",
        "lot": "L1",
        "confirmation_reason": "Values are on paper",
    }

    assert desk.post(url, values).status_code == 302

    administration = Administration.objects.get(cycle=cycle)
    # 00:30 in Berlin is still the day before in UTC; the plan goes by the local date.
    assert administration.administered_at.isoformat() == "2019-05-05T22:30:00+00:00"
    assert administration.administered_activity_mbq == Decimal("7391.5")
    assert patient.courses.get().cycles.get(number=4).planned_on == date(2019, 7, 1)

    again = desk.post(url, values)
    assert again.status_code == 409
    assert "has already been recorded as given" in again.content.decode()
    assert Administration.objects.filter(cycle=cycle).count() == 1


def test_a_field_is_checked_while_the_form_is_filled_and_nothing_is_stored(patient, desk):
    url = reverse("cycle-administer", args=[patient.pk, patient.courses.get().cycles.get(number=3).pk])

    def said(field: str, **values: str) -> list[str]:
        answer = desk.post(url, values, headers={"X-Check-Field": field})
        assert answer.status_code == 200
        return answer.json()["errors"]

    assert said("administered_at", administered_at="6.5.2019 10 Uhr") == [
        "Type the date and the time as YYYY-MM-DD HH:MM."
    ]
    assert said("administered_at", administered_at="2019-05-06 10:30") == []
    (words,) = said("syringe_activity_mbq", syringe_activity_mbq="lots")
    assert words.startswith("Type the activity as a number")
    assert said("no_such_field", administered_at="x") == []
    assert not Administration.objects.filter(cycle__number=3).exists()


def test_fields_of_several_forms_on_one_page_are_checked(desk):
    url = reverse("patient-register")
    page = desk.get(url).content.decode()
    assert "data-checked" in page
    (name,) = re.findall(r'name="([\w-]*birth_date)"', page)
    answer = desk.post(url, {name: "31.02.1957"}, headers={"X-Check-Field": name})
    assert len(answer.json()["errors"]) == 1


def given(patient: Patient, number: int, **changes: str) -> tuple[str, dict[str, str]]:
    cycle = patient.courses.get().cycles.get(number=number)
    return reverse("cycle-administer", args=[patient.pk, cycle.pk]), {
        "administered_at": "2019-05-06 10:30",
        "administered_activity_mbq": "7400",
        "prescribed_activity_mbq": "7400",
        "confirmation_reason": "Values are on paper",
    } | changes


@pytest.mark.parametrize(
    ("activity", "status"), [("5920", 302), ("5919.9", 422), ("8880", 302), ("8880.1", 422)]
)
def test_an_activity_past_20_percent_of_the_prescribed_needs_an_explanation(activity, status, patient, desk):
    url, values = given(patient, 3, administered_activity_mbq=activity)

    response = desk.post(url, values)

    assert response.status_code == status
    if status == 422:
        assert 'href="#id_deviation_explanation">' in response.content.decode()
        assert desk.post(url, values | {"deviation_explanation": "Vial leaked"}).status_code == 302


def test_a_correction_past_20_percent_needs_an_explanation_too(patient, desk):
    record = Administration.objects.get(cycle__number=2)
    _, values = given(patient, 3, administered_activity_mbq="3700")

    response = desk.post(
        reverse("record-correct", args=[patient.pk, "administration", record.pk]),
        values | {"reason": "Typed wrong", "version": str(record.version)},
    )

    assert response.status_code == 422
    assert "by more than 20\N{NO-BREAK SPACE}%: say why" in response.content.decode()


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        ("0", "An activity must be above 0"),
        ("-5", "An activity must be above 0"),
        ("20000.1", "An activity cannot be above 20,000"),
        ("123456789", "An activity cannot be above 20,000"),
        ("much", "Type the activity as a number"),
    ],
)
def test_a_wrong_activity_is_told_at_its_field_in_mbq(activity, said, patient, desk):
    url, values = given(patient, 3, administered_activity_mbq=activity)

    response = desk.post(url, values)

    assert response.status_code == 422
    assert any(said in error for error in response.context["form"].errors["administered_activity_mbq"])
    assert not response.context["form"].non_field_errors()
    assert "Ensure that" not in response.content.decode()


def test_only_where_cycles_follow_are_they_said_to_be_planned(patient, desk):
    third = desk.post(*given(patient, 3), follow=True).content.decode()
    url, values = given(patient, 4, administered_at="2019-07-01 10:30")
    last = desk.post(url, values, follow=True).content.decode()

    assert "the following cycles were planned from it" in third
    assert "Cycle 4 was recorded as given" in last
    assert "the following cycles were planned from it" not in last


def test_choices_are_asked_for_in_words(desk, patient):
    for url in (reverse("patient-register"), reverse("record-new", args=[patient.pk, "death"])):
        content = desk.get(url).content.decode()
        assert "---------" not in content
        assert '<option value="" selected>Choose</option>' in content


def test_a_course_is_discontinued_with_its_reasons(patient, desk):
    course = patient.courses.get()

    response = desk.post(
        reverse("course-discontinue", args=[patient.pk, course.pk]),
        {"discontinued_on": "2019-05-02", "main_reason": "comorbidity", "further_reasons": ["renal"]},
    )

    assert response.status_code == 302
    stopped = course.discontinuations.get()
    assert (stopped.after_cycle, stopped.further_reasons) == (2, ["renal"])
    assert course.cycles.filter(status=CycleStatus.CANCELLED).count() == 2


def test_a_reading_names_who_read_it_and_a_baseline_has_none(patient, desk, data_manager):
    baseline = StudyFactory(patient=patient)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    values = {"overall_response": "PR"}

    assert desk.post(reverse("reading-new", args=[patient.pk, study.pk]), values).status_code == 302
    assert desk.post(reverse("reading-new", args=[patient.pk, baseline.pk]), values).status_code == 404

    assert Reading.objects.get().reader == data_manager


def test_a_study_is_entered_with_its_tracer_weight_and_reference_organs(patient, desk):
    page = desk.get(reverse("record-new", args=[patient.pk, "study"])).content.decode()
    assert "0: none" in page
    values = {
        "course_number": "1",
        "timepoint": "baseline",
        "modality": "pet_ct",
        "performed_on": "2018-12-17",
        "tracer": "68Ga-DOTATATE",
        "tracer_activity_mbq": "180",
        "injected_at": "2018-12-17 09:05",
        "uptake_minutes": "61",
        "body_weight_kg": "71.5",
        "slice_thickness_mm": "3",
        "liver_suv_mean": "5.2",
        "spleen_suv_mean": "18.4",
        "krenning_score": "0",
        "study_instance_uid": "1.2.840.113619.2.55",
    }

    assert desk.post(reverse("record-new", args=[patient.pk, "study"]), values).status_code == 302

    study = Study.objects.get()
    assert study.injected_at == datetime(2018, 12, 17, 8, 5, tzinfo=UTC)  # the centre's clock, in winter
    assert (study.body_weight_kg, study.liver_suv_mean, study.krenning_score) == (
        Decimal("71.5"),
        Decimal("5.2"),
        0,
    )


def test_a_reading_recorded_by_hand_keeps_what_the_measurements_said_beside_it(patient, desk):
    baseline = StudyFactory(patient=patient)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    lesion = MeasurementFactory(lesion__patient=patient, study=baseline, size_mm=50).lesion
    MeasurementFactory(lesion=lesion, study=study, size_mm=30)

    desk.post(reverse("reading-new", args=[patient.pk, study.pk]), {"overall_response": "SD"})

    reading = Reading.objects.get()
    assert (reading.status, reading.overall_response, reading.derived_response) == ("reported", "SD", "PR")
    assert reading.sum_of_diameters_mm == 30


def test_a_signed_reading_is_not_corrected_here_but_signed_anew(patient, desk, data_manager):
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    signed = {"status": "signed", "reader": data_manager, "signed_at": datetime(2019, 4, 2, tzinfo=UTC)}
    reading = ReadingFactory(study=study, **signed)
    page = reverse("record-correct", args=[patient.pk, "reading", reading.pk])

    shown = desk.get(page)
    refused = desk.post(
        page, {"overall_response": "PR", "reason": "Typing error", "version": reading.version}
    )

    assert shown.url == reverse("reading-sign", args=[patient.pk, 1, study.pk]) + "?reader=first"
    assert refused.status_code == 409
    assert "This reading has been signed" in refused.content.decode()
    reading.refresh_from_db()
    assert (reading.overall_response, reading.version) == ("SD", 1)


def test_a_new_lesion_without_progression_is_told(patient, desk):
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))

    response = desk.post(
        reverse("reading-new", args=[patient.pk, study.pk]), {"overall_response": "SD", "new_lesions": "on"}
    )

    assert response.status_code == 422
    assert "A new lesion is progression" in response.content.decode()


# Registering


REGISTRATION = {
    "person-mrn": "M-1",
    "person-family_name": "Example",
    "person-sex": "female",
    "person-birth_date": "1960-02-29",
    "diagnosis-tumour_type": "net",
    "diagnosis-primary_site": "pancreas",
    "diagnosis-who_grade": "g2",
    "diagnosis-functional_syndrome": "unknown",
    "course-start_now": "on",
    "course-intent": "initial",
    "course-first_planned_on": "2019-01-07",
}


def registration(client: Client, **changes: str) -> dict[str, str]:
    page = client.get(reverse("patient-register")).content.decode()
    centre = re.search(r'name="person-centre".*?<option value="([^"]+)"', page, re.DOTALL)
    protocol = re.search(r'name="course-protocol".*?<option value="([^"]+)"', page, re.DOTALL)
    assert centre is not None
    assert protocol is not None
    return REGISTRATION | {"person-centre": centre[1], "course-protocol": protocol[1]} | changes


def test_a_patient_is_registered_with_diagnosis_and_course_at_once(desk, centre):
    response = desk.post(reverse("patient-register"), registration(desk))

    patient = Patient.objects.get()
    assert response["Location"] == reverse("patient-chart", args=[patient.pk])
    assert (patient.registry_number, patient.centre) == ("STA-0001", centre)
    assert patient.identity.mrn == "M-1"
    assert patient.diagnoses.get().primary_site == "pancreas"
    assert Course.objects.get().cycles.count() == 4


def test_a_patient_registered_twice_is_told_by_the_mrn_and_nothing_is_half_stored(desk):
    values = registration(desk)
    desk.post(reverse("patient-register"), values)

    second = desk.post(reverse("patient-register"), values)

    assert second.status_code == 422
    assert "Another patient of this centre has this MRN." in second.content.decode()
    assert Patient.objects.count() == 1
    assert Course.objects.count() == 1


def test_everything_wrong_with_a_registration_stands_in_one_summary(desk):
    values = registration(desk, **{"person-family_name": "", "diagnosis-tumour_type": ""})

    content = desk.post(reverse("patient-register"), values).content.decode()

    assert content.count('class="error-summary"') == 1
    assert 'href="#id_person-family_name"' in content
    assert 'href="#id_diagnosis-tumour_type"' in content
    assert "<title>Error: Register a patient" in content


def test_nobody_registers_at_a_centre_where_they_have_no_role(desk, other_centre):
    response = desk.post(
        reverse("patient-register"), registration(desk, **{"person-centre": str(other_centre.pk)})
    )

    assert response.status_code == 422
    assert not Patient.objects.exists()


# Correcting and voiding


@pytest.fixture
def contact(patient) -> Contact:
    return ContactFactory(patient=patient, known_alive_on=date(2019, 6, 1))


def correction(contact: Contact, **changes: object) -> dict[str, object]:
    return {
        "known_alive_on": "2019-06-02",
        "source": "visit",
        "note": "",
        "reason": "Typed wrong",
        "version": contact.version,
    } | changes


def test_a_correction_needs_a_reason(contact, patient, desk):
    url = reverse("record-correct", args=[patient.pk, "contact", contact.pk])

    refused = desk.post(url, correction(contact, reason=" "))

    assert refused.status_code == 422
    assert "Say why this is corrected." in refused.content.decode()
    contact.refresh_from_db()
    assert contact.known_alive_on == date(2019, 6, 1)
    assert desk.post(url, correction(contact)).status_code == 302
    contact.refresh_from_db()
    assert contact.known_alive_on == date(2019, 6, 2)


def test_who_was_overtaken_sees_both_versions_and_goes_on_from_the_present_one(
    contact, patient, desk, physician
):
    opened = correction(contact, known_alive_on="2019-06-09")
    correct_record(contact, {"known_alive_on": date(2019, 6, 5)}, by=physician, reason="Letter arrived")
    url = reverse("record-correct", args=[patient.pk, "contact", contact.pk])

    response = desk.post(url, opened)
    content = response.content.decode()

    assert response.status_code == 409
    contact.refresh_from_db()
    assert contact.known_alive_on == date(2019, 6, 5)
    assert "Nothing of yours was stored" in content
    assert "physician" in content
    assert "Letter arrived" in content
    row = re.search(r'<tr><th scope="row">Known alive on</th>(.*?)</tr>', content, re.DOTALL)
    assert row is not None
    assert re.findall(r"<td[^>]*>([^<]+)</td>", row[1]) == ["2019-06-09", "2019-06-05"]
    assert 'name="known_alive_on" value="2019-06-05"' in content
    # The form on that page can be sent on.
    again = re.search(r'name="version" value="(\d+)"', content)
    assert again is not None
    assert desk.post(url, opened | {"version": again[1]}).status_code == 302
    contact.refresh_from_db()
    assert contact.known_alive_on == date(2019, 6, 9)


def test_a_stale_form_is_told_even_where_its_values_are_wrong_too(contact, patient, desk, physician):
    opened = correction(contact, known_alive_on="not a date")
    correct_record(contact, {"note": "seen"}, by=physician, reason="More is known")

    response = desk.post(reverse("record-correct", args=[patient.pk, "contact", contact.pk]), opened)

    assert response.status_code == 409
    assert "not a date" in response.content.decode()


@pytest.mark.parametrize("version", ["", "x", "-1"])
def test_a_correction_without_a_version_is_never_stored(version, contact, patient, desk):
    response = desk.post(
        reverse("record-correct", args=[patient.pk, "contact", contact.pk]),
        correction(contact, version=version),
    )

    assert response.status_code in {409, 422}
    contact.refresh_from_db()
    assert contact.known_alive_on == date(2019, 6, 1)


def test_yours_and_theirs_are_compared_on_the_centres_clock(patient, desk, physician):
    given = Administration.objects.get(cycle__number=2)
    changes = {"administered_at": datetime(2019, 3, 5, 9, tzinfo=UTC)}
    correct_record(given, changes, by=physician, reason="Injection record")

    response = desk.post(
        reverse("record-correct", args=[patient.pk, "administration", given.pk]),
        {
            "administered_at": "2019-03-11T10:30",
            "administered_activity_mbq": "7391.5",
            "prescribed_activity_mbq": "7400",
            "reason": "It was a week later",
            "version": given.version,
        },
    )

    assert response.status_code == 409
    content = response.content.decode()
    assert "2019-03-11 10:30:00 (Europe/Berlin)" in content
    assert "2019-03-05 10:00:00 (Europe/Berlin)" in content
    assert "<strong>physician</strong> (Command on the server)" in content


def test_correcting_the_day_of_a_cycle_moves_the_plan(patient, desk):
    given = Administration.objects.get(cycle__number=2)

    response = desk.post(
        reverse("record-correct", args=[patient.pk, "administration", given.pk]),
        {
            "administered_at": "2019-03-11T10:30",
            "administered_activity_mbq": "7391.5",
            "prescribed_activity_mbq": "7400",
            "reason": "It was a week later",
            "version": given.version,
        },
    )

    assert response.status_code == 302
    assert patient.courses.get().cycles.get(number=3).planned_on == date(2019, 5, 6)


def test_a_cycle_is_put_on_hold_with_a_reason(patient, desk):
    cycle = patient.courses.get().cycles.get(number=3)
    url = reverse("record-correct", args=[patient.pk, "cycle", cycle.pk])

    values = {
        "planned_on": "2019-04-29",
        "status": "held",
        "note": "Platelets",
        "reason": "Grade 2",
        "version": 1,
    }
    assert desk.post(url, values).status_code == 302
    cycle.refresh_from_db()
    assert cycle.status == CycleStatus.HELD
    # A given cycle is corrected through its administration, never by its status.
    given = patient.courses.get().cycles.get(number=1)
    assert desk.get(reverse("record-correct", args=[patient.pk, "cycle", given.pk])).status_code == 404
    assert desk.post(url, values | {"status": "given", "version": cycle.version}).status_code == 422


def test_a_record_is_voided_with_a_reason_and_leaves_the_chart_for_the_history(contact, patient, desk):
    url = reverse("record-void", args=[patient.pk, "contact", contact.pk])

    assert desk.post(url, {"reason": "", "version": 1}).status_code == 422
    assert desk.post(url, {"reason": "Another patient", "version": 99}).status_code == 409
    contact.refresh_from_db()
    assert contact.voided_at is None
    assert desk.post(url, {"reason": "Another patient", "version": 1}).status_code == 302

    assert "2019-06-01" not in desk.get(reverse("patient-chart", args=[patient.pk])).content.decode()
    assert "Another patient" in desk.get(reverse("patient-history", args=[patient.pk])).content.decode()


@pytest.mark.parametrize("name", ["record-correct", "record-void"])
def test_an_already_voided_record_leads_to_the_chart_and_says_who_and_why(name, contact, patient, desk):
    desk.post(
        reverse("record-void", args=[patient.pk, "contact", contact.pk]),
        {"reason": "Another patient.", "version": 1},
    )
    url = reverse(name, args=[patient.pk, "contact", contact.pk])

    for response in (desk.get(url, follow=True), desk.post(url, correction(contact), follow=True)):
        assert response.redirect_chain == [(reverse("patient-chart", args=[patient.pk]), 302)]
        assert (
            "This contact was already voided by data_manager, because: Another patient. Nothing was stored."
            in response.content.decode()
        )
    assert Contact.objects.get().void_reason == "Another patient."


def test_voiding_a_given_cycle_plans_it_again(patient, desk):
    given = Administration.objects.get(cycle__number=2)

    desk.post(
        reverse("record-void", args=[patient.pk, "administration", given.pk]),
        {"reason": "Was not given", "version": given.version},
    )

    assert patient.courses.get().cycles.get(number=2).status == CycleStatus.PLANNED


def test_a_record_is_not_reached_through_another_patient(contact, desk, centre):
    stranger = PatientFactory(centre=centre)
    reading = ReadingFactory(
        study=StudyFactory(patient=contact.patient, timepoint="interim", performed_on=date(2019, 4, 1))
    )

    for kind, record in (("contact", contact), ("reading", reading)):
        assert desk.get(reverse("record-correct", args=[stranger.pk, kind, record.pk])).status_code == 404
        assert desk.get(reverse("record-void", args=[stranger.pk, kind, record.pk])).status_code == 404


def test_correcting_is_refused_to_roles_that_may_not_edit(contact, patient, user_with):
    client = signed_in(user_with(Role.READER))

    for name in ("record-correct", "record-void"):
        url = reverse(name, args=[patient.pk, "contact", contact.pk])
        assert client.get(url).status_code == 403
        assert client.post(url, correction(contact)).status_code == 403
    contact.refresh_from_db()
    assert contact.version == 1
