"""Acts of the clinic that write into several apps at once."""

from datetime import date
from typing import Any

from accounts.models import Centre, User
from accounts.records import clinical_write, create_record
from patients.models import Diagnosis, Patient
from patients.services import register_patient
from treatments.models import Protocol
from treatments.services import start_course


def admit_patient(
    *,
    centre: Centre,
    person: dict[str, Any],
    diagnosis: Diagnosis,
    protocol: Protocol | None,
    intent: str = "initial",
    first_planned_on: date | None = None,
    by: User,
) -> Patient:
    """Register a person with the diagnosis and, where a protocol is named, start the first course: all or nothing.

    Args:
        person: ``sex``, ``birth_date`` and, where identity is kept, ``mrn``, ``family_name``, ``given_names``.
        diagnosis: unsaved, without its patient.

    Raises:
        PermissionDenied, ValidationError, RegistryError: as the services called.
    """
    with clinical_write(by=by):
        patient = register_patient(centre=centre, by=by, **person)
        diagnosis.patient = patient
        create_record(diagnosis, by=by)
        if protocol is not None:
            start_course(
                patient=patient, protocol=protocol, first_planned_on=first_planned_on, intent=intent, by=by
            )
    return patient
