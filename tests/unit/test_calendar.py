"""Counters by the calendar: in shards that allow no more than the limit together, and given back once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from callverify.domain.claims import Claim, Counted, GiveBack, TakeLock, Unless
from callverify.domain.errors import Busy
from callverify.domain.limits import CalendarLimit, RollingLimit
from callverify.domain.verification import Change, Verification
from callverify.domain.words import DAY, HOUR
from callverify.store import LimitReached, Stale, Store, Taken
from callverify.store.calendar import FORMER_SECONDS, REMEMBERED_SECONDS, SHARDS, key_of, shards_of
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.failing import refusal
from tests.support.points import Crash
from tests.support.records import NOW, flash
from tests.support.rows import begin, row, rows, take
from tests.support.service import TABLE

START = NOW // DAY * DAY


def limit_of(count: int, name: str = "stack_paid_hour", subject: str = "stack") -> CalendarLimit:
    return CalendarLimit(name, subject, count, HOUR, paid_only=True)


def start(store: Store, number: int, *claims: Claim, now: int = START) -> None:
    """A start; the place in `claims` of a limit is its place in the order of judgement."""
    begin(store, flash(id=f"vrf_{number}", phone_hash=f"phone {number}"), [TakeLock(), *claims], now)


def counted(dynamodb: MemoryDynamoDb, name: str = "stack_paid_hour") -> int:
    return sum(item["n"] for item in rows(dynamodb) if item["pk"].startswith(f"limit#{name}#"))


@pytest.mark.parametrize(
    ("limit", "shards"), [(1, 1), (2_000, 1), (19_999, 1), (20_000, 2), (70_000, 7), (160_000, 16), (10**7, SHARDS)]
)
def test_shards_follow_from_the_limit_and_hold_100_at_least(limit: int, shards: int) -> None:
    assert shards_of(limit_of(limit)) == shards
    assert shards == 1 or limit // shards >= 100


def test_shards_allow_no_more_than_the_limit_together(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callverify.store.calendar.STARTS_A_SHARD", 30)
    limit = limit_of(100)
    assert shards_of(limit) == 3
    accepted = 0
    for number in range(400):
        store._calendar._full.clear()
        try:
            start(store, number, limit)
        except LimitReached:
            continue
        accepted += 1
    assert accepted == counted(dynamodb) == 100
    with pytest.raises(LimitReached) as reached:
        start(store, 1000, limit, now=START + 60)
    assert (reached.value.limit, reached.value.retry_after) == (limit, HOUR - 60)
    shares = sorted(item["n"] for item in rows(dynamodb) if item["pk"].startswith("limit#"))
    assert shares == [33, 33, 34]
    start(store, 1000, limit, now=START + HOUR)


def test_what_was_counted_in_one_item_before_an_upgrade_is_honoured(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callverify.store.calendar.STARTS_A_SHARD", 30)
    limit = limit_of(100)
    item = {"pk": {"S": key_of(limit, START)}, "n": {"N": "90"}, "ttl": {"N": str(START + HOUR)}}
    dynamodb.put_item(TableName=TABLE, Item=item)
    accepted = 0
    for number in range(30):
        try:
            start(store, number, limit)
        except LimitReached:
            continue
        accepted += 1
    assert accepted == 10
    # Functions of 0.2.0 that still run are seen a minute later.
    dynamodb.put_item(TableName=TABLE, Item={**item, "n": {"N": "100"}})
    with pytest.raises(LimitReached):
        start(store, 99, limit, now=START + FORMER_SECONDS)


def test_full_is_remembered_for_five_seconds_and_writes_no_counter_then(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, asked = limit_of(1), updated(dynamodb, monkeypatch)
    start(store, 1, limit)
    for second in (0, REMEMBERED_SECONDS - 1):
        with pytest.raises(LimitReached):
            start(store, 2, limit, now=START + second)
    assert len(asked) == 2
    store.take([GiveBack(limit, START)], began(1), START + 1)
    with pytest.raises(LimitReached):
        start(store, 2, limit, now=START + REMEMBERED_SECONDS - 1)
    start(store, 2, limit, now=START + REMEMBERED_SECONDS)


def began(number: int) -> Change:
    return Change(None, flash(id=f"vrf_{number}"))


def updated(dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The items that are updated from now on."""
    keys, update = list[str](), dynamodb.update_item

    def note(**request: Any) -> Any:
        keys.append(request["Key"]["pk"]["S"])
        return update(**request)

    monkeypatch.setattr(dynamodb, "update_item", note)
    return keys


