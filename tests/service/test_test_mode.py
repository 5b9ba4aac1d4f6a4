"""Test mode: fixed numbers, no vendor, no limit, no lock, and no way between the modes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.routes import ROUTES, At
from tests.support.surroundings import TEST_KEY, items

FLASH, EXPIRES, REVERSE, REFUSED = "+79000000101", "+79000000102", "+79000000103", "+79000000104"
TEST: dict[str, Any] = {"credential": TEST_KEY}


def start(api: Api, phone: str, **fields: Any) -> Answer:
    return api.start(phone, credential=TEST_KEY, **fields)


@pytest.fixture(autouse=True)
def no_vendor_is_asked(api: Api) -> Any:
    yield
    assert api.requests() == []
    counted = [item for item in items() if item["pk"].split("#")[0] in ("limit", "phone", "guesses")]
    assert all(item.keys() == {"pk", "started", "ttl"} for item in counted)  # which limits nothing


def test_the_flash_number_is_verified_by_0000_alone(api: Api) -> None:
    started = start(api, FLASH)
    assert (started.status, started["mode"], started["method"]) == (201, "test", "flash_call")
    assert started.id.startswith("vrf_test_")
    assert api.check(started.id, "0427", **TEST)["valid"] is False
    answer = api.check(started.id, "0000", **TEST)
    assert (answer["valid"], answer["status"], answer["evidence"]) == (True, "verified", "code_matched")


def test_five_wrong_codes_end_it_as_in_life(api: Api) -> None:
    for _ in range(3):
        started = start(api, FLASH)
        for _ in range(5):
            answer = api.check(started.id, "1111", **TEST)
        assert (answer["status"], answer["reason"]) == ("failed", "checks_exhausted")


def test_the_second_number_expires_at_once(api: Api) -> None:
    started = start(api, EXPIRES)
    assert (started.status, started["status"], started["reason"]) == (201, "expired", "window_elapsed")
    assert api.status(started.id, **TEST)["status"] == "expired"


def test_the_reverse_number_is_answered_after_two_seconds(api: Api) -> None:
    started = start(api, REVERSE)
    assert (started["method"], started["challenge"]["type"]) == ("reverse_call", "call_number")
    api.advance(1)
    api.ask(started.id)
    assert api.status(started.id, **TEST)["status"] == "pending"
    api.advance(1)
    api.ask(started.id)
    verified = api.status(started.id, **TEST)
    assert (verified["status"], verified["evidence"]) == ("verified", "provider_read_back")


@pytest.mark.parametrize("at", [at for at in ROUTES if at.route.code is None], ids=str)
def test_the_evidence_is_the_routes(api: Api, at: At) -> None:
    started = start(api, REVERSE, provider=at.provider, method=at.method)
    api.advance(2)
    api.ask(started.id)
    assert api.status(started.id, **TEST)["evidence"] == at.evidence


@pytest.mark.parametrize("other", [FLASH, "+79000000011"])
def test_another_phone_is_a_mismatch(api: Api, other: str) -> None:
    started = start(api, REVERSE, method="reverse_call")
    answer = api.switch(started.id, other, "reverse_call", **TEST)
    assert (answer.status, answer["code"]) == (422, "phone_mismatch")


def test_the_refused_number_is_422_and_ends_as_failed(api: Api) -> None:
    answer = start(api, REFUSED)
    assert (answer.status, answer["code"]) == (422, "provider_rejected")
    failed = api.status(answer["verification_id"], **TEST)
    assert (failed["status"], failed["reason"], failed["attempts"][0]["outcome"]) == (
        "failed",
        "provider_rejected",
        "rejected",
    )


@pytest.mark.parametrize("phone", [PHONE, "+79000000001", "+79000000100", "+77012345678", "112"])
def test_a_test_key_takes_no_other_number(api: Api, phone: str) -> None:
    answer = start(api, phone)
    assert (answer.status, answer["code"]) == (422, "invalid_phone")
    assert items() == []


@pytest.mark.parametrize("phone", [FLASH, EXPIRES, REVERSE, REFUSED, "8 900 000-01-01"])
def test_a_live_key_takes_no_test_number(api: Api, phone: str) -> None:
    answer = api.start(phone)
    assert (answer.status, answer["code"]) == (422, "invalid_phone")
    assert items() == []


@pytest.mark.parametrize(
    ("phone", "fields"),
    [
        (FLASH, {"method": "reverse_call"}),
        (FLASH, {"provider": "smsc"}),
        (REVERSE, {"method": "flash_call"}),
        (FLASH, {"allowed_methods": ["reverse_call"]}),
    ],
)
def test_a_test_number_answers_its_own_method_alone(api: Api, phone: str, fields: dict[str, Any]) -> None:
    assert start(api, phone, **fields)["code"] == "invalid_phone"


def test_no_limit_and_no_lock(api: Api) -> None:
    assert {start(api, FLASH, end_user_ip="198.51.100.7").status for _ in range(25)} == {201}


def test_a_client_token_works_in_test_mode(api: Api) -> None:
    started = start(api, FLASH)
    assert api.check(started.id, "0000", credential=started["client_token"])["valid"] is True


def test_repeats_and_switches_work_without_a_vendor(api: Api) -> None:
    started = start(api, FLASH)
    for left in (1, 0):
        assert api.repeat(started.id, **TEST)["repeats_remaining"] == left
    assert api.repeat(started.id, **TEST)["code"] == "repeat_exhausted"
    again = api.switch(started.id, FLASH, "flash_call", **TEST)
    assert (again.status, len(again["attempts"])) == (200, 2)
    assert api.switch(started.id, REVERSE, "reverse_call", **TEST)["code"] == "phone_mismatch"
    assert api.switch(started.id, FLASH, "reverse_call", **TEST)["code"] == "invalid_phone"
    assert api.check(started.id, "0000", **TEST)["valid"] is True


def test_a_test_verification_can_be_canceled(api: Api) -> None:
    started = start(api, REVERSE)
    assert api.cancel(started.id, **TEST)["status"] == "canceled"
    api.advance(2)
    assert api.status(started.id, **TEST)["status"] == "canceled"
