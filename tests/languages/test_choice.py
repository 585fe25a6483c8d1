"""In which language a page speaks, and who chose it."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from tests.clinic.test_pages import signed_in
from tests.factories import CentreFactory, make_user

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("de-AT,de;q=0.9,en;q=0.5", "de"), ("en-US,en", "en"), ("fr", "en"), ("", "en"), ("*;q=x;;,", "en")],
)
def test_the_sign_in_speaks_the_language_of_the_browser_else_english(accepted, language):
    page = Client().get(reverse("account_login"), HTTP_ACCEPT_LANGUAGE=accepted)
    assert f'<html lang="{language}">' in page.content.decode()
    assert page["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= set(page["Vary"].split(", "))


def test_a_choice_holds_in_this_browser_and_wherever_the_person_signs_in():
    user = make_user(role=Role.COORDINATOR, centre=CentreFactory())
    client = signed_in(user)
    answer = client.post(reverse("choose-language"), {"language": "de", "next": "/patients/?status=due"})
    assert (answer.status_code, answer["Location"]) == (302, "/patients/?status=due")
    assert '<html lang="de">' in client.get("/").content.decode()
    assert '<html lang="de">' in signed_in(user).get("/").content.decode()
    assert '<html lang="en">' in signed_in(make_user(username="other")).get("/help/").content.decode()
    client.post(reverse("choose-language"), {"language": "en-gb"})
    assert '<html lang="en">' in client.get("/", **GERMAN).content.decode()


def test_a_choice_before_signing_in_holds_in_this_browser():
    client = Client()
    client.post(reverse("choose-language"), {"language": "de", "next": reverse("account_login")})
    assert '<html lang="de">' in client.get(reverse("account_login")).content.decode()
    assert not User.objects.exclude(language="").exists()


@pytest.mark.parametrize(
    "place", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""]
)
def test_a_choice_leads_to_no_other_site(place):
    answer = Client().post(reverse("choose-language"), {"language": "de", "next": place})
    assert answer["Location"] == "/"


def test_an_unknown_language_changes_nothing():
    user = make_user(role=Role.COORDINATOR, centre=CentreFactory())
    client = signed_in(user)
    answer = client.post(reverse("choose-language"), {"language": "tlh"})
    assert not answer.cookies
    user.refresh_from_db()
    assert user.language == ""


def test_the_api_speaks_english_whatever_the_browser_asks():
    user = make_user(role=Role.COORDINATOR, centre=CentreFactory())
    User.objects.filter(pk=user.pk).update(language="de")
    answer = signed_in(user).get("/api/v1/patients/?unknown=1", **GERMAN)
    assert "Content-Language" not in answer
    assert "Accept-Language" not in answer.get("Vary", "")
