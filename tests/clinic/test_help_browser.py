"""The registry by keyboard alone: palette, two keys, rows of a list, the switch, explained words, the tour."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, CourseFactory, PatientFactory, make_user

pytestmark = pytest.mark.browser


@pytest.fixture
def page(live_server_of_committed: LiveServer) -> Iterator[Any]:
    """A tab at the list of three patients, signed in as a physician."""
    site = live_server_of_committed.url
    centre = CentreFactory(code="STA")
    with transaction.atomic():
        for n in (1, 2, 3):
            CourseFactory(patient=PatientFactory(centre=centre, registry_number=f"STA-000{n}"), given=2)
    user = make_user(role=Role.PHYSICIAN, centre=centre, username="physician")
    with signed_in_tab(site, user) as tab:
        tab.site = site
        tab.goto(site + reverse("patient-list"))
        yield tab
        assert tab.evaluate("window.violations") == []


def at(page: Any, name: str, *args: Any) -> None:
    page.wait_for_url(page.site + reverse(name, args=args))


def test_keys_go_to_places_and_along_rows_and_not_while_typing(page: Any) -> None:
    from playwright.sync_api import expect

    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "STA-0002"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "STA-0001"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("STA-0001")
    page.wait_for_load_state()  # keys are heard once the page is there

    page.keyboard.press("/")
    page.wait_for_url("**/patients/#search")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("gh")
    assert page.locator("#search").input_value() == "gh"
    page.keyboard.press("Tab")
    page.keyboard.press("g")
    page.keyboard.press("h")
    at(page, "home")
    page.keyboard.press("n")
    at(page, "patient-register")


def test_the_palette_is_worked_by_the_keyboard_alone(page: Any) -> None:
    from playwright.sync_api import expect

    palette = page.locator("#palette-list")
    page.keyboard.press("Control+k")
    search = page.get_by_role("combobox", name="Go to a page or an act")
    expect(search).to_be_focused()
    page.keyboard.type("gloss")
    expect(palette.get_by_role("option", selected=True)).to_have_text("Glossary")
    assert palette.get_by_role("option").count() == 1
    page.keyboard.type("zzz")
    expect(page.locator("#palette-none")).to_have_text("Nothing is found by these words.")
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()

    page.keyboard.press("Control+k")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("Home")
    page.keyboard.press("ArrowUp")
    expect(palette.get_by_role("option", selected=True)).to_have_text("Two-factor sign-in")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("Patients")
    page.keyboard.type("tour")
    page.keyboard.press("Enter")
    at(page, "help-tour")


def test_the_palette_finds_the_links_of_the_page_by_their_words(page: Any) -> None:
    from playwright.sync_api import expect

    palette = page.locator("#palette")
    page.keyboard.press("Control+k")
    assert palette.get_by_role("option", name="STA-").count() == 0  # not before something is typed
    page.keyboard.type("sta-0002")
    expect(palette.get_by_role("option", selected=True)).to_contain_text("STA-0002")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("STA-0002")
    page.keyboard.press("Control+k")
    page.keyboard.type("sta-")
    expect(palette.get_by_role("option", name="STA-0003")).to_have_count(0)  # of the page before
    page.locator("#palette-search").fill("cor 2")
    expect(palette.get_by_role("option")).to_have_text(["Correct cycle 2"])  # and not what is recorded


def test_letters_can_be_switched_off_and_the_palette_stays(page: Any) -> None:
    from playwright.sync_api import expect

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()

    page.goto(page.site + reverse("help-shortcuts"))
    page.get_by_label("Keys of single letters are on").uncheck()
    page.goto(page.site + reverse("patient-list"))
    for key in ("j", "?", "/", "n"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement === document.body")
    assert page.url == page.site + reverse("patient-list")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Go to a page or an act")).to_be_focused()


def test_a_word_is_explained_by_key_and_closed_by_escape(page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(page.site + reverse("reference-ranges"))
    word = page.get_by_role("button", name="Limits of normal")
    word.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The reporting laboratory's reference range")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("The reporting laboratory's reference range")).to_be_hidden()


def test_a_step_of_the_tour_is_remembered_as_done(page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(page.site + reverse("help-tour"))
    expect(page.get_by_text("0 of 8 steps done.")).to_be_visible()
    page.get_by_role("link", name="Open the chart").click()
    expect(page.locator("h1")).to_have_text("STA-0001")
    page.go_back()
    expect(page.get_by_text("1 of 8 steps done.")).to_be_visible()
    page.get_by_label("Done: What is due").check()
    page.reload()
    expect(page.get_by_text("2 of 8 steps done.")).to_be_visible()
