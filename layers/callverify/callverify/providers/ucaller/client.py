"""uCaller: flash calls, whose calling number ends in our code, and voice calls, in which a robot says it.

Vendor pages: developer.ucaller.ru, methods initCall, initRepeat, getInfo and the error page, transcribed 2026-09-22;
live answers for the vendor's own test numbers, captured from 2026-09-22 to 2026-10-08. See vendors/ucaller/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.words import (
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Clock,
    Deadline,
    InboundWebhook,
    Method,
    Outcome,
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
    whole_number,
)

# Vendor's error page (developer.ucaller.ru), transcribed 2026-09-22; 50 is in an older transcription alone. Numbers
# whose meaning changed between editions of the page (1, 2, 5) are left to the default.
_ERRORS: Mapping[int, tuple[Outcome, Reason]] = {
    0: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # our address is blocked
    3: (Outcome.REJECTED, Reason.NUMBER_REFUSED),
    4: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # service switched off in the cabinet
    9: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # country forbidden by the geography set in the cabinet
    18: (Outcome.REJECTED, Reason.VENDOR_LIMIT),  # 4 calls a minute or 30 a day to this number
    19: (Outcome.REJECTED, Reason.VENDOR_LIMIT),  # less than 15 s since the last call to this number
    20: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # a voice call is not offered for the number's country
    50: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),  # the hourly limit set in the cabinet
    401: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    429: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    1001: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # account blocked
    1002: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    1003: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # our address is not on the service's list
    1004: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # service archived
    1005: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # the cabinet wants its own phone confirmed
}
# The same page. 405 is what every repeat got on 2026-09-22, while getInfo said `repeatable: true`.
_REPEAT_ERRORS: Mapping[int, tuple[Outcome, Reason]] = {
    **_ERRORS,
    11: (Outcome.UNAVAILABLE, Reason.REPEAT_TOO_LATE),
    12: (Outcome.UNAVAILABLE, Reason.REPEATS_SPENT),
    # "Wrong attempt at a free repeat". The allowance, the window and the 60 s are kept by us, so that what is left is a
    # call that can't be repeated: getInfo was seen to offer `repeatable` for calls that failed, and for no others.
    13: (Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED),
    405: (Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED),
}
_OTHER_ERROR = (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)

# Half of the 60 s that the vendor wants between calls: a call this near to our request can't be another one.
_SAME_CALL_SECONDS = 30


class Client:
    """Talks to uCaller. `values`: `key` and `service_id`."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp, clock: Clock = time.time) -> None:
        self._key, self._service_id = values["key"], values["service_id"]
        self._base_url = base_url
        self._http = http
        self._clock = clock

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        if order.code is None:
            raise ValueError("a call of this vendor needs a code")
        # `phone` must be a JSON number: digits as text are answered with error 1 (live, 2026-09).
        request: dict[str, Any] = {"phone": int(order.phone.digits), "code": order.code, "unique": order.unique}
        if order.method is Method.VOICE_CALL:
            request["voice"] = True
        return self._ask("initCall", request, _ERRORS, deadline, code=order.code)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:
        uid = whole_number(call_id)
        if uid is None:
            return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)
        asked_at = self._clock()
        # Leaves a third of the time for asking what became of it.
        patience = deadline.within(deadline.remaining() * 2 / 3)
        outcome = self._ask("initRepeat", {"uid": uid}, _REPEAT_ERRORS, patience)
        if outcome.outcome is Outcome.UNKNOWN:
            made = self._repeat_made(uid, asked_at, deadline)
            if made is not None:
                return CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(), call_id=made)
        return outcome

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        """Nothing to ask: whether a call was made says nothing of who typed its digits."""
        return CallReport(Verdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:  # noqa: ARG002
        """uCaller reports nothing about its calls."""
        return ()

    def _ask(
        self,
        action: str,
        request: Mapping[str, Any],
        errors: Mapping[int, tuple[Outcome, Reason]],
        deadline: Deadline,
        code: str | None = None,
    ) -> CallOutcome:
        try:
            answer = self._post(action, request, deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        body = json_object(answer.body) or {}
        # Errors travel over HTTP 200, and `status: false` alone is none: a subscriber who can't be reached is answered
        # {"status": false, "ucaller_id": …, "code": our code} (live, 2026-09-22), and that call was made.
        error, number = body.get("error"), whole_number(body.get("code"))
        if isinstance(error, str) and error and (number is not None or answer.status < 500):
            outcome, reason = _OTHER_ERROR if number is None else errors.get(number, _OTHER_ERROR)
            return CallOutcome(outcome, reason, vendor_words=masked(f"{number}: {error}", self._key, self._service_id))
        if not 200 <= answer.status < 300:
            # Its own error numbers take after HTTP's, so that a bare status among them says the same.
            unknown = (Outcome.UNKNOWN, Reason.HTTP_ERROR)
            outcome, reason = errors.get(answer.status, unknown) if answer.status < 500 else unknown
            return CallOutcome(outcome, reason, vendor_words=f"HTTP {answer.status}")
        call_id = whole_number(body.get("ucaller_id"))
        if error or not call_id:
            return CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
        return CallOutcome(
            Outcome.STARTED,
            challenge=Challenge.enter_digits(),
            call_id=str(call_id),
            code_differs=code is not None and _code_differs(code, body.get("code")),
        )

    def _repeat_made(self, uid: int, asked_at: float, deadline: Deadline) -> str | None:
        """The id of the repeat that was asked for at `asked_at` (epoch seconds), if the vendor knows of it.

        Each repeat is an authorisation with an id of its own, listed by the first one.
        """
        repeats = self._info(uid, deadline).get("repeated_ucaller_ids")
        ids = [number for number in map(whole_number, repeats) if number] if isinstance(repeats, list) else []
        if not ids:
            return None
        newest = max(ids)
        began = whole_number(self._info(newest, deadline).get("init_time"))
        return str(newest) if began is not None and abs(began - asked_at) < _SAME_CALL_SECONDS else None

    def _info(self, uid: int, deadline: Deadline) -> Mapping[str, Any]:
        try:
            answer = self._post("getInfo", {"uid": uid}, deadline)
        except (NotSent, NoAnswer):
            return {}
        body = json_object(answer.body) if answer.status == 200 else None
        return {} if body is None or body.get("error") or whole_number(body.get("ucaller_id")) != uid else body

    def _post(self, action: str, request: Mapping[str, Any], deadline: Deadline) -> Answer:
        return self._http.send(
            "POST",
            f"{self._base_url}/v1.0/{action}",
            json=request,
            headers={"Authorization": f"Bearer {self._key}.{self._service_id}"},
            deadline=deadline,
        )


def _code_differs(asked: str, reported: object) -> bool:
    """Whether another code was reported. Older editions of the API wrote it as a number, without leading zeros."""
    number = whole_number(reported)
    return number is not None and f"{number:04d}" != asked
