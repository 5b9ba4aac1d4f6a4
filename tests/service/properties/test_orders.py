"""In whatever order things reach a verification, it ends once, by evidence alone, and stays as it ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification
from callverify.domain.words import CallOrder, CallOutcome, CallReport, Deadline, Evidence, Status
from callverify.service.policy import Policy
from callverify.service.started import Started
from callverify.service.webhooks import Request
from tests.support.follow_ups import ask, end
from tests.support.routes import READ_BACK
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.vendors import FakeVendor

PHONE, STRANGER = "+79000000011", "+79000000099"
WINDOW = READ_BACK.route.window.default


class Vendor(FakeVendor):
    """`during_start` runs while the start's answer is out. caller: who has called, in place of the phone."""

    during_start: Callable[[str], None] | None = None
    caller: str | None = None

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        outcome = super().start(order, deadline)
        if self.during_start:
            self.during_start(order.unique.rsplit("-", 1)[0])
        return outcome

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        self.awaited[call_id].dialed = self.caller is not None
        return replace(super().check(call_id, deadline), caller=self.caller)


class World(Parts):
    """One verification, and all that can happen to it, by name."""

    def __init__(self) -> None:
        super().__init__(manifests=[READ_BACK.manifest], policy=Policy(phone_cooldown=0))
        self.provider = Vendor(READ_BACK.manifest, self)
        self.provider.methods = [READ_BACK.method]
        self.vendors = [self.provider]
        self.began = self.now
        self.id = ""
        self.seen: list[Verification] = []

    def start_it(self) -> Started:
        body = f'{{"phone": "{PHONE}"}}'
        reply = self.service.start(LIVE, body, idempotency_key="key", base_url=BASE_URL)
        self.id = reply.verification.id
        return reply

    def happens(self, event: str) -> None:
        match event:
            case "call":
                self.provider.caller = PHONE
            case "stranger":
                self.provider.caller = STRANGER
            case "webhook":
                self.report()
            case "question":
                self.now += 3
                ask(self.service, self.id)
            case "cancel":
                with suppress(CallverifyError):
                    self.service.cancel(LIVE, self.id, None)
            case "expiry":
                self.now = max(self.now, self.began + WINDOW)
            case "retry":
                with suppress(CallverifyError):
                    self.start_it()
            case "follow up":
                end(self.service, self.id)
        self.look()

    def report(self) -> None:
        """The vendor's own, of the one call that it waits for."""
        ((call_id, awaited),) = self.provider.awaited.items()
        assert awaited.webhook_url is not None
        parameters = {"phone": (PHONE,), "said": (call_id,)}
        self.service.report(Request(self.provider.name, awaited.webhook_url.split("/")[-2:], lambda: parameters))

    def look(self) -> None:
        """A read that asks nobody: what is stored, judged by the clock."""
        found = self.store.get(self.id, int(self.now))
        assert found is not None
        self.seen.append(found)

    def end(self) -> tuple[Status, Evidence | None]:
        found = self.seen[-1]
        return found.status_at(self.now)[0], found.evidence


EVENTS = ["call", "stranger", "webhook", "webhook", "question", "cancel", "expiry", "retry", "follow up"]


def assert_history_is_sound(world: World, happened: list[str]) -> None:
    statuses = [record.status for record in world.seen]
    first_end = next((n for n, status in enumerate(statuses) if status is not Status.PENDING), len(statuses))
    # It moves once, and the record of its end never changes again.
    assert all(record == world.seen[first_end] for record in world.seen[first_end:])
    status, evidence = world.end()
    if status is Status.VERIFIED:
        # Only after the call was made by this phone, within the window, and before anything else ended it.
        assert evidence is Evidence.PROVIDER_READ_BACK
        before = happened[:first_end]
        assert "call" in before
        assert "cancel" not in before
        assert world.seen[first_end].verified_at is not None
        assert world.seen[first_end].verified_at < world.began + WINDOW  # type: ignore[operator]
    else:
        assert evidence is None
    assert world.provider.asked == 1
    lock = world.store.live_verification_id(world.seen[-1].phone_hash, int(world.now))
    assert (lock == world.id) == (status is Status.PENDING)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=9))
def test_any_sequence_leaves_a_sound_history(events: list[str]) -> None:
    world = World()
    world.start_it()
    world.look()
    for event in events:
        world.happens(event)
    assert_history_is_sound(world, ["start", *events])


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    early=st.lists(st.sampled_from(["call", "webhook", "cancel", "expiry"]), max_size=4), late=st.permutations(EVENTS)
)
def test_what_comes_before_the_starts_own_answer_leaves_a_sound_history_too(early: list[str], late: list[str]) -> None:
    world = World()

    def act(verification_id: str) -> None:
        world.id = verification_id
        for event in early:
            world.happens(event)

    world.provider.during_start = act
    world.start_it()
    # The answer itself is stored after what came before it: the record of an end must not be touched by it.
    for event in late:
        world.happens(event)
    assert_history_is_sound(world, [*early, *late])


@pytest.mark.parametrize("order", sorted(set(permutations(["call", "webhook", "webhook", "question"]))))
def test_the_same_call_ends_the_same_in_every_order(order: tuple[str, ...]) -> None:
    """The reply to the start, the webhook, its duplicate and a read may overtake one another."""
    for position in range(len(order) + 1):
        world = World()

        def early(verification_id: str, world: World = world, position: int = position) -> None:
            world.id = verification_id
            for event in order[:position]:
                world.happens(event)

        world.provider.during_start = early
        world.start_it()
        for event in order[position:]:
            world.happens(event)
        world.happens("question")
        assert world.end() == (Status.VERIFIED, Evidence.PROVIDER_READ_BACK), (order, position)
