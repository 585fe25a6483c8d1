"""Choosing lesions, and writing down what is found of them.

Until a reader has signed, what is entered may be changed without a reason. Afterwards every change of what the signature
rests on needs one: the measurements of a signed study, and lesions and baseline once any study of the course is signed.
"""

import re
from collections.abc import Iterable
from copy import copy
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.access import Act
from accounts.errors import RegistryError, StaleRecord
from accounts.models import User
from accounts.records import (
    clinical_write,
    correct_record,
    create_record,
    lock_current,
    require_current_parents,
    require_reason,
    void_record,
)
from imaging.models import (
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    ReaderRole,
    Reading,
    ReadingStatus,
    Role,
    Study,
    Timepoint,
)
from imaging.rules.cells import CellEntry, parse_cell, parse_suv
from imaging.rules.recist import STATES_OF_ROLE, LesionRole, State, number
from imaging.rules.selection import count_problems
from languages.wording import day
from patients.models import Patient

EMPTIED = gettext_noop("Emptied in the lesion grid before the study was signed.")
_NUMBERED = re.compile(r"L(\d{1,6})")


def signed_studies(patient: Patient, course_number: int, reader_role: str) -> set[Any]:
    """Return the keys of the studies of a course that this reader has signed."""
    return set(
        Reading.objects.current()
        .filter(
            study__patient=patient,
            study__course_number=course_number,
            study__voided_at__isnull=True,
            reader_role=reader_role,
            status=ReadingStatus.SIGNED,
        )
        .values_list("study_id", flat=True)
    )


def _reason_of_change(
    reason: str, *, patient: Patient, course_number: int, reader_role: str, study: Study | None
) -> str:
    """Return the reason, which is needed where a signature rests on what is changed.

    Args:
        study: whose measurements are changed; None: the choice of lesions.

    Raises:
        ValidationError: it is needed and blank.
    """
    signed = signed_studies(patient, course_number, reader_role)
    rests = bool(signed) if study is None or study.timepoint == Timepoint.BASELINE else study.pk in signed
    if not rests:
        return reason.strip()
    if not reason.strip():
        raise ValidationError(
            {"reason": ValidationError(_("This has been signed: say why it is changed."), code="required")}
        )
    return require_reason(reason)


def _next_label(lesions: Iterable[Lesion]) -> str:
    taken = [int(found[1]) for lesion in lesions if (found := _NUMBERED.fullmatch(lesion.label))]
    return f"L{max(taken, default=0) + 1}"


def _refuse_too_many(lesions: Iterable[Lesion]) -> None:
    targets = [(lesion.label, lesion.organ) for lesion in lesions if lesion.role == Role.TARGET]
    problems = count_problems(targets, dict(LesionOrgan.choices))
    if problems:
        raise RegistryError(problems[0].code, problems[0].sentence)


def add_lesion(
    *,
    patient: Patient,
    course_number: int,
    role: str,
    organ: str,
    reader_role: str = ReaderRole.FIRST,
    label: str = "",
    site: str = "",
    selection_reason: str = "",
    tracking_uid: str = "",
    reason: str = "",
    by: User | None,
) -> Lesion:
    """Store a lesion that is followed through a course.

    Args:
        label: blank: the next number, such as L4.
        reason: needed for a target or non-target lesion once a study of the course is signed.

    Raises:
        PermissionDenied: ``by`` may not edit imaging at this centre.
        RegistryError: ``too_many_targets`` or ``too_many_in_organ``: more than RECIST 1.1 takes.
        ValidationError: a value breaks a rule, or the reason is missing.
    """
    lesion = Lesion(
        patient=patient,
        course_number=course_number,
        reader_role=reader_role,
        label=label.strip().upper(),
        role=role,
        organ=organ,
        site=site.strip(),
        selection_reason=selection_reason.strip(),
        tracking_uid=tracking_uid,
    )
    if by is not None:
        by.require(lesion.EDIT_ACT, patient.centre_id)
    with clinical_write(by=by):
        require_current_parents(lesion)
        others = list(
            Lesion.objects.current().filter(
                patient=patient, course_number=course_number, reader_role=reader_role
            )
        )
        lesion.label = lesion.label or _next_label(others)
        if role == Role.TARGET:
            _refuse_too_many([*others, lesion])
        if role != Role.NEW:
            reason = _reason_of_change(
                reason, patient=patient, course_number=course_number, reader_role=reader_role, study=None
            )
        return create_record(lesion, by=by, reason=reason)


