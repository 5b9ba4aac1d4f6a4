"""The simulators answer as the recordings do, and the clients understand them: neither may drift from the vendors."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from callverify.domain.phone import readings
from callverify.domain.words import CallOutcome, Deadline, Method, Outcome, Reason, Verdict
from callverify.providers.base import Line
from callverify.providers.http import VendorHttp, load_requests
from callverify.providers.names import NAMES
from callverify.providers.registry import lines, manifest
from simulators.app import create_app
from simulators.vendor import World
from tests.support import payloads
from tests.support.cases import EVERY_ROUTE, PHONE, inbound, order, parameters_of
from tests.support.simulators import CREDENTIALS, RECEIVER, Simulators, code_in

Situation = Callable[[Simulators], TestResponse]
SITUATIONS: Mapping[str, Mapping[str, Situation]] = {
    name: import_module(f"vendors.{name}.situations").SITUATIONS for name in NAMES
}
SIMULATED = [(name, recorded) for name in NAMES for recorded in SITUATIONS[name]]
DIALLED = [(name, method) for name, method in EVERY_ROUTE if method is Method.REVERSE_CALL]
every_route = pytest.mark.parametrize(("name", "method"), EVERY_ROUTE)


def soon() -> Deadline:
    return Deadline.after(5)


def route_of(name: str, method: Method) -> Any:
    return next(route for route in manifest(name).routes if route.method is method)


def shape(value: Any) -> Any:
    """A JSON value with its names and types, and nothing else."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_simulated(name: str) -> None:
    recorded = {each.name for each in payloads.load_all() if each.provider == name and each.operation != "webhook"}
    assert recorded == {*SITUATIONS[name], *import_module(f"vendors.{name}.situations").NOT_SIMULATED}


@pytest.mark.parametrize(("name", "recorded"), SIMULATED)
def test_simulators_answer_as_the_recordings_do(name: str, recorded: str, simulators: Simulators) -> None:
    payload = payloads.load(name, recorded)
    answer = SITUATIONS[name][recorded](simulators)
    assert answer.status_code == payload.status
    if payload.text is None:
        assert shape(answer.get_json()) == shape(payload.body)
        picked = (payload.expect or {}).get("code")  # by the vendor, and so another with every call
        for name in ("code", "error_code", "status_code"):
            assert (name == "code" and picked) or answer.get_json().get(name) == payload.body.get(name)
    else:
        said, expected = answer.data.decode(payload.encoding).strip(), payload.content.decode(payload.encoding).strip()
        assert re.sub("[0-9]{11}", "NUMBER", said) == re.sub("[0-9]{11}", "NUMBER", expected)


@pytest.mark.parametrize(("name", "method"), [each for each in DIALLED if route_of(*each).webhook])
def test_a_report_has_the_recorded_parameters(name: str, method: Method, simulators: Simulators) -> None:
    simulators.fill_cabinets()
    (line,) = [line for line in simulators.lines(name) if line.method is method]
    outcome = simulators.order(line)
    assert outcome.challenge
    assert outcome.challenge.number
    simulators.dial(PHONE.e164, outcome.challenge.number)
    (sent,) = simulators.sent
    assert sent.url.startswith(RECEIVER)
    parameters = parameters_of(sent)
    recorded = [each for each in payloads.load_all() if (each.provider, each.operation) == (name, "webhook")]
    assert parameters.keys() in [(each.parameters or {}).keys() for each in recorded]
    (report,) = line.client.open_webhook(inbound(name, parameters))
    assert report.call_id == outcome.call_id
    assert report.caller or report.call_id
    assert report.caller is None or PHONE.e164 in readings(report.caller)


# The clients, asking the simulators by HTTP


@dataclass
class Served:
    """now: the vendors' time, which stands still unless moved."""

    base_url: str = ""
    now: float = 1_790_053_160.0
    app: Flask | None = None

    def line(self, name: str, method: Method) -> Line:
        given = CREDENTIALS[name] | {"base_url": f"{self.base_url}/{name}"}
        return next(line for line in lines(name, given, VendorHttp()) if line.method is method)

    def post(self, path: str, **body: object) -> Any:
        assert self.app
        response = self.app.test_client().post(path, json=body)
        assert response.status_code == 200, response.text
        return response.get_json()

    def get(self, path: str) -> Any:
        assert self.app
        return self.app.test_client().get(path).get_json()

    def ringing(self) -> list[dict[str, Any]]:
        """The calls that reached PHONE."""
        calls: list[dict[str, Any]] = self.get(f"/phone/{PHONE.e164}")["incoming_calls"]
        return calls


