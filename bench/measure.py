"""The measurements, at one size of registry."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from lifelines import KaplanMeierFitter

from accounts.models import Centre, Membership, Role, User
from accounts.records import correct_record
from analytics import compute, freshness
from analytics.models import Cohort, Definition, StaleCourse, StaleResult
from bench import synthetic
from bench.__main__ import milliseconds
from patients.models import Death
from prrt_registry.embedded import broker, postgres
from prrt_registry.supervisor import worker_command

CORRECTIONS = 20


@dataclass
class Measured:
    patients: int
    rebuild_seconds: float
    results_ms: float
    rows_ms: float
    refresh_ms: list[float]
    worker_ms: list[float]
    dashboard_ms: list[float]
    dashboard_queries: int
    list_ms: list[float]
    list_queries: int


def prepare() -> None:
    """Start the servers, migrate, and make the user whose pages are measured."""
    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    call_command("build_assets", verbosity=0)
    broker.ensure_running(Path(settings.VAR_DIR))
    centre, _ = Centre.objects.get_or_create(
        code="BEN", defaults={"name": "Bench", "time_zone": "Europe/Berlin"}
    )
    user, _ = User.objects.get_or_create(username="bench")
    Membership.objects.get_or_create(user=user, centre=centre, role=Role.PHYSICIAN)


def end() -> None:
    """Stop the servers."""
    connection.close()
    broker.stop(Path(settings.VAR_DIR))
    postgres.stop(Path(settings.VAR_DIR))


def at_size(patients: int, *, repeats: int) -> Measured:
    """Load ``patients`` and measure everything on them."""
    print(f"loading {patients:,} patients …", file=sys.stderr, flush=True)
    synthetic.load(patients)
    began = time.perf_counter()
    freshness.refresh_inline()
    rebuild_seconds = time.perf_counter() - began
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

    everyone = Cohort.objects.select_related("definition").get(slug="all")
    results_ms = milliseconds(lambda: compute.results(everyone, ["BEN"]), repeats=repeats)
    rows_ms = milliseconds(lambda: _plain_rows(everyone.definition), repeats=repeats)
    refresh_ms = sorted(_correct(index, by_worker=False) for index in range(CORRECTIONS))
    worker_ms = _through_worker()

    client = Client()
    client.force_login(User.objects.get(username="bench"))
    dashboard_ms, dashboard_queries = _page(client, "/cohorts/all/", repeats=3 * repeats)
    list_ms, list_queries = _page(client, "/patients/", repeats=3 * repeats)
    return Measured(
        patients,
        rebuild_seconds,
        results_ms[len(results_ms) // 2],
        rows_ms[len(rows_ms) // 2],
        refresh_ms,
        worker_ms,
        dashboard_ms,
        dashboard_queries,
        list_ms,
        list_queries,
    )


def _plain_rows(definition: Definition) -> None:
    """What a script would do: fetch one row a patient, in psycopg's binary format, and fit lifelines to them."""
    with psycopg.Cursor(connection.connection) as cursor:
        for endpoint in ("pfs", "os"):
            cursor.execute(
                f"SELECT {endpoint}_days, {endpoint}_event FROM analytics_outcome"  # noqa: S608 (constants)
                f" WHERE definition_id = %s AND {endpoint}_days IS NOT NULL",
                [definition.pk],
                binary=True,
            )
            days, events = zip(*cursor.fetchall(), strict=True)
            KaplanMeierFitter().fit(days, events)


def _correct(index: int, *, by_worker: bool) -> float:
    """Correct a date of death; return the milliseconds from the commit until nothing is stale."""
    deaths = Death.objects.filter(died_on__lt="2026-06-01").order_by("id")[:CORRECTIONS]
    death = deaths[index % len(deaths)]
    correct_record(death, {"died_on": death.died_on + timedelta(days=1)}, by=None, reason="measured")
    began = time.perf_counter()
    if not by_worker:
        freshness.refresh_inline()
    while StaleCourse.objects.exists() or StaleResult.objects.exists():
        assert time.perf_counter() - began < 60, "the worker does not answer"
        time.sleep(0.002)
    return (time.perf_counter() - began) * 1000


def _through_worker() -> list[float]:
    """Return the same for a real worker process, asked through the broker after each commit."""
    current_app.conf.broker_url = broker.broker_url(Path(settings.VAR_DIR))
    worker = subprocess.Popen(  # noqa: S603 (our own command)
        worker_command(),
        cwd=settings.BASE_DIR,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _correct(0, by_worker=True)  # waits until the worker is up
        return sorted(_correct(index, by_worker=True) for index in range(CORRECTIONS))
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def _page(client: Client, path: str, *, repeats: int) -> tuple[list[float], int]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
    queries = len(captured)  # before the next request empties the log
    return milliseconds(lambda: client.get(path), repeats=repeats), queries
