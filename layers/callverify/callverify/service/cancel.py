"""End a verification that is waited for no more."""

from __future__ import annotations

from callverify.domain import verification as transitions
from callverify.domain.verification import Verification
from callverify.service.context import Context
from callverify.store import Stale


def cancel(ctx: Context, verification: Verification, by: str | None) -> Verification:
    """The verification, which the caller may cancel, after its end. Raises VerificationNotPending.

    by: the name of the caller's API key.
    """
    while True:
        ctx.require_pending(verification)
        change = transitions.cancel(verification, ctx.now(), by)
        try:
            canceled = ctx.store.apply(change, ctx.now(), ctx.lane(verification.mode).claims.ended(change))
        except Stale:
            verification = ctx.changed(verification)
            continue
        ctx.count_end("Canceled", canceled)
        return canceled
