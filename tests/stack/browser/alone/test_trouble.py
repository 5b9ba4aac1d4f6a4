"""What goes wrong around the page: refusals, odd links, older browsers, hasty and thorough fingers."""

import re
import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zxingcpp
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from functions.serve_page import app
from tests.stack.browser.alone.scripted import ID, NUMBER, TOKEN, Answer, Scripted, answer, resource, timestamp
from tests.support.stacks import RETURN_ORIGIN

Open = Callable[..., BrowserContext]
EVIL = "https://evil.example"


def pass_time(page: Page, seconds: float) -> None:
    """Let the page's clock run, in steps that leave answers time to arrive."""
    for _ in range(round(seconds * 2)):
        page.clock.run_for(500)
        page.evaluate("() => fetch('page/icon.svg')")


def stop(page: Page) -> None:
    now = datetime.now(UTC)
    page.clock.install(time=now)
    page.clock.pause_at(now + timedelta(seconds=1))


def stopped(page: Page, link: str) -> None:
    """Open the page with a clock that the test moves."""
    stop(page)
    page.goto(link)


def come_back(page: Page, event: str) -> None:
    target = "document" if event == "visibilitychange" else "window"
    page.evaluate(f"{target}.dispatchEvent(new Event('{event}'))")
    pass_time(page, 0.5)


def flash(**changes: Any) -> dict[str, Any]:
    return resource("flash_call", **{"lasts": 300, **changes})


# Reads that are refused


@pytest.mark.parametrize(
    ("name", "body"), [("check", {"limit": "phone_guesses"}), ("switch", {"code": "rate_limited"})]
)
def test_a_refused_button_stops_no_read(window: Page, api: Scripted, name: str, body: dict[str, Any]) -> None:
    """Locked for a day: the user switches, and dials."""
    setattr(api, name, answer(429, body, Retry_After="86400"))
    api.read = answer(200, flash())
    stopped(window, api.link())
    if name == "check":
        window.locator("#digits").fill("1234")
    else:
        window.locator("#switch").click()
        window.locator("#phone").fill("+79000000101")
        window.locator("#phone").press("Enter")
    pass_time(window, 1)
    expect(window.locator("#note")).not_to_be_empty()
    assert name in dict(api.asked)
    api.read = answer(200, flash(status="verified"))
    pass_time(window, 6)
    expect(window.locator("h1")).to_have_text("Number confirmed")


@pytest.mark.parametrize("refusal", [answer(429, Retry_After="86400"), answer(503, Retry_After="3600"), answer(500)])
def test_a_refused_read_is_tried_again_within_half_a_minute(window: Page, api: Scripted, refusal: Answer) -> None:
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    api.read = refusal
    pass_time(window, 6)
    for _ in range(3):
        before = api.reads
        pass_time(window, 31)
        assert 1 <= api.reads - before <= 8
    api.read = answer(200, resource(status="verified"))
    pass_time(window, 31)
    expect(window.locator("h1")).to_have_text("Number confirmed")


def test_a_refused_read_is_tried_again_less_and_less_often(window: Page, api: Scripted) -> None:
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    api.read = answer(500)
    counts = []
    for _ in range(3):
        before = api.reads
        pass_time(window, 30)
        counts.append(api.reads - before)
    assert counts[0] > counts[1] >= counts[2] >= 1


@pytest.mark.parametrize("event", ["visibilitychange", "focus", "pageshow", "online"])
def test_coming_back_reads_even_after_a_refusal(window: Page, api: Scripted, event: str) -> None:
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    api.read = answer(429, Retry_After="86400")
    pass_time(window, 6)
    api.read = answer(200, resource(status="verified"))
    come_back(window, event)
    expect(window.locator("h1")).to_have_text("Number confirmed")


