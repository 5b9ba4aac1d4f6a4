"""What a newcomer does with `make dev` and two windows: typing nothing but a phone number.

With SCREENS_DIR set (`make screens`), each step is also kept as a picture, in order.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack.browser.conftest import Service

Picture = Callable[[Page], None]


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Iterator[Picture]:
    steps = 0

    def take(page: Page) -> None:
        nonlocal steps
        steps += 1
        if folder := os.environ.get("SCREENS_DIR"):
            name = request.node.name.removeprefix("test_").replace("_", "-")
            page.screenshot(path=Path(folder) / f"{name}-{steps}.png")

    yield take
    assert steps


def start(window: Page, service: Service, phone: str, method: str, picture: Picture) -> None:
    """Type a number into the demo's form and choose a way."""
    window.goto(f"{service.env['SIMULATOR_URL']}/demo")
    window.get_by_label("Phone number").fill(phone)
    picture(window)
    window.get_by_role("button", name=method).click()


def telephone(open_context: Callable[..., BrowserContext], service: Service, phone: str) -> Page:
    page = open_context(900, 700).new_page()
    page.goto(f"{service.env['SIMULATOR_URL']}/phone")
    page.get_by_label("Number of this phone").fill(phone)
    return page


def test_by_hand_reverse_call(
    window: Page, open_context: Callable[..., BrowserContext], service: Service, picture: Picture
) -> None:
    phone = service.new_phone()
    start(window, service, phone, "Reverse call", picture)
    window.locator("#number").wait_for()
    picture(window)
    other = telephone(open_context, service, phone)
    other.get_by_label("Number to call").fill(window.locator("#number").inner_text())
    other.get_by_role("button", name="Call").click()
    expect(other.locator("#outcome")).to_contain_text("dropped the call")
    expect(other.locator("#webhooks tr").first).to_contain_text("answered: 200")
    picture(other)
    expect(window.locator("h1")).to_have_text("Number confirmed")
    picture(window)


def test_by_hand_flash_call(
    window: Page, open_context: Callable[..., BrowserContext], service: Service, picture: Picture
) -> None:
    phone = service.new_phone()
    # It rings for some seconds, in which a busy machine may not get a second window open.
    other = telephone(open_context, service, phone)
    start(window, service, phone, "Flash call", picture)
    expect(other.locator("#incoming li")).to_have_class("ringing")
    picture(other)
    call = other.locator("#incoming li strong").first
    expect(call).to_have_text(re.compile(r"\+7\d{10}"))
    window.locator("#digits").wait_for()
    picture(window)
    window.locator("#digits").press_sequentially(call.inner_text()[-4:])
    expect(window.locator("h1")).to_have_text("Number confirmed")
    picture(window)


def test_by_hand_voice_call(
    window: Page, open_context: Callable[..., BrowserContext], service: Service, picture: Picture
) -> None:
    phone = service.new_phone()
    start(window, service, phone, "Voice call", picture)
    window.locator("#digits").wait_for()
    other = telephone(open_context, service, phone)
    spoken = other.locator("#incoming li span").nth(1)
    expect(spoken).to_have_text(re.compile(r"\d"))
    picture(other)
    other.get_by_role("button", name="Press 1").click()
    expect(other.locator("#heard")).to_have_text("Not pressed: no call to this phone is asking for a key")
    window.locator("#digits").press_sequentially(re.sub(r"\D", "", spoken.inner_text())[:6])
    expect(window.locator("h1")).to_have_text("Number confirmed")
    picture(window)


def test_the_demo_says_why_it_cannot_start(window: Page, service: Service) -> None:
    window.goto(f"{service.env['SIMULATOR_URL']}/demo")
    window.get_by_label("Phone number").fill("112")
    window.get_by_role("button", name="Flash call").click()
    expect(window.get_by_role("alert")).to_contain_text("invalid_phone")


def test_the_telephone_says_why_it_did_not_dial(window: Page, service: Service) -> None:
    window.goto(f"{service.env['SIMULATOR_URL']}/phone")
    window.get_by_label("Number of this phone").fill(service.new_phone())
    window.get_by_label("Number to call").fill("+79000000000")
    window.get_by_role("button", name="Call").click()
    expect(window.locator("#outcome")).to_have_text("No vendor expects this call.")
    window.get_by_label("Number to call").fill("what")
    window.get_by_role("button", name="Call").click()
    expect(window.locator("#outcome")).to_contain_text("Not dialled")
