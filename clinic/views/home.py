"""Home: how many patients there are, and what is due."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from analytics.models import Cohort
from clinic.selectors import people, roster, worklist

ROWS_OF_ONE_KIND = 50
ROWS_OF_EACH_KIND = 6


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """Show counts and the worklist; to who may see no records, the dashboards alone.

    ``?due=overdue`` shows one kind in full, ``&order=other`` turns it round, ``&after=…`` goes on; ``?who=me`` shows what is
    due of the patients whom one looks after.
    """
    user = request.user
    context: dict[str, object] = {}
    if not user.may(Act.VIEW_RECORDS):
        context["cohorts"] = Cohort.objects.visible_to(user)
        return render(request, "clinic/home_results.html", context)
    kind = request.GET.get("due", "")
    if kind and kind not in worklist.KINDS:
        raise Http404
    if kind == "queries":
        return redirect("query-list")
    who = people.asked(user, request.GET.get("who", ""))
    other_order = bool(kind) and request.GET.get("order") == "other"
    context["due"] = worklist.worklist(
        user,
        timezone.now(),
        kind=kind or None,
        other_order=other_order,
        after=request.GET.get("after", ""),
        limit=ROWS_OF_ONE_KIND if kind else ROWS_OF_EACH_KIND,
        whose=who.whose,
    )
    context["who"] = who
    context["people"] = people.choices(user)
    context["kind"] = worklist.KINDS.get(kind)
    context["other_order"] = other_order
    context["after"] = request.GET.get("after", "")
    if not kind and not who.key:
        counts = roster.counts(user)
        context["n_patients"] = counts["all"]
        context["counts"] = [
            (key, word, counts[key])
            for key, word in roster.FILTER_WORDS.items()
            if counts[key] or key != "pending"
        ]
    return render(request, "clinic/home.html", context)
