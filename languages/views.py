"""What scripts say, in the language that their page speaks."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from languages import scripts

YEAR = 365 * 24 * 60 * 60


@login_not_required
@require_safe
def words_of_scripts(request: HttpRequest, language: str) -> HttpResponse:
    """Answer the script that the other scripts take their words from; kept by browsers, as its address carries a version."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    answer = HttpResponse(scripts.catalogue(language), content_type="text/javascript; charset=utf-8")
    known = request.GET.get("v") == scripts.version(language)
    answer["Cache-Control"] = f"public, max-age={YEAR}, immutable" if known else "public, no-cache"
    answer["Content-Language"] = language[:2]
    return answer
