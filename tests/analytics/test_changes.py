"""What changed between two revisions: courses that moved, and the corrections that moved them. Committed, as in life:
the history tells times of transactions, and here there are several."""

import re
from datetime import date

import pytest
from django.db import transaction
from django.urls import reverse

from accounts.models import Role
from accounts.records import correct_record, create_record, void_record
from analytics import changes, freshness, results
from analytics.models import Cohort
from patients.models import Contact
from tests.analytics.test_views import signed_in
from tests.api import client_for
from tests.factories import (
    CentreFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    PatientFactory,
    make_user,
)


class Registry:
    """Six treated patients of one centre, one of whom died; and the people who look at them."""

    def __init__(self) -> None:
        self.centre = CentreFactory(code="STA")
        self.manager = make_user(role=Role.DATA_MANAGER, centre=self.centre, username="manager")
        self.researcher = make_user(role=Role.RESEARCHER, centre=self.centre, username="researcher")
        # Course, cycles and administrations hold together at the end of a transaction.
        with transaction.atomic():
            self._enter()
        freshness.refresh_inline()

    def _enter(self) -> None:
        self.courses = [
            CourseFactory(patient=PatientFactory(centre=self.centre, registry_number=f"STA-{n:04d}"), given=4)
            for n in range(1, 7)
        ]
        self.diagnoses = [DiagnosisFactory(patient=course.patient) for course in self.courses]
        self.death = DeathFactory(patient=self.courses[0].patient)
        self.unbegun = CourseFactory(
            patient=PatientFactory(centre=self.centre, registry_number="STA-0007"), given=0
        )

    def cohort(self, slug: str = "all") -> Cohort:
        return Cohort.objects.select_related("definition").get(slug=slug)

    def revision(self, slug: str = "all") -> int:
        freshness.refresh_inline()
        return results.payload(self.cohort(slug), self.manager)["revision"]

    def between(self, earlier: int, later: int, slug: str = "all", user=None) -> changes.Difference:
        found = changes.between(self.cohort(slug), user or self.manager, earlier, later)
        assert found is not None
        return found

    def correct_death(self) -> None:
        correct_record(
            self.death, {"died_on": date(2019, 11, 1)}, by=self.manager, reason="The certificate says so."
        )


@pytest.fixture
def registry(committed) -> Registry:
    return Registry()


def test_a_correction_is_told_with_what_it_moved(registry):
    earlier = registry.revision()
    registry.correct_death()
    found = registry.between(earlier, registry.revision())

    (moved,) = found.moved
    assert moved.course.patient.registry_number == "STA-0001"
    assert moved.fields["os_days"] == (328, 298)  # from 2019-01-07 to 2019-12-01 and to 2019-11-01
    assert (
        "Overall survival",
        "day 328, event at 2019-12-01: death",
        "day 298, event at 2019-11-01: death",
    ) in (moved.said)
    (correction,) = moved.corrections
    assert correction.by == "manager"
    assert correction.reason == "The certificate says so."
    assert correction.record == "Death"
    assert "2019-12-01 → 2019-11-01" in correction.what
    assert not moved.entered
    assert not moved.left
    assert not found.definition_changed


def test_a_voided_record_and_a_late_entry_are_told(registry):
    earlier = registry.revision()
    void_record(registry.death, by=registry.manager, reason="Another patient's.")
    create_record(
        Contact(patient=registry.courses[1].patient, known_alive_on=date(2020, 1, 15)), by=registry.manager
    )
    found = registry.between(earlier, registry.revision())

    by_number = {one.course.patient.registry_number: one for one in found.moved}
    assert set(by_number) == {"STA-0001", "STA-0002"}
    assert [one.what for one in by_number["STA-0001"].corrections] == ["voided"]
    assert [one.what for one in by_number["STA-0002"].corrections] == ["entered"]
    assert ("Deaths", 1, 0) in found.numbers


def test_what_was_corrected_earlier_or_of_another_patient_is_not_told(registry):
    registry.correct_death()
    earlier = registry.revision()
    create_record(
        Contact(patient=registry.courses[1].patient, known_alive_on=date(2020, 1, 15)), by=registry.manager
    )
    found = registry.between(earlier, registry.revision())

    (moved,) = found.moved
    assert moved.course.patient.registry_number == "STA-0002"
    assert len(moved.corrections) == 1


def test_a_change_that_was_taken_back_moved_nobody(registry):
    first = registry.revision()
    registry.correct_death()
    between = registry.revision()
    correct_record(
        registry.death, {"died_on": date(2019, 12, 1)}, by=registry.manager, reason="It was right before."
    )
    last = registry.revision()

    assert registry.between(first, last).moved == []
    assert registry.between(first, last).n_moved == 0
    assert len(registry.between(first, between).moved) == 1
    assert registry.between(first, between).moved[0].fields["os_days"] == (328, 298)
    assert registry.between(between, last).moved[0].fields["os_days"] == (298, 328)


