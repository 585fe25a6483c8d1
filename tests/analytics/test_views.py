"""Dashboards: who gets them, what they say, how they become fresh without a reload, and their files."""

import csv
import io
import json
import re
import zipfile
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from analytics import freshness
from analytics.models import Cohort, DataLock, Result
from tests.factories import (
    CourseFactory,
    DeathFactory,
    DiscontinuationFactory,
    PatientFactory,
    ReadingFactory,
    StudyFactory,
)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def treated(centre):
    """Three patients: one completed with PR, one discontinued, one who died."""
    completed = CourseFactory(patient=PatientFactory(centre=centre), given=4)
    StudyFactory(patient=completed.patient)
    ReadingFactory(
        study=StudyFactory(patient=completed.patient, timepoint="interim", performed_on="2019-04-01"),
        overall_response="PR",
    )
    DiscontinuationFactory(course=CourseFactory(patient=PatientFactory(centre=centre), given=2))
    DeathFactory(patient=CourseFactory(patient=PatientFactory(centre=centre), given=4).patient)
    freshness.refresh_inline()
    return completed.patient


@pytest.fixture
def dashboard() -> str:
    return reverse("cohort-detail", args=["all"])


@pytest.mark.parametrize("role", list(Role))
def test_every_role_sees_the_results_of_its_centre(role, treated, user_with, dashboard):
    client = signed_in(user_with(role))

    assert client.get(reverse("cohort-list")).status_code == 200
    assert client.get(dashboard).status_code == 200


def test_without_a_role_there_are_no_dashboards(treated, user_with, dashboard):
    client = signed_in(user_with(None))

    for url in (
        reverse("cohort-list"),
        dashboard,
        reverse("cohort-live", args=["all"]),
        reverse("figure-spec", args=["all", "pfs"]),
        reverse("figure-file", args=["all", "pfs", "csv"]),
    ):
        assert client.get(url).status_code == 403, url


def test_a_cohort_of_other_centres_is_not_there(treated, user_with, other_centre):
    cohort = Cohort.objects.create(
        slug="sta-only", name="Of STA", definition=Cohort.objects.get().definition, centre_codes=["STA"]
    )
    stranger = signed_in(user_with(Role.RESEARCHER, other_centre))

    assert stranger.get(reverse("cohort-detail", args=[cohort.slug])).status_code == 404
    assert stranger.get(reverse("figure-file", args=[cohort.slug, "pfs", "csv"])).status_code == 404
    assert "Of STA" not in stranger.get(reverse("cohort-list")).content.decode()
    assert (
        signed_in(user_with(Role.RESEARCHER)).get(reverse("cohort-detail", args=[cohort.slug])).status_code
        == 200
    )


def test_a_user_of_another_centre_is_shown_none_of_these_patients(
    treated, user_with, other_centre, dashboard
):
    response = signed_in(user_with(Role.RESEARCHER, other_centre)).get(dashboard)

    assert response.context["result"]["n_patients"] == 0


def test_the_dashboard_gives_every_rate_with_its_denominator_interval_and_definition(
    treated, physician, dashboard
):
    Cohort.objects.update(remarks={"orr": "Said beside the response.", "pfs": "Said beside the curve."})
    response = signed_in(physician).get(dashboard)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
    orr = response.context["result"]["orr"]

    assert f"ORR, {orr['n']} of {orr['of']} 95 % CI" in text
    assert "PFS: Kaplan–Meier" in text
    assert "PFS: fixed horizon" in text
    assert "Unknown (patients)" in text
    assert "Time zero is the first administration." in text
    assert "Said beside the response." in text
    assert "Said beside the curve." in text
    assert "95 % CI not estimable" in text
    assert "Discontinued after cycle 2: 1" in text
    assert re.search(r"Main reasons: [a-z -]+ 1\.", text)


def test_a_fixed_horizon_at_which_more_are_unknown_than_known_says_so(centre, physician, dashboard):
    """Followed for two months of a registry that runs for years: nobody is known at 6 months or later."""
    CourseFactory(patient=PatientFactory(centre=centre), given=2)
    freshness.refresh_inline()

    response = signed_in(physician).get(dashboard)

    rows = response.context["result"]["os"]["fixed_horizon"]
    lost = [row for row in rows if row["unknown"] > row["of"]]
    assert lost
    assert response.content.decode().count("most are not followed that far") == len(lost) + sum(
        row["unknown"] > row["of"] for row in response.context["result"]["pfs"]["fixed_horizon"]
    )


