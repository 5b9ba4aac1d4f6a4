from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callverify.domain.errors import ConfigurationFault, InvalidRequest
from callverify.domain.phone import readings
from callverify.domain.words import (
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    Phone,
    Reason,
    Verdict,
)
from callverify.providers.base import Client
from callverify.providers.http import Answer, NoAnswer, NotSent
from tests.support.cases import line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor
from tests.support.simulators import Simulators
from vendors.telefon_ip.simulator import CALLS_PER_DAY

NAME = "telefon_ip"
ORDER = order(NAME)


def client(base_url: str = "https://vendor.example", **changed: Any) -> Client:
    return line_of(NAME, None, base_url, **changed).client


def soon() -> Deadline:
    return Deadline.after(5)


def reply(body: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())


def start(answer: Answer) -> CallOutcome:
    return client(http=CannedHttp(answer)).start(ORDER, soon())


def check(answer: Answer | Exception) -> CallReport:
    return client(http=CannedHttp(answer)).check("122760", soon())


def data(**fields: object) -> Answer:
    return reply({"success": True, "error": "", "data": fields})


# The start


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("Invalid token", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        ("Неверный токен", Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        ("Недостаточно средств", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        ("Отрицательный баланс", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        ("Not enough money", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        ("Insufficient balance", Outcome.UNAVAILABLE, Reason.NO_MONEY),
        ("Номер не поддерживается", Outcome.REJECTED, Reason.NUMBER_REFUSED),
        ("", Outcome.REJECTED, Reason.NUMBER_REFUSED),
        (None, Outcome.REJECTED, Reason.NUMBER_REFUSED),
        ({"text": "token"}, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 422])
def test_refusals(text: object, outcome: Outcome, reason: Reason, status: int) -> None:
    answered = start(reply({"success": False, "error": text, "data": {}}, status))
    assert (answered.outcome, answered.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (400, Outcome.REJECTED, Reason.NUMBER_REFUSED),
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (402, Outcome.UNAVAILABLE, Reason.NO_MONEY),
        (403, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (404, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (429, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
        (500, Outcome.UNKNOWN, Reason.HTTP_ERROR),
    ],
)
def test_a_bare_http_status(status: int, outcome: Outcome, reason: Reason) -> None:
    answered = start(Answer(status, b"<html></html>"))
    assert (answered.outcome, answered.reason) == (outcome, reason)


def test_a_refusal_in_a_server_error_may_have_been_paid() -> None:
    assert start(reply({"success": False, "error": "Invalid phone number", "data": {}}, 500)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "number", "call_id"),
    [
        ({"auth_phone": "79000010000", "id": 122760}, "+79000010000", "122760"),
        ({"auth_phone": "89000010000", "id": "000122760"}, "+79000010000", "122760"),
        ({"auth_phone": 79000010000, "id": 122760}, "+79000010000", "122760"),
        ({"auth_phone": "+7 (900) 001-00-00", "id": 122760}, "+79000010000", "122760"),
        ({"auth_phone": "79000010000", "id": 1, "url_link": "<a href='tel:89000000713'>"}, "+79000010000", "1"),
    ],
)
def test_the_number_to_call_is_auth_phone(fields: dict[str, object], number: str, call_id: str) -> None:
    assert start(data(**fields)) == CallOutcome(
        Outcome.STARTED, challenge=Challenge.call_number(number), call_id=call_id
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"auth_phone": "", "id": 122760, "url_link": "<a href='tel:89000000713'>"},
        {"auth_phone": "<a href='tel:89000000713'>", "id": 122760},
        {"auth_phone": ["79000010000"], "id": 122760},
        {"auth_phone": "79000010000"},
        {"auth_phone": "79000010000", "id": None},
        {"auth_phone": "79000010000", "id": 12.5},
        {"auth_phone": "79000010000", "id": "122760; x"},
        {"auth_phone": "79000010000", "id": -5},
        {"auth_phone": "79000010000", "id": "١٢٢"},
    ],
)
def test_a_success_without_a_number_or_an_id_is_unreadable(fields: dict[str, object]) -> None:
    assert start(data(**fields)) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


@pytest.mark.parametrize("success", ["true", "True", 1, None, [True]])
def test_only_true_is_a_success(success: object) -> None:
    answer = reply({"success": success, "error": "", "data": {"auth_phone": "79000010000", "id": 1}})
    assert start(answer).outcome is Outcome.UNKNOWN


def test_started_by_get(vendor: FakeVendor) -> None:
    vendor.answer(b'{"success": true, "error": "", "data": {"auth_phone": "79000010000", "id": 5}}')
    answered = client(vendor.base_url, start="get").start(ORDER, soon())
    assert answered.call_id == "5"
    (request,) = vendor.requests
    path = "/api/v1/authcalls/made-up-token-of-telefon-ip/reverse_auth_phone_get"
    assert (request.method, request.path, request.query) == ("GET", path, "phone=89000000001")


def test_other_countries_numbers_stay_as_they_are() -> None:
    http = CannedHttp(data(auth_phone="79000010000", id=5))
    order = replace(ORDER, phone=Phone("+375290000001", "BY", "+375*****0001"))
    client(http=http).start(order, soon())
    assert http.asked == [{"phone": "375290000001", "webhook": ORDER.webhook_url}]


@pytest.mark.parametrize("token", ["a/b", "..", ".", "../x", "a b", "a?b", "a#b", "a%2fb", "токен", "a\n"])
def test_a_token_that_would_bend_the_path_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        line_of(NAME, token=token)
    assert caught.value.setting == "provider-credentials: telefon_ip.token"
    assert token not in caught.value.problem


# The flash call

CALLED_FROM = {"phone": "89000000001", "code": "0713", "id": 454733}


def call(answer: Answer) -> CallOutcome:
    return line_of(NAME, Method.FLASH_CALL, http=CannedHttp(answer)).client.start(
        order(NAME, Method.FLASH_CALL), soon()
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "0713"),
        ({"code": 713}, "0713"),
        ({"code": 7}, "0007"),
        ({"phone": "79000000001"}, "0713"),
        ({"phone": 89000000001}, "0713"),
        ({"id": "454733"}, "0713"),
    ],
)
def test_the_code_is_the_vendors(fields: dict[str, object], code: str) -> None:
    assert call(data(**(CALLED_FROM | fields))) == CallOutcome(
        Outcome.STARTED, challenge=Challenge.enter_digits(4), call_id="454733", code=code
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "713"},
        {"code": "00713"},
        {"code": 10_000},
        {"code": -713},
        {"code": True},
        {"code": 713.0},
        {"code": " 713"},
        {"code": "٠٧١٣"},
        {"code": None},
        {"code": ["0713"]},
        {"id": None},
        {"id": 0},
        {"phone": "89000000009"},  # somebody else's telephone rings
        {"phone": ""},
        {"phone": None},
    ],
)
def test_a_call_whose_code_is_not_certain_is_unknown(fields: dict[str, object]) -> None:
    assert call(data(**(CALLED_FROM | fields))) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


