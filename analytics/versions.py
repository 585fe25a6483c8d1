"""The versions of the registry and of what its numbers are computed with: part of every manifest and data lock."""

import platform
import tomllib
from importlib.metadata import version

from django.conf import settings
from django.db import connection


def registry_version() -> str:
    """Return the version as pyproject.toml says it."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def versions() -> dict[str, str]:
    """Return name to version. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgresql = cursor.fetchone()[0]
    packages = {name: version(name) for name in ("django", "numpy", "scipy", "lifelines")}
    return {
        "registry": registry_version(),
        "python": platform.python_version(),
        "postgresql": postgresql,
        **packages,
    }
