"""The page listens, reads beside it, and reads more often where it can't listen."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from functions.serve_page import app
from tests.stack.browser.alone.scripted import ID, Scripted, answer, resource, timestamp

HOST = "push.example"
CHANNEL = f"/verifications/{ID.removeprefix('vrf_')}"
TOKEN = f"cvu.{ID}.1795343400.signature"
HEADING = "h1"


class Push:
    """AppSync, as far as a browser sees it. subscribes: whether it lets anybody listen."""

    def __init__(self, page: Page, *, subscribes: bool = True) -> None:
        self.messages: list[dict[str, Any]] = []
        self.opened: list[WebSocketRoute] = []
        self._subscribes = subscribes
        page.route_web_socket(f"wss://socket.{HOST}/event/realtime", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        self.opened.append(socket)
        socket.on_message(lambda text: self._hear(socket, json.loads(text)))

    def _hear(self, socket: WebSocketRoute, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if message["type"] == "connection_init":
            socket.send(json.dumps({"type": "connection_ack"}))
        elif self._subscribes:
            socket.send(json.dumps({"type": "subscribe_success", "id": message["id"]}))
        else:
            socket.send(json.dumps({"type": "subscribe_error", "id": message["id"]}))

    def tell(self, body: dict[str, Any], *, several: bool = False) -> None:
        event: Any = json.dumps(body)
        self.opened[-1].send(json.dumps({"type": "data", "id": ID, "event": [event] if several else event}))


@pytest.fixture
def window(browser: Browser) -> Iterator[Page]:
    """With all that is newer: the WebSocket that Playwright puts in place needs it."""
    context = browser.new_context(locale="en-US")
    yield context.new_page()
    context.close()


@pytest.fixture
def pushing(api: Scripted, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setenv("UPDATES_HOST", HOST)
    monkeypatch.setenv("UPDATES_SOCKET_HOST", f"socket.{HOST}")
    api.page = app.page()
    return api


def link(api: Scripted) -> str:
    return api.link(channel=CHANNEL, updates=TOKEN)


def until(condition: Callable[[], bool], page: Page) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def listening(window: Page, api: Scripted) -> Push:
    push = Push(window)
    window.goto(link(api))
    # At the beginning, and once it listens.
    until(lambda: api.reads == 2, window)
    return push


def wait_for(seconds: int) -> dict[str, Any]:
    return resource(poll_after=timestamp(time.time() + seconds))


@pytest.mark.parametrize("several", [False, True])
def test_the_page_says_what_it_hears(window: Page, pushing: Scripted, several: bool) -> None:
    push = listening(window, pushing)
    push.tell(resource(status="verified"), several=several)
    expect(window.locator(HEADING)).to_have_text("Number confirmed")
    assert pushing.reads == 2
    authorization = {"host": HOST, "Authorization": TOKEN}
    init, subscribe = push.messages
    assert init == {"type": "connection_init"}
    assert subscribe == {"type": "subscribe", "id": ID, "channel": CHANNEL, "authorization": authorization}


def test_what_is_older_than_what_it_has_is_dropped(window: Page, pushing: Scripted) -> None:
    older = resource(status="verified")
    push = listening(window, pushing)
    pushing.read = answer(200, resource("flash_call"))
    push.tell(resource("flash_call", attempts=resource()["attempts"] * 2))
    window.locator("#digits").wait_for()
    push.tell(older)
    window.wait_for_timeout(300)
    expect(window.locator("#digits")).to_be_visible()


def test_an_older_answer_is_dropped_too(window: Page, pushing: Scripted) -> None:
    older = answer(200, resource())
    pushing.read = answer(200, resource("flash_call", poll_after=timestamp(time.time())))
    window.goto(pushing.link())
    window.locator("#digits").wait_for()
    pushing.read, before = older, pushing.reads
    until(lambda: pushing.reads > before + 1, window)
    expect(window.locator("#digits")).to_be_visible()


@pytest.mark.parametrize("how", ["refused", "closed", "not there"])
def test_without_push_it_reads_as_it_is_told(window: Page, pushing: Scripted, how: str) -> None:
    pushing.read = answer(200, wait_for(1))
    if how == "not there":
        window.goto(pushing.link())
    else:
        push = Push(window, subscribes=how != "refused")
        window.goto(link(pushing))
        until(lambda: len(push.messages) > 1, window)
        push.opened[-1].close(code=1011)
    window.locator("#number").wait_for()
    pushing.read = answer(200, resource(status="verified"))
    expect(window.locator(HEADING)).to_have_text("Number confirmed")


def test_it_reads_when_it_is_told_to(window: Page, api: Scripted) -> None:
    now = datetime.now(UTC)
    window.clock.install(time=now)
    api.read = answer(200, resource(poll_after=timestamp(now.timestamp() + 20)))
    window.clock.pause_at(now + timedelta(seconds=1))
    window.goto(api.link())
    window.locator("#number").wait_for()
    before = api.reads
    window.clock.run_for(17_000)
    window.wait_for_timeout(200)
    assert api.reads == before
    window.clock.run_for(4_000)
    until(lambda: api.reads == before + 1, window)


def test_beside_push_it_reads_every_15_seconds(window: Page, pushing: Scripted) -> None:
    pushing.read = answer(200, wait_for(0))
    listening(window, pushing)
    window.wait_for_timeout(3500)
    assert pushing.reads == 2


def test_hidden_it_rests_and_shown_it_asks(window: Page, api: Scripted) -> None:
    api.read = answer(200, wait_for(0))
    window.goto(api.link())
    window.locator("#number").wait_for()
    show = "shown => { Object.defineProperty(document, 'hidden', { value: !shown, configurable: true }); }"
    window.evaluate(show, arg=False)
    window.wait_for_timeout(1500)
    before = api.reads
    window.wait_for_timeout(2500)
    assert api.reads == before
    window.evaluate(show, arg=True)
    window.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: api.reads > before, window)


def test_it_listens_again_after_a_while(window: Page, pushing: Scripted) -> None:
    pushing.read = answer(200, wait_for(0))
    push = listening(window, pushing)
    push.opened[-1].close(code=1011)
    until(lambda: len(push.opened) == 2, window)
    until(lambda: len(push.messages) == 4, window)
    push.tell(resource(status="verified"))
    expect(window.locator(HEADING)).to_have_text("Number confirmed")