def test_a_fixed_horizon_at_which_most_are_known_says_nothing_of_it(centre, physician, dashboard):
    DeathFactory(patient=CourseFactory(patient=PatientFactory(centre=centre), given=2).patient)
    freshness.refresh_inline()

    page = signed_in(physician).get(dashboard)

    assert not any(row["unknown"] > row["of"] for row in page.context["result"]["os"]["fixed_horizon"])
    assert "most are not followed that far" not in page.content.decode()


def test_the_list_says_when_a_result_is_pending(treated, centre, physician):
    client = signed_in(physician)
    assert "Pending" not in client.get(reverse("cohort-list")).content.decode()

    CourseFactory(patient=PatientFactory(centre=centre), given=1)
    assert (
        "1 patient course changed and not counted yet" in client.get(reverse("cohort-list")).content.decode()
    )

    freshness.refresh_inline()
    assert "Pending" not in client.get(reverse("cohort-list")).content.decode()


def test_the_list_computes_nothing_for_centres_that_have_no_result_yet(treated, other_centre, user_with):
    stranger = signed_in(user_with(Role.RESEARCHER, other_centre))
    Result.objects.all().delete()

    assert "Not computed yet" in stranger.get(reverse("cohort-list")).content.decode()
    assert not Result.objects.exists()


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_downloaded_figure_says_whether_its_patients_are_synthetic(synthetic, settings, treated, physician):
    settings.SYNTHETIC_DATA_BANNER = synthetic

    figure = signed_in(physician).get(reverse("figure-file", args=["all", "pfs", "svg"])).content.decode()

    assert ("Synthetic patients. Revision" in figure) is synthetic


def test_dates_of_the_dashboard_are_iso_dates(treated, physician, dashboard):
    definition = Cohort.objects.get().definition
    definition.data_cutoff = "2020-01-31"
    definition.save()
    freshness.refresh_inline()

    page = signed_in(physician).get(dashboard).content.decode()

    assert '<strong class="num">2020-01-31</strong>' in page
    assert "January" not in page


def test_the_mark_knows_where_to_sign_in_again(treated, physician, dashboard):
    page = signed_in(physician).get(dashboard).content.decode()

    assert f'data-sign-in="{reverse("account_login")}?next={dashboard}"' in page


def test_a_page_that_is_up_to_date_is_sent_nothing(treated, physician, dashboard):
    client = signed_in(physician)
    page = client.get(dashboard).content.decode()
    poll = re.search(r'id="freshness".*?hx-get="([^"]+)"', page, re.DOTALL)
    assert poll is not None
    assert 'hx-trigger="every 2s"' in page

    response = client.get(poll[1].replace("&amp;", "&"), headers={"HX-Request": "true"})

    assert response.status_code == 204


def test_an_open_page_becomes_pending_and_then_fresh_without_a_reload(treated, centre, physician, dashboard):
    client = signed_in(physician)
    live = reverse("cohort-live", args=["all"])
    first = client.get(dashboard).context["result"]
    seen = {"revision": first["revision"], "state": "fresh-0"}

    CourseFactory(patient=PatientFactory(centre=centre), given=1)

    pending = client.get(live, seen, headers={"HX-Request": "true"}).content.decode()
    assert 'data-stale="yes"' in pending
    assert 'hx-trigger="every 2s"' in pending
    assert 'id="dashboard"' not in pending
    state = re.search(r"state=(stale-\d+)", pending)
    assert state is not None
    assert client.get(live, seen | {"state": state[1]}).status_code == 204

    freshness.refresh_inline()
    fresh = client.get(live, seen | {"state": state[1]}, headers={"HX-Request": "true"}).content.decode()
    assert 'data-stale="no"' in fresh
    assert re.search(r'id="dashboard" data-revision="(\d+)"[^>]*hx-swap-oob="true"', fresh)
    assert f'data-revision="{first["revision"]}"' not in fresh
    assert f'id="n-patients">{first["n_patients"] + 1}<' in fresh


