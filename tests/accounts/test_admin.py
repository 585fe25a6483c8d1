"""The correction desk: who gets in, what each may see and change, and that every change says why."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Centre, Membership, Role, User
from accounts.records import ClinicalRecord, correct_record, void_record
from analytics.models import Cohort
from imaging.models import Reading
from patients.models import Contact, Death, Diagnosis, Patient, PatientIdentity
from tests.factories import (
    AbsorbedDoseFactory,
    AdverseEventFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    DiseaseEventFactory,
    DoseDecisionFactory,
    HoldFactory,
    LabResultFactory,
    MeasurementFactory,
    PatientFactory,
    PatientIdentityFactory,
    PerformanceStatusFactory,
    PriorPrrtFactory,
    PriorTherapyFactory,
    ReadingFactory,
    SomatostatinAnalogueDoseFactory,
    StudyFactory,
    UserFactory,
    default_protocol,
    make_user,
)
from treatments.models import (
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    Hold,
    LabResult,
    Protocol,
)

CLINICAL = [model for model in admin.site._registry if issubclass(model, ClinicalRecord)]
CLINICAL_NAMES = [model.__name__ for model in CLINICAL]
PASSWORD = "correct horse battery staple"


def page(model: type, what: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


@pytest.fixture
def desk(client: Client, data_manager: User) -> Client:
    """The desk of a data manager at the plain centre."""
    client.force_login(data_manager)
    return client


@pytest.fixture
def one_of_each(centre: Centre) -> dict[str, ClinicalRecord]:
    return records_at(centre, "STA-0900")


@pytest.fixture
def foreign(other_centre: Centre) -> dict[str, ClinicalRecord]:
    """One record of each kind at the centre where the data manager has no role."""
    return records_at(other_centre, "NRD-0001")


def records_at(centre: Centre, number: str) -> dict[str, ClinicalRecord]:
    patient = PatientFactory(centre=centre, registry_number=number)
    course = CourseFactory(patient=patient, given=2)
    reading = ReadingFactory(
        study=StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    )
    baseline = StudyFactory(patient=patient)
    measurement = MeasurementFactory(lesion__patient=patient, study=baseline)
    records = [
        patient,
        PatientIdentityFactory(patient=patient, mrn=f"M-{number}"),
        DiagnosisFactory(patient=patient),
        PerformanceStatusFactory(patient=patient),
        PriorTherapyFactory(patient=patient),
        ContactFactory(patient=patient, known_alive_on=date(2019, 6, 1)),
        DiseaseEventFactory(patient=patient),
        DeathFactory(patient=patient),
        course,
        course.cycles.get(number=1),
        Administration.objects.get(cycle__course=course, cycle__number=1),
        AbsorbedDoseFactory(cycle=course.cycles.get(number=1)),
        HoldFactory(cycle=course.cycles.get(number=3)),
        DoseDecisionFactory(cycle=course.cycles.get(number=3)),
        LabResultFactory(patient=patient),
        AdverseEventFactory(patient=patient),
        SomatostatinAnalogueDoseFactory(patient=patient),
        PriorPrrtFactory(patient=patient),
        DiscontinuationFactory(course=course),
        reading.study,
        reading,
        measurement.lesion,
        measurement,
    ]
    return {type(record).__name__: record for record in records}


def form_values(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send of the form at ``address`` if nothing were changed in it."""
    response = client.get(address)
    assert response.status_code == 200, response
    form = response.context["adminform"].form
    values: dict[str, Any] = {}
    for bound in form:
        widget, value = bound.field.widget, bound.value()
        if hasattr(widget, "widgets"):  # date and time
            for suffix in widget.widgets_names:  # as the page shows them, in its own zone
                name = bound.html_name + suffix
                (tag,) = re.findall(f'<input[^>]*name="{name}"[^>]*>', response.content.decode())
                values[name] = (re.findall('value="([^"]*)"', tag) or [""])[0]
        elif value is not None and value is not False:
            values[bound.html_name] = getattr(value, "pk", value)
    return values


def errors_of(response: Any) -> str:
    assert response.status_code == 200, response
    return " ".join(
        message for found in response.context["adminform"].form.errors.values() for message in found
    )


def history_rows(record: ClinicalRecord) -> list[Any]:
    return list(record.events.order_by("pgh_id"))


# Who gets in


@pytest.mark.parametrize("role", list(Role.values))
def test_only_roles_of_the_desk_get_in(client, user_with, role):
    client.force_login(user_with(role))

    response = client.get(reverse("admin:index"), follow=True)

    assert response.status_code == (200 if role in {Role.DATA_MANAGER, Role.ADMINISTRATOR} else 403)


def test_staff_status_alone_opens_nothing(client, user_with):
    client.force_login(user_with(Role.PHYSICIAN, is_staff=True))

    assert client.get(reverse("admin:index"), follow=True).status_code == 403


