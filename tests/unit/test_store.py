"""The conditions of the store, one write at a time. Concurrency is proven on an engine that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from callverify.errors import Busy
from callverify.keys import Keys
from callverify.models import (
    Attempt,
    Cause,
    Challenge,
    EndReason,
    Evidence,
    Method,
    Mode,
    ProviderName,
    Result,
    Status,
    Step,
    StepKind,
    Verification,
)

from callverify.store import (
    BUSY_SECONDS,
    CONFLICT_RETRIES,
    DAY,
    AlreadyUsed,
    CalendarLimit,
    Cooldown,
    Counted,
    GivenBack,
    GuessLimit,
    Held,
    IdempotencyRecord,
    KeyTaken,
    Limit,
    LimitReached,
    Lost,
    NotLive,
    PhoneLocked,
    RollingLimit,
    SealedLimit,
    Store,
    Unless,
)
from tests.support.gateway import items
from tests.support.records import NOW, flash, reverse
from tests.unit.conftest import TABLE

PHONE = flash().phone_hash
KEY = IdempotencyRecord("hash-of-the-key", "hash-of-the-body", flash().id, 1)
TEN_MINUTES = 600


def item(pk: str) -> dict[str, Any] | None:
    return next((found for found in items(TABLE) if found["pk"] == pk), None)


def begun(store: Store, verification: Verification | None = None, **more: Any) -> Verification:
    verification = verification or flash()
    store.begin(verification, **more)
    return verification


def started(store: Store, verification: Verification | None = None, **more: Any) -> Verification:
    verification = begun(store, verification)
    fields: dict[str, Any] = {
        "result": Result.STARTED,
        "cause": None,
        "challenge": Challenge.enter_digits(),
        "call_id": "7",
        "repeats_remaining": 2,
        "now": NOW,
    }
    return store.record_started(verification, **(fields | more))


def later(number: int, at: int) -> Verification:
    return flash(id=f"vrf_{number}", created_at=at, expires_at=at + 300, phone_hash=f"phone-{number}")


# Records


def test_a_record_is_read_as_it_was_written(store: Store) -> None:
    verification = begun(
        store,
        flash(metadata={"a": "b", "empty": ""}, reference="r", locale="ru", return_url="https://x.example", guesses=1),
    )
    assert store.get(verification.id, NOW) == verification
    written = started(store, flash(id="vrf_2", phone_hash="other"))
    assert store.get("vrf_2", NOW) == written


def test_a_record_ends_with_its_retention_swept_or_not(store: Store) -> None:
    verification = begun(store)
    assert store.get(verification.id, NOW + 30 * 60 + DAY - 1) is not None
    assert store.get(verification.id, NOW + 30 * 60 + DAY) is None
    assert store.get("vrf_none", NOW) is None


# Starting: everything or nothing, and the first reason in the order of judgement


def test_the_first_reason_in_the_order_of_judgement_is_the_one_that_is_told(store: Store) -> None:
    """Idempotency, verification in progress, limits in their order, the provider's hold."""
    limits: list[Limit] = [Cooldown(PHONE, 20), RollingLimit("phone_10m", PHONE, 1, TEN_MINUTES)]
    first = reverse(ProviderName.SMSC)
    store.begin(first, limits=limits, idempotency=KEY, holds=True)
    second = replace(first, id="vrf_second")
    before = items(TABLE)

    def refused(**more: Any) -> Lost:
        with pytest.raises(Lost) as lost:
            store.begin(second, **more)
        assert items(TABLE) == before
        return lost.value

    everything: dict[str, Any] = {"limits": limits, "idempotency": KEY, "dead_lock": None, "holds": True}
    assert isinstance(refused(**everything), KeyTaken)
    everything["idempotency"] = None
    locked = refused(**everything)
    assert isinstance(locked, PhoneLocked)
    assert locked.verification_id == first.id
    everything["dead_lock"] = first.id
    cooling = refused(**everything)
    assert isinstance(cooling, LimitReached)
    assert cooling.limit == "phone_cooldown"
    everything["limits"] = limits[1:]
    counted = refused(**everything)
    assert isinstance(counted, LimitReached)
    assert counted.limit == "phone_10m"
    everything["limits"] = []
    busy = refused(**everything)
    assert isinstance(busy, Held)
    assert busy.until == first.expires_at + TEN_MINUTES
    store.begin(replace(second, provider=ProviderName.TELEFON_IP), dead_lock=first.id)


