"""Limits and guesses: exact at their edges, given back once, and counted with the change that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callverify.domain import verification as transitions
from callverify.domain.claims import CoolDown, Counted, GiveBack, ReturnGuess, SpendGuess, Unless
from callverify.domain.keys import Keys
from callverify.domain.limits import CalendarLimit, Cooldown, GuessLimit, Limit, RollingLimit, SealedLimit
from callverify.domain.verification import Change, Verification
from callverify.domain.words import DAY, CallOutcome, EndReason, Evidence, Outcome, Reason
from callverify.store import LimitReached, Stale, Store
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.records import NOW, flash
from tests.support.rows import begin, row, take

PHONE = flash().phone_hash
TEN_MINUTES = 600
NO_MONEY = CallOutcome(Outcome.UNAVAILABLE, Reason.NO_MONEY)


def sealed(count: int) -> SealedLimit:
    keys = Keys("pepper")
    return SealedLimit("l", "s", count, TEN_MINUTES, keys.seal, keys.unseal)


def rolling(count: int) -> RollingLimit:
    return RollingLimit("l", "s", count, TEN_MINUTES)


BOTH = pytest.mark.parametrize("limit_of", [rolling, sealed])
PAID = sealed(1), CalendarLimit("c", "s", 1, 3600)


def full(store: Store, at: int, *limits: Limit | Unless | SpendGuess) -> tuple[str, int]:
    """The name of the limit that refuses these, and for how long."""
    with pytest.raises(LimitReached) as reached:
        take(store, at, *limits)
    return reached.value.limit.name, reached.value.retry_after


@BOTH
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_rolling_limit_is_exact_at_its_edges(store: Store, count: int, limit_of: Callable[[int], Limit]) -> None:
    limit = limit_of(count)
    for number in range(count):
        take(store, NOW + number, limit)
    assert full(store, NOW + count, limit) == ("l", TEN_MINUTES - count)
    assert full(store, NOW + TEN_MINUTES - 1, limit) == ("l", 1)
    take(store, NOW + TEN_MINUTES, limit)
    if count > 1:
        assert full(store, NOW + TEN_MINUTES, limit) == ("l", 1)


@BOTH
def test_a_refused_start_does_not_prolong_a_limit(store: Store, limit_of: Callable[[int], Limit]) -> None:
    limit = limit_of(1)
    take(store, NOW, limit)
    for second in range(1, 600, 60):
        full(store, NOW + second, limit)
    take(store, NOW + TEN_MINUTES, limit)


def test_a_long_list_of_starts_is_cut_and_stays_exact(store: Store, dynamodb: MemoryDynamoDb) -> None:
    """A start every 200 s just keeps within 3 in 600 s; the list grows past its bound and is cut on the way."""
    limit = rolling(3)
    longest = 0
    for at in range(NOW, NOW + 40 * 200, 200):
        take(store, at, limit)
        if at >= NOW + 400:
            assert full(store, at + 199, limit) == ("l", 1)
        found = row(dynamodb, "limit#l#s")
        assert found
        longest = max(longest, len(found["starts"]))
    assert longest <= 2 * 3 + 10


@BOTH
def test_a_limit_that_is_lowered_or_raised_counts_the_starts_that_there_were(
    store: Store, limit_of: Callable[[int], Limit]
) -> None:
    for second in range(4):
        take(store, NOW + second, limit_of(5))
    assert full(store, NOW + 10, limit_of(2)) == ("l", 2 + TEN_MINUTES - 10)
    take(store, NOW + 10, limit_of(8))


def test_limits_of_other_subjects_and_names_are_apart(store: Store) -> None:
    take(store, NOW, RollingLimit("l", "s", 1, TEN_MINUTES))
    take(store, NOW, RollingLimit("l", "other", 1, TEN_MINUTES), RollingLimit("other", "s", 1, TEN_MINUTES))


def test_several_limits_are_counted_all_or_none(store: Store) -> None:
    one, other = RollingLimit("open", "s", 1, TEN_MINUTES), RollingLimit("full", "s", 1, TEN_MINUTES)
    take(store, NOW, other)
    with pytest.raises(LimitReached) as reached:
        take(store, NOW, one, other)
    assert reached.value.limit is other
    take(store, NOW, one)


def test_a_calendar_limit_starts_anew_with_each_period(store: Store) -> None:
    limit = CalendarLimit("l", "s", 2, 3600)
    start = NOW // 3600 * 3600
    take(store, start, limit)
    take(store, start + 3599, limit)
    assert full(store, start + 3590, limit) == ("l", 10)
    take(store, start + 3600, limit)


@pytest.mark.parametrize("limit", [RollingLimit("l", "s", 2, TEN_MINUTES), CalendarLimit("l", "s", 2, TEN_MINUTES)])
def test_what_has_happened_is_counted_beyond_the_limit_and_refuses_then(
    store: Store, limit: RollingLimit | CalendarLimit
) -> None:
    for _ in range(2):
        take(store, NOW, Unless(limit))
        take(store, NOW, Counted(limit))
    end = NOW if isinstance(limit, RollingLimit) else NOW // TEN_MINUTES * TEN_MINUTES
    assert full(store, NOW + 1, Unless(limit)) == ("l", end + TEN_MINUTES - NOW - 1)
    for _ in range(20):
        take(store, NOW + 1, Counted(limit))
    take(store, NOW + 1 + TEN_MINUTES, Unless(limit))


def test_a_cooldown_waits_for_the_vendors_reply_and_then_counts_from_it(store: Store) -> None:
    starts = Cooldown(PHONE, 20, reply_within=8), RollingLimit("phone_10m", PHONE, 5, TEN_MINUTES)
    begin(store, None, starts)
    assert full(store, NOW + 27, *starts) == ("phone_cooldown", 1)
    take(store, NOW + 3, CoolDown(20))
    assert full(store, NOW + 3 + 19, *starts) == ("phone_cooldown", 1)
    take(store, NOW + 3 + 20, *starts)
    assert full(store, NOW + 3 + 20, *starts) == ("phone_cooldown", 28)


def test_a_start_that_version_020_counted_cools_down_too(store: Store, dynamodb: MemoryDynamoDb) -> None:
    starts = Cooldown(PHONE, 20, reply_within=8), RollingLimit("phone_10m", PHONE, 2, TEN_MINUTES)
    take(store, NOW, starts[1])  # without a cooldown in the item
    assert full(store, NOW + 19, *starts) == ("phone_cooldown", 1)
    take(store, NOW + 20, *starts)
    assert full(store, NOW + 48, *starts) == ("phone_10m", TEN_MINUTES - 48)
    item = row(dynamodb, f"limit#phone_10m#{PHONE}")
    assert item
    assert (item["until"], item["ttl"]) == (NOW + 48, NOW + 20 + TEN_MINUTES)


def test_a_cooldown_that_is_longer_than_the_limits_window_is_kept_to_its_end(
    store: Store, dynamodb: MemoryDynamoDb
) -> None:
    starts = Cooldown(PHONE, 900, reply_within=8), RollingLimit("phone_10m", PHONE, 1, TEN_MINUTES)
    begin(store, None, starts)
    for at, until in ((NOW, NOW + 908), (NOW + 5, NOW + 905)):
        if at > NOW:
            take(store, at, CoolDown(900))
        item = row(dynamodb, f"limit#phone_10m#{PHONE}")
        assert item
        assert item["until"] == until
        assert item["ttl"] >= until
    assert full(store, NOW + 904, *starts) == ("phone_cooldown", 1)
    take(store, NOW + 905, *starts)


# Giving back


def fails(store: Store, number: int, at: int, *limits: SealedLimit | CalendarLimit) -> None:
    """Count a start, and end it as one that made no call."""
    record = begin(store, flash(id=f"vrf_{number}", created_at=at, expires_at=at + 300), limits)
    change = transitions.fail(record, NO_MONEY, EndReason.PROVIDER_UNAVAILABLE, step_error="x", now=at)
    store.apply(change, at, [GiveBack(limit, at) for limit in limits])


def test_what_is_given_back_is_free_again_at_most_as_often_as_the_limit(store: Store) -> None:
    limits = sealed(2), CalendarLimit("c", "s", 2, 3600)
    for number in range(4):
        fails(store, number, NOW + number, *limits)
    for limit in limits:
        full(store, NOW + 9, limit)
    take(store, NOW + TEN_MINUTES + 3, sealed(2))


def test_giving_back_never_counts_below_zero(store: Store) -> None:
    take(store, NOW, *[GiveBack(limit, NOW) for limit in PAID])
    for limit in PAID:
        take(store, NOW + 1, limit)
        full(store, NOW + 2, limit)


def test_what_belongs_to_an_earlier_period_is_not_given_back_to_this_one(store: Store) -> None:
    _, limit = PAID
    turn = (NOW // 3600 + 1) * 3600
    take(store, turn - 1, limit)
    take(store, turn, limit)
    take(store, turn, GiveBack(limit, turn - 1))
    full(store, turn + 1, limit)


def test_an_attempt_takes_what_the_refused_one_before_it_gives_back(store: Store) -> None:
    first = begin(store, None, PAID)
    change = transitions.go_on(first, NO_MONEY, first.method, first.provider, window=300, checks=5, now=NOW + 3)
    store.apply(change, NOW + 3, [*PAID, *[GiveBack(limit, NOW) for limit in PAID]])
    for limit in PAID:
        full(store, NOW + TEN_MINUTES + 2, limit)
    take(store, NOW + TEN_MINUTES + 3, PAID[0])


# Guesses


def spend(store: Store, record: Verification, at: int = NOW, guess_id: str = "g", limit: int = 9) -> Verification:
    return store.apply(transitions.spend_guess(record), at, [SpendGuess(guess_id, limit)])


def verify(store: Store, record: Verification, at: int, guess_id: str) -> Verification:
    change = transitions.verify(record, Evidence.CODE_MATCHED, now=at, gives_back=True)
    return store.apply(change, at, [ReturnGuess(guess_id)])


@pytest.fixture
def guesses(dynamodb: MemoryDynamoDb) -> Callable[[], tuple[int, int]]:
    def found() -> tuple[int, int]:
        item = row(dynamodb, f"guesses#{PHONE}")
        assert item
        return item["n"], item["ends"]

    return found


Guesses = Callable[[], tuple[int, int]]


def test_a_guess_is_spent_from_the_verification_and_the_phone(store: Store, guesses: Guesses) -> None:
    record = spend(store, begin(store))
    assert (record.guesses, guesses()) == (1, (1, NOW + DAY))
    assert store.get(record.id, NOW) == record


def test_of_two_guesses_that_read_the_same_record_one_has_to_read_again(store: Store, guesses: Guesses) -> None:
    record = begin(store)
    spend(store, record)
    with pytest.raises(Stale):
        spend(store, record)
    assert guesses() == (1, NOW + DAY)


def test_the_phones_count_ends_24_hours_after_its_last_wrong_guess(store: Store, guesses: Guesses) -> None:
    record = spend(store, begin(store, flash(expires_at=NOW + 3 * DAY)), limit=2)
    record = spend(store, record, NOW + 1000, limit=2)
    for at, retry_after in ((NOW + 1001, DAY - 1), (NOW + 1000 + DAY - 1, 1)):
        for limit in (SpendGuess("g", 2), GuessLimit(PHONE, 2)):
            assert full(store, at, limit) == ("phone_guesses", retry_after)
    take(store, NOW + 1000 + DAY, GuessLimit(PHONE, 2))
    spend(store, record, NOW + 1000 + DAY, limit=2)
    assert guesses() == (1, NOW + 1000 + 2 * DAY)


def test_a_right_guess_gives_back_itself_and_its_time(store: Store, guesses: Guesses) -> None:
    record = spend(store, begin(store), NOW, "wrong")
    record = spend(store, record, NOW + 100, "right")
    assert verify(store, record, NOW + 100, "right").guesses == 1
    assert guesses() == (1, NOW + DAY)


def test_a_right_guess_that_is_not_the_latest_gives_back_itself_alone(store: Store, guesses: Guesses) -> None:
    record = spend(store, begin(store), NOW, "right")
    record = spend(store, record, NOW + 100, "wrong")
    verify(store, record, NOW + 100, "right")
    assert guesses() == (1, NOW + 100 + DAY)


def test_the_first_guess_being_right_leaves_no_trace(store: Store, guesses: Guesses) -> None:
    verify(store, spend(store, begin(store), NOW, "right"), NOW, "right")
    assert guesses() == (0, 0)
    take(store, NOW, GuessLimit(PHONE, 1))
    spend(store, begin(store, flash(id="vrf_2")), NOW + 1, limit=1)
    assert guesses() == (1, NOW + 1 + DAY)


def test_a_guess_can_be_returned_after_another_end(store: Store, guesses: Guesses) -> None:
    record = spend(store, begin(store), NOW, "right")
    canceled = transitions.cancel(record, NOW)
    store.apply(canceled, NOW)
    store.take([ReturnGuess("right")], Change(record, canceled.after), NOW)
    assert guesses() == (0, 0)


def test_a_guess_without_claims_spends_nothing_of_a_phone(store: Store, dynamodb: MemoryDynamoDb) -> None:
    """As in test mode."""
    assert store.apply(transitions.spend_guess(begin(store)), NOW).guesses == 1
    assert row(dynamodb, f"guesses#{PHONE}") is None


def test_a_block_that_was_called_before_costs_one_transaction(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can only be written once it is read is read first: a transaction that fails costs its units too."""
    take(store, NOW, sealed(3))
    sent: list[int] = []
    transact = dynamodb.transact_write_items

    def count(**request: Any) -> Any:
        sent.append(len(request["TransactItems"]))
        return transact(**request)

    monkeypatch.setattr(dynamodb, "transact_write_items", count)
    take(store, NOW + 1, sealed(3))
    assert len(sent) == 1
