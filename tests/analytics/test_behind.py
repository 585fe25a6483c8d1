"""The courses behind a number: for every cell of a result, the list is as long as the number."""

import re
from datetime import date
from html import unescape

import pytest
from django.urls import reverse

from accounts.models import Role
from analytics import behind, dashboard, freshness, results
from analytics.behind import Cell
from analytics.models import Cohort, Outcome
from tests.analytics.test_views import signed_in
from tests.factories import (
    AdverseEventFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiscontinuationFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)


def read(course, timepoint, on, response):
    study = StudyFactory(patient=course.patient, timepoint=timepoint, performed_on=on)
    return ReadingFactory(study=study, overall_response=response)


def make_patients(centre, prefix: str) -> None:
    """Ten courses of every fate: responders, progression, death, discontinuation, toxicity, two follow-ups, none given."""
    courses = [
        CourseFactory(patient=PatientFactory(centre=centre, registry_number=f"{prefix}-{n:04d}"), given=given)
        for n, given in enumerate((4, 4, 4, 2, 2, 1, 4, 4, 3, 0), 1)
    ]
    for course in courses[:8]:
        StudyFactory(patient=course.patient)
        DiagnosisFactory(patient=course.patient)
    for course, response in zip(courses, ("PR", "PR", "SD", "PD", "SD", "NE", "PR"), strict=False):
        read(course, "interim", date(2019, 4, 1), response)
    read(courses[0], "follow_up", date(2019, 10, 1), "PR")
    read(courses[0], "follow_up", date(2020, 1, 1), "PR")
    read(courses[1], "post", date(2019, 9, 1), "PD")
    DiscontinuationFactory(course=courses[3], main_reason="progression")
    DiscontinuationFactory(course=courses[4])
    DiscontinuationFactory(course=courses[5], after_cycle=1, discontinued_on=date(2019, 2, 20))
    DeathFactory(patient=courses[6].patient, cause="disease")
    for course in courses[7:9]:
        ContactFactory(patient=course.patient)
    for course, grade in zip(courses, (1, 2, 3, 4), strict=False):
        AdverseEventFactory(patient=course.patient, grade=grade)
    AdverseEventFactory(patient=courses[0].patient, term="Fatigue", grade=2)


@pytest.fixture
def patients(centre):
    make_patients(centre, "STA")
    Cohort.objects.filter(slug="all").update(strata_by="primary_site")
    freshness.refresh_inline()
    return Cohort.objects.select_related("definition").get(slug="all")


def numbers_of(shown) -> list[dashboard.Number]:
    """Return every number with an address, anywhere in a section."""
    if isinstance(shown, dashboard.Number):
        return [shown] if shown.href else []
    if isinstance(shown, dict):
        return [found for value in shown.values() for found in numbers_of(value)]
    if isinstance(shown, list | tuple):
        return [found for value in shown for found in numbers_of(value)]
    return []


def cell_of(href: str) -> Cell:
    from django.http import QueryDict

    return Cell.from_query(QueryDict(href.partition("?")[2]))


def test_for_every_cell_of_the_dashboard_the_list_is_as_long_as_the_number(patients, physician):
    result = results.payload(patients, physician, with_curves=False)
    numbers = numbers_of(dashboard.of_result(result, dashboard.Behind("all")))

    wrong = []
    for number in numbers:
        found = behind.find(patients, physician, cell_of(number.href))
        if not number.n == found.n == len(found.courses):
            wrong.append((number, found.n, len(found.courses)))

    assert not wrong
    measures = {cell_of(number.href).measure for number in numbers}
    assert measures >= {
        "analysed", "pfs", "os", "ttr", "dor", "ttnt", "ttd", "pfs_at", "os_at", "response", "confirmed_response",
        "status", "death", "assessment", "toxicity", "any_toxicity", "age_years", "sex", "primary_site", "cycles_given",
    }  # fmt: skip
    assert any(cell_of(number.href).stratum for number in numbers)
    shown = dashboard.of_result(result, dashboard.Behind("all"))["courses"]
    assert [[cell.n for cell in row["cells"]] for row in shown["reasons"]] == [[1, 1], [0, 1]]


@pytest.mark.parametrize("endpoint", ["pfs", "os", "ttr", "dor", "ttnt", "ttd"])
def test_for_every_row_of_a_curve_the_list_is_as_long_as_the_number(endpoint, patients, physician):
    table = results.payload(patients, physician)[endpoint]["table"]
    told = 0
    for day, events, censored in zip(table["days"], table["events"], table["censored"], strict=True):
        for category, n in (("event", events), ("censored", censored)):
            if n:
                cell = Cell(endpoint, (category,), int(day), int(day))
                assert len(behind.find(patients, physician, cell).courses) == n, (day, category)
                told += n
    assert told == results.payload(patients, physician)[endpoint]["n"]


def test_two_assessments_of_a_course_at_one_timepoint_are_two(patients, physician):
    found = behind.find(patients, physician, Cell("assessment", ("follow_up:PR:*",)))

    assert found.n == 2
    assert [one.course.patient.registry_number for one in found.courses] == ["STA-0001", "STA-0001"]


