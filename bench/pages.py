"""Pages: server time, queries and weight of each; and what Chromium says of them, where playwright and it are installed."""

import gzip
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from analytics import data_queries, freshness
from analytics.models import Definition
from bench import analytics, synthetic
from bench.__main__ import milliseconds
from patients.models import Patient
from prrt_registry.supervisor import web_command
from treatments.models import OPEN

# After what is on the page has been painted and has moved to its place.
_PAINT = """
() => new Promise((done) => {
  let lcp = 0, shift = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) lcp = one.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => { for (const one of list.getEntries()) shift += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => {
    const sent = [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")];
    done({ lcp, shift, bytes: sent.reduce((sum, one) => sum + one.transferSize, 0), requests: sent.length });
  }, 800);
})
"""


@dataclass
class Page:
    """One page: ms ascending, queries, KiB of the answer compressed; of the browser with nothing in its cache.

    Attributes:
        lcp_ms: largest contentful paint; shift: cumulative layout shift; kib: all that was transferred. None: not measured.
    """

    name: str
    path: str
    ms: list[float]
    queries: int
    html_kib: float
    lcp_ms: float | None = None
    shift: float | None = None
    kib: float | None = None
    requests: int | None = None


def addresses() -> dict[str, str]:
    """Return the pages by name, of a patient who is treated."""
    patient = Patient.objects.filter(courses__cycles__status__in=OPEN).order_by("registry_number").first()
    assert patient is not None
    course = patient.courses.order_by("-number").first()
    assert course is not None
    of_patient = f"/patients/{patient.pk}/"
    cycle = course.cycles.filter(status__in=OPEN).order_by("number").first()
    assert cycle is not None
    return {
        "start page": "/",
        "worklist, mine": "/?who=me",
        "worklist, overdue": "/?due=overdue",
        "calendar": "/calendar/",
        "patients": "/patients/",
        "patients, oldest first": "/patients/?sort=-age",
        "data queries": "/queries/",
        "chart": of_patient,
        "events": f"{of_patient}events/",
        "imaging": f"{of_patient}imaging/1/",
        "laboratory": f"{of_patient}laboratory/",
        "documents": f"{of_patient}documents/",
        "history": f"{of_patient}history/",
        "form: register": "/patients/new/",
        "form: give a cycle": f"{of_patient}cycle/{cycle.pk}/give/",
        "form: laboratory values": f"{of_patient}laboratory/enter/",
        "cohorts": "/cohorts/",
        "dashboard": "/cohorts/all/",
    }


def load(patients: int) -> None:
    """Load synthetic patients and bring everything that is derived from them up to date."""
    print(f"loading {patients:,} patients …", file=sys.stderr, flush=True)
    synthetic.load(patients)
    analytics.in_process_per_second(Definition.objects.get(cohorts__slug="all"))
    freshness.refresh_inline()
    data_queries.refresh_inline()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure(*, repeats: int) -> list[Page]:
    """Measure on the registry that is loaded, as the user of the bench."""
    client = Client()
    client.force_login(User.objects.get(username="bench"))
    pages = [_page(client, name, path, repeats=repeats) for name, path in addresses().items()]
    chromium = shutil.which("chromium")
    try:
        import playwright.sync_api  # noqa: F401  (is it there?)
    except ImportError:
        chromium = None
    if chromium is None:
        print("no playwright or no chromium: nothing is painted", file=sys.stderr, flush=True)
        return pages
    call_command("collectstatic", verbosity=0, interactive=False)
    with _server() as site:
        _paint(pages, site, client.cookies["sessionid"].value, chromium)
    return pages


def _page(client: Client, name: str, path: str, *, repeats: int) -> Page:
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
    queries = len(captured)  # before the next request empties the log
    times = milliseconds(lambda: client.get(path), repeats=repeats)
    return Page(name, path, times, queries, len(gzip.compress(answer.content, 6)) / 1024)


@contextmanager
def _server() -> Iterator[str]:
    """Run the web server on a free port for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    os.environ["WEB_BIND"] = f"127.0.0.1:{port}"
    process = subprocess.Popen(  # noqa: S603 (our own command)
        web_command(),
        cwd=settings.BASE_DIR,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{site}/health/live/", timeout=1)  # noqa: S310 (our own address)
                break
            except OSError:
                time.sleep(0.1)
        yield site
    finally:
        process.terminate()
        process.wait(timeout=30)


def _paint(pages: list[Page], site: str, session: str, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for page in pages:
            found = []
            for _ in range(3):
                # An empty cache each time; the median of three, as the first answer of a server's worker is slow.
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
                tab = context.new_page()
                tab.goto(site + page.path)
                found.append(tab.evaluate(_PAINT))
                context.close()
            middle = sorted(found, key=lambda one: one["lcp"])[1]
            page.lcp_ms, page.shift = middle["lcp"], max(one["shift"] for one in found)
            page.kib, page.requests = middle["bytes"] / 1024, middle["requests"]
        browser.close()
