"""When the provider of an awaited call is asked about it, unless its report comes first."""

from __future__ import annotations

from callverify.domain.verification import Verification
from callverify.domain.words import has_code

AFTER_START = (5, 10, 15, 25, 35, 45, 55)  # seconds; then every EVERY
EVERY = 15
BEFORE_END = (10, 5)
AFTER_REPORT = (1, 3, 8)  # where asking at once has confirmed nothing
AFTER_TEST_START = (2, 3, 5)  # the first will do, unless a second went by between the record and its call


def planned(verification: Verification) -> tuple[int, ...]:
    """The times, in epoch seconds and in order, at which to ask about the current attempt."""
    at, end = verification.attempt.at, verification.expires_at
    times = {
        *(at + seconds for seconds in AFTER_START),
        *range(at + AFTER_START[-1] + EVERY, end, EVERY),
        *(end - seconds for seconds in BEFORE_END),
    }
    return tuple(sorted(time for time in times if at < time < end))


def planned_in_test(verification: Verification) -> tuple[int, ...]:
    """None where a code is awaited."""
    if has_code(verification.method):
        return ()
    at, end = verification.attempt.at, verification.expires_at
    return tuple(at + seconds for seconds in AFTER_TEST_START if at + seconds < end)


def after_report(reported_at: int) -> tuple[int, ...]:
    """The times at which to ask once more after a report."""
    return tuple(reported_at + seconds for seconds in AFTER_REPORT)
