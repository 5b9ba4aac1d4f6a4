"""The page of the API at /docs: everywhere readable, under its policy, to the last example."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack.browser.conftest import violations

Open = Callable[..., BrowserContext]
DEVICES = {"phone": (320, 800), "desktop": (1440, 900)}


def visit(page: Page, stack: dict[str, str], fragment: str = "") -> None:
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.goto(f"{stack['BASE_URL']}/docs{fragment}")
    page.wait_for_load_state("networkidle")
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_all_of_it_is_readable(open_context: Open, stack: dict[str, str], device: str, scheme: str) -> None:
    width, height = DEVICES[device]
    # The checks are a script, which the page's policy lets in from nobody.
    page = open_context(width, height, color_scheme=scheme, bypass_csp=True).new_page()
    visit(page, stack)
    expect(page.locator("h1")).to_have_text("callverify")
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


def test_the_policy_lets_the_style_in(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack)
    assert window.evaluate("getComputedStyle(document.querySelector('nav')).position") == "sticky"


def test_a_link_to_a_schema_opens_it(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack, "#startVerification")
    expect(window.locator("#startVerification h3")).to_be_in_viewport()
    expect(window.locator("#schema-StartRequest")).to_be_hidden()
    window.locator("#startVerification").get_by_role("link", name="StartRequest").click()
    expect(window.locator("#schema-StartRequest")).to_be_visible()
    expect(window.locator("#schema-StartRequest")).to_be_in_viewport()


def test_paper_shows_what_is_closed_on_screen(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack)
    expect(window.locator("#schema-Problem")).to_be_hidden()
    window.emulate_media(media="print")
    expect(window.locator("#schema-Problem")).to_be_visible()
    expect(window.locator("nav")).to_be_hidden()
