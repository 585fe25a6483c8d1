"""The correction desk's pages of imaging: lesions and measurements through their services, signed readings only shown."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from imaging.models import Lesion, Measurement, Reading, Study
from tests.accounts.test_admin import errors_of, form_values, history_rows, page
from tests.factories import (
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
)

WHY = {"reason": "Typing error"}


@pytest.fixture
def desk(client: Client, data_manager: User) -> Client:
    client.force_login(data_manager)
    return client


@pytest.fixture
def signed(user_with: Any, interim: Study) -> Reading:
    reader = user_with(Role.READER, username="reader")
    return ReadingFactory(
        study=interim, status="signed", reader=reader, signed_at=datetime(2019, 4, 2, tzinfo=UTC)
    )


def correct(desk: Client, record: Any, **changes: Any) -> Any:
    address = page(type(record), "change", record.pk)
    return desk.post(address, form_values(desk, address) | WHY | changes)


def stored(response: Any) -> None:
    assert response.status_code == 302, errors_of(response)


def test_a_lesion_is_numbered_and_a_third_target_of_an_organ_is_refused(desk, patient, lesion):
    values = {"patient": patient.pk, "course_number": 1, "reader_role": "first", "role": "target"}
    add = page(Lesion, "add")

    stored(desk.post(add, values | {"organ": "liver", "site": "Segment VII"}))
    refused = desk.post(add, values | {"organ": "liver"})

    assert list(patient.lesions.values_list("label", "site")) == [("L1", ""), ("L2", "Segment VII")]
    assert "at most 2" in errors_of(refused)


def test_a_lesion_is_corrected_and_voided_with_its_measurements(desk, lesion):
    stored(correct(desk, lesion, site="Segment IV"))
    lesion.refresh_from_db()
    assert (lesion.site, history_rows(lesion)[-1].pgh_context["reason"]) == ("Segment IV", "Typing error")

    desk.post(page(Lesion, "void", lesion.pk), WHY | {"expected_version": lesion.version})

    assert not Lesion.objects.current().exists()
    assert not Measurement.objects.current().exists()


def test_after_a_signature_a_lesion_is_added_with_a_reason_only(desk, patient, lesion, signed):
    values = {
        "patient": patient.pk,
        "course_number": 1,
        "reader_role": "first",
        "role": "non_target",
        "organ": "bone",
    }
    add = page(Lesion, "add")

    refused = desk.post(add, values)
    assert refused.context["adminform"].form.errors["reason"] == [
        "This has been signed: say why it is changed."
    ]
    stored(desk.post(add, values | {"reason": "Seen at the board"}))

    made = patient.lesions.get(label="L2")
    assert history_rows(made)[0].pgh_context["reason"] == "Seen at the board"


def test_a_split_lesion_is_entered_by_its_parts_and_its_sum_follows_them(desk, lesion, interim):
    values = {"lesion": lesion.pk, "study": interim.pk, "state": "split", "parts_mm": "12,9"}

    stored(desk.post(page(Measurement, "add"), values))
    measurement = interim.measurements.get()
    assert (measurement.size_mm, measurement.parts_mm) == (21, [12, 9])
    stored(correct(desk, measurement, parts_mm="12,9.5"))

    measurement.refresh_from_db()
    assert measurement.size_mm == Decimal("21.5")
    contradictory = correct(desk, measurement, size_mm="20")
    assert "The parts add up to 21.5 mm." in errors_of(contradictory)


def test_what_cannot_be_said_of_a_lesion_is_told_at_its_field(desk, lesion, interim):
    refused = desk.post(
        page(Measurement, "add"), {"lesion": lesion.pk, "study": interim.pk, "state": "present"}
    )

    assert refused.context["adminform"].form.errors["state"] == ["This cannot be said of a target lesion."]
    assert not interim.measurements.exists()


def test_a_draft_is_accepted_by_taking_its_mark_off(desk, lesion, interim):
    draft = MeasurementFactory(lesion=lesion, study=interim, is_draft=True)
    address = page(Measurement, "change", draft.pk)
    values = {name: value for name, value in form_values(desk, address).items() if name != "is_draft"}

    stored(desk.post(address, values | WHY))

    draft.refresh_from_db()
    assert not draft.is_draft
    back = correct(desk, draft, is_draft="on")
    assert "cannot become a draft again" in errors_of(back)


def test_a_reading_is_reported_beside_what_the_measurements_say(desk, lesion, interim):
    MeasurementFactory(lesion=lesion, study=interim, size_mm=30)

    stored(
        desk.post(
            page(Reading, "add"),
            {"study": interim.pk, "reader_role": "second", "overall_response": "SD"},
        )
    )

    # The first reader's lesions are none of the second's.
    assert (Reading.objects.get().status, Reading.objects.get().derived_response) == ("reported", "")
    stored(
        desk.post(
            page(Reading, "add"), {"study": interim.pk, "reader_role": "first", "overall_response": "SD"}
        )
    )
    reading = Reading.objects.get(reader_role="first")
    assert (reading.derived_response, reading.sum_of_diameters_mm) == ("PR", 30)
    shown = desk.get(page(Reading, "change", reading.pk)).content.decode()
    assert "sum 30 mm is 40 % below the baseline of 50 mm" in shown


def test_a_signed_reading_is_shown_and_says_where_it_is_changed(desk, signed):
    reported = ReadingFactory(study=signed.study, reader_role="second")
    opened_before_the_signature = form_values(desk, page(Reading, "change", reported.pk)) | {
        "expected_version": signed.version
    }
    address = page(Reading, "change", signed.pk)

    shown = desk.get(address)
    refused = desk.post(address, opened_before_the_signature | WHY | {"overall_response": "PR"})

    assert "with a reason and a new signature" in shown.content.decode()
    assert 'name="overall_response"' not in shown.content.decode()
    assert "This reading has been signed" in errors_of(refused)
    signed.refresh_from_db()
    assert (signed.overall_response, signed.version) == ("SD", 1)
    stored(correct(desk, reported, overall_response="PR"))


def test_a_signed_reading_is_voided_with_a_reason_by_one_who_may_sign(desk, signed, data_manager, centre):
    address = page(Reading, "void", signed.pk)
    voided = WHY | {"expected_version": signed.version}

    desk.post(address, voided)
    signed.refresh_from_db()
    assert signed.voided_at is None

    data_manager.memberships.create(centre=centre, role=Role.READER)
    assert desk.get(address).status_code == 200
    desk.post(address, voided)
    signed.refresh_from_db()
    assert signed.void_reason == "Typing error"


def test_a_study_keeps_its_tracer_in_the_zone_of_its_own_centre(desk, patient, data_manager):
    new_york = PatientFactory(centre__code="NRD", centre__time_zone="America/New_York")
    data_manager.memberships.create(centre=new_york.centre, role=Role.DATA_MANAGER)
    values = {"course_number": 1, "timepoint": "baseline", "modality": "pet_ct", "performed_on": "2018-12-17"}
    injected = {"injected_at_0": "2018-12-17", "injected_at_1": "09:05:00", "krenning_score": "3"}

    for one in (patient, new_york):
        stored(desk.post(page(Study, "add"), values | injected | {"patient": one.pk}))

    found = [study.injected_at for study in Study.objects.order_by("injected_at")]
    assert found == [datetime(2018, 12, 17, 8, 5, tzinfo=UTC), datetime(2018, 12, 17, 14, 5, tzinfo=UTC)]


def test_links_lead_from_a_study_and_a_lesion_to_their_measurements_and_back(desk, lesion, baseline, interim):
    here = baseline.measurements.get()
    MeasurementFactory(lesion=LesionFactory(patient=lesion.patient, label="L2"), study=interim)

    for record in (lesion, baseline):
        address = reverse(
            "admin:imaging_measurement_changelist", query={type(record).__name__.lower(): record.pk}
        )
        assert f'href="{address}"' in desk.get(page(type(record), "change", record.pk)).content.decode()
        listed = desk.get(address).context["cl"].queryset
        assert list(listed) == [here]
    back = desk.get(page(Measurement, "change", here.pk)).content.decode()
    for record in (lesion, baseline):
        assert f'href="{page(type(record), "change", record.pk)}"' in back


def test_a_link_to_a_hidden_study_names_nothing(desk, other_centre):
    theirs = MeasurementFactory(lesion__patient__centre=other_centre)

    shown = desk.get(page(Measurement, "changelist"), {"study": theirs.study_id})

    assert list(shown.context["cl"].queryset) == []
    assert str(theirs.study) not in shown.content.decode()
