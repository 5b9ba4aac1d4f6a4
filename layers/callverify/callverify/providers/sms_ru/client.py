"""SMS.RU: reverse calls by `callcheck`, and flash calls by `code/call`, whose code the vendor picks.

Vendor pages: sms.ru/api/callcheck and sms.ru/api/code_call, read 2026-11; the reports' fields and hash are known from
the cabinet's page and public integrations. See vendors/sms_ru/README.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any

from callverify.domain.errors import Forbidden, InvalidRequest
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

CODE_DIGITS = 4
MOST_ENTRIES = 100
NO_ADDRESS = "-1"  # the page's own value for an address that is not known

# `status_code`, of the vendor's list for sms/send (public integrations, seen 2026-11). That the two calls here answer
# 200, 201 and 202 is an integration's experience; the others are assumed to mean what they mean there.
_ERRORS: Mapping[int, tuple[Outcome, Reason]] = {
    200: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    201: (Outcome.UNAVAILABLE, Reason.NO_MONEY),
    202: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # "wrong number, or no route to it"
    206: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),  # the account's own limit of a day
    207: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # "no route to this number"
    209: (Outcome.REJECTED, Reason.NUMBER_REFUSED),  # the number is on the account's stop list
    230: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),  # 230 to 233: too much for this number
    231: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    232: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    233: (Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT),
    300: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),  # "the token is wrong, or your address has changed"
    301: (Outcome.UNAVAILABLE, Reason.BAD_CREDENTIALS),
    302: (Outcome.UNAVAILABLE, Reason.ACCOUNT_FAULT),  # the account is not confirmed
    500: (Outcome.UNKNOWN, Reason.VENDOR_FAULT),  # "server error, repeat the request": how far had it come?
}
_OTHER_ERROR = (Outcome.UNAVAILABLE, Reason.VENDOR_FAULT)
_UNREADABLE = CallOutcome(Outcome.UNKNOWN, Reason.UNREADABLE_ANSWER)

# `check_status`: text on the page, a number in some integrations. 402 is also what an unknown id gets.
_VERDICTS: Mapping[int, Verdict] = {400: Verdict.PENDING, 401: Verdict.CONFIRMED, 402: Verdict.EXPIRED}

_ENTRY_NAME = re.compile(r"data(?:\[(0|[1-9][0-9]{0,8})?\])?")
_ENTRY = re.compile(r"[\x20-\x7e\n]*")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class Client:
    """Talks to SMS.RU. `values`: `api_id`, `webhook_token`, and `send_ip`, whether users' addresses are passed on."""

    def __init__(self, values: Mapping[str, str], base_url: str, http: VendorHttp) -> None:
        self._api_id = values["api_id"]
        self._secrets = (self._api_id, values["webhook_token"])
        self._sends_address = values["send_ip"] == "yes"
        self._base_url = base_url
        self._http = http

    def start(self, order: CallOrder, deadline: Deadline) -> CallOutcome:
        flash = order.method is Method.FLASH_CALL
        form = {"phone": order.phone.digits}
        if flash:
            form["ip"] = (order.end_user_ip if self._sends_address else None) or NO_ADDRESS
        try:
            answer = self._ask("code/call" if flash else "callcheck/add", form, deadline)
        except (NotSent, NoAnswer) as failure:
            return outcome_of(failure)
        body = json_object(answer.body) if answer.status < 500 else None
        if body is not None and body.get("status") == "ERROR":
            code = whole_number(body.get("status_code"))
            outcome, reason = _OTHER_ERROR if code is None else _ERRORS.get(code, _OTHER_ERROR)
            words = masked(f"{code}: {body.get('status_text')}", *self._secrets)
            return CallOutcome(outcome, reason, vendor_words=words)
        if answer.status == 429:
            return CallOutcome(Outcome.UNAVAILABLE, Reason.VENDOR_LIMIT, vendor_words="HTTP 429")
        if not 200 <= answer.status < 300:
            return CallOutcome(Outcome.UNKNOWN, Reason.HTTP_ERROR, vendor_words=f"HTTP {answer.status}")
        if body is None or not _is_success(body):
            return _UNREADABLE
        return _called(body) if flash else _to_be_called(body, order)

    def repeat(self, call_id: str, deadline: Deadline) -> CallOutcome:  # noqa: ARG002
        return CallOutcome(Outcome.UNAVAILABLE, Reason.NOT_SUPPORTED)

    def check(self, call_id: str, deadline: Deadline) -> CallReport:
        """Whether the phone that the id was given for has called. The vendor names no caller: it knows no other."""
        try:
            answer = self._ask("callcheck/status", {"check_id": call_id}, deadline)
        except (NotSent, NoAnswer):
            return CallReport(Verdict.UNREADABLE)
        body = json_object(answer.body)
        if answer.status != 200 or body is None or not _is_success(body):
            return CallReport(Verdict.UNREADABLE)
        verdict = _VERDICTS.get(whole_number(body.get("check_status")) or 0, Verdict.UNREADABLE)
        evidence = Evidence.PROVIDER_READ_BACK if verdict is Verdict.CONFIRMED else None
        return CallReport(verdict, call_id=call_id, evidence=evidence)

    def open_webhook(self, webhook: InboundWebhook) -> Sequence[CallReport]:
        """Hints to check: the hash, sha256 of the key and the entries run together, can be lengthened by its reader.

        The handler is the account's: one report holds up to 100 entries, among them the statuses of SMS.
        """
        hashes, entries = webhook.parameters.get("hash", ()), _entries(webhook.parameters)
        if not entries and not hashes:
            return ()
        if len(hashes) != 1 or not hashes[0]:
            raise InvalidRequest("`hash` must be given exactly once.")
        if not entries:
            raise InvalidRequest("`data` is missing.")
        if len(entries) > MOST_ENTRIES:
            raise InvalidRequest(f"`data` has more than {MOST_ENTRIES} entries.")
        # Before the hash: what SHA-256 pads with can't stand in such a text, so none of them is longer than it was.
        if not all(_ENTRY.fullmatch(entry) for entry in entries):
            raise Forbidden("An entry has characters that the vendor doesn't send.")
        expected = hashlib.sha256(f"{self._api_id}{''.join(entries)}".encode()).hexdigest()
        if not hmac.compare_digest(hashes[0].lower().encode(errors="replace"), expected.encode()):
            raise Forbidden("`hash` is not the hash of this request.")
        # Kind, id, status and time of the call, which nothing here is decided by.
        called = [lines for lines in (entry.split("\n") for entry in entries) if len(lines) == 4]
        ids = {id_: None for kind, id_, _, _ in called if kind == "callcheck_status" and _ID.fullmatch(id_)}
        return [CallReport(Verdict.UNSTATED, call_id=id_) for id_ in ids]

    def _ask(self, path: str, form: Mapping[str, str], deadline: Deadline) -> Answer:
        form = {"api_id": self._api_id, **form, "json": "1"}
        return self._http.send("POST", f"{self._base_url}/{path}", form=form, deadline=deadline)


