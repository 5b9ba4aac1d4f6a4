"""Reverse calls: the user dials, the vendor reports, and only what is proven counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from callverify.domain.phone import e164_from_vendor
from callverify.domain.words import CallOutcome, CallReport, Challenge, Evidence, Outcome, Verdict
from callverify.providers.telefon_ip.client import Client as TelefonIp
from simulators.webhooks import Webhook
from tests.support.gateway import PHONE, Api, smsc_webhook, webhook_event
from tests.support.handlers import Answer
from tests.support.simulators import CREDENTIALS

STRANGER = "+79000000099"
SMSC = {"provider": "smsc"}
SMSC_WEBHOOK_TOKEN, SMSC_SECRET = CREDENTIALS["smsc"]["webhook_token"], CREDENTIALS["smsc"]["callback_secret"]
SMSC_PATH = f"/webhooks/smsc/{SMSC_WEBHOOK_TOKEN}"


def telefon_ip_webhook(api: Api, started: Answer, *, query: str | None = None, token: str | None = None) -> Webhook:
    """The vendor's report for a start, with another query or path token if given."""
    query = "success=True&phone=89000000011&id=022760" if query is None else query
    token = token or api.keys.webhook_token(started.id)
    return Webhook("telefon_ip", f"https://api.example/v1/webhooks/telefon_ip/{started.id}/{token}?{query}", 120)


# telefon-ip: a webhook is a hint, our own read proves


def test_the_webhook_makes_us_ask_the_vendor_and_the_answer_verifies(api: Api) -> None:
    started = api.start()
    api.dial(started, PHONE)

    assert [answer.status for answer in api.webhook_answers] == [200]
    assert api.requests() == ["reverse_auth_phone_post", "reverse_auth_phone_check"]
    verified = api.status(started.id)
    assert (verified["status"], verified["evidence"]) == ("verified", "provider_read_back")
    assert verified["verified_at"] == "2027-01-15T08:00:00Z"
    assert verified["reason"] is None


def test_a_lost_webhook_is_made_up_for_by_the_next_read(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_lost")
    started = api.start()
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "pending"
    api.advance(3)
    assert api.status(started.id)["evidence"] == "provider_read_back"


def test_reads_ask_the_vendor_at_most_every_three_seconds(api: Api) -> None:
    started = api.start()
    for _ in range(20):
        api.status(started.id)
        api.advance(0.5)
    assert api.requests().count("reverse_auth_phone_check") == 3


def test_a_webhook_that_comes_before_the_start_is_answered_counts(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_before_reply")
    started = api.start()
    assert (started["status"], [answer.status for answer in api.webhook_answers]) == ("pending", [200])
    assert api.status(started.id)["status"] == "verified"


def test_a_webhook_that_comes_twice_changes_nothing_more(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_twice")
    started = api.start()
    api.dial(started, PHONE)
    assert [answer.status for answer in api.webhook_answers] == [200, 200]
    verified = api.status(started.id)
    api.advance(60)
    assert api.send_webhook(api.simulators.sent[0]).status == 200
    assert api.status(started.id).body == verified.body
    assert api.requests().count("reverse_auth_phone_check") == 1


def test_a_webhook_that_comes_after_the_window_verifies_nothing(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_late", delay=120)
    started = api.start()
    api.dial(started, PHONE)
    api.advance(120)
    assert [answer.status for answer in api.webhook_answers] == [200]
    assert (api.status(started.id)["status"], api.status(started.id)["evidence"]) == ("expired", None)


def test_another_phone_that_calls_verifies_nobody_and_does_not_spoil_the_right_one(api: Api) -> None:
    started = api.start()
    api.dial(started, STRANGER)
    assert api.status(started.id)["status"] == "pending"
    assert api.metrics()["WrongCaller"] == 1
    api.advance(3)
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize("with_status", [False, True])
def test_a_vendor_that_echoes_the_claimed_phone_while_it_waits_verifies_nobody(api: Api, with_status: bool) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0, status=with_status)
    started = api.start()
    for _ in range(5):
        api.advance(3)
        assert api.status(started.id)["status"] == "pending"
    assert api.requests().count("reverse_auth_phone_check") == 5


def test_an_answer_without_a_status_counts_once_this_verifications_own_webhook_came(api: Api) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0)
    started = api.start()
    api.advance(3)
    assert api.status(started.id)["status"] == "pending"
    api.dial(started, PHONE)
    assert api.status(started.id)["evidence"] == "provider_read_back"


def test_an_answer_without_a_status_from_another_caller_counts_for_nothing(api: Api) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0)
    started = api.start()
    api.dial(started, STRANGER)
    api.advance(3)
    assert api.status(started.id)["status"] == "pending"


@pytest.mark.parametrize("fault", ["timeout", "http_500", "malformed_json", "bad_credentials"])
def test_a_vendor_that_cannot_be_read_leaves_the_verification_pending(api: Api, fault: str) -> None:
    started = api.start()
    api.simulators.fault("telefon_ip", fault, on="check")
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "pending"
    api.advance(3)
    assert api.status(started.id)["status"] == "verified"


def test_without_a_webhook_reads_alone_verify(api: Api) -> None:
    api.configure("telefon_ip", start="get")
    started = api.start()
    api.dial(started, PHONE)
    assert api.requests() == ["reverse_auth_phone_get"]
    api.advance(3)
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("phone=89000000011&id=022760", 400),
        ("success=True&id=022760", 400),
        ("success=True&phone=89000000011", 400),
        ("success=True&phone=89000000011&id=", 400),
        ("success=True&phone=89000000011&id=22760&id=22760", 400),
        ("success=True&success=True&phone=89000000011&id=022760", 400),
        ("success=True&phone=nobody&id=022760", 400),
        ("success=True&phone=89000000011&id=x", 400),
        ("", 400),
        ("success=False&phone=89000000011&id=022760", 200),
        ("success=True&phone=89000000011&id=999999", 200),
    ],
)
def test_a_telefon_ip_webhook_that_is_not_a_success_of_this_call_asks_nobody(api: Api, query: str, status: int) -> None:
    started = api.start()
    answer = api.send_webhook(telefon_ip_webhook(api, started, query=query))
    assert answer.status == status
    assert answer.body == "OK" if status == 200 else answer["code"] == "invalid_request"
    assert api.requests() == ["reverse_auth_phone_post"]


