"""Registering patients. Plain facts about a patient are stored with ``accounts.records.create_record``."""

from datetime import date

from django.db.models import BigIntegerField, Max
from django.db.models.functions import Cast, Substr

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import clinical_write, create_record
from patients.models import Patient, PatientIdentity


def next_registry_number(centre: Centre) -> str:
    """Return the first free number of the centre, such as STA-0064. Call with the centre's row locked."""
    counter = Cast(Substr("registry_number", len(centre.code) + 2), BigIntegerField())
    # Voided patients keep their numbers: they stand in letters and lists outside of the registry.
    numbered = Patient.objects.filter(registry_number__regex=rf"^{centre.code}-[0-9]+$")
    last = numbered.aggregate(last=Max(counter))["last"] or 0
    return f"{centre.code}-{last + 1:04d}"


def register_patient(
    *,
    centre: Centre,
    sex: str,
    birth_date: date,
    mrn: str = "",
    family_name: str = "",
    given_names: str = "",
    by: User | None,
) -> Patient:
    """Register a person at a centre, with an identity where an MRN is given.

    Raises:
        PermissionDenied: ``by`` may not register patients, or not see identities, at this centre.
        ValidationError: a value breaks a rule, for instance an MRN that another patient of the centre has.
    """
    if by is not None and mrn:
        by.require(Act.VIEW_IDENTITY, centre.pk)
    with clinical_write(by=by):
        # Two desks registering at once must not be given the same number.
        Centre.objects.select_for_update().get(pk=centre.pk)
        patient = Patient(
            centre=centre, registry_number=next_registry_number(centre), sex=sex, birth_date=birth_date
        )
        create_record(patient, by=by)
        if mrn:
            identity = PatientIdentity(
                patient=patient, centre=centre, mrn=mrn, family_name=family_name, given_names=given_names
            )
            create_record(identity, by=by)
    return patient
