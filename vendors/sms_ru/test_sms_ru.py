from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from callverify.domain.errors import ConfigurationFault, Forbidden, InvalidRequest
from callverify.domain.words import (
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    Reason,
    Verdict,
)
from callverify.edge.bodies import parse_webhook
from callverify.providers.account import Account, AccountRefused, account_at
from callverify.providers.http import Answer
from tests.support.cases import case, line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor
from vendors.sms_ru.cases import API_ID
from vendors.sms_ru.forgeries import FORGED, WRITTEN, Forger, as_form, as_json, as_multipart, entry, lengthen, sha256

NAME = "sms_ru"
REVERSE, FLASH = Method.REVERSE_CALL, Method.FLASH_CALL
FORGER = Forger(case(NAME).credentials)
AT = 1_790_053_160
UNREADABLE = CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


def soon() -> Deadline:
    return Deadline.after(5)


def start(body: object, method: Method = REVERSE, status: int = 200) -> CallOutcome:
    answer = Answer(status, json.dumps(body).encode())
    return line_of(NAME, method, http=CannedHttp(answer)).client.start(order(NAME, method), soon())


def check(body: object, status: int = 200) -> CallReport:
    http = CannedHttp(Answer(status, json.dumps(body).encode()))
    return line_of(NAME, http=http).client.check("201737-542", soon())


LENT = {"status": "OK", "status_code": 100, "check_id": "201737-542", "call_phone": "79000068275"}
CALLED = {"status": "OK", "code": "1435", "call_id": "000000-10000000", "cost": 0.4, "balance": 4122.56}

