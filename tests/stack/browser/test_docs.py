"""The page of the API at /docs: everywhere readable, under its policy, to the last example."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack.browser.conftest import violations
from tools.render_docs.examples import LANGUAGES

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


def test_search_finds_operations_errors_and_schemas(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack)
    window.keyboard.press("/")
    field = window.get_by_role("searchbox", name="Search")
    expect(field).to_be_focused()
    field.fill("phone_mismatch")
    found = window.locator(".search li a")
    expect(found.first).to_have_text("phone_mismatch")
    field.press("Enter")
    expect(window.locator("#error-phone_mismatch")).to_be_in_viewport()
    expect(found).to_have_count(0)
    field.fill("poll_after verification")
    expect(found.filter(has_text=re.compile("^Verification$"))).to_have_count(1)
    field.fill("nothing has these words")
    expect(window.get_by_role("status")).to_have_text("0 found")
    field.press("Escape")
    expect(field).to_have_value("")


def test_one_choice_of_a_language_is_for_all_examples_and_is_kept(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack, "#startVerification")
    curl, python = (
        window.locator(f'#checkCode .example > [data-language="{name}"]').first for name in ("curl", "python")
    )
    expect(curl).to_be_visible()
    expect(python).to_be_hidden()
    window.locator("#startVerification").get_by_role("button", name="Python").first.click()
    for _ in range(2):
        expect(python).to_be_visible()
        expect(curl).to_be_hidden()
        window.reload()
    # Signatures are shown in the languages that there are.
    window.locator("#startVerification").get_by_role("button", name="curl").first.click()
    expect(window.locator("#receiveEvent .example pre:visible")).to_have_count(1)


def test_a_button_copies_an_example(open_context: Open, stack: dict[str, str]) -> None:
    context = open_context(1440, 900)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    visit(page, stack)
    panel = page.locator("#startVerification .panel").first
    panel.get_by_role("button").click()
    expect(panel.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == panel.locator("pre").text_content()


def test_without_a_script_every_language_is_shown(open_context: Open, stack: dict[str, str]) -> None:
    page = open_context(1440, 900, java_script_enabled=False).new_page()
    page.goto(f"{stack['BASE_URL']}/docs")
    for language in LANGUAGES:
        expect(page.locator(f'#checkCode .example > [data-language="{language}"]').first).to_be_visible()
    expect(page.locator(".search")).to_be_hidden()


def test_paper_shows_what_is_closed_on_screen(window: Page, stack: dict[str, str]) -> None:
    visit(window, stack)
    expect(window.locator("#schema-Problem")).to_be_hidden()
    window.emulate_media(media="print")
    expect(window.locator("#schema-Problem")).to_be_visible()
    expect(window.locator("nav")).to_be_hidden()
