"""Switch to another method, or start again by the same one, under the same id."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.claims import Claim, IdempotencyKey
from callverify.domain.phone import parse_phone
from callverify.domain.verification import MAX_PHONE_MISMATCHES, MAX_SWITCHES, Change, Verification
from callverify.domain.words import Caller, Phone
from callverify.providers.base import Line
from callverify.service import requests
from callverify.service.context import Context
from callverify.service.dial import Dial, Skipped
from callverify.service.lane import Lane
from callverify.store import Stale

TRIES = 10  # of a count that others change too


def switch(
    ctx: Context,
    lane: Lane,
    verification: Verification,
    request: requests.SwitchRequest,
    caller: Caller,
    key: IdempotencyKey | None,
    base_url: str,
) -> tuple[Verification, Sequence[Skipped]]:
    """The record, and the routes that were passed over. Raises a switch's errors, Stale, Taken and LimitReached."""
    verification = same_phone(ctx, verification, request.phone)
    if request.method not in verification.allowed_methods:
        allowed = ", ".join(verification.allowed_methods)
        raise errors.MethodNotAllowed(f"This verification allows only {allowed} (see `allowed_methods`).")
    if verification.switches >= MAX_SWITCHES:
        raise errors.SwitchExhausted(
            f"A verification has at most {MAX_SWITCHES} switches. Start another one when this one has ended."
        )
    if ctx.now() >= verification.switch_until:
        raise errors.SwitchWindowClosed(
            "The time to switch ended at `switch_until`. Start another verification when this one has ended."
        )
    phone = lane.judge(request.phone, [request.method])

    def opening(line: Line) -> tuple[Change, Sequence[Claim]]:
        change = transitions.switch(
            verification,
            line.method,
            line.provider,
            window=line.window,
            checks=lane.claims.checks(line),
            now=ctx.now(),
            by=caller.name,
        )
        return change, [*([key] if key else ()), *lane.claims.switch(change, line, phone, caller)]

    dial = Dial(ctx, lane, phone, base_url)
    return dial.run(lines_for(lane, phone, request), opening), dial.skipped


def lines_for(lane: Lane, phone: Phone, request: requests.SwitchRequest) -> list[Line]:
    return [line for line in lane.lines(phone) if line.method is request.method]


def same_phone(ctx: Context, verification: Verification, text: str) -> Verification:
    """The record once the phone that a switch names is found to be the one of the verification.

    A mismatch is counted before it is compared, and given back when it is none. Raises InvalidPhone, PhoneMismatch
    and SwitchExhausted.
    """
    # Of any country and in any mode: another one is another one.
    phone = parse_phone(text, default_country=ctx.policy.default_country, allowed_countries=None)
    counted = _count_mismatch(ctx, verification, 1)
    if not hmac.compare_digest(ctx.keys.hash_phone(phone.e164), verification.phone_hash):
        raise errors.PhoneMismatch(
            "`phone` is not the number of this verification. Send the number that it was started for."
        )
    return _count_mismatch(ctx, counted, -1)


def _count_mismatch(ctx: Context, verification: Verification, by: int) -> Verification:
    steps = len(verification.steps)
    for _ in range(TRIES):
        if by > 0:
            refuse_if_mismatched(verification)
        try:
            return ctx.store.apply(transitions.count_mismatch(verification, by), ctx.now())
        except Stale:
            verification = ctx.fresh(verification)
            if len(verification.steps) != steps or not verification.is_live(ctx.now()):
                raise
    raise errors.busy()


def refuse_if_mismatched(verification: Verification) -> None:
    """Raises SwitchExhausted where too many switches have named another phone."""
    if verification.phone_mismatches >= MAX_PHONE_MISMATCHES:
        raise errors.SwitchExhausted(
            "Too many switches named another `phone`. Start another verification when this one has ended."
        )
