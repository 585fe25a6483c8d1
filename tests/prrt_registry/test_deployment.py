"""What ships for production: the compose file, the image, the list of variables, and the production path run for real."""

import http.client
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from prrt_registry import supervisor
from prrt_registry.embedded import broker, postgres

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
LISTED = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
OURS = ("db", "broker", "web", "worker", "beat")
APP = ("migrate", "web", "worker", "beat")

# Read by nobody's code but by the compose file alone.
ONLY_COMPOSE = {"POSTGRES_PASSWORD", "WEB_PUBLISH", "REGISTRY_VERSION"}


# The compose file


def test_the_services_are_the_ones_that_are_documented():
    assert set(SERVICES) == {*OURS, "migrate"}


@pytest.mark.parametrize("name", [*OURS, "migrate"])
def test_every_image_is_pinned(name):
    image, _, tag = SERVICES[name]["image"].partition(":")

    assert image
    assert re.search(r"\d+\.\d+", tag)
    assert "latest" not in tag


@pytest.mark.parametrize("line", re.findall(r"^FROM (.+)$", DOCKERFILE, re.MULTILINE))
def test_every_base_of_the_image_is_pinned(line):
    assert re.match(r"python:3\.\d+\.\d+-slim-bookworm\b", line)


@pytest.mark.parametrize("name", OURS)
def test_every_long_running_service_has_a_health_check_and_comes_back(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", [*OURS, "migrate"])
def test_every_service_is_confined(name):
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user") in ({None} if name in APP else {"postgres", "valkey"})
    assert "privileged" not in service


@pytest.mark.parametrize("name", [*OURS, "migrate"])
def test_every_folder_in_memory_can_be_written_by_the_user_of_its_service(name):
    for mount in SERVICES[name]["tmpfs"]:
        folder, _, options = mount.partition(":")
        assert folder == "/tmp" or "mode=1777" in options or "uid=" in options


def test_the_image_runs_as_a_user_of_its_own():
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)

    assert users == ["registry"]
    (uid,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    assert f"/var/lib/registry:uid={uid},gid={uid},mode=0700" in SERVICES["beat"]["tmpfs"]


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_containers_run_the_commands_of_the_supervisor(name):
    assert name in supervisor.COMMANDS
    assert SERVICES[name]["command"] == ["python", "-m", "prrt_registry.supervisor", name]


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_nothing_starts_before_the_database_is_migrated(name):
    waits_for = {other: how["condition"] for other, how in SERVICES[name]["depends_on"].items()}

    assert waits_for == {
        "db": "service_healthy",
        "broker": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    assert SERVICES["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"


def test_only_web_publishes_a_port_and_only_on_loopback():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["${WEB_PUBLISH:-127.0.0.1:8000}:8000"]
    assert [name for name, service in SERVICES.items() if "frontend" in service["networks"]] == ["web"]
    assert COMPOSE["networks"]["backend"] == {"internal": True}


def test_the_database_sorts_as_the_embedded_one_does():
    arguments = SERVICES["db"]["environment"]["POSTGRES_INITDB_ARGS"]

    assert arguments == "--locale-provider=builtin --locale=C.UTF-8"
    launcher = (ROOT / "prrt_registry" / "embedded" / "postgres.py").read_text()
    assert '"--locale-provider", "builtin", "--locale", "C.UTF-8"' in launcher


def test_the_database_is_of_the_same_version_as_the_embedded_one():
    said = subprocess.run(
        [postgres.program("postgres"), "--version"], capture_output=True, text=True, check=True
    )

    embedded = re.search(r"\d+\.\d+", said.stdout)
    pinned = re.search(r"\d+\.\d+", SERVICES["db"]["image"])
    assert embedded is not None
    assert pinned is not None
    assert pinned[0] == embedded[0]


def test_no_secret_stands_in_the_compose_file_or_the_image_and_none_has_a_default():
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "ALLOWED_HOSTS"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", COMPOSE_TEXT)
        assert uses
        assert all(use.startswith(":?") for use in uses)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|KEY", name):
                # Required, or blank where there is none.
                assert re.fullmatch(r"\$\{\w+:(\?[^}]*|-)\}", value)
    assert not re.search(r"^ENV .*(SECRET|PASSWORD|_URL)", DOCKERFILE, re.MULTILINE)
    assert not re.search(r"^ARG ", DOCKERFILE, re.MULTILINE)


def test_the_health_check_of_the_image_is_the_one_of_web():
    (written,) = re.findall(r"^HEALTHCHECK .* CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)

    assert yaml.safe_load(written) == SERVICES["web"]["healthcheck"]["test"][1:]


# The variables


def variables_read() -> set[str]:
    """Return the environment variables that the code of the registry reads, found in its text."""
    found = set()
    for file in (ROOT / "prrt_registry").rglob("*.py"):
        text = file.read_text()
        found |= set(re.findall(r"""\benv\.(?:text|flag|whole_number|words)\(\s*"([A-Z_]+)\"""", text))
        found |= set(re.findall(r"""\b_text\(\s*"([A-Z_]+)"\)""", text))
        found |= set(re.findall(r"""environ(?:\.get\(|\[)\s*"([A-Z_]+)\"""", text))
        for names in re.findall(r"env\.require\(\s*\{(.*?)\}", text, re.DOTALL):
            found |= set(re.findall(r"""^\s*"([A-Z_]+)":""", names, re.MULTILINE))
    return found - {"PATH"}


def test_env_example_lists_every_variable_that_is_read_and_no_other():
    used_by_compose = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE_TEXT))

    assert used_by_compose <= LISTED
    assert variables_read() | used_by_compose == LISTED
    assert used_by_compose - variables_read() == ONLY_COMPOSE


def test_every_variable_given_to_a_container_is_read_by_it():
    for name in APP:
        assert set(SERVICES[name]["environment"]) <= variables_read()


def test_every_variable_is_documented():
    documented = (ROOT / "docs" / "deployment.md").read_text()

    assert [name for name in sorted(LISTED) if f"`{name}`" not in documented] == []


def test_env_example_holds_no_usable_secret():
    values = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if re.match("[A-Z]", line)
    )

    assert values == {"SECRET_KEY": "", "ALLOWED_HOSTS": "", "POSTGRES_PASSWORD": ""}


# The image, as far as it can be made without an engine


@pytest.fixture(scope="module")
def image_tree() -> Iterator[Path]:
    """A folder with the files that .dockerignore lets into the image."""
    rules = (ROOT / ".dockerignore").read_text().split("\n")
    kept = [rule.removeprefix("!").rstrip("/") for rule in rules if rule.startswith("!")]
    folder = Path(tempfile.mkdtemp(prefix="prrt-image-", dir="/tmp"))
    for name in kept:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, folder / name)
    yield folder
    shutil.rmtree(folder)


