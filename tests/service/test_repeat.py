"""Repeats: the vendor's own, and another way under the same id."""

from __future__ import annotations

import hmac
from types import SimpleNamespace
from typing import Any

import pytest

from callverify import service
from tests.support.gateway import CREDENTIALS, PHONE, Answer, Api

STRANGER = "+79000000099"
BOTH: dict[str, Any] = {"allowed_methods": ["flash_call", "reverse_call"]}


def start_flash(api: Api) -> Answer:
    started = api.start(method="flash_call", **BOTH)
    assert started.status == 201, started.body
    return started


def repeat(api: Api, id: str, **more: Any) -> Answer:  # noqa: A002
    return api.send("repeat", id=id, **more)


# The vendor's own repeat


def test_the_vendor_repeats_a_flash_call_twice_for_nothing(api: Api) -> None:
    started = start_flash(api)
    code = api.code(PHONE)
    for left in (1, 0):
        api.advance(61)
        answer = repeat(api, started.id)
        assert (answer.status, answer["status"], answer["repeats_remaining"]) == (200, "pending", left)
        assert answer["expires_at"] == started["expires_at"]
        assert len(answer["attempts"]) == 1
    assert [call["from"][-4:] for call in api.simulators.incoming(PHONE)] == [code] * 3
    assert api.paid_calls() == 1

    api.advance(61)
    spent = repeat(api, started.id)
    assert (spent.status, spent["code"]) == (409, "repeat_exhausted")
    assert api.requests() == ["initCall", "initRepeat", "initRepeat"]
    assert api.check(started.id, code)["valid"] is True


@pytest.mark.parametrize("seconds", [0, 30, 60])
def test_a_repeat_before_the_vendors_minute_is_too_soon(api: Api, seconds: int) -> None:
    started = start_flash(api)
    api.advance(seconds)
    answer = repeat(api, started.id)
    assert (answer.status, answer["code"], answer["retry_after"]) == (429, "repeat_too_soon", 61 - seconds)
    assert answer.headers["Retry-After"] == str(61 - seconds)
    assert api.requests() == ["initCall"]
    api.advance(answer["retry_after"])
    assert repeat(api, started.id).status == 200


def test_a_repeat_after_the_window_is_409(api: Api) -> None:
    started = start_flash(api)
    api.advance(300)
    assert repeat(api, started.id)["code"] == "verification_not_pending"


def test_a_vendor_that_answers_405_to_a_repeat_is_never_paid_instead(api: Api) -> None:
    started = start_flash(api)
    api.advance(61)
    api.simulators.fault("ucaller", "repeat_405")
    for _ in range(2):
        answer = repeat(api, started.id)
        assert (answer.status, answer["code"]) == (409, "repeat_not_supported")
        api.advance(61)
    assert api.requests() == ["initCall", "initRepeat"]
    assert api.paid_calls() == 1
    after = api.status(started.id)
    assert (after["status"], after["repeats_remaining"]) == ("pending", 0)
    assert api.another_way(started.id, PHONE, "reverse_call").status == 200


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
    answer = repeat(api, started.id)
    assert (answer.status, answer.body.get("code")) == (status, code)
    assert api.requests("ucaller").count("initRepeat") == 1
    after = api.status(started.id)
    assert (after["status"], after["repeats_remaining"]) == ("pending", repeats_remaining)
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_a_start_without_the_vendors_id_has_no_repeat(api: Api) -> None:
    api.simulators.fault("ucaller", "timeout", times=2)
    started = start_flash(api)
    api.advance(61)
    assert repeat(api, started.id)["code"] == "repeat_not_supported"
    assert "initRepeat" not in api.requests()


def test_a_reverse_call_has_no_repeat(api: Api) -> None:
    started = api.start()
    assert (repeat(api, started.id).status, repeat(api, started.id)["code"]) == (409, "repeat_not_supported")


def test_a_repeat_of_a_provider_that_was_switched_off_is_503(api: Api) -> None:
    started = start_flash(api)
    api.set_credentials({})
    api.advance(61)
    assert (repeat(api, started.id).status, repeat(api, started.id)["code"]) == (503, "no_provider_available")


# Another way


def test_another_way_is_a_new_attempt_under_the_same_id(api: Api) -> None:
    started = start_flash(api)
    code = api.code(PHONE)
    api.advance(20)
    answer = api.another_way(started.id, PHONE, "reverse_call")

    assert (answer.status, answer.id, answer["method"]) == (200, started.id, "reverse_call")
    assert answer["challenge"]["type"] == "call_number"
    assert (answer["created_at"], answer["expires_at"]) == (started["created_at"], "2027-01-15T08:02:20Z")
    assert (answer["attempts_remaining"], answer["repeats_remaining"]) == (None, 0)
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
    answer = api.another_way(started.id, PHONE, "flash_call")
    assert answer["expires_at"] == "2027-01-15T08:06:40Z"
    api.advance(299)
    assert api.start()["code"] == "verification_in_progress"
    assert api.check(started.id, api.code(PHONE))["status"] == "verified"