def test_a_course_enters_and_leaves_a_cohort_by_its_filter(registry):
    """Its outcome changes twice, and only the later change makes it one of the cohort."""
    Cohort.objects.create(
        slug="lung", name="Lung", definition=registry.cohort().definition, primary_sites=["lung"]
    )
    nobody = registry.revision("lung")
    registry.correct_death()
    freshness.refresh_inline()
    correct_record(registry.diagnoses[0], {"primary_site": "lung"}, by=registry.manager, reason="Histology.")
    one = registry.revision("lung")

    (moved,) = registry.between(nobody, one, "lung").moved
    assert moved.entered
    assert not moved.left

    correct_record(registry.diagnoses[0], {"primary_site": "pancreas"}, by=registry.manager, reason="Again.")
    none = registry.revision("lung")

    (moved,) = registry.between(one, none, "lung").moved
    assert moved.left
    assert not moved.entered
    assert registry.between(nobody, none, "lung").moved == []


def test_a_new_course_enters_with_all_that_was_written_of_it(registry):
    earlier = registry.revision()
    with transaction.atomic():
        patient = PatientFactory(centre=registry.centre, registry_number="STA-0099")
        course = CourseFactory(patient=patient, given=1)
    found = registry.between(earlier, registry.revision())

    (moved,) = found.moved
    assert moved.course == course
    assert moved.entered
    assert moved.corrections
    assert ("Patients", 6, 7) in found.numbers


def test_a_voided_course_leaves(registry):
    earlier = registry.revision()
    void_record(registry.unbegun, by=registry.manager, reason="Never begun.")
    found = registry.between(earlier, registry.revision())

    (moved,) = found.moved
    assert moved.course == registry.unbegun
    assert moved.left
    assert "Never begun." in {one.reason for one in moved.corrections}


def test_a_researcher_is_told_how_many_and_of_nobody(registry):
    earlier = registry.revision()
    registry.correct_death()
    later = registry.revision()

    few = registry.between(earlier, later, user=registry.researcher)
    assert few.moved == []
    assert few.n_moved is None

    for course in registry.courses:
        create_record(Contact(patient=course.patient, known_alive_on=date(2019, 10, 1)), by=registry.manager)
    many = registry.between(later, registry.revision(), user=registry.researcher)
    assert many.moved == []
    assert many.n_moved == 5  # the death of the sixth is known already


def test_the_page_compares_the_last_two_revisions_unless_others_are_chosen(registry):
    earlier = registry.revision()
    registry.correct_death()
    later = registry.revision()
    address = reverse("cohort-changes", args=["all"])

    page = signed_in(registry.manager).get(address).content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert f"Revision {earlier} to {later}" in text
    assert "STA-0001" in text
    assert "The certificate says so." in text
    assert "manager" in text

    hidden = signed_in(registry.researcher).get(address).content.decode()
    assert "Fewer than 5 courses moved" in hidden
    assert "STA-0001" not in hidden
    assert "certificate" not in hidden

    unknown = signed_in(registry.manager).get(address, {"from": earlier, "to": 9999})
    assert "is not kept" in unknown.content.decode()
    assert signed_in(registry.manager).get(address, {"from": "x", "to": "1"}).status_code == 400


def test_the_api_names_the_course_and_the_correction(registry):
    client, root = client_for(registry.manager), "/api/v1/cohorts/all/"
    earlier = client.get(f"{root}results/").json()["revision"]
    registry.correct_death()
    freshness.refresh_inline()
    later = client.get(f"{root}results/").json()["revision"]

    kept = [row["revision"] for row in client.get(f"{root}revisions/").json()["results"]]
    assert kept[:2] == [later, earlier]
    found = client.get(f"{root}changes/?from={earlier}&to={later}").json()

    assert (found["n_moved"], found["definition_changed"]) == (1, False)
    (moved,) = found["moved"]
    assert moved["registry_number"] == "STA-0001"
    assert moved["fields"]["os_on"] == ["2019-12-01", "2019-11-01"]
    (correction,) = moved["corrections"]
    assert (correction["by"], correction["reason"]) == ("manager", "The certificate says so.")
    assert "2019-12-01" in correction["what"]
    assert client.get(f"{root}changes/?from={earlier}&to=999").status_code == 400
    assert client.get(f"{root}changes/?from=x&to=1").status_code == 400