def test_a_form_post_is_read_like_the_query(api: Api) -> None:
    started = api.start()
    api.simulators.client.post(f"/phone/{PHONE}/dial", json={"number": started["challenge"]["number"]})
    form = {"success": "True", "phone": "89000000011", "id": "022760"}
    assert api.send_webhook(replace(telefon_ip_webhook(api, started, query=""), form=form)).status == 200
    assert api.requests()[-1] == "reverse_auth_phone_check"
    assert api.status(started.id)["status"] == "verified"


def test_a_token_opens_its_own_verification_alone(api: Api) -> None:
    first, second = api.start(), api.start("+79000000012")
    api.dial(first, PHONE)
    others = api.keys.webhook_token(first.id)
    for token in (others, "x", api.keys.webhook_token(second.id)[:-1], api.keys.webhook_token(second.id) + "x"):
        answer = api.send_webhook(telefon_ip_webhook(api, second, token=token))
        assert (answer.status, answer["code"]) == (404, "not_found")
    assert api.status(second.id)["status"] == "pending"


def test_a_webhook_for_a_verification_that_is_not_there_is_answered_ok(api: Api) -> None:
    started = api.start()
    api.advance(30 * 60 + 24 * 3600)
    assert api.send_webhook(telefon_ip_webhook(api, started)).status == 200


def test_a_report_of_an_earlier_attempt_counts_for_nothing(api: Api) -> None:
    started = api.start()
    api.simulators.fault("telefon_ip", "webhook_late", delay=25)
    api.dial(started, PHONE)
    api.advance(20)
    assert api.switch(started.id, PHONE, "flash_call").status == 200
    api.advance(5)
    assert [answer.status for answer in api.webhook_answers] == [200]
    assert api.status(started.id)["status"] == "pending"
    assert api.requests("telefon_ip") == ["reverse_auth_phone_post"]


# smsc: the signature proves


def test_a_signed_callback_verifies(api: Api) -> None:
    started = api.start(**SMSC)
    api.advance(7)
    api.dial(started, PHONE)
    assert [(answer.status, answer.body) for answer in api.webhook_answers] == [(200, "OK")]
    verified = api.status(started.id)
    assert (verified["status"], verified["evidence"]) == ("verified", "provider_signature")
    assert verified["verified_at"] == "2027-01-15T08:00:07Z"


