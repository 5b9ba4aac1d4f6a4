"""Every route from start to end: the service in one process, the provider's own client, and its simulator."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from callverify.domain.verification import Verification
from callverify.domain.words import EndReason, Evidence, Method, Status
from callverify.providers.base import Route
from callverify.providers.registry import manifest
from tests.support.cases import EVERY_ROUTE
from tests.support.follow_ups import end
from tests.support.service import BASE_URL, LIVE
from tests.support.simulated import Simulated
from tests.support.simulators import Simulators

PHONE, STRANGER = "+79000000011", "+79000000022"
SAID_AFTER_A_KEY = [each for each in EVERY_ROUTE if (hook := manifest(each[0]).webhook) and hook.say]
DIALLED = [each for each in EVERY_ROUTE if each[1] is Method.REVERSE_CALL]
every_route = pytest.mark.parametrize(("name", "method"), EVERY_ROUTE)


class World(Simulated):
    def start(self, name: str, method: Method) -> Verification:
        body = json.dumps({"phone": PHONE, "provider": name, "method": method})
        return self.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL).verification

    def read(self, started: Verification) -> Verification:
        return self.service.read(LIVE, started.id)


@pytest.fixture
def world(simulators: Simulators) -> World:
    return World(simulators)


def route_of(name: str, method: Method) -> Route:
    return next(route for route in manifest(name).routes if route.method is method)


def number_of(started: Verification) -> str:
    assert started.challenge
    assert started.challenge.number
    return started.challenge.number


@every_route
def test_a_verification(world: World, name: str, method: Method) -> None:
    started, route = world.start(name, method), route_of(name, method)
    assert (started.provider, started.method, started.status) == (name, method, Status.PENDING)
    assert started.expires_at - started.created_at == route.window.default
    if route.code:
        code = world.simulators.code_heard(PHONE, route.code.digits)
        assert len(world.simulators.incoming(PHONE)) == 1
        checked = world.service.check(LIVE, started.id, json.dumps({"code": code}))
        evidence = Evidence.CODE_MATCHED if route.code.ours else Evidence.VENDOR_CODE_MATCHED
        assert (checked.verification.status, checked.verification.evidence) == (Status.VERIFIED, evidence)
        return
    world.simulators.advance(25)
    world.simulators.dial(PHONE, number_of(started))
    verified = world.read(started)
    assert verified.status is Status.VERIFIED
    assert verified.evidence is (Evidence.PROVIDER_READ_BACK if route.read_back else Evidence.PROVIDER_SIGNATURE)
    if route.webhook:
        assert world.answers == [(200, route.webhook.answer)]


@every_route
def test_an_expiry(world: World, name: str, method: Method) -> None:
    started, route = world.start(name, method), route_of(name, method)
    world.simulators.advance(end(world.service, started.id) or 0)
    assert end(world.service, started.id) is None
    ended = world.read(started)
    assert (ended.status, ended.reason) == (Status.EXPIRED, EndReason.WINDOW_ELAPSED)
    assert world.clock() - started.created_at == route.window.default


@pytest.mark.parametrize(("name", "method"), SAID_AFTER_A_KEY)
def test_only_a_signed_key_in_the_call_of_this_attempt_is_told_the_code(
    world: World, name: str, method: Method
) -> None:
    route = route_of(name, method)
    assert route.code
    assert route.webhook
    nothing = (200, route.webhook.answer)
    started = world.start(name, method)
    assert world.simulators.incoming(PHONE)[-1]["spoken"] is None  # all that a mailbox hears
    first = world.simulators.code_heard(PHONE, route.code.digits)
    (pressed,) = world.simulators.sent
    for forged in (replace(pressed, headers={}), replace(pressed, form={**(pressed.form or {}), "Digits": "2"})):
        assert world.take(forged) == (403, "forbidden")
    world.simulators.advance(30)
    another = json.dumps({"phone": PHONE, "method": method})
    world.service.switch(LIVE, started.id, another, idempotency_key=None, base_url=BASE_URL)
    assert world.take(pressed) == nothing
    assert world.simulators.code_heard(PHONE, route.code.digits) != first
    world.service.cancel(LIVE, started.id, None)
    assert world.take(world.simulators.sent[-1]) == nothing


@pytest.mark.parametrize(("name", "method"), DIALLED)
def test_a_call_of_another_phone_verifies_nobody(world: World, name: str, method: Method) -> None:
    started = world.start(name, method)
    world.simulators.advance(5)
    world.simulators.dial(STRANGER, number_of(started))
    assert world.read(started).status is Status.PENDING


@pytest.mark.parametrize(("name", "method"), DIALLED)
def test_a_call_after_the_window_verifies_nobody(world: World, name: str, method: Method) -> None:
    started = world.start(name, method)
    world.simulators.advance(route_of(name, method).window.default)
    world.simulators.dial(PHONE, number_of(started))
    assert world.read(started).status_at(world.clock())[0] is Status.EXPIRED
