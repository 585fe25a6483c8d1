"""Correcting and voiding what is stored: with a reason, and told where somebody else was faster."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.changes import Words
from accounts.errors import StaleRecord
from accounts.http import SignedInRequest
from accounts.records import ClinicalRecord
from clinic.forms import STALE_FIELD, RecordForm, VoidForm
from clinic.selectors import history
from clinic.typed import moment
from clinic.views.patients import visible_patient
from clinic.views.records import RecordKind, form_of, kind_of, record_page, require_edit, submitted
from imaging.models import Reading
from patients.models import Patient
from treatments.models import Cycle, CycleStatus


def _record(
    request: SignedInRequest, kind: RecordKind, patient: Patient, record_id: uuid.UUID
) -> ClinicalRecord:
    """Return the record of this patient, voided or not, or answer 404."""
    path = {kind.patient_path: patient.pk}
    return get_object_or_404(kind.model.objects.visible_to(request.user).filter(**path), pk=record_id)


def _already_voided(
    request: SignedInRequest, kind: RecordKind, patient: Patient, record: ClinicalRecord
) -> HttpResponse:
    """Go to the chart and say who voided the record, and why."""
    change = history.last_change(record)
    said = (
        _("This {noun} was already voided by {who}, because: {reason}. Nothing was stored.")
        if change is not None
        else _("This {noun} was already voided, because: {reason}. Nothing was stored.")
    )
    who = change.who if change is not None else ""
    messages.warning(request, said.format(noun=kind.noun, who=who, reason=record.void_reason.rstrip(".")))
    return redirect("patient-chart", patient.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_correct(
    request: SignedInRequest, patient_id: uuid.UUID, kind: str, record_id: uuid.UUID
) -> HttpResponse:
    """Correct a record, with a reason. Who was overtaken is shown both versions (409) and goes on from the present one."""
    patient = visible_patient(request, patient_id)
    of_kind = kind_of(kind)
    require_edit(request, of_kind, patient)
    record = _record(request, of_kind, patient, record_id)
    if of_kind.correct is None or (
        isinstance(record, Cycle) and record.status not in {CycleStatus.PLANNED, CycleStatus.HELD}
    ):
        raise Http404
    context: dict[str, Any] = {
        "title": _("Change the plan of cycle {number}").format(number=record.number)
        if isinstance(record, Cycle)
        else _("Correct the {noun}").format(noun=of_kind.noun),
        "button": _("Store the correction"),
        "void_url": _void_url(patient, kind, of_kind, record),
    }
    with timezone.override(patient.centre.zone):
        if record.voided_at is not None:
            return _already_voided(request, of_kind, patient, record)
        if request.method != "POST" and isinstance(record, Reading) and record.is_signed:
            messages.info(request, _("This reading has been signed: it is changed by signing it anew."))
            address = reverse("reading-sign", args=[patient.pk, record.study.course_number, record.study_id])
            return redirect(f"{address}?reader={record.reader_role}")
        if request.method != "POST":
            form = form_of(of_kind, patient, instance=record, correcting=True)
            if "before" in request.GET:
                context["notes"] = [_take_up_former(form, record, request.GET["before"])]
            return record_page(request, patient, [form], 200, **context)
        form = form_of(of_kind, patient, request.POST, instance=record, correcting=True)

        correct = of_kind.correct

        def save() -> ClinicalRecord:
            return correct(
                record,
                form.values(),
                by=request.user,
                reason=form.cleaned_data[form.reason_name],
                expected_version=form.cleaned_data[STALE_FIELD],
            )

        sent_version = request.POST.get(STALE_FIELD, "")
        try:
            # Told at once, before what else may be wrong with values that rest on an older state.
            if sent_version.isdecimal() and int(sent_version) != record.version:
                form.is_valid()
                raise StaleRecord("", current_version=record.version)
            return submitted(request, patient, [form], save, _("The correction was stored."), **context)
        except StaleRecord:
            present = _record(request, of_kind, patient, record_id)
            if present.voided_at is not None:
                return _already_voided(request, of_kind, patient, present)
            return _conflict(request, patient, of_kind, record_id, form, context)


def _take_up_former(form: RecordForm, record: ClinicalRecord, row: str) -> str:
    """Fill in the values from before the change that a row of the history tells of; return what the page says of it.

    Raises:
        Http404: the row tells of no change of this record.
    """
    change = history.change_of_row(record, int(row)) if row.isdecimal() and len(row) < 19 else None
    if change is None:
        raise Http404
    for one in change.fields:
        if one.column.name in form.fields:
            form.initial[one.column.name] = one.old_value
    at = moment(timezone.localtime(change.at))
    form.initial[form.reason_name] = _("Restored what stood there before {at}").format(at=at)
    return _(
        "What stood there before the change by {who} at {at} is filled in and not stored yet: look at it, and store it"
        " with its reason."
    ).format(who=change.who, at=at)


def _void_url(patient: Patient, slug: str, kind: RecordKind, record: ClinicalRecord) -> str:
    return reverse("record-void", args=[patient.pk, slug, record.pk]) if kind.void is not None else ""


def _conflict(
    request: SignedInRequest,
    patient: Patient,
    kind: RecordKind,
    record_id: uuid.UUID,
    sent: RecordForm,
    context: dict[str, Any],
) -> HttpResponse:
    """Show mine and theirs, field by field, above a form that holds the values as they are now."""
    present = _record(request, kind, patient, record_id)
    # The sent form has put its values into its own instance.
    rows, words = [], Words(patient.centre.zone)
    for name in sent.record_fields:
        column: Any = kind.model._meta.get_field(name)
        mine = (
            sent.cleaned_data.get(name) if name in getattr(sent, "cleaned_data", {}) else sent.data.get(name)
        )
        theirs = getattr(present, name)
        rows.append(
            {
                "label": sent.fields[name].label or column.verbose_name,
                "mine": words.of(column, mine),
                "theirs": words.of(column, theirs),
                "differs": mine != theirs,
            }
        )
    fresh = form_of(kind, patient, instance=present, correcting=True)
    fresh.initial[fresh.reason_name] = sent.data.get(sent.reason_name, "")
    return record_page(
        request,
        patient,
        [fresh],
        409,
        conflict=rows,
        changed=history.last_change(present),
        **context,
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def record_void(
    request: SignedInRequest, patient_id: uuid.UUID, kind: str, record_id: uuid.UUID
) -> HttpResponse:
    """Take a record out of all counts, with a reason. It stays in the history."""
    patient = visible_patient(request, patient_id)
    of_kind = kind_of(kind)
    require_edit(request, of_kind, patient)
    if of_kind.void is None:
        raise Http404
    record = _record(request, of_kind, patient, record_id)
    context: dict[str, Any] = {
        "title": _("Void the {noun}").format(noun=of_kind.noun),
        "about": str(record),
        "button": _("Void it"),
        "danger": True,
        "notes": [
            _("It is taken out of all counts and figures. It is not deleted: it stays in the history.")
        ],
    }
    with timezone.override(patient.centre.zone):
        if record.voided_at is not None:
            return _already_voided(request, of_kind, patient, record)
        if request.method != "POST":
            form = VoidForm(initial={"version": record.version})
            return record_page(request, patient, [form], 200, **context)
        form = VoidForm(request.POST)

        void = of_kind.void

        def save() -> ClinicalRecord:
            return void(
                record,
                by=request.user,
                reason=form.cleaned_data["reason"],
                expected_version=form.cleaned_data["version"],
            )

        try:
            return submitted(
                request,
                patient,
                [form],
                save,
                _("The {noun} was voided.").format(noun=of_kind.noun),
                **context,
            )
        except StaleRecord:
            present = _record(request, of_kind, patient, record_id)
            if present.voided_at is not None:
                return _already_voided(request, of_kind, patient, present)
            fresh = VoidForm(initial={"version": present.version, "reason": request.POST.get("reason", "")})
            context |= {"about": str(present), "changed": history.last_change(present), "stale_void": True}
            return record_page(request, patient, [fresh], 409, **context)