@pytest.fixture
def served() -> Iterator[Served]:
    world = Served()
    world.app = create_app(
        World(
            clock=lambda: world.now,
            send=lambda _: (200, "OK"),
            run_later=lambda _, job: job(),
            hold=lambda: None,
        )
    )
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    world.base_url = f"http://127.0.0.1:{server.server_port}"
    yield world
    server.shutdown()
    thread.join()
    server.server_close()


def start(served: Served, name: str, method: Method, deadline: Deadline | None = None) -> CallOutcome:
    return served.line(name, method).client.start(order(name, method), deadline or soon())


@every_route
def test_a_start_is_understood(name: str, method: Method, served: Served) -> None:
    outcome = start(served, name, method)
    assert outcome.outcome is Outcome.STARTED
    assert not outcome.code_differs
    assert outcome.challenge is not None
    if route_of(name, method).code:
        (call,) = served.ringing()
        if not (hook := route_of(name, method).webhook) or not hook.say:
            code = outcome.code or str(order(name, method).code)
            assert code_in(call, len(code)) == code
    else:
        dialled = served.post(f"/phone/{PHONE.e164}/dial", number=outcome.challenge.number)
        assert dialled["provider"] == name


@every_route
@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("timeout", Outcome.UNKNOWN, None),
        ("refused", Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER),
        ("http_500", Outcome.UNKNOWN, Reason.HTTP_ERROR),
        ("malformed_json", Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER),
        ("no_money", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        ("bad_credentials", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        ("number_refused", Outcome.REJECTED, Reason.NUMBER_REFUSED),
    ],
)
def test_a_fault_is_understood(
    name: str, method: Method, mode: str, outcome: Outcome, reason: Reason | None, served: Served
) -> None:
    served.post("/faults", provider=name, mode=mode)
    answered = start(served, name, method)
    assert answered.outcome is outcome
    assert reason in (None, answered.reason)


@every_route
@pytest.mark.parametrize("mode", ["drip_headers", "drip_body"])
def test_an_answer_that_drips_is_cut_off(
    name: str, method: Method, mode: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The whole answer would take 6 seconds, and a busy machine takes some to connect.
    monkeypatch.setattr("simulators.vendor.DRIP_EVERY_SECONDS", 0.1)
    load_requests()
    served.post("/faults", provider=name, mode=mode)
    assert start(served, name, method, Deadline.after(1)) == CallOutcome(Outcome.UNKNOWN, Reason.TIMEOUT)
    (request,) = served.get("/requests")["requests"]
    assert (request["answer"], request["paid"]) == (mode, True)


@pytest.mark.parametrize(("name", "method"), [each for each in EVERY_ROUTE if route_of(*each).resends_safely])
def test_a_resent_order_is_the_same_call(name: str, method: Method, served: Served) -> None:
    assert start(served, name, method) == start(served, name, method)
    assert len(served.ringing()) == 1


@pytest.mark.parametrize(("name", "method"), [each for each in EVERY_ROUTE if route_of(*each).repeats])
def test_a_repeat_is_understood(name: str, method: Method, served: Served) -> None:
    route, client = route_of(name, method), served.line(name, method).client
    call_id = start(served, name, method).call_id
    assert call_id
    assert client.repeat(call_id, soon()).outcome is Outcome.UNAVAILABLE  # too early
    served.now += route.repeat_after
    seen = {call_id}
    for _ in range(route.repeats):
        repeated = client.repeat(call_id, soon())
        assert repeated.outcome is Outcome.STARTED
        assert repeated.call_id
        assert repeated.call_id not in seen
        seen.add(repeated.call_id)
        served.now += route.repeat_after
    assert client.repeat(call_id, soon()).reason is Reason.REPEATS_SPENT
    served.now += 300
    assert client.repeat(call_id, soon()).reason is Reason.REPEAT_TOO_LATE


@pytest.mark.parametrize(("name", "method"), [each for each in EVERY_ROUTE if route_of(*each).read_back])
def test_a_check_is_understood(name: str, method: Method, served: Served) -> None:
    client, outcome = served.line(name, method).client, start(served, name, method)
    assert outcome.call_id
    assert outcome.challenge
    assert client.check(outcome.call_id, soon()).verdict is Verdict.PENDING
    served.post(f"/phone/{PHONE.e164}/dial", number=outcome.challenge.number)
    confirmed = client.check(outcome.call_id, soon())
    assert (confirmed.verdict, confirmed.call_id) == (Verdict.CONFIRMED, outcome.call_id)
    assert PHONE.e164 in readings(confirmed.caller or "") or not route_of(name, method).names_caller
    assert client.check("999999", soon()).verdict in (Verdict.UNREADABLE, Verdict.EXPIRED)
