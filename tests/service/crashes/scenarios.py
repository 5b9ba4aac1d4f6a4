"""Everything that asks, writes or waits, each as one invocation, with what has to come before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callverify.models import Method
from callverify.test_numbers import TEST_NUMBERS
from tests.service.crashes.points import Plan, crash
from tests.service.crashes.vendors import Mood
from tests.service.crashes.world import OTHER_PHONE, Answer, World

TAKE_OVER = 16  # seconds: one more than a retry has to wait before it takes over

type Act = Callable[[World, Plan], Answer]
type Prepare = Callable[[World], None]


@dataclass(frozen=True)
class Scenario:
    """`act` is the invocation that things happen to; done again, it is the client's, Lambda's or the vendor's retry.

    has_key: it bears an Idempotency-Key, so that a retry after 15 s has the final answer.
    """

    name: str
    act: Act
    prepare: Prepare = lambda _: None
    has_key: bool = False


# What comes before


def all_of(*parts: Prepare) -> Prepare:
    def prepare(world: World) -> None:
        for part in parts:
            part(world)

    return prepare


def mood(vendor: str, mood: Mood) -> Prepare:
    return lambda world: setattr(getattr(world, vendor), "mood", mood)


def started(provider: str) -> Prepare:
    def prepare(world: World) -> None:
        world.start(provider=provider)

    return prepare


def later(seconds: float) -> Prepare:
    return lambda world: world.advance(seconds)


def near_end(world: World) -> None:
    """In the last seconds of the window, when a settlement asks for the last time."""
    world.reach(world.latest.expires_at - 4)


def at_end(world: World) -> None:
    world.reach(world.latest.expires_at)


def guessed_wrong(world: World) -> None:
    for _ in range(4):
        world.check(world.latest.id, world.wrong_code)


def died(act: Act, point: str) -> Prepare:
    """Somebody else's invocation died, as long ago as a retry waits."""

    def prepare(world: World) -> None:
        act(world, {point: crash})
        world.advance(TAKE_OVER)

    return prepare


def seen_failing(world: World) -> None:
    """This container has seen telefon-ip fail, so that its next success has something to forget."""
    world.telefon_ip.mood = Mood.DOWN
    world.start(phone=OTHER_PHONE, provider="telefon_ip")
    world.telefon_ip.mood = Mood.WELL


# Invocations


def start(world: World, at: Plan) -> Answer:
    return world.start("key", at=at)


def start_at(provider: str) -> Act:
    return lambda world, at: world.start("key", provider=provider, at=at)


def repeat(world: World, at: Plan) -> Answer:
    return world.repeat(world.latest.id, "other key", at=at)


def another_way(method: Method) -> Act:
    return lambda world, at: world.another_way(world.latest.id, method, "other key", at=at)


def check_right(world: World, at: Plan) -> Answer:
    return world.check(world.latest.id, world.right_code(), at=at)


def check_wrong(world: World, at: Plan) -> Answer:
    return world.check(world.latest.id, world.wrong_code, at=at)


def status(world: World, at: Plan) -> Answer:
    return world.status(world.latest.id, at=at)


def cancel(world: World, at: Plan) -> Answer:
    return world.cancel(world.latest.id, at=at)


def deliver(world: World, at: Plan) -> Answer:
    return world.deliver(at=at)


def settle(world: World, at: Plan) -> Answer:
    return world.settle(world.latest.id, world.latest.attempt.number, at=at)


def publish(world: World, at: Plan) -> Answer:
    return world.publish(at=at)


def settled(world: World) -> None:
    settle(world, {})


to_flash, to_reverse = another_way(Method.FLASH_CALL), another_way(Method.REVERSE_CALL)
silent, refuses, down = Mood.SILENT, Mood.REFUSES, Mood.DOWN
answered = all_of(started("telefon_ip"), World.dial)
flash_and_a_minute = all_of(started("ucaller"), later(61))