@pytest.mark.parametrize(
    "words",
    [
        "The limit of calls to this number is reached",
        "Превышено количество отправок на номер",
        "Исчерпан суточный лимит",
        "Too many requests for this phone",
    ],
)
def test_the_vendors_own_limit_of_a_number_is_no_outage(words: str) -> None:
    answered = call(reply({"success": False, "error": words, "data": {}}, 400))
    assert (answered.outcome, answered.reason) == (Outcome.REJECTED, Reason.VENDOR_LIMIT)


def test_a_number_is_called_three_times_a_day(simulators: Simulators) -> None:
    line = next(line for line in simulators.lines(NAME) if line.method is Method.FLASH_CALL)
    outcomes = [simulators.order(line) for _ in range(CALLS_PER_DAY + 1)]
    assert [each.outcome for each in outcomes] == [Outcome.STARTED] * CALLS_PER_DAY + [Outcome.REJECTED]
    assert outcomes[-1].reason is Reason.VENDOR_LIMIT
    assert len(simulators.incoming("+79000000001")) == CALLS_PER_DAY


# The check


def counted(verdict: Verdict, caller: str = "+89000000001", call_id: str = "122760") -> CallReport:
    return CallReport(verdict, caller=caller, call_id=call_id, evidence=Evidence.PROVIDER_READ_BACK)


@pytest.mark.parametrize(
    ("fields", "report"),
    [
        ({"phone": "89000000001", "id": 122760, "status": "ok"}, counted(Verdict.CONFIRMED)),
        ({"phone": "79000000001", "id": "0122760", "status": "ok"}, counted(Verdict.CONFIRMED, "+79000000001")),
        ({"phone": "89000000001", "id": 122760}, counted(Verdict.UNSTATED)),
        # Another caller, another call: told as they are, and compared by who asked.
        ({"phone": "89000000009", "id": 7, "status": "ok"}, counted(Verdict.CONFIRMED, "+89000000009", "7")),
        ({"phone": "89000000001", "id": 1, "status": "pending"}, CallReport(Verdict.PENDING, "+89000000001", "1")),
        ({"phone": "89000000001", "id": 1, "status": "OK"}, CallReport(Verdict.PENDING, "+89000000001", "1")),
        ({"phone": "89000000001", "id": 1, "status": None}, CallReport(Verdict.PENDING, "+89000000001", "1")),
        ({"phone": "89000000001", "id": 1, "status": True}, CallReport(Verdict.PENDING, "+89000000001", "1")),
        ({"phone": "89000000001", "id": 1, "status": ["ok"]}, CallReport(Verdict.PENDING, "+89000000001", "1")),
        ({"phone": "", "id": 1, "status": "expired"}, CallReport(Verdict.EXPIRED, None, "1")),
        ({"phone": "", "id": 1}, CallReport(Verdict.PENDING, None, "1")),
        ({"id": 1}, CallReport(Verdict.PENDING, None, "1")),
        ({}, CallReport(Verdict.PENDING)),
        ({"phone": "", "id": 1, "status": "ok"}, CallReport(Verdict.UNREADABLE)),
        ({"phone": "89000000001", "status": "ok"}, CallReport(Verdict.UNREADABLE)),
        ({"phone": "89000000001"}, CallReport(Verdict.UNREADABLE)),
    ],
)
def test_what_a_check_says(fields: dict[str, object], report: CallReport) -> None:
    assert check(data(**fields)) == report


