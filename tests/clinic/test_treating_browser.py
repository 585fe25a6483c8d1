"""A cycle as a technologist enters it: the keyboard, the net activity while one types, the warnings, the plan that moves."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from accounts.models import Centre
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, CourseFactory, PatientFactory, make_user

pytestmark = pytest.mark.browser


@pytest.fixture
def page(live_server_of_committed: LiveServer) -> Iterator[Any]:
    """A tab at the entry of cycle 3, planned on 2019-04-29, signed in."""
    site = live_server_of_committed.url
    centre: Centre = CentreFactory(code="STA")
    with transaction.atomic():
        course = CourseFactory(patient=PatientFactory(centre=centre), given=2)
    user = make_user(centre=centre, username="physician")
    give = reverse("cycle-administer", args=[course.patient_id, course.cycles.get(number=3).pk])
    with signed_in_tab(site, user) as tab:
        tab.goto(site + give)
        yield tab


def fill(page: Any, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)


def test_a_cycle_is_entered_with_its_net_activity_in_sight_and_its_warnings_confirmed(page: Any) -> None:
    from playwright.sync_api import expect

    page.locator("[name=activity_unit]").select_option("GBq")
    fill(
        page,
        prescribed_activity_mbq="7.4",
        syringe_activity_mbq="7.45",
        syringe_measured_at="2019-04-29 09:30",
        administered_at="2019-04-29 09:30",
        residual_activity_mbq="0.05",
        residual_measured_at="2019-04-29 09:30",
    )
    expect(page.locator(".net")).to_contain_text("Net 7,400.0\N{NO-BREAK SPACE}MBq")

    fill(page, syringe_activity_mbq="5.05")
    expect(page.locator(".net")).to_contain_text("past ±20\N{NO-BREAK SPACE}%")
    fill(page, syringe_measured_at="2019-04-29 09:31")
    expect(page.locator(".net")).to_contain_text("cannot be computed")
    fill(page, syringe_activity_mbq="7.45", syringe_measured_at="2019-04-29 09:30")
    expect(page.locator(".net")).to_contain_text("0.0\N{NO-BREAK SPACE}% from the prescribed")

    page.get_by_role("button", name="Check the entry").click()
    summary = page.locator(".error-summary")
    expect(summary).to_contain_text("Say why the cycle is recorded in spite of the warnings")
    assert page.locator("[name=syringe_activity_mbq]").input_value() == "7.45"

    page.get_by_label("Why it is recorded all the same").fill("Values are on paper")
    page.get_by_role("button", name="Check the entry").click()
    expect(page.locator(".answers")).to_contain_text("Values are on paper")
    page.locator("button[name=change][value=residual_activity_mbq]").click()
    assert page.evaluate("document.activeElement.name") == "residual_activity_mbq"
    assert page.locator("[name=residual_activity_mbq]").input_value() == "0.05"
    page.get_by_role("button", name="Check the entry").click()
    page.get_by_role("button", name="Record the cycle").click()

    expect(page.locator(".message")).to_contain_text("Cycle 3 was recorded as given")
    expect(page.locator("main")).to_contain_text("8\N{NO-BREAK SPACE}weeks after cycle 3, given 2019-04-29")
    assert page.evaluate("window.violations") == []


def test_what_is_wrong_is_said_when_a_field_is_left_and_gone_once_it_is_right(page: Any) -> None:
    from playwright.sync_api import expect

    field = page.locator("[name=syringe_measured_at]")
    field.fill("29/04/2019 9 am")
    field.press("Tab")
    said = page.locator(f"#{field.get_attribute('id')}_error")
    expect(said).to_contain_text("Type the date and the time as YYYY-MM-DD HH:MM")
    assert field.get_attribute("aria-invalid") == "true"
    assert said.get_attribute("id") in field.get_attribute("aria-describedby")
    field.fill("2019-04-29 09:30")
    field.press("Tab")
    expect(said).to_have_count(0)
    assert field.get_attribute("aria-invalid") is None
    assert page.evaluate("window.violations") == []


def test_the_form_fits_a_telephone_without_scrolling_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_cycle_is_entered_in_german(page: Any) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("[name=activity_unit]").select_option("GBq")
    fill(
        page,
        prescribed_activity_mbq="7,4",
        syringe_activity_mbq="7,45",
        syringe_measured_at="29.04.2019 09:30",
        administered_at="29.04.2019 09:30",
        residual_activity_mbq="0,05",
        residual_measured_at="29.04.2019 09:30",
        confirmation_reason="Werte liegen auf Papier vor",
    )
    expect(page.locator(".net")).to_contain_text("7.400,0\N{NO-BREAK SPACE}MBq")
    page.locator("[name=prescribed_activity_mbq]").fill("7.400")
    page.locator("[name=prescribed_activity_mbq]").press("Tab")
    expect(page.locator("#id_prescribed_activity_mbq_error")).to_contain_text("7.400")
    fill(page, prescribed_activity_mbq="7,4")
    page.get_by_role("button", name="Eintrag prüfen").click()
    expect(page.locator(".answers")).to_contain_text("Zyklus 4 am 24.06.2019")
    page.get_by_role("button", name="Zyklus dokumentieren").click()
    expect(page.locator(".message")).to_contain_text("Zyklus 3")
    row = page.locator("main").get_by_role("row").filter(has_text="29.04.2019 09:30")
    expect(row.first).to_contain_text("7.400,0")
    assert page.evaluate("window.violations") == []