def test_a_superuser_gets_in_without_a_role(client, db):
    client.force_login(UserFactory(is_superuser=True))

    assert client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("address", ["admin:index", "admin:login", "admin:patients_patient_changelist"])
def test_who_is_not_signed_in_is_sent_to_the_sites_own_sign_in(client, db, address):
    sent_to = client.get(reverse(address), follow=True).redirect_chain

    assert sent_to[-1][0].startswith(reverse(settings.LOGIN_URL) + "?next=/admin/")


def test_the_admins_own_sign_in_page_takes_no_password(client, db):
    User.objects.create_superuser("root", password=PASSWORD)

    response = client.post(reverse("admin:login"), {"username": "root", "password": PASSWORD})

    assert response.status_code == 302
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/"])
def test_sign_in_does_not_send_away_from_the_site(desk, wanted):
    assert desk.get(reverse("admin:login"), {"next": wanted}).url == reverse("admin:index")


def test_every_clinical_record_has_a_page():
    kinds = {model for model in apps.get_models() if issubclass(model, ClinicalRecord)}

    assert kinds <= set(CLINICAL)


def test_nothing_else_is_on_the_desk():
    others = {model.__name__ for model in admin.site._registry} - set(CLINICAL_NAMES)

    assert others == {
        "Centre", "User", "AuthToken", "Authenticator", "AccessAttempt", "AccessLog", "Protocol", "Cohort", "Definition",
        "ReferenceRange",
    }  # fmt: skip


def test_the_policy_is_relaxed_for_the_desk_alone(desk):
    of_desk = desk.get(reverse("admin:index")).headers["Content-Security-Policy"]
    of_site = desk.get(reverse(settings.LOGIN_URL)).headers["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in of_desk + ";"
    assert "style-src 'self' 'unsafe-inline'" in of_desk
    assert "unsafe" not in of_site


# Isolation between centres


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_a_list_holds_the_own_centres_records_only(desk, one_of_each, foreign, model):
    listed = desk.get(page(model, "changelist"), {"voided": "all"}).context["cl"].result_list

    keys = {row.pk for row in listed}
    assert one_of_each[model.__name__].pk in keys
    assert foreign[model.__name__].pk not in keys


@pytest.mark.parametrize("what", ["change", "history", "void"])
@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_a_hidden_record_answers_like_a_missing_one(desk, foreign, model, what):
    missing = "00000000-0000-4000-8000-000000000000"
    hidden = str(foreign[model.__name__].pk)

    def answer(key: str) -> tuple[int, str, list[str]]:
        name = "void" if what == "void" else what
        response = desk.get(page(model, name, key))
        said = [str(message).replace(key, "KEY") for message in response.wsgi_request._messages]
        return (
            response.status_code,
            getattr(response, "url", ""),
            said[-1:],
        )  # those of the answer before are still unread

    assert answer(hidden) == answer(missing)
    assert answer(hidden)[0] == 302


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_a_hidden_record_cannot_be_written_to(desk, foreign, model):
    record = foreign[model.__name__]

    desk.post(page(model, "change", record.pk), {"reason": "Mine now", "expected_version": 1})
    desk.post(page(model, "void", record.pk), {"reason": "Mine now", "expected_version": record.version})

    assert len(history_rows(record)) == len([row for row in history_rows(record) if not row.pgh_context])
    record.refresh_from_db()
    assert record.voided_at is None


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_pages_of_every_record_open(desk, one_of_each, model):
    record = one_of_each[model.__name__]

    for what in ("change", "history", "void"):
        assert desk.get(page(model, what, record.pk)).status_code == 200


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_the_empty_form_of_every_record_opens(desk, model):
    assert desk.get(page(model, "add")).status_code == 200


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (Diagnosis, "patient"),
        (Cycle, "course"),
        (Administration, "cycle"),
        (Hold, "cycle"),
        (LabResult, "patient"),
        (Reading, "study"),
    ],
)
def test_autocomplete_offers_the_own_centres_records_only(desk, one_of_each, foreign, source, field):
    response = desk.get(
        reverse("admin:autocomplete"),
        {
            "app_label": source._meta.app_label,
            "model_name": source._meta.model_name,
            "field_name": field,
            "term": "-0",
        },
    )

    texts = " ".join(row["text"] for row in response.json()["results"])
    assert "STA-0900" in texts
    assert "NRD" not in texts


def test_autocomplete_leaves_out_voided_records(desk, data_manager, centre):
    patient = PatientFactory(centre=centre)
    void_record(patient, by=data_manager, reason="Entered twice")

    response = desk.get(
        reverse("admin:autocomplete"),
        {"app_label": "patients", "model_name": "diagnosis", "field_name": "patient", "term": "STA"},
    )

    assert response.json()["results"] == []