def change_lesion(
    lesion: Lesion,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str = "",
    expected_version: int | None = None,
) -> Lesion:
    """Change what a lesion is: its role, organ, site, label, or why it is kept against RECIST 1.1.

    Raises:
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``add_lesion`` and ``lock_current``.
    """
    if by is not None:
        by.require(lesion.EDIT_ACT, lesion.patient.centre_id)
    allowed = {"role", "organ", "site", "label", "selection_reason", "tracking_uid"}
    unknown = sorted(set(changes) - allowed)
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, _("This field cannot be changed.")))
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(lesion, expected_version=expected_version)
        changed = [name for name, value in changes.items() if getattr(locked, name) != value]
        if not changed:
            return locked
        _reason_of_change(
            reason,
            patient=locked.patient,
            course_number=locked.course_number,
            reader_role=locked.reader_role,
            study=None,
        )
        for name in changed:
            setattr(locked, name, changes[name])
        if locked.role == Role.TARGET and {"role", "organ"} & set(changed):
            others = Lesion.objects.current().filter(
                patient=locked.patient, course_number=locked.course_number, reader_role=locked.reader_role
            )
            _refuse_too_many([*others.exclude(pk=locked.pk), locked])
        locked.full_clean()
        locked.save(update_fields=changed)
        locked.refresh_from_db(fields=["version"])
    return locked


def void_lesion(
    lesion: Lesion, *, by: User | None, reason: str, expected_version: int | None = None
) -> Lesion:
    """Take a lesion out of all sums, with its measurements. Raises: as ``accounts.records.void_record``."""
    return void_record(lesion, by=by, reason=reason, expected_version=expected_version)


def record_finding(
    *,
    lesion: Lesion,
    study: Study,
    size: str | None = None,
    suv: str | None = None,
    by: User | None,
    reason: str = "",
    expected_version: int | None = None,
) -> Measurement | None:
    """Store what was typed of a lesion in a study; None where nothing is left of it.

    Args:
        size: as typed, such as ``23``, ``12+9``, ``absent`` or ``> L2`` (docs/rules/recist.md); None: left as it is.
        suv: SUVmax as typed; None: left as it is.
        reason: needed where a signature rests on it.
        expected_version: of the measurement that was read; 0: there was none; None: not asked.

    Raises:
        StaleRecord: somebody has stored another value since.
        PermissionDenied: ``by`` may not edit imaging at this centre.
        ValidationError: it cannot be read, or cannot be said of such a lesion; keyed ``size`` or ``suv``.
    """
    if by is not None:
        by.require(Act.EDIT_IMAGING, lesion.patient.centre_id)
    entry, suv_max = _typed(lesion, size, suv)
    with clinical_write(by=by, reason=reason.strip()):
        require_current_parents(Measurement(lesion=lesion, study=study))
        stored = Measurement.objects.select_for_update(of=("self",)).filter(
            lesion=lesion, study=study, voided_at__isnull=True
        )
        found = stored.first()
        one = found or Measurement(lesion=lesion, study=study)
        before = _said(one)
        if size is not None:
            _put(one, entry, lesion)
        if suv is not None:
            one.suv_max = suv_max
        if found is not None and _said(one) == before and not found.is_draft:
            return found  # also what was stored, its answer lost on the way, and is sent once more
        version = found.version if found is not None else 0
        if expected_version is not None and version != expected_version:
            raise StaleRecord(
                _(
                    "{label} in the study of {day} was changed while you had it open. Nothing of yours was stored"
                    " there."
                ).format(label=lesion.label, day=day(study.performed_on)),
                current_version=version,
            )
        reason = _reason_for(one, reason)
        one.is_draft = False  # who types into it has accepted it
        if not one.state and one.suv_max is None:
            if found is not None:
                found.refresh_from_db()
                found.voided_at, found.void_reason = timezone.now(), reason or EMPTIED
                found.save(update_fields=["voided_at", "void_reason"])
            return None
        if found is None:
            return create_record(one, by=by, reason=reason)
        one.full_clean()
        one.save(update_fields=["state", "size_mm", "parts_mm", "merged_into", "suv_max", "is_draft"])
        one.refresh_from_db(fields=["version"])
        return one


