"""Reading results: which part of a cohort a user is shown, and how fresh it is."""

from collections.abc import Sequence
from typing import Any

import orjson
from django.utils import timezone

from accounts.access import Act
from accounts.models import Centre, User
from analytics import rebuilding, tallies
from analytics.models import Cohort, Result, StaleCourse, StaleResult
from treatments.models import Course


def centre_codes(cohort: Cohort, user: User | None) -> list[str]:
    """Return the codes of the cohort's centres whose results ``user`` may see, sorted; None sees all (commands)."""
    centres = Centre.objects.all() if user is None else Centre.objects.visible_to(user, Act.VIEW_RESULTS)
    if cohort.centre_codes:
        centres = centres.filter(code__in=cohort.centre_codes)
    return sorted(centres.values_list("code", flat=True))


def scope_of(codes: Sequence[str]) -> str:
    """Return the name under which results for these centres are stored."""
    return "+".join(sorted(codes))


def latest(cohort: Cohort, user: User | None) -> Result | None:
    """Return the newest result stored for what ``user`` may see of the cohort, or None before the first."""
    scope = scope_of(centre_codes(cohort, user))
    return Result.objects.filter(cohort=cohort, scope=scope, data__isnull=False).defer("curves").first()


def pending_courses(codes: Sequence[str]) -> int:
    """Return how many courses of these centres are still to be derived again."""
    marked = StaleCourse.objects.values("course_id")
    return Course.objects.filter(pk__in=marked, patient__centre__code__in=codes).count()


def payload(cohort: Cohort, user: User | None, *, with_curves: bool = True) -> dict[str, Any]:
    """Return the result contract for what ``user`` may see of the cohort, with how fresh it is.

    Computed here and now where no worker has done it yet (a centre or user that is new).

    Args:
        with_curves: also the rows of every curve, under ``table``: thousands of them in a large registry.
    """
    cohort = Cohort.objects.select_related("definition").get(pk=cohort.pk)  # as it is counted now
    codes = centre_codes(cohort, user)
    # Asked before the result is read: what is fresh now may only become staler, never the other way round.
    pending = pending_courses(codes)
    being_rebuilt = rebuilding.progress(cohort.definition_id)
    stale = (
        pending > 0
        or being_rebuilt is not None
        or not tallies.is_counted_as_described(cohort)
        or StaleResult.objects.filter(cohort=cohort, centre__code__in=codes).exists()
    )
    result = latest(cohort, user)
    if result is None:
        # Imported here: pages that only read need nothing that computes.
        from analytics import freshness

        result = freshness.recompute(cohort, codes)
    assert result.data is not None
    assert result.computed_at is not None
    found = described(cohort, result.data)
    found |= {
        "revision": result.revision,
        "computed_at": timezone.localtime(result.computed_at).isoformat(),
        "stale": stale,
        "pending": pending,
        # Outcomes are derived anew; what stands here is of before.
        "rebuilding": being_rebuilt,
    }
    if with_curves:
        add_curves(found, orjson.loads(result.curves or b"{}"))
    # The database keeps no order of keys; people read the document from the top.
    return in_order(found)


def described(cohort: Cohort, data: dict[str, Any]) -> dict[str, Any]:
    """Return computed results with the names of the cohort and of its definition, and the filter."""
    return {
        **data,
        "cohort": cohort.slug,
        "name": cohort.name,
        "version": cohort.version,
        "filter": tallies.filter_to_json(cohort),
        "definition": {
            "name": cohort.definition.name,
            "version": cohort.definition.version,
            **data["definition"],
        },
        "remarks": cohort.remarks,
    }


_FIRST = (
    "cohort",
    "name",
    "version",
    "centres",
    "data_cutoff",
    "revision",
    "computed_at",
    "stale",
    "pending",
    "rebuilding",
)
_THEN = ("definition", "filter", "remarks", "n_patients", "courses", "orr", "pfs", "os")


def in_order(found: dict[str, Any]) -> dict[str, Any]:
    known = [key for key in (*_FIRST, *_THEN) if key in found]
    return {key: found[key] for key in [*known, *(key for key in found if key not in known)]}


def add_curves(found: dict[str, Any], curves: dict[str, Any]) -> None:
    """Put the rows of curves where they belong in a document: ``table`` of each endpoint, of strata as well."""
    for key, rows in curves.items():
        if key == "strata":
            for group in found["strata"]["groups"]:
                for endpoint, of_stratum in rows[group["code"]].items():
                    group[endpoint]["table"] = of_stratum
        elif key == "cumulative_incidence":
            for name, of_causes in rows.items():
                found[key][name]["table"] = of_causes
        elif key in found:
            found[key]["table"] = rows


def now(cohort: Cohort, codes: Sequence[str], *, with_curves: bool = True) -> dict[str, Any]:
    """Return the results of any cohort, stored or not, at these centres, counted here and now."""
    from analytics import compute

    data, curves = compute.results_now(cohort, codes)
    found = described(cohort, data)
    if with_curves:
        add_curves(found, curves)
    return in_order(found)
