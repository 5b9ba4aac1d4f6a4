"""The verification as callers see it: an allow-list, so that nothing new on the record gets out by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from callverify.domain.verification import Verification
from callverify.domain.words import Challenge, Outcome, Reason, Status, has_code


def resource(verification: Verification, now: float) -> dict[str, Any]:
    """The JSON resource as of `now`: no code, no hash, no vendor id, and the phone masked."""
    status, reason = verification.status_at(now)
    pending = status is Status.PENDING
    latest = verification.attempt
    remaining = max(0, verification.guess_limit - verification.guesses)
    may_repeat = pending and verification.repeats_remaining > 0 and verification.repeat_at is not None
    return {
        "id": verification.id,
        "mode": verification.mode,
        "status": status,
        "reason": reason,
        "evidence": verification.evidence,
        "method": verification.method,
        "provider": verification.provider,
        "phone": verification.phone_mask,
        "challenge": _challenge(verification.challenge),
        "checks_remaining": remaining if has_code(verification.method) else None,
        "repeats_remaining": verification.repeats_remaining if pending else 0,
        "repeat_after": timestamp(verification.repeat_at) if may_repeat and verification.repeat_at else None,
        "switches_remaining": verification.switches_remaining if pending else 0,
        "switch_until": timestamp(verification.switch_until),
        "allowed_methods": list(verification.allowed_methods),
        "attempts": [
            {
                "method": attempt.method,
                "provider": attempt.provider,
                "outcome": Outcome.UNKNOWN if lost else attempt.outcome,
                "reason": Reason.INTERRUPTED if lost else attempt.reason,
                "at": timestamp(attempt.at),
            }
            for attempt in verification.attempts
            # Over, and no answer on record: its process died, or was overtaken. The vendor may have called.
            for lost in [attempt.outcome is Outcome.STARTING and (not pending or attempt is not latest)]
        ],
        "reference": verification.reference,
        "metadata": dict(verification.metadata),
        "created_at": timestamp(verification.created_at),
        "expires_at": timestamp(verification.expires_at),
        "verified_at": timestamp(verification.verified_at) if verification.verified_at is not None else None,
    }


def _challenge(challenge: Challenge | None) -> dict[str, Any] | None:
    if challenge is None:
        return None
    if challenge.number is not None:
        return {"type": challenge.type, "number": challenge.number, "tel_uri": f"tel:{challenge.number}"}
    return {"type": challenge.type, "length": challenge.length}


def timestamp(seconds: int) -> str:
    """Epoch seconds as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
