"""The simulators answer as the recordings do, and the modules understand them: neither may drift from the vendors."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from callverify.models import CallVerdict, Cause, Deadline, InboundWebhook, Method, Outcome, ProviderName, Result
from callverify.phone import readings
from flask.testing import FlaskClient
from tests.providers.vendors import ORDER, PHONE, VENDORS, configure
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from callverify.providers import PROVIDERS
from callverify.providers.base import Provider
from simulators import accounts
from simulators.app import create_app
from simulators.vendor import World
from simulators.webhooks import Webhook
from tests.support import payloads

CREDENTIALS: dict[ProviderName, dict[str, object]] = {
    ProviderName.UCALLER: {"key": accounts.UCALLER_KEY, "service_id": accounts.UCALLER_SERVICE_ID},
    ProviderName.TELEFON_IP: {"token": accounts.TELEFON_IP_TOKEN},
    ProviderName.SMSC: {**VENDORS[ProviderName.SMSC].credentials, "login": accounts.SMSC_LOGIN}
    | {"psw": accounts.SMSC_PASSWORD},
}
CALLER = {"number": "+79000000001"}


class Simulated:
    """The simulators, with time standing still unless moved, and the webhooks that they sent."""

    def __init__(self) -> None:
        self.now = 1_790_053_160.0
        self.webhooks: list[Webhook] = []
        world = World(clock=lambda: self.now, send=self._send, run_later=lambda _, job: job(), hold=lambda: None)
        self.app = create_app(world)
        self.client: FlaskClient = self.app.test_client()

    def _send(self, webhook: Webhook) -> tuple[int, str]:
        self.webhooks.append(webhook)
        return 200, "OK"

    def ucaller(self, action: str, authorization: str | None = None, **body: object) -> TestResponse:
        pair = f"{accounts.UCALLER_KEY}.{accounts.UCALLER_SERVICE_ID}"
        headers = {"Authorization": f"Bearer {authorization or pair}"}
        return self.client.post(f"/ucaller/v1.0/{action}", json=body, headers=headers)

    def telefon_ip(self, action: str, token: str = accounts.TELEFON_IP_TOKEN, **body: object) -> TestResponse:
        url = f"/telefon-ip/api/v1/authcalls/{token}/{action}"
        return self.client.post(url, json=body) if body else self.client.get(url)

    def telefon_ip_start(self) -> TestResponse:
        return self.telefon_ip("reverse_auth_phone_post", phone="89000000001", webhook="http://127.0.0.1:1/hook")

    def telefon_ip_check(self) -> TestResponse:
        return self.telefon_ip(f"reverse_auth_phone_check/{self.call_id}")

    call_id = 0

    def smsc(self, password: str = accounts.SMSC_PASSWORD, fmt: str = "3", charset: str = "utf-8") -> TestResponse:
        form = {"login": accounts.SMSC_LOGIN, "psw": password, "phone": "79000000001", "fmt": fmt, "charset": charset}
        return self.client.post("/smsc/sys/wait_call.php", data=form)

    def dial(self, number: object) -> None:
        self.client.post("/phone/+79000000001/dial", json={"number": f"+{number}"})


def _repeated(world: Simulated) -> TestResponse:
    first = world.ucaller("initCall", phone=79000000001, code="1000", client="nickname", unique="u").get_json()
    world.now += 61
    return world.ucaller("initRepeat", uid=first["ucaller_id"])


def _repeated_405(world: Simulated) -> TestResponse:
    world.client.post("/faults", json={"provider": "ucaller", "mode": "repeat_405"})
    return world.ucaller("initRepeat", uid=1)


def _info(world: Simulated) -> TestResponse:
    first = world.ucaller("initCall", phone=79000000002, code="1234").get_json()
    return world.ucaller("getInfo", uid=first["ucaller_id"])


def _same_unique(world: Simulated) -> TestResponse:
    world.ucaller("initCall", phone=79000000001, code="0427", unique="u")
    return world.ucaller("initCall", phone=79000000001, code="0427", unique="u")


def _refused(provider: str, mode: str, ask: Callable[[Simulated], TestResponse]) -> Callable[[Simulated], TestResponse]:
    def situation(world: Simulated) -> TestResponse:
        world.client.post("/faults", json={"provider": provider, "mode": mode})
        return ask(world)

    return situation


def _checked(dialled: bool, later: float) -> Callable[[Simulated], TestResponse]:
    def situation(world: Simulated) -> TestResponse:
        data = world.telefon_ip_start().get_json()["data"]
        world.call_id = data["id"]
        if dialled:
            world.dial(data["auth_phone"])
        world.now += later
        return world.telefon_ip_check()

    return situation


def _checked_without_status(world: Simulated) -> TestResponse:
    world.client.post("/faults", json={"provider": "telefon_ip", "mode": "pending_echoes_phone"})
    return _checked(dialled=False, later=1)(world)


# How each recorded answer comes about.
SITUATIONS: dict[str, Callable[[Simulated], TestResponse]] = {
    "ucaller/start_success": lambda world: world.ucaller("initCall", phone=79000000001, code="1234"),
    "ucaller/start_unreachable": lambda world: world.ucaller("initCall", phone=79000000002, code="1234"),
    "ucaller/start_same_unique": _same_unique,
    "ucaller/error_phone_as_text": lambda world: world.ucaller("initCall", phone="79000000001", code="1234"),
    "ucaller/error_credentials": lambda world: world.ucaller("initCall", "wrong.1", phone=79000000001),
    "ucaller/error_no_money": _refused(
        "ucaller", "no_money", lambda world: world.ucaller("initCall", phone=79000000001, code="1234")
    ),
    "ucaller/repeat_unsupported": _repeated_405,
    "ucaller/repeat_success": _repeated,
    "ucaller/info_unreachable": _info,
    "telefon_ip/start_success": Simulated.telefon_ip_start,
    "telefon_ip/start_refused": _refused("telefon_ip", "number_refused", Simulated.telefon_ip_start),
    "telefon_ip/start_no_money": _refused("telefon_ip", "no_money", Simulated.telefon_ip_start),
    "telefon_ip/start_bad_token": lambda world: world.telefon_ip("reverse_auth_phone_get", token="wrong"),
    "telefon_ip/check_ok": _checked(dialled=True, later=1),
    "telefon_ip/check_pending": _checked(dialled=False, later=1),
    "telefon_ip/check_expired": _checked(dialled=False, later=121),
    "telefon_ip/check_without_status": _checked_without_status,
    "telefon_ip/check_unknown_id": Simulated.telefon_ip_check,
    "smsc/start_success": Simulated.smsc,
    "smsc/start_success_fmt_0": lambda world: world.smsc(fmt="0"),
    "smsc/start_success_fmt_2": lambda world: world.smsc(fmt="2"),
    "smsc/error_fmt_0": lambda world: world.smsc("wrong", fmt="0"),
    "smsc/error_fmt_0_windows_1251": lambda world: world.smsc("wrong", fmt="0", charset=""),
    "smsc/error_fmt_1": lambda world: world.smsc("wrong", fmt="1"),
    "smsc/error_fmt_2": lambda world: world.smsc("wrong", fmt="2"),
    "smsc/error_fmt_3": lambda world: world.smsc("wrong"),
}
# Misprints and older editions of a vendor's page, which no vendor answers today.
NOT_SIMULATED = {
    "ucaller/start_code_as_number",
    "telefon_ip/start_malformed",
    "smsc/start_empty_number",
    "smsc/error_fmt_2_untagged",
}


def shape(value: Any) -> Any:
    """A JSON value with its names and types, and nothing else."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_every_recorded_answer_is_simulated() -> None:
    answers = {str(payload) for payload in payloads.load_all() if payload.operation != "webhook"}
    assert answers == {*SITUATIONS, *NOT_SIMULATED}


