"""Storing what was read of a study out of its DICOM files, once a person has looked at it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.models import User
from accounts.records import clinical_write, correct_record, create_record, require_reason
from imaging.dicom.facts import ReportedMeasurement
from imaging.models import Lesion, LesionOrgan, LesionState, Measurement, ReaderRole, Study
from imaging.services.lesions import (
    add_lesion,
    change_lesion,
    correct_measurement,
    record_measurement,
    signed_studies,
)
from patients.models import Patient

READ_FROM_DICOM = gettext_noop("Read from DICOM files.")
_LABEL = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,11}")


@dataclass(frozen=True)
class ReportedLesion:
    """Where a measurement out of a report goes.

    Attributes:
        lesion: an existing one; None: a new one, of this ``role`` and ``organ``.
    """

    measured: ReportedMeasurement
    lesion: Lesion | None = None
    role: str = ""
    organ: str = ""


def store_dicom_study(
    *,
    patient: Patient,
    course_number: int,
    study: Study | None,
    values: dict[str, Any],
    lesions: Sequence[ReportedLesion] = (),
    reader_role: str = ReaderRole.FIRST,
    by: User,
    reason: str = "",
    identity_reason: str = "",
    expected_version: int | None = None,
) -> Study:
    """Store a new study, or fill in an existing one, and its reported measurements as drafts: all or nothing.

    Args:
        study: to be filled in; None: a new one.
        values: field name to value. What already stands otherwise in ``study`` needs a reason to be changed.
        lesions: each with what was measured of it; two of them cannot go to one lesion.
        reason: see ``values``; also for lesions and drafts that the services ask one for.
        identity_reason: why files that seem to be of somebody else are taken for this patient's; kept in the history.

    Raises:
        PermissionDenied: ``by`` may not edit imaging at this centre.
        StaleRecord: the study was changed since ``expected_version``.
        RegistryError: ``measured_already``, a reader has accepted another measurement of a lesion in this study; or as
            ``add_lesion``.
        ValidationError: a value breaks a rule of its record, or a reason is missing.
    """
    by.require(Act.EDIT_IMAGING, patient.centre_id)
    reason = reason.strip()
    if study is not None and expected_version not in (None, study.version):
        # Told first: what would be a change rests on how the study stood.
        raise StaleRecord(
            _("This study was changed while you had it open. Nothing of yours was stored."),
            current_version=study.version,
        )
    changes = {} if study is None else _changes(study, values)
    if study is not None and not reason and any(getattr(study, name) not in (None, "") for name in changes):
        raise ValidationError(
            {"reason": ValidationError(_("Say why what was recorded before is changed."), code="required")}
        )
    kept = require_reason(" ".join(filter(None, [reason or READ_FROM_DICOM, identity_reason.strip()])))
    with clinical_write(by=by, reason=kept):
        if study is None:
            study = create_record(
                Study(patient=patient, course_number=course_number, **values), by=by, reason=kept
            )
        elif changes:
            study = correct_record(study, changes, by=by, reason=kept, expected_version=expected_version)
        for one in lesions:
            lesion = one.lesion or _new_lesion(one, study, reader_role, by=by, reason=reason)
            _keep_tracking_uid(lesion, one.measured, by=by, reason=reason)
            _store_measurement(lesion, study, one.measured, by=by, reason=reason)
    return study


def _changes(study: Study, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if getattr(study, name) != value}


def _new_lesion(one: ReportedLesion, study: Study, reader_role: str, *, by: User, reason: str) -> Lesion:
    measured = one.measured
    label = measured.tracking_identifier.upper()
    taken = Lesion.objects.current().filter(
        patient=study.patient_id, course_number=study.course_number, reader_role=reader_role, label=label
    )
    if not _LABEL.fullmatch(label) or taken.exists():
        label = ""
    # What the report calls it, where that is no label; else what it calls the organ, where the list has no word for it.
    site = measured.tracking_identifier if not label else ""
    if not site and one.organ == LesionOrgan.OTHER:
        site = measured.finding_site
    return add_lesion(
        patient=study.patient,
        course_number=study.course_number,
        reader_role=reader_role,
        role=one.role,
        organ=one.organ,
        label=label,
        site=site,
        tracking_uid=measured.tracking_uid,
        by=by,
        reason=reason,
    )


def _keep_tracking_uid(lesion: Lesion, measured: ReportedMeasurement, *, by: User, reason: str) -> None:
    """Let the next report find the lesion, where none has named it yet and its choice is not signed."""
    if not measured.tracking_uid or lesion.tracking_uid:
        return
    if reason or not signed_studies(lesion.patient, lesion.course_number, lesion.reader_role):
        change_lesion(lesion, {"tracking_uid": measured.tracking_uid}, by=by, reason=reason)


def _found(measured: ReportedMeasurement, lesion: Lesion) -> dict[str, Any]:
    """Return what a measurement of the lesion says, as fields of a record."""
    size_mm = measured.short_axis_mm if lesion.is_node else measured.long_axis_mm
    return {
        "state": LesionState.MEASURED if size_mm is not None else "",
        "size_mm": size_mm,
        "suv_max": measured.suv_max,
    }


def is_other_than(stored: Measurement, measured: ReportedMeasurement) -> bool:
    """Return whether a report says something else of a lesion than what stands there; what it leaves out is nothing."""
    said = _found(measured, stored.lesion)
    return any(getattr(stored, name) != value for name, value in said.items() if value not in (None, ""))


def _store_measurement(
    lesion: Lesion, study: Study, measured: ReportedMeasurement, *, by: User, reason: str
) -> None:
    said = _found(measured, lesion)
    if said["size_mm"] is None and said["suv_max"] is None:
        neither = (
            _("The report gives neither short axis nor SUVmax of {label}: leave it out.")
            if lesion.is_node
            else _("The report gives neither longest diameter nor SUVmax of {label}: leave it out.")
        )
        raise RegistryError("nothing_measured", neither.format(label=lesion.label))
    stored = Measurement.objects.current().filter(lesion=lesion, study=study).first()
    if stored is None:
        record_measurement(Measurement(lesion=lesion, study=study, is_draft=True, **said), by=by)
    elif not is_other_than(stored, measured):
        return
    elif not stored.is_draft:
        raise RegistryError(
            "measured_already",
            _(
                "{label} has been measured in this study already: leave it out, or change it in the grid."
            ).format(label=lesion.label),
        )
    else:
        # What the report leaves out stays as it is.
        changes = {name: value for name, value in said.items() if value not in (None, "")}
        if "state" in changes:
            changes |= {"parts_mm": [], "merged_into": None}
        correct_measurement(stored, changes, by=by, reason=reason)
