"""A new user's first quarter of an hour: the whole registry as ``make demo`` starts it, walked through in a browser."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import CHROMIUM, needs
from tests.processes import ROOT, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.processes]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A worker on a busy machine; a person would wait a second or two.
SOON_MS = 60_000


@dataclass(frozen=True)
class Demo:
    address: str
    passwords: dict[str, str]
    environment: dict[str, str]

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The registry with its synthetic patients, started by the supervisor in a folder of its own."""
    needs(CHROMIUM, "chromium")
    var = tmp_path_factory.mktemp("demo")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "REGISTRY_VAR": str(var),
        "PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "prrt_registry.settings",
    }
    log = (var / "supervisor.log").open("w+")
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "prrt_registry.supervisor"],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def is_ready() -> bool:
        assert supervisor.poll() is None, Path(log.name).read_text()
        return "The registry is ready" in Path(log.name).read_text()

    try:
        wait_for(is_ready, seconds=240, what="the supervisor says that the registry is ready")
        table = (var / "demo-users.txt").read_text()
        passwords = dict(re.findall(r"^\S[\w ]*?\s{2,}(\S+)\s{2,}(\S+)\s{2,}", table, re.MULTILINE))
        yield Demo(f"http://127.0.0.1:{port}", passwords, environment)
    finally:
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGINT)
            supervisor.wait(timeout=60)
        log.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs(CHROMIUM, "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def signed_in(browser: Browser, demo: Demo, user: str) -> Page:
    """Return a page on which ``user`` has signed in; anything the browser complains of fails the test."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
    page.goto(demo.address)
    page.fill("input[name=login]", user)
    page.fill("input[name=password]", demo.passwords[user])
    page.click("button[type=submit]")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def open_patient(page: Page, demo: Demo, registry_number: str) -> None:
    page.goto(f"{demo.address}/patients/")
    page.get_by_label("Search").fill(registry_number)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=registry_number).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(registry_number)


def test_a_new_users_first_quarter_of_an_hour(browser, demo):
    """One walk: each step builds on the one before."""
    the_dashboard_gives_the_published_figures(browser, demo)
    a_death_recorded_in_a_form_reaches_the_open_dashboard_by_itself(browser, demo)
    a_date_corrected_in_the_admin_asks_for_a_reason_and_moves_the_dashboard(browser, demo)


def the_dashboard_gives_the_published_figures(browser: Browser, demo: Demo) -> None:
    page = signed_in(browser, demo, "researcher")
    page.goto(f"{demo.address}/cohorts/published-2020/")

    expect(page.locator(".synthetic-banner")).to_contain_text("Synthetic patients")
    expect(page.locator("#n-patients")).to_have_text("63")
    expect(page.locator("#orr-value")).to_have_text("26.1 %")
    expect(page.get_by_role("cell", name="20 of 35")).to_be_visible()
    expect(page.get_by_role("cell", name="13 of 21")).to_be_visible()
    # Both curves are drawn, under the strict content security policy.
    expect(page.locator("[data-vega-spec] svg")).to_have_count(4, timeout=SOON_MS)

    for file_type, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG"), ("PDF", b"%PDF"), ("CSV", b"cohort,")):
        with page.expect_download() as download:
            page.get_by_role("link", name=f"{file_type} of Progression-free survival").click()
        assert Path(download.value.path()).read_bytes().startswith(begins)


def a_death_recorded_in_a_form_reaches_the_open_dashboard_by_itself(browser: Browser, demo: Demo) -> None:
    page = signed_in(browser, demo, "physician")
    dashboard = page.context.new_page()
    dashboard.goto(f"{demo.address}/cohorts/published-2020/")
    expect(dashboard.get_by_text("8 events in 63")).to_be_visible()
    revision = int(dashboard.locator("#dashboard").get_attribute("data-revision"))

    open_patient(page, demo, "STA-0063")
    page.get_by_role("link", name="Death").click()
    page.get_by_label("Died on").fill("2020-01-30")
    page.get_by_label("Cause").select_option("comorbidity")
    page.locator("form[data-once] button[type=submit]").click()

    # No reload: the open page says it is pending or already shows the next revision.
    expect(dashboard.get_by_text("9 events in 63")).to_be_visible(timeout=SOON_MS)
    expect(dashboard.get_by_text("Up to date")).to_be_visible(timeout=SOON_MS)
    assert int(dashboard.locator("#dashboard").get_attribute("data-revision")) > revision

    expect(page.locator("#outcome")).to_contain_text("event on 2020-01-30: death", timeout=SOON_MS)
    page.get_by_role("link", name="History of all changes").click()
    expect(page.get_by_text("physician").first).to_be_visible()
    expect(page.get_by_text("2020-01-30").first).to_be_visible()


def a_date_corrected_in_the_admin_asks_for_a_reason_and_moves_the_dashboard(
    browser: Browser, demo: Demo
) -> None:
    page = signed_in(browser, demo, "datamanager")
    dashboard = page.context.new_page()
    dashboard.goto(f"{demo.address}/cohorts/published-2020/")
    revision = int(dashboard.locator("#dashboard").get_attribute("data-revision"))

    page.goto(f"{demo.address}/admin/treatments/cycle/?q=STA-0001")
    page.locator("#result_list a[href*='/change/']").first.click()
    # The whole infusion was entered a week too late: a syringe is not measured after it was given.
    for moment in ("syringe_measured_at", "administered_at", "infusion_ended_at", "residual_measured_at"):
        page.locator(f"input[name={moment}_0]").fill("2018-01-15")
    page.locator("[name=_save]").first.click()
    # Without a reason nothing is sent, or the answer asks for it.
    assert "/change/" in page.url
    expect(page.locator("[name=reason]:invalid, .errorlist, [class*=error]").first).to_be_attached()

    page.locator("[name=reason]").fill("Typing error, see the infusion protocol")
    page.locator("[name=_save]").first.click()
    expect(page.get_by_text("was changed successfully").first).to_be_visible()

    expect(dashboard.locator(f"#dashboard[data-revision='{revision}']")).to_have_count(0, timeout=SOON_MS)
    published = demo.manage("check_published")
    assert published.returncode != 0, "a death was added: the figures must say so"
    assert "deaths" in published.stdout
    check = demo.manage("rebuild_outcomes", "--check")
    assert check.returncode == 0, check.stdout + check.stderr
