"""Entering and correcting laboratory values and the limits of normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import User
from accounts.records import (
    clinical_write,
    correct_record,
    create_record,
    lock_current,
    require_current_parents,
)
from patients.models import Patient
from treatments.models import LabResult, ReferenceRange
from treatments.rules.checks import Warned
from treatments.rules.labs import ANALYTES, plausibility, to_canonical


@dataclass(frozen=True)
class LabEntry:
    """One value as it was written.

    Args:
        value: in ``unit``.
        unit: one that the analyte knows; blank: its own.
        lower_limit, upper_limit: of the laboratory that measured it, in ``unit``; None: the centre's.
        place: where it stood, for messages: a row and column.
    """

    analyte: str
    taken_at: datetime
    value: Decimal
    unit: str = ""
    original_value: str = ""
    lower_limit: Decimal | None = None
    upper_limit: Decimal | None = None
    note: str = ""
    place: str = ""


class UnlikelyValues(RegistryError):
    """Values that can be, and seldom are: they are stored once they are confirmed.

    Attributes:
        sentences: one for each, with its place.
    """

    confirmed_by = "confirm_unlikely"

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(
            "unlikely_values",
            _("Check these, and confirm them if they are right: {sentences}").format(
                sentences=" ".join(sentences)
            ),
        )
        self.sentences = sentences
        self.warnings = [Warned("unlikely_value", sentence) for sentence in sentences]


def result_of(patient: Patient, entry: LabEntry) -> tuple[LabResult, str]:
    """Return an unsaved result in the unit of its analyte, and why its value is unlikely; blank where it is not.

    Raises:
        ValueError: an unknown analyte or unit, or an impossible value; the message says what is accepted.
    """
    analyte = ANALYTES.get(entry.analyte)
    if analyte is None:
        message = _("There is no analyte {code}. Known: {known}.")
        raise ValueError(message.format(code=entry.analyte, known=", ".join(ANALYTES)))
    unit = entry.unit or analyte.unit
    value = to_canonical(entry.value, analyte=analyte, unit=unit)
    unlikely = plausibility(value, analyte)
    limits = {
        name: to_canonical(limit, analyte=analyte, unit=unit) if limit is not None else None
        for name, limit in (("lower_limit", entry.lower_limit), ("upper_limit", entry.upper_limit))
    }
    result = LabResult(
        patient=patient,
        analyte=analyte.code,
        taken_at=entry.taken_at,
        value=value,
        original_value=(entry.original_value or f"{entry.value:f}")[:40],
        original_unit=unit[:20],
        note=entry.note,
        **limits,
    )
    return result, unlikely


def record_lab_results(
    *, patient: Patient, entries: Sequence[LabEntry], confirm_unlikely: bool = False, by: User | None
) -> list[LabResult]:
    """Store laboratory values, all or none.

    Raises:
        PermissionDenied: ``by`` may not edit treatments at this centre.
        UnlikelyValues: some are unlikely, and ``confirm_unlikely`` is False.
        ValidationError: a value cannot be; every such value has its sentence.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, patient.centre_id)
    made: list[LabResult] = []
    refused: list[ValidationError] = []
    doubtful: list[str] = []
    with clinical_write(by=by):
        if entries:
            require_current_parents(LabResult(patient=patient))
        for entry in entries:
            place = f"{entry.place}: " if entry.place else ""
            try:
                result, unlikely = result_of(patient, entry)
                result.is_unlikely_confirmed = bool(unlikely)
                result.full_clean()
            except ValueError as error:
                refused.append(ValidationError(f"{place}{error}", code="implausible_value"))
                continue
            except ValidationError as error:
                refused += [ValidationError(f"{place}{text}", code="invalid") for text in error.messages]
                continue
            if unlikely:
                doubtful.append(f"{place}{unlikely}")
            made.append(result)
        if refused:
            raise ValidationError(refused)
        if doubtful and not confirm_unlikely:
            raise UnlikelyValues(doubtful)
        for result in made:
            create_record(result, by=by)
    return made


def correct_lab_result(
    result: LabResult,
    changes: dict[str, Any],
    *,
    by: User | None,
    reason: str,
    expected_version: int | None = None,
    confirm_unlikely: bool = False,
) -> LabResult:
    """Correct a laboratory value. A value in the unit of its analyte replaces what was originally written.

    Raises:
        UnlikelyValues: the new value is unlikely, and ``confirm_unlikely`` is False.
        StaleRecord, RegistryError, PermissionDenied, ValidationError: as ``accounts.records.correct_record``.
    """
    if by is not None:
        by.require(Act.EDIT_TREATMENTS, result.centre_id_of_record)
    with clinical_write(by=by, reason=reason.strip()):
        # As it is stored: a form may have put the new values into the instance it was given.
        stored = lock_current(result, expected_version=expected_version)
        changes = dict(changes)
        analyte = ANALYTES[changes.get("analyte", stored.analyte)]
        value = changes.get("value", stored.value)
        if value is not None and (value != stored.value or analyte.code != stored.analyte):
            try:
                unlikely = plausibility(value, analyte)
            except ValueError as error:
                raise ValidationError(
                    {"value": ValidationError(str(error), code="implausible_value")}
                ) from error
            if unlikely and not confirm_unlikely:
                raise UnlikelyValues([unlikely])
            changes |= {
                "original_value": f"{value:f}",
                "original_unit": analyte.unit,
                "is_unlikely_confirmed": bool(unlikely),
            }
        return correct_record(stored, changes, by=by, reason=reason, expected_version=expected_version)


def set_reference_range(values: dict[str, Any], *, by: User | None) -> ReferenceRange:
    """Store limits of normal of a centre from a day on.

    Args:
        values: field name to value.

    Raises:
        PermissionDenied: ``by`` may not manage the centre's reference ranges.
        ValidationError: a value breaks a rule.
    """
    centre = values["centre"]
    if by is not None:
        by.require(Act.MANAGE_COHORTS, centre.pk)
    with clinical_write(by=by):
        found = ReferenceRange(**values)
        found.full_clean()
        found.save(force_insert=True)
    return found
