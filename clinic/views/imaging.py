"""The lesions of a course through its studies: the grid, what follows from it, and the readings that are signed on it."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.http import SignedInRequest
from clinic.forms import add_refusal
from clinic.imaging_forms import LesionForm, NewLesionForm, ReadingSignForm, VoidLesionForm
from clinic.lesion_grid import FIELDS, MOST_TYPED, LesionGrid, cell_of, lesion_grid
from clinic.selectors import imaging as selectors
from clinic.selectors.response import course_summary, study_flags
from clinic.typed import plain_numbers
from clinic.views.patients import visible_patient
from clinic.views.records import record_page
from imaging import services
from imaging.models import Lesion, Measurement, ReaderRole, ReadingRole, Study, Timepoint
from languages.wording import day, within
from patients.models import Patient
from treatments.models import Course
from treatments.selectors.schedule import CoursePlan, plan_of

ENTRY = require_http_methods(["GET", "HEAD", "POST"])


class _PreviewedError(Exception):
    """Ends a transaction whose writes were only for looking at what would follow from them."""


def _role(request: SignedInRequest) -> str:
    asked = request.POST.get("reader") or request.GET.get("reader") or ReaderRole.FIRST
    if asked not in ReaderRole.values:
        raise Http404
    return str(asked)


def _address(patient: Patient, course_number: int, reader_role: str) -> str:
    address = reverse("imaging", args=[patient.pk, course_number])
    return address if reader_role == ReaderRole.FIRST else f"{address}?reader={reader_role}"


def _context(request: SignedInRequest, grid: LesionGrid) -> dict[str, Any]:
    patient = grid.patient
    return {
        "patient": patient,
        "grid": grid,
        "course_number": grid.course_number,
        "summary": selectors.summary_of(grid),
        "may_edit": request.user.may(Act.EDIT_IMAGING, patient.centre_id),
        "may_sign": request.user.may(Act.SIGN_READINGS, patient.centre_id),
    }


def _plan(patient: Patient, course_number: int) -> CoursePlan | None:
    """Return the plan of a course; None where it is not recorded, though it has studies."""
    courses = Course.objects.current().filter(patient=patient, number=course_number)
    course = courses.select_related("protocol", "patient__centre").first()
    return plan_of(course) if course is not None else None


@never_cache
@ENTRY
def imaging(request: SignedInRequest, patient_id: uuid.UUID, course_number: int) -> HttpResponse:
    """Show the lesions of a course through its studies; without JavaScript the whole grid is sent and stored at once."""
    patient = visible_patient(request, patient_id)
    role = _role(request)
    courses = selectors.course_numbers(patient)
    if course_number not in courses:
        raise Http404
    with timezone.override(patient.centre.zone):
        grid = lesion_grid(patient, course_number, role)
        problems: list[tuple[str, str]] = []
        status = 200
        if request.method == "POST":
            request.user.require(Act.EDIT_IMAGING, patient.centre_id)
            problems = _store_grid(request, grid)
            if not problems:
                messages.success(request, _("The grid was stored."))
                return redirect(_address(patient, course_number, role))
            status = 422
        plan = _plan(patient, course_number)
        context = _context(request, grid) | {
            "best": course_summary(
                plan.course,
                today=timezone.localdate(),
                is_measurable=grid.response.is_measurable or not grid.response.lesions,
            )
            if plan is not None
            else None,
            "protocol": plan.course.protocol if plan is not None else None,
            "lines": selectors.study_lines(
                grid, study_flags([column.study for column in grid.columns], plan)
            ),
            "courses": courses,
            "reader_roles": ReaderRole,
            "reader": role,
            "problems": problems,
            "reason": request.POST.get("reason", ""),
            "new_lesion": NewLesionForm(asks_reason=grid.is_signed, auto_id="id_new_%s"),
            "is_refused": status != 200,
        }
        return render(request, "clinic/imaging.html", context, status=status)


def _store_grid(request: SignedInRequest, grid: LesionGrid) -> list[tuple[str, str]]:
    """Store every cell that was changed, all or none; return what is wrong, as sentence and field."""
    problems: list[tuple[str, str]] = []
    reason = request.POST.get("reason", "")
    try:
        with transaction.atomic():
            for row in grid.rows:
                for cell in row.cells:
                    typed = {
                        name: request.POST[f"{name}_{cell.key}"].replace("\0", "").strip()[:MOST_TYPED]
                        for name in FIELDS
                        if f"{name}_{cell.key}" in request.POST
                    }
                    # What stands there may have been shown with the decimal sign of another language.
                    changed = {
                        name: text
                        for name, text in typed.items()
                        if text.replace(",", ".") != getattr(cell, name).replace(",", ".")
                    }
                    if not changed:
                        continue
                    version = request.POST.get(f"version_{cell.key}", "")
                    cell.size, cell.suv = typed.get("size", cell.size), typed.get("suv", cell.suv)
                    try:
                        services.record_finding(
                            lesion=cell.lesion,
                            study=cell.study,
                            **_plain(changed),
                            by=request.user,
                            reason=reason,
                            expected_version=int(version) if version.isdecimal() else None,
                        )
                    except (ValidationError, RegistryError) as refused:
                        place = _("{lesion} in the study of {day}").format(
                            lesion=cell.lesion.label, day=day(cell.study.performed_on)
                        )
                        for name, message in _refused(refused).items():
                            of = name if name in FIELDS else next(iter(changed))
                            cell.errors[of] = message
                            problems.append((f"{place}: {message}", f"{of}_{cell.key}"))
            if problems:
                raise _PreviewedError
    except _PreviewedError:
        pass
    return problems


def _plain(typed: dict[str, str]) -> dict[str, str]:
    """Return what was typed into a cell with points in its numbers.

    Raises:
        ValidationError: a number may be read in two ways; keyed by its field.
    """
    plain = {}
    for name, text in typed.items():
        try:
            plain[name] = plain_numbers(text)
        except ValidationError as refused:
            raise ValidationError({name: refused.messages}) from refused
    return plain


def _refused(refused: ValidationError | RegistryError) -> dict[str, str]:
    """Return what was refused as field to sentence; "" for what is about no field."""
    if isinstance(refused, RegistryError):
        return {"": refused.message}
    if hasattr(refused, "error_dict"):
        return {
            "" if name == "__all__" else name: " ".join(error for one in errors for error in one.messages)
            for name, errors in refused.error_dict.items()
        }
    return {"": " ".join(refused.messages)}


def _lesion_and_study(request: SignedInRequest, patient: Patient, course_number: int) -> tuple[Lesion, Study]:
    try:
        lesion_id, study_id = (uuid.UUID(request.POST.get(name, "")) for name in ("lesion", "study"))
    except ValueError as error:
        raise Http404 from error
    of_course = {"patient": patient, "course_number": course_number}
    lesions = Lesion.objects.visible_to(request.user).current().select_related("patient__centre")
    studies = Study.objects.visible_to(request.user).current()
    return get_object_or_404(lesions, pk=lesion_id, **of_course), get_object_or_404(
        studies, pk=study_id, **of_course
    )


@never_cache
@require_POST
def imaging_cell(request: SignedInRequest, patient_id: uuid.UUID, course_number: int) -> HttpResponse:
    """Store one cell, or with ``preview`` only say what would follow; answer with the cell and the page's sums.

    422 says what is wrong with it, 409 that somebody else has changed it, with what stands there now.
    """
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    lesion, study = _lesion_and_study(request, patient, course_number)
    name = request.POST.get("field", "")
    if name not in FIELDS:
        raise Http404
    typed = {name: request.POST.get("value", "").replace("\0", "").strip()[:MOST_TYPED]}
    version = request.POST.get("version", "")
    answer: dict[str, Any] = {}
    with timezone.override(patient.centre.zone):
        try:
            with transaction.atomic():
                one = services.record_finding(
                    lesion=lesion,
                    study=study,
                    **_plain(typed),
                    by=request.user,
                    reason=request.POST.get("reason", ""),
                    expected_version=int(version) if version.isdecimal() else None,
                )
                answer = _cell_answer(request, patient, course_number, lesion, study, one)
                if "preview" in request.POST:
                    raise _PreviewedError
        except _PreviewedError:
            pass
        except StaleRecord as refused:
            one = Measurement.objects.current().filter(lesion=lesion, study=study).first()
            answer = _cell_answer(request, patient, course_number, lesion, study, one)
            return JsonResponse(answer | {"error": refused.message}, status=409)
        except (ValidationError, RegistryError) as refused:
            said = _refused(refused)
            return JsonResponse(
                {
                    "error": " ".join(said.values()),
                    "field": next(iter(said)),
                    "asks_reason": "reason" in said,
                },
                status=422,
            )
    return JsonResponse(answer)


def _cell_answer(
    request: SignedInRequest,
    patient: Patient,
    course_number: int,
    lesion: Lesion,
    study: Study,
    one: Measurement | None,
) -> dict[str, Any]:
    grid = lesion_grid(patient, course_number, lesion.reader_role)
    labels = {other.pk: other.label for other in grid.response.lesions}
    cell = cell_of(lesion, study, one, labels)
    context = _context(request, grid)
    return {
        "size": cell.size,
        "suv": cell.suv,
        "version": cell.version,
        "fragments": {
            f"imaging-{name}": render_to_string(f"clinic/_imaging_{name}.html", context, request)
            for name in ("about", "summary", "uptake")
        },
    }


def _about(course_number: int, reader_role: str) -> str:
    return _("Course {number}, {reader}").format(
        number=course_number, reader=within(ReaderRole(reader_role).label)
    )


@never_cache
@require_POST
def lesion_new(request: SignedInRequest, patient_id: uuid.UUID, course_number: int) -> HttpResponse:
    """Add a lesion to the grid."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    role = _role(request)
    if course_number not in selectors.course_numbers(patient):
        raise Http404
    form = NewLesionForm(request.POST)
    status = 422
    if form.is_valid():
        try:
            lesion = services.add_lesion(
                patient=patient,
                course_number=course_number,
                reader_role=role,
                by=request.user,
                **form.cleaned_data,
            )
        except ValidationError as refused:
            add_refusal(form, refused)
        except RegistryError as refused:
            form.add_error(None, refused.message)
            status = 409
        else:
            messages.success(request, _("{lesion} was added.").format(lesion=lesion.label))
            return redirect(_address(patient, course_number, role) + f"#lesion-{lesion.pk}")
    return record_page(
        request,
        patient,
        [form],
        status,
        title=_("Add a lesion"),
        button=_("Add the lesion"),
        about=_about(course_number, role),
        cancel_url=_address(patient, course_number, role),
    )


