"""The page in every state that the API can bring it to: no word of a programmer's is shown or read aloud."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.stack.browser.alone.scripted import Scripted, answer, resource
from tests.support.stacks import RETURN_ORIGIN

Open = Callable[..., BrowserContext]
Prepare = Callable[[Page, Scripted, str], None]
ENDED: dict[str, Any] = {
    "status": "expired",
    "reason": "window_elapsed",
    "repeats_remaining": 0,
    "repeat_after": None,
    "switches_remaining": 0,
}


def flash(**changes: Any) -> dict[str, Any]:
    return resource("flash_call", **changes)


def digits(page: Page) -> Any:
    return page.locator("#digits")


def reading(answered: int = 200, /, **changes: Any) -> Prepare:
    """The page after a read that says this."""
    method = changes.pop("method", "reverse_call")

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        api.read = answer(answered, resource(method, **changes) if answered == 200 else {})
        page.goto(api.link(locale))
        if answered == 200 and changes.get("challenge", True):
            expect(page).not_to_have_title(re.compile("Confirm your number|Подтверждение номера"))
        page.locator("h1").wait_for()

    return prepare


def after_check(answered: int, /, **body: Any) -> Prepare:
    headers = body.pop("headers", {})

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        api.check = answer(answered, flash(**body) if answered == 200 else body, **headers)
        reading(method="flash_call")(page, api, locale)
        digits(page).fill("1234")
        expect(page.locator(".note.bad, .sign + h1").first).to_be_visible()

    return prepare


def switch(answered: int | None = None, /, phone: str = "+79000000101", **body: Any) -> Prepare:
    headers = body.pop("headers", {})

    def prepare(page: Page, api: Scripted, locale: str) -> None:
        reading()(page, api, locale)
        page.locator("#switch").click()
        if answered is not None:
            api.switch = answer(answered, body, **headers)
            page.locator("#phone").fill(phone)
            page.keyboard.press("Enter")
            expect(page.locator("#note:not(:empty), button[type=submit][disabled]").first).to_be_visible()

    return prepare


def while_checking(page: Page, api: Scripted, locale: str) -> None:
    page.route("**/check", lambda _: None)
    reading(method="flash_call")(page, api, locale)
    digits(page).fill("1234")
    expect(page.locator(".digits.busy")).to_be_visible()


def some_time_later(prepare: Prepare, seconds: int) -> Prepare:
    def later(page: Page, api: Scripted, locale: str) -> None:
        page.clock.install()
        prepare(page, api, locale)
        page.clock.run_for(seconds * 1000)

    return later


def call_again(answered: int, /, **body: Any) -> Prepare:
    def prepare(page: Page, api: Scripted, locale: str) -> None:
        api.repeat = answer(answered, flash() if answered == 200 else body)
        some_time_later(reading(method="flash_call", lasts=300), 61)(page, api, locale)
        page.locator("#again").click()
        page.wait_for_load_state("networkidle")

    return prepare


def offline(page: Page, api: Scripted, locale: str) -> None:
    reading()(page, api, locale)
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()


def framed() -> Prepare:
    """As another site's frame shows it. The policy is left out: the site is not what is tested."""

    def within(page: Page, api: Scripted, locale: str) -> None:
        def unframe(route: Route) -> None:
            got = route.fetch()
            headers = {name: value for name, value in got.headers.items() if name != "content-security-policy"}
            route.fulfill(response=got, headers=headers)

        page.route("**/page", unframe)
        api.read = answer(200, resource(**ENDED))
        page.set_content(f'<iframe title="" src="{api.link(locale)}"></iframe>')
        expect(page.frame_locator("iframe").locator(".sign + h1")).to_have_text(re.compile("Time’s up|Время вышло"))

    return within


def empty(page: Page, api: Scripted, _locale: str) -> None:
    page.goto(f"{api.base_url}/page")