def test_each_course_comes_with_the_fact_that_made_it_an_event(patients, physician):
    found = behind.find(patients, physician, Cell("pfs", ("event",)))
    facts = {one.course.patient.registry_number: one.facts[0] for one in found.courses}

    assert facts["STA-0004"].startswith("Event at 2019-04-01: ")
    assert facts["STA-0007"].startswith("Event at 2019-12-01: ")
    assert "cause: disease" in facts["STA-0007"]


def test_a_contradictory_course_says_in_what(patients, physician):
    """Put in the outcome itself: the database refuses most contradictions of records."""
    Outcome.objects.filter(course__patient__registry_number="STA-0003").update(problem="Two facts differ.")

    found = behind.find(patients, physician, Cell("status", ("contradictory",)))

    assert found.n == 1
    assert found.courses[0].facts == ["Two facts differ."]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "measure=nope",
        "measure=pfs&at=x",
        "measure=pfs&at=-",
        "measure=pfs&from=5&to=4",
        "measure=pfs&at=99999999999999999999",
        "measure=pfs&category=%00",
        "measure=pfs&stratum=%00",
        "measure=pfs&first=-1",
    ],
)
def test_an_address_that_names_no_number_is_told_so(query, patients, physician):
    answer = signed_in(physician).get(f"{reverse('cohort-behind', args=['all'])}?{query}")

    assert answer.status_code == 400
    assert "names no number" in answer.content.decode()


@pytest.mark.parametrize(
    "cell",
    [
        Cell("pfs", ("event", "censored"), 3, 80, "x"),
        Cell("status", ("discontinued:*",)),
        Cell("response", ("evaluable:",), None, None),
        Cell("toxicity", ("Nausea & more:3",), 0, 0),
        Cell("os", (), 5, None),
    ],
)
def test_a_cell_is_read_back_from_its_address(cell):
    assert cell_of("?" + cell.to_query()) == cell


def test_the_page_links_each_course_to_its_patient(patients, physician):
    page = signed_in(physician).get(f"{reverse('cohort-behind', args=['all'])}?measure=os&category=event")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))

    assert "1 course" in text
    assert "STA-0007" in text
    course = page.context["found"].courses[0].course
    assert reverse("patient-chart", args=[course.patient_id]) in page.content.decode()


# Who may see results and not records


def ask(user, query: str):
    answer = signed_in(user).get(f"{reverse('cohort-behind', args=['all'])}?{query}")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(answer.content.decode()))), answer


def test_a_researcher_is_told_how_many_and_no_one(patients, user_with):
    text, answer = ask(user_with(Role.RESEARCHER), "measure=analysed")

    assert "9 courses" in text
    assert "9 are of centres whose records you may not see" in text
    assert "STA-00" not in text
    assert answer.context["found"].courses == []


@pytest.mark.parametrize(
    ("measure", "category"), [("os", "event"), ("toxicity", "Nausea:1"), ("pfs", "event")]
)
def test_a_researcher_is_not_told_a_small_number(measure, category, patients, user_with, physician):
    cohort = patients
    exact = behind.find(cohort, physician, Cell(measure, (category,))).n
    assert exact is not None
    assert 0 < exact < 5

    text, answer = ask(user_with(Role.RESEARCHER), f"measure={measure}&category={category}")

    assert "Fewer than 5" in text
    assert answer.context["found"].n is None


def test_of_toxicity_a_researcher_is_told_no_number_that_would_give_another_away(
    patients, user_with, settings
):
    """Any grade is 4, of grade 1 one: were both told in turn, their difference would be too."""
    settings.SMALL_CELL = 2
    text, answer = ask(user_with(Role.RESEARCHER), "measure=toxicity&category=Nausea:*&at=0")

    assert "2 or more" in text
    assert answer.context["found"].n is None


def test_what_is_of_another_centre_is_counted_and_not_listed(patients, centre, other_centre, user_with):
    make_patients(other_centre, "NRD")
    freshness.refresh_inline()
    user = user_with(Role.PHYSICIAN)
    user.memberships.create(centre=other_centre, role=Role.RESEARCHER)

    found = behind.find(patients, user, Cell("analysed"))
    small = behind.find(patients, user, Cell("os", ("event",)))

    assert (found.n, found.n_listable, found.n_elsewhere) == (18, 9, 9)
    assert {one.course.patient.centre_id for one in found.courses} == {centre.pk}
    # 1 here and 1 there: the whole would give away what is elsewhere.
    assert (small.n, small.n_listable, small.n_elsewhere) == (None, 1, None)
    assert len(small.courses) == 1


def test_a_list_longer_than_a_page_goes_on(patients, physician, monkeypatch):
    monkeypatch.setattr(behind, "MOST_LISTED", 4)
    numbers: list[str] = []
    for first in (0, 4, 8):
        found = behind.find(patients, physician, Cell("analysed"), first=first)
        numbers += [one.course.patient.registry_number for one in found.courses]
        assert found.has_more is (first < 8)

    assert sorted(numbers) == [f"STA-{n:04d}" for n in range(1, 10)]