@pytest.mark.parametrize("on_screen", ["#number", "#phone"])
def test_the_end_of_the_window_is_read_even_after_a_refusal(window: Page, api: Scripted, on_screen: str) -> None:
    api.read = answer(200, resource(lasts=30))
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    if on_screen == "#phone":
        window.locator("#switch").click()
    expect(window.locator(on_screen)).to_be_visible()
    pass_time(window, 20)
    api.read = answer(429, Retry_After="86400")
    pass_time(window, 6)
    reads = api.reads
    api.read = answer(200, resource(status="expired", reason="window_elapsed", challenge=None))
    pass_time(window, 5)
    assert api.reads > reads
    expect(window.locator("h1")).to_have_text("Time’s up")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_one_refusal_does_not_end_the_page(window: Page, api: Scripted, status: int) -> None:
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    for _ in range(3):
        reads = api.reads
        api.read = lambda _, first=reads: answer(status) if api.reads == first else answer(200, resource())
        pass_time(window, 12)
        assert api.reads >= reads + 2
        expect(window.locator("h1")).to_have_text("Call this number")
    api.read = answer(status)
    pass_time(window, 12)
    expect(window.locator("h1")).to_have_text("This link has expired")
    ended = api.reads
    pass_time(window, 12)
    assert api.reads == ended


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_link_that_never_works_has_ended(window: Page, api: Scripted, status: int) -> None:
    # What did not arrive in between is no answer.
    answers = iter([answer(status), None, answer(status)])
    window.route(f"**/verifications/{ID}", lambda route: route.continue_() if next(answers, 1) else route.abort())
    api.read = answer(status)
    window.goto(api.link())
    expect(window.locator("h1")).to_have_text("This link has expired")


def test_refusals_apart_do_not_end_the_page(window: Page, api: Scripted) -> None:
    stopped(window, api.link())
    expect(window.locator("#number")).to_be_visible()
    # A firewall's, then its 429, then its 403 once more.
    answers = iter([answer(403), answer(429), answer(403), answer(500), answer(404), answer(200, resource())])
    api.read = lambda _: next(answers, answer(200, resource()))
    pass_time(window, 25)
    assert next(answers, None) is None
    expect(window.locator("h1")).to_have_text("Call this number")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_check_does_not_end_the_page(window: Page, api: Scripted, status: int) -> None:
    api.read, api.check = answer(200, flash()), answer(status)
    window.goto(api.link())
    window.locator("#digits").fill("1234")
    expect(window.locator("#note")).to_have_text("That didn’t go through. Please try again.")
    api.check = answer(200, flash(status="verified"))
    window.locator("#digits").press("Enter")
    expect(window.locator("h1")).to_have_text("Number confirmed")


# Answers that are not ours, and a page that cannot draw


@pytest.mark.parametrize("body", ["<html>Sign in to the hotel's network</html>", '{"id": "vrf_', "null", "{}", "[]"])
def test_an_answer_that_is_not_ours_stops_no_read(window: Page, api: Scripted, body: str) -> None:
    window.route(f"**/verifications/{ID}", lambda route: route.fulfill(body=body))
    window.goto(api.link())
    with window.expect_response(f"**/verifications/{ID}"):
        pass
    window.unroute(f"**/verifications/{ID}")
    expect(window.locator("h1")).to_have_text("Call this number")


@pytest.mark.parametrize(
    "function", ["Element.prototype.replaceChildren", "Element.prototype.setAttribute", "Intl.PluralRules"]
)
@pytest.mark.parametrize("locale", ["en", "ru"])
def test_what_fails_while_drawing_stops_no_read(open_context: Open, api: Scripted, function: str, locale: str) -> None:
    """Broken until the second read: what is read then is drawn."""
    window = open_context().new_page()
    window.add_init_script(
        f"const works = {function}; {function} = function () {{ throw new TypeError('not here'); }}; "
        f"window.mend = () => {{ {function} = works; }};"
    )
    api.read = answer(200, flash())
    window.goto(api.link(locale=locale))
    said = {"en": "This page doesn’t work in this browser.", "ru": "Страница не работает в этом браузере."}[locale]
    expect(window.locator("main")).to_contain_text(said)
    window.evaluate("mend()")
    expect(window.locator("#digits")).to_be_visible()


def test_the_end_is_shown_once_it_can_be_drawn(window: Page, api: Scripted) -> None:
    window.goto(api.link())
    window.locator("#number").wait_for()
    window.evaluate(
        "() => { const all = Element.prototype, works = all.replaceChildren;"
        " window.mend = () => { all.replaceChildren = works; };"
        " all.replaceChildren = () => { throw new TypeError('not here'); }; }"
    )
    api.read = answer(200, resource(status="verified"))
    expect(window.locator("main")).to_contain_text("This page doesn’t work in this browser.")
    window.evaluate("mend()")
    expect(window.locator("h1")).to_have_text("Number confirmed")


