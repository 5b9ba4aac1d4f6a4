"""Reverse calls: the user calls the number that they are shown."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.support.client import EVIDENCE, Answer, Api, Operator, Vendors, Webhooks, new_address, new_phone

both_vendors = pytest.mark.parametrize("provider", EVIDENCE)


def assert_verified(answer: Answer, provider: str) -> None:
    assert (answer["status"], answer["reason"]) == ("verified", None)
    assert (answer["provider"], answer["evidence"]) == (provider, EVIDENCE[provider])
    assert answer["verified_at"]


def assert_unproven_when_asked(api: Api, vendors: Vendors, operator: Operator, started: Answer, phone: str) -> None:
    """However often telefon-ip is asked."""

    def questions() -> int:
        return [request["action"] for request in vendors.requests(phone)].count("reverse_auth_phone_check")

    for _ in range(3):
        before = questions()
        operator.ask(started.id)
        assert questions() > before
        assert api.read(started.id)["status"] == "pending"


@both_vendors
def test_a_call_verifies(api: Api, vendors: Vendors, phone: str, provider: str) -> None:
    started = api.started(phone, provider=provider)
    number = started["challenge"]["number"]
    assert re.fullmatch(r"\+7\d{10}", number)
    assert started["challenge"] == {"type": "call_number", "number": number, "tel_uri": f"tel:{number}"}
    assert (started["status"], started["method"], started["mode"]) == ("pending", "reverse_call", "live")
    assert (started["evidence"], started["verified_at"], started["checks_remaining"]) == (None, None, None)
    assert started["phone"] == f"+7******{phone[-4:]}"
    assert api.read(started.id)["status"] == "pending"

    assert vendors.dial(phone, started) == "sent"
    assert_verified(api.wait_until(started.id, "verified"), provider)
    assert vendors.paid_calls(phone) == 1


def test_what_the_caller_gives_along_is_echoed(api: Api, phone: str) -> None:
    given = {"reference": "заказ 1", "metadata": {"shop": "мой", "empty": ""}}
    started = api.started(phone, provider="smsc", end_user_ip=new_address(), locale="ru", **given)
    read = api.read(started.id)
    for answer in (started, read):
        assert {name: answer[name] for name in given} == given
        assert "end_user_ip" not in answer.body
    assert "client_token" not in read.body


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_webhook_may_come_either_way(
    api: Api, vendors: Vendors, webhooks: Webhooks, faults: Callable[..., None], method: str
) -> None:
    for provider in EVIDENCE:
        phone = new_phone()
        faults(provider, "webhook_lost", phone=phone)
        started = api.started(phone, provider=provider)
        assert vendors.dial(phone, started) == "lost"
        (lost,) = vendors.webhooks(started.id if provider == "telefon_ip" else phone[1:])
        address, _, query = lost["url"].partition("?")
        parameters = query or urlencode(lost["form"])
        if method == "GET":
            answer = webhooks.send(f"{address}?{parameters}")
        else:
            answer = webhooks.send(address, dict(parse_qsl(parameters)))
        assert (answer.status, answer.body) == (200, "OK")
        assert_verified(api.read(started.id), provider)


def test_an_address_of_version_1_is_still_open(
    api: Api, vendors: Vendors, webhooks: Webhooks, faults: Callable[..., None], phone: str
) -> None:
    faults("telefon_ip", "webhook_lost")
    started = api.started(phone, provider="telefon_ip")
    assert vendors.dial(phone, started) == "lost"
    (lost,) = vendors.webhooks(started.id)
    address = lost["url"].replace("/webhooks/telefon_ip/", "/webhooks/telefon-ip/")
    assert address != lost["url"]
    assert webhooks.send(address, lost["form"]).body == "OK"
    assert_verified(api.read(started.id), "telefon_ip")


def test_a_lost_webhook_is_made_up_for_by_a_follow_up(
    api: Api, vendors: Vendors, faults: Callable[..., None], phone: str
) -> None:
    faults("telefon_ip", "webhook_lost")
    started = api.started(phone, provider="telefon_ip")
    assert vendors.dial(phone, started) == "lost"
    assert_verified(api.wait_until(started.id, "verified"), "telefon_ip")


def test_a_lost_callback_of_smsc_verifies_nobody(
    api: Api, vendors: Vendors, faults: Callable[..., None], phone: str
) -> None:
    faults("smsc", "webhook_lost")
    started = api.started(phone, provider="smsc")
    assert vendors.dial(phone, started) == "lost"
    assert api.read(started.id)["status"] == "pending"


@both_vendors
def test_a_webhook_that_comes_twice(
    api: Api, vendors: Vendors, faults: Callable[..., None], phone: str, provider: str
) -> None:
    faults(provider, "webhook_twice")
    started = api.started(phone, provider=provider)
    assert vendors.dial(phone, started) == "twice"
    verified = api.wait_until(started.id, "verified")
    mark = started.id if provider == "telefon_ip" else phone[1:]
    assert [webhook["status"] for webhook in vendors.answered_webhooks(mark, 2)] == [200, 200]
    assert api.read(started.id).body == verified.body


@both_vendors
def test_a_webhook_before_the_start_is_answered(
    api: Api, vendors: Vendors, faults: Callable[..., None], phone: str, provider: str
) -> None:
    faults(provider, "webhook_before_reply")
    started = api.started(phone, provider=provider)
    mark = started.id if provider == "telefon_ip" else phone[1:]
    assert [webhook["status"] for webhook in vendors.answered_webhooks(mark)] == [200]
    assert_verified(api.wait_until(started.id, "verified"), provider)
    assert vendors.paid_calls(phone) == 1


@both_vendors
def test_a_webhook_after_a_cancel(
    api: Api, vendors: Vendors, faults: Callable[..., None], phone: str, provider: str
) -> None:
    faults(provider, "webhook_late", delay=1)
    started = api.started(phone, provider=provider)
    assert vendors.dial(phone, started) == "late"
    canceled = api.cancel(started.id).expect(200)
    assert (canceled["status"], canceled["reason"]) == ("canceled", "canceled_by_client")
    mark = started.id if provider == "telefon_ip" else phone[1:]
    assert [webhook["status"] for webhook in vendors.answered_webhooks(mark)] == [200]
    assert api.read(started.id).body == canceled.body


def test_another_phone_verifies_nobody_at_telefon_ip(
    api: Api, vendors: Vendors, operator: Operator, phone: str
) -> None:
    started = api.started(phone, provider="telefon_ip")
    assert vendors.dial(new_phone(), started) == "sent"
    assert vendors.answered_webhooks(started.id)
    assert_unproven_when_asked(api, vendors, operator, started, phone)


def test_another_phone_verifies_nobody_at_smsc(api: Api, vendors: Vendors, webhooks: Webhooks, phone: str) -> None:
    started, stranger = api.started(phone, provider="smsc"), new_phone()
    assert vendors.dial(stranger, started) == "none"
    # Even if the vendor had reported that call:
    assert webhooks.smsc(webhooks.smsc_form(stranger, started.created_at)).status == 200
    assert api.read(started.id)["status"] == "pending"


def test_a_report_of_telefon_ip_is_a_hint_and_no_proof(
    api: Api, vendors: Vendors, operator: Operator, webhooks: Webhooks, phone: str
) -> None:
    """The vendor signs nothing. A stranger's call shows us the webhook's address here; then somebody forges one."""
    started = api.started(phone, provider="telefon_ip")
    vendors.dial(new_phone(), started)
    real = vendors.answered_webhooks(started.id)[0]
    forged = re.sub(r"phone=\d+", f"phone=8{phone[2:]}", real["url"])
    assert forged != real["url"]
    assert webhooks.send(forged).status == 200
    assert_unproven_when_asked(api, vendors, operator, started, phone)


@pytest.mark.parametrize("with_status", [True, False])
def test_a_vendor_that_echoes_the_claimed_phone_verifies_nobody(
    api: Api, vendors: Vendors, operator: Operator, faults: Callable[..., None], phone: str, with_status: bool
) -> None:
    faults("telefon_ip", "pending_echoes_phone", times=None, status=with_status)
    started = api.started(phone, provider="telefon_ip")
    assert_unproven_when_asked(api, vendors, operator, started, phone)
    vendors.dial(phone, started)
    assert_verified(api.wait_until(started.id, "verified"), "telefon_ip")


def test_smsc_knows_calls_by_phone_alone(
    api: Api, vendors: Vendors, operator: Operator, webhooks: Webhooks, phone: str
) -> None:
    """A callback of an earlier verification must not verify a later one."""
    earlier = api.started(phone, provider="smsc")
    callback = webhooks.smsc_form(phone, earlier.created_at)
    api.cancel(earlier.id).expect(200)
    operator.age(earlier.id, 30)

    refused = api.start(phone, provider="smsc").expect(503, "no_provider_available")
    assert 600 <= refused["retry_after"] <= 870
    elsewhere = api.started(phone, method="reverse_call")
    assert elsewhere["provider"] == "telefon_ip"
    assert webhooks.smsc(callback).status == 200
    assert api.read(elsewhere.id)["status"] == "pending"
    api.cancel(elsewhere.id).expect(200)

    # Until ten minutes after the earlier one's window.
    operator.age(earlier.id, 900)
    later = api.started(phone, provider="smsc")
    old_callback = webhooks.smsc_form(phone, later.created_at - 1)
    webhooks.smsc(old_callback).expect(403, "forbidden")
    assert api.read(later.id)["status"] == "pending"
    vendors.dial(phone, later)
    assert_verified(api.wait_until(later.id, "verified"), "smsc")


def test_an_smsc_callback_is_used_once(api: Api, operator: Operator, webhooks: Webhooks, phone: str) -> None:
    first = api.started(phone, provider="smsc")
    callback = webhooks.smsc_form(phone, first.created_at + 250)
    assert webhooks.smsc(callback).status == 200
    assert_verified(api.read(first.id), "smsc")
    operator.age(first.id, 121)
    second = api.started(phone, provider="smsc")
    assert second.created_at <= first.created_at + 250
    assert webhooks.smsc(callback).status == 200
    assert api.read(second.id)["status"] == "pending"
