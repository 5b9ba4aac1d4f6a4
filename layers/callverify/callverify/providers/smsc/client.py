"""SMSC: reverse calls (`wait_call.php`), and voice calls that say our text (`send.php` with `call=1`).

Vendor pages: smsc.ru and its other skins (smscentre.com, smscab.ru), api/http/miscellaneous/waitcall and
api/http/send/voice, read 2026-09 to 2026-11; the handler's fields are known from public integrations alone. See
vendors/smsc/README.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from callverify.domain.errors import Forbidden, InvalidRequest
from callverify.domain.phone import e164_from_vendor, language_of
from callverify.domain.value import value
from callverify.domain.words import (
    RING_SECONDS,
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    Evidence,
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
    text_of,
    whole_number,
)
from callverify.providers.spoken import code_text

# Vendor page "Подтверждение номера телефона с помощью звонка" (smsc.ru, read 2026-09) lists 1, 2, 4 and 9 for
# wait_call.php; the page of send.php lists all but 5 as they stand here. 5 is an integration's (seen 2026-10).
_ERRORS: Mapping[int, tuple[Outcome, Reason]] = {
    1: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # "wrong parameters": the phone is the only one that varies
    2: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),  # or our address is not on the account's list
    3: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    4: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # our address is blocked for a while
    5: (Outcome.REJECTED, Reason.NUMBER_REFUSED),
    6: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # "the message is forbidden": its text, or the sender's name
    7: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # "wrong format of the phone number"
    8: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # "can't be delivered to this number"
    9: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),  # more than 50 identical requests in a minute
}
_OTHER_ERROR = (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)

# `param`: seconds to ring, between tries, and tries; by default several (two public integrations, seen 2026-11).
_ONE_TRY = f"{RING_SECONDS},10,1"

_SIGNED_FIELDS = ("waitcall", "phone", "ts", "md5")

# The four forms of an answer, by `fmt` (the same page). 3, JSON, is asked for; 0 is what the vendor falls back to.
_BARE_NUMBER = re.compile(r"\+?[0-9]{10,15}")
_ERROR_FMT_0 = re.compile(r"ERROR\s*=\s*([0-9]{1,9})\b(.*)", re.DOTALL)
_ERROR_FMT_1 = re.compile(r"0\s*,\s*-([0-9]{1,9})")
_XML_START = re.compile(r"(?:<\?xml[^>]*>\s*)?<(?:result|phone)>")
_XML_PHONE = re.compile(r"<phone>([^<]*)</phone>")
_XML_ERROR_CODE = re.compile(r"<error_code>\s*([0-9]{1,9})\s*</error_code>")
_XML_ERROR = re.compile(r"<error>([^<]*)</error>")


@value
class _Reply:
    """A number to call, or an error: its text, and its code where there is one."""

    number: object = None
    error_code: int | None = None
    error: str | None = None


class Client:
    """Talks to SMSC. `values`: `callback_secret`, and `apikey`, or `login` and `psw`, or all of them."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp) -> None:
        self._account = {name: values[name] for name in ("apikey", "login", "psw") if name in values}
        self._callback_secret = values["callback_secret"]
        self._secrets = (*self._account.values(), self._callback_secret, values["webhook_token"])
        self._base_url = base_url
        self._http = http

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        form, page = {**self._account, "fmt": "3", "charset": "utf-8"}, "wait_call.php"
        if order.method is Method.VOICE_CALL:
            if order.code is None:
                raise ValueError("a voice call needs a code")
            text = code_text(order.code, language_of(order.locale, order.phone.e164))
            form |= {"phones": order.phone.digits, "mes": text, "call": "1", "param": _ONE_TRY}
            page = "send.php"
        else:
            form["phone"] = order.phone.digits
        try:
            answer = self._http.send("POST", f"{self._base_url}/sys/{page}", form=form, deadline=deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        return self._spoken(order, answer) if order.code else self._waiting(order, answer)

    def _waiting(self, order: CallOrder, answer: Answer) -> CallOutcome:
        reply = _read(answer.body) if answer.status < 500 else None
        if refused := self._refused(answer, reply):
            return refused
        number = e164_from_vendor(reply.number, order.phone.e164) if reply else None
        if number is None:
            return CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
        return CallOutcome(Outcome.STARTED, challenge=Challenge.call_number(number))

    def _spoken(self, order: CallOrder, answer: Answer) -> CallOutcome:
        """{"id", "cnt"}: `id` of the call in the vendor's lists. `code`, of mes=code alone, is no concern of ours."""
        if refused := self._refused(answer, _read(answer.body) if answer.status < 500 else None):
            return refused
        call_id = whole_number((json_object(answer.body) or {}).get("id"))
        if not call_id:
            return CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
        return CallOutcome(
            Outcome.STARTED, challenge=Challenge.enter_digits(len(order.code or "")), call_id=str(call_id)
        )

    def _refused(self, answer: Answer, reply: _Reply | None) -> CallOutcome | None:
        if reply is not None and reply.error is not None:
            code = reply.error_code
            outcome, reason = _OTHER_ERROR if code is None else _ERRORS.get(code, _OTHER_ERROR)
            return CallOutcome(outcome, reason, vendor_words=masked(f"{code}: {reply.error}", *self._secrets))
        if answer.status == 429:
            return CallOutcome(Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT, vendor_words="HTTP 429")
        if not 200 <= answer.status < 300:
            return CallOutcome(Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words=f"HTTP {answer.status}")
        return None

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        """Nothing to ask: the callback is the only evidence."""
        return CallReport(Verdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        """The handler is the account's: it gets SMS statuses too, which are told apart by `waitcall`.

        md5 = md5hex(phone:ts:secret) over the values as sent (a public integration, seen 2026-10).
        """
        given = {name: webhook.parameters.get(name, ()) for name in _SIGNED_FIELDS}
        for name, values in given.items():
            if len(values) > 1:
                raise InvalidRequest(f"`{name}` must be given exactly once.")
        if given["waitcall"] != ("1",):
            return ()
        for name, values in given.items():
            if not values or not values[0]:
                raise InvalidRequest(f"`{name}` is missing.")
        phone, ts, md5 = (given[name][0] for name in ("phone", "ts", "md5"))
        signed = f"{phone}:{ts}:{self._callback_secret}".encode(errors="replace")
        expected = hashlib.md5(signed, usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(md5.lower().encode(errors="replace"), expected.encode()):
            raise Forbidden("`md5` is not the signature of this request.")
        if not re.fullmatch(r"[0-9]{1,12}", ts):
            raise Forbidden("`ts` must be a time in epoch seconds.")
        # Also what keeps a signed SMS status out, whose md5 covers id:phone:status:secret: "id:phone" is no number.
        caller = e164_from_vendor(phone)
        if caller is None:
            raise InvalidRequest("`phone` must be a phone number.")
        return [CallReport(Verdict.CONFIRMED, caller=caller, evidence=Evidence.PROVIDER_SIGNATURE, occurred_at=int(ts))]


def _read(body: bytes) -> _Reply | None:
    """The reply in any of the four forms; None for anything else."""
    answer = json_object(body)
    if answer is not None:
        if answer.get("error") or answer.get("error_code"):
            words = answer.get("error")
            return _Reply(
                error_code=whole_number(answer.get("error_code")), error=words if isinstance(words, str) else ""
            )
        return _Reply(number=answer.get("phone"))
    text = text_of(body).strip()
    if _BARE_NUMBER.fullmatch(text):
        return _Reply(number=text)
    if found := _ERROR_FMT_0.fullmatch(text):
        return _Reply(error_code=int(found[1]), error=found[2].strip())
    if found := _ERROR_FMT_1.fullmatch(text):
        return _Reply(error_code=int(found[1]), error="")
    if _XML_START.match(text):
        words_found, code_found = _XML_ERROR.search(text), _XML_ERROR_CODE.search(text)
        if words_found or code_found:
            return _Reply(
                error_code=int(code_found[1]) if code_found else None, error=words_found[1] if words_found else ""
            )
        phone = _XML_PHONE.search(text)
        return _Reply(number=phone[1]) if phone else None
    # As the page prints the XML, whose tags it has lost: the text on one line, the code on the next.
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) == 2 and lines[0][0] not in "<{" and re.fullmatch(r"[0-9]{1,3}", lines[1]):
        return _Reply(error_code=int(lines[1]), error=lines[0])
    return None
