"""A verification in every state, and every transition as it would be made of a record that was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from callverify.domain import verification as transitions
from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Change, Verification
from callverify.domain.words import CallOutcome, Challenge, EndReason, Evidence, Method, Mode, Outcome, Reason, Status

NOW = 1_800_000_000
FLASH, REVERSE = Method.FLASH_CALL, Method.REVERSE_CALL
DIGITS, NUMBER = Challenge.enter_digits(), Challenge.call_number("+74950000000")

STARTING = Verification(
    id="vrf_0123456789abcdefghjkmnpqrs",
    mode=Mode.LIVE,
    status=Status.PENDING,
    method=FLASH,
    provider="first",
    phone_mask="+7******0011",
    phone_hash="hash of the phone",
    key_id="shop",
    created_at=NOW - 70,
    expires_at=NOW + 230,
    attempts=(Attempt(1, 1, FLASH, "first", Outcome.STARTING, NOW - 70),),
    steps=(Step(1, StepKind.START, claimed_at=NOW - 70),),
    allowed_methods=(FLASH, REVERSE),
)
DONE = (Step(1, StepKind.START, claimed_at=NOW - 70, done=True),)
STARTED = replace(
    STARTING,
    attempts=(Attempt(1, 1, FLASH, "first", Outcome.STARTED, NOW - 70),),
    steps=DONE,
    challenge=DIGITS,
    call_id="call",
    answered_at=NOW - 68,
    repeats_remaining=2,
    repeat_at=NOW - 7,
    guesses=2,
    wrong=2,
)
UNKNOWN = replace(
    STARTING,
    attempts=(Attempt(1, 1, FLASH, "first", Outcome.UNKNOWN, NOW - 70, Reason.TIMEOUT),),
    steps=DONE,
    challenge=DIGITS,
    answered_at=NOW - 62,
)
# Its vendor picked the code.
PICKED = replace(
    STARTED, code_hash="hash of the code", guess_limit=3, guesses=1, wrong=1, repeats_remaining=0, repeat_at=None
)
STATES = {
    "starting": STARTING,
    "started": STARTED,
    "unknown": UNKNOWN,
    "picked": PICKED,
    "past its window": replace(STARTED, expires_at=NOW),
    "picked, past its window": replace(PICKED, expires_at=NOW),
    "verified": replace(
        STARTED, status=Status.VERIFIED, evidence=Evidence.CODE_MATCHED, verified_at=NOW - 1, ended_at=NOW - 1
    ),
    "failed": replace(STARTED, status=Status.FAILED, reason=EndReason.CHECKS_EXHAUSTED, ended_at=NOW - 1),
    "expired": replace(
        STARTED, status=Status.EXPIRED, reason=EndReason.WINDOW_ELAPSED, expires_at=NOW - 1, ended_at=NOW - 1
    ),
    "canceled": replace(STARTED, status=Status.CANCELED, reason=EndReason.CANCELED_BY_CLIENT, ended_at=NOW - 1),
}
OPEN = ("starting", "started", "unknown", "picked")
PAST = ("past its window", "picked, past its window")
OVER = ("verified", "failed", "expired", "canceled")

DOWN = CallOutcome(Outcome.UNAVAILABLE, Reason.UNREACHABLE)
REFUSED = CallOutcome(Outcome.REJECTED, Reason.NUMBER_REFUSED)
AGREED = CallOutcome(Outcome.STARTED, call_id="new call")
NEXT = dict[str, Any](method=REVERSE, provider="second", window=120, checks=4)

# Each transition, as it would be made of a record that was read.
EVENTS: dict[str, Callable[[Verification], Change]] = {
    "begin": lambda _: transitions.begin(
        replace(STARTING, created_at=NOW, attempts=(), steps=()), REVERSE, "second", window=120, checks=4
    ),
    "go_on": lambda read: transitions.go_on(read, DOWN, **NEXT, now=NOW),
    "switch": lambda read: transitions.switch(read, **NEXT, now=NOW),
    "answer": lambda read: transitions.answer(
        read, AGREED, NUMBER, repeats=1, repeat_after=60, now=NOW, code_hash="hash of another code"
    ),
    "claim_step": lambda read: transitions.claim_step(read, NOW),
    "count_mismatch": lambda read: transitions.count_mismatch(read, 1),
    "begin_repeat": lambda read: transitions.begin_repeat(read, NOW),
    "answer_repeat": lambda read: transitions.answer_repeat(
        read, error="repeat_exhausted", repeats_remaining=0, call_id="again"
    ),
    "note_report": lambda read: transitions.note_report(read, "call", now=NOW),
    "spend_guess": transitions.spend_guess,
    "judge_wrong": lambda read: transitions.judge_wrong(read, NOW),
    "verify": lambda read: transitions.verify(read, Evidence.CODE_MATCHED, now=NOW, gives_back=True),
    "fail": lambda read: transitions.fail(
        read, REFUSED, EndReason.PROVIDER_REJECTED, step_error="provider_rejected", now=NOW
    ),
    "cancel": lambda read: transitions.cancel(read, NOW),
    "expire": lambda read: transitions.expire(read, NOW),
}