ERRORS = [
    (200, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    (201, Outcome.UNAVAILABLE, Reason.NO_MONEY),
    (202, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (206, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    (207, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (209, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (211, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    (220, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
    *((code, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT) for code in (230, 231, 232, 233)),
    (300, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    (301, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    (302, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
    (500, Outcome.UNKNOWN, Reason.VENDOR_FAULT),
    (777, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
]


@pytest.mark.parametrize("method", [REVERSE, FLASH])
@pytest.mark.parametrize(("code", "outcome", "reason"), ERRORS)
@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("status", [200, 400])
def test_errors(method: Method, code: int, outcome: Outcome, reason: Reason, as_text: bool, status: int) -> None:
    told = {"status": "ERROR", "status_code": str(code) if as_text else code, "status_text": "нельзя"}
    answered = start(told, method, status)
    assert (answered.outcome, answered.reason) == (outcome, reason)
    assert answered.vendor_words == f"{code}: нельзя"


@pytest.mark.parametrize("code", [None, "", "two hundred", [], -1, 1.5, True])
def test_an_error_without_a_usable_code_is_the_vendors_fault(code: object) -> None:
    answered = start({"status": "ERROR", "status_code": code, "status_text": {"a": 1}}, FLASH)
    assert (answered.outcome, answered.reason) == (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)


def test_a_server_error_may_have_been_paid() -> None:
    assert start({"status": "ERROR", "status_code": 200}, FLASH, 503).outcome is Outcome.UNKNOWN


def test_an_answer_that_repeats_the_request_shows_no_secret() -> None:
    told = {"status": "ERROR", "status_code": 200, "status_text": f"bad api_id={API_ID} of 79000000001"}
    words = start(told).vendor_words or ""
    assert API_ID not in words
    assert "9000000001" not in words


# Reverse calls


@pytest.mark.parametrize("phone", ["79000068275", "+79000068275", 79000068275, "+7 (900) 006-8275"])
@pytest.mark.parametrize("status_code", [100, "100"])
@pytest.mark.parametrize("check_id", ["201737-542", "123456789012345", 123456789012345])
def test_a_number_to_call(phone: object, status_code: object, check_id: object) -> None:
    outcome = start(LENT | {"call_phone": phone, "status_code": status_code, "check_id": check_id})
    number = Challenge.call_number("+79000068275")
    assert outcome == CallOutcome(Outcome.STARTED, challenge=number, call_id=str(check_id))


def test_the_vendors_html_is_never_shown() -> None:
    link = '<a href="callto:79000079999" onclick="steal()">+7 (900) 007-9999</a>'
    assert start(LENT | {"call_phone_html": link, "call_phone_pretty": link}) == start(LENT)
    assert start({name: value for name, value in LENT.items() if name != "call_phone"} | {"call_phone_html": link}) == (
        UNREADABLE
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "ok"},
        {"status": None},
        {"status_code": 101},
        {"status_code": "OK"},
        {"status_code": True},
        {"check_id": ""},
        {"check_id": None},
        {"check_id": True},
        {"check_id": -5},
        {"check_id": "201737-542\n"},
        {"check_id": "x" * 65},
        {"call_phone": ""},
        {"call_phone": "номер"},
        {"call_phone": ["79000068275"]},
    ],
)
def test_a_success_without_all_it_needs_is_unreadable(changed: dict[str, object]) -> None:
    assert start(LENT | changed) == UNREADABLE


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ("400", Verdict.PENDING),
        (400, Verdict.PENDING),
        ("402", Verdict.EXPIRED),
        (402, Verdict.EXPIRED),
        ("403", Verdict.UNREADABLE),
        ("401 ", Verdict.UNREADABLE),
        ("", Verdict.UNREADABLE),
        (None, Verdict.UNREADABLE),
        (True, Verdict.UNREADABLE),
        (["401"], Verdict.UNREADABLE),
        (401.0, Verdict.UNREADABLE),
    ],
)
def test_what_does_not_confirm_a_call(told: object, verdict: Verdict) -> None:
    report = check({"status": "OK", "status_code": 100, "check_status": told})
    assert (report.verdict, report.evidence) == (verdict, None)


@pytest.mark.parametrize("told", ["401", 401])
def test_a_confirmed_call(told: object) -> None:
    """The vendor names no caller: the id is of the phone that it was asked about."""
    report = CallReport(Verdict.CONFIRMED, call_id="201737-542", evidence=Evidence.PROVIDER_READ_BACK)
    assert check({"status": "OK", "status_code": 100, "check_status": told}) == report
    assert check({"status": "OK", "check_status": told}) == report


@pytest.mark.parametrize("name", FORGER.lies)
def test_lies_confirm_nothing(name: str) -> None:
    http = CannedHttp(Answer(200, FORGER.lies[name]("+79000000001", "201737-542")))
    report = line_of(NAME, http=http).client.check("201737-542", soon())
    assert report.verdict is not Verdict.CONFIRMED
    assert report.evidence is None


@pytest.mark.parametrize("status", [201, 301, 400, 429, 500])
def test_only_a_200_confirms(status: int) -> None:
    assert check({"status": "OK", "status_code": 100, "check_status": "401"}, status) == CallReport(Verdict.UNREADABLE)


def test_a_check_is_asked_by_form(vendor: FakeVendor) -> None:
    """Not in the URL, where the key would stand too."""
    vendor.answer(b'{"status": "OK", "status_code": 100, "check_status": "400"}')
    line_of(NAME, base_url=vendor.base_url).client.check("201737-542", soon())
    (seen,) = vendor.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/callcheck/status", "")
    assert parse_qs(seen.body.decode()) == {"api_id": [API_ID], "check_id": ["201737-542"], "json": ["1"]}


# Flash calls


@pytest.mark.parametrize(
    ("told", "code"), [("1435", "1435"), (1435, "1435"), ("0027", "0027"), (27, "0027"), (0, "0000")]
)
def test_a_code_as_text_or_as_number(told: object, code: str) -> None:
    outcome = start(CALLED | {"code": told}, FLASH)
    assert (outcome.outcome, outcome.code) == (Outcome.STARTED, code)
    assert outcome.challenge == Challenge.enter_digits(4)
    assert outcome.call_id == "000000-10000000"
    assert f"'{code}'" not in repr(outcome)


@pytest.mark.parametrize("told", ["", "143", "14350", 14350, -1, "14a5", "١٤٣٥", " 143", None, True, 1435.0, ["1435"]])
def test_a_code_of_another_length_is_unreadable(told: object) -> None:
    assert start(CALLED | {"code": told}, FLASH) == UNREADABLE


def test_a_flash_call_is_known_by_its_code_and_needs_no_id() -> None:
    assert start({"status": "OK", "status_code": "100", "code": "1435"}, FLASH).code == "1435"


def test_our_own_code_is_never_sent(vendor: FakeVendor) -> None:
    """Two integrations send one; whether the vendor obeys is not known."""
    vendor.answer(json.dumps(CALLED).encode())
    line_of(NAME, FLASH, vendor.base_url).client.start(replace(order(NAME, FLASH), code="0427"), soon())
    assert b"0427" not in vendor.requests[0].body


@pytest.mark.parametrize(
    ("send_ip", "address", "sent"),
    [
        (None, "198.51.100.7", "-1"),
        ("no", "198.51.100.7", "-1"),
        ("yes", "198.51.100.7", "198.51.100.7"),
        ("yes", "2001:db8::7", "2001:db8::7"),
        ("yes", None, "-1"),
    ],
)
def test_a_users_address_is_passed_on_only_where_the_operator_says_so(
    send_ip: str | None, address: str | None, sent: str, vendor: FakeVendor
) -> None:
    changed: dict[str, Any] = {} if send_ip is None else {"send_ip": send_ip}
    for method, answer in ((FLASH, CALLED), (REVERSE, LENT)):
        vendor.answer(json.dumps(answer).encode())
        client = line_of(NAME, method, vendor.base_url, **changed).client
        client.start(replace(order(NAME, method), end_user_ip=address), soon())
        form = parse_qs(vendor.requests[-1].body.decode())
        assert form.get("ip") == ([sent] if method is FLASH else None)


# Credentials


@pytest.mark.parametrize("value", ["fifteen-letters", "with spaces in between", "кириллица-и-дальше"])
def test_a_key_that_was_not_copied_whole_is_named(value: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        line_of(NAME, api_id=value)
    assert caught.value.setting == "provider-credentials: sms_ru.api_id"


@pytest.mark.parametrize("value", [True, "maybe", ""])
def test_an_option_that_there_is_not_is_named(value: object) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        line_of(NAME, send_ip=value)
    assert caught.value.setting == "provider-credentials: sms_ru.send_ip"


# The account


def test_the_balance(vendor: FakeVendor) -> None:
    vendor.answer(b'{"status": "OK", "status_code": 100, "balance": 4122.56}')
    told = account_at(NAME)(case(NAME).credentials, vendor.base_url)
    assert replace(told, time=None) == Account(4122.56)
    (seen,) = vendor.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/my/balance", "")


def test_an_account_that_is_refused(vendor: FakeVendor) -> None:
    told = {"status": "ERROR", "status_code": 200, "status_text": f"Неправильный api_id {API_ID}"}
    vendor.answer(json.dumps(told).encode())
    with pytest.raises(AccountRefused, match=r"200: Неправильный api_id \*\*\*"):
        account_at(NAME)(case(NAME).credentials, vendor.base_url)


# The webhook


def opened(parameters: Mapping[str, Sequence[str]]) -> Sequence[CallReport]:
    given = {name: tuple(values) for name, values in parameters.items()}
    return line_of(NAME).client.open_webhook(InboundWebhook(given))


def signed(*entries: str) -> str:
    return hashlib.sha256((API_ID + "".join(entries)).encode()).hexdigest()


CALL, OTHER_CALL, SMS = entry("201737-542", AT), entry("201737-543", AT), "sms_status\n201737-1\n103\n1790053160"
HINT, OTHER_HINT = (CallReport(Verdict.UNSTATED, call_id=f"201737-{number}") for number in (542, 543))


@pytest.mark.parametrize(
    "parameters",
    [
        {"data": [CALL]},
        {"data[]": [CALL]},
        {"data[0]": [CALL]},
        {"data[1]": [CALL]},
        {"data[99]": [CALL]},
        {"data[0]": [CALL], "data[x]": ["another name"], "data[01]": ["likewise"], "database": ["likewise"]},
    ],
)
def test_an_entry_under_each_of_its_names(parameters: dict[str, list[str]]) -> None:
    assert opened(parameters | {"hash": [signed(CALL)]}) == [HINT]


@pytest.mark.parametrize(
    "parameters",
    [
        {"data[]": [SMS, CALL, OTHER_CALL]},
        {"data[0]": [SMS], "data[1]": [CALL], "data[2]": [OTHER_CALL]},
        {"data[7]": [SMS], "data[3]": [CALL], "data[5]": [OTHER_CALL]},  # in the order of their coming
        {"data": [SMS], "data[1]": [CALL], "data[2]": [OTHER_CALL]},
    ],
)
def test_several_entries_are_hashed_as_they_come(parameters: dict[str, list[str]]) -> None:
    assert opened(parameters | {"hash": [signed(SMS, CALL, OTHER_CALL)]}) == [HINT, OTHER_HINT]


def test_a_hash_in_capitals_and_an_entry_of_an_expiry() -> None:
    """What an entry says of its call decides nothing, and neither does its time: the vendor is asked."""
    for text in (entry("201737-542", AT, "402"), entry("201737-542", 0), "callcheck_status\n201737-542\n\nnow"):
        assert opened({"data[0]": [text], "hash": [signed(text).upper()]}) == [HINT]


def test_a_call_that_is_reported_twice_at_once_is_one_hint() -> None:
    assert opened({"data[]": [CALL, CALL], "hash": [signed(CALL, CALL)]}) == [HINT]


@pytest.mark.parametrize(
    "text",
    [
        SMS,
        "",
        "callcheck_status",
        "callcheck_status\n201737-542\n401",
        f"{CALL}\n",
        f"{CALL}\n1",
        f"\n{CALL}",
        CALL.upper(),
        " " + CALL,
        "callcheck_status\n\n401\n1790053160",
        f"callcheck_status\n{'9' * 65}\n401\n1790053160",
        "callcheck_status\n201737 542\n401\n1790053160",
    ],
)
def test_entries_of_another_kind_are_ignored(text: str) -> None:
    assert opened({"data[0]": [text], "hash": [signed(text)]}) == []


def test_a_request_about_nothing_is_ignored() -> None:
    """Whether the cabinet tries an address before it takes it is not known."""
    assert opened({}) == ()
    assert opened({"test": ["1"]}) == ()


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_report_is_forbidden(forged: str, written: str) -> None:
    """In each form that the service reads."""
    body, content_type = WRITTEN[written](FORGED[forged](FORGER, entry("201737-1", AT), CALL))
    parameters: dict[str, list[str]] = {}
    for name, value in parse_webhook(body, content_type):
        parameters.setdefault(name, []).append(value)
    with pytest.raises(Forbidden):
        opened(parameters)


@pytest.mark.parametrize("write", [as_form, as_multipart, as_json])
def test_a_genuine_report_is_heard_in_each_form(write: Any) -> None:
    parameters: dict[str, list[str]] = {}
    for name, value in parse_webhook(*write(FORGER.signed([SMS, CALL]))):
        parameters.setdefault(name, []).append(value)
    assert opened(parameters) == [HINT]


def test_a_hundred_entries_in_a_body_are_heard_and_one_more_is_not() -> None:
    entries = [entry(f"201737-{number}", AT) for number in range(101)]
    parameters: dict[str, list[str]] = {}
    for name, value in parse_webhook(*as_form(FORGER.signed(entries[:100]))):
        parameters.setdefault(name, []).append(value)
    assert len(opened(parameters)) == 100
    with pytest.raises(InvalidRequest, match="100"):
        opened({"data[]": entries, "hash": [signed(*entries)]})


def test_what_lengthens_a_hash_does() -> None:
    """Else the forgeries above would prove nothing: without the rule about characters, this one would be heard."""
    padding, longer = lengthen(signed(SMS), len(API_ID + SMS), CALL)
    assert longer == hashlib.sha256((API_ID + SMS + padding + CALL).encode("latin-1")).hexdigest()
    assert longer != signed(SMS, padding, CALL)


@pytest.mark.parametrize(
    "character", ["\x00", "\t", "\r", "\x1f", "\x7f", "\x80", "\xa0", "é", "٤", "\u2028", "\ud800"]
)
def test_a_character_that_the_vendor_does_not_send_is_forbidden_whatever_the_hash(character: str) -> None:
    entries = [CALL, f"sms_status\n201737-1\n103\n{character}"]
    good = hashlib.sha256((API_ID + "".join(entries)).encode(errors="replace")).hexdigest()
    with pytest.raises(Forbidden, match="characters"):
        opened({"data[]": entries, "hash": [good]})


@pytest.mark.parametrize(
    "given",
    ["0" * 64, signed(), signed(CALL)[:63], " " + signed(CALL), "é", "\ud800", sha256(CALL), signed(CALL, CALL)],
)
def test_a_wrong_hash_is_forbidden(given: str) -> None:
    with pytest.raises(Forbidden, match="hash"):
        opened({"data[0]": [CALL], "hash": [given]})


@pytest.mark.parametrize(
    "parameters",
    [
        {"data[0]": [CALL, CALL]},
        {"data[0]": [CALL, SMS]},
        {"data": [CALL, CALL]},
        {"data": [CALL], "data[0]": [CALL]},
        {"data[]": [CALL], "data[0]": [CALL]},
        {"data[]": [SMS, CALL], "data[1]": [CALL]},
        {"data[]": [CALL], "data": [SMS]},
    ],
)
def test_an_index_that_is_given_twice_is_refused(parameters: dict[str, list[str]]) -> None:
    entries = [text for values in parameters.values() for text in values]
    for good in (signed(*entries), signed(CALL)):
        with pytest.raises(InvalidRequest, match="once"):
            opened(parameters | {"hash": [good]})


@pytest.mark.parametrize("hashes", [[], [""], [signed(CALL), signed(CALL)], [signed(CALL), "0" * 64]])
def test_a_hash_is_given_exactly_once(hashes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="hash"):
        opened({"data[0]": [CALL], "hash": hashes})


def test_a_hash_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="data"):
        opened({"hash": [signed()]})
