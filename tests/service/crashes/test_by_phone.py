"""Routes whose reports name the phone alone: a call for one session never verifies another."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from callverify.domain import errors
from callverify.domain.words import Method, Status
from callverify.providers.base import Identifies, Manifest, Per, Proof, Route, Webhook, Window
from callverify.providers.registry import manifests
from callverify.service.policy import HOLD_SECONDS, VERIFIED_HOLD_SECONDS
from callverify.service.started import Started
from tests.service.crashes.world import OTHER_PHONE, PHONE, Answer, World
from tests.support.points import Plan, crash
from tests.support.routes import OUR_CODE, At, routes_of
from tests.support.vendors import ACCOUNT_TOKEN

MADE_UP = Manifest(
    name="made_up",
    title="Nobody",
    base_url="https://made-up.example",
    credentials=(),
    routes=(
        Route(
            Method.REVERSE_CALL,
            window=Window(default=200, most=900),
            paid=False,
            identifies=Identifies.BY_PHONE,
            webhook=Webhook(Per.ACCOUNT, Proof.SIGNATURE),
        ),
    ),
)
BY_PHONE = [at for at in routes_of([*manifests(), MADE_UP]) if at.route.identifies is Identifies.BY_PHONE]


@pytest.fixture(params=BY_PHONE, ids=str)
def at(request: pytest.FixtureRequest) -> At:
    found: At = request.param
    return found


@pytest.fixture
def world(at: At) -> World:
    return world_of(at)


def world_of(at: At) -> World:
    named = {manifest.name: manifest for manifest in (at.manifest, OUR_CODE.manifest)}
    return World(at, OUR_CODE, manifests=[*named.values()])


def start(world: World, at: At, phone: str = PHONE, *, key: str | None = None, plan: Plan | None = None) -> Answer:
    return world.start(key, phone, method=at.method, at=plan)


def begun(answer: Answer) -> str:
    assert isinstance(answer, Started), answer
    return answer.verification.id


def call_late(world: World, at: At) -> None:
    """The phone calls what it was shown, however long ago, and all that is reported arrives."""
    for awaited in world.vendor(at.provider).awaited.values():
        awaited.until = world.now + 1
    world.dial()
    for number in range(len(world.webhooks)):
        world.deliver(number)


def test_some_declare_it() -> None:
    assert len(BY_PHONE) >= 2


def test_a_late_call_never_verifies_the_next_session_wherever_the_first_one_died(at: At) -> None:
    undisturbed = world_of(at)
    start(undisturbed, at, key="key")
    ends = ("canceled", "expired", "resumed")
    for point, end in itertools.product(range(len(undisturbed.passed)), ends):
        world = world_of(at)
        start(world, at, key="key", plan={point: crash})
        if end == "resumed":
            world.advance(16)
            start(world, at, key="key")
        for first in world.records():
            world.advance(0 if end != "expired" else at.route.window.default)
            if end == "canceled":
                world.cancel(first.id)
        world.advance(28)
        again = start(world, at)
        assert isinstance(again, Started | errors.CallverifyError)
        world.start(method=OUR_CODE.method)
        asked = {
            each.id for each in world.records() if world.vendor(at.provider).asked and each.provider == at.provider
        }
        call_late(world, at)
        verified = {each.id for each in world.records() if each.status is Status.VERIFIED}
        assert verified <= asked
        assert len(asked) <= 1, "a second session waits for the same phone's call"
        world.judge.finish()


@pytest.mark.parametrize("ended", ["canceled", "expired", "begun by a process that died"])
def test_the_next_session_is_told_how_long_it_is_held(world: World, at: At, ended: str) -> None:
    plan: Plan = {f"after {at.provider}.start": crash} if ended.startswith("begun") else {}
    start(world, at, plan=plan)
    first = world.latest
    if ended == "canceled":
        world.advance(28)
        world.cancel(first.id)
    else:
        world.reach(first.expires_at)
    refused = start(world, at)
    assert isinstance(refused, errors.NoProviderAvailable)
    assert refused.retry_after == first.expires_at + HOLD_SECONDS - int(world.now)
    second = begun(start(world, OUR_CODE))
    call_late(world, at)
    assert world.record(second).status is Status.PENDING
    world.reach(world.record(second).expires_at)
    world.reach(first.expires_at + HOLD_SECONDS - 1)
    assert isinstance(start(world, at), errors.NoProviderAvailable)
    world.advance(1)
    third = begun(start(world, at))
    world.dial()
    world.deliver()
    assert world.record(third).status is Status.VERIFIED


def test_a_redial_does_not_verify_the_next_session(world: World, at: At) -> None:
    first = begun(start(world, at))
    world.advance(30)
    call_late(world, at)
    assert world.record(first).status is Status.VERIFIED
    assert isinstance(start(world, at), errors.NoProviderAvailable)
    second = begun(start(world, OUR_CODE))
    call_late(world, at)
    assert world.record(second).status is Status.PENDING
    world.cancel(second)
    world.advance(VERIFIED_HOLD_SECONDS - 1)
    assert isinstance(start(world, at), errors.NoProviderAvailable)
    world.advance(1)
    begun(start(world, at))


def test_a_call_verifies_the_session_of_its_own_phone_alone(world: World, at: At) -> None:
    """All are shown the same number."""
    mine, other = begun(start(world, at)), begun(start(world, at, OTHER_PHONE))
    call_late(world, at)
    assert [world.record(each).status for each in (mine, other)] == [Status.VERIFIED, Status.PENDING]


@pytest.mark.parametrize("seconds", [-1, 0, "window", "after the window"])
def test_only_a_call_within_the_attempt_verifies(world: World, at: At, seconds: int | str) -> None:
    """By the time that the vendor has signed, to the second."""
    attempt = world.record(begun(start(world, at)))
    beyond = {"window": 0, "after the window": 1}
    when = attempt.created_at + seconds if isinstance(seconds, int) else attempt.expires_at + beyond[seconds]
    world.vendor(at.provider).signed.add((PHONE, when))
    world.webhooks.append((at.provider, (ACCOUNT_TOKEN,), {"phone": (PHONE,), "said": (str(when),)}))
    answer = world.deliver()
    within = attempt.created_at <= when <= attempt.expires_at
    assert isinstance(answer, errors.Forbidden) == (not within)
    assert world.record(attempt.id).status is (Status.VERIFIED if within else Status.PENDING)


def test_a_call_used_once_verifies_nothing_more(world: World, at: At) -> None:
    """The same signed report, delivered to a later session of the phone."""
    start(world, at)
    call_late(world, at)
    world.reach(world.now + VERIFIED_HOLD_SECONDS)
    second = begun(start(world, at))
    for number in range(len(world.webhooks)):
        world.deliver(number)
    assert world.record(second).status is Status.PENDING


def test_a_verification_is_not_held_by_its_own_earlier_attempt(world: World, at: At) -> None:
    first = begun(start(world, at))
    world.advance(28)
    assert not isinstance(world.switch(first, at.method), errors.CallverifyError)
    call_late(world, at)
    assert world.record(first).status is Status.VERIFIED


def test_a_route_that_declares_nothing_holds_nobody(at: At) -> None:
    """By what it declares, and not by its name."""
    tells = replace(at.route, identifies=Identifies.BY_CALL_ID)
    world = world_of(At(replace(at.manifest, routes=(tells,)), tells))
    world.cancel(begun(start(world, at)))
    world.advance(28)
    begun(start(world, at))