@pytest.mark.parametrize("script", ["let a = 1 @ 2", "nothing.here();"])
def test_a_script_that_cannot_run_says_so(browser: Browser, api: Scripted, script: str) -> None:
    """It is beyond this browser, or fails at once."""
    # Not a window of open_context's: its console has to be clean.
    window = browser.new_page()

    def instead(route: Route) -> None:
        body = re.sub("<script>.*</script>", f"<script>{script}</script>", app.PAGE["body"], flags=re.DOTALL)
        route.fulfill(body=body, content_type="text/html")

    window.route("**/page", instead)
    window.goto(api.link())
    expect(window.locator(".late")).to_be_attached()
    expect(window.locator(".late")).to_be_hidden()
    expect(window.get_by_text("This page didn’t open.")).to_be_visible()
    expect(window.get_by_text("Страница не открылась.")).to_be_visible()
    window.close()


def test_a_script_that_runs_leaves_no_trace_of_that(window: Page, api: Scripted) -> None:
    window.goto(api.link())
    window.locator("#number").wait_for()
    expect(window.locator(".late")).not_to_be_attached()


def test_without_scripts_the_page_says_so(open_context: Open, api: Scripted) -> None:
    page = open_context(java_script_enabled=False).new_page()
    page.goto(api.link())
    # Without scripts by Chromium's emulation, <noscript> stays closed: this is the last line of defence.
    expect(page.get_by_text("This page didn’t open.")).to_be_visible()


def test_a_script_that_the_policy_does_not_name_is_not_run(browser: Browser, api: Scripted) -> None:
    window = browser.new_page()

    def another(route: Route) -> None:
        answered = route.fetch()
        body = answered.text().replace("</body>", "<script>window.run = 1</script></body>")
        route.fulfill(response=answered, body=body)

    window.route("**/page", another)
    window.goto(api.link())
    window.locator("#number").wait_for()
    assert window.evaluate("typeof window.run") == "undefined"
    window.close()


def test_a_page_opened_before_an_upgrade_works_on(browser: Browser, api: Scripted) -> None:
    """Version 0.2's page asks for its files after itself, and allows none within it."""
    window = browser.new_page()

    def before(route: Route) -> None:
        files = '<link rel="stylesheet" href="page/style.css?v=old"><script src="page/qr.js?v=old" defer></script>'
        head = f'<head>{files}<script src="page/app.js?v=old" defer></script>'
        body = re.sub("<(script|style)>.*?</\\1>", "", app.PAGE["body"], flags=re.DOTALL).replace("<head>", head)
        policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
        route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    window.route("**/page", before)
    window.goto(api.link())
    window.locator("#number").wait_for()
    assert read_code(dark_modules(window, ".qr svg")) == [f"tel:{NUMBER}"]
    expect(window.locator(".late")).not_to_be_attached()
    window.close()


# Links


@pytest.mark.parametrize(
    "change",
    [
        lambda link: link.replace("&", "&amp;"),
        lambda link: link.replace("&", "&amp;amp;"),
        lambda link: link.replace("&", "&#38;"),
        lambda link: link.replace("&", "\\u0026"),
        lambda link: link.replace("&", "%26"),
        lambda link: link.replace("&", "%26amp%3B").replace("=", "%3D"),
        lambda link: link.replace("/page#", "/page/#"),
        lambda link: link.replace("/page#", "/page/#").replace("&", "&amp;"),
        lambda link: link.replace("/page#", "/page?utm_source=sms#"),
        lambda link: link + "%0A",
        lambda link: link + "%20",
    ],
)
def test_a_link_that_was_quoted_works(window: Page, api: Scripted, change: Callable[[str], str]) -> None:
    window.goto(change(api.link("ru")))
    expect(window.locator("h1")).to_have_text("Позвоните на этот номер")
    expect(window.locator("#switch")).to_be_visible()
    assert TOKEN not in window.url
    assert ID not in window.url


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_an_address_copied_to_another_browser_says_what_to_do(open_context: Open, api: Scripted, locale: str) -> None:
    first = open_context(locale=locale).new_page()
    first.goto(api.link(""))
    first.locator("#number").wait_for()
    second = open_context(locale=locale).new_page()
    second.goto(first.url)
    said = {"en-US": "open it again", "ru-RU": "откройте ещё раз"}[locale]
    expect(second.locator(".lead")).to_contain_text(said)


