"""Every page in a real browser, looked through by axe: WCAG 2.2 A and AA, in the light and in the dark theme.

Axe sees a third to a half of what can be wrong; the keyboard is tested beside what it does, page by page.
"""

from importlib.resources import files
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Role, User
from analytics import freshness, locks
from analytics.models import Cohort
from exchange.models import Import
from tests.analytics.test_explore_browser import library  # noqa: F401 (a fixture)
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, CourseFactory, PatientFactory, make_user
from tests.test_access import PAGES, POSTED_PAGES, ROUTES, Clinic, make_clinic

pytestmark = pytest.mark.browser

# Of one's own account and of who is not signed in: no role decides on them.
OWN_PAGES = [
    route
    for route in ROUTES
    if route.startswith("account/")
    and not set(route) & set("<^(")
    and "logout" not in route
    and "reauth" not in route
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


# Files, and parts of pages that are looked at with the page they stand in. Every other route has to be seen.
NO_PAGES = {
    route for route in PAGES if route.endswith((".json", ".pdf", ".<slug:file_type>", "/download/"))
} | {
    "cohorts/<slug:slug>/live/",
    "cohorts/count/",
    "patients/<uuid:patient_id>/outcome/",
}


@pytest.fixture
def user(committed: None) -> User:
    """Somebody who may do what any of four roles may, so that no page is shown in part."""
    centre = CentreFactory(code="STA")
    somebody = make_user(role=Role.DATA_MANAGER, centre=centre, username="everything")
    for role in (Role.PHYSICIAN, Role.READER, Role.ADMINISTRATOR):
        somebody.memberships.create(centre=centre, role=role)
    return somebody


@pytest.fixture
def paths(user: User) -> dict[str, list[str]]:
    """Each route with the addresses to try: of a patient whose course has ended, of one who is treated, of an own cohort."""
    centre = user.memberships.first().centre
    with transaction.atomic():
        ended = make_clinic(centre, "STA-0001")
        course = CourseFactory(patient=PatientFactory(centre=centre, registry_number="STA-0002"), given=2)
        everyone = Cohort.objects.get(slug="all")
        Cohort.objects.create(
            slug="own", name="Own", owner=user, is_shared=False, definition=everyone.definition
        )
    freshness.refresh_inline()
    ended.ids["lock"] = locks.lock(everyone, "lock-sta", ["STA"], None).name
    of_course = {"patient_id": course.patient_id, "course_id": course.pk}
    treated = [
        Clinic(
            centre,
            ended.ids | of_course | {"cycle_id": course.cycles.get(number=number).pk, "import_id": file.pk},
        )
        for number, file in ((3, refused_file(ended)), (2, imported_file(ended)))
    ]
    found = {}
    for route in set(PAGES) - POSTED_PAGES:
        asked = route
        for name, value in FIGURES.items():
            asked = asked.replace(f"<slug:{name}>", value)
        addresses = [clinic.path(asked) for clinic in (ended, *treated)]
        found[route] = [*addresses, addresses[0].replace("/cohorts/all/", "/cohorts/own/")]
    return found | {route: [f"/{route}"] for route in OWN_PAGES}


def file_of(clinic: Clinic, **values: Any) -> Import:
    sent = {"kind": "cohort_zip", "size_bytes": 3, "sha256": "0" * 64, "created_by_id": clinic.ids["user"]}
    return Import.objects.create(centre=clinic.centre, **sent | values)


def refused_file(clinic: Clinic) -> Import:
    problem = {"place": "cycles.csv", "row": 7, "column": "lot", "value": "x", "expected": "expected less"}
    return file_of(clinic, state="refused", content=b"PK", problems=[problem] * 3, n_problems=3)


def imported_file(clinic: Clinic) -> Import:
    counts = {"patients": {"new": 2, "changed": 1, "unchanged": 0}}
    return file_of(clinic, state="done", work="import", counts=counts, ended_at=timezone.now())


def test_every_page_passes_axe_in_either_theme_fits_a_phone_and_asks_nobody_else(
    live_server_of_committed,
    user,
    paths,
    library,  # noqa: F811
):
    site = live_server_of_committed.url
    wrong: dict[str, Any] = {}
    route = ""

    def complain(what: str, detail: Any) -> None:
        wrong.setdefault(f"{route} {what}", detail)

    def look_at(tab: Any, path: str) -> bool:
        """Return whether there is a whole page at this address, having looked at it."""
        answer = tab.request.get(f"{site}{path}", max_redirects=0)
        assert answer.status < 500, path
        if answer.status != 200 or not answer.text().lstrip().lower().startswith("<!doctype html"):
            return False
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
        return True

    seen = set()
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
        for route, addresses in sorted(paths.items()):
            if any(look_at(tab, address) for address in addresses):
                seen.add(route)
        tab.context.clear_cookies()
        for route in OWN_PAGES:  # of whoever is not signed in
            if look_at(tab, f"/{route}"):
                seen.add(route)
    assert wrong == {}
    # Which pages of an own account there are depends on how it signs in.
    assert set(paths) - set(OWN_PAGES) - seen == NO_PAGES
    assert {"account/security/", "account/login/", "account/password/change/"} <= seen


def violations(tab: Any) -> dict[str, Any]:
    """Return what is wrong with the page as it stands, in either theme and at a phone's width."""
    found: dict[str, Any] = {}
    for theme in ("light", "dark"):
        tab.emulate_media(color_scheme=theme, reduced_motion="reduce")
        tab.evaluate(AXE)
        found |= {f"{theme} {rule}": nodes[:3] for rule, nodes in tab.evaluate(RULES)}
    tab.set_viewport_size({"width": 320, "height": 800})
    if (width := tab.evaluate("document.documentElement.scrollWidth")) > 320:
        found["is wider than a phone"] = width
    tab.set_viewport_size({"width": 1440, "height": 900})
    return found


def test_forms_that_are_refused_pass_axe_too(
    live_server_of_committed: Any, user: User, paths: dict[str, list[str]]
) -> None:
    """Each entry form is emptied and sent; what comes back says what is wrong, in words that axe finds nothing against."""
    site = live_server_of_committed.url
    wrong, refused = {}, set()
    with signed_in_tab(site, user) as tab:
        for route, addresses in sorted(paths.items()):
            if not route.startswith(("patients/", "protocols/new", "reference-ranges/new", "people/new")):
                continue
            for path in addresses:
                answer = tab.request.get(f"{site}{path}", max_redirects=0)
                if answer.status != 200 or "data-once" not in answer.text():
                    continue
                tab.goto(f"{site}{path}")
                form = tab.locator("main form[data-once]").first
                form.evaluate(
                    "form => { for (const field of form.elements) {"
                    " if (field.type === 'checkbox' || field.type === 'radio') field.checked = false;"
                    " else if (field.type !== 'hidden' && field.tagName !== 'BUTTON') field.value = ''; } }"
                )
                with tab.expect_navigation() as sent:
                    form.evaluate("form => form.requestSubmit()")
                if sent.value.status in {409, 422}:
                    refused.add(route)
                    assert tab.title().startswith("Error: "), route
                    if found := violations(tab):
                        wrong[route] = found
                break
    assert wrong == {}
    assert len(refused) > 25, sorted(refused)


def test_pages_of_errors_pass_axe_and_say_what_to_do(live_server_of_committed: Any, user: User) -> None:
    site = live_server_of_committed.url
    researcher = make_user(
        role=Role.RESEARCHER, centre=user.memberships.first().centre, username="researcher"
    )
    wrong = {}
    for path, status, says in (
        ("/nothing/", 404, "Go to the start page"),
        ("/patients/", 403, "Go to the start page"),
        ("/account/login/?next=/patients/", 200, "Sign in"),
    ):
        with signed_in_tab(site, researcher) as tab:
            if status == 200:
                tab.context.clear_cookies()
            answer = tab.goto(f"{site}{path}")
            assert answer.status == status
            assert says in tab.locator("main").inner_text()
            if found := violations(tab):
                wrong[path] = found
    assert wrong == {}