@pytest.mark.parametrize("lost", ["the lock", "a limit", "the record"])
def test_what_was_counted_for_a_start_that_is_refused_is_taken_off_once(
    store: Store, dynamodb: MemoryDynamoDb, lost: str
) -> None:
    limit, own = limit_of(9), CalendarLimit("key_paid_day", "shop", 9, DAY, paid_only=True)
    rolling = RollingLimit("phone_10m", "a", 1, 600)
    start(store, 1, rolling, own, limit)
    again: dict[str, tuple[Verification, list[Claim]]] = {
        "the lock": (flash(id="vrf_2", phone_hash="phone 1"), [TakeLock()]),
        "a limit": (flash(id="vrf_3", phone_hash="phone 3"), [rolling]),
        "the record": (flash(id="vrf_1", phone_hash="phone 4"), []),
    }
    record, claims = again[lost]
    for _ in range(3):
        with pytest.raises((Taken, LimitReached, Stale)):
            begin(store, record, [*claims, own, limit], START)
        assert (counted(dynamodb), counted(dynamodb, "key_paid_day")) == (1, 1)
    assert "returned" not in (row(dynamodb, key_of(limit, START)) or {})


def test_an_unknown_outcome_gives_nothing_back(dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(**_: object) -> None:
        raise refusal("ThrottlingException")

    monkeypatch.setattr(dynamodb, "transact_write_items", throttled)
    impatient = Store(cast("Any", dynamodb), TABLE, sleep=lambda _: None, monotonic=iter(range(0, 10**6, 60)).__next__)
    with pytest.raises(Busy):
        start(impatient, 1, limit_of(9))
    assert counted(dynamodb) == 1


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_process_that_dies_counts_a_call_too_many_and_never_one_too_few(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    write = dynamodb.transact_write_items

    def dies(**request: Any) -> None:
        if point == "after":
            write(**request)
        raise Crash

    monkeypatch.setattr(dynamodb, "transact_write_items", dies)
    with pytest.raises(Crash):
        start(store, 1, limit_of(9))
    assert counted(dynamodb) == 1
    assert (row(dynamodb, "verification#vrf_1") is not None) == (point == "after")


def test_a_key_beyond_its_own_limit_writes_to_no_counter_that_others_share(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, shared = CalendarLimit("key_paid_day", "shop", 1, DAY), limit_of(9)
    refused = CalendarLimit("key_refused_hour", "shop", 1, HOUR)
    start(store, 1, own, shared, Unless(refused))
    written = updated(dynamodb, monkeypatch)
    for _ in range(2):
        with pytest.raises(LimitReached) as reached:
            start(store, 2, own, shared, Unless(refused))
        assert reached.value.limit is own
    take(store, START, Counted(refused))
    with pytest.raises(LimitReached) as reached:
        start(store, 3, shared, Unless(refused))
    assert reached.value.limit == refused
    assert not any("stack_paid_hour" in key for key in written)


ORDER: Sequence[tuple[str, list[str]]] = [
    ("the lock", ["lock", "phone_10m", "key_paid_day", "key_refused_hour"]),
    ("phone_10m", ["phone_10m", "key_paid_day", "key_refused_hour"]),
    ("key_paid_day", ["key_paid_day", "key_refused_hour"]),
    ("key_refused_hour", ["key_refused_hour"]),
]


@pytest.mark.parametrize(("told", "refusing"), ORDER)
def test_the_order_of_judgement_is_that_of_the_claims(
    store: Store, dynamodb: MemoryDynamoDb, told: str, refusing: list[str]
) -> None:
    rolling = RollingLimit("phone_10m", "a", 1, 600)
    own, closed = CalendarLimit("key_paid_day", "shop", 1, DAY), CalendarLimit("key_refused_hour", "shop", 1, HOUR)
    if "phone_10m" in refusing:
        take(store, START, rolling)
    if "key_paid_day" in refusing:
        take(store, START, own)
    take(store, START, Counted(closed))
    if "lock" in refusing:
        start(store, 1)
    before = [item for item in rows(dynamodb) if not item["pk"].startswith("limit#key_paid_day")]
    for _ in range(2):
        with pytest.raises((Taken, LimitReached)) as lost:
            begin(store, flash(id="vrf_2", phone_hash="phone 1"), [TakeLock(), rolling, own, Unless(closed)], START)
        assert lost.value.limit.name == told if isinstance(lost.value, LimitReached) else told == "the lock"
    assert [item for item in rows(dynamodb) if not item["pk"].startswith("limit#key_paid_day")] == before
    assert counted(dynamodb, "key_paid_day") == ("key_paid_day" in refusing)


def test_a_call_is_given_back_from_any_shard_and_at_most_as_often_as_the_limit(
    store: Store, dynamodb: MemoryDynamoDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callverify.store.calendar.STARTS_A_SHARD", 5)
    limit = limit_of(10)
    for number in range(6):
        start(store, number, limit)
    for number in range(100, 104):  # from other seeds than it was counted by
        store.take([GiveBack(limit, START)], began(number), START)
    assert counted(dynamodb) == 2
    for number in range(100):
        store.take([GiveBack(limit, START)], began(number), START)
        assert counted(dynamodb) >= 0
    assert counted(dynamodb) == 0
    for number in range(200, 260):
        store._calendar._full.clear()
        try:
            start(store, number, limit)
        except LimitReached:
            break
        store.take([GiveBack(limit, START)], began(number), START)
    assert sum(item.get("returned", 0) for item in rows(dynamodb) if item["pk"].startswith("limit#")) == 10