@pytest.mark.parametrize("writing", ["8 900 000-00-11", "\u2068(+7) ٩٠٠\u00a0٠٠٠\u201100\u201111\u2069"])
def test_the_phone_may_be_written_in_any_way(api: Api, writing: str) -> None:
    started = start_flash(api)
    api.advance(20)
    assert api.another_way(started.id, writing, "reverse_call").status == 200


def test_another_phone_is_a_mismatch_and_the_third_ends_the_right_to_repeat(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    for _ in range(3):
        answer = api.another_way(started.id, STRANGER, "reverse_call")
        assert (answer.status, answer["code"]) == (422, "phone_mismatch")
    for phone in (PHONE, STRANGER):
        answer = api.another_way(started.id, phone, "reverse_call")
        assert (answer.status, answer["code"]) == (409, "repeat_exhausted")
    assert api.requests() == ["initCall"]
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_of_many_other_phones_at_once_no_more_are_compared(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each comes in the middle of the one before, when that is counted and not yet compared."""
    started = start_flash(api)
    api.advance(20)
    compared: list[str] = []
    answers: list[str] = []

    def compare_digest(one: str, other: str) -> bool:
        compared.append(one)
        if len(compared) + len(answers) < 9:
            answers.append(api.another_way(started.id, STRANGER, "reverse_call")["code"])
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(service, "hmac", SimpleNamespace(compare_digest=compare_digest))
    answers.append(api.another_way(started.id, STRANGER, "reverse_call")["code"])
    assert len(compared) == 3
    assert answers == ["repeat_exhausted", *["phone_mismatch"] * 3]


def test_a_phone_that_matches_is_not_counted(api: Api) -> None:
    started = start_flash(api)
    for _ in range(5):  # within the cooldown: refused each time, after the phone was compared
        assert api.another_way(started.id, PHONE, "reverse_call")["code"] == "rate_limited"
    api.advance(20)
    assert api.another_way(started.id, PHONE, "reverse_call").status == 200


def test_a_method_that_was_not_allowed_is_409(api: Api) -> None:
    started = api.start(method="flash_call")
    api.advance(20)
    answer = api.another_way(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (409, "method_not_allowed")
    assert api.requests() == ["initCall"]


def test_a_verification_has_three_attempts(api: Api) -> None:
    started = start_flash(api)
    for method in ("reverse_call", "flash_call"):
        api.advance(20)
        assert api.another_way(started.id, PHONE, method).status == 200
    api.advance(20)
    answer = api.another_way(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (409, "repeat_exhausted")
    assert api.paid_calls() == 3


@pytest.mark.parametrize("api", [{"SMSC_WINDOW_SECONDS": "900"}], indirect=True)
@pytest.mark.parametrize(("seconds", "status", "code"), [(599, 200, None), (600, 409, "repeat_window_closed")])
def test_another_way_is_open_for_ten_minutes(api: Api, seconds: int, status: int, code: str | None) -> None:
    started = api.start(provider="smsc", **BOTH)
    api.advance(seconds)
    answer = api.another_way(started.id, PHONE, "flash_call")
    assert (answer.status, answer.body.get("code")) == (status, code)


def test_another_way_counts_as_a_start(api: Api) -> None:
    started = start_flash(api)
    api.advance(19)
    answer = api.another_way(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["limit"], answer["retry_after"]) == (429, "phone_cooldown", 1)


def test_another_way_without_a_provider_is_503_and_changes_nothing(api: Api) -> None:
    started = start_flash(api)
    api.set_credentials({"ucaller": CREDENTIALS["ucaller"]})
    api.advance(20)
    answer = api.another_way(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"]) == (503, "no_provider_available")
    assert api.status(started.id).body == {
        k: v for k, v in started.body.items() if k not in ("client_token", "page_url")
    }


def test_another_way_that_every_provider_refuses_ends_the_verification(api: Api) -> None:
    started = start_flash(api)
    api.advance(20)
    api.simulators.fault("telefon_ip", "no_money")
    api.simulators.fault("smsc", "no_money")
    answer = api.another_way(started.id, PHONE, "reverse_call")
    assert (answer.status, answer["code"], answer["verification_id"]) == (503, "provider_unavailable", started.id)
    failed = api.status(started.id)
    assert (failed["status"], failed["reason"]) == ("failed", "provider_unavailable")
    assert [a["outcome"] for a in failed["attempts"]] == ["started", "unavailable", "unavailable"]


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
def test_a_repeat_that_is_neither_form_is_400(api: Api, body: Any) -> None:
    started = start_flash(api)
    api.advance(61)
    answer = repeat(api, started.id, body=body)
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.requests() == ["initCall"]


def test_both_ways_of_a_client_token(api: Api) -> None:
    started = start_flash(api)
    token = started["client_token"]
    api.advance(61)
    assert repeat(api, started.id, credential=token).status == 200
    api.advance(20)
    assert api.another_way(started.id, PHONE, "reverse_call", credential=token).status == 200