@never_cache
@ENTRY
def lesion_change(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, lesion_id: uuid.UUID
) -> HttpResponse:
    """Change what a lesion is, or keep it with a reason against what RECIST 1.1 asks of a baseline."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    lesion = _lesion(request, patient, course_number, lesion_id)
    back = _address(patient, course_number, lesion.reader_role)
    context = {
        "title": _("Change lesion {lesion}").format(lesion=lesion.label),
        "button": _("Store the change"),
        "about": _about(course_number, lesion.reader_role),
        "cancel_url": back,
        "void_url": reverse("lesion-void", args=[patient.pk, course_number, lesion.pk]),
        "notes": selectors.selection_notes(lesion),
    }
    if request.method != "POST":
        return record_page(request, patient, [LesionForm.of(lesion)], 200, **context)
    form = LesionForm(request.POST)
    status = 422
    if form.is_valid():
        values = dict(form.cleaned_data)
        try:
            services.change_lesion(
                lesion,
                {name: values[name] for name in ("role", "organ", "site", "label", "selection_reason")},
                by=request.user,
                reason=values["reason"],
                expected_version=values["version"],
            )
        except ValidationError as refused:
            add_refusal(form, refused)
        except RegistryError as refused:
            form.add_error(None, refused.message)
            status = 409
        else:
            messages.success(request, _("{lesion} was changed.").format(lesion=lesion.label))
            return redirect(f"{back}#lesion-{lesion.pk}")
    return record_page(request, patient, [form], status, **context)


@never_cache
@ENTRY
def lesion_void(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, lesion_id: uuid.UUID
) -> HttpResponse:
    """Take a lesion out, with its measurements."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    lesion = _lesion(request, patient, course_number, lesion_id)
    n = lesion.measurements.current().count()
    where = ", ".join(filter(None, [str(lesion.get_organ_display()), lesion.site]))
    context = {
        "title": _("Void lesion {lesion}").format(lesion=lesion.label),
        "button": _("Void the lesion"),
        "danger": True,
        "about": ngettext("{where}: {n} measurement", "{where}: {n} measurements", n).format(
            where=where, n=n
        ),
        "notes": [_("It leaves all sums, its measurements with it. Both stay in the history.")],
        "cancel_url": _address(patient, course_number, lesion.reader_role),
    }
    form = VoidLesionForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                services.void_lesion(lesion, by=request.user, reason=form.cleaned_data["reason"])
            except ValidationError as refused:
                add_refusal(form, refused)
            except RegistryError as refused:
                form.add_error(None, refused.message)
                status = 409
            else:
                messages.success(request, _("{lesion} was voided.").format(lesion=lesion.label))
                return redirect(_address(patient, course_number, lesion.reader_role))
    return record_page(request, patient, [form], status, **context)


