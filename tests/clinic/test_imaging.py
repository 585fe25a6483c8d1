"""The imaging page by its requests: cells, the form without JavaScript, lesions, signatures, and who may do what."""

import html
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role as UserRole
from accounts.models import User
from imaging import services
from imaging.models import Lesion, Measurement, Reading, ReadingStatus, Study
from patients.models import Patient
from tests.clinic.test_pages import signed_in
from tests.factories import (
    CourseFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-walk-by-the-river"
BASELINE, INTERIM, POST = date(2018, 12, 17), date(2019, 4, 1), date(2019, 8, 1)


@pytest.fixture
def patient(centre) -> Patient:
    return PatientFactory(centre=centre)


@pytest.fixture
def studies(patient) -> list[Study]:
    CourseFactory(patient=patient, given=4)
    return [
        StudyFactory(patient=patient, performed_on=BASELINE),
        StudyFactory(patient=patient, timepoint="interim", performed_on=INTERIM),
        StudyFactory(patient=patient, timepoint="post", performed_on=POST),
    ]


@pytest.fixture
def reader(user_with) -> User:
    user = user_with(UserRole.READER, username="reader")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def client(reader) -> Client:
    return signed_in(reader)


def address(name: str, patient: Patient, *more: Any) -> str:
    return reverse(name, args=[patient.pk, 1, *more])


def measured(lesion: Lesion, study: Study, size: str, suv: str = "") -> Measurement:
    return MeasurementFactory(
        lesion=lesion, study=study, size_mm=Decimal(size), suv_max=Decimal(suv) if suv else None
    )


@pytest.fixture
def lesion(patient, studies) -> Lesion:
    """A target lesion of 40 mm at baseline and 24 mm later, with less uptake."""
    lesion = LesionFactory(patient=patient, label="L1")
    measured(lesion, studies[0], "40", "20")
    measured(lesion, studies[1], "24", "14")
    return lesion


def send_cell(client: Client, patient: Patient, lesion: Lesion, study: Study, value: str, **more: Any) -> Any:
    sent = {"lesion": lesion.pk, "study": study.pk, "field": "size", "value": value, "version": 0} | more
    return client.post(address("imaging-cell", patient), sent)


def sign(client: Client, patient: Patient, study: Study, **values: Any) -> Any:
    sent = {"overall_response": "", "password": PASSWORD, "version": 0} | values
    return client.post(address("reading-sign", patient, study.pk), sent)


def text_of(response: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_the_page_shows_lesions_studies_responses_uptake_and_how_studies_were_made(
    client, patient, studies, lesion
):
    Study.objects.filter(pk=studies[1].pk).update(
        uptake_minutes=120, liver_suv_mean=Decimal(5), krenning_score=4, tracer_activity_mbq=Decimal(154)
    )
    said = text_of(client.get(address("imaging", patient)))
    for words in (
        "Partial response",
        "Sum 24 mm is 40 % below the baseline of 40 mm on 2018-12-17",
        "Highest SUVmax 14 (L1) is 30 % below the 20 of the baseline",
        "tumour-to-liver 2.8",
        "Uptake time 120 min, usual are 45 to 90 min",
        "4: higher than spleen",
        "154 MBq, 120 min",
    ):
        assert words in said


def test_discordance_of_size_and_uptake_is_shown_on_the_page_and_before_signing(
    client, patient, studies, lesion
):
    measured(lesion, studies[2], "48", "5")
    for page in (address("imaging", patient), address("reading-sign", patient, studies[2].pk)):
        assert "progression by RECIST 1.1 while uptake has fallen" in text_of(client.get(page))


def test_a_study_outside_the_window_of_the_protocol_is_flagged_and_one_inside_is_not(
    client, patient, studies, lesion
):
    pages = [address("imaging", patient), reverse("patient-chart", args=[patient.pk])]
    for page in pages:
        assert "Outside the protocol's window" not in text_of(client.get(page))

    Study.objects.filter(pk=studies[2].pk).update(performed_on=date(2019, 8, 19))  # 56 days after cycle 4
    for page in pages:
        assert "Outside the protocol's window" not in text_of(client.get(page))

    Study.objects.filter(pk=studies[2].pk).update(performed_on=date(2019, 8, 20))
    for page in pages:
        late = text_of(client.get(page))
        assert "Outside the protocol's window: within 8 weeks after cycle 4, given 2019-06-24" in late


def test_the_best_response_is_told_with_and_without_confirmation_and_its_duration(client, patient, studies):
    ReadingFactory(study=studies[1], overall_response="PR")
    ReadingFactory(study=studies[2], overall_response="PR")
    ReadingFactory(
        study=StudyFactory(patient=patient, timepoint="follow_up", performed_on=date(2019, 12, 1)),
        overall_response="PD",
    )
    said = text_of(client.get(address("imaging", patient)))
    assert "Confirmed Partial response PR on 2019-04-01, confirmed on 2019-08-01 (PR)" in said
    # From 2019-01-07 to 2019-04-01 are 84 days, from there to 2019-12-01 are 244.
    assert "2019-04-01, 2.8 months (84 days) after the first administration" in said
    assert "8.0 months (244 days), ended by progression on 2019-12-01" in said


def test_a_cell_is_stored_and_answered_with_what_follows(client, patient, studies, lesion):
    answer = send_cell(client, patient, lesion, studies[2], "48,0")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["size"], body["version"]) == ("48", 1)
    assert "100 % and 24 mm above the nadir of 24 mm" in body["fragments"]["imaging-summary"]
    assert Measurement.objects.get(study=studies[2]).size_mm == 48


def test_a_preview_stores_nothing(client, patient, studies, lesion):
    answer = send_cell(client, patient, lesion, studies[2], "48", preview="1")
    assert "Progressive disease" in answer.json()["fragments"]["imaging-summary"]
    assert not Measurement.objects.filter(study=studies[2]).exists()


@pytest.mark.parametrize("value", ["big", "-3", "501", "progressed"])
def test_a_cell_that_cannot_be_read_is_refused_with_words(client, patient, studies, lesion, value):
    answer = send_cell(client, patient, lesion, studies[2], value)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not Measurement.objects.filter(study=studies[2]).exists()


def test_a_cell_that_somebody_else_has_changed_is_told_with_what_stands_there(
    client, patient, studies, lesion
):
    stale = send_cell(client, patient, lesion, studies[1], "30", version=0)
    assert stale.status_code == 409
    assert (stale.json()["size"], stale.json()["version"]) == ("24", 1)
    assert Measurement.objects.get(study=studies[1]).size_mm == 24


def test_a_cell_sent_twice_is_stored_once_and_accepted_twice(client, patient, studies, lesion):
    answers = [send_cell(client, patient, lesion, studies[2], "48") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].json()["version"] == 1


def test_without_javascript_the_whole_grid_is_stored_or_nothing_of_it(client, patient, studies, lesion):
    key = f"{lesion.pk}_{studies[2].pk}"
    other = f"{lesion.pk}_{studies[1].pk}"
    values = {f"size_{key}": "22", f"version_{key}": "0", f"size_{other}": "24", f"version_{other}": "1"}

    refused = client.post(address("imaging", patient), values | {f"size_{other}": "many"})
    assert refused.status_code == 422
    assert "Nothing was stored yet" in text_of(refused)
    assert 'value="many"' in refused.content.decode()
    assert not Measurement.objects.filter(study=studies[2]).exists()

    assert client.post(address("imaging", patient), values).status_code == 302
    assert Measurement.objects.get(study=studies[2]).size_mm == 22


def test_a_lesion_too_small_for_a_target_is_kept_with_a_reason(client, patient, studies):
    lesion = LesionFactory(patient=patient, label="L1")
    measured(lesion, studies[0], "8")
    measured(lesion, studies[1], "8")
    page = text_of(client.get(address("imaging", patient)))
    assert "Nothing is derived and nothing can be signed until this is settled" in page
    assert sign(client, patient, studies[1], overall_response="SD").status_code == 409

    values = {"role": "target", "organ": "liver", "site": "", "label": "L1", "version": lesion.version}
    kept = client.post(
        address("lesion-change", patient, lesion.pk), values | {"selection_reason": "The only lesion"}
    )
    assert kept.status_code == 302
    assert "kept with a reason" in text_of(client.get(address("imaging", patient)))
    assert sign(client, patient, studies[1]).status_code == 302


def test_a_sixth_target_is_refused_and_what_was_typed_stays(client, patient, studies):
    for organ in ("liver", "liver", "lung", "lung", "bone"):
        LesionFactory(patient=patient, organ=organ)
    sent = {"role": "target", "organ": "adrenal", "site": "left"}
    refused = client.post(address("lesion-new", patient), sent)
    assert refused.status_code == 409
    assert "at most 5" in text_of(refused)
    assert 'value="left"' in refused.content.decode()
    assert Lesion.objects.count() == 5


def test_a_signature_needs_the_own_password(client, patient, studies, lesion):
    for wrong in ("", "somebody-else's"):
        refused = sign(client, patient, studies[1], password=wrong)
        assert refused.status_code == 422
        assert not Reading.objects.exists()

    assert sign(client, patient, studies[1]).status_code == 302
    reading = Reading.objects.get()
    assert (reading.status, reading.overall_response) == (ReadingStatus.SIGNED, "PR")
    assert (reading.derived_response, reading.sstr_response) == ("PR", "decreased")


def test_an_override_needs_a_reason_and_both_responses_stay_visible(client, patient, studies, lesion):
    refused = sign(client, patient, studies[1], overall_response="SD")
    assert refused.status_code == 422
    assert "The rules derive partial response" in text_of(refused)

    given = {"overall_response": "SD", "override_reason": "Ascites hides the margin"}
    assert sign(client, patient, studies[1], **given).status_code == 302
    for page in (address("imaging", patient), reverse("patient-chart", args=[patient.pk])):
        said = text_of(client.get(page))
        assert "derived was partial response: Ascites hides the margin" in said


def test_a_reported_response_that_the_measurements_do_not_bear_out_is_shown_as_such(
    client, patient, studies, lesion
):
    ReadingFactory(study=studies[1], overall_response="SD")
    said = text_of(client.get(address("imaging", patient)))
    assert "Stable disease Reported; the measurements say partial response" in said


def test_a_draft_needs_no_password_and_does_not_count(client, patient, studies, lesion):
    assert sign(client, patient, studies[1], draft="1", password="").status_code == 302
    assert Reading.objects.get().status == ReadingStatus.DRAFT
    assert not Reading.objects.in_force().exists()


def test_a_coordinator_looks_and_keeps_no_reading(user_with, patient, studies, lesion):
    coordinator = signed_in(user_with(UserRole.COORDINATOR))
    page = coordinator.get(address("imaging", patient))
    assert page.status_code == 200
    assert "Read and sign" not in page.content.decode()
    assert sign(coordinator, patient, studies[1]).status_code == 403
    assert not Reading.objects.exists()


def test_two_readers_that_differ_leave_no_response_until_a_third_decides(
    client, user_with, patient, studies, lesion
):
    assert sign(client, patient, studies[1]).status_code == 302
    second = user_with(UserRole.READER, username="second")
    second_lesion = LesionFactory(patient=patient, label="L1", reader_role="second")
    measured(second_lesion, studies[0], "40")
    measured(second_lesion, studies[1], "38")
    services.sign_reading(study=studies[1], reader_role="second", by=second)
    assert "two readers differ" in text_of(client.get(address("imaging", patient)))
    assert not Reading.objects.in_force().exists()

    third = user_with(UserRole.PHYSICIAN, username="third")
    third.set_password(PASSWORD)
    third.save()
    decided = sign(
        signed_in(third),
        patient,
        studies[1],
        reader="adjudicator",
        overall_response="PR",
        note="As the first",
    )
    assert decided.status_code == 302
    assert Reading.objects.in_force().get().reader == third


def test_who_may_not_sign_is_not_shown_how_to_change_what_was_signed(
    client, user_with, patient, studies, lesion
):
    assert sign(client, patient, studies[1]).status_code == 302
    chart = reverse("patient-chart", args=[patient.pk])
    assert "Void reading" in text_of(client.get(chart))
    said = text_of(signed_in(user_with(UserRole.DATA_MANAGER, username="manager")).get(chart))
    assert "Partial response" in said
    assert "Void reading" not in said
    assert "Sign anew" not in said


def test_another_centre_s_reader_finds_nothing(user_with, other_centre, patient, studies, lesion):
    stranger = signed_in(user_with(UserRole.READER, other_centre, username="stranger"))
    pages = [
        address("imaging", patient),
        address("lesion-change", patient, lesion.pk),
        address("reading-sign", patient, studies[1].pk),
    ]
    assert [stranger.get(page).status_code for page in pages] == [404, 404, 404]
    assert send_cell(stranger, patient, lesion, studies[2], "48").status_code == 404


def test_a_lesion_or_a_study_of_another_patient_is_not_reached_through_this_one(
    client, centre, patient, studies, lesion
):
    other = PatientFactory(centre=centre)
    elsewhere = StudyFactory(patient=other)
    assert send_cell(client, patient, lesion, elsewhere, "48").status_code == 404
    assert send_cell(client, patient, LesionFactory(patient=other), studies[2], "48").status_code == 404


def test_imported_measurements_count_once_they_are_accepted(client, patient, studies, lesion):
    draft = MeasurementFactory(lesion=lesion, study=studies[2], size_mm=Decimal(20), is_draft=True)
    assert "1 imported, not accepted" in text_of(client.get(address("imaging", patient)))
    assert sign(client, patient, studies[2]).status_code in {409, 422}

    assert client.post(address("drafts-accept", patient, studies[2].pk)).status_code == 302
    draft.refresh_from_db()
    assert not draft.is_draft
    assert sign(client, patient, studies[2]).status_code == 302


def test_the_page_takes_a_constant_number_of_queries(client, patient, studies, lesion):
    client.get(address("imaging", patient))
    with CaptureQueriesContext(connection) as few:
        client.get(address("imaging", patient))
    for _ in range(4):
        more = LesionFactory(patient=patient, role="non_target", organ="bone")
        for study in studies:
            measured(more, study, "20", "9")
    with CaptureQueriesContext(connection) as many:
        client.get(address("imaging", patient))
    assert len(many) == len(few)
