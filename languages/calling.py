"""What tables and columns are called, in the language of who reads it."""

from django.utils.functional import lazy
from django.utils.translation import gettext, pgettext


def called(name: str) -> str:
    """Return the name of a table or column: as it was spelled out for the catalogues, else as ``languages.names`` has it."""
    found = pgettext("name", name)
    return found if found != name else gettext(name)


lazily_called = lazy(called, str)
