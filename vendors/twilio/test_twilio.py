"""Twilio's own: its table of errors, what its documents say and do not say, and the attacks on its signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from callverify.domain.errors import ConfigurationFault, Forbidden, InvalidRequest
from callverify.domain.words import (
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    InboundWebhook,
    Outcome,
    Reason,
    Verdict,
)
from callverify.providers.base import Client
from callverify.providers.http import Answer, VendorHttp
from callverify.providers.registry import lines
from callverify.providers.twilio.client import Client as Own
from callverify.providers.twilio.twiml import HANG_UP, ask_for_key, say_code
from tests.support.cases import case, line_of, order
from tests.support.fake_vendor import CannedHttp, FakeVendor
from vendors.twilio.cases import AUTH_TOKEN, WEBHOOK_URL

NAME = "twilio"
ORDER = order(NAME)
SID = "CA" + "0a" * 16


def client(base_url: str = "https://vendor.example", **changed: Any) -> Client:
    return line_of(NAME, None, base_url, **changed).client


def start(body: Any, status: int = 201) -> CallOutcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client(http=CannedHttp(Answer(status, content))).start(ORDER, Deadline.after(5))


# The start


def test_a_call_that_was_accepted() -> None:
    challenge = Challenge.enter_digits(6)
    assert start({"sid": SID, "status": "queued"}) == CallOutcome(Outcome.STARTED, challenge=challenge, call_id=SID)


@pytest.mark.parametrize(
    "body", [{}, {"sid": None}, {"sid": "AC" + "0" * 32}, {"sid": SID + "0"}, {"sid": [SID]}, b"ok"]
)
def test_a_success_without_the_id_of_a_call_is_unreadable(body: Any) -> None:
    assert start(body) == CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)


NUMBERS = (13223, 13224, 13225, 21211, 21214, 21216, 21217)
ACCOUNT = (10002, 10005, 20403, 21203, 21210, 21212, 21213, 21219, 90010, 573002, 573005)
GEOGRAPHY = (13227, 21215, 32205)
ERRORS = [
    *((code, Outcome.REJECTED, Reason.NUMBER_REFUSED) for code in NUMBERS),
    *((code, Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT) for code in (*ACCOUNT, *GEOGRAPHY)),
    *((code, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS) for code in (20003, 20008, 70051)),
    *((code, Outcome.UNAVAILABLE, Reason.NO_MONEY) for code in (10001, 20005)),
    *((code, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT) for code in (10004, 20429)),
    *((code, Outcome.UNAVAILABLE, Reason.VENDOR_FAULT) for code in (21201, 21205, 21208, 99999)),
]


@pytest.mark.parametrize(("code", "outcome", "reason"), ERRORS)
@pytest.mark.parametrize("as_text", [False, True])
def test_errors(code: int, outcome: Outcome, reason: Reason, as_text: bool) -> None:
    answered = start({"code": str(code) if as_text else code, "message": "No.", "status": 400}, 400)
    assert (answered.outcome, answered.reason, answered.vendor_words) == (outcome, reason, f"{code}: No.")


@pytest.mark.parametrize("code", GEOGRAPHY)
def test_geography_is_the_operators_to_mend(code: int) -> None:
    assert start({"code": code, "message": "Account not authorized to call"}, 400).is_configuration_fault


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (401, Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
        (429, Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
        (400, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (404, Outcome.UNKNOWN, Reason.HTTP_ERROR),
        (302, Outcome.UNKNOWN, Reason.HTTP_ERROR),
    ],
)
def test_an_error_without_a_code(status: int, outcome: Outcome, reason: Reason) -> None:
    for body in (b"", b"<html></html>", {"code": "none"}, {"message": "No."}):
        answered = start(body, status)
        assert (answered.outcome, answered.reason) == (outcome, reason)


def test_a_server_error_may_have_called() -> None:
    assert start({"code": 21211, "message": "No."}, 503).outcome is Outcome.UNKNOWN


def test_what_twilio_says_is_shown_without_numbers_and_secrets() -> None:
    told = f"+79000000001 {SID} {case(NAME).credentials['account_sid']} {AUTH_TOKEN} https://twilio.example/x"
    words = start({"code": 21211, "message": told}, 400).vendor_words or ""
    assert words.startswith("21211: ")
    for private in ("9000000001", AUTH_TOKEN, "abab", "twilio.example"):
        assert private not in words
    assert "79000000001" not in (start({"code": 79000000001, "message": "No."}, 400).vendor_words or "")


# TwiML


@pytest.mark.parametrize(("locale", "language"), [(None, "ru-RU"), ("ru", "ru-RU"), ("en", "en-US")])
def test_the_code_stands_in_no_request(locale: str | None, language: str, vendor: FakeVendor) -> None:
    vendor.answer(json.dumps({"sid": SID}).encode(), 201)
    client(vendor.base_url).start(replace(ORDER, locale=locale), Deadline.after(5))
    (twiml,) = parse_qs(vendor.requests[0].body.decode())["Twiml"]
    document = ElementTree.fromstring(twiml)
    assert [verb.tag for verb in document] == ["Gather", "Hangup"]
    gather = document[0]
    assert (gather.get("action"), gather.get("method"), gather.get("numDigits")) == (WEBHOOK_URL, "POST", "1")
    assert [(said.tag, said.get("language")) for said in gather] == [("Say", language)]
    assert not any(character.isdigit() for character in gather[0].text or "")
    assert str(ORDER.code) not in vendor.requests[0].body.decode()


def test_a_number_outside_7_is_spoken_to_in_english(vendor: FakeVendor) -> None:
    vendor.answer(json.dumps({"sid": SID}).encode(), 201)
    phone = replace(ORDER.phone, e164="+491700000001", region="DE")
    client(vendor.base_url).start(replace(ORDER, phone=phone), Deadline.after(5))
    assert b"en-US" in vendor.requests[0].body


@pytest.mark.parametrize(("language", "tag", "again"), [("ru", "ru-RU", "Повторяю"), ("en", "en-US", "Once more")])
def test_the_answer_to_a_key_says_the_code_apart_and_twice(language: str, tag: str, again: str) -> None:
    document = ElementTree.fromstring(say_code("042742", language))
    assert [verb.tag for verb in document] == ["Say", "Hangup"]
    assert document[0].get("language") == tag
    assert (document[0].text or "").count("0, 4, 2, 7, 4, 2") == 2
    assert again in (document[0].text or "")


def test_an_address_is_written_as_xml() -> None:
    action = 'https://verify.example/v1/webhooks/twilio/a/b?x=1&y="<>'
    gather = ElementTree.fromstring(ask_for_key(action, "en"))[0]
    assert gather.get("action") == action


def test_the_longest_document_is_one_that_twilio_takes() -> None:
    assert len(ask_for_key("https://verify.example/" + "x" * 1000, "ru")) < 4000


# The key


def sign(url: str, form: dict[str, str], token: str = AUTH_TOKEN) -> str:
    text = url + "".join(f"{name}{value}" for name, value in sorted(form.items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def form(**changed: str) -> dict[str, str]:
    return {"CallSid": SID, "Digits": "1", "To": "+79000000001", "CalledCity": "", **changed}


def opened(given: dict[str, str], signature: str, url: str = WEBHOOK_URL) -> list[CallReport]:
    parameters = {name: (value,) for name, value in given.items()}
    return list(client().open_webhook(InboundWebhook(parameters, "vrf_1", url, signature)))


PRESSED = [CallReport(Verdict.PENDING, call_id=SID, verification_id="vrf_1", wants_code=True)]


def test_a_signed_key_is_told_the_code() -> None:
    assert opened(form(), sign(WEBHOOK_URL, form())) == PRESSED


def test_twilios_own_example() -> None:
    """twilio.com/docs/usage/security, in every SDK's tests: the URL, the parameters, the token 12345."""
    given = {"CallSid": "CA1234567890ABCDE", "Caller": "+12349013030", "Digits": "1234", "From": "+12349013030"}
    given |= {"To": "+18005551212"}
    own = Own({"account_sid": "AC", "auth_token": "12345", "from": "+1"}, "https://vendor.example", VendorHttp())
    url, parameters = "https://mycompany.com/myapp.php?foo=1&bar=2", {name: (value,) for name, value in given.items()}
    (report,) = own.open_webhook(InboundWebhook(parameters, "vrf_1", url, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="))
    assert report.wants_code


@pytest.mark.parametrize("key", ["0", "*", "#"])
def test_any_key_will_do(key: str) -> None:
    assert opened(form(Digits=key), sign(WEBHOOK_URL, form(Digits=key))) == PRESSED


@pytest.mark.parametrize(
    ("given_out", "signed"),
    [
        ("https://verify.example/k", "https://verify.example:443/k"),
        ("https://verify.example:8443/k", "https://verify.example/k"),
        ("https://verify.example:8443/k", "https://verify.example:8443/k"),
        ("http://127.0.0.1:3000/k", "http://127.0.0.1:3000/k"),
    ],
)
def test_the_port_may_be_signed_or_not(given_out: str, signed: str) -> None:
    assert opened(form(), sign(signed, form()), given_out) == PRESSED


@pytest.mark.parametrize("digits", [None, ""])
def test_an_event_without_a_key_is_ignored(digits: str | None) -> None:
    given = {name: value for name, value in form(CallStatus="completed").items() if name != "Digits"}
    given |= {} if digits is None else {"Digits": digits}
    assert opened(given, sign(WEBHOOK_URL, given)) == []


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "x",
        "0" * 28,
        "é\ud800",
        sign(WEBHOOK_URL, form())[:-1],
        sign(WEBHOOK_URL, form()).lower(),
        sign(WEBHOOK_URL, form(), "another-auth-token"),
        sign(WEBHOOK_URL, form(), ""),
        sign(WEBHOOK_URL, {}),
        sign(WEBHOOK_URL.replace("vrf_1", "vrf_2"), form()),
        sign(WEBHOOK_URL + "/", form()),
        sign(WEBHOOK_URL.replace("https", "http"), form()),
        sign(WEBHOOK_URL, form(Digits="2")),
        sign(WEBHOOK_URL, form(CallSid="CA" + "0b" * 16)),
        sign(WEBHOOK_URL, {name: value for name, value in form().items() if name != "To"}),
    ],
)
def test_a_forged_key_is_forbidden(signature: str) -> None:
    with pytest.raises(Forbidden):
        opened(form(), signature)


