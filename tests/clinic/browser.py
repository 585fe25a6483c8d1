"""A tab of the system's Chromium with a user signed in, for the tests of pages that need a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accounts.models import User
from tests.clinic.test_pages import signed_in
from tests.conftest import CHROMIUM, needs


@contextmanager
def signed_in_tab(site: str, user: User) -> Iterator[Any]:
    """Open an empty tab; ``window.violations`` lists what the page's security policy refused."""
    needs(CHROMIUM, "chromium")
    from playwright.sync_api import sync_playwright

    session = signed_in(user).cookies["sessionid"].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        tab.add_init_script(
            "window.violations = [];"
            "document.addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
        )
        yield tab
        browser.close()