@pytest.mark.parametrize("target", [f"{RETURN_ORIGIN}/logout", EVIL, "javascript:alert(1)"])
@pytest.mark.parametrize("named", [None, f"{RETURN_ORIGIN}/done"])
@pytest.mark.parametrize(
    "end", [answer(200, resource(status="verified")), answer(200, resource(status="canceled")), answer(404)]
)
def test_a_link_leads_where_the_start_said(
    window: Page, api: Scripted, end: Answer, named: str | None, target: str
) -> None:
    """`return` is what a link of an earlier version holds, and `returnUrl` the name under which the page keeps it."""
    status, body, headers = end
    api.read = status, body | ({"return_url": named} if named and status == 200 else {}), headers
    stopped(window, api.link(**{"return": target, "returnUrl": target, "return_url": target}))
    pass_time(window, 2)
    expect(window.locator(".sign")).to_be_visible()
    way_back = window.locator("#return")
    if named and status == 200:
        expect(way_back).to_have_attribute("href", f"{named}?verification_id={ID}")
    else:
        expect(way_back).to_have_count(0)


# Digits


def typed(text: str) -> Callable[[Page], None]:
    return lambda page: page.keyboard.type(text, delay=60)


def pasted(text: str) -> Callable[[Page], None]:
    return lambda page: page.locator("#digits").fill(text)


def open_digits(page: Page, api: Scripted) -> None:
    api.read, api.check = answer(200, flash()), answer(200, flash(checks_remaining=4, valid=False))
    page.goto(api.link())
    page.locator("#digits").wait_for()


@pytest.mark.parametrize(
    "entered",
    [
        typed("1234"),
        typed("+7 900 000-12-34"),
        typed("89000001234"),
        pasted("1234"),
        pasted("+7 900 000-12-34"),
        pasted("\u200e+7\u00a0900\u2011000\u201312\u201434\u202c"),
        pasted("١٢٣٤"),
        pasted("+٧٩٠٠٠٠٠١٢٣٤"),
        pasted("۱۲۳۴"),
        pasted("१२३४"),
        pasted("１２３４"),
        pasted("𝟭𝟮𝟯𝟰"),
        pasted("(Call from the number) +7 900 000 12 34, and many more words around it than fit"),
    ],
)
def test_the_last_four_digits_are_checked_once(window: Page, api: Scripted, entered: Callable[[Page], None]) -> None:
    open_digits(window, api)
    entered(window)
    expect(window.locator(".note.bad")).to_have_text("These digits don’t match. 4 attempts left.")
    assert api.codes == ["1234"]


def test_enter_does_not_wait_for_more(window: Page, api: Scripted) -> None:
    stop(window)
    open_digits(window, api)
    window.keyboard.type("1234")
    assert api.codes == []
    window.keyboard.press("Enter")
    expect(window.locator(".note.bad")).to_be_visible()
    assert api.codes == ["1234"]


def test_a_slip_is_mended_before_it_is_checked(window: Page, api: Scripted) -> None:
    stop(window)
    open_digits(window, api)
    window.keyboard.type("1235")
    window.clock.run_for(500)
    window.keyboard.press("Backspace")
    window.clock.run_for(5000)
    assert api.codes == []
    assert window.locator(".digits span").all_text_contents() == ["1", "2", "3", ""]
    window.keyboard.type("4")
    window.clock.run_for(1000)
    expect(window.locator(".note.bad")).to_be_visible()
    assert api.codes == ["1234"]


