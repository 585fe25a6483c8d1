"""The one thing that reading DICOM raises."""


class DicomError(Exception):
    """Files that cannot be used, or a server that does not give them.

    The message says which file by its number, and what to do. It never holds a value out of a file or its name: both can
    name a patient.

    Attributes:
        code: stable, for tests.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
