"""Every screen of the page, in both languages, on a telephone and on a desktop, light and dark.

With SCREENS_DIR set (`make screens`), each is also kept as a picture.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from callverify.providers.registry import manifests
from tests.stack.browser.conftest import SECONDS, Service, run, violations
from tests.support.stacks import RETURN_ORIGIN

Prepare = Callable[[Page, Service, str], None]
DEVICES = {"phone": (320, 800), "desktop": (1100, 800)}
TITLES = {
    "reverse-call": ("Call this number", "Позвоните на этот номер"),
    "reverse-call-hint": ("Call this number", "Позвоните на этот номер"),
    "flash-call": ("We’re calling you", "Мы вам звоним"),
    "wrong-digits": ("We’re calling you", "Мы вам звоним"),
    "switch": ("We call you", "Мы позвоним вам"),
    "verified": ("Number confirmed", "Номер подтверждён"),
    "verified-return": ("Number confirmed", "Номер подтверждён"),
    "tries-used-up": ("No tries left", "Попытки закончились"),
    "failed": ("The call did not work", "Звонок не получился"),
    "expired": ("Time’s up", "Время вышло"),
    "canceled": ("Canceled", "Подтверждение отменено"),
    "link-ended": ("This link has expired", "Ссылка больше не действует"),
    "link-incomplete": ("This link is not complete", "Ссылка неполная"),
    "offline": ("Call this number", "Позвоните на этот номер"),
}

REVERSE = [each.name for each in manifests() if any(route.code is None for route in each.routes)]


def show(page: Page, verification: dict[str, Any]) -> dict[str, Any]:
    page.goto(verification["page_url"])
    return verification


def digits(page: Page, text: str) -> None:
    page.locator("#digits").fill(text)


def reverse_call(page: Page, service: Service, locale: str) -> None:
    show(page, service.start(method="reverse_call", locale=locale))
    page.locator("#number").wait_for()
    page.wait_for_load_state("networkidle")


def reverse_call_hint(page: Page, service: Service, locale: str) -> None:
    page.clock.install()
    reverse_call(page, service, locale)
    run(page, 26)
    page.locator("#hint").wait_for()


def flash_call(page: Page, service: Service, locale: str) -> None:
    show(page, service.start(method="flash_call", locale=locale))
    page.locator("#digits").wait_for()


def wrong_digits(page: Page, service: Service, locale: str) -> None:
    begun = show(page, service.start(method="flash_call", locale=locale))
    digits(page, service.wrong_code(begun))
    page.locator(".note.bad").wait_for()


def switch(page: Page, service: Service, locale: str) -> None:
    reverse_call(page, service, locale)
    page.locator("#switch").click()


def verified(page: Page, service: Service, locale: str) -> None:
    begun = show(page, service.start(method="flash_call", locale=locale))
    digits(page, service.code(begun))


def verified_return(page: Page, service: Service, locale: str) -> None:
    # The browser would leave the page after a moment.
    page.route(f"{RETURN_ORIGIN}/**", lambda route: route.fulfill(status=204))
    begun = show(page, service.start(method="flash_call", locale=locale, return_url=f"{RETURN_ORIGIN}/done"))
    digits(page, service.code(begun))
    page.locator("#return").wait_for()


def tries_used_up(page: Page, service: Service, locale: str) -> None:
    begun = show(page, service.start(method="flash_call", locale=locale))
    for left in (4, 3, 2, 1):
        digits(page, service.wrong_code(begun))
        expect(page.locator(".note.bad")).to_contain_text(str(left))
    digits(page, service.wrong_code(begun))


def failed(page: Page, service: Service, locale: str) -> None:
    begun = show(page, service.start(method="flash_call", locale=locale, return_url=f"{RETURN_ORIGIN}/done"))
    page.locator("#switch").click()
    service.rest(begun)
    for provider in REVERSE:
        service.fault(provider, "number_refused", begun)
    page.locator("#phone").fill(begun["full_phone"])
    page.keyboard.press("Enter")


def expired(page: Page, service: Service, locale: str) -> None:
    show(page, service.start("TEST_API_KEY", phone="+79000000102", locale=locale))


def canceled(page: Page, service: Service, locale: str) -> None:
    begun = show(page, service.start(method="reverse_call", locale=locale))
    page.locator("#number").wait_for()
    service.cancel(begun)


def link_ended(page: Page, service: Service, locale: str) -> None:
    begun = service.start(method="reverse_call", locale=locale)
    page.goto(begun["page_url"].replace("token=cvt.", "token=cvt.0"))
    # It takes two refusals, and each of them a turn of the authorizer.
    expect(page.locator("h1 + .lead")).to_be_visible(timeout=3 * SECONDS * 1000)


def link_incomplete(page: Page, service: Service, _locale: str) -> None:
    page.goto(f"{service.env['BASE_URL']}/page")


def offline(page: Page, service: Service, locale: str) -> None:
    reverse_call(page, service, locale)
    page.context.set_offline(True)
    page.locator("#connection:visible").wait_for()


SCREENS: dict[str, Prepare] = {
    "reverse-call": reverse_call,
    "reverse-call-hint": reverse_call_hint,
    "flash-call": flash_call,
    "wrong-digits": wrong_digits,
    "switch": switch,
    "verified": verified,
    "verified-return": verified_return,
    "tries-used-up": tries_used_up,
    "failed": failed,
    "expired": expired,
    "canceled": canceled,
    "link-ended": link_ended,
    "link-incomplete": link_incomplete,
    "offline": offline,
}


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(
    open_context: Callable[..., BrowserContext], service: Service, screen: str, device: str, locale: str
) -> None:
    width, height = DEVICES[device]
    page = open_context(width, height, f"{locale}-XX").new_page()
    SCREENS[screen](page, service, locale)

    title = TITLES[screen][locale == "ru"]
    expect(page.locator("h1")).to_have_text(title)
    expect(page.locator("html")).to_have_attribute("lang", locale)
    expect(page).to_have_title(title)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast", "link-in-text-block") == []  # the rules that look at colours
    page.emulate_media(color_scheme="light")
    assert violations(page) == []
    if folder := os.environ.get("SCREENS_DIR"):
        page.screenshot(path=Path(folder) / f"{screen}-{device}-{locale}.png")
        if (screen, locale) == ("flash-call", "ru"):
            page.emulate_media(color_scheme="dark")
            page.screenshot(path=Path(folder) / f"{screen}-{device}-{locale}-dark.png")
