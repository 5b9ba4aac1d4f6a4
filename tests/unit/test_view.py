from __future__ import annotations

import json
from dataclasses import replace

import pytest

from callverify.domain import verification as transitions
from callverify.domain.steps import Step, StepKind
from callverify.domain.view import resource, revised, timestamp
from callverify.domain.words import Challenge, EndReason, Method, Status
from tests.support.records import NOW, flash, reverse

FIELDS = {
    "id", "mode", "status", "reason", "evidence", "method", "provider", "phone", "challenge", "checks_remaining",
    "repeats_remaining", "repeat_after", "switches_remaining", "switch_until", "allowed_methods", "attempts",
    "reference", "metadata", "created_at", "expires_at", "verified_at", "revision", "poll_after",
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
    body = resource(flash(status=status, reason=written, repeats_remaining=2, repeat_at=NOW + 61), now)
    assert (body["status"], body["reason"]) == (shown, reason)
    offered = body["repeats_remaining"], body["repeat_after"], body["switches_remaining"]
    assert offered == ((2, "2027-01-15T08:01:01Z", 2) if shown == "pending" else (0, None, 0))
    assert body["switch_until"] == "2027-01-15T08:10:00Z"


def test_each_method_has_its_own_numbers() -> None:
    assert resource(flash(guesses=2), NOW)["checks_remaining"] == 3
    assert resource(flash(guesses=9), NOW)["checks_remaining"] == 0
    assert resource(reverse(guesses=2), NOW)["checks_remaining"] is None
    assert resource(reverse(), NOW)["method"] == Method.REVERSE_CALL
    assert resource(flash(), NOW)["challenge"] is None
    assert resource(flash(verified_at=NOW), NOW)["verified_at"] == "2027-01-15T08:00:00Z"


def test_a_repeat_is_offered_where_there_is_one_left() -> None:
    assert resource(flash(repeats_remaining=1, repeat_at=NOW), NOW)["repeat_after"] == "2027-01-15T08:00:00Z"
    assert resource(flash(repeats_remaining=0, repeat_at=NOW), NOW)["repeat_after"] is None


@pytest.mark.parametrize(
    ("kinds", "mismatches", "left"),
    [
        ([], 2, 2),
        ([StepKind.REPEAT, StepKind.REPEAT], 0, 2),
        ([StepKind.SWITCH], 0, 1),
        ([StepKind.SWITCH, StepKind.REPEAT, StepKind.SWITCH], 0, 0),
        ([], 3, 0),
    ],
)
def test_switches_are_counted_by_their_steps_and_end_with_the_third_other_phone(
    kinds: list[StepKind], mismatches: int, left: int
) -> None:
    steps = tuple(Step(number, kind, claimed_at=NOW) for number, kind in enumerate([StepKind.START, *kinds], 1))
    assert resource(flash(steps=steps, phone_mismatches=mismatches), NOW)["switches_remaining"] == left


def test_an_attempt_that_is_over_without_an_answer_may_have_called() -> None:
    lost = {"outcome": "unknown", "reason": "interrupted"}
    (pending,) = resource(flash(), NOW)["attempts"]
    assert (pending["outcome"], pending["reason"]) == ("starting", None)
    (over,) = resource(flash(), NOW + 300)["attempts"]
    assert {name: over[name] for name in lost} == lost
    second = replace(flash().attempt, number=2)
    earlier, later = resource(flash(attempts=(flash().attempt, second)), NOW)["attempts"]
    assert {name: earlier[name] for name in lost} == lost
    assert later["outcome"] == "starting"


@pytest.mark.parametrize(
    ("age", "dialled", "typed"), [(-9, 3, 6), (0, 3, 6), (3, 6, 6), (14.9, 15, 20), (61, 70, 70), (115, 120, 120)]
)
def test_who_polls_is_told_when_to_ask_again(age: float, dialled: int, typed: int) -> None:
    for record, seconds in ((reverse(), dialled), (flash(), typed)):
        assert resource(record, NOW + age, polled=True)["poll_after"] == timestamp(NOW + seconds)
        assert resource(record, NOW + age)["poll_after"] == timestamp(
            NOW + (3 if record.method is Method.REVERSE_CALL else 6)
        )


def test_an_end_that_is_not_written_yet_has_the_number_that_its_write_will_take() -> None:
    record = replace(reverse(), revision=4)
    assert [resource(record, NOW + age)["revision"] for age in (0, 299, 300, 900)] == [4, 4, 5, 5]
    assert resource(record, NOW + 300)["poll_after"] is None
    assert revised(transitions.expire(record, NOW + 300), NOW + 300).after.revision == 5


def test_what_nobody_can_read_takes_no_revision() -> None:
    record = reverse()
    assert revised(transitions.note_report(record, "call", now=NOW), NOW).after.revision == 1
    assert revised(transitions.cancel(record, NOW), NOW).after.revision == 2
    # After the window, the next number is the end's.
    late = replace(flash(), repeats_remaining=2)
    repeated = transitions.answer_repeat(late, error=None, repeats_remaining=0, call_id=None)
    assert revised(repeated, NOW + 299).after.revision == 2
    assert revised(repeated, NOW + 300).after.revision == 1
