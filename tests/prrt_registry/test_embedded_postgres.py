"""The embedded PostgreSQL: starts once, comes back after a kill, and harms nobody else."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from prrt_registry.embedded import daemon, postgres
from prrt_registry.embedded.daemon import EmbeddedServerError

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
START = """
import sys
from prrt_registry.embedded import postgres
postgres.ensure_running(sys.argv[1], fsync=False)
"""


def new_folder() -> Path:
    # pytest's tmp_path is 0700 to its owner: root's server, which runs as another user, could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="prrt ", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def var(short_folder: Path) -> Iterator[Path]:
    var = short_folder / "var"
    yield var
    postgres.destroy(var)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """Return a cluster that was made once and does not run: copying it is faster than making one."""
    folder = new_folder()
    postgres.ensure_running(folder, fsync=False)
    postgres.stop(folder)
    yield folder / "postgres-nosync"
    shutil.rmtree(folder)


@pytest.fixture
def params(cluster: Path, var: Path) -> postgres.ConnectionParams:
    """Start the server of ``var`` on a copy of the cluster; root's copy belongs to root, as a restored one would."""
    shutil.copytree(cluster, var / "postgres-nosync")
    return postgres.ensure_running(var, fsync=False)


def query(params: postgres.ConnectionParams, sql: str) -> object:
    """Run one statement and return the first value of its first row; None when it has no rows."""
    with psycopg.connect(
        host=params.host, port=params.port, user=params.user, dbname=params.dbname, autocommit=True
    ) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def pid_file(params: postgres.ConnectionParams) -> Path:
    return Path(str(query(params, "SHOW data_directory"))) / "postmaster.pid"


def postmaster(params: postgres.ConnectionParams) -> int:
    return int(pid_file(params).read_text().split()[0])


def is_running(pid: int) -> bool:
    # A process whose parent has not collected it yet is still listed, as a zombie.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_in_another_process(var: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", START, str(var)], cwd=ROOT, stderr=subprocess.PIPE)


def test_the_first_start_makes_a_cluster_and_the_second_finds_it_running(var):
    first = postgres.ensure_running(var, fsync=False)
    pid = postmaster(first)

    second = postgres.ensure_running(var, fsync=False)

    assert second == first
    assert postmaster(second) == pid
    assert query(first, "SELECT current_database()") == "registry"
    assert query(first, "SHOW server_encoding") == "UTF8"
    assert query(first, "SELECT datlocale FROM pg_database WHERE datlocprovider = 'b' LIMIT 1") == "C.UTF-8"


def test_it_listens_only_on_a_socket_that_others_cannot_reach(params):
    assert query(params, "SHOW listen_addresses") == ""
    assert Path(params.host).stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(params.host)) < daemon.SOCKET_PATH_LIMIT_BYTES


def test_it_comes_back_with_its_data_after_the_server_was_killed(var, params):
    query(params, "CREATE TABLE kept AS SELECT 7 AS value")
    pid = postmaster(params)
    os.kill(pid, signal.SIGKILL)

    again = postgres.ensure_running(var, fsync=False)

    assert again == params
    assert postmaster(again) != pid
    assert query(again, "SELECT value FROM kept") == 7


