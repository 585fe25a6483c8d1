"""Two desks at once: one wins, the other is told, and no contradiction is stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from accounts.errors import RegistryError
from accounts.records import create_record
from patients.models import Death, DeathCause
from tests.factories import CourseFactory, make_user
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
            by=physician,
        ),
        lambda: create_record(
            Death(patient=course.patient, died_on=date(2019, 2, 1), cause=DeathCause.OTHER), by=physician
        ),
    )

    assert answers.count(None) == 1
    assert "died on 2019-02-01" in str(next(filter(None, answers)))