@pytest.mark.parametrize("name", SITUATIONS)
def test_simulators_answer_as_the_recordings_do(name: str) -> None:
    provider, _, recorded = name.partition("/")
    payload = payloads.load(ProviderName(provider), recorded)
    answer = SITUATIONS[name](Simulated())
    assert answer.status_code == payload.status
    if payload.text is None:
        assert shape(answer.get_json()) == shape(payload.body)
        assert answer.get_json().get("code") == payload.body.get("code")
        assert answer.get_json().get("error_code") == payload.body.get("error_code")
    else:
        text = payload.content.decode(payload.encoding).strip()
        if "fmt_0" in recorded or "fmt_2" in recorded:
            text = re.sub("[0-9]{11}", "NUMBER", text)
        assert re.sub("[0-9]{11}", "NUMBER", answer.data.decode(payload.encoding)) == text


def test_webhooks_have_the_recorded_parameters() -> None:
    world = Simulated()
    cabinet = {"handler_url": "http://127.0.0.1:1/hook", "callback_secret": "made-up-callback-secret"}
    world.client.post("/smsc/cabinet", json=cabinet)
    world.dial(world.telefon_ip_start().get_json()["data"]["auth_phone"])
    world.dial(world.smsc().get_json()["phone"])
    telefon_ip, smsc = world.webhooks
    for name, parameters in (
        (ProviderName.TELEFON_IP, parse_qs(urlsplit(telefon_ip.url).query, strict_parsing=True)),
        (ProviderName.SMSC, {key: [value] for key, value in (smsc.form or {}).items()}),
    ):
        assert parameters.keys() == (payloads.load(name, "webhook_called").parameters or {}).keys()
        received = {key: tuple(values) for key, values in parameters.items()}
        token = VENDORS[name].webhook_token or ""
        report = configure(name).open_webhook(InboundWebhook(received, token, "vrf_1"))
        assert report is not None
        assert PHONE.e164 in readings(report.caller or "")


# The modules, asking the simulators by HTTP


@dataclass
class Served:
    world: Simulated
    base_url: str

    def provider(self, name: ProviderName) -> Provider:
        return configure(name, f"{self.base_url}/{name.replace('_', '-')}", credentials=CREDENTIALS[name])


