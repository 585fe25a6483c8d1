"""A file that is sent to be imported: held in memory, and refused as soon as it is too large."""

import io
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from exchange.importing import MOST_BYTES

_FORM_BYTES = 64 * 1024  # of the request, besides the file


class ImportUploadHandler(FileUploadHandler):
    """Holds one file.

    Attributes:
        content: of it; None where none was sent whole.
        is_too_large: it was longer than ``MOST_BYTES``, and was not kept.
    """

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.content: bytes | None = None
        self.is_too_large = False
        self._held = io.BytesIO()

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, *more: Any, **named: Any
    ) -> None:
        self.is_too_large = content_length > MOST_BYTES + _FORM_BYTES

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        self._stop_if_too_large()
        self._held = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.is_too_large = start + len(raw_data) > MOST_BYTES
        self._stop_if_too_large()
        self._held.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        self.content = self._held.getvalue()
        self._held = io.BytesIO()
        return None

    def _stop_if_too_large(self) -> None:
        if self.is_too_large:
            self._held = io.BytesIO()
            raise StopUpload(
                connection_reset=False
            )  # what still comes is read past, so that the answer is heard
