"""Performance status and prior therapy: what the database holds of them, and what follows a write."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Centre, Role, User
from accounts.records import ClinicalRecord, correct_record, create_record, void_record
from analytics.models import StaleCourse
from patients.models import Ecog, Patient, PerformanceStatus, PriorTherapy, PriorTherapyKind
from tests.factories import (
    CourseFactory,
    DeathFactory,
    PatientFactory,
    PerformanceStatusFactory,
    PriorTherapyFactory,
    make_user,
)

pytestmark = pytest.mark.django_db

STARTED = date(2017, 3, 1)
FACTORIES: list[Any] = [PerformanceStatusFactory, PriorTherapyFactory]


@pytest.fixture
def physician(centre: Centre) -> User:
    return make_user(role=Role.PHYSICIAN, centre=centre)


@pytest.fixture
def patient(centre: Centre) -> Patient:
    return PatientFactory(centre=centre)


def status(patient: Patient, **values: Any) -> PerformanceStatus:
    return PerformanceStatus(**{"patient": patient, "ecog": 1, "assessed_on": date(2018, 12, 20)} | values)


def therapy(patient: Patient, **values: Any) -> PriorTherapy:
    return PriorTherapy(
        **{"patient": patient, "kind": "somatostatin_analogue", "agent": "lanreotide", "started_on": STARTED}
        | values
    )


def store(record: ClinicalRecord) -> None:
    """Store a record past all checks but the database's own."""
    with transaction.atomic(), connection.cursor() as cursor:
        record.save(force_insert=True)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refusal_of(record: ClinicalRecord) -> str:
    """Return by which constraint the database refuses a record."""
    with pytest.raises(IntegrityError) as refused:
        store(record)
    return refused.value.__cause__.diag.constraint_name  # type: ignore[union-attr]


def message_of(record: ClinicalRecord, by: User) -> str:
    """Return what somebody who enters the record is told."""
    with pytest.raises(ValidationError) as refused:
        create_record(record, by=by)
    return " ".join(refused.value.messages)


def test_the_six_steps_of_the_ecog_scale_are_known_and_no_other() -> None:
    """Oken et al. 1982 (Am J Clin Oncol 5:649–655), table 2: grades 0 to 5, 5 being dead."""
    assert Ecog.values == [0, 1, 2, 3, 4, 5]
    assert Ecog(5).label == "5: dead"


@pytest.mark.parametrize("ecog", [0, 5])
def test_a_performance_status_at_either_end_of_the_scale_is_stored(
    patient: Patient, physician: User, ecog: int
) -> None:
    create_record(status(patient, ecog=ecog), by=physician)

    assert PerformanceStatus.objects.get().ecog == ecog


def test_a_performance_status_past_the_scale_is_refused(patient: Patient, physician: User) -> None:
    assert "6 is not a valid choice" in message_of(status(patient, ecog=6), physician)
    assert refusal_of(status(patient, ecog=6)) == "patients_performancestatus_ecog_known"


def test_a_day_has_one_performance_status_in_force(patient: Patient, physician: User) -> None:
    first = create_record(status(patient), by=physician)

    assert message_of(status(patient, ecog=2), physician) == (
        "The performance status of this day is already there: correct that record."
    )
    assert refusal_of(status(patient, ecog=2)) == "patients_performancestatus_once_a_day"
    create_record(status(patient, ecog=2, assessed_on=date(2018, 12, 21)), by=physician)
    void_record(first, by=physician, reason="Of another patient")
    create_record(status(patient, ecog=2), by=physician)


def test_prrt_is_no_kind_of_prior_therapy() -> None:
    """It has a record of its own, ``treatments.PriorPrrt``, and the form says so."""
    assert not [kind for kind in PriorTherapyKind.values if "prrt" in kind]
    assert "Earlier PRRT is not entered here" in PriorTherapy._meta.get_field("kind").help_text


def test_a_kind_of_therapy_off_the_list_is_refused(patient: Patient) -> None:
    assert refusal_of(therapy(patient, kind="prrt")) == "patients_priortherapy_kind_known"


@pytest.mark.parametrize("started_on", [STARTED, None])
def test_the_same_therapy_is_recorded_once_with_or_without_its_start(
    patient: Patient, physician: User, started_on: date | None
) -> None:
    create_record(therapy(patient, started_on=started_on), by=physician)

    assert message_of(therapy(patient, started_on=started_on), physician) == (
        "This prior therapy is already there: correct that record."
    )
    assert refusal_of(therapy(patient, started_on=started_on)) == "patients_priortherapy_once"
    create_record(therapy(patient, started_on=started_on, agent="octreotide"), by=physician)


