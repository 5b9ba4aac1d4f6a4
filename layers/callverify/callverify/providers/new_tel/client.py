"""New-Tel, "Call Password": flash calls. The last four digits of the calling number are the code, which we choose.

No page of the vendor's is public: what is known comes from its own sample and from public integrations, seen 2026-11.
See vendors/new_tel/README.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.words import (
    RING_SECONDS,
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Clock,
    Deadline,
    InboundWebhook,
    Outcome,
    Reason,
    Verdict,
)
from callverify.providers.http import NoAnswer, NotSent, VendorHttp, json_object, masked, outcome_of, picked_code

_START = "call-password/start-password-call"

# Statuses of HTTP, by the meaning that HTTP gives them: integrations know only that another than 200 is an error.
_STATUSES: Mapping[int, tuple[Outcome, Reason]] = {
    401: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    402: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    403: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    429: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
}
# Words in `message`, which is all that an error has. The vendor's texts are not known: all of this is assumed, and an
# error in other words is the vendor's fault, so that bad news about an account is not taken for a bad number.
_WORDS: tuple[tuple[re.Pattern[str], tuple[Outcome, Reason]], ...] = (
    (
        re.compile(r"\bkey\b|signature|auth|token|access|ключ|подпис|авториз|токен|нет доступа", re.IGNORECASE),
        (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    ),
    (re.compile(r"balance|money|funds|баланс|средств", re.IGNORECASE), (Outcome.UNAVAILABLE, Reason.NO_MONEY)),
    (re.compile(r"limit|too many|лимит|превыш", re.IGNORECASE), (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT)),
    (re.compile(r"number|phone|номер|телефон|абонент", re.IGNORECASE), (Outcome.REJECTED, Reason.NUMBER_REFUSED)),
)
_OTHER_WORDS = (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)
_UNREADABLE = CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)

# Up to 19 digits in an integration's sample, written as text.
_ID = re.compile(r"(?!0+$)[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class Client:
    """Talks to New-Tel. `values`: `api_key`, which names the account, and `signing_key`, which signs each request."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp, clock: Clock = time.time) -> None:
        self._keys = values["api_key"], values["signing_key"]
        self._base_url = base_url
        self._http = http
        self._clock = clock

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        if order.code is None:
            raise ValueError("a flash call needs a code")
        # `async`: the answer does not wait for the call's end.
        request = {"async": 1, "dstNumber": order.phone.digits, "pin": order.code, "timeout": RING_SECONDS}
        body, headers = signed(_START, request, int(self._clock()), *self._keys)
        url = f"{self._base_url}/{_START}"
        try:
            answer = self._http.send("POST", url, body=body, headers=headers, deadline=deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        said = json_object(answer.body) or {}
        data = said["data"] if isinstance(said.get("data"), dict) else {}
        # Two flags: of the envelope, and of the method. An error of the method comes with HTTP 200.
        flags, message = (said.get("status"), data.get("result")), said.get("message") or data.get("message")
        is_error = "error" in flags or (answer.status >= 400 and isinstance(message, str))
        if answer.status in _STATUSES or (is_error and answer.status < 500):
            return self._refusal(answer.status, message, headers)
        if not 200 <= answer.status < 300:
            return CallOutcome(Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words=f"HTTP {answer.status}")
        details = data.get("callDetails")
        if flags != ("success", "success") or not isinstance(details, dict):
            return _UNREADABLE
        return _called(details, order.code)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        """Nothing to ask: whether a phone rang says nothing of who typed the call's digits."""
        return CallReport(Verdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:  # noqa: ARG002
        """New-Tel reports nothing about its flash calls."""
        return ()

    def _refusal(self, status: int, message: object, headers: Mapping[str, str]) -> CallOutcome:
        words = message if isinstance(message, str) else ""
        outcome, reason = _STATUSES.get(status) or next(
            (meaning for pattern, meaning in _WORDS if pattern.search(words)), _OTHER_WORDS
        )
        words = masked(f"HTTP {status}: {words}", headers["Authorization"].removeprefix("Bearer "), *self._keys)
        return CallOutcome(outcome, reason, vendor_words=words)


def signed(
    method: str, request: Mapping[str, Any], now: int, api_key: str, signing_key: str
) -> tuple[bytes, Mapping[str, str]]:
    """The body and the headers of a request. The signature is over the very bytes of the body; now: epoch seconds."""
    body = json.dumps(request, separators=(",", ":")).encode()
    text = b"\n".join([method.encode(), str(now).encode(), api_key.encode(), body, signing_key.encode()])
    token = f"{api_key}{now}{hashlib.sha256(text).hexdigest()}"
    return body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _called(details: Mapping[str, Any], code: str) -> CallOutcome:
    """With `isValidNumber` false the vendor has agreed, and calls nobody."""
    if details.get("isValidNumber") is False:
        return CallOutcome(Outcome.REJECTED, Reason.NUMBER_REFUSED, vendor_words="isValidNumber: false")
    given = details.get("callId")
    call_id = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if details.get("isValidNumber", True) is not True or not _ID.fullmatch(call_id):
        return _UNREADABLE
    pin = details.get("pin")
    return CallOutcome(
        Outcome.STARTED,
        challenge=Challenge.enter_digits(len(code)),
        call_id=call_id,
        code_differs=pin is not None and picked_code(pin, len(code)) != code,
    )
