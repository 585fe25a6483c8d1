"""Queries open and close by themselves with what is written, and are answered by people."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.errors import RegistryError
from accounts.models import Role
from accounts.records import correct_record, create_record, void_record
from analytics import data_queries, query_acts, tasks
from analytics.models import DataCheck, DataQuery, QueryRule, QueryStatus, StaleCheck
from analytics.rules import data_queries as rules
from imaging.models import Timepoint
from patients.models import Contact, Death, DeathCause
from tests.factories import (
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    LabResultFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from treatments import services as treatments
from treatments.models import Administration, LabResult

pytestmark = pytest.mark.django_db

LABS = ("haemoglobin", "leucocytes", "platelets", "creatinine", "alt", "ast", "albumin", "bilirubin")


@pytest.fixture
def course(centre):
    """A course without a given cycle, whose patient lacks nothing."""
    patient = PatientFactory(centre=centre)
    DiagnosisFactory(patient=patient)
    StudyFactory(patient=patient)
    return CourseFactory(patient=patient)


def pending(patient=None) -> set[tuple[str, str]]:
    found = DataQuery.objects.pending()
    return set((found.filter(patient=patient) if patient else found).values_list("rule", "status"))


def rules_pending(patient=None) -> set[str]:
    return {rule for rule, _ in pending(patient)}


def look() -> None:
    data_queries.refresh_inline()
    assert not StaleCheck.objects.exists()


def labs(patient, on: date, analytes=LABS) -> list[LabResult]:
    at = datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=7)
    return [
        LabResultFactory(patient=patient, analyte=analyte, taken_at=at, value=Decimal(30))
        for analyte in analytes
    ]


def give(course, number: int, by, on: date) -> Administration:
    return treatments.administer_cycle(
        cycle=course.cycles.get(number=number),
        administered_at=datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=9),
        administered_activity_mbq=Decimal("7400"),
        confirmation_reason="as told by the ward",
        by=by,
    )


def test_a_cycle_given_without_laboratory_values_opens_a_query_that_the_values_close(course, physician):
    patient = course.patient
    on = timezone.now().date() - timedelta(days=3)
    give(course, 1, physician, on)
    look()

    query = DataQuery.objects.get(rule="labs_missing")
    assert (query.patient, query.course, query.status) == (patient, course, QueryStatus.OPEN)
    assert (query.record_kind, query.record_id) == ("cycle", course.cycles.get(number=1).pk)
    assert query.words[0] == "Cycle 1 without laboratory values"
    assert "haemoglobin" in query.words[1]

    entries = [
        treatments.LabEntry(
            analyte,
            datetime.combine(on - timedelta(days=2), datetime.min.time(), UTC),
            Decimal(40),
            "",
            None,
            None,
        )
        for analyte in LABS[:-1]
    ]
    treatments.record_lab_results(patient=patient, entries=entries, by=physician, confirm_unlikely=True)
    look()
    query.refresh_from_db()
    assert query.status == QueryStatus.OPEN
    assert query.facts["missing"] == ["bilirubin"]

    (value,) = labs(patient, on, ["bilirubin"])
    look()
    query.refresh_from_db()
    assert (query.status, query.closed_by) == (QueryStatus.CLOSED, None)
    assert query.closed_at is not None
    closing = query.answers.get()
    assert (closing.action, closing.by, closing.text) == ("closed", None, data_queries.RULE_CLOSED)

    void_record(value, by=physician, reason="another patient's")
    look()
    assert DataQuery.objects.filter(rule="labs_missing").count() == 2
    assert ("labs_missing", "open") in pending(patient)


def test_the_age_of_a_value_counts_in_local_days_of_the_centre(course, physician):
    # 14 days before in Berlin, the 15th day before in UTC.
    on = date(2026, 6, 20)
    for analyte in LABS:
        LabResultFactory(
            patient=course.patient,
            analyte=analyte,
            value=Decimal(30),
            taken_at=datetime(2026, 6, 5, 22, 30, tzinfo=UTC),
        )
    give(course, 1, physician, on)
    look()
    assert "labs_missing" not in rules_pending()

    LabResult.objects.update(taken_at=datetime(2026, 6, 5, 21, 30, tzinfo=UTC))
    look()
    assert "labs_missing" in rules_pending()


def test_every_rule_opens_by_records_that_are_stored(centre):
    def patient(given: int, *, baseline=True, **values):
        found = PatientFactory(centre=centre)
        course = CourseFactory(patient=found, given=given)
        DiagnosisFactory(patient=found)
        if baseline:
            StudyFactory(patient=found)
        return course

    running = patient(2, baseline=False)  # 2019: labs, cycle 3, interim PET/CT, follow-up
    Administration.objects.filter(cycle__course=running, cycle__number=1).update(
        administered_activity_mbq=5000
    )
    complete = patient(4)
    dead = patient(1)
    DeathFactory(patient=dead.patient, cause=DeathCause.UNKNOWN)
    progressed = patient(2)
    ReadingFactory(
        study=StudyFactory(
            patient=progressed.patient, timepoint=Timepoint.INTERIM, performed_on=date(2019, 3, 20)
        ),
        overall_response="PD",
    )
    without = PatientFactory(centre=centre)
    type(without).objects.filter(pk=without.pk).update(created_at=timezone.now() - timedelta(days=9))
    look()

    assert rules_pending(running.patient) == {
        "labs_missing", "activity_deviation", "cycle_date_past", "baseline_missing", "imaging_missing", "follow_up_old",
    }  # fmt: skip
    assert DataQuery.objects.filter(patient=running.patient, rule="labs_missing").count() == 2
    assert rules_pending(complete.patient) == {
        "labs_missing", "imaging_missing", "final_imaging_missing", "follow_up_old",
    }  # fmt: skip
    assert rules_pending(dead.patient) == {"labs_missing", "death_cause_unknown", "course_open_after_death"}
    assert rules_pending(progressed.patient) == {
        "labs_missing", "progression_not_noted", "cycle_date_past", "follow_up_old",
    }  # fmt: skip
    assert rules_pending(without) == {"diagnosis_missing"}
    assert rules_pending() == set(rules.RULES)
    assert {rule.value for rule in QueryRule} == {*rules.RULES, "manual"}
    for query in DataQuery.objects.all():
        assert all(query.words)


def test_what_settles_a_query_closes_it(centre, data_manager):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    patient = course.patient
    look()
    assert {"diagnosis_missing", "baseline_missing", "cycle_date_past", "follow_up_old"} <= rules_pending()

    DiagnosisFactory(patient=patient)
    create_record(StudyFactory.build(patient=patient), by=data_manager)
    create_record(Contact(patient=patient, known_alive_on=timezone.now().date()), by=data_manager)
    DiscontinuationFactory(course=course)
    look()
    # What was due before the course was stopped is still asked.
    assert rules_pending() == {"labs_missing", "imaging_missing"}

    death = create_record(
        Death(patient=patient, died_on=timezone.now().date(), cause=DeathCause.UNKNOWN), by=data_manager
    )
    look()
    assert "death_cause_unknown" in rules_pending()
    correct_record(death, {"cause": DeathCause.DISEASE}, by=data_manager, reason="letter")
    look()
    assert rules_pending() == {"labs_missing", "imaging_missing"}


def test_two_readers_who_differ_and_a_draft_are_no_progression(centre):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    study = StudyFactory(patient=course.patient, timepoint=Timepoint.INTERIM, performed_on=date(2019, 4, 1))
    draft = ReadingFactory(study=study, overall_response="PD", status="draft")
    look()
    assert "progression_not_noted" not in rules_pending()

    type(draft).objects.update(status="reported")
    look()
    assert "progression_not_noted" in rules_pending()

    ReadingFactory(study=study, reader_role="second", overall_response="SD")
    look()
    assert "progression_not_noted" not in rules_pending()

    ReadingFactory(study=study, reader_role="adjudicator", overall_response="PD")
    look()
    assert "progression_not_noted" in rules_pending()


def test_a_query_accepted_as_it_is_opens_again_only_when_its_facts_change(course, data_manager, physician):
    give(course, 1, physician, timezone.now().date() - timedelta(days=3))
    look()
    query = DataQuery.objects.get(rule="labs_missing")
    query_acts.close_query(query, reason="measured elsewhere, not to be had", by=data_manager)

    Contact.objects.create(patient=course.patient, known_alive_on=timezone.now().date())
    look()
    assert "labs_missing" not in rules_pending()

    labs(course.patient, timezone.now().date() - timedelta(days=4), ["platelets"])
    look()
    again = DataQuery.objects.pending().get(rule="labs_missing")
    assert again != query
    assert "platelets" not in again.facts["missing"]
    with pytest.raises(RegistryError, match="newer query"):
        query_acts.reopen_query(query, reason="look again", by=data_manager)


def test_an_answered_query_is_open_again_when_its_facts_change(course, data_manager, physician):
    give(course, 1, physician, timezone.now().date() - timedelta(days=3))
    look()
    query = DataQuery.objects.get(rule="labs_missing")
    query_acts.answer_query(query, text="the laboratory is asked", by=data_manager)
    course.patient.save()
    look()
    assert pending() == {("labs_missing", "answered")}

    labs(course.patient, timezone.now().date() - timedelta(days=4), ["platelets"])
    look()
    assert pending() == {("labs_missing", "open")}
    assert list(query.answers.values_list("action", "by")) == [
        ("answered", data_manager.pk),
        ("reopened", None),
    ]


def test_a_query_that_was_raised_by_hand_is_closed_by_a_person_alone(centre, data_manager):
    patient = DiagnosisFactory(patient__centre=centre).patient
    query = query_acts.raise_query(patient=patient, text=" Is the sex right? ", by=data_manager)
    patient.save()
    look()

    assert pending() == {("manual", "open")}
    assert query.words == ("Raised by hand", "Is the sex right?")
    query_acts.close_query(query, reason="It is.", by=data_manager)
    assert pending() == set()
    query_acts.reopen_query(query, reason="It is not.", by=data_manager)
    look()
    assert pending() == {("manual", "open")}


def test_the_queries_of_a_voided_patient_are_closed(centre, data_manager):
    patient = PatientFactory(centre=centre)
    query_acts.raise_query(patient=patient, text="Who is this?", by=data_manager)
    type(patient).objects.filter(pk=patient.pk).update(created_at=timezone.now() - timedelta(days=9))
    look()
    assert len(pending()) == 2

    void_record(patient, by=data_manager, reason="entered twice")
    look()

    assert pending() == set()
    assert not DataQuery.objects.visible_to(data_manager).exists()


def test_a_day_that_begins_opens_queries_of_patients_nobody_writes_to(course, physician):
    ContactFactory(patient=course.patient, known_alive_on=timezone.now().date() - timedelta(days=100))
    give(course, 1, physician, timezone.now().date() - timedelta(days=120))
    look()
    assert data_queries.mark_of_new_day() == 0
    before = rules_pending()
    assert "cycle_date_past" in before

    # As though it had been looked at yesterday, when the rule did not ask yet.
    DataQuery.objects.filter(rule="cycle_date_past").update(status="closed", closed_at=timezone.now())
    DataCheck.objects.update(checked_on=timezone.now().date() - timedelta(days=2))

    assert data_queries.mark_of_new_day() == 1
    assert data_queries.mark_of_new_day() == 0
    look()
    assert rules_pending() == before


def test_the_command_and_the_tasks_do_the_same(course, physician, capsys):
    give(course, 1, physician, timezone.now().date() - timedelta(days=3))
    tasks.refresh()
    assert rules_pending() == {"labs_missing"}

    labs(course.patient, timezone.now().date() - timedelta(days=4))
    tasks.refresh_queries()
    assert rules_pending() == set()

    DataCheck.objects.update(checked_on=None)
    call_command("query_data")
    assert "0 queries are open" in capsys.readouterr().out
    assert not StaleCheck.objects.exists()


def test_looking_twice_changes_nothing_and_costs_the_same_for_one_patient_as_for_many(centre):
    def stored():
        return list(DataQuery.objects.order_by("pk").values())

    CourseFactory(patient=PatientFactory(centre=centre), given=2)
    with CaptureQueriesContext(connection) as one:
        data_queries.refresh()
    for _ in range(6):
        CourseFactory(patient=PatientFactory(centre=centre), given=3)
    with CaptureQueriesContext(connection) as many:
        data_queries.refresh()
    assert len(one) == len(many)
    before = stored()
    assert len(before) > 20

    DataCheck.objects.update(checked_on=None)
    data_queries.mark_of_new_day()
    look()
    assert stored() == before


def test_acts_need_a_role_that_may_change_records_at_the_centre(course, other_centre, data_manager):
    query = query_acts.raise_query(patient=course.patient, text="?", by=data_manager)
    centre = course.patient.centre
    allowed = {
        Role.COORDINATOR,
        Role.PHYSICIAN,
        Role.PHYSICIST,
        Role.READER,
        Role.DATA_MANAGER,
        Role.INTEGRATION,
    }
    for role in Role:
        user = make_user(role=role, centre=centre)
        stranger = make_user(role=role, centre=other_centre)
        assert query_acts.may_act(user, centre.pk) == (role in allowed)
        assert not DataQuery.objects.visible_to(stranger).exists()
        for somebody in [stranger] if role in allowed else [user, stranger]:
            for act in (
                lambda by: query_acts.answer_query(query, text="x", by=by),
                lambda by: query_acts.assign_query(query, to=None, by=by),
                lambda by: query_acts.close_query(query, reason="x", by=by),
                lambda by: query_acts.reopen_query(query, reason="x", by=by),
                lambda by: query_acts.raise_query(patient=course.patient, text="x", by=by),
            ):
                with pytest.raises(PermissionDenied):
                    act(somebody)
    query.refresh_from_db()
    assert (query.status, query.answers.count(), DataQuery.objects.count()) == ("open", 0, 1)


def test_a_query_is_assigned_to_who_may_answer_it_there(course, data_manager, other_centre):
    centre = course.patient.centre
    nurse = make_user(role=Role.COORDINATOR, centre=centre)
    query = query_acts.raise_query(patient=course.patient, text="?", by=data_manager, assigned_to=nurse)
    assert query.assigned_to == nurse

    query_acts.assign_query(query, to=nurse, by=data_manager)
    query_acts.assign_query(query, to=None, by=nurse)
    assert list(query.answers.values_list("action", "assigned_to", "by")) == [
        ("assigned", nurse.pk, data_manager.pk),
        ("assigned", None, nurse.pk),
    ]
    for nobody in (
        make_user(role=Role.RESEARCHER, centre=centre),
        make_user(role=Role.COORDINATOR, centre=other_centre),
        make_user(role=Role.COORDINATOR, centre=centre, is_active=False),
    ):
        with pytest.raises(ValidationError):
            query_acts.assign_query(query, to=nobody, by=data_manager)


def test_a_query_is_raised_at_a_record_of_this_patient_alone(course, centre, data_manager):
    other = CourseFactory(patient=PatientFactory(centre=centre))
    cycle, foreign = course.cycles.first(), other.cycles.first()

    query = query_acts.raise_query(
        patient=course.patient, text="?", by=data_manager, record_kind="cycle", record_id=cycle.pk
    )
    assert query.course == course
    for kind, pk in (("cycle", foreign.pk), ("study", cycle.pk), ("secret", cycle.pk)):
        with pytest.raises(ValidationError):
            query_acts.raise_query(
                patient=course.patient, text="?", by=data_manager, record_kind=kind, record_id=pk
            )


@pytest.mark.parametrize("text", ["", "  ", "x" * 1001])
def test_what_is_said_is_neither_blank_nor_endless(text, course, data_manager):
    query = query_acts.raise_query(patient=course.patient, text="?", by=data_manager)
    with pytest.raises(ValidationError):
        query_acts.raise_query(patient=course.patient, text=text, by=data_manager)
    with pytest.raises(ValidationError):
        query_acts.answer_query(query, text=text, by=data_manager)
    with pytest.raises(ValidationError):
        query_acts.close_query(query, reason=text, by=data_manager)


def test_a_closed_query_takes_no_answer_and_a_line_of_its_thread_stays_as_it_was(course, data_manager):
    query = query_acts.raise_query(patient=course.patient, text="?", by=data_manager)
    with pytest.raises(RegistryError, match="not closed"):
        query_acts.reopen_query(query, reason="x", by=data_manager)
    query_acts.close_query(query, reason="done", by=data_manager)
    for act in (
        lambda: query_acts.answer_query(query, text="late", by=data_manager),
        lambda: query_acts.assign_query(query, to=None, by=data_manager),
        lambda: query_acts.close_query(query, reason="again", by=data_manager),
    ):
        with pytest.raises(RegistryError, match="closed"):
            act()
    for change in (lambda: query.answers.update(text="other"), lambda: query.answers.all().delete()):
        with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
            change()
