"""Who may do what: the acts, and the roles that may perform them at their own centre.

Deny, then allow: what is not listed here is refused. In words: docs/access.md.
"""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from languages.wording import Words, gettext_noop


class Act(StrEnum):
    """What a door may ask about before it opens. Every act is bound to a centre."""

    VIEW_RESULTS = "view_results"  # dashboards and results of the centre's patients
    VIEW_RECORDS = "view_records"  # clinical records under registry numbers
    VIEW_IDENTITY = "view_identity"  # names and MRNs
    # Patient, diagnosis, performance status, prior therapies, contacts, disease events, death.
    EDIT_PATIENTS = "edit_patients"
    EDIT_TREATMENTS = (
        "edit_treatments"  # courses and all that belongs to them: cycles, laboratory values, toxicity, doses
    )
    EDIT_IMAGING = "edit_imaging"  # studies, lesions, measurements and readings
    SIGN_READINGS = "sign_readings"  # the response that counts
    IMPORT_FILES = (
        "import_files"  # files of many patients; who may holds every right to edit, and sees identities
    )
    CORRECT_IN_ADMIN = "correct_in_admin"  # the correction desk
    MANAGE_USERS = "manage_users"  # users and memberships
    MANAGE_COHORTS = "manage_cohorts"  # cohorts, protocols, reference ranges and the texts of letters


# What a refusal says that the roles do not include.
ACT_WORDS: Words[Act] = Words(
    {
        Act.VIEW_RESULTS: gettext_noop("see dashboards and results"),
        Act.VIEW_RECORDS: gettext_noop("see patients' records"),
        Act.VIEW_IDENTITY: gettext_noop("see names and MRNs"),
        Act.EDIT_PATIENTS: gettext_noop(
            "enter or change patients, diagnoses, performance status, prior therapies, contacts, disease events and deaths"
        ),
        Act.EDIT_TREATMENTS: gettext_noop(
            "enter or change courses, cycles, laboratory values, toxicity and doses"
        ),
        Act.EDIT_IMAGING: gettext_noop("enter or change studies, lesions and readings"),
        Act.SIGN_READINGS: gettext_noop("sign readings"),
        Act.IMPORT_FILES: gettext_noop("import files"),
        Act.CORRECT_IN_ADMIN: gettext_noop("correct records in the admin"),
        Act.MANAGE_USERS: gettext_noop("manage users and their roles"),
        Act.MANAGE_COHORTS: gettext_noop(
            "manage cohorts, protocols, reference ranges and the texts of letters"
        ),
    }
)


class Role(models.TextChoices):
    COORDINATOR = "coordinator", _("Coordinator")
    PHYSICIAN = "physician", _("Physician")
    PHYSICIST = "physicist", _("Physicist")
    READER = "reader", pgettext_lazy("role", "Reader")
    DATA_MANAGER = "data_manager", _("Data manager")
    RESEARCHER = "researcher", _("Researcher")
    INTEGRATION = "integration", _("Integration")
    ADMINISTRATOR = "administrator", _("Administrator")


_CLINICAL = {Act.VIEW_RESULTS, Act.VIEW_RECORDS, Act.VIEW_IDENTITY}
_EDITS = {Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS, Act.EDIT_IMAGING}

ROLE_ACTS: dict[str, frozenset[Act]] = {
    Role.COORDINATOR: frozenset(_CLINICAL | {Act.EDIT_PATIENTS, Act.EDIT_TREATMENTS}),
    Role.PHYSICIAN: frozenset(_CLINICAL | _EDITS | {Act.SIGN_READINGS, Act.IMPORT_FILES}),
    Role.PHYSICIST: frozenset(_CLINICAL | {Act.EDIT_TREATMENTS}),
    Role.READER: frozenset(_CLINICAL | {Act.EDIT_IMAGING, Act.SIGN_READINGS}),
    Role.DATA_MANAGER: frozenset(
        _CLINICAL | _EDITS | {Act.IMPORT_FILES, Act.CORRECT_IN_ADMIN, Act.MANAGE_COHORTS}
    ),
    Role.RESEARCHER: frozenset({Act.VIEW_RESULTS}),
    Role.INTEGRATION: frozenset({Act.VIEW_RESULTS, Act.VIEW_RECORDS} | _EDITS),
    Role.ADMINISTRATOR: frozenset(
        {Act.VIEW_RESULTS, Act.VIEW_RECORDS, Act.CORRECT_IN_ADMIN, Act.MANAGE_USERS}
    ),
}


def roles_with(act: Act) -> list[str]:
    """Return the roles that may perform ``act`` at their centre."""
    return [role for role, acts in ROLE_ACTS.items() if act in acts]
