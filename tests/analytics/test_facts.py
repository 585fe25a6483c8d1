"""The facts of courses, read from their records: what belongs to a course, and what of it is in force."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, combinations, product

import psycopg
import pytest
from django.db import connection

from accounts.records import void_record
from analytics import facts, freshness
from analytics.models import AnalysisRow, Definition, Outcome
from analytics.rules.baseline import Baseline, completed_years, describe
from analytics.rules.endpoints import EndpointDefinition
from imaging.models import OverallResponse, Reading
from patients.models import Patient
from tests.factories import (
    AdverseEventFactory,
    CentreFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    DiseaseEventFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    PerformanceStatusFactory,
    PriorPrrtFactory,
    PriorTherapyFactory,
    ReadingFactory,
    StudyFactory,
)
from treatments.models import Administration, Course

STARTED = date(2019, 1, 7)


def days(*numbers: int) -> tuple[date, ...]:
    return tuple(STARTED + timedelta(n) for n in numbers)


def one(course: Course) -> facts.Course:
    """Return the course as it is read."""
    (found,) = facts.fetch([course.pk])
    return found


def facts_of(course: Course) -> facts.CourseFacts:
    found = one(course).facts
    assert found is not None
    return found


@contextmanager
def without_triggers() -> Iterator[None]:
    """Write what the database refuses today, as a table restored from elsewhere may hold it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what was written before is checked before
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


# What the time before a course says


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        (date(1960, 5, 17), date(2020, 5, 16), 59),
        (date(1960, 5, 17), date(2020, 5, 17), 60),
        (date(1960, 2, 29), date(2019, 2, 28), 58),
        (date(1960, 2, 29), date(2019, 3, 1), 59),
        (date(1960, 2, 29), date(2020, 2, 28), 59),
        (date(1960, 2, 29), date(2020, 2, 29), 60),
        (date(2020, 1, 1), date(2020, 1, 1), 0),
    ],
)
def test_age_in_completed_years(born, on, years):
    assert completed_years(born, on) == years


def test_nobody_is_treated_before_birth():
    with pytest.raises(ValueError, match="born on 2020-01-02: expected on or before 2020-01-01"):
        completed_years(date(2020, 1, 2), date(2020, 1, 1))


@pytest.mark.parametrize(
    ("performance", "ecog"),
    [
        ([(-1, 1)], 1),
        ([(0, 1)], 1),
        ([(1, 1)], None),
        ([(-30, 0), (-1, 2), (1, 3)], 2),
        ([(-1, 2), (-30, 0)], 2),
        ([(-1, 1), (-1, 2)], 2),
        ([], None),
    ],
)
def test_performance_status_is_the_last_until_the_first_administration(performance, ecog):
    known = Baseline(performance=tuple((days(n)[0], score) for n, score in performance))

    assert describe(known, started_on=STARTED, cutoff=date.max).ecog == ecog


@pytest.mark.parametrize(("cutoff", "ecog"), [(-31, None), (-30, 0), (-1, 2)])
def test_where_nothing_was_given_what_is_known_by_the_cut_off_counts(cutoff, ecog):
    known = Baseline(
        performance=((days(-30)[0], 0), (days(-1)[0], 2)), prior_therapies=(("surgery", days(-30)[0]),)
    )

    found = describe(known, started_on=None, cutoff=days(cutoff)[0])

    assert (found.ecog, found.prior_therapies) == (ecog, ["surgery"] if cutoff >= -30 else [])


@pytest.mark.parametrize(("n", "kinds"), [(-1, ["surgery"]), (0, []), (1, []), (None, ["surgery"])])
def test_a_therapy_is_earlier_when_it_was_begun_before_the_first_administration(n, kinds):
    known = Baseline(prior_therapies=(("surgery", None if n is None else days(n)[0]),) * 2)

    assert describe(known, started_on=STARTED, cutoff=date.max).prior_therapies == kinds


