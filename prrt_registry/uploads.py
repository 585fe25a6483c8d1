"""Files that are sent with a form: small ones, held in memory. Pages that take larger ones bring a handler of their own."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import MemoryFileUploadHandler

MOST_BYTES = 10 * 1024 * 1024  # of a request, all its files together


class SmallUploadHandler(MemoryFileUploadHandler):
    """Refuses a request with files that is too large as a whole; Django's own handlers bound neither number nor size."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, *more: Any, **named: Any
    ) -> None:
        if content_length > MOST_BYTES:
            raise RequestDataTooBig(f"The request is larger than {MOST_BYTES} bytes.")
        self.activated = True
