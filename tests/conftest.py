"""What all tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from pytest_django.live_server_helper import LiveServer

from accounts.models import Centre, Role, User
from prrt_registry.embedded import postgres
from tests.factories import CentreFactory, make_user


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the tests' own server; it would outlive them."""
    if not hasattr(session.config, "workerinput"):
        postgres.stop(settings.VAR_DIR, fsync=False)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def needs(part: str | None, name: str) -> None:
    """Skip a test whose outside part is missing here; in CI, where all parts are installed, fail instead."""
    if part and Path(part).exists():
        return
    if os.environ.get("CI"):
        pytest.fail(f"{name} is missing, and CI must not skip what needs it")
    pytest.skip(f"{name} is not installed on this machine")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment, django_db_blocker, django_db_modify_db_settings
) -> Iterator[None]:
    """The test database, also where only ``committed`` asks for it (pytest-django looks for its own marks alone)."""
    with django_db_blocker.unblock():
        created = setup_databases(
            verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set()
        )
    yield
    with django_db_blocker.unblock():
        teardown_databases(created, verbosity=0)


@pytest.fixture
def committed(django_db_setup, django_db_blocker) -> Iterator[None]:
    """Let the test commit, as other processes must see its rows; afterwards remove them, and only them.

    pytest-django's own way empties every table, the protocol and the cohort that migrations bring among them.
    """
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_")
        yield
        with connection.cursor() as cursor:
            # What no user of the registry can do: its history is kept.
            cursor.execute("SET session_replication_role = replica")
            # Cohorts go with the users who own them; the one that a migration brings is nobody's, and comes back.
            cursor.execute("CREATE TEMP TABLE kept AS SELECT * FROM analytics_cohort WHERE slug = 'all'")
            cursor.execute(
                "TRUNCATE patients_patient, accounts_user, accounts_centre,"
                " analytics_stalecourse, analytics_staleresult, analytics_stalecheck CASCADE"
            )
            cursor.execute("INSERT INTO analytics_cohort SELECT * FROM kept")
            cursor.execute("DROP TABLE kept")
        connection.close()


@pytest.fixture
def live_server_of_committed(committed: None) -> Iterator[LiveServer]:
    """Django's live server on committed rows; pytest-django's own would empty every table behind it."""
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture
def centre(db: None) -> Centre:
    return CentreFactory(code="STA")


@pytest.fixture
def other_centre(db: None) -> Centre:
    return CentreFactory(code="NRD", time_zone="America/New_York")


@pytest.fixture
def user_with(centre: Centre) -> Callable[..., User]:
    """Return a maker of users: ``user_with(Role.READER)`` at the plain centre, ``user_with(role, centre)`` elsewhere."""

    def make(role: str | None, at: Centre | None = None, **values: object) -> User:
        return make_user(role=role, centre=at or centre, **values)

    return make


@pytest.fixture
def physician(centre: Centre) -> User:
    return make_user(role=Role.PHYSICIAN, centre=centre, username="physician")


@pytest.fixture
def data_manager(centre: Centre) -> User:
    return make_user(role=Role.DATA_MANAGER, centre=centre, username="data_manager")
