"""The explorer and the comparison: numbers by hand, who is told what, and when no test is given."""

import csv
import io
import json
import re
from itertools import pairwise

import pytest
from django.urls import reverse

from accounts.models import Role
from analytics import cohorts, exploring, freshness, pairs, strata
from analytics.charts import render
from analytics.charts.curves import About, Hazard, Line, curves_spec, forest_spec
from analytics.exploring import Question
from analytics.models import Cohort
from analytics.rules.difference import difference_of_rates
from analytics.rules.endpoints import EndpointDefinition
from tests.analytics.test_views import signed_in
from tests.factories import CourseFactory, DeathFactory, DiscontinuationFactory, PatientFactory

EXPLORE = "/cohorts/explore/"


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def dozen(centre):
    """Six women of whom one died, six men of whom four did; two courses of men were discontinued."""
    for number in range(12):
        sex = "female" if number < 6 else "male"
        course = CourseFactory(patient=PatientFactory(centre=centre, sex=sex), given=2)
        if number == 0 or number >= 8:
            DeathFactory(patient=course.patient, died_on=f"2019-0{3 + number % 6}-15")
        elif number in {6, 7}:
            DiscontinuationFactory(course=course)
    freshness.refresh_inline()


# Newcombe, Stat Med 1998;17:873-890, table II, method 10, contrasts (a) to (d).
@pytest.mark.parametrize(
    ("n", "of", "other_n", "other_of", "lower", "upper"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_the_limits_of_a_difference_of_rates_are_those_of_the_paper(n, of, other_n, other_of, lower, upper):
    found = difference_of_rates(n, of, other_n, other_of)

    assert found is not None
    assert found.difference == pytest.approx(n / of - other_n / other_of)
    assert (round(found.lower, 4), round(found.upper, 4)) == (lower, upper)


def test_a_rate_of_nobody_has_no_difference():
    assert difference_of_rates(0, 0, 1, 2) is None


def test_the_page_asks_before_anything_is_asked_and_offers_the_definitions(dozen, physician):
    response = signed_in(physician).get(EXPLORE)

    assert response.status_code == 200
    assert "What to ask" in text_of(response)
    assert "Registry default" in text_of(response)


def test_an_address_with_empty_parts_becomes_the_short_one_to_keep(dozen, physician):
    response = signed_in(physician).get(
        f"{EXPLORE}?endpoint=os&strata_by=&age_from=&sexes=male&courses_counted=first"
    )

    assert (
        response.url == f"{EXPLORE}?endpoint=os&sexes=male"
        or response.url == f"{EXPLORE}?sexes=male&endpoint=os"
    )


def test_an_answer_gives_events_strata_and_the_log_rank_test(dozen, physician):
    response = signed_in(physician).get(f"{EXPLORE}?endpoint=os&strata_by=sex")

    rows = {row["name"]: (row["n"], row["events"]) for row in response.context["rows"]}
    assert rows == {"All": (12, 5), "Female": (6, 1), "Male": (6, 4)}
    assert "Log-rank test: χ²" in text_of(response)
    assert "fewer than 10" in text_of(response)  # events for a hazard ratio


def test_a_filter_narrows_down_the_answer(dozen, physician):
    response = signed_in(physician).get(f"{EXPLORE}?endpoint=os&sexes=male")

    assert response.context["rows"][0]["n"] == 6
    assert "Sex: Male." in text_of(response)


def test_nobody_is_said_with_what_to_do(dozen, physician):
    assert "Nobody is counted by this question" in text_of(
        signed_in(physician).get(f"{EXPLORE}?endpoint=pfs&age_from=120")
    )


def test_a_question_that_cannot_be_read_is_answered_422_and_kept(dozen, physician):
    response = signed_in(physician).get(f"{EXPLORE}?endpoint=pfs&age_from=old&sexes=male")

    assert response.status_code == 422
    assert "Type a whole number" in text_of(response)
    assert re.search(r'value="male"[^>]*checked', response.content.decode())


def test_another_centres_user_sees_none_of_these_patients(dozen, user_with, other_centre):
    stranger = signed_in(user_with(Role.PHYSICIAN, other_centre))

    assert stranger.get(f"{EXPLORE}?endpoint=os").context["n"] == 0
    rows = list(
        csv.reader(io.StringIO(stranger.get(f"{EXPLORE}figures/curves.csv?endpoint=os").content.decode()))
    )
    assert len(rows) == 1


def test_few_patients_are_not_shown_to_who_may_not_see_records(dozen, user_with, physician):
    researcher = signed_in(user_with(Role.RESEARCHER))
    few = "endpoint=os&discontinuation_reasons=comorbidity&sexes=male"
    n = signed_in(physician).get(f"{EXPLORE}?{few}").context["n"]

    assert 0 < n < 5
    assert "no figures are shown" in text_of(researcher.get(f"{EXPLORE}?{few}"))
    for kind in ("json", "svg", "csv"):
        assert researcher.get(f"{EXPLORE}figures/curves.{kind}?{few}").status_code == 404
        assert signed_in(physician).get(f"{EXPLORE}figures/curves.{kind}?{few}").status_code == 200


@pytest.mark.parametrize(("n", "divided"), [(5, True), (4, False)])
def test_a_small_stratum_leaves_the_answer_undivided_for_who_may_not_see_records(
    dozen, centre, user_with, physician, n, divided
):
    for _ in range(n):
        CourseFactory(patient=PatientFactory(centre=centre, sex="other"), given=2)
    freshness.refresh_inline()
    query = "endpoint=os&strata_by=sex"
    researcher = signed_in(user_with(Role.RESEARCHER))

    told = researcher.get(f"{EXPLORE}?{query}")

    names = ["All", "Female", "Male", "Other"]
    assert [row["name"] for row in told.context["rows"]] == (names if divided else ["All"])
    assert ("answered undivided" in text_of(told)) is not divided
    assert ("Other" in researcher.get(f"{EXPLORE}figures/curves.csv?{query}").content.decode()) is divided
    assert [row["name"] for row in signed_in(physician).get(f"{EXPLORE}?{query}").context["rows"]] == names


def test_table_1_is_of_all_where_the_size_of_a_stratum_would_give_a_small_cell_away(
    dozen, user_with, physician
):
    query = f"{EXPLORE}?endpoint=os&strata_by=status"  # one of the women was discontinued, by death

    def columns(user) -> list[str]:
        return [
            column["name"] for column in signed_in(user).get(query).context["result"]["table1"]["columns"]
        ]

    assert columns(user_with(Role.RESEARCHER)) == ["All"]
    assert columns(physician) == ["All", "Discontinued", "Ongoing"]


@pytest.mark.parametrize("endpoint", ["pfs", "os", "ttr", "dor", "ttnt", "ttd"])
def test_every_endpoint_is_answered_and_drawn(dozen, physician, endpoint):
    client = signed_in(physician)

    assert client.get(f"{EXPLORE}?endpoint={endpoint}&strata_by=sex&tests=on").status_code == 200
    spec = client.get(f"{EXPLORE}figures/curves.json?endpoint={endpoint}&strata_by=sex").json()
    assert spec["description"]


def test_the_causes_of_death_and_the_reasons_to_stop_are_drawn(dozen, physician):
    client = signed_in(physician)

    assert "Death by cause" in client.get(f"{EXPLORE}figures/death.json?endpoint=os").content.decode()
    rows = list(
        csv.DictReader(
            io.StringIO(client.get(f"{EXPLORE}figures/discontinuation.csv?endpoint=ttd").content.decode())
        )
    )
    events = {
        curve: sum(int(row["events_patients"]) for row in rows if row["curve"] == curve)
        for curve in ("Co-morbidity", "Death")
    }
    assert events == {"Co-morbidity": 2, "Death": 5}


def test_a_model_counts_who_lacks_a_covariate_and_is_refused_with_the_reason(dozen, physician):
    question = Question(Cohort(definition=Cohort.objects.get().definition), "os", ("sex", "ecog"))

    found = exploring.model(question, ["STA"])

    assert found["missing"] == 12
    assert found["problem"] == "nobody has every covariate recorded"


def test_a_model_below_ten_events_per_coefficient_is_refused(dozen, physician):
    found = exploring.model(
        Question(Cohort(definition=Cohort.objects.get().definition), "os", ("sex",)), ["STA"]
    )

    assert found["missing"] == 0
    assert "5 events" in found["problem"]


def test_age_enters_a_model_once(dozen, physician):
    response = signed_in(physician).get(f"{EXPLORE}?endpoint=os&covariates=age_10&covariates=age_65")

    assert response.status_code == 422
    assert "Age enters a model once" in text_of(response)


def test_the_count_beside_the_question_reads_the_address(dozen, physician):
    definition = Cohort.objects.get().definition_id
    response = signed_in(physician).get(f"/cohorts/count/?sexes=male&definition={definition}")

    assert response.context["counted"]["numbers"].patients == 6


def test_save_as_a_cohort_carries_the_filter_strata_and_definition_over(dozen, physician):
    client = signed_in(physician)
    url = client.get(f"{EXPLORE}?endpoint=os&sexes=male&strata_by=ecog&age_from=18").context["save_url"]

    form = client.get(url).context["form"]

    assert form["sexes"].value() == ["male"]
    assert form["strata_by"].value() == "ecog"
    assert form["age_from"].value() == 18
    assert form["rule_landmark_months"].value() == "6, 12, 18, 24"
    assert "endpoint" not in url


def test_the_explorer_asks_the_database_equally_often_of_few_and_of_many(
    dozen, physician, centre, django_assert_max_num_queries
):
    client = signed_in(physician)
    for _ in range(5):
        CourseFactory(patient=PatientFactory(centre=centre), given=1)
    freshness.refresh_inline()

    with django_assert_max_num_queries(30):
        client.get(f"{EXPLORE}?endpoint=os&strata_by=sex&covariates=sex")


@pytest.mark.parametrize(
    "path", [EXPLORE, f"{EXPLORE}?endpoint=os", f"{EXPLORE}figures/curves.svg", "/cohorts/compare/"]
)
def test_without_a_role_nothing_is_answered(db, user_with, path):
    assert signed_in(user_with(None)).get(path).status_code == 403


# Two cohorts


def saved(user, name: str, **values) -> Cohort:
    definition = values.pop("definition", None) or Cohort.objects.get(slug="all").definition
    cohort = Cohort(
        slug=cohorts.slug_for(name, []), name=name, definition=definition, is_shared=False, **values
    )
    cohorts.save(cohort, by=user)
    freshness.refresh_inline()
    return cohort


def test_different_patients_under_one_definition_are_tested(dozen, physician):
    women, men = saved(physician, "Women", sexes=["female"]), saved(physician, "Men", sexes=["male"])

    found = pairs.compare(women, men, physician)

    assert (found.shared_courses, found.shared_patients, found.why_no_test) == (0, 0, [])
    assert {row["name"]: row["observed"] for row in found.comparisons["os"]["log_rank"]["strata"]} == {
        "Women": 1,
        "Men": 4,
    }
    page = text_of(signed_in(physician).get(f"/cohorts/compare/?a={women.slug}&b={men.slug}"))
    assert "Log-rank test: χ²" in page


def test_shared_patients_are_counted_and_no_test_is_given(dozen, physician):
    women = saved(physician, "Women", sexes=["female"])

    found = pairs.compare(women, Cohort.objects.get(slug="all"), physician)

    assert (found.shared_courses, found.shared_patients) == (6, 6)
    assert found.comparisons == {}
    assert found.orr_difference is None
    page = text_of(signed_in(physician).get(f"/cohorts/compare/?a={women.slug}&b=all"))
    assert "No test is given: the two share 6 patients" in page
    assert "Log-rank test" not in page


def test_other_rules_or_another_cut_off_give_no_test(dozen, physician):
    women = saved(physician, "Women", sexes=["female"])
    other = cohorts.definition_for(EndpointDefinition(death_in_pfs="censor"), "2019-12-31", by=physician)
    men = saved(physician, "Men", sexes=["male"], definition=other)

    found = pairs.compare(women, men, physician)

    assert found.why_no_test == ["their data cut-offs differ", "the definitions of their endpoints differ"]


def test_the_pair_is_drawn_and_its_numbers_are_had_as_a_file(dozen, physician):
    women, men = saved(physician, "Women", sexes=["female"]), saved(physician, "Men", sexes=["male"])
    client = signed_in(physician)
    query = f"a={women.slug}&b={men.slug}"

    assert client.get(f"/cohorts/compare/figures/os.svg?{query}").content.startswith(b"<svg")
    rows = list(
        csv.DictReader(io.StringIO(client.get(f"/cohorts/compare/figures/os.csv?{query}").content.decode()))
    )
    assert {row["curve"] for row in rows} == {"Women", "Men"}
    assert sum(int(row["events_patients"]) for row in rows) == 5


def test_a_cohort_that_is_not_seen_is_not_compared(dozen, physician, user_with):
    own = saved(physician, "Women", sexes=["female"])

    assert (
        signed_in(user_with(Role.DATA_MANAGER)).get(f"/cohorts/compare/?a={own.slug}&b=all").status_code
        == 404
    )


def test_a_cohort_is_not_compared_with_itself(dozen, physician):
    saved(physician, "Women", sexes=["female"])

    assert "Choose two different cohorts" in text_of(
        signed_in(physician).get("/cohorts/compare/?a=all&b=all")
    )


def test_the_list_of_cohorts_leads_to_all_three(dozen, physician):
    page = signed_in(physician).get(reverse("cohort-list")).content.decode()

    assert all(
        f'href="{reverse(name)}"' in page for name in ("cohort-new", "cohort-explore", "cohort-compare")
    )


# Figures


def line(name: str, *, survival: float = 0.5) -> Line:
    return Line(
        name,
        [0, 100, 300],
        [1.0, survival, survival],
        [None, 0.2, 0.2],
        [None, 0.8, 0.8],
        [4, 4, 1],
        [0, 2, 0],
        [0, 0, 1],
    )


ABOUT = About(
    "Overall survival", ["Of everybody"], "Overall survival", "Months since first administration", "In words"
)


def marks(spec: dict) -> str:
    return json.dumps(spec)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("WHO grade", "WHO grade"),
        ("Ki-67 below 3 %", "Ki-67 below 3 %"),
        ("Primary site", "primary site"),
        ("ECOG", "ECOG"),
        ("Krenning score", "Krenning score"),
    ],
)
def test_an_abbreviation_stays_one_within_a_sentence(title, words):
    assert strata.within_sentence(title) == words


