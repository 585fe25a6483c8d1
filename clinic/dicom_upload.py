"""DICOM files read while they arrive, so that neither their pictures nor their names are ever kept."""

import io
from tempfile import TemporaryFile
from typing import IO, Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.utils.translation import gettext as _

from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.files import CHUNK_BYTES, GIB, LIMITS, ZIP_STARTS


class DicomUploadHandler(FileUploadHandler):
    """Reads each file when it has arrived, and lets go of it.

    Of a single file the beginning is held in memory, as far as a header may reach. A zip, whose list of contents stands at
    its end, lies in a temporary file without a name until it has been read.
    """

    def __init__(self, request: Any = None) -> None:
        # pydicom takes half a second to import, which only an upload is worth.
        from imaging.dicom.study import UploadReader

        super().__init__(request)
        self._reader = UploadReader()
        self._refused: DicomError | None = None
        self._held: IO[bytes] = io.BytesIO()
        self._size = 0

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, *more: Any, **named: Any
    ) -> None:
        if content_length > LIMITS.upload_bytes:
            self._refused = DicomError(
                "too_large",
                _(
                    "The upload is larger than {most} GiB. Send the PET series and the CT series of one study alone, as a"
                    " zip."
                ).format(most=LIMITS.upload_bytes // GIB),
            )

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self._refused is not None:
            raise StopUpload(
                connection_reset=False
            )  # what is still coming is read past, so that the answer is heard
        self._held, self._size = io.BytesIO(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if isinstance(self._held, io.BytesIO):
            held = self._held.tell()
            if held < 4 and (self._held.getvalue() + raw_data)[:4] in ZIP_STARTS:
                self._spool()
            elif held > LIMITS.header_bytes + CHUNK_BYTES:
                return
        if self._refused is None:
            self._write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        if self._refused is None:
            is_whole = not isinstance(self._held, io.BytesIO)
            try:
                self._reader.take(cast("io.BytesIO", self._held), size=None if is_whole else self._size)
            except DicomError as refused:
                self._refused = refused
        self._held.close()
        self._held = io.BytesIO()
        return None

    def upload_interrupted(self) -> None:
        self._held.close()
        self._refused = self._refused or DicomError(
            "interrupted", _("The upload broke off before its end. Send it again.")
        )

    def result(self) -> DicomStudy:
        """Return what was read.

        Raises:
            DicomError: any file could not be used, or there was none.
        """
        if self._refused is not None:
            raise self._refused
        return self._reader.result()

    def _spool(self) -> None:
        begun = cast("io.BytesIO", self._held).getvalue()
        self._held = cast("IO[bytes]", TemporaryFile())  # noqa: SIM115 - closed when the file is complete
        self._write(begun)

    def _write(self, data: bytes) -> None:
        try:
            self._held.write(data)
        except OSError:
            self._refused = DicomError(
                "no_space", _("The server has no room for a zip of this size. Send its files instead.")
            )
