"""The names of patients, for who may see them."""

import uuid
from collections.abc import Iterable

from accounts.access import Act
from accounts.models import User
from patients.models import PatientIdentity


def names_of(user: User, patient_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return ``Family, Given`` of the patients whose identity ``user`` may see. One query, none for who may see none."""
    if not user.may(Act.VIEW_IDENTITY):
        return {}
    identities = PatientIdentity.objects.visible_to(user, Act.VIEW_IDENTITY).current()
    rows = identities.filter(patient__in=set(patient_ids)).values_list(
        "patient_id", "family_name", "given_names"
    )
    return {pk: ", ".join(filter(None, [family, given])) for pk, family, given in rows}


def person_name(person: User) -> str:
    """Return how somebody who works here is called."""
    return person.get_full_name() or person.username
