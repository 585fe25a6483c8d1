"""Pages while the database is away: a real connection that is refused, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ASK = """
import json, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "127.0.0.1"})
client.cookies["sessionid"] = "x" * 32
found = {}
sent = {"family_name": "<Ørsted>", "password": "secret", "site": ["a", "b"]}
for name, answer in {
    "page": client.get("/patients/?status=died"),
    "form": client.post("/account/login/?next=/", sent),
    "api": client.get("/api/v1/patients/"),
    "ready": client.get("/health/ready/"),
}.items():
    words = answer.content.decode()
    found[name] = [answer.status_code, answer.headers.get("Retry-After"), answer.headers["Content-Type"], words]
print(json.dumps(found))
"""


def ask(tmp_path: Path) -> dict[str, Any]:
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody:x@127.0.0.1:9/none",  # discard: nobody listens there
        "DJANGO_SETTINGS_MODULE": "prrt_registry.settings",
        "REGISTRY_VAR": str(tmp_path),
        "REGISTRY_MODE": "embedded",
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_database_that_is_away_is_told_and_what_was_sent_is_kept(tmp_path):
    found = ask(tmp_path)

    status, retry, _, page = found["page"]
    assert (status, retry) == (503, "30")
    assert "The database is away" in page
    assert 'href="/patients/?status=died"' in page

    status, _, _, form = found["form"]
    assert status == 503
    assert '<input type="hidden" name="family_name" value="&lt;Ørsted&gt;">' in form
    assert form.count('name="site"') == 2
    assert "secret" not in form

    status, _, content_type, body = found["api"]
    assert (status, content_type) == (503, "application/problem+json")
    assert json.loads(body)["code"] == "database_away"
    assert found["ready"][0] == 503
