"""Django's PostgreSQL backend, which starts the embedded server when the first connection is made.

Not before: loading settings, ``check``, ``collectstatic`` or a type checker need no server. Two keys of a
``DATABASES`` entry are its own: ``EMBEDDED_VAR`` (the folder, required) and ``EMBEDDED_FSYNC`` (default
True). Asked again at every new connection, so that a server that was killed is back at the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from django.db.backends.postgresql import base, client

from prrt_registry.embedded import postgres
from prrt_registry.embedded.daemon import EmbeddedServerError


def embedded_server(settings_dict: dict[str, Any]) -> postgres.ConnectionParams:
    """Return where the server of these database settings listens, started when it was not running.

    Raises:
        psycopg.OperationalError: it cannot run. Django wraps this one like a server that is away.
    """
    try:
        return postgres.ensure_running(
            Path(settings_dict["EMBEDDED_VAR"]), fsync=settings_dict.get("EMBEDDED_FSYNC", True)
        )
    except EmbeddedServerError as error:
        raise psycopg.OperationalError(str(error)) from error


class DatabaseClient(client.DatabaseClient):
    """``manage.py dbshell``: the package's psql, so that nothing has to be installed for it."""

    def runshell(self, parameters: Iterable[str]) -> None:
        server = embedded_server(self.connection.settings_dict)
        self.connection.settings_dict.update(HOST=server.host, PORT=str(server.port), USER=server.user)
        super().runshell(parameters)

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        arguments, environment = super().settings_to_cmd_args_env(settings_dict, parameters)
        return [str(postgres.program("psql")), *arguments[1:]], environment


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        server = embedded_server(self.settings_dict)
        # NAME is the caller's: the test runner uses databases of its own on the same server.
        params.update(host=server.host, port=server.port, user=server.user)
        return params
