"""Check a code that the user typed."""

from __future__ import annotations

import hmac
import secrets
from contextlib import suppress

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Evidence, Status, has_code
from callverify.service import requests
from callverify.service.context import Context
from callverify.service.dial import rate_limited
from callverify.service.lane import Lane
from callverify.store import LimitReached, Stale


@value
class Checked:
    verification: Verification
    valid: bool


def check(ctx: Context, caller: Caller, verification: Verification, body: str | None, *, once: bool = False) -> Checked:
    """Compare a typed code with that of a verification that the caller may check.

    once: of several that are right at the same time, one is told so.

    Judged in this order: the browser's address has room, a guess is spent, the code is compared. From then on nothing
    but the comparison decides the answer.
    Raises VerificationNotPending, MethodHasNoCode, RateLimited; InvalidRequest for what is no code, at no cost.
    """
    lane = ctx.lane(verification.mode)
    code = requests.parse_code(body, _digits(lane, verification))
    guess_id = secrets.token_hex(8)
    spent = _spend(ctx, lane, caller, verification, guess_id)
    if _is_right(ctx, lane, spent, code):
        verified = _verify(ctx, lane, spent, guess_id, once=once)
        if verified:
            return Checked(verified, valid=True)
    return Checked(_judge_wrong(ctx, lane, caller, spent), valid=False)


def _is_right(ctx: Context, lane: Lane, verification: Verification, code: str) -> bool:
    """In constant time. A code that the vendor picks is known by its hash alone, and before its answer not at all."""
    if verification.code_hash:
        typed = ctx.keys.hash_code(verification.id, verification.attempt.number, code)
        return hmac.compare_digest(typed, verification.code_hash)
    route = lane.route(verification.provider, verification.method)
    if route and route.code and not route.code.ours:
        return False
    return hmac.compare_digest(code, lane.code(verification, len(code)))


def _digits(lane: Lane, verification: Verification) -> int | None:
    """How many digits the code has; None where there is none to type."""
    if verification.challenge:
        return verification.challenge.length
    route = lane.route(verification.provider, verification.method)
    return route.code.digits if route and route.code else None


def _spend(ctx: Context, lane: Lane, caller: Caller, verification: Verification, guess_id: str) -> Verification:
    """The record after one guess was taken from it and from its phone. Nothing has been compared yet."""
    while True:
        ctx.require_pending(verification)
        if not has_code(verification.method):
            raise errors.MethodHasNoCode("A reverse call has no code: the user calls the number of the challenge.")
        if verification.guesses >= verification.guess_limit:
            # Others are still being compared: the last wrong one would have ended the verification.
            raise errors.RateLimited(
                "Other checks of this verification are in progress. Retry after `retry_after` seconds.",
                limit="verification_guesses",
                retry_after=1,
            )
        change = transitions.spend_guess(verification, ctx.now(), caller.name)
        try:
            return ctx.store.apply(change, ctx.now(), lane.claims.check(change, caller, guess_id))
        except Stale:
            verification = ctx.changed(verification)
        except LimitReached as reached:
            raise rate_limited(reached) from None


def _verify(ctx: Context, lane: Lane, verification: Verification, guess_id: str, *, once: bool) -> Verification | None:
    """Write what a right code proves; None where a later attempt, of another code, has begun in between."""
    now = ctx.now()
    evidence = Evidence.VENDOR_CODE_MATCHED if verification.code_hash else Evidence.CODE_MATCHED
    change = transitions.verify(verification, evidence, now=now, gives_back=True)
    try:
        verified = ctx.store.apply(change, now, lane.claims.verified(change, None, guess_id=guess_id))
    except Stale:
        fresh = ctx.fresh(verification)
        if fresh.is_live(ctx.now()):
            return None
        with suppress(errors.Busy):
            ctx.store.take(lane.claims.return_guess(change, guess_id), change, now)
        if once or fresh.evidence is not evidence:
            raise ctx.not_pending(fresh) from None
        return fresh
    ctx.count_end("Verified", verified)
    return verified


def _judge_wrong(ctx: Context, lane: Lane, caller: Caller, verification: Verification) -> Verification:
    """Count a guess that was wrong; the last of all ends the verification. Whatever fails here, it was wrong."""
    with suppress(errors.Busy):
        while verification.is_live(ctx.now()):
            change = transitions.judge_wrong(verification, ctx.now())
            try:
                judged = ctx.store.apply(change, ctx.now(), lane.claims.wrong(change, caller))
            except Stale:
                verification = ctx.changed(verification)
                continue
            if judged.status is Status.FAILED:
                ctx.count_end("Failed", judged)
            return judged
    return verification
