"""The API's description of itself: complete, true to the running API, and readable in a browser under the strict CSP."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from knox.models import AuthToken
from playwright.sync_api import sync_playwright
from pytest_django.live_server_helper import LiveServer
from rest_framework.throttling import UserRateThrottle
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import Centre, User
from accounts.rest.problems import MEDIA_TYPE
from analytics import freshness, locks
from analytics.models import Cohort, DataQuery, Job, JobKind
from tests import factories
from tests.api import ROOT, client_for, make_kinds
from tests.conftest import CHROMIUM, needs

METHODS = {"get", "post", "put", "patch", "delete"}
EXAMPLES = 6  # for each of the 217 operations
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    written = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=written)
    return json.loads(written.getvalue())


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def headers_of(operation: dict[str, Any]) -> dict[str, bool]:
    return {
        parameter["name"]: parameter.get("required", False)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }


def test_the_description_is_valid_openapi_3_1_without_a_warning(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    assert len(operations(schema)) > 70


def test_every_operation_says_how_it_refuses(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        refusals = {code for code in operation["responses"] if code[0] in "45"}
        assert {"400", "401", "403", "429"} <= refusals, (path, method)
        for code in refusals:
            [(media_type, content)] = operation["responses"][code]["content"].items()
            assert media_type == MEDIA_TYPE
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_corrections_ask_for_a_version_and_a_reason(schema: dict[str, Any]) -> None:
    corrections = [
        (path, method, op) for path, method, op in operations(schema) if method in {"put", "patch"}
    ]
    assert len(corrections) == 47
    kinds = {path.removeprefix(ROOT).split("/")[0] for path, _, _ in corrections}
    assert len(kinds) == 23  # twenty-two kinds of records (identity is a patient's), and cohorts
    for path, method, operation in corrections:
        assert headers_of(operation) == {"If-Match": True, "Change-Reason": True}, (path, method)
        assert "ETag" in operation["responses"]["200"]["headers"]
        assert {"412", "428"} <= set(operation["responses"])


def test_creation_and_voiding_offer_an_idempotency_key(schema: dict[str, Any]) -> None:
    offering = {
        path.removeprefix(ROOT)
        for path, method, op in operations(schema)
        if "Idempotency-Key" in headers_of(op)
    }
    posts = {path.removeprefix(ROOT) for path, method, _ in operations(schema) if method == "post"}
    assert offering == posts - {
        "tokens/",
        # These answer and store nothing.
        "patients/search/",
        "cycles/{id}/net-activity/",
        "cohorts/count/",
        "cohorts/explore/",
        # The same job, while it waits, is asked for once; one that is cancelled stays cancelled.
        "cohorts/{slug}/exports/",
        "cohorts/{slug}/reports/",
        "locks/{name}/exports/",
        "jobs/{id}/cancel/",
    }
    for path, _, operation in operations(schema):
        if path.endswith(("/void/", "/cancel/", "/restore/", "/move/")) and "/jobs/" not in path:
            assert headers_of(operation) == {
                "Change-Reason": True,
                "If-Match": False,
                "Idempotency-Key": False,
            }


def test_schema_and_docs_are_for_who_is_signed_in(client: Any, physician: User) -> None:
    assert client.get(f"{ROOT}schema/").status_code == 401
    to_sign_in = client.get(f"{ROOT}docs/")
    assert to_sign_in.status_code == 302
    assert "/account/login/" in to_sign_in["Location"]
    signed_in = client_for(physician)
    assert signed_in.get(f"{ROOT}schema/").status_code == 200
    client.force_login(physician)
    assert client.get(f"{ROOT}docs/").status_code == 200


@pytest.mark.browser
def test_the_docs_render_under_the_strict_content_security_policy(
    live_server_of_committed: LiveServer, schema: dict[str, Any], tmp_path: Path
) -> None:
    live_server = live_server_of_committed
    needs(CHROMIUM, "chromium")
    user = factories.make_user(username="physician")
    browser_session = Client()
    browser_session.force_login(user)
    cookie = browser_session.cookies[django_settings.SESSION_COOKIE_NAME].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-quic"]
        )
        context = browser.new_context()
        context.add_cookies(
            [{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        answer = page.goto(f"{live_server.url}{ROOT}docs/")
        page.wait_for_selector(".opblock", timeout=30_000)
        # Of a long description the page draws what is in sight alone, a moment after it comes in sight.
        shown: set[str] = set()
        expected = len(operations(schema))
        until = time.monotonic() + 60
        while len(shown) < expected and time.monotonic() < until:
            shown |= set(page.locator(".opblock").evaluate_all("blocks => blocks.map(block => block.id)"))
            page.mouse.wheel(0, 500)
            page.wait_for_timeout(50)
            if page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 1"):
                page.evaluate("scrollTo(0, 0)")
        page.evaluate("scrollTo(0, 0)")
        first = "#operations-absorbed-doses-absorbed_doses_list"
        page.locator(f"{first} .opblock-summary-control").click()
        page.wait_for_selector(f"{first} .parameters", timeout=10_000)
        page.screenshot(path=str(tmp_path / "docs.png"))
        browser.close()

    assert answer is not None
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert len(shown) == expected
    assert complaints == []


def can_be_wrong(operation: APIOperation) -> bool:
    """Return whether anything but the address can be sent that breaks the description."""
    return bool(list(operation.query) or list(operation.body))


@pytest.fixture
def application() -> Iterator[WSGIHandler]:
    """The running application, without what ends its database connection (and this test's rows) after each request."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield get_wsgi_application()
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@pytest.mark.parametrize("mode", GenerationMode)
def test_the_api_is_what_it_says_and_never_fails(
    mode: GenerationMode, centre: Centre, application: WSGIHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schemathesis: generated requests, right and wrong ones, against every operation of the running application."""
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": None})
    user = factories.make_user(role="data_manager", centre=centre, username="data_manager")
    kinds = {kind.path: kind for kind in make_kinds(centre)}
    identity = factories.PatientIdentityFactory(patient=kinds["patients"].record)
    freshness.refresh_inline()
    everyone = Cohort.objects.get(slug="all")
    frozen = locks.lock(everyone, "frozen", [centre.code], None)
    mine = Cohort.objects.create(slug="mine", name="Mine", definition=everyone.definition, owner=user)
    job = Job.objects.create(kind=JobKind.REPORT, requested_by=user, cohort=frozen.cohort)
    known: dict[str, Any] = {
        **{f"{ROOT}{path}/{{id}}/": str(kind.record.pk) for path, kind in kinds.items()},
        f"{ROOT}patients/{{patient_id}}/": str(identity.patient_id),
        f"{ROOT}cohorts/{{slug}}/": mine.slug,
        f"{ROOT}locks/{{name}}/": frozen.name,
        f"{ROOT}jobs/{{id}}/": str(job.pk),
        f"{ROOT}data-queries/{{id}}/": str(DataQuery.objects.filter(rule="labs_missing").earliest("id").pk),
        f"{ROOT}centres/{{id}}/": str(centre.pk),
        f"{ROOT}protocols/{{id}}/": factories.default_protocol().pk,
        f"{ROOT}reference-ranges/{{id}}/": factories.ReferenceRangeFactory(centre=centre).pk,
    }
    authorized = {"Authorization": f"Token {AuthToken.objects.create(user=user)[1]}"}
    described = schemathesis.openapi.from_wsgi(
        f"{ROOT}schema/", application, headers={**authorized, "Accept": "application/vnd.oai.openapi+json"}
    )
    tried: dict[str, set[int]] = {}
    failures: dict[str, str] = {}

    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(f"{ROOT}tokens/"):
            continue  # would end the token that this test is signed in with
        prefix = next((prefix for prefix in known if operation.path.startswith(prefix)), None)
        existing = {prefix.split("{")[1].split("}")[0]: known[prefix]} if prefix else None
        # A wrong address finds nothing to be wrong about: all but the last cases are of a record that exists.
        for path_parameters, examples in ((existing, EXAMPLES), (None, 2)):
            if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
                continue
            cases = operation.as_strategy(mode, path_parameters=path_parameters)

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=cases)
            def check(case: schemathesis.Case) -> None:
                if case.method in {"PUT", "PATCH"} and set(case.path_parameters.values()) <= set(
                    known.values()
                ):
                    # A version that was guessed would always be refused, before the body is looked at.
                    kind = case.path.split("/")[3]
                    record = (
                        identity
                        if "identity" in case.path
                        else mine
                        if kind == "cohorts"
                        else kinds[kind].record
                    )
                    record.refresh_from_db(fields=["version"])
                    case.headers["If-Match"] = f'"{record.version}"'
                response = case.call(headers=authorized)
                tried.setdefault(case.operation.label, set()).add(response.status_code)
                try:
                    case.validate_response(response, checks=CHECKS)
                except* Failure as found:
                    failures.update(
                        {f"{case.operation.label}: {one.title}": str(one) for one in found.exceptions}
                    )

            check()

    assert not failures, "\n\n".join(f"{name}\n{what}" for name, what in failures.items())
    assert len(tried) > (70 if mode is GenerationMode.POSITIVE else 50)
    answered = set().union(*tried.values())
    assert not {code for code in answered if code >= 500}
    assert {200, 400, 404} <= answered
