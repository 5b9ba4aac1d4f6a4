"""Vendors that fail in any order: the service and the providers' own clients, over all routes, in virtual time.

Each round is a start, and some a second one of the same phone. What must hold: one call that costs money at most, no
vendor asked after the 8 s, counts that are never too low, and no session that is verified by another one's call.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from callverify.domain import errors
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.verification import Verification
from callverify.domain.words import CallOrder, CallOutcome, Deadline, Method, Reason, Status
from callverify.providers.base import Line
from callverify.providers.http import Answer, NoAnswer, NotSent
from callverify.providers.names import NAMES
from callverify.providers.registry import in_order
from callverify.service.policy import Policy
from simulators.registry import fault_modes
from simulators.webhooks import Webhook
from tests.service.crashes.deep import DEEP, ROUNDS
from tests.support.routes import METHODS, ROUTES
from tests.support.service import BASE_URL, LIVE, TABLE
from tests.support.simulated import Simulated
from tests.support.simulators import SimulatorHttp, Simulators

ROUNDS_OF_A_WORLD = 100
# Nothing here is about limits but that they count.
POLICY = Policy(phone_10m=90, phone_day=90, prefix_10m=2 * ROUNDS_OF_A_WORLD, phone_cooldown=0, key_paid_day=10**6)
# What the vendor itself says, by its simulator.
SAID = ("no_money", "bad_credentials", "number_refused", "malformed_json")
# The same number or the same id for another session, where a vendor can.
AGAIN = ("same_number", "same_id")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

type Send = Callable[[], Answer]


class FailingHttp(SimulatorHttp):
    """Each request goes as `failure` says. began: when the current step was; asked: how many seconds later, each."""

    def __init__(self, simulators: Simulators, chance: random.Random) -> None:
        super().__init__(simulators.client)
        self.simulators = simulators
        self.chance = chance
        self.failure = "well"
        self.phone = ""
        self.began = 0.0
        self.asked: list[float] = []

    def send(self, method: str, url: str, *, deadline: Deadline, **request: Any) -> Answer:
        if deadline.remaining() <= 0:
            raise NotSent
        self.asked.append(self.simulators.now - self.began)
        if self.failure in SAID:
            provider = next(name for name in NAMES if f"/{name}/" in url)
            self.simulators.fault(provider, self.failure, phone=self.phone)
        answer = self._answer(lambda: super(FailingHttp, self).send(method, url, deadline=deadline, **request))
        took = deadline.remaining() if answer is None else self.chance.choice([0, 0.1, 0.1, 1, 2, 3])
        self.simulators.now += min(took, deadline.remaining())
        if answer is None or deadline.remaining() <= 0:
            raise NoAnswer(timed_out=True)
        return answer

    def _answer(self, send: Send) -> Answer | None:
        """None: none comes."""
        match self.failure:
            case "refused":
                raise NotSent
            case "deaf":
                return None
            case "http_500":
                return Answer(500, HTML)
        answer = send()
        match self.failure:
            case "silent":
                return None
            case "broken":
                raise NoAnswer(timed_out=False)
            case "http_502":
                return Answer(502, HTML)
            case "cut":
                return replace(answer, body=answer.body[: self.chance.randrange(len(answer.body) or 1)])
            case "garbled":
                return replace(answer, body=self.chance.randbytes(40))
        return answer


FAILURES = ("refused", "deaf", "http_500", "silent", "broken", "http_502", "cut", "garbled", *SAID)


class Failing:
    """A client whose starts go as its route does in this round."""

    def __init__(self, world: World, line: Line) -> None:
        self._world = world
        self._line = line

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        self._world.http.failure = self._world.failures[self._line.provider, self._line.method]
        outcome = self._line.client.start(order, deadline)
        self._world.http.failure = "well"
        self._world.simulators.client.delete("/faults")
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line.client, name)


class World(Simulated):
    """order: the operator's own, in every other round. failures: how each route goes in this one."""

    def __init__(self, chance: random.Random) -> None:
        simulators = Simulators()
        self.chance = chance
        self.http = FailingHttp(simulators, chance)
        self.failures: dict[tuple[str, Method], str] = {}
        self._lines: list[Line] | None = None
        super().__init__(simulators, POLICY)
        self.phones = (f"+7900000{number}" for number in itertools.count(1000))
        self.happened: Counter[str] = Counter()

    def lines(self) -> list[Line]:
        if self._lines is None:
            found = [line for name in NAMES for line in self.simulators.lines(name, http=self.http)]
            self._lines = [replace(line, client=Failing(self, line)) for line in found]
        return in_order(self._lines, self.order or NAMES)

    def take(self, sent: Webhook) -> tuple[int, str]:
        failure, self.http.failure = self.http.failure, "well"  # a report may come before the start's answer
        try:
            return super().take(sent)
        finally:
            self.http.failure = failure

    def draw(self, again: Verification | None) -> None:
        """What the next step meets. again: the vendor of this one is well, and is asked first."""
        share = self.chance.choice([0.3, 0.6, 0.9, 1])
        self.failures = {
            (at.provider, at.method): self.chance.choice(FAILURES) if self.chance.random() < share else "well"
            for at in ROUTES
        }
        own = [f"{at.provider}:{at.method}" for at in self.chance.sample(ROUTES, len(ROUTES))]
        self.order = own if again or self.chance.random() < 0.5 else []
        if again:
            self.failures[again.provider, again.method] = "well"
            self.order.sort(key=f"{again.provider}:{again.method}".__ne__)

    def step(self, phone: str, again: Verification | None = None) -> Verification | None:
        """One start, judged; the record, if there is one."""
        self.draw(again)
        rang = self.rang(phone)
        self.http.phone, self.http.began, self.http.asked = phone, self.simulators.now, []
        body = json.dumps({"phone": phone, "allowed_methods": METHODS})
        try:
            started = self.service.start(LIVE, body, idempotency_key=None, base_url=BASE_URL)
            id_, told, skipped = started.verification.id, "started", started.skipped
        except (errors.ProviderRejected, errors.ProviderUnavailable, errors.NoProviderAvailable) as error:
            id_, told, skipped = error.verification_id or "", error.code, error.skipped
        self.happened.update([told, *(f"skipped: {each.reason}" for each in skipped)])
        self.judge(phone, rang)
        record = self.store.get(id_, int(self.simulators.now))
        if record:
            self.happened.update(str(each.reason or each.outcome) for each in record.attempts)
        return record

    # Judging

    def rang(self, phone: str) -> int:
        return len(self.simulators.incoming(phone))

    def judge(self, phone: str, rang: int) -> None:
        assert self.rang(phone) - rang <= 1, "two calls that cost money in one step"
        assert all(seconds < VENDOR_SECONDS for seconds in self.http.asked), "a vendor was asked after the 8 s"
        assert self.simulators.now - self.http.began <= VENDOR_SECONDS + 1e-6
        self.made = getattr(self, "made", 0) + self.rang(phone) - rang
        for name in ("key_paid_day", "stack_paid_hour"):
            assert self.counted(f"limit#{name}#") >= self.made, f"{name} is too low"
        times = self.client.tables[TABLE].get(f"limit#phone_day#{self.keys.hash_phone(phone)}", {"starts": {"L": []}})
        assert len(times["starts"]["L"]) >= self.rang(phone), "phone_day is too low"

    def counted(self, prefix: str) -> int:
        return sum(int(item["n"]["N"]) for pk, item in self.client.tables[TABLE].items() if pk.startswith(prefix))


