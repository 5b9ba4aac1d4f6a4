"""The service in one process: a table in memory, vendors made from manifests, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from callverify.domain.keys import Keys
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, CallerKind, CallOutcome, Clock, Deadline, Mode, Scope, Unit
from callverify.providers.base import Line, Manifest, Route
from callverify.providers.registry import in_order
from callverify.providers.registry import manifests as every_manifest
from callverify.service.context import Context
from callverify.service.follow_up import FollowUp
from callverify.service.lane import live_lane, test_lane
from callverify.service.policy import Policy
from callverify.service.records import Records
from callverify.service.service import Service
from callverify.store import Index, Store, Usage
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.points import Points
from tests.support.vendors import FakeVendor

TABLE, INDEX_TABLE = "callverify", "callverify-index"
PEPPER = "pepper of the tests"
BASE_URL = "https://api.example/v1"
LIVE = Caller(CallerKind.API_KEY, key_id="shop", scopes=frozenset(Scope))
TEST = Caller(CallerKind.API_KEY, key_id="test", mode=Mode.TEST, scopes=frozenset(Scope))


class Heard:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, dict[str, str]]] = []
        self.values: list[tuple[str, float, dict[str, str]]] = []
        self.answers: list[tuple[str, str, CallOutcome]] = []
        self.ids: list[str] = []
        self.audited: list[tuple[str, dict[str, object]]] = []

    def about(self, verification_id: str) -> None:
        self.ids.append(verification_id)

    def count(self, metric: str, **dimensions: str) -> None:
        self.counts.append((metric, dimensions))

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None:  # noqa: ARG002
        self.values.append((metric, value, dimensions))

    def provider_answered(self, verification: Verification, action: str, outcome: CallOutcome) -> None:
        self.answers.append((verification.id, action, outcome))

    def audit(self, message: str, **fields: object) -> None:
        self.audited.append((message, fields))


class Parts:
    """All that a service consists of. `vendors` are the configured ones, in the operator's order.

    order: the operator's own order, as ProviderOrder has it, where it isn't that of the vendors.

    store, index: of tables elsewhere; by default those of `client`, or of new tables in memory.
    """

    def __init__(
        self,
        *,
        manifests: Sequence[Manifest] | None = None,
        policy: Policy = Policy(),  # noqa: B008 (a value)
        client: Any = None,
        store: Store | None = None,
        index: Index | None = None,
        now: float = 1_800_000_000,
        points: Points | None = None,
    ) -> None:
        self.now = now
        self.policy = policy
        self.order: list[str] = []
        self.observer = Heard()
        self.follow_ups: list[tuple[float, str]] = []  # that were sent, and when they are due
        self.keys = Keys(PEPPER)
        self.client: Any = client if client is not None else MemoryDynamoDb()
        if client is None:
            for name in (TABLE, INDEX_TABLE):
                self.client.create_table(TableName=name)
        client = cast("Any", self.client)
        self.store = store or Store(client, TABLE, sleep=lambda _: None, monotonic=self.clock)
        self.index = index or Index(client, INDEX_TABLE, sleep=lambda _: None, monotonic=self.clock)
        self.manifests = every_manifest() if manifests is None else list(manifests)
        self.vendors = [FakeVendor(manifest, self, points) for manifest in self.manifests]
        self.service = self.new_service()

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def vendor(self, name: str) -> FakeVendor:
        return next(vendor for vendor in self.vendors if vendor.name == name)

    def lines(self) -> list[Line]:
        lines = [line for vendor in self.vendors for line in vendor.lines()]
        return in_order(lines, self.order or [vendor.name for vendor in self.vendors])

    def bring_follow_ups(self) -> None:
        """Those that are due by now."""
        due = [message for at, message in self.follow_ups if at <= self.clock()]
        self.follow_ups = [each for each in self.follow_ups if each[0] > self.clock()]
        for message in due:
            if again := self.service.follow_up(FollowUp.read(message)):
                self.follow_ups.append((self.clock() + again[1], again[0].text()))

    def route(self, name: str, method: str) -> Route | None:
        routes = (route for each in self.manifests if each.name == name for route in each.routes)
        return next((route for route in routes if route.method == method), None)

    def new_service(self, policy: Policy | None = None, clock: Clock | None = None) -> Service:
        """As a new container has it."""
        policy, clock = policy or self.policy, clock or self.clock
        live = live_lane(
            self.lines,
            self.route,
            policy=policy,
            keys=self.keys,
            store=self.store,
            observer=self.observer,
            clock=clock,
        )
        test = test_lane(
            self.manifests,
            self.route,
            lambda lines: in_order(lines, [manifest.name for manifest in self.manifests]),
            policy=policy,
            keys=self.keys,
            clock=clock,
        )
        context = Context(
            self.store,
            self.index,
            self.keys,
            policy,
            {Mode.LIVE: live, Mode.TEST: test},
            self.observer,
            clock,
            lambda message, delay: self.follow_ups.append((self.clock() + delay, message)),
            lambda seconds: Deadline.after(seconds, clock),
            pause=self.pause,
        )
        usage = Usage(cast("Any", self.client), INDEX_TABLE, sleep=lambda _: None, monotonic=self.clock)
        self.record_service = Records(context, usage)
        return Service(context)
