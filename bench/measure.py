"""The measurements, at one size of registry."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from accounts.models import Centre, Membership, Role, User
from bench import analytics, pages, synthetic
from prrt_registry.embedded import broker, postgres
from prrt_registry.supervisor import worker_command


@dataclass
class Measured:
    """Analytics, and pages."""

    analytics: analytics.Measured
    pages: list[pages.Page]


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
    began = time.perf_counter()
    synthetic.load(patients)
    load_seconds = time.perf_counter() - began
    found = analytics.measure(patients, repeats=repeats, by_worker=worker)
    found.load_seconds = load_seconds
    return Measured(found, pages.measure(repeats=3 * repeats))


@contextmanager
def worker() -> Iterator[None]:
    """Run a real worker, asked through the broker after each commit, for as long as the block lasts."""
    current_app.conf.broker_url = broker.broker_url(Path(settings.VAR_DIR))
    process = subprocess.Popen(  # noqa: S603 (our own command)
        worker_command(),
        cwd=settings.BASE_DIR,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)