def _is_success(body: Mapping[str, Any]) -> bool:
    """`code/call` has no `status_code` in the page's sample."""
    return body.get("status") == "OK" and whole_number(body.get("status_code", 100)) == 100


def _to_be_called(body: Mapping[str, Any], order: CallOrder) -> CallOutcome:
    # `call_phone_html` is a link made by somebody else: never shown.
    number, check_id = e164_from_vendor(body.get("call_phone"), order.phone.e164), _id(body.get("check_id"))
    if number is None or check_id is None:
        return _UNREADABLE
    return CallOutcome(Outcome.STARTED, challenge=Challenge.call_number(number), call_id=check_id)


def _called(body: Mapping[str, Any]) -> CallOutcome:
    """A number has lost its leading zeros; a text of another length is no code."""
    given = body.get("code")
    number, length = whole_number(given), len(given) if isinstance(given, str) else CODE_DIGITS
    if number is None or number >= 10**CODE_DIGITS or length != CODE_DIGITS:
        return _UNREADABLE
    return CallOutcome(
        Outcome.STARTED,
        challenge=Challenge.enter_digits(CODE_DIGITS),
        call_id=_id(body.get("call_id")),
        code=f"{number:0{CODE_DIGITS}}",
        cost=_cost(body.get("cost")),
    )


def _cost(given: object) -> str | None:
    """In roubles, the account's currency; None for what is no amount."""
    amount = given if isinstance(given, int | float) and not isinstance(given, bool) else -1
    if not 0 <= amount < 10**6:
        return None
    digits = f"{amount:.6f}".rstrip("0").rstrip(".")
    return f"{digits} RUB"


def _id(given: object) -> str | None:
    text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    return text if _ID.fullmatch(text) else None


def _entries(parameters: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The members of `data` in the order in which they came; PHP's names of a list, and `data` for a list of one.

    Raises InvalidRequest where a member is given twice: which of the two would count?
    """
    entries: list[str] = []
    seen = set[int]()
    for name, values in parameters.items():
        found = _ENTRY_NAME.fullmatch(name)
        if found is None:
            continue
        indices = range(len(values)) if name == "data[]" else [int(found[1] or 0)] * len(values)
        for index in indices:
            if index in seen:
                raise InvalidRequest("Each entry of `data` must be given exactly once.")
            seen.add(index)
        entries += values
    return entries
