"""The façade for Twilio Verify's SDKs: the same verifications, in Twilio's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from callverify.domain.verification import PROOF_SECONDS
from callverify.runtime import wiring
from callverify.service.context import number_of_id
from functions.authorize import app as authorize
from tests.support.document import violations_of
from tests.support.follow_ups import end
from tests.support.gateway import PHONE, Api, allows, load_event
from tests.support.handlers import HANDLERS, Answer, answer_of
from tests.support.surroundings import (
    LIVE_KEY,
    NO_SCOPE_KEY,
    OTHER_LIVE_KEY,
    READ_KEY,
    TEST_KEY,
    THREE_ROUTES,
    items,
)
from tests.support.template import FUNCTIONS
from tests.support.twilio_verify import ACCOUNT, OTHER_SERVICE, ROOT, SERVICE, Client, basic

PARAMETERS = THREE_ROUTES


@pytest.fixture
def client(api: Api) -> Client:
    api.phones.add(PHONE)
    return Client(api, load_event)


def other(api: Api, key: str = LIVE_KEY, **more: str) -> Client:
    return Client(api, load_event, key, **more)


def refused(answer: Answer, status: int, code: int) -> Answer:
    """An error as the SDKs raise it."""
    assert (answer.status, answer.body["code"], answer.body["status"]) == (status, code, status), answer.body
    assert answer.body.keys() == {"code", "message", "more_info", "status"}
    assert answer.body["message"]
    assert answer.body["more_info"].endswith(str(code))
    assert answer.headers["Content-Type"] == "application/json"
    assert violations_of(answer.body, "SdkError") == []
    return answer


def reverse(client: Client, phone: str = PHONE) -> Answer:
    """A started reverse call."""
    created = client.create(phone, "sna")
    assert created.status == 201, created.body
    return created


def number_to_call() -> str:
    """What the page shows."""
    (record,) = [item for item in items() if item["pk"].startswith("verification#") and item["status"] == "pending"]
    return str(record["challenge"]["number"])


def call(api: Api) -> None:
    """The user calls the number that the page shows."""
    api.simulators.dial(PHONE, number_to_call())


# Journeys


@pytest.mark.parametrize("channel", ["call", "sms", "whatsapp", "auto"])
def test_a_flash_call_is_created_and_checked(api: Api, client: Client, channel: str) -> None:
    created = client.create(PHONE, channel)
    assert created.status == 201
    assert re.fullmatch("VE[0-9a-f]{32}", created["sid"])
    assert {name: created[name] for name in ("service_sid", "account_sid", "to", "channel", "status", "valid")} == {
        "service_sid": SERVICE,
        "account_sid": ACCOUNT,
        "to": PHONE,
        "channel": channel,
        "status": "pending",
        "valid": False,
    }
    assert created["sna"] is None
    (attempt,) = created["send_code_attempts"]
    assert re.fullmatch("VL[0-9a-f]{32}", attempt["attempt_sid"])

    wrong = client.check(To=PHONE, Code=api.wrong_code(PHONE))
    assert (wrong.status, wrong["status"], wrong["valid"], wrong["sid"]) == (200, "pending", False, created["sid"])
    right = client.check(To=PHONE, Code=api.code(PHONE))
    assert (right.status, right["status"], right["valid"], right["sid"]) == (200, "approved", True, created["sid"])
    refused(client.check(To=PHONE, Code=api.code(PHONE)), 404, 20404)
    refused(client.fetch(created["sid"]), 404, 20404)


def test_a_check_by_sid_takes_the_number_too(api: Api, client: Client) -> None:
    sid = client.create(PHONE)["sid"]
    refused(client.check(VerificationSid=sid, To="+79000000012", Code=api.code(PHONE)), 404, 20404)
    assert client.check(VerificationSid=sid, To=PHONE, Code=api.code(PHONE))["valid"] is True


def test_a_reverse_call_is_approved_by_its_sid_once(api: Api, client: Client) -> None:
    created = reverse(client)
    sid = created["sid"]
    assert created["sna"]["url"].startswith("https://")
    assert "/page#id=vrf_" in created["sna"]["url"]
    waiting = client.check(VerificationSid=sid)
    assert (waiting.status, waiting["status"], waiting["valid"]) == (200, "pending", False)
    assert violations_of(waiting.body, "SdkChecked") == []
    assert violations_of(created.body, "SdkVerification") == []
    assert client.fetch(sid)["sna"] is None

    call(api)
    assert client.fetch(sid)["status"] == "pending"  # a fetch never says approved
    approved = client.check(VerificationSid=sid)
    assert (approved.status, approved["status"], approved["valid"]) == (200, "approved", True)
    refused(client.check(VerificationSid=sid), 404, 20404)
    refused(client.fetch(sid), 404, 20404)


def test_a_call_that_came_is_approved_within_ten_minutes_of_it(api: Api, client: Client) -> None:
    created = reverse(client)
    call(api)
    api.advance(PROOF_SECONDS)
    refused(client.fetch(created["sid"]), 404, 20404)
    refused(client.check(VerificationSid=created["sid"]), 404, 20404)


def test_a_reverse_call_is_not_checked_by_its_number(api: Api, client: Client) -> None:
    """An attacker who typed a user's number would be let in by that user's call."""
    reverse(client)
    call(api)
    answer = refused(client.check(To=PHONE), 400, 60200)
    assert "`VerificationSid`" in answer["message"]
    refused(client.check(To=PHONE, Code="0000"), 404, 20404)
    refused(client.fetch(PHONE), 404, 20404)
    refused(client.update(PHONE), 404, 20404)


def test_a_live_reverse_call_is_told_to_nobody(api: Api, client: Client) -> None:
    created = reverse(client)
    for each in (client, other(api, service=OTHER_SERVICE), other(api, OTHER_LIVE_KEY)):
        for channel in ("sna", "call"):
            answer = refused(each.create(PHONE, channel), 429, 60212)
            assert 0 < int(answer.headers["Retry-After"]) <= 120
            assert created["sid"] not in str(answer.body)


def test_a_second_create_of_a_code_repeats_its_call(api: Api, client: Client) -> None:
    created = client.create(PHONE)
    refused(client.create(PHONE), 429, 60203)  # the vendor's own repeat is not open yet
    api.advance(61)
    again = client.create(PHONE, "sms")
    assert (again.status, again["sid"]) == (201, created["sid"])
    assert [each["action"] for each in api.simulators.get("/requests")["requests"]] == ["initCall", "initRepeat"]
    refused(other(api, OTHER_LIVE_KEY).create(PHONE), 429, 60212)
    refused(other(api, service=OTHER_SERVICE).create(PHONE), 429, 60212)
    refused(client.create(PHONE, "sna"), 429, 60212)


@pytest.mark.parametrize("api", [{"ProviderOrder": "new_tel:flash_call"}], indirect=True)
def test_a_second_create_gives_the_live_one_where_nothing_repeats(api: Api, client: Client) -> None:
    created = client.create(PHONE)
    again = client.create(PHONE)
    assert (again.status, again["sid"], api.paid_calls()) == (201, created["sid"], 1)
    assert client.check(To=PHONE, Code=api.code(PHONE))["valid"] is True


def test_a_verification_is_canceled_by_sid_or_number(api: Api, client: Client) -> None:
    for named in ("sid", PHONE):
        created = client.create(PHONE)
        canceled = client.update(created["sid"] if named == "sid" else named)
        assert (canceled.status, canceled["status"], canceled["sid"]) == (200, "canceled", created["sid"])
        assert client.fetch(created["sid"])["status"] == "canceled"
        refused(client.update(created["sid"]), 404, 20404)
        refused(client.check(VerificationSid=created["sid"], Code="0000"), 404, 20404)
        api.advance(120)


@pytest.mark.parametrize("named", ["+79000000011", " 79000000011", "%2B79000000011", "79000000011"])
def test_a_number_in_a_path_is_read_however_it_is_written(client: Client, named: str) -> None:
    created = client.create(PHONE)
    fetched = client.fetch(named)
    assert (fetched.status, fetched["sid"], fetched["to"]) == (200, created["sid"], PHONE)
    assert client.fetch(created["sid"])["to"] == "+7******0011"  # kept is the mask alone


def test_what_has_expired_reads_so_and_is_gone_to_a_check(api: Api, client: Client) -> None:
    created = client.create(PHONE)
    api.advance(301)
    assert client.fetch(created["sid"])["status"] == "expired"
    refused(client.check(To=PHONE, Code=api.code(PHONE)), 404, 20404)
    end(wiring.service(), id_of(created))
    assert client.fetch(created["sid"])["status"] == "expired"


def test_nothing_approves_but_a_check(client: Client) -> None:
    sid = client.create(PHONE)["sid"]
    refused(client.update(sid, "approved"), 403, 20403)
    refused(client.update(sid, "pending"), 400, 60200)
    assert client.fetch(sid)["status"] == "pending"


def test_attempts_are_told_of_one_verification(api: Api, client: Client) -> None:
    sid = client.create(PHONE)["sid"]
    listed = client.attempts(VerificationSid=sid)
    assert violations_of(listed.body, "SdkAttempts") == []
    (attempt,) = listed["attempts"]
    assert (attempt["verification_sid"], attempt["conversion_status"]) == (sid, "unconverted")
    client.check(To=PHONE, Code=api.code(PHONE))
    (attempt,) = client.attempts(VerificationSid=sid, VerifyServiceSid=SERVICE)["attempts"]
    assert attempt["conversion_status"] == "converted"
    refused(client.attempts(VerificationSid=sid, VerifyServiceSid=OTHER_SERVICE), 404, 20404)
    refused(client.attempts(), 400, 60200)


@pytest.mark.parametrize(
    "name", ["ChannelDataTo", "Channel", "Country", "Status", "DateCreatedAfter", "DateCreatedBefore"]
)
def test_attempts_are_filtered_by_nothing_else(client: Client, name: str) -> None:
    """A filter that is passed over would list what the caller did not ask for."""
    sid = client.create(PHONE)["sid"]
    answer = refused(client.attempts(VerificationSid=sid, **{name: "x"}), 400, 60200)
    assert f"`{name}`" in answer["message"]
    assert len(client.attempts(VerificationSid=sid, PageSize="20", Page="0")["attempts"]) == 1


def test_a_parameter_of_a_query_is_given_once(client: Client) -> None:
    sid = client.create(PHONE)["sid"]
    twice = {"VerificationSid": [sid, "VE" + "0" * 32]}
    answer = client.send("twilio_verify_attempts", f"{ROOT}/Attempts", multiValueQueryStringParameters=twice)
    assert "`VerificationSid`" in refused(answer, 400, 60200)["message"]


def test_an_attempt_at_a_reverse_call_is_converted_once_it_is_approved(api: Api, client: Client) -> None:
    created = reverse(client)
    call(api)
    states = []
    for _ in range(2):
        states += [each["conversion_status"] for each in client.attempts(VerificationSid=created["sid"])["attempts"]]
        client.check(VerificationSid=created["sid"])
    assert states == ["unconverted", "converted"]


def test_services_are_read_as_they_are(api: Api, client: Client) -> None:
    service = client.get(f"Services/{SERVICE}")
    assert (service.status, service["sid"], service["code_length"]) == (200, SERVICE, 4)
    assert violations_of(client.get("Services").body, "SdkServices") == []
    (listed,) = client.get("Services")["services"]
    assert re.fullmatch("VA[0-9a-f]{32}", listed["sid"])
    refused(other(api, service="VAx").get("Services/VAx"), 404, 20404)
    refused(client.get(f"Services/{SERVICE}/Entities"), 404, 20404)


@pytest.mark.parametrize(("phone", "channel"), [("+79000000101", "call"), ("+79000000103", "sna")])
def test_a_test_key_verifies_the_test_numbers(api: Api, phone: str, channel: str) -> None:
    client = other(api, TEST_KEY)
    created = client.create(phone, channel)
    assert created.status == 201
    if channel == "call":
        assert client.check(To=phone, Code="0000")["status"] == "approved"
    else:
        api.advance(3)
        api.ask(id_of(created, test=True))
        assert client.check(VerificationSid=created["sid"])["status"] == "approved"
    refused(other(api).fetch(created["sid"]), 404, 20404)
    assert api.requests() == []


def id_of(created: Answer, *, test: bool = False) -> str:
    (found,) = [item["id"] for item in items() if item["pk"].startswith("verification#")]
    assert found.startswith("vrf_test_") is test
    assert created["sid"]
    return str(found)


# What is sent along


def test_what_is_sent_along_is_what_our_own_start_takes(api: Api, client: Client) -> None:
    created = client.create(PHONE, DeviceIp="203.0.113.7", Tags='{"shop": "main"}', Locale="ru-RU", RiskCheck="enable")
    found = api.status(id_of(created))
    assert (found["metadata"], found["allowed_methods"]) == ({"shop": "main"}, ["flash_call"])
    (record,) = [item for item in items() if item["pk"].startswith("verification#")]
    assert record["locale"] == "ru"
    assert record["address_hash"]


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({"CustomCode": "1234"}, "CustomCode"),
        ({"CustomMessage": "x"}, "CustomMessage"),
        ({"CustomFriendlyName": "x"}, "CustomFriendlyName"),
        ({"TemplateSid": "HJ1"}, "TemplateSid"),
        ({"TemplateCustomSubstitutions": "{}"}, "TemplateCustomSubstitutions"),
        ({"SendDigits": "1"}, "SendDigits"),
        ({"Amount": "1", "Payee": "x"}, "Amount"),
        ({"RateLimits": "{}"}, "RateLimits"),
        ({"ChannelConfiguration": "{}"}, "ChannelConfiguration"),
        ({"AppHash": "x"}, "AppHash"),
        ({"EnableSnaClientToken": "true"}, "EnableSnaClientToken"),
        ({"RiskCheck": "disable"}, "RiskCheck"),
        ({"Channel": "email"}, "Channel"),
        ({"Channel": "CALL"}, "Channel"),
        ({"Channel": ""}, "Channel"),
        ({"To": ""}, "To"),
        ({"To": "112"}, "To"),
        ({"To": "+79000000011;ext=5"}, "To"),
        ({"To": "+79000000101"}, ""),
        ({"Locale": "r u"}, "Locale"),
        ({"Locale": "ru" + "-abcdefgh" * 5}, "Locale"),
        ({"Tags": "x"}, "Tags"),
        ({"Tags": "[1]"}, "Tags"),
        ({"Tags": '{"a": 1}'}, "Tags"),
        ({"DeviceIp": "x"}, "DeviceIp"),
        ({"Surprise": "1"}, "Surprise"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_name(
    api: Api, client: Client, form: dict[str, str], named: str
) -> None:
    answer = refused(client.post(**{"To": PHONE, "Channel": "call", **form}), 400, 60200)
    assert not named or f"`{named}`" in answer["message"]
    assert api.requests() == []


@pytest.mark.parametrize("body", ["To=%2B79000000011&To=x&Channel=call", "{}", "a=1&" * 50, "\x00", "x" * 17_000])
def test_a_body_that_is_no_form_is_refused(api: Api, client: Client, body: str) -> None:
    event = load_event("twilio_verify_create")
    event["headers"]["Authorization"] = client.authorization
    refused(api.pass_gateway(event | {"body": body}), 400, 60200)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_body_of_another_type_is_refused_by_its_type(api: Api, client: Client, content_type: str) -> None:
    event = load_event("twilio_verify_create")
    event["headers"] |= {"Authorization": client.authorization, "content-type": content_type}
    answer = refused(api.pass_gateway(event | {"body": json.dumps({"To": PHONE, "Code": "0427"})}), 400, 60200)
    assert "application/x-www-form-urlencoded" in answer["message"]
    assert "0427" not in answer["message"]  # nothing of the body


@pytest.mark.parametrize("content_type", [None, "Application/X-WWW-Form-Urlencoded; charset=UTF-8"])
def test_a_form_is_one_however_its_type_is_written(api: Api, client: Client, content_type: str | None) -> None:
    event = load_event("twilio_verify_create")
    del event["headers"]["content-type"]
    event["headers"] |= {"Authorization": client.authorization, "CONTENT-TYPE": content_type}
    event["headers"] = {name: text for name, text in event["headers"].items() if text}
    assert api.pass_gateway(event | {"body": "To=%2B79000000011&Channel=call"}).status == 201


@pytest.mark.parametrize("form", [{}, {"Code": "0000"}, {"To": PHONE}, {"VerificationSid": "VE1", "To": PHONE}])
def test_a_check_of_nothing_is_refused(client: Client, form: dict[str, str]) -> None:
    answer = client.check(**form)
    assert (answer.status, answer["code"]) in ((400, 60200), (404, 20404))


@pytest.mark.parametrize("code", ["12345", "abcd", "000", "٠٠٠٠"])
def test_a_code_that_is_none_costs_no_check(api: Api, client: Client, code: str) -> None:
    created = client.create(PHONE)
    answer = refused(client.check(To=PHONE, Code=code), 400, 60200)
    assert "`Code`" in answer["message"]
    assert "{" not in answer["message"]  # a parameter's value, not our own API's body
    assert api.status(id_of(created))["checks_remaining"] == 5


def test_a_code_call_needs_its_code(client: Client) -> None:
    answer = refused(client.check(VerificationSid=client.create(PHONE)["sid"]), 400, 60200)
    assert "`Code`" in answer["message"]


def test_a_reverse_call_has_no_code(client: Client) -> None:
    refused(client.check(VerificationSid=reverse(client)["sid"], Code="0000"), 400, 60200)


# Errors


def test_five_wrong_codes_are_the_most(api: Api, client: Client) -> None:
    client.create(PHONE)
    states = [client.check(To=PHONE, Code=api.wrong_code(PHONE))["status"] for _ in range(5)]
    assert states == ["pending"] * 4 + ["max_attempts_reached"]
    refused(client.check(To=PHONE, Code=api.code(PHONE)), 429, 60202)
    assert client.fetch(PHONE)["status"] == "max_attempts_reached"


def test_limits_of_a_phone_are_max_sends_and_others_max_rate(client: Client) -> None:
    for _ in range(2):
        client.create(PHONE)
        client.update(PHONE)
    answer = refused(client.create(PHONE), 429, 60203)
    assert int(answer.headers["Retry-After"]) == 20


@pytest.mark.parametrize("api", [{"StackPaidHourLimit": "1"}], indirect=True)
def test_limits_of_the_stack_are_max_rate(client: Client) -> None:
    client.create(PHONE)
    answer = refused(client.create("+79000000012"), 429, 60207)
    assert answer.headers["Retry-After"]


def test_a_country_that_is_not_allowed_is_geo_permission(client: Client) -> None:
    refused(client.create("+77010000001"), 403, 60605)


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("number_refused", 400, 60200), ("no_money", 503, 20503), ("timeout", 503, 20503)]
)
def test_what_a_provider_fails_with(api: Api, client: Client, fault: str, status: int, code: int) -> None:
    for provider in ("telefon_ip", "smsc"):
        api.simulators.fault(provider, fault)
    refused(client.create(PHONE, "sna"), status, code)


def test_a_fault_of_ours_says_nothing_of_its_cause(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callverify.service.doors.Door.start", lambda *_: 1 / 0)
    assert "zero" not in refused(client.create(PHONE), 500, 20500)["message"]


# Who may


@pytest.mark.parametrize(
    "authorization",
    [
        basic(ACCOUNT, "cv_live_" + "U" * 43),
        basic(ACCOUNT, ""),
        basic("user", LIVE_KEY),
        basic("", LIVE_KEY),
        basic(ACCOUNT.upper(), LIVE_KEY),
        basic(ACCOUNT, "cvt.a.b.c"),
        "Basic",
        "Basic x",
        "Basic " + "/" * 40,
        "basic \ud800",
    ],
    ids=ascii,
)
def test_an_unknown_basic_credential_is_told_so_in_twilios_words(client: Client, authorization: str) -> None:
    client.authorization = authorization
    for answer in (
        client.create(PHONE),
        client.fetch(PHONE),
        client.update("x"),
        client.check(),
        client.attempts(),
        client.get("Services"),
        client.get(f"Services/{SERVICE}"),
        client.get("nothing"),
    ):
        refused(answer, 401, 20003)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert items() == []


@pytest.mark.parametrize("account", [ACCOUNT, "SK" + "d" * 32])
def test_an_account_or_a_key_sid_stands_before_the_api_key(api: Api, account: str) -> None:
    created = other(api, account=account).create(PHONE)
    assert created.status == 201
    assert re.fullmatch("AC[0-9a-f]{32}", created["account_sid"])


def test_scopes_are_those_of_the_key(api: Api, client: Client) -> None:
    sid = client.create(PHONE)["sid"]
    reader, nobody = other(api, READ_KEY), other(api, NO_SCOPE_KEY)
    assert reader.fetch(sid).status == 200
    for each in (reader, nobody):
        refused(each.create(PHONE), 403, 20403)
        refused(each.check(VerificationSid=sid, Code="0000"), 403, 20403)
        refused(each.update(sid), 403, 20403)
    refused(nobody.fetch(sid), 403, 20403)


def test_a_verification_belongs_to_its_service(api: Api, client: Client) -> None:
    created = reverse(client)
    stranger = other(api, service=OTHER_SERVICE)
    call(api)
    for answer in (
        stranger.fetch(created["sid"]),
        stranger.update(created["sid"]),
        stranger.check(VerificationSid=created["sid"]),
    ):
        refused(answer, 404, 20404)
    assert client.check(VerificationSid=created["sid"])["valid"] is True


def test_a_verification_of_our_own_api_is_none_of_the_facades(api: Api, client: Client) -> None:
    native = api.start(method="flash_call")
    client.create("+79000000012")
    sid = f"VE{number_of_id(native.id):032x}"
    refused(client.fetch(sid), 404, 20404)
    refused(client.attempts(VerificationSid=sid), 404, 20404)
    refused(client.check(VerificationSid=sid, Code=api.code(PHONE)), 404, 20404)
    refused(client.check(To=PHONE, Code=api.code(PHONE)), 404, 20404)


BASE = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1/"


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("key", [LIVE_KEY, "unknown"])
def test_a_basic_credential_opens_the_facades_routes_alone(key: str) -> None:
    """The gateway keeps one answer for all requests with the same credential."""
    event = {"type": "TOKEN", "authorizationToken": basic(ACCOUNT, key), "methodArn": f"{BASE}GET/twilio/v2/Services"}
    opened = authorize.handler(event, None)["policyDocument"]
    bearer = authorize.handler(event | {"authorizationToken": f"Bearer {LIVE_KEY}"}, None)["policyDocument"]
    for method, resource in HANDLERS:
        path = f"{BASE}{method}{resource}"
        assert allows(opened, path) is ("/twilio/" in resource)
        assert not (allows(bearer, path) and "/twilio/" in resource)


def test_an_unknown_basic_credential_is_401_at_our_own_routes(api: Api) -> None:
    for key, status in (("unknown", 401), (LIVE_KEY, 403)):
        event = load_event("status")
        event["headers"]["Authorization"] = basic(ACCOUNT, key)
        assert api.pass_gateway(event).status == status


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("kind", ["nobody", "basic", "api_key", "client_token", ""])
def test_each_function_knows_its_own_kinds_of_callers_alone(kind: str) -> None:
    """A gateway that is set up wrongly must not open what the credential does not."""
    names: list[tuple[str, Callable[[Answer], Any]]] = [
        ("status", lambda answer: answer["code"]),
        ("start_telefon_ip", lambda answer: answer["code"]),
        ("twilio_verify_fetch", lambda answer: answer["code"]),
    ]
    for name, code in names:
        event = load_event(name)
        event["requestContext"]["authorizer"]["kind"] = kind
        answer = answer_of(HANDLERS[event["httpMethod"], event["resource"]](event, None))
        if kind not in ({"basic"} if name.startswith("twilio") else {"api_key", "client_token"}):
            assert (answer.status, code(answer)) in ((401, "unauthorized"), (401, 20003))


def test_every_route_of_the_template_has_been_asked() -> None:
    events = FUNCTIONS["TwilioVerifyFunction"]["Events"].values()
    routes = {(event["Properties"]["Method"].upper(), event["Properties"]["Path"]) for event in events}
    assert routes == {route for route in HANDLERS if "/twilio/" in route[1]}
