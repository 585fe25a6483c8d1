"""The whole import by keyboard: a messy sheet is sent, looked at, corrected in its reading, imported and undone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role
from exchange.models import Import, ImportState
from patients.models import Patient, PatientIdentity
from tests.clinic.browser import signed_in_tab
from tests.clinic.test_imaging_browser import stored
from tests.exchange.sheets import NEXT, messy
from tests.factories import CentreFactory, default_protocol, make_user
from treatments.models import Administration

pytestmark = pytest.mark.browser


@pytest.fixture
def page(live_server_of_committed: LiveServer) -> Iterator[Any]:
    """A tab at the imports, signed in as a data manager."""
    default_protocol()
    user = make_user(role=Role.DATA_MANAGER, centre=CentreFactory(code="STA"), username="manager")
    with signed_in_tab(live_server_of_committed.url, user) as tab:
        tab.goto(f"{live_server_of_committed.url}/imports/")
        yield tab


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "PRRT Liste.xlsx"
    path.write_bytes(messy(*NEXT))
    return path


def tab_to(page: Any, name: str, *, backwards: bool = False) -> None:
    """Press Tab until the focus stands on what is called so."""
    for _ in range(150):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        focused = page.evaluate(
            "document.activeElement.labels?.[0]?.innerText || document.activeElement.innerText || ''"
        )
        if focused.strip().split("\n")[0].startswith(name):
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def press(page: Any, name: str) -> None:
    tab_to(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_messy_sheet_is_imported_and_undone_by_keyboard(page: Any, sheet: Path) -> None:
    from playwright.sync_api import expect

    tab_to(page, "CSV or XLSX file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(sheet)
    press(page, "Send")
    expect(page.get_by_role("heading", name="Columns of the sheet")).to_be_visible()

    tab_to(page, "Protocol of new courses")
    page.keyboard.type("177Lu-DOTATATE")
    press(page, "Check the file")
    expect(page.get_by_text("could be 1959-03-04 or 1959-04-03")).to_be_visible()
    assert not stored(Patient.objects.exists)

    press(page, "Change the columns")
    tab_to(page, "Dates in text")
    page.keyboard.type("Day first")
    press(page, "Check the file")
    expect(page.get_by_role("heading", name="Checked: nothing is stored yet")).to_be_visible()
    assert not stored(Patient.objects.exists)

    press(page, "Import")  # the entry of the bar: back to the list of files
    press(page, "20")
    expect(page.get_by_role("heading", name="Checked: nothing is stored yet")).to_be_visible()
    tab_to(page, "Change the columns")
    page.keyboard.press("Shift+Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()

    stored(lambda: call_command("run_imports"))
    # The page asks by itself.
    expect(page.get_by_role("link", name="Undo this import")).to_be_visible()
    assert stored(Import.objects.get).state == ImportState.DONE
    born = stored(lambda: PatientIdentity.objects.get(mrn="4714").patient.birth_date)
    assert born.isoformat() == "1959-04-03"
    assert stored(lambda: (Patient.objects.count(), Administration.objects.count())) == (4, 5)

    press(page, "Undo this import")
    tab_to(page, "Why is it undone?")
    page.keyboard.type("Only a try")
    press(page, "Undo the import")
    expect(page.get_by_text("The import was undone.")).to_be_visible()
    assert not stored(lambda: Patient.objects.current().exists())
    assert stored(lambda: set(Patient.objects.values_list("void_reason", flat=True))) == {"Only a try"}
    assert page.evaluate("violations") == []


def test_it_works_without_javascript(page: Any, sheet: Path) -> None:
    from playwright.sync_api import expect

    site = page.url
    bare = page.context.browser.new_context(java_script_enabled=False)
    bare.add_cookies(page.context.cookies())
    tab = bare.new_page()
    tab.goto(site)
    tab.get_by_label("CSV or XLSX file").set_input_files(sheet)
    tab.get_by_role("button", name="Send").click()
    tab.get_by_label("Protocol of new courses").select_option(index=1)
    tab.get_by_label("Dates in text").select_option("dmy")
    tab.get_by_role("button", name="Check the file").click()
    tab.get_by_role("button", name="Import", exact=True).click()
    expect(tab.get_by_text("Waiting for a worker")).to_be_visible()

    stored(lambda: call_command("run_imports"))
    # Reloaded every two seconds.
    expect(tab.get_by_role("link", name="Undo this import")).to_be_visible()
    assert stored(Patient.objects.count) == 4
