"""Many requests at the same moment: one vendor request, no guess and no start beyond its budget, one end."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from callverify.domain import errors
from callverify.domain.limits import CalendarLimit, RollingLimit
from callverify.domain.verification import Change, Verification
from callverify.domain.words import HOUR, TEN_MINUTES, Event, Mode, Outcome, Status
from callverify.service.check import Checked
from callverify.service.started import Started
from callverify.store import LimitReached, Store
from tests.stack.engines.bench import NOW, Bench, at_once
from tests.support.follow_ups import end
from tests.support.points import Crash, crash
from tests.support.records import flash
from tests.support.routes import BY_PHONE, OUR_CODE, READ_BACK, At
from tests.support.service import BASE_URL, LIVE

WRONG = "0000"


def codes(answers: Sequence[object]) -> Counter[str]:
    return Counter(answer.code if isinstance(answer, errors.CallverifyError) else "ok" for answer in answers)


def many_phones(count: int) -> list[str]:
    return [f"+790000{number:05}" for number in range(10_000, 10_000 + count)]


@pytest.mark.parametrize("at", [READ_BACK, OUR_CODE], ids=str)
def test_fifty_starts_of_one_phone_ask_one_vendor_once(bench: Bench, at: At) -> None:
    answers = at_once([partial(bench.start, at, again=True)] * 50)
    assert codes(answers) == {"ok": 1, "verification_in_progress": 49}
    assert sum(vendor.asked for vendor in bench.vendors) == 1


def test_two_starts_under_one_key_ask_one_vendor_once(bench: Bench) -> None:
    for phone in many_phones(10):
        asked = bench.vendor(READ_BACK.provider).asked
        answers = at_once([partial(bench.start, READ_BACK, phone, key=phone, again=True)] * 2)
        assert bench.vendor(READ_BACK.provider).asked == asked + 1
        assert codes(answers) in ({"ok": 2}, {"ok": 1, "idempotency_in_progress": 1})
        replies = [answer for answer in answers if isinstance(answer, Started)]
        assert len({(reply.verification.id, reply.client_token) for reply in replies}) == 1
        assert sorted(reply.replayed for reply in replies) in ([False], [False, True])


def test_ten_take_overs_at_once_ask_one_vendor_once(bench: Bench) -> None:
    """Their first request died after it was written down and before a vendor was asked."""
    bench.only(READ_BACK, BY_PHONE)
    with pytest.raises(Crash), bench.points.process({f"before {READ_BACK.provider}.start": crash}):
        bench.start(key="key")
    bench.now += 15
    answers = at_once([partial(bench.start, key="key", again=True)] * 10)
    assert [vendor.asked for vendor in bench.vendors] == [0, 1]
    assert set(codes(answers)) <= {"ok", "idempotency_in_progress"}
    (id,) = {answer.verification.id for answer in answers if isinstance(answer, Started)}  # noqa: A001
    assert [attempt.outcome for attempt in bench.record(id).attempts] == [Outcome.UNKNOWN, Outcome.STARTED]


def flash_calls(bench: Bench, phone: str, count: int) -> list[Verification]:
    """Several at one phone, which nobody can have at a time: the budgets must hold all the same."""
    made = []
    for _ in range(count):
        reply = bench.start(OUR_CODE, phone)
        bench.client.delete_item(TableName=bench.table, Key={"pk": {"S": f"phone#{bench.keys.hash_phone(phone)}"}})
        bench.now += 21
        made.append(reply.verification)
    return made


def test_two_hundred_guesses_compare_no_more_than_the_budgets(bench: Bench) -> None:
    guessed_at, guessed_once_at = many_phones(2)
    verifications = [*flash_calls(bench, guessed_at, 4), *flash_calls(bench, guessed_once_at, 1)]
    acts = [partial(bench.check, verification.id, WRONG) for verification in verifications] * 40
    answers = [answer for some in itertools.batched(acts, 50, strict=True) for answer in at_once(some)]
    compared = [answer.verification for answer in answers if isinstance(answer, Checked)]
    assert len(answers) == 200
    assert max(Counter(each.id for each in compared).values()) == 5
    assert Counter(each.phone_hash for each in compared) == {
        bench.keys.hash_phone(guessed_at): 9,
        bench.keys.hash_phone(guessed_once_at): 5,
    }
    assert set(codes(answers)) == {"ok", "rate_limited", "verification_not_pending"}


@pytest.mark.parametrize("checks", [6, 8])
def test_right_guesses_at_once_verify_once_and_cost_nothing(bench: Bench, checks: int) -> None:
    """More than there are guesses: those that find none left are told to come again, and nothing is exhausted."""
    for phone in many_phones(10):
        bench.observer.counts.clear()
        verification = bench.start(OUR_CODE, phone).verification
        answers = at_once([partial(bench.check, verification.id, bench.code(OUR_CODE, phone))] * checks)
        assert bench.counted("Verified", "Failed") == ["Verified"]
        assert set(codes(answers)) <= {"ok", "verification_not_pending", "rate_limited"}
        assert all(answer.valid for answer in answers if isinstance(answer, Checked))
        assert any(isinstance(answer, Checked) for answer in answers)
        limits = {answer.limit for answer in answers if isinstance(answer, errors.RateLimited)}
        assert limits <= {"verification_guesses"}
        ended = bench.record(verification.id)
        assert ended.status is Status.VERIFIED
        guesses = bench.item(f"guesses#{verification.phone_hash}")
        assert guesses is not None
        assert guesses["n"] == 0


def test_wrong_guesses_at_once_end_it_once_all_are_judged(bench: Bench) -> None:
    for phone in many_phones(10):
        bench.observer.counts.clear()
        verification = bench.start(OUR_CODE, phone).verification
        answers = at_once([partial(bench.check, verification.id, WRONG)] * 8)
        assert sum(isinstance(answer, Checked) for answer in answers) == 5
        assert set(codes(answers)) <= {"ok", "verification_not_pending", "rate_limited"}
        assert bench.counted("Failed") == ["Failed"]
        ended = bench.record(verification.id)
        assert (ended.status, ended.guesses, ended.wrong) == (Status.FAILED, 5, 5)


def test_the_right_guess_among_wrong_ones_always_verifies(bench: Bench) -> None:
    """Whatever the order: four wrong ones leave it its guess, and the sixth comes too late for none."""
    for phone in many_phones(10):
        verification = bench.start(OUR_CODE, phone).verification
        right = partial(bench.check, verification.id, bench.code(OUR_CODE, phone))
        answers = at_once([partial(bench.check, verification.id, WRONG)] * 4 + [right])
        assert [answer.valid for answer in answers if isinstance(answer, Checked)].count(True) == 1
        ended = bench.record(verification.id)
        assert ended.status is Status.VERIFIED


def test_two_webhooks_an_expiry_and_a_cancel_at_once_make_one_end(bench: Bench) -> None:
    """Each in a container with a clock of its own: to the cancel the window is open, to the follow-up it is over."""
    for phone in many_phones(12):
        verification = bench.start(READ_BACK, phone).verification
        (report,) = bench.report(READ_BACK, phone)
        lock = f"phone#{verification.phone_hash}"
        assert bench.item(lock) is not None
        before = bench.new_service(clock=lambda: verification.expires_at - 1)  # noqa: B023
        after = bench.new_service(clock=lambda: verification.expires_at)  # noqa: B023
        bench.observer.counts.clear()
        acts: list[Callable[[], object]] = [
            report,
            report,
            partial(end, after, verification.id),
            partial(before.cancel, LIVE, verification.id, None),
        ]
        at_once(acts)
        ends = bench.counted("Verified", "Expired", "Canceled")
        assert len(ends) == 1
        ended = bench.record(verification.id)
        assert ended.status in (Status.VERIFIED, Status.EXPIRED, Status.CANCELED)
        assert ended.status == ends[0].lower()
        assert bench.item(lock) is None


def test_switches_at_once_make_one_attempt(bench: Bench) -> None:
    for phone in many_phones(6):
        verification = bench.start(READ_BACK, phone).verification
        bench.now += 30
        asked = bench.vendor(OUR_CODE.provider).asked
        body = json.dumps({"phone": phone, "method": OUR_CODE.method})
        switch = partial(
            bench.new_service().switch, LIVE, verification.id, body, idempotency_key=None, base_url=BASE_URL
        )
        answers = at_once([switch] * 4)
        assert bench.vendor(OUR_CODE.provider).asked == asked + 1
        assert codes(answers)["ok"] == 1


def test_an_address_passes_twenty_starts_of_fifty(bench: Bench) -> None:
    start = partial(bench.start, BY_PHONE, end_user_ip="198.51.100.7", again=True)
    answers = at_once([partial(start, phone) for phone in many_phones(50)])
    assert codes(answers) == {"ok": 20, "rate_limited": 30}
    assert {answer.limit for answer in answers if isinstance(answer, errors.RateLimited)} == {"ip_10m"}
    assert bench.vendor(BY_PHONE.provider).asked == 20


def test_a_rolling_limit_is_exact_in_every_window(bench: Bench) -> None:
    limit = RollingLimit("phone_10m", "somebody", 5, TEN_MINUTES)

    def count(now: int) -> bool:
        try:
            bench.count([limit], now)
        except LimitReached:
            return False
        return True

    passed = []
    # Far more turns than the list of starts may grow long, so that it is cut as well.
    for now in range(NOW, NOW + 10 * TEN_MINUTES, 150):
        passed += [now] * at_once([partial(count, now)] * 3).count(True)
    assert len(passed) == 10 * 5
    for start in passed:
        assert sum(start <= other < start + TEN_MINUTES for other in passed) <= 5
    # And no start is refused that the limit leaves room for.
    assert Counter(passed) == {now: 3 if now % TEN_MINUTES == 0 else 2 for now in sorted(set(passed))}


def test_a_limit_trips_exactly_for_a_crowd(bench: Bench) -> None:
    limit = RollingLimit("ip_10m", "somebody", 20, TEN_MINUTES)

    def count(now: int) -> bool:
        try:
            bench.count([limit], now)
        except LimitReached:
            return False
        return True

    for now in (NOW, NOW + TEN_MINUTES, NOW + 2 * TEN_MINUTES):
        assert at_once([partial(count, now)] * 30).count(True) == 20
        assert not count(now + TEN_MINUTES - 1)


@pytest.mark.parametrize("shard_of", [10_000, 30])
def test_shards_of_a_counter_allow_no_more_than_the_limit_together(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, shard_of: int
) -> None:
    monkeypatch.setattr("callverify.store.calendar.STARTS_A_SHARD", shard_of)
    limit = CalendarLimit("stack_paid_hour", "stack", 90, HOUR)

    def start(number: int) -> bool:
        store = Store(bench.client, bench.table)
        try:
            store.take([limit], Change(None, flash(id=f"vrf_{number}", phone_hash=f"{number}")), NOW)
        except LimitReached:
            return False
        return True

    accepted = sum(at_once([partial(start, 20 * some + each) for each in range(20)]).count(True) for some in range(7))
    counted = [int(item["n"]) for item in bench.items() if item["pk"].startswith("limit#stack_paid_hour#")]
    assert accepted == sum(counted) == 90
    assert len(counted) == (3 if shard_of == 30 else 1)


@pytest.mark.parametrize("takers", [1, 2])
def test_events_of_four_publishers_are_numbered_without_gap_or_double(bench: Bench, takers: int) -> None:
    """Two take the same batches, as when a batch of the stream comes again while its first taker is still busy."""
    events = [Event(f"evt_{n}", "verification.started", Mode.LIVE, json.dumps({"n": n}), f"vrf_{n}") for n in range(60)]
    shares = [events[start : start + 15] for start in range(0, 60, 15)]

    def publish(share: list[Event]) -> None:
        store = Store(bench.client, bench.table)
        for some in itertools.batched(share, 6, strict=False):
            store.number_events(Mode.LIVE, some, NOW)

    at_once([partial(publish, share) for share in shares * takers])
    found, latest = bench.store.events_after(Mode.LIVE, 0, limit=100, now=NOW)
    assert [number for number, _ in found] == list(range(latest - 59, latest + 1))
    told = [json.loads(body)["n"] for _, body in found]
    assert sorted(told) == list(range(60))
    for start in range(0, 60, 15):
        assert [n for n in told if start <= n < start + 15] == list(range(start, start + 15))
