"""What a verification's record lists: the requests that were accepted, and the calls that they led to."""

from __future__ import annotations

from enum import StrEnum

from callverify.domain.value import value
from callverify.domain.words import Method, Outcome, Reason


class StepKind(StrEnum):
    START = "start"
    REPEAT = "repeat"  # the vendor's own repeat
    SWITCH = "switch"


@value
class Attempt:
    """One start at one provider by one method, of the request `step` (1: the start). ms, cost: as in CallOutcome."""

    number: int
    step: int
    method: Method
    provider: str
    outcome: Outcome
    at: int
    reason: Reason | None = None
    ms: int | None = None
    cost: str | None = None


@value
class Step:
    """One accepted request that may cost one call. `error`: the code it was answered with, if it failed.

    claimed_at: when a process last began to work on it; while `done` is false it may still be at work.
    call_id: the vendor's id of a repeat, which is another than that of the first call. by: the name of the API key that
    asked for it; None for a browser.
    """

    number: int
    kind: StepKind
    claimed_at: int
    done: bool = False
    error: str | None = None
    call_id: str | None = None
    by: str | None = None
