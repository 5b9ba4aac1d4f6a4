"""Erase a verification, or all of a phone: what is left protects, and names nobody."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from callverify.domain import errors
from callverify.domain.erasure import Erased
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Scope, Status
from callverify.service import requests
from callverify.service.cancel import cancel
from callverify.service.context import Context
from callverify.service.dial import rate_limited
from callverify.service.follow_up import expire
from callverify.store import LimitReached, Stale

AT_ONCE = 50  # verifications of one request
TRIES = 5  # of a record that changes meanwhile
INDEXED_WITHIN = 15  # seconds from a start, as a rule


def erase(ctx: Context, caller: Caller, verification_id: str) -> None:
    """Erase one. Raises Forbidden, NotFound and VerificationPending."""
    verification = ctx.visible(caller, verification_id, Scope.ERASE, client_token=False)
    if verification.is_live(ctx.now()):
        raise errors.VerificationPending("The verification is pending. Cancel it first, or wait until it has ended.")
    _erase(ctx, caller, verification)


def erase_phone(ctx: Context, caller: Caller, body: str | None) -> dict[str, Any]:
    """Erase up to AT_ONCE verifications of a phone, in the key's mode: how many, and whether that was all of it.

    Raises Forbidden, InvalidRequest, InvalidPhone and RateLimited.
    """
    ctx.require(caller, Scope.ERASE)
    lane = ctx.lane(caller.mode)
    phone_hash = ctx.keys.hash_phone(lane.phone(requests.parse_phone(body)).e164)
    try:
        ctx.store.count(lane.claims.erasure(caller), ctx.now())
    except LimitReached as reached:
        raise rate_limited(reached) from None
    ids = [each.verification_id for each in ctx.index.of_phone(caller.mode, phone_hash, limit=AT_ONCE)]
    if live := ctx.store.live_verification_id(phone_hash, ctx.now()):
        ids.insert(0, live)
    erased, left = 0, False
    for verification_id in dict.fromkeys(ids):
        found = ctx.store.get(verification_id, ctx.now())
        if found and found.phone_hash == phone_hash and found.mode is caller.mode:
            _erase(ctx, caller, found)
            erased += 1
        elif found is None:  # its entry goes with its events, a moment after its record
            left = left or ctx.store.is_erased(verification_id)
    recent = ctx.store.has_started_since(phone_hash, ctx.now() - INDEXED_WITHIN)
    ctx.observer.audit("erased by phone", key=caller.name, found=erased)
    return {"erased": erased, "done": not (erased or left or recent)}


def _erase(ctx: Context, caller: Caller, verification: Verification) -> None:
    """End it where it has not ended, so that its end is an event, and erase it."""
    by = caller.name or ""
    for _ in range(TRIES):
        try:
            verification = _ended(ctx, verification, by)
            return ctx.store.erase(verification, Erased(verification.id, verification.mode, ctx.now(), by))
        except Stale:
            with suppress(errors.NotFound):
                verification = ctx.fresh(verification)
                continue
        except errors.NotFound:
            pass
        return None  # somebody else has erased it
    raise errors.busy()


def _ended(ctx: Context, verification: Verification, by: str) -> Verification:
    """Raises NotFound where it is gone by then."""
    if verification.status is not Status.PENDING:
        return verification
    if verification.is_live(ctx.now()):
        with suppress(errors.VerificationNotPending):
            return cancel(ctx, verification, by)
    else:
        expire(ctx, verification)
    return ctx.fresh(verification)
