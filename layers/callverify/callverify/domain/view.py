"""The verification as callers see it: an allow-list, so that nothing new on the record gets out by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from callverify.domain.steps import Attempt
from callverify.domain.verification import MAX_PHONE_MISMATCHES, Change, Verification
from callverify.domain.words import Challenge, Outcome, Reason, Status, has_code


def resource(verification: Verification, now: float, *, polled: bool = False) -> dict[str, Any]:
    """The JSON resource as of `now`: no code, no hash, no vendor id, and the phone masked.

    polled: for a reader that asks again and again. Any other is told the same as the first time.
    """
    status, reason = verification.status_at(now)
    pending = status is Status.PENDING
    latest = verification.attempt
    remaining = max(0, verification.guess_limit - verification.guesses)
    mismatched = verification.phone_mismatches >= MAX_PHONE_MISMATCHES
    repeats = verification.repeats_remaining if pending and not mismatched else 0
    return {
        "id": verification.id,
        "mode": verification.mode,
        # Its end, read before it is written, has the number that the write will take.
        "revision": verification.revision + (status is not verification.status),
        "status": status,
        "reason": reason,
        "evidence": verification.evidence,
        "method": verification.method,
        "provider": verification.provider,
        "phone": verification.phone_mask,
        "challenge": _challenge(verification.challenge),
        "checks_remaining": remaining if has_code(verification.method) else None,
        "repeats_remaining": repeats,
        "repeat_after": timestamp(verification.repeat_at) if repeats and verification.repeat_at else None,
        "switches_remaining": verification.switches_remaining if pending else 0,
        "switch_until": timestamp(verification.switch_until),
        "poll_after": timestamp(_poll_after(verification, now if polled else 0)) if pending else None,
        "allowed_methods": list(verification.allowed_methods),
        "attempts": [_attempt(attempt, latest=pending and attempt is latest) for attempt in verification.attempts],
        "reference": verification.reference,
        "metadata": dict(verification.metadata),
        "created_at": timestamp(verification.created_at),
        "expires_at": timestamp(verification.expires_at),
        "verified_at": timestamp(verification.verified_at) if verification.verified_at is not None else None,
        **({"brand": verification.brand} if verification.brand else {}),
    }


def _attempt(attempt: Attempt, *, latest: bool) -> dict[str, Any]:
    # Over, and no answer on record: its process died, or was overtaken. The vendor may have called.
    lost = attempt.outcome is Outcome.STARTING and not latest
    return {
        "method": attempt.method,
        "provider": attempt.provider,
        "outcome": Outcome.UNKNOWN if lost else attempt.outcome,
        "reason": Reason.INTERRUPTED if lost else attempt.reason,
        "at": timestamp(attempt.at),
    }


# Seconds of an attempt after which asking again is of use: the first are those in which most people call. A code is
# checked by its own request, so that a reader beside it has more time.
_POLLS = (3, 6, 9, 12, 15, 20, 25, 30, 40, 50, 60)
_CODE_POLLS = (6, 10, 20, 30, 40, 50, 60)


def _poll_after(verification: Verification, now: float) -> int:
    age = now - verification.attempt.at
    polls = _CODE_POLLS if has_code(verification.method) else _POLLS
    after = next((seconds for seconds in polls if seconds > age), int(age // 10 + 1) * 10)
    return min(verification.attempt.at + after, verification.expires_at)


def client_resource(verification: Verification, now: float, *, polled: bool = False) -> dict[str, Any]:
    """The resource as a client token reads it: without what is between the customer's server and us."""
    found = resource(verification, now, polled=polled)
    for name in ("reference", "metadata"):
        del found[name]
    return found | ({"return_url": verification.return_url} if verification.return_url else {})


def revised(change: Change, now: float) -> Change:
    """The change with the next revision, where it changes what a client token may read."""
    before, after = change.before, change.after
    if before is None:
        return change
    # A record that reads as expired has the number of its end already: no other change may take it.
    same = before.status is after.status and resource(before, now) == resource(after, now)
    return change if same else numbered(change, before.revision + 1)


def carried_over(change: Change, found: Verification) -> Verification:
    """The record after a change that was made of another record than it was written over."""
    before, after = change.before or change.after, change.after
    changed = (each.name for each in fields(after) if getattr(before, each.name) != getattr(after, each.name))
    return replace(found, **{name: getattr(after, name) for name in changed})


def numbered(change: Change, revision: int) -> Change:
    before = replace(change.before, revision=revision - 1) if change.before else None
    return Change(before, replace(change.after, revision=revision), change.guard)


def _challenge(challenge: Challenge | None) -> dict[str, Any] | None:
    if challenge is None:
        return None
    if challenge.number is not None:
        return {"type": challenge.type, "number": challenge.number, "tel_uri": f"tel:{challenge.number}"}
    return {"type": challenge.type, "length": challenge.length}


def timestamp(seconds: int) -> str:
    """Epoch seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