def test_autocomplete_of_users_is_closed_to_who_does_not_manage_them(desk):
    response = desk.get(
        reverse("admin:autocomplete"),
        {"app_label": "imaging", "model_name": "reading", "field_name": "reader", "term": "a"},
    )

    assert response.status_code == 403


def test_a_record_cannot_be_entered_at_another_centres_patient(desk, foreign):
    response = desk.post(
        page(Contact, "add"),
        {"patient": foreign["Patient"].pk, "known_alive_on": "2019-07-01", "source": "visit", "note": ""},
    )

    assert "not one of the available choices" in errors_of(response)
    assert not Contact.objects.filter(known_alive_on=date(2019, 7, 1)).exists()


def test_a_cycle_cannot_be_given_at_another_centre(desk, foreign):
    cycle = CourseFactory(patient=foreign["Patient"], number=2).cycles.get(number=1)

    response = desk.post(
        page(Administration, "add"),
        {
            "cycle": cycle.pk,
            "administered_at_0": "2019-05-06",
            "administered_at_1": "09:00",
            "administered_activity_mbq": "7400",
        },
    )

    assert "not one of the available choices" in errors_of(response)
    cycle.refresh_from_db()
    assert cycle.status == CycleStatus.PLANNED


def test_a_role_elsewhere_without_the_desk_does_not_open_that_centres_records(
    desk, data_manager, other_centre, foreign
):
    Membership.objects.create(user=data_manager, centre=other_centre, role=Role.PHYSICIAN)

    assert foreign["Patient"] not in desk.get(page(Patient, "changelist")).context["cl"].result_list
    assert desk.get(page(Patient, "change", foreign["Patient"].pk)).status_code == 302


def test_the_filter_by_centre_names_no_other_centre(desk, foreign):
    response = desk.get(page(Patient, "changelist"), {"centre": "NRD"})

    assert list(response.context["cl"].result_list) == []
    assert "Clinic NRD" not in response.content.decode()


@pytest.mark.parametrize(
    "lookup",
    ["identity__family_name__startswith=E", "identity__mrn=M-1", "centre__memberships__user__username=x"],
)
def test_hidden_values_cannot_be_spelled_out_by_lookups(desk, lookup):
    assert desk.get(page(Patient, "changelist") + "?" + lookup).status_code == 400


def test_patients_are_sorted_by_registry_number_where_asked(desk, centre):
    for number in ("STA-0902", "STA-0901", "STA-0903"):
        PatientFactory(centre=centre, registry_number=number)

    # Columns are counted with that of the boxes to tick.
    for order, numbers in (("1", ["01", "02", "03"]), ("-1", ["03", "02", "01"])):
        listed = desk.get(page(Patient, "changelist"), {"o": order}).context["cl"].result_list
        assert [patient.registry_number[-2:] for patient in listed] == numbers


# Identity


def test_an_administrator_sees_records_but_no_identity_and_changes_nothing(client, user_with, one_of_each):
    client.force_login(user_with(Role.ADMINISTRATOR))

    assert client.get(page(PatientIdentity, "changelist")).status_code == 403
    assert client.get(page(PatientIdentity, "change", one_of_each["PatientIdentity"].pk)).status_code in {
        302,
        403,
    }
    response = client.get(page(Cycle, "change", one_of_each["Cycle"].pk))
    assert response.status_code == 200
    assert not response.context["has_change_permission"]
    assert client.post(page(Cycle, "change", one_of_each["Cycle"].pk), {"reason": "x"}).status_code == 403
    assert client.get(page(Patient, "add")).status_code == 403
    assert client.get(page(Patient, "void", one_of_each["Patient"].pk)).status_code == 403


@pytest.mark.parametrize("words", ["Example", "Erika", "M-STA-0900"])
def test_names_and_mrns_are_not_searched_for(desk, one_of_each, words):
    for model in (Patient, PatientIdentity):
        assert list(desk.get(page(model, "changelist"), {"q": words}).context["cl"].result_list) == []


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_every_list_is_searched_by_registry_number(desk, one_of_each, model):
    PatientFactory(registry_number="STA-7777")

    found = desk.get(page(model, "changelist"), {"q": "sta-0900"}).context["cl"].result_list

    assert one_of_each[model.__name__] in found
    assert "STA-7777" not in {str(row) for row in found}


# Corrections


def test_a_correction_without_a_reason_is_refused(desk, one_of_each):
    diagnosis = one_of_each["Diagnosis"]
    values = form_values(desk, page(Diagnosis, "change", diagnosis.pk))

    response = desk.post(
        page(Diagnosis, "change", diagnosis.pk), values | {"who_grade": "g2", "reason": "  "}
    )

    assert "required" in errors_of(response)
    diagnosis.refresh_from_db()
    assert diagnosis.who_grade == "unknown"


