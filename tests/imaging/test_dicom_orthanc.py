"""A real PACS: Orthanc with its DICOMweb plugin, started here on loopback, says of a study what its files say."""

import io
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import requests
from dicomweb_client import DICOMwebClient
from django.test import Client
from django.urls import reverse
from pydicom import Dataset, dcmread

from accounts.models import Role, User
from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.study import read_upload
from imaging.dicom.web import Server, fetch_study
from tests.conftest import needs
from tests.factories import PatientFactory
from tests.imaging import dicom_files as files

ORTHANC = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
USER, PASSWORD = "registry", "a-password-of-this-test"


def new_uid() -> str:
    return f"1.2.826.0.1.3680043.8.498.{secrets.randbelow(10**12)}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def pacs(tmp_path_factory) -> Iterator[Server]:
    needs(ORTHANC, "Orthanc")
    needs(PLUGIN, "Orthanc's DICOMweb plugin")
    folder: Path = tmp_path_factory.mktemp("orthanc")
    port = free_port()
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "index"),
                "HttpPort": port,
                # It listens on all addresses whatever it is told, and answers this machine alone.
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": True,
                "RegisteredUsers": {USER: PASSWORD},
                "DicomServerEnabled": False,
                "Plugins": [PLUGIN],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False, "Ssl": False},
            }
        )
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen([ORTHANC, str(folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(process, f"{address}/system", folder / "log")
        yield Server(f"{address}/dicom-web", user=USER, password=PASSWORD)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        log.close()


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            if requests.get(address, auth=(USER, PASSWORD), timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail(f"Orthanc does not answer: {log.read_text(errors='replace')[-2000:]}")


def stored(pacs: Server, *datasets: Dataset) -> None:
    client = DICOMwebClient(pacs.url, session=signed_in())
    answer = client.store_instances([dcmread(io.BytesIO(files.written(dataset))) for dataset in datasets])
    assert len(answer.ReferencedSOPSequence) == len(datasets)
    assert not answer.get("FailedSOPSequence")


def signed_in() -> requests.Session:
    session = requests.Session()
    session.auth = (USER, PASSWORD)
    return session


def read(*datasets: Dataset) -> DicomStudy:
    return read_upload([io.BytesIO(files.written(dataset)) for dataset in datasets])


def of_study(study: str, *datasets: Dataset) -> list[Dataset]:
    """Return the data sets moved into a study of their own."""
    for number, dataset in enumerate(datasets):
        series = dataset.SeriesInstanceUID.removeprefix(files.STUDY)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}{series}"
        dataset.SOPInstanceUID = f"{study}.9.{number}"
    return list(datasets)


def test_a_study_that_was_stored_is_found(pacs):
    study = new_uid()
    stored(pacs, *of_study(study, files.pet(1), files.pet(2), files.ct()))

    client = DICOMwebClient(pacs.url, session=signed_in())
    found = [Dataset.from_json(one) for one in client.search_for_series(study_instance_uid=study)]

    assert sorted(one.Modality for one in found) == ["CT", "PT"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: [files.pet(1), files.pet(2, AcquisitionTime="110300"), files.ct()], id="pet-ct"),
        pytest.param(
            lambda: [files.pet(1, DecayCorrection="ADMIN", TimezoneOffsetFromUTC="+0100")], id="admin"
        ),
        pytest.param(lambda: [files.enhanced_pet()], id="enhanced"),
        pytest.param(
            lambda: [
                files.with_private(
                    files.pet(Units="CNTS"),
                    0x7053,
                    "Philips PET Private Group",
                    {0x00: ("DS", "0.00037"), 0x09: ("DS", "1.25")},
                )
            ],
            id="philips",
        ),
        pytest.param(
            lambda: [
                files.with_private(
                    files.pet(SeriesTime="113000"),
                    0x0009,
                    "GEMS_PETD_01",
                    {0x0D: ("DT", "20190310105900.00")},
                )
            ],
            id="ge",
        ),
        pytest.param(
            lambda: [files.pet(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Jürgen=山田^太郎")],
            id="foreign-characters",
        ),
    ],
)
def test_the_server_says_the_same_as_the_files(pacs, make):
    datasets = of_study(new_uid(), *make())
    stored(pacs, *datasets)

    fetched = fetch_study(datasets[0].StudyInstanceUID, pacs)

    assert fetched == read(*datasets)
    assert fetched.facts.injected_activity_mbq == 150
    assert fetched.facts.suvbw.value is not None


def test_measurement_reports_come_along(pacs):
    image = of_study(new_uid(), files.pet())[0]
    report = files.report(
        files.measured("L1", "1.2.3", long_axis=23.4, suv_max=12.3),
        files.measured("L2", "1.2.4", short_axis=16, role="non_target"),
        evidence=image,
    )
    stored(pacs, image, report)

    fetched = fetch_study(image.StudyInstanceUID, pacs)

    assert fetched == read(image, report)
    assert [one.tracking_identifier for one in fetched.measurements] == ["L1", "L2"]


def test_a_long_series_is_read_one_header_at_a_time(pacs):
    study = new_uid()
    datasets = of_study(study, *(files.pet(number) for number in range(1, 301)))
    stored(pacs, *datasets)

    assert fetch_study(study, pacs).facts.file_count == 300


@pytest.mark.django_db
def test_a_study_is_read_from_the_pacs_in_the_browser(pacs, user_with, centre, settings):
    datasets = of_study(new_uid(), files.pet(1), files.pet(2), files.ct())
    stored(pacs, *datasets)
    study = datasets[0].StudyInstanceUID
    patient = PatientFactory(centre=centre, birth_date=date(1957, 3, 2))
    settings.DICOMWEB_URL, settings.DICOMWEB_USER, settings.DICOMWEB_PASSWORD = pacs.url, USER, PASSWORD
    page = reverse("dicom-read", args=[patient.pk, 1])

    checked = signed_in_as(user_with(Role.READER)).post(page, {"study_uid": study})

    assert checked.status_code == 200
    assert checked.context["facts"] == read(*datasets).facts
    assert checked.context["mismatches"] == []


def signed_in_as(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def refusal(study: str, server: Server) -> DicomError:
    with pytest.raises(DicomError) as refused:
        fetch_study(study, server)
    assert server.url not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None
    return refused.value


def test_what_the_server_does_not_have_or_refuses_is_said(pacs):
    assert refusal(new_uid(), pacs).code == "not_found"
    assert refusal(new_uid(), Server(pacs.url, user=USER, password="wrong")).code == "server_refused"
    assert refusal("1.2/../../instances", pacs).code == "bad_uid"
    assert refusal(new_uid(), Server(f"{pacs.url}/nowhere", user=USER, password=PASSWORD)).code in {
        "not_found",
        "server_error",
    }


def test_a_server_that_is_not_there_is_said():
    assert refusal("1.2.3", Server(f"http://127.0.0.1:{free_port()}")).code == "server_unreachable"
    assert refusal("1.2.3", Server("file:///etc")).code == "server_unreachable"
