"""Everything that the store can say, said once to the engine: Amazon's refuses reserved words that others let pass."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from callverify.domain import errors
from callverify.domain.claims import CoolDown, PointTo, ReturnGuess
from callverify.domain.erasure import Erased
from callverify.domain.limits import CalendarLimit, RollingLimit
from callverify.domain.usage import Amounts, Place
from callverify.domain.verification import Change
from callverify.domain.words import DAY, Caller, CallerKind, Event, Mode
from callverify.providers.sandbox import TEST_NUMBERS
from callverify.service.follow_up import FollowUp
from callverify.service.policy import Policy
from callverify.service.service import Service
from callverify.service.started import Started
from callverify.store import (
    Index,
    LimitReached,
    Store,
    Usage,
    blocks,
    calendar,
    counters,
    erasures,
    index,
    numbers,
    verifications,
)
from tests.stack.engines.bench import NOW, PHONE, Bench, index_of
from tests.support.follow_ups import end
from tests.support.points import Crash, crash
from tests.support.routes import BY_CALL_ID, BY_PHONE, OUR_CODE, READ_BACK, THEIR_CODE
from tests.support.service import BASE_URL, LIVE, TEST
from tests.support.vendors import Mood


def parts_of_the_store() -> Iterator[tuple[Any, str, Any]]:
    """Each method of the store, and each function that puts a write together: where it is, its name, and itself."""
    for part in (Store, Index, Usage):
        for name, method in inspect.getmembers(part, inspect.isfunction):
            if not name.startswith("__"):
                yield part, name, method
    for module in (blocks, calendar, counters, erasures, index, numbers, verifications):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                yield module, name, function


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part of the store has been called, private ones too."""
    counts: Counter[str] = Counter()
    for place, name, function in parts_of_the_store():

        def counting(*args: Any, _name: str = name, _function: Any = function, **more: Any) -> Any:
            counts[_name] += 1
            return _function(*args, **more)

        monkeypatch.setattr(place, name, counting)
    return counts


def test_every_expression_is_taken_and_every_item_has_a_ttl(bench: Bench, called: Counter[str]) -> None:
    parts = {name for _, name, _ in parts_of_the_store()}
    for journey in (
        connected,
        refusals,
        verified_by_report,
        verified_by_reading,
        verified_by_proof,
        verified_by_a_report_of_the_account,
        verified_by_the_vendors_code,
        repeated_and_verified,
        exhausted,
        switches_and_a_mismatch,
        failures_and_rest,
        taken_over,
        expired_and_again,
        guesses_of_yesterday,
        long_list,
        blocked,
        erased,
        in_test_mode,
        front_doors,
        events,
        indexed,
    ):
        journey(bench)
        bench.now += DAY
    assert {name for name in parts if not called[name]} == set()
    items = bench.items()
    assert len(items) > 40
    # The number of the latest event, and the pepper's fingerprint, are there as long as the table.
    assert [item["pk"] for item in items if not item.get("ttl")] == ["events#live", "pepper"]
    prefixes = {item["pk"].partition("#")[0] for item in items}
    kinds = "pepper verification phone guesses vendor_guesses limit idempotency signed_call call hold pool breaker"
    kinds += " events event events_of pointer used"
    assert prefixes == {*kinds.split(), BY_PHONE.provider}


def verified_by_report(bench: Bench) -> None:
    start = partial(bench.start, READ_BACK, key="a", end_user_ip="198.51.100.9")
    id = start().verification.id  # noqa: A001
    (report,) = bench.report(READ_BACK)
    report()
    report()
    assert bench.service.read(LIVE, id).status == "verified"
    assert start().replayed


def verified_by_reading(bench: Bench) -> None:
    id = bench.start(READ_BACK).verification.id  # noqa: A001
    bench.report(READ_BACK)
    bench.now += 5
    bench.service.follow_up(FollowUp(id, 1, (int(bench.now),)))
    assert bench.service.read(LIVE, id).status == "verified"


def verified_by_proof(bench: Bench) -> None:
    id = bench.start(BY_PHONE).verification.id  # noqa: A001
    (report,) = bench.report(BY_PHONE)
    report()
    assert bench.service.read(LIVE, id).status == "verified"


