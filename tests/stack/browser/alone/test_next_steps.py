"""Whose page it is, and where the user goes on: another method's form, a wait, an end, support."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack.browser.alone.scripted import Scripted, answer, resource
from tests.stack.browser.alone.test_trouble import pass_time, stopped
from tests.stack.browser.conftest import LOGO_ORIGIN

Open = Callable[..., BrowserContext]
ENDED: dict[str, Any] = {"status": "expired", "reason": "window_elapsed"}
BRANDS = {
    "BRAND_NAME": "Shop",
    "BRAND_COLOR": "#b3005e",
    "SUPPORT_URL": "https://shop.example.com/help",
    "BRANDS": json.dumps({"acme": {"name": "Acme", "color": "#ffdd2d", "logo_url": f"{LOGO_ORIGIN}/acme.svg"}}),
}
LOGOS = f"{LOGO_ORIGIN}/**"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
RATE_LIMITED = {"code": "rate_limited", "limit": "phone_cooldown"}


def fill_color(page: Page) -> str:
    color: str = page.locator(".button").first.evaluate("button => getComputedStyle(button).backgroundColor")
    return color


# Whose page it is


def test_a_page_has_the_stacks_own_brand(window: Page, api: Scripted) -> None:
    api.configure(**BRANDS)
    window.goto(api.link())
    expect(window.get_by_role("banner")).to_have_text("Shop")
    expect(window).to_have_title("Call this number · Shop")
    expect(window.get_by_role("link", name="Need help?")).to_have_attribute("href", BRANDS["SUPPORT_URL"])


def test_a_page_has_the_brand_of_its_start(window: Page, api: Scripted) -> None:
    api.configure(**BRANDS)
    api.read = answer(200, resource(**ENDED, brand="acme"))
    window.route(LOGOS, lambda route: route.fulfill(body=PICTURE, content_type="image/svg+xml"))
    with window.expect_request(LOGOS):
        window.goto(api.link(brand="acme"))
    expect(window.get_by_role("banner").get_by_role("img", name="Acme")).to_have_count(1)
    expect(window).to_have_title("Time’s up · Acme")
    assert fill_color(window) == "rgb(255, 221, 45)"
    # It has no support of its own, and is not sent to another's.
    expect(window.get_by_role("link")).to_have_count(0)


def test_a_link_cannot_choose_the_brand(window: Page, api: Scripted) -> None:
    api.configure(**BRANDS)
    api.read = answer(200, resource(**ENDED))
    window.route(LOGOS, lambda route: route.fulfill(status=404))
    window.goto(api.link(brand="acme"))
    expect(window.locator(".sign")).to_be_visible()
    expect(window.get_by_role("banner")).to_have_text("Shop")
    assert fill_color(window) == "rgb(179, 0, 94)"


@pytest.mark.parametrize("brand", ["nobody", "__proto__", "toString"])
def test_an_unknown_brand_is_the_stacks_own(window: Page, api: Scripted, brand: str) -> None:
    api.configure(**BRANDS)
    api.read = answer(200, resource(brand=brand))
    window.goto(api.link(brand=brand))
    window.locator("#number").wait_for()
    expect(window.get_by_role("banner")).to_have_text("Shop")


def test_in_place_of_a_logo_that_does_not_come_stands_the_name(window: Page, api: Scripted) -> None:
    api.configure(**BRANDS)
    api.read = answer(200, resource(brand="acme"))
    window.route(LOGOS, lambda route: route.fulfill(status=404))
    window.goto(api.link(brand="acme"))
    expect(window.get_by_role("banner")).to_have_text("Acme")


def test_a_test_is_marked_as_one(window: Page, api: Scripted) -> None:
    api.read = answer(200, resource(mode="test"))
    window.goto(api.link())
    expect(window.get_by_role("banner")).to_have_text("Test mode: no real call is made")


# The form of a switch


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("9000000101", "+7 9000000101"),
        ("89000000101", "+7 9000000101"),
        ("+79000000101", "+79000000101"),
        ("(+7) 900 000-01-01", "(+7) 900 000-01-01"),
        ("900 000-01-01", "+7 900 000-01-01"),
    ],
)
def test_the_country_stands_there_already(window: Page, api: Scripted, keys: str, sent: str) -> None:
    api.switch = answer(422, {"code": "invalid_phone"})
    window.goto(api.link())
    window.locator("#switch").click()
    expect(window.locator("#phone")).to_have_value("+7 ")
    window.keyboard.type(keys)
    with window.expect_response("**/switch"):
        window.keyboard.press("Enter")
    assert dict(api.asked)["switch"]["phone"] == sent


def test_the_country_alone_is_no_number(window: Page, api: Scripted) -> None:
    window.goto(api.link())
    window.locator("#switch").click()
    window.keyboard.press("Enter")
    expect(window.locator("#note")).to_have_text("Enter a mobile phone number.")
    assert "switch" not in dict(api.asked)


def open_cooldown(window: Page, api: Scripted) -> None:
    api.switch = answer(429, RATE_LIMITED, Retry_After="14")
    stopped(window, api.link())
    window.locator("#switch").click()
    window.locator("#phone").fill("+79000000101")
    window.keyboard.press("Enter")
    expect(window.locator("button[type=submit]")).to_have_text("Continuing in 0:14")


def test_a_switch_within_the_cooldown_is_made_when_it_is_over(window: Page, api: Scripted) -> None:
    open_cooldown(window, api)
    expect(window.locator("button[type=submit]")).to_be_disabled()
    expect(window.locator("#note")).to_be_empty()
    pass_time(window, 10)
    expect(window.locator("button[type=submit]")).to_have_text("Continuing in 0:04")
    api.switch = answer(200, resource("flash_call", attempts=resource()["attempts"] * 2))
    pass_time(window, 5)
    expect(window.locator("h1")).to_have_text("We’re calling you")
    assert [name for name, _ in api.asked].count("switch") == 2


def test_a_switch_that_was_given_up_is_not_made(window: Page, api: Scripted) -> None:
    open_cooldown(window, api)
    window.get_by_role("button", name="Back").click()
    pass_time(window, 20)
    expect(window.locator("h1")).to_have_text("Call this number")
    assert [name for name, _ in api.asked].count("switch") == 1


def test_a_code_that_came_too_often_counts_down_until_it_may_be_tried(window: Page, api: Scripted) -> None:
    api.read = answer(200, resource("flash_call", lasts=300))
    api.check = answer(429, {"limit": "browser_10m"}, Retry_After="30")
    stopped(window, api.link())
    window.locator("#digits").fill("1234")
    pass_time(window, 1)
    note = window.locator("#note")
    expect(note).to_contain_text("Too many attempts. Try again in 0:")
    pass_time(window, 10)
    expect(note).to_have_text(re.compile("in 0:(19|20)"))
    pass_time(window, 22)
    expect(note).to_be_empty()
    expect(window.locator("#digits")).not_to_have_attribute("aria-invalid", "true")


# The ends


@pytest.mark.parametrize(
    ("ended", "label"), [({"status": "verified"}, "Go back"), (ENDED, "Go back and start again")], ids=str
)
def test_without_a_way_back_the_user_goes_where_they_were(
    window: Page, api: Scripted, ended: dict[str, Any], label: str
) -> None:
    window.goto(f"{api.base_url}/page/icon.svg")
    api.read = answer(200, resource(**ended))
    window.goto(api.link())
    window.get_by_role("button", name=label, exact=True).click()
    window.wait_for_url("**/page/icon.svg")


def test_a_page_that_cannot_be_closed_says_what_to_do(open_context: Open, api: Scripted) -> None:
    page = open_context().new_page()
    api.read = answer(200, resource(**ENDED))
    # As in a window that an app opened: nothing to go back to, and no right to close it.
    page.add_init_script("window.close = () => {}; Object.defineProperty(history, 'length', { value: 1 });")
    page.goto(api.link())
    page.locator("#leave").click()
    expect(page.get_by_text("Close this page to go back to the app or site you came from.").first).to_be_visible()


def test_support_is_offered_at_an_end_once(window: Page, api: Scripted) -> None:
    api.configure(**BRANDS)
    api.read = answer(200, resource(**ENDED))
    window.goto(api.link())
    expect(window.get_by_role("link", name="Contact support")).to_have_attribute("href", BRANDS["SUPPORT_URL"])
    expect(window.get_by_role("link")).to_have_count(1)
