"""Every error that callers of the API can meet, each with its HTTP status and stable code.

CallverifyError
├── InvalidRequest             400  invalid_request
├── InvalidPhone               422  invalid_phone
├── CountryNotAllowed          422  country_not_allowed
├── Unauthorized               401  unauthorized
├── Forbidden                  403  forbidden
├── PhoneBlocked               403  phone_blocked
├── NotFound                   404  not_found
├── VerificationPending        409  verification_pending
├── VerificationNotPending     409  verification_not_pending
├── VerificationInProgress     409  verification_in_progress
├── MethodHasNoCode            409  method_has_no_code
├── MethodNotAllowed           409  method_not_allowed
├── RepeatNotSupported         409  repeat_not_supported
├── RepeatExhausted            409  repeat_exhausted
├── RepeatWindowClosed         409  repeat_window_closed
├── RepeatTooSoon              429  repeat_too_soon
├── SwitchExhausted            409  switch_exhausted
├── SwitchWindowClosed         409  switch_window_closed
├── PhoneMismatch              422  phone_mismatch
├── RateLimited                429  rate_limited
├── IdempotencyKeyReused       422  idempotency_key_reused
├── IdempotencyInProgress      409  idempotency_in_progress
├── CursorUnknown              409  cursor_unknown
├── ProviderRejected           422  provider_rejected
├── ProviderUnavailable        503  provider_unavailable
├── NoProviderAvailable        503  no_provider_available
├── Busy                       503  busy
└── InternalError              500  internal_error

ConfigurationFault             never leaves the service: logged for the operator, and names the setting to look at
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar


class CallverifyError(Exception):
    """An answer to the caller that is not a success.

    detail: what is wrong and what would be right, without a user's phone number, code or credential.
    limit: the name of the limit that tripped. retry_after: seconds until a retry can succeed.
    verification_id: the verification that the answer speaks of, where the caller may know it.
    `replayed` is set on an answer that an Idempotency-Key has had before. `skipped`: routes that were passed over, each
    with provider, method and reason, for the answer to an API key.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        limit: str | None = None,
        retry_after: int | None = None,
        verification_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.limit = limit
        self.retry_after = retry_after
        self.verification_id = verification_id
        self.replayed = False
        self.skipped: Sequence[Any] = ()

    def problem(self, request_id: str, base_url: str) -> dict[str, Any]:
        """The RFC 9457 body of this error. base_url: what links to this API begin with, its documents included."""
        body: dict[str, Any] = {
            "type": f"{base_url}/docs#error-{self.code}",
            "title": self.title,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }
        for name in ("limit", "retry_after", "verification_id"):
            value = getattr(self, name)
            if value is not None:
                body[name] = value
        return body


class InvalidRequest(CallverifyError):
    status, code, title = HTTPStatus.BAD_REQUEST, "invalid_request", "Invalid request"


class InvalidPhone(CallverifyError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_phone", "Invalid phone number"


class CountryNotAllowed(CallverifyError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "country_not_allowed", "Country not allowed"


class Unauthorized(CallverifyError):
    status, code, title = HTTPStatus.UNAUTHORIZED, "unauthorized", "Unauthorized"


class Forbidden(CallverifyError):
    status, code, title = HTTPStatus.FORBIDDEN, "forbidden", "Forbidden"


class PhoneBlocked(CallverifyError):
    status, code, title = HTTPStatus.FORBIDDEN, "phone_blocked", "Phone blocked"


class NotFound(CallverifyError):
    status, code, title = HTTPStatus.NOT_FOUND, "not_found", "Not found"


class VerificationPending(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "verification_pending", "Verification pending"


class VerificationNotPending(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "verification_not_pending", "Verification not pending"


class VerificationInProgress(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "verification_in_progress", "Verification in progress"


class MethodHasNoCode(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "method_has_no_code", "Method has no code"


class MethodNotAllowed(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "method_not_allowed", "Method not allowed"


class RepeatNotSupported(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "repeat_not_supported", "Repeat not supported"


class RepeatExhausted(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "repeat_exhausted", "Repeats exhausted"


class RepeatWindowClosed(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "repeat_window_closed", "Repeat window closed"


class RepeatTooSoon(CallverifyError):
    status, code, title = HTTPStatus.TOO_MANY_REQUESTS, "repeat_too_soon", "Repeat too soon"


class SwitchExhausted(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "switch_exhausted", "Switches exhausted"


class SwitchWindowClosed(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "switch_window_closed", "Switch window closed"


class PhoneMismatch(CallverifyError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "phone_mismatch", "Phone mismatch"


class RateLimited(CallverifyError):
    status, code, title = HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "Rate limited"


class IdempotencyKeyReused(CallverifyError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused"


class IdempotencyInProgress(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "idempotency_in_progress", "Request in progress"


class CursorUnknown(CallverifyError):
    status, code, title = HTTPStatus.CONFLICT, "cursor_unknown", "Cursor unknown"


class ProviderRejected(CallverifyError):
    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "provider_rejected", "Provider rejected the number"


class ProviderUnavailable(CallverifyError):
    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "provider_unavailable", "Provider unavailable"


class NoProviderAvailable(CallverifyError):
    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "no_provider_available", "No provider available"


class Busy(CallverifyError):
    """AWS throttles us, fails, or does not answer in time: see `busy`."""

    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Busy"


class InternalError(CallverifyError):
    """A fault of ours. The detail says nothing of its cause; the log does, under the same request id."""


def busy() -> Busy:
    """The answer to a request that AWS throttled or failed. A retry is right, and does nothing twice."""
    return Busy(
        "The service is busy. Retry after `retry_after` seconds, with the same Idempotency-Key if you sent one.",
        retry_after=2,
    )


class ConfigurationFault(Exception):
    """The operator's configuration is unusable. `setting` names what to look at, `problem` what is wrong with it."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem
