"""A dashboard in a real browser, under a strict CSP: marks that open patients, a swap that keeps what is open."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from analytics.charts import FIGURES
from analytics.charts.bundle import build_vega_bundle
from tests.analytics.test_charts import result
from tests.analytics.test_charts_browser import CSP, HTMX, PAGE, SITE, STATIC
from tests.conftest import CHROMIUM, needs

pytestmark = pytest.mark.browser

__all__ = ["result"]  # the fixture is shared

LIVE = """<!doctype html><html lang="en"><head><title>Dashboard</title>
<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false}'>
<script src="/htmx.js"></script><script src="/dashboard.js" defer></script></head><body>
<div id="freshness" hx-get="/live" hx-trigger="every 300ms" hx-target="this" hx-swap="outerHTML">Revision 1</div>
<div id="dashboard"><details id="rows"><summary>Rows</summary><p>of revision 1</p></details>
<details id="other"><summary>Other</summary><p>closed</p></details></div></body></html>"""
NEWER = """<div id="freshness">Revision 2</div>
<div id="dashboard" hx-swap-oob="true"><details id="rows"><summary>Rows</summary><p>of revision 2</p></details>
<details id="other"><summary>Other</summary><p>closed</p></details></div>"""


def behind(measure: str, *categories: str, **at: int) -> str:
    found = [measure, *categories, *(f"{name}-{value}" for name, value in sorted(at.items()))]
    return "/behind/" + "/".join(found).replace(":", "-").replace("*", "all")


@pytest.fixture
def page(result: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tab whose whole network is these files."""
    needs(CHROMIUM, "chromium")
    from playwright.sync_api import Route, sync_playwright

    folder = tmp_path_factory.mktemp("vega")
    build_vega_bundle(folder)
    files = {
        "/registry.js": ("text/javascript", (STATIC / "registry.js").read_text()),
        "/charts.js": ("text/javascript", (STATIC / "charts.js").read_text()),
        "/charts.css": ("text/css", (STATIC / "charts.css").read_text()),
        "/dashboard.js": ("text/javascript", (STATIC / "dashboard.js").read_text()),
        "/htmx.js": ("text/javascript", HTMX.read_text()),
        "/page.css": ("text/css", "body { background: white; color: #222 }"),
        "/vega.js": ("text/javascript", (folder / "vega.js").read_text()),
        "/live-page": ("text/html", LIVE),
        "/live": ("text/html", NEWER),
    }
    for slug, figure in FIGURES.items():
        files[f"/{slug}"] = ("text/html", PAGE.format(url=f"/spec/{slug}.json"))
        files[f"/spec/{slug}.json"] = ("application/json", json.dumps(figure.build(result, behind=behind)))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        kind, body = files.get(path, ("text/html", "<h1>Behind</h1>" if path.startswith("/behind/") else ""))
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": CSP}
        route.fulfill(status=200, headers=headers, body=body)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        )
        tab = browser.new_page(viewport={"width": 900, "height": 700})
        tab.set_default_timeout(60_000)
        tab.route("**/*", answer)
        yield tab
        browser.close()


def doors(result: dict[str, Any], category: str) -> int:
    spec = FIGURES["pfs"].build(result, behind=behind)
    return json.dumps(spec).count(f'"/behind/pfs/{category}/')


def click_middle(page: Any, place: int) -> None:
    """Click the middle of one of the marks that open patients, with the mouse: nothing may lie over it."""
    box = page.locator('svg [stroke-width="7"]').nth(place).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


@pytest.mark.parametrize("category", ["censored", "event"])
def test_a_step_and_a_tick_open_the_patients_of_their_days(category, page, result):
    page.goto(f"{SITE}/pfs")
    page.locator('[data-vega-state="ready"]').wait_for()
    n = {name: doors(result, name) for name in ("censored", "event")}
    assert page.locator('svg [stroke-width="7"]').count() == n["censored"] + n["event"] > 1

    # The last ticks stand free; a step that falls on the day of a tick lies over it.
    click_middle(page, n["censored"] - 1 if category == "censored" else n["censored"])
    page.wait_for_url("**/behind/**")

    assert f"/behind/pfs/{category}/at_from-" in page.url


@pytest.mark.parametrize(
    ("figure", "bar", "address"),
    [
        ("best-response", "Partial response", "/behind/response/evaluable-PR"),
        ("courses", "Completed", "/behind/status/completed"),
    ],
)
def test_a_bar_opens_its_patients(figure, bar, address, page):
    page.goto(f"{SITE}/{figure}")
    page.locator('[data-vega-state="ready"]').wait_for()

    # In the middle of a bar its number may stand, over the bar.
    page.locator(f'svg .mark-rect path[aria-label*="{bar}"]').click(position={"x": 4, "y": 4})
    page.wait_for_url("**/behind/**")

    assert address in page.url


def test_what_was_open_stays_open_when_a_newer_dashboard_comes(page):
    page.goto(f"{SITE}/live-page")
    page.locator("#rows summary").click()
    page.get_by_text("of revision 2").wait_for()

    assert page.locator("#rows").get_attribute("open") is not None
    assert page.locator("#other").get_attribute("open") is None
