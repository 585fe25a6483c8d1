"""Readings: drafted, signed with the password once more, reported from elsewhere, and corrected.

Every stored reading carries what the rules derived from the measurements at that moment, so that what was signed can be told
from what the measurements say today.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.models import User
from accounts.records import (
    clinical_write,
    correct_record,
    create_record,
    require_current_parents,
    require_reason,
)
from imaging.models import OverallResponse, Reading, ReadingRole, ReadingStatus, Study, Timepoint
from imaging.selectors.response import CourseResponse, course_response
from languages.wording import within

DERIVED_FIELDS = (
    "derived_response",
    "derived_reason",
    "target_response",
    "non_target_response",
    "sum_of_diameters_mm",
    "sstr_response",
)
_SIGNED = ("overall_response", "new_lesions", "override_reason", "note", "status", "signed_at", "reader")
_LONGEST_REASON = 1000


def derive_reading(reading: Reading, response: CourseResponse) -> Reading:
    """Put into an unsaved reading what the rules derive for its study."""
    derived = response.derived(reading.study)
    timepoint = derived.timepoint if derived.response else None
    reading.derived_response = derived.response
    with translation.override(settings.LANGUAGE_CODE):  # stored, whoever looks; told again by DERIVED_REASON
        reading.derived_reason = derived.reason[:_LONGEST_REASON] if response.lesions else ""
    reading.target_response = (timepoint and timepoint.target) or ""
    reading.non_target_response = (timepoint and timepoint.non_target) or ""
    complete = timepoint is not None and timepoint.is_complete
    reading.sum_of_diameters_mm = timepoint.sum_mm if timepoint is not None and complete else None
    uptake = response.uptake(reading.study)
    reading.sstr_response = (uptake and uptake.response) or ""
    return reading


def _response_of(study: Study, reader_role: str) -> CourseResponse:
    """Return what the reader's lesions say; an adjudicator has none."""
    if reader_role == ReadingRole.ADJUDICATOR:
        return CourseResponse(study.patient_id, study.course_number, reader_role)
    return course_response(study.patient_id, study.course_number, reader_role)


def report_reading(reading: Reading, *, by: User | None) -> Reading:
    """Store a reading that was made and signed elsewhere, beside what is derived here. It counts from now on.

    Raises: as ``accounts.records.create_record``.
    """
    if by is not None:
        by.require(reading.EDIT_ACT, reading.centre_id_of_record)
    with clinical_write(by=by):
        require_current_parents(reading)
        reading.status = ReadingStatus.REPORTED
        derive_reading(reading, _response_of(reading.study, reading.reader_role))
        return create_record(reading, by=by)


