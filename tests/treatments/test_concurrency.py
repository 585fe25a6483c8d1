"""Two desks at once: one wins, the other is told, and no contradiction is stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from accounts.errors import RegistryError
from accounts.records import create_record, void_record
from patients.models import Contact, Death, DeathCause
from tests.factories import CourseFactory, PatientFactory, make_user
from treatments import services
from treatments.models import Administration, Cycle


@pytest.fixture
def physician(committed):
    return make_user(username="physician")


@pytest.fixture
def course(committed):
    with transaction.atomic():
        return CourseFactory(given=1)


def together(*acts):
    """Run the acts at the same moment, each on a connection of its own; return what each raised or None."""
    start = Barrier(len(acts))

    def run(act):
        try:
            start.wait()
            act()
        except (RegistryError, ValidationError) as refused:
            return refused
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(len(acts)) as desks:
        return list(desks.map(run, acts))


def test_eight_desks_give_the_same_cycle_and_one_wins(course, physician):
    cycle = Cycle.objects.get(course=course, number=2)

    answers = together(
        *[
            lambda: services.administer_cycle(
                cycle=cycle,
                administered_at=datetime(2019, 3, 4, 9, tzinfo=UTC),
                administered_activity_mbq=Decimal("7400"),
                confirmation_reason="Values are on paper",
                by=physician,
            )
        ]
        * 8
    )

    assert answers.count(None) == 1
    assert {answer.code for answer in answers if answer} == {"already_given"}
    assert Administration.objects.filter(cycle=cycle).count() == 1


def test_a_death_and_a_later_cycle_entered_at_once_are_not_both_stored(course, physician):
    cycle = Cycle.objects.get(course=course, number=2)

    answers = together(
        lambda: services.administer_cycle(
            cycle=cycle,
            administered_at=datetime(2019, 3, 4, 9, tzinfo=UTC),
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=physician,
        ),
        lambda: create_record(
            Death(patient=course.patient, died_on=date(2019, 2, 1), cause=DeathCause.OTHER), by=physician
        ),
    )

    assert answers.count(None) == 1
    assert "died on 2019-02-01" in str(next(filter(None, answers)))


def test_a_patient_is_not_voided_under_what_another_desk_enters(physician):
    for number in range(5):
        with transaction.atomic():
            patient = PatientFactory(registry_number=f"STA-{number + 1:04d}")
        contact = Contact(patient=patient, known_alive_on=date(2020, 2, 2))

        answers = together(
            lambda patient=patient: void_record(patient, by=physician, reason="Registered twice"),
            lambda contact=contact: create_record(contact, by=physician),
        )

        assert answers.count(None) == 1
        assert next(filter(None, answers)).code in {"has_records", "parent_voided"}
        assert Contact.objects.filter(patient__voided_at__isnull=False).count() == 0


def test_the_acts_of_a_course_never_wait_for_each_other_in_a_ring(course, physician):
    cycle = Cycle.objects.get(course=course, number=2)
    administration = Administration.objects.get(cycle__course=course, cycle__number=1)

    for _ in range(5):
        answers = together(
            lambda: services.correct_cycle(cycle, {"note": "x"}, by=physician, reason="Asked"),
            lambda: services.correct_administration(
                administration, {"lot": "L1"}, by=physician, reason="Label"
            ),
            lambda: services.correct_cycle(cycle, {"note": "y"}, by=physician, reason="Asked"),
            lambda: services.correct_administration(
                administration, {"lot": "L2"}, by=physician, reason="Label"
            ),
        )
        assert answers == [None] * 4