@pytest.mark.parametrize(("meanwhile", "then"), [("5", "678"), ("5678", "")])
def test_keys_pressed_while_a_code_is_checked_are_kept(window: Page, api: Scripted, meanwhile: str, then: str) -> None:
    open_digits(window, api)
    left = iter([4, 3])
    api.check = lambda _: answer(200, flash(checks_remaining=next(left), valid=False))
    held: list[Route] = []
    window.route("**/check", lambda route: held.append(route), times=1)
    window.locator("#digits").fill("1234")
    expect(window.locator(".digits.busy")).to_be_visible()
    window.keyboard.type(meanwhile)
    held[0].continue_()
    expect(window.locator(".digits.busy")).to_have_count(0)
    window.keyboard.type(then)
    expect(window.locator("#note")).to_have_text("These digits don’t match. 3 attempts left.")
    assert api.codes == ["1234", "5678"]


def test_a_right_code_is_the_last_one(window: Page, api: Scripted) -> None:
    open_digits(window, api)
    api.check = answer(200, flash(status="verified", valid=True))
    window.keyboard.type("1234")
    expect(window.locator("h1")).to_have_text("Number confirmed")
    assert api.codes == ["1234"]


def test_digits_of_every_script_are_digits(window: Page, api: Scripted) -> None:
    open_digits(window, api)
    scripts = re.findall(r"\d{10}", "".join(chr(code) for code in range(0x110000) if chr(code).isdecimal()))
    read = window.evaluate(
        """texts => texts.map((text) => { const input = document.getElementById("digits");
        input.value = text; input.dispatchEvent(new Event("input"));
        const read = input.value; input.value = ""; return read; })""",
        scripts,
    )
    # The browser may know an older or newer Unicode than Python.
    known = [(script, digits) for script, digits in zip(scripts, read, strict=True) if digits]
    assert len(known) > 60
    for script, digits in known:
        assert digits == "".join(str(unicodedata.decimal(char)) for char in script), script


@pytest.mark.parametrize(
    "number",
    [
        "+٧٩٠٠٠٠٠٠١٠١",
        "\u200e+7 900 000\u201101\u201101",
        "(+7) 900 000-01-01",
        "tel:+79000000101",
        "＋７９０００００００１０１",
    ],
)
def test_a_number_in_any_script_is_sent(window: Page, api: Scripted, number: str) -> None:
    api.switch = answer(200, flash())
    window.goto(api.link())
    window.locator("#switch").click()
    window.locator("#phone").fill(number)
    with window.expect_response("**/switch"):
        window.keyboard.press("Enter")
    # As it is: the API is who judges it.
    assert dict(api.asked)["switch"] == {"phone": number, "method": "flash_call"}


# What the resource says, and the page does not know by itself


@pytest.mark.parametrize("length", [1, 4, 6])
def test_as_many_digits_as_the_challenge_has(window: Page, api: Scripted, length: int) -> None:
    challenge, code = {"type": "enter_digits", "length": length}, "042719"[:length]
    api.read = api.check = answer(200, flash(challenge=challenge, checks_remaining=2, valid=False))
    window.goto(api.link())
    expect(window.locator("#lead")).to_contain_text("the last digit" if length == 1 else f"the last {length} digits")
    expect(window.locator(".digits span")).to_have_count(length)
    window.locator("#digits").fill(f"+7900{code}")
    expect(window.locator("#note")).to_have_text("These digits don’t match. 2 attempts left.")
    assert api.codes == [code]


@pytest.mark.parametrize("length", [4, 6, 8])
def test_all_boxes_fit_a_small_telephone(open_context: Open, api: Scripted, length: int) -> None:
    api.read = answer(200, flash(challenge={"type": "enter_digits", "length": length}))
    page = open_context(320, 640).new_page()
    page.goto(api.link("ru"))
    page.locator("#digits").fill("4" * (length - 1))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    widths = [box["width"] for box in (each.bounding_box() for each in page.locator(".digits span").all()) if box]
    assert len(widths) == length
    # The digit is seen, and a field for four is as wide as it was.
    assert min(widths) >= (56 if length == 4 else 20)