@pytest.mark.parametrize("figure", ["pfs", "os", "best-response", "courses"])
def test_each_figure_is_served_to_the_browser_and_as_files(figure, treated, physician):
    client = signed_in(physician)

    spec = client.get(reverse("figure-spec", args=["all", figure]))
    assert spec.status_code == 200
    assert spec.json()["description"]
    for file_type, start in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        response = client.get(reverse("figure-file", args=["all", figure, file_type]))
        assert response.content.startswith(start), file_type
        assert re.fullmatch(
            rf'attachment; filename="all-{figure}-r\d+\.{file_type}"', response["Content-Disposition"]
        )
    table = client.get(reverse("figure-file", args=["all", figure, "csv"]))
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert rows
    assert rows[0]["cohort"] == "all"


def test_figures_and_file_types_that_do_not_exist_are_not_there(treated, physician):
    client = signed_in(physician)

    assert client.get(reverse("figure-spec", args=["all", "nope"])).status_code == 404
    assert client.get(reverse("figure-file", args=["all", "pfs", "exe"])).status_code == 404


def test_a_cohort_without_patients_has_a_dashboard(physician, dashboard):
    response = signed_in(physician).get(dashboard)

    assert response.status_code == 200
    assert "undefined" in response.content.decode()


# The whole dashboard


