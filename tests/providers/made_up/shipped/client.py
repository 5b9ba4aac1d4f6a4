"""Talks to Ringbell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    Outcome,
    Reason,
    Verdict,
)
from callverify.providers.http import NoAnswer, NotSent, VendorHttp, json_object, outcome_of, whole_number

_REFUSALS = {
    401: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    402: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    422: (Outcome.REJECTED, Reason.NUMBER_REFUSED),
    429: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
}
_VERDICTS = {"called": Verdict.CONFIRMED, "over": Verdict.EXPIRED}


class Client:
    """`values`: `api_key`."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp) -> None:
        self._headers = {"Authorization": f"Bearer {values['api_key']}"}
        self._base_url = base_url
        self._http = http

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        if order.code is None:
            action, request = "reverse", {"phone": order.phone.digits, "report_to": order.webhook_url}
        else:
            action, request = "flash", {"phone": order.phone.digits, "code": order.code}
        try:
            answer = self._http.send(
                "POST", f"{self._base_url}/{action}", json=request, headers=self._headers, deadline=deadline
            )
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        if answer.status in _REFUSALS:
            return CallOutcome(*_REFUSALS[answer.status], vendor_words=f"HTTP {answer.status}")
        if answer.status != 200:
            return CallOutcome(Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words=f"HTTP {answer.status}")
        body = json_object(answer.body) or {}
        call_id, number = whole_number(body.get("call")), e164_from_vendor(body.get("number"))
        if not call_id or (order.code is None and number is None):
            return CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
        if order.code is not None:
            challenge = Challenge.enter_digits(len(order.code))
        else:
            challenge = Challenge.call_number(number or "")
        return CallOutcome(Outcome.STARTED, challenge=challenge, call_id=str(call_id))

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        unreadable = CallReport(Verdict.UNREADABLE)
        try:
            answer = self._http.send(
                "GET", f"{self._base_url}/calls/{whole_number(call_id)}", headers=self._headers, deadline=deadline
            )
        except (NotSent, NoAnswer):
            return unreadable
        body = json_object(answer.body) if answer.status == 200 else None
        state = None if body is None else body.get("state")
        if body is None or not isinstance(state, str):
            return unreadable
        verdict = _VERDICTS.get(state, Verdict.PENDING)
        if verdict is not Verdict.CONFIRMED:
            return CallReport(verdict, call_id=call_id)
        caller, known = e164_from_vendor(body.get("caller")), whole_number(body.get("call"))
        if caller is None or not known:
            return unreadable
        return CallReport(verdict, caller, str(known), evidence=Evidence.PROVIDER_READ_BACK)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        values = []
        for name in ("call", "caller"):
            given = webhook.parameters.get(name, ())
            if len(given) != 1 or not given[0]:
                raise InvalidRequest(f"`{name}` must be given exactly once.")
            values.append(given[0])
        call_id, caller = whole_number(values[0]), e164_from_vendor(values[1])
        if call_id is None or caller is None:
            raise InvalidRequest("`call` and `caller` must be numbers.")
        return [CallReport(Verdict.UNSTATED, caller, str(call_id), webhook.verification_id)]