def verified_by_a_report_of_the_account(bench: Bench) -> None:
    id = bench.start(BY_CALL_ID).verification.id  # noqa: A001
    (report,) = bench.report(BY_CALL_ID)
    report()
    assert bench.service.read(LIVE, id).status == "verified"


def verified_by_the_vendors_code(bench: Bench) -> None:
    id = bench.start(THEIR_CODE).verification.id  # noqa: A001
    code = bench.code(THEIR_CODE)
    assert not bench.check(id, f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}").valid
    assert bench.check(id, code).verification.evidence == "vendor_code_matched"


def repeated_and_verified(bench: Bench) -> None:
    verification = bench.start(OUR_CODE, end_user_ip="198.51.100.9").verification
    id = verification.id  # noqa: A001
    bench.now += OUR_CODE.route.repeat_after + 1
    bench.service.repeat(LIVE, id, "{}", idempotency_key="r", base_url=BASE_URL)
    bench.check(id, "0000")
    browser = Caller(CallerKind.CLIENT_TOKEN, verification_id=id, expires_at=NOW * 2, address="198.51.100.3")
    bench.service.check(browser, id, json.dumps({"code": "0000"}))
    assert bench.service.check(browser, id, json.dumps({"code": bench.code(OUR_CODE)})).valid
    bench.store.take([ReturnGuess("unknown")], Change(None, verification), int(bench.now))


def indexed(bench: Bench) -> None:
    """Found page by page, and taken out again."""
    records = [bench.record(bench.start(OUR_CODE, f"+7900000055{n}", reference="r").verification.id) for n in range(3)]
    for _ in range(2):
        bench.index.add(records)
    phone_hash = records[0].phone_hash
    (entry,) = bench.index.of_phone(Mode.LIVE, phone_hash, key_id=LIVE.key_id, limit=5)
    assert entry.verification_id == records[0].id
    assert bench.index.of_phone(Mode.LIVE, phone_hash, after=entry.place, limit=5) == []
    first, second = bench.index.of_reference(Mode.LIVE, "r", limit=2)
    (third,) = bench.index.of_reference(Mode.LIVE, "r", after=second.place, limit=2)
    newest_first = [first.verification_id, second.verification_id, third.verification_id]
    assert newest_first == sorted((each.id for each in records), reverse=True)
    assert len(bench.record_service.search(LIVE, '{"reference": "r", "limit": 2}').verifications) == 2
    usage = Usage(bench.client, index_of(bench.table))
    place = Place(Mode.LIVE, "2027-01-15", "shop", OUR_CODE.provider, OUR_CODE.method)
    ended = {each.id: [(place, Amounts(starts=1, cost_RUB=400_000))] for each in records}
    usage.count({records[0].id: ended[records[0].id]}, NOW)
    for _ in range(2):
        usage.count(ended, NOW)
    for key_id in ("shop", None):
        (found,) = usage.of_day(Mode.LIVE, "2027-01-15", key_id).values()
        assert found == {"starts": 3, "cost_RUB": 1_200_000}
    assert usage.of_day(Mode.LIVE, "2027-01-15", "other") == {}
    bench.index.remove(records)
    assert bench.index.of_reference(Mode.LIVE, "r", limit=2) == []


def front_doors(bench: Bench) -> None:
    """A number's last verification, and its use as a proof, once."""
    verification = bench.start(OUR_CODE).verification
    change, now = Change(None, verification), int(bench.now)
    bench.store.take([PointTo()], change, now)
    assert bench.store.pointed_to(verification.key_id, "", verification.phone_hash, now) == verification.id
    assert [bench.store.use(verification, by, now) for by in ("first", "first", "second")] == [True, True, False]
    assert bench.store.used_by(verification.id)


def exhausted(bench: Bench) -> None:
    id = bench.start(OUR_CODE).verification.id  # noqa: A001
    for _ in range(5):
        bench.check(id, "0000")
    assert bench.service.read(LIVE, id).reason == "checks_exhausted"


