"""Flash calls: codes, guesses, and what each of them costs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway import PHONE, Api
from tests.support.handlers import Answer
from tests.support.surroundings import items

MALFORMED = [None, 427, "", "042", "04270", "4 27", "04a7", "٠٤٢٧", ["0427"], {"code": "0427"}, True]


def start(api: Api, phone: str = PHONE) -> Answer:
    started = api.start(phone, method="flash_call", allowed_methods=["flash_call", "reverse_call"])
    assert started.status == 201, started.body
    return started


def test_the_right_code_verifies(api: Api) -> None:
    started = start(api)
    api.advance(9)
    answer = api.check(started.id, api.code(PHONE))

    assert (answer.status, answer["valid"], answer["status"]) == (200, True, "verified")
    assert (answer["evidence"], answer["verified_at"]) == ("code_matched", "2027-01-15T08:00:09Z")
    assert answer["checks_remaining"] == 5
    assert answer["repeats_remaining"] == 0
    assert {k: v for k, v in answer.body.items() if k != "valid"} == api.status(started.id).body


def test_a_wrong_code_costs_one_of_five_and_the_fifth_ends_it(api: Api) -> None:
    started = start(api)
    for remaining in (4, 3, 2, 1):
        answer = api.check(started.id, api.wrong_code(PHONE))
        assert (answer.status, answer["valid"], answer["status"]) == (200, False, "pending")
        assert answer["checks_remaining"] == remaining
    last = api.check(started.id, api.wrong_code(PHONE))
    assert (last.status, last["valid"], last["status"]) == (200, False, "failed")
    assert (last["reason"], last["checks_remaining"]) == ("checks_exhausted", 0)

    after = api.check(started.id, api.code(PHONE))
    assert (after.status, after["code"]) == (409, "verification_not_pending")


def test_the_right_code_as_the_fifth_guess_verifies(api: Api) -> None:
    started = start(api)
    for _ in range(4):
        api.check(started.id, api.wrong_code(PHONE))
    assert api.check(started.id, api.code(PHONE))["status"] == "verified"


@pytest.mark.parametrize("api", [{"VerificationGuessLimit": "2"}], indirect=True)
def test_the_operator_can_allow_fewer_guesses(api: Api) -> None:
    started = start(api)
    assert started["checks_remaining"] == 2
    api.check(started.id, api.wrong_code(PHONE))
    assert api.check(started.id, api.wrong_code(PHONE))["reason"] == "checks_exhausted"


@pytest.mark.parametrize("code", MALFORMED, ids=repr)
def test_what_is_no_code_costs_nothing(api: Api, code: Any) -> None:
    started = start(api)
    answer = api.check(started.id, code)
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.status(started.id)["checks_remaining"] == 5
    assert not [item for item in items() if item["pk"].startswith("guesses#")]


def test_a_reverse_call_has_no_code(api: Api) -> None:
    started = api.start()
    answer = api.check(started.id, "0427")
    assert (answer.status, answer["code"]) == (409, "method_has_no_code")


def test_a_check_after_the_window_is_409_even_with_the_right_code(api: Api) -> None:
    started = start(api)
    api.advance(300)
    answer = api.check(started.id, api.code(PHONE))
    assert (answer.status, answer["code"]) == (409, "verification_not_pending")
    assert api.status(started.id)["status"] == "expired"


def test_the_code_of_an_earlier_attempt_is_wrong(api: Api) -> None:
    started = start(api)
    first_code = api.code(PHONE)
    api.advance(20)
    assert api.switch(started.id, PHONE, "flash_call").status == 200
    assert api.code(PHONE) != first_code
    assert api.check(started.id, first_code)["valid"] is False
    assert api.check(started.id, api.code(PHONE))["valid"] is True


def test_nine_wrong_guesses_lock_the_phones_flash_calls_for_24_hours_whatever_is_restarted(api: Api) -> None:
    first = start(api)
    for _ in range(5):
        api.check(first.id, api.wrong_code(PHONE))
    api.advance(20)
    second = start(api)
    for _ in range(4):
        assert api.check(second.id, api.wrong_code(PHONE))["valid"] is False

    locked = api.check(second.id, api.code(PHONE))
    assert (locked.status, locked["code"], locked["limit"]) == (429, "rate_limited", "phone_guesses")
    assert (locked["retry_after"], locked.headers["Retry-After"]) == (86_400, "86400")
    assert api.status(second.id)["checks_remaining"] == 1
    api.cancel(second.id)
    api.advance(20)
    refused = api.start(method="flash_call")
    assert (refused.status, refused["limit"], refused["retry_after"]) == (429, "phone_guesses", 86_380)
    assert api.start(method="reverse_call").status == 201
    api.advance(86_379)
    assert api.start(method="flash_call")["limit"] == "phone_guesses"
    api.advance(1)
    third = start(api)
    assert api.check(third.id, api.code(PHONE))["valid"] is True


def test_a_right_guess_is_given_back_to_the_phone(api: Api) -> None:
    for _ in range(3):
        started = start(api)
        for _ in range(2):
            api.check(started.id, api.wrong_code(PHONE))
        assert api.check(started.id, api.code(PHONE))["valid"] is True
        api.advance(60)
    # Six wrong ones so far, and three right ones that cost nothing.
    started = start(api)
    for _ in range(3):
        assert api.check(started.id, api.wrong_code(PHONE)).status == 200
    assert api.check(started.id, api.code(PHONE))["limit"] == "phone_guesses"


def test_the_guesses_of_one_phone_are_not_anothers(api: Api) -> None:
    first = start(api)
    for _ in range(5):
        api.check(first.id, api.wrong_code(PHONE))
    other = start(api, "+79000000012")
    assert api.check(other.id, api.code("+79000000012"))["valid"] is True


def test_a_code_never_shows(api: Api) -> None:
    started = start(api)
    code = api.code(PHONE)
    answers = [started.body, api.status(started.id).body, api.check(started.id, code).body]
    assert all(value != code for answer in answers for value in answer.values())
    assert all(value != code for item in items() for value in item.values())
    assert f'"{code}"' not in api.logged()