STARTS = [
    Scenario("start at telefon_ip", start_at("telefon_ip"), has_key=True),
    Scenario("start at smsc", start_at("smsc"), has_key=True),
    Scenario("start at ucaller", start_at("ucaller"), has_key=True),
    Scenario("start, telefon_ip silent", start, mood("telefon_ip", silent), has_key=True),
    Scenario("start, telefon_ip refuses", start, mood("telefon_ip", refuses), has_key=True),
    Scenario("start, ucaller silent", start_at("ucaller"), mood("ucaller", silent), has_key=True),
    Scenario("start, ucaller down", start_at("ucaller"), mood("ucaller", down), has_key=True),
    Scenario("start, telefon_ip well again", start, seen_failing, has_key=True),
]
TAKE_OVERS = [
    Scenario("take over telefon_ip", start, died(start, "after telefon_ip.start"), has_key=True),
    Scenario(
        "take over the only one",
        start_at("telefon_ip"),
        died(start_at("telefon_ip"), "after telefon_ip.start"),
        has_key=True,
    ),
    Scenario("take over ucaller", start_at("ucaller"), died(start_at("ucaller"), "after ucaller.start"), has_key=True),
    Scenario(
        "take over a repeat",
        repeat,
        all_of(flash_and_a_minute, died(repeat, "after ucaller.repeat")),
        has_key=True,
    ),
    Scenario(
        "take over another way",
        to_reverse,
        all_of(started("ucaller"), later(30), died(to_reverse, "after telefon_ip.start")),
        has_key=True,
    ),
]
REPEATS = [
    Scenario("repeat", repeat, flash_and_a_minute, has_key=True),
    Scenario("repeat, silent", repeat, all_of(flash_and_a_minute, mood("ucaller", silent)), has_key=True),
    Scenario("repeat, refused", repeat, all_of(flash_and_a_minute, mood("ucaller", refuses)), has_key=True),
    Scenario("another way, to ucaller", to_flash, all_of(started("telefon_ip"), later(30)), has_key=True),
    Scenario("another way, to telefon_ip", to_reverse, all_of(started("ucaller"), later(30)), has_key=True),
    Scenario(
        "another way, silent",
        to_reverse,
        all_of(started("ucaller"), later(30), mood("telefon_ip", silent)),
        has_key=True,
    ),
]
ENDS = [
    Scenario("check, right", check_right, started("ucaller")),
    Scenario("check, wrong", check_wrong, started("ucaller")),
    Scenario("check, wrong for the fifth time", check_wrong, all_of(started("ucaller"), guessed_wrong)),
    Scenario("webhook of telefon_ip", deliver, answered),
    Scenario("webhook of smsc", deliver, all_of(started("smsc"), World.dial)),
    Scenario("status, answered", status, all_of(answered, later(5))),
    Scenario("cancel", cancel, started("smsc")),
    Scenario("settle, last question", settle, all_of(answered, near_end)),
    Scenario("settle, window over", settle, all_of(started("telefon_ip"), at_end)),
    Scenario("publish", publish, all_of(started("telefon_ip"), at_end, settled)),
]


def in_test(number: str) -> Prepare:
    return lambda world: world.test_with(number)


def tested(number: str) -> Prepare:
    def prepare(world: World) -> None:
        world.test_with(number)
        world.start()

    return prepare


TEST_FLASH, TEST_EXPIRES, TEST_REVERSE, TEST_REFUSED = TEST_NUMBERS
TESTS = [
    *(Scenario(f"test, start {number}", start, in_test(number), has_key=True) for number in TEST_NUMBERS),
    Scenario("test, another way, flash call", to_flash, tested(TEST_FLASH), has_key=True),
    Scenario("test, another way, reverse call", to_reverse, tested(TEST_REVERSE), has_key=True),
    Scenario(
        "test, take over another way, flash call",
        to_flash,
        all_of(tested(TEST_FLASH), died(to_flash, "after transact_write_items")),
        has_key=True,
    ),
    Scenario(
        "test, take over another way, reverse call",
        to_reverse,
        all_of(tested(TEST_REVERSE), died(to_reverse, "after transact_write_items")),
        has_key=True,
    ),
    Scenario("test, repeat", repeat, tested(TEST_FLASH), has_key=True),
    Scenario(
        "test, take over a repeat",
        repeat,
        all_of(tested(TEST_FLASH), died(repeat, "after transact_write_items")),
        has_key=True,
    ),
    Scenario("test, check, right", check_right, tested(TEST_FLASH)),
    Scenario("test, check, wrong", check_wrong, tested(TEST_FLASH)),
    Scenario("test, check, wrong for the fifth time", check_wrong, all_of(tested(TEST_FLASH), guessed_wrong)),
    Scenario("test, status, answered", status, all_of(tested(TEST_REVERSE), later(2))),
    Scenario("test, cancel", cancel, tested(TEST_REVERSE)),
    Scenario("test, settle, last question", settle, all_of(tested(TEST_REVERSE), near_end)),
    Scenario("test, settle, window over", settle, all_of(tested(TEST_FLASH), at_end)),
    Scenario("test, publish", publish, all_of(tested(TEST_FLASH), at_end, settled)),
]
SCENARIOS = [*STARTS, *TAKE_OVERS, *REPEATS, *ENDS, *TESTS]
