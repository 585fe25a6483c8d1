"""What every page is given."""

from django.conf import settings
from django.http import HttpRequest


def registry(request: HttpRequest) -> dict[str, object]:
    """Return whether pages must say that the patients are synthetic."""
    return {"synthetic_data_banner": settings.SYNTHETIC_DATA_BANNER}
