"""The vendor's own repeats of a call."""

from __future__ import annotations

from typing import Any

import pytest

from callverify.domain.view import timestamp
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer

BOTH: dict[str, Any] = {"allowed_methods": ["flash_call", "reverse_call"]}


def start_flash(api: Api) -> Answer:
    started = api.start(method="flash_call", **BOTH)
    assert started.status == 201, started.body
    return started


def test_the_vendor_repeats_a_flash_call_twice_for_nothing(api: Api) -> None:
    started = start_flash(api)
    code = api.code(PHONE)
    for left in (1, 0):
        api.advance(61)
        answer = api.repeat(started.id)
        assert (answer.status, answer["status"], answer["repeats_remaining"]) == (200, "pending", left)
        assert answer["expires_at"] == started["expires_at"]
        # Then the phone has its cooldown.
        assert answer["repeat_after"] == (timestamp(int(api.now) + 20) if left else None)
        assert api.repeat(started.id)["code"] == ("rate_limited" if left else "repeat_exhausted")
        assert len(answer["attempts"]) == 1
    assert [call["from"][-4:] for call in api.simulators.incoming(PHONE)] == [code] * 3
    assert api.paid_calls() == 1

    api.advance(61)
    spent = api.repeat(started.id)
    assert (spent.status, spent["code"]) == (409, "repeat_exhausted")
    assert api.requests() == ["initCall", "initRepeat", "initRepeat"]
    assert api.check(started.id, code)["valid"] is True


@pytest.mark.parametrize("seconds", [0, 30, 60])
def test_a_repeat_before_the_vendors_minute_is_too_soon(api: Api, seconds: int) -> None:
    started = start_flash(api)
    api.advance(seconds)
    answer = api.repeat(started.id)
    assert (answer.status, answer["code"], answer["retry_after"]) == (429, "repeat_too_soon", 61 - seconds)
    assert answer.headers["Retry-After"] == str(61 - seconds)
    assert api.requests() == ["initCall"]
    api.advance(answer["retry_after"])
    assert api.repeat(started.id).status == 200


def test_a_repeat_after_the_window_is_409(api: Api) -> None:
    started = start_flash(api)
    api.advance(300)
    assert api.repeat(started.id)["code"] == "verification_not_pending"


def test_a_vendor_that_answers_405_to_a_repeat_is_never_paid_instead(api: Api) -> None:
    started = start_flash(api)
    api.advance(61)
    api.simulators.fault("ucaller", "repeat_405")
    for _ in range(2):
        answer = api.repeat(started.id)
        assert (answer.status, answer["code"]) == (409, "repeat_not_supported")
        api.advance(61)
    assert api.requests() == ["initCall", "initRepeat"]
    assert api.paid_calls() == 1
    after = api.status(started.id)
    assert (after["status"], after["repeats_remaining"]) == ("pending", 0)
    assert api.switch(started.id, PHONE, "reverse_call").status == 200


@pytest.mark.parametrize(
    ("fault", "status", "code", "repeats_remaining"),
    [
        ("timeout", 200, None, 1),
        ("malformed_json", 200, None, 1),
        ("http_500", 200, None, 1),
        ("bad_credentials", 503, "provider_unavailable", 2),
    ],
)
def test_trouble_of_a_repeat_leaves_the_verification_pending(
    api: Api, fault: str, status: int, code: str | None, repeats_remaining: int
) -> None:
    started = start_flash(api)
    api.advance(61)
    api.simulators.fault("ucaller", fault)
    answer = api.repeat(started.id)
    assert (answer.status, answer.body.get("code")) == (status, code)
    assert api.requests("ucaller").count("initRepeat") == 1
    after = api.status(started.id)
    assert (after["status"], after["repeats_remaining"]) == ("pending", repeats_remaining)
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_a_start_without_the_vendors_id_has_no_repeat(api: Api) -> None:
    api.simulators.fault("ucaller", "timeout", times=2)
    started = start_flash(api)
    api.advance(61)
    assert api.repeat(started.id)["code"] == "repeat_not_supported"
    assert "initRepeat" not in api.requests()


def test_a_reverse_call_has_no_repeat(api: Api) -> None:
    started = api.start()
    assert (api.repeat(started.id).status, api.repeat(started.id)["code"]) == (409, "repeat_not_supported")


def test_a_repeat_of_a_provider_that_was_switched_off_is_503(api: Api) -> None:
    started = start_flash(api)
    api.set_credentials({})
    api.advance(61)
    assert (api.repeat(started.id).status, api.repeat(started.id)["code"]) == (503, "no_provider_available")


@pytest.mark.parametrize(
    "body",
    [
        {"phone": PHONE},
        {"method": "flash_call"},
        {"phone": PHONE, "method": "sms"},
        {"phone": 79000000011, "method": "flash_call"},
        {"phone": PHONE, "method": None},
        {"code": "0427"},
        {"phone": PHONE, "method": "flash_call", "provider": "ucaller"},
        [],
    ],
    ids=str,
)
def test_a_repeat_takes_no_fields(api: Api, body: Any) -> None:
    started = start_flash(api)
    api.advance(61)
    answer = api.repeat(started.id, body=body)
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.requests() == ["initCall"]


def test_a_client_token_may_repeat(api: Api) -> None:
    started = start_flash(api)
    api.advance(61)
    assert api.repeat(started.id, credential=started["client_token"]).status == 200


def test_no_body_and_an_empty_one_are_the_same_request(api: Api) -> None:
    started = start_flash(api)
    api.advance(61)
    key = {"Idempotency-Key": "again"}
    answers = [api.repeat(started.id, headers=key, raw_body=body) for body in ("", "{}", " { } ")]
    assert [answer.status for answer in answers] == [200] * 3
    assert api.requests() == ["initCall", "initRepeat"]
