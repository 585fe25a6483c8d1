"""Fetches a study from a DICOMweb server: its headers (QIDO-RS, WADO-RS metadata) and its reports, never its pictures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydicom import Dataset

from imaging.dicom import headers
from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.files import LIMITS, MIB
from imaging.dicom.quiet import no_values_told
from imaging.dicom.study import MOST_REPORTS, MOST_SERIES, StudyReader

READ_MODALITIES = {"PT", "CT", "MR", "SR"}
ANSWER_BYTES = 64 * MIB  # headers of one series as JSON; 2,000 slices need about 20 MiB
DEFAULT_TIMEOUT_S = 30
UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, repr=False)
class Server:
    """A DICOMweb server: where it is, and how to sign in there.

    Attributes:
        url: the root of its services, such as https://pacs.example.org/dicom-web.
        user, password: for basic authentication; blank: none.
        token: sent as a bearer token instead; blank: none.
        timeout_s: the longest wait for a connection, and for more of an answer, in seconds.
    """

    url: str
    user: str = ""
    password: str = ""
    token: str = ""
    timeout_s: int = DEFAULT_TIMEOUT_S

    def __repr__(self) -> str:
        return "Server(…)"


def fetch_study(study_instance_uid: str, server: Server) -> DicomStudy:
    """Return what an upload of the study would give, without its pictures leaving the server.

    Raises:
        DicomError: the server cannot be reached, refuses, has no such study, or answers with what cannot be used.
    """
    if not (len(study_instance_uid) <= 64 and UID.fullmatch(study_instance_uid)):
        raise DicomError(
            "bad_uid", "A study UID is made of numbers with dots between them. Copy it from the PACS."
        )
    refused: DicomError | None = None
    try:
        with no_values_told():
            return _fetch(study_instance_uid, _client(server))
    except DicomError as error:
        refused = error
    except Exception as error:
        refused = _reason(error)
    raise refused


def _client(server: Server) -> Any:
    # Half a second to import, which only a fetch is worth.
    import requests
    from dicomweb_client import DICOMwebClient
    from requests.auth import AuthBase, HTTPBasicAuth

    class Bearer(AuthBase):
        def __call__(self, request: Any) -> Any:
            request.headers["Authorization"] = f"Bearer {server.token}"
            return request

    class BoundedSession(requests.Session):
        """Ends what takes too long or grows too large; without it, requests waits and reads without end."""

        def send(self, request: Any, **options: Any) -> Any:
            options["timeout"] = server.timeout_s
            options["stream"] = True
            response = super().send(request, **options)
            read = bytearray()
            for chunk in response.iter_content(64 * 1024):
                read += chunk
                if len(read) > ANSWER_BYTES:
                    response.close()
                    raise DicomError(
                        "too_large",
                        "The DICOMweb server's answer is too large. Upload the PET series instead.",
                    )
            response._content = bytes(read)
            return response

    if urlsplit(server.url).scheme not in {"http", "https"}:
        raise DicomError(
            "server_unreachable", "DICOMWEB_URL is no web address. Ask whoever runs the registry."
        )
    session = BoundedSession()
    session.max_redirects = 3
    if server.token:
        session.auth = Bearer()
    elif server.user:
        session.auth = HTTPBasicAuth(server.user, server.password)
    client = DICOMwebClient(url=server.url.rstrip("/"), session=session)
    client.set_http_retry_params(retry=False)
    return client


def _fetch(study: str, client: Any) -> DicomStudy:
    found = [Dataset.from_json(one) for one in client.search_for_series(study_instance_uid=study)]
    series = {
        headers.text(one, "SeriesInstanceUID"): headers.text(one, "Modality")
        for one in found
        if headers.text(one, "Modality") in READ_MODALITIES and headers.text(one, "SeriesInstanceUID")
    }
    if not found:
        raise DicomError("not_found", "The DICOMweb server has no study of this UID.")
    if len(series) > MOST_SERIES:
        raise DicomError(
            "too_many_series", f"The study has more than {MOST_SERIES} series. Upload its PET and CT instead."
        )
    reader = StudyReader()
    n_read = 0
    for series_uid, modality in series.items():
        each = (
            _reports(client, study, series_uid) if modality == "SR" else _headers(client, study, series_uid)
        )
        for dataset in each:
            n_read += 1
            if n_read > LIMITS.files:
                raise DicomError(
                    "too_many_files",
                    f"The study has more than {LIMITS.files:,} images. Upload its PET and CT instead.",
                )
            if headers.text(dataset, "StudyInstanceUID") != study:
                raise DicomError(
                    "bad_answer", "The DICOMweb server answered with another study. Ask its keepers."
                )
            reader.add(dataset, f"Image {n_read} of the server")
    return reader.result()


def _headers(client: Any, study: str, series: str) -> Iterator[Dataset]:
    for one in client.retrieve_series_metadata(study, series):
        yield Dataset.from_json({tag: value for tag, value in one.items() if tag in _TAGS})


_TAGS = {f"{int(tag):08X}" for tag in headers.TAGS}


def _reports(client: Any, study: str, series: str) -> Iterator[Dataset]:
    instances = [Dataset.from_json(one) for one in client.search_for_instances(study, series)]
    if len(instances) > MOST_REPORTS:
        raise DicomError(
            "too_many_reports", f"The study has more than {MOST_REPORTS} reports. Upload those that count."
        )
    for one in instances:
        if headers.text(one, "SOPClassUID") in headers.REPORT_CLASSES:
            yield client.retrieve_instance(study, series, headers.text(one, "SOPInstanceUID"))


def _reason(error: Exception) -> DicomError:
    """Return what went wrong at the server, without its words: they quote addresses and answers."""
    import requests

    if isinstance(error, requests.Timeout):
        return DicomError(
            "server_timeout",
            "The DICOMweb server did not answer in time. Try again later, or upload the files.",
        )
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code if error.response is not None else 0
        if status in {401, 403}:
            return DicomError(
                "server_refused",
                "The DICOMweb server refused the registry's sign-in. Ask whoever runs the registry.",
            )
        if status == 404:
            return DicomError("not_found", "The DICOMweb server has no study of this UID.")
        return DicomError(
            "server_error",
            f"The DICOMweb server answered with an error ({status}). Try again later, or upload the files.",
        )
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        return DicomError(
            "server_unreachable",
            "The DICOMweb server cannot be reached. Try again later, or upload the files.",
        )
    return DicomError(
        "bad_answer",
        "The DICOMweb server answered with what cannot be read as DICOM. Upload the files instead.",
    )