def test_a_lock_is_ignored_once_its_window_is_over(store: Store) -> None:
    begun(store)
    assert store.live_verification_id(PHONE, NOW + 299) == flash().id
    assert store.live_verification_id(PHONE, NOW + 300) is None
    store.begin(flash(id="vrf_2", created_at=NOW + 300, expires_at=NOW + 600))
    assert store.live_verification_id(PHONE, NOW + 300) == "vrf_2"


def test_an_idempotency_record_is_ignored_once_its_verification_is_no_longer_kept(store: Store) -> None:
    begun(store, idempotency=KEY)
    assert store.idempotency_record(KEY.key_hash, NOW + 30 * 60 + DAY - 1) == KEY
    assert store.idempotency_record(KEY.key_hash, NOW + 30 * 60 + DAY) is None
    store.begin(later(2, NOW + 30 * 60 + DAY), idempotency=replace(KEY, verification_id="vrf_2"))
    found = store.idempotency_record(KEY.key_hash, NOW + 30 * 60 + DAY)
    assert found is not None
    assert found.verification_id == "vrf_2"


def test_an_id_is_never_written_over(store: Store) -> None:
    begun(store)
    with pytest.raises(NotLive):
        store.begin(flash(phone_hash="other"))


# Limits


def sealed(count: int) -> SealedLimit:
    keys = Keys("pepper")
    return SealedLimit("l", "s", count, TEN_MINUTES, keys.seal, keys.unseal)


def rolling(count: int) -> RollingLimit:
    return RollingLimit("l", "s", count, TEN_MINUTES)


BOTH = pytest.mark.parametrize("limit_of", [rolling, sealed])


@BOTH
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_rolling_limit_is_exact_at_its_edges(store: Store, count: int, limit_of: Callable[[int], Limit]) -> None:
    limit = [limit_of(count)]
    for number in range(count):
        store.count(limit, NOW + number)
    for at, retry_after in ((NOW + count, TEN_MINUTES - count), (NOW + TEN_MINUTES - 1, 1)):
        with pytest.raises(LimitReached) as reached:
            store.count(limit, at)
        assert reached.value.retry_after == retry_after
    store.count(limit, NOW + TEN_MINUTES)
    if count > 1:
        with pytest.raises(LimitReached) as reached:
            store.count(limit, NOW + TEN_MINUTES)
        assert reached.value.retry_after == 1


@BOTH
def test_a_refused_start_does_not_prolong_a_limit(store: Store, limit_of: Callable[[int], Limit]) -> None:
    limit = [limit_of(1)]
    store.count(limit, NOW)
    for second in range(1, 600, 60):
        with pytest.raises(LimitReached):
            store.count(limit, NOW + second)
    store.count(limit, NOW + TEN_MINUTES)


def test_a_long_list_of_starts_is_cut_and_stays_exact(store: Store) -> None:
    """A start every 200 s just keeps within 3 in 600 s; the list grows past its bound and is cut on the way."""
    limit = [RollingLimit("l", "s", 3, TEN_MINUTES)]
    longest = 0
    for at in range(NOW, NOW + 40 * 200, 200):
        store.count(limit, at)
        if at >= NOW + 400:
            with pytest.raises(LimitReached) as reached:
                store.count(limit, at + 199)
            assert reached.value.retry_after == 1
        found = item("limit#l#s")
        assert found is not None
        longest = max(longest, len(found["starts"]))
    assert longest <= 2 * 3 + 10


