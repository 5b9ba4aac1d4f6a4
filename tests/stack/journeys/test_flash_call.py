"""Flash calls: the user types the last digits of the calling number. Repeats, and switches."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from tests.support.client import Answer, Api, Operator, Vendors

REPEAT_AFTER = 62  # the vendor's 60 s, whole seconds on both sides
BOTH = ["flash_call", "reverse_call"]


def moment(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def test_the_right_code_verifies(api: Api, vendors: Vendors, phone: str) -> None:
    started = api.started(phone, method="flash_call")
    assert (started["status"], started["provider"]) == ("pending", "ucaller")
    assert started["challenge"] == {"type": "enter_digits", "length": 4}
    assert (started["checks_remaining"], started["repeats_remaining"], started["switches_remaining"]) == (5, 2, 2)
    assert started["allowed_methods"] == ["flash_call"]
    assert re.fullmatch("vrf_[0-7][0-9a-z]{25}", started.id)  # 128 bits, so that 32 hex digits say the same
    assert moment(started["switch_until"]) == started.created_at + 600
    code = vendors.code(phone)

    checked = api.check(started.id, code, key=started["client_token"]).expect(200)
    assert (checked["valid"], checked["status"], checked["evidence"]) == (True, "verified", "code_matched")
    assert checked["verified_at"]
    read = api.read(started.id).expect(200)
    # What a client token is told, and what it is not.
    own: dict[str, object] = {"reference": None, "metadata": {}}
    assert read.body == {name: value for name, value in checked.body.items() if name != "valid"} | own
    api.check(started.id, code).expect(409, "verification_not_pending")
    assert vendors.paid_calls(phone) == 1


def test_wrong_codes_count_down_to_the_end(api: Api, vendors: Vendors, phone: str) -> None:
    started = api.started(phone, method="flash_call")
    wrong = vendors.wrong_code(phone)
    for remaining in (4, 3, 2, 1):
        checked = api.check(started.id, wrong).expect(200)
        assert (checked["valid"], checked["status"], checked["checks_remaining"]) == (False, "pending", remaining)
    last = api.check(started.id, wrong).expect(200)
    assert (last["valid"], last["status"], last["reason"]) == (False, "failed", "checks_exhausted")
    assert (last["checks_remaining"], last["switches_remaining"], last["repeat_after"]) == (0, 0, None)
    api.check(started.id, vendors.code(phone)).expect(409, "verification_not_pending")
    assert api.read(started.id)["status"] == "failed"


def test_a_reverse_call_has_no_code(api: Api, phone: str) -> None:
    started = api.started(phone, provider="telefon_ip")
    api.check(started.id, "0427").expect(409, "method_has_no_code")


@pytest.fixture
def repeatable(
    alone: None,  # noqa: ARG001
    api: Api,
    vendors: Vendors,
    operator: Operator,
    phone: str,
) -> Iterator[Answer]:
    """A flash call that rang a minute ago, at our side and at the vendor's."""
    started = api.started(phone, method="flash_call")
    too_soon = api.repeat(started.id).expect(429, "repeat_too_soon")
    assert 50 < too_soon["retry_after"] <= 61
    # The same moment as the resource names, for which a page waits.
    assert 60 <= moment(started["repeat_after"]) - started.created_at <= 65
    assert too_soon.headers["Retry-After"] == str(too_soon["retry_after"])
    operator.age(started.id, REPEAT_AFTER)
    with vendors.later(REPEAT_AFTER):
        yield started


def test_the_vendor_repeats_a_call_for_nothing(
    repeatable: Answer, api: Api, vendors: Vendors, operator: Operator, phone: str
) -> None:
    before = api.read(repeatable.id)
    for remaining in (1, 0):
        repeated = api.repeat(repeatable.id, key=repeatable["client_token"]).expect(200)
        assert (repeated["status"], repeated["repeats_remaining"]) == ("pending", remaining)
        assert repeated["expires_at"] == before["expires_at"]
        assert (repeated["repeat_after"] is None) is (remaining == 0)
        operator.age(repeatable.id, 25)
        before = api.read(repeatable.id)
    api.repeat(repeatable.id).expect(409, "repeat_exhausted")
    codes = vendors.codes(phone)
    assert codes == [codes[0]] * 3
    assert vendors.paid_calls(phone) == 1
    assert api.check(repeatable.id, codes[0])["valid"] is True


