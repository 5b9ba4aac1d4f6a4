"""Switching to another method, or starting again by the same one, under the same id."""

from __future__ import annotations

import hmac
import json
from types import SimpleNamespace
from typing import Any

import pytest

from callverify.service import switch
from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import THREE_ROUTES

PARAMETERS = THREE_ROUTES

STRANGER = "+79000000099"
BOTH: dict[str, Any] = {"allowed_methods": ["flash_call", "reverse_call"]}


def start_flash(api: Api) -> Answer:
    started = api.start(method="flash_call", **BOTH)
    assert started.status == 201, started.body
    return started


def test_a_switch_is_a_new_attempt_under_the_same_id(api: Api) -> None:
    started = start_flash(api)
    code = api.code(PHONE)
    api.advance(20)
    answer = api.switch(started.id, PHONE, "reverse_call")

    assert (answer.status, answer.id, answer["method"]) == (200, started.id, "reverse_call")
    assert answer["challenge"]["type"] == "call_number"
    assert (answer["created_at"], answer["expires_at"]) == (started["created_at"], "2027-01-15T08:02:20Z")
    assert (answer["checks_remaining"], answer["repeats_remaining"], answer["repeat_after"]) == (None, 0, None)
    assert (answer["switches_remaining"], answer["switch_until"]) == (1, started["switch_until"])
    assert [(a["method"], a["outcome"], a["at"][-9:]) for a in answer["attempts"]] == [
        ("flash_call", "started", "08:00:00Z"),
        ("reverse_call", "started", "08:00:20Z"),
    ]
    assert "client_token" not in answer.body
    assert api.check(started.id, code)["code"] == "method_has_no_code"
    api.dial(answer, PHONE)
    assert api.status(started.id)["status"] == "verified"


def test_the_new_attempt_holds_the_phone_for_its_own_window(api: Api) -> None:
    started = api.start(**BOTH)
    api.advance(100)
    answer = api.switch(started.id, PHONE, "flash_call")
    assert answer["expires_at"] == "2027-01-15T08:06:40Z"
    api.advance(299)
    assert api.start()["code"] == "verification_in_progress"
    assert api.check(started.id, api.code(PHONE))["status"] == "verified"


@pytest.mark.parametrize("writing", ["8 900 000-00-11", "\u2068(+7) ٩٠٠\u00a0٠٠٠\u201100\u201111\u2069"])
def test_the_phone_may_be_written_in_any_way(api: Api, writing: str) -> None:
    started = start_flash(api)
    api.advance(20)
    assert api.switch(started.id, writing, "reverse_call").status == 200