@pytest.mark.parametrize(("n", "suv_max"), [(-1, Decimal(20)), (0, Decimal(20)), (1, None)])
def test_a_scan_after_the_first_administration_is_no_baseline(n, suv_max):
    known = Baseline(scanned_on=days(n)[0], suv_max=Decimal(20), krenning_score=3)

    found = describe(known, started_on=STARTED, cutoff=date.max)

    assert (found.suv_max, found.krenning_score) == (suv_max, None if suv_max is None else 3)


@pytest.mark.parametrize(
    ("diagnosed", "site"), [(date(2019, 1, 6), ""), (date(2019, 1, 5), "pancreas"), (None, "pancreas")]
)
def test_a_diagnosis_after_the_cut_off_does_not_exist(diagnosed, site):
    known = Baseline(diagnosed_on=diagnosed, primary_site="pancreas", ki67_percent=Decimal(5))

    found = describe(known, started_on=None, cutoff=date(2019, 1, 5))

    assert (found.primary_site, found.ki67_percent) == (site, Decimal(5) if site else None)


# What is read


@pytest.mark.django_db
def test_days_are_those_of_the_centre():
    course = CourseFactory(patient__centre=CentreFactory(time_zone="Asia/Tokyo"), given=1)
    Administration.objects.update(administered_at=datetime(2019, 1, 7, 15, 0, tzinfo=UTC))

    assert facts_of(course).administered_on == days(1)  # midnight in Tokyo


@pytest.mark.django_db
def test_everything_of_a_course_is_read():
    course = CourseFactory(given=2)
    patient = course.patient
    baseline = StudyFactory(patient=patient, performed_on=days(-14)[0], krenning_score=3)
    hot, hotter = (LesionFactory(patient=patient, label=label) for label in ("L1", "L2"))
    MeasurementFactory(lesion=hot, study=baseline, suv_max=Decimal("12.5"))
    MeasurementFactory(lesion=hotter, study=baseline, suv_max=Decimal("31.25"))
    interim = StudyFactory(patient=patient, timepoint="interim", performed_on=days(100)[0])
    MeasurementFactory(lesion=hotter, study=interim, suv_max=Decimal(99))
    ReadingFactory(study=interim, overall_response="PR", sstr_response="decreased")
    DiagnosisFactory(patient=patient, who_grade="g2", ki67_percent=Decimal("4.5"), diagnosed_on=days(-400)[0])
    ContactFactory(patient=patient, known_alive_on=days(300)[0])
    DiseaseEventFactory(patient=patient, kind="clinical_progression", occurred_on=days(150)[0])
    DiseaseEventFactory(patient=patient, kind="new_therapy", occurred_on=days(160)[0])
    AdverseEventFactory(patient=patient, term="Nausea", grade=2, onset_on=days(3)[0])
    PriorPrrtFactory(patient=patient, last_given_on=days(-500)[0])
    PerformanceStatusFactory(patient=patient, ecog=1, assessed_on=days(-3)[0])
    PriorTherapyFactory(patient=patient, kind="surgery", started_on=None)
    PriorTherapyFactory(patient=patient, kind="chemotherapy", started_on=days(-90)[0])
    DeathFactory(patient=patient, died_on=days(400)[0], cause="disease")
    DiscontinuationFactory(course=course, discontinued_on=days(70)[0], main_reason="renal")

    found = one(course)
    read = facts_of(course)

    assert (found.id, found.centre_id, found.is_first_course) == (course.pk, patient.centre_id, True)
    assert (found.sex, found.intent) == (patient.sex, "initial")
    assert found.protocol == f"{course.protocol.code}/{course.protocol.version}"
    assert (found.baseline.suv_max, found.baseline.krenning_score) == (Decimal("31.25"), 3)
    assert (found.baseline.who_grade, found.baseline.ki67_percent) == ("g2", Decimal("4.5"))
    assert found.baseline.performance == ((days(-3)[0], 1),)
    assert set(found.baseline.prior_therapies) == {
        ("prrt", days(-500)[0]),
        ("surgery", None),
        ("chemotherapy", days(-90)[0]),
    }
    assert read.administered_on == days(0, 56)
    assert read.activities_mbq == (Decimal("7391.5"),) * 2
    assert read.prescribed_mbq == (Decimal(7400),) * 2
    assert (read.discontinued_on, read.discontinuation_reason) == (days(70)[0], "renal")
    assert (read.baseline_on, read.diagnosed_on) == days(-14, -400)
    assert [(a.on, a.response, a.timepoint, a.sstr) for a in read.assessments] == [
        (days(100)[0], "PR", "interim", "decreased")
    ]
    assert (read.clinical_progressions, read.new_therapies) == (days(150), days(160))
    assert sorted(read.known_alive) == sorted(days(-14, 100, 300, 0, 56))
    assert (read.died_on, read.death_cause) == (days(400)[0], "disease")
    assert read.adverse_events == ((days(3)[0], "Nausea", 2),)
    assert read.plan is not None
    assert (read.plan.interval_days, read.plan.window_days, read.plan.activity_mbq) == (56, 7, Decimal(7400))


