"""Reading DICOM files in the browser: looked at before anything is stored, and nobody's identity goes any further."""

import base64
import html
import io
import logging
import re
import tempfile
import tracemalloc
import zlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as registry_settings
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from clinic import dicom_check
from clinic.dicom_upload import DicomUploadHandler
from imaging import services
from imaging.dicom.files import LIMITS
from imaging.models import Lesion, Measurement, Study
from patients.models import Patient
from tests.clinic.test_imaging import text_of
from tests.clinic.test_pages import signed_in
from tests.factories import (
    CourseFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    PatientIdentityFactory,
    StudyFactory,
)
from tests.imaging import dicom_files as files

pytestmark = pytest.mark.django_db
PERFORMED_ON = date(2019, 3, 10)
PET_CT = [files.written(dataset) for dataset in (files.pet(1), files.pet(2), files.ct())]
REPORT = files.written(
    files.report(
        files.measured("L1", "1.2.3", long_axis=23.4, suv_max=12.3),
        files.measured("Segment IV", "1.2.4", long_axis=16, role="non_target"),
    )
)


@pytest.fixture
def patient(centre) -> Patient:
    """The patient of the synthetic files."""
    patient = PatientFactory(centre=centre, birth_date=date(1957, 3, 2))
    PatientIdentityFactory(patient=patient, mrn=files.PATIENT_ID, family_name="Quillfeather")
    CourseFactory(patient=patient)
    return patient


@pytest.fixture
def reader(user_with) -> User:
    return user_with(Role.READER, username="reader")


@pytest.fixture
def client(reader) -> Client:
    return signed_in(reader)


def address(patient: Patient) -> str:
    return reverse("dicom-read", args=[patient.pk, 1])


def upload(client: Client, patient: Patient, *contents: bytes) -> Any:
    sent = [SimpleUploadedFile(f"Quillfeather {n}.dcm", content) for n, content in enumerate(contents)]
    return client.post(address(patient), {"files": sent})


def fields_of(response: Any) -> dict[str, str]:
    """Return what a browser would send of the page's form as it stands."""
    form = response.context["form"]
    found = {}
    for name in form.fields:
        value = form[name].value()
        if value is True:
            found[name] = "on"
        elif value not in (None, False):
            found[name] = str(value)
    return found


def store(client: Client, patient: Patient, checked: Any, **changes: str | None) -> Any:
    sent = fields_of(checked) | {"store": "1"} | changes
    return client.post(address(patient), {name: value for name, value in sent.items() if value is not None})


def errors_of(response: Any) -> dict[str, list[str]]:
    return {name: list(errors) for name, errors in response.context["form"].errors.items()}


# A new study


def test_files_are_shown_first_and_stored_when_they_are_confirmed(client, patient):
    checked = upload(client, patient, *PET_CT)

    assert checked.status_code == 200
    said = text_of(checked)
    for words in (
        "Nothing is stored yet",
        "Patient ID, birth date and sex agree.",
        "68Ga-DOTATATE",
        "150 MBq",
        "2019-03-10 10:00",
        "4062 s",
        "70 kg",
        "60 min",
        "1.5 mm",
        "150.00\N{NO-BREAK SPACE}MBq injected, decayed for 3600 s",
    ):
        assert words.replace("\N{NO-BREAK SPACE}", " ") in said.replace("\N{NO-BREAK SPACE}", " ")
    assert not Study.objects.exists()

    answer = store(client, patient, checked)

    assert answer.status_code == 302, errors_of(answer)
    study = Study.objects.get()
    assert (study.timepoint, study.modality, study.performed_on) == ("baseline", "pet_ct", PERFORMED_ON)
    assert study.study_instance_uid == files.STUDY
    assert study.tracer == "68Ga-DOTATATE"
    assert study.tracer_activity_mbq == 150
    assert study.injected_at == datetime(
        2019, 3, 10, 9, 0, tzinfo=UTC
    )  # the scanner's clock is the centre's, Berlin
    assert study.uptake_minutes == 60
    assert study.body_weight_kg == 70
    assert study.slice_thickness_mm == Decimal("1.5")
    dose_at_scan = Decimal(150_000_000) * Decimal(2) ** (Decimal(-3600) / Decimal(4062))
    assert study.suvbw_factor == pytest.approx(70_000 / dose_at_scan, abs=Decimal("1e-12"))
    assert "decayed for 3600 s" in study.suvbw_basis


