"""A course at a glance: what is said of each cycle's laboratory values, dose, PET/CT and toxicity, and where it leads."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Role
from clinic.selectors.chart import patient_chart
from clinic.selectors.matrix import Line
from patients.models import Patient
from tests.factories import (
    AdverseEventFactory,
    CourseFactory,
    DiscontinuationFactory,
    LabResultFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from treatments.models import Course

pytestmark = pytest.mark.django_db


def lines(patient: Patient, today: date) -> dict[str, Line]:
    user = make_user(role=Role.PHYSICIAN, centre=patient.centre, username=f"physician {today}")
    patient = Patient.objects.select_related("centre").get(pk=patient.pk)
    chart = patient_chart(
        user, patient, datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=12)
    )
    return {line.name: line for line in chart.courses[0].matrix}


@pytest.fixture
def course(centre) -> Course:
    """Two of four cycles given, on 2019-01-07 and 2019-03-04; the third is planned for 2019-04-29."""
    return CourseFactory(patient=PatientFactory(centre=centre), given=2)


def sample(patient: Patient, course: Course, on: date, *, without: str = "") -> None:
    for analyte in course.protocol.labs_before_cycle:
        if analyte != without:
            LabResultFactory(
                patient=patient,
                analyte=analyte,
                value=Decimal("100"),
                taken_at=datetime(on.year, on.month, on.day, 8, tzinfo=UTC),
            )


def test_values_count_for_as_many_days_as_the_protocol_says(course):
    within = course.protocol.labs_within_days
    sample(course.patient, course, date(2019, 3, 4) - timedelta(days=within))
    sample(course.patient, course, date(2019, 1, 7) - timedelta(days=within + 1))
    found = lines(course.patient, date(2019, 4, 20))
    assert found["Cycle 2"].labs.word == "complete"
    n = len(course.protocol.labs_before_cycle)
    assert found["Cycle 1"].labs.word == f"{n} missing"
    # Of the next cycle within those days, of later ones not yet.
    assert found["Cycle 3"].labs.word == f"{n} missing"
    assert found["Cycle 3"].labs.url.endswith("/laboratory/enter/")
    assert found["Cycle 4"].labs.word == "not yet"
    early = lines(course.patient, date(2019, 4, 29) - timedelta(days=within + 1))
    assert early["Cycle 3"].labs.word == "not yet"


def test_one_missing_value_is_counted(course):
    sample(course.patient, course, date(2019, 3, 1), without=course.protocol.labs_before_cycle[0])
    assert lines(course.patient, date(2019, 4, 1))["Cycle 2"].labs.word == "1 missing"


def test_the_dose_says_what_was_given_and_leads_to_giving_the_next_alone(course):
    found = lines(course.patient, date(2019, 4, 29))
    assert found["Cycle 1"].dose.word == "7.4\N{NO-BREAK SPACE}GBq"
    assert found["Cycle 3"].dose.word == "in window"
    assert found["Cycle 3"].dose.url.endswith("/give/")
    assert found["Cycle 4"].dose.url == ""


def test_imaging_is_asked_for_where_the_protocol_does(course):
    assert course.protocol.imaging_after_cycles[0] == 2
    found = lines(course.patient, date(2019, 4, 1))
    assert found["Cycle 1"].imaging.word == ""
    assert found["Cycle 2"].imaging.word == "due by 2019-04-29"
    assert (found["Before"].imaging.word, found["Before"].imaging.status) == ("no baseline", "baseline")

    StudyFactory(patient=course.patient)
    study = StudyFactory(patient=course.patient, timepoint="interim", performed_on=date(2019, 4, 1))
    found = lines(course.patient, date(2019, 4, 2))
    assert found["Before"].imaging.word == "baseline made"
    assert found["Cycle 2"].imaging.word == "to be read"
    ReadingFactory(study=study, overall_response="PR")
    found = lines(course.patient, date(2019, 4, 3))
    assert (found["Cycle 2"].imaging.word, found["Cycle 2"].imaging.status) == ("partial response", "PR")


def test_toxicity_belongs_to_the_cycle_before_it(course):
    AdverseEventFactory(
        patient=course.patient, term="Nausea", grade=2, onset_on=date(2019, 1, 8), resolved_on=None
    )
    AdverseEventFactory(
        patient=course.patient, term="Fatigue", grade=3, onset_on=date(2019, 3, 20), resolved_on=None
    )
    found = lines(course.patient, date(2019, 4, 1))
    assert (found["Cycle 1"].toxicity.word, found["Cycle 1"].toxicity.status) == ("grade 2", "upcoming")
    assert (found["Cycle 2"].toxicity.word, found["Cycle 2"].toxicity.status) == ("grade 3", "toxicity")
    assert found["Cycle 3"].toxicity.word == ""


def test_what_was_left_out_has_no_line_and_nothing_is_asked_of_a_course_that_was_stopped(course):
    DiscontinuationFactory(course=course)
    found = lines(course.patient, date(2019, 6, 1))
    assert found.keys() == {"Before", "Cycle 1", "Cycle 2"}
    assert found["Cycle 2"].imaging.word == "due"
