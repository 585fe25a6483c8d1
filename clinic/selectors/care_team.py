"""Who looks after one patient, and who could."""

from dataclasses import dataclass

from accounts.access import Act, roles_with
from accounts.models import User
from clinic.models import CareTeamMember
from clinic.selectors.names import person_name
from clinic.services.care_team import may_name_others
from patients.models import Patient


@dataclass(frozen=True)
class Team:
    """Names of those who look after a patient, and who may be named, as pairs of id and name.

    Attributes:
        is_mine: who asks is among them.
        colleagues: the others among them, by id.
        others: who could look after the patient too; empty for who may speak for themselves alone.
    """

    names: list[str]
    is_mine: bool
    may_name_others: bool
    colleagues: list[tuple[str, str]]
    others: list[tuple[str, str]]


def team_of(user: User, patient: Patient) -> Team:
    """Return the care team of a patient whom ``user`` may see. Two queries at the most."""
    members = CareTeamMember.objects.filter(patient=patient, user__is_active=True).select_related("user")
    team = [member.user for member in members]
    named = may_name_others(user, patient)
    could: list[User] = []
    if named:
        found = User.objects.filter(
            is_active=True,
            memberships__centre=patient.centre_id,
            memberships__role__in=roles_with(Act.VIEW_RECORDS),
        )
        could = list(found.distinct().order_by("last_name", "first_name", "username"))
    return Team(
        names=[person_name(one) for one in team],
        is_mine=user in team,
        may_name_others=named,
        colleagues=[(str(one.pk), person_name(one)) for one in team if one != user] if named else [],
        others=[(str(one.pk), person_name(one)) for one in could if one not in team],
    )
