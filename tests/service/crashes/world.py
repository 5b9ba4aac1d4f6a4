"""The service, three vendors, a user with a telephone and a clock: run anything, let it die anywhere, then judge."""

from __future__ import annotations

import itertools
import json
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from callverify import errors
from callverify.events import Publisher
from callverify.items import verification_of_image
from callverify.keys import Keys
from callverify.models import (
    Caller,
    CallerKind,
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
    StepKind,
    Unit,
    Verification,
)
from callverify.providers.base import Provider
from callverify.resource import resource
from callverify.service import Policy, Reply, Service
from callverify.store import Store
from callverify.test_numbers import TEST_NUMBERS
from tests.service.crashes.points import Crash, CrashingClient, Plan, Points
from tests.service.crashes.vendors import FakeSmsc, FakeTelefonIp, FakeUcaller, Vendor
from tests.support.dynamodb import MemoryDynamoDb

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

PHONE, OTHER_PHONE = "+79000000021", "+79000000022"
BASE_URL = "https://api.example/v1"
CALLER = Caller(CallerKind.API_KEY, key_id="shop", scopes=frozenset(Scope))
TEST_CALLER = Caller(CallerKind.API_KEY, key_id="shop's test", mode=Mode.TEST, scopes=frozenset(Scope))
COOLDOWN = 20 + 8  # at its longest: counted from the start, with the time that the vendor may take
# HYPOTHESIS_PROFILE=ci, as in CI: some minutes more, for every meeting and three times as many random histories.
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "ci"
# What a key of mode `test` meets nothing of: limits, and locks on a phone.
NOT_IN_TEST_MODE = ("limit#", "phone#", "guesses#", "breaker#", *(f"{name}#" for name in ProviderName))
TABLE = "callverify"
# Nothing here is about limits: they would only keep a schedule from going on.
POLICY = Policy(phone_10m=90, ip_10m=90, phone_day=90, prefix_10m=90)

type Answer = Reply | Verification | errors.CallverifyError | Crash | int | None


class _Counts:
    """What the services counted, by metric."""

    def __init__(self) -> None:
        self.metrics: Counter[str] = Counter()

    def about(self, verification_id: str) -> None: ...

    def count(self, metric: str, **dimensions: str) -> None:  # noqa: ARG002
        self.metrics[metric] += 1

    def measure(self, metric: str, value: float, unit: Unit, **dimensions: str) -> None:  # noqa: ARG002
        self.metrics[metric] += 1

    def provider_answered(self, verification: Verification, action: str, outcome: Outcome) -> None:  # noqa: ARG002
        self.metrics["provider answered"] += 1


def _unheard(message: str, **fields: object) -> None: ...


class _Bus:
    def put_events(self, *, Entries: Any) -> Any:  # noqa: N803, ARG002
        return {"FailedEntryCount": 0}


