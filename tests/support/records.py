"""A verification to begin with, of which each test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from callverify.models import (
    Attempt,
    Method,
    Mode,
    ProviderName,
    Result,
    Status,
    Step,
    StepKind,
    Verification,
)

NOW = 1_800_000_000

_FLASH = Verification(
    id="vrf_0123456789abcdefghjkmnpqrs",
    mode=Mode.LIVE,
    status=Status.PENDING,
    method=Method.FLASH_CALL,
    provider=ProviderName.UCALLER,
    phone_mask="+7******0011",
    phone_hash="hash-of-the-phone",
    key_id="fedcba9876543210",
    created_at=NOW,
    expires_at=NOW + 300,
    attempts=(Attempt(1, 1, Method.FLASH_CALL, ProviderName.UCALLER, Result.STARTING, NOW),),
    steps=(Step(1, StepKind.START, claimed_at=NOW),),
    allowed_methods=tuple(Method),
)


def flash(**changes: Any) -> Verification:
    return replace(_FLASH, **changes)


def reverse(provider: ProviderName = ProviderName.TELEFON_IP, **changes: Any) -> Verification:
    attempt = Attempt(1, 1, Method.REVERSE_CALL, provider, Result.STARTING, NOW)
    return replace(_FLASH, method=Method.REVERSE_CALL, provider=provider, attempts=(attempt,), **changes)