@pytest.mark.parametrize("api", [{"AllowedCountries": "RU,VN,HK,KZ"}], indirect=True)
@pytest.mark.parametrize(
    ("phone", "reported"),
    [
        ("+84912345678", "84912345678"),
        ("+85251234567", "85251234567"),
        ("+79000000011", "89000000011"),
        ("+79000000011", "79000000011"),
        ("+77010000011", "87010000011"),
    ],
)
def test_an_8_is_read_as_plus_7_only_for_a_phone_that_begins_so(api: Api, phone: str, reported: str) -> None:
    started = api.start(phone, **SMSC)
    md5 = hashlib.md5(f"{reported}:{api.now}:{SMSC_SECRET}".encode()).hexdigest()
    assert api.send_webhook(smsc_webhook(phone, api.now, phone=reported, md5=md5)).status == 200
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize("api", [{"AllowedCountries": "RU,VN"}], indirect=True)
@pytest.mark.parametrize(
    ("reported", "status"), [("84912345678", "verified"), ("89000000011", "pending"), ("84912345679", "pending")]
)
def test_a_number_read_back_is_compared_with_the_phone_in_its_own_country(
    api: Api, monkeypatch: pytest.MonkeyPatch, reported: str, status: str
) -> None:
    # The simulator, like the vendor's page, takes Russian numbers alone.
    number = Challenge.call_number("+79644115786")
    report = CallReport(Verdict.CONFIRMED, e164_from_vendor(reported), "22760", evidence=Evidence.PROVIDER_READ_BACK)
    monkeypatch.setattr(TelefonIp, "start", lambda *_: CallOutcome(Outcome.STARTED, challenge=number, call_id="22760"))
    monkeypatch.setattr(TelefonIp, "check", lambda *_: report)
    started = api.start("+84912345678", provider="telefon_ip")
    api.advance(3)
    assert api.status(started.id)["status"] == status


Change = Callable[[int], Webhook]


@pytest.mark.parametrize(
    ("webhook", "status"),
    [
        pytest.param(lambda now: smsc_webhook(PHONE, now, md5="0" * 32), 403, id="forged"),
        pytest.param(lambda now: smsc_webhook(STRANGER, now, phone="79000000011"), 403, id="signed for another"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, ts=str(now + 1)), 403, id="signed for another time"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, md5=""), 400, id="no signature"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, phone=""), 400, id="no phone"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, ts=""), 400, id="no time"),
        pytest.param(lambda now: smsc_webhook(PHONE, now - 1), 403, id="before the start"),
        pytest.param(lambda now: smsc_webhook(PHONE, now + 301), 403, id="after the window"),
        pytest.param(lambda now: smsc_webhook(STRANGER, now), 200, id="a phone that nobody verifies"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, waitcall="0"), 200, id="not a call"),
        pytest.param(lambda now: smsc_webhook(PHONE, now, waitcall=""), 200, id="no event"),
    ],
)
def test_a_callback_that_does_not_prove_this_call_verifies_nobody(api: Api, webhook: Change, status: int) -> None:
    started = api.start(**SMSC)
    assert api.send_webhook(webhook(api.now)).status == status
    assert api.status(started.id)["status"] == "pending"
    assert api.send_webhook(smsc_webhook(PHONE, api.now)).status == 200
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize("seconds", [0, 300])
def test_the_ends_of_the_window_are_within_it(api: Api, seconds: int) -> None:
    started = api.start(**SMSC)
    webhook = smsc_webhook(PHONE, api.now + seconds)
    api.advance(299)
    api.send_webhook(webhook)
    assert api.status(started.id)["status"] == "verified"


def test_a_signed_callback_that_comes_after_the_window_verifies_nothing(api: Api) -> None:
    started = api.start(**SMSC)
    webhook = smsc_webhook(PHONE, api.now + 10)
    api.advance(300)
    assert api.send_webhook(webhook).status == 200
    assert api.status(started.id)["status"] == "expired"


