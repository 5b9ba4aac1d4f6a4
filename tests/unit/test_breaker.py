"""Providers that keep failing: what a container knows of them, and for how long."""

from __future__ import annotations

import pytest

from callverify.domain.words import CallOutcome, Outcome, Reason
from callverify.service.lane import REMEMBERED_SECONDS, StoredBreaker
from callverify.store import Store
from callverify.store.counters import FAILURES_IN_A_ROW, REST_SECONDS
from tests.support.failing import refusal
from tests.support.records import NOW
from tests.support.service import Heard

FAILED = CallOutcome(Outcome.UNAVAILABLE, Reason.NO_MONEY)


class Container:
    """A breaker with a clock that the test moves."""

    def __init__(self, store: Store) -> None:
        self.now = float(NOW)
        self.breaker = StoredBreaker(store, Heard(), lambda: self.now)

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.breaker.judge("any", FAILED)


def test_what_another_container_saw_is_known_a_second_later(store: Store) -> None:
    one, other = Container(store), Container(store)
    assert not other.breaker.rests("any")
    one.fail(FAILURES_IN_A_ROW)
    other.now += REMEMBERED_SECONDS - 0.01
    assert not other.breaker.rests("any")
    other.now += 0.01
    assert other.breaker.rests("any")
    assert not other.breaker.rests("another")
    other.now = NOW + REST_SECONDS
    assert not other.breaker.rests("any")


def test_what_this_container_saw_is_known_at_once(store: Store) -> None:
    container = Container(store)
    assert not container.breaker.rests("any")
    container.fail(FAILURES_IN_A_ROW)
    assert container.breaker.rests("any")
    container.breaker.judge("any", CallOutcome(Outcome.STARTED))
    assert not container.breaker.rests("any")


def test_a_clock_that_is_set_back_asks_again(store: Store) -> None:
    container = Container(store)
    assert not container.breaker.rests("any")
    Container(store).fail(FAILURES_IN_A_ROW)
    container.now -= 60
    assert container.breaker.rests("any")


def test_a_provider_is_read_once_a_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    container, asked = Container(store), list[str]()

    def read(provider: str) -> int:
        asked.append(provider)
        return 0

    monkeypatch.setattr(store, "rests_until", read)
    for _ in range(10):
        container.breaker.rests("any")
        container.now += 0.25
    assert len(asked) == 3


def test_a_provider_of_which_nothing_can_be_read_is_asked_in_its_turn(
    store: Store, dynamodb: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(store)
    container.fail(FAILURES_IN_A_ROW)

    def throttled(**_: object) -> None:
        raise refusal("ThrottlingException")

    monkeypatch.setattr(dynamodb, "get_item", throttled)
    assert not container.breaker.rests("any")
    monkeypatch.undo()
    assert container.breaker.rests("any")
