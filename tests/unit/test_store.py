"""What a change takes beside its record, and the order in which it is judged. Guards of records: test_guards.

Concurrency is proven on an engine that has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from callverify.domain import verification as transitions
from callverify.domain.claims import (
    Claim,
    IdempotencyKey,
    MoveLock,
    ReleaseHold,
    ReleaseLock,
    ShortenHold,
    TakeHold,
    TakeLock,
    UseCall,
)
from callverify.domain.limits import Cooldown, RollingLimit
from callverify.domain.verification import Change, Verification
from callverify.domain.words import DAY, EndReason, Evidence, Method
from callverify.store import LimitReached, Stale, Store, Taken
from callverify.store.counters import FAILURES_IN_A_ROW, REST_SECONDS
from callverify.store.table import Lost
from tests.support.dynamodb import MemoryDynamoDb
from tests.support.records import NOW, by_phone, flash
from tests.support.routes import BY_PHONE
from tests.support.rows import begin, row, rows, started
from tests.support.service import TABLE

PHONE = flash().phone_hash
KEY = IdempotencyKey("hash-of-the-key", "hash-of-the-body")
TEN_MINUTES = 600
KEPT = 30 * 60 + DAY


# Records


def test_a_record_is_read_as_it_was_written(store: Store) -> None:
    more = {"metadata": {"a": "b", "empty": ""}, "reference": "r", "locale": "ru", "return_url": "https://x.example"}
    written = begin(store, flash(**more, guesses=1))
    assert store.get(written.id, NOW) == written
    written = started(store, flash(id="vrf_2", phone_hash="other"))
    assert store.get("vrf_2", NOW) == written


def test_a_record_ends_with_its_retention_swept_or_not(store: Store) -> None:
    verification = begin(store)
    assert store.get(verification.id, NOW + KEPT - 1) is not None
    assert store.get(verification.id, NOW + KEPT) is None
    assert store.get("vrf_none", NOW) is None


def test_an_id_is_never_written_over(store: Store) -> None:
    begin(store)
    with pytest.raises(Stale):
        begin(store, flash(phone_hash="other"))


def test_a_record_that_was_not_read_from_the_table_is_kept_as_long(store: Store, dynamodb: MemoryDynamoDb) -> None:
    verification = begin(store)
    assert verification.ttl is None
    store.apply(transitions.cancel(verification, NOW + 9), NOW + 9, [KEY])
    found = [row(dynamodb, pk) for pk in (f"verification#{verification.id}", f"idempotency#{KEY.key_hash}")]
    assert [each and each["ttl"] for each in found] == [NOW + KEPT] * 2


# Starting: everything or nothing, and the first reason in the order of judgement


def test_the_first_reason_in_the_order_of_judgement_is_the_one_that_is_told(
    store: Store, dynamodb: MemoryDynamoDb
) -> None:
    """Idempotency, verification in progress, limits in their order, the provider's hold."""
    provider = BY_PHONE.provider
    hold = TakeHold(provider, NOW + 900)
    limits: list[Claim] = [Cooldown(PHONE, 20), RollingLimit("phone_10m", PHONE, 1, TEN_MINUTES)]
    first = begin(store, by_phone(), [KEY, TakeLock(), *limits, hold])
    before = rows(dynamodb)

    def refused(*claims: Claim) -> Lost:
        with pytest.raises(Lost) as lost:
            begin(store, replace(first, id="vrf_second"), claims)
        assert rows(dynamodb) == before
        return lost.value

    lock, dead = TakeLock(), TakeLock(dead=first.id)
    known = refused(lock, *limits, hold, KEY)
    assert isinstance(known, Taken)
    assert (known.claim, known.item["verification_id"]) == (KEY, first.id)
    locked = refused(lock, *limits, hold)
    assert isinstance(locked, Taken)
    assert (locked.claim, locked.item["verification_id"]) == (lock, first.id)
    for claims, name in ((limits, "phone_cooldown"), (limits[1:], "phone_10m")):
        full = refused(dead, *claims, hold)
        assert isinstance(full, LimitReached)
        assert full.limit.name == name
    held = refused(dead, hold)
    assert isinstance(held, Taken)
    assert (held.claim, held.item["expires_at"]) == (hold, NOW + 900)
    begin(store, replace(first, id="vrf_second"), [dead])


def test_a_key_is_judged_before_the_record(store: Store) -> None:
    """Of two requests with one key that read the same record, the second is answered by the key."""
    record = begin(store)
    change = transitions.begin_repeat(record, NOW)
    store.apply(change, NOW, [KEY])
    with pytest.raises(Taken) as taken:
        store.apply(change, NOW, [KEY])
    assert (taken.value.claim, taken.value.item["step"]) == (KEY, 2)
    with pytest.raises(Stale):
        store.apply(change, NOW, [IdempotencyKey("another", KEY.body_hash)])


