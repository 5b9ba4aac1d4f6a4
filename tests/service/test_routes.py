"""Routes of several kinds beside each other: codes that a vendor picks, voice calls, holds by number, order, shares."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from callverify.domain import errors
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    Challenge,
    Deadline,
    Evidence,
    Method,
    Outcome,
    Reason,
    Status,
)
from callverify.providers.base import Code, Manifest, Per, Proof, Route, Webhook, Window, our_code, their_code
from callverify.providers.names import NAMES
from callverify.service.policy import Policy
from callverify.service.pool import effective_size
from callverify.service.service import Service
from callverify.service.webhooks import Request
from tests.support.follow_ups import ask
from tests.support.service import BASE_URL, LIVE, TEST, Parts
from tests.support.vendors import FakeVendor, Mood

PHONE, OTHER = "+79000000021", "+79000000022"
WINDOW = Window(default=300, most=900)


def manifest(name: str, *routes: Route) -> Manifest:
    return Manifest(name=name, title=name.title(), base_url="https://vendor.example", credentials=(), routes=routes)


def flash(code: Code) -> Route:
    return Route(Method.FLASH_CALL, window=WINDOW, paid=True, code=code)


def reverse(**more: Any) -> Route:
    return Route(Method.REVERSE_CALL, window=WINDOW, paid=False, read_back=True, **more)


OURS = manifest("ours", flash(our_code()))
THEIRS = manifest("theirs", flash(their_code()))
DIALLED = manifest("dialled", reverse())
SPOKEN = manifest("spoken", Route(Method.VOICE_CALL, window=WINDOW, paid=True, code=our_code(6)))


def start(service: Service, phone: str = PHONE, caller: Any = LIVE, **fields: Any) -> Any:
    return service.start(caller, json.dumps({"phone": phone, **fields}), idempotency_key=None, base_url=BASE_URL)


def check(parts: Parts, id_: str, code: str) -> Any:
    return parts.service.check(LIVE, id_, json.dumps({"code": code}))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def test_a_vendors_code_is_known_by_its_hash_alone_and_verifies_with_evidence_of_its_own() -> None:
    parts = Parts(manifests=[THEIRS])
    started = start(parts.service, method="flash_call").verification
    code = parts.vendor("theirs").last_code(PHONE)
    assert code is not None
    stored = json.dumps(parts.client.items(), default=str) if hasattr(parts.client, "items") else ""
    assert f'"{code}"' not in stored
    assert not check(parts, started.id, wrong(code)).valid
    verified = check(parts, started.id, code).verification
    assert (verified.status, verified.evidence) == (Status.VERIFIED, Evidence.VENDOR_CODE_MATCHED)
    assert verified.code_hash is None


def test_a_vendors_code_can_be_checked_three_times() -> None:
    parts = Parts(manifests=[THEIRS])
    started = start(parts.service, method="flash_call").verification
    code = parts.vendor("theirs").last_code(PHONE) or ""
    for left in (2, 1, 0):
        judged = check(parts, started.id, wrong(code)).verification
        assert judged.guess_limit - judged.guesses == left
    assert (judged.status, judged.reason) == (Status.FAILED, "checks_exhausted")
    # And so can the phone's, in 24 h, whatever is started: calls with our own code stay open.
    parts.now += 60
    with pytest.raises(errors.RateLimited) as refused:
        start(parts.service, method="flash_call")
    assert refused.value.limit == "phone_guesses"


def test_an_unknown_outcome_of_a_vendors_code_has_failed_and_counts_as_paid() -> None:
    parts = Parts(manifests=[THEIRS, OURS, DIALLED])
    parts.vendor("theirs").mood = Mood.SILENT
    parts.vendor("ours").mood = Mood.DOWN
    with pytest.raises(errors.ProviderUnavailable) as refused:
        start(parts.service, OTHER, method="flash_call")
    assert refused.value.skipped == []
    assert ("PaidCalls", {"provider": "theirs"}) in parts.observer.counts


def test_after_a_call_that_may_have_been_paid_only_free_routes_are_tried() -> None:
    parts = Parts(manifests=[THEIRS, OURS])
    parts.vendor("theirs").mood = Mood.SILENT
    order = [manifest.name for manifest in (THEIRS, OURS)]
    assert order == ["theirs", "ours"]
    # The vendor's code comes after ours in the default order: have it first by having ours down.
    parts.vendor("ours").mood = Mood.DOWN
    with pytest.raises(errors.ProviderUnavailable) as refused:
        start(parts.service, method="flash_call")
    attempts = parts.store.get(refused.value.verification_id or "", int(parts.now))
    assert attempts is not None
    assert [(each.provider, each.outcome) for each in attempts.attempts] == [
        ("ours", Outcome.UNAVAILABLE),
        ("theirs", Outcome.UNKNOWN),
    ]
    assert len(parts.vendor("theirs").paid) == 1


def test_free_routes_come_first_then_our_codes_then_theirs() -> None:
    parts = Parts(manifests=[THEIRS, OURS, DIALLED])
    assert [line.provider for line in parts.lines()] == ["dialled", "ours", "theirs"]


def test_a_voice_call_is_used_only_where_it_is_asked_for() -> None:
    parts = Parts(manifests=[SPOKEN, DIALLED])
    started = start(parts.service).verification
    assert (started.provider, started.allowed_methods) == ("dialled", (Method.REVERSE_CALL,))
    spoken = start(parts.service, OTHER, method="voice_call").verification
    assert spoken.challenge == Challenge.enter_digits(6)
    code = parts.vendor("spoken").last_code(OTHER) or ""
    assert check(parts, spoken.id, code).verification.evidence is Evidence.CODE_MATCHED
    known = Parts(manifests=[replace(SPOKEN, name=NAMES[0])])
    with pytest.raises(errors.InvalidRequest, match="Name it in `method` or in `allowed_methods`"):
        start(known.service, provider=NAMES[0])


def test_a_limit_that_closes_every_route_names_them_all() -> None:
    parts = Parts(manifests=[THEIRS, OURS, DIALLED, SPOKEN])
    verification = start(parts.service).verification
    parts.service.cancel(LIVE, verification.id, None)
    with pytest.raises(errors.RateLimited) as refused:
        start(parts.service)
    assert refused.value.limit == "phone_cooldown"
    skipped = [(each.provider, each.reason) for each in refused.value.skipped]
    assert skipped == [("dialled", "limit"), ("ours", "limit"), ("theirs", "limit")]


def test_a_limit_of_paid_calls_names_each_paid_route_and_leaves_the_free_ones() -> None:
    parts = Parts(manifests=[THEIRS, OURS, DIALLED], policy=Policy(key_paid_day=1))
    parts.order = ["ours:flash_call", "theirs:flash_call", "dialled:reverse_call"]
    assert start(parts.service, OTHER).verification.provider == "ours"
    answer = start(parts.service)
    assert answer.verification.provider == "dialled"
    assert [(each.provider, each.reason) for each in answer.skipped] == [("ours", "limit"), ("theirs", "limit")]


def test_a_route_is_used_only_in_its_countries() -> None:
    parts = Parts(manifests=[SPOKEN])
    (line,) = parts.vendor("spoken").lines()
    parts.vendor("spoken").lines = lambda: [replace(line, countries=frozenset({"KZ"}))]  # type: ignore[method-assign]
    with pytest.raises(errors.NoProviderAvailable) as refused:
        start(parts.service, method="voice_call")
    assert [(each.provider, each.reason) for each in refused.value.skipped] == [("spoken", "country")]


class SharedNumber(FakeVendor):
    """Has everybody call one number, and knows a call by its caller alone."""

    def _lend_number(self, order: CallOrder) -> CallOutcome:
        outcome = super()._lend_number(order)
        return replace(outcome, challenge=Challenge.call_number("+74950000001"))


class RepeatingIds(FakeVendor):
    """Gives every call the same id."""

    def _lend_number(self, order: CallOrder) -> CallOutcome:
        outcome = super()._lend_number(order)
        return replace(outcome, call_id="1")


@pytest.mark.parametrize("kind", [SharedNumber, RepeatingIds])
def test_a_number_or_an_id_that_may_mean_an_earlier_request_is_held(kind: type[FakeVendor]) -> None:
    parts = Parts(manifests=[DIALLED])
    parts.vendors[:] = [kind(DIALLED, parts)]
    first = start(parts.service).verification
    parts.service.cancel(LIVE, first.id, None)
    parts.now += 60
    with pytest.raises(errors.NoProviderAvailable) as refused:
        start(parts.service)
    assert refused.value.retry_after == first.expires_at + 600 - int(parts.now)
    failed = parts.store.get(refused.value.verification_id or "", int(parts.now))
    assert failed is not None
    assert failed.attempt.reason is Reason.HELD
    parts.now = first.expires_at + 601
    assert start(parts.service).verification.status is Status.PENDING


def test_a_verified_call_is_held_for_two_minutes() -> None:
    parts = Parts(manifests=[DIALLED])
    parts.vendors[:] = [SharedNumber(DIALLED, parts)]
    first = start(parts.service).verification
    parts.vendors[0].dial(PHONE)
    parts.now += 5
    ask(parts.service, first.id)
    assert parts.service.read(LIVE, first.id).status is Status.VERIFIED
    parts.now += 119
    with pytest.raises(errors.NoProviderAvailable):
        start(parts.service)
    parts.now += 30
    assert start(parts.service).verification.status is Status.PENDING


def test_another_phone_is_not_held() -> None:
    parts = Parts(manifests=[DIALLED])
    parts.vendors[:] = [SharedNumber(DIALLED, parts)]
    start(parts.service)
    assert start(parts.service, OTHER).verification.status is Status.PENDING


def test_an_account_wide_hint_is_heard_by_its_call_id() -> None:
    hook = Webhook(Per.ACCOUNT, Proof.HINT, answer="100")
    parts = Parts(manifests=[manifest("wide", reverse(webhook=hook))])
    started = start(parts.service).verification
    ((path, parameters),) = parts.vendor("wide").dial(PHONE)
    answer = parts.service.report(Request("wide", path, lambda: parameters))
    assert answer.body == "100"
    assert parts.store.get(started.id, int(parts.now)).status is Status.VERIFIED  # type: ignore[union-attr]
    strange = {**parameters, "said": ("999",)}
    assert parts.service.report(Request("wide", path, lambda: strange)).body == "100"


def test_the_first_route_gets_four_seconds_and_the_others_two() -> None:
    names = ["a", "b", "c"]
    parts = Parts(manifests=[manifest(name, reverse()) for name in names])
    given: list[float] = []
    for vendor in parts.vendors:
        vendor.mood = Mood.DEAF

        def measured(order: CallOrder, deadline: Deadline, vendor: FakeVendor = vendor) -> CallOutcome:
            given.append(deadline.remaining())
            return FakeVendor.start(vendor, order, deadline)

        vendor.start = measured  # type: ignore[method-assign]
    with pytest.raises(errors.ProviderUnavailable):
        start(parts.service)
    assert given == [4, 2, 2]


def test_a_route_that_cant_get_two_seconds_is_not_asked() -> None:
    parts = Parts(manifests=[manifest(name, reverse()) for name in ("a", "b", "c", "d", "e")])
    for vendor in parts.vendors:
        vendor.mood = Mood.DEAF
    with pytest.raises(errors.ProviderUnavailable) as refused:
        start(parts.service)
    assert [(each.provider, each.reason) for each in refused.value.skipped] == [("e", "time")]
    assert [vendor.asked for vendor in parts.vendors] == [1, 1, 1, 1, 0]


def test_a_small_pool_is_passed_over() -> None:
    parts = Parts(manifests=[THEIRS])
    vendor = parts.vendor("theirs")
    pool = random.Random(7).sample(range(10_000), 300)
    vendor.pool.randrange = lambda *_: random.Random(len(vendor.paid)).choice(pool)  # type: ignore[method-assign]
    parts.policy = Policy(phone_cooldown=0, key_paid_day=10**6, stack_paid_hour=10**6, prefix_10m=10**4)
    parts.service = parts.new_service()
    reasons: Sequence[Any] = ()
    rounds = 0
    for number in range(400):
        rounds += 1
        parts.now += 61
        try:
            started = start(parts.service, f"+7900{1000000 + number * 10007}", method="flash_call")
        except errors.NoProviderAvailable as refused:
            reasons = refused.skipped
            break
        assert started.verification.provider == "theirs"
    assert [(each.provider, each.reason) for each in reasons] == [("theirs", "predictable")], rounds
    assert any(name == "CodePool" for name, _, _ in parts.observer.values)
    assert ("PredictableCodes", {"provider": "theirs", "method": "flash_call"}) in parts.observer.counts


@pytest.mark.parametrize(("size", "least", "most"), [(300, 240, 380), (10_000, 6_000, 20_000)])
def test_the_effective_size_of_a_pool_is_told_from_500_codes(size: int, least: float, most: float) -> None:
    rng = random.Random(3)
    codes = [rng.randrange(size).to_bytes(4) for _ in range(500)]
    found = effective_size(codes)
    assert found is not None
    assert least < found < most
    assert effective_size(codes[:20]) is None


def test_test_number_105_is_a_voice_call_of_zeros() -> None:
    parts = Parts(manifests=[SPOKEN, OURS])
    started = start(parts.service, "+79000000105", TEST, method="voice_call").verification
    assert started.challenge == Challenge.enter_digits(6)
    answered = parts.service.check(TEST, started.id, json.dumps({"code": "000000"}))
    assert answered.valid


def test_a_key_press_is_told_the_code_and_nothing_else_is() -> None:
    hook = Webhook(
        Per.VERIFICATION, Proof.SIGNATURE, content_type="text/xml", say=lambda code, locale: f"{code} {locale}"
    )
    spoken = manifest("spoken", Route(Method.VOICE_CALL, window=WINDOW, paid=True, code=our_code(6), webhook=hook))
    parts = Parts(manifests=[spoken])
    started = start(parts.service, method="voice_call", locale="ru").verification
    code = parts.vendor("spoken").last_code(PHONE)
    press = parts.vendor("spoken").press(started.call_id or "")
    path = [started.id, parts.keys.webhook_token(started.id)]
    answer = parts.service.report(Request("spoken", path, lambda: press))
    assert (answer.body, answer.content_type) == (f"{code} ru", "text/xml")
    pressed = ("KeyPresses", {"provider": "spoken", "method": "voice_call"})
    assert parts.observer.counts.count(pressed) == 1
    parts.now = started.expires_at
    assert parts.service.report(Request("spoken", path, lambda: press)).body == "OK"
    assert parts.observer.counts.count(pressed) == 1


def test_before_the_vendor_has_answered_no_code_is_right() -> None:
    """The one that we would have picked, had it been ours to pick, is known to nobody and shown by no call."""
    parts = Parts(manifests=[THEIRS])
    vendor = parts.vendor("theirs")
    tried: list[Any] = []

    def started(order: CallOrder, deadline: Deadline) -> CallOutcome:
        id_, _, attempt = order.unique.rpartition("-")
        tried.append(check(parts, id_, parts.keys.code(id_, int(attempt))))
        return FakeVendor.start(vendor, order, deadline)

    vendor.start = started  # type: ignore[method-assign]
    verification = start(parts.service, method="flash_call").verification
    assert [each.valid for each in tried] == [False]
    assert parts.store.get(verification.id, int(parts.now)).status is Status.PENDING  # type: ignore[union-attr]


def test_no_call_is_made_whose_code_nobody_could_check() -> None:
    parts = Parts(manifests=[OURS, THEIRS])
    started = start(parts.service, method="flash_call", allowed_methods=["flash_call"]).verification
    assert started.provider == "ours"
    code = parts.vendor("ours").last_code(PHONE) or ""
    for _ in range(3):
        check(parts, started.id, wrong(code))
    parts.now += 60
    parts.vendor("ours").mood = Mood.DOWN
    body = json.dumps({"phone": PHONE, "method": "flash_call"})
    with pytest.raises(errors.ProviderUnavailable) as refused:
        parts.service.switch(LIVE, started.id, body, idempotency_key=None, base_url=BASE_URL)
    assert [(each.provider, each.reason) for each in refused.value.skipped] == [("theirs", "limit")]
    assert parts.vendor("theirs").asked == 0


def test_a_switch_to_nothing_but_a_code_that_nobody_could_check_is_refused() -> None:
    parts = Parts(manifests=[OURS, THEIRS])
    started = start(parts.service, method="flash_call", allowed_methods=["flash_call"]).verification
    for _ in range(3):
        check(parts, started.id, wrong(parts.vendor("ours").last_code(PHONE) or ""))
    parts.now += 60
    parts.vendors[:] = [parts.vendor("theirs")]
    body = json.dumps({"phone": PHONE, "method": "flash_call"})
    with pytest.raises(errors.NoProviderAvailable) as refused:
        parts.service.switch(LIVE, started.id, body, idempotency_key=None, base_url=BASE_URL)
    assert [(each.provider, each.reason) for each in refused.value.skipped] == [("theirs", "limit")]
    assert parts.vendors[0].asked == 0


def test_a_test_key_is_led_to_the_route_that_a_live_one_would_be() -> None:
    parts = Parts(manifests=[THEIRS, OURS])
    tested = start(parts.service, "+79000000101", TEST, method="flash_call").verification
    assert (tested.provider, tested.code_hash) == ("ours", None)
