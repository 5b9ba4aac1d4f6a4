"""Random histories: requests, retries, deaths, overtakings, late webhooks and time, in any order."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from callverify.domain.words import Method
from tests.service.crashes.deep import HISTORIES
from tests.service.crashes.world import OTHER_PHONE, PHONE, World
from tests.support.points import Plan, crash
from tests.support.routes import METHODS, ROUTES, At
from tests.support.vendors import Mood

SECONDS = [1, 3, 9, 14, 15, 16, 21, 28, 61, 119, 120, 121, 300]

type Happening = tuple[int, str, int]

# What happens to an invocation, by the point: it dies, or something else goes on while it waits.
happenings = st.none() | st.tuples(
    st.integers(0, 12),
    st.sampled_from(
        ["dies", "dies", "dies", "time", "webhook", "retry", "cancel", "check", "switch", "follow up", "question"]
    ),
    st.sampled_from(SECONDS[:7]),
)
phones = st.sampled_from([PHONE, PHONE, PHONE, OTHER_PHONE])
keys = st.sampled_from([None, "one", "two"])
names = [*dict.fromkeys(at.provider for at in ROUTES)]
# What a start names: nothing, or a route.
routes = st.none() | st.sampled_from(ROUTES)
picks = st.integers(0, 5)


class Schedules(RuleBasedStateMachine):
    """One Idempotency-Key always comes with one request, as a client that retries sends it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.requests: dict[str, Callable[[Plan], object]] = {}

    def teardown(self) -> None:
        self.world.judge.finish(publish=True)

    def happens(self, happening: Happening | None) -> Plan:
        if happening is None:
            return {}
        point, what, seconds = happening
        return {point: crash if what == "dies" else lambda: self.meanwhile(what, seconds)}

    def meanwhile(self, what: str, seconds: int) -> None:
        world = self.world
        if world.points.is_writing:
            # A write carries the time at which it was sent, and no store knows a later one: a window that ends on its
            # way is one that it has found open.
            ends = [record.expires_at - world.now - 1 for record in world.records() if record.is_live(world.now)]
            seconds = max(0, min([seconds, *map(int, ends)]))
        world.advance(seconds)
        id = world.latest.id if world.records() else None  # noqa: A001
        if what == "webhook":
            world.dial()
            if world.webhooks:
                world.deliver()
        elif what == "retry" and self.requests:
            [*self.requests.values()][-1]({})
        elif id is None:
            return
        elif what == "cancel":
            world.cancel(id)
        elif what == "check":
            world.check(id, world.right_code())
        elif what == "switch":
            world.switch(id, METHODS[0])
        elif what == "follow up":
            world.follow_up(id)
        elif what == "question":
            world.ask(id)

    def pick(self, number: int) -> str:
        records = self.world.records()
        return records[-1 - number % len(records)].id

    def has_records(self) -> bool:
        return bool(self.world.records())

    # Requests

    @initialize(phone=phones, route=routes, happening=happenings)
    def first(self, phone: str, route: At | None, happening: Happening | None) -> None:
        self.start("one", phone, route, happening)

    @rule(key=keys, phone=phones, route=routes, happening=happenings)
    def start(self, key: str | None, phone: str, route: At | None, happening: Happening | None) -> None:
        fields: dict[str, object] = {"provider": route.provider, "method": route.method} if route else {}
        self.send(key, lambda at: self.world.start(key, phone, at=at, **fields), happening)

    @precondition(has_records)
    @rule(key=st.sampled_from([None, "three", "four"]), pick=picks, happening=happenings)
    def repeat(self, key: str | None, pick: int, happening: Happening | None) -> None:
        id = self.pick(pick)  # noqa: A001
        self.send(key, lambda at: self.world.repeat(id, key, at=at), happening)

    @precondition(has_records)
    @rule(key=st.sampled_from([None, "five", "six"]), pick=picks, method=st.sampled_from(METHODS), happening=happenings)
    def switch(self, key: str | None, pick: int, method: Method, happening: Happening | None) -> None:
        id = self.pick(pick)  # noqa: A001
        self.send(key, lambda at: self.world.switch(id, method, key, at=at), happening)

    def send(self, key: str | None, request: Callable[[Plan], object], happening: Happening | None) -> None:
        if key is not None:
            request = self.requests.setdefault(key, request)
        request(self.happens(happening))

    @precondition(lambda self: bool(self.requests))
    @rule(pick=picks, happening=happenings)
    def retry(self, pick: int, happening: Happening | None) -> None:
        request = [*self.requests.values()][pick % len(self.requests)]
        request(self.happens(happening))

    @precondition(has_records)
    @rule(pick=picks, right=st.booleans(), happening=happenings)
    def check(self, pick: int, right: bool, happening: Happening | None) -> None:
        id = self.pick(pick)  # noqa: A001
        code = self.world.right_code(id) if right else self.world.wrong_code(id)
        self.world.check(id, code, at=self.happens(happening))

    @precondition(has_records)
    @rule(pick=picks, happening=happenings)
    def ask(self, pick: int, happening: Happening | None) -> None:
        self.world.ask(self.pick(pick), at=self.happens(happening))

    @precondition(has_records)
    @rule(pick=picks, happening=happenings)
    def cancel(self, pick: int, happening: Happening | None) -> None:
        self.world.cancel(self.pick(pick), at=self.happens(happening))

    # What comes by itself

    @rule(phone=phones)
    def dial(self, phone: str) -> None:
        self.world.dial(phone)

    @rule(phone=phones)
    def press(self, phone: str) -> None:
        self.world.press(phone)

    @precondition(lambda self: bool(self.world.webhooks))
    @rule(pick=picks, happening=happenings)
    def webhook(self, pick: int, happening: Happening | None) -> None:
        number = -1 - pick % len(self.world.webhooks)
        self.world.deliver(number, at=self.happens(happening))

    @precondition(has_records)
    @rule(pick=picks, attempt=st.integers(1, 3), happening=happenings)
    def follow_up(self, pick: int, attempt: int, happening: Happening | None) -> None:
        self.world.follow_up(self.pick(pick), attempt, at=self.happens(happening))

    @precondition(lambda self: bool(self.world.history.unpublished))
    @rule(point=st.none() | st.integers(0, 6))
    def publish(self, point: int | None) -> None:
        self.world.publish(at={} if point is None else {point: crash})

    @rule(seconds=st.sampled_from(SECONDS))
    def time(self, seconds: int) -> None:
        self.world.advance(seconds)

    @rule(vendor=st.sampled_from(names), mood=st.sampled_from(Mood))
    def mood(self, vendor: str, mood: Mood) -> None:
        self.world.vendor(vendor).mood = mood

    @rule(route=st.sampled_from(ROUTES), mood=st.sampled_from(Mood))
    def mood_of_one(self, route: At, mood: Mood) -> None:
        self.world.vendor(route.provider).moods[route.method] = mood

    @rule(vendor=st.sampled_from(names), numbers=st.integers(0, 2), call_ids=st.integers(0, 2))
    def lend_again(self, vendor: str, numbers: int, call_ids: int) -> None:
        """The vendor lends numbers, and counts calls, in so small a round that they soon come again."""
        self.world.vendor(vendor).numbers, self.world.vendor(vendor).call_ids = numbers, call_ids

    @rule(vendor=st.sampled_from(names), echoes=st.booleans())
    def echo(self, vendor: str, echoes: bool) -> None:
        self.world.vendor(vendor).echoes_while_pending = echoes


Schedules.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


TestSchedules = Schedules.TestCase