def test_a_zip_is_read_as_its_files_are(client, patient):
    assert fields_of(upload(client, patient, files.zipped(PET_CT))) | {"seen": ""} == fields_of(
        upload(client, patient, *PET_CT)
    ) | {"seen": ""}


def test_a_scanner_that_says_its_offset_is_believed(client, patient):
    store(client, patient, upload(client, patient, files.written(files.pet(TimezoneOffsetFromUTC="+0900"))))

    assert Study.objects.get().injected_at == datetime(2019, 3, 10, 1, 0, tzinfo=UTC)


def test_what_is_not_ticked_is_not_stored(client, patient):
    store(client, patient, upload(client, patient, *PET_CT), take_body_weight_kg=None, take_tracer=None)

    study = Study.objects.get()
    assert (study.body_weight_kg, study.tracer) == (None, "")
    assert study.uptake_minutes == 60


def test_the_slices_of_a_pet_alone_are_not_those_that_lesions_are_measured_on(client, patient):
    checked = upload(client, patient, PET_CT[0])

    assert "3 mm is the PET's" in text_of(checked)
    assert store(client, patient, checked).status_code == 302
    assert Study.objects.get().slice_thickness_mm is None


def test_pixels_that_are_suv_already_have_no_factor_in_g_per_bq(client, patient):
    store(client, patient, upload(client, patient, files.written(files.pet(Units="GML"))))

    study = Study.objects.get()
    assert study.suvbw_factor is None
    assert study.suvbw_basis == "The pixels are SUVbw already (units GML): factor 1."


def test_the_timepoint_of_a_further_study_is_asked_for(client, patient):
    StudyFactory(patient=patient, performed_on=date(2018, 12, 1))
    checked = upload(client, patient, *PET_CT)

    answer = store(client, patient, checked)
    assert answer.status_code == 422
    assert errors_of(answer) == {"timepoint": ["Choose the timepoint of the new study."]}

    assert store(client, patient, checked, timepoint="interim").status_code == 302
    assert Study.objects.get(timepoint="interim").tracer_activity_mbq == 150


# An existing study


@pytest.fixture
def study(patient) -> Study:
    return StudyFactory(
        patient=patient,
        performed_on=PERFORMED_ON,
        tracer_activity_mbq=Decimal(140),
        body_weight_kg=Decimal(70),
    )


def test_the_study_of_the_same_day_is_filled_in_and_what_stands_there_is_kept(client, patient, study):
    checked = upload(client, patient, *PET_CT)

    assert checked.context["form"].into == study
    rows = {row.name: row.state for row in checked.context["form"].rows}
    assert rows["tracer_activity_mbq"] == "differs"
    assert rows["body_weight_kg"] == "same"
    assert rows["uptake_minutes"] == "fills"
    assert store(client, patient, checked).status_code == 302

    study.refresh_from_db()
    assert study.tracer_activity_mbq == 140
    assert study.uptake_minutes == 60
    assert study.study_instance_uid == files.STUDY
    assert reasons_of(study) == ["", "Read from DICOM files."]


def reasons_of(record: Any) -> list[str]:
    table = f"{record._meta.db_table}event"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(pgh_context->>'reason', '') FROM {table} WHERE pgh_obj_id = %s ORDER BY pgh_id",
            [record.pk],
        )
        return [row[0] for row in cursor.fetchall()]


def test_a_recorded_value_is_replaced_with_a_reason_alone(client, patient, study):
    checked = upload(client, patient, *PET_CT)

    refused = store(client, patient, checked, take_tracer_activity_mbq="on")
    assert refused.status_code == 422
    assert errors_of(refused) == {"reason": ["Say why what was recorded before is changed."]}
    study.refresh_from_db()
    assert study.uptake_minutes is None

    store(client, patient, checked, take_tracer_activity_mbq="on", reason="Mistyped")
    study.refresh_from_db()
    assert study.tracer_activity_mbq == 150
    assert reasons_of(study)[-1] == "Mistyped"


