"""Everything that the store can say, said once to the engine: Amazon's refuses reserved words that others let pass."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from callverify import errors
from callverify.models import Caller, CallerKind, Event, Method, Mode, ProviderName
from callverify.service import Policy, Reply, Service
from callverify.store import CalendarLimit, LimitReached, RollingLimit, Store
from tests.service.crashes.vendors import Mood
from tests.stack.engines.bench import BASE_URL, CALLER, NOW, PHONE, Bench

DAY = 24 * 60 * 60


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Which of the store's methods have been called, private ones too."""
    counts: Counter[str] = Counter()
    for name, method in inspect.getmembers(Store, inspect.isfunction):
        if not name.startswith("__"):

            def counting(*args: Any, _name: str = name, _method: Any = method, **more: Any) -> Any:
                counts[_name] += 1
                return _method(*args, **more)

            static = isinstance(inspect.getattr_static(Store, name), staticmethod)
            monkeypatch.setattr(Store, name, staticmethod(counting) if static else counting)
    return counts


def test_every_expression_is_taken_and_every_item_has_a_ttl(bench: Bench, called: Counter[str]) -> None:
    for journey in (
        connected,
        refusals,
        telefon_ip_verified,
        telefon_ip_by_status,
        smsc_verified,
        ucaller_repeated_and_verified,
        ucaller_exhausted,
        ways_and_mismatch,
        failures_and_rest,
        taken_over,
        expired_and_again,
        guesses_of_yesterday,
        long_list,
        in_test_mode,
        events,
    ):
        journey(bench)
        bench.clock.now += DAY
    never_called = {
        name
        for name, _ in inspect.getmembers(Store, inspect.isfunction)
        if not name.startswith("__") and not called[name]
    }
    assert never_called == set()
    items = bench.items()
    assert len(items) > 40
    # The number of the latest event, and the pepper's fingerprint, are there as long as the table.
    assert [item["pk"] for item in items if not item.get("ttl")] == ["events#live", "pepper"]
    prefixes = {item["pk"].partition("#")[0] for item in items}
    kinds = "pepper verification phone smsc guesses limit idempotency signed_call breaker events event event_id"
    assert prefixes == set(kinds.split())


def telefon_ip_verified(bench: Bench) -> None:
    reply = bench.start(provider="telefon_ip", end_user_ip="198.51.100.9", key="a")
    (webhook,) = bench.telefon_ip.dial(PHONE)
    bench.service().report(ProviderName.TELEFON_IP, webhook)
    bench.service().report(ProviderName.TELEFON_IP, webhook)
    assert bench.service().status(CALLER, reply.verification.id).status == "verified"
    assert bench.start(provider="telefon_ip", end_user_ip="198.51.100.9", key="a").replayed


def telefon_ip_by_status(bench: Bench) -> None:
    reply = bench.start(provider="telefon_ip")
    bench.telefon_ip.dial(PHONE)
    bench.clock.now += 5
    assert bench.service().status(CALLER, reply.verification.id).status == "verified"


def smsc_verified(bench: Bench) -> None:
    reply = bench.start(provider="smsc")
    (webhook,) = bench.smsc.dial(PHONE)
    bench.service().report(ProviderName.SMSC, webhook)
    assert bench.service().status(CALLER, reply.verification.id).status == "verified"


def ucaller_repeated_and_verified(bench: Bench) -> None:
    reply = bench.start(provider="ucaller", end_user_ip="198.51.100.9")
    id = reply.verification.id  # noqa: A001
    bench.clock.now += 61
    bench.service().repeat(CALLER, id, "{}", idempotency_key="r", base_url=BASE_URL)
    bench.check(id, "0000")
    browser = Caller(CallerKind.CLIENT_TOKEN, verification_id=id, expires_at=NOW * 2, address="198.51.100.3")
    code = json.dumps({"code": bench.ucaller.last_code(PHONE)})
    assert bench.service().check(browser, id, code).valid
    bench.store.return_guess(reply.verification, "unknown")


def ucaller_exhausted(bench: Bench) -> None:
    id = bench.start(provider="ucaller").verification.id  # noqa: A001
    for _ in range(5):
        bench.check(id, "0000")
    assert bench.service().status(CALLER, id).reason == "attempts_exhausted"


def ways_and_mismatch(bench: Bench) -> None:
    id = bench.start(provider="telefon_ip").verification.id  # noqa: A001
    bench.clock.now += 30
    repeat = partial(bench.service().repeat, CALLER, id, idempotency_key=None, base_url=BASE_URL)
    with pytest.raises(errors.PhoneMismatch):
        repeat(json.dumps({"phone": "+79000000032", "method": Method.FLASH_CALL}))
    repeat(json.dumps({"phone": PHONE, "method": Method.FLASH_CALL}))
    bench.clock.now += 30
    bench.vendors = (bench.smsc, bench.ucaller)
    bench.service().repeat(
        CALLER,
        id,
        json.dumps({"phone": PHONE, "method": Method.REVERSE_CALL}),
        idempotency_key=None,
        base_url=BASE_URL,
    )
    bench.vendors = (bench.telefon_ip, bench.smsc, bench.ucaller)
    bench.service().cancel(CALLER, id, None)


