"""The acts of a course, through the database with all its checks."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.errors import RegistryError, StaleRecord
from accounts.models import Role
from accounts.records import correct_record, create_record, void_record
from patients.models import Death, DeathCause
from tests.factories import CourseFactory, PatientFactory, default_protocol
from treatments import services
from treatments.models import Administration, Cycle, CycleStatus

NINE = datetime(2019, 1, 7, 9, tzinfo=UTC)


def test_starting_a_course_plans_all_its_cycles(physician):
    course = services.start_course(
        patient=PatientFactory(), protocol=default_protocol(), first_planned_on=date(2019, 1, 7), by=physician
    )

    assert list(course.cycles.values_list("planned_on", flat=True)) == [
        date(2019, 1, 7),
        date(2019, 3, 4),
        date(2019, 4, 29),
        date(2019, 6, 24),
    ]


def test_giving_a_cycle_later_moves_those_that_follow(physician):
    course = CourseFactory()

    services.administer_cycle(
        cycle=course.cycles.get(number=1),
        administered_at=datetime(2019, 1, 21, 9, tzinfo=UTC),
        administered_activity_mbq=Decimal("7388"),
        confirmation_reason="Values are on paper",
        by=physician,
    )

    assert course.cycles.get(number=2).planned_on == date(2019, 3, 18)
    assert course.cycles.get(number=4).planned_on == date(2019, 7, 8)


def test_a_given_cycle_cannot_be_given_again(physician):
    cycle = CourseFactory(given=1).cycles.get(number=1)

    with pytest.raises(RegistryError) as refused:
        services.administer_cycle(
            cycle=cycle,
            administered_at=NINE,
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=physician,
        )

    assert refused.value.code == "already_given"
    assert Administration.objects.count() == 1


@pytest.mark.parametrize("activity", ["0", "-1"])
def test_a_given_cycle_needs_an_activity_above_zero(physician, activity):
    cycle = CourseFactory().cycles.get(number=1)

    with pytest.raises(ValidationError, match="above 0 MBq"):
        services.administer_cycle(
            cycle=cycle,
            administered_at=NINE,
            administered_activity_mbq=Decimal(activity),
            confirmation_reason="Values are on paper",
            by=physician,
        )

    cycle.refresh_from_db()
    assert cycle.status == CycleStatus.PLANNED


def test_cycles_are_given_on_different_days_in_order(physician):
    course = CourseFactory(given=2)

    with pytest.raises(
        ValidationError, match="Cycle 3 cannot have been given on or before the day of an earlier"
    ):
        services.administer_cycle(
            cycle=course.cycles.get(number=3),
            administered_at=datetime(2019, 1, 8, tzinfo=UTC),
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=physician,
        )


def test_a_cycle_beyond_the_protocol_is_refused(physician):
    course = CourseFactory()

    with pytest.raises(ValidationError, match="beyond the 4 cycles"):
        create_record(Cycle(course=course, number=5), by=physician)


def test_nothing_is_given_after_death(physician):
    course = CourseFactory(given=2)
    create_record(
        Death(patient=course.patient, died_on=date(2019, 4, 1), cause=DeathCause.COMORBIDITY), by=physician
    )

    with pytest.raises(ValidationError, match="died on 2019-04-01"):
        services.administer_cycle(
            cycle=course.cycles.get(number=3),
            administered_at=datetime(2019, 4, 29, tzinfo=UTC),
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=physician,
        )


def test_a_death_before_the_last_cycle_is_refused(physician):
    course = CourseFactory(given=2)

    with pytest.raises(ValidationError, match="died on 2019-03-03"):
        create_record(
            Death(patient=course.patient, died_on=date(2019, 3, 3), cause=DeathCause.COMORBIDITY),
            by=physician,
        )


def test_discontinuing_cancels_what_was_still_to_come_and_can_be_undone(physician):
    course = CourseFactory(given=2)

    stopped = services.discontinue_course(
        course=course, discontinued_on=date(2019, 4, 20), main_reason="comorbidity", by=physician
    )

    assert stopped.after_cycle == 2
    assert [cycle.status for cycle in course.cycles.all()] == ["given", "given", "cancelled", "cancelled"]

    services.void_discontinuation(stopped, by=physician, reason="Wrong patient.")
    assert [cycle.status for cycle in course.cycles.all()] == ["given", "given", "planned", "planned"]


def test_cycles_are_taken_back_from_the_last_one_on(physician):
    course = CourseFactory(given=3)
    administration = course.cycles.get(number=2).administrations.get()

    with pytest.raises(RegistryError, match=r"Cycle 3 of STA-.* was given after it") as refused:
        services.void_administration(administration, by=physician, reason="Entered for the wrong patient.")

    assert refused.value.code == "later_cycle_given"
    administration.refresh_from_db()
    assert administration.voided_at is None


@pytest.mark.parametrize("status", [CycleStatus.PLANNED, CycleStatus.HELD])
def test_a_cycle_is_not_given_while_an_earlier_one_is_not(physician, status):
    course = CourseFactory(given=1)
    Cycle.objects.filter(course=course, number=2).update(status=status)

    with pytest.raises(RegistryError, match=f"Cycle 2 of .* is {status.label.lower()}") as refused:
        services.administer_cycle(
            cycle=course.cycles.get(number=3),
            administered_at=datetime(2019, 4, 29, 9, tzinfo=UTC),
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=physician,
        )

    assert refused.value.code == "earlier_cycle_open"
    assert Administration.objects.count() == 1


@pytest.mark.parametrize(
    ("number", "code"), [(1, "cycle_given"), (2, "cycle_given"), (3, "later_cycle"), (4, None)]
)
def test_only_the_last_cycle_of_a_course_can_be_voided_and_no_given_one(physician, number, code):
    course = CourseFactory(given=2)
    cycle = course.cycles.get(number=number)

    if code is None:
        services.void_cycle(cycle, by=physician, reason="Three cycles were agreed")
    else:
        with pytest.raises(RegistryError) as refused:
            services.void_cycle(cycle, by=physician, reason="Three cycles were agreed")
        assert refused.value.code == code

    cycle.refresh_from_db()
    assert (cycle.voided_at is not None) == (code is None)


@pytest.mark.parametrize("wanted", CycleStatus.values)
@pytest.mark.parametrize("present", CycleStatus.values)
def test_a_status_is_corrected_between_planned_and_held_alone(physician, present, wanted):
    course = CourseFactory(given=1)
    cycle = course.cycles.get(number=1 if present == "given" else 2)
    if present in {"held", "cancelled"}:
        Cycle.objects.filter(pk=cycle.pk).update(status=present)
    is_open = {present, wanted} <= {"planned", "held"}

    if is_open or present == wanted:
        corrected = services.correct_cycle(
            cycle, {"status": wanted, "note": "x"}, by=physician, reason="Platelets"
        )
        assert (corrected.status, corrected.note) == (wanted, "x")
    else:
        with pytest.raises(RegistryError) as refused:
            services.correct_cycle(cycle, {"status": wanted, "note": "x"}, by=physician, reason="Platelets")
        assert refused.value.code == "cycle_status_follows"
        cycle.refresh_from_db()
        assert (cycle.status, cycle.note) == (present, "")


def test_voiding_an_administration_plans_its_cycle_again(physician):
    course = CourseFactory(given=2)
    administration = course.cycles.get(number=2).administrations.get()

    services.void_administration(administration, by=physician, reason="Entered for the wrong patient.")

    assert course.cycles.get(number=2).status == CycleStatus.PLANNED


def test_correcting_a_date_moves_the_following_cycle(physician):
    course = CourseFactory(given=1)
    administration = course.cycles.get(number=1).administrations.get()

    services.correct_administration(
        administration,
        {"administered_at": datetime(2019, 1, 14, 9, tzinfo=UTC)},
        by=physician,
        reason="Typing error",
    )

    assert course.cycles.get(number=2).planned_on == date(2019, 3, 11)


def test_a_correction_needs_a_reason(physician):
    administration = CourseFactory(given=1).cycles.get(number=1).administrations.get()

    with pytest.raises(ValidationError, match="Say why"):
        correct_record(administration, {"lot": "L1"}, by=physician, reason="  ")


def test_a_correction_of_an_older_version_is_refused(physician):
    administration = CourseFactory(given=1).cycles.get(number=1).administrations.get()
    seen = administration.version
    corrected = correct_record(administration, {"lot": "L1"}, by=physician, reason="Lot was missing")
    assert corrected.version == seen + 1

    with pytest.raises(StaleRecord):
        correct_record(
            administration, {"lot": "L2"}, by=physician, reason="Lot was missing", expected_version=seen
        )

    administration.refresh_from_db()
    assert administration.lot == "L1"


def test_a_voided_record_cannot_be_corrected(physician):
    death = create_record(
        Death(patient=PatientFactory(), died_on=date(2019, 4, 1), cause=DeathCause.DISEASE), by=physician
    )
    void_record(death, by=physician, reason="Another patient")

    with pytest.raises(RegistryError) as refused:
        correct_record(death, {"cause": DeathCause.OTHER}, by=physician, reason="x")
    assert refused.value.code == "voided"


def test_a_reader_may_not_record_treatments(user_with):
    course = CourseFactory(given=1)

    with pytest.raises(PermissionDenied):
        services.administer_cycle(
            cycle=course.cycles.get(number=2),
            administered_at=datetime(2019, 3, 4, 9, tzinfo=UTC),
            administered_activity_mbq=Decimal("7400"),
            confirmation_reason="Values are on paper",
            by=user_with(Role.READER),
        )


def test_history_says_who_what_and_why(physician):
    administration = CourseFactory(given=1).cycles.get(number=1).administrations.get()

    correct_record(administration, {"lot": "L1"}, by=physician, reason="Lot was missing")

    event = administration.events.order_by("pgh_id").last()
    assert (event.pgh_label, event.lot) == ("update", "L1")
    assert event.pgh_context["reason"] == "Lot was missing"
    assert event.pgh_context["username"] == "physician"
