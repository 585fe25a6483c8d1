"""Figures in a real browser, under the strict CSP of the pages."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import django_htmx
import pytest

from analytics.charts import FIGURES, render
from analytics.charts.bundle import build_vega_bundle
from analytics.charts.response import RESPONSE_FIGURES
from analytics.charts.response.agreement import agreement_spec
from imaging.rules.agreement import cohens_kappa
from tests.analytics.test_charts import result
from tests.analytics.test_response_charts import ABOUT, course, everyone
from tests.conftest import CHROMIUM, needs
from tests.processes import wait_for

pytestmark = pytest.mark.browser

__all__ = ["result"]  # the fixture is shared

SITE = "http://registry.test"
STATIC = Path(__file__).resolve().parents[2] / "clinic" / "static" / "clinic"
CSP = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:"
PAGE = """<!doctype html><html lang="en"><head><title>Figures</title>
<link rel="stylesheet" href="/charts.css"><link rel="stylesheet" href="/page.css">
<script src="/registry.js"></script><script src="/charts.js" data-vega-src="/vega.js" defer></script></head><body>
<figure data-vega-spec="{url}"><img data-vega-fallback alt="" src="data:,"><a href="/numbers.csv">Numbers</a></figure>
</body></html>"""
# As _figure.html has it.
SERVED = """<!doctype html><html lang="en"><head><title>Figures</title>
<script src="/registry.js"></script><script src="/charts.js" data-vega-src="{library}" defer></script></head><body>
<figure data-vega-spec="/spec/pfs.json"><noscript><img loading="lazy" alt="The curve in words" src="{image}"></noscript>
</figure></body></html>"""
# As _freshness.html has it, with an answer that comes sooner.
LIVE = """<!doctype html><html lang="en"><head><title>Live</title>
<meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false}'>
<script src="/htmx.js"></script><script src="/registry.js"></script><script src="/live.js" defer></script></head><body>
<div id="freshness" hx-get="/live?revision=1" hx-trigger="every 100ms" hx-target="this" hx-swap="outerHTML"
 hx-request='{"timeout": 1000}' data-sign-in="/sign-in?next=/live-page">
