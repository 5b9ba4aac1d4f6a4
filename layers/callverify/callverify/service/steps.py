"""Steps under an Idempotency-Key: the first answer again, and taking over from a process that died."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.claims import IdempotencyKey
from callverify.domain.steps import Step, StepKind
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import INTERRUPTED, Deadline, Outcome, Phone
from callverify.providers.base import Line
from callverify.service import requests
from callverify.service.claims import Failed
from callverify.service.context import Context
from callverify.service.dial import Dial, provider_error
from callverify.service.repeat import record_repeat
from callverify.store import Stale

TAKE_OVER_AFTER_SECONDS = 15
LOOK_AGAIN_SECONDS = 0.25  # for the answer of a request in flight
IN_PROGRESS = "A request with this Idempotency-Key is in progress. Retry after `retry_after` seconds."


@value
class Replay:
    """The step that an Idempotency-Key began, and the verification as it is now."""

    verification: Verification
    step: Step


# What a step dials when it is taken over: the phone and the lines that its request named.
Wanted = Callable[[Verification, str | None], tuple[Phone, Sequence[Line]]]


class Steps:
    """Idempotency-Keys of one operation. wanted: see there. base_url: what links to this API begin with."""

    def __init__(
        self,
        ctx: Context,
        operation: str,
        wanted: Wanted,
        base_url: str,
        deadline: Deadline | None = None,
    ) -> None:
        self._ctx = ctx
        self._operation = operation
        self._wanted = wanted
        self._base_url = base_url
        self._deadline = deadline

    def key(self, scope: str, header: str | None, body: str | None) -> IdempotencyKey | None:
        """The key of a request; None without one. Raises InvalidRequest."""
        text = requests.parse_idempotency_key(header)
        if text is None:
            return None
        keys = self._ctx.keys
        # A caller that retries may have moved to another network: it is the same request. No body is an empty one.
        same = requests.canonical(body or "{}", without={"end_user_ip"})
        return IdempotencyKey(
            keys.hash_idempotency_key(scope, text),
            keys.hash_body(f"{self._operation}\n{same}"),
            former_hash=keys.hash_body(f"{self._operation}\n{requests.canonical(body)}"),
        )

    def replay_now(self, key: IdempotencyKey | None, body: str | None) -> Replay:
        """The answer after another request with this key came first."""
        found = self.replay(key, body) if key else None
        if found is None:
            raise errors.IdempotencyInProgress(IN_PROGRESS, retry_after=1)
        return found

    def replay(self, key: IdempotencyKey, body: str | None) -> Replay | None:
        """What the key began, finished where its process died; None for a key that is new.

        Raises what the first answer raised, IdempotencyKeyReused and IdempotencyInProgress; the last only once a
        deadline that the caller set is near.
        """
        while True:
            try:
                return self._answer(key, body)
            except errors.IdempotencyInProgress:
                if self._deadline is None or self._deadline.remaining() < LOOK_AGAIN_SECONDS:
                    raise
                self._ctx.pause(LOOK_AGAIN_SECONDS)

    def _answer(self, key: IdempotencyKey, body: str | None) -> Replay | None:
        now = self._ctx.now()
        known = self._ctx.store.idempotency_key(key.key_hash, now)
        if known is None:
            return None
        if not any(hmac.compare_digest(known.body_hash, each) for each in (key.body_hash, key.former_hash)):
            raise errors.IdempotencyKeyReused(
                "This Idempotency-Key was used with another request. Use a new one for a new request."
            )
        verification = self._ctx.store.get(known.verification_id, now)
        if verification is None:
            raise errors.NotFound(
                "The verification of this Idempotency-Key is no longer kept. Use a new one for a new request."
            )
        self._ctx.observer.about(verification.id)
        step = verification.steps[known.step - 1]
        if step.kind is StepKind.START:
            self._count_other_address(verification, body)
        if not step.done and step is verification.step and verification.is_live(now):
            wait = step.claimed_at + TAKE_OVER_AFTER_SECONDS - now
            if wait > 0:
                raise errors.IdempotencyInProgress(IN_PROGRESS, retry_after=wait)
            verification = self._resume(verification, body)
            step = verification.steps[known.step - 1]
        if step.error:
            error = provider_error(step.error, verification.id)
            error.replayed = True
            raise error
        return Replay(verification, step)

    def _count_other_address(self, verification: Verification, body: str | None) -> None:
        try:
            address, first = requests.end_user_ip(body), verification.address_hash
        except errors.InvalidRequest:  # judged after the key, and so not at all
            return
        if address and first and not hmac.compare_digest(self._ctx.keys.hash_address(address), first):
            self._ctx.lane(verification.mode).observer.count("ReplayOtherAddress")

    def _resume(self, verification: Verification, body: str | None) -> Verification:
        """Finish a step whose process died. What it had sent is an unknown outcome, and is not sent again.

        By now more than 15 s have passed since the first sending, the time in which a vendor may be asked again.
        """
        ctx, lane = self._ctx, self._ctx.lane(verification.mode)
        try:
            verification = ctx.store.apply(transitions.claim_step(verification, ctx.now()), ctx.now())
        except Stale:
            raise errors.IdempotencyInProgress(IN_PROGRESS, retry_after=TAKE_OVER_AFTER_SECONDS) from None
        if verification.step.kind is StepKind.REPEAT:
            return record_repeat(ctx, lane, verification, INTERRUPTED, remaining=verification.repeats_remaining)
        if verification.attempt.outcome is Outcome.STARTING:
            lane.breaker.judge(verification.provider, INTERRUPTED)
        phone, lines = self._wanted(verification, body)
        dial = Dial(ctx, lane, phone, self._base_url, deadline=self._deadline)
        line = lane.line(verification.provider, verification.method)
        if line and line.route.code and line.route.code.ours:
            return dial.record_answer(line, verification, INTERRUPTED)
        tried = {
            (attempt.provider, attempt.method)
            for attempt in verification.attempts
            if attempt.step == verification.step.number
        }
        left = [line for line in lines if (line.provider, line.method) not in tried]
        if ctx.store.is_blocked(verification.phone_hash):
            left = []
        return dial.run(left, None, Failed(verification, INTERRUPTED, line))
