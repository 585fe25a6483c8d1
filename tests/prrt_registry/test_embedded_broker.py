"""The embedded broker: starts once, comes back after a kill, and is reached through awkward paths."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from prrt_registry.embedded import broker, daemon
from prrt_registry.embedded.daemon import EmbeddedServerError

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
START = "import sys; from prrt_registry.embedded import broker; broker.ensure_running(sys.argv[1])"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="prrt ", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def var(short_folder: Path) -> Iterator[Path]:
    var = short_folder / "var"
    yield var
    broker.destroy(var)


def send_and_receive(url: str) -> object:
    with Connection(url) as connection:
        queue = connection.SimpleQueue("test")
        queue.put("message")
        return queue.get(timeout=5).payload


def pid_of(var: Path) -> int:
    return int((var / "broker" / "socket" / "broker.pid").read_text())


def is_running(pid: int) -> bool:
    # A process whose parent has not collected it yet is still listed, as a zombie.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_message_goes_through_a_path_with_spaces(var):
    url = broker.ensure_running(var)

    assert " " in str(var)
    assert " " not in url
    assert send_and_receive(url) == "message"


def test_a_message_goes_through_a_path_that_is_too_long_for_a_socket(short_folder):
    var = short_folder / ("x" * 150) / "var"
    try:
        assert send_and_receive(broker.ensure_running(var)) == "message"
    finally:
        broker.destroy(var)


def test_the_url_is_known_before_anything_runs_and_starts_nothing(var):
    url = broker.broker_url(var)

    assert not var.exists()
    assert broker.ensure_running(var) == url


def test_the_second_start_finds_the_first(var):
    broker.ensure_running(var)
    pid = pid_of(var)

    broker.ensure_running(var)

    assert pid_of(var) == pid


def test_it_is_private_and_keeps_nothing_on_disk(var):
    send_and_receive(broker.ensure_running(var))

    folder = var / "broker" / "socket"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["broker.pid", "broker.sock"]


def test_it_comes_back_after_it_was_killed(var):
    url = broker.ensure_running(var)
    pid = pid_of(var)
    os.kill(pid, signal.SIGKILL)

    assert broker.ensure_running(var) == url
    assert pid_of(var) != pid
    assert send_and_receive(url) == "message"


def test_six_starts_at_once_make_one_broker(var):
    starters = [subprocess.Popen([sys.executable, "-c", START, str(var)], cwd=ROOT) for _ in range(6)]

    assert [starter.wait(timeout=60) for starter in starters] == [0] * 6
    assert (var / "log" / "broker.log").read_text().count("Server initialized") == 1


def test_stop_ends_it_once_and_says_whether_there_was_one(var):
    assert broker.stop(var) is False
    broker.ensure_running(var)
    pid = pid_of(var)

    assert broker.stop(var) is True
    assert broker.stop(var) is False
    assert not is_running(pid)


def test_a_broker_that_hangs_is_ended_all_the_same(var, monkeypatch):
    monkeypatch.setattr(broker, "_STOP_TIMEOUT_SECONDS", 0.2)
    broker.ensure_running(var)
    os.kill(pid_of(var), signal.SIGSTOP)

    assert broker.stop(var) is True


@pytest.fixture
def without_the_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.skipif(
    not (shutil.which("valkey-server") or shutil.which("redis-server")),
    reason="this machine has no broker of its own",
)
def test_without_the_package_the_systems_broker_is_used(var, without_the_package):
    assert send_and_receive(broker.ensure_running(var)) == "message"


def test_without_any_broker_the_message_says_what_to_do(var, without_the_package, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)

    with pytest.raises(EmbeddedServerError, match="set CELERY_BROKER_URL"):
        broker.ensure_running(var)


def test_a_start_waits_only_so_long_for_another_one(var, monkeypatch):
    broker.ensure_running(var)
    broker.stop(var)
    monkeypatch.setattr(daemon, "START_TIMEOUT_SECONDS", -29.8)
    lock = var / "broker" / "lock"

    with daemon.exclusive(lock), pytest.raises(EmbeddedServerError, match="holds"):
        broker.ensure_running(var)
