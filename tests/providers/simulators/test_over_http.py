"""Through real sockets: what a test client can't show."""

import threading
from collections.abc import Callable, Iterator

import pytest
import requests
from flask import Flask, Response, redirect, request
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response as AnyResponse

from simulators.__main__ import QuietHandler
from simulators.app import create_app
from simulators.vendor import World
from tests.support.simulators import TELEFON_IP

Serve = Callable[[Flask], str]


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


def test_a_timeout_closes_the_connection_without_an_answer(serve: Serve, client: requests.Session) -> None:
    url = serve(create_app(World(hold=lambda: None)))
    client.post(f"{url}/faults", json={"provider": "telefon_ip", "mode": "timeout"}, timeout=5)
    start = f"{url}{TELEFON_IP}/reverse_auth_phone_get?phone=89000000001"
    with pytest.raises(requests.ConnectionError):
        client.get(start, timeout=5)
    assert client.get(start, timeout=5).json()["success"] is True


def test_a_hold_ends_when_the_simulators_stop() -> None:
    world = World()
    world.stopping.set()
    world.hold()  # would take seconds


def test_webhooks_go_out_in_the_vendors_encodings(
    serve: Serve, client: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # not to be heeded
    received: list[tuple[str, str, dict[str, str], str]] = []
    receiver = Flask("receiver")

    @receiver.route("/<path:path>", methods=["GET", "POST"])
    def receive(path: str) -> AnyResponse:
        received.append((request.method, request.mimetype, request.values.to_dict(), path))
        return redirect("/elsewhere") if path == "moved" else Response("OK")

    hook = serve(receiver)
    url = serve(create_app(World(clock=lambda: 1_800_000_000)))
    client.post(f"{url}/smsc/cabinet", json={"handler_url": f"{hook}/smsc"}, timeout=5)
    for provider in ("telefon_ip", "telefon_ip", "telefon_ip", "smsc"):
        client.post(f"{url}/faults", json={"provider": provider, "mode": "webhook_before_reply"}, timeout=5)
    for address in (f"{hook}/telefon-ip", f"{hook}/moved", "http://127.0.0.1:9/closed"):
        body = {"phone": "89000000001", "webhook": address}
        client.post(f"{url}{TELEFON_IP}/reverse_auth_phone_post", json=body, timeout=5)
    form = {"apikey": "fake-apikey", "phone": "79000000001"}
    client.post(f"{url}/smsc/sys/wait_call.php", data=form, timeout=5)

    telefon_ip = {"success": "True", "phone": "89000000001"}
    assert received == [
        ("GET", "", telefon_ip | {"id": "022760"}, "telefon-ip"),
        ("GET", "", telefon_ip | {"id": "022761"}, "moved"),
        # Without a secret in the cabinet there is no md5.
        (
            "POST",
            "application/x-www-form-urlencoded",
            {"waitcall": "1", "phone": "79000000001", "ts": "1800000000"},
            "smsc",
        ),
    ]
    listed = client.get(f"{url}/webhooks", timeout=5).json()["webhooks"]
    outcomes = [(webhook["outcome"], webhook["status"], webhook["error"]) for webhook in listed]
    assert outcomes == [
        ("answered", 200, None),
        ("answered", 302, None),
        ("failed", None, "ConnectionError"),
        ("answered", 200, None),
    ]


def test_a_dial_answers_at_once_and_the_webhook_follows(serve: Serve, client: requests.Session) -> None:
    dial_is_answered, received = threading.Event(), threading.Event()
    receiver = Flask("receiver")

    @receiver.get("/hook")
    def receive() -> str:
        assert dial_is_answered.wait(5)
        received.set()
        return "OK"

    hook = serve(receiver)
    url = serve(create_app())
    body = {"phone": "89000000001", "webhook": f"{hook}/hook"}
    started = client.post(f"{url}{TELEFON_IP}/reverse_auth_phone_post", json=body, timeout=5).json()
    dial = {"number": started["data"]["auth_phone"]}
    assert client.post(f"{url}/phone/+79000000001/dial", json=dial, timeout=5).json()["webhook"] == "sent"
    dial_is_answered.set()
    assert received.wait(5)


def test_an_answer_carries_the_vendors_time_alone(serve: Serve, client: requests.Session) -> None:
    url = serve(create_app(World(clock=lambda: 1_800_000_000.0)))
    client.post(f"{url}/clock", json={"advance": 60}, timeout=5)
    assert client.get(url, timeout=5).headers["Date"] == "Fri, 15 Jan 2027 08:01:00 GMT"
