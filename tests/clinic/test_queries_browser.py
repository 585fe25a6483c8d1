"""A data manager's queries by keyboard alone: answer one, close one as it is, settle one by its form."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role, User
from analytics import data_queries, freshness
from analytics.models import DataQuery
from patients.models import Contact
from tests.clinic.browser import signed_in_tab
from tests.factories import (
    CentreFactory,
    CourseFactory,
    DiagnosisFactory,
    PatientFactory,
    StudyFactory,
    make_user,
)

pytestmark = pytest.mark.browser


@pytest.fixture
def data_manager(committed: None) -> User:
    """A data manager, whose only patient was treated in 2019."""
    centre = CentreFactory(code="STA")
    with transaction.atomic():
        patient = PatientFactory(centre=centre, registry_number="STA-0001")
        CourseFactory(patient=patient, given=2)
        DiagnosisFactory(patient=patient)
        StudyFactory(patient=patient)
        StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    freshness.refresh_inline()
    return make_user(role=Role.DATA_MANAGER, centre=centre, username="data_manager")


@contextmanager
def start_page(server: LiveServer, user: User) -> Iterator[Any]:
    with signed_in_tab(server.url, user) as tab:
        tab.goto(server.url)
        yield tab


def tab_to(page: Any, words: str, *, role: str = "") -> None:
    """Press Tab until what has the focus says ``words``."""
    for _ in range(80):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "() => { const e = document.activeElement;"
            " return (e.labels?.[0]?.innerText || e.innerText || '').trim() + '|' + e.tagName; }"
        )
        name, _, tag = said.rpartition("|")
        if name.startswith(words) and (not role or tag == role):
            return
    raise AssertionError(f"no {words!r} is reached by Tab")


def follow(page: Any, words: str, *, role: str = "") -> None:
    """Go to a link or button by Tab and press it, and wait for the page it leads to."""
    tab_to(page, words, role=role)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_data_manager_answers_and_closes_by_keyboard(
    live_server_of_committed: LiveServer, data_manager: User
) -> None:
    today = timezone.now().date()
    with start_page(live_server_of_committed, data_manager) as page:
        follow(page, "Queries", role="A")
        follow(page, "Follow-up older than 6 months", role="A")
        tab_to(page, "Answer, or reason")
        page.keyboard.type("The family doctor is asked.")
        follow(page, "Answer", role="BUTTON")
        assert page.locator(".messages").inner_text() == "The answer was stored."
        tab_to(page, "Who is to look at it")
        page.keyboard.type("data_m")
        follow(page, "Assign", role="BUTTON")

        follow(page, "Data queries", role="A")
        follow(page, "What became of cycle 3?", role="A")
        tab_to(page, "Answer, or reason")
        page.keyboard.type("Went on elsewhere; papers are on their way.")
        follow(page, "Close as it is", role="BUTTON")
        assert page.locator(".messages").inner_text() == "The query was closed."

        follow(page, "Data queries", role="A")
        follow(page, "Follow-up older than 6 months", role="A")
        follow(page, "Record a contact", role="A")
        tab_to(page, "Known alive on")
        page.keyboard.type(today.isoformat())
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.evaluate("violations") == []

    data_queries.refresh_inline()
    assert Contact.objects.get().known_alive_on == today
    told = DataQuery.objects.get(rule="follow_up_old")
    assert (told.status, told.closed_by, told.assigned_to.username) == ("closed", None, "data_manager")
    assert list(told.answers.values_list("action", "text", "by__username")) == [
        ("answered", "The family doctor is asked.", "data_manager"),
        ("assigned", "", "data_manager"),
        ("closed", data_queries.RULE_CLOSED, None),
    ]
    accepted = DataQuery.objects.get(rule="cycle_date_past")
    assert (accepted.status, accepted.closed_by.username) == ("closed", "data_manager")
    assert accepted.answers.get().text == "Went on elsewhere; papers are on their way."
    assert set(DataQuery.objects.pending().values_list("rule", flat=True)) == {"labs_missing"}


def test_the_dashboard_brings_its_data_quality_when_it_comes_into_view(
    live_server_of_committed: LiveServer, data_manager: User
) -> None:
    with start_page(live_server_of_committed, data_manager) as page:
        page.goto(page.url + "cohorts/all/")
        quality = page.locator("#quality")
        quality.scroll_into_view_if_needed()

        quality.get_by_role("link", name="Follow-up older than 6 months").click()
        assert page.get_by_role("link", name="Follow-up older than 6 months of STA-0001").count() == 1
        assert page.locator("#filter-rule").input_value() == "follow_up_old"
