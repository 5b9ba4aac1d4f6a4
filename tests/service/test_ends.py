"""Cancel, expiry and retention: how a verification ends, and what is left of it."""

from __future__ import annotations

import pytest

from callverify.runtime import settings
from tests.support import template
from tests.support.gateway import PHONE, Api, smsc_webhook
from tests.support.surroundings import items

DAY = 24 * 3600


def test_a_pending_verification_can_be_canceled_once(api: Api) -> None:
    started = api.start(method="flash_call")
    canceled = api.cancel(started.id)
    assert (canceled.status, canceled["status"], canceled["reason"]) == (200, "canceled", "canceled_by_client")

    again = api.cancel(started.id)
    assert (again.status, again["code"]) == (409, "verification_not_pending")
    assert api.check(started.id, api.code(PHONE))["code"] == "verification_not_pending"
    assert api.status(started.id).body == canceled.body


@pytest.mark.parametrize("raw_body", ["", "{}", "  "])
def test_a_cancel_needs_no_body(api: Api, raw_body: str) -> None:
    assert api.cancel(api.start().id, raw_body=raw_body).status == 200


def test_a_cancel_with_fields_is_400(api: Api) -> None:
    started = api.start()
    assert api.cancel(started.id, body={"why": "x"}).status == 400
    assert api.status(started.id)["status"] == "pending"


def test_a_call_that_comes_after_the_cancel_verifies_nothing(api: Api) -> None:
    started = api.start()
    api.cancel(started.id)
    api.dial(started, PHONE)
    assert [answer.status for answer in api.webhook_answers] == [200]
    assert api.status(started.id)["status"] == "canceled"


@pytest.mark.parametrize(("provider", "window"), [("telefon_ip", 120), ("smsc", 300), ("ucaller", 300)])
def test_a_verification_expires_exactly_at_the_end_of_its_window(api: Api, provider: str, window: int) -> None:
    started = api.start(provider=provider)
    api.advance(window - 1)
    assert api.status(started.id)["status"] == "pending"
    api.advance(1)
    expired = api.status(started.id)
    assert (expired["status"], expired["reason"]) == ("expired", "window_elapsed")
    assert api.cancel(started.id)["code"] == "verification_not_pending"


def test_nothing_verifies_after_the_window_whatever_happened_in_it(api: Api) -> None:
    """Each in time, and reported or typed too late: a call that was made, a signature, the right code."""
    reverse, signed = api.start(), api.start("+79000000012", provider="smsc")
    flash = api.start("+79000000013", method="flash_call")
    callback = smsc_webhook("+79000000012", api.now + 100)
    api.simulators.fault("telefon_ip", "webhook_late", delay=300)
    api.dial(reverse, PHONE)
    api.advance(300)

    api.check(flash.id, api.code("+79000000013"))
    assert api.send_webhook(callback).status == 200
    assert [answer.status for answer in api.webhook_answers] == [200]
    for started in (reverse, signed, flash):
        ended = api.status(started.id)
        assert (ended["status"], ended["evidence"], ended["verified_at"]) == ("expired", None, None)
    assert "reverse_auth_phone_check" not in api.requests()


@pytest.mark.parametrize("end", ["verified", "canceled", "expired", "failed"])
def test_an_end_stays_readable_for_its_retention_and_then_is_gone(api: Api, end: str) -> None:
    started = api.start(method="flash_call")
    match end:
        case "verified":
            api.check(started.id, api.code(PHONE))
        case "canceled":
            api.cancel(started.id)
        case "failed":
            for _ in range(5):
                api.check(started.id, api.wrong_code(PHONE))
    api.advance(30 * 60 + DAY - 1)
    assert (api.status(started.id).status, api.status(started.id)["status"]) == (200, end)
    api.advance(1)
    assert (api.status(started.id).status, api.status(started.id)["code"]) == (404, "not_found")
    assert api.check(started.id, "0427").status == 404
    assert api.cancel(started.id).status == 404
    assert api.repeat(started.id).status == 404


@pytest.mark.parametrize("api", [{"RetentionHours": "2160"}], indirect=True)
def test_a_record_can_be_kept_for_90_days(api: Api) -> None:
    started = api.start()
    api.cancel(started.id)
    api.advance(30 * 60 + 90 * DAY - 1)
    assert api.status(started.id)["status"] == "canceled"
    api.advance(1)
    assert api.status(started.id).status == 404


@pytest.mark.parametrize(
    ("parameters", "hours"),
    [
        ({}, 24),
        ({"RetentionHours": "48"}, 48),
        ({"RetentionHours": "2160"}, 720),
        ({"RetentionHours": "2160", "EventRetentionHours": "24"}, 24),
        ({"RetentionHours": "1", "EventRetentionHours": "720"}, 720),
    ],
)
def test_events_have_a_retention_of_their_own(
    parameters: dict[str, str], hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in template.environment("publish_event", **parameters).items():
        monkeypatch.setenv(name, value)
    assert settings.event_retention() == hours * 3600


@pytest.mark.parametrize("api", [{"RetentionHours": "1"}], indirect=True)
def test_the_operator_chooses_the_retention(api: Api) -> None:
    started = api.start()
    api.advance(30 * 60 + 3599)
    assert api.status(started.id).status == 200
    api.advance(1)
    assert api.status(started.id).status == 404


def test_every_item_has_a_ttl_at_its_own_end(api: Api) -> None:
    started = api.start(provider="ucaller", end_user_ip="198.51.100.7", headers={"Idempotency-Key": "order-1"})
    api.check(started.id, api.wrong_code(PHONE))
    api.start("+79000000012", provider="smsc")
    lasting = {
        "verification": {30 * 60 + DAY},
        "phone": {300},
        "smsc": {300 + 600},
        "idempotency": {30 * 60 + DAY},
        "guesses": {DAY},
        "phone_10m": {600},
        "ip_10m": {600},
        "phone_day": {DAY},
    }
    found: set[str] = set()
    for item in items():
        kind, name, *_ = item["pk"].split("#")
        kind = name if kind == "limit" else kind
        found.add(kind)
        if kind in ("key_paid_day", "stack_paid_hour", "key_free_hour"):
            length = DAY if kind == "key_paid_day" else 3600
            assert item["ttl"] == (api.now // length + 1) * length
        elif kind == "prefix_10m":
            assert item["ttl"] == ((api.now + 600) // DAY + 1) * DAY
        else:
            assert int(item["ttl"]) - api.now in lasting[kind], kind
    assert found == {*lasting, "key_paid_day", "stack_paid_hour", "key_free_hour", "prefix_10m"}