def test_a_correction_is_stored_with_who_why_and_by_which_door(desk, data_manager, one_of_each):
    diagnosis = one_of_each["Diagnosis"]
    values = form_values(desk, page(Diagnosis, "change", diagnosis.pk))

    response = desk.post(
        page(Diagnosis, "change", diagnosis.pk),
        values | {"who_grade": "g2", "reason": "Pathology report of 2018"},
    )

    assert response.status_code == 302
    diagnosis.refresh_from_db()
    assert (diagnosis.who_grade, diagnosis.version) == ("g2", 2)
    context = history_rows(diagnosis)[-1].pgh_context
    assert context["user"] == str(data_manager.pk)
    assert context["reason"] == "Pathology report of 2018"
    assert context["source"] == "admin"


def test_a_correction_writes_only_what_was_changed(desk, one_of_each):
    diagnosis = one_of_each["Diagnosis"]
    values = form_values(desk, page(Diagnosis, "change", diagnosis.pk))

    desk.post(
        page(Diagnosis, "change", diagnosis.pk),
        values | {"metastatic_sites": ["liver", "bone"], "reason": "PET of 2018"},
    )

    diagnosis.refresh_from_db()
    assert diagnosis.metastatic_sites == ["liver", "bone"]
    before, after = history_rows(diagnosis)
    differ = {
        field.name
        for field in Diagnosis._meta.fields
        if getattr(before, field.attname) != getattr(after, field.attname)
    }
    assert differ == {"metastatic_sites", "version"}


def test_saving_without_a_change_says_so_and_stores_nothing(desk, one_of_each):
    diagnosis = one_of_each["Diagnosis"]
    values = form_values(desk, page(Diagnosis, "change", diagnosis.pk))

    response = desk.post(page(Diagnosis, "change", diagnosis.pk), values | {"reason": "Just looking"})

    assert "Nothing was changed" in errors_of(response)
    assert len(history_rows(diagnosis)) == 1


def test_the_second_of_two_editors_is_told_what_the_first_changed(desk, one_of_each, user_with):
    diagnosis = one_of_each["Diagnosis"]
    address = page(Diagnosis, "change", diagnosis.pk)
    values = form_values(desk, address)
    colleague = user_with(Role.PHYSICIAN, username="colleague")
    correct_record(diagnosis, {"who_grade": "g1"}, by=colleague, reason="Read again")

    response = desk.post(address, values | {"stage": "IV", "reason": "Staging"})

    said = errors_of(response)
    assert "Nothing of yours was stored." in said
    assert "WHO grade: Not known → G1 (colleague" in said
    diagnosis.refresh_from_db()
    assert (diagnosis.who_grade, diagnosis.stage) == ("g1", "")
    # What is shown again still carries the old version: sending it once more is refused once more.
    assert "Nothing of yours was stored" in errors_of(
        desk.post(address, values | {"stage": "IV", "reason": "Staging"})
    )


def test_what_the_database_refuses_at_the_end_is_shown_in_the_form(desk, one_of_each):
    death = one_of_each["Death"]
    values = form_values(desk, page(Death, "change", death.pk))

    response = desk.post(
        page(Death, "change", death.pk), values | {"died_on": "2019-02-01", "reason": "Letter"}
    )

    assert "died on 2019-02-01" in errors_of(response)
    death.refresh_from_db()
    assert death.died_on == date(2019, 12, 1)
    assert len(history_rows(death)) == 1


def test_a_voided_record_is_shown_and_not_changed(desk, data_manager, one_of_each):
    contact = one_of_each["Contact"]
    address = page(Contact, "change", contact.pk)
    values = form_values(desk, address)
    void_record(contact, by=data_manager, reason="Wrong patient")

    response = desk.post(address, values | {"note": "x", "reason": "y"}, follow=True)

    assert response.status_code == 200
    assert "Voided on" in response.content.decode()
    assert "Wrong patient" in response.content.decode()
    contact.refresh_from_db()
    assert contact.note == ""


