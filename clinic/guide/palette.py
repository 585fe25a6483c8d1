"""The pages and acts that a user can go to from anywhere: what the palette lists, and what two keys open."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.access import Act
from accounts.models import User


@dataclass(frozen=True)
class Place:
    """Somewhere to go.

    Attributes:
        act: what a role must allow; None: everybody who is signed in.
        keys: pressed one after another; blank: none.
        words: further words it is found by.
    """

    label: str
    route: str
    act: Act | None = None
    keys: str = ""
    words: str = ""


PLACES = (
    Place("Home: what is due", "home", None, "g h", "worklist start"),
    Place("Patients", "patient-list", Act.VIEW_RECORDS, "g p", "list search"),
    Place("Register a patient", "patient-register", Act.EDIT_PATIENTS, "n", "new add enrol"),
    Place("Dashboards", "cohort-list", Act.VIEW_RESULTS, "g d", "cohorts results survival outcomes"),
    Place("Data queries", "query-list", Act.VIEW_RECORDS, "g q", "quality questions"),
    Place("Calendar", "calendar", Act.VIEW_RECORDS, "g c", "month planned dates"),
    Place("Import a file", "import-list", Act.IMPORT_FILES, "", "upload csv xlsx excel sheet"),
    Place(
        "Reminders: calendar feed, weekly e-mail",
        "reminders",
        Act.VIEW_RECORDS,
        "",
        "ical subscription digest",
    ),
    Place("Explore an endpoint", "cohort-explore", Act.VIEW_RESULTS, "", "survival analysis"),
    Place("Compare two cohorts", "cohort-compare", Act.VIEW_RESULTS, "", "log-rank hazard"),
    Place("Build a cohort", "cohort-new", Act.VIEW_RESULTS, "", "new filter definition"),
    Place("Protocols", "protocol-list", Act.VIEW_RESULTS, "", "plan cycles activity"),
    Place("Reference ranges", "reference-ranges", Act.VIEW_RECORDS, "", "laboratory limits of normal"),
    Place("Texts of letters", "letter-list", Act.MANAGE_COHORTS, "", "documents templates"),
    Place("People", "people", Act.MANAGE_USERS, "", "users roles accounts"),
    Place("Admin", "admin:index", Act.CORRECT_IN_ADMIN, "", "corrections desk"),
    Place("Help", "help", None, "", "documentation manual"),
    Place("Glossary", "help-glossary", None, "", "terms words abbreviations"),
    Place("Tour", "help-tour", None, "", "introduction first steps"),
    Place("Keyboard shortcuts", "help-shortcuts", None, "?", "keys"),
    Place("Style guide", "styleguide", None, "", "design components"),
    Place("Your account: sessions, tokens", "account-security", None, "", "sign-ins password security"),
    Place("Change password", "account_change_password", None, "", "account"),
    Place("Two-factor sign-in", "mfa_index", None, "", "account security"),
)


@dataclass(frozen=True)
class Offer:
    label: str
    url: str
    keys: str
    words: str


def offers_to(user: User) -> list[Offer]:
    """Return where this user can go, in order. No query beside that of the memberships."""
    found = []
    for place in PLACES:
        if place.act is not None and not user.may(place.act):
            continue
        found.append(Offer(place.label, reverse(place.route), place.keys, place.words))
    return found