def test_every_app_is_in_the_image(image_tree):
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}

    assert {path.parent.name for path in image_tree.glob("*/__init__.py")} == packages
    assert not (image_tree / ".env").exists()


@pytest.mark.processes
def test_the_static_files_are_made_without_a_database_and_leave_no_secret_behind(image_tree, tmp_path):
    (line,) = re.findall(r"^RUN (SECRET_KEY=.+)$", DOCKERFILE, re.MULTILINE)
    line = line.replace("python -c", f"{shlex.quote(sys.executable)} -c")
    line = line.replace("python manage.py", f"{shlex.quote(sys.executable)} manage.py")

    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=image_tree,
        env={"PATH": os.defpath, "REGISTRY_MODE": "production", "REGISTRY_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "static" / "staticfiles.json").exists()
    assert (tmp_path / "static" / "vega" / "vega.js").exists()
    assert not (tmp_path / "secret-key").exists()


# The production path


@pytest.fixture(scope="module")
def production() -> Iterator[dict[str, str]]:
    """The environment of a production registry whose servers are embedded ones on a folder of their own, migrated."""
    var = Path(tempfile.mkdtemp(prefix="prrt-prod-", dir="/tmp"))
    try:
        server = postgres.ensure_running(var, fsync=False)
        environment = {
            "PATH": os.defpath,
            "REGISTRY_MODE": "production",
            "REGISTRY_VAR": str(var),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ALLOWED_HOSTS": "registry.example.org,127.0.0.1",
            "DATABASE_URL": f"postgresql://{server.user}@:{server.port}/{server.dbname}?host={server.host}",
            "CELERY_BROKER_URL": broker.ensure_running(var),
            "HOSTNAME": socket.gethostname(),
        }
        manage(environment, "migrate", "--no-input", "--verbosity=0")
        manage(environment, "build_assets")
        yield environment
    finally:
        broker.destroy(var)
        postgres.destroy(var, fsync=False)
        shutil.rmtree(var, ignore_errors=True)


def manage(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def start(environment: dict[str, str], name: str) -> subprocess.Popen[bytes]:
    log = Path(environment["REGISTRY_VAR"]) / f"{name}.log"
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *SERVICES[name]["command"][1:]],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )


