"""Figures in a real browser, under the strict CSP of the pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.charts import FIGURES
from analytics.charts.bundle import build_vega_bundle
from tests.analytics.test_charts import result
from tests.conftest import CHROMIUM, needs

pytestmark = pytest.mark.browser

__all__ = ["result"]  # the fixture is shared

SITE = "http://registry.test"
STATIC = Path(__file__).resolve().parents[2] / "clinic" / "static" / "clinic"
CSP = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:"
PAGE = """<!doctype html><html lang="en"><head><title>Figures</title>
<link rel="stylesheet" href="/charts.css"><link rel="stylesheet" href="/page.css">
<script src="/charts.js" data-vega-src="/vega.js" defer></script></head><body>
<figure data-vega-spec="{url}"><img data-vega-fallback alt="" src="data:,"><a href="/numbers.csv">Numbers</a></figure>
</body></html>"""
PAGE_CSS = (
    'body { background: white; color: #222 } [data-bs-theme="dark"] body { background: #222; color: #eee }'
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The drawing library as the site serves it."""
    folder = tmp_path_factory.mktemp("vega")
    build_vega_bundle(folder)
    return (folder / "vega.js").read_text()


@pytest.fixture
def page(result: dict[str, Any], library: str) -> Iterator[Any]:
    """A tab whose whole network is these files; ``page.violations()`` are the CSP's complaints so far."""
    needs(CHROMIUM, "chromium")
    from playwright.sync_api import Route, sync_playwright

    files = {
        "/charts.js": ("text/javascript", (STATIC / "charts.js").read_text()),
        "/charts.css": ("text/css", (STATIC / "charts.css").read_text()),
        "/page.css": ("text/css", PAGE_CSS),
        "/vega.js": ("text/javascript", library),
        "/": ("text/html", PAGE.format(url="/spec/pfs.json")),
        "/broken": ("text/html", PAGE.format(url="/spec/none.json")),
    }
    for slug, figure in FIGURES.items():
        files[f"/spec/{slug}.json"] = ("application/json", json.dumps(figure.build(result)))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        kind, body = files.get(path, ("text/plain", ""))
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": CSP}
        route.fulfill(status=200 if path in files else 404, headers=headers, body=body)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        )
        tab = browser.new_page(viewport={"width": 900, "height": 700})
        tab.route("**/*", answer)
        tab.add_init_script(
            "window.violations = [];"
            "document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
        )
        yield tab
        browser.close()


def state(page: Any, value: str) -> Any:
    figure = page.locator(f'[data-vega-state="{value}"]')
    figure.wait_for()
    return figure


def test_a_figure_is_drawn_under_the_strict_policy_and_named_for_screen_readers(
    page: Any, result: dict[str, Any]
) -> None:
    page.goto(SITE + "/")
    figure = state(page, "ready")

    drawing = figure.get_by_role("img", name=FIGURES["pfs"].alt_text(result))
    assert drawing.locator("svg").count() == 1
    assert figure.locator("img[data-vega-fallback]").is_hidden()
    assert figure.get_by_role("link", name="Numbers").is_visible()
    assert page.evaluate("violations") == []


def test_pointing_at_the_curve_says_the_numbers_of_the_nearest_day(page: Any) -> None:
    page.goto(SITE + "/")
    state(page, "ready")
    box = page.locator("figure svg").bounding_box()

    for step in (0, 2, 4):  # the first move chooses the day, a later one is over its line
        page.mouse.move(box["x"] + 205 + step, box["y"] + 150)
        page.wait_for_timeout(100)
    tip = page.locator("#vg-tooltip-element")

    assert "3.0 months (day 92)" in tip.inner_text() or "3.0 months (day 91)" in tip.inner_text()
    assert "20.0–97.0 %" in tip.inner_text()
    assert tip.evaluate("element => getComputedStyle(element).position") == "fixed"
    assert page.evaluate("violations") == []


def test_a_page_that_turns_dark_turns_its_figures(page: Any) -> None:
    page.goto(SITE + "/")
    state(page, "ready")
    assert page.locator('svg [stroke="#1f4e79"]').count() > 0

    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    page.locator('svg [stroke="#79b8ff"]').first.wait_for(state="attached")

    assert page.locator('svg [stroke="#1f4e79"]').count() == 0
    assert page.locator("figure svg").count() == 1


def test_a_figure_that_htmx_swaps_in_is_drawn(page: Any) -> None:
    page.goto(SITE + "/")
    state(page, "ready")

    page.evaluate(
        """const figure = document.createElement("figure");
        figure.dataset.vegaSpec = "/spec/courses.json";
        document.querySelector("figure").replaceWith(figure);
        figure.dispatchEvent(new CustomEvent("htmx:afterSettle", { bubbles: true }));"""
    )

    assert "Treatment courses" in state(page, "ready").locator("svg").text_content()


def test_a_figure_that_cannot_be_had_leaves_its_text_and_says_so(page: Any) -> None:
    page.goto(SITE + "/broken")
    figure = state(page, "failed")

    assert "could not be drawn" in figure.get_by_role("status").inner_text()
    assert figure.get_by_role("link", name="Numbers").is_visible()
    assert figure.locator("img[data-vega-fallback]").get_attribute("hidden") is None