STATES: dict[str, Prepare] = {
    "loading": reading(500),
    "the provider has not answered yet": reading(challenge=None),
    "reverse call": reading(),
    "reverse call alone": reading(allowed_methods=["reverse_call"]),
    "reverse call, an unknown method allowed": reading(allowed_methods=["reverse_call", "telepathy", "toString"]),
    "reverse call, of an earlier version of the API": reading(
        allowed_methods=None, switches_remaining=None, switch_until=None, repeat_after=None
    ),
    "reverse call, hint": some_time_later(reading(allowed_methods=["reverse_call"]), 26),
    "reverse call, test mode": reading(mode="test", allowed_methods=["reverse_call"]),
    "reverse call, third attempt": reading(attempts=resource()["attempts"] * 3, switches_remaining=0),
    "reverse call, switches over": reading(switch_for=-1),
    "reverse call, number of another country": reading(
        challenge={"type": "call_number", "number": "+49305551234", "tel_uri": "tel:+49305551234"}
    ),
    "reverse call, number too long for the code": reading(
        challenge={"type": "call_number", "number": "+" + "1" * 30, "tel_uri": "tel:+" + "1" * 30}
    ),
    "reverse call, its time over": some_time_later(reading(lasts=20), 25),
    "flash call": reading(method="flash_call"),
    "flash call alone": reading(method="flash_call", allowed_methods=["flash_call"]),
    "flash call, test mode": reading(method="flash_call", mode="test"),
    "flash call, six digits": reading(method="flash_call", challenge={"type": "enter_digits", "length": 6}),
    "flash call, one digit": reading(method="flash_call", challenge={"type": "enter_digits", "length": 1}),
    "flash call, brand and test mode": reading(method="flash_call", brand="unknown", mode="test"),
    "flash call, one try left": reading(method="flash_call", checks_remaining=1),
    "flash call, tries not told": reading(method="flash_call", checks_remaining=None),
    "flash call, may be repeated": some_time_later(reading(method="flash_call", lasts=300), 61),
    "flash call, no repeats": some_time_later(reading(method="flash_call", lasts=300, repeats_remaining=0), 61),
    "voice call": reading(method="voice_call", challenge={"type": "enter_digits", "length": 6}),
    "voice call, one digit": reading(method="voice_call", challenge={"type": "enter_digits", "length": 1}),
    "all methods allowed": reading(allowed_methods=["reverse_call", "flash_call", "voice_call"]),
    "voice call, missed": some_time_later(
        reading(method="voice_call", lasts=300, repeats_remaining=0, repeat_after=None, allowed_methods=["voice_call"]),
        26,
    ),
    "a method to come": reading(method="telepathy", challenge={"type": "enter_digits", "length": 6}),
    "called again": call_again(200),
    "not called again yet": call_again(429, code="repeat_too_soon"),
    "not called again": call_again(409, code="repeat_exhausted"),
    "checking": while_checking,
    "wrong digits": after_check(200, valid=False, checks_remaining=4),
    "wrong digits, tries not told": after_check(200, valid=False, checks_remaining=None),
    "digits locked": after_check(429, code="rate_limited", limit="phone_guesses"),
    "digits too often": after_check(429, code="rate_limited", limit="browser_10m", headers={"Retry_After": "600"}),
    "digits too often, no time told": after_check(429),
    "digits lost": after_check(502),
    "no tries left": after_check(
        200, valid=False, status="failed", reason="checks_exhausted", checks_remaining=0, repeats_remaining=0
    ),
    "switch": switch(),
    "switch, no number": switch(0, phone="nothing"),
    "switch, other number": switch(422, code="phone_mismatch"),
    "switch, not a mobile": switch(422, code="invalid_phone"),
    "switch, too often": switch(429, headers={"Retry_After": "600"}),
    "switch, too soon": switch(429, headers={"Retry_After": "20"}),
    "switch, not open": switch(409, code="switch_exhausted"),
    "switch, broken": switch(500),
    "verified": reading(status="verified", evidence="provider_signature"),
    "verified, way back": some_time_later(reading(status="verified", return_url=f"{RETURN_ORIGIN}/done"), 0),
    "failed": reading(status="failed", reason="provider_rejected"),
    "failed, way back": reading(status="failed", reason="provider_unavailable", return_url=f"{RETURN_ORIGIN}/done"),
    "failed for a reason to come": reading(status="failed", reason="out_of_luck"),
    "expired": reading(**ENDED),
    "expired before a challenge": reading(**ENDED | {"challenge": None}),
    "expired, digits": reading(**ENDED, method="flash_call"),
    "canceled": reading(status="canceled", reason="canceled_by_client"),
    "a status to come": reading(status="paused"),
    "link ended": reading(404),
    "link incomplete": empty,
    "offline": offline,
    "framed": framed(),
}
WORDS_OF_A_PROGRAMMER = re.compile(r"\b(null|undefined|NaN|Infinity)\b|\[object|\{\w*\}", re.IGNORECASE)
SHOWN = """() => [document.title, document.body.innerText, ...[...document.querySelectorAll("*")].flatMap((element) =>
  [...element.attributes].map(({ name, value }) => `${element.tagName} ${name}=${value}`))]"""


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("state", STATES)
def test_no_word_of_a_programmers(open_context: Open, api: Scripted, state: str, locale: str) -> None:
    page = open_context().new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.on("console", lambda line: failed.append(line.text) if "Error:" in line.text else None)
    STATES[state](page, api, locale)
    shown = [text for frame in page.frames for text in frame.evaluate(SHOWN) if frame.locator("body").count()]
    assert len(shown) > 10
    assert [text for text in shown if WORDS_OF_A_PROGRAMMER.search(text)] == []
    assert failed == []
