"""Reading DICOM files into a study: read, looked at beside what is recorded, then stored. Nothing is kept in between.

In words: docs/dicom.md.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.http import SignedInRequest
from clinic.dicom_check import Read, SealBroken, sealed, unsealed
from clinic.dicom_forms import DicomFetchForm, DicomStudyForm, study_words
from clinic.dicom_upload import DicomUploadHandler
from clinic.forms import add_refusal
from clinic.selectors import imaging as selectors
from clinic.views.patients import visible_patient
from imaging.dicom.errors import DicomError
from imaging.dicom.facts import DicomStudy
from imaging.dicom.files import GIB, LIMITS
from imaging.dicom.identity import mismatches, not_compared
from imaging.models import Lesion, ReaderRole, Study
from imaging.selectors.response import lesion_order
from imaging.services import store_dicom_study
from patients.models import Patient, PatientIdentity


# Exempt, and protected below: the check of the form's token reads the upload, which needs its handler first.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def dicom_read(request: SignedInRequest, patient_id: uuid.UUID, course_number: int) -> HttpResponse:
    """Read files or a study of the PACS, show what they say beside the registry, and store what is chosen."""
    patient = visible_patient(request, patient_id)
    request.user.require(Act.EDIT_IMAGING, patient.centre_id)
    if course_number not in selectors.course_numbers(patient):
        raise Http404
    upload = None
    if request.method == "POST" and request.content_type == "multipart/form-data":
        upload = DicomUploadHandler(request)
        request.upload_handlers = [upload]
    with timezone.override(patient.centre.zone):
        return _answer(request, patient, course_number, upload)


@csrf_protect
def _answer(
    request: SignedInRequest, patient: Patient, course_number: int, upload: DicomUploadHandler | None
) -> HttpResponse:
    if request.method != "POST":
        return _read_page(request, patient, course_number)
    if "seen" in request.POST:
        return _checked(request, patient, course_number)
    fetch = DicomFetchForm()
    try:
        if upload is not None and "study_uid" not in request.POST:
            study = upload.result()
        else:
            if not settings.DICOMWEB_URL:
                raise Http404
            fetch = DicomFetchForm(request.POST)
            if not fetch.is_valid():
                return _read_page(request, patient, course_number, fetch=fetch, status=422)
            study = _fetched(fetch.cleaned_data["study_uid"].strip())
    except DicomError as refused:
        return _read_page(
            request,
            patient,
            course_number,
            fetch=fetch,
            refused=f"{refused.message} {_('Nothing was stored.')}",
            status=422,
        )
    return _first_check(request, patient, course_number, study)


def _fetched(study_uid: str) -> DicomStudy:
    # pydicom takes half a second to import, which only a fetch is worth.
    from imaging.dicom.web import Server, fetch_study

    return fetch_study(
        study_uid,
        Server(
            settings.DICOMWEB_URL,
            user=settings.DICOMWEB_USER,
            password=settings.DICOMWEB_PASSWORD,
            token=settings.DICOMWEB_TOKEN,
            timeout_s=settings.DICOMWEB_TIMEOUT_SECONDS,
        ),
    )


def _read_page(
    request: SignedInRequest,
    patient: Patient,
    course_number: int,
    *,
    fetch: DicomFetchForm | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "patient": patient,
        "course_number": course_number,
        "back": reverse("imaging", args=[patient.pk, course_number]),
        "may_fetch": bool(settings.DICOMWEB_URL),
        "form": fetch or DicomFetchForm(),
        "refused": refused,
        "most_gib": LIMITS.upload_bytes // GIB,
        "most_files": LIMITS.files,
        "is_refused": status != 200,
    }
    return render(request, "clinic/dicom_read.html", context, status=status)


def _first_check(
    request: SignedInRequest, patient: Patient, course_number: int, study: DicomStudy
) -> HttpResponse:
    """Show what was read, and compare once whose files they are; from here on nobody knows."""
    identities = PatientIdentity.objects.visible_to(request.user, Act.VIEW_IDENTITY).current()
    known = identities.filter(patient=patient).first()
    person: dict[str, Any] = {
        "mrn": known.mrn if known is not None else "",
        "birth_date": patient.birth_date,
        "sex": patient.sex,
    }
    found = mismatches(study.identity, **person, family_name=known.family_name if known is not None else "")
    read = Read.of(study, is_other_person=bool(found))
    seal = sealed(read, user=request.user, patient=patient, course_number=course_number)
    form = _form(patient, course_number, read, seal)
    compared: dict[str, Any] = {
        "mismatches": found,
        "not_compared": not_compared(study.identity, **person),
        "is_first": True,
    }
    return _check_page(request, patient, course_number, form, **compared)


def _form(
    patient: Patient, course_number: int, read: Read, seal: str, data: Any = None, *, is_stored: bool = False
) -> DicomStudyForm:
    of_course = {"patient": patient, "course_number": course_number}
    lesions: dict[str, list[Lesion]] = {role: [] for role in ReaderRole.values}
    for lesion in sorted(Lesion.objects.current().filter(**of_course), key=lesion_order):
        lesions[lesion.reader_role].append(lesion)
    return DicomStudyForm(
        data,
        read=read,
        seal=seal,
        patient=patient,
        studies=list(Study.objects.current().filter(**of_course).order_by("performed_on", "pk")),
        lesions=lesions,
        is_stored=is_stored,
    )


def _checked(request: SignedInRequest, patient: Patient, course_number: int) -> HttpResponse:
    """Store what was looked at; where another study or reader was chosen, show that first."""
    seal = request.POST["seen"]
    try:
        read = unsealed(seal, user=request.user, patient=patient, course_number=course_number)
    except SealBroken as refused:
        return _read_page(
            request,
            patient,
            course_number,
            refused=f"{refused} {_('Nothing was stored: read the files again.')}",
            status=422,
        )
    is_stored = "store" in request.POST
    form = _form(patient, course_number, read, seal, request.POST, is_stored=is_stored)
    if not form.is_bound:
        return _check_page(
            request, patient, course_number, form, is_unseen=is_stored, status=422 if is_stored else 200
        )
    status = 422
    if form.is_valid():
        values = form.cleaned_data
        try:
            study = store_dicom_study(
                patient=patient,
                course_number=course_number,
                study=form.into,
                values=form.values(),
                lesions=form.reported(),
                reader_role=form.reader_role,
                by=request.user,
                reason=values["reason"],
                identity_reason=values.get("identity_reason", ""),
                expected_version=values.get("version"),
            )
        except ValidationError as refused:
            add_refusal(form, refused)
        except StaleRecord:
            fresh = _form(patient, course_number, read, seal, request.POST)
            return _check_page(request, patient, course_number, fresh, is_stale=True, status=409)
        except RegistryError as refused:
            form.add_error(None, refused.message)
            status = 409
        else:
            return _stored(request, patient, course_number, form, study)
    return _check_page(request, patient, course_number, form, status=status)


def _stored(
    request: SignedInRequest, patient: Patient, course_number: int, form: DicomStudyForm, study: Study
) -> HttpResponse:
    n = len(form.reported())
    said = _("{study} was recorded.") if form.into is None else _("{study} was filled in.")
    said = said.format(study=study_words(study))
    if n:
        drafts = ngettext(
            "{n} measurement is a draft until a reader accepts it.",
            "{n} measurements are drafts until a reader accepts them.",
            n,
        )
        said = f"{said} {drafts.format(n=n)}"
    messages.success(request, said)
    address = reverse("imaging", args=[patient.pk, course_number])
    return redirect(
        f"{address}?reader={form.reader_role}" if form.reader_role != ReaderRole.FIRST else address
    )


def _check_page(
    request: SignedInRequest,
    patient: Patient,
    course_number: int,
    form: DicomStudyForm,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = {
        "patient": patient,
        "course_number": course_number,
        "form": form,
        "forms": [form],
        "facts": form.read.facts,
        "back": reverse("imaging", args=[patient.pk, course_number]),
        "again": reverse("dicom-read", args=[patient.pk, course_number]),
        "is_refused": status != 200,
        **more,
    }
    return render(request, "clinic/dicom_check.html", context, status=status)
