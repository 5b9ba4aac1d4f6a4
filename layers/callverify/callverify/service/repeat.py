"""The vendor's own repeat of a call."""

from __future__ import annotations

from callverify.domain import errors
from callverify.domain import verification as transitions
from callverify.domain.claims import IdempotencyKey
from callverify.domain.limits import VENDOR_SECONDS
from callverify.domain.steps import StepKind
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, CallOutcome, Outcome, Reason, has_code
from callverify.providers.base import Line
from callverify.service.context import Context
from callverify.service.dial import NO_REPEATS_LEFT, NOT_REPEATED, provider_error, timed
from callverify.service.lane import Lane
from callverify.store import Stale

TOO_SOON_SECONDS = 3  # where the vendor says so, and not until when
_CODES = {
    Reason.NOT_SUPPORTED: "repeat_not_supported",
    Reason.REPEATS_SPENT: "repeat_exhausted",
    Reason.REPEAT_TOO_LATE: "repeat_window_closed",
    Reason.REPEAT_TOO_EARLY: "repeat_too_soon",
}
_NONE_LEFT = (errors.RepeatNotSupported, errors.RepeatExhausted, errors.RepeatWindowClosed)


def repeat(
    ctx: Context, lane: Lane, verification: Verification, caller: Caller, key: IdempotencyKey | None
) -> Verification:
    """Ask the vendor to call again. Raises the errors of a repeat, Stale, Taken and LimitReached."""
    line = lane.line(verification.provider, verification.method)
    _require_repeat(verification, line, ctx.now())
    if line is None:
        raise errors.NoProviderAvailable(
            "The provider of this call is no longer configured. Switch to another method, or to the same one again."
        )
    if line.stopped:
        raise errors.NoProviderAvailable(
            "The operator has stopped paid calls, and this repeat may cost money. Switch to another method."
        )
    change = transitions.begin_repeat(verification, ctx.now(), caller.name)
    claims = [*([key] if key else ()), *lane.claims.repeat(change, line, caller)]
    begun = ctx.store.apply(change, change.after.step.claimed_at, claims)
    deadline = ctx.deadline(VENDOR_SECONDS)
    call_id = verification.call_id or ""
    outcome = timed(ctx, lane, line.provider, "repeat", lambda: line.client.repeat(call_id, deadline))
    lane.observer.provider_answered(verification, "repeat", outcome)
    error = _error(verification, outcome)
    remaining = begun.repeats_remaining
    if isinstance(error, _NONE_LEFT):
        remaining = 0
    elif error:
        remaining = verification.repeats_remaining
    repeated = record_repeat(ctx, lane, begun, outcome, error=error, remaining=remaining)
    if error:
        raise error
    lane.observer.count("Repeated", provider=line.provider, method=line.method)
    return repeated


def record_repeat(
    ctx: Context,
    lane: Lane,
    verification: Verification,
    outcome: CallOutcome,
    *,
    remaining: int,
    error: errors.CallverifyError | None = None,
) -> Verification:
    """Store what came of a repeat. A record that has moved on stays as it is."""
    if error is None:
        lane.observer.count("PaidCalls", provider=verification.provider)
    change = transitions.answer_repeat(
        verification,
        error=error.code if error else None,
        repeats_remaining=remaining,
        call_id=outcome.call_id,
        again_at=ctx.now() + lane.claims.cooldown,
    )
    line = lane.line(verification.provider, verification.method)
    claims = lane.claims.repeat_refused(change, line, outcome) if error and line else lane.claims.repeated(change)
    try:
        return ctx.store.apply(change, ctx.now(), claims)
    except Stale:
        return ctx.fresh(verification)


def _require_repeat(verification: Verification, line: Line | None, now: int) -> None:
    if not has_code(verification.method):
        raise errors.RepeatNotSupported(
            "A reverse call can't be repeated. Switch to another method, or to the same one again."
        )
    if verification.repeats_remaining < 1:
        refused = any(step.error == errors.RepeatNotSupported.code for step in verification.steps)
        if verification.call_id is None or refused or (line and not line.route.repeats):
            raise errors.RepeatNotSupported(NOT_REPEATED)
        raise errors.RepeatExhausted(NO_REPEATS_LEFT)
    if verification.step.kind is StepKind.REPEAT:
        return  # the phone's cooldown says how long to wait
    wait = (verification.repeat_at or verification.attempt.at) - now
    if wait > 0:
        raise errors.RepeatTooSoon(
            "It is too early to repeat this call. Retry after `retry_after` seconds.", retry_after=wait
        )


def _error(verification: Verification, outcome: CallOutcome) -> errors.CallverifyError | None:
    """What a vendor's repeat failed with; None also when it may have been made."""
    if outcome.outcome in (Outcome.STARTED, Outcome.UNKNOWN):
        return None
    fallback = "provider_rejected" if outcome.outcome is Outcome.REJECTED else "provider_unavailable"
    error = provider_error(_CODES.get(outcome.reason, fallback) if outcome.reason else fallback, verification.id)
    if isinstance(error, errors.RepeatTooSoon):
        error.retry_after = TOO_SOON_SECONDS
    return error
