"""What the bench compares gives the same answers, and what it loads is a registry that the product accepts."""

import pytest

from accounts.records import correct_record
from analytics import freshness, tallies
from analytics.models import Definition, Outcome
from bench import analytics, synthetic
from patients.models import Death

pytestmark = pytest.mark.django_db


@pytest.fixture
def cohort():
    synthetic.load(400)
    cohort = analytics.save_cohorts(Definition.objects.get(cohorts__slug="all"))
    freshness.refresh_inline()
    cohort.refresh_from_db()
    return cohort


def test_tallies_group_by_and_rows_give_the_same_curves_and_rates(cohort):
    from_tallies = analytics.stored(cohort)

    assert set(from_tallies) > {"all", "g1", "g2", "g3"}
    assert len(from_tallies["all"]["pfs"]["days"]) > 50
    analytics.assert_same(from_tallies, analytics.grouped(cohort))
    analytics.assert_same(from_tallies, analytics.rows(cohort))


def test_questions_are_counted_as_by_hand(cohort):
    counted = [
        tallies.count_patients(question, ["BEN"]) for question in analytics.questions(cohort.definition)
    ]

    assert counted == [analytics.by_hand(question) for question in analytics.questions(cohort.definition)]
    assert len(set(counted)) > 10


def test_synthetic_courses_contradict_nothing_and_can_be_corrected(cohort):
    assert not Outcome.objects.exclude(problem="").exists()
    assert Outcome.objects.filter(time_zero=None).count() == 0
    death = Death.objects.filter(died_on__lt="2026-06-01").order_by("id").first()

    correct_record(death, {"note": "seen"}, by=None, reason="A test")

    freshness.refresh_inline()
    assert not freshness.reconcile()
