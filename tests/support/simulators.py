"""The simulators behind a test client, with a clock that tests move and webhooks that tests collect."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

from simulators.accounts import SMSC_LOGIN, SMSC_PASSWORD, TELEFON_IP_TOKEN, UCALLER_KEY, UCALLER_SERVICE_ID
from simulators.app import create_app
from simulators.vendor import World
from simulators.webhooks import Webhook

TELEFON_IP = f"/telefon-ip/api/v1/authcalls/{TELEFON_IP_TOKEN}"
BEARER = {"Authorization": f"Bearer {UCALLER_KEY}.{UCALLER_SERVICE_ID}"}
HOOK = "http://receiver.example/webhooks/token"
SECRET = "fake-callback-secret"


@cache
def _app() -> tuple[World, Flask]:
    """One for all tests of a process: making its routes takes longer than most tests."""
    world = World()
    return world, create_app(world)


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
        self.client = app.test_client()

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

    def ucaller(self, action: str, **body: object) -> dict[str, Any]:
        response = self.client.post(f"/ucaller/v1.0/{action}", json=body, headers=BEARER)
        assert response.status_code == 200
        return cast(dict[str, Any], response.get_json())

    def start_telefon_ip(self, phone: str = "89000000001", webhook: str = HOOK) -> TestResponse:
        return self.client.post(f"{TELEFON_IP}/reverse_auth_phone_post", json={"phone": phone, "webhook": webhook})

    def check_telefon_ip(self, id_: object) -> dict[str, Any]:
        response = self.client.get(f"{TELEFON_IP}/reverse_auth_phone_check/{id_}")
        assert response.status_code == 200, response.text
        return cast(dict[str, Any], response.get_json()["data"])

    def start_smsc(self, phone: str = "79000000001", **more: str) -> TestResponse:
        credentials = {"login": SMSC_LOGIN, "psw": SMSC_PASSWORD, "fmt": "3", "charset": "utf-8"}
        return self.client.post("/smsc/sys/wait_call.php", data=credentials | {"phone": phone} | more)

    def set_smsc_handler(self) -> None:
        body = {"handler_url": HOOK, "callback_secret": SECRET}
        assert self.client.post("/smsc/cabinet", json=body).status_code == 200
