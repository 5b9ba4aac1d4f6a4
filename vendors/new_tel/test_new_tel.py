from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callverify.domain.errors import ConfigurationFault
from callverify.domain.words import CallOutcome, Challenge, Deadline, Method, Outcome, Reason
from callverify.providers.account import AccountRefused
from callverify.providers.http import Answer, VendorHttp
from callverify.providers.new_tel.account import account
from callverify.providers.new_tel.client import Client
from tests.support.cases import line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor
from tests.support.simulators import Simulators
from vendors.new_tel.cases import API_KEY, CASE, SIGNING_KEY

NAME = "new_tel"
ORDER = order(NAME)
NOW = 1_795_730_400
CALLED = {"callId": "2096093321622464437", "pin": "0427", "isValidNumber": True}


def soon() -> Deadline:
    return Deadline.after(5)


def reply(body: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())


def succeeded(**details: object) -> Answer:
    return reply({"status": "success", "data": {"result": "success", "callDetails": CALLED | details}})


def failed(message: object) -> dict[str, Any]:
    return {"status": "success", "data": {"result": "error", "message": message}}


def start(answer: Answer) -> CallOutcome:
    return line_of(NAME, http=CannedHttp(answer)).client.start(ORDER, soon())


def refused(answer: Answer) -> tuple[Outcome, Reason | None]:
    answered = start(answer)
    return answered.outcome, answered.reason


# The signature


def test_a_request_is_signed_over_the_very_bytes_that_are_sent(vendor: FakeVendor) -> None:
    vendor.answer(succeeded().body)
    values = {"api_key": API_KEY, "signing_key": SIGNING_KEY}
    Client(values, vendor.base_url, VendorHttp(), clock=lambda: NOW + 0.9).start(ORDER, soon())
    (request,) = vendor.requests
    text = f"call-password/start-password-call\n{NOW}\n{API_KEY}\n{request.body.decode()}\n{SIGNING_KEY}"
    signature = hashlib.sha256(text.encode()).hexdigest()
    assert request.headers["authorization"] == f"Bearer {API_KEY}{NOW}{signature}"
    assert SIGNING_KEY not in repr(request)
    assert request.body == b'{"async":1,"dstNumber":"79000000001","pin":"0427","timeout":20}'


@pytest.mark.parametrize("field", ["api_key", "signing_key"])
@pytest.mark.parametrize("key", ["0" * 47, "0" * 49, "A" * 48, "g" * 48, f" {'0' * 47}", f'"{"0" * 46}"', "٠" * 48])
def test_a_key_has_48_lower_case_hexadecimal_digits(field: str, key: str) -> None:
    spoiled: dict[str, Any] = {field: key}
    with pytest.raises(ConfigurationFault) as caught:
        line_of(NAME, **spoiled)
    assert caught.value.setting == f"provider-credentials: new_tel.{field}"
    assert key not in caught.value.problem


# The start


@pytest.mark.parametrize("call_id", ["2096093321622464437", 2096093321622464437, 7, "0a-b_c"])
def test_the_id_is_kept_as_it_is(call_id: object) -> None:
    assert start(succeeded(callId=call_id)) == CallOutcome(
        Outcome.STARTED, challenge=Challenge.enter_digits(4), call_id=str(call_id)
    )


@pytest.mark.parametrize("call_id", [None, "", "0", 0, -7, 7.5, True, ["7"], "7 8", "../7", "٧", "7" * 65])
def test_a_success_without_an_id_is_unreadable(call_id: object) -> None:
    assert start(succeeded(callId=call_id)) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "success", "data": {"callDetails": CALLED}},
        {"data": {"result": "success", "callDetails": CALLED}},
        {"status": "success", "result": "success", "callDetails": CALLED},
        {"status": "Success", "data": {"result": "success", "callDetails": CALLED}},
        {"status": True, "data": {"result": True, "callDetails": CALLED}},
        {"status": "success", "data": {"result": "success", "callDetails": [CALLED]}},
        {"status": "success", "data": {"result": "success"}},
        {"status": "success", "data": []},
        {"status": "success", "data": {"result": ["error"]}},
    ],
)
def test_both_flags_have_to_say_success(body: Mapping[str, Any]) -> None:
    assert start(reply(body)) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


def test_a_number_that_is_not_valid_is_refused_though_both_flags_say_success() -> None:
    assert refused(succeeded(isValidNumber=False)) == (Outcome.REJECTED, Reason.NUMBER_REFUSED)
    assert refused(succeeded(isValidNumber=False, callId=None)) == (Outcome.REJECTED, Reason.NUMBER_REFUSED)


@pytest.mark.parametrize("valid", [None, "true", "false", 1, 0, [], "no"])
def test_a_number_of_which_it_is_not_said_may_have_been_called(valid: object) -> None:
    assert refused(succeeded(isValidNumber=valid)) == (Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


def test_an_answer_without_the_mark_is_a_call() -> None:
    details = {"callId": "7", "pin": "0427"}
    answer = reply({"status": "success", "data": {"result": "success", "callDetails": details}})
    assert start(answer).outcome is Outcome.STARTED


@pytest.mark.parametrize(
    ("reported", "differs"),
    [("0427", False), (427, False), (None, False), ("427", True), ("1234", True), (1234, True), ("", True), ([], True)],
)
def test_another_pin_than_ours_is_noticed(reported: object, differs: bool) -> None:
    answered = start(succeeded(pin=reported))
    assert (answered.outcome, answered.code_differs) == (Outcome.STARTED, differs)


def test_a_flash_call_without_a_code_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="code"):
        line_of(NAME, http=CannedHttp()).client.start(replace(ORDER, code=None), soon())


