"""Fetches a study from a DICOMweb server: its headers (QIDO-RS, WADO-RS metadata) and its reports, never its pictures."""

import codecs
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from pydicom import Dataset

from imaging.dicom import headers
from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.files import LIMITS, MIB, grouped
from imaging.dicom.quiet import no_values_told
from imaging.dicom.study import MOST_REPORTS, MOST_SERIES, StudyReader
from languages.wording import gettext as _

READ_MODALITIES = {"PT", "CT", "MR", "SR"}
ANSWER_BYTES = 16 * MIB  # of one answer that is read as a whole: a list of series, or a report
CHUNK_BYTES = 64 * 1024
DEFAULT_TIMEOUT_S = 40
UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, repr=False)
class Server:
    """A DICOMweb server: where it is, and how to sign in there.

    Attributes:
        url: the root of its services, such as https://pacs.example.org/dicom-web.
        user, password: for basic authentication; blank: none.
        token: sent as a bearer token instead; blank: none.
        timeout_s: the longest that reading a study may take, in seconds.
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
            "bad_uid", _("A study UID is made of numbers with dots between them. Copy it from the PACS.")
        )
    refused: DicomError | None = None
    try:
        with no_values_told():
            return _fetch(study_instance_uid, _Connection(server))
    except DicomError as error:
        refused = error
    except Exception as error:
        refused = _reason(error)
    raise refused


class _Connection:
    """Speaks to the server until the time for the whole study is over, and reads no answer of any size."""

    def __init__(self, server: Server) -> None:
        # Half a second to import, which only a fetch is worth.
        import requests
        from dicomweb_client import DICOMwebClient

        if urlsplit(server.url).scheme not in {"http", "https"}:
            raise DicomError(
                "server_unreachable", _("DICOMWEB_URL is no web address. Ask whoever runs the registry.")
            )
        self._url = server.url.rstrip("/")
        self._ends_at = time.monotonic() + server.timeout_s
        self._session = _signed_in(requests.Session(), server)
        connection = self

        class Bounded(requests.Session):
            def send(self, request: Any, **options: Any) -> Any:
                response = super().send(
                    request, **(options | {"timeout": connection.seconds_left(), "stream": True})
                )
                read = bytearray()
                for chunk in connection.chunks(response):
                    read += chunk
                    if len(read) > ANSWER_BYTES:
                        response.close()
                        raise _too_large()
                response._content = bytes(read)
                return response

        self.client = DICOMwebClient(url=self._url, session=_signed_in(Bounded(), server))
        self.client.set_http_retry_params(retry=False)

    def seconds_left(self) -> float:
        """Return how long the study may still take.

        Raises:
            DicomError: its time is over.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise _too_slow()
        return left

    def chunks(self, response: Any) -> Iterator[bytes]:
        for chunk in response.iter_content(CHUNK_BYTES):
            self.seconds_left()
            yield chunk

    def headers_of(self, study: str, series: str) -> Iterator[dict[str, Any]]:
        """Yield the header of each instance of a series as DICOM JSON, one at a time."""
        address = f"{self._url}/studies/{study}/series/{series}/metadata"
        accept = {"Accept": "application/dicom+json"}
        with self._session.get(address, headers=accept, stream=True, timeout=self.seconds_left()) as response:
            response.raise_for_status()
            yield from each_of_array(self.chunks(response))


def _signed_in(session: Any, server: Server) -> Any:
    from requests.auth import AuthBase, HTTPBasicAuth

    class Bearer(AuthBase):
        def __call__(self, request: Any) -> Any:
            request.headers["Authorization"] = f"Bearer {server.token}"
            return request

    session.max_redirects = 3
    if server.token:
        session.auth = Bearer()
    elif server.user:
        session.auth = HTTPBasicAuth(server.user, server.password)
    return session


