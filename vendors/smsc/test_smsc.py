from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
from callverify.providers.base import Client
from callverify.providers.http import Answer
from tests.support.cases import line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor
from vendors.smsc.cases import CALLBACK_SECRET, LOGIN

NAME = "smsc"
ORDER, SPOKEN = order(NAME), order(NAME, Method.VOICE_CALL)
NO_ACCOUNT = {"login": None, "psw": None}


def client(base_url: str = "https://vendor.example", **changed: Any) -> Client:
    return line_of(NAME, None, base_url, **changed).client


def soon() -> Deadline:
    return Deadline.after(5)


def start(text: str | bytes, status: int = 200) -> CallOutcome:
    body = text if isinstance(text, bytes) else text.encode()
    return client(http=CannedHttp(Answer(status, body))).start(ORDER, soon())


ERRORS = [
    (1, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (2, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    (3, Outcome.UNAVAILABLE, Reason.NO_MONEY),
    (4, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
    (5, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (6, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),
    (7, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (8, Outcome.REJECTED, Reason.NUMBER_REFUSED),
    (9, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    (777, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT),
]
FORMS = {
    "fmt 0": "ERROR = {} (ошибка)",
    "fmt 1": "0,-{}",
    "fmt 2": "<?xml version='1.0'?>\n<result><error>ошибка</error>\n<error_code>{}</error_code></result>",
    "fmt 2 without its tags": "\n    ошибка\n    {}\n",
    "fmt 3": '{{"error": "ошибка", "error_code": {}}}',
    "fmt 3, the code as text": '{{"error": "ошибка", "error_code": "{}"}}',
}


@pytest.mark.parametrize(("code", "outcome", "reason"), ERRORS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251"])
@pytest.mark.parametrize("status", [200, 400])
def test_errors_in_every_form(
    code: int, outcome: Outcome, reason: Reason, form: str, encoding: str, status: int
) -> None:
    answered = start(FORMS[form].format(code).encode(encoding), status)
    assert (answered.outcome, answered.reason) == (outcome, reason)
    if form != "fmt 1":
        assert "ошибка" in (answered.vendor_words or "")


@pytest.mark.parametrize("body", ['{"error": "no"}', '{"error_code": -2}', '{"error": {"a": 1}, "error_code": 1e3}'])
def test_an_error_without_a_usable_code(body: str) -> None:
    assert start(body).reason is Reason.VENDOR_FAULT


@pytest.mark.parametrize(
    "text",
    [
        '{"phone": "79000020001"}',
        '{"phone": 79000020001}',
        '{"phone": "+7 900 002-00-01", "all_phones": ["79000020002"]}',
        '{"phone": "79000020001", "error": "", "error_code": 0}',
        "79000020001",
        "+79000020001\r\n",
        "<result><phone>79000020001</phone></result>",
        "<?xml version='1.0' encoding='utf-8'?>\n<phone> 79000020001 </phone>",
    ],
)
def test_the_number_in_every_form(text: str) -> None:
    assert start(text) == CallOutcome(Outcome.STARTED, challenge=Challenge.call_number("+79000020001"))


@pytest.mark.parametrize(
    "text",
    [
        '{"phone": ""}',
        '{"phone": null}',
        "",
        "phone",
        "<result><phone></phone></result>",
        "<result></result>",
        "12345",
        "OK - 1 SMS, ID - 79000020001",
        "<html><body><phone>79000020001</phone></body></html>",
    ],
)
def test_a_success_without_a_number_is_unreadable(text: str) -> None:
    assert start(text) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


def test_a_server_error_may_have_been_paid() -> None:
    assert start("ERROR = 2 (x)", 503).outcome is Outcome.UNKNOWN


# A spoken text


def speak(text: str | bytes, status: int = 200) -> CallOutcome:
    body = text if isinstance(text, bytes) else text.encode()
    return client(http=CannedHttp(Answer(status, body))).start(SPOKEN, soon())


@pytest.mark.parametrize("call_id", ["1234", '"1234"'])
def test_a_text_that_is_spoken_has_an_id(call_id: str) -> None:
    challenge = Challenge.enter_digits(6)
    assert speak(f'{{"id": {call_id}, "cnt": 1}}') == CallOutcome(Outcome.STARTED, challenge=challenge, call_id="1234")


@pytest.mark.parametrize(
    "text", ['{"cnt": 1}', '{"id": 0}', '{"id": null}', '{"id": "x"}', "OK - 1 SMS, ID - 1234", ""]
)
def test_a_spoken_text_without_an_id_is_unreadable(text: str) -> None:
    """fmt=3 was asked for: what comes in another form is not known."""
    assert speak(text) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


@pytest.mark.parametrize(("code", "outcome", "reason"), ERRORS)
@pytest.mark.parametrize("form", FORMS)
def test_errors_of_a_spoken_text(code: int, outcome: Outcome, reason: Reason, form: str) -> None:
    answered = speak(FORMS[form].format(code))
    assert (answered.outcome, answered.reason) == (outcome, reason)


@pytest.mark.parametrize(("locale", "first"), [(None, "Ваш код"), ("ru", "Ваш код"), ("en", "Your code")])
def test_our_text_is_spoken_once_and_never_the_vendors_code(locale: str | None, first: str, vendor: FakeVendor) -> None:
    vendor.answer(b'{"id": 1234, "cnt": 1}')
    client(vendor.base_url).start(replace(SPOKEN, locale=locale), soon())
    form = parse_qs(vendor.requests[0].body.decode())
    assert vendor.requests[0].path == "/sys/send.php"
    assert form["mes"][0].startswith(first)
    assert form["mes"][0].count("0, 4, 2, 7, 4, 2") == 2
    assert (form["call"], form["param"], form["phones"]) == (["1"], ["20,10,1"], ["79000000001"])


def test_an_answer_that_repeats_the_text_shows_no_code() -> None:
    told = "Ваш код: 0, 4, 2, 7, 4, 2. Повторяю: 0, 4, 2, 7, 4, 2."
    words = speak(json.dumps({"error": told, "error_code": 6})).vendor_words or ""
    assert "4, 2" not in words


# Credentials


@pytest.mark.parametrize(
    ("account", "sent"),
    [
        ({"login": "l", "psw": "p"}, {"login": ["l"], "psw": ["p"]}),
        ({"apikey": "k"}, {"apikey": ["k"]}),
        ({"login": "l", "apikey": "k"}, {"login": ["l"], "apikey": ["k"]}),
        ({"login": "l", "psw": "p", "apikey": "k"}, {"login": ["l"], "apikey": ["k"]}),
        ({"login": "l", "psw": "p", "apikey": ""}, {"login": ["l"], "psw": ["p"]}),
    ],
)
def test_what_is_sent_of_the_account(account: dict[str, str], sent: dict[str, list[str]], vendor: FakeVendor) -> None:
    vendor.answer(b'{"phone": "79000020001"}')
    client(vendor.base_url, **NO_ACCOUNT | account).start(ORDER, soon())
    form = parse_qs(vendor.requests[0].body.decode())
    assert form == {"phone": ["79000000001"], "fmt": ["3"], "charset": ["utf-8"], **sent}


@pytest.mark.parametrize("name", ["callback_secret", "webhook_token"])
@pytest.mark.parametrize("value", [None, "", " " * 16, "fifteen-letters", " fifteen-letters ", 1234567890123456])
def test_a_short_or_missing_secret_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        client(**{name: value})
    assert caught.value.setting == f"provider-credentials: smsc.{name}"


def test_sixteen_characters_are_enough() -> None:
    client(callback_secret="s" * 16, webhook_token="t" * 16)


@pytest.mark.parametrize("first", "-_")
def test_a_webhook_token_of_random_base64_for_urls(first: str) -> None:
    client(webhook_token=first + "t" * 31)


@pytest.mark.parametrize("token", ["a/b" * 6, "x?y=" * 5, " " * 16])
def test_a_webhook_token_that_is_no_part_of_a_path(token: str) -> None:
    with pytest.raises(ConfigurationFault):
        client(webhook_token=token)


@pytest.mark.parametrize(("account", "named"), [({}, "login"), ({"login": "l"}, "psw"), ({"psw": "p"}, "login")])
def test_half_an_account_is_named(account: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        client(**NO_ACCOUNT | account)
    assert caught.value.setting == f"provider-credentials: smsc.{named}"


# The webhook


def signature(phone: str, ts: str, secret: str = CALLBACK_SECRET) -> str:
    return hashlib.md5(f"{phone}:{ts}:{secret}".encode()).hexdigest()


def event(phone: str = "79000000001", ts: str = "1790053160", md5: str | None = None) -> dict[str, tuple[str, ...]]:
    return {"waitcall": ("1",), "phone": (phone,), "ts": (ts,), "md5": (md5 or signature(phone, ts),)}


def opened(parameters: Mapping[str, tuple[str, ...]]) -> CallReport | None:
    reports = client().open_webhook(InboundWebhook(parameters))
    return next(iter(reports), None)


CONFIRMED = CallReport(
    Verdict.CONFIRMED, caller="+79000000001", evidence=Evidence.PROVIDER_SIGNATURE, occurred_at=1_790_053_160
)


@pytest.mark.parametrize(
    ("phone", "caller"),
    [("79000000001", "+79000000001"), ("+79000000001", "+79000000001"), ("89000000001", "+89000000001")],
)
def test_a_signed_call_counts(phone: str, caller: str) -> None:
    """The signature is over the value as sent, whatever its form; what an 8 stands for is for the service to say."""
    assert opened(event(phone)) == replace(CONFIRMED, caller=caller)


def test_the_signature_may_be_in_upper_case_and_other_fields_may_come_along() -> None:
    md5 = signature("79000000001", "1790053160").upper()
    assert opened({**event(md5=md5), "sha1": ("x", "y"), "to": ("79000020001",)}) == CONFIRMED


@pytest.mark.parametrize(
    "forged",
    [
        event(md5="0" * 32),
        event(md5="d41d8cd98f00b204e9800998ecf8427e"),
        event(md5="é"),
        event(md5="\ud800"),
        event(md5=signature("79000000001", "1790053160", "")),
        event(md5=signature("79000000001", "1790053160", "another-secret-of-16")),
        event(md5=signature("79000000002", "1790053160")),  # replayed for another phone
        event(md5=signature("79000000001", "1790053161")),  # or another time
        event(phone="89000000001", md5=signature("79000000001", "1790053160")),  # normalised before hashing
        event(ts="01790053160", md5=signature("79000000001", "1790053160")),
        event(md5=signature("79000000001", "1790053160")[:31]),
        event(md5=" " + signature("79000000001", "1790053160")),
    ],
)
def test_a_forged_call_is_forbidden(forged: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(Forbidden):
        opened(forged)


@pytest.mark.parametrize("ts", ["now", "-1", "1e9", "1790053160.5", " 1790053160", "1" * 13, "١٧٩٠٠٥٣١٦٠"])
def test_a_signed_time_that_is_no_time_is_forbidden(ts: str) -> None:
    with pytest.raises(Forbidden):
        opened(event(ts=ts))


def test_the_signature_of_an_sms_status_does_not_sign_a_call() -> None:
    """Statuses are signed over id:phone:status:secret by the same secret."""
    md5 = hashlib.md5(f"790000:79000000001:1:{CALLBACK_SECRET}".encode()).hexdigest()
    with pytest.raises(InvalidRequest):
        opened(event(phone="790000:79000000001", ts="1", md5=md5))
    with pytest.raises(Forbidden):
        opened(event(phone="790000", ts="79000000001:1", md5=md5))


@pytest.mark.parametrize("name", ["waitcall", "phone", "ts", "md5"])
def test_a_repeated_parameter_is_refused(name: str) -> None:
    good = event()
    for values in (good[name] * 2, (*good[name], "other"), ("other", *good[name])):
        with pytest.raises(InvalidRequest, match=name):
            opened({**good, name: values})


@pytest.mark.parametrize("name", ["phone", "ts", "md5"])
@pytest.mark.parametrize("absent", [None, (), ("",)])
def test_a_missing_parameter_is_refused(name: str, absent: tuple[str, ...] | None) -> None:
    parameters = {**event(), name: absent}
    with pytest.raises(InvalidRequest, match=name):
        opened({key: values for key, values in parameters.items() if values is not None})


@pytest.mark.parametrize("suffix", ["[]", "[0]", ".x"])
@pytest.mark.parametrize("name", ["phone", "ts", "md5"])
def test_array_like_names_are_other_names(name: str, suffix: str) -> None:
    parameters = event()
    parameters[f"{name}{suffix}"] = parameters.pop(name)
    with pytest.raises(InvalidRequest, match=name):
        opened(parameters)


@pytest.mark.parametrize("waitcall", [None, (), ("",), ("0",), ("true",), ("01",), ("1 ",)])
def test_events_of_another_kind_are_ignored(waitcall: tuple[str, ...] | None) -> None:
    parameters: dict[str, tuple[str, ...]] = {key: value for key, value in event().items() if key != "waitcall"}
    if waitcall is not None:
        parameters["waitcall"] = waitcall
    assert opened(parameters) is None


def test_an_empty_request_is_ignored() -> None:
    assert opened({}) is None


def test_an_answer_that_repeats_the_request_shows_no_secret() -> None:
    told = json.dumps({"error": f"bad login={LOGIN}&psw=made-up+psw%2F%26%D1%8B", "error_code": 2})
    words = start(told).vendor_words or ""
    assert "made-up" not in words
