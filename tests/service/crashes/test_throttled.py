"""Every request to DynamoDB in every invocation: it is throttled there, or its answer is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial

import pytest

from callverify.domain import errors
from tests.service.crashes.scenarios import SCENARIOS, Scenario
from tests.service.crashes.test_every_point import at_point, retried
from tests.service.crashes.world import World
from tests.support.points import READS, THROTTLED, UNANSWERED, WRITES
from tests.support.service import TABLE

LOST = {f"after {name}" for name in WRITES}
REFUSED = {f"before {name}" for name in READS + WRITES}


def fail(error: Exception) -> None:
    raise error


def throttle_from_now_on(world: World) -> None:
    world.dynamodb.throttles = True


def lose_answer_and_throttle(world: World) -> None:
    throttle_from_now_on(world)
    raise UNANSWERED


def calls_paid(world: World) -> int:
    return sum(len(vendor.paid) for vendor in world.vendors)


def written(world: World) -> list[tuple[str, ...]]:
    """What was written, without what differs from one history to the next: each record, and what is counted."""
    told = [
        ("verification", each.status, str(each.guesses), *(attempt.outcome for attempt in each.attempts))
        for each in world.records()
    ]
    counted = Counter[str]()  # in all shards of a counter: which one is drawn by the id
    for pk, item in world.rows.tables[TABLE].items():
        kind, name, *_ = [*pk.split("#"), ""]
        if kind == "limit" and "n" in item:
            counted[name] += int(item["n"]["N"])
        elif kind != "verification":
            told.append((kind, repr(item.get("n")), repr(item.get("starts"))))
    return sorted([*told, *((name, str(n)) for name, n in counted.items())])


@cache
def unharmed(scenario: Scenario) -> tuple[list[tuple[int, str]], type, list[tuple[str, ...]]]:
    """Of an invocation that nothing happens to: its requests to DynamoDB, its answer, and what is then counted."""
    world = World()
    scenario.prepare(world)
    answer = scenario.act(world, {})
    points = [(number, name) for number, name in enumerate(world.passed) if name in LOST | REFUSED]
    return points, type(answer), written(world)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_transaction_is_sent_again_and_carried_out_once(scenario: Scenario) -> None:
    points, answers, counts = unharmed(scenario)
    transactions = [(number, name) for number, name in points if name.endswith("transact_write_items")]
    for number, name in transactions:
        with at_point(number, name):
            world = World()
            scenario.prepare(world)
            answer = scenario.act(world, {number: partial(fail, UNANSWERED if name in LOST else THROTTLED)})
            assert isinstance(answer, answers), answer
            assert written(world) == counts
            world.judge.finish()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_who_meets_a_throttle_that_stays_may_come_again(scenario: Scenario) -> None:
    points, _, _ = unharmed(scenario)
    assert points
    busy = 0
    for number, name in points:
        with at_point(number, name):
            world = World()
            scenario.prepare(world)
            paid_before = calls_paid(world)
            happens: Callable[[World], None] = lose_answer_and_throttle if name in LOST else throttle_from_now_on
            answer = scenario.act(world, {number: partial(happens, world)})
            world.dynamodb.throttles = False
            if isinstance(answer, errors.Busy):
                busy += 1
                assert answer.retry_after
                if calls_paid(world) > paid_before:
                    assert answer.verification_id == world.latest.id, "a paid call without its verification"
            retried(world, partial(scenario.act, world, {}))
    assert busy, f"of {len(points)} points none was busy"
