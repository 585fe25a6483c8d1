"""What all tests share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.models import Centre, Role, User
from tests.factories import CentreFactory, make_user

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def needs(part: str | None, name: str) -> None:
    """Skip a test whose outside part is missing here; in CI, where all parts are installed, fail instead."""
    if part and Path(part).exists():
        return
    if os.environ.get("CI"):
        pytest.fail(f"{name} is missing, and CI must not skip what needs it")
    pytest.skip(f"{name} is not installed on this machine")


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
