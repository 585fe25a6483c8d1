"""Drafts of forms, kept while somebody types."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from clinic import services
from clinic.models import Draft

_PLACE = Draft._meta.get_field("place").max_length


@require_POST
def drafts(request: SignedInRequest) -> HttpResponse:
    """Keep what is sent as the draft of the form at ``draft_place``, or drop that draft: 204."""
    place = request.POST.get("draft_place", "")
    if not place.startswith("/") or len(place) > (_PLACE or 0) or "\0" in place:
        return HttpResponse(_("No form is named."), status=422, content_type="text/plain")
    if "draft_drop" in request.POST:
        services.drop_draft(user=request.user, place=place)
        return HttpResponse(status=204)
    fields = {name: [value.replace("\0", "") for value in values] for name, values in request.POST.lists()}
    try:
        services.keep_draft(
            user=request.user,
            place=place,
            fields=fields,
            token=services.token_of(request.POST),
        )
    except RegistryError as refused:
        return HttpResponse(refused.message, status=413, content_type="text/plain")
    return HttpResponse(status=204)
