"""The end of a window, acted on though nobody asks."""

from __future__ import annotations

from callverify.domain import verification as transitions
from callverify.domain.words import INTERRUPTED, Outcome, Status
from callverify.service.context import Context
from callverify.service.read import read_back
from callverify.store import Stale


def follow_up(ctx: Context, verification_id: str, attempt: int) -> int | None:
    """Bring an attempt's window to its end: one last question to the provider, then `expired`.

    Returns the seconds until this has to be called again, or None when nothing is left to do. Safe to call twice,
    early, late, and for an attempt that is no longer the current one.
    """
    ctx.observer.about(verification_id)
    now = ctx.now()
    verification = ctx.store.get(verification_id, now)
    if verification is None or verification.status is not Status.PENDING or verification.attempt.number != attempt:
        return None
    lane = ctx.lane(verification.mode)
    line = lane.line(verification.provider, verification.method)
    asked_at = verification.expires_at - (line.route.last_question if line else 0)
    if now < asked_at:
        return asked_at - now
    if now < verification.expires_at:
        if line and line.route.read_back and read_back(ctx, lane, line, verification).status is not Status.PENDING:
            return None
        return max(1, verification.expires_at - ctx.now())
    change = transitions.expire(verification, now)
    try:
        expired = ctx.store.apply(change, now, lane.claims.ended(change))
    except Stale:
        return None
    if verification.attempt.outcome is Outcome.STARTING:  # its process died: it may have waited for its provider
        lane.breaker.judge(verification.provider, INTERRUPTED)
    ctx.count_end("Expired", expired)
    return None