@BOTH
def test_a_limit_that_is_lowered_or_raised_counts_the_starts_that_there_were(
    store: Store, limit_of: Callable[[int], Limit]
) -> None:
    for second in range(4):
        store.count([limit_of(5)], NOW + second)
    with pytest.raises(LimitReached) as reached:
        store.count([limit_of(2)], NOW + 10)
    assert reached.value.retry_after == 2 + TEN_MINUTES - 10
    store.count([limit_of(8)], NOW + 10)


def fails(store: Store, verification: Verification, *limits: SealedLimit | CalendarLimit, at: int = NOW) -> None:
    """Count a start, and end it as one that made no call."""
    store.begin(verification, limits=limits)
    store.end(
        verification,
        Status.FAILED,
        EndReason.PROVIDER_UNAVAILABLE,
        now=at,
        failed=(Result.UNAVAILABLE, Cause.NO_MONEY),
        given_back=[GivenBack(limit, verification.created_at) for limit in limits],
    )


def test_what_is_given_back_is_free_again_at_most_as_often_as_the_limit(store: Store) -> None:
    limits = sealed(2), CalendarLimit("c", "s", 2, 3600)
    for number in range(4):
        fails(store, later(number, NOW + number), *limits, at=NOW + number)
    for limit in limits:
        with pytest.raises(LimitReached):
            store.count([limit], NOW + 9)
    store.count([sealed(2)], NOW + TEN_MINUTES + 3)


def test_giving_back_never_counts_below_zero(store: Store) -> None:
    limits = sealed(1), CalendarLimit("c", "s", 1, 3600)
    verification = later(1, NOW)
    store.begin(verification)
    given_back = [GivenBack(limit, NOW) for limit in limits]
    failed = Result.UNAVAILABLE, Cause.NO_MONEY
    store.end(
        verification, Status.FAILED, EndReason.PROVIDER_UNAVAILABLE, now=NOW, failed=failed, given_back=given_back
    )
    for limit in limits:
        store.count([limit], NOW + 1)
        with pytest.raises(LimitReached):
            store.count([limit], NOW + 2)


