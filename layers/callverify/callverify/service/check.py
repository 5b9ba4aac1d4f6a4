"""Check a code that the user typed."""

from __future__ import annotations

import hmac
import secrets

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Evidence, Scope, has_code
from callverify.service import requests
from callverify.service.context import Context
from callverify.service.dial import rate_limited
from callverify.service.lane import Lane
from callverify.store import LimitReached, Stale


@value
class Checked:
    verification: Verification
    valid: bool


def check(ctx: Context, caller: Caller, verification_id: str, body: str | None) -> Checked:
    """Spend a guess, then compare, then judge: in this order, so that no limit changes the answer to a compared code.

    Raises VerificationNotPending, MethodHasNoCode, RateLimited; InvalidRequest for what is no code, at no cost.
    """
    verification = ctx.visible(caller, verification_id, Scope.WRITE)
    lane = ctx.lane(verification.mode)
    code = requests.parse_code(body)
    guess_id = secrets.token_hex(8)
    spent = _spend(ctx, lane, caller, verification, guess_id)
    if hmac.compare_digest(code, lane.code(spent, len(code))):
        return Checked(_verify(ctx, lane, spent, guess_id), valid=True)
    return Checked(_judge_wrong(ctx, lane, caller, spent), valid=False)


def _spend(ctx: Context, lane: Lane, caller: Caller, verification: Verification, guess_id: str) -> Verification:
    """The record after one guess was taken from it, its phone, and nothing else. Nothing has been compared yet."""
    while True:
        ctx.require_pending(verification)
        if not has_code(verification.method):
            raise errors.MethodHasNoCode("A reverse call has no code: the user calls the number of the challenge.")
        if verification.guesses >= verification.guess_limit:
            if verification.wrong >= verification.guess_limit:  # its process died before it could end this
                verification = _exhaust(ctx, verification)
                continue
            raise errors.RateLimited(
                "All checks of this verification are being judged. Retry after `retry_after` seconds.",
                limit="verification_guesses",
                retry_after=1,
            )
        change = transitions.spend_guess(verification)
        try:
            return ctx.store.apply(change, ctx.now(), lane.claims.check(caller, guess_id))
        except Stale:
            verification = ctx.fresh(verification)
        except LimitReached as reached:
            raise rate_limited(reached) from None


def _verify(ctx: Context, lane: Lane, verification: Verification, guess_id: str) -> Verification:
    now = ctx.now()
    change = transitions.verify(verification, Evidence.CODE_MATCHED, now=now, gives_back=True)
    try:
        verified = ctx.store.apply(change, now, lane.claims.verified(change, lane.line(verification.provider, verification.method), guess_id=guess_id))
    except Stale:
        ctx.store.take(lane.claims.return_guess(guess_id), change, now)
        fresh = ctx.fresh(verification)
        if fresh.evidence is not Evidence.CODE_MATCHED:
            raise ctx.not_pending(fresh) from None
        return fresh
    ctx.count_end("Verified", verified)
    return verified


def _judge_wrong(ctx: Context, lane: Lane, caller: Caller, verification: Verification) -> Verification:
    """Count a guess that was wrong; the last one of them ends the verification."""
    while verification.is_live(ctx.now()):
        try:
            judged = ctx.store.apply(transitions.judge_wrong(verification), ctx.now(), lane.claims.wrong(caller))
        except Stale:
            verification = ctx.fresh(verification)
            continue
        return _exhaust(ctx, judged) if judged.wrong >= judged.guess_limit else judged
    return verification


def _exhaust(ctx: Context, verification: Verification) -> Verification:
    now = ctx.now()
    change = transitions.exhaust(verification, now)
    try:
        ended = ctx.store.apply(change, now, ctx.lane(verification.mode).claims.ended(change))
    except Stale:
        return ctx.fresh(verification)
    ctx.count_end("Failed", ended)
    return ended
