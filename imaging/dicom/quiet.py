"""Silence for libraries that would write values of a file, a patient's name among them, into the log."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOUD = ("pydicom", "highdicom", "dicomweb_client", "urllib3")

for _name in LOUD:
    _logger = logging.getLogger(_name)
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False
# For threads: catch_warnings below is one for the whole process, and another thread may end it early.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
warnings.filterwarnings("ignore", module=r"highdicom(\.|$)")


@contextmanager
def no_values_told() -> Iterator[None]:
    """Ignore warnings: pydicom's name the value that broke a rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
