"""What a verification that has ended used: starts, verified ones, paid calls and money, by provider and method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from callverify.domain.steps import Attempt, StepKind
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.domain.words import Mode, Outcome, Status

MILLION = 1_000_000  # money is counted in millionths


@value
class Place:
    """Where something is counted. day: in UTC, such as 2026-11-27."""

    mode: Mode
    day: str
    key_id: str
    provider: str
    method: str


# Of one place: `starts`, `verified`, `paid_calls`, and `cost_<currency>`.
Amounts = Counter[str]
_MAYBE_PAID = (Outcome.STARTED, Outcome.UNKNOWN, Outcome.STARTING)


def used(record: Verification, is_paid: Callable[[str, str], bool]) -> Iterator[tuple[Place, Amounts]]:
    """By attempt. is_paid: whether calls of a provider by a method cost money.

    What may have been paid for counts as paid, a vendor's repeat among it.
    """
    for attempt in record.attempts:
        amounts = Amounts(starts=1)
        if attempt is record.attempt and record.status is Status.VERIFIED:
            amounts["verified"] += 1
        if is_paid(attempt.provider, attempt.method):
            amounts["paid_calls"] += (attempt.outcome in _MAYBE_PAID) + _repeats(record, attempt)
        if attempt.cost:
            number, _, currency = attempt.cost.partition(" ")
            amounts[f"cost_{currency}"] += int(Decimal(number) * MILLION)
        yield Place(record.mode, day_of(attempt.at), record.key_id, attempt.provider, attempt.method), amounts


def _repeats(record: Verification, attempt: Attempt) -> int:
    """Those of an attempt's call: after its own request, and before the next one that made attempts."""
    later = min((each.step for each in record.attempts if each.step > attempt.step), default=len(record.steps) + 1)
    if any(each.step == attempt.step and each.number > attempt.number for each in record.attempts):
        return 0  # another attempt of the same request made the call
    between = record.steps[attempt.step : later - 1]
    return sum(step.kind is StepKind.REPEAT and not step.error for step in between)


def in_digits(millionths: int) -> str:
    """An amount of money, exactly: 4.4, 10, 0.00001."""
    return f"{millionths // MILLION}.{millionths % MILLION:06}".rstrip("0").rstrip(".")


def day_of(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
