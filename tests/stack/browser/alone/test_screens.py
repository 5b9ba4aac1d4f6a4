"""Every screen of the page, in each language, at three widths, light and dark. Nothing overflows; axe finds nothing.

With SCREENS_DIR set (`make screens`), each is also kept as a picture.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from functions.serve_page import app
from tests.stack.browser.alone.scripted import Scripted, answer, resource
from tests.stack.browser.conftest import LOGO_ORIGIN, violations
from tests.support.stacks import RETURN_ORIGIN

Prepare = Callable[[Page, Scripted, str], None]
# Of each kind of window its widths in pixels. The first opens it, and it is resized to the others.
WINDOWS = {"touch": {"small-phone": 320, "phone": 390}, "mouse": {"desktop": 1280}}
HEIGHT = 780
SIX_DIGITS = {"type": "enter_digits", "length": 6}
ALL_METHODS = ["reverse_call", "flash_call", "voice_call"]


# A name, and a logo; a colour that can't be read on white, and one that can't be seen on black.
BRANDED = {
    "BRAND_NAME": "Neighbourhood Grocers",
    "BRAND_COLOR": "#b3005e",
    "SUPPORT_URL": "https://shop.example.com/help",
    "BRANDS": json.dumps(
        {
            "pale": {
                "name": "Pale",
                "color": "#ffdd2d",
                "logo_url": f"{LOGO_ORIGIN}/pale.svg",
                "support_url": "mailto:help@pale.example",
            },
            "dark": {"name": "Dark", "color": "#101820"},
        }
    ),
}
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 36">
<rect width="36" height="36" rx="8" fill="#ffdd2d"/>
<text x="46" y="26" font-family="sans-serif" font-size="24" font-weight="700">Pale</text></svg>"""


def reading(status: int = 200, /, method: str = "reverse_call", **changes: Any) -> Prepare:
    """The page after a read that says this."""

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        lasts = {} if method == "reverse_call" else {"lasts": 298}
        body = resource(method, **{"phone": "+7******4321", **lasts, **changes})
        api.read = answer(status, body if status == 200 else {})
        page.goto(api.link(locale))
        page.locator("#lead, .lead").first.wait_for()

    return prepare


def hint(page: Page, api: Scripted, locale: str) -> None:
    page.clock.install()
    reading()(page, api, locale)
    page.clock.run_for(26_000)
    page.locator("#hint").wait_for()


def loading(page: Page, api: Scripted, locale: str) -> None:
    api.read = answer(500)
    page.goto(api.link(locale))
    page.locator("h1").wait_for()


def checked(status: int = 200, /, *, wait: int = 0, **body: Any) -> Prepare:
    """The page after a code that this answers."""

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        content = resource("flash_call", valid=False, **body) if status == 200 else body
        reading(method="flash_call")(page, api, locale)
        api.check = answer(status, content, Retry_After=str(wait))
        page.locator("#digits").fill("1234")
        page.locator(".bad").first.wait_for()

    return prepare


def typing(page: Page, api: Scripted, locale: str) -> None:
    reading(method="flash_call")(page, api, locale)
    page.locator("#digits").fill("04")


def again(page: Page, api: Scripted, locale: str) -> None:
    reading(method="flash_call", repeat_in=-1)(page, api, locale)
    expect(page.locator("#again")).to_be_enabled()


def switching(status: int = 0, /, *, wait: int = 0, brand: str | None = None, **body: Any) -> Prepare:
    """The form that a switch asks for the number with, after this answer, if any."""

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        reading(brand=brand)(page, api, locale)
        page.locator("#switch").click()
        api.switch = answer(status, body, Retry_After=str(wait))
        if status:
            page.locator("#phone").fill("+79000004322")
            page.keyboard.press("Enter")
            page.wait_for_load_state("networkidle")

    return prepare


def ended(status: str, **changes: Any) -> Prepare:
    return reading(status=status, switches_remaining=0, **changes)


def leaving(page: Page, api: Scripted, locale: str) -> None:
    # The browser would leave the page after a moment. With this answer it stays.
    page.route(f"{RETURN_ORIGIN}/**", lambda route: route.fulfill(status=204))
    ended("verified", return_url=f"{RETURN_ORIGIN}/done")(page, api, locale)


def link_incomplete(page: Page, api: Scripted, _locale: str) -> None:
    page.goto(f"{api.base_url}/page")