@pytest.mark.parametrize("wait", [5, 90])
def test_a_repeat_is_offered_from_the_time_that_is_named(window: Page, api: Scripted, wait: int) -> None:
    api.read = answer(200, flash(repeat_in=wait))
    stopped(window, api.link())
    began = time.monotonic()
    again = window.locator("#again")
    expect(again).to_contain_text("Call me again in")
    expect(again).to_be_disabled()
    pass_time(window, wait - 3)
    expect(again).to_be_disabled()
    pass_time(window, 4)
    expect(again).to_be_enabled()
    # The next one may be as far away as the provider wants it.
    api.read = api.repeat = answer(200, flash(repeats_remaining=1, repeat_in=wait + 1 + 30))
    again.click()
    expect(again).to_be_disabled()
    # The answer's times are of the real clock, which went on while the page's stood.
    pass_time(window, 33 + round(time.monotonic() - began))
    expect(again).to_be_enabled()
    api.read = api.repeat = answer(200, flash(repeats_remaining=0, repeat_after=None))
    again.click()
    expect(again).to_be_hidden()
    assert [body for name, body in api.asked if name == "repeat"] == [{}, {}]


def test_a_repeat_that_is_refused_waits_as_long_as_the_answer_says(window: Page, api: Scripted) -> None:
    api.read, api.repeat = answer(200, flash(repeat_in=-1)), answer(429, {"code": "rate_limited"}, Retry_After="20")
    stopped(window, api.link())
    again = window.locator("#again")
    expect(again).to_be_enabled()
    again.click()
    expect(again).to_contain_text("Call me again in")
    expect(again).to_be_disabled()
    pass_time(window, 21)
    expect(again).to_be_enabled()


NO_REPEAT: dict[str, Any] = {"repeats_remaining": 0, "repeat_after": None}


@pytest.mark.parametrize(("locale", "words"), [("en", "Call me again"), ("ru", "Позвонить ещё раз")])
@pytest.mark.parametrize("method", ["voice_call", "flash_call"])
def test_a_missed_call_without_a_repeat_is_made_again_by_a_switch(
    window: Page, api: Scripted, method: str, locale: str, words: str
) -> None:
    missed = resource(method, lasts=300, allowed_methods=[method], **NO_REPEAT)
    api.read = answer(200, missed)
    stopped(window, api.link(locale))
    again = window.locator("#again")
    window.locator("#digits").wait_for()
    pass_time(window, 20)
    expect(again).to_be_hidden()
    pass_time(window, 6)
    expect(again).to_have_text(words)
    again.click()
    expect(window.locator("h1")).to_have_text(words)
    # By the page's clock, which stands while the test waits.
    called = {**missed["attempts"][0], "at": timestamp(window.evaluate("Date.now()") / 1000)}
    attempts, newer = [*missed["attempts"], called], resource()["revision"]
    api.read = api.switch = answer(200, missed | {"attempts": attempts, "switches_remaining": 1, "revision": newer})
    window.locator("#phone").fill("+79000000101")
    window.locator("#phone").press("Enter")
    window.locator("#digits").wait_for()
    pass_time(window, 1)
    expect(again).to_be_hidden()
    pass_time(window, 26)
    expect(again).to_be_enabled()
    assert [body for name, body in api.asked if name == "switch"] == [{"phone": "+79000000101", "method": method}]
    assert not [body for name, body in api.asked if name == "repeat"]


def test_a_call_that_was_repeated_may_yet_come(window: Page, api: Scripted) -> None:
    api.read = answer(200, flash(repeat_in=30, repeats_remaining=1))
    spent = api.repeat = answer(200, flash(**NO_REPEAT))
    stopped(window, api.link())
    again = window.locator("#again")
    pass_time(window, 31)
    api.read = spent
    again.click()
    expect(again).to_be_hidden()
    pass_time(window, 20)
    expect(again).to_be_hidden()
    pass_time(window, 6)
    again.click()
    expect(window.locator("#phone")).to_be_visible()
    window.get_by_role("button", name="Back").click()
    expect(again).to_be_enabled()


@pytest.mark.parametrize("changes", [{"switches_remaining": 0}, {"allowed_methods": ["reverse_call"]}], ids=str)
def test_no_other_call_is_offered_where_no_switch_makes_it(
    window: Page, api: Scripted, changes: dict[str, Any]
) -> None:
    api.read = answer(200, flash(**NO_REPEAT, **changes))
    stopped(window, api.link())
    window.locator("#digits").wait_for()
    pass_time(window, 30)
    expect(window.locator("#again")).to_be_hidden()