def record_measurement(measurement: Measurement, *, by: User | None, reason: str = "") -> Measurement:
    """Store what was found of a lesion in a study, in values instead of as typed.

    Args:
        measurement: unsaved; of a split lesion ``size_mm`` may be left out, it is the sum of ``parts_mm``.
        reason: needed where a signature rests on the study, but for a draft.

    Raises:
        PermissionDenied: ``by`` may not edit imaging at this centre.
        RegistryError: ``parent_voided``.
        ValidationError: it contradicts itself or its lesion, there is one already, or the reason is missing.
    """
    if by is not None:
        by.require(measurement.EDIT_ACT, measurement.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        require_current_parents(measurement)
        _fit(measurement)
        if not measurement.is_draft:
            reason = _reason_for(measurement, reason)
        return create_record(measurement, by=by, reason=reason)


def correct_measurement(
    measurement: Measurement,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
) -> Measurement:
    """Correct a measurement. ``is_draft`` false accepts a draft.

    Raises:
        RegistryError: ``accepted``: what counts does not become a draft again.
        Otherwise as ``accounts.records.correct_record`` and ``record_measurement``.
    """
    if by is not None:
        by.require(measurement.EDIT_ACT, measurement.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        locked = lock_current(measurement, expected_version=expected_version)
        if changes.get("is_draft") and not locked.is_draft:
            raise RegistryError(
                "accepted", _("This measurement counts: it cannot become a draft again. Void it instead.")
            )
        after = copy(locked)
        for name, value in changes.items():
            setattr(after, name, value)
        if "parts_mm" in changes and "size_mm" not in changes:
            after.size_mm = None
        _fit(after)
        return correct_record(locked, changes | {"size_mm": after.size_mm}, by=by, reason=reason)


def _fit(one: Measurement) -> None:
    """Give a split lesion the sum of its parts, and refuse what a lesion of this kind cannot be.

    Raises:
        ValidationError: keyed by field.
    """
    lesion = one.lesion
    if one.state and one.state not in STATES_OF_ROLE[LesionRole(lesion.role)]:
        said = {
            Role.TARGET: _("This cannot be said of a target lesion."),
            Role.NON_TARGET: _("This cannot be said of a non-target lesion."),
            Role.NEW: _("This cannot be said of a new lesion."),
        }
        raise _unfit("state", said[Role(lesion.role)], "state_of_role")
    if one.state == LesionState.SPLIT and one.parts_mm:
        if any(part <= 0 for part in one.parts_mm):
            raise _unfit("parts_mm", _("Each part is above 0 mm."), "not_positive")
        total = sum(one.parts_mm, Decimal(0))
        if one.size_mm is not None and one.size_mm != total:
            raise _unfit(
                "size_mm",
                _("The parts add up to {total} mm.").format(total=number(total)),
                "contradictory_size",
            )
        one.size_mm = total
    if one.merged_into is not None:
        problem = _merge_problem(lesion, one.merged_into)
        if problem:
            raise _unfit("merged_into", problem, "merged_into_own")


def _unfit(field: str, sentence: str, code: str) -> ValidationError:
    return ValidationError({field: ValidationError(sentence, code=code)})


def _merge_problem(lesion: Lesion, other: Lesion) -> str:
    """Return why a lesion cannot merge into another one; blank: it can."""
    if other.pk == lesion.pk:
        return _("{label} cannot merge into itself.").format(label=other.label)
    own = ("patient_id", "course_number", "reader_role")
    if any(getattr(other, name) != getattr(lesion, name) for name in own):
        return _("A lesion merges into another one of the same course and reader.")
    if lesion.role == Role.TARGET and other.role != Role.TARGET:
        return _("{label} is no target lesion: a target lesion merges into another one.").format(
            label=other.label
        )
    return ""


def _reason_for(one: Measurement, reason: str) -> str:
    lesion = one.lesion
    return _reason_of_change(
        reason,
        patient=lesion.patient,
        course_number=lesion.course_number,
        reader_role=lesion.reader_role,
        study=one.study,
    )


def _typed(lesion: Lesion, size: str | None, suv: str | None) -> tuple[CellEntry | None, Any]:
    refused = {}
    entry = suv_max = None
    try:
        entry = parse_cell(size, LesionRole(lesion.role)) if size is not None else None
    except ValueError as error:
        refused["size"] = ValidationError(str(error), code="unreadable")
    try:
        suv_max = parse_suv(suv) if suv is not None else None
    except ValueError as error:
        refused["suv"] = ValidationError(str(error), code="unreadable")
    if refused:
        raise ValidationError(refused)
    return entry, suv_max


def _said(one: Measurement) -> tuple[Any, ...]:
    return (one.state, one.size_mm, list(one.parts_mm), one.merged_into_id, one.suv_max)


def _put(one: Measurement, entry: CellEntry | None, lesion: Lesion) -> None:
    one.state = entry.state.value if entry is not None else ""
    one.size_mm = entry.size_mm if entry is not None else None
    one.parts_mm = list(entry.parts_mm) if entry is not None else []
    one.merged_into = None
    if entry is not None and entry.state is State.MERGED:
        one.merged_into = _merged_into(lesion, entry.merged_into)


def _merged_into(lesion: Lesion, label: str) -> Lesion:
    other = (
        Lesion.objects.current()
        .filter(
            patient=lesion.patient_id,
            course_number=lesion.course_number,
            reader_role=lesion.reader_role,
            label=label,
        )
        .first()
    )
    if other is None:
        raise _unfit("size", _("There is no lesion {label} here.").format(label=label), "unreadable")
    problem = _merge_problem(lesion, other)
    if problem:
        raise _unfit("size", problem, "unreadable")
    return other


def accept_drafts(*, patient: Patient, study: Study, reader_role: str, by: User | None) -> int:
    """Let the imported measurements of a study count; returns how many.

    Raises:
        PermissionDenied: ``by`` may not edit imaging at this centre.
        RegistryError: ``signed``: the study has been signed, so each change needs its reason.
    """
    if by is not None:
        by.require(Act.EDIT_IMAGING, patient.centre_id)
    with clinical_write(by=by):
        require_current_parents(Lesion(patient=patient))
        if study.pk in signed_studies(patient, study.course_number, reader_role):
            raise RegistryError(
                "signed", _("This study has been signed: change its measurements one by one, with a reason.")
            )
        drafts = Measurement.objects.current().filter(
            lesion__patient=patient, lesion__reader_role=reader_role, study=study, is_draft=True
        )
        accepted = list(drafts.select_for_update(of=("self",)))
        for one in accepted:
            one.is_draft = False
            one.save(update_fields=["is_draft"])
    return len(accepted)