@pytest.mark.parametrize(("n", "named"), [(4, True), (5, False)])
def test_up_to_four_curves_carry_their_names(n, named):
    lines = [line(f"Stratum {number}", survival=0.1 * number) for number in range(n)]
    spec = curves_spec(lines, ABOUT, theme="print")
    texts = [part for part in spec["vconcat"][0]["layer"] if part["mark"]["type"] == "text"]

    assert bool(texts) is named
    legends = [
        part["encoding"]["color"].get("legend")
        for part in spec["vconcat"][0]["layer"]
        if "color" in part["encoding"]
    ]
    assert any(legends) is not named


def test_names_of_curves_that_end_together_do_not_stand_on_each_other():
    spec = curves_spec([line(f"Stratum {number}", survival=0.02) for number in range(4)], ABOUT)
    places = sorted(
        value["py"]
        for part in spec["vconcat"][0]["layer"]
        if part["mark"]["type"] == "text"
        for value in part["data"]["values"]
    )

    assert all(later - earlier >= 14 for earlier, later in pairwise(places))
    assert places[-1] <= 320


def test_the_table_below_counts_patients_at_risk_of_each_curve():
    spec = curves_spec([line("A"), line("B")], ABOUT)
    at_start = {row["row"]: row["n"] for row in spec["vconcat"][1]["data"]["values"] if row["m"] == 0}

    assert at_start == {"A": 4, "B": 4}


@pytest.mark.parametrize("theme", ["screen", "print"])
def test_curves_and_hazard_ratios_can_be_drawn(theme):
    hazards = [
        Hazard("Male against Female", "Sex", 1.4, 0.9, 2.2),
        Hazard("Age, per 10 years", "Age, per 10 years", 1.1, 0.01, 300),
    ]

    assert b"Stratum 6" in render(
        curves_spec([line(f"Stratum {n}") for n in range(7)], ABOUT, theme=theme), "svg"
    )
    svg = render(forest_spec(hazards, ABOUT, theme=theme), "svg")
    assert b"1.40 (0.90 to 2.20)" in svg
    assert b"0.01 to 300" in svg


def test_equal_curves_give_equal_files():
    first, second = (
        render(curves_spec([line("A"), line("B")], ABOUT, theme="print"), "svg") for _ in range(2)
    )

    assert first == second


def test_a_figure_of_nobody_says_so():
    empty = Line("A", [], [], [], [], [], [], [])

    assert b"Nobody to draw a curve of" in render(curves_spec([empty], ABOUT), "svg")
