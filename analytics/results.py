"""Reading results: which part of a cohort a user is shown, and how fresh it is."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.access import Act
from accounts.models import Centre, User
from analytics import tallies
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
    return Result.objects.filter(cohort=cohort, scope=scope, data__isnull=False).first()


def pending_courses(codes: Sequence[str]) -> int:
    """Return how many courses of these centres are still to be derived again."""
    marked = StaleCourse.objects.values("course_id")
    return Course.objects.filter(pk__in=marked, patient__centre__code__in=codes).count()


def payload(cohort: Cohort, user: User | None) -> dict[str, Any]:
    """Return the result contract for what ``user`` may see of the cohort, with how fresh it is.

    Computed here and now where no worker has done it yet (a centre or user that is new).
    """
    cohort = Cohort.objects.select_related("definition").get(pk=cohort.pk)  # as it is counted now
    codes = centre_codes(cohort, user)
    # Asked before the result is read: what is fresh now may only become staler, never the other way round.
    pending = pending_courses(codes)
    stale = (
        pending > 0
        or not tallies.is_counted_as_described(cohort)
        or StaleResult.objects.filter(cohort=cohort, centre__code__in=codes).exists()
    )
    result = latest(cohort, user)
    if result is None:
        # Imported here: computing pulls in lifelines, which takes seconds to load and which pages never need.
        from analytics import freshness

        result = freshness.recompute(cohort, codes)
    assert result.data is not None
    assert result.computed_at is not None
    # The database keeps no order of keys; people read the document from the top.
    return {
        "cohort": cohort.slug,
        "name": cohort.name,
        **{key: result.data[key] for key in ("centres", "data_cutoff")},
        "revision": result.revision,
        "computed_at": timezone.localtime(result.computed_at).isoformat(),
        "stale": stale,
        "pending": pending,
        "definition": {"name": cohort.definition.name, **result.data["definition"]},
        "remarks": cohort.remarks,
        **{key: result.data[key] for key in ("n_patients", "courses", "orr", "pfs", "os")},
    }