def test_a_record_stays_with_its_patient(desk, centre, one_of_each):
    diagnosis, other = one_of_each["Diagnosis"], PatientFactory(centre=centre)
    values = form_values(desk, page(Diagnosis, "change", diagnosis.pk))

    desk.post(
        page(Diagnosis, "change", diagnosis.pk),
        values | {"patient": other.pk, "stage": "IV", "reason": "Mixed up"},
    )

    diagnosis.refresh_from_db()
    assert diagnosis.patient == one_of_each["Patient"]


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_nothing_is_deleted(desk, one_of_each, model):
    record = one_of_each[model.__name__]

    assert desk.post(page(model, "delete", record.pk), {"post": "yes"}).status_code == 403
    desk.post(
        page(model, "changelist"),
        {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes"},
    )

    assert model.objects.filter(pk=record.pk).exists()


# Cycles and their administrations


def correct_cycle(desk: Client, cycle: Cycle, **changes: Any) -> Any:
    values = form_values(desk, page(Cycle, "change", cycle.pk))
    return desk.post(page(Cycle, "change", cycle.pk), values | changes)


def test_correcting_the_date_of_a_given_cycle_moves_the_later_planned_dates(desk, data_manager, centre):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    cycle = course.cycles.get(number=2)
    assert course.cycles.get(number=3).planned_on == date(2019, 4, 29)

    response = correct_cycle(desk, cycle, administered_at_0="2019-03-11", reason="Injection record")

    assert response.status_code == 302, errors_of(response)
    administration = cycle.administrations.get()
    assert administration.administered_at == datetime(2019, 3, 11, 9, 30, tzinfo=UTC)
    assert list(course.cycles.filter(number__gt=2).values_list("planned_on", flat=True)) == [
        date(2019, 5, 6),
        date(2019, 7, 1),
    ]
    for row in (history_rows(administration)[-1], history_rows(course.cycles.get(number=3))[-1]):
        assert row.pgh_context["reason"] == "Injection record"
        assert row.pgh_context["source"] == "admin"


def test_times_are_shown_and_entered_in_the_centres_zone(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=1).cycles.get(number=1)
    address = page(Cycle, "change", cycle.pk)

    shown = desk.get(address).content.decode()
    assert "10:30:00" in shown  # 09:30 UTC in Berlin's winter
    assert "Europe/Berlin" in shown
    correct_cycle(desk, cycle, administered_at_1="23:30:00", reason="Clock read wrongly")

    assert cycle.administrations.get().administered_at == datetime(2019, 1, 7, 22, 30, tzinfo=UTC)


def test_a_time_that_does_not_exist_at_the_centre_is_refused(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=2).cycles.get(number=2)

    response = correct_cycle(
        desk, cycle, administered_at_0="2019-03-31", administered_at_1="02:30:00", reason="Clock change"
    )

    assert "could not be interpreted" in errors_of(response).replace("couldn’t", "could not")


def test_a_cycle_and_its_administration_are_corrected_as_one_act(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=1).cycles.get(number=1)

    wrong = {"note": "Late", "deviation_explanation": "Read twice", "reason": "Calibrator"}
    refused = correct_cycle(desk, cycle, administered_activity_mbq="25000", **wrong)
    assert "20000" in errors_of(refused)
    refused = correct_cycle(desk, cycle, administered_activity_mbq="0", **wrong)

    assert "above 0 MBq" in errors_of(refused)
    cycle.refresh_from_db()
    assert cycle.note == ""

    correct_cycle(desk, cycle, note="Late", administered_activity_mbq="7350.5", reason="Calibrator")
    cycle.refresh_from_db()
    assert cycle.note == "Late"
    assert cycle.administrations.get().administered_activity_mbq == Decimal("7350.5")


def test_cycles_out_of_order_are_refused_in_the_form(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=2).cycles.get(number=2)

    response = correct_cycle(desk, cycle, administered_at_0="2019-01-07", reason="Typing")

    assert "Cycle 2 cannot have been given on or before the day of an earlier cycle." in errors_of(response)
    assert cycle.administrations.get().administered_at == datetime(2019, 3, 4, 9, 30, tzinfo=UTC)


def test_a_stale_administration_on_the_cycles_page_is_refused(desk, data_manager, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=1).cycles.get(number=1)
    address = page(Cycle, "change", cycle.pk)
    values = form_values(desk, address)
    correct_record(cycle.administrations.get(), {"lot": "L7"}, by=data_manager, reason="Label")

    response = desk.post(address, values | {"administered_activity_mbq": "7000", "reason": "Calibrator"})

    assert "Lot number: (blank) → L7" in errors_of(response)
    assert cycle.administrations.get().administered_activity_mbq == Decimal("7391.5")


def test_another_date_planned_for_the_first_cycle_moves_all(desk, centre):
    course = CourseFactory(patient=PatientFactory(centre=centre))

    correct_cycle(desk, course.cycles.get(number=1), planned_on="2019-01-14", reason="Transport")

    assert course.cycles.get(number=4).planned_on == date(2019, 7, 1)


def test_giving_a_cycle_goes_through_its_service(desk, centre):
    course = CourseFactory(patient=PatientFactory(centre=centre))
    cycle = course.cycles.get(number=1)

    response = desk.post(
        page(Administration, "add"),
        {
            "cycle": cycle.pk,
            "administered_at_0": "2019-01-21",
            "administered_at_1": "09:00",
            "administered_activity_mbq": "7388",
            "confirmation_reason": "Transport; values in the file of the ward",
        },
    )

    assert response.status_code == 302, errors_of(response)
    administration = cycle.administrations.get()
    assert administration.prescribed_activity_mbq == 7400
    assert administration.administered_at == datetime(2019, 1, 21, 8, tzinfo=UTC)
    cycle.refresh_from_db()
    assert cycle.status == CycleStatus.GIVEN
    assert course.cycles.get(number=2).planned_on == date(2019, 3, 18)


def test_a_given_cycle_cannot_be_given_again(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=1).cycles.get(number=1)

    response = desk.post(
        page(Administration, "add"),
        {
            "cycle": cycle.pk,
            "administered_at_0": "2019-01-21",
            "administered_at_1": "09:00",
            "administered_activity_mbq": "7388",
        },
    )

    assert "already been recorded as given" in errors_of(response)


def test_a_course_is_started_with_its_cycles_and_stopped_by_its_service(desk, centre):
    patient = PatientFactory(centre=centre)

    started = desk.post(
        page(Course, "add"),
        {
            "patient": patient.pk,
            "protocol": default_protocol().pk,
            "intent": "initial",
            "first_planned_on": "2019-01-07",
        },
    )
    assert started.status_code == 302, errors_of(started)
    course = patient.courses.get()
    assert course.cycles.count() == 4

    stopped = desk.post(
        page(Discontinuation, "add"),
        {
            "course": course.pk,
            "discontinued_on": "2019-02-01",
            "main_reason": "logistics",
            "further_reasons": ["patient_choice"],
        },
    )
    assert stopped.status_code == 302, errors_of(stopped)
    assert course.discontinuations.get().further_reasons == ["patient_choice"]
    assert set(course.cycles.values_list("status", flat=True)) == {CycleStatus.CANCELLED}


def test_a_patient_is_registered_under_the_next_number_with_an_identity(desk, centre):
    response = desk.post(
        page(Patient, "add"),
        {
            "centre": centre.pk,
            "sex": "male",
            "birth_date": "1960-02-29",
            "mrn": "88",
            "family_name": "Muster",
        },
    )

    assert response.status_code == 302, errors_of(response)
    patient = Patient.objects.get()
    assert patient.registry_number == "STA-0001"
    assert patient.identity.mrn == "88"


def test_an_mrn_that_is_taken_is_refused_in_the_form(desk, centre):
    PatientIdentityFactory(mrn="88", patient=PatientFactory(centre=centre))

    response = desk.post(
        page(Patient, "add"), {"centre": centre.pk, "sex": "male", "birth_date": "1960-02-29", "mrn": "88"}
    )

    assert "has this MRN" in errors_of(response)
    assert Patient.objects.count() == 1


# Voiding


def test_voiding_needs_a_reason(desk, one_of_each):
    contact = one_of_each["Contact"]

    response = desk.post(page(Contact, "void", contact.pk), {"reason": " ", "expected_version": 1})

    assert response.status_code == 422
    contact.refresh_from_db()
    assert contact.voided_at is None


def test_voiding_takes_a_record_out_of_sight_and_keeps_it_in_the_history(desk, data_manager, one_of_each):
    contact = one_of_each["Contact"]

    response = desk.post(
        page(Contact, "void", contact.pk), {"reason": "Wrong patient", "expected_version": 1}
    )

    assert response.status_code == 302
    contact.refresh_from_db()
    assert contact.void_reason == "Wrong patient"
    assert contact not in desk.get(page(Contact, "changelist")).context["cl"].result_list
    assert contact in desk.get(page(Contact, "changelist"), {"voided": "yes"}).context["cl"].result_list
    shown = desk.get(page(Contact, "history", contact.pk)).context["changes"]
    assert (shown[0].what, shown[0].who, shown[0].reason) == (
        "Voided",
        data_manager.username,
        "Wrong patient",
    )


def test_a_stale_void_is_refused(desk, data_manager, one_of_each):
    contact = one_of_each["Contact"]
    correct_record(contact, {"note": "By telephone"}, by=data_manager, reason="Note forgotten")

    response = desk.post(
        page(Contact, "void", contact.pk), {"reason": "Wrong patient", "expected_version": 1}
    )

    assert response.status_code == 422
    assert "Note: (blank) → By telephone" in response.content.decode()
    contact.refresh_from_db()
    assert contact.voided_at is None


def test_voiding_an_administration_plans_its_cycle_again(desk, centre):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    second = course.cycles.get(number=2)

    page_of = page(Administration, "void", second.administrations.get().pk)
    desk.post(page_of, {"reason": "Given to somebody else", "expected_version": 1})

    second.refresh_from_db()
    assert second.status == CycleStatus.PLANNED


def test_a_void_that_contradicts_other_records_is_refused(desk, one_of_each):
    cycle = Cycle.objects.get(course=one_of_each["Administration"].cycle.course, number=2)

    response = desk.post(
        page(Administration, "void", cycle.administrations.get().pk),
        {"reason": "Error", "expected_version": 1},
    )

    assert response.status_code == 422
    assert "Discontinued after cycle 2, but 1 cycles were given." in response.content.decode()


def test_a_given_cycle_is_not_voided_before_its_administration(desk, one_of_each):
    response = desk.post(
        page(Cycle, "void", one_of_each["Cycle"].pk), {"reason": "Error", "expected_version": 1}
    )

    assert "void its administration first" in response.content.decode()


# History


def test_the_history_shows_old_and_new_values_blanking_too(desk, data_manager, one_of_each):
    diagnosis = one_of_each["Diagnosis"]
    correct_record(
        diagnosis, {"stage": "IV", "ki67_percent": Decimal("4.5")}, by=data_manager, reason="Report"
    )
    correct_record(diagnosis, {"stage": ""}, by=data_manager, reason="Other patient's report")

    response = desk.get(page(Diagnosis, "history", diagnosis.pk))

    newest, older, oldest = response.context["changes"]
    assert [(field.label, field.old, field.new) for field in newest.fields] == [("Stage", "IV", "(blank)")]
    assert newest.reason == "Other patient's report"
    assert ("Ki-67 (%)", "(blank)", "4.5") in [(field.label, field.old, field.new) for field in older.fields]
    assert oldest.what == "Entered"
    assert ("Primary site", "(blank)", "Pancreas") in [
        (field.label, field.old, field.new) for field in oldest.fields
    ]
    assert "UTC" in response.content.decode()


def test_the_history_of_a_cycle_tells_of_its_administration(desk, centre):
    cycle = CourseFactory(patient=PatientFactory(centre=centre), given=1).cycles.get(number=1)
    correct_cycle(desk, cycle, administered_at_0="2019-01-08", reason="Injection record")

    changes = desk.get(page(Cycle, "history", cycle.pk)).context["changes"]

    (change,) = [change for change in changes if change.reason]
    assert (change.record, change.door) == ("Administration", "Correction desk")
    assert change.fields[0].old == "2019-01-07 10:30:00 (Europe/Berlin)"
    assert change.fields[0].new == "2019-01-08 10:30:00 (Europe/Berlin)"


def test_void_and_history_pages_name_the_patient(desk, one_of_each):
    for what in ("void", "history"):
        shown = desk.get(page(Diagnosis, what, one_of_each["Diagnosis"].pk)).content.decode()
        assert "atient STA-0900" in shown


def test_dates_are_written_in_iso_format(desk, one_of_each):
    assert "2019-12-01" in desk.get(page(Death, "changelist")).content.decode()
    assert 'value="2019-12-01"' in desk.get(page(Death, "change", one_of_each["Death"].pk)).content.decode()


# Query counts


@pytest.mark.parametrize("model", CLINICAL, ids=CLINICAL_NAMES)
def test_a_longer_list_takes_no_more_queries(desk, one_of_each, centre, model):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert desk.get(page(model, "changelist"), {"voided": "all"}).status_code == 200
        return len(caught)

    queries()
    few = queries()
    for number in range(3):
        records_at(centre, f"STA-{800 + number:04d}")

    assert queries() == few
    assert few <= 12


# Users


@pytest.fixture
def administration_desk(client: Client, user_with: Callable[..., User]) -> Client:
    client.force_login(user_with(Role.ADMINISTRATOR, username="administrator"))
    return client


def inline(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": initial}
    for index, row in enumerate(rows):
        values |= {f"memberships-{index}-{name}": value for name, value in row.items()}
    return values


def new_user(**values: Any) -> dict[str, Any]:
    return {
        "username": "newcomer",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    } | values


def test_an_administrator_adds_a_user_with_a_role_at_his_centre(administration_desk, centre):
    response = administration_desk.post(
        page(User, "add"), new_user() | inline({"centre": centre.pk, "role": Role.READER})
    )

    assert response.status_code == 302, response.context["errors"]
    user = User.objects.get(username="newcomer")
    assert user.check_password(PASSWORD)
    assert [(m.centre, m.role) for m in user.memberships.all()] == [(centre, Role.READER)]
    assert not user.is_superuser


def test_a_new_user_needs_a_role_and_a_good_password(administration_desk, centre):
    without_role = administration_desk.post(page(User, "add"), new_user() | inline())
    short = new_user(password1="short", password2="short")
    weak = administration_desk.post(
        page(User, "add"), short | inline({"centre": centre.pk, "role": Role.READER})
    )

    assert without_role.status_code == weak.status_code == 200
    assert "at least 15 characters" in weak.content.decode()
    assert not User.objects.filter(username="newcomer").exists()


def test_an_administrator_gives_no_role_at_another_centre(administration_desk, other_centre):
    response = administration_desk.post(
        page(User, "add"), new_user() | inline({"centre": other_centre.pk, "role": Role.READER})
    )

    assert response.status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_nobody_becomes_superuser_through_an_administrator(administration_desk, user_with, centre):
    user = user_with(Role.READER)
    membership = user.memberships.get()
    row = {"id": membership.pk, "user": user.pk, "centre": centre.pk, "role": Role.READER}

    response = administration_desk.post(
        page(User, "change", user.pk),
        {"username": "renamed", "is_active": "on", "is_superuser": "on", "is_staff": "on", "groups": "1"}
        | inline(row, initial=1),
    )

    assert response.status_code == 302, response.context["errors"]
    user.refresh_from_db()
    assert user.username == "renamed"
    assert not user.is_superuser
    assert not user.is_staff


def test_a_superuser_is_out_of_an_administrators_reach(administration_desk, user_with, centre):
    root = user_with(Role.READER, username="root", is_superuser=True)
    membership = root.memberships.get()
    row = {"id": membership.pk, "user": root.pk, "centre": centre.pk, "role": Role.ADMINISTRATOR}

    changed = administration_desk.post(
        page(User, "change", root.pk), {"username": "weaker"} | inline(row, initial=1)
    )
    password = administration_desk.post(
        reverse("admin:auth_user_password_change", args=[root.pk]),
        {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD, "set-password": "1"},
    )

    assert (changed.status_code, password.status_code) == (403, 403)
    root.refresh_from_db()
    assert root.username == "root"
    assert not root.check_password(PASSWORD)


def test_of_a_user_with_roles_elsewhere_only_the_own_centres_roles_are_changed(
    administration_desk, user_with, centre, other_centre
):
    user = user_with(Role.READER, username="shared")
    elsewhere = Membership.objects.create(user=user, centre=other_centre, role=Role.PHYSICIAN)
    here = user.memberships.get(centre=centre)
    address = page(User, "change", user.pk)

    assert "Clinic NRD" not in administration_desk.get(address).content.decode()
    row = {"id": here.pk, "user": user.pk, "centre": centre.pk, "role": Role.COORDINATOR}
    response = administration_desk.post(
        address, {"username": "taken-over", "reason": "New post"} | inline(row, initial=1)
    )

    assert response.status_code == 302, response.context["errors"]
    user.refresh_from_db()
    assert user.username == "shared"
    assert user.is_active
    assert set(user.memberships.values_list("centre__code", "role")) == {
        ("STA", "coordinator"),
        ("NRD", "physician"),
    }

    forged = {"id": elsewhere.pk, "user": user.pk, "centre": centre.pk, "role": Role.READER, "DELETE": "on"}
    administration_desk.post(address, {"reason": "Forged"} | inline(forged, initial=1))
    assert Membership.objects.filter(pk=elsewhere.pk, centre=other_centre).exists()

    password = administration_desk.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD, "set-password": "1"},
    )
    assert password.status_code == 403