def _lesion(request: SignedInRequest, patient: Patient, course_number: int, lesion_id: uuid.UUID) -> Lesion:
    lesions = Lesion.objects.visible_to(request.user).current().select_related("patient__centre")
    return get_object_or_404(lesions, pk=lesion_id, patient=patient, course_number=course_number)


@never_cache
@require_POST
def drafts_accept(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, study_id: uuid.UUID
) -> HttpResponse:
    """Let the imported measurements of a study count."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    role = _role(request)
    study = _study(request, patient, course_number, study_id)
    try:
        n = services.accept_drafts(patient=patient, study=study, reader_role=role, by=request.user)
    except RegistryError as refused:
        messages.error(request, refused.message)
    else:
        said = ngettext("{n} imported measurement accepted.", "{n} imported measurements accepted.", n)
        messages.success(request, said.format(n=n))
    return redirect(_address(patient, course_number, role))


def _study(request: SignedInRequest, patient: Patient, course_number: int, study_id: uuid.UUID) -> Study:
    studies = Study.objects.visible_to(request.user).current().select_related("patient__centre")
    return get_object_or_404(studies, pk=study_id, patient=patient, course_number=course_number)


@never_cache
@ENTRY
def reading_sign(
    request: SignedInRequest, patient_id: uuid.UUID, course_number: int, study_id: uuid.UUID
) -> HttpResponse:
    """Sign the response of a study with the password once more, or keep it as a draft."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    study = _study(request, patient, course_number, study_id)
    if study.timepoint == Timepoint.BASELINE:
        raise Http404
    role = request.POST.get("reader") or request.GET.get("reader") or ReadingRole.FIRST
    if role not in ReadingRole.values:
        raise Http404
    with timezone.override(patient.centre.zone):
        page = selectors.signing_page(patient, study, str(role))
        back = _address(patient, course_number, role if role in ReaderRole.values else ReaderRole.FIRST)
        context: dict[str, Any] = {
            "patient": patient,
            "study": study,
            "page": page,
            "back": back,
            "reader": role,
            "may_sign": request.user.may(Act.SIGN_READINGS, patient.centre_id),
        }
        if request.method != "POST":
            form = ReadingSignForm.of(page)
            return render(request, "clinic/imaging_reading.html", context | {"form": form})
        form = ReadingSignForm(request.POST, page=page)
        status = 422
        if form.is_valid() and _is_password_right(request, form):
            try:
                said = _sign_or_draft(request, study, str(role), form, page)
            except ValidationError as refused:
                add_refusal(form, refused)
            except RegistryError as refused:
                form.add_error(None, refused.message)
                status = 409
            else:
                messages.success(request, said)
                return redirect(back)
        context |= {"form": form, "is_refused": True}
        return render(request, "clinic/imaging_reading.html", context, status=status)


def _is_password_right(request: SignedInRequest, form: forms.Form) -> bool:
    """Ask for the password once more where something is signed; a wrong one counts as a failed sign-in."""
    if "draft" in request.POST:
        return True
    password = form.cleaned_data["password"]
    found = authenticate(request, username=request.user.get_username(), password=password)
    if found is None or found.pk != request.user.pk:
        form.add_error("password", _("This is not your password. Nothing was signed."))
        return False
    return True


def _sign_or_draft(
    request: SignedInRequest, study: Study, role: str, form: forms.Form, page: selectors.SigningPage
) -> str:
    values = form.cleaned_data
    how: dict[str, Any] = {
        "study": study,
        "reader_role": role,
        "overall_response": values["overall_response"],
        "override_reason": values["override_reason"],
        "note": values["note"],
        "by": request.user,
        "expected_version": values["version"],
    }
    if "draft" in request.POST:
        services.save_draft(**how)
        return _("The reading was kept as a draft: it does not count until it is signed.")
    reading = services.sign_reading(**how, reason=values.get("reason", ""))
    return _("Signed: {response} on {day}.").format(
        response=within(reading.get_overall_response_display()), day=day(study.performed_on)
    )
