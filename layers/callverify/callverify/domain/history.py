"""What happened to a verification, in order: computed from what its record keeps anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callverify.domain.questions import after_report
from callverify.domain.steps import Attempt, StepKind
from callverify.domain.verification import MAX_EARLIER_REPORTS, Verification
from callverify.domain.view import timestamp
from callverify.domain.words import EndReason, Evidence, Outcome, Status

# `at`, `what`, `by`, and what else there is to tell: docs/history.md.
Entry = Mapping[str, Any]
BROWSER, PROVIDER, CLOCK = "browser", "provider", "clock"
_BY_CODE = (Evidence.CODE_MATCHED, Evidence.VENDOR_CODE_MATCHED)


def history(record: Verification, now: int, questions: Sequence[int]) -> list[Entry]:
    """As of `now`. questions: when the provider of the latest attempt is to be asked, in epoch seconds."""
    found = [
        *_steps(record),
        *_heard(record),
        *_questions(record, now, questions),
        *_checks(record),
        *_end(record, now),
    ]
    # What has the same second stays in this order.
    return [{**entry, "at": timestamp(entry["at"])} for entry in sorted(found, key=lambda entry: int(entry["at"]))]


def _entry(at: int, what: str, by: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "what": what, "by": by} | {name: each for name, each in more.items() if each is not None}


def _creator(record: Verification) -> str:
    return record.steps[0].by or record.key_id


def _steps(record: Verification) -> Iterator[Entry]:
    for step in record.steps:
        attempts = [each for each in record.attempts if each.step == step.number]
        at = attempts[0].at if attempts else step.claimed_at
        match step.kind:
            case StepKind.REPEAT:
                yield _entry(at, "repeated", step.by or BROWSER, error=step.error)
            case StepKind.SWITCH:
                yield _entry(at, "switched", step.by or BROWSER, method=attempts[0].method if attempts else None)
            case _:
                yield _entry(record.created_at, "created", _creator(record))
        yield from (_answer(record, each) for each in attempts if each.outcome is not Outcome.STARTING)


def _answer(record: Verification, attempt: Attempt) -> Entry:
    known = record.answered_at if attempt is record.attempt else None
    return _entry(
        attempt.at + (attempt.ms or 0) // 1000 if known is None else known,
        "provider_answered",
        PROVIDER,
        provider=attempt.provider,
        method=attempt.method,
        outcome=attempt.outcome,
        reason=attempt.reason,
        ms=attempt.ms,
        cost=attempt.cost,
    )


def _reports(record: Verification) -> tuple[int, ...]:
    """When the first ten of the latest attempt came that were to be asked about, oldest first."""
    last = () if record.reported_at is None else (record.reported_at,)
    return ((record.earlier_reports or ()) + last)[:MAX_EARLIER_REPORTS]


def _heard(record: Verification) -> Iterator[Entry]:
    """The first one."""
    reports = _reports(record)
    if record.evidence is Evidence.PROVIDER_SIGNATURE and record.verified_at is not None:
        reports = (record.verified_at,)
    if reports:
        yield _entry(reports[0], "report_received", PROVIDER, provider=record.provider)


def _questions(record: Verification, now: int, planned: Sequence[int]) -> Iterator[Entry]:
    """Those of the latest attempt, at the times for which they were planned: asking writes nothing."""
    read_back = record.evidence is Evidence.PROVIDER_READ_BACK
    # In test mode calls have no id of a vendor.
    if not planned or (record.call_id is None and not read_back):
        return
    end = min(now, record.expires_at, record.expires_at if record.ended_at is None else record.ended_at)
    times = [*planned]
    for reported_at in _reports(record):
        # One that came before the start's answer waited for it.
        first = max(reported_at, record.answered_at or 0)
        times += [first, *after_report(first)]
    asked = sorted(time for time in times if time <= end)
    if read_back and record.verified_at is not None:
        # By the last one, which may have been late. Of several in that second, one will have been enough.
        earlier = [time for time in asked if time < record.verified_at]
        asked = [*(earlier if record.verified_at in asked else earlier[:-1]), record.verified_at]
    if asked:
        yield _entry(asked[-1], "provider_asked", CLOCK, provider=record.provider, count=len(asked))


def _checks(record: Verification) -> Iterator[Entry]:
    checks = record.checks or ()
    for place, check in enumerate(checks):
        right = record.evidence in _BY_CODE and place == len(checks) - 1
        yield _entry(record.created_at + _seconds(check), "code_checked", _checker(record, check), valid=right)


def _seconds(check: int) -> int:
    return check if check >= 0 else -1 - check


def _checker(record: Verification, check: int) -> str:
    return BROWSER if check >= 0 else _creator(record)


def _end(record: Verification, now: int) -> Iterator[Entry]:
    status, reason = record.status_at(now)
    # The end of a window is written a little later.
    at = record.expires_at if status is Status.EXPIRED or record.ended_at is None else record.ended_at
    checker = _checker(record, record.checks[-1]) if record.checks else PROVIDER
    match status:
        case Status.VERIFIED:
            by = checker if record.evidence in _BY_CODE else PROVIDER
            yield _entry(at, "verified", by, evidence=record.evidence)
        case Status.FAILED:
            yield _entry(at, "failed", checker if reason is EndReason.CHECKS_EXHAUSTED else PROVIDER, reason=reason)
        case Status.EXPIRED:
            yield _entry(at, "expired", CLOCK, reason=reason)
        case Status.CANCELED:
            yield _entry(at, "canceled", record.canceled_by or _creator(record), reason=reason)