<span data-freshness>Up to date</span></div></body></html>"""
HTMX = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
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
        "/registry.js": ("text/javascript", (STATIC / "registry.js").read_text()),
        "/charts.js": ("text/javascript", (STATIC / "charts.js").read_text()),
        "/charts.css": ("text/css", (STATIC / "charts.css").read_text()),
        "/page.css": ("text/css", PAGE_CSS),
        "/vega.js": ("text/javascript", library),
        "/": ("text/html", PAGE.format(url="/spec/pfs.json")),
        "/broken": ("text/html", PAGE.format(url="/spec/none.json")),
        "/no-library": ("text/html", SERVED.format(library="/none.js", image="/pfs.svg")),
        "/nothing": ("text/html", SERVED.format(library="/none.js", image="/none.svg")),
        "/pfs.svg": ("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'),
        "/live.js": ("text/javascript", (STATIC / "live.js").read_text()),
        "/htmx.js": ("text/javascript", HTMX.read_text()),
        "/live-page": ("text/html", LIVE),
        "/sign-in": ("text/html", "<form>Sign in</form>"),
    }
    for slug, figure in FIGURES.items():
        files[f"/spec/{slug}.json"] = ("application/json", json.dumps(figure.build(result)))

    for slug, drawn in RESPONSE_FIGURES.items():
        files[f"/{slug}"] = ("text/html", PAGE.format(url=f"/spec/{slug}.json"))
        one = [course("STA-0001", "PR", "-34", progressed_day=120)]
        files[f"/spec/{slug}.json"] = ("application/json", json.dumps(drawn.build(one, ABOUT)))
    files["/patients/STA-0001/"] = ("text/html", "<h1>STA-0001</h1>")

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
        page.mouse.move(box["x"] + 190 + step, box["y"] + 150)
        page.wait_for_timeout(100)
    tip = page.locator("#vg-tooltip-element")

    assert "3.0 months (day 92)" in tip.inner_text() or "3.0 months (day 91)" in tip.inner_text()
    assert "20.0–97.0 %" in tip.inner_text()
    assert tip.evaluate("element => getComputedStyle(element).position") == "fixed"
    assert page.evaluate("violations") == []


@pytest.mark.parametrize(
    ("slug", "mark"),
    [
        ("waterfall", ".mark-rect path"),
        ("spider", ".mark-symbol path[stroke]:not([stroke='none'])"),
        ("swimmer", ".mark-rect path"),
        ("swimmer", ".mark-text text:text('STA-0001')"),
    ],
)
def test_a_course_opens_its_patient(page: Any, slug: str, mark: str) -> None:
    page.goto(f"{SITE}/{slug}")
    figure = state(page, "ready")

    figure.locator(mark).last.click()
    page.get_by_role("heading", name="STA-0001").wait_for()

    assert page.url == f"{SITE}/patients/STA-0001/"
    assert page.evaluate("window.violations") == []


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


def test_without_the_drawing_library_the_image_of_the_server_is_shown(page: Any) -> None:
    page.goto(SITE + "/no-library")
    figure = state(page, "failed")

    image = figure.get_by_role("img", name="The curve in words")
    assert image.is_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    assert figure.get_by_role("status").count() == 0
    assert page.evaluate("violations") == []


def test_a_figure_that_htmx_swaps_in_without_the_library_shows_the_image_too(page: Any) -> None:
    """Swapped in, <noscript> holds elements and not text."""
    page.goto(SITE + "/no-library")
    state(page, "failed")

    page.evaluate(
        """const swapped = new DOMParser().parseFromString(`<figure data-vega-spec="/spec/os.json">
          <noscript><img alt="Swapped in" src="/pfs.svg"></noscript></figure>`, "text/html").querySelector("figure");
        document.querySelector("figure").replaceWith(document.adoptNode(swapped));
        swapped.dispatchEvent(new CustomEvent("htmx:afterSettle", { bubbles: true }));"""
    )

    assert state(page, "failed").get_by_role("img", name="Swapped in").is_visible()


def test_without_library_and_image_the_page_says_that_nothing_could_be_drawn(page: Any) -> None:
    page.goto(SITE + "/nothing")
    figure = state(page, "failed")

    figure.get_by_role("status").wait_for()
    assert "could not be drawn" in figure.get_by_role("status").inner_text()
    assert figure.get_by_role("img").count() == 0


def test_a_figure_wider_than_its_place_says_that_it_scrolls_and_can_be_scrolled_with_the_keyboard(
    page: Any,
) -> None:
    page.goto(SITE + "/")
    drawing = state(page, "ready").locator(".figure-chart-drawing")
    hint = page.get_by_text("Scroll the figure sideways")
    assert drawing.get_attribute("tabindex") is None
    assert hint.is_hidden()

    page.set_viewport_size({"width": 390, "height": 700})
    hint.wait_for()
    drawing.focus()
    page.keyboard.press("ArrowRight")
    # Asked again from here: playwright's own waiting evaluates text in the page, which the policy forbids.
    wait_for(
        lambda: page.evaluate("document.activeElement.scrollLeft > 0"), seconds=10, what="it has scrolled"
    )

    page.set_viewport_size({"width": 900, "height": 700})
    hint.wait_for(state="hidden")
    assert drawing.get_attribute("tabindex") is None


@pytest.mark.parametrize("slug", [*FIGURES, *RESPONSE_FIGURES, "agreement"])
def test_no_text_of_a_downloaded_figure_is_cut_off_in_a_wider_font(
    page: Any, result: dict[str, Any], slug: str
) -> None:
    """Liberation Sans is not everywhere; DejaVu Sans is about as wide as what browsers fall back on gets."""
    if slug in FIGURES:
        spec = FIGURES[slug].build(result | {"synthetic": True}, theme="print")
    elif slug == "agreement":
        pairs = [("PD", "NON_CR_NON_PD"), ("CR", "PR"), ("SD", "SD")]
        spec = agreement_spec(cohens_kappa(pairs), 3, ABOUT, theme="print")
    else:
        spec = RESPONSE_FIGURES[slug].build(everyone(), ABOUT, theme="print")
    svg = render(spec, "svg").decode()
    page.goto(SITE + "/nothing")
    page.evaluate(
        "svg => { document.body.innerHTML = svg }", svg.replace("Liberation Sans, Arial", "DejaVu Sans")
    )

    cut = page.evaluate(
        """() => {
          const frame = document.querySelector("svg").getBoundingClientRect();
          return [...document.querySelectorAll("svg text")].filter((text) => {
            const box = text.getBoundingClientRect();
            return text.textContent && (box.left < frame.left || box.right > frame.right
              || box.top < frame.top || box.bottom > frame.bottom);
          }).map((text) => text.textContent);
        }"""
    )

    assert page.locator("svg text").count() > 5
    assert cut == []


@pytest.fixture
def live(page: Any) -> dict[str, Any]:
    """An open dashboard's mark; ``["answer"]`` is what its next polls get."""
    from playwright.sync_api import Route

    said: dict[str, Any] = {"answer": lambda route: route.fulfill(status=204)}

    def answer(route: Route) -> None:
        said["answer"](route)

    page.route("**/live?*", answer)
    page.goto(SITE + "/live-page")
    return said