def test_a_thousand_forged_keys_are_told_nothing() -> None:
    chance, genuine = random.Random(14), sign(WEBHOOK_URL, form())
    for _ in range(1000):
        given = form()
        match chance.randrange(4):
            case 0:
                given[chance.choice(list(given))] = str(chance.randrange(10**6))
            case 1:
                del given[chance.choice(list(given))]
            case 2:
                given[f"{chance.choice(list(given))}[]"] = "1"
            case _:
                given = dict(zip(given, chance.sample(list(given.values()), len(given)), strict=True))
        if given != form():
            with pytest.raises(Forbidden):
                opened(given, genuine)


@pytest.mark.parametrize("name", ["CallSid", "Digits", "To"])
def test_a_repeated_parameter_is_refused(name: str) -> None:
    parameters = {each: (value,) for each, value in form().items()}
    parameters[name] *= 2  # type: ignore[assignment]
    with pytest.raises(InvalidRequest):
        client().open_webhook(InboundWebhook(parameters, "vrf_1", WEBHOOK_URL, sign(WEBHOOK_URL, form())))


def test_a_signed_event_of_no_call_is_refused() -> None:
    given = {"Digits": "1"}
    with pytest.raises(InvalidRequest, match="CallSid"):
        opened(given, sign(WEBHOOK_URL, given))


# Credentials


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_sid", "SK" + "0" * 32),
        ("account_sid", "AC" + "0" * 31),
        ("account_sid", "AC" + "0" * 31 + "/"),
        ("auth_token", "too short"),
        ("auth_token", "with a space in it"),
        ("from", "15005550006"),
        ("from", "client:me"),
        ("from", "+1 500 555 0006"),
    ],
)
def test_an_unusable_credential_is_named(field: str, value: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        client(**{field: value})
    assert caught.value.setting == f"provider-credentials: twilio.{field}"


def test_without_countries_it_calls_nobody() -> None:
    assert lines(NAME, case(NAME).credentials, VendorHttp()) == []


def test_a_window_of_ours() -> None:
    assert line_of(NAME).window == 300
    assert line_of(NAME, window_seconds=900).window == 900


def test_what_it_answers_where_nothing_is_to_be_said() -> None:
    assert [verb.tag for verb in ElementTree.fromstring(HANG_UP)] == ["Hangup"]
