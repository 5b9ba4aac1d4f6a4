"""Questions to providers, and the end of a window, acted on though nobody asks."""

from __future__ import annotations

import json
from dataclasses import replace

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import INTERRUPTED, Outcome, Status
from callverify.service.context import Context
from callverify.service.read_back import read_back
from callverify.store import Stale


@value
class FollowUp:
    """A message about an attempt: ask its provider at these times, in epoch seconds; without any, end its window."""

    verification_id: str
    attempt: int
    ask_at: tuple[int, ...] = ()

    def text(self) -> str:
        found = {"verification_id": self.verification_id, "attempt": self.attempt}
        return json.dumps(found | ({"ask_at": self.ask_at} if self.ask_at else {}))

    @classmethod
    def read(cls, text: str) -> FollowUp:
        given = json.loads(text)
        return cls(given["verification_id"], given["attempt"], tuple(given.get("ask_at", ())))


def follow_up(ctx: Context, message: FollowUp) -> tuple[FollowUp, int] | None:
    """Ask the provider, or bring the attempt's window to its end.

    Returns what has to be done next, and in how many seconds; None when nothing is left to do. Safe to call twice,
    early, late, and for an attempt that is no longer the current one.
    """
    ctx.observer.about(message.verification_id)
    now = ctx.now()
    verification = ctx.store.get(message.verification_id, now)
    if verification is None or verification.status is not Status.PENDING:
        return None
    if verification.attempt.number != message.attempt:
        return None
    if now >= verification.expires_at:
        if not message.ask_at:
            expire(ctx, verification)
        return None
    if message.ask_at and now < message.ask_at[0]:
        return message, message.ask_at[0] - now
    try:
        if _ask(ctx, verification).status is not Status.PENDING:
            return None
    except errors.NotFound:  # erased meanwhile
        return None
    now = ctx.now()
    if not message.ask_at:  # it came before the end
        return message, max(1, verification.expires_at - now)
    left = tuple(time for time in message.ask_at if time > now)
    return (replace(message, ask_at=left), left[0] - now) if left else None


def _ask(ctx: Context, verification: Verification) -> Verification:
    lane = ctx.lane(verification.mode)
    line = lane.line(verification.provider, verification.method)
    return read_back(ctx, lane, line, verification) if line and line.route.read_back else verification


def expire(ctx: Context, verification: Verification) -> None:
    """Write the end of a window that is over, where nothing else has ended the verification."""
    lane, now = ctx.lane(verification.mode), ctx.now()
    change = transitions.expire(verification, now)
    try:
        expired = ctx.store.apply(change, now, lane.claims.ended(change))
    except Stale:
        return
    if verification.attempt.outcome is Outcome.STARTING:  # its process died: it may have waited for its provider
        lane.breaker.judge(verification.provider, INTERRUPTED)
    ctx.count_end("Expired", expired)
