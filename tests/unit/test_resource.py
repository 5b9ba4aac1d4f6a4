from __future__ import annotations

import json

import pytest

from callverify.models import Challenge, EndReason, Method, Status
from callverify.resource import resource
from tests.support.records import NOW, flash, reverse

FIELDS = {
    "id", "mode", "status", "reason", "evidence", "method", "provider", "phone", "challenge", "attempts_remaining",
    "repeats_remaining", "attempts", "reference", "metadata", "created_at", "expires_at", "verified_at",
}  # fmt: skip


def test_nothing_of_the_record_gets_out_by_itself() -> None:
    secrets = {
        "phone_hash": "secret-1",
        "address_block_hash": "secret-2",
        "key_id": "secret-3",
        "call_id": "secret-4",
        "webhook_call_id": "secret-5",
        "address_hash": "secret-6",
        "return_url": "https://shop.example/secret-7",
        "locale": "secret-8",
    }
    shown = resource(flash(**secrets, challenge=Challenge.enter_digits()), NOW)
    assert shown.keys() == FIELDS
    assert "secret" not in json.dumps(shown)
    assert {name for attempt in shown["attempts"] for name in attempt} == {
        "method",
        "provider",
        "outcome",
        "reason",
        "at",
    }


@pytest.mark.parametrize(
    ("status", "now", "shown", "reason"),
    [
        (Status.PENDING, NOW + 299.9, "pending", None),
        (Status.PENDING, NOW + 300, "expired", "window_elapsed"),
        (Status.VERIFIED, NOW + 300, "verified", None),
        (Status.CANCELED, NOW + 300, "canceled", "canceled_by_client"),
    ],
)
def test_expiry_is_decided_by_the_clock(status: Status, now: float, shown: str, reason: str | None) -> None:
    written = EndReason.CANCELED_BY_CLIENT if status is Status.CANCELED else None
    body = resource(flash(status=status, reason=written, repeats_remaining=2), now)
    assert (body["status"], body["reason"]) == (shown, reason)
    assert body["repeats_remaining"] == (2 if shown == "pending" else 0)


def test_each_method_has_its_own_numbers() -> None:
    assert resource(flash(guesses=2), NOW)["attempts_remaining"] == 3
    assert resource(flash(guesses=9), NOW)["attempts_remaining"] == 0
    assert resource(reverse(guesses=2), NOW)["attempts_remaining"] is None
    assert resource(reverse(), NOW)["method"] == Method.REVERSE_CALL
    assert resource(flash(), NOW)["challenge"] is None
    assert resource(flash(verified_at=NOW), NOW)["verified_at"] == "2027-01-15T08:00:00Z"
