"""Real processes for tests: workers, beat and a broker of their own, on the test's own database."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)


def database_url() -> str:
    """Return the address of the database this test runs on, for another process."""
    parameters = connection.get_connection_params()
    user = quote(str(parameters.get("user", "")))
    password = quote(str(parameters.get("password", "") or ""))
    port = parameters.get("port") or 5432
    host = str(parameters.get("host", ""))
    if host.startswith("/"):
        return f"postgresql://{user}@:{port}/{parameters['dbname']}?host={quote(host)}"
    return f"postgresql://{user}:{password}@{host}:{port}/{parameters['dbname']}"


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Return how long it took until ``condition`` held, in seconds; fail when it did not in time."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class Process:
    """``python -m celery …`` or the like, in a session of its own, so that a kill takes its children along."""

    def __init__(self, *arguments: str, environment: dict[str, str], log: Path) -> None:
        self._log = log.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "prrt_registry.settings"} | environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, sig)
        self.popen.wait(timeout=20)
        self._log.close()
