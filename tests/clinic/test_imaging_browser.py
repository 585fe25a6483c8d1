"""The lesion grid as a reader works in it: by keyboard, the response in sight, signed, corrected, and in the history."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from accounts.models import Centre, Role
from imaging.models import Measurement, Reading
from patients.models import Patient
from tests.clinic.browser import signed_in_tab, stored
from tests.factories import CentreFactory, CourseFactory, PatientFactory, StudyFactory, make_user

pytestmark = pytest.mark.browser
PASSWORD = "a-long-walk-by-the-river"
DAYS = {
    "baseline": date(2018, 12, 17),
    "interim": date(2019, 5, 2),
    "post": date(2019, 8, 5),
}


@pytest.fixture
def reader_page(live_server_of_committed: LiveServer) -> Iterator[tuple[Any, Patient, str]]:
    """A tab at the empty grid of a patient with a baseline and two later studies, signed in as a reader."""
    site = live_server_of_committed.url
    centre: Centre = CentreFactory(code="STA")
    with transaction.atomic():
        patient = PatientFactory(centre=centre)
        CourseFactory(patient=patient, given=4)
        for timepoint, on in DAYS.items():
            StudyFactory(patient=patient, timepoint=timepoint, performed_on=on, uptake_minutes=60)
    user = make_user(centre=centre, role=Role.READER, username="reader")
    user.set_password(PASSWORD)
    user.save()
    with signed_in_tab(site, user) as tab:
        tab.goto(site + reverse("imaging", args=[patient.pk, 1]))
        yield tab, patient, site


def size_at_post() -> Any:
    return Measurement.objects.get(lesion__label="L1", study__timepoint="post").size_mm


def add_lesion(page: Any, role: str, organ: str) -> None:
    form = page.locator(".lesion-new")
    if form.get_attribute("open") is None:
        form.locator("summary").click()
    page.get_by_label("Kind").select_option(label=role)
    page.get_by_label("Organ").select_option(label=organ)
    page.get_by_role("button", name="Add the lesion").click()
    page.locator(".message").wait_for()


def cell(page: Any, label: str, timepoint: str, what: str = "size in mm") -> Any:
    return page.get_by_label(f"{label}, {DAYS[timepoint]}, {what}", exact=True)


def type_down(page: Any, *values: str) -> None:
    """Type into the focused cell and the ones below it, each left with Enter."""
    for value in values:
        page.keyboard.type(value)
        page.keyboard.press("Enter")


def response_of(page: Any, timepoint: str, row: str = "RECIST 1.1, derived") -> Any:
    return page.locator("#imaging-summary tr", has_text=row).locator("td").nth(list(DAYS).index(timepoint))


def test_a_grid_is_entered_by_keyboard_signed_corrected_and_kept_in_the_history(
    reader_page: tuple[Any, Patient, str],
) -> None:
    from playwright.sync_api import expect

    page, patient, site = reader_page
    for _ in range(2):
        add_lesion(page, "Target", "Liver")
    add_lesion(page, "Non-target", "Bone")

    cell(page, "L1", "baseline").focus()
    type_down(page, "38", "24", "p")  # Enter in the last row goes on at the top of the next study
    type_down(page, "25", "16", "p")
    expect(response_of(page, "interim")).to_contain_text("Partial response")
    expect(response_of(page, "interim")).to_contain_text(
        "Sum 41 mm is 33.9 % below the baseline of 62 mm on 2018-12-17"
    )
    type_down(page, "30", "16", "p")
    expect(response_of(page, "post")).to_contain_text("Stable disease")

    # What would follow is shown while one types, before anything is stored.
    growing = cell(page, "L1", "post")
    growing.fill("35")
    expect(response_of(page, "post")).to_contain_text(
        "Sum 51 mm is 24.4 % and 10 mm above the nadir of 41 mm on 2019-05-02"
    )
    assert stored(size_at_post) == 30
    growing.press("Enter")
    expect(response_of(page, "post")).to_contain_text("Progressive disease")
    expect(growing).to_have_attribute("data-state", "stored")

    sign = page.locator("#imaging-summary tr").last.locator("td").nth(2).get_by_role("link")
    sign.click()
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign the reading").click()
    expect(page.locator(".error-summary")).to_contain_text("This is not your password")
    assert not stored(Reading.objects.exists)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign the reading").click()
    expect(page.locator(".message")).to_contain_text("Signed: progressive disease")
    expect(page.locator("main")).to_contain_text("Best overall response")

    # After the signature a change waits for its reason, and the reading is signed anew.
    changed = cell(page, "L1", "post")
    changed.fill("29")
    changed.press("Enter")
    expect(page.locator("[data-lesion-said]")).to_contain_text("say why it is changed")
    assert stored(size_at_post) == 35
    page.get_by_label("Reason for changes to what has been signed").fill("Measured on the wrong slice")
    page.keyboard.press("Tab")
    expect(page.locator("#imaging-summary")).to_contain_text("measurements changed since the signature")
    expect(response_of(page, "post")).to_contain_text("Stable disease")

    page.get_by_role("link", name="Sign anew").click()
    expect(page.locator("main")).to_contain_text("When it was signed the rules derived progressive disease")
    page.get_by_label("Overall response").select_option("")  # as derived
    page.get_by_label("Reason for signing it anew").fill("Slice corrected")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign the reading").click()
    expect(page.locator(".message")).to_contain_text("Signed: stable disease")

    page.goto(site + reverse("patient-history", args=[patient.pk]))
    for said in ("Measured on the wrong slice", "Slice corrected", "35", "29"):
        expect(page.locator("main")).to_contain_text(said)
    page.goto(site + reverse("imaging", args=[patient.pk, 1]))
    assert page.evaluate("window.violations") == []


def test_a_block_is_pasted_and_what_cannot_be_read_keeps_its_cell_and_says_why(
    reader_page: tuple[Any, Patient, str],
) -> None:
    from playwright.sync_api import expect

    page, _, _ = reader_page
    for _ in range(2):
        add_lesion(page, "Target", "Liver")
    cell(page, "L1", "baseline").focus()
    page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.activeElement.dispatchEvent(
                new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        "40\t30\t28\n22\ttwenty\tabsent\n",
    )
    wrong = cell(page, "L2", "interim")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_value("twenty")
    expect(cell(page, "L2", "post")).to_have_attribute("data-state", "stored")
    assert stored(Measurement.objects.count) == 5
    wrong.fill("20")
    wrong.press("Enter")
    expect(wrong).to_have_attribute("data-state", "stored")
    expect(response_of(page, "post")).to_contain_text("Partial response")


def test_what_is_typed_while_the_connection_is_gone_waits_outlives_a_reload_and_is_stored(
    reader_page: tuple[Any, Patient, str],
) -> None:
    from playwright.sync_api import expect

    page, _, _ = reader_page
    add_lesion(page, "Target", "Liver")
    context = page.context
    context.set_offline(True)
    first = cell(page, "L1", "baseline")
    first.fill("40")
    first.press("Enter")
    expect(page.locator("[data-lesion-said]")).to_contain_text("nothing is lost")
    assert not stored(Measurement.objects.exists)

    context.set_offline(False)
    page.on("dialog", lambda dialog: dialog.accept())  # that something waits
    page.reload()
    # Whether it was stored just before the page went, or is now.
    expect(cell(page, "L1", "baseline")).not_to_have_attribute("data-state", "waiting")
    expect(cell(page, "L1", "baseline")).to_have_value("40")
    assert not cell(page, "L1", "baseline").get_attribute("aria-invalid")
    assert stored(lambda: Measurement.objects.get().size_mm) == 40


def test_the_page_fits_a_telephone_and_the_grid_alone_scrolls(reader_page: tuple[Any, Patient, str]) -> None:
    page, _, _ = reader_page
    add_lesion(page, "Target", "Liver")
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
