"""A deployed stack leads the page to each of its ends. What they look like is seen in alone/test_screens.py."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from callverify.providers.registry import manifests
from tests.stack.browser.conftest import SECONDS, Service
from tests.support.stacks import RETURN_ORIGIN

Prepare = Callable[[Page, Service], None]
REVERSE = [each.name for each in manifests() if any(route.code is None for route in each.routes)]


def show(page: Page, verification: dict[str, Any]) -> dict[str, Any]:
    page.goto(verification["page_url"])
    return verification


def verified(page: Page, service: Service) -> None:
    begun = show(page, service.start(method="flash_call"))
    page.locator("#digits").fill(service.code(begun))


def tries_used_up(page: Page, service: Service) -> None:
    begun = show(page, service.start(method="flash_call"))
    for left in (4, 3, 2, 1):
        page.locator("#digits").fill(service.wrong_code(begun))
        expect(page.locator(".note.bad")).to_contain_text(str(left))
    page.locator("#digits").fill(service.wrong_code(begun))


def failed(page: Page, service: Service) -> None:
    begun = show(page, service.start(method="flash_call", return_url=f"{RETURN_ORIGIN}/done"))
    page.locator("#switch").click()
    service.rest(begun)
    for provider in REVERSE:
        service.fault(provider, "number_refused", begun)
    page.locator("#phone").fill(begun["full_phone"])
    page.keyboard.press("Enter")
    expect(page.locator("#return")).to_have_text("Start again")


def expired(page: Page, service: Service) -> None:
    show(page, service.start("TEST_API_KEY", phone="+79000000102"))
    expect(page.locator(".test")).to_have_text("Test mode: no real call is made")


def canceled(page: Page, service: Service) -> None:
    begun = show(page, service.start(method="reverse_call"))
    page.locator("#number").wait_for()
    service.cancel(begun)


def link_ended(page: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    page.goto(begun["page_url"].replace("token=cvt.", "token=cvt.0"))
    # It takes two refusals, and each of them a turn of the authorizer.
    expect(page.locator("h1 + .lead")).to_be_visible(timeout=3 * SECONDS * 1000)


def link_incomplete(page: Page, service: Service) -> None:
    page.goto(f"{service.env['BASE_URL']}/page")


ENDS: dict[str, Prepare] = {
    "Number confirmed": verified,
    "Too many wrong codes": tries_used_up,
    "Number not confirmed": failed,
    "Time’s up": expired,
    "Confirmation canceled": canceled,
    "This link has expired": link_ended,
    "This link is incomplete": link_incomplete,
}


@pytest.mark.parametrize("title", ENDS)
def test_end(window: Page, service: Service, title: str) -> None:
    ENDS[title](window, service)
    expect(window.locator("h1")).to_have_text(title)
    expect(window.locator("#leave, #return")).to_be_visible()
