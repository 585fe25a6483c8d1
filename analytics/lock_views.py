"""Data locks of a cohort as pages, and the analysis data sets of a cohort or a lock as a download."""

import tempfile
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from accounts.models import Centre
from analytics import dashboard, locks, results, telling
from analytics.charts.numbers import cutoff_text, whole
from analytics.datasets import export
from analytics.models import Cohort, DataLock
from analytics.small_cells import suppressed

MOST_PATIENTS = 20_000  # written while somebody waits; more are exported on the server's command line


class LockForm(forms.ModelForm):
    class Meta:
        model = DataLock
        fields = ["name", "note"]
        labels = {"name": gettext_lazy("Name"), "note": gettext_lazy("What it is for")}
        help_texts = {
            "name": gettext_lazy(
                "Letters, digits, hyphens and underscores. It cannot be changed or used again."
            )
        }


def _cohort(request: SignedInRequest, slug: str) -> Cohort:
    request.user.require(Act.VIEW_RESULTS)
    cohorts = Cohort.objects.visible_to(request.user).select_related("definition")
    return get_object_or_404(cohorts, slug=slug)


def _lock(request: SignedInRequest, name: str) -> DataLock:
    # Seen by who may see the results of all its centres: of others it is not there.
    visible = DataLock.objects.visible_to(request.user).select_related("cohort", "locked_by")
    return get_object_or_404(visible, name=name)


def _lockable(request: SignedInRequest, cohort: Cohort) -> list[str]:
    """Return the centres of the cohort at which the user may manage cohorts: whose patients a lock of theirs holds."""
    managed = Centre.objects.visible_to(request.user, Act.MANAGE_COHORTS).values_list("code", flat=True)
    return sorted(set(results.centre_codes(cohort, request.user)) & set(managed))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cohort_locks(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the data locks of a cohort; make one, for who manages cohorts."""
    cohort = _cohort(request, slug)
    form = LockForm()
    status = 200
    if request.method == "POST":
        request.user.require(Act.MANAGE_COHORTS)
        form = LockForm(request.POST)
        status = 422
        if form.is_valid():
            try:
                frozen = locks.lock(
                    cohort,
                    form.cleaned_data["name"],
                    _lockable(request, cohort),
                    request.user,
                    form.cleaned_data["note"],
                )
            except RegistryError as error:
                form.add_error("name" if error.code == "name_taken" else None, str(error))
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("lock-detail", frozen.name)
    context = {
        "cohort": cohort,
        "form": form,
        "locks": DataLock.objects.visible_to(request.user).filter(cohort=cohort).select_related("locked_by"),
        "lockable": _lockable(request, cohort) if request.user.may(Act.MANAGE_COHORTS) else [],
    }
    return render(request, "analytics/lock_list.html", context, status=status)


def _context(request: SignedInRequest, frozen: DataLock) -> dict[str, Any]:
    readable = set(Centre.objects.visible_to(request.user, Act.VIEW_RECORDS).values_list("code", flat=True))
    source = export.locked(frozen)
    result = {
        **frozen.results,
        "cohort": frozen.cohort_as_locked["slug"],
        "name": frozen.cohort_as_locked["name"],
        "data_cutoff": frozen.data_cutoff.isoformat(),
    }
    if not readable.issuperset(source.centre_codes):
        result = suppressed(result, settings.SMALL_CELL)
    return {
        "lock": frozen,
        "result": result,
        "in_words": telling.definition_in_words(result["definition"]),
        "cutoff": cutoff_text(result),
        "shown": dashboard.of_result(result, dashboard.Behind("")),
        "cohort_is_visible": Cohort.objects.visible_to(request.user).filter(pk=frozen.cohort_id).exists(),
        "centres": source.centre_codes,
        "other_versions": locks.other_versions(frozen),
        "level": export.level_for(request.user, source),
        "formats": dashboard.FORMATS,
        "download_url": reverse("lock-download", args=[frozen.name]),
    }


@never_cache
@require_safe
def lock_detail(request: SignedInRequest, lock_name: str) -> HttpResponse:
    """Show a data lock: its results as they were locked, its hashes and versions."""
    frozen = _lock(request, lock_name)
    return render(request, "analytics/lock_detail.html", _context(request, frozen))


@never_cache
@require_POST
def lock_verify(request: SignedInRequest, lock_name: str) -> HttpResponse:
    """Hash the lock's rows and compute its results again, and say in what they differ from what was locked."""
    frozen = _lock(request, lock_name)
    context = _context(request, frozen)
    context |= {"verified_at": timezone.now(), "differences": locks.verify(frozen)}
    return render(request, "analytics/lock_detail.html", context)


@never_cache
@require_safe
def lock_download(request: SignedInRequest, lock_name: str) -> HttpResponseBase:
    """Return the analysis data sets of a data lock, with their manifest."""
    frozen = _lock(request, lock_name)
    try:
        return _download(request, export.locked(frozen))
    except RegistryError as error:
        messages.error(request, str(error))
        return redirect("lock-detail", frozen.name)


@never_cache
@require_safe
def cohort_download(request: SignedInRequest, slug: str) -> HttpResponseBase:
    """Return the analysis data sets of a cohort as it is derived now, with their manifest."""
    cohort = _cohort(request, slug)
    try:
        return _download(request, export.live(cohort, results.centre_codes(cohort, request.user)))
    except RegistryError as error:
        messages.error(request, str(error))
        return redirect("cohort-detail", cohort.slug)


def _download(request: SignedInRequest, source: export.Source) -> FileResponse:
    """Return the archive: by registry number where the user may see all the records, else de-identified.

    Raises:
        RegistryError: ``too_many_patients``, and those of ``export.write``.
    """
    n_patients = sum(source.patients_by_centre().values())
    if n_patients > MOST_PATIENTS:
        raise RegistryError(
            "too_many_patients",
            _(
                "These are {n} patients. More than {most} are exported on the server, with manage.py export_datasets."
            ).format(n=whole(n_patients), most=whole(MOST_PATIENTS)),
        )
    level = export.level_for(request.user, source)
    asked = [name for name in export.FORMATS if name in request.GET.getlist("format")]
    # Closed, and so removed, by the response.
    out = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with translation.override(settings.LANGUAGE_CODE):  # data sets are the same whoever asks for them
            export.write(out, source, level=level, by=request.user, formats=asked or export.FORMATS)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return FileResponse(
        out,
        as_attachment=True,
        filename=export.file_name(source, level),
        content_type="application/zip",
    )
