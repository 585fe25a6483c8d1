"""The cohort builder: what it counts, whom it tells, what it stores, and what it refuses without losing a word."""

import re
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from analytics import cohorts, exploring, freshness
from analytics.cohort_forms import LISTS, RANGES, RULES, CohortForm
from analytics.models import Cohort, DataLock, Definition, Strata
from analytics.rules.endpoints import EndpointDefinition
from analytics.tallies import FILTER_FIELDS
from tests.analytics.test_views import signed_in
from tests.factories import CourseFactory, DiagnosisFactory, DiscontinuationFactory, PatientFactory, make_user

NEW, COUNT = "/cohorts/new/", "/cohorts/count/"


def rules_sent(**changes: object) -> dict[str, object]:
    """What the form sends of the endpoint definition when nothing in it is touched."""
    plain = EndpointDefinition().to_json() | {"landmark_months": "6, 12, 18, 24"}
    return {f"rule_{name}": value for name, value in (plain | changes).items()}


def sent(name: str = "Women", **values: object) -> dict[str, object]:
    return {"name": name, "courses_counted": "first", **rules_sent(), **values}


@pytest.fixture
def eight(centre):
    """Eight treated patients of one centre: six women, two men; three courses completed, one discontinued."""
    for number in range(8):
        patient = PatientFactory(centre=centre, sex="female" if number < 6 else "male")
        DiagnosisFactory(patient=patient, primary_site="pancreas" if number < 5 else "lung")
        course = CourseFactory(patient=patient, given=4 if number < 3 else 2)
        if number == 3:
            DiscontinuationFactory(course=course)
    freshness.refresh_inline()


@pytest.fixture
def researcher(user_with):
    return user_with(Role.RESEARCHER)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_form_asks_for_every_column_a_cohort_filters_by_and_every_rule_of_a_definition(db):
    asked = {*LISTS, *(f"{name}_{side}" for name in RANGES for side in ("from", "to"))}

    assert asked == set(FILTER_FIELDS)
    assert set(RULES) == set(EndpointDefinition().to_json())


@pytest.mark.parametrize(
    ("query", "patients"),
    [
        ({}, 8),
        ({"sexes": ["female"]}, 6),
        ({"sexes": ["female", "male"]}, 8),
        ({"primary_sites": ["pancreas"]}, 5),
        ({"primary_sites": ["lung"], "sexes": ["female"]}, 1),
        ({"cycles_from": "3"}, 3),
        ({"cycles_from": "4", "cycles_to": "4"}, 3),
        ({"cycles_to": "3"}, 5),
        ({"statuses": ["discontinued"]}, 1),
        ({"rule_analysis_set": "completed"}, 3),
        ({"started_from": "2100-01-01"}, 0),
    ],
)
def test_the_count_is_that_of_the_filter(eight, physician, query, patients):
    response = signed_in(physician).post(COUNT, sent() | query)

    assert response.context["counted"]["numbers"].patients == patients


def test_the_count_of_a_known_definition_needs_few_queries_however_many_patients_there_are(
    eight, physician, django_assert_max_num_queries
):
    client = signed_in(physician)
    with django_assert_max_num_queries(12):
        client.post(COUNT, sent(sexes=["female"]))


@pytest.mark.parametrize(("women", "told"), [(5, "5"), (4, "fewer than 5")])
def test_a_small_number_is_not_told_to_who_may_not_see_records(centre, researcher, women, told):
    for number in range(10):
        sex = "female" if number < women else "male"
        CourseFactory(patient=PatientFactory(centre=centre, sex=sex), given=2)
    freshness.refresh_inline()

    response = signed_in(researcher).post(COUNT, sent(sexes=["female"]))

    assert f"{told} patients" in text_of(response)
    assert response.context["counted"]["numbers"].patients == (5 if women == 5 else None)


def test_numbers_beside_the_boxes_hide_small_ones_and_what_would_give_them_away(eight, researcher, physician):
    assert exploring.facets(physician).of("sexes") == {"female": 6, "male": 2}
    assert exploring.facets(researcher).of("sexes") == {"female": "≥ 5", "male": "< 5"}


def test_another_centres_patients_are_neither_counted_nor_offered(eight, user_with, other_centre):
    stranger = signed_in(user_with(Role.DATA_MANAGER, other_centre))

    response = stranger.post(COUNT, sent())

    assert response.context["counted"]["numbers"].patients == 0
    assert "STA" not in text_of(stranger.get(NEW))


