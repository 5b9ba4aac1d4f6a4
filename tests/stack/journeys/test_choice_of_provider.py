"""Which provider is asked: the operator's order, fail-over within one request, and providers that are switched off."""

from collections.abc import Callable
from typing import Any

import pytest

from callverify.providers.registry import manifests
from tests.support.client import PROMPT, Answer, Api, Operator, Vendors, new_phone

Faults = Callable[..., None]
REVERSE = ("telefon_ip", "sms_ru", "smsc")
METHODS = {manifest.name: manifest.routes[0].method for manifest in manifests()}


def tried(answer: Answer) -> list[tuple[str, str, str | None]]:
    return [(attempt["provider"], attempt["outcome"], attempt["reason"]) for attempt in answer["attempts"]]


def test_the_operators_order(faults: Faults, api: Api, phone: str) -> None:  # noqa: ARG001 (all must be well)
    assert tried(api.started(phone)) == [("telefon_ip", "started", None)]


@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("http_500", "unknown", "http_error"),
        ("timeout", "unknown", "timeout"),
        ("malformed_json", "unknown", "unreadable_answer"),
        ("no_money", "unavailable", "no_money"),
        ("bad_credentials", "unavailable", "bad_credentials"),
    ],
)
def test_the_next_reverse_call_provider_is_asked_in_the_same_request(
    faults: Faults, api: Api, vendors: Vendors, phone: str, mode: str, outcome: str, reason: str
) -> None:
    faults("telefon_ip", mode)
    started = api.started(phone, patience=PROMPT)
    assert (started["status"], started["method"], started["provider"]) == ("pending", "reverse_call", "sms_ru")
    assert tried(started) == [("telefon_ip", outcome, reason), ("sms_ru", "started", None)]
    vendors.dial(phone, started)
    assert api.wait_until(started.id, "verified")["evidence"] == "provider_read_back"


def test_an_unknown_outcome_that_cost_nothing_is_followed_by_a_flash_call(
    faults: Faults, api: Api, vendors: Vendors, phone: str
) -> None:
    for provider in REVERSE:
        faults(provider, "http_500")
    started = api.started(phone, patience=PROMPT)
    assert tried(started) == [*((name, "unknown", "http_error") for name in REVERSE), ("ucaller", "started", None)]
    assert api.check(started.id, vendors.code(phone))["valid"] is True


def test_an_unknown_outcome_that_may_have_cost_money_is_followed_by_no_other_call(
    faults: Faults, api: Api, vendors: Vendors, operator: Operator, phone: str
) -> None:
    for provider in ("ucaller", "new_tel"):
        faults(provider, "no_money")
    faults("telefon_ip", "http_500")
    failed = api.start(phone, method="flash_call").expect(503, "provider_unavailable")
    read = api.read(failed["verification_id"])
    assert (read["status"], read["reason"]) == ("failed", "provider_unavailable")
    certain = [(name, "unavailable", "no_money") for name in ("ucaller", "new_tel")]
    assert tried(read) == [*certain, ("telefon_ip", "unknown", "http_error")]
    assert vendors.codes(phone) == []

    # Nothing is left behind but the cooldown.
    assert operator.lock(read.id) is None
    assert api.start(phone).expect(429, "rate_limited")["limit"] == "phone_cooldown"
    operator.age(read.id, 30)
    assert api.started(phone)["status"] == "pending"


def test_certain_failures_go_on_to_a_flash_call(faults: Faults, api: Api, vendors: Vendors, phone: str) -> None:
    for provider in REVERSE:
        faults(provider, "no_money")
    started = api.started(phone)
    assert (started["method"], started["challenge"]["type"]) == ("flash_call", "enter_digits")
    assert [name for name, _, _ in tried(started)] == [*REVERSE, "ucaller"]
    assert api.check(started.id, vendors.code(phone))["valid"] is True


def test_fail_over_stays_within_the_allowed_methods(faults: Faults, api: Api, vendors: Vendors, phone: str) -> None:
    for provider in REVERSE:
        faults(provider, "no_money")
    api.start(phone, method="reverse_call").expect(503, "provider_unavailable")
    assert vendors.codes(phone) == []


def test_a_provider_that_keeps_failing_is_asked_last(
    alone: None,  # noqa: ARG001 (for everybody)
    faults: Faults,
    api: Api,
    phone: str,
) -> None:
    for _ in range(10):
        other = new_phone()
        faults("telefon_ip", "no_money", phone=other)
        api.start(other, provider="telefon_ip", method="reverse_call").expect(503, "provider_unavailable")
    assert tried(api.started(phone)) == [("sms_ru", "started", None)]


@pytest.fixture
def credentials(alone: None, operator: Operator) -> dict[str, Any]:  # noqa: ARG001
    found: dict[str, Any] = operator.secret("PROVIDER_CREDENTIALS_SECRET")
    return found


@pytest.mark.parametrize("only", METHODS)
def test_a_provider_without_credentials_is_switched_off(
    credentials: dict[str, Any], api: Api, vendors: Vendors, operator: Operator, phone: str, only: str
) -> None:
    with operator.credentials({only: credentials[only]}):
        started = api.started(phone, method=METHODS[only])
        assert started["provider"] == only
        api.cancel(started.id).expect(200)
        operator.age(started.id, 30)
        for other in credentials.keys() - {only}:
            api.start(phone, provider=other, method=METHODS[other]).expect(503, "no_provider_available")
    assert vendors.starts(phone) == [only]


def test_no_provider_at_all(
    credentials: dict[str, Any],  # noqa: ARG001
    api: Api,
    vendors: Vendors,
    operator: Operator,
    phone: str,
) -> None:
    with operator.credentials({}):
        api.start(phone).expect(503, "no_provider_available")
    assert vendors.requests(phone) == []
    assert api.started(phone)["status"] == "pending"


def test_smsc_without_a_good_callback_secret_is_left_out(
    credentials: dict[str, Any], api: Api, operator: Operator, phone: str
) -> None:
    before = len(operator.log)
    with operator.credentials(credentials | {"smsc": credentials["smsc"] | {"callback_secret": "x" * 15}}):
        api.start(phone, provider="smsc").expect(503, "no_provider_available")
        assert api.started(phone)["provider"] == "telefon_ip"
    lines = operator.log_lines("provider-credentials: smsc.callback_secret", after=before)
    assert {line["level"] for line in lines} == {"ERROR"}
