"""Twilio, Programmable Voice: voice calls that say the code once a key was pressed.

Twilio's OpenAPI (twilio/twilio-oai, spec/json/twilio_api_v2010.json, CreateCall), its pages of error codes and of
request validation, and its own SDKs, read 2026-11. See vendors/twilio/README.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from callverify.domain.errors import Forbidden, InvalidRequest
from callverify.domain.phone import language_of
from callverify.domain.words import (
    RING_SECONDS,
    CallOrder,
    CallOutcome,
    CallReport,
    Challenge,
    Deadline,
    InboundWebhook,
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
from callverify.providers.twilio.twiml import ask_for_key

_NUMBER = (Outcome.REJECTED, Reason.NUMBER_REFUSED)
_ACCOUNT = (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT)
_CREDENTIALS = (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS)
_MONEY = (Outcome.UNAVAILABLE, Reason.NO_MONEY)
_LIMIT = (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT)
_OTHER = (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)

# twilio.com/docs/api/errors, read 2026-11.
_ERRORS: Mapping[int, tuple[Outcome, Reason]] = {
    10001: _MONEY,  # "account is not active": a balance of 0 is the first cause that its page names
    10002: _ACCOUNT,  # trial accounts do not support this
    10004: _LIMIT,  # too many calls at a time
    10005: _ACCOUNT,  # voice is switched off
    13223: _NUMBER,
    13224: _NUMBER,  # "does not support calling this number"
    13225: _NUMBER,
    13227: _ACCOUNT,  # this and 21215, 32205, 21203: voice geography, set in the console
    20003: _CREDENTIALS,
    20005: _MONEY,  # "potentially because you ran out of funds"
    20008: _CREDENTIALS,  # test credentials
    20403: _ACCOUNT,
    20429: _LIMIT,
    21203: _ACCOUNT,
    21210: _ACCOUNT,  # `from` is not a number of this account
    21211: _NUMBER,
    21212: _ACCOUNT,  # `from` is no number
    21213: _ACCOUNT,  # `from` is missing
    21214: _NUMBER,
    21215: _ACCOUNT,
    21216: _NUMBER,  # blocked by Twilio
    21217: _NUMBER,
    21219: _ACCOUNT,  # trial accounts call verified numbers alone
    32205: _ACCOUNT,
    70051: _CREDENTIALS,
    90010: _ACCOUNT,  # suspended
    573002: _ACCOUNT,  # this and 573005: a trial account
    573005: _ACCOUNT,
}
# Of an answer without a code that can be read.
_STATUSES: Mapping[int, tuple[Outcome, Reason]] = {401: _CREDENTIALS, 429: _LIMIT}

_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")

# Twilio rings up to this much longer than it is asked to (its page of the Calls resource, read 2026-11).
_MORE_SECONDS = 5


class Client:
    """Talks to Twilio. `values`: `account_sid`, `auth_token` and `from`."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp) -> None:
        self._sid, self._token, self._from = values["account_sid"], values["auth_token"], values["from"]
        self._base_url = base_url
        self._http = http
        pair = base64.b64encode(f"{self._sid}:{self._token}".encode()).decode()
        self._authorization = f"Basic {pair}"

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        if order.code is None or order.webhook_url is None:
            raise ValueError("a call of this vendor needs a code, and an address for the key")
        form = {
            "To": order.phone.e164,
            "From": self._from,
            "Timeout": str(RING_SECONDS - _MORE_SECONDS),
            # Without the code, which stands in no request to Twilio: see twiml.say_code.
            "Twiml": ask_for_key(order.webhook_url, language_of(order.locale, order.phone.e164)),
        }
        try:
            answer = self._http.send(
                "POST",
                f"{self._base_url}/2010-04-01/Accounts/{self._sid}/Calls.json",
                form=form,
                headers={"Authorization": self._authorization},
                deadline=deadline,
            )
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        if not 200 <= answer.status < 300:
            return self._refusal(answer)
        call_sid = (json_object(answer.body) or {}).get("sid")
        if not isinstance(call_sid, str) or not _CALL_SID.fullmatch(call_sid):
            return CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)
        return CallOutcome(Outcome.STARTED, challenge=Challenge.enter_digits(len(order.code)), call_id=call_sid)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:  # noqa: ARG002
        """Nothing to ask: whether a call was answered says nothing of who typed its code."""
        return CallReport(Verdict.UNREADABLE)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        """The `action` of <Gather>: a key was pressed in a call.

        Any other event that is signed, such as a call's status, is ignored.
        """
        if any(len(values) != 1 for values in webhook.parameters.values()):
            raise InvalidRequest("Each parameter must be given exactly once.")
        given = {name: values[0] for name, values in webhook.parameters.items()}
        if not self._is_signed(webhook.url, given, webhook.signature):
            raise Forbidden("The signature is wrong.")
        if not given.get("CallSid"):
            raise InvalidRequest("`CallSid` is missing.")
        if not given.get("Digits"):
            return ()
        return [
            CallReport(
                Verdict.PENDING, call_id=given["CallSid"], verification_id=webhook.verification_id, wants_code=True
            )
        ]

    def _is_signed(self, url: str, given: Mapping[str, str], signature: str) -> bool:
        """twilio.com/docs/usage/security: base64 of HMAC-SHA1 over the URL and the sorted names and values.

        Twilio's SDKs take the URL with its port and without it, since its parts differ in what they sign.
        """
        fields = "".join(f"{name}{value}" for name, value in sorted(given.items()))
        return any(self._signs(form + fields, signature) for form in _forms(url))

    def _signs(self, text: str, signature: str) -> bool:
        mac = hmac.new(self._token.encode(), text.encode(errors="replace"), hashlib.sha1)
        return hmac.compare_digest(base64.b64encode(mac.digest()), signature.encode(errors="replace"))

    def _refusal(self, answer: Answer) -> CallOutcome:
        """An answer that is no success: {"code", "message", "more_info", "status"}. A server error may have called."""
        body = (json_object(answer.body) or {}) if answer.status < 500 else {}
        code = whole_number(body.get("code"))
        if code is None or answer.status < 400:
            outcome, reason = _STATUSES.get(answer.status, (Outcome.UNKNOWN, Reason.HTTP_ERROR))
            return CallOutcome(outcome, reason, vendor_words=f"HTTP {answer.status}")
        outcome, reason = _ERRORS.get(code, _OTHER)
        words = masked(body.get("message", ""), self._sid, self._token, self._from)
        # Past the mask, which hides long numbers.
        return CallOutcome(outcome, reason, vendor_words=f"{code}: {words}" if code < 1_000_000 else words)


def _forms(url: str) -> list[str]:
    """An address as it was given out, and with its scheme's own port, and without any."""
    parts = urlsplit(url)
    if not parts.hostname:
        return [url]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    hosts = (parts.netloc, f"{parts.hostname}:{port}", parts.hostname)
    return list(dict.fromkeys(parts._replace(netloc=host).geturl() for host in hosts))