class World:
    """One history. Each method is one invocation of a function; `at` says what happens to it at which point.

    An invocation answers what its caller would see: a result, an error, or the Crash that it died of.
    """

    def __init__(self) -> None:
        self._rows = MemoryDynamoDb()
        self._rows.create_table(TableName=TABLE)
        self.now: float = 1_800_000_000
        self.points = Points()
        self.passed: list[str] = []
        self.caller, self.phone = CALLER, PHONE
        self.observed = _Counts()
        self.ucaller = FakeUcaller(self, self.points)
        self.telefon_ip = FakeTelefonIp(self, self.points)
        self.smsc = FakeSmsc(self, self.points)
        self.vendors: list[Vendor] = [self.telefon_ip, self.smsc, self.ucaller]
        self.webhooks: list[tuple[ProviderName, InboundWebhook]] = []
        self.keys = Keys("pepper of the tests")
        self.unpublished: list[tuple[Verification | None, Verification | None]] = []
        self.transitions: Counter[tuple[str, Status]] = Counter()
        self._images: dict[str, Any] = {}
        self._ends_read: dict[str, Any] = {}
        self._answers: dict[tuple[str, str], str | None] = {}
        self.dynamodb = CrashingClient(self._rows, self.points, self._note_changes)
        self.store = Store(cast("DynamoDBClient", self.dynamodb), TABLE, sleep=lambda _: None)
        self._service = self._new_service()

    def clock(self) -> float:
        return self.now

    def _new_service(self) -> Service:
        providers = cast("Mapping[ProviderName, Provider]", {vendor.name: vendor for vendor in self.vendors})
        return Service(
            store=self.store,
            keys=self.keys,
            policy=POLICY,
            providers=lambda: providers,
            observer=self.observed,
            clock=self.clock,
        )

    def only(self, *names: str) -> World:
        """Have these providers alone configured, in this order."""
        vendors: dict[str, Vendor] = {vendor.name: vendor for vendor in self.vendors}
        self.vendors = [vendors[name] for name in names]
        return self.restart()

    def restart(self) -> World:
        """New containers, which know of `vendors` as they are now."""
        self._service = self._new_service()
        return self

    # Invocations

    def run(self, act: Callable[[], Answer], at: Plan | None = None) -> Answer:
        with self.points.process(at or {}) as passed:
            try:
                answer = act()
            except errors.CallverifyError as error:
                answer = error
            except Crash as crash:
                self._service = self._new_service()  # the container goes with it
                answer = crash
            self.passed = passed
        assert not isinstance(answer, errors.InternalError)
        self.judge()
        return answer

    def test_with(self, phone: str) -> None:
        """From now on the caller has a key of mode `test`, and starts with this number."""
        self.caller, self.phone = TEST_CALLER, phone

    @property
    def tests(self) -> bool:
        """Whether the caller of this world has a key of mode `test`."""
        return self.caller is TEST_CALLER

    def start(
        self, key: str | None = None, phone: str | None = None, *, at: Plan | None = None, **fields: object
    ) -> Answer:
        body = json.dumps({"phone": phone or self.phone, **fields})
        answer = self.run(lambda: self._service.start(self.caller, body, idempotency_key=key, base_url=BASE_URL), at)
        self._compare_with_first(key, answer)
        return answer

    def repeat(self, verification: str, key: str | None = None, *, at: Plan | None = None, **fields: object) -> Answer:
        """The vendor's own, or another way with `phone` and `method`."""
        body = json.dumps(fields)
        answer = self.run(
            lambda: self._service.repeat(self.caller, verification, body, idempotency_key=key, base_url=BASE_URL), at
        )
        self._compare_with_first(key, answer)
        return answer

    def another_way(
        self, verification: str, method: Method, key: str | None = None, *, at: Plan | None = None
    ) -> Answer:
        phone = self.phone_of(self.record(verification))
        return self.repeat(verification, key, at=at, phone=phone, method=method)

    def status(self, verification: str, *, at: Plan | None = None) -> Answer:
        return self.run(lambda: self._service.status(self.caller, verification), at)

    def check(self, verification: str, code: str, *, at: Plan | None = None) -> Answer:
        body = json.dumps({"code": code})
        return self.run(lambda: self._service.check(self.caller, verification, body), at)

    def cancel(self, verification: str, *, at: Plan | None = None) -> Answer:
        return self.run(lambda: self._service.cancel(self.caller, verification, None), at)

    def deliver(self, number: int = -1, *, at: Plan | None = None) -> Answer:
        """One of the webhooks that were ever sent."""
        provider, webhook = self.webhooks[number]
        return self.run(lambda: self._service.report(provider, webhook), at)

    def settle(self, verification: str, attempt: int, *, at: Plan | None = None) -> Answer:
        return self.run(lambda: self._service.settle(verification, attempt), at)

    def publish(self, *, at: Plan | None = None) -> Answer:
        """Take the next batch of the table's stream, which comes again where this dies."""
        batch = self.unpublished[:10]
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
            assert publisher.publish(batch) == []

        answer = self.run(publish, at)
        if not isinstance(answer, Crash | errors.Busy):
            del self.unpublished[: len(batch)]
        return answer

    # The user, and time

    def dial(self, phone: str = PHONE) -> None:
        """The phone calls what it was shown; the webhooks wait for delivery."""
        for vendor in (self.telefon_ip, self.smsc):
            self.webhooks += [(vendor.name, webhook) for webhook in vendor.dial(phone)]

    def right_code(self, phone: str = PHONE) -> str:
        """What this phone's last flash call showed, or what is wrong for certain; in test mode what is always right."""
        return self.ucaller.last_code(phone) or "0000"

    @property
    def wrong_code(self) -> str:
        return "1111" if self.tests else "0000"

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.judge()

    def reach(self, moment: float) -> None:
        self.advance(max(0.0, moment - self.now))

    # Looking

    def record(self, verification: str) -> Verification:
        found = verification_of_image(self._images[f"verification#{verification}"])
        assert found is not None
        return found

    def records(self) -> list[Verification]:
        return [found for image in self._images.values() if (found := verification_of_image(image))]

    @property
    def latest(self) -> Verification:
        return self.records()[-1]

    def phone_of(self, verification: Verification) -> str:
        return next(
            p for p in (PHONE, OTHER_PHONE, *TEST_NUMBERS) if self.keys.hash_phone(p) == verification.phone_hash
        )

    def images(self) -> list[dict[str, Any]]:
        """The table's items as they are, without a request, in the order in which they were first written."""
        found: list[dict[str, Any]] = self._rows.scan(TableName=TABLE)["Items"]
        return found

    def paid(self) -> Counter[str]:
        return Counter(itertools.chain(self.ucaller.paid, self.telefon_ip.paid, self.smsc.paid))

    def _note_changes(self) -> None:
        """What the table's stream would tell, of verifications."""
        for image in self.images():
            pk = image["pk"]["S"]
            before, self._images[pk] = self._images.get(pk), image
            if before == image:
                continue
            old, new = verification_of_image(before), verification_of_image(image)
            if new is None:
                continue
            assert old is None or old.status is Status.PENDING, f"written after its end: {old} → {new}"
            if old is None or old.status is not new.status:
                self.transitions[new.id, new.status] += 1
            self.unpublished.append((old, new))

    def counts(self) -> list[tuple[str, ...]]:
        """What was written, without what differs from one history to the next: each record, and what is counted."""
        told = [
            ("verification", each.status, str(each.guesses), *(attempt.outcome for attempt in each.attempts))
            for each in self.records()
        ]
        for image in self.images():
            kind = image["pk"]["S"].split("#")[0]
            if kind != "verification":
                told.append((kind, repr(image.get("n")), repr(image.get("starts"))))
        return sorted(told)

    # Judging: all of it holds at every moment

    def judge(self) -> None:
        if self.tests:
            assert not any(vendor.asked for vendor in self.vendors), "a vendor was asked for a test number"
            assert not self.observed.metrics, "a test counts in no metric of business"
            assert all(record.mode is Mode.TEST for record in self.records())
            assert not any(image["pk"]["S"].startswith(NOT_IN_TEST_MODE) for image in self.images())
        paid = self.paid()
        live: Counter[str] = Counter()
        for verification in self.records():
            self._judge_end(verification)
            self._judge_attempts(verification)
            self._judge_payments(verification, paid)
            self._judge_evidence(verification)
            live[verification.phone_hash] += verification.is_live(self.now)
        assert not paid, f"paid for without an intention on record: {paid}"
        for phone in (PHONE, OTHER_PHONE):
            assert live[self.keys.hash_phone(phone)] <= 1
            self._judge_lock(phone)
        self._judge_holds()
        self._judge_counts()

    def _judge_end(self, verification: Verification) -> None:
        end = verification.status_at(self.now)
        if end[0] is not Status.PENDING:
            assert self._ends_read.setdefault(verification.id, end) == end, "another end than was read before"

    def _judge_attempts(self, verification: Verification) -> None:
        shown = [attempt["outcome"] for attempt in resource(verification, self.now)["attempts"]]
        over = shown if verification.status_at(self.now)[0] is not Status.PENDING else shown[:-1]
        assert Result.STARTING not in over, "what became of an attempt that is over is not told"
        if verification.step.done:
            assert verification.attempt.outcome is not Result.STARTING
        for attempt in verification.attempts[:-1]:
            assert attempt.step <= verification.step.number

    def _judge_payments(self, verification: Verification, paid: Counter[str]) -> None:
        for step in verification.steps:
            attempts = [attempt for attempt in verification.attempts if attempt.step == step.number]
            bought = []
            for attempt in attempts:
                times = paid.pop(f"{verification.id}-{attempt.number}", 0)
                assert times <= 1, f"paid for {times} times: {attempt}"
                if times:
                    assert attempt.outcome not in (Result.REJECTED, Result.UNAVAILABLE), (
                        f"paid for after all: {attempt}"
                    )
                    bought.append(attempt)
            # A reverse call whose answer never came is followed by another reverse call, and by nothing else.
            for attempt, following in itertools.pairwise(bought):
                assert attempt.outcome is Result.UNKNOWN, f"a step paid for twice: {attempt}, {following}"
                assert (attempt.method, following.method) == (Method.REVERSE_CALL, Method.REVERSE_CALL)
        repeats = sum(step.kind is StepKind.REPEAT for step in verification.steps)
        made = sum(unique.rpartition("-")[0] == verification.id for unique in self.ucaller.repeated)
        assert made <= repeats, "more of the vendor's own repeats than were accepted"

    def _judge_evidence(self, verification: Verification) -> None:
        if verification.status is not Status.VERIFIED or self.tests:
            assert (verification.evidence is None) == (verification.status is not Status.VERIFIED)
            return
        attempt, phone = verification.attempt, self.phone_of(verification)
        match verification.evidence:
            case Evidence.CODE_MATCHED:
                assert f"{verification.id}-{attempt.number}" in self.ucaller.rung
            case Evidence.PROVIDER_READ_BACK:
                assert verification.call_id in self.telefon_ip.dialed
                assert verification.call_id is not None
                assert self.telefon_ip.waiting[verification.call_id][0] == phone
            case Evidence.PROVIDER_SIGNATURE:
                signing = [vendor for vendor in (*self.vendors, self.smsc) if isinstance(vendor, FakeSmsc)]
                times = [ts for vendor in signing for signed_for, ts in vendor.signed if signed_for == phone]
                assert any(attempt.at <= ts <= verification.expires_at for ts in times)
            case None:
                raise AssertionError("verified by nothing")

    def _judge_lock(self, phone: str) -> None:
        pk = f"phone#{self.keys.hash_phone(phone)}"
        lock = next((image for image in self.images() if image["pk"]["S"] == pk), None)
        if lock is None:
            return
        holder = self.record(lock["verification_id"]["S"])
        assert int(lock["expires_at"]["N"]) == holder.expires_at
        assert holder.status is Status.PENDING, "locked by a verification that has ended"

    def _judge_counts(self) -> None:
        """Of calls that may be paid for, never fewer are counted than were made, whatever was given back."""
        rung = [
            attempt.at
            for each in self.records()
            for attempt in each.attempts
            if f"{each.id}-{attempt.number}" in self.ucaller.rung
        ]
        keys = {image["pk"]["S"]: image for image in self.images()}
        counted = {pk.split("#")[1]: image for pk, image in keys.items() if pk.startswith("limit#")}
        made = len(rung) + len(self.ucaller.repeated)
        assert not made or int(counted["key_paid_day"]["n"]["N"]) >= made
        sealed = counted.get("prefix_10m")
        content = self.keys.unseal(sealed["sealed"]["S"]) if sealed else b""
        times = struct.unpack(f">{len(content) // 4}I", content)
        missing = Counter(at for at in rung if at > self.now - 600) - Counter(times[: len(times) // 2])
        assert not missing, f"calls to the block that are not counted: {missing}"

    def _judge_holds(self) -> None:
        """Where a vendor knows calls by phone alone, no session is asked for while another's call may still come."""
        for vendor in self.vendors:
            if not vendor.knows_calls_by_phone_alone:
                continue
            asked: dict[str, list[tuple[int, int, str]]] = {}
            for each in self.records():
                for attempt in each.attempts:
                    if attempt.provider is vendor.name and attempt.outcome not in (Result.REJECTED, Result.UNAVAILABLE):
                        over = attempt.at + vendor.window + 600
                        if each.verified_at is not None and attempt is each.attempt:
                            over = each.verified_at + 120
                        asked.setdefault(each.phone_hash, []).append((attempt.at, over, each.id))
            for times in asked.values():
                for (_, over, earlier), (at, _, later) in itertools.pairwise(sorted(times)):
                    assert earlier == later or at >= over, f"{later} may be verified by a call for {earlier}"

    def _compare_with_first(self, key: str | None, answer: Answer) -> None:
        """Under one Idempotency-Key: one verification, one client token, and the same answer every further time."""
        if key is None or not isinstance(answer, Reply | errors.ProviderRejected | errors.ProviderUnavailable):
            return
        reply = answer if isinstance(answer, Reply) else None
        id = reply.verification.id if reply else answer.verification_id  # type: ignore[union-attr]  # noqa: A001
        assert self._answers.setdefault((key, "id"), id) == id
        if reply and reply.client_token:
            assert self._answers.setdefault((key, "client token"), reply.client_token) == reply.client_token
        if answer.replayed:  # one that was overtaken answers to nobody any more
            code = None if reply else answer.code  # type: ignore[union-attr]
            assert self._answers.setdefault((key, "code"), code) == code

    # The end of a history

    def finish(self, *, publish: bool = False) -> None:
        """Everybody stops, and time passes: all has ended, once, and its phone is free again.

        publish: take what is left of the table's stream as well, and judge the list of events.
        """
        for vendor in self.vendors:
            vendor.mood = type(vendor.mood).WELL
        for verification in self.records():
            self._settle_to_the_end(verification)
        ends = Counter(each for each, status in self.transitions.elements() if status is not Status.PENDING)
        assert ends == Counter(verification.id for verification in self.records())
        if publish:
            while self.unpublished:
                self.publish()
            self._judge_events()
        for phone in {self.phone_of(verification) for verification in self.records()}:
            self._judge_freed(phone)

    def _settle_to_the_end(self, verification: Verification) -> None:
        again = self.settle(verification.id, verification.attempt.number)
        for _ in range(9):
            if again is None:
                break
            assert isinstance(again, int)
            self.advance(again)
            again = self.settle(verification.id, verification.attempt.number)
        assert self.record(verification.id).status is not Status.PENDING

    def _judge_events(self) -> None:
        events, latest = self.store.events_after(self.caller.mode, 0, limit=100, now=int(self.now))
        assert [number for number, _ in events] == list(range(latest - len(events) + 1, latest + 1))
        told = [(body["data"]["id"], body["data"]["status"]) for body in (json.loads(text) for _, text in events)]
        assert Counter(told) == self.transitions
        for verification in self.records():
            mine = [status for each, status in told if each == verification.id]
            began = [Status.PENDING] if (verification.id, Status.PENDING) in self.transitions else []
            assert mine == [*began, verification.status]

    def _judge_freed(self, phone: str) -> None:
        if self.tests:
            return
        mine = [each for each in self.records() if self.phone_of(each) == phone]
        ended = [min(each.expires_at, each.ended_at or each.expires_at) for each in mine]
        self.reach(max(ended, default=0) + COOLDOWN)
        answer = self.start(phone=phone, provider=self.vendors[0].name) if self.vendors[0] is not self.smsc else None
        assert answer is None or isinstance(answer, Reply), f"no new start of the phone: {answer!r}"


@contextmanager
def new_world() -> Iterator[World]:
    """A world of its own."""
    made = World()
    with pytest.MonkeyPatch.context() as patched:
        # Waiting for a vendor takes the world's time, not the machine's.
        patched.setattr(
            "callverify.service.Deadline",
            SimpleNamespace(after=lambda seconds: Deadline.after(seconds, made.clock)),
        )
        yield made
