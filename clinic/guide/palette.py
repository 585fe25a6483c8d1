"""The pages and acts that a user can go to from anywhere: what the palette lists, and what two keys open."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext_noop as _

from accounts.access import Act
from accounts.models import User
from languages.wording import gettext


@dataclass(frozen=True)
class Place:
    """Somewhere to go.

    Attributes:
        act: what a role must allow; None: everybody who is signed in.
        keys: pressed one after another; blank: none.
        words: further words it is found by. Like the label they are translated where they are offered.
    """

    label: str
    route: str
    act: Act | None = None
    keys: str = ""
    words: str = ""


PLACES = (
    Place(_("Home: what is due"), "home", None, "g h", _("worklist start")),
    Place(_("Patients"), "patient-list", Act.VIEW_RECORDS, "g p", _("list search")),
    Place(_("Register a patient"), "patient-register", Act.EDIT_PATIENTS, "n", _("new add enrol")),
    Place(_("Dashboards"), "cohort-list", Act.VIEW_RESULTS, "g d", _("cohorts results survival outcomes")),
    Place(_("Data queries"), "query-list", Act.VIEW_RECORDS, "g q", _("quality questions")),
    Place(_("Calendar"), "calendar", Act.VIEW_RECORDS, "g c", _("month planned dates")),
    Place(_("Import a file"), "import-list", Act.IMPORT_FILES, "", _("upload csv xlsx excel sheet")),
    Place(
        _("Reminders: calendar feed, weekly e-mail"),
        "reminders",
        Act.VIEW_RECORDS,
        "",
        _("ical subscription digest"),
    ),
    Place(_("Explore an endpoint"), "cohort-explore", Act.VIEW_RESULTS, "", _("survival analysis")),
    Place(_("Compare two cohorts"), "cohort-compare", Act.VIEW_RESULTS, "", _("log-rank hazard")),
    Place(_("Build a cohort"), "cohort-new", Act.VIEW_RESULTS, "", _("new filter definition")),
    Place(_("Protocols"), "protocol-list", Act.VIEW_RESULTS, "", _("plan cycles activity")),
    Place(_("Reference ranges"), "reference-ranges", Act.VIEW_RECORDS, "", _("laboratory limits of normal")),
    Place(_("Texts of letters"), "letter-list", Act.MANAGE_COHORTS, "", _("documents templates")),
    Place(_("People"), "people", Act.MANAGE_USERS, "", _("users roles accounts")),
    Place(_("Admin"), "admin:index", Act.CORRECT_IN_ADMIN, "", _("corrections desk")),
    Place(_("Help"), "help", None, "", _("documentation manual")),
    Place(_("Glossary"), "help-glossary", None, "", _("terms words abbreviations")),
    Place(_("Tour"), "help-tour", None, "", _("introduction first steps")),
    Place(_("Keyboard shortcuts"), "help-shortcuts", None, "?", _("keys")),
    Place(_("Style guide"), "styleguide", None, "", _("design components")),
    Place(_("Your account: sessions, tokens"), "account-security", None, "", _("sign-ins password security")),
    Place(_("Change password"), "account_change_password", None, "", _("account")),
    Place(_("Two-factor sign-in"), "mfa_index", None, "", _("account security")),
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
        found.append(Offer(gettext(place.label), reverse(place.route), place.keys, gettext(place.words)))
    return found
