"""Pages of people, of errors and of the correction desk in German."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation

from accounts import services
from accounts.changes import changes_of
from accounts.models import Role, User
from languages.wording import within
from prrt_registry import failing
from tests.clinic.test_pages import signed_in
from tests.factories import DiagnosisFactory, PatientFactory, make_user

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
# Of an attribute that a browser reads as a number.
COMMA = re.compile(r'(?:width|height|max|value|min|step|x|y|cx|cy|r)="\d+,\d+"')


def german(client: Client, path: str, status: int = 200, **more: str) -> str:
    answer = client.get(path, **GERMAN, **more)
    assert answer.status_code == status
    page = answer.content.decode()
    assert '<html lang="de"' in page
    assert not COMMA.search(page)
    return page


def test_one_signs_in_in_german():
    page = german(Client(), reverse("account_login"))
    for words in (
        "<h1>Anmelden</h1>",
        "Passwort vergessen?",
        "Zum Inhalt springen",
        "PRRT-Register",
        "Angemeldet bleiben",
    ):
        assert words in page
    refused = Client().post(reverse("account_login"), {"login": "nobody", "password": "wrong"}, **GERMAN)
    assert "Sie sind nicht angemeldet" in refused.content.decode()
    assert "Fehler: " in refused.content.decode()


@pytest.mark.parametrize("name", ["account_reset_password", "account_logout"])
def test_pages_of_accounts_speak_german(name, user_with):
    page = german(signed_in(user_with(Role.READER)), reverse(name))
    assert "Anmeld" in page or "abmelden" in page.lower()


def test_a_missing_page_and_a_refused_one_speak_german(user_with):
    client = signed_in(user_with(Role.RESEARCHER))
    assert "Hier gibt es nichts, was Sie sehen können" in german(client, "/nowhere/", 404)
    refused = german(client, reverse("people"), 403)
    assert "Ihre Rollen hier umfassen dies nicht: Benutzer und ihre Rollen verwalten" in refused
    assert "With your roles" not in refused


def test_the_page_of_a_database_that_is_away_speaks_the_browsers_german():
    request = RequestFactory().post("/patients/", {"family_name": "x"})
    with translation.override("de"):
        try:
            raise OperationalError
        except OperationalError:
            page = failing.failed(request).content.decode()
    assert "Die Datenbank ist nicht erreichbar" in page
    assert "Noch einmal senden" in page
    assert '<html lang="de">' in page


def test_a_form_that_has_expired_says_so_in_german_and_names_its_language():
    """Django renders this page without what other pages are given."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post(reverse("account_login"), {"login": "x", "password": "y"}, **GERMAN)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Dieses Formular ist abgelaufen" in page
    assert '<html lang="de">' in page
    assert "/jsi18n/de/" in page


def test_a_failure_speaks_german_too():
    request = RequestFactory().get("/")
    with translation.override("de"):
        page = failing.failed(request).content.decode()
    assert "Fehler im Register" in page


def test_people_are_managed_in_german(centre, user_with):
    administrator = user_with(Role.ADMINISTRATOR, username="administrator")
    person = user_with(Role.COORDINATOR, username="nurse")
    client = signed_in(administrator)
    assert f"Koordination ({centre.code})" in german(client, reverse("people"))
    made = client.post(
        reverse("person", args=[person.pk]),
        {"act": "give-role", "role-centre": centre.pk, "role-role": "reader"},
        follow=True,
        **GERMAN,
    ).content.decode()
    assert f"nurse hat jetzt am Zentrum {centre.code} die Rolle Befundung." in made
    assert "Superuser" not in made
    own = german(client, reverse("account-security"))
    assert "Wo Sie angemeldet sind" in own or "Nur diese." in own
    refused = client.post(reverse("person", args=[person.pk]), {"act": "close", "close-reason": ""}, **GERMAN)
    assert "Geben Sie an, warum das Konto geschlossen wird." in refused.content.decode()


def test_what_was_done_to_an_account_is_stored_in_english_and_told_in_german(user_with):
    administrator = user_with(Role.ADMINISTRATOR, username="administrator")
    person = user_with(Role.COORDINATOR, username="nurse")
    client = signed_in(administrator)
    client.post(reverse("person", args=[person.pk]), {"act": "close", "close-reason": "Left us"}, **GERMAN)
    assert LogEntry.objects.get(object_id=str(person.pk)).change_message == "Closed the account: Left us"
    page = german(client, reverse("admin:accounts_user_history", args=[person.pk]))
    assert "Konto geschlossen: Left us" in page
    assert "Von der Datenbank selbst bei jeder Änderung geschrieben" in page


def test_the_history_says_values_as_germans_write_them(centre):
    record = DiagnosisFactory(
        patient=PatientFactory(centre=centre), diagnosed_on=date(2019, 3, 4), ki67_percent=Decimal("4.5")
    )
    with translation.override("de"):
        (entered,) = changes_of([record])
        said = {one.column.name: (one.old, one.new) for one in entered.fields}
    assert said["diagnosed_on"] == ("(leer)", "04.03.2019")
    assert said["ki67_percent"] == ("(leer)", "4,5")


def test_the_correction_desk_speaks_german(data_manager, centre):
    record = DiagnosisFactory(patient=PatientFactory(centre=centre))
    client = signed_in(data_manager)
    index = german(client, reverse("admin:index"))
    assert "Korrekturplatz" in index
    listed = german(client, reverse("admin:patients_diagnosis_changelist"))
    assert "Registernummer" in listed
    assert "Gültige" in listed
    assert "Nur stornierte" in listed
    changed = german(client, reverse("admin:patients_diagnosis_change", args=[record.pk]))
    assert "Begründung der Korrektur" in changed
    voiding = german(client, reverse("admin:patients_diagnosis_void", args=[record.pk]))
    assert "Warum wird der Eintrag storniert?" in voiding
    taken = client.post(
        reverse("admin:patients_diagnosis_changelist"),
        {"action": "export_csv", "_selected_action": [str(record.pk)]},
        **GERMAN,
    )
    assert taken.status_code == 200
    assert taken["Content-Disposition"].startswith("attachment; filename")
    assert taken.content.decode("utf-8-sig").startswith("Registernummer,")


def test_nouns_keep_their_capital_within_german_sentences():
    assert within("Coordinator") == "coordinator"
    with translation.override("de"):
        assert within("Koordination") == "Koordination"


def test_a_service_refuses_in_the_language_of_who_asked(user_with):
    administrator = user_with(Role.ADMINISTRATOR, username="administrator")
    with translation.override("de"), pytest.raises(Exception, match="Niemand verwaltet das eigene Konto"):
        services.close_account(person=administrator, reason="x", by=administrator)


def test_what_a_person_chose_is_kept_for_mails():
    user = make_user(username="somebody")
    services.choose_language("de", by=user)
    assert User.objects.get(pk=user.pk).language == "de"
