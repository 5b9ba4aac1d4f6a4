"""Idempotency-Key: a caller who does not know whether a request arrived may send it again."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import Answer, Api, Operator, Vendors


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


def test_the_first_answer_again(api: Api, vendors: Vendors, phone: str, key: str) -> None:
    first = api.start(phone, method="flash_call", idempotency_key=key).expect(201)
    assert not first.replayed
    again = api.start(phone, method="flash_call", idempotency_key=key).expect(200)
    assert again.replayed
    assert again.body == first.body  # the client token too
    assert vendors.starts(phone) == ["ucaller"]

    # The verification as it is by now.
    api.check(first.id, vendors.code(phone), key=again["client_token"])
    assert api.start(phone, method="flash_call", idempotency_key=key).expect(200)["status"] == "verified"


def test_another_body(api: Api, vendors: Vendors, phone: str, key: str) -> None:
    api.start(phone, provider="smsc", idempotency_key=key).expect(201)
    reused = api.start(phone, provider="telefon_ip", idempotency_key=key)
    reused.expect(422, "idempotency_key_reused")
    assert vendors.starts(phone) == ["smsc"]


def test_another_customers_key_is_another_key(api: Api, added_keys: dict[str, str], phone: str, key: str) -> None:
    api.start(phone, provider="smsc", idempotency_key=key).expect(201)
    other = api.start(phone, provider="smsc", idempotency_key=key, key=added_keys["other"])
    other.expect(409, "verification_in_progress")


def test_two_at_once(api: Api, vendors: Vendors, phone: str, key: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: api.start(phone, provider="smsc", idempotency_key=key), range(2)))
    first, second = sorted(answers, key=lambda answer: answer.status)
    if second.status == 201:  # the other came late enough to be a replay
        first, second = second, first
        assert second.expect(200).id == first.id
    else:
        second.expect(409, "idempotency_in_progress")
        assert second.headers["Retry-After"] == str(second["retry_after"])
    first.expect(201)
    assert vendors.starts(phone) == ["smsc"]
    assert api.start(phone, provider="smsc", idempotency_key=key).expect(200).id == first.id


def test_a_failure_of_the_provider_is_replayed(
    faults: Callable[..., None], api: Api, vendors: Vendors, phone: str, key: str
) -> None:
    def start() -> Answer:
        started = api.start(phone, provider="telefon_ip", method="reverse_call", idempotency_key=key)
        return started.expect(422, "provider_rejected")

    faults("telefon_ip", "number_refused")
    first, again = start(), start()
    assert (first.replayed, again.replayed) == (False, True)
    assert again["verification_id"] == first["verification_id"]
    assert vendors.starts(phone) == ["telefon_ip"]


def test_our_own_refusal_is_not_kept(api: Api, phone: str, key: str) -> None:
    api.start(phone, locale="de", idempotency_key=key).expect(400, "invalid_request")
    assert not api.start(phone, provider="smsc", idempotency_key=key).expect(201).replayed


def test_a_switch_is_replayed_too(api: Api, vendors: Vendors, operator: Operator, phone: str, key: str) -> None:
    started = api.started(phone, allowed_methods=["flash_call", "reverse_call"], method="flash_call")
    operator.age(started.id, 30)
    first = api.switch(started.id, phone, "reverse_call", idempotency_key=key).expect(200)
    again = api.switch(started.id, phone, "reverse_call", idempotency_key=key).expect(200)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.body == first.body
    assert vendors.starts(phone) == ["ucaller", "telefon_ip"]
    # A page that was opened before an upgrade asks by the route of version 1.
    assert api.repeat(started.id, phone=phone, method="reverse_call", idempotency_key=key).expect(200).replayed
    other = api.switch(started.id, phone, "flash_call", idempotency_key=key)
    other.expect(422, "idempotency_key_reused")
