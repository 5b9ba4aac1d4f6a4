"""What the page does: keyboard, paste, reload, tabs, secrets, other origins, waiting, connection, the way back."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.stack.browser.conftest import Service, run
from tests.support.stacks import RETURN_ORIGIN

Open = Callable[..., BrowserContext]


def has_focus(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


# The link and its secrets


def test_secrets_leave_the_address_bar_and_reach_no_server(window: Page, service: Service) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    window.on("request", lambda request: asked.append((request.url, request.headers)))
    begun = service.start(method="reverse_call")
    window.goto(begun["page_url"])
    window.locator("#number").wait_for()
    assert window.url == f"{service.env['BASE_URL']}/page"
    assert window.evaluate("history.length") == 2  # about:blank, and the page without its fragment
    for url, headers in asked:
        assert begun["client_token"] not in url
        told = {name for name, value in headers.items() if begun["client_token"] in value}
        assert told <= {"authorization"}
        assert not headers.get("referer")
        assert begun["id"] not in url or "/verifications/" in url


def test_reload_in_the_middle_goes_on(window: Page, service: Service) -> None:
    begun = service.start(method="flash_call")
    window.goto(begun["page_url"])
    window.locator("#digits").fill(service.wrong_code(begun))
    expect(window.locator("#note")).to_contain_text("4 attempts left")
    window.reload()
    window.locator("#digits").wait_for()
    window.locator("#digits").fill(service.code(begun))
    expect(window.locator("h1")).to_have_text("Number confirmed")
    window.reload()
    expect(window.locator("h1")).to_have_text("Number confirmed")


def test_two_tabs_each_have_their_own(open_context: Open, service: Service) -> None:
    context = open_context()
    tabs = [context.new_page(), context.new_page()]
    begun = [service.start(method="flash_call"), service.start(method="flash_call")]
    for tab, verification in zip(tabs, begun, strict=True):
        tab.goto(verification["page_url"])
        tab.locator("#digits").wait_for()
    tabs[0].reload()
    tabs[0].locator("#digits").fill(service.code(begun[0]))
    expect(tabs[0].locator("h1")).to_have_text("Number confirmed")
    assert service.read(begun[0])["status"] == "verified"
    assert service.read(begun[1])["status"] == "pending"
    expect(tabs[1].locator("h1")).to_have_text("We’re calling you")


def test_two_tabs_of_one_verification_agree(open_context: Open, service: Service) -> None:
    context = open_context()
    begun = service.start(method="flash_call")
    tabs = [context.new_page(), context.new_page()]
    for tab in tabs:
        tab.goto(begun["page_url"])
        tab.locator("#digits").wait_for()
    tabs[0].locator("#digits").fill(service.code(begun))
    for tab in tabs:
        expect(tab.locator("h1")).to_have_text("Number confirmed")


def test_another_link_in_the_same_tab_takes_over(window: Page, service: Service) -> None:
    first, second = service.start(method="reverse_call"), service.start(method="flash_call")
    window.goto(first["page_url"])
    window.locator("#number").wait_for()
    window.goto(second["page_url"])
    window.locator("#digits").wait_for()
    assert "token" not in window.url


@pytest.mark.parametrize(
    ("asked", "browsers", "shown"), [(None, "ru-RU", "ru"), (None, "de-DE", "en"), ("en", "ru-RU", "en")]
)
def test_language_is_the_starts_then_the_browsers(
    open_context: Open, service: Service, asked: str | None, browsers: str, shown: str
) -> None:
    page = open_context(locale=browsers).new_page()
    page.goto(service.start(method="reverse_call", locale=asked)["page_url"])
    expect(page.locator("html")).to_have_attribute("lang", shown)


# The number to call


def test_a_desktop_shows_a_code_and_a_telephone_dials(open_context: Open, service: Service) -> None:
    begun = service.start(method="reverse_call")
    desktop, phone = open_context().new_page(), open_context(320, 640).new_page()
    for page in (desktop, phone):
        page.goto(begun["page_url"])
        expect(page.locator("#number")).to_have_attribute("href", begun["challenge"]["tel_uri"])
    expect(desktop.locator("figure svg").first).to_be_visible()
    expect(desktop.locator("a.dial")).to_be_hidden()
    expect(phone.locator("a.dial")).to_have_attribute("href", begun["challenge"]["tel_uri"])
    expect(phone.locator("figure svg").first).to_be_hidden()


def test_the_number_can_be_copied(open_context: Open, service: Service) -> None:
    begun = service.start(method="reverse_call")
    page = open_context(permissions=["clipboard-read", "clipboard-write"]).new_page()
    page.goto(begun["page_url"])
    page.get_by_role("button", name="Copy number").click()
    expect(page.get_by_role("status")).to_have_text("Number copied")
    assert page.evaluate("navigator.clipboard.readText()") == begun["challenge"]["number"]


def test_a_call_verifies(window: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    window.goto(begun["page_url"])
    window.locator("#number").wait_for()
    service.dial(begun)
    expect(window.locator("h1")).to_have_text("Number confirmed")


# The digits


def test_by_keyboard_alone(window: Page, service: Service) -> None:
    begun = service.start(method="flash_call")
    window.goto(begun["page_url"])
    window.locator("#digits").wait_for()
    assert has_focus(window, "#digits")
    window.keyboard.type(service.wrong_code(begun))
    expect(window.locator("#note")).to_contain_text("These digits don’t match")
    assert has_focus(window, "#digits")
    for _ in range(3):
        window.keyboard.press("Tab")
        if has_focus(window, "#switch"):
            break
    window.keyboard.press("Enter")
    expect(window.locator("h1")).to_have_text("Call us from your phone")
    assert has_focus(window, "#phone")
    service.rest(begun)
    window.keyboard.type(begun["full_phone"])
    window.keyboard.press("Enter")
    expect(window.locator("h1")).to_have_text("Call this number")
    assert has_focus(window, "h1")
    begun["challenge"] = service.read(begun)["challenge"]
    service.dial(begun)
    expect(window.locator("h1")).to_have_text("Number confirmed")
    assert has_focus(window, "h1")


def test_a_screen_reader_is_told_what_changes(window: Page, service: Service) -> None:
    begun = service.start(method="flash_call")
    window.goto(begun["page_url"])
    expect(window.get_by_role("status")).to_have_text("We’re calling you")
    field = window.get_by_role("textbox", name="Last 4 digits of the calling number")
    expect(field).to_have_accessible_description(re.compile("Don’t answer.*last 4 digits"))
    field.fill(service.wrong_code(begun))
    expect(window.get_by_role("status")).to_have_text("These digits don’t match. 4 attempts left.")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(service.code(begun))
    expect(window.get_by_role("status")).to_have_text("Number confirmed")


@pytest.mark.parametrize("pasted", ["{code}", "+7 900 000-{code}", " {code}\n"])
def test_paste(open_context: Open, service: Service, pasted: str) -> None:
    context = open_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    begun = service.start(method="flash_call")
    page.goto(begun["page_url"])
    page.locator("#digits").focus()
    page.evaluate("text => navigator.clipboard.writeText(text)", pasted.format(code=service.code(begun)))
    page.keyboard.press("Control+V")
    expect(page.locator("h1")).to_have_text("Number confirmed")


def test_digits_fill_their_boxes_and_backspace_takes_them_out(window: Page, service: Service) -> None:
    window.goto(service.start(method="flash_call")["page_url"])
    window.locator("#digits").wait_for()
    expect(window.locator("#digits")).to_have_attribute("autocomplete", "one-time-code")
    expect(window.locator("#digits")).to_have_attribute("inputmode", "numeric")
    window.keyboard.type("1x2")
    assert window.locator(".digits span").all_text_contents() == ["1", "2", "", ""]
    window.keyboard.press("Backspace")
    assert window.locator(".digits span").all_text_contents() == ["1", "", "", ""]


def test_another_call_may_be_asked_for_after_a_while(window: Page, service: Service) -> None:
    begun = service.start("TEST_API_KEY", phone="+79000000101", allowed_methods=["flash_call"])
    window.goto(begun["page_url"])
    again = window.locator("#again")
    expect(again).to_be_enabled()
    with window.expect_response(re.compile("/repeat$")) as answer:
        again.click()
    assert answer.value.status == 200
    assert answer.value.request.headers["idempotency-key"]
    assert answer.value.request.post_data_json == {}


def test_a_provider_that_repeats_later_is_waited_for(window: Page, service: Service) -> None:
    window.clock.install()
    window.goto(service.start(method="flash_call")["page_url"])
    window.locator("#again").wait_for()
    window.clock.run_for(70_000)  # ours alone: the provider's minute is not over
    window.locator("#again").click()
    expect(window.locator("#again")).to_be_disabled()
    expect(window.locator("#again")).to_contain_text("Call me again in")


# Another method


def test_a_switch_asks_for_the_same_number(window: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    window.goto(begun["page_url"])
    window.locator("#switch").click()
    window.locator("#phone").fill(service.new_phone())
    window.keyboard.press("Enter")
    expect(window.locator("#note")).to_contain_text("This isn’t the number you’re confirming.")
    service.rest(begun)
    window.locator("#phone").fill(begun["full_phone"])
    window.keyboard.press("Enter")
    expect(window.locator("h1")).to_have_text("We’re calling you")
    window.locator("#digits").fill(service.code(begun))
    expect(window.locator("h1")).to_have_text("Number confirmed")
    assert [attempt["method"] for attempt in service.read(begun)["attempts"]] == ["reverse_call", "flash_call"]


def test_a_switch_can_be_thought_better_of(window: Page, service: Service) -> None:
    window.goto(service.start(method="reverse_call")["page_url"])
    window.locator("#switch").click()
    window.get_by_role("button", name="Back").click()
    expect(window.locator("h1")).to_have_text("Call this number")


def test_no_switch_where_no_other_method_is_allowed(window: Page, service: Service) -> None:
    window.goto(service.start(method="reverse_call", allowed_methods=["reverse_call"])["page_url"])
    window.locator("#number").wait_for()
    expect(window.locator("#switch")).to_have_count(0)


# Waiting


class Reads:
    """Answers the page's reads itself, and counts them."""

    def __init__(self, page: Page, service: Service) -> None:
        self.body = service.start(method="reverse_call")
        self.count = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        page.clock.install()
        # Which it would read beside, seldom.
        del self.body["updates"]
        self.body["page_url"] = re.sub(r"&(updates|channel)=[^&]+", "", self.body["page_url"])
        page.route(re.compile(r"/verifications/vrf_\w+$"), self._answer)
        page.goto(self.body["page_url"])
        page.locator("#number").wait_for()

    def _answer(self, route: Route) -> None:
        self.count += 1
        # The test's clock is not the service's.
        route.fulfill(status=self.status, headers=self.headers, json=self.body | {"poll_after": None})


