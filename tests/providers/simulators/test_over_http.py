"""Through real sockets: what a test client can't show."""

import threading
from collections.abc import Callable, Iterator

import pytest
import requests
from flask import Flask, Response, redirect, request
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response as AnyResponse

from callverify.domain.words import CallOrder, CallOutcome, Deadline, Outcome, Phone, Reason
from callverify.providers import registry
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from simulators import accounts
from simulators.__main__ import QuietHandler
from simulators.app import create_app
from simulators.vendor import World
from simulators.webhooks import Webhook
from tests.support.simulators import CODE, CREDENTIALS, HOOK, PHONE

Serve = Callable[[Flask], str]
REPORTING = [each.name for each in registry.manifests() if each.webhook and not each.webhook.say]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[BaseWSGIServer] = []

    def start(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def start(url: str, name: str, webhook_url: str = HOOK) -> CallOutcome:
    """Ask for a call by the first route of a provider, as the service does."""
    line = registry.lines(name, CREDENTIALS[name] | {"base_url": f"{url}/{name}"}, VendorHttp())[0]
    code = CODE[: line.route.code.digits] if line.route.code else None
    order = CallOrder(Phone(PHONE, "RU", "+7******"), line.method, "attempt-1", code, webhook_url)
    return line.client.start(order, Deadline.after(5))


@pytest.mark.parametrize("mode", ["timeout", "refused"])
@pytest.mark.parametrize("name", NAMES)
def test_a_connection_is_closed_without_an_answer(serve: Serve, client: requests.Session, name: str, mode: str) -> None:
    url = serve(create_app(World(hold=lambda: None)))
    client.post(f"{url}/faults", json={"provider": name, "mode": mode, "phone": PHONE}, timeout=60)
    failed = start(url, name)
    assert (failed.outcome, failed.reason) == (Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
    client.post(f"{url}/clock", json={"advance": 60}, timeout=60)
    assert start(url, name).outcome is Outcome.STARTED


def test_a_hold_ends_when_the_simulators_stop() -> None:
    world = World()
    world.stopping.set()
    world.hold()  # would take seconds


def test_reports_go_out_in_three_encodings(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # not to be heeded
    received: list[tuple[str, str, str, str]] = []
    receiver = Flask("receiver")

    @receiver.route("/<path:path>", methods=["GET", "POST"])
    def receive(path: str) -> AnyResponse:
        received.append((request.method, request.full_path, request.mimetype, request.get_data(as_text=True)))
        return redirect("/elsewhere") if path == "moved" else Response("OK")

    hook = serve(receiver)
    webhooks = World().webhooks
    for webhook in (
        Webhook("any", f"{hook}/query?phone=1&id=02", 1),
        Webhook("any", f"{hook}/moved", 1),
        Webhook("any", f"{hook}/form", 1, form={"phone": "1", "ts": "2"}),
        Webhook("any", f"{hook}/json", 1, json={"phone": "1"}),
        Webhook("any", "http://127.0.0.1:9/closed", 1),
    ):
        webhooks.report_now(webhook)
    assert received == [
        ("GET", "/query?phone=1&id=02", "", ""),
        ("GET", "/moved?", "", ""),
        ("POST", "/form?", "application/x-www-form-urlencoded", "phone=1&ts=2"),
        ("POST", "/json?", "application/json", '{"phone": "1"}'),
    ]
    outcomes = [(each["outcome"], each["status"], each["error"]) for each in webhooks.describe()]
    assert outcomes == [
        ("answered", 200, None),
        ("answered", 302, None),
        ("answered", 200, None),
        ("answered", 200, None),
        ("failed", None, "ConnectionError"),
    ]


@pytest.mark.parametrize("name", REPORTING)
def test_a_dial_answers_at_once_and_the_webhook_follows(serve: Serve, client: requests.Session, name: str) -> None:
    dial_is_answered, received = threading.Event(), threading.Event()
    receiver = Flask("receiver")

    @receiver.route("/<path:path>", methods=["GET", "POST"])
    def receive(path: str) -> str:  # noqa: ARG001
        assert dial_is_answered.wait(60)
        received.set()
        return "OK"

    hook = serve(receiver)
    url = serve(create_app())
    if cabinet := accounts.cabinet(name, CREDENTIALS[name], hook):
        client.post(f"{url}/{name}/cabinet", json=cabinet, timeout=60).raise_for_status()
    challenge = start(url, name, f"{hook}/hook").challenge
    assert challenge
    dial = {"number": challenge.number}
    assert client.post(f"{url}/phone/{PHONE}/dial", json=dial, timeout=60).json()["webhook"] == "sent"
    dial_is_answered.set()
    assert received.wait(60)


def test_an_answer_carries_the_vendors_time_alone(serve: Serve, client: requests.Session) -> None:
    url = serve(create_app(World(clock=lambda: 1_800_000_000.0)))
    client.post(f"{url}/clock", json={"advance": 60}, timeout=60)
    assert client.get(url, timeout=60).headers["Date"] == "Fri, 15 Jan 2027 08:01:00 GMT"
