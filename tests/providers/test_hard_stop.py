"""Wherever an answer drips, the deadline ends it: no read begins after it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callverify.domain.words import CallOutcome, Deadline, Method, Outcome, Reason
from callverify.events import deliver as delivery
from callverify.events.deliver import Delivery, Undelivered
from callverify.providers.http import NoAnswer, NotSent, VendorHttp
from tests.providers.test_http import self_signed
from tests.support.cases import EVERY_ROUTE, line_of, order
from tests.support.dripping import BODIES, HEADS, DrippingServer, Place

SECONDS = 0.3
# How much later than the deadline a busy machine may be.
LATE_SECONDS = 5.0
PLACES = HEADS | BODIES


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS + LATE_SECONDS


@pytest.mark.parametrize("place", PLACES)
def test_a_vendor(place: str) -> None:
    with DrippingServer(PLACES[place]) as server:
        with pytest.raises(NoAnswer) as caught:
            VendorHttp().send("POST", server.base_url, json={}, deadline=server.deadline(SECONDS))
        assert caught.value.timed_out
        assert server.hung_up.wait(LATE_SECONDS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "method"), EVERY_ROUTE)
def test_the_start_at_every_provider(name: str, method: Method, place: str) -> None:
    with DrippingServer(PLACES[place]) as server:
        client = line_of(name, method, server.base_url).client
        outcome = client.start(order(name, method), server.deadline(SECONDS))
    assert outcome == CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)


@pytest.mark.parametrize("place", PLACES)
def test_a_vendor_over_tls(place: str, tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    with DrippingServer(PLACES[place], tls=context) as server:
        http = VendorHttp()
        http._session.verify = str(tmp_path / "chain.pem")
        with pytest.raises(NoAnswer) as caught:
            http.send("POST", server.base_url, json={}, deadline=server.deadline(SECONDS))
        assert caught.value.timed_out


def test_a_vendor_in_the_tls_handshake_has_seen_nothing() -> None:
    with DrippingServer(Place(b"", (b"x",)), in_handshake=True) as server, pytest.raises(NotSent):
        VendorHttp().send("GET", server.base_url, deadline=Deadline.after(SECONDS))


def test_a_vendor_that_does_not_read_what_it_is_sent() -> None:
    with DrippingServer(PLACES["body"], reads=False) as server:
        with pytest.raises(NoAnswer) as caught:
            VendorHttp().send("POST", server.base_url, json="x" * 8_000_000, deadline=server.deadline(SECONDS))
        assert caught.value.timed_out


def test_a_connection_that_is_used_again_has_the_deadline_of_each_request() -> None:
    at_once = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with DrippingServer(Place(at_once, (b"HTTP/1.1 200 OK\r\nX: x",))) as server:
        http = VendorHttp()
        assert http.send("GET", server.base_url, deadline=Deadline.after(60)).body == b"{}"
        with pytest.raises(NoAnswer) as caught:
            http.send("GET", server.base_url, deadline=Deadline.after(SECONDS))
        assert caught.value.timed_out


@pytest.fixture
def full() -> Iterator[int]:
    """A port of this machine on which no connection comes about: its queue of them is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


@pytest.mark.parametrize("how_many", [1, 5])
def test_addresses_that_answer_nothing_share_the_time(
    how_many: int, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", full))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry] * how_many)
    with pytest.raises(NotSent):
        VendorHttp().send("GET", f"http://vendor.example:{full}/", deadline=Deadline.after(SECONDS))


def test_an_address_that_answers_nothing_leaves_time_for_the_next(full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with DrippingServer(Place(at_once, (b"",))) as server:
        ports = (full, server.port)
        entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
        # The full port takes half of it; the other has to answer in the rest.
        answer = VendorHttp().send("GET", "http://vendor.example/", deadline=Deadline.after(LATE_SECONDS))
    assert answer.body == b"{}"


# The delivery of events

EVENT = json.dumps({"id": "evt_1", "type": "verification.verified", "data": {"id": "vrf_1"}})


def deliver(url: str, monkeypatch: pytest.MonkeyPatch, body: str = EVENT, *, seconds: float = SECONDS) -> list[str]:
    """Deliver an event. Returns the notes that were made of it."""
    monkeypatch.setattr(delivery, "DELIVERY_SECONDS", seconds)
    notes: list[str] = []
    Delivery(
        url=url,
        read_secrets=lambda: '["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]',
        allow_private=True,
        clock=time.time,
        about=lambda _: None,
        note=lambda message, **_: notes.append(message),
        is_erased=lambda _: False,
    ).send(body)
    return notes


@pytest.mark.parametrize("place", HEADS)
@pytest.mark.parametrize("tls", [False, True])
def test_a_receiver_of_events(place: str, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, _ = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
    with DrippingServer(HEADS[place], tls=context if tls else None) as server, pytest.raises(Undelivered) as caught:
        deliver(server.base_url, monkeypatch)
    assert "Timeout" in str(caught.value)


@pytest.mark.parametrize("place", BODIES)
def test_a_receiver_of_events_whose_body_nobody_reads(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with DrippingServer(BODIES[place]) as server:
        assert deliver(server.base_url, monkeypatch, seconds=60) == ["event delivered"]


def test_a_receiver_of_events_in_the_tls_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    with DrippingServer(Place(b"", (b"x",)), in_handshake=True) as server, pytest.raises(Undelivered):
        deliver(server.base_url, monkeypatch)


@pytest.mark.parametrize("tls", [False, True])
def test_a_receiver_of_events_that_does_not_read(tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, _ = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
    large = json.dumps(
        {"id": "evt_1", "type": "verification.verified", "data": {"id": "vrf_1", "reference": "x" * 8_000_000}}
    )
    with (
        DrippingServer(HEADS["header"], tls=context if tls else None, reads=False) as server,
        pytest.raises(Undelivered),
    ):
        deliver(server.base_url, monkeypatch, large)