def test_reads_become_fewer(window: Page, service: Service) -> None:
    reads = Reads(window, service)
    counts = []
    for _ in range(3):
        before = reads.count
        run(window, 10)
        counts.append(reads.count - before)
    assert counts[0] > counts[1] >= 1
    assert counts[0] >= counts[2] >= 1  # as many as the last, or one more, by where a slice begins


def test_coming_back_reads_at_once(window: Page, service: Service) -> None:
    reads = Reads(window, service)
    run(window, 30)
    before = reads.count
    window.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    window.clock.run_for(10)
    window.evaluate("() => fetch('page/icon.svg')")
    assert reads.count == before + 1


def test_the_connection_goes_and_comes_back(window: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    window.goto(begun["page_url"])
    window.locator("#number").wait_for()
    window.context.set_offline(True)
    expect(window.get_by_role("alert")).to_have_text("No connection. We’ll continue when you’re back online.")
    service.dial(begun)
    window.context.set_offline(False)
    expect(window.locator("h1")).to_have_text("Number confirmed")
    expect(window.locator("#connection")).to_be_hidden()


def test_digits_that_got_lost_can_be_sent_again(window: Page, service: Service) -> None:
    begun = service.start(method="flash_call")
    window.goto(begun["page_url"])
    window.route("**/check", lambda route: route.abort())
    window.locator("#digits").fill(service.code(begun))
    expect(window.locator("#note")).to_have_text("That didn’t go through. Please try again.")
    window.unroute("**/check")
    window.locator("#digits").press("Enter")
    expect(window.locator("h1")).to_have_text("Number confirmed")


# Push


def expect_verified(window: Page, service: Service, begun: dict[str, Any]) -> None:
    window.locator("#number").wait_for()
    service.dial(begun)
    expect(window.locator("h1")).to_have_text("Number confirmed")


def test_the_end_is_heard_where_nothing_can_be_read(window: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    reads = 0

    def first_two(route: Route) -> None:
        nonlocal reads
        reads += 1
        # At the beginning, and once it listens.
        route.fallback() if reads <= 2 else route.abort()

    window.route(re.compile(r"/verifications/vrf_\w+$"), first_two)
    with window.expect_websocket() as socket:
        window.goto(begun["page_url"])
    window.wait_for_function("() => performance.getEntriesByType('resource').length >= 2")
    assert socket.value.url == begun["updates"]["url"]
    expect_verified(window, service, begun)


@pytest.mark.parametrize("how", ["by its policy", "by a refusal"])
def test_the_end_is_read_where_nothing_can_be_heard(browser: Browser, service: Service, how: str) -> None:
    window = browser.new_page(locale="en-US")

    def without(route: Route) -> None:
        answered = route.fetch()
        policy = answered.headers["content-security-policy"]
        headers = {**answered.headers, "content-security-policy": re.sub(r" wss?://\S+?(?=;)", "", policy)}
        route.fulfill(response=answered, headers=headers)

    begun = service.start(method="reverse_call")
    url = begun["page_url"]
    if how == "by its policy":
        window.route("**/page", without)
    else:
        url = url.replace("updates=cvu", "updates=cvt")
    window.goto(url)
    expect_verified(window, service, begun)
    window.close()


# The way back


def test_the_user_goes_back_with_the_id_and_nothing_secret(window: Page, service: Service) -> None:
    window.route(
        f"{RETURN_ORIGIN}/**", lambda route: route.fulfill(body="<title>Shop</title>", content_type="text/html")
    )
    begun = service.start(method="flash_call", return_url=f"{RETURN_ORIGIN}/done?cart=7")
    window.goto(begun["page_url"])
    window.locator("#digits").fill(service.code(begun))
    window.wait_for_url(f"{RETURN_ORIGIN}/done**")
    assert parse_qs(urlsplit(window.url).query) == {"cart": ["7"], "verification_id": [begun["id"]]}
    assert urlsplit(window.url).fragment == ""


@pytest.mark.parametrize("target", ["https://evil.example/", "javascript:alert(1)", f"{RETURN_ORIGIN}/logout"])
def test_a_forged_way_back_is_not_taken(window: Page, service: Service, target: str) -> None:
    window.clock.install()  # nor left for after a moment
    begun = service.start(method="flash_call")
    window.goto(f"{begun['page_url']}&return={target}")
    window.locator("#digits").fill(service.code(begun))
    expect(window.locator("h1")).to_have_text("Number confirmed")
    assert window.locator("#return").count() == 0


@pytest.mark.parametrize("path", ["/page/", "/page"])
def test_a_slash_too_many_is_forgiven(window: Page, service: Service, path: str) -> None:
    begun = service.start(method="flash_call")
    window.goto(begun["page_url"].replace("/page", path).replace("&", "&amp;"))
    window.locator("#digits").wait_for()
    assert window.url == f"{service.env['BASE_URL']}/page"


# Weight


def test_the_page_is_one_small_request(window: Page, service: Service) -> None:
    sizes: dict[str, int] = {}
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url.removeprefix(service.env["BASE_URL"]))

    window.on("request", note)
    window.on(
        "response", lambda answer: sizes.update({answer.url: len(answer.body())}) if "/page" in answer.url else None
    )
    window.goto(service.start(method="reverse_call")["page_url"])
    window.locator("#number").wait_for()
    window.wait_for_load_state("networkidle")
    # Of the page itself; the icon is data.
    assert len([url for url in asked if not url.startswith(("/verifications/", "data:"))]) == 1
    assert 30_000 < sum(sizes.values()) < 60_000


def test_headers(service: Service) -> None:
    answer = requests.get(f"{service.env['BASE_URL']}/page", timeout=60)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer.headers["Cache-Control"]