def test_a_therapy_may_end_on_the_day_it_started_and_no_earlier(patient: Patient, physician: User) -> None:
    create_record(therapy(patient, kind="surgery", ended_on=STARTED), by=physician)

    early = therapy(patient, ended_on=STARTED - timedelta(days=1))
    assert message_of(early, physician) == "A therapy cannot end before it started."
    assert refusal_of(early) == "patients_priortherapy_ends_after_start"


@pytest.mark.parametrize(
    ("make", "field"), [(status, "assessed_on"), (therapy, "started_on"), (therapy, "ended_on")]
)
def test_no_day_of_them_lies_in_the_future(
    patient: Patient, physician: User, make: Callable[..., ClinicalRecord], field: str
) -> None:
    ahead = timezone.now().date() + timedelta(days=2)

    assert message_of(make(patient, **{field: ahead}), physician) == "This date lies in the future."


DAYS = [
    ("assessed_on", lambda patient, on: status(patient, assessed_on=on)),
    ("started_on", lambda patient, on: therapy(patient, started_on=on)),
    ("ended_on", lambda patient, on: therapy(patient, agent=f"until {on}", started_on=None, ended_on=on)),
]


@pytest.mark.parametrize(("field", "make"), DAYS)
def test_nothing_is_found_before_birth(
    centre: Centre, physician: User, field: str, make: Callable[[Patient, date], ClinicalRecord]
) -> None:
    patient = PatientFactory(centre=centre, birth_date=date(1960, 5, 4))

    create_record(make(patient, date(1960, 5, 4)), by=physician)

    message = message_of(make(patient, date(1960, 5, 3)), physician)
    assert message == "The patient was born on 1960-05-04: nothing can be recorded before that date."


@pytest.mark.parametrize(("field", "make"), DAYS)
def test_nothing_is_found_after_death(
    patient: Patient, physician: User, field: str, make: Callable[[Patient, date], ClinicalRecord]
) -> None:
    DeathFactory(patient=patient, died_on=date(2019, 12, 1))

    create_record(make(patient, date(2019, 12, 1)), by=physician)

    message = message_of(make(patient, date(2019, 12, 2)), physician)
    assert message == (
        "The patient died on 2019-12-01: a performance status or prior therapy cannot be later."
    )


@pytest.mark.parametrize(("field", "make"), DAYS)
def test_a_death_cannot_be_moved_before_what_was_found(
    patient: Patient, physician: User, field: str, make: Callable[[Patient, date], ClinicalRecord]
) -> None:
    death = DeathFactory(patient=patient, died_on=date(2019, 12, 1))
    create_record(make(patient, date(2019, 11, 20)), by=physician)

    with pytest.raises(ValidationError, match="cannot be later"):
        correct_record(death, {"died_on": date(2019, 11, 19)}, by=physician, reason="Letter")

    death.refresh_from_db()
    assert death.died_on == date(2019, 12, 1)


@pytest.mark.parametrize("make", FACTORIES)
def test_each_write_marks_the_courses_of_the_patient_and_no_other(make: Any, physician: User) -> None:
    course, other = CourseFactory(), CourseFactory()
    StaleCourse.objects.all().delete()

    record = make(patient=course.patient)
    assert marked() == {course.pk}
    correct_record(record, {"note": "More is known"}, by=None, reason="Letter")
    assert marked() == {course.pk}
    void_record(record, by=None, reason="Of another patient")
    assert marked() == {course.pk}
    assert other.pk not in marked()


def marked() -> set[Any]:
    """Return the marked courses, and take the marks away."""
    found = set(StaleCourse.objects.values_list("course_id", flat=True))
    StaleCourse.objects.all().delete()
    return found


@pytest.mark.parametrize("make", FACTORIES)
def test_every_version_of_them_is_kept(make: Any, physician: User) -> None:
    record = make(patient__centre=physician.memberships.get().centre)

    correct_record(record, {"note": "Called back"}, by=physician, reason="More is known")
    void_record(record, by=physician, reason="Of another patient")

    record.refresh_from_db()
    assert record.version == 3
    events = apps.get_model("patients", f"{type(record).__name__}Event").objects.order_by("pgh_id")
    assert list(events.values_list("note", "void_reason")) == [
        ("", ""),
        ("Called back", ""),
        ("Called back", "Of another patient"),
    ]
