"""A verification to begin with, of which each test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from callverify.domain.steps import Attempt, Step, StepKind
from callverify.domain.verification import Verification
from callverify.domain.words import Method, Mode, Outcome, Status
from tests.support.routes import BY_PHONE, OUR_CODE, READ_BACK, At

NOW = 1_800_000_000

_FLASH = Verification(
    id="vrf_0123456789abcdefghjkmnpqrs",
    mode=Mode.LIVE,
    status=Status.PENDING,
    method=OUR_CODE.method,
    provider=OUR_CODE.provider,
    phone_mask="+7******0011",
    phone_hash="hash-of-the-phone",
    key_id="fedcba9876543210",
    created_at=NOW,
    expires_at=NOW + 300,
    attempts=(Attempt(1, 1, OUR_CODE.method, OUR_CODE.provider, Outcome.STARTING, NOW),),
    steps=(Step(1, StepKind.START, claimed_at=NOW),),
    allowed_methods=tuple(Method),
)


def flash(**changes: Any) -> Verification:
    return replace(_FLASH, **changes)


def reverse(at: At = READ_BACK, **changes: Any) -> Verification:
    attempt = Attempt(1, 1, at.method, at.provider, Outcome.STARTING, NOW)
    return replace(_FLASH, method=at.method, provider=at.provider, attempts=(attempt,), **changes)


def by_phone(**changes: Any) -> Verification:
    """At a provider whose reports name the phone alone."""
    return reverse(BY_PHONE, **changes)
