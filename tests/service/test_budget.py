"""The time of a request is its caller's to say, and a retry of one in flight may wait for its answer within it."""

from __future__ import annotations

import json
from threading import Event, Thread

import pytest

from callverify.domain import errors
from callverify.domain.words import CallOrder, CallOutcome, Deadline
from callverify.service.started import Started
from callverify.service.steps import LOOK_AGAIN_SECONDS
from tests.service.test_routes import DIALLED, OURS, PHONE, manifest, reverse
from tests.support.service import BASE_URL, LIVE, Parts
from tests.support.vendors import FakeVendor, Mood

SECOND = manifest("second", reverse())


def start(parts: Parts, seconds: float | None = None, *, key: str | None = None) -> Started:
    deadline = None if seconds is None else Deadline.after(seconds, parts.clock)
    body = json.dumps({"phone": PHONE})
    return parts.service.start(LIVE, body, idempotency_key=key, base_url=BASE_URL, deadline=deadline)


@pytest.mark.parametrize(("seconds", "took"), [(None, 8), (4, 4), (2.5, 2.5)])
def test_all_vendor_work_ends_with_the_budget(seconds: float | None, took: float) -> None:
    parts = Parts(manifests=[DIALLED])
    parts.vendor("dialled").mood = Mood.DEAF
    began = parts.now
    with pytest.raises(errors.ProviderUnavailable):
        start(parts, seconds)
    assert parts.now - began == took


def test_two_routes_share_a_small_budget() -> None:
    parts = Parts(manifests=[DIALLED, SECOND])
    parts.vendor("dialled").mood = Mood.DEAF
    began = parts.now
    started = start(parts, 4)
    assert (started.verification.provider, parts.now - began) == ("second", 2)


def test_a_budget_that_is_used_up_starts_nothing() -> None:
    parts = Parts(manifests=[DIALLED])
    deadline = Deadline.after(4, parts.clock)
    parts.now += 2.1
    with pytest.raises(errors.NoProviderAvailable) as raised:
        parts.service.start(
            LIVE, json.dumps({"phone": PHONE}), idempotency_key=None, base_url=BASE_URL, deadline=deadline
        )
    assert [each.reason for each in raised.value.skipped] == ["time"]
    assert parts.vendor("dialled").asked == 0
    parts.now += 1
    assert start(parts).verification.provider == "dialled"  # nothing holds the phone


class InFlight(Parts):
    """A start under the key "k" whose vendor has called and not answered yet. It answers after so many pauses."""

    def __init__(self, pauses: int) -> None:
        super().__init__(manifests=[OURS])
        self.pauses, self.answers_after = 0, pauses
        self.asked, self.answers = Event(), Event()
        self.vendors = [Slow(self)]
        self.first: list[Started] = []
        self.thread = Thread(target=lambda: self.first.append(start(self, key="k")))
        self.thread.start()
        assert self.asked.wait(60)

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        self.pauses += 1
        if self.pauses == self.answers_after:
            self.answer()

    def answer(self) -> None:
        self.answers.set()
        self.thread.join(60)


class Slow(FakeVendor):
    def __init__(self, parts: InFlight) -> None:
        super().__init__(OURS, parts)
        self.parts = parts

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        outcome = super().start(order, deadline)
        self.parts.asked.set()
        assert self.parts.answers.wait(60)
        return outcome


def test_a_retry_is_refused_at_once_where_its_caller_sets_no_time() -> None:
    parts = InFlight(pauses=1)
    with pytest.raises(errors.IdempotencyInProgress) as raised:
        start(parts, key="k")
    assert raised.value.retry_after == 15
    assert parts.pauses == 0
    parts.answer()


def test_a_retry_that_waits_gets_the_answer_of_the_request_in_flight() -> None:
    parts = InFlight(pauses=3)
    retried = start(parts, 4, key="k")
    assert parts.pauses == 3
    assert retried.replayed
    assert retried.verification == parts.first[0].verification
    assert len(parts.vendors[0].paid) == 1


def test_a_retry_waits_no_longer_than_its_budget() -> None:
    parts = InFlight(pauses=99)
    began = parts.now
    with pytest.raises(errors.IdempotencyInProgress):
        start(parts, 4, key="k")
    assert 4 - LOOK_AGAIN_SECONDS < parts.now - began <= 4
    parts.answer()
    assert len(parts.vendors[0].paid) == 1