def failures_and_rest(bench: Bench) -> None:
    """Telefon-ip fails until it rests; smsc is then asked first; telefon-ip's next success ends the rest."""
    bench.telefon_ip.mood = Mood.DOWN
    service = bench.service(Policy(phone_10m=90))
    for _ in range(7):
        reply = start_by(service)
        service.cancel(CALLER, reply.verification.id, None)
        bench.clock.now += 301
        bench.store.count_failure(ProviderName.TELEFON_IP, rest=30, now=int(bench.clock.now))
    bench.smsc.mood = Mood.DOWN
    with pytest.raises(errors.ProviderUnavailable):
        start_by(service, allowed_methods=["reverse_call"])
    bench.telefon_ip.mood = bench.smsc.mood = Mood.WELL
    bench.clock.now += 60
    start_by(service, provider="telefon_ip")


def refusals(bench: Bench) -> None:
    """Numbers that are refused: where the phone was held it is free again, and what was counted is given back."""
    bench.smsc.mood = bench.ucaller.mood = Mood.REFUSES
    for providers in (("smsc", "ucaller"), ("ucaller",)):
        bench.vendors = tuple({"smsc": bench.smsc, "ucaller": bench.ucaller}[name] for name in providers)
        with pytest.raises(errors.ProviderRejected):
            bench.start(end_user_ip="2001:db8::1")
        bench.clock.now += 61
    bench.vendors = (bench.telefon_ip, bench.smsc, bench.ucaller)
    bench.smsc.mood = bench.ucaller.mood = Mood.WELL


def start_by(service: Service, **fields: object) -> Reply:
    body = json.dumps({"phone": PHONE, **fields})
    return service.start(CALLER, body, idempotency_key=None, base_url=BASE_URL)


def taken_over(bench: Bench) -> None:
    service = bench.service()
    service._ask = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    body = json.dumps({"phone": PHONE, "provider": "ucaller"})
    with pytest.raises(KeyboardInterrupt):
        service.start(CALLER, body, idempotency_key="t", base_url=BASE_URL)
    bench.clock.now += 15
    assert bench.start(key="t", provider="ucaller").replayed


def expired_and_again(bench: Bench) -> None:
    """A window that nobody settles, then a start over the dead lock, which is settled."""
    bench.start(provider="telefon_ip")
    bench.clock.now += 121
    verification = bench.start(provider="telefon_ip").verification
    bench.clock.now += 119
    assert bench.service().settle(verification.id, 1) == 1
    bench.clock.now += 1
    assert bench.service().settle(verification.id, 1) is None


def guesses_of_yesterday(bench: Bench) -> None:
    """A phone whose wrong guesses are over but not swept."""
    for days in (0, 1, 1):
        bench.clock.now += days * DAY
        bench.check(bench.start(provider="ucaller").verification.id, "0000")


def long_list(bench: Bench) -> None:
    now = int(bench.clock.now)
    for start in range(0, 4000, 100):
        bench.store.count([RollingLimit("phone_10m", "s", 9, 600), CalendarLimit("c", "s", 99, 9000)], now + start)
    limit = RollingLimit("phone_10m", "s", 9, 600)
    for _ in range(4):
        bench.store.count([limit], now + 4000)
    with pytest.raises(LimitReached):
        bench.store.count([limit], now + 4000)


def in_test_mode(bench: Bench) -> None:
    caller = replace(CALLER, mode=Mode.TEST)
    body = json.dumps({"phone": "+79000000101", "method": "flash_call"})
    id = bench.service().start(caller, body, idempotency_key="m", base_url=BASE_URL).verification.id  # noqa: A001
    assert bench.service().check(caller, id, json.dumps({"code": "0000"})).valid


def connected(bench: Bench) -> None:
    bench.store.connect()
    assert [bench.store.knows_pepper(fingerprint) for fingerprint in ("first", "first", "other")] == [True, True, False]


def events(bench: Bench) -> None:
    now = int(bench.clock.now)
    made = [Event(f"evt_{n}", "verification.started", Mode.LIVE, json.dumps({"n": n}), f"vrf_{n}") for n in range(30)]
    bench.store.number_events(Mode.LIVE, made[:20], now)
    bench.store.number_events(Mode.LIVE, made, now)
    ((first, _), *_), latest = bench.store.events_after(Mode.LIVE, 0, limit=100, now=now)
    found, _ = bench.store.events_after(Mode.LIVE, first + 4, limit=100, now=now)
    assert (len(found), latest) == (25, first + 29)
    # When those are no longer kept, and not yet swept.
    bench.store.number_events(Mode.LIVE, [replace(made[0], id="evt_later")], now + DAY)
    found, _ = bench.store.events_after(Mode.LIVE, first + 4, limit=100, now=now + DAY)
    assert [number for number, _ in found] == [latest + 1]
    # Version 1's counter was swept, and an event stands where the next one would: what it says is past them all.
    key = {"pk": {"S": "events#live"}}
    bench.client.delete_item(TableName=bench.table, Key=key)
    item = {"pk": {"S": f"event#live#{(now + DAY) * 1000 + 1}"}, "ttl": {"N": str(now)}}
    bench.client.put_item(TableName=bench.table, Item=item)
    bench.store.number_events(Mode.LIVE, [replace(made[0], id="evt_latest")], now + DAY)
    assert len(bench.store.events_after(Mode.LIVE, 0, limit=100, now=now + DAY)[0]) in (1, 2)
