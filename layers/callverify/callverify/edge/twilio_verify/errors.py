"""Our errors as Twilio's: HTTP status and code, in bodies that its SDKs raise as their own exceptions.

A body has no `type`: with one, the Python SDK would raise another exception than `TwilioRestException` (9.13.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callverify.domain import errors
from callverify.domain.value import value
from callverify.edge.twilio_verify.parameters import in_their_names

# Limits of one phone; the others are the stack's, a key's or an address's.
OF_A_PHONE = frozenset(["phone_cooldown", "phone_10m", "phone_day", "phone_guesses"])


@value
class Refusal:
    """status: of HTTP. message: None for what our service says."""

    status: int
    code: int
    message: str | None = None


_INVALID = Refusal(400, 60200)
_MISSING = Refusal(404, 20404, "The requested resource was not found.")
_CONCURRENT = Refusal(429, 60212, "Too many concurrent requests for phone number.")
_MAX_SENDS = Refusal(429, 60203, "Max send attempts reached.")
MAX_RATE = Refusal(429, 60207, "Max rate limit reached.")
MAX_CHECKS = Refusal(429, 60202, "Max check attempts reached.")
INTERNAL = Refusal(500, 20500, "Internal error. Retry.")
TABLE: Mapping[type[errors.CallverifyError], Refusal] = {
    errors.InvalidRequest: _INVALID,
    errors.InvalidPhone: _INVALID,
    errors.MethodNotAllowed: _INVALID,
    errors.MethodHasNoCode: _INVALID,
    errors.ProviderRejected: _INVALID,
    errors.CountryNotAllowed: Refusal(403, 60605),
    errors.PhoneBlocked: Refusal(403, 60410),
    errors.Forbidden: Refusal(403, 20403),
    errors.Unauthorized: Refusal(401, 20003, "Authenticate"),
    errors.NotFound: _MISSING,
    errors.VerificationNotPending: _MISSING,
    errors.VerificationInProgress: _CONCURRENT,
    errors.IdempotencyInProgress: _CONCURRENT,
    errors.RepeatExhausted: _MAX_SENDS,
    errors.RepeatTooSoon: _MAX_SENDS,
    errors.ProviderUnavailable: Refusal(503, 20503, "No provider confirmed the call."),
    errors.NoProviderAvailable: Refusal(503, 20503),
    errors.Busy: Refusal(503, 20503, "The service is busy."),
    errors.InternalError: INTERNAL,
}


def refusal(error: errors.CallverifyError, *, checking: bool) -> Refusal:
    """checking: the request was a check."""
    if isinstance(error, errors.RateLimited):
        if checking:
            return MAX_CHECKS
        return _MAX_SENDS if error.limit in OF_A_PHONE else MAX_RATE
    return TABLE.get(type(error), INTERNAL)


def body(error: errors.CallverifyError, *, checking: bool) -> dict[str, Any]:
    found = refusal(error, checking=checking)
    return {
        "code": found.code,
        "message": found.message or in_their_names(error.detail),
        "more_info": f"https://www.twilio.com/docs/errors/{found.code}",
        "status": found.status,
    }
