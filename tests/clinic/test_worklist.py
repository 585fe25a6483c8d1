"""What is due: low counts and toxicity, whose patients, the calendar, the feed behind its secret, the weekly e-mail."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from accounts.models import Role, User
from clinic import services
from clinic.models import CareTeamMember, Reminders
from clinic.selectors import calendar, worklist
from clinic.selectors.whose import Whose
from patients.models import Patient
from tests.clinic.test_pages import signed_in
from tests.factories import (
    AdverseEventFactory,
    CourseFactory,
    DeathFactory,
    DoseDecisionFactory,
    LabResultFactory,
    PatientFactory,
    PatientIdentityFactory,
    make_user,
)
from treatments.models import Attribution, Cycle, LabAnalyte

pytestmark = pytest.mark.django_db
NOW = timezone.now()
TODAY = NOW.date()


@pytest.fixture
def nurse(centre) -> User:
    return make_user(role=Role.COORDINATOR, centre=centre, username="nurse")


def next_cycle(patient: Patient, on: date = TODAY + timedelta(days=10)) -> Cycle:
    """Give a patient a course whose first cycle is planned for ``on``."""
    course = CourseFactory(patient=patient)
    for number in (1, 2, 3, 4):
        planned_on = on + timedelta(days=56 * (number - 1))
        course.cycles.filter(number=number).update(planned_on=planned_on)
    return course.cycles.get(number=1)


def shown(user: User, kind: str, **whose: Any) -> list[str]:
    found = worklist.worklist(user, NOW, kind=kind, **whose)
    return [row.patient.registry_number for part in found.parts for row in part.rows if part.kind.key == kind]


def count(patient: Patient, analyte: str, value: str, *, days_ago: int = 3) -> None:
    LabResultFactory(
        patient=patient, analyte=analyte, value=Decimal(value), taken_at=NOW - timedelta(days=days_ago)
    )


@pytest.mark.parametrize(
    ("analyte", "held", "not_held"),
    [
        # CTCAE v5.0: platelets grade 2 below 75, haemoglobin grade 3 below 80 g/L, neutrophils grade 3 below 1.0.
        (LabAnalyte.PLATELETS, "74.9", "75"),
        (LabAnalyte.HAEMOGLOBIN, "79.9", "80"),
        (LabAnalyte.NEUTROPHILS, "0.99", "1.0"),
    ],
)
def test_counts_are_low_below_the_grade_from_which_the_protocol_holds(centre, nurse, analyte, held, not_held):
    low, enough = PatientFactory(centre=centre), PatientFactory(centre=centre)
    for patient, value in ((low, held), (enough, not_held)):
        next_cycle(patient)
        count(patient, analyte, value)
    assert shown(nurse, "counts") == [low.registry_number]
    page = signed_in(nurse).get("/?due=counts").content.decode()
    assert f"{held} " in page.replace("\N{NO-BREAK SPACE}", " ").replace("×", " ")
    assert "the protocol holds from grade" in page


def test_only_the_newest_count_speaks_and_a_decision_after_it_settles_it(centre, nurse):
    recovered, decided, old = (PatientFactory(centre=centre) for _ in range(3))
    for patient in (recovered, decided, old):
        cycle = next_cycle(patient)
        count(patient, LabAnalyte.PLATELETS, "60", days_ago=200 if patient is old else 10)
        if patient is decided:
            assert shown(nurse, "counts") == [decided.registry_number]
            DoseDecisionFactory(cycle=cycle, decided_at=NOW - timedelta(days=1))
        if patient is recovered:
            count(patient, LabAnalyte.PLATELETS, "140", days_ago=2)
    assert shown(nurse, "counts") == []


def test_unresolved_toxicity_from_grade_3_is_looked_at(centre, nurse):
    def event(**values: Any) -> str:
        patient = PatientFactory(centre=centre)
        onset_on = TODAY - timedelta(days=5)
        values = {
            "grade": 3,
            "onset_on": onset_on,
            "resolved_on": None,
            "attribution": Attribution.PROBABLE,
        } | values
        AdverseEventFactory(patient=patient, **values)
        return patient.registry_number

    seen = {event(), event(grade=4)}
    event(grade=2)
    event(grade=5)  # a death is recorded as one
    event(resolved_on=TODAY)
    event(attribution=Attribution.UNLIKELY)
    dead = PatientFactory(centre=centre)
    AdverseEventFactory(patient=dead, grade=3, onset_on=TODAY - timedelta(days=9), resolved_on=None)
    DeathFactory(patient=dead, died_on=TODAY - timedelta(days=1))
    assert set(shown(nurse, "toxicity")) == seen


def test_the_list_is_narrowed_to_whom_one_looks_after(centre, nurse):
    mine, other = PatientFactory(centre=centre), PatientFactory(centre=centre)
    for patient in (mine, other):
        next_cycle(patient)
    client = signed_in(nurse)
    answer = client.post(reverse("care-team", args=[mine.pk]), {"add": "me"}, follow=True)
    assert f"You now look after {mine.registry_number}." in answer.content.decode()
    client.post(reverse("care-team", args=[mine.pk]), {"add": "me"})
    assert CareTeamMember.objects.count() == 1

    assert shown(nurse, "upcoming", whose=Whose(cared_for_by=nurse.pk)) == [mine.registry_number]
    assert shown(nurse, "upcoming", whose=Whose(by_nobody=True)) == [other.registry_number]
    page = client.get("/?who=me").content.decode()
    assert mine.registry_number in page
    assert other.registry_number not in page
    page = client.get("/?who=nobody").content.decode()
    assert other.registry_number in page
    assert mine.registry_number not in page
    assert client.get(f"/?who={make_user(username='stranger', centre=None).pk}").status_code == 404
    assert client.get("/?who=rubbish").status_code == 404

    client.post(reverse("care-team", args=[mine.pk]), {"end": "me"})
    assert not CareTeamMember.objects.exists()


def test_who_may_only_read_speaks_for_themselves_and_nobody_for_strangers(centre, nurse, other_centre):
    patient = PatientFactory(centre=centre)
    administrator = make_user(role=Role.ADMINISTRATOR, centre=centre, username="administrator")
    client = signed_in(administrator)
    address = reverse("care-team", args=[patient.pk])
    assert client.post(address, {"add": str(nurse.pk)}).status_code == 403
    assert client.post(address, {"add": "me"}).status_code == 302
    stranger = make_user(role=Role.PHYSICIAN, centre=other_centre, username="stranger")
    answer = signed_in(nurse).post(address, {"add": str(stranger.pk)}, follow=True)
    assert "may not see the records of this patient" in answer.content.decode()
    assert signed_in(stranger).post(address, {"add": "me"}).status_code == 404
    assert list(CareTeamMember.objects.values_list("user__username", flat=True)) == ["administrator"]


def test_the_calendar_shows_each_thing_on_its_day_and_counts_what_does_not_fit(centre, nurse, other_centre):
    on = date(2031, 2, 28)
    patients = [PatientFactory(centre=centre) for _ in range(calendar.EACH_DAY + 2)]
    for patient in patients:
        next_cycle(patient, on)
    given = CourseFactory(patient=PatientFactory(centre=centre), given=1)
    next_cycle(PatientFactory(centre=other_centre), on)
    client = signed_in(nurse)

    page = client.get("/calendar/?month=2031-02").content.decode()
    assert [patient.registry_number in page for patient in patients].count(True) == calendar.EACH_DAY
    assert "2 more" in page
    assert "28 February, 7 in all" in page
    day = client.get("/calendar/?day=2031-02-28").content.decode()
    assert all(patient.registry_number in day for patient in patients)
    assert f"{other_centre.code}-" not in day
    january = client.get("/calendar/?month=2019-01").content.decode()
    assert given.patient.registry_number in january
    assert "Cycle 1 of 4 given" in january
    for wrong in ("month=2031-13", "month=x", "day=2031-02-30", "month=9999-12"):
        assert client.get(f"/calendar/?{wrong}").status_code == 404


def test_the_cycles_of_who_died_are_planned_on_no_day(centre, nurse):
    patient = PatientFactory(centre=centre)
    next_cycle(patient, date(2031, 2, 3))
    assert patient.registry_number in signed_in(nurse).get("/calendar/?day=2031-02-03").content.decode()
    DeathFactory(patient=patient)
    assert patient.registry_number not in signed_in(nurse).get("/calendar/?day=2031-02-03").content.decode()


def feed_of(user: User) -> str:
    page = signed_in(user).post("/reminders/", {"make_feed": "1"}).content.decode()
    found = re.search(r"http://testserver(/calendar/feed/[\w-]+\.ics)", page)
    assert found is not None
    return found[1]


def test_the_feed_says_what_is_planned_without_a_name_until_it_is_revoked(centre, nurse):
    patient = PatientFactory(centre=centre)
    PatientIdentityFactory(patient=patient, mrn="M-4711", family_name="Ørsted", given_names="Åse")
    cycle = next_cycle(patient)
    address = feed_of(nurse)
    answer = Client().get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/calendar")
    assert "no-store" in answer["Cache-Control"]
    events = {str(one["UID"]): one for one in Calendar.from_ical(answer.content).walk("VEVENT")}
    first = events[f"planned-{cycle.pk}@prrt-registry"]
    assert first["DTSTART"].dt == cycle.planned_on
    assert str(first["SUMMARY"]) == f"{patient.registry_number}: Cycle 1 of 4"
    text = answer.content.decode()
    assert not any(word in text for word in ("4711", "Ørsted", "Åse"))
    # The secret is not to be found where it is stored.
    assert Reminders.objects.get().feed_key not in address

    renewed = feed_of(nurse)
    assert Client().get(address).status_code == 404
    assert Client().get(renewed).status_code == 200
    signed_in(nurse).post("/reminders/", {"end_feed": "1"})
    assert Client().get(renewed).status_code == 404


def test_the_feed_ends_with_the_right_to_see_records(centre, nurse):
    address = feed_of(nurse)
    nurse.memberships.all().delete()
    assert Client().get(address).status_code == 404
    nurse.memberships.create(centre=centre, role=Role.COORDINATOR)
    assert Client().get(address).status_code == 200
    User.objects.filter(pk=nurse.pk).update(is_active=False)
    assert Client().get(address).status_code == 404


def test_the_weekly_e_mail_reaches_who_asked_once_a_week_and_names_nobody(centre, nurse):
    make_user(role=Role.PHYSICIAN, centre=centre, username="silent", email="silent@clinic.example")
    patient = PatientFactory(centre=centre)
    PatientIdentityFactory(patient=patient, family_name="Ørsted")
    next_cycle(patient)
    client = signed_in(nurse)
    for wrong in ({}, {"email": "nowhere"}):
        assert client.post("/reminders/", {"weekly_digest": "on", **wrong}).status_code == 422
    client.post("/reminders/", {"weekly_digest": "on", "email": "nurse@clinic.example"})

    monday = datetime(2026, 11, 23, 5, 10, tzinfo=UTC)
    assert services.send_digests(monday) == 1
    assert services.send_digests(monday + timedelta(days=6, hours=18)) == 0
    assert services.send_digests(monday + timedelta(days=7)) == 1
    assert [message.to for message in mail.outbox] == [["nurse@clinic.example"]] * 2
    words = mail.outbox[0].subject + mail.outbox[0].body
    assert "Cycles of the next 4 weeks" in words
    assert "Ørsted" not in words
    assert patient.registry_number not in words


def test_a_mail_server_that_is_away_loses_no_e_mail(centre, nurse, settings):
    services.choose_reminders(
        user=nurse, email="nurse@clinic.example", own_patients_only=False, weekly_digest=True
    )
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens to discard
    assert services.send_digests(NOW) == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert services.send_digests(NOW) == 1