def switches_and_a_mismatch(bench: Bench) -> None:
    id = bench.start(READ_BACK).verification.id  # noqa: A001
    bench.now += 30
    switch = partial(bench.service.switch, LIVE, id, idempotency_key=None, base_url=BASE_URL)
    with pytest.raises(errors.PhoneMismatch):
        switch(json.dumps({"phone": "+79000000032", "method": OUR_CODE.method}))
    switch(json.dumps({"phone": PHONE, "method": OUR_CODE.method}))
    bench.now += 30
    vendors = bench.vendors
    bench.only(BY_PHONE, OUR_CODE)
    switch(json.dumps({"phone": PHONE, "method": BY_PHONE.method}))
    bench.vendors = vendors
    bench.service.cancel(LIVE, id, None)


def failures_and_rest(bench: Bench) -> None:
    """The first fails until it rests; the second is then asked first; the first one's next success ends the rest."""
    vendors = bench.vendors
    bench.only(READ_BACK, BY_PHONE, OUR_CODE)
    first, second = bench.vendor(READ_BACK.provider), bench.vendor(BY_PHONE.provider)
    first.mood = Mood.DOWN
    service = bench.new_service(Policy(phone_10m=90))
    for _ in range(7):
        service.cancel(LIVE, start_by(service).verification.id, None)
        bench.now += 301
        bench.store.count_failure(READ_BACK.provider, int(bench.now))
    second.mood = Mood.DOWN
    with pytest.raises(errors.ProviderUnavailable):
        start_by(service, allowed_methods=["reverse_call"])
    first.mood = second.mood = Mood.WELL
    bench.now += 60
    start_by(service, provider=READ_BACK.provider)
    bench.vendors = vendors


def refusals(bench: Bench) -> None:
    """Numbers that are refused: where the phone was held it is free again, and what was counted is given back."""
    vendors = bench.vendors
    bench.vendor(BY_PHONE.provider).mood = bench.vendor(OUR_CODE.provider).mood = Mood.REFUSES
    for routes in ((BY_PHONE, OUR_CODE), (OUR_CODE,)):
        bench.vendors = vendors
        bench.only(*routes)
        with pytest.raises(errors.ProviderRejected):
            bench.start(end_user_ip="2001:db8::1")
        bench.now += 61
    for vendor in vendors:
        vendor.mood = Mood.WELL
    bench.vendors = vendors


def start_by(service: Service, **fields: object) -> Started:
    return service.start(LIVE, json.dumps({"phone": PHONE, **fields}), idempotency_key=None, base_url=BASE_URL)


def taken_over(bench: Bench) -> None:
    with pytest.raises(Crash), bench.points.process({f"before {OUR_CODE.provider}.start": crash}):
        bench.start(OUR_CODE, key="t")
    bench.now += 15
    assert bench.start(OUR_CODE, key="t", again=True).replayed


def expired_and_again(bench: Bench) -> None:
    """A window that nobody follows up, then a start over the dead lock, which is."""
    window = READ_BACK.route.window.default
    bench.start(READ_BACK)
    bench.now += window + 1
    id = bench.start(READ_BACK).verification.id  # noqa: A001
    bench.now += window - 1
    assert end(bench.service, id) == 1
    bench.now += 1
    assert end(bench.service, id) is None


def guesses_of_yesterday(bench: Bench) -> None:
    """A phone whose wrong guesses are over but not swept."""
    for days in (0, 1, 1):
        bench.now += days * DAY
        bench.check(bench.start(OUR_CODE).verification.id, "0000")


def long_list(bench: Bench) -> None:
    now = int(bench.now)
    limit = RollingLimit("phone_10m", "s", 9, 600)
    for start in range(0, 4000, 100):
        bench.count([limit, CalendarLimit("c", "s", 99, 9000)], now + start)
    for _ in range(4):
        bench.count([limit], now + 4000)
    with pytest.raises(LimitReached):
        bench.count([limit], now + 4000)


def blocked(bench: Bench) -> None:
    """While a call is pending, whose cooldown is still to be written; and with times of starts that are to be cut."""
    verification, now = bench.start(OUR_CODE).verification, int(bench.now)
    phone = verification.phone_hash
    bench.store.block(phone, now)
    assert bench.store.is_blocked(phone)
    bench.store.take([CoolDown(20)], Change(None, verification), now)
    bench.service.cancel(LIVE, verification.id, None)
    bench.now += DAY
    with pytest.raises(errors.PhoneBlocked):
        bench.start(OUR_CODE)
    bench.store.unblock(phone, now)
    bench.store.unblock(phone, now)
    bench.service.cancel(LIVE, bench.start(OUR_CODE).verification.id, None)