def test_another_study_is_shown_before_it_is_stored_in(client, patient, study):
    other = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 6, 5))
    checked = upload(client, patient, *PET_CT)

    unseen = store(client, patient, checked, study=str(other.pk))
    assert unseen.status_code == 422
    assert "You chose another study or reader" in text_of(unseen)
    assert unseen.context["form"].into == other
    other.refresh_from_db()
    assert other.study_instance_uid == ""

    assert store(client, patient, unseen).status_code == 302
    other.refresh_from_db()
    assert other.study_instance_uid == files.STUDY
    assert other.performed_on == date(2019, 6, 5)


def test_choosing_a_study_to_compare_with_stores_nothing(client, patient, study):
    checked = upload(client, patient, *PET_CT)

    answer = client.post(address(patient), fields_of(checked) | {"study": "new"})

    assert answer.status_code == 200
    assert answer.context["form"].into is None
    assert Study.objects.count() == 1


def test_a_study_that_was_changed_meanwhile_is_shown_as_it_is_now(client, patient, study):
    checked = upload(client, patient, *PET_CT)
    Study.objects.filter(pk=study.pk).update(uptake_minutes=55)

    answer = store(client, patient, checked)

    assert answer.status_code == 409
    assert "changed while you had it open" in text_of(answer)
    study.refresh_from_db()
    assert (study.uptake_minutes, study.study_instance_uid) == (55, "")
    assert store(client, patient, answer).status_code == 302


def test_a_study_of_another_course_is_not_offered(client, patient):
    StudyFactory(patient=patient, performed_on=PERFORMED_ON, course_number=2)

    checked = upload(client, patient, *PET_CT)

    assert [key for key, _ in checked.context["form"].fields["study"].choices] == ["new"]


# Whose files they are


def test_files_of_another_person_are_told_before_and_need_a_reason(client, patient):
    Patient.objects.filter(pk=patient.pk).update(birth_date=date(1958, 3, 2), sex="male")
    patient.identity.mrn = "0815"
    patient.identity.save()

    checked = upload(client, patient, *PET_CT)
    said = text_of(checked)
    assert "These may be another patient's files" in said
    assert "The patient ID in the files is not this patient's MRN." in said
    assert "it differs in the year" in said
    assert "The sex in the files is not this patient's." in said

    refused = store(client, patient, checked)
    assert refused.status_code == 422
    assert list(errors_of(refused)) == ["identity_reason"]
    assert not Study.objects.exists()

    assert store(client, patient, checked, identity_reason="Pseudonymised").status_code == 302
    assert reasons_of(Study.objects.get()) == ["Read from DICOM files. Pseudonymised"]


def test_who_may_not_see_identities_does_not_learn_whether_an_mrn_is_right(patient, user_with):
    client = signed_in(user_with(Role.INTEGRATION))

    right = text_of(upload(client, patient, *PET_CT))
    wrong = text_of(upload(client, patient, files.written(files.pet(PatientID="another"))))

    assert "do not say: patient ID" in right
    assert "do not say: patient ID" in wrong


def test_nothing_of_an_identity_leaves_the_upload(client, patient, caplog, capfd):
    made = {path.name for path in Path(tempfile.gettempdir()).iterdir()}
    with caplog.at_level(logging.DEBUG):
        checked = upload(client, patient, files.zipped([*PET_CT, REPORT]))
        answer = store(client, patient, checked, identity_reason="x", **new_lesions())
    assert answer.status_code == 302

    seal = checked.context["form"]["seen"].value()
    packed = seal.split(":")[0].removeprefix(".")
    opened = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).decode()
    assert "68Ga-DOTATATE" in opened  # so that the next line says something
    session = str(dict(client.session.items()))
    logged = caplog.text + "".join(capfd.readouterr())
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(s::text, '') FROM imaging_studyevent s")
        history = cursor.fetchone()[0]
    page = checked.content.decode()
    for secret in files.SECRETS:
        for where in (opened, session, logged, history, page):
            assert secret not in where
    assert {path.name for path in Path(tempfile.gettempdir()).iterdir()} <= made