@pytest.mark.django_db
def test_lesions_of_the_second_reader_and_drafts_have_no_uptake():
    course = CourseFactory(given=1)
    baseline = StudyFactory(patient=course.patient)
    other = LesionFactory(patient=course.patient, reader_role="second", role="target")
    MeasurementFactory(lesion=other, study=baseline, suv_max=Decimal(50))
    draft = LesionFactory(patient=course.patient, label="L2", role="non_target")
    MeasurementFactory(lesion=draft, study=baseline, suv_max=Decimal(40), is_draft=True)

    assert one(course).baseline.suv_max is None
    assert not facts_of(course).is_measurable  # of the first reader there is no target


@pytest.mark.django_db
def test_without_lesions_a_course_is_taken_as_measurable():
    assert facts_of(CourseFactory(given=1)).is_measurable


ROLES = ("first", "second", "adjudicator")


@pytest.mark.django_db
@pytest.mark.parametrize("roles", list(chain.from_iterable(combinations(ROLES, n) for n in range(4))))
def test_the_reading_that_counts_is_the_one_of_the_view(roles):
    """Every set of readers, their responses alike or not, each a draft or not."""
    courses = []
    for responses in product(("SD", "PR"), repeat=len(roles)):
        for drafts in product(("reported", "draft"), repeat=len(roles)):
            course = CourseFactory(given=1)
            study = StudyFactory(patient=course.patient, timepoint="interim", performed_on=days(100)[0])
            for role, response, status in zip(roles, responses, drafts, strict=True):
                ReadingFactory(study=study, reader_role=role, overall_response=response, status=status)
            courses.append(course)

    for course in courses:
        counted = Reading.objects.in_force().filter(study__patient=course.patient)
        assert [a.response for a in facts_of(course).assessments] == [
            reading.overall_response for reading in counted
        ]


@pytest.mark.django_db
def test_what_is_voided_does_not_exist():
    course = CourseFactory(given=2)
    patient = course.patient
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=days(100)[0])
    records = [
        ReadingFactory(study=study),
        ContactFactory(patient=patient),
        DiseaseEventFactory(patient=patient),
        AdverseEventFactory(patient=patient),
        PriorPrrtFactory(patient=patient),
        DiagnosisFactory(patient=patient),
        PerformanceStatusFactory(patient=patient),
        PriorTherapyFactory(patient=patient),
    ]
    for record in [*records, study]:
        void_record(record, by=None, reason="entered twice")

    found = one(course)
    read = facts_of(course)

    assert (read.assessments, read.adverse_events, read.clinical_progressions, read.new_therapies) == (
        (),
    ) * 4
    assert read.known_alive == read.administered_on == days(0, 56)
    assert (found.baseline.tumour_type, found.baseline.prior_therapies) == ("", ())
    assert found.baseline.performance == ()


