"""Writing lesions, findings and readings: what is refused, what needs a reason, and which reading counts."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from accounts.errors import RegistryError, StaleRecord
from accounts.models import Role as UserRole
from accounts.models import User
from accounts.records import void_record
from imaging import services
from imaging.models import (
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    ReaderRole,
    Reading,
    ReadingStatus,
    Role,
    Study,
)
from imaging.selectors.response import course_response, course_responses
from patients.models import Patient
from tests.factories import (
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)

pytestmark = pytest.mark.django_db
BASELINE, INTERIM, POST = date(2018, 12, 17), date(2019, 4, 1), date(2019, 8, 1)


@pytest.fixture
def studies(patient) -> list[Study]:
    return [
        StudyFactory(patient=patient, performed_on=BASELINE),
        StudyFactory(patient=patient, timepoint="interim", performed_on=INTERIM),
        StudyFactory(patient=patient, timepoint="post", performed_on=POST),
    ]


@pytest.fixture
def reader(user_with) -> User:
    return user_with(UserRole.READER, username="reader")


def lesion_of(patient: Patient, by: User, **values: Any) -> Lesion:
    how = {"role": Role.TARGET, "organ": LesionOrgan.LIVER} | values
    return services.add_lesion(patient=patient, course_number=1, by=by, **how)


def find(lesion: Lesion, study: Study, size: str, by: User, **how: Any) -> Measurement | None:
    return services.record_finding(lesion=lesion, study=study, size=size, by=by, **how)


def test_lesions_are_numbered_and_a_sixth_target_is_refused_with_the_rule(patient, reader):
    organs = ["liver", "liver", "lung", "lung", "bone"]
    assert [lesion_of(patient, reader, organ=organ).label for organ in organs] == [
        "L1",
        "L2",
        "L3",
        "L4",
        "L5",
    ]

    with pytest.raises(RegistryError, match="at most 5") as refused:
        lesion_of(patient, reader, organ="adrenal")

    assert refused.value.code == "too_many_targets"
    assert lesion_of(patient, reader, role=Role.NON_TARGET, organ="adrenal").label == "L6"


def test_a_third_target_of_one_organ_is_refused_also_when_a_lesion_is_changed(patient, reader):
    lesion_of(patient, reader, organ="lymph_node")
    lesion_of(patient, reader, organ="lymph_node")
    third = lesion_of(patient, reader, organ="liver")

    for act in (
        lambda: lesion_of(patient, reader, organ="lymph_node"),
        lambda: services.change_lesion(third, {"organ": "lymph_node"}, by=reader),
    ):
        with pytest.raises(RegistryError, match="at most 2; lymph nodes count as one organ") as refused:
            act()
        assert refused.value.code == "too_many_in_organ"
    third.refresh_from_db()
    assert third.organ == "liver"


def test_a_finding_is_stored_changed_and_emptied_without_a_reason_before_a_signature(
    patient, studies, reader
):
    lesion = lesion_of(patient, reader)

    first = find(lesion, studies[0], "23", reader)
    changed = find(lesion, studies[0], "12+9", reader, expected_version=first.version)
    assert (changed.state, changed.size_mm, changed.parts_mm) == (
        "split",
        Decimal(21),
        [Decimal(12), Decimal(9)],
    )
    services.record_finding(lesion=lesion, study=studies[0], suv="24,6", by=reader)
    changed.refresh_from_db()
    assert changed.suv_max == Decimal("24.6")
    assert find(lesion, studies[0], "", reader).state == ""  # the uptake is still there

    assert services.record_finding(lesion=lesion, study=studies[0], suv="", by=reader) is None
    changed.refresh_from_db()
    assert changed.voided_at is not None
    assert not Measurement.objects.current().exists()


def test_two_tabs_cannot_overwrite_one_another(patient, studies, reader):
    lesion = lesion_of(patient, reader)
    find(lesion, studies[0], "23", reader, expected_version=0)

    with pytest.raises(StaleRecord):
        find(lesion, studies[0], "32", reader, expected_version=0)

    assert Measurement.objects.get().size_mm == 23


def test_what_cannot_be_said_of_a_lesion_is_refused_beside_its_field(patient, studies, reader):
    target = lesion_of(patient, reader)
    other = lesion_of(patient, reader, role=Role.NON_TARGET)
    cases = {
        (target, "present"): "cannot be said of a target lesion",
        (target, "twelve"): "cannot be read",
        (target, "> L9"): "There is no lesion L9",
        (target, f"> {target.label}"): "cannot merge into itself",
        (target, f"> {other.label}"): "is no target lesion",
        (other, "equivocal"): "cannot be said of a non-target lesion",
    }
    for (lesion, text), said in cases.items():
        with pytest.raises(ValidationError) as refused:
            find(lesion, studies[0], text, reader)
        assert said in " ".join(refused.value.message_dict["size"])
    with pytest.raises(ValidationError) as refused:
        services.record_finding(lesion=target, study=studies[0], suv="much", by=reader)
    assert "suv" in refused.value.message_dict
    assert not Measurement.objects.exists()


def test_the_database_keeps_measurements_within_one_course_and_to_what_their_lesion_can_be(
    patient, studies, reader
):
    lesion = lesion_of(patient, reader)
    elsewhere = StudyFactory(patient=PatientFactory(centre=patient.centre))
    with pytest.raises(ValidationError, match="another course or patient"):
        find(lesion, elsewhere, "23", reader)
    find(lesion, studies[0], "23", reader)
    other = lesion_of(patient, reader, role=Role.NON_TARGET)
    find(other, studies[0], "present", reader)
    with pytest.raises(ValidationError, match="cannot be said of a lesion of its kind"):
        services.change_lesion(other, {"role": Role.TARGET}, by=reader)
    with pytest.raises(IntegrityError), transaction.atomic():
        Measurement.objects.update(size_mm=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Measurement.objects.update(state="absent")


def test_nobody_without_the_act_writes_and_only_readers_sign(patient, studies, user_with):
    coordinator, manager = user_with(UserRole.COORDINATOR), user_with(UserRole.DATA_MANAGER)
    with pytest.raises(PermissionDenied):
        lesion_of(patient, coordinator)
    lesion = lesion_of(patient, manager)
    find(lesion, studies[0], "30", manager)
    find(lesion, studies[1], "30", manager)
    with pytest.raises(PermissionDenied, match="sign readings"):
        services.sign_reading(study=studies[1], reader_role="first", by=manager)


@pytest.fixture
def measured(patient, studies, reader) -> Lesion:
    """One target lesion: 50 mm at baseline, 30 mm after cycle 2, 40 mm after completion."""
    lesion = lesion_of(patient, reader)
    for study, size in zip(studies, ("50", "30", "40"), strict=True):
        find(lesion, study, size, reader)
    return lesion


def test_a_signed_reading_carries_what_was_derived_and_counts(measured, studies, reader):
    reading = services.sign_reading(study=studies[1], reader_role="first", by=reader)

    assert (reading.status, reading.reader, reading.overall_response) == ("signed", reader, "PR")
    assert reading.derived_reason == "PR: sum 30 mm is 40 % below the baseline of 50 mm on 2018-12-17"
    assert (reading.target_response, reading.sum_of_diameters_mm) == ("PR", 30)
    assert list(Reading.objects.in_force()) == [reading]
    progression = services.sign_reading(study=studies[2], reader_role="first", by=reader)
    assert (
        progression.derived_reason
        == "PD: sum 40 mm is 33.3 % and 10 mm above the nadir of 30 mm on 2019-04-01"
    )


def test_another_response_than_the_derived_one_needs_its_reason_and_both_stay(measured, studies, reader):
    with pytest.raises(ValidationError) as refused:
        services.sign_reading(study=studies[1], reader_role="first", overall_response="SD", by=reader)
    assert "The rules derive partial response" in refused.value.message_dict["override_reason"][0]

    reading = services.sign_reading(
        study=studies[1], reader_role="first", overall_response="SD", override_reason="Necrosis", by=reader
    )

    assert (reading.overall_response, reading.derived_response, reading.override_reason) == (
        "SD",
        "PR",
        "Necrosis",
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.update(override_reason="")


def test_after_a_signature_what_it_rests_on_is_changed_with_a_reason_only(measured, studies, reader, patient):
    services.sign_reading(study=studies[1], reader_role="first", by=reader)

    find(measured, studies[2], "41", reader)  # not signed
    for act in (
        lambda: find(measured, studies[1], "31", reader),
        lambda: find(measured, studies[0], "51", reader),
        lambda: find(measured, studies[1], "", reader),
        lambda: services.change_lesion(measured, {"site": "segment II"}, by=reader),
        lambda: lesion_of(patient, reader),
    ):
        with pytest.raises(ValidationError, match="say why it is changed"):
            act()
    one = find(measured, studies[1], "31", reader, reason="Slice above")
    assert one.size_mm == 31
    assert one.events.order_by("-pgh_id").first().pgh_context["reason"] == "Slice above"
    assert lesion_of(patient, reader, role=Role.NEW).label == "L2"  # seen later: no part of the baseline


def test_a_signed_reading_is_changed_only_by_a_new_signature_with_a_reason(measured, studies, reader):
    reading = services.sign_reading(study=studies[1], reader_role="first", by=reader)

    with pytest.raises(RegistryError) as refused:
        services.correct_reading(reading, {"overall_response": "SD"}, by=reader, reason="Other view")
    assert refused.value.code == "signed_reading"
    with pytest.raises(RegistryError):
        services.save_draft(study=studies[1], reader_role="first", by=reader)
    with pytest.raises(ValidationError, match="why"):
        services.sign_reading(study=studies[1], reader_role="first", by=reader)

    find(measured, studies[1], "36", reader, reason="Slice above")
    again = services.sign_reading(
        study=studies[1],
        reader_role="first",
        reason="Measured anew",
        by=reader,
        expected_version=reading.version,
    )
    assert again.pk == reading.pk
    assert (again.overall_response, again.sum_of_diameters_mm) == ("SD", 36)
    assert again.signed_at > reading.signed_at
    assert [event.overall_response for event in again.events.order_by("pgh_id")] == ["PR", "SD"]


def test_a_stale_signature_and_one_of_the_baseline_are_refused(measured, studies, reader):
    services.save_draft(study=studies[1], reader_role="first", by=reader)
    with pytest.raises(StaleRecord):
        services.sign_reading(study=studies[1], reader_role="first", by=reader, expected_version=0)
    with pytest.raises(RegistryError) as refused:
        services.sign_reading(study=studies[0], reader_role="first", by=reader)
    assert refused.value.code == "no_response_of_baseline"


def test_a_draft_does_not_count(measured, studies, reader):
    draft = services.save_draft(study=studies[1], reader_role="first", note="To be discussed", by=reader)

    assert draft.overall_response == "PR"
    assert not Reading.objects.in_force().exists()


def test_nothing_is_derived_or_signed_while_the_baseline_selection_stands_against_the_rule(
    patient, studies, reader
):
    lesion = lesion_of(patient, reader, organ="lymph_node")
    find(lesion, studies[0], "14", reader)
    find(lesion, studies[1], "8", reader)

    derived = course_response(patient.pk, 1).derived(studies[1])
    assert derived.response == ""
    assert "a target node needs 15 mm or more" in derived.reason
    with pytest.raises(RegistryError) as refused:
        services.sign_reading(study=studies[1], reader_role="first", overall_response="CR", by=reader)
    assert refused.value.code == "baseline_selection"

    services.change_lesion(lesion, {"selection_reason": "15 mm on MRI"}, by=reader)
    assert course_response(patient.pk, 1).derived(studies[1]).response == "CR"


def test_imported_drafts_do_not_count_until_they_are_accepted(measured, studies, reader, patient):
    Measurement.objects.filter(study=studies[1]).update(is_draft=True)
    assert course_response(patient.pk, 1).derived(studies[1]).response == ""
    with pytest.raises(RegistryError) as refused:
        services.sign_reading(study=studies[1], reader_role="first", overall_response="PR", by=reader)
    assert refused.value.code == "drafts_left"

    assert services.accept_drafts(patient=patient, study=studies[1], reader_role="first", by=reader) == 1
    assert course_response(patient.pk, 1).derived(studies[1]).response == "PR"


@pytest.fixture
def second(user_with) -> User:
    return user_with(UserRole.READER, username="second")


def test_two_readers_follow_lesions_of_their_own(measured, studies, reader, second, patient):
    own = lesion_of(patient, second, reader_role=ReaderRole.SECOND)
    assert own.label == "L1"
    find(own, studies[0], "20", second)
    find(own, studies[1], "20", second)

    assert course_response(patient.pk, 1, ReaderRole.FIRST).derived(studies[1]).response == "PR"
    assert course_response(patient.pk, 1, ReaderRole.SECOND).derived(studies[1]).response == "SD"


def test_while_two_readers_differ_none_counts_and_a_third_decides(
    measured, studies, reader, second, user_with, patient
):
    own = lesion_of(patient, second, reader_role=ReaderRole.SECOND)
    find(own, studies[0], "20", second)
    find(own, studies[1], "20", second)
    first_reading = services.sign_reading(study=studies[1], reader_role="first", by=reader)
    with pytest.raises(RegistryError) as refused:
        services.sign_reading(study=studies[1], reader_role="second", by=reader)
    assert refused.value.code == "not_independent"
    third = user_with(UserRole.PHYSICIAN, username="third")
    with pytest.raises(RegistryError) as refused:
        services.sign_reading(study=studies[1], reader_role="adjudicator", overall_response="PR", by=third)
    assert refused.value.code == "nothing_to_adjudicate"

    assert list(Reading.objects.in_force()) == [first_reading]
    services.sign_reading(study=studies[1], reader_role="second", by=second)
    assert not Reading.objects.in_force().exists()
    decided = services.sign_reading(
        study=studies[1], reader_role="adjudicator", overall_response="SD", by=third
    )
    assert list(Reading.objects.in_force()) == [decided]

    void_record(decided, by=third, reason="Too early")
    void_record(first_reading, by=reader, reason="Wrong patient")
    assert [reading.reader_role for reading in Reading.objects.in_force()] == ["second"]


@pytest.mark.parametrize(
    ("readings", "counts"),
    [
        ([], None),
        ([("first", "draft", "PR")], None),
        ([("first", "reported", "PR")], "first"),
        ([("second", "reported", "PR")], "second"),
        ([("first", "reported", "PR"), ("second", "reported", "PR")], "first"),
        ([("first", "reported", "PR"), ("second", "draft", "SD")], "first"),
        ([("first", "draft", "PR"), ("second", "reported", "SD")], "second"),
        ([("first", "reported", "PR"), ("second", "reported", "SD")], None),
        ([("first", "reported", "PR"), ("second", "reported", "SD"), ("adjudicator", "draft", "SD")], None),
        (
            [("first", "reported", "PR"), ("second", "reported", "SD"), ("adjudicator", "reported", "SD")],
            "adjudicator",
        ),
        (
            [("first", "reported", "PR"), ("second", "reported", "PR"), ("adjudicator", "reported", "NE")],
            "adjudicator",
        ),
    ],
)
def test_which_reading_of_a_study_counts(studies, readings, counts):
    for role, status, response in readings:
        ReadingFactory(study=studies[1], reader_role=role, status=status, overall_response=response)

    assert [reading.reader_role for reading in Reading.objects.in_force()] == ([counts] if counts else [])


def test_a_reported_reading_keeps_its_response_beside_the_derived_one(measured, studies, reader):
    reading = services.report_reading(Reading(study=studies[1], overall_response="SD"), by=reader)

    assert (reading.status, reading.overall_response, reading.derived_response) == (
        ReadingStatus.REPORTED, "SD", "PR",
    )  # fmt: skip
    assert reading.is_overridden
    corrected = services.correct_reading(
        reading, {"overall_response": "PR"}, by=reader, reason="Report amended"
    )
    assert corrected.overall_response == "PR"


def test_voiding_a_lesion_or_a_study_takes_its_measurements_along(measured, studies, reader):
    merged = LesionFactory(patient=measured.patient, label="L7")
    MeasurementFactory(
        lesion=merged, study=studies[2], state=LesionState.MERGED, size_mm=None, merged_into=measured
    )
    with pytest.raises(RegistryError, match="Void first"):  # another lesion is a part of it
        services.void_lesion(measured, by=reader, reason="Double")
    services.void_lesion(merged, by=reader, reason="Double")
    void_record(studies[2], by=reader, reason="Other patient")
    services.void_lesion(measured, by=reader, reason="Double")

    assert not Measurement.objects.current().exists()
    assert all(one.void_reason for one in Measurement.objects.all())


def test_a_course_is_read_in_a_constant_number_of_queries(
    measured, studies, reader, patient, django_assert_num_queries
):
    for _ in range(3):
        more = PatientFactory(centre=patient.centre)
        study = StudyFactory(patient=more)
        MeasurementFactory(lesion=LesionFactory(patient=more), study=study)
    everybody = list(Patient.objects.values_list("pk", flat=True))
    with django_assert_num_queries(4):
        found = course_responses(everybody)
        timepoints = [response.timepoint(study) for response in found.values() for study in response.studies]
    assert len(found) == 4
    assert all(timepoints)


def test_a_study_without_entries_and_a_course_without_a_baseline_say_so(patient, reader):
    later = StudyFactory(patient=patient, timepoint="interim", performed_on=INTERIM)
    assert course_response(patient.pk, 1).derived(later).reason == "No lesions have been entered."
    lesion = lesion_of(patient, reader)
    find(lesion, later, "30", reader)
    assert "no baseline study" in course_response(patient.pk, 1).derived(later).reason

    baseline = StudyFactory(patient=patient, performed_on=BASELINE)
    find(lesion, baseline, "30", reader)
    last = StudyFactory(patient=patient, timepoint="post", performed_on=INTERIM + timedelta(days=90))
    response = course_response(patient.pk, 1)
    assert response.derived(later).response == "SD"
    assert (response.derived(last).response, response.derived(last).reason) == (
        "", "Nothing has been entered for this study.",
    )  # fmt: skip


def test_a_signed_reading_is_voided_by_a_reader_alone(measured, studies, reader, user_with):
    signed = services.sign_reading(study=studies[1], reader_role="first", by=reader)
    with pytest.raises(PermissionDenied):
        void_record(signed, by=user_with(UserRole.DATA_MANAGER), reason="Entered twice")
    signed.refresh_from_db()
    assert signed.voided_at is None

    assert void_record(signed, by=reader, reason="Another patient's study").voided_at is not None


def test_a_corrected_reading_stands_beside_what_is_derived_at_that_moment(measured, studies, data_manager):
    reading = services.report_reading(Reading(study=studies[1], overall_response="SD"), by=data_manager)
    assert reading.derived_response == "PR"
    Measurement.objects.filter(lesion=measured, study=studies[1]).update(size_mm=Decimal(45))

    changes = {"note": "Second look"}
    corrected = services.correct_reading(reading, changes, by=data_manager, reason="Report amended")
    assert (corrected.derived_response, corrected.sum_of_diameters_mm) == ("SD", 45)
    stored = Reading.objects.get(pk=reading.pk)
    assert (stored.derived_response, stored.version) == ("SD", corrected.version)
