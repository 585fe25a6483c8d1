"""From a write, by any door, to results that equal a rebuild from scratch."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import Role
from accounts.records import correct_record, create_record, void_record
from analytics import freshness, results
from analytics.models import Cohort, CoursesCounted, Definition, Outcome, Result, StaleCourse, StaleResult
from imaging.models import OverallResponse, Study
from patients.models import Death, DeathCause, Diagnosis, Patient
from tests.factories import (
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    DiseaseEventFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    default_protocol,
)
from treatments.models import Administration, Course

pytestmark = pytest.mark.django_db


@pytest.fixture
def everyone():
    return Cohort.objects.get(slug="all")


def assert_equals_rebuild():
    for cohort in Cohort.objects.select_related("definition"):
        stored, anew = freshness.from_scratch(cohort)
        assert stored == anew
        assert not freshness.wrong_results(cohort)


def make_clinic() -> list[Patient]:
    """Five treated patients: responding, progressing, dead, discontinued, just begun."""
    courses = [CourseFactory(given=n) for n in (4, 4, 3, 2, 1)]
    for course in courses:
        StudyFactory(patient=course.patient)
        DiagnosisFactory(patient=course.patient)
    for course, response in zip(courses, ["PR", "PD", "SD", "SD"], strict=False):
        study = StudyFactory(patient=course.patient, timepoint="interim", performed_on=date(2019, 4, 1))
        ReadingFactory(study=study, overall_response=response)
    DeathFactory(patient=courses[2].patient, died_on=date(2019, 9, 1))
    DiscontinuationFactory(course=courses[3])
    return [course.patient for course in courses]


def test_every_clinical_table_marks_its_courses_as_stale():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_object_table FROM information_schema.triggers WHERE trigger_name = 'mark_stale_after_update'"
        )
        marked = {table for (table,) in cursor.fetchall()}

    clinical = {
        table
        for table in connection.introspection.table_names()
        if table.startswith(("patients_", "treatments_", "imaging_")) and not table.endswith("event")
    }
    clinical |= {"patients_diseaseevent", "treatments_adverseevent"}
    # Who a patient is changes no outcome, and neither does what is held or decided on the way; a lesion counts by its
    # measurements.
    assert clinical - marked == {
        "imaging_lesion",
        "patients_patientidentity",
        "treatments_absorbeddose",
        "treatments_dosedecision",
        "treatments_hold",
        "treatments_labresult",
        "treatments_referencerange",
        "treatments_somatostatinanaloguedose",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE patients_death SET died_on = died_on - 1",
        "UPDATE treatments_administration SET lot = 'x'",
        "UPDATE imaging_reading SET note = 'x'",
        "UPDATE patients_diagnosis SET primary_site = 'stomach'",
        "UPDATE treatments_protocol SET name = 'x'",
        "UPDATE accounts_centre SET time_zone = 'Asia/Tokyo'",
    ],
)
def test_raw_sql_marks_what_it_touches(sql):
    make_clinic()
    freshness.refresh_inline()
    assert not StaleCourse.objects.exists()

    with connection.cursor() as cursor:
        cursor.execute(sql)

    assert StaleCourse.objects.exists()


def test_results_of_a_small_clinic(everyone, physician):
    make_clinic()
    freshness.refresh_inline()

    found = results.payload(everyone, physician)

    assert found["n_patients"] == 5
    assert found["courses"]["completed"] == {"n": 2, "of": 5}
    assert found["courses"]["discontinued"] == {
        "n": 2,
        "of": 5,
        "after_cycle": {"2": 1, "3": 1},
        "reasons": {"comorbidity": 1, "death": 1},
    }
    assert (found["orr"]["n"], found["orr"]["of"]) == (1, 4)
    assert (found["pfs"]["n"], found["pfs"]["events"]) == (5, 2)
    assert (found["os"]["events"], found["os"]["deaths_by_cause"]) == (1, {"comorbidity": 1})
    assert (found["revision"], found["stale"], found["pending"]) == (1, False, 0)
    assert_equals_rebuild()


def test_recording_a_death_makes_the_result_stale_then_fresh(everyone, physician):
    patient = make_clinic()[0]
    freshness.refresh_inline()

    create_record(
        Death(patient=patient, died_on=date(2019, 12, 24), cause=DeathCause.COMORBIDITY), by=physician
    )

    waiting = results.payload(everyone, physician)
    assert (waiting["stale"], waiting["pending"], waiting["os"]["events"]) == (True, 1, 1)
    freshness.refresh_inline()
    fresh = results.payload(everyone, physician)
    assert (fresh["stale"], fresh["revision"], fresh["os"]["events"]) == (False, 2, 2)
    assert_equals_rebuild()


def test_any_sequence_of_corrections_equals_a_rebuild(physician):
    patients = make_clinic()
    freshness.refresh_inline()
    death = Death.objects.get()
    administration = Administration.objects.filter(cycle__course__patient=patients[1], cycle__number=1).get()
    reading = Study.objects.get(patient=patients[0], timepoint="interim").readings.get()
    steps = [
        lambda: correct_record(death, {"died_on": date(2019, 10, 3)}, by=physician, reason="Letter"),
        lambda: correct_record(
            administration,
            {"administered_at": datetime(2018, 12, 31, 9, tzinfo=UTC)},
            by=physician,
            reason="Wrong day",
        ),
        lambda: correct_record(
            reading, {"overall_response": OverallResponse.PD}, by=physician, reason="Second look"
        ),
        lambda: void_record(death, by=physician, reason="Another patient"),
        lambda: void_record(
            Diagnosis.objects.get(patient=patients[2]), by=physician, reason="Another patient"
        ),
        # Services ask to void what belongs to a patient first; the database would allow it.
        lambda: Patient.objects.filter(pk=patients[3].pk).update(
            voided_at=Now(), void_reason="Registered twice"
        ),
    ]
    for step in steps:
        step()
        freshness.refresh_inline()
        assert_equals_rebuild()


def test_a_voided_course_counts_nowhere(everyone, physician):
    course = CourseFactory(given=4)
    freshness.refresh_inline()
    assert results.payload(everyone, physician)["n_patients"] == 1

    Course.objects.filter(pk=course.pk).update(voided_at=Now(), void_reason="Entered twice")
    freshness.refresh_inline()

    assert results.payload(everyone, physician)["n_patients"] == 0
    assert not Outcome.objects.exists()


def test_refreshing_twice_changes_nothing(everyone, physician):
    make_clinic()
    freshness.refresh_inline()
    before = results.payload(everyone, physician)

    freshness.mark_everything()
    freshness.refresh_inline()

    assert results.payload(everyone, physician)["revision"] == before["revision"]


def test_a_patient_of_another_centre_is_not_in_my_results(everyone, physician, other_centre, user_with):
    CourseFactory(given=4)
    CourseFactory(given=1, patient=PatientFactory(centre=other_centre, registry_number="NRD-0001"))
    freshness.refresh_inline()
    elsewhere = user_with(Role.RESEARCHER, other_centre)

    assert results.payload(everyone, physician)["courses"]["completed"]["n"] == 1
    assert results.payload(everyone, elsewhere)["courses"]["completed"]["n"] == 0
    assert results.payload(everyone, elsewhere)["centres"] == ["NRD"]
    assert results.payload(everyone, None)["n_patients"] == 2


def test_a_cut_off_hides_what_came_after_it(everyone, physician):
    make_clinic()
    early = Definition.objects.create(name="Early", endpoints={}, data_cutoff=date(2019, 3, 31))
    cohort = Cohort.objects.create(slug="early", name="Early", definition=early)
    freshness.refresh_inline()

    found = results.payload(cohort, physician)

    assert found["data_cutoff"] == "2019-03-31"
    assert (found["os"]["events"], found["pfs"]["events"], found["courses"]["ongoing"]["n"]) == (0, 0, 5)


def test_another_filter_is_counted_anew(everyone, physician):
    patients = make_clinic()
    correct_record(
        Diagnosis.objects.get(patient=patients[0]), {"primary_site": "stomach"}, by=physician, reason="Report"
    )
    cohort = Cohort.objects.create(
        slug="some", name="Some", definition=everyone.definition, primary_sites=["pancreas"]
    )
    freshness.refresh_inline()
    assert results.payload(cohort, physician)["n_patients"] == 4

    cohort.primary_sites = ["stomach"]
    cohort.save()
    assert results.payload(cohort, physician)["stale"]
    freshness.refresh_inline()
    cohort.refresh_from_db()

    found = results.payload(cohort, physician)
    assert (found["n_patients"], found["stale"]) == (1, False)
    assert_equals_rebuild()


def test_another_definition_derives_every_course_anew(everyone, physician):
    make_clinic()
    freshness.refresh_inline()
    definition = everyone.definition

    definition.endpoints = {"orr_denominator": "all_treated", "landmark_months": [3]}
    definition.save()
    freshness.refresh_inline()

    everyone = Cohort.objects.select_related("definition").get(slug="all")
    found = results.payload(everyone, physician)
    assert (found["orr"]["n"], found["orr"]["of"]) == (1, 5)
    assert [landmark["months"] for landmark in found["pfs"]["landmarks"]] == [3]
    assert not found["stale"]
    assert_equals_rebuild()


def test_a_second_course_counts_where_every_course_does(everyone, physician):
    patient = PatientFactory()
    CourseFactory(patient=patient, given=4)
    protocol = default_protocol()
    CourseFactory(patient=patient, number=2, protocol=protocol)
    every = Cohort.objects.create(
        slug="every", name="Every", definition=everyone.definition, courses_counted=CoursesCounted.ALL
    )
    freshness.refresh_inline()

    assert results.payload(everyone, physician)["courses"]["not_started"] == 0
    assert results.payload(every, physician)["courses"]["not_started"] == 1
    assert results.payload(every, physician)["n_patients"] == 1


def test_a_course_whose_facts_contradict_each_other_holds_nobody_up(everyone, physician):
    patients = make_clinic()
    with connection.cursor() as cursor:
        # Only a superuser at the database's own console can get past the checks.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO patients_contact (id, patient_id, known_alive_on, source, note, version, void_reason)"
            " VALUES (%s, %s, '2021-01-01', 'visit', '', 1, '')",
            [uuid4(), patients[2].pk],
        )
        cursor.execute("SET session_replication_role = DEFAULT")
    freshness.mark_everything()
    freshness.refresh_inline()

    found = results.payload(everyone, physician)
    with connection.cursor() as cursor:  # the checks run at the end of the test
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM patients_contact")
        cursor.execute("SET session_replication_role = DEFAULT")
    assert (found["courses"]["contradictory"], found["n_patients"]) == (1, 4)
    assert "death" in Outcome.objects.exclude(problem="").get().problem
    assert not found["stale"]


def test_marks_are_gone_after_a_refresh():
    make_clinic()
    freshness.refresh_inline()

    assert not StaleCourse.objects.exists()
    assert not StaleResult.objects.exists()


def test_a_cohort_that_counts_nobody_follows_its_definition(everyone, physician):
    make_clinic()
    nobody = Cohort.objects.create(
        slug="nobody", name="Nobody", definition=everyone.definition, tumour_types=["paraganglioma"]
    )
    freshness.refresh_inline()
    assert results.payload(nobody, physician)["n_patients"] == 0

    definition = everyone.definition
    definition.endpoints = {"landmark_months": [3]}
    definition.save()
    freshness.refresh_inline()

    found = results.payload(nobody, physician)
    assert (found["definition"]["landmark_months"], found["stale"]) == ([3], False)


def test_names_and_remarks_are_those_of_now(everyone, physician):
    make_clinic()
    freshness.refresh_inline()

    Cohort.objects.filter(slug="all").update(name="All of us", remarks={"orr": "Mind the denominator."})
    Definition.objects.update(name="House rules")

    found = results.payload(everyone, physician)
    assert (found["name"], found["remarks"]) == ("All of us", {"orr": "Mind the denominator."})
    assert found["definition"]["name"] == "House rules"


def test_a_first_course_that_never_began_hides_nobody(everyone, physician):
    patient = PatientFactory()
    CourseFactory(patient=patient)
    CourseFactory(patient=patient, number=2, given=4)
    freshness.refresh_inline()

    found = results.payload(everyone, physician)

    assert (found["n_patients"], found["courses"]["completed"]["n"], found["courses"]["not_started"]) == (
        1,
        1,
        0,
    )


def test_patients_are_counted_once_where_every_course_counts(everyone, physician):
    patient = PatientFactory()
    CourseFactory(patient=patient, given=4)
    second = CourseFactory(patient=patient, number=2, given=4)
    Administration.objects.filter(cycle__course=second).update(
        administered_at=F("administered_at") + timedelta(days=364)
    )
    every = Cohort.objects.create(
        slug="every", name="Every", definition=everyone.definition, courses_counted=CoursesCounted.ALL
    )
    late = Cohort.objects.create(
        slug="late",
        name="Late",
        definition=everyone.definition,
        courses_counted=CoursesCounted.ALL,
        started_from=date(2019, 1, 1),
    )
    freshness.refresh_inline()

    for cohort in (every, late):
        found = results.payload(cohort, physician)
        assert (found["n_patients"], found["courses"]["n"], found["pfs"]["n"]) == (1, 2, 2)


@pytest.mark.parametrize("how", ["reading", "clinical_progression"])
def test_a_progression_during_a_later_course_is_one_of_the_first_too(everyone, physician, how):
    patient = PatientFactory()
    CourseFactory(patient=patient, given=4)
    CourseFactory(patient=patient, number=2)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 8, 1))
    ReadingFactory(study=study, overall_response="SD")
    if how == "reading":
        late = StudyFactory(
            patient=patient, timepoint="interim", performed_on=date(2020, 2, 1), course_number=2
        )
        ReadingFactory(study=late, overall_response="PD")
    else:
        DiseaseEventFactory(patient=patient, occurred_on=date(2020, 2, 1))
    freshness.refresh_inline()

    outcome = Outcome.objects.get(course__number=1)
    assert (outcome.pfs_event, outcome.pfs_on) == (True, date(2020, 2, 1))
    assert outcome.best_overall_response == "SD"


def test_a_study_of_a_course_that_is_not_there_is_refused(physician):
    patient = CourseFactory(given=1).patient
    create_record(
        Study(patient=patient, course_number=2, timepoint="baseline", performed_on=date(2019, 6, 1)),
        by=physician,
    )

    with pytest.raises(ValidationError, match="A study of course 3: the patient has one course"):
        create_record(
            Study(patient=patient, course_number=3, timepoint="baseline", performed_on=date(2019, 7, 1)),
            by=physician,
        )


def test_a_definition_that_cannot_be_read_holds_nobody_up(everyone, physician):
    make_clinic()
    broken = Definition.objects.create(name="From elsewhere", endpoints={"unheard_of": True})
    cohort = Cohort.objects.create(slug="broken", name="Broken", definition=broken)
    freshness.refresh_inline()

    assert results.payload(everyone, physician)["n_patients"] == 5
    assert not StaleCourse.objects.exists()
    assert not Result.objects.filter(cohort=cohort).exists()
