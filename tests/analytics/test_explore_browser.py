"""The builder and the explorer in a real browser: the count follows the form, figures are drawn, nothing breaks the CSP."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from analytics import freshness
from analytics.charts.bundle import build_vega_bundle
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, CourseFactory, DeathFactory, PatientFactory, make_user

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("committed")]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The drawing library as the site serves it once its assets are built."""
    folder = tmp_path_factory.mktemp("vega")
    build_vega_bundle(folder)
    return (folder / "vega.js").read_text()


@pytest.fixture
def site(live_server_of_committed: Any) -> str:
    return str(live_server_of_committed.url)


@pytest.fixture
def reader() -> User:
    with transaction.atomic():  # a cycle and its administration belong together
        centre = CentreFactory(code="STA")
        for number in range(8):
            sex = "female" if number < 5 else "male"
            course = CourseFactory(patient=PatientFactory(centre=centre, sex=sex), given=2)
            if number % 3 == 0:
                DeathFactory(patient=course.patient, died_on="2019-06-01")
    freshness.refresh_inline()
    return make_user(role="physician", centre=centre, username="reader")


def test_the_count_and_the_words_follow_the_form_and_the_cohort_is_stored(site: str, reader: User) -> None:
    with signed_in_tab(site, reader) as tab:
        tab.goto(f"{site}/cohorts/new/")
        tab.locator("#count .figure-value", has_text="8").wait_for()
        tab.get_by_label("Female").check()
        tab.locator("#count .figure-value", has_text="5").wait_for()
        tab.get_by_text("Sex: Female.").wait_for()
        tab.locator("#id_age_from").fill("200")
        tab.get_by_text("Not counted:").wait_for()
        tab.locator("#id_age_from").fill("")
        tab.locator("#id_name").fill("Women")
        tab.get_by_role("button", name="Save the cohort").click()
        tab.get_by_role("heading", name="Women", exact=True).wait_for()
        assert tab.evaluate("violations") == []


def test_the_explorer_draws_its_figures_and_a_name_in_the_legend_singles_a_curve_out(
    site: str, reader: User, library: str
) -> None:
    from playwright.sync_api import expect

    with signed_in_tab(site, reader) as tab:
        tab.route(
            "**/vega/vega.js", lambda route: route.fulfill(content_type="text/javascript", body=library)
        )
        tab.set_default_timeout(30_000)  # the first answer of a process loads scipy
        tab.goto(f"{site}/cohorts/explore/?endpoint=os&strata_by=sex")
        figure = tab.locator("[data-vega-spec]").first  # of the curves, whichever is drawn first
        expect(figure).to_have_attribute("data-vega-state", "ready", timeout=30_000)
        assert "Female: 5 patients" in figure.locator(".figure-chart-drawing").get_attribute("aria-label")
        faint = "document.querySelectorAll('.mark-line path[opacity=\"0.08\"]').length"
        assert tab.evaluate(faint) == 0
        figure.locator(".mark-text.role-legend-label text", has_text="Female").click()
        tab.wait_for_function(f"{faint} === 1")
        assert tab.evaluate("violations") == []


@pytest.mark.parametrize(
    "path", ["/cohorts/new/", "/cohorts/explore/?endpoint=os&strata_by=sex", "/cohorts/compare/"]
)
def test_nothing_is_wider_than_a_phone(site: str, reader: User, path: str) -> None:
    with signed_in_tab(site, reader) as tab:
        tab.set_viewport_size({"width": 390, "height": 844})
        tab.goto(f"{site}{path}")
        tab.wait_for_load_state("networkidle")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