def each_of_array(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON array one by one while it arrives, so that no more than one is held.

    Raises:
        DicomError: one of them is too large.
        ValueError: it is no array of objects, or ends before its end.
    """
    decoder, as_text = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")()
    text, is_begun, enough = "", False, 0
    for chunk in chain(chunks, [b""]):
        text += as_text.decode(chunk)
        enough = enough if chunk else 0
        # A long object is not begun anew with every chunk of it.
        while len(text) >= enough:
            text = text.lstrip(" \r\n\t," if is_begun else " \r\n\t")
            if text and not is_begun:
                if text[0] != "[":
                    raise ValueError("no array")
                text, is_begun = text[1:].lstrip(), True
            if text.startswith("]"):
                return
            try:
                found, end = decoder.raw_decode(text)
            except ValueError:
                enough = 2 * len(text) or 1
                break
            if not isinstance(found, dict):
                raise ValueError("no object")
            yield found
            text, enough = text[end:], 1
        if len(text) > LIMITS.header_bytes:
            raise _too_large()
    raise ValueError("cut off")


def _too_large() -> DicomError:
    return DicomError(
        "too_large", _("The DICOMweb server's answer is too large. Upload the PET series instead.")
    )


def _too_slow() -> DicomError:
    return DicomError(
        "server_timeout",
        _("The DICOMweb server did not answer in time. Try again later, or upload the files."),
    )


def _fetch(study: str, connection: _Connection) -> DicomStudy:
    client = connection.client
    found = [Dataset.from_json(one) for one in client.search_for_series(study_instance_uid=study)]
    series = {
        headers.text(one, "SeriesInstanceUID"): headers.text(one, "Modality")
        for one in found
        if headers.text(one, "Modality") in READ_MODALITIES and headers.text(one, "SeriesInstanceUID")
    }
    if not found:
        raise DicomError("not_found", _("The DICOMweb server has no study of this UID."))
    if len(series) > MOST_SERIES:
        raise DicomError(
            "too_many_series",
            _("The study has more than {most} series. Upload its PET and CT instead.").format(
                most=MOST_SERIES
            ),
        )
    reader = StudyReader()
    n_read = 0
    for series_uid, modality in series.items():
        each = (
            _reports(client, study, series_uid)
            if modality == "SR"
            else _headers(connection, study, series_uid)
        )
        for dataset in each:
            n_read += 1
            if n_read > LIMITS.files:
                raise DicomError(
                    "too_many_files",
                    _("The study has more than {most} images. Upload its PET and CT instead.").format(
                        most=grouped(LIMITS.files)
                    ),
                )
            if headers.text(dataset, "StudyInstanceUID") != study:
                raise DicomError(
                    "bad_answer", _("The DICOMweb server answered with another study. Ask its keepers.")
                )
            reader.add(dataset, _("Image {number} of the server").format(number=n_read))
    return reader.result()


def _headers(connection: _Connection, study: str, series: str) -> Iterator[Dataset]:
    for one in connection.headers_of(study, series):
        yield Dataset.from_json({tag: value for tag, value in one.items() if tag in _TAGS})


_TAGS = {f"{int(tag):08X}" for tag in headers.TAGS}


def _reports(client: Any, study: str, series: str) -> Iterator[Dataset]:
    instances = [Dataset.from_json(one) for one in client.search_for_instances(study, series)]
    if len(instances) > MOST_REPORTS:
        raise DicomError(
            "too_many_reports",
            _("The study has more than {most} reports. Upload those that count.").format(most=MOST_REPORTS),
        )
    for one in instances:
        if headers.text(one, "SOPClassUID") in headers.REPORT_CLASSES:
            yield client.retrieve_instance(study, series, headers.text(one, "SOPInstanceUID"))


def _reason(error: Exception) -> DicomError:
    """Return what went wrong at the server, without its words: they quote addresses and answers."""
    import requests

    if isinstance(error, requests.Timeout):
        return _too_slow()
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code if error.response is not None else 0
        if status in {401, 403}:
            return DicomError(
                "server_refused",
                _("The DICOMweb server refused the registry's sign-in. Ask whoever runs the registry."),
            )
        if status == 404:
            return DicomError("not_found", _("The DICOMweb server has no study of this UID."))
        return DicomError(
            "server_error",
            _(
                "The DICOMweb server answered with an error ({status}). Try again later, or upload the files."
            ).format(status=status),
        )
    if isinstance(error, requests.RequestException) and not isinstance(error, ValueError):
        return DicomError(
            "server_unreachable",
            _("The DICOMweb server cannot be reached. Try again later, or upload the files."),
        )
    return DicomError(
        "bad_answer",
        _("The DICOMweb server answered with what cannot be read as DICOM. Upload the files instead."),
    )