def test_without_a_role_there_is_no_builder(db, user_with):
    client = signed_in(user_with(None))

    assert client.get(NEW).status_code == 403
    assert client.post(NEW, sent()).status_code == 403
    assert client.post(COUNT, sent()).status_code == 403
    assert client.get(reverse("cohort-edit", args=["all"])).status_code == 403


def test_a_cohort_is_stored_with_its_filter_strata_owner_and_a_new_definition(eight, researcher):
    response = signed_in(researcher).post(
        NEW,
        sent(
            "Women of the pancreas",
            sexes=["female"],
            primary_sites=["pancreas"],
            age_from="18",
            ki67_to="20.0",
            ecogs=["0", "1"],
            strata_by="who_grade",
            data_cutoff="2020-01-31",
            rule_death_in_pfs="censor",
            rule_landmark_months="12 6",
        ),
    )

    cohort = Cohort.objects.get(slug="women-of-the-pancreas")
    assert response.url == reverse("cohort-detail", args=[cohort.slug])
    assert (cohort.sexes, cohort.primary_sites, cohort.ecogs) == (["female"], ["pancreas"], [0, 1])
    assert (cohort.age_from, cohort.age_to, str(cohort.ki67_to)) == (18, None, "20.0")
    assert cohort.strata_by == Strata.WHO_GRADE
    assert (cohort.owner, cohort.is_shared) == (researcher, False)
    assert cohort.definition.data_cutoff == date(2020, 1, 31)
    assert cohort.definition.rules == EndpointDefinition(death_in_pfs="censor", landmark_months=(6, 12))


def test_a_known_definition_is_found_and_not_made_twice(eight, researcher):
    known = cohorts.definition_for(EndpointDefinition(), None, by=None)
    before = Definition.objects.count()

    signed_in(researcher).post(NEW, sent())

    assert Cohort.objects.get(slug="women").definition == known
    assert Definition.objects.count() == before


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"age_from": "70", "age_to": "60"}, "nobody would be counted"),
        ({"age_from": "old"}, "Type a whole number"),
        ({"started_from": "31.01.2020"}, "Type the date as YYYY-MM-DD"),
        ({"sexes": ["none-such"]}, "Select a valid choice"),
        ({"rule_landmark_months": "6, soon"}, "Type whole months"),
        ({"rule_missed_gap_days": "0"}, "greater than or equal to 1"),
        ({"data_cutoff": "2020-13-01"}, "Type the date as YYYY-MM-DD"),
    ],
)
def test_a_refusal_says_why_at_the_top_and_keeps_what_was_typed(eight, researcher, wrong, words):
    response = signed_in(researcher).post(
        NEW, sent(description="Kept as typed", primary_sites=["lung"]) | wrong
    )

    page = response.content.decode()
    assert response.status_code == 422
    assert words in page[page.index("error-summary") : page.index("</ul>", page.index("error-summary"))]
    assert "Kept as typed" in page
    assert re.search(r'value="lung"[^>]*checked', page)
    assert not Cohort.objects.filter(name="Women").exists()


def test_sharing_is_for_who_manages_cohorts_at_every_centre_counted(eight, user_with, other_centre):
    manager = signed_in(user_with(Role.DATA_MANAGER))

    refused = manager.post(NEW, sent(is_shared="on"))  # every centre, and one is another's
    stored = manager.post(NEW, sent(is_shared="on", centre_codes=["STA"]))

    assert "Keep it as your own" in text_of(refused)
    assert stored.status_code == 302
    assert Cohort.objects.get(slug="women").is_shared


def test_who_may_not_share_is_not_asked_and_cannot_send_it(eight, researcher):
    client = signed_in(researcher)

    assert "is_shared" not in client.get(NEW).content.decode()
    client.post(NEW, sent(is_shared="on"))
    assert not Cohort.objects.get(slug="women").is_shared


def test_a_name_never_becomes_the_address_of_another_page(eight, researcher):
    signed_in(researcher).post(NEW, sent("Explore"))
    signed_in(researcher).post(NEW, sent("New"))

    assert set(Cohort.objects.filter(owner=researcher).values_list("slug", flat=True)) == {
        "explore-2",
        "new-2",
    }


@pytest.fixture
def own(eight, researcher):
    signed_in(researcher).post(NEW, sent(sexes=["female"]))
    return Cohort.objects.get(slug="women")