def call_for_another(world: World, phone: str, first: Verification) -> None:
    """The session is canceled, the next one begins, and only then the call for the first one comes."""
    assert first.challenge
    if first.status is Status.PENDING and first.challenge.number:
        world.service.cancel(LIVE, first.id, None)
    world.simulators.advance(world.chance.choice([30, 100, 290]))
    again = first if world.chance.random() < 0.5 else None
    for mode in AGAIN:
        if again and first.provider in fault_modes()[mode].providers and world.chance.random() < 0.5:
            world.simulators.fault(first.provider, mode, phone=phone)
    second = world.step(phone, again)
    world.simulators.client.delete("/faults")
    if second is None or not first.challenge.number:
        return
    world.simulators.dial(phone, first.challenge.number)
    world.simulators.advance(5)
    read = world.service.read(LIVE, second.id)
    assert read.status is not Status.VERIFIED, f"a call for another session: {first.challenge} {second.challenge}"
    world.happened["late calls"] += 1


def play(seed: int) -> Counter[str]:
    chance = random.Random(seed)
    world = World(chance)
    assert len(world.lines()) == len(ROUTES)
    for _ in range(ROUNDS_OF_A_WORLD):
        phone = next(world.phones)
        first = world.step(phone)
        if first and first.status is Status.PENDING and first.challenge and first.challenge.number:
            call_for_another(world, phone, first)
        world.simulators.advance(chance.choice([0, 5, 40]))
    return world.happened


def test_vendors_that_fail_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    happened: Counter[str] = Counter()
    for seed in range(ROUNDS // ROUNDS_OF_A_WORLD):
        try:
            happened += play(seed)
        except BaseException as error:
            error.add_note(f"in world {seed}")
            raise
    if DEEP:
        with capsys.disabled():
            print(f"\n{ROUNDS} rounds:", dict(happened))
    needed = {Reason.TIMEOUT, Reason.UNREACHABLE, Reason.NUMBER_REFUSED, Reason.NO_MONEY, Reason.HELD, "late calls"}
    needed |= {"started", "provider_unavailable", "skipped: may_have_been_paid", "skipped: time"}
    assert needed <= happened.keys(), "a round that shows nothing"
