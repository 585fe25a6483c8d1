"""What leaves the registry speaks the language that its owner chose, whoever runs the task."""

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Role, User
from clinic import services
from tests.factories import CourseFactory, PatientFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reminded(centre, user_with) -> User:
    user = user_with(Role.COORDINATOR, username="coordinator")
    User.objects.filter(pk=user.pk).update(email="coordinator@example.org", language="de")
    user.refresh_from_db()
    services.choose_reminders(
        user=user, email="coordinator@example.org", own_patients_only=False, weekly_digest=True
    )
    CourseFactory(patient=PatientFactory(centre=centre), given=1)
    return user


def test_the_weekly_mail_is_german_for_who_chose_german(reminded):
    assert services.send_digests(timezone.now()) == 1
    (message,) = mail.outbox
    assert message.subject.startswith("PRRT-Register: ")
    assert message.subject.endswith(" diese Woche fällig")
    assert message.body.startswith("Fällig an Ihrem Zentrum, nach dem jetzigen Stand des Registers:")
    assert "„Erinnerungen“" in message.body
    assert translation.get_language() == "en-gb"


@pytest.mark.parametrize("language", ["", "en-gb"])
def test_it_is_english_for_all_others_whatever_language_is_active(reminded, language):
    User.objects.update(language=language)
    with translation.override("de"):
        services.send_digests(timezone.now())
    (message,) = mail.outbox
    assert message.subject.startswith("PRRT registry: ")
    assert message.body.startswith("Due at your centre, as the registry stands now:")


def test_the_calendar_speaks_its_owners_language_not_the_programs(reminded):
    address = reverse("calendar-feed", args=[services.make_feed(user=reminded)])
    for accepted in ("en", "de"):
        assert b"X-WR-CALNAME:PRRT-Register" in Client().get(address, HTTP_ACCEPT_LANGUAGE=accepted).content
    User.objects.update(language="")
    assert b"X-WR-CALNAME:PRRT registry" in Client().get(address, HTTP_ACCEPT_LANGUAGE="de").content
