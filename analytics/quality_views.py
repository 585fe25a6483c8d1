"""What is asked of the records of a cohort's patients: the data-quality part of its dashboard, or a page of its own."""

from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import Act
from accounts.http import SignedInRequest
from accounts.models import Centre, User
from analytics import tallies
from analytics.models import Cohort, QueryRule


def pending_by_rule(cohort: Cohort, user: User) -> list[dict[str, Any]]:
    """Return how many queries are to be settled of the cohort's patients whose records ``user`` may see, by rule.

    Two queries.
    """
    codes = list(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("code", flat=True))
    conditions, values = tallies.filter_of(cohort, codes)
    with connection.cursor() as cursor:
        # Constants of analytics.tallies; values are parameters.
        cursor.execute(
            "SELECT rule, sum(n)::int, count(*) FROM (SELECT rule, patient_id, count(*) AS n FROM analytics_dataquery"  # noqa: S608
            " WHERE status <> 'closed' AND patient_id IN (SELECT c.patient_id FROM analytics_outcome o"
            f" JOIN treatments_course c ON c.id = o.course_id WHERE {' AND '.join(conditions)}) GROUP BY 1, 2) AS q"
            " GROUP BY 1",
            values,
        )
        counts = {rule: (n, n_patients) for rule, n, n_patients in cursor.fetchall()}
    return [
        {"key": key, "title": title, "n": counts[key][0], "n_patients": counts[key][1]}
        for key, title in QueryRule.choices
        if key in counts
    ]


@never_cache
@require_safe
def cohort_quality(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the queries that are to be settled by rule: a part of the dashboard where htmx asks, else a page."""
    request.user.require(Act.VIEW_RECORDS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    cohort = get_object_or_404(cohorts, slug=slug)
    rows = pending_by_rule(cohort, request.user)
    context = {"cohort": cohort, "rows": rows, "total": sum(row["n"] for row in rows)}
    is_part = request.headers.get("HX-Request") == "true"
    return render(request, "analytics/_quality.html" if is_part else "analytics/quality.html", context)
