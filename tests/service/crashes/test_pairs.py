"""Every route after every other one, in one step: after a call that may have been paid for, only what costs nothing."""

from __future__ import annotations

import itertools

import pytest

from callverify.domain import errors
from callverify.domain.words import Outcome, Reason
from callverify.service.started import Started
from tests.service.crashes.world import World
from tests.support.points import Crash, crash
from tests.support.routes import ROUTES, At
from tests.support.vendors import Mood

PAIRS = [*itertools.permutations(ROUTES, 2)]
UNANSWERED = (Mood.SILENT, Mood.DEAF)
pairs = pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda at: str(at).replace(" ", ":"))


def world_of(first: At, second: At, mood: Mood = Mood.WELL) -> World:
    world = World(first, second)
    world.vendor(first.provider).moods[first.method] = mood
    return world


def outcomes(world: World) -> list[tuple[str, str, Outcome]]:
    return [(each.provider, each.method, each.outcome) for each in world.latest.attempts]


def attempt(at: At, outcome: Outcome) -> tuple[str, str, Outcome]:
    return at.provider, at.method, outcome


def is_ours(at: At) -> bool:
    """Whether an unanswered call can still be answered by its code."""
    return at.route.code is not None and at.route.code.ours


def expect_after_unknown(world: World, first: At, second: At, answer: object) -> None:
    unknown = attempt(first, Outcome.UNKNOWN)
    if is_ours(first):
        assert isinstance(answer, Started)
        assert outcomes(world) == [unknown]
    elif first.route.paid and second.route.paid:
        assert isinstance(answer, errors.ProviderUnavailable)
        assert outcomes(world) == [unknown]
        assert [(each.provider, each.method, each.reason) for each in answer.skipped] == [
            (second.provider, second.method, "may_have_been_paid")
        ]
    else:
        assert isinstance(answer, Started)
        assert outcomes(world) == [unknown, attempt(second, Outcome.STARTED)]
    world.judge.finish(publish=True)


@pytest.mark.parametrize("mood", UNANSWERED)
@pairs
def test_after_a_vendor_that_does_not_answer(first: At, second: At, mood: Mood) -> None:
    world = world_of(first, second, mood)
    expect_after_unknown(world, first, second, world.start())


@pairs
def test_after_a_process_that_died(first: At, second: At) -> None:
    world = world_of(first, second)
    assert isinstance(world.start("key", at={f"after {first.provider}.start": crash}), Crash)
    world.advance(16)
    answer = world.start("key")
    if isinstance(answer, Started):
        assert answer.verification.attempts[0].reason is Reason.INTERRUPTED
    expect_after_unknown(world, first, second, answer)


@pytest.mark.parametrize("mood", [Mood.DOWN, Mood.REFUSES])
@pairs
def test_after_a_vendor_that_certainly_made_no_call(first: At, second: At, mood: Mood) -> None:
    world = world_of(first, second, mood)
    assert isinstance(world.start(), Started)
    failed = Outcome.UNAVAILABLE if mood is Mood.DOWN else Outcome.REJECTED
    assert outcomes(world) == [attempt(first, failed), attempt(second, Outcome.STARTED)]
    world.judge.finish()