def text_of(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


@pytest.mark.parametrize(
    "said",
    [
        "Response and disease control by criterion",
        "RECIST 1.1, confirmed",
        "Time to next therapy",
        "Duration of response",
        "Exposure of each course",
        "Cumulative administered activity GBq",
        "Toxicity",
        "Table 1",
        "Mean ± SD",
        "This cohort",
        "NETTER-2",
        "For orientation only.",
        "Each patient's first course is counted.",
        "Kaplan-Meier method with pointwise 95 % limits",
        "Download the archive",
    ],
)
def test_the_dashboard_shows_every_section(said, treated, physician, dashboard):
    assert said in unescape(text_of(signed_in(physician).get(dashboard).content))


def test_published_results_stand_in_a_table_of_their_own(treated, physician, dashboard):
    page = signed_in(physician).get(dashboard).content.decode()
    own, others = re.findall(r'<table class="data benchmarks">(.*?)</table>', page, re.DOTALL)

    assert "NETTER" not in own
    assert "NETTER-2" in others
    assert Cohort.objects.get().name not in others


def test_published_medians_are_drawn_only_where_they_are_asked_for(treated, physician, dashboard):
    client = signed_in(physician)
    spec = reverse("figure-spec", args=["all", "pfs"])

    plain = client.get(spec).content.decode()
    asked = client.get(spec, {"benchmarks": "1"}).content.decode()

    assert "NETTER-2" not in plain
    assert "NETTER-2 22.8" in asked
    assert "not part of these numbers" in asked
    page = client.get(dashboard, {"benchmarks": "1"}).content.decode()
    assert "benchmarks=1&amp;revision" in page or "benchmarks=1&revision" in page
    assert "NETTER-2" not in client.get(reverse("figure-file", args=["all", "pfs", "csv"])).content.decode()


@pytest.mark.parametrize(("figure", "measure"), [("pfs", "pfs"), ("os", "os"), ("best-response", "response")])
def test_marks_of_a_figure_open_the_courses_behind_them(figure, measure, treated, physician):
    client = signed_in(physician)
    spec = client.get(reverse("figure-spec", args=["all", figure])).json()
    addresses = sorted(set(re.findall(r'"(/cohorts/all/behind/[^"]+)"', json.dumps(spec))))

    assert addresses
    for address in addresses:
        found = client.get(address).context["found"]
        assert found.n == len(found.courses) > 0, address
        assert f"measure={measure}" in address
    file = client.get(reverse("figure-file", args=["all", figure, "svg"])).content.decode()
    assert "/behind/" not in file


def test_a_researcher_is_shown_no_small_cell_on_the_page_in_figures_and_in_files(
    treated, user_with, dashboard
):
    """One of three courses was stopped: a number below 5."""
    client = signed_in(user_with(Role.RESEARCHER))

    result = client.get(dashboard).context["result"]
    assert result["courses"]["discontinued"]["reasons"] == {"comorbidity": "<5"}
    assert result["courses"]["reasons_after_cycle"] == {"comorbidity": {"2": "<5"}}
    assert result["table1"]["columns"][0]["n"] == "<5"
    assert "Fewer than 5 patients are not told here" in text_of(client.get(dashboard).content)
    parts = client.get(reverse("figure-file", args=["all", "courses", "csv"])).content.decode()
    assert "after cycle" not in parts
    assert "Discontinued,1,3" in parts
    assert client.get(reverse("figure-spec", args=["all", "courses"])).status_code == 200


def test_who_may_see_records_is_shown_every_number(treated, physician, dashboard):
    page = signed_in(physician).get(dashboard)

    assert page.context["result"]["courses"]["discontinued"]["reasons"] == {"comorbidity": 1}
    assert "&lt; 5" not in page.content.decode()


def test_the_rows_of_a_curve_are_a_page_and_a_fragment(treated, physician):
    client = signed_in(physician)
    rows = reverse("curve-rows", args=["all", "os"])

    page = client.get(rows).content.decode()
    fragment = client.get(rows, headers={"HX-Request": "true"}).content.decode()

    assert "<html" in page
    assert "<html" not in fragment
    assert "measure=os&amp;category=event&amp;at=328" in fragment
    assert client.get(reverse("curve-rows", args=["all", "nope"])).status_code == 404


def test_a_data_lock_is_made_shown_verified_and_downloaded(treated, data_manager):
    client = signed_in(data_manager)
    locks = reverse("cohort-locks", args=["all"])

    made = client.post(locks, {"name": "first-report", "note": "For the board."})
    assert made.status_code == 302
    page = text_of(client.get(made["Location"]).content)
    lock = DataLock.objects.get(name="first-report")
    assert lock.content_hash in page
    assert "For the board." in page
    assert lock.scope == "STA"
    verified = text_of(client.post(reverse("lock-verify", args=[lock.name])).content)
    assert "Its rows have the hash that was locked" in verified
    assert "first-report" in text_of(client.get(locks).content)

    again = client.post(locks, {"name": "first-report", "note": ""})
    assert again.status_code == 422
    assert "Data lock with this Name already exists." in text_of(again.content)


def test_a_lock_that_was_tampered_with_says_so(treated, data_manager):
    client = signed_in(data_manager)
    client.post(reverse("cohort-locks", args=["all"]), {"name": "held", "note": ""})
    with connection.cursor() as cursor:  # what no user of the registry can do
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE analytics_lockedoutcome SET os_days = os_days + 1 WHERE os_event")
        cursor.execute("SET LOCAL session_replication_role = origin")

    page = text_of(client.post(reverse("lock-verify", args=["held"])).content)

    assert "Not as it was locked" in page
    assert "Its rows have the hash that was locked" not in page


@pytest.mark.parametrize("role", [Role.PHYSICIAN, Role.RESEARCHER])
def test_who_does_not_manage_cohorts_locks_nothing(role, treated, user_with):
    client = signed_in(user_with(role))

    assert client.post(reverse("cohort-locks", args=["all"]), {"name": "mine"}).status_code == 403
    assert "Lock the data as they are now" not in text_of(
        client.get(reverse("cohort-locks", args=["all"])).content
    )
    assert not DataLock.objects.exists()


def test_a_lock_of_another_centre_is_not_there(treated, data_manager, other_centre, user_with):
    signed_in(data_manager).post(reverse("cohort-locks", args=["all"]), {"name": "ours", "note": ""})
    stranger = signed_in(user_with(Role.DATA_MANAGER, other_centre))

    for name in ("lock-detail", "lock-download"):
        assert stranger.get(reverse(name, args=["ours"])).status_code == 404
    assert stranger.post(reverse("lock-verify", args=["ours"])).status_code == 404
    assert "ours" not in text_of(stranger.get(reverse("cohort-locks", args=["all"])).content)


def test_downloads_honour_who_may_see_records(treated, physician, user_with, settings):
    download = reverse("cohort-download", args=["all"])
    by_number = signed_in(physician).get(download, {"format": "csv"})
    with zipfile.ZipFile(io.BytesIO(b"".join(by_number))) as archive:
        assert b"STA-" in archive.read("adsl.csv")

    client = signed_in(user_with(Role.RESEARCHER))
    refused = client.get(download, {"format": "csv"}, follow=True)
    assert "fewer than 5 patients" in text_of(refused.content)

    settings.SMALL_CELL = 2
    deidentified = client.get(download, {"format": "csv"})
    with zipfile.ZipFile(io.BytesIO(b"".join(deidentified))) as archive:
        assert b"STA-0" not in archive.read("adsl.csv")
        assert set(archive.namelist()) >= {"adsl.csv", "manifest.json"}