def edit(cohort: Cohort, client: Client, **values: object):
    body = sent(cohort.name, seen_version=cohort.version, reason="Asked for") | values
    return client.post(reverse("cohort-edit", args=[cohort.slug]), body)


def test_a_change_asks_for_a_reason_and_raises_the_version(own, researcher):
    client = signed_in(researcher)

    refused = edit(own, client, sexes=["male"], reason="")
    changed = edit(own, client, sexes=["male"])

    assert refused.status_code == 422
    assert changed.status_code == 302
    after = Cohort.objects.get(pk=own.pk)
    assert after.sexes == ["male"]
    assert after.version == own.version + 1


def test_what_was_changed_meanwhile_is_not_overwritten(own, researcher):
    client = signed_in(researcher)
    edit(own, client, sexes=["male"])

    late = edit(own, client, sexes=["female"])  # with the version seen before

    assert late.status_code == 422
    assert "changed while you had it open" in text_of(late)
    assert Cohort.objects.get(pk=own.pk).sexes == ["male"]


def test_a_cohort_of_others_is_duplicated_and_not_changed(eight, researcher):
    client = signed_in(researcher)
    url = reverse("cohort-edit", args=["all"])

    assert client.get(url).status_code == 403
    assert client.post(url, sent()).status_code == 403
    assert "Duplicate as mine" in text_of(client.get(url))
    page = client.get(f"{NEW}?from=all").content.decode()
    assert "All patients, mine" in page


def test_another_users_own_cohort_is_not_there(own, user_with, centre):
    other = signed_in(make_user(role=Role.DATA_MANAGER, centre=centre, username="another"))

    assert other.get(reverse("cohort-edit", args=[own.slug])).status_code == 404
    assert other.get(f"{NEW}?from={own.slug}").status_code == 404
    assert other.post(reverse("cohort-delete", args=[own.slug])).status_code == 404


def test_the_owner_deletes_a_cohort_that_is_not_shared_after_being_asked(own, researcher):
    client = signed_in(researcher)
    url = reverse("cohort-delete", args=[own.slug])

    assert client.get(url).status_code == 200
    assert Cohort.objects.filter(pk=own.pk).exists()
    assert client.post(url).status_code == 302
    assert not Cohort.objects.filter(pk=own.pk).exists()


def test_a_cohort_with_a_data_lock_stays(own, researcher):
    DataLock.objects.create(
        name="lock",
        cohort=own,
        scope="STA",
        cohort_as_locked={},
        endpoints={},
        data_cutoff="2020-01-31",
        versions={},
        n_rows=0,
        content_hash="",
        results={},
        results_hash="",
    )

    response = signed_in(researcher).post(reverse("cohort-delete", args=[own.slug]))

    assert response.status_code == 409
    assert Cohort.objects.filter(pk=own.pk).exists()


def test_a_shared_cohort_is_not_deleted_here(eight, user_with):
    assert (
        signed_in(user_with(Role.DATA_MANAGER)).post(reverse("cohort-delete", args=["all"])).status_code
        == 403
    )


def test_without_javascript_a_button_counts_and_stores_nothing(eight, physician):
    response = signed_in(physician).post(NEW, sent("", sexes=["male"], count="1"))

    assert response.status_code == 200
    assert response.context["counted"]["numbers"].patients == 2
    assert "error-summary" not in response.content.decode()
    assert not Cohort.objects.exclude(slug="all").exists()


def test_a_new_definition_is_counted_by_the_nearest_and_says_so(eight, physician):
    response = signed_in(physician).post(COUNT, sent(rule_death_in_pfs="censor"))

    assert "This definition or cut-off is new" in text_of(response)
    assert response.context["counted"]["numbers"].patients == 8


def test_every_field_of_the_builder_has_a_label(eight, physician):
    page = signed_in(physician).get(NEW).content.decode()
    main = page[page.index('id="ask"') :]
    ids = re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*\bid="([^"]+)"', main)

    assert len(ids) > 80
    assert [one for one in ids if f'for="{one}"' not in main] == []


def test_the_form_of_a_stored_cohort_begins_with_all_it_is(own):
    initial = CohortForm.initial_of(own)

    assert initial["sexes"] == ["female"]
    assert initial["rule_landmark_months"] == "6, 12, 18, 24"
    assert initial["is_shared"] is False
