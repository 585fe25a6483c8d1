"""Silence for libraries that would write values of a file, a patient's name among them, into the log."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pydicom  # noqa: F401 - sets the level of its own log when it is imported: that comes first

from imaging.dicom.errors import DicomError
from languages.wording import gettext as _

for _name in ("pydicom", "highdicom", "dicomweb_client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
# For threads: catch_warnings below is one for the whole process, and another thread may end it early.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
warnings.filterwarnings("ignore", module=r"highdicom(\.|$)")


@contextmanager
def no_values_told() -> Iterator[None]:
    """Ignore warnings: pydicom's name the value that broke a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


Found = TypeVar("Found")


def plainly(work: Callable[[], Found], place: str) -> Found:
    """Do what looks into a file; whatever its bytes bring about is told without them.

    Args:
        place: names the file for a person, such as "File 3".

    Raises:
        DicomError: as ``work`` raises it; or the file is broken.
    """
    refused: DicomError | None = None
    try:
        with no_values_told():
            return work()
    except DicomError as error:
        refused = error
    except Exception:  # noqa: S110 - pydicom raises anything for broken bytes, also when a value is looked at, and quotes them
        pass
    # Outside the except, so that pydicom's own error and the values in it do not travel along.
    raise refused or DicomError(
        "broken",
        _("{place} is broken and cannot be read. Export it again, then repeat.").format(place=place),
    )
