"""What is counted of outcomes, held against counting them one by one."""

import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from analytics import behind, freshness, tallies
from analytics.models import ENDPOINTS, Cohort, CoursesCounted, Outcome, Strata
from tests.factories import CourseFactory

pytestmark = pytest.mark.django_db

N = 12


@pytest.fixture
def cohort() -> Cohort:
    """The cohort of all, whose outcomes are overwritten with values of every kind, missing ones among them."""
    for _ in range(N):
        CourseFactory(given=1)
    freshness.refresh_inline()
    everyone = Cohort.objects.select_related("definition").get(slug="all")
    chance = random.Random(7)
    for outcome in Outcome.objects.filter(definition=everyone.definition):
        for name, value in drawn(chance).items():
            setattr(outcome, name, value)
        outcome.save()
    return everyone


def drawn(chance: random.Random) -> dict[str, object]:
    started_on = date(2019, 1, 1) + timedelta(days=chance.randrange(300))
    status = chance.choice(["completed", "discontinued", "ongoing"])
    values: dict[str, object] = {
        "sex": chance.choice(["male", "female"]),
        "age_years": chance.choice([None, 64, 65, 71]),
        "tumour_type": chance.choice(["net", "paraganglioma"]),
        "primary_site": chance.choice(["pancreas", "small_intestine", ""]),
        "who_grade": chance.choice(["g1", "g2", "unknown"]),
        "ki67_percent": chance.choice(
            [None, Decimal("2.9"), Decimal("3.0"), Decimal("20.0"), Decimal("20.1")]
        ),
        "functional_syndrome": chance.choice(["none", "carcinoid", "unknown"]),
        "ecog": chance.choice([None, 0, 1, 2, 3]),
        "prior_therapies": chance.choice([[], ["prrt"], ["chemotherapy", "surgery"]]),
        "protocol": "177lu/1",
        "intent": chance.choice(["initial", "salvage"]),
        "baseline_suv_max": chance.choice([None, Decimal("12.34")]),
        "baseline_krenning": chance.choice([None, 2, 3, 4]),
        "started_on": started_on,
        "time_zero": started_on,
        "status": status,
        "discontinued_after_cycle": 2 if status == "discontinued" else None,
        "discontinuation_reason": "comorbidity" if status == "discontinued" else "",
        "cumulative_activity_mbq": chance.choice([None, Decimal("14800.4")]),
        "toxicities": chance.choice(
            [[], ["Anaemia:0:3", "Anaemia:1:3", "Anaemia:2:1"], ["Fatigue:0:1", "Fatigue:1:1"]]
        ),
        "responses": chance.choice([[], ["interim:112:PR:decreased", "post:224:PD:"]]),
        "best_overall_response": chance.choice(["", "PR", "SD", "PD"]),
        "best_sstr_response": chance.choice(["", "decreased"]),
        "response_evaluable": chance.random() < 0.7,
        "is_first_course": chance.random() < 0.9,
        "death_cause": chance.choice(["", "disease"]),
    }
    for endpoint in ENDPOINTS:
        days = values[f"{endpoint}_days"] = chance.choice([None, 0, 30, 183, 400])
        event = values[f"{endpoint}_event"] = None if days is None else chance.random() < 0.5
        values[f"{endpoint}_on"] = None if days is None else started_on + timedelta(days=days)
        values[f"{endpoint}_basis"] = "" if days is None else "death" if event else "last_known_alive"
    return values


def rows_of(outcome: Outcome) -> list[tuple[str, int, str]]:
    """What the outcome counts for, said once more in Python: measure, value, category."""
    rows = [("analysed", 0, "n")]
    status = outcome.status
    if status == "discontinued":
        status = f"discontinued:{outcome.discontinuation_reason}"
    rows.append(("status", outcome.discontinued_after_cycle or 0, status))
    for endpoint in ENDPOINTS:
        days, event = getattr(outcome, f"{endpoint}_days"), getattr(outcome, f"{endpoint}_event")
        if days is not None:
            rows.append((endpoint, days, "event" if event else "censored"))
    group = "evaluable" if outcome.response_evaluable else "other"
    rows.append(("response", 0, f"{group}:{outcome.best_overall_response}"))
    if outcome.best_overall_response and outcome.best_sstr_response:
        rows.append(("concordance", 0, f"{outcome.best_overall_response}:{outcome.best_sstr_response}"))
    for measure, value, step in (
        ("age_years", outcome.age_years, 1),
        ("ki67_percent", outcome.ki67_percent, 10),
        ("baseline_suv_max", outcome.baseline_suv_max, 100),
    ):
        rows.append((measure, 0, "missing") if value is None else (measure, int(value * step), "value"))
    for measure, code in (("sex", outcome.sex), ("primary_site", outcome.primary_site)):
        rows.append((measure, 0, code or "missing"))
    rows.append(("ecog", 0, "missing" if outcome.ecog is None else str(outcome.ecog)))
    rows += [("prior_therapy", 0, kind) for kind in outcome.prior_therapies or ["none"]]
    grades = []
    for item in outcome.toxicities:
        term, cycle, grade = item.split(":")
        rows.append(("toxicity", int(cycle), f"{term}:{grade}"))
        grades.append(int(grade))
    if grades:
        rows.append(("any_toxicity", max(grades), "grade"))
    for item in outcome.responses:
        timepoint, _, recist, sstr = item.split(":")
        rows.append(("assessment", 0, f"{timepoint}:{recist}:{sstr}"))
    return rows