def test_a_lock_is_ignored_once_its_window_is_over(store: Store) -> None:
    begin(store, None, [TakeLock()])
    assert store.live_verification_id(PHONE, NOW + 299) == flash().id
    assert store.live_verification_id(PHONE, NOW + 300) is None
    begin(store, flash(id="vrf_2", created_at=NOW + 300, expires_at=NOW + 600), [TakeLock()])
    assert store.live_verification_id(PHONE, NOW + 300) == "vrf_2"


def test_an_idempotency_key_is_new_once_its_verification_is_no_longer_kept(store: Store) -> None:
    begin(store, None, [KEY])
    known = replace(KEY, verification_id=flash().id)
    assert store.idempotency_key(KEY.key_hash, NOW + KEPT - 1) == known
    assert store.idempotency_key(KEY.key_hash, NOW + KEPT) is None
    at = NOW + KEPT
    begin(store, flash(id="vrf_2", created_at=at, expires_at=at + 300), [KEY])
    assert store.idempotency_key(KEY.key_hash, at) == replace(KEY, verification_id="vrf_2")


# The phone's lock


ENDS: dict[str, Callable[[Verification, int], Change]] = {
    "verify": lambda record, now: transitions.verify(record, Evidence.CODE_MATCHED, now=now),
    "cancel": transitions.cancel,
    "exhaust": lambda record, now: transitions.judge_wrong(replace(record, wrong=4), now),
    "expire": transitions.expire,
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_a_verification_ends_once_and_gives_its_lock_back(
    store: Store, dynamodb: MemoryDynamoDb, first: str, second: str
) -> None:
    verification = started(store, flash(wrong=4))
    begin(store, flash(id="vrf_lock"), [TakeLock()])
    dynamodb.tables[TABLE][f"phone#{PHONE}"]["verification_id"] = {"S": verification.id}
    now = NOW + 300 if first == "expire" else NOW + 299
    ended = store.apply(ENDS[first](verification, now), now, [ReleaseLock()])
    with pytest.raises(Stale):
        store.apply(ENDS[second](verification, now), now, [ReleaseLock()])
    assert store.get(verification.id, now) == ended
    assert row(dynamodb, f"phone#{PHONE}") is None


def test_an_end_leaves_the_lock_of_a_later_verification(store: Store) -> None:
    earlier = begin(store, None, [TakeLock()])
    later = begin(store, flash(id="vrf_2"), [TakeLock(dead=earlier.id)])
    assert store.apply(transitions.cancel(earlier, NOW), NOW, [ReleaseLock()]).ended_at == NOW
    assert store.live_verification_id(PHONE, NOW) == later.id


def test_another_attempt_takes_the_lock_along_and_holds_its_own_provider(
    store: Store, dynamodb: MemoryDynamoDb
) -> None:
    first = begin(store, None, [TakeLock()])
    provider = BY_PHONE.provider
    change = transitions.switch(first, Method.REVERSE_CALL, provider, window=120, checks=5, now=NOW + 50)
    until = change.after.expires_at + TEN_MINUTES
    second = store.apply(change, NOW + 50, [MoveLock(), TakeHold(provider, until)])
    assert store.get(first.id, NOW + 50) == second
    lock, hold = row(dynamodb, f"phone#{PHONE}"), row(dynamodb, f"{provider}#{PHONE}")
    assert lock
    assert hold
    assert lock["expires_at"] == lock["ttl"] == NOW + 170
    assert hold["expires_at"] == hold["ttl"] == NOW + 170 + TEN_MINUTES


def test_a_lock_that_another_has_taken_over_moves_no_more(store: Store) -> None:
    first = begin(store, None, [TakeLock()])
    begin(store, flash(id="vrf_2"), [TakeLock(dead=first.id)])
    change = transitions.switch(first, first.method, first.provider, window=300, checks=5, now=NOW + 50)
    with pytest.raises(Stale):
        store.apply(change, NOW + 50, [MoveLock()])
    assert store.live_verification_id(PHONE, NOW) == "vrf_2"


def test_a_record_from_before_an_upgrade_keeps_its_own_end(store: Store, dynamodb: MemoryDynamoDb) -> None:
    first = begin(store, None, [TakeLock()])
    dynamodb.tables[TABLE][f"verification#{first.id}"]["ttl"] = {"N": str(NOW + 300 + DAY)}
    read = store.get(first.id, NOW)
    assert read
    change = transitions.switch(read, first.method, first.provider, window=300, checks=5, now=NOW + 50)
    store.apply(change, NOW + 50, [KEY, MoveLock()])
    for pk in (f"verification#{first.id}", f"idempotency#{KEY.key_hash}"):
        kept = row(dynamodb, pk)
        assert kept
        assert kept["ttl"] == NOW + 300 + DAY


# Holds


HELD = TakeHold("any", NOW + 900)


def test_a_hold_keeps_every_other_verification_away_until_its_end(store: Store) -> None:
    first = begin(store, None, [HELD])
    store.apply(transitions.cancel(first, NOW + 1), NOW + 1, [ReleaseLock()])
    second = flash(id="vrf_2")
    with pytest.raises(Taken) as taken:
        begin(store, second, [HELD], NOW + 899)
    assert taken.value.item["expires_at"] == NOW + 900
    begin(store, flash(id="vrf_3"), [TakeHold("another", NOW + 900)], NOW + 899)
    begin(store, second, [HELD], NOW + 900)


def test_what_an_earlier_version_holds_is_held(store: Store, dynamodb: MemoryDynamoDb) -> None:
    old = {"verification_id": {"S": "vrf_old"}, "expires_at": {"N": str(NOW + 5)}, "ttl": {"N": str(NOW + 5)}}
    dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": f"{HELD.provider}#{PHONE}"}, **old})
    with pytest.raises(Taken):
        begin(store, None, [HELD])


@pytest.mark.parametrize(
    ("claim", "until"), [(ReleaseHold(HELD.provider), NOW), (ShortenHold(HELD.provider, NOW + 120), NOW + 120)]
)
def test_a_hold_ends_early_by_the_verification_that_has_it_alone(
    store: Store, claim: ReleaseHold | ShortenHold, until: int
) -> None:
    first = begin(store, None, [HELD])
    stranger = begin(store, flash(id="vrf_2"))
    with pytest.raises((Stale, Taken)):
        store.apply(transitions.cancel(stranger, NOW), NOW, [claim])
    store.apply(transitions.cancel(first, NOW), NOW, [claim])
    if until > NOW:
        with pytest.raises(Taken):
            begin(store, flash(id="vrf_3"), [HELD], until - 1)
    begin(store, flash(id="vrf_3"), [HELD], until)


def test_a_hold_that_is_gone_is_released_all_the_same(store: Store) -> None:
    store.apply(transitions.cancel(begin(store), NOW), NOW, [ReleaseHold(HELD.provider)])


def test_a_signed_call_is_used_once(store: Store) -> None:
    def verify(record: Verification, at: int) -> Verification:
        change = transitions.verify(record, Evidence.PROVIDER_SIGNATURE, now=NOW + 6)
        return store.apply(change, NOW + 6, [UseCall(at)])

    verify(begin(store, by_phone()), NOW + 5)
    second = begin(store, by_phone(id="vrf_2"))
    with pytest.raises(Taken) as taken:
        verify(second, NOW + 5)
    assert taken.value.claim == UseCall(NOW + 5)
    assert store.get(second.id, NOW + 6) == second
    verify(second, NOW + 6)


# Providers that fail


def test_a_provider_rests_after_failures_in_a_row_until_a_while_after_the_latest(store: Store) -> None:
    for number in range(1, FAILURES_IN_A_ROW + 1):
        assert store.rests_until("any") == 0
        assert store.count_failure("any", NOW + number) == number
    assert store.rests_until("any") == NOW + FAILURES_IN_A_ROW + REST_SECONDS
    assert store.rests_until("another") == 0


def test_failures_are_forgotten_by_a_success_and_by_time(store: Store) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        store.count_failure("any", NOW)
    store.forget_failures("any")
    assert store.rests_until("any") == 0
    assert store.count_failure("any", NOW) == 1
    assert store.count_failure("any", NOW + 10) == 2
    assert store.count_failure("any", NOW + 10 + 11 * REST_SECONDS) == 1


def test_the_reason_of_an_end_is_kept(store: Store) -> None:
    expired = store.apply(transitions.expire(begin(store), NOW + 300), NOW + 300)
    assert expired.reason is EndReason.WINDOW_ELAPSED
    assert store.get(expired.id, NOW + 300) == expired


# The pepper


def test_the_first_pepper_is_the_tables(store: Store, dynamodb: MemoryDynamoDb) -> None:
    assert store.knows_pepper("first")
    assert not store.knows_pepper("second")
    assert store.knows_pepper("first")
    assert row(dynamodb, "pepper") == {"pk": "pepper", "fingerprint": "first"}


def test_two_writes_at_once_take_two_revisions(store: Store) -> None:
    """Each of them read the same record; what was written by the first is not what the second's reader has."""
    read = begin(store, flash())
    spent = store.apply(transitions.spend_guess(read), NOW)
    canceled = store.apply(transitions.cancel(read, NOW), NOW)
    assert (read.revision, spent.revision, canceled.revision) == (1, 2, 3)
    assert canceled.guesses == 1  # of the other write
    assert store.get(read.id, NOW) == canceled
    with pytest.raises(Stale):
        store.apply(transitions.cancel(read, NOW), NOW)


def test_a_transaction_takes_the_next_revision_too(store: Store) -> None:
    read = begin(store, flash())
    store.apply(transitions.spend_guess(read), NOW)
    canceled = store.apply(transitions.cancel(read, NOW), NOW, [ReleaseLock()])
    assert (canceled.revision, canceled.guesses) == (3, 1)
    assert store.get(read.id, NOW) == canceled
