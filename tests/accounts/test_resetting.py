"""A forgotten password: by e-mail only where a mail server is named, and nobody learns who has an account."""

import re

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ADDRESS = "/account/password/reset/"


@pytest.fixture
def user(centre) -> User:
    return make_user(centre=centre, username="nurse", email="nurse@clinic.example")


def test_without_a_mail_server_nothing_is_sent_and_the_page_says_whom_to_ask(user, settings):
    settings.EMAIL_HOST = ""
    client = Client()
    assert "gives you a link to set a new one" in client.get(ADDRESS).content.decode()
    assert client.post(ADDRESS, {"email": user.email}).status_code == 405
    assert mail.outbox == []


def test_with_one_the_link_sets_a_new_password_once(user, settings):
    settings.EMAIL_HOST = "mail.clinic.example"
    client = Client()
    assert "Forgot your password?" in client.get("/account/login/").content.decode()
    assert 'name="email"' in client.get(ADDRESS).content.decode()
    answer = client.post(ADDRESS, {"email": user.email}, follow=True)
    assert "If an account has this address" in answer.content.decode()
    (message,) = mail.outbox
    assert message.to == [user.email]
    (link,) = re.findall(r"http://testserver(/account/password/reset/key/\S+)", message.body)

    form = client.get(link, follow=True)
    new = "a quite long new password"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    user.refresh_from_db()
    assert user.check_password(new)
    again = Client().get(link, follow=True)
    assert "password1" not in again.content.decode()


def test_an_address_that_nobody_has_is_answered_alike(user, settings):
    settings.EMAIL_HOST = "mail.clinic.example"
    known = Client().post(ADDRESS, {"email": user.email}, follow=True).content.decode()
    unknown = Client().post(ADDRESS, {"email": "nobody@clinic.example"}, follow=True).content.decode()
    assert [message.to for message in mail.outbox] == [[user.email]]
    without_token = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert without_token.sub("", known) == without_token.sub("", unknown)