def test_what_belongs_to_an_earlier_period_is_not_given_back_to_this_one(store: Store) -> None:
    limit = CalendarLimit("c", "s", 1, 3600)
    turn = (NOW // 3600 + 1) * 3600
    verification = later(1, turn - 1)
    store.begin(verification, limits=[limit])
    store.count([limit], turn)
    failed = Result.UNAVAILABLE, Cause.NO_MONEY
    back = [GivenBack(limit, turn - 1)]
    store.end(verification, Status.FAILED, EndReason.PROVIDER_UNAVAILABLE, now=turn, failed=failed, given_back=back)
    with pytest.raises(LimitReached):
        store.count([limit], turn + 1)


def test_an_attempt_takes_what_the_refused_one_before_it_gives_back(store: Store) -> None:
    limits = sealed(1), CalendarLimit("c", "s", 1, 3600)
    first = begun(store, later(1, NOW), limits=limits)
    attempt = Attempt(2, 1, Method.FLASH_CALL, ProviderName.UCALLER, Result.STARTING, NOW + 3)
    back = [GivenBack(limit, NOW) for limit in limits]
    failed = Result.REJECTED, Cause.NUMBER_REFUSED
    store.begin_attempt(first, attempt, window=300, now=NOW + 3, failed=failed, limits=limits, given_back=back)
    for limit in limits:
        with pytest.raises(LimitReached):
            store.count([limit], NOW + TEN_MINUTES + 2)
    store.count([limits[0]], NOW + TEN_MINUTES + 3)


@pytest.mark.parametrize("limit", [RollingLimit("l", "s", 2, TEN_MINUTES), CalendarLimit("l", "s", 2, TEN_MINUTES)])
def test_what_has_happened_is_counted_beyond_the_limit_and_refuses_then(
    store: Store, limit: RollingLimit | CalendarLimit
) -> None:
    for _ in range(2):
        store.count([Unless(limit)], NOW)
        store.count([Counted(limit)], NOW)
    with pytest.raises(LimitReached) as reached:
        store.count([Unless(limit)], NOW + 1)
    end = NOW if isinstance(limit, RollingLimit) else NOW // TEN_MINUTES * TEN_MINUTES
    assert (reached.value.limit, reached.value.retry_after) == ("l", end + TEN_MINUTES - NOW - 1)
    for _ in range(20):
        store.count([Counted(limit)], NOW + 1)
    store.count([Unless(limit)], NOW + 1 + TEN_MINUTES)


def test_limits_of_other_subjects_and_names_are_apart(store: Store) -> None:
    store.count([RollingLimit("l", "s", 1, TEN_MINUTES)], NOW)
    store.count([RollingLimit("l", "other", 1, TEN_MINUTES), RollingLimit("other", "s", 1, TEN_MINUTES)], NOW)


def test_several_limits_are_counted_all_or_none(store: Store) -> None:
    store.count([RollingLimit("full", "s", 1, TEN_MINUTES)], NOW)
    both = [RollingLimit("open", "s", 1, TEN_MINUTES), RollingLimit("full", "s", 1, TEN_MINUTES)]
    with pytest.raises(LimitReached) as reached:
        store.count(both, NOW)
    assert reached.value.limit == "full"
    store.count(both[:1], NOW)


def test_a_calendar_limit_starts_anew_with_each_period(store: Store) -> None:
    limit = [CalendarLimit("l", "s", 2, 3600)]
    start = NOW // 3600 * 3600
    store.count(limit, start)
    store.count(limit, start + 3599)
    with pytest.raises(LimitReached) as reached:
        store.count(limit, start + 3590)
    assert (reached.value.limit, reached.value.retry_after) == ("l", 10)
    store.count(limit, start + 3600)


def test_a_cooldown_waits_for_the_vendors_reply_and_then_counts_from_it(store: Store) -> None:
    cooldown = Cooldown("p", 20, reply_within=8)
    verification = begun(store, limits=[cooldown])
    with pytest.raises(LimitReached) as reached:
        store.count([cooldown], NOW + 27)
    assert (reached.value.limit, reached.value.retry_after) == ("phone_cooldown", 1)
    started_at = NOW + 3
    store.record_started(
        verification,
        result=Result.STARTED,
        cause=None,
        challenge=Challenge.enter_digits(),
        call_id=None,
        repeats_remaining=0,
        now=started_at,
        cooldown=cooldown,
    )
    with pytest.raises(LimitReached) as reached:
        store.count([cooldown], started_at + 19)
    assert reached.value.retry_after == 1
    store.count([cooldown], started_at + 20)


# Guesses


def spend(store: Store, verification: Verification, at: int = NOW, guess_id: str = "g", limit: int = 9) -> Verification:
    return store.spend_guess(verification, guess_id=guess_id, phone_limit=limit, now=at)


def guesses() -> tuple[int, int]:
    found = item(f"guesses#{PHONE}")
    assert found is not None
    return int(found["n"]), int(found["ends"])


def test_a_guess_is_spent_from_the_verification_and_the_phone(store: Store) -> None:
    verification = spend(store, begun(store))
    assert (verification.guesses, guesses()) == (1, (1, NOW + DAY))
    assert store.get(verification.id, NOW) == verification


def test_of_two_guesses_that_read_the_same_record_one_has_to_read_again(store: Store) -> None:
    verification = begun(store)
    spend(store, verification)
    with pytest.raises(NotLive):
        spend(store, verification)
    assert guesses() == (1, NOW + DAY)


def test_the_phones_count_ends_24_hours_after_its_last_wrong_guess(store: Store) -> None:
    verification = spend(store, begun(store, flash(expires_at=NOW + 3 * DAY)), limit=2)
    verification = spend(store, verification, NOW + 1000, limit=2)
    for at, retry_after in ((NOW + 1001, DAY - 1), (NOW + 1000 + DAY - 1, 1)):
        with pytest.raises(LimitReached) as reached:
            spend(store, verification, at, limit=2)
        assert (reached.value.limit, reached.value.retry_after) == ("phone_guesses", retry_after)
        with pytest.raises(LimitReached):
            store.count([GuessLimit(PHONE, 2)], at)
    store.count([GuessLimit(PHONE, 2)], NOW + 1000 + DAY)
    verification = spend(store, verification, NOW + 1000 + DAY, limit=2)
    assert guesses() == (1, NOW + 1000 + 2 * DAY)


def test_a_right_guess_gives_back_itself_and_its_time(store: Store) -> None:
    verification = spend(store, begun(store), NOW, "wrong")
    verification = spend(store, verification, NOW + 100, "right")
    verified = store.verify(verification, evidence=Evidence.CODE_MATCHED, now=NOW + 100, guess_id="right")
    assert (verified.guesses, guesses()) == (1, (1, NOW + DAY))


def test_a_right_guess_that_is_not_the_latest_gives_back_itself_alone(store: Store) -> None:
    verification = begun(store)
    verification = spend(store, verification, NOW, "right")
    latest = spend(store, verification, NOW + 100, "wrong")
    store.verify(latest, evidence=Evidence.CODE_MATCHED, now=NOW + 100, guess_id="right")
    assert guesses() == (1, NOW + 100 + DAY)


def test_the_first_guess_being_right_leaves_no_trace(store: Store) -> None:
    verification = spend(store, begun(store), NOW, "right")
    store.verify(verification, evidence=Evidence.CODE_MATCHED, now=NOW, guess_id="right")
    assert guesses() == (0, 0)
    store.count([GuessLimit(PHONE, 1)], NOW)
    spend(store, begun(store, flash(id="vrf_2")), NOW + 1, limit=1)
    assert guesses() == (1, NOW + 1 + DAY)


def test_a_guess_can_be_returned_after_another_end(store: Store) -> None:
    verification = spend(store, begun(store), NOW, "right")
    store.end(verification, Status.CANCELED, EndReason.CANCELED_BY_CLIENT, now=NOW)
    store.return_guess(verification, "right")
    assert guesses() == (0, 0)


def test_test_mode_spends_nothing_of_a_phone(store: Store) -> None:
    verification = flash(mode=Mode.TEST)
    store.begin(verification, takes_lock=False)
    spend(store, verification)
    assert item(f"guesses#{PHONE}") is None


# Ends: one, and once

ENDS = {
    "verify": lambda store, v, now: store.verify(v, evidence=Evidence.CODE_MATCHED, now=now),
    "cancel": lambda store, v, now: store.end(v, Status.CANCELED, EndReason.CANCELED_BY_CLIENT, now=now),
    "exhaust": lambda store, v, now: store.end(v, Status.FAILED, EndReason.ATTEMPTS_EXHAUSTED, now=now),
    "expire": lambda store, v, now: store.end(v, Status.EXPIRED, EndReason.WINDOW_ELAPSED, now=now),
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_a_verification_ends_once_and_gives_its_lock_back(store: Store, first: str, second: str) -> None:
    verification = started(store)
    now = NOW + 300 if first == "expire" else NOW + 299
    ended = ENDS[first](store, verification, now)
    with pytest.raises(NotLive):
        ENDS[second](store, verification, now)
    assert store.get(verification.id, now) == ended
    assert item(f"phone#{PHONE}") is None


@pytest.mark.parametrize(("end", "at"), [("verify", 300), ("cancel", 300), ("exhaust", 300), ("expire", 299)])
def test_the_clock_decides_which_end_can_be_written(store: Store, end: str, at: int) -> None:
    verification = started(store)
    with pytest.raises(NotLive):
        ENDS[end](store, verification, NOW + at)
    assert store.get(verification.id, NOW) == verification


def test_an_end_leaves_the_lock_of_a_later_verification(store: Store) -> None:
    first = started(store)
    store.begin(flash(id="vrf_2", created_at=NOW + 1, expires_at=NOW + 301), dead_lock=first.id)
    ENDS["cancel"](store, first, NOW + 2)
    assert store.live_verification_id(PHONE, NOW + 2) == "vrf_2"


WRITES = {
    **ENDS,
    "guess": lambda store, v, now: store.spend_guess(v, guess_id="g", phone_limit=9, now=now),
    "mismatch": lambda store, v, now: store.count_mismatch(v, 1, now),
    "repeat": lambda store, v, now: store.begin_repeat(v, now=now),
    "claim": lambda store, v, now: store.claim_step(v, now),
}


@pytest.mark.parametrize("write", [name for name in WRITES if name != "expire"])
def test_a_write_for_an_earlier_attempt_is_lost(store: Store, write: str) -> None:
    earlier = started(store)
    attempt = Attempt(2, 2, Method.FLASH_CALL, ProviderName.UCALLER, Result.STARTING, NOW)
    step = Step(2, StepKind.ANOTHER_WAY, claimed_at=NOW)
    current = store.begin_attempt(earlier, attempt, window=300, now=NOW, step=step)
    with pytest.raises(NotLive):
        WRITES[write](store, earlier, NOW + 1)
    assert store.get(earlier.id, NOW) == current
    WRITES[write](store, current, NOW + 1)


@pytest.mark.parametrize("write", WRITES)
def test_a_write_after_the_end_is_lost(store: Store, write: str) -> None:
    verification = started(store)
    ended = ENDS["cancel"](store, verification, NOW)
    with pytest.raises(NotLive):
        WRITES[write](store, verification, NOW + (300 if write == "expire" else 1))
    assert store.get(verification.id, NOW) == ended


def test_of_two_processes_at_one_step_one_goes_on(store: Store) -> None:
    verification = begun(store)
    claimed = store.claim_step(verification, NOW + 15)
    with pytest.raises(NotLive):
        store.claim_step(verification, NOW + 16)
    with pytest.raises(NotLive):
        store.record_started(
            verification,
            result=Result.STARTED,
            cause=None,
            challenge=Challenge.enter_digits(),
            call_id="7",
            repeats_remaining=2,
            now=NOW + 16,
        )
    assert store.get(verification.id, NOW) == claimed


def test_a_vendors_answer_is_kept_even_when_it_took_longer_than_the_window(store: Store) -> None:
    verification = started(store, flash(expires_at=NOW + 1), now=NOW + 5)
    assert verification.call_id == "7"
    found = store.get(verification.id, NOW + 5)
    assert found is not None
    assert found.status_at(NOW + 5)[0] is Status.EXPIRED


def test_what_a_failed_start_ended_with_is_kept(store: Store) -> None:
    verification = begun(store)
    ended = store.end(
        verification,
        Status.FAILED,
        EndReason.PROVIDER_UNAVAILABLE,
        now=NOW,
        failed=(Result.UNAVAILABLE, Cause.NO_MONEY),
        step_error="provider_unavailable",
    )
    assert store.get(verification.id, NOW) == ended
    assert (ended.attempt.outcome, ended.attempt.reason) == (Result.UNAVAILABLE, Cause.NO_MONEY)
    assert (ended.step.done, ended.step.error) == (True, "provider_unavailable")


# Another attempt


def test_another_attempt_forgets_what_belonged_to_the_last(store: Store) -> None:
    first = started(store)
    attempt = Attempt(2, 2, Method.REVERSE_CALL, ProviderName.SMSC, Result.STARTING, NOW + 50)
    step = Step(2, StepKind.ANOTHER_WAY, claimed_at=NOW + 50)
    second = store.begin_attempt(first, attempt, window=120, now=NOW + 50, step=step, holds=True)
    assert store.get(first.id, NOW + 50) == second
    assert (second.challenge, second.call_id, second.repeats_remaining, second.expires_at) == (None, None, 0, NOW + 170)
    lock, hold = item(f"phone#{PHONE}"), item(f"smsc#{PHONE}")
    assert lock is not None
    assert hold is not None
    assert lock["expires_at"] == lock["ttl"] == NOW + 170
    assert hold["expires_at"] == hold["ttl"] == NOW + 170 + TEN_MINUTES


def test_a_record_from_before_an_upgrade_keeps_its_own_end(store: Store) -> None:
    first = started(store)
    store._client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"verification#{first.id}"}},
        UpdateExpression="SET #ttl = :old",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":old": {"N": str(NOW + 300 + DAY)}},
    )
    read = store.get(first.id, NOW)
    assert read is not None
    attempt = Attempt(2, 2, Method.REVERSE_CALL, ProviderName.SMSC, Result.STARTING, NOW + 50)
    step = Step(2, StepKind.ANOTHER_WAY, claimed_at=NOW + 50)
    store.begin_attempt(read, attempt, window=300, now=NOW + 50, step=step, idempotency=KEY)
    for pk in (f"verification#{first.id}", f"idempotency#{KEY.key_hash}"):
        kept = item(pk)
        assert kept is not None
        assert kept["ttl"] == NOW + 300 + DAY


