"""What the guard of a change asks of the stored record, without a table: the meaning that the store is held to."""

from __future__ import annotations

from callverify.domain.questions import AFTER_REPORT
from callverify.domain.verification import Change, Verification
from callverify.domain.words import Status


def holds(change: Change, stored: Verification | None, now: int) -> bool:
    """Whether the change may be written over `stored` (None: there is no record) at `now`."""
    read, guard = change.before, change.guard
    if read is None or stored is None:
        return read is stored
    return (
        stored.status is Status.PENDING
        and (stored.attempt.number, stored.provider) == (read.attempt.number, read.provider)
        and (not guard.unexpired or now < stored.expires_at)
        and (not guard.expired or now >= stored.expires_at)
        and (not guard.same_step or _step(stored) == _step(read))
        and all(getattr(stored, name) == getattr(read, name) for name in guard.unchanged)
        and (not guard.news or _is_news(change.after, stored, now))
    )


def _is_news(noted: Verification, stored: Verification, now: int) -> bool:
    noted_then = stored.reported_at
    return stored.webhook_call_id != noted.webhook_call_id or noted_then is None or noted_then <= now - AFTER_REPORT[-1]


def _step(record: Verification) -> tuple[object, ...]:
    return len(record.steps), record.step.claimed_at, record.attempt.outcome
