"""Home: how many patients there are, and what is due."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics.models import Cohort
from clinic.selectors import roster, worklist

ROWS_OF_ONE_KIND = 50
ROWS_OF_EACH_KIND = 6


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """Show counts and the worklist; to who may see no records, the dashboards alone.

    ``?due=overdue`` shows one kind in full, ``&after=…`` goes on.
    """
    user = request.user
    context: dict[str, object] = {"cohorts": Cohort.objects.visible_to(user)}
    if not user.may(Act.VIEW_RECORDS):
        return render(request, "clinic/home_results.html", context)
    kind = request.GET.get("due", "")
    kind = kind if kind in worklist.KINDS else ""
    context["due"] = worklist.worklist(
        user,
        timezone.now(),
        kind=kind or None,
        after=request.GET.get("after", ""),
        limit=ROWS_OF_ONE_KIND if kind else ROWS_OF_EACH_KIND,
    )
    context["kind"] = worklist.KINDS.get(kind)
    context["after"] = request.GET.get("after", "")
    if not kind:
        counts = roster.counts(user)
        context["n_patients"] = counts["all"]
        context["counts"] = [
            (key, word, counts[key]) for key, word in roster.STATES.items() if counts[key] or key != "pending"
        ]
    return render(request, "clinic/home.html", context)
