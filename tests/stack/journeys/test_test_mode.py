"""Test keys: no vendor, no limit, and four numbers that behave the same every time."""

import os

import pytest

from tests.support.client import Api, Vendors, new_address

STARTS = 1000 if os.environ.get("CI") else 50
FLASH, EXPIRED, REVERSE, REFUSED = (f"+7900000010{digit}" for digit in (1, 2, 3, 4))


@pytest.fixture
def test_key(stack: dict[str, str]) -> str:
    return stack["TEST_API_KEY"]


def test_flash_call(api: Api, test_key: str) -> None:
    started = api.started(FLASH, method="flash_call", key=test_key)
    assert started.id.startswith("vrf_test_")
    assert (started["mode"], started["status"], started["method"]) == ("test", "pending", "flash_call")
    wrong = api.check(started.id, "0001", key=started["client_token"]).expect(200)
    assert (wrong["valid"], wrong["checks_remaining"]) == (False, 4)
    right = api.check(started.id, "0000", key=started["client_token"]).expect(200)
    assert (right["valid"], right["status"], right["evidence"]) == (True, "verified", "code_matched")


def test_flash_call_fails_after_five(api: Api, test_key: str) -> None:
    started = api.started(FLASH, method="flash_call", key=test_key)
    answers = [api.check(started.id, "9999", key=test_key) for _ in range(5)]
    assert [answer["status"] for answer in answers] == ["pending"] * 4 + ["failed"]
    api.check(started.id, "0000", key=test_key).expect(409, "verification_not_pending")


def test_expires_at_once(api: Api, test_key: str) -> None:
    started = api.started(EXPIRED, key=test_key)
    read = api.read(started.id, key=test_key).expect(200)
    assert (read["status"], read["reason"]) == ("expired", "window_elapsed")


def test_reverse_call_answers_by_itself(api: Api, test_key: str) -> None:
    started = api.started(REVERSE, method="reverse_call", key=test_key)
    assert (started["status"], started["challenge"]["type"]) == ("pending", "call_number")
    assert api.wait_until(started.id, "verified", key=test_key)["verified_at"]


def test_refused(api: Api, test_key: str) -> None:
    refused = api.start(REFUSED, key=test_key).expect(422, "provider_rejected")
    read = api.read(refused["verification_id"], key=test_key).expect(200)
    assert (read["status"], read["reason"]) == ("failed", "provider_rejected")


def test_only_test_numbers(api: Api, vendors: Vendors, test_key: str, phone: str) -> None:
    api.start(phone, key=test_key).expect(422, "invalid_phone")
    assert vendors.requests(phone) == []


@pytest.mark.parametrize("number", [FLASH, EXPIRED, REVERSE, REFUSED])
def test_a_live_key_refuses_test_numbers(api: Api, vendors: Vendors, number: str) -> None:
    api.start(number).expect(422, "invalid_phone")
    assert vendors.requests(number) == []


def test_each_mode_sees_its_own(api: Api, test_key: str, phone: str) -> None:
    live, test = api.started(phone, method="flash_call"), api.started(FLASH, method="flash_call", key=test_key)
    api.read(live.id, key=test_key).expect(404, "not_found")
    api.check(live.id, "0427", key=test_key).expect(404, "not_found")
    api.cancel(live.id, key=test_key).expect(404, "not_found")
    api.repeat(live.id, key=test_key).expect(404, "not_found")
    api.read(test.id).expect(404, "not_found")
    api.check(test.id, "0000").expect(404, "not_found")
    api.cancel(test.id).expect(404, "not_found")
    assert api.read(live.id)["checks_remaining"] == 5
    assert api.read(test.id, key=test_key)["status"] == "pending"


def test_as_many_in_a_row_as_a_customers_ci_wants(api: Api, vendors: Vendors, test_key: str) -> None:
    address = new_address()
    ids = {api.started(FLASH, method="flash_call", end_user_ip=address, key=test_key).id for _ in range(STARTS)}
    assert len(ids) == STARTS
    assert vendors.requests(FLASH) == []
