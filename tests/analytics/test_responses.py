"""The courses and reader pairs behind the figures of responses, their page, and who is shown them."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Centre, Role
from accounts.records import void_record
from analytics import freshness
from analytics.charts.response.courses import CourseLine
from analytics.models import Cohort, CoursesCounted, Definition
from analytics.responses import cohort_courses, reader_agreement
from imaging.models import Reading, ReadingRole, ReadingStatus, Study
from tests.analytics.test_views import signed_in
from tests.factories import (
    STARTED_ON,
    CourseFactory,
    DeathFactory,
    DiseaseEventFactory,
    LesionFactory,
    MeasurementFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)
from treatments.models import Administration, Course, CycleStatus

BASELINE = date(2018, 12, 17)
DAYS = [date(2019, 4, 1), date(2019, 8, 1), date(2019, 12, 2)]
FIGURES = ["waterfall", "spider", "swimmer"]
FIRST_BYTES = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "csv": b"cohort,"}


def followed(
    centre: Centre,
    *read: tuple[str, str],
    base: str = "100",
    **patient: Any,
) -> Course:
    """A course of four cycles with one lesion: its size at baseline, then (size, response) of each later study."""
    course = CourseFactory(patient=PatientFactory(centre=centre, **patient), given=4)
    of = {"patient": course.patient, "course_number": course.number}
    lesion = LesionFactory(label="L1", **of)
    MeasurementFactory(lesion=lesion, study=StudyFactory(performed_on=BASELINE, **of), size_mm=Decimal(base))
    for on, (size, response) in zip(DAYS, read, strict=False):
        study = StudyFactory(timepoint="follow_up", performed_on=on, **of)
        MeasurementFactory(lesion=lesion, study=study, size_mm=Decimal(size))
        if response:
            ReadingFactory(study=study, overall_response=response)
    return course


@pytest.fixture
def cohort(centre) -> Cohort:
    return Cohort.objects.select_related("definition").get(slug="all")


def lines(cohort: Cohort, user: Any) -> list[CourseLine]:
    freshness.refresh_inline()
    return cohort_courses(cohort, user).lines


def points(line: CourseLine) -> list[tuple[date, str, str]]:
    return [(point.on, f"{point.sum_mm}", point.response) for point in line.points]


def test_a_line_has_the_sums_of_the_measurements_and_the_responses_that_were_read(cohort, centre, physician):
    course = followed(centre, ("80", "SD"), ("60", "PR"), registry_number="STA-0042")

    (line,) = lines(cohort, physician)

    assert line.label == "STA-0042"
    assert line.href == reverse("patient-chart", args=[course.patient_id])
    assert points(line) == [(BASELINE, "100.0", ""), (DAYS[0], "80.0", "SD"), (DAYS[1], "60.0", "PR")]
    assert [point.change_percent for point in line.points] == [0, -20, -40]
    assert [point.day for point in line.points] == [-21, 84, 206]
    assert (line.best_response, line.best_change_percent) == ("PR", -40)
    assert line.cycle_days == (0, 56, 112, 168)
    assert (line.progressed_day, line.died_day, line.is_ongoing) == (None, None, True)
    assert line.last_day == 206


def test_nothing_after_the_first_progression_is_drawn_or_is_the_best_change(cohort, centre, physician):
    followed(centre, ("90", "SD"), ("130", "PD"), ("40", "PR"))

    (line,) = lines(cohort, physician)

    assert [response for _, _, response in points(line)] == ["", "SD", "PD"]
    assert (line.best_response, line.best_change_percent) == ("SD", -10)
    assert (line.progressed_day, line.is_ongoing) == ((DAYS[1] - STARTED_ON).days, False)


def test_a_clinical_progression_ends_a_line_too(cohort, centre, physician):
    course = followed(centre, ("90", "SD"), ("60", "PR"))
    DiseaseEventFactory(patient=course.patient, occurred_on=date(2019, 6, 1))

    (line,) = lines(cohort, physician)

    assert [response for _, _, response in points(line)] == ["", "SD"]
    assert line.progressed_day == (date(2019, 6, 1) - STARTED_ON).days
    assert line.best_change_percent == -10


def test_what_is_dated_after_the_cut_off_does_not_exist(cohort, centre, physician):
    course = followed(centre, ("80", "SD"), ("60", "PR"))
    DeathFactory(patient=course.patient, died_on=date(2019, 12, 1))
    Definition.objects.update(data_cutoff=date(2019, 5, 1))
    cohort.definition.refresh_from_db()

    (line,) = lines(cohort, physician)

    assert [on for on, _, _ in points(line)] == [BASELINE, DAYS[0]]
    assert (line.best_response, line.best_change_percent) == ("SD", -20)
    assert line.cycle_days == (0, 56, 112)
    assert line.died_day is None
    assert line.is_ongoing


def test_a_death_ends_a_lane(cohort, centre, physician):
    course = followed(centre, ("80", "SD"))
    DeathFactory(patient=course.patient, died_on=date(2019, 12, 1))

    (line,) = lines(cohort, physician)

    assert line.died_day == line.last_day == (date(2019, 12, 1) - STARTED_ON).days
    assert not line.is_ongoing


def test_a_second_course_is_counted_where_the_cohort_counts_every_course(cohort, centre, physician):
    first = followed(centre, ("80", "SD"), registry_number="STA-0042")
    again = CourseFactory(patient=first.patient, number=2)
    again.cycles.filter(number=1).update(status=CycleStatus.GIVEN)
    Administration.objects.create(
        cycle=again.cycles.get(number=1),
        administered_at=datetime(2020, 6, 1, 9, tzinfo=UTC),
        prescribed_activity_mbq=Decimal(7400),
        administered_activity_mbq=Decimal(7400),
    )
    assert [line.label for line in lines(cohort, physician)] == ["STA-0042"]

    Cohort.objects.update(courses_counted=CoursesCounted.ALL)
    cohort.refresh_from_db()

    found = lines(cohort, physician)
    assert [line.label for line in found] == ["STA-0042", "STA-0042 course 2"]
    assert found[1].points == ()
    assert found[1].best_change_percent is None


def test_a_voided_study_leaves_the_line(cohort, centre, physician, data_manager):
    course = followed(centre, ("80", "SD"), ("60", "PR"))
    last = Study.objects.get(patient=course.patient, performed_on=DAYS[1])
    void_record(last.readings.get(), by=data_manager, reason="Another patient's")
    void_record(last, by=data_manager, reason="Another patient's")

    (line,) = lines(cohort, physician)

    assert points(line)[-1] == (DAYS[0], "80.0", "SD")
    assert line.best_change_percent == -20


def test_a_sum_counts_once_its_study_has_a_reading_that_counts(cohort, centre, physician, user_with):
    course = followed(centre, ("80", "SD"), ("60", ""))
    assert points(lines(cohort, physician)[0])[-1] == (DAYS[0], "80.0", "SD")

    study = Study.objects.get(patient=course.patient, performed_on=DAYS[1])
    reader = user_with(Role.READER)
    draft = ReadingFactory(study=study, overall_response="PR", status=ReadingStatus.DRAFT, reader=reader)
    assert len(lines(cohort, physician)[0].points) == 2

    Reading.objects.filter(pk=draft.pk).update(status=ReadingStatus.REPORTED)
    second = ReadingFactory(study=study, overall_response="SD", reader_role=ReadingRole.SECOND)
    assert len(lines(cohort, physician)[0].points) == 2  # they differ

    ReadingFactory(study=study, overall_response="PR", reader_role=ReadingRole.ADJUDICATOR)
    assert points(lines(cohort, physician)[0])[-1] == (DAYS[1], "60.0", "PR")
    assert second.overall_response == "SD"


def test_a_response_without_measurements_is_on_the_lane_and_has_no_sum(cohort, centre, physician):
    course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    ReadingFactory(study__patient=course.patient, overall_response="PR")

    (line,) = lines(cohort, physician)

    assert [(point.response, point.sum_mm) for point in line.points] == [("PR", None)]
    assert (line.best_response, line.best_change_percent) == ("PR", None)


def test_an_incomplete_sum_is_no_change(cohort, centre, physician):
    course = followed(centre, ("80", "SD"))
    lesion = LesionFactory(patient=course.patient, label="L2", organ="bone")
    baseline, later = Study.objects.filter(patient=course.patient).order_by("performed_on")
    MeasurementFactory(lesion=lesion, study=baseline, size_mm=Decimal(20))
    MeasurementFactory(lesion=lesion, study=later, state="not_evaluable", size_mm=None)

    (line,) = lines(cohort, physician)

    assert [(point.sum_mm, point.change_percent) for point in line.points] == [(120, 0), (None, None)]
    assert line.best_change_percent is None


def test_more_courses_than_a_figure_holds_are_those_that_began_first_and_said(cohort, centre, physician):
    for number in range(3):
        followed(centre, ("80", "SD"), registry_number=f"STA-{number:04d}")
    freshness.refresh_inline()

    found = cohort_courses(cohort, physician, most=2)

    assert len(found.lines) == 2
    assert found.n_courses == 3


def test_twelve_courses_cost_as_many_queries_as_three(cohort, centre, physician):
    def cost() -> int:
        freshness.refresh_inline()
        cohort_courses(cohort, physician)  # the user's roles are read once
        with CaptureQueriesContext(connection) as queries:
            cohort_courses(cohort, physician)
            reader_agreement(cohort, physician)
        return len(queries)

    for _ in range(3):
        followed(centre, ("80", "SD"), ("60", "PR"))
    few = cost()
    for _ in range(9):
        followed(centre, ("80", "SD"), ("60", "PR"), ("70", "SD"))

    assert cost() == few
    assert len(cohort_courses(cohort, physician).lines) == 12


def test_courses_of_another_centre_are_not_there(cohort, centre, other_centre, physician, user_with):
    followed(centre, ("80", "SD"), registry_number="STA-0001")
    followed(other_centre, ("60", "PR"), registry_number="NRD-0001")
    stranger = user_with(Role.PHYSICIAN, other_centre)

    assert [line.label for line in lines(cohort, physician)] == ["STA-0001"]
    assert [line.label for line in lines(cohort, stranger)] == ["NRD-0001"]
    text = signed_in(stranger).get(address("waterfall", "csv")).content.decode()
    assert "NRD-0001" in text
    assert "STA-0001" not in text


def test_courses_of_a_centre_whose_results_alone_may_be_seen_are_not_there(
    cohort, centre, other_centre, user_with
):
    """A physician here who is a researcher there."""
    followed(other_centre, ("60", "PR"), registry_number="NRD-0001")
    both = user_with(Role.PHYSICIAN)
    both.memberships.create(centre=other_centre, role=Role.RESEARCHER)

    found = lines(cohort, both)

    assert found == []
    assert cohort_courses(cohort, both).centre_codes == ["STA"]
    assert reader_agreement(cohort, both).centre_codes == ["NRD", "STA"]


# Agreement


def read_twice(course: Course, *responses: str) -> None:
    """Give the second reader's responses of a course's studies after the baseline."""
    studies = Study.objects.filter(patient=course.patient, course_number=course.number, timepoint="follow_up")
    for study, response in zip(studies.order_by("performed_on"), responses, strict=False):
        ReadingFactory(study=study, overall_response=response, reader_role=ReadingRole.SECOND)


def test_pairs_are_first_against_second_reader_of_the_same_study(cohort, centre, physician):
    read_twice(followed(centre, ("80", "SD"), ("60", "PR"), ("70", "SD")), "SD", "SD")
    read_twice(followed(centre, ("60", "PR"), ("90", "PD")), "PR", "PD")
    freshness.refresh_inline()

    found = reader_agreement(cohort, physician)

    table = found.agreement.crosstable
    codes = found.agreement.categories
    pairs = {
        (first, second): table[i][j]
        for i, first in enumerate(codes)
        for j, second in enumerate(codes)
        if table[i][j]
    }
    assert pairs == {("SD", "SD"): 1, ("PR", "SD"): 1, ("PR", "PR"): 1, ("PD", "PD"): 1}
    assert (found.agreement.n, found.n_courses) == (4, 2)


def test_an_adjudication_changes_no_pair(cohort, centre, physician):
    course = followed(centre, ("80", "SD"))
    read_twice(course, "PR")
    study = Study.objects.get(patient=course.patient, timepoint="follow_up")
    ReadingFactory(study=study, overall_response="PR", reader_role=ReadingRole.ADJUDICATOR)
    freshness.refresh_inline()

    assert reader_agreement(cohort, physician).agreement.n_agreed == 0


def test_drafts_and_what_is_after_the_cut_off_or_voided_are_no_pairs(
    cohort, centre, physician, user_with, data_manager
):
    course = followed(centre, ("80", "SD"), ("60", "PR"), ("70", "SD"))
    read_twice(course, "SD", "PR", "SD")
    freshness.refresh_inline()
    assert reader_agreement(cohort, physician).agreement.n == 3

    reading = Reading.objects.get(study__performed_on=DAYS[0], reader_role=ReadingRole.SECOND)
    Reading.objects.filter(pk=reading.pk).update(status=ReadingStatus.DRAFT, reader=user_with(Role.READER))
    assert reader_agreement(cohort, physician).agreement.n == 2

    void_record(
        Reading.objects.get(study__performed_on=DAYS[1], reader_role=ReadingRole.SECOND),
        by=data_manager,
        reason="Wrong",
    )
    assert reader_agreement(cohort, physician).agreement.n == 1

    Definition.objects.update(data_cutoff=date(2019, 11, 1))
    cohort.definition.refresh_from_db()
    assert reader_agreement(cohort, physician).agreement.n == 0


def test_pairs_of_another_centre_are_not_counted(cohort, centre, other_centre, user_with):
    read_twice(followed(other_centre, ("80", "SD")), "SD")
    freshness.refresh_inline()

    assert reader_agreement(cohort, user_with(Role.RESEARCHER)).agreement.n == 0
    assert reader_agreement(cohort, user_with(Role.RESEARCHER, other_centre)).agreement.n == 1


# Page and files


def address(figure: str, file_type: str = "") -> str:
    if file_type:
        return reverse("response-figure-file", args=["all", figure, file_type])
    return reverse("response-figure-spec", args=["all", figure])


def page() -> str:
    return reverse("cohort-response", args=["all"])


@pytest.fixture
def responded(centre) -> Course:
    """Two courses; of the first the readers differ on the second study, which counts for nothing."""
    course = followed(centre, ("80", "SD"), ("60", "PR"), ("70", "SD"), registry_number="STA-0042")
    read_twice(course, "SD", "SD", "SD")
    followed(centre, ("105", "SD"), ("140", "PD"), registry_number="STA-0043")
    freshness.refresh_inline()
    return course


def test_the_page_shows_every_figure_with_its_words_downloads_and_the_courses_as_a_table(
    responded, physician
):
    html = signed_in(physician).get(page()).content.decode()

    for figure in (*FIGURES, "agreement"):
        assert f'data-vega-spec="{address(figure)}"' in html
        for file_type in FIRST_BYTES:
            assert f'href="{address(figure, file_type)}"' in html
    assert "2 courses, from +5.0 % to −30.0 %" in html
    assert f'<a href="{reverse("patient-chart", args=[responded.patient_id])}">STA-0042</a>' in html
    assert "2 of 3 agree" in html


def test_the_dashboard_leads_to_the_page(responded, physician):
    html = signed_in(physician).get(reverse("cohort-detail", args=["all"])).content.decode()

    assert f'href="{page()}"' in html


@pytest.mark.parametrize("figure", [*FIGURES, "agreement"])
@pytest.mark.parametrize("file_type", FIRST_BYTES)
def test_a_file_is_of_its_kind_and_the_same_every_time(figure, file_type, responded, physician):
    client = signed_in(physician)

    first, again = client.get(address(figure, file_type)), client.get(address(figure, file_type))

    assert first["Content-Type"].startswith(
        {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf", "csv": "text/csv"}[file_type]
    )
    assert f'attachment; filename="all-{figure}-' in first["Content-Disposition"]
    assert first.content.startswith(FIRST_BYTES[file_type])
    # The drawing engine writes the fonts of a PDF in any order.
    assert first.content == again.content or (file_type == "pdf" and len(first.content) == len(again.content))


def test_the_numbers_of_the_csv_are_those_that_are_drawn(responded, physician):
    client = signed_in(physician)
    rows = csv.DictReader(io.StringIO(client.get(address("waterfall", "csv")).content.decode()))

    spec = client.get(address("waterfall")).json()

    drawn = {
        row["course"]: row["c"]
        for layer in spec["vconcat"][0]["layer"]
        if layer["mark"].get("style", "").startswith("bar-")
        for row in layer["data"]["values"]
    }
    assert drawn == {row["course"]: float(row["best_change_percent"]) for row in rows}
    assert drawn == {"STA-0042": -30, "STA-0043": 5}


def test_the_numbers_of_the_agreement_are_those_of_the_rule(responded, physician):
    text = signed_in(physician).get(address("agreement", "csv")).content.decode()

    found = {
        (row["kind"], row["first_reader"], row["second_reader"]): row["value"]
        for row in csv.DictReader(io.StringIO(text))
    }
    assert found["studies", "SD", "SD"] == "2"
    assert found["studies", "PR", "SD"] == "1"
    assert found["n_studies", "", ""] == "3"
    # 2 / 3 observed; by chance 2/3 × 1 + 1/3 × 0 = 2 / 3.
    assert found["kappa", "", ""] == "0.0"


def test_a_researcher_gets_the_agreement_and_is_told_why_no_single_patient(responded, user_with):
    client = signed_in(user_with(Role.RESEARCHER))

    html = client.get(page()).content.decode()

    assert "they are for who may see patients’ records" in html.replace("&#x27;", "’").replace("'", "’")
    assert "STA-0042" not in html
    assert client.get(address("agreement", "csv")).status_code == 200
    for figure in FIGURES:
        assert client.get(address(figure)).status_code == 403
        for file_type in FIRST_BYTES:
            assert client.get(address(figure, file_type)).status_code == 403


def test_without_a_role_nothing_is_shown(responded, user_with):
    client = signed_in(user_with(None))

    assert client.get(page()).status_code == 403
    assert client.get(address("agreement", "csv")).status_code == 403


@pytest.mark.parametrize("place", ["pfs", "nonsense"])
def test_a_figure_or_kind_of_file_that_is_none_is_not_there(place, responded, physician):
    client = signed_in(physician)

    assert client.get(address(place)).status_code == 404
    assert client.get(address("waterfall", place)).status_code == 404


def test_pages_of_nothing_say_what_to_do(centre, physician):
    client = signed_in(physician)
    empty = client.get(page()).content.decode()
    assert "No course of this cohort has begun" in empty
    assert "choose “Second reader”" in empty

    CourseFactory(patient=PatientFactory(centre=centre), given=1)
    freshness.refresh_inline()
    begun = client.get(page()).content.decode()
    assert "enter them on the imaging page of a patient" in begun
    for figure in (*FIGURES, "agreement"):
        assert client.get(address(figure, "svg")).content.startswith(b"<svg")