# Errors

WORDS = [
    ("Invalid signature", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    ("Неверный ключ API", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    ("Ошибка авторизации", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    ("Недостаточно средств на балансе", Outcome.UNAVAILABLE, Reason.NO_MONEY),
    ("Not enough money to call this number", Outcome.UNAVAILABLE, Reason.NO_MONEY),
    ("Превышен лимит запросов", Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    ("Некорректный номер телефона", Outcome.REJECTED, Reason.NUMBER_REFUSED),
    ("Абонент недоступен", Outcome.REJECTED, Reason.NUMBER_REFUSED),
    ("dstNumber is not a phone number", Outcome.REJECTED, Reason.NUMBER_REFUSED),
    ("Внутренняя ошибка", Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    ("", Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    (None, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    ({"text": "balance"}, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
]


@pytest.mark.parametrize(("message", "outcome", "reason"), WORDS)
def test_errors_at_both_levels(message: object, outcome: Outcome, reason: Reason) -> None:
    for status in (200, 400, 422):
        assert refused(reply(failed(message), status)) == (outcome, reason)
        assert refused(reply({"status": "error", "message": message}, status)) == (outcome, reason)


def test_one_flag_that_says_error_is_an_error() -> None:
    both = {"status": "error", "message": "Invalid signature", "data": {"result": "success", "callDetails": CALLED}}
    assert refused(reply(both)) == (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS)
    other = {"status": "success", "data": {"result": "error", "message": "номер", "callDetails": CALLED}}
    assert refused(reply(other)) == (Outcome.REJECTED, Reason.NUMBER_REFUSED)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (400, Outcome.UNAVAILABLE, Reason.NO_MONEY),
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (403, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (429, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
        (500, Outcome.UNKNOWN, Reason.HTTP_ERROR),
    ],
)
def test_another_status_than_200_has_its_message_under_data(status: int, outcome: Outcome, reason: Reason) -> None:
    assert refused(reply({"data": {"message": "balance"}}, status)) == (outcome, reason)
    assert refused(reply(failed("balance"), status)) == (outcome, reason)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (400, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (402, Outcome.UNAVAILABLE, Reason.NO_MONEY),
        (404, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (502, Outcome.UNKNOWN, Reason.HTTP_ERROR),
    ],
)
def test_a_bare_http_status(status: int, outcome: Outcome, reason: Reason) -> None:
    assert refused(Answer(status, b"<html></html>")) == (outcome, reason)


def test_an_error_that_repeats_the_request_shows_no_key_and_no_signature(vendor: FakeVendor) -> None:
    """The token of a request is good for that request, for nobody knows how long."""
    token = ""

    class Echo(CannedHttp):
        def send(self, method: str, url: str, *, deadline: Deadline, **request: Any) -> Answer:  # noqa: ARG002
            nonlocal token
            token = request["headers"]["Authorization"].removeprefix("Bearer ")
            return reply(failed(f"bad token: Bearer {token}; sign {SIGNING_KEY}"))

    words = line_of(NAME, http=Echo()).client.start(ORDER, soon()).vendor_words
    assert words == "HTTP 200: bad token: Bearer ***; sign ***"
    assert vendor.requests == []


# The account


def test_the_account_asks_signed(vendor: FakeVendor) -> None:
    vendor.answer(b'{"status":"success","data":{"state":{"balance":"12.50","credit":"0","currency":"RUB"}}}')
    assert account(CASE.credentials, vendor.base_url).balance == 12.5
    (request,) = vendor.requests
    assert (request.method, request.path, request.body) == ("POST", "/company/get-state", b"{}")
    given = request.headers["authorization"].removeprefix("Bearer ")
    key, at, signature = given[:48], given[48:58], given[58:]
    text = f"company/get-state\n{at}\n{API_KEY}\n{{}}\n{SIGNING_KEY}"
    assert (key, signature) == (API_KEY, hashlib.sha256(text.encode()).hexdigest())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"status": "error", "message": f"Invalid signature for {API_KEY}"}, "Invalid signature for ***"),
        ({"status": "error"}, "an answer without success"),
        ({"status": "success", "data": {}}, "an answer without success"),
        ({"status": "success", "data": {"state": {}}}, "an answer without `balance`"),
        ({"status": "success", "data": []}, "an answer without success"),
    ],
)
def test_an_account_that_is_refused(body: Mapping[str, Any], says: str, vendor: FakeVendor) -> None:
    vendor.answer(reply(body).body)
    with pytest.raises(AccountRefused, match=says.replace("*", r"\*")):
        account(CASE.credentials, vendor.base_url)


def test_a_call_by_the_service_rings_with_its_code(simulators: Simulators) -> None:
    (line,) = simulators.lines(NAME)
    assert line.method is Method.FLASH_CALL
    outcome = simulators.order(line)
    assert (outcome.outcome, outcome.code_differs, outcome.call_id) == (Outcome.STARTED, False, "2096093321622464437")
    assert simulators.incoming("+79000000001")[0]["from"].endswith("0427")