@pytest.mark.parametrize("provider", ProviderName)
def test_a_request_that_did_not_verify_holds_its_provider_until_ten_minutes_after_its_window(
    store: Store, provider: ProviderName
) -> None:
    first = begun(store, reverse(provider), holds=True)
    ENDS["cancel"](store, first, NOW + 1)
    second = replace(first, id="vrf_2", created_at=NOW + 899, expires_at=NOW + 1199)
    with pytest.raises(Held) as held:
        store.begin(second, holds=True)
    assert held.value.until == NOW + 900
    store.begin(replace(second, created_at=NOW + 900), holds=True)


def test_what_an_earlier_version_holds_is_held(store: Store, dynamodb: Any) -> None:
    old = {"verification_id": {"S": "vrf_old"}, "expires_at": {"N": str(NOW + 5)}, "ttl": {"N": str(NOW + 5)}}
    dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": f"smsc#{PHONE}"}, **old})
    with pytest.raises(Held):
        store.begin(reverse(ProviderName.SMSC), holds=True)


def test_a_signed_callback_is_used_once(store: Store) -> None:
    first = begun(store, reverse(ProviderName.SMSC))
    store.verify(first, evidence=Evidence.PROVIDER_SIGNATURE, now=NOW + 5, signed_at=NOW + 5)
    second = begun(store, replace(first, id="vrf_2"))
    with pytest.raises(AlreadyUsed):
        store.verify(second, evidence=Evidence.PROVIDER_SIGNATURE, now=NOW + 6, signed_at=NOW + 5)
    store.verify(second, evidence=Evidence.PROVIDER_SIGNATURE, now=NOW + 6, signed_at=NOW + 6)


