"""Laboratory values of one patient: the table, its figures, and entering values by hand, by paste or by file."""

import hashlib
import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.http import SignedInRequest
from analytics.charts import CONTENT_TYPES
from analytics.charts import render as render_figure
from clinic.charts.laboratory import Series, laboratory_csv, laboratory_spec
from clinic.laboratory_entry import LabForm, LabGrid, LabTable, places
from clinic.selectors import laboratory as selectors
from clinic.views.patients import visible_patient
from patients.models import Patient
from treatments import services as treatments
from treatments.services.laboratory import result_of

FILE_TYPES = ["svg", "png", "pdf", "csv"]


@never_cache
@require_safe
def laboratory(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Show the values of the last days with samples, or of those before ``?before=…``, and figures over all days.

    ``?figure=…``, which may be there several times, asks for figures beyond those that are always shown.
    """
    patient = visible_patient(request, patient_id)
    try:
        before = parse_date(request.GET.get("before", ""))
    except ValueError:
        before = None
    asked = [code for code in request.GET.getlist("figure") if code in selectors.series_codes()]
    with timezone.override(patient.centre.zone):
        page = selectors.laboratory_page(
            selectors.facts_of(patient), today=timezone.localdate(), before=before, asked=asked
        )
        return render(
            request,
            "clinic/laboratory.html",
            {
                "patient": patient,
                "page": page,
                "file_types": FILE_TYPES,
                "drawn": [series for series in page.series.values() if series.is_drawn],
                "offered": [
                    {
                        "series": series,
                        "is_drawn": series.is_drawn,
                        "may_be_hidden": series.code in asked,
                        "query": _asked(asked, series.code),
                    }
                    for series in page.series.values()
                ],
                "before": before,
            },
        )


def _asked(asked: list[str], code: str) -> str:
    """Return the query of a page that draws one figure more, or, where it was asked for, one less."""
    codes = [other for other in asked if other != code] if code in asked else [*asked, code]
    return "&".join(f"figure={other}" for other in codes)


def _series(patient: Patient, code: str) -> Series:
    if code not in selectors.series_codes():
        raise Http404
    series = selectors.series_of(selectors.facts_of(patient), code)
    if not series.points:
        raise Http404
    return series


@never_cache
@require_safe
def laboratory_spec_json(request: SignedInRequest, patient_id: uuid.UUID, analyte: str) -> HttpResponse:
    """Return the figure's Vega-Lite specification for the browser."""
    return JsonResponse(laboratory_spec(_series(visible_patient(request, patient_id), analyte)))


@never_cache
@require_safe
def laboratory_file(
    request: SignedInRequest, patient_id: uuid.UUID, analyte: str, file_type: str
) -> HttpResponse:
    """Return a figure as a file for print (SVG, PNG, PDF), or the numbers behind it (CSV)."""
    patient = visible_patient(request, patient_id)
    series = _series(patient, analyte)
    if file_type == "csv":
        with override(settings.LANGUAGE_CODE):  # numbers for programmes, alike whoever asks
            content: bytes = laboratory_csv(_series(patient, analyte)).encode()
        content_type = "text/csv; charset=utf-8"
    elif file_type in CONTENT_TYPES:
        # A file leaves the pages that say that the patients are synthetic, so the figure says it too.
        spec = laboratory_spec(series, theme="print", synthetic=settings.SYNTHETIC_DATA_BANNER)
        content = render_figure(spec, file_type, scale=4, title=series.name)  # type: ignore[arg-type]
        content_type = CONTENT_TYPES[file_type]  # type: ignore[index]
    else:
        raise Http404
    response = HttpResponse(content, content_type=content_type)
    kind = "inline" if "inline" in request.GET else "attachment"
    file_name = f"{patient.registry_number}-{series.code}.{file_type}"
    response["Content-Disposition"] = f'{kind}; filename="{file_name}"'
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def laboratory_enter(request: SignedInRequest, patient_id: uuid.UUID) -> HttpResponse:
    """Enter values of several samples: typed into a grid, pasted from a spreadsheet, or sent as a file. All or none."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_TREATMENTS, patient.centre_id)
    units = selectors.usual_units(patient)
    with timezone.override(patient.centre.zone):
        if request.method != "POST":
            return _entry_page(request, patient, LabGrid(patient, units=units), LabTable(patient))
        form: LabForm
        if "table" in request.POST:
            form = LabTable.sent(patient, request.POST, request.FILES)
            grid, table = LabGrid(patient, units=units), form
        else:
            form = LabGrid(patient, units=units, data=request.POST)
            grid, table = form, LabTable(patient)
        return _stored(request, patient, form) or _entry_page(
            request, patient, grid, table, sent=form, doubts=_doubts(patient, form)
        )


def _stored(request: SignedInRequest, patient: Patient, form: LabForm) -> HttpResponse | None:
    """Store what was sent and go to the table; None where anything is wrong with it, which the form then says.

    What is stored already with the same value is left alone, so that a sheet may be pasted again with newer columns, and a
    form that is sent twice does no harm.
    """
    alike = selectors.stored_alike(patient, places(form.entries))
    repeated = set()
    for at, entry in enumerate(form.entries):
        try:
            found, _unlikely = result_of(patient, entry)
        except ValueError as refused:
            form.refuse(at, str(refused))
            continue
        stored = alike.get(at)
        if stored is None:
            continue
        if found.value == stored.value and _same_limits(found, stored):
            repeated.add(at)
        else:
            form.refuse(
                at,
                _(
                    "of this sample {value} is stored already: correct that value in the table, or leave this one out."
                ).format(value=selectors.with_unit_of(stored)),
            )
    if form.problems:
        return None
    form.entries = [entry for at, entry in enumerate(form.entries) if at not in repeated]
    try:
        made = treatments.record_lab_results(
            patient=patient,
            entries=form.entries,
            confirm_unlikely=request.POST.get("confirm_unlikely", "") == _digest(_doubts(patient, form)),
            by=request.user,
        )
    except treatments.UnlikelyValues:
        return None  # asked for on the page
    except ValidationError as refused:
        for message in refused.messages:
            form.add(message)
        return None
    except RegistryError as refused:
        form.add(refused.message)
        return None
    said = _("Nothing new was sent.")
    if made:
        said = ngettext("{n} value recorded.", "{n} values recorded.", len(made)).format(n=len(made))
    if repeated:
        said += " " + ngettext(
            "{n} stored already with the same value, left as they are.",
            "{n} stored already with the same value, left as they are.",
            len(repeated),
        ).format(n=len(repeated))
    (messages.success if made else messages.info)(request, said)
    return redirect("laboratory", patient.pk)


def _same_limits(found: Any, stored: Any) -> bool:
    """Return whether limits that came with a value are those that are stored; none that came is no difference."""
    return all(
        getattr(found, name) in {None, getattr(stored, name)} for name in ("lower_limit", "upper_limit")
    )


def _doubts(patient: Patient, form: LabForm) -> list[str]:
    """Return a sentence for each unlikely value of a form, with its place."""
    doubts = []
    for entry in form.entries:
        try:
            _result, unlikely = result_of(patient, entry)
        except ValueError:
            continue
        if unlikely:
            doubts.append(f"{entry.place}: {unlikely}")
    return doubts


def _digest(doubts: list[str]) -> str:
    """Return what stands for exactly these sentences: a box that was ticked confirms no others."""
    return hashlib.sha256("\n".join(doubts).encode()).hexdigest()[:32]


def _entry_page(
    request: SignedInRequest,
    patient: Patient,
    grid: LabGrid,
    table: LabTable,
    *,
    sent: LabForm | None = None,
    doubts: list[str] | None = None,
) -> HttpResponse:
    problems = sent.problems if sent is not None else []
    # 409 as elsewhere where it is stored once it is confirmed; 422 where something is to be mended.
    status = 200 if sent is None else 422 if problems else 409
    return render(
        request,
        "clinic/laboratory_enter.html",
        {
            "patient": patient,
            "grid": grid,
            "table": table,
            "problems": problems,
            "doubts": doubts or [],
            "confirm_value": _digest(doubts or []),
            "sent": sent.prefix if sent is not None else "",
            "is_refused": status != 200,
        },
        status=status,
    )