def test_a_pid_file_that_names_a_stranger_neither_stops_the_start_nor_hurts_the_stranger(var, params):
    file = pid_file(params)
    left_by_the_crash = file.read_text()
    postgres.stop(var)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        file.write_text("\n".join([str(stranger.pid), *left_by_the_crash.splitlines()[1:], ""]))

        assert postgres.stop(var) is False
        assert query(postgres.ensure_running(var, fsync=False), "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_six_first_starts_at_once_make_one_server(var):
    starters = [start_in_another_process(var) for _ in range(6)]

    errors = [starter.communicate(timeout=60)[1] for starter in starters]

    assert [(starter.returncode, error) for starter, error in zip(starters, errors, strict=True)] == [
        (0, b"")
    ] * 6
    log = (var / "log" / "postgres-nosync.log").read_text()
    assert log.count("starting PostgreSQL") == 1


@pytest.mark.parametrize("seconds", [0.5, 0.8, 1.1])
def test_a_start_that_is_killed_half_way_does_not_spoil_the_next(var, seconds):
    starter = start_in_another_process(var)
    time.sleep(seconds)
    starter.kill()
    starter.communicate()

    assert query(postgres.ensure_running(var, fsync=False), "SELECT 1") == 1


def test_a_cluster_left_half_made_is_made_anew(var):
    (var / "postgres-nosync" / "data.new" / "base").mkdir(parents=True)

    assert query(postgres.ensure_running(var, fsync=False), "SELECT 1") == 1


@pytest.mark.parametrize("name", ["x" * 150, 'O\'Brien, "PRRT"'], ids=["long", "quotes and a comma"])
def test_paths_that_cannot_hold_a_socket_get_one_elsewhere(short_folder, name):
    var = short_folder / name / "var"
    try:
        params = postgres.ensure_running(var, fsync=False)

        assert query(params, "SELECT 1") == 1
        assert not Path(params.host).is_relative_to(short_folder)
    finally:
        postgres.destroy(var)
    assert not Path(params.host).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
def test_root_in_a_folder_of_its_own_keeps_the_data_elsewhere_and_opens_nothing(short_folder):
    short_folder.chmod(0o700)
    var = short_folder / "var"
    try:
        params = postgres.ensure_running(var, fsync=False)
        data = pid_file(params).parent

        assert query(params, "SELECT 1") == 1
        assert not data.is_relative_to(short_folder)
        assert data.stat().st_uid != 0
        assert short_folder.stat().st_mode & 0o777 == 0o700
        assert postgres.stop(var) is True
    finally:
        postgres.destroy(var)
    assert not data.parent.exists()


def test_stop_ends_the_server_once_and_says_whether_there_was_one(var, params):
    pid = postmaster(params)

    assert postgres.stop(var) is True
    assert postgres.stop(var) is False
    assert not is_running(pid)


def test_stop_does_not_wait_for_an_open_transaction(var, params):
    with psycopg.connect(
        host=params.host, port=params.port, user=params.user, dbname=params.dbname
    ) as connection:
        connection.execute("CREATE TABLE unfinished (id int)")

        assert postgres.stop(var) is True
        connection.close()


def test_a_server_without_fsync_has_data_of_its_own(var, params):
    safe = postgres.ensure_running(var)

    assert query(params, "SHOW fsync") == "off"
    assert query(safe, "SHOW fsync") == "on"
    postgres.stop(var, fsync=False)
    assert query(safe, "SELECT 1") == 1


def test_data_of_another_version_are_refused_with_what_to_do(var, params):
    data = pid_file(params).parent
    postgres.stop(var)
    (data / "PG_VERSION").write_text("12\n")

    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 12.*Dump the data"):
        postgres.ensure_running(var, fsync=False)


def test_a_server_that_does_not_start_says_why(var, params):
    data = pid_file(params).parent
    postgres.stop(var)
    (data / "postgresql.auto.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        postgres.ensure_running(var, fsync=False)


def test_a_folder_that_cannot_be_written_is_named(short_folder):
    (short_folder / "file").touch()

    with pytest.raises(EmbeddedServerError, match="file"):
        postgres.ensure_running(short_folder / "file" / "var", fsync=False)


def test_a_socket_folder_that_is_a_link_is_refused(short_folder):
    (short_folder / "link").symlink_to(short_folder)

    with pytest.raises(EmbeddedServerError, match="link is not a folder of user"):
        daemon.private_folder(short_folder / "link", uid=os.geteuid(), gid=os.getegid())


def database(var: Path) -> ConnectionHandler:
    return ConnectionHandler(
        {
            "default": {
                "ENGINE": "prrt_registry.embedded.backend",
                "NAME": "registry",
                "EMBEDDED_VAR": str(var),
                "EMBEDDED_FSYNC": False,
            }
        }
    )


def test_django_starts_the_server_at_its_first_connection_and_again_after_a_kill(var, django_db_blocker):
    connection = database(var)["default"]
    assert not var.exists()

    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == ("registry",)
        connection.close()
        os.kill(postmaster(postgres.ensure_running(var, fsync=False)), signal.SIGKILL)

        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        connection.close()


def test_django_reports_a_server_that_cannot_run_as_a_database_that_is_away(short_folder, django_db_blocker):
    (short_folder / "file").touch()
    connection = database(short_folder / "file" / "var")["default"]

    with django_db_blocker.unblock(), pytest.raises(OperationalError, match="file"):
        connection.ensure_connection()


def test_dbshell_is_the_psql_of_the_package(var):
    connection = database(var)["default"]
    settings = connection.settings_dict | {"HOST": "/somewhere", "USER": "registry", "PORT": "5432"}

    arguments, _ = connection.client.settings_to_cmd_args_env(settings, ["-c", "SELECT 1"])

    assert Path(arguments[0]).is_file()
    assert arguments[1:] == ["-U", "registry", "-h", "/somewhere", "-p", "5432", "-c", "SELECT 1", "registry"]
