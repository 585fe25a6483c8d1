"""The grid of laboratory values in a real browser: a block from a spreadsheet, the keyboard, the grade."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.models import Centre
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, PatientFactory, ReferenceRangeFactory, make_user

pytestmark = pytest.mark.browser

BLOCK = (
    "\t2019-01-04\t2019-02-01\nThrombozyten\t210\t62\nHb (g/dL)\t12,4\t11,9\nCRP\t5\t6\nNeutrophils\t3.1\t-\n"
)


@pytest.fixture
def page(live_server_of_committed: LiveServer) -> Iterator[Any]:
    """A tab at the grid of a patient whose centre has limits of normal of platelets, signed in."""
    site = live_server_of_committed.url
    centre: Centre = CentreFactory(code="STA")
    patient = PatientFactory(centre=centre)
    ReferenceRangeFactory(centre=centre)
    user = make_user(centre=centre, username="physician")
    with signed_in_tab(site, user) as tab:
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
        tab.goto(f"{site}/patients/{patient.pk}/laboratory/enter/")
        yield tab


def paste(page: Any, block: str, into: str) -> None:
    page.evaluate("block => navigator.clipboard.writeText(block)", block)
    page.get_by_label(into, exact=True).focus()
    page.keyboard.press("Control+V")


def value(page: Any, label: str) -> str:
    return page.get_by_label(label, exact=True).input_value()


def test_a_block_from_a_spreadsheet_is_pasted_stored_and_graded(page: Any) -> None:
    paste(page, BLOCK, "Platelets, sample 1")

    said = page.locator("[data-grid-said]").inner_text()
    assert said.startswith("5 values laid into the grid, not stored yet.")
    assert "“CRP” is not known here: left out." in said
    assert [value(page, f"Date of sample {at}") for at in (1, 2, 3)] == ["2019-01-04", "2019-02-01", ""]
    assert [value(page, f"Platelets, sample {at}") for at in (1, 2)] == ["210", "62"]
    assert value(page, "Unit of Haemoglobin") == "g/dL"
    assert value(page, "Neutrophils, sample 2") == ""

    page.get_by_role("button", name="Store the values").focus()
    page.keyboard.press("Enter")
    page.get_by_text("5 values recorded.").wait_for()

    cell = page.get_by_role("row", name="Platelets").get_by_role("cell").nth(2)
    assert "G2" in cell.inner_text()
    assert "62" in cell.inner_text()
    converted = page.get_by_role("row", name="Haemoglobin").get_by_role("cell").nth(2)
    assert "119" in converted.inner_text()  # g/L
    assert page.evaluate("violations") == []


def test_cells_are_moved_between_like_in_a_spreadsheet(page: Any) -> None:
    page.get_by_label("Date of sample 1", exact=True).focus()
    for text, key in (
        ("2019-01-04", "Enter"),
        ("210", "ArrowDown"),
        ("124", "ArrowRight"),
        ("119", "ArrowUp"),
        ("92", "ArrowUp"),
        ("2019-02-01", "Tab"),
    ):
        page.keyboard.type(text)
        page.keyboard.press(key)

    assert value(page, "Platelets, sample 1") == "210"
    assert value(page, "Haemoglobin, sample 1") == "124"
    assert value(page, "Haemoglobin, sample 2") == "119"
    assert value(page, "Platelets, sample 2") == "92"
    assert value(page, "Date of sample 2") == "2019-02-01"
    assert page.evaluate("document.activeElement.id") == "id_date-2"


def test_a_block_of_numbers_alone_goes_where_it_is_pasted_and_what_does_not_fit_is_said(page: Any) -> None:
    paste(page, "1\t2\t3\n4\t5\t6\n", "Neutrophils, sample 5")

    assert [value(page, f"Neutrophils, sample {at}") for at in (4, 5, 6)] == ["", "1", "2"]
    assert [value(page, f"Lymphocytes, sample {at}") for at in (5, 6)] == ["4", "5"]
    said = page.locator("[data-grid-said]").inner_text()
    assert said.startswith("4 values laid into the grid")
    assert "No column is left for Neutrophils 3." in said


def test_a_turned_block_finds_its_places_too(page: Any) -> None:
    paste(page, "Date\tHb (g/dL)\tPLT\n2019-01-04\t12.4\t210\n2019-02-01\t11.9\t62\n", "ALT, sample 3")

    assert [value(page, f"Platelets, sample {at}") for at in (1, 2)] == ["210", "62"]
    assert [value(page, f"Haemoglobin, sample {at}") for at in (1, 2)] == ["12.4", "11.9"]
    assert [value(page, f"Date of sample {at}") for at in (1, 2)] == ["2019-01-04", "2019-02-01"]


def test_a_block_of_one_value_a_line_goes_into_the_box_below(page: Any) -> None:
    block = "analyte\tvalue\tunit\ttaken_at\nHb\t12.4\tg/dL\t2019-01-04\n"
    paste(page, block, "Platelets, sample 1")

    assert value(page, "Paste from a spreadsheet optional") == block
    assert value(page, "Platelets, sample 1") == ""
    page.get_by_role("button", name="Store the table").click()
    page.get_by_text("1 value recorded.").wait_for()
