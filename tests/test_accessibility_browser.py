"""Every page in a real browser, looked through by axe: WCAG 2.2 A and AA, in the light and in the dark theme.

Axe sees a third to a half of what can be wrong; the keyboard is tested beside what it does, page by page.
"""

from importlib.resources import files
from typing import Any

import pytest
from django.db import transaction
from pytest_django.live_server_helper import LiveServer

from accounts.models import Centre, Role
from analytics import freshness, locks
from analytics.models import Cohort
from tests.analytics.test_explore_browser import library  # noqa: F401 (a fixture)
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, make_user
from tests.test_access import PAGES, POSTED_PAGES, REFUSED, ROUTES, make_clinic

pytestmark = pytest.mark.browser

# Of one's own account and of who is not signed in: no role decides on them.
OWN_PAGES = [
    route
    for route in ROUTES
    if route.startswith("accounts/") and "<" not in route and "logout" not in route and "reauth" not in route
]
FIGURES = {
    "figure": "pfs", "lesion_figure": "suvmax", "response_figure": "waterfall", "explore_figure": "curves",
    "compare_figure": "pfs", "analyte": "platelets", "file_type": "csv",
}  # fmt: skip
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
RULES = """
() => axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]})
    .then(found => found.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 160))]))
"""


@pytest.fixture
def paths(live_server_of_committed: LiveServer) -> list[str]:
    """The address of every page that can be got, with one record of each kind at the own centre."""
    with transaction.atomic():
        clinic = make_clinic(CentreFactory(code="STA"), "STA-0001")
    freshness.refresh_inline()
    clinic.ids["lock"] = locks.lock(Cohort.objects.get(slug="all"), "lock-sta", ["STA"], None).name
    routes = [route for route in PAGES if route not in POSTED_PAGES | REFUSED]
    found = []
    for route in routes:
        path = clinic.path(route)
        for name, value in FIGURES.items():
            path = path.replace(f"<slug:{name}>", value)
        found.append(path)
    return found + [f"/{route}" for route in OWN_PAGES]


def test_every_page_passes_axe_in_either_theme_fits_a_phone_and_asks_nobody_else(
    live_server_of_committed,
    paths,
    library,  # noqa: F811
):
    site = live_server_of_committed.url
    centre = Centre.objects.get(code="STA")
    user = make_user(role=Role.DATA_MANAGER, centre=centre, username="everything")
    for role in (Role.PHYSICIAN, Role.READER):
        user.memberships.create(centre=centre, role=role)
    wrong: dict[str, Any] = {}
    path, seen = "", 0

    def complain(what: str, detail: Any) -> None:
        wrong.setdefault(f"{path} {what}", detail)

    with signed_in_tab(site, user) as tab:
        tab.route(
            "**/vega/vega.js", lambda route: route.fulfill(content_type="text/javascript", body=library)
        )
        tab.on("console", lambda said: complain("console", said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: complain("script", str(error)))
        tab.on(
            "request",
            lambda asked: asked.url.startswith((site, "data:", "blob:")) or complain("asks", asked.url),
        )
        for path in paths:
            answer = tab.request.get(f"{site}{path}", max_redirects=0)
            assert answer.status < 500, path
            is_html = "text/html" in answer.headers.get("content-type", "")
            if not is_html or not answer.text().lstrip().lower().startswith("<!doctype html"):
                continue  # a file, or a part of a page
            if answer.status >= 400:
                continue  # the act is past; its page is looked at where it is answered
            seen += 1
            tab.set_viewport_size({"width": 1440, "height": 900})
            tab.goto(f"{site}{path}")
            for theme in ("light", "dark"):
                # Without motion: a button that still fades from one theme to the other has the colours of neither.
                tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
                tab.evaluate(AXE)
                for rule, nodes in tab.evaluate(RULES):
                    complain(f"{theme} {rule}", nodes[:3])
            tab.set_viewport_size({"width": 320, "height": 800})
            width = tab.evaluate("document.documentElement.scrollWidth")
            if width > 320:
                complain("is wider than a phone", width)
            if refused := tab.evaluate("violations"):
                complain("content security policy", refused)
    assert seen >= 60
    assert wrong == {}
