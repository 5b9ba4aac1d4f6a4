"""The service in one process, a user with a telephone and a clock: run anything, let it die anywhere, then judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from callverify.domain import errors
from callverify.domain.verification import Verification
from callverify.domain.words import Method
from callverify.events.publish import Publisher
from callverify.providers.base import Manifest
from callverify.service.check import Checked
from callverify.service.policy import Policy
from callverify.service.service import Stepped
from callverify.service.started import Started
from callverify.service.webhooks import Request
from tests.service.crashes.history import History
from tests.service.crashes.judge import Judge
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.follow_ups import ask, end
from tests.support.points import Crash, CrashingClient, Plan, Points
from tests.support.routes import METHODS, At
from tests.support.service import BASE_URL, LIVE, TABLE, TEST, Parts

PHONE, OTHER_PHONE = "+79000000021", "+79000000022"
# Nothing here is about limits: they would only keep a schedule from going on.
POLICY = Policy(phone_10m=90, ip_10m=90, phone_day=90, prefix_10m=90)

type Answer = Started | Stepped | Checked | Verification | errors.CallverifyError | Crash | str | int | None


class _Bus:
    def put_events(self, *, Entries: Any) -> Any:  # noqa: N803
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}


def _unheard(message: str, **fields: object) -> None: ...


class World(Parts):
    """One history. Each method is one invocation of a function; `at` says what happens to it at which point.

    An invocation answers what its caller would see: a result, an error, or the Crash that it died of. webhooks: all
    that were ever sent, as provider, rest of the path, and parameters. only: the routes that are configured.
    """

    def __init__(self, *only: At, manifests: Sequence[Manifest] | None = None) -> None:
        self.rows = MemoryDynamoDb()
        self.rows.create_table(TableName=TABLE)
        self.history = History()
        self.rows.on_change = self.history.hear
        self.points = Points()
        self.passed: list[str] = []
        self.dynamodb = CrashingClient(self.rows, self.points)
        super().__init__(client=self.dynamodb, points=self.points, policy=POLICY, manifests=manifests)
        self.caller, self.phone = LIVE, PHONE
        self.webhooks: list[tuple[str, Any, Any]] = []
        self.judge = Judge(self)
        if only:
            self.only(*only)

    def only(self, *routes: At) -> None:
        """Have these routes alone configured, in this order, and new containers that know of them."""
        named = {at.provider: self.vendor(at.provider) for at in routes}
        for vendor in named.values():
            vendor.methods = [at.method for at in routes if at.provider == vendor.name]
        self.vendors = [*named.values()]
        self.order = [f"{at.provider}:{at.method}" for at in routes]
        self.service = self.new_service()

    def test_with(self, phone: str) -> None:
        """From now on the caller has a key of mode `test`, and starts with this number."""
        self.caller, self.phone = TEST, phone

    @property
    def tests(self) -> bool:
        return self.caller is TEST

    # Invocations

    def run(self, act: Callable[[], Answer], at: Plan | None = None) -> Answer:
        with self.points.process(at or {}) as passed:
            try:
                answer = act()
            except errors.CallverifyError as error:
                answer = error
            except Crash as crash:
                self.service = self.new_service()  # the container goes with it
                answer = crash
            self.passed = passed
        assert not isinstance(answer, errors.InternalError)
        self.judge()
        return answer

    def start(
        self, key: str | None = None, phone: str | None = None, *, at: Plan | None = None, **fields: object
    ) -> Answer:
        """By any method, unless `fields` say otherwise."""
        body = json.dumps({"phone": phone or self.phone, "allowed_methods": METHODS, **fields})
        answer = self.run(lambda: self.service.start(self.caller, body, idempotency_key=key, base_url=BASE_URL), at)
        self.judge.compare_with_first(key, answer)
        return answer

    def repeat(self, id: str, key: str | None = None, *, at: Plan | None = None) -> Answer:  # noqa: A002
        answer = self.run(
            lambda: self.service.repeat(self.caller, id, "{}", idempotency_key=key, base_url=BASE_URL), at
        )
        self.judge.compare_with_first(key, answer)
        return answer

    def switch(
        self,
        id: str,  # noqa: A002
        method: Method,
        key: str | None = None,
        *,
        at: Plan | None = None,
    ) -> Answer:
        body = json.dumps({"phone": self.judge.phone_of(self.record(id)), "method": method})
        answer = self.run(
            lambda: self.service.switch(self.caller, id, body, idempotency_key=key, base_url=BASE_URL), at
        )
        self.judge.compare_with_first(key, answer)
        return answer

    def read(self, id: str, *, at: Plan | None = None) -> Answer:  # noqa: A002
        return self.run(lambda: self.service.read(self.caller, id), at)

    def check(self, id: str, code: str, *, at: Plan | None = None) -> Answer:  # noqa: A002
        return self.run(lambda: self.service.check(self.caller, id, json.dumps({"code": code})), at)

    def cancel(self, id: str, *, at: Plan | None = None) -> Answer:  # noqa: A002
        return self.run(lambda: self.service.cancel(self.caller, id, None), at)

    def deliver(self, number: int = -1, *, at: Plan | None = None) -> Answer:
        """One of the webhooks that were ever sent."""
        provider, rest, parameters = self.webhooks[number]
        request = Request(provider, rest, lambda: parameters, base_url=BASE_URL)
        return self.run(lambda: self.service.report(request).body, at)

    def follow_up(self, id: str, attempt: int | None = None, *, at: Plan | None = None) -> Answer:  # noqa: A002
        number = attempt or self.record(id).attempt.number
        return self.run(lambda: end(self.service, id, number), at)

    def ask(self, id: str, *, at: Plan | None = None) -> Answer:  # noqa: A002
        return self.run(lambda: ask(self.service, id, self.record(id).attempt.number), at)

    def publish(self, *, at: Plan | None = None) -> Answer:
        """Take the next batch of the table's stream, which comes again where this dies."""
        batch = self.history.unpublished[:10]
        publisher = Publisher(
            store=self.store,
            bus=_Bus(),
            bus_name="bus",
            enqueue=None,
            clock=self.clock,
            note=_unheard,
            failed=lambda _, error: pytest.fail(repr(error)),
        )

        def publish() -> None:
            assert not publisher.publish(batch)

        answer = self.run(publish, at)
        if not isinstance(answer, Crash | errors.Busy):
            del self.history.unpublished[: len(batch)]
        return answer

    # The user, and time

    def dial(self, phone: str = PHONE) -> None:
        """The phone calls what it was shown; the webhooks wait for delivery."""
        for vendor in self.vendors:
            self.webhooks += [(vendor.name, rest, parameters) for rest, parameters in vendor.dial(phone)]

    def press(self, phone: str = PHONE) -> None:
        """A key is pressed in every call to the phone that asks for one; the webhooks wait for delivery."""
        for vendor in self.vendors:
            self.webhooks += [(vendor.name, rest, parameters) for rest, parameters in vendor.press_all(phone)]

    def right_code(self, id: str | None = None) -> str:  # noqa: A002
        """What the call of this verification shows, or what is wrong for certain; in test mode what is always right."""
        record = self.record(id) if id else self.latest
        digits = record.challenge.length if record.challenge and record.challenge.length else 4
        unique = f"{record.id}-{record.attempt.number}"
        return next((vendor.rung[unique] for vendor in self.vendors if unique in vendor.rung), "0" * digits)

    def wrong_code(self, id: str | None = None) -> str:  # noqa: A002
        """So many digits as the code has, which no call shows."""
        record = self.record(id) if id else self.latest
        digits = record.challenge.length if record.challenge and record.challenge.length else 4
        return ("1" if self.tests else "0") * digits

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.judge()

    def reach(self, moment: float) -> None:
        self.advance(max(0.0, moment - self.now))

    # Looking

    def record(self, id: str) -> Verification:  # noqa: A002
        return self.history.records[id]

    def records(self) -> list[Verification]:
        return [*self.history.records.values()]

    @property
    def latest(self) -> Verification:
        return self.records()[-1]