def test_an_administrator_sets_the_password_of_a_user_of_his_own(administration_desk, user_with):
    user = user_with(Role.READER)

    administration_desk.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD, "set-password": "1"},
    )

    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_users_of_other_centres_are_hidden_from_an_administrator(administration_desk, other_centre):
    stranger = make_user(role=Role.READER, centre=other_centre)

    assert stranger not in administration_desk.get(page(User, "changelist")).context["cl"].result_list
    assert administration_desk.get(page(User, "change", stranger.pk)).status_code == 302
    password = administration_desk.get(reverse("admin:auth_user_password_change", args=[stranger.pk]))
    assert password.status_code == 404


def test_a_data_manager_does_not_manage_users(desk, user_with):
    assert desk.get(page(User, "changelist")).status_code == 403
    assert desk.get(page(User, "add")).status_code == 403


@pytest.mark.parametrize("name", ["AuthToken", "Authenticator", "AccessAttempt", "AccessLog"])
def test_what_signs_people_in_is_for_superusers(client, user_with, name):
    (model,) = [model for model in admin.site._registry if model.__name__ == name]
    client.force_login(user_with(Role.ADMINISTRATOR))
    assert client.get(page(model, "changelist")).status_code == 403

    client.force_login(UserFactory(is_superuser=True))
    assert client.get(page(model, "changelist")).status_code == 200


# Protocols and cohorts: more in test_admin_shared.py


def test_an_administrator_does_not_change_cohorts_or_protocols(administration_desk):
    assert administration_desk.get(page(Cohort, "changelist")).status_code == 403
    assert administration_desk.get(page(Protocol, "add")).status_code == 403


def test_a_data_manager_makes_a_cohort_of_his_centres(desk, centre, other_centre):
    cohort = Cohort.objects.get(slug="all")
    values = {
        "name": "Pancreas", "slug": "pancreas", "definition": cohort.definition_id, "courses_counted": "first",
        "primary_sites": ["pancreas"], "remarks": "{}",
    }  # fmt: skip

    refused = desk.post(page(Cohort, "add"), values | {"centre_codes": ["NRD"]})
    assert "NRD is not one of the available choices" in errors_of(refused)
    stored = desk.post(page(Cohort, "add"), values | {"centre_codes": ["STA"]})

    assert stored.status_code == 302, errors_of(stored)
    made = Cohort.objects.get(slug="pancreas")
    assert (made.primary_sites, made.centre_codes) == (["pancreas"], ["STA"])
