"""The simulators behind a test client, with a clock that tests move and webhooks that tests collect."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from callverify.domain.words import CallOrder, CallOutcome, Deadline, Method, Outcome, Phone
from callverify.providers import registry
from callverify.providers.base import Line
from callverify.providers.http import Answer, NoAnswer, VendorHttp
from callverify.providers.names import NAMES
from simulators import accounts
from simulators.app import create_app
from simulators.telephone import VOICE
from simulators.vendor import World
from simulators.webhooks import Webhook

PHONE = "+79000000001"
CODE = "042742"  # as many digits of it as a route has
RECEIVER = "http://receiver.example"
HOOK = f"{RECEIVER}/webhooks/token"  # of one verification
# Every vendor's, as the secret `provider-credentials` would have them.
CREDENTIALS = {name: accounts.credentials(name, lambda field: f"made-up-{field}") for name in NAMES}


@cache
def _app() -> tuple[World, Flask]:
    """One for all tests of a process: making its routes takes longer than most tests."""
    world = World()
    return world, create_app(world)


class SimulatorHttp(VendorHttp):
    """Requests of a provider's client, to a test client. A connection that is dropped has a 504 there."""

    def __init__(self, client: FlaskClient) -> None:
        super().__init__()
        self._client = client

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: Deadline,  # noqa: ARG002
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        data: Any = {"json": json} if form is None else {"data": dict(form)}
        path = urlsplit(url).path
        response = self._client.open(
            path,
            method=method,
            query_string=params,
            headers=headers,
            **(data if body is None else {"data": body}),
        )
        if response.status_code == 504:
            raise NoAnswer(timed_out=True)
        return Answer(response.status_code, response.data)


class Simulators:
    """A new one takes the place of the one before."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.holds = 0
        self.sent: list[Webhook] = []
        self.jobs: list[tuple[float, Callable[[], None]]] = []
        self.on_webhook: Callable[[Webhook], tuple[int, str]] = lambda _: (200, "OK")
        world, app = _app()
        world.__init__(lambda: self.now, self._send, self._run_later, self._hold)  # type: ignore[misc]
        for vendor in app.extensions["vendors"]:
            vendor.__init__(world)
        self.telephone = world.telephone
        self.client = app.test_client()
        self.http = SimulatorHttp(self.client)

    def _send(self, webhook: Webhook) -> tuple[int, str]:
        self.sent.append(webhook)
        return self.on_webhook(webhook)

    def _run_later(self, delay: float, job: Callable[[], None]) -> None:
        self.jobs.append((self.now + delay, job))

    def _hold(self) -> None:
        self.holds += 1

    def advance(self, seconds: float) -> None:
        """Move the clock and run what has come due."""
        self.now += seconds
        due = [job for at, job in self.jobs if at <= self.now]
        self.jobs = [(at, job) for at, job in self.jobs if at > self.now]
        for job in due:
            job()

    def get(self, path: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.client.get(path).get_json())

    def fault(self, provider: str, mode: str, **more: object) -> None:
        response = self.client.post("/faults", json={"provider": provider, "mode": mode} | more)
        assert response.status_code == 200, response.text

    def dial(self, caller: str, number: str) -> dict[str, Any]:
        """A phone calls a number; what is sent in the background at once is sent."""
        response = self.client.post(f"/phone/{caller}/dial", json={"number": number})
        assert response.status_code == 200, response.text
        self.advance(0)
        return cast(dict[str, Any], response.get_json())

    def incoming(self, number: str) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self.get(f"/phone/{number}")["incoming_calls"])

    def press(self, number: str, key: str = "1") -> str | None:
        """A phone presses a key in the call that asks for one, and hears this."""
        response = self.client.post(f"/phone/{number}/press", json={"key": key})
        assert response.status_code == 200, response.text
        return cast(str | None, response.get_json()["spoken"])

    def code_heard(self, number: str, digits: int) -> str:
        """What the last call to a phone told, after a key where it asks for one."""
        call = self.incoming(number)[-1]
        if call["from"] == VOICE and call["spoken"] is None:
            self.press(number)
            call = self.incoming(number)[-1]
        return code_in(call, digits)

    # Any vendor, as the service asks it

    def lines(
        self, provider: str, http: VendorHttp | None = None, credentials: Mapping[str, Any] | None = None
    ) -> list[Line]:
        """The provider's routes, by the service's own client. http: what its requests go through, to `self.http`."""
        given = {**(credentials or CREDENTIALS[provider]), "base_url": f"http://localhost/{provider}"}
        return registry.lines(provider, given, http or self.http)

    def fill_cabinets(self, base_url: str = RECEIVER, credentials: Mapping[str, Any] = CREDENTIALS) -> None:
        """Tell the vendors with one address for all reports of an account where the service is."""
        for name, given in credentials.items():
            if body := accounts.cabinet(name, given, base_url):
                assert self.client.post(f"/{name}/cabinet", json=body).status_code == 200

    def order(self, line: Line, phone: str = PHONE, unique: str = "attempt-1") -> CallOutcome:
        """Ask for one call."""
        code = CODE[: line.route.code.digits] if line.route.code else None
        order = CallOrder(Phone(phone, "RU", "+7******"), line.method, unique, code, HOOK)
        return line.client.start(order, Deadline.after(8))

    def started(self, provider: str, method: Method = Method.REVERSE_CALL, phone: str = PHONE) -> CallOutcome:
        """A call that a provider agreed to."""
        (line,) = [line for line in self.lines(provider) if line.method is method]
        outcome = self.order(line, phone)
        assert outcome.outcome is Outcome.STARTED, outcome
        return outcome


def code_in(call: Mapping[str, Any], digits: int) -> str:
    """The code of a call: the end of its number, or the first digits that it says."""
    if call["from"] != VOICE:
        return str(call["from"])[-digits:]
    return "".join(re.findall("[0-9]", call["spoken"] or ""))[:digits]


@pytest.fixture
def simulators() -> Simulators:
    return Simulators()