# Asking and hearing the provider


def test_one_caller_in_three_seconds_may_ask(store: Store) -> None:
    verification = started(store)
    assert store.claim_poll(verification, every=3, now=NOW) is not None
    assert store.claim_poll(verification, every=3, now=NOW + 2) is None
    assert store.claim_poll(verification, every=3, now=NOW + 3) is not None


def test_a_webhook_is_news_once(store: Store) -> None:
    verification = started(store)
    assert store.note_webhook(verification, "7", every=3, now=NOW) is not None
    assert store.note_webhook(verification, "7", every=3, now=NOW) is None
    assert store.claim_poll(verification, every=3, now=NOW + 2) is None


def test_a_webhook_before_the_starts_answer_lets_the_next_read_ask(store: Store) -> None:
    verification = begun(store, reverse(poll_after=NOW + 3))
    assert store.note_webhook(verification, "7", every=3, now=NOW) is not None
    answered = store.record_started(
        verification,
        result=Result.STARTED,
        cause=None,
        challenge=Challenge.call_number("+79000012760"),
        call_id="7",
        repeats_remaining=0,
        now=NOW + 1,
    )
    kept = store.claim_poll(answered, every=3, now=NOW + 1)
    assert kept is not None
    assert kept.webhook_call_id == "7"


# A busy DynamoDB


