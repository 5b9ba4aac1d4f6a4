"""The record of a verification, and every change that can happen to it.

Each function below takes a record and returns a Change: the record before and after, and what must still hold when it
is written. None of them reads a clock, a table or a vendor. A verification's life:

    begin ──► answer ──► verify
      │         ├──────► fail, cancel, expire
      │         └──────► begin_repeat ──► answer_repeat
      └──► go_on (the next route of the same step), switch (a step of its own) ──► answer …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.value import value
from callverify.domain.words import (
    TEN_MINUTES,
    CallOutcome,
    Challenge,
    EndReason,
    Evidence,
    Method,
    Mode,
    Outcome,
    Status,
)

MAX_SWITCHES = 2
SWITCH_SECONDS = TEN_MINUTES  # from the start
MAX_PHONE_MISMATCHES = 3
MAX_CHECKS = 5  # whose times are kept
MAX_EARLIER_REPORTS = 10
CLIENT_TOKEN_SECONDS = 30 * 60  # from the start
PROOF_SECONDS = TEN_MINUTES  # from the moment that it was verified, at a front door


@value
class Verification:
    """The record, as stored. `status` is what was written: see `status_at` for what it is.

    created_ms: the milliseconds of created_at, by which searches order. code_hash: of the code of the current attempt,
    where the vendor picked it. answered_at: when its provider answered.
    repeat_at: when a repeat may be asked for. webhook_call_id, reported_at: of the provider's last report.
    earlier_reports: when the attempt's first ten before it came. guesses: codes that were spent on; wrong: those of
    them that were compared and wrong. checks: when the last codes came, in seconds from created_at, or -1 less those
    where an API key sent it. canceled_by: the name of an API key. owner: what it belongs to in the API of a front door,
    where channel is the word that it was asked for by; None for our own API. revision: how often what a client token
    may read was written. ttl: until when it is kept, as found in the table; None before it was read from there.
    """

    id: str
    mode: Mode
    status: Status
    method: Method
    provider: str
    phone_mask: str
    phone_hash: str
    key_id: str
    created_at: int
    expires_at: int
    attempts: tuple[Attempt, ...]
    steps: tuple[Step, ...]
    allowed_methods: tuple[Method, ...]
    reason: EndReason | None = None
    evidence: Evidence | None = None
    challenge: Challenge | None = None
    call_id: str | None = None
    code_hash: str | None = None
    answered_at: int | None = None
    guesses: int = 0
    wrong: int = 0
    guess_limit: int = 5
    repeats_remaining: int = 0
    repeat_at: int | None = None
    phone_mismatches: int = 0
    webhook_call_id: str | None = None
    reported_at: int | None = None
    earlier_reports: tuple[int, ...] | None = None
    verified_at: int | None = None
    ended_at: int | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    locale: str | None = None
    return_url: str | None = None
    brand: str | None = None
    address_hash: str | None = None
    address_block_hash: str | None = None
    owner: str | None = None
    channel: str | None = None
    created_ms: int = 0
    checks: tuple[int, ...] | None = None
    canceled_by: str | None = None
    revision: int = 1
    ttl: int | None = field(default=None, compare=False)

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    @property
    def step(self) -> Step:
        return self.steps[-1]

    @property
    def switches(self) -> int:
        return sum(step.kind is StepKind.SWITCH for step in self.steps)

    @property
    def switches_remaining(self) -> int:
        return 0 if self.phone_mismatches >= MAX_PHONE_MISMATCHES else max(0, MAX_SWITCHES - self.switches)

    @property
    def switch_until(self) -> int:
        return self.created_at + SWITCH_SECONDS

    def is_live(self, now: float) -> bool:
        return self.status is Status.PENDING and now < self.expires_at

    def status_at(self, now: float) -> tuple[Status, EndReason | None]:
        """Status and reason as of `now`: a pending record at or past `expires_at` is expired, written or not."""
        if self.status is Status.PENDING and now >= self.expires_at:
            return Status.EXPIRED, EndReason.WINDOW_ELAPSED
        return self.status, self.reason


@value
class Guard:
    """What must still hold of the stored record when a change is written.

    Always: it is pending, and at the attempt and the provider that the change speaks of. unexpired: its window is open;
    expired: it is over. same_step: its latest step and outcome are as they were read, so that of two processes at one
    step only one goes on. unchanged: attributes that must be as they were read. news: the report that is noted was not
    noted before, or so long ago that nothing asks on its account any more.
    """

    unexpired: bool = True
    expired: bool = False
    same_step: bool = False
    unchanged: tuple[str, ...] = ()
    news: bool = False


@value
class Change:
    """A record before (None: there was none) and after, and the guard of the write that turns one into the other."""

    before: Verification | None
    after: Verification
    guard: Guard = field(default_factory=Guard)


# Starting


def begin(
    draft: Verification, method: Method, provider: str, *, window: int, checks: int, by: str | None = None
) -> Change:
    """The first attempt of a verification that is not stored yet. checks: codes that may be wrong before it fails.

    by: the name of the API key that asks, here and below; None for a browser.
    """
    at = draft.created_at
    return Change(
        None,
        replace(
            draft,
            method=method,
            provider=provider,
            attempts=(Attempt(1, 1, method, provider, Outcome.STARTING, at),),
            steps=(Step(1, StepKind.START, claimed_at=at, by=by),),
            expires_at=at + window,
            guess_limit=checks,
        ),
    )


def go_on(
    before: Verification,
    failed: CallOutcome,
    method: Method,
    provider: str,
    *,
    window: int,
    checks: int,
    now: int,
) -> Change:
    """The next attempt of the same step, after one whose outcome was `failed`."""
    ended = _judged(before, failed)
    after = _attempt(ended, method, provider, before.step.number, window, now)
    return Change(before, replace(after, guess_limit=checks), _SAME_STEP)


def switch(
    before: Verification, method: Method, provider: str, *, window: int, checks: int, now: int, by: str | None = None
) -> Change:
    """A new step with an attempt by another method, or again by the same one."""
    step = Step(len(before.steps) + 1, StepKind.SWITCH, claimed_at=now, by=by)
    after = _attempt(before, method, provider, step.number, window, now)
    return Change(before, replace(after, steps=(*before.steps, step), guess_limit=checks), _SAME_STEP)


def _attempt(record: Verification, method: Method, provider: str, step: int, window: int, now: int) -> Verification:
    attempt = Attempt(len(record.attempts) + 1, step, method, provider, Outcome.STARTING, now)
    return replace(
        record,
        method=method,
        provider=provider,
        attempts=(*record.attempts, attempt),
        expires_at=now + window,
        challenge=None,
        call_id=None,
        code_hash=None,
        answered_at=None,
        webhook_call_id=None,
        reported_at=None,
        earlier_reports=None,
        repeats_remaining=0,
        repeat_at=None,
    )


def answer(
    before: Verification,
    outcome: CallOutcome,
    challenge: Challenge,
    *,
    repeats: int,
    repeat_after: int,
    now: int,
    code_hash: str | None = None,
) -> Change:
    """The provider agreed, or may have: `outcome` is STARTED or UNKNOWN. Ends the step.

    code_hash: of a code that the vendor picked. repeats: how often the vendor repeats this call for nothing, from
    `repeat_after` seconds after its answer.
    """
    # Without the vendor's id there is nothing that a repeat could name.
    repeats = repeats if outcome.call_id else 0
    after = replace(
        _judged(before, outcome),
        steps=_step_done(before),
        challenge=challenge,
        call_id=outcome.call_id,
        code_hash=code_hash,
        answered_at=now,
        repeats_remaining=repeats,
        # One second more, because the vendor counts in fractions from a moment that we know by the second.
        repeat_at=now + (repeat_after + 1 if repeat_after else 0) if repeats else None,
    )
    # Not `unexpired`: the answer belongs to the record even when the window was shorter than the wait for it.
    # One whose window has no length at all is read by nobody before its answer.
    if before.attempt.at < before.expires_at <= now:
        after = _ended(after, Status.EXPIRED, EndReason.WINDOW_ELAPSED, now)
    return Change(before, after, Guard(unexpired=False, same_step=True))


def claim_step(before: Verification, now: int) -> Change:
    """Take over a step whose process seems to have died."""
    steps = (*before.steps[:-1], replace(before.step, claimed_at=now))
    return Change(before, replace(before, steps=steps), _SAME_STEP)


def count_mismatch(before: Verification, by: int) -> Change:
    """A switch names a phone that may be another one (1), or does not after all (-1)."""
    after = replace(before, phone_mismatches=before.phone_mismatches + by)
    return Change(before, after, Guard(unchanged=("phone_mismatches",)))


# The vendor's own repeat


def begin_repeat(before: Verification, now: int, by: str | None = None) -> Change:
    step = Step(len(before.steps) + 1, StepKind.REPEAT, claimed_at=now, by=by)
    after = replace(before, steps=(*before.steps, step), repeats_remaining=before.repeats_remaining - 1)
    return Change(before, after, _SAME_STEP)


def answer_repeat(
    before: Verification, *, error: str | None, repeats_remaining: int, call_id: str | None, again_at: int = 0
) -> Change:
    """What came of it; the verification itself goes on. again_at: when the next may be asked for, in epoch seconds."""
    after = replace(
        before,
        steps=_step_done(before, error, call_id),
        repeats_remaining=repeats_remaining,
        repeat_at=None if before.repeat_at is None else max(before.repeat_at, again_at),
    )
    return Change(before, after, Guard(unexpired=False, same_step=True))


# Hearing the provider


def note_report(before: Verification, call_id: str, *, now: int) -> Change:
    """The provider reported `call_id`, and is to be asked about it.

    While the start's own answer is still out there is nothing to ask about: the write of that answer brings it.
    """
    earlier = before.earlier_reports
    if before.reported_at is not None:
        earlier = (*(earlier or ()), before.reported_at)[:MAX_EARLIER_REPORTS]
    after = replace(before, webhook_call_id=call_id, reported_at=now, earlier_reports=earlier)
    return Change(before, after, Guard(unchanged=("call_id",), news=True))


# Guessing


def spend_guess(before: Verification, now: int | None = None, by: str | None = None) -> Change:
    """Take one guess before anything is compared."""
    seconds = max(0, (now or before.created_at) - before.created_at)
    checks = (*(before.checks or ()), -1 - seconds if by else seconds)[-MAX_CHECKS:]
    after = replace(before, guesses=before.guesses + 1, checks=checks)
    return Change(before, after, Guard(unchanged=("guesses",)))


def judge_wrong(before: Verification, now: int) -> Change:
    """A guess that was spent has been compared, and is wrong. The last one of all ends the verification."""
    after = replace(before, wrong=before.wrong + 1)
    if after.wrong >= before.guess_limit:
        after = _ended(after, Status.FAILED, EndReason.CHECKS_EXHAUSTED, now)
    return Change(before, after, Guard(unchanged=("wrong",)))


# Ending


def verify(before: Verification, evidence: Evidence, *, now: int, gives_back: bool = False) -> Change:
    """`verified`. gives_back: the guess that was right is not counted."""
    after = replace(
        before,
        status=Status.VERIFIED,
        evidence=evidence,
        verified_at=now,
        ended_at=now,
        code_hash=None,
        guesses=before.guesses - gives_back,
    )
    return Change(before, after)


def fail(before: Verification, failed: CallOutcome, reason: EndReason, *, step_error: str, now: int) -> Change:
    """No provider could make the call; `failed` is the last one's outcome, `step_error` the code of the answer."""
    after = replace(_judged(before, failed), steps=_step_done(before, step_error))
    return Change(before, _ended(after, Status.FAILED, reason, now), _SAME_STEP)


def cancel(before: Verification, now: int, by: str | None = None) -> Change:
    after = replace(before, canceled_by=by)
    return Change(before, _ended(after, Status.CANCELED, EndReason.CANCELED_BY_CLIENT, now))


def expire(before: Verification, now: int) -> Change:
    after = _ended(before, Status.EXPIRED, EndReason.WINDOW_ELAPSED, now)
    return Change(before, after, Guard(unexpired=False, expired=True))


def _ended(record: Verification, status: Status, reason: EndReason, now: int) -> Verification:
    return replace(record, status=status, reason=reason, ended_at=now, code_hash=None)


def _judged(record: Verification, outcome: CallOutcome) -> Verification:
    attempt = replace(record.attempt, outcome=outcome.outcome, reason=outcome.reason, ms=outcome.ms, cost=outcome.cost)
    return replace(record, attempts=(*record.attempts[:-1], attempt))


def _step_done(record: Verification, error: str | None = None, call_id: str | None = None) -> tuple[Step, ...]:
    return (*record.steps[:-1], replace(record.step, done=True, error=error, call_id=call_id))


_SAME_STEP = Guard(same_step=True)
