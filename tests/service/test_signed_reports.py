"""Reverse calls whose reports are signed, and prove. Those of SMSC are, and they name the phone alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from simulators.webhooks import Webhook
from tests.support.gateway import PHONE, Api, smsc_webhook
from tests.support.simulators import CREDENTIALS

STRANGER = "+79000000099"
SMSC = {"provider": "smsc"}
SMSC_WEBHOOK_TOKEN, SMSC_SECRET = CREDENTIALS["smsc"]["webhook_token"], CREDENTIALS["smsc"]["callback_secret"]


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
    api.set_credentials({"smsc": CREDENTIALS["smsc"] | {"countries": ["RU", "VN", "HK", "KZ"]}})
    started = api.start(phone, **SMSC)
    md5 = hashlib.md5(f"{reported}:{api.now}:{SMSC_SECRET}".encode()).hexdigest()
    assert api.send_webhook(smsc_webhook(phone, api.now, phone=reported, md5=md5)).status == 200
    assert api.status(started.id)["status"] == "verified"


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