def new_lesions() -> dict[str, str]:
    return {"lesion_0": "target", "organ_0": "liver", "lesion_1": "non_target", "organ_1": "liver"}


# The seal


def test_what_was_changed_on_the_way_is_refused(client, patient):
    checked = upload(client, patient, *PET_CT)
    seal = checked.context["form"]["seen"].value()

    for broken in (seal[:-1] + ("A" if seal[-1] != "A" else "B"), seal[1:], "", signing.dumps({"of": []})):
        answer = store(client, patient, checked, seen=broken)
        assert answer.status_code == 422
        assert "What was read did not come back as it was. Nothing was stored" in text_of(answer)
    assert not Study.objects.exists()


def test_what_was_read_long_ago_is_refused(client, patient, monkeypatch):
    checked = upload(client, patient, *PET_CT)
    monkeypatch.setattr(dicom_check, "VALID_SECONDS", -1)

    answer = store(client, patient, checked)

    assert answer.status_code == 422
    assert "What was read an hour ago is not kept" in text_of(answer)
    assert not Study.objects.exists()


def test_what_was_read_for_one_patient_course_or_user_is_of_no_use_for_another(client, patient, user_with):
    checked = upload(client, patient, *PET_CT)
    other = PatientFactory(centre=patient.centre)
    CourseFactory(patient=patient, number=2)
    second_course = reverse("dicom-read", args=[patient.pk, 2])
    sent = fields_of(checked) | {"store": "1"}

    answers = [
        client.post(address(other), sent),
        client.post(second_course, sent),
        signed_in(user_with(Role.READER)).post(address(patient), sent),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert "What was read belongs to another page" in text_of(answer)
    assert not Study.objects.exists()


def test_every_value_comes_back_from_the_seal(reader, patient):
    from imaging.dicom.study import read_upload

    study = read_upload([io.BytesIO(content) for content in (*PET_CT, REPORT)])
    read = dicom_check.Read.of(study, is_other_person=True)
    of = {"user": reader, "patient": patient, "course_number": 1}

    assert dicom_check.unsealed(dicom_check.sealed(read, **of), **of) == read


# Reports


def test_reported_measurements_become_drafts_of_new_lesions(client, patient):
    checked = upload(client, patient, *PET_CT, REPORT)
    # At baseline the report's own words are taken; what an organ is called is known too.
    assert fields_of(checked).items() >= new_lesions().items()

    assert store(client, patient, checked).status_code == 302

    first, second = Lesion.objects.order_by("created_at")
    assert (first.label, first.role, first.organ, first.tracking_uid) == ("L1", "target", "liver", "1.2.3")
    assert (second.label, second.role, second.site) == ("L2", "non_target", "Segment IV")
    one = first.measurements.get()
    assert (one.state, one.size_mm, one.suv_max, one.is_draft) == (
        "measured",
        Decimal("23.4"),
        Decimal("12.3"),
        True,
    )


def test_lesions_are_found_by_their_tracking_uid_or_label(client, patient, study):
    by_uid = LesionFactory(patient=patient, label="T7", tracking_uid="1.2.4", role="non_target")
    by_label = LesionFactory(patient=patient, label="L1")
    LesionFactory(patient=patient, label="L1", reader_role="second")

    checked = upload(client, patient, *PET_CT, REPORT)
    assert fields_of(checked)["lesion_0"] == str(by_label.pk)
    assert fields_of(checked)["lesion_1"] == str(by_uid.pk)
    assert store(client, patient, checked).status_code == 302

    assert Lesion.objects.count() == 3
    by_label.refresh_from_db()
    assert by_label.tracking_uid == "1.2.3"  # the next report finds it by that
    assert by_label.measurements.get().size_mm == Decimal("23.4")
    assert by_uid.measurements.get().size_mm == 16


def test_a_label_whose_lesion_has_another_tracking_uid_is_not_taken_for_it(client, patient, study):
    LesionFactory(patient=patient, label="L1", tracking_uid="9.9")

    assert fields_of(upload(client, patient, *PET_CT, REPORT))["lesion_0"] == "target"


def test_a_lesion_that_is_not_known_later_is_asked_for_since_it_may_be_new(client, patient):
    StudyFactory(patient=patient, performed_on=date(2018, 12, 1))
    checked = upload(client, patient, *PET_CT, REPORT)

    refused = store(client, patient, checked, timepoint="interim")
    assert set(errors_of(refused)) == {"lesion_0", "lesion_1"}

    assert (
        store(client, patient, checked, timepoint="interim", lesion_0="new", lesion_1="out").status_code
        == 302
    )
    assert Lesion.objects.get().role == "new"


def test_the_second_readers_lesions_are_compared_before_they_are_stored(client, patient, study):
    mine = LesionFactory(patient=patient, label="L1", reader_role="second")
    checked = upload(client, patient, *PET_CT, REPORT)

    unseen = store(client, patient, checked, reader="second")
    assert unseen.status_code == 422
    assert fields_of(unseen)["lesion_0"] == str(mine.pk)

    answer = store(client, patient, unseen)
    assert answer.url.endswith("?reader=second")
    assert mine.measurements.get().is_draft


def test_of_a_node_the_short_axis_is_taken(client, patient):
    node = files.measured("N1", "1.2.9", long_axis=21, short_axis=16)
    checked = upload(client, patient, *PET_CT, files.written(files.report(node)))

    store(client, patient, checked, organ_0="lymph_node")

    assert Measurement.objects.get().size_mm == 16


def test_a_report_with_a_node_without_short_axis_stores_nothing_of_it(client, patient):
    node = files.measured("N1", "1.2.9", long_axis=21)
    checked = upload(client, patient, *PET_CT, files.written(files.report(node)))

    answer = store(client, patient, checked, organ_0="lymph_node")

    assert answer.status_code == 409
    assert "neither short axis nor SUVmax of N1: leave it out" in text_of(answer)
    assert not Study.objects.exists()
    assert not Lesion.objects.exists()


def test_an_accepted_measurement_is_not_overwritten_by_a_report(client, patient, study):
    lesion = LesionFactory(patient=patient, label="L1")
    MeasurementFactory(lesion=lesion, study=study, size_mm=Decimal(25))
    checked = upload(client, patient, *PET_CT, REPORT)
    assert "Here already: 25; it is kept." in text_of(checked)
    assert fields_of(checked)["lesion_0"] == "out"

    answer = store(client, patient, checked, lesion_0=str(lesion.pk))

    assert answer.status_code == 409
    assert "L1 has been measured in this study already" in text_of(answer)
    study.refresh_from_db()
    assert study.study_instance_uid == ""
    assert store(client, patient, checked).status_code == 302
    assert Measurement.objects.get(lesion=lesion).size_mm == 25


def test_a_draft_is_replaced_with_a_reason_and_the_same_draft_is_left(client, patient, study):
    store(client, patient, upload(client, patient, *PET_CT, REPORT))
    again = upload(client, patient, *PET_CT, REPORT)
    assert store(client, patient, again).status_code == 302
    assert Measurement.objects.count() == 2

    other = files.written(files.report(files.measured("L1", "1.2.3", long_axis=25)))
    checked = upload(client, patient, *PET_CT, other)
    assert list(errors_of(store(client, patient, checked))) == ["reason"]
    assert store(client, patient, checked, reason="Measured anew").status_code == 302
    one = Measurement.objects.get(lesion__label="L1")
    assert (one.size_mm, one.is_draft) == (25, True)


def test_more_target_lesions_than_recist_takes_are_refused_as_a_whole(client, patient):
    groups = [files.measured(f"L{n}", f"1.2.{n}", long_axis=20) for n in (1, 2, 3)]
    checked = upload(client, patient, *PET_CT, files.written(files.report(*groups)))

    answer = store(client, patient, checked)

    assert answer.status_code == 409
    assert not Study.objects.exists()
    assert not Lesion.objects.exists()


def test_two_measurements_do_not_go_to_one_lesion(client, patient, study):
    lesion = LesionFactory(patient=patient, label="L1")
    checked = upload(client, patient, *PET_CT, REPORT)

    answer = store(client, patient, checked, lesion_1=str(lesion.pk))

    assert errors_of(answer) == {"lesion_1": ["Segment IV and L1 cannot go to one lesion: leave one out."]}


def test_a_lesion_of_somebody_else_is_no_choice(client, patient, study):
    other = LesionFactory(label="X1")
    checked = upload(client, patient, *PET_CT, REPORT)

    answer = store(client, patient, checked, lesion_0=str(other.pk))

    assert answer.status_code == 422
    assert not other.measurements.exists()


def test_a_target_lesion_of_a_signed_course_needs_a_reason(client, patient, study, reader):
    lesion = LesionFactory(patient=patient, label="T1")
    MeasurementFactory(lesion=lesion, study=study)
    interim = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 5, 4))
    MeasurementFactory(lesion=lesion, study=interim, size_mm=Decimal(20))
    services.sign_reading(study=interim, reader_role="first", by=reader)
    checked = upload(client, patient, *PET_CT, REPORT)

    assert list(errors_of(store(client, patient, checked))) == ["reason"]
    assert store(client, patient, checked, reason="Found on review").status_code == 302


