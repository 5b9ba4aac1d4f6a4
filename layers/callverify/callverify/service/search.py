"""Search by reference or by phone: the verifications of a key, newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from callverify.domain import errors
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, Scope
from callverify.service import requests
from callverify.service.context import Context
from callverify.service.dial import rate_limited
from callverify.service.requests import SearchRequest
from callverify.store import LimitReached
from callverify.store.index import ALL_KEYS, Entry


@value
class Page:
    """verifications: those of a page that are still kept. next: what is passed as `after` for the following one."""

    verifications: Sequence[Verification]
    next: str | None


def search(ctx: Context, caller: Caller, body: str | None) -> Page:
    """One page. Reads that page alone, however many others there are.

    Raises Forbidden, InvalidRequest, CursorUnknown, InvalidPhone, RateLimited.
    """
    if not caller.is_key or not caller.scopes & {Scope.READ, Scope.SEARCH}:
        raise errors.Forbidden(f"This needs an API key with the scope {Scope.READ} or {Scope.SEARCH}.")
    request = requests.parse_search(body)
    by_phone = request.phone is not None
    entries = (_by_phone if by_phone else _by_reference)(ctx, caller, request)
    there, more = entries[: request.limit], entries[request.limit :]
    ids = [each.verification_id for each in there]
    found = ctx.store.get_many(ids, ctx.now()) if ids else []
    if by_phone:
        ctx.observer.audit("searched by phone", key=caller.name, found=len(found))
    return Page(found, requests.cursor_of(there[-1].place) if more else None)


def _by_reference(ctx: Context, caller: Caller, request: SearchRequest) -> list[Entry]:
    ctx.require(caller, Scope.READ)
    return ctx.index.of_reference(
        caller.mode, request.reference or "", key_id=_whose(caller), after=request.after, limit=request.limit + 1
    )


def _by_phone(ctx: Context, caller: Caller, request: SearchRequest) -> list[Entry]:
    ctx.require(caller, Scope.SEARCH)
    lane = ctx.lane(caller.mode)
    phone_hash = ctx.keys.hash_phone(lane.phone(request.phone or "").e164)
    try:
        ctx.store.count(lane.claims.search(caller), ctx.now())
    except LimitReached as reached:
        raise rate_limited(reached) from None
    return ctx.index.of_phone(
        caller.mode, phone_hash, key_id=_whose(caller), after=request.after, limit=request.limit + 1
    )


def _whose(caller: Caller) -> str:
    return ALL_KEYS if caller.all_keys else caller.key_id