@pytest.mark.django_db
def test_a_voided_course_is_not_read():
    course = CourseFactory()
    void_record(course, by=None, reason="entered twice")

    assert facts.fetch([course.pk]) == []


@pytest.mark.django_db
def test_courses_of_one_patient_tell_of_each_other():
    patient = PatientFactory()
    first = CourseFactory(patient=patient, given=4)
    second = CourseFactory(patient=patient, number=2, given=1)
    later = datetime(2020, 3, 2, 9, tzinfo=UTC)
    Administration.objects.filter(cycle__course=second).update(administered_at=later)
    StudyFactory(patient=patient, course_number=2, performed_on=date(2020, 2, 1))
    after = StudyFactory(patient=patient, course_number=2, timepoint="interim", performed_on=date(2020, 6, 1))
    ReadingFactory(study=after, overall_response="PD")

    of_first, of_second = (one(course) for course in (first, second))

    assert (of_first.is_first_course, of_second.is_first_course) == (True, False)
    assert of_first.facts is not None
    assert of_second.facts is not None
    assert of_first.facts.new_therapies == (later.date(),)
    assert of_first.facts.next_course_on == later.date()
    assert [a.response for a in of_first.facts.later_assessments] == ["PD"]
    assert of_first.facts.assessments == of_second.facts.later_assessments == ()
    assert sorted(of_first.facts.known_alive) == sorted(of_second.facts.known_alive)
    assert of_first.baseline.prior_therapies == ()
    assert of_second.baseline.prior_therapies == (("prrt", STARTED),)
    assert of_second.facts.new_therapies == ()


@pytest.mark.django_db
def test_the_first_course_is_the_first_that_was_begun():
    patient = PatientFactory()
    planned = CourseFactory(patient=patient)
    begun = CourseFactory(patient=patient, number=2, given=1)

    assert [one(course).is_first_course for course in (planned, begun)] == [False, True]


@pytest.mark.django_db
@pytest.mark.parametrize(("discontinued", "planned"), [(False, 3), (True, 4)])
def test_a_cycle_left_out_by_itself_is_not_planned_any_more(discontinued, planned):
    course = CourseFactory(given=2)
    course.cycles.filter(number=4).update(status="cancelled")
    if discontinued:
        DiscontinuationFactory(course=course)

    assert facts_of(course).planned_cycles == planned


@pytest.mark.django_db
def test_facts_that_contradict_each_other_are_told_as_the_problem():
    course = CourseFactory(given=2)
    with without_triggers():
        Administration.objects.update(administered_at=datetime(2019, 1, 7, 9, tzinfo=UTC))

    found = one(course)

    assert found.facts is None
    assert "expected ascending days" in found.problem


@pytest.mark.django_db
def test_any_number_of_courses_is_read_in_one_statement(monkeypatch):
    courses = [CourseFactory(given=1) for _ in range(5)]
    executed = []
    execute = psycopg.Cursor.execute
    monkeypatch.setattr(
        psycopg.Cursor,
        "execute",
        lambda self, query, *args, **more: executed.append(query) or execute(self, query, *args, **more),
    )

    assert len(facts.fetch([course.pk for course in courses])) == 5
    assert len(executed) == 1


# What is stored of them