def test_another_phone_is_a_mismatch_and_the_third_ends_the_right_to_repeat_and_switch(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    for _ in range(3):
        answer = api.switch(started.id, STRANGER, "reverse_call")
        assert (answer.status, answer["code"]) == (422, "phone_mismatch")
    for phone in (PHONE, STRANGER):
        answer = api.switch(started.id, phone, "reverse_call")
        assert (answer.status, answer["code"]) == (409, "switch_exhausted")
    read = api.status(started.id)
    assert (read["switches_remaining"], read["repeats_remaining"], read["repeat_after"]) == (0, 0, None)
    api.advance(61)
    assert api.repeat(started.id)["code"] == "switch_exhausted"
    assert api.requests() == ["initCall"]
    assert api.check(started.id, api.code(PHONE))["valid"] is True


@pytest.mark.parametrize("other", ["+77001234567", "+447400123456", "+79000000101"])
def test_another_phone_is_a_mismatch_whatever_else_speaks_against_it(api: Api, other: str) -> None:
    started = start_flash(api)
    api.advance(20)
    answers = [api.switch(started.id, other, "reverse_call")["code"] for _ in range(4)]
    assert answers == [*["phone_mismatch"] * 3, "switch_exhausted"]


def test_of_many_other_phones_at_once_no_more_are_compared(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comes in the middle of the one before, when that is counted and not yet compared."""
    started = start_flash(api)
    api.advance(20)
    compared: list[str] = []
    answers: list[str] = []

    def compare_digest(one: str, other: str) -> bool:
        compared.append(one)
        if len(compared) + len(answers) < 9:
            answers.append(api.switch(started.id, STRANGER, "reverse_call")["code"])
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(switch, "hmac", SimpleNamespace(compare_digest=compare_digest))
    answers.append(api.switch(started.id, STRANGER, "reverse_call")["code"])
    assert len(compared) == 3
    assert answers == ["switch_exhausted", *["phone_mismatch"] * 3]


def test_a_phone_that_matches_is_not_counted(api: Api) -> None:
    started = start_flash(api)
    for _ in range(5):  # within the cooldown: refused each time, after the phone was compared
        assert api.switch(started.id, PHONE, "reverse_call")["code"] == "rate_limited"
    api.advance(20)
    assert api.switch(started.id, PHONE, "reverse_call").status == 200


def test_a_method_that_was_not_allowed_is_409(api: Api) -> None:
    started = api.start(method="flash_call")
    api.advance(20)
    answer = api.switch(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (409, "method_not_allowed")
    assert api.requests() == ["initCall"]


def test_a_verification_has_two_switches(api: Api) -> None:
    started = start_flash(api)
    for method, left in (("reverse_call", 1), ("flash_call", 0)):
        api.advance(20)
        answer = api.switch(started.id, PHONE, method)
        assert (answer.status, answer["switches_remaining"]) == (200, left)
    api.advance(20)
    answer = api.switch(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (409, "switch_exhausted")
    assert api.paid_calls() == 3


@pytest.mark.parametrize(("seconds", "status", "code"), [(599, 200, None), (600, 409, "switch_window_closed")])
def test_switches_are_open_for_ten_minutes(api: Api, seconds: int, status: int, code: str | None) -> None:
    api.configure("smsc", window_seconds=900)
    started = api.start(provider="smsc", **BOTH)
    assert started["switch_until"] == "2027-01-15T08:10:00Z"
    api.advance(seconds)
    answer = api.switch(started.id, PHONE, "flash_call")
    assert (answer.status, answer.body.get("code")) == (status, code)


def test_a_switch_counts_as_a_start(api: Api) -> None:
    started = start_flash(api)
    api.advance(19)
    answer = api.switch(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["limit"], answer["retry_after"]) == (429, "phone_cooldown", 1)


def test_a_switch_without_a_provider_is_503_and_changes_nothing(api: Api) -> None:
    started = start_flash(api)
    api.set_credentials({"ucaller": CREDENTIALS["ucaller"]})
    api.advance(20)
    answer = api.switch(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (503, "no_provider_available")
    told = {k: v for k, v in started.body.items() if k not in ("client_token", "page_url", "updates")}
    assert api.status(started.id).body == told | {"poll_after": "2027-01-15T08:00:30Z"}


def test_a_switch_that_every_provider_refuses_ends_the_verification(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    api.simulators.fault("telefon_ip", "no_money")
    api.simulators.fault("smsc", "no_money")
    answer = api.switch(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"], answer["verification_id"]) == (503, "provider_unavailable", started.id)
    failed = api.status(started.id)
    assert (failed["status"], failed["reason"]) == ("failed", "provider_unavailable")
    assert [a["outcome"] for a in failed["attempts"]] == ["started", "unavailable", "unavailable"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        {"phone": PHONE},
        {"method": "reverse_call"},
        {"phone": PHONE, "method": "sms"},
        {"phone": 79000000011, "method": "reverse_call"},
        {"phone": PHONE, "method": None},
        {"code": "0427"},
        {"phone": PHONE, "method": "reverse_call", "provider": "telefon_ip"},
    ],
    ids=str,
)
def test_a_switch_names_a_phone_and_a_method(api: Api, body: Any) -> None:
    started = start_flash(api)
    api.advance(20)
    answer = api.send("switch", id=started.id, raw_body="" if body is None else json.dumps(body))
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.requests() == ["initCall"]


def test_a_client_token_may_switch(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    assert api.switch(started.id, PHONE, "reverse_call", credential=started["client_token"]).status == 200


# Version 1's address, which pages that were opened before an upgrade send to


def test_the_body_of_a_switch_is_one_at_the_address_of_repeats_too(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    body = {"phone": PHONE, "method": "reverse_call"}
    answer = api.repeat(started.id, body=body, credential=started["client_token"], headers={"Idempotency-Key": "1"})
    assert (answer.status, answer["method"], answer["switches_remaining"]) == (200, "reverse_call", 1)
    again = api.switch(
        started.id, PHONE, "reverse_call", credential=started["client_token"], headers={"Idempotency-Key": "1"}
    )
    assert (again.status, again.replayed, again.body) == (200, True, answer.body)