def correct_reading(
    reading: Reading,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Reading:
    """Correct a reading that nobody has signed here; it is stored beside what is derived now.

    Raises:
        RegistryError: ``signed_reading``: it is changed by a reader, with a new signature.
        Otherwise as ``accounts.records.correct_record``.
    """
    stored = Reading.objects.get(pk=reading.pk)
    if stored.is_signed:
        raise RegistryError(
            "signed_reading",
            _(
                "This reading has been signed: a reader changes it on the imaging page, with a reason and a new signature."
            ),
        )
    return correct_record(
        reading, changes, by=by, reason=reason, expected_version=expected_version, follow=_derive_again
    )


def _derive_again(reading: Reading) -> Iterable[str]:
    derive_reading(reading, _response_of(reading.study, reading.reader_role))
    return DERIVED_FIELDS


def save_draft(
    *,
    study: Study,
    reader_role: str,
    overall_response: str = "",
    override_reason: str = "",
    note: str = "",
    by: User,
    expected_version: int | None = None,
) -> Reading:
    """Keep a reading that is not signed yet; it does not count.

    Args:
        overall_response: blank: the derived one.

    Raises:
        RegistryError: ``signed_reading``: it has been signed; ``no_response_of_baseline``.
        StaleRecord, PermissionDenied, ValidationError: as for ``sign_reading``.
    """
    by.require(Act.EDIT_IMAGING, study.patient.centre_id)
    with clinical_write(by=by):
        reading, response = _locked(study, reader_role, expected_version)
        if reading.is_signed:
            raise RegistryError(
                "signed_reading", _("This reading has been signed: sign it anew, with a reason.")
            )
        _fill(reading, response, overall_response, override_reason, note)
        reading.status, reading.reader = ReadingStatus.DRAFT, by
        return _store(reading, by=by, reason="")


def sign_reading(
    *,
    study: Study,
    reader_role: str,
    overall_response: str = "",
    override_reason: str = "",
    note: str = "",
    reason: str = "",
    by: User,
    expected_version: int | None = None,
) -> Reading:
    """Sign a reading: from now on it counts. The door has asked for the password once more.

    Args:
        overall_response: blank: the derived one.
        override_reason: needed where it is not the derived one.
        reason: needed where the reading has been signed before, or was reported.
        expected_version: of the reading that was read; 0: there was none; None: not asked.

    Raises:
        PermissionDenied: ``by`` may not sign readings at this centre.
        RegistryError: ``no_response_of_baseline``; ``baseline_selection``, RECIST 1.1 has something against the lesions;
            ``drafts_left``, imported measurements are not accepted; ``not_independent``, the same person has read it in
            another role; ``nothing_to_adjudicate``, the two readers do not differ.
        StaleRecord: the reading was changed since.
        ValidationError: no response, or no reason where one is needed.
    """
    by.require(Act.SIGN_READINGS, study.patient.centre_id)
    with clinical_write(by=by, reason=reason.strip()):
        reading, response = _locked(study, reader_role, expected_version)
        _refuse_unfit(reading, response, by)
        if reading.pk and not reading._state.adding and reading.status != ReadingStatus.DRAFT:
            require_reason(reason)
        _fill(reading, response, overall_response, override_reason, note)
        if reading.is_overridden and not reading.override_reason:
            raise ValidationError(
                {
                    "override_reason": ValidationError(
                        _("The rules derive {derived}: say why the response is {response}.").format(
                            derived=_word(reading.derived_response), response=_word(reading.overall_response)
                        ),
                        code="required",
                    )
                }
            )
        reading.status, reading.reader, reading.signed_at = ReadingStatus.SIGNED, by, timezone.now()
        return _store(reading, by=by, reason=reason)


def _word(response: str) -> str:
    return within(str(OverallResponse(response).label))


def _locked(study: Study, reader_role: str, expected_version: int | None) -> tuple[Reading, CourseResponse]:
    """Return the current reading of a study in a role, locked, or a new one, and what its lesions say."""
    if study.timepoint == Timepoint.BASELINE:
        raise RegistryError(
            "no_response_of_baseline", _("The baseline is what responses are compared with: it has none.")
        )
    new = Reading(study=study, reader_role=reader_role)
    require_current_parents(new)
    stored = Reading.objects.current().filter(study=study, reader_role=reader_role)
    reading = stored.select_for_update(of=("self",)).first()
    version = reading.version if reading is not None else 0
    if expected_version is not None and expected_version != version:
        raise StaleRecord(
            _("This reading was changed while you had it open. Nothing of yours was stored."),
            current_version=version,
        )
    return reading or new, _response_of(study, reader_role)


def _refuse_unfit(reading: Reading, response: CourseResponse, by: User) -> None:
    study = reading.study
    if response.problems:
        raise RegistryError("baseline_selection", response.problems[0].sentence)
    if response.drafts(study):
        raise RegistryError(
            "drafts_left",
            _("Imported measurements of this study have not been accepted: accept or change them first."),
        )
    others = [
        one for one in Reading.objects.current().filter(study=study).exclude(pk=reading.pk)
        if one.status != ReadingStatus.DRAFT and one.reader_role != reading.reader_role
    ]  # fmt: skip
    if any(one.reader_id == by.pk for one in others):
        raise RegistryError(
            "not_independent",
            _("You have read this study in another role: two readings of it need two readers."),
        )
    if reading.reader_role == ReadingRole.ADJUDICATOR:
        responses = {one.overall_response for one in others if one.reader_role != ReadingRole.ADJUDICATOR}
        if len(responses) < 2:
            raise RegistryError(
                "nothing_to_adjudicate",
                _("There are no two readings that differ: nothing is to be adjudicated."),
            )


def _fill(
    reading: Reading,
    response: CourseResponse,
    overall_response: str,
    override_reason: str,
    note: str,
) -> None:
    derive_reading(reading, response)
    reading.overall_response = overall_response or reading.derived_response
    if not reading.overall_response:
        raise ValidationError(
            {
                "overall_response": ValidationError(
                    _("No response can be derived: choose one."), code="required"
                )
            }
        )
    timepoint = response.derived(reading.study).timepoint
    seen_new = bool(timepoint and timepoint.new_lesions)
    reading.new_lesions = seen_new and reading.overall_response == OverallResponse.PD
    reading.override_reason = override_reason.strip() if reading.is_overridden else ""
    reading.note = note.strip()


def _store(reading: Reading, *, by: User, reason: str) -> Reading:
    if reading._state.adding:
        return create_record(reading, by=by, reason=reason)
    reading.full_clean()
    reading.save(update_fields=[*_SIGNED, *DERIVED_FIELDS])
    reading.refresh_from_db(fields=["version"])
    return reading