@pytest.mark.parametrize(("locale", "words"), [("en", "the number’s last digits"), ("ru", "последние цифры номера")])
def test_from_one_call_to_another_the_switch_says_where_the_code_is(
    window: Page, api: Scripted, locale: str, words: str
) -> None:
    api.read = answer(200, resource("voice_call", allowed_methods=["voice_call", "flash_call"]))
    window.goto(api.link(locale))
    expect(window.locator("#switch")).to_contain_text(words)


@pytest.mark.parametrize(
    "changes",
    [{"switches_remaining": 0}, {"allowed_methods": ["reverse_call"]}, {"allowed_methods": ["telepathy"]}],
    ids=str,
)
def test_no_switch_is_offered_where_none_is_left(window: Page, api: Scripted, changes: dict[str, Any]) -> None:
    api.read = answer(200, resource(**changes))
    window.goto(api.link(methods="reverse_call,flash_call"))  # of a link that an earlier version made
    window.locator("#number").wait_for()
    expect(window.locator("#switch")).to_have_count(0)


def test_a_switch_is_offered_until_the_time_that_is_named(window: Page, api: Scripted) -> None:
    api.read = answer(200, resource(switch_for=10))
    stopped(window, api.link())
    expect(window.locator("#switch")).to_be_visible()
    pass_time(window, 11)
    expect(window.locator("#switch")).to_be_hidden()


def test_many_switches_are_as_good_as_two(window: Page, api: Scripted) -> None:
    attempts = resource()["attempts"] * 7
    api.read = answer(200, resource(attempts=attempts, switches_remaining=3))
    window.goto(api.link())
    expect(window.locator("#switch")).to_be_visible()


def test_a_challenge_to_come_is_waited_for(window: Page, api: Scripted) -> None:
    """One that only a later version can draw: its page comes with the next reload."""
    api.read = answer(200, resource(challenge={"type": "blink_twice"}))
    window.goto(api.link())
    expect(window.locator("h1")).to_have_text("One moment…")
    api.read = answer(200, resource(status="verified"))
    expect(window.locator("h1")).to_have_text("Number confirmed")


# The code to point a camera at


def dark_modules(page: Page, selector: str) -> list[tuple[int, int]]:
    path = page.locator(f"{selector} path").first.get_attribute("d") or ""
    return [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)]


def read_code(modules: list[tuple[int, int]]) -> list[str]:
    scale, quiet = 4, 4
    side = (25 + 2 * quiet) * scale
    pixels = bytearray(b"\xff" * side * side)
    for x, y in modules:
        for row in range(scale):
            start = ((y + quiet) * scale + row) * side + (x + quiet) * scale
            pixels[start : start + scale] = bytes(scale)
    return [code.text for code in zxingcpp.read_barcodes(memoryview(bytes(pixels)).cast("B", (side, side)))]


@pytest.mark.parametrize("number", [NUMBER, "+4930123", "+999999999999999"])
def test_the_code_dials_the_number(window: Page, api: Scripted, number: str) -> None:
    api.read = answer(200, resource(challenge={"type": "call_number", "number": number, "tel_uri": f"tel:{number}"}))
    window.goto(api.link())
    window.locator("#number").wait_for()
    assert read_code(dark_modules(window, ".qr svg")) == [f"tel:{number}"]
    expect(window.get_by_role("img", name=re.compile("QR code that dials"))).to_be_visible()
    # Nobody is told the number but the telephone.
    assert {name for name, _ in api.asked} == {"read"}


def test_codes_of_many_numbers(window: Page, api: Scripted) -> None:
    window.goto(api.link())
    texts = [*(f"tel:+7{number:010}" for number in range(0, 10**10, 10**10 // 300)), "x", "t" * 26]
    paths = window.evaluate("texts => texts.map(qrPath)", texts)
    assert len(paths) > 300
    for text, path in zip(texts, paths, strict=True):
        modules = [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", path)]
        assert read_code(modules) == [text]
    assert window.evaluate("qrPath('t'.repeat(27))") is None