# What cannot be used


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "The upload holds no file"),
        ([PET_CT[0], b"%PDF-1.7"], "File 2 is not a DICOM file"),
        ([PET_CT[0][:-5]], "File 1 is incomplete"),
        ([files.zipped([*PET_CT, b"x"])], "File 4 of the zip is not a DICOM file"),
        ([files.zipped([files.zipped(PET_CT)])], "is an archive"),
        ([files.zipped([b"\0" * 128 + b"DICM" + b"\0" * (20 << 20)])], "unpacks to more than 200 times"),
        ([files.written(files.pet(1)), files.written(files.pet(2, PatientID="another"))], "another patient"),
        ([b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + b"\0" * 200], "is encrypted"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_stored(client, patient, contents, words):
    answer = upload(client, patient, *contents)

    assert answer.status_code == 422
    assert words in text_of(answer)
    assert "Nothing was stored." in text_of(answer)
    assert not Study.objects.exists()


def test_an_upload_that_is_too_large_is_refused_without_reading_it(client, patient, monkeypatch):
    monkeypatch.setattr("clinic.dicom_upload.LIMITS", type(LIMITS)(upload_bytes=1000))

    answer = upload(client, patient, *PET_CT)

    assert answer.status_code == 422
    assert "The upload is larger than" in text_of(answer)


def test_files_beyond_the_number_are_refused_by_name_of_the_bound_and_django_lets_them_come(client, patient):
    assert LIMITS.files + 1 == registry_settings.DATA_UPLOAD_MAX_NUMBER_FILES

    checked = upload(client, patient, *(files.written(files.pet(n)) for n in range(1, 151)))

    assert checked.status_code == 200  # Django's own bound is 100
    assert checked.context["facts"].file_count == 150


def test_an_upload_holds_a_header_and_never_a_picture_or_a_thousand_files():
    def peak_of(*contents: tuple[bytes, int]) -> tuple[int, int]:
        """Send each beginning with so many MiB of pixels after it; return the peak of memory and the files read."""
        pixels = b"\1\0" * (32 << 10)
        handler = DicomUploadHandler()
        tracemalloc.start()
        for content, mib in contents:
            handler.new_file("files", "x", "", None)
            handler.receive_data_chunk(content, 0)
            for _ in range(mib * 16):
                handler.receive_data_chunk(pixels, 0)
            assert handler.file_complete(0) is None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak, handler.result().facts.file_count

    peak_of((PET_CT[0], 0))  # imports and caches are not what is measured
    few, _ = peak_of(*[(PET_CT[0], 0)] * 20)
    many, n_files = peak_of(*[(PET_CT[0], 0)] * 1_000)
    large, _ = peak_of((PET_CT[0], 200))

    assert n_files == 1_000
    assert many - few < 1 << 20
    assert large < 3 * LIMITS.header_bytes


def test_foreign_characters_do_no_harm(client, patient):
    foreign = files.pet(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎")

    checked = upload(client, patient, files.written(foreign))

    assert checked.status_code == 200
    assert "山田" not in checked.content.decode()
    assert "Yamada" not in checked.content.decode()


def test_pages_that_take_small_files_refuse_large_requests(client, patient):
    large = SimpleUploadedFile("x.csv", b"x" * (11 << 20))

    assert client.post(reverse("account_login"), {"file": large}).status_code == 400


def test_a_form_from_elsewhere_is_refused(reader, patient):
    client = Client(enforce_csrf_checks=True)
    client.force_login(reader)

    assert upload(client, patient, *PET_CT).status_code == 403
    assert client.post(address(patient), {"seen": "x"}).status_code == 403


# The PACS


def test_the_pacs_is_asked_only_where_there_is_one(client, patient, settings):
    assert "From the PACS" not in text_of(client.get(address(patient)))
    assert client.post(address(patient), {"study_uid": "1.2.3"}).status_code == 404

    settings.DICOMWEB_URL = "http://127.0.0.1:9/dicom-web"
    assert "From the PACS" in text_of(client.get(address(patient)))
    answer = client.post(address(patient), {"study_uid": "1.2.3"})
    assert answer.status_code == 422
    assert "The DICOMweb server cannot be reached" in text_of(answer)
    assert errors_of(client.post(address(patient), {"study_uid": ""})) == {
        "study_uid": ["Type the Study Instance UID."]
    }


# Who may


def test_another_centres_user_finds_nothing(patient, user_with, other_centre):
    client = signed_in(user_with(Role.READER, other_centre))

    assert client.get(address(patient)).status_code == 404
    assert upload(client, patient, *PET_CT).status_code == 404


def test_who_may_not_edit_imaging_is_refused_before_the_upload_is_read(patient, user_with):
    client = signed_in(user_with(Role.COORDINATOR))

    assert client.get(address(patient)).status_code == 403
    assert upload(client, patient, b"no DICOM").status_code == 403
    page = client.get(reverse("imaging", args=[patient.pk, 1])).content.decode()
    assert "Read DICOM files" not in page


def test_the_imaging_page_leads_here(client, patient, study):
    page = client.get(reverse("imaging", args=[patient.pk, 1])).content.decode()

    assert f'href="{address(patient)}"' in page


# The viewer


VIEWER = "https://viewer.example.org/viewer?StudyInstanceUIDs={study_instance_uid}"


def test_a_study_with_a_uid_opens_in_the_viewer_where_there_is_one(client, patient, study, settings):
    pages = [reverse("imaging", args=[patient.pk, 1]), reverse("patient-chart", args=[patient.pk])]
    LesionFactory(patient=patient)
    settings.DICOM_VIEWER_URL = VIEWER
    for page in pages:
        assert "Open in viewer" not in client.get(page).content.decode()

    Study.objects.filter(pk=study.pk).update(study_instance_uid=files.STUDY)
    for page in pages:
        links = re.findall(r"<a [^>]*viewer\.example\.org[^>]*>", client.get(page).content.decode())
        assert len(links) == 1
        assert html.unescape(links[0]).startswith(
            f'<a href="https://viewer.example.org/viewer?StudyInstanceUIDs={files.STUDY}"'
        )
        assert 'rel="noopener noreferrer"' in links[0]

    settings.DICOM_VIEWER_URL = ""
    for page in pages:
        assert "Open in viewer" not in client.get(page).content.decode()


def test_an_hour_is_what_the_page_says():
    assert timedelta(seconds=dicom_check.VALID_SECONDS) == timedelta(hours=1)