def check_health(environment: dict[str, str], name: str, *, replaced: tuple[str, str] = ("", "")) -> bool:
    """Run the health check of a service as compose would, with ``replaced`` put for what only a container has."""
    kind, *words = SERVICES[name]["healthcheck"]["test"]
    words = [word.replace("$$", "$").replace(*replaced) for word in words]
    if kind == "CMD-SHELL":
        words = ["/bin/sh", "-c", words[0].replace("python", shlex.quote(sys.executable), 1)]
    else:
        words[0] = sys.executable
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False).returncode == 0


def wait_until_healthy(environment: dict[str, str], name: str, replaced: tuple[str, str]) -> None:
    deadline = time.monotonic() + 60
    while not check_health(environment, name, replaced=replaced):
        log = Path(environment["REGISTRY_VAR"]) / f"{name}.log"
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.mark.processes
def test_djangos_own_check_of_a_deployment_finds_nothing(production):
    assert "no issues" in manage(production, "check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.processes
def test_the_database_is_as_the_models_say(production):
    manage(production, "migrate", "--check")


@pytest.fixture
def web(production: dict[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    """A gunicorn that answers, its port and its environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = production | {
        "WEB_BIND": f"127.0.0.1:{port}",
        "WEB_WORKERS": "1",
        # In a container the proxy comes from another address than 127.0.0.1, which gunicorn trusts by default.
        "FORWARDED_ALLOW_IPS": "192.0.2.1",
    }
    process = start(environment, "web")
    try:
        wait_until_healthy(environment, "web", ("127.0.0.1:8000", f"127.0.0.1:{port}"))
        yield port, environment
    finally:
        process.terminate()
        process.wait(timeout=15)


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Host": "registry.example.org"} | named)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.processes
def test_web_is_healthy_over_http_and_sends_everything_else_to_https(web):
    port, environment = web

    assert get(port, "/health/live/").status == 200
    assert get(port, "/health/ready/").status == 200
    redirected = get(port, "/account/login/")
    assert redirected.status == 301
    assert redirected.headers["Location"] == "https://registry.example.org/account/login/"
    assert get(port, "/account/login/", Host="evil.example.org").status == 400

    # The check fails where the answer is anything but 200, here for a host that is not allowed.
    stranger = environment | {"ALLOWED_HOSTS": "evil.example.org"}
    assert not check_health(stranger, "web", replaced=("127.0.0.1:8000", f"127.0.0.1:{port}"))


@pytest.mark.processes
def test_web_behind_a_proxy_that_ended_tls_serves_with_strict_transport_security(web):
    port, _ = web

    answered = get(port, "/account/login/", X_Forwarded_Proto="https")

    assert answered.status == 200
    assert answered.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    cookies = answered.headers.get_all("Set-Cookie") or []
    assert all("secure" in cookie.lower() for cookie in cookies)


@pytest.mark.processes
def test_the_health_checks_of_worker_and_beat_tell_a_running_one_from_none(production):
    schedule = ("/var/lib/registry", production["REGISTRY_VAR"])
    for name, replaced in (("worker", ("", "")), ("beat", schedule)):
        assert not check_health(production, name, replaced=replaced)
    worker, beat = start(production, "worker"), start(production, "beat")
    try:
        wait_until_healthy(production, "worker", ("", ""))
        wait_until_healthy(production, "beat", schedule)

        an_hour_ago = time.time() - 3600
        for file in Path(production["REGISTRY_VAR"]).glob("celerybeat-schedule*"):
            os.utime(file, (an_hour_ago, an_hour_ago))
        assert not check_health(production, "beat", replaced=schedule)
    finally:
        for process in (worker, beat):
            process.terminate()
        for process in (worker, beat):
            process.wait(timeout=30)


ENTER_A_PATIENT = """
from datetime import date
from accounts.models import Centre
from accounts.records import correct_record
from patients.services import register_patient
from analytics import freshness
centre = Centre.objects.create(code="STA", name="Station Clinic")
patient = register_patient(centre=centre, sex="female", birth_date=date(1960, 1, 2), mrn="0815",
    family_name="Ölmez", by=None)
correct_record(patient, {"birth_date": date(1961, 1, 2)}, by=None, reason="letter of the GP")
freshness.refresh_inline()
"""
TRY_TO_DELETE = """
from django.db import DatabaseError, connection
try:
    connection.cursor().execute("DELETE FROM patients_patientidentity")
except DatabaseError as error:
    print(error)
"""
DESCRIBE_IT = """
from accounts.models import Centre
from patients.models import Patient, PatientIdentity
import pghistory.core
(events,) = pghistory.core.event_models(tracks_model=Patient)
print("STATE", [*Centre.objects.values_list("code")],
    [*Patient.objects.values_list("registry_number", "birth_date", "version")],
    [*PatientIdentity.objects.values_list("mrn", "family_name")],
    [*events.objects.order_by("pgh_id").values_list("pgh_label", "birth_date", "pgh_context__reason")])
"""


def state(environment: dict[str, str]) -> str:
    return manage(environment, "shell", "--verbosity=0", "--command", DESCRIBE_IT).partition("STATE")[2]


@pytest.mark.processes
def test_the_documented_backup_can_be_restored_with_the_documented_commands(production, tmp_path):
    """Run as they stand in docs/deployment.md, with the programs of the embedded server for those in the container."""
    documented = (ROOT / "docs" / "deployment.md").read_text()
    lines = re.findall(r"^docker compose exec -T db (\w+) (.+)$", documented, re.MULTILINE)
    assert [program for program, _ in lines] == ["pg_dump", "dropdb", "createdb", "pg_restore"]
    server = postgres.ensure_running(Path(production["REGISTRY_VAR"]), fsync=False)
    libpq = {"PATH": os.defpath, "PGHOST": server.host, "PGPORT": str(server.port)}
    manage(production, "shell", "--verbosity=0", "--command", ENTER_A_PATIENT)
    before = state(production)
    assert "letter of the GP" in before

    for program, words in lines:
        words = words.replace("--username=registry", f"--username={server.user}")
        words = re.sub(r"registry-\S+\.dump|registry-\$\(.*\)\.dump", "registry.dump", words)
        command = f"{shlex.quote(str(postgres.program(program)))} {words}"
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=libpq, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"

    assert state(production) == before
    manage(production, "migrate", "--check")
    assert "0 differ" in manage(production, "rebuild_outcomes", "--check")
    # The restored triggers still do what they did.
    assert "Cannot delete" in manage(production, "shell", "--verbosity=0", "--command", TRY_TO_DELETE)