def test_a_callback_is_good_for_one_verification(api: Api) -> None:
    first = api.start(**SMSC)
    api.advance(20)
    webhook = smsc_webhook(PHONE, api.now + 200)
    api.send_webhook(webhook)
    assert api.status(first.id)["status"] == "verified"
    api.advance(120)
    second = api.start(**SMSC)
    assert second.status == 201
    assert api.send_webhook(webhook).status == 200
    assert api.status(second.id)["status"] == "pending"


def test_a_callback_twice_is_one_verification(api: Api) -> None:
    api.simulators.fault("smsc", "webhook_twice")
    started = api.start(**SMSC)
    api.dial(started, PHONE)
    assert [answer.status for answer in api.webhook_answers] == [200, 200]
    assert api.metrics()["Verified"] == 1


def test_a_callback_before_the_start_is_answered_verifies_too(api: Api) -> None:
    api.simulators.fault("smsc", "webhook_before_reply")
    started = api.start(**SMSC)
    assert started.status == 201
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize("name", ["waitcall", "phone", "ts", "md5"])
def test_a_parameter_given_twice_is_400(api: Api, name: str) -> None:
    started = api.start(**SMSC)
    webhook = smsc_webhook(PHONE, api.now)
    assert webhook.form
    # Once in the form, once in the query.
    answer = api.send_webhook(replace(webhook, url=f"{webhook.url}?{name}={webhook.form[name]}"))
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.status(started.id)["status"] == "pending"


def report_with(api: Api, body: str, content_type: str | None, query: dict[str, str] | None = None) -> Answer:
    """A callback of SMSC with this very body."""
    event = webhook_event(SMSC_PATH, "POST", body=body)
    event["headers"] = {k: v for k, v in event["headers"].items() if k.lower() != "content-type"}
    event["headers"] |= {"cOnTent-type": content_type} if content_type else {}
    event["multiValueQueryStringParameters"] = {name: [value] for name, value in (query or {}).items()} or None
    return api.pass_gateway(event)


def as_json(form: dict[str, str]) -> str:
    return json.dumps(form)


def as_form(form: dict[str, str]) -> str:
    return urlencode(form)


def as_multipart(form: dict[str, str]) -> str:
    parts = [f'--x7\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{form[name]}\r\n' for name in form]
    return f"{''.join(parts)}--x7--\r\n"


@pytest.mark.parametrize(
    ("write", "content_type"),
    [
        (as_json, "application/json"),
        (as_json, "Application/JSON"),
        (as_json, "APPLICATION/JSON ; Charset=UTF-8"),
        (as_json, "text/json"),
        (as_json, "application/vnd.smsc+JSON"),
        (as_json, None),
        (lambda form: f"\n {json.dumps(form)}", None),
        (lambda form: f"\ufeff{json.dumps(form)}", "application/json"),
        (lambda form: f"\ufeff{urlencode(form)}", "application/x-www-form-urlencoded"),
        (as_json, "text/plain"),
        (as_json, ""),
        (as_form, "application/x-www-form-urlencoded"),
        (as_form, "Application/X-WWW-Form-URLencoded; charset=windows-1251"),
        (as_form, None),
        (as_form, "text/plain;charset=json"),
        (lambda form: f"{urlencode(form)}&", "application/x-www-form-urlencoded"),
        (as_multipart, "multipart/form-data; boundary=x7"),
        (as_multipart, 'Multipart/Form-Data; charset=utf-8; Boundary="x7"'),
    ],
)
def test_a_body_is_read_by_its_media_type_or_by_how_it_begins(
    api: Api, write: Callable[[dict[str, str]], str], content_type: str | None
) -> None:
    started = api.start(**SMSC)
    form = smsc_webhook(PHONE, api.now).form
    assert form
    assert report_with(api, write(form), content_type).status == 200
    assert api.status(started.id)["status"] == "verified"
    assert api.metrics()["UnreadableWebhooks"] == 0


