"""Everything that asks, writes or waits, each as one invocation, with what has to come before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from callverify.domain.words import Method, has_code
from callverify.providers.sandbox import TEST_NUMBERS
from tests.service.crashes.world import OTHER_PHONE, Answer, World
from tests.support.points import Plan, crash
from tests.support.routes import BY_PHONE, KINDS, METHODS, OUR_CODE, READ_BACK, At
from tests.support.vendors import Mood

TAKE_OVER = 16  # seconds: one more than a retry has to wait before it takes over

type Act = Callable[[World, Plan], Answer]
type Prepare = Callable[[World], object]


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


def only(*routes: At) -> Prepare:
    return lambda world: world.only(*routes)


def mood(at: At, mood: Mood) -> Prepare:
    return lambda world: setattr(world.vendor(at.provider), "mood", mood)


def started(at: At) -> Prepare:
    def prepare(world: World) -> None:
        world.start(provider=at.provider, method=at.method)

    return prepare


def later(seconds: float) -> Prepare:
    return lambda world: world.advance(seconds)


def near_end(world: World) -> None:
    """In the last seconds of the window, when a follow-up asks for the last time."""
    world.reach(world.latest.expires_at - 4)


def at_end(world: World) -> None:
    world.reach(world.latest.expires_at)


def guessed_wrong(world: World) -> None:
    for _ in range(world.latest.guess_limit - 1):
        world.check(world.latest.id, world.wrong_code())


def died(act: Act, point: str) -> Prepare:
    """Somebody else's invocation died, as long ago as a retry waits."""

    def prepare(world: World) -> None:
        act(world, {point: crash})
        world.advance(TAKE_OVER)

    return prepare


def seen_failing(at: At) -> Prepare:
    """This container has seen the provider fail, so that its next success has something to forget."""

    def prepare(world: World) -> None:
        world.vendor(at.provider).mood = Mood.DOWN
        world.start(phone=OTHER_PHONE, provider=at.provider)
        world.vendor(at.provider).mood = Mood.WELL

    return prepare


# Invocations


def start(world: World, at: Plan) -> Answer:
    return world.start("key", at=at)


def start_at(route: At) -> Act:
    return lambda world, at: world.start("key", provider=route.provider, method=route.method, at=at)


def repeat(world: World, at: Plan) -> Answer:
    return world.repeat(world.latest.id, "other key", at=at)


def switch_to(method: Method) -> Act:
    return lambda world, at: world.switch(world.latest.id, method, "other key", at=at)


def check_right(world: World, at: Plan) -> Answer:
    return world.check(world.latest.id, world.right_code(), at=at)


def check_wrong(world: World, at: Plan) -> Answer:
    return world.check(world.latest.id, world.wrong_code(), at=at)


def ask(world: World, at: Plan) -> Answer:
    return world.ask(world.latest.id, at=at)


def cancel(world: World, at: Plan) -> Answer:
    return world.cancel(world.latest.id, at=at)


def deliver(world: World, at: Plan) -> Answer:
    return world.deliver(at=at)


def follow_up(world: World, at: Plan) -> Answer:
    return world.follow_up(world.latest.id, at=at)


def publish(world: World, at: Plan) -> Answer:
    return world.publish(at=at)


def followed_up(world: World) -> None:
    follow_up(world, {})


CODES = [at for at in KINDS if at.route.code]
REPEATING = [at for at in KINDS if at.route.repeats]
REPORTED = [at for at in KINDS if at.route.webhook]
ASKED = [at for at in KINDS if at.route.read_back]
THREE = only(READ_BACK, BY_PHONE, OUR_CODE)
keyed = partial(Scenario, has_key=True)

STARTS = [
    *(keyed(f"start at {at}", start_at(at)) for at in KINDS),
    *(
        keyed(f"start at {at}, {mood_of.name.lower()}", start_at(at), mood(at, mood_of))
        for at in KINDS
        for mood_of in (Mood.SILENT, Mood.REFUSES, Mood.DOWN)
    ),
    keyed("start, the first silent", start, all_of(THREE, mood(READ_BACK, Mood.SILENT))),
    keyed("start, the first refuses", start, all_of(THREE, mood(READ_BACK, Mood.REFUSES))),
    keyed(
        "start, the first silent, the second down",
        start,
        all_of(THREE, mood(READ_BACK, Mood.SILENT), mood(BY_PHONE, Mood.DOWN)),
    ),
    keyed(
        "start, all but the paid one refuse",
        start,
        all_of(THREE, mood(READ_BACK, Mood.REFUSES), mood(BY_PHONE, Mood.REFUSES)),
    ),
    keyed("start, the first well again", start, all_of(THREE, seen_failing(READ_BACK))),
]


def after(at: At, action: str) -> str:
    return f"after {at.provider}.{action}"