class Busyness:
    """A client that answers a transaction with these errors first, and notes what it is sent."""

    def __init__(self, client: Any, *errors: Exception) -> None:
        self._client = client
        self._errors = list(errors)
        self.exceptions = client.exceptions
        self.sent: list[dict[str, Any]] = []

    def transact_write_items(self, **request: Any) -> Any:
        self.sent.append(request)
        if self._errors:
            raise self._errors.pop(0)
        return self._client.transact_write_items(**request)


class Conflicts:
    """A client whose single writes meet so many transactions."""

    def __init__(self, client: Any, number: int) -> None:
        self._client = client
        self.left = number

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name not in ("update_item", "delete_item", "put_item"):
            return operation

        def write(**request: Any) -> Any:
            if self.left:
                self.left -= 1
                raise refusal("TransactionConflictException")
            return operation(**request)

        return write


def test_a_single_write_that_meets_a_transaction_is_tried_again(dynamodb: Any, store: Store) -> None:
    store.begin(reverse())
    client: Any = Conflicts(dynamodb, 3)
    meeting = Store(client, TABLE, sleep=lambda _: None)
    assert meeting.claim_poll(reverse(), every=3, now=NOW + 60) is not None
    client.left = 3
    meeting.count_failure(ProviderName.SMSC, rest=30, now=NOW)
    client.left = 1000
    with pytest.raises(Busy):
        meeting.forget_failures(ProviderName.SMSC)
    assert client.left == 1000 - CONFLICT_RETRIES


