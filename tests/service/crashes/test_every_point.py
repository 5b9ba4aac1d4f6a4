"""Every point of every invocation: the process dies there, or everything else that can happen happens there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import pytest

from callverify.domain import errors
from tests.service.crashes.deep import DEEP
from tests.service.crashes.scenarios import SCENARIOS, TAKE_OVER, Scenario, follow_up
from tests.service.crashes.world import Answer, World
from tests.support.points import Crash, crash
from tests.support.routes import METHODS


@cache
def points_of(scenario: Scenario) -> list[tuple[int, str]]:
    """The points of an invocation that nothing happens to, by number and name.

    Only the first of those before something: nothing happens between having waited and waiting for the next.
    """
    world = World()
    scenario.prepare(world)
    scenario.act(world, {})
    return [(n, name) for n, name in enumerate(world.passed) if n == 0 or name.startswith("after ")]


@contextmanager
def at_point(number: int, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"at point {number}, {name}")
        raise


def user_goes_on(world: World) -> None:
    world.dial()
    for number in range(len(world.webhooks)):
        world.deliver(number)
    for verification in world.records():
        world.check(verification.id, world.right_code(verification.id))
        world.ask(verification.id)


def nobody_comes_back(world: World, again: Callable[[], Answer]) -> None:  # noqa: ARG001
    world.judge.finish(publish=True)


def retried(world: World, again: Callable[[], Answer]) -> None:
    again()
    world.advance(TAKE_OVER)
    answer = again()
    assert not isinstance(answer, errors.IdempotencyInProgress), "a retry after 15 s takes over"
    again()
    user_goes_on(world)
    world.judge.finish()


def retried_when_the_user_is_done(world: World, again: Callable[[], Answer]) -> None:
    user_goes_on(world)
    world.advance(TAKE_OVER)
    again()
    world.judge.finish()


@pytest.mark.parametrize("afterwards", [nobody_comes_back, retried, retried_when_the_user_is_done])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_dies(scenario: Scenario, afterwards: Callable[[World, Callable[[], Answer]], None]) -> None:
    points = points_of(scenario)
    assert len(points) > 1
    for number, name in points:
        with at_point(number, name):
            world = World()
            scenario.prepare(world)
            assert isinstance(scenario.act(world, {number: crash}), Crash)
            afterwards(world, partial(scenario.act, world, {}))


def the_same(world: World, again: Callable[[], Answer]) -> None:
    """At once, and again when this one is taken for dead."""
    again()
    world.advance(TAKE_OVER)
    again()


def the_user(world: World, again: Callable[[], Answer]) -> None:  # noqa: ARG001
    user_goes_on(world)


def cancel(world: World, again: Callable[[], Answer]) -> None:  # noqa: ARG001
    for verification in world.records():
        world.cancel(verification.id)


def switch(world: World, again: Callable[[], Answer]) -> None:  # noqa: ARG001
    world.advance(9)
    for verification in world.records():
        others = [method for method in METHODS if method is not verification.attempt.method]
        world.switch(verification.id, others[0])


def the_end(world: World, again: Callable[[], Answer]) -> None:  # noqa: ARG001
    if world.records():
        world.reach(world.latest.expires_at)
        follow_up(world, {})


OTHERS = [the_same, the_end, *([the_user, cancel, switch] if DEEP else [])]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_meets(scenario: Scenario, other: Callable[[World, Callable[[], Answer]], None]) -> None:
    for number, name in points_of(scenario):
        with at_point(number, name):
            world = World()
            scenario.prepare(world)
            answer = scenario.act(world, {number: partial(other, world, partial(scenario.act, world, {}))})
            assert not isinstance(answer, Crash)
            world.judge.finish()
