"""uCaller: flash calls. The last four digits of the calling number are the code, which we choose.

Vendor pages: developer.ucaller.ru, methods initCall, initRepeat, getInfo and the error page, transcribed 2026-09-22;
live answers for the vendor's own test numbers, captured from 2026-09-22 to 2026-10-08. See docs/providers/ucaller.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from callverify.errors import ConfigurationFault, NotFound
from callverify.models import (
    CallOrder,
    CallReport,
    CallVerdict,
    Cause,
    Challenge,
    Clock,
    Deadline,
    InboundWebhook,
    Method,
    Outcome,
    ProviderName,
    Result,
)
from callverify.providers.base import ProviderSettings
from callverify.providers.credentials import HEADER_SAFE, credential
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
_ERRORS: Mapping[int, tuple[Result, Cause]] = {
    0: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # our address is blocked
    3: (Result.REJECTED, Cause.NUMBER_REFUSED),
    4: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # service switched off in the cabinet
    9: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # country forbidden by the geography set in the cabinet
    18: (Result.REJECTED, Cause.VENDOR_LIMIT),  # 4 calls a minute or 30 a day to this number
    19: (Result.REJECTED, Cause.VENDOR_LIMIT),  # less than 15 s since the last call to this number
    20: (Result.REJECTED, Cause.NUMBER_REFUSED),  # not offered for the number's country
    50: (Result.UNAVAILABLE, Cause.VENDOR_LIMIT),  # the hourly limit set in the cabinet
    401: (Result.UNAVAILABLE, Cause.BAD_CREDENTIALS),
    429: (Result.UNAVAILABLE, Cause.VENDOR_LIMIT),
    1001: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # account blocked
    1002: (Result.UNAVAILABLE, Cause.NO_MONEY),
    1003: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # our address is not on the service's list
    1004: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # service archived
    1005: (Result.UNAVAILABLE, Cause.ACCOUNT_FAULT),  # the cabinet wants its own phone confirmed
}
# The same page. 405 is what every repeat got on 2026-09-22, while getInfo said `repeatable: true`.
_REPEAT_ERRORS: Mapping[int, tuple[Result, Cause]] = {
    **_ERRORS,
    11: (Result.UNAVAILABLE, Cause.REPEAT_TOO_LATE),
    12: (Result.UNAVAILABLE, Cause.REPEATS_SPENT),
    # "Wrong attempt at a free repeat". The allowance, the window and the 60 s are kept by us, so that what is left is a
    # call that can't be repeated: getInfo was seen to offer `repeatable` for calls that failed, and for no others.
    13: (Result.UNAVAILABLE, Cause.NOT_SUPPORTED),
    405: (Result.UNAVAILABLE, Cause.NOT_SUPPORTED),
}
_OTHER_ERROR = (Result.UNAVAILABLE, Cause.VENDOR_FAULT)

# Half of the 60 s that the vendor wants between calls: a call this near to our request can't be another one.
_SAME_CALL_SECONDS = 30


class Ucaller:
    """Flash calls by uCaller."""

    name: ClassVar[ProviderName] = ProviderName.UCALLER
    method: ClassVar[Method] = Method.FLASH_CALL
    free_repeats: ClassVar[int] = 2
    repeat_after: ClassVar[int] = 60
    can_check: ClassVar[bool] = False
    resends_safely: ClassVar[bool] = True
    knows_calls_by_phone_alone: ClassVar[bool] = False

    def __init__(self, key: str, service_id: str, settings: ProviderSettings, clock: Clock = time.time) -> None:
        self._key = key
        self._service_id = service_id
        self._base_url = settings.base_url
        self._http: VendorHttp = settings.http
        self._window = settings.window
        self._clock = clock

    @property
    def window(self) -> int:
        return self._window

    @classmethod
    def configure(cls, credentials: Mapping[str, Any], settings: ProviderSettings) -> Self:
        key = credential(credentials, cls.name, "key", pattern=HEADER_SAFE)
        service_id = whole_number(credentials.get("service_id"))
        if not service_id:
            raise ConfigurationFault(f"provider-credentials: {cls.name}.service_id", "must be the service's number")
        return cls(key, str(service_id), settings)

    def start(self, order: CallOrder, deadline: Deadline) -> Outcome:
        if order.code is None:
            raise ValueError("a flash call needs a code")
        # `phone` must be a JSON number: digits as text are answered with error 1 (live, 2026-09).
        request = {"phone": int(order.phone.digits), "code": order.code, "unique": order.unique}
        return self._ask("initCall", request, _ERRORS, deadline, code=order.code)

    def repeat(self, call_id: str, deadline: Deadline) -> Outcome:
        uid = whole_number(call_id)
        if uid is None:
            return Outcome(Result.UNAVAILABLE, Cause.NOT_SUPPORTED)
        asked_at = self._clock()
        # Leaves a third of the time for asking what became of it.
        patience = deadline.within(deadline.remaining() * 2 / 3)
        outcome = self._ask("initRepeat", {"uid": uid}, _REPEAT_ERRORS, patience)
        if outcome.result is Result.UNKNOWN:
            made = self._repeat_made(uid, asked_at, deadline)
            if made is not None:
                return Outcome(Result.STARTED, challenge=Challenge.enter_digits(), call_id=made)
        return outcome

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        """Nothing to ask: uCaller never learns whether the user typed the code, and its call_status 1 is no proof."""
        return CallReport(CallVerdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> CallReport | None:  # noqa: ARG002
        """uCaller reports nothing about flash calls, so every such request is a stranger's."""
        raise NotFound("There is no such webhook.")

    def _ask(
        self,
        action: str,
        request: Mapping[str, Any],
        errors: Mapping[int, tuple[Result, Cause]],
        deadline: Deadline,
        code: str | None = None,
    ) -> Outcome:
        try:
            answer = self._post(action, request, deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        body = json_object(answer.body) or {}
        # Errors travel over HTTP 200, and `status: false` alone is none: a subscriber who can't be reached is answered
        # {"status": false, "ucaller_id": …, "code": our code} (live, 2026-09-22), and that call was made.
        error, number = body.get("error"), whole_number(body.get("code"))
        if isinstance(error, str) and error and (number is not None or answer.status < 500):
            result, cause = _OTHER_ERROR if number is None else errors.get(number, _OTHER_ERROR)
            return Outcome(result, cause, vendor_words=masked(f"{number}: {error}", self._key, self._service_id))
        if not 200 <= answer.status < 300:
            # Its own error numbers take after HTTP's, so that a bare status among them says the same.
            unknown = (Result.UNKNOWN, Cause.HTTP_ERROR)
            result, cause = errors.get(answer.status, unknown) if answer.status < 500 else unknown
            return Outcome(result, cause, vendor_words=f"HTTP {answer.status}")
        call_id = whole_number(body.get("ucaller_id"))
        if error or not call_id:
            return Outcome(Result.UNKNOWN, Cause.UNREADABLE_ANSWER)
        return Outcome(
            Result.STARTED,
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
