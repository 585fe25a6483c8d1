"""What differs between machines, read from the environment in one place.

Every variable is listed in ``.env.example``. A value that cannot be used stops the start with its name.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return the variable, or ``default`` where it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Return the variable read as yes or no.

    Raises:
        ImproperlyConfigured: it is set to something else.
    """
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def whole_number(name: str, *, default: int) -> int:
    """Return the variable as an integer of 0 or more.

    Raises:
        ImproperlyConfigured: it is set to something else.
    """
    value = text(name)
    if not value:
        return default
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def words(name: str) -> list[str]:
    """Return the comma-separated parts of the variable, without blanks."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def hosts(name: str) -> list[str]:
    """Return the host names of the variable.

    Raises:
        ImproperlyConfigured: there is none, or one stands for every host.
    """
    found = words(name)
    if not found:
        raise ImproperlyConfigured(f"{name} must name the hosts it is reached by, not {text(name)!r}.")
    for host in found:
        # Any name in the Host header would then become part of links, such as those in mails.
        if not any(letter.isalnum() for letter in host):
            raise ImproperlyConfigured(f"{name} must name the hosts it is reached by: {host!r} is none.")
    return found


def require(names: dict[str, str]) -> None:
    """Refuse to start while a variable of ``names`` (name to purpose) is unset, naming all that are missing.

    Raises:
        ImproperlyConfigured: at least one is missing.
    """
    missing = [f"{name} ({purpose})" for name, purpose in names.items() if not text(name)]
    if missing:
        raise ImproperlyConfigured(
            "REGISTRY_MODE=production needs " + ", ".join(missing) + ". See .env.example."
        )


def database(url: str) -> dict[str, object]:
    """Return Django's settings for ``postgresql://user:password@host:port/name``.

    As with libpq, ``?host=/folder`` names the folder of a unix socket, and further words after the ``?`` are options of
    the connection, such as ``sslmode=verify-full``: nobody shall believe in a TLS that an ignored word never asked for.

    Raises:
        ImproperlyConfigured: the address is for another engine, cannot be read, or names no database.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Not "from": the error's own words would show a part of the password.
        raise ImproperlyConfigured(
            "DATABASE_URL cannot be read: percent-encode characters such as @ / : # [ in its password."
        ) from None
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must start with postgresql://; no other engine is supported."
        )
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("DATABASE_URL must end with the name of a database.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    socket_folder = options.pop("host", "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or "") or socket_folder,
        "PORT": str(port or ""),
        "OPTIONS": options,
    }


def kept_secret(path: Path) -> str:
    """Return the secret kept in ``path``, made at first use and readable by its owner alone."""
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(50)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    return secret