def test_a_vendor_that_does_not_repeat(
    repeatable: Answer, api: Api, vendors: Vendors, faults: Callable[..., None], phone: str
) -> None:
    faults("ucaller", "repeat_405")
    api.repeat(repeatable.id).expect(409, "repeat_not_supported")
    read = api.read(repeatable.id)
    assert (read["status"], read["repeats_remaining"]) == ("pending", 0)
    api.repeat(repeatable.id).expect(409, "repeat_not_supported")
    assert len(vendors.codes(phone)) == vendors.paid_calls(phone) == 1
    assert api.check(repeatable.id, vendors.code(phone))["valid"] is True


def test_a_repeat_needs_no_body(repeatable: Answer, api: Api, vendors: Vendors, phone: str) -> None:
    repeated = api.send("POST", f"/verifications/{repeatable.id}/repeat").expect(200)
    assert repeated["repeats_remaining"] == 1
    assert len(vendors.codes(phone)) == 2


@pytest.mark.parametrize("by", ["switch", "repeat, as version 1 did"])
def test_a_switch_under_the_same_id(api: Api, vendors: Vendors, operator: Operator, phone: str, by: str) -> None:
    def switch() -> Answer:
        if by == "switch":
            return api.switch(started.id, phone, "reverse_call", key=token)
        return api.repeat(started.id, phone=phone, method="reverse_call", key=token)

    started = api.started(phone, method="flash_call", allowed_methods=BOTH)
    assert started["allowed_methods"] == BOTH
    code, token = vendors.code(phone), started["client_token"]
    switch().expect(429, "rate_limited")
    operator.age(started.id, 25)

    switched = switch().expect(200)
    assert (switched.id, switched["status"], switched["method"]) == (started.id, "pending", "reverse_call")
    assert (switched["switches_remaining"], switched["checks_remaining"], switched["repeat_after"]) == (1, None, None)
    assert [attempt["provider"] for attempt in switched["attempts"]] == ["ucaller", "telefon_ip"]
    api.check(started.id, code).expect(409, "method_has_no_code")
    vendors.dial(phone, switched)
    assert api.wait_until(started.id, "verified")["evidence"] == "provider_read_back"


def test_a_switch_has_its_conditions(api: Api, operator: Operator, phone: str) -> None:
    started = api.started(phone, method="flash_call")
    operator.age(started.id, 25)
    api.switch(started.id, phone, "reverse_call").expect(409, "method_not_allowed")
    other = f"{phone[:-1]}{(int(phone[-1]) + 1) % 10}"
    for _ in range(3):
        api.switch(started.id, other, "flash_call").expect(422, "phone_mismatch")
    api.switch(started.id, phone, "flash_call").expect(409, "switch_exhausted")
    assert api.read(started.id)["switches_remaining"] == 0


def test_a_verification_has_two_switches(api: Api, operator: Operator, phone: str) -> None:
    started = api.started(phone, provider="telefon_ip", allowed_methods=BOTH)
    for remaining, method in ((1, "flash_call"), (0, "reverse_call")):
        operator.age(started.id, 25)
        assert api.switch(started.id, phone, method).expect(200)["switches_remaining"] == remaining
    operator.age(started.id, 25)
    api.switch(started.id, phone, "flash_call").expect(409, "switch_exhausted")


def test_a_switch_comes_within_ten_minutes(
    alone: None,  # noqa: ARG001 (other credentials)
    api: Api,
    operator: Operator,
    phone: str,
) -> None:
    credentials = operator.secret("PROVIDER_CREDENTIALS_SECRET")
    with operator.credentials(credentials | {"smsc": credentials["smsc"] | {"window_seconds": 900}}):
        started = api.started(phone, provider="smsc", allowed_methods=BOTH)
    assert moment(started["expires_at"]) == started.created_at + 900
    operator.age(started.id, 601)
    api.switch(started.id, phone, "flash_call").expect(409, "switch_window_closed")
    assert api.read(started.id)["status"] == "pending"
