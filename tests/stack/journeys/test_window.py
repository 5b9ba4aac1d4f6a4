"""The end of an attempt's window: from then on nothing verifies."""

import pytest

from callverify.providers.registry import manifests
from tests.support.client import WINDOWS, Answer, Api, Operator, Vendors, Webhooks

METHODS = {manifest.name: manifest.routes[0].method for manifest in manifests()}


def assert_expired(api: Api, id_: str) -> None:
    read = api.read(id_).expect(200)
    assert (read["status"], read["reason"]) == ("expired", "window_elapsed")
    assert (read["evidence"], read["verified_at"]) == (None, None)


def started_and_expired(api: Api, operator: Operator, phone: str, provider: str) -> Answer:
    started = api.started(phone, provider=provider, method=METHODS[provider])
    record = operator.record(started.id)
    assert record["expires_at"] - record["attempts"][0]["at"] == operator.window(provider)
    operator.end_window(started.id)
    assert_expired(api, started.id)
    return started


def test_no_late_code_verifies(api: Api, vendors: Vendors, operator: Operator, phone: str) -> None:
    started = started_and_expired(api, operator, phone, "ucaller")
    api.check(started.id, vendors.code(phone)).expect(409, "verification_not_pending")
    api.repeat(started.id).expect(409, "verification_not_pending")
    api.cancel(started.id).expect(409, "verification_not_pending")
    assert_expired(api, started.id)
    assert operator.record(started.id)


def test_no_late_call_verifies_at_telefon_ip(
    api: Api, vendors: Vendors, operator: Operator, webhooks: Webhooks, phone: str
) -> None:
    started = started_and_expired(api, operator, phone, "telefon_ip")
    vendors.dial(phone, started)
    (webhook,) = vendors.answered_webhooks(started.id)
    assert webhook["status"] == 200
    assert webhooks.replay(webhook).status == 200
    assert_expired(api, started.id)
    assert operator.record(started.id)


def test_no_late_call_verifies_at_smsc(
    api: Api, vendors: Vendors, operator: Operator, webhooks: Webhooks, phone: str
) -> None:
    started = started_and_expired(api, operator, phone, "smsc")
    vendors.dial(phone, started)
    (webhook,) = vendors.answered_webhooks(phone[1:])
    assert webhook["status"] == 200
    # A call within the window, whose callback comes after it.
    in_time = webhooks.smsc_form(phone, operator.record(started.id)["created_at"] + 10)
    assert webhooks.smsc(in_time).status == 200
    assert_expired(api, started.id)
    assert operator.record(started.id)


@pytest.mark.parametrize("provider", WINDOWS)
def test_the_phone_is_free_again(
    alone: None,  # noqa: ARG001
    api: Api,
    vendors: Vendors,
    operator: Operator,
    phone: str,
    provider: str,
) -> None:
    first = started_and_expired(api, operator, phone, provider)
    with vendors.later(operator.window(provider)):
        if provider == "smsc":  # which knows calls by phone alone: a late one must not verify the next session
            answer = api.start(phone, provider=provider).expect(503, "no_provider_available")
            assert 590 <= answer["retry_after"] <= 600 + operator.window(provider)
            provider = "telefon_ip"
        second = api.started(phone, provider=provider, method=METHODS[provider])
    assert second.id != first.id
    assert_expired(api, first.id)
