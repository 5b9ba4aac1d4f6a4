"""telefon-ip.ru: reverse calls ("Back Calls", to a number lent for 120 s), and flash calls ("Flash Calls").

Vendor pages: docs.telefon-ip.ru, reference/api-reference, read 2026-09 to 2026-10; what they leave out is known from
public integrations. See vendors/telefon_ip/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.errors import InvalidRequest
from callverify.domain.phone import e164_from_vendor
from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Evidence,
    InboundWebhook,
    Method,
    Outcome,
    Phone,
    Reason,
    Verdict,
)
from callverify.providers.http import (
    Answer,
    NoAnswer,
    NotSent,
    VendorHttp,
    json_object,
    masked,
    outcome_of,
    picked_code,
    whole_number,
)

# HTTP statuses. The page documents tabs for 400 and 401 (docs.telefon-ip.ru, api-reference/vspomogatelnye-funkcii, read
# 2026-10); 402, 403 and 429 are here by the meaning that HTTP gives them.
_STATUSES: Mapping[int, tuple[Outcome, Reason]] = {
    401: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    402: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    403: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    429: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
}
# Words in `error`. No list of errors is published; that a text with "token" means the credential is a public
# integration's experience (seen 2026-10), the rest is assumed: so is the text about the 3 flash calls that one number
# gets in a day (docs.telefon-ip.ru, flash-calls, read 2026-11). Any other text is the number's.
_WORDS: tuple[tuple[re.Pattern[str], tuple[Outcome, Reason]], ...] = (
    (re.compile(r"token|токен", re.IGNORECASE), (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS)),
    (re.compile(r"баланс|средств|balance|money|funds", re.IGNORECASE), (Outcome.UNAVAILABLE, Reason.NO_MONEY)),
    (re.compile(r"limit|лимит|превыш|too many", re.IGNORECASE), (Outcome.REJECTED, Reason.VENDOR_LIMIT)),
)
_OTHER_WORDS = (Outcome.REJECTED, Reason.NUMBER_REFUSED)
_UNREADABLE = CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)

_CODE_DIGITS = 4

# `data.status` of the check. Not on the vendor's page; public integrations act on "ok" and "expired" and keep polling
# on everything else (seen 2026-10).
_VERDICTS: Mapping[str, Verdict] = {"ok": Verdict.CONFIRMED, "expired": Verdict.EXPIRED}
_OTHER_VERDICT = Verdict.PENDING

_WEBHOOK_FIELDS = ("success", "phone", "id")


class Client:
    """Talks to telefon-ip.ru. `values`: `token`, and `start`, which of the vendor's two start calls to use."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp) -> None:
        self._token = values["token"]
        self._actions_url = f"{base_url}/api/v1/authcalls/{self._token}"
        self._http = http
        self._start_by = values["start"]

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        try:
            answer = self._ask(order, deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        if answer.status in _STATUSES:
            outcome, reason = _STATUSES[answer.status]
            return CallOutcome(outcome, reason, vendor_words=f"HTTP {answer.status}")
        body = json_object(answer.body) or {}
        if answer.status == 400 or (answer.status < 500 and body.get("success") is False):
            return self._refusal(body)
        if not 200 <= answer.status < 300:
            return CallOutcome(Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words=f"HTTP {answer.status}")
        data = body.get("data")
        if body.get("success") is not True or not isinstance(data, dict):
            return _UNREADABLE
        return _called(data, order) if order.method is Method.FLASH_CALL else _to_be_called(data, order)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        unreadable = CallReport(Verdict.UNREADABLE)
        uid = whole_number(call_id)
        if uid is None:
            return unreadable
        try:
            answer = self._http.send("GET", f"{self._actions_url}/reverse_auth_phone_check/{uid}", deadline=deadline)
        except (NotSent, NoAnswer):
            return unreadable
        body = json_object(answer.body)
        if answer.status != 200 or body is None or body.get("success") is not True:
            return unreadable
        data = body.get("data")
        # An empty `data` is `{}`, which integrators also met as null.
        data = {} if data is None else data
        if not isinstance(data, dict):
            return unreadable
        # The number that really called, which may be another than the one that was claimed.
        caller, replied_id = e164_from_vendor(data.get("phone")), whole_number(data.get("id"))
        if "status" in data:
            status = data["status"]
            verdict = _VERDICTS.get(status, _OTHER_VERDICT) if isinstance(status, str) else _OTHER_VERDICT
        else:
            verdict = Verdict.PENDING if caller is None else Verdict.UNSTATED
        counts = verdict in (Verdict.CONFIRMED, Verdict.UNSTATED)
        if counts and (caller is None or replied_id is None):
            return unreadable
        return CallReport(
            verdict,
            caller=caller,
            call_id=None if replied_id is None else str(replied_id),
            evidence=Evidence.PROVIDER_READ_BACK if counts else None,
        )

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        """A hint to check, never evidence: the vendor signs nothing. The path token is all that makes it ours."""
        values = []
        for name in _WEBHOOK_FIELDS:
            given = webhook.parameters.get(name, ())
            if len(given) != 1 or not given[0]:
                raise InvalidRequest(f"`{name}` must be given exactly once.")
            values.append(given[0])
        success, phone, number = values
        # The page's own sample says `True`, as Python prints it.
        if success not in ("True", "true"):
            return ()
        caller, call_id = e164_from_vendor(phone), whole_number(number)
        if caller is None:
            raise InvalidRequest("`phone` must be a phone number.")
        if call_id is None:
            raise InvalidRequest("`id` must be a whole number.")
        hint = CallReport(
            Verdict.UNSTATED, caller=caller, call_id=str(call_id), verification_id=webhook.verification_id
        )
        return [hint]

    def _ask(self, order: CallOrder, deadline: Deadline) -> Answer:
        phone = _national(order.phone)
        if order.method is Method.FLASH_CALL:
            # The slash matters. Never with `sms=true`, which has the code sent by SMS where the call fails.
            return self._http.send("GET", f"{self._actions_url}/get_code/{phone}/", deadline=deadline)
        if self._start_by == "get" or order.webhook_url is None:
            return self._http.send(
                "GET", f"{self._actions_url}/reverse_auth_phone_get", params={"phone": phone}, deadline=deadline
            )
        return self._http.send(
            "POST",
            f"{self._actions_url}/reverse_auth_phone_post",
            json={"phone": phone, "webhook": order.webhook_url},
            deadline=deadline,
        )

    def _refusal(self, body: Mapping[str, Any]) -> CallOutcome:
        words = body.get("error")
        if not isinstance(words, str):
            return CallOutcome(*_OTHER_WORDS)
        outcome, reason = next((meaning for pattern, meaning in _WORDS if pattern.search(words)), _OTHER_WORDS)
        return CallOutcome(outcome, reason, vendor_words=masked(words, self._token))


def _to_be_called(data: Mapping[str, Any], order: CallOrder) -> CallOutcome:
    # `url_link` is HTML and was seen to hold another number than `auth_phone` (the page's own sample).
    number, call_id = e164_from_vendor(data.get("auth_phone"), order.phone.e164), whole_number(data.get("id"))
    if number is None or not call_id:
        return _UNREADABLE
    return CallOutcome(Outcome.STARTED, challenge=Challenge.call_number(number), call_id=str(call_id))


def _called(data: Mapping[str, Any], order: CallOrder) -> CallOutcome:
    """The code of a call to another phone would prove nothing: `phone` has to be the one that was asked for."""
    code, call_id = picked_code(data.get("code"), _CODE_DIGITS), whole_number(data.get("id"))
    if code is None or not call_id or e164_from_vendor(data.get("phone"), order.phone.e164) != order.phone.e164:
        return _UNREADABLE
    challenge = Challenge.enter_digits(_CODE_DIGITS)
    return CallOutcome(Outcome.STARTED, challenge=challenge, call_id=str(call_id), code=code)


def _national(phone: Phone) -> str:
    """The vendor's own form, 8XXXXXXXXXX; it documents none for other countries."""
    digits = phone.digits
    return f"8{digits[1:]}" if digits.startswith("7") and len(digits) == 11 else digits
