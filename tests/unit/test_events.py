"""Which changes of a record are events, and what they tell."""

from __future__ import annotations

import json

import pytest

from callverify.domain import verification as transitions
from callverify.domain.verification import Change, Verification
from callverify.domain.words import CallOutcome, Challenge, EndReason, Evidence, Outcome, Reason
from callverify.events.publish import transition
from tests.support.records import NOW, flash

DOWN = CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
DIGITS = Challenge.enter_digits()


def answered(before: Verification, outcome: Outcome = Outcome.STARTED) -> Change:
    call = CallOutcome(outcome, call_id="7")
    return transitions.answer(before, call, DIGITS, repeats=1, repeat_after=60, now=NOW + 1)


def switched(before: Verification) -> Change:
    return transitions.switch(before, before.method, before.provider, window=300, checks=5, now=NOW + 2)


BEGUN = flash()
AGREED = answered(BEGUN).after
SWITCHED = switched(AGREED).after
TOLD: dict[str, tuple[Change, str | None, str]] = {
    "created": (Change(None, BEGUN), "created", ""),
    "a provider agreed": (answered(BEGUN), "started", ""),
    "one may have": (answered(BEGUN, Outcome.UNKNOWN), None, ""),
    "the next provider": (
        transitions.go_on(BEGUN, DOWN, BEGUN.method, "b", window=300, checks=5, now=NOW + 1), None, ""
    ),
    "a switch": (switched(AGREED), None, ""),
    "a provider agreed to the switch": (answered(SWITCHED), "started", "_2"),
    "a repeat": (transitions.begin_repeat(AGREED, NOW + 2), None, ""),
    "a report": (transitions.note_report(AGREED, "call", now=NOW + 2), None, ""),
    "a guess": (transitions.spend_guess(AGREED), None, ""),
    "a wrong guess": (transitions.judge_wrong(AGREED, NOW + 2), None, ""),
    "verified": (transitions.verify(AGREED, Evidence.CODE_MATCHED, now=NOW + 2), "verified", ""),
    "verified before its provider answered": (
        transitions.verify(BEGUN, Evidence.CODE_MATCHED, now=NOW + 2), "verified", ""
    ),
    "failed": (
        transitions.fail(BEGUN, DOWN, EndReason.PROVIDER_UNAVAILABLE, step_error="x", now=NOW + 2), "failed", ""
    ),
    "expired": (transitions.expire(AGREED, NOW + 300), "expired", ""),
    "canceled": (transitions.cancel(AGREED, NOW + 2), "canceled", ""),
    "seen for the first time when it is over": (
        Change(None, transitions.cancel(AGREED, NOW + 2).after), "canceled", ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_moves_a_verification_is_an_event_and_nothing_else(name: str) -> None:
    change, kind, suffix = TOLD[name]
    event = transition(change.before, change.after)
    if kind is None:
        assert event is None
        return
    assert event
    assert event.type == f"verification.{kind}"
    assert event.id == f"evt_{change.after.id.removeprefix('vrf_')}_{kind}{suffix}"
    body = json.loads(event.body)
    assert (body["id"], body["type"], body["mode"]) == (event.id, event.type, "live")
    assert body["data"]["id"] == change.after.id
    assert body["data"]["status"] == change.after.status
    # Written is what is told: a challenge from the provider's yes on.
    assert (body["data"]["challenge"] is None) is (change.after.challenge is None)


def test_what_has_gone_is_no_event() -> None:
    assert transition(BEGUN, None) is None
    assert transition(AGREED, AGREED) is None


def test_an_event_tells_when_it_happened() -> None:
    times = [
        json.loads(event.body)["created_at"]
        for name in ("created", "a provider agreed", "verified", "expired")
        if (event := transition(TOLD[name][0].before, TOLD[name][0].after))
    ]
    assert times == [f"2027-01-15T08:{time}Z" for time in ("00:00", "00:01", "00:02", "05:00")]