def erased(bench: Bench) -> None:
    """One whose events have their numbers: one put, one that is still to be put, one that comes after all."""
    verification, now = bench.start(OUR_CODE).verification, int(bench.now)
    change = Change(None, verification)
    bench.store.take([PointTo()], change, now)
    bench.service.cancel(LIVE, verification.id, None)
    bench.record_service.erase(LIVE, verification.id)
    with pytest.raises(errors.NotFound):
        bench.record_service.erase(LIVE, verification.id)
    assert bench.store.is_erased(verification.id)
    body = json.dumps({"id": "evt_1", "type": "verification.created", "data": {"id": verification.id, "phone": "+7"}})
    event = Event("evt_1", "verification.created", Mode.LIVE, body, verification.id)
    bench.store.number_events(Mode.LIVE, [event], now)
    bench.store.as_kept(Mode.LIVE, 7, event, now)
    gone = Erased(verification.id, Mode.LIVE, now, "support")
    for _ in range(2):
        bench.store.scrub_events(gone, now)
    later = replace(event, id="evt_2")
    assert bench.store.number_events(Mode.LIVE, [later], now).erased == {"evt_2"}
    assert bench.store.has_erased_events(verification.id)
    assert not any("phone" in item.get("body", "") for item in bench.items())
    answer = bench.record_service.erase_phone(LIVE, json.dumps({"phone": PHONE}))
    assert (answer["erased"], answer["done"]) == (0, False)  # it started a moment ago


def in_test_mode(bench: Bench) -> None:
    number = next(number for number, scenario in TEST_NUMBERS.items() if scenario.method is OUR_CODE.method)
    body = json.dumps({"phone": number, "method": OUR_CODE.method})
    id = bench.service.start(TEST, body, idempotency_key="m", base_url=BASE_URL).verification.id  # noqa: A001
    bench.service.switch(TEST, id, body, idempotency_key=None, base_url=BASE_URL)
    assert bench.service.check(TEST, id, json.dumps({"code": "0000"})).valid


def connected(bench: Bench) -> None:
    bench.store.connect()
    assert [bench.store.knows_pepper(fingerprint) for fingerprint in ("first", "first", "other")] == [True, True, False]


def events(bench: Bench) -> None:
    now = int(bench.now)
    made = [Event(f"evt_{n}", "verification.started", Mode.LIVE, json.dumps({"n": n}), f"vrf_{n}") for n in range(30)]
    bench.store.number_events(Mode.LIVE, made[:20], now)
    bench.store.number_events(Mode.LIVE, made, now)
    ((first, _), *_), latest = bench.store.events_after(Mode.LIVE, 0, limit=100, now=now)
    found, _ = bench.store.events_after(Mode.LIVE, first + 4, limit=100, now=now)
    assert (len(found), latest) == (25, first + 29)
    bench.store.number_events(Mode.LIVE, made[7:9], now)  # as of half a batch that comes again: two numbers stay empty
    assert len(bench.store.events_after(Mode.LIVE, 0, limit=100, now=now)[0]) == 30
    # When those are no longer kept, and not yet swept.
    later = now + DAY + 60
    bench.store.published()
    bench.store.number_events(Mode.LIVE, [replace(made[0], id="evt_later")], later)
    found, _ = bench.store.events_after(Mode.LIVE, first + 4, limit=100, now=later)
    assert [number for number, _ in found] == [latest + 3]
    # Version 1's counter was swept, and an event stands where the next one would: what it says is past them all.
    key = {"pk": {"S": "events#live"}}
    bench.client.delete_item(TableName=bench.table, Key=key)
    item = {"pk": {"S": f"event#live#{later * 1000 + 1}"}, "ttl": {"N": str(now)}}
    bench.client.put_item(TableName=bench.table, Item=item)
    bench.store.number_events(Mode.LIVE, [replace(made[0], id="evt_latest")], later)
    assert len(bench.store.events_after(Mode.LIVE, 0, limit=100, now=later)[0]) in (1, 2)
