"""The registry with one command: starts all of it, keeps it running, and ends all of it.

``python -m prrt_registry.supervisor`` (``make demo``) prepares the database, the assets and the synthetic
patients, runs the web server, a worker and beat as processes of their own, and ends them with Ctrl-C or
SIGTERM. Further words:

- ``stop``               end the registry that runs on this ``var``, and its embedded servers
- ``reset``              the same, and remove its database for good
- ``web | worker | beat``  become that process; containers start them by these names too

PostgreSQL and the broker are the embedded ones unless ``DATABASE_URL`` and ``CELERY_BROKER_URL`` name
servers. Read from the environment beside these: ``PORT`` (8000), ``REGISTRY_VAR`` (``var``), ``WEB_BIND``
(127.0.0.1:PORT), ``WEB_WORKERS`` (2), ``WORKER_CONCURRENCY`` (2).
"""

from __future__ import annotations

import ctypes
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from prrt_registry.embedded import broker, postgres
from prrt_registry.embedded.daemon import EmbeddedServerError, explain, rotate, tail

BASE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 8000
LOCK_NAME = "supervisor.lock"
NEEDED_SPACE_MB = 300  # a fresh cluster, its first log files and the assets

READY_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 4.0  # Celery's soft stop waits for running tasks; losing one is harmless by design
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0)
GIVE_UP_AFTER_DEATHS = 5  # within this window:
GIVE_UP_WINDOW_SECONDS = 60.0
SERVER_CHECK_SECONDS = 2.0
POLL_SECONDS = 0.1


class SupervisorError(RuntimeError):
    """The registry cannot start or go on. The message is for people and says what to do."""


class _Interrupted(Exception):
    """Ctrl-C or SIGTERM came."""


# The processes


def web_command() -> list[str]:
    bind = _text("WEB_BIND") or f"127.0.0.1:{port()}"
    return [
        *(sys.executable, "-m", "gunicorn", "prrt_registry.wsgi:application"),
        *("--bind", bind, "--workers", _text("WEB_WORKERS") or "2"),
        # Without this gunicorn opens a control socket in the home folder.
        "--no-control-socket",
        # No --preload: the chart renderer does not survive a fork.
        *("--timeout", "60", "--graceful-timeout", "3"),
    ]


def worker_command() -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "-A", "prrt_registry", "worker"),
        *("--concurrency", _text("WORKER_CONCURRENCY") or "2", "--loglevel", "INFO"),
        # Workers need nothing of each other: what is to be done stands in the database.
        *("--without-gossip", "--without-mingle"),
    ]


def beat_command() -> list[str]:
    schedule = var_folder() / "celerybeat-schedule"
    return [
        *(sys.executable, "-m", "celery", "-A", "prrt_registry", "beat"),
        *("--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO"),
    ]


COMMANDS: Mapping[str, Callable[[], list[str]]] = {
    "web": web_command,
    "worker": worker_command,
    "beat": beat_command,
}


# The environment


def _text(name: str) -> str:
    return os.environ.get(name, "").strip()


def var_folder() -> Path:
    """Return the folder for everything the registry writes, as the settings find it."""
    return Path(_text("REGISTRY_VAR") or BASE_DIR / "var").resolve()


