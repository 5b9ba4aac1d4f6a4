"""Phones for which no start, switch or repeat is accepted."""

from __future__ import annotations

from callverify.domain.words import Caller, Scope
from callverify.service import requests
from callverify.service.context import Context


def block(ctx: Context, caller: Caller, body: str | None) -> None:
    """Block a phone of the key's mode until it is unblocked. A pending verification goes on: decision 138.

    Raises InvalidPhone and Forbidden.
    """
    ctx.store.block(_phone_hash(ctx, caller, body), ctx.now())


def unblock(ctx: Context, caller: Caller, body: str | None) -> None:
    """Unblock a phone, blocked or not. Raises InvalidPhone and Forbidden."""
    ctx.store.unblock(_phone_hash(ctx, caller, body), ctx.now())


def _phone_hash(ctx: Context, caller: Caller, body: str | None) -> str:
    ctx.require(caller, Scope.BLOCK)
    phone = ctx.lane(caller.mode).phone(requests.parse_phone(body))
    return ctx.keys.hash_phone(phone.e164)
