"""Patients who may be the person that is about to be registered."""

import re
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.models import Centre, User
from patients.models import Patient, PatientIdentity, names_resemble

MOST_SHOWN = 5


@dataclass(frozen=True)
class Resembling:
    """A patient of the centre who resembles the person, and in what."""

    patient: Patient
    name: str
    why: str
    is_same_mrn: bool = False


def resembling(
    user: User, centre: Centre, *, birth_date: date, sex: str, mrn: str = "", family_name: str = ""
) -> list[Resembling]:
    """Return patients in force of the centre with this MRN, or with this date of birth and a name that resembles.

    Who may not see identity compares date of birth and sex, and is told no name.
    """
    patients = Patient.objects.visible_to(user).current().filter(centre=centre)
    if not user.may(Act.VIEW_IDENTITY, centre.pk):
        same = patients.filter(birth_date=birth_date, sex=sex).order_by("registry_number")
        return [Resembling(one, "", _("the same date of birth and sex")) for one in same[:MOST_SHOWN]]
    identities = PatientIdentity.objects.visible_to(user, Act.VIEW_IDENTITY).current()
    # Of a double name, either half may be what is recorded.
    parts = [names_resemble(part) for part in re.split(r"[\s-]+", family_name) if part]
    named = Q(patient__birth_date=birth_date) & reduce(or_, parts, Q())
    rows = identities.filter(Q(mrn__iexact=mrn) | named, patient__in=patients).select_related("patient")
    found = []
    for row in rows.order_by("patient__registry_number")[:MOST_SHOWN]:
        is_same_mrn = row.mrn.casefold() == mrn.casefold()
        why = _("the same MRN") if is_same_mrn else _("the same date of birth and a like name")
        name = ", ".join(filter(None, [row.family_name, row.given_names]))
        found.append(Resembling(row.patient, name, why, is_same_mrn))
    return found
