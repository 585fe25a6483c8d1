"""What every page is given."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _


def registry(request: HttpRequest) -> dict[str, object]:
    """Return whether pages must say that the patients are synthetic."""
    return {"synthetic_data_banner": settings.SYNTHETIC_DATA_BANNER}


def desk_environment(request: HttpRequest) -> list[str] | None:
    """Return the label that the correction desk shows on every page, with its colour; None for real patients."""
    return (
        [_("Synthetic patients: demonstration data"), "warning"] if settings.SYNTHETIC_DATA_BANNER else None
    )