@pytest.mark.parametrize(
    "answer",
    [
        reply({"success": False, "error": "id record not found", "data": {}}, 400),
        reply({"success": False, "data": {"phone": "89000000001", "id": 122760, "status": "ok"}}),
        reply({"success": "true", "data": {"phone": "89000000001", "id": 122760, "status": "ok"}}),
        reply({"success": True, "data": {"phone": "89000000001", "id": 122760, "status": "ok"}}, 500),
        reply({"success": True, "data": {"phone": "89000000001", "id": 122760, "status": "ok"}}, 302),
        reply({"success": True, "data": [{"phone": "89000000001", "id": 122760, "status": "ok"}]}),
        Answer(
            200, b'{"success": true, "data": {"phone": "89000000001", "id": 1, "status": "pending", "status": "ok"}}'
        ),
        Answer(200, b""),
        NotSent("no connection"),
        NoAnswer(timed_out=True),
    ],
)
def test_a_check_that_proves_nothing(answer: Answer | Exception) -> None:
    assert check(answer) == CallReport(Verdict.UNREADABLE)


def test_null_data_is_still_pending() -> None:
    assert check(reply({"success": True, "error": "", "data": None})) == CallReport(Verdict.PENDING)


def test_a_check_asks_by_id(vendor: FakeVendor) -> None:
    vendor.answer(b"{}")
    client(vendor.base_url).check("122760", soon())
    (request,) = vendor.requests
    path = "/api/v1/authcalls/made-up-token-of-telefon-ip/reverse_auth_phone_check/122760"
    assert (request.method, request.path, request.query, request.body) == ("GET", path, "", b"")


@pytest.mark.parametrize("call_id", ["", "../../x", "1/2", "abc", "1?x=1"])
def test_a_check_without_a_numeric_id_asks_nothing(call_id: str) -> None:
    http = CannedHttp()
    assert client(http=http).check(call_id, soon()) == CallReport(Verdict.UNREADABLE)
    assert not http.urls


# The webhook

CALLED = {"success": ("True",), "phone": ("89000000001",), "id": ("122760",)}


def opened(parameters: Mapping[str, tuple[str, ...]]) -> CallReport | None:
    reports = client().open_webhook(InboundWebhook(parameters, "vrf_1"))
    assert len(reports) < 2
    return next(iter(reports), None)


def test_a_webhook_is_a_hint_and_no_evidence() -> None:
    assert opened(CALLED) == CallReport(
        Verdict.UNSTATED, caller="+89000000001", call_id="122760", verification_id="vrf_1", evidence=None
    )


def test_ids_are_numbers_whatever_their_zeros() -> None:
    report = opened({**CALLED, "id": ("000077",)})
    assert report is not None
    assert report.call_id == "77"


@pytest.mark.parametrize("success", ["False", "false", "0", "1", "TRUE", "yes"])
def test_any_other_success_is_ignored(success: str) -> None:
    assert opened({**CALLED, "success": (success,)}) is None


@pytest.mark.parametrize("name", ["success", "phone", "id"])
@pytest.mark.parametrize("values", [(), ("",), ("True", "True"), ("89000000001", "89000000002")])
def test_each_parameter_comes_exactly_once(name: str, values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match=name):
        opened({**CALLED, name: values})


def test_array_like_names_are_other_names() -> None:
    with pytest.raises(InvalidRequest, match="phone"):
        opened({"success": ("True",), "phone[]": ("89000000001",), "id": ("122760",)})


@pytest.mark.parametrize("change", [{"phone": ("nobody",)}, {"id": ("1 or 2",)}, {"id": ("-1",)}, {"id": ("1e3",)}])
def test_values_that_are_no_numbers(change: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidRequest):
        opened({**CALLED, **change})


def test_an_echo_of_the_claimed_phone_states_nothing(simulators: Simulators) -> None:
    """Before anybody called, it must not look like a call."""
    line = next(line for line in simulators.lines(NAME) if line.route.read_back)
    started = simulators.order(line)
    assert started.call_id
    simulators.fault(NAME, "pending_echoes_phone")
    report = line.client.check(started.call_id, soon())
    assert report.verdict is Verdict.UNSTATED
    assert ORDER.phone.e164 in readings(report.caller or "")
