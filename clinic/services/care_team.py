"""Who looks after a patient."""

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import User
from clinic.models import CareTeamMember
from patients.models import Patient

_EDITS = (Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS, Act.EDIT_IMAGING)


def may_name_others(user: User, patient: Patient) -> bool:
    """Return whether ``user`` may say that somebody else looks after the patient."""
    return any(user.may(act, patient.centre_id) for act in _EDITS)


def _require(by: User, patient: Patient, user: User) -> None:
    by.require(Act.VIEW_RECORDS, patient.centre_id)
    if by != user and not may_name_others(by, patient):
        raise PermissionDenied(_("With your roles here you may say of yourself alone whom you look after."))


@transaction.atomic
def look_after(*, patient: Patient, user: User, by: User) -> CareTeamMember:
    """Record that ``user`` looks after the patient. Saying so twice changes nothing.

    Raises:
        PermissionDenied: ``by`` may not see the patient, or not speak for others.
        RegistryError: ``not_of_centre`` when ``user`` may not see the patient's records.
    """
    _require(by, patient, user)
    if not user.may(Act.VIEW_RECORDS, patient.centre_id):
        raise RegistryError(
            "not_of_centre", _("{user} may not see the records of this patient.").format(user=user.username)
        )
    return CareTeamMember.objects.get_or_create(patient=patient, user=user)[0]


@transaction.atomic
def end_looking_after(*, patient: Patient, user: User, by: User) -> None:
    """Record that ``user`` no longer looks after the patient.

    Raises:
        PermissionDenied: as ``look_after``.
    """
    _require(by, patient, user)
    CareTeamMember.objects.filter(patient=patient, user=user).delete()