COUNTED = {
    "analysed", "status", *ENDPOINTS, "response", "concordance", "age_years", "ki67_percent", "baseline_suv_max", "sex",
    "primary_site", "ecog", "prior_therapy", "toxicity", "any_toxicity", "assessment",
}  # fmt: skip


def by_hand(outcomes: list[Outcome]) -> Counter[tuple[str, int, str]]:
    return Counter(row for outcome in outcomes for row in rows_of(outcome))


def by_sql(cohort: Cohort) -> Counter[tuple[str, int, str]]:
    return Counter(
        {
            (key.measure, key.at, key.category): n
            for key, n in tallies.count(cohort).items()
            if key.measure in COUNTED
        }
    )


def outcomes_of(cohort: Cohort) -> list[Outcome]:
    return list(Outcome.objects.filter(definition=cohort.definition))


def test_every_measure_counts_what_counting_one_by_one_does(cohort):
    cohort.courses_counted = CoursesCounted.ALL

    assert by_sql(cohort) == by_hand(outcomes_of(cohort))


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"sexes": ["male"]}, lambda o: o.sex == "male"),
        ({"age_from": 65}, lambda o: o.age_years is not None and o.age_years >= 65),
        ({"age_to": 64}, lambda o: o.age_years is not None and o.age_years <= 64),
        ({"ki67_from": "3"}, lambda o: o.ki67_percent is not None and o.ki67_percent >= 3),
        ({"ki67_to": "20"}, lambda o: o.ki67_percent is not None and o.ki67_percent <= 20),
        ({"who_grades": ["g1", "g2"]}, lambda o: o.who_grade in {"g1", "g2"}),
        ({"functional_syndromes": ["carcinoid"]}, lambda o: o.functional_syndrome == "carcinoid"),
        ({"ecogs": [0, 1]}, lambda o: o.ecog in {0, 1}),
        (
            {"with_prior_therapies": ["prrt", "surgery"]},
            lambda o: set(o.prior_therapies) & {"prrt", "surgery"},
        ),
        ({"without_prior_therapies": ["prrt"]}, lambda o: "prrt" not in o.prior_therapies),
        ({"intents": ["salvage"]}, lambda o: o.intent == "salvage"),
        ({"krenning_scores": [4]}, lambda o: o.baseline_krenning == 4),
        ({"suv_max_from": "12.34"}, lambda o: o.baseline_suv_max is not None),
        ({"suv_max_to": "12.33"}, lambda o: False),
        ({"statuses": ["completed"]}, lambda o: o.status == "completed"),
        ({"discontinuation_reasons": ["comorbidity"]}, lambda o: o.discontinuation_reason == "comorbidity"),
        ({"started_from": date(2019, 5, 1)}, lambda o: o.started_on >= date(2019, 5, 1)),
        ({"started_to": date(2019, 5, 1)}, lambda o: o.started_on <= date(2019, 5, 1)),
        ({"courses_counted": CoursesCounted.FIRST}, lambda o: o.is_first_course),
        ({"cycles_from": 2}, lambda o: False),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_filter_counts_whom_it_names(cohort, changes, counts):
    cohort.courses_counted = CoursesCounted.ALL
    for name, value in changes.items():
        setattr(cohort, name, value)

    assert by_sql(cohort) == by_hand([outcome for outcome in outcomes_of(cohort) if counts(outcome)])


def test_a_filter_goes_through_json_unchanged(cohort):
    asked = Cohort(
        definition=cohort.definition,
        sexes=["male"],
        ki67_from=Decimal("2.5"),
        started_to=date(2019, 5, 1),
        ecogs=[0],
        courses_counted=CoursesCounted.ALL,
    )

    again = tallies.cohort_from_json(tallies.filter_to_json(asked), cohort.definition)

    assert tallies.filter_to_json(again) == tallies.filter_to_json(asked)
    assert (again.ki67_from, again.started_to) == (Decimal("2.5"), date(2019, 5, 1))
    with pytest.raises(ValueError, match="unknown eye_colour"):
        tallies.cohort_from_json({"eye_colour": ["blue"]}, cohort.definition)


@pytest.mark.parametrize("by", [strata for strata in Strata.values if strata])
def test_strata_add_up_to_the_whole(cohort, by):
    whole = by_sql(cohort)
    cohort.strata_by = by

    divided = tallies.count(cohort)
    summed: Counter[tuple[str, int, str]] = Counter()
    for key, n in divided.items():
        if key.measure in COUNTED:
            summed[key.measure, key.at, key.category] += n

    assert summed == whole
    assert "" not in {key.stratum for key in divided}


def test_counts_now_are_the_counts_of_the_tallies(cohort):
    cohort.strata_by = Strata.SEX
    cohort.save()
    freshness.recount_changed_cohorts()
    codes = [outcome.centre.code for outcome in outcomes_of(cohort)[:1]]
    stored = tallies.stored_counts(Cohort.objects.select_related("definition").get(pk=cohort.pk), codes)
    now = tallies.counts_now(cohort, codes)

    assert now.strata == stored.strata == ["female", "male"]
    for measure in tallies.MEASURES:
        for stratum in (None, "male"):
            assert now.by_value(measure, stratum) == stored.by_value(measure, stratum), measure


def test_the_courses_behind_a_number_are_as_many_as_the_number(cohort, physician):
    cohort.strata_by = Strata.SEX
    cohort.save()
    for key, n in tallies.count(cohort).items():
        cell = behind.Cell(key.measure, (key.category,), key.at, key.at, key.stratum)
        found = behind.find(cohort, physician, cell)
        assert (found.n, len(found.courses)) == (n, n), key
