"""In whatever order things reach a verification, it ends once, by evidence alone, and stays as it ended."""

from __future__ import annotations

from contextlib import suppress
from itertools import count, permutations
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callverify.errors import CallverifyError
from callverify.keys import Keys
from callverify.models import (
    Caller,
    CallerKind,
    CallOrder,
    CallReport,
    CallVerdict,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Mode,
    Outcome,
    ProviderName,
    Result,
    Scope,
    Status,
    Unit,
    Verification,
)
from callverify.service import Policy, Reply, Service
from callverify.store import Store
from tests.support.dynamodb import MemoryDynamoDb

TABLE = "callverify-properties"
NOW = 1_800_000_000
CALLER = Caller(CallerKind.API_KEY, key_id="k", mode=Mode.LIVE, scopes=frozenset({Scope.READ, Scope.WRITE}))
PHONE, STRANGER = "+79000000011", "+79000000099"


class FakeReverse:
    """telefon-ip as far as the policy sees it. `during_start` runs while the start's answer is still out there."""

    name: ClassVar[ProviderName] = ProviderName.TELEFON_IP
    method: ClassVar[Method] = Method.REVERSE_CALL
    free_repeats: ClassVar[int] = 0
    repeat_after: ClassVar[int] = 0
    can_check: ClassVar[bool] = True
    resends_safely: ClassVar[bool] = False
    knows_calls_by_phone_alone: ClassVar[bool] = False
    window = 120

    def __init__(self) -> None:
        self.caller: str | None = None
        self.during_start: list[Any] = []
        self.starts = 0

    @classmethod
    def configure(cls, credentials: Any, settings: Any) -> FakeReverse:  # noqa: ARG003
        return cls()

    def start(self, order: CallOrder, deadline: Deadline) -> Outcome:  # noqa: ARG002
        self.starts += 1
        verification_id = order.unique.rsplit("-", 1)[0]
        for act in self.during_start:
            act(verification_id)
        return Outcome(Result.STARTED, challenge=Challenge.call_number("+79000012760"), call_id="7")

    def repeat(self, call_id: str, deadline: Deadline) -> Outcome:
        raise NotImplementedError

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        if self.caller is None:
            return CallReport(CallVerdict.PENDING, call_id=call_id)
        return CallReport(CallVerdict.CONFIRMED, self.caller, call_id, evidence=Evidence.PROVIDER_READ_BACK)

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:
        return CallReport(CallVerdict.UNSTATED, PHONE, "7", webhook.verification_id)


class Silent:
    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None: ...

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None: ...

    def provider_answered(self, verification: Verification, action: str, outcome: Outcome) -> None: ...


class World:
    """One verification of a fresh phone, and all that can happen to it, by name."""

    def __init__(self, client: Any, number: int) -> None:
        client.create_table(TableName=TABLE)
        self.now = float(NOW)
        self.provider = FakeReverse()
        self.phone = f"+7900001{number % 10_000:04d}"
        self.service = Service(
            store=Store(client, TABLE, sleep=lambda _: None),
            keys=Keys(f"pepper {number}"),
            policy=Policy(phone_cooldown=0),
            providers=lambda: {ProviderName.TELEFON_IP: self.provider},
            observer=Silent(),
            clock=lambda: self.now,
        )
        self.id = ""
        self.seen: list[Verification] = []

    def start(self) -> Reply:
        body = f'{{"phone": "{self.phone}"}}'
        reply = self.service.start(CALLER, body, idempotency_key="key", base_url="https://api.example/v1")
        self.id = reply.verification.id
        return reply

    def happens(self, event: str) -> None:
        match event:
            case "call":
                self.provider.caller = self.phone
            case "stranger":
                self.provider.caller = STRANGER
            case "webhook":
                self.service.report(ProviderName.TELEFON_IP, InboundWebhook({}, "t", self.id))
            case "read":
                self.now += 3
                self.service.status(CALLER, self.id)
            case "cancel":
                with suppress(CallverifyError):
                    self.service.cancel(CALLER, self.id, None)
            case "expiry":
                self.now = max(self.now, NOW + 120.0)
            case "retry":
                with suppress(CallverifyError):
                    self.start()
            case "settle":
                self.service.settle(self.id, 1)
        self.look()

    def look(self) -> None:
        """A read that asks nobody: what is stored, judged by the clock."""
        found = self.service._store.get(self.id, int(self.now))
        assert found is not None
        self.seen.append(found)

    def end(self) -> tuple[Status, Evidence | None]:
        found = self.seen[-1]
        return found.status_at(self.now)[0], found.evidence


@pytest.fixture(scope="module")
def dynamodb() -> MemoryDynamoDb:
    return MemoryDynamoDb()


worlds = count()
EVENTS = ["call", "stranger", "webhook", "webhook", "read", "cancel", "expiry", "retry", "settle"]


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
        assert world.seen[first_end].verified_at < NOW + 120  # type: ignore[operator]
    else:
        assert evidence is None
    assert world.provider.starts == 1
    lock = world.service._store.live_verification_id(world.seen[-1].phone_hash, int(world.now))
    assert (lock == world.id) == (status is Status.PENDING)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=9))
def test_any_sequence_leaves_a_sound_history(dynamodb: Any, events: list[str]) -> None:
    world = World(dynamodb, next(worlds))
    world.start()
    world.look()
    for event in events:
        world.happens(event)
    assert_history_is_sound(world, ["start", *events])


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    early=st.lists(st.sampled_from(["call", "webhook", "cancel", "expiry"]), max_size=4), late=st.permutations(EVENTS)
)
def test_what_comes_before_the_starts_own_answer_leaves_a_sound_history_too(
    dynamodb: Any, early: list[str], late: list[str]
) -> None:
    world = World(dynamodb, next(worlds))

    def act(verification_id: str) -> None:
        world.id = verification_id
        for event in early:
            world.happens(event)

    world.provider.during_start = [act]
    world.start()
    # The answer itself is stored after what came before it: the record of an end must not be touched by it.
    for event in late:
        world.happens(event)
    assert_history_is_sound(world, [*early, *late])


@pytest.mark.parametrize("order", sorted(set(permutations(["call", "webhook", "webhook", "read"]))))
def test_the_same_call_ends_the_same_in_every_order(dynamodb: Any, order: tuple[str, ...]) -> None:
    """The reply to the start, the webhook, its duplicate and a read may overtake one another."""
    for position in range(len(order) + 1):
        world = World(dynamodb, next(worlds))

        def early(verification_id: str, world: World = world, position: int = position) -> None:
            world.id = verification_id
            for event in order[:position]:
                world.happens(event)

        world.provider.during_start = [early]
        world.start()
        for event in order[position:]:
            world.happens(event)
        world.happens("read")
        assert world.end() == (Status.VERIFIED, Evidence.PROVIDER_READ_BACK), (order, position)