@pytest.mark.parametrize(
    "failure",
    [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body="Bad gateway"),
        lambda route: None,  # never answered
    ],
    ids=["no network", "error", "no answer"],
)
def test_a_mark_that_nobody_answers_says_so_until_somebody_does(
    page: Any, live: dict[str, Any], failure: Any
) -> None:
    mark = page.locator("#freshness")
    assert mark.inner_text() == "Up to date"

    live["answer"] = failure
    page.get_by_text("Not connected:").wait_for()
    assert mark.inner_text().strip() == "Not connected: this may be out of date"

    live["answer"] = lambda route: route.fulfill(status=204)
    page.get_by_text("Up to date").wait_for()
    assert mark.inner_text().strip() == "Up to date"


@pytest.fixture
def signed_out_site() -> Iterator[str]:
    """The address of a server that sends every poll to the sign-in page (a browser follows no made-up redirect)."""
    files = {"/live-page": LIVE, "/sign-in": "<form>Sign in</form>"}
    files |= {f"/{name}.js": (STATIC / f"{name}.js").read_text() for name in ("live", "registry")}
    files |= {"/htmx.js": HTMX.read_text()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in files:
                self.send_response(302)
                self.send_header("Location", "/sign-in?next=/live")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if path.endswith(".js") else "text/html")
            self.end_headers()
            self.wfile.write(files[path].encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_mark_whose_session_has_ended_asks_to_sign_in_and_is_not_replaced_by_the_sign_in_page(
    page: Any, signed_out_site: str
) -> None:
    page.unroute_all()
    page.goto(signed_out_site + "/live-page")
    page.get_by_text("Signed out:").wait_for()

    mark = page.locator("#freshness")
    assert mark.inner_text().strip() == "Signed out: sign in again"
    assert mark.get_by_role("link", name="sign in again").get_attribute("href") == "/sign-in?next=/live-page"
    assert page.locator("form").count() == 0


def test_a_newer_answer_takes_the_place_of_a_mark_that_was_cut_off(page: Any, live: dict[str, Any]) -> None:
    live["answer"] = lambda route: route.abort()
    page.get_by_text("Not connected:").wait_for()

    live["answer"] = lambda route: route.fulfill(
        content_type="text/html", body='<div id="freshness"><span data-freshness>Pending</span></div>'
    )
    page.get_by_text("Pending").wait_for()

    assert page.get_by_text("Not connected").count() == 0
