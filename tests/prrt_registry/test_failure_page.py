"""The page of a failure needs nothing that may have failed itself."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path


@login_not_required
def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("on purpose")


urlpatterns = [path("fails/", fail), path("", include("prrt_registry.urls"))]


@pytest.fixture
def nothing_collected(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "prrt_registry.storage.RegistryStaticFilesStorage"}
    }


@pytest.mark.urls("tests.prrt_registry.test_failure_page")
def test_a_page_that_raises_is_answered_in_words_without_collected_files_or_a_database(
    nothing_collected: None,
) -> None:
    with pytest.raises(ValueError):  # the precondition: other pages would fail on their own stylesheet now
        staticfiles_storage.url("clinic/registry.css")

    answer = Client(raise_request_exception=False).get("/fails/")

    assert answer.status_code == 500
    page = answer.content.decode()
    assert page.lstrip().startswith("<!doctype html>")
    assert "<h1>The registry failed</h1>" in page
    assert "What you entered last was not stored." in page


@pytest.mark.urls("tests.prrt_registry.test_failure_page")
def test_the_page_of_a_failure_keeps_to_the_content_security_policy() -> None:
    answer = Client(raise_request_exception=False).get("/fails/")

    page = answer.content.decode()
    assert "style-src 'self'" in answer["Content-Security-Policy"]
    assert "<style" not in page
    assert "style=" not in page
    assert "<script" not in page
    assert "{" not in page
