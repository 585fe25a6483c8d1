"""An administrator's day with people: a new colleague, a link, the colleague's first sign-in, and the end of a role."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Membership, Role
from tests.clinic.browser import signed_in_tab
from tests.factories import CentreFactory, make_user

pytestmark = pytest.mark.browser


def test_a_colleague_is_added_signs_in_by_the_link_and_leaves_again(
    live_server_of_committed: LiveServer,
) -> None:
    site = live_server_of_committed.url
    centre = CentreFactory(code="STA")
    administrator = make_user(role=Role.ADMINISTRATOR, centre=centre, username="administrator")
    with signed_in_tab(site, administrator) as tab:
        tab.goto(site + reverse("people"))
        tab.get_by_role("link", name="Add a person").click()
        tab.get_by_label("User name").fill("nele")
        tab.get_by_label("Role").select_option("coordinator")
        tab.get_by_role("button", name="Add the person").click()
        expect(tab.locator(".message")).to_contain_text("nele was added")
        tab.get_by_role("button", name="Make a password link").click()
        link = tab.locator(".account-secret").inner_text()
        assert tab.evaluate("window.violations") == []

        newcomer = tab.context.browser.new_context().new_page()
        newcomer.goto(link)
        newcomer.get_by_label("New password", exact=True).fill("quite another sentence to keep")
        newcomer.get_by_label("New password (again)").fill("quite another sentence to keep")
        newcomer.get_by_role("button", name="Set the password").click()
        newcomer.get_by_role("link", name="Sign in").click()
        newcomer.locator("[name=login]").fill("nele")
        newcomer.locator("[name=password]").fill("quite another sentence to keep")
        newcomer.locator("main button[type=submit]").click()
        expect(newcomer.get_by_role("heading", name="What is due")).to_be_visible()

        tab.goto(site + reverse("people"))
        tab.get_by_role("link", name="nele").click()
        expect(tab.get_by_text("1 open")).to_be_visible()
        tab.get_by_role("button", name="End all sessions").click()
        newcomer.reload()
        expect(newcomer.get_by_role("button", name="Sign in")).to_be_visible()

        tab.get_by_text("End the role Coordinator at STA").click()
        tab.get_by_label("Reason").first.fill("Moved to another clinic")
        tab.get_by_role("button", name="End this role").click()
        expect(tab.locator(".message")).to_contain_text("has ended")
    assert not Membership.objects.filter(user__username="nele").exists()