@pytest.mark.parametrize("name", ["waitcall", "phone", "ts", "md5"])
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda form, name: f'{json.dumps(form)[:-1]}, "{name}": "{form[name]}"}}', id="JSON"),
        pytest.param(lambda form, name: f'{{"{name}": {{"a": [1]}}, {json.dumps(form)[1:]}', id="JSON, nested first"),
        pytest.param(lambda form, name: f"{urlencode(form)}&{name}=", id="form, empty"),
        pytest.param(lambda form, name: as_multipart(form)[:-8] + as_multipart({name: form[name]}), id="multipart"),
    ],
)
def test_a_parameter_twice_in_one_body_is_400(api: Api, name: str, write: Callable[[dict[str, str], str], str]) -> None:
    started = api.start(**SMSC)
    form = smsc_webhook(PHONE, api.now).form
    assert form
    body = write(form, name)
    content_type = "multipart/form-data; boundary=x7" if body.startswith("--") else None
    assert report_with(api, body, content_type).status == 400
    assert report_with(api, as_json(form), None, {name: form[name]}).status == 400
    assert api.status(started.id)["status"] == "pending"


@pytest.mark.parametrize("name", ["success", "phone", "id"])
def test_telefon_ip_is_not_heard_with_a_parameter_twice_in_json(api: Api, name: str) -> None:
    started = api.start(provider="telefon_ip")
    event = webhook_event(f"/webhooks/telefon_ip/{started.id}/{api.keys.webhook_token(started.id)}", "POST")
    event["headers"] |= {"Content-Type": "Application/Json"}
    once = '"success": true, "phone": "89000000011", "id": "022760"'
    assert api.pass_gateway(event | {"body": f'{{{once}, "{name}": 1}}'}).status == 400
    assert api.pass_gateway(event | {"body": f"{{{once}}}"}).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("{", None),
        ("[1]", "application/json"),
        ("waitcall", "application/x-www-form-urlencoded"),
        ("<xml/>", "text/xml"),
        ("\x00" * 20_000, None),
        ("&".join(["a=1"] * 60), None),
        ("--x7--", "multipart/form-data; boundary=x7"),
        ("--x7\r\n\r\n1\r\n--x7--", "multipart/form-data; boundary=x7"),
        ('--x7\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "multipart/form-data; boundary=x7"),
        ("a=1", "multipart/form-data"),
        ("{" * 16_000, "application/json"),
    ],
)
def test_a_body_that_is_not_understood_has_a_metric_of_its_own(api: Api, body: str, content_type: str | None) -> None:
    answer = report_with(api, body, content_type)
    assert (answer.status, answer["code"]) == (400, "invalid_request")
    assert api.measured("UnreadableWebhooks") == [(1, "smsc")]
    assert api.metrics()["OtherWebhooks"] == 0


def test_another_path_token_is_404_whatever_is_signed(api: Api) -> None:
    started = api.start(**SMSC)
    webhook = smsc_webhook(PHONE, api.now)
    answer = api.send_webhook(replace(webhook, url=webhook.url.replace(SMSC_WEBHOOK_TOKEN, "guess")))
    assert (answer.status, answer["code"]) == (404, "not_found")
    assert api.status(started.id)["status"] == "pending"


def test_an_sms_status_is_acknowledged_and_ignored(api: Api) -> None:
    form = {"id": "1", "phone": "79000000011", "status": "1", "time": "22.11.2026 10:00:00", "md5": "0" * 32}
    answer = api.send_webhook(replace(smsc_webhook(PHONE, api.now), form=form))
    assert (answer.status, answer.body) == (200, "OK")


def test_a_callback_while_the_phone_is_at_another_provider_verifies_nobody(api: Api) -> None:
    started = api.start()
    assert api.send_webhook(smsc_webhook(PHONE, api.now)).status == 200
    assert api.status(started.id)["status"] == "pending"


def test_the_webhook_of_a_provider_that_is_switched_off_is_404(api: Api) -> None:
    api.set_credentials({})
    assert api.send_webhook(smsc_webhook(PHONE, api.now)).status == 404


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/x-www-form-urlencoded", "a=" + "x" * 17_000, 400),
        ("application/x-www-form-urlencoded", "&".join(["a=1"] * 60), 400),
        ("application/json", "[1]", 400),
        ("application/json", "{", 400),
        ("application/json", '{"id": 1, "status": {"a": 1}}', 200),
    ],
)
def test_a_webhooks_body_is_bounded_and_readable(api: Api, content_type: str, body: str, status: int) -> None:
    event = webhook_event(SMSC_PATH, "POST", body=body)
    event["headers"]["content-type"] = content_type
    assert api.pass_gateway(event).status == status
