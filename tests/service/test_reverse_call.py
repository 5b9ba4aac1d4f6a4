"""Reverse calls whose reports are hints: our own read proves. The reports of telefon-ip are such."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callverify.domain.phone import e164_from_vendor
from callverify.domain.words import CallOutcome, CallReport, Challenge, Evidence, Outcome, Verdict
from callverify.providers.telefon_ip.client import Client as TelefonIp
from simulators.webhooks import Webhook
from tests.support import surroundings
from tests.support.gateway import PHONE, Api, webhook_event
from tests.support.handlers import Answer

STRANGER = "+79000000099"


def telefon_ip_webhook(api: Api, started: Answer, *, query: str | None = None, token: str | None = None) -> Webhook:
    """The vendor's report for a start, with another query or path token if given."""
    query = "success=True&phone=89000000011&id=022760" if query is None else query
    token = token or api.keys.webhook_token(started.id)
    return Webhook("telefon_ip", f"https://api.example/v1/webhooks/telefon_ip/{started.id}/{token}?{query}", 120)


def test_the_webhook_makes_us_ask_the_vendor_and_the_answer_verifies(api: Api) -> None:
    started = api.start()
    api.dial(started, PHONE)

    assert [answer.status for answer in api.webhook_answers] == [200]
    assert api.requests() == ["reverse_auth_phone_post", "reverse_auth_phone_check"]
    verified = api.status(started.id)
    assert (verified["status"], verified["evidence"]) == ("verified", "provider_read_back")
    assert verified["verified_at"] == "2027-01-15T08:00:00Z"
    assert verified["reason"] is None


def test_a_lost_webhook_is_made_up_for_by_the_next_question(api: Api) -> None:
    api.simulators.fault("telefon_ip", "webhook_lost")
    started = api.start()
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "pending"
    api.ask(started.id)
    assert api.status(started.id)["evidence"] == "provider_read_back"


def test_a_read_asks_nobody_and_writes_nothing(api: Api) -> None:
    started = api.start()
    api.dial(started, STRANGER)
    before, asked = surroundings.items(), api.requests()
    for _ in range(20):
        assert api.status(started.id)["status"] == "pending"
        api.advance(5)
    assert (surroundings.items(), api.requests()) == (before, asked)


def test_a_webhook_that_comes_before_the_start_is_answered_counts(api: Api) -> None:
    """The stream brings it with the write of the answer: see `FollowUps`."""
    api.simulators.fault("telefon_ip", "webhook_before_reply")
    started = api.start()
    assert (started["status"], [answer.status for answer in api.webhook_answers]) == ("pending", [200])
    api.ask(started.id)
    assert api.status(started.id)["status"] == "verified"


def test_after_a_report_that_nothing_confirms_the_vendor_is_asked_again_after_1_3_and_8_s(api: Api) -> None:
    started = api.start()
    api.advance(30)
    api.dial(started, STRANGER)
    for _ in range(3):  # what is reported meanwhile starts nothing
        assert api.send_webhook(api.simulators.sent[0]).status == 200
    assert api.requests().count("reverse_auth_phone_check") == 1
    reported_at, asked_at = api.now, []
    while surroundings.queue.sent:
        (delay, _), *_ = surroundings.queue.sent
        asked_at.append(api.now + delay - reported_at)
        api.bring_follow_up()
    assert (asked_at, api.requests().count("reverse_auth_phone_check")) == ([1, 3, 8], 4)
    assert api.send_webhook(api.simulators.sent[0]).status == 200
    assert api.requests().count("reverse_auth_phone_check") == 5


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
    api.bring_follow_up()
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize("with_status", [False, True])
def test_a_vendor_that_echoes_the_claimed_phone_while_it_waits_verifies_nobody(api: Api, with_status: bool) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0, status=with_status)
    started = api.start()
    for _ in range(5):
        api.advance(3)
        api.ask(started.id)
        assert api.status(started.id)["status"] == "pending"
    assert api.requests().count("reverse_auth_phone_check") == 5


def test_an_answer_without_a_status_counts_once_this_verifications_own_webhook_came(api: Api) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0)
    started = api.start()
    api.advance(3)
    api.ask(started.id)
    assert api.status(started.id)["status"] == "pending"
    api.dial(started, PHONE)
    assert api.status(started.id)["evidence"] == "provider_read_back"


def test_an_answer_without_a_status_from_another_caller_counts_for_nothing(api: Api) -> None:
    api.simulators.fault("telefon_ip", "pending_echoes_phone", times=0)
    started = api.start()
    api.dial(started, STRANGER)
    api.advance(3)
    api.ask(started.id)
    assert api.status(started.id)["status"] == "pending"


@pytest.mark.parametrize("fault", ["timeout", "http_500", "malformed_json", "bad_credentials"])
def test_a_vendor_that_cannot_be_read_leaves_the_verification_pending(api: Api, fault: str) -> None:
    started = api.start()
    api.simulators.fault("telefon_ip", fault, on="check")
    api.dial(started, PHONE)
    assert api.status(started.id)["status"] == "pending"
    api.bring_follow_up()
    assert api.status(started.id)["status"] == "verified"


def test_without_a_webhook_questions_alone_verify(api: Api) -> None:
    api.configure("telefon_ip", start="get")
    started = api.start()
    api.dial(started, PHONE)
    assert api.requests() == ["reverse_auth_phone_get"]
    api.ask(started.id)
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
    api.ask(started.id)
    assert api.status(started.id)["status"] == status


# The addresses of webhooks


def test_version_1s_address_is_heard_too(api: Api) -> None:
    """Calls that were asked for before an upgrade are reported there."""
    started = api.start()
    api.simulators.client.post(f"/phone/{PHONE}/dial", json={"number": started["challenge"]["number"]})
    webhook = telefon_ip_webhook(api, started)
    assert api.send_webhook(replace(webhook, url=webhook.url.replace("telefon_ip", "telefon-ip"))).status == 200
    assert api.status(started.id)["status"] == "verified"


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/nobody/{id}/{token}",
        "/webhooks/TELEFON_IP/{id}/{token}",
        "/webhooks/telefon_ip/{token}",
        "/webhooks/telefon_ip/{id}",
        "/webhooks/telefon_ip/{id}/",
        "/webhooks/telefon_ip//{token}",
        "/webhooks/telefon_ip/{id}/{token}/",
        "/webhooks/telefon_ip/{id}/{token}/x",
        "/webhooks/telefon_ip/{token}/{id}",
        "/webhooks/telefon_ip/{id}/\ud800",
        "/webhooks/ucaller/{id}/{token}",
        "/webhooks/smsc/{id}/{token}",
        "/webhooks/smsc/{token}",
    ],
    ids=ascii,
)
def test_an_address_that_is_no_webhooks_is_404(api: Api, path: str) -> None:
    started = api.start()
    path = path.format(id=started.id, token=api.keys.webhook_token(started.id))
    query = {"success": ["True"], "phone": ["89000000011"], "id": ["022760"]}
    answer = api.pass_gateway(webhook_event(path, "GET", multiValueQueryStringParameters=query))
    assert (answer.status, answer["code"]) == (404, "not_found")
    assert api.requests() == ["reverse_auth_phone_post"]
