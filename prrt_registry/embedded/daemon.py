"""What the embedded servers share: one starter at a time, a lock that lives as long as they do, short paths.

Whether a server lives is never told from a process id, because ids are reused and a stranger could be taken
for the server. Each server inherits an open file on which its starter took an exclusive lock: the kernel
frees the lock when the last process of that server is gone, however it went, and not before.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

SOCKET_PATH_LIMIT_BYTES = 100  # the kernel's limit is 108 on Linux and 104 on macOS, both with a final NUL
START_TIMEOUT_SECONDS = 120.0  # recovery after a power cut replays up to max_wal_size
LOG_LIMIT_BYTES = 10_000_000
POLL_SECONDS = 0.02

# Whoever reads a list of paths (PostgreSQL's socket folders, psycopg's hosts) splits it at commas and quotes.
_PLAIN_PATH = re.compile(r"[\w./ @%+:=~-]+")


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be used. The message is for people and says what to do."""


@contextmanager
def told_plainly(what: str, folder: Path) -> Iterator[None]:
    """Turn operating-system errors about ``folder`` into an `EmbeddedServerError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(f"{what} cannot use {folder}: {explain(error)}") from error


def explain(error: OSError) -> str:
    """Return what went wrong and what to do about it, in one or two sentences."""
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{reason}{where}. Free some space, or set REGISTRY_VAR to a folder on another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{reason}{where}. Start the registry as the user who owns that folder, "
            "or set REGISTRY_VAR to a folder that can be written."
        )
    return f"{reason}{where}."


def socket_folder(base: Path, *, uid: int, socket_name: str) -> Path:
    """Return where the sockets of the server kept in ``base`` belong, without touching the disk.

    Beside the data, unless the path would be too long for a socket or holds characters that lists of paths
    split at; then in a folder of ``/tmp`` named for the user and for ``base``, so that every process finds
    the same one.
    """
    folder = base / "socket"
    if len(os.fsencode(folder / socket_name)) <= SOCKET_PATH_LIMIT_BYTES and _PLAIN_PATH.fullmatch(
        str(folder)
    ):
        return folder
    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
    # Not tempfile.gettempdir(): TMPDIR differs between a shell and a service, and both must meet here.
    return Path("/tmp") / f"prrt-{uid}-{digest}"  # noqa: S108 - private_folder refuses one that is not ours


def private_folder(folder: Path, *, uid: int, gid: int) -> None:
    """Create ``folder`` for ``uid`` alone (0700), or check that it is so.

    Raises:
        EmbeddedServerError: it belongs to somebody else or is a link (anyone may create names in ``/tmp``).
    """
    try:
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, uid, gid)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise EmbeddedServerError(
            f"{folder} is not a folder of user {uid}. Start the registry as the user who started it first, "
            "or remove that folder."
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, waiting for whoever holds it.

    Raises:
        EmbeddedServerError: it was not free for longer than a start may take.
    """
    with path.open("a") as file:
        wait_until(
            lambda: _try_lock(file.fileno()),
            seconds=START_TIMEOUT_SECONDS + 30,
            otherwise=f"Another process has been starting or stopping a server for minutes and holds {path}. "
            "Find it (fuser, lsof) and end it.",
        )
        yield


def lives(life: Path) -> bool:
    """Return whether any process of the server that holds ``life`` exists. Call it inside `exclusive`."""
    try:
        with life.open("a") as file:
            return not _try_lock(file.fileno())
    except FileNotFoundError:
        return False


@contextmanager
def hold(life: Path) -> Iterator[int]:
    """Take ``life`` and yield its descriptor, for a program that inherits it to hold it on.

    Raises:
        EmbeddedServerError: a process of the server lives.
    """
    with life.open("a") as file:
        if not _try_lock(file.fileno()):
            raise EmbeddedServerError(f"A server that holds {life} is still running.")
        yield file.fileno()


def launch(
    argv: Sequence[str | Path],
    *,
    life: Path,
    log: Path,
    cwd: Path | str,
    env: Mapping[str, str],
    uid: int,
    gid: int,
) -> None:
    """Start a server in the background as ``uid``, holding ``life``; its output is appended to ``log``.

    The server survives its starter, and no starter has to reap it: a shell in between makes it init's child.
    Call it inside `exclusive`, and only when `lives` says no.
    """
    rotate(log)
    with hold(life) as held, log.open("ab") as output:
        subprocess.run(  # noqa: S603 - our own programs, no shell sees the words
            ["/bin/sh", "-c", '"$@" &', "sh", *map(str, argv)],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            pass_fds=(held,),
            **as_user(uid, gid),
        )


class RunAs(TypedDict, total=False):
    """Arguments of `subprocess` that choose the user."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(uid: int, gid: int) -> RunAs:
    """Return the arguments that make `subprocess` run a program as ``uid``; none when that is us already."""
    if os.geteuid() == uid:
        return {}
    return {"user": uid, "group": gid, "extra_groups": []}


def end(
    pid_file: Path,
    signals: Sequence[signal.Signals],
    *,
    life: Path,
    working_folder: Path,
    seconds: float,
    otherwise: str,
) -> None:
    """Send the server named in ``pid_file`` one signal after the other until nothing of it lives.

    Args:
        pid_file: its first word is the process id. Believed only while the server lives and, where ``/proc``
        exists,
            when that process works in ``working_folder``: seen from another container an id means someone
            else.
        signals: the polite one first; each gets ``seconds``.
        otherwise: the message of the error when something still lives then.
    """
    for number in signals:
        try:
            pid = int(pid_file.read_text().split()[0])
            if not Path("/proc/self").exists() or Path(f"/proc/{pid}/cwd").readlink() == working_folder:
                os.kill(pid, number)
        except (OSError, ValueError, IndexError):
            pass  # it is ending by itself, or is not ours to end: what follows tells
        try:
            wait_until(lambda: not lives(life), seconds=seconds, otherwise=otherwise)
        except EmbeddedServerError:
            if number is signals[-1]:
                raise
        else:
            return


def rotate(log: Path) -> None:
    """Set a log aside as ``….1`` when it has become large, replacing the one before it."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, indented for a message; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def wait_until(condition: Callable[[], bool], *, seconds: float, otherwise: str) -> None:
    """Return when ``condition()`` is true.

    Raises:
        EmbeddedServerError: it was not, for ``seconds``; the message is ``otherwise``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise EmbeddedServerError(otherwise)
        time.sleep(POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
