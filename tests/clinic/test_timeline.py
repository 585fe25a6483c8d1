"""A patient's days as a drawing and a table: what is a mark, where it lies, and the ways to look closer."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.models import Role, User
from clinic.selectors import timeline
from clinic.selectors.chart import PatientChart, patient_chart
from patients.models import Patient
from tests.clinic.test_pages import signed_in
from tests.factories import (
    AdverseEventFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiseaseEventFactory,
    LabResultFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
    make_user,
)
from treatments.models import LabAnalyte

pytestmark = pytest.mark.django_db
NOW = datetime(2019, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def physician(centre) -> User:
    return make_user(role=Role.PHYSICIAN, centre=centre, username="physician")


@pytest.fixture
def patient(centre) -> Patient:
    """Two of four cycles given from 2019-01-07, a study read as progressive, low platelets, an event that goes on."""
    patient = PatientFactory(centre=centre)
    DiagnosisFactory(patient=patient, diagnosed_on=date(2018, 3, 1))
    CourseFactory(patient=patient, given=2)
    study = StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    ReadingFactory(study=study, overall_response="PD")
    at = datetime(2019, 3, 20, 8, tzinfo=UTC)
    LabResultFactory(patient=patient, analyte=LabAnalyte.PLATELETS, value=Decimal("74"), taken_at=at)
    LabResultFactory(patient=patient, analyte=LabAnalyte.HAEMOGLOBIN, value=Decimal("79"), taken_at=at)
    AdverseEventFactory(patient=patient, term="Nausea", grade=2, onset_on=date(2019, 1, 8), resolved_on=None)
    DiseaseEventFactory(patient=patient, kind="new_therapy", occurred_on=date(2019, 5, 20))
    return patient


def chart_of(user: User, patient: Patient) -> PatientChart:
    return patient_chart(user, Patient.objects.select_related("centre").get(pk=patient.pk), NOW)


def test_everything_with_a_date_is_a_mark_on_its_track(patient, physician):
    marks = timeline.marks_of(chart_of(physician, patient))
    assert [(mark.on.isoformat(), mark.track, mark.kind) for mark in marks] == [
        ("2018-03-01", "disease", "diagnosis"),
        ("2019-01-07", "treatment", "given"),
        ("2019-01-08", "events", "grade-2"),
        ("2019-03-04", "treatment", "given"),
        ("2019-03-20", "labs", "grade-3"),
        ("2019-04-01", "imaging", "PD"),
        ("2019-04-29", "treatment", "planned"),
        ("2019-05-20", "disease", "therapy"),
        ("2019-06-24", "treatment", "planned"),
    ]
    labs = next(mark for mark in marks if mark.track == "labs")
    assert labs.label == "Haemoglobin G3"
    assert "Platelets 74" in labs.words
    event = next(mark for mark in marks if mark.track == "events")
    assert event.is_open
    assert event.until == NOW.date()


def test_it_reaches_from_the_diagnosis_to_three_months_past_the_last_record(patient, physician):
    chart = chart_of(physician, patient)
    drawn = timeline.timeline(chart)
    assert (drawn.first, drawn.last) == (date(2018, 3, 1), date(2019, 6, 24))
    chart.today = date(2026, 1, 1)
    drawn = timeline.timeline(chart)
    assert drawn.last == date(2019, 6, 24) + timedelta(days=timeline.QUIET_DAYS)
    assert ("Up to today", date(2018, 3, 1), date(2026, 1, 1)) in drawn.zooms


def test_the_dead_end_where_they_died(patient, physician):
    DeathFactory(patient=patient, died_on=date(2019, 5, 30))
    chart = chart_of(physician, patient)
    drawn = timeline.timeline(chart)
    assert drawn.last == date(2019, 5, 30)
    assert not any(mark.kind == "planned" for mark in drawn.marks)


def test_marks_lie_in_order_inside_the_drawing_and_never_upon_each_other(patient, physician):
    for day in range(1, 28):
        AdverseEventFactory(patient=patient, term=f"Event {day}", grade=1, onset_on=date(2019, 2, day))
    drawn = timeline.timeline(chart_of(physician, patient))
    for track in drawn.tracks:
        places = [(one.x, one.y) for one in track.marks]
        assert len(set(places)) == len(places)
        assert all(timeline.GUTTER <= one.x <= timeline.WIDTH for one in track.marks)
        assert all(track.y <= one.y <= track.y + track.height for one in track.marks)
        xs = [one.x for one in track.marks]
        assert xs == sorted(xs)
    assert drawn.height > drawn.tracks[-1].y


def test_closer_days_show_what_lies_in_them_and_count_the_rest(patient, physician):
    drawn = timeline.timeline(chart_of(physician, patient), first=date(2019, 3, 1), last=date(2019, 3, 31))
    shown = {one.mark.on.isoformat() for track in drawn.tracks for one in track.marks}
    assert shown == {"2019-01-08", "2019-03-04", "2019-03-20"}  # the event that goes on reaches into it
    assert drawn.outside == len(drawn.marks) - 3


def test_days_in_the_wrong_order_or_too_few_are_widened_and_no_days_are_not_found(patient, physician):
    client = signed_in(physician)
    address = reverse("patient-events", args=[patient.pk])
    for asked in ("from=2020-01-01&to=2019-01-01", "from=2019-01-01&to=2019-01-01", "from=2019-03-03", ""):
        assert client.get(f"{address}?{asked}").status_code == 200, asked
    for asked in ("from=x", "to=2019-02-30", "from=0001-01-01", "to=9999-12-31"):
        assert client.get(f"{address}?{asked}").status_code == 404, asked


def test_the_page_says_in_a_table_what_the_drawing_shows(patient, physician):
    page = signed_in(physician).get(reverse("patient-events", args=[patient.pk])).content.decode()
    table = page[page.index("Every day with a record") :]
    assert len(re.findall(r'<th scope="row"', table)) == 9
    assert "Interim PET/CT: progressive disease" in table
    assert 'style="' not in page


def test_a_patient_without_any_date_is_told_so(centre, physician):
    bare = PatientFactory(centre=centre)
    page = signed_in(physician).get(reverse("patient-events", args=[bare.pk])).content.decode()
    assert "Nothing with a date is recorded yet." in page