@pytest.fixture
def served() -> Iterator[Served]:
    world = Simulated()
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield Served(world, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def soon() -> Deadline:
    return Deadline.after(5)


@pytest.mark.parametrize("name", list(ProviderName))
def test_a_start_is_understood(name: ProviderName, served: Served) -> None:
    outcome = served.provider(name).start(ORDER, soon())
    assert outcome.result is Result.STARTED
    assert not outcome.code_differs
    assert outcome.challenge is not None
    if PROVIDERS[name].method is Method.FLASH_CALL:
        calls = served.world.client.get(f"/phone/{PHONE.e164}").get_json()["incoming_calls"]
        assert [call["from"][-4:] for call in calls] == [ORDER.code]
    else:
        dialled = served.world.client.post(f"/phone/{PHONE.e164}/dial", json={"number": outcome.challenge.number})
        assert dialled.get_json()["provider"] == name


@pytest.mark.parametrize("name", list(ProviderName))
@pytest.mark.parametrize(
    ("mode", "result", "cause"),
    [
        ("timeout", Result.UNKNOWN, None),
        ("refused", Result.UNKNOWN, Cause.UNREADABLE_ANSWER),
        ("http_500", Result.UNKNOWN, Cause.HTTP_ERROR),
        ("malformed_json", Result.UNKNOWN, Cause.UNREADABLE_ANSWER),
        ("no_money", Result.UNAVAILABLE, Cause.NO_MONEY),
        ("bad_credentials", Result.UNAVAILABLE, Cause.BAD_CREDENTIALS),
        ("number_refused", Result.REJECTED, Cause.NUMBER_REFUSED),
    ],
)
def test_a_fault_is_understood(
    name: ProviderName, mode: str, result: Result, cause: Cause | None, served: Served
) -> None:
    served.world.client.post("/faults", json={"provider": name.value, "mode": mode})
    outcome = served.provider(name).start(ORDER, soon())
    assert outcome.result is result
    assert cause in (None, outcome.cause)


@pytest.mark.parametrize("name", list(ProviderName))
@pytest.mark.parametrize("mode", ["drip_headers", "drip_body"])
def test_an_answer_that_drips_is_cut_off(
    name: ProviderName, mode: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.vendor.DRIP_EVERY_SECONDS", 0.02)
    served.world.client.post("/faults", json={"provider": name.value, "mode": mode})
    assert served.provider(name).start(ORDER, Deadline.after(0.3)) == Outcome(Result.UNKNOWN, Cause.TIMEOUT)
    (request,) = served.world.client.get("/requests").get_json()["requests"]
    assert (request["answer"], request["paid"]) == (mode, True)


def test_a_resent_order_is_the_same_call(served: Served) -> None:
    provider = served.provider(ProviderName.UCALLER)
    assert provider.resends_safely
    assert provider.start(ORDER, soon()) == provider.start(ORDER, soon())
    assert len(served.world.client.get(f"/phone/{PHONE.e164}").get_json()["incoming_calls"]) == 1


def test_a_repeat_is_understood(served: Served) -> None:
    provider = served.provider(ProviderName.UCALLER)
    first = provider.start(ORDER, soon())
    assert first.call_id
    assert provider.repeat(first.call_id, soon()).result is Result.UNAVAILABLE  # too early
    served.world.now += provider.repeat_after
    second = provider.repeat(first.call_id, soon())
    assert second.result is Result.STARTED
    assert second.call_id
    assert second.call_id != first.call_id
    served.world.client.post("/faults", json={"provider": "ucaller", "mode": "repeat_405"})
    assert provider.repeat(first.call_id, soon()).cause is Cause.NOT_SUPPORTED
    assert provider.repeat(first.call_id, soon()).result is Result.STARTED
    assert provider.repeat(first.call_id, soon()).cause is Cause.REPEATS_SPENT
    served.world.now += 300
    assert provider.repeat(first.call_id, soon()).cause is Cause.REPEAT_TOO_LATE


def test_a_check_is_understood(served: Served) -> None:
    provider = served.provider(ProviderName.TELEFON_IP)
    outcome = provider.start(ORDER, soon())
    assert outcome.call_id
    assert provider.check(outcome.call_id, soon()).verdict is CallVerdict.PENDING
    served.world.client.post("/faults", json={"provider": "telefon_ip", "mode": "pending_echoes_phone"})
    echoed = provider.check(outcome.call_id, soon())
    assert echoed.verdict is CallVerdict.UNSTATED
    assert PHONE.e164 in readings(echoed.caller or "")
    assert outcome.challenge
    served.world.dial((outcome.challenge.number or "").removeprefix("+"))
    confirmed = provider.check(outcome.call_id, soon())
    assert (confirmed.verdict, confirmed.call_id) == (CallVerdict.CONFIRMED, outcome.call_id)
    assert PHONE.e164 in readings(confirmed.caller or "")
    assert provider.check("999999", soon()).verdict is CallVerdict.UNREADABLE
