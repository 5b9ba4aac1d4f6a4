"""The element in a page of another site, and that site's own calls: at the allowed origin alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from examples.shop import create_app
from tests.stack.browser.conftest import Service, serving, violations
from tests.support.stacks import SHOP

HOST_PAGE = """<!doctype html><html lang="en"><title>Shop</title>
<script src="{base}/page/callverify.js"></script>
<main><h1>Shop</h1><call-verify page-url="{url}"></call-verify></main>
<script>
  const heard = [];
  for (const name of ["pending", "verified", "failed", "expired", "canceled", "restart"])
    document.querySelector("call-verify").addEventListener(name, (event) => heard.push([name, event.detail.id]));
</script></html>"""


def host(site: dict[str, str], service: Service, verification: dict[str, Any]) -> None:
    site["/"] = HOST_PAGE.format(base=service.env["BASE_URL"], url=verification["page_url"].replace("&", "&amp;"))


def test_a_frame_verifies_and_tells_its_surroundings(window: Page, service: Service, site: dict[str, str]) -> None:
    begun = service.start(method="flash_call")
    host(site, service, begun)
    window.goto(SHOP)
    frame = window.frame_locator("iframe")
    frame.locator("#digits").wait_for()
    assert violations(window) == []
    # The frame tells its height in a message, which may come a moment after its content.
    wanted = frame.locator("html").evaluate("html => html.scrollHeight")
    expect(window.locator("iframe")).to_have_js_property("clientHeight", wanted)
    assert window.evaluate("document.activeElement.tagName") == "BODY"
    frame.locator("#digits").fill(service.code(begun))
    expect(frame.locator("h1")).to_have_text("Number confirmed")
    window.wait_for_function("heard.length >= 2")
    assert window.evaluate("heard") == [["pending", begun["id"]], ["verified", begun["id"]]]


def test_a_frame_asks_for_a_new_verification(window: Page, service: Service, site: dict[str, str]) -> None:
    begun = service.start("TEST_API_KEY", phone="+79000000102")
    host(site, service, begun)
    window.goto(SHOP)
    window.frame_locator("iframe").get_by_role("button", name="Start again").click()
    window.wait_for_function("heard.some(([name]) => name === 'restart')")
    assert [name for name, _ in window.evaluate("heard")] == ["expired", "restart"]


def test_nobody_else_may_frame_the_page(browser: Browser, service: Service, site: dict[str, str]) -> None:
    host(site, service, service.start(method="flash_call"))
    page = browser.new_page()
    with page.expect_console_message(lambda line: "frame-ancestors" in line.text):
        # The same site by another name, and so another origin.
        page.goto(SHOP.replace("localhost", "127.0.0.1"))
    assert page.frames[1].url.startswith("chrome-error:")
    page.close()


def test_a_frame_hears_its_parent_alone(window: Page, service: Service, site: dict[str, str]) -> None:
    begun = service.start(method="reverse_call")
    host(site, service, begun)
    window.goto(SHOP)
    window.frame_locator("iframe").locator("#number").wait_for()
    forged = {"callverify": "verified", "id": begun["id"]}
    window.evaluate("forged => window.postMessage(forged, '*')", forged)
    window.evaluate("() => new Promise((resolve) => setTimeout(resolve, 100))")
    assert [name for name, _ in window.evaluate("heard")] == ["pending"]


READ = """async ([base, id, token]) => {
  const answer = await fetch(`${base}/verifications/${id}`, { headers: { Authorization: `Bearer ${token}` } });
  return [answer.status, (await answer.json()).code];
}"""


def test_the_allowed_origin_may_call_the_api(window: Page, service: Service, site: dict[str, str]) -> None:
    site["/"] = "<!doctype html><title>Shop</title>"
    begun = service.start(method="reverse_call")
    window.goto(SHOP)
    base, token = service.env["BASE_URL"], begun["client_token"]
    assert window.evaluate(READ, [base, begun["id"], token]) == [200, None]
    assert window.evaluate(READ, [base, "vrf_another", token]) == [403, "forbidden"]  # the gateway's own
    assert window.evaluate(READ, [base, begun["id"], "cvt.no"]) == [401, "unauthorized"]


def test_another_origin_may_not(window: Page, service: Service) -> None:
    begun = service.start(method="reverse_call")
    window.goto(f"{service.env['SIMULATOR_URL']}/demo")
    failed = window.evaluate(
        "arguments => (" + READ + ")(arguments).catch((error) => error.name)",
        [service.env["BASE_URL"], begun["id"], begun["client_token"]],
    )
    assert failed == "TypeError"


# The example


@pytest.fixture
def shop(service: Service) -> Any:
    app = create_app(service.env["BASE_URL"], service.env["API_KEY"])
    with serving(app):
        yield app


@pytest.mark.usefixtures("shop")
def test_the_example_shop_believes_only_what_it_started_and_once(
    window: Page, open_context: Callable[..., BrowserContext], service: Service
) -> None:
    phone = service.new_phone()
    window.goto(SHOP)
    window.get_by_label("Phone").fill(phone)
    window.get_by_role("button", name="Confirm here").click()
    frame = window.frame_locator("iframe")
    frame.locator("#number").wait_for()
    dialled = re.sub(r"[^\d+]", "", frame.locator("#number").inner_text())
    service.dial({"full_phone": phone, "challenge": {"number": dialled}})
    expect(window.locator("h1")).to_have_text(f"{phone} is yours")
    window.goto(f"{SHOP}/done")
    expect(window.get_by_role("alert")).to_have_text("Nothing is being confirmed here.")
    stranger = open_context().new_page()
    stranger.goto(f"{SHOP}/done?verification_id=vrf_somebody_elses")
    expect(stranger.get_by_role("alert")).to_have_text("Nothing is being confirmed here.")
