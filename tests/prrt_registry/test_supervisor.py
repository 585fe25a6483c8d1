"""The supervisor: starts everything, keeps it running, ends everything, and says plainly why it cannot."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prrt_registry import supervisor
from prrt_registry.embedded import broker
from prrt_registry.supervisor import Child, SupervisorError

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]

# The supervisor as it is, with children that write their process id and sleep, so that nothing of Django is
# needed. The database is said to be elsewhere; the broker is the real one.
DRIVER = """
import os, sys
from prrt_registry import supervisor

NOTE = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\\\n'); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + NOTE
notes = supervisor.var_folder() / "notes"

def command(name, code):
    return lambda: [sys.executable, "-c", code, str(notes / name)]

supervisor.COMMANDS = {
    "web": command("web", NOTE),
    "worker": command("worker", DEAF),
    "beat": command("beat", NOTE),
}
supervisor.STOP_TIMEOUT_SECONDS = 1.0
supervisor.Supervisor.prepare = lambda self: self.ensure_servers()
supervisor.Supervisor._web_is_ready = lambda self: len(list(notes.iterdir())) == 3
supervisor.Supervisor._worker_is_ready = lambda self: True
sys.exit(supervisor.main(sys.argv[1:]))
"""


@pytest.fixture
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="prrt ", dir="/tmp"))
    (folder / "notes").mkdir()
    yield folder
    broker.destroy(folder)
    shutil.rmtree(folder)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(var: Path, free_port: int) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "REGISTRY_VAR": str(var),
            "PORT": str(free_port),
            "DATABASE_URL": "postgresql://nowhere/registry",
            "CELERY_BROKER_URL": "",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what the process printed, up to the line that holds ``text``."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"It ended without saying {text!r}:\n{said}")


def wait_for(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pids(var: Path, name: str) -> list[int]:
    """Return the process ids of all starts of a child, oldest first."""
    return [int(line) for line in (var / "notes" / name).read_text().split()]


def everything(var: Path) -> list[int]:
    children = [pid for name in ("web", "worker", "beat") for pid in pids(var, name)]
    return [*children, int((var / "broker" / "socket" / "broker.pid").read_text())]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process_even_a_deaf_one(start, var, number):
    process = start()
    read_until(process, "End it with Ctrl-C")
    running = everything(var)
    assert all(map(is_running, running))

    process.send_signal(number)

    assert process.wait(timeout=10) == 0
    assert not any(map(is_running, running))


def test_stop_ends_a_running_registry_and_a_second_stop_finds_nothing(start, var):
    process = start()
    read_until(process, "End it with Ctrl-C")
    running = everything(var)

    said, _ = start("stop").communicate(timeout=20)

    assert "Everything has ended" in said
    assert process.wait(timeout=5) == 0
    assert not any(map(is_running, running))
    again = start("stop")
    assert "Nothing was running" in again.communicate(timeout=20)[0]
    assert again.returncode == 0


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent died"
)
def test_a_killed_supervisor_takes_its_children_along(start, var):
    process = start()
    read_until(process, "End it with Ctrl-C")

    process.kill()

    wait_for(lambda: not any(map(is_running, [*pids(var, "web"), *pids(var, "beat")])))


def test_a_child_that_dies_is_started_again(start, var):
    process = start()
    read_until(process, "End it with Ctrl-C")

    os.kill(pids(var, "web")[0], signal.SIGKILL)

    assert "by SIGKILL" in read_until(process, "web ended")
    wait_for(lambda: len(pids(var, "web")) == 2)
    assert is_running(pids(var, "web")[1])


def test_a_broker_that_dies_is_started_again(start, var):
    process = start()
    read_until(process, "End it with Ctrl-C")
    file = var / "broker" / "socket" / "broker.pid"
    first = int(file.read_text())

    os.kill(first, signal.SIGKILL)

    wait_for(
        lambda: file.exists() and file.read_text().strip().isdecimal() and int(file.read_text()) != first
    )


def test_a_second_supervisor_is_told_of_the_first(start, free_port):
    first = start()
    read_until(first, "End it with Ctrl-C")

    second = start()
    said, _ = second.communicate(timeout=20)

    assert second.returncode == 1
    assert f"already runs here: http://127.0.0.1:{free_port}/ (process {first.pid}" in said
    assert "make stop" in said
    assert first.poll() is None


def test_a_port_in_use_is_named_with_another_to_choose(start, free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()

        process = start()
        said, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert f"Port {free_port} cannot be used: Address already in use" in said
    assert f"PORT={free_port + 1} make demo" in said


def test_a_child_that_keeps_dying_ends_everything_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", (0.0,))
    said: list[str] = []
    argv = [sys.executable, "-S", "-c", "import sys; print('no such table'); sys.exit(3)"]
    child = Child("web", argv, tmp_path / "web.log", os.environ)
    child.start()

    def look_after_it_for_ever() -> None:
        while True:
            child.keep_alive(said.append)
            time.sleep(0.005)

    last_words = r"web ended 5 times (.|\n)*with code 3(.|\n)*no such table"
    with pytest.raises(SupervisorError, match=last_words) as gave_up:
        look_after_it_for_ever()

    assert str(tmp_path / "web.log") in str(gave_up.value)
    assert len(said) == supervisor.GIVE_UP_AFTER_DEATHS - 1


def test_a_child_that_dies_now_and_then_is_always_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setattr(supervisor, "GIVE_UP_WINDOW_SECONDS", 0.0)
    said: list[str] = []
    child = Child("web", ["/bin/false"], tmp_path / "web.log", os.environ)
    child.start()

    def died_often() -> bool:
        child.keep_alive(said.append)
        return len(said) == supervisor.GIVE_UP_AFTER_DEATHS + 2

    wait_for(died_often)
    supervisor.end_all([child])


def test_a_step_that_fails_says_what_the_program_said(var, monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "no.such.settings")
    whole = supervisor.Supervisor(var, say=lambda text: None)
    (var / "log").mkdir()

    with pytest.raises(
        SupervisorError, match=r"manage.py migrate ended with code 1(.|\n)*No module named 'no'"
    ):
        whole._finish_step("Migrating", whole._begin_step("migrate"))


@pytest.mark.parametrize("text", ["eighty", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("PORT", text)

    with pytest.raises(SupervisorError, match="PORT must be a number"):
        supervisor.port()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SupervisorError, match=r"/file cannot be used: (Not a directory|File exists)"):
        supervisor.refuse_unusable_folder(tmp_path / "file")


def test_a_full_disk_is_refused_with_what_to_do(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    almost_nothing = usage._replace(free=(supervisor.NEEDED_SPACE_MB - 1) * 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: almost_nothing)

    with pytest.raises(SupervisorError, match="REGISTRY_VAR"):
        supervisor.refuse_unusable_folder(tmp_path)


def test_a_database_of_someone_else_is_never_reset(var, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://hospital/registry")

    with pytest.raises(SupervisorError, match="DATABASE_URL is set"):
        supervisor.reset(var, say=lambda text: None)


def test_containers_can_bind_and_scale_the_same_commands(monkeypatch):
    monkeypatch.setenv("WEB_BIND", "0.0.0.0:80")
    monkeypatch.setenv("WEB_WORKERS", "7")
    monkeypatch.setenv("WORKER_CONCURRENCY", "5")

    assert "--bind 0.0.0.0:80 --workers 7" in " ".join(supervisor.web_command())
    assert "--concurrency 5" in " ".join(supervisor.worker_command())
