"""The report of a cohort as a page, and the long work that was asked for: how far it is, and what it made."""

import base64
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from analytics import jobs
from analytics.api.jobs import file_answer
from analytics.charts import render as render_figure
from analytics.models import Cohort, Job, JobKind
from analytics.report import content

RECENT = 5  # jobs of a cohort that its report's page lists
POLL_SECONDS = 1


def _cohort(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(cohorts, slug=slug)


def _job(request: SignedInRequest, job_id: Any) -> Job:
    return get_object_or_404(jobs.visible_to(request.user), pk=job_id)


@never_cache
@require_safe
def cohort_report(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the report for what the user may see, whole in one page: it can be printed or saved as it is."""
    cohort = _cohort(request, slug)
    report = content.report(cohort, request.user)
    # Within an image a drawing brings its own styles, which a strict CSP refuses on the page itself.
    pictures = {
        key: "data:image/svg+xml;base64," + base64.b64encode(render_figure(spec, "svg")).decode()
        for key, spec in report.specs.items()
    }
    made = jobs.visible_to(request.user).filter(kind=JobKind.REPORT, cohort=cohort, requested_by=request.user)
    context = {"cohort": cohort, "report": report, "pictures": pictures, "jobs": _rows(made[:RECENT])}
    return render(request, "analytics/report/cohort_report.html", context)


@never_cache
@require_POST
def report_start(request: SignedInRequest, slug: str) -> HttpResponse:
    """Ask for the report as a PDF and show how far it is."""
    cohort = _cohort(request, slug)
    try:
        language = translation.get_language() or settings.LANGUAGE_CODE
        job = jobs.start(JobKind.REPORT, request.user, cohort=cohort, parameters={"language": language})
    except RegistryError as error:
        messages.error(request, str(error))
        return redirect("cohort-report", slug)
    return redirect("job-detail", job.pk)


@never_cache
@require_safe
def job_detail(request: SignedInRequest, job_id: Any) -> HttpResponse:
    """Show how far a piece of work is; an open page asks again until it is finished, with and without JavaScript."""
    context = {"row": _row(_job(request, job_id)), "poll_seconds": POLL_SECONDS}
    template = "analytics/report/_job.html" if request.htmx else "analytics/report/job_detail.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@never_cache
@require_POST
def job_cancel(request: SignedInRequest, job_id: Any) -> HttpResponse:
    """Cancel a piece of work that is not finished."""
    job = _job(request, job_id)
    if not jobs.cancel(job):
        messages.info(request, _("It had ended already."))
    return redirect("job-detail", job.pk)


@never_cache
@require_safe
def job_content(request: SignedInRequest, job_id: Any) -> HttpResponse:
    """Return what a piece of work made, if the user may still see all that is in it."""
    job = _job(request, job_id)
    made = jobs.content(job, request.user)
    if made is None:
        raise Http404
    return file_answer(job, made)


def _row(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "is_finished": job.state not in jobs.UNFINISHED,
        "has_file": jobs.has_file(job),
        "kept_until": job.ended_at + jobs.KEPT if job.ended_at else None,
    }


def _rows(found: Any) -> list[dict[str, Any]]:
    return [_row(job) for job in found]