def branded(brand: str, prepare: Prepare) -> Prepare:
    """The screen of a stack with brands, as this one's."""

    def prepared(page: Page, api: Scripted, locale: str) -> None:
        api.configure(**BRANDED)
        page.route(f"{LOGO_ORIGIN}/**", lambda route: route.fulfill(body=LOGO, content_type="image/svg+xml"))
        plain = api.link
        api.link = lambda locale="en", **more: plain(locale, brand=brand, **more)  # type: ignore[method-assign]
        prepare(page, api, locale)

    return prepared


def offline(page: Page, api: Scripted, locale: str) -> None:
    reading()(page, api, locale)
    page.context.set_offline(True)
    page.locator("#connection:visible").wait_for()


SCREENS: dict[str, Prepare] = {
    "loading": loading,
    "reverse-call": reading(),
    "reverse-call-hint": hint,
    "reverse-call-all-methods": reading(allowed_methods=ALL_METHODS),
    "reverse-call-test": reading(mode="test"),
    "flash-call": reading(method="flash_call"),
    "flash-call-typing": typing,
    "flash-call-again": again,
    "voice-call": reading(method="voice_call", challenge=SIX_DIGITS, allowed_methods=ALL_METHODS),
    "wrong-digits": checked(checks_remaining=4),
    "digits-locked": checked(429, limit="phone_guesses", wait=86_400),
    "digits-too-often": checked(429, limit="browser_10m", wait=95),
    "switch": switching(),
    "switch-other-number": switching(422, code="phone_mismatch"),
    "switch-cooldown": switching(429, code="rate_limited", limit="phone_cooldown", wait=14),
    "switch-day-limit": switching(429, code="rate_limited", limit="phone_day", wait=40_000),
    "verified": ended("verified", evidence="code_matched"),
    "verified-return": leaving,
    "tries-used-up": ended("failed", method="flash_call", reason="checks_exhausted"),
    "failed": ended("failed", reason="provider_rejected"),
    "failed-return": ended("failed", reason="provider_rejected", return_url=f"{RETURN_ORIGIN}/done"),
    "expired": ended("expired", reason="window_elapsed"),
    "expired-digits": ended("expired", method="flash_call", reason="window_elapsed"),
    "canceled": ended("canceled", reason="canceled_by_client"),
    "link-ended": reading(404),
    "link-incomplete": link_incomplete,
    "offline": offline,
    "brand-reverse-call": branded("", reading()),
    "brand-expired": branded("", ended("expired", reason="window_elapsed")),
    "brand-pale-flash-call": branded("pale", reading(method="flash_call", brand="pale", repeat_in=-1)),
    "brand-pale-failed": branded("pale", ended("failed", brand="pale", mode="test", reason="provider_rejected")),
    "brand-dark-switch": branded("dark", switching(brand="dark")),
}


def keep(page: Page, *names: str) -> None:
    if folder := os.environ.get("SCREENS_DIR"):
        page.screenshot(path=Path(folder) / f"{'-'.join(filter(None, names))}.png")


@pytest.mark.parametrize("locale", sorted(app.words()))
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(
    open_context: Callable[..., BrowserContext], api: Scripted, screen: str, window: str, locale: str
) -> None:
    widths = WINDOWS[window]
    page = open_context(min(widths.values()), HEIGHT, f"{locale}-XX").new_page()
    SCREENS[screen](page, api, locale)
    expect(page.locator("html")).to_have_attribute("lang", locale)
    expect(page.locator("h1")).to_have_count(1)
    for device, width in widths.items():
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            keep(page, screen, device, locale, "dark" if theme == "dark" else "")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # A title is one line, but for the smallest telephones.
        assert device == "small-phone" or page.evaluate("document.querySelector('h1').clientHeight") < 36
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast", "link-in-text-block") == []  # the rules that look at colours
    page.emulate_media(color_scheme="light")
    assert violations(page) == []


def test_a_language_has_every_form_for_numbers(window: Page, api: Scripted) -> None:
    window.goto(api.link())
    for language, words in app.words().items():
        forms = window.evaluate("tag => new Intl.PluralRules(tag).resolvedOptions().pluralCategories", language)
        counted = {name: text for name, text in words.items() if isinstance(text, dict) and "other" in text}
        assert len(counted) >= 4
        assert {name: set(forms) - text.keys() for name, text in counted.items()} == {name: set() for name in counted}