def port() -> int:
    """Return the port of the address that is printed.

    Raises:
        SupervisorError: PORT is not a port number.
    """
    text = _text("PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SupervisorError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def refuse_taken_port(number: int) -> None:
    """Check that ``number`` of this machine can be listened on.

    Raises:
        SupervisorError: something listens there already, or we may not.
    """
    free = number + 1 if number >= 1024 else DEFAULT_PORT
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as error:
            raise SupervisorError(
                f"Port {number} cannot be used: {error.strerror}. Choose another one: PORT={free} make demo"
            ) from error


def refuse_unusable_folder(var: Path) -> None:
    """Create ``var``, and raise a :class:`SupervisorError` when it cannot be written or the disk is full."""
    try:
        (var / "log").mkdir(parents=True, exist_ok=True)
        probe = var / f"probe-{os.getpid()}"
        probe.write_bytes(bytes(1_000_000))
        probe.unlink()
        free_mb = shutil.disk_usage(var).free // 1_000_000
    except OSError as error:
        raise SupervisorError(f"{var} cannot be used: {explain(error)}") from error
    if free_mb < NEEDED_SPACE_MB:
        raise SupervisorError(
            f"Only {free_mb} MB are free on the disk of {var}; {NEEDED_SPACE_MB} MB are needed. "
            "Free some space, or set REGISTRY_VAR to a folder on another disk."
        )


@contextmanager
def only_supervisor(var: Path, *, address: str) -> Iterator[None]:
    """Hold the lock that lets one supervisor run on ``var``; its file says which process and which address.

    Raises:
        SupervisorError: another one runs.
    """
    with (var / LOCK_NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid, _, where = file.read().strip().partition(" ")
            raise SupervisorError(
                f"The registry already runs here: {where} (process {pid}, data in {var}).\n"
                f"Users and passwords: {var / 'demo-users.txt'}. End it with: make stop"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()} {address}\n")
        file.flush()
        yield


def supervisor_of(var: Path) -> int | None:
    """Return the process id of the supervisor that runs on ``var``; None when there is none."""
    while True:
        try:
            file = (var / LOCK_NAME).open("r+")
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if said := file.read().split():
                    return int(said[0])
            else:
                return None
        time.sleep(POLL_SECONDS)  # it holds the lock and has not written its id yet


# Children


@dataclass
class Child:
    """One process that is kept running; ``deaths`` are the monotonic times it died by itself."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    restart_at: float | None = None

    def start(self) -> None:
        self.restart_at = None
        self.process = spawn(self.argv, log=self.log, env=self.env)

    def signal(self, number: signal.Signals) -> None:
        """Signal the process and whatever it started; nothing when it is gone."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            return

    def keep_alive(self, say: Callable[[str], None]) -> None:
        """Start the process again when it died, a little later each time.

        Raises:
            SupervisorError: it died too often.
        """
        now = time.monotonic()
        if self.restart_at is not None:
            if now >= self.restart_at:
                self.start()
            return
        if self.process is None or self.process.poll() is None:
            return
        how = describe_exit(self.process.returncode)
        self.signal(signal.SIGKILL)  # what it left behind would hold the port or take tasks
        self.deaths = [*(death for death in self.deaths if now - death < GIVE_UP_WINDOW_SECONDS), now]
        if len(self.deaths) >= GIVE_UP_AFTER_DEATHS:
            raise SupervisorError(
                f"{self.name} ended {len(self.deaths)} times within {GIVE_UP_WINDOW_SECONDS:.0f} s, "
                f"the last time {how}. Its log: {self.log}\n{tail(self.log)}"
            )
        delay = BACKOFF_SECONDS[min(len(self.deaths), len(BACKOFF_SECONDS)) - 1]
        say(f"{self.name} ended {how}; starting it again in {delay:g} s. Its log: {self.log}")
        self.restart_at = now + delay


def describe_exit(code: int) -> str:
    """Return how a process ended, from :attr:`subprocess.Popen.returncode`."""
    if code >= 0:
        return f"with code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own (Ctrl-C is ours to pass on), which ends when we are killed."""
    rotate(log)
    supervisor = os.getpid()
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own commands
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=BASE_DIR,
            env=dict(env),
            start_new_session=True,
            preexec_fn=lambda: _die_with(supervisor),  # this process has one thread
        )


def _load_prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None


_PR_SET_PDEATHSIG = 1
_prctl = _load_prctl()


def _die_with(supervisor: int) -> None:
    """In the child: be sent SIGTERM when the supervisor dies, even by SIGKILL (Linux only)."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before this was set
            os._exit(1)


def end_all(children: Sequence[Child]) -> None:
    """Ask every process to end, and kill those that have not within ``STOP_TIMEOUT_SECONDS``."""
    running = [child for child in children if child.process is not None]
    for child in running:
        if child.process and child.process.poll() is None:
            # Only the process itself: gunicorn and Celery end their own children in order.
            child.process.terminate()
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    for child in running:
        if child.process:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, deadline - time.monotonic()))
    for child in running:
        child.signal(signal.SIGKILL)
        if child.process:
            child.process.wait()


# The whole


class Supervisor:
    """Everything that ``make demo`` runs, from the preparation to the end."""

    def __init__(self, var: Path, *, say: Callable[[str], None]) -> None:
        self.var = var
        self.say = say
        self.children: list[Child] = []
        self.uses_embedded_postgres = not _text("DATABASE_URL")
        self.uses_embedded_broker = not _text("CELERY_BROKER_URL")
        self._interrupted = False
        self._next_server_check = 0.0

    def handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True

    def rest(self) -> None:
        """Wait a moment; raise when someone asked for the end."""
        if not self._interrupted:
            time.sleep(POLL_SECONDS)
        if self._interrupted:
            raise _Interrupted

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def child(self, name: str, argv: Sequence[str]) -> Child:
        return Child(name, argv, self.log(name), os.environ | {"PYTHONUNBUFFERED": "1"})

    def ensure_servers(self) -> None:
        if self.uses_embedded_postgres:
            postgres.ensure_running(self.var)
        if self.uses_embedded_broker:
            broker.ensure_running(self.var)

    def prepare(self) -> None:
        """Start the servers, bring the database up to date, build the assets, load the synthetic patients.

        Raises:
            SupervisorError: a step failed; the end of its log is in the message.
        """
        self.say("Starting PostgreSQL and the broker …")
        self.ensure_servers()
        # The assets need no database: on two cores they cost no time beside the migrations.
        assets = self._begin_step("build_assets")
        self._finish_step("Bringing the database up to date", self._begin_step("migrate", "--no-input"))
        self._finish_step("Loading the synthetic patients", self._begin_step("load_demo"))
        self._finish_step("Building the assets", assets)

    def _begin_step(self, *arguments: str) -> Child:
        step = self.child(arguments[0], [sys.executable, "manage.py", *arguments])
        self.children.append(step)
        step.start()
        return step

    def _finish_step(self, title: str, step: Child) -> None:
        self.say(f"{title} …")
        assert step.process is not None
        while step.process.poll() is None:
            self.rest()
        self.children.remove(step)
        if step.process.returncode != 0:
            how = describe_exit(step.process.returncode)
            raise SupervisorError(f"manage.py {step.name} ended {how}. Its log: {step.log}\n{tail(step.log)}")

    def start(self) -> None:
        """Start web, worker and beat, and wait until they answer.

        Raises:
            SupervisorError: one of them keeps ending, or does not answer in time.
        """
        self.say("Starting the web server, the worker and beat …")
        for name, command in COMMANDS.items():
            child = self.child(name, command())
            self.children.append(child)
            child.start()
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        for name, answers in (("web", self._web_is_ready), ("worker", self._worker_is_ready)):
            while not answers():
                self.look_after()
                self.rest()
                if time.monotonic() > deadline:
                    raise SupervisorError(
                        f"{name} does not answer after {READY_TIMEOUT_SECONDS:.0f} s. "
                        f"Its log: {self.log(name)}\n{tail(self.log(name))}"
                    )

    def look_after(self) -> None:
        """Start again what died: our children, and the embedded servers."""
        for child in self.children:
            child.keep_alive(self.say)
        if time.monotonic() >= self._next_server_check:
            self._next_server_check = time.monotonic() + SERVER_CHECK_SECONDS
            self.ensure_servers()

    def watch(self) -> None:
        """Look after everything until someone asks for the end."""
        while True:
            self.look_after()
            self.rest()

    def end(self) -> None:
        """End every process, the embedded servers last. Further signals do not interrupt it."""
        end_all(self.children)
        if self.uses_embedded_broker:
            broker.stop(self.var)
        if self.uses_embedded_postgres:
            postgres.stop(self.var, fsync=True)

    def _web_is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port(), timeout=5)
        try:
            connection.request("GET", "/health/ready/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _worker_is_ready(self) -> bool:
        # Imported here: it takes longer than everything said before.
        from celery import Celery
        from kombu.exceptions import OperationalError

        with Celery(
            broker=_text("CELERY_BROKER_URL") or broker.broker_url(self.var), set_as_current=False
        ) as app:
            try:
                return bool(app.control.ping(timeout=0.5, limit=1))
            except (OSError, OperationalError, *app.connection().connection_errors):
                return False


def run(var: Path, *, say: Callable[[str], None]) -> None:
    """Run the registry until Ctrl-C or SIGTERM, which is a good end.

    Raises:
        SupervisorError, EmbeddedServerError: it cannot start or go on. Everything started has ended then.
    """
    address = f"http://127.0.0.1:{port()}/"
    refuse_unusable_folder(var)
    with only_supervisor(var, address=address):
        refuse_taken_port(port())
        os.environ["REGISTRY_VAR"] = str(var)
        supervisor = Supervisor(var, say=say)
        supervisor.handle_signals()
        try:
            supervisor.prepare()
            supervisor.start()
            say(f"\nThe registry is ready: {address}\n")
            users = var / "demo-users.txt"
            if users.exists():
                say(users.read_text())
            say(f"Logs: {var / 'log'}. End it with Ctrl-C or, from elsewhere, with: make stop")
            supervisor.watch()
        except _Interrupted:
            say("\nEnding …")
        finally:
            supervisor.end()
    say("Everything has ended. The data are kept.")


def stop(var: Path, *, say: Callable[[str], None]) -> None:
    """End the registry that runs on ``var`` and its embedded servers, also those that a killed one left.

    Raises:
        SupervisorError: it does not end.
    """
    stopped = False
    if (pid := supervisor_of(var)) is not None:
        say(f"Ending the registry (process {pid}) …")
        try:
            os.kill(pid, signal.SIGTERM)
        except PermissionError as error:
            raise SupervisorError(f"Process {pid} belongs to another user: end it as that user.") from error
        except ProcessLookupError:
            pass  # it has just ended
        deadline = time.monotonic() + 30
        while supervisor_of(var) is not None:
            if time.monotonic() > deadline:
                raise SupervisorError(f"Process {pid} does not end. Kill it (kill -9 {pid}) and repeat this.")
            time.sleep(POLL_SECONDS)
        stopped = True
    for what, server_stopped in (("broker", broker.stop(var)), ("PostgreSQL", postgres.stop(var))):
        if server_stopped:
            say(f"The embedded {what} has ended.")
            stopped = True
    say("Everything has ended. The data are kept." if stopped else f"Nothing was running on {var}.")


def reset(var: Path, *, say: Callable[[str], None]) -> None:
    """End everything and remove the embedded database and what belongs to it. Secret, logs and assets stay.

    Raises:
        SupervisorError: the data are in a server of someone else, which is not ours to empty.
    """
    if _text("DATABASE_URL"):
        raise SupervisorError("DATABASE_URL is set, and only the embedded database is ever reset: unset it.")
    stop(var, say=say)
    postgres.destroy(var)
    broker.destroy(var)
    for leftover in (*var.glob("celerybeat-schedule*"), var / "demo-users.txt"):
        leftover.unlink(missing_ok=True)
    say(f"The data in {var} have been removed.")


def main(words: Sequence[str]) -> int:
    """Do what the command line says and return the exit code."""
    say = _printer()
    word = words[0] if words else "run"
    try:
        if word in COMMANDS and len(words) == 1:
            os.chdir(BASE_DIR)
            command = COMMANDS[word]()
            os.execv(command[0], command)  # noqa: S606 - our own command
        elif word in ("run", "stop", "reset") and len(words) <= 1:
            {"run": run, "stop": stop, "reset": reset}[word](var_folder(), say=say)
        else:
            say((__doc__ or "").strip())
            return 2
    except (SupervisorError, EmbeddedServerError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"\n{explain(error)}", file=sys.stderr, flush=True)
        return 1
    return 0


def _printer() -> Callable[[str], None]:
    def say(text: str) -> None:
        try:
            print(text, flush=True)
        except OSError:  # the terminal is gone; the end must still be an orderly one
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