def refusal(code: str, status: int = 400, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, "TransactWriteItems")


UNCLEAR: list[Exception] = [
    refusal("TransactionInProgressException"),
    refusal("InternalServerError", 500),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    ConnectionClosedError(endpoint_url="https://dynamodb"),
    refusal("ThrottlingException"),
    refusal("TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}, {"Code": "None"}]),
    refusal("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}, {"Code": "None"}]),
]


def test_a_transaction_is_sent_again_under_its_token(dynamodb: Any, store: Store) -> None:  # noqa: ARG001
    client: Any = Busyness(dynamodb, *UNCLEAR)
    patient = Store(client, TABLE, sleep=lambda _: None)
    patient.begin(flash())
    assert len(client.sent) == len(UNCLEAR) + 1
    assert all(request == client.sent[0] for request in client.sent)
    patient.begin(later(2, NOW))
    tokens = {request["ClientRequestToken"] for request in client.sent}
    assert len(tokens) == 2, "another transaction has another token"
    assert all(len(token) <= 36 for token in tokens)


def test_a_form_of_a_transaction_that_changed_has_another_token(dynamodb: Any, store: Store) -> None:
    """A list of starts that has grown long is written anew, by another form of the same transaction."""
    limit = RollingLimit("phone_10m", PHONE, 1, 1)
    for second in range(12):
        store.count([limit], NOW + second)
    client: Any = Busyness(dynamodb)
    Store(client, TABLE).count([limit], NOW + 12)
    contents = [str(request["TransactItems"]) for request in client.sent]
    assert len(set(contents)) == len({request["ClientRequestToken"] for request in client.sent}) == 2


def test_a_transaction_that_stays_busy_is_given_up(dynamodb: Any, store: Store) -> None:  # noqa: ARG001
    client: Any = Busyness(dynamodb, *[refusal("ThrottlingException")] * 100)
    seconds = iter(range(100))
    with pytest.raises(Busy) as raised:
        Store(client, TABLE, sleep=lambda _: None, monotonic=lambda: next(seconds)).begin(flash())
    assert len(client.sent) == BUSY_SECONDS
    assert raised.value.retry_after


def test_a_refusal_that_is_our_own_fault_is_not_sent_again(dynamodb: Any, store: Store) -> None:  # noqa: ARG001
    client: Any = Busyness(dynamodb, refusal("ValidationException"))
    with pytest.raises(ClientError):
        Store(client, TABLE, sleep=lambda _: None).begin(flash())
    assert len(client.sent) == 1
