"""One live verification per phone, and limits: each is named, and none of what they refuse reaches a vendor."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import Answer, Api, Operator, Vendors, new_address, new_phone


def assert_limited(answer: Answer, limit: str, longest: int) -> None:
    answer.expect(429, "rate_limited")
    assert answer["limit"] == limit
    assert 1 <= answer["retry_after"] <= longest
    assert answer.headers["Retry-After"] == str(answer["retry_after"])


# One live verification per phone


def test_a_second_start_learns_nothing_of_the_first(
    api: Api, vendors: Vendors, added_keys: dict[str, str], phone: str
) -> None:
    started = api.started(phone, provider="telefon_ip", reference="order 1")
    for refused in (
        api.start(phone, provider="telefon_ip"),
        api.start(phone, provider="smsc", reference="order 2"),
        api.start(phone, method="flash_call", reference="order 1", key=added_keys["other"]),
    ):
        refused.expect(409, "verification_in_progress")
        assert "verification_id" not in refused.body
        assert started["challenge"]["number"] not in str(refused.body)
    own = api.start(phone, provider="smsc", reference="order 1").expect(409, "verification_in_progress")
    assert own["verification_id"] == started.id
    assert vendors.starts(phone) == ["telefon_ip"]


def test_no_reference_is_nobodys_reference(api: Api, phone: str) -> None:
    api.started(phone, provider="telefon_ip")
    refused = api.start(phone, provider="telefon_ip").expect(409, "verification_in_progress")
    assert "verification_id" not in refused.body


def test_twenty_starts_at_once_are_one_call(
    alone: None,  # noqa: ARG001 (each of them starts a process of its own)
    api: Api,
    vendors: Vendors,
    phone: str,
) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.start(phone, method="flash_call", patience=300), range(20)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert {answer["code"] for answer in answers if answer.status == 409} == {"verification_in_progress"}
    assert vendors.starts(phone) == ["ucaller"]
    assert len(vendors.codes(phone)) == 1


# Limits of starts


def test_phone_cooldown(api: Api, vendors: Vendors, operator: Operator, phone: str) -> None:
    started = api.started(phone, provider="telefon_ip")
    api.cancel(started.id).expect(200)
    assert_limited(api.start(phone, provider="telefon_ip"), "phone_cooldown", 20)
    assert vendors.starts(phone) == ["telefon_ip"]
    operator.age(started.id, 20)
    api.started(phone, provider="telefon_ip")


def test_phone_10m(api: Api, vendors: Vendors, operator: Operator, phone: str) -> None:
    for _ in range(5):
        started = api.started(phone, provider="telefon_ip")
        api.cancel(started.id).expect(200)
        operator.age(started.id, 20)
    assert_limited(api.start(phone, provider="telefon_ip"), "phone_10m", 600)
    assert len(vendors.starts(phone)) == 5


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_ip_10m(api: Api, vendors: Vendors, family: str) -> None:
    network = f"2001:db8:{random.randrange(2**16):x}:{random.randrange(2**16):x}"
    ipv4 = new_address()
    for number in range(20):
        address = ipv4 if family == "IPv4" else f"{network}::{number + 1:x}"
        api.started(new_phone(), provider="telefon_ip", end_user_ip=address)
    address, last = (ipv4 if family == "IPv4" else f"{network}::ff"), new_phone()
    assert_limited(api.start(last, provider="telefon_ip", end_user_ip=address), "ip_10m", 600)
    assert vendors.starts(last) == []
    api.started(last, provider="telefon_ip")


def test_prefix_10m(api: Api, vendors: Vendors) -> None:
    block = random.randint(1, 99)  # which no other test's phones are in
    phones: set[str] = set()
    while len(phones) < 31:
        phones.add(new_phone(block))
    *others, last = phones
    for phone in others:
        api.started(phone, method="flash_call")
    assert_limited(api.start(last, method="flash_call"), "prefix_10m", 600)
    assert vendors.requests(last) == []
    assert api.started(last, method="reverse_call")["method"] == "reverse_call"


# Guesses


def test_guesses_belong_to_the_phone(
    alone: None,  # noqa: ARG001
    api: Api,
    vendors: Vendors,
    operator: Operator,
    phone: str,
) -> None:
    first = api.started(phone, method="flash_call")
    for _ in range(5):
        assert api.check(first.id, vendors.wrong_code(phone))["valid"] is False
    operator.age(first.id, 30)
    with vendors.later(30):
        second = api.started(phone, method="flash_call")
    for _ in range(4):
        assert api.check(second.id, vendors.wrong_code(phone))["valid"] is False
    # The ninth was the last: even the right code is not compared any more.
    assert_limited(api.check(second.id, vendors.code(phone)), "phone_guesses", 86_400)
    assert api.read(second.id)["status"] == "pending"
    api.cancel(second.id).expect(200)
    operator.age(second.id, 30)
    assert_limited(api.start(phone, method="flash_call"), "phone_guesses", 86_400)
    assert api.started(phone)["method"] == "reverse_call"


def test_a_browsers_checks_count_by_its_address(api: Api, vendors: Vendors) -> None:
    """60 wrong ones in 10 minutes; another browser, and the customer's server, are not held up by it."""
    address = {"X-Forwarded-For": f"172.16.{random.randrange(256)}.{random.randrange(256)}"}
    for _ in range(12):
        phone = new_phone()
        started = api.started(phone, method="flash_call")
        for _ in range(5):
            api.check(started.id, vendors.wrong_code(phone), key=started["client_token"], headers=address).expect(200)
    phone = new_phone()
    started = api.started(phone, method="flash_call")
    code, token = vendors.code(phone), started["client_token"]
    assert_limited(api.check(started.id, code, key=token, headers=address), "browser_10m", 600)
    # Nor does it help to say so in another header.
    pretended = address | {"X-Real-IP": "203.0.113.7", "Forwarded": "for=203.0.113.7", "Client-IP": "203.0.113.7"}
    assert_limited(api.check(started.id, code, key=token, headers=pretended), "browser_10m", 600)
    for _ in range(61):
        assert api.read(started.id, key=token, headers=address).expect(200)["checks_remaining"] == 5
    assert api.check(started.id, code, key=token)["valid"] is True