TAKE_OVERS = [
    keyed("take over, others are left", start, all_of(THREE, died(start, after(READ_BACK, "start")))),
    *(keyed(f"take over {at}", start_at(at), died(start_at(at), after(at, "start"))) for at in KINDS),
    *(
        keyed(
            f"take over a repeat of {at}",
            repeat,
            all_of(started(at), later(at.route.repeat_after + 1), died(repeat, after(at, "repeat"))),
        )
        for at in REPEATING
    ),
    keyed(
        "take over a switch",
        switch_to(READ_BACK.method),
        all_of(THREE, started(OUR_CODE), later(30), died(switch_to(READ_BACK.method), after(READ_BACK, "start"))),
    ),
]


def repeats(at: At) -> list[Scenario]:
    waited = all_of(started(at), later(at.route.repeat_after + 1))
    return [
        keyed(f"repeat at {at}", repeat, waited),
        keyed(f"repeat at {at}, silent", repeat, all_of(waited, mood(at, Mood.SILENT))),
        keyed(f"repeat at {at}, refused", repeat, all_of(waited, mood(at, Mood.REFUSES))),
    ]


def switches(method: Method) -> list[Scenario]:
    """From a route of another method to the first of this one."""
    to = next(at for at in KINDS if at.method is method)
    waited = all_of(started(next(at for at in KINDS if at.method is not method)), later(30))
    return [
        keyed(f"switch to {method}", switch_to(method), waited),
        keyed(f"switch to {method}, silent", switch_to(method), all_of(waited, mood(to, Mood.SILENT))),
        keyed(f"switch to {method}, refused", switch_to(method), all_of(waited, mood(to, Mood.REFUSES))),
    ]


STEPS = [*(each for at in REPEATING for each in repeats(at)), *(each for m in METHODS for each in switches(m))]
ENDS = [
    *(Scenario(f"check at {at}, right", check_right, started(at)) for at in CODES),
    *(Scenario(f"check at {at}, wrong", check_wrong, started(at)) for at in CODES),
    *(Scenario(f"check at {at}, the last wrong", check_wrong, all_of(started(at), guessed_wrong)) for at in CODES),
    *(
        Scenario(f"webhook of {at}", deliver, all_of(started(at), World.press if at.route.code else World.dial))
        for at in REPORTED
    ),
    *(Scenario(f"question at {at}, answered", ask, all_of(started(at), World.dial, later(5))) for at in ASKED),
    *(Scenario(f"follow up {at}, last", follow_up, all_of(started(at), World.dial, near_end)) for at in ASKED),
    *(Scenario(f"cancel {at}", cancel, started(at)) for at in KINDS),
    *(Scenario(f"follow up {at}, window over", follow_up, all_of(started(at), at_end)) for at in KINDS),
    Scenario("publish", publish, all_of(started(READ_BACK), at_end, followed_up)),
]


# Of a test key


def with_number(number: str) -> Prepare:
    return lambda world: world.test_with(number)


def tested(number: str) -> Prepare:
    return all_of(with_number(number), World.start)


def number_for(method: Method) -> str:
    """The one that answers this method alone."""
    return next(number for number, scenario in TEST_NUMBERS.items() if scenario.method is method)


def tests_of(method: Method) -> list[Scenario]:
    number, to = number_for(method), switch_to(method)
    half_way = died(to, "after transact_write_items")
    own = [
        keyed(f"switch to {method}", to, tested(number)),
        keyed(f"take over a switch to {method}", to, all_of(tested(number), half_way)),
        Scenario(f"cancel a {method}", cancel, tested(number)),
        Scenario(f"follow up a {method}, window over", follow_up, all_of(tested(number), at_end)),
        Scenario(f"publish a {method}", publish, all_of(tested(number), at_end, followed_up)),
    ]
    if not has_code(method):
        return [
            *own,
            Scenario(f"question about a {method}, answered", ask, all_of(tested(number), later(2))),
            Scenario(f"follow up a {method}, last", follow_up, all_of(tested(number), near_end)),
        ]
    return [
        *own,
        keyed(f"repeat a {method}", repeat, tested(number)),
        keyed(
            f"take over a repeat of a {method}",
            repeat,
            all_of(tested(number), died(repeat, "after transact_write_items")),
        ),
        Scenario(f"check a {method}, right", check_right, tested(number)),
        Scenario(f"check a {method}, wrong", check_wrong, tested(number)),
        Scenario(f"check a {method}, the last wrong", check_wrong, all_of(tested(number), guessed_wrong)),
    ]


TESTS = [
    *(keyed(f"start {number}", start, with_number(number)) for number in TEST_NUMBERS),
    *(keyed(f"start at {at}", start_at(at), with_number(number_for(at.method))) for at in KINDS),
    *(each for method in METHODS for each in tests_of(method)),
]
TESTS = [Scenario(f"test, {each.name}", each.act, each.prepare, each.has_key) for each in TESTS]
SCENARIOS = [*STARTS, *TAKE_OVERS, *STEPS, *ENDS, *TESTS]