@pytest.mark.django_db
def test_every_column_of_an_outcome_is_derived():
    course = CourseFactory(given=2)
    patient = course.patient
    StudyFactory(patient=patient, performed_on=days(-14)[0], krenning_score=4)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=days(100)[0])
    ReadingFactory(study=study, overall_response="PR", sstr_response="decreased")
    DiagnosisFactory(patient=patient, who_grade="g1")
    PriorPrrtFactory(patient=patient, last_given_on=days(-500)[0])
    PerformanceStatusFactory(patient=patient, ecog=2, assessed_on=STARTED)
    PriorTherapyFactory(patient=patient, kind="surgery", started_on=days(-1)[0])
    PriorTherapyFactory(patient=patient, kind="chemotherapy", started_on=days(200)[0])
    AdverseEventFactory(patient=patient, term="Nausea, late", grade=3, onset_on=days(60)[0])
    DiscontinuationFactory(course=course, discontinued_on=days(70)[0], main_reason="renal")
    freshness.refresh_inline()

    found = Outcome.objects.get(course=course, definition__cohorts__slug="all")

    assert (found.started_on, found.time_zero, found.entry_days) == (STARTED, STARTED, 0)
    assert found.toxicities == ["Nausea, late:0:3", "Nausea, late:2:3"]
    assert found.responses == ["interim:100:PR:decreased"]
    assert (found.prior_therapies, found.ecog) == (["prrt", "surgery"], 2)
    assert (found.baseline_krenning, found.who_grade) == (4, "g1")
    assert (found.planned_cycles, found.cycles_given, found.cumulative_activity_mbq) == (4, 2, Decimal(14783))
    assert found.dose_intensity_percent == Decimal("99.9")  # 7,391.5 / 7,400
    assert (found.delayed_cycles, found.reduced_cycles) == (0, 0)
    assert (found.ttr_days, found.ttr_event, found.ttr_basis) == (100, True, "response:PR")
    assert (found.dor_days, found.dor_event, found.dor_basis) == (0, False, "last_adequate_assessment")
    assert (found.ttd_days, found.ttd_event, found.ttd_basis) == (70, True, "discontinued:renal")
    assert (found.best_overall_response, found.confirmed_best_overall_response) == ("PR", "SD")
    assert found.best_sstr_response == "decreased"
    assert found.age_years == completed_years(patient.birth_date, STARTED)
    assert {field.name for field in AnalysisRow._meta.get_fields()} <= set(freshness._DERIVED)


@pytest.mark.django_db
def test_derived_again_an_outcome_takes_the_correction():
    course = CourseFactory(given=4)
    AdverseEventFactory(patient=course.patient, term="Nausea", grade=1, onset_on=days(3)[0])
    freshness.refresh_inline()
    Administration.objects.filter(cycle__course=course).update(administered_activity_mbq=Decimal(3700))
    course.patient.adverse_events.update(voided_at=datetime(2020, 1, 1, tzinfo=UTC), void_reason="twice")
    freshness.refresh_inline()

    found = Outcome.objects.get(course=course, definition__cohorts__slug="all")

    assert (found.cumulative_activity_mbq, found.toxicities) == (Decimal(14800), [])


@pytest.mark.django_db
def test_a_course_that_has_no_time_zero_says_why_and_keeps_its_facts():
    course = CourseFactory(given=2)
    DiagnosisFactory(patient=course.patient, diagnosed_on=None)
    rules = EndpointDefinition(time_zero="diagnosis").to_json()
    definition = Definition.objects.create(name="From diagnosis", endpoints=rules)
    freshness.refresh_inline()

    found = Outcome.objects.get(course=course, definition=definition)

    assert found.problem == "No day of diagnosis is known, from which days are counted."
    assert (found.started_on, found.time_zero, found.pfs_days, found.cycles_given) == (STARTED, None, None, 2)


@pytest.mark.django_db
def test_born_after_the_first_administration_is_a_contradiction_of_one_course_alone():
    wrong, right = CourseFactory(given=1), CourseFactory(given=1)
    with without_triggers():
        Patient.objects.filter(pk=wrong.patient_id).update(birth_date=date(2019, 1, 8))
    freshness.refresh_inline()

    problems = {
        outcome.course_id: outcome.problem
        for outcome in Outcome.objects.filter(definition__cohorts__slug="all")
    }

    assert problems[wrong.pk] == "born on 2019-01-08: expected on or before 2019-01-07"
    assert problems[right.pk] == ""


def test_readings_come_in_the_codes_of_the_rules():
    from imaging.models import SstrResponse
    from imaging.rules.best_response import RESPONSES
    from imaging.rules.sstr import SstrClass

    assert set(OverallResponse.values) == set(RESPONSES)
    assert set(SstrResponse.values) == {code.value for code in SstrClass}
